//! From a time as it was said to the instants that it means, in the operator's zone.

use chrono::{DateTime, Datelike, Days, LocalResult, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Timelike};
use chrono_tz::Tz;

use super::expression::{Anchor, Stretch, TimeExpression};
use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};

/// How much before something is looked at where only "before" is said.
pub const BEFORE_MS: i64 = 2 * HOUR_MS;
/// How much to either side of a clock time is looked at.
pub const AROUND_MS: i64 = 5 * MINUTE_MS;

/// When the night begins and ends.
const NIGHT: [u32; 2] = [18, 8];

/// From one instant to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
}

/// What happened when, for times that are told by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Anchors {
    /// When the incident began, and when it ended where it has.
    pub incident: Option<(Timestamp, Option<Timestamp>)>,
    /// When the last change was made.
    pub deploy: Option<Timestamp>,
}

/// What was read into a time that leaves something open; said with the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// A clock time that does not exist on that day; the clock had been put forward.
    Skipped,
    /// A clock time that comes twice on that day; the earlier one was taken.
    Twice,
}

/// Why a time cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Untold {
    /// There is no incident to tell it by.
    #[error("there is no incident that this time could be told by")]
    NoIncident,
    /// Nothing was changed.
    #[error("no change is known that this time could be told by")]
    NoChange,
    /// It is no day of the calendar.
    #[error("this time lies outside the calendar")]
    NoDay,
}

/// The instants of `expression`, as seen at `now` in `zone`.
///
/// # Errors
/// When what it is told by did not happen.
pub fn span(
    expression: TimeExpression,
    now: Timestamp,
    zone: Tz,
    anchors: &Anchors,
) -> Result<(Span, Option<Reading>), Untold> {
    let clock = Clock { now, zone };
    let plain = |from, to| Ok((Span { from, to }, None));
    match expression {
        TimeExpression::Now => plain(now - AROUND_MS, now),
        TimeExpression::Last(ms) => plain(now - ms, now),
        TimeExpression::Next(ms) => plain(now, now + ms),
        TimeExpression::SinceClock(time) => {
            let (at, reading) = clock.latest(time)?;
            Ok((Span { from: at, to: now }, reading))
        }
        TimeExpression::Since(anchor) => plain(anchors.begin(anchor)?, now),
        TimeExpression::Before(anchor) => {
            let at = anchors.begin(anchor)?;
            plain(at - BEFORE_MS, at)
        }
        TimeExpression::During(Anchor::Incident) => {
            let (from, to) = anchors.incident.ok_or(Untold::NoIncident)?;
            plain(from, to.unwrap_or(now))
        }
        TimeExpression::During(Anchor::Deploy) => plain(anchors.begin(Anchor::Deploy)?, now),
        TimeExpression::At(time) => {
            let (at, reading) = clock.latest(time)?;
            Ok((Span { from: at - AROUND_MS, to: at + AROUND_MS }, reading))
        }
        TimeExpression::Range(from, to) => {
            let (begin, reading) = clock.latest(from)?;
            let day = clock.local(begin)?.date_naive();
            let day = if to <= from { day.checked_add_days(Days::new(1)).ok_or(Untold::NoDay)? } else { day };
            let (end, other) = clock.instant(day.and_time(to))?;
            Ok((Span { from: begin, to: end }, reading.or(other)))
        }
        TimeExpression::Whole(stretch) => clock.stretch(stretch),
        TimeExpression::Clock(stretch, time) => {
            let night_is_over = stretch == Stretch::LastNight && time.hour() < NIGHT[1];
            let day = clock.day(if night_is_over { Stretch::Today } else { stretch })?;
            let (at, reading) = clock.instant(day.and_time(time))?;
            Ok((Span { from: at - AROUND_MS, to: at + AROUND_MS }, reading))
        }
    }
}

impl Anchors {
    fn begin(&self, anchor: Anchor) -> Result<Timestamp, Untold> {
        match anchor {
            Anchor::Incident => self.incident.map(|(from, _)| from).ok_or(Untold::NoIncident),
            Anchor::Deploy => self.deploy.ok_or(Untold::NoChange),
        }
    }
}

/// The calendar of a zone at an instant.
struct Clock {
    now: Timestamp,
    zone: Tz,
}

impl Clock {
    fn local(&self, at: Timestamp) -> Result<DateTime<Tz>, Untold> {
        self.zone.timestamp_millis_opt(at.0).single().ok_or(Untold::NoDay)
    }

