//! Finds times among the words of a question: "past half hour", "since the deploy", "yesterday at 10", "between 9 and 10:30".

mod clocks;
mod days;
mod lengths;
mod points;

use std::ops::Range;

use chrono::NaiveDate;

use super::expression::{Point, Stretch, TimeExpression};
use super::remark::{self, Remark};

/// A time among words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its words.
    pub at: Range<usize>,
    /// What they say.
    pub expression: TimeExpression,
    /// True where it is what something is compared with.
    pub is_versus: bool,
    /// What was read into it.
    pub remark: Option<Remark>,
}

/// Words that the grammar is made of, for the speller.
pub const VOCABULARY: &str = "afternoon ago already april august before currently december during earlier evening february \
    fortnight friday half hour hours january july june last march midnight minute minutes moment monday month months morning \
    next night noon november now october onwards overnight past previous quarter saturday second seconds september since \
    sunday thursday today tomorrow tonight tuesday until till wednesday week weekend weeks yesterday right days coming after \
    between";

/// Every time among `words`, from the first on, as they are said `today`.
#[must_use]
pub fn times(words: &[&str], today: NaiveDate) -> Vec<Found> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < words.len() {
        let rest = words.get(at..).unwrap_or_default();
        let before = words.get(at.saturating_sub(3)..at).unwrap_or_default();
        let reader = Reader { words: rest, today };
        match reader.time(before) {
            Some((expression, length)) => {
                let is_versus = expression != TimeExpression::Now && says_versus(before);
                let remark = remark::of_words(rest.get(..length).unwrap_or_default(), expression);
                found.push(Found { at: at..at + length, expression, is_versus, remark });
                at += length;
            }
            None => at += 1,
        }
    }
    found
}

/// True where the words before a time say that something is compared with it.
fn says_versus(before: &[&str]) -> bool {
    match before {
        [.., last] if matches!(*last, "vs" | "versus" | "against" | "than") => true,
        [.., "compared", last] if matches!(*last, "to" | "with") => true,
        [.., "than" | "vs" | "versus" | "against", "the" | "on" | "at"] => true,
        [.., "compared", "to" | "with", "the" | "on"] => true,
        [.., "same", "time"] | [.., "time"] => true,
        [.., "different", "from"] | [.., "relative", "to"] => true,
        _ => false,
    }
}

/// Reads a time from the beginning of some words.
#[derive(Clone, Copy)]
struct Reader<'w> {
    words: &'w [&'w str],
    today: NaiveDate,
}

/// What was read, and how many words it took.
type Read<T> = Option<(T, usize)>;

/// Words between two ends of a span.
const TO: &[&str] = &["to", "until", "till", "-", "through", "thru", "and"];

