//! A fire drill: one scenario on a virtual clock, through the same engine as everything else, in seconds. A stand-in for
//! the person on call approves what is offered, or watches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::scenarios::Scenario;
use super::settings;
use super::shop::Shop;
use super::step_runner;
use crate::engine::act::policy::ApprovedStep;
use crate::engine::clock::{MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::input::{Input, RequestId, StepProgress, StepReport};
use crate::engine::job::{Job, Record};
use crate::engine::model::{Incident, IncidentId, IncidentState, PastValues, Person, Run, RunId, RunState, StepState};
use crate::engine::patches::keeping::Keeping;
use crate::engine::pipeline::{Engine, EngineError};
use crate::engine::report::{self, Report};
use crate::engine::request::Request;
use crate::engine::runbooks::Library;
use crate::engine::settings::PatchSettings;
use crate::engine::snapshot::Snapshot;

/// Between two ticks of the virtual clock.
const TICK_MS: i64 = SECOND_MS;
/// The stand-in reads an incident for this long before acting on it.
const READING_MS: i64 = 45 * SECOND_MS;
/// And a step for this long before approving it.
const STEP_READING_MS: i64 = 3 * SECOND_MS;
/// Who the stand-in is in the audit log.
const STAND_IN: &str = "drill";

/// What the stand-in does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Approve {
    /// Begins the best runbook and approves each step as it is offered.
    All,
    /// Watches.
    #[default]
    None,
}

/// One drill.
#[derive(Debug, Clone, Copy)]
pub struct Drill {
    /// What is played.
    pub scenario: &'static Scenario,
    /// The same seed gives the same drill.
    pub seed: u64,
    /// When the live part begins.
    pub start: Timestamp,
    /// What the stand-in does.
    pub approve: Approve,
    /// The live part ends after this long at the latest, in milliseconds.
    pub lasts_ms: i64,
}

impl Drill {
    /// A drill of 45 minutes at most.
    #[must_use]
    pub fn new(scenario: &'static Scenario, seed: u64, start: Timestamp, approve: Approve) -> Self {
        Self { scenario, seed, start, approve, lasts_ms: 45 * MINUTE_MS }
    }
}

/// What came of a drill.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DrillReport {
    /// What was played.
    pub scenario: &'static str,
    /// With which seed.
    pub seed: u64,
    /// When the live part began.
    pub started_at: Timestamp,
    /// How long it lasted, in milliseconds of the virtual clock.
    pub lasted_ms: i64,
    /// The incidents.
    #[serde(flatten)]
    pub report: Report,
}

/// What is there after a drill.
#[derive(Debug, Clone)]
pub struct Played {
    /// What came of it.
    pub report: DrillReport,
    /// The last picture.
    pub snapshot: Arc<Snapshot>,
    /// What was measured, for questions.
    pub past: PastValues,
}

/// Plays a drill to its end. `keep` is given everything that the engine wants kept, in order.
///
/// # Errors
/// When the engine refuses the shop's settings.
pub fn run(drill: &Drill, keep: &mut dyn FnMut(&[Record])) -> Result<(DrillReport, Arc<Snapshot>), EngineError> {
    play(drill, keep).map(|played| (played.report, played.snapshot))
}

/// As [`run`], with what was measured.
///
/// # Errors
/// When the engine refuses the shop's settings.
pub fn play(drill: &Drill, keep: &mut dyn FnMut(&[Record])) -> Result<Played, EngineError> {
    watch(drill, keep, &mut |_| {})
}

/// As [`play`]; `see` is given every picture, in order, as a console is.
///
/// # Errors
/// When the engine refuses the shop's settings.
pub fn watch(
    drill: &Drill,
    keep: &mut dyn FnMut(&[Record]),
    see: &mut dyn FnMut(&Arc<Snapshot>),
) -> Result<Played, EngineError> {
    let mut play = Play::new(drill, keep)?;
    let end = drill.start + drill.lasts_ms;
    let mut now = drill.start;
    let mut snapshot = play.engine.snapshot(now);
    while now < end && !is_over(&snapshot) {
        now = now + TICK_MS;
        play.tick(now);
        snapshot = play.engine.snapshot(now);
        see(&snapshot);
        if drill.approve == Approve::All {
            play.act(&snapshot, now);
        }
    }
    let report = DrillReport {
        scenario: drill.scenario.name,
        seed: drill.seed,
        started_at: drill.start,
        lasted_ms: now.since_ms(drill.start),
        report: report::report(&snapshot),
    };
    Ok(Played { report, snapshot, past: play.engine.past_values() })
}

