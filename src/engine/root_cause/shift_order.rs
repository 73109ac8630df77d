//! The order of onsets: what fails first is nearer the cause, as far as samples can tell.

use super::candidates::Candidate;
use super::evidence::{Findings, of_service};
use super::picture::Picture;
use crate::engine::model::{EvidenceKind, human_span};

pub(super) fn look(picture: &Picture<'_>, candidate: &Candidate<'_>, findings: &mut Findings) {
    if candidate.is_silent {
        return;
    }
    let own_resource = candidate.resource.map(|resource| &resource.service);
    let others = picture
        .onsets()
        .filter(|(service, _)| **service != candidate.service && Some(*service) != own_resource)
        .min_by_key(|(service, onset)| (*onset, *service));
    let Some((other, other_onset)) = others else {
        return;
    };
    let lead_ms = other_onset.since_ms(candidate.onset);
    let tolerance_ms = picture.tolerance_ms;
    // What comes first may be the resource of a service that it calls.
    let of_resource = candidate.resource.filter(|resource| resource.started_at == candidate.onset);
    let service = of_resource.map_or(&candidate.service, |resource| &resource.service);
    let (weight, text) = if lead_ms > tolerance_ms {
        (1.5, format!("{service} showed the first symptom, {} before {other}", human_span(lead_ms)))
    } else if lead_ms >= -tolerance_ms {
        (0.4, format!("{service} was among the first to show symptoms"))
    } else {
        let late = (-lead_ms - tolerance_ms) as f64 / tolerance_ms as f64;
        (-(0.5 + 0.5 * late.ln_1p()).min(2.0), format!("{other} showed symptoms {} earlier", human_span(lead_ms)))
    };
    findings.add(EvidenceKind::Order, weight, text, Some(candidate.onset), of_service(service));
}
