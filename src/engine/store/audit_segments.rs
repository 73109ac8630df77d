//! The audit log's sealed files, in the folder `audit` beside the open one: named by their first entry, each with its signed
//! end, and never written to again. The oldest go as a whole, up to an entry that the signed anchor names.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::disk_sync::entries;
use super::set_aside::{bytes_below, make_folder};
use crate::engine::audit::chain::GENESIS;
use crate::engine::audit::head::{BrokenHead, End, Head};
use crate::engine::clock::Timestamp;
use crate::engine::durable_file;

/// Their folder in the store's.
pub(super) const FOLDER: &str = "audit";
/// The anchor's file in it.
const ANCHOR: &str = "anchor";
/// Digits of a name, so that names sort as their numbers do.
const DIGITS: usize = 20;

/// A sealed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sealed {
    /// Number of its first entry.
    first: u64,
    log: PathBuf,
}

impl Sealed {
    /// The one that begins with this entry.
    fn beginning_with(folder: &Path, first: u64) -> Self {
        Self { first, log: folder.join(FOLDER).join(format!("{first:0DIGITS$}.jsonl")) }
    }

    /// Where it is.
    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    /// Its name in the store's folder.
    pub(super) fn name(&self) -> String {
        format!("{FOLDER}/{:0DIGITS$}.jsonl", self.first)
    }

    /// Its signed end.
    pub(super) fn head(&self) -> Result<Head, String> {
        let text = std::fs::read_to_string(self.head_file()).map_err(|problem| problem.to_string())?;
        Head::read(&text).map_err(|problem| problem.to_string())
    }

    fn head_file(&self) -> PathBuf {
        self.log.with_extension("head")
    }
}

/// Whether a file of a backup may be one of these: a name out of a file is no place to write to.
pub(super) fn is_name(name: &str) -> bool {
    let Some(file) = name.strip_prefix(FOLDER).and_then(|rest| rest.strip_prefix('/')) else { return false };
    let number = file.strip_suffix(".jsonl").or_else(|| file.strip_suffix(".head"));
    file == ANCHOR || number.is_some_and(is_number)
}

