//! A file of nothing, so that there is room when there is none: on a full disk sled takes nothing more and does not even open.
//! Let go, it leaves enough to open the store and to keep that everything was stopped, and why.

use std::io;
use std::path::Path;

use nix::fcntl::posix_fallocate;

use super::set_aside::free_bytes;
use crate::engine::durable_file::{private, wait_for};

/// Its name in the store's folder.
const FILE: &str = "ballast";
/// Its length.
pub(super) const BYTES: u64 = 16 << 20;
/// It is made only where this many times as much is free: it is not to be what fills the disk.
const ROOM: u64 = 8;

/// Makes it where it is not there and there is room; true where it is there then.
pub(super) fn make(folder: &Path) -> io::Result<bool> {
    let path = folder.join(FILE);
    if path.metadata().is_ok_and(|facts| facts.len() >= BYTES) {
        return Ok(true);
    }
    if free_bytes(folder)? < BYTES.saturating_mul(ROOM) {
        return Ok(false);
    }
    let file = private().write(true).create(true).truncate(false).open(&path)?;
    let length = i64::try_from(BYTES).map_err(io::Error::other)?;
    posix_fallocate(&file, 0, length).map_err(io::Error::from)?;
    wait_for(&file)?;
    Ok(true)
}

/// Lets it go; true where it was there.
pub(super) fn release(folder: &Path) -> io::Result<bool> {
    match std::fs::remove_file(folder.join(FILE)) {
        Ok(()) => Ok(true),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(problem) => Err(problem),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn it_takes_the_room_that_it_gives_back() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!release(folder.path()).unwrap());
        assert!(make(folder.path()).unwrap() && make(folder.path()).unwrap());
        let facts = folder.path().join(FILE).metadata().unwrap();
        assert!(facts.len() == BYTES && facts.blocks() * 512 >= BYTES, "a hole is no room");
        assert!(release(folder.path()).unwrap() && !folder.path().join(FILE).exists());
    }
}
