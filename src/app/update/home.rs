//! The mark of Chain and Runbook: on where the failure starts and on the step that is next, until it is moved away.

use crate::app::picture;
use crate::app::state::AppState;
use crate::engine::model::RunId;
use crate::views::ui_state::{ListState, Pane, RowKey};

const PANES: [Pane; 2] = [Pane::Chain, Pane::Runbook];

/// Where the marks belong in a picture.
pub(super) struct Homes {
    rows: [Option<RowKey>; 2],
    run: Option<RunId>,
}

/// Where the marks belong now.
pub(super) fn of(state: &AppState) -> Homes {
    let rows = PANES.map(|pane| picture::home(pane, &state.snapshot, &state.ui));
    Homes { rows, run: state.run().map(|run| run.id) }
}

/// After a new picture: a mark that was not moved goes where it belongs now, and a new run takes it back.
pub(super) fn follow(state: &mut AppState, before: &Homes) {
    let after = of(state);
    for ((pane, old), new) in PANES.into_iter().zip(&before.rows).zip(after.rows) {
        let selected = state.ui.lists.get(&pane).and_then(|list| list.selected.as_ref());
        let is_other_run = pane == Pane::Runbook && before.run != after.run;
        if selected.is_none() || selected == old.as_ref() || is_other_run {
            select(state, pane, new);
        }
    }
}

/// On coming to a pane: a mark that is nowhere goes where it belongs.
pub(super) fn settle(state: &mut AppState) {
    for (pane, row) in PANES.into_iter().zip(of(state).rows) {
        if state.ui.lists.get(&pane).is_none_or(|list| list.selected.is_none()) {
            select(state, pane, row);
        }
    }
}

/// Lets the marks belong to another incident or run.
pub(super) fn forget(state: &mut AppState) {
    for pane in PANES {
        if let Some(list) = state.ui.lists.get_mut(&pane) {
            *list = ListState { filter: std::mem::take(&mut list.filter), ..ListState::default() };
        }
    }
}

fn select(state: &mut AppState, pane: Pane, row: Option<RowKey>) {
    let rows = picture::rows(pane, &state.snapshot, &state.ui);
    if let Some(index) = row.as_ref().and_then(|row| rows.iter().position(|known| known == row)) {
        let list = state.ui.lists.entry(pane).or_default();
        (list.selected, list.last_index) = (row, index);
    }
}
