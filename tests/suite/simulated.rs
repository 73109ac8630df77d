//! Lives of the program under faults on a clock of their own, a bounded number of them; and races for the same offer.
//! `hypo simulate` runs as many as one likes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use hypocenter::engine::act::policy::ApprovedStep;
use hypocenter::engine::act::{StepReportSink, StepRunner};
use hypocenter::engine::clock::Timestamp;
use hypocenter::engine::deliver::DeliveryReportSink;
use hypocenter::engine::input::{AssetLook, Input, NeedAsked, StepProgress, StepReport};
use hypocenter::engine::job::Record;
use hypocenter::engine::model::{DeliveryAttempt, LeftOver, Person, RunId, StepState};
use hypocenter::engine::patches::exceptions::PatchException;
use hypocenter::engine::pipeline::Engine;
use hypocenter::engine::request::{Reply, Request};
use hypocenter::engine::runbooks::Library;
use hypocenter::engine::runtime::engine_desk::{Connected, EngineDesk};
use hypocenter::engine::runtime::jobs_desk::{Courier, JobsDesk, Keeps, Scout, Work};
use hypocenter::engine::settings::{EngineSettings, HostSettings};
use hypocenter::engine::simulate::{self, Faults, Plan};
use hypocenter::engine::store::StoreError;

use super::walking::{self, INCIDENT};

/// Calls of the outside world that all lives together come to at least: what is tested is counted by what happened, and
/// not by how long it took.
const POINTS_MIN: u64 = 12_000;

