//! Whether a group of symptoms is worth a person's night.

use std::collections::BTreeSet;

use super::symptom::{Place, Symptom, SymptomKind};
use crate::engine::clock::Timestamp;
use crate::engine::limits::LONE_ALERT_MS;
use crate::engine::model::Severity;
use crate::engine::settings::CorrelationSettings;

/// True where the group is an incident: one critical anomaly or alert, two different metrics that depart together, an
/// alert with an anomaly beside it, two that last together, one that lasts long, or a resource about to run out.
/// Traffic alone never is.
pub(super) fn is_warranted(group: &[&Symptom], settings: &CorrelationSettings, now: Timestamp) -> bool {
    let active = || group.iter().filter(|symptom| symptom.is_active);
    let is_critical = active().any(|symptom| {
        symptom.severity == Severity::Critical && matches!(symptom.kind, SymptomKind::Anomaly | SymptomKind::Alert)
    });
    let is_due = active().any(|symptom| symptom.kind == SymptomKind::DueForecast);
    let metrics: BTreeSet<(&Place, &str)> = active()
        .filter(|symptom| symptom.kind == SymptomKind::Anomaly)
        .map(|symptom| (&symptom.place, symptom.what.as_ref()))
        .collect();
    let alerts: Vec<&Symptom> = active().copied().filter(|symptom| symptom.kind == SymptomKind::Alert).collect();
    let is_told = !alerts.is_empty() && !metrics.is_empty();
    is_critical
        || is_due
        || metrics.len() >= 2
        || is_told
        || alerts.iter().any(|alert| lasts(alert, &alerts, settings, now))
}

/// True for an alert that has lasted beside another one of the same time, or by itself for much longer.
fn lasts(alert: &Symptom, alerts: &[&Symptom], settings: &CorrelationSettings, now: Timestamp) -> bool {
    let since_ms = |symptom: &Symptom| now.since_ms(symptom.onset);
    let is_beside = |other: &&&Symptom| {
        (&other.place, &other.what) != (&alert.place, &alert.what)
            && other.onset.since_ms(alert.onset).abs() <= settings.window.0
            && since_ms(other) >= settings.quiet_after.0
    };
    since_ms(alert) >= LONE_ALERT_MS
        || (since_ms(alert) >= settings.quiet_after.0 && alerts.iter().any(|other| is_beside(&other)))
}
