//! Gathers what was measured, for questions about other times: a running slot for each metric, put into its page as the next
//! slot begins.
//!
//! Samples come in any order within what is kept: history is told series by series, so that an older slot comes after a newer
//! one. Nothing here bears on what is judged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Detection;
use super::registry::{Meta, UNBOUND};
use crate::engine::clock::Timestamp;
use crate::engine::limits::{PAST_KEPT_WITHIN_MS, PAST_METRICS_MAX};
use crate::engine::model::{PastMetric, PastPage, PastValues, ServiceName, Slot, SlotPage, SlotWidth};

/// The slot of five minutes that a metric's samples fall into now.
#[derive(Debug, Clone, Copy)]
struct Running {
    /// Samples from here on, in milliseconds since the epoch; later than the slot where what came before is counted already.
    from: i64,
    /// To before here, which is where the slot ends.
    until: i64,
    low: f64,
    sum: f64,
    high: f64,
    count: u32,
    /// The newest sample that was not history.
    newest_live: i64,
}

impl Running {
    /// Where no sample falls into.
    const NONE: Self = Self {
        from: 0,
        until: 0,
        low: f64::INFINITY,
        sum: 0.0,
        high: f64::NEG_INFINITY,
        count: 0,
        newest_live: i64::MIN,
    };

    fn slot_from(&self) -> Timestamp {
        Timestamp(self.until - SlotWidth::FiveMinutes.ms())
    }

    fn slot(&self) -> Slot {
        Slot::of_sum(self.low, self.sum, self.high, self.count)
    }

    #[inline]
    fn add(&mut self, at: i64, value: f64, is_backfill: bool) {
        self.low = self.low.min(value);
        self.high = self.high.max(value);
        self.sum += value;
        self.count = self.count.saturating_add(1);
        self.newest_live = self.newest_live.max(if is_backfill { i64::MIN } else { at });
    }
}

/// What is known of a metric beside its values.
#[derive(Debug, Clone)]
struct Standing {
    /// Series that tell it now.
    series_count: u32,
    /// Live samples up to then were counted before the last start.
    counted_until: i64,
    /// Pages that differ from what is kept, by width and beginning.
    unkept: BTreeSet<(SlotWidth, Timestamp)>,
    /// True once anything of it may be in the store.
    is_kept: bool,
}

/// What was measured, by metric.
#[derive(Debug, Default)]
pub struct PastGathering {
    /// Shared with the pictures; which number a metric has changes seldom.
    numbers: Arc<BTreeMap<ServiceName, BTreeMap<Arc<str>, u32>>>,
    /// By number, here and below.
    running: Vec<Running>,
    metrics: Vec<Arc<PastMetric>>,
    standings: Vec<Standing>,
    /// Numbers without a metric.
    vacant: Vec<u32>,
    /// Pages that are to go from the store.
    gone: Vec<PastPage>,
    /// When the round of keeping began that is under way, and how far it has come.
    round: Option<Timestamp>,
    next: usize,
}

impl PastGathering {
    /// Takes in a usable sample of the metric of this number.
    #[inline]
    pub fn take(&mut self, number: u32, at: i64, value: f64, is_backfill: bool) {
        match self.running.get_mut(number as usize) {
            Some(running) if running.from <= at && at < running.until => running.add(at, value, is_backfill),
            Some(_) => self.turn(number as usize, at, value, is_backfill),
            None => {}
        }
    }

    /// The first sample of another slot.
    #[cold]
    fn turn(&mut self, number: usize, at: i64, value: f64, is_backfill: bool) {
        let (Some(running), Some(standing)) = (self.running.get(number), self.standings.get(number)) else { return };
        if at <= standing.counted_until {
            return;
        }
        let counted_until = standing.counted_until;
        let newest_live = running.newest_live;
        self.fold(number);
        let from = SlotWidth::FiveMinutes.slot_from(Timestamp(at));
        let Some(running) = self.running.get_mut(number) else { return };
        let until = from.0.saturating_add(SlotWidth::FiveMinutes.ms());
        *running = Running { from: from.0.max(counted_until.saturating_add(1)), until, newest_live, ..Running::NONE };
        running.add(at, value, is_backfill);
    }

    /// Puts a running slot into its pages.
    fn fold(&mut self, number: usize) {
        let (Some(running), Some(metric), Some(standing)) =
            (self.running.get_mut(number), self.metrics.get_mut(number), self.standings.get_mut(number))
        else {
            return;
        };
        if running.count == 0 {
            return;
        }
        let metric = Arc::make_mut(metric);
        standing.unkept.extend(metric.add(running.slot_from(), running.slot()).into_iter().flatten());
        *running = Running { newest_live: running.newest_live, ..Running::NONE };
        if metric.is_overfull()
            && let Some(newest) = metric.newest()
        {
            let old = metric.forget_old(newest);
            self.let_go(number, &old);
        }
    }