/// True once there was an incident and all are resolved.
fn is_over(snapshot: &Snapshot) -> bool {
    !snapshot.incidents.is_empty() && snapshot.incidents.iter().all(|incident| !incident.state.is_live())
}

struct Play<'a> {
    patches: PatchSettings,
    engine: Engine,
    shop: Shop,
    /// What steps under way will tell, by when and in which order.
    pending: BTreeMap<(Timestamp, u64), StepReport>,
    keep: &'a mut dyn FnMut(&[Record]),
    next_request: u64,
    /// Runbooks that the stand-in has begun.
    tried: BTreeSet<(IncidentId, Arc<str>)>,
}

impl<'a> Play<'a> {
    fn new(drill: &Drill, keep: &'a mut dyn FnMut(&[Record])) -> Result<Self, EngineError> {
        let settings = settings::settings(drill.scenario, drill.start);
        let mut play = Self {
            patches: settings.patches.clone(),
            engine: Engine::new(settings, Library::shipped())?,
            shop: Shop::new(drill.scenario, drill.seed, drill.start),
            pending: BTreeMap::new(),
            keep,
            next_request: 0,
            tried: BTreeSet::new(),
        };
        play.read_history(drill.start);
        play.read_patches(drill.start);
        Ok(play)
    }

    /// What the shop's machines lack stays as it is: nobody patches them within a drill.
    fn read_patches(&mut self, now: Timestamp) {
        let keeping = Keeping::Memory(self.shop.office());
        // What lies in memory can be read.
        if let Ok((picture, _)) = keeping.picture(&[], &BTreeMap::new(), &self.patches, now) {
            let jobs = self.engine.handle(Input::Patches(Arc::new(picture)), now);
            self.perform(jobs, now);
        }
    }

    fn read_history(&mut self, now: Timestamp) {
        let mut jobs = Vec::new();
        for signal in self.shop.history() {
            jobs.extend(self.engine.handle(Input::Signal(signal), now));
        }
        self.perform(jobs, now);
    }

    fn tick(&mut self, now: Timestamp) {
        for signal in self.shop.advance(now) {
            self.hand_in(Input::Signal(signal), now);
        }
        while let Some(entry) = self.pending.first_entry().filter(|entry| entry.key().0 <= now) {
            let report = entry.remove();
            self.hand_in(Input::Step(report), now);
        }
        self.hand_in(Input::Tick, now);
    }

    fn hand_in(&mut self, input: Input, now: Timestamp) {
        let jobs = self.engine.handle(input, now);
        self.perform(jobs, now);
    }

    fn perform(&mut self, jobs: Vec<Job>, now: Timestamp) {
        for job in jobs {
            match job {
                Job::Persist(records) | Job::PersistLater(records) => (self.keep)(&records),
                Job::Execute(step) => self.execute(&step, now),
                Job::Cancel { run, step } => self.cancel(run, step, now),
                Job::FindNeed { asked, exceptions } => {
                    let keeping = Keeping::Memory(self.shop.office());
                    let found = keeping.need(&asked.source, &exceptions, &self.patches, now).map(Box::new);
                    self.hand_in(Input::Need { asked, found }, now);
                }
                Job::LookAtAsset(look) => {
                    let found = self.shop.office().reboot(&look.target.asset);
                    self.hand_in(Input::AssetSeen { look, found }, now);
                }
                // The stand-in sees what came of its requests in the next picture, and never pulls the kill switch; nothing
                // outside the demo is told, and nothing of the demo's shop outlives the program.
                Job::Reply { .. } | Job::Deliver(_) | Job::Kill(_) | Job::EndLeftOver(_) | Job::WatchClosely { .. } => {
                }
            }
        }
    }

