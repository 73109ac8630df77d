//! After an act: is it worse than before? Then nothing more begins, and what began by itself is taken back.
//!
//! A failure goes on spreading by itself for a moment after what was done against it, so what departs in that moment says
//! nothing about the act.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ENGINE, WalkOutcome, name_of};
use crate::engine::act::policy::{self, Gate, Harm};
use crate::engine::clock::{MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::model::{AuditKind, Run, RunStep, StepState};

/// What departs for the first time within this time of an act's end is the failure's own spreading.
const SPREADING_MS: i64 = 45 * SECOND_MS;
/// An act is watched for at least this long after it ended, however soon its page says one sees its effect.
const WATCHED_MS_MIN: i64 = 3 * MINUTE_MS;
/// A deviation that grew to this many times what it was, and by `DEVIATION_GROWTH_MIN`, is worse.
const DEVIATION_FACTOR: f64 = 2.0;
/// In standard deviations.
const DEVIATION_GROWTH_MIN: f64 = 6.0;

/// Looks at what departs now beside what departed when the last act began; `None` where it is no worse.
pub(super) fn look(run: &Run, gate: &Gate<'_>) -> Option<WalkOutcome> {
    let (index, step) = run.steps.iter().enumerate().rev().find(|(_, step)| is_watched(step, gate))?;
    let StepState::Succeeded { at: ended_at } = step.state else { return None };
    let before = step.harm_before.as_ref()?;
    let worse = worse(before, &gate.outlook.harm(), ended_at, gate);
    if worse.is_empty() {
        return None;
    }
    let mut outcome = WalkOutcome::unchanged(run);
    // Told once: whoever lets the run go on has seen it.
    outcome.run.steps[index].harm_before = None;
    let text = format!("worse since {}: {}", name_of(run, index), worse.join(", "));
    let by_engine = step.approved_by.as_deref() == Some(ENGINE);
    if by_engine && let Ok(undo) = policy::approve_undo(run, index, &step.id, gate) {
        let engine: Arc<str> = Arc::from(ENGINE);
        outcome.note(AuditKind::Decision, &engine, &format!("{text}; what began by itself is taken back"));
        outcome.notice(&format!("{text}; it is taken back"), true);
        outcome.begin(undo, &engine, gate);
    } else {
        outcome.pause(&text, gate.now);
    }
    Some(outcome)
}

fn is_watched(step: &RunStep, gate: &Gate<'_>) -> bool {
    let StepState::Succeeded { at } = step.state else { return false };
    let within_ms = step.bound.spec.act().map_or(0, |act| act.within_ms).max(WATCHED_MS_MIN);
    step.harm_before.is_some() && (SPREADING_MS..=within_ms).contains(&gate.now.since_ms(at))
}

/// What departs now and did not, or departs much further, on services of the incident.
fn worse(
    before: &BTreeMap<Arc<str>, f64>,
    now: &BTreeMap<Arc<str>, Harm>,
    ended_at: Timestamp,
    gate: &Gate<'_>,
) -> Vec<String> {
    let is_of_incident = |key: &str| {
        key.split_once(' ').is_some_and(|(service, _)| gate.incident.services.keys().any(|it| it.as_str() == service))
    };
    let grown = |key: &Arc<str>, harm: &Harm| match before.get(key) {
        None => (harm.since >= ended_at + SPREADING_MS).then(|| format!("{key} departs")),
        Some(was) if harm.sigma >= was * DEVIATION_FACTOR && harm.sigma >= was + DEVIATION_GROWTH_MIN => {
            Some(format!("{key} from {was:.0}σ to {:.0}σ", harm.sigma))
        }
        Some(_) => None,
    };
    now.iter().filter(|(key, _)| is_of_incident(key)).filter_map(|(key, harm)| grown(key, harm)).collect()
}
