//! A group in which several failures show: each becomes an incident of its own, or goes on as the one it is already.

use std::collections::{BTreeMap, BTreeSet};

use super::CorrelationEvent;
use super::opening::is_warranted;
use super::opinion::Opinion;
use super::pass::Pass;
use super::symptom::{Symptom, SymptomKey};
use crate::engine::model::IncidentId;

impl Pass<'_> {
    /// What is thought of a group's members and of what waits to join it.
    pub(super) fn opinion(&self, incidents: &BTreeSet<IncidentId>, waiting: &[&Symptom]) -> Opinion {
        let mut symptoms: BTreeSet<SymptomKey> = waiting.iter().map(|symptom| symptom.key).collect();
        incidents.iter().for_each(|id| symptoms.extend(self.members(*id)));
        Opinion::of(self.world, &self.directory, &symptoms)
    }

    fn members(&self, id: IncidentId) -> Vec<SymptomKey> {
        let Some(incident) = self.incident(id) else { return Vec::new() };
        let anomalies = incident.anomalies.iter().map(|id| SymptomKey::Anomaly(*id));
        anomalies.chain(incident.alerts.iter().map(|id| SymptomKey::Alert(*id))).collect()
    }

    /// Gives every failure its incident, and every waiting symptom its failure; what belongs to none goes where its
    /// service is, else to the oldest.
    pub(super) fn settle_apart(
        &mut self,
        opinion: &Opinion,
        incidents: &BTreeSet<IncidentId>,
        waiting: &[&Symptom],
        events: &mut Vec<CorrelationEvent>,
    ) {
        let mut homes: BTreeMap<u32, IncidentId> = BTreeMap::new();
        let mut all: Vec<IncidentId> = incidents.iter().copied().collect();
        for id in incidents {
            if let Some(failure) = opinion.failure_of_most(self.members(*id).into_iter()) {
                match homes.get(&failure).copied() {
                    None => {
                        homes.insert(failure, *id);
                    }
                    Some(older) if !self.are_two_failures(older, *id) => {
                        self.merge(*id, older, "one root explains the symptoms of both", events);
                        all.retain(|kept| kept != id);
                    }
                    Some(_) => {}
                }
            }
        }
        for failure in &opinion.failures {
            let own: Vec<&Symptom> =
                waiting.iter().copied().filter(|symptom| opinion.failure_of(symptom.key) == Some(*failure)).collect();
            if !homes.contains_key(failure) && is_warranted(&own, &self.memory.settings, self.now) {
                let id = self.open_or_reopen(&own);
                homes.insert(*failure, id);
                all.push(id);
            }
            if let Some(home) = homes.get(failure) {
                own.iter().for_each(|symptom| self.join(*home, symptom, events));
            }
        }
        for symptom in waiting.iter().filter(|symptom| opinion.failure_of(symptom.key).is_none()) {
            let is_there = |id: &&IncidentId| {
                let services = self.incident(**id).map(|incident| &incident.services);
                symptom.place.service().zip(services).is_some_and(|(service, all)| all.contains_key(service))
            };
            if let Some(home) = all.iter().find(is_there).or(all.first()).copied() {
                self.join(home, symptom, events);
            }
        }
    }
}
