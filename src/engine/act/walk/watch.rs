//! Time passing over a run: metrics are watched, waits end, offers grow old, what may begin by itself begins. No data is
//! never success.

use std::sync::Arc;

use super::{ENGINE, WalkOutcome, answer, name_of, recover, worsening};
use crate::engine::act::policy::{self, Decision, Gate};
use crate::engine::clock::{SECOND_MS, Timestamp};
use crate::engine::limits::{APPROVAL_MS_MAX, STEP_OVERDUE_MS, VERIFY_FRESH_MS};
use crate::engine::model::{
    AuditKind, Band, MetricGoal, Reading, Run, RunState, StepKind, StepSpec, StepState, Unit, human,
};

/// An offer that stood for so long may have been read, so that it is in the log what made it another.
const OFFER_READ_MS: i64 = 5 * SECOND_MS;

/// What is waited for.
struct Goal<'a> {
    metric: &'a MetricGoal,
    hold_ms: i64,
    samples_min: u32,
    volume: Option<&'a MetricGoal>,
}

/// How far the watching has come: the fields of `StepState::Watching`.
#[derive(Clone, Copy, PartialEq)]
struct Watch {
    inside_since: Option<Timestamp>,
    samples: u32,
    last: Option<(f64, Band)>,
    unit: Unit,
    seen_until: Timestamp,
    until: Timestamp,
}

/// What a step that watches waits for; `None` for one that does not watch.
fn goal_of(kind: &StepKind) -> Option<Goal<'_>> {
    match kind {
        StepKind::Verify { goal, hold_ms, samples_min, volume } => {
            Some(Goal { metric: goal, hold_ms: *hold_ms, samples_min: *samples_min, volume: volume.as_ref() })
        }
        StepKind::Wait { for_ms, until: Some(goal) } => {
            Some(Goal { metric: goal, hold_ms: *for_ms, samples_min: 1, volume: None })
        }
        _ => None,
    }
}

/// The state in which a verify or wait step begins: what was measured before does not count.
pub(super) fn begin(spec: &StepSpec, now: Timestamp) -> StepState {
    if goal_of(&spec.kind).is_none() {
        return StepState::Elapsing { until: now + spec.timeout_ms };
    }
    StepState::Watching {
        inside_since: None,
        samples: 0,
        last: None,
        unit: Unit::Count,
        seen_until: now,
        until: now + spec.timeout_ms,
    }
}

/// Lets time pass over the run. `None` where nothing changed.
#[must_use]
pub fn on_tick(run: &Run, gate: &Gate<'_>) -> Option<WalkOutcome> {
    let now = gate.now;
    let running = run.steps.iter().position(|step| matches!(step.state, StepState::Running { .. }));
    if let Some((index, step)) = running.and_then(|index| run.steps.get(index).map(|step| (index, step)))
        && let StepState::Running { since, .. } = step.state
    {
        let is_overdue = now > since + step.bound.spec.timeout_ms + STEP_OVERDUE_MS;
        return is_overdue.then(|| overdue(run, index, since));
    }
    if run.state == RunState::Interrupted {
        return recover::look_again(run, gate);
    }
    if run.state != RunState::Active {
        return None;
    }
    if let Some(outcome) = worsening::look(run, gate) {
        return Some(outcome);
    }
    let index = run.current_step()?;
    let step = run.steps.get(index)?;
    match &step.state {
        StepState::Elapsing { until } if now >= *until => Some(elapsed(run, index, gate)),
        &StepState::Watching { inside_since, samples, last, unit, seen_until, until } => {
            let goal = goal_of(&step.bound.spec.kind)?;
            let before = Watch { inside_since, samples, last, unit, seen_until, until };
            let after = look(before, &goal, gate);
            watched(run, index, &goal, before, after, gate)
        }
        StepState::Waiting => waiting(run, index, gate),
        _ => None,
    }
}

