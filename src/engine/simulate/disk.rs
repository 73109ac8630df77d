//! The disk as it is at the seam where records are kept: what is durable, and what was written and is not yet. A crash keeps
//! a beginning of the latter: what is written together is there as a whole or not at all, and nothing is there without what
//! was written before it.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use rand::Rng;
use rand_pcg::Pcg64;

use crate::engine::input::KillWord;
use crate::engine::job::{NextNumbers, Record};
use crate::engine::limits::AUDIT_IN_SNAPSHOT_MAX;
use crate::engine::model::{AuditEntry, Incident, IncidentId, Run, RunId};
use crate::engine::store::StoreError;

/// Under which name a record is kept: the kind, in the order in which they are read back, a number, and a name.
type Key = (u8, u64, String);
type Batch = Vec<(Key, Option<Record>)>;

const INCIDENT: u8 = 0;
const ANOMALY: u8 = 1;
const CHANGE: u8 = 3;
const RUN: u8 = 4;
const ROLLOUT: u8 = 6;
const AUDIT: u8 = 9;

/// The disk.
#[derive(Debug, Default)]
pub(super) struct Disk {
    durable: BTreeMap<Key, Record>,
    pending: VecDeque<Batch>,
    /// A write failed: nothing more is taken before the store is opened anew.
    pub has_failed: bool,
    /// There is no room; freed when the program is started anew.
    pub is_full: bool,
}

/// What a durable write changed: entries of the log, and runs before and after.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub audit: Vec<AuditEntry>,
    /// An entry that was there was to be another.
    pub is_rewritten: bool,
}

impl Disk {
    pub(super) fn failed() -> StoreError {
        StoreError::Failed { path: PathBuf::from("simulated") }
    }

    pub(super) fn full() -> StoreError {
        StoreError::Full { path: PathBuf::from("simulated") }
    }

    /// Takes what is written; it is durable only once it is flushed.
    pub(super) fn write(&mut self, records: &[Record]) {
        let batch: Batch = records.iter().filter_map(entry).collect();
        if !batch.is_empty() {
            self.pending.push_back(batch);
        }
    }

    /// All that was written is durable now.
    pub(super) fn flush(&mut self) -> Settled {
        let count = self.pending.len();
        self.settle(count)
    }

    /// The power goes: a beginning of what was written stays.
    pub(super) fn crash(&mut self, draws: &mut Pcg64) -> Settled {
        let kept = draws.random_range(0..=self.pending.len());
        let settled = self.settle(kept);
        self.pending.clear();
        (self.has_failed, self.is_full) = (false, false);
        settled
    }

    fn settle(&mut self, count: usize) -> Settled {
        let mut settled = Settled::default();
        for (key, record) in self.pending.drain(..count).flatten() {
            if let Some(Record::Audit(entry)) = &record {
                let there = self.durable.get(&key);
                settled.is_rewritten |= there.is_some_and(|there| Some(there) != record.as_ref());
                if there.is_none() {
                    settled.audit.push(entry.clone());
                }
            }
            match record {
                Some(record) => self.durable.insert(key, record),
                None => self.durable.remove(&key),
            };
        }
        settled
    }

    /// What is read back at a start, and the numbers that come next.
    pub(super) fn load(&self) -> (Vec<Record>, NextNumbers) {
        let audit = self.durable.range((AUDIT, 0, String::new())..).take_while(|(key, _)| key.0 == AUDIT).count();
        let old = audit.saturating_sub(AUDIT_IN_SNAPSHOT_MAX);
        let mut seen = 0;
        let records = self.durable.iter().filter(|(key, _)| {
            seen += usize::from(key.0 == AUDIT);
            key.0 != AUDIT || seen > old
        });
        let records = records.map(|(_, record)| record.clone()).collect();
        let numbers = NextNumbers {
            incident: self.next(INCIDENT),
            anomaly: self.next(ANOMALY),
            change: self.next(CHANGE),
            run: self.next(RUN),
            rollout: self.next(ROLLOUT),
            audit: self.next(AUDIT),
        };
        (records, numbers)
    }

    /// The first number of this kind that is free.
    fn next(&self, kind: u8) -> u64 {
        let last = self.durable.range(..(kind + 1, 0, String::new())).next_back();
        last.filter(|(key, _)| key.0 == kind).map_or(1, |(key, _)| key.1 + 1)
    }

    /// The number of the next incident.
    pub(super) fn next_incident(&self) -> u64 {
        self.next(INCIDENT)
    }

    pub(super) fn runs(&self) -> impl Iterator<Item = &Run> {
        self.of(RUN).filter_map(|record| if let Record::Run(run) = record { Some(run) } else { None })
    }

    pub(super) fn run(&self, id: RunId) -> Option<&Run> {
        match self.durable.get(&(RUN, id.0, String::new())) {
            Some(Record::Run(run)) => Some(run),
            _ => None,
        }
    }

    pub(super) fn incident(&self, id: IncidentId) -> Option<&Incident> {
        match self.durable.get(&(INCIDENT, id.0, String::new())) {
            Some(Record::Incident(incident)) => Some(incident),
            _ => None,
        }
    }

    /// The entries of the log, newest first.
    pub(super) fn audit(&self) -> impl Iterator<Item = &AuditEntry> {
        let all = self.durable.range((AUDIT, 0, String::new())..(AUDIT + 1, 0, String::new())).rev();
        all.filter_map(|(_, record)| if let Record::Audit(entry) = record { Some(entry) } else { None })
    }

    fn of(&self, kind: u8) -> impl Iterator<Item = &Record> {
        self.durable.range((kind, 0, String::new())..(kind + 1, 0, String::new())).map(|(_, record)| record)
    }
}

/// A record with its key; `None` for what is gone. What can be learnt anew is not kept here.
fn entry(record: &Record) -> Option<(Key, Option<Record>)> {
    let number = |kind: u8, number: u64| (kind, number, String::new());
    let key = match record {
        Record::Incident(it) => number(INCIDENT, it.id.0),
        Record::Anomaly(it) => number(ANOMALY, it.id.0),
        Record::Alert(it) => number(2, it.notice.fingerprint.0),
        Record::Change(it) => number(CHANGE, it.id.0),
        Record::Run(it) => number(RUN, it.id.0),
        Record::Document(it) => (5, it.incident.0, format!("{:?}", it.kind)),
        Record::Rollout(it) => number(ROLLOUT, it.rollout.id.0),
        Record::PatchException(it) => number(7, it.number),
        Record::Delivery(it) => number(8, it.number),
        Record::DeliveryGone(gone) => return Some((number(8, *gone), None)),
        Record::Audit(it) => number(AUDIT, it.sequence),
        Record::Topology(_) => number(10, 0),
        Record::Setting { name, .. } => (11, 0, name.clone()),
        Record::Series(_)
        | Record::SeriesGone(_)
        | Record::Templates(_)
        | Record::Relations { .. }
        | Record::BackfillCursor { .. }
        | Record::PastPage(_) => return None,
    };
    Some((key, Some(record.clone())))
}

/// The kill file.
#[derive(Debug, Default)]
pub(super) struct Paper {
    pub word: Option<KillWord>,
    /// What it said before: a power cut may bring that back.
    pub before: Option<KillWord>,
}

impl Paper {
    pub(super) fn say(&mut self, word: Option<KillWord>) {
        self.before = std::mem::replace(&mut self.word, word);
    }
}
