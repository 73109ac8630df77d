//! Clicks and the wheel. A click selects or goes in; it never acts on an incident or the systems.

use super::{give, moving, panes};
use crate::app::commands::Command;
use crate::app::effect::Effect;
use crate::app::message::Click;
use crate::app::state::AppState;
use crate::engine::clock::Timestamp;
use crate::views::ui_state::Overlay;

pub(super) fn click(state: &mut AppState, click: Click, now: Timestamp) -> Vec<Effect> {
    if state.is_typing() || matches!(state.ui.overlay, Overlay::Confirm(_)) {
        return Vec::new();
    }
    state.ui.notice = None;
    match click {
        Click::Pane(pane) => panes::go(state, pane),
        Click::Help => return give(state, Command::Help, now),
        Click::Wheel(rows) => moving::by(state, rows),
        Click::Row(row) if state.ui.overlay == Overlay::None => {
            let is_again = state.ui.list().selected.as_ref() == Some(&row);
            let Some(index) = state.rows().iter().position(|known| *known == row) else { return Vec::new() };
            state.select(index, row);
            if is_again {
                return give(state, Command::Open, now);
            }
        }
        Click::Row(_) => {}
    }
    Vec::new()
}
