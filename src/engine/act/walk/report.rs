//! What a running step reports, and what that makes of the run.

use std::sync::Arc;

use regex::Regex;

use super::{ENGINE, WalkOutcome, name_of};
use crate::engine::act::policy::{self, Gate};
use crate::engine::clock::Timestamp;
use crate::engine::input::{StepProgress, StepReport};
use crate::engine::limits::STEP_OUTPUT_LINES_MAX;
use crate::engine::model::{
    AuditKind, CheckSpec, Look, MetricGoal, OnlyNames, Purpose, Reading, Repeat, Run, RunState, RunStep, StepKind,
    StepState, Unexpected, human,
};

/// True where the report is about the very attempt of the step that runs now. One of an attempt before says nothing of it:
/// a retry is not over because the first try has ended at last.
#[must_use]
pub fn is_awaited(run: &Run, report: &StepReport) -> bool {
    let step = run.steps.get(report.step).filter(|_| run.id == report.run);
    step.is_some_and(|step| {
        matches!(step.state, StepState::Running { .. })
            && step.begun.last().is_some_and(|begun| begun.id == report.attempt)
    })
}

/// Takes a report in; `None` where nobody [awaits](is_awaited) it, and so it changes nothing.
///
/// A step of a stopped run is still listened to: what it did before it ended is part of the truth.
#[must_use]
pub fn on_report(run: &Run, report: &StepReport, gate: &Gate<'_>) -> Option<WalkOutcome> {
    let index = report.step;
    let StepState::Running { since, purpose } = run.steps.get(index).filter(|_| is_awaited(run, report))?.state else {
        return None;
    };
    let mut outcome = WalkOutcome::unchanged(run);
    if let StepProgress::Output(lines) = &report.progress {
        take_output(&mut outcome.run.steps[index], lines);
        return Some(outcome);
    }
    if let StepProgress::Digest { sha256, bytes } = &report.progress {
        let text = format!("{} wrote {bytes} bytes, SHA-256 {sha256}", name_of(run, index));
        outcome.note(AuditKind::Outcome, &Arc::from(ENGINE), &text);
        return Some(outcome);
    }
    if let StepProgress::Exited { code, .. } = &report.progress {
        outcome.run.steps[index].exit_code = *code;
    }
    if let StepProgress::NotStarted { .. } = &report.progress
        && let Some(begun) = outcome.run.steps[index].begun.last_mut()
    {
        begun.is_void = true;
    }
    match purpose {
        Purpose::Run => ended(&mut outcome, index, since, &report.progress, gate),
        Purpose::DryRun => dry_run_ended(&mut outcome, index, &report.progress, gate),
        Purpose::Probe => super::recover::probe_ended(&mut outcome, index, &report.progress, gate),
        Purpose::Undo => undo_ended(&mut outcome, index, since, &report.progress, gate),
    }
    Some(outcome)
}

fn ended(outcome: &mut WalkOutcome, index: usize, since: Timestamp, end: &StepProgress, gate: &Gate<'_>) {
    match end {
        StepProgress::Exited { code, took_ms } => match &outcome.run.steps[index].bound.spec.kind {
            StepKind::Check(check) => {
                let check = check.clone();
                let problem = unexpected(&outcome.run.steps[index], &check, *code);
                checked(outcome, index, &check, problem, Some(*took_ms), gate);
            }
            _ => match failure(&outcome.run.steps[index], *code) {
                None => succeeded(outcome, index, since, *took_ms, gate),
                Some(reason) => failed(outcome, index, since, &reason, gate.now),
            },
        },
        StepProgress::NotStarted { reason } => {
            not_started(outcome, index, reason, gate);
            if is_act(&outcome.run.steps[index]) {
                outcome.tell_no_change(index, since, gate.now);
            }
        }
        StepProgress::Stopped { reason } => failed(outcome, index, since, reason, gate.now),
        StepProgress::Lost { reason } => {
            if is_act(&outcome.run.steps[index]) {
                super::recover::lose_sight(outcome, index, since, reason);
            } else {
                not_started(outcome, index, reason, gate);
            }
        }
        StepProgress::Output(_) | StepProgress::Digest { .. } => {}
    }
}

