//! What to do next, where a run stands, and who did what.

use std::sync::Arc;

use super::pages;
use crate::engine::ask::answer::{Answer, Citation, Claim, Fact};
use crate::engine::ask::ground::{self, Ground};
use crate::engine::ask::reading::Reading;
use crate::engine::ask::slots::Slots;
use crate::engine::model::{AuditKind, Run, RunStep, StepState};

/// How many lines are told.
const LINES_MAX: usize = 8;

/// What to do next: the open step, else the runbook that fits best.
pub(super) fn next_step(ground: &Ground<'_>, reading: &Reading) -> Answer {
    let slots = &reading.slots;
    let Some(incident) = ground.incident(slots).filter(|incident| incident.state.is_live()) else {
        let lead = Claim::of("Nothing has to be done: no incident is open.", []);
        return Answer::known(lead).with(pages::beside(ground, reading));
    };
    let open = ground.snapshot.runs.iter().find(|run| run.incident() == Some(incident.id) && run.state.is_open());
    if let Some((run, (at, step))) = open.and_then(|run| Some((run, current(run)?))) {
        let cited = || Citation::Run(run.id, Some(at));
        let lead = Claim::of(
            "Look at the step that is offered: {}, which touches {}.",
            [Fact::new(&step.bound.spec.title, cited()), Fact::new(&step.bound.spec.touches, cited())],
        );
        return Answer::known(lead).with([gate(run, at, step)]);
    }
    let id = Fact::incident(incident.id);
    let proposals = ground.snapshot.proposals.get(&incident.id).map(Vec::as_slice).unwrap_or_default();
    let Some(best) = proposals.first() else {
        let lead = Claim::of("No runbook fits {}. Look at its evidence first.", [id]);
        return Answer::known(lead)
            .with(pages::beside(ground, reading))
            .then(&["what is the root cause", "what changed before the incident"]);
    };
    let cited = || Citation::Runbook(Arc::clone(&best.runbook.id));
    let lead = Claim::of(
        "Begin the runbook {} for {}; every step of it waits for your approval.",
        [Fact::new(&best.runbook.title, cited()), id],
    );
    let answer = Answer::known(lead).with([Claim::of("It fits because {}.", [Fact::new(&best.reason, cited())])]);
    let steps = best.steps.iter().map(|step| Claim::of("Step: {}.", [Fact::new(&step.spec.title, cited())]));
    answer.with_first(LINES_MAX, steps, cited()).then(&["how sure are you", "what is affected"])
}

/// Where a run stands.
pub(super) fn status(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let is_it = |run: &&Arc<Run>| slots.runbook.as_deref().is_none_or(|name| name == run.runbook.id.as_ref());
    let runs = || ground.snapshot.runs.iter().filter(is_it);
    let Some(run) = runs().find(|run| run.state.is_open()).or_else(|| runs().next()) else {
        return Answer::known(Claim::of("No such runbook was run.", [])).then(&["what should I do next"]);
    };
    let whole = || Citation::Run(run.id, None);
    if let Some(number) = slots.step {
        let at = usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1);
        let Some(step) = run.steps.get(at) else {
            let lead = Claim::of(
                "{} has only {} steps.",
                [Fact::new(&run.runbook.id, whole()), ground::count(run.steps.len(), whole())],
            );
            return Answer::unknown(lead);
        };
        return of_step(run, at, step);
    }
    let passed = run.steps.iter().filter(|step| step.state.is_passed()).count();
    let lead = Claim::of(
        "{}: {}; {} of {} steps are passed.",
        [
            Fact::new(&run.runbook.id, whole()),
            Fact::new(&run.word, whole()),
            ground::count(passed, whole()),
            ground::count(run.steps.len(), whole()),
        ],
    );
    let mut answer = Answer::known(lead);
    if let Some((at, step)) = current(run) {
        let cited = Citation::Run(run.id, Some(at));
        answer.claims.push(Claim::of("It is at: {}.", [Fact::new(&step.bound.spec.title, cited)]));
        answer.claims.push(gate(run, at, step));
    }
    answer
}

