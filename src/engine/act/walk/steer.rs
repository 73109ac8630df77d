//! A person leads the run elsewhere: again, from another step, with other values, back, on, or to its end.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{WalkOutcome, name_of};
use crate::engine::act::policy::{self, Gate, GateRefusal};
use crate::engine::model::{AuditKind, BoundStep, Run, RunState, RunStep, StepKind, StepState};

fn no_way(run: &Run, why: &str) -> GateRefusal {
    GateRefusal::NoWay { run: run.id, why: Arc::from(why) }
}

/// Offers a step that failed, or the last that succeeded, once more: as another attempt, through the gate like the first.
///
/// # Errors
/// When the step has not ended, or its end is not known.
pub fn retry(run: &Run, step: usize, by: &Arc<str>, gate: &Gate<'_>) -> Result<WalkOutcome, GateRefusal> {
    let state = run.steps.get(step).map(|step| &step.state).ok_or_else(|| no_way(run, "there is no such step"))?;
    match state {
        StepState::Failed { .. } | StepState::Succeeded { .. } | StepState::Undone { .. } => {}
        StepState::Unknown { .. } => return Err(no_way(run, "say first whether the step happened")),
        StepState::Skipped { .. } | StepState::PassedOver { .. } => {
            return Err(no_way(run, "the step was passed over; run from it instead"));
        }
        _ => return Err(no_way(run, "the step has not ended")),
    }
    lead(run, step, &format!("retries {}", name_of(run, step)), by, gate)
}

/// Goes on with another step: a later one, with those between passed over, or an earlier one, with those after it again.
///
/// # Errors
/// When a step runs, its end is not known, or there is no such step.
pub fn run_from(
    run: &Run,
    step: usize,
    reason: &str,
    by: &Arc<str>,
    gate: &Gate<'_>,
) -> Result<WalkOutcome, GateRefusal> {
    if run.steps.get(step).is_none() {
        return Err(no_way(run, "there is no such step"));
    }
    let reason = if reason.trim().is_empty() { "no reason given" } else { reason.trim() };
    lead(run, step, &format!("runs from {}: {reason}", name_of(run, step)), by, gate)
}

fn lead(run: &Run, to: usize, text: &str, by: &Arc<str>, gate: &Gate<'_>) -> Result<WalkOutcome, GateRefusal> {
    if run.state == RunState::Stopped {
        return Err(GateRefusal::RunOver(run.id));
    }
    let is_newest = gate.runs.values().all(|other| other.subject != run.subject || other.id <= run.id);
    if !run.state.is_open() && !is_newest {
        return Err(no_way(run, &format!("a later run was begun for {}", run.subject)));
    }
    for step in &run.steps {
        match step.state {
            StepState::Running { .. } => return Err(no_way(run, "a step is running; wait for its end or stop it")),
            StepState::Unknown { .. } => return Err(no_way(run, "say first whether the interrupted step happened")),
            _ => {}
        }
    }
    let mut outcome = WalkOutcome::unchanged(run);
    let now = gate.now;
    outcome.note(AuditKind::Approval, by, text);
    outcome.tell(now, by, text);
    for (index, step) in outcome.run.steps.iter_mut().enumerate() {
        if index >= to {
            begin_anew(step);
        } else if !step.state.is_passed() {
            step.state = StepState::Skipped { at: now, by: Arc::clone(by), reason: Arc::from("led past it") };
        }
    }
    outcome.reopen();
    outcome.offer(gate);
    Ok(outcome)
}

/// The step is gone through again; what it did before can still be taken back.
fn begin_anew(step: &mut RunStep) {
    step.is_in_force = step.stands();
    step.state = StepState::Pending;
    step.approved_by = None;
    step.is_as_expected = None;
    step.answer = None;
    step.harm_before = None;
}

/// A person has looked at why the run paused, and lets it go on. A failed check stays failed: retry it or skip it.
///
/// # Errors
/// When it is not paused, or stands at a step that failed.
pub fn resume(run: &Run, reason: &str, by: &Arc<str>, gate: &Gate<'_>) -> Result<WalkOutcome, GateRefusal> {
    if run.state != RunState::Paused {
        return Err(no_way(run, "it is not paused"));
    }
    let at = run.current_step().and_then(|index| run.steps.get(index));
    if matches!(at.map(|step| &step.state), Some(StepState::Failed { .. })) {
        return Err(no_way(run, "its step failed; retry it, skip it with a reason, or stop"));
    }
    let mut outcome = WalkOutcome::unchanged(run);
    let text = format!("{} goes on after its pause ({}): {}", run.id, run.word, reason.trim());
    outcome.note(AuditKind::Approval, by, &text);
    outcome.tell(gate.now, by, &text);
    outcome.reopen();
    outcome.offer(gate);
    Ok(outcome)
}

