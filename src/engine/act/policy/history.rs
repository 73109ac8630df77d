//! What was done before, as the gate looks at it: acts counted, the same act again, failures, targets that are taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Gate;
use crate::engine::act::walk::ENGINE;
use crate::engine::clock::{DAY_MS, Timestamp};
use crate::engine::limits::LEFT_OVER_ENDS_MS;
use crate::engine::model::{
    ActSpec, ActionKind, Call, Incident, IncidentId, LeftOver, Purpose, Run, RunId, RunState, RunStep, RunSubject,
    StepSpec, StepState,
};

/// A remedy that was verified this often for the same cause within `RECURRENCE_REACH_MS` does not mend it.
pub(super) const RECURRENCES_MAX: usize = 2;
/// See `RECURRENCES_MAX`.
const RECURRENCE_REACH_MS: i64 = 7 * DAY_MS;

/// What a call says that takes down what it touches, whatever kind of act its page calls it.
const RESTART_WORDS: [&str; 7] = ["restart", "stop", "kill", "reboot", "promote", "failover", "switchover"];

/// What `kubectl` does that takes members down, beside scaling to none.
const KUBECTL_RESTARTS: [&str; 3] = ["delete", "drain", "replace"];

/// Acts of an incident that were begun, whatever came of them; dry runs and probes are no acts, taking back is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ActCount {
    /// Begun by the engine.
    pub by_engine: usize,
    /// Begun by people.
    pub by_people: usize,
}

/// Counts the acts for this subject; for an incident, of those that were merged into it, too, and of the one it was split from
/// before the split.
#[must_use]
pub fn acts_begun(gate: &Gate<'_>, subject: &RunSubject) -> ActCount {
    let mut count = ActCount::default();
    for begun in runs_for(gate, subject).flat_map(|run| &run.steps).flat_map(RunStep::acts_begun) {
        if begun.by.as_ref() == ENGINE {
            count.by_engine += 1;
        } else {
            count.by_people += 1;
        }
    }
    count
}

/// Acts begun in one run.
#[must_use]
pub fn acts_begun_in(run: &Run) -> usize {
    run.steps.iter().flat_map(RunStep::acts_begun).filter(|begun| begun.purpose == Purpose::Run).count()
}

/// Merges and splits are followed this far: a circle would be a mistake elsewhere, and must not hang the gate.
const RELATED_MAX: usize = 8;

/// Runs for this very machine of a rollout; or whose incident is this one, became a part of it, or is one it was split from,
/// before the split.
pub(super) fn runs_for<'a, 's>(
    gate: &Gate<'a>,
    subject: &'s RunSubject,
) -> impl Iterator<Item = &'a Run> + use<'a, 's> {
    let incidents = gate.incidents;
    let mut origins: Vec<_> = subject.incident().map(|incident| (incident, Timestamp(i64::MAX))).into_iter().collect();
    while let Some((at, until)) = origins.last().copied().filter(|_| origins.len() < RELATED_MAX)
        && let Some(it) = incidents.get(&at)
        && let Some(from) = it.split_from
    {
        origins.push((from, until.min(it.opened_at)));
    }
    let is_for = move |run: &&Run| {
        let Some(incident) = run.incident() else { return run.subject == *subject };
        let became = whole(incident, incidents);
        origins.iter().any(|(origin, until)| run.started_at <= *until && became.contains(origin))
    };
    gate.runs.values().map(Arc::as_ref).filter(is_for)
}

/// The incident itself and what it was merged into, one after the other.
fn whole(incident: IncidentId, incidents: &BTreeMap<IncidentId, Arc<Incident>>) -> Vec<IncidentId> {
    let into = |id: &IncidentId| incidents.get(id).and_then(|it| it.merged_into);
    std::iter::successors(Some(incident), into).take(RELATED_MAX).collect()
}

/// What the incident has become a part of; itself where it was merged into none.
#[must_use]
pub fn merged_into(incident: IncidentId, incidents: &BTreeMap<IncidentId, Arc<Incident>>) -> IncidentId {
    whole(incident, incidents).last().copied().unwrap_or(incident)
}

/// The last other run for the same that began the very call of this act, whatever came of it: one that was
/// stopped or failed may have had its effect.
#[must_use]
pub fn done_before(run: &Run, step: usize, gate: &Gate<'_>) -> Option<RunId> {
    let call = &run.steps.get(step)?.bound.spec.act()?.call;
    let is_same = |step: &RunStep| {
        step.acts_done().next().is_some() && step.bound.spec.act().is_some_and(|act| act.call == *call)
    };
    let others = runs_for(gate, &run.subject).filter(|other| other.id != run.id);
    let other = others.filter(|other| other.steps.iter().any(is_same)).map(|other| other.id).last();
    other.or_else(|| run.steps.get(step)?.acts_done().next().map(|_| run.id))
}

/// The targets of an act by name, without their kinds: one page says `deployment/payment` and another `payment`.
pub fn targets(touches: &str) -> impl Iterator<Item = &str> {
    touches.split(", ").map(|target| target.rsplit('/').next().unwrap_or(target))
}

/// True where both name a target that is the same.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    targets(one).any(|target| targets(other).any(|same| same == target))
}

/// A run that is acting on a target, as far as anybody knows.
pub(super) struct Taken {
    pub(super) by: RunId,
    /// Nobody hears of the act any more, and only then its time is over; `None` where it runs under the engine's eyes.
    pub(super) perhaps_until: Option<Timestamp>,
}

