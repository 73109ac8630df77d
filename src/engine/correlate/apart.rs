//! A new group in which several failures show: each becomes an incident of its own from the beginning.

use std::collections::{BTreeMap, BTreeSet};

use super::CorrelationEvent;
use super::opening::is_warranted;
use super::opinion::Opinion;
use super::pass::Pass;
use super::symptom::{Symptom, SymptomKey};
use crate::engine::model::IncidentId;

impl Pass<'_> {
    /// What is thought of a group that is no incident yet.
    pub(super) fn opinion(&self, waiting: &[&Symptom]) -> Opinion {
        let symptoms: BTreeSet<SymptomKey> = waiting.iter().map(|symptom| symptom.key).collect();
        Opinion::of(self.world, &self.directory, &symptoms)
    }

    /// Gives every failure that is worth one its incident; what belongs to none goes where its service is, else to the
    /// oldest. Where nothing is warranted yet, everything goes on waiting.
    pub(super) fn settle_apart(&mut self, opinion: &Opinion, waiting: &[&Symptom], events: &mut Vec<CorrelationEvent>) {
        let mut homes: BTreeMap<u32, IncidentId> = BTreeMap::new();
        for failure in &opinion.failures {
            let own: Vec<&Symptom> =
                waiting.iter().copied().filter(|symptom| opinion.failure_of(symptom.key) == Some(*failure)).collect();
            if is_warranted(&own, &self.memory.settings, self.now) {
                let id = self.open_or_reopen(&own);
                homes.insert(*failure, id);
                own.iter().for_each(|symptom| self.join(id, symptom, events));
            }
        }
        self.refresh_stale();
        let home_of = |symptom: &Symptom| opinion.failure_of(symptom.key).and_then(|failure| homes.get(&failure));
        for symptom in waiting.iter().filter(|symptom| home_of(symptom).is_none()) {
            let is_there = |id: &&IncidentId| {
                let services = self.incident(**id).map(|incident| &incident.services);
                symptom.place.service().zip(services).is_some_and(|(service, all)| all.contains_key(service))
            };
            if let Some(home) = homes.values().find(is_there).or(homes.values().next()).copied() {
                self.join(home, symptom, events);
            }
        }
    }
}
