//! Finds times among the words of a question: "past half hour", "since the deploy", "yesterday at 10", "between 9 and 10:30".

use std::ops::Range;

use chrono::{Datelike, Months, NaiveDate, NaiveTime};

use super::expression::{Anchor, Stretch, TimeExpression};
use super::numbers::{clock_word, day_number, month, number, together, unit, weekday};
use crate::engine::clock::MINUTE_MS;

/// A time among words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its words.
    pub at: Range<usize>,
    /// What they say.
    pub expression: TimeExpression,
    /// True where it is what something is compared with.
    pub is_versus: bool,
}

/// Words that the grammar is made of, for the speller.
pub const VOCABULARY: &str = "afternoon already april august before currently december during evening february friday half hour hours \
    january july june last march midnight minute minutes moment monday month morning next night noon \
    november now october past previous quarter saturday september since sunday thursday today tomorrow \
    tonight tuesday until wednesday week weekend weeks yesterday right days coming";

/// What may be counted: a number before it is no clock time.
const COUNTED: &str = "% percent instances instance replicas hosts host pods pod nodes machines servers services alerts alarms errors \
    error failures incidents requests rps qps users customers deploys deployments releases changes restarts retries steps seconds \
    connections queries lines";

/// Every time among `words`, from the first on, as they are said `today`.
#[must_use]
pub fn times(words: &[&str], today: NaiveDate) -> Vec<Found> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < words.len() {
        let rest = words.get(at..).unwrap_or_default();
        let reader = Reader { words: rest, today };
        match reader.time() {
            Some((expression, length)) => {
                let before = words.get(at.saturating_sub(3)..at).unwrap_or_default();
                let is_versus = expression != TimeExpression::Now && says_versus(before);
                found.push(Found { at: at..at + length, expression, is_versus });
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
struct Reader<'w> {
    words: &'w [&'w str],
    today: NaiveDate,
}

type Read<T> = Option<(T, usize)>;

impl Reader<'_> {
    /// The same for some of the words.
    fn from<'r>(&self, words: &'r [&'r str]) -> Reader<'r> {
        Reader { words, today: self.today }
    }

    fn word(&self, at: usize) -> &str {
        self.words.get(at).copied().unwrap_or_default()
    }

    fn is(&self, at: usize, any_of: &[&str]) -> bool {
        any_of.contains(&self.word(at))
    }

    /// Words such as "the" that say nothing here.
    fn skip(&self, at: usize, any_of: &[&str]) -> usize {
        (at..self.words.len()).find(|at| !self.is(*at, any_of)).unwrap_or(self.words.len())
    }

    fn time(&self) -> Read<TimeExpression> {
        self.now()
            .or_else(|| self.anchored())
            .or_else(|| self.span())
            .or_else(|| self.clocked_day())
            .or_else(|| self.since_clock())
            .or_else(|| self.clocks())
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

    /// "since the last deploy", "before it broke", "during this incident".
    fn anchored(&self) -> Read<TimeExpression> {
        let make: fn(Anchor) -> TimeExpression = match self.word(0) {
            "since" | "after" => TimeExpression::Since,
            "before" | "prior" => TimeExpression::Before,
            "during" | "while" | "throughout" => TimeExpression::During,
            "right" | "just" | "shortly" if self.is(1, &["before", "after"]) => {
                let (expression, length) = self.from(self.words.get(1..)?).anchored()?;
                return Some((expression, length + 1));
            }
            "leading" if self.is(1, &["up"]) && self.is(2, &["to"]) => TimeExpression::Before,
            _ => return None,
        };
        let from = if self.word(0) == "leading" { 3 } else { 1 };
        let at =
            self.skip(from, &["the", "this", "that", "our", "last", "latest", "to", "current", "new", "your", "whole"]);
        let anchor = match self.word(at) {
            "incident" | "outage" | "alert" | "alarm" | "failure" | "crash" | "issue" | "problem" | "page"
            | "trouble" => (Anchor::Incident, 1),
            "deploy" | "deployment" | "release" | "rollout" | "change" | "push" | "deploys" => (Anchor::Deploy, 1),
            "deployed" | "shipped" | "released" if at == 1 => (Anchor::Deploy, 1),
            "we" | "they" | "you" if self.is(at + 1, &["deployed", "shipped", "released"]) => (Anchor::Deploy, 2),
            "it" | "things" | "everything" | "all" | "we" | "stuff" | "shit" | "hell"
                if self.is(
                    at + 1,
                    &[
                        "broke", "started", "began", "failed", "happened", "went", "fell", "crashed", "exploded",
                        "did", "blew",
                    ],
                ) =>
            {
                let more = usize::from(
                    self.is(at + 2, &["down", "wrong", "breaking", "failing", "happening", "apart", "up", "boom"]),
                );
                (Anchor::Incident, 2 + more)
            }
            _ => return None,
        };
        let mut end = at + anchor.1;
        if anchor.0 == Anchor::Incident && self.is(end, &["started", "began", "opened", "hit", "happened", "broke"]) {
            end += 1 + usize::from(self.is(end + 1, &["out"]));
        }
        Some((make(anchor.0), end))
    }

    /// "last 2 hours", "in the past half hour", "next 3 days", "2h ago".
    fn span(&self) -> Read<TimeExpression> {
        let lead = self.skip(0, &["in", "over", "within", "for", "during", "the", "of"]);
        let make: fn(i64) -> TimeExpression = match self.word(lead) {
            "last" | "past" | "previous" => TimeExpression::Last,
            "next" | "coming" | "following" => TimeExpression::Next,
            _ => return self.bare_span(lead),
        };
        let named = match (self.word(lead), self.word(lead + 1)) {
            ("last" | "previous", "night") => Some(Stretch::LastNight),
            ("last" | "previous", "week") => Some(Stretch::LastWeek),
            ("last" | "previous", "month") => Some(Stretch::LastMonth),
            ("next" | "coming" | "following", "week") => Some(Stretch::NextWeek),
            ("next" | "coming", "weekend") => Some(Stretch::Weekend),
            ("last" | "previous" | "past", day) => weekday(day).map(Stretch::Day),
            _ => None,
        };
        if let Some(stretch) = named {
            return Some((TimeExpression::Whole(stretch), lead + 2));
        }
        let at = self.skip(lead + 1, &["the"]);
        let (ms, length) = self.from(self.words.get(at..)?).duration(true)?;
        Some((make(ms), at + length))
    }

    /// A span without "last": with "ago" or "in" or a single word such as `2h` after "past".
    fn bare_span(&self, at: usize) -> Read<TimeExpression> {
        let (ms, length) = self.from(self.words.get(at..)?).duration(false)?;
        if self.is(at + length, &["ago", "back"]) {
            return Some((TimeExpression::Last(ms), at + length + 1));
        }
        let is_ahead = at > 0 && self.is(0, &["in", "within"]);
        is_ahead.then_some((TimeExpression::Next(ms), at + length))
    }

    /// "90 min", "2h", "half an hour", "an hour"; a bare unit counts as one where `is_led` holds.
    fn duration(&self, is_led: bool) -> Read<i64> {
        if self.is(0, &["half"]) && self.is(self.skip(1, &["an", "a"]), &["hour", "hr"]) {
            return Some((30 * MINUTE_MS, self.skip(1, &["an", "a"]) + 1));
        }
        if self.is(0, &["quarter"]) && self.is(self.skip(1, &["of", "an"]), &["hour"]) {
            return Some((15 * MINUTE_MS, self.skip(1, &["of", "an"]) + 1));
        }
        if let Some(unit) = unit(self.word(0)).filter(|_| is_led) {
            return Some((unit, 1));
        }
        let couple = if self.is(0, &["a"]) && self.is(1, &["couple", "few"]) { 1 } else { 0 };
        if self.is(couple, &["couple"]) {
            let at = self.skip(couple + 1, &["of"]);
            return unit(self.word(at)).map(|unit| (2 * unit, at + 1));
        }
        if let Some(ms) = together(self.word(0)) {
            return Some((ms, 1));
        }
        let count = number(self.word(0))?;
        let is_half = self.is(1, &["and"]) && self.is(2, &["a"]) && self.is(3, &["half"]);
        let at = if is_half { 4 } else { 1 };
        let unit = unit(self.word(at))?;
        Some((count.checked_mul(unit)? + if is_half { unit / 2 } else { 0 }, at + 1))
    }

    /// A day or a longer stretch, with a clock time where one is said.
    fn clocked_day(&self) -> Read<TimeExpression> {
        let lead = self.skip(0, &["on", "the", "for", "over", "in", "during", "of"]);
        let (stretch, length) = self.from(self.words.get(lead..)?).stretch()?;
        let end = lead + length;
        let clock_at = self.skip(end, &["at", "around", "about", "@"]);
        let is_single = !matches!(
            stretch,
            Stretch::ThisWeek
                | Stretch::LastWeek
                | Stretch::ThisMonth
                | Stretch::LastMonth
                | Stretch::NextWeek
                | Stretch::Weekend
        );
        if is_single && let Some((time, length)) = self.from(self.words.get(clock_at..)?).clock(clock_at > end) {
            return Some((TimeExpression::Clock(stretch, time), clock_at + length));
        }
        Some((TimeExpression::Whole(stretch), end))
    }

    fn stretch(&self) -> Read<Stretch> {
        let second = self.word(1);
        let (stretch, length) = match self.word(0) {
            "today" => (Stretch::Today, 1),
            "this" if matches!(second, "morning" | "afternoon") => (Stretch::Today, 2),
            "yesterday" if second == "night" => (Stretch::LastNight, 2),
            "yesterday" => (Stretch::Yesterday, 1),
            "overnight" => (Stretch::LastNight, 1),
            "night" if second == "before" => (Stretch::LastNight, 2),
            "tonight" => (Stretch::Tonight, 1),
            "this" if matches!(second, "evening" | "night") => (Stretch::Tonight, 2),
            "tomorrow" => (Stretch::Tomorrow, 1),
            "this" if second == "week" => (Stretch::ThisWeek, 2),
            "this" if second == "month" => (Stretch::ThisMonth, 2),
            "this" if second == "weekend" => (Stretch::Weekend, 2),
            "last" if second == "night" => (Stretch::LastNight, 2),
            "last" if second == "week" => (Stretch::LastWeek, 2),
            "last" if second == "month" => (Stretch::LastMonth, 2),
            "weekend" => (Stretch::Weekend, 1),
            word => return weekday(word).map(|day| (Stretch::Day(day), 1)).or_else(|| self.date()),
        };
        Some((stretch, length))
    }

    fn date(&self) -> Read<Stretch> {
        if let Ok(date) = NaiveDate::parse_from_str(self.word(0), "%Y-%m-%d") {
            return Some((Stretch::Date(date), 1));
        }
        // "12 November", "the 12th of Nov", "November 12th", "the 12th"
        let (day, month, length) = match (day_number(self.word(0)), month(self.word(0))) {
            (Some(day), _) => {
                let at = self.skip(1, &["of"]);
                let is_sure = self.word(at) != "may" || self.word(0).ends_with(|c: char| c.is_alphabetic());
                match month(self.word(at)).filter(|_| is_sure) {
                    Some(month) => (day, Some(month), at + 1),
                    None if self.word(0).ends_with(|c: char| c.is_alphabetic()) => (day, None, 1),
                    None => return None,
                }
            }
            // "may 2" and "2 may" are seldom dates.
            (None, Some(month)) if self.word(0) != "may" => (day_number(self.word(1))?, Some(month), 2),
            (None, Some(_)) => return None,
            (None, None) => return None,
        };
        let date = match month {
            Some(month) => NaiveDate::from_ymd_opt(self.today.year(), month, day)?,
            None => self.today.with_day(day)?,
        };
        let latest = match month {
            _ if date <= self.today => Some(date),
            Some(_) => date.checked_sub_months(Months::new(12)),
            None => date.checked_sub_months(Months::new(1)),
        };
        latest.map(|date| (Stretch::Date(date), length))
    }

    /// "since 9", "after 14:30".
    fn since_clock(&self) -> Read<TimeExpression> {
        if !self.is(0, &["since", "after", "from"]) {
            return None;
        }
        let at = self.skip(1, &["about", "around"]);
        let (time, length) = self.from(self.words.get(at..)?).clock(self.word(0) == "since")?;
        if self.is(at + length, &["to", "until", "till", "-"]) {
            return None;
        }
        Some((TimeExpression::SinceClock(time), at + length))
    }

    /// "at 10:00", "10:00", "between 9 and 10", "09:00-10:00".
    fn clocks(&self) -> Read<TimeExpression> {
        if let Some((from, to)) = self.word(0).split_once('-')
            && let (Some(from), Some(to)) = (clock_word(from, false), clock_word(to, false))
        {
            return Some((TimeExpression::Range(from, to), 1));
        }
        let is_between = self.is(0, &["between", "from"]);
        if is_between && let Some((from, length)) = self.from(self.words.get(1..)?).clock(true) {
            let and = 1 + length;
            if self.is(and, &["and", "to", "until", "till", "-"])
                && let Some((to, more)) = self.from(self.words.get(and + 1..)?).clock(true)
            {
                return Some((TimeExpression::Range(from, to), and + 1 + more));
            }
        }
        let at = self.skip(0, &["at", "around", "about"]);
        let is_led = at > 0 && self.is(at - 1, &["at", "around"]);
        let (time, length) = self.from(self.words.get(at..)?).clock(is_led)?;
        if self.is(at + length, &["to", "until", "till"])
            && let Some((to, more)) = self.from(self.words.get(at + length + 1..)?).clock(true)
        {
            return Some((TimeExpression::Range(time, to), at + length + 1 + more));
        }
        Some((TimeExpression::At(time), at + length))
    }

    /// A clock time; a bare hour counts where a word before it says so.
    fn clock(&self, is_led: bool) -> Read<NaiveTime> {
        match self.word(0) {
            "noon" => return NaiveTime::from_hms_opt(12, 0, 0).map(|time| (time, 1)),
            "midnight" => return NaiveTime::from_hms_opt(0, 0, 0).map(|time| (time, 1)),
            _ => {}
        }
        let half = match self.word(1) {
            "am" | "a.m" => Some(false),
            "pm" | "p.m" => Some(true),
            _ => None,
        };
        if let Some(is_afternoon) = half {
            let joined = format!("{}{}", self.word(0), if is_afternoon { "pm" } else { "am" });
            return clock_word(&joined, true).map(|time| (time, 2));
        }
        let time = clock_word(self.word(0), is_led)?;
        // "at 5 percent", "since 9 hosts", "from 3 to 4 instances": the number of something else.
        let is_bare = self.word(0).chars().all(|c| c.is_ascii_digit());
        let counts = unit(self.word(1)).is_some() || COUNTED.split_whitespace().any(|noun| noun == self.word(1));
        let is_count = is_bare && counts;
        let length = 1 + usize::from(matches!(self.word(1), "utc" | "o'clock" | "oclock" | "h"));
        (!is_count).then_some((time, length))
    }
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
            ("deploys 2h ago", "last:2h"),
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
            ("last friday at 23:15", "day:fri"),
            ("on 2026-11-12", "date:2026-11-12"),
            ("on the 12th of November", "date:2026-11-12"),
            ("on nov 12", "date:2026-11-12"),
            ("3 december", "date:2025-12-03"),
            ("since the 20th", "date:2026-10-20"),
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
        fn whatever_is_written_the_times_lie_within_it(text in "([a-z0-9:]{1,6} ){0,12}") {
            let words = Words::of(&text, &|_| false);
            let texts: Vec<&str> = words.texts().collect();
            let mut end = 0;
            for found in times(&texts, NaiveDate::from_ymd_opt(2026, 2, 28).unwrap()) {
                prop_assert!(found.at.start >= end && found.at.end <= texts.len() && !found.at.is_empty());
                end = found.at.end;
            }
        }
    }
}
