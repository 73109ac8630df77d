//! Steps whose end was not seen: found at start, never run again by themselves; their probe says whether they happened,
//! else a person does.

use std::sync::Arc;

use super::report::{Answer, answer, told};
use super::{ENGINE, WalkOutcome, name_of, watch};
use crate::engine::act::policy::{self, Gate, GateRefusal};
use crate::engine::clock::Timestamp;
use crate::engine::input::StepProgress;
use crate::engine::model::{AuditKind, Purpose, Repeat, Run, RunState, StepKind, StepState};

/// Looks at a run as found on disk at start; `None` where nothing was under way.
///
/// A call that looks, and a dry run, are simply offered again. An act with an intent and no outcome becomes unknown, and
/// its probe, where it has one, begins at once: it only looks.
#[must_use]
pub fn recover(run: &Run, gate: &Gate<'_>) -> Option<WalkOutcome> {
    let index = run
        .steps
        .iter()
        .position(|step| matches!(step.state, StepState::Running { .. }))
        .or_else(|| run.current_step())?;
    let step = run.steps.get(index)?;
    let mut outcome = WalkOutcome::unchanged(run);
    match step.state {
        StepState::Running { since, purpose } => {
            let is_act = matches!(step.bound.spec.kind, StepKind::Act(_));
            match purpose {
                Purpose::Run if !is_act => offer_again(&mut outcome, index, gate),
                Purpose::DryRun => offer_again(&mut outcome, index, gate),
                Purpose::Probe => {
                    outcome.run.steps[index].state = StepState::Unknown { since };
                    outcome.probe(index, gate);
                }
                Purpose::Run | Purpose::Undo => {
                    lose_sight(&mut outcome, index, since, "was running when the program ended");
                    outcome.probe(index, gate);
                }
            }
        }
        StepState::Watching { .. } if run.state == RunState::Active => {
            outcome.run.steps[index].state = watch::begin(&step.bound.spec, gate.now);
        }
        // Keys that act are inert for a moment after a restart, too, and what was shown before it is shown anew.
        StepState::Waiting if run.state == RunState::Active => outcome.offer(gate),
        _ => return None,
    }
    Some(outcome)
}

/// Looks by its probe whether an unknown step took effect.
///
/// # Errors
/// When the step is not unknown, has no probe, or the gate denies the call.
pub fn probe(run: &Run, step: usize, by: &Arc<str>, gate: &Gate<'_>) -> Result<WalkOutcome, GateRefusal> {
    let approved = policy::approve_probe(run, step, gate)?;
    let mut outcome = WalkOutcome::unchanged(run);
    outcome.begin(approved, by, gate);
    Ok(outcome)
}

impl WalkOutcome {
    /// Begins the probe where there is one and the gate lets it; else the step stays unknown for a person.
    fn probe(&mut self, index: usize, gate: &Gate<'_>) {
        if let Ok(approved) = policy::approve_probe(&self.run, index, gate) {
            self.begin(approved, &Arc::from(ENGINE), gate);
        }
    }
}

/// What the last call of the step that could change anything was for.
fn last_change(run: &Run, index: usize) -> Option<Purpose> {
    let step = run.steps.get(index)?;
    step.acts_begun().last().map(|begun| begun.purpose)
}

/// A probe that looked while the act may still have been under way looks once more when its time is over.
pub(super) fn look_again(run: &Run, gate: &Gate<'_>) -> Option<WalkOutcome> {
    let index = run.steps.iter().position(|step| matches!(step.state, StepState::Unknown { .. }))?;
    let step = run.steps.get(index)?;
    let last = step.begun.last().filter(|begun| begun.purpose == Purpose::Probe)?;
    let is_over_at = step.act_is_over_at()?;
    if last.at >= is_over_at || gate.now < is_over_at {
        return None;
    }
    let mut outcome = WalkOutcome::unchanged(run);
    outcome.probe(index, gate);
    outcome.execute.is_some().then_some(outcome)
}

/// When the step was last called: for a probe that has just ended, when that looked.
fn looked_at(outcome: &WalkOutcome, index: usize) -> Timestamp {
    outcome.run.steps[index].begun.last().map_or(Timestamp(0), |begun| begun.at)
}

