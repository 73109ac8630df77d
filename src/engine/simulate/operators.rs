//! People at consoles: each has a picture of its own, which lags behind, and does what it shows.

use std::collections::BTreeSet;
use std::sync::Arc;

use rand::Rng;
use rand_pcg::Pcg64;

use super::systems::Systems;
use crate::engine::attach::delta::diff;
use crate::engine::model::{Incident, IncidentSeverity, Person, Purpose, Role, Run, RunState, RunStep, StepState};
use crate::engine::request::Request;
use crate::engine::snapshot::Snapshot;

/// Names; the first has every right, so that somebody can always release what was stopped.
const PEOPLE: [(&str, Role); 5] = [
    ("ana", Role::Admin),
    ("bo", Role::Responder),
    ("cleo", Role::Commander),
    ("dai", Role::Responder),
    ("vic", Role::Viewer),
];

/// One person.
pub(super) struct Operator {
    pub person: Person,
    /// What is on the screen.
    pub picture: Arc<Snapshot>,
    /// How likely a new picture reaches it at any moment: some lines are slow.
    pub pace: f64,
}

/// Two to five people; some of them at the end of a line on which a picture takes a minute.
pub(super) fn people(draws: &mut Pcg64) -> Vec<Operator> {
    let count = draws.random_range(2..=PEOPLE.len());
    let person = |(name, role): &(&str, Role)| Person { name: Arc::from(*name), role: *role };
    let empty = Arc::new(Snapshot::empty());
    let mut people = Vec::new();
    for it in PEOPLE.iter().take(count) {
        let pace = if draws.random_bool(0.2) { 0.004 } else { 0.25 };
        people.push(Operator { person: person(it), picture: Arc::clone(&empty), pace });
    }
    people
}

impl Operator {
    /// The newest picture comes in, as over a socket: by what differs from the one before.
    pub(super) fn look(&mut self, newest: &Arc<Snapshot>) -> Result<(), String> {
        let picture = diff(&self.picture, newest).apply(&self.picture).map_err(|problem| problem.to_string())?;
        self.picture = Arc::new(picture);
        Ok(())
    }

    /// True where this offer is on the screen.
    pub(super) fn sees(&self, token: &str) -> bool {
        self.picture.runs.iter().flat_map(|run| &run.steps).any(|step| step.offer.as_ref() == token)
    }

    /// What the person asks for, if for anything.
    pub(super) fn wish(&self, draws: &mut Pcg64, systems: &Systems) -> Option<Request> {
        if self.picture.kill.is_some() && draws.random_bool(0.2) {
            return Some(Request::Release { reason: "looked at it".into() });
        }
        match draws.random_range(0..1_000) {
            0..620 => self.on_run(draws, systems),
            620..800 => self.start(draws),
            800..870 => self.on_incident(draws),
            870..885 => self.border(draws),
            885..886 => Some(Request::Kill { reason: "smoke".into() }),
            886..906 => Some(Request::ResetBreaker),
            _ => None,
        }
    }

    fn live(&self) -> Vec<&Arc<Incident>> {
        let live = |it: &&Arc<Incident>| it.state.is_live() && it.merged_into.is_none();
        self.picture.incidents.iter().filter(live).collect()
    }

    fn start(&self, draws: &mut Pcg64) -> Option<Request> {
        let live = self.live();
        let incident = one_of(&live, draws)?.id;
        let proposal = self.picture.proposals.get(&incident)?.first()?;
        Some(Request::StartRun { incident, runbook: Arc::clone(&proposal.runbook.id), digest: proposal.shown() })
    }

    fn on_incident(&self, draws: &mut Pcg64) -> Option<Request> {
        let all: Vec<&Arc<Incident>> = self.picture.incidents.iter().filter(|it| it.merged_into.is_none()).collect();
        let incident = one_of(&all, draws)?.id;
        Some(match draws.random_range(0..20) {
            0..3 => Request::Acknowledge { incident },
            3..6 => Request::Own { incident, owner: "".into() },
            6..10 => Request::Note { incident, text: format!("note {}", draws.random::<u32>()).into() },
            10 => Request::Mitigate { incident },
            11..13 => Request::SetSeverity { incident, severity: IncidentSeverity::Sev1 },
            13..19 => Request::Reopen { incident },
            _ => Request::Resolve { incident },
        })
    }