impl<'w> Reader<'w> {
    /// The same from a later word on.
    fn from(&self, at: usize) -> Reader<'w> {
        Reader { words: self.words.get(at..).unwrap_or_default(), today: self.today }
    }

    fn word(&self, at: usize) -> &'w str {
        self.words.get(at).copied().unwrap_or_default()
    }

    fn is(&self, at: usize, any_of: &[&str]) -> bool {
        any_of.contains(&self.word(at))
    }

    /// Words such as "the" that say nothing here.
    fn skip(&self, at: usize, any_of: &[&str]) -> usize {
        (at..self.words.len()).find(|at| !self.is(*at, any_of)).unwrap_or(self.words.len())
    }

    /// The time that the words begin with; `before` are those before them.
    fn time(&self, before: &[&str]) -> Read<TimeExpression> {
        self.now()
            .or_else(|| self.around_anchor())
            .or_else(|| self.led())
            .or_else(|| self.length(before))
            .or_else(|| self.day_and_range())
            .or_else(|| self.range(0, &["to", "until", "till", "-", "through"]))
            .or_else(|| self.at())
    }

    fn now(&self) -> Read<TimeExpression> {
        let length = match (self.word(0), self.word(1), self.word(2)) {
            ("right", "now", _) | ("just", "now", _) => 2,
            ("at", "the", "moment") | ("at", "this", "moment") => 3,
            ("at", "present", _) => 2,
            ("now" | "currently", ..) => 1,
            _ => return None,
        };
        Some((TimeExpression::Now, length))
    }

    /// What begins with a word that says how a time is meant: "since", "before", "until", "between", "from".
    fn led(&self) -> Read<TimeExpression> {
        let lead = match self.word(0) {
            "since" | "after" | "from" | "starting" => 1,
            "ever" if self.is(1, &["since"]) => 2,
            "until" | "till" | "til" => 1,
            "up" if self.is(1, &["to", "until", "till"]) => 2,
            "before" => 1,
            "prior" | "ahead" if self.is(1, &["to", "of"]) => 2,
            "between" => return self.range(1, TO),
            "right" | "just" | "shortly" | "immediately" if self.is(1, &["before", "after"]) => {
                return self.from(1).led().map(|(expression, length)| (expression, length + 1));
            }
            _ => return None,
        };
        let word = self.word(lead - 1);
        if word != "before"
            && let Some(found) = self.range(lead, &["to", "until", "till", "-", "through"])
        {
            return Some(found);
        }
        let rest = self.from(lead);
        if word == "since"
            && let Some((ms, length)) = rest.since_length()
        {
            return Some((TimeExpression::Last(ms), lead + length));
        }
        let is_sure = matches!(word, "since");
        let (point, length) = rest.point(is_sure)?;
        let end = lead + length;
        let (make, onwards): (fn(Point) -> TimeExpression, usize) = match (self.word(0), word) {
            (_, "since" | "starting") => (TimeExpression::Since, 0),
            ("after", _) => return Some((after(point), end)),
            ("from", _) => {
                let onwards = usize::from(self.is(end, &["on", "onwards", "onward"]));
                let is_clock = matches!(point, Point::Clock(_));
                if onwards == 0 && !is_clock {
                    return None;
                }
                (TimeExpression::Since, onwards)
            }
            (_, "until" | "till" | "til") | ("up", _) => (TimeExpression::Until, 0),
            _ => (TimeExpression::Before, 0),
        };
        let expression = match (make(point), point) {
            // What is up to something that happened came before it.
            (TimeExpression::Until(_), Point::Anchor(_)) => TimeExpression::Before(point),
            (TimeExpression::Since(_), Point::Ago(ms)) => TimeExpression::Last(ms),
            // "Will it last until next week": what is ahead is meant, not what leads up to it.
            (TimeExpression::Until(_), Point::Day(day)) if is_ahead(day) => TimeExpression::Whole(day),
            (expression, _) => expression,
        };
        Some((expression, end + onwards))
    }

    /// "yesterday between 10 and 11:30", "on monday from 9 to 10".
    fn day_and_range(&self) -> Read<TimeExpression> {
        let lead = self.skip(0, &["on", "the"]);
        let (day, length) = self.from(lead).day()?;
        let rest = self.from(lead + length);
        match rest.led()? {
            (TimeExpression::Range(Point::Clock(from), Point::Clock(to)), more) => {
                Some((TimeExpression::Range(Point::On(day, from), Point::On(day, to)), lead + length + more))
            }
            _ => None,
        }
    }

    /// "Between 9 and 11 pm" begins in the evening, too.
    fn in_same_half(&self, from: Point, of_from: Range<usize>, to: Point, mut of_to: Range<usize>) -> Point {
        let is_bare = of_from.clone().all(|at| !self.word(at).ends_with(['m', 'h']) && !self.word(at).contains(':'));
        let is_afternoon = of_to.any(|at| self.word(at).ends_with("pm") || self.word(at) == "p.m");
        match (from, to) {
            (Point::Clock(begin), Point::Clock(end) | Point::On(_, end)) if is_bare && is_afternoon => {
                let later = begin.time.overflowing_add_signed(chrono::TimeDelta::hours(12));
                let is_before = later.1 == 0 && later.0 < end.time;
                if is_before { Point::Clock(super::expression::ClockTime { time: later.0, ..begin }) } else { from }
            }
            _ => from,
        }
    }

    /// "09:00 to 10:00", "between 9 and 11:30 yesterday", "from monday to wednesday".
    fn range(&self, lead: usize, to: &[&str]) -> Read<TimeExpression> {
        let is_led = lead > 0;
        let joined = self.word(lead).split_once('-').and_then(|(from, to)| {
            Some((super::numbers::clock_word(from, false)?, super::numbers::clock_word(to, false)?))
        });
        let (from, to, end) = match joined {
            Some((from, to)) => (Point::Clock(clocks::clock_of(from)), Point::Clock(clocks::clock_of(to)), lead + 1),
            None => {
                let (from, length) = self.from(lead).point(is_led)?;
                let and = lead + length;
                if !self.is(and, to) {
                    return None;
                }
                if self.is(and + 1, &["now"]) {
                    return Some((TimeExpression::Since(from), and + 2));
                }
                let (to, more) = self.from(and + 1).point(true)?;
                let end = and + 1 + more;
                (self.in_same_half(from, lead..and, to, and + 1..end), to, end)
            }
        };
        let (from, to) = points::on_one_day(from, to)?;
        if let (Point::Clock(from), Point::Clock(to)) = (from, to)
            && let Some((day, length)) = self.from(self.skip(end, &["on", "of", "the"])).day()
        {
            let end = self.skip(end, &["on", "of", "the"]) + length;
            return Some((TimeExpression::Range(Point::On(day, from), Point::On(day, to)), end));
        }
        Some((TimeExpression::Range(from, to), end))
    }
}

