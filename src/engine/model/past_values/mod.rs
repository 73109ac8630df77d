//! What was measured at other times: for each metric of a service low, mean and high over all its instances, by slots of five
//! minutes and of an hour.
//!
//! A picture of them is shared, and never written to: questions are answered from it while the next samples come.

mod page;
mod slot;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ids::ServiceName;
use super::series::{BadWhen, SeriesRole, Unit};
use crate::engine::clock::Timestamp;

pub use page::{PastPage, SLOTS_A_PAGE, SlotPage};
pub use slot::{Slot, SlotWidth};

/// A metric of a service, with what of it is known.
#[derive(Debug, Clone, PartialEq)]
pub struct PastMetric {
    /// Whose it is.
    pub service: ServiceName,
    /// What is measured, as the source calls it.
    pub metric: Arc<str>,
    /// What the values measure.
    pub unit: Unit,
    /// Which golden signal.
    pub role: SeriesRole,
    /// Which direction is bad news.
    pub bad_when: BadWhen,
    /// By width, in order of time.
    pages: [Vec<Arc<SlotPage>>; 2],
    /// The beginning of the newest slot of five minutes.
    newest: Option<Timestamp>,
}

impl PastMetric {
    /// One of which nothing is known yet.
    #[must_use]
    pub fn new(service: ServiceName, metric: Arc<str>, unit: Unit, role: SeriesRole, bad_when: BadWhen) -> Self {
        Self { service, metric, unit, role, bad_when, pages: [Vec::new(), Vec::new()], newest: None }
    }

    /// The beginning of the newest slot of five minutes.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// Adds what was measured within the slot of five minutes that begins at `from`: to that, and to its hour. Says which
    /// pages it changed, as their width and beginning; what is older than all that is kept changes none.
    pub fn add(&mut self, from: Timestamp, slot: Slot) -> [Option<(SlotWidth, Timestamp)>; 2] {
        if self.newest.is_none_or(|newest| newest < from) {
            self.newest = Some(from);
        }
        SlotWidth::ALL.map(|width| {
            let begin = width.page_from(from);
            if begin < self.oldest(width)? {
                return None;
            }
            let at = width.slot_at(from)?;
            Arc::make_mut(self.page(width, begin)).join(at, slot);
            Some((width, begin))
        })
    }

    /// Puts a kept page in its place.
    pub fn put(&mut self, page: &PastPage) {
        for (at, slot) in page.slots.filled() {
            let from = page.slots.from + i64::from(at) * page.width.ms();
            if page.width == SlotWidth::FiveMinutes && self.newest.is_none_or(|newest| newest < from) {
                self.newest = Some(from);
            }
            Arc::make_mut(self.page(page.width, page.slots.from)).put(at, slot);
        }
    }

    /// The page of this width that begins then.
    #[must_use]
    pub fn page_at(&self, width: SlotWidth, from: Timestamp) -> Option<&Arc<SlotPage>> {
        let pages = &self.pages[width.place()];
        pages.binary_search_by_key(&from, |page| page.from).ok().and_then(|at| pages.get(at))
    }

    /// Its pages, by width and beginning.
    #[must_use]
    pub fn page_places(&self) -> Vec<(SlotWidth, Timestamp)> {
        let of = |width: SlotWidth| self.pages[width.place()].iter().map(move |page| (width, page.from));
        SlotWidth::ALL.into_iter().flat_map(of).collect()
    }

    /// Lets go of pages of which every slot is further back from `now` than it is kept; gives their widths and beginnings.
    pub fn forget_old(&mut self, now: Timestamp) -> Vec<(SlotWidth, Timestamp)> {
        let mut gone = Vec::new();
        for width in SlotWidth::ALL {
            let oldest = width.page_from(now - width.kept_ms());
            let pages = &mut self.pages[width.place()];
            gone.extend(pages.iter().filter(|page| page.from < oldest).map(|page| (width, page.from)));
            pages.retain(|page| page.from >= oldest);
        }
        gone
    }

    /// True where [`Self::forget_old`] would let go of something.
    #[must_use]
    pub fn has_old(&self, now: Timestamp) -> bool {
        SlotWidth::ALL.iter().any(|width| {
            let oldest = width.page_from(now - width.kept_ms());
            self.pages[width.place()].first().is_some_and(|page| page.from < oldest)
        })
    }

    /// True where it has more pages of a width than it may ever need.
    #[must_use]
    pub fn is_overfull(&self) -> bool {
        SlotWidth::ALL
            .iter()
            .any(|width| self.pages[width.place()].len() as i64 > width.kept_ms() / width.page_ms() + 1)
    }

