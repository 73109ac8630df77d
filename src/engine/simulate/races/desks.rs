//! Both desks on one thread with a queue between them. Nothing is kept and nothing called but in memory, so that as many races as one
//! likes take no time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::engine::act::policy::ApprovedStep;
use crate::engine::act::{StepReportSink, StepRunner};
use crate::engine::clock::Timestamp;
use crate::engine::deliver::DeliveryReportSink;
use crate::engine::input::{AssetLook, Input, NeedAsked, StepProgress, StepReport};
use crate::engine::job::Record;
use crate::engine::model::{DeliveryAttempt, LeftOver, Person, RunId};
use crate::engine::patches::exceptions::PatchException;
use crate::engine::pipeline::{Engine, EngineError};
use crate::engine::request::{Reply, Request};
use crate::engine::runtime::engine_desk::{Connected, EngineDesk};
use crate::engine::runtime::jobs_desk::{Courier, JobsDesk, Keeps, Scout, Work};
use crate::engine::simulate::world;
use crate::engine::store::StoreError;

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // All is on one thread: whoever panicked has ended the races.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A call that was made.
#[derive(Debug, Clone)]
pub(super) struct Called {
    pub attempt: Arc<str>,
    run: RunId,
    step: usize,
    is_stopped: bool,
}

/// Keeps nothing, and remembers what was begun.
#[derive(Default)]
pub(super) struct Floor {
    /// How often each attempt was begun.
    begun: Mutex<BTreeMap<Arc<str>, u64>>,
    /// What has not said how it ended.
    under_way: Mutex<Vec<Called>>,
}

impl Keeps for Floor {
    fn write(&self, _records: &[Record], _is_durable: bool) -> Result<(), StoreError> {
        Ok(())
    }
}

impl StepRunner for Floor {
    fn start(&self, step: ApprovedStep, _reports: StepReportSink) {
        let attempt = Arc::clone(step.step_id());
        *locked(&self.begun).entry(Arc::clone(&attempt)).or_default() += 1;
        locked(&self.under_way).push(Called { attempt, run: step.run(), step: step.step(), is_stopped: false });
    }

    fn cancel(&self, run: RunId, step: usize) {
        for called in locked(&self.under_way).iter_mut().filter(|called| (called.run, called.step) == (run, step)) {
            called.is_stopped = true;
        }
    }

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

/// An answer, once there is one.
pub(super) type Told = Arc<Mutex<Option<Reply>>>;

pub(super) fn told(told: &Told) -> Option<Reply> {
    locked(told).clone()
}

/// Both desks with a queue between them.
pub(super) struct Desks {
    pub engine: EngineDesk,
    jobs: JobsDesk,
    queue: Arc<Mutex<VecDeque<Work>>>,
    floor: Arc<Floor>,
    clock: Arc<AtomicI64>,
    /// What the jobs desk itself has to tell of steps.
    reports: mpsc::Receiver<StepReport>,
}

impl Desks {
    /// An engine that has this incident, for which there is a page of so many steps.
    ///
    /// # Errors
    /// When it refuses its settings.
    pub(super) fn new(incident: u64, steps: usize) -> Result<Self, EngineError> {
        let start = world::START;
        let mut engine = Engine::new(world::settings(false), world::contested(steps))?;
        let mut first_jobs = engine.restore([Record::Incident(world::incident(incident, start))], start);
        first_jobs.extend(engine.begin(start));
        let (floor, queue) = (Arc::new(Floor::default()), Arc::new(Mutex::new(VecDeque::new())));
        let (handed, killed, clock) =
            (Arc::clone(&queue), Arc::new(AtomicBool::new(true)), Arc::new(AtomicI64::new(start.0)));
        let (runner, ticking): (Arc<dyn StepRunner>, _) = (Arc::clone(&floor) as _, Arc::clone(&clock));
        let connected = Connected {
            engine,
            now: start,
            clock: Box::new(move || Timestamp(ticking.fetch_add(1, Ordering::Relaxed))),
            hand_on: Box::new(move |work| {
                locked(&handed).push_back(work);
                true
            }),
            killed: Arc::clone(&killed),
            runner: Arc::clone(&runner),
            kill_place: None,
        };
        let (report_sink, reports) = StepReportSink::channel();
        let jobs = JobsDesk {
            store: Some(Arc::clone(&floor) as Arc<dyn Keeps>),
            runner,
            reports: report_sink,
            courier: Box::new(Nobody),
            deliveries: DeliveryReportSink::channel().0,
            store_news: Box::new(|_| {}),
            killed,
            kill_place: None,
            scout: Box::new(Nobody),
            expected: BTreeMap::new(),
        };
        let mut desks = Self { engine: EngineDesk::new(connected), jobs, queue, floor, clock, reports };
        desks.engine.begin(first_jobs);
        desks.engine.take(Input::Tick);
        Ok(desks)
    }

    /// Somebody asks for something; the answer comes as the jobs desk gets to it.
    pub(super) fn ask(&mut self, by: &Person, request: Request) -> Told {
        let reply = Told::default();
        let answer = Arc::clone(&reply);
        let answer = Box::new(move |reply| *locked(&answer) = Some(reply));
        self.engine.take_request(by.clone(), request, answer);
        reply
    }

    /// The jobs desk does all that waits for it.
    pub(super) fn work(&mut self) {
        while let Some(work) = { locked(&self.queue).pop_front() } {
            self.jobs.take(work);
        }
    }

    /// Time passes.
    pub(super) fn wait(&mut self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::Relaxed);
    }

    /// How often calls were made, all together, and the most often for one attempt.
    pub(super) fn calls(&self) -> (u64, u64) {
        let begun = locked(&self.floor.begun);
        (begun.values().sum(), begun.values().copied().max().unwrap_or_default())
    }

    /// True while there is a call that has not told how it ended.
    pub(super) fn is_under_way(&self) -> bool {
        !self.reports.is_empty() || !locked(&self.floor.under_way).is_empty()
    }

    /// What the next of those says that ended, or could not be started: one that was told to stop says that it was. Gives it to the
    /// engine.
    pub(super) fn report(&mut self, code: i32) -> Option<StepProgress> {
        let report = self.reports.try_recv().ok().or_else(|| {
            let mut under_way = locked(&self.floor.under_way);
            let called = (!under_way.is_empty()).then(|| under_way.remove(0))?;
            let progress = match called.is_stopped {
                true => StepProgress::Stopped { reason: "told to stop".into() },
                false => StepProgress::Exited { code: Some(code), took_ms: 1 },
            };
            Some(StepReport { run: called.run, step: called.step, attempt: called.attempt, progress })
        })?;
        let progress = report.progress.clone();
        self.engine.take(Input::Step(report));
        Some(progress)
    }
}
