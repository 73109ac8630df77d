//! A series with too little history for its weekly profile, judged by all it has shown so far.
//!
//! Beside the static thresholds, which know only what is bad anywhere, a cold series has a scorer. Where that is surprised
//! well beyond its alert level, a departure begins: the level and the width that held then stay the measure until the
//! series is back, or has stayed away for so long that this is its level.

use serde::{Deserialize, Serialize};

use super::live::Phase;
use super::registry::Meta;
use super::scorer::SeriesScorer;
use super::tracking::FOLLOW_AFTER_MS;
use super::verdict::{SIGMAS_MAX, Verdict};
use crate::engine::model::{Band, DetectionMethod, Sample};
use crate::engine::settings::DetectionSettings;

/// Nats over the alert level that it takes here: what is known least is doubted most.
const EVIDENCE_MIN: f64 = 3.0;
/// Nats that make a departure one sigma larger than where an anomaly begins.
const NATS_A_SIGMA: f64 = 5.0;
/// A departure is at least so many times what matters for the series' unit at all.
const FLOORS_MIN: f64 = 3.0;

/// What a series departed from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Departure {
    /// The usual level.
    centre: f64,
    /// One sigma.
    sigma: f64,
    /// When, in milliseconds since the epoch.
    since: i64,
}

/// What is known of a cold series.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cold {
    scorer: SeriesScorer,
    departure: Option<Departure>,
}

/// The same as it is kept on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptCold {
    scorer: Vec<u8>,
    departure: Option<Departure>,
}

impl Cold {
    /// For keeping.
    #[must_use]
    pub fn keep(&self) -> KeptCold {
        KeptCold { scorer: self.scorer.to_bytes(), departure: self.departure }
    }

    /// What was kept; `None` where it cannot be read.
    #[must_use]
    pub fn restore(kept: &KeptCold) -> Option<Self> {
        Some(Self { scorer: SeriesScorer::from_bytes(&kept.scorer)?, departure: kept.departure })
    }

    /// Takes in a sample; gives the verdict while the series is or was just away. History teaches and departs from nothing.
    pub fn observe(
        &mut self,
        meta: &Meta,
        phase: Phase,
        sample: &Sample,
        is_backfill: bool,
        settings: &DetectionSettings,
    ) -> Option<Verdict> {
        // Milliseconds of this millennium are exact in a double.
        let scored = self.scorer.observe(sample.at.0 as f64 / 1_000.0, sample.value);
        if is_backfill {
            self.departure = None;
            return None;
        }
        let is_over = |departure: &Departure| {
            let is_back = departure.sigmas(sample.value).abs() < settings.anomaly_sigma;
            (phase == Phase::Normal && is_back) || sample.at.0.saturating_sub(departure.since) >= FOLLOW_AFTER_MS
        };
        self.departure = self.departure.filter(|departure| !is_over(departure));
        if self.departure.is_none() && scored.score >= 0.5 && scored.evidence >= EVIDENCE_MIN {
            let sigmas = settings.anomaly_sigma + (scored.evidence - EVIDENCE_MIN) / NATS_A_SIGMA;
            self.departure = Departure::new(meta, scored.usual, scored.sigma, sample, sigmas);
        }
        self.verdict(meta, sample.value, settings.anomaly_sigma)
    }

    fn verdict(&self, meta: &Meta, value: f64, anomaly_sigma: f64) -> Option<Verdict> {
        let departure = self.departure?;
        Some(Verdict {
            z: departure.sigmas(value),
            band: departure.band(meta, anomaly_sigma),
            method: DetectionMethod::OwnHistory,
        })
    }

    /// What is normal while the series is away.
    #[must_use]
    pub fn band(&self, meta: &Meta, anomaly_sigma: f64) -> Option<Band> {
        Some(self.departure?.band(meta, anomaly_sigma))
    }
}

impl Departure {
    /// Of a value so many sigmas from what is usual; `None` where that is no matter for the series.
    fn new(meta: &Meta, usual: f64, noise: f64, sample: &Sample, sigmas: f64) -> Option<Self> {
        let away = (sample.value - usual).abs();
        let (from, to) = (meta.scale.apply(usual), meta.scale.apply(sample.value));
        let is_much = (to - from).abs() >= FLOORS_MIN * meta.scale.floor(from) && away >= FLOORS_MIN * noise;
        is_much.then(|| Self { centre: usual, sigma: away / sigmas.min(SIGMAS_MAX), since: sample.at.0 })
    }

    fn sigmas(&self, value: f64) -> f64 {
        // As large as any float here, and never by zero: a departure is away from its centre.
        (value - self.centre) / self.sigma.max(f64::MIN_POSITIVE)
    }

    fn band(&self, meta: &Meta, anomaly_sigma: f64) -> Band {
        let reach = anomaly_sigma * self.sigma;
        meta.scale.possible(Band { low: self.centre - reach, centre: self.centre, high: self.centre + reach })
    }
}
