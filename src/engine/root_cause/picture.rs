//! The incident as root cause looks at it: what each service shows, since when, and who calls whom among them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::change_content::Contents;
use crate::engine::clock::{HOUR_MS, SECOND_MS, Timestamp};
use crate::engine::model::{
    Alert, Anomaly, AnomalyKind, AnomalyState, Change, Direction, Incident, KindGuess, SeriesRole, ServiceName,
    Severity, Topology,
};
use crate::engine::world::World;

/// What one service shows.
#[derive(Debug, Default)]
pub(super) struct ServiceView<'a> {
    /// Harmful departures of metrics, earliest first.
    pub(super) metrics: Vec<&'a Anomaly>,
    /// New or busier log templates, earliest first.
    pub(super) logs: Vec<&'a Anomaly>,
    /// Forecasts for it, whether of this incident or not.
    pub(super) forecasts: Vec<&'a Anomaly>,
    /// Traffic above what is usual.
    pub(super) traffic: Option<&'a Anomaly>,
    /// Traffic below what is usual.
    lost_traffic: Option<&'a Anomaly>,
    pub(super) alerts: Vec<&'a Alert>,
    /// Its first symptom; alerts count only where nothing else is known, since they wait before they fire.
    pub(super) onset: Option<Timestamp>,
}

impl<'a> ServiceView<'a> {
    /// The largest departure.
    pub(super) fn worst(&self) -> Option<&'a Anomaly> {
        self.metrics.iter().copied().max_by(|a, b| {
            (a.severity, a.peak_sigma).partial_cmp(&(b.severity, b.peak_sigma)).unwrap_or(std::cmp::Ordering::Equal)
        })
    }

    /// The first departure of this role.
    pub(super) fn first_of(&self, role: SeriesRole) -> Option<&'a Anomaly> {
        self.metrics.iter().copied().find(|anomaly| anomaly.role == role)
    }

    /// Since when everything it showed is over; `None` where something is not.
    pub(super) fn well_since(&self) -> Option<Timestamp> {
        let is_over = self.metrics.iter().all(|anomaly| anomaly.state == AnomalyState::Ended);
        let ends = self.metrics.iter().map(|anomaly| anomaly.ended_at.unwrap_or(anomaly.last_seen_at));
        ends.max().filter(|_| is_over)
    }

    /// True where less is asked of it and nothing else is known: a symptom of its callers, as are alerts that say so.
    fn is_starved(&self) -> bool {
        self.lost_traffic.is_some() && self.metrics.is_empty() && self.logs.is_empty() && self.forecasts.is_empty()
    }

    fn settle(&mut self) {
        self.metrics.sort_by_key(|anomaly| (anomaly.started_at, anomaly.id));
        self.logs.sort_by_key(|anomaly| (anomaly.started_at, anomaly.id));
        let seen = self.metrics.iter().chain(&self.logs).map(|anomaly| anomaly.started_at).min();
        self.onset = seen.or_else(|| self.alerts.iter().map(|alert| alert.notice.starts_at).min());
    }
}

/// The whole of it.
pub(super) struct Picture<'a> {
    /// Services with a symptom.
    pub(super) hit: BTreeMap<&'a ServiceName, ServiceView<'a>>,
    /// Services that only get fewer requests: no fault of theirs, but harm that the failure does.
    pub(super) starved: BTreeSet<&'a ServiceName>,
    /// The suspects, earliest first.
    pub(super) changes: Vec<&'a Change>,
    /// What the suspects do, against what is complained of.
    pub(super) contents: Contents,
    /// Everything that took effect since the earliest suspect, suspects and our own acts included.
    pub(super) later: Vec<&'a Change>,
    pub(super) topology: &'a Topology,
    /// What kind of failure confirmed incidents make of it.
    pub(super) guess: Option<&'a KindGuess>,
    pub(super) started_at: Timestamp,
    /// Onsets closer than this cannot be told apart: they are seen when samples come.
    pub(super) tolerance_ms: i64,
    pub(super) hops_max: usize,
}