fn is_number(name: &str) -> bool {
    name.len() == DIGITS && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// The sealed files as they are on disk, in their order.
#[derive(Debug)]
pub(super) struct Segments {
    folder: PathBuf,
    /// The last of the entries that were let go, signed.
    pub(super) anchor: Result<Option<Head>, String>,
    pub(super) sealed: Vec<Sealed>,
    /// What is still there of those that were let go, be it the signed end alone.
    left: Vec<Sealed>,
}

impl Segments {
    /// Those in the store's folder.
    pub(super) fn list(folder: &Path) -> io::Result<Self> {
        let found = entries(&folder.join(FOLDER))?;
        // After the files: whoever lets some go meanwhile replaces it before they are gone.
        let anchor = read_anchor(folder);
        let begins_after = anchor.as_ref().ok().and_then(Option::as_ref).map_or(0, |head| head.end.sequence);
        // An end without its log is what a crash left, before it was sealed or while it was let go.
        let those = |suffix: &str| found.iter().filter_map(|path| number_of(path, suffix)).collect::<BTreeSet<u64>>();
        let (mut left, logs) = (those(".head"), those(".jsonl"));
        left.extend(&logs);
        let beginning_with = |first: u64| Sealed::beginning_with(folder, first);
        let sealed = logs.into_iter().filter(|first| *first > begins_after).map(beginning_with).collect();
        let left = left.into_iter().filter(|first| *first <= begins_after).map(beginning_with).collect();
        Ok(Self { folder: folder.to_path_buf(), anchor, sealed, left })
    }

    /// The entry after which the log begins.
    pub(super) fn begins_after(&self) -> End {
        let genesis = End { sequence: 0, hash: GENESIS.to_owned(), bytes: 0, at: Timestamp(0) };
        self.anchor.as_ref().ok().and_then(Option::as_ref).map_or(genesis, |head| head.end.clone())
    }

    /// What is to be read for all after the entry `known`, which is sealed: the files from this one on, which begin after that end.
    /// One whose end cannot be told is read as well.
    pub(super) fn from(&self, known: u64) -> (&[Sealed], End) {
        for (index, one) in self.sealed.iter().enumerate().rev() {
            if let Some(head) = one.head().ok().filter(|head| head.end.sequence <= known) {
                return (self.sealed.get(index + 1..).unwrap_or_default(), head.end);
            }
        }
        (&self.sealed, self.begins_after())
    }

    /// Number of the last sealed entry; 0 where nothing is sealed, and the highest there is where it cannot be told.
    pub(super) fn last(&self) -> u64 {
        match self.sealed.last() {
            Some(newest) => newest.head().map_or(u64::MAX, |head| head.end.sequence),
            None => self.begins_after().sequence,
        }
    }

    /// Bytes of all of them.
    pub(super) fn bytes(&self) -> io::Result<u64> {
        self.sealed.iter().map(|one| bytes_below(&one.log)).sum()
    }

    /// Seals the file `log`, which begins with the entry `first`. It is known by its name and its signed end alone: until it is
    /// renamed, which comes last, it is the open one.
    pub(super) fn seal(&mut self, log: &Path, first: u64, head: &Head) -> io::Result<()> {
        make_folder(&self.folder.join(FOLDER))?;
        let sealed = Sealed::beginning_with(&self.folder, first);
        let text = head.text().map_err(io::Error::other)?;
        durable_file::replace(&sealed.head_file(), text.as_bytes())?;
        std::fs::rename(log, &sealed.log)?;
        self.sealed.push(sealed);
        Ok(())
    }

    /// Waits until what was sealed is there under its name.
    pub(super) fn sync(&self) -> io::Result<()> {
        durable_file::wait_for_names(&self.folder.join(FOLDER))?;
        durable_file::wait_for_names(&self.folder)
    }

    /// Lets go of all up to the anchor, which is on disk then; their files are for [`Self::remove_left`].
    pub(super) fn let_go(&mut self, anchor: Head) -> io::Result<()> {
        let text = anchor.text().map_err(io::Error::other)?;
        durable_file::replace(&self.folder.join(FOLDER).join(ANCHOR), text.as_bytes())?;
        let (left, sealed): (Vec<Sealed>, Vec<Sealed>) =
            std::mem::take(&mut self.sealed).into_iter().partition(|it| it.first <= anchor.end.sequence);
        (self.anchor, self.sealed) = (Ok(Some(anchor)), sealed);
        self.left.extend(left);
        Ok(())
    }

    /// Removes what was let go of and is still there. What cannot be removed keeps nothing else, and is tried again the next time.
    pub(super) fn remove_left(&mut self) -> io::Result<()> {
        let mut first_problem = None;
        self.left.retain(|one| {
            // In this order: whoever found the log finds its end as well.
            let removed = removed(&one.log).and_then(|()| removed(&one.head_file()));
            let is_there = removed.is_err();
            if let Err(problem) = removed {
                let path = one.log.display();
                first_problem.get_or_insert_with(|| io::Error::new(problem.kind(), format!("{path}: {problem}")));
            }
            is_there
        });
        first_problem.map_or(Ok(()), Err)
    }
}

fn removed(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(problem) if problem.kind() != io::ErrorKind::NotFound => Err(problem),
        _ => Ok(()),
    }
}

/// The number in a name that ends like this.
fn number_of(path: &Path, suffix: &str) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_suffix(suffix)?;
    Some(name).filter(|name| is_number(name))?.parse().ok()
}

fn read_anchor(folder: &Path) -> Result<Option<Head>, String> {
    let told = |problem: &dyn std::fmt::Display| format!("{FOLDER}/{ANCHOR}: {problem}");
    match std::fs::read_to_string(folder.join(FOLDER).join(ANCHOR)) {
        Ok(text) => Head::read_anchor(&text).map(Some).map_err(|problem: BrokenHead| told(&problem)),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(problem) => Err(told(&problem)),
    }
}
