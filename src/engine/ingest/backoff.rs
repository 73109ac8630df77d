//! Growing pauses between tries, with jitter so that many sources do not come back in step. Pure: seeded, no clock.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg32;

use crate::engine::model::series::Fnv1a;

/// The first pause.
pub const PAUSE_MS_MIN: u64 = 1_000;
/// The longest pause, before jitter.
pub const PAUSE_MS_MAX: u64 = 60_000;
/// A server's own `Retry-After` is obeyed up to this.
pub const RETRY_AFTER_MS_MAX: u64 = 600_000;
/// Jitter goes this many per cent down and up.
const JITTER_PERCENT: u64 = 20;

/// Pauses of 1 s, 2 s, 4 s … 60 s, each off by up to 20 %.
#[derive(Debug, Clone)]
pub struct Backoff {
    failed_count: u32,
    random: Pcg32,
    ms_min: u64,
    ms_max: u64,
}

impl Backoff {
    /// No failure yet; the same seed gives the same pauses.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { failed_count: 0, random: Pcg32::seed_from_u64(seed), ms_min: PAUSE_MS_MIN, ms_max: PAUSE_MS_MAX }
    }

    /// The same, from `ms_min` up to `ms_max`, before jitter.
    #[must_use]
    pub fn between(self, ms_min: u64, ms_max: u64) -> Self {
        Self { ms_min: ms_min.max(1), ms_max: ms_max.max(ms_min).max(1), ..self }
    }

    /// No failure yet; seeded by a name, so that two sources differ and a source repeats itself.
    #[must_use]
    pub fn for_name(name: &str) -> Self {
        let mut hash = Fnv1a::new();
        hash.part(name);
        Self::new(hash.0)
    }

    /// Another try failed: how long to wait before the next one.
    pub fn next_ms(&mut self) -> u64 {
        let plain = self.ms_min.saturating_mul(1 << self.failed_count).min(self.ms_max);
        // Counting on would overflow the shift; by then every longest pause is passed.
        self.failed_count = (self.failed_count + 1).min(32);
        let jitter = plain * JITTER_PERCENT / 100;
        self.random.random_range(plain - jitter..=plain + jitter)
    }

    /// The same, and at least as long as the server itself asked for.
    pub fn next_ms_after(&mut self, retry_after_ms: Option<u64>) -> u64 {
        self.next_ms().max(retry_after_ms.unwrap_or(0).min(RETRY_AFTER_MS_MAX))
    }

    /// A try succeeded: the next failure begins at the first pause again.
    pub fn reset(&mut self) {
        self.failed_count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_begin_again_after_success() {
        let mut backoff = Backoff::for_name("prom-us");
        for plain in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
            let pause = backoff.next_ms();
            assert!((plain * 8 / 10..=plain * 12 / 10).contains(&pause), "{plain}: {pause}");
        }
        for _ in 0..200 {
            assert!(backoff.next_ms() <= PAUSE_MS_MAX * 12 / 10);
        }
        backoff.reset();
        assert!(backoff.next_ms() <= 1_200);
    }

    #[test]
    fn sources_do_not_come_back_in_step_and_a_seed_repeats_itself() {
        let pauses = |name: &str| {
            let mut backoff = Backoff::for_name(name);
            (0..8).map(|_| backoff.next_ms()).collect::<Vec<_>>()
        };
        assert_eq!(pauses("a"), pauses("a"));
        assert_ne!(pauses("a"), pauses("b"));
    }

    #[test]
    fn a_server_that_asks_for_more_time_gets_it_within_reason() {
        assert_eq!(Backoff::new(1).next_ms_after(Some(30_000)), 30_000);
        assert_eq!(Backoff::new(1).next_ms_after(Some(u64::MAX)), RETRY_AFTER_MS_MAX);
    }
}
