//! Whether health after a patch is worse than before: pass, fail, or not to be told.
//!
//! A metric fails where it is worse in its harmful direction, significantly (one-sided where one direction is harmful, Holm's
//! correction over all metrics that are compared) *and* by an effect that counts. It passes where there are enough samples on both
//! sides and no such effect. Everything else is inconclusive, and a person decides: few samples, or an effect that may be chance. No
//! data is never a pass.
//!
//! Samples that follow on one another resemble one another, and the test takes them for independent; so for significance, not for
//! the effect, only every so-manieth is taken, as many apart as `(1 + r) / (1 - r)` for a correlation `r` of neighbours (the variance
//! inflation of a first-order process: G. V. Bayley, J. M. Hammersley, "The effective number of independent observations in an
//! autocorrelated time series" (1946); for this test: S. Yue, C. Wang, Advances in Water Resources 25 (2002), 325–333).
//!
//! Words for the effect: J. Romano et al., "Appropriate statistics for ordinal level data" (2006): up to 0.147 negligible, 0.33 small,
//! 0.474 medium, above it large.

use serde::{Deserialize, Serialize};

use super::rank_sum::{Method, Tail, holm, rank_sum};
use crate::engine::model::{BadWhen, Unit, human};
use crate::engine::settings::RolloutSettings;

/// More alike than this neighbours cannot be told to be from a few samples.
const LIKENESS_MAX: f64 = 0.95;

/// The values of a metric before and after, in the order of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricSamples {
    /// Whose it is: an asset or a service.
    pub of: String,
    /// What it is called.
    pub metric: String,
    /// Unit of its values.
    pub unit: Unit,
    /// Which direction is harmful.
    pub bad_when: BadWhen,
    /// Values before the patch.
    pub before: Vec<f64>,
    /// Values after it.
    pub after: Vec<f64>,
}

/// When health is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthRules {
    /// Level of significance, in tenths of a percent.
    pub significance_permille: u16,
    /// Least effect that counts, Cliff's delta in percent.
    pub effect_percent: u8,
    /// Samples on each side without which nothing passes.
    pub samples_min: u32,
}

impl From<&RolloutSettings> for HealthRules {
    fn from(settings: &RolloutSettings) -> Self {
        Self {
            significance_permille: u16::from(settings.significance) * 10,
            effect_percent: settings.effect,
            samples_min: settings.samples,
        }
    }
}

impl HealthRules {
    /// For a look before the end: such looks are many, so each counts at a tenth of the level only.
    #[must_use]
    pub fn early(self) -> Self {
        Self { significance_permille: self.significance_permille / 10, ..self }
    }
}

/// What a comparison came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthVerdict {
    /// It is not worse.
    Pass,
    /// It cannot be told.
    Inconclusive,
    /// It is worse.
    Fail,
}

impl HealthVerdict {
    /// As people write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Fail => "fail",
        }
    }
}

/// One metric compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Whose it is.
    pub of: String,
    /// What it is called.
    pub metric: String,
    /// What it came to.
    pub verdict: HealthVerdict,
    /// Samples before and after.
    pub counts: (usize, usize),
    /// Medians before and after; `None` where there is no sample.
    pub medians: (Option<f64>, Option<f64>),
    /// Cliff's delta, positive where it is harmful; `None` where it could not be computed.
    pub harm: Option<f64>,
    /// Probability after Holm's correction.
    pub p: Option<f64>,
    /// How it was found.
    pub method: Option<Method>,
    /// In words, with the numbers.
    pub words: String,
}

/// All metrics together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HealthReport {
    /// The worst of them; inconclusive where there is none.
    pub verdict: HealthVerdict,
    /// Metric by metric, the worst first.
    pub metrics: Vec<Comparison>,
    /// In one sentence.
    pub words: String,
}

