//! What must hold, one function a rule. Limits are written here once more, as the rules say them, and not taken from where
//! the engine has them.

use std::sync::Arc;

use super::disk::Disk;
use super::oracle::{Asked, View};
use super::systems::{Entry, Systems};
use super::world::{self, PROOFS};
use crate::engine::act::policy::ApprovedStep;
use crate::engine::clock::{HOUR_MS, MINUTE_MS, Timestamp};
use crate::engine::model::{AuditEntry, AuditKind, IncidentId, Purpose, Role, Run, RunId, StepKind, StepState};
use crate::engine::request::Request;

/// Acts that the engine may begin by itself for one incident.
const ACTS_MAX: usize = 8;
/// The same in an hour, over all incidents.
const HOURLY_MAX: usize = 12;
/// A target is left alone for this long by what begins by itself.
const COOL_MS: i64 = 10 * MINUTE_MS;
/// What a restart of a database needs may be this old; and so long lies between two restarts.
const PROOF_MS: i64 = 15 * MINUTE_MS;
/// Three failures within this open the breaker anywhere, two in one incident.
const BREAKER_MS: i64 = 30 * MINUTE_MS;

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub rule: &'static str,
    /// How.
    pub text: String,
}

fn place(step: &ApprovedStep) -> String {
    format!("{} step {} ({:?})", step.run(), step.step() + 1, step.purpose())
}

fn when(is_so: bool, text: impl FnOnce() -> String) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(text()) }
}

/// I1: what begins is on disk with who, what and how, and in the log.
pub(super) fn is_intended(step: &ApprovedStep, view: &View<'_>) -> Result<(), String> {
    let missing = |what: &str| format!("{} began without {what} on disk", place(step));
    let run = view.disk.run(step.run()).ok_or_else(|| missing("its run"))?;
    let wanted = run.steps.get(step.step()).ok_or_else(|| missing("its step"))?;
    let begun = wanted.begun.last().filter(|begun| begun.id == *step.step_id());
    let begun = begun.ok_or_else(|| missing("its intent"))?;
    when(begun.purpose == step.purpose() && !begun.by.is_empty(), || missing("its purpose and approver"))?;
    let is_running = matches!(&wanted.state, StepState::Running { purpose, .. } if *purpose == step.purpose());
    when(is_running, || missing("that it runs"))?;
    let act = wanted.bound.spec.act();
    let call = match step.purpose() {
        Purpose::Run => wanted.bound.spec.call(),
        Purpose::DryRun => act.and_then(|act| act.dry_run.as_ref()),
        Purpose::Undo => act.and_then(|act| act.undo.as_ref()),
        Purpose::Probe => act.and_then(|act| act.repeat.probe()),
    };
    when(call == Some(step.call()), || missing("its call"))?;
    let id = step.step_id().get(..12).unwrap_or_default();
    let is_told = |entry: &AuditEntry| {
        entry.kind == AuditKind::Intent
            && entry.run == Some(run.id)
            && (&entry.by, entry.at) == (&begun.by, begun.at)
            && entry.text.contains(id)
    };
    when(view.disk.audit().take(200).any(is_told), || missing("its entry in the log"))
}

/// I2: an identity is begun once.
pub(super) fn is_first(step: &ApprovedStep, view: &View<'_>) -> Result<(), String> {
    when(view.systems.attempt(step.step_id()).is_none(), || format!("{} began a second time", place(step)))
}

/// I9: what is called is what the page says with the service put in, word by word, and a service is a name.
pub(super) fn is_bound(step: &ApprovedStep, view: &View<'_>) -> Result<(), String> {
    let Some(run) = view.disk.run(step.run()) else { return Ok(()) };
    let service = run.params.get("service").map_or("", AsRef::as_ref);
    let name = run.steps.get(step.step()).map_or("", |step| step.bound.spec.name.as_ref());
    let told = step.call().words();
    let program = told.first().map_or("", AsRef::as_ref);
    let is_name = !service.is_empty() && service.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let wanted = world::words(program, name, service);
    let is_same = told.iter().map(AsRef::as_ref).eq(wanted.iter().map(String::as_str));
    when(is_name && is_same, || format!("{} called {told:?}, and {wanted:?} is meant", place(step)))
}

/// What this incident and all that were merged into one with it are.
fn family(id: IncidentId, disk: &Disk) -> IncidentId {
    let mut at = id;
    for _ in 0..100 {
        match disk.incident(at).and_then(|incident| incident.merged_into) {
            Some(into) => at = into,
            None => break,
        }
    }
    at
}

