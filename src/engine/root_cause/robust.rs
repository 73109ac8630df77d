//! Robust statistics on small samples. Values that are not finite must be filtered out before.

/// The median; `None` of nothing. Reorders `values`.
#[must_use]
pub fn median(values: &mut [f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The `q`-quantile by linear interpolation between order statistics (type 7); `None` of nothing. Reorders `values`.
#[must_use]
pub fn quantile(values: &mut [f64], q: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let at = q.clamp(0.0, 1.0) * last as f64;
    let low = at.floor() as usize;
    let (_, lower, above) = values.select_nth_unstable_by(low, f64::total_cmp);
    let lower = *lower;
    let upper = above.iter().copied().fold(f64::INFINITY, f64::min);
    let share = at - low as f64;
    Some(if share > 0.0 && upper.is_finite() { lower + share * (upper - lower) } else { lower })
}

/// Centre and spread of a healthy time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Spread {
    /// The median.
    pub centre: f64,
    /// A robust standard deviation, with a floor: never 0.
    pub scale: f64,
    /// The same without the floor that a centre far from 0 gives; may be 0.
    pub bare: f64,
    /// How many values it rests on.
    pub count: usize,
    /// The least and the largest seen.
    pub low: f64,
    /// See `low`.
    pub high: f64,
}

/// Median absolute deviation to standard deviation, for a normal distribution.
const MAD_TO_SIGMA: f64 = 1.4826;
/// Inter-quartile range to standard deviation, for a normal distribution.
const IQR_TO_SIGMA: f64 = 1.349;

/// The spread of `values` (reordered). The scale is the larger of MAD and IQR (either alone is 0 for series that mostly
/// stand still), a tenth of the standard deviation, and 1 % of the centre; 1e-9 where all that is 0.
#[must_use]
pub fn spread(values: &mut Vec<f64>) -> Option<Spread> {
    values.retain(|value| value.is_finite());
    let centre = median(values)?;
    let count = values.len();
    let quarter = quantile(values, 0.25)?;
    let three = quantile(values, 0.75)?;
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mean = values.iter().sum::<f64>() / count as f64;
    let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count as f64).sqrt();
    let mut distances: Vec<f64> = values.iter().map(|value| (value - centre).abs()).collect();
    let mad = median(&mut distances)? * MAD_TO_SIGMA;
    let bare = mad.max((three - quarter) / IQR_TO_SIGMA).max(deviation * 0.1);
    Some(Spread { centre, scale: bare.max(centre.abs() * 0.01).max(1e-9), bare, count, low, high })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate_and_of_nothing_there_is_none() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(quantile(&mut [0.0, 10.0], 0.25), Some(2.5));
        assert_eq!(median(&mut []), None);
    }

    #[test]
    fn one_burst_moves_neither_centre_nor_scale_far_and_a_constant_has_a_scale() {
        let mut quiet: Vec<f64> = (0..100).map(|at| f64::from(at % 10)).collect();
        let before = spread(&mut quiet.clone()).unwrap();
        quiet.extend([1e6, f64::NAN, f64::INFINITY]);
        let after = spread(&mut quiet).unwrap();
        assert!((after.centre - before.centre).abs() < 1.0, "{after:?}");
        let still = spread(&mut vec![5.0; 20]).unwrap();
        assert!(still.scale > 0.0 && still.bare == 0.0);
    }
}
