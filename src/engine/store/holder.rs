//! Who has the store open: a locked file with the holder's name in it, so that the second one can say who the first is.
//!
//! The lock is the system's and goes with the process, however that ends; the text in the file is only for the message.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::StoreError;
use super::open::prepare_folder;

/// Name of the file in the store's folder.
const HOLDER_FILE: &str = "holder";

/// The right to open the store in a folder, which one process has at a time.
pub struct Hold {
    folder: PathBuf,
    lock: File,
}

impl Hold {
    /// Takes the store in this folder for this process; the folder is made where it is not there yet.
    ///
    /// # Errors
    /// When another process has it, and when the folder cannot be used or is open to others.
    pub fn take(folder: &Path) -> Result<Self, StoreError> {
        prepare_folder(folder)?;
        take(folder)
    }

    /// The file by which a store in this folder is held.
    #[must_use]
    pub fn file(folder: &Path) -> PathBuf {
        folder.join(HOLDER_FILE)
    }

    /// The store's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Hold {
    /// Closing the file alone would not do: a child that is just being started has a copy of it until its own program
    /// begins, and the lock lives as long as the last copy.
    fn drop(&mut self) {
        if let Err(reason) = self.lock.unlock() {
            tracing::warn!(%reason, "the lock of the store is let go by the end of the process only");
        }
    }
}

fn take(folder: &Path) -> Result<Hold, StoreError> {
    let path = folder.join(HOLDER_FILE);
    let failed = |reason| StoreError::Folder { path: path.clone(), reason };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits())
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::Held { path: folder.to_path_buf(), holder: read(&mut file) });
        }
        Err(TryLockError::Error(reason)) => return Err(failed(reason)),
    }
    if let Err(reason) = sign(&mut file) {
        // The lock counts; the name is a courtesy, and on a full disk there is no room for it.
        tracing::warn!(%reason, "who holds the store cannot be written down");
    }
    Ok(Hold { folder: folder.to_path_buf(), lock: file })
}

fn sign(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    let since = chrono::Utc::now().format("%Y-%m-%d %H:%M:%S UTC");
    write!(file, "hypo pid {} since {since}", nix::unistd::getpid())
}

/// What the holder wrote of itself; it may be about to.
fn read(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(200).read_to_string(&mut text);
    let is_plain = text.chars().all(|c| !c.is_control());
    if read.is_ok() && is_plain && !text.trim().is_empty() { text.trim().to_owned() } else { "another hypo".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_in_a_starting_child_does_not_keep_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let holder = take(folder.path()).unwrap();
        let copy = holder.lock.try_clone().unwrap();
        assert!(matches!(take(folder.path()), Err(StoreError::Held { .. })));
        drop(holder);
        assert!(take(folder.path()).is_ok());
        drop(copy);
    }
}
