//! What is left to do, derived from the record: each point names what it was derived from.

use super::Facts;
use super::markdown::escape;
use super::runs::{acts, is_verified, skip_reason};
use crate::engine::model::{DeliveryState, Incident, Run, StepEffect, StepState};

/// Recurrences that are named.
const RECURRENCES_MAX: usize = 5;

pub(super) fn follow_ups(facts: &Facts<'_>) -> Vec<String> {
    let mut points = Vec::new();
    cause(facts, &mut points);
    for run in &facts.runs {
        steps(run, &mut points);
    }
    recurrences(facts, &mut points);
    let id = facts.incident.id;
    for misfit in facts.snapshot.misfits.get(&id).into_iter().flatten() {
        let (title, reason) = (escape(&misfit.title), escape(&misfit.reason));
        points.push(format!("Mend the runbook “{title}”: it fits and could not be filled in: {reason}"));
    }
    if facts.runs.is_empty() {
        points.push("Write a runbook, or say in one that it fits: none was run for this incident".to_owned());
    }
    for delivery in facts.snapshot.outbox.given_up.iter().filter(|delivery| delivery.incident == Some(id)) {
        if let DeliveryState::GivenUp { reason, .. } = &delivery.state {
            let (title, reason) = (escape(&delivery.message.title), escape(reason));
            points.push(format!("Tell {} by hand: {title}; {reason}", delivery.destination));
        }
    }
    points
}

fn cause(facts: &Facts<'_>, points: &mut Vec<String>) {
    let id = facts.incident.id;
    match facts.incident.ranking.cause() {
        None => points.push("Find the cause: the record names none".to_owned()),
        Some(cause) => {
            let begins = format!("cause of {id} was ");
            let judged = facts.audit.iter().rev().find(|entry| entry.text.starts_with(&begins));
            match judged {
                None => points.push(format!("Confirm or refute the cause: {}", escape(&cause.title))),
                Some(entry) if entry.text.starts_with(&format!("{begins}wrong")) => {
                    points.push("Find the cause: the one named was found to be wrong".to_owned());
                }
                Some(_) => {}
            }
        }
    }
    if facts.incident.owner.is_none() {
        points.push("Name an owner for what follows: the incident has none".to_owned());
    }
}

fn steps(run: &Run, points: &mut Vec<String>) {
    if run.has_held == Some(false) {
        points.push(format!("Find out why it did not hold: {}, {}", run.id, escape(&run.runbook.title)));
    }
    for (index, step) in run.steps.iter().enumerate() {
        let name = format!("step {} of {}, {}", index + 1, run.id, escape(&step.bound.spec.title));
        match &step.state {
            StepState::Succeeded { .. } if acts(step) => {
                if !is_verified(run, index) {
                    points.push(format!("Check by hand what nothing verified: {name}"));
                }
                if step.bound.spec.effect == StepEffect::Irreversible {
                    points.push(format!("Review what cannot be undone: {name}"));
                }
            }
            StepState::Skipped { reason, .. } => {
                points.push(format!("Decide on what was skipped: {name} ({})", skip_reason(reason)));
            }
            StepState::Undone { .. } => {
                points.push(format!("Decide what comes in place of what was taken back: {name}"));
            }
            StepState::Failed { reason, .. } => points.push(format!("Mend what failed: {name}: {}", escape(reason))),
            StepState::Unknown { .. } => points.push(format!("Find out whether it took effect: {name}")),
            _ => {}
        }
    }
}

/// Other incidents in the record with the same cause in the same place.
fn recurrences(facts: &Facts<'_>, points: &mut Vec<String>) {
    let Some(cause) = facts.incident.ranking.cause() else { return };
    let is_same = |other: &&Incident| {
        let its = other.ranking.cause();
        other.id != facts.incident.id && its.is_some_and(|its| (its.kind, &its.service) == (cause.kind, &cause.service))
    };
    let mut same: Vec<String> =
        facts.snapshot.incidents.iter().map(AsRef::as_ref).filter(is_same).map(|other| other.id.to_string()).collect();
    if facts.incident.reopen_count > 0 {
        points.push(format!("Find out why it came back: reopened {} times", facts.incident.reopen_count));
    }
    if same.is_empty() {
        return;
    }
    let count = same.len();
    same.truncate(RECURRENCES_MAX);
    let times = if count == 1 { "once more".to_owned() } else { format!("{count} times more") };
    let place = escape(&cause.kind.at(&cause.service));
    points.push(format!("Mend it for good: {place} is in the record {times} ({})", same.join(", ")));
}
