//! Pixels only: pure functions of a [`context::ViewContext`].
//!
//! [`draw`] paints the whole screen; [`rows`] and [`hit`] tell the console what stands where, from the same lists and the
//! same rectangles. A pane is one file: `entries` (its lines in order), `title`, `draw`.

pub mod chain;
pub mod context;
pub mod focus;
pub mod list;
pub mod suggestions;
pub mod talk;
pub mod text;
pub mod theme;
pub mod ui_state;

mod anomalies;
mod anomaly_text;
mod ask;
mod away;
mod banner;
mod calendar;
mod canvas;
mod chart;
mod code;
mod destinations;
mod entry;
mod evidence;
mod footer;
mod habits;
mod incident;
mod layout;
mod log;
mod model_text;
mod now;
mod overlay;
mod patch_asides;
mod patch_detail;
mod patch_text;
mod patch_views;
mod patches;
pub mod people;
mod policy;
mod question;
mod rollout_board;
mod rollout_detail;
mod rollout_text;
mod rollouts;
mod runbook;
mod sources;
mod status_bar;
mod step_facts;
mod step_output;
mod tabs;
mod unsent;
mod updates;
mod why;
mod writing;

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::Span;

use self::canvas::{Canvas, Pen};
use self::context::ViewContext;
use self::list::{Filter, Window};
use self::overlay::Extent;
use self::theme::Role;
use self::ui_state::{Pane, RowKey, UiState};
use crate::engine::clock::Timestamp;
use crate::engine::model::Anomaly;
use crate::engine::snapshot::Snapshot;
use crate::engine::snapshot::rollout::KeptRollout;

/// What the console has to know of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drawn {
    /// Where the terminal's cursor stands: on the selected row, or in the text being typed.
    pub cursor: Option<Position>,
    /// First line of the list on the screen: to be kept in `ListState::offset`, so that the list scrolls only at its edges.
    pub offset: usize,
    /// Lines of the list that fit: what a page is.
    pub page_rows: usize,
    /// First line of the open overlay beyond which scrolling shows nothing more.
    pub overlay_offset_max: usize,
    /// True where a question was asked and all of it, the command included, is on the screen.
    pub is_question_whole: bool,
}

/// What is under a click.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hit {
    /// The name of a pane.
    Tab(Pane),
    /// The word in the tab line that tells the key of help.
    Help,
    /// A row of the pane's list.
    Row(RowKey),
}

/// Paints the screen and puts the terminal's cursor on the selected row.
pub fn draw(frame: &mut Frame<'_>, ctx: &ViewContext<'_>) -> Drawn {
    let area = frame.area();
    let drawn = paint(frame.buffer_mut(), area, ctx);
    if let Some(cursor) = drawn.cursor {
        frame.set_cursor_position(cursor);
    }
    drawn
}

fn paint(buffer: &mut ratatui::buffer::Buffer, area: Rect, ctx: &ViewContext<'_>) -> Drawn {
    let mut canvas = Canvas::new(buffer, Pen { theme: ctx.theme, glyphs: ctx.glyphs });
    let Some(screen) = layout::screen(area) else {
        let size = format!("{}x{}", layout::WIDTH_MIN, layout::HEIGHT_MIN);
        let choices = [format!("too small: needs {size}"), format!("needs {size}"), size];
        let line = canvas.pen.plain(&text::fitting(choices, usize::from(area.width), ctx.glyphs));
        canvas.line(area, 0, line);
        return Drawn::default();
    };
    status_bar::draw(&mut canvas, screen.status, ctx);
    tabs::draw(&mut canvas, screen.tabs, ctx);
    let (left, right) = title(canvas.pen, ctx);
    canvas.sides(screen.body);
    canvas.rule(screen.body, 0, ("┌", "┐"), left, right);
    let banner = banner::lines(canvas.pen, ctx, usize::from(screen.inner.width));
    let (top, inner) = banner_split(screen.inner, banner.len());
    for (row, line) in (0..top.height).zip(banner) {
        canvas.line(top, row, line);
    }
    let window = draw_pane(&mut canvas, inner, ctx);
    footer::draw(&mut canvas, screen.footer, ctx);
    let Extent { offset_max, is_question_whole } = overlay::draw(&mut canvas, screen.body.union(screen.footer), ctx);
    Drawn {
        cursor: canvas.cursor,
        offset: window.offset,
        page_rows: usize::from(list_area(inner, ctx).height),
        overlay_offset_max: offset_max,
        is_question_whole,
    }
}

