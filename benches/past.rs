//! What was measured at other times, for as many metrics as are kept: what a picture of it costs the engine, what a round of
//! keeping writes, how long reading it back takes, and what it weighs. `cargo bench --bench past`.

use std::fs::{self, Permissions};
use std::hint::black_box;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hypocenter::engine::clock::{HOUR_MS, MINUTE_MS, Timestamp};
use hypocenter::engine::input::Input;
use hypocenter::engine::job::{Job, Record};
use hypocenter::engine::limits::{BATCH_SAMPLES_MAX, PAST_METRICS_MAX};
use hypocenter::engine::model::{
    BadWhen, Labels, PastValues, Sample, SampleBatch, SeriesDescriptor, SeriesNotice, SeriesRole, ServiceName, Signal,
    SourceName, Unit,
};
use hypocenter::engine::pipeline::Engine;
use hypocenter::engine::runbooks::Library;
use hypocenter::engine::settings::EngineSettings;
use hypocenter::engine::store::Store;

/// 2026-11-02, a Monday.
const START: Timestamp = Timestamp(1_793_577_600_000);
/// Hours of history, the last of them in steps of five minutes.
const HOURS: i64 = 16 * 24;
const FINE_HOURS: i64 = 26;

fn main() {
    let mut engine = Engine::new(EngineSettings::default(), Library::shipped()).expect("the settings are sound");
    let count = u32::try_from(PAST_METRICS_MAX).expect("a few thousand");
    for local in 0..count {
        let descriptor = SeriesDescriptor {
            metric: Arc::from(["requests", "error_ratio", "latency_p95", "cpu_used_ratio"][local as usize % 4]),
            service: ServiceName::new(&format!("service-{}", local / 4)),
            instance: None,
            unit: Unit::Count,
            role: SeriesRole::Other,
            bad_when: BadWhen::High,
            is_skewed: false,
            limit: None,
            interval_ms: 15_000,
            labels: Labels::default(),
        };
        let notice = SeriesNotice { source: SourceName::new("bench"), local, descriptor };
        engine.handle(Input::Signal(Signal::Series(notice)), START);
    }
    // What the scorers weigh is there before: one sample of each.
    scrape(&mut engine, count, START);
    let before = resident_bytes();
    let mut at = START;
    for hour in 1..=HOURS {
        let steps = if hour > HOURS - FINE_HOURS { 12 } else { 1 };
        for step in 0..steps {
            at = START + hour * HOUR_MS + step * 5 * MINUTE_MS;
            scrape(&mut engine, count, at);
        }
    }
    println!("{count} metrics: {:.1} MB more", resident_bytes().saturating_sub(before) as f64 / 1e6);

    let mut kept = None;
    tell("a picture", (0..200).map(|_| timed(|| kept = Some(black_box(engine.past_values())))).collect());
    let turn = timed(|| scrape(&mut engine, count, at + 5 * MINUTE_MS));
    println!("a scrape in which all slots turn, a picture shared: {turn:?}");
    let turn = timed(|| scrape(&mut engine, count, at + 5 * MINUTE_MS + 15_000));
    println!("one in which none does: {turn:?}");
    let past = kept.expect("it was made");
    let service = ServiceName::new("service-1000");
    let mut hours = 0;
    let took = timed(|| hours = black_box(past.hours(&service, "requests").count()));
    println!("{hours} hours of a metric: {took:?}");

    let private = Permissions::from_mode(0o700);
    let folder = tempfile::Builder::new().permissions(private).tempdir().expect("a folder can be made");
    let store = Store::open(folder.path()).expect("it is new");
    let mut records = Vec::new();
    for job in engine.close(at + 5 * MINUTE_MS) {
        if let Job::Persist(of) | Job::PersistLater(of) = job {
            records.extend(of.into_iter().filter(|record| matches!(record, Record::PastPage(_))));
        }
    }
    let wrote = timed(|| store.write(&records, true).expect("there is room"));
    println!("{} pages written in {wrote:?}, {:.1} MB on disk", records.len(), size(folder.path()) as f64 / 1e6);
    let mut read = None;
    let took = timed(|| read = Some(PastValues::of_pages(store.past_pages().flatten())));
    println!("read back in {took:?}: {} metrics", read.map_or(0, |read| read.len()));
}

fn scrape(engine: &mut Engine, count: u32, at: Timestamp) {
    let samples: Vec<Sample> =
        (0..count).map(|local| Sample { local, at, value: f64::from(local % 97) + (at.0 % 1_000) as f64 }).collect();
    for samples in samples.chunks(BATCH_SAMPLES_MAX) {
        let batch = SampleBatch { source: SourceName::new("bench"), is_backfill: true, samples: samples.to_vec() };
        black_box(engine.handle(Input::Signal(Signal::Samples(batch)), at));
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn tell(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    println!("{what}: median {:?}, slowest {:?}", times[times.len() / 2], times[times.len() - 1]);
}

fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells it");
    1_024 * line.trim().trim_end_matches("kB").trim().parse::<u64>().expect("a number")
}

fn size(folder: &std::path::Path) -> u64 {
    let entries = fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("it can be read"));
    entries
        .map(
            |entry| if entry.path().is_dir() { size(&entry.path()) } else { entry.metadata().map_or(0, |it| it.len()) },
        )
        .sum()
}
