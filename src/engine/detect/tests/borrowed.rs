//! A new instance of a known service begins with what its siblings have learnt; a service that was just begun anew warms up.

use std::sync::Arc;

use super::Bench;
use super::bench_source::{Noise, descriptor, weekly};
use crate::engine::clock::{DAY_MS, HOUR_MS, SECOND_MS, Timestamp};
use crate::engine::detect::AnomalyEvent;
use crate::engine::model::{
    Anomaly, AnomalyState, BadWhen, DetectionMethod, Sample, SampleBatch, SeriesDescriptor, SeriesNotice, SeriesRole,
    ServiceName, Severity, SourceName, SuppressionReason, Unit,
};

fn pod(name: &str) -> SeriesDescriptor {
    let mut cpu = descriptor("cpu_seconds", SeriesRole::Other, Unit::Count, BadWhen::High);
    cpu.instance = Some(Arc::from(name));
    cpu
}

/// Three pods for three weeks, and a fourth that comes then, under number 3.
fn grown() -> (Bench, Noise) {
    let mut bench = Bench::new(["a", "b", "c"].map(pod).to_vec());
    let mut noise = Noise(41);
    bench.run(21, true, |_, at| weekly(at) + 4.0 * noise.normal());
    bench.run(1, false, |_, at| weekly(at) + 4.0 * noise.normal());
    let notice = SeriesNotice { source: SourceName::new("made-up"), local: 3, descriptor: pod("d") };
    bench.detection.define(&notice);
    bench.notices.push(notice);
    bench.now = bench.now + 10 * HOUR_MS;
    (bench, noise)
}

fn of_pod<'a>(bench: &'a Bench, name: &str) -> Vec<&'a Anomaly> {
    let anomalies = bench.events.iter().map(AnomalyEvent::anomaly);
    anomalies.filter(|anomaly| anomaly.instance.as_deref() == Some(name)).collect()
}

#[test]
fn a_new_instance_is_judged_by_its_siblings_limits_from_its_first_minutes_and_says_so() {
    let (mut bench, mut noise) = grown();
    for step in 0..12 {
        let sick = if step >= 4 { 120.0 } else { 0.0 };
        let values: Vec<f64> =
            (0..4).map(|pod| weekly(bench.now) + 4.0 * noise.normal() + if pod == 3 { sick } else { 0.0 }).collect();
        bench.step(false, &values);
        if step == 3 {
            assert_eq!(of_pod(&bench, "d"), Vec::<&Anomaly>::new(), "well, like its siblings");
            let readings = bench.detection.readings("shop", "cpu_seconds");
            let own = readings.iter().find(|reading| reading.instance.as_deref() == Some("d")).unwrap();
            assert!((own.band.centre - weekly(bench.now)).abs() < 25.0, "{own:?}");
        }
    }
    let found = of_pod(&bench, "d");
    let last = found.last().expect("sick from its fifth sample on");
    assert_eq!((last.method, last.state), (DetectionMethod::Siblings, AnomalyState::Active));
    assert!(last.history_days < 1.0 && last.is_harmful);
}

#[test]
fn a_new_instance_that_does_as_its_siblings_do_is_quiet_all_day_and_then_stands_on_its_own() {
    let (mut bench, mut noise) = grown();
    bench.run(2, false, |_, at| weekly(at) + 4.0 * noise.normal());
    assert_eq!(of_pod(&bench, "d"), Vec::<&Anomaly>::new());
    assert_eq!(bench.detection.loans.get(3), None);
}

#[test]
fn an_instance_without_known_siblings_borrows_nothing() {
    let mut bench = Bench::new(["a", "b"].map(pod).to_vec());
    bench.run(2, false, |_, _| 5.0);
    assert!(bench.detection.loans.get(0).is_none() && bench.detection.loans.get(1).is_none());
}

/// A service with latency, CPU and errors, known for three weeks, looked at every five seconds from then on.
struct Deployed {
    bench: Bench,
    noise: Noise,
}

