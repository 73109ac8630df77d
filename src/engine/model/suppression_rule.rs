//! A rule that was learnt for setting signals aside: on trial in shadow first, in force only once the trial has shown that
//! it would have hidden nothing that mattered.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::clock::Timestamp;

/// Episodes in a row that did not matter before a habit is worth a trial, and the days over which.
pub const HABIT_EPISODES: u32 = 20;
/// See [`HABIT_EPISODES`].
pub const HABIT_DAYS: i64 = 3;
/// Episodes that a trial takes: where none of `n` mattered, at most `3 / n` of them do, at 95 % (the rule of three, Hanley
/// and Lippman-Hand, JAMA 249 (1983) 1743), so that what is put in force hides one in twenty that matters at worst.
pub const TRIAL_EPISODES: u32 = 60;
/// Days that a trial takes: it sees every day of the week.
pub const TRIAL_DAYS: i64 = 7;

/// How far a rule has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuppressionStage {
    /// It sets aside.
    InForce,
    /// It hides nothing; what it would have hidden is counted.
    Shadow,
    /// It would have hidden, or has hidden, something that mattered, and has to be learnt anew.
    Withdrawn,
}

impl SuppressionStage {
    /// The words on the screen.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::InForce => "in force",
            Self::Shadow => "in shadow",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// One rule, as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuppressionRule {
    /// The service, or the labels that say where.
    pub place: Arc<str>,
    /// The alert's name or the metric.
    pub what: Arc<str>,
    /// How far it has come.
    pub stage: SuppressionStage,
    /// Episodes that it would have hidden in its last trial.
    pub tried: u32,
    /// Episodes that it has hidden since it is in force.
    pub hidden: u32,
    /// Of all that it would have hidden or has hidden since it was first tried, those that mattered.
    pub mattered: u32,
    /// Since when it stands so.
    pub since: Timestamp,
}

/// `in shadow: would have hidden 12, of which 0 mattered`
impl fmt::Display for SuppressionRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, tried, hidden, mattered, .. } = self;
        match stage {
            SuppressionStage::Shadow => {
                write!(out, "in shadow: would have hidden {tried}, of which {mattered} mattered")
            }
            SuppressionStage::InForce => {
                write!(
                    out,
                    "in force: has hidden {hidden}; in shadow would have hidden {tried}, of which {mattered} mattered"
                )
            }
            SuppressionStage::Withdrawn => {
                write!(out, "withdrawn: {mattered} of what it hid or would have hidden mattered")
            }
        }
    }
}