/// The incident and what it was split from, each with the instant until which acts there count for it.
fn lineage(id: IncidentId, disk: &Disk) -> Vec<(IncidentId, Timestamp)> {
    let mut lineage = vec![(id, Timestamp(i64::MAX))];
    // A circle would be a mistake of the engine, and must not hang its judge.
    while let Some((at, until)) = lineage.last().copied().filter(|_| lineage.len() < 8)
        && let Some(incident) = disk.incident(at)
        && let Some(from) = incident.split_from
    {
        lineage.push((from, until.min(incident.opened_at)));
    }
    lineage
}

/// Nobody has seen the end of this act, by what is durable.
fn is_unknown(it: &Entry, disk: &Disk) -> bool {
    let step = disk.run(it.run).and_then(|run| run.steps.get(it.step));
    step.is_some_and(|step| {
        matches!(step.state, StepState::Unknown { .. }) && step.acts_begun().last().is_some_and(|last| last.id == it.id)
    })
}

/// Acts of the ledger that may have changed something.
fn acts(systems: &Systems) -> impl Iterator<Item = &Entry> {
    systems.ledger.values().filter(|it| matches!(it.purpose, Purpose::Run | Purpose::Undo) && !it.target.is_empty())
}

/// The how-manyeth act by itself one that begins now is, of its incident and within an hour.
pub(super) fn by_itself(incident: IncidentId, at: Timestamp, view: &View<'_>) -> (usize, usize) {
    let own = family(incident, view.disk);
    let by_engine = || acts(view.systems).filter(|it| it.by.as_ref() == "engine");
    let origins = lineage(own, view.disk);
    let counts = |it: &&Entry| {
        let of = it.incident.map(|id| family(id, view.disk));
        origins.iter().any(|(origin, until)| of == Some(*origin) && it.begun_at <= *until)
    };
    let here = by_engine().filter(counts).count() + 1;
    let lately = by_engine().filter(|it| (0..HOUR_MS).contains(&at.since_ms(it.begun_at))).count() + 1;
    (here, lately)
}

/// I5: eight an incident, twelve an hour, and a target cools down.
pub(super) fn is_within_budget(run: &Run, step: usize, at: Timestamp, view: &View<'_>) -> Result<(), String> {
    let Some(incident) = run.incident() else { return Ok(()) };
    let (here, lately) = by_itself(incident, at, view);
    when(here <= ACTS_MAX, || format!("act {here} by itself for {incident}"))?;
    when(lately <= HOURLY_MAX, || format!("act {lately} by itself within an hour"))?;
    let Some(spec) = run.steps.get(step).map(|step| &step.bound.spec) else { return Ok(()) };
    let is_other = |it: &&Entry| it.run != run.id || it.name != spec.name;
    let warm = acts(view.systems)
        .filter(is_other)
        .find(|it| it.target == spec.touches && (0..COOL_MS).contains(&at.since_ms(it.begun_at)));
    when(warm.is_none(), || format!("{} was acted on by itself before it had cooled down", spec.touches))
}

/// I5: one run acts on a target at a time, as long as the other's act goes on and nobody has said what became of it. Once its
/// time is over by the engine's clock, people are let go on.
pub(super) fn is_alone(step: &ApprovedStep, at: Timestamp, view: &View<'_>) -> Result<(), String> {
    let run = view.disk.run(step.run());
    let Some(spec) = run.and_then(|run| run.steps.get(step.step())).map(|step| &step.bound.spec) else { return Ok(()) };
    let is_change = |it: &&Entry| matches!(it.purpose, Purpose::Run | Purpose::Undo) && it.target == spec.touches;
    let may_go_on = |it: &&Entry| {
        let other = view.disk.run(it.run).and_then(|run| run.steps.get(it.step));
        let other = other.filter(|other| other.acts_begun().last().is_some_and(|last| last.id == it.id));
        other.is_some_and(|other| match other.state {
            StepState::Running { purpose: Purpose::Run | Purpose::Undo, .. } => true,
            StepState::Running { .. } | StepState::Unknown { .. } => at.since_ms(it.begun_at) < it.timeout_ms,
            _ => false,
        })
    };
    let other = view.systems.live().filter(|it| it.run != step.run() && !it.is_told).filter(is_change).find(may_go_on);
    let text = |other: &Entry| format!("{} acted on {} while {} did", step.run(), spec.touches, other.run);
    other.map_or(Ok(()), |other| Err(text(other)))
}

