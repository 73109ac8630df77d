//! Which symptoms belong together: near in time, and of one service, along calls, or behind one suspected change.
//!
//! Symptoms are gathered into bursts (one place, one stretch of time) and bursts are linked pairwise by what they are,
//! never by when they were heard of. Groups are the connected parts, so the order of arrival cannot matter; and the
//! pairs are looked up by service, so a storm costs its number of services, not its number of alerts squared.

use std::collections::{BTreeMap, BTreeSet};

use super::affinity::Affinities;
use super::symptom::{Place, Symptom, SymptomKey};
use crate::engine::clock::Timestamp;
use crate::engine::limits::{CLOCK_SKEW_MS, SAME_PLACE_REACH_MS};
use crate::engine::model::{IncidentId, ServiceName, Severity, Topology};

/// Symptoms of one place within one stretch of time: waiting ones, or those of one incident.
#[derive(Debug, Clone)]
pub(super) struct Burst {
    pub(super) place: Place,
    pub(super) incident: Option<IncidentId>,
    pub(super) onsets: BTreeSet<Timestamp>,
    pub(super) last_at: Timestamp,
    pub(super) is_critical: bool,
    /// True where a case says what the incident consists of: only grave symptoms join it for being near.
    pub(super) is_explained: bool,
    /// The waiting symptoms; empty for those of an incident.
    pub(super) waiting: Vec<SymptomKey>,
}

impl Burst {
    /// An empty burst, to be filled by [`Self::take`].
    pub(super) fn new(place: Place, incident: Option<IncidentId>) -> Self {
        Self {
            place,
            incident,
            onsets: BTreeSet::new(),
            last_at: Timestamp(i64::MIN),
            is_critical: false,
            is_explained: false,
            waiting: Vec::new(),
        }
    }

    /// Takes a symptom in.
    pub(super) fn take(&mut self, symptom: &Symptom) {
        self.onsets.insert(symptom.onset);
        self.last_at = self.last_at.max(symptom.last_at);
        self.is_critical |= symptom.severity == Severity::Critical;
    }

    /// True where being near may mean being one.
    fn may_join(&self, other: &Self) -> bool {
        match (self.is_explained, other.is_explained) {
            (false, false) => true,
            (true, false) if other.incident.is_none() => other.is_critical,
            (false, true) if self.incident.is_none() => self.is_critical,
            _ => self.incident == other.incident,
        }
    }

    /// True where some onset of one is within `window_ms` of some onset of the other.
    pub(super) fn is_near(&self, other: &Self, window_ms: i64) -> bool {
        let (few, many) = if self.onsets.len() <= other.onsets.len() { (self, other) } else { (other, self) };
        few.onsets.iter().any(|onset| many.onsets.range(*onset - window_ms..=*onset + window_ms).next().is_some())
    }

    /// True where `later` begins while the harm here lasts, or within the window after it.
    pub(super) fn is_continued_by(&self, later: &Self, window_ms: i64) -> bool {
        let Some(begins) = later.onsets.first() else {
            return false;
        };
        self.onsets
            .range(..=*begins)
            .next_back()
            .is_some_and(|onset| *begins <= self.last_at + window_ms && begins.since_ms(*onset) <= SAME_PLACE_REACH_MS)
    }
}

/// Waiting symptoms of one place as bursts: sorted by onset and cut where one does not continue the other.
pub(super) fn bursts<'a>(symptoms: impl IntoIterator<Item = &'a Symptom>, window_ms: i64) -> Vec<Burst> {
    let mut by_place: BTreeMap<&Place, Vec<&Symptom>> = BTreeMap::new();
    for symptom in symptoms.into_iter().filter(|symptom| symptom.is_solid()) {
        by_place.entry(&symptom.place).or_default().push(symptom);
    }
    let mut found = Vec::new();
    for (place, mut members) in by_place {
        members.sort_by_key(|symptom| (symptom.onset, symptom.key));
        let mut current = Burst::new(place.clone(), None);
        for symptom in members {
            let begins = symptom.onset;
            let continues = current.onsets.last().is_none_or(|last| {
                begins.since_ms(*last) <= window_ms
                    || (begins <= current.last_at + window_ms && begins.since_ms(*last) <= SAME_PLACE_REACH_MS)
            });
            if !continues {
                found.push(std::mem::replace(&mut current, Burst::new(place.clone(), None)));
            }
            current.take(symptom);
            current.waiting.push(symptom.key);
        }
        found.push(current);
    }
    found
}

/// What grouping needs to know beside the bursts.
pub(super) struct Surroundings<'a> {
    pub(super) topology: &'a Topology,
    /// What operators taught.
    pub(super) affinities: &'a Affinities,
    /// When changes took effect, by service.
    pub(super) changes: &'a BTreeMap<ServiceName, Vec<Timestamp>>,
    pub(super) window_ms: i64,
    pub(super) hops_max: usize,
}

