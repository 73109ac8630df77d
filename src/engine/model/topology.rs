//! The graph of services: who calls whom, from the configuration or discovered, with the age of each edge.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::ids::{ServiceName, SourceName};
use crate::engine::clock::Timestamp;

/// How an edge is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeOrigin {
    /// Written in the configuration; it does not age.
    Configured,
    /// Seen in metrics (Istio, service graph).
    Discovered,
}

/// One edge as seen: `caller` calls `callee`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeNotice {
    /// Who saw it.
    pub source: SourceName,
    /// Who calls.
    pub caller: ServiceName,
    /// Who is called.
    pub callee: ServiceName,
    /// How it is known.
    pub origin: EdgeOrigin,
    /// When calls were last seen on it.
    pub seen_at: Timestamp,
}

/// What is kept of an edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeFacts {
    /// How it is known; configured wins over discovered.
    pub origin: EdgeOrigin,
    /// When calls were last seen on it.
    pub seen_at: Timestamp,
    /// When it was first seen.
    pub first_seen_at: Timestamp,
}

/// The graph of services as currently known. Edges point from caller to callee; cycles are allowed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Topology {
    callees: BTreeMap<ServiceName, BTreeMap<ServiceName, EdgeFacts>>,
    callers: BTreeMap<ServiceName, BTreeSet<ServiceName>>,
}

impl Topology {
    /// Takes an edge in or refreshes it; true when the edge is new. An edge from a service to itself is not kept.
    pub fn observe(&mut self, notice: &EdgeNotice) -> bool {
        if notice.caller == notice.callee {
            return false;
        }
        let edges = self.callees.entry(notice.caller.clone()).or_default();
        let is_new = !edges.contains_key(&notice.callee);
        let facts = edges.entry(notice.callee.clone()).or_insert_with(|| EdgeFacts {
            origin: notice.origin,
            seen_at: notice.seen_at,
            first_seen_at: notice.seen_at,
        });
        facts.origin = facts.origin.min(notice.origin);
        facts.seen_at = facts.seen_at.max(notice.seen_at);
        self.callers.entry(notice.callee.clone()).or_default().insert(notice.caller.clone());
        is_new
    }

    /// Forgets discovered edges not seen since `before`; says how many.
    pub fn forget_unseen(&mut self, before: Timestamp) -> usize {
        let mut gone = Vec::new();
        for (caller, edges) in &mut self.callees {
            edges.retain(|callee, facts| {
                let stays = facts.origin == EdgeOrigin::Configured || facts.seen_at >= before;
                if !stays {
                    gone.push((caller.clone(), callee.clone()));
                }
                stays
            });
        }
        self.callees.retain(|_, edges| !edges.is_empty());
        for (caller, callee) in &gone {
            if let Some(callers) = self.callers.get_mut(callee) {
                callers.remove(caller);
            }
        }
        self.callers.retain(|_, callers| !callers.is_empty());
        gone.len()
    }

    /// Every service, sorted.
    #[must_use]
    pub fn services(&self) -> BTreeSet<ServiceName> {
        self.callees.keys().chain(self.callers.keys()).cloned().collect()
    }

    /// Every service, in no order that matters; one that calls and is called comes twice.
    pub fn each_service(&self, take: impl FnMut(&ServiceName)) {
        self.callees.keys().chain(self.callers.keys()).for_each(take);
    }

    /// True where the services are those of another topology, which calls there are aside.
    #[must_use]
    pub fn has_services_of(&self, other: &Self) -> bool {
        self.callees.keys().eq(other.callees.keys()) && self.callers.keys().eq(other.callers.keys())
    }

    /// What `service` calls, sorted by name.
    pub fn callees(&self, service: &ServiceName) -> impl Iterator<Item = (&ServiceName, &EdgeFacts)> {
        self.callees.get(service).into_iter().flatten()
    }

    /// Who calls `service`, sorted by name.
    pub fn callers(&self, service: &ServiceName) -> impl Iterator<Item = &ServiceName> {
        self.callers.get(service).into_iter().flatten()
    }

    /// Every edge as (caller, callee, facts), sorted.
    pub fn edges(&self) -> impl Iterator<Item = (&ServiceName, &ServiceName, &EdgeFacts)> {
        self.callees.iter().flat_map(|(caller, edges)| edges.iter().map(move |(callee, facts)| (caller, callee, facts)))
    }

    /// Steps along calls from `from` to `to`: 0 for the same service, `None` without a path or past `hops_max`.
    #[must_use]
    pub fn hops_down(&self, from: &ServiceName, to: &ServiceName, hops_max: usize) -> Option<usize> {
        self.path_down(from, to, hops_max).map(|path| path.len() - 1)
    }

    /// The shortest chain of calls from `from` to `to`, both included; ties go to the name that sorts first.
    #[must_use]
    pub fn path_down(&self, from: &ServiceName, to: &ServiceName, hops_max: usize) -> Option<Vec<ServiceName>> {
        let mut came_from: BTreeMap<&ServiceName, Option<&ServiceName>> = BTreeMap::from([(from, None)]);
        let mut queue = VecDeque::from([(from, 0)]);
        while let Some((here, hops)) = queue.pop_front() {
            if here == to {
                let mut path = vec![here.clone()];
                let mut at = here;
                while let Some(Some(before)) = came_from.get(at) {
                    path.push((*before).clone());
                    at = before;
                }
                path.reverse();
                return Some(path);
            }
            if hops < hops_max {
                for (next, _) in self.callees(here) {
                    came_from.entry(next).or_insert_with(|| {
                        queue.push_back((next, hops + 1));
                        Some(here)
                    });
                }
            }
        }
        None
    }

    /// Every service that reaches `service` along calls, with its distance, up to `hops_max`; without `service` itself.
    #[must_use]
    pub fn dependents(&self, service: &ServiceName, hops_max: usize) -> BTreeMap<ServiceName, usize> {
        let mut found = BTreeMap::new();
        let mut queue = VecDeque::from([(service, 0)]);
        while let Some((here, hops)) = queue.pop_front() {
            if hops == hops_max {
                continue;
            }
            for caller in self.callers(here) {
                if caller != service && !found.contains_key(caller) {
                    found.insert(caller.clone(), hops + 1);
                    queue.push_back((caller, hops + 1));
                }
            }
        }
        found
    }
}
