//! What is said outside of incidents, acts and runs. Only what the record has.

use std::sync::Arc;

use crate::engine::clock::Timestamp;
use crate::engine::model::{
    ChangeNotice, CheckSpec, Incident, Look, OutwardEvent, OutwardMessage, Run, RunStep, ServiceName, StepEffect,
    StepKind,
};

/// Services named in a message; the others are counted.
const SERVICES_NAMED_MAX: usize = 8;

/// The thread of an incident: its number alone would come again in another store.
fn incident_thread(incident: &Incident) -> Arc<str> {
    Arc::from(format!("{}@{}", incident.id, incident.opened_at.0))
}

/// Something happened to an incident.
#[must_use]
pub fn of_incident(event: OutwardEvent, incident: &Incident, by: Option<&Arc<str>>, at: Timestamp) -> OutwardMessage {
    let what = match event {
        OutwardEvent::IncidentOpened => "opened",
        OutwardEvent::SeverityRaised => "is worse",
        OutwardEvent::IncidentAcknowledged => "acknowledged",
        OutwardEvent::IncidentMitigated => "mitigated",
        OutwardEvent::IncidentResolved => "resolved",
        OutwardEvent::IncidentReopened => "reopened",
        _ => "update",
    };
    let what = match (event, incident.merged_into) {
        (OutwardEvent::IncidentResolved, Some(into)) => format!("is a part of {into}"),
        _ => what.to_owned(),
    };
    OutwardMessage {
        event,
        thread: incident_thread(incident),
        title: Arc::from(format!("{} {} {what}: {}", incident.id, incident.severity, incident.title)),
        text: Arc::from(facts(incident).join("\n")),
        severity: Some(incident.severity),
        service: cause_service(incident),
        by: by.cloned(),
        at,
        began_at: None,
        has_taken_effect: None,
    }
}

/// A status update for stakeholders, as a person wrote it.
#[must_use]
pub fn status_update(incident: &Incident, text: &str, by: &Arc<str>, at: Timestamp) -> OutwardMessage {
    let message = of_incident(OutwardEvent::StatusUpdate, incident, Some(by), at);
    let title = format!("{} {} status update: {}", incident.id, incident.severity, incident.title);
    OutwardMessage { title: Arc::from(title), text: Arc::from(text), ..message }
}

/// The next status update is due, and whoever responds is reminded of it.
#[must_use]
pub fn update_due(incident: &Incident, due_at: Timestamp, at: Timestamp) -> OutwardMessage {
    let message = of_incident(OutwardEvent::UpdateDue, incident, None, at);
    let title = format!("{} {}: a status update is due since {}", incident.id, incident.severity, due_at.hh_mm_ss());
    OutwardMessage { title: Arc::from(title), ..message }
}

/// A run ended in a way that needs a person.
#[must_use]
pub fn of_run(event: OutwardEvent, run: &Run, why: &str, incident: Option<&Incident>, at: Timestamp) -> OutwardMessage {
    let mut lines = vec![format!("Run: {} {}", run.id, run.runbook.title), format!("What: {why}")];
    lines.extend(incident.map(|incident| format!("Incident: {} {}", incident.id, incident.title)));
    OutwardMessage {
        event,
        thread: incident.map_or_else(|| Arc::from(run.id.to_string()), incident_thread),
        title: Arc::from(format!("{} {}: {why}", run.subject, run.id)),
        text: Arc::from(lines.join("\n")),
        severity: incident.map(|incident| incident.severity),
        service: incident.and_then(cause_service),
        by: Some(Arc::clone(&run.started_by)),
        at,
        began_at: None,
        has_taken_effect: None,
    }
}

