//! Reads back what was kept. An entry that cannot be read is named and left where it is; the others are not held up.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use super::schema::{self, TreeName};
use super::write::sequence_of;
use super::{Store, StoreError};
use crate::engine::clock::Timestamp;
use crate::engine::job::{NextNumbers, Record};
use crate::engine::limits::{AUDIT_IN_SNAPSHOT_MAX, ENDED_ANOMALIES_MAX, ENDED_INCIDENTS_MAX};
use crate::engine::model::{
    Alert, Anomaly, AnomalyState, AuditEntry, Change, Delivery, Document, Fingerprint, Incident, Run, SourceName,
    Topology,
};
use crate::engine::patches::exceptions::PatchException;
use crate::engine::patches::rollout::KeptRollout;

/// Entries that cannot be read are named up to this number; all are counted.
const NAMED_PROBLEMS_MAX: usize = 20;
/// Entries that are in memory at a time, beside what is made of them.
const LOT: usize = 2_000;
/// More threads than this do not make the reading quicker.
const THREADS_MAX: usize = 8;

/// Everything but the series and what was measured, which [`Store::series`] and [`Store::past_pages`] give one by one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stored {
    /// Live ones, and the newest of those over, in order of id.
    pub incidents: Vec<Incident>,
    /// Active and recovering ones, and the newest of those over, in order of id.
    pub anomalies: Vec<Anomaly>,
    /// In order of fingerprint.
    pub alerts: Vec<Alert>,
    /// In order of id.
    pub changes: Vec<Change>,
    /// In order of id.
    pub runs: Vec<Run>,
    /// Rollouts of patches.
    pub rollouts: Vec<KeptRollout>,
    /// In order of incident.
    pub documents: Vec<Document>,
    /// In order of number.
    pub exceptions: Vec<PatchException>,
    /// In order of number.
    pub deliveries: Vec<Delivery>,
    /// The newest entries, oldest first.
    pub audit: Vec<AuditEntry>,
    /// Who calls whom.
    pub topology: Option<Topology>,
    /// Mined templates.
    pub templates: Option<Vec<u8>>,
    /// What was learnt of the relations between metrics of services, by fingerprint.
    pub relations: Vec<(Fingerprint, Vec<u8>)>,
    /// How far each source's backfill has come.
    pub cursors: BTreeMap<SourceName, Timestamp>,
    /// Named settings, as JSON text.
    pub settings: BTreeMap<String, String>,
    /// The numbers that come next, past everything on disk.
    pub next: NextNumbers,
    /// Entries that could not be read.
    pub unreadable_count: u64,
    /// Which they are and why, as far as there is room; gaps of the audit log.
    pub problems: Vec<Arc<str>>,
}

impl Stored {
    /// Everything as records, for an engine to take back. Cursors are not among them: sources read those.
    #[must_use]
    pub fn into_records(self) -> Vec<Record> {
        let mut records: Vec<Record> = self.incidents.into_iter().map(Record::Incident).collect();
        records.extend(self.anomalies.into_iter().map(Record::Anomaly));
        records.extend(self.alerts.into_iter().map(Record::Alert));
        records.extend(self.changes.into_iter().map(Record::Change));
        records.extend(self.runs.into_iter().map(Record::Run));
        records.extend(self.documents.into_iter().map(Record::Document));
        records.extend(self.rollouts.into_iter().map(|it| Record::Rollout(Arc::new(it))));
        records.extend(self.exceptions.into_iter().map(Record::PatchException));
        records.extend(self.deliveries.into_iter().map(Record::Delivery));
        records.extend(self.audit.into_iter().map(Record::Audit));
        records.extend(self.topology.map(Record::Topology));
        records.extend(self.templates.map(Record::Templates));
        records.extend(self.relations.into_iter().map(|(of, bytes)| Record::Relations { of, bytes }));
        // The kill switch, silent trials and what was learnt are among these.
        records.extend(self.settings.into_iter().map(|(name, value)| Record::Setting { name, value }));
        records
    }
}

impl Store {
    /// Reads everything but the series and what was measured.
    ///
    /// # Errors
    /// When sled itself cannot read on. Single entries that cannot be read are no error; they are counted and named.
    pub fn load(&self) -> Result<Stored, StoreError> {
        let mut stored = Stored { next: self.next_numbers()?, ..Stored::default() };
        for tree in TreeName::ALL {
            match tree {
                TreeName::Series | TreeName::Past | TreeName::Audit => {}
                TreeName::Incidents => self.load_incidents(&mut stored)?,
                _ => self.load_tree(tree, &mut stored)?,
            }
        }
        // Its gaps are told after what could not be read.
        self.load_audit(&mut stored)?;
        keep_newest(&mut stored.anomalies, |anomaly| anomaly.state != AnomalyState::Ended, ENDED_ANOMALIES_MAX);
        Ok(stored)
    }

    /// A lot at a time is decoded by as many threads as there are cores: of a large store that is most of what a start takes.
    fn load_tree(&self, tree: TreeName, stored: &mut Stored) -> Result<(), StoreError> {
        let mut entries = self.tree(tree).iter();
        loop {
            let lot =
                entries.by_ref().take(LOT).collect::<Result<Vec<_>, _>>().map_err(|error| self.problem(&error))?;
            if lot.is_empty() {
                return Ok(());
            }
            let decoded = side_by_side(&lot, |(key, value)| schema::decode(tree, key, value));
            for ((key, _), record) in lot.iter().zip(decoded) {
                take(stored, tree, key, record);
            }
        }
    }

