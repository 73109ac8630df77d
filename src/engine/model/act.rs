//! An act of a runbook: what it calls, how bad it may be, and what may be done when nobody saw how it ended.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::call::Call;
use super::step::MetricGoal;

/// What checks of a run must have proved before it may restart a database.
pub const DATABASE_PROOFS: [&str; 5] = ["role", "replica_lag", "backup_age", "no_long_transaction", "drain_plan"];

/// A change to the world.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActSpec {
    /// What kind of change it is: gates, learning and reports go by it.
    pub action: ActionKind,
    /// What is called.
    pub call: Call,
    /// What shows its effect without having it; `None` where there is no such thing.
    pub dry_run: Option<Call>,
    /// How it is undone; `None` where it cannot be.
    pub undo: Option<Call>,
    /// Why it cannot be undone, where it cannot; else what undoing does.
    pub rollback_text: Arc<str>,
    /// What may be done when nobody saw how it ended.
    pub repeat: Repeat,
    /// What must hold before it begins; what cannot be read does not hold.
    pub prechecks: Vec<MetricGoal>,
    /// Targets that nobody may have restarted lately.
    #[serde(default)]
    pub not_restarting: Vec<Arc<str>>,
    /// How bad it is when it goes wrong.
    pub danger: Danger,
    /// Targets it may reach at most.
    pub targets_max: u32,
    /// A regular expression that a line of its output must match, or the run pauses; empty for any output.
    #[serde(default)]
    pub expect: Arc<str>,
    /// What one will see when it helps.
    pub expected: Arc<str>,
    /// How soon one will see it, in milliseconds.
    pub within_ms: i64,
    /// Distinct people who must approve it.
    pub approvals: u8,
    /// How much of what it acts on it may take away.
    #[serde(default)]
    pub blast: BlastRadius,
}

/// How much of a workload an act may take away at a time. It is counted right before the act begins; what cannot be counted
/// does not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BlastRadius {
    /// Healthy members that must remain; `None` for no such limit.
    pub remaining_min: Option<u32>,
    /// Percent of the members that may be taken away; `None` for no such limit.
    pub share_max: Option<u32>,
}

impl BlastRadius {
    /// True where there is something to count.
    #[must_use]
    pub fn is_limited(self) -> bool {
        self != Self::default()
    }

    /// `at most 50 % of its members at a time, and 2 healthy must remain`; empty without a limit.
    #[must_use]
    pub fn told(self) -> String {
        let share = self.share_max.map(|share| format!("at most {share} % of its members at a time"));
        let remaining = self.remaining_min.map(|least| format!("{least} healthy must remain"));
        share.into_iter().chain(remaining).collect::<Vec<_>>().join(", and ")
    }
}

/// Kinds of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Puts an earlier version or configuration back.
    Rollback,
    /// Starts something anew.
    Restart,
    /// Gives more or fewer instances or resources.
    Scale,
    /// Changes a configuration, a flag, a limit.
    Configure,
    /// Moves or limits requests.
    Traffic,
    /// Ends queries, sessions or jobs.
    Cancel,
    /// Frees space.
    Cleanup,
    /// Makes another member the leading one.
    Failover,
    /// Issues or installs a certificate or secret.
    Renew,
    /// Installs other versions of packages.
    Patch,
    /// None of these.
    Other,
}

impl ActionKind {
    /// Every kind, in the order of the settings' page.
    pub const ALL: [Self; 11] = [
        Self::Rollback,
        Self::Restart,
        Self::Scale,
        Self::Configure,
        Self::Traffic,
        Self::Cancel,
        Self::Cleanup,
        Self::Failover,
        Self::Renew,
        Self::Patch,
        Self::Other,
    ];

    /// As runbooks and settings write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Restart => "restart",
            Self::Scale => "scale",
            Self::Configure => "configure",
            Self::Traffic => "traffic",
            Self::Cancel => "cancel",
            Self::Cleanup => "cleanup",
            Self::Failover => "failover",
            Self::Renew => "renew",
            Self::Patch => "patch",
            Self::Other => "other",
        }
    }
}

/// How bad an act is when it goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Danger {
    /// Nobody outside notices.
    Low,
    /// Users may notice for a moment.
    Medium,
    /// Data or a whole service may be lost: the target's name is typed, and it is never begun without a person.
    High,
}

impl Danger {
    /// As runbooks write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What may be done with an act of which nobody saw the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// Doing it twice is the same as once.
    Safe,
    /// Doing it twice is not: a person decides.
    Never,
    /// A call that only looks says whether it happened: exit code 0 for yes, 1 for no.
    Probe(Call),
    /// A call that only looks, and ends with 0: it happened where a line of its output matches, else it did not.
    Look {
        /// What is called.
        call: Call,
        /// A regular expression.
        expect: Arc<str>,
        /// The same for what it says once the step was taken back; empty where it cannot tell.
        undone: Arc<str>,
    },
}

impl Repeat {
    /// The call that says whether it happened, where there is one.
    #[must_use]
    pub fn probe(&self) -> Option<&Call> {
        match self {
            Self::Safe | Self::Never => None,
            Self::Probe(call) | Self::Look { call, .. } => Some(call),
        }
    }

    /// True where that call says as well whether the step was taken back.
    #[must_use]
    pub fn tells_undone(&self) -> bool {
        matches!(self, Self::Look { undone, .. } if !undone.is_empty())
    }
}
