//! The status update for stakeholders: state, impact, what is being done, when the next one comes. Plain lines, because it
//! goes into chats and mails.

use super::Facts;
use super::markdown::one_line;
use super::times::span;
use crate::engine::clock::Timestamp;
use crate::engine::model::{IncidentId, IncidentState, Run, RunState, StepState, TimelineKind};
use crate::engine::snapshot::Snapshot;

/// A draft of the next update on an incident; `None` where the picture has no such incident. `next_at` is when the one
/// after it is promised.
#[must_use]
pub fn status_update(snapshot: &Snapshot, id: IncidentId, next_at: Option<Timestamp>) -> Option<String> {
    let facts = Facts::of(snapshot, id)?;
    let incident = facts.incident;
    let cause = match incident.ranking.cause() {
        Some(cause) => format!("{} (confidence {} %)", cause.title, cause.confidence.percent()),
        None => "not known yet".to_owned(),
    };
    let next = match next_at {
        Some(at) => format!("{} {} UTC", at.date(), at.hh_mm_ss().get(..5).unwrap_or_default()),
        None if incident.state == IncidentState::Resolved => "none; this is the last".to_owned(),
        None => "when something changes".to_owned(),
    };
    let lines = [
        format!("{id} {}: {}", incident.severity, incident.title),
        format!("State: {}", state(&facts)),
        format!("Impact: {}", impact(&facts)),
        format!("Cause: {cause}"),
        format!("Being done: {}", being_done(&facts)),
        format!("Owner: {}", incident.owner.as_deref().unwrap_or("nobody yet")),
        format!("Next update: {next}"),
    ];
    // A text from outside is never a line of its own: it could say what is not so.
    let lines: Vec<String> = lines.iter().map(|line| one_line(line)).collect();
    Some(lines.join("\n"))
}

fn state(facts: &Facts<'_>) -> String {
    let incident = facts.incident;
    let ends = incident.resolved_at.unwrap_or(facts.now());
    let lasted = span(incident.started_at, Some(ends));
    match incident.state {
        IncidentState::Resolved => format!("resolved, {lasted} after the first symptom"),
        other => format!("{}, {lasted} since the first symptom", other.word()),
    }
}

/// The last thing measured on users, and how many services are touched.
fn impact(facts: &Facts<'_>) -> String {
    let count = facts.incident.services.len();
    let services = if count == 1 { "1 service touched".to_owned() } else { format!("{count} services touched") };
    let felt = facts.incident.timeline.iter().rev().find(|entry| entry.kind == TimelineKind::Impact);
    match felt {
        Some(entry) => format!("{services}; {}", entry.text),
        None => format!("{services}; what users notice is not known"),
    }
}

fn being_done(facts: &Facts<'_>) -> String {
    match facts.incident.state {
        IncidentState::Resolved => return "nothing more; it is over".to_owned(),
        IncidentState::Mitigated => return "the harm has stopped; it is watched until it is certain".to_owned(),
        _ => {}
    }
    facts.runs.last().map_or_else(|| "the cause is looked for".to_owned(), |run| run_in_words(run))
}

/// Where a run stands: `revert network policy, step 2 of 3 waits for approval`.
pub(super) fn run_in_words(run: &Run) -> String {
    let title = &run.runbook.title;
    let Some(current) = run.current_step() else { return format!("{title} is done; recovery is watched") };
    let what = match (run.state, run.steps.get(current).map(|step| &step.state)) {
        (RunState::Paused, _) => {
            return format!("{title}, step {} of {} is paused: {}", current + 1, run.steps.len(), run.word);
        }
        (RunState::Stopped, _) if run.is_escalated => "was stopped and handed over",
        (RunState::Failed, _) if run.is_escalated => "failed and was handed over",
        (RunState::Stopped, _) => "was stopped",
        (RunState::Interrupted, _) | (_, Some(StepState::Unknown { .. })) => {
            "was interrupted; a person has to say whether it happened"
        }
        (_, Some(StepState::Waiting)) => "waits for approval",
        (_, Some(StepState::Running { .. })) => "runs",
        (_, Some(StepState::Watching { .. })) => "watches the recovery",
        (_, Some(StepState::Failed { .. })) => "failed",
        _ => "is next",
    };
    format!("{title}, step {} of {} {what}", current + 1, run.steps.len())
}