    fn today(&self) -> Result<NaiveDate, Untold> {
        Ok(self.local(self.now)?.date_naive())
    }

    /// The instant that a clock shows this.
    fn instant(&self, local: NaiveDateTime) -> Result<(Timestamp, Option<Reading>), Untold> {
        let of = |at: DateTime<Tz>| Timestamp(at.timestamp_millis());
        match self.zone.from_local_datetime(&local) {
            LocalResult::Single(at) => Ok((of(at), None)),
            LocalResult::Ambiguous(early, _) => Ok((of(early), Some(Reading::Twice))),
            LocalResult::None => {
                // As late after the gap as it lies behind the clock that was put forward.
                let hour = chrono::TimeDelta::milliseconds(HOUR_MS);
                let later = local.checked_add_signed(hour).ok_or(Untold::NoDay)?;
                let at = self.zone.from_local_datetime(&later).earliest().ok_or(Untold::NoDay)?;
                Ok((of(at), Some(Reading::Skipped)))
            }
        }
    }

    fn midnight(&self, day: NaiveDate) -> Result<Timestamp, Untold> {
        self.instant(day.and_time(NaiveTime::MIN)).map(|(at, _)| at)
    }

    /// The latest time that a clock showed this.
    fn latest(&self, time: NaiveTime) -> Result<(Timestamp, Option<Reading>), Untold> {
        let today = self.today()?;
        let (at, reading) = self.instant(today.and_time(time))?;
        if at <= self.now {
            return Ok((at, reading));
        }
        self.instant(today.pred_opt().ok_or(Untold::NoDay)?.and_time(time))
    }

    /// The day that a clock time of this stretch lies on.
    fn day(&self, stretch: Stretch) -> Result<NaiveDate, Untold> {
        let today = self.today()?;
        let back = |days| today.checked_sub_days(Days::new(days)).ok_or(Untold::NoDay);
        match stretch {
            Stretch::Yesterday | Stretch::LastNight => back(1),
            Stretch::Tomorrow => today.succ_opt().ok_or(Untold::NoDay),
            Stretch::Day(day) => {
                let since = (7 + today.weekday().num_days_from_monday() - day.num_days_from_monday()) % 7;
                back(u64::from(since))
            }
            Stretch::Date(date) => Ok(date),
            _ => Ok(today),
        }
    }

