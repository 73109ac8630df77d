//! Times as people say them and what they must come to, in several zones; the share that does is told with `--nocapture`.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeZone, Timelike};
use chrono_tz::Tz;

use super::grammar;
use super::remark::Remark;
use super::span::{Anchors, Laid, span};
use crate::engine::ask::words::Words;
use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};

/// Share of the phrases that must come out right, in per cent.
const SHARE_MIN: f64 = 99.0;

fn name(remark: Remark) -> &'static str {
    match remark {
        Remark::Skipped(_) => "skipped",
        Remark::Twice(_) => "twice",
        Remark::Shared(..) => "shared",
        Remark::OutOfSeason(_) => "season",
        Remark::DayFirst(_) => "dayfirst",
        Remark::EitherHalf(_) => "half",
        Remark::On(_) => "on",
        Remark::Coming => "coming",
        Remark::NotOver => "running",
    }
}

/// What a phrase comes to: its span on the clock of the zone, and what is disclosed.
fn told(phrase: &str, now: Timestamp, zone: Tz) -> String {
    let local = zone.timestamp_millis_opt(now.0).unwrap();
    let at = |clock: &str| Timestamp::parse_rfc3339(&format!("2026-11-17T{clock}Z")).unwrap();
    let anchors =
        Anchors { incident: Some((at("14:30:15"), None)), deploy: Some(at("13:50:00")), change: Some(at("14:29:00")) };
    let words = Words::of(phrase, &|_| false);
    let texts: Vec<&str> = words.texts().collect();
    let found = grammar::times(&texts, local.date_naive());
    let [time] = found.as_slice() else { return format!("{found:?}") };
    let Laid { span, remarks } = match span(time.expression.seen_from(zone), now, zone, &anchors) {
        Ok(laid) => laid,
        Err(problem) => return problem.to_string(),
    };
    let shown = |at: Timestamp| {
        let at = zone.timestamp_millis_opt(at.0).unwrap();
        let day = if at.year() == 2026 { "%m-%d" } else { "%Y-%m-%d" };
        let clock = if at.second() == 0 { "%H:%M" } else { "%H:%M:%S" };
        at.format(&format!("{day} {clock}")).to_string()
    };
    let disclosed: BTreeSet<&str> = remarks.into_iter().chain(time.remark).map(name).collect();
    let disclosed: Vec<&str> = disclosed.into_iter().collect();
    let mark = if disclosed.is_empty() { String::new() } else { format!(" ! {}", disclosed.join(" ")) };
    format!("{} .. {}{mark}", shown(span.from), shown(span.to))
}

