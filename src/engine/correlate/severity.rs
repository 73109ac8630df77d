//! How bad an incident is for users.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::model::{
    Alert, Anomaly, AnomalyKind, IncidentSeverity, SeriesRole, ServiceName, Severity, Topology,
};

/// Services with critical symptoms from which an incident is as bad as can be, wherever users enter.
const WIDE_SERVICES_MIN: usize = 5;

/// A service that others' users meet first: it calls, and nobody known calls it.
pub(super) fn is_entry(topology: &Topology, service: &ServiceName) -> bool {
    topology.callers(service).next().is_none() && topology.callees(service).next().is_some()
}

/// True for what users feel as failure: errors, or no answer.
pub(super) fn is_failure(anomaly: &Anomaly) -> bool {
    matches!(anomaly.role, SeriesRole::Errors | SeriesRole::Availability) || anomaly.kind == AnomalyKind::Absence
}

/// The severity that the members show.
pub(super) fn observed(anomalies: &[&Anomaly], alerts: &[&Alert], topology: &Topology) -> IncidentSeverity {
    let real = || anomalies.iter().filter(|anomaly| anomaly.kind != AnomalyKind::Forecast);
    let mut critical: BTreeSet<&ServiceName> = BTreeSet::new();
    let mut metrics: BTreeMap<&ServiceName, BTreeSet<&str>> = BTreeMap::new();
    let mut failing = 0_usize;
    for anomaly in real() {
        metrics.entry(&anomaly.service).or_default().insert(&anomaly.metric);
        if anomaly.severity == Severity::Critical {
            critical.insert(&anomaly.service);
            failing += usize::from(is_failure(anomaly));
            if is_failure(anomaly) && is_entry(topology, &anomaly.service) {
                return IncidentSeverity::Sev1;
            }
        }
    }
    let told = alerts.iter().filter(|alert| alert.notice.severity == Severity::Critical);
    let told_services: BTreeSet<&ServiceName> =
        told.clone().filter_map(|alert| alert.notice.service.as_ref()).collect();
    critical.extend(told_services);
    let degraded: BTreeSet<&ServiceName> = metrics
        .iter()
        .filter(|(_, metrics)| metrics.len() >= 2)
        .map(|(service, _)| *service)
        .chain(critical.iter().copied())
        .collect();
    if critical.len() >= WIDE_SERVICES_MIN {
        IncidentSeverity::Sev1
    } else if degraded.len() >= 2 || failing > 0 {
        IncidentSeverity::Sev2
    } else if !degraded.is_empty() || told.clone().next().is_some() {
        IncidentSeverity::Sev3
    } else {
        IncidentSeverity::Sev4
    }
}
