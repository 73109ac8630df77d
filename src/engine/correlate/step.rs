//! The correlator: the small memory beside the world, and the step that turns what was touched into events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::flapping::Flapping;
use super::grouping::{self, Burst, Surroundings};
use super::lifecycle;
use super::membership::{Derived, Reader, blank};
use super::opening::is_warranted;
use super::symptom::{Directory, Place, Symptom, SymptomKey, of_alert, of_anomaly};
use super::{CorrelationEvent, Touched};
use crate::engine::clock::Timestamp;
use crate::engine::limits::{CLOCK_SKEW_MS, FORECAST_OPENS_MS, SAME_PLACE_REACH_MS};
use crate::engine::model::{
    AlertState, AnomalyState, Fingerprint, Incident, IncidentId, IncidentState, RunState, ServiceName,
    SuppressionReason,
};
use crate::engine::settings::CorrelationSettings;
use crate::engine::world::World;

/// What correlation remembers between steps; everything in it can be found again from the world.
#[derive(Debug)]
pub struct Correlator {
    settings: CorrelationSettings,
    next_incident: u64,
    /// Symptoms of no live incident.
    waiting: BTreeSet<SymptomKey>,
    /// Incidents whose members were touched.
    stale: BTreeSet<IncidentId>,
    derived: BTreeMap<IncidentId, Derived>,
    flapping: Flapping,
    /// Size of the topology at the last grouping: a new edge may connect two incidents.
    edge_count: usize,
}

impl Correlator {
    /// With nothing in memory.
    #[must_use]
    pub fn new(settings: &CorrelationSettings) -> Self {
        Self {
            settings: settings.clone(),
            next_incident: 1,
            waiting: BTreeSet::new(),
            stale: BTreeSet::new(),
            derived: BTreeMap::new(),
            flapping: Flapping::default(),
            edge_count: 0,
        }
    }

    /// Finds its memory again from the world, after a start.
    pub fn restore(&mut self, world: &World) {
        self.next_incident = world.incidents.keys().next_back().map_or(1, |id| id.0 + 1);
        self.stale = live(world).map(|incident| incident.id).collect();
        self.derived.clear();
        let everything = Touched {
            anomalies: world.anomalies.keys().copied().collect(),
            alerts: world.alerts.keys().copied().collect(),
            ..Touched::default()
        };
        let now = world.alerts.values().map(|alert| alert.last_seen_at).max().unwrap_or_default();
        self.hear(world, &everything, now);
    }

    /// Takes in what was touched; on a tick, groups, opens, merges, brings up to date and moves life cycles on.
    pub fn step(&mut self, world: &World, touched: &Touched, now: Timestamp) -> Vec<CorrelationEvent> {
        let mut events = self.hear(world, touched, now);
        if touched.is_tick {
            Pass::new(self, world, now).run(&mut events);
        }
        events
    }

    /// Remembers what has to be looked at; costs the number of things touched.
    fn hear(&mut self, world: &World, touched: &Touched, now: Timestamp) -> Vec<CorrelationEvent> {
        let mut events = Vec::new();
        for id in &touched.anomalies {
            if let Some(anomaly) = world.anomalies.get(id) {
                self.hear_one(world, SymptomKey::Anomaly(*id), anomaly.incident, anomaly.started_at);
            }
        }
        for fingerprint in &touched.alerts {
            if let Some(alert) = world.alerts.get(fingerprint) {
                let began_flapping = self.flapping.look(alert, now);
                if began_flapping && alert.incident.is_none() {
                    events.extend(self.flapping_mark(*fingerprint, None, now));
                }
                self.hear_one(world, SymptomKey::Alert(*fingerprint), alert.incident, alert.notice.starts_at);
            }
        }
        if !touched.changes.is_empty() {
            self.stale.extend(live(world).map(|incident| incident.id));
        }
        self.stale.extend(touched.incidents.iter().copied());
        events
    }

    fn hear_one(&mut self, world: &World, key: SymptomKey, incident: Option<IncidentId>, onset: Timestamp) {
        match incident.and_then(|id| world.incidents.get(&id)) {
            Some(incident) if incident.state.is_live() => {
                self.stale.insert(incident.id);
            }
            // Over: only what began after its end is news.
            Some(incident) if incident.resolved_at.is_some_and(|at| onset <= at) => {}
            Some(_) | None => {
                self.waiting.insert(key);
            }
        }
    }

    fn flapping_mark(
        &self,
        fingerprint: Fingerprint,
        incident: Option<IncidentId>,
        now: Timestamp,
    ) -> Option<CorrelationEvent> {
        let changes = self.flapping.changes(fingerprint, now)?;
        let suppressed = Some(SuppressionReason::Flapping { changes });
        Some(CorrelationEvent::AlertMarked { fingerprint, service: None, incident, suppressed })
    }
}

fn live(world: &World) -> impl Iterator<Item = &Incident> {
    world.incidents.values().map(AsRef::as_ref).filter(|incident| incident.state.is_live())
}

/// One pass over what waits and what is live.
struct Pass<'a> {
    memory: &'a mut Correlator,
    world: &'a World,
    now: Timestamp,
    directory: Directory,
    /// Incidents as this pass leaves them.
    draft: BTreeMap<IncidentId, Incident>,
    opened: BTreeSet<IncidentId>,
}

