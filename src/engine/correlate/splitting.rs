//! One incident that turned out to be two failures: the second leaves with its members, and both say why.

use std::collections::BTreeSet;

use super::CorrelationEvent;
use super::pass::Pass;
use super::step::Correlator;
use super::symptom::SymptomKey;
use crate::engine::clock::Timestamp;
use crate::engine::model::{AnomalyId, Fingerprint, IncidentId, ServiceName};
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
        let members: BTreeSet<SymptomKey> =
            anomalies.into_iter().map(SymptomKey::Anomaly).chain(alerts.into_iter().map(SymptomKey::Alert)).collect();
        let mut events = Vec::new();
        let mut pass = Pass::new(self, world, now);
        if pass.part(id, &members, because, &mut events).is_none() {
            return Vec::new();
        }
        pass.refresh_stale();
        pass.finish(&mut events);
        events
    }
}