/// The probe ended: it says that what was done last happened, or that it did not, where its time is over, or nothing.
pub(super) fn probe_ended(outcome: &mut WalkOutcome, index: usize, end: &StepProgress, gate: &Gate<'_>) {
    let since = outcome.run.steps[index].acts_begun().last().map_or(gate.now, |begun| begun.at);
    let is_over_at = outcome.run.steps[index].act_is_over_at().unwrap_or(gate.now);
    let was_undo = last_change(&outcome.run, index) == Some(Purpose::Undo);
    outcome.run.steps[index].state = StepState::Unknown { since };
    let engine: Arc<str> = Arc::from(ENGINE);
    match answer(&outcome.run.steps[index], end, was_undo) {
        Answer::Yes => {
            settle(outcome, index, since, true, &engine, "its probe says", gate);
        }
        Answer::No if looked_at(outcome, index) < is_over_at => {
            let text = format!(
                "{}: its probe says {} has not happened; until {} it may still be under way, so look again after that",
                name_of(&outcome.run, index),
                if was_undo { "taking it back" } else { "it" },
                is_over_at.hh_mm_ss()
            );
            outcome.note(AuditKind::Outcome, &engine, &text);
            outcome.tell(gate.now, &engine, &text);
        }
        Answer::No => {
            settle(outcome, index, since, false, &engine, "its probe says", gate);
        }
        Answer::Nothing => {
            let text = format!(
                "the probe of {} says nothing ({}); look yourself and settle it by hand",
                name_of(&outcome.run, index),
                told(end)
            );
            outcome.note(AuditKind::Outcome, &engine, &text);
            outcome.tell(gate.now, &engine, &text);
        }
    }
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
) -> Result<WalkOutcome, GateRefusal> {
    let Some(&StepState::Unknown { since }) = run.steps.get(step).map(|step| &step.state) else {
        return Err(GateRefusal::NotUnknown { run: run.id, step });
    };
    let mut outcome = WalkOutcome::unchanged(run);
    settle(&mut outcome, step, since, has_happened, by, "as settled by hand,", gate);
    Ok(outcome)
}

fn settle(
    outcome: &mut WalkOutcome,
    step: usize,
    since: Timestamp,
    has_happened: bool,
    by: &Arc<str>,
    who_says: &str,
    gate: &Gate<'_>,
) {
    let was_undo = last_change(&outcome.run, step) == Some(Purpose::Undo);
    let what = if was_undo { "taking it back" } else { "it" };
    let verb = if has_happened { "happened" } else { "did not happen" };
    let text = format!("{}: {who_says} {what} {verb}", name_of(&outcome.run, step));
    outcome.note(AuditKind::Outcome, by, &text);
    outcome.tell(gate.now, by, &text);
    // A run that was stopped stays stopped; one that was interrupted goes on.
    if outcome.run.state == RunState::Interrupted {
        outcome.reopen();
    }
    outcome.run.steps[step].state = match (has_happened, was_undo) {
        (true, true) => StepState::Undone { at: gate.now, by: Arc::clone(by) },
        (true, false) | (false, true) => StepState::Succeeded { at: gate.now },
        (false, false) => StepState::Pending,
    };
    if has_happened {
        outcome.run.steps[step].is_in_force &= !was_undo;
        let verb = if was_undo { "took back " } else { "" };
        outcome.tell_change(step, since, gate.now, true, verb);
    } else {
        outcome.tell_no_change(step, since, gate.now);
    }
    if outcome.run.state == RunState::Active {
        outcome.offer(gate);
    }
}

/// The end of a running step will not be seen.
pub(super) fn lose_sight(outcome: &mut WalkOutcome, index: usize, since: Timestamp, what: &str) {
    let step = &outcome.run.steps[index];
    let hint = match step.bound.spec.act().map(|act| &act.repeat) {
        Some(Repeat::Probe(_) | Repeat::Look { .. }) => "its probe may say",
        Some(Repeat::Safe) => "to do it again does no harm",
        _ => "look and settle it by hand",
    };
    let text = format!("{} {what}; whether it took effect is unknown, {hint}", name_of(&outcome.run, index));
    outcome.run.steps[index].state = StepState::Unknown { since };
    outcome.note(AuditKind::Outcome, &Arc::from(ENGINE), &text);
    outcome.tell(since, &Arc::from(ENGINE), &text);
    outcome.notice(&text, true);
    if matches!(outcome.run.state, RunState::Active | RunState::Paused) {
        outcome.run.state = RunState::Interrupted;
    }
}

fn offer_again(outcome: &mut WalkOutcome, index: usize, gate: &Gate<'_>) {
    let text =
        format!("{} was cut off before its end; it only looks, so it is offered again", name_of(&outcome.run, index));
    let step = &mut outcome.run.steps[index];
    step.state = StepState::Pending;
    step.approved_by = None;
    outcome.note(AuditKind::Outcome, &Arc::from(ENGINE), &text);
    outcome.offer(gate);
}
