//! Cause, first failure, impact; and the chain from the cause to the users.

use super::case::NodeId;
use super::picture::Picture;
use super::picture::causes::Cause;
use crate::engine::clock::Timestamp;
use crate::engine::limits::TOPOLOGY_HOPS_MAX;
use crate::engine::model::{Buckets, ServiceName};

/// The services of the incident by their part in it, each bucket earliest first; those that only get fewer requests last.
pub(super) fn buckets(picture: &Picture<'_>, cause: &Cause<'_>) -> Buckets {
    let symptoms = &picture.symptoms;
    let mut others: Vec<(NodeId, Timestamp)> = symptoms.onsets().filter(|(node, _)| *node != cause.node).collect();
    others.sort_by_key(|(node, onset)| (*onset, *node));
    let first = others.first().map(|(_, onset)| *onset);
    let is_first = |(node, onset): &(NodeId, Timestamp)| {
        cause.resource_of() == Some(*node) || first.is_some_and(|first| onset.since_ms(first) <= symptoms.tolerance_ms)
    };
    let (first_failure, impact): (Vec<_>, Vec<_>) = others.into_iter().partition(is_first);
    let names = |found: Vec<(NodeId, Timestamp)>| found.into_iter().map(|(node, _)| picture.service(node)).collect();
    let mut impact: Vec<ServiceName> = names(impact);
    impact.extend(symptoms.starved.iter().filter(|at| **at != cause.node).map(|at| picture.service(*at)));
    Buckets { cause: vec![picture.service(cause.node)], first_failure: names(first_failure), impact }
}

/// From the cause outwards along calls to the affected service furthest from it; just the cause where nobody who calls
/// it is affected.
pub(super) fn impact_chain(picture: &Picture<'_>, node: NodeId) -> Vec<ServiceName> {
    let graph = &picture.graph;
    let dependents = graph.dependents(node, TOPOLOGY_HOPS_MAX);
    let affected = dependents.into_iter().filter(|(caller, _)| picture.symptoms.onset(*caller).is_some());
    let furthest =
        affected.max_by_key(|(caller, hops)| (*hops, graph.callers(*caller).is_empty(), std::cmp::Reverse(*caller)));
    let path = furthest.and_then(|(caller, _)| graph.path_down(caller, node)).unwrap_or_else(|| vec![node]);
    path.into_iter().rev().map(|node| picture.service(node)).collect()
}
