//! Opens the store: what was mended, what is lost, and what the audit log says of it.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use nix::errno::Errno;

use super::acknowledged::{Acknowledged, Numbers};
use super::audit_file::AuditFile;
use super::audit_opening::Opened;
use super::disk_sync::DiskSync;
use super::mend::{self, Mended, Mends};
use super::schema::{self, LOST_KEY, TreeName};
use super::write::sequence_of;
use super::{Hold, Store, StoreError, audit_segments, migrate, swap};
use crate::engine::durable_file;
use crate::engine::job::Record;
use crate::engine::model::{AuditEntry, AuditKind};

/// Opens the store. Whoever goes on with it has it mended where it has to be, and written anew where it is in doubt; whoever looks at
/// it believes what is there.
pub(super) fn open(hold: Arc<Hold>, mends: Mends) -> Result<Store, StoreError> {
    let store = open_as_it_is(hold, mends)?;
    if mends == Mends::Yes { store.settled() } else { Ok(store) }
}

/// The same, in doubt where it was. Sled breaks off in a panic over pages that do not fit together, and where it lets a store go
/// that could be opened in part only, on a disk that fails; nothing of the attempt is used then.
pub(super) fn open_as_it_is(hold: Arc<Hold>, mends: Mends) -> Result<Store, StoreError> {
    let path = hold.folder().to_path_buf();
    let broken = |_| StoreError::Damaged { path, reason: "sled broke off while it was opened".to_owned() };
    catch_unwind(AssertUnwindSafe(|| open_unguarded(hold, mends))).map_err(broken)?
}

fn open_unguarded(hold: Arc<Hold>, mends: Mends) -> Result<Store, StoreError> {
    let path = hold.folder();
    if let Some(refusal) = hold.refusal() {
        return Err(StoreError::ReadOnly { path: path.to_path_buf(), reason: refusal.to_string() });
    }
    let failed = |reason: std::io::Error| io_problem(path, &reason);
    swap::finish(path).map_err(failed)?;
    for folder in [path.to_path_buf(), path.join(audit_segments::FOLDER)] {
        // It takes room and no more; the second may not be there.
        let _left = durable_file::remove_left(&folder);
    }
    mend::remove_unfinished_snapshots(path).map_err(failed)?;
    let Mended { db, notice, is_fresh } = mend::open_or_mend(path, mends)?;
    let mut notices: Vec<Arc<str>> = notice.into_iter().collect();
    // Before anything is made or taken away in it.
    migrate::refuse_newer(path, &db)?;
    let disk = DiskSync::open(path).map_err(failed)?;
    let trees = TreeName::ALL
        .into_iter()
        .map(TreeName::word)
        .chain(["meta"])
        .map(|word| db.open_tree(word).map_err(|error| problem(path, &error)))
        .collect::<Result<Vec<_>, _>>()?;
    let mut acknowledged = Acknowledged::open(path).map_err(failed)?;
    let known = match trees.get(TreeName::Audit as usize) {
        Some(tree) => last_audit(tree).map_err(|error| problem(path, &error))?,
        None => None,
    };
    let Opened { log, newer, unacknowledged, highest, notices: of_log } =
        AuditFile::open(path, known.as_ref(), acknowledged.numbers().of(TreeName::Audit)).map_err(failed)?;
    notices.extend(of_log.into_iter().map(Arc::from));
    if is_fresh {
        // The log remembers what was lost where the numbers beside it were lost as well.
        acknowledged.raise(TreeName::Incidents, highest.incident);
        acknowledged.raise(TreeName::Runs, highest.run);
    }
    let mut store = Store {
        db: Some(db),
        trees,
        disk,
        hold,
        notices,
        loss: None,
        acknowledged: Mutex::new(acknowledged),
        audit: Mutex::new(log),
        has_failed: AtomicBool::new(false),
    };
    migrate::migrate(&mut store)?;
    if let Some(lost) = lost_entries(&newer).filter(|_| !is_fresh) {
        // Before sled has them again, and nothing tells any more that it had lost them.
        store.add_loss(&lost)?;
    }
    store.agree_on_audit(newer.into_iter().chain(unacknowledged))?;
    let cut_off = store.audit().take_cut_off();
    store.notices.extend(cut_off.map(Arc::from));
    find_losses(&mut store, is_fresh)?;
    Ok(store)
}

/// Commands of lost entries that are told.
const COMMANDS_TOLD_MAX: usize = 3;

/// What it means that the log has entries which sled has not: they were acknowledged, and what came with them is gone.
fn lost_entries(newer: &[AuditEntry]) -> Option<String> {
    if newer.is_empty() {
        return None;
    }
    let begun: Vec<&AuditEntry> = newer.iter().filter(|entry| entry.kind == AuditKind::Intent).collect();
    let told: String =
        begun.iter().rev().take(COMMANDS_TOLD_MAX).map(|entry| format!("; begun meanwhile: {}", entry.text)).collect();
    let more = begun.len().saturating_sub(COMMANDS_TOLD_MAX);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    Some(format!("the store had lost what came with {} entries of its audit log{told}{more}", newer.len()))
}

/// The last entry that sled has and that can be read.
fn last_audit(tree: &sled::Tree) -> sled::Result<Option<AuditEntry>> {
    let Some((key, value)) = tree.last()? else { return Ok(None) };
    Ok(match schema::decode(TreeName::Audit, &key, &value) {
        Ok(Record::Audit(entry)) => Some(entry),
        _ => None,
    })
}

