//! Everything outside of the core, behind the same seams as in earnest: disk, kill file, systems, clock. Whatever is asked of
//! it is counted, and at any such call the program may die: from then on nothing reaches anything.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::Rng;

use super::disk::{Disk, Paper};
use super::faults::Fate;
use super::oracle::{Oracle, View};
use super::report::Trace;
use super::systems::{End, Entry, Systems};
use super::world::START;
use crate::engine::act::policy::ApprovedStep;
use crate::engine::act::{StepReportSink, StepRunner};
use crate::engine::clock::Timestamp;
use crate::engine::deliver::DeliveryReportSink;
use crate::engine::input::{AssetLook, KillWord, NeedAsked};
use crate::engine::job::Record;
use crate::engine::model::{DeliveryAttempt, LeftOver, Purpose, Run, RunId};
use crate::engine::patches::exceptions::PatchException;
use crate::engine::request::Reply;
use crate::engine::runtime::jobs_desk::{Courier, Keeps, KillPlace, Scout};
use crate::engine::store::StoreError;

/// What is outside.
pub(super) struct Outside {
    pub disk: Disk,
    pub paper: Paper,
    pub systems: Systems,
    pub fate: Fate,
    pub oracle: Oracle,
    pub trace: Trace,
    /// Milliseconds since the beginning; never steps back.
    pub elapsed: i64,
    /// By how much the clock on the wall is off.
    pub skew: i64,
    /// The engine's clock.
    pub now: Timestamp,
    /// How often the program has begun.
    pub life: u64,
    /// The program is gone.
    pub is_dead: bool,
}

/// How far a call comes.
enum Call {
    /// The program is gone already.
    Dead,
    /// It dies before anything is done.
    Before,
    /// It dies right after.
    After,
    Whole,
}

/// All seams lead here.
#[derive(Clone)]
pub(super) struct Seam(pub Arc<Mutex<Outside>>);

impl Seam {
    pub(super) fn lock(&self) -> MutexGuard<'_, Outside> {
        // All is on one thread: whoever panicked has ended the run.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outside {
    /// What time the wall says it is.
    pub(super) fn wall(&self) -> Timestamp {
        START + (self.elapsed + self.skew)
    }

    pub(super) fn note(&mut self, what: &str) {
        let line = format!("{:>9.1} s #{} {what}", self.elapsed as f64 / 1_000.0, self.fate.points);
        self.trace.note(line);
    }

    fn call(&mut self) -> Call {
        if self.is_dead {
            return Call::Dead;
        }
        if !self.fate.dies_here() {
            return Call::Whole;
        }
        self.is_dead = true;
        if self.fate.draws.random_bool(0.5) { Call::Before } else { Call::After }
    }

    /// A reply reaches whoever asked, unless the program died before; true where it arrived.
    pub(super) fn reply(&mut self, question: usize, reply: &Reply) -> bool {
        if matches!(self.call(), Call::Dead | Call::Before) {
            return false;
        }
        let view = View { disk: &self.disk, systems: &self.systems, paper: &self.paper, life: self.life };
        self.oracle.answers(question, reply, &view);
        let is_lost = self.fate.strikes(|on| on.replies, 0.05);
        self.note(&format!("answer {question}{}: {reply:?}", if is_lost { " (lost)" } else { "" }));
        !is_lost
    }

    fn settle(&mut self) {
        let settled = self.disk.flush();
        self.oracle.settles(&settled, &self.systems, &self.disk);
    }

    /// The power goes, or the program ends: what was written and not flushed may be gone.
    pub(super) fn crash(&mut self) {
        let settled = self.disk.crash(&mut self.fate.draws);
        self.oracle.settles(&settled, &self.systems, &self.disk);
        self.oracle.ends(&self.disk);
        let comes_back = self.fate.strikes(|on| on.kill, 0.2);
        if comes_back {
            // What was replaced last may be back.
            self.paper.word = self.paper.before.clone();
        }
    }
}

