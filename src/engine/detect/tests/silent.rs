//! Series that fall silent: missed, replaced, retired, and back again.

use std::sync::Arc;

use super::super::{AnomalyEvent, Detection};
use super::bench_source::{START, STEP_MS, plain};
use crate::engine::clock::{DAY_MS, HOUR_MS, Timestamp};
use crate::engine::model::{
    AnomalyKind, AnomalyState, DropReason, Sample, SampleBatch, SeriesNotice, Severity, SourceName,
};
use crate::engine::settings::DetectionSettings;

/// A source that goes on whatever becomes of the pods it tells of.
struct Pods {
    detection: Detection,
    events: Vec<AnomalyEvent>,
    now: Timestamp,
}

fn notice(local: u32) -> SeriesNotice {
    let mut descriptor = plain(if local == 0 { "heartbeat" } else { "load" });
    descriptor.instance = Some(Arc::from(format!("pod-{local}")));
    SeriesNotice { source: SourceName::new("made-up"), local, descriptor }
}

impl Pods {
    fn new(detection: Detection, now: Timestamp) -> Self {
        Self { detection, events: Vec::new(), now }
    }

    /// With these pods and the heartbeat, number 0, running for an hour.
    fn running(locals: &[u32]) -> Self {
        let mut pods = Self::new(Detection::new(&DetectionSettings::default(), &[]).unwrap(), START);
        pods.tell(0);
        locals.iter().for_each(|local| pods.tell(*local));
        pods.run(HOUR_MS, locals);
        pods
    }

    fn tell(&mut self, local: u32) {
        self.detection.define(&notice(local));
    }

    /// Time in which these pods give samples.
    fn run(&mut self, ms: i64, locals: &[u32]) {
        let until = self.now + ms;
        while self.now < until {
            let sample = |local: &u32| Sample { local: *local, at: self.now, value: 5.0 };
            let samples = [0].iter().chain(locals).map(sample).collect();
            let batch = SampleBatch { source: SourceName::new("made-up"), is_backfill: false, samples };
            self.detection.observe(&batch, self.now, &mut self.events);
            self.detection.tick(self.now, &mut self.events);
            self.now = self.now + STEP_MS;
        }
    }

    fn began(&self) -> Vec<(&str, Severity)> {
        let began = self.events.iter().filter(|event| matches!(event, AnomalyEvent::Began(_)));
        let began = began.map(AnomalyEvent::anomaly).filter(|anomaly| anomaly.kind == AnomalyKind::Absence);
        began.map(|anomaly| (anomaly.instance.as_deref().unwrap_or_default(), anomaly.severity)).collect()
    }

    fn instances(&self) -> Vec<String> {
        let readings = self.detection.readings("shop", "load");
        readings.iter().map(|reading| reading.instance.as_deref().unwrap_or_default().to_owned()).collect()
    }
}

#[test]
fn a_pod_that_is_replaced_is_not_missed_and_one_that_is_not_is() {
    let mut pods = Pods::running(&[1, 2, 3]);
    pods.tell(4);
    pods.run(STEP_MS, &[1, 2, 3, 4]);
    pods.run(STEP_MS, &[2, 3, 4]);
    pods.tell(5);
    pods.run(3 * HOUR_MS, &[3, 4, 5]);
    assert_eq!(pods.began(), [], "two went, two came");
    pods.run(3 * HOUR_MS, &[4, 5]);
    assert_eq!(pods.began(), [("pod-3", Severity::Info)]);
}

#[test]
fn a_service_that_is_down_between_two_pods_is_missed_until_the_new_one_comes() {
    let mut pods = Pods::running(&[1]);
    pods.run(HOUR_MS, &[]);
    assert_eq!(pods.began(), [("pod-1", Severity::Warning)]);
    assert!(pods.events.iter().all(|event| event.anomaly().state == AnomalyState::Active));
    // It is down for a while, so the one that comes is no quick replacement, and still what was missed.
    pods.tell(2);
    pods.run(HOUR_MS, &[2]);
    assert_eq!(pods.began().len(), 1);
    assert_eq!(pods.events.last().unwrap().anomaly().state, AnomalyState::Ended);
}

