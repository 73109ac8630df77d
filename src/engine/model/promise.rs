//! A forecast held to its word: what was first told, how it ended, and how such forecasts have ended so far.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::engine::clock::Timestamp;

/// How a forecast ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForecastOutcome {
    /// The limit was reached within the interval that was told.
    Hit,
    /// The limit was reached at another time, or not at all although nobody intervened.
    Missed,
    /// Somebody made room, or changed the service and the trend went away: it cannot be known what would have come.
    Averted,
}

impl ForecastOutcome {
    /// As screens say it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Hit => "came true",
            Self::Missed => "missed",
            Self::Averted => "averted",
        }
    }
}

/// How forecasts of one kind of resource have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TrackRecord {
    /// Came true.
    pub hits: u32,
    /// Did not.
    pub misses: u32,
    /// Were averted, which says nothing of their truth.
    pub averted: u32,
}

impl TrackRecord {
    /// Takes another outcome in.
    pub fn add(&mut self, outcome: ForecastOutcome) {
        let count = match outcome {
            ForecastOutcome::Hit => &mut self.hits,
            ForecastOutcome::Missed => &mut self.misses,
            ForecastOutcome::Averted => &mut self.averted,
        };
        *count = count.saturating_add(1);
    }

    /// Those whose truth was seen.
    #[must_use]
    pub fn judged(&self) -> u32 {
        self.hits.saturating_add(self.misses)
    }

    /// True where nothing has ended yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.judged() == 0 && self.averted == 0
    }
}

/// `7 of 8 came true, 2 averted`
impl fmt::Display for TrackRecord {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.judged(), self.averted) {
            (0, 0) => write!(out, "none like it has ended yet"),
            (0, averted) => write!(out, "{averted} averted"),
            (judged, 0) => write!(out, "{} of {judged} came true", self.hits),
            (judged, averted) => write!(out, "{} of {judged} came true, {averted} averted", self.hits),
        }
    }
}

/// What a forecast said first, which is what it is held to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Promise {
    /// When it was told.
    pub told_at: Timestamp,
    /// The value then, in the series' unit.
    pub value: f64,
    /// When the limit would be reached.
    pub reached_at: Timestamp,
    /// Half the width of the interval around it, in milliseconds.
    pub margin_ms: i64,
    /// How likely the interval holds the truth where nobody intervenes, 0 to 1: as measured, and corrected by the record.
    pub chance: f64,
    /// How forecasts of such resources had ended by then.
    pub record: TrackRecord,
    /// How this one ended.
    pub outcome: Option<ForecastOutcome>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_what_it_counts() {
        let mut record = TrackRecord::default();
        assert!(record.is_empty());
        assert_eq!(record.to_string(), "none like it has ended yet");
        record.add(ForecastOutcome::Averted);
        assert_eq!(record.to_string(), "1 averted");
        record.add(ForecastOutcome::Hit);
        record.add(ForecastOutcome::Missed);
        assert_eq!(record.to_string(), "1 of 2 came true, 1 averted");
        assert_eq!(record.judged(), 2);
    }
}
