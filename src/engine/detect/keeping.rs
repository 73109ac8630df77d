//! What of the series is to be kept, when it has changed.

use super::{Detection, SeriesState};

impl Detection {
    /// States changed since they were last asked for, oldest change first, at most `max` of them.
    pub fn series_to_keep(&mut self, max: usize) -> Vec<SeriesState> {
        let count = max.min(self.unkept.len());
        let indices: Vec<u32> = self.unkept.drain(..count).collect();
        indices
            .into_iter()
            .filter_map(|index| {
                let at = index as usize;
                if !std::mem::take(self.is_unkept.get_mut(at)?) {
                    return None;
                }
                Some(SeriesState {
                    fingerprint: self.registry.metas.get(at)?.fingerprint,
                    live: *self.lives.get(at)?,
                    scorer: Box::new(self.scorers.get(at)?.clone()),
                    trend: self.forecasts.trend(index).cloned(),
                    progress: self.tracks.progress(index),
                    pending: self.pending.get(&index).copied(),
                    departure: self.departures.get(index).cloned(),
                    borrowed: self.loans.get(index).copied(),
                })
            })
            .collect()
    }

    /// Marks every series as changed, so that `series_to_keep` gives all of them: for a clean stop.
    pub fn keep_everything(&mut self) {
        self.keep_all_relations();
        for index in 0..self.lives.len() {
            if self.registry.metas.get(index).is_some_and(|meta| !meta.is_vacant()) {
                // As many series as dense indices, which are 32 bits wide.
                self.mark_unkept(index as u32);
            }
        }
    }

    pub(super) fn mark_unkept(&mut self, index: u32) {
        if let Some(mark) = self.is_unkept.get_mut(index as usize)
            && !*mark
        {
            *mark = true;
            self.unkept.push_back(index);
        }
    }
}