    /// The newest first. Of those that are over and older than as many as are kept, no more is read than that they are.
    fn load_incidents(&self, stored: &mut Stored) -> Result<(), StoreError> {
        let mut over_count = 0;
        for entry in self.tree(TreeName::Incidents).iter().rev() {
            let (key, value) = entry.map_err(|error| self.problem(&error))?;
            let is_over = schema::is_incident_over(&value);
            if is_over && over_count == ENDED_INCIDENTS_MAX {
                continue;
            }
            let record = schema::decode(TreeName::Incidents, &key, &value);
            over_count += usize::from(is_over && record.is_ok());
            take(stored, TreeName::Incidents, &key, record);
        }
        stored.incidents.reverse();
        Ok(())
    }

    fn load_audit(&self, stored: &mut Stored) -> Result<(), StoreError> {
        let mut newest_first = VecDeque::new();
        let mut after: Option<u64> = None;
        for entry in self.tree(TreeName::Audit).iter().rev().take(AUDIT_IN_SNAPSHOT_MAX) {
            let (key, value) = entry.map_err(|error| self.problem(&error))?;
            let sequence = sequence_of(&key);
            if let Some(after) = after.filter(|after| *after != sequence + 1) {
                let gap = format!("audit entry {} is missing; `hypo audit verify` shows all", after.saturating_sub(1));
                stored.problems.push(gap.into());
            }
            after = Some(sequence);
            match schema::decode(TreeName::Audit, &key, &value) {
                Ok(Record::Audit(entry)) => newest_first.push_front(entry),
                Ok(_) => {}
                Err(problem) => name_problem(stored, TreeName::Audit, &key, &problem),
            }
        }
        stored.audit = newest_first.into();
        Ok(())
    }

    fn next_numbers(&self) -> Result<NextNumbers, StoreError> {
        let acknowledged = self.acknowledged().numbers();
        let next = |tree: TreeName| -> Result<u64, StoreError> {
            let last = self.tree(tree).last().map_err(|error| self.problem(&error))?;
            // Numbers that were lost with damage are not given again.
            let newest = last.map_or(0, |(key, _)| sequence_of(&key)).max(acknowledged.of(tree));
            Ok(newest.saturating_add(1))
        };
        Ok(NextNumbers {
            incident: next(TreeName::Incidents)?,
            anomaly: next(TreeName::Anomalies)?,
            change: next(TreeName::Changes)?,
            run: next(TreeName::Runs)?,
            rollout: next(TreeName::Rollouts)?,
            // What the log has by this number would be taken for it.
            audit: next(TreeName::Audit)?.max(self.audit().last().saturating_add(1)),
        })
    }
}

/// What `work` makes of each item, in their order.
fn side_by_side<'scope, T: Sync, R: Send>(items: &'scope [T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
    let part = items.len().div_ceil(threads).max(1);
    let (own, others) = items.split_at(part.min(items.len()));
    thread::scope(|scope| {
        let work = &work;
        let begin = |part: &'scope [T]| {
            // Where there is no thread to be had, this one does it.
            let begun = thread::Builder::new().spawn_scoped(scope, move || part.iter().map(work).collect::<Vec<R>>());
            begun.map_err(|_| part)
        };
        let begun: Vec<_> = others.chunks(part).map(begin).collect();
        let mut done: Vec<R> = own.iter().map(work).collect();
        for part in begun {
            match part.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(part)) => done.extend(part),
                Ok(Err(panic)) => std::panic::resume_unwind(panic),
                Err(part) => done.extend(part.iter().map(work)),
            }
        }
        done
    })
}

fn take(stored: &mut Stored, tree: TreeName, key: &[u8], record: Result<Record, schema::ValueProblem>) {
    match record {
        Ok(Record::Incident(it)) => stored.incidents.push(it),
        Ok(Record::Anomaly(it)) => stored.anomalies.push(it),
        Ok(Record::Alert(it)) => stored.alerts.push(it),
        Ok(Record::Change(it)) => stored.changes.push(it),
        Ok(Record::Run(it)) => stored.runs.push(it),
        Ok(Record::Document(it)) => stored.documents.push(it),
        Ok(Record::Rollout(it)) => stored.rollouts.push(Arc::unwrap_or_clone(it)),
        Ok(Record::PatchException(it)) => stored.exceptions.push(it),
        Ok(Record::Delivery(it)) => stored.deliveries.push(it),
        Ok(Record::Topology(it)) => stored.topology = Some(it),
        Ok(Record::Templates(it)) => stored.templates = Some(it),
        Ok(Record::Relations { of, bytes }) => stored.relations.push((of, bytes)),
        Ok(Record::BackfillCursor { source, until }) => {
            stored.cursors.insert(source, until);
        }
        Ok(Record::Setting { name, value }) => {
            stored.settings.insert(name, value);
        }
        // Read by methods of their own.
        Ok(Record::Audit(_) | Record::Series(_) | Record::PastPage(_)) => {}
        // What is gone is not there.
        Ok(Record::SeriesGone(_) | Record::DeliveryGone(_)) => {}
        Err(problem) => name_problem(stored, tree, key, &problem),
    }
}

fn name_problem(stored: &mut Stored, tree: TreeName, key: &[u8], problem: &schema::ValueProblem) {
    stored.unreadable_count += 1;
    if stored.problems.len() < NAMED_PROBLEMS_MAX {
        let key: String = key.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        stored.problems.push(format!("{} {key} cannot be read: {problem}; it is left as it is", tree.word()).into());
    }
}

/// Drops the oldest of those that are over, past `over_max`; the order stays.
fn keep_newest<T>(items: &mut Vec<T>, is_live: impl Fn(&T) -> bool, over_max: usize) {
    let over = items.iter().filter(|item| !is_live(item)).count();
    let mut to_drop = over.saturating_sub(over_max);
    items.retain(|item| {
        let drops = to_drop > 0 && !is_live(item);
        to_drop -= usize::from(drops);
        !drops
    });
}
