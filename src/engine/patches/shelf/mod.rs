//! Where the feeds are kept: one file a feed beside the store, replaced as a whole, and what became of each try to renew it.
//!
//! ```text
//! advisories/kev.feed      hypo feed 1 <SHA-256 of the rest, hex>     one line
//!                          {"taken_at": …, "origin": …}               one line of JSON: where it is from, its counts
//!                          …                                          the entries, in postcard, in the order of their keys
//! advisories/health.json   what became of the last try of each feed
//! advisories/lock          held while a feed is renewed
//! ```
//!
//! A feed is read as a whole, never by entry, can be had again, and must be renewed beside a running hypo, which holds the
//! store: so it is no tree of sled.

pub mod health;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::feeds::FeedKind;
use super::feeds::document::FeedEntry;
use crate::engine::clock::Timestamp;
use crate::engine::durable_file::{private, replace};

/// How a file begins.
const MAGIC: &str = "hypo feed 1 ";
/// Longest line before the entries.
const LINE_BYTES_MAX: u64 = 65_536;

/// Where a feed's entries are from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FeedHead {
    /// When they were taken.
    pub taken_at: Timestamp,
    /// From which address or file.
    pub origin: String,
    /// The day or version that the document gives itself.
    pub of: Option<String>,
    /// Entries.
    pub count: usize,
    /// Entries of the last document that were left out.
    pub set_aside_count: usize,
    /// Why the first of them was.
    pub first_problem: Option<String>,
    /// What the server calls this state of it.
    pub etag: Option<String>,
    /// When the server says that it last changed.
    pub last_modified: Option<String>,
    /// The same of each part that is fetched by itself.
    #[serde(default)]
    pub part_etags: BTreeMap<String, String>,
    /// Changes at the source up to here are in it; for feeds that are renewed by their changes.
    pub cursor: Option<Timestamp>,
    /// Where to go on with a first download that was interrupted.
    pub resume_at: Option<u64>,
}

/// A feed as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept<T> {
    /// Where it is from.
    pub head: FeedHead,
    /// Its entries, in the order of their keys.
    pub entries: Vec<T>,
}

/// Why the shelf cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// The system refuses.
    #[error("cannot use {path}: {problem}; check who may write there, or choose another folder with --state-dir")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        problem: io::Error,
    },
    /// What is there is not what was written.
    #[error("{path} is damaged: {problem}; take the feed again with `hypo advisories sync --feed {feed}` or `import`")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What was found.
        problem: String,
        /// Whose it is.
        feed: &'static str,
    },
    /// Another process renews feeds.
    #[error("another hypo renews feeds in {0} right now; wait until it has ended")]
    Busy(PathBuf),
}

/// The folder with the feeds.
#[derive(Debug, Clone)]
pub struct Shelf {
    folder: PathBuf,
}

/// Held while feeds are renewed.
#[derive(Debug)]
pub struct Renewal {
    lock: File,
}

impl Drop for Renewal {
    fn drop(&mut self) {
        // It goes with the process at the latest.
        let _gone = self.lock.unlock();
    }
}

impl Shelf {
    /// The feeds beside the store in `state_dir`; nothing is made yet.
    #[must_use]
    pub fn of(state_dir: &Path) -> Self {
        Self { folder: state_dir.join("advisories") }
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps other processes from renewing feeds for as long as it is held.
    ///
    /// # Errors
    /// When the folder cannot be written, or another process renews.
    pub fn renewal(&self) -> Result<Renewal, ShelfError> {
        let failed = |problem| ShelfError::File { path: self.folder.clone(), problem };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(failed)?;
        let lock = private().write(true).create(true).truncate(false).open(self.folder.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Renewal { lock }),
            Err(fs::TryLockError::WouldBlock) => Err(ShelfError::Busy(self.folder.clone())),
            Err(fs::TryLockError::Error(problem)) => Err(failed(problem)),
        }
    }

    /// Where a feed is from; `None` where it was never taken.
    ///
    /// # Errors
    /// When its file cannot be read or does not begin as it should.
    pub fn head(&self, feed: FeedKind) -> Result<Option<FeedHead>, ShelfError> {
        let path = self.file(feed);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(None),
            Err(problem) => return Err(ShelfError::File { path, problem }),
        };
        let mut reader = BufReader::new(io::Read::take(file, 2 * LINE_BYTES_MAX));
        let mut lines = [String::new(), String::new()];
        for line in &mut lines {
            reader.read_line(line).map_err(|problem| self.damaged(feed, problem.to_string()))?;
        }
        let [first, head] = lines;
        first.strip_prefix(MAGIC).ok_or_else(|| self.damaged(feed, "it does not begin as a feed does".to_owned()))?;
        serde_json::from_str(&head).map(Some).map_err(|problem| self.damaged(feed, problem.to_string()))
    }

    /// A feed's entries; `None` where it was never taken.
    ///
    /// # Errors
    /// When its file cannot be read, or is not as it was written.
    pub fn load<T: FeedEntry>(&self) -> Result<Option<Kept<T>>, ShelfError> {
        let path = self.file(T::KIND);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(None),
            Err(problem) => return Err(ShelfError::File { path, problem }),
        };
        read_file(&bytes).map(Some).map_err(|problem| self.damaged(T::KIND, problem))
    }

    /// Puts a feed in place of the one before: whole on the disk, or not at all.
    ///
    /// # Errors
    /// When it cannot be written; the one before stays.
    pub fn keep<T: FeedEntry>(&self, kept: &Kept<T>, _renewal: &Renewal) -> Result<(), ShelfError> {
        let path = self.file(T::KIND);
        let written = file_of(kept).and_then(|bytes| replace(&path, &bytes));
        written.map_err(|problem| ShelfError::File { path, problem })
    }

    fn file(&self, feed: FeedKind) -> PathBuf {
        self.folder.join(format!("{}.feed", feed.word()))
    }

    fn damaged(&self, feed: FeedKind, problem: String) -> ShelfError {
        ShelfError::Damaged { path: self.file(feed), problem, feed: feed.word() }
    }
}

fn file_of<T: FeedEntry>(kept: &Kept<T>) -> io::Result<Vec<u8>> {
    let mut rest = serde_json::to_vec(&kept.head)?;
    rest.push(b'\n');
    let rest = postcard::to_extend(&kept.entries, rest).map_err(io::Error::other)?;
    let mut bytes = format!("{MAGIC}{}\n", digest(&rest)).into_bytes();
    bytes.extend_from_slice(&rest);
    Ok(bytes)
}

fn read_file<T: FeedEntry>(bytes: &[u8]) -> Result<Kept<T>, String> {
    let (first, rest) = split_line(bytes).ok_or("it is cut off")?;
    let sum = first.strip_prefix(MAGIC.as_bytes()).ok_or("it does not begin as a feed does")?;
    if digest(rest).as_bytes() != sum {
        return Err("its check sum differs".to_owned());
    }
    let (head, entries) = split_line(rest).ok_or("it is cut off")?;
    let head = serde_json::from_slice(head).map_err(|problem| problem.to_string())?;
    let entries = postcard::from_bytes(entries).map_err(|problem| problem.to_string())?;
    Ok(Kept { head, entries })
}

fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

pub(super) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