/// Takes other values: every step that has not ended is bound anew, and what is offered asks again. What checks found out
/// with the old values, and what was decided by it, says nothing of the new ones and is gone through again; acts that were
/// done stay done.
///
/// # Errors
/// When the run is over, a step runs, or nothing is left that the values would change.
pub fn edit(
    run: &Run,
    params: &BTreeMap<Arc<str>, Arc<str>>,
    steps: &[BoundStep],
    by: &Arc<str>,
    gate: &Gate<'_>,
) -> Result<WalkOutcome, GateRefusal> {
    if !run.state.is_open() {
        return Err(GateRefusal::RunOver(run.id));
    }
    if run.steps.iter().any(|step| matches!(step.state, StepState::Running { .. } | StepState::Unknown { .. })) {
        return Err(no_way(run, "a step has begun and not ended; its values stay as they are"));
    }
    let mut outcome = WalkOutcome::unchanged(run);
    let changed: Vec<String> = params
        .iter()
        .filter(|(name, value)| run.params.get(*name) != Some(value))
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    if changed.is_empty() {
        return Err(no_way(run, "these are its values already"));
    }
    // Its way back would go to the new target.
    let is_bound_elsewhere =
        |(step, bound): (&RunStep, &BoundStep)| step.is_in_force && step.bound.digest != bound.digest;
    if let Some(index) = run.steps.iter().zip(steps).position(is_bound_elsewhere) {
        return Err(no_way(
            run,
            &format!("{} is in force with the old values; take it back first", name_of(run, index)),
        ));
    }
    let text = format!("{} takes other values: {}", run.id, changed.join(", "));
    outcome.note(AuditKind::Approval, by, &text);
    outcome.tell(gate.now, by, &text);
    outcome.run.params = params.clone();
    let mut is_other_from_here = false;
    for (step, bound) in outcome.run.steps.iter_mut().zip(steps) {
        let kind = &step.bound.spec.kind;
        let finds_out = !matches!(kind, StepKind::Act(_) | StepKind::Note | StepKind::Notify { .. });
        let is_decision = matches!(kind, StepKind::Branch { .. } | StepKind::Ask { .. });
        let is_found_out = finds_out && matches!(step.state, StepState::Succeeded { .. } | StepState::Skipped { .. });
        let was_passed_over = matches!(step.state, StepState::PassedOver { .. });
        is_other_from_here |= is_found_out && (is_decision || step.bound.digest != bound.digest);
        if is_other_from_here && (was_passed_over || is_found_out) {
            step.bound = bound.clone();
            begin_anew(step);
        } else if !step.state.is_passed() {
            step.bound = bound.clone();
            if !matches!(step.state, StepState::Failed { .. }) {
                step.state = StepState::Pending;
            }
        }
    }
    outcome.offer(gate);
    Ok(outcome)
}

/// Takes a step back, through the gate; the run pauses afterwards.
///
/// # Errors
/// When the gate refuses; nothing has changed then.
pub fn undo(run: &Run, step: usize, token: &str, by: &Arc<str>, gate: &Gate<'_>) -> Result<WalkOutcome, GateRefusal> {
    let approved = policy::approve_undo(run, step, token, gate)?;
    let mut outcome = WalkOutcome::unchanged(run);
    outcome.note(AuditKind::Approval, by, &format!("takes back {}", name_of(run, step)));
    outcome.begin(approved, by, gate);
    Ok(outcome)
}

/// A person ends the run, and hands it over where `escalate` says why; a call that runs is stopped, and its end is still
/// waited for and recorded.
///
/// # Errors
/// When the run is over already.
pub fn stop(run: &Run, escalate: Option<&str>, by: &Arc<str>, gate: &Gate<'_>) -> Result<WalkOutcome, GateRefusal> {
    if !run.state.is_open() {
        return Err(GateRefusal::RunOver(run.id));
    }
    let now = gate.now;
    let mut outcome = WalkOutcome::unchanged(run);
    outcome.halt(by, now);
    match escalate.map(str::trim) {
        Some(why) => outcome.escalate(if why.is_empty() { "no reason given" } else { why }, by, now),
        None => {
            let text = format!("{} stopped: {}", run.id, run.runbook.title);
            outcome.note(AuditKind::Approval, by, &text);
            outcome.tell(now, by, &text);
        }
    }
    outcome.end(RunState::Stopped, now);
    Ok(outcome)
}

impl WalkOutcome {
    /// What is under way ends: a call is told to stop, watching breaks off.
    fn halt(&mut self, by: &Arc<str>, now: crate::engine::clock::Timestamp) {
        let is_running = |state: &StepState| matches!(state, StepState::Running { .. });
        self.cancel = self.run.steps.iter().position(|step| is_running(&step.state));
        let Some(step) = self.run.current_step() else { return };
        let state = &mut self.run.steps[step].state;
        match state {
            StepState::Waiting | StepState::Elapsing { .. } => *state = StepState::Pending,
            StepState::Watching { .. } => {
                *state = StepState::Failed { at: now, reason: format!("stopped by {by} before it was certain").into() };
            }
            _ => {}
        }
    }
}
