//! Opens the store, and mends what can be mended.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::schema::TreeName;
use super::{Store, StoreError, holder, migrate};

/// Memory sled may use for pages.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// How sled says that its files are locked; it has no error of its own for it.
const SLED_LOCK_ERROR: &str = "could not acquire lock";

/// How often, and with which pause, a locked folder of sled is tried again: 2 s in all, when starting a program takes
/// milliseconds.
const LOCK_ATTEMPTS: usize = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

pub(super) fn open(path: &Path) -> Result<Store, StoreError> {
    prepare_folder(path)?;
    let holder = holder::take(path)?;
    let (db, notices) = open_or_repair(path)?;
    let trees = TreeName::ALL
        .into_iter()
        .map(|name| db.open_tree(name.word()).map_err(|error| problem(path, &error)))
        .collect::<Result<Vec<_>, _>>()?;
    let mut store =
        Store { path: path.to_path_buf(), db, trees, _holder: holder, notices, has_failed: AtomicBool::new(false) };
    migrate::migrate(&mut store)?;
    Ok(store)
}

/// What sled says, in terms of what to do about it.
pub(super) fn problem(path: &Path, error: &sled::Error) -> StoreError {
    let path = path.to_path_buf();
    match error {
        sled::Error::Io(reason) => match reason.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full { path },
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
                StoreError::ReadOnly { path, reason: reason.to_string() }
            }
            _ => StoreError::Damaged { path, reason: reason.to_string() },
        },
        other => StoreError::Damaged { path, reason: other.to_string() },
    }
}

fn prepare_folder(path: &Path) -> Result<(), StoreError> {
    let failed = |reason| StoreError::Folder { path: path.to_path_buf(), reason };
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    let facts = path.metadata().map_err(failed)?;
    let mode = facts.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(StoreError::TooOpen { path: path.to_path_buf(), mode });
    }
    Ok(())
}

/// Opens sled's folder. A snapshot that cannot be read makes it refuse all of its data, though the log has everything: a copy
/// of the whole is kept as it was found, the snapshot is taken away and rebuilt from the log, once.
fn open_or_repair(path: &Path) -> Result<(sled::Db, Vec<Arc<str>>), StoreError> {
    let first = match open_sled(path) {
        Err(first @ StoreError::Damaged { .. }) => first,
        other => return other.map(|db| (db, Vec::new())),
    };
    let failed = |reason| StoreError::Folder { path: path.to_path_buf(), reason };
    let snapshots = snapshots(path).map_err(failed)?;
    if snapshots.is_empty() {
        return Err(first);
    }
    let copy = keep_copy(path).map_err(failed)?;
    for snapshot in &snapshots {
        std::fs::remove_file(snapshot).map_err(failed)?;
    }
    let db = open_sled(path)?;
    let notice = format!("the store was damaged and rebuilt from its log; as it was found it is in {}", copy.display());
    Ok((db, vec![notice.into()]))
}

/// Opens sled's folder, waiting out a lock of its own. Nobody else has the store (the holder's file says so), but a child
/// that this process is just starting has copies of all its files, a lately closed store's among them, until its own program
/// begins.
fn open_sled(path: &Path) -> Result<sled::Db, StoreError> {
    let mut outcome = try_open_sled(path);
    for _attempt in 0..LOCK_ATTEMPTS {
        match &outcome {
            Err(StoreError::Damaged { reason, .. }) if reason.contains(SLED_LOCK_ERROR) => {}
            _ => break,
        }
        std::thread::sleep(LOCK_PAUSE);
        outcome = try_open_sled(path);
    }
    outcome
}

/// Damaged files make sled panic now and then; that must not be the end of the program. Nothing of the attempt is used
/// afterwards, so it does not matter in which state it was left.
fn try_open_sled(path: &Path) -> Result<sled::Db, StoreError> {
    let folder = path.join("store");
    let config = sled::Config::new().path(&folder).cache_capacity(CACHE_BYTES);
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| config.open())) {
        Ok(Ok(db)) => Ok(db),
        Ok(Err(error)) => Err(problem(path, &error)),
        Err(_) => {
            Err(StoreError::Damaged { path: path.to_path_buf(), reason: "its files do not fit together".to_owned() })
        }
    }
}

fn snapshots(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in path.join("store").read_dir()? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("snap.") {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Copies sled's files into a new folder under `set-aside/`.
fn keep_copy(path: &Path) -> std::io::Result<PathBuf> {
    let aside = path.join("set-aside");
    let target = (1..).map(|number| aside.join(number.to_string())).find(|target| !target.exists());
    // The numbers do not run out before the disk does.
    let target = target.unwrap_or(aside);
    DirBuilder::new().recursive(true).mode(0o700).create(&target)?;
    for entry in path.join("store").read_dir()? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), target.join(entry.file_name()))?;
        }
    }
    Ok(target)
}
