//! Numbers, units, clock times and names of days and months, word by word.

use chrono::{NaiveDate, NaiveTime, Weekday};

use super::zone::Zone;
use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};

/// Lays the zone that hangs on a clock time aside: `14:31z`, `10:00+02:00`, `9amcet`.
fn without_zone(word: &str) -> (&str, Zone) {
    let digit = |c: char| c.is_ascii_digit();
    let Some(end) = word.find(|c: char| !digit(c) && !matches!(c, ':' | '.')) else { return (word, Zone::Own) };
    let end = if word[end..].starts_with("am") || word[end..].starts_with("pm") { end + 2 } else { end };
    match word.split_at_checked(end) {
        Some((time, zone)) if !zone.is_empty() => match Zone::named(zone) {
            // "9z" and "5+2" are no times of day.
            Some(zone) if time.contains(':') || time.ends_with('m') || matches!(time.len(), 4 | 6) => (time, zone),
            _ => (word, Zone::Own),
        },
        _ => (word, Zone::Own),
    }
}

/// `9`, `09:30`, `09:30:05.2z`, `9am`, `1430`; a bare number only where `is_led` holds.
pub(super) fn clock_word(word: &str, is_led: bool) -> Option<(NaiveTime, Zone)> {
    let (word, zone) = without_zone(word);
    if matches!(word.matches(':').count(), 2) {
        return NaiveTime::parse_from_str(word, "%H:%M:%S%.f").ok().map(|time| (time, zone));
    }
    let (digits, shift) = match (word.strip_suffix("pm"), word.strip_suffix("am")) {
        (Some(rest), _) => (rest, Some(true)),
        (_, Some(rest)) => (rest, Some(false)),
        _ => (word, None),
    };
    let (hour, minute) = match digits.split_once([':', '.']).filter(|_| !digits.starts_with('v')) {
        Some((hour, minute)) if minute.len() == 2 && (digits.contains(':') || shift.is_some()) => (hour, minute),
        Some(_) => return None,
        None if is_led && digits.len() == 4 => digits.split_at_checked(2)?,
        None if (is_led || shift.is_some()) && digits.len() <= 2 => (digits, "0"),
        None => return None,
    };
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    let hour = match shift {
        Some(_) if !(1..=12).contains(&hour) && hour != 0 => return None,
        Some(true) if hour < 12 => hour + 12,
        Some(false) if hour == 12 => 0,
        _ => hour,
    };
    NaiveTime::from_hms_opt(hour, minute, 0).map(|time| (time, zone))
}

/// `2026-11-12t10:00:00z`: a date and a clock time in one word.
pub(super) fn stamp(word: &str) -> Option<(NaiveDate, NaiveTime, Zone)> {
    let (date, time) = word.split_once(['t', '_'])?;
    let date = iso_date(date)?;
    let (digits, zone) = without_zone(time);
    let forms: &[&str] = if digits.contains(':') { &["%H:%M:%S%.f", "%H:%M"] } else { &["%H%M%S", "%H%M"] };
    forms.iter().find_map(|form| NaiveTime::parse_from_str(digits, form).ok()).map(|time| (date, time, zone))
}

/// `2026-11-12`, `2026/11/12`, `20261112`.
pub(super) fn iso_date(word: &str) -> Option<NaiveDate> {
    let is_long = |digits: usize| word.chars().filter(char::is_ascii_digit).count() == digits;
    let forms: &[&str] = if word.len() == 8 && is_long(8) { &["%Y%m%d"] } else { &["%Y-%m-%d", "%Y/%m/%d"] };
    let date = forms.iter().find_map(|form| NaiveDate::parse_from_str(word, form).ok())?;
    (1990..2100).contains(&chrono::Datelike::year(&date)).then_some(date)
}

/// `12.11.`, `12.11.2026`, `12/11/2026`, `11/12`: two numbers and perhaps a year, with the sign between them.
pub(super) fn numbered_date(word: &str) -> Option<(u32, u32, Option<i32>, char)> {
    let sign = if word.contains('/') { '/' } else { '.' };
    let mut parts = word.trim_end_matches('.').split(sign);
    let number = |part: &str| part.parse::<u32>().ok().filter(|_| part.len() <= 2);
    let (one, other) = (number(parts.next()?)?, number(parts.next()?)?);
    let year = match parts.next() {
        None => None,
        Some(part) if part.len() == 4 => Some(year(part)?),
        Some(part) if part.len() == 2 => Some(2000 + part.parse::<i32>().ok()?),
        Some(_) => return None,
    };
    let is_date = parts.next().is_none() && (1..=31).contains(&one) && (1..=31).contains(&other);
    (is_date && (one <= 12 || other <= 12)).then_some((one, other, year, sign))
}

