//! How the feeds are doing: what became of the last try of each, whether it succeeded or not.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use serde::{Deserialize, Serialize};

use super::{FeedHead, Renewal, Shelf, ShelfError, replace};
use crate::engine::clock::{HOUR_MS, Timestamp};
use crate::engine::patches::feeds::FeedKind;

/// What became of the last try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// When.
    pub at: Timestamp,
    /// Why it failed; `None` where it did not.
    pub error: Option<String>,
    /// Tries that failed since the last that did not.
    pub failed_in_a_row: u32,
}

/// How a feed stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedState {
    /// It was never taken.
    Missing,
    /// Its last try was good and not long ago.
    Fresh,
    /// It was not renewed for longer than the settings allow.
    Stale,
    /// Its last try failed; what was taken before is still there.
    Failing,
    /// Its file cannot be read.
    Damaged,
}

/// A feed in a listing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeedReport {
    /// Which.
    pub feed: FeedKind,
    /// How it stands.
    pub state: FeedState,
    /// Since it was last found to be the newest, in milliseconds.
    pub age_ms: Option<i64>,
    /// Where its entries are from.
    pub head: Option<FeedHead>,
    /// What became of the last try.
    pub tried: Option<Tried>,
    /// Why its file cannot be read.
    pub damage: Option<String>,
}

impl Shelf {
    /// What became of the last try of each feed. A file that cannot be read says nothing: feeds are told by their own files.
    #[must_use]
    pub fn tries(&self) -> BTreeMap<FeedKind, Tried> {
        let text = std::fs::read_to_string(self.folder().join("health.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Notes what became of a try.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note(
        &self,
        feed: FeedKind,
        at: Timestamp,
        error: Option<String>,
        _held: &Renewal,
    ) -> Result<(), ShelfError> {
        let path = self.folder().join("health.json");
        let mut tries = self.tries();
        let failed = tries.get(&feed).map_or(0, |tried| tried.failed_in_a_row);
        let failed_in_a_row = if error.is_some() { failed.saturating_add(1) } else { 0 };
        tries.insert(feed, Tried { at, error, failed_in_a_row });
        let written =
            serde_json::to_vec_pretty(&tries).map_err(|problem| std::io::Error::new(ErrorKind::InvalidData, problem));
        written.and_then(|bytes| replace(&path, &bytes)).map_err(|problem| ShelfError::File { path, problem })
    }

    /// How every feed is doing; one that was not renewed for `stale_after_ms` is stale.
    #[must_use]
    pub fn report(&self, now: Timestamp, stale_after_ms: i64) -> Vec<FeedReport> {
        let tries = self.tries();
        FeedKind::ALL.into_iter().map(|feed| self.report_of(feed, tries.get(&feed), now, stale_after_ms)).collect()
    }

    fn report_of(&self, feed: FeedKind, tried: Option<&Tried>, now: Timestamp, stale_after_ms: i64) -> FeedReport {
        let (head, damage) = match self.head(feed) {
            Ok(head) => (head, None),
            Err(problem) => (None, Some(problem.to_string())),
        };
        // A server that says that nothing changed makes it as new as one that sends it again.
        let confirmed = tried.filter(|tried| tried.error.is_none()).map(|tried| tried.at);
        let renewed_at = head.as_ref().map(|head| confirmed.map_or(head.taken_at, |at| at.max(head.taken_at)));
        let age_ms = renewed_at.map(|at| now.since_ms(at));
        let state = match (&head, &damage, age_ms) {
            (_, Some(_), _) => FeedState::Damaged,
            (None, ..) => FeedState::Missing,
            // A clock that went back by more than a little proves nothing either.
            (_, _, Some(age)) if age > stale_after_ms || age < -HOUR_MS => FeedState::Stale,
            _ if tried.is_some_and(|tried| tried.error.is_some()) => FeedState::Failing,
            _ => FeedState::Fresh,
        };
        FeedReport { feed, state, age_ms, head, tried: tried.cloned(), damage }
    }
}
