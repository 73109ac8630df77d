//! The circuit breaker: acts that failed or that nothing verified, each attempt for itself, until a person has looked.
//!
//! A rollout's runs have no verify step, for the rollout itself watches each target's health, and takes back what it was
//! told to: of those only what failed, or whose end nobody saw, counts.

use super::Gate;
use super::history::runs_for;
use crate::engine::clock::{MINUTE_MS, Timestamp};
use crate::engine::model::{Purpose, Run, RunState, RunStep, StepKind, StepState};

/// Failed or unverified acts of one incident that open the breaker.
const BREAKER_PER_INCIDENT: usize = 2;
/// Such acts anywhere within `BREAKER_REACH_MS` that open it.
const BREAKER_ANYWHERE: usize = 3;
/// See `BREAKER_ANYWHERE`.
const BREAKER_REACH_MS: i64 = 30 * MINUTE_MS;

/// Why the engine does nothing by itself any more until a person has looked, where that is so.
#[must_use]
pub fn breaker(gate: &Gate<'_>) -> Option<String> {
    let reset_at = gate.safety.breaker_reset_at;
    let counts = |at: &Timestamp| reset_at.is_none_or(|reset| *at > reset);
    let here = runs_for(gate, &gate.subject.id()).flat_map(failures).filter(counts).count();
    if here >= BREAKER_PER_INCIDENT {
        return Some(format!("{here} acts of {} failed or were not verified", gate.subject.id()));
    }
    let is_recent = |at: &Timestamp| gate.now.since_ms(*at) <= BREAKER_REACH_MS;
    let anywhere = gate.runs.values().flat_map(|run| failures(run)).filter(counts).filter(is_recent).count();
    (anywhere >= BREAKER_ANYWHERE)
        .then(|| format!("{anywhere} acts failed or were not verified within {} min", BREAKER_REACH_MS / MINUTE_MS))
}

/// When each attempt at an act of this run turned out to have failed, or not to have been shown to help.
#[must_use]
pub fn failures(run: &Run) -> Vec<Timestamp> {
    run.steps.iter().enumerate().flat_map(|(index, step)| failures_of(run, index, step)).collect()
}

/// An attempt that was followed by another at the same thing had not done it. What became of the last is told by the step;
/// where that was done, by the run.
fn failures_of(run: &Run, index: usize, step: &RunStep) -> Vec<Timestamp> {
    let begun: Vec<_> = step.acts_done().collect();
    let is_of_rollout = run.subject.rollout().is_some();
    let followed = begun.windows(2).filter_map(|pair| match pair {
        [one, next] if one.purpose == next.purpose => Some(next.at),
        // Done anew after it was taken back.
        [one, next] if one.purpose == Purpose::Undo && !is_of_rollout => Some(next.at),
        _ => None,
    });
    let mut failures: Vec<Timestamp> = followed.collect();
    let Some(last) = begun.last() else { return failures };
    failures.extend(match step.state {
        StepState::Running { purpose: Purpose::Run | Purpose::Undo, .. } => None,
        StepState::Succeeded { .. } | StepState::Undone { .. } if is_of_rollout => None,
        StepState::Succeeded { .. } => is_unverified(run, index).then(|| run.ended_at.unwrap_or(last.at)),
        StepState::Failed { at, .. } | StepState::Undone { at, .. } => Some(at),
        StepState::Unknown { since } => Some(since),
        // Gone through again, or past: it had been done, and was not enough.
        _ => Some(last.at),
    });
    failures
}

/// The run is over or halted, and no verify step behind the act has seen its metric come back; or it did not stay.
fn is_unverified(run: &Run, act: usize) -> bool {
    let behind = run.steps.get(act..).unwrap_or_default();
    let is_verified = behind.iter().any(|step| {
        matches!(step.bound.spec.kind, StepKind::Verify { .. }) && matches!(step.state, StepState::Succeeded { .. })
    });
    run.has_held.map_or(run.state != RunState::Active && !is_verified, |has_held| !has_held)
}