impl<'a> Picture<'a> {
    pub(super) fn new(world: &'a World, incident: &'a Incident, hops_max: usize) -> Self {
        let mut hit: BTreeMap<&ServiceName, ServiceView<'_>> = BTreeMap::new();
        let members: Vec<&Anomaly> = members(world, incident);
        for anomaly in members.iter().copied() {
            let view = hit.entry(&anomaly.service).or_default();
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
            if let Some(service) = alert.notice.service.as_ref().filter(|_| alert.notice.severity > Severity::Info) {
                hit.entry(service).or_default().alerts.push(alert);
            }
        }
        add_surroundings(world, incident, &mut hit);
        hit.values_mut().for_each(ServiceView::settle);
        let starved = hit.iter().filter(|(_, view)| view.is_starved()).map(|(service, _)| *service).collect();
        hit.retain(|_, view| !view.is_starved() && (view.onset.is_some() || !view.forecasts.is_empty()));
        let mut changes: Vec<&Change> =
            incident.changes.iter().filter_map(|id| world.changes.get(id)).map(AsRef::as_ref).collect();
        changes.sort_by_key(|change| (change.notice.at, change.id));
        let contents = Contents::new(&changes, &hit);
        let started_at = hit.values().filter_map(|view| view.onset).min().unwrap_or(incident.started_at);
        let tolerance_ms = tolerance(&members);
        let since = changes.first().map(|change| change.notice.at);
        let is_later = |change: &&Change| change.notice.has_taken_effect && Some(change.notice.at) >= since;
        let later = world.changes.values().map(AsRef::as_ref).filter(|change| since.is_some() && is_later(change));
        let later = later.collect();
        let guess = world.kind_guesses.get(&incident.id).map(AsRef::as_ref);
        let topology = &world.topology;
        Self { hit, starved, changes, contents, later, topology, guess, started_at, tolerance_ms, hops_max }
    }

    pub(super) fn view(&self, service: &ServiceName) -> Option<&ServiceView<'a>> {
        self.hit.get(service)
    }

    pub(super) fn onset(&self, service: &ServiceName) -> Option<Timestamp> {
        self.view(service).and_then(|view| view.onset)
    }

    /// Services with an onset.
    pub(super) fn onsets(&self) -> impl Iterator<Item = (&'a ServiceName, Timestamp)> {
        self.hit.iter().filter_map(|(service, view)| Some((*service, view.onset?)))
    }

    pub(super) fn hit_count(&self) -> usize {
        self.onsets().count()
    }

    /// The nearest services with symptoms that `service` depends on; the walk passes silent services and stops at the
    /// first with a symptom on each way.
    pub(super) fn hit_callees(&self, service: &ServiceName) -> BTreeSet<&ServiceName> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::from([service]);
        let mut queue = VecDeque::from([(service, 0)]);
        while let Some((here, hops)) = queue.pop_front() {
            if hops == self.hops_max {
                continue;
            }
            for (callee, _) in self.topology.callees(here) {
                if !seen.insert(callee) {
                    continue;
                }
                if self.onset(callee).is_some() {
                    found.insert(callee);
                } else {
                    queue.push_back((callee, hops + 1));
                }
            }
        }
        found
    }

    /// True where who calls whom is known for at least two of the services that are hit, or for the only one.
    pub(super) fn has_topology(&self) -> bool {
        let is_known = |service: &&ServiceName| {
            self.topology.callees(service).next().is_some() || self.topology.callers(service).next().is_some()
        };
        self.hit.keys().filter(|service| is_known(service)).count() >= self.hit.len().clamp(1, 2)
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
fn add_surroundings<'a>(world: &'a World, incident: &Incident, hit: &mut BTreeMap<&'a ServiceName, ServiceView<'a>>) {
    for anomaly in world.anomalies.values() {
        let Some(view) = hit.get_mut(&anomaly.service) else {
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
