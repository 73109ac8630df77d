//! From a time as it was said to the instants that it means, in the operator's zone or in the one that was said with it.

mod calendar;

use chrono::{NaiveTime, Timelike};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use self::calendar::{Calendar, Edge};
use super::expression::{Anchor, ClockTime, DayPart, Point, Stretch, TimeExpression};
use super::remark::Remark;
use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};

/// How much before something is looked at where only "before" is said.
pub const BEFORE_MS: i64 = 2 * HOUR_MS;
/// How much before a day is looked at where only "before" is said.
pub const BEFORE_DAY_MS: i64 = 7 * DAY_MS;
/// How much to either side of a clock time is looked at.
pub const AROUND_MS: i64 = 5 * MINUTE_MS;
/// The same of one that is told to the second.
pub const AROUND_SECOND_MS: i64 = 30 * SECOND_MS;
/// The further back something is, the rounder it is told: this share of the way to either side is looked at.
const AGO_SHARE: i64 = 8;

/// From one instant to another.
///
/// Outside the program a pair of milliseconds since the Unix epoch: "the last 9999 years" begins before any year that RFC 3339
/// can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(i64, i64)", into = "(i64, i64)")]
pub struct Span {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
}

impl From<(i64, i64)> for Span {
    fn from((from, to): (i64, i64)) -> Self {
        Self { from: Timestamp(from), to: Timestamp(to) }
    }
}

impl From<Span> for (i64, i64) {
    fn from(span: Span) -> Self {
        (span.from.0, span.to.0)
    }
}

/// A span, and what was read into the words for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Laid {
    /// From when to when.
    pub span: Span,
    /// What was read into it, each once.
    pub remarks: Vec<Remark>,
}

/// What happened when, for times that are told by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Anchors {
    /// When the incident began, and when it ended where it has.
    pub incident: Option<(Timestamp, Option<Timestamp>)>,
    /// When what is spoken of was last deployed.
    pub deploy: Option<Timestamp>,
    /// When it was last changed in any way.
    pub change: Option<Timestamp>,
}

/// Why a time cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Untold {
    /// There is no incident to tell it by.
    #[error("there is no incident that this time could be told by")]
    NoIncident,
    /// Nothing was deployed.
    #[error("no deployment is known that this time could be told by")]
    NoDeploy,
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
/// When what it is told by did not happen, or it lies outside the calendar.
pub fn span(expression: TimeExpression, now: Timestamp, zone: Tz, anchors: &Anchors) -> Result<Laid, Untold> {
    let mut layer = Layer { now, own: Calendar::of(now, zone), anchors, remarks: Vec::new() };
    let (from, to) = layer.ends(expression)?;
    if from < now
        && now < to
        && !matches!(expression, TimeExpression::Next(_) | TimeExpression::Whole(_))
        && to > now + AROUND_MS
    {
        layer.note(Remark::NotOver);
    }
    Ok(Laid { span: Span { from, to: to.max(from) }, remarks: layer.remarks })
}

/// Lays an expression on the calendar.
struct Layer<'a> {
    now: Timestamp,
    own: Calendar,
    anchors: &'a Anchors,
    remarks: Vec<Remark>,
}

type Ends = (Timestamp, Timestamp);

