//! The thread that owns the core: takes inputs one by one, hands jobs on, publishes pictures.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, timeout_at};

use super::engine_desk::{Connected, EngineDesk};
use super::field_work::FieldWork;
use super::jobs_desk::{JobsDesk, Keeps, KillPlace};
use super::jobs_thread::Waiting;
use super::opening::{Opened, open};
use super::runbook_folders::RunbookFolders;
use super::store_keeper::StoreKeeper;
use super::{Ending, RuntimeConfig, RuntimeError, jobs_thread, patch_desk, patch_rounds, supervisor};
use crate::engine::act::StepReportSink;
use crate::engine::act::kill_file::KillFile;
use crate::engine::clock::Timestamp;
use crate::engine::deliver::{Couriers, DeliveryReportSink};
use crate::engine::handle::{Attendance, BackupOrder, Envelope};
use crate::engine::ingest::{SignalSink, StopSignal, wall_clock};
use crate::engine::input::{Input, StepReport};
use crate::engine::job::Job;
use crate::engine::limits::{KILL_LOOK_MS, PAST_EVERY_MS, RUNBOOK_LOOK_MS, STOP_DRAIN_MS_MAX, TICK_MS};
use crate::engine::model::{Attendee, DeliveryReport, PastValues, Signal};
use crate::engine::patches::keeping::Keeping;
use crate::engine::patches::picture::PatchPicture;
use crate::engine::request::Request;
use crate::engine::snapshot::{Snapshot, StoreStatus};
use crate::engine::store::{Hold, PastStore};

/// Answers of looks that wait for the engine.
const FINDINGS_MAX: usize = 64;

/// The thread's ends of the channels that outlive it.
pub(super) struct Ends {
    pub requests: mpsc::Receiver<Envelope>,
    /// Who is attached.
    pub attendance: watch::Receiver<Attendance>,
    pub backups: mpsc::Receiver<BackupOrder>,
    /// Counts what the thread does, for whoever watches that it lives.
    pub turns: Arc<AtomicU64>,
    /// Where who answers questions finds the store, once it is open.
    pub past: PastStore,
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    /// Where pictures of what was measured at other times go, to who answers questions.
    pub values: watch::Sender<Arc<PastValues>>,
    pub ending: watch::Receiver<Ending>,
    pub stop_signal: StopSignal,
    pub started: oneshot::Sender<Result<(), RuntimeError>>,
}

/// Every way in.
struct Inbox {
    signals: mpsc::Receiver<Signal>,
    requests: mpsc::Receiver<Envelope>,
    attendance: watch::Receiver<Attendance>,
    backups: mpsc::Receiver<BackupOrder>,
    reports: mpsc::Receiver<StepReport>,
    deliveries: mpsc::Receiver<DeliveryReport>,
    patches: mpsc::Receiver<Arc<PatchPicture>>,
    findings: mpsc::Receiver<Input>,
    ending: watch::Receiver<Ending>,
    store_status: watch::Receiver<StoreStatus>,
}

/// What woke the thread.
enum Arrival {
    Stop,
    Request(Envelope),
    Present(Vec<Attendee>),
    BackUp(BackupOrder),
    Report(StepReport),
    Delivered(DeliveryReport),
    KillLook,
    RunbookLook,
    Patches(Arc<PatchPicture>),
    Found(Input),
    Tick,
    Signal(Signal),
}

/// Starts the thread; it ends when it is stopped or nobody can reach it any more.
pub(super) fn spawn(config: RuntimeConfig, hold: Option<Hold>, ends: Ends) -> std::io::Result<JoinHandle<()>> {
    let sources_run_on = Handle::current();
    let clockwork = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let runbooks = RunbookFolders::new(config.settings.runbooks.folders.clone());
    thread::Builder::new().name("hypo-engine".to_owned()).spawn(move || match open(config, hold) {
        // Whoever started the engine may have gone by now; then nobody is left to tell.
        Err(problem) => drop(ends.started.send(Err(problem))),
        Ok(opened) => live(opened, runbooks, ends, &sources_run_on, &clockwork),
    })
}

