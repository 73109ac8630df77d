//! From weights to probabilities: soft-max over the candidates and "something else", bounded by how many independent
//! ways of looking agree.

use std::collections::BTreeSet;

use crate::engine::model::{Evidence, EvidenceKind, Score};

/// Log odds of a candidate without any evidence, against "something else" at 0.
const PRIOR: f64 = -2.2;
/// A piece of evidence counts as a way of looking that agrees from this weight on.
const AGREES_MIN: f64 = 0.3;

/// The probability of each candidate by the sum of its weights; they sum to less than 1, the rest is "something else".
pub(super) fn probabilities(weights: &[f64]) -> Vec<f64> {
    let odds: Vec<f64> = weights.iter().map(|weight| weight + PRIOR).collect();
    // Taking the largest out keeps the exponentials within range.
    let largest = odds.iter().copied().fold(0.0_f64, f64::max);
    let shares: Vec<f64> = odds.iter().map(|odds| (odds - largest).exp()).collect();
    let total: f64 = shares.iter().sum::<f64>() + (-largest).exp();
    shares.into_iter().map(|share| share / total).collect()
}

/// No more than what so many independent kinds of evidence can carry.
pub(super) fn bounded(probability: f64, evidence_for: &[Evidence]) -> Score {
    let kinds: BTreeSet<EvidenceKind> =
        evidence_for.iter().filter(|piece| piece.weight >= AGREES_MIN).map(|piece| piece.kind).collect();
    let most = match kinds.len() {
        0 => 0.3,
        1 => 0.6,
        2 => 0.85,
        3 => 0.95,
        _ => 0.98,
    };
    Score::new(probability.min(most))
}
