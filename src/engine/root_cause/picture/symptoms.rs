//! What detection told of an incident: what each service shows, since when, and what was changed before.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::causes::{self, Cause};
use super::contents::Contents;
use super::graph::Graph;
use crate::engine::clock::{HOUR_MS, SECOND_MS, Timestamp};
use crate::engine::limits::TOPOLOGY_HOPS_MAX;
use crate::engine::model::{
    Alert, Anomaly, AnomalyKind, AnomalyState, Change, Direction, Incident, KindGuess, SeriesRole, ServiceName,
    Severity,
};
use crate::engine::root_cause::case::{Case, NodeId};
use crate::engine::world::World;

/// What one service shows.
#[derive(Debug, Default)]
pub struct ServiceView<'a> {
    /// Harmful departures of metrics, earliest first.
    pub metrics: Vec<&'a Anomaly>,
    /// New or busier log templates, earliest first.
    pub logs: Vec<&'a Anomaly>,
    /// Forecasts for it, whether of this incident or not.
    pub forecasts: Vec<&'a Anomaly>,
    /// Traffic above what is usual.
    pub traffic: Option<&'a Anomaly>,
    /// Traffic below what is usual.
    lost_traffic: Option<&'a Anomaly>,
    /// Alerts on it.
    pub alerts: Vec<&'a Alert>,
    /// Its first symptom; alerts count only where nothing else is known, since they wait before they fire.
    pub onset: Option<Timestamp>,
}

impl<'a> ServiceView<'a> {
    /// The largest departure.
    #[must_use]
    pub fn worst(&self) -> Option<&'a Anomaly> {
        self.metrics.iter().copied().max_by(|a, b| {
            (a.severity, a.peak_sigma).partial_cmp(&(b.severity, b.peak_sigma)).unwrap_or(std::cmp::Ordering::Equal)
        })
    }

    /// The first departure of this role.
    #[must_use]
    pub fn first_of(&self, role: SeriesRole) -> Option<&'a Anomaly> {
        self.metrics.iter().copied().find(|anomaly| anomaly.role == role)
    }

    /// Since when everything it showed is over; `None` where something is not.
    #[must_use]
    pub fn well_since(&self) -> Option<Timestamp> {
        let is_over = self.metrics.iter().all(|anomaly| anomaly.state == AnomalyState::Ended);
        let ends = self.metrics.iter().map(|anomaly| anomaly.ended_at.unwrap_or(anomaly.last_seen_at));
        ends.max().filter(|_| is_over)
    }

    /// True where less is asked of it and nothing else is known: a symptom of its callers, as are alerts that say so.
    fn is_starved(&self) -> bool {
        self.lost_traffic.is_some() && self.metrics.is_empty() && self.logs.is_empty() && self.forecasts.is_empty()
    }

    /// `first` is when the incident first had a symptom on it: an alert that fires again tells its latest beginning only.
    fn settle(&mut self, first: Option<Timestamp>) {
        self.metrics.sort_by_key(|anomaly| (anomaly.started_at, anomaly.id));
        self.logs.sort_by_key(|anomaly| (anomaly.started_at, anomaly.id));
        let seen = self.metrics.iter().chain(&self.logs).map(|anomaly| anomaly.started_at).min();
        self.onset = seen.or_else(|| {
            let told = self.alerts.iter().map(|alert| alert.notice.starts_at).min()?;
            Some(first.map_or(told, |first| first.min(told)))
        });
    }
}