/// The banner's rows and the pane's; a pane is never crowded out.
fn banner_split(inner: Rect, banner_rows: usize) -> (Rect, Rect) {
    let rows_max = inner.height / 4;
    layout::split_top(inner, rows_max.min(u16::try_from(banner_rows).unwrap_or(u16::MAX)))
}

fn title(pen: Pen<'_>, ctx: &ViewContext<'_>) -> (Vec<Span<'static>>, Vec<Span<'static>>) {
    let (mut left, right) = match ctx.ui.pane {
        Pane::Anomalies => anomalies::title(pen, ctx),
        Pane::Incident => incident::title(pen, ctx),
        Pane::Runbook => runbook::title(pen, ctx),
        Pane::Patches => patch_views::title(pen, ctx),
        Pane::Ask => ask::title(pen, ctx),
        Pane::Log => log::title(pen, ctx),
        pane @ (Pane::Now | Pane::Chain) => (vec![pen.span(Role::PaneTitle, pane.title())], Vec::new()),
    };
    let filter = ctx.ui.list().filter;
    if !filter.trim().is_empty() {
        left.push(pen.span(Role::Key, &format!("  /{filter}")));
    }
    (left, right)
}

fn draw_pane(canvas: &mut Canvas<'_>, inner: Rect, ctx: &ViewContext<'_>) -> Window {
    match ctx.ui.pane {
        Pane::Anomalies => anomalies::draw(canvas, inner, ctx),
        Pane::Incident => incident::draw(canvas, inner, ctx),
        Pane::Chain => chain::draw(canvas, inner, ctx),
        Pane::Runbook => runbook::draw(canvas, inner, ctx),
        Pane::Patches => patch_views::draw(canvas, inner, ctx),
        Pane::Ask => ask::draw(canvas, inner, ctx),
        Pane::Log => log::draw(canvas, inner, ctx),
        Pane::Now => now::draw(canvas, inner, ctx),
    }
}

/// Where the list of the pane on the screen is, within the pane's inner area.
fn list_area(inner: Rect, ctx: &ViewContext<'_>) -> Rect {
    match ctx.ui.pane {
        Pane::Anomalies => anomalies::list_area(inner),
        Pane::Incident => incident::list_area(inner, ctx),
        Pane::Chain => chain::list_area(inner, ctx),
        Pane::Runbook => runbook::laid_out(inner, ctx).list,
        Pane::Patches => patch_views::list_area(inner, ctx),
        Pane::Ask => ask::laid_out(inner, ctx).list,
        Pane::Log => inner,
        Pane::Now => now::list_area(inner),
    }
}

/// The lines of a pane's list in order; `None` for those that cannot be selected.
fn keys(pane: Pane, snapshot: &Snapshot, ui: &UiState) -> Vec<Option<RowKey>> {
    fn of<T>(entries: Vec<list::Entry<T>>) -> Vec<Option<RowKey>> {
        entries.into_iter().map(|entry| entry.key).collect()
    }
    match pane {
        Pane::Anomalies => of(anomalies::entries(snapshot, ui)),
        Pane::Incident => of(incident::entries(snapshot, ui)),
        Pane::Chain => of(chain::entries(snapshot, ui)),
        Pane::Runbook => of(runbook::entries(snapshot, ui, 0)),
        Pane::Patches => patch_views::keys(snapshot, ui),
        Pane::Ask => of(ask::entries(snapshot, ui)),
        Pane::Log => of(log::entries(snapshot, ui)),
        Pane::Now => of(now::entries(snapshot, ui)),
    }
}

