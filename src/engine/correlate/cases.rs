//! Which case every symptom belongs to, as symptoms come: the console's ear for the evidence that whole storms are grouped
//! by.
//!
//! A case is a failure that explains symptoms better than chance does. What it is thought to explain may change for as
//! long as the evidence looks back, and is final after that.

use std::collections::{BTreeMap, BTreeSet};

use super::affinity::Affinities;
use super::evidence::casebook::Casebook;
use super::evidence::face::{Face, Kind, kind_of};
use super::evidence::labels;
use super::evidence::places::Root;
use super::symptom::{Symptom, SymptomKey};
use crate::engine::clock::{DAY_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::model::{Anomaly, ChangeId, Fingerprint, SeriesRole, ServiceName};
use crate::engine::world::World;

/// Between two judgements while news come, and while none do.
const JUDGE_MS: i64 = 2 * SECOND_MS;
const JUDGE_IDLE_MS: i64 = 30 * SECOND_MS;
/// A symptom that began longer ago than this when it is first heard of is no news.
const NEWS_MS: i64 = 20 * MINUTE_MS;
/// What has belonged to one case for this long is moved between incidents for it.
const SETTLED_MS: i64 = MINUTE_MS;
/// What was not heard of for this long is heard as something new.
const RECURS_MS: i64 = 2 * DAY_MS;
/// Between two looks for symptoms that are gone.
const FORGET_MS: i64 = 10 * MINUTE_MS;

/// What is known of one symptom.
#[derive(Debug, Clone, Copy)]
struct Known {
    onset: Timestamp,
    /// Its newest word.
    token: u32,
    case: Option<u32>,
    /// Since when it is that one.
    since: Timestamp,
}

/// Every symptom's case.
#[derive(Debug, Default)]
pub(super) struct Cases {
    book: Casebook,
    known: BTreeMap<SymptomKey, Known>,
    /// Faces of the book by what recurs.
    faces: BTreeMap<Fingerprint, u32>,
    tokens: BTreeMap<u32, SymptomKey>,
    next_token: u32,
    /// Cases that have explained enough for their incident to be told apart from others.
    firm: BTreeSet<u32>,
    edge_count: usize,
    newest_change: Option<ChangeId>,
    has_news: bool,
    judged_at: Timestamp,
    forgot_at: Timestamp,
}

impl Cases {
    /// Learns what is new of the platform.
    pub(super) fn look_around(&mut self, world: &World, affinities: &Affinities) {
        let edges = world.topology.edges().count();
        if edges != self.edge_count {
            self.edge_count = edges;
            for (caller, callee, _) in world.topology.edges() {
                self.connect(caller.as_str(), callee.as_str());
            }
        }
        // What operators joined reaches either way.
        for (one, other) in affinities.joined() {
            self.connect(one.as_str(), other.as_str());
            self.connect(other.as_str(), one.as_str());
        }
        let unseen = match self.newest_change {
            Some(newest) => world.changes.range(ChangeId(newest.0 + 1)..),
            None => world.changes.range(..),
        };
        for (id, change) in unseen {
            self.newest_change = Some(*id);
            let notice = &change.notice;
            if let (Some(service), true) = (&notice.service, notice.has_taken_effect) {
                let service = self.book.places.service(service.as_str());
                self.book.changes.push((notice.at.0, service));
            }
        }
    }

    fn connect(&mut self, caller: &str, callee: &str) {
        let (caller, callee) = (self.book.places.service(caller), self.book.places.service(callee));
        self.book.places.edge(caller, callee);
    }

    /// Hears what has begun since it was last heard of.
    pub(super) fn hear(&mut self, world: &World, symptoms: &[Symptom], now: Timestamp) {
        let mut news: Vec<&Symptom> = symptoms.iter().filter(|symptom| self.is_news(symptom, now)).collect();
        news.sort_by_key(|symptom| (symptom.onset, symptom.key));
        for symptom in news {
            let Some(face) = self.face(world, symptom) else { continue };
            let token = self.next_token;
            self.next_token = self.next_token.wrapping_add(1);
            self.tokens.insert(token, symptom.key);
            let before = self.known.get(&symptom.key);
            let (case, since) = before.map_or((None, now), |known| (known.case, known.since));
            self.known.insert(symptom.key, Known { onset: symptom.onset, token, case, since });
            self.book.hear(face, symptom.onset.min(now).0, token);
            self.has_news = true;
        }
    }

    fn is_news(&self, symptom: &Symptom, now: Timestamp) -> bool {
        let is_event = symptom.is_solid() || matches!(symptom.key, SymptomKey::Alert(_));
        is_event
            && symptom.is_active
            && now.since_ms(symptom.onset) < NEWS_MS
            && self.known.get(&symptom.key).is_none_or(|known| known.onset < symptom.onset)
    }

    fn face(&mut self, world: &World, symptom: &Symptom) -> Option<u32> {
        if let Some(face) = self.faces.get(&symptom.identity) {
            return Some(*face);
        }
        let face = match symptom.key {
            SymptomKey::Anomaly(id) => face_of_anomaly(&mut self.book, world.anomalies.get(&id)?),
            SymptomKey::Alert(id) => {
                let notice = &world.alerts.get(&id)?.notice;
                let service = symptom.place.service().map(ServiceName::as_str);
                // What the labels themselves say of the place is read with them.
                let found = service.filter(|service| notice.labels.iter().all(|(_, value)| value != *service));
                labels::read(&mut self.book, &notice.name, found, notice.labels.iter())
            }
        };
        let face = self.book.face(face);
        self.faces.insert(symptom.identity, face);
        Some(face)
    }

    /// Judges anew where it is time; true where it was.
    pub(super) fn judge(&mut self, world: &World, now: Timestamp) -> bool {
        let wait_ms = if self.has_news { JUDGE_MS } else { JUDGE_IDLE_MS };
        if now.since_ms(self.judged_at) < wait_ms || self.book.is_at_rest() {
            return false;
        }
        (self.judged_at, self.has_news) = (now, false);
        self.book.step(now.0);
        for verdict in self.book.take_verdicts() {
            if let Some(key) = self.tokens.remove(&verdict.token) {
                self.put(key, verdict.token, verdict.case, now);
            }
        }
        let open: Vec<(u32, Option<u32>)> = self.book.standing().collect();
        for (token, case) in open {
            if let Some(key) = self.tokens.get(&token).copied() {
                self.put(key, token, case, now);
            }
        }
        self.firm.retain(|case| self.book.holds(*case));
        self.firm.extend(self.book.firm_cases());
        self.forget(world, now);
        true
    }

    fn put(&mut self, key: SymptomKey, token: u32, case: Option<u32>, now: Timestamp) {
        let known = self.known.get_mut(&key).filter(|known| known.token == token && known.case != case);
        if let Some(known) = known {
            (known.case, known.since) = (case, now);
        }
    }

    fn forget(&mut self, world: &World, now: Timestamp) {
        if now.since_ms(self.forgot_at) < FORGET_MS {
            return;
        }
        self.forgot_at = now;
        self.known.retain(|key, _| match key {
            SymptomKey::Anomaly(id) => world.anomalies.contains_key(id),
            SymptomKey::Alert(id) => world.alerts.contains_key(id),
        });
        let gone: BTreeSet<u32> = self.book.forget(now.0 - RECURS_MS).into_iter().collect();
        self.faces.retain(|_, face| !gone.contains(face));
    }

    /// How often something was named of which more was named before than is told apart.
    pub(super) fn over_count(&self) -> u64 {
        self.book.over_count()
    }

    /// True for a symptom that has belonged to its case for a while.
    pub(super) fn is_settled(&self, key: SymptomKey, now: Timestamp) -> bool {
        self.known.get(&key).is_some_and(|known| known.case.is_some() && now.since_ms(known.since) >= SETTLED_MS)
    }

    /// The symptoms of every case.
    pub(super) fn members(&self) -> BTreeMap<u32, BTreeSet<SymptomKey>> {
        let mut members: BTreeMap<u32, BTreeSet<SymptomKey>> = BTreeMap::new();
        for (key, known) in &self.known {
            if let Some(case) = known.case {
                members.entry(case).or_default().insert(*key);
            }
        }
        members
    }

    /// True for a case that was never given up, be it over.
    pub(super) fn holds(&self, case: u32) -> bool {
        self.book.holds(case)
    }

    /// True for a case that has explained enough for its incident to be told apart from others.
    pub(super) fn is_firm(&self, case: u32) -> bool {
        self.firm.contains(&case)
    }

    /// Cases that have explained enough for their incidents to be told apart from others.
    pub(super) fn firm(&self) -> impl Iterator<Item = u32> {
        self.firm.iter().copied()
    }

    /// The service where a case is thought to have begun, where it is one.
    pub(super) fn root_service(&self, case: u32) -> Option<ServiceName> {
        match self.book.root_of(case)? {
            root @ Root::Service(_) => self.book.root_name(root).map(ServiceName::new),
            Root::Node(_) | Root::Zone(_) | Root::Common(_) | Root::Burst => None,
        }
    }

    /// True for a case that shows what broke, or what was changed, where it began.
    pub(super) fn stands_alone(&self, case: u32) -> bool {
        self.book.stands_alone(case)
    }
}

fn face_of_anomaly(book: &mut Casebook, anomaly: &Anomaly) -> Face {
    let kind = match anomaly.role {
        SeriesRole::Traffic | SeriesRole::Errors | SeriesRole::Latency => Kind::Symptom,
        SeriesRole::Saturation => Kind::Strain,
        SeriesRole::Availability => Kind::Cause,
        SeriesRole::Other => kind_of(&anomaly.metric, ""),
    };
    let service = book.places.service(anomaly.service.as_str());
    let pod = anomaly.instance.as_deref().map(|instance| book.places.pod(instance, Some(service), None));
    let what = book.whats.id(&anomaly.metric);
    Face { what, name: what, kind, service: Some(service), pod, node: None, peer: None }
}
