//! Whether a group of symptoms is worth a person's night.

use std::collections::BTreeSet;

use super::symptom::{Symptom, SymptomKind};
use crate::engine::clock::Timestamp;
use crate::engine::model::Severity;

/// True where the group is an incident: one critical anomaly or alert, two different metrics that depart together, an
/// alert that lasts or has an anomaly beside it, or a resource about to run out. Traffic alone never is.
pub(super) fn is_warranted(group: &[&Symptom], lasts_ms: i64, now: Timestamp) -> bool {
    let active = || group.iter().filter(|symptom| symptom.is_active);
    let is_critical = active().any(|symptom| {
        symptom.severity == Severity::Critical && matches!(symptom.kind, SymptomKind::Anomaly | SymptomKind::Alert)
    });
    let is_due = active().any(|symptom| symptom.kind == SymptomKind::DueForecast);
    let metrics: BTreeSet<(&super::symptom::Place, &str)> = active()
        .filter(|symptom| symptom.kind == SymptomKind::Anomaly)
        .map(|symptom| (&symptom.place, symptom.what.as_ref()))
        .collect();
    let mut alerts = active().filter(|symptom| symptom.kind == SymptomKind::Alert);
    let is_told = alerts.any(|symptom| !metrics.is_empty() || now.since_ms(symptom.onset) >= lasts_ms);
    is_critical || is_due || metrics.len() >= 2 || is_told
}
