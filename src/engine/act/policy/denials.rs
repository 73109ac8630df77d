//! What may not be done, whoever asks: each rule by itself, in the order in which it is told.

use std::sync::Arc;

use regex::Regex;

use super::history::{self, acts_begun_in};
use super::{Gate, Subject};
use crate::engine::clock::{MINUTE_MS, Timestamp};
use crate::engine::limits::VERIFY_FRESH_MS;
use crate::engine::model::{
    ActSpec, AutonomyMode, Call, CheckSpec, DATABASE_PROOFS, MetricGoal, Reading, Run, RunSubject, StepKind, StepSpec,
    StepState, human,
};
use crate::engine::settings::{PolicySettings, RunbookSettings};

/// A proof older than this is none any more: replicas fall behind and backups begin.
const PROOF_MS_MAX: i64 = 15 * MINUTE_MS;
/// Between two restarts of the same database.
const DATABASE_RESTART_MS: i64 = 15 * MINUTE_MS;

/// Why step `step` may not begin, where it may not.
pub(super) fn of_step(run: &Run, spec: &StepSpec, gate: &Gate<'_>) -> Option<String> {
    match &spec.kind {
        StepKind::Note
        | StepKind::Verify { .. }
        | StepKind::Wait { .. }
        | StepKind::Ask { .. }
        | StepKind::Branch { .. } => None,
        StepKind::Notify { .. } => observing(gate),
        StepKind::Check(_) => spec.call().and_then(|call| of_call(call, gate)),
        StepKind::Act(act) => {
            of_act(run, spec, act, gate).or_else(|| over_own_limit(run)).or_else(|| of_changing_call(&act.call, gate))
        }
    }
}

/// Why a call may not be made, whatever it is for: the kill switch and the allow-list hold for every one.
pub(super) fn of_call(call: &Call, gate: &Gate<'_>) -> Option<String> {
    killed(gate).or_else(|| program(call, gate.settings))
}

/// Why a call that changes something may not be made.
pub(super) fn of_changing_call(call: &Call, gate: &Gate<'_>) -> Option<String> {
    of_call(call, gate).or_else(|| unguarded(call))
}

/// Over `ssh` nobody looks up who owns the objects and counts them, as is done before a `kubectl` of this machine.
pub fn unguarded(call: &Call) -> Option<String> {
    let Call::Ssh { argv, .. } = call else { return None };
    let program = argv.first()?;
    (program.rsplit('/').next() == Some("kubectl")).then(|| {
        "`kubectl` over ssh changes objects whose owners and number nobody has looked up; run it as a local step, without \
         `host`"
            .to_owned()
    })
}

/// Why an act may not be taken back: what holds for the act itself, but for its own preconditions, and a freeze does not
/// keep a change that was a mistake.
pub(super) fn of_act_taken_back(run: &Run, spec: &StepSpec, gate: &Gate<'_>) -> Option<String> {
    observing(gate)
        .or_else(|| killed(gate))
        .or_else(|| taken(run, spec, gate))
        .or_else(|| unproved_undo(run, spec, gate))
}

/// Why an act may not begin.
fn of_act(run: &Run, spec: &StepSpec, act: &ActSpec, gate: &Gate<'_>) -> Option<String> {
    observing(gate)
        .or_else(|| killed(gate))
        .or_else(|| wrong_subject(run, gate))
        .or_else(|| frozen(run, spec, gate))
        .or_else(|| taken(run, spec, gate))
        .or_else(|| unproved_restart(run, spec, act, gate))
        .or_else(|| unmet_precheck(act, gate))
        .or_else(|| act.not_restarting.iter().find_map(|target| restarted(target, gate)))
}

/// Why an act will not begin whatever its run does first: its proofs and prechecks are still to come, these rules stand.
pub(super) fn standing(run: &Run, spec: &StepSpec, act: &ActSpec, gate: &Gate<'_>) -> Option<String> {
    observing(gate).or_else(|| frozen(run, spec, gate)).or_else(|| of_changing_call(&act.call, gate))
}

fn killed(gate: &Gate<'_>) -> Option<String> {
    let kill = gate.safety.kill.as_ref()?;
    Some(format!("the kill switch is on since {}, by {}: {}", kill.at.hh_mm_ss(), kill.by, kill.reason))
}

fn observing(gate: &Gate<'_>) -> Option<String> {
    (gate.mode() == AutonomyMode::Observe)
        .then(|| "this console only observes; `mode` under [policy] and --readonly decide".to_owned())
}

fn wrong_subject(run: &Run, gate: &Gate<'_>) -> Option<String> {
    let other = || Some(format!("{} is for {}, not for {}", run.id, run.subject, gate.subject.id()));
    match (gate.subject, &run.subject) {
        (Subject::Incident(incident), RunSubject::Incident(id)) => {
            let became = gate.incidents.get(id).and_then(|it| it.merged_into);
            if *id != incident.id && became != Some(incident.id) {
                return other();
            }
            (!incident.state.is_live()).then(|| format!("{} is resolved; reopen it before acting on it", incident.id))
        }
        (Subject::Rollout(mandate), RunSubject::Rollout(target)) if mandate.target == *target => mandate.missing(),
        _ => other(),
    }
}

