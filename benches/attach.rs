//! What a picture of ten thousand anomalies and twenty thousand vitals costs on its way to a console: `cargo bench --bench attach`.
//!
//! One row a change of that picture: the bytes that go out, and the time to find what differs, to write it down, to read it and to
//! put the picture together, each the median of several runs in microseconds.

#[path = "../tests/suite/fixtures.rs"]
#[expect(dead_code, reason = "the pictures are shared with the suite, which uses all of them")]
mod fixtures;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use hypocenter::engine::attach::delta::{Delta, diff};
use hypocenter::engine::model::{Anomaly, SeriesRole, Severity, Unit, Vital};
use hypocenter::engine::snapshot::Snapshot;

const RUNS: usize = 41;
const VITALS: u32 = 20_000;

fn vitals() -> Vec<Vital> {
    let vital = |index: u32| Vital {
        service: format!("service-{:04}", index / 4).as_str().into(),
        metric: ["error_ratio", "request_rate", "p99", "cpu"][index as usize % 4].into(),
        role: SeriesRole::Errors,
        unit: Unit::Ratio,
        series_count: 3,
        low: f64::from(index) / 7.0,
        high: f64::from(index) / 3.0,
        usual: None,
        limit: Some(1.0),
        at: fixtures::now(),
    };
    (0..VITALS).map(vital).collect()
}

/// The picture after `old`, changed by `change`.
fn after(old: &Snapshot, change: impl FnOnce(&mut Snapshot)) -> Snapshot {
    let mut new = old.clone();
    new.revision += 1;
    new.at = new.at + 250;
    new.counts.sample_count += 5_000;
    change(&mut new);
    new
}

fn touch(anomaly: &mut Arc<Anomaly>) {
    let anomaly = Arc::make_mut(anomaly);
    anomaly.value += 0.01;
    anomaly.last_seen_at = anomaly.last_seen_at + 250;
}

/// The median time of `work` in microseconds.
fn median<T>(mut work: impl FnMut() -> T) -> f64 {
    let mut taken: Vec<f64> = (0..RUNS)
        .map(|_| {
            let clock = Instant::now();
            black_box(work());
            clock.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    taken.sort_by(f64::total_cmp);
    taken[RUNS / 2]
}

fn row(title: &str, from: &Snapshot, to: &Snapshot) {
    let bytes = diff(from, to).encode().expect("a picture can be written down");
    let found = median(|| diff(from, to));
    let delta = diff(from, to);
    let written = median(|| delta.encode());
    let read = median(|| Delta::decode(&bytes));
    // What is put together uses the delta up; its copies share what they hold.
    let mut copies = vec![Delta::decode(&bytes).expect("it was just written"); RUNS].into_iter();
    let together = median(|| copies.next().map(|delta| delta.apply(from)));
    println!("{title:<44} {:>10} {found:>10.1} {written:>10.1} {read:>10.1} {together:>10.1}", bytes.len());
}

fn main() {
    let mut storm = fixtures::storm();
    storm.vitals = Arc::new(vitals());
    println!("{:<44} {:>10} {:>10} {:>10} {:>10} {:>10}", "", "bytes", "diff µs", "encode µs", "decode µs", "apply µs");
    row("the whole picture", &Snapshot::empty(), &storm);
    row("the same picture", &storm, &storm);
    row("counts alone", &storm, &after(&storm, |_| {}));
    row("one anomaly", &storm, &after(&storm, |new| touch(&mut new.anomalies[5_000])));
    row("one anomaly goes to the front", &storm, &after(&storm, |new| new.anomalies[..=5_000].rotate_right(1)));
    row(
        "one of a hundred anomalies",
        &storm,
        &after(&storm, |new| new.anomalies.iter_mut().step_by(100).for_each(touch)),
    );
    row("every anomaly", &storm, &after(&storm, |new| new.anomalies.iter_mut().for_each(touch)));
    row("every anomaly at another place", &storm, &after(&storm, |new| new.anomalies.reverse()));
    let newer = |new: &mut Snapshot| Arc::make_mut(&mut new.vitals).iter_mut().for_each(|vital| vital.high += 0.5);
    row("every vital", &storm, &after(&storm, newer));
    let all = |new: &mut Snapshot| {
        newer(new);
        for anomaly in &mut new.anomalies {
            touch(anomaly);
            Arc::make_mut(anomaly).severity = Severity::Info;
        }
    };
    row("every anomaly and every vital", &storm, &after(&storm, all));
    let bytes = diff(&Snapshot::empty(), &storm).encode().expect("a picture can be written down");
    let copy = Delta::decode(&bytes).and_then(|delta| delta.apply(&Snapshot::empty())).expect("it was just written");
    row("the same picture, nothing of it shared", &copy, &storm);
}
