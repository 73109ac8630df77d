//! How many samples a second one core scores, what a series costs in memory, and how long a restart takes.
//!
//! `cargo bench --bench scoring` prints a table for 1, 10 and 100 thousand and 1 million series, so that it shows how
//! the cost of a sample grows; a number as argument (`-- 1000`) measures that many only. Some hundred series learn
//! sixteen days of history, two samples an hour; every series of a size then takes over what one of them has kept, as
//! after a restart, and whole scrapes in scrape order are timed. A restart is: from the kept bytes of every series
//! to being ready for samples; then its sources tell what series they have, as at any start, and each takes up its own. A second table is of the scorer alone, without names, calendar
//! and anomalies.

use std::hint::black_box;
use std::sync::Arc;

use hypocenter::engine::clock::{HOUR_MS, SECOND_MS, Timestamp};
use hypocenter::engine::detect::scorer::SeriesScorer;
use hypocenter::engine::detect::{Detection, SeriesState};
use hypocenter::engine::limits::BATCH_SAMPLES_MAX;
use hypocenter::engine::model::{
    BadWhen, Labels, Sample, SampleBatch, SeriesDescriptor, SeriesNotice, SeriesRole, ServiceName, SourceName, Unit,
};
use hypocenter::engine::settings::DetectionSettings;

/// Days of history before the measurement.
const HISTORY_DAYS: i64 = 15;
/// Between two scrapes.
const INTERVAL_MS: i64 = 15 * SECOND_MS;
/// Series that learn: levels and kinds repeat after so many.
const TEACHERS: u32 = 970;
/// Samples timed, at least.
const SAMPLES_MIN: usize = 20_000_000;

/// Bytes of this process that are in memory.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4_096
}

/// Seconds that this thread has had of a core: what else the machine does meanwhile is not counted.
fn core_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e9
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

/// Batches of one scrape of so many series.
fn batches(series: u32) -> Vec<SampleBatch> {
    let locals: Vec<u32> = (0..series).collect();
    let batch = |chunk: &[u32]| SampleBatch {
        source: SourceName::new("prom"),
        is_backfill: true,
        samples: chunk.iter().map(|local| Sample { local: *local, at: Timestamp(0), value: 0.0 }).collect(),
    };
    locals.chunks(BATCH_SAMPLES_MAX).map(batch).collect()
}

/// What the teachers have learnt, and when that was.
fn learn() -> (Vec<SeriesState>, Timestamp) {
    let mut detection = Detection::new(&DetectionSettings::default(), &[]).expect("no calendar, nothing to refuse");
    let mut kept = std::collections::BTreeMap::new();
    for local in 0..TEACHERS {
        kept.insert(notice(local).descriptor.fingerprint("prom"), local);
        detection.define(&notice(local));
    }
    let mut batches = batches(TEACHERS);
    let mut at = Timestamp(1_793_577_600_000);
    for _ in 0..HISTORY_DAYS * 48 {
        fill(&mut batches, at, true);
        observe(&mut detection, &batches, at);
        at = at + HOUR_MS / 2;
    }
    detection.keep_everything();
    let mut states = detection.series_to_keep(usize::MAX);
    states.sort_by_key(|state| kept.get(&state.fingerprint).copied());
    (states, at)
}

/// Every series from what was kept of it; the seconds that took until samples can be taken in, and those of its sources
/// telling what they have.
fn restart(detection: &mut Detection, states: &[SeriesState], series: u32) -> (f64, f64) {
    let (mut restored, mut defined) = (0.0, 0.0);
    let locals: Vec<u32> = (0..series).collect();
    for chunk in locals.chunks(10_000) {
        let notices: Vec<SeriesNotice> = chunk.iter().map(|local| notice(*local)).collect();
        let kept: Vec<Vec<u8>> = notices
            .iter()
            .zip(states.iter().cycle().skip((chunk[0] % TEACHERS) as usize))
            .map(|(notice, state)| {
                let mut state = state.clone();
                state.fingerprint = notice.descriptor.fingerprint("prom");
                postcard::to_stdvec(&state).expect("plain numbers")
            })
            .collect();
        let start = core_seconds();
        for bytes in &kept {
            detection.restore_series(postcard::from_bytes::<SeriesState>(bytes).expect("as it was written"));
        }
        let middle = core_seconds();
        for notice in &notices {
            detection.define(notice);
        }
        restored += middle - start;
        defined += core_seconds() - middle;
    }
    (restored, defined)
}

fn measure(states: &[SeriesState], series: u32, mut at: Timestamp) {
    let mut batches = batches(series);
    fill(&mut batches, at, false);
    let before = resident_bytes();
    let mut detection = Detection::new(&DetectionSettings::default(), &[]).expect("no calendar, nothing to refuse");
    let (restart_s, define_s) = restart(&mut detection, states, series);
    // The first scrapes are of another interval than the history was, and touch what is there for the first time.
    for _ in 0..2 {
        fill(&mut batches, at, false);
        observe(&mut detection, &batches, at);
        at = at + INTERVAL_MS;
    }
    let bytes_each = resident_bytes().saturating_sub(before) / u64::from(series);
    let scrapes = SAMPLES_MIN.div_ceil(series as usize);
    let (mut spent, mut events) = (0.0, 0);
    for _ in 0..scrapes {
        fill(&mut batches, at, false);
        let start = core_seconds();
        events += observe(black_box(&mut detection), black_box(&batches), at);
        spent += core_seconds() - start;
        at = at + INTERVAL_MS;
    }
    let samples = scrapes as f64 * f64::from(series);
    println!(
        "{series:>9} | {:>14.0} | {:>9.1} | {bytes_each:>12} | {:>12} | {restart_s:>9.3} | {define_s:>8.3} | {events:>6} | {:>4}",
        samples / spent,
        1e9 * spent / samples,
        size_of::<SeriesScorer>(),
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
    let start = core_seconds();
    for _ in 0..scrapes {
        scrape(&mut scorers, at);
        at = at + INTERVAL_MS;
    }
    let spent = core_seconds() - start;
    let kept: Vec<Vec<u8>> = scorers.iter().map(SeriesScorer::to_bytes).collect();
    drop(scorers);
    let start = core_seconds();
    let back: Vec<Box<SeriesScorer>> = kept.iter().filter_map(|bytes| SeriesScorer::from_bytes(bytes)).collect();
    let restart = core_seconds() - start;
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
    let sizes = if asked.is_empty() { vec![1_000, 10_000, 100_000, 1_000_000] } else { asked };
    let (states, at) = learn();
    println!(
        "   series | samples/s/core | ns/sample | bytes/series | scorer of it | restart s | define s | events | cold"
    );
    for &series in &sizes {
        measure(&states, series, at);
    }
    println!("   series | samples/s/core | ns/sample | bytes/series | alerts | restart s   (the scorer alone)");
    for series in sizes {
        measure_scorers(series);
    }
}