    /// A series of this metric is told; gives the metric's number, [`UNBOUND`] where there are too many.
    pub fn join(&mut self, meta: &Meta) -> u32 {
        let known = self.numbers.get(&meta.service).and_then(|metrics| metrics.get(&meta.metric));
        let Some(number) = known.copied().or_else(|| self.admit(metric_of(meta))) else { return UNBOUND };
        let is_first = self.standings.get_mut(number as usize).is_some_and(|standing| {
            standing.series_count += 1;
            standing.series_count == 1
        });
        if is_first {
            self.describe(number as usize, metric_of(meta));
        }
        number
    }

    /// A metric is as its first series of this life says. What was measured in another unit is of no use any longer.
    fn describe(&mut self, number: usize, as_told: PastMetric) {
        let Some(metric) = self.metrics.get_mut(number) else { return };
        if metric.unit == as_told.unit {
            let metric = Arc::make_mut(metric);
            (metric.role, metric.bad_when) = (as_told.role, as_told.bad_when);
            return;
        }
        let before = std::mem::replace(metric, Arc::new(as_told));
        self.let_go(number, &before.page_places());
    }

    /// A series of the metric of this number is no more.
    pub fn leave(&mut self, number: u32) {
        if let Some(standing) = self.standings.get_mut(number as usize) {
            standing.series_count = standing.series_count.saturating_sub(1);
        }
    }

    fn admit(&mut self, metric: PastMetric) -> Option<u32> {
        if self.metrics.len() - self.vacant.len() >= PAST_METRICS_MAX {
            return None;
        }
        let standing = Standing { series_count: 0, counted_until: i64::MIN, unkept: BTreeSet::new(), is_kept: false };
        let (service, name) = (metric.service.clone(), Arc::clone(&metric.metric));
        let number = match self.vacant.pop() {
            Some(number) => {
                let at = number as usize;
                (self.metrics[at], self.standings[at], self.running[at]) = (Arc::new(metric), standing, Running::NONE);
                number
            }
            None => {
                // A few thousand.
                let number = self.metrics.len() as u32;
                self.metrics.push(Arc::new(metric));
                self.standings.push(standing);
                self.running.push(Running::NONE);
                number
            }
        };
        Arc::make_mut(&mut self.numbers).entry(service).or_default().insert(name, number);
        Some(number)
    }

    /// Takes back a page of an earlier life.
    pub fn restore(&mut self, page: &PastPage) {
        let known = self.numbers.get(&page.service).and_then(|metrics| metrics.get(&page.metric));
        let Some(number) = known.copied().or_else(|| self.admit(page.of())) else { return };
        let at = number as usize;
        if let (Some(metric), Some(standing)) = (self.metrics.get_mut(at), self.standings.get_mut(at)) {
            Arc::make_mut(metric).put(page);
            standing.counted_until = standing.counted_until.max(page.counted_until.0);
            standing.is_kept = true;
        }
    }

    /// Lets go of what is older than it is kept; says whether a metric went.
    fn forget_old(&mut self, now: Timestamp) -> bool {
        let mut has_room = false;
        for number in 0..self.metrics.len() {
            let Some(metric) = self.metrics.get_mut(number) else { break };
            if metric.has_old(now) {
                let old = Arc::make_mut(metric).forget_old(now);
                self.let_go(number, &old);
            }
            has_room |= self.dismiss(number);
        }
        has_room
    }

    /// Gives up the number of a metric of which nothing is known and that no series tells; says whether it did.
    fn dismiss(&mut self, number: usize) -> bool {
        let (Some(metric), Some(standing)) = (self.metrics.get(number), self.standings.get(number)) else {
            return false;
        };
        let is_idle = self.running.get(number).is_some_and(|running| running.count == 0);
        // One that was given up keeps its place, and its name, until another metric takes it.
        let of_name = self.numbers.get(&metric.service).and_then(|metrics| metrics.get(&metric.metric));
        let is_vacant = of_name.is_none_or(|of_name| *of_name as usize != number);
        if is_vacant || !is_idle || !metric.is_empty() || standing.series_count > 0 {
            return false;
        }
        let numbers = Arc::make_mut(&mut self.numbers);
        if let Some(metrics) = numbers.get_mut(&metric.service) {
            metrics.remove(&metric.metric);
            if metrics.is_empty() {
                numbers.remove(&metric.service);
            }
        }
        // As many as were admitted.
        self.vacant.push(number as u32);
        true
    }

