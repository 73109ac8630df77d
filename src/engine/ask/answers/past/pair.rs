//! Which two spans a question compares: the same clock time on another day, the hours before and after something, or one
//! span and another.

use chrono::{Days, NaiveDate, TimeZone};
use chrono_tz::Tz;

use crate::engine::ask::ground::Ground;
use crate::engine::ask::slots::Slots;
use crate::engine::ask::time::expression::{Anchor, Point, Stretch, TimeExpression};
use crate::engine::ask::time::span::{self, Anchors, Span, Untold};
use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};

/// How much of the time until now "now" is, where it is compared.
const NOW_MS: i64 = 15 * MINUTE_MS;

/// Two spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// What is compared: the later one, where nothing else is said.
    pub one: Span,
    /// With what.
    pub other: Span,
}

/// The spans that a question compares; `None` where it names no time but now.
///
/// # Errors
/// When what a time is told by did not happen.
pub fn pair(ground: &Ground<'_>, slots: &Slots) -> Result<Option<Pair>, Untold> {
    let clock = Clock { now: ground.now(), zone: ground.zone, anchors: ground.anchors(ground.incident(slots), slots) };
    clock.pair(slots.time, slots.versus)
}

struct Clock {
    now: Timestamp,
    zone: Tz,
    anchors: Anchors,
}

impl Clock {
    fn pair(&self, time: Option<TimeExpression>, versus: Option<TimeExpression>) -> Result<Option<Pair>, Untold> {
        use TimeExpression::{Now, Whole};
        let yesterday = Whole(Stretch::Yesterday);
        Ok(match (time.filter(|time| *time != Now), versus.filter(|versus| *versus != Now)) {
            (None, None) => None,
            (Some(Whole(Stretch::Today)), None) => Some(self.against(Whole(Stretch::Today), yesterday)?),
            (Some(Whole(Stretch::ThisWeek)), None) => {
                Some(self.against(Whole(Stretch::ThisWeek), Whole(Stretch::LastWeek))?)
            }
            (Some(time), None) => Some(match (around(time), versus) {
                // "Before the incident versus now" is not what came right after it.
                (Some((anchor, ms)), None) => self.around(anchor, ms)?,
                _ => self.against(Now, time)?,
            }),
            (None, Some(versus)) => Some(self.against(Now, versus)?),
            // Only the other side was taken over from the question before.
            (Some(time), Some(versus)) if time == versus => Some(self.against(Now, time)?),
            (Some(time), Some(versus)) => Some(self.against(time, versus)?),
        })
    }

    /// Before and after something.
    fn around(&self, anchor: Anchor, ms: i64) -> Result<Pair, Untold> {
        let begin = self.laid(TimeExpression::Trail(ms, anchor))?.from;
        let one = Span { from: begin, to: (begin + ms).min(self.now.max(begin)) };
        Ok(Pair { one, other: Span { from: begin - ms, to: begin } })
    }

    /// One span against another. A day or a week that is not over is held against as much of the other one.
    fn against(&self, one: TimeExpression, other: TimeExpression) -> Result<Pair, Untold> {
        use TimeExpression::{Now, Whole};
        let span = match one {
            Now => Span { from: self.now - NOW_MS, to: self.now },
            one => self.laid(one)?,
        };
        let laid = self.laid(other)?;
        let days = match (one, other) {
            (Now | Whole(Stretch::Today), Whole(Stretch::Yesterday)) => Some(1),
            (Now | Whole(Stretch::Today | Stretch::ThisWeek), Whole(Stretch::LastWeek)) => Some(7),
            (Now | Whole(Stretch::Today), Whole(Stretch::Day(_) | Stretch::Date(_))) => self
                .date(laid.from)
                .zip(self.date(self.now))
                .and_then(|(then, today)| (today - then).num_days().try_into().ok()),
            _ => None,
        };
        let other = match days.filter(|days| *days > 0) {
            Some(days) => Span { from: self.days_before(span.from, days), to: self.days_before(span.to, days) },
            None => laid,
        };
        Ok(Pair { one: span, other })
    }

    fn laid(&self, time: TimeExpression) -> Result<Span, Untold> {
        Ok(span::span(time, self.now, self.zone, &self.anchors)?.span)
    }

    fn date(&self, at: Timestamp) -> Option<NaiveDate> {
        self.zone.timestamp_millis_opt(at.0).earliest().map(|at| at.date_naive())
    }

    fn days_before(&self, at: Timestamp, days: u64) -> Timestamp {
        days_before(at, days, self.zone)
    }
}

