//! What operators taught about which services fail together: every merge by hand speaks for a pair, every split against.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::limits::AFFINITIES_MAX;
use crate::engine::model::ServiceName;

/// Votes by pair of services, the lesser name first: above zero they were joined, below zero parted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Affinities {
    votes: BTreeMap<(ServiceName, ServiceName), i32>,
    is_unkept: bool,
}

/// One pair, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct KeptVotes(ServiceName, ServiceName, i32);

fn pair(one: &ServiceName, other: &ServiceName) -> (ServiceName, ServiceName) {
    let (less, more) = if one <= other { (one, other) } else { (other, one) };
    (less.clone(), more.clone())
}

impl Affinities {
    /// An operator joined (or parted) failures that began on these two.
    pub fn vote(&mut self, one: &ServiceName, other: &ServiceName, is_together: bool) {
        if one == other {
            return;
        }
        let key = pair(one, other);
        if !self.votes.contains_key(&key) && self.votes.len() >= AFFINITIES_MAX {
            return;
        }
        let votes = self.votes.entry(key).or_insert(0);
        // The newest word turns the matter: nobody has to outvote their own past.
        *votes = if is_together { (*votes).max(0) + 1 } else { (*votes).min(0) - 1 };
        self.is_unkept = true;
    }

    /// The votes on a pair; zero where nobody said anything.
    pub fn of(&self, one: &ServiceName, other: &ServiceName) -> i32 {
        if self.votes.is_empty() { 0 } else { self.votes.get(&pair(one, other)).copied().unwrap_or(0) }
    }

    /// Pairs that were joined.
    pub fn joined(&self) -> impl Iterator<Item = (&ServiceName, &ServiceName)> {
        self.votes.iter().filter(|(_, votes)| **votes > 0).map(|((one, other), _)| (one, other))
    }

    /// What is to be kept, where anything changed since it was last asked for.
    pub fn take_unkept(&mut self) -> Option<String> {
        if !std::mem::take(&mut self.is_unkept) {
            return None;
        }
        let kept = self.votes.iter().map(|((one, other), votes)| KeptVotes(one.clone(), other.clone(), *votes));
        // Names and counts always have a form in JSON.
        serde_json::to_string(&kept.collect::<Vec<_>>()).ok()
    }

    /// Takes back what was kept.
    pub fn restore(&mut self, text: &str) -> Result<(), serde_json::Error> {
        let kept: Vec<KeptVotes> = serde_json::from_str(text)?;
        self.votes = kept.into_iter().map(|KeptVotes(one, other, votes)| (pair(&one, &other), votes)).collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_word_counts_and_is_kept() {
        let (cart, payment, web) = (&"cart".into(), &"payment".into(), &"web".into());
        let mut affinities = Affinities::default();
        assert_eq!(affinities.of(cart, payment), 0);
        affinities.vote(payment, cart, true);
        affinities.vote(cart, payment, true);
        assert_eq!((affinities.of(cart, payment), affinities.of(payment, cart)), (2, 2));
        affinities.vote(cart, web, false);
        affinities.vote(cart, payment, false);
        assert_eq!((affinities.of(cart, payment), affinities.of(web, cart)), (-1, -1));
        affinities.vote(cart, cart, true);
        assert_eq!(affinities.joined().count(), 0);
        let kept = affinities.take_unkept().unwrap();
        assert!(affinities.take_unkept().is_none());
        let mut after = Affinities::default();
        after.restore(&kept).unwrap();
        assert_eq!(after, affinities);
        assert!(after.restore("{}").is_err());
    }
}
