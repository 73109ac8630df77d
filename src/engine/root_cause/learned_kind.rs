//! What confirmed incidents say about the kind of failure this one is.

use super::candidates::Candidate;
use super::evidence::{Findings, of_service};
use super::picture::Picture;
use crate::engine::model::EvidenceKind;

/// What a guess that was always right and is quite sure weighs, in natural-log odds: less than a change in the right place.
const WEIGHT_MAX: f64 = 1.5;
/// A guess less likely than this says nothing.
const CHANCE_MIN: f64 = 0.5;

pub(super) fn look(picture: &Picture<'_>, candidate: &Candidate<'_>, findings: &mut Findings) {
    let Some(guess) = picture.guess.filter(|guess| guess.kind == candidate.kind && guess.chance > CHANCE_MIN) else {
        return;
    };
    let accuracy = f64::from(guess.right) / f64::from(guess.tried.max(1));
    // Half right in a choice of several kinds is no more than a hint.
    let weight = WEIGHT_MAX * (2.0 * accuracy - 1.0).max(0.0) * (2.0 * guess.chance - 1.0);
    if weight > 0.0 {
        let text = format!("it looks like the {} confirmed incidents of this kind: {guess}", guess.of_kind);
        findings.add(EvidenceKind::Pattern, weight, text, None, of_service(&candidate.service));
    }
}
