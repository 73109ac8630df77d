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

/// The severity that members show, and by what.
pub(super) struct Shown {
    pub(super) severity: IncidentSeverity,
    pub(super) because: String,
}

/// The severity that the members show.
pub(super) fn observed(anomalies: &[&Anomaly], alerts: &[&Alert], topology: &Topology) -> Shown {
    let shown = |severity, because| Shown { severity, because };
    let real = || anomalies.iter().filter(|anomaly| anomaly.kind != AnomalyKind::Forecast);
    let mut critical: BTreeSet<&ServiceName> = BTreeSet::new();
    let mut metrics: BTreeMap<&ServiceName, BTreeSet<&str>> = BTreeMap::new();
    let mut failing = None;
    for anomaly in real() {
        metrics.entry(&anomaly.service).or_default().insert(&anomaly.metric);
        if anomaly.severity == Severity::Critical {
            critical.insert(&anomaly.service);
            if is_failure(anomaly) && is_entry(topology, &anomaly.service) {
                let because = format!("users feel it, {} of {} is critical", anomaly.metric, anomaly.service);
                return shown(IncidentSeverity::Sev1, because);
            }
            failing = failing.or(is_failure(anomaly).then_some(anomaly));
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
    let (first, telling) = (degraded.first(), told.clone().next());
    if critical.len() >= WIDE_SERVICES_MIN {
        shown(IncidentSeverity::Sev1, format!("{} services have critical symptoms", critical.len()))
    } else if let Some(anomaly) = failing {
        shown(IncidentSeverity::Sev2, format!("{} of {} is critical", anomaly.metric, anomaly.service))
    } else if degraded.len() >= 2 {
        shown(IncidentSeverity::Sev2, format!("{} services are degraded", degraded.len()))
    } else if let Some(service) = first {
        shown(IncidentSeverity::Sev3, format!("{service} is degraded"))
    } else if let Some(alert) = telling {
        shown(IncidentSeverity::Sev3, format!("alert {} is critical", alert.notice.name))
    } else {
        shown(IncidentSeverity::Sev4, "its symptoms are mild".to_owned())
    }
}
