//! The correlator: the small memory beside the world, and the step that turns what was touched into events.

use std::collections::{BTreeMap, BTreeSet};

use super::affinity::Affinities;
use super::cases::Cases;
use super::flapping::Flapping;
use super::learned_suppression::LearnedSuppression;
use super::membership::Derived;
use super::pass::Pass;
use super::symptom::SymptomKey;
use super::{CorrelationEvent, Touched};
use crate::engine::clock::Timestamp;
use crate::engine::model::{Fingerprint, Incident, IncidentId, SuppressionReason};
use crate::engine::settings::CorrelationSettings;
use crate::engine::world::World;

/// What correlation remembers between steps; everything in it can be found again from the world.
#[derive(Debug)]
pub struct Correlator {
    pub(super) settings: CorrelationSettings,
    pub(super) next_incident: u64,
    /// Symptoms of no live incident.
    pub(super) waiting: BTreeSet<SymptomKey>,
    /// Incidents whose members were touched.
    pub(super) stale: BTreeSet<IncidentId>,
    pub(super) derived: BTreeMap<IncidentId, Derived>,
    pub(super) flapping: Flapping,
    /// Which failure explains which symptom.
    pub(super) cases: Cases,
    /// The incident of each case that has one.
    pub(super) homes: BTreeMap<u32, IncidentId>,
    /// Live incidents that were parted from others by the evidence alone.
    pub(super) parted: BTreeSet<IncidentId>,
    /// Touched since cases last heard.
    pub(super) unheard: BTreeSet<SymptomKey>,
    /// What operators taught about services that fail together.
    pub(super) affinities: Affinities,
    /// What time taught about signals that never matter.
    pub(super) habits: LearnedSuppression,
    /// Size of the topology at the last grouping: a new edge may connect two incidents.
    pub(super) edge_count: usize,
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
            cases: Cases::default(),
            homes: BTreeMap::new(),
            parted: BTreeSet::new(),
            unheard: BTreeSet::new(),
            affinities: Affinities::default(),
            habits: LearnedSuppression::default(),
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

    /// Names of places and rules that grouping no longer tells apart, for it knows as many as it may.
    #[must_use]
    pub fn over_count(&self) -> u64 {
        self.cases.over_count()
    }

    /// The next incident has at least this number.
    pub fn number_from(&mut self, next: u64) {
        self.next_incident = self.next_incident.max(next);
    }

    /// The number of an incident that somebody else opens.
    pub fn take_number(&mut self) -> IncidentId {
        let id = IncidentId(self.next_incident);
        self.next_incident += 1;
        id
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
        self.unheard.insert(key);
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
