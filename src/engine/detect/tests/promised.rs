//! Forecasts are held to their word: how often the first interval holds the truth, and what becomes of each.

use super::Bench;
use super::bench_source::{Noise, descriptor, plain};
use crate::engine::clock::{DAY_MS, HOUR_MS, Timestamp};
use crate::engine::detect::AnomalyEvent;
use crate::engine::model::{
    AnomalyKind, AnomalyState, BadWhen, ForecastOutcome, Promise, SeriesRole, ServiceName, TrackRecord, Unit,
};

/// How a made-up resource fills up.
#[derive(Debug, Clone, Copy)]
enum Leak {
    /// The same amount every hour, with noise.
    Straight,
    /// Noise that lasts: half of it is left after six hours.
    Wandering,
    /// A daily rhythm on top.
    Daily,
    /// An amount an hour that is another every day, by a quarter.
    Uneven,
}

/// A leaking resource from its first hour to its limit of 1, in steps of five minutes.
fn leaking(leak: Leak, seed: u64) -> impl FnMut(Timestamp) -> f64 {
    let mut noise = Noise(seed.wrapping_mul(7_919) + 11);
    let an_hour = 0.004 + 0.008 * noise.uniform();
    let (mut level, mut wander, mut factor, mut day) = (0.2 + 0.2 * noise.uniform(), 0.0, 1.0, i64::MIN);
    move |at| {
        let today = at.0.div_euclid(DAY_MS);
        if matches!(leak, Leak::Uneven) && today != day {
            (day, factor) = (today, (0.25 * noise.normal()).exp());
        }
        level += factor * an_hour / 12.0;
        wander = 0.990_4 * wander + 0.138 * noise.normal();
        let hour = at.0.rem_euclid(DAY_MS) as f64 / HOUR_MS as f64;
        let beside = match leak {
            Leak::Straight | Leak::Uneven => 0.005 * noise.normal(),
            Leak::Wandering => 0.01 * wander,
            Leak::Daily => 0.03 * (hour / 24.0 * std::f64::consts::TAU).sin() + 0.003 * noise.normal(),
        };
        (level + beside).clamp(0.0, 1.0)
    }
}

fn bench() -> Bench {
    let mut memory = descriptor("memory_ratio", SeriesRole::Saturation, Unit::Ratio, BadWhen::High);
    memory.limit = Some(1.0);
    Bench::new(vec![memory, plain("load")])
}

/// What was first told of a leak, and how it ended; `None` where nothing was told before the end.
fn story(leak: Leak, seed: u64) -> Option<Promise> {
    let (mut bench, mut value) = (bench(), leaking(leak, seed));
    let mut after_end = 0;
    let end = bench.now + 20 * DAY_MS;
    while bench.now < end && after_end < 3 * 288 {
        let used = value(bench.now);
        after_end += i64::from(used >= 1.0);
        bench.step(false, &[used, 1.0]);
        bench.detection.tick(bench.now, &mut bench.events);
    }
    let told = bench.events.iter().map(AnomalyEvent::anomaly);
    told.filter(|anomaly| anomaly.kind == AnomalyKind::Forecast).filter_map(|anomaly| anomaly.promise).next_back()
}

#[test]
fn nine_in_ten_first_intervals_hold_the_truth() {
    let (mut hits, mut told, mut each) = (0, 0, Vec::new());
    for leak in [Leak::Straight, Leak::Wandering, Leak::Daily, Leak::Uneven] {
        let ends: Vec<_> = (0..25).filter_map(|seed| story(leak, seed)).map(|promise| promise.outcome).collect();
        let came_true = ends.iter().filter(|outcome| **outcome == Some(ForecastOutcome::Hit)).count();
        each.push((leak, came_true, ends.len()));
        hits += came_true;
        told += ends.len();
    }
    assert!(told >= 90, "{each:?}");
    let share = hits as f64 / told as f64;
    assert!((0.85..=0.97).contains(&share), "{each:?}");
}

#[test]
fn room_that_is_made_averts_and_the_next_forecast_says_so() {
    let (mut bench, mut value) = (bench(), leaking(Leak::Straight, 3));
    let mut cleaned_by = 0.0;
    let mut is_cleaned = false;
    for _ in 0..8 * 288 {
        let used: f64 = value(bench.now) - cleaned_by;
        if used > 0.8 && !is_cleaned {
            (cleaned_by, is_cleaned) = (0.6, true);
        }
        bench.step(false, &[used.max(0.0), 1.0]);
        bench.detection.tick(bench.now, &mut bench.events);
    }
    let promises: Vec<Promise> = bench
        .events
        .iter()
        .map(AnomalyEvent::anomaly)
        .filter(|anomaly| anomaly.kind == AnomalyKind::Forecast)
        .filter_map(|anomaly| anomaly.promise)
        .collect();
    let first = promises.first().unwrap();
    let end = promises.iter().rfind(|promise| promise.told_at == first.told_at).unwrap();
    assert_eq!(end.outcome, Some(ForecastOutcome::Averted));
    let next = promises.iter().find(|promise| promise.told_at > first.told_at).unwrap();
    assert_eq!(next.record, TrackRecord { averted: 1, ..TrackRecord::default() });
}

#[test]
fn a_promise_outlives_its_forecast_and_a_restart() {
    let (mut bench, mut value) = (bench(), leaking(Leak::Straight, 5));
    while bench.events.is_empty() {
        let used = value(bench.now);
        bench.step(false, &[used, 1.0]);
        bench.detection.tick(bench.now, &mut bench.events);
    }
    let told = bench.events[0].anomaly().clone();
    // The trend rests, so the forecast goes; its word stands.
    let resting = told.value;
    while bench.events.last().unwrap().anomaly().state != AnomalyState::Ended {
        bench.step(false, &[resting, 1.0]);
        bench.detection.tick(bench.now, &mut bench.events);
    }
    let over = bench.events.last().unwrap().anomaly().clone();
    assert_eq!(over.promise.unwrap().outcome, None);
    let mut after = self::bench();
    after.now = bench.now;
    after.detection.restore_anomaly(&over);
    after.detection.note_change(&ServiceName::new("shop"), told.started_at + HOUR_MS, false);
    for _ in 0..3 {
        after.step(false, &[resting, 1.0]);
        after.detection.tick(after.now, &mut after.events);
    }
    let judged = after.last_of("memory_ratio");
    assert_eq!((judged.id, judged.ended_at), (over.id, over.ended_at));
    assert_eq!(judged.promise.unwrap().outcome, Some(ForecastOutcome::Averted), "changed since, and the trend is gone");
    assert!(after.detection.forecast_records_to_keep().unwrap().contains("\"averted\":1"));
}
