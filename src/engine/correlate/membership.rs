//! What an incident's members make of it: services, onset, suspects, counts, severity, timeline, harm.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::grouping::Burst;
use super::lifecycle::{self, Harm};
use super::symptom::{Directory, Place, Symptom, SymptomKind, of_alert, of_anomaly};
use super::timeline::{self, Members};
use super::{changes, severity};
use crate::engine::clock::Timestamp;
use crate::engine::limits::{FORECAST_OPENS_MS, TIMELINE_CHANGE_MS};
use crate::engine::model::{
    Alert, Anomaly, AnomalyKind, Change, Fingerprint, Incident, IncidentId, Severity, TimelineKind,
};
use crate::engine::settings::CorrelationSettings;
use crate::engine::world::World;

/// A hypothesis that is less sure than this blames nothing.
const BLAME_MIN: f64 = 0.05;

/// What is derived from an incident's members and kept beside it.
#[derive(Debug, Clone)]
pub(super) struct Derived {
    pub(super) harm: Harm,
    /// The members by place, for grouping.
    pub(super) bursts: Vec<Burst>,
    /// True where some member's place is not a service yet.
    pub(super) is_unplaced: bool,
}

/// What members are read with.
pub(super) struct Reader<'a> {
    pub(super) world: &'a World,
    pub(super) settings: &'a CorrelationSettings,
    pub(super) directory: &'a Directory,
    pub(super) is_flapping: &'a dyn Fn(Fingerprint) -> bool,
    pub(super) now: Timestamp,
}

impl Reader<'_> {
    fn symptoms(&self, anomalies: &[&Anomaly], alerts: &[&Alert]) -> Vec<Symptom> {
        let of_anomalies = anomalies.iter().filter_map(|anomaly| of_anomaly(anomaly, self.now, FORECAST_OPENS_MS));
        let of_alerts = alerts
            .iter()
            .filter_map(|alert| of_alert(alert, self.directory, (self.is_flapping)(alert.notice.fingerprint)));
        of_anomalies.chain(of_alerts).collect()
    }

    /// Brings everything that follows from the members up to date. `updated_at` moves only where something did.
    pub(super) fn rebuild(&self, old: &Incident) -> (Incident, Derived) {
        let world = self.world;
        let anomalies: Vec<&Anomaly> =
            old.anomalies.iter().filter_map(|id| world.anomalies.get(id)).map(AsRef::as_ref).collect();
        let placed: Vec<Alert> = old
            .alerts
            .iter()
            .filter_map(|fingerprint| world.alerts.get(fingerprint))
            .map(|alert| self.with_service(alert))
            .collect();
        let alerts: Vec<&Alert> = placed.iter().collect();
        let symptoms = self.symptoms(&anomalies, &alerts);
        let mut next = old.clone();
        self.take_places(&mut next, &symptoms);
        let last_critical = symptoms
            .iter()
            .filter(|symptom| symptom.severity == Severity::Critical && symptom.is_solid())
            .map(|symptom| symptom.onset)
            .min();
        let until = last_critical.unwrap_or(next.started_at).max(next.started_at);
        next.changes = changes::suspects(world, next.services.keys(), next.started_at, until, self.settings.hops_max);
        next.folded_count = next.folded_count.max(folded(&anomalies, &alerts));
        let shown = severity::observed(&anomalies, &alerts, &world.topology);
        if !next.is_severity_set_by_hand {
            next.severity = next.severity.max(shown.severity);
        }
        let suspects: Vec<&Change> = next
            .changes
            .iter()
            .filter_map(|id| world.changes.get(id))
            .map(AsRef::as_ref)
            .filter(|change| is_told(change, &next))
            .collect();
        let members = Members { anomalies: &anomalies, alerts: &alerts, changes: &suspects, topology: &world.topology };
        next.timeline = timeline::write(&old.timeline, &members);
        // What is being opened begins with its severity.
        if next.severity != old.severity && world.incidents.contains_key(&old.id) {
            let text = format!("severity raised from {} to {}: {}", old.severity, next.severity, shown.because);
            lifecycle::tell(&mut next, self.now, TimelineKind::State, &text, None);
        }
        if next.title.is_empty() {
            next.title = first_title(&next, &anomalies, &alerts);
        }
        if next != *old {
            next.updated_at = self.now;
        }
        let derived = derive(old.id, &symptoms, &next);
        (next, derived)
    }

    /// The alert with the service that was found for it, where it names none itself.
    pub(super) fn with_service(&self, alert: &Alert) -> Alert {
        let mut placed = alert.clone();
        if placed.notice.service.is_none() {
            placed.notice.service = self.directory.place(alert).service().cloned();
        }
        placed
    }

    fn take_places(&self, incident: &mut Incident, symptoms: &[Symptom]) {
        for symptom in symptoms.iter().filter(|symptom| symptom.is_solid()) {
            incident.started_at = incident.started_at.min(symptom.onset);
            if let Some(service) = symptom.place.service() {
                let onset = incident.services.entry(service.clone()).or_insert(symptom.onset);
                *onset = (*onset).min(symptom.onset);
            }
        }
    }
}

