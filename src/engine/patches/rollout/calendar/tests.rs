//! Windows and freezes over changes of the clock, and what they are for.

use proptest::prelude::*;

use super::*;
use crate::engine::clock::MINUTE_MS;
use crate::engine::settings::Span;

const HOUR: i64 = 60 * MINUTE_MS;

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

fn rule(name: &str, zone: &str, begins: &str, hours: i64) -> WindowSettings {
    WindowSettings {
        name: name.to_owned(),
        zone: zone.to_owned(),
        begins: begins.to_owned(),
        lasts: Span(hours * HOUR),
        environments: Vec::new(),
        rings: Vec::new(),
        classes: None,
        assets: None,
    }
}

fn calendar(windows: Vec<WindowSettings>, freezes: Vec<WindowSettings>) -> Calendar {
    let patches = PatchSettings { window: windows, freeze: freezes, ..PatchSettings::default() };
    patches.check().unwrap();
    Calendar::new(&patches, &[]).unwrap()
}

fn place(environment: Environment) -> Place<'static> {
    Place { environment, ring: "main", class: "web", asset: "web-1", services: &[] }
}

const PRODUCTION: Environment = Environment::Production;

#[test]
fn a_window_is_open_from_its_first_instant_to_its_last() {
    let calendar = calendar(vec![rule("night", "Europe/Berlin", "0 2 * * SUN", 4)], Vec::new());
    // In winter Berlin is an hour ahead.
    let (from, until) = (at("2026-11-29T01:00:00Z"), at("2026-11-29T05:00:00Z"));
    let here = place(PRODUCTION);
    assert!(calendar.open_at(&here, from - 1).is_none());
    assert_eq!(calendar.next(&here, from - 1).unwrap().from, from);
    for now in [from, until - 1] {
        let open = calendar.open_at(&here, now).unwrap();
        assert_eq!((open.from, open.until, open.note), (from, until, None));
        assert_eq!(calendar.closes_at(&here, now), Some(until));
    }
    assert!(calendar.open_at(&here, until).is_none());
    assert_eq!(calendar.next(&here, from).unwrap().from, at("2026-12-06T01:00:00Z"));
}

#[test]
fn a_window_in_the_gap_begins_right_after_it_and_says_so() {
    // On 2027-03-28 Berlin goes from 02:00 to 03:00, which is 01:00 UTC.
    let calendar = calendar(vec![rule("night", "Europe/Berlin", "30 2 * * *", 2)], Vec::new());
    let found = calendar.agenda(at("2027-03-27T12:00:00Z"), 2);
    let told: Vec<_> = found.iter().map(|one| (one.from, one.until, one.note)).collect();
    assert_eq!(
        told,
        [
            (at("2027-03-28T01:00:00Z"), at("2027-03-28T03:00:00Z"), Some(ClockNote::Skipped)),
            (at("2027-03-29T00:30:00Z"), at("2027-03-29T02:30:00Z"), None),
        ]
    );
}

#[test]
fn what_the_clock_shows_twice_is_a_window_once_and_a_freeze_for_both() {
    // On 2026-10-25 Berlin goes from 03:00 back to 02:00, which is 01:00 UTC.
    let night = || vec![rule("night", "Europe/Berlin", "30 2 * * *", 1)];
    let calendar = calendar(night(), night());
    let found = calendar.agenda(at("2026-10-24T12:00:00Z"), 1);
    let told: Vec<_> = found.iter().map(|one| (one.kind, one.from, one.until, one.note)).collect();
    let (from, twice) = (at("2026-10-25T00:30:00Z"), Some(ClockNote::Twice));
    assert_eq!(
        told,
        [
            (OccasionKind::Window, from, at("2026-10-25T01:30:00Z"), twice),
            (OccasionKind::Freeze, from, at("2026-10-25T02:30:00Z"), twice),
        ]
    );
}