impl Keeps for Seam {
    fn write(&self, records: &[Record], is_durable: bool) -> Result<(), StoreError> {
        let mut outside = self.lock();
        let call = outside.call();
        if matches!(call, Call::Dead | Call::Before) || outside.disk.has_failed {
            return Err(Disk::failed());
        }
        let is_named = outside.fate.fails_here();
        if outside.fate.strikes(|on| on.disk, 0.000_7) || is_named {
            // What was on its way may come to be durable all the same.
            if outside.fate.draws.random_bool(0.5) {
                outside.disk.write(records);
            }
            (outside.disk.is_full, outside.disk.has_failed) = (outside.fate.draws.random_bool(0.6), true);
            outside.oracle.counts.failures += 1;
            let (told, problem) = match outside.disk.is_full {
                true => ("the disk is full", Disk::full()),
                false => ("the disk fails", Disk::failed()),
            };
            outside.note(told);
            return Err(problem);
        }
        outside.disk.write(records);
        let is_cut = matches!(call, Call::After) && outside.fate.draws.random_bool(0.5);
        if is_durable && !is_cut {
            outside.settle();
        }
        Ok(())
    }
}

impl KillPlace for Seam {
    fn read(&self) -> Option<KillWord> {
        self.lock().paper.word.clone()
    }

    fn write(&self, word: &KillWord) -> std::io::Result<()> {
        let mut outside = self.lock();
        if matches!(outside.call(), Call::Dead | Call::Before) {
            return Ok(());
        }
        if outside.disk.is_full {
            // As the file does: an older word that acts may begin does not outlive the order to stop.
            if matches!(word, KillWord::On { .. }) && !matches!(outside.paper.word, Some(KillWord::On { .. })) {
                outside.paper.say(None);
            }
            return Err(std::io::Error::from(std::io::ErrorKind::StorageFull));
        }
        outside.note(&format!("the kill file: {word:?}"));
        outside.paper.say(Some(word.clone()));
        Ok(())
    }

    fn name(&self) -> String {
        "the kill file".to_owned()
    }
}

impl StepRunner for Seam {
    fn start(&self, step: ApprovedStep, _reports: StepReportSink) {
        let mut outside = self.lock();
        if matches!(outside.call(), Call::Dead | Call::Before) {
            return;
        }
        let words = step.call().words();
        outside.note(&format!("{} step {} {:?}: {}", step.run(), step.step() + 1, step.purpose(), words.join(" ")));
        let Outside { disk, paper, systems, fate, oracle, elapsed, now, life, .. } = &mut *outside;
        let view = View { disk, systems, paper, life: *life };
        let (by, begun_at) = oracle.starts(&step, &view).unwrap_or_else(|| (Arc::from("nobody"), *now));
        let is_look = words.first().is_some_and(|program| program.as_ref() == "/sim/look");
        let about = Entry {
            id: Arc::clone(step.step_id()),
            run: step.run(),
            step: step.step(),
            purpose: step.purpose(),
            target: if is_look { Arc::from("") } else { words.get(2).cloned().unwrap_or_default() },
            name: words.get(1).cloned().unwrap_or_default(),
            incident: disk.run(step.run()).and_then(Run::incident),
            by,
            begun_at,
            life: *life,
            started: *elapsed,
            timeout_ms: step.timeout_ms(),
            effect_at: None,
            ends_at: 0,
            end: End::Silent,
            breaks_at: None,
            is_out_of_reach: false,
            is_done: false,
            is_over: false,
            is_told: false,
            has_failed: false,
        };
        oracle.counts.probes += u64::from(step.purpose() == Purpose::Probe);
        systems.begin(&step, about, *elapsed, fate);
    }

    fn cancel(&self, run: RunId, step: usize) {
        let mut outside = self.lock();
        if matches!(outside.call(), Call::Dead | Call::Before) {
            return;
        }
        outside.note(&format!("{run} step {} is told to stop", step + 1));
        let Outside { systems, fate, elapsed, life, .. } = &mut *outside;
        systems.cancel(run, step, *life, *elapsed, fate);
    }

    fn end_left_over(&self, left: &LeftOver) {
        let mut outside = self.lock();
        if matches!(outside.call(), Call::Dead | Call::Before) {
            return;
        }
        let Outside { systems, elapsed, .. } = &mut *outside;
        systems.end_attempt(&left.attempt, *elapsed);
    }
}

/// Nothing is told outside, and there is nothing to look at but the systems.
impl Courier for Seam {
    fn send(&self, _attempt: DeliveryAttempt, _reports: DeliveryReportSink) {}
}

impl Scout for Seam {
    fn find_need(&self, _asked: NeedAsked, _exceptions: Vec<Arc<PatchException>>) {}

    fn look_at(&self, _look: AssetLook) {}

    fn watch_closely(&self, _until: Timestamp, _every_ms: i64) {}
}
