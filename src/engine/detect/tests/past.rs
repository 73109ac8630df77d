//! What was measured is told as it was, whatever the order and however often the program begins anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::super::Detection;
use super::bench_source::{START, plain};
use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::limits::{PAST_KEPT_WITHIN_MS, PAST_METRICS_MAX};
use crate::engine::model::{
    PastPage, Sample, SampleBatch, SeriesNotice, ServiceName, Slot, SlotWidth, SourceName, Unit,
};
use crate::engine::settings::DetectionSettings;

const PODS: u32 = 3;

fn told(metric: &str, local: u32) -> SeriesNotice {
    let mut descriptor = plain(metric);
    descriptor.instance = Some(Arc::from(format!("pod-{local}")));
    SeriesNotice { source: SourceName::new("made-up"), local, descriptor }
}

fn stage() -> Detection {
    let mut detection = Detection::new(&DetectionSettings::default(), &[]).unwrap();
    (0..PODS).for_each(|local| detection.define(&told("load", local)));
    detection
}

fn feed(detection: &mut Detection, samples: Vec<Sample>, is_backfill: bool) {
    let now = START + 30 * DAY_MS;
    let batch = SampleBatch { source: SourceName::new("made-up"), is_backfill, samples };
    detection.observe(&batch, now, &mut Vec::new());
}

fn slots(detection: &Detection, width: SlotWidth) -> Vec<(Timestamp, Slot)> {
    detection.past_values().slots("shop", "load", width)
}

/// What the pages come to once they are kept and read back.
fn restarted(kept: &BTreeMap<(SlotWidth, Timestamp), PastPage>) -> Detection {
    let mut detection = Detection::new(&DetectionSettings::default(), &[]).unwrap();
    kept.values().for_each(|page| detection.restore_past(page));
    (0..PODS).for_each(|local| detection.define(&told("load", local)));
    detection
}