#[test]
fn no_rule_is_broken_whatever_goes_wrong() {
    let (mut points, mut seed) = (0, 1);
    let (mut starts, mut by_itself, mut crashes, mut in_doubt) = (0, 0, 0, 0);
    while points < POINTS_MIN {
        let outcome = simulate::run(&Plan::new(seed, 15)).unwrap();
        assert_eq!(outcome.broken, None, "{outcome}");
        points += outcome.points;
        starts += outcome.counts.starts;
        by_itself += outcome.counts.by_itself;
        crashes += outcome.counts.crashes;
        in_doubt += outcome.counts.in_doubt;
        seed += 1;
    }
    // A simulation in which nothing happens proves nothing.
    assert!(starts > 300 && by_itself > 5 && crashes > 10 && in_doubt > 3, "{starts} {by_itself} {crashes} {in_doubt}");
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_gives_another() {
    let plan = Plan::new(77, 12);
    let first = simulate::run(&plan).unwrap();
    assert_eq!(simulate::run(&plan).unwrap(), first);
    assert_ne!(simulate::run(&Plan { seed: 78, ..plan }).unwrap().hash, first.hash);
    let calm = simulate::run(&Plan { faults: Faults::NONE, ..plan }).unwrap();
    assert_eq!((calm.broken, calm.counts.crashes), (None, 0));
    let late = Plan { from_point: u64::MAX, ..plan };
    assert_eq!(simulate::run(&late).unwrap().counts.crashes, 0, "no fault before its time");
}

#[test]
fn it_may_die_at_every_call_of_a_short_life() {
    let plan = Plan { faults: Faults::NONE, ..Plan::new(5, 2) };
    let points = simulate::run(&plan).unwrap().points;
    assert!(points > 30, "{points}");
    for point in 1..=points.min(120) {
        let outcome = simulate::run(&Plan { crash_at: Some(point), ..plan }).unwrap();
        assert_eq!(outcome.broken, None, "{outcome}");
        assert_eq!(outcome.counts.crashes, 1, "at {point}");
    }
}

#[test]
fn faults_are_named_as_on_the_command_line() {
    assert_eq!(Faults::of_words("all"), Ok(Faults::ALL));
    assert_eq!(Faults::of_words(&Faults::WORDS.join(", ")), Ok(Faults::ALL));
    assert_eq!(Faults::of_words("none"), Ok(Faults::NONE));
    assert_eq!(Faults::of_words("crash"), Ok(Faults { crash: true, ..Faults::NONE }));
    assert!(Faults::of_words("rain").unwrap_err().contains("`rain`"));
}

/// Races of two people for the same offer; `HYPO_RACES` asks for another number.
const RACES: usize = 20_000;
/// Steps of the page, and so many races a run.
const STEPS: usize = 24;
/// Runs of a life; what is known grows with each.
const RUNS: usize = 24;

/// Keeps nothing, begins nothing, and remembers what was begun.
#[derive(Default)]
struct Floor {
    begun: Mutex<BTreeMap<Arc<str>, usize>>,
    reports: Mutex<Vec<StepReport>>,
}

impl Keeps for Floor {
    fn write(&self, _records: &[Record], _is_durable: bool) -> Result<(), StoreError> {
        Ok(())
    }
}

impl StepRunner for Floor {
    fn start(&self, step: ApprovedStep, _reports: StepReportSink) {
        *self.begun.lock().unwrap().entry(Arc::clone(step.step_id())).or_default() += 1;
        let (run, index, attempt) = (step.run(), step.step(), Arc::clone(step.step_id()));
        let progress = StepProgress::Exited { code: Some(0), took_ms: 1 };
        self.reports.lock().unwrap().push(StepReport { run, step: index, attempt, progress });
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

/// Both desks on one thread, with a queue between them.
struct Desks {
    engine: EngineDesk,
    jobs: JobsDesk,
    queue: Arc<Mutex<VecDeque<Work>>>,
    floor: Arc<Floor>,
}

impl Desks {
    fn new(page: &str) -> Self {
        let mut settings = EngineSettings {
            host: HostSettings { enabled: false, ..HostSettings::default() },
            ..EngineSettings::default()
        };
        settings.runbooks.allowed_programs = vec!["/bin/look".to_owned()];
        let mut library = Library::default();
        library.add_text("test.md", page);
        assert_eq!(library.problems(), []);
        let mut engine = Engine::new(settings, library).unwrap();
        let incident = walking::incident(INCIDENT);
        let start = incident.opened_at;
        let mut first_jobs = engine.restore([Record::Incident(incident)], start);
        first_jobs.extend(engine.begin(start));
        let (floor, queue) = (Arc::new(Floor::default()), Arc::new(Mutex::new(VecDeque::new())));
        let (handed, killed, clock) = (Arc::clone(&queue), Arc::new(AtomicBool::new(true)), AtomicI64::new(start.0));
        let connected = Connected {
            engine,
            now: start,
            clock: Box::new(move || Timestamp(clock.fetch_add(1, Ordering::Relaxed))),
            hand_on: Box::new(move |work| {
                handed.lock().unwrap().push_back(work);
                true
            }),
            killed: Arc::clone(&killed),
            runner: floor.clone(),
            kill_place: None,
        };
        let jobs = JobsDesk {
            store: Some(floor.clone()),
            runner: floor.clone(),
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
        desks
    }

    fn ask(&mut self, by: &str, request: Request) -> Arc<Mutex<Option<Reply>>> {
        let told = Arc::new(Mutex::new(None));
        let answer = Arc::clone(&told);
        let answer = Box::new(move |reply| *answer.lock().unwrap() = Some(reply));
        self.engine.take_request(Person::admin(by), request, answer);
        told
    }

    fn work(&mut self) {
        while let Some(work) = { self.queue.lock().unwrap().pop_front() } {
            self.jobs.take(work);
        }
    }
}

#[test]
fn of_two_who_answer_the_same_offer_one_is_obeyed_and_the_other_told_so() {
    let names: Vec<String> = (0..STEPS).map(|step| format!("step-{step}")).collect();
    let check = |name: &str| format!("kind = \"check\"\nrun = [\"/bin/look\", \"{name}\"]\ntimeout = \"30s\"");
    let steps: Vec<(&str, String)> = names.iter().map(|name| (name.as_str(), check(name))).collect();
    let page = walking::page(&steps);
    let races = std::env::var("HYPO_RACES").ok().and_then(|count| count.parse().ok()).unwrap_or(RACES);
    let mut raced = 0;
    let mut desks = Desks::new(&page);
    while raced < races {
        if raced % (STEPS * RUNS) == 0 {
            desks = Desks::new(&page);
        }
        let start = walking::start(&desks.engine.snapshot());
        let begun = desks.ask("ana", start);
        desks.work();
        assert!(matches!(*begun.lock().unwrap(), Some(Reply::Done { .. })), "{begun:?}");
        for index in 0..STEPS {
            let picture = desks.engine.snapshot();
            let run = walking::run(&picture).unwrap();
            let shown = run.shown();
            assert_eq!(run.steps[index].state, StepState::Waiting);
            let (run, token, id) = (run.id, Arc::clone(&run.steps[index].offer), Arc::clone(&run.steps[index].id));
            let approve = || Request::Approve { run, step: index, digest: Arc::clone(&token), typed_target: None };
            let skip = || Request::Skip { run, step: index, reason: "not needed".into(), digest: Arc::clone(&shown) };
            // Both approve, one of them passes it over, or the same person says yes twice.
            let (one, other, second) = match raced % 4 {
                0 => (approve(), skip(), "bo"),
                1 => (skip(), approve(), "bo"),
                2 => (approve(), approve(), "ana"),
                _ => (approve(), approve(), "bo"),
            };
            let is_approved = matches!(one, Request::Approve { .. });
            let first = desks.ask("ana", one);
            if raced % 3 == 0 {
                desks.work();
            }
            let late = desks.ask(second, other);
            desks.work();
            assert!(matches!(*first.lock().unwrap(), Some(Reply::Done { .. })), "{first:?}");
            let Some(Reply::Refused { reason }) = late.lock().unwrap().clone() else { panic!("{late:?}") };
            let who = if second == "ana" { "you" } else { "ana" };
            let did = if is_approved { "approved this at" } else { "passed this over at" };
            assert!(reason.contains(&format!("({who} {did} ")), "{reason}");
            let times = desks.floor.begun.lock().unwrap().get(&id).copied().unwrap_or_default();
            assert_eq!(times, usize::from(is_approved), "race {raced}");
            let reports = std::mem::take(&mut *desks.floor.reports.lock().unwrap());
            for report in reports {
                desks.engine.take(Input::Step(report));
            }
            desks.work();
            raced += 1;
        }
    }
}
