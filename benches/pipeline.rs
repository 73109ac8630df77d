//! The whole core under load: samples ingested and scored a second on one core, and bytes of memory a series, for
//! 1,000, 100,000 and 1,000,000 series interleaved in scrape order. `cargo bench --bench pipeline`, or with
//! `-- 1000` one size alone.
//!
//! Each series first gets history as a backfill would give it, hourly and so long that the seasonal baseline judges and
//! not the static thresholds. What is timed is `Engine::handle` from a batch to its jobs, a tick a scrape included.
//! Each size has a process of its own, so that none of them finds memory that another one left. Bytes a series count
//! everything the engine holds; what it holds before the first series is told beside them.

use std::fs;
use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hypocenter::engine::clock::{DAY_MS, HOUR_MS, SECOND_MS, Timestamp};
use hypocenter::engine::input::Input;
use hypocenter::engine::limits::BATCH_SAMPLES_MAX;
use hypocenter::engine::model::{
    BadWhen, Labels, Sample, SampleBatch, SeriesDescriptor, SeriesNotice, SeriesRole, ServiceName, Signal, SourceName,
    Unit,
};
use hypocenter::engine::pipeline::Engine;
use hypocenter::engine::runbooks::Library;
use hypocenter::engine::settings::EngineSettings;

/// Samples timed at each size, and whole scrapes at least.
const TIMED_SAMPLES: u64 = 10_000_000;
const ROUNDS_MIN: u64 = 5;
/// Days of history, and after how many of them the seasonal baseline judges. Both are short, so that a million series
/// are taught in a minute; what a series weighs and what a sample costs do not depend on them.
const HISTORY_DAYS: i64 = 6;
const HISTORY_DAYS_MIN: f64 = 5.0;
/// Between two scrapes.
const SCRAPE_MS: i64 = 15 * SECOND_MS;
/// 2026-11-02, a Monday.
const START: Timestamp = Timestamp(1_793_577_600_000);

fn main() {
    // What a bench is called with besides, such as `--bench`, is no number.
    let asked: Vec<u32> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    if let [series] = asked[..] {
        return measure(series);
    }
    println!(
        "{:>10} {:>16} {:>12} {:>12} {:>16} {:>14}",
        "series", "samples/s/core", "ns/sample", "B/series", "B before series", "backfill/s"
    );
    let this = std::env::current_exe().expect("the running program has a path");
    for series in ["1000", "100000", "1000000"] {
        let status = Command::new(&this).arg(series).status().expect("this program can be started again");
        assert!(status.success(), "{series} series: {status}");
    }
}

fn measure(series: u32) {
    let before = resident_bytes();
    let mut settings = EngineSettings::default();
    settings.detection.history_days_min = HISTORY_DAYS_MIN;
    let mut engine = Engine::new(settings, Library::shipped()).expect("the settings are sound");
    let fixed = resident_bytes().saturating_sub(before);
    define(&mut engine, series);
    let hours = HISTORY_DAYS * DAY_MS / HOUR_MS;
    let mut spent = Duration::ZERO;
    for hour in 0..hours {
        spent += scrape(&mut engine, series, START + hour * HOUR_MS, true);
    }
    let backfill_rate = f64::from(series) * hours as f64 / spent.as_secs_f64();
    let live = START + hours * HOUR_MS;
    scrape(&mut engine, series, live, false);
    let bytes = resident_bytes().saturating_sub(before) / u64::from(series);

    let rounds = (TIMED_SAMPLES / u64::from(series)).max(ROUNDS_MIN);
    let mut spent = Duration::ZERO;
    for round in 1..=rounds {
        let now = live + i64::try_from(round).expect("few rounds") * SCRAPE_MS;
        spent += scrape(&mut engine, series, now, false);
        let clock = Instant::now();
        black_box(engine.handle(Input::Tick, now));
        spent += clock.elapsed();
    }
    let (seconds, samples) = (spent.as_secs_f64(), rounds as f64 * f64::from(series));
    println!(
        "{series:>10} {:>16.0} {:>12.1} {bytes:>12} {fixed:>16} {backfill_rate:>14.0}",
        samples / seconds,
        seconds * 1e9 / samples
    );
    let snapshot = engine.snapshot(live);
    assert_eq!(snapshot.counts.series_count, u64::from(series));
    assert_eq!(snapshot.counts.cold_series_count, 0, "the seasonal baseline judges");
    assert_eq!(snapshot.counts.dropped_count, 0, "a sample that is dropped is not scored");
}

fn source() -> SourceName {
    SourceName::new("bench")
}

fn define(engine: &mut Engine, series: u32) {
    for local in 0..series {
        let descriptor = SeriesDescriptor {
            metric: Arc::from(["requests", "error_ratio", "latency_p95", "cpu_used_ratio"][local as usize % 4]),
            service: ServiceName::new(&format!("service-{}", local / 40)),
            instance: Some(Arc::from(format!("pod-{local}"))),
            unit: [Unit::PerSecond, Unit::Ratio, Unit::Seconds, Unit::Ratio][local as usize % 4],
            role: [SeriesRole::Traffic, SeriesRole::Errors, SeriesRole::Latency, SeriesRole::Saturation]
                [local as usize % 4],
            bad_when: BadWhen::High,
            is_skewed: local % 4 == 2,
            limit: None,
            interval_ms: 15_000,
            labels: Labels::new([("region", "eu-west-1"), ("cluster", "prod")]),
        };
        let notice = SeriesNotice { source: source(), local, descriptor };
        engine.handle(Input::Signal(Signal::Series(notice)), START);
    }
}

/// One scrape of all series; says how long the engine took over it.
fn scrape(engine: &mut Engine, series: u32, at: Timestamp, is_backfill: bool) -> Duration {
    let (mut local, mut spent) = (0, Duration::ZERO);
    while local < series {
        let end = series.min(local + u32::try_from(BATCH_SAMPLES_MAX).expect("fits"));
        let samples = (local..end).map(|local| Sample { local, at, value: value(local, at) }).collect();
        let batch = SampleBatch { source: source(), is_backfill, samples };
        let clock = Instant::now();
        black_box(engine.handle(Input::Signal(Signal::Samples(batch)), at));
        spent += clock.elapsed();
        local = end;
    }
    spent
}

/// A daily shape with noise that stays inside its band.
fn value(local: u32, at: Timestamp) -> f64 {
    let mut noise = (u64::from(local) << 32 ^ at.0.unsigned_abs()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    noise ^= noise >> 29;
    noise = noise.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let noise = (noise >> 11) as f64 / (1u64 << 53) as f64 - 0.5;
    let day = (at.0 % DAY_MS) as f64 / DAY_MS as f64;
    let level = [200.0, 0.01, 0.2, 0.4][local as usize % 4];
    level * (1.0 + 0.3 * (std::f64::consts::TAU * day).sin() + 0.1 * noise)
}

fn resident_bytes() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4_096
}