/// The same clock time so many days earlier; where clocks were put forward over it, as many times 24 hours.
#[must_use]
pub fn days_before(at: Timestamp, days: u64, zone: Tz) -> Timestamp {
    let local = zone.timestamp_millis_opt(at.0).earliest().map(|at| at.naive_local());
    let earlier = local.and_then(|local| local.checked_sub_days(Days::new(days)));
    let instant = earlier.and_then(|local| zone.from_local_datetime(&local).earliest());
    // A few days are no great number.
    instant.map_or(at - days as i64 * DAY_MS, |instant| Timestamp(instant.timestamp_millis()))
}

/// What a time is around, and how much to either side is looked at.
fn around(time: TimeExpression) -> Option<(Anchor, i64)> {
    match time {
        TimeExpression::Since(Point::Anchor(anchor))
        | TimeExpression::Before(Point::Anchor(anchor))
        | TimeExpression::During(anchor) => Some((anchor, HOUR_MS)),
        TimeExpression::Lead(ms, anchor) | TimeExpression::Trail(ms, anchor) => Some((anchor, ms)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Tuesday.
    const NOW: &str = "2026-11-17T14:33:00Z";

    fn told(time: &str, versus: &str, now: &str, zone: &str) -> String {
        let now = Timestamp::parse_rfc3339(now).unwrap();
        let deploy = Some(now - 20 * MINUTE_MS);
        let incident = Some((now - 3 * HOUR_MS, Some(now - HOUR_MS)));
        let clock = Clock { now, zone: zone.parse().unwrap(), anchors: Anchors { incident, deploy, change: None } };
        let read = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        let at = |at: Timestamp| clock.zone.timestamp_millis_opt(at.0).unwrap().format("%m-%d %H:%M").to_string();
        match clock.pair(read(time), read(versus)) {
            Ok(Some(Pair { one, other })) => {
                format!("{} to {} | {} to {}", at(one.from), at(one.to), at(other.from), at(other.to))
            }
            Ok(None) => "none".to_owned(),
            Err(problem) => problem.to_string(),
        }
    }

    #[test]
    fn two_spans_are_told_as_people_mean_them() {
        for (time, versus, expected) in [
            ("", "", "none"),
            ("now", "", "none"),
            ("today", "yesterday", "11-17 00:00 to 11-17 14:33 | 11-16 00:00 to 11-16 14:33"),
            ("today", "", "11-17 00:00 to 11-17 14:33 | 11-16 00:00 to 11-16 14:33"),
            ("now", "yesterday", "11-17 14:18 to 11-17 14:33 | 11-16 14:18 to 11-16 14:33"),
            ("", "last_week", "11-17 14:18 to 11-17 14:33 | 11-10 14:18 to 11-10 14:33"),
            ("last_week", "", "11-17 14:18 to 11-17 14:33 | 11-10 14:18 to 11-10 14:33"),
            ("this_week", "last_week", "11-16 00:00 to 11-17 14:33 | 11-09 00:00 to 11-10 14:33"),
            ("today", "day:fri", "11-17 00:00 to 11-17 14:33 | 11-13 00:00 to 11-13 14:33"),
            ("now", "at:10:00", "11-17 14:18 to 11-17 14:33 | 11-17 09:55 to 11-17 10:05"),
            ("since:deploy", "", "11-17 14:13 to 11-17 14:33 | 11-17 13:13 to 11-17 14:13"),
            ("before:incident", "", "11-17 11:33 to 11-17 12:33 | 11-17 10:33 to 11-17 11:33"),
            ("before:incident", "now", "11-17 14:18 to 11-17 14:33 | 11-17 09:33 to 11-17 11:33"),
            ("yesterday", "yesterday", "11-17 14:18 to 11-17 14:33 | 11-16 14:18 to 11-16 14:33"),
            ("since:change", "", "no change is known that this time could be told by"),
            ("range:13:00-14:00", "range:10:00-11:00", "11-17 13:00 to 11-17 14:00 | 11-17 10:00 to 11-17 11:00"),
        ] {
            assert_eq!(told(time, versus, NOW, "UTC"), expected, "{time} against {versus}");
        }
        // Clocks were put back in between: the same clock time is 25 hours before.
        let noon = "2026-10-25T12:00:00Z";
        assert_eq!(
            told("now", "yesterday", noon, "Europe/Berlin"),
            "10-25 12:45 to 10-25 13:00 | 10-24 12:45 to 10-24 13:00"
        );
    }
}