fn keep(pages: Vec<PastPage>, kept: &mut BTreeMap<(SlotWidth, Timestamp), PastPage>) {
    for page in pages {
        let at = (page.width, page.slots.from);
        match page.slots.is_empty() {
            true => drop(kept.remove(&at)),
            false => drop(kept.insert(at, page)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// History comes pod by pod, then live samples; hypo is killed now and then, and is told some of them again.
    #[test]
    fn slots_say_what_was_measured(
        history in proptest::collection::vec(0.0f64..100.0, 0..80),
        live in proptest::collection::vec(0.0f64..100.0, 1..200),
        ends in proptest::collection::btree_set(0usize..200, 0..4),
    ) {
        let mut detection = stage();
        let mut kept = BTreeMap::new();
        let mut measured = Vec::new();
        let begin = START + history.len() as i64 * 4 * MINUTE_MS;
        for local in 0..PODS {
            let at = |number: usize| START + number as i64 * 4 * MINUTE_MS;
            let samples: Vec<_> = history.iter().enumerate()
                .map(|(number, value)| Sample { local, at: at(number), value: value + f64::from(local) }).collect();
            measured.extend(samples.iter().map(|sample| (sample.at, sample.value)));
            feed(&mut detection, samples, true);
        }
        let scrape = |number: usize, value: f64| (0..PODS)
            .map(|local| Sample { local, at: begin + number as i64 * 45 * SECOND_MS, value: value + f64::from(local) })
            .collect::<Vec<_>>();
        keep(detection.all_past_to_keep(), &mut kept);
        for (number, value) in live.iter().enumerate() {
            let samples = scrape(number, *value);
            measured.extend(samples.iter().map(|sample| (sample.at, sample.value)));
            feed(&mut detection, samples, false);
            if ends.contains(&number) {
                keep(detection.all_past_to_keep(), &mut kept);
                detection = restarted(&kept);
                // A source that does not know how far it was heard tells the last of it again.
                let again = live.iter().enumerate().take(number + 1).skip(number.saturating_sub(9));
                for (before, value) in again {
                    feed(&mut detection, scrape(before, *value), before % 2 == 0);
                }
            }
        }
        for width in SlotWidth::ALL {
            let mut naive: BTreeMap<Timestamp, Vec<f64>> = BTreeMap::new();
            for (at, value) in &measured {
                naive.entry(width.slot_from(*at)).or_default().push(*value);
            }
            let slots = slots(&detection, width);
            prop_assert_eq!(slots.len(), naive.len());
            for ((at, slot), (from, values)) in slots.iter().zip(&naive) {
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                prop_assert_eq!((at, slot.count as usize), (from, values.len()));
                prop_assert_eq!(slot.low, values.iter().copied().fold(f64::INFINITY, f64::min) as f32);
                prop_assert_eq!(slot.high, values.iter().copied().fold(f64::NEG_INFINITY, f64::max) as f32);
                prop_assert!((f64::from(slot.mean) - mean).abs() < 1e-3, "{} {}", slot.mean, mean);
            }
        }
    }
}

#[test]
fn pages_are_kept_within_the_time_that_is_promised_and_go_when_they_are_old() {
    let mut detection = stage();
    let mut kept = BTreeMap::new();
    let hours = 20 * 24;
    let mut now = START;
    for hour in 0..hours {
        now = START + hour * HOUR_MS;
        feed(&mut detection, vec![Sample { local: 0, at: now, value: hour as f64 }], false);
        for second in 0..=PAST_KEPT_WITHIN_MS / MINUTE_MS {
            keep(detection.past_to_keep(now + second * MINUTE_MS), &mut kept);
        }
        let newest = kept.values().rfind(|page: &&PastPage| page.width == SlotWidth::Hour).unwrap();
        assert_eq!(newest.counted_until, now, "hour {hour}");
    }
    let oldest = |width| kept.keys().find(|(other, _)| *other == width).map(|(_, from)| now.since_ms(*from)).unwrap();
    assert!(oldest(SlotWidth::FiveMinutes) <= 28 * HOUR_MS && oldest(SlotWidth::Hour) <= 17 * DAY_MS);
    assert!(kept.len() <= 31, "{}", kept.len());
    // Its series are gone for good: so is what was measured, once it is old.
    (0..PODS).for_each(|local| detection.past.leave(detection.registry.metas[local as usize].past_at));
    for day in 1..20 {
        keep(detection.past_to_keep(now + day * DAY_MS), &mut kept);
    }
    assert!(kept.is_empty() && detection.past_values().is_empty());
}

#[test]
fn metrics_past_the_limit_are_counted_and_have_their_turn() {
    let mut detection = Detection::new(&DetectionSettings::default(), &[]).unwrap();
    let count = PAST_METRICS_MAX as u32 + 3;
    (0..count).for_each(|local| detection.define(&told(&format!("metric-{local}"), local)));
    let past = detection.past_values();
    assert_eq!((past.len(), past.over_count), (PAST_METRICS_MAX, 3));
    feed(&mut detection, vec![Sample { local: 0, at: START, value: 1.0 }], false);
    let at = START + 20 * DAY_MS;
    feed(&mut detection, vec![Sample { local: count - 1, at, value: 1.0 }], false);
    assert_eq!(detection.past_values().slots("shop", &format!("metric-{}", count - 1), SlotWidth::Hour), []);
    (0..3).for_each(|local| detection.past.leave(detection.registry.metas[local].past_at));
    (0..=1).for_each(|_| drop(detection.past_to_keep(at)));
    (0..=1).for_each(|round| drop(detection.past_to_keep(at + (1 + round) * PAST_KEPT_WITHIN_MS)));
    feed(&mut detection, vec![Sample { local: count - 1, at: at + 1, value: 1.0 }], false);
    assert_eq!(detection.past_values().slots("shop", &format!("metric-{}", count - 1), SlotWidth::Hour).len(), 1);
}

#[test]
fn what_was_measured_in_another_unit_is_no_longer_told() {
    let mut detection = stage();
    feed(&mut detection, vec![Sample { local: 0, at: START, value: 1.0 }], false);
    let mut kept = BTreeMap::new();
    keep(detection.all_past_to_keep(), &mut kept);
    let mut detection = Detection::new(&DetectionSettings::default(), &[]).unwrap();
    kept.values().for_each(|page| detection.restore_past(page));
    assert_eq!(detection.past_values().hours(&ServiceName::new("shop"), "load").count(), 1);
    let mut notice = told("load", 0);
    notice.descriptor.unit = Unit::Seconds;
    detection.define(&notice);
    assert_eq!(detection.past_values().hours(&ServiceName::new("shop"), "load").count(), 0);
    keep(detection.all_past_to_keep(), &mut kept);
    assert!(kept.is_empty());
}
