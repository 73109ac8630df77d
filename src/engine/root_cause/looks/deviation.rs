//! The size of the deviation, against the others'.

use crate::engine::model::{Anomaly, Severity};
use crate::engine::root_cause::candidates::Candidate;
use crate::engine::root_cause::evidence::{Findings, Term, of_anomaly};
use crate::engine::root_cause::picture::Picture;
use crate::engine::root_cause::picture::causes::is_absent;
use crate::engine::root_cause::picture::symptoms::ServiceView;

/// Beyond this many sigmas the spread says nothing more.
const SIGMA_MAX: f64 = 50.0;

/// Adds how far the candidate departs, against the others.
pub fn look(picture: &Picture<'_>, candidate: Candidate<'_>, findings: &mut Findings) {
    let Some(cause) = &candidate.cause else { return };
    let view = picture.symptoms.view(cause.node);
    let own = view.and_then(ServiceView::worst).or(cause.resource.map(|(_, resource)| resource));
    let Some(own) = own else {
        return;
    };
    let others = picture.symptoms.hit.iter().filter(|(node, _)| **node != cause.node);
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
    findings.tell(Term::Size, weight, text, Some(own.started_at), of_anomaly(own));
}

/// What is down or gone cannot be further off, whatever its spread was.
fn size(anomaly: &Anomaly) -> f64 {
    if is_absent(anomaly) {
        return SIGMA_MAX;
    }
    if anomaly.peak_sigma.is_finite() { anomaly.peak_sigma.clamp(0.0, SIGMA_MAX) } else { SIGMA_MAX }
}
