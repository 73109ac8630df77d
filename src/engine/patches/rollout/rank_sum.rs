//! Whether values after something are larger or smaller than before: the rank sum test and its effect size.
//!
//! The test: H. B. Mann, D. R. Whitney, "On a test of whether one of two random variables is stochastically larger than the
//! other", Annals of Mathematical Statistics 18 (1947), 50–60; the exact distribution is counted by the recurrence given there.
//! The normal approximation with the correction for ties and for continuity: E. L. Lehmann, "Nonparametrics: Statistical Methods
//! Based on Ranks" (1975), section 1.2–1.3. The effect: N. Cliff, "Dominance statistics", Psychological Bulletin 114 (1993), 494–509,
//! which equals the rank-biserial correlation, `2 U / (n m) - 1`.
//!
//! The test takes samples as independent. Samples of one metric in time are not quite; that is why an effect is asked for beside it.

use statrs::function::erf::erfc;

/// Without ties and up to this many values on both sides together, the distribution is counted.
const EXACT_MAX: usize = 50;

/// What is asked of the values after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Whether they are larger.
    Larger,
    /// Whether they are smaller.
    Smaller,
    /// Whether they are either.
    Either,
}

/// How the probability was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Counted over every order of the values.
    Exact,
    /// By the normal approximation, corrected for ties and continuity.
    Normal,
}

/// The answer of the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankSum {
    /// Pairs in which the value after is the larger one; a tie counts as half of one.
    pub u: f64,
    /// How likely such values are where nothing changed, 0 to 1.
    pub p: f64,
    /// How it was found.
    pub method: Method,
    /// Cliff's delta: share of pairs in which the value after is larger, less that in which it is smaller; -1 to 1.
    pub delta: f64,
}

/// Compares `after` with `before`. `None` where a side has no value, or one of them is no finite number.
#[must_use]
pub fn rank_sum(before: &[f64], after: &[f64], tail: Tail) -> Option<RankSum> {
    if before.is_empty() || after.is_empty() || before.iter().chain(after).any(|value| !value.is_finite()) {
        return None;
    }
    let (n, m) = (before.len() as f64, after.len() as f64);
    let (twice_u, ties) = twice_u(before, after);
    let u = twice_u as f64 / 2.0;
    let delta = 2.0 * u / (n * m) - 1.0;
    let is_exact = ties == 0.0 && before.len() + after.len() <= EXACT_MAX;
    // Without ties U is whole.
    let whole = usize::try_from(twice_u / 2).ok()?;
    let (larger, smaller) = if is_exact {
        let counts = counts(before.len(), after.len());
        let total: f64 = counts.iter().sum();
        let at_most: f64 = counts.iter().take(whole + 1).sum();
        let at_least: f64 = counts.iter().skip(whole).sum();
        (at_least / total, at_most / total)
    } else {
        tails(u, n, m, ties)
    };
    let p = match tail {
        Tail::Larger => larger,
        Tail::Smaller => smaller,
        Tail::Either => 2.0 * larger.min(smaller),
    };
    let method = if is_exact { Method::Exact } else { Method::Normal };
    Some(RankSum { u, p: p.min(1.0), method, delta })
}

