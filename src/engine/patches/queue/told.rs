//! A score taken apart: its factors, each with whose word it is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::standing::{Standing, Threat};
use crate::engine::patches::feeds::kev::KnownExploited;

/// One factor of a score, with whose word it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FactorTold {
    /// What it is.
    pub name: Arc<str>,
    /// By how much it multiplies.
    pub value: f64,
    /// Whose word it is.
    pub source: Arc<str>,
}

/// The factors of a standing. `worst` is what it goes by, `kev` what CISA's catalogue says of that. Empty where there is no
/// score.
#[must_use]
pub fn factors(standing: &Standing, worst: &Threat, kev: Option<&KnownExploited>) -> Vec<FactorTold> {
    let source = |name: &str| match name {
        "known exploited" => kev.map_or_else(String::new, |kev| format!("CISA's catalogue, since {}", kev.added)),
        "fresh patch" => "the tracker as it was taken here".to_owned(),
        "internet-facing" | "production" => "the inventory".to_owned(),
        _ => worst.score.as_ref().map_or_else(String::new, |score| score.source.clone()),
    };
    let factors = standing.risk.iter().flat_map(|risk| &risk.factors);
    let told = factors.map(|factor| FactorTold {
        name: Arc::from(factor.name),
        value: factor.value,
        source: Arc::from(source(factor.name)),
    });
    told.collect()
}
