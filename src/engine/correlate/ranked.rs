//! What a new ranking changes about an incident: its title, a line of the timeline, and which members are explained.

use std::sync::Arc;

use super::CorrelationEvent;
use super::lifecycle::tell;
use crate::engine::clock::Timestamp;
use crate::engine::model::{Hypothesis, Incident, Ranking, ServiceName, SuppressionReason, TimelineKind};
use crate::engine::world::World;

/// The incident with `ranking` and `title`, and the marks that follow: anomalies on services that the cause explains
/// are set aside with that reason, and shown again where the ranking no longer explains them. Empty where nothing moved.
#[must_use]
pub fn take_ranking(
    world: &World,
    incident: &Incident,
    ranking: Ranking,
    title: &str,
    now: Timestamp,
) -> Vec<CorrelationEvent> {
    let has_news = incident.ranking != ranking || incident.title.as_ref() != title;
    if !has_news {
        return Vec::new();
    }
    let mut next = incident.clone();
    if leader(&incident.ranking) != leader(&ranking) {
        tell(&mut next, now, TimelineKind::Hypothesis, &news(&ranking), None);
    }
    next.title = Arc::from(title);
    next.ranking = ranking;
    next.updated_at = now;
    let mut events = marks(world, &next);
    events.push(CorrelationEvent::IncidentChanged(Arc::new(next)));
    events
}

/// What makes two leading hypotheses the same: kind, place and blamed change, not the confidence of the hour.
fn leader(
    ranking: &Ranking,
) -> Option<(crate::engine::model::CauseKind, &ServiceName, Option<crate::engine::model::ChangeId>)> {
    ranking.cause().map(|cause| (cause.kind, &cause.service, cause.change))
}

fn news(ranking: &Ranking) -> String {
    match (ranking.cause(), &ranking.unresolved) {
        (Some(cause), _) => {
            format!("1 of {}: {} ({} %)", ranking.hypotheses.len(), cause.title, cause.confidence.percent())
        }
        (None, Some(reason)) => format!("no cause is named: {reason}"),
        (None, None) => "no cause is named".to_owned(),
    }
}

fn marks(world: &World, incident: &Incident) -> Vec<CorrelationEvent> {
    let cause = incident.ranking.cause();
    let members = incident.anomalies.iter().filter_map(|id| world.anomalies.get(id));
    members
        .filter_map(|anomaly| {
            let explained = cause.filter(|cause| explains(cause, &anomaly.service));
            let reason = explained.map(|cause| SuppressionReason::DownstreamOf { service: cause.service.clone() });
            let is_ours = anomaly.suppressed.as_ref().is_none_or(|now| {
                matches!(now, SuppressionReason::DownstreamOf { .. } | SuppressionReason::Folded { .. })
            });
            (is_ours && anomaly.suppressed != reason).then(|| CorrelationEvent::AnomalyMarked {
                id: anomaly.id,
                incident: Some(incident.id),
                suppressed: reason,
            })
        })
        .collect()
}

fn explains(cause: &Hypothesis, service: &ServiceName) -> bool {
    cause.service != *service
        && (cause.buckets.impact.contains(service) || cause.buckets.first_failure.contains(service))
}
