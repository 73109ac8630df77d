//! Mends what can be mended of sled's files, the gentlest way first: what it makes anew by itself, then everything that can be
//! read, then a fresh store. What was found is set aside each time; a second crash or a second damage meanwhile finds either
//! that or what was mended.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::StoreError;
use super::disk_sync::entries;
use super::open::{io_problem, problem};
use super::rewrite::rewrite;
use super::set_aside;
use super::swap::{self, Replaced};

/// Memory sled may use for pages.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// How sled says that its files are locked; it has no error of its own for it.
const SLED_LOCK_ERROR: &str = "could not acquire lock";

/// How often, and with which pause, a locked folder of sled is tried again: 2 s in all, when starting a program takes
/// milliseconds.
const LOCK_ATTEMPTS: usize = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Sled's files, open.
pub(super) struct Mended {
    pub(super) db: sled::Db,
    /// What was done to them.
    pub(super) notice: Option<Arc<str>>,
    /// True where nothing of them could be read.
    pub(super) is_fresh: bool,
}

/// Whether damage is mended where it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mends {
    /// By whoever goes on with the store.
    Yes,
    /// Whoever only looks leaves it as it is.
    No,
}

/// Opens sled's folder. A configuration or a snapshot that cannot be read makes it refuse all of its data, though it always has
/// the same configuration and the log has everything: the one and at last the other is taken away and made anew. Where that is
/// not enough, the whole is set aside and begun anew.
pub(super) fn open_or_mend(path: &Path, mends: Mends) -> Result<Mended, StoreError> {
    match open_or_blame(path) {
        Err(StoreError::Damaged { path, reason }) if mends == Mends::No => {
            return Err(StoreError::NotMended { path, reason });
        }
        Err(problem) if is_damage(&problem) => {}
        other => return other.map(|db| Mended { db, notice: None, is_fresh: false }),
    }
    let failed = |reason: std::io::Error| io_problem(path, &reason);
    // Where there is no room for a copy of the whole, at least what is taken away is kept.
    let copy = set_aside::copy(path, &["store"], set_aside::Room::Bounded).unwrap_or_default();
    for (beginning, part) in [("conf", "configuration"), ("snap.", "snapshot")] {
        let files = files_of_sled(path, beginning).map_err(failed)?;
        if files.is_empty() {
            continue;
        }
        let aside = match &copy {
            Some(copy) => {
                files.iter().try_for_each(std::fs::remove_file).map_err(failed)?;
                copy.clone()
            }
            None => set_aside::take(path, &files).map_err(failed)?,
        };
        match open_or_blame(path) {
            Ok(db) => {
                let aside = aside.display();
                let notice =
                    format!("the store was damaged; its {part} was made anew, and as it was found it is in {aside}");
                return Ok(Mended { db, notice: Some(notice.into()), is_fresh: false });
            }
            Err(problem) if is_damage(&problem) => {}
            Err(other) => return Err(other),
        }
    }
    begin_anew(path, copy)
}

/// True of what taking files away may mend; what is merely locked still is in order.
fn is_damage(problem: &StoreError) -> bool {
    matches!(problem, StoreError::Damaged { reason, .. } if !reason.contains(SLED_LOCK_ERROR))
}

/// Opens sled's folder. Only what cannot be opened while a fresh folder beside it can is damaged: sled breaks off in the same way
/// where it gets no thread, and what a sound store has would go because of that.
fn open_or_blame(path: &Path) -> Result<sled::Db, StoreError> {
    match open_sled(path) {
        Err(problem) if is_damage(&problem) => {}
        other => return other,
    }
    open_fresh(path)?;
    // What was short for that moment is there again.
    open_sled(path)
}

/// Whether sled can open anything at all here now.
fn open_fresh(path: &Path) -> Result<(), StoreError> {
    let fresh = swap::begin(path).map_err(|reason| io_problem(path, &reason))?;
    // It waits for the disk as it is let go of, and breaks off where that fails.
    let outcome = catch_unwind(AssertUnwindSafe(|| try_open_sled(&fresh).map(drop)));
    // What stays of it goes with the next.
    let _left = swap::abandon(path);
    let reason = match outcome {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(problem @ (StoreError::Full { .. } | StoreError::ReadOnly { .. }))) => return Err(problem),
        Ok(Err(StoreError::NotNow { reason, .. })) => reason,
        Ok(Err(_)) | Err(_) => {
            "a fresh one beside it cannot be opened either, for want of threads, memory or a sound disk".to_owned()
        }
    };
    Err(StoreError::NotNow { path: path.to_path_buf(), reason })
}

/// Sets what is left of sled's files aside and opens fresh ones.
fn begin_anew(path: &Path, copy: Option<PathBuf>) -> Result<Mended, StoreError> {
    let failed = |reason: std::io::Error| io_problem(path, &reason);
    let aside = match copy {
        Some(copy) => {
            std::fs::remove_dir_all(path.join("store")).map_err(failed)?;
            copy
        }
        None => set_aside::take(path, &[path.join("store")]).map_err(failed)?,
    };
    let notice = format!(
        "the store was damaged and could not be read; it begins anew with what the audit log has, and as it was found it is in {}. \
         `hypo restore` brings a backup back, `hypo import --merge` what an export has",
        aside.display()
    );
    Ok(Mended { db: open_sled(path)?, notice: Some(notice.into()), is_fresh: true })
}

/// Brings what can be read of a store into a fresh one, which takes its place. `db` is open and cannot be read to its end.
pub(super) fn salvage(path: &Path, db: &sled::Db) -> Result<Arc<str>, StoreError> {
    let failed = |reason: std::io::Error| io_problem(path, &reason);
    let into = swap::begin(path).map_err(failed)?;
    let torn = match rewrite(db, path, &into) {
        Ok(rewritten) => rewritten.torn_trees,
        Err(problem) => {
            let _left = swap::abandon(path);
            return Err(problem);
        }
    };
    swap::commit(path, Replaced::SetAside).map_err(failed)?;
    let parts = if torn == 1 { "one tree" } else { "some trees" };
    Ok(Arc::from(format!("the store was damaged; what could be read of it was taken over, of {parts} not all")))
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
    match catch_unwind(AssertUnwindSafe(|| config.open())) {
        Ok(Ok(db)) => Ok(db),
        Ok(Err(error)) => Err(problem(path, &error)),
        Err(_) => {
            Err(StoreError::Damaged { path: path.to_path_buf(), reason: "its files do not fit together".to_owned() })
        }
    }
}

/// Removes what sled was writing when it was killed. It takes a snapshot under its working name for the newest one, and a
/// half of one for damage; the one before it is there until the new one has its own name.
pub(super) fn remove_unfinished_snapshots(path: &Path) -> std::io::Result<()> {
    let files = files_of_sled(path, "snap.")?;
    files.iter().filter(|file| file.extension().is_some_and(|it| it == "generating")).try_for_each(std::fs::remove_file)
}

fn files_of_sled(path: &Path, beginning: &str) -> std::io::Result<Vec<PathBuf>> {
    let is_it = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(beginning));
    Ok(entries(&path.join("store"))?.into_iter().filter(is_it).collect())
}
