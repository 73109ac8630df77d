//! What a metric came to over a span of time, from the slots that are kept of it.

use crate::engine::ask::time::span::Span;
use crate::engine::clock::{HOUR_MS, MINUTE_MS, Timestamp};
use crate::engine::model::{PastMetric, PastValues, SeriesRole, Slot, SlotWidth};

/// Marks of a line of bars at most: as many as are read at a glance.
const MARKS_MAX: i64 = 24;
/// Bars, the lowest first.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Where nothing was measured.
const GAP: char = '·';

/// The slots of a metric over a span.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// How long the slots are.
    pub width: SlotWidth,
    /// Slots with samples, oldest first; at least one.
    slots: Vec<(Timestamp, Slot)>,
    /// Where the last of them ends, or now.
    pub to: Timestamp,
    /// True where nothing was kept yet at the span's beginning.
    pub begins_late: bool,
    /// The value that stands for all of it, see [`middle`].
    pub middle: f64,
}

impl Stretch {
    /// What is kept of `metric` within `span`; `None` where nothing is.
    #[must_use]
    pub fn of(past: &PastValues, metric: &PastMetric, span: Span, now: Timestamp) -> Option<Self> {
        let within = |width| {
            let all = past.slots(metric.service.as_str(), &metric.metric, width);
            within(&all, width, span, now)
        };
        let (fine, coarse) = (within(SlotWidth::FiveMinutes), within(SlotWidth::Hour));
        let begin = |slots: &[(Timestamp, Slot)]| slots.first().map(|(at, _)| *at);
        // Five minutes are told where they reach as far back as hours do.
        let is_fine = match (begin(&fine), begin(&coarse)) {
            (Some(fine), Some(coarse)) => fine < coarse + HOUR_MS,
            (fine, _) => fine.is_some(),
        };
        let (width, slots) = if is_fine { (SlotWidth::FiveMinutes, fine) } else { (SlotWidth::Hour, coarse) };
        let (from, last) = (begin(&slots)?, slots.last()?.0);
        Some(Self {
            width,
            to: (last + width.ms()).min(now.max(last)),
            begins_late: from > span.from + width.ms(),
            middle: middle(metric, &slots, width, now),
            slots,
        })
    }

    /// Where its first slot begins.
    #[must_use]
    pub fn from(&self) -> Timestamp {
        self.slots.first().map_or(self.to, |(at, _)| *at)
    }

    /// The lowest sample.
    #[must_use]
    pub fn low(&self) -> f64 {
        self.slots.iter().map(|(_, slot)| f64::from(slot.low)).fold(f64::INFINITY, f64::min)
    }

    /// The highest sample.
    #[must_use]
    pub fn high(&self) -> f64 {
        self.slots.iter().map(|(_, slot)| f64::from(slot.high)).fold(f64::NEG_INFINITY, f64::max)
    }

    /// The slot with the highest sample, by its beginning; the lowest where `is_low`. The earliest of several.
    #[must_use]
    pub fn peak(&self, is_low: bool) -> Timestamp {
        let depth = |slot: &Slot| if is_low { -slot.low } else { slot.high };
        let deeper = |one: (Timestamp, f32), (at, slot): &(Timestamp, Slot)| {
            if depth(slot) > one.1 { (*at, depth(slot)) } else { one }
        };
        self.slots.iter().fold((self.from(), f32::NEG_INFINITY), deeper).0
    }

    /// How many slots have samples.
    #[must_use]
    pub fn slot_count(&self) -> usize {
        self.slots.len()
    }

    /// The means of the slots as bars from the lowest to the highest, and how long a bar stands for, in milliseconds.
    #[must_use]
    pub fn bars(&self) -> (String, i64) {
        let (from, width) = (self.from(), self.width.ms());
        let place = |at: Timestamp| at.since_ms(from) / width;
        let count = self.slots.last().map_or(0, |(at, _)| place(*at)) + 1;
        let each = (count + MARKS_MAX - 1) / MARKS_MAX;
        // Sum and number of the means; how many samples a slot has says nothing of how long it lasted.
        let mut groups = vec![(0.0_f32, 0_u8); usize::try_from((count + each - 1) / each).unwrap_or(0)];
        for (at, slot) in &self.slots {
            if let Some(group) = usize::try_from(place(*at) / each).ok().and_then(|at| groups.get_mut(at)) {
                *group = (group.0 + slot.mean, group.1.saturating_add(1));
            }
        }
        let mean = |(sum, count): &(f32, u8)| (*count > 0).then(|| sum / f32::from(*count));
        let known = || groups.iter().filter_map(mean);
        let (low, high) = (known().fold(f32::INFINITY, f32::min), known().fold(f32::NEG_INFINITY, f32::max));
        let steps = (BARS.len() - 1) as f32;
        let bar = |group: &(f32, u8)| match mean(group) {
            None => GAP,
            // A share of the steps is a small number.
            Some(mean) if high > low => BARS[((mean - low) / (high - low) * steps).round() as usize % BARS.len()],
            Some(_) => BARS[0],
        };
        (groups.iter().map(bar).collect(), each * width)
    }
}