#[test]
fn a_clock_that_is_set_meanwhile_does_not_change_how_long_it_lasts() {
    let calendar = calendar(vec![rule("night", "America/New_York", "0 23 * * SAT", 6)], Vec::new());
    let found = calendar.agenda(at("2026-10-31T12:00:00Z"), 1);
    // On 2026-11-01 New York goes back at 06:00 UTC.
    let told: Vec<_> = found.iter().map(|one| (one.from, one.until.since_ms(one.from), one.note)).collect();
    assert_eq!(told, [(at("2026-11-01T03:00:00Z"), 6 * HOUR, Some(ClockNote::SetMeanwhile))]);
    assert!(found[0].note.unwrap().words().contains("another time of day"));
}

#[test]
fn a_day_that_a_zone_left_out_is_no_trap() {
    // Samoa had no 30th of December 2011: it crossed the date line.
    let calendar = calendar(vec![rule("noon", "Pacific/Apia", "0 12 * * *", 1)], Vec::new());
    let found = calendar.agenda(at("2011-12-29T00:00:00Z"), 3);
    let told: Vec<_> = found.iter().map(|one| (one.from.to_string(), one.note)).collect();
    assert_eq!(told[0], ("2011-12-29T22:00:00.000Z".to_owned(), None));
    assert_eq!(told[1], ("2011-12-30T10:00:00.000Z".to_owned(), Some(ClockNote::Skipped)), "{told:?}");
    assert_eq!(told[2], ("2011-12-30T22:00:00.000Z".to_owned(), None));
}

#[test]
fn windows_that_follow_on_one_another_are_one() {
    let windows = vec![rule("late", "UTC", "0 22 * * SAT", 2), rule("early", "UTC", "0 0 * * SUN", 4)];
    let calendar = calendar(windows, Vec::new());
    assert_eq!(calendar.closes_at(&place(PRODUCTION), at("2026-11-28T23:00:00Z")), Some(at("2026-11-29T04:00:00Z")));
}

#[test]
fn production_needs_a_window_and_others_only_where_one_is_for_them() {
    let now = at("2026-11-25T12:00:00Z");
    let none = calendar(Vec::new(), Vec::new());
    assert_eq!(none.room(&place(PRODUCTION), now).window, WindowState::None);
    assert_eq!(none.room(&place(Environment::Unknown), now).window, WindowState::None);
    assert_eq!(none.room(&place(Environment::Staging), now).window, WindowState::NotNeeded);
    let mut staging = rule("staging", "UTC", "0 2 * * *", 1);
    staging.environments = vec![Environment::Staging];
    staging.assets = Some("db-.*|web-.".to_owned());
    let some = calendar(vec![staging], Vec::new());
    assert_eq!(some.room(&place(PRODUCTION), now).window, WindowState::None);
    assert!(matches!(some.room(&place(Environment::Staging), now).window, WindowState::Shut { next: Some(_) }));
    let elsewhere = Place { asset: "web-10", ..place(Environment::Staging) };
    assert_eq!(some.room(&elsewhere, now).window, WindowState::NotNeeded, "the pattern is for the whole name");
}

#[test]
fn a_freeze_of_the_policy_holds_for_its_services_and_the_next_one_is_known() {
    let once = FreezeSettings {
        name: "sale".to_owned(),
        from: at("2026-11-27T00:00:00Z"),
        until: at("2026-11-28T00:00:00Z"),
        services: Some("shop|pay".to_owned()),
    };
    let month = rule("end of month", "UTC", "0 0 L * *", 24);
    let patches = PatchSettings { freeze: vec![month], ..PatchSettings::default() };
    let calendar = Calendar::new(&patches, &[once]).unwrap();
    let services = ["shop".to_owned()];
    let shop = Place { services: &services, ..place(PRODUCTION) };
    let name = |place: &Place<'_>, now: &str| match calendar.freeze(place, at(now)) {
        FreezeState::Now(one) => format!("now {}", one.name),
        FreezeState::Next(one) => format!("next {}", one.name),
        FreezeState::None => "none".to_owned(),
    };
    assert_eq!(name(&shop, "2026-11-26T12:00:00Z"), "next sale");
    assert_eq!(name(&shop, "2026-11-27T12:00:00Z"), "now sale");
    assert_eq!(name(&place(PRODUCTION), "2026-11-27T12:00:00Z"), "next end of month");
    assert_eq!(name(&shop, "2026-11-30T23:59:59Z"), "now end of month");
}

