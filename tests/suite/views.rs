//! What is on the screen: every pane in every state, at the sizes people have.

use hypocenter::engine::model::{AnomalyId, IncidentId};
use hypocenter::engine::snapshot::Snapshot;
use hypocenter::views::context::{Glyphs, KeyHint, PaletteMatch, ViewContext};
use hypocenter::views::theme::{Role, Theme};
use hypocenter::views::ui_state::{Confirmation, ListState, Notice, Overlay, Pane, RowKey, UiState};
use hypocenter::views::{self, Drawn, Hit};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tui_textarea::TextArea;

use crate::fixtures;

const UNICODE: Glyphs = Glyphs { is_ascii: false };
const ASCII: Glyphs = Glyphs { is_ascii: true };

fn hints() -> Vec<KeyHint> {
    let hint = |keys: &str, short: &str, is_act: bool| KeyHint {
        keys: keys.to_owned(),
        short: short.to_owned(),
        help: format!("does what `{short}` says, for the row that is selected"),
        is_act,
    };
    vec![
        hint("j/k", "move", false),
        hint("⏎", "open", false),
        hint("e", "evidence", false),
        hint("a", "approve", true),
        hint("n", "note", false),
        hint("o", "own", true),
        hint("z", "suppressed", false),
        hint("/", "filter", false),
        hint(":", "command", false),
    ]
}

struct Shot<'a> {
    snapshot: &'a Snapshot,
    ui: &'a UiState,
    theme: &'a str,
    glyphs: Glyphs,
}

impl Shot<'_> {
    fn with_context<T>(&self, use_context: impl FnOnce(&ViewContext<'_>) -> T) -> T {
        let (hints, theme) = (hints(), Theme::shipped(self.theme).unwrap());
        let palette = [PaletteMatch { title: "Acknowledge".into(), keys: "A".into(), matched: vec![0, 2] }];
        let note = TextArea::from(["confirmed with netops", "reverting \u{202e}now"]);
        use_context(&ViewContext {
            snapshot: self.snapshot,
            ui: self.ui,
            theme: &theme,
            glyphs: self.glyphs,
            hints: &hints,
            palette: &palette,
            note: Some(&note),
            now: fixtures::now(),
        })
    }

    fn draw(&self, width: u16, height: u16) -> (Buffer, Drawn) {
        self.with_context(|context| {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            let mut drawn = Drawn::default();
            terminal.draw(|frame| drawn = views::draw(frame, context)).unwrap();
            (terminal.backend().buffer().clone(), drawn)
        })
    }
}

fn text(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut row = String::new();
        let mut skip = 0;
        for x in 0..buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            if skip == 0 {
                row.push_str(symbol);
                skip = unicode_width::UnicodeWidthStr::width(symbol).max(1);
            }
            skip -= 1;
        }
        out.push_str(row.trim_end());
        out.push('\n');
    }
    out
}

fn on(pane: Pane) -> UiState {
    UiState { pane, ..UiState::default() }
}

fn shown(snapshot: &Snapshot, ui: &UiState, width: u16, height: u16) -> String {
    text(&Shot { snapshot, ui, theme: "dark", glyphs: UNICODE }.draw(width, height).0)
}

fn states() -> Vec<(&'static str, Snapshot)> {
    vec![
        ("empty", fixtures::empty()),
        ("loading", fixtures::loading()),
        ("backfilling", fixtures::backfilling()),
        ("live", fixtures::live()),
        ("stale", fixtures::stale()),
        ("error", fixtures::error()),
    ]
}

fn overlays() -> Vec<(&'static str, Overlay)> {
    vec![
        ("help", Overlay::Help { selected: 2 }),
        ("palette", Overlay::Palette { input: "ack".into(), selected: 0 }),
        ("filter", Overlay::Filter),
        ("note", Overlay::Note { incident: IncidentId(42) }),
        (
            "confirm",
            Overlay::Confirm(Confirmation {
                question: "Reverts gke-prod-firewall-rule in prod: 23 services get their database back".into(),
                argv: ["kubectl", "rollout", "undo", "netpol/gke prod\u{202e}"].map(Into::into).to_vec(),
                typed_target: Some("gke-prod-firewall-rule".into()),
                typed: "gke-pr".into(),
            }),
        ),
        ("evidence", Overlay::Evidence { hypothesis: 0, offset: 0 }),
        ("why", Overlay::Why { anomaly: AnomalyId(7), offset: 0 }),
    ]
}

