//! The picture of a running engine in a file beside its store, for listings in another terminal: the store itself has one
//! holder at a time.
//!
//! ```text
//! hypo picture 4, version 0.1.0, pid 1234       one line, so that another program version reads no further
//! …                                             the picture, in postcard: it holds every number exactly
//! ```
//!
//! It is written by a thread of its own, replaced by renaming, and gone when the engine has ended. After a crash it stays;
//! whoever reads it compares its pid with the store's holder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use crate::engine::limits::{PICTURE_FILE_MS_MIN, PICTURE_FILE_WORK_SHARE};
use crate::engine::snapshot::Snapshot;

/// The file's name in the state directory.
const FILE: &str = "picture";
/// What it is called until it is whole.
const UNFINISHED_FILE: &str = "picture.new";
/// How its first line begins.
const MAGIC: &str = "hypo picture 4";

/// What was read of a running engine.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// The process that wrote it.
    pub pid: i32,
    /// What it showed.
    pub snapshot: Snapshot,
}

/// Why a picture cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The file.
    #[error("cannot read {path}: {problem}; end the hypo that holds the store, then list again")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        problem: io::Error,
    },
    /// Another version wrote it, or it is damaged.
    #[error("{path} was not written by hypo {}: {problem}; list with the same hypo as the one that runs, or end that one",
        env!("CARGO_PKG_VERSION"))]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
}

/// Reads the picture in the state directory `folder`; `None` where there is none.
///
/// # Errors
/// When there is one that cannot be read.
pub fn read(folder: &Path) -> Result<Option<Picture>, PictureError> {
    let path = folder.join(FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(None),
        Err(problem) => return Err(PictureError::File { path, problem }),
    };
    let unreadable = |problem: String| PictureError::Unreadable { path: path.clone(), problem };
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (line, rest) = bytes.split_at(end);
    let line = String::from_utf8_lossy(line);
    let own = first_line("").trim_end().to_owned();
    let pid = line.strip_prefix(&own).and_then(|pid| pid.trim().parse().ok());
    let pid = pid.ok_or_else(|| unreadable(format!("it begins with `{line:.60}`")))?;
    let snapshot = postcard::from_bytes(rest.get(1..).unwrap_or_default());
    let snapshot = snapshot.map_err(|problem| unreadable(problem.to_string()))?;
    Ok(Some(Picture { pid, snapshot }))
}

fn first_line(pid: &str) -> String {
    format!("{MAGIC}, version {}, pid {pid}\n", env!("CARGO_PKG_VERSION"))
}

/// The thread that keeps the file. Dropping it ends the thread and takes the file away.
pub(super) struct PictureFile {
    folder: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl PictureFile {
    /// Keeps the newest of `snapshots` in the state directory `folder`, which this process holds.
    pub(super) fn keep(folder: &Path, snapshots: watch::Receiver<Arc<Snapshot>>) -> io::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let clockwork = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let there = folder.to_owned();
        // What an earlier life left would be taken for this one's if its pid came round again.
        remove(folder);
        let thread = thread::Builder::new()
            .name("hypo-picture".to_owned())
            .spawn(move || clockwork.block_on(follow(&there, snapshots, stopped)))?;
        Ok(Self { folder: folder.to_owned(), stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for PictureFile {
    fn drop(&mut self) {
        // Ends the wait for the next picture, and the pause.
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that keeps the picture ended in a panic");
        }
        remove(&self.folder);
    }
}

async fn follow(folder: &Path, mut snapshots: watch::Receiver<Arc<Snapshot>>, mut stop: oneshot::Receiver<()>) {
    let mut has_failed = false;
    loop {
        tokio::select! {
            biased;
            _ = &mut stop => return,
            changed = snapshots.changed() => if changed.is_err() { return },
        }
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        let started = Instant::now();
        let outcome = write(folder, &snapshot);
        if let (Err(problem), false) = (&outcome, has_failed) {
            tracing::warn!("listings beside this hypo show an old picture: {problem}");
        }
        has_failed = outcome.is_err();
        drop(snapshot);
        // A large picture is written less often, so that it never takes more than its share of a core.
        let pause = Duration::from_millis(PICTURE_FILE_MS_MIN).max(started.elapsed() * PICTURE_FILE_WORK_SHARE);
        tokio::select! {
            biased;
            _ = &mut stop => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Not flushed to the disk: after a crash nobody reads it.
fn write(folder: &Path, snapshot: &Snapshot) -> io::Result<()> {
    let picture = postcard::to_stdvec(snapshot).map_err(io::Error::other)?;
    let unfinished = folder.join(UNFINISHED_FILE);
    let mut file = create(&unfinished)?;
    file.write_all(first_line(&nix::unistd::getpid().to_string()).as_bytes())?;
    file.write_all(&picture)?;
    fs::rename(&unfinished, folder.join(FILE))
}

fn create(path: &Path) -> io::Result<File> {
    let flags = nix::fcntl::OFlag::O_NOFOLLOW.bits();
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).custom_flags(flags).open(path)
}

fn remove(folder: &Path) {
    for name in [FILE, UNFINISHED_FILE] {
        match fs::remove_file(folder.join(name)) {
            Err(problem) if problem.kind() != ErrorKind::NotFound => {
                tracing::warn!("an old picture stays in {}: {problem}", folder.display());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::engine::clock::Timestamp;

    fn snapshot(revision: u64) -> Snapshot {
        Snapshot { revision, at: Timestamp(1_763_000_000_123), ..Snapshot::empty() }
    }

    #[test]
    fn a_picture_reads_back_as_it_was_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
        for revision in 1..3 {
            write(folder.path(), &snapshot(revision)).unwrap();
            let picture = read(folder.path()).unwrap().unwrap();
            assert_eq!((picture.pid, picture.snapshot), (nix::unistd::getpid().as_raw(), snapshot(revision)));
        }
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!((mode & 0o777, fs::read_dir(folder.path()).unwrap().count()), (0o600, 1));
    }

    #[test]
    fn what_another_program_wrote_is_refused_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &snapshot(1)).unwrap();
        let good = fs::read(folder.path().join(FILE)).unwrap();
        let older = String::from_utf8_lossy(&good).replacen(env!("CARGO_PKG_VERSION"), "0.0.9", 1).into_bytes();
        for bad in [Vec::new(), b"\n".to_vec(), older, good[..good.len() - 3].to_vec(), vec![0xff; 64]] {
            fs::write(folder.path().join(FILE), &bad).unwrap();
            let said = read(folder.path()).unwrap_err().to_string();
            assert!(said.contains("the same hypo"), "{said}");
        }
    }

    #[test]
    fn the_file_follows_the_pictures_and_goes_with_the_engine() {
        let folder = tempfile::tempdir().unwrap();
        // Of an earlier life that crashed.
        write(folder.path(), &snapshot(9)).unwrap();
        let (sender, receiver) = watch::channel(Arc::new(Snapshot::empty()));
        let file = PictureFile::keep(folder.path(), receiver).unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
        sender.send_replace(Arc::new(snapshot(5)));
        let picture = loop {
            if let Some(picture) = read(folder.path()).unwrap() {
                break picture;
            }
            thread::yield_now();
        };
        assert_eq!(picture.snapshot, snapshot(5));
        drop(file);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
