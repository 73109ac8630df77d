//! The newest numbers that were acknowledged, in a file beside sled's: what sled loses with damage to its files it does not
//! know itself.
//!
//! ```text
//! hypo acknowledged 2: incidents 3 anomalies 10 changes 2 runs 1 audit 60 writes 812
//! ```
//!
//! Writes are counted because numbers alone say nothing of what was written again: where sled loses its newest part, a run that
//! was under way is there as it was before. Form 1 had no writes.
//!
//! It is written after the flush that it tells of, in one write, and not flushed: after a power failure it may tell of less
//! than was kept, never of more. One that cannot be read counts as none.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::schema::{Entry, TreeName};
use super::write::sequence_of;

/// Name of the file in the store's folder.
pub(super) const FILE: &str = "acknowledged";
const MAGIC: &str = "hypo acknowledged 2:";
const MAGIC_1: &str = "hypo acknowledged 1:";
const WRITES: &str = "writes";
/// The trees whose keys count upwards, and are never taken back.
const COUNTED: [TreeName; 5] =
    [TreeName::Incidents, TreeName::Anomalies, TreeName::Changes, TreeName::Runs, TreeName::Audit];
/// Length of the text, so that a shorter one leaves nothing of a longer one.
const BYTES: usize = 256;

/// The newest number of each counted tree; 0 where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    newest: [u64; COUNTED.len()],
    /// How many writes there were in all.
    pub(super) writes: u64,
}

impl Numbers {
    /// The newest number of `tree`; 0 for one that is not counted.
    pub(super) fn of(&self, tree: TreeName) -> u64 {
        COUNTED.iter().zip(&self.newest).find(|(counted, _)| **counted == tree).map_or(0, |(_, number)| *number)
    }

    /// Takes an entry in.
    pub(super) fn take(&mut self, entry: &Entry) {
        self.raise(entry.tree, sequence_of(&entry.key));
    }

    /// The newest number of `tree` is at least this.
    pub(super) fn raise(&mut self, tree: TreeName, number: u64) {
        let place = COUNTED.iter().zip(&mut self.newest).find(|(counted, _)| **counted == tree);
        if let Some((_, newest)) = place {
            *newest = (*newest).max(number);
        }
    }

    /// What is told here and not there any more, for people; `None` where nothing is. `there` gives the newest number in a tree.
    pub(super) fn missing(&self, there: impl Fn(TreeName) -> u64) -> Option<String> {
        let lost = COUNTED.iter().filter_map(|tree| {
            let (known, found) = (self.of(*tree), there(*tree));
            (found < known).then(|| format!("{} {} to {known}", tree.word(), found + 1))
        });
        let lost: Vec<String> = lost.collect();
        (!lost.is_empty()).then(|| lost.join(", "))
    }

    /// As the file has them.
    pub(super) fn text(&self) -> String {
        let numbers: String = COUNTED.iter().map(|tree| format!(" {} {}", tree.word(), self.of(*tree))).collect();
        format!("{:<width$}\n", format!("{MAGIC}{numbers} {WRITES} {}", self.writes), width = BYTES - 1)
    }

    /// Reads that; `None` of anything else.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let text = text.trim_end();
        let of_now = text.strip_prefix(MAGIC);
        let mut words = of_now.or_else(|| text.strip_prefix(MAGIC_1))?.split_whitespace();
        let mut numbers = Self::default();
        for (tree, number) in COUNTED.iter().zip(&mut numbers.newest) {
            (words.next()? == tree.word()).then_some(())?;
            *number = words.next()?.parse().ok()?;
        }
        if of_now.is_some() {
            (words.next()? == WRITES).then_some(())?;
            numbers.writes = words.next()?.parse().ok()?;
        }
        words.next().is_none().then_some(numbers)
    }
}

/// The open file.
#[derive(Debug)]
pub(super) struct Acknowledged {
    file: File,
    told: Numbers,
    seen: Numbers,
}

impl Acknowledged {
    /// Opens the file in the store's folder, making it where there is none.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits())
            .open(folder.join(FILE))?;
        let mut bytes = Vec::new();
        file.by_ref().take(2 * BYTES as u64).read_to_end(&mut bytes)?;
        let told = Numbers::from_text(&String::from_utf8_lossy(&bytes)).unwrap_or_default();
        Ok(Self { file, told, seen: told })
    }

    /// What it told when it was opened, and since.
    pub(super) fn numbers(&self) -> Numbers {
        self.told
    }

    /// These have been written, and are acknowledged by the next flush.
    pub(super) fn see(&mut self, entries: &[Entry], writes: u64) {
        entries.iter().for_each(|entry| self.seen.take(entry));
        self.seen.writes = self.seen.writes.max(writes);
    }

    /// There were as many writes at least: after a power failure the file may tell of fewer than are there.
    pub(super) fn raise_writes(&mut self, writes: u64) {
        self.seen.writes = self.seen.writes.max(writes);
    }

    /// Numbers up to this are taken, whatever is there.
    pub(super) fn raise(&mut self, tree: TreeName, number: u64) {
        self.told.raise(tree, number);
        self.seen.raise(tree, number);
    }

    /// The number of the next write.
    pub(super) fn next_write(&self) -> u64 {
        self.seen.writes.saturating_add(1)
    }

    /// Everything seen has reached the disk.
    pub(super) fn flushed(&mut self) {
        if self.seen == self.told {
            return;
        }
        match self.file.write_all_at(self.seen.text().as_bytes(), 0) {
            Ok(()) => self.told = self.seen,
            Err(reason) => tracing::warn!(%reason, "which numbers were acknowledged is not noted"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_and_anything_else_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let entry = |tree, number: u64| Entry { tree, key: number.to_be_bytes().to_vec(), value: Vec::new() };
        let mut file = Acknowledged::open(folder.path()).unwrap();
        file.see(&[entry(TreeName::Audit, 60), entry(TreeName::Runs, 7), entry(TreeName::Alerts, 9)], 5);
        assert_eq!(Acknowledged::open(folder.path()).unwrap().numbers(), Numbers::default(), "not flushed yet");
        file.flushed();
        file.see(&[entry(TreeName::Runs, 3)], 6);
        file.flushed();
        let numbers = Acknowledged::open(folder.path()).unwrap().numbers();
        assert_eq!((numbers.of(TreeName::Audit), numbers.of(TreeName::Runs), numbers.of(TreeName::Alerts)), (60, 7, 0));
        assert_eq!(numbers.writes, 6);
        let earlier =
            Numbers::from_text("hypo acknowledged 1: incidents 1 anomalies 2 changes 3 runs 4 audit 5\n").unwrap();
        assert_eq!((earlier.of(TreeName::Runs), earlier.writes), (4, 0), "form 1 is read");
        assert_eq!(numbers.missing(|tree| numbers.of(tree)), None);
        assert_eq!(numbers.missing(|_| 20).unwrap(), "audit 21 to 60");
        for text in ["", "hypo acknowledged 2: audit 1", "hypo acknowledged 1: audit 1", "\u{0}"] {
            std::fs::write(folder.path().join(FILE), text).unwrap();
            assert_eq!(Acknowledged::open(folder.path()).unwrap().numbers(), Numbers::default(), "{text:?}");
        }
    }
}
