//! How sure the first answer is: a small logistic model over how far it leads, fitted on rankings whose weights were not
//! tuned on the same cases, and bent by what operators said of earlier answers.

use std::collections::{BTreeMap, BTreeSet};

use super::candidates::Claim;
use super::solve::Weighed;
use crate::engine::model::{CauseVerdict, EvidenceKind};

/// What a confidence rests on.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Features {
    /// Soft-max share of the first answer (copies of a service together).
    pub share: f64,
    /// Its log odds against the second answer, or against "none of these".
    pub margin: f64,
    /// How many independent ways of looking speak for it with at least `AGREES_MIN`.
    pub agreeing: usize,
    /// True where one of them may decide alone.
    pub is_measured: bool,
    /// True where one of them is an estimate.
    pub is_estimated: bool,
}

/// A piece of evidence counts as agreeing from this weight on.
const AGREES_MIN: f64 = 0.3;
/// The most that so many ways of looking can carry together, where none may decide alone.
const CARRIED: [f64; 4] = [0.3, 0.6, 0.85, 0.95];
/// What an estimate carries at least.
const ESTIMATED: f64 = 0.75;
/// Between these leads the log odds of being right run straight.
const KNOTS: [f64; 5] = [0.0, 0.3, 1.0, 2.0, 4.0];
/// The shipped coefficients: the constant, then the slope between each two knots. Fitted on the 243 cases of four public
/// suites and, at a seventh of their weight, on 400 simulated incidents and 489 of those cases with a signal left out.
const SHIPPED: [f64; 5] = [-0.4, 3.2, 1.35, 1.5, 1.2];
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

/// Shares by answer.
fn by_claim(weighed: &[Weighed<'_>]) -> BTreeMap<Claim, f64> {
    let mut shares: BTreeMap<Claim, f64> = BTreeMap::new();
    for one in weighed {
        *shares.entry(one.candidate.claim()).or_default() += one.share;
    }
    shares
}

/// The features of a ranking; `weighed` best first, `none` the share of "none of these".
#[must_use]
pub fn features(weighed: &[Weighed<'_>], none: f64) -> Features {
    let Some(first) = weighed.first() else {
        return Features::default();
    };
    let (shares, own) = (by_claim(weighed), first.candidate.claim());
    let share = shares.get(&own).copied().unwrap_or(0.0);
    let rival = shares.iter().filter(|(claim, _)| **claim != own).map(|(_, share)| *share).fold(none, f64::max);
    let agreeing = || first.findings.pieces.iter().filter(|piece| piece.weight >= AGREES_MIN);
    let kinds: BTreeSet<EvidenceKind> = agreeing().map(|piece| piece.term.kind()).collect();
    Features {
        share,
        margin: (share.max(1e-9) / rival.max(1e-9)).ln().clamp(0.0, 10.0),
        agreeing: kinds.len(),
        is_measured: agreeing().any(|piece| piece.term.decides_alone()),
        is_estimated: agreeing().any(|piece| piece.term.estimates()),
    }
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

    /// The probability that an answer with these features is right.
    #[must_use]
    pub fn of(&self, features: &Features) -> f64 {
        let by_count =
            CARRIED.get(features.agreeing).copied().filter(|_| !features.is_measured).unwrap_or(CONFIDENCE.1);
        let carried = if features.is_estimated { by_count.max(ESTIMATED) } else { by_count };
        let odds = shipped(features.margin).min(log_odds(carried));
        probability(self.shift + self.slope * odds).clamp(CONFIDENCE.0, CONFIDENCE.1)
    }

    /// The log odds of this probability before verdicts moved them.
    #[must_use]
    pub fn unbent(&self, confidence: f64) -> f64 {
        (log_odds(confidence) - self.shift) / self.slope
    }

    /// A confidence for each candidate: those of one answer share its confidence; the others divide what is left by share,
    /// and none is surer than the first.
    #[must_use]
    pub fn confidences(&self, features: &Features, weighed: &[Weighed<'_>]) -> Vec<f64> {
        let Some(first) = weighed.first().map(|first| first.candidate.claim()) else {
            return Vec::new();
        };
        let sure = self.of(features);
        let shares = by_claim(weighed);
        let rest = 1.0 - shares.get(&first).copied().unwrap_or(0.0);
        let confidence = |one: &Weighed<'_>| {
            let claim = one.candidate.claim();
            if claim == first {
                return sure;
            }
            let share = shares.get(&claim).copied().unwrap_or(0.0);
            if rest > 0.0 { ((1.0 - sure) * share / rest).min(sure) } else { 0.0 }
        };
        weighed.iter().map(confidence).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How sure an answer is that leads by `margin` and was measured.
    fn sure(model: &Calibration, margin: f64) -> f64 {
        model.of(&Features { margin, is_measured: true, ..Features::default() })
    }

    #[test]
    fn a_longer_lead_is_never_less_sure() {
        let model = Calibration::default();
        let all: Vec<f64> = (0..100).map(|step| sure(&model, f64::from(step) / 10.0)).collect();
        assert!(all.is_sorted());
        assert!(sure(&model, 0.0) < 0.5 && sure(&model, 5.0) > 0.9);
    }

    #[test]
    fn what_was_not_measured_needs_several_ways_of_looking() {
        let of =
            |agreeing: usize| Calibration::default().of(&Features { margin: 9.0, agreeing, ..Features::default() });
        let percent: Vec<f64> = (0..6).map(|agreeing| (100.0 * of(agreeing)).round()).collect();
        assert_eq!(percent, [30.0, 60.0, 85.0, 95.0, 98.0, 98.0]);
    }

    fn wrong(log_odds: f64, count: usize) -> Calibration {
        Calibration::learned(&vec![CauseVerdict { log_odds, is_right: false }; count].iter())
    }

    #[test]
    fn verdicts_bend_the_model_and_few_bend_it_little() {
        let before = sure(&Calibration::default(), 3.0);
        let (one, many) = (sure(&wrong(3.0, 1), 3.0), sure(&wrong(3.0, 60), 3.0));
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
        let (plain, model) = (Calibration::default(), wrong(2.0, 5));
        assert!(sure(&model, 2.0) < sure(&plain, 2.0));
        assert!((model.unbent(sure(&model, 2.0)) - shipped(2.0)).abs() < 1e-9);
    }
}
