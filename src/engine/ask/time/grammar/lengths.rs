//! Lengths of time: "the last 2 hours", "1h30m", "half an hour ago", "the ten minutes before the incident".

use chrono::{Days, Months};

use super::{Read, Reader};
use crate::engine::ask::time::expression::{Stretch, TimeExpression};
use crate::engine::ask::time::numbers::{number, together, unit, weekday};
use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS};

/// Words before "for two hours" that say that it has been so.
const LASTED: &[&str] = &["been", "slow", "down", "failing", "broken", "out", "up", "dead", "unreachable", "unhealthy"];

impl Reader<'_> {
    /// "last 2 hours", "in the past half hour", "next 3 days", "2h ago", "in 2 hours".
    pub(super) fn length(&self, before: &[&str]) -> Read<TimeExpression> {
        let lead = self.skip(0, &["in", "over", "within", "for", "during", "the", "of", "these"]);
        let make: fn(i64) -> TimeExpression = match self.word(lead) {
            "last" | "past" | "previous" | "trailing" => TimeExpression::Last,
            "next" | "coming" | "following" => TimeExpression::Next,
            _ => return self.bare_length(lead, before),
        };
        let is_calendar = matches!(self.word(lead + 1), "night" | "weekend" | "week" | "month" | "evening");
        if weekday(self.word(lead + 1)).is_some() || (is_calendar && self.word(lead) != "past") {
            return None;
        }
        let at = self.skip(lead + 1, &["the"]);
        let (ms, length) = self.from(at).duration(true)?;
        Some((make(ms), at + length))
    }

    /// A length without "last": with "ago" or "in" or after what has lasted.
    fn bare_length(&self, at: usize, before: &[&str]) -> Read<TimeExpression> {
        let at = self.skip(at, &["about", "around", "roughly", "some", "at"]);
        if let Some(found) = self.from(at).days_ago() {
            return Some((found.0, at + found.1));
        }
        let (ms, length) = self.from(at).duration(false)?;
        let end = at + length;
        if self.is(end, &["ago", "back", "earlier"]) {
            return Some((TimeExpression::Ago(ms), end + 1));
        }
        let has_lasted = self.is(0, &["for"]) && before.last().is_some_and(|word| LASTED.contains(word));
        if has_lasted {
            return Some((TimeExpression::Last(ms), end));
        }
        let is_ahead = at > 0 && self.is(0, &["in", "within"]);
        is_ahead.then_some((TimeExpression::Next(ms), end))
    }

    /// "3 days ago", "a week ago at 14:00": days of the calendar rather than hours.
    pub(super) fn days_ago(&self) -> Read<TimeExpression> {
        let (day, length) = self.day_ago()?;
        let at = self.skip(length, &["at", "around", "about"]);
        match self.from(at).clock(at > length) {
            Some((clock, more)) => Some((TimeExpression::Clock(day, clock), at + more)),
            None => Some((TimeExpression::Whole(day), length)),
        }
    }

    pub(super) fn day_ago(&self) -> Read<Stretch> {
        let (count, at) = match (self.word(0), self.word(1)) {
            ("a", "couple") => (2, self.skip(2, &["of"])),
            ("couple", _) => (2, self.skip(1, &["of"])),
            (word, _) => match number(word) {
                Some(count) => (count, 1),
                None => return self.days_ago_together(),
            },
        };
        let count = u32::try_from(count).ok()?;
        let today = self.today;
        let date = match self.word(at) {
            "day" | "days" | "d" => today.checked_sub_days(Days::new(count.into())),
            "week" | "weeks" | "w" | "wk" => today.checked_sub_days(Days::new(7 * u64::from(count))),
            "fortnight" => today.checked_sub_days(Days::new(14 * u64::from(count))),
            "month" | "months" => today.checked_sub_months(Months::new(count)),
            "year" | "years" => today.checked_sub_months(Months::new(count.checked_mul(12)?)),
            _ => None,
        };
        let is_ago = self.is(at + 1, &["ago", "back", "earlier"]);
        date.filter(|_| is_ago).map(|date| (Stretch::Date(date), at + 2))
    }

    /// "3d ago".
    fn days_ago_together(&self) -> Read<Stretch> {
        let days = together(self.word(0)).filter(|ms| ms % DAY_MS == 0)? / DAY_MS;
        let date = self.today.checked_sub_days(Days::new(u64::try_from(days).ok()?))?;
        self.is(1, &["ago", "back", "earlier"]).then_some((Stretch::Date(date), 2))
    }

    /// After "since": "the last two hours", "half an hour", "2h".
    pub(super) fn since_length(&self) -> Read<i64> {
        let at = self.skip(0, &["the", "about", "around", "last", "past"]);
        let (ms, length) = self.from(at).duration(false)?;
        let is_point = self.is(at + length, &["before", "after", "ago", "back", "into"]);
        (!is_point).then_some((ms, at + length))
    }

    /// "90 min", "2h", "1 hour 30 minutes", "half an hour", "an hour"; a bare unit counts as one where `is_led` holds.
    pub(super) fn duration(&self, is_led: bool) -> Read<i64> {
        let (mut sum, mut end) = self.one_duration(is_led)?;
        // "2 days 4 hours", "1 hour and 30 minutes": each smaller than the one before.
        let mut smallest = self.unit_at(end);
        loop {
            let at = self.skip(end, &["and"]);
            let Some((ms, length)) = self.from(at).one_duration(false) else { break };
            let unit = self.unit_at(at + length);
            if unit >= smallest || (at > end && self.is(at, &["a", "an"])) {
                break;
            }
            (sum, end, smallest) = (sum.checked_add(ms)?, at + length, unit);
        }
        Some((sum, end))
    }

    /// The unit that ends before a word.
    fn unit_at(&self, end: usize) -> i64 {
        let word = self.word(end.saturating_sub(1));
        let letters = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        unit(letters).unwrap_or(MINUTE_MS)
    }

    fn one_duration(&self, is_led: bool) -> Read<i64> {
        let an = |at: usize| self.skip(at, &["of", "an", "a"]);
        for (share, at) in [(2, usize::from(self.is(0, &["a"]))), (4, usize::from(self.is(0, &["a"])))] {
            let name = if share == 2 { "half" } else { "quarter" };
            let unit_at = an(at + 1);
            if self.is(at, &[name])
                && let Some(ms) = unit(self.word(unit_at)).filter(|ms| (HOUR_MS..=DAY_MS).contains(ms))
            {
                return Some((ms / share, unit_at + 1));
            }
        }
        if let Some(unit) = unit(self.word(0)).filter(|_| is_led && self.word(0).len() > 1) {
            return Some(self.and_a_half(unit, unit, 1));
        }
        let couple = usize::from(self.is(0, &["a"]) && self.is(1, &["couple", "few"]));
        if self.is(couple, &["couple", "few"]) {
            let at = self.skip(couple + 1, &["of"]);
            let count = if self.is(couple, &["few"]) { 3 } else { 2 };
            return unit(self.word(at)).map(|unit| (count * unit, at + 1));
        }
        if let Some(ms) = together(self.word(0)) {
            return Some((ms, 1));
        }
        if let Some((whole, tenth)) = self.word(0).split_once('.')
            && let (Ok(whole), Ok(tenth), 1) = (whole.parse::<i64>(), tenth.parse::<i64>(), tenth.len())
            && let Some(unit) = unit(self.word(1))
        {
            return Some((whole.checked_mul(unit)? + tenth * unit / 10, 2));
        }
        let count = number(self.word(0))?;
        let is_half = self.is(1, &["and"]) && self.is(2, &["a"]) && self.is(3, &["half"]);
        let at = if is_half { 4 } else { 1 };
        let unit = unit(self.word(at))?;
        let ms = count.checked_mul(unit)?;
        Some(if is_half { (ms + unit / 2, at + 1) } else { self.and_a_half(ms, unit, at + 1) })
    }

    /// "an hour and a half".
    fn and_a_half(&self, ms: i64, unit: i64, end: usize) -> (i64, usize) {
        let is_half = self.is(end, &["and"]) && self.is(end + 1, &["a"]) && self.is(end + 2, &["half"]);
        if is_half { (ms + unit / 2, end + 3) } else { (ms, end) }
    }
}
