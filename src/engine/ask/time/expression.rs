//! Times as people say them, before they are laid on a calendar: `last:2h`, `yesterday@10:00`, `before:incident`.

use std::fmt;
use std::str::FromStr;

use chrono::{NaiveDate, NaiveTime, Weekday};
use serde::{Deserialize, Serialize};

use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS};

/// Something that happened, which times are told by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Anchor {
    /// The incident that is spoken of.
    Incident,
    /// The last deployment or other change.
    Deploy,
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
    /// The coming Saturday and Sunday.
    Weekend,
    /// Monday to Sunday of the week after.
    NextWeek,
    /// The latest such weekday that has begun.
    Day(Weekday),
    /// A date.
    Date(NaiveDate),
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
    /// From a clock time until now.
    SinceClock(NaiveTime),
    /// From what happened until now.
    Since(Anchor),
    /// What came before it.
    Before(Anchor),
    /// While it lasts or lasted.
    During(Anchor),
    /// Around a clock time.
    At(NaiveTime),
    /// Between two clock times.
    Range(NaiveTime, NaiveTime),
    /// A stretch of the calendar.
    Whole(Stretch),
    /// A clock time on a day.
    Clock(Stretch, NaiveTime),
}

/// A text that is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time; write it as in `last:2h`, `since:09:00`, `yesterday@10:00` or `before:incident`")]
pub struct NoTime(String);

const WEEKDAYS: [(Weekday, &str); 7] = [
    (Weekday::Mon, "mon"),
    (Weekday::Tue, "tue"),
    (Weekday::Wed, "wed"),
    (Weekday::Thu, "thu"),
    (Weekday::Fri, "fri"),
    (Weekday::Sat, "sat"),
    (Weekday::Sun, "sun"),
];

const STRETCHES: [(Stretch, &str); 11] = [
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
    (Stretch::NextWeek, "next_week"),
];

impl fmt::Display for Anchor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Incident => "incident",
            Self::Deploy => "deploy",
        })
    }
}

impl fmt::Display for Stretch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date(date) => write!(out, "date:{}", date.format("%Y-%m-%d")),
            Self::Day(day) => {
                let name = WEEKDAYS.iter().find(|(known, _)| known == day).map_or("", |(_, name)| name);
                write!(out, "day:{name}")
            }
            other => {
                let name = STRETCHES.iter().find(|(known, _)| known == other).map_or("", |(_, name)| name);
                out.write_str(name)
            }
        }
    }
}

/// A span in the largest unit that it fills.
fn span(ms: i64) -> String {
    match ms {
        ms if ms % DAY_MS == 0 => format!("{}d", ms / DAY_MS),
        ms if ms % HOUR_MS == 0 => format!("{}h", ms / HOUR_MS),
        ms => format!("{}m", ms / MINUTE_MS),
    }
}

impl fmt::Display for TimeExpression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = |time: &NaiveTime| time.format("%H:%M").to_string();
        match self {
            Self::Now => out.write_str("now"),
            Self::Last(ms) => write!(out, "last:{}", span(*ms)),
            Self::Next(ms) => write!(out, "next:{}", span(*ms)),
            Self::SinceClock(time) => write!(out, "since:{}", clock(time)),
            Self::Since(anchor) => write!(out, "since:{anchor}"),
            Self::Before(anchor) => write!(out, "before:{anchor}"),
            Self::During(anchor) => write!(out, "during:{anchor}"),
            Self::At(time) => write!(out, "at:{}", clock(time)),
            Self::Range(from, to) => write!(out, "range:{}-{}", clock(from), clock(to)),
            Self::Whole(stretch) => write!(out, "{stretch}"),
            Self::Clock(stretch, time) => write!(out, "{stretch}@{}", clock(time)),
        }
    }
}

impl FromStr for Stretch {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        let known = STRETCHES.iter().find(|(_, name)| *name == text).map(|(stretch, _)| *stretch);
        let day = || {
            let name = text.strip_prefix("day:")?;
            WEEKDAYS.iter().find(|(_, known)| *known == name).map(|(day, _)| Self::Day(*day))
        };
        let date = || text.strip_prefix("date:")?.parse().ok().map(Self::Date);
        known.or_else(day).or_else(date).ok_or_else(|| NoTime(text.to_owned()))
    }
}

impl FromStr for TimeExpression {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        let wrong = || NoTime(text.to_owned());
        let clock = |text: &str| NaiveTime::parse_from_str(text, "%H:%M").map_err(|_| wrong());
        let anchor = |text: &str| match text {
            "incident" => Some(Anchor::Incident),
            "deploy" => Some(Anchor::Deploy),
            _ => None,
        };
        if text == "now" {
            return Ok(Self::Now);
        }
        if let Some((day, time)) = text.split_once('@') {
            return Ok(Self::Clock(day.parse()?, clock(time)?));
        }
        match text.split_once(':') {
            Some(("last", rest)) => span_of(rest).map(Self::Last).ok_or_else(wrong),
            Some(("next", rest)) => span_of(rest).map(Self::Next).ok_or_else(wrong),
            Some(("since", rest)) => match anchor(rest) {
                Some(anchor) => Ok(Self::Since(anchor)),
                None => clock(rest).map(Self::SinceClock),
            },
            Some(("before", rest)) => anchor(rest).map(Self::Before).ok_or_else(wrong),
            Some(("during", rest)) => anchor(rest).map(Self::During).ok_or_else(wrong),
            Some(("at", rest)) => clock(rest).map(Self::At),
            Some(("range", rest)) => {
                let (from, to) = rest.split_once('-').ok_or_else(wrong)?;
                Ok(Self::Range(clock(from)?, clock(to)?))
            }
            _ => text.parse().map(Self::Whole),
        }
    }
}

/// Reads `90m`, `2h`, `3d` or `1w`.
fn span_of(text: &str) -> Option<i64> {
    let unit = text.chars().next_back()?;
    let count: i64 = text.strip_suffix(unit)?.parse().ok().filter(|count| *count > 0)?;
    let unit = match unit {
        'm' => MINUTE_MS,
        'h' => HOUR_MS,
        'd' => DAY_MS,
        'w' => 7 * DAY_MS,
        _ => return None,
    };
    count.checked_mul(unit)
}

impl From<TimeExpression> for String {
    fn from(expression: TimeExpression) -> Self {
        expression.to_string()
    }
}

impl TryFrom<String> for TimeExpression {
    type Error = NoTime;

    fn try_from(text: String) -> Result<Self, NoTime> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_back_as_it_was_written() {
        for text in [
            "now",
            "last:90m",
            "last:2h",
            "next:3d",
            "since:09:00",
            "since:deploy",
            "before:incident",
            "during:incident",
            "at:10:05",
            "range:09:00-10:30",
            "today",
            "last_night",
            "day:mon",
            "date:2026-11-12",
            "yesterday@10:00",
            "day:fri@23:15",
        ] {
            assert_eq!(text.parse::<TimeExpression>().unwrap().to_string(), text);
        }
        assert_eq!("last:60m".parse::<TimeExpression>(), "last:1h".parse());
        for wrong in ["", "last:", "last:h", "last:0m", "at:25:00", "since:lunch", "day:foo", "date:2026-13-01"] {
            assert!(wrong.parse::<TimeExpression>().is_err(), "{wrong}");
        }
    }
}
