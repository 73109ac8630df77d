//! Steps whose end was not seen: found at start, never run again by themselves, settled by a person.

use std::sync::Arc;

use super::super::policy::{Gate, GateRefusal};
use super::{ENGINE, WalkOutcome, name_of, verify};
use crate::engine::clock::Timestamp;
use crate::engine::model::{AuditKind, Run, RunState, StepKind, StepState};

/// Looks at a run as found on disk at start; `None` where nothing was under way.
///
/// A command that looks, and a dry run, are simply offered again. An act with an intent and no outcome becomes unknown.
#[must_use]
pub fn recover(run: &Run, now: Timestamp) -> Option<WalkOutcome> {
    let index = run.current_step()?;
    let step = run.steps.get(index)?;
    let mut outcome = WalkOutcome::unchanged(run);
    match step.state {
        StepState::Running { since, is_dry_run } => {
            if is_dry_run || !matches!(step.bound.spec.kind, StepKind::Act { .. }) {
                offer_again(&mut outcome, index, now);
            } else {
                lose_sight(&mut outcome, index, since, "was running when the program ended");
            }
        }
        StepState::Watching { .. } if run.state == RunState::Active => {
            outcome.run.steps[index].state = verify::begin(now, step.bound.spec.timeout_ms);
        }
        // Keys that act are inert for a moment after a restart, too.
        StepState::Waiting if run.state == RunState::Active => outcome.run.steps[index].shown_at = now,
        _ => return None,
    }
    Some(outcome)
}

/// A person says whether an unknown step took effect. If it did, the run goes on after it; if not, it is offered again.
///
/// # Errors
/// When the step is not unknown.
pub fn settle_unknown(
    run: &Run,
    step: usize,
    has_happened: bool,
    by: &Arc<str>,
    gate: &Gate<'_>,
    now: Timestamp,
) -> Result<WalkOutcome, GateRefusal> {
    let Some(&StepState::Unknown { since }) = run.steps.get(step).map(|step| &step.state) else {
        return Err(GateRefusal::NotUnknown { run: run.id, step });
    };
    let mut outcome = WalkOutcome::unchanged(run);
    let verb = if has_happened { "happened" } else { "did not happen" };
    let text = format!("{} {verb}, as settled by hand", name_of(run, step));
    outcome.note(AuditKind::Outcome, by, &text);
    outcome.tell(now, by, &text);
    // A run that was stopped stays stopped; one that was interrupted goes on.
    if outcome.run.state == RunState::Interrupted {
        outcome.run.state = RunState::Active;
        outcome.run.ended_at = None;
    }
    if has_happened {
        outcome.run.steps[step].state = StepState::Succeeded { at: now };
        outcome.tell_change(step, since, now, true);
    } else {
        outcome.run.steps[step].state = StepState::Pending;
        outcome.run.steps[step].approved_by = None;
    }
    if outcome.run.state == RunState::Active {
        outcome.offer(gate, now);
    }
    Ok(outcome)
}

/// The end of a running step will not be seen.
pub(super) fn lose_sight(outcome: &mut WalkOutcome, index: usize, since: Timestamp, what: &str) {
    let text = format!(
        "{} {what}; whether it took effect is unknown, look and settle it by hand",
        name_of(&outcome.run, index)
    );
    outcome.run.steps[index].state = StepState::Unknown { since };
    outcome.note(AuditKind::Outcome, &Arc::from(ENGINE), &text);
    outcome.tell(since, &Arc::from(ENGINE), &text);
    if outcome.run.state == RunState::Active {
        outcome.run.state = RunState::Interrupted;
    }
}

fn offer_again(outcome: &mut WalkOutcome, index: usize, now: Timestamp) {
    let text =
        format!("{} was cut off before its end; it only looks, so it is offered again", name_of(&outcome.run, index));
    let is_active = outcome.run.state == RunState::Active;
    let step = &mut outcome.run.steps[index];
    step.state = if is_active { StepState::Waiting } else { StepState::Pending };
    step.approved_by = None;
    step.shown_at = now;
    outcome.note(AuditKind::Outcome, &Arc::from(ENGINE), &text);
}