/// I7: two failures of an incident, or three within half an hour, hold back; an act whose end nobody saw is one.
/// They hold back what would begin by itself.
pub(super) fn is_breaker_closed(
    run: &Run,
    at: Timestamp,
    reset_at: Option<Timestamp>,
    view: &View<'_>,
) -> Result<(), String> {
    let Some(incident) = run.incident() else { return Ok(()) };
    let has_failed = |it: &Entry| it.has_failed || is_unknown(it, view.disk);
    let counts = |it: &&Entry| has_failed(it) && reset_at.is_none_or(|reset| it.begun_at > reset);
    let own = family(incident, view.disk);
    let failed = || acts(view.systems).filter(counts);
    let here = failed().filter(|it| it.incident.is_some_and(|id| family(id, view.disk) == own)).count();
    when(here < 2, || format!("an act began by itself for {own} after {here} had failed there"))?;
    let lately = failed().filter(|it| (0..BREAKER_MS).contains(&at.since_ms(it.begun_at))).count();
    when(lately < 3, || format!("an act began by itself after {lately} had failed within half an hour"))
}

/// I11: a database goes down only once this very run has proved all five, and not twice within a quarter of an hour.
pub(super) fn is_proved(run: &Run, step: usize, at: Timestamp, view: &View<'_>) -> Result<(), String> {
    let Some(spec) = run.steps.get(step).map(|step| &step.bound.spec) else { return Ok(()) };
    if spec.name.as_ref() != "restart" || !spec.touches.contains("-db-") {
        return Ok(());
    }
    let has_seen = |proof: &&str| {
        run.steps.iter().any(|step| {
            let StepKind::Check(check) = &step.bound.spec.kind else { return false };
            check.proves.iter().any(|proves| proves.as_ref() == *proof)
                && step.is_as_expected == Some(true)
                && matches!(step.state, StepState::Succeeded { at: seen } if at.since_ms(seen) <= PROOF_MS)
        })
    };
    let missing = PROOFS.iter().find(|proof| !has_seen(proof));
    when(missing.is_none(), || format!("{} was restarted without `{}` proved", spec.touches, missing.unwrap_or(&"")))?;
    let is_again = |it: &&Entry| {
        it.name.as_ref() == "restart"
            && it.purpose == Purpose::Run
            && it.target == spec.touches
            && (0..PROOF_MS).contains(&at.since_ms(it.begun_at))
    };
    when(!acts(view.systems).any(|it| is_again(&it)), || format!("{} was restarted twice", spec.touches))
}

/// I6: once the switch is pulled, whatever this life began, still runs and can be reached has been told to stop.
pub(super) fn all_told(view: &View<'_>) -> Result<(), String> {
    let left = view.systems.live().find(|it| it.life == view.life && !it.is_told && !it.is_out_of_reach);
    let text = |it: &Entry| format!("{} step {} was not told to stop", it.run, it.step + 1);
    left.map_or(Ok(()), |it| Err(text(it)))
}

/// Acts that run, by what is durable.
pub(super) fn running_acts(disk: &Disk) -> Vec<(RunId, usize, Arc<str>)> {
    let mut acts = Vec::new();
    for run in disk.runs() {
        for (index, step) in run.steps.iter().enumerate() {
            let is_act = matches!(step.bound.spec.kind, StepKind::Act(_));
            let is_change = matches!(step.state, StepState::Running { purpose: Purpose::Run | Purpose::Undo, .. });
            if let Some(begun) = step.begun.last().filter(|_| is_act && is_change) {
                acts.push((run.id, index, Arc::clone(&begun.id)));
            }
        }
    }
    acts
}

/// I3: after a start an act that ran is unknown, or is being looked at; nothing else is made of it. `found` is its run.
pub(super) fn is_in_doubt(run: RunId, step: usize, id: &str, found: Option<&Run>) -> Result<(), String> {
    let Some(found) = found.and_then(|run| run.steps.get(step)) else {
        return Err(format!("{run} step {} is gone", step + 1));
    };
    let is_doubted = match found.state {
        StepState::Unknown { .. } => true,
        StepState::Running { purpose, .. } => purpose == Purpose::Probe,
        _ => false,
    };
    let is_same = found.acts_begun().last().is_some_and(|begun| begun.id.as_ref() == id);
    when(is_doubted && is_same, || {
        format!("{run} step {} ran when the program ended, and is {:?}", step + 1, found.state)
    })
}