impl HealthReport {
    /// A verdict that rests on something else than metrics.
    #[must_use]
    pub fn plain(verdict: HealthVerdict, words: &str) -> Self {
        Self { verdict, metrics: Vec::new(), words: words.to_owned() }
    }
}

/// Judges health.
#[must_use]
pub fn judge(samples: &[MetricSamples], rules: HealthRules) -> HealthReport {
    let found: Vec<_> = samples.iter().map(harm).collect();
    let probabilities: Vec<f64> = found.iter().map(|harm| harm.map_or(1.0, |harm| harm.p)).collect();
    let adjusted = holm(&probabilities);
    let compared = samples.iter().zip(found).zip(adjusted);
    let mut metrics: Vec<Comparison> = compared.map(|((of, harm), p)| compare(of, harm, p, rules)).collect();
    metrics.sort_by(|a, b| (b.verdict, &a.of, &a.metric).cmp(&(a.verdict, &b.of, &b.metric)));
    let Some(worst) = metrics.first() else {
        return HealthReport::plain(HealthVerdict::Inconclusive, "no metric was compared; no data is no pass");
    };
    let of = |verdict| metrics.iter().filter(|metric| metric.verdict == verdict).count();
    let words = match worst.verdict {
        HealthVerdict::Pass => format!("none of {} metrics is worse", metrics.len()),
        verdict => {
            let count = of(verdict);
            format!("{} of {} metrics: {}; {}", count, metrics.len(), verdict.word(), worst.words)
        }
    };
    HealthReport { verdict: worst.verdict, words, metrics }
}

/// How a metric changed for the worse.
#[derive(Debug, Clone, Copy)]
struct Harm {
    delta: f64,
    p: f64,
    method: Method,
}

fn harm(samples: &MetricSamples) -> Option<Harm> {
    let tail = match samples.bad_when {
        BadWhen::High => Tail::Larger,
        BadWhen::Low => Tail::Smaller,
        BadWhen::Either => Tail::Either,
    };
    let found = rank_sum(&spaced(&samples.before), &spaced(&samples.after), tail)?;
    // All samples say how large the effect is.
    let delta = rank_sum(&samples.before, &samples.after, tail)?.delta;
    let delta = match samples.bad_when {
        BadWhen::High => delta,
        BadWhen::Low => -delta,
        BadWhen::Either => delta.abs(),
    };
    Some(Harm { delta, p: found.p, method: found.method })
}

/// Those that are far enough apart to count as independent.
fn spaced(values: &[f64]) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let square = |value: f64| (value - mean) * (value - mean);
    let spread: f64 = values.iter().copied().map(square).sum();
    let together: f64 = values.iter().zip(values.iter().skip(1)).map(|(a, b)| (a - mean) * (b - mean)).sum();
    let likeness = if spread > 0.0 { (together / spread).clamp(0.0, LIKENESS_MAX) } else { 0.0 };
    // Up to 39 by the limit of likeness.
    let apart = ((1.0 + likeness) / (1.0 - likeness)).round() as usize;
    values.iter().copied().step_by(apart.max(1)).collect()
}

