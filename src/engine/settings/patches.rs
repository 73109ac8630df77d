//! How urgent patches are.

use serde::{Deserialize, Serialize};

/// Patches.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PatchSettings {
    /// The composite risk.
    pub risk: RiskSettings,
}

/// The multipliers and borders, in hundredths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RiskSettings {
    /// For what is known to be exploited.
    pub known_exploited: u32,
    /// For what the internet reaches.
    pub internet_facing: u32,
    /// For production.
    pub production: u32,
    /// For a patch younger than `fresh_days`.
    pub fresh: u32,
    /// Days for which a patch counts as fresh.
    pub fresh_days: u32,
    /// From this score on it is critical.
    pub critical: u32,
    /// From this score on it is high.
    pub high: u32,
    /// From this score on it is medium.
    pub medium: u32,
}

impl Default for RiskSettings {
    fn default() -> Self {
        Self {
            known_exploited: 200,
            internet_facing: 150,
            production: 130,
            fresh: 85,
            fresh_days: 7,
            critical: 85,
            high: 65,
            medium: 40,
        }
    }
}