    fn execute(&mut self, step: &ApprovedStep, now: Timestamp) {
        let executed = self.shop.execute(&step.call().words(), step.is_dry_run(), now);
        let at = now + executed.took_ms;
        for progress in step_runner::progress(executed) {
            let attempt = Arc::clone(step.step_id());
            self.tell(at, StepReport { run: step.run(), step: step.step(), attempt, progress });
        }
    }

    fn cancel(&mut self, run: RunId, step: usize, now: Timestamp) {
        let is_of_it = |report: &StepReport| (report.run, report.step) == (run, step);
        let attempt = self.pending.values().find(|report| is_of_it(report)).map(|report| Arc::clone(&report.attempt));
        self.pending.retain(|_, report| !is_of_it(report));
        if let Some(attempt) = attempt {
            let progress = StepProgress::Stopped { reason: Arc::from("stopped by a person") };
            self.tell(now, StepReport { run, step, attempt, progress });
        }
    }

    fn tell(&mut self, at: Timestamp, report: StepReport) {
        let number = self.next_request;
        self.next_request += 1;
        self.pending.insert((at, number), report);
    }

    /// What the stand-in does about what it sees.
    fn act(&mut self, snapshot: &Snapshot, now: Timestamp) {
        for incident in snapshot.incidents.iter().filter(|incident| incident.state.is_live()) {
            let runs = || snapshot.runs.iter().filter(|run| run.incident() == Some(incident.id));
            let has_helped =
                incident.state == IncidentState::Mitigated || runs().any(|run| run.state == RunState::Succeeded);
            let request = match runs().find(|run| run.state.is_open()) {
                Some(run) if run.state == RunState::Paused => resumption(run, now),
                Some(run) => approval(run, now),
                None if has_helped => None,
                None => self.beginning(snapshot, incident, now),
            };
            if let Some(request) = request {
                let id = RequestId(self.next_request);
                self.next_request += 1;
                self.hand_in(Input::Request { id, by: Person::admin(STAND_IN), request }, now);
            }
        }
    }

    /// Begins the best runbook that was not begun before, once the incident has been read.
    fn beginning(&mut self, snapshot: &Snapshot, incident: &Incident, now: Timestamp) -> Option<Request> {
        if now.since_ms(incident.opened_at) < READING_MS {
            return None;
        }
        let proposals = snapshot.proposals.get(&incident.id)?;
        let is_new = |id: &Arc<str>| !self.tried.contains(&(incident.id, Arc::clone(id)));
        let proposal = proposals.iter().find(|proposal| is_new(&proposal.runbook.id))?;
        let runbook = Arc::clone(&proposal.runbook.id);
        self.tried.insert((incident.id, Arc::clone(&runbook)));
        Some(Request::StartRun { incident: incident.id, runbook, digest: proposal.shown() })
    }
}

/// Approves the step that is offered, once it has been read.
fn approval(run: &Run, now: Timestamp) -> Option<Request> {
    let at = run.current_step()?;
    let step = run.steps.get(at).filter(|step| step.state == StepState::Waiting)?;
    let spec = &step.bound.spec;
    (now.since_ms(step.shown_at) >= STEP_READING_MS).then(|| Request::Approve {
        run: run.id,
        step: at,
        digest: Arc::clone(&step.offer),
        typed_target: step.needs_target.then(|| Arc::clone(&spec.touches)),
    })
}

/// Lets a run go on that paused because more departs than before, once that has been read: whoever works a queue off is busy
/// for a while. What a check did not find is not passed over.
fn resumption(run: &Run, now: Timestamp) -> Option<Request> {
    let step = run.steps.get(run.current_step()?)?;
    let has_failed = matches!(step.state, StepState::Failed { .. });
    (!has_failed && now.since_ms(step.shown_at) >= STEP_READING_MS).then(|| Request::Resume {
        run: run.id,
        reason: Arc::from("looked at it"),
        digest: run.shown(),
    })
}

#[cfg(test)]
mod rollout_tests;
