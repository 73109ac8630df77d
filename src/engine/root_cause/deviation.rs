//! The size of the deviation, against the others'.

use super::candidates::{Candidate, is_absent};
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
    let rival = others.filter_map(|(_, view)| view.worst()).max_by(|a, b| size(a).total_cmp(&size(b)));
    let largest = rival.map_or(0.0, size);
    let weight = if largest == 0.0 {
        if own.severity == Severity::Critical { 0.5 } else { 0.2 }
    } else {
        0.6 * ((size(own) + 1.0) / (largest + 1.0)).ln().clamp(-1.2, 1.2)
    };
    let text = match rival.filter(|_| weight < 0.0) {
        Some(rival) => format!("{} departs further: {}, against {}", rival.service, rival.departure(), own.departure()),
        None if largest > 0.0 => format!("no other service departs as far: {}", own.departure()),
        None => own.departure(),
    };
    findings.add(EvidenceKind::Deviation, weight, text, Some(own.started_at), of_anomaly(own));
}

/// What is down or gone cannot be further off, whatever its spread was.
fn size(anomaly: &Anomaly) -> f64 {
    if is_absent(anomaly) {
        return SIGMA_MAX;
    }
    if anomaly.peak_sigma.is_finite() { anomaly.peak_sigma.clamp(0.0, SIGMA_MAX) } else { SIGMA_MAX }
}
