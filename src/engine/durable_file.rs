//! Files that are replaced as a whole, and stay what they were replaced by across a power cut.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

/// Writes a file beside, waits for the disk, renames it, and waits for the folder: until that is on disk the old file may
/// come back. Readers see the one or the other whole.
///
/// # Errors
/// When the folder cannot be written to; the file is then what it was, unless only the last wait has failed.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Of this process alone: another one's half must never be renamed in place of ours.
    let fresh = path.with_extension(format!("new-{}", nix::unistd::getpid()));
    let mut file = private().write(true).create(true).truncate(true).open(&fresh)?;
    let written = file.write_all(bytes).and_then(|()| wait_for(&file)).and_then(|()| fs::rename(&fresh, path));
    if written.is_err() {
        // What cannot be taken away either is left for the next try to overwrite.
        let _left = fs::remove_file(&fresh);
    }
    written?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    wait_for_names(folder)
}

/// After this long nobody is still about to replace a file.
const LEFT_AFTER: Duration = Duration::from_mins(10);

/// Takes away what processes that were killed while they replaced a file left in this folder.
///
/// # Errors
/// When the folder cannot be read; what cannot be taken away stays.
pub fn remove_left(folder: &Path) -> io::Result<()> {
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let Some(pid) = name.rsplit_once(".new-").and_then(|(_, pid)| pid.parse::<i32>().ok()) else { continue };
        let is_over = pid > 0 && matches!(kill(Pid::from_raw(pid), None), Err(Errno::ESRCH));
        // Whoever sees other processes than we do may have just begun.
        let is_old = path.symlink_metadata().and_then(|facts| facts.modified());
        let is_old = is_old.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > LEFT_AFTER));
        if is_over && is_old {
            let _left = fs::remove_file(&path);
        }
    }
    Ok(())
}

/// Returns once a file is on disk, with all that the file system notes of it.
///
/// # Errors
/// When the disk fails.
pub fn wait_for(file: &File) -> io::Result<()> {
    file.sync_all()?;
    #[cfg(test)]
    waits::note(file)?;
    Ok(())
}

/// Returns once what was written into a file is on disk, and can be read back after a power cut.
///
/// # Errors
/// When the disk fails.
pub fn wait_for_bytes(file: &File) -> io::Result<()> {
    file.sync_data()?;
    #[cfg(test)]
    waits::note(file)?;
    Ok(())
}

/// Returns once what is in this folder is there under its name after a power cut.
///
/// # Errors
/// When it cannot be opened, or the disk fails.
pub fn wait_for_names(folder: &Path) -> io::Result<()> {
    wait_for(&File::open(folder)?)
}

/// What was waited for, in its order: a wait that is left out shows nowhere else until the power goes.
#[cfg(test)]
pub mod waits {
    use std::cell::{Cell, RefCell};
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd;
    use std::path::{Path, PathBuf};

    use nix::errno::Errno;

    thread_local! {
        static SEEN: RefCell<Vec<PathBuf>> = const { RefCell::new(Vec::new()) };
        static FAILS: Cell<Option<(&'static str, Errno)>> = const { Cell::new(None) };
    }

    pub(super) fn note(file: &File) -> io::Result<()> {
        let path = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap();
        let fails = FAILS.get().filter(|(name, _)| path.ends_with(name));
        SEEN.with_borrow_mut(|seen| seen.push(path));
        fails.map_or(Ok(()), |(_, errno)| Err(errno.into()))
    }

    /// While this thread does this, the disk fails with `errno` where it is waited for the file of this name.
    pub fn failing<T>(name: &'static str, errno: Errno, does: impl FnOnce() -> T) -> T {
        FAILS.set(Some((name, errno)));
        let done = does();
        FAILS.set(None);
        done
    }

    /// Breaks off in a panic, as whoever waits by himself may where the disk fails.
    pub fn break_off() {
        assert!(FAILS.get().is_none_or(|(name, _)| name != OF_OTHERS), "the disk fails");
    }

    /// Waits that are not ours.
    pub const OF_OTHERS: &str = "waits of others";

    /// What this thread waited for on disk while it did this, below `folder`; what is replaced as a whole by the name of the file.
    pub fn during<T>(folder: &Path, does: impl FnOnce() -> T) -> (T, Vec<String>) {
        let folder = folder.canonicalize().unwrap();
        SEEN.take();
        let done = does();
        let name = |path: &PathBuf| {
            let name = path.strip_prefix(&folder).unwrap().display().to_string();
            name.split(".new-").next().unwrap_or_default().to_owned()
        };
        (done, SEEN.take().iter().map(name).collect())
    }
}

/// Opens for this user only, and follows no link.
#[must_use]
pub fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits());
    options
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("word");
        for text in ["a longer word", "word", ""] {
            let (done, waits) = waits::during(folder.path(), || replace(&path, text.as_bytes()));
            done.unwrap();
            assert_eq!(waits, ["word", ""], "the file before it has its name, then the name");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(folder.path().read_dir().unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_cannot_be_written_leaves_the_file_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("word");
        replace(&path, b"old").unwrap();
        fs::create_dir(path.with_extension(format!("new-{}", nix::unistd::getpid()))).unwrap();
        assert!(replace(&path, b"new").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    }

    #[test]
    fn it_is_the_disk_that_is_waited_for() {
        // A pipe is on no disk, and says so.
        let (read, _write) = io::pipe().unwrap();
        let pipe = File::from(std::os::fd::OwnedFd::from(read));
        assert!(wait_for(&pipe).is_err() && wait_for_bytes(&pipe).is_err(), "nobody was asked");
    }

    #[test]
    fn what_the_dead_left_half_written_goes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let own = nix::unistd::getpid();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let dead = child.id();
        child.wait().unwrap();
        let long_ago = std::time::SystemTime::now() - 2 * LEFT_AFTER;
        for name in [format!("kill.new-{dead}"), format!("audit.new-{own}"), "x.new-y".to_owned(), "kill".to_owned()] {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(long_ago).unwrap();
        }
        fs::write(folder.path().join(format!("young.new-{dead}")), "").unwrap();
        remove_left(folder.path()).unwrap();
        let mut left: Vec<_> = folder.path().read_dir().unwrap().map(|it| it.unwrap().file_name()).collect();
        left.sort();
        let kept = [format!("audit.new-{own}"), "kill".into(), "x.new-y".into(), format!("young.new-{dead}")];
        assert_eq!(left, kept.map(std::ffi::OsString::from));
    }
}
