//! The range that is normal around what is usual, and how far outside a value is.
//!
//! Ordinary series by a z-score. Skewed ones by fences around the quartiles of their distances (Tukey 1977); a fence's
//! width is expressed in the sigmas at which it would stand for a normal distribution, so that both share thresholds.

use super::departure::Gauge;
use super::live::{Live, SIGMA};
use super::scale::Scale;
use crate::engine::model::Band;

/// Upper quartile of the standard normal distribution, and the distance between its quartiles.
const NORMAL_QUARTILE: f64 = 0.6745;
const NORMAL_IQR: f64 = 2.0 * NORMAL_QUARTILE;

/// A jump is no crumb, since it is away from what is usual as well: its sigma may be finer than the smallest one there.
const JUMP_FLOOR_SHARE: f64 = 0.5;

/// What is normal for a series now, on its scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    centre: f64,
    sigma: f64,
    /// Quartiles in sigmas, of skewed series.
    quartiles: Option<(f64, f64)>,
}

impl Range {
    /// Around what was usual of a series at its last sample; `more` widens its sigma.
    #[must_use]
    pub fn of(live: &Live, scale: &Scale, more: f64) -> Self {
        let centre = scale.apply(live.usual);
        let sigma = f64::from(SIGMA * live.spread).max(scale.floor(centre)).hypot(more);
        let quartiles = (f64::from(live.quartile_low), f64::from(live.quartile_high));
        Self { centre, sigma, quartiles: scale.is_skewed().then_some(quartiles) }
    }

    /// Around what was expected of a series before it jumped, so far from what is usual.
    #[must_use]
    pub fn before_jump(live: &Live, scale: &Scale, from: f64) -> Self {
        let centre = scale.apply(live.usual + from);
        let sigma = f64::from(SIGMA * live.noise).max(JUMP_FLOOR_SHARE * scale.floor(centre));
        Self { centre, sigma, quartiles: None }
    }

    /// The range from which a departure is measured.
    #[must_use]
    pub fn measured(self, gauge: Option<Gauge>, live: &Live, scale: &Scale) -> Self {
        match gauge {
            Some(Gauge::Jump { from, .. }) => Self::before_jump(live, scale, from),
            Some(Gauge::Level { gain }) => Self { sigma: self.sigma / gain, ..self },
            None => self,
        }
    }

    /// Distance of a value from what is usual, on the scale.
    #[must_use]
    pub fn off(&self, scale: &Scale, value: f64) -> f64 {
        scale.apply(value) - self.centre
    }

    /// The same in sigmas; for skewed series scaled by their own quartiles.
    #[must_use]
    pub fn sigmas(&self, off: f64) -> f64 {
        let z = off / self.sigma;
        let Some((low, high)) = self.quartiles else {
            return z;
        };
        let iqr = high - low;
        if z > high {
            NORMAL_QUARTILE + NORMAL_IQR * (z - high) / iqr
        } else if z < low {
            -NORMAL_QUARTILE - NORMAL_IQR * (low - z) / iqr
        } else {
            // Within the box everything is normal.
            z.clamp(-NORMAL_QUARTILE, NORMAL_QUARTILE)
        }
    }

    /// The range within `sigmas`, in the series' unit.
    #[must_use]
    pub fn band(&self, scale: &Scale, sigmas: f64) -> Band {
        let (low, high) = match self.quartiles {
            Some((low, high)) => {
                let reach = ((sigmas - NORMAL_QUARTILE) / NORMAL_IQR * (high - low)).max(0.0);
                (low - reach, high + reach)
            }
            None => (-sigmas, sigmas),
        };
        scale.possible(Band {
            low: scale.invert(self.centre + self.sigma * low),
            centre: scale.invert(self.centre),
            high: scale.invert(self.centre + self.sigma * high),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::{SeriesRole, Unit};

    #[test]
    fn a_fence_and_its_distance_agree() {
        let scale = Scale::new(Unit::Seconds, SeriesRole::Latency, true);
        let live =
            Live { usual: 0.25, spread: 0.3, quartile_low: -0.5, quartile_high: 0.9, taught: 99, ..Live::default() };
        let range = Range::of(&live, &scale, 0.0);
        let band = range.band(&scale, 2.8);
        for (edge, sign) in [(band.low, -1.0), (band.high, 1.0)] {
            let z = range.sigmas(range.off(&scale, edge));
            assert!((z - sign * 2.8).abs() < 1e-6, "{edge} {z}");
        }
    }
}