#[test]
fn rules_that_cannot_be_meant_are_refused() {
    for (wrong, says) in [
        (rule("", "UTC", "0 2 * * *", 1), "no `name`"),
        (rule("a", "Europe/Atlantis", "0 2 * * *", 1), "`Europe/Atlantis` is no time zone"),
        (rule("a", "UTC", "2 * *", 1), "no rule of five fields"),
        (rule("a", "UTC", "0 0 2 * * *", 1), "no rule of five fields"),
        (rule("a", "UTC", "0 2 30 2 *", 1), "names no day that there is"),
        (rule("a", "UTC", "0 2 * * *", 25), "begins again"),
        (rule("a", "UTC", "0 2 * * *", 0), "`lasts` = 0ms"),
        (WindowSettings { assets: Some("(".to_owned()), ..rule("a", "UTC", "0 2 * * *", 1) }, "no regular expression"),
    ] {
        let patches = PatchSettings { window: vec![wrong], ..PatchSettings::default() };
        let problem = patches.check().unwrap_err();
        assert_eq!((problem.section, problem.index), ("window", Some(0)));
        assert!(problem.to_string().contains(says), "{problem}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// What the calendar lists and what it says of an instant are the same, in any zone, at any time of some years.
    #[test]
    fn the_list_and_the_instant_agree(
        zone in 0..chrono_tz::TZ_VARIANTS.len(),
        (minute, hour, hours) in (0u32..60, 0u32..24, 1i64..20),
        now in 1_700_000_000_000i64..1_900_000_000_000,
    ) {
        let zone = chrono_tz::TZ_VARIANTS[zone].name();
        let calendar = calendar(vec![rule("w", zone, &format!("{minute} {hour} * * *"), hours)], Vec::new());
        let (now, here) = (Timestamp(now), place(PRODUCTION));
        let listed = calendar.agenda(now, 3);
        prop_assert!(listed.len() >= 2 && listed.len() <= 5, "{} occasions", listed.len());
        for one in &listed {
            prop_assert_eq!(one.until.since_ms(one.from), hours * HOUR);
            prop_assert!(calendar.open_at(&here, one.from).is_some() && calendar.open_at(&here, one.until - 1).is_some());
        }
        let open = calendar.open_at(&here, now);
        prop_assert_eq!(open.is_some(), listed.iter().any(|one| one.from <= now && now < one.until));
        let next = calendar.next(&here, now).unwrap();
        prop_assert!(next.from > now);
        prop_assert_eq!(Some(next.from), listed.iter().map(|one| one.from).find(|from| *from > now));
    }

    /// What was found beforehand is what is found when it is asked for, within what it covers, at its borders and beyond.
    #[test]
    fn what_was_found_beforehand_is_what_is_found(
        zone in 0..chrono_tz::TZ_VARIANTS.len(),
        begins in prop_oneof![Just("7 * * * *"), Just("30 2 * * *"), Just("0 22 * * 6"), Just("0 3 29 2 *")],
        minutes in 5i64..60,
        now in 1_700_000_000_000i64..1_900_000_000_000,
        asked in prop::collection::vec(-3 * 24 * HOUR..130 * 24 * HOUR, 1..6),
    ) {
        let lasting = |name: &str| {
            let one = rule(name, chrono_tz::TZ_VARIANTS[zone].name(), begins, 1);
            WindowSettings { lasts: Span(minutes * MINUTE_MS), ..one }
        };
        let plain = calendar(vec![lasting("w")], vec![lasting("f")]);
        let mut ahead = plain.clone();
        ahead.look_ahead(Timestamp(now));
        let here = place(PRODUCTION);
        for at in asked {
            let at = Timestamp(now + at);
            prop_assert_eq!(plain.room(&here, at), ahead.room(&here, at));
            prop_assert_eq!(plain.agenda(at, 2), ahead.agenda(at, 2));
        }
    }
}
