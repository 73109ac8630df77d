//! After an act: is it worse than before? Then nothing more begins, and what began by itself is taken back.
//!
//! A failure goes on spreading by itself for a moment after what was done against it, so that something departs in that moment
//! says nothing about the act. That it still does when the act's effect should be seen does.

use std::sync::Arc;

use super::{ENGINE, WalkOutcome, name_of};
use crate::engine::act::policy::{self, Gate, Harm};
use crate::engine::clock::{MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::model::{AuditKind, Run, RunStep, StepState};

/// What departs for the first time within this time of an act's end is the failure's own spreading.
const SPREADING_MS: i64 = 45 * SECOND_MS;
/// An act is watched for at least this long after it ended, however soon its page says one sees its effect.
const WATCHED_MS_MIN: i64 = 3 * MINUTE_MS;
/// Ticks are no finer: what is looked at when the effect should be seen is still looked at for so long after.
const LAST_LOOK_MS: i64 = 30 * SECOND_MS;
/// In standard deviations: nearer than this it is coming back, though nobody has called it over yet.
const STILL_DEPARTS_SIGMA: f64 = 3.0;
/// A deviation that grew to this many times what it was, and by `DEVIATION_GROWTH_MIN`, is worse.
const DEVIATION_FACTOR: f64 = 2.0;
/// In standard deviations.
const DEVIATION_GROWTH_MIN: f64 = 6.0;

/// Looks at what departs now beside what departed when the last act began; `None` where it is no worse.
pub(super) fn look(run: &Run, gate: &Gate<'_>) -> Option<WalkOutcome> {
    let (index, step) = run.steps.iter().enumerate().rev().find(|(_, step)| is_watched(step, gate))?;
    let StepState::Succeeded { at: ended_at } = step.state else { return None };
    let worse = worse(step, ended_at, gate);
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
    step.harm_before.is_some() && (SPREADING_MS..=within_ms + LAST_LOOK_MS).contains(&gate.now.since_ms(at))
}

/// What departs now and did not, or departs much further, on services of what the run is for.
fn worse(step: &RunStep, ended_at: Timestamp, gate: &Gate<'_>) -> Vec<String> {
    let Some(before) = step.harm_before.as_ref() else { return Vec::new() };
    let is_near =
        |key: &str| key.split_once(' ').is_some_and(|(of, _)| gate.subject.services().any(|it| it.as_str() == of));
    let grown = |key: &Arc<str>, harm: &Harm| match before.get(key) {
        None if harm.since >= ended_at + SPREADING_MS => Some(format!("{key} departs")),
        None => has_stayed(step, key, harm, ended_at, gate).then(|| {
            let since = harm.since.hh_mm_ss();
            format!("{key} departs since {since}, {:.0}σ, and should be over by now", harm.sigma)
        }),
        Some(was) if harm.sigma >= was * DEVIATION_FACTOR && harm.sigma >= was + DEVIATION_GROWTH_MIN => {
            Some(format!("{key} from {was:.0}σ to {:.0}σ", harm.sigma))
        }
        Some(_) => None,
    };
    let now = gate.outlook.harm();
    now.iter().filter(|(key, _)| is_near(key)).filter_map(|(key, harm)| grown(key, harm)).collect()
}

/// It began between the act's beginning and the end of the spreading, on what the act touched or further off than anything
/// before it, and still departs when the effect should be seen.
fn has_stayed(step: &RunStep, key: &str, harm: &Harm, ended_at: Timestamp, gate: &Gate<'_>) -> bool {
    let within_ms = step.bound.spec.act().map_or(0, |act| act.within_ms).max(SPREADING_MS);
    let began_at = step.acts_done().last().map_or(ended_at, |begun| begun.at);
    if gate.now.since_ms(ended_at) < within_ms || harm.since < began_at || harm.sigma < STILL_DEPARTS_SIGMA {
        return false;
    }
    let service = key.split(' ').next().unwrap_or(key);
    let is_touched = policy::targets(&step.bound.spec.touches).any(|target| target == service);
    let furthest = step.harm_before.iter().flat_map(|before| before.values()).copied().fold(0.0, f64::max);
    is_touched || harm.sigma > furthest
}
