//! How unusual the movement of one metric is: its change from a row to the next, over a few rows, and since yesterday.

use serde::{Deserialize, Serialize};

use super::quantity::{Quantity, SIGMAS_PER_MEAN};
use super::spread::Spread;

/// Rows a slow change is measured over.
const SLOW_ROWS: usize = 6;
/// Rows each kind of change is held over: what lasts counts for more than a flicker.
const FAST_HELD: u8 = 4;
const SLOW_HELD: u8 = 8;
const DAY_HELD: u8 = 4;
/// Times of the day that are told apart, a quarter of an hour each.
pub const QUARTERS: usize = 96;
/// How much of what was seen today is expected tomorrow.
const DAY_RATE: f32 = 0.5;
/// Share of the step in which a metric is told below which a size means nothing.
const STEP_SHARE: f64 = 0.1;
/// The same as a share of its level, for metrics told in full.
const LEVEL_SHARE: f64 = 1e-6;
/// Rows over which a metric's level is forgotten.
const LEVEL_MEMORY: u32 = 4_000;
/// A metric further from its level than this many sigmas says no more about the others.
const SIGMAS_MAX: f64 = 100.0;

/// Values beyond this are taken as this: the square of a sum of them is still a number.
const VALUE_MAX: f64 = 1e30;

/// What a row says of one metric.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Moved {
    /// Surprise at its change since the row before.
    pub fast: f64,
    /// Surprise at its change over [`SLOW_ROWS`] rows.
    pub slow: f64,
    /// Surprise at its difference from the same time of the days before.
    pub day: f64,
    /// Its distance from its level in sigmas, no more than [`SIGMAS_MAX`].
    pub sigmas: f64,
    /// The least distance that means anything, in the same unit.
    pub floor: f64,
    /// One sigma, in the unit of the metric.
    pub scale: f64,
}

/// One metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Movement {
    /// The last values, the newest at `newest`.
    recent: [f64; SLOW_ROWS],
    newest: usize,
    is_known: bool,
    fast: Quantity,
    slow: Quantity,
    day: Quantity,
    /// What to expect at each time of the day; not a number where nothing was seen.
    profile: Vec<f32>,
    level: f64,
    level_rows: u32,
    distance: Spread,
    /// The smallest change seen: the step in which the metric is told.
    step: f64,
}

impl Default for Movement {
    fn default() -> Self {
        Self {
            recent: [0.0; SLOW_ROWS],
            newest: 0,
            is_known: false,
            fast: Quantity::new(FAST_HELD),
            slow: Quantity::new(SLOW_HELD),
            day: Quantity::new(DAY_HELD),
            profile: vec![f32::NAN; QUARTERS],
            level: 0.0,
            level_rows: 0,
            distance: Spread::default(),
            step: f64::INFINITY,
        }
    }
}

impl Movement {
    /// False where it was read from what no movement writes.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.profile.len() == QUARTERS && [&self.fast, &self.slow, &self.day].into_iter().all(Quantity::is_sound)
    }

    /// Takes in a value that is a number, at a quarter of an hour of the day.
    pub fn observe(&mut self, value: f64, quarter: usize) -> Moved {
        let value = value.clamp(-VALUE_MAX, VALUE_MAX);
        if !self.is_known {
            self.is_known = true;
            self.recent = [value; SLOW_ROWS];
            self.level = value;
        }
        let before = self.recent.get(self.newest).copied().unwrap_or(value);
        let oldest = (self.newest + 1) % SLOW_ROWS;
        let long_before = self.recent.get(oldest).copied().unwrap_or(value);
        if value != before {
            self.step = self.step.min((value - before).abs());
        }
        let floor = self.floor(value);
        let since_yesterday = self.against_profile(value, quarter);
        let scale = (self.distance.get() * SIGMAS_PER_MEAN).max(floor);
        let from_level = value - self.level;
        let moved = Moved {
            fast: self.fast.observe(value - before, floor).surprise,
            slow: self.slow.observe(value - long_before, floor).surprise,
            day: self.day.observe(since_yesterday, floor).surprise,
            sigmas: if scale > 0.0 { (from_level / scale).clamp(-SIGMAS_MAX, SIGMAS_MAX) } else { 0.0 },
            floor: if scale > 0.0 { floor / scale } else { 1.0 },
            scale,
        };
        self.learn_level(value, from_level);
        self.newest = oldest;
        if let Some(place) = self.recent.get_mut(oldest) {
            *place = value;
        }
        moved
    }

    fn floor(&self, value: f64) -> f64 {
        let step = if self.step.is_finite() { STEP_SHARE * self.step } else { 0.0 };
        step.max(LEVEL_SHARE * value.abs())
    }

    /// The difference from what the days before had at this time; today is learned.
    fn against_profile(&mut self, value: f64, quarter: usize) -> f64 {
        let Some(expected) = self.profile.get_mut(quarter % QUARTERS) else {
            return 0.0;
        };
        let difference = if expected.is_nan() { 0.0 } else { value - f64::from(*expected) };
        // Bounded far below the range of the type.
        let seen = value as f32;
        *expected = if expected.is_nan() { seen } else { *expected + DAY_RATE * (seen - *expected) };
        difference
    }

    fn learn_level(&mut self, value: f64, from_level: f64) {
        self.level_rows = (self.level_rows + 1).min(LEVEL_MEMORY);
        let rate = 1.0 / f64::from(self.level_rows);
        self.level += rate * (value - self.level);
        self.distance.learn(from_level, LEVEL_MEMORY);
    }
}