#[test]
fn every_pane_in_every_state() {
    for (state, snapshot) in states() {
        for pane in Pane::ALL {
            for (width, height) in [(80, 24), (140, 40)] {
                let name = format!("{}_{state}_{width}x{height}", pane.title().to_lowercase());
                insta::assert_snapshot!(name, shown(&snapshot, &on(pane), width, height));
            }
        }
    }
}

#[test]
fn a_runbook_before_during_and_after_its_run() {
    for (name, snapshot) in [
        ("watching", fixtures::watching()),
        ("proposed", fixtures::proposed(false)),
        ("failed", fixtures::proposed(true)),
    ] {
        insta::assert_snapshot!(format!("runbook_{name}_80x24"), shown(&snapshot, &on(Pane::Runbook), 80, 24));
    }
}

#[test]
fn arrows_move_along_the_calls() {
    let (snapshot, ui) = (fixtures::live(), on(Pane::Chain));
    let go = |from: &str, direction| views::chain::neighbour(&snapshot, &ui, &from.into(), direction);
    use views::chain::Direction::{ToCallee, ToCaller};
    assert_eq!(go("auth-api", ToCaller), Some("user".into()));
    assert_eq!(go("auth-api", ToCallee), Some("auth-db".into()));
    assert_eq!(go("auth-db", ToCallee), None);
    assert_eq!(go("checkout", ToCallee), Some("user".into()), "the one in trouble, not the first by name");
}

#[test]
fn every_overlay_at_eighty_by_twenty_four() {
    let snapshot = fixtures::live();
    for (name, overlay) in overlays() {
        let ui = UiState { overlay, ..on(Pane::Incident) };
        insta::assert_snapshot!(format!("overlay_{name}_80x24"), shown(&snapshot, &ui, 80, 24));
    }
}

