//! Zones that are said with a clock time: `UTC`, `+02:00`, `Europe/Berlin`, `9am PT`, and abbreviations that several zones share.

use std::fmt;

use chrono_tz::{TZ_VARIANTS, Tz};

/// A zone as it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Zone {
    /// None was: the asker's own.
    #[default]
    Own,
    /// A zone of the database.
    Place(Tz),
    /// Minutes ahead of UTC.
    Ahead(i32),
    /// An abbreviation.
    Short(&'static Short),
}

/// An abbreviation, and what it stands for.
#[derive(Debug, PartialEq, Eq)]
pub struct Short {
    /// As it is written, in capitals.
    pub name: &'static str,
    /// Minutes ahead of UTC.
    pub ahead: i32,
    /// Whose it is.
    pub whose: &'static str,
    /// Whose it is as well, where it is not one zone's alone.
    pub also: Option<&'static str>,
    /// Where it is used, a part of the year or all of it.
    pub used_in: Option<Tz>,
}

const fn short(name: &'static str, ahead: i32, whose: &'static str, used_in: Tz) -> Short {
    Short { name, ahead, whose, also: None, used_in: Some(used_in) }
}

const fn shared(name: &'static str, ahead: i32, whose: &'static str, also: &'static str) -> Short {
    Short { name, ahead, whose, also: Some(also), used_in: None }
}

/// Offsets as the zone database has them; of shared ones the one that is met most stands for all.
static SHORTS: [Short; 37] = [
    short("CET", 60, "Central Europe", Tz::Europe__Berlin),
    short("CEST", 120, "Central Europe", Tz::Europe__Berlin),
    short("EET", 120, "Eastern Europe", Tz::Europe__Athens),
    short("EEST", 180, "Eastern Europe", Tz::Europe__Athens),
    short("MSK", 180, "Moscow", Tz::Europe__Moscow),
    short("EDT", -240, "the east of North America", Tz::America__New_York),
    short("CDT", -300, "the middle of North America", Tz::America__Chicago),
    short("MDT", -360, "the mountains of North America", Tz::America__Denver),
    short("PDT", -420, "the west of North America", Tz::America__Los_Angeles),
    short("PST", -480, "the west of North America", Tz::America__Los_Angeles),
    short("AKST", -540, "Alaska", Tz::America__Anchorage),
    short("AKDT", -480, "Alaska", Tz::America__Anchorage),
    short("HST", -600, "Hawaii", Tz::Pacific__Honolulu),
    short("BRT", -180, "Brazil", Tz::America__Sao_Paulo),
    short("SAST", 120, "South Africa", Tz::Africa__Johannesburg),
    short("PKT", 300, "Pakistan", Tz::Asia__Karachi),
    short("SGT", 480, "Singapore", Tz::Asia__Singapore),
    short("HKT", 480, "Hong Kong", Tz::Asia__Hong_Kong),
    short("JST", 540, "Japan", Tz::Asia__Tokyo),
    short("KST", 540, "Korea", Tz::Asia__Seoul),
    short("AWST", 480, "the west of Australia", Tz::Australia__Perth),
    short("ACST", 570, "the middle of Australia", Tz::Australia__Adelaide),
    short("ACDT", 630, "the middle of Australia", Tz::Australia__Adelaide),
    short("AEST", 600, "the east of Australia", Tz::Australia__Sydney),
    short("AEDT", 660, "the east of Australia", Tz::Australia__Sydney),
    short("NZST", 720, "New Zealand", Tz::Pacific__Auckland),
    short("NZDT", 780, "New Zealand", Tz::Pacific__Auckland),
    shared("CST", -360, "the middle of North America", "China and Cuba"),
    shared("IST", 330, "India", "Ireland and Israel"),
    shared("BST", 60, "Britain in summer", "Bangladesh"),
    shared("EST", -300, "the east of North America", "the east of Australia"),
    shared("MST", -420, "the mountains of North America", "Malaysia"),
    shared("AST", -240, "the Atlantic coast of Canada", "Arabia"),
    shared("GST", 240, "the Gulf", "South Georgia"),
    shared("SST", -660, "Samoa", "Singapore"),
    shared("ADT", -180, "the Atlantic coast of Canada", "Arabia"),
    shared("WST", 780, "Samoa", "the west of Australia"),
];

/// Zones that are called by a word rather than by their name.
const CALLED: [(&str, Tz); 9] = [
    ("utc", Tz::UTC),
    ("gmt", Tz::UTC),
    ("z", Tz::UTC),
    ("zulu", Tz::UTC),
    ("et", Tz::America__New_York),
    ("ct", Tz::America__Chicago),
    ("mt", Tz::America__Denver),
    ("pt", Tz::America__Los_Angeles),
    ("uk", Tz::Europe__London),
];