/// A check that could not look pauses the run; an act that did not begin stops it.
fn not_started(outcome: &mut WalkOutcome, index: usize, reason: &Arc<str>, gate: &Gate<'_>) {
    match &outcome.run.steps[index].bound.spec.kind {
        StepKind::Check(check) => {
            let check = check.clone();
            checked(outcome, index, &check, Some(reason.to_string()), None, gate);
        }
        _ => outcome.fail(index, reason, gate.now),
    }
}

fn succeeded(outcome: &mut WalkOutcome, index: usize, since: Timestamp, took_ms: i64, gate: &Gate<'_>) {
    let text = format!("{} done in {took_ms} ms, exit code 0", name_of(&outcome.run, index));
    outcome.run.steps[index].state = StepState::Succeeded { at: gate.now };
    outcome.note(AuditKind::Outcome, &Arc::from(ENGINE), &text);
    if is_act(&outcome.run.steps[index]) {
        outcome.tell(gate.now, &Arc::from(ENGINE), &format!("{} done", name_of(&outcome.run, index)));
        outcome.tell_change(index, since, gate.now, true, "");
        if let Some(problem) = unlike(&outcome.run.steps[index]) {
            outcome.pause(&format!("{} ended well and {problem}", name_of(&outcome.run, index)), gate.now);
        }
    }
    if outcome.run.state == RunState::Active {
        outcome.offer(gate);
    }
}

/// What an act did not say of what its page expects it to.
fn unlike(step: &RunStep) -> Option<String> {
    let expect = step.bound.spec.act().map(|act| &act.expect)?;
    let last = step.output.last().map(|line| format!("; it said: {line}")).unwrap_or_default();
    (!is_in_output(step, expect)).then(|| format!("`{expect}` is not in its output{last}"))
}

fn failed(outcome: &mut WalkOutcome, index: usize, since: Timestamp, reason: &str, now: Timestamp) {
    if is_act(&outcome.run.steps[index]) {
        outcome.fail(index, &format!("{reason}; it may have taken effect in part"), now);
        outcome.tell_change(index, since, now, false, "");
    } else {
        outcome.fail(index, reason, now);
    }
}

/// A check has looked: it saw what it expects, or the run pauses, or goes on and remembers. True where the run goes on by
/// itself.
fn checked(
    outcome: &mut WalkOutcome,
    index: usize,
    check: &CheckSpec,
    problem: Option<String>,
    took_ms: Option<i64>,
    gate: &Gate<'_>,
) -> bool {
    let goes_on = seen(outcome, index, check, problem, took_ms, gate.now);
    if goes_on && outcome.run.state == RunState::Active {
        outcome.offer(gate);
    }
    goes_on
}

fn seen(
    outcome: &mut WalkOutcome,
    index: usize,
    check: &CheckSpec,
    problem: Option<String>,
    took_ms: Option<i64>,
    now: Timestamp,
) -> bool {
    let name = name_of(&outcome.run, index);
    let took = took_ms.map(|ms| format!(" in {ms} ms")).unwrap_or_default();
    let step = &mut outcome.run.steps[index];
    step.is_as_expected = Some(problem.is_none());
    let text = match &problem {
        None if matches!(check.look, Look::Metric(_)) => {
            format!("{name} done{took}, as expected: {}", few(&step.output))
        }
        None => format!("{name} done{took}, as expected"),
        Some(problem) => format!("{name} saw something else: {problem}"),
    };
    let may_go_on = problem.is_none() || check.otherwise == Unexpected::GoOn;
    step.state = match problem {
        Some(problem) if !may_go_on => StepState::Failed { at: now, reason: problem.into() },
        _ => StepState::Succeeded { at: now },
    };
    outcome.note(AuditKind::Outcome, &Arc::from(ENGINE), &text);
    if !may_go_on {
        outcome.pause(&text, now);
    }
    may_go_on
}

