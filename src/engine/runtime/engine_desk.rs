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
use crate::engine::request::{Reply, Request};
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
    /// What the clock said last.
    wall: Timestamp,
    /// Milliseconds that were passed over at full speed and are not a tenth yet.
    rest_ms: i64,
    /// What the kill file said last.
    kill_word: Option<KillWord>,
    /// The kill switch was taken off; steps begin again once the kill file says so, which it does once that is on disk.
    letting_go: Option<KillWord>,
    /// Nobody does the work any more.
    is_cut_off: bool,
}

impl EngineDesk {
    /// A desk that has taken nothing yet.
    #[must_use]
    pub fn new(connected: Connected) -> Self {
        connected.killed.store(connected.engine.is_killed(), Ordering::Release);
        let wall = connected.now;
        Self {
            connected,
            recorder: None,
            next_request: 1,
            wall,
            rest_ms: 0,
            kill_word: None,
            letting_go: None,
            is_cut_off: false,
        }
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
        let now = self.pass();
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

    /// Lets time pass, and says what time it is for the core. The wall clock may step back; the core's time does not. It does not
    /// stand still either until the wall has come up with it, for an hour or a year, in which no offer would expire: it goes
    /// on a tenth slower.
    fn pass(&mut self) -> Timestamp {
        let wall = (self.connected.clock)();
        let passed_ms = wall.since_ms(self.wall).max(0);
        self.wall = wall;
        self.rest_ms += passed_ms;
        let slowed_ms = passed_ms - self.rest_ms / 10;
        self.rest_ms %= 10;
        self.connected.now = wall.max(self.connected.now + slowed_ms);
        self.connected.now
    }

    /// Takes what a person asks for; the answer goes to `answer` once what it speaks of is on disk.
    pub fn take_request(&mut self, by: Person, request: Request, answer: Answer) {
        if request.is_blind() {
            // The core takes it from recordings of before; nobody who asks now is meant to leave it out.
            let reason = Arc::from("the request does not say what was shown; ask again from an up-to-date screen");
            return answer(Reply::Refused { reason });
        }
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.hand_on_work(Work::Expect(id, answer));
        self.take(Input::Request { id, by, request });
    }

    /// Has everything that is kept written into a file, in its turn: as of what was asked for until now.
    pub fn back_up(&mut self, order: BackupOrder) {
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

    /// True once nobody does what is handed on: the engine has no hands any more.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.is_cut_off
    }

    fn hand_on_work(&mut self, work: Work) {
        self.is_cut_off |= !(self.connected.hand_on)(work);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;

    use super::*;
    use crate::engine::act::StepReportSink;
    use crate::engine::act::policy::ApprovedStep;
    use crate::engine::clock::{HOUR_MS, SECOND_MS};
    use crate::engine::model::{LeftOver, RunId};
    use crate::engine::runbooks::Library;
    use crate::engine::settings::EngineSettings;

    struct Nobody;

    impl StepRunner for Nobody {
        fn start(&self, _step: ApprovedStep, _reports: StepReportSink) {}

        fn cancel(&self, _run: RunId, _step: usize) {}

        fn end_left_over(&self, _left: &LeftOver) {}
    }

    #[test]
    fn time_neither_steps_back_nor_stands_still_for_a_clock_that_was_set_back() {
        let start = Timestamp(1_793_577_600_000);
        let wall = Arc::new(AtomicI64::new(start.0));
        let clock = Arc::clone(&wall);
        let mut desk = EngineDesk::new(Connected {
            engine: Engine::new(EngineSettings::default(), Library::default()).unwrap(),
            now: start,
            clock: Box::new(move || Timestamp(clock.load(Ordering::Acquire))),
            hand_on: Box::new(|_| true),
            killed: Arc::new(AtomicBool::new(false)),
            runner: Arc::new(Nobody),
            kill_place: None,
        });
        let mut pass = |ms: i64, times: i64| {
            for _ in 0..times {
                wall.fetch_add(ms, Ordering::AcqRel);
                desk.take(Input::Tick);
            }
            desk.now().since_ms(start)
        };
        assert_eq!(pass(SECOND_MS, 60), 60 * SECOND_MS);
        // Set back by an hour; ten minutes later nine have passed, however small the steps are.
        assert_eq!(pass(-HOUR_MS, 1), 60 * SECOND_MS);
        assert_eq!(pass(SECOND_MS, 300), (60 + 270) * SECOND_MS);
        assert_eq!(pass(3, 100_000), (60 + 540) * SECOND_MS);
        // Once the wall has come up with it, they are one again.
        assert_eq!(pass(HOUR_MS, 1), (60 + 540 + 3_240) * SECOND_MS);
        assert_eq!(pass(9 * HOUR_MS, 1), (60 + 600) * SECOND_MS + 9 * HOUR_MS);
    }
}