/// `2026`.
pub(super) fn year(word: &str) -> Option<i32> {
    word.parse().ok().filter(|year| word.len() == 4 && (1990..2100).contains(year))
}

pub(super) fn number(word: &str) -> Option<i64> {
    const WORDS: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [(&str, i64); 9] = [
        ("twenty", 20),
        ("thirty", 30),
        ("forty", 40),
        ("fourty", 40),
        ("fifty", 50),
        ("sixty", 60),
        ("seventy", 70),
        ("eighty", 80),
        ("ninety", 90),
    ];
    if matches!(word, "a" | "an") {
        return Some(1);
    }
    let spelled = |word: &str| WORDS.iter().position(|known| *known == word).and_then(|at| i64::try_from(at).ok());
    let ten = |word: &str| TENS.iter().find(|(known, _)| *known == word).map(|(_, count)| *count);
    let joined = || {
        let (tens, ones) = word.split_once('-')?;
        Some(ten(tens)? + spelled(ones).filter(|ones| (1..10).contains(ones))?)
    };
    let digits = || word.parse().ok().filter(|_| word.len() <= 4 && word.chars().all(|c| c.is_ascii_digit()));
    spelled(word).or_else(|| ten(word)).or_else(joined).or_else(digits).filter(|count| *count > 0)
}

/// The length of a unit in milliseconds.
pub(super) fn unit(word: &str) -> Option<i64> {
    match word {
        "s" | "sec" | "secs" | "second" | "seconds" => Some(SECOND_MS),
        "m" | "min" | "mins" | "minute" | "minutes" => Some(MINUTE_MS),
        "h" | "hr" | "hrs" | "hour" | "hours" => Some(HOUR_MS),
        "d" | "day" | "days" => Some(DAY_MS),
        "w" | "wk" | "wks" | "week" | "weeks" => Some(7 * DAY_MS),
        "fortnight" => Some(14 * DAY_MS),
        "month" | "months" => Some(30 * DAY_MS),
        "year" | "years" => Some(365 * DAY_MS),
        _ => None,
    }
}

/// `2h`, `90min`, `3days`, `1h30m`, `2d4h`, `1.5h`.
pub(super) fn together(word: &str) -> Option<i64> {
    let (mut rest, mut sum) = (word, 0i64);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|at| (1..=5).contains(at))?;
        let (count, after) = rest.split_at_checked(digits)?;
        let letters = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (name, left) = after.split_at_checked(letters)?;
        let of_unit = unit(name)?;
        let part = match count.split_once('.') {
            Some((whole, tenth)) if tenth.len() == 1 => {
                whole.parse::<i64>().ok()?.checked_mul(of_unit)? + tenth.parse::<i64>().ok()? * of_unit / 10
            }
            Some(_) => return None,
            None => count.parse::<i64>().ok()?.checked_mul(of_unit)?,
        };
        sum = sum.checked_add(part)?;
        rest = left;
    }
    Some(sum).filter(|sum| *sum > 0)
}

/// `12th`, `3rd`, `12`.
pub(super) fn day_number(word: &str) -> Option<u32> {
    let digits = ["st", "nd", "rd", "th"].iter().find_map(|ending| word.strip_suffix(ending)).unwrap_or(word);
    digits.parse().ok().filter(|day| (1..=31).contains(day) && digits.len() <= 2)
}

pub(super) fn month(word: &str) -> Option<u32> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let is_short =
        |month: &str| (word.len() == 3 && month.starts_with(word)) || (word == "sept" && month == "september");
    let is_it = |month: &str| word == month || is_short(month);
    MONTHS.iter().position(|month| is_it(month)).and_then(|at| u32::try_from(at + 1).ok())
}

pub(super) fn weekday(word: &str) -> Option<Weekday> {
    Some(match word {
        "monday" | "mon" => Weekday::Mon,
        "tuesday" | "tue" | "tues" => Weekday::Tue,
        "wednesday" | "wed" | "weds" => Weekday::Wed,
        "thursday" | "thu" | "thur" | "thurs" => Weekday::Thu,
        "friday" | "fri" => Weekday::Fri,
        "saturday" | "sat" => Weekday::Sat,
        "sunday" | "sun" => Weekday::Sun,
        _ => return None,
    })
}