/// A step that changes something is under way, or what came of it is unknown. `thread` is what its change is called.
#[must_use]
pub fn of_step(
    event: OutwardEvent,
    thread: &str,
    run: &Run,
    step: &RunStep,
    incident: Option<&Incident>,
    since: Timestamp,
) -> OutwardMessage {
    let what = match event {
        OutwardEvent::ActBegan => "began",
        OutwardEvent::ActUpdated => "was interrupted: whether it took effect is not known until a person says so",
        _ => "begins without asking",
    };
    let mut lines = vec![format!("What: {}", step.bound.spec.title)];
    lines.extend(command(&step.bound.spec.kind).map(|command| format!("Command: {command}")));
    lines.push(format!("Touches: {}", known(&step.bound.spec.touches)));
    lines.push(format!("Can be undone: {}", undo(step)));
    lines.push(format!("Runbook: {} version {}, {}", run.runbook.id, run.runbook.version, run.id));
    lines.push(format!(
        "Approved by: {}, digest {}",
        step.approved_by.as_deref().unwrap_or("not known"),
        step.bound.digest
    ));
    lines.extend(incident.map(|incident| format!("For: {} {} {}", incident.id, incident.severity, incident.title)));
    OutwardMessage {
        event,
        thread: Arc::from(thread),
        title: Arc::from(format!("{}: {} {what}", run.id, step.bound.spec.title)),
        text: Arc::from(lines.join("\n")),
        severity: incident.map(|incident| incident.severity),
        service: incident.and_then(cause_service),
        by: step.approved_by.clone(),
        at: since,
        began_at: Some(since),
        has_taken_effect: None,
    }
}

/// An act of ours is over; `step` is the one that did it, where that is known.
#[must_use]
pub fn of_act(
    notice: &ChangeNotice,
    step: Option<&RunStep>,
    incident: Option<&Incident>,
    now: Timestamp,
) -> OutwardMessage {
    let at = notice.finished_at.unwrap_or(now);
    let outcome = if notice.has_taken_effect { "took effect" } else { "did not take effect" };
    let mut lines = vec![
        format!("What: {}", notice.title),
        format!("Outcome: it {outcome}"),
        format!("From {} to {} (UTC)", notice.at, at),
        format!("By: {}", notice.author.as_deref().unwrap_or("not known")),
    ];
    let step_command = step.and_then(|step| command(&step.bound.spec.kind));
    lines.extend(step_command.map(|command| format!("Command: {command}")));
    lines.extend(step.map(|step| format!("Can be undone: {}", undo(step))));
    lines.extend(notice.service.as_ref().map(|service| format!("Service: {service}")));
    lines.extend(incident.map(|incident| format!("For: {} {} {}", incident.id, incident.severity, incident.title)));
    OutwardMessage {
        event: OutwardEvent::ActEnded,
        thread: Arc::clone(&notice.external_id),
        title: Arc::from(format!("{} {outcome}", notice.title)),
        text: Arc::from(lines.join("\n")),
        severity: incident.map(|incident| incident.severity),
        service: notice.service.clone(),
        by: notice.author.clone(),
        at,
        began_at: Some(notice.at),
        has_taken_effect: Some(notice.has_taken_effect),
    }
}

fn facts(incident: &Incident) -> Vec<String> {
    let cause = match incident.ranking.cause() {
        Some(cause) => format!("{} ({} %)", cause.title, cause.confidence.percent()),
        None => "not known yet".to_owned(),
    };
    let named: Vec<&str> = incident.services.keys().take(SERVICES_NAMED_MAX).map(ServiceName::as_str).collect();
    let more = incident.services.len().saturating_sub(SERVICES_NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    vec![
        format!("Severity: {}", incident.severity),
        format!("State: {}", incident.state.word()),
        format!("Cause: {cause}"),
        format!("Services: {}{more}", named.join(", ")),
        format!("Since: {} (UTC)", incident.started_at),
        format!("Owner: {}", incident.owner.as_deref().unwrap_or("nobody yet")),
    ]
}

fn cause_service(incident: &Incident) -> Option<ServiceName> {
    let cause = incident.ranking.cause().map(|cause| cause.service.clone());
    cause.or_else(|| incident.services.keys().next().cloned())
}

/// The command of a step as people read it; arguments are parted by single blanks.
#[must_use]
pub fn command(kind: &StepKind) -> Option<String> {
    match kind {
        StepKind::Check(CheckSpec { look: Look::Call { call, .. }, .. }) => Some(call.words().join(" ")),
        StepKind::Act(act) => Some(act.call.words().join(" ")),
        _ => None,
    }
}

fn undo(step: &RunStep) -> String {
    match (&step.bound.spec.kind, step.bound.spec.effect) {
        (StepKind::Act(act), StepEffect::Irreversible) => format!("no; {}", known(&act.rollback_text)),
        (StepKind::Act(act), _) => format!("yes; {}", known(&act.rollback_text)),
        _ => "nothing to undo".to_owned(),
    }
}

fn known(text: &str) -> &str {
    if text.is_empty() { "not known" } else { text }
}
