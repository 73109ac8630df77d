//! The engine's notion of time: milliseconds since the Unix epoch, handed in by whoever drives the engine.
//!
//! Nothing in the engine's core reads a clock. The real time is read in [`crate::engine::runtime`] only, which is what
//! lets a recording run again on a virtual clock and give the same incidents.

use std::fmt;
use std::ops::{Add, Sub};

use chrono::{DateTime, Datelike, SecondsFormat, Timelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Milliseconds in a second.
pub const SECOND_MS: i64 = 1_000;
/// Milliseconds in a minute.
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// Milliseconds in an hour.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Milliseconds in a day.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// An instant, in milliseconds since the Unix epoch, UTC.
///
/// Written as RFC 3339 in readable formats and as a bare integer in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Milliseconds from `earlier` to `self`; negative when `self` is the earlier one.
    #[must_use]
    pub fn since_ms(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Hour of the week in UTC, 0 (Monday 00:00) to 167.
    #[must_use]
    pub fn hour_of_week(self) -> usize {
        // 1970-01-01 was a Thursday, three days into a week that begins on Monday.
        let hours = self.0.div_euclid(HOUR_MS) + 3 * 24;
        usize::try_from(hours.rem_euclid(168)).unwrap_or(0)
    }

    /// The same instant as a calendar date and time; the epoch where the value is out of the calendar's range.
    #[must_use]
    pub fn to_datetime(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }

    /// `14:31:45`, in UTC.
    #[must_use]
    pub fn hh_mm_ss(self) -> String {
        let at = self.to_datetime();
        format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
    }

    /// `2026-11-21`, in UTC.
    #[must_use]
    pub fn date(self) -> String {
        let at = self.to_datetime();
        format!("{:04}-{:02}-{:02}", at.year(), at.month(), at.day())
    }

    /// Reads RFC 3339 text such as `2026-11-21T14:31:45Z`.
    ///
    /// # Errors
    /// When the text is no RFC 3339 instant.
    pub fn parse_rfc3339(text: &str) -> Result<Self, chrono::ParseError> {
        DateTime::parse_from_rfc3339(text).map(|at| Self(at.timestamp_millis()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.to_datetime().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl Add<i64> for Timestamp {
    type Output = Self;

    fn add(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

impl Sub<i64> for Timestamp {
    type Output = Self;

    fn sub(self, ms: i64) -> Self {
        Self(self.0.saturating_sub(ms))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_i64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
            Self::parse_rfc3339(&text)
                .map_err(|problem| de::Error::custom(format!("`{text}` is no instant: {problem}")))
        } else {
            i64::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_week_begins_on_monday() {
        let monday = Timestamp::parse_rfc3339("2026-11-16T00:30:00Z").unwrap();
        assert_eq!(monday.hour_of_week(), 0);
        assert_eq!((monday - HOUR_MS).hour_of_week(), 167);
        assert_eq!((monday + 25 * HOUR_MS).hour_of_week(), 25);
    }

    #[test]
    fn readable_text_round_trips() {
        let at = Timestamp(1_763_000_000_123);
        let text = serde_json::to_string(&at).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), at);
    }
}
