//! What is asked of an archive: the features of an incident or of some words, widened to the services around it.

use std::collections::BTreeMap;

use super::digest::Digest;
use super::feature::{self, Feature};
use super::index::Asked;
use super::reason::Reason;
use crate::engine::model::{ServiceName, Topology};

/// What a feature of a direct neighbour is worth beside that of the service itself.
const NEIGHBOUR: f32 = 0.4;
/// Neighbours that are asked for, callers and callees, each; the first by name.
const NEIGHBOURS_MAX: usize = 16;

/// One feature that is asked for.
#[derive(Debug, Clone)]
struct Wish {
    worth: f32,
    weight: u8,
    reason: Reason,
}

/// A query.
#[derive(Debug, Clone, Default)]
pub struct Query {
    wishes: BTreeMap<u64, Wish>,
}

impl Query {
    /// What is like this incident, in a world of these calls.
    #[must_use]
    pub fn like(digest: &Digest, topology: &Topology) -> Self {
        let mut query = Self::default();
        let words = feature::words(digest);
        // What is named is certain; what is around it is asked for as well where it was not named itself.
        feature::each(digest, &words, |feature| query.wish(feature, 1.0, false));
        if let Some(origin) = &digest.origin {
            query.widen(digest, origin, topology);
        }
        query
    }

    /// What was written about in these words, or happened on these services.
    #[must_use]
    pub fn about<'t>(words: &str, services: impl IntoIterator<Item = &'t str>) -> Self {
        let mut query = Self::default();
        for word in feature::words_of(words) {
            query.wish(Feature::Word(&word), 1.0, false);
        }
        for service in services {
            query.wish(Feature::Service(service), 1.0, false);
            query.wish(Feature::Origin(service), 1.0, false);
        }
        query
    }

    fn widen(&mut self, digest: &Digest, origin: &ServiceName, topology: &Topology) {
        let callees = topology.callees(origin).map(|(callee, _)| callee).take(NEIGHBOURS_MAX);
        let around: Vec<&ServiceName> = callees.chain(topology.callers(origin).take(NEIGHBOURS_MAX)).collect();
        for near in around {
            self.wish(Feature::Origin(near.as_str()), NEIGHBOUR, true);
            for sign in digest.signs.iter().filter(|sign| sign.service == *origin) {
                self.wish(Feature::Sign(near.as_str(), &sign.metric, sign.direction), NEIGHBOUR, true);
            }
        }
    }

    fn wish(&mut self, feature: Feature<'_>, worth: f32, is_near: bool) {
        let wish = || Wish { worth, weight: feature.weight(), reason: Reason::of(feature, is_near) };
        self.wishes.entry(feature.identity()).or_insert_with(wish);
    }

    /// True where nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wishes.is_empty()
    }

    pub(super) fn asked(&self) -> Asked {
        self.wishes.iter().map(|(identity, wish)| (*identity, wish.worth)).collect()
    }

    /// What an incident that is the very same would have: what is asked for without what is only near.
    pub(super) fn own(&self) -> BTreeMap<u64, u8> {
        let own = self.wishes.iter().filter(|(_, wish)| wish.worth >= 1.0);
        own.map(|(identity, wish)| (*identity, wish.weight)).collect()
    }

    /// Each feature that is asked for: identity, worth, and what sharing it says.
    pub(super) fn reasons(&self) -> impl Iterator<Item = (u64, f32, &Reason)> {
        self.wishes.iter().map(|(identity, wish)| (*identity, wish.worth, &wish.reason))
    }
}
