//! The queue of patches: by what it is grouped.

use super::settle_selection;
use crate::app::state::AppState;
use crate::engine::snapshot::patches::Grouping;

/// Goes on to the next grouping; the rows are others then, so the mark begins at the first.
pub(super) fn group(state: &mut AppState) {
    let at = Grouping::ALL.iter().position(|by| *by == state.ui.patch_grouping).unwrap_or(0);
    state.ui.patch_grouping = Grouping::ALL.get((at + 1) % Grouping::ALL.len()).copied().unwrap_or_default();
    let list = state.list_mut();
    (list.selected, list.last_index, list.offset) = (None, 0, 0);
    settle_selection(state);
    state.say(format!("grouped by {}", state.ui.patch_grouping.word()));
}
