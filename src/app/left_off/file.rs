//! Files of what consoles left behind: one for each console of a person that runs at a time, held by a lock for as long as it
//! does.
//!
//! A console that starts takes over every file that nobody holds, puts what is in there together, and only then removes the
//! others. So two consoles never write over one another's texts, and what both left behind is offered by the next one.
//!
//! A file is JSON that a person can read, 0600 in a folder of 0700, written under another name and renamed. One that cannot be
//! read is told and set aside, never written over.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{LeftOff, Place};
use crate::engine::clock::{HOUR_MS, Timestamp};
use crate::engine::snapshot::FileProblem;
use crate::views::ui_state::Unsent;

/// The form of the files.
const VERSION: u32 = 1;
/// Consoles of one person at a time that keep what is left behind.
const CONSOLES_MAX: u32 = 32;
/// Bytes that are read of a file: far more than all texts that the boxes take.
const BYTES_MAX: u64 = 16 * 1_024 * 1_024;
/// Files that are set aside under one name, before the last is replaced.
const ASIDE_MAX: u32 = 100;
/// A place is taken again for as long as a shift lasts: whoever comes later wants to see what is broken now.
const PLACE_MS: i64 = 12 * HOUR_MS;

/// Why nothing is kept.
#[derive(Debug, thiserror::Error)]
pub enum ShelfProblem {
    /// The folder or a file in it.
    #[error(
        "texts that are not sent are not kept, as {path} cannot be used: {problem}; make the folder writable and start hypo again"
    )]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the system said.
        problem: io::Error,
    },
    /// Somebody else's.
    #[error("texts that are not sent are not kept, as {path} belongs to user {owner}; remove it and start hypo again")]
    NotOurs {
        /// Which.
        path: PathBuf,
        /// The number of its owner.
        owner: u32,
    },
    /// Too many consoles.
    #[error(
        "texts that are not sent are not kept here: {CONSOLES_MAX} consoles of yours keep theirs already; leave one of them"
    )]
    Full,
}

/// What stands in a file.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    at: Timestamp,
    texts: Vec<Unsent>,
    question: String,
    /// Absent in what an earlier version left.
    #[serde(default)]
    line: String,
    /// Read on its own: texts are worth more than a place that another version has no name for.
    place: serde_json::Value,
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// Where this console keeps what it would leave behind.
#[derive(Debug)]
pub struct Shelf {
    path: PathBuf,
    /// Held for as long as the console runs.
    _lock: File,
}

/// What was found at a start.
#[derive(Debug, Default)]
pub struct Found {
    /// What earlier consoles left.
    pub left: LeftOff,
    /// Files that could not be read, each in words.
    pub problems: Vec<FileProblem>,
}

impl Shelf {
    /// Takes a place in `folder`, which is made where it is missing, and what earlier consoles left there.
    ///
    /// # Errors
    /// When the folder cannot be used, or is full.
    pub fn open(folder: &Path, now: Timestamp) -> Result<(Self, Found), ShelfProblem> {
        let failed = |problem| ShelfProblem::Folder { path: folder.to_owned(), problem };
        prepare(folder)?;
        let mut free = Vec::new();
        for number in 1..=CONSOLES_MAX {
            let path = folder.join(format!("{number}.json"));
            // One that is not there has nothing to take over, once there is a place for this console.
            if (free.is_empty() || path.exists())
                && let Some(lock) = lock(&folder.join(format!("{number}.lock"))).map_err(failed)?
            {
                free.push((path, lock));
            }
        }
        let mut found = Found::default();
        let mut read = Vec::new();
        for (path, _) in &free {
            match load(path) {
                Ok(None) => {}
                Ok(Some(kept)) => read.push(kept),
                Err(problem) => found.problems.push(set_aside(path, &problem).map_err(failed)?),
            }
        }
        read.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        for (at, mut left) in read {
            left.place = left.place.filter(|_| (0..PLACE_MS).contains(&now.since_ms(at)));
            found.left.take_in(left);
        }
        let mut free = free.into_iter();
        let (path, lock) = free.next().ok_or(ShelfProblem::Full)?;
        let shelf = Self { path, _lock: lock };
        let others: Vec<_> = free.collect();
        if let Err(problem) = shelf.take_over(&others, &found.left, now) {
            // What was found is there all the same, and is found once more by the next console.
            let text =
                format!("texts that were not sent stay in several files: {problem}; make room or the folder writable");
            found.problems.push(FileProblem { file: folder.display().to_string().into(), line: 0, text: text.into() });
        }
        Ok((shelf, found))
    }