/// The groups, as indices into `bursts`; every burst is in exactly one.
pub(super) fn groups(bursts: &[Burst], around: &Surroundings<'_>) -> Vec<Vec<usize>> {
    let mut parts = Parts::new(bursts.len());
    let mut by_place: BTreeMap<&Place, Vec<usize>> = BTreeMap::new();
    for (at, burst) in bursts.iter().enumerate() {
        by_place.entry(&burst.place).or_default().push(at);
    }
    for here in by_place.values() {
        link_one_place(bursts, here, around, &mut parts);
    }
    let by_service: BTreeMap<&ServiceName, &Vec<usize>> =
        by_place.iter().filter_map(|(place, here)| Some((place.service()?, here))).collect();
    for (service, here) in &by_service {
        for (caller, hops) in around.topology.dependents(service, around.hops_max) {
            if let Some(there) = by_service.get(&caller)
                && around.affinities.of(service, &caller) >= 0
            {
                link_callers(bursts, here, there, hops, around, &mut parts);
            }
        }
    }
    for (one, other) in around.affinities.joined() {
        if let (Some(here), Some(there)) = (by_service.get(one), by_service.get(other)) {
            link_joined(bursts, here, there, around, &mut parts);
        }
    }
    for (service, times) in around.changes {
        link_suspects(bursts, &by_service, service, times, around, &mut parts);
    }
    parts.into_groups()
}

fn link_one_place(bursts: &[Burst], here: &[usize], around: &Surroundings<'_>, parts: &mut Parts) {
    for (nth, &a) in here.iter().enumerate() {
        for &b in &here[nth + 1..] {
            let (first, second) = (&bursts[a], &bursts[b]);
            // Two incidents on one service are two failures unless they began together.
            let may_continue = first.incident.is_none() || second.incident.is_none();
            if !first.may_join(second) {
                continue;
            }
            if first.is_near(second, around.window_ms)
                || (may_continue
                    && (first.is_continued_by(second, around.window_ms)
                        || second.is_continued_by(first, around.window_ms)))
            {
                parts.join(a, b);
            }
        }
    }
}

fn link_callers(
    bursts: &[Burst],
    here: &[usize],
    there: &[usize],
    hops: usize,
    around: &Surroundings<'_>,
    parts: &mut Parts,
) {
    for &a in here {
        for &b in there {
            // Mild symptoms connect direct neighbours only: on a dense graph everything is three calls from everything.
            let is_strong = hops <= 1 || bursts[a].is_critical || bursts[b].is_critical;
            // And the further the call, the nearer in time: what passed through silent services passed at once.
            let within_ms = around.window_ms / i64::try_from(hops.max(1)).unwrap_or(i64::MAX);
            if is_strong && bursts[a].may_join(&bursts[b]) && bursts[a].is_near(&bursts[b], within_ms) {
                parts.join(a, b);
            }
        }
    }
}

/// Bursts of two services that operators have joined before belong together when they begin within the window.
fn link_joined(bursts: &[Burst], here: &[usize], there: &[usize], around: &Surroundings<'_>, parts: &mut Parts) {
    for &a in here {
        for &b in there {
            if bursts[a].may_join(&bursts[b]) && bursts[a].is_near(&bursts[b], around.window_ms) {
                parts.join(a, b);
            }
        }
    }
}

/// Bursts that began within the window after one change and reach its service along calls share their suspected cause.
fn link_suspects(
    bursts: &[Burst],
    by_service: &BTreeMap<&ServiceName, &Vec<usize>>,
    service: &ServiceName,
    times: &[Timestamp],
    around: &Surroundings<'_>,
    parts: &mut Parts,
) {
    let mut reached = around.topology.dependents(service, around.hops_max);
    reached.insert(service.clone(), 0);
    let nearby: Vec<usize> =
        reached.keys().filter_map(|at| by_service.get(at)).flat_map(|here| here.iter().copied()).collect();
    for at in times {
        let after = *at - CLOCK_SKEW_MS..=*at + around.window_ms;
        let mut behind = nearby.iter().filter(|burst| bursts[**burst].onsets.range(after.clone()).next().is_some());
        if let Some(first) = behind.next() {
            let is_parted = |other: &usize| {
                let places = bursts[*first].place.service().zip(bursts[*other].place.service());
                places.is_some_and(|(one, other)| around.affinities.of(one, other) < 0)
            };
            let may_join = |other: &&usize| !is_parted(other) && bursts[*first].may_join(&bursts[**other]);
            behind.filter(may_join).for_each(|other| parts.join(*first, *other));
        }
    }
}

/// Disjoint sets (Tarjan's union-find, with path halving and union towards the smaller index).
struct Parts(Vec<usize>);

impl Parts {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b)] = a.min(b);
    }

    fn into_groups(mut self) -> Vec<Vec<usize>> {
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for at in 0..self.0.len() {
            groups.entry(self.root(at)).or_default().push(at);
        }
        groups.into_values().collect()
    }
}
