//! What a rule says of one value: how far it is from expected, in sigmas, and the band it was held against.

use crate::engine::model::{Band, DetectionMethod, Direction};

/// Distances are shown up to this many sigmas; beyond it they say nothing more.
pub const SIGMAS_MAX: f64 = 100.0;

/// A rule's answer. Normal, anomalous and critical follow from `z` by the same two thresholds for every rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// Signed distance from the expected value, in sigmas or what corresponds to them.
    pub z: f64,
    /// What would have been normal.
    pub band: Band,
    /// By which rule.
    pub method: DetectionMethod,
}

impl Verdict {
    /// Which side of the expected value.
    #[must_use]
    pub fn direction(&self) -> Direction {
        if self.z >= 0.0 { Direction::Above } else { Direction::Below }
    }

    /// Distance without its sign, capped for display.
    #[must_use]
    pub fn distance(&self) -> f64 {
        self.z.abs().min(SIGMAS_MAX)
    }
}
