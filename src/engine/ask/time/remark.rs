//! What was read into a time that leaves something open: told with the answer, never decided in silence.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use serde::{Deserialize, Serialize};

use super::expression::{ClockTime, Point, Stretch, TimeExpression};
use super::numbers::numbered_date;
use super::zone::{Short, short_name};

/// What was read into a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remark {
    /// A clock time that does not exist on that day; the clock had been put forward. What is taken lies as late after the gap.
    Skipped(NaiveDateTime),
    /// A clock time that comes twice on that day; a span begins with the first and ends with the second.
    Twice(NaiveDateTime),
    /// An abbreviation that stands for several zones; so many minutes ahead of UTC were taken.
    Shared(#[serde(with = "short_name")] &'static Short, i32),
    /// An abbreviation that is not in force on that day where it is used; it was taken as it was said.
    OutOfSeason(#[serde(with = "short_name")] &'static Short),
    /// A date in two numbers, of which either may be the day.
    DayFirst(NaiveDate),
    /// An hour that may be before or after noon.
    EitherHalf(NaiveTime),
    /// A weekday or a clock time that lies on this day.
    On(NaiveDate),
    /// "Next" may be the coming one or the one after it; this is the day that was taken, or its beginning.
    Coming,
    /// The end of it is still ahead.
    NotOver,
}

/// What is read into the words of a time by what they are; the rest shows when it is laid on a calendar.
pub(super) fn of_words(words: &[&str], expression: TimeExpression) -> Option<Remark> {
    if let TimeExpression::Whole(Stretch::Date(date)) | TimeExpression::Clock(Stretch::Date(date), _) = expression
        && words.iter().any(|word| {
            numbered_date(word)
                .is_some_and(|(one, other, _, sign)| sign == '/' && one <= 12 && other <= 12 && one != other)
        })
    {
        return Some(Remark::DayFirst(date));
    }
    let says_next = |word: &&str| matches!(*word, "next" | "coming" | "following");
    if let TimeExpression::Whole(Stretch::Weekend | Stretch::Date(_)) = expression
        && words.iter().any(says_next)
    {
        return Some(Remark::Coming);
    }
    let says_half = |word: &&str| {
        let digits = word.trim_end_matches(|c: char| c.is_alphabetic() || c == '.');
        (digits.len() < word.len() && !digits.is_empty() && (word.ends_with("am") || word.ends_with("pm")))
            || matches!(*word, "am" | "pm" | "a.m" | "p.m" | "morning" | "afternoon" | "evening" | "night" | "noon")
            || matches!(*word, "midnight" | "midday" | "overnight" | "tonight")
    };
    if words.iter().any(says_half) {
        return None;
    }
    // "at 14:00", "02:30" and "0230" are written as a clock of 24 hours shows them; the 9 of "nov 9 at 9:00" is a day.
    let is_hour = |word: &str, hour: u32| {
        ((word.len() <= 2 && word.chars().all(|c| c.is_ascii_digit())) || is_spelled(word))
            && super::numbers::number(word).is_some_and(|said| said == i64::from(hour))
    };
    let is_told = |clock: &ClockTime| {
        let hour = clock.time.hour();
        let is_written = |word: &&str| {
            word.split_once(':').is_some_and(|(said, _)| said.trim_start_matches('0') == hour.to_string())
        };
        // "A quarter to ten" lies in the hour before.
        let says = |word: &&str| is_hour(word, hour) || (words.contains(&"quarter") && is_hour(word, hour + 1));
        (1..=12).contains(&hour) && words.iter().any(says) && !words.iter().any(is_written)
    };
    clocks(expression).into_iter().flatten().find(is_told).map(|clock| Remark::EitherHalf(clock.time))
}

fn is_spelled(word: &str) -> bool {
    super::numbers::number(word).is_some_and(|hour| hour <= 12) && word.len() > 2
}

/// The clock times of an expression.
fn clocks(expression: TimeExpression) -> [Option<ClockTime>; 2] {
    let of = |point: Point| match point {
        Point::Clock(clock) | Point::On(_, clock) => Some(clock),
        _ => None,
    };
    match expression {
        TimeExpression::At(clock) | TimeExpression::Clock(_, clock) => [Some(clock), None],
        TimeExpression::Since(point) | TimeExpression::Before(point) | TimeExpression::Until(point) => {
            [of(point), None]
        }
        TimeExpression::Range(from, to) => [of(from), of(to)],
        _ => [None, None],
    }
}
