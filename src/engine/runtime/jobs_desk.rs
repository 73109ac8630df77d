//! What the core wants done, strictly in order: write, run, answer. Without a thread or a clock: whoever owns the desk hands
//! it the work.
//!
//! A write that fails takes what hangs on it along: the step of that list is not started and the asker is told why.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::act::kill_file::KillFile;
use crate::engine::act::policy::ApprovedStep;
use crate::engine::act::{StepReportSink, StepRunner};
use crate::engine::clock::Timestamp;
use crate::engine::deliver::{Couriers, DeliveryReportSink};
use crate::engine::handle::BackupOrder;
use crate::engine::input::{AssetLook, KillWord, NeedAsked, RequestId, StepProgress, StepReport};
use crate::engine::job::{Job, Record};
use crate::engine::model::{DeliveryAttempt, DeliveryOutcome, DeliveryReport};
use crate::engine::patches::exceptions::PatchException;
use crate::engine::request::{Reply, STOPPED_UNKEPT};
use crate::engine::store::{Store, StoreError};

/// Where the answer to a request goes.
pub type Answer = Box<dyn FnOnce(Reply) + Send>;

/// Is told after each durable write what is wrong with the store, where something is.
pub type StoreNews = Box<dyn FnMut(Option<&Arc<str>>) + Send>;

/// What reaches the desk.
pub enum Work {
    /// The jobs of one input.
    Jobs(Vec<Job>),
    /// The reply to this request goes there.
    Expect(RequestId, Answer),
    /// Everything that is kept is to be written into a file.
    BackUp(BackupOrder),
}

/// Keeps records.
pub trait Keeps: Send + Sync {
    /// Writes all of them or none; with `is_durable` they are on disk when this returns, and so is everything written before.
    ///
    /// # Errors
    /// When they cannot be written.
    fn write(&self, records: &[Record], is_durable: bool) -> Result<(), StoreError>;

    /// Does what is due from time to time.
    fn tend(&self) {}

    /// Writes everything that is kept into a file, and says what is in it.
    ///
    /// # Errors
    /// When it cannot be read or written.
    fn back_up(&self, to: &Path) -> Result<String, StoreError> {
        Err(StoreError::Backup { path: to.to_path_buf(), reason: "nothing is kept here".to_owned() })
    }

    /// Why nothing may begin, whatever can be written.
    fn why_nothing_begins(&self) -> Option<Arc<str>> {
        None
    }
}

impl Keeps for Store {
    fn write(&self, records: &[Record], is_durable: bool) -> Result<(), StoreError> {
        Store::write(self, records, is_durable)
    }
}

/// Where other processes learn of the kill switch, and pull it.
pub trait KillPlace: Send + Sync {
    /// What it says; `None` where it says nothing.
    fn read(&self) -> Option<KillWord>;

    /// Makes it say this.
    ///
    /// # Errors
    /// When it cannot be written.
    fn write(&self, word: &KillWord) -> std::io::Result<()>;

    /// Where it is, for messages.
    fn name(&self) -> String;

    /// True where it says stop.
    fn is_on(&self) -> bool {
        matches!(self.read(), Some(KillWord::On { .. }))
    }
}

impl KillPlace for KillFile {
    fn read(&self) -> Option<KillWord> {
        KillFile::read(self)
    }

    fn write(&self, word: &KillWord) -> std::io::Result<()> {
        KillFile::write(self, word)
    }

    fn name(&self) -> String {
        self.path().display().to_string()
    }
}

/// Tells systems outside.
pub trait Courier: Send {
    /// Begins a try and returns at once; what comes of it is told to `reports`.
    fn send(&self, attempt: DeliveryAttempt, reports: DeliveryReportSink);
}

impl Courier for Couriers {
    fn send(&self, attempt: DeliveryAttempt, reports: DeliveryReportSink) {
        Couriers::send(self, attempt, reports);
    }
}

/// Looks at what is watched, for the engine. What it finds comes back as inputs.
pub trait Scout: Send {
    /// Finds out who lacks a patch; returns at once.
    fn find_need(&self, asked: NeedAsked, exceptions: Vec<Arc<PatchException>>);

    /// Looks at a machine that was patched; returns at once.
    fn look_at(&self, look: AssetLook);

    /// Has metrics read every so many milliseconds until then.
    fn watch_closely(&self, until: Timestamp, every_ms: i64);
}

/// What the desk works with.
pub struct JobsDesk {
    /// `None` keeps nothing.
    pub store: Option<Arc<dyn Keeps>>,
    /// Carries approved steps out.
    pub runner: Arc<dyn StepRunner>,
    /// Where steps tell how they are doing.
    pub reports: StepReportSink,
    /// Tells systems outside.
    pub courier: Box<dyn Courier>,
    /// Where tries tell what came of them.
    pub deliveries: DeliveryReportSink,
    /// Is told after each durable write what is wrong with the store, where something is.
    pub store_news: StoreNews,
    /// Set before anything that is queued behind it can see it: while it is set nothing begins.
    pub killed: Arc<AtomicBool>,
    /// Where there is a place for it.
    pub kill_place: Option<Arc<dyn KillPlace>>,
    /// Looks at what is watched.
    pub scout: Box<dyn Scout>,
    /// Who waits for an answer.
    pub expected: BTreeMap<RequestId, Answer>,
}