/// The first readings, and how many more there were.
pub(super) fn few(readings: &[Arc<str>]) -> String {
    const SHOWN: usize = 3;
    let shown = readings.iter().take(SHOWN).map(AsRef::as_ref).collect::<Vec<_>>().join("; ");
    let more = readings.len().saturating_sub(SHOWN);
    if more == 0 { shown } else { format!("{shown}; and {more} more") }
}

/// What is known of a metric now, a line for each instance.
pub(super) fn told_readings(goal: &MetricGoal, readings: &[Reading]) -> Vec<Arc<str>> {
    let line = |reading: &Reading| {
        let at = reading.instance.as_deref().unwrap_or(&goal.service);
        format!("{} of {at}: {}", goal.metric, human(reading.value, reading.unit)).into()
    };
    readings.iter().take(STEP_OUTPUT_LINES_MAX).map(line).collect()
}

/// A check that looks at a metric, done at once. True where the run goes on.
pub(super) fn look_at_metric(outcome: &mut WalkOutcome, index: usize, check: &CheckSpec, gate: &Gate<'_>) -> bool {
    let Look::Metric(goal) = &check.look else { return false };
    let readings = policy::fresh_readings(goal, gate);
    let problem = if readings.is_empty() {
        Some(policy::unknown(goal))
    } else {
        readings.iter().find(|reading| !policy::is_met(goal, reading)).map(|worst| {
            let value = human(worst.value, worst.unit);
            format!("{} of {} is {value}, not {}", goal.metric, goal.service, policy::wanted(goal))
        })
    };
    outcome.run.steps[index].output = told_readings(goal, &readings);
    seen(outcome, index, check, problem, None, gate.now)
}

/// However a dry run ends, the step is offered again.
fn dry_run_ended(outcome: &mut WalkOutcome, index: usize, end: &StepProgress, gate: &Gate<'_>) {
    let text = told(end);
    let name = name_of(&outcome.run, index);
    take_output(&mut outcome.run.steps[index], &[format!("dry run: {text}").into()]);
    outcome.note(AuditKind::Outcome, &Arc::from(ENGINE), &format!("dry run of {name}: {text}"));
    if outcome.run.state == RunState::Active {
        outcome.show(index, gate);
    } else {
        outcome.run.steps[index].state = StepState::Pending;
    }
}

fn undo_ended(outcome: &mut WalkOutcome, index: usize, since: Timestamp, end: &StepProgress, gate: &Gate<'_>) {
    let name = name_of(&outcome.run, index);
    let engine: Arc<str> = Arc::from(ENGINE);
    if let StepProgress::Lost { reason } = end {
        super::recover::lose_sight(outcome, index, since, reason);
    } else if matches!(end, StepProgress::Exited { code: Some(0), .. }) {
        let by =
            outcome.run.steps[index].begun.last().map_or_else(|| Arc::clone(&engine), |begun| Arc::clone(&begun.by));
        outcome.run.steps[index].state = StepState::Undone { at: gate.now, by };
        outcome.run.steps[index].is_in_force = false;
        let text = format!("{name} was taken back");
        outcome.note(AuditKind::Outcome, &engine, &text);
        outcome.tell(gate.now, &engine, &text);
        outcome.tell_change(index, since, gate.now, true, "took back ");
        // What interrupted it is no longer there.
        if outcome.run.state == RunState::Interrupted {
            outcome.reopen();
        }
        outcome.pause(&format!("step {} was taken back; say how to go on", index + 1), gate.now);
    } else {
        let reason = format!("taking it back failed: {}", told(end));
        outcome.fail(index, &reason, gate.now);
        outcome.tell_change(index, since, gate.now, false, "took back ");
        // It was over already, so this is the first that people hear of it.
        outcome.run.is_escalated = true;
    }
}

/// How a call ended, in words.
pub fn told(end: &StepProgress) -> String {
    match end {
        StepProgress::Exited { code: Some(code), took_ms } => format!("exit code {code} after {took_ms} ms"),
        StepProgress::Exited { code: None, .. } => "ended by a signal".to_owned(),
        StepProgress::NotStarted { reason } | StepProgress::Stopped { reason } | StepProgress::Lost { reason } => {
            reason.to_string()
        }
        StepProgress::Output(_) | StepProgress::Digest { .. } => String::new(),
    }
}

