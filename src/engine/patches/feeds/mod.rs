//! What the public feeds say of vulnerabilities, read from their own documents: by a download or from a file, the same.
//!
//! A document that cannot be read as a whole is refused and what was known stays; an entry that cannot be read is left out
//! and counted.

pub mod debian;
pub mod epss;
pub mod kev;
pub mod nvd;

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
        "the {feed} document has {now} entries where the one before had {before}: it is refused and the one before stays; look at the feed"
    )]
    Shrunk {
        /// Which feed.
        feed: &'static str,
        /// Entries before.
        before: usize,
        /// Entries now.
        now: usize,
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

    fn take(&mut self, entry: Result<T, String>) {
        match entry {
            Ok(entry) => self.entries.push(entry),
            Err(problem) => {
                self.dropped_count += 1;
                self.first_problem.get_or_insert(problem);
            }
        }
    }

    /// Holds it against the number of entries before.
    ///
    /// # Errors
    /// When it has no more than half of them.
    pub fn not_shrunk(self, feed: &'static str, before: usize) -> Result<Self, FeedError> {
        let now = self.entries.len();
        if before > 0 && now * 2 <= before { Err(FeedError::Shrunk { feed, before, now }) } else { Ok(self) }
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
    }
}