impl<'a> Pass<'a> {
    fn new(memory: &'a mut Correlator, world: &'a World, now: Timestamp) -> Self {
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

    fn run(mut self, events: &mut Vec<CorrelationEvent>) {
        self.settle_flapping();
        let symptoms = self.waiting_symptoms(events);
        self.refresh_stale();
        self.group(&symptoms, events);
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

    fn incident(&self, id: IncidentId) -> Option<&Incident> {
        self.draft.get(&id).or_else(|| self.world.incidents.get(&id).map(AsRef::as_ref))
    }

    /// Brings the incidents whose members were touched up to date.
    fn refresh_stale(&mut self) {
        let stale = std::mem::take(&mut self.memory.stale);
        for id in stale {
            let Some(incident) = self.incident(id).filter(|incident| incident.state.is_live()) else {
                self.memory.derived.remove(&id);
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
        bursts.extend(self.memory.derived.values().flat_map(|derived| derived.bursts.iter().cloned()));
        let changes = self.recent_changes(&bursts, window_ms);
        let around = Surroundings {
            topology: &self.world.topology,
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
            None if is_warranted(&waiting, self.memory.settings.quiet_after.0, self.now) => {
                self.open_or_reopen(&waiting)
            }
            None => return,
        };
        for younger in incidents.iter().skip(1) {
            self.merge(*younger, older, events);
        }
        for symptom in waiting {
            self.join(older, symptom, events);
        }
    }

    fn open_or_reopen(&mut self, waiting: &[&Symptom]) -> IncidentId {
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
        let mut incident = blank(id, started_at, self.now);
        lifecycle::tell(&mut incident, self.now, crate::engine::model::TimelineKind::State, "opened", None);
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

    fn merge(&mut self, younger: IncidentId, older: IncidentId, events: &mut Vec<CorrelationEvent>) {
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
        lifecycle::resolve(&mut from, &format!("merged into {older}"), None, self.now);
        let kind = crate::engine::model::TimelineKind::State;
        lifecycle::tell(&mut into, self.now, kind, &format!("took {younger} in: {}", from.title), None);
        into.updated_at = self.now;
        self.memory.derived.remove(&younger);
        self.memory.stale.insert(older);
        self.draft.insert(younger, from);
        self.draft.insert(older, into);
    }

    fn join(&mut self, id: IncidentId, symptom: &Symptom, events: &mut Vec<CorrelationEvent>) {
        let Some(mut incident) = self.draft.remove(&id).or_else(|| self.incident(id).cloned()) else {
            return;
        };
        match symptom.key {
            SymptomKey::Anomaly(anomaly) => {
                incident.anomalies.insert(anomaly);
                events.push(self.anomaly_mark(anomaly, id));
            }
            SymptomKey::Alert(alert) => {
                incident.alerts.insert(alert);
                events.push(self.alert_mark(alert, id));
            }
        }
        self.memory.waiting.remove(&symptom.key);
        self.memory.stale.insert(id);
        self.draft.insert(id, incident);
    }

    fn anomaly_mark(&self, id: crate::engine::model::AnomalyId, incident: IncidentId) -> CorrelationEvent {
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

    /// Forecasts and mere information join an incident that is about their place already.
    fn take_followers(&mut self, symptoms: &[Symptom], events: &mut Vec<CorrelationEvent>) {
        let followers: Vec<&Symptom> =
            symptoms.iter().filter(|symptom| !symptom.is_solid() && symptom.is_active).collect();
        if followers.is_empty() {
            return;
        }
        self.refresh_stale();
        let mut about: BTreeMap<Place, IncidentId> = BTreeMap::new();
        for (id, derived) in self.memory.derived.iter().rev() {
            let fresh = derived.bursts.iter().filter(|burst| {
                burst.onsets.last().is_some_and(|onset| self.now.since_ms(*onset) <= SAME_PLACE_REACH_MS)
            });
            about.extend(fresh.map(|burst| (burst.place.clone(), *id)));
        }
        for follower in followers {
            if let Some(id) = about.get(&follower.place) {
                self.join(*id, follower, events);
            }
        }
    }

    /// Moves the life cycle of every live incident on.
    fn advance(&mut self) {
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

    fn is_held(&self, incident: &Incident) -> bool {
        let runs = incident.runs.iter().filter_map(|run| self.world.runs.get(run));
        runs.into_iter().any(|run| matches!(run.state, RunState::Active | RunState::Interrupted))
    }

    /// What stayed alone and is gone for longer than the window is too weak to matter.
    fn give_up_weak(&mut self, symptoms: &[Symptom], window_ms: i64, events: &mut Vec<CorrelationEvent>) {
        for symptom in symptoms {
            let is_gone = !symptom.is_active && self.now.since_ms(symptom.last_at) > window_ms;
            if is_gone && self.memory.waiting.remove(&symptom.key) {
                events.extend(self.weak_mark(symptom.key));
            }
        }
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

    /// Says what became of the incidents: new ones first, so that marks never name one that is not there yet.
    fn finish(self, events: &mut Vec<CorrelationEvent>) {
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
