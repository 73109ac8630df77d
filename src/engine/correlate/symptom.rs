//! A symptom: an anomaly or alert that says harm is done, reduced to what grouping looks at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::clock::Timestamp;
use crate::engine::model::{
    Alert, AlertState, Anomaly, AnomalyId, AnomalyKind, AnomalyState, Fingerprint, SeriesRole, ServiceName, Severity,
    SuppressionReason,
};
use crate::engine::world::World;

/// Which symptom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SymptomKey {
    Anomaly(AnomalyId),
    Alert(Fingerprint),
}

/// Where a symptom is: on a service or, where none is known, wherever its labels say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    Service(ServiceName),
    Labels(Arc<str>),
}

impl Place {
    /// The service, where it is one.
    pub(super) fn service(&self) -> Option<&ServiceName> {
        match self {
            Self::Service(service) => Some(service),
            Self::Labels(_) => None,
        }
    }
}

/// What a symptom can do: found an incident, or only follow one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SymptomKind {
    Anomaly,
    Alert,
    /// Joins an incident and connects places, but is no reason to open one.
    Traffic,
    /// Neither opens nor connects: it joins what is already there. Forecasts and mere information.
    Follower,
    /// A forecast that is due soon enough to be acted on now.
    DueForecast,
}

/// One symptom.
#[derive(Debug, Clone)]
pub(super) struct Symptom {
    pub(super) key: SymptomKey,
    pub(super) place: Place,
    pub(super) kind: SymptomKind,
    pub(super) severity: Severity,
    pub(super) onset: Timestamp,
    /// When harm was last seen.
    pub(super) last_at: Timestamp,
    pub(super) is_active: bool,
    /// What makes a return a return.
    pub(super) identity: Fingerprint,
    /// The metric or the alert's name: distinct ones corroborate each other.
    pub(super) what: Arc<str>,
}

impl Symptom {
    /// True where the symptom connects places and sets onsets.
    pub(super) fn is_solid(&self) -> bool {
        self.kind != SymptomKind::Follower
    }
}

/// The symptom an anomaly is; `None` where it is harmless, merely informative, or set aside for a reason that stands.
pub(super) fn of_anomaly(anomaly: &Anomaly, now: Timestamp, forecast_opens_ms: i64) -> Option<Symptom> {
    if !anomaly.is_harmful || anomaly.severity == Severity::Info || stands(anomaly.suppressed.as_ref()) {
        return None;
    }
    let due_soon = anomaly.forecast.is_some_and(|forecast| forecast.reached_at.since_ms(now) <= forecast_opens_ms);
    let kind = match (anomaly.kind, anomaly.role) {
        (AnomalyKind::Forecast, _) if due_soon => SymptomKind::DueForecast,
        (AnomalyKind::Forecast, _) => SymptomKind::Follower,
        (_, SeriesRole::Traffic) => SymptomKind::Traffic,
        _ => SymptomKind::Anomaly,
    };
    // A trend is noticed long after it began; what counts is when it became a matter for now.
    let onset = if kind == SymptomKind::DueForecast { anomaly.last_seen_at } else { anomaly.started_at };
    Some(Symptom {
        key: SymptomKey::Anomaly(anomaly.id),
        place: Place::Service(anomaly.service.clone()),
        kind,
        severity: anomaly.severity,
        onset,
        last_at: anomaly.last_seen_at,
        is_active: anomaly.state != AnomalyState::Ended,
        identity: anomaly.fingerprint,
        what: anomaly.metric.clone(),
    })
}

