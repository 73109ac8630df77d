//! What the panes speak of: the incident and the run in focus, and whether what is shown can still be trusted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ui_state::{Pane, PatchView, UiState};
use crate::engine::clock::Timestamp;
use crate::engine::model::{
    Anomaly, AnomalyId, AnomalyState, Incident, IncidentId, Proposal, Run, RunId, SourceKind, SourceReport, SourceState,
};
use crate::engine::snapshot::Snapshot;
use crate::engine::snapshot::rollout::KeptRollout;

/// The incident that Incident, Chain and Runbook speak of: the chosen one, else the worst live one.
#[must_use]
pub fn incident<'s>(snapshot: &'s Snapshot, ui: &UiState) -> Option<&'s Arc<Incident>> {
    let chosen = ui.incident.and_then(|id| snapshot.incident(id));
    chosen.or_else(|| snapshot.incidents.iter().find(|incident| incident.state.is_live()))
}

/// The run that Runbook shows: the chosen one, where it is of the incident in focus, else the incident's newest.
#[must_use]
pub fn run<'s>(snapshot: &'s Snapshot, ui: &UiState) -> Option<&'s Arc<Run>> {
    let incident = incident(snapshot, ui)?;
    let chosen =
        ui.run.and_then(|id| snapshot.runs.iter().find(|run| run.id == id && run.incident() == Some(incident.id)));
    chosen.or_else(|| snapshot.latest_run(incident.id))
}

/// The rollout whose board is on the screen.
#[must_use]
pub fn rollout<'s>(snapshot: &'s Snapshot, ui: &UiState) -> Option<&'s Arc<KeptRollout>> {
    let PatchView::Board(id) = ui.patch_view else { return None };
    let kept = snapshot.rollouts.iter().find(|kept| kept.rollout.id == id);
    kept.filter(|_| ui.pane == Pane::Patches)
}

/// The runbooks that fit an incident, best first; those that already ran for it come last, each with its newest run.
#[must_use]
pub fn proposals(snapshot: &Snapshot, incident: IncidentId) -> Vec<(&Arc<Proposal>, Option<RunId>)> {
    let ran_as = |proposal: &Proposal| {
        let runs = snapshot
            .runs
            .iter()
            .filter(|run| run.incident() == Some(incident) && run.runbook.id == proposal.runbook.id);
        runs.map(|run| run.id).max()
    };
    let all = snapshot.proposals.get(&incident).into_iter().flatten();
    let mut proposals: Vec<_> = all.map(|proposal| (proposal, ran_as(proposal))).collect();
    proposals.sort_by_key(|(_, ran_as)| ran_as.is_some());
    proposals
}

/// True where a source gives samples of metrics.
#[must_use]
pub fn is_metric_source(source: &SourceReport) -> bool {
    matches!(source.kind, SourceKind::Prometheus | SourceKind::Host | SourceKind::Demo | SourceKind::Recording)
}

/// Sources that do not answer, with since when and why.
pub fn down(snapshot: &Snapshot) -> impl Iterator<Item = (&SourceReport, Timestamp, &str)> {
    snapshot.sources.iter().filter_map(|source| match &source.state {
        SourceState::Down { reason, since, .. } => Some((source.as_ref(), *since, reason.as_ref())),
        _ => None,
    })
}

/// True where an active anomaly has not been heard of since a source of metrics went down: its value may be old.
#[must_use]
pub fn is_stale(snapshot: &Snapshot, anomaly: &Anomaly) -> bool {
    anomaly.state != AnomalyState::Ended
        && down(snapshot).any(|(source, since, _)| is_metric_source(source) && anomaly.last_seen_at <= since)
}

/// Chunks of history read and in all, over every source that still reads; `None` where none does.
#[must_use]
pub fn backfill(snapshot: &Snapshot) -> Option<(u64, u64)> {
    let mut sum = None;
    for source in &snapshot.sources {
        if let SourceState::Backfilling { done, total } = source.state {
            let (all_done, all_total) = sum.unwrap_or((0, 0));
            sum = Some((all_done + u64::from(done), all_total + u64::from(total)));
        }
    }
    sum
}

/// True before any source has given anything.
#[must_use]
pub fn is_waiting(snapshot: &Snapshot) -> bool {
    snapshot.counts.sample_count == 0 && snapshot.sources.iter().all(|source| source.last_ok_at.is_none())
}

/// The anomalies with these ids, found in one pass: a picture may hold ten thousand.
#[must_use]
pub fn anomalies<'s>(snapshot: &'s Snapshot, wanted: &BTreeSet<AnomalyId>) -> BTreeMap<AnomalyId, &'s Anomaly> {
    if wanted.is_empty() {
        return BTreeMap::new();
    }
    let found = snapshot.anomalies.iter().filter(|anomaly| wanted.contains(&anomaly.id));
    found.map(|anomaly| (anomaly.id, anomaly.as_ref())).collect()
}