#[test]
fn nothing_panics_or_escapes_at_the_usual_odd_sizes() {
    let snapshot = fixtures::hostile();
    let sizes = [(1, 1), (5, 3), (19, 4), (20, 5), (21, 7), (40, 10), (79, 23), (80, 24), (132, 43), (400, 100)];
    for (width, height) in sizes {
        for pane in Pane::ALL {
            for (_, overlay) in overlays() {
                for glyphs in [UNICODE, ASCII] {
                    let ui = UiState { overlay: overlay.clone(), shows_suppressed: true, ..on(pane) };
                    let (buffer, drawn) =
                        Shot { snapshot: &snapshot, ui: &ui, theme: "dark", glyphs }.draw(width, height);
                    for cell in buffer.content() {
                        let symbol = cell.symbol();
                        assert!(!symbol.chars().any(views::text::is_hostile), "{symbol:?}");
                        assert!(!glyphs.is_ascii || symbol.is_ascii(), "{symbol:?} in ASCII mode");
                    }
                    assert!(drawn.cursor.is_none_or(|at| buffer.area.contains(at)));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_size_panics(width in 1_u16..=400, height in 1_u16..=100, pane in 0_usize..6, overlay in 0_usize..7, state in 0_usize..6, offset in 0_usize..50) {
        let (_, snapshot) = states().swap_remove(state);
        let overlay = overlays().swap_remove(overlay).1;
        let mut ui = UiState { overlay, ..on(Pane::ALL[pane]) };
        ui.lists.insert(ui.pane, ListState { offset, ..ListState::default() });
        ui.output_scroll = offset;
        let shot = Shot { snapshot: &snapshot, ui: &ui, theme: "dark", glyphs: UNICODE };
        let (buffer, _) = shot.draw(width, height);
        prop_assert_eq!(buffer.area, Rect::new(0, 0, width, height));
        let hits = shot.with_context(|context| {
            (0..height).filter(|row| views::hit(buffer.area, context, width / 2, *row).is_some()).count()
        });
        prop_assert!(hits <= usize::from(height));
    }
}

#[test]
fn the_cursor_stands_on_the_selected_row_and_a_click_finds_it() {
    let snapshot = fixtures::live();
    let area = Rect::new(0, 0, 80, 24);
    for pane in Pane::ALL {
        let rows = views::rows(pane, &snapshot, &on(pane));
        assert!(!rows.is_empty(), "{pane:?}");
        for (index, key) in rows.iter().enumerate() {
            let mut ui = on(pane);
            ui.lists.insert(pane, ListState { selected: Some(key.clone()), last_index: index, ..ListState::default() });
            let shot = Shot { snapshot: &snapshot, ui: &ui, theme: "dark", glyphs: UNICODE };
            let cursor = shot.draw(80, 24).1.cursor.unwrap_or_else(|| panic!("{pane:?} {key:?}"));
            let hit = shot.with_context(|context| views::hit(area, context, cursor.x, cursor.y));
            assert_eq!(hit, Some(Hit::Row(key.clone())));
        }
    }
}

#[test]
fn a_click_on_a_name_finds_the_pane() {
    let (snapshot, ui) = (fixtures::empty(), on(Pane::Now));
    let shot = Shot { snapshot: &snapshot, ui: &ui, theme: "dark", glyphs: UNICODE };
    let hit = |column| shot.with_context(|context| views::hit(Rect::new(0, 0, 80, 24), context, column, 1));
    assert_eq!(hit(1), Some(Hit::Tab(Pane::Now)));
    assert_eq!(hit(10), Some(Hit::Tab(Pane::Anomalies)));
    assert_eq!(hit(75), None);
}

#[test]
fn a_filter_leaves_what_it_names() {
    let snapshot = fixtures::live();
    let mut ui = on(Pane::Anomalies);
    ui.lists.insert(Pane::Anomalies, ListState { filter: "auth !latency".into(), ..ListState::default() });
    assert_eq!(views::rows(Pane::Anomalies, &snapshot, &ui), [RowKey::Anomaly(AnomalyId(7))]);
    assert!(views::filter_matches("AUTH db", "auth-api db_connect_errors"));
}

#[test]
fn the_suppressed_are_hidden_counted_and_within_reach() {
    let snapshot = fixtures::live();
    let hidden = shown(&snapshot, &on(Pane::Anomalies), 80, 24);
    assert!(hidden.contains("1 suppressed") && !hidden.contains("order"), "{hidden}");
    let ui = UiState { shows_suppressed: true, ..on(Pane::Anomalies) };
    let all = shown(&snapshot, &ui, 80, 24);
    assert!(all.contains("explained by auth-api"), "{all}");
}

#[test]
fn a_notice_takes_the_place_of_the_keys() {
    let mut ui = on(Pane::Now);
    ui.notice = Some(Notice { text: "copied 12 bytes".into(), is_problem: false });
    let screen = shown(&fixtures::empty(), &ui, 80, 24);
    assert!(screen.contains("copied 12 bytes") && !screen.contains("j/k move"), "{screen}");
}

#[test]
fn severities_look_as_the_theme_says() {
    let (snapshot, ui) = (fixtures::live(), on(Pane::Anomalies));
    for theme in ["dark", "mono", "high-contrast"] {
        let (buffer, _) = Shot { snapshot: &snapshot, ui: &ui, theme, glyphs: UNICODE }.draw(80, 24);
        let theme = Theme::shipped(theme).unwrap();
        for (word, role) in [("▲", Role::SeverityCritical), ("△", Role::SeverityWarning)] {
            let cell = buffer.content().iter().find(|cell| cell.symbol() == word).unwrap();
            let style = theme.style(role);
            assert_eq!(cell.fg, style.fg.unwrap_or_default(), "{word}");
            assert_eq!(cell.bg, style.bg.unwrap_or_default(), "{word}");
            assert!(cell.modifier.contains(style.add_modifier), "{word}");
        }
    }
}

#[test]
fn without_colour_no_cell_has_one() {
    let snapshot = fixtures::live();
    for pane in Pane::ALL {
        let ui = on(pane);
        let (buffer, _) = Shot { snapshot: &snapshot, ui: &ui, theme: "mono", glyphs: UNICODE }.draw(80, 24);
        assert!(buffer.content().iter().all(|cell| cell.fg == ratatui::style::Color::Reset && cell.bg == cell.fg));
    }
}

#[test]
fn ascii_says_the_same() {
    let snapshot = fixtures::live();
    for pane in Pane::ALL {
        let ui = on(pane);
        let (buffer, _) = Shot { snapshot: &snapshot, ui: &ui, theme: "mono", glyphs: ASCII }.draw(80, 24);
        insta::assert_snapshot!(format!("{}_live_80x24_ascii", pane.title().to_lowercase()), text(&buffer));
    }
}

#[test]
fn a_wide_screen_shows_more() {
    for (name, snapshot) in [("live", fixtures::live()), ("storm", fixtures::storm())] {
        for pane in [Pane::Now, Pane::Anomalies, Pane::Incident] {
            let name = format!("{}_{name}_200x60", pane.title().to_lowercase());
            insta::assert_snapshot!(name, shown(&snapshot, &on(pane), 200, 60));
        }
    }
}
