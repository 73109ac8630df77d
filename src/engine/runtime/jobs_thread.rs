//! The thread that does what the core wants done, strictly in order: write, run, answer.
//!
//! A write that fails takes what hangs on it along: the step of that list is not started and the asker is told why.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use super::field_work::FieldWork;
use crate::engine::act::kill_file::KillFile;
use crate::engine::act::policy::ApprovedStep;
use crate::engine::act::{StepReportSink, StepRunner};
use crate::engine::deliver::{Couriers, DeliveryReportSink};
use crate::engine::ingest::pace::Pace;
use crate::engine::input::{KillWord, RequestId, StepProgress, StepReport};
use crate::engine::job::{Job, Record};
use crate::engine::limits::JOB_QUEUE_MAX;
use crate::engine::model::{DeliveryOutcome, DeliveryReport};
use crate::engine::request::Reply;
use crate::engine::snapshot::StoreStatus;
use crate::engine::store::Store;

/// What reaches the thread.
pub(super) enum Work {
    /// The jobs of one input.
    Jobs(Vec<Job>),
    /// The reply to this request goes there.
    Expect(RequestId, oneshot::Sender<Reply>),
}

/// What the thread works with.
pub(super) struct JobsThread {
    pub store: Option<Arc<Store>>,
    pub runner: Arc<dyn StepRunner>,
    pub reports: StepReportSink,
    pub couriers: Couriers,
    pub deliveries: DeliveryReportSink,
    pub status: watch::Sender<StoreStatus>,
    /// Set before anything that is queued behind it can see it: while it is set nothing begins.
    pub killed: Arc<AtomicBool>,
    /// Where there is a folder for it.
    pub kill_file: Option<KillFile>,
    pub field_work: FieldWork,
    pub pace: Pace,
}

impl JobsThread {
    /// Starts the thread; it ends, with everything flushed, when the sender is dropped.
    pub(super) fn spawn(self, runtime: Handle) -> std::io::Result<(SyncSender<Work>, JoinHandle<()>)> {
        let (sender, receiver) = sync_channel(JOB_QUEUE_MAX);
        let thread = thread::Builder::new().name("hypo-jobs".to_owned()).spawn(move || {
            // Runners start their processes on the main runtime.
            let _entered = runtime.enter();
            self.work(&receiver, &runtime);
        })?;
        Ok((sender, thread))
    }

    fn work(mut self, receiver: &Receiver<Work>, runtime: &Handle) {
        let mut expected = BTreeMap::new();
        while let Ok(work) = receiver.recv() {
            match work {
                Work::Expect(id, reply) => {
                    expected.insert(id, reply);
                }
                Work::Jobs(jobs) => self.perform(jobs, &mut expected, runtime),
            }
        }
        self.write(&[], true);
    }

    fn perform(
        &mut self,
        jobs: Vec<Job>,
        expected: &mut BTreeMap<RequestId, oneshot::Sender<Reply>>,
        runtime: &Handle,
    ) {
        let mut not_written = None;
        for job in jobs {
            match (job, &not_written) {
                (Job::Persist(records), _) => not_written = self.write(&records, true),
                (Job::PersistLater(records), _) => {
                    self.write(&records, false);
                }
                (Job::Kill(word), _) => self.keep_word(&word),
                (Job::Execute(step), None) if !self.is_killed() => self.runner.start(step, self.reports.clone()),
                (Job::Execute(step), None) => self.refuse(&step, "not started: the kill switch is on"),
                (Job::Execute(step), Some(problem)) => {
                    self.refuse(&step, &format!("not started: its intent could not be written ({problem})"));
                }
                (Job::Cancel { run, step }, _) => self.runner.cancel(run, step),
                (Job::FindNeed { asked, exceptions }, _) => self.field_work.find_need(asked, exceptions, runtime),
                (Job::LookAtAsset(look), _) => self.field_work.look_at(look, runtime),
                (Job::WatchClosely { until, every_ms }, _) => self.pace.watch_closely(until, every_ms),
                (Job::EndLeftOver(left), _) => self.runner.end_left_over(&left),
                (Job::Deliver(attempt), None) => self.couriers.send(attempt, self.deliveries.clone()),
                (Job::Deliver(attempt), Some(problem)) => {
                    let reason = Arc::from(format!("not sent: it could not be written down first ({problem})"));
                    let outcome = DeliveryOutcome::Retry { reason, after_ms: None, may_have_arrived: false };
                    let (number, attempt) = (attempt.delivery.number, attempt.delivery.attempt_count);
                    self.deliveries.try_send(DeliveryReport { number, attempt, outcome });
                }
                (Job::Reply { id, reply }, problem) => {
                    let reply = match problem {
                        Some(problem) => Reply::Refused { reason: Arc::from(format!("not kept: {problem}")) },
                        None => reply,
                    };
                    if let Some(waiting) = expected.remove(&id) {
                        // Whoever asked may have gone.
                        let _nobody = waiting.send(reply);
                    }
                }
            }
        }
    }

    fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Acquire) || self.kill_file.as_ref().is_some_and(KillFile::is_on)
    }

    fn refuse(&self, step: &ApprovedStep, reason: &str) {
        let progress = StepProgress::NotStarted { reason: Arc::from(reason) };
        let report = StepReport { run: step.run(), step: step.step(), attempt: Arc::clone(step.step_id()), progress };
        if let Err(refused) = self.reports.try_send(report) {
            tracing::error!("{refused}");
        }
    }

    /// Other processes learn of the kill switch by its file; that it cannot be written takes nothing away from the switch.
    fn keep_word(&self, word: &KillWord) {
        if let Some(file) = &self.kill_file
            && let Err(problem) = file.write(word)
        {
            tracing::error!("{} cannot be written: {problem}", file.path().display());
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
        self.status.send_if_modified(|status| {
            let has_changed = is_durable && status.problem != problem;
            if has_changed {
                status.problem.clone_from(&problem);
            }
            has_changed
        });
        problem
    }
}
