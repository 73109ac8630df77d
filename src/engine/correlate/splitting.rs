//! One incident that turned out to be two failures: the second leaves with its members, and both say why.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::membership::{Reader, blank};
use super::step::Correlator;
use super::symptom::Directory;
use super::{CorrelationEvent, lifecycle};
use crate::engine::clock::Timestamp;
use crate::engine::model::{
    AnomalyId, Fingerprint, Incident, IncidentId, ServiceName, SuppressionReason, TimelineKind,
};
use crate::engine::world::World;

impl Correlator {
    /// Takes the members on `services` out of an incident into a new one. Nothing happens where none or all would go.
    /// The two are never merged again for being near each other, only where their causes turn out to be the same.
    pub fn split(
        &mut self,
        world: &World,
        id: IncidentId,
        services: &BTreeSet<ServiceName>,
        because: &str,
        now: Timestamp,
    ) -> Vec<CorrelationEvent> {
        let Some(whole) = world.incidents.get(&id).filter(|incident| incident.state.is_live()) else {
            return Vec::new();
        };
        let anomalies: BTreeSet<AnomalyId> = whole
            .anomalies
            .iter()
            .filter(|id| world.anomalies.get(id).is_some_and(|anomaly| services.contains(&anomaly.service)))
            .copied()
            .collect();
        let is_theirs = |alert: &Fingerprint| {
            let service = world.alerts.get(alert).and_then(|alert| alert.notice.service.as_ref());
            service.is_some_and(|service| services.contains(service))
        };
        let alerts: BTreeSet<Fingerprint> = whole.alerts.iter().filter(|id| is_theirs(id)).copied().collect();
        let moved = anomalies.len() + alerts.len();
        if moved == 0 || moved == whole.anomalies.len() + whole.alerts.len() {
            return Vec::new();
        }
        let younger = IncidentId(self.next_incident);
        self.next_incident += 1;
        let started_at = services.iter().filter_map(|service| whole.services.get(service)).min();
        let mut part = blank(younger, started_at.copied().unwrap_or(now), now);
        part.split_from = Some(id);
        part.anomalies.clone_from(&anomalies);
        part.alerts.clone_from(&alerts);
        let told = format!("split off from {id}: {because}");
        lifecycle::tell(&mut part, now, TimelineKind::State, &told, None);
        let mut rest = whole.as_ref().clone();
        leave(&mut rest, &anomalies, &alerts, services);
        let told = format!("{younger} split off: {because}");
        lifecycle::tell(&mut rest, now, TimelineKind::State, &told, None);
        rest.updated_at = now;
        let part = self.settle(world, &part, now);
        let rest = self.settle(world, &rest, now);
        let mut events =
            vec![CorrelationEvent::IncidentOpened(Arc::new(part)), CorrelationEvent::IncidentChanged(Arc::new(rest))];
        events.extend(anomalies.into_iter().map(|id| CorrelationEvent::AnomalyMarked {
            id,
            incident: Some(younger),
            suppressed: None,
        }));
        events.extend(alerts.into_iter().map(|fingerprint| CorrelationEvent::AlertMarked {
            fingerprint,
            service: None,
            incident: Some(younger),
            suppressed: Some(SuppressionReason::Folded { incident: younger }),
        }));
        events
    }

    /// What follows from the members as they are now, remembered beside the incident.
    fn settle(&mut self, world: &World, incident: &Incident, now: Timestamp) -> Incident {
        let flapping = &self.flapping;
        let is_flapping = |alert: Fingerprint| flapping.changes(alert, now).is_some();
        let directory = Directory::new(world);
        let reader = Reader { world, settings: &self.settings, directory: &directory, is_flapping: &is_flapping, now };
        let (settled, derived) = reader.rebuild(incident);
        self.derived.insert(incident.id, derived);
        settled
    }
}

/// Takes members and everything that is told of them away.
fn leave(
    incident: &mut Incident,
    anomalies: &BTreeSet<AnomalyId>,
    alerts: &BTreeSet<Fingerprint>,
    services: &BTreeSet<ServiceName>,
) {
    incident.anomalies.retain(|id| !anomalies.contains(id));
    incident.alerts.retain(|id| !alerts.contains(id));
    incident.services.retain(|service, _| !services.contains(service));
    incident.timeline.retain(|entry| entry.anomaly.is_none_or(|id| !anomalies.contains(&id)));
    // Both are counted anew from the members that stay.
    incident.started_at = incident.services.values().min().copied().unwrap_or(incident.started_at);
    incident.folded_count = 0;
}
