//! How many samples a second one core scores, and what a series costs in memory.
//!
//! `cargo bench --bench scoring` prints a table for 1 thousand, 100 thousand and 1 million series; a number as argument
//! (`-- 1000`) measures that many only. A second table is of the scorer of series alone, without names, calendar and
//! anomalies: samples in scrape order, and the time that all states take from bytes after a restart. Each size first learns sixteen days of history, two samples an hour, so that
//! seasonal baselines judge; then whole scrapes in scrape order are timed.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use hypocenter::engine::clock::{HOUR_MS, SECOND_MS, Timestamp};
use hypocenter::engine::detect::Detection;
use hypocenter::engine::detect::scorer::SeriesScorer;
use hypocenter::engine::limits::BATCH_SAMPLES_MAX;
use hypocenter::engine::model::{
    BadWhen, Labels, Sample, SampleBatch, SeriesDescriptor, SeriesNotice, SeriesRole, ServiceName, SourceName, Unit,
};
use hypocenter::engine::settings::DetectionSettings;

/// Days of history before the measurement.
const HISTORY_DAYS: i64 = 15;
/// Between two scrapes.
const INTERVAL_MS: i64 = 15 * SECOND_MS;
/// Samples timed, at least.
const SAMPLES_MIN: usize = 20_000_000;

/// Bytes of this process that are in memory.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4_096
}

/// What an ordinary exporter gives: services of fifty series, some of them latencies.
fn notice(local: u32) -> SeriesNotice {
    let (role, unit) = match local % 10 {
        0 | 1 => (SeriesRole::Traffic, Unit::PerSecond),
        2 => (SeriesRole::Errors, Unit::Ratio),
        3 => (SeriesRole::Latency, Unit::Seconds),
        _ => (SeriesRole::Other, Unit::Count),
    };
    SeriesNotice {
        source: SourceName::new("prom"),
        local,
        descriptor: SeriesDescriptor {
            metric: Arc::from(format!("metric_{}", local % 10)),
            service: ServiceName::new(&format!("service-{}", local / 50)),
            instance: Some(Arc::from(format!("10.0.{}.{}:9100", local / 2_560 % 256, local / 10 % 256))),
            unit,
            role,
            bad_when: BadWhen::High,
            is_skewed: local % 10 == 3,
            limit: None,
            interval_ms: INTERVAL_MS as u32,
            labels: Labels::new([("zone", "a"), ("namespace", "shop")]),
        },
    }
}

/// A value near the series' level, by a cheap hash of series and time.
fn value(local: u32, at: Timestamp) -> f64 {
    let mixed = (u64::from(local) << 32 ^ at.0.unsigned_abs()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let noise = (mixed >> 40) as f64 / 16_777_216.0 - 0.5;
    let level = if local % 10 == 2 { 0.01 } else { 50.0 + f64::from(local % 97) };
    level * (1.0 + 0.1 * noise)
}

/// Puts one scrape into `batches`.
fn fill(batches: &mut [SampleBatch], at: Timestamp, is_backfill: bool) {
    for batch in batches {
        batch.is_backfill = is_backfill;
        for sample in &mut batch.samples {
            sample.at = at;
            sample.value = value(sample.local, at);
        }
    }
}

fn observe(detection: &mut Detection, batches: &[SampleBatch], at: Timestamp) -> usize {
    let mut events = Vec::new();
    for batch in batches {
        detection.observe(batch, at, &mut events);
    }
    events.len()
}

fn measure(series: u32) {
    let mut batches: Vec<SampleBatch> = Vec::new();
    let locals: Vec<u32> = (0..series).collect();
    for chunk in locals.chunks(BATCH_SAMPLES_MAX) {
        let samples = chunk.iter().map(|local| Sample { local: *local, at: Timestamp(0), value: 0.0 }).collect();
        batches.push(SampleBatch { source: SourceName::new("prom"), is_backfill: true, samples });
    }
    let before = resident_bytes();
    let mut detection = Detection::new(&DetectionSettings::default(), &[]).expect("no calendar, nothing to refuse");
    for local in 0..series {
        detection.define(&notice(local));
    }
    let mut at = Timestamp(1_793_577_600_000);
    for _ in 0..HISTORY_DAYS * 48 {
        fill(&mut batches, at, true);
        observe(&mut detection, &batches, at);
        at = at + HOUR_MS / 2;
    }
    // What would be written to the store by then is not part of what a series costs.
    while !detection.series_to_keep(10_000).is_empty() {}
    let bytes_each = resident_bytes().saturating_sub(before) / u64::from(series);
    let scrapes = SAMPLES_MIN.div_ceil(series as usize);
    let (mut spent, mut anomalies) = (0.0, 0);
    for _ in 0..scrapes {
        fill(&mut batches, at, false);
        let start = Instant::now();
        anomalies += observe(black_box(&mut detection), black_box(&batches), at);
        spent += start.elapsed().as_secs_f64();
        at = at + INTERVAL_MS;
    }
    let samples = scrapes as f64 * f64::from(series);
    println!(
        "{series:>9} | {:>13.0} | {:>9.1} | {bytes_each:>12} | {anomalies:>6} | {:>5}",
        samples / spent,
        1e9 * spent / samples,
        detection.counts().cold_series_count,
    );
}

/// Scrapes that the scorers alone learn from before they are timed: some days of history are no slower or faster.
const SCRAPES_BEFORE: usize = 20;

fn measure_scorers(series: u32) {
    let mut scorers = vec![SeriesScorer::new(); series as usize];
    let mut at = Timestamp(1_793_577_600_000);
    let mut alerts = 0_usize;
    let mut scrape = |scorers: &mut [SeriesScorer], at: Timestamp| {
        for (local, scorer) in (0_u32..).zip(scorers) {
            let scored = scorer.observe(at.0 as f64 / 1_000.0, value(local, at));
            alerts += usize::from(black_box(scored).score >= 0.5);
        }
    };
    for _ in 0..SCRAPES_BEFORE {
        scrape(&mut scorers, at);
        at = at + INTERVAL_MS;
    }
    let scrapes = SAMPLES_MIN.div_ceil(series as usize);
    let start = Instant::now();
    for _ in 0..scrapes {
        scrape(&mut scorers, at);
        at = at + INTERVAL_MS;
    }
    let spent = start.elapsed().as_secs_f64();
    let kept: Vec<Vec<u8>> = scorers.iter().map(SeriesScorer::to_bytes).collect();
    drop(scorers);
    let start = Instant::now();
    let back: Vec<SeriesScorer> = kept.iter().filter_map(|bytes| SeriesScorer::from_bytes(bytes)).collect();
    let restart = start.elapsed().as_secs_f64();
    let samples = scrapes as f64 * f64::from(series);
    println!(
        "{series:>9} | {:>13.0} | {:>9.1} | {:>12} | {alerts:>6} | {restart:>9.3}",
        samples / spent,
        1e9 * spent / samples,
        size_of::<SeriesScorer>(),
    );
    assert_eq!(back.len(), kept.len(), "every state comes back");
}

fn main() {
    let asked: Vec<u32> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if asked.is_empty() { vec![1_000, 100_000, 1_000_000] } else { asked };
    println!("   series | samples/s/core | ns/sample | bytes/series | events | cold");
    for &series in &sizes {
        measure(series);
    }
    println!("   series | samples/s/core | ns/sample | bytes/series | alerts | restart s   (the scorer alone)");
    for series in sizes {
        measure_scorers(series);
    }
}
