//! Metrics of one service held against one another.

use super::Bench;
use super::bench_source::{Noise, descriptor, weekly};
use crate::engine::clock::{DAY_MS, Timestamp};
use crate::engine::detect::AnomalyEvent;
use crate::engine::model::{Anomaly, AnomalyKind, AnomalyState, BadWhen, SeriesDescriptor, SeriesRole, Unit};

/// A storage node: everything follows its load, each metric in its own unit.
fn node() -> Vec<SeriesDescriptor> {
    let series = |metric, unit| descriptor(metric, SeriesRole::Other, unit, BadWhen::Either);
    vec![
        series("cpu_ratio", Unit::Ratio),
        series("disk_io", Unit::BytesPerSecond),
        series("requests", Unit::PerSecond),
        series("packet_loss_ratio", Unit::Ratio),
        series("queue", Unit::Count),
    ]
}

/// The load of the node: of the hour, and much that no hour explains.
struct Load {
    noise: Noise,
    drift: f64,
    level: f64,
}

impl Load {
    fn new(seed: u64) -> Self {
        Self { noise: Noise(seed), drift: 0.0, level: 1.0 }
    }

    fn value(&mut self, local: usize, at: Timestamp) -> f64 {
        if local == 0 {
            self.drift = 0.97 * self.drift + 0.05 * self.noise.normal();
            self.level = weekly(at) / 100.0 * (1.0 + self.drift).max(0.2);
        }
        let own = self.level + 0.015 * self.noise.normal();
        own * [0.5, 4e6, 900.0, 0.01, 40.0][local]
    }
}

fn relations(bench: &Bench) -> Vec<&Anomaly> {
    let anomalies = bench.events.iter().map(AnomalyEvent::anomaly);
    anomalies.filter(|anomaly| anomaly.kind == AnomalyKind::Relation).collect()
}

#[test]
fn a_service_in_order_has_no_broken_relation() {
    let mut load = Load::new(5);
    let mut bench = Bench::new(node());
    bench.run(20, true, |local, at| load.value(local, at));
    bench.run(10, false, |local, at| load.value(local, at));
    assert_eq!(relations(&bench), Vec::<&Anomaly>::new());
}

#[test]
fn what_contradicts_the_others_inside_its_own_band_is_told_and_named_and_ends() {
    let mut load = Load::new(7);
    let mut bench = Bench::new(node());
    bench.run(20, true, |local, at| load.value(local, at));
    bench.run(1, false, |local, at| load.value(local, at));
    let before = bench.began();
    // Two fifths more than the others say: the load itself wanders as far.
    let mut broken = |local, at| load.value(local, at) * if local == 1 { 1.4 } else { 1.0 };
    let begin = bench.now;
    for _ in 0..12 {
        let values: Vec<f64> = (0..5).map(|local| broken(local, bench.now)).collect();
        bench.step(false, &values);
    }
    let told = relations(&bench);
    let began = told.first().expect("a broken relation");
    assert_eq!(bench.began() - before, 1, "and nothing else: every metric is inside its band");
    assert_eq!((&*began.metric, began.state), ("disk_io", AnomalyState::Active));
    assert_eq!(&*began.contradictions[0].metric, "disk_io");
    assert!(began.started_at >= begin && began.value > began.expected.high, "{began:?}");
    assert!(began.departure().starts_with("shop disk_io ") && began.departure().contains("contradicts"));
    let mut load = Load { noise: Noise(1), ..load };
    bench.run(1, false, |local, at| load.value(local, at));
    assert_eq!(relations(&bench).last().unwrap().state, AnomalyState::Ended);
}

#[test]
fn metrics_that_have_nothing_to_do_with_each_other_break_no_relation() {
    let mut noise = Noise(3);
    let mut bench = Bench::new(node());
    let mut value = |local: usize, _| (100.0 + 20.0 * noise.normal()) * [0.005, 4e4, 9.0, 1e-4, 0.4][local];
    bench.run(20, true, &mut value);
    bench.run(10, false, &mut value);
    assert_eq!(relations(&bench), Vec::<&Anomaly>::new());
}

/// What the present shows is told after this many rows at the latest, and broken relations are among it.
fn breaks(bench: &mut Bench, load: &mut Load) -> usize {
    for _ in 0..12 {
        let at = bench.now;
        let values: Vec<f64> = (0..5).map(|local| load.value(local, at) * if local == 1 { 1.4 } else { 1.0 }).collect();
        bench.step(false, &values);
    }
    relations(bench).len()
}

#[test]
fn relations_outlive_a_restart() {
    let mut load = Load::new(7);
    let mut first = Bench::new(node());
    first.run(20, true, |local, at| load.value(local, at));
    first.run(1, false, |local, at| load.value(local, at));
    first.detection.keep_everything();
    let series = first.detection.series_to_keep(usize::MAX);
    let kept = first.detection.relations_to_keep(usize::MAX);
    assert_eq!((kept.len(), first.detection.relations_to_keep(usize::MAX).len()), (1, 0));
    assert!(kept[0].1.len() < 32 * 1_024, "{}", kept[0].1.len());
    let next = |with_relations: bool| {
        let mut next = Bench::new(Vec::new());
        for state in series.clone() {
            next.detection.restore_series(state);
        }
        for (of, bytes) in kept.iter().filter(|_| with_relations) {
            next.detection.restore_relations(*of, bytes).unwrap();
        }
        next.notices.clone_from(&first.notices);
        first.notices.iter().for_each(|notice| next.detection.define(notice));
        next.now = first.now;
        let mut load = Load { noise: Noise(99), ..load };
        breaks(&mut next, &mut load)
    };
    assert!(next(true) > 0);
    assert_eq!(next(false), 0, "without them it is learnt anew first");
}

#[test]
fn relations_that_cannot_be_read_are_refused_and_those_nobody_claims_are_given_up() {
    let mut load = Load::new(7);
    let mut first = Bench::new(node());
    first.run(1, true, |local, at| load.value(local, at));
    first.detection.keep_everything();
    let kept = first.detection.relations_to_keep(usize::MAX);
    let (of, bytes) = &kept[0];
    let mut next = Bench::new(Vec::new());
    for end in [0, 1, 2, bytes.len() / 2, bytes.len() - 1] {
        assert!(next.detection.restore_relations(*of, &bytes[..end]).is_err(), "{end}");
    }
    let mut other = bytes.clone();
    other[0] = 0;
    assert!(next.detection.restore_relations(*of, &other).is_err());
    // One metric less than its scorer has.
    other[..2].copy_from_slice(&[bytes[0], bytes[1] - 1]);
    other.drain(2..2 + 1 + usize::from(bytes[2]));
    assert!(next.detection.restore_relations(*of, &other).is_err());
    next.detection.restore_relations(*of, bytes).unwrap();
    for day in 0..3 {
        next.detection.tick(next.now + day * DAY_MS, &mut next.events);
    }
    assert_eq!(next.detection.relations_to_keep(usize::MAX), [(*of, Vec::new())]);
}
