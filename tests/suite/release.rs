//! The kill switch is off once that is on disk, and not before: also where the disk refuses it.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use hypocenter::engine::act::kill_file::KillFile;
use hypocenter::engine::act::policy::ApprovedStep;
use hypocenter::engine::act::{StepReportSink, StepRunner};
use hypocenter::engine::clock::Timestamp;
use hypocenter::engine::deliver::DeliveryReportSink;
use hypocenter::engine::input::{AssetLook, KillWord, NeedAsked};
use hypocenter::engine::job::Record;
use hypocenter::engine::model::{DeliveryAttempt, LeftOver, Person, RunId};
use hypocenter::engine::patches::exceptions::PatchException;
use hypocenter::engine::pipeline::Engine;
use hypocenter::engine::request::{Reply, Request};
use hypocenter::engine::runbooks::Library;
use hypocenter::engine::runtime::engine_desk::{Connected, EngineDesk};
use hypocenter::engine::runtime::jobs_desk::{Courier, JobsDesk, Keeps, KillPlace, Scout, Work};
use hypocenter::engine::settings::EngineSettings;
use hypocenter::engine::store::StoreError;

/// Keeps nothing, does nothing, and refuses what is written while it is full.
#[derive(Default)]
struct Ground {
    is_full: AtomicBool,
}

impl Keeps for Ground {
    fn write(&self, _records: &[Record], _is_durable: bool) -> Result<(), StoreError> {
        let is_full = self.is_full.load(Ordering::Relaxed);
        if is_full { Err(StoreError::Full { path: PathBuf::from("/state") }) } else { Ok(()) }
    }
}

impl StepRunner for Ground {
    fn start(&self, _step: ApprovedStep, _reports: StepReportSink) {}
    fn cancel(&self, _run: RunId, _step: usize) {}
    fn end_left_over(&self, _left: &LeftOver) {}
}

impl Courier for Ground {
    fn send(&self, _attempt: DeliveryAttempt, _reports: DeliveryReportSink) {}
}

impl Scout for Ground {
    fn find_need(&self, _asked: NeedAsked, _exceptions: Vec<Arc<PatchException>>) {}
    fn look_at(&self, _look: AssetLook) {}
    fn watch_closely(&self, _until: Timestamp, _every_ms: i64) {}
}

#[test]
fn what_is_not_kept_as_off_stays_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = KillFile::of(folder.path());
    let (ground, killed) = (Arc::new(Ground::default()), Arc::new(AtomicBool::new(false)));
    let queue: Arc<Mutex<VecDeque<Work>>> = Arc::default();
    let handed = Arc::clone(&queue);
    let place: Arc<dyn KillPlace> = Arc::new(file.clone());
    let mut engine = EngineDesk::new(Connected {
        engine: Engine::new(EngineSettings::default(), Library::default()).unwrap(),
        now: Timestamp(0),
        clock: Box::new(|| Timestamp(1_794_925_800_000)),
        hand_on: Box::new(move |work| {
            handed.lock().unwrap().push_back(work);
            true
        }),
        killed: Arc::clone(&killed),
        runner: ground.clone(),
        kill_place: Some(Arc::clone(&place)),
    });
    let mut jobs = JobsDesk {
        store: Some(ground.clone()),
        runner: ground.clone(),
        reports: StepReportSink::channel().0,
        courier: Box::new(Ground::default()),
        deliveries: DeliveryReportSink::channel().0,
        store_news: Box::new(|_| {}),
        killed: Arc::clone(&killed),
        kill_place: Some(place),
        scout: Box::new(Ground::default()),
        expected: BTreeMap::new(),
    };
    let mut work = |engine: &mut EngineDesk| {
        while let Some(work) = { queue.lock().unwrap().pop_front() } {
            jobs.take(work);
        }
        engine.look_at_kill_file();
    };
    let ask = |engine: &mut EngineDesk, request: Request| {
        let told: Arc<Mutex<Option<Reply>>> = Arc::default();
        let answer = Arc::clone(&told);
        engine.take_request(
            Person::admin("ana"),
            request,
            Box::new(move |reply| *answer.lock().unwrap() = Some(reply)),
        );
        told
    };
    let off = || Request::Release { reason: "looked at it".into() };
    engine.begin(Vec::new());
    ask(&mut engine, Request::Kill { reason: "smoke".into() });
    assert!(killed.load(Ordering::Relaxed), "before anything is written");
    work(&mut engine);

    ground.is_full.store(true, Ordering::Relaxed);
    let told = ask(&mut engine, off());
    assert!(killed.load(Ordering::Relaxed) && file.is_on(), "told before it is kept");
    work(&mut engine);
    assert!(
        matches!(&*told.lock().unwrap(), Some(Reply::Refused { reason }) if reason.contains("not kept")),
        "{told:?}"
    );
    let Some(KillWord::On { reason, .. }) = file.read() else { panic!("the file says off") };
    assert!(reason.contains("could not be kept"), "{reason}");
    work(&mut engine);
    assert!(engine.snapshot().kill.is_some() && killed.load(Ordering::Relaxed), "and all see it");

    ground.is_full.store(false, Ordering::Relaxed);
    let told = ask(&mut engine, off());
    assert!(killed.load(Ordering::Relaxed));
    work(&mut engine);
    assert!(matches!(&*told.lock().unwrap(), Some(Reply::Done { .. })), "{told:?}");
    assert!(!killed.load(Ordering::Relaxed) && !file.is_on() && engine.snapshot().kill.is_none());
    // Off and on again within a moment: what is queued behind the first must not begin.
    ask(&mut engine, Request::Kill { reason: "again".into() });
    work(&mut engine);
    ask(&mut engine, off());
    ask(&mut engine, Request::Kill { reason: "no, wait".into() });
    work(&mut engine);
    assert!(killed.load(Ordering::Relaxed) && file.is_on());
}
