//! What is let go: what is over and older than is wanted, and the room of it, which sled gives back only where the store is
//! written anew. Nothing is let go by a clock that has just jumped.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::audit_going::GoingRule;
use super::mend::Mends;
use super::rewrite::{copy_through, rewrite};
use super::schema::{self, TreeName};
use super::swap::{self, Replaced};
use super::{Store, StoreError, audit_file, open, set_aside};
use crate::engine::audit::letting_go;
use crate::engine::clock::{DAY_MS, Timestamp};
use crate::engine::job::Record;
use crate::engine::limits::AUDIT_IN_SNAPSHOT_MAX;
use crate::engine::model::{
    AnomalyState, AuditEntry, ChangeId, Incident, IncidentId, IncidentState, RolloutId, Run, RunId,
};
use crate::engine::patches::rollout::RolloutState;
use crate::engine::settings::StoreSettings;

/// A clock that is further ahead than this of what was written last …
const JUMP_MS: i64 = DAY_MS;
/// … is believed once it has stood for this long.
const STANDS: Duration = Duration::from_hours(1);
/// However little room there is, what is younger than this stays.
const YOUNGEST_MS: i64 = 7 * DAY_MS;
/// The store is written anew once more only where the time before left less than so many tenths of it.
const WORTH_TENTHS: u64 = 9;
/// Bytes that stay free where the store is written anew.
const RESERVE_BYTES: u64 = 16 << 20;
/// Keys that are deleted at a time.
const LOT: usize = 1_000;

/// The wall clock, as far as it is believed.
#[derive(Debug, Clone, Copy)]
pub struct SettledClock {
    known: Timestamp,
    ahead_since: Option<Duration>,
}

impl SettledClock {
    /// Of a store whose newest entry is of this time.
    #[must_use]
    pub fn new(newest: Timestamp) -> Self {
        Self { known: newest, ahead_since: None }
    }

    /// What time it is by the wall clock, `up` after some fixed moment by a clock that does not jump; `None` while the wall clock
    /// is not believed.
    pub fn look(&mut self, wall: Timestamp, up: Duration) -> Option<Timestamp> {
        if wall.since_ms(self.known) > JUMP_MS {
            let since = *self.ahead_since.get_or_insert(up);
            if up.saturating_sub(since) < STANDS {
                return None;
            }
        }
        // One that stepped back only lets less go.
        self.known = wall;
        self.ahead_since = None;
        Some(wall)
    }
}

/// An incident, as far as it counts for others.
struct Relative {
    id: IncidentId,
    split_from: Option<IncidentId>,
    merged_into: Option<IncidentId>,
    changes: BTreeSet<ChangeId>,
}

impl From<Incident> for Relative {
    fn from(incident: Incident) -> Self {
        let Incident { id, split_from, merged_into, changes, .. } = incident;
        Self { id, split_from, merged_into, changes }
    }
}

/// Incidents that go and those that are needed.
#[derive(Default)]
struct Split {
    gone: BTreeSet<IncidentId>,
    needed: BTreeSet<IncidentId>,
    /// Keys of the changes that needed ones speak of.
    changes: BTreeSet<Vec<u8>>,
}

impl Split {
    fn need(&mut self, incident: &Relative) {
        self.needed.extend([Some(incident.id), incident.split_from].into_iter().flatten());
        self.changes.extend(incident.changes.iter().map(|id| id.0.to_be_bytes().to_vec()));
    }
}

impl Store {
    /// When the last audit entry was written.
    #[must_use]
    pub fn newest_at(&self) -> Timestamp {
        self.audit().last_at()
    }