/// True for a suspect with a line in the timeline: near the start in time, or blamed by somebody to be believed. What
/// was changed hours before would bury the first symptom.
fn is_told(change: &Change, incident: &Incident) -> bool {
    let is_blamed = incident
        .ranking
        .hypotheses
        .iter()
        .any(|hypothesis| hypothesis.change == Some(change.id) && hypothesis.confidence.get() >= BLAME_MIN);
    is_blamed || change.notice.at >= incident.started_at - TIMELINE_CHANGE_MS
}

fn derive(id: IncidentId, symptoms: &[Symptom], incident: &Incident) -> Derived {
    let mut bursts: BTreeMap<&Place, Burst> = BTreeMap::new();
    let mut harm = Harm { active_count: 0, last_at: incident.started_at, newest_onset: incident.started_at };
    for symptom in symptoms.iter().filter(|symptom| symptom.is_solid()) {
        bursts.entry(&symptom.place).or_insert_with(|| Burst::new(symptom.place.clone(), Some(id))).take(symptom);
        if symptom.kind != SymptomKind::DueForecast || symptom.is_active {
            harm.active_count += usize::from(symptom.is_active);
            harm.last_at = harm.last_at.max(symptom.last_at);
            harm.newest_onset = harm.newest_onset.max(symptom.onset);
        }
    }
    let is_unplaced = bursts.keys().any(|place| place.service().is_none());
    Derived { harm, bursts: bursts.into_values().collect(), is_unplaced }
}

/// Anomalies, and alerts with every notice that told something new.
fn folded(anomalies: &[&Anomaly], alerts: &[&Alert]) -> u64 {
    let told: u64 = alerts.iter().map(|alert| alert.repeat_count.max(1)).sum();
    told + u64::try_from(anomalies.len()).unwrap_or(u64::MAX)
}

/// What the incident is called until a cause is looked for.
fn first_title(incident: &Incident, anomalies: &[&Anomaly], alerts: &[&Alert]) -> Arc<str> {
    let worst = anomalies.iter().filter(|anomaly| anomaly.kind != AnomalyKind::Forecast).max_by(|a, b| {
        (a.severity, std::cmp::Reverse(a.started_at), std::cmp::Reverse(a.id)).cmp(&(
            b.severity,
            std::cmp::Reverse(b.started_at),
            std::cmp::Reverse(b.id),
        ))
    });
    let first_alert = alerts.iter().min_by_key(|alert| (alert.notice.starts_at, alert.notice.fingerprint));
    let what = match (worst, first_alert, anomalies.first()) {
        (Some(anomaly), _, _) => anomaly.departure(),
        (None, Some(alert), _) => alert_title(alert),
        (None, None, Some(anomaly)) => anomaly.departure(),
        (None, None, None) => "symptoms".to_owned(),
    };
    let others = incident.services.len().saturating_sub(1);
    match others {
        0 => Arc::from(what),
        1 => Arc::from(format!("{what}; 1 more service affected")),
        _ => Arc::from(format!("{what}; {others} more services affected")),
    }
}

fn alert_title(alert: &Alert) -> String {
    match &alert.notice.service {
        Some(service) => format!("{service} {}", alert.notice.name),
        None => alert.notice.name.to_string(),
    }
}
