//! What departs is found: at its onset, with its size, as one anomaly until it is over.

use super::super::AnomalyEvent;
use super::Bench;
use super::bench_source::{Noise, STEP_MS, descriptor, plain, weekly};
use crate::engine::clock::{HOUR_MS, Timestamp};
use crate::engine::model::{
    AnomalyKind, AnomalyState, BadWhen, DetectionMethod, Direction, SeriesRole, Severity, SuppressionReason, Unit,
};

fn taught() -> Bench {
    let mut bench = Bench::new(vec![plain("load")]);
    let mut noise = Noise(11);
    bench.run(21, true, |_, at| weekly(at) + 4.0 * noise.normal());
    // Until noon, far from where the step from Sunday to Monday was.
    for _ in 0..12 * 12 {
        let value = weekly(bench.now) + 4.0 * noise.normal();
        bench.step(true, &[value]);
    }
    bench
}

#[test]
fn a_step_of_seven_sigma_is_found_at_its_onset() {
    for sign in [1.0, -1.0] {
        let mut bench = taught();
        bench.step(false, &[weekly(bench.now)]);
        let onset = bench.now;
        for _ in 0..2 {
            bench.step(false, &[weekly(bench.now) + sign * 30.0]);
        }
        let [AnomalyEvent::Began(anomaly)] = bench.events.as_slice() else {
            panic!("{:?} {:?}", bench.events, bench.detection.readings("shop", "load"));
        };
        assert_eq!(anomaly.started_at, onset);
        assert_eq!(anomaly.last_seen_at, onset + STEP_MS);
        assert_eq!(anomaly.method, DetectionMethod::SeasonalZ);
        assert_eq!(anomaly.severity, Severity::Critical);
        assert_eq!(anomaly.direction, if sign > 0.0 { Direction::Above } else { Direction::Below });
        assert!((4.0..9.0).contains(&anomaly.peak_sigma), "{}", anomaly.peak_sigma);
        assert_eq!(anomaly.repeat_count, 2);
        assert!(anomaly.history_days > 20.0);
    }
}

#[test]
fn the_onset_stays_in_the_figure_however_long_it_lasts() {
    let mut bench = taught();
    let mut seen = Vec::new();
    for step in 0..63 {
        let value = weekly(bench.now) + if step < 3 { 0.0 } else { 1_000.0 };
        seen.push(value as f32);
        bench.step(false, &[value]);
    }
    let last = bench.last_of("load");
    assert_eq!(last.state, AnomalyState::Active);
    assert_eq!(last.at_onset, seen[..9], "three from before it and six since");
    assert!(last.recent.iter().all(|value| *value > 900.0));
}

#[test]
fn one_sample_is_no_anomaly_and_a_repeat_is_no_second_one() {
    let mut bench = taught();
    bench.step(false, &[weekly(bench.now) + 100.0]);
    bench.step(false, &[weekly(bench.now)]);
    assert_eq!(bench.began(), 0);
    for _ in 0..30 {
        bench.step(false, &[weekly(bench.now) + 100.0]);
    }
    assert_eq!(bench.began(), 1);
    assert_eq!(bench.last_of("load").state, AnomalyState::Active);
    for _ in 0..4 {
        bench.step(false, &[weekly(bench.now)]);
    }
    let over = bench.last_of("load");
    assert_eq!(over.state, AnomalyState::Ended);
    assert_eq!(over.repeat_count, 30);
    assert_eq!(bench.began(), 1);
}

#[test]
fn an_anomaly_does_not_teach_the_band() {
    let mut bench = taught();
    bench.step(false, &[weekly(bench.now)]);
    for _ in 0..36 {
        bench.step(false, &[weekly(bench.now) + 100.0]);
    }
    assert_eq!(bench.last_of("load").state, AnomalyState::Active);
    let reading = &bench.detection.readings("shop", "load")[0];
    assert!(reading.is_anomalous && !reading.band.contains(weekly(bench.now) + 60.0), "{reading:?}");
}

#[test]
fn a_new_level_that_stays_is_followed_in_the_end() {
    let mut bench = taught();
    let mut noise = Noise(12);
    bench.run(2, false, |_, at| weekly(at) + 60.0 + 4.0 * noise.normal());
    assert_eq!(bench.last_of("load").state, AnomalyState::Ended);
    let ended_at = bench.last_of("load").ended_at.unwrap();
    assert!(ended_at.since_ms(bench.last_of("load").started_at) > 12 * HOUR_MS);
}

