//! The usual size of a quantity: a mean of absolute values that forgets and that no outlier moves by much.

use serde::{Deserialize, Serialize};

/// A size counts as if it were at most this many times the usual one.
const TIMES_MAX: f64 = 4.0;
/// Sizes after which outliers are told from the rest.
const YOUNG: u32 = 30;

/// The usual size of one quantity.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Spread {
    mean: f64,
    count: u32,
}

impl Spread {
    /// The mean absolute value.
    #[must_use]
    pub fn get(&self) -> f64 {
        self.mean
    }

    /// Counts a size; `memory` is over how many it forgets.
    pub fn learn(&mut self, size: f64, memory: u32) {
        self.count = (self.count + 1).min(memory);
        let size =
            if self.count > YOUNG && self.mean > 0.0 { size.abs().min(TIMES_MAX * self.mean) } else { size.abs() };
        self.mean += (size - self.mean) / f64::from(self.count);
    }
}
