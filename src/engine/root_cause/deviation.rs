//! The size of the deviation, against the others'.

use super::candidates::Candidate;
use super::evidence::{Findings, of_anomaly};
use super::picture::Picture;
use crate::engine::model::{Anomaly, EvidenceKind, Severity};

/// Beyond this many sigmas the spread says nothing more.
const SIGMA_MAX: f64 = 50.0;

pub(super) fn look(picture: &Picture<'_>, candidate: &Candidate<'_>, findings: &mut Findings) {
    let own = picture.view(&candidate.service).and_then(super::picture::ServiceView::worst).or(candidate.resource);
    let Some(own) = own else {
        return;
    };
    let others = picture.hit.iter().filter(|(service, _)| ***service != candidate.service);
    let largest = others.filter_map(|(_, view)| view.worst()).map(size).fold(0.0_f64, f64::max);
    let weight = if largest == 0.0 {
        if own.severity == Severity::Critical { 0.5 } else { 0.2 }
    } else {
        0.6 * ((size(own) + 1.0) / (largest + 1.0)).ln().clamp(-1.2, 1.2)
    };
    findings.add(EvidenceKind::Deviation, weight, own.departure(), Some(own.started_at), of_anomaly(own));
}

fn size(anomaly: &Anomaly) -> f64 {
    if anomaly.peak_sigma.is_finite() { anomaly.peak_sigma.clamp(0.0, SIGMA_MAX) } else { SIGMA_MAX }
}
