//! The core with what it is connected to: an input goes in with the time, jobs are handed on. Without a thread, a timer or a
//! clock of its own: whoever owns the desk says what arrives and when to look.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::jobs_desk::{Answer, KillPlace, Work};
use super::recorder::Recorder;
use crate::engine::act::StepRunner;
use crate::engine::clock::Timestamp;
use crate::engine::handle::BackupOrder;
use crate::engine::input::{Input, KillWord, RequestId, TimedInput};
use crate::engine::job::Job;
use crate::engine::model::{PastValues, Person};
use crate::engine::pipeline::Engine;
use crate::engine::request::Request;
use crate::engine::snapshot::{Snapshot, StoreStatus};

/// What a desk is put together from.
pub struct Connected {
    /// The core, with what it has been given back.
    pub engine: Engine,
    /// When that was.
    pub now: Timestamp,
    /// What time it is outside; it may step back.
    pub clock: Box<dyn FnMut() -> Timestamp + Send>,
    /// Takes the work; false once nobody does it any more.
    pub hand_on: Box<dyn Fn(Work) -> bool + Send>,
    /// Where the kill switch is told to who begins steps.
    pub killed: Arc<AtomicBool>,
    /// For what is stopped out of turn.
    pub runner: Arc<dyn StepRunner>,
    /// Where there is a place for it.
    pub kill_place: Option<Arc<dyn KillPlace>>,
}

/// The core with everything it is connected to.
pub struct EngineDesk {
    connected: Connected,
    recorder: Option<Recorder>,
    next_request: u64,
    /// What the kill file said last.
    kill_word: Option<KillWord>,
    /// The kill switch was taken off; steps begin again once the kill file says so, which it does once that is on disk.
    letting_go: Option<KillWord>,
}

impl EngineDesk {
    /// A desk that has taken nothing yet.
    #[must_use]
    pub fn new(connected: Connected) -> Self {
        connected.killed.store(connected.engine.is_killed(), Ordering::Release);
        Self { connected, recorder: None, next_request: 1, kill_word: None, letting_go: None }
    }

    /// The same, recording everything that comes in.
    pub(super) fn recorded_by(mut self, recorder: Option<Recorder>) -> Self {
        self.recorder = recorder;
        self
    }

    /// Hands on what the start led to, and looks at the kill file for the first time.
    pub fn begin(&mut self, first_jobs: Vec<Job>) {
        // Before anything begins: the file may say stop since before this start. Its entry in the log comes behind those of
        // the start all the same, for the log takes them in their order.
        if self.connected.kill_place.as_ref().is_some_and(|place| place.is_on()) {
            self.connected.killed.store(true, Ordering::Release);
        }
        self.hand_on(first_jobs);
        self.look_at_kill_file();
    }

    /// Takes an input, at the time it is now.
    pub fn take(&mut self, input: Input) {
        // The wall clock may step back; the core's time does not.
        let now = (self.connected.clock)().max(self.connected.now);
        self.connected.now = now;
        let input = match &mut self.recorder {
            Some(recorder) => {
                let timed = TimedInput { now, input };
                recorder.write(&timed);
                timed.input
            }
            None => input,
        };
        let jobs = self.connected.engine.handle(input, now);
        self.hand_on(jobs);
    }

    /// Takes what a person asks for; the answer goes to `answer` once what it speaks of is on disk.
    pub fn take_request(&mut self, by: Person, request: Request, answer: Answer) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.hand_on_work(Work::Expect(id, answer));
        self.take(Input::Request { id, by, request });
    }

    /// Has everything that is kept written into a file, in its turn: as of what was asked for until now.
    pub fn back_up(&self, order: BackupOrder) {
        self.hand_on_work(Work::BackUp(order));
    }

    /// Takes in what the kill file says, where that has changed.
    pub fn look_at_kill_file(&mut self) {
        let Some(word) = self.connected.kill_place.as_ref().map(|place| place.read()) else { return };
        if self.letting_go.is_some() && self.letting_go == word && !self.connected.engine.is_killed() {
            self.letting_go = None;
            self.connected.killed.store(false, Ordering::Release);
        }
        if word == self.kill_word {
            return;
        }
        self.kill_word.clone_from(&word);
        if let Some(word) = word {
            self.take(Input::Kill(word));
        }
    }

    /// Hands on what the end leads to.
    pub fn close(&mut self) {
        let jobs = self.connected.engine.close(self.connected.now);
        self.hand_on(jobs);
    }

    /// What time it is outside.
    pub fn clock(&mut self) -> Timestamp {
        (self.connected.clock)()
    }

    /// The time of the last input.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.connected.now
    }

    /// The picture as of the last input.
    pub fn snapshot(&mut self) -> Arc<Snapshot> {
        self.connected.engine.snapshot(self.connected.now)
    }

    /// True where the picture has changed since it was last asked for.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.connected.engine.has_changed()
    }

    /// What was measured.
    #[must_use]
    pub fn past_values(&self) -> PastValues {
        self.connected.engine.past_values()
    }

    /// How the store is doing, for the picture.
    pub fn set_store_status(&mut self, status: StoreStatus) {
        self.connected.engine.set_store_status(status);
    }

    /// True while something is being told outside.
    #[must_use]
    pub fn is_telling(&self) -> bool {
        self.connected.engine.is_telling()
    }

    /// Until when commands may run that run now; `None` where none does.
    #[must_use]
    pub fn commands_until(&self) -> Option<Timestamp> {
        self.connected.engine.commands_until()
    }

    fn hand_on(&mut self, jobs: Vec<Job>) {
        let Connected { killed, runner, kill_place, .. } = &self.connected;
        for job in &jobs {
            match job {
                Job::Kill(KillWord::On { .. }) => {
                    self.letting_go = None;
                    killed.store(true, Ordering::Release);
                }
                Job::Kill(off) if kill_place.is_some() => self.letting_go = Some(off.clone()),
                Job::Kill(_) => killed.store(false, Ordering::Release),
                // A disk that does not answer holds the queue up, and must not hold up who stops what runs. In its turn it
                // is told once more, for what has been queued before it and has yet to begin.
                Job::Cancel { run, step } => runner.cancel(*run, *step),
                Job::EndLeftOver(left) => runner.end_left_over(left),
                _ => {}
            }
        }
        if !jobs.is_empty() {
            self.hand_on_work(Work::Jobs(jobs));
        }
    }

    fn hand_on_work(&self, work: Work) {
        if !(self.connected.hand_on)(work) {
            tracing::error!("the jobs thread has ended; nothing is written or run any more");
        }
    }
}
