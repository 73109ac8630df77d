//! The views of the pane Patches: the queue, the rollouts, the board of one, the calendar. One is on the screen.

use ratatui::layout::Rect;
use ratatui::text::Span;

use super::calendar;
use super::canvas::{Canvas, Pen};
use super::context::ViewContext;
use super::list::{self, Entry, Window};
use super::patches;
use super::rollout_board;
use super::rollouts;
use super::theme::Role;
use super::ui_state::{ListState, PatchView, RowKey, UiState};
use crate::engine::snapshot::Snapshot;

/// The pane's title: which of the views it is, and how much it shows.
pub fn title(pen: Pen<'_>, ctx: &ViewContext<'_>) -> (Vec<Span<'static>>, Vec<Span<'static>>) {
    let mut left = vec![pen.span(Role::PaneTitle, "Patches")];
    match ctx.ui.patch_view {
        PatchView::Queue => return patches::title(pen, ctx),
        PatchView::Rollouts => {
            let count = ctx.snapshot.rollouts.len();
            let told = if count == 0 { String::new() } else { format!(" · {count}") };
            left.push(pen.plain(&format!("  rollouts{told}")));
        }
        PatchView::Board(id) => left.extend(rollout_board::title(pen, ctx, id)),
        PatchView::Calendar => left.push(pen.plain("  calendar")),
    }
    (left, Vec::new())
}

/// Draws the view.
pub fn draw(canvas: &mut Canvas<'_>, inner: Rect, ctx: &ViewContext<'_>) -> Window {
    match ctx.ui.patch_view {
        PatchView::Queue => patches::draw(canvas, inner, ctx),
        PatchView::Rollouts => rollouts::draw(canvas, inner, ctx),
        PatchView::Board(id) => rollout_board::draw(canvas, inner, ctx, id),
        PatchView::Calendar => calendar::draw(canvas, inner, ctx),
    }
}

/// Where the view's rows are.
pub fn list_area(inner: Rect, ctx: &ViewContext<'_>) -> Rect {
    match ctx.ui.patch_view {
        PatchView::Queue => patches::list_area(inner, ctx),
        PatchView::Rollouts => rollouts::list_area(inner),
        PatchView::Board(id) => rollout_board::list_area(inner, ctx, id),
        PatchView::Calendar => calendar::list_area(inner),
    }
}

/// The lines of the view's list in order; `None` for those that cannot be selected.
pub fn keys(snapshot: &Snapshot, ui: &UiState) -> Vec<Option<RowKey>> {
    fn of<T>(entries: Vec<Entry<T>>) -> Vec<Option<RowKey>> {
        entries.into_iter().map(|entry| entry.key).collect()
    }
    match ui.patch_view {
        PatchView::Queue => of(patches::entries(snapshot, ui)),
        PatchView::Rollouts => of(rollouts::entries(snapshot, ui)),
        PatchView::Board(id) => of(rollout_board::entries(snapshot, ui, id)),
        PatchView::Calendar => of(calendar::entries(snapshot, ui)),
    }
}

/// The lines as they stand on the screen, where one of the list may take several, and how far they are scrolled.
pub fn on_screen(inner: Rect, ctx: &ViewContext<'_>) -> (Vec<Option<RowKey>>, ListState) {
    let height = usize::from(list_area(inner, ctx).height);
    let keys = match ctx.ui.patch_view {
        PatchView::Board(id) => rollout_board::keys(inner, ctx, id),
        _ => keys(ctx.snapshot, ctx.ui),
    };
    if ctx.ui.patch_view == PatchView::Queue {
        return (keys, ctx.ui.list());
    }
    let entries: Vec<Entry<()>> = keys.into_iter().map(|key| Entry::keyed(key, ())).collect();
    let state = list::with_whole_selection(&entries, ctx.ui.list(), height);
    (entries.into_iter().map(|entry| entry.key).collect(), state)
}
