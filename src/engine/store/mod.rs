//! What outlives the program: incidents, anomalies, runs, the audit log, series, settings; in sled, one process at a time.
//!
//! What [`Store::write`] has acknowledged as durable is there after any crash, and a write is there as a whole or not at
//! all. Layout and versions are in `schema.rs`. The folder holds `store/` (sled's), `holder` (who has it open), `acknowledged`
//! (the newest numbers), the audit log's own files, what is sealed of it in `audit/` and, after a repair, `set-aside/`.

mod acknowledged;
mod audit_check;
pub mod audit_file;
mod audit_going;
mod audit_key;
mod audit_opening;
mod audit_segments;
mod backup;
mod ballast;
mod disk_sync;
mod error;
mod export;
mod holder;
mod load;
mod measured;
mod mend;
mod migrate;
mod older_run;
mod open;
mod past;
mod readable;
mod restore;
mod retain;
mod rewrite;
mod schema;
mod series;
mod set_aside;
mod swap;
mod write;

pub use backup::BackedUp;
pub use error::StoreError;
pub use holder::Hold;
pub use load::Stored;
pub use past::PastIncident;
pub use restore::{Before, Restored, restore};
pub use retain::SettledClock;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use acknowledged::Acknowledged;
use audit_file::AuditFile;
use disk_sync::DiskSync;
use mend::Mends;
use schema::TreeName;

#[cfg(test)]
use crate::engine::durable_file::waits;

/// An open store. Dropping it flushes and lets it go.
pub struct Store {
    /// There until it is let go of.
    db: Option<sled::Db>,
    /// In the order of [`TreeName::ALL`], and last the schema and how many writes there were.
    trees: Vec<sled::Tree>,
    disk: DiskSync,
    /// Held for as long as the store is open: its lock is what keeps others out.
    hold: Arc<Hold>,
    notices: Vec<Arc<str>>,
    loss: Option<Arc<str>>,
    acknowledged: Mutex<Acknowledged>,
    audit: Mutex<AuditFile>,
    has_failed: AtomicBool,
}

/// Where those find the store who read what is past: another one each time that it was opened anew.
#[derive(Debug, Clone, Default)]
pub struct PastStore(Arc<Mutex<Weak<Store>>>);

impl PastStore {
    /// From now on it is this one.
    pub fn is(&self, store: &Arc<Store>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(store);
    }

    /// It, where it is open. To be let go of soon: whoever keeps it waits for that.
    #[must_use]
    pub fn get(&self) -> Option<Arc<Store>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }
}

impl Store {
    /// Opens the store in the folder `path`, making both where there is none (mode 0700), to look at it or to add to it: what is
    /// damaged stays as it is until hypo is started, which mends it.
    ///
    /// # Errors
    /// When the folder cannot be used or is open to others, another process holds the store, it is damaged, or a later version of
    /// the program wrote it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        open::open(Arc::new(Hold::take(path)?), Mends::No)
    }

    /// Opens the store by whoever has taken the right to it and goes on with it. Damaged files are set aside and rebuilt from the
    /// log, up to where that is damaged itself; [`Self::notices`] tells of it, and of what had been acknowledged and is not there.
    ///
    /// # Errors
    /// When the store is damaged beyond repair, or a later version of the program wrote it.
    pub fn open_held(hold: Arc<Hold>) -> Result<Self, StoreError> {
        open::open(hold, Mends::Yes)
    }

    /// The right to it: whoever keeps that keeps others out, also while the store is closed.
    #[must_use]
    pub fn hold(&self) -> Arc<Hold> {
        Arc::clone(&self.hold)
    }

    /// Makes the folder of a store where it is not there yet, for its owner alone.
    ///
    /// # Errors
    /// When it cannot be made, or is open to others.
    pub fn prepare_folder(path: &Path) -> Result<(), StoreError> {
        open::prepare_folder(path)
    }

    /// Takes room for a full disk in the folder of a store; true where it is there then, false where there is too little of it.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn make_ballast(path: &Path) -> std::io::Result<bool> {
        ballast::make(path)
    }

    /// Gives that room back; true where it was there.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn release_ballast(path: &Path) -> std::io::Result<bool> {
        ballast::release(path)
    }

    /// Its folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.hold.folder()
    }

    /// What happened on opening that a person should know.
    #[must_use]
    pub fn notices(&self) -> &[Arc<str>] {
        &self.notices
    }

    /// What had been acknowledged and is not there, in words: until a person has looked, nothing may be done by what is left.
    #[must_use]
    pub fn loss(&self) -> Option<&Arc<str>> {
        self.loss.as_ref()
    }

    /// Bytes on disk, the audit log among them; what is set aside has a bound of its own.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn size_bytes(&self) -> Result<u64, StoreError> {
        let log = audit_file::bytes(self.path()).map_err(|error| open::io_problem(self.path(), &error))?;
        Ok(self.record_bytes()? + log)
    }

    /// Bytes on disk without the audit log, which has room of its own.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn record_bytes(&self) -> Result<u64, StoreError> {
        set_aside::bytes_below(&self.path().join("store")).map_err(|error| open::io_problem(self.path(), &error))
    }

    fn tree(&self, name: TreeName) -> &sled::Tree {
        // `trees` is built from `ALL`, whose order is the order of the variants.
        &self.trees[name as usize]
    }

    fn meta(&self) -> &sled::Tree {
        &self.trees[TreeName::ALL.len()]
    }

    fn db(&self) -> Result<&sled::Db, StoreError> {
        self.db.as_ref().ok_or_else(|| StoreError::Failed { path: self.path().to_path_buf() })
    }

    fn acknowledged(&self) -> MutexGuard<'_, Acknowledged> {
        // Whoever panicked meanwhile left numbers behind that are true.
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn audit(&self) -> MutexGuard<'_, AuditFile> {
        // Whoever panicked meanwhile was between two writes of whole lines, or the log refuses more by itself.
        self.audit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn problem(&self, error: &sled::Error) -> StoreError {
        open::problem(self.path(), error)
    }
}

impl std::fmt::Debug for Store {
    // Sled prints every page it holds, which is all that is kept.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Store").field("path", &self.path()).finish_non_exhaustive()
    }
}

impl Drop for Store {
    /// Sled waits for the disk once more as the last of it goes, and breaks off in a panic where that fails: whoever lets the store
    /// go is to go on.
    fn drop(&mut self) {
        let (db, trees) = (self.db.take(), std::mem::take(&mut self.trees));
        let dropped = catch_unwind(AssertUnwindSafe(|| {
            let flushed = db.as_ref().map_or(Ok(0), |db| db.flush());
            drop((trees, db));
            #[cfg(test)]
            waits::break_off();
            flushed
        }));
        match dropped {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                let problem = self.fail(&error);
                tracing::warn!(%problem, "the store could not be flushed on closing");
            }
            Err(_) => {
                self.hold.doubt();
                tracing::error!(path = %self.path().display(), "the store was let go of without its last write");
            }
        }
    }
}

#[cfg(test)]
mod tests;
