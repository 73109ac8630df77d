//! What the core asks of the views: which rows there are and what is in focus.

use std::sync::Arc;

use crate::engine::model::{Incident, Run, ServiceName};
use crate::engine::snapshot::Snapshot;
use crate::views::ui_state::{Pane, RowKey, UiState};

/// The incident in focus.
pub fn incident<'s>(snapshot: &'s Snapshot, ui: &UiState) -> Option<&'s Arc<Incident>> {
    let chosen = ui.incident.and_then(|id| snapshot.incident(id));
    chosen.or_else(|| snapshot.incidents.iter().find(|incident| incident.state.is_live()))
}

/// The run in focus.
pub fn run<'s>(snapshot: &'s Snapshot, ui: &UiState) -> Option<&'s Arc<Run>> {
    let incident = incident(snapshot, ui)?;
    let chosen = ui.run.and_then(|id| snapshot.runs.iter().find(|run| run.id == id && run.incident == incident.id));
    chosen.or_else(|| snapshot.latest_run(incident.id))
}

/// The rows of a pane's list.
pub fn rows(pane: Pane, snapshot: &Snapshot, ui: &UiState) -> Vec<RowKey> {
    let of_incident = incident(snapshot, ui);
    match pane {
        Pane::Now => snapshot.incidents.iter().map(|incident| RowKey::Incident(incident.id)).collect(),
        Pane::Anomalies => snapshot.anomalies.iter().map(|anomaly| RowKey::Anomaly(anomaly.id)).collect(),
        Pane::Incident => of_incident
            .map(|incident| incident.timeline.iter().map(|entry| RowKey::Timeline(entry.at.0, 0)).collect())
            .unwrap_or_default(),
        Pane::Chain => snapshot.topology.services().into_iter().map(RowKey::Service).collect(),
        Pane::Runbook => match run(snapshot, ui) {
            Some(run) => (0..run.steps.len()).map(RowKey::Step).collect(),
            None => of_incident
                .and_then(|incident| snapshot.proposals.get(&incident.id))
                .map(|all| all.iter().map(|one| RowKey::Proposal(Arc::clone(&one.runbook.id))).collect())
                .unwrap_or_default(),
        },
        Pane::Log => snapshot.audit.iter().map(|entry| RowKey::Audit(entry.sequence)).collect(),
    }
}

/// The service beside `from`.
pub fn neighbour(snapshot: &Snapshot, from: &ServiceName, is_along: bool) -> Option<ServiceName> {
    if is_along {
        snapshot.topology.callees(from).next().map(|(service, _)| service.clone())
    } else {
        snapshot.topology.callers(from).next().cloned()
    }
}
