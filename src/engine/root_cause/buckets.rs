//! Cause, first failure, impact; the chain from the cause to the users; and who depends on a service.

use super::candidates::Candidate;
use super::picture::Picture;
use crate::engine::limits::TOPOLOGY_HOPS_MAX;
use crate::engine::model::{Buckets, ServiceName, Topology};

/// Services that could be harmed if this one fails: everything that reaches it along calls.
#[must_use]
pub fn blast_radius(topology: &Topology, service: &ServiceName) -> usize {
    topology.dependents(service, TOPOLOGY_HOPS_MAX).len()
}

/// The services of the incident by their part in it, each bucket earliest first; those that only get fewer requests last.
pub(super) fn buckets(picture: &Picture<'_>, candidate: &Candidate<'_>) -> Buckets {
    let mut others: Vec<_> = picture.onsets().filter(|(service, _)| **service != candidate.service).collect();
    others.sort_by_key(|(service, onset)| (*onset, *service));
    let first = others.first().map(|(_, onset)| *onset);
    let is_first = |service: &ServiceName, onset: crate::engine::clock::Timestamp| {
        candidate.resource.is_some_and(|resource| resource.service == *service)
            || first.is_some_and(|first| onset.since_ms(first) <= picture.tolerance_ms)
    };
    let (first_failure, impact): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|(service, onset)| is_first(service, *onset));
    let names = |found: Vec<(&ServiceName, _)>| found.into_iter().map(|(service, _)| service.clone()).collect();
    let mut impact: Vec<ServiceName> = names(impact);
    impact.extend(picture.starved.iter().filter(|at| ***at != candidate.service).map(|at| (*at).clone()));
    Buckets { cause: vec![candidate.service.clone()], first_failure: names(first_failure), impact }
}

/// From the cause outwards along calls to the affected service furthest from it; just the cause where nobody who calls
/// it is affected.
pub(super) fn impact_chain(picture: &Picture<'_>, service: &ServiceName) -> Vec<ServiceName> {
    let dependents = picture.topology.dependents(service, TOPOLOGY_HOPS_MAX);
    let furthest =
        dependents.iter().filter(|(caller, _)| picture.onset(caller).is_some()).max_by_key(|(caller, hops)| {
            (**hops, picture.topology.callers(caller).next().is_none(), std::cmp::Reverse(*caller))
        });
    let path = furthest.and_then(|(caller, _)| picture.topology.path_down(caller, service, TOPOLOGY_HOPS_MAX));
    match path {
        Some(mut path) => {
            path.reverse();
            path
        }
        None => vec![service.clone()],
    }
}
