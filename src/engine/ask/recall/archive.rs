//! Every incident that is over, for whoever asks what was like this before.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::digest::{Digest, PastAct, PastCause};
use super::feature;
use super::index::{Index, Place};
use super::query::Query;
use super::reason::Reason;
use crate::engine::clock::Timestamp;
use crate::engine::model::{Incident, IncidentId};
use crate::engine::snapshot::Snapshot;

/// Reasons that are told of one incident.
const REASONS_MAX: usize = 4;
/// A reason that adds less than this share of the most telling one is left out.
const REASON_SHARE_MIN: f32 = 0.08;

/// What is told of a past incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// Its number.
    pub id: IncidentId,
    /// In a line.
    pub title: Arc<str>,
    /// The earliest onset.
    pub started_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// Why it was, where that was said.
    pub cause: Option<PastCause>,
    /// What was done that helped; of several the last.
    pub remedy: Option<PastAct>,
    /// What was done and did not help.
    pub failed: Vec<PastAct>,
}

impl From<&Digest> for Past {
    fn from(digest: &Digest) -> Self {
        Self {
            id: digest.id,
            title: Arc::clone(&digest.title),
            started_at: digest.started_at,
            ended_at: digest.ended_at,
            cause: digest.cause.clone(),
            remedy: digest.remedy().cloned(),
            failed: digest.acts.iter().filter(|act| !act.helped).cloned().collect(),
        }
    }
}

/// A past incident that is like what was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Alike<'a> {
    /// The incident.
    pub past: &'a Past,
    /// How much of what was asked for it has, weighed by how much that says, from 0 to 1.
    pub likeness: f64,
    /// What they have in common, the most telling first.
    pub reasons: Vec<Reason>,
}

/// The incidents that are over.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Archive {
    index: Index,
    /// By place.
    told: Vec<Option<Past>>,
    places: BTreeMap<IncidentId, Place>,
}

/// True for an incident that is remembered: it is over, and it is not a part of another.
fn is_past(incident: &Incident) -> bool {
    !incident.state.is_live() && incident.merged_into.is_none()
}

impl Archive {
    /// The incidents of a picture that are over.
    #[must_use]
    pub fn of_picture(snapshot: &Snapshot) -> Self {
        let mut archive = Self::default();
        archive.complete(snapshot);
        archive
    }

    /// Takes in what of this picture is over and not known yet.
    pub fn complete(&mut self, snapshot: &Snapshot) {
        for incident in snapshot.incidents.iter().filter(|incident| is_past(incident)) {
            if self.get(incident.id).is_none() {
                self.put(&Digest::of_picture(snapshot, incident));
            }
        }
    }

    /// How many incidents it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// True where it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The incident of this number.
    #[must_use]
    pub fn get(&self, id: IncidentId) -> Option<&Past> {
        self.told.get(*self.places.get(&id)? as usize)?.as_ref()
    }

    /// Remembers an incident as it is now: one that is over is taken in or replaced, any other is forgotten.
    pub fn follow(&mut self, incident: &Incident, digest: impl FnOnce() -> Digest) {
        if is_past(incident) { self.put(&digest()) } else { self.forget(incident.id) }
    }

    /// Takes an incident in, in place of what was known of it.
    pub fn put(&mut self, digest: &Digest) {
        self.forget(digest.id);
        let place = self.index.add(&feature::weighed(digest));
        self.told.push(Some(Past::from(digest)));
        self.places.insert(digest.id, place);
    }

    /// Forgets an incident; nothing where it is not known.
    pub fn forget(&mut self, id: IncidentId) {
        let Some(place) = self.places.remove(&id) else { return };
        self.index.remove(place);
        if let Some(told) = self.told.get_mut(place as usize) {
            *told = None;
        }
        if self.index.is_sparse() {
            let moved = self.index.close_up();
            self.told.retain(Option::is_some);
            self.told.shrink_to_fit();
            for place in self.places.values_mut() {
                *place = moved.get(*place as usize).copied().flatten().unwrap_or(Place::MAX);
            }
        }
    }

    /// The incidents that are most like what is asked for, at least `likeness_min` of it, the likest first and of two that are
    /// as like the later; at most `count` of them, and how many there are in all.
    #[must_use]
    pub fn alike(
        &self,
        query: &Query,
        without: Option<IncidentId>,
        likeness_min: f64,
        count: usize,
    ) -> (Vec<Alike<'_>>, usize) {
        let asked = query.asked();
        let full = f64::from(self.index.full(&asked, &query.own())).max(f64::MIN_POSITIVE);
        let scores = self.index.scores(&asked);
        let likeness = |score: f32| (f64::from(score) / full).min(1.0);
        let mut found: Vec<(f32, &Past, usize)> = scores
            .iter()
            .enumerate()
            .filter(|(_, score)| **score > 0.0 && likeness(**score) >= likeness_min)
            .filter_map(|(at, score)| Some((*score, self.told.get(at)?.as_ref()?, at)))
            .filter(|(_, past, _)| Some(past.id) != without)
            .collect();
        let all = found.len();
        let order = |one: &(f32, &Past, usize), other: &(f32, &Past, usize)| {
            other.0.total_cmp(&one.0).then((other.1.started_at, other.1.id).cmp(&(one.1.started_at, one.1.id)))
        };
        if all > count && count > 0 {
            found.select_nth_unstable_by(count - 1, order);
        }
        found.truncate(count);
        found.sort_by(order);
        let told = found.into_iter().map(|(score, past, at)| {
            let place = Place::try_from(at).unwrap_or(Place::MAX);
            Alike { past, likeness: likeness(score), reasons: self.reasons(query, place) }
        });
        (told.collect(), all)
    }

    fn reasons(&self, query: &Query, place: Place) -> Vec<Reason> {
        let part = |(identity, worth, reason)| Some((self.index.part(identity, worth, place)?, reason));
        let mut parts: Vec<(f32, &Reason)> = query.reasons().filter_map(part).collect();
        // The sort is stable, and what is asked for is in a fixed order.
        parts.sort_by(|one, other| other.0.total_cmp(&one.0));
        let least = parts.first().map_or(0.0, |(most, _)| most * REASON_SHARE_MIN);
        let mut told: Vec<Reason> = Vec::new();
        for (part, reason) in parts {
            if told.len() < REASONS_MAX && part >= least && !told.iter().any(|said| reason.is_said_by(said)) {
                told.push(reason.clone());
            }
        }
        told
    }

    /// Bytes that it holds on the heap, near enough; what is shared with others is counted.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let of = |past: &Past| {
            past.title.len()
                + past.cause.as_ref().map_or(0, |cause| cause.title.len())
                + past.failed.capacity() * size_of::<PastAct>()
        };
        let told: usize = self.told.iter().flatten().map(of).sum();
        let entry = size_of::<(IncidentId, Place)>() * 2;
        self.index.bytes() + told + self.told.capacity() * size_of::<Option<Past>>() + self.places.len() * entry
    }
}
