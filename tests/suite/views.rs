//! What is on the screen: every pane in every state, at the sizes people have.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use hypocenter::app::keymap::Keymap;
use hypocenter::app::state::AppState;
use hypocenter::engine::clock::Timestamp;
use hypocenter::engine::model::{
    Alert, AlertState, AnomalyId, IncidentId, Misfit, Present, Role as PersonRole, RunId, Severity, SuppressionReason,
    TimelineEntry, TimelineKind, Wheel, WheelAsked,
};
use hypocenter::engine::snapshot::patches::Grouping;
use hypocenter::engine::snapshot::{FileProblem, Replaying, Snapshot};
use hypocenter::views::context::{Glyphs, KeyHint, PaletteMatch, ViewContext};
use hypocenter::views::theme::{Role, Theme};
use hypocenter::views::ui_state::{
    Away, Confirmation, ListState, Notice, Overlay, Pane, PatchView, RowKey, UiState, Unheard, Unsent, Written,
};
use hypocenter::views::{self, Drawn, Hit};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tui_textarea::TextArea;

use crate::fixtures::{self, patch_pictures, rollout_pictures};

const UNICODE: Glyphs = Glyphs { is_ascii: false };
const ASCII: Glyphs = Glyphs { is_ascii: true };

static KEYMAPS: LazyLock<BTreeMap<&str, Keymap>> =
    LazyLock::new(|| ["default", "vim", "emacs"].map(|name| (name, Keymap::load(name, None).0)).into());

/// The keys that the console would name with this on the screen.
fn hints(keymap: &str, snapshot: &Snapshot, ui: &UiState) -> Vec<KeyHint> {
    let mut state = AppState::new(KEYMAPS[keymap].clone(), false, Vec::new());
    state.snapshot = Arc::new(snapshot.clone());
    state.ui = ui.clone();
    hypocenter::app::hints::refresh(&mut state);
    state.hints
}

struct Shot<'a> {
    snapshot: &'a Snapshot,
    ui: &'a UiState,
    theme: &'a str,
    glyphs: Glyphs,
    keymap: &'a str,
}

impl<'a> Shot<'a> {
    fn of(snapshot: &'a Snapshot, ui: &'a UiState) -> Self {
        Self { snapshot, ui, theme: "dark", glyphs: UNICODE, keymap: "default" }
    }
}

