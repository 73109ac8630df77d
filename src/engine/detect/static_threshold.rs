//! Conservative fixed thresholds, while a series has too little history for anything better.
//!
//! They cry only at what is bad on any system: an error ratio past 5 %, a latency three times its own usual level, a
//! resource nine tenths full, a service that no longer answers, traffic that is gone.

use super::live::Live;
use super::registry::Meta;
use super::verdict::{SIGMAS_MAX, Verdict};
use crate::engine::model::{BadWhen, Band, DetectionMethod, SeriesRole, Unit};
use crate::engine::settings::DetectionSettings;

/// Samples before a series can be compared with its own usual level.
const LEVEL_SAMPLES_MIN: u16 = 12;

/// Where warning and critical begin, on either side; infinite where that side has no threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Thresholds {
    centre: f64,
    warn_high: f64,
    crit_high: f64,
    warn_low: f64,
    crit_low: f64,
}

impl Thresholds {
    fn none(centre: f64) -> Self {
        Self {
            centre,
            warn_high: f64::INFINITY,
            crit_high: f64::INFINITY,
            warn_low: f64::NEG_INFINITY,
            crit_low: f64::NEG_INFINITY,
        }
    }

    fn above(centre: f64, warn: f64, crit: f64) -> Self {
        // The centre of what is expected lies below the threshold, whatever the series did lately.
        Self { warn_high: warn, crit_high: crit, ..Self::none(centre.min(warn / 2.0)) }
    }

    fn below(centre: f64, warn: f64, crit: f64) -> Self {
        Self { warn_low: warn, crit_low: crit, ..Self::none(centre) }
    }
}

/// The thresholds of a series with this recent level.
fn thresholds(meta: &Meta, live: &Live) -> Thresholds {
    let level = live.usual;
    let has_level = live.taught >= LEVEL_SAMPLES_MIN;
    let floor = meta.scale.absolute_floor();
    match meta.role {
        SeriesRole::Errors if meta.unit == Unit::Ratio => Thresholds::above(level, 0.05, 0.20),
        SeriesRole::Errors if has_level => {
            Thresholds::above(level, 5.0 * level + 10.0 * floor, 20.0 * level + 40.0 * floor)
        }
        SeriesRole::Latency if has_level => {
            Thresholds::above(level, 3.0 * level + 10.0 * floor, 6.0 * level + 20.0 * floor)
        }
        SeriesRole::Saturation => match (meta.limit(), meta.bad_when) {
            (Some(limit), BadWhen::Low) if limit > 0.0 => Thresholds::below(level, 0.10 * limit, 0.03 * limit),
            (Some(limit), BadWhen::High | BadWhen::Either) if limit > 0.0 => {
                Thresholds::above(level, 0.90 * limit, 0.97 * limit)
            }
            _ => Thresholds::none(level),
        },
        SeriesRole::Availability => Thresholds::below(1.0, 0.75, 0.25),
        SeriesRole::Traffic if has_level && level > 10.0 * floor => {
            Thresholds::below(level, 0.02 * level, 0.01 * level)
        }
        _ => Thresholds::none(level),
    }
}

/// Distance beyond `centre` towards thresholds `warn` and `crit`, in the sigmas they stand for.
fn sigmas(value: f64, centre: f64, warn: f64, crit: f64, settings: &DetectionSettings) -> f64 {
    let (anomaly, critical) = (settings.anomaly_sigma, settings.critical_sigma);
    let (past, warn, crit) = ((value - centre).abs(), (warn - centre).abs(), (crit - centre).abs());
    if !warn.is_finite() {
        return 0.0;
    }
    let sigmas = if past <= warn {
        // Never quite at the threshold, so that the edge itself is normal.
        0.999 * anomaly * past / warn.max(f64::MIN_POSITIVE)
    } else if past < crit {
        anomaly + (critical - anomaly) * (past - warn) / (crit - warn)
    } else {
        critical * past / crit.max(f64::MIN_POSITIVE)
    };
    sigmas.min(SIGMAS_MAX)
}

/// The verdict on a value of a series with little history.
#[must_use]
pub fn judge(meta: &Meta, live: &Live, value: f64, settings: &DetectionSettings) -> Verdict {
    let limits = thresholds(meta, live);
    let z = if value >= limits.centre {
        sigmas(value, limits.centre, limits.warn_high, limits.crit_high, settings)
    } else {
        -sigmas(value, limits.centre, limits.warn_low, limits.crit_low, settings)
    };
    Verdict { z, band: band(meta, live), method: DetectionMethod::StaticThreshold }
}

/// The range inside the thresholds; a side without a threshold ends far out, at a finite figure.
#[must_use]
pub fn band(meta: &Meta, live: &Live) -> Band {
    let limits = thresholds(meta, live);
    let far = 10.0 * limits.centre.abs().max(meta.scale.absolute_floor());
    let high = if limits.warn_high.is_finite() { limits.warn_high } else { limits.centre + far };
    let low = if limits.warn_low.is_finite() { limits.warn_low } else { (limits.centre - far).min(0.0) };
    meta.scale.possible(Band { low, centre: limits.centre, high })
}