fn elapsed(run: &Run, index: usize, gate: &Gate<'_>) -> WalkOutcome {
    let mut outcome = WalkOutcome::unchanged(run);
    outcome.run.steps[index].state = StepState::Succeeded { at: gate.now };
    outcome.note(AuditKind::Outcome, &Arc::from(ENGINE), &format!("{}: the time is over", name_of(run, index)));
    outcome.offer(gate);
    outcome
}

/// An offer begins by itself when it may and its time has come; one that is old, or about which the gate thinks otherwise
/// by now, is offered anew.
fn waiting(run: &Run, index: usize, gate: &Gate<'_>) -> Option<WalkOutcome> {
    let step = run.steps.get(index)?;
    if step.begins_at.is_some_and(|at| gate.now >= at)
        && let Some(outcome) = answer::begin_by_itself(run, index, gate)
    {
        return Some(outcome);
    }
    let decision = policy::decide(run, index, gate);
    let is_other = step.is_denied != matches!(decision, Decision::Deny(_))
        || step.begins_at.is_some() != matches!(decision, Decision::Allow { .. })
        || step.needs_target != policy::needs_target(run, index, gate);
    let is_old = gate.now.since_ms(step.offered_at) > APPROVAL_MS_MAX;
    let known = policy::evidence(run, gate);
    if !is_other && !is_old && step.evidence == known {
        return denied_anew(run, index, &decision);
    }
    let mut outcome = WalkOutcome::unchanged(run);
    outcome.show(index, gate);
    if step.evidence != known {
        let drift = policy::drift(&step.evidence, &known);
        let text = format!("the evidence changed since {} was offered: {drift}", name_of(run, index));
        if gate.now.since_ms(step.offered_at) >= OFFER_READ_MS {
            outcome.note(AuditKind::Decision, &Arc::from(ENGINE), &text);
        }
        let step = &mut outcome.run.steps[index];
        step.gate_text = format!("the evidence changed: {drift} · {}", step.gate_text).into();
    }
    Some(outcome)
}

/// What is denied still, but for another reason, tells that one; what was offered stays offered.
fn denied_anew(run: &Run, index: usize, decision: &Decision) -> Option<WalkOutcome> {
    let Decision::Deny(reason) = decision else { return None };
    if run.steps.get(index)?.gate_text.ends_with(reason.as_ref()) {
        return None;
    }
    let mut outcome = WalkOutcome::unchanged(run);
    outcome.run.steps[index].gate_text = Arc::clone(reason);
    Some(outcome)
}

/// What was seen becomes success, failure, or more watching.
fn watched(
    run: &Run,
    index: usize,
    goal: &Goal<'_>,
    before: Watch,
    after: Watch,
    gate: &Gate<'_>,
) -> Option<WalkOutcome> {
    let mut outcome = WalkOutcome::unchanged(run);
    if is_reached(after, goal) {
        outcome.run.steps[index].state = StepState::Succeeded { at: gate.now };
        let text = format!("{}: {}", name_of(run, index), reached_text(after, goal));
        outcome.note(AuditKind::Outcome, &Arc::from(ENGINE), &text);
        outcome.tell(gate.now, &Arc::from(ENGINE), &text);
        outcome.offer(gate);
    } else if gate.now >= after.until {
        outcome.fail(index, &missed_text(after, goal), gate.now);
    } else if after == before {
        return None;
    } else {
        let Watch { inside_since, samples, last, unit, seen_until, until } = after;
        outcome.run.steps[index].state = StepState::Watching { inside_since, samples, last, unit, seen_until, until };
    }
    Some(outcome)
}

