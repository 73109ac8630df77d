//! Times as people say them, before they are laid on a calendar: `last:2h`, `yesterday@10:00`, `before:incident`.

use std::fmt;

use chrono::{NaiveDate, NaiveTime, Timelike, Weekday};
use serde::{Deserialize, Serialize};

use super::zone::Zone;
use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};

/// Something that happened, which times are told by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Anchor {
    /// The incident that is spoken of.
    Incident,
    /// The last deployment of what is spoken of.
    Deploy,
    /// Its last change of any kind.
    Change,
}

/// A day or a longer stretch of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stretch {
    /// From midnight.
    Today,
    /// The day before.
    Yesterday,
    /// From 18:00 of the day before to 08:00.
    LastNight,
    /// From 18:00 of today.
    Tonight,
    /// From Monday.
    ThisWeek,
    /// Monday to Sunday of the week before.
    LastWeek,
    /// From the first of the month.
    ThisMonth,
    /// The month before.
    LastMonth,
    /// The day after today.
    Tomorrow,
    /// The coming Saturday and Sunday, or those that have begun.
    Weekend,
    /// The Saturday and Sunday before this week.
    LastWeekend,
    /// Monday to Sunday of the week after.
    NextWeek,
    /// The latest such weekday that has begun.
    Day(Weekday),
    /// A date.
    Date(NaiveDate),
    /// The month that begins on this date.
    Month(NaiveDate),
}

/// A part of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayPart {
    /// From 06:00 to noon.
    Morning,
    /// From noon to 18:00.
    Afternoon,
    /// From 18:00 to midnight.
    Evening,
    /// From 18:00 to 08:00 of the next day.
    Night,
}

/// What a clock shows, and where it hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockTime {
    /// What it shows.
    pub time: NaiveTime,
    /// The zone that was said with it.
    pub zone: Zone,
}

/// Something that a span begins or ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// What happened.
    Anchor(Anchor),
    /// The latest such clock time.
    Clock(ClockTime),
    /// A day or a longer stretch.
    Day(Stretch),
    /// A clock time on a day.
    On(Stretch, ClockTime),
    /// So many milliseconds before now.
    Ago(i64),
}

/// A time as it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum TimeExpression {
    /// This moment.
    Now,
    /// A span that ends now, in milliseconds.
    Last(i64),
    /// A span that begins now, in milliseconds.
    Next(i64),
    /// Around the moment so many milliseconds before now.
    Ago(i64),
    /// From then until now.
    Since(Point),
    /// What came before it.
    Before(Point),
    /// Up to it, with all of it where it is a day.
    Until(Point),
    /// So many milliseconds that end with what happened.
    Lead(i64, Anchor),
    /// So many milliseconds that begin with what happened.
    Trail(i64, Anchor),
    /// While it lasts or lasted.
    During(Anchor),
    /// Around a clock time.
    At(ClockTime),
    /// From one to another.
    Range(Point, Point),
    /// A stretch of the calendar.
    Whole(Stretch),
    /// A part of a day.
    Part(Stretch, DayPart),
    /// A clock time on a day.
    Clock(Stretch, ClockTime),
}

pub(super) const WEEKDAYS: [(Weekday, &str); 7] = [
    (Weekday::Mon, "mon"),
    (Weekday::Tue, "tue"),
    (Weekday::Wed, "wed"),
    (Weekday::Thu, "thu"),
    (Weekday::Fri, "fri"),
    (Weekday::Sat, "sat"),
    (Weekday::Sun, "sun"),
];

pub(super) const STRETCHES: [(Stretch, &str); 12] = [
    (Stretch::Today, "today"),
    (Stretch::Yesterday, "yesterday"),
    (Stretch::LastNight, "last_night"),
    (Stretch::Tonight, "tonight"),
    (Stretch::ThisWeek, "this_week"),
    (Stretch::LastWeek, "last_week"),
    (Stretch::ThisMonth, "this_month"),
    (Stretch::LastMonth, "last_month"),
    (Stretch::Tomorrow, "tomorrow"),
    (Stretch::Weekend, "weekend"),
    (Stretch::LastWeekend, "last_weekend"),
    (Stretch::NextWeek, "next_week"),
];

pub(super) const PARTS: [(DayPart, &str); 4] = [
    (DayPart::Morning, "morning"),
    (DayPart::Afternoon, "afternoon"),
    (DayPart::Evening, "evening"),
    (DayPart::Night, "night"),
];

