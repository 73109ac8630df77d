//! The time at the start of a plain log line, in the formats programs commonly write. Times without a zone are taken as
//! UTC, times without a year as the latest such time that is not in the future.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime};

use crate::engine::clock::{DAY_MS, Timestamp};

/// Which format it was; some say what follows the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// A date and a time.
    Calendar,
    /// `Nov 21 14:31:45`: host and program follow.
    Syslog,
    /// `I1121 14:31:45.123456  1234 file.cc:12] `: the letter is the level.
    Glog(u8),
    /// `[   12.345678]`: seconds since the machine started, which say nothing about the time of day.
    SinceBoot,
}

/// A time at the start of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp<'a> {
    /// The instant, where the format tells one.
    pub at: Option<Timestamp>,
    /// Which format.
    pub format: Format,
    /// What follows.
    pub rest: &'a str,
}

/// Reads the time at the start of `text`, where there is one.
pub(super) fn leading(text: &str, read_at: Timestamp) -> Option<Stamp<'_>> {
    if let Some(inner) = text.strip_prefix('[') {
        if let Some(rest) = since_boot(inner) {
            return Some(Stamp { at: None, format: Format::SinceBoot, rest });
        }
        let stamp = bare(inner, read_at)?;
        let rest = stamp.rest.trim_start().strip_prefix(']')?;
        return Some(Stamp { rest, ..stamp });
    }
    bare(text, read_at)
}

fn bare(text: &str, read_at: Timestamp) -> Option<Stamp<'_>> {
    calendar(text, read_at).or_else(|| syslog(text, read_at)).or_else(|| glog(text, read_at)).or_else(|| epoch(text))
}

/// `12.345678]`, as the kernel writes it.
fn since_boot(text: &str) -> Option<&str> {
    let (seconds, rest) = text.split_once(']')?;
    let (whole, fraction) = seconds.trim_start().split_once('.')?;
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(whole) && is_number(fraction)).then_some(rest)
}

/// `2026-11-21T14:31:45.123Z`, `2026-11-21 14:31:45,123`, `2026/11/21 14:31:45`, `11-21 14:31:45.123`.
fn calendar(text: &str, read_at: Timestamp) -> Option<Stamp<'_>> {
    let mut scan = Scan { rest: text };
    let first = scan.digits(2, 4)?;
    let joint = scan.one_of("-/")?;
    let second = scan.digits(1, 2)?;
    let date = if scan.rest.starts_with(joint) {
        scan.one_of("-/")?;
        let third = scan.digits(2, 2)?;
        // `26/11/21` is read as year, month, day, which is how programs that write two digits write it.
        let year = if first < 100 { 2_000 + first } else { first };
        Some(NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, second, third)?)
    } else {
        None
    };
    scan.one_of("T t_")?;
    let time = scan.time()?;
    let zone_ms = scan.zone_ms();
    let at = match date {
        Some(date) => instant(date.and_time(time)) - zone_ms,
        None => with_year(first, second, time, read_at)?,
    };
    Some(Stamp { at: Some(at), format: Format::Calendar, rest: scan.rest })
}

/// `Nov 21 14:31:45`, `Sat Nov 21 14:31:45 2026`.
fn syslog(text: &str, read_at: Timestamp) -> Option<Stamp<'_>> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const DAYS: [&str; 7] = ["Mon ", "Tue ", "Wed ", "Thu ", "Fri ", "Sat ", "Sun "];
    let weekday = DAYS.iter().find_map(|day| text.strip_prefix(day));
    let mut scan = Scan { rest: weekday.unwrap_or(text) };
    let name = scan.rest.get(..3)?;
    let month = u32::try_from(MONTHS.iter().position(|month| *month == name)?).ok()? + 1;
    scan.rest = scan.rest.get(3..)?.trim_start_matches(' ');
    let day = scan.digits(1, 2)?;
    scan.one_of(" ")?;
    let time = scan.time()?;
    let mut after = Scan { rest: scan.rest.trim_start_matches(' ') };
    if let Some(year) = after.digits(4, 4)
        && !after.rest.starts_with(|c: char| c.is_alphanumeric())
    {
        let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
        return Some(Stamp { at: Some(instant(date.and_time(time))), format: Format::Calendar, rest: after.rest });
    }
    let format = if weekday.is_some() { Format::Calendar } else { Format::Syslog };
    Some(Stamp { at: Some(with_year(month, day, time, read_at)?), format, rest: scan.rest })
}

