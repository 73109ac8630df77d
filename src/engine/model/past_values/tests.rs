//! Slots say what their samples say, in whatever order those come, and are let go of once they are old.

use proptest::prelude::*;

use super::*;
use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS};

fn metric() -> PastMetric {
    PastMetric::new(ServiceName::new("cart"), "error_ratio".into(), Unit::Ratio, SeriesRole::Errors, BadWhen::High)
}

fn slot(value: f64) -> Slot {
    Slot::of_sum(value, value, value, 1)
}

proptest! {
    #[test]
    fn a_slot_says_what_its_samples_say_in_any_order(
        samples in proptest::collection::vec((0i64..26 * 3_600, -1e6f64..1e6), 1..400),
    ) {
        let start = Timestamp(1_793_577_600_000);
        let mut metric = metric();
        for (second, value) in &samples {
            metric.add(SlotWidth::FiveMinutes.slot_from(start + second * 1_000), slot(*value));
        }
        for width in SlotWidth::ALL {
            let mut naive: BTreeMap<Timestamp, Vec<f64>> = BTreeMap::new();
            for (second, value) in &samples {
                naive.entry(width.slot_from(start + second * 1_000)).or_default().push(*value);
            }
            let slots: Vec<_> = metric.slots(width).collect();
            prop_assert!(slots.windows(2).all(|pair| pair[0].0 < pair[1].0));
            prop_assert_eq!(slots.len(), naive.len());
            for ((at, slot), (from, values)) in slots.iter().zip(&naive) {
                prop_assert_eq!(at, from);
                prop_assert_eq!(slot.count as usize, values.len());
                prop_assert_eq!(slot.low, values.iter().copied().fold(f64::INFINITY, f64::min) as f32);
                prop_assert_eq!(slot.high, values.iter().copied().fold(f64::NEG_INFINITY, f64::max) as f32);
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                // Half as many digits, and a rounding for each sample.
                let most = values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
                prop_assert!((f64::from(slot.mean) - mean).abs() <= 1e-5 * most, "{} {}", slot.mean, mean);
                prop_assert!(slot.is_sound());
            }
        }
    }

    #[test]
    fn no_clock_and_no_value_breaks_it(at in any::<i64>(), value in any::<f64>().prop_filter("finite", |it| it.is_finite())) {
        let mut metric = metric();
        for at in [at, 0, at.saturating_add(1), i64::MIN, i64::MAX] {
            metric.add(SlotWidth::FiveMinutes.slot_from(Timestamp(at)), slot(value));
            metric.forget_old(Timestamp(at));
        }
        for width in SlotWidth::ALL {
            prop_assert!(metric.slots(width).all(|(_, slot)| slot.is_sound()));
        }
    }
}

#[test]
fn what_is_older_than_it_is_kept_goes_and_does_not_come_back() {
    let start = Timestamp(1_793_577_600_000);
    let mut metric = metric();
    for hour in 0..30 * 24 {
        metric.add(start + hour * HOUR_MS, slot(hour as f64));
        metric.forget_old(start + hour * HOUR_MS);
    }
    let newest = start + (30 * 24 - 1) * HOUR_MS;
    let oldest = |width| metric.slots(width).next().map(|(at, _)| newest.since_ms(at));
    // Up to a page more than is promised.
    assert!((26 * HOUR_MS..=28 * HOUR_MS).contains(&oldest(SlotWidth::FiveMinutes).unwrap()));
    assert!((16 * DAY_MS..=17 * DAY_MS).contains(&oldest(SlotWidth::Hour).unwrap()));
    let before = metric.clone();
    assert_eq!(metric.add(start, slot(1e9)), [None, None]);
    assert_eq!(metric, before);
}

#[test]
fn a_slot_that_is_being_filled_is_in_the_picture() {
    let start = Timestamp(1_793_577_600_000);
    let mut one = metric();
    one.add(start, slot(1.0));
    let (service, from) = (one.service.clone(), start + 5 * MINUTE_MS);
    let numbers = PastValues::of([one.clone()]).numbers;
    let told = |filling: Filling| {
        let past = PastValues::new(Arc::clone(&numbers), vec![(Arc::new(one.clone()), filling)], 0);
        let minutes: Vec<_> = past.minutes(&service, "error_ratio").map(|(_, slot)| slot.high).collect();
        let hours: Vec<_> = past.hours(&service, "error_ratio").map(|(_, slot)| (slot.mean, slot.count)).collect();
        (minutes, hours)
    };
    assert_eq!(told((from, slot(3.0))), (vec![1.0, 3.0], vec![(2.0, 2)]));
    assert_eq!(told((start, slot(3.0))), (vec![3.0], vec![(2.0, 2)]));
    assert_eq!(told(Filling::default()), (vec![1.0], vec![(1.0, 1)]));
}

#[test]
fn pages_come_back_as_they_were_kept_and_senseless_ones_do_not() {
    let start = Timestamp(1_793_577_600_000);
    let mut whole = metric();
    for at in 0..40 {
        whole.add(start + at * 35 * MINUTE_MS, slot(at as f64));
    }
    let pages: Vec<PastPage> = whole
        .page_places()
        .into_iter()
        .map(|(width, from)| PastPage {
            service: whole.service.clone(),
            metric: Arc::clone(&whole.metric),
            unit: whole.unit,
            role: whole.role,
            bad_when: whole.bad_when,
            width,
            counted_until: start,
            slots: whole.page_at(width, from).unwrap().as_ref().clone(),
        })
        .collect();
    assert!(pages.len() > 10);
    let read = |page: &PastPage| postcard::from_bytes::<PastPage>(&postcard::to_allocvec(page).unwrap());
    let past = PastValues::of_pages(pages.iter().rev().map(|page| read(page).unwrap()));
    assert_eq!(past.metric("cart", "error_ratio"), Some(&whole));
    assert_eq!((past.len(), past.of_service("cart").count(), past.of_service("auth").count()), (1, 1, 0));
    let mut senseless = pages[0].clone();
    senseless.slots.put(0, Slot { low: 2.0, mean: 1.0, high: 3.0, count: 1 });
    assert!(read(&senseless).is_err());
}