impl JobsDesk {
    /// Does it, to its end.
    pub fn take(&mut self, work: Work) {
        match work {
            Work::Expect(id, answer) => {
                self.expected.insert(id, answer);
            }
            Work::Jobs(jobs) => self.perform(jobs),
            Work::BackUp(BackupOrder { to, told }) => {
                let outcome = match &self.store {
                    Some(store) => store.back_up(&to).map_err(|problem| problem.to_string()),
                    None => Err("nothing is kept here".to_owned()),
                };
                // Whoever asked may have gone; the file is there all the same.
                let _nobody = told.send(outcome);
            }
        }
    }

    /// Looks after the store; to be called now and then.
    pub fn tend(&mut self) {
        if let Some(store) = &self.store {
            store.tend();
            (self.store_news)(store.why_nothing_begins().as_ref());
        }
    }

    /// Waits until everything written is on disk.
    pub fn close(&mut self) {
        self.write(&[], true);
    }

    fn perform(&mut self, jobs: Vec<Job>) {
        let mut not_written = None;
        let stops = jobs.iter().any(|job| matches!(job, Job::Kill(KillWord::On { .. })));
        for job in jobs {
            match (job, &not_written) {
                (Job::Persist(records), _) => not_written = self.write(&records, true),
                (Job::PersistLater(records), _) => {
                    self.write(&records, false);
                }
                (Job::Kill(word), problem) => self.keep_word(&word, problem.as_ref()),
                (Job::Execute(step), None) if self.is_killed() => {
                    self.refuse(&step, "not started: the kill switch is on");
                }
                (Job::Execute(step), None) => match self.store.as_ref().and_then(|store| store.why_nothing_begins()) {
                    Some(problem) => self.refuse(&step, &format!("not started: {problem}")),
                    None => self.runner.start(step, self.reports.clone()),
                },
                (Job::Execute(step), Some(problem)) => {
                    self.refuse(&step, &format!("not started: its intent could not be written ({problem})"));
                }
                (Job::Cancel { run, step }, _) => self.runner.cancel(run, step),
                (Job::FindNeed { asked, exceptions }, _) => self.scout.find_need(asked, exceptions),
                (Job::LookAtAsset(look), _) => self.scout.look_at(look),
                (Job::WatchClosely { until, every_ms }, _) => self.scout.watch_closely(until, every_ms),
                (Job::EndLeftOver(left), _) => self.runner.end_left_over(&left),
                (Job::Deliver(attempt), None) => self.courier.send(attempt, self.deliveries.clone()),
                (Job::Deliver(attempt), Some(problem)) => {
                    let reason = Arc::from(format!("not sent: it could not be written down first ({problem})"));
                    let outcome = DeliveryOutcome::Retry { reason, after_ms: None, may_have_arrived: false };
                    let (number, attempt) = (attempt.delivery.number, attempt.delivery.attempt_count);
                    self.deliveries.try_send(DeliveryReport { number, attempt, outcome });
                }
                (Job::Reply { id, reply }, problem) => {
                    let reply = match problem {
                        // What stops is in force all the same, and whoever stopped it must not think otherwise.
                        Some(problem) if stops => {
                            let reason = format!("{STOPPED_UNKEPT}: {problem}");
                            Reply::Refused { reason: Arc::from(reason) }
                        }
                        Some(problem) => Reply::Refused { reason: Arc::from(format!("not kept: {problem}")) },
                        None => reply,
                    };
                    if let Some(answer) = self.expected.remove(&id) {
                        answer(reply);
                    }
                }
            }
        }
    }

    fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Acquire) || self.kill_place.as_ref().is_some_and(|place| place.is_on())
    }

    fn refuse(&self, step: &ApprovedStep, reason: &str) {
        let progress = StepProgress::NotStarted { reason: Arc::from(reason) };
        let report = StepReport { run: step.run(), step: step.step(), attempt: Arc::clone(step.step_id()), progress };
        if let Err(refused) = self.reports.try_send(report) {
            tracing::error!("{refused}");
        }
    }

    /// Other processes learn of the kill switch by its file; that it cannot be written takes nothing away from the switch. That
    /// it is off is told only once it is kept: where it could not be, the file goes on to say stop, and by that the core does.
    fn keep_word(&self, word: &KillWord, problem: Option<&Arc<str>>) {
        let word = match (word, problem) {
            (KillWord::Off { by, .. }, Some(problem)) => {
                let reason = format!("taking the kill switch off could not be kept ({problem})");
                &KillWord::On { by: Arc::clone(by), reason: Arc::from(reason) }
            }
            (word, _) => word,
        };
        if let Some(place) = &self.kill_place
            && let Err(problem) = place.write(word)
        {
            tracing::error!("{} cannot be written: {problem}", place.name());
        }
    }

    /// Writes; the problem comes back where there is one, and is shown until a write succeeds.
    fn write(&mut self, records: &[Record], is_durable: bool) -> Option<Arc<str>> {
        let problem = match &self.store {
            Some(store) => store.write(records, is_durable).err().map(|problem| Arc::from(problem.to_string())),
            None => None,
        };
        if let Some(problem) = &problem {
            tracing::error!("the store: {problem}");
        }
        if is_durable || problem.is_some() {
            let standing = || self.store.as_ref().and_then(|store| store.why_nothing_begins());
            let told = problem.clone().or_else(standing);
            (self.store_news)(told.as_ref());
        }
        problem
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::engine::act::walk::tests::approved;
    use crate::engine::model::{LeftOver, RunId};
    use crate::engine::settings::RunbookSettings;

    /// What was asked of it, in order; its disk may fail, and its kill file may say stop.
    #[derive(Default)]
    struct Floor {
        done: Mutex<Vec<&'static str>>,
        has_failed: bool,
        is_on: bool,
    }

    impl Floor {
        fn note(&self, what: &'static str) {
            self.done.lock().unwrap().push(what);
        }
    }

    impl Keeps for Floor {
        fn write(&self, _records: &[Record], is_durable: bool) -> Result<(), StoreError> {
            self.note(if is_durable { "flushed" } else { "written" });
            if self.has_failed { Err(StoreError::Failed { path: "floor".into() }) } else { Ok(()) }
        }
    }

    impl StepRunner for Floor {
        fn start(&self, _step: ApprovedStep, _reports: StepReportSink) {
            self.note("begun");
        }

        fn cancel(&self, _run: RunId, _step: usize) {
            self.note("stopped");
        }

        fn end_left_over(&self, _left: &LeftOver) {}
    }

    impl KillPlace for Floor {
        fn read(&self) -> Option<KillWord> {
            self.is_on.then(|| KillWord::On { by: "ana".into(), reason: "smoke".into() })
        }

        fn write(&self, _word: &KillWord) -> std::io::Result<()> {
            self.note("kill file");
            Ok(())
        }

        fn name(&self) -> String {
            "floor".to_owned()
        }
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

    /// What is done of a list with a record, a step, an answer and something that may wait; why the step was not begun; and
    /// whether the answer is that it was done.
    fn perform(floor: Floor, is_killed: bool) -> (Vec<&'static str>, Option<String>, bool) {
        let floor = Arc::new(floor);
        let (reports, mut told) = StepReportSink::channel();
        let mut desk = JobsDesk {
            store: Some(Arc::clone(&floor) as Arc<dyn Keeps>),
            runner: Arc::clone(&floor) as Arc<dyn StepRunner>,
            reports,
            courier: Box::new(Nobody),
            deliveries: DeliveryReportSink::channel().0,
            store_news: Box::new(|_| {}),
            killed: Arc::new(AtomicBool::new(is_killed)),
            kill_place: Some(Arc::clone(&floor) as Arc<dyn KillPlace>),
            scout: Box::new(Nobody),
            expected: BTreeMap::new(),
        };
        let settings = RunbookSettings { allowed_programs: vec!["echo".to_owned()], ..RunbookSettings::default() };
        let is_done = Arc::new(Mutex::new(None));
        let answered = Arc::clone(&is_done);
        let answer = move |reply| *answered.lock().unwrap() = Some(matches!(reply, Reply::Done { .. }));
        desk.take(Work::Expect(RequestId(1), Box::new(answer)));
        desk.take(Work::Jobs(vec![
            Job::Kill(KillWord::Off { by: "ana".into(), reason: "looked at it".into(), at: None }),
            Job::Persist(Vec::new()),
            Job::Execute(approved(&["echo"], 1_000, &settings)),
            Job::Reply { id: RequestId(1), reply: Reply::Done { text: "done".into() } },
            Job::PersistLater(Vec::new()),
        ]));
        let why = told.try_recv().ok().map(|report| match report.progress {
            StepProgress::NotStarted { reason } => reason.to_string(),
            other => panic!("{other:?}"),
        });
        let done = floor.done.lock().unwrap().clone();
        (done, why, is_done.lock().unwrap().expect("it is answered"))
    }

    #[test]
    fn what_is_to_be_on_disk_is_flushed_before_anything_begins_or_is_answered() {
        let (done, why, is_done) = perform(Floor::default(), false);
        assert_eq!((done, why, is_done), (vec!["kill file", "flushed", "begun", "written"], None, true));
    }

    #[test]
    fn nothing_begins_and_nobody_is_told_done_where_it_could_not_be_written() {
        let (done, why, is_done) = perform(Floor { has_failed: true, ..Floor::default() }, false);
        assert_eq!((done, is_done), (vec!["kill file", "flushed", "written"], false));
        assert!(why.unwrap().contains("its intent could not be written"));
    }

    #[test]
    fn what_was_approved_before_the_kill_switch_does_not_begin_after_it() {
        for (is_killed, is_on) in [(true, false), (false, true)] {
            let (done, why, _) = perform(Floor { is_on, ..Floor::default() }, is_killed);
            assert_eq!(done, ["kill file", "flushed", "written"]);
            assert_eq!(why.unwrap(), "not started: the kill switch is on");
        }
    }
}