fn compare(samples: &MetricSamples, harm: Option<Harm>, p: f64, rules: HealthRules) -> Comparison {
    let counts = (samples.before.len(), samples.after.len());
    let medians = (median(&samples.before), median(&samples.after));
    let least = usize::try_from(rules.samples_min).unwrap_or(usize::MAX);
    let is_enough = counts.0.min(counts.1) >= least;
    let (effect, level) = (f64::from(rules.effect_percent) / 100.0, f64::from(rules.significance_permille) / 1000.0);
    let (verdict, why) = match harm {
        None => (HealthVerdict::Inconclusive, "cannot be compared".to_owned()),
        Some(harm) if harm.delta >= effect && p < level => (HealthVerdict::Fail, "is worse".to_owned()),
        Some(_) if !is_enough => {
            (HealthVerdict::Inconclusive, format!("has too few samples, {} on each side are wanted", rules.samples_min))
        }
        Some(harm) if harm.delta >= effect => (HealthVerdict::Inconclusive, "may be worse, or it is chance".to_owned()),
        Some(_) => (HealthVerdict::Pass, "is not worse".to_owned()),
    };
    let shown = |value: Option<f64>| value.map_or_else(|| "nothing".to_owned(), |value| human(value, samples.unit));
    let numbers = harm.map_or_else(String::new, |harm| {
        format!(", effect {:.2} ({}), p {}", harm.delta, size_word(harm.delta), shown_p(p))
    });
    let words = format!(
        "{} of {} {why}: median {} before, {} after ({} and {} samples{numbers})",
        samples.metric,
        samples.of,
        shown(medians.0),
        shown(medians.1),
        counts.0,
        counts.1,
    );
    Comparison {
        of: samples.of.clone(),
        metric: samples.metric.clone(),
        verdict,
        counts,
        medians,
        harm: harm.map(|harm| harm.delta),
        p: harm.map(|_| p),
        method: harm.map(|harm| harm.method),
        words,
    }
}

fn shown_p(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}

/// Romano's words.
fn size_word(delta: f64) -> &'static str {
    match delta {
        ..0.147 => "negligible",
        ..0.33 => "small",
        ..0.474 => "medium",
        _ => "large",
    }
}

