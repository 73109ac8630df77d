//! Races: two people answer the same offer, and one of them is obeyed. Both desks on one thread, with nothing kept and nothing
//! called but in memory, so that as many as one likes take no time.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::invariants::Broken;
use super::world;
use crate::engine::act::policy::ApprovedStep;
use crate::engine::act::{StepReportSink, StepRunner};
use crate::engine::clock::Timestamp;
use crate::engine::deliver::DeliveryReportSink;
use crate::engine::input::{AssetLook, Input, NeedAsked, StepProgress, StepReport};
use crate::engine::job::Record;
use crate::engine::model::{DeliveryAttempt, IncidentId, LeftOver, Person, Run, RunId, StepState};
use crate::engine::patches::exceptions::PatchException;
use crate::engine::pipeline::{Engine, EngineError};
use crate::engine::request::{Reply, Request};
use crate::engine::runtime::engine_desk::{Connected, EngineDesk};
use crate::engine::runtime::jobs_desk::{Courier, JobsDesk, Keeps, Scout, Work};
use crate::engine::store::StoreError;

/// The incident that is raced about; its cause is what the page is for.
const INCIDENT: IncidentId = IncidentId(3);
/// Steps of the page, and so many races a run.
const STEPS: usize = 24;
/// Runs of a life; what is known grows with each.
const RUNS: usize = 24;

/// What came of races.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Raced {
    /// How many were run.
    pub races: u64,
    /// In how many both approved; in the others one of them passed the step over.
    pub both_approved: u64,
    /// Calls that were made.
    pub calls: u64,
    /// What went wrong first, where something did; no race is run after it.
    pub broken: Option<Broken>,
}

impl fmt::Display for Raced {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { races, both_approved, calls, broken } = self;
        write!(out, "{races} races for one offer, {both_approved} of two approvals: {calls} calls, ")?;
        match broken {
            None => write!(out, "none made twice, and each second person was told"),
            Some(Broken { rule, text }) => write!(out, "BROKEN {rule}: {text}"),
        }
    }
}

/// Runs so many of them.
///
/// # Errors
/// When the engine refuses its settings.
pub fn races(count: u64) -> Result<Raced, EngineError> {
    let mut raced = Raced::default();
    while raced.races < count && raced.broken.is_none() {
        let mut desks = Desks::new()?;
        for _ in 0..RUNS {
            if raced.races >= count {
                break;
            }
            if let Err(text) = desks.run(&mut raced, count) {
                raced.broken = Some(Broken { rule: "I4", text });
                break;
            }
        }
    }
    Ok(raced)
}

/// Keeps nothing, begins nothing, and remembers what was begun.
#[derive(Default)]
struct Floor {
    begun: Mutex<BTreeMap<Arc<str>, u64>>,
    reports: Mutex<Vec<StepReport>>,
}

impl Floor {
    fn times(&self, id: &str) -> u64 {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied().unwrap_or_default()
    }