/// Phrases whose meaning is reckoned here in another way than the product does: by the civil calendar of the zone.
fn reckoned() -> Vec<(String, Timestamp, Tz, String)> {
    let zones = [Tz::UTC, Tz::Europe__Berlin, Tz::America__New_York, Tz::Asia__Kolkata, Tz::Australia__Lord_Howe];
    // No day near a change of the clock, the days of each change in Berlin, and one late on a Sunday.
    let instants = ["2026-11-17T14:33:00Z", "2026-03-29T15:00:00Z", "2026-10-25T15:00:00Z", "2026-08-02T21:47:00Z"];
    let mut all = Vec::new();
    for (zone, now) in zones.into_iter().flat_map(|zone| instants.map(|now| (zone, now))) {
        let now = Timestamp::parse_rfc3339(now).unwrap();
        let here: DateTime<Tz> = zone.timestamp_millis_opt(now.0).unwrap();
        let today = here.date_naive();
        let shown = |at: DateTime<Tz>| {
            let clock = if at.second() == 0 { "%H:%M" } else { "%H:%M:%S" };
            at.format(&format!("%m-%d {clock}")).to_string()
        };
        let at = |day: NaiveDate, hour, minute| {
            zone.from_local_datetime(&day.and_time(NaiveTime::from_hms_opt(hour, minute, 0).unwrap())).single()
        };
        let back = |days| today.checked_sub_days(Days::new(days)).unwrap();
        let mut add = |phrase: String, from: DateTime<Tz>, to: DateTime<Tz>, mark: &str| {
            all.push((phrase, now, zone, format!("{} .. {}{mark}", shown(from), shown(to))));
        };
        for (count, unit, ms) in [
            (5, "min", MINUTE_MS),
            (45, "minutes", MINUTE_MS),
            (2, "hours", HOUR_MS),
            (36, "h", HOUR_MS),
            (3, "days", DAY_MS),
            (1, "week", 7 * DAY_MS),
        ] {
            let from = zone.timestamp_millis_opt(now.0 - count * ms).unwrap();
            for lead in ["last", "in the past", "over the last", "within the last"] {
                add(format!("{lead} {count} {unit}"), from, here, "");
            }
        }
        for (hour, minute) in [(0, 5), (4, 45), (9, 30), (13, 0), (17, 20), (23, 59)] {
            let Some(on_today) = at(today, hour, minute) else { continue };
            let (latest, mark) =
                if on_today <= here { (on_today, "") } else { (at(back(1), hour, minute).unwrap(), " ! on") };
            let around = chrono::TimeDelta::minutes(5);
            for lead in ["since", "ever since", "after"] {
                add(format!("{lead} {hour:02}:{minute:02}"), latest, here, mark);
            }
            for lead in ["at", "around", "at about"] {
                add(format!("{lead} {hour:02}:{minute:02}"), latest - around, latest + around, mark);
            }
            add(format!("before {hour:02}:{minute:02}"), at(latest.date_naive(), 0, 0).unwrap(), latest, mark);
            let yesterday = at(back(1), hour, minute).unwrap();
            for phrase in ["yesterday at", "yesterday around", "yesterday"] {
                add(format!("{phrase} {hour:02}:{minute:02}"), yesterday - around, yesterday + around, "");
            }
            add(format!("since yesterday {hour:02}:{minute:02}"), yesterday, here, "");
            let utc = latest.with_timezone(&Tz::UTC);
            let stamp = utc.format("%Y-%m-%dT%H:%M:%SZ").to_string();
            add(format!("at {stamp}"), latest - around, latest + around, "");
            add(format!("since {stamp}"), latest, here, "");
        }
        for days in [2, 4, 9] {
            let (from, to) = (at(back(days), 0, 0).unwrap(), at(back(days - 1), 0, 0).unwrap());
            add(format!("{days} days ago"), from, to, "");
            add(back(days).format("on %Y-%m-%d").to_string(), from, to, "");
            add(back(days).format("on %B %-d").to_string(), from, to, "");
            add(back(days).format("%-d %b").to_string(), from, to, "");
            add(back(days).format("since %-d %B %Y").to_string(), from, here, "");
            if days < 7 {
                add(back(days).format("on %A").to_string(), from, to, " ! on");
                add(back(days).format("since last %A").to_string(), from, here, " ! on");
            }
        }
    }
    all
}

#[test]
fn times_come_to_what_people_mean() {
    let mut all = Vec::new();
    let (mut now, mut zone) = (Timestamp(0), Tz::UTC);
    for line in include_str!("phrases.txt").lines().filter(|line| !line.starts_with('#')) {
        if let Some((at, name)) = line.strip_prefix("@ ").and_then(|rest| rest.split_once(' ')) {
            (now, zone) = (Timestamp::parse_rfc3339(at).unwrap(), name.parse().unwrap());
            continue;
        }
        let (phrase, expected) = line.split_once(" => ").unwrap();
        all.push((phrase.to_owned(), now, zone, expected.to_owned()));
    }
    let by_hand = all.len();
    all.extend(reckoned());
    let wrong: Vec<String> = all
        .iter()
        .filter_map(|(phrase, now, zone, expected)| {
            let found = told(phrase, *now, *zone);
            (found != *expected).then(|| format!("{phrase} ({zone}): {found}, not {expected}"))
        })
        .collect();
    let share = 100.0 * (all.len() - wrong.len()) as f64 / all.len() as f64;
    println!("{} times, {by_hand} of them by hand: {share:.2} % right\n{}", all.len(), wrong.join("\n"));
    assert!(by_hand >= 200 && all.len() >= 1_000 && share >= SHARE_MIN, "{share:.2} %\n{}", wrong.join("\n"));
}