/// Words of zones, for the speller.
pub fn vocabulary() -> impl Iterator<Item = String> {
    SHORTS.iter().map(|short| short.name.to_lowercase()).chain(CALLED.iter().map(|(name, _)| (*name).to_owned()))
}

impl Zone {
    /// The zone that a word in lower case says: `utc`, `cest`, `+02:00`, `utc+2`, `europe/berlin`.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        let called = CALLED.iter().find(|(name, _)| *name == word).map(|(_, zone)| Self::Place(*zone));
        let short = || SHORTS.iter().find(|short| short.name.eq_ignore_ascii_case(word)).map(Self::Short);
        let rest = || ["utc", "gmt"].iter().find_map(|lead| word.strip_prefix(lead)).unwrap_or(word);
        let whole = || {
            let is_it = |zone: &&Tz| word.contains('/') && zone.name().eq_ignore_ascii_case(word);
            TZ_VARIANTS.iter().find(is_it).map(|zone| Self::Place(*zone))
        };
        called.or_else(short).or_else(|| ahead(rest()).map(Self::Ahead)).or_else(whole)
    }

    /// The zone of a city, in lower case with blanks: `berlin`, `new york`.
    #[must_use]
    pub fn of_city(city: &str) -> Option<Self> {
        let is_it = |zone: &&Tz| {
            let last = zone.name().rsplit('/').next().unwrap_or_default();
            zone.name().contains('/') && last.replace('_', " ").eq_ignore_ascii_case(city)
        };
        TZ_VARIANTS.iter().find(is_it).map(|zone| Self::Place(*zone))
    }
}

/// An abbreviation outside the program: its name alone; what it stands for comes with the program.
pub(super) mod short_name {
    use std::borrow::Cow;

    use serde::de::{Error, Unexpected};
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{SHORTS, Short};

    pub(in super::super) fn serialize<S: Serializer>(short: &Short, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(short.name)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<&'static Short, D::Error> {
        let name = Cow::<str>::deserialize(from)?;
        let unknown =
            || D::Error::invalid_value(Unexpected::Str(&name), &"an abbreviation of a time zone, such as `CET`");
        SHORTS.iter().find(|short| short.name == name).ok_or_else(unknown)
    }
}

/// Minutes ahead of UTC: `+02:00`, `-0500`, `+2`.
fn ahead(text: &str) -> Option<i32> {
    let (sign, rest) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(rest), _) => (1, rest),
        (_, Some(rest)) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest.split_once(':') {
        Some((hours, minutes)) if minutes.len() == 2 => (hours, minutes),
        Some(_) => return None,
        None if rest.len() == 4 => rest.split_at_checked(2)?,
        None => (rest, "0"),
    };
    let is_number = |text: &str| !text.is_empty() && text.len() <= 2 && text.chars().all(|c| c.is_ascii_digit());
    if !is_number(hours) || !is_number(minutes) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours <= 14 && minutes < 60).then_some(sign * (60 * hours + minutes))
}

/// `+02:00`.
#[must_use]
pub fn offset(minutes: i32) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

impl fmt::Display for Zone {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => Ok(()),
            Self::Place(Tz::UTC) => out.write_str("Z"),
            Self::Place(zone) => write!(out, "[{}]", zone.name()),
            Self::Ahead(minutes) => write!(out, "[{}]", offset(*minutes)),
            Self::Short(short) => write!(out, "[{}]", short.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{Offset, TimeZone};

    #[test]
    fn zones_are_told_by_name_abbreviation_and_offset() {
        for (word, expected) in [
            ("utc", "Z"),
            ("z", "Z"),
            ("cest", "[CEST]"),
            ("+02:00", "[+02:00]"),
            ("-0330", "[-03:30]"),
            ("utc+5:30", "[+05:30]"),
            ("gmt-5", "[-05:00]"),
            ("europe/berlin", "[Europe/Berlin]"),
            ("pt", "[America/Los_Angeles]"),
        ] {
            assert_eq!(Zone::named(word).map(|zone| zone.to_string()).as_deref(), Some(expected), "{word}");
        }
        assert_eq!(Zone::of_city("new york").map(|zone| zone.to_string()).as_deref(), Some("[America/New_York]"));
        for none in ["", "+", "+25:00", "+2:5", "banana", "auth", "-", "now", "europe"] {
            assert_eq!(Zone::named(none), None, "{none}");
        }
    }

    #[test]
    fn every_abbreviation_is_used_where_it_is_said_to_be() {
        for short in SHORTS.iter().filter(|short| short.used_in.is_some()) {
            let zone = short.used_in.unwrap();
            let is_used = [1_768_478_400, 1_784_116_800].iter().any(|seconds| {
                zone.timestamp_opt(*seconds, 0).unwrap().offset().fix().local_minus_utc() == 60 * short.ahead
            });
            assert!(is_used, "{}", short.name);
        }
    }
}