/// Compares what was acknowledged with what is there.
///
/// A loss stays on disk until somebody takes note of it: the store may be opened by others before an engine can say it.
fn find_losses(store: &mut Store, is_fresh: bool) -> Result<(), StoreError> {
    let mut newest = Vec::new();
    for tree in TreeName::ALL {
        let last = store.tree(tree).last().map_err(|error| store.problem(&error))?;
        newest.push(last.map_or(0, |(key, _)| sequence_of(&key)));
    }
    let numbers = store.acknowledged().numbers();
    // What was told of once is not told of again.
    let told = store.meta().get(LOST_KEY).map_err(|error| store.problem(&error))?;
    let told = told.and_then(|text| Numbers::from_text(&String::from_utf8_lossy(&text))).unwrap_or_default();
    let there = |tree: TreeName| newest.get(tree as usize).copied().unwrap_or(0).max(told.of(tree));
    let mut losses = Vec::new();
    if let Some(missing) = numbers.missing(there) {
        losses
            .push(format!("the store has lost {missing}; `hypo import --merge` brings back what an export has of it"));
    }
    let written = store.writes_there()?;
    store.acknowledged().raise_writes(written);
    if written < numbers.writes && told.writes < numbers.writes && !is_fresh {
        let count = numbers.writes - written;
        losses.push(format!(
            "the store was damaged: its newest {count} writes are gone, so that runs, settings and positions may be there as they \
             were before"
        ));
    }
    let is_new = !losses.is_empty() || is_fresh;
    losses.extend(store.loss_on_disk()?);
    // Before what was mended: the first one is shown where there is room for one.
    store.notices.splice(0..0, losses.iter().map(|loss| Arc::from(loss.as_str())));
    store.loss = match losses.as_slice() {
        [] => store.notices.first().filter(|_| is_fresh).cloned(),
        losses => Some(Arc::from(losses.join("; "))),
    };
    if is_new { store.remember_loss() } else { Ok(()) }
}

/// What sled says, in terms of what to do about it.
pub(super) fn problem(path: &Path, error: &sled::Error) -> StoreError {
    match error {
        sled::Error::Io(reason) => match number_in(reason) {
            Some(number) => io_problem(path, &std::io::Error::from_raw_os_error(number)),
            None => io_problem(path, reason),
        },
        other => StoreError::Damaged { path: path.to_path_buf(), reason: other.to_string() },
    }
}

/// The system's number of a problem that sled tells a second time: it has that in a text by then.
fn number_in(reason: &std::io::Error) -> Option<i32> {
    let text = reason.get_ref()?.to_string();
    // Told a third time it stands within that of the second.
    let second = text.strip_prefix("Os { code: ").or_else(|| Some(text.split_once("error: \"Os { code: ")?.1));
    second?.split(',').next()?.parse().ok()
}

/// What the system says of itself, and not of files or of a disk: it passes.
const OF_THE_SYSTEM: [Errno; 12] = [
    Errno::EMFILE,
    Errno::ENFILE,
    Errno::EAGAIN,
    Errno::ENOMEM,
    Errno::EINTR,
    Errno::EBUSY,
    Errno::ETIMEDOUT,
    Errno::ESTALE,
    Errno::ENOLCK,
    Errno::ENOBUFS,
    Errno::ECONNREFUSED,
    Errno::EHOSTUNREACH,
];

/// What the system says, likewise.
pub(super) fn io_problem(path: &Path, reason: &std::io::Error) -> StoreError {
    let path = path.to_path_buf();
    let errno = reason.raw_os_error().map(Errno::from_raw);
    match reason.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full { path },
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
            StoreError::ReadOnly { path, reason: reason.to_string() }
        }
        _ if errno.is_some_and(|errno| OF_THE_SYSTEM.contains(&errno)) => {
            StoreError::NotNow { path, reason: reason.to_string() }
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
    // Whoever may do anything would leave files there that the folder's owner cannot read.
    if facts.uid() != nix::unistd::geteuid().as_raw() {
        return Err(StoreError::NotOurs { path: path.to_path_buf(), owner: facts.uid() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_of_itself_is_no_damage() {
        let told = |errno: Errno| std::io::Error::from_raw_os_error(errno as i32);
        let again = |error: &std::io::Error| std::io::Error::new(error.kind(), format!("{error:?}"));
        let twice = |errno: Errno| again(&told(errno));
        let is_damage = |problem: StoreError| matches!(problem, StoreError::Damaged { .. });
        let is_passing = |problem: StoreError| matches!(problem, StoreError::NotNow { .. }) && problem.is_of_the_disk();
        let path = Path::new("/state");
        for errno in [Errno::EMFILE, Errno::ENFILE, Errno::EAGAIN, Errno::ENOMEM, Errno::ETIMEDOUT, Errno::ESTALE] {
            assert!(is_passing(io_problem(path, &told(errno))), "{errno}");
            for error in [told(errno), twice(errno), again(&twice(errno))] {
                assert!(is_passing(problem(path, &sled::Error::Io(error))), "{errno}");
            }
        }
        for errno in [Errno::EIO, Errno::EINVAL, Errno::EISDIR, Errno::EILSEQ, Errno::EREMOTEIO] {
            assert!(is_damage(problem(path, &sled::Error::Io(twice(errno)))), "{errno}");
        }
        assert!(is_damage(io_problem(path, &std::io::Error::other("encountered torn segment"))));
        assert!(matches!(problem(path, &sled::Error::Io(twice(Errno::ENOSPC))), StoreError::Full { .. }));
    }
}
