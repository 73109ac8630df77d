//! A rollout as the engine keeps it: its state, and what the engine did for it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::state::Rollout;
use super::target::Hold;
use crate::engine::model::{IncidentId, RunId};

/// A rollout with what the engine did for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptRollout {
    /// Where it stands.
    pub rollout: Rollout,
    /// The incident that it opened.
    pub incident: Option<IncidentId>,
    /// By target: the last run on it.
    pub runs: BTreeMap<String, TargetRun>,
    /// While it waits for its approval: what would hold its first target if it were given now.
    #[serde(default)]
    pub first_hold: Option<Hold>,
}

/// A run on a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetRun {
    /// Number of the rollout's order.
    pub attempt: u32,
    /// Which run.
    pub run: RunId,
    /// It has installed the packages, and the machine is being looked at.
    pub is_looked_at: bool,
}

impl KeptRollout {
    /// One for which nothing was done.
    #[must_use]
    pub fn new(rollout: Rollout) -> Self {
        Self { rollout, incident: None, runs: BTreeMap::new(), first_hold: None }
    }

    /// The target of a run.
    #[must_use]
    pub fn target_of(&self, run: RunId) -> Option<&str> {
        self.runs.iter().find(|(_, of)| of.run == run).map(|(name, _)| name.as_str())
    }
}
