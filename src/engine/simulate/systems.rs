//! The systems that are acted on: a ledger of what was really done, processes that outlive the program, probes that look at
//! what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand::Rng;
use rand_pcg::Pcg64;

use super::faults::{Fate, draws};
use crate::engine::act::policy::ApprovedStep;
use crate::engine::clock::{SECOND_MS, Timestamp};
use crate::engine::input::{StepProgress, StepReport};
use crate::engine::model::{IncidentId, Purpose, RunId};

/// How a process ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Exited(i32),
    /// The connection to it breaks before its end: it goes on where it is, until its time is over there.
    Lost,
    /// Nobody ever hears of it.
    Silent,
}

/// A call that was made.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub id: Arc<str>,
    pub run: RunId,
    pub step: usize,
    pub purpose: Purpose,
    /// The target of an act; empty for what only looks.
    pub target: Arc<str>,
    /// Name of the act on its page.
    pub name: Arc<str>,
    pub incident: Option<IncidentId>,
    pub by: Arc<str>,
    /// By the engine's clock.
    pub begun_at: Timestamp,
    /// In which life of the program.
    pub life: u64,
    /// In milliseconds since the simulation began.
    pub started: i64,
    pub timeout_ms: i64,
    /// Its effect comes then; `None` where there is none.
    pub effect_at: Option<i64>,
    pub ends_at: i64,
    pub end: End,
    /// When the connection to it breaks.
    pub breaks_at: Option<i64>,
    /// It broke: nobody hears of it or can end it any more.
    pub is_out_of_reach: bool,
    /// Took effect.
    pub is_done: bool,
    pub is_over: bool,
    /// Somebody told it to stop.
    pub is_told: bool,
    /// The engine heard that it failed or was stopped.
    pub has_failed: bool,
}

/// Everything that is acted on.
#[derive(Debug)]
pub(super) struct Systems {
    pub ledger: BTreeMap<u64, Entry>,
    /// Those of it that are not over.
    live: BTreeSet<u64>,
    /// What holds of targets.
    pub effects: BTreeSet<Arc<str>>,
    draws: Pcg64,
    /// Reports on their way: when they arrive, and to which life of the program.
    mail: BTreeMap<(i64, u64), (u64, StepReport)>,
    next: u64,
}

impl Systems {
    pub(super) fn new(seed: u64) -> Self {
        let (live, effects) = (BTreeSet::new(), BTreeSet::new());
        Self { ledger: BTreeMap::new(), live, effects, draws: draws(seed, "systems"), mail: BTreeMap::new(), next: 0 }
    }

    /// A process begins; what of it is known beside the call is told by `about`.
    pub(super) fn begin(&mut self, step: &ApprovedStep, about: Entry, at: i64, fate: &mut Fate) {
        if let Some(before) = step.ends_first() {
            self.end_attempt(before, at);
        }
        let words = step.call().words();
        let is_change = matches!(words.first().map(AsRef::as_ref), Some("/sim/act" | "/sim/undo"));
        let is_long = self.draws.random_bool(0.15);
        let takes = if is_long { self.draws.random_range(20..75) } else { self.draws.random_range(0..12) };
        let takes = takes * SECOND_MS + 200;
        // Probes often have nothing to say, for that they are held to.
        let fine = if step.purpose() == Purpose::Probe { 75 } else { 90 };
        let end = match self.draws.random_range(0..100) {
            draw if draw < fine => End::Exited(0),
            draw if draw < 95 => End::Exited(self.draws.random_range(1..4)),
            _ if fate.on.reports && self.draws.random_bool(0.5) => End::Silent,
            _ if is_change => End::Lost,
            _ => End::Exited(0),
        };
        let takes = if is_change { takes } else { takes / 4 };
        let may_have = end == End::Exited(0) || self.draws.random_bool(0.5);
        let effect_at = (is_change && may_have).then(|| at + self.draws.random_range(0..=takes));
        let breaks_at = (end == End::Lost).then(|| at + self.draws.random_range(0..=takes.min(about.timeout_ms)));
        let takes = if breaks_at.is_some() { takes.min(about.timeout_ms) } else { takes };
        let number = self.next;
        self.next += 1;
        self.live.insert(number);
        self.ledger.insert(number, Entry { effect_at, ends_at: at + takes, end, breaks_at, ..about });
    }

    /// Time passes over processes and probes.
    pub(super) fn advance(&mut self, at: i64, fate: &mut Fate, life: u64) {
        for number in self.live.clone() {
            self.take_effect(number, at);
            self.break_off(number, at, fate);
            let Some(entry) = self.ledger.get(&number) else { continue };
            // Only the life that began it stops it at its timeout.
            let is_in_reach = entry.life == life && !entry.is_out_of_reach;
            let is_timed_out = is_in_reach && at >= entry.started + entry.timeout_ms && at < entry.ends_at;
            if is_timed_out {
                self.stop(number, at, "stopped at its timeout", fate);
            } else if at >= entry.ends_at {
                self.finish(number, at, fate);
            }
        }
    }

