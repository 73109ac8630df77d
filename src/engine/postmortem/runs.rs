//! What was tried, and what worked.

use super::Facts;
use super::markdown::{Page, code, escape};
use super::times::{instant, span};
use crate::engine::model::{Run, RunState, RunStep, StepEffect, StepKind, StepState};
use crate::engine::outbox::wording::command;

pub(super) fn write(page: &mut Page, facts: &Facts<'_>) {
    page.heading(2, "What was tried");
    if facts.runs.is_empty() {
        page.paragraph("No runbook was run.");
    }
    for run in &facts.runs {
        page.point(&format!(
            "{} {} (version {}), begun {} by {}: {}",
            run.id,
            escape(&run.runbook.title),
            escape(&run.runbook.version),
            instant(run.started_at),
            escape(&run.started_by),
            state(run)
        ));
        for (index, step) in run.steps.iter().enumerate() {
            page.sub_point(&format!("{} {}: {}", index + 1, escape(&step.bound.spec.title), outcome(step)));
        }
    }
    page.heading(2, "What worked");
    let worked: Vec<String> = facts.runs.iter().filter(|run| run.has_acted()).map(|run| effect(facts, run)).collect();
    page.points(&worked, "No act of a run took effect.");
}

/// True for a step that changes something.
pub(super) fn acts(step: &RunStep) -> bool {
    matches!(step.bound.spec.effect, StepEffect::Reversible | StepEffect::Irreversible)
}

/// True where a verify step after this one saw the metric come home.
pub(super) fn is_verified(run: &Run, act: usize) -> bool {
    run.steps.iter().skip(act + 1).any(|step| {
        matches!(step.bound.spec.kind, StepKind::Verify { .. }) && matches!(step.state, StepState::Succeeded { .. })
    })
}

/// Why a step was passed over.
pub(super) fn skip_reason(reason: &str) -> String {
    if reason.trim().is_empty() { "no reason given".to_owned() } else { escape(reason) }
}

fn state(run: &Run) -> String {
    let word = match run.state {
        RunState::Active => "under way",
        RunState::Paused => "paused",
        RunState::Succeeded => "every step passed or was skipped",
        RunState::Failed => "failed",
        RunState::Stopped => "stopped by a person",
        RunState::Interrupted => "interrupted",
    };
    match run.ended_at {
        Some(_) => format!("{word} after {}", span(run.started_at, run.ended_at)),
        None => word.to_owned(),
    }
}

fn outcome(step: &RunStep) -> String {
    let what = match &step.state {
        StepState::Pending => "not reached".to_owned(),
        StepState::Waiting => "waits for a person".to_owned(),
        StepState::Running { .. } => "runs".to_owned(),
        StepState::Watching { .. } | StepState::Elapsing { .. } => "watches".to_owned(),
        StepState::PassedOver { .. } => "passed over: not for this case".to_owned(),
        StepState::Undone { by, .. } => format!("taken back by {}", escape(by)),
        StepState::Succeeded { .. } => "done".to_owned(),
        StepState::Skipped { by, reason, .. } => format!("skipped by {}: {}", escape(by), skip_reason(reason)),
        StepState::Failed { reason, .. } => format!("failed: {}", escape(reason)),
        StepState::Unknown { .. } => "unknown: its end was never seen".to_owned(),
    };
    let mut parts = vec![what];
    parts.extend(command(&step.bound.spec.kind).map(|command| code(&command)));
    parts.extend(step.exit_code.map(|code| format!("exit code {code}")));
    parts.extend(step.approved_by.as_ref().map(|by| format!("approved by {}", escape(by))));
    parts.join("; ")
}

/// What came after an act: only what the record has, without a claim that the one caused the other.
fn effect(facts: &Facts<'_>, run: &Run) -> String {
    let incident = facts.incident;
    let mut acted = run.steps.iter().enumerate().filter_map(|(index, step)| match step.state {
        StepState::Succeeded { at } if acts(step) => Some((index, at)),
        _ => None,
    });
    let Some((last, at)) = acted.next_back() else { return format!("{}: no act of it took effect", run.id) };
    let title = run.steps.get(last).map_or("", |step| step.bound.spec.title.as_ref());
    let seen = match (is_verified(run, last), run.has_held) {
        (true, Some(true)) => "the metric it watches came home and stayed there",
        (true, Some(false)) => "the metric it watches came home and did not stay there",
        (true, None) => "the metric it watches came home",
        (false, _) => "nothing verified it",
    };
    let after = match incident.mitigated_at {
        Some(mitigated) if mitigated >= at => format!("the incident was mitigated {} later", span(at, Some(mitigated))),
        Some(_) => "the incident had been mitigated before".to_owned(),
        None => "the incident is not mitigated".to_owned(),
    };
    format!("{} {}: done at {}; {seen}; {after}", run.id, escape(title), instant(at))
}