impl TimeExpression {
    /// The same without a zone that is the asker's own anyway.
    #[must_use]
    pub fn seen_from(self, own: chrono_tz::Tz) -> Self {
        let clock = |clock: ClockTime| {
            let is_own = clock.zone == Zone::Place(own);
            ClockTime { zone: if is_own { Zone::Own } else { clock.zone }, ..clock }
        };
        let point = |point: Point| match point {
            Point::Clock(at) => Point::Clock(clock(at)),
            Point::On(day, at) => Point::On(day, clock(at)),
            other => other,
        };
        match self {
            Self::Since(at) => Self::Since(point(at)),
            Self::Before(at) => Self::Before(point(at)),
            Self::Until(at) => Self::Until(point(at)),
            Self::Range(from, to) => Self::Range(point(from), point(to)),
            Self::At(at) => Self::At(clock(at)),
            Self::Clock(day, at) => Self::Clock(day, clock(at)),
            other => other,
        }
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Incident => "incident",
            Self::Deploy => "deploy",
            Self::Change => "change",
        })
    }
}

fn name_of<T: PartialEq>(all: &[(T, &'static str)], wanted: &T) -> &'static str {
    all.iter().find(|(known, _)| known == wanted).map_or("", |(_, name)| name)
}

impl fmt::Display for Stretch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date(date) => write!(out, "date:{}", date.format("%Y-%m-%d")),
            Self::Month(first) => write!(out, "month:{}", first.format("%Y-%m")),
            Self::Day(day) => write!(out, "day:{}", name_of(&WEEKDAYS, day)),
            other => out.write_str(name_of(&STRETCHES, other)),
        }
    }
}

impl fmt::Display for ClockTime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_to_the_minute = self.time.second() == 0 && self.time.nanosecond() == 0;
        let form = if is_to_the_minute { "%H:%M" } else { "%H:%M:%S%.f" };
        write!(out, "{}{}", self.time.format(form), self.zone)
    }
}

impl fmt::Display for Point {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anchor(anchor) => write!(out, "{anchor}"),
            Self::Clock(clock) => write!(out, "{clock}"),
            Self::Day(stretch) => write!(out, "{stretch}"),
            Self::On(stretch, clock) => write!(out, "{stretch}@{clock}"),
            Self::Ago(ms) => write!(out, "ago:{}", span(*ms)),
        }
    }
}

/// A span in the largest unit that it fills.
fn span(ms: i64) -> String {
    match ms {
        ms if ms % DAY_MS == 0 => format!("{}d", ms / DAY_MS),
        ms if ms % HOUR_MS == 0 => format!("{}h", ms / HOUR_MS),
        ms if ms % MINUTE_MS == 0 => format!("{}m", ms / MINUTE_MS),
        ms if ms % SECOND_MS == 0 => format!("{}s", ms / SECOND_MS),
        ms => format!("{ms}ms"),
    }
}

impl fmt::Display for TimeExpression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => out.write_str("now"),
            Self::Last(ms) => write!(out, "last:{}", span(*ms)),
            Self::Next(ms) => write!(out, "next:{}", span(*ms)),
            Self::Ago(ms) => write!(out, "ago:{}", span(*ms)),
            Self::Since(point) => write!(out, "since:{point}"),
            Self::Before(point) => write!(out, "before:{point}"),
            Self::Until(point) => write!(out, "until:{point}"),
            Self::Lead(ms, anchor) => write!(out, "before:{anchor}/{}", span(*ms)),
            Self::Trail(ms, anchor) => write!(out, "after:{anchor}/{}", span(*ms)),
            Self::During(anchor) => write!(out, "during:{anchor}"),
            Self::At(clock) => write!(out, "at:{clock}"),
            Self::Range(Point::Clock(from), Point::Clock(to)) if from.zone == Zone::Own && to.zone == Zone::Own => {
                write!(out, "range:{from}-{to}")
            }
            Self::Range(from, to) => write!(out, "range:{from}..{to}"),
            Self::Whole(stretch) => write!(out, "{stretch}"),
            Self::Part(stretch, part) => write!(out, "{stretch}/{}", name_of(&PARTS, part)),
            Self::Clock(stretch, clock) => write!(out, "{stretch}@{clock}"),
        }
    }
}
