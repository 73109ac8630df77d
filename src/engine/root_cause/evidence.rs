//! Evidence being gathered: each piece says which way of looking gave it, in a line, and what it weighs.

use std::sync::Arc;

use crate::engine::clock::Timestamp;
use crate::engine::model::{Anomaly, Change, Evidence, EvidenceKind, EvidenceTarget, ServiceName};

/// Pieces lighter than this are not worth a line.
const WEIGHT_MIN: f64 = 0.05;

/// What was found for and against one candidate.
#[derive(Debug, Default)]
pub(super) struct Findings(pub(super) Vec<Evidence>);

impl Findings {
    /// Adds a piece; `weight` in natural-log odds, negative where it speaks against.
    pub(super) fn add(
        &mut self,
        kind: EvidenceKind,
        weight: f64,
        text: String,
        at: Option<Timestamp>,
        target: EvidenceTarget,
    ) {
        if weight.is_finite() && weight.abs() >= WEIGHT_MIN {
            self.0.push(Evidence { kind, text: Arc::from(text), weight, at, target: Some(target) });
        }
    }

    /// The sum of the weights.
    pub(super) fn weight(&self) -> f64 {
        self.0.iter().map(|piece| piece.weight).sum()
    }

    /// For and against, strongest first.
    pub(super) fn split(self) -> (Vec<Evidence>, Vec<Evidence>) {
        let (mut pro, mut contra): (Vec<Evidence>, Vec<Evidence>) =
            self.0.into_iter().partition(|piece| piece.weight > 0.0);
        let by_size = |a: &Evidence, b: &Evidence| b.weight.abs().total_cmp(&a.weight.abs()).then(a.text.cmp(&b.text));
        pro.sort_by(by_size);
        contra.sort_by(by_size);
        (pro, contra)
    }
}

pub(super) fn of_anomaly(anomaly: &Anomaly) -> EvidenceTarget {
    EvidenceTarget::Anomaly(anomaly.id)
}

pub(super) fn of_change(change: &Change) -> EvidenceTarget {
    EvidenceTarget::Change(change.id)
}

pub(super) fn of_service(service: &ServiceName) -> EvidenceTarget {
    EvidenceTarget::Service(service.clone())
}
