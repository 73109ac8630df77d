//! One pass over what waits and what is live: group, settle each group, and say what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::CorrelationEvent;
use super::grouping::{self, Burst, Surroundings};
use super::membership::Reader;
use super::opening::is_warranted;
use super::step::Correlator;
use super::symptom::{Directory, Place, Symptom, SymptomKey, of_alert, of_anomaly};
use crate::engine::clock::Timestamp;
use crate::engine::limits::{CLOCK_SKEW_MS, FORECAST_OPENS_MS, SAME_PLACE_REACH_MS};
use crate::engine::model::{Fingerprint, Incident, IncidentId, ServiceName, SuppressionReason, human_span};
use crate::engine::world::World;

/// One pass over what waits and what is live.
pub(super) struct Pass<'a> {
    pub(super) memory: &'a mut Correlator,
    pub(super) world: &'a World,
    pub(super) now: Timestamp,
    pub(super) directory: Directory,
    /// Incidents as this pass leaves them.
    pub(super) draft: BTreeMap<IncidentId, Incident>,
    pub(super) opened: BTreeSet<IncidentId>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(memory: &'a mut Correlator, world: &'a World, now: Timestamp) -> Self {
        let names_no_service = |key: &SymptomKey| match key {
            SymptomKey::Alert(id) => world.alerts.get(id).is_some_and(|alert| alert.notice.service.is_none()),
            SymptomKey::Anomaly(_) => false,
        };
        let is_unplaced = memory.waiting.iter().any(names_no_service)
            || memory.derived.values().any(|derived| derived.is_unplaced)
            || memory.stale.iter().any(|id| !memory.derived.contains_key(id));
        let directory = if is_unplaced { Directory::new(world) } else { Directory::default() };
        Self { memory, world, now, directory, draft: BTreeMap::new(), opened: BTreeSet::new() }
    }

    pub(super) fn run(mut self, events: &mut Vec<CorrelationEvent>) {
        self.settle_flapping();
        self.memory.habits.look(self.world, self.now);
        let mut symptoms = self.waiting_symptoms(events);
        self.set_habits_aside(&mut symptoms, events);
        self.refresh_stale();
        let has_judged = self.hear_cases();
        if has_judged || self.has_homeless() {
            self.settle_cases(&symptoms, events);
        }
        self.refresh_stale();
        symptoms.retain(|symptom| self.memory.waiting.contains(&symptom.key));
        self.group(&symptoms, events);
        self.refresh_stale();
        self.merge_by_cause(events);
        self.refresh_stale();
        self.advance();
        let settings_window = self.memory.settings.window.0;
        self.give_up_weak(&symptoms, settings_window, events);
        self.finish(events);
    }

    fn settle_flapping(&mut self) {
        for fingerprint in self.memory.flapping.forget_settled(self.now) {
            if let Some(alert) = self.world.alerts.get(&fingerprint) {
                self.memory.stale.extend(alert.incident);
            }
        }
    }

    /// What waits and still counts; what no longer does is forgotten.
    fn waiting_symptoms(&mut self, events: &mut Vec<CorrelationEvent>) -> Vec<Symptom> {
        let (world, now) = (self.world, self.now);
        let mut symptoms = Vec::with_capacity(self.memory.waiting.len());
        let keys: Vec<SymptomKey> = self.memory.waiting.iter().copied().collect();
        for key in keys {
            let symptom = match key {
                SymptomKey::Anomaly(id) => {
                    world.anomalies.get(&id).and_then(|anomaly| of_anomaly(anomaly, now, FORECAST_OPENS_MS))
                }
                SymptomKey::Alert(id) => world.alerts.get(&id).and_then(|alert| {
                    of_alert(alert, &self.directory, self.memory.flapping.changes(id, now).is_some())
                }),
            };
            match symptom {
                Some(symptom) => symptoms.push(symptom),
                None => {
                    self.memory.waiting.remove(&key);
                }
            }
        }
        self.unmark_settled(&symptoms, events);
        symptoms
    }

    /// Has cases hear what was touched, and judge; true where they did.
    fn hear_cases(&mut self) -> bool {
        let Correlator { cases, affinities, unheard, flapping, .. } = &mut *self.memory;
        cases.look_around(self.world, affinities);
        let touched: Vec<Symptom> = std::mem::take(unheard)
            .into_iter()
            .filter_map(|key| match key {
                SymptomKey::Anomaly(id) => of_anomaly(self.world.anomalies.get(&id)?, self.now, FORECAST_OPENS_MS),
                SymptomKey::Alert(id) => {
                    let is_flapping = flapping.changes(id, self.now).is_some();
                    of_alert(self.world.alerts.get(&id)?, &self.directory, is_flapping)
                }
            })
            .collect();
        cases.hear(self.world, &touched, self.now);
        cases.judge(self.world, self.now)
    }

    /// An alert that no longer flaps loses the mark.
    fn unmark_settled(&self, symptoms: &[Symptom], events: &mut Vec<CorrelationEvent>) {
        for symptom in symptoms {
            if let SymptomKey::Alert(id) = symptom.key
                && self.memory.flapping.changes(id, self.now).is_none()
                && let Some(alert) = self.world.alerts.get(&id)
                && matches!(alert.suppressed, Some(SuppressionReason::Flapping { .. }))
            {
                events.push(CorrelationEvent::AlertMarked {
                    fingerprint: id,
                    service: None,
                    incident: None,
                    suppressed: None,
                });
            }
        }
    }

    pub(super) fn incident(&self, id: IncidentId) -> Option<&Incident> {
        self.draft.get(&id).or_else(|| self.world.incidents.get(&id).map(AsRef::as_ref))
    }

    /// Brings the incidents whose members were touched up to date.
    pub(super) fn refresh_stale(&mut self) {
        let stale = std::mem::take(&mut self.memory.stale);
        for id in stale {
            let Some(incident) = self.incident(id).filter(|incident| incident.state.is_live()) else {
                self.memory.derived.remove(&id);
                self.memory.parted.remove(&id);
                continue;
            };
            let flapping = &self.memory.flapping;
            let is_flapping = |alert: Fingerprint| flapping.changes(alert, self.now).is_some();
            let reader = Reader {
                world: self.world,
                settings: &self.memory.settings,
                directory: &self.directory,
                is_flapping: &is_flapping,
                now: self.now,
            };
            let (next, derived) = reader.rebuild(incident);
            self.memory.derived.insert(id, derived);
            self.draft.insert(id, next);
        }
    }

    fn group(&mut self, symptoms: &[Symptom], events: &mut Vec<CorrelationEvent>) {
        let edge_count = self.world.topology.edges().count();
        let has_new_edge = edge_count != self.memory.edge_count && self.memory.derived.len() > 1;
        self.memory.edge_count = edge_count;
        if symptoms.is_empty() && !has_new_edge {
            return;
        }
        let window_ms = self.memory.settings.window.0;
        let mut bursts = grouping::bursts(symptoms, window_ms);
        for (id, derived) in &self.memory.derived {
            let is_explained = self.case_at(*id).is_some();
            bursts.extend(derived.bursts.iter().cloned().map(|burst| Burst { is_explained, ..burst }));
        }
        let changes = self.recent_changes(&bursts, window_ms);
        let around = Surroundings {
            topology: &self.world.topology,
            affinities: &self.memory.affinities,
            changes: &changes,
            window_ms,
            hops_max: self.memory.settings.hops_max,
        };
        let by_key: BTreeMap<SymptomKey, &Symptom> = symptoms.iter().map(|symptom| (symptom.key, symptom)).collect();
        // The earliest group opens first, so that numbers follow time.
        let mut groups = grouping::groups(&bursts, &around);
        groups.sort_by_key(|group| group.iter().filter_map(|at| bursts[*at].onsets.first()).min().copied());
        for group in groups {
            let group: Vec<&Burst> = group.into_iter().map(|at| &bursts[at]).collect();
            self.settle_group(&group, &by_key, events);
        }
        self.take_followers(symptoms, events);
    }

    /// When changes took effect lately, by service.
    fn recent_changes(&self, bursts: &[Burst], window_ms: i64) -> BTreeMap<ServiceName, Vec<Timestamp>> {
        let onsets = || bursts.iter().flat_map(|burst| burst.onsets.iter());
        let (Some(first), Some(last)) = (onsets().min(), onsets().max()) else {
            return BTreeMap::new();
        };
        let mut changes: BTreeMap<ServiceName, Vec<Timestamp>> = BTreeMap::new();
        for change in self.world.changes.values() {
            let notice = &change.notice;
            if let Some(service) = &notice.service
                && notice.has_taken_effect
                && notice.at >= *first - window_ms
                && notice.at <= *last + CLOCK_SKEW_MS
            {
                changes.entry(service.clone()).or_default().push(notice.at);
            }
        }
        changes
    }

    fn settle_group(
        &mut self,
        group: &[&Burst],
        by_key: &BTreeMap<SymptomKey, &Symptom>,
        events: &mut Vec<CorrelationEvent>,
    ) {
        let incidents: BTreeSet<IncidentId> = group.iter().filter_map(|burst| burst.incident).collect();
        let waiting: Vec<&Symptom> =
            group.iter().flat_map(|burst| &burst.waiting).filter_map(|key| by_key.get(key).copied()).collect();
        let older = match incidents.first() {
            Some(older) => *older,
            None if is_warranted(&waiting, &self.memory.settings, self.now) => self.open_or_reopen(&waiting),
            None => return,
        };
        let mut homes = vec![older];
        for younger in incidents.iter().skip(1) {
            if self.are_two_failures(older, *younger) {
                homes.push(*younger);
            } else {
                let window = human_span(self.memory.settings.window.0);
                let why = format!("symptoms within {window} on services that call each other");
                self.merge(*younger, older, &why, events);
            }
        }
        for symptom in waiting {
            let is_home = |id: &&IncidentId| {
                let services = self.incident(**id).map(|incident| &incident.services);
                symptom.place.service().zip(services).is_some_and(|(service, all)| all.contains_key(service))
            };
            let home = homes.iter().find(is_home).copied().unwrap_or(older);
            self.join(home, symptom.key, events);
        }
    }

    /// Forecasts and mere information join an incident that is about their place already.
    fn take_followers(&mut self, symptoms: &[Symptom], events: &mut Vec<CorrelationEvent>) {
        let followers: Vec<&Symptom> =
            symptoms.iter().filter(|symptom| !symptom.is_solid() && symptom.is_active).collect();
        if followers.is_empty() {
            return;
        }
        self.refresh_stale();
        let mut about: BTreeMap<Place, IncidentId> = BTreeMap::new();
        // What an explained incident consists of is said by its explanation.
        for (id, derived) in self.memory.derived.iter().rev().filter(|(id, _)| self.case_at(**id).is_none()) {
            let fresh = derived.bursts.iter().filter(|burst| {
                burst.onsets.last().is_some_and(|onset| self.now.since_ms(*onset) <= SAME_PLACE_REACH_MS)
            });
            about.extend(fresh.map(|burst| (burst.place.clone(), *id)));
        }
        for follower in followers {
            if let Some(id) = about.get(&follower.place) {
                self.join(*id, follower.key, events);
            }
        }
    }

    /// Says what became of the incidents: new ones first, so that marks never name one that is not there yet.
    pub(super) fn finish(self, events: &mut Vec<CorrelationEvent>) {
        let marks = std::mem::take(events);
        for (id, incident) in self.draft {
            if self.opened.contains(&id) {
                events.push(CorrelationEvent::IncidentOpened(Arc::new(incident)));
            } else if self.world.incidents.get(&id).is_none_or(|before| **before != incident) {
                events.push(CorrelationEvent::IncidentChanged(Arc::new(incident)));
            }
        }
        events.extend(marks);
    }
}
