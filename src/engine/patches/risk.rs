//! The composite risk of a vulnerability on an asset: a product of factors, computed in integers so that the borders between
//! the bands are exact.

use serde::{Deserialize, Serialize};

use crate::engine::settings::RiskSettings;

/// One in the unit of factors: hundredths.
const ONE: u32 = 100;
/// One in the unit of scores: a CVSS score in tenths of ten, times four factors in hundredths each.
const SCORE_ONE: u64 = 100 * 100_u64.pow(4);

/// A CVSS base score in tenths, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CvssTenths(u8);

impl CvssTenths {
    /// From a score of 0.0 to 10.0 with one digit behind the point, as CVSS has it.
    ///
    /// # Errors
    /// When it is out of that range, or finer.
    pub fn from_score(score: f64) -> Result<Self, String> {
        let tenths = score * 10.0;
        let whole = tenths.round();
        if !(0.0..=100.0).contains(&whole) || (tenths - whole).abs() > 1e-6 {
            return Err(format!("{score} is no CVSS score; one is 0.0 to 10.0 with one digit behind the point"));
        }
        // In range by the line above.
        Ok(Self(whole as u8))
    }

    /// In tenths.
    #[must_use]
    pub fn tenths(self) -> u8 {
        self.0
    }
}

/// How urgent a patch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RiskBand {
    /// With the next maintenance window.
    Low,
    /// Within 30 days, as shipped.
    Medium,
    /// Within 7 days, as shipped.
    High,
    /// Within 24 hours, as shipped.
    Critical,
}

impl RiskBand {
    /// As people write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }

    /// Time from the first match to the deadline, in milliseconds; `None` for the next window.
    #[must_use]
    pub fn within_ms(self, settings: &RiskSettings) -> Option<i64> {
        match self {
            Self::Critical => Some(settings.critical_within.0),
            Self::High => Some(settings.high_within.0),
            Self::Medium => Some(settings.medium_within.0),
            Self::Low => None,
        }
    }
}

/// What is known of a vulnerability where it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exposure {
    /// Its base score.
    pub cvss: CvssTenths,
    /// Listed as exploited.
    pub is_known_exploited: bool,
    /// The internet reaches the asset.
    pub is_internet_facing: bool,
    /// The asset serves production.
    pub is_production: bool,
    /// The patch is younger than the settings' days.
    pub is_fresh: bool,
}

/// One factor of a score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Factor {
    /// What it is.
    pub name: &'static str,
    /// By how much it multiplies.
    pub value: f64,
}

/// A score with all that went into it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Risk {
    /// The product. Not clamped: 3.9 is the most that the shipped settings give.
    pub score: f64,
    /// How urgent that is.
    pub band: RiskBand,
    /// What was multiplied, in order; factors of one are left out.
    pub factors: Vec<Factor>,
}

/// Takes the product. Freshness never puts what is known to be exploited into a lower band; the score stays the product.
#[must_use]
pub fn assess(exposure: &Exposure, settings: &RiskSettings) -> Risk {
    let all = [
        ("known exploited", exposure.is_known_exploited, settings.known_exploited),
        ("internet-facing", exposure.is_internet_facing, settings.internet_facing),
        ("production", exposure.is_production, settings.production),
        ("fresh patch", exposure.is_fresh, settings.fresh),
    ];
    let base = u64::from(exposure.cvss.tenths());
    let product = |is_fresh_counted: bool| {
        all.iter().fold(base, |score, (name, holds, factor)| {
            let counts = *holds && (is_fresh_counted || *name != "fresh patch");
            score * u64::from(if counts { *factor } else { ONE })
        })
    };
    let score = product(true);
    let band = band_of(score, settings);
    let band = if exposure.is_known_exploited { band.max(band_of(product(false), settings)) } else { band };
    let mut factors = vec![Factor { name: "CVSS / 10", value: f64::from(exposure.cvss.tenths()) / 100.0 }];
    let applied = all.iter().filter(|(_, holds, _)| *holds);
    factors.extend(applied.map(|(name, _, factor)| Factor { name, value: f64::from(*factor) / f64::from(ONE) }));
    // Far below where a float loses whole numbers.
    Risk { score: score as f64 / SCORE_ONE as f64, band, factors }
}