    /// These pages of a metric go from the store.
    fn let_go(&mut self, number: usize, pages: &[(SlotWidth, Timestamp)]) {
        let Some(standing) = self.standings.get_mut(number) else { return };
        for page in pages {
            standing.unkept.remove(page);
        }
        if standing.is_kept {
            let gone = pages.iter().filter_map(|(width, from)| self.page(number, *width, SlotPage::new(*from)));
            let gone: Vec<PastPage> = gone.collect();
            self.gone.extend(gone);
        }
    }

    fn page(&self, number: usize, width: SlotWidth, slots: SlotPage) -> Option<PastPage> {
        let (metric, standing) = (self.metrics.get(number)?, self.standings.get(number)?);
        let live = self.running.get(number)?.newest_live;
        Some(PastPage {
            service: metric.service.clone(),
            metric: Arc::clone(&metric.metric),
            unit: metric.unit,
            role: metric.role,
            bad_when: metric.bad_when,
            width,
            counted_until: Timestamp(live.max(standing.counted_until)),
            slots,
        })
    }

    /// The pages of a metric that differ from what is kept.
    fn changed(&mut self, number: usize, into: &mut Vec<PastPage>) {
        // A slot that is filled now is kept as far as it has come; it goes on where the next sample falls into it.
        self.fold(number);
        let Some(standing) = self.standings.get_mut(number) else { return };
        let unkept = std::mem::take(&mut standing.unkept);
        standing.is_kept |= !unkept.is_empty();
        for (width, from) in unkept {
            let slots = self.metrics.get(number).and_then(|metric| metric.page_at(width, from)).cloned();
            into.extend(slots.and_then(|slots| self.page(number, width, slots.as_ref().clone())));
        }
    }

    /// A picture of it.
    fn picture(&self, over_count: u64) -> PastValues {
        let filling = |running: &Running| match running.count {
            0 => Default::default(),
            _ => (running.slot_from(), running.slot()),
        };
        let metrics = self.metrics.iter().zip(&self.running);
        let metrics = metrics.map(|(metric, running)| (Arc::clone(metric), filling(running))).collect();
        PastValues::new(Arc::clone(&self.numbers), metrics, over_count)
    }
}

/// What is kept of a series' metric.
fn metric_of(meta: &Meta) -> PastMetric {
    PastMetric::new(meta.service.clone(), Arc::clone(&meta.metric), meta.unit, meta.role, meta.bad_when)
}

impl Detection {
    /// Hands back a page of what was measured before the last start.
    pub fn restore_past(&mut self, page: &PastPage) {
        self.past.restore(page);
    }

    /// A picture of what was measured at other times.
    #[must_use]
    pub fn past_values(&self) -> PastValues {
        let known = self.past.standings.iter().filter(|standing| standing.series_count > 0).count();
        self.past.picture(self.registry.metric_count().saturating_sub(known) as u64)
    }

    /// Pages of what was measured that differ from what is kept: a share of the metrics each time, so that each has its turn
    /// within [`PAST_KEPT_WITHIN_MS`]. Those without samples are to be removed.
    pub fn past_to_keep(&mut self, now: Timestamp) -> Vec<PastPage> {
        let begun = *self.past.round.get_or_insert(now);
        let count = self.past.metrics.len();
        let gone_ms = now.since_ms(begun).clamp(0, PAST_KEPT_WITHIN_MS);
        // A share of a count is no greater than it.
        let due = (count as i64 * gone_ms / PAST_KEPT_WITHIN_MS) as usize;
        let mut pages = Vec::new();
        for number in self.past.next..due {
            self.past.changed(number, &mut pages);
        }
        self.past.next = due.max(self.past.next);
        if gone_ms == PAST_KEPT_WITHIN_MS {
            (self.past.round, self.past.next) = (Some(now), 0);
            if self.past.forget_old(now) {
                self.admit_more();
            }
        }
        pages.append(&mut self.past.gone);
        pages
    }

    /// Everything that differs from what is kept: for a clean stop.
    pub fn all_past_to_keep(&mut self) -> Vec<PastPage> {
        let mut pages = Vec::new();
        for number in 0..self.past.metrics.len() {
            self.past.changed(number, &mut pages);
        }
        pages.append(&mut self.past.gone);
        pages
    }

    /// Metrics for which there was no room have theirs now.
    fn admit_more(&mut self) {
        for meta in self.registry.metas.iter_mut().filter(|meta| !meta.is_vacant() && meta.past_at == UNBOUND) {
            meta.past_at = self.past.join(meta);
        }
    }
}