/// `I1121 14:31:45.123456  1234 file.cc:12] `.
fn glog(text: &str, read_at: Timestamp) -> Option<Stamp<'_>> {
    let level = *text.as_bytes().first().filter(|byte| b"DIWEF".contains(byte))?;
    let mut scan = Scan { rest: text.get(1..)? };
    let date = scan.digits(4, 4)?;
    scan.one_of(" ")?;
    let time = scan.time()?;
    let (place, rest) = scan.rest.split_once("] ")?;
    if place.len() > 120 || !place.contains(':') {
        return None;
    }
    Some(Stamp { at: Some(with_year(date / 100, date % 100, time, read_at)?), format: Format::Glog(level), rest })
}

/// `1795271505`, `1795271505.123`, `1795271505123`, each followed by a blank.
fn epoch(text: &str) -> Option<Stamp<'_>> {
    let (number, _) = text.split_once(' ')?;
    let rest = text.get(number.len()..)?;
    let whole = number.split('.').next()?;
    if !matches!(whole.len(), 10 | 13) || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(Stamp { at: Some(from_epoch(number.parse().ok()?)?), format: Format::Calendar, rest })
}

/// An epoch in seconds, milli-, micro- or nanoseconds; its size tells which. `None` for what is no instant after 1973.
pub(super) fn from_epoch(number: f64) -> Option<Timestamp> {
    let ms = match number {
        n if !(1e8..1e20).contains(&n) => return None,
        n if n < 1e11 => n * 1e3,
        n if n < 1e14 => n,
        n if n < 1e17 => n / 1e3,
        n => n / 1e6,
    };
    // Below 1e14 by the cases above, so it fits.
    Some(Timestamp(ms.round() as i64))
}

/// The latest such day and time that is not more than a day after `read_at`.
fn with_year(month: u32, day: u32, time: NaiveTime, read_at: Timestamp) -> Option<Timestamp> {
    let year = read_at.to_datetime().year();
    [year + 1, year, year - 1, year - 2, year - 3, year - 4]
        .into_iter()
        .filter_map(|year| NaiveDate::from_ymd_opt(year, month, day))
        .map(|date| instant(date.and_time(time)))
        .find(|at| at.since_ms(read_at) <= DAY_MS)
}

fn instant(at: NaiveDateTime) -> Timestamp {
    Timestamp(at.and_utc().timestamp_millis())
}

/// Reads forward through a text; each reading leaves the rest as it was where it fails.
struct Scan<'a> {
    rest: &'a str,
}

