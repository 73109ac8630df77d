//! How rare a sum of rarities is that depend on one another.
//!
//! The sum of `k` independent surprises has a gamma distribution of shape `k` (Fisher 1932); of surprises that depend on
//! each other the shape is smaller (Brown 1975), down to that of a single one. The shape is read off what the sum usually
//! is: its median and its ninth decile, which no incident moves. The Wilson-Hilferty cube root (1931) makes of both, and
//! of the tail, Gaussian figures.

use serde::{Deserialize, Serialize};

use super::tail::Tail;

/// Where the second quantile lies, and the Gaussian deviate there.
const HIGH: f64 = 0.9;
const HIGH_DEVIATE: f64 = 1.2816;
/// Sums before anything is said.
const YOUNG: f32 = 300.0;
/// Bounds of the inverse root of the shape: from a hundred independent surprises to a quarter of one.
const ROOT_MIN: f64 = 0.1;
const ROOT_MAX: f64 = 2.0;
/// Half the logarithm of two pi.
const HALF_LN_TAU: f64 = 0.918_938_5;

/// What the sum usually is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rarity {
    sums: Tail,
}

impl Rarity {
    /// Nothing seen yet; what was seen loses half its weight every `memory` rows.
    #[must_use]
    pub fn new(memory: f32) -> Self {
        Self { sums: Tail::new(memory) }
    }

    /// `-ln` of the probability of a sum of at least `sum`, 0 while young; then it is learned.
    pub fn observe(&mut self, sum: f64) -> f64 {
        let rarity = if self.sums.total() >= YOUNG { self.of(sum) } else { 0.0 };
        self.sums.learn(sum);
        rarity
    }

    fn of(&self, sum: f64) -> f64 {
        let (middle, high) = (self.sums.quantile(0.5), self.sums.quantile(HIGH));
        if middle <= 0.0 {
            return 0.0;
        }
        // (high / middle)^(1/3) = 1 + d s / 3 / (1 - s^2 / 9), with s = 1 / sqrt(shape): a quadratic in s.
        let rise = (high / middle).cbrt() - 1.0;
        let d = HIGH_DEVIATE / 3.0;
        let root = if rise > 1e-3 { ((d * d + 4.0 * rise * rise / 9.0).sqrt() - d) / (2.0 * rise / 9.0) } else { 0.0 };
        let root = root.clamp(ROOT_MIN, ROOT_MAX);
        let flat = 1.0 - root * root / 9.0;
        let mean = middle / flat.powi(3);
        upper_tail(3.0 / root * ((sum / mean).cbrt() - flat))
    }
}

/// `-ln` of the probability that a Gaussian is above `deviate`, 0 where that is as good as even. The ratio of tail to
/// density is taken from its upper bound by Birnbaum and Sampford, right to a percent from one sigma on.
fn upper_tail(deviate: f64) -> f64 {
    if deviate <= 0.0 {
        return 0.0;
    }
    let mills = 4.0 / (3.0 * deviate + (deviate * deviate + 8.0).sqrt());
    (0.5 * deviate * deviate + HALF_LN_TAU - mills.ln()).max(0.0)
}