/// The rows of a pane's list in order, with its filter applied.
#[must_use]
pub fn rows(pane: Pane, snapshot: &Snapshot, ui: &UiState) -> Vec<RowKey> {
    keys(pane, snapshot, ui).into_iter().flatten().collect()
}

/// The value of an anomaly and what was expected, as they are shown.
#[must_use]
pub fn figures(anomaly: &Anomaly) -> (String, String) {
    (anomaly_text::value(anomaly), anomaly_text::expected(anomaly))
}

/// The row that a pane's mark is on until it is moved; `None` where that is the list's own affair.
#[must_use]
pub fn home(pane: Pane, snapshot: &Snapshot, ui: &UiState) -> Option<RowKey> {
    match pane {
        Pane::Chain => chain::home(snapshot, ui),
        Pane::Runbook => runbook::home(snapshot, ui),
        _ => None,
    }
}

/// A rollout in words: where it stands, and what holds it or why it stands there.
#[must_use]
pub fn rollout_words(kept: &KeptRollout, now: Timestamp) -> (&'static str, Option<String>) {
    let (_, _, word) = rollout_text::state(&kept.rollout);
    (word, rollout_text::held_by(kept, now).or_else(|| rollout_text::why(&kept.rollout)))
}

/// A target of a rollout in words: where it stands, and what holds it or why it stands there.
#[must_use]
pub fn target_words(kept: &KeptRollout, target: &str, now: Timestamp) -> Option<(&'static str, String)> {
    let record = kept.rollout.targets.get(target)?;
    Some((record.state.word(), rollout_text::of_target(&kept.rollout, target, record, now)))
}

/// The incident that an entry of the audit log is about, with the run it names.
pub use entry::incident_of;

/// True where text passes a filter: it holds every word, in any order and case, and none that follows a `!`.
#[must_use]
pub fn filter_matches(filter: &str, text: &str) -> bool {
    Filter::new(filter).matches(&[text])
}

/// What is at a column and row of the screen.
#[must_use]
pub fn hit(area: Rect, ctx: &ViewContext<'_>, column: u16, row: u16) -> Option<Hit> {
    let screen = layout::screen(area)?;
    let at = Position { x: column, y: row };
    if screen.tabs.contains(at) {
        let help = || tabs::help_area(screen.tabs).filter(|help| help.contains(at)).map(|_| Hit::Help);
        return tabs::at(screen.tabs, column).map(Hit::Tab).or_else(help);
    }
    let pen = Pen { theme: ctx.theme, glyphs: ctx.glyphs };
    let banner = banner::lines(pen, ctx, usize::from(screen.inner.width));
    let list = list_area(banner_split(screen.inner, banner.len()).1, ctx);
    if !list.contains(at) {
        return None;
    }
    let (keys, state) = if ctx.ui.pane == Pane::Patches {
        patch_views::on_screen(banner_split(screen.inner, banner.len()).1, ctx)
    } else if ctx.ui.pane == Pane::Runbook {
        let laid_out = runbook::laid_out(banner_split(screen.inner, banner.len()).1, ctx);
        (laid_out.entries.into_iter().map(|entry| entry.key).collect(), laid_out.state)
    } else if ctx.ui.pane == Pane::Ask {
        let laid_out = ask::laid_out(banner_split(screen.inner, banner.len()).1, ctx);
        (laid_out.entries.into_iter().map(|entry| entry.key).collect(), laid_out.state)
    } else {
        (keys(ctx.ui.pane, ctx.snapshot, ctx.ui), ctx.ui.list())
    };
    let window = list::window(&keys.iter().map(Option::as_ref), &state, usize::from(list.height));
    keys.into_iter().nth(window.offset + usize::from(row - list.y)).flatten().map(Hit::Row)
}