impl Shot<'_> {
    fn with_context<T>(&self, use_context: impl FnOnce(&ViewContext<'_>) -> T) -> T {
        let hints = hints(self.keymap, self.snapshot, self.ui);
        let theme = Theme::shipped(self.theme).unwrap();
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

pub fn on(pane: Pane) -> UiState {
    UiState { pane, ..UiState::default() }
}

/// The same in ASCII.
pub fn shown_in_ascii(snapshot: &Snapshot, ui: &UiState, width: u16, height: u16) -> String {
    text(&Shot { glyphs: ASCII, ..Shot::of(snapshot, ui) }.draw(width, height).0)
}

pub fn shown(snapshot: &Snapshot, ui: &UiState, width: u16, height: u16) -> String {
    text(&Shot::of(snapshot, ui).draw(width, height).0)
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
        ("note", Overlay::Note { incident: IncidentId(42), what: Written::Note }),
        (
            "confirm",
            Overlay::Confirm(Confirmation {
                heading: "This changes the world",
                question: "Reverts gke-prod-firewall-rule in prod: 23 services get their database back".into(),
                argv: ["kubectl", "rollout", "undo", "netpol/gke prod\u{202e}"].map(Into::into).to_vec(),
                typed_target: Some("gke-prod-firewall-rule".into()),
                typed: "gke-pr".into(),
                cursor: 6,
                line: None,
            }),
        ),
        ("evidence", Overlay::Evidence { hypothesis: 0, offset: 0 }),
        ("why", Overlay::Why { anomaly: AnomalyId(7), offset: 0 }),
        ("entry", Overlay::Entry { row: RowKey::Audit(4), offset: 0 }),
        ("habits", Overlay::Habits { offset: 0 }),
        ("policy", Overlay::Policy { offset: 0 }),
        ("asking", Overlay::Asking),
        ("sources", Overlay::Sources { row: RowKey::Claim(0, 0), selected: 0 }),
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

/// The picture in which three people are here, of whom bo drives the run and the one at this console asks for the wheel.
fn shared() -> Snapshot {
    let mut snapshot = fixtures::live();
    let at = fixtures::now();
    let here = |seat, name: &str, role, incident, pane: &str| Present {
        seat,
        name: name.into(),
        role,
        since: Timestamp(at.0 - 720_000),
        last_here: None,
        incident,
        pane: pane.into(),
    };
    snapshot.present = vec![
        here(1, "ana", PersonRole::Commander, None, "Now"),
        here(2, "bo", PersonRole::Responder, Some(IncidentId(42)), "Runbook"),
        here(4, "cleo", PersonRole::Viewer, Some(IncidentId(42)), "Chain"),
        here(5, "dai", PersonRole::Admin, Some(IncidentId(42)), "Incident"),
    ];
    let asked = Some(WheelAsked { by: "ana".into(), at });
    snapshot.wheels.insert(RunId(3), Wheel { driver: "bo".into(), since: at, asked });
    snapshot
}

#[test]
fn several_people_see_one_another() {
    let mut snapshot = shared();
    let mut away = Overlay::Away {
        away: Away {
            since: Timestamp(fixtures::now().0 - 1_740_000),
            until: fixtures::now(),
            happened: vec![
                "INC-43 opened, SEV2: checkout is slow".into(),
                "bo approved step 3 of RUN-3".into(),
                "2 steps of RUN-3 finished".into(),
            ],
        },
        offset: 0,
    };
    let ui = |pane, overlay: &Overlay| UiState { me: "ana".into(), overlay: overlay.clone(), ..on(pane) };
    for (width, height) in [(80, 24), (140, 40)] {
        let size = format!("{width}x{height}");
        for pane in [Pane::Now, Pane::Incident, Pane::Runbook] {
            let name = format!("together_{}_{size}", pane.title().to_lowercase());
            insta::assert_snapshot!(name, shown(&snapshot, &ui(pane, &Overlay::None), width, height));
        }
        let list = Overlay::People { offset: 0 };
        insta::assert_snapshot!(format!("people_{size}"), shown(&snapshot, &ui(Pane::Incident, &list), width, height));
        insta::assert_snapshot!(format!("away_{size}"), shown(&snapshot, &ui(Pane::Now, &away), width, height));
    }
    // Whoever drives and is asked, and a driver who has left.
    let driving = UiState { me: "bo".into(), ..on(Pane::Runbook) };
    insta::assert_snapshot!("together_driver_80x24", shown(&snapshot, &driving, 80, 24));
    snapshot.present.retain(|present| present.name.as_ref() != "bo");
    away = Overlay::People { offset: 0 };
    insta::assert_snapshot!("people_driver_gone_80x24", shown(&snapshot, &ui(Pane::Now, &away), 80, 24));
    // Somebody who is alone sees nothing of all that.
    snapshot.present.retain(|present| present.name.as_ref() == "ana");
    snapshot.wheels.insert(RunId(3), Wheel { driver: "ana".into(), since: fixtures::now(), asked: None });
    let alone = |pane| shown(&snapshot, &ui(pane, &Overlay::None), 80, 24);
    for pane in Pane::ALL {
        assert_eq!(alone(pane), shown(&fixtures::live(), &on(pane), 80, 24));
    }
}

#[test]
fn patches_by_every_grouping_and_whatever_could_not_be_found() {
    let mut snapshot = fixtures::live();
    for by in Grouping::ALL {
        let ui = UiState { patch_grouping: by, ..on(Pane::Patches) };
        insta::assert_snapshot!(format!("patches_by_{}_80x24", by.word()), shown(&snapshot, &ui, 80, 24));
        let row = views::rows(Pane::Patches, &snapshot, &ui)[0].clone();
        let ui = UiState { overlay: Overlay::Entry { row, offset: 0 }, ..ui };
        insta::assert_snapshot!(format!("patches_detail_{}_80x40", by.word()), shown(&snapshot, &ui, 80, 40));
    }
    let overlay = Overlay::Entry { row: RowKey::PatchException(3), offset: 0 };
    let ui = UiState { overlay, ..on(Pane::Patches) };
    insta::assert_snapshot!("patches_exception_80x24", shown(&snapshot, &ui, 80, 24));
    insta::assert_snapshot!("patches_live_200x60", shown(&snapshot, &on(Pane::Patches), 200, 60));
    for (name, patches) in
        [("bare", patch_pictures::bare()), ("never", patch_pictures::never()), ("off", Arc::default())]
    {
        snapshot.patches = patches;
        insta::assert_snapshot!(format!("patches_{name}_80x24"), shown(&snapshot, &on(Pane::Patches), 80, 24));
    }
}

#[test]
fn rollouts_their_boards_and_the_calendar() {
    let view = |patch_view| UiState { patch_view, ..on(Pane::Patches) };
    let mut snapshot = fixtures::live();
    let id = snapshot.rollouts[0].rollout.id;
    for (name, kept) in [
        ("proposed", rollout_pictures::proposed()),
        ("running", rollout_pictures::under_way()),
        ("soaking", rollout_pictures::soaking()),
        ("paused", rollout_pictures::paused()),
        ("rolled_back", rollout_pictures::rolled_back()),
        ("unknown", rollout_pictures::unknown()),
        ("ending", rollout_pictures::ending()),
        ("stopped_undecided", rollout_pictures::stopped_undecided()),
    ] {
        snapshot.rollouts = vec![kept];
        let ui = view(PatchView::Board(id));
        for (width, height) in [(80, 24), (160, 40)] {
            let name = format!("rollout_{name}_{width}x{height}");
            insta::assert_snapshot!(name, shown(&snapshot, &ui, width, height));
        }
        let ascii = Shot { glyphs: ASCII, ..Shot::of(&snapshot, &ui) };
        insta::assert_snapshot!(format!("rollout_{name}_ascii_80x24"), text(&ascii.draw(80, 24).0));
        for target in ["web-1", "web-2"] {
            let overlay = Overlay::Entry { row: RowKey::RolloutTarget(id, target.into()), offset: 0 };
            let name = format!("rollout_{name}_{target}_80x24");
            insta::assert_snapshot!(name, shown(&snapshot, &UiState { overlay, ..ui.clone() }, 80, 24));
        }
    }
    snapshot.rollouts = rollout_pictures::several();
    insta::assert_snapshot!("rollouts_80x24", shown(&snapshot, &view(PatchView::Rollouts), 80, 24));
    insta::assert_snapshot!("rollouts_160x40", shown(&snapshot, &view(PatchView::Rollouts), 160, 40));
    let calendar = view(PatchView::Calendar);
    insta::assert_snapshot!("calendar_80x24", shown(&snapshot, &calendar, 80, 24));
    insta::assert_snapshot!("calendar_160x40", shown(&snapshot, &calendar, 160, 40));
    let ascii = Shot { glyphs: ASCII, ..Shot::of(&snapshot, &calendar) };
    insta::assert_snapshot!("calendar_ascii_80x24", text(&ascii.draw(80, 24).0));
    let row = views::rows(Pane::Patches, &snapshot, &calendar)[1].clone();
    let ui = UiState { overlay: Overlay::Entry { row, offset: 0 }, ..calendar.clone() };
    insta::assert_snapshot!("calendar_detail_80x24", shown(&snapshot, &ui, 80, 24));
    (snapshot.rollouts, snapshot.agenda) = (Vec::new(), Arc::default());
    insta::assert_snapshot!("rollouts_none_80x24", shown(&snapshot, &view(PatchView::Rollouts), 80, 24));
    insta::assert_snapshot!("rollout_gone_80x24", shown(&snapshot, &view(PatchView::Board(id)), 80, 24));
    insta::assert_snapshot!("calendar_none_80x24", shown(&snapshot, &calendar, 80, 24));
    snapshot.patches = Arc::default();
    insta::assert_snapshot!("rollouts_off_80x24", shown(&snapshot, &view(PatchView::Rollouts), 80, 24));
    insta::assert_snapshot!("calendar_off_80x24", shown(&snapshot, &calendar, 80, 24));
}

#[test]
fn rollouts_and_the_calendar_where_sources_the_store_or_everything_is_missing() {
    let id = fixtures::live().rollouts[0].rollout.id;
    for (state, snapshot) in states().into_iter().filter(|(state, _)| *state != "live") {
        let views = [("list", PatchView::Rollouts), ("board", PatchView::Board(id)), ("agenda", PatchView::Calendar)];
        for (name, patch_view) in views {
            let ui = UiState { patch_view, ..on(Pane::Patches) };
            for (width, height) in [(80, 24), (140, 40)] {
                let name = format!("rollout_{name}_{state}_{width}x{height}");
                insta::assert_snapshot!(name, shown(&snapshot, &ui, width, height));
            }
        }
    }
}

#[test]
fn a_patch_is_found_by_what_it_mends_and_who_lacks_it() {
    let snapshot = fixtures::live();
    let mut ui = on(Pane::Patches);
    for (filter, expected) in [("cve-2026-1103", 1), ("web-2", 2), ("kev", 1), ("crit !curl", 2), ("nobody", 0)] {
        ui.lists.insert(Pane::Patches, ListState { filter: filter.into(), ..ListState::default() });
        assert_eq!(views::rows(Pane::Patches, &snapshot, &ui).len(), expected, "{filter}");
    }
}

#[test]
fn who_outside_was_not_told_stands_beside_the_sources() {
    let snapshot = fixtures::untold();
    insta::assert_snapshot!("now_untold_80x24", shown(&snapshot, &on(Pane::Now), 80, 24));
    insta::assert_snapshot!("now_untold_140x40", shown(&snapshot, &on(Pane::Now), 140, 40));
}

#[test]
fn a_status_update_that_is_due_is_named_in_now_and_in_its_incident() {
    let snapshot = fixtures::due();
    insta::assert_snapshot!("now_due_80x24", shown(&snapshot, &on(Pane::Now), 80, 24));
    insta::assert_snapshot!("incident_due_80x24", shown(&snapshot, &on(Pane::Incident), 80, 24));
    let mut later = snapshot;
    later.updates_due.insert(IncidentId(42), fixtures::at("14:45:00"));
    assert!(!shown(&later, &on(Pane::Now), 80, 24).contains("Status updates due"));
    assert!(shown(&later, &on(Pane::Incident), 80, 24).contains("next due 14:45Z, in 11 m"));
}

#[test]
fn the_box_for_texts_says_what_is_written_in_it() {
    for (what, title) in [(Written::Update, "Status update on INC-42"), (Written::PostMortem, "Post-mortem of INC-42")]
    {
        let ui = UiState { overlay: Overlay::Note { incident: IncidentId(42), what }, ..on(Pane::Incident) };
        let screen = shown(&fixtures::live(), &ui, 80, 24);
        assert!(screen.contains(title) && screen.contains("Ctrl-d save"), "{screen}");
    }
}

#[test]
fn a_text_that_was_not_sent_is_offered_with_its_beginning() {
    let text = |what, lines: &[&str]| Unsent {
        incident: IncidentId(42),
        what,
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        at: fixtures::now() - 1_800_000,
    };
    let long =
        "the pods come up and fall over again as soon as they are asked for anything at all, so it is not the image";
    let unsent = vec![
        text(Written::Note, &["netops says it is not them", "", long, "looked at egress", "\u{1b}[31mand", "more"]),
        text(Written::Update, &["to all"]),
    ];
    let ui = UiState { overlay: Overlay::Unsent, unsent, ..on(Pane::Now) };
    for (width, height) in [(80, 24), (120, 40)] {
        insta::assert_snapshot!(format!("unsent_{width}x{height}"), shown(&fixtures::live(), &ui, width, height));
    }
}

#[test]
fn an_engine_that_is_not_heard_says_how_old_everything_is() {
    let silent = Unheard { ms: 12_400, why: None };
    let lost = Unheard { ms: 252_000, why: Some("no engine answers: Connection refused (os error 111)".into()) };
    for (name, unheard) in [("silent", silent), ("lost", lost)] {
        let ui = UiState { unheard: Some(unheard), ..on(Pane::Incident) };
        for (width, height) in [(80, 24), (160, 40)] {
            insta::assert_snapshot!(format!("{name}_{width}x{height}"), shown(&fixtures::live(), &ui, width, height));
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
                    let (buffer, drawn) = Shot { glyphs, ..Shot::of(&snapshot, &ui) }.draw(width, height);
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
    fn no_size_panics(width in 1_u16..=400, height in 1_u16..=100, pane in 0_usize..7, overlay in 0_usize..10, state in 0_usize..6, offset in 0_usize..50) {
        let (_, snapshot) = states().swap_remove(state);
        let overlay = overlays().swap_remove(overlay).1;
        let mut ui = UiState { overlay, ..on(Pane::ALL[pane]) };
        ui.lists.insert(ui.pane, ListState { offset, ..ListState::default() });
        ui.output_scroll = offset;
        let shot = Shot::of(&snapshot, &ui);
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
            let shot = Shot::of(&snapshot, &ui);
            let cursor = shot.draw(80, 24).1.cursor.unwrap_or_else(|| panic!("{pane:?} {key:?}"));
            let hit = shot.with_context(|context| views::hit(area, context, cursor.x, cursor.y));
            assert_eq!(hit, Some(Hit::Row(key.clone())));
        }
    }
}

#[test]
fn a_click_on_a_name_finds_the_pane() {
    let (snapshot, ui) = (fixtures::empty(), on(Pane::Now));
    let shot = Shot::of(&snapshot, &ui);
    let hit = |column| shot.with_context(|context| views::hit(Rect::new(0, 0, 100, 24), context, column, 1));
    assert_eq!(hit(1), Some(Hit::Tab(Pane::Now)));
    assert_eq!(hit(10), Some(Hit::Tab(Pane::Anomalies)));
    assert_eq!((hit(80), hit(95)), (None, Some(Hit::Help)));
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
    assert!(screen.contains("copied 12 bytes") && !screen.contains("? help  y copy"), "{screen}");
}

#[test]
fn severities_look_as_the_theme_says() {
    let (snapshot, ui) = (fixtures::live(), on(Pane::Anomalies));
    for theme in ["dark", "mono", "high-contrast"] {
        let (buffer, _) = Shot { theme, ..Shot::of(&snapshot, &ui) }.draw(80, 24);
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
fn commands_and_log_lines_have_their_colours() {
    let mut snapshot = fixtures::live();
    let mut incident = snapshot.incidents[0].as_ref().clone();
    let evidence = &mut incident.ranking.hypotheses[0].evidence_for[0];
    evidence.kind = hypocenter::engine::model::EvidenceKind::Logs;
    evidence.text = r#"auth-api logs something new: {"took_ms": 5021}"#.into();
    snapshot.incidents[0] = Arc::new(incident);
    let mut entry = snapshot.audit[0].as_ref().clone();
    entry.text = "$ kubectl get pods --watch".into();
    snapshot.audit[0] = Arc::new(entry);
    let row = RowKey::Audit(snapshot.audit[0].sequence);
    for (overlay, pane, text, role) in [
        (Overlay::Evidence { hypothesis: 0, offset: 0 }, Pane::Incident, "5021", Role::CodeNumber),
        (Overlay::None, Pane::Log, "kubectl get pods", Role::CodeCommand),
        (Overlay::Entry { row, offset: 0 }, Pane::Log, "kubectl get pods", Role::CodeCommand),
    ] {
        let ui = UiState { overlay, ..on(pane) };
        let (buffer, _) = Shot::of(&snapshot, &ui).draw(80, 24);
        let symbols: Vec<&str> = buffer.content().iter().map(ratatui::buffer::Cell::symbol).collect();
        let wanted: Vec<String> = text.chars().map(String::from).collect();
        let at = symbols.windows(wanted.len()).position(|window| window == wanted).unwrap_or_else(|| panic!("{text}"));
        let expected = Theme::shipped("dark").unwrap().style(role).fg.unwrap_or_default();
        assert_eq!(buffer.content()[at].fg, expected, "{text} in {pane:?}");
    }
}

#[test]
fn without_colour_no_cell_has_one() {
    let snapshot = fixtures::live();
    for pane in Pane::ALL {
        let ui = on(pane);
        let (buffer, _) = Shot { theme: "mono", ..Shot::of(&snapshot, &ui) }.draw(80, 24);
        assert!(buffer.content().iter().all(|cell| cell.fg == ratatui::style::Color::Reset && cell.bg == cell.fg));
    }
}

#[test]
fn ascii_says_the_same() {
    let snapshot = fixtures::live();
    for pane in Pane::ALL {
        let ui = on(pane);
        let (buffer, _) = Shot { theme: "mono", glyphs: ASCII, ..Shot::of(&snapshot, &ui) }.draw(80, 24);
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

/// `INC-42` whose timeline has grown by so many notes, a second apart.
fn with_notes(count: i64) -> Snapshot {
    let mut snapshot = fixtures::live();
    let mut incident = fixtures::incident();
    let last = incident.timeline.last().unwrap().clone();
    incident.timeline.extend((1..=count).map(|number| {
        let text = format!("note {number}").into();
        TimelineEntry { at: last.at + number * 1_000, text, ..last.clone() }
    }));
    snapshot.incidents[0] = Arc::new(incident);
    snapshot
}

#[test]
fn a_timeline_longer_than_the_screen_begins_at_its_newest_line_and_names_the_first_symptom() {
    let (mut snapshot, mut ui) = (with_notes(30), on(Pane::Incident));
    let screen = shown(&snapshot, &ui, 80, 24);
    assert!(screen.contains("note 30 ") && !screen.contains("note 10 "), "{screen}");
    assert!(screen.contains("first symptom 14:31:52") && screen.contains("↑ 23 earlier"), "{screen}");
    snapshot = with_notes(31);
    assert!(shown(&snapshot, &ui, 80, 24).contains("note 31 "), "the newest is followed");
    let first = views::rows(Pane::Incident, &snapshot, &ui)[0].clone();
    ui.lists.insert(Pane::Incident, ListState { selected: Some(first), ..ListState::default() });
    let screen = shown(&snapshot, &ui, 80, 24);
    assert!(screen.contains("firewall rule v847") && screen.contains("↓ 24 newer"), "{screen}");
}

#[test]
fn what_an_operator_says_of_the_severity_is_the_newest_line() {
    let mut snapshot = fixtures::live();
    let request = hypocenter::engine::request::Request::SetSeverity {
        incident: IncidentId(42),
        severity: hypocenter::engine::model::IncidentSeverity::Sev2,
    };
    let changed =
        hypocenter::engine::correlate::lifecycle::apply(&fixtures::incident(), "mira", &request, fixtures::now());
    snapshot.incidents[0] = Arc::new(changed.unwrap());
    let screen = shown(&snapshot, &on(Pane::Incident), 80, 24);
    let line = screen.lines().find(|line| line.starts_with("│▶")).unwrap();
    assert!(line.contains("severity set from SEV1 to SEV2") && line.contains("mira"), "{screen}");
}

#[test]
fn rows_of_other_days_stand_in_line_with_those_of_today() {
    let mut snapshot = fixtures::live();
    let mut old = snapshot.changes[1].as_ref().clone();
    old.notice.at = old.notice.at - hypocenter::engine::clock::DAY_MS;
    snapshot.changes[1] = Arc::new(old);
    let screen = shown(&snapshot, &on(Pane::Log), 80, 24);
    let column = |what: &str| {
        screen.lines().find_map(|line| Some(line.chars().count() - line[line.find(what)?..].chars().count()))
    };
    assert!(screen.contains("11-20 13:02"), "{screen}");
    assert_eq!(column("outcome"), column("Δ change mira"), "{screen}");
}

#[test]
fn an_entry_of_the_log_is_whole_with_the_digest_of_its_step() {
    let mut snapshot = fixtures::live();
    let mut entry = snapshot.audit[1].as_ref().clone();
    entry.run = Some(RunId(3));
    entry.text = format!("$ kubectl get netpol -n prod {} (step 2 of RUN-3)", "--selector=app ".repeat(12)).into();
    snapshot.audit[1] = Arc::new(entry);
    let ui = UiState { overlay: Overlay::Entry { row: RowKey::Audit(5), offset: 0 }, ..on(Pane::Log) };
    let screen = shown(&snapshot, &ui, 80, 24);
    assert!(screen.contains("│ $ kubectl get netpol"), "{screen}");
    assert_eq!(screen.matches("--selector=app").count(), 12, "{screen}");
    for fact in [
        "2026-11-21 14:32:46Z",
        "engine",
        "INC-42  auth-api",
        "RUN-3  revert network policy",
        "3f9a",
        "Enter go to INC-42",
    ] {
        assert!(screen.contains(fact), "{fact}: {screen}");
    }
}

#[test]
fn a_note_of_several_lines_is_one_line_in_the_timeline_and_whole_in_its_box() {
    let mut snapshot = with_notes(1);
    let mut incident = snapshot.incidents[0].as_ref().clone();
    let entry = incident.timeline.last_mut().unwrap();
    (entry.text, entry.kind) = ("confirmed\nreverting now".into(), TimelineKind::Note);
    let row = RowKey::Timeline(entry.at.0, 0);
    snapshot.incidents[0] = Arc::new(incident);
    let mut ui = on(Pane::Incident);
    assert!(shown(&snapshot, &ui, 80, 24).contains("confirmed · reverting now"));
    ui.overlay = Overlay::Entry { row, offset: 0 };
    let screen = shown(&snapshot, &ui, 80, 24);
    assert!(screen.contains("│ confirmed  ") && screen.contains("│ reverting now  "), "{screen}");
}

#[test]
fn a_broken_file_is_told_with_what_would_be_right_and_where_all_of_it_is() {
    let mut snapshot = fixtures::empty();
    let problem = |line, text: &str| FileProblem {
        file: "/home/mira/a/very/long/way/down/.config/hypocenter/keymaps/mine.toml".into(),
        line,
        text: text.into(),
    };
    snapshot.file_problems = vec![
        problem(3, "there is no command `severity-upp`, nor can it be given here; did you mean `severity-up`?"),
        problem(9, "there is no layer `lsit`; did you mean `list`?"),
    ];
    let screen = shown(&snapshot, &on(Pane::Now), 80, 24);
    for part in ["△ keymaps/mine.toml:3: there", "`severity-up`?", "and 1 more", "`hypo doctor`", "8 Log"] {
        assert!(screen.contains(part), "{part}: {screen}");
    }
    let log = shown(&snapshot, &on(Pane::Log), 80, 24);
    assert!(log.contains("△ file"), "{log}");
    let ui = UiState { overlay: Overlay::Entry { row: RowKey::File(1), offset: 0 }, ..on(Pane::Log) };
    let whole = shown(&snapshot, &ui, 80, 24);
    for part in ["/home/mira/a/very/long/way", "mean `list`?", "`severity-up`?"] {
        assert!(whole.contains(part), "{part}: {whole}");
    }
}

#[test]
fn a_recording_says_so() {
    let mut snapshot = fixtures::live();
    assert!(!shown(&snapshot, &on(Pane::Now), 80, 24).contains("REPLAY"));
    for (replay, expected) in [
        (Replaying { speed: 10.0, is_over: false }, "REPLAY 10× ▏"),
        (Replaying { speed: 0.5, is_over: false }, "REPLAY 0.5× ▏"),
        (Replaying { speed: 10.0, is_over: true }, "REPLAY, at its end ▏"),
    ] {
        snapshot.replay = Some(replay);
        for width in [80, 48] {
            let screen = shown(&snapshot, &on(Pane::Now), width, 24);
            assert!(screen.lines().next().unwrap().contains(expected), "{screen}");
        }
    }
}

#[test]
fn what_matters_is_not_cut_where_there_is_little_room() {
    let mut snapshot = fixtures::proposed(false);
    snapshot.sources.clear();
    let wide = shown(&snapshot, &on(Pane::Incident), 80, 24);
    assert!(wide.contains("revert network policy (reversible, est. 45 s)"), "{wide}");
    let narrow = shown(&snapshot, &on(Pane::Incident), 40, 12);
    let line = |label: &str| narrow.lines().find(|line| line.contains(label)).unwrap().to_owned();
    for label in ["Confidence", "Impact", "Next"] {
        assert!(!line(label).contains('…'), "{narrow}");
    }
    assert!(line("Impact").contains("auth-api → 4 more"), "{narrow}");
    for (width, expected) in [(19, "needs 20x5"), (10, "needs 20x5"), (5, "20x5")] {
        assert_eq!(shown(&snapshot, &on(Pane::Now), width, 4).trim(), expected);
    }
}

#[test]
fn a_long_message_is_read_whole() {
    let mut ui = on(Pane::Runbook);
    let text =
        format!("$ kubectl rollout undo deployment/payment -n prod (step 2 of RUN-1 ({}))", "roll it back ".repeat(6));
    ui.notice = Some(Notice { text: text.clone(), is_problem: false });
    let screen = shown(&fixtures::live(), &ui, 80, 24);
    let tail: Vec<&str> = screen.lines().rev().take(2).collect();
    let said = [tail[1], tail[0]].map(|line| line.trim_matches(|c: char| "│└┘─ ".contains(c))).join(" ");
    assert_eq!(said, text);
}

#[test]
fn boxes_name_the_keys_of_the_keymap() {
    let snapshot = fixtures::live();
    let box_of = |keymap: &str, overlay: Overlay, height: u16| {
        let ui = UiState { overlay, ..on(Pane::Runbook) };
        text(&Shot { keymap, ..Shot::of(&snapshot, &ui) }.draw(80, height).0)
    };
    let note = || Overlay::Note { incident: IncidentId(42), what: Written::Note };
    let confirm = || {
        let heading = "This ends the run";
        Overlay::Confirm(Confirmation { heading, question: "Stop RUN-3?".to_owned(), ..Confirmation::default() })
    };
    let palette = || Overlay::Palette { input: String::new(), selected: 0 };
    let why = || Overlay::Why { anomaly: AnomalyId(7), offset: 0 };
    for (keymap, overlay, expected) in [
        ("default", note(), "Ctrl-d save  Enter new line  Esc keep as a draft"),
        ("vim", note(), "Ctrl-d save  Enter new line  Esc keep as a draft"),
        ("emacs", note(), "Ctrl-x Ctrl-w save  Enter new line  Ctrl-g keep as a draft"),
        ("default", confirm(), "y do it  n leave it"),
        ("emacs", confirm(), "y do it  Ctrl-g leave it"),
        ("default", palette(), "Enter do it  Up up  Down down  Esc back"),
        ("emacs", palette(), "Enter do it  Up up  Down down  Ctrl-g back"),
        ("default", why(), "└ Enter go to INC-42  Esc back"),
        ("emacs", why(), "└ Ctrl-f go to INC-42  Esc back"),
        ("emacs", Overlay::Help { selected: 0 }, "Ctrl-n down  Ctrl-p up  Ctrl-f do it  Esc back"),
    ] {
        let screen = box_of(keymap, overlay, 24);
        assert!(screen.contains(expected), "{keymap}: {expected}\n{screen}");
    }
    for (keymap, expected) in [
        ("default", "Write a note: Ctrl-d saves it, Enter: new line"),
        ("emacs", "Write a note: Ctrl-x Ctrl-w saves it, Enter: new line"),
    ] {
        let screen = box_of(keymap, Overlay::Help { selected: 0 }, 48);
        assert!(screen.contains(expected), "{keymap}: {expected}\n{screen}");
    }
    // What moves is named where there is more than fits.
    for (keymap, expected) in [
        ("default", "└ j down  k up  Enter go to INC-42  Esc back"),
        ("vim", "└ Ctrl-e down  Ctrl-y up  Enter go to INC-42  Esc back"),
        ("emacs", "└ Ctrl-n down  Ctrl-p up  Ctrl-f go to INC-42  Esc back"),
    ] {
        let screen = box_of(keymap, why(), 14);
        assert!(screen.contains(expected), "{keymap}: {expected}\n{screen}");
    }
}

#[test]
fn a_runbook_that_cannot_be_filled_in_says_what_it_needs() {
    let title = "Revert a network policy";
    let reason = "fits but needs `policy`: there is no cause.change.version";
    let misfit = Misfit { runbook: "revert".into(), title: title.into(), reason: reason.into() };
    let ui = on(Pane::Runbook);
    let with = |mut snapshot: Snapshot| {
        snapshot.misfits.insert(IncidentId(42), vec![misfit.clone()]);
        snapshot
    };
    let mut none_fits = fixtures::proposed(false);
    none_fits.proposals.clear();
    assert!(shown(&none_fits, &ui, 80, 24).contains("No runbook fits this cause"));
    let none_fits = with(none_fits);
    let screen = shown(&none_fits, &ui, 80, 24);
    assert!(screen.contains(title) && screen.contains(reason), "{screen}");
    assert!(!screen.contains("No runbook fits"), "{screen}");
    assert_eq!(views::rows(Pane::Runbook, &none_fits, &ui), [], "it cannot be started, so it cannot be selected");

    let screen = shown(&with(fixtures::proposed(false)), &ui, 80, 24);
    assert!(screen.find("Runbooks that fit, best first") < screen.find(title), "{screen}");
    assert!(screen.contains(reason), "{screen}");
    let screen = shown(&with(fixtures::live()), &ui, 80, 24);
    assert!(!screen.contains(title), "a run that is under way is not talked over: {screen}");
}

#[test]
fn a_lone_alert_is_counted_and_listed_and_takes_no_selection() {
    let with = |mut snapshot: Snapshot, change: &dyn Fn(&mut Alert)| {
        let mut alert = fixtures::alert("CertificateExpiresSoon", "web", Severity::Warning);
        change(&mut alert);
        snapshot.alerts = vec![Arc::new(alert)];
        snapshot
    };
    let ui = on(Pane::Now);
    let quiet = shown(&fixtures::empty(), &ui, 80, 24);
    assert!(quiet.contains("All quiet"), "{quiet}");
    let lone = shown(&with(fixtures::empty(), &|_| ()), &ui, 80, 24);
    assert!(lone.contains("No incident, 1 alert fires") && !lone.contains("All quiet"), "{lone}");
    assert!(lone.contains("web CertificateExpiresSoon") && lone.contains("the certificate ends in 9 days"), "{lone}");
    for (why, change) in [
        ("resolved", &(|alert: &mut Alert| alert.notice.state = AlertState::Resolved) as &dyn Fn(&mut Alert)),
        ("muted", &|alert| alert.suppressed = Some(SuppressionReason::MutedAtSource { by: "silence 7".into() })),
    ] {
        assert_eq!(shown(&with(fixtures::empty(), change), &ui, 80, 24), quiet, "{why}");
    }
    let live = fixtures::live();
    let beside = with(fixtures::live(), &|_| ());
    assert!(shown(&beside, &ui, 80, 24).contains("CertificateExpiresSoon"));
    assert_eq!(views::rows(Pane::Now, &beside, &ui), views::rows(Pane::Now, &live, &ui));
    let folded = with(live, &|alert| alert.incident = Some(IncidentId(42)));
    assert!(!shown(&folded, &ui, 80, 24).contains("CertificateExpiresSoon"));
}

#[test]
fn the_figure_of_a_recovery_shows_the_recovery_and_that_of_the_onset_the_onset() {
    let mut snapshot = fixtures::live();
    let position = snapshot.anomalies.iter().position(|anomaly| anomaly.id == AnomalyId(7)).unwrap();
    let mut anomaly = snapshot.anomalies[position].as_ref().clone();
    anomaly.at_onset = vec![0.0, 0.0, 8.0];
    anomaly.recent = vec![8.0, 0.0, 0.0];
    snapshot.anomalies[position] = Arc::new(anomaly);
    let mut incident = fixtures::incident();
    let onset = incident.timeline.iter().find(|entry| entry.anomaly == Some(AnomalyId(7))).unwrap().clone();
    let recovery = TimelineEntry { kind: TimelineKind::Recovery, text: "it is back to normal".into(), ..onset };
    incident.timeline.push(recovery);
    snapshot.incidents[0] = Arc::new(incident);
    let screen = shown(&snapshot, &on(Pane::Incident), 80, 24);
    let figure = |of: &str| screen.lines().find(|line| line.contains(of)).unwrap().to_owned();
    assert!(figure("✓ recovery").contains("█▁▁"), "{screen}");
    assert!(figure("● anomaly").contains("▁▁█"), "{screen}");
}
