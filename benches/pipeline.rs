//! The whole core under load: samples ingested and scored a second on one core, and bytes of memory a series, for
//! 1,000, 100,000 and 1,000,000 series interleaved in scrape order. `cargo bench --bench pipeline`
//!
//! Each series first gets 21 days of hourly history, as a backfill would give it, so that the seasonal baseline judges
//! and not the static thresholds. What is timed is `Engine::handle` from a batch to its jobs, a tick a scrape included.

use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

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

/// Samples timed at each size.
const TIMED_SAMPLES: u64 = 20_000_000;
/// Between two scrapes.
const SCRAPE_MS: i64 = 15 * SECOND_MS;
/// 2026-11-02, a Monday.
const START: Timestamp = Timestamp(1_793_577_600_000);

fn main() {
    let largest = std::env::var("PIPELINE_SERIES_MAX").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    println!("{:>10} {:>16} {:>14} {:>12} {:>14}", "series", "samples/s/core", "ns/sample", "B/series", "backfill/s");
    for series in [1_000u32, 100_000, 1_000_000] {
        if series <= largest {
            measure(series);
        }
    }
}

fn measure(series: u32) {
    let before = resident_bytes();
    let mut engine =
        Engine::new(EngineSettings::default(), Library::shipped()).expect("the default settings are sound");
    define(&mut engine, series);
    let hours = 21 * DAY_MS / HOUR_MS;
    let clock = Instant::now();
    for hour in 0..hours {
        scrape(&mut engine, series, START + hour * HOUR_MS, true);
    }
    let backfill_rate = f64::from(series) * hours as f64 / clock.elapsed().as_secs_f64();
    let live = START + hours * HOUR_MS;
    scrape(&mut engine, series, live, false);
    let bytes = resident_bytes().saturating_sub(before) / u64::from(series);

    let rounds = (TIMED_SAMPLES / u64::from(series)).max(3);
    let clock = Instant::now();
    for round in 1..=rounds {
        let now = live + i64::try_from(round).expect("few rounds") * SCRAPE_MS;
        scrape(&mut engine, series, now, false);
        black_box(engine.handle(Input::Tick, now));
    }
    let seconds = clock.elapsed().as_secs_f64();
    let samples = rounds as f64 * f64::from(series);
    println!(
        "{series:>10} {:>16.0} {:>14.1} {bytes:>12} {backfill_rate:>14.0}",
        samples / seconds,
        seconds * 1e9 / samples
    );
    let snapshot = engine.snapshot(live);
    assert_eq!(snapshot.counts.series_count, u64::from(series));
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

fn scrape(engine: &mut Engine, series: u32, at: Timestamp, is_backfill: bool) {
    let mut local = 0;
    while local < series {
        let end = series.min(local + u32::try_from(BATCH_SAMPLES_MAX).expect("fits"));
        let samples = (local..end).map(|local| Sample { local, at, value: value(local, at) }).collect();
        let batch = SampleBatch { source: source(), is_backfill, samples };
        black_box(engine.handle(Input::Signal(Signal::Samples(batch)), at));
        local = end;
    }
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
