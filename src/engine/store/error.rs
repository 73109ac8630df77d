//! Why a store cannot do what was asked, and what to do about it.

use std::path::PathBuf;

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
    /// It must be written anew, and there is no room for that.
    #[error(
        "a wait for the disk of the store {path} failed, so that it is written anew before anything begins: free {needed_mib} MiB; \
         nothing of it is lost"
    )]
    NoRoomToRenew {
        /// Which.
        path: PathBuf,
        /// How much, in MiB.
        needed_mib: u64,
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
    /// A backup is restored, but not in its place yet.
    #[error(
        "the backup is whole and takes the place of the store {path} as soon as that can be done, at the next start of hypo at the \
         latest; for now: {reason}. The kill switch is on"
    )]
    Restored {
        /// Of which store.
        path: PathBuf,
        /// Why not yet.
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
            | Self::NoRoomToRenew { .. }
            | Self::Failed { .. } => true,
            Self::Folder { reason, .. } => matches!(
                reason.kind(),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem
            ),
            _ => false,
        }
    }
}