/// Whether the end of an act is unknown by what is durable; `None` where that does not say.
pub(super) fn is_unknown_now(state: &StepState) -> Option<bool> {
    match state {
        StepState::Unknown { .. } => Some(true),
        // It may have been settled before that, or not.
        StepState::Pending | StepState::Waiting | StepState::Running { .. } => None,
        _ => Some(false),
    }
}

/// The act of which an entry of the log says what became of it, by its probe or by hand.
pub(super) fn settled(entry: &AuditEntry) -> Option<(RunId, usize)> {
    let (place, said) = entry.text.split_once(": ")?;
    let is_it = said.starts_with("its probe says ") || said.starts_with("as settled by hand, ");
    let number = place.strip_prefix("step ")?.split(' ').next()?.parse::<usize>().ok()?;
    Some((entry.run.filter(|_| is_it)?, number.checked_sub(1)?))
}

/// I3: what a probe is said to have seen is so.
pub(super) fn is_honest(entry: &AuditEntry, disk: &Disk, systems: &Systems) -> Result<(), String> {
    let Some((place, said)) = entry.text.split_once(": its probe says it ") else { return Ok(()) };
    let number = place.strip_prefix("step ").and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok());
    let step = entry.run.zip(number).and_then(|(run, number)| disk.run(run)?.steps.get(number.checked_sub(1)?));
    let Some(attempt) = step.and_then(|step| systems.attempt(&step.acts_begun().last()?.id)) else { return Ok(()) };
    match said {
        "happened" => when(attempt.is_done || systems.effects.contains(&attempt.target), || {
            format!("{place} is said to have happened, and did not")
        }),
        "did not happen" => when(attempt.is_over && !attempt.is_done, || {
            let how = if attempt.is_done { "did" } else { "still may" };
            format!("{place} is said not to have happened, and {how}")
        }),
        _ => Ok(()),
    }
}

/// How many people one offer takes.
pub(super) fn people_wanted(disk: &Disk, run: RunId, step: usize) -> usize {
    let step = disk.run(run).and_then(|run| run.steps.get(step));
    step.and_then(|step| step.bound.spec.act()).map_or(1, |act| usize::from(act.approvals))
}

/// What a role may ask for.
pub(super) fn may_ask(asked: &Asked) -> Result<(), String> {
    let least = match asked.request {
        Request::Kill { .. } => Role::Viewer,
        Request::Release { .. } | Request::ResetBreaker => Role::Commander,
        _ => Role::Responder,
    };
    when(asked.by.role >= least, || format!("{:?} was done for a {}", asked.request, asked.by.role))
}

/// What was told to be done is on disk.
pub(super) fn is_kept(asked: &Asked, view: &View<'_>) -> Result<(), String> {
    let is_kept = match &asked.request {
        Request::Note { incident, text } => view
            .disk
            .incident(*incident)
            .is_some_and(|it| it.timeline.iter().any(|line| line.text.contains(text.as_ref()))),
        Request::StartRun { incident, runbook, .. } => view.disk.runs().any(|run| {
            run.incident() == Some(*incident) && run.runbook.id == *runbook && run.started_by == asked.by.name
        }),
        // Pulled already: nothing is new.
        Request::Kill { .. } => true,
        _ => view.disk.audit().take(400).any(|entry| entry.by == asked.by.name && entry.at >= asked.at),
    };
    when(is_kept, || format!("{:?} by {} was done, and is not on disk", asked.request, asked.by.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_word_on_what_became_of_an_act_settles_it() {
        let settled = |text: &str| {
            settled(&AuditEntry {
                sequence: 1,
                at: Timestamp(0),
                kind: AuditKind::Outcome,
                by: "engine".into(),
                incident: None,
                run: Some(RunId(7)),
                text: text.into(),
            })
        };
        assert_eq!(settled("step 3 `one`: its probe says it happened"), Some((RunId(7), 2)));
        assert_eq!(settled("step 1 `one`: as settled by hand, it did not happen"), Some((RunId(7), 0)));
        assert_eq!(settled("step 1 `one`: its probe did not answer"), None);
        let at = Timestamp(0);
        let known = [StepState::Unknown { since: at }, StepState::Waiting, StepState::Succeeded { at }];
        assert_eq!(known.each_ref().map(is_unknown_now), [Some(true), None, Some(false)]);
    }
}
