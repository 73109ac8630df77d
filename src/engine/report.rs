//! What happened, as plain data for scripts: incidents with cause, confidence, timeline, steps run and outcome.
//!
//! `hypo incidents`, `hypo demo --headless` and `hypo replay` print the same shape.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
use super::model::{
    Buckets, Call, CauseKind, Evidence, Hypothesis, Incident, IncidentSeverity, IncidentState, Run, RunState,
    ServiceName, StepState, TimelineKind,
};
use super::snapshot::Snapshot;

/// Every incident of a picture, in its order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The incidents.
    pub incidents: Vec<IncidentReport>,
}

/// One incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentReport {
    /// `INC-42`.
    pub id: String,
    /// In a line.
    pub title: Arc<str>,
    /// How bad.
    pub severity: IncidentSeverity,
    /// Where it stands.
    pub state: IncidentState,
    /// Who has it.
    pub owner: Option<Arc<str>>,
    /// The earliest symptom.
    pub started_at: Timestamp,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was over.
    pub resolved_at: Option<Timestamp>,
    /// The most likely cause; `null` while unresolved.
    pub cause: Option<CauseReport>,
    /// Probability that the cause is right; that of the best hypothesis while unresolved.
    pub confidence: Option<f64>,
    /// Why no cause is named, where none is.
    pub unresolved: Option<Arc<str>>,
    /// What else it could be, best first.
    pub alternatives: Vec<CauseReport>,
    /// Services touched.
    pub services: Vec<ServiceName>,
    /// Alerts, anomalies and repeats folded into it.
    pub folded_count: u64,
    /// What happened.
    pub timeline: Vec<TimelineReport>,
    /// Runs of runbooks, with the steps that were run.
    pub runs: Vec<RunReport>,
    /// In a word: `open`, `mitigated`, `resolved`, `resolved by rollback-deploy`.
    pub outcome: String,
}

/// A candidate cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CauseReport {
    /// What kind of failure.
    pub kind: CauseKind,
    /// Where it starts.
    pub service: ServiceName,
    /// The change that is blamed: its sender's id.
    pub change: Option<Arc<str>>,
    /// In a line.
    pub title: Arc<str>,
    /// Probability that it is right.
    pub confidence: f64,
    /// What speaks for it, strongest first.
    pub evidence_for: Vec<Arc<str>>,
    /// What speaks against it, strongest first.
    pub evidence_against: Vec<Arc<str>>,
    /// From the cause outwards.
    pub impact_chain: Vec<ServiceName>,
    /// Cause, first failure, impact.
    pub buckets: Buckets,
}

/// A line of the timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimelineReport {
    /// When.
    pub at: Timestamp,
    /// What it tells.
    pub kind: TimelineKind,
    /// In a line.
    pub text: Arc<str>,
    /// The service it is about.
    pub service: Option<ServiceName>,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// `RUN-3`.
    pub id: String,
    /// The runbook's id.
    pub runbook: Arc<str>,
    /// Where it stands.
    pub state: RunState,
    /// Its steps.
    pub steps: Vec<StepReport>,
}

/// A step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Its name.
    pub name: Arc<str>,
    /// Program and arguments, for those that run one.
    pub command: Vec<Arc<str>>,
    /// `succeeded`, `skipped`, `failed: …`, `pending`.
    pub outcome: String,
    /// Exit code of the last command.
    pub exit_code: Option<i32>,
}

/// Tells what a picture shows.
#[must_use]
pub fn report(snapshot: &Snapshot) -> Report {
    Report { incidents: snapshot.incidents.iter().map(|incident| report_incident(snapshot, incident)).collect() }
}

fn report_incident(snapshot: &Snapshot, incident: &Incident) -> IncidentReport {
    let ranking = &incident.ranking;
    let cause = ranking.cause();
    let others = ranking.hypotheses.iter().skip(usize::from(cause.is_some()));
    let runs: Vec<&Run> =
        snapshot.runs.iter().rev().map(Arc::as_ref).filter(|run| run.incident() == Some(incident.id)).collect();
    IncidentReport {
        id: incident.id.to_string(),
        title: Arc::clone(&incident.title),
        severity: incident.severity,
        state: incident.state,
        owner: incident.owner.clone(),
        started_at: incident.started_at,
        opened_at: incident.opened_at,
        resolved_at: incident.resolved_at,
        cause: cause.map(|cause| report_cause(snapshot, cause)),
        confidence: ranking.hypotheses.first().map(|best| best.confidence.get()),
        unresolved: ranking.unresolved.clone(),
        alternatives: others.map(|other| report_cause(snapshot, other)).collect(),
        services: incident.services.keys().cloned().collect(),
        folded_count: incident.folded_count,
        timeline: incident
            .timeline
            .iter()
            .map(|entry| TimelineReport {
                at: entry.at,
                kind: entry.kind,
                text: Arc::clone(&entry.text),
                service: entry.service.clone(),
            })
            .collect(),
        outcome: outcome(incident, &runs),
        runs: runs.into_iter().map(report_run).collect(),
    }
}

fn report_cause(snapshot: &Snapshot, cause: &Hypothesis) -> CauseReport {
    let change = cause.change.and_then(|id| snapshot.changes.iter().find(|change| change.id == id));
    let texts = |evidence: &[Evidence]| evidence.iter().map(|piece| Arc::clone(&piece.text)).collect();
    CauseReport {
        kind: cause.kind,
        service: cause.service.clone(),
        change: change.map(|change| Arc::clone(&change.notice.external_id)),
        title: Arc::clone(&cause.title),
        confidence: cause.confidence.get(),
        evidence_for: texts(&cause.evidence_for),
        evidence_against: texts(&cause.evidence_against),
        impact_chain: cause.impact_chain.clone(),
        buckets: cause.buckets.clone(),
    }
}

fn report_run(run: &Run) -> RunReport {
    let steps = run.steps.iter().map(|step| StepReport {
        name: Arc::clone(&step.bound.spec.name),
        command: step.bound.spec.call().map(Call::words).unwrap_or_default(),
        outcome: match &step.state {
            StepState::Pending => "pending".to_owned(),
            StepState::Waiting => "waiting".to_owned(),
            StepState::Running { .. } | StepState::Watching { .. } | StepState::Elapsing { .. } => "running".to_owned(),
            StepState::Succeeded { .. } => "succeeded".to_owned(),
            StepState::Skipped { reason, .. } => format!("skipped: {reason}"),
            StepState::PassedOver { .. } => "passed over".to_owned(),
            StepState::Undone { by, .. } => format!("taken back by {by}"),
            StepState::Failed { reason, .. } => format!("failed: {reason}"),
            StepState::Unknown { .. } => "unknown".to_owned(),
        },
        exit_code: step.exit_code,
    });
    RunReport { id: run.id.to_string(), runbook: Arc::clone(&run.runbook.id), state: run.state, steps: steps.collect() }
}

fn outcome(incident: &Incident, runs: &[&Run]) -> String {
    let word = incident.state.word();
    let mended = runs.iter().rev().find(|run| run.state == RunState::Succeeded);
    match mended {
        Some(run) if matches!(incident.state, IncidentState::Resolved | IncidentState::Mitigated) => {
            format!("{word} by {}", run.runbook.id)
        }
        _ => word.to_owned(),
    }
}