fn of_step(run: &Run, at: usize, step: &RunStep) -> Answer {
    let cited = || Citation::Run(run.id, Some(at));
    let title = Fact::new(&step.bound.spec.title, cited());
    let lead = match &step.state {
        StepState::Succeeded { .. } => Claim::of("{}: done.", [title]),
        StepState::Running { .. } => Claim::of("{}: it runs.", [title]),
        StepState::Waiting => Claim::of("{}: it waits for a person.", [title]),
        StepState::Failed { reason, .. } => Claim::of("{}: failed, {}.", [title, Fact::new(reason, cited())]),
        StepState::Skipped { by, reason, .. } => {
            Claim::of("{}: skipped by {}, {}.", [title, Fact::new(by, cited()), Fact::new(reason, cited())])
        }
        StepState::Unknown { .. } => Claim::of("{}: it was begun, and nobody saw its end.", [title]),
        _ => Claim::of("{}: not done.", [title]),
    };
    let printed = step
        .output
        .iter()
        .rev()
        .take(LINES_MAX)
        .rev()
        .map(|line| Claim::of("It printed: {}", [Fact::new(line, cited())]));
    let mut answer = Answer::known(lead).with(printed);
    if step.output.is_empty() {
        answer.claims.push(Claim::of("It printed nothing.", []));
    }
    answer
}

fn current(run: &Run) -> Option<(usize, &RunStep)> {
    let at = run.current_step()?;
    Some((at, run.steps.get(at)?))
}

fn gate(run: &Run, at: usize, step: &RunStep) -> Claim {
    Claim::of("The gate says: {}.", [Fact::new(&step.gate_text, Citation::Run(run.id, Some(at)))])
}

/// Who did what.
pub(super) fn audit(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let window = ground.span(slots).ok().flatten();
    let within = |at| window.is_none_or(|span| span.from <= at && at <= span.to);
    let is_act = |kind: AuditKind| {
        matches!(kind, AuditKind::Operator | AuditKind::Approval | AuditKind::Intent | AuditKind::Outcome)
    };
    let of_owner = |by: &str| slots.owner.as_deref().is_none_or(|owner| owner == by);
    let is_word = |text: &str, name: &str| {
        text.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_').any(|word| word == name)
    };
    let says = |text: &str| slots.service.iter().all(|service| is_word(text, service));
    let found: Vec<_> = ground
        .snapshot
        .audit
        .iter()
        .filter(|entry| is_act(entry.kind) && within(entry.at) && of_owner(&entry.by) && says(&entry.text))
        .collect();
    let is_narrow = slots.owner.is_some() || !slots.service.is_empty();
    let outside = if is_narrow { ground.changes(window, slots) } else { Vec::new() };
    let outside = outside.iter().rev().map(|change| {
        let cited = || Citation::Change(change.id);
        let by = change.notice.author.clone().unwrap_or_else(|| Arc::from("somebody"));
        Claim::of(
            "Outside hypo, {}: {}, by {}.",
            [ground.at(change.notice.at, cited()), Fact::new(&change.notice.title, cited()), Fact::new(by, cited())],
        )
    });
    if found.is_empty() {
        let count = ground::count(ground.snapshot.audit.len(), Citation::Totals);
        let lead = Claim::of("Nobody did anything of the kind, by hypo, as far as the audit log says.", []);
        let looked = Claim::of("Its newest {} entries were looked at.", [count]);
        return Answer::known(lead).with([looked]).with_first(LINES_MAX, outside, Citation::Totals).over(window);
    }
    let lead = Claim::of("{} acts are in the audit log.", [ground::count(found.len(), Citation::Totals)]);
    let claims = found.iter().map(|entry| {
        let cited = || Citation::Audit(entry.sequence);
        Claim::of(
            "{}, {}: {}.",
            [ground.at(entry.at, cited()), Fact::new(&entry.by, cited()), Fact::new(&entry.text, cited())],
        )
    });
    let answer = Answer::known(lead).with_first(LINES_MAX, claims, Citation::Totals);
    let mut answer = answer.with_first(LINES_MAX, outside, Citation::Totals).over(window);
    answer.missing.push(Claim::of("Whether the log is intact is told by `hypo audit verify`.", []));
    answer
}
