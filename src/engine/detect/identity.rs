//! What makes a repeat a repeat: the identity of an anomaly, and the way back from it to its series.

use crate::engine::model::{Anomaly, AnomalyKind, Direction, Fingerprint};

/// Separates the identities of one series' anomalies by kind and direction; reversible, so that an anomaly leads back
/// to its series after a restart.
fn code(kind: AnomalyKind, direction: Direction) -> u64 {
    let kind = match kind {
        AnomalyKind::Deviation => 1,
        AnomalyKind::Absence => 2,
        AnomalyKind::NewTemplate => 3,
        AnomalyKind::TemplateRate => 4,
        AnomalyKind::Forecast => 5,
        AnomalyKind::Relation => 6,
    };
    let direction = u64::from(direction == Direction::Below);
    (2 * kind + direction).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Identity of an anomaly.
#[must_use]
pub fn anomaly_fingerprint(series: Fingerprint, kind: AnomalyKind, direction: Direction) -> Fingerprint {
    Fingerprint(series.0.wrapping_add(code(kind, direction)))
}

/// The series (or log template) an anomaly is of.
#[must_use]
pub fn origin_fingerprint(anomaly: &Anomaly) -> Fingerprint {
    Fingerprint(anomaly.fingerprint.0.wrapping_sub(code(anomaly.kind, anomaly.direction)))
}