/// From an open store to the last flush.
fn live(
    opened: Opened,
    runbooks: RunbookFolders,
    ends: Ends,
    sources_run_on: &Handle,
    clockwork: &tokio::runtime::Runtime,
) {
    let (signal_sink, signals) = SignalSink::channel();
    let (report_sink, reports) = StepReportSink::channel();
    let (delivery_sink, deliveries) = DeliveryReportSink::channel();
    let couriers = Couriers::new(&opened.outbound, sources_run_on.clone());
    let (status, store_status) = watch::channel(opened.status);
    // Also where the store cannot be opened: anybody can stop every act.
    let kill_file = opened.folder.as_deref().map(KillFile::of);
    let kill_place = kill_file.map(|file| Arc::new(file) as Arc<dyn KillPlace>);
    let killed = Arc::new(AtomicBool::new(opened.engine.is_killed()));
    let folder = opened.folder.as_deref();
    let in_folder = || folder.map(|folder| Keeping::Folder(folder.to_owned()));
    let keeping = opened.patch_office.map(Keeping::Memory).or_else(in_folder);
    let patches = patch_desk::watch(keeping.clone(), opened.patches.clone(), ends.snapshots.subscribe());
    patch_rounds::begin(folder, &opened.patches, &opened.runbooks, &ends.stop_signal);
    let (found, findings) = mpsc::channel(FINDINGS_MAX);
    let keeper = match (opened.store, opened.folder.as_deref().zip(opened.refusal.clone())) {
        (Some(store), _) => {
            let status = status.clone();
            let sizes = move |bytes| {
                status.send_if_modified(|status| std::mem::replace(&mut status.size_bytes, bytes) >> 20 != bytes >> 20);
            };
            let found = found.clone();
            let told = move |text| {
                if found.try_send(Input::LetGo(text)).is_err() {
                    tracing::warn!("the engine has much to do; the audit log lets its oldest part go later");
                }
            };
            Some(StoreKeeper::of(store, opened.retention, Box::new(sizes), ends.past).telling(Box::new(told)))
        }
        (None, Some((folder, problem))) => Some(StoreKeeper::refusing(folder, opened.hold, problem)),
        (None, None) => None,
    };
    let jobs = JobsDesk {
        store: keeper.map(|keeper| Arc::new(keeper) as Arc<dyn Keeps>),
        runner: Arc::clone(&opened.runner),
        reports: report_sink,
        courier: Box::new(couriers),
        deliveries: delivery_sink,
        store_news: Box::new(move |problem| {
            status.send_if_modified(|status| {
                let has_changed = status.problem.as_ref() != problem;
                if has_changed {
                    status.problem = problem.cloned();
                }
                has_changed
            });
        }),
        killed: Arc::clone(&killed),
        kill_place: kill_place.clone(),
        scout: Box::new(FieldWork {
            keeping,
            patches: opened.patches,
            runbooks: opened.runbooks,
            findings: found,
            pace: signal_sink.pace().clone(),
            runtime: sources_run_on.clone(),
        }),
        expected: BTreeMap::new(),
    };
    let (work, jobs_thread) = match jobs_thread::spawn(jobs, sources_run_on.clone()) {
        Ok(spawned) => spawned,
        Err(problem) => return drop(ends.started.send(Err(RuntimeError::Thread(problem)))),
    };
    for (spec, resume) in opened.sources {
        supervisor::spawn(sources_run_on, spec, resume, &signal_sink, &ends.stop_signal);
    }
    let waiting = work.waiting();
    // Only the sources lead here now: once they have ended, nothing more can come.
    drop(signal_sink);
    let connected = Connected {
        engine: opened.engine,
        now: opened.now,
        clock: Box::new(wall_clock::now),
        hand_on: Box::new(move |wanted| work.send(wanted)),
        killed,
        runner: opened.runner,
        kill_place,
    };
    let mut served = Served {
        waiting,
        turns: ends.turns,
        desk: EngineDesk::new(connected).recorded_by(opened.recorder),
        snapshots: ends.snapshots,
        values: ends.values,
        values_at: Timestamp(0),
        runbooks,
    };
    served.publish();
    // As above.
    let _nobody = ends.started.send(Ok(()));
    let inbox = Inbox {
        signals,
        requests: ends.requests,
        attendance: ends.attendance,
        backups: ends.backups,
        reports,
        deliveries,
        patches,
        findings,
        ending: ends.ending,
        store_status,
    };
    clockwork.block_on(served.serve(inbox, opened.first_jobs));
    if jobs_thread.join().is_err() {
        tracing::error!("the thread that writes ended in a panic");
    }
}