/// Twice U of `after`, and the sum over groups of ties of `t³ - t`.
fn twice_u(before: &[f64], after: &[f64]) -> (u64, f64) {
    let mut all: Vec<(f64, bool)> = before.iter().map(|value| (*value, false)).collect();
    all.extend(after.iter().map(|value| (*value, true)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut twice, mut ties, mut before_smaller) = (0u64, 0.0, 0u64);
    // Equal as numbers: the two zeroes are one value.
    for group in all.chunk_by(|a, b| a.0 == b.0) {
        let of_after = group.iter().filter(|(_, is_after)| *is_after).count() as u64;
        let of_before = group.len() as u64 - of_after;
        twice += of_after * (2 * before_smaller + of_before);
        before_smaller += of_before;
        let size = group.len() as f64;
        ties += size.powi(3) - size;
    }
    (twice, ties)
}

/// In how many orders of `n` and `m` different values U is 0, 1, 2 …
fn counts(n: usize, m: usize) -> Vec<f64> {
    // By the recurrence on which side the largest value is of: f(n, m, u) = f(n - 1, m, u) + f(n, m - 1, u - n).
    let mut rows: Vec<Vec<f64>> = vec![vec![1.0]; m + 1];
    for of_before in 1..=n {
        let mut fresh: Vec<Vec<f64>> = vec![vec![1.0]];
        for of_after in 1..=m {
            let mut row = vec![0.0; of_before * of_after + 1];
            for (u, count) in rows.get(of_after).into_iter().flatten().enumerate() {
                if let Some(sum) = row.get_mut(u) {
                    *sum += count;
                }
            }
            for (u, count) in fresh.get(of_after - 1).into_iter().flatten().enumerate() {
                if let Some(sum) = row.get_mut(u + of_before) {
                    *sum += count;
                }
            }
            fresh.push(row);
        }
        rows = fresh;
    }
    rows.pop().unwrap_or_default()
}

/// Probabilities of values at least as large, and at least as small.
fn tails(u: f64, n: f64, m: f64, ties: f64) -> (f64, f64) {
    let total = n + m;
    let variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)).max(1.0));
    if variance <= 0.0 {
        // Every value is the same.
        return (1.0, 1.0);
    }
    let (mean, deviation) = (n * m / 2.0, variance.sqrt());
    let upper = |z: f64| erfc(z / std::f64::consts::SQRT_2) / 2.0;
    (upper((u - mean - 0.5) / deviation), upper((mean - u - 0.5) / deviation))
}

