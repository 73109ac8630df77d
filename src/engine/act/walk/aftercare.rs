//! After the last step: what was verified must hold for some minutes more before the incident is called over.

use std::sync::Arc;

use super::{ENGINE, Verdict, WalkOutcome};
use crate::engine::act::policy::{self, Gate};
use crate::engine::model::{AuditKind, MetricGoal, Reading, Run, RunState, StepKind, StepState};

/// Looks after a run that acted and succeeded. `None` where nothing is known yet, or everything was known before.
#[must_use]
pub fn after(run: &Run, gate: &Gate<'_>) -> Option<WalkOutcome> {
    let ended_at = run.ended_at?;
    if run.state != RunState::Succeeded || run.has_held.is_some() || !run.has_acted() {
        return None;
    }
    let goal = run.steps.iter().rev().find_map(verified)?;
    let mut readings = policy::fresh_readings(goal, gate);
    readings.retain(|reading| reading.at > ended_at);
    let is_outside = readings.iter().any(|reading| !policy::is_met(goal, reading) && is_bad(goal, reading));
    let is_over = gate.now.since_ms(ended_at) >= gate.policy.hold.0;
    let mut outcome = WalkOutcome::unchanged(run);
    let engine: Arc<str> = Arc::from(ENGINE);
    let MetricGoal { metric, service, .. } = goal;
    if is_outside {
        let text = format!("{}: what it mended did not hold: {metric} of {service} departs again", run.id);
        outcome.run.has_held = Some(false);
        outcome.verdict = Some(Verdict::CameBack);
        outcome.note(AuditKind::Outcome, &engine, &text);
        outcome.tell(gate.now, &engine, &text);
        outcome.notice(&text, true);
    } else if is_over && !readings.is_empty() {
        let minutes = gate.policy.hold.0 / 60_000;
        let text = format!("{}: {metric} of {service} held for {minutes} min", run.id);
        outcome.run.has_held = Some(true);
        outcome.verdict = Some(Verdict::Held);
        outcome.note(AuditKind::Outcome, &engine, &text);
        outcome.tell(gate.now, &engine, &text);
    } else {
        return None;
    }
    Some(outcome)
}

/// What the step verified, where it is a verify step that succeeded.
fn verified(step: &crate::engine::model::RunStep) -> Option<&MetricGoal> {
    match (&step.bound.spec.kind, &step.state) {
        (StepKind::Verify { goal, .. }, StepState::Succeeded { .. }) => Some(goal),
        _ => None,
    }
}

/// A single value a little outside its band is noise; it counts where the detectors say so, or the page has set a limit.
fn is_bad(goal: &MetricGoal, reading: &Reading) -> bool {
    reading.is_anomalous || goal.below.is_some() || goal.above.is_some()
}
