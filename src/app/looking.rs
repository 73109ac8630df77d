//! What is on the screen, as others are told of it.

use std::sync::Arc;

use super::picture;
use super::state::AppState;
use crate::engine::model::IncidentId;
use crate::views::ui_state::Pane;

/// The incident that is read, and the pane by its name.
#[must_use]
pub fn looked_at(state: &AppState) -> (Option<IncidentId>, Arc<str>) {
    let is_of_incident = matches!(state.ui.pane, Pane::Incident | Pane::Chain | Pane::Runbook);
    let incident = is_of_incident.then(|| picture::incident(&state.snapshot, &state.ui)).flatten();
    (incident.map(|incident| incident.id), Arc::from(state.ui.pane.title()))
}
