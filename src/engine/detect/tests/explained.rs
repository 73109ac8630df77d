//! What is explained: by traffic, by the calendar; and what several metrics say together.

use super::super::compounds;
use super::Bench;
use super::bench_source::{Noise, START, descriptor, plain, weekly};
use crate::engine::clock::{DAY_MS, HOUR_MS, Timestamp};
use crate::engine::model::{BadWhen, SeriesDescriptor, SeriesRole, Severity, SuppressionReason, Unit};
use crate::engine::settings::{CalendarEvent, Span};

fn shop() -> Vec<SeriesDescriptor> {
    vec![
        descriptor("requests", SeriesRole::Traffic, Unit::PerSecond, BadWhen::Either),
        descriptor("latency", SeriesRole::Latency, Unit::Seconds, BadWhen::High),
        descriptor("cpu", SeriesRole::Saturation, Unit::Ratio, BadWhen::High),
        descriptor("error_ratio", SeriesRole::Errors, Unit::Ratio, BadWhen::High),
    ]
}

fn values(at: Timestamp, noise: &mut Noise, load: f64, errors: f64) -> [f64; 4] {
    let traffic = weekly(at) * load;
    let mut near = |value: f64| value * (1.0 + 0.03 * noise.normal());
    [near(traffic), near(0.1 * (1.0 + 0.2 * load)), near(0.0012 * traffic), near(0.002) + errors]
}

fn taught() -> (Bench, Noise) {
    let mut bench = Bench::new(shop());
    let mut noise = Noise(21);
    while bench.now < START + 21 * DAY_MS {
        let sample = values(bench.now, &mut noise, 1.0, 0.0);
        bench.step(true, &sample);
    }
    (bench, noise)
}

#[test]
fn a_flash_sale_stays_quiet() {
    let (mut bench, mut noise) = taught();
    bench.now = bench.now + 10 * HOUR_MS;
    for step in 0..24 {
        let sample = values(bench.now, &mut noise, if step == 0 { 1.0 } else { 4.0 }, 0.0);
        bench.step(false, &sample);
    }
    assert!(bench.began() >= 2, "the rise is seen");
    for event in &bench.events {
        let anomaly = event.anomaly();
        assert_eq!(anomaly.severity, Severity::Info, "{anomaly:?}");
    }
    assert!(matches!(bench.last_of("cpu").suppressed, Some(SuppressionReason::Traffic { .. })));
    assert!(!bench.last_of("requests").is_harmful);
}

#[test]
fn errors_under_load_are_not_explained() {
    let (mut bench, mut noise) = taught();
    for step in 0..24 {
        let load = if step == 0 { 1.0 } else { 4.0 };
        let sample = values(bench.now, &mut noise, load, if step == 0 { 0.0 } else { 0.3 });
        bench.step(false, &sample);
    }
    assert_eq!(bench.last_of("error_ratio").severity, Severity::Critical);
    assert_eq!(bench.last_of("cpu").suppressed, None);
    assert!(bench.last_of("requests").is_harmful);
}

#[test]
fn several_metrics_of_a_service_are_one_compound() {
    let (mut bench, mut noise) = taught();
    for _ in 0..6 {
        let mut sample = values(bench.now, &mut noise, 1.0, 0.4);
        sample[1] = 2.0;
        bench.step(false, &sample);
    }
    let mut latest = std::collections::BTreeMap::new();
    for event in &bench.events {
        latest.insert(event.anomaly().id, event.anomaly().clone());
    }
    let found = compounds(latest.values());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].severity, Severity::Critical);
    assert!(found[0].members.len() >= 2 && found[0].combined_sigma <= 80.0, "{:?}", found[0]);
    let one = latest.values().take(1);
    assert!(compounds(one).is_empty());
}

fn batch_event() -> CalendarEvent {
    CalendarEvent {
        name: "monthly close".to_owned(),
        services: vec!["shop".to_owned()],
        metrics: Vec::new(),
        start: "02:00".to_owned(),
        lasts: Span(HOUR_MS),
        days: Vec::new(),
        date: None,
    }
}

#[test]
fn an_event_not_seen_before_explains_what_happens_during_it() {
    let mut bench = Bench::with_calendar(vec![plain("load")], &[batch_event()]);
    let mut noise = Noise(22);
    bench.run(21, true, |_, at| weekly(at) + 2.0 * noise.normal());
    // The effects seen so far were noise, so an event of another name is needed for an unknown effect.
    let mut event = batch_event();
    event.date = Some(bench.now.date());
    let mut fresh = Bench::with_calendar(vec![plain("load")], &[event]);
    fresh.run(21, true, |_, at| weekly(at) + 2.0 * noise.normal());
    fresh.run(1, false, |_, at| {
        let is_batch = (2 * HOUR_MS..3 * HOUR_MS).contains(&at.0.rem_euclid(DAY_MS));
        weekly(at) + if is_batch { 300.0 } else { noise.normal() }
    });
    let anomaly = fresh.last_of("load");
    assert_eq!(anomaly.suppressed, Some(SuppressionReason::Calendar { event: "monthly close".into() }));
    assert_eq!(anomaly.severity, Severity::Info);
}

#[test]
fn an_event_whose_effect_is_known_is_part_of_normal_and_no_more_than_that() {
    let mut event = batch_event();
    event.days = vec!["tue".to_owned()];
    let mut bench = Bench::with_calendar(vec![plain("load")], &[event]);
    let mut noise = Noise(23);
    let mut value = |at: Timestamp, size: f64| {
        let is_batch = (2 * HOUR_MS..3 * HOUR_MS).contains(&at.0.rem_euclid(DAY_MS)) && at.hour_of_week() / 24 == 1;
        weekly(at) + 2.0 * noise.normal() + if is_batch { size } else { 0.0 }
    };
    bench.run(21, true, |_, at| value(at, 200.0));
    bench.run(7, false, |_, at| value(at, 200.0));
    assert!(bench.began() <= 1, "{}", bench.began());
    let before = bench.began();
    bench.run(7, false, |_, at| value(at, 2_000.0));
    assert!(bench.began() > before);
    assert_eq!(
        bench.events.iter().rev().find(|event| event.anomaly().peak_value > 1_500.0).unwrap().anomaly().suppressed,
        None
    );
}
