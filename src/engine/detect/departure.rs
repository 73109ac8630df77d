//! What a series has departed from: its scorer as it was when it left.
//!
//! The scorer itself goes on and learns what comes. What the series was before stays the measure, with its season, until
//! the series is back, and then the scorer is again what it was: an incident teaches nothing. One that stays away for
//! longer than any odd day has a new level; then what the scorer has learnt meanwhile stands.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::scorer::SeriesScorer;
use super::state::kept_scorer;

/// Samples in a row on which a departure that was not told may be back before it is given up.
const BACK_SAMPLES: u8 = 4;

/// How a departure that surprised the scorer is measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Gauge {
    /// A jump: from where the series was, so far from what is usual.
    Jump {
        /// In the series' unit.
        from: f64,
        /// When, in milliseconds since the epoch.
        at: i64,
    },
    /// Another level: from what is usual, each sigma counting so many times.
    Level {
        /// By the scorer's evidence.
        gain: f64,
    },
}

/// What a series departed from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Departure {
    /// The scorer at the departure.
    #[serde(with = "kept_scorer")]
    before: Box<SeriesScorer>,
    /// When, in milliseconds since the epoch.
    pub since: i64,
    /// How it is measured; `None` where the scorer is not surprised and only a static threshold is passed.
    pub gauge: Option<Gauge>,
    /// Samples in a row that were back.
    back: u8,
}

/// Series that are away.
#[derive(Debug, Default)]
pub struct Departures {
    by_series: BTreeMap<u32, Departure>,
}

impl Departures {
    /// A series leaves what is usual.
    pub fn open(&mut self, index: u32, scorer: &SeriesScorer, since: i64) -> &mut Departure {
        self.by_series.entry(index).or_insert_with(|| Departure {
            before: Box::new(scorer.clone()),
            since,
            gauge: None,
            back: 0,
        })
    }

    /// What a series departed from, where it did.
    #[must_use]
    pub fn get(&self, index: u32) -> Option<&Departure> {
        self.by_series.get(&index)
    }

    /// What would be usual of a series that is away at `at_s`, in seconds since the epoch.
    pub fn usual_at(&mut self, index: u32, at_s: f64) -> Option<f64> {
        Some(self.by_series.get_mut(&index)?.before.usual_at(at_s))
    }

    /// Counts a sample that is back, or is not; true once a departure that was not told has been back for long enough.
    pub fn count_back(&mut self, index: u32, is_back: bool) -> bool {
        let Some(departure) = self.by_series.get_mut(&index) else {
            return false;
        };
        departure.back = if is_back { departure.back.saturating_add(1) } else { 0 };
        departure.back >= BACK_SAMPLES
    }

    /// The departure is over; gives the scorer as it was.
    pub fn close(&mut self, index: u32) -> Option<Box<SeriesScorer>> {
        self.by_series.remove(&index).map(|departure| departure.before)
    }

    /// Takes back one from before a restart.
    pub fn restore(&mut self, index: u32, departure: Departure) {
        self.by_series.insert(index, departure);
    }
}