/// Slots of which at least half lies within the span; the one in its middle, where it is shorter than that.
fn within(all: &[(Timestamp, Slot)], width: SlotWidth, span: Span, now: Timestamp) -> Vec<(Timestamp, Slot)> {
    let is_within = |from: Timestamp| {
        // A slot that is being filled ends now.
        let end = (from + width.ms()).min(now);
        let shared = end.min(span.to).since_ms(from.max(span.from));
        shared > 0 && 2 * shared >= end.since_ms(from)
    };
    let found: Vec<_> = all.iter().filter(|(from, _)| is_within(*from)).copied().collect();
    if !found.is_empty() || span.to.since_ms(span.from) > width.ms() {
        return found;
    }
    let middle = width.slot_from(span.from + span.to.since_ms(span.from) / 2);
    all.iter().filter(|(from, _)| *from == middle).copied().collect()
}

/// The value that stands for a stretch: the mean over its time; of a percentile the median of its slots.
///
/// Each slot counts as long as it lasted and not as often as it was measured: history is told more seldom than what is live, and
/// more instances are no longer time. A mean of percentiles is no percentile, a quiet night with few slow requests would weigh
/// as much as a rush hour; the median of the slots says what half of them stayed below, which is true whatever the traffic
/// was, and the highest is told beside it.
fn middle(metric: &PastMetric, slots: &[(Timestamp, Slot)], width: SlotWidth, now: Timestamp) -> f64 {
    if is_quantile(metric) {
        let mut means: Vec<f32> = slots.iter().map(|(_, slot)| slot.mean).collect();
        means.sort_by(f32::total_cmp);
        let upper = means.len() / 2;
        let lower = if means.len().is_multiple_of(2) { upper.saturating_sub(1) } else { upper };
        let at = |at: usize| means.get(at).copied().map_or(0.0, f64::from);
        return 0.5 * (at(lower) + at(upper));
    }
    // Milliseconds of a slot are exact in a double; one that began this moment lasts for one.
    let lasted = |from: Timestamp| (from + width.ms()).min(now).since_ms(from).max(1) as f64;
    let whole: f64 = slots.iter().map(|(from, _)| lasted(*from)).sum();
    slots.iter().map(|(from, slot)| f64::from(slot.mean) * lasted(*from)).sum::<f64>() / whole
}

/// True for percentiles: what is called by one, and latencies, of which a source seldom tells anything else.
#[must_use]
pub fn is_quantile(metric: &PastMetric) -> bool {
    let is_named = |word: &str| {
        matches!(word, "quantile" | "percentile" | "median")
            || word.strip_prefix('p').is_some_and(|rest| matches!(rest.len(), 2..=4) && rest.parse::<u16>().is_ok())
    };
    metric.role == SeriesRole::Latency
        || metric.metric.to_lowercase().split(|c: char| !c.is_alphanumeric()).any(is_named)
}

