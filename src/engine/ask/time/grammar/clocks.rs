//! Clock times: "at 10:00", "9 in the evening", "half past nine", "14:31:05 CET", "noon", with their day where one is said.

use chrono::{Datelike, NaiveTime, Timelike, Weekday};

use super::{Read, Reader};
use crate::engine::ask::time::expression::{ClockTime, DayPart, Stretch, TimeExpression};
use crate::engine::ask::time::numbers::{clock_word, number, unit};
use crate::engine::ask::time::zone::Zone;

/// What may be counted: a number before it is no clock time.
const COUNTED: &str = "% percent instances instance replicas hosts host pods pod nodes machines servers services alerts alarms errors \
    error failures incidents requests rps qps users customers deploys deployments releases changes restarts retries steps seconds \
    connections queries lines ms attempts times calls tries or more others other people teams regions of versions dbs databases";

/// A clock time and its zone, together.
pub(super) fn clock_of((time, zone): (NaiveTime, Zone)) -> ClockTime {
    ClockTime { time, zone }
}

impl Reader<'_> {
    /// "at 10:00", "around 14:20", "10:00 yesterday", "yesterday at 10".
    pub(super) fn at(&self) -> Read<TimeExpression> {
        let lead = self.skip(0, &["on", "the", "for", "over", "in", "during", "of", "early", "late", "at"]);
        if let Some((expression, length)) = self.from(lead).clocked_day() {
            let is_behind = !matches!(self.today.weekday(), Weekday::Sat | Weekday::Sun);
            let is_over = (0..lead).any(|at| self.is(at, &["over"])) && is_behind;
            let expression = match expression {
                TimeExpression::Whole(Stretch::Weekend) if is_over && self.is(lead, &["weekend"]) => {
                    TimeExpression::Whole(Stretch::LastWeekend)
                }
                other => other,
            };
            return Some((expression, lead + length));
        }
        if self.is(0, &["on"])
            && let Some(date) = self.from(1).numbered(true)
        {
            return Some((TimeExpression::Whole(Stretch::Date(date)), 2));
        }
        let at = self.skip(0, &["at", "around", "about", "near", "circa", "approximately", "exactly", "roughly", "@"]);
        let is_led = at > 0 && self.is(at - 1, &["at", "around", "@"]);
        let (clock, length) = self.from(at).clock(is_led)?;
        let (expression, length) = self.from(at).with_day(clock, length);
        Some((expression, at + length))
    }

    /// A clock time that ends at `length`, with the day that is said after it.
    pub(super) fn with_day(&self, clock: ClockTime, length: usize) -> (TimeExpression, usize) {
        let at = self.skip(length, &["on", "of", "the"]);
        match self.from(at).day() {
            Some((day, more)) if is_single(day) => (TimeExpression::Clock(day, clock), at + more),
            _ => (TimeExpression::At(clock), length),
        }
    }

    /// A day or a longer stretch, with a clock time or a part of the day where one is said.
    pub(super) fn clocked_day(&self) -> Read<TimeExpression> {
        if let Some((date, time, zone)) = super::super::numbers::stamp(self.word(0)) {
            let (zone, length) = self.zone_after(1, zone);
            return Some((TimeExpression::Clock(Stretch::Date(date), ClockTime { time, zone }), length));
        }
        let (day, length) = self.day()?;
        if !is_single(day) {
            return Some((TimeExpression::Whole(day), length));
        }
        let (part, end) = match self.part(length) {
            Some((part, end)) if !matches!(day, Stretch::LastNight | Stretch::Tonight) => (Some(part), end),
            _ => (None, length),
        };
        let at = self.skip(end, &["at", "around", "about", "@", "from"]);
        if !self.is(at.saturating_sub(1), &["from"])
            && let Some((clock, more)) = self.from(at).clock(at > end)
        {
            let clock = part.map_or(clock, |part| shifted(clock, part));
            return Some((TimeExpression::Clock(day, clock), at + more));
        }
        Some(match part {
            Some(DayPart::Night) if day == Stretch::Yesterday => (TimeExpression::Whole(Stretch::LastNight), end),
            Some(part) => (TimeExpression::Part(day, part), end),
            None => (TimeExpression::Whole(day), end),
        })
    }

    /// "morning", "in the evening".
    fn part(&self, at: usize) -> Read<DayPart> {
        let at = self.skip(at, &["in", "the", "at", "during"]);
        let part = match self.word(at) {
            "morning" => DayPart::Morning,
            "afternoon" => DayPart::Afternoon,
            "evening" => DayPart::Evening,
            "night" => DayPart::Night,
            _ => return None,
        };
        Some((part, at + 1))
    }

    /// A clock time; a bare hour counts where `is_led` holds.
    pub(super) fn clock(&self, is_led: bool) -> Read<ClockTime> {
        let (time, own_zone, length) = self.bare_clock(is_led)?;
        let (zone, mut end) = self.zone_after(length, own_zone);
        let clock = ClockTime { time, zone };
        if self.is(end, &["in", "at"])
            && let Some((part, length)) = self.part(end)
            && (self.is(end + 1, &["the"]) || part == DayPart::Night)
        {
            end = length;
            return Some((shifted(clock, part), end));
        }
        Some((clock, end))
    }

    fn bare_clock(&self, is_led: bool) -> Option<(NaiveTime, Zone, usize)> {
        match self.word(0) {
            "noon" | "midday" => return NaiveTime::from_hms_opt(12, 0, 0).map(|time| (time, Zone::Own, 1)),
            "midnight" => return NaiveTime::from_hms_opt(0, 0, 0).map(|time| (time, Zone::Own, 1)),
            _ => {}
        }
        if self.is(0, &["half", "quarter"]) && self.is(1, &["past", "to"]) && (is_led || self.is(1, &["past"])) {
            let (time, zone, length) = self.from(2).bare_clock(true)?;
            let minutes = match (self.word(0), self.word(1)) {
                ("half", "past") => 30,
                ("quarter", "past") => 15,
                ("quarter", _) => -15,
                _ => return None,
            };
            return Some((time + chrono::TimeDelta::minutes(minutes), zone, 2 + length));
        }
        let half = match self.word(1) {
            "am" | "a.m" => Some("am"),
            "pm" | "p.m" => Some("pm"),
            _ => None,
        };
        if let Some(half) = half {
            let hour = number(self.word(0)).map_or_else(|| self.word(0).to_owned(), |hour| hour.to_string());
            return clock_word(&format!("{hour}{half}"), true).map(|(time, zone)| (time, zone, 2));
        }
        let spelled = || {
            let hour = number(self.word(0)).filter(|hour| *hour <= 12 && self.word(0).len() > 2)?;
            let is_hour = is_led && !self.word(0).starts_with(|c: char| c.is_ascii_digit());
            NaiveTime::from_hms_opt(u32::try_from(hour).ok()?, 0, 0).filter(|_| is_hour).map(|time| (time, Zone::Own))
        };
        let (time, zone) = clock_word(self.word(0), is_led).or_else(spelled)?;
        // "at 5 percent", "since 9 hosts", "from 3 to 4 instances": the number of something else.
        let is_bare = !self.word(0).contains([':', '.']) && !self.word(0).ends_with('m');
        let counts = unit(self.word(1)).is_some() || COUNTED.split_whitespace().any(|noun| noun == self.word(1));
        let length = 1 + usize::from(matches!(self.word(1), "o'clock" | "oclock" | "h"));
        (!is_bare || !counts).then_some((time, zone, length))
    }

    /// The zone that is said after a clock time, and where it ends.
    fn zone_after(&self, at: usize, own: Zone) -> (Zone, usize) {
        if own != Zone::Own {
            return (own, at);
        }
        let lead = self.skip(at, &["in", "the"]);
        let time = usize::from(self.is(lead + 1, &["time"]));
        if self.is(lead, &["local", "my", "our", "your"]) && (time > 0 || self.is(lead, &["local"])) {
            return (Zone::Own, lead + 1 + time);
        }
        // "10:00 in us", "at 9 in berlin": a place after "in" counts with "time" only.
        if lead > at && time == 0 {
            return (Zone::Own, at);
        }
        if self.is(lead, &["eastern", "central", "mountain", "pacific"]) {
            let zone = match self.word(lead) {
                "eastern" => "et",
                "central" => "ct",
                "mountain" => "mt",
                _ => "pt",
            };
            let end = self.skip(lead + 1, &["standard", "daylight", "time"]);
            return (Zone::named(zone).unwrap_or_default(), end);
        }
        let word = self.word(lead);
        // "utc +2"
        if let Some(zone) = Zone::named(&format!("{word}{}", self.word(lead + 1)))
            .filter(|_| matches!(word, "utc" | "gmt") && self.word(lead + 1).starts_with(['+', '-']))
        {
            return (zone, lead + 2);
        }
        let joined = format!("{word}/{}", self.word(lead + 1));
        if let Some(zone) = Zone::named(&joined) {
            return (zone, lead + 2);
        }
        if let Some(zone) = Zone::named(word) {
            return (zone, lead + 1 + time);
        }
        // "berlin time", "new york time"
        for count in [1, 2] {
            let city = (lead..lead + count).map(|at| self.word(at)).collect::<Vec<_>>().join(" ");
            if self.is(lead + count, &["time"])
                && let Some(zone) = Zone::of_city(&city)
            {
                return (zone, lead + count + 1);
            }
        }
        (Zone::Own, at)
    }
}

/// True for a stretch that a clock time may lie in.
fn is_single(day: Stretch) -> bool {
    !matches!(
        day,
        Stretch::ThisWeek
            | Stretch::LastWeek
            | Stretch::ThisMonth
            | Stretch::LastMonth
            | Stretch::NextWeek
            | Stretch::Weekend
            | Stretch::LastWeekend
            | Stretch::Month(_)
    )
}

/// "Nine in the evening" is 21:00.
fn shifted(clock: ClockTime, part: DayPart) -> ClockTime {
    let is_second_half = match part {
        DayPart::Morning => false,
        DayPart::Afternoon | DayPart::Evening => clock.time.hour() < 12,
        DayPart::Night => (6..12).contains(&clock.time.hour()),
    };
    let is_midnight = part == DayPart::Night && clock.time.hour() == 12;
    let time = if is_second_half || is_midnight { clock.time + chrono::TimeDelta::hours(12) } else { clock.time };
    ClockTime { time, ..clock }
}