fn over_own_limit(run: &Run) -> Option<String> {
    let begun = acts_begun_in(run);
    (begun >= usize::from(run.runbook.acts_max))
        .then(|| format!("act {} of at most {} in this run; stop it and escalate", begun + 1, run.runbook.acts_max))
}

fn frozen(run: &Run, spec: &StepSpec, gate: &Gate<'_>) -> Option<String> {
    let names: Vec<&str> = services(run, spec).collect();
    let holds = |pattern: &Option<String>| match pattern {
        None => true,
        // A pattern that cannot be read freezes everything: the safe side.
        Some(pattern) => whole(pattern).is_none_or(|pattern| names.iter().any(|name| pattern.is_match(name))),
    };
    let freeze = gate
        .policy
        .freeze
        .iter()
        .find(|freeze| freeze.from <= gate.now && gate.now < freeze.until && holds(&freeze.services))?;
    Some(format!("change freeze `{}` until {} {}", freeze.name, freeze.until.date(), freeze.until.hh_mm_ss()))
}

/// The names an act is about: the service of the run, its parameters, and what it touches without its kind.
pub(super) fn services<'a>(run: &'a Run, spec: &'a StepSpec) -> impl Iterator<Item = &'a str> {
    let touched = history::targets(&spec.touches);
    run.params.values().map(AsRef::as_ref).chain(run.cause.iter().map(|(_, service)| service.as_str())).chain(touched)
}

fn taken(run: &Run, spec: &StepSpec, gate: &Gate<'_>) -> Option<String> {
    let other = history::taken(&spec.touches, run, gate)?;
    let (by, touches) = (other.by, &spec.touches);
    Some(match other.perhaps_until {
        None => format!("{by} is acting on {touches} this moment; wait for it"),
        Some(until) => format!(
            "the end of what {by} did to {touches} is unknown, and until {} it may still be under way; wait, or settle it by hand",
            until.hh_mm_ss()
        ),
    })
}

/// True where the act may touch what holds data.
pub(super) fn touches_database(run: &Run, spec: &StepSpec, policy: &PolicySettings) -> bool {
    // A pattern that cannot be read makes every target a database: the safe side.
    let Some(pattern) = whole(&policy.databases) else { return true };
    history::targets(&spec.touches).any(|target| pattern.is_match(target))
        || spec.call().is_some_and(|call| calls_database(run, call, policy))
}

/// True where the call names what holds data.
fn calls_database(run: &Run, call: &Call, policy: &PolicySettings) -> bool {
    let Some(pattern) = whole(&policy.databases) else { return true };
    let words: Vec<Arc<str>> = call.words();
    let in_call = words.iter().flat_map(|word| word.split(['/', '='])).any(|word| pattern.is_match(word));
    let is_param_of_call = run
        .params
        .values()
        .any(|value| pattern.is_match(value) && words.iter().any(|word| word.contains(value.as_ref())));
    in_call || is_param_of_call
}

/// A database is restarted only after this very run has proved that nothing is lost by it. Missing proof refuses.
fn unproved_restart(run: &Run, spec: &StepSpec, act: &ActSpec, gate: &Gate<'_>) -> Option<String> {
    if !history::restarts(act) || !touches_database(run, spec, gate.policy) {
        return None;
    }
    if let Some(reason) = unproved(run, spec, |at| gate.now.since_ms(at) <= PROOF_MS_MAX) {
        return Some(reason);
    }
    let last = history::last_restart(spec, run, gate.runs)?;
    let since = gate.now.0.saturating_sub(last);
    (since < DATABASE_RESTART_MS).then(|| {
        format!("{} was restarted {} min ago; wait until {} min are over", spec.touches, since / MINUTE_MS, 15)
    })
}

/// What this run has not proved of what a restart needs, by checks for whose instant `counts` holds.
fn unproved(run: &Run, spec: &StepSpec, counts: impl Fn(Timestamp) -> bool) -> Option<String> {
    let is_proved = |proof: &&str| {
        run.steps.iter().any(|step| {
            let StepKind::Check(CheckSpec { proves, .. }) = &step.bound.spec.kind else { return false };
            let has_seen = matches!(step.state, StepState::Succeeded { at } if counts(at));
            has_seen && step.is_as_expected == Some(true) && proves.iter().any(|proved| proved.as_ref() == *proof)
        })
    };
    let missing: Vec<&str> = DATABASE_PROOFS.into_iter().filter(|proof| !is_proved(proof)).collect();
    (!missing.is_empty()).then(|| {
        let minutes = PROOF_MS_MAX / MINUTE_MS;
        let missing = missing.join(", ");
        format!("{} may hold data, and this run has not proved within {minutes} min: {missing}", spec.touches)
    })
}

