//! What confirmed incidents say about the kind of failure this one is.

use crate::engine::root_cause::candidates::Candidate;
use crate::engine::root_cause::evidence::{Findings, Term, of_service};
use crate::engine::root_cause::picture::Picture;

/// What a guess that was always right and is quite sure weighs, in natural-log odds: less than a change in the right place.
const WEIGHT_MAX: f64 = 1.5;
/// A guess less likely than this says nothing.
const CHANCE_MIN: f64 = 0.5;

/// Adds what earlier incidents say.
pub fn look(picture: &Picture<'_>, candidate: Candidate<'_>, findings: &mut Findings) {
    let Some(cause) = &candidate.cause else { return };
    let Some(guess) = picture.symptoms.guess.filter(|guess| guess.kind == cause.kind && guess.chance > CHANCE_MIN)
    else {
        return;
    };
    let accuracy = f64::from(guess.right) / f64::from(guess.tried.max(1));
    // Half right in a choice of several kinds is no more than a hint.
    let weight = WEIGHT_MAX * (2.0 * accuracy - 1.0).max(0.0) * (2.0 * guess.chance - 1.0);
    if weight > 0.0 {
        let text = format!("it looks like the {} confirmed incidents of this kind: {guess}", guess.of_kind);
        findings.tell(Term::Pattern, weight, text, None, of_service(picture.name(cause.node)));
    }
}