#[test]
fn a_pod_silent_for_a_day_beside_its_siblings_is_forgotten() {
    let mut pods = Pods::running(&[1, 2]);
    pods.run(23 * HOUR_MS, &[2]);
    assert_eq!((pods.instances().len(), pods.detection.counts().retired_series_count), (2, 0));
    pods.run(2 * HOUR_MS, &[2]);
    let counts = pods.detection.counts();
    assert_eq!((counts.series_count, counts.retired_series_count, counts.cold_series_count), (2, 1, 2));
    assert_eq!(pods.instances(), ["pod-2"]);
    assert_eq!(pods.detection.series_gone(), [notice(1).descriptor.fingerprint("made-up")]);
    assert!(pods.detection.series_gone().is_empty());
    pods.detection.keep_everything();
    assert_eq!(pods.detection.series_to_keep(usize::MAX).len(), 2, "nothing is kept of what is gone");
    let ended = pods.events.iter().filter(|event| event.anomaly().state == AnomalyState::Ended).count();
    assert_eq!(ended, pods.began().len());
}

#[test]
fn memory_does_not_grow_with_the_pods_that_come_and_go() {
    let mut pods = Pods::running(&[1]);
    for local in 2..400 {
        pods.tell(local);
        pods.run(STEP_MS, &[local - 1, local]);
        pods.run(HOUR_MS, &[local]);
    }
    assert_eq!(pods.began(), []);
    let counts = pods.detection.counts();
    assert!(counts.series_count < 40 && counts.retired_series_count > 350, "{counts:?}");
    assert!(pods.detection.lives.len() < 40, "{}", pods.detection.lives.len());
    assert_eq!(counts.dropped.values().sum::<u64>(), 0);
}

#[test]
fn a_retired_series_comes_back_as_a_new_one_told_or_not() {
    for is_told in [true, false] {
        let mut pods = Pods::running(&[1, 2]);
        pods.run(26 * HOUR_MS, &[2]);
        assert_eq!(pods.instances(), ["pod-2"]);
        // Another one takes its place in memory meanwhile.
        pods.tell(3);
        if is_told {
            pods.tell(1);
        }
        pods.run(2 * HOUR_MS, &[1, 2, 3]);
        assert_eq!(pods.instances().len(), 3);
        assert_eq!(pods.detection.counts().dropped.get(&DropReason::Malformed), None);
        pods.detection.keep_everything();
        let kept = pods.detection.series_to_keep(usize::MAX);
        let back = kept.iter().find(|state| state.fingerprint == notice(1).descriptor.fingerprint("made-up")).unwrap();
        assert!((1..=2).contains(&back.live.hours_seen), "{}", back.live.hours_seen);
    }
}

#[test]
fn a_series_without_siblings_is_forgotten_only_after_more_than_a_week() {
    let mut pods = Pods::running(&[1]);
    pods.run(7 * DAY_MS, &[]);
    assert_eq!(pods.instances().len(), 1);
    pods.run(HOUR_MS, &[1]);
    pods.run(8 * DAY_MS + HOUR_MS, &[]);
    assert_eq!(pods.instances().len(), 0);
    assert_eq!(pods.detection.counts().retired_series_count, 1);
}

#[test]
fn a_source_that_was_down_for_two_days_loses_no_series() {
    let mut pods = Pods::running(&[1, 2]);
    pods.now = pods.now + 2 * DAY_MS;
    // Its first answers after that need not hold every series.
    pods.run(2 * STEP_MS, &[2]);
    pods.run(2 * HOUR_MS, &[1, 2]);
    assert_eq!(pods.detection.counts().retired_series_count, 0);
    assert_eq!(pods.began(), []);
}

#[test]
fn what_was_kept_of_series_long_gone_is_dropped_at_the_next_start() {
    let mut pods = Pods::running(&[1]);
    pods.detection.keep_everything();
    let old = pods.detection.series_to_keep(usize::MAX);
    pods.run(9 * DAY_MS, &[1]);
    pods.detection.keep_everything();
    let mut kept = pods.detection.series_to_keep(usize::MAX);
    let mut gone = old.into_iter().find(|state| state.live.last_at < kept[0].live.last_at).unwrap();
    gone.fingerprint.0 ^= 1;
    let number = gone.fingerprint;
    kept.push(gone);
    let mut next = Pods::new(Detection::new(&DetectionSettings::default(), &[]).unwrap(), pods.now);
    for state in kept {
        next.detection.restore_series(state);
    }
    next.run(STEP_MS, &[]);
    assert_eq!(next.detection.series_gone(), [number]);
    assert_eq!(next.detection.restored.len(), 2);
}