    /// Keeps what was found in files of others in this one, and only then removes those.
    fn take_over(&self, others: &[(PathBuf, File)], left: &LeftOff, now: Timestamp) -> io::Result<()> {
        if others.is_empty() {
            return Ok(());
        }
        self.write(left, now, true)?;
        others.iter().try_for_each(|(other, _lock)| remove(other))
    }

    /// Keeps this in place of what was kept; flushed where that must outlive a crash of the machine.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, left: &LeftOff, at: Timestamp, is_flushed: bool) -> io::Result<()> {
        let place = serde_json::to_value(&left.place).map_err(io::Error::other)?;
        let LeftOff { texts, question, line, .. } = left.clone();
        let kept = Kept { version: VERSION, at, texts, question, line, place };
        let text = serde_json::to_vec_pretty(&kept).map_err(io::Error::other)?;
        let fresh = self.path.with_extension("new");
        // What a crash left there may be anything.
        remove(&fresh)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(&text)?;
        if is_flushed {
            file.sync_data()?;
        }
        fs::rename(&fresh, &self.path)
    }
}

/// Makes the folder, or makes sure that it is closed to others.
fn prepare(folder: &Path) -> Result<(), ShelfProblem> {
    let failed = |problem| ShelfProblem::Folder { path: folder.to_owned(), problem };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let facts = fs::symlink_metadata(folder).map_err(failed)?;
    if !facts.is_dir() || facts.uid() != nix::unistd::getuid().as_raw() {
        return Err(ShelfProblem::NotOurs { path: folder.to_owned(), owner: facts.uid() });
    }
    if facts.mode() & 0o077 != 0 {
        fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(failed)?;
    }
    Ok(())
}

/// The lock of a console's file; `None` where a console holds it.
fn lock(path: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(problem)) => Err(problem),
    }
}

/// What a console left, and when; `None` where there is no file.
fn load(path: &Path) -> Result<Option<(Timestamp, LeftOff)>, String> {
    let flags = nix::fcntl::OFlag::O_NOFOLLOW.bits();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(None),
        Err(problem) => return Err(problem.to_string()),
    };
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|problem| problem.to_string())?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(format!("it has more than {BYTES_MAX} bytes"));
    }
    parse(&bytes).map(Some)
}

fn parse(bytes: &[u8]) -> Result<(Timestamp, LeftOff), String> {
    let Versioned { version } = serde_json::from_slice(bytes).map_err(|problem| problem.to_string())?;
    if version != VERSION {
        return Err(format!("it is of form {version}, and this hypo knows form {VERSION}"));
    }
    let Kept { at, texts, question, line, place, .. } =
        serde_json::from_slice(bytes).map_err(|problem| problem.to_string())?;
    let place: Option<Place> = serde_json::from_value(place).unwrap_or_default();
    Ok((at, LeftOff { texts, question, line, place }))
}

/// Moves a file out of the way, and says so.
fn set_aside(path: &Path, problem: &str) -> io::Result<FileProblem> {
    let names = (1..=ASIDE_MAX).map(|number| path.with_extension(format!("unreadable-{number}")));
    let last = path.with_extension(format!("unreadable-{ASIDE_MAX}"));
    let aside = names.into_iter().find(|name| !name.exists()).unwrap_or(last);
    fs::rename(path, &aside)?;
    let text = format!(
        "texts that were not sent cannot be read: {problem}; the file is set aside as {} and may be read by eye",
        aside.display()
    );
    Ok(FileProblem { file: path.display().to_string().into(), line: 0, text: text.into() })
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(problem) if problem.kind() != ErrorKind::NotFound => Err(problem),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
