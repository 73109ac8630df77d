//! One quantity held against its own past: smoothed over a few rows, in units of its usual size, as rare as it is.

use serde::{Deserialize, Serialize};

use super::spread::Spread;
use super::tail::Tail;

/// Rows a quantity can be held over, at most.
const HELD_MAX: usize = 8;
/// Rows over which the usual size is forgotten.
const SPREAD_MEMORY: u32 = 4_000;
/// Rows over which the sizes themselves are: an event a month is remembered where rows are five minutes apart.
pub const TAIL_MEMORY: f32 = 20_000.0;
/// Sizes that must have been seen before one of them is called rare.
const YOUNG: f32 = 50.0;
/// The standard deviation of a Gaussian in mean absolute values: the square root of half of pi.
pub const SIGMAS_PER_MEAN: f64 = 1.2533;

/// What a size is worth.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Rare {
    /// `-ln` of how often it is as large.
    pub surprise: f64,
    /// How many times the usual size it is.
    pub times: f64,
}

/// A quantity and its past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quantity {
    spread: Spread,
    tail: Tail,
    recent: [f32; HELD_MAX],
    next: u8,
    held: u8,
}

impl Quantity {
    /// A quantity smoothed over `held` rows, at most [`HELD_MAX`].
    #[must_use]
    pub fn new(held: u8) -> Self {
        let held = held.clamp(1, HELD_MAX as u8);
        Self { spread: Spread::default(), tail: Tail::new(TAIL_MEMORY), recent: [0.0; HELD_MAX], next: 0, held }
    }

    /// False where it was read from what no quantity writes.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        (1..=HELD_MAX as u8).contains(&self.held) && self.next < self.held
    }

    /// The usual size.
    #[must_use]
    pub fn usual(&self) -> f64 {
        self.spread.get()
    }

    /// How rare `value` is; then it is learned. Sizes under `floor` are noise of how the metric is told.
    pub fn observe(&mut self, value: f64, floor: f64) -> Rare {
        let held = usize::from(self.held);
        if let Some(place) = self.recent.get_mut(usize::from(self.next)) {
            // What does not fit is as large as can be.
            *place = value.abs().min(f64::from(f32::MAX)) as f32;
        }
        self.next = (self.next + 1) % self.held;
        let size = self.recent.iter().take(held).map(|value| f64::from(*value)).sum::<f64>() / held as f64;
        let scale = (self.spread.get() * SIGMAS_PER_MEAN).max(floor);
        let sigmas = if scale > 0.0 { size / scale } else { 0.0 };
        let is_grown = self.tail.total() >= YOUNG;
        let rare = if is_grown {
            Rare { surprise: self.tail.surprise(sigmas), times: sigmas * SIGMAS_PER_MEAN }
        } else {
            Rare::default()
        };
        self.tail.learn(sigmas);
        self.spread.learn(size, SPREAD_MEMORY);
        rare
    }
}