/// The symptom an alert is; `None` where it is set aside for a reason that stands.
pub(super) fn of_alert(alert: &Alert, directory: &Directory, is_flapping: bool) -> Option<Symptom> {
    if stands(alert.suppressed.as_ref()) {
        return None;
    }
    let notice = &alert.notice;
    let is_firing = notice.state == AlertState::Firing;
    Some(Symptom {
        key: SymptomKey::Alert(notice.fingerprint),
        place: directory.place(alert),
        kind: if notice.severity == Severity::Info { SymptomKind::Follower } else { SymptomKind::Alert },
        severity: notice.severity,
        onset: notice.starts_at,
        last_at: if is_firing { alert.last_seen_at } else { notice.ends_at.unwrap_or(alert.last_seen_at) },
        is_active: is_firing || is_flapping,
        identity: notice.fingerprint,
        what: notice.name.clone(),
    })
}

/// True for reasons that keep a thing out of incidents; the others are correlation's own marks.
fn stands(reason: Option<&SuppressionReason>) -> bool {
    match reason {
        Some(
            SuppressionReason::Repeat { .. }
            | SuppressionReason::Calendar { .. }
            | SuppressionReason::Traffic { .. }
            | SuppressionReason::WarmUp { .. }
            | SuppressionReason::MutedAtSource { .. }
            | SuppressionReason::Patching { .. }
            | SuppressionReason::Operator { .. },
        ) => true,
        None
        | Some(
            SuppressionReason::Flapping { .. }
            | SuppressionReason::Folded { .. }
            | SuppressionReason::DownstreamOf { .. }
            | SuppressionReason::Learned { .. }
            | SuppressionReason::TooWeak,
        ) => false,
    }
}

/// Labels that say where an alert without a service is, the most telling first.
const PLACE_LABELS: [&str; 8] = ["instance", "host", "node", "hostname", "pod", "container", "namespace", "cluster"];

/// What is known of services and instances, to find the service of an alert that names none.
#[derive(Debug, Default)]
pub(super) struct Directory {
    services: BTreeSet<ServiceName>,
    instances: BTreeMap<Arc<str>, ServiceName>,
}

impl Directory {
    /// From the topology and everything that carries a service.
    pub(super) fn new(world: &World) -> Self {
        let mut services = world.topology.services();
        let mut instances = BTreeMap::new();
        for anomaly in world.anomalies.values() {
            services.insert(anomaly.service.clone());
            if let Some(instance) = &anomaly.instance {
                instances.insert(instance.clone(), anomaly.service.clone());
            }
        }
        Self { services, instances }
    }

    /// The alert's own service, else one that its labels name, else the labels themselves.
    pub(super) fn place(&self, alert: &Alert) -> Place {
        let labels = &alert.notice.labels;
        let told = alert.notice.service.clone().filter(|service| !is_messenger(service.as_str(), alert));
        if let Some(service) = told.or_else(|| self.service_of(alert)) {
            return Place::Service(service);
        }
        let shared = PLACE_LABELS.iter().find_map(|name| labels.get(name).map(|value| format!("{name}={value}")));
        Place::Labels(Arc::from(shared.unwrap_or_else(|| format!("alertname={}", alert.notice.name))))
    }

    fn service_of(&self, alert: &Alert) -> Option<ServiceName> {
        let labels = &alert.notice.labels;
        let by_instance = PLACE_LABELS.iter().find_map(|name| {
            let value = labels.get(name)?;
            self.instances.get(value).or_else(|| self.instances.get(without_port(value)))
        });
        // Whether the job is a service has been asked before.
        let by_name =
            || labels.iter().filter(|(name, _)| *name != "job").find_map(|(_, value)| self.services.get(value));
        by_instance.or_else(by_name).cloned()
    }
}

/// True where the service of an alert is only the job that measures: what an exporter tells is about a machine, and all
/// machines are not one service.
fn is_messenger(service: &str, alert: &Alert) -> bool {
    let measures = service.ends_with("exporter") || ["kubelet", "kube-state-metrics", "cadvisor"].contains(&service);
    measures
        && alert.notice.labels.get("job") == Some(service)
        && PLACE_LABELS.iter().any(|name| alert.notice.labels.get(name).is_some())
}

fn without_port(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}
