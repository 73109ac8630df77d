//! A second failure within one incident: symptoms that the leading cause does not explain and that something else, with
//! evidence of its own, does.
//!
//! Grouping joins what is near in time and connected by calls, so two failures whose callers meet begin as one incident.
//! Only a ranking can tell them apart, and only when it had time to settle.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::case::{Case, NodeId};
use super::picture::Picture;
use super::rank;
use crate::engine::clock::Timestamp;
use crate::engine::limits::{CLOCK_SKEW_MS, SPLIT_SETTLE_MS, TOPOLOGY_HOPS_MAX};
use crate::engine::model::{EvidenceKind, Hypothesis, Incident, IncidentState, ServiceName, Severity};
use crate::engine::settings::CorrelationSettings;
use crate::engine::world::World;

/// A second cause has to be believed this much on its own symptoms alone.
const BELIEVED_MIN: f64 = 0.6;
/// And a change speaks for it from this weight on: it came shortly before.
const OWN_CHANGE_MIN: f64 = 1.0;

/// Whether an incident holds a second failure.
#[derive(Debug, Clone, PartialEq)]
pub enum SecondFailure {
    /// It does not.
    None,
    /// It seems to, and is too young to be sure.
    Unsettled,
    /// It does.
    Found {
        /// The services that the second cause explains and the first does not.
        services: BTreeSet<ServiceName>,
        /// Why they are a failure of their own, in a line.
        because: Arc<str>,
    },
}

/// Looks for a second failure in an incident that was just ranked. What somebody is already acting on stays whole.
#[must_use]
pub fn second_failure(
    world: &World,
    incident: &Incident,
    settings: &CorrelationSettings,
    now: Timestamp,
) -> SecondFailure {
    let is_workable =
        matches!(incident.state, IncidentState::Open | IncidentState::Acknowledged | IncidentState::Reopened);
    let Some(first) = incident.ranking.hypotheses.first().filter(|_| is_workable && incident.runs.is_empty()) else {
        return SecondFailure::None;
    };
    let case = Case::of_incident(world, incident);
    let picture = Picture::of_incident(&case, world, incident, settings.hops_max);
    let Some(place) = case.find(first.service.as_str()) else { return SecondFailure::None };
    let onsets = picture.symptoms.onsets().map(|(node, _)| node);
    let (kept, rest): (BTreeSet<NodeId>, BTreeSet<NodeId>) =
        onsets.partition(|node| is_explained(&picture, place, *node));
    if rest.is_empty() || kept.is_empty() {
        return SecondFailure::None;
    }
    let ranking = rank(world, &part(world, incident, &case, &rest), settings, now);
    let Some(second) = ranking.cause().filter(|second| stands_alone(&picture, first, second, &rest)) else {
        return SecondFailure::None;
    };
    // Two failures in one picture take each other's probability; each has to stand when looked at alone.
    let alone = || rank(world, &part(world, incident, &case, &kept), settings, now);
    let is_first_sure = incident.ranking.cause().is_some() || alone().cause().is_some();
    let own: BTreeSet<NodeId> = rest.into_iter().filter(|node| depends(&picture, *node, &second.service)).collect();
    let services: BTreeSet<ServiceName> = own.iter().map(|node| picture.service(*node)).collect();
    let newest = own.iter().filter_map(|node| picture.symptoms.onset(*node)).max();
    let is_settled = now.since_ms(incident.opened_at) >= SPLIT_SETTLE_MS
        && newest.is_some_and(|onset| now.since_ms(onset) >= SPLIT_SETTLE_MS);
    if !is_first_sure {
        SecondFailure::None
    } else if is_settled {
        SecondFailure::Found { services, because: Arc::from(because(first, second)) }
    } else {
        SecondFailure::Unsettled
    }
}

/// True where a service is the named one or depends on it.
fn depends(picture: &Picture<'_>, node: NodeId, on: &ServiceName) -> bool {
    let on = picture.case.find(on.as_str());
    on.is_some_and(|on| on == node || picture.graph.dependents(on, TOPOLOGY_HOPS_MAX).contains_key(&node))
}

/// True where the service is the cause's, or depends on it and did not fail before it.
fn is_explained(picture: &Picture<'_>, cause: NodeId, node: NodeId) -> bool {
    let symptoms = &picture.symptoms;
    let tolerance_ms = symptoms.tolerance_ms.max(CLOCK_SKEW_MS);
    let came_later = match (symptoms.onset(node), symptoms.onset(cause)) {
        (Some(onset), Some(began)) => onset + tolerance_ms >= began,
        _ => true,
    };
    node == cause || (came_later && depends(picture, node, &picture.service(cause)))
}

/// A cause of its own: a change of its own shortly before or, where no call leads from one cause to the other in either
/// direction, critical symptoms that traffic does not explain.
fn stands_alone(picture: &Picture<'_>, first: &Hypothesis, second: &Hypothesis, rest: &BTreeSet<NodeId>) -> bool {
    let find = |service: &ServiceName| picture.case.find(service.as_str());
    let (Some(of_first), Some(of_second)) = (find(&first.service), find(&second.service)) else { return false };
    if !rest.contains(&of_second) || second.confidence.get() < BELIEVED_MIN {
        return false;
    }
    let change_weight =
        second.evidence_for.iter().filter(|piece| piece.kind == EvidenceKind::Change).map(|piece| piece.weight);
    let has_own_change = second.change.is_some()
        && second.change != first.change
        && change_weight.fold(0.0_f64, f64::max) >= OWN_CHANGE_MIN;
    let is_related = depends(picture, of_first, &second.service) || depends(picture, of_second, &first.service);
    let Some(view) = picture.symptoms.view(of_second) else {
        return false;
    };
    let is_critical = view.metrics.iter().any(|anomaly| anomaly.severity == Severity::Critical)
        || view.alerts.iter().any(|alert| alert.notice.severity == Severity::Critical);
    has_own_change || (!is_related && is_critical && view.traffic.is_none())
}

/// The incident as if it had only these services.
fn part(world: &World, incident: &Incident, case: &Case, services: &BTreeSet<NodeId>) -> Incident {
    let mut part = incident.clone();
    let is_in = |service: Option<&ServiceName>| {
        service.and_then(|service| case.find(service.as_str())).is_some_and(|node| services.contains(&node))
    };
    part.anomalies.retain(|id| is_in(world.anomalies.get(id).map(|anomaly| &anomaly.service)));
    part.alerts.retain(|id| is_in(world.alerts.get(id).and_then(|alert| alert.notice.service.as_ref())));
    part.services.retain(|service, _| is_in(Some(service)));
    part
}

fn because(first: &Hypothesis, second: &Hypothesis) -> String {
    format!("{} ({} %) is not explained by {}", second.title, second.confidence.percent(), first.title)
}