    /// True from three quarters of the room that records may take; the audit log has its own.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn is_large(&self, settings: &StoreSettings) -> Result<bool, StoreError> {
        Ok(self.record_bytes()? / 3 >= settings.records_max() / 4)
    }

    /// What the audit log is to say before its oldest entries go, as of `now`; `None` where none are to go. They go with the first
    /// flush after it was written.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn audit_to_let_go(&self, settings: &StoreSettings, now: Timestamp) -> Result<Option<Arc<str>>, StoreError> {
        let Some(kept) = settings.audit_kept() else { return Ok(None) };
        let rule = GoingRule {
            before: now - kept.0.max(YOUNGEST_MS),
            before_for_room: now - YOUNGEST_MS,
            bytes_max: settings.log_max(),
        };
        self.guarded(|| self.propose_going(&rule))
    }

    fn propose_going(&self, rule: &GoingRule) -> Result<Option<Arc<str>>, StoreError> {
        if !self.audit().has_old(rule) {
            return Ok(None);
        }
        let live = self.split_incidents(&|incident| incident.state.is_live())?.needed;
        let open_runs: BTreeSet<RunId> = self.open_runs()?.into_iter().map(|run| run.id).collect();
        let is_needed = |entry: &AuditEntry| {
            entry.incident.is_some_and(|id| live.contains(&id)) || entry.run.is_some_and(|id| open_runs.contains(&id))
        };
        let end = self.audit().propose(rule, &is_needed);
        let end = end.map_err(|problem| open::io_problem(self.path(), &problem))?;
        Ok(end.map(|end| Arc::from(letting_go::text(&end))))
    }

    /// Lets go what ended longer ago than is kept, as of `now`; says how many records. Its room is had once the store is written
    /// anew. The audit log lets go by itself, see [`Self::audit_to_let_go`].
    ///
    /// # Errors
    /// When sled cannot read or write.
    pub fn forget(&self, settings: &StoreSettings, now: Timestamp) -> Result<u64, StoreError> {
        self.guarded(|| self.forget_before(now - settings.keep.0))
    }

    /// Writes the store anew without the room of what was let go; where it is large all the same and `now` is known, what is
    /// over goes sooner, the oldest first.
    ///
    /// # Errors
    /// When it cannot be written. What is on disk is then as it was.
    pub fn shorten(mut self, settings: &StoreSettings, now: Option<Timestamp>) -> Result<Self, StoreError> {
        let mut keep = settings.keep.0;
        loop {
            let before = self.record_bytes()?;
            self = self.write_anew()?;
            let is_large = self.is_large(settings)?;
            let Some(now) = now.filter(|_| is_large && keep > YOUNGEST_MS) else { return Ok(self) };
            // The first time there may be much that was never let go of; from then on it must have helped.
            if keep < settings.keep.0 && self.record_bytes()? / WORTH_TENTHS >= before / 10 {
                return Ok(self);
            }
            // Nothing that is over is older than the next span as well: what is there is needed.
            let mut forgotten = 0;
            while forgotten == 0 && keep > YOUNGEST_MS {
                keep = (keep / 2).max(YOUNGEST_MS);
                forgotten = self.guarded(|| self.forget_before(now - keep))?;
            }
            if forgotten == 0 {
                return Ok(self);
            }
        }
    }

    fn write_anew(self) -> Result<Self, StoreError> {
        self.put_anew(&[])
    }

    /// Writes everything anew, the end of the audit log too. After a flush that failed, what is read is what the system has in its
    /// memory, marked as written though it is not: only what is written once more is on disk.
    ///
    /// # Errors
    /// As [`Self::shorten`].
    pub fn renew(self) -> Result<Self, StoreError> {
        let hold = self.hold();
        self.see_that_there_is_room(&["store", audit_file::LOG_FILE])?;
        let store = self.put_anew(&[audit_file::LOG_FILE])?;
        hold.settle();
        Ok(store)
    }

    /// It, written anew where it is in doubt.
    pub(super) fn settled(self) -> Result<Self, StoreError> {
        if self.hold.is_in_doubt() { self.renew() } else { Ok(self) }
    }

    fn put_anew(self, files: &[&str]) -> Result<Self, StoreError> {
        let folder = self.path().to_path_buf();
        let failed = |problem: std::io::Error| open::io_problem(&folder, &problem);
        self.flush()?;
        if let Err(problem) = self.put_together(&folder, files) {
            // What is there of it takes the room that whoever is told of this looks for.
            let _left = swap::abandon(&folder);
            return Err(problem);
        }
        let (notices, loss, hold) = (self.notices.clone(), self.loss.clone(), self.hold());
        drop(self);
        swap::commit(&folder, Replaced::Removed).map_err(failed)?;
        let mut store = open::open_as_it_is(hold, Mends::Yes)?;
        store.notices.retain(|known| !notices.contains(known));
        store.notices.splice(0..0, notices);
        store.loss = loss.or(store.loss.take());
        Ok(store)
    }

    /// All of it and these files, beside it.
    fn put_together(&self, folder: &Path, files: &[&str]) -> Result<(), StoreError> {
        let failed = |problem: std::io::Error| open::io_problem(folder, &problem);
        let into = swap::begin(folder).map_err(failed)?;
        if rewrite(self.db()?, folder, &into)?.torn_trees > 0 {
            let reason = "a part of it cannot be read".to_owned();
            return Err(StoreError::Damaged { path: folder.to_path_buf(), reason });
        }
        for name in files {
            copy_through(&folder.join(name), &into.join(name)).map_err(failed)?;
        }
        Ok(())
    }

    /// Refuses to begin to write anew what there is no room for: a try would take all that others may still write.
    fn see_that_there_is_room(&self, names: &[&str]) -> Result<(), StoreError> {
        let folder = self.path();
        let failed = |problem: std::io::Error| open::io_problem(folder, &problem);
        let needed = RESERVE_BYTES + set_aside::bytes_of(folder, names).map_err(failed)?;
        if set_aside::free_bytes(folder).map_err(failed)? >= needed {
            return Ok(());
        }
        Err(StoreError::NoRoomToRenew { path: folder.to_path_buf(), needed_mib: needed.div_ceil(1 << 20) })
    }

    fn forget_before(&self, before: Timestamp) -> Result<u64, StoreError> {
        let is_old = |it: &Incident| it.state == IncidentState::Resolved && it.updated_at < before;
        let Split { gone, changes: kept, .. } = self.split_incidents(&|incident| !is_old(incident))?;
        let rollouts = self.rollouts_over(before)?;
        let is_gone = |id: Option<IncidentId>| id.is_some_and(|id| gone.contains(&id));
        let mut count = 0;
        // Whatever goes of these goes with an incident or a rollout.
        let going_with = [TreeName::Incidents, TreeName::Runs, TreeName::Documents, TreeName::Rollouts];
        let none_goes = gone.is_empty() && rollouts.is_empty();
        for tree in TreeName::ALL.into_iter().filter(|tree| !none_goes || !going_with.contains(tree)) {
            count += self.remove_where(tree, &|key, record| match record {
                Record::Incident(it) => gone.contains(&it.id),
                Record::Run(it) => match it.subject.rollout() {
                    Some(target) => rollouts.contains(&target.rollout),
                    None => is_gone(it.incident()),
                },
                Record::Rollout(it) => rollouts.contains(&it.rollout.id),
                Record::PatchException(it) => {
                    it.until < before || it.withdrawn.as_ref().is_some_and(|withdrawn| withdrawn.at < before)
                }
                Record::Document(it) => gone.contains(&it.incident),
                Record::Anomaly(it) => {
                    it.state == AnomalyState::Ended
                        && (is_gone(it.incident) || it.incident.is_none() && it.last_seen_at < before)
                }
                Record::Alert(it) => is_gone(it.incident) || it.incident.is_none() && it.last_seen_at < before,
                Record::Change(it) => it.notice.at < before && !kept.contains(key),
                Record::Audit(it) => it.at < before,
                _ => false,
            })?;
        }
        Ok(count)
    }

    /// Rollouts that ended before then. The last stays, by which numbers go on, and so does one with a run that is not over, whose step
    /// may have been left under way; and so do their runs.
    fn rollouts_over(&self, before: Timestamp) -> Result<BTreeSet<RolloutId>, StoreError> {
        let mut over = BTreeSet::new();
        let mut last = None;
        for entry in self.tree(TreeName::Rollouts) {
            let (key, value) = entry.map_err(|error| self.problem(&error))?;
            let Ok(Record::Rollout(kept)) = schema::decode(TreeName::Rollouts, &key, &value) else { continue };
            last = Some(kept.rollout.id);
            if matches!(kept.rollout.state, RolloutState::Ended { at, .. } if at < before) {
                over.insert(kept.rollout.id);
            }
        }
        over.retain(|id| last != Some(*id));
        if over.is_empty() {
            return Ok(over);
        }
        for run in self.open_runs()? {
            run.subject.rollout().map(|target| over.remove(&target.rollout));
        }
        Ok(over)
    }

    /// Runs that are not over.
    fn open_runs(&self) -> Result<Vec<Run>, StoreError> {
        let mut open = Vec::new();
        for entry in self.tree(TreeName::Runs) {
            let (key, value) = entry.map_err(|error| self.problem(&error))?;
            match schema::decode(TreeName::Runs, &key, &value) {
                Ok(Record::Run(run)) if run.state.is_open() => open.push(run),
                _ => {}
            }
        }
        Ok(open)
    }

    /// Tells incidents that are needed, those that `stay` and what counts for them, from the others.
    fn split_incidents(&self, stay: &dyn Fn(&Incident) -> bool) -> Result<Split, StoreError> {
        let mut split = Split::default();
        let mut others: Vec<Relative> = Vec::new();
        for entry in self.tree(TreeName::Incidents) {
            let (key, value) = entry.map_err(|error| self.problem(&error))?;
            let Ok(Record::Incident(incident)) = schema::decode(TreeName::Incidents, &key, &value) else { continue };
            let stays = stay(&incident);
            let relative = Relative::from(incident);
            if stays { split.need(&relative) } else { others.push(relative) }
        }
        // What became a part of one that stays, and what one that stays was split from, counts for it: acts are counted over them.
        loop {
            let is_needed = |it: &Relative| {
                split.needed.contains(&it.id) || it.merged_into.is_some_and(|into| split.needed.contains(&into))
            };
            let (needed, rest): (Vec<Relative>, Vec<Relative>) = others.into_iter().partition(is_needed);
            others = rest;
            if needed.is_empty() {
                break;
            }
            needed.iter().for_each(|relative| split.need(relative));
        }
        split.gone = others.iter().map(|it| it.id).collect();
        Ok(split)
    }

    /// Removes what `goes`, but for the last of each tree, by which numbers go on, and the newest of the audit log, which are shown.
    fn remove_where(&self, name: TreeName, goes: &dyn Fn(&[u8], &Record) -> bool) -> Result<u64, StoreError> {
        let may_go = [
            TreeName::Incidents,
            TreeName::Anomalies,
            TreeName::Alerts,
            TreeName::Changes,
            TreeName::Runs,
            TreeName::Documents,
            TreeName::Audit,
            TreeName::Rollouts,
            TreeName::Exceptions,
        ];
        if !may_go.contains(&name) {
            return Ok(0);
        }
        let tree = self.tree(name);
        let stay = if name == TreeName::Audit { AUDIT_IN_SNAPSHOT_MAX } else { 1 };
        let first_to_stay = match tree.iter().keys().rev().take(stay).last() {
            Some(key) => key.map_err(|error| self.problem(&error))?,
            None => return Ok(0),
        };
        let (mut batch, mut count, mut waiting) = (sled::Batch::default(), 0, 0);
        for entry in tree.range(..first_to_stay) {
            let (key, value) = entry.map_err(|error| self.problem(&error))?;
            // What cannot be read stays as it is.
            if schema::decode(name, &key, &value).is_ok_and(|record| goes(&key, &record)) {
                batch.remove(key);
                waiting += 1;
            }
            if waiting == LOT {
                tree.apply_batch(std::mem::take(&mut batch)).map_err(|error| self.fail(&error))?;
                count += std::mem::take(&mut waiting) as u64;
            }
        }
        tree.apply_batch(batch).map_err(|error| self.fail(&error))?;
        Ok(count + waiting as u64)
    }
}
