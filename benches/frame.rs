//! Time from a picture to a frame at 200x60 with ten thousand anomalies, pane by pane: `cargo bench --bench frame`.

#[path = "../tests/suite/fixtures.rs"]
#[expect(dead_code, reason = "the pictures are shared with the suite, which uses all of them")]
mod fixtures;

use hypocenter::views;
use hypocenter::views::context::{Glyphs, ViewContext};
use hypocenter::views::theme::Theme;
use hypocenter::views::ui_state::{ListState, Pane, UiState};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

fn main() {
    divan::main();
}

fn bench_frame(bencher: divan::Bencher<'_, '_>, pane: Pane, filter: &str) {
    let (snapshot, theme) = (fixtures::storm(), Theme::default());
    let mut ui = UiState { pane, ..UiState::default() };
    ui.lists.insert(pane, ListState { filter: filter.to_owned(), ..ListState::default() });
    let mut terminal = Terminal::new(TestBackend::new(200, 60)).expect("a backend in memory has no errors");
    bencher.bench_local(|| {
        let context = ViewContext {
            snapshot: &snapshot,
            ui: &ui,
            theme: &theme,
            glyphs: Glyphs::default(),
            hints: &[],
            palette: &[],
            note: None,
            now: fixtures::now(),
        };
        let mut drawn = views::Drawn::default();
        terminal.draw(|frame| drawn = views::draw(frame, &context)).expect("a backend in memory has no errors");
        drawn
    });
}

#[divan::bench(args = Pane::ALL)]
fn storm(bencher: divan::Bencher<'_, '_>, pane: Pane) {
    bench_frame(bencher, pane, "");
}

#[divan::bench(args = ["service-042", "!10.0.3 error crit"])]
fn storm_filtered(bencher: divan::Bencher<'_, '_>, filter: &str) {
    bench_frame(bencher, Pane::Anomalies, filter);
}
