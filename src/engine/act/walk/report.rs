//! What a running step reports, and what that makes of the run.

use std::sync::Arc;

use super::super::policy::Gate;
use super::{ENGINE, WalkOutcome, name_of, recover};
use crate::engine::clock::Timestamp;
use crate::engine::input::{StepProgress, StepReport};
use crate::engine::limits::STEP_OUTPUT_LINES_MAX;
use crate::engine::model::{AuditKind, Run, RunState, RunStep, StepKind, StepState};

/// Takes a report in; `None` where it is about a step that does not run (any more), and so changes nothing.
///
/// A step of a stopped run is still listened to: what it did before it ended is part of the truth.
#[must_use]
pub fn on_report(run: &Run, report: &StepReport, gate: &Gate<'_>, now: Timestamp) -> Option<WalkOutcome> {
    let index = report.step;
    let StepState::Running { since, is_dry_run } = run.steps.get(index)?.state else {
        return None;
    };
    let mut outcome = WalkOutcome::unchanged(run);
    match &report.progress {
        StepProgress::Output(lines) => take_output(&mut outcome.run.steps[index], lines),
        StepProgress::Digest { sha256, bytes } => {
            let text = format!("{} wrote {bytes} bytes, SHA-256 {sha256}", name_of(run, index));
            outcome.note(AuditKind::Outcome, &Arc::from(ENGINE), &text);
        }
        ended if is_dry_run => dry_run_ended(&mut outcome, index, ended, now),
        StepProgress::Exited { code, took_ms } => {
            outcome.run.steps[index].exit_code = *code;
            match failure(&outcome.run.steps[index], *code) {
                None => succeeded(&mut outcome, index, since, *took_ms, gate, now),
                Some(reason) => failed(&mut outcome, index, since, &reason, now),
            }
        }
        // It never began, so there is no change to tell.
        StepProgress::NotStarted { reason } => outcome.fail(index, reason, now),
        StepProgress::Stopped { reason } => failed(&mut outcome, index, since, reason, now),
        StepProgress::Lost { reason } if is_act(&run.steps[index]) => {
            recover::lose_sight(&mut outcome, index, since, &format!("was lost: {reason}"));
        }
        StepProgress::Lost { reason } => outcome.fail(index, reason, now),
    }
    Some(outcome)
}

fn succeeded(outcome: &mut WalkOutcome, index: usize, since: Timestamp, took_ms: i64, gate: &Gate<'_>, now: Timestamp) {
    let text = format!("{} done in {took_ms} ms, exit code 0", name_of(&outcome.run, index));
    outcome.run.steps[index].state = StepState::Succeeded { at: now };
    outcome.note(AuditKind::Outcome, &Arc::from(ENGINE), &text);
    if is_act(&outcome.run.steps[index]) {
        outcome.tell(now, &Arc::from(ENGINE), &format!("{} done", name_of(&outcome.run, index)));
        outcome.tell_change(index, since, now, true);
    }
    if outcome.run.state == RunState::Active {
        outcome.offer(gate, now);
    }
}

fn failed(outcome: &mut WalkOutcome, index: usize, since: Timestamp, reason: &str, now: Timestamp) {
    if is_act(&outcome.run.steps[index]) {
        outcome.fail(index, &format!("{reason}; it may have taken effect in part"), now);
        outcome.tell_change(index, since, now, false);
    } else {
        outcome.fail(index, reason, now);
    }
}

/// However a dry run ends, the step is offered again.
fn dry_run_ended(outcome: &mut WalkOutcome, index: usize, ended: &StepProgress, now: Timestamp) {
    let text = match ended {
        StepProgress::Exited { code: Some(code), took_ms } => format!("exit code {code} after {took_ms} ms"),
        StepProgress::Exited { code: None, .. } => "ended by a signal".to_owned(),
        StepProgress::NotStarted { reason } | StepProgress::Stopped { reason } | StepProgress::Lost { reason } => {
            reason.to_string()
        }
        StepProgress::Output(_) | StepProgress::Digest { .. } => return,
    };
    let name = name_of(&outcome.run, index);
    let step = &mut outcome.run.steps[index];
    step.exit_code = if let StepProgress::Exited { code, .. } = ended { *code } else { None };
    step.state = if outcome.run.state == RunState::Active { StepState::Waiting } else { StepState::Pending };
    step.shown_at = now;
    take_output(step, &[format!("dry run: {text}").into()]);
    outcome.note(AuditKind::Outcome, &Arc::from(ENGINE), &format!("dry run of {name}: {text}"));
}

/// Why a command that ended has failed, where it has.
fn failure(step: &RunStep, code: Option<i32>) -> Option<String> {
    let last = step.output.last().map(|line| format!("; it said: {line}")).unwrap_or_default();
    match (code, &step.bound.spec.kind) {
        (None, _) => Some(format!("ended by a signal{last}")),
        (Some(0), StepKind::Check { expect, .. }) if !is_in_output(step, expect) => {
            Some(format!("`{expect}` is not in its output{last}"))
        }
        (Some(0), _) => None,
        (Some(code), _) => Some(format!("exit code {code}{last}")),
    }
}

fn is_in_output(step: &RunStep, expect: &str) -> bool {
    expect.is_empty() || step.output.iter().any(|line| line.contains(expect))
}

fn is_act(step: &RunStep) -> bool {
    matches!(step.bound.spec.kind, StepKind::Act { .. })
}

/// Keeps the first and the last half of the lines. A line that a check waits for is never the one that goes.
fn take_output(step: &mut RunStep, lines: &[Arc<str>]) {
    step.output.extend_from_slice(lines);
    let Some(excess) = step.output.len().checked_sub(STEP_OUTPUT_LINES_MAX).filter(|excess| *excess > 0) else {
        return;
    };
    let half = STEP_OUTPUT_LINES_MAX / 2;
    let dropped: Vec<Arc<str>> = step.output.drain(half..half + excess).collect();
    step.output_dropped_count += dropped.len() as u64;
    if let StepKind::Check { expect, .. } = &step.bound.spec.kind
        && !is_in_output(step, expect)
        && let Some(expected) = dropped.into_iter().find(|line| line.contains(expect.as_ref()))
        && let Some(edge) = step.output.get_mut(half)
    {
        *edge = expected;
    }
}