/// The whole of it; empty where nothing was detected, as of tables that nobody watched.
#[derive(Debug, Default)]
pub struct Symptoms<'a> {
    /// Services with a symptom.
    pub hit: BTreeMap<NodeId, ServiceView<'a>>,
    /// Services that only get fewer requests: no fault of theirs, but harm that the failure does.
    pub starved: BTreeSet<NodeId>,
    /// The changes that may be to blame, earliest first.
    pub suspects: Vec<&'a Change>,
    /// What the suspects do, against what is complained of.
    pub contents: Contents,
    /// Everything that took effect since the earliest suspect, suspects and our own acts included.
    pub later: Vec<&'a Change>,
    /// What kind of failure confirmed incidents make of it.
    pub guess: Option<&'a KindGuess>,
    /// Everything that could be where it starts.
    pub causes: Vec<Cause<'a>>,
    /// The first symptom of all.
    pub started_at: Timestamp,
    /// Onsets closer than this cannot be told apart: they are seen when samples come.
    pub tolerance_ms: i64,
    /// Calls that are walked past services which show nothing.
    pub hops_max: usize,
}

impl<'a> Symptoms<'a> {
    /// The symptoms of an incident, over the names and calls of its case.
    #[must_use]
    pub fn new(world: &'a World, incident: &Incident, case: &Case, graph: &Graph, hops_max: usize) -> Self {
        let mut hit: BTreeMap<NodeId, ServiceView<'_>> = BTreeMap::new();
        let node = |service: &ServiceName| case.find(service.as_str());
        let members = members(world, incident);
        for anomaly in members.iter().copied() {
            let Some(node) = node(&anomaly.service) else { continue };
            let view = hit.entry(node).or_default();
            match (anomaly.kind, anomaly.role) {
                (AnomalyKind::Forecast, _) => view.forecasts.push(anomaly),
                (AnomalyKind::NewTemplate | AnomalyKind::TemplateRate, _) => view.logs.push(anomaly),
                // More traffic is an explanation; less of it is a symptom of whoever sends it.
                (_, SeriesRole::Traffic) if anomaly.direction == Direction::Below => view.lost_traffic = Some(anomaly),
                (_, SeriesRole::Traffic) => {}
                _ => view.metrics.push(anomaly),
            }
        }
        for alert in incident.alerts.iter().filter_map(|id| world.alerts.get(id)) {
            let service = alert.notice.service.as_ref().filter(|_| alert.notice.severity > Severity::Info);
            if let Some(node) = service.and_then(node) {
                hit.entry(node).or_default().alerts.push(alert);
            }
        }
        add_surroundings(world, incident, case, &mut hit);
        let firsts: BTreeMap<NodeId, Timestamp> =
            incident.services.iter().filter_map(|(service, first)| Some((node(service)?, *first))).collect();
        hit.iter_mut().for_each(|(node, view)| view.settle(firsts.get(node).copied()));
        let starved = hit.iter().filter(|(_, view)| view.is_starved()).map(|(node, _)| *node).collect();
        hit.retain(|_, view| !view.is_starved() && (view.onset.is_some() || !view.forecasts.is_empty()));
        let mut suspects: Vec<&Change> =
            incident.changes.iter().filter_map(|id| world.changes.get(id)).map(AsRef::as_ref).collect();
        suspects.sort_by_key(|change| (change.notice.at, change.id));
        let since = suspects.first().map(|change| change.notice.at);
        let is_later = |change: &&Change| change.notice.has_taken_effect && Some(change.notice.at) >= since;
        let later = world.changes.values().map(AsRef::as_ref).filter(|change| since.is_some() && is_later(change));
        let mut symptoms = Self {
            contents: Contents::new(&suspects, case, &hit),
            later: later.collect(),
            guess: world.kind_guesses.get(&incident.id).map(AsRef::as_ref),
            started_at: hit.values().filter_map(|view| view.onset).min().unwrap_or(incident.started_at),
            tolerance_ms: tolerance(&members),
            causes: Vec::new(),
            hit,
            starved,
            suspects,
            hops_max,
        };
        symptoms.causes = causes::causes(&symptoms, case, graph);
        symptoms
    }