    fn stretch(&self, stretch: Stretch) -> Result<(Span, Option<Reading>), Untold> {
        let today = self.today()?;
        let back = |day: NaiveDate, days| day.checked_sub_days(Days::new(days)).ok_or(Untold::NoDay);
        let ahead = |day: NaiveDate, days| day.checked_add_days(Days::new(days)).ok_or(Untold::NoDay);
        let monday = back(today, u64::from(today.weekday().num_days_from_monday()))?;
        let first = today.with_day(1).ok_or(Untold::NoDay)?;
        let hour = |day: NaiveDate, hour| {
            let time = NaiveTime::from_hms_opt(hour, 0, 0).ok_or(Untold::NoDay)?;
            self.instant(day.and_time(time)).map(|(at, _)| at)
        };
        let (from, to) = match stretch {
            Stretch::Today => (self.midnight(today)?, self.now),
            Stretch::Tonight => (hour(today, NIGHT[0])?, hour(ahead(today, 1)?, NIGHT[1])?),
            Stretch::LastNight => (hour(back(today, 1)?, NIGHT[0])?, hour(today, NIGHT[1])?),
            Stretch::ThisWeek => (self.midnight(monday)?, self.now),
            Stretch::LastWeek => (self.midnight(back(monday, 7)?)?, self.midnight(monday)?),
            Stretch::NextWeek => (self.midnight(ahead(monday, 7)?)?, self.midnight(ahead(monday, 14)?)?),
            Stretch::Weekend => (self.midnight(ahead(monday, 5)?)?, self.midnight(ahead(monday, 7)?)?),
            Stretch::ThisMonth => (self.midnight(first)?, self.now),
            Stretch::LastMonth => {
                let before = first.checked_sub_months(Months::new(1)).ok_or(Untold::NoDay)?;
                (self.midnight(before)?, self.midnight(first)?)
            }
            Stretch::Yesterday | Stretch::Tomorrow | Stretch::Day(_) | Stretch::Date(_) => {
                let day = self.day(stretch)?;
                (self.midnight(day)?, self.midnight(ahead(day, 1)?)?)
            }
        };
        // What has not come yet says nothing of today; a day that runs ends now.
        let is_running = from <= self.now && self.now < to && to.0 - from.0 <= DAY_MS + HOUR_MS;
        let to = if is_running && !matches!(stretch, Stretch::Tonight) { self.now } else { to };
        Ok((Span { from, to }, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(expression: &str, now: &str, zone: &str) -> String {
        let now = Timestamp::parse_rfc3339(now).unwrap();
        let anchors = Anchors { incident: Some((now - 3 * MINUTE_MS, None)), deploy: None };
        let zone: Tz = zone.parse().unwrap();
        match span(expression.parse().unwrap(), now, zone, &anchors) {
            Ok((span, reading)) => {
                let local = |at: Timestamp| zone.timestamp_millis_opt(at.0).unwrap().format("%m-%d %H:%M").to_string();
                let reading = reading.map(|reading| format!(" {reading:?}")).unwrap_or_default();
                format!("{} to {}{reading}", local(span.from), local(span.to))
            }
            Err(problem) => problem.to_string(),
        }
    }

    #[test]
    fn times_are_laid_on_the_calendar_of_the_operator() {
        // A Tuesday.
        let now = "2026-11-17T14:33:00Z";
        for (expression, expected) in [
            ("last:2h", "11-17 12:33 to 11-17 14:33"),
            ("since:09:00", "11-17 09:00 to 11-17 14:33"),
            ("since:21:00", "11-16 21:00 to 11-17 14:33"),
            ("before:incident", "11-17 12:30 to 11-17 14:30"),
            ("during:incident", "11-17 14:30 to 11-17 14:33"),
            ("since:deploy", "no change is known that this time could be told by"),
            ("range:23:00-01:00", "11-16 23:00 to 11-17 01:00"),
            ("today", "11-17 00:00 to 11-17 14:33"),
            ("yesterday", "11-16 00:00 to 11-17 00:00"),
            ("last_night", "11-16 18:00 to 11-17 08:00"),
            ("this_week", "11-16 00:00 to 11-17 14:33"),
            ("last_week", "11-09 00:00 to 11-16 00:00"),
            ("last_month", "10-01 00:00 to 11-01 00:00"),
            ("weekend", "11-21 00:00 to 11-23 00:00"),
            ("day:tue", "11-17 00:00 to 11-17 14:33"),
            ("day:wed", "11-11 00:00 to 11-12 00:00"),
            ("last_night@02:00", "11-17 01:55 to 11-17 02:05"),
            ("last_night@22:00", "11-16 21:55 to 11-16 22:05"),
            ("yesterday@10:00", "11-16 09:55 to 11-16 10:05"),
            ("date:2026-11-12", "11-12 00:00 to 11-13 00:00"),
        ] {
            assert_eq!(told(expression, now, "UTC"), expected, "{expression}");
        }
        assert_eq!(told("since:09:00", now, "America/New_York"), "11-17 09:00 to 11-17 09:33");
    }

    #[test]
    fn hours_that_are_skipped_or_come_twice_are_told() {
        assert_eq!(told("at:02:30", "2026-03-29T12:00:00Z", "Europe/Berlin"), "03-29 03:25 to 03-29 03:35 Skipped");
        assert_eq!(told("at:02:30", "2026-10-25T12:00:00Z", "Europe/Berlin"), "10-25 02:25 to 10-25 02:35 Twice");
        // A day of 25 hours.
        assert_eq!(told("yesterday", "2026-10-26T12:00:00Z", "Europe/Berlin"), "10-25 00:00 to 10-26 00:00");
    }

    proptest! {
        #[test]
        fn a_span_never_ends_before_it_begins(now in 1_600_000_000_000i64..2_000_000_000_000, at in 0usize..14) {
            let all = ["today", "yesterday", "last_night", "tonight", "this_week", "last_week", "this_month", "last_month",
                "weekend", "next_week", "day:sun", "since:02:30", "range:02:30-02:10", "tomorrow@02:30"];
            for zone in [Tz::UTC, Tz::Europe__Berlin, Tz::America__Sao_Paulo, Tz::Pacific__Apia] {
                let (span, _) = span(all[at].parse().unwrap(), Timestamp(now), zone, &Anchors::default()).unwrap();
                prop_assert!(span.from <= span.to);
            }
        }
    }
}