/// What a check did not see of what it expects.
fn unexpected(step: &RunStep, check: &CheckSpec, code: Option<i32>) -> Option<String> {
    let Look::Call { expect, exit, lines_min, only, .. } = &check.look else { return None };
    let line_count = step.output.iter().filter(|line| !line.trim().is_empty()).count();
    let last = step.output.last().map(|line| format!("; it said: {line}")).unwrap_or_default();
    match code {
        None => Some(format!("ended by a signal{last}")),
        Some(code) if code != *exit => Some(format!("exit code {code}, not {exit}{last}")),
        Some(_) if line_count < *lines_min => Some(format!("it lists {line_count}, not {lines_min} or more{last}")),
        Some(_) if !is_in_output(step, expect) => Some(format!("`{expect}` is not in its output{last}")),
        Some(_) => only.as_ref().and_then(|only| other_name(step, only)),
    }
}

/// What the output names that it may not.
fn other_name(step: &RunStep, only: &OnlyNames) -> Option<String> {
    let (lines, names) = Regex::new(&only.lines).ok().zip(policy::whole(&only.names))?;
    if step.output_dropped_count > 0 {
        return Some("its output is too long to be held against what it may name".to_owned());
    }
    let named = step.output.iter().filter_map(|line| Some(lines.captures(line)?.get(1)?.as_str().to_owned()));
    let other = named.into_iter().find(|name| !names.is_match(name))?;
    Some(format!("it names {other}, which is not among `{}`", only.names))
}

/// What a probe says of whether what was done last happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It did.
    Yes,
    /// It did not.
    No,
    /// Neither.
    Nothing,
}

/// What the probe of a step says by how it ended, or by its output, of the act or of its being taken back.
pub(super) fn answer(step: &RunStep, end: &StepProgress, was_undo: bool) -> Answer {
    let StepProgress::Exited { code, .. } = end else { return Answer::Nothing };
    match (step.bound.spec.act().map(|act| &act.repeat), code) {
        (Some(Repeat::Look { expect, undone, .. }), Some(0)) => {
            let has = |pattern: &str| is_in_output(step, pattern);
            match was_undo {
                false if has(expect) => Answer::Yes,
                false => Answer::No,
                true if undone.is_empty() => Answer::Nothing,
                true if has(undone) => Answer::Yes,
                true if has(expect) => Answer::No,
                // Some of it was taken back and some was not.
                true => Answer::Nothing,
            }
        }
        (Some(Repeat::Probe(_)), Some(0)) if !was_undo => Answer::Yes,
        (Some(Repeat::Probe(_)), Some(1)) if !was_undo => Answer::No,
        _ => Answer::Nothing,
    }
}

/// Why an act that ended has failed, where it has.
fn failure(step: &RunStep, code: Option<i32>) -> Option<String> {
    let last = step.output.last().map(|line| format!("; it said: {line}")).unwrap_or_default();
    match code {
        None => Some(format!("ended by a signal{last}")),
        Some(0) => None,
        Some(code) => Some(format!("exit code {code}{last}")),
    }
}

fn is_in_output(step: &RunStep, expect: &str) -> bool {
    expect.is_empty() || Regex::new(expect).is_ok_and(|pattern| step.output.iter().any(|line| pattern.is_match(line)))
}

fn is_act(step: &RunStep) -> bool {
    matches!(step.bound.spec.kind, StepKind::Act(_))
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
    if let StepKind::Check(CheckSpec { look: Look::Call { expect, .. }, .. }) = &step.bound.spec.kind
        && !is_in_output(step, expect)
        && let Ok(pattern) = Regex::new(expect)
        && let Some(expected) = dropped.into_iter().find(|line| pattern.is_match(line))
        && let Some(edge) = step.output.get_mut(half)
    {
        *edge = expected;
    }
}