#[test]
fn a_new_level_that_lies_in_history_is_no_news() {
    let mut bench = taught();
    let mut noise = Noise(14);
    bench.run(3, true, |_, at| weekly(at) + 60.0 + 4.0 * noise.normal());
    bench.run(2, false, |_, at| weekly(at) + 60.0 + 4.0 * noise.normal());
    assert!(bench.began() <= 1, "{}", bench.began());
}

#[test]
fn a_leak_is_foretold_until_it_breaks() {
    let memory = descriptor("memory_ratio", SeriesRole::Saturation, Unit::Ratio, BadWhen::High);
    let mut bench = Bench::new(vec![memory, plain("load")]);
    let mut noise = Noise(15);
    bench.run(19, true, |_, _| 0.3 + 0.003 * noise.normal());
    let leak_since = bench.now;
    let mut leak = |at: Timestamp| 0.3 + 0.0068 / 3.6e6 * at.since_ms(leak_since) as f64 + 0.003 * noise.normal();
    bench.run(2, true, |_, at| leak(at));
    for _ in 0..6 {
        let value = leak(bench.now);
        bench.step(false, &[value, 1.0]);
        bench.detection.tick(bench.now, &mut bench.events);
    }
    let foretold = bench.last_of("memory_ratio").clone();
    assert_eq!((foretold.kind, foretold.severity), (AnomalyKind::Forecast, Severity::Warning), "{:?}", bench.events);
    assert_eq!(bench.events.len(), 1, "{:?}", bench.events);
    let hours = foretold.forecast.unwrap().reached_at.since_ms(bench.now) / HOUR_MS;
    assert!((48..62).contains(&hours), "{hours}");
    for _ in 0..3 {
        bench.step(false, &[0.95, 1.0]);
        bench.detection.tick(bench.now, &mut bench.events);
    }
    let is_over = |event: &AnomalyEvent| matches!(event, AnomalyEvent::Ended(over) if over.id == foretold.id);
    assert!(bench.events.iter().any(is_over));
    assert_eq!(bench.began(), 2, "one forecast, and the deviation it became");
    assert!(bench.events.iter().any(|event| event.anomaly().severity == Severity::Critical));
}

#[test]
fn a_flapping_series_keeps_one_anomaly() {
    let mut bench = taught();
    for _ in 0..12 {
        for _ in 0..2 {
            bench.step_after(30_000, 100.0);
        }
        for _ in 0..4 {
            bench.step_after(30_000, 0.0);
        }
    }
    assert!(bench.began() <= 3, "{}", bench.began());
    assert!(matches!(bench.last_of("load").suppressed, Some(SuppressionReason::Flapping { .. })));
    for _ in 0..200 {
        bench.step_after(30_000, 0.0);
    }
    assert_eq!(bench.last_of("load").state, AnomalyState::Ended);
}

#[test]
fn good_news_is_never_worse_than_info() {
    let mut bench = Bench::new(vec![descriptor("latency", SeriesRole::Latency, Unit::Seconds, BadWhen::High)]);
    let mut noise = Noise(13);
    bench.run(21, true, |_, _| 0.5 + 0.01 * noise.normal());
    for _ in 0..5 {
        bench.step(false, &[0.1]);
    }
    let anomaly = bench.last_of("latency");
    assert!(!anomaly.is_harmful);
    assert_eq!(anomaly.severity, Severity::Info);
}

#[test]
fn a_series_that_stops_is_absent_and_a_source_that_stops_is_not() {
    let up = descriptor("up", SeriesRole::Availability, Unit::Boolean, BadWhen::Low);
    let mut bench = Bench::new(vec![plain("load"), up]);
    bench.run(1, false, |_, _| 1.0);
    for _ in 0..6 {
        bench.step(false, &[1.0]);
        bench.detection.tick(bench.now, &mut bench.events);
    }
    let anomaly = bench.last_of("up").clone();
    assert_eq!((anomaly.kind, anomaly.severity), (AnomalyKind::Absence, Severity::Critical));
    assert_eq!(bench.began(), 1);
    bench.step(false, &[1.0, 1.0]);
    bench.detection.tick(bench.now, &mut bench.events);
    assert_eq!(bench.last_of("up").state, AnomalyState::Ended);
    // Nothing arrives at all: the source is down, not its series.
    let before = bench.events.len();
    for _ in 0..100 {
        bench.now = bench.now + STEP_MS;
        bench.detection.tick(bench.now, &mut bench.events);
    }
    assert_eq!(bench.events.len(), before);
}

impl Bench {
    /// One sample this long after the one before, at the weekly load plus `more`.
    fn step_after(&mut self, gap_ms: i64, more: f64) {
        let value = weekly(self.now) + more;
        self.step(false, &[value]);
        self.now = self.now - STEP_MS + gap_ms;
    }
}
