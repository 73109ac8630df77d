//! Members that leave one incident for another, or for one of their own.

use std::collections::BTreeSet;

use super::CorrelationEvent;
use super::lifecycle;
use super::pass::Pass;
use super::symptom::SymptomKey;
use crate::engine::clock::Timestamp;
use crate::engine::model::{Incident, IncidentId, ServiceName, TimelineKind};

impl Pass<'_> {
    /// Takes `members` of `whole` out into an incident of their own; both say why. `None`, and nothing has changed, where
    /// none of them or all would go.
    pub(super) fn part(
        &mut self,
        whole: IncidentId,
        members: &BTreeSet<SymptomKey>,
        because: &str,
        events: &mut Vec<CorrelationEvent>,
    ) -> Option<IncidentId> {
        let from = self.incident(whole).filter(|incident| incident.state.is_live())?;
        let leaving = members.iter().filter(|key| has(from, **key)).count();
        if leaving == 0 || leaving == from.anomalies.len() + from.alerts.len() {
            return None;
        }
        let started_at = members.iter().filter_map(|key| self.onset(*key)).min();
        let id = IncidentId(self.memory.next_incident);
        self.memory.next_incident += 1;
        let mut part = Incident::opened(id, started_at.unwrap_or(self.now), self.now);
        part.split_from = Some(whole);
        lifecycle::tell(&mut part, self.now, TimelineKind::State, &format!("split off from {whole}: {because}"), None);
        self.draft.insert(id, part);
        self.opened.insert(id);
        if let Some(mut rest) = self.draft.remove(&whole).or_else(|| self.incident(whole).cloned()) {
            let told = format!("{id} split off: {because}");
            lifecycle::tell(&mut rest, self.now, TimelineKind::State, &told, None);
            rest.updated_at = self.now;
            self.draft.insert(whole, rest);
        }
        self.transfer(members, whole, id, events);
        Some(id)
    }

    /// Moves those of `members` that `from` has to `to`.
    pub(super) fn transfer(
        &mut self,
        members: &BTreeSet<SymptomKey>,
        from: IncidentId,
        to: IncidentId,
        events: &mut Vec<CorrelationEvent>,
    ) {
        let Some(mut rest) = self.draft.remove(&from).or_else(|| self.incident(from).cloned()) else { return };
        let leaving: Vec<SymptomKey> = members.iter().copied().filter(|key| has(&rest, *key)).collect();
        for key in &leaving {
            match key {
                SymptomKey::Anomaly(id) => {
                    rest.anomalies.remove(id);
                    rest.timeline.retain(|entry| entry.anomaly != Some(*id));
                }
                SymptomKey::Alert(id) => {
                    rest.alerts.remove(id);
                }
            }
        }
        self.settle_rest(&mut rest);
        self.memory.stale.insert(from);
        self.draft.insert(from, rest);
        leaving.into_iter().for_each(|key| self.join(to, key, events));
    }

    /// What follows from the members, counted anew from those that stay.
    fn settle_rest(&self, rest: &mut Incident) {
        let anomalies = rest.anomalies.iter().map(|id| SymptomKey::Anomaly(*id));
        let alerts = rest.alerts.iter().map(|id| SymptomKey::Alert(*id));
        let services: BTreeSet<ServiceName> = anomalies.chain(alerts).filter_map(|key| self.service_of(key)).collect();
        rest.services.retain(|service, _| services.contains(service));
        rest.started_at = rest.services.values().min().copied().unwrap_or(rest.started_at);
        rest.folded_count = 0;
        rest.updated_at = self.now;
    }

    /// The service a symptom is on.
    pub(super) fn service_of(&self, key: SymptomKey) -> Option<ServiceName> {
        match key {
            SymptomKey::Anomaly(id) => self.world.anomalies.get(&id).map(|anomaly| anomaly.service.clone()),
            SymptomKey::Alert(id) => self.directory.place(self.world.alerts.get(&id)?).service().cloned(),
        }
    }

    fn onset(&self, key: SymptomKey) -> Option<Timestamp> {
        match key {
            SymptomKey::Anomaly(id) => self.world.anomalies.get(&id).map(|anomaly| anomaly.started_at),
            SymptomKey::Alert(id) => self.world.alerts.get(&id).map(|alert| alert.notice.starts_at),
        }
    }
}

/// True where an incident has the symptom.
pub(super) fn has(incident: &Incident, key: SymptomKey) -> bool {
    match key {
        SymptomKey::Anomaly(id) => incident.anomalies.contains(&id),
        SymptomKey::Alert(id) => incident.alerts.contains(&id),
    }
}
