//! A case to an answer: picture, candidates, looks, weights, soft-max beside "none of these", confidence.

use crate::engine::root_cause::frame::answer::{Answer, Entry};
use crate::engine::root_cause::frame::calibration::{self, Calibration};
use crate::engine::root_cause::frame::candidates::{Candidate, candidates};
use crate::engine::root_cause::frame::case::Case;
use crate::engine::root_cause::frame::evidence::Findings;
use crate::engine::root_cause::frame::looks::{LOOKS, changes};
use crate::engine::root_cause::frame::picture::Picture;
use crate::engine::root_cause::frame::weights::Weights;

/// A candidate with what was found and its share of the probability before calibration.
#[derive(Debug, Clone)]
pub struct Weighed {
    /// Who.
    pub candidate: Candidate,
    /// What was found.
    pub findings: Findings,
    /// The sum of the weights.
    pub weight: f64,
    /// Its soft-max share.
    pub share: f64,
}

/// Every candidate with its findings, in candidates' order, not yet weighed.
#[must_use]
pub fn gather(picture: &Picture<'_>) -> Vec<(Candidate, Findings)> {
    let look = |candidate: Candidate| {
        let mut findings = Findings::default();
        LOOKS.iter().for_each(|look| look(picture, candidate, &mut findings));
        (candidate, findings)
    };
    candidates(picture).into_iter().map(look).collect()
}

/// Weighs what was gathered; best first.
#[must_use]
pub fn weigh(gathered: Vec<(Candidate, Findings)>, weights: &Weights) -> Vec<Weighed> {
    let mut weighed: Vec<Weighed> = gathered
        .into_iter()
        .map(|(candidate, mut findings)| {
            let weight = findings.weigh(weights);
            Weighed { candidate, findings, weight, share: 0.0 }
        })
        .collect();
    // "None of these" stands at 0; taking the largest out keeps the exponentials within range.
    let top = weighed.iter().map(|one| one.weight).fold(0.0_f64, f64::max);
    let total: f64 = weighed.iter().map(|one| (one.weight - top).exp()).sum::<f64>() + (-top).exp();
    weighed.iter_mut().for_each(|one| one.share = (one.weight - top).exp() / total);
    weighed.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.candidate.cmp(&b.candidate)));
    weighed
}

/// The answer to a case.
#[must_use]
pub fn solve(case: &Case, weights: &Weights, calibration: &Calibration) -> Answer {
    let picture = Picture::new(case);
    let weighed = weigh(gather(&picture), weights);
    let features = calibration::features(&picture, &weighed);
    let confidences = calibration.confidences(&features, &weighed);
    let changes = changes::rank(&picture, &weighed);
    let ranking =
        weighed.iter().zip(confidences).map(|(one, confidence)| Entry::new(&picture, one, confidence)).collect();
    Answer { ranking, changes, features }
}
