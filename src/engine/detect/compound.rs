//! Several anomalous metrics of one service, fused into one compound anomaly.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::model::{
    Anomaly, AnomalyState, CompoundAnomaly, SeriesRole, ServiceName, Severity, SuppressionReason,
};

/// One metric adds at most this many sigmas, so that none drowns the others.
const SIGMAS_EACH_MAX: f64 = 40.0;
/// Distinct harmful golden signals from which a service is in a critical state, however mild each of them is.
const CRITICAL_ROLES: usize = 3;

/// True for what counts towards a compound: under way and not explained by anything harmless.
fn counts(anomaly: &Anomaly) -> bool {
    let is_explained = matches!(
        anomaly.suppressed,
        Some(
            SuppressionReason::Calendar { .. }
                | SuppressionReason::Traffic { .. }
                | SuppressionReason::WarmUp { .. }
                | SuppressionReason::Patching { .. }
                | SuppressionReason::TooWeak
                | SuppressionReason::Operator { .. }
        )
    );
    anomaly.state != AnomalyState::Ended && !is_explained
}

/// Fuses the anomalies of each service that has at least two anomalous metrics, one of them harmful. Worst first.
pub fn compounds<'a>(anomalies: impl Iterator<Item = &'a Anomaly>) -> Vec<CompoundAnomaly> {
    let mut by_service: BTreeMap<&ServiceName, Vec<&Anomaly>> = BTreeMap::new();
    for anomaly in anomalies.filter(|anomaly| counts(anomaly)) {
        by_service.entry(&anomaly.service).or_default().push(anomaly);
    }
    let mut found: Vec<_> = by_service.into_iter().filter_map(|(service, members)| fuse(service, members)).collect();
    found.sort_by(|a, b| {
        b.severity
            .cmp(&a.severity)
            .then_with(|| b.combined_sigma.total_cmp(&a.combined_sigma))
            .then_with(|| a.service.cmp(&b.service))
    });
    found
}

fn fuse(service: &ServiceName, mut members: Vec<&Anomaly>) -> Option<CompoundAnomaly> {
    let mut sigma_by_metric: BTreeMap<&Arc<str>, f64> = BTreeMap::new();
    for anomaly in &members {
        let sigma = sigma_by_metric.entry(&anomaly.metric).or_insert(0.0);
        *sigma = sigma.max(anomaly.peak_sigma.min(SIGMAS_EACH_MAX));
    }
    let harmful: Vec<_> = members.iter().filter(|anomaly| anomaly.is_harmful).collect();
    if sigma_by_metric.len() < 2 || harmful.is_empty() {
        return None;
    }
    let roles: BTreeSet<SeriesRole> = harmful.iter().map(|anomaly| anomaly.role).collect();
    let worst = members.iter().map(|anomaly| anomaly.severity).max()?;
    let severity = if roles.len() >= CRITICAL_ROLES { Severity::Critical } else { worst };
    let started_at = members.iter().map(|anomaly| anomaly.started_at).min()?;
    members.sort_by(|a, b| {
        b.severity.cmp(&a.severity).then_with(|| b.peak_sigma.total_cmp(&a.peak_sigma)).then_with(|| a.id.cmp(&b.id))
    });
    Some(CompoundAnomaly {
        service: service.clone(),
        members: members.iter().map(|anomaly| anomaly.id).collect(),
        severity,
        combined_sigma: sigma_by_metric.values().map(|sigma| sigma * sigma).sum::<f64>().sqrt(),
        started_at,
    })
}
