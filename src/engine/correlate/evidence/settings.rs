//! What the casebook goes by: how far it looks back, how often it steps, what a case must be worth.

use super::case::LINGERS_MS;

/// What can be set; the defaults are what everything is measured with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How far back a judgement may still be changed.
    pub(crate) window_ms: i64,
    /// How old a word must be before it counts as background.
    pub(crate) age_ms: i64,
    /// Stream time between two steps.
    pub(crate) step_ms: i64,
    /// Words between two steps at most.
    pub(crate) step_words: usize,
    /// How far back a new case may begin.
    pub(crate) found_ms: i64,
    /// Without a word for this long a case is over.
    pub(crate) over_ms: i64,
    /// What a case must save, in nats, to be worth telling.
    pub(crate) cost: f64,
    /// What one without a place must save beyond that.
    pub(crate) burst_cost: f64,
    /// What a recent change at the root is worth.
    pub(crate) change_bonus: f64,
    /// What one must save beyond that whose root shows nothing that broke there.
    pub(crate) unseen_cost: f64,
    /// How readily what no root explains is taken for a part of what is going on.
    pub(crate) anyhow: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            window_ms: 1_800_000,
            age_ms: 200_000,
            step_ms: 120_000,
            step_words: 256,
            found_ms: 400_000,
            over_ms: LINGERS_MS + 1_200_000,
            cost: 10.0,
            burst_cost: 4.0,
            change_bonus: 3.0,
            unseen_cost: 16.0,
            anyhow: 0.5,
        }
    }
}
