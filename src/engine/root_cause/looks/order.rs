//! The order of onsets: what fails first is nearer the cause, as far as samples can tell.

use crate::engine::model::human_span;
use crate::engine::root_cause::candidates::Candidate;
use crate::engine::root_cause::evidence::{Findings, Term, of_service};
use crate::engine::root_cause::picture::Picture;

/// Adds what the order says.
pub fn look(picture: &Picture<'_>, candidate: Candidate<'_>, findings: &mut Findings) {
    let Some(cause) = &candidate.cause else { return };
    if cause.is_silent {
        return;
    }
    let symptoms = &picture.symptoms;
    let others = symptoms
        .onsets()
        .filter(|(node, _)| *node != cause.node && Some(*node) != cause.resource_of())
        .min_by_key(|(node, onset)| (*onset, *node));
    let Some((other, other_onset)) = others else {
        return;
    };
    let lead_ms = other_onset.since_ms(cause.onset);
    let tolerance_ms = symptoms.tolerance_ms;
    // What comes first may be the resource of a service that it calls.
    let of_resource = cause.resource.filter(|(_, resource)| resource.started_at == cause.onset);
    let name = picture.name(of_resource.map_or(cause.node, |(node, _)| node));
    let other = picture.name(other);
    let (weight, text) = if lead_ms > tolerance_ms {
        (1.5, format!("{name} showed the first symptom, {} before {other}", human_span(lead_ms)))
    } else if lead_ms >= -tolerance_ms {
        (0.4, format!("{name} was among the first to show symptoms"))
    } else {
        let late = (-lead_ms - tolerance_ms) as f64 / tolerance_ms as f64;
        (-(0.5 + 0.5 * late.ln_1p()).min(2.0), format!("{other} showed symptoms {} earlier", human_span(lead_ms)))
    };
    findings.tell(Term::Order, weight, text, Some(cause.onset), of_service(name));
}
