//! What a pass does with cases: every case has at most one incident, its home; symptoms go where their case is at home, and
//! incidents part or join as the evidence changes its mind.

use std::collections::{BTreeMap, BTreeSet};

use super::CorrelationEvent;
use super::grouping::{self, Burst};
use super::opening::is_warranted;
use super::pass::Pass;
use super::symptom::{Symptom, SymptomKey};
use super::transfer::has;
use crate::engine::model::{IncidentId, ServiceName, SuppressionReason};

/// A case leaves the incident it lies in with so many symptoms that have been its own for a while: in the first seconds
/// of a storm every place that breaks seems a failure of its own.
const PARTS_MIN: usize = 3;

/// Where the incident of a case is found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Home {
    /// Its own.
    Own(IncidentId),
    /// That of another case, which it has not left yet.
    Guest(IncidentId),
}

impl Home {
    fn id(self) -> IncidentId {
        match self {
            Self::Own(id) | Self::Guest(id) => id,
        }
    }
}

/// The symptoms of every firm case.
pub(super) type Members = BTreeMap<u32, BTreeSet<SymptomKey>>;
/// The live incident of every symptom that has one.
type Places = BTreeMap<SymptomKey, IncidentId>;

impl Pass<'_> {
    /// True where a failure that the evidence is sure of has no incident yet: it may become worth one by lasting.
    pub(super) fn has_homeless(&self) -> bool {
        self.memory.cases.firm().any(|case| !self.memory.homes.contains_key(&case))
    }

    /// Brings symptoms and incidents in line with what the evidence says now.
    pub(super) fn settle_cases(&mut self, waiting: &[Symptom], events: &mut Vec<CorrelationEvent>) {
        // A few symptoms that something could explain are no more than near each other, until more is heard.
        let mut members = self.memory.cases.members();
        members.retain(|case, _| self.memory.cases.is_firm(*case));
        if members.is_empty() {
            return;
        }
        self.follow_given_up(&members, events);
        let mut at = self.places_of_members();
        for (case, keys) in &members {
            let home = self.home_of(*case).or_else(|| {
                let home = self.find_home(*case, keys, (waiting, &at), events);
                at = self.places_of_members();
                home
            });
            if home.is_some_and(|home| self.bring_home(home, keys, &at, events)) {
                at = self.places_of_members();
            }
        }
    }

    fn places_of_members(&self) -> Places {
        let mut at = BTreeMap::new();
        for id in self.live_ids() {
            if let Some(incident) = self.incident(id) {
                at.extend(incident.anomalies.iter().map(|key| (SymptomKey::Anomaly(*key), id)));
                at.extend(incident.alerts.iter().map(|key| (SymptomKey::Alert(*key), id)));
            }
        }
        at
    }

    /// Live incidents, as this pass leaves them; the oldest first.
    fn live_ids(&self) -> BTreeSet<IncidentId> {
        let known = self.memory.derived.keys().chain(self.draft.keys()).copied();
        known.filter(|id| self.incident(*id).is_some_and(|incident| incident.state.is_live())).collect()
    }

    /// The case that tells an incident apart from others.
    pub(super) fn case_at(&self, id: IncidentId) -> Option<u32> {
        let mut homes = self.memory.homes.iter();
        homes.find(|(case, home)| **home == id && self.memory.cases.is_firm(**case)).map(|(case, _)| *case)
    }

    /// The incident of a case that the evidence has given up becomes a part of where most of its members went.
    pub(super) fn follow_given_up(&mut self, members: &Members, events: &mut Vec<CorrelationEvent>) {
        let given_up: Vec<(u32, IncidentId)> = self
            .memory
            .homes
            .iter()
            .filter(|(case, _)| !self.memory.cases.holds(**case))
            .map(|(case, id)| (*case, *id))
            .collect();
        for (case, left) in given_up {
            self.memory.homes.remove(&case);
            let Some(incident) = self.incident(left).filter(|incident| incident.state.is_live()) else { continue };
            let count = incident.anomalies.len() + incident.alerts.len();
            let takers = self.memory.homes.iter().filter(|(_, home)| **home != left).filter_map(|(case, home)| {
                let taken = members.get(case)?.iter().filter(|key| has(incident, **key)).count();
                (2 * taken > count).then_some(*home)
            });
            let taker = takers.min().filter(|id| self.incident(*id).is_some_and(|one| one.state.is_live()));
            if let Some(taker) = taker.filter(|_| self.case_at(left).is_none()) {
                self.merge_two(left, taker, "one failure explains the symptoms of both", events);
            }
        }
    }

    /// Makes the younger of two a part of the older, unless they were taken apart or a run is not over on it.
    fn merge_two(&mut self, one: IncidentId, other: IncidentId, why: &str, events: &mut Vec<CorrelationEvent>) {
        let (older, younger) = (one.min(other), one.max(other));
        let is_held = self.incident(younger).is_none_or(|incident| self.is_held(incident));
        if older != younger && !is_held && !self.are_two_failures(older, younger) {
            self.merge(younger, older, why, events);
        }
    }

    /// The live incident of a case that has one.
    fn home_of(&self, case: u32) -> Option<Home> {
        let id = self.memory.homes.get(&case).copied()?;
        self.incident(id).filter(|incident| incident.state.is_live()).map(|_| Home::Own(id))
    }

    /// An incident for a case that has none: that of most of its symptoms, or a new one where the case is worth one.
    fn find_home(
        &mut self,
        case: u32,
        keys: &BTreeSet<SymptomKey>,
        (waiting, at): (&[Symptom], &Places),
        events: &mut Vec<CorrelationEvent>,
    ) -> Option<Home> {
        let mut votes: BTreeMap<IncidentId, usize> = BTreeMap::new();
        keys.iter().filter_map(|key| at.get(key)).for_each(|id| *votes.entry(*id).or_default() += 1);
        // Of as many the older.
        let most = votes.iter().max_by_key(|(id, count)| (**count, std::cmp::Reverse(**id))).map(|(id, _)| *id);
        let own = match most {
            Some(id) if self.case_at(id).is_none() => id,
            Some(id) => match self.may_part(case, id, keys) {
                true => {
                    let part = self.part(id, keys, "a failure of its own explains these", events)?;
                    self.memory.parted.insert(part);
                    part
                }
                false => return Some(Home::Guest(id)),
            },
            None => {
                let own: Vec<&Symptom> = waiting
                    .iter()
                    .filter(|symptom| keys.contains(&symptom.key) && self.memory.waiting.contains(&symptom.key))
                    .collect();
                match self.nearest(&own) {
                    Some(id) if self.case_at(id).is_none() => id,
                    Some(id) if !self.may_part(case, id, keys) => return Some(Home::Guest(id)),
                    _ if is_warranted(&own, &self.memory.settings, self.now) => self.open_or_reopen(&own),
                    _ => return None,
                }
            }
        };
        self.memory.homes.insert(case, own);
        Some(Home::Own(own))
    }

    /// The live incident at the places of most of these symptoms, and of their time: what the evidence tells from it may
    /// be no more than its next wave.
    fn nearest(&self, symptoms: &[&Symptom]) -> Option<IncidentId> {
        let window_ms = self.memory.settings.window.0;
        let of_symptoms = grouping::bursts(symptoms.iter().copied(), window_ms);
        let is_there = |burst: &Burst, there: &Burst| {
            burst.place == there.place && (burst.is_near(there, window_ms) || there.is_continued_by(burst, window_ms))
        };
        let shared = self.memory.derived.iter().map(|(id, derived)| {
            let near = of_symptoms.iter().filter(|burst| derived.bursts.iter().any(|there| is_there(burst, there)));
            (near.map(|burst| burst.waiting.len()).sum::<usize>(), std::cmp::Reverse(*id))
        });
        let (count, std::cmp::Reverse(id)) = shared.max()?;
        (2 * count > symptoms.len()).then_some(id)
    }

    /// True where a case may leave the incident it lies in: it shows what broke and has explained as much for a while,
    /// neither root depends on the other, and nobody has said that they are one.
    fn may_part(&self, case: u32, whole: IncidentId, keys: &BTreeSet<SymptomKey>) -> bool {
        let Some(incident) = self.incident(whole) else { return false };
        let is_joined = |key: &SymptomKey| {
            self.service_of(*key).is_some_and(|service| self.is_joined_by_hand(incident.services.keys(), &service))
        };
        let root = |case: u32| self.memory.cases.root_service(case);
        let depends = self.case_at(whole).and_then(|other| Some((root(case)?, root(other)?)));
        let depends = depends.is_some_and(|(one, other)| self.depends(&one, &other) || self.depends(&other, &one));
        let settled = keys.iter().filter(|key| self.memory.cases.is_settled(**key, self.now)).count();
        settled >= PARTS_MIN
            && self.memory.cases.stands_alone(case)
            && !depends
            && !self.is_held(incident)
            && !keys.iter().any(is_joined)
    }

    fn is_joined_by_hand<'a>(
        &self,
        mut services: impl Iterator<Item = &'a ServiceName>,
        service: &ServiceName,
    ) -> bool {
        services.any(|other| self.memory.affinities.of(other, service) > 0)
    }

    /// Brings the symptoms of a case to its home: those of no incident at once, those of another once the evidence has
    /// settled on it. True where any may have come.
    fn bring_home(
        &mut self,
        home: Home,
        keys: &BTreeSet<SymptomKey>,
        at: &Places,
        events: &mut Vec<CorrelationEvent>,
    ) -> bool {
        let mut has_moved = false;
        let mut elsewhere: BTreeMap<IncidentId, BTreeSet<SymptomKey>> = BTreeMap::new();
        for key in keys {
            match at.get(key) {
                Some(id) if *id == home.id() => {}
                Some(id) if self.memory.cases.is_settled(*key, self.now) => {
                    elsewhere.entry(*id).or_default().insert(*key);
                }
                None if self.is_free(*key) => {
                    if let Some(taker) = self.taker(home.id(), *key) {
                        self.join(taker, *key, events);
                        has_moved = true;
                    }
                }
                Some(_) | None => {}
            }
        }
        let Home::Own(own) = home else { return has_moved };
        has_moved |= !elsewhere.is_empty();
        for (id, keys) in elsewhere {
            let count = self.incident(id).map_or(0, |incident| incident.anomalies.len() + incident.alerts.len());
            if 2 * keys.len() > count && self.case_at(id).is_none() {
                self.merge_two(id, own, "one failure explains the symptoms of both", events);
            } else if keys.len() < count
                && self.origin(id) != self.origin(own)
                && self.incident(id).is_some_and(|incident| !self.is_held(incident))
            {
                self.transfer(&keys, id, own, events);
            }
        }
        has_moved
    }

    /// True for a symptom that no incident has and nothing but weakness kept out.
    fn is_free(&self, key: SymptomKey) -> bool {
        if self.memory.waiting.contains(&key) {
            return true;
        }
        let (incident, mark) = self.mark_of(key);
        incident.is_none() && matches!(mark, None | Some(SuppressionReason::TooWeak))
    }

    /// Which incident takes a symptom that is at home in `id`: where one of the same origin has its service already, that
    /// one; none where operators parted failures on its service from those of where the incident began.
    fn taker(&self, id: IncidentId, key: SymptomKey) -> Option<IncidentId> {
        let (Some(incident), Some(service)) = (self.incident(id), self.service_of(key)) else { return Some(id) };
        let first = incident.services.iter().min_by_key(|(_, onset)| **onset);
        if first.is_some_and(|(first, _)| self.memory.affinities.of(first, &service) < 0) {
            return None;
        }
        if incident.services.contains_key(&service) {
            return Some(id);
        }
        let has = |id: &IncidentId| self.incident(*id).is_some_and(|one| one.services.contains_key(&service));
        let mut others = self.live_ids().into_iter().filter(|other| self.origin(*other) == self.origin(id));
        Some(others.find(has).unwrap_or(id))
    }
}
