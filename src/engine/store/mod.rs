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
pub use holder::Hold;
pub use load::Stored;
pub use past::PastIncident;
pub use restore::{Before, Restored, restore};
pub use retain::SettledClock;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use acknowledged::Acknowledged;
use audit_file::AuditFile;
use disk_sync::DiskSync;
use mend::Mends;
use schema::TreeName;

/// Why the store cannot do what was asked. The message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be made or read.
    #[error("cannot use the folder {path}: {reason}; choose another with --state-dir")]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
    /// Others can read the folder.
    #[error("others may read {path} (mode {mode:o}); run: chmod 700 {path}")]
    TooOpen {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The folder is somebody else's.
    #[error(
        "{path} belongs to the user {owner}; as that user: sudo -u '#{owner}' hypo …, or another folder with --state-dir"
    )]
    NotOurs {
        /// Which.
        path: PathBuf,
        /// Its user's number.
        owner: u32,
    },
    /// Another process has it.
    #[error(
        "the store {path} is held by {holder}; end that one first, or give this one another folder with --state-dir"
    )]
    Held {
        /// Which.
        path: PathBuf,
        /// `hypo pid 1234 since …`, as far as it is known.
        holder: String,
    },
    /// No room left.
    #[error("no room left for the store {path}; free some, nothing written before is lost")]
    Full {
        /// Which.
        path: PathBuf,
    },
    /// No room for the copy that is made before a store is brought to this program's schema.
    #[error(
        "the store {path} is of an earlier hypo, and there is no room for the copy that is made before it is brought along: free \
         {needed_mib} MiB. Nothing was changed"
    )]
    NoRoomForCopy {
        /// Which.
        path: PathBuf,
        /// How much must be free.
        needed_mib: u64,
    },
    /// It cannot be written to.
    #[error("the store {path} cannot be written to: {reason}; mount it writable or use --state-dir")]
    ReadOnly {
        /// Which.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// It cannot be read.
    #[error(
        "the store {path} is damaged: {reason}; move that folder away, start anew and `hypo import` the last export"
    )]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// It is damaged, and whoever opened it only looks.
    #[error("the store {path} is damaged: {reason}; hypo mends it when it is started. Nothing was changed")]
    NotMended {
        /// Which.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The system has not what opening or writing it takes; that says nothing of what is in it.
    #[error("the store {path} cannot be used for now: {reason}; it stays as it is, make that good and try again")]
    NotNow {
        /// Which.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// Written by a later version of the program.
    #[error(
        "the store {path} was made by {by}, schema {found}; this hypo {version} knows up to {known}: use the newer one, or --state-dir. \
         Nothing was changed",
        version = env!("CARGO_PKG_VERSION")
    )]
    Newer {
        /// Which.
        path: PathBuf,
        /// `hypo 0.9.0`, as far as it says.
        by: String,
        /// Its schema.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// A write failed earlier: what is on disk is no longer certain until it is opened anew.
    #[error("an earlier write to {path} failed, so no more are made; restart hypo to see what is on disk")]
    Failed {
        /// Which.
        path: PathBuf,
    },
    /// Nothing is written for the time being.
    #[error("{reason}. Nothing begins until that is mended, watching goes on; {then}")]
    Stopped {
        /// The first problem there was.
        reason: String,
        /// What happens then.
        then: &'static str,
    },
    /// A record cannot be put into its form on disk.
    #[error("a record for the tree {tree} cannot be written: {reason}")]
    Record {
        /// Which tree.
        tree: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An entry of the audit log would be replaced by another.
    #[error("audit entry {sequence} is there already and differs; entries are never replaced")]
    AuditRewritten {
        /// Its number.
        sequence: u64,
    },
    /// A line of an export cannot be taken in. Nothing was written.
    #[error("line {line} of the export: {reason}; nothing was imported")]
    Import {
        /// Which, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// An import into a store that holds something.
    #[error("the store {path} is not empty; import into a new --state-dir, or merge")]
    NotEmpty {
        /// Which.
        path: PathBuf,
    },
    /// A backup cannot be written or taken back.
    #[error("the backup {path}: {reason}; nothing was changed")]
    Backup {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The export cannot be written.
    #[error("the export cannot be written: {0}")]
    Export(std::io::Error),
}

impl StoreError {
    /// True where neither the configuration nor another process is at fault, but the disk or what is on it.
    #[must_use]
    pub fn is_of_the_disk(&self) -> bool {
        use std::io::ErrorKind;
        match self {
            Self::Full { .. }
            | Self::NoRoomForCopy { .. }
            | Self::ReadOnly { .. }
            | Self::Damaged { .. }
            | Self::NotMended { .. }
            | Self::NotNow { .. }
            | Self::Failed { .. } => true,
            Self::Folder { reason, .. } => matches!(
                reason.kind(),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem
            ),
            _ => false,
        }
    }
}

/// An open store. Dropping it flushes and lets it go.
pub struct Store {
    db: sled::Db,
    /// In the order of [`TreeName::ALL`].
    trees: Vec<sled::Tree>,
    /// The schema, and how many writes there were.
    meta: sled::Tree,
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
    fn drop(&mut self) {
        if let Err(error) = self.db.flush() {
            tracing::warn!(%error, path = %self.path().display(), "the store could not be flushed on closing");
        }
    }
}

#[cfg(test)]
mod tests;
