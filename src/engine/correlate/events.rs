//! What correlation is told and what it answers: plain data; the pipeline applies the answers to the world in order.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::model::{
    Alert, Anomaly, AnomalyId, ChangeId, Fingerprint, Incident, IncidentId, ServiceName, SuppressionReason,
};
use crate::engine::world::World;

/// What changed in the world since the last step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Touched {
    /// Anomalies that began, changed or ended.
    pub anomalies: BTreeSet<AnomalyId>,
    /// Alerts of which a notice came.
    pub alerts: BTreeSet<Fingerprint>,
    /// Changes that came or were updated.
    pub changes: BTreeSet<ChangeId>,
    /// Incidents that a person or a run changed.
    pub incidents: BTreeSet<IncidentId>,
    /// True once every `limits::TICK_MS`: grouping is done then, so that a storm costs one pass a second.
    pub is_tick: bool,
}

/// One thing to write into the world.
#[derive(Debug, Clone, PartialEq)]
pub enum CorrelationEvent {
    /// A new incident.
    IncidentOpened(Arc<Incident>),
    /// One already known, as it is now.
    IncidentChanged(Arc<Incident>),
    /// Where an anomaly belongs and why it is not shown by default.
    AnomalyMarked {
        /// Which anomaly.
        id: AnomalyId,
        /// Its incident.
        incident: Option<IncidentId>,
        /// Why it is not shown by default.
        suppressed: Option<SuppressionReason>,
    },
    /// Where an alert belongs and why it is not shown by default.
    AlertMarked {
        /// Which alert.
        fingerprint: Fingerprint,
        /// The service that was found for it, where its labels name none.
        service: Option<ServiceName>,
        /// Its incident.
        incident: Option<IncidentId>,
        /// Why it is not shown by default.
        suppressed: Option<SuppressionReason>,
    },
}

impl CorrelationEvent {
    /// Writes it into the world. Marks of what the world no longer has are dropped.
    pub fn apply(&self, world: &mut World) {
        match self {
            Self::IncidentOpened(incident) | Self::IncidentChanged(incident) => {
                world.incidents.insert(incident.id, incident.clone());
            }
            Self::AnomalyMarked { id, incident, suppressed } => {
                if let Some(anomaly) = world.anomalies.get_mut(id) {
                    let anomaly: &mut Anomaly = Arc::make_mut(anomaly);
                    anomaly.incident = *incident;
                    anomaly.suppressed.clone_from(suppressed);
                }
            }
            Self::AlertMarked { fingerprint, service, incident, suppressed } => {
                if let Some(alert) = world.alerts.get_mut(fingerprint) {
                    let alert: &mut Alert = Arc::make_mut(alert);
                    alert.incident = *incident;
                    alert.suppressed.clone_from(suppressed);
                    if alert.notice.service.is_none() {
                        alert.notice.service.clone_from(service);
                    }
                }
            }
        }
    }
}

/// The anomaly as detection tells it now, with the marks that correlation gave it before: detection knows nothing of
/// incidents, so its word must not take them away. A reason of detection's own wins.
#[must_use]
pub fn carry_marks(before: Option<&Anomaly>, mut told: Anomaly) -> Anomaly {
    if let Some(before) = before {
        told.incident = told.incident.or(before.incident);
        told.suppressed = told.suppressed.or_else(|| before.suppressed.clone().filter(is_correlations_own));
    }
    told
}

fn is_correlations_own(reason: &SuppressionReason) -> bool {
    matches!(
        reason,
        SuppressionReason::Folded { .. }
            | SuppressionReason::DownstreamOf { .. }
            | SuppressionReason::TooWeak
            | SuppressionReason::Learned { .. }
            | SuppressionReason::Flapping { .. }
            | SuppressionReason::Patching { .. }
            | SuppressionReason::Operator { .. }
    )
}
