//! What was mended, and how long that took: kept when a match goes, because the ledger forgets it then.
//!
//! A match that goes is no proof of a patch by itself: the feeds may have changed their mind. So each entry says how it went, and
//! only what was upgraded or removed counts as mended.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::advisory_id::AdvisoryId;
use super::inventory::file::{self, FileError};
use super::risk::RiskBand;
use crate::engine::clock::Timestamp;
use crate::engine::limits::MENDED_MAX;

/// How the file begins; another number is another form.
const MAGIC: &str = "hypo mended 1 ";
const FILE: &str = "mended";

/// How a match went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Going {
    /// A version that is not affected is installed.
    Upgraded,
    /// The package is no longer installed.
    Removed,
    /// The feeds no longer say that it is affected.
    NoLongerSaid,
}

/// A vulnerability that no longer affects an asset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mended {
    /// Which asset.
    pub asset: String,
    /// Its ring then; empty where nobody said.
    pub ring: String,
    /// Its owner then; empty where nobody said.
    pub owner: String,
    /// The source package.
    pub package: String,
    /// The vulnerability.
    pub id: AdvisoryId,
    /// How urgent it was when it went; `None` is unknown.
    pub band: Option<RiskBand>,
    /// When it was first found there.
    pub first_at: Timestamp,
    /// When it was seen to be gone; never before that.
    pub mended_at: Timestamp,
    /// How it went.
    pub going: Going,
}

/// The newest of what was mended, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    entries: Vec<Mended>,
    /// Entries that were dropped to make room.
    dropped_count: u64,
}

impl History {
    /// The history in the state directory; empty where there is none yet.
    ///
    /// # Errors
    /// When it cannot be read, or is not as it was written.
    pub fn load(state_dir: &Path) -> Result<Self, FileError> {
        Ok(file::read(&state_dir.join(FILE), MAGIC)?.unwrap_or_default())
    }

    /// Puts it in place of the one before.
    ///
    /// # Errors
    /// When it cannot be written; the one before stays.
    pub fn keep(&self, state_dir: &Path) -> Result<(), FileError> {
        file::write(&state_dir.join(FILE), MAGIC, self)
    }

    /// All of it, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Mended] {
        &self.entries
    }

    /// Entries that were dropped to make room.
    #[must_use]
    pub fn dropped_count(&self) -> u64 {
        self.dropped_count
    }

    /// Takes in what went. What is there already, as after a crash between two files, is not counted twice; a clock that went
    /// back makes no time negative.
    pub fn add(&mut self, gone: Vec<Mended>) {
        let key = |entry: &Mended| (entry.asset.clone(), entry.package.clone(), entry.id.clone(), entry.first_at);
        let known: BTreeSet<_> = self.entries.iter().map(key).collect();
        for entry in gone.into_iter().filter(|entry| !known.contains(&key(entry))) {
            self.entries.push(Mended { mended_at: entry.mended_at.max(entry.first_at), ..entry });
        }
        let over = self.entries.len().saturating_sub(MENDED_MAX);
        self.entries.drain(..over);
        self.dropped_count += over as u64;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(number: u32, first_at: i64, mended_at: i64) -> Mended {
        Mended {
            asset: "a".into(),
            ring: String::new(),
            owner: String::new(),
            package: "p".into(),
            id: format!("CVE-2026-{number:04}").parse().unwrap(),
            band: Some(RiskBand::High),
            first_at: Timestamp(first_at),
            mended_at: Timestamp(mended_at),
            going: Going::Upgraded,
        }
    }

    #[test]
    fn it_reads_back_is_bounded_and_counts_nothing_twice() {
        let folder = tempfile::tempdir().unwrap();
        let mut history = History::load(folder.path()).unwrap();
        history.add(vec![entry(1, 5, 9), entry(2, 5, 9)]);
        history.add(vec![entry(1, 5, 12)]);
        history.add(vec![entry(1, 20, 25)]);
        assert_eq!(history.entries().len(), 3, "found again later is another one");
        history.keep(folder.path()).unwrap();
        assert_eq!(History::load(folder.path()).unwrap(), history);
        history.add((0..MENDED_MAX).map(|n| entry(1, 30 + n as i64, 90)).collect());
        assert_eq!((history.entries().len(), history.dropped_count()), (MENDED_MAX, 3));
        std::fs::write(folder.path().join("mended"), "hypo mended 2 x\n").unwrap();
        assert!(History::load(folder.path()).unwrap_err().to_string().contains("is damaged"));
    }

    proptest! {
        #[test]
        fn no_time_is_negative(times in prop::collection::vec((0_i64..1_000, 0_i64..1_000), 0..20)) {
            let mut history = History::default();
            let entries = (1..).zip(times).map(|(number, (first, mended))| entry(number, first, mended));
            history.add(entries.collect());
            prop_assert!(history.entries().iter().all(|entry| entry.mended_at >= entry.first_at));
        }
    }
}
