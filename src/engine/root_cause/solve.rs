//! A picture to an answer: candidates, looks, weights, soft-max beside "none of these", confidence. Whoever asks, and
//! whatever the picture was made of, this is the way.

use super::calibration::{self, Calibration, Features};
use super::candidates::{Candidate, candidates};
use super::evidence::Findings;
use super::looks::LOOKS;
use super::picture::Picture;
use super::weights::Weights;

/// Log odds of a candidate without any evidence, against "none of these" at 0.
const PRIOR: f64 = -2.2;

/// A candidate with what was found and its share of the probability before calibration.
#[derive(Debug, Clone)]
pub struct Weighed<'a> {
    /// Who.
    pub candidate: Candidate<'a>,
    /// What was found.
    pub findings: Findings,
    /// The sum of the weights.
    pub weight: f64,
    /// Its soft-max share.
    pub share: f64,
    /// The probability that it is right.
    pub confidence: f64,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Solved<'a> {
    /// Every candidate, best first.
    pub weighed: Vec<Weighed<'a>>,
    /// What the first one's confidence rests on.
    pub features: Features,
}

/// Every candidate with its findings, in candidates' order, not yet weighed.
#[must_use]
pub fn gather<'a>(picture: &Picture<'a>) -> Vec<(Candidate<'a>, Findings)> {
    let look = |candidate: Candidate<'a>| {
        let mut findings = Findings::default();
        LOOKS.iter().for_each(|look| look(picture, candidate, &mut findings));
        (candidate, findings)
    };
    candidates(picture).into_iter().map(look).collect()
}

/// Weighs what was gathered; best first. Says what share "none of these" has.
#[must_use]
pub fn weigh<'a>(gathered: Vec<(Candidate<'a>, Findings)>, weights: &Weights) -> (Vec<Weighed<'a>>, f64) {
    let mut weighed: Vec<Weighed<'a>> = gathered
        .into_iter()
        .map(|(candidate, mut findings)| {
            let weight = findings.weigh(weights);
            Weighed { candidate, findings, weight, share: 0.0, confidence: 0.0 }
        })
        .collect();
    // Taking the largest out keeps the exponentials within range.
    let top = weighed.iter().map(|one| one.weight + PRIOR).fold(0.0_f64, f64::max);
    let odds = |weight: f64| (weight + PRIOR - top).exp();
    let total: f64 = weighed.iter().map(|one| odds(one.weight)).sum::<f64>() + (-top).exp();
    weighed.iter_mut().for_each(|one| one.share = odds(one.weight) / total);
    weighed.sort_by(|a, b| b.weight.total_cmp(&a.weight).then_with(|| a.candidate.order().cmp(&b.candidate.order())));
    (weighed, (-top).exp() / total)
}

/// The answer to a picture.
#[must_use]
pub fn solve<'a>(picture: &Picture<'a>, weights: &Weights, calibration: &Calibration) -> Solved<'a> {
    let (mut weighed, none) = weigh(gather(picture), weights);
    let features = calibration::features(&weighed, none);
    let confidences = calibration.confidences(&features, &weighed);
    weighed.iter_mut().zip(confidences).for_each(|(one, confidence)| one.confidence = confidence);
    Solved { weighed, features }
}