    fn take_effect(&mut self, number: u64, at: i64) {
        let Some(entry) = self.ledger.get_mut(&number) else { return };
        if entry.is_done || entry.effect_at.is_none_or(|effect| effect > at) {
            return;
        }
        entry.is_done = true;
        if entry.purpose == Purpose::Undo {
            self.effects.remove(&entry.target);
        } else {
            self.effects.insert(Arc::clone(&entry.target));
        }
    }

    fn break_off(&mut self, number: u64, at: i64, fate: &mut Fate) {
        let Some(entry) = self.ledger.get_mut(&number) else { return };
        if entry.is_out_of_reach || entry.breaks_at.is_none_or(|breaks| breaks > at) {
            return;
        }
        entry.is_out_of_reach = true;
        let entry = entry.clone();
        self.post(&entry, at, StepProgress::Lost { reason: Arc::from("the connection broke") }, fate);
    }

    fn finish(&mut self, number: u64, at: i64, fate: &mut Fate) {
        let Some(entry) = self.ledger.get_mut(&number) else { return };
        entry.is_over = true;
        self.live.remove(&number);
        let looks = entry.purpose == Purpose::Probe;
        let entry = entry.clone();
        let is_there = self.effects.contains(&entry.target);
        let end = entry.end;
        let progress = match end {
            End::Silent | End::Lost => return,
            End::Exited(0) if looks => StepProgress::Exited { code: Some(i32::from(!is_there)), took_ms: 7 },
            // A look that goes wrong says so, and not that nothing is there.
            End::Exited(code) if looks => StepProgress::Exited { code: Some(code + 1), took_ms: 7 },
            End::Exited(code) => StepProgress::Exited { code: Some(code), took_ms: 7 },
        };
        self.post(&entry, at, progress, fate);
    }

    fn stop(&mut self, number: u64, at: i64, reason: &str, fate: &mut Fate) {
        let Some(entry) = self.ledger.get_mut(&number) else { return };
        entry.is_over = true;
        self.live.remove(&number);
        let entry = entry.clone();
        self.post(&entry, at, StepProgress::Stopped { reason: Arc::from(reason) }, fate);
    }

    /// A report goes on its way; it may be late, come twice, or be overtaken.
    fn post(&mut self, entry: &Entry, at: i64, progress: StepProgress, fate: &mut Fate) {
        let report = StepReport { run: entry.run, step: entry.step, attempt: Arc::clone(&entry.id), progress };
        let late = if fate.strikes(|on| on.reports, 0.2) { fate.draws.random_range(1..150) * SECOND_MS } else { 0 };
        let copies = 1 + u64::from(fate.strikes(|on| on.reports, 0.1));
        for copy in 0..copies {
            let number = self.next;
            self.next += 1;
            let delay = i64::try_from(copy).unwrap_or(0) * fate.draws.random_range(0..40 * SECOND_MS);
            self.mail.insert((at + late + delay, number), (entry.life, report.clone()));
        }
    }

    /// Reports that arrive by now for this life; those for an earlier one reach nobody.
    pub(super) fn arrived(&mut self, at: i64, life: u64) -> Vec<StepReport> {
        let mut arrived = Vec::new();
        while let Some(entry) = self.mail.first_entry().filter(|entry| entry.key().0 <= at) {
            let (to, report) = entry.remove();
            if to == life {
                arrived.push(report);
            }
        }
        arrived
    }

    /// Tells the step's process to end.
    pub(super) fn cancel(&mut self, run: RunId, step: usize, life: u64, at: i64, fate: &mut Fate) {
        let of_it = |it: &Entry| (it.run, it.step, it.life) == (run, step, life) && !it.is_out_of_reach;
        let live = self.live.iter().filter(|number| self.ledger.get(number).is_some_and(of_it));
        let told: Vec<u64> = live.copied().collect();
        for number in told {
            if let Some(entry) = self.ledger.get_mut(&number) {
                entry.is_told = true;
            }
            self.take_effect(number, at);
            self.stop(number, at, "stopped by a person", fate);
        }
    }

    /// Ends what still runs of an attempt, where it can be reached.
    pub(super) fn end_attempt(&mut self, id: &str, at: i64) {
        let is_it = |it: &Entry| it.id.as_ref() == id && !it.is_out_of_reach;
        let of_it: Vec<u64> = self.ledger.iter().filter(|(_, it)| is_it(it)).map(|(number, _)| *number).collect();
        for number in of_it {
            self.take_effect(number, at);
            if let Some(entry) = self.ledger.get_mut(&number) {
                (entry.is_told, entry.is_over) = (true, true);
            }
            self.live.remove(&number);
        }
    }

    /// Processes that are not over.
    pub(super) fn live(&self) -> impl Iterator<Item = &Entry> {
        self.live.iter().filter_map(|number| self.ledger.get(number))
    }

    /// What is known of an attempt.
    pub(super) fn attempt(&self, id: &str) -> Option<&Entry> {
        self.ledger.values().find(|entry| entry.id.as_ref() == id)
    }

    /// The same, to be changed.
    pub(super) fn attempt_mut(&mut self, id: &str) -> Option<&mut Entry> {
        self.ledger.values_mut().find(|entry| entry.id.as_ref() == id)
    }
}
