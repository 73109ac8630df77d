//! How sure the first answer is: a small logistic model over how far it leads, fitted on rankings whose weights were not
//! tuned on the same cases, and bent by what operators said of earlier answers.

use std::collections::BTreeMap;

use crate::engine::model::CauseVerdict;
use crate::engine::root_cause::frame::case::NodeId;
use crate::engine::root_cause::frame::picture::Picture;
use crate::engine::root_cause::frame::solve::Weighed;

/// What a confidence rests on.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Features {
    /// Soft-max share of the first service (its copies together).
    pub share: f64,
    /// Its log odds against the second service.
    pub margin: f64,
    /// How many terms speak for it with at least `AGREES_MIN`.
    pub agreeing: usize,
}

/// A piece of evidence counts as agreeing from this weight on.
const AGREES_MIN: f64 = 0.3;
/// Between these leads the log odds of being right run straight.
const KNOTS: [f64; 5] = [0.0, 0.3, 1.0, 2.0, 4.0];
/// The shipped coefficients: the constant, then the slope between each two knots. Fitted on the 243 cases of four public
/// suites and, at a seventh of their weight, on 400 simulated incidents.
const SHIPPED: [f64; 5] = [-0.7, 2.3, 1.35, 1.75, 1.0];
/// Nothing is certain, either way.
const CONFIDENCE: (f64, f64) = (0.02, 0.98);
/// How firmly the shipped model is believed against verdicts: precisions of shift and slope.
const PRECISION: (f64, f64) = (4.0, 25.0);

/// The model: shipped log odds, shifted and stretched by what was learned here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    shift: f64,
    slope: f64,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { shift: 0.0, slope: 1.0 }
    }
}

/// Shares by service, largest first.
#[must_use]
pub fn by_service(weighed: &[Weighed]) -> Vec<(NodeId, f64)> {
    let mut shares: BTreeMap<NodeId, f64> = BTreeMap::new();
    for one in weighed {
        *shares.entry(one.candidate.node).or_default() += one.share;
    }
    let mut list: Vec<(NodeId, f64)> = shares.into_iter().collect();
    list.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    list
}

/// The features of a ranking; `weighed` best first.
#[must_use]
pub fn features(_picture: &Picture<'_>, weighed: &[Weighed]) -> Features {
    let Some(first) = weighed.first() else {
        return Features::default();
    };
    let shares = by_service(weighed);
    let own = |at: &&(NodeId, f64)| at.0 == first.candidate.node;
    let share = shares.iter().find(own).map_or(0.0, |(_, share)| *share);
    let rival = shares.iter().filter(|at| !own(at)).map(|(_, share)| *share).fold(0.0, f64::max);
    let agreeing = first.findings.pieces.iter().filter(|piece| piece.weight >= AGREES_MIN).count();
    Features { share, margin: (share.max(1e-9) / rival.max(1e-9)).ln().clamp(0.0, 10.0), agreeing }
}

/// The shipped model's log odds that an answer which leads by `margin` is right.
fn shipped(margin: f64) -> f64 {
    let [constant, slopes @ ..] = SHIPPED;
    let steps = KNOTS.windows(2).zip(slopes);
    constant
        + steps
            .map(|(ends, slope)| match ends {
                [from, to] => slope * (margin - from).clamp(0.0, to - from),
                _ => 0.0,
            })
            .sum::<f64>()
}

fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

fn log_odds(probability: f64) -> f64 {
    let probability = probability.clamp(0.001, 0.999);
    (probability / (1.0 - probability)).ln()
}