/// The desk with what it publishes to.
struct Served {
    /// What waits to be written and done.
    waiting: Waiting,
    turns: Arc<AtomicU64>,
    desk: EngineDesk,
    snapshots: watch::Sender<Arc<Snapshot>>,
    values: watch::Sender<Arc<PastValues>>,
    /// When they were published last.
    values_at: Timestamp,
    runbooks: RunbookFolders,
}

impl Served {
    async fn serve(mut self, mut inbox: Inbox, first_jobs: Vec<Job>) {
        self.desk.begin(first_jobs);
        self.look_at_runbooks();
        let mut runbook_looks = tokio::time::interval(Duration::from_millis(RUNBOOK_LOOK_MS));
        runbook_looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut kill_looks = tokio::time::interval(Duration::from_millis(KILL_LOOK_MS));
        kill_looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut ticks = tokio::time::interval(Duration::from_millis(TICK_MS.unsigned_abs()));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let arrival = tokio::select! {
                biased;
                // Whoever started the engine is gone where there is no sender any more.
                _ = inbox.ending.wait_for(|ending| *ending != Ending::NotYet) => Arrival::Stop,
                // Before all that people ask for: nobody can ask so much that what stops everything is not seen.
                _ = kill_looks.tick() => Arrival::KillLook,
                Some(envelope) = inbox.requests.recv() => Arrival::Request(envelope),
                Some(order) = inbox.backups.recv() => Arrival::BackUp(order),
                _ = runbook_looks.tick() => Arrival::RunbookLook,
                Some(report) = inbox.reports.recv() => Arrival::Report(report),
                Some(report) = inbox.deliveries.recv() => Arrival::Delivered(report),
                Some(found) = inbox.patches.recv() => Arrival::Patches(found),
                Some(found) = inbox.findings.recv() => Arrival::Found(found),
                _ = ticks.tick() => Arrival::Tick,
                // What somebody looks at may change at any time: it holds up no report and no tick.
                Ok(()) = inbox.attendance.changed() => {
                    Arrival::Present(inbox.attendance.borrow_and_update().here.values().cloned().collect())
                }
                // Looked at anew with each tick.
                Some(signal) = inbox.signals.recv(), if self.waiting.has_room() => Arrival::Signal(signal),
            };
            self.turns.fetch_add(1, Ordering::Relaxed);
            let is_seen_at_once = !matches!(arrival, Arrival::Signal(_));
            match arrival {
                Arrival::Stop => break,
                Arrival::BackUp(order) => self.desk.back_up(order),
                Arrival::KillLook => self.desk.look_at_kill_file(),
                Arrival::RunbookLook => self.look_at_runbooks(),
                Arrival::Patches(found) => self.desk.take(Input::Patches(found)),
                Arrival::Found(found) => self.desk.take(found),
                Arrival::Request(Envelope { by, request, reply }) => {
                    // Whoever asked may have gone.
                    let answer = Box::new(move |said| drop(reply.send(said)));
                    self.desk.take_request(by, request, answer);
                }
                Arrival::Present(here) => self.desk.take(Input::Present(here)),
                Arrival::Report(report) => self.desk.take(Input::Step(report)),
                Arrival::Delivered(report) => self.desk.take(Input::Delivered(report)),
                Arrival::Tick => {
                    if inbox.store_status.has_changed().unwrap_or(false) {
                        self.desk.set_store_status(inbox.store_status.borrow_and_update().clone());
                    }
                    self.desk.take(Input::Tick);
                    self.publish_values();
                }
                Arrival::Signal(signal) => self.desk.take(Input::Signal(signal)),
            }
            if is_seen_at_once {
                self.publish_news();
            }
            if self.desk.is_cut_off() {
                tracing::error!(
                    "the thread that writes has ended, so the engine ends: nothing would be kept or done any more"
                );
                return;
            }
        }
        self.see_commands_out(&mut inbox).await;
        self.take_last(inbox.signals).await;
        self.hear_last(inbox.deliveries).await;
        self.desk.close();
    }

    /// Hears the commands that run to their end, unless it is to be at once. No tick comes and no request is taken, so
    /// nothing begins meanwhile; the kill file is still heeded.
    async fn see_commands_out(&mut self, inbox: &mut Inbox) {
        let mut kill_looks = tokio::time::interval(Duration::from_millis(KILL_LOOK_MS));
        while let Some(until) = self.desk.commands_until() {
            // One that was never heard of again is found at the next start, as unknown.
            let left_ms = until.since_ms(self.desk.clock());
            if left_ms <= 0 {
                return;
            }
            let is_now = |ending: &Ending| *ending == Ending::Now;
            let arrival = tokio::select! {
                biased;
                _ = inbox.ending.wait_for(is_now) => return,
                () = tokio::time::sleep(Duration::from_millis(left_ms.unsigned_abs())) => return,
                Some(envelope) = inbox.requests.recv() => {
                    self.take_at_the_end(envelope);
                    continue;
                }
                _ = kill_looks.tick() => {
                    self.turns.fetch_add(1, Ordering::Relaxed);
                    self.desk.look_at_kill_file();
                    continue;
                }
                Some(report) = inbox.reports.recv() => Input::Step(report),
                Some(report) = inbox.deliveries.recv() => Input::Delivered(report),
                Some(signal) = inbox.signals.recv() => Input::Signal(signal),
            };
            self.desk.take(arrival);
            self.publish_news();
        }
    }

    /// What stops everything, or the run that is waited for, is heard to the last; nothing begins any more.
    fn take_at_the_end(&mut self, envelope: Envelope) {
        if !matches!(envelope.request, Request::Kill { .. } | Request::StopRun { .. }) {
            return envelope.refuse("hypo is ending; it only waits for commands that still run");
        }
        let Envelope { by, request, reply } = envelope;
        self.desk.take_request(by, request, Box::new(move |said| drop(reply.send(said))));
        self.publish_news();
    }

    fn publish_news(&mut self) {
        if self.desk.has_changed() {
            self.publish();
        }
    }

    /// Takes what the sources, told to stop, still hand in: a line that was taken here and whose place in its file was not
    /// would be read again by the next start.
    async fn take_last(&mut self, mut signals: mpsc::Receiver<Signal>) {
        let until = Instant::now() + Duration::from_millis(STOP_DRAIN_MS_MAX);
        while Instant::now() < until
            && let Ok(Some(signal)) = timeout_at(until, signals.recv()).await
        {
            self.desk.take(Input::Signal(signal));
        }
    }

    /// Waits a moment for what is being told outside: what is heard of now need not be looked for by the next start.
    async fn hear_last(&mut self, mut deliveries: mpsc::Receiver<DeliveryReport>) {
        let until = Instant::now() + Duration::from_millis(STOP_DRAIN_MS_MAX);
        while self.desk.is_telling()
            && let Ok(Some(report)) = timeout_at(until, deliveries.recv()).await
        {
            self.desk.take(Input::Delivered(report));
        }
    }

    fn publish(&mut self) {
        let picture = self.desk.snapshot();
        self.snapshots.send_replace(picture);
    }

    /// Publishes what was measured at other times, now and then: less than a millisecond's work for all that is kept.
    fn publish_values(&mut self) {
        let now = self.desk.now();
        if now.since_ms(self.values_at) >= PAST_EVERY_MS {
            self.values_at = now;
            self.values.send_replace(Arc::new(self.desk.past_values()));
        }
    }

    /// Takes in runbooks of one's own, where they have changed.
    fn look_at_runbooks(&mut self) {
        if let Some(own) = self.runbooks.look() {
            self.desk.take(Input::Runbooks(own));
        }
    }
}