    /// What a service shows.
    #[must_use]
    pub fn view(&self, node: NodeId) -> Option<&ServiceView<'a>> {
        self.hit.get(&node)
    }

    /// When it first showed something.
    #[must_use]
    pub fn onset(&self, node: NodeId) -> Option<Timestamp> {
        self.view(node).and_then(|view| view.onset)
    }

    /// Services with an onset.
    pub fn onsets(&self) -> impl Iterator<Item = (NodeId, Timestamp)> {
        self.hit.iter().filter_map(|(node, view)| Some((*node, view.onset?)))
    }

    /// How many they are.
    #[must_use]
    pub fn hit_count(&self) -> usize {
        self.onsets().count()
    }

    /// The nearest services with symptoms that `node` depends on; the walk passes silent services and stops at the first
    /// with a symptom on each way.
    #[must_use]
    pub fn hit_callees(&self, graph: &Graph, node: NodeId) -> BTreeSet<NodeId> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::from([node]);
        let mut queue = VecDeque::from([(node, 0)]);
        while let Some((here, hops)) = queue.pop_front() {
            if hops == self.hops_max {
                continue;
            }
            for callee in graph.callees(here) {
                if !seen.insert(*callee) {
                    continue;
                }
                if self.onset(*callee).is_some() {
                    found.insert(*callee);
                } else {
                    queue.push_back((*callee, hops + 1));
                }
            }
        }
        found
    }

    /// True where who calls whom is known for at least two of the services that are hit, or for the only one.
    #[must_use]
    pub fn has_topology(&self, graph: &Graph) -> bool {
        let is_known = |node: &&NodeId| !graph.callees(**node).is_empty() || !graph.callers(**node).is_empty();
        self.hit.keys().filter(is_known).count() >= self.hit.len().clamp(1, 2)
    }

    /// The first symptom among those who depend on a service.
    #[must_use]
    pub fn onset_behind(&self, graph: &Graph, node: NodeId) -> Option<Timestamp> {
        graph.dependents(node, TOPOLOGY_HOPS_MAX).into_keys().filter_map(|caller| self.onset(caller)).min()
    }
}

fn members<'a>(world: &'a World, incident: &Incident) -> Vec<&'a Anomaly> {
    incident
        .anomalies
        .iter()
        .filter_map(|id| world.anomalies.get(id))
        .map(AsRef::as_ref)
        .filter(|anomaly| anomaly.is_harmful)
        .collect()
}

/// Forecasts and traffic are told of services that are hit, whether or not they belong to the incident.
fn add_surroundings<'a>(
    world: &'a World,
    incident: &Incident,
    case: &Case,
    hit: &mut BTreeMap<NodeId, ServiceView<'a>>,
) {
    for anomaly in world.anomalies.values() {
        let Some(view) = case.find(anomaly.service.as_str()).and_then(|node| hit.get_mut(&node)) else {
            continue;
        };
        let is_forecast = anomaly.kind == AnomalyKind::Forecast && !incident.anomalies.contains(&anomaly.id);
        let is_lately = anomaly.last_seen_at >= incident.started_at - HOUR_MS;
        if is_forecast {
            view.forecasts.push(anomaly);
        }
        if anomaly.role == SeriesRole::Traffic && anomaly.direction == Direction::Above && is_lately {
            view.traffic = view.traffic.or(Some(anomaly));
        }
    }
}

/// The usual time between two samples, as the members show it.
fn tolerance(members: &[&Anomaly]) -> i64 {
    const UNKNOWN_MS: i64 = 30 * SECOND_MS;
    let mut gaps: Vec<i64> = members
        .iter()
        .filter(|anomaly| anomaly.repeat_count >= 2)
        .filter_map(|anomaly| {
            let gaps = i64::try_from(anomaly.repeat_count - 1).ok()?;
            Some(anomaly.last_seen_at.since_ms(anomaly.started_at) / gaps)
        })
        .filter(|gap| *gap > 0)
        .collect();
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).map_or(UNKNOWN_MS, |gap| (*gap).clamp(2 * SECOND_MS, 120 * SECOND_MS))
}
