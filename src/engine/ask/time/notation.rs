//! Reads times back from the form in which they are written down.

use std::str::FromStr;

use chrono::{NaiveDate, NaiveTime};

use super::expression::{Anchor, ClockTime, DayPart, PARTS, Point, STRETCHES, Stretch, TimeExpression, WEEKDAYS};
use super::zone::Zone;
use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};

/// A text that is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time; write it as in `last:2h`, `since:09:00`, `yesterday@10:00` or `before:incident`")]
pub struct NoTime(String);

impl FromStr for Stretch {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        let known = STRETCHES.iter().find(|(_, name)| *name == text).map(|(stretch, _)| *stretch);
        let day = || {
            let name = text.strip_prefix("day:")?;
            WEEKDAYS.iter().find(|(_, known)| *known == name).map(|(day, _)| Self::Day(*day))
        };
        let date = || text.strip_prefix("date:")?.parse().ok().map(Self::Date);
        let month = || {
            let first = format!("{}-01", text.strip_prefix("month:")?);
            first.parse::<NaiveDate>().ok().map(Self::Month)
        };
        known.or_else(day).or_else(date).or_else(month).ok_or_else(|| NoTime(text.to_owned()))
    }
}

impl FromStr for ClockTime {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        let wrong = || NoTime(text.to_owned());
        let (time, zone) = match (text.strip_suffix('Z'), text.split_once('[')) {
            (Some(time), _) => (time, Zone::Place(chrono_tz::Tz::UTC)),
            (None, Some((time, zone))) => {
                let name = zone.strip_suffix(']').ok_or_else(wrong)?.to_lowercase();
                (time, Zone::named(&name).ok_or_else(wrong)?)
            }
            (None, None) => (text, Zone::Own),
        };
        let forms = ["%H:%M", "%H:%M:%S%.f"];
        let time = forms.iter().find_map(|form| NaiveTime::parse_from_str(time, form).ok()).ok_or_else(wrong)?;
        Ok(Self { time, zone })
    }
}

fn anchor(text: &str) -> Option<Anchor> {
    [Anchor::Incident, Anchor::Deploy, Anchor::Change].into_iter().find(|anchor| anchor.to_string() == text)
}

impl FromStr for Point {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        if let Some(anchor) = anchor(text) {
            return Ok(Self::Anchor(anchor));
        }
        if let Some(span) = text.strip_prefix("ago:") {
            return span_of(span).map(Self::Ago).ok_or_else(|| NoTime(text.to_owned()));
        }
        if let Some((day, clock)) = text.split_once('@') {
            return Ok(Self::On(day.parse()?, clock.parse()?));
        }
        text.parse().map(Self::Clock).or_else(|_| text.parse().map(Self::Day))
    }
}

impl FromStr for TimeExpression {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        let wrong = || NoTime(text.to_owned());
        let of_span = |rest: &str, make: fn(i64) -> Self| span_of(rest).map(make).ok_or_else(wrong);
        let about = |rest: &str, make: fn(i64, Anchor) -> Self| {
            let (of, span) = rest.split_once('/')?;
            Some(make(span_of(span)?, anchor(of)?))
        };
        match text.split_once(':') {
            None if text == "now" => Ok(Self::Now),
            Some(("last", rest)) => of_span(rest, Self::Last),
            Some(("next", rest)) => of_span(rest, Self::Next),
            Some(("ago", rest)) => of_span(rest, Self::Ago),
            Some(("since", rest)) => rest.parse().map(Self::Since),
            Some(("until", rest)) => rest.parse().map(Self::Until),
            Some(("after", rest)) => about(rest, Self::Trail).ok_or_else(wrong),
            Some(("before", rest)) => match about(rest, Self::Lead) {
                Some(lead) => Ok(lead),
                None => rest.parse().map(Self::Before),
            },
            Some(("during", rest)) => anchor(rest).map(Self::During).ok_or_else(wrong),
            Some(("at", rest)) => rest.parse().map(Self::At),
            Some(("range", rest)) => {
                let (from, to) = rest.split_once("..").or_else(|| rest.split_once('-')).ok_or_else(wrong)?;
                Ok(Self::Range(from.parse()?, to.parse()?))
            }
            _ => day(text),
        }
    }
}

/// A day, a part of it, or a clock time on it.
fn day(text: &str) -> Result<TimeExpression, NoTime> {
    if let Some((day, clock)) = text.split_once('@') {
        return Ok(TimeExpression::Clock(day.parse()?, clock.parse()?));
    }
    let Some((day, part)) = text.split_once('/') else { return text.parse().map(TimeExpression::Whole) };
    let part: Option<DayPart> = PARTS.iter().find(|(_, name)| *name == part).map(|(part, _)| *part);
    Ok(TimeExpression::Part(day.parse()?, part.ok_or_else(|| NoTime(text.to_owned()))?))
}