const EVERY_MS: i64 = 5 * SECOND_MS;

impl Deployed {
    fn new() -> Self {
        let mut bench = Bench::new(vec![
            descriptor("latency", SeriesRole::Latency, Unit::Seconds, BadWhen::High),
            descriptor("cpu", SeriesRole::Saturation, Unit::Ratio, BadWhen::High),
            descriptor("error_ratio", SeriesRole::Errors, Unit::Ratio, BadWhen::High),
        ]);
        let mut noise = Noise(43);
        bench.run(21, true, |local, _| [0.1, 0.3, 0.002][local] * (1.0 + 0.05 * noise.normal()));
        let mut it = Self { bench, noise };
        it.run(600 * SECOND_MS, [1.0, 1.0, 1.0]);
        it
    }

    /// A while at so many times the usual.
    fn run(&mut self, ms: i64, times: [f64; 3]) {
        let until = self.bench.now + ms;
        while self.bench.now < until {
            let at = self.bench.now;
            let mut value = |local: usize| [0.1, 0.3, 0.002][local] * (1.0 + 0.05 * self.noise.normal()) * times[local];
            let samples = (0..3).map(|local| Sample { local, at, value: value(local as usize) }).collect();
            let batch = SampleBatch { source: SourceName::new("made-up"), is_backfill: false, samples };
            self.bench.detection.observe(&batch, at, &mut self.bench.events);
            self.bench.now = at + EVERY_MS;
        }
    }

    fn deploy(&mut self) -> Timestamp {
        let at = self.bench.now;
        self.bench.detection.note_change(&ServiceName::new("shop"), at, true);
        at
    }
}

#[test]
fn a_rise_in_the_minute_after_a_deploy_is_normal_and_shown_as_that() {
    let mut it = Deployed::new();
    assert_eq!(it.bench.began(), 0);
    let since = it.deploy();
    it.run(45 * SECOND_MS, [4.0, 2.5, 1.0]);
    it.run(120 * SECOND_MS, [1.0, 1.0, 1.0]);
    assert_eq!(it.bench.began(), 2, "{:?}", it.bench.events);
    for event in &it.bench.events {
        let anomaly = event.anomaly();
        assert_eq!(anomaly.suppressed, Some(SuppressionReason::WarmUp { since }));
        assert_eq!(anomaly.severity, Severity::Info);
    }
    assert_eq!(it.bench.last_of("latency").state, AnomalyState::Ended);
}

#[test]
fn a_rise_that_outlasts_the_warm_up_is_an_anomaly_from_then_on_with_the_onset_it_had() {
    let mut it = Deployed::new();
    it.deploy();
    let onset = it.bench.now;
    it.run(55 * SECOND_MS, [4.0, 1.0, 1.0]);
    assert_eq!(it.bench.last_of("latency").severity, Severity::Info);
    it.run(30 * SECOND_MS, [4.0, 1.0, 1.0]);
    let anomaly = it.bench.last_of("latency");
    assert_eq!((anomaly.suppressed.clone(), anomaly.severity), (None, Severity::Critical));
    assert_eq!(anomaly.started_at, onset);
}

#[test]
fn errors_and_what_was_there_before_the_deploy_are_not_its_warm_up() {
    let mut it = Deployed::new();
    it.run(30 * SECOND_MS, [4.0, 1.0, 1.0]);
    assert_eq!(it.bench.last_of("latency").suppressed, None);
    it.deploy();
    it.run(30 * SECOND_MS, [4.0, 1.0, 60.0]);
    assert_eq!(it.bench.last_of("latency").suppressed, None, "it was slow before");
    assert_eq!(it.bench.last_of("error_ratio").suppressed, None);
    let mut it = Deployed::new();
    it.deploy();
    it.run(50 * SECOND_MS, [4.0, 1.0, 60.0]);
    assert_eq!(it.bench.last_of("latency").suppressed, None, "it fails while it is slow");
    assert!(it.bench.now.since_ms(Timestamp(0)) > 21 * DAY_MS);
}
