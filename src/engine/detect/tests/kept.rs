//! A restart changes no verdict.

use super::super::{AnomalyEvent, SeriesState};
use super::Bench;
use super::bench_source::{Noise, descriptor, plain, weekly};
use crate::engine::model::{AnomalyState, BadWhen, SeriesDescriptor, SeriesRole, Unit};
use proptest::prelude::*;

fn series() -> Vec<SeriesDescriptor> {
    let mut latency = descriptor("latency", SeriesRole::Latency, Unit::Seconds, BadWhen::High);
    latency.is_skewed = true;
    vec![plain("load"), latency, descriptor("error_ratio", SeriesRole::Errors, Unit::Ratio, BadWhen::High)]
}

/// A second stage that knows what the first one would have left on disk.
fn restarted(first: &mut Bench) -> Bench {
    let mut second = Bench::new(Vec::new());
    first.detection.keep_everything();
    for state in first.detection.series_to_keep(usize::MAX) {
        let bytes = postcard::to_stdvec(&state).unwrap();
        let back: SeriesState = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(back, state);
        second.detection.restore_series(back);
    }
    let mut latest = std::collections::BTreeMap::new();
    for event in &first.events {
        latest.insert(event.anomaly().id, event.anomaly().clone());
    }
    for anomaly in latest.values().filter(|anomaly| anomaly.state != AnomalyState::Ended) {
        second.detection.restore_anomaly(anomaly);
    }
    second.detection.set_next_anomaly_id(latest.keys().map(|id| id.0 + 1).max().unwrap_or(1));
    for notice in &first.notices {
        second.detection.define(notice);
    }
    second.now = first.now;
    second.notices.clone_from(&first.notices);
    second
}

fn begun(events: &[AnomalyEvent]) -> Vec<(u64, i64)> {
    let began = events.iter().filter(|event| matches!(event, AnomalyEvent::Began(_)));
    began.map(|event| (event.anomaly().id.0, event.anomaly().started_at.0)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_restored_stage_gives_the_same_verdicts(seed in 0_u64..1_000, cut in 0_usize..500, fault in 0_usize..500) {
        restore_amid(seed, cut, fault);
    }

    #[test]
    fn a_restart_while_an_anomaly_comes_and_goes_changes_no_verdict(seed in 0_u64..1_000, after in 0_usize..30) {
        restore_amid(seed, 60 + after, 58);
    }
}

#[test]
fn how_near_its_end_an_anomaly_was_is_kept() {
    restore_amid(883, 77, 58);
}

/// Runs a stage with a fault in the middle, and beside it another one that took over from it at `cut`.
fn restore_amid(seed: u64, cut: usize, fault: usize) {
    let mut noise = Noise(seed);
    let mut first = Bench::new(series());
    first.run(16, true, |local, at| match local {
        0 => weekly(at) + 4.0 * noise.normal(),
        1 => 0.2 * (0.2 * noise.normal()).exp(),
        _ => 0.01,
    });
    let mut value = |step: usize| {
        let is_fault = (fault..fault + 20).contains(&step);
        let more = if is_fault { 10.0 } else { 1.0 };
        [90.0 + 4.0 * noise.normal() * more, 0.2 * more, 0.01 * more]
    };
    let mut second = None;
    for step in 0..600 {
        if step == cut {
            second = Some(restarted(&mut first));
            first.events.clear();
        }
        let sample = value(step);
        first.step(false, &sample);
        if let Some(second) = &mut second {
            second.step(false, &sample);
        }
    }
    let second = second.unwrap();
    assert_eq!(&first.detection.lives, &second.detection.lives);
    assert_eq!(&first.detection.scorers, &second.detection.scorers);
    assert_eq!(begun(&first.events), begun(&second.events));
    assert_eq!(first.detection.readings("shop", "load"), second.detection.readings("shop", "load"));
}

#[test]
fn an_anomaly_of_a_series_that_never_comes_back_ends() {
    let mut first = Bench::new(vec![plain("load")]);
    let mut noise = Noise(31);
    first.run(21, true, |_, at| weekly(at) + 4.0 * noise.normal());
    for _ in 0..3 {
        first.step(false, &[1_000.0]);
    }
    let anomaly = first.last_of("load").clone();
    let mut second = Bench::new(Vec::new());
    second.detection.restore_anomaly(&anomaly);
    second.detection.tick(first.now, &mut second.events);
    assert!(second.events.is_empty());
    second.detection.tick(first.now + 16 * 60_000, &mut second.events);
    assert!(matches!(second.events.as_slice(), [AnomalyEvent::Ended(over)] if over.id == anomaly.id));
}