impl Layer<'_> {
    fn note(&mut self, remark: Remark) {
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }

    fn ends(&mut self, expression: TimeExpression) -> Result<Ends, Untold> {
        let now = self.now;
        Ok(match expression {
            TimeExpression::Now => (now - AROUND_MS, now),
            TimeExpression::Last(ms) => (now - ms, now),
            TimeExpression::Next(ms) => (now, now + ms),
            TimeExpression::Ago(ms) => {
                let around = AROUND_MS.max(ms / AGO_SHARE);
                (now - ms - around, now.min(now - ms + around))
            }
            TimeExpression::Since(point) => (self.point(point)?.0, now),
            TimeExpression::Before(point) => {
                let (at, _) = self.point(point)?;
                (self.beginning_before(point, at)?, at)
            }
            TimeExpression::Until(point) => {
                let (_, at) = self.point(point)?;
                (self.beginning_before(point, at)?, at)
            }
            TimeExpression::Lead(ms, anchor) => {
                let at = self.anchors.begin(anchor)?;
                (at - ms, at)
            }
            TimeExpression::Trail(ms, anchor) => {
                let at = self.anchors.begin(anchor)?;
                (at, at + ms)
            }
            TimeExpression::During(Anchor::Incident) => {
                let (from, to) = self.anchors.incident.ok_or(Untold::NoIncident)?;
                (from, to.unwrap_or(now))
            }
            TimeExpression::During(anchor) => (self.anchors.begin(anchor)?, now),
            TimeExpression::At(clock) => {
                let (at, _) = self.point(Point::Clock(clock))?;
                around(at, clock)
            }
            TimeExpression::Clock(stretch, clock) => {
                let (at, _) = self.point(Point::On(stretch, clock))?;
                around(at, clock)
            }
            TimeExpression::Range(from, to) => self.range(from, to)?,
            TimeExpression::Whole(stretch) => {
                let ends = self.stretch(stretch)?;
                self.own.until_now(stretch, ends)
            }
            TimeExpression::Part(stretch, part) => {
                let day = self.own.day(stretch)?;
                self.note_day(stretch)?;
                let (from, to) = match part {
                    DayPart::Morning => (self.own.hour(day, 6)?, self.own.hour(day, 12)?),
                    DayPart::Afternoon => (self.own.hour(day, 12)?, self.own.hour(day, 18)?),
                    DayPart::Evening => (self.own.hour(day, 18)?, self.own.hour(calendar::after(day)?, 0)?),
                    DayPart::Night => (self.own.hour(day, 18)?, self.own.hour(calendar::after(day)?, 8)?),
                };
                (from, to)
            }
        })
    }

    /// Where what came before a point begins: with its day, where it is a clock time.
    fn beginning_before(&self, point: Point, at: Timestamp) -> Result<Timestamp, Untold> {
        Ok(match point {
            Point::Anchor(_) | Point::Ago(_) => at - BEFORE_MS,
            Point::Day(_) => at - BEFORE_DAY_MS,
            Point::Clock(clock) | Point::On(_, clock) => {
                let calendar = self.own.in_zone(clock.zone);
                let day = calendar.local(at)?.date();
                let begin = calendar.midnight(day)?;
                // What came before midnight is the day that ended with it.
                if begin < at { begin } else { calendar.midnight(calendar::before(day)?)? }
            }
        })
    }

    /// The first and the last instant of a point.
    fn point(&mut self, point: Point) -> Result<Ends, Untold> {
        match point {
            Point::Anchor(anchor) => self.anchors.begin(anchor).map(|at| (at, at)),
            Point::Ago(ms) => Ok((self.now - ms, self.now - ms)),
            Point::Day(stretch) => self.stretch(stretch),
            Point::Clock(clock) => {
                let calendar = self.calendar_of(clock);
                let (edge, day) = calendar.latest(clock.time)?;
                if day != calendar.today()? {
                    self.note(Remark::On(day));
                }
                Ok(self.noted(edge))
            }
            Point::On(stretch, clock) => {
                let calendar = self.calendar_of(clock);
                let is_of_night = matches!(stretch, Stretch::LastNight | Stretch::Tonight);
                let is_after_midnight = is_of_night && clock.time.hour() < calendar::NIGHT[1];
                let day = calendar.day(match stretch {
                    Stretch::LastNight if is_after_midnight => Stretch::Today,
                    Stretch::Tonight if is_after_midnight => Stretch::Tomorrow,
                    other => other,
                })?;
                self.note_day(stretch)?;
                let edge = calendar.instants(day.and_time(clock.time))?;
                Ok(self.noted(edge))
            }
        }
    }

    /// Both ends of a span; an end that comes before its beginning is the next such.
    fn range(&mut self, from: Point, to: Point) -> Result<Ends, Untold> {
        let (begin, _) = self.point(from)?;
        match (from, to) {
            (_, Point::Clock(clock)) => {
                let calendar = self.calendar_of(clock);
                let mut day = calendar.local(begin)?.date();
                let mut edge = calendar.instants(day.and_time(clock.time))?;
                if edge.last <= begin {
                    day = calendar::after(day)?;
                    edge = calendar.instants(day.and_time(clock.time))?;
                }
                let (_, end) = self.noted(edge);
                Ok((begin, end))
            }
            (Point::On(one, _), Point::On(other, clock)) if one == other => {
                let (_, end) = self.point(to)?;
                if end > begin {
                    return Ok((begin, end));
                }
                let calendar = self.calendar_of(clock);
                let day = calendar::after(calendar.local(begin)?.date())?;
                let edge = calendar.instants(day.and_time(clock.time))?;
                let (_, end) = self.noted(edge);
                Ok((begin, end))
            }
            // "From monday to wednesday", said on a Tuesday, is of the week before.
            _ => {
                let (_, end) = self.point(to)?;
                let is_of_week = matches!(from, Point::Day(Stretch::Day(_)) | Point::On(Stretch::Day(_), _));
                if end < begin && is_of_week {
                    let calendar = self.own;
                    let local = calendar.local(begin)?;
                    let earlier = local.checked_sub_days(chrono::Days::new(7)).ok_or(Untold::NoDay)?;
                    return Ok((calendar.instants(earlier)?.first, end));
                }
                Ok((begin, end))
            }
        }
    }

    fn stretch(&mut self, stretch: Stretch) -> Result<Ends, Untold> {
        self.note_day(stretch)?;
        self.own.stretch(stretch)
    }

    /// Which day a weekday is.
    fn note_day(&mut self, stretch: Stretch) -> Result<(), Untold> {
        if let Stretch::Day(_) = stretch {
            let day = self.own.day(stretch)?;
            self.note(Remark::On(day));
        }
        Ok(())
    }

    /// The calendar that a clock time is of, and what is read into its zone.
    fn calendar_of(&mut self, clock: ClockTime) -> Calendar {
        let (calendar, remark) = self.own.of_clock(clock);
        if let Some(remark) = remark {
            self.note(remark);
        }
        calendar
    }

    fn noted(&mut self, edge: Edge) -> Ends {
        if let Some(remark) = edge.remark {
            self.note(remark);
        }
        (edge.first, edge.last)
    }
}