    /// True where nothing of it is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pages.iter().all(Vec::is_empty)
    }

    /// Slots of this width with something in them, oldest first.
    pub fn slots(&self, width: SlotWidth) -> impl Iterator<Item = (Timestamp, Slot)> {
        self.pages[width.place()]
            .iter()
            .flat_map(move |page| page.filled().map(move |(at, slot)| (page.from + i64::from(at) * width.ms(), slot)))
    }

    /// Where the oldest page that is kept begins.
    fn oldest(&self, width: SlotWidth) -> Option<Timestamp> {
        self.newest.map(|newest| width.page_from(newest - width.kept_ms()))
    }

    /// The page that begins there, made where it is not there yet.
    fn page(&mut self, width: SlotWidth, from: Timestamp) -> &mut Arc<SlotPage> {
        let pages = &mut self.pages[width.place()];
        // What comes is mostly of the newest page.
        let at = match pages.last() {
            Some(last) if last.from == from => pages.len() - 1,
            _ => match pages.binary_search_by_key(&from, |page| page.from) {
                Ok(at) => at,
                Err(at) => {
                    pages.insert(at, Arc::new(SlotPage::new(from)));
                    at
                }
            },
        };
        &mut pages[at]
    }
}

/// The slot of five minutes that is being filled, by its beginning.
pub type Filling = (Timestamp, Slot);

/// A picture of what was measured at other times.
#[derive(Debug, Clone, Default)]
pub struct PastValues {
    numbers: Arc<BTreeMap<ServiceName, BTreeMap<Arc<str>, u32>>>,
    /// By number; a slot that is being filled is not in its metric's pages yet.
    metrics: Vec<(Arc<PastMetric>, Filling)>,
    /// Metrics past as many as are kept, of which nothing is known.
    pub over_count: u64,
}

impl PastValues {
    /// A picture of these metrics: `numbers` says which place of `metrics` is whose.
    #[must_use]
    pub fn new(
        numbers: Arc<BTreeMap<ServiceName, BTreeMap<Arc<str>, u32>>>,
        metrics: Vec<(Arc<PastMetric>, Filling)>,
        over_count: u64,
    ) -> Self {
        Self { numbers, metrics, over_count }
    }

    /// A picture of whole metrics.
    #[must_use]
    pub fn of(metrics: impl IntoIterator<Item = PastMetric>) -> Self {
        let mut numbers: BTreeMap<ServiceName, BTreeMap<Arc<str>, u32>> = BTreeMap::new();
        let metrics: Vec<_> = metrics.into_iter().map(|metric| (Arc::new(metric), Filling::default())).collect();
        for (number, (metric, _)) in (0..).zip(&metrics) {
            numbers.entry(metric.service.clone()).or_default().insert(Arc::clone(&metric.metric), number);
        }
        Self { numbers: Arc::new(numbers), metrics, over_count: 0 }
    }

    /// A picture of what was kept, in any order.
    #[must_use]
    pub fn of_pages(pages: impl IntoIterator<Item = PastPage>) -> Self {
        let mut metrics: BTreeMap<(ServiceName, Arc<str>), PastMetric> = BTreeMap::new();
        for page in pages {
            let key = (page.service.clone(), Arc::clone(&page.metric));
            metrics.entry(key).or_insert_with(|| page.of()).put(&page);
        }
        Self::of(metrics.into_values())
    }

    /// True where nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// How many metrics are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.numbers.values().map(BTreeMap::len).sum()
    }

    /// What a metric is.
    #[must_use]
    pub fn metric(&self, service: &str, metric: &str) -> Option<&PastMetric> {
        self.at(service, metric).map(|(metric, _)| metric.as_ref())
    }

    /// The metrics of a service, by name.
    pub fn of_service<'a>(&'a self, service: &str) -> impl Iterator<Item = &'a PastMetric> {
        let numbers = self.numbers.get(service).into_iter().flat_map(BTreeMap::values);
        numbers.filter_map(|number| self.metrics.get(*number as usize).map(|(metric, _)| metric.as_ref()))
    }

    /// Slots of an hour, oldest first, each by its beginning; those without a sample are left out.
    pub fn hours(&self, service: &ServiceName, metric: &str) -> impl Iterator<Item = (Timestamp, Slot)> {
        self.slots(service.as_str(), metric, SlotWidth::Hour).into_iter()
    }

    /// Slots of five minutes, oldest first, each by its beginning; those without a sample are left out.
    pub fn minutes(&self, service: &ServiceName, metric: &str) -> impl Iterator<Item = (Timestamp, Slot)> {
        self.slots(service.as_str(), metric, SlotWidth::FiveMinutes).into_iter()
    }

    /// Slots of this width, oldest first, each by its beginning; those without a sample are left out.
    #[must_use]
    pub fn slots(&self, service: &str, metric: &str, width: SlotWidth) -> Vec<(Timestamp, Slot)> {
        let Some((metric, (from, filling))) = self.at(service, metric) else { return Vec::new() };
        let mut slots: Vec<_> = metric.slots(width).collect();
        if filling.count > 0 {
            let from = width.slot_from(*from);
            match slots.binary_search_by_key(&from, |(at, _)| *at) {
                Ok(at) => slots[at].1 = slots[at].1.join(*filling),
                Err(at) => slots.insert(at, (from, *filling)),
            }
        }
        slots
    }

    fn at(&self, service: &str, metric: &str) -> Option<&(Arc<PastMetric>, Filling)> {
        let number = self.numbers.get(service)?.get(metric)?;
        self.metrics.get(*number as usize)
    }
}
