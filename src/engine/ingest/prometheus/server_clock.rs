//! How far the server's clock is from ours, and what is done about it: windows are asked by its clock, stamps are brought to ours. Pure.

use super::windows::align_down;
use crate::engine::clock::Timestamp;

/// Differences up to this are no difference: the server tells its time in whole seconds, and an answer takes a while.
const TOLERATED_MS: i64 = 2_500;
/// A difference past this is told to the operator.
pub const SHOWN_MS_MIN: i64 = 120_000;

/// The server's clock as seen from here.
#[derive(Debug, Clone, Copy, Default)]
pub struct ServerClock {
    offset_ms: i64,
    last_skew_ms: Option<i64>,
}

impl ServerClock {
    /// Takes in what an answer told. The offset in use stays until it is clearly wrong, so that stamps do not waver.
    pub fn observe(&mut self, skew_ms: Option<i64>) {
        let Some(skew_ms) = skew_ms else { return };
        self.last_skew_ms = Some(skew_ms);
        if skew_ms.saturating_sub(self.offset_ms).saturating_abs() > TOLERATED_MS {
            let is_small = skew_ms.saturating_abs() <= TOLERATED_MS;
            self.offset_ms = if is_small { 0 } else { align_down(Timestamp(skew_ms), 1_000).0 };
        }
    }

    /// Theirs minus ours, as applied.
    #[must_use]
    pub fn offset_ms(&self) -> i64 {
        self.offset_ms
    }

    /// Theirs minus ours, as last seen.
    #[must_use]
    pub fn skew_ms(&self) -> Option<i64> {
        self.last_skew_ms
    }

    /// Our instant by their clock.
    #[must_use]
    pub fn theirs(&self, ours: Timestamp) -> Timestamp {
        ours + self.offset_ms
    }

    /// Their instant by our clock.
    #[must_use]
    pub fn ours(&self, theirs: Timestamp) -> Timestamp {
        theirs - self.offset_ms
    }

    /// What to tell the operator, where the difference is large.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let skew_ms = self.last_skew_ms.filter(|skew_ms| skew_ms.saturating_abs() >= SHOWN_MS_MIN)?;
        let way = if skew_ms > 0 { "ahead of" } else { "behind" };
        let seconds = skew_ms.saturating_abs() / 1_000;
        Some(format!(
            "its clock is {seconds} s {way} ours: synchronise both with NTP; until then its stamps are corrected by that"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_differences_are_none_and_large_ones_are_applied_and_told() {
        let mut clock = ServerClock::default();
        for (skew_ms, offset_ms, is_told) in [
            (1_900, 0, false),
            (-2_400, 0, false),
            (3_600_400, 3_600_000, true),
            (3_601_900, 3_600_000, true),
            (-7_200_000, -7_200_000, true),
            (300, 0, false),
            (-30_500, -31_000, false),
        ] {
            clock.observe(Some(skew_ms));
            assert_eq!((clock.offset_ms(), clock.warning().is_some()), (offset_ms, is_told), "{skew_ms}");
        }
        clock.observe(None);
        assert_eq!(clock.skew_ms(), Some(-30_500));
        assert_eq!(clock.ours(clock.theirs(Timestamp(5))), Timestamp(5));
    }
}