fn is_ahead(day: Stretch) -> bool {
    matches!(day, Stretch::NextWeek | Stretch::Tomorrow | Stretch::Weekend | Stretch::Tonight)
}

/// What came after a day begins with the next one.
fn after(point: Point) -> TimeExpression {
    TimeExpression::Since(match point {
        Point::Day(Stretch::Date(date)) => Point::Day(Stretch::Date(date.succ_opt().unwrap_or(date))),
        Point::Day(Stretch::Yesterday) => Point::Day(Stretch::Today),
        other => other,
    })
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ask::words::Words;
    use proptest::prelude::*;

    fn said(text: &str) -> Vec<String> {
        let words = Words::of(text, &|_| false);
        let texts: Vec<&str> = words.texts().collect();
        let of = |found: Found| format!("{}{}", if found.is_versus { "vs " } else { "" }, found.expression);
        times(&texts, NaiveDate::from_ymd_opt(2026, 11, 17).unwrap()).into_iter().map(of).collect()
    }

    #[test]
    fn times_are_found_in_what_people_say() {
        for (text, expected) in [
            ("cart errors in the past half hour", "last:30m"),
            ("errors last 90 mins", "last:90m"),
            ("rps over the last hour", "last:1h"),
            ("what happened in the last couple of hours", "last:2h"),
            ("deploys 2h ago", "ago:2h"),
            ("logs past 7 days", "last:7d"),
            ("since 9", "since:09:00"),
            ("since 9pm", "since:21:00"),
            ("since 14:30", "since:14:30"),
            ("anything since the last deploy?", "since:deploy"),
            ("what changed right before the incident", "before:incident"),
            ("what changed before it broke", "before:incident"),
            ("alerts during the outage", "during:incident"),
            ("p95 of search at 10:00", "at:10:00"),
            ("p95 of search around 10 am", "at:10:00"),
            ("between 9 and 10:30", "range:09:00-10:30"),
            ("from 09:00 to 10:00", "range:09:00-10:00"),
            ("09:00-10:00 cart", "range:09:00-10:00"),
            ("last night", "last_night"),
            ("y was it slow yday", "yesterday"),
            ("yesterday at 10", "yesterday@10:00"),
            ("on monday", "day:mon"),
            ("last friday at 23:15", "day:fri@23:15"),
            ("on 2026-11-12", "date:2026-11-12"),
            ("on the 12th of November", "date:2026-11-12"),
            ("on nov 12", "date:2026-11-12"),
            ("3 december", "date:2025-12-03"),
            ("since the 20th", "since:date:2026-10-20"),
            ("this week", "this_week"),
            ("last month", "last_month"),
            ("is it down rn", "now"),
            ("at the moment", "now"),
            ("will it last in the next 3 days", "next:3d"),
            ("full in 2 hours?", "next:2h"),
            ("can we deploy tomorrow", "tomorrow"),
            ("this weekend", "weekend"),
        ] {
            let found = said(text);
            assert_eq!(found.first().map(String::as_str), Some(expected), "{text}: {found:?}");
        }
        assert_eq!(said("cart latency today vs yesterday"), ["today", "vs yesterday"]);
        assert_eq!(said("errors compared to last week"), ["vs last_week"]);
        assert_eq!(said("higher than the same time last week"), ["vs last_week"]);
        for none in [
            "scaled from 3 to 4 instances",
            "since 9 deploys",
            "at 12 errors",
            "2 may be down",
            "at 1000 rps",
            "why is checkout slow",
            "scale to 5",
            "p99 at 5 percent",
            "last deploy of cart",
            "top 3 services",
            "v1.9",
        ] {
            assert_eq!(said(none), Vec::<String>::new(), "{none}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_the_times_lie_within_it(text in "([a-z0-9:./+-]{1,6} |(since|before|last|to|the|at|on|until|ago|hours|monday|12|9am|noon|weekend|deploy) ){0,12}") {
            let words = Words::of(&text, &|_| false);
            let texts: Vec<&str> = words.texts().collect();
            let mut end = 0;
            for found in times(&texts, NaiveDate::from_ymd_opt(2026, 2, 28).unwrap()) {
                prop_assert!(found.at.start >= end && found.at.end <= texts.len() && !found.at.is_empty());
                end = found.at.end;
                prop_assert_eq!(found.expression.to_string().parse::<TimeExpression>(), Ok(found.expression));
            }
        }
    }
}