/// Takes the readings in. Every instance heard of lately must be inside; time is the samples' own, so that silence does
/// not count as holding. Without the volume it asks for, nothing counts.
fn look(before: Watch, goal: &Goal<'_>, gate: &Gate<'_>) -> Watch {
    let readings = gate.outlook.readings(&goal.metric.service, &goal.metric.metric);
    let Some(newest) = readings.iter().map(|reading| reading.at).max().filter(|at| *at > before.seen_until) else {
        return before;
    };
    let fresh = readings.iter().filter(|reading| reading.at + VERIFY_FRESH_MS >= newest);
    // The one that is worst off stands for all: outside before inside, then the largest value.
    let Some(worst) = fresh.max_by(|a, b| {
        policy::is_met(goal.metric, b).cmp(&policy::is_met(goal.metric, a)).then(a.value.total_cmp(&b.value))
    }) else {
        return before;
    };
    let (last, unit) = (Some(shown(worst)), worst.unit);
    let has_volume = goal.volume.is_none_or(|volume| {
        let readings = gate.outlook.readings(&volume.service, &volume.metric);
        readings.iter().any(|reading| reading.at + VERIFY_FRESH_MS >= newest && policy::is_met(volume, reading))
    });
    if policy::is_met(goal.metric, worst) && has_volume {
        let inside_since = before.inside_since.or(Some(newest));
        Watch { inside_since, samples: before.samples.saturating_add(1), last, unit, seen_until: newest, ..before }
    } else {
        Watch { inside_since: None, samples: 0, last, unit, seen_until: newest, ..before }
    }
}

/// The value and its band as they are kept: what is not finite has no place in a file, and is shown as the largest number.
fn shown(reading: &Reading) -> (f64, Band) {
    let finite = |value: f64| if value.is_nan() { f64::MAX } else { value.clamp(f64::MIN, f64::MAX) };
    let band =
        Band { low: finite(reading.band.low), centre: finite(reading.band.centre), high: finite(reading.band.high) };
    (finite(reading.value), band)
}

fn is_reached(watch: Watch, goal: &Goal<'_>) -> bool {
    watch.samples >= goal.samples_min
        && watch.inside_since.is_some_and(|since| watch.seen_until.since_ms(since) >= goal.hold_ms)
}

fn wanted_text(goal: &Goal<'_>, watch: Watch) -> String {
    let told = |value: f64| human(value, watch.unit);
    match (goal.metric.below, goal.metric.above, watch.last) {
        (Some(below), Some(above), _) => format!("between {} and {}", told(above), told(below)),
        (Some(below), None, _) => format!("below {}", told(below)),
        (None, Some(above), _) => format!("above {}", told(above)),
        (None, None, Some((_, band))) => format!("inside its band {} to {}", told(band.low), told(band.high)),
        (None, None, None) => "inside its band".to_owned(),
    }
}

fn reached_text(watch: Watch, goal: &Goal<'_>) -> String {
    let wanted = wanted_text(goal, watch);
    let held = watch.inside_since.map_or(0, |since| watch.seen_until.since_ms(since) / SECOND_MS);
    let value = human(watch.last.map_or(f64::NAN, |(value, _)| value), watch.unit);
    let MetricGoal { metric, service, .. } = goal.metric;
    format!("{metric} of {service} is {wanted} for {held} s over {} samples, now {value}", watch.samples)
}

fn missed_text(watch: Watch, goal: &Goal<'_>) -> String {
    let wanted = wanted_text(goal, watch);
    let hold = goal.hold_ms / SECOND_MS;
    let MetricGoal { metric, service, .. } = goal.metric;
    match (watch.last, watch.inside_since) {
        (None, _) => format!("no data of {metric} for {service} came in; no data is not success"),
        (Some((value, _)), None) => {
            let value = human(value, watch.unit);
            let volume = goal.volume.map_or_else(String::new, |volume| {
                format!(", or {} of {} was not {}", volume.metric, volume.service, policy::wanted(volume))
            });
            format!("{metric} of {service} is {value}, not {wanted}{volume}; it has not helped")
        }
        (Some((value, _)), Some(_)) => format!(
            "{metric} of {service} is {}, {wanted}, but not yet for {hold} s with {} samples ({} seen)",
            human(value, watch.unit),
            goal.samples_min,
            watch.samples
        ),
    }
}

/// Its runner was to stop it at its timeout and said nothing: whether it took effect cannot be known from here.
fn overdue(run: &Run, index: usize, since: Timestamp) -> WalkOutcome {
    let mut outcome = WalkOutcome::unchanged(run);
    recover::lose_sight(&mut outcome, index, since, "was not heard of again");
    outcome.cancel = Some(index);
    outcome
}