/// Holm's correction: what each probability counts for where all of them were looked at (S. Holm, "A simple sequentially rejective
/// multiple test procedure", Scandinavian Journal of Statistics 6 (1979), 65–70).
#[must_use]
pub fn holm(probabilities: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    let of = |at: usize| probabilities.get(at).copied().unwrap_or(1.0);
    order.sort_by(|a, b| of(*a).total_cmp(&of(*b)));
    let mut adjusted = vec![1.0; probabilities.len()];
    let mut floor = 0.0f64;
    for (rank, at) in order.into_iter().enumerate() {
        floor = floor.max(of(at) * (probabilities.len() - rank) as f64).min(1.0);
        if let Some(place) = adjusted.get_mut(at) {
            *place = floor;
        }
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(a: f64, b: f64, within: f64) {
        assert!((a - b).abs() <= within, "{a} is not {b}");
    }

    #[test]
    fn published_examples() {
        // Hollander and Wolfe, "Nonparametric Statistical Methods" (1973), p. 69: permeability of the chorioamnion at term
        // and at 12 to 26 weeks; W = 35, p = 0.1272 for "larger at term", as R's manual of wilcox.test has it.
        let term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
        let weeks = [1.15, 0.88, 0.90, 0.74, 1.21];
        let found = rank_sum(&weeks, &term, Tail::Larger).unwrap();
        assert_eq!((found.u, found.method), (35.0, Method::Exact));
        close(found.p, 0.1272, 5e-5);
        close(found.delta, 0.4, 1e-12);
        // Mann and Whitney's own table for n = m = 3: U of 0, 1, 2 have probabilities 1, 2 and 4 of 20.
        for (u, p) in [(0usize, 0.05), (1, 0.10), (2, 0.20), (3, 0.35), (4, 0.50)] {
            let of = counts(3, 3);
            close(of.iter().take(u + 1).sum::<f64>() / of.iter().sum::<f64>(), p, 1e-12);
        }
        // The tabled border for 20 and 20, one-sided at 5 percent: U of 138 is within, 139 is not.
        let of = counts(20, 20);
        let share = |u: usize| of.iter().take(u + 1).sum::<f64>() / of.iter().sum::<f64>();
        assert!(share(138) <= 0.05 && share(139) > 0.05);
    }

    #[test]
    fn ties_and_large_samples_go_by_the_corrected_normal() {
        // Checked by hand: U = 2.5 of 12 before, ties (2, 2), n = 3, m = 4.
        let (before, after) = ([1.0, 2.0, 2.0], [2.0, 3.0, 3.0, 4.0]);
        let found = rank_sum(&before, &after, Tail::Larger).unwrap();
        assert_eq!((found.u, found.method), (11.0, Method::Normal));
        let variance: f64 = 3.0 * 4.0 / 12.0 * (8.0 - (24.0 + 6.0) / 42.0);
        close(found.p, erfc((11.0 - 6.0 - 0.5) / variance.sqrt() / std::f64::consts::SQRT_2) / 2.0, 1e-12);
        let same = rank_sum(&[1.0; 30], &[1.0; 30], Tail::Either).unwrap();
        assert_eq!((same.p, same.delta), (1.0, 0.0), "what is all the same differs in nothing");
        assert!(rank_sum(&[], &[1.0], Tail::Either).is_none());
        assert!(rank_sum(&[f64::NAN], &[1.0], Tail::Either).is_none());
    }

    #[test]
    fn holm_corrects_step_by_step() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, expected) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            close(*found, expected, 1e-12);
        }
        assert!(holm(&[]).is_empty());
    }

    /// Share of all ways to part the values in which the second part's U is at least, and at most, as large.
    fn by_permutation(before: &[f64], after: &[f64]) -> (f64, f64) {
        let all: Vec<f64> = before.iter().chain(after).copied().collect();
        let observed = twice_u(before, after).0;
        let (mut larger, mut smaller, mut count) = (0u32, 0u32, 0u32);
        for mask in 0u32..1 << all.len() {
            if mask.count_ones() as usize != after.len() {
                continue;
            }
            let part = |is_after| {
                let of = all.iter().enumerate();
                of.filter(move |(at, _)| (mask >> at & 1 == 1) == is_after).map(|(_, v)| *v).collect::<Vec<_>>()
            };
            let u = twice_u(&part(false), &part(true)).0;
            count += 1;
            larger += u32::from(u >= observed);
            smaller += u32::from(u <= observed);
        }
        (f64::from(larger) / f64::from(count), f64::from(smaller) / f64::from(count))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// Without ties the counted probability is that of trying every order; with ties the approximation is near.
        #[test]
        fn every_order_tried_gives_the_same(
            before in prop::collection::vec(0u8..80, 5..7),
            after in prop::collection::vec(0u8..80, 5..7),
        ) {
            let (before, after): (Vec<f64>, Vec<f64>) =
                (before.into_iter().map(f64::from).collect(), after.into_iter().map(f64::from).collect());
            // Where most values are one and the same, no approximation is near for so few of them.
            prop_assume!(twice_u(&before, &after).1 <= 12.0);
            let (larger, smaller) = by_permutation(&before, &after);
            for (tail, expected) in [(Tail::Larger, larger), (Tail::Smaller, smaller)] {
                let found = rank_sum(&before, &after, tail).unwrap();
                let within = if found.method == Method::Exact { 1e-12 } else { 0.08 };
                prop_assert!((found.p - expected).abs() <= within, "{} against {expected}, {:?}", found.p, found.method);
            }
        }

        /// U is the number of pairs, the effect is antisymmetric, and neither asks for more than the order of the values.
        #[test]
        fn it_is_about_order_only(
            before in prop::collection::vec(-50i32..50, 1..60),
            after in prop::collection::vec(-50i32..50, 1..60),
        ) {
            let number = |of: &[i32]| of.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>();
            let (b, a) = (number(&before), number(&after));
            let found = rank_sum(&b, &a, Tail::Larger).unwrap();
            let pairs = b.iter().flat_map(|x| a.iter().map(move |y| if y > x { 1.0 } else if y == x { 0.5 } else { 0.0 }));
            prop_assert_eq!(found.u, pairs.sum::<f64>());
            prop_assert!((0.0..=1.0).contains(&found.p) && (-1.0..=1.0).contains(&found.delta));
            let turned = rank_sum(&a, &b, Tail::Smaller).unwrap();
            prop_assert!((turned.p - found.p).abs() < 1e-9 && (turned.delta + found.delta).abs() < 1e-12);
            let cubed = |of: &[f64]| of.iter().map(|v| v.powi(3) + 7.0).collect::<Vec<f64>>();
            let same = rank_sum(&cubed(&b), &cubed(&a), Tail::Larger).unwrap();
            prop_assert!((same.p - found.p).abs() < 1e-12);
        }
    }
}
