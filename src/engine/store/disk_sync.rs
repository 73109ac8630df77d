//! Waits for the disk itself, as sled does not: what it calls a flush is `sync_file_range`, which waits neither for the disk's
//! own cache nor for what the file system notes of a file that has grown, and values that are too large for a page go into
//! files of their own that nobody waits for. Its thread that waits in the background hears of a failure and drops it; each open
//! file is told of one once, so this one, which is ours, is told too.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

use crate::engine::durable_file::{wait_for, wait_for_bytes, wait_for_names};

/// Sled's files, to be waited for.
#[derive(Debug)]
pub(super) struct DiskSync {
    log: File,
    blobs: PathBuf,
    /// The newest large value that is on disk: their names are numbers that grow.
    newest_blob: AtomicI64,
}

impl DiskSync {
    /// Of the store in this folder, which sled has open. Its names are on disk when this returns.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let store = folder.join("store");
        let log = File::options().write(true).open(store.join("db"))?;
        wait_for_names(&store)?;
        wait_for_names(folder)?;
        Ok(Self { log, blobs: store.join("blobs"), newest_blob: AtomicI64::new(i64::MIN) })
    }

    /// Returns once everything that sled has written is on disk.
    pub(super) fn wait(&self) -> io::Result<()> {
        let synced = self.newest_blob.load(Ordering::Relaxed);
        let mut newest = synced;
        for entry in entries(&self.blobs)? {
            let Some(number) = entry.file_name().and_then(|name| name.to_str()?.parse::<i64>().ok()) else { continue };
            if number > synced {
                match File::open(&entry) {
                    Ok(file) => wait_for(&file)?,
                    // Sled has no more use for it.
                    Err(problem) if problem.kind() == ErrorKind::NotFound => {}
                    Err(problem) => return Err(problem),
                }
                newest = newest.max(number);
            }
        }
        if newest > synced {
            wait_for_names(&self.blobs)?;
            self.newest_blob.store(newest, Ordering::Relaxed);
        }
        wait_for_bytes(&self.log)
    }
}

/// Waits for every file below `folder`, and for their names.
pub(super) fn sync_below(folder: &Path) -> io::Result<()> {
    for path in entries(folder)? {
        if path.symlink_metadata()?.is_dir() {
            sync_below(&path)?;
        } else {
            wait_for(&File::open(&path)?)?;
        }
    }
    wait_for_names(folder)
}

/// What is in a folder, in the order of its names; nothing of one that is not there.
pub(super) fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let listed = match folder.read_dir() {
        Ok(listed) => listed,
        Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(problem) => return Err(problem),
    };
    let mut found = listed.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::durable_file::waits;

    #[test]
    fn large_values_are_waited_for_once_and_one_that_is_gone_is_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = folder.path().join("store/blobs");
        std::fs::create_dir_all(&blobs).unwrap();
        std::fs::write(folder.path().join("store/db"), "").unwrap();
        let sync = DiskSync::open(folder.path()).unwrap();
        let waits = || waits::during(folder.path(), || sync.wait().unwrap()).1;
        assert_eq!(waits(), ["store/db"]);
        std::fs::write(blobs.join("41"), "x").unwrap();
        std::os::unix::fs::symlink(blobs.join("gone"), blobs.join("42")).unwrap();
        std::fs::write(blobs.join("no number"), "x").unwrap();
        assert_eq!(waits(), ["store/blobs/41", "store/blobs", "store/db"]);
        assert_eq!(waits(), ["store/db"], "once");
        assert_eq!(sync.newest_blob.load(Ordering::Relaxed), 42);
        // A folder cannot be opened for writing, but waited for; what cannot be opened at all is a failure.
        std::os::unix::fs::symlink(blobs.join("43"), blobs.join("43")).unwrap();
        assert!(sync.wait().is_err(), "what cannot be waited for was taken for kept");
    }
}