impl Scan<'_> {
    /// A number of `least` to `most` digits.
    fn digits(&mut self, least: usize, most: usize) -> Option<u32> {
        let count = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if count < least {
            return None;
        }
        let (number, rest) = self.rest.split_at(count);
        self.rest = rest;
        number.parse().ok()
    }

    /// One of these characters.
    fn one_of(&mut self, allowed: &str) -> Option<char> {
        let found = self.rest.chars().next().filter(|c| allowed.contains(*c))?;
        self.rest = self.rest.get(found.len_utf8()..)?;
        Some(found)
    }

    /// `14:31:45`, with or without a fraction after `.` or `,`.
    fn time(&mut self) -> Option<NaiveTime> {
        let hour = self.digits(1, 2)?;
        self.one_of(":")?;
        let minute = self.digits(2, 2)?;
        self.one_of(":")?;
        let second = self.digits(2, 2)?;
        let mut ms = 0;
        let fraction = self.rest.strip_prefix(['.', ',']).unwrap_or_default();
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            let first: String = fraction.chars().take(digits.min(3)).collect();
            ms = format!("{first:0<3}").parse().ok()?;
            self.rest = fraction.get(digits..)?;
        }
        // A leap second counts as the second before it.
        NaiveTime::from_hms_milli_opt(hour, minute, second.min(59), ms)
    }

    /// `Z`, `+02:00`, `-0330`, also after a blank; 0 where there is none.
    fn zone_ms(&mut self) -> i64 {
        if let Some(rest) = self.rest.strip_prefix(['Z', 'z']) {
            self.rest = rest;
            return 0;
        }
        let mut ahead = Scan { rest: self.rest.strip_prefix(' ').unwrap_or(self.rest) };
        let Some(sign) = ahead.one_of("+-") else { return 0 };
        let Some(hours) = ahead.digits(2, 2) else { return 0 };
        ahead.one_of(":");
        let Some(minutes) = ahead.digits(2, 2) else { return 0 };
        if ahead.rest.starts_with(|c: char| c.is_alphanumeric()) || hours > 14 || minutes > 59 {
            return 0;
        }
        self.rest = ahead.rest;
        let ms = i64::from(hours * 60 + minutes) * 60_000;
        if sign == '-' { -ms } else { ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_formats_are_read() {
        let read_at = Timestamp::parse_rfc3339("2026-11-21T15:00:00Z").unwrap();
        for (text, expected) in [
            ("2026-11-21T14:31:45.123Z x", "2026-11-21T14:31:45.123Z"),
            ("2026-11-21T16:31:45+02:00 x", "2026-11-21T14:31:45.000Z"),
            ("2026-11-21 16:31:45 +0200 x", "2026-11-21T14:31:45.000Z"),
            ("2026-11-21 14:31:45,123 x", "2026-11-21T14:31:45.123Z"),
            ("2026/11/21 14:31:45 x", "2026-11-21T14:31:45.000Z"),
            ("26/11/21 14:31:45 x", "2026-11-21T14:31:45.000Z"),
            ("[2026-11-21 14:31:45.1234567] x", "2026-11-21T14:31:45.123Z"),
            ("[Sat Nov 21 14:31:45 2026] x", "2026-11-21T14:31:45.000Z"),
            ("Nov 21 14:31:45 x", "2026-11-21T14:31:45.000Z"),
            ("Nov  1 04:31:45 x", "2026-11-01T04:31:45.000Z"),
            ("Dec 31 23:59:60 x", "2025-12-31T23:59:59.000Z"),
            ("11-21 14:31:45.5 x", "2026-11-21T14:31:45.500Z"),
            ("I1121 14:31:45.123456  1234 main.cc:12] x", "2026-11-21T14:31:45.123Z"),
            ("1795271505 x", "2026-11-21T14:31:45.000Z"),
            ("1795271505123 x", "2026-11-21T14:31:45.123Z"),
        ] {
            let stamp = leading(text, read_at).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(stamp.at.unwrap().to_string(), expected, "{text}");
            assert_eq!(stamp.rest.trim(), "x", "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_left_alone() {
        for text in
            ["", "12 monkeys", "2026-13-41 99:99:99 x", "May be", "[main] x", "1234567 x", "10.0.0.1 x", "Noé 1"]
        {
            assert_eq!(leading(text, Timestamp(0)), None, "{text}");
        }
        assert_eq!(leading("[   12.345678] usb", Timestamp(0)).map(|s| s.at), Some(None));
    }

    #[test]
    fn the_size_of_an_epoch_tells_its_unit() {
        for number in [1_795_271_505.0, 1_795_271_505e3, 1_795_271_505e6, 1_795_271_505e9] {
            assert_eq!(from_epoch(number), Some(Timestamp(1_795_271_505_000)));
        }
        for number in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e30] {
            assert_eq!(from_epoch(number), None);
        }
    }
}