impl Calibration {
    /// The shipped model bent by verdicts: the most probable shift and slope, by Newton's method. Few verdicts move it
    /// little.
    #[must_use]
    pub fn learned<'a>(verdicts: &(impl Iterator<Item = &'a CauseVerdict> + Clone)) -> Self {
        let (mut shift, mut slope) = (0.0, 1.0);
        for _ in 0..50 {
            let (mut by_shift, mut by_slope) = (-PRECISION.0 * shift, -PRECISION.1 * (slope - 1.0));
            let (mut aa, mut ab, mut bb) = (PRECISION.0, 0.0, PRECISION.1);
            for verdict in verdicts.clone().filter(|verdict| verdict.log_odds.is_finite()) {
                let odds = verdict.log_odds;
                let expected = probability(shift + slope * odds);
                let missed = f64::from(verdict.is_right) - expected;
                let doubt = expected * (1.0 - expected);
                by_shift += missed;
                by_slope += missed * odds;
                aa += doubt;
                ab += doubt * odds;
                bb += doubt * odds * odds;
            }
            let determinant = aa * bb - ab * ab;
            // Where the model is sure its curve is flat and a whole step would leap past the goal.
            let a = ((by_shift * bb - by_slope * ab) / determinant).clamp(-0.5, 0.5);
            let b = ((by_slope * aa - by_shift * ab) / determinant).clamp(-0.2, 0.2);
            shift += a;
            slope += b;
            if a.abs().max(b.abs()) < 1e-9 {
                break;
            }
        }
        // A slope below 0 would call a lead a sign of error; so few verdicts cannot say that.
        if shift.is_finite() && slope.is_finite() { Self { shift, slope: slope.max(0.1) } } else { Self::default() }
    }

    /// The probability that an answer which leads by `margin` is right.
    #[must_use]
    pub fn of_margin(&self, margin: f64) -> f64 {
        probability(self.shift + self.slope * shipped(margin)).clamp(CONFIDENCE.0, CONFIDENCE.1)
    }

    /// A probability as the verdicts bend it; itself where there are none.
    #[must_use]
    pub fn bent(&self, confidence: f64) -> f64 {
        if *self == Self::default() {
            return confidence;
        }
        let bent = probability(self.shift + self.slope * log_odds(confidence));
        bent.clamp(CONFIDENCE.0.min(confidence), CONFIDENCE.1.max(confidence))
    }

    /// The log odds from which `bent` made this probability.
    #[must_use]
    pub fn unbent(&self, confidence: f64) -> f64 {
        (log_odds(confidence) - self.shift) / self.slope
    }

    /// A confidence for each entry: entries of one service share its confidence; the others divide what is left by share,
    /// and none is surer than the first.
    #[must_use]
    pub fn confidences(&self, features: &Features, weighed: &[Weighed]) -> Vec<f64> {
        let Some(first) = weighed.first() else {
            return Vec::new();
        };
        let sure = self.of_margin(features.margin);
        let shares: BTreeMap<NodeId, f64> = by_service(weighed).into_iter().collect();
        let rest = 1.0 - shares.get(&first.candidate.node).copied().unwrap_or(0.0);
        let confidence = |one: &Weighed| {
            if one.candidate.node == first.candidate.node {
                return sure;
            }
            let share = shares.get(&one.candidate.node).copied().unwrap_or(0.0);
            if rest > 0.0 { ((1.0 - sure) * share / rest).min(sure) } else { 0.0 }
        };
        weighed.iter().map(confidence).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_lead_is_never_less_sure() {
        let model = Calibration::default();
        let sure: Vec<f64> = (0..100).map(|step| model.of_margin(f64::from(step) / 10.0)).collect();
        assert!(sure.is_sorted());
        assert!(model.of_margin(0.0) < 0.5 && model.of_margin(5.0) > 0.9);
    }

    fn wrong(log_odds: f64, count: usize) -> Calibration {
        Calibration::learned(&vec![CauseVerdict { log_odds, is_right: false }; count].iter())
    }

    #[test]
    fn verdicts_bend_the_model_and_few_bend_it_little() {
        let before = Calibration::default().of_margin(3.0);
        let (one, many) = (wrong(3.0, 1).of_margin(3.0), wrong(3.0, 60).of_margin(3.0));
        assert!(one < before && one > 0.8 * before, "{before} {one}");
        assert!(many < 0.4, "{many}");
        assert_eq!(Calibration::learned(&[].iter()), Calibration::default());
    }

    #[test]
    fn a_verdict_without_a_number_is_passed_over() {
        assert_eq!(wrong(f64::NAN, 1), Calibration::default());
    }

    #[test]
    fn what_was_bent_can_be_straightened() {
        let model = wrong(2.0, 5);
        assert!(model.bent(0.9) < 0.9 && Calibration::default().bent(0.97) == 0.97);
        assert!((model.unbent(model.bent(0.8)) - log_odds(0.8)).abs() < 1e-9);
    }
}
