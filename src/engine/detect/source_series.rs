//! What is kept of a source: which of its numbers is which series, and how its samples flow.

use super::registry::UNBOUND;

/// A pause of a source's samples shorter than this is no break in its flow.
const FLOW_BREAK_MS: i64 = 90_000;

/// What is kept of a source.
#[derive(Debug, Clone)]
pub struct SourceSeries {
    /// Dense index by local number.
    locals: Vec<u32>,
    /// How many series it has.
    pub(super) series_count: usize,
    /// Newest sample that was not history, in milliseconds since the epoch: the source's own clock.
    pub newest_at: i64,
    /// When its samples began to flow again after a pause.
    pub flowing_since: i64,
    /// Usual time between two moves of its clock, in milliseconds; 0 until known.
    gap_ms: i64,
}

impl SourceSeries {
    /// Of a source of which nothing has come.
    pub(super) fn new() -> Self {
        Self { locals: Vec::new(), series_count: 0, newest_at: i64::MIN, flowing_since: i64::MIN, gap_ms: 0 }
    }

    /// Moves the source's clock on; a pause far longer than usual is a break in its flow.
    pub fn note_flow(&mut self, newest: i64) {
        let gap = newest.saturating_sub(self.newest_at);
        if self.newest_at == i64::MIN {
            self.flowing_since = newest;
        } else if gap > FLOW_BREAK_MS && gap > 3 * self.gap_ms {
            self.flowing_since = newest;
            if self.gap_ms == 0 {
                self.gap_ms = gap;
            }
        } else {
            // Batches of one poll follow closely on each other, so a short gap says little.
            self.gap_ms = gap.max(self.gap_ms - self.gap_ms / 16);
        }
        self.newest_at = self.newest_at.max(newest);
    }

    /// Gives a series a number.
    pub(super) fn bind(&mut self, local: u32, index: u32) {
        let local = local as usize;
        if self.locals.len() <= local {
            self.locals.resize(local + 1, UNBOUND);
        }
        self.locals[local] = index;
    }

    /// Takes a number from a series, unless another one has it by now.
    pub(super) fn unbind(&mut self, local: u32, index: u32) {
        if let Some(bound) = self.locals.get_mut(local as usize).filter(|bound| **bound == index) {
            *bound = UNBOUND;
        }
    }

    /// The dense index behind a local number.
    #[inline]
    #[must_use]
    pub fn index(&self, local: u32) -> Option<u32> {
        self.locals.get(local as usize).copied().filter(|at| *at != UNBOUND)
    }
}
