//! A slot of time with what was measured in it, and the two widths that slots have.

use serde::{Deserialize, Serialize};

use super::page::SLOTS_A_PAGE;
use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};

/// What was measured within a slot, over all series of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Slot {
    /// The lowest sample.
    pub low: f32,
    /// The mean of the samples; of a percentile it is the mean of what instances told, and no percentile itself.
    pub mean: f32,
    /// The highest sample.
    pub high: f32,
    /// How many samples.
    pub count: u32,
}

impl Slot {
    /// What samples come to whose lowest, sum and highest these are.
    #[must_use]
    pub fn of_sum(low: f64, sum: f64, high: f64, count: u32) -> Self {
        if count == 0 {
            return Self::default();
        }
        let (low, high) = (narrow(low), narrow(high));
        Self { low, mean: narrow(sum / f64::from(count)).clamp(low, high), high, count }
    }

    /// Both together.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        match (self.count, other.count) {
            (_, 0) => self,
            (0, _) => other,
            (own, more) => {
                let (low, high) = (self.low.min(other.low), self.high.max(other.high));
                let share = f64::from(more) / (f64::from(own) + f64::from(more));
                let mean = f64::from(self.mean) + share * (f64::from(other.mean) - f64::from(self.mean));
                // Rounding must not carry a mean past what it is a mean of.
                Self { low, mean: narrow(mean).clamp(low, high), high, count: own.saturating_add(more) }
            }
        }
    }

    /// True where the numbers fit together.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.low.is_finite()
            && self.high.is_finite()
            && self.low <= self.mean
            && self.mean <= self.high
            && self.count > 0
    }
}

/// Half as many digits are plenty for people; what is too large for them is the largest there is.
fn narrow(value: f64) -> f32 {
    (value as f32).clamp(f32::MIN, f32::MAX)
}

/// How long a slot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotWidth {
    /// Five minutes, kept for 26 hours: so that "yesterday at this time" is told to the minute.
    FiveMinutes,
    /// An hour, kept for 16 days: so that "the week before last" is there.
    Hour,
}

impl SlotWidth {
    /// Both.
    pub const ALL: [Self; 2] = [Self::FiveMinutes, Self::Hour];

    /// Its length, in milliseconds.
    #[must_use]
    pub fn ms(self) -> i64 {
        match self {
            Self::FiveMinutes => 5 * MINUTE_MS,
            Self::Hour => HOUR_MS,
        }
    }

    /// How far back such slots are kept, in milliseconds.
    #[must_use]
    pub fn kept_ms(self) -> i64 {
        match self {
            Self::FiveMinutes => 26 * HOUR_MS,
            Self::Hour => 16 * DAY_MS,
        }
    }

    /// How long a page of them is, in milliseconds.
    #[must_use]
    pub fn page_ms(self) -> i64 {
        self.ms() * SLOTS_A_PAGE as i64
    }

    /// Where the slot begins that holds this instant.
    #[must_use]
    pub fn slot_from(self, at: Timestamp) -> Timestamp {
        floor(at, self.ms())
    }

    /// Where the page begins that holds this instant.
    #[must_use]
    pub fn page_from(self, at: Timestamp) -> Timestamp {
        floor(at, self.page_ms())
    }

    /// The place of the slot within its page.
    #[must_use]
    pub fn slot_at(self, at: Timestamp) -> Option<u8> {
        u8::try_from(at.since_ms(self.page_from(at)) / self.ms()).ok()
    }

    /// The place of what is kept of it among the widths.
    pub(super) fn place(self) -> usize {
        match self {
            Self::FiveMinutes => 0,
            Self::Hour => 1,
        }
    }
}

/// The last multiple of `ms` up to `at`; clocks that are thousands of years off stay at the end of time.
fn floor(at: Timestamp, ms: i64) -> Timestamp {
    Timestamp(at.0.div_euclid(ms).saturating_mul(ms))
}
