//! The scale a series is judged on, and the smallest sigma that makes sense on it.
//!
//! Most series are judged as they are. Skewed ones (latencies, queue lengths) are judged on a scale that is linear near
//! zero and logarithmic above (inverse hyperbolic sine), on which their spread is even. The floors keep constant series
//! sane: a ratio that goes from 0 to 0.0001 is no forty-sigma event.

use crate::engine::model::{Band, SeriesRole, Unit};

/// Values are judged as if they were at most this large, so that no square overflows.
pub const VALUE_MAX: f64 = 1e30;
/// Share of its level below which a change of an ordinary series is never remarkable, as one sigma.
const RELATIVE_FLOOR: f64 = 0.01;
/// The same on the logarithmic scale.
const SKEWED_FLOOR: f64 = 0.05;

/// How values of one series are scaled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// One sigma at least, in the series' unit.
    absolute_floor: f64,
    is_skewed: bool,
    is_ratio: bool,
    /// True where the quantity may be below zero: a clock's offset, and whatever else is told in bare seconds.
    is_signed: bool,
}

impl Scale {
    /// The scale of a series of this unit and role.
    #[must_use]
    pub fn new(unit: Unit, role: SeriesRole, is_skewed: bool) -> Self {
        let absolute_floor = match (unit, role) {
            (Unit::Ratio, SeriesRole::Saturation) => 0.01,
            (Unit::Ratio, _) => 0.002,
            (Unit::Boolean, _) => 0.1,
            (Unit::Seconds, _) => 0.002,
            (Unit::PerSecond, _) => 0.1,
            (Unit::Bytes, _) => 1_048_576.0,
            (Unit::BytesPerSecond, _) => 10_240.0,
            (Unit::Count, _) => 0.5,
        };
        let is_signed = unit == Unit::Seconds && role != SeriesRole::Latency;
        Self { absolute_floor, is_skewed, is_ratio: unit == Unit::Ratio, is_signed }
    }

    /// True for the logarithmic scale.
    #[must_use]
    pub fn is_skewed(&self) -> bool {
        self.is_skewed
    }

    /// Where the skewed scale turns from linear to logarithmic; `None` for the plain scale.
    fn knee(&self) -> Option<f64> {
        self.is_skewed.then_some(2.5 * self.absolute_floor)
    }

    /// One sigma at least, in the series' unit, near zero.
    #[must_use]
    pub fn absolute_floor(&self) -> f64 {
        self.absolute_floor
    }

    /// One sigma at least, on the scale, wherever a value is.
    #[inline]
    #[must_use]
    pub fn least(&self) -> f64 {
        if self.is_skewed { SKEWED_FLOOR } else { self.absolute_floor }
    }

    /// `band` without what the quantity cannot be: nothing below zero, no share above the whole. A series whose middle
    /// is out there already knows better.
    #[must_use]
    pub fn possible(&self, band: Band) -> Band {
        let floor = if self.is_ratio || (!self.is_signed && band.centre >= 0.0) { 0.0 } else { f64::NEG_INFINITY };
        let ceiling = if self.is_ratio && band.centre <= 1.0 { 1.0 } else { f64::INFINITY };
        let within = |value: f64| value.min(ceiling).max(floor);
        Band { low: within(band.low), centre: within(band.centre), high: within(band.high) }
    }

    /// A value on the scale.
    #[inline]
    #[must_use]
    pub fn apply(&self, value: f64) -> f64 {
        let value = value.clamp(-VALUE_MAX, VALUE_MAX);
        self.knee().map_or(value, |knee| (value / knee).asinh())
    }

    /// A place on the scale as a value.
    #[must_use]
    pub fn invert(&self, scaled: f64) -> f64 {
        // sinh overflows past 700; the clamp is beyond anything `apply` gives.
        self.knee().map_or(scaled, |knee| knee * scaled.clamp(-300.0, 300.0).sinh())
    }

    /// The smallest sensible sigma around `centre` (on the scale).
    #[must_use]
    pub fn floor(&self, centre: f64) -> f64 {
        match self.knee() {
            Some(knee) => SKEWED_FLOOR + self.absolute_floor / self.invert(centre).hypot(knee),
            None if self.is_ratio => {
                // A share is as steady near 1 as it is near 0.
                let room = centre.abs().min((1.0 - centre).abs());
                self.absolute_floor.max(RELATIVE_FLOOR * room)
            }
            None => self.absolute_floor.max(RELATIVE_FLOOR * centre.abs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_skewed_scale_goes_there_and_back() {
        let scale = Scale::new(Unit::Seconds, SeriesRole::Latency, true);
        for value in [0.0, 0.001, 0.25, 12.0, 1e15, -3.0] {
            let back = scale.invert(scale.apply(value));
            assert!((back - value).abs() <= 1e-9 * value.abs().max(1.0), "{value} {back}");
        }
    }

    #[test]
    fn floors_follow_unit_and_level() {
        let error_ratio = Scale::new(Unit::Ratio, SeriesRole::Errors, false);
        assert!((0.0001 - 0.0) / error_ratio.floor(0.0) < 0.1);
        let count = Scale::new(Unit::Count, SeriesRole::Other, false);
        assert!((count.floor(1e15) - 1e13).abs() < 1.0);
        // The success ratio is judged as finely as the error ratio.
        assert!((error_ratio.floor(1.0) - error_ratio.floor(0.0)).abs() < 1e-12);
    }

    #[test]
    fn a_band_holds_only_what_can_be() {
        let wide = Band { low: -0.004, centre: 0.0002, high: 1.2 };
        for (unit, role, low, high) in [
            (Unit::Ratio, SeriesRole::Errors, 0.0, 1.0),
            (Unit::PerSecond, SeriesRole::Traffic, 0.0, 1.2),
            (Unit::Seconds, SeriesRole::Latency, 0.0, 1.2),
            (Unit::Seconds, SeriesRole::Other, -0.004, 1.2),
        ] {
            let band = Scale::new(unit, role, false).possible(wide);
            assert_eq!((band.low, band.high), (low, high), "{unit:?} {role:?}");
        }
    }
}
