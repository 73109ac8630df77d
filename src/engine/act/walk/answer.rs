//! A person's answer to what is offered: approve, try, pass over, choose.

use std::sync::Arc;

use super::{ENGINE, RunNotice, WalkOutcome, name_of};
use crate::engine::act::policy::{self, Approved, Decision, Gate, GateRefusal};
use crate::engine::model::{Approval, AuditKind, Run, RunState, StepKind, StepState};

/// A person approves the offered step, by the token of the offer.
///
/// # Errors
/// When the gate refuses; nothing has changed then.
pub fn approve(
    run: &Run,
    step: usize,
    token: &str,
    typed_target: Option<&str>,
    by: &Arc<str>,
    gate: &Gate<'_>,
) -> Result<WalkOutcome, GateRefusal> {
    if matches!(run.steps.get(step).map(|step| &step.bound.spec.kind), Some(StepKind::Ask { .. })) {
        let why = Arc::from("it is a question; choose one of its answers");
        return Err(GateRefusal::NoWay { run: run.id, why });
    }
    let approved = policy::approve(run, step, token, typed_target, by, gate)?;
    let mut outcome = WalkOutcome::unchanged(run);
    let digest = Arc::clone(&run.steps[step].bound.digest);
    let name = name_of(run, step);
    outcome.note(AuditKind::Approval, by, &format!("approved {name}, digest {digest}"));
    if let Approved::Wants(more) = approved {
        let at = gate.now;
        outcome.run.steps[step].approvals.push(Approval { by: Arc::clone(by), at, offer: Arc::from(token) });
        outcome.tell(gate.now, by, &format!("approved {name}; {more} more must"));
        return Ok(outcome);
    }
    outcome.go(step, approved, by, gate);
    Ok(outcome)
}

/// Begins the current step by itself where the gate lets it and its time has come.
pub(super) fn begin_by_itself(run: &Run, step: usize, gate: &Gate<'_>) -> Option<WalkOutcome> {
    let must_notify = matches!(policy::decide(run, step, gate), Decision::Allow { must_notify: true, .. });
    let approved = policy::begin_by_itself(run, step, gate).ok()?;
    let mut outcome = WalkOutcome::unchanged(run);
    let (by, name) = (Arc::from(ENGINE), name_of(run, step));
    let text = format!("{name} begins by itself: {}", run.steps[step].gate_text);
    outcome.note(AuditKind::Decision, &by, &text);
    if must_notify {
        outcome.notice(&text, false);
    }
    outcome.go(step, approved, &by, gate);
    Some(outcome)
}

impl WalkOutcome {
    fn go(&mut self, step: usize, approved: Approved, by: &Arc<str>, gate: &Gate<'_>) {
        self.run.steps[step].approved_by = Some(Arc::clone(by));
        match approved {
            Approved::Begin(call) => self.begin(call, by, gate),
            Approved::Pass | Approved::Wants(_) => {
                if let StepKind::Notify { channel, text } = &self.run.steps[step].bound.spec.kind {
                    let notice = RunNotice { channel: Arc::clone(channel), text: Arc::clone(text), is_urgent: false };
                    let told = format!("to be told to {}: {text}", self.run.steps[step].bound.spec.touches);
                    self.notices.push(notice);
                    self.note(AuditKind::Outcome, by, &told);
                }
                self.run.steps[step].state = StepState::Succeeded { at: gate.now };
                self.offer(gate);
            }
        }
    }
}

/// A person asks what the offered step would do.
///
/// # Errors
/// When the gate refuses or the step has no dry run; nothing has changed then.
pub fn dry_run(
    run: &Run,
    step: usize,
    token: &str,
    by: &Arc<str>,
    gate: &Gate<'_>,
) -> Result<WalkOutcome, GateRefusal> {
    let approved = policy::approve_dry_run(run, step, token, gate)?;
    let mut outcome = WalkOutcome::unchanged(run);
    outcome.begin(approved, by, gate);
    Ok(outcome)
}

/// A person passes over the offered step, one that only watches, or one that failed.
///
/// # Errors
/// When the run is over or the step is not the one offered.
pub fn skip(run: &Run, step: usize, reason: &str, by: &Arc<str>, gate: &Gate<'_>) -> Result<WalkOutcome, GateRefusal> {
    if !matches!(run.state, RunState::Active | RunState::Paused) {
        return Err(GateRefusal::RunOver(run.id));
    }
    let may_be_skipped = run.current_step() == Some(step)
        && matches!(
            run.steps[step].state,
            StepState::Waiting | StepState::Watching { .. } | StepState::Elapsing { .. } | StepState::Failed { .. }
        );
    if !may_be_skipped {
        return Err(GateRefusal::NotOffered { run: run.id, step });
    }
    let mut outcome = WalkOutcome::unchanged(run);
    let reason = if reason.trim().is_empty() { "no reason given" } else { reason.trim() };
    let text = format!("skipped {}: {reason}", name_of(run, step));
    outcome.run.steps[step].state = StepState::Skipped { at: gate.now, by: Arc::clone(by), reason: Arc::from(reason) };
    outcome.run.steps[step].begins_at = None;
    outcome.note(AuditKind::Approval, by, &text);
    outcome.tell(gate.now, by, &text);
    // Whoever passes over what the run paused at has looked at it.
    if matches!(run.steps[step].state, StepState::Failed { .. }) {
        outcome.reopen();
    }
    outcome.offer(gate);
    Ok(outcome)
}

/// A person answers the question that is offered.
///
/// # Errors
/// When the step is not offered or no question, there is no such answer, or the token is another.
pub fn choose(
    run: &Run,
    step: usize,
    token: &str,
    choice: usize,
    by: &Arc<str>,
    gate: &Gate<'_>,
) -> Result<WalkOutcome, GateRefusal> {
    policy::approve(run, step, token, None, by, gate)?;
    let StepKind::Ask { question, choices } = &run.steps[step].bound.spec.kind else {
        let why = Arc::from("it is no question");
        return Err(GateRefusal::NoWay { run: run.id, why });
    };
    let Some(chosen) = choices.get(choice) else {
        let why = format!("there are {} answers", choices.len()).into();
        return Err(GateRefusal::NoWay { run: run.id, why });
    };
    let mut outcome = WalkOutcome::unchanged(run);
    let text = format!("{question} {} ({})", chosen.text, name_of(run, step));
    outcome.run.steps[step].answer = Some(Arc::clone(&chosen.text));
    outcome.run.steps[step].approved_by = Some(Arc::clone(by));
    outcome.note(AuditKind::Approval, by, &text);
    outcome.tell(gate.now, by, &text);
    outcome.jump(step, &chosen.goto, by, gate.now);
    outcome.offer(gate);
    Ok(outcome)
}
