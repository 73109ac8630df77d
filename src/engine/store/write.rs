//! Writes records: small ones in one transaction over all trees, series in a batch of their own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use sled::Transactional;
use sled::transaction::{ConflictableTransactionError, TransactionError, abort};

use super::schema::{self, Entry, LOSS_KEY, LOST_KEY, TreeName, WRITES_KEY};
use super::{Store, StoreError, open};
use crate::engine::job::Record;
use crate::engine::model::AuditEntry;

impl Store {
    /// Writes the records; a later one of the same key wins. All of them are there afterwards or none (what was
    /// learnt of series and services, which can be learnt anew, apart). With `durable` they are on disk when this returns.
    ///
    /// After a failed write nothing more is written until the store has been opened anew.
    ///
    /// # Errors
    /// When the disk is full, read-only or failing, or an audit entry would be replaced by a different one.
    pub fn write(&self, records: &[Record], durable: bool) -> Result<(), StoreError> {
        let entries = records.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
        self.guarded(|| {
            self.write_entries(entries)?;
            if durable { self.flush() } else { Ok(()) }
        })
    }

    /// Sled breaks off in a panic where pages do not fit together; whoever writes must not end with it.
    pub(super) fn guarded<T>(&self, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        // After a panic nothing more is written, so it does not matter in which state it was left.
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
            let reason = "its pages do not fit together".to_owned();
            self.fail_without_a_wait();
            Err(StoreError::Damaged { path: self.path().to_path_buf(), reason })
        })
    }

    /// Waits until everything written is on disk.
    ///
    /// # Errors
    /// When the disk is full, read-only or failing.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.refuse_after_failure()?;
        self.audit().sync().map_err(|error| self.waited_in_vain(&error))?;
        self.db()?.flush().map_err(|error| self.flushed_in_vain(&error))?;
        self.disk.wait().map_err(|error| self.waited_in_vain(&error))?;
        self.acknowledged().flushed();
        self.audit().sign().map_err(|error| self.fail_audit(&error))
    }

    pub(super) fn write_entries(&self, entries: Vec<Entry>) -> Result<(), StoreError> {
        self.refuse_after_failure()?;
        let mut small = entries;
        for tree in TreeName::LEARNT {
            let (learnt, rest): (Vec<Entry>, Vec<Entry>) = small.into_iter().partition(|entry| entry.tree == tree);
            self.write_learnt(tree, learnt)?;
            small = rest;
        }
        if !small.is_empty() {
            self.append_audit(&small)?;
            let number = self.acknowledged().next_write();
            self.write_together(&small, number)?;
            self.acknowledged().see(&small, number);
        }
        Ok(())
    }

    /// A batch of what can be learnt anew; what is empty is removed.
    fn write_learnt(&self, tree: TreeName, entries: Vec<Entry>) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut batch = sled::Batch::default();
        for entry in entries {
            if entry.value.is_empty() {
                batch.remove(entry.key);
            } else {
                batch.insert(entry.key, entry.value);
            }
        }
        self.tree(tree).apply_batch(batch).map_err(|error| self.fail(&error))
    }

    /// Appends the audit entries among these to the log, unless one would replace another.
    fn append_audit(&self, entries: &[Entry]) -> Result<(), StoreError> {
        let mut fresh = Vec::new();
        for entry in entries.iter().filter(|entry| entry.tree == TreeName::Audit) {
            let there = self.tree(TreeName::Audit).get(&entry.key).map_err(|error| self.fail(&error))?;
            if there.is_some_and(|there| there != entry.value.as_slice()) {
                return Err(StoreError::AuditRewritten { sequence: sequence_of(&entry.key) });
            }
            if let Ok(Record::Audit(entry)) = schema::decode(TreeName::Audit, &entry.key, &entry.value) {
                fresh.push(entry);
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        fresh.sort_by_key(|entry| entry.sequence);
        self.audit().append(&fresh.iter().collect::<Vec<_>>()).map_err(|error| self.fail_audit(&error))
    }

    /// Brings the log and sled's copy of it to the same length after opening: `newer` is what the log has and sled has not;
    /// what sled has and the log has not was written before there was a log.
    pub(super) fn agree_on_audit(&self, newer: impl Iterator<Item = AuditEntry>) -> Result<(), StoreError> {
        let newer = newer.map(|entry| encode(&Record::Audit(entry))).collect::<Result<Vec<_>, _>>()?;
        if !newer.is_empty() {
            // No write of its own: what came with these entries and is gone is still to be seen as gone.
            let number = self.writes_there()?;
            self.write_together(&newer, number)?;
            self.acknowledged().see(&newer, number);
        }
        let after = self.audit().last().saturating_add(1).to_be_bytes();
        let mut older = Vec::new();
        for entry in self.tree(TreeName::Audit).range(after..) {
            let (key, value) = entry.map_err(|error| self.fail(&error))?;
            if let Ok(Record::Audit(entry)) = schema::decode(TreeName::Audit, &key, &value) {
                older.push(entry);
            }
        }
        self.audit().append(&older.iter().collect::<Vec<_>>()).map_err(|error| self.fail_audit(&error))?;
        self.flush()
    }

    fn fail_audit(&self, error: &std::io::Error) -> StoreError {
        self.failed(open::io_problem(self.path(), error))
    }

    /// Whatever the disk says why: what it did not take is marked as written from then on.
    fn waited_in_vain(&self, error: &std::io::Error) -> StoreError {
        self.hold.doubt();
        self.fail_audit(error)
    }

    /// Sled writes and waits at once; where there was no room it has not come to waiting.
    fn flushed_in_vain(&self, error: &sled::Error) -> StoreError {
        let problem = self.fail(error);
        if !matches!(problem, StoreError::Full { .. }) {
            self.hold.doubt();
        }
        problem
    }

    /// What was to be written may or may not be on disk now; only opening anew tells. What the system refused before it was written, for
    /// want of room or of means, leaves no doubt, unless the disk did not take what was written before it either.
    fn failed(&self, problem: StoreError) -> StoreError {
        if matches!(problem, StoreError::Full { .. } | StoreError::NotNow { .. }) {
            self.fail_without_a_wait();
        } else {
            self.has_failed.store(true, Ordering::Relaxed);
            self.hold.doubt();
        }
        problem
    }

    /// Nothing more is written; in doubt is only what the disk does not take now.
    fn fail_without_a_wait(&self) {
        self.has_failed.store(true, Ordering::Relaxed);
        if self.disk.wait().is_err() {
            self.hold.doubt();
        }
    }

    /// What was lost and nobody has taken note of.
    pub(super) fn loss_on_disk(&self) -> Result<Option<String>, StoreError> {
        let text = self.meta().get(LOSS_KEY).map_err(|error| self.problem(&error))?;
        Ok(text.map(|text| String::from_utf8_lossy(&text).into_owned()))
    }

    /// Adds to that, in front of what is written next.
    pub(super) fn add_loss(&self, loss: &str) -> Result<(), StoreError> {
        let text = self.loss_on_disk()?.map_or_else(|| loss.to_owned(), |known| format!("{loss}; {known}"));
        self.meta().insert(LOSS_KEY, text.as_bytes()).map(drop).map_err(|error| self.fail(&error))
    }

    /// Keeps on disk what was lost, and that those numbers are known to be.
    pub(super) fn remember_loss(&self) -> Result<(), StoreError> {
        let Some(loss) = &self.loss else { return Ok(()) };
        let mut batch = sled::Batch::default();
        batch.insert(LOSS_KEY, loss.as_bytes());
        batch.insert(LOST_KEY, self.acknowledged().numbers().text().as_bytes());
        self.meta().apply_batch(batch).map_err(|error| self.fail(&error))?;
        self.flush()
    }

    /// What was lost is told where it counts; until then every start tells of it anew.
    ///
    /// # Errors
    /// When the disk is full, read-only or failing.
    pub fn take_note_of_loss(&self) -> Result<(), StoreError> {
        self.guarded(|| {
            self.meta().remove(LOSS_KEY).map_err(|error| self.fail(&error))?;
            self.flush()
        })
    }

    /// How many writes are there.
    pub(super) fn writes_there(&self) -> Result<u64, StoreError> {
        let there = self.meta().get(WRITES_KEY).map_err(|error| self.problem(&error))?;
        Ok(there.map_or(0, |number| sequence_of(&number)))
    }

    /// One transaction over the trees that are touched, with the number of the write.
    fn write_together(&self, entries: &[Entry], number: u64) -> Result<(), StoreError> {
        let mut touched: Vec<TreeName> = entries.iter().map(|entry| entry.tree).collect();
        touched.sort_unstable();
        touched.dedup();
        let mut trees: Vec<&sled::Tree> = touched.iter().map(|name| self.tree(*name)).collect();
        trees.push(self.meta());
        let result = trees.as_slice().transaction(|trees| {
            if let Some(meta) = trees.last() {
                meta.insert(WRITES_KEY, &number.to_be_bytes())?;
            }
            for entry in entries {
                let Some(tree) = touched.iter().position(|name| *name == entry.tree).and_then(|at| trees.get(at))
                else {
                    continue;
                };
                let before = match entry.value.is_empty() {
                    true => tree.remove(entry.key.as_slice())?,
                    false => tree.insert(entry.key.as_slice(), entry.value.as_slice())?,
                };
                if entry.tree == TreeName::Audit && before.is_some_and(|before| before != entry.value.as_slice()) {
                    return abort(sequence_of(&entry.key));
                }
            }
            Ok::<(), ConflictableTransactionError<u64>>(())
        });
        match result {
            Ok(()) => Ok(()),
            Err(TransactionError::Abort(sequence)) => Err(StoreError::AuditRewritten { sequence }),
            Err(TransactionError::Storage(error)) => Err(self.fail(&error)),
        }
    }

    fn refuse_after_failure(&self) -> Result<(), StoreError> {
        if self.has_failed.load(Ordering::Relaxed) {
            return Err(StoreError::Failed { path: self.path().to_path_buf() });
        }
        Ok(())
    }

    pub(super) fn fail(&self, error: &sled::Error) -> StoreError {
        self.failed(self.problem(error))
    }
}

pub(super) fn encode(record: &Record) -> Result<Entry, StoreError> {
    schema::encode(record).map_err(|reason| StoreError::Record {
        tree: format!("{:.40}", format!("{record:?}").split(['(', ' ']).next().unwrap_or_default()),
        reason: reason.to_string(),
    })
}

/// The number in a key of the audit tree; 0 where it is none.
pub(super) fn sequence_of(key: &[u8]) -> u64 {
    <[u8; 8]>::try_from(key).map_or(0, u64::from_be_bytes)
}
