//! Metrics of one service held against one another.

use super::Bench;
use super::bench_source::{Noise, descriptor, weekly};
use crate::engine::clock::Timestamp;
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
