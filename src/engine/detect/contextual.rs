//! Judges a value against what is normal at this hour of this day of the week.
//!
//! Ordinary series by a z-score. Skewed ones by fences around the quartiles of their residuals (Tukey 1977); a fence's
//! width is expressed in the sigmas at which it would stand for a normal distribution, so that both share thresholds.

use super::baseline::stretch_share;
use super::live::Live;
use super::scale::Scale;
use super::verdict::Verdict;
use crate::engine::clock::Timestamp;
use crate::engine::model::{Band, DetectionMethod};

/// Upper quartile of the standard normal distribution, and the distance between its quartiles.
const NORMAL_QUARTILE: f64 = 0.6745;
const NORMAL_IQR: f64 = 2.0 * NORMAL_QUARTILE;
/// How fast quartiles are learnt, in sigmas a sample.
const QUARTILE_STEP: f32 = 0.02;

/// Expected value on the series' scale.
#[inline]
#[must_use]
pub fn centre_at(live: &Live, at: i64) -> f64 {
    f64::from(live.centre) + f64::from(live.centre_step) * stretch_share(at)
}

/// Distance of a residual from the expected value in sigmas; for skewed series scaled by their own quartiles.
#[inline]
#[must_use]
pub fn distance(live: &Live, is_skewed: bool, residual: f64) -> f64 {
    let z = residual / f64::from(live.sigma);
    if !is_skewed {
        return z;
    }
    let (low, high) = (f64::from(live.quartile_low), f64::from(live.quartile_high));
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

/// Learns the quartiles of a skewed series' residuals, one small step a sample.
#[inline]
pub fn teach_quartiles(live: &mut Live, residual: f64) {
    let z = (residual / f64::from(live.sigma)) as f32;
    let step = |quartile: f32, share: f32| QUARTILE_STEP * if z < quartile { share - 1.0 } else { share };
    live.quartile_low = (live.quartile_low + step(live.quartile_low, 0.25)).clamp(-2.0, -0.2);
    live.quartile_high = (live.quartile_high + step(live.quartile_high, 0.75)).clamp(0.2, 2.0);
}

/// The range that is normal at `at`, in the series' unit.
#[must_use]
pub fn band_at(live: &Live, scale: &Scale, at: Timestamp, anomaly_sigma: f64) -> Band {
    let centre = centre_at(live, at.0);
    let sigma = f64::from(live.sigma);
    let (low, high) = if scale.is_skewed() {
        let (quartile_low, quartile_high) = (f64::from(live.quartile_low), f64::from(live.quartile_high));
        let reach = (anomaly_sigma - NORMAL_QUARTILE) / NORMAL_IQR * (quartile_high - quartile_low);
        (quartile_low - reach, quartile_high + reach)
    } else {
        (-anomaly_sigma, anomaly_sigma)
    };
    scale.possible(Band {
        low: scale.invert(centre + sigma * low),
        centre: scale.invert(centre),
        high: scale.invert(centre + sigma * high),
    })
}

/// The verdict on a value whose residual is known.
#[must_use]
pub fn judge(live: &Live, scale: &Scale, at: Timestamp, residual: f64, anomaly_sigma: f64) -> Verdict {
    let method = if scale.is_skewed() { DetectionMethod::IqrFence } else { DetectionMethod::SeasonalZ };
    Verdict { z: distance(live, scale.is_skewed(), residual), band: band_at(live, scale, at, anomaly_sigma), method }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::{SeriesRole, Unit};

    #[test]
    fn a_fence_and_its_distance_agree() {
        let scale = Scale::new(Unit::Seconds, SeriesRole::Latency, true);
        let live = Live { centre: 4.0, sigma: 0.3, quartile_low: -0.5, quartile_high: 0.9, ..Live::default() };
        let band = band_at(&live, &scale, Timestamp(0), 2.8);
        for (edge, sign) in [(band.low, -1.0), (band.high, 1.0)] {
            let z = distance(&live, true, scale.apply(edge) - 4.0);
            assert!((z - sign * 2.8).abs() < 1e-6, "{edge} {z}");
        }
    }

    #[test]
    fn quartiles_of_a_normal_series_stay_where_they_are() {
        let mut live = Live::default();
        // Evenly spread quantiles of the standard normal, in a fixed shuffled order.
        let values = [0.1, -1.2, 0.9, -0.3, 1.6, -0.8, 0.4, -0.1, -1.7, 0.6, 1.1, -0.55];
        for at in 0..12_000 {
            teach_quartiles(&mut live, values[at % values.len()]);
        }
        assert!((live.quartile_high - 0.7).abs() < 0.25, "{}", live.quartile_high);
        assert!((live.quartile_low + 0.7).abs() < 0.25, "{}", live.quartile_low);
    }
}
