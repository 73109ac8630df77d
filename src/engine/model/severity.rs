//! How bad a thing is, ordered, and a share that never leaves 0 to 1.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How far an anomaly or alert is from normal; ordered from least to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing, nothing to do.
    #[default]
    Info,
    /// Anomalous: past 2.8 sigma or its fence.
    Warning,
    /// Past 4.0 sigma, or an alert that says so.
    Critical,
}

impl Severity {
    /// The word shown beside the symbol: severity is a word before it is a colour.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warning => "WARN",
            Self::Critical => "CRIT",
        }
    }
}

/// How bad an incident is for users; `Sev1` is the worst and orders last, so that `max` is the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentSeverity {
    /// Noticed, no user harmed.
    Sev4,
    /// One service degraded.
    Sev3,
    /// Several services degraded or one failing.
    Sev2,
    /// Users fail widely.
    Sev1,
}

impl fmt::Display for IncidentSeverity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Sev4 => "SEV4",
            Self::Sev3 => "SEV3",
            Self::Sev2 => "SEV2",
            Self::Sev1 => "SEV1",
        })
    }
}

/// A share or probability, always within 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Score(f64);

impl Score {
    /// Clamps into 0 to 1; what is not a number becomes 0.
    #[must_use]
    pub fn new(value: f64) -> Self {
        Self(if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) })
    }

    /// The value, 0 to 1.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// In whole per cent, never more than it is: what a threshold is held against.
    #[must_use]
    pub fn percent_reached(self) -> u8 {
        // A share that was written in hundredths is one unit of the last place off at most.
        (self.0 * 100.0 + 1e-9).floor() as u8
    }

    /// In whole per cent, rounded.
    #[must_use]
    pub fn percent(self) -> u8 {
        // In range by construction: 0 to 100.
        (self.0 * 100.0).round() as u8
    }
}