/// A run other than `run` that is acting on one of these targets this very moment, or may be: what outlived the program
/// that began it, or the connection to it, goes on for as long as its time lasts. That time begins a little after the intent, and
/// whoever is told to end once it is over is given a while for that.
pub(super) fn taken(touches: &str, run: &Run, gate: &Gate<'_>) -> Option<Taken> {
    let takes = |other: &Run, step: &RunStep| {
        if !acts_on(step, touches) {
            return None;
        }
        let perhaps_until = match &step.state {
            // A probe ends first what the act has left over.
            StepState::Running { purpose: Purpose::Run | Purpose::Undo | Purpose::Probe, .. } => None,
            StepState::Unknown { .. } => {
                let is_over_at = step.act_is_over_at()? + LEFT_OVER_ENDS_MS;
                (gate.now < is_over_at).then_some(Some(is_over_at))?
            }
            _ => return None,
        };
        Some(Taken { by: other.id, perhaps_until })
    };
    others(run, gate).find_map(|other| other.steps.iter().find_map(|step| takes(other, step)))
}

/// All runs but this one, the newest first.
fn others<'a>(run: &Run, gate: &Gate<'a>) -> impl Iterator<Item = &'a Arc<Run>> {
    let id = run.id;
    gate.runs.values().rev().filter(move |other| other.id != id)
}

fn acts_on(step: &RunStep, touches: &str) -> bool {
    step.bound.spec.act().is_some() && overlap(&step.bound.spec.touches, touches)
}

/// What the last act of another run on one of these targets may have left running, where nobody saw its end: without a probe nobody
/// has ended it, however long ago its time was over.
pub(super) fn left_on(touches: &str, run: &Run, gate: &Gate<'_>) -> Option<LeftOver> {
    let is_unseen = |step: &&RunStep| matches!(step.state, StepState::Unknown { .. }) && acts_on(step, touches);
    others(run, gate).find_map(|other| other.steps.iter().find(is_unseen)?.left_over())
}

/// How often this kind of act was verified for this cause lately, in other incidents: it came back each time.
pub(super) fn recurrences(run: &Run, act: &ActSpec, gate: &Gate<'_>) -> usize {
    let is_same_cause = |other: &&Arc<Run>| {
        other.subject != run.subject
            && other.cause.is_some()
            && other.cause == run.cause
            && other.state == RunState::Succeeded
            && other.ended_at.is_some_and(|at| gate.now.since_ms(at) <= RECURRENCE_REACH_MS)
    };
    let has_same_act = |other: &&Arc<Run>| {
        let succeeded = |step: &&RunStep| matches!(step.state, StepState::Succeeded { .. });
        let acts = other.steps.iter().filter(succeeded).filter_map(|step| step.bound.spec.act());
        acts.into_iter().any(|other| other.action == act.action)
    };
    gate.runs.values().filter(is_same_cause).filter(has_same_act).count()
}

/// How often this step's kind of act was verified for this cause lately and the failure came back all the same; `None`
/// while that is no reason to stop repeating it.
#[must_use]
pub fn came_back(run: &Run, step: usize, gate: &Gate<'_>) -> Option<usize> {
    let act = run.steps.get(step)?.bound.spec.act()?;
    Some(recurrences(run, act, gate)).filter(|count| *count >= RECURRENCES_MAX)
}

/// True where the act restarts what it touches, by its kind or by what it calls: a page can name a kind that is too mild.
/// A package brings its services' restart with it.
pub(super) fn restarts(act: &ActSpec) -> bool {
    matches!(act.action, ActionKind::Restart | ActionKind::Failover | ActionKind::Patch) || takes_down(&act.call)
}

/// True where a call says that it takes down what it touches.
pub(super) fn takes_down(call: &Call) -> bool {
    let words = call.words();
    let is_said = |text: &Arc<str>| {
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
        words.any(|word| RESTART_WORDS.iter().any(|restart| word.eq_ignore_ascii_case(restart)))
    };
    let mut programs = words.iter().map(|word| word.rsplit('/').next().unwrap_or(word));
    let is_kubectl = programs.any(|program| program == "kubectl");
    let scales = words.iter().any(|word| word.as_ref() == "scale");
    let to_nothing = words.iter().any(|word| word.as_ref() == "--replicas=0")
        || words.windows(2).any(|pair| pair[0].as_ref() == "--replicas" && pair[1].as_ref() == "0");
    let goes_back = words.windows(2).any(|pair| pair[0].as_ref() == "rollout" && pair[1].as_ref() == "undo");
    let replaces = goes_back || words.iter().any(|word| KUBECTL_RESTARTS.contains(&word.as_ref()));
    words.iter().any(is_said) || is_kubectl && (replaces || scales && to_nothing)
}

/// When a restart or failover of this target was last begun in these runs.
pub(super) fn restarted<'a>(target: &str, runs: impl Iterator<Item = &'a Run>) -> Option<i64> {
    let is_restart = |step: &&RunStep| {
        let spec = &step.bound.spec;
        spec.act().is_some_and(restarts) && overlap(&spec.touches, target)
    };
    runs.flat_map(|run| &run.steps).filter(is_restart).flat_map(RunStep::acts_done).map(|begun| begun.at.0).max()
}

/// When a restart or failover of one of these targets was last begun: by another run, by another step of this one, or by an
/// earlier attempt of this very step.
pub(super) fn last_restart(spec: &StepSpec, run: &Run, runs: &BTreeMap<RunId, Arc<Run>>) -> Option<i64> {
    let restarts = |step: &&RunStep| {
        let other = &step.bound.spec;
        other.act().is_some_and(restarts) && overlap(&other.touches, &spec.touches)
    };
    let others = runs.values().filter(|other| other.id != run.id).flat_map(|other| &other.steps);
    others.chain(&run.steps).filter(restarts).flat_map(RunStep::acts_done).map(|begun| begun.at.0).max()
}
