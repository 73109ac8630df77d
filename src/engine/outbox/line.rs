//! The way to one destination: when it is tried again, and why it failed last.

use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg32;

use crate::engine::clock::Timestamp;
use crate::engine::limits::{DELIVERY_PAUSE_MS_MAX, DELIVERY_PAUSE_MS_MIN};
use crate::engine::model::series::Fnv1a;

/// Jitter goes this many per cent down and up.
const JITTER_PERCENT: i64 = 20;
/// Doublings after which the longest pause is reached in any case.
const DOUBLINGS_MAX: u32 = 20;

/// How a destination does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Line {
    /// Nothing is tried before.
    pub resume_at: Timestamp,
    /// Why the last try failed; `None` once one arrives.
    pub last_problem: Option<Arc<str>>,
    failure_count: u32,
}

impl Line {
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Pauses twice as long as the last time, and as long as the other side asks for, off by up to 20 % so that many
    /// consoles do not come back in step. The same delivery failing as often gives the same pause.
    pub(super) fn failed(&mut self, key: &str, reason: &Arc<str>, asked_ms: i64, now: Timestamp) {
        let plain =
            DELIVERY_PAUSE_MS_MIN.saturating_mul(1 << self.failure_count.min(DOUBLINGS_MAX)).min(DELIVERY_PAUSE_MS_MAX);
        self.failure_count += 1;
        let mut seed = Fnv1a::new();
        seed.part(key);
        let mut random = Pcg32::seed_from_u64(seed.0 ^ u64::from(self.failure_count));
        let jitter = plain * JITTER_PERCENT / 100;
        let pause = random.random_range(plain - jitter..=plain + jitter).max(asked_ms);
        self.resume_at = now + pause;
        self.last_problem = Some(Arc::clone(reason));
    }
}