/// Reads `250ms`, `90s`, `90m`, `2h`, `3d` or `1w`.
fn span_of(text: &str) -> Option<i64> {
    let (count, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let count: i64 = count.parse().ok().filter(|count| *count > 0)?;
    let unit = match unit {
        "ms" => 1,
        "s" => SECOND_MS,
        "m" => MINUTE_MS,
        "h" => HOUR_MS,
        "d" => DAY_MS,
        "w" => 7 * DAY_MS,
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
    use chrono::Weekday;
    use proptest::prelude::*;

    use super::*;

    fn any_anchor() -> impl Strategy<Value = Anchor> {
        prop_oneof![Just(Anchor::Incident), Just(Anchor::Deploy), Just(Anchor::Change)]
    }

    fn any_stretch() -> impl Strategy<Value = Stretch> {
        let date = (-9_000i32..20_000, 1u32..=12, 1u32..=28).prop_map(|(year, month, day)| (year, month, day));
        let date = date.prop_map(|(year, month, day)| NaiveDate::from_ymd_opt(year, month, day).unwrap());
        let month = (1i32..9_999, 1u32..=12).prop_map(|(year, month)| NaiveDate::from_ymd_opt(year, month, 1).unwrap());
        prop_oneof![
            (0..STRETCHES.len()).prop_map(|at| STRETCHES[at].0),
            (0u8..7).prop_map(|at| Stretch::Day(Weekday::try_from(at).unwrap())),
            date.prop_map(Stretch::Date),
            month.prop_map(Stretch::Month),
        ]
    }

    fn any_clock() -> impl Strategy<Value = ClockTime> {
        let zones =
            ["", "utc", "cst", "pdt", "+05:30", "-00:30", "europe/berlin", "america/port-au-prince", "etc/gmt-5"];
        (0u32..86_400, prop_oneof![Just(0u32), Just(250_000_000), 0u32..1_000_000_000], 0..zones.len()).prop_map(
            move |(seconds, nanos, at)| ClockTime {
                time: NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanos).unwrap(),
                zone: Zone::named(zones[at]).unwrap_or_default(),
            },
        )
    }

    fn any_point() -> impl Strategy<Value = Point> {
        prop_oneof![
            any_anchor().prop_map(Point::Anchor),
            any_clock().prop_map(Point::Clock),
            any_stretch().prop_map(Point::Day),
            (any_stretch(), any_clock()).prop_map(|(day, clock)| Point::On(day, clock)),
            (1i64..i64::MAX).prop_map(Point::Ago),
        ]
    }

    fn any_time() -> impl Strategy<Value = TimeExpression> {
        let part = (0..PARTS.len()).prop_map(|at| PARTS[at].0);
        let ms = || prop_oneof![1i64..100_000, (1i64..1_000).prop_map(|count| count * HOUR_MS), 1..i64::MAX];
        prop_oneof![
            Just(TimeExpression::Now),
            ms().prop_map(TimeExpression::Last),
            ms().prop_map(TimeExpression::Next),
            ms().prop_map(TimeExpression::Ago),
            any_point().prop_map(TimeExpression::Since),
            any_point().prop_map(TimeExpression::Before),
            any_point().prop_map(TimeExpression::Until),
            (ms(), any_anchor()).prop_map(|(ms, anchor)| TimeExpression::Lead(ms, anchor)),
            (ms(), any_anchor()).prop_map(|(ms, anchor)| TimeExpression::Trail(ms, anchor)),
            any_anchor().prop_map(TimeExpression::During),
            any_clock().prop_map(TimeExpression::At),
            (any_point(), any_point()).prop_map(|(from, to)| TimeExpression::Range(from, to)),
            any_stretch().prop_map(TimeExpression::Whole),
            (any_stretch(), part).prop_map(|(day, part)| TimeExpression::Part(day, part)),
            (any_stretch(), any_clock()).prop_map(|(day, clock)| TimeExpression::Clock(day, clock)),
        ]
    }

    proptest! {
        #[test]
        fn every_time_is_read_back_as_it_was_meant(time in any_time()) {
            let text = serde_json::to_string(&time).unwrap();
            prop_assert_eq!(serde_json::from_str::<TimeExpression>(&text).unwrap(), time, "{}", text);
        }
    }

    #[test]
    fn every_form_is_read_back_as_it_was_written() {
        for text in [
            "now",
            "last:90m",
            "last:90s",
            "last:1500ms",
            "last:2h",
            "next:3d",
            "ago:10m",
            "since:09:00",
            "since:09:00Z",
            "since:09:00[PST]",
            "since:deploy",
            "since:change",
            "since:yesterday",
            "since:day:mon",
            "since:day:mon@09:30",
            "since:ago:2h",
            "until:12:00",
            "until:yesterday",
            "before:incident",
            "before:10:00",
            "before:incident/2h",
            "after:deploy/10m",
            "during:incident",
            "at:10:05",
            "at:10:05:07",
            "at:10:05:07.250[+05:30]",
            "at:10:05[Europe/Berlin]",
            "range:09:00-10:30",
            "range:09:00Z..10:30Z",
            "range:yesterday@09:00..yesterday@10:30",
            "range:day:mon..day:wed",
            "today",
            "last_night",
            "last_weekend",
            "day:mon",
            "day:fri/night",
            "date:2026-11-12",
            "month:2026-10",
            "yesterday@10:00",
            "date:2026-11-12@10:00[-05:00]",
            "day:fri@23:15",
        ] {
            assert_eq!(text.parse::<TimeExpression>().map(|time| time.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("last:60m".parse::<TimeExpression>(), "last:1h".parse());
        for wrong in [
            "",
            "last:",
            "last:h",
            "last:0m",
            "at:25:00",
            "since:lunch",
            "day:foo",
            "date:2026-13-01",
            "at:10:00[XYZ]",
            "range:9",
            "today/noon",
            "before:incident/",
            "month:2026-13",
        ] {
            assert!(wrong.parse::<TimeExpression>().is_err(), "{wrong}");
        }
    }
}
