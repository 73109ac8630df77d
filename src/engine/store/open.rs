//! Opens the store, and mends what can be mended.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::acknowledged::Acknowledged;
use super::audit_file::{AuditFile, Opened};
use super::schema::TreeName;
use super::write::sequence_of;
use super::{Hold, Store, StoreError, migrate};

/// Memory sled may use for pages.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// Damaged stores that are kept as they were found.
const SET_ASIDE_MAX: usize = 8;

/// How sled says that its files are locked; it has no error of its own for it.
const SLED_LOCK_ERROR: &str = "could not acquire lock";

/// How often, and with which pause, a locked folder of sled is tried again: 2 s in all, when starting a program takes
/// milliseconds.
const LOCK_ATTEMPTS: usize = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

pub(super) fn open(hold: Hold) -> Result<Store, StoreError> {
    let path = hold.folder();
    let unfinished = |reason| StoreError::Folder { path: path.to_path_buf(), reason };
    remove_unfinished_snapshots(path).map_err(unfinished)?;
    let (db, mut notices) = open_or_repair(path)?;
    let trees = TreeName::ALL
        .into_iter()
        .map(|name| db.open_tree(name.word()).map_err(|error| problem(path, &error)))
        .collect::<Result<Vec<_>, _>>()?;
    let acknowledged =
        Acknowledged::open(path).map_err(|reason| StoreError::Folder { path: path.to_path_buf(), reason })?;
    let known = trees.get(TreeName::Audit as usize).map(sled::Tree::last).transpose();
    let known = known.map_err(|error| problem(path, &error))?.flatten().map_or(0, |(key, _)| sequence_of(&key));
    let Opened { log, newer, notices: of_log } =
        AuditFile::open(path, known, acknowledged.numbers().of(TreeName::Audit))
            .map_err(|error| io_problem(path, &error))?;
    notices.extend(of_log.into_iter().map(Arc::from));
    let mut store = Store {
        db,
        trees,
        hold,
        notices,
        acknowledged: Mutex::new(acknowledged),
        audit: Mutex::new(log),
        has_failed: AtomicBool::new(false),
    };
    migrate::migrate(&mut store)?;
    store.agree_on_audit(newer)?;
    tell_losses(&mut store)?;
    Ok(store)
}

/// Compares what was acknowledged with what is there.
fn tell_losses(store: &mut Store) -> Result<(), StoreError> {
    let mut newest = Vec::new();
    for tree in TreeName::ALL {
        let last = store.tree(tree).last().map_err(|error| store.problem(&error))?;
        newest.push(last.map_or(0, |(key, _)| sequence_of(&key)));
    }
    let numbers = store.acknowledged().numbers();
    if let Some(missing) = numbers.missing(|tree| newest.get(tree as usize).copied().unwrap_or(0)) {
        let notice =
            format!("the store has lost {missing}; `hypo import --merge` brings back what an export has of it");
        // Before what was mended: the first one is shown where there is room for one.
        store.notices.insert(0, notice.into());
    }
    Ok(())
}

/// What sled says, in terms of what to do about it.
pub(super) fn problem(path: &Path, error: &sled::Error) -> StoreError {
    match error {
        sled::Error::Io(reason) => io_problem(path, &std::io::Error::new(reason.kind(), reason.to_string())),
        other => StoreError::Damaged { path: path.to_path_buf(), reason: other.to_string() },
    }
}

/// What the system says, likewise.
pub(super) fn io_problem(path: &Path, reason: &std::io::Error) -> StoreError {
    let path = path.to_path_buf();
    match reason.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full { path },
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
            StoreError::ReadOnly { path, reason: reason.to_string() }
        }
        _ => StoreError::Damaged { path, reason: reason.to_string() },
    }
}

pub(super) fn prepare_folder(path: &Path) -> Result<(), StoreError> {
    let failed = |reason| StoreError::Folder { path: path.to_path_buf(), reason };
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    let facts = path.metadata().map_err(failed)?;
    let mode = facts.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(StoreError::TooOpen { path: path.to_path_buf(), mode });
    }
    Ok(())
}

/// Opens sled's folder. A configuration or a snapshot that cannot be read makes it refuse all of its data, though it always has
/// the same configuration and the log has everything: a copy of the whole is kept as it was found, then the one and at last the
/// other is taken away and made anew.
fn open_or_repair(path: &Path) -> Result<(sled::Db, Vec<Arc<str>>), StoreError> {
    let first = match open_sled(path) {
        // What is merely locked still is in order.
        Err(StoreError::Damaged { path, reason }) if !reason.contains(SLED_LOCK_ERROR) => {
            StoreError::Damaged { path, reason }
        }
        other => return other.map(|db| (db, Vec::new())),
    };
    let failed = |reason| StoreError::Folder { path: path.to_path_buf(), reason };
    let Some(copy) = keep_copy(path).map_err(failed)? else { return Err(first) };
    let mut last = first;
    for (beginning, part) in [("conf", "configuration"), ("snap.", "snapshot")] {
        let files = files_of_sled(path, beginning).map_err(failed)?;
        for file in &files {
            std::fs::remove_file(file).map_err(failed)?;
        }
        match open_sled(path) {
            Ok(db) => {
                let copy = copy.display();
                let notice =
                    format!("the store was damaged; its {part} was made anew, and as it was found it is in {copy}");
                return Ok((db, vec![notice.into()]));
            }
            Err(problem) => last = problem,
        }
    }
    Err(last)
}

/// Opens sled's folder, waiting out a lock of its own. Nobody else has the store (the holder's file says so), but a child
/// that this process is just starting has copies of all its files, a lately closed store's among them, until its own program
/// begins.
pub(super) fn open_sled(path: &Path) -> Result<sled::Db, StoreError> {
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

/// Removes what sled was writing when it was killed. It takes a snapshot under its working name for the newest one, and a
/// half of one for damage; the one before it is there until the new one has its own name.
fn remove_unfinished_snapshots(path: &Path) -> std::io::Result<()> {
    if !path.join("store").exists() {
        return Ok(());
    }
    let files = files_of_sled(path, "snap.")?;
    files.iter().filter(|file| file.extension().is_some_and(|it| it == "generating")).try_for_each(std::fs::remove_file)
}

fn files_of_sled(path: &Path, beginning: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in path.join("store").read_dir()? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(beginning) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Copies sled's files into a new folder under `set-aside/`; `None` when there are as many already as are kept: a store that
/// cannot be mended would fill the disk, start by start.
fn keep_copy(path: &Path) -> std::io::Result<Option<PathBuf>> {
    let aside = path.join("set-aside");
    let free = (1..=SET_ASIDE_MAX).map(|number| aside.join(number.to_string())).find(|target| !target.exists());
    let Some(target) = free else { return Ok(None) };
    DirBuilder::new().recursive(true).mode(0o700).create(&target)?;
    for entry in path.join("store").read_dir()? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), target.join(entry.file_name()))?;
        }
    }
    Ok(Some(target))
}
