//! How often metrics are read: as the settings say, or more often for a while because something is being changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::engine::clock::Timestamp;

/// Shared by the sources and by whoever wants to look more closely.
#[derive(Debug, Clone, Default)]
pub struct Pace(Arc<Closer>);

#[derive(Debug, Default)]
struct Closer {
    until: AtomicI64,
    every_ms: AtomicI64,
}

impl Pace {
    /// Metrics are read every so many milliseconds until then, where the settings do not read them more often. The last word
    /// counts for how often; of two times the later one.
    pub fn watch_closely(&self, until: Timestamp, every_ms: i64) {
        self.0.every_ms.store(every_ms.max(1), Ordering::Relaxed);
        self.0.until.fetch_max(until.0, Ordering::Release);
    }

    /// Milliseconds between two readings now, where the settings say `usual`.
    #[must_use]
    pub fn every_ms(&self, usual: i64, now: Timestamp) -> i64 {
        if now.0 < self.0.until.load(Ordering::Acquire) {
            usual.min(self.0.every_ms.load(Ordering::Relaxed))
        } else {
            usual
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closer_look_ends_and_never_slows_anything_down() {
        let pace = Pace::default();
        assert_eq!(pace.every_ms(60_000, Timestamp(5)), 60_000);
        let other = pace.clone();
        other.watch_closely(Timestamp(100), 10_000);
        assert_eq!((pace.every_ms(60_000, Timestamp(99)), pace.every_ms(5_000, Timestamp(99))), (10_000, 5_000));
        other.watch_closely(Timestamp(50), 10_000);
        assert_eq!((pace.every_ms(60_000, Timestamp(99)), pace.every_ms(60_000, Timestamp(100))), (10_000, 60_000));
    }
}