    fn border(&self, draws: &mut Pcg64) -> Option<Request> {
        let live = self.live();
        let (one, other) = (*one_of(&live, draws)?, *one_of(&live, draws)?);
        if one.services.len() > 1 && draws.random_bool(0.5) {
            let services: BTreeSet<_> = one.services.keys().take(1).cloned().collect();
            return Some(Request::SplitOff { incident: one.id, services });
        }
        Some(Request::Merge { incident: one.id, into: other.id })
    }

    fn on_run(&self, draws: &mut Pcg64, systems: &Systems) -> Option<Request> {
        let open: Vec<&Arc<Run>> = self.picture.runs.iter().filter(|run| run.state.is_open()).collect();
        let over: Vec<&Arc<Run>> = self.picture.runs.iter().filter(|run| !run.state.is_open()).take(6).collect();
        let pick = if draws.random_bool(0.9) { &open } else { &over };
        let run: &Run = one_of(pick, draws)?;
        let id = run.id;
        if draws.random_bool(0.03) {
            return Some(Request::StopRun { run: id, escalate: None });
        }
        if draws.random_bool(0.05) {
            return undo(run, draws);
        }
        if run.state == RunState::Paused && draws.random_bool(0.7) {
            return Some(Request::Resume { run: id, reason: "looked at it".into(), digest: run.shown() });
        }
        let index = run.current_step()?;
        let step = run.steps.get(index)?;
        let shown = || run.shown();
        match &step.state {
            StepState::Waiting => Some(answer(run, index, step, draws)),
            StepState::Failed { .. } => Some(match draws.random_range(0..4) {
                0 => Request::Skip { run: id, step: index, reason: "not needed".into(), digest: shown() },
                1 => {
                    let step = draws.random_range(0..=index);
                    Request::RunFrom { run: id, step, reason: "once more".into(), digest: shown() }
                }
                _ => Request::Retry { run: id, step: index, digest: shown() },
            }),
            StepState::Unknown { .. } => settle(run, index, step, draws, systems),
            _ => None,
        }
    }
}

/// Answers what is offered: most often yes, and not always with the target's name.
fn answer(run: &Run, index: usize, step: &RunStep, draws: &mut Pcg64) -> Request {
    let digest = Arc::clone(&step.offer);
    match draws.random_range(0..100) {
        0..4 => Request::Skip { run: run.id, step: index, reason: "not needed".into(), digest: run.shown() },
        4..6 => Request::DryRun { run: run.id, step: index, digest },
        6..8 => {
            let step = draws.random_range(0..run.steps.len());
            Request::RunFrom { run: run.id, step, reason: "there".into(), digest: run.shown() }
        }
        more => {
            let types = step.needs_target && more < 95;
            let typed_target = types.then(|| Arc::clone(&step.bound.spec.touches));
            Request::Approve { run: run.id, step: index, digest, typed_target }
        }
    }
}

fn undo(run: &Run, draws: &mut Pcg64) -> Option<Request> {
    let standing: Vec<usize> = (0..run.steps.len()).filter(|index| run.steps[*index].stands()).collect();
    let step = *one_of(&standing, draws)?;
    Some(Request::Undo { run: run.id, step, digest: Arc::clone(&run.steps[step].id) })
}

/// Looks at the systems, and says what is there; not while something may still happen.
fn settle(run: &Run, index: usize, step: &RunStep, draws: &mut Pcg64, systems: &Systems) -> Option<Request> {
    let has_probe = step.bound.spec.act().is_some_and(|act| act.repeat.probe().is_some());
    if draws.random_bool(if has_probe { 0.5 } else { 0.05 }) {
        return Some(Request::Probe { run: run.id, step: index });
    }
    let last = step.acts_begun().last()?;
    let entry = systems.attempt(&last.id)?;
    let is_there = systems.effects.contains(&entry.target);
    let has_happened = if last.purpose == Purpose::Undo { !is_there } else { is_there };
    entry.is_over.then_some(Request::SettleUnknown { run: run.id, step: index, has_happened })
}

fn one_of<'a, T>(all: &'a [T], draws: &mut Pcg64) -> Option<&'a T> {
    if all.is_empty() { None } else { all.get(draws.random_range(0..all.len())) }
}
