//! What holds every act back, whatever else says yes: the kill switch, and since when the circuit breaker counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::act::ActionKind;
use super::ids::{IncidentId, RunId};
use crate::engine::clock::Timestamp;

/// How much the engine may do by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutonomyMode {
    /// Never proposes to act.
    Observe,
    /// Every step waits for a person.
    #[default]
    Suggest,
    /// Begins by itself what the policy allows; everything else waits for a person.
    Assist,
}

impl AutonomyMode {
    /// The word in the status bar.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Observe => "OBSERVE",
            Self::Suggest => "SUGGEST",
            Self::Assist => "ASSIST",
        }
    }
}

/// The kill switch, pulled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillSwitch {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Arc<str>,
    /// Why.
    pub reason: Arc<str>,
}

/// Lower bound of the agreement with people that silent trials must show: that of twenty of twenty, which is 0.8389.
pub const AGREEMENT_MIN: f64 = 0.838;

/// How often the engine, asked silently beforehand, would have done what people then did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ShadowRecord {
    /// It would have begun the act, and a person approved it.
    pub agreed: u32,
    /// It would have begun the act, and a person passed it over or took it back.
    pub differed: u32,
}

impl ShadowRecord {
    /// Lower bound of the share of agreement: Wilson's interval at 95 %, 0 without a record (Wilson, J. Am. Stat. Assoc.
    /// 22, 1927).
    #[must_use]
    pub fn agreement_lower(self) -> f64 {
        let count = f64::from(self.agreed) + f64::from(self.differed);
        if count == 0.0 {
            return 0.0;
        }
        let share = f64::from(self.agreed) / count;
        let z = 1.96;
        let centre = share + z * z / (2.0 * count);
        let spread = z * (share * (1.0 - share) / count + z * z / (4.0 * count * count)).sqrt();
        (centre - spread) / (1.0 + z * z / count)
    }
}

/// What is kept of safety across restarts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Safety {
    /// Pulled, and by whom; `None` while acts may begin.
    pub kill: Option<KillSwitch>,
    /// Failures before this instant no longer count against autonomy: a person has looked at them.
    pub breaker_reset_at: Option<Timestamp>,
    /// What the engine would have done, by kind of act.
    pub shadow: BTreeMap<ActionKind, ShadowRecord>,
}

impl Safety {
    /// Under which name it is kept.
    pub const SETTING: &str = "safety";
}

/// What holds acts back that would begin by themselves, for the screen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AutonomyStatus {
    /// Why the circuit breaker is open, by incident it holds for; empty while it is closed.
    pub breaker: BTreeMap<IncidentId, Arc<str>>,
    /// Change freezes in force: name, end, and the services it is for where it is not for all.
    pub freezes: Vec<(Arc<str>, Timestamp, Option<Arc<str>>)>,
    /// Kinds of act that the settings let begin by themselves.
    pub assist: Vec<ActionKind>,
    /// Silent trials so far, by kind of act.
    pub trials: BTreeMap<ActionKind, ShadowRecord>,
    /// So many trials are wanted of a kind.
    pub trials_min: u32,
    /// Acts that began by themselves within the last hour, and how many may.
    #[serde(default)]
    pub hour: (u32, u32),
    /// How long a target is left alone after an act on it, in milliseconds.
    #[serde(default)]
    pub cooldown_ms: i64,
    /// Targets that are left alone by what begins by itself: until when, and after which run.
    #[serde(default)]
    pub cooling: BTreeMap<Arc<str>, (Timestamp, RunId)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_of_twenty_are_believed_more_than_two_of_two() {
        let lower = |agreed, differed| ShadowRecord { agreed, differed }.agreement_lower();
        assert_eq!(lower(0, 0), 0.0);
        assert!((lower(20, 0) - 0.839).abs() < 0.001, "{}", lower(20, 0));
        assert!(lower(2, 0) < lower(20, 0));
        assert!(lower(19, 1) < lower(20, 0));
    }
}
