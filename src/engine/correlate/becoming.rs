//! What becomes of single incidents in a pass: opened, reopened, merged, joined, moved on; and of what stays weak.

use std::collections::BTreeSet;

use super::CorrelationEvent;
use super::lifecycle;
use super::pass::Pass;
use super::symptom::{Symptom, SymptomKey};
use crate::engine::model::{
    AlertState, AnomalyId, AnomalyState, Fingerprint, Incident, IncidentId, IncidentState, RunState, ServiceName,
    SuppressionReason, TimelineKind,
};

impl Pass<'_> {
    pub(super) fn open_or_reopen(&mut self, waiting: &[&Symptom]) -> IncidentId {
        if let Some(id) = self.returning(waiting) {
            if let Some(mut incident) = self.incident(id).cloned() {
                lifecycle::reopen(&mut incident, "reopened: the same symptoms are back", None, self.now);
                incident.updated_at = self.now;
                self.draft.insert(id, incident);
            }
            return id;
        }
        let id = IncidentId(self.memory.next_incident);
        self.memory.next_incident += 1;
        let started_at = waiting.iter().map(|symptom| symptom.onset).min().unwrap_or(self.now);
        let mut incident = Incident::opened(id, started_at, self.now);
        lifecycle::tell(&mut incident, self.now, TimelineKind::State, "opened", None);
        self.draft.insert(id, incident);
        self.opened.insert(id);
        id
    }

    /// The incident that these symptoms are the return of: lately resolved, with the same symptoms or the same cause.
    fn returning(&self, waiting: &[&Symptom]) -> Option<IncidentId> {
        let reach_ms = self.memory.settings.reopen_within.0;
        let identities: BTreeSet<Fingerprint> = waiting.iter().map(|symptom| symptom.identity).collect();
        let services: BTreeSet<&ServiceName> = waiting.iter().filter_map(|symptom| symptom.place.service()).collect();
        let lately = self.world.incidents.values().filter(|incident| {
            incident.state == IncidentState::Resolved
                && incident.merged_into.is_none()
                && !self.draft.get(&incident.id).is_some_and(|draft| draft.state.is_live())
                && incident.resolved_at.is_some_and(|at| self.now.since_ms(at) <= reach_ms)
        });
        lately
            .filter(|incident| {
                let has_same_cause = incident.ranking.cause().is_some_and(|cause| services.contains(&cause.service));
                has_same_cause || self.has_same_symptom(incident, &identities)
            })
            .max_by_key(|incident| (incident.resolved_at, incident.id))
            .map(|incident| incident.id)
    }

    fn has_same_symptom(&self, incident: &Incident, identities: &BTreeSet<Fingerprint>) -> bool {
        let anomalies = incident.anomalies.iter().filter_map(|id| self.world.anomalies.get(id));
        incident.alerts.iter().any(|fingerprint| identities.contains(fingerprint))
            || anomalies.into_iter().any(|anomaly| identities.contains(&anomaly.fingerprint))
    }

    /// Makes the younger a part of the older; both say why.
    pub(super) fn merge(
        &mut self,
        younger: IncidentId,
        older: IncidentId,
        why: &str,
        events: &mut Vec<CorrelationEvent>,
    ) {
        let (Some(mut from), Some(mut into)) = (self.incident(younger).cloned(), self.incident(older).cloned()) else {
            return;
        };
        for id in &from.anomalies {
            events.push(self.anomaly_mark(*id, older));
        }
        for fingerprint in &from.alerts {
            events.push(self.alert_mark(*fingerprint, older));
        }
        into.anomalies.append(&mut from.anomalies.clone());
        into.alerts.append(&mut from.alerts.clone());
        into.owner = into.owner.or_else(|| from.owner.clone());
        // Runs stay with the incident they were begun for; theirs are listed in both.
        into.runs.extend(from.runs.iter().copied());
        from.merged_into = Some(older);
        from.updated_at = self.now;
        lifecycle::resolve(&mut from, &format!("merged into {older}: {why}"), None, self.now);
        let told = format!("{younger} merged into this one: {why} ({})", from.title);
        lifecycle::tell(&mut into, self.now, TimelineKind::State, &told, None);
        // What a person called grave stays grave in whatever it becomes a part of.
        if from.is_severity_set_by_hand && !into.is_severity_set_by_hand && from.severity > into.severity {
            let told = format!("severity raised from {} to {}, as set on {younger}", into.severity, from.severity);
            lifecycle::tell(&mut into, self.now, TimelineKind::State, &told, None);
            into.severity = from.severity;
        }
        into.updated_at = self.now;
        self.memory.derived.remove(&younger);
        self.memory.homes.values_mut().filter(|home| **home == younger).for_each(|home| *home = older);
        self.memory.stale.insert(older);
        self.draft.insert(younger, from);
        self.draft.insert(older, into);
    }

    pub(super) fn join(&mut self, id: IncidentId, key: SymptomKey, events: &mut Vec<CorrelationEvent>) {
        let Some(mut incident) = self.draft.remove(&id).or_else(|| self.incident(id).cloned()) else {
            return;
        };
        match key {
            SymptomKey::Anomaly(anomaly) => {
                incident.anomalies.insert(anomaly);
                events.push(self.anomaly_mark(anomaly, id));
            }
            SymptomKey::Alert(alert) => {
                incident.alerts.insert(alert);
                events.push(self.alert_mark(alert, id));
            }
        }
        self.memory.waiting.remove(&key);
        self.memory.stale.insert(id);
        self.draft.insert(id, incident);
    }

    fn anomaly_mark(&self, id: AnomalyId, incident: IncidentId) -> CorrelationEvent {
        CorrelationEvent::AnomalyMarked { id, incident: Some(incident), suppressed: None }
    }

    fn alert_mark(&self, fingerprint: Fingerprint, incident: IncidentId) -> CorrelationEvent {
        let service = self
            .world
            .alerts
            .get(&fingerprint)
            .filter(|alert| alert.notice.service.is_none())
            .and_then(|alert| self.directory.place(alert).service().cloned());
        let suppressed = Some(SuppressionReason::Folded { incident });
        CorrelationEvent::AlertMarked { fingerprint, service, incident: Some(incident), suppressed }
    }

    /// Moves the life cycle of every live incident on.
    pub(super) fn advance(&mut self) {
        let ids: Vec<IncidentId> = self.memory.derived.keys().copied().collect();
        for id in ids {
            let (Some(incident), Some(derived)) = (self.incident(id), self.memory.derived.get(&id)) else {
                continue;
            };
            if !incident.state.is_live() {
                self.memory.derived.remove(&id);
                continue;
            }
            let is_held = self.is_held(incident);
            let mut next = incident.clone();
            let quiet_ms = self.memory.settings.quiet_after.0;
            lifecycle::advance(&mut next, &derived.harm, quiet_ms, is_held, self.now);
            if next.state != incident.state {
                next.updated_at = self.now;
                if !next.state.is_live() {
                    self.memory.derived.remove(&id);
                }
                self.draft.insert(id, next);
            }
        }
    }

    pub(super) fn is_held(&self, incident: &Incident) -> bool {
        let runs = incident.runs.iter().filter_map(|run| self.world.runs.get(run));
        runs.into_iter().any(|run| matches!(run.state, RunState::Active | RunState::Interrupted))
    }

    /// What stayed alone and is gone for longer than the window is too weak to matter.
    pub(super) fn give_up_weak(&mut self, symptoms: &[Symptom], window_ms: i64, events: &mut Vec<CorrelationEvent>) {
        for symptom in symptoms {
            let is_lasting =
                symptom.is_active && self.now.since_ms(symptom.onset) >= self.memory.settings.quiet_after.0;
            if is_lasting && self.memory.waiting.contains(&symptom.key) {
                events.extend(self.lone_mark(symptom.key));
            }
            let is_gone = !symptom.is_active && self.now.since_ms(symptom.last_at) > window_ms;
            if is_gone && self.memory.waiting.remove(&symptom.key) {
                events.extend(self.weak_mark(symptom.key));
            }
        }
    }

    /// An alert that lasts and has nothing beside it says why it is no incident.
    fn lone_mark(&self, key: SymptomKey) -> Option<CorrelationEvent> {
        let SymptomKey::Alert(fingerprint) = key else {
            return None;
        };
        let alert = self.world.alerts.get(&fingerprint).filter(|alert| alert.suppressed.is_none())?;
        let (incident, suppressed) = (alert.incident, Some(SuppressionReason::TooWeak));
        Some(CorrelationEvent::AlertMarked { fingerprint, service: None, incident, suppressed })
    }

    fn weak_mark(&self, key: SymptomKey) -> Option<CorrelationEvent> {
        let suppressed = Some(SuppressionReason::TooWeak);
        match key {
            SymptomKey::Anomaly(id) => {
                let anomaly = self.world.anomalies.get(&id)?;
                (anomaly.state == AnomalyState::Ended && anomaly.suppressed.is_none())
                    .then_some(CorrelationEvent::AnomalyMarked { id, incident: None, suppressed })
            }
            SymptomKey::Alert(fingerprint) => {
                let alert = self.world.alerts.get(&fingerprint)?;
                (alert.notice.state == AlertState::Resolved && alert.suppressed.is_none())
                    .then_some(CorrelationEvent::AlertMarked { fingerprint, service: None, incident: None, suppressed })
            }
        }
    }
}