/// Of the finite values.
fn median(values: &[f64]) -> Option<f64> {
    let mut finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    finite.sort_by(f64::total_cmp);
    let middle = finite.len() / 2;
    let upper = *finite.get(middle)?;
    if finite.len() % 2 == 1 { Some(upper) } else { Some((finite.get(middle - 1)? + upper) / 2.0) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules() -> HealthRules {
        HealthRules::from(&RolloutSettings::default())
    }

    fn samples(
        bad_when: BadWhen,
        before: impl Iterator<Item = u32>,
        after: impl Iterator<Item = u32>,
    ) -> MetricSamples {
        MetricSamples {
            of: "web-1".to_owned(),
            metric: "latency".to_owned(),
            unit: Unit::Count,
            bad_when,
            before: mixed(before.map(f64::from).collect()),
            after: mixed(after.map(f64::from).collect()),
        }
    }

    /// In an order in which neighbours are not alike.
    fn mixed(values: Vec<f64>) -> Vec<f64> {
        let mut order: Vec<(u64, f64)> = (1u64..).zip(values).collect();
        order.sort_by_key(|(at, _)| at.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        order.into_iter().map(|(_, value)| value).collect()
    }

    #[test]
    fn samples_that_resemble_their_neighbours_count_for_fewer() {
        let step = |value: u32| std::iter::repeat_n(value, 15);
        let slow = MetricSamples {
            before: step(1).chain(step(3)).map(f64::from).collect(),
            after: step(2).chain(step(4)).map(f64::from).collect(),
            ..samples(BadWhen::High, 0..1, 0..1)
        };
        let quick =
            MetricSamples { before: mixed(slow.before.clone()), after: mixed(slow.after.clone()), ..slow.clone() };
        let (slow, quick) = (judge(&[slow], rules()), judge(&[quick], rules()));
        assert_eq!((slow.metrics[0].harm, quick.metrics[0].harm), (Some(0.5), Some(0.5)));
        assert_eq!((slow.verdict, quick.verdict), (HealthVerdict::Inconclusive, HealthVerdict::Fail));
    }

    #[test]
    fn worse_fails_in_its_harmful_direction_only() {
        for (bad_when, up, down) in [
            (BadWhen::High, HealthVerdict::Fail, HealthVerdict::Pass),
            (BadWhen::Low, HealthVerdict::Pass, HealthVerdict::Fail),
            (BadWhen::Either, HealthVerdict::Fail, HealthVerdict::Fail),
        ] {
            assert_eq!(judge(&[samples(bad_when, 0..30, 20..50)], rules()).verdict, up, "{bad_when:?}");
            assert_eq!(judge(&[samples(bad_when, 20..50, 0..30)], rules()).verdict, down, "{bad_when:?}");
        }
        let report = judge(&[samples(BadWhen::High, 0..30, 20..50)], rules());
        assert_eq!(
            report.words,
            "1 of 1 metrics: fail; latency of web-1 is worse: median 14.5 before, 34.5 after (30 and 30 samples, effect 0.89 \
             (large), p < 0.001)"
        );
    }

    #[test]
    fn what_cannot_be_told_is_no_pass() {
        let verdict = |of: &[MetricSamples]| judge(of, rules()).verdict;
        let none = || 0..0;
        assert_eq!(verdict(&[]), HealthVerdict::Inconclusive);
        assert_eq!(verdict(&[samples(BadWhen::High, 0..30, none())]), HealthVerdict::Inconclusive);
        assert_eq!(verdict(&[samples(BadWhen::High, none(), 0..30)]), HealthVerdict::Inconclusive);
        assert_eq!(verdict(&[samples(BadWhen::High, 0..30, 0..19)]), HealthVerdict::Inconclusive, "19 are too few");
        assert_eq!(verdict(&[samples(BadWhen::High, 0..30, 0..30)]), HealthVerdict::Pass);
        let few = samples(BadWhen::High, 0..19, 100..119);
        assert_eq!(verdict(&[few]), HealthVerdict::Fail, "few samples can prove harm");
        let good = samples(BadWhen::High, 0..30, 0..30);
        let gone = samples(BadWhen::High, 0..30, none());
        assert_eq!(verdict(&[good, gone]), HealthVerdict::Inconclusive, "one that is gone is not outvoted");
    }

    #[test]
    fn significance_without_effect_is_no_failure() {
        // Three in a hundred larger, but a thousand samples of each.
        let before = (0..4000u32).map(|at| at % 1000);
        let after = (0..4000u32).map(|at| at % 1000 + 60);
        let report = judge(&[samples(BadWhen::High, before, after)], rules());
        assert_eq!(report.verdict, HealthVerdict::Pass);
        assert!(report.metrics[0].p.unwrap() < 0.001 && report.metrics[0].harm.unwrap() < 0.147);
    }

    #[test]
    fn many_metrics_make_one_that_stands_out_by_chance_count_less() {
        // Alone its p is below five percent, and its effect large enough.
        let odd = || samples(BadWhen::High, 0..20, (0..20).map(|at| at + if at % 2 == 0 { 14 } else { 0 }));
        let alone = judge(&[odd()], rules());
        assert_eq!(alone.verdict, HealthVerdict::Fail, "{}", alone.words);
        let mut many: Vec<MetricSamples> = (0..40).map(|_| samples(BadWhen::High, 0..30, 0..30)).collect();
        many.push(odd());
        assert_eq!(judge(&many, rules()).verdict, HealthVerdict::Inconclusive);
    }

    proptest! {
        /// A pass has enough samples of every metric; more harm never makes a verdict milder.
        #[test]
        fn a_pass_is_earned(
            before in prop::collection::vec(0u32..100, 0..60),
            after in prop::collection::vec(0u32..100, 0..60),
            worse in 0u32..100,
        ) {
            let of = |add| samples(BadWhen::High, before.iter().copied(), after.iter().map(move |value| value + add));
            let (mild, grave) = (judge(&[of(0)], rules()), judge(&[of(worse)], rules()));
            if mild.verdict == HealthVerdict::Pass {
                prop_assert!(before.len() >= 20 && after.len() >= 20);
                prop_assert!(mild.metrics[0].harm.unwrap() < 0.33);
            }
            prop_assert!(mild.metrics[0].harm <= grave.metrics[0].harm);
            prop_assert!(mild.verdict == HealthVerdict::Pass || grave.verdict != HealthVerdict::Pass);
        }
    }
}
