//! What the public feeds say of vulnerabilities, read from their own documents: by a download or from a file, the same.
//!
//! A document that cannot be read as a whole is refused and what was known stays; an entry that cannot be read is left out
//! and counted.

pub mod debian;
pub mod document;
pub mod epss;
pub mod kev;
pub mod nvd;
pub mod osv;
pub mod zip;

use serde::{Deserialize, Serialize};

use super::advisory_id::AdvisoryId;
use super::cve::CveId;

/// A public feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedKind {
    /// CISA's catalogue of what is known to be exploited.
    Kev,
    /// FIRST's estimate of what will be exploited.
    Epss,
    /// NIST's database of vulnerabilities, for their scores.
    Nvd,
    /// OSV's advisories.
    Osv,
    /// Debian's security tracker.
    Debian,
}

impl FeedKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Kev, Self::Epss, Self::Nvd, Self::Osv, Self::Debian];

    /// As it is written on the command line and in file names.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Kev => "kev",
            Self::Epss => "epss",
            Self::Nvd => "nvd",
            Self::Osv => "osv",
            Self::Debian => "debian",
        }
    }

    /// As people call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Kev => "KEV",
            Self::Epss => "EPSS",
            Self::Nvd => "NVD",
            Self::Osv => "OSV",
            Self::Debian => "Debian security tracker",
        }
    }
}

/// Why a document was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// It is cut off, or no document of this feed.
    #[error("the {feed} document cannot be read: {problem}; what was known before stays")]
    Unreadable {
        /// Which feed.
        feed: &'static str,
        /// What is wrong, and where.
        problem: String,
    },
    /// It has far fewer entries than the one before.
    #[error(
        "the {feed} document has {now} entries where the one before had {before}: it is refused and the one before stays; look at the feed, and take it with --allow-shrink REASON if it is right"
    )]
    Shrunk {
        /// Which feed.
        feed: &'static str,
        /// Entries before.
        before: usize,
        /// Entries now.
        now: usize,
    },
    /// It can be read and says nothing, or little of what it holds can be read.
    #[error(
        "of the {feed} document {taken} entries can be used and {dropped} cannot{because}; what was known before stays"
    )]
    Empty {
        /// Which feed.
        feed: &'static str,
        /// Entries that could be used.
        taken: usize,
        /// Entries that were left out.
        dropped: usize,
        /// Why the first of them was.
        because: String,
    },
}

/// What a document gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Read<T> {
    /// Its entries.
    pub entries: Vec<T>,
    /// Entries that were left out.
    pub dropped_count: usize,
    /// Why the first of them was.
    pub first_problem: Option<String>,
}

impl<T> Read<T> {
    fn new() -> Self {
        Self { entries: Vec::new(), dropped_count: 0, first_problem: None }
    }

    /// Adds what another document gave.
    pub(in crate::engine::patches) fn add(&mut self, other: Self) {
        self.entries.extend(other.entries);
        self.dropped_count += other.dropped_count;
        self.first_problem = self.first_problem.take().or(other.first_problem);
    }

    fn take(&mut self, entry: Result<T, String>) {
        match entry {
            Ok(entry) => self.entries.push(entry),
            Err(problem) => {
                self.dropped_count += 1;
                self.first_problem.get_or_insert(problem);
            }
        }
    }

    /// Refuses a document of which most cannot be used: its form has changed, or it is another feed's.
    ///
    /// # Errors
    /// When it has no entry, or as many were left out as taken.
    pub fn not_empty(&self, feed: &'static str) -> Result<(), FeedError> {
        let (taken, dropped) = (self.entries.len(), self.dropped_count);
        if taken > dropped {
            return Ok(());
        }
        let because =
            self.first_problem.as_ref().map_or_else(String::new, |problem| format!(", the first because {problem}"));
        Err(FeedError::Empty { feed, taken, dropped, because })
    }

    /// Holds it against the number of entries before.
    ///
    /// # Errors
    /// When it has no more than half of them.
    pub fn not_shrunk(&self, feed: &'static str, before: usize) -> Result<(), FeedError> {
        let now = self.entries.len();
        if before > 0 && now * 2 <= before { Err(FeedError::Shrunk { feed, before, now }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_what_there_was_is_refused() {
        let of = |count: usize| Read { entries: vec![(); count], dropped_count: 0, first_problem: None };
        assert!(of(51).not_shrunk("KEV", 100).is_ok());
        assert!(of(0).not_shrunk("KEV", 0).is_ok());
        let refused = of(50).not_shrunk("KEV", 100).unwrap_err().to_string();
        assert!(refused.contains("50 entries where the one before had 100"), "{refused}");
        let mostly =
            |taken: usize, dropped_count| Read { entries: vec![(); taken], dropped_count, first_problem: None };
        assert!(mostly(3, 2).not_empty("KEV").is_ok());
        for (taken, dropped) in [(0, 0), (2, 2), (0, 5)] {
            assert!(mostly(taken, dropped).not_empty("KEV").is_err(), "{taken} {dropped}");
        }
    }
}
