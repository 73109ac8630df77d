//! One life of the program: the core on what the disk holds, at the same two desks as in earnest, with a queue between them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::outside::Seam;
use super::world;
use crate::engine::act::{StepReportSink, StepRunner};
use crate::engine::deliver::DeliveryReportSink;
use crate::engine::input::StepReport;
use crate::engine::pipeline::{Engine, EngineError};
use crate::engine::runtime::engine_desk::{Connected, EngineDesk};
use crate::engine::runtime::jobs_desk::{JobsDesk, Keeps, KillPlace, Work};

type Queue = Arc<Mutex<VecDeque<Work>>>;

/// One life of the program.
pub(super) struct Life {
    pub engine: EngineDesk,
    pub jobs: JobsDesk,
    queue: Queue,
    /// What the jobs desk itself has to tell of steps.
    pub reports: mpsc::Receiver<StepReport>,
}

impl Life {
    /// The program begins on what the disk holds.
    ///
    /// # Errors
    /// When the engine refuses its settings.
    pub(super) fn begin(seam: &Seam, is_assisting: bool) -> Result<Self, EngineError> {
        let (records, numbers) = seam.lock().disk.load();
        let now = seam.lock().wall();
        let mut engine = Engine::new(world::settings(is_assisting), world::library())?;
        let mut first_jobs = engine.restore(records, now);
        engine.number_from(numbers);
        first_jobs.extend(engine.begin(now));
        let (report_sink, reports) = StepReportSink::channel();
        let (deliveries, _nobody) = DeliveryReportSink::channel();
        let queue = Queue::default();
        let (killed, handed) = (Arc::new(AtomicBool::new(true)), Arc::clone(&queue));
        let runner: Arc<dyn StepRunner> = Arc::new(seam.clone());
        let kill_place: Option<Arc<dyn KillPlace>> = Some(Arc::new(seam.clone()));
        let clock = seam.clone();
        let connected = Connected {
            engine,
            now,
            clock: Box::new(move || {
                let mut outside = clock.lock();
                outside.now = outside.now.max(outside.wall());
                outside.wall()
            }),
            hand_on: Box::new(move |work| {
                handed.lock().unwrap_or_else(PoisonError::into_inner).push_back(work);
                true
            }),
            killed: Arc::clone(&killed),
            runner: Arc::clone(&runner),
            kill_place: kill_place.clone(),
        };
        let jobs = JobsDesk {
            store: Some(Arc::new(seam.clone()) as Arc<dyn Keeps>),
            runner,
            reports: report_sink,
            courier: Box::new(seam.clone()),
            deliveries,
            store_news: Box::new(|_| {}),
            killed,
            kill_place,
            scout: Box::new(seam.clone()),
            expected: BTreeMap::new(),
        };
        let mut engine = EngineDesk::new(connected);
        engine.begin(first_jobs);
        Ok(Self { engine, jobs, queue, reports })
    }

    /// The jobs desk does what is next; false where there is nothing.
    pub(super) fn work(&mut self) -> bool {
        let work = self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let is_there = work.is_some();
        work.into_iter().for_each(|work| self.jobs.take(work));
        is_there
    }
}
