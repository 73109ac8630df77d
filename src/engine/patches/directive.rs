//! The rule of CISA's Binding Operational Directive 26-04: four answers to a time (CERT/CC SSVC, decision table
//! `cisa_bod_26_04`). An answer that nobody has is not taken for "no": the strictest and the mildest time are both told.

use serde::{Deserialize, Serialize};

/// An answer that may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Nobody knows.
    Unknown,
}

impl Answer {
    /// What it may be.
    fn possible(self) -> &'static [bool] {
        match self {
            Self::Yes => &[true],
            Self::No => &[false],
            Self::Unknown => &[true, false],
        }
    }
}

/// The four questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Questions {
    /// Is it in the catalogue of known exploited vulnerabilities?
    pub in_kev: Answer,
    /// Can parties that are not trusted reach the asset over public networks?
    pub publicly_exposed: Answer,
    /// Can its exploitation be automated?
    pub automatable: Answer,
    /// Does exploiting it give total control?
    pub total_impact: Answer,
}

/// When it must be mended, the strictest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// In 3 days, and the asset is searched for signs of intrusion.
    ThreeDaysWithForensics,
    /// In 3 days.
    ThreeDays,
    /// In 14 days.
    FourteenDays,
    /// In 60 days.
    SixtyDays,
    /// With the next upgrade.
    NextUpgrade,
}

impl Term {
    /// Calendar days; `None` for the next upgrade.
    #[must_use]
    pub fn days(self) -> Option<u32> {
        match self {
            Self::ThreeDaysWithForensics | Self::ThreeDays => Some(3),
            Self::FourteenDays => Some(14),
            Self::SixtyDays => Some(60),
            Self::NextUpgrade => None,
        }
    }

    /// As people say it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::ThreeDaysWithForensics => "3 days, with a search for signs of intrusion",
            Self::ThreeDays => "3 days",
            Self::FourteenDays => "14 days",
            Self::SixtyDays => "60 days",
            Self::NextUpgrade => "the next upgrade",
        }
    }
}

/// The strictest and the mildest term that the answers allow; the same where all are known.
#[must_use]
pub fn terms(questions: &Questions) -> (Term, Term) {
    let mut strictest = Term::NextUpgrade;
    let mut mildest = Term::ThreeDaysWithForensics;
    for kev in questions.in_kev.possible() {
        for exposed in questions.publicly_exposed.possible() {
            for automatable in questions.automatable.possible() {
                for total in questions.total_impact.possible() {
                    let term = term(*kev, *exposed, *automatable, *total);
                    strictest = strictest.min(term);
                    mildest = mildest.max(term);
                }
            }
        }
    }
    (strictest, mildest)
}

/// The decision table.
fn term(in_kev: bool, publicly_exposed: bool, automatable: bool, total_impact: bool) -> Term {
    match (in_kev, publicly_exposed, automatable, total_impact) {
        (true, _, true, true) | (true, true, false, true) => Term::ThreeDaysWithForensics,
        (true, true, true, false) | (false, true, true, true) => Term::ThreeDays,
        (true, ..) | (false, true, true, false) | (false, true, false, true) => Term::FourteenDays,
        (false, true, false, false) | (false, false, true, _) => Term::SixtyDays,
        (false, false, false, _) => Term::NextUpgrade,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(is_yes: bool) -> Answer {
        if is_yes { Answer::Yes } else { Answer::No }
    }

    #[test]
    fn every_row_of_the_table() {
        // KEV, exposed, automatable, total impact; days (0: next upgrade), forensics.
        let rows = [
            ("nnnn", 0, false),
            ("ynnn", 14, false),
            ("nynn", 60, false),
            ("nnyn", 60, false),
            ("nnny", 0, false),
            ("yynn", 14, false),
            ("ynyn", 14, false),
            ("nyyn", 14, false),
            ("ynny", 14, false),
            ("nyny", 14, false),
            ("nnyy", 60, false),
            ("yyyn", 3, false),
            ("yyny", 3, true),
            ("ynyy", 3, true),
            ("nyyy", 3, false),
            ("yyyy", 3, true),
        ];
        for (answers, days, forensics) in rows {
            let yes: Vec<bool> = answers.chars().map(|answer| answer == 'y').collect();
            let questions = Questions {
                in_kev: answer(yes[0]),
                publicly_exposed: answer(yes[1]),
                automatable: answer(yes[2]),
                total_impact: answer(yes[3]),
            };
            let (strictest, mildest) = terms(&questions);
            assert_eq!(strictest, mildest, "{answers}");
            assert_eq!(strictest.days().unwrap_or(0), days, "{answers}");
            assert_eq!(strictest == Term::ThreeDaysWithForensics, forensics, "{answers}");
        }
    }

    #[test]
    fn a_missing_answer_is_not_taken_for_no() {
        let questions = Questions {
            in_kev: Answer::No,
            publicly_exposed: Answer::Yes,
            automatable: Answer::Unknown,
            total_impact: Answer::Unknown,
        };
        assert_eq!(terms(&questions), (Term::ThreeDays, Term::SixtyDays));
    }
}
