//! What is normal stays quiet: seasons, noise, outliers of the past, nightly jobs, constant and huge values.

use super::Bench;
use super::bench_source::{Noise, descriptor, plain, weekly};
use crate::engine::clock::{DAY_MS, HOUR_MS, Timestamp};
use crate::engine::model::{BadWhen, DetectionMethod, SeriesNotice, SeriesRole, SourceName, Unit};

#[test]
fn a_weekly_season_with_noise_gives_hardly_a_false_anomaly() {
    let mut bench = Bench::new((0..8).map(|at| plain(&format!("load{at}"))).collect());
    let mut noise = Noise(1);
    bench.run(21, true, |_, at| weekly(at) + 4.0 * noise.normal());
    assert_eq!(bench.began(), 0);
    bench.run(14, false, |_, at| weekly(at) + 4.0 * noise.normal());
    let samples = 8 * 14 * 288;
    assert!(bench.began() * 1_000 < samples, "{} of {samples}", bench.began());
    // The bar above is the promise; this one keeps what has been reached.
    assert!(bench.began() <= 8, "{}", bench.began());
}

#[test]
fn skewed_noise_is_judged_by_fences_and_stays_quiet() {
    let mut latency = descriptor("latency_p95", SeriesRole::Latency, Unit::Seconds, BadWhen::High);
    latency.is_skewed = true;
    let mut bench = Bench::new(vec![latency]);
    let mut noise = Noise(2);
    let mut value = |at: Timestamp| 0.002 * weekly(at) * (0.25 * noise.normal()).exp();
    bench.run(21, true, |_, at| value(at));
    bench.run(14, false, |_, at| value(at));
    assert!(bench.began() <= 2, "{}", bench.began());
}

#[test]
fn outliers_in_history_do_not_widen_the_band() {
    let width = |outlier_share: f64| {
        let mut bench = Bench::new(vec![plain("load")]);
        let (mut noise, mut chance) = (Noise(3), Noise(4));
        bench.run(21, true, |_, at| {
            let value = weekly(at) + 4.0 * noise.normal();
            if chance.uniform() < outlier_share { value * 50.0 } else { value }
        });
        let mut total = 0.0;
        for _ in 0..168 {
            bench.run(0, false, |_, _| 0.0);
            bench.step(false, &[weekly(bench.now)]);
            let band = bench.detection.readings("shop", "load")[0].band;
            total += band.high - band.low;
            bench.now = bench.now + HOUR_MS - 300_000;
        }
        total
    };
    let (clean, dirty) = (width(0.0), width(0.01));
    assert!(dirty < 1.15 * clean, "{clean} {dirty}");
}

#[test]
fn three_weeks_of_a_nightly_batch_make_it_normal() {
    for minutes in [20, 60, 90] {
        let mut bench = Bench::new(vec![plain("disk_io")]);
        let mut noise = Noise(5);
        let mut value = |at: Timestamp| {
            let is_batch = (2 * HOUR_MS..2 * HOUR_MS + minutes * 60_000).contains(&at.0.rem_euclid(DAY_MS));
            if is_batch { 500.0 } else { 50.0 + 2.0 * noise.normal() }
        };
        bench.run(21, true, |_, at| value(at));
        bench.run(7, false, |_, at| value(at));
        assert!(bench.began() <= 1, "{minutes} minutes: {}", bench.began());
    }
}

#[test]
fn constant_series_are_not_startled_by_crumbs() {
    let ratio = descriptor("error_ratio", SeriesRole::Errors, Unit::Ratio, BadWhen::High);
    let mut bench = Bench::new(vec![ratio, plain("replicas"), plain("huge")]);
    bench.run(21, true, |local, _| [0.0, 3.0, 1e15][local]);
    bench.run(1, false, |local, _| [0.0001, 3.0, 1.001e15][local]);
    assert_eq!(bench.began(), 0);
    bench.run(1, false, |local, _| [0.3, 3.0, 2e15][local]);
    assert_eq!(bench.began(), 2);
}

#[test]
fn a_young_series_is_quiet_unless_it_is_plainly_broken() {
    let ratio = descriptor("error_ratio", SeriesRole::Errors, Unit::Ratio, BadWhen::High);
    let mut bench = Bench::new(vec![ratio, plain("load")]);
    let mut noise = Noise(6);
    bench.run(3, false, |local, at| [0.01 + 0.002 * noise.normal().abs(), weekly(at)][local]);
    assert_eq!(bench.began(), 0);
    bench.step(false, &[0.5, 100.0]);
    bench.step(false, &[0.5, 100.0]);
    let anomaly = bench.last_of("error_ratio");
    assert_eq!(anomaly.method, DetectionMethod::StaticThreshold);
    assert!(anomaly.history_days < 4.0 && anomaly.is_harmful);
}

#[test]
fn a_metric_first_seen_long_after_the_start_is_judged_by_the_cold_limits_and_says_so() {
    let ratio = descriptor("error_ratio", SeriesRole::Errors, Unit::Ratio, BadWhen::High);
    let mut bench = Bench::new(vec![plain("load")]);
    let mut noise = Noise(7);
    bench.run(30, true, |_, at| weekly(at) + 4.0 * noise.normal());
    bench.run(5, false, |_, at| weekly(at) + 4.0 * noise.normal());
    assert_eq!(bench.detection.counts().cold_series_count, 0);
    let began = bench.began();
    // Five weeks in, without any history of its own.
    let notice = SeriesNotice { source: SourceName::new("made-up"), local: 1, descriptor: ratio };
    bench.detection.define(&notice);
    bench.notices.push(notice);
    let mut values = |at, errors| [weekly(at) + 4.0 * noise.normal(), errors];
    for step in 0..24 {
        // Ten times its own level and more, and still under five per cent.
        let sample = values(bench.now, if step % 6 == 5 { 0.04 } else { 0.003 });
        bench.step(false, &sample);
    }
    assert_eq!(bench.began(), began);
    let counts = bench.detection.counts();
    assert_eq!((counts.series_count, counts.cold_series_count), (2, 1));
    assert!((bench.detection.readings("shop", "error_ratio")[0].band.high - 0.05).abs() < 1e-9);
    for _ in 0..4 {
        let sample = values(bench.now, 0.09);
        bench.step(false, &sample);
    }
    let anomaly = bench.last_of("error_ratio");
    assert_eq!(anomaly.method, DetectionMethod::StaticThreshold);
    assert!(anomaly.history_days < 1.0 && anomaly.is_harmful, "{anomaly:?}");
}
