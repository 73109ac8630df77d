//! Who has the store open: a locked file with the holder's name in it, so that the second one can say who the first is.
//!
//! The lock is the system's and goes with the process, however that ends; the text in the file is only for the message. Where the
//! folder cannot be written to, it is held by reading, and says that nothing can be kept in it.
//!
//! The file's first byte says that the store is in doubt: a wait for the disk has failed, so what is read of it may be in the
//! system's memory alone, also for whoever opens it next. It needs no room and no descriptor, and need not be on disk itself: a power
//! cut ends that memory too.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};

use super::StoreError;
use super::open::prepare_folder;

/// Name of the file in the store's folder.
const HOLDER_FILE: &str = "holder";

/// The right to open the store in a folder, which one process has at a time.
#[derive(Debug)]
pub struct Hold {
    folder: PathBuf,
    /// Absent where the folder cannot be written to and has no such file.
    lock: Option<File>,
    refusal: Option<Arc<str>>,
    is_in_doubt: AtomicBool,
}

/// The first byte of the file, where the store is in doubt and where it is not.
const DOUBT: u8 = b'?';
const NO_DOUBT: u8 = b' ';

impl Hold {
    /// Takes the store in this folder for this process; the folder is made where it is not there yet.
    ///
    /// # Errors
    /// When another process has it, and when the folder cannot be used, is somebody else's or open to others. That it cannot be
    /// written to is none: [`Self::refusal`] tells of it.
    pub fn take(folder: &Path) -> Result<Self, StoreError> {
        prepare_folder(folder)?;
        match access(folder, AccessFlags::W_OK) {
            // A file system that gave up after an error of its disk says that only to who writes.
            Ok(()) => match take(folder) {
                Err(StoreError::Folder { reason, .. }) if reason.kind() == ErrorKind::ReadOnlyFilesystem => {
                    take_to_read(folder, Errno::EROFS.desc())
                }
                taken => taken,
            },
            Err(errno) => take_to_read(folder, errno.desc()),
        }
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

    /// Why nothing can be kept there, where that is so.
    #[must_use]
    pub fn refusal(&self) -> Option<&Arc<str>> {
        self.refusal.as_ref()
    }

    /// True where what is read of the store may not be on disk.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        self.is_in_doubt.load(Ordering::Relaxed)
    }

    /// It may not be: a wait for the disk has failed.
    pub(super) fn doubt(&self) {
        self.say(true);
    }

    /// All of it has been written anew, and waited for.
    pub(super) fn settle(&self) {
        self.say(false);
    }

    fn say(&self, is_in_doubt: bool) {
        self.is_in_doubt.store(is_in_doubt, Ordering::Relaxed);
        let byte = if is_in_doubt { DOUBT } else { NO_DOUBT };
        if let Some(Err(reason)) = self.lock.as_ref().map(|file| file.write_all_at(&[byte], 0)) {
            tracing::error!(%reason, is_in_doubt, "whether the store is in doubt is known to this process alone");
        }
    }
}

impl Drop for Hold {
    /// Closing the file alone would not do: a child that is just being started has a copy of it until its own program
    /// begins, and the lock lives as long as the last copy.
    fn drop(&mut self) {
        if let Some(Err(reason)) = self.lock.as_ref().map(File::unlock) {
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
    lock(&mut file, folder)?;
    let mut first = [NO_DOUBT];
    let read = file.read_at(&mut first, 0).map_err(failed)?;
    let is_in_doubt = read == 1 && first == [DOUBT];
    if let Err(reason) = sign(&file, is_in_doubt) {
        // The lock counts; the name is a courtesy, and on a full disk there is no room for it.
        tracing::warn!(%reason, "who holds the store cannot be written down");
    }
    let is_in_doubt = AtomicBool::new(is_in_doubt);
    Ok(Hold { folder: folder.to_path_buf(), lock: Some(file), refusal: None, is_in_doubt })
}

/// A lock needs no right to write. Where there is no file either, there is nothing that two could write at once.
fn take_to_read(folder: &Path, refusal: &str) -> Result<Hold, StoreError> {
    let path = folder.join(HOLDER_FILE);
    let held = match OpenOptions::new().read(true).custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits()).open(&path) {
        Ok(mut file) => {
            lock(&mut file, folder)?;
            Some(file)
        }
        Err(reason) if reason.kind() == ErrorKind::NotFound => None,
        Err(reason) => return Err(StoreError::Folder { path, reason }),
    };
    let refusal = Some(Arc::from(refusal));
    Ok(Hold { folder: folder.to_path_buf(), lock: held, refusal, is_in_doubt: AtomicBool::new(false) })
}

fn lock(file: &mut File, folder: &Path) -> Result<(), StoreError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(StoreError::Held { path: folder.to_path_buf(), holder: read(file) }),
        Err(TryLockError::Error(reason)) => Err(StoreError::Folder { path: folder.join(HOLDER_FILE), reason }),
    }
}

/// Over what is there: between an emptied file and a written one the doubt would be gone.
fn sign(file: &File, is_in_doubt: bool) -> std::io::Result<()> {
    let doubt = char::from(if is_in_doubt { DOUBT } else { NO_DOUBT });
    let since = chrono::Utc::now().format("%Y-%m-%d %H:%M:%S UTC");
    let text = format!("{doubt}hypo pid {} since {since}", nix::unistd::getpid());
    file.write_all_at(text.as_bytes(), 0)?;
    file.set_len(text.len() as u64)
}

/// What the holder wrote of itself; it may be about to.
fn read(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(200).read_to_string(&mut text);
    let name = text.trim_start_matches(char::from(DOUBT)).trim();
    let is_plain = name.chars().all(|c| !c.is_control());
    if read.is_ok() && is_plain && !name.is_empty() { name.to_owned() } else { "another hypo".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_in_a_starting_child_does_not_keep_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let holder = take(folder.path()).unwrap();
        let copy = holder.lock.as_ref().unwrap().try_clone().unwrap();
        assert!(matches!(take(folder.path()), Err(StoreError::Held { .. })));
        drop(holder);
        assert!(take(folder.path()).is_ok());
        drop(copy);
    }

    #[test]
    fn a_doubt_outlives_who_had_it_and_is_no_part_of_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let held = take(folder.path()).unwrap();
        assert!(!held.is_in_doubt());
        held.doubt();
        drop(held);
        for _start in 0..2 {
            let held = take(folder.path()).unwrap();
            assert!(held.is_in_doubt());
            let Err(StoreError::Held { holder, .. }) = take(folder.path()) else { panic!("it is held") };
            assert!(holder.starts_with("hypo pid "), "{holder}");
        }
        take(folder.path()).unwrap().settle();
        assert!(!take(folder.path()).unwrap().is_in_doubt());
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_is_held_by_one_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let nothing_there = take_to_read(folder.path(), "it is read-only").unwrap();
        assert_eq!(nothing_there.refusal().map(AsRef::as_ref), Some("it is read-only"));
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "nothing is written");
        drop(take(folder.path()).unwrap());
        let reads = take_to_read(folder.path(), "it is read-only").unwrap();
        assert!(matches!(take_to_read(folder.path(), ""), Err(StoreError::Held { .. })));
        assert!(matches!(take(folder.path()), Err(StoreError::Held { .. })));
        drop(reads);
        assert!(take(folder.path()).unwrap().refusal().is_none());
    }
}
