//! What the mouse did, in terms of what is on the screen.

use crossterm::event::{MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use super::message::Click;
use crate::views::context::ViewContext;
use crate::views::{self, Hit};

/// Rows that one notch of the wheel moves.
const WHEEL_ROWS: isize = 3;

/// What an event of the mouse means on a screen that shows this; `None` where it means nothing.
#[must_use]
pub fn click(mouse: MouseEvent, area: Rect, ctx: &ViewContext<'_>) -> Option<Click> {
    match mouse.kind {
        MouseEventKind::ScrollDown => Some(Click::Wheel(WHEEL_ROWS)),
        MouseEventKind::ScrollUp => Some(Click::Wheel(-WHEEL_ROWS)),
        MouseEventKind::Down(_) => match views::hit(area, ctx, mouse.column, mouse.row)? {
            Hit::Tab(pane) => Some(Click::Pane(pane)),
            Hit::Help => Some(Click::Help),
            Hit::Row(row) => Some(Click::Row(row)),
        },
        _ => None,
    }
}
