//! Numbers, units, clock times and names of days and months, word by word.

use chrono::{NaiveTime, Weekday};

use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS};

/// `9`, `09:30`, `9am`, `1430`, `14h`; a bare number only where `is_led` holds.
pub(super) fn clock_word(word: &str, is_led: bool) -> Option<NaiveTime> {
    let word = word.strip_suffix('z').filter(|rest| rest.contains(':')).unwrap_or(word);
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
        Some(true) if hour < 12 => hour + 12,
        Some(false) if hour == 12 => 0,
        _ => hour,
    };
    NaiveTime::from_hms_opt(hour, minute, 0)
}

pub(super) fn number(word: &str) -> Option<i64> {
    const WORDS: [&str; 13] =
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    if matches!(word, "a" | "an") {
        return Some(1);
    }
    let spelled = WORDS.iter().position(|known| *known == word).and_then(|at| i64::try_from(at).ok());
    let tens = match word {
        "fifteen" => Some(15),
        "twenty" => Some(20),
        "thirty" => Some(30),
        "forty" => Some(40),
        "fourty" => Some(40),
        "fifty" => Some(50),
        "sixty" => Some(60),
        "ninety" => Some(90),
        _ => None,
    };
    let digits = || word.parse().ok().filter(|_| word.len() <= 4 && word.chars().all(|c| c.is_ascii_digit()));
    spelled.or(tens).or_else(digits).filter(|count| *count > 0)
}

pub(super) fn unit(word: &str) -> Option<i64> {
    match word {
        "m" | "minute" | "minutes" => Some(MINUTE_MS),
        "h" | "hour" | "hours" => Some(HOUR_MS),
        "d" | "day" | "days" => Some(DAY_MS),
        "w" | "week" | "weeks" => Some(7 * DAY_MS),
        "month" | "months" => Some(30 * DAY_MS),
        _ => None,
    }
}

/// `2h`, `90min`, `3days`.
pub(super) fn together(word: &str) -> Option<i64> {
    let at = word.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0 && *at <= 4)?;
    let (count, rest) = word.split_at_checked(at)?;
    let rest = match rest {
        "min" | "mins" => "minutes",
        "hr" | "hrs" => "hours",
        other => other,
    };
    count.parse::<i64>().ok().filter(|count| *count > 0)?.checked_mul(unit(rest)?)
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
    let is_it = |month: &str| word == month || (word.len() == 3 && month.starts_with(word) && word != "may");
    MONTHS.iter().position(|month| is_it(month)).and_then(|at| u32::try_from(at + 1).ok())
}

pub(super) fn weekday(word: &str) -> Option<Weekday> {
    Some(match word {
        "monday" | "mon" => Weekday::Mon,
        "tuesday" | "tue" | "tues" => Weekday::Tue,
        "wednesday" | "wed" => Weekday::Wed,
        "thursday" | "thu" | "thurs" => Weekday::Thu,
        "friday" | "fri" => Weekday::Fri,
        "saturday" | "sat" => Weekday::Sat,
        "sunday" | "sun" => Weekday::Sun,
        _ => return None,
    })
}
