//! Slots in a row, as many as are kept and written together.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{PastMetric, Slot, SlotWidth};
use crate::engine::clock::Timestamp;
use crate::engine::model::ids::{Fingerprint, ServiceName};
use crate::engine::model::series::{BadWhen, Fnv1a, SeriesRole, Unit};

/// Slots of a page: two hours of five-minute slots, a day of hourly ones.
pub const SLOTS_A_PAGE: usize = 24;

/// Slots in a row.
#[derive(Debug, Clone, PartialEq)]
pub struct SlotPage {
    /// Where the first of them begins.
    pub from: Timestamp,
    slots: [Slot; SLOTS_A_PAGE],
}

impl SlotPage {
    /// A page without samples.
    #[must_use]
    pub fn new(from: Timestamp) -> Self {
        Self { from, slots: [Slot::default(); SLOTS_A_PAGE] }
    }

    /// Adds to a slot.
    pub fn join(&mut self, at: u8, more: Slot) {
        if let Some(slot) = self.slots.get_mut(usize::from(at)) {
            *slot = slot.join(more);
        }
    }

    /// Replaces a slot.
    pub fn put(&mut self, at: u8, slot: Slot) {
        if let Some(place) = self.slots.get_mut(usize::from(at)) {
            *place = slot;
        }
    }

    /// Slots with samples in them, each with its place.
    pub fn filled(&self) -> impl Iterator<Item = (u8, Slot)> {
        (0..).zip(self.slots).filter(|(_, slot)| slot.count > 0)
    }

    /// True without samples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.iter().all(|slot| slot.count == 0)
    }
}

impl Serialize for SlotPage {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.from, self.filled().collect::<Vec<_>>()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SlotPage {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let (from, filled) = <(Timestamp, Vec<(u8, Slot)>)>::deserialize(deserializer)?;
        let mut page = Self::new(from);
        for (at, slot) in filled {
            if usize::from(at) >= SLOTS_A_PAGE || !slot.is_sound() {
                return Err(D::Error::custom("its slots make no sense"));
            }
            page.put(at, slot);
        }
        Ok(page)
    }
}

/// A page as it is kept between two starts. One without samples says that nothing is to be kept there any longer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PastPage {
    /// Whose metric it is of.
    pub service: ServiceName,
    /// What is measured.
    pub metric: Arc<str>,
    /// What the values measure.
    pub unit: Unit,
    /// Which golden signal.
    pub role: SeriesRole,
    /// Which direction is bad news.
    pub bad_when: BadWhen,
    /// How long its slots are.
    pub width: SlotWidth,
    /// Live samples of the metric up to then are counted in what is kept of it: those that are told again must not be
    /// counted twice.
    pub counted_until: Timestamp,
    /// The slots.
    pub slots: SlotPage,
}

impl PastPage {
    /// Identity of the metric across restarts.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hash = Fnv1a::new();
        hash.part(self.service.as_str());
        hash.part(&self.metric);
        Fingerprint(hash.0)
    }

    /// The metric that it is of, of which nothing is known yet.
    #[must_use]
    pub fn of(&self) -> PastMetric {
        PastMetric::new(self.service.clone(), Arc::clone(&self.metric), self.unit, self.role, self.bad_when)
    }
}