/// Taking an act back can take a database down that the act itself left up. How old the proofs are says nothing then: what
/// is taken back was a mistake, and was done behind them.
fn unproved_undo(run: &Run, spec: &StepSpec, gate: &Gate<'_>) -> Option<String> {
    let undo = spec.act()?.undo.as_ref().filter(|undo| history::takes_down(undo))?;
    let touches = touches_database(run, spec, gate.policy) || calls_database(run, undo, gate.policy);
    if touches { unproved(run, spec, |_| true) } else { None }
}

/// The first condition that does not hold, with its value; one that cannot be read does not hold.
fn unmet_precheck(act: &ActSpec, gate: &Gate<'_>) -> Option<String> {
    act.prechecks.iter().find_map(|goal| unmet(goal, gate))
}

/// That a target was restarted a moment ago, by whichever run.
fn restarted(target: &str, gate: &Gate<'_>) -> Option<String> {
    let since = gate.now.0.saturating_sub(history::restarted(target, gate.runs.values().map(AsRef::as_ref))?);
    (since < DATABASE_RESTART_MS).then(|| format!("precheck: {target} was restarted {} min ago", since / MINUTE_MS))
}

fn unmet(goal: &MetricGoal, gate: &Gate<'_>) -> Option<String> {
    let readings = fresh_readings(goal, gate);
    if readings.is_empty() {
        return Some(format!("precheck: {}", unknown(goal)));
    }
    let worst = readings.iter().find(|reading| !is_met(goal, reading))?;
    let value = human(worst.value, worst.unit);
    Some(format!("precheck: {} of {} is {value}, not {}", goal.metric, goal.service, wanted(goal)))
}

/// The latest reading of each instance that speaks of now. An older one is what was, and is not known to be so still.
#[must_use]
pub fn fresh_readings(goal: &MetricGoal, gate: &Gate<'_>) -> Vec<Reading> {
    let is_fresh = |reading: &Reading| reading.at + VERIFY_FRESH_MS >= gate.now;
    gate.outlook.readings(&goal.service, &goal.metric).into_iter().filter(is_fresh).collect()
}

/// That a metric is not known now, in words.
#[must_use]
pub fn unknown(goal: &MetricGoal) -> String {
    let minutes = VERIFY_FRESH_MS / MINUTE_MS;
    format!("there is no data of {} for {} of the last {minutes} min", goal.metric, goal.service)
}

/// Inside the absolute bounds where the runbook gives any, else inside the band. Below the band counts as inside unless
/// the detectors hold that against the series: fewer errors than expected are no reason to fail.
#[must_use]
pub fn is_met(goal: &MetricGoal, reading: &Reading) -> bool {
    if !reading.value.is_finite() {
        return false;
    }
    if goal.below.is_some() || goal.above.is_some() {
        return goal.below.is_none_or(|limit| reading.value < limit)
            && goal.above.is_none_or(|limit| reading.value > limit);
    }
    reading.value <= reading.band.high && (reading.value >= reading.band.low || !reading.is_anomalous)
}

/// Where the metric should be, in words.
#[must_use]
pub fn wanted(goal: &MetricGoal) -> String {
    match (goal.below, goal.above) {
        (Some(below), Some(above)) => format!("between {above} and {below}"),
        (Some(below), None) => format!("below {below}"),
        (None, Some(above)) => format!("above {above}"),
        (None, None) => "inside its band".to_owned(),
    }
}

/// A bare name must be on the list as such; a path must be absolute and on the list as that very path, so that a listed
/// `kubectl` does not open `/tmp/kubectl`. Over `ssh` this holds for `ssh` itself and for the program there, which may stand
/// on a list of its own; which hosts may be reached is the runner's to say.
pub fn program(call: &Call, settings: &RunbookSettings) -> Option<String> {
    let is_in = |list: &[String], program: &str| list.iter().any(|allowed| allowed == program);
    let here = call.program();
    if let Some(why) = unnamed(here) {
        return Some(why);
    }
    if !is_in(&settings.allowed_programs, here) {
        let remedy = "add it there if steps may use it";
        return Some(format!("`{here}` is not among `allowed_programs` under [runbooks]; {remedy}"));
    }
    let Call::Ssh { host, argv } = call else { return None };
    let there = argv.first().map_or("", AsRef::as_ref);
    let is_listed = is_in(&settings.ssh.programs, there) || is_in(&settings.allowed_programs, there);
    let unlisted = || {
        format!(
            "`{there}` on {host} is not among `programs` under [runbooks.ssh], nor among `allowed_programs`; add it there if \
             steps may use it on other machines"
        )
    };
    unnamed(there).or_else(|| (!is_listed).then(unlisted))
}

/// Why this names no program.
fn unnamed(program: &str) -> Option<String> {
    if program.is_empty() {
        return Some("its command is empty".to_owned());
    }
    (program.contains('/') && !program.starts_with('/'))
        .then(|| format!("`{program}` is a relative path; write the program's name or its absolute path"))
}

/// The pattern, made to match the whole value or nothing; `None` where it is none.
pub(in crate::engine::act) fn whole(pattern: &str) -> Option<Regex> {
    Regex::new(&format!(r"\A(?:{pattern})\z")).ok()
}