/// What is looked at around a clock time.
fn around(at: Timestamp, clock: ClockTime) -> Ends {
    let is_to_the_second = clock.time.second() != 0 || clock.time.nanosecond() != 0;
    let around = if is_to_the_second { AROUND_SECOND_MS } else { AROUND_MS };
    (at - around, at + around)
}

impl Anchors {
    fn begin(&self, anchor: Anchor) -> Result<Timestamp, Untold> {
        match anchor {
            Anchor::Incident => self.incident.map(|(from, _)| from).ok_or(Untold::NoIncident),
            Anchor::Deploy => self.deploy.ok_or(Untold::NoDeploy),
            Anchor::Change => self.change.ok_or(Untold::NoChange),
        }
    }
}

/// Midnight.
const MIDNIGHT: NaiveTime = NaiveTime::MIN;
#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;
    use proptest::prelude::*;

    fn told(expression: &str, now: &str, zone: &str) -> String {
        let now = Timestamp::parse_rfc3339(now).unwrap();
        let anchors = Anchors { incident: Some((now - 3 * MINUTE_MS, None)), ..Anchors::default() };
        let zone: Tz = zone.parse().unwrap();
        match span(expression.parse().unwrap(), now, zone, &anchors) {
            Ok(Laid { span, remarks }) => {
                let local = |at: Timestamp| zone.timestamp_millis_opt(at.0).unwrap().format("%m-%d %H:%M").to_string();
                let remark = match remarks.first() {
                    Some(Remark::Skipped(_)) => " skipped",
                    Some(Remark::Twice(_)) => " twice",
                    _ => "",
                };
                format!("{} to {}{remark}", local(span.from), local(span.to))
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
            ("since:deploy", "no deployment is known that this time could be told by"),
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
        assert_eq!(told("at:02:30", "2026-03-29T12:00:00Z", "Europe/Berlin"), "03-29 03:25 to 03-29 03:35 skipped");
        assert_eq!(told("at:02:30", "2026-10-25T12:00:00Z", "Europe/Berlin"), "10-25 02:25 to 10-25 02:35 twice");
        // A day of 25 hours.
        assert_eq!(told("yesterday", "2026-10-26T12:00:00Z", "Europe/Berlin"), "10-25 00:00 to 10-26 00:00");
    }

    proptest! {
        #[test]
        fn a_span_never_ends_before_it_begins(now in 1_600_000_000_000i64..2_000_000_000_000, at in 0usize..26) {
            let all = ["today", "yesterday", "last_night", "tonight", "this_week", "last_week", "this_month", "last_month",
                "weekend", "next_week", "day:sun", "since:02:30", "range:02:30-02:10", "tomorrow@02:30",
                "since:yesterday", "since:tomorrow", "before:10:00", "until:day:mon", "until:yesterday@00:00", "ago:90m",
                "range:day:fri..day:mon", "at:02:30[CST]", "at:02:30[+14:00]", "last_weekend", "day:sat/night",
                "range:02:30[PST]..02:10[IST]"];
            for zone in [Tz::UTC, Tz::Europe__Berlin, Tz::America__Sao_Paulo, Tz::Pacific__Apia, Tz::Australia__Lord_Howe] {
                let Laid { span, .. } = span(all[at].parse().unwrap(), Timestamp(now), zone, &Anchors::default()).unwrap();
                prop_assert!(span.from <= span.to);
            }
        }
    }
}
