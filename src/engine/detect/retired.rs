//! Series that have fallen silent for good: pods come and go, and memory must not grow with each of them.
//!
//! What was learnt of them is forgotten, in memory and in the store. Their names are remembered for a while, since a
//! source tells a series once; one that returns begins as a new series.

use rustc_hash::FxHashMap;

use super::live::Live;
use super::registry::Meta;
use super::scorer::SeriesScorer;
use super::tracking::AnomalyEvent;
use super::{Detection, Timestamp};
use crate::engine::clock::HOUR_MS;
use crate::engine::limits::{RETIRED_SERIES_MAX, SERIES_RETIRED_ALONE_MS, SERIES_RETIRED_MS};
use crate::engine::model::Fingerprint;

/// Samples of a source must have flowed for this long before any of its series is missed for good.
const FLOWING_MS: i64 = HOUR_MS;

/// The names of retired series by origin, in two generations: when the younger is full, the older one is forgotten.
#[derive(Debug, Clone, Default)]
pub struct RetiredSeries {
    younger: FxHashMap<(u32, u32), Meta>,
    older: FxHashMap<(u32, u32), Meta>,
}

impl RetiredSeries {
    /// Remembers a series' name.
    pub fn remember(&mut self, meta: Meta) {
        if self.younger.len() >= RETIRED_SERIES_MAX / 2 {
            self.older = std::mem::take(&mut self.younger);
        }
        self.younger.insert(meta.origin(), meta);
    }

    /// The series told from there, which is then no longer retired.
    pub fn recall(&mut self, origin: (u32, u32)) -> Option<Meta> {
        let older = self.older.remove(&origin);
        self.younger.remove(&origin).or(older)
    }
}

impl Detection {
    /// True where a series has been silent for so long, while its source went on, that it will not come back.
    pub(super) fn is_silent_for_good(&self, index: u32) -> bool {
        let at = index as usize;
        let (Some(live), Some(meta)) = (self.lives.get(at), self.registry.metas.get(at)) else {
            return false;
        };
        let Some(source) = self.registry.sources.get(meta.source_at as usize) else {
            return false;
        };
        let silent_ms = source.newest_at.saturating_sub(live.last_at.max(self.absences.arrived_at(index)));
        silent_ms > SERIES_RETIRED_MS
            && source.newest_at.saturating_sub(source.flowing_since) >= FLOWING_MS
            && !self.absences.is_absent(index)
            && (silent_ms > SERIES_RETIRED_ALONE_MS || self.has_fresh_peer(index))
    }

    /// Forgets these series; what was still said of them is over.
    pub(super) fn retire(&mut self, indices: &[u32], events: &mut Vec<AnomalyEvent>) {
        for index in indices {
            self.retire_one(*index, events);
        }
        if !indices.is_empty() {
            self.forecasts.tidy();
            self.registry.sweep_names();
        }
    }

    fn retire_one(&mut self, index: u32, events: &mut Vec<AnomalyEvent>) {
        let at = index as usize;
        let (Some(live), Some(scorer), Some(mark)) =
            (self.lives.get_mut(at), self.scorers.get_mut(at), self.is_unkept.get_mut(at))
        else {
            return;
        };
        let last_at = Timestamp(live.last_at);
        self.hours_total = self.hours_total.saturating_sub(u64::from(live.hours_seen));
        self.cold_count = self.cold_count.saturating_sub(u64::from(live.hours_seen < self.warm_hours));
        (*live, *scorer, *mark) = (Live::default(), SeriesScorer::new(), false);
        self.departures.close(index);
        self.pending.remove(&index);
        self.loans.end(index);
        self.tracks.end(index, last_at, events);
        self.tracks.forget(index);
        self.end_forecast(index, last_at, events);
        self.forecasts.forget(index);
        self.promises.forget(index);
        self.absences.forget(index);
        self.calendar.forget(index);
        if let Some(meta) = self.registry.metas.get(at).filter(|meta| !meta.is_vacant()) {
            self.past.leave(meta.past_at);
        }
        self.gone.extend(self.registry.retire(index));
        self.retired_count += 1;
    }

    /// Takes back a retired series whose samples come again without a notice.
    #[cold]
    pub(super) fn revive(&mut self, source_at: u32, local: u32) -> Option<u32> {
        let index = self.registry.revive(source_at, local)?;
        self.open(index);
        Some(index)
    }

    /// Drops what was kept of series that had been silent for good when the program ended; called at the first tick.
    pub(super) fn drop_stale_states(&mut self) {
        let newest = self.restored.values().map(|state| state.live.last_at).max().unwrap_or(i64::MIN);
        let oldest = newest.saturating_sub(SERIES_RETIRED_ALONE_MS);
        let mut gone = Vec::new();
        self.restored.retain(|fingerprint, state| {
            let is_stale = state.live.last_at < oldest;
            gone.extend(is_stale.then_some(*fingerprint));
            !is_stale
        });
        // A hash map's order decides nothing.
        gone.sort_unstable();
        self.gone.append(&mut gone);
    }

    /// Series of which nothing is to be kept any longer, since this was last asked. What comes of them after is new.
    pub fn series_gone(&mut self) -> Vec<Fingerprint> {
        std::mem::take(&mut self.gone)
    }
}