    fn reports(&self) -> Vec<StepReport> {
        std::mem::take(&mut *self.reports.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Keeps for Floor {
    fn write(&self, _records: &[Record], _is_durable: bool) -> Result<(), StoreError> {
        Ok(())
    }
}

impl StepRunner for Floor {
    fn start(&self, step: ApprovedStep, _reports: StepReportSink) {
        let id = Arc::clone(step.step_id());
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner).entry(Arc::clone(&id)).or_default() += 1;
        let progress = StepProgress::Exited { code: Some(0), took_ms: 1 };
        let report = StepReport { run: step.run(), step: step.step(), attempt: id, progress };
        self.reports.lock().unwrap_or_else(PoisonError::into_inner).push(report);
    }

    fn cancel(&self, _run: RunId, _step: usize) {}

    fn end_left_over(&self, _left: &LeftOver) {}
}

struct Nobody;

impl Courier for Nobody {
    fn send(&self, _attempt: DeliveryAttempt, _reports: DeliveryReportSink) {}
}

impl Scout for Nobody {
    fn find_need(&self, _asked: NeedAsked, _exceptions: Vec<Arc<PatchException>>) {}

    fn look_at(&self, _look: AssetLook) {}

    fn watch_closely(&self, _until: Timestamp, _every_ms: i64) {}
}

type Told = Arc<Mutex<Option<Reply>>>;

fn told(told: &Told) -> Option<Reply> {
    told.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Both desks with a queue between them.
struct Desks {
    engine: EngineDesk,
    jobs: JobsDesk,
    queue: Arc<Mutex<VecDeque<Work>>>,
    floor: Arc<Floor>,
}

impl Desks {
    fn new() -> Result<Self, EngineError> {
        let start = world::START;
        let mut engine = Engine::new(world::settings(false), world::only_looks(STEPS))?;
        let mut first_jobs = engine.restore([Record::Incident(world::incident(INCIDENT.0, start))], start);
        first_jobs.extend(engine.begin(start));
        let (floor, queue) = (Arc::new(Floor::default()), Arc::new(Mutex::new(VecDeque::new())));
        let (handed, killed, clock) = (Arc::clone(&queue), Arc::new(AtomicBool::new(true)), AtomicI64::new(start.0));
        let runner: Arc<dyn StepRunner> = Arc::clone(&floor) as Arc<dyn StepRunner>;
        let connected = Connected {
            engine,
            now: start,
            clock: Box::new(move || Timestamp(clock.fetch_add(1, Ordering::Relaxed))),
            hand_on: Box::new(move |work| {
                handed.lock().unwrap_or_else(PoisonError::into_inner).push_back(work);
                true
            }),
            killed: Arc::clone(&killed),
            runner: Arc::clone(&runner),
            kill_place: None,
        };
        let jobs = JobsDesk {
            store: Some(Arc::clone(&floor) as Arc<dyn Keeps>),
            runner,
            reports: StepReportSink::channel().0,
            courier: Box::new(Nobody),
            deliveries: DeliveryReportSink::channel().0,
            store_news: Box::new(|_| {}),
            killed,
            kill_place: None,
            scout: Box::new(Nobody),
            expected: BTreeMap::new(),
        };
        let mut desks = Self { engine: EngineDesk::new(connected), jobs, queue, floor };
        desks.engine.begin(first_jobs);
        desks.engine.take(Input::Tick);
        Ok(desks)
    }

    fn ask(&mut self, by: &str, request: Request) -> Told {
        let reply = Told::default();
        let answer = Arc::clone(&reply);
        let answer = Box::new(move |reply| *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(reply));
        self.engine.take_request(Person::admin(by), request, answer);
        reply
    }

    fn work(&mut self) {
        while let Some(work) = { self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front() } {
            self.jobs.take(work);
        }
    }

    /// One run of the page, a race for each of its steps.
    fn run(&mut self, raced: &mut Raced, count: u64) -> Result<(), String> {
        let picture = self.engine.snapshot();
        let proposals = picture.proposals.get(&INCIDENT).into_iter().flatten();
        let proposal = proposals.into_iter().find(|proposal| proposal.runbook.id.as_ref() == "looks");
        let digest = proposal.ok_or_else(|| "the page is not proposed".to_owned())?.shown();
        let begun = self.ask("ana", Request::StartRun { incident: INCIDENT, runbook: "looks".into(), digest });
        self.work();
        if !matches!(told(&begun), Some(Reply::Done { .. })) {
            return Err(format!("no run was begun: {:?}", told(&begun)));
        }
        for index in 0..STEPS {
            if raced.races >= count {
                break;
            }
            self.race(index, raced)?;
            raced.races += 1;
        }
        Ok(())
    }

    fn newest(&mut self) -> Result<Arc<Run>, String> {
        let picture = self.engine.snapshot();
        picture.runs.iter().max_by_key(|run| run.id).cloned().ok_or_else(|| "there is no run".to_owned())
    }

    /// Both approve, one of them passes it over, or the same person says yes twice.
    fn race(&mut self, index: usize, raced: &mut Raced) -> Result<(), String> {
        let run = self.newest()?;
        let step = run.steps.get(index).filter(|step| step.state == StepState::Waiting);
        let step = step.ok_or_else(|| format!("step {} is not offered", index + 1))?;
        let approve =
            || Request::Approve { run: run.id, step: index, digest: Arc::clone(&step.offer), typed_target: None };
        let skip = || Request::Skip { run: run.id, step: index, reason: "not needed".into(), digest: run.shown() };
        let (one, other, second) = match raced.races % 4 {
            0 => (approve(), skip(), "bo"),
            1 => (skip(), approve(), "bo"),
            2 => (approve(), approve(), "ana"),
            _ => (approve(), approve(), "bo"),
        };
        let is_approved = matches!(one, Request::Approve { .. });
        raced.both_approved += u64::from(raced.races % 4 >= 2);
        let first = self.ask("ana", one);
        if raced.races.is_multiple_of(3) {
            self.work();
        }
        let late = self.ask(second, other);
        self.work();
        if !matches!(told(&first), Some(Reply::Done { .. })) {
            return Err(format!("the first was not obeyed: {:?}", told(&first)));
        }
        let Some(Reply::Refused { reason }) = told(&late) else {
            return Err(format!("the second was not refused: {:?}", told(&late)));
        };
        let who = if second == "ana" { "you" } else { "ana" };
        let did = if is_approved { "approved this at" } else { "passed this over at" };
        if !reason.contains(&format!("({who} {did} ")) {
            return Err(format!("the second was told {reason:?}, which does not say who was first"));
        }
        let times = self.floor.times(&step.id);
        raced.calls += times;
        if times != u64::from(is_approved) {
            return Err(format!("race {}: called {times} times", raced.races));
        }
        for report in self.floor.reports() {
            self.engine.take(Input::Step(report));
        }
        self.work();
        Ok(())
    }
}