fn band_of(score: u64, settings: &RiskSettings) -> RiskBand {
    let is_from = |border: u32| score >= u64::from(border) * (SCORE_ONE / u64::from(ONE));
    if is_from(settings.critical) {
        RiskBand::Critical
    } else if is_from(settings.high) {
        RiskBand::High
    } else if is_from(settings.medium) {
        RiskBand::Medium
    } else {
        RiskBand::Low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `k` known exploited, `i` internet-facing, `p` production, `f` fresh.
    fn risk(cvss: f64, flags: &str) -> Risk {
        let exposure = Exposure {
            cvss: CvssTenths::from_score(cvss).unwrap(),
            is_known_exploited: flags.contains('k'),
            is_internet_facing: flags.contains('i'),
            is_production: flags.contains('p'),
            is_fresh: flags.contains('f'),
        };
        assess(&exposure, &RiskSettings::default())
    }

    #[test]
    fn exactly_on_a_border_is_above_it() {
        for (cvss, flags, band) in [
            (8.5, "", RiskBand::Critical),
            (10.0, "f", RiskBand::Critical),
            (5.0, "kf", RiskBand::Critical),
            (6.5, "", RiskBand::High),
            (5.0, "p", RiskBand::High),
            (2.5, "kp", RiskBand::High),
            (4.0, "", RiskBand::Medium),
            (2.0, "k", RiskBand::Medium),
        ] {
            let at = risk(cvss, flags);
            assert_eq!(at.band, band, "{cvss} {flags}");
            if flags.contains("kf") {
                // Without its freshness it is far above the border.
                continue;
            }
            let below = risk(cvss - 0.1, flags);
            assert!(below.band < band, "{} {flags}: {below:?}", cvss - 0.1);
        }
    }

    /// The least CVSS for CRITICAL, HIGH and MEDIUM by flags, without and with a fresh patch.
    #[test]
    fn the_least_scores_of_each_band() {
        for (flags, plain, fresh) in [
            ("", [8.5, 6.5, 4.0], [10.0, 7.7, 4.8]),
            ("p", [6.6, 5.0, 3.1], [7.7, 5.9, 3.7]),
            ("i", [5.7, 4.4, 2.7], [6.7, 5.1, 3.2]),
            ("ip", [4.4, 3.4, 2.1], [5.2, 4.0, 2.5]),
        ] {
            for (flags, least) in [(flags.to_owned(), plain), (format!("{flags}f"), fresh)] {
                for (cvss, band) in least.into_iter().zip([RiskBand::Critical, RiskBand::High, RiskBand::Medium]) {
                    assert_eq!(risk(cvss, &flags).band, band, "{cvss} {flags}");
                    assert!(risk(cvss - 0.1, &flags).band < band, "{} {flags}", cvss - 0.1);
                }
            }
        }
    }

    #[test]
    fn freshness_never_lowers_the_band_of_what_is_exploited() {
        for tenths in 0..=100 {
            for flags in ["k", "kp", "ki", "kip"] {
                let cvss = f64::from(tenths) / 10.0;
                let (fresh, plain) = (risk(cvss, &format!("{flags}f")), risk(cvss, flags));
                assert_eq!(fresh.band, plain.band, "{cvss} {flags}");
                assert!(tenths == 0 || fresh.score < plain.score, "the score stays the product");
            }
        }
    }

    #[test]
    fn the_score_is_the_product_and_is_not_clamped() {
        let most = risk(10.0, "kip");
        assert_eq!((most.score, most.factors.len()), (3.9, 4));
        assert_eq!(risk(5.0, "kf").score, 0.85);
        assert_eq!(risk(0.0, "kip").score, 0.0);
    }

    #[test]
    fn what_is_no_cvss_score_is_refused() {
        for score in [-0.1, 10.1, 5.55, f64::NAN, f64::INFINITY] {
            assert!(CvssTenths::from_score(score).is_err(), "{score}");
        }
        assert_eq!(CvssTenths::from_score(7.3).map(CvssTenths::tenths), Ok(73));
    }
}