/// How long the slots of a stretch are, where that is more than a person would expect.
#[must_use]
pub fn is_coarse(stretch: &Stretch, span: Span) -> bool {
    stretch.width == SlotWidth::Hour && span.to.since_ms(span.from) < HOUR_MS + MINUTE_MS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::{BadWhen, ServiceName, Unit};

    const START: Timestamp = Timestamp(1_793_577_600_000);

    fn metric(name: &str, role: SeriesRole) -> PastMetric {
        PastMetric::new(ServiceName::new("cart"), name.into(), Unit::Count, role, BadWhen::High)
    }

    fn minutes(from: i64, to: i64) -> Span {
        Span { from: START + from * MINUTE_MS, to: START + to * MINUTE_MS }
    }

    /// A value for each five minutes.
    fn filled(mut metric: PastMetric, values: impl IntoIterator<Item = f64>) -> PastMetric {
        for (at, value) in (0..).zip(values) {
            metric.add(START + at * 5 * MINUTE_MS, Slot::of_sum(value - 1.0, 2.0 * value, value + 1.0, 2));
        }
        metric
    }

    fn stretch(metric: &PastMetric, span: Span, now: i64) -> Option<Stretch> {
        Stretch::of(&PastValues::of([metric.clone()]), metric, span, START + now * MINUTE_MS)
    }

    #[test]
    fn a_span_is_told_from_the_slots_that_lie_in_it() {
        let load = filled(metric("load", SeriesRole::Traffic), (0..24).map(f64::from));
        let hour = stretch(&load, minutes(30, 90), 120).unwrap();
        assert_eq!((hour.from(), hour.to, hour.slot_count()), (START + 30 * MINUTE_MS, START + 90 * MINUTE_MS, 12));
        assert_eq!((hour.low(), hour.middle, hour.high()), (5.0, 11.5, 18.0));
        assert_eq!((hour.peak(false), hour.peak(true)), (START + 85 * MINUTE_MS, START + 30 * MINUTE_MS));
        assert_eq!(hour.bars(), ("▁▂▂▃▄▄▅▅▆▇▇█".to_owned(), 5 * MINUTE_MS));
        // Half a minute around a clock time.
        let moment = Span { from: START + 31 * MINUTE_MS, to: START + 32 * MINUTE_MS };
        assert_eq!(stretch(&load, moment, 120).unwrap().middle, 6.0);
        assert_eq!(stretch(&load, minutes(-90, -30), 120), None);
        let late = stretch(&load, minutes(-90, 30), 120).unwrap();
        assert!(late.begins_late && !hour.begins_late);
        assert_eq!(late.from(), START);
    }

    #[test]
    fn far_back_hours_are_told() {
        let mut load = metric("load", SeriesRole::Traffic);
        for hour in 0..72_i32 {
            load.add(
                START + i64::from(hour) * HOUR_MS,
                Slot::of_sum(f64::from(hour), f64::from(hour), f64::from(hour), 1),
            );
        }
        load.forget_old(START + 71 * HOUR_MS);
        let told = stretch(&load, minutes(10 * 60 + 10, 10 * 60 + 20), 72 * 60).unwrap();
        assert_eq!((told.width, told.middle, told.slot_count()), (SlotWidth::Hour, 10.0, 1));
        assert!(is_coarse(&told, minutes(0, 10)));
        let long = stretch(&load, minutes(0, 72 * 60), 72 * 60).unwrap();
        let (bars, each) = long.bars();
        assert_eq!((bars.chars().count(), each), (24, 3 * HOUR_MS));
    }

    #[test]
    fn of_percentiles_the_median_of_the_slots_is_told_and_no_mean() {
        let values = [1.0, 1.0, 1.0, 100.0];
        let p95 = filled(metric("latency_p95", SeriesRole::Other), values);
        assert_eq!(stretch(&p95, minutes(0, 20), 20).unwrap().middle, 1.0);
        let load = filled(metric("pool_used", SeriesRole::Other), values);
        assert_eq!(stretch(&load, minutes(0, 20), 20).unwrap().middle, 25.75);
        assert!(!is_quantile(&metric("pod2", SeriesRole::Other)) && is_quantile(&metric("p999", SeriesRole::Other)));
    }

    #[test]
    fn what_was_measured_more_often_weighs_no_more() {
        let mut load = metric("load", SeriesRole::Traffic);
        load.add(START, Slot::of_sum(1.0, 1.0, 1.0, 1));
        load.add(START + 5 * MINUTE_MS, Slot::of_sum(3.0, 300.0, 3.0, 100));
        assert_eq!(stretch(&load, minutes(0, 10), 60).unwrap().middle, 2.0);
        // A slot that is being filled has lasted for as long as it has.
        assert_eq!(stretch(&load, minutes(0, 10), 6).unwrap().middle, (5.0 + 3.0) / 6.0);
    }

    #[test]
    fn a_gap_is_a_gap() {
        let mut load = filled(metric("load", SeriesRole::Traffic), [1.0, 1.0]);
        load.add(START + 20 * MINUTE_MS, Slot::of_sum(3.0, 3.0, 3.0, 1));
        assert_eq!(stretch(&load, minutes(0, 25), 60).unwrap().bars().0, "▁▁··█");
    }
}
