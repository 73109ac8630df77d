//! The tab line: the panes with the keys that lead to them.

use ratatui::layout::Rect;

use super::canvas::Canvas;
use super::context::ViewContext;
use super::text;
use super::theme::Role;
use super::ui_state::Pane;

/// Draws the tab line.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, ctx: &ViewContext<'_>) {
    for (pane, part, label) in parts(area) {
        let role = if pane == ctx.ui.pane { Role::TabActive } else { Role::Tab };
        let span = canvas.pen.span(role, &label);
        canvas.line(part, 0, span);
    }
    let help = canvas.pen.span(Role::TextMuted, "? help");
    if let Some(area) = help_area(area) {
        canvas.line(area, 0, help);
    }
}

/// Where the key of help is told, if there is room for it.
pub fn help_area(area: Rect) -> Option<Rect> {
    let (end, width) = (parts(area).last().map_or(area.x, |(_, part, _)| part.right()), 7);
    (end + width <= area.right()).then(|| Rect { x: area.right() - width, width, ..area })
}

/// The pane whose name is at this column.
pub fn at(area: Rect, column: u16) -> Option<Pane> {
    parts(area).find(|(_, part, _)| (part.x..part.right()).contains(&column)).map(|(pane, ..)| pane)
}

/// Each pane's part of the line with its label; on a narrow screen the names give way to the numbers.
fn parts(area: Rect) -> impl Iterator<Item = (Pane, Rect, String)> {
    let long = |index: usize, pane: Pane| format!(" {} {} ", index + 1, pane.title());
    let total: usize = Pane::ALL.iter().enumerate().map(|(index, pane)| text::width(&long(index, *pane))).sum();
    let is_long = total <= usize::from(area.width);
    Pane::ALL.into_iter().enumerate().scan(area.x, move |x, (index, pane)| {
        let label = if is_long { long(index, pane) } else { format!(" {} ", index + 1) };
        let width = u16::try_from(text::width(&label)).unwrap_or(u16::MAX);
        let part = Rect { x: *x, width, ..area };
        *x = x.saturating_add(width);
        Some((pane, part, label))
    })
}
