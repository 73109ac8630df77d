//! What cannot be used is set aside, counted, and changes no verdict.

use super::super::{Detection, live::Live};
use super::Bench;
use super::bench_source::{START, descriptor, plain};
use crate::engine::clock::Timestamp;
use crate::engine::model::{BadWhen, DropReason, Sample, SampleBatch, SeriesRole, SourceName, Unit};
use proptest::prelude::*;

fn feed(detection: &mut Detection, samples: Vec<Sample>, now: Timestamp) -> Vec<super::super::AnomalyEvent> {
    let mut events = Vec::new();
    let batch = SampleBatch { source: SourceName::new("made-up"), is_backfill: false, samples };
    detection.observe(&batch, now, &mut events);
    events
}

#[test]
fn bad_samples_are_counted_by_reason() {
    let mut bench = Bench::new(vec![plain("load")]);
    let at = |offset| START + offset;
    let samples = [
        (0, at(0), 1.0),
        (0, at(0), 1.0),
        (0, at(-1), 1.0),
        (0, at(1), f64::NAN),
        (0, at(1), f64::INFINITY),
        (0, at(300_001), 1.0),
        (9, at(1), 1.0),
    ];
    let samples = samples.map(|(local, at, value)| Sample { local, at, value }).to_vec();
    feed(&mut bench.detection, samples, START);
    let counts = bench.detection.counts();
    for reason in [
        DropReason::Duplicate,
        DropReason::Late,
        DropReason::NotANumber,
        DropReason::Infinite,
        DropReason::FutureStamp,
        DropReason::Malformed,
    ] {
        assert_eq!(counts.dropped.get(&reason), Some(&1), "{reason:?}");
    }
    assert_eq!(counts.sample_count, 1);
}

fn lives(bench: &Bench) -> Vec<Live> {
    bench.detection.lives.clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn bad_samples_change_no_verdict(
        values in prop::collection::vec(prop_oneof![0.0..1.0, Just(0.0), Just(1e15), Just(-1e300), Just(f64::MIN_POSITIVE)], 40..120),
        bad_at in prop::collection::vec(0_usize..120, 1..20),
    ) {
        let ratio = || descriptor("error_ratio", SeriesRole::Errors, Unit::Ratio, BadWhen::High);
        let mut clean = Bench::new(vec![ratio()]);
        let mut dirty = Bench::new(vec![ratio()]);
        for (step, value) in values.iter().enumerate() {
            let now = clean.now;
            clean.step(false, &[*value]);
            dirty.step(false, &[*value]);
            if bad_at.contains(&step) {
                let bad = [(now, 1e9), (now - 7, 0.5), (now + 1, f64::NAN), (now + 1, f64::NEG_INFINITY), (now + 86_400_000, 0.5)];
                let bad = bad.map(|(at, value)| Sample { local: 0, at, value }).to_vec();
                let raised = feed(&mut dirty.detection, bad, now);
                prop_assert!(raised.is_empty());
            }
        }
        prop_assert_eq!(&clean.events, &dirty.events);
        prop_assert_eq!(lives(&clean), lives(&dirty));
    }
}
