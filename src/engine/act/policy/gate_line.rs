//! What the gate line says of an act: how sure the cause is, what was done before, how much is left of every budget.

use super::history::{self, acts_begun_in, done_before};
use super::{Gate, acts_begun, autonomy, cool_down};
use crate::engine::limits::ACTS_PER_INCIDENT_MAX;
use crate::engine::model::{Run, StepEffect, StepSpec};

/// The facts of the gate line, between dots.
pub(super) fn act_text(run: &Run, step: usize, gate: &Gate<'_>) -> String {
    let spec = run.steps.get(step).map(|step| &step.bound.spec);
    let is_irreversible = spec.is_none_or(|spec| spec.effect == StepEffect::Irreversible);
    let undo = if is_irreversible { "cannot be undone" } else { "can be undone" };
    let again = done_before(run, step, gate)
        .map_or_else(String::new, |other| format!("{other} did exactly this; again may undo it · "));
    let act = spec.and_then(StepSpec::act);
    let came_back = act.map_or(0, |act| history::recurrences(run, act, gate));
    let recurring = if came_back >= history::RECURRENCES_MAX {
        format!("this helped {came_back} times in 7 days and it came back: escalate, mend the cause · ")
    } else {
        String::new()
    };
    let cause = gate.incident().and_then(|incident| incident.ranking.cause());
    let confidence = cause.map_or_else(
        || "no cause is named".to_owned(),
        |cause| {
            let threshold = spec.zip(act).map_or(100, |(spec, act)| autonomy::thresholds(run, spec, act, gate).0);
            let percent = cause.confidence.percent();
            format!("confidence {percent} % {} {threshold} %", if percent >= threshold { "≥" } else { "<" })
        },
    );
    let people = act.map_or(1, |act| act.approvals);
    let people = if people > 1 { format!(" · {people} people") } else { String::new() };
    let cooling = spec.and_then(|spec| cool_down(run, spec, gate)).map_or_else(String::new, |cooling| {
        format!("cool-down until {} after {} · ", cooling.until.hh_mm_ss(), cooling.run)
    });
    let begun = acts_begun(gate, &run.subject);
    format!(
        "{again}{recurring}{cooling}{confidence} · act {} of {} in this run, {} by people and {} of {ACTS_PER_INCIDENT_MAX} by itself \
         for {} · {undo}{people}",
        acts_begun_in(run) + 1,
        run.runbook.acts_max,
        begun.by_people,
        begun.by_engine,
        gate.subject.id(),
    )
}
