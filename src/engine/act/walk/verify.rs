//! Verify steps: watching a metric come back. No data is never success.

use std::sync::Arc;

use super::super::policy::Gate;
use super::{ENGINE, WalkOutcome, name_of};
use crate::engine::clock::{SECOND_MS, Timestamp};
use crate::engine::limits::{STEP_OVERDUE_MS, VERIFY_FRESH_MS};
use crate::engine::model::{AuditKind, Band, Reading, Run, RunState, StepKind, StepState, Unit, human};

/// What a verify step waits for.
struct Goal<'a> {
    metric: &'a str,
    service: &'a str,
    hold_ms: i64,
    samples_min: u32,
    below: Option<f64>,
    above: Option<f64>,
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

/// The state in which a verify step begins: what was measured before does not count.
pub(super) fn begin(now: Timestamp, timeout_ms: i64) -> StepState {
    StepState::Watching {
        inside_since: None,
        samples: 0,
        last: None,
        unit: Unit::Count,
        seen_until: now,
        until: now + timeout_ms,
    }
}

/// Lets time pass over the run: a verify step looks at its metric, a step that is overdue becomes unknown. `None` where
/// nothing changed.
///
/// `readings` gives the latest reading of each instance, by service and metric.
#[must_use]
pub fn on_tick(
    run: &Run,
    readings: impl Fn(&str, &str) -> Vec<Reading>,
    gate: &Gate<'_>,
    now: Timestamp,
) -> Option<WalkOutcome> {
    let index = run.current_step()?;
    let step = run.steps.get(index)?;
    match (&step.state, &step.bound.spec.kind) {
        (StepState::Running { since, .. }, _) if now > *since + step.bound.spec.timeout_ms + STEP_OVERDUE_MS => {
            Some(overdue(run, index, *since))
        }
        (
            &StepState::Watching { inside_since, samples, last, unit, seen_until, until },
            StepKind::Verify { metric, service, hold_ms, samples_min, below, above },
        ) if run.state == RunState::Active => {
            let goal =
                Goal { metric, service, hold_ms: *hold_ms, samples_min: *samples_min, below: *below, above: *above };
            let before = Watch { inside_since, samples, last, unit, seen_until, until };
            let after = look(before, &goal, &readings(service, metric));
            watched(run, index, &goal, before, after, gate, now)
        }
        _ => None,
    }
}

/// What was seen becomes success, failure, or more watching.
fn watched(
    run: &Run,
    index: usize,
    goal: &Goal<'_>,
    before: Watch,
    after: Watch,
    gate: &Gate<'_>,
    now: Timestamp,
) -> Option<WalkOutcome> {
    let mut outcome = WalkOutcome::unchanged(run);
    if is_reached(after, goal) {
        outcome.run.steps[index].state = StepState::Succeeded { at: now };
        let text = format!("{}: {}", name_of(run, index), reached_text(after, goal));
        outcome.note(AuditKind::Outcome, &Arc::from(ENGINE), &text);
        outcome.tell(now, &Arc::from(ENGINE), &text);
        outcome.offer(gate, now);
    } else if now >= after.until {
        outcome.fail(index, &missed_text(after, goal), now);
    } else if after == before {
        return None;
    } else {
        let Watch { inside_since, samples, last, unit, seen_until, until } = after;
        outcome.run.steps[index].state = StepState::Watching { inside_since, samples, last, unit, seen_until, until };
    }
    Some(outcome)
}

/// Takes the readings in. Every instance heard of lately must be inside; time is the samples' own, so that silence does
/// not count as holding.
fn look(before: Watch, goal: &Goal<'_>, readings: &[Reading]) -> Watch {
    let Some(newest) = readings.iter().map(|reading| reading.at).max().filter(|at| *at > before.seen_until) else {
        return before;
    };
    let fresh = readings.iter().filter(|reading| reading.at + VERIFY_FRESH_MS >= newest);
    // The one that is worst off stands for all: outside before inside, then the largest value.
    let Some(worst) =
        fresh.max_by(|a, b| is_inside(b, goal).cmp(&is_inside(a, goal)).then(a.value.total_cmp(&b.value)))
    else {
        return before;
    };
    let (last, unit) = (Some((worst.value, worst.band)), worst.unit);
    if is_inside(worst, goal) {
        let inside_since = before.inside_since.or(Some(newest));
        Watch { inside_since, samples: before.samples.saturating_add(1), last, unit, seen_until: newest, ..before }
    } else {
        Watch { inside_since: None, samples: 0, last, unit, seen_until: newest, ..before }
    }
}

/// Inside the absolute bounds where the runbook gives any, else inside the band. Below the band counts as inside unless
/// the detectors hold that against the series: fewer errors than expected are no reason to fail.
fn is_inside(reading: &Reading, goal: &Goal<'_>) -> bool {
    if !reading.value.is_finite() {
        return false;
    }
    if goal.below.is_some() || goal.above.is_some() {
        return goal.below.is_none_or(|limit| reading.value < limit)
            && goal.above.is_none_or(|limit| reading.value > limit);
    }
    reading.value <= reading.band.high && (reading.value >= reading.band.low || !reading.is_anomalous)
}

fn is_reached(watch: Watch, goal: &Goal<'_>) -> bool {
    watch.samples >= goal.samples_min
        && watch.inside_since.is_some_and(|since| watch.seen_until.since_ms(since) >= goal.hold_ms)
}

fn wanted_text(goal: &Goal<'_>, watch: Watch) -> String {
    let told = |value: f64| human(value, watch.unit);
    match (goal.below, goal.above, watch.last) {
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
    format!("{} of {} is {wanted} for {held} s over {} samples, now {value}", goal.metric, goal.service, watch.samples)
}

fn missed_text(watch: Watch, goal: &Goal<'_>) -> String {
    let wanted = wanted_text(goal, watch);
    let hold = goal.hold_ms / SECOND_MS;
    match (watch.last, watch.inside_since) {
        (None, _) => format!("no data of {} for {} came in; no data is not success", goal.metric, goal.service),
        (Some((value, _)), None) => {
            let value = human(value, watch.unit);
            format!("{} of {} is {value}, not {wanted}; it has not helped", goal.metric, goal.service)
        }
        (Some((value, _)), Some(_)) => format!(
            "{} of {} is {}, {wanted}, but not yet for {hold} s with {} samples ({} seen)",
            goal.metric,
            goal.service,
            human(value, watch.unit),
            goal.samples_min,
            watch.samples
        ),
    }
}

/// Its runner was to stop it at its timeout and said nothing: whether it took effect cannot be known from here.
fn overdue(run: &Run, index: usize, since: Timestamp) -> WalkOutcome {
    let mut outcome = WalkOutcome::unchanged(run);
    super::recover::lose_sight(&mut outcome, index, since, "was not heard of again");
    outcome.cancel = Some(index);
    outcome
}
