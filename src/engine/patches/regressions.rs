//! Patches that went wrong: rollouts that were taken back after they had begun somewhere, that an installation which failed stopped, and
//! those that stand still, with whom they concerned. Of rollouts that were paused and went on again only the audit log tells.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::rollout::{KeptRollout, RolloutEnd, RolloutState};
use crate::engine::clock::Timestamp;
use crate::engine::model::{IncidentId, RolloutId};

/// How a rollout went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrong {
    /// It was taken back, or is being taken back.
    RolledBack,
    /// An installation failed, and it was stopped.
    Failed,
    /// It was begun and stands still until a person lets it go on.
    Paused,
}

impl Wrong {
    /// In words.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::RolledBack => "rolled back",
            Self::Failed => "failed",
            Self::Paused => "paused",
        }
    }
}

/// A rollout that went wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Regression {
    /// Which.
    pub rollout: RolloutId,
    /// Of which source package.
    pub source: String,
    /// How.
    pub how: Wrong,
    /// Why, in words.
    pub why: String,
    /// When it was over; `None` where it is not.
    pub at: Option<Timestamp>,
    /// The incident that it opened, or was paused by.
    pub incident: Option<IncidentId>,
    /// Targets that were begun.
    pub begun: u32,
    /// Rings of these, in order; empty is what nobody said.
    pub rings: Vec<String>,
    /// Owners of these, in order; empty is what nobody said.
    pub owners: Vec<String>,
}

/// How many went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct WrongCount {
    /// Were taken back.
    pub rolled_back: usize,
    /// Were stopped after an installation failed.
    pub failed: usize,
    /// Stand still.
    pub paused: usize,
}

/// Everything that went wrong, of the rollouts that are still kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Regressions {
    /// All of them.
    pub all: WrongCount,
    /// By ring; one that concerned several counts in each.
    pub by_ring: BTreeMap<String, WrongCount>,
    /// By owner; the same.
    pub by_owner: BTreeMap<String, WrongCount>,
    /// Each, the newest first.
    pub rollouts: Vec<Regression>,
}

impl Regressions {
    /// Of these rollouts, the newest first.
    #[must_use]
    pub fn of(kept: &[Arc<KeptRollout>]) -> Self {
        let rollouts: Vec<Regression> = kept.iter().filter_map(|kept| regression(kept)).collect();
        let (mut all, mut by_ring, mut by_owner) = (WrongCount::default(), BTreeMap::new(), BTreeMap::new());
        for one in &rollouts {
            all.add(one.how);
            let count = |by: &mut BTreeMap<String, WrongCount>, names: &[String]| {
                names.iter().for_each(|name| by.entry(name.clone()).or_default().add(one.how));
            };
            count(&mut by_ring, &one.rings);
            count(&mut by_owner, &one.owners);
        }
        Self { all, by_ring, by_owner, rollouts }
    }
}

impl WrongCount {
    fn add(&mut self, how: Wrong) {
        match how {
            Wrong::RolledBack => self.rolled_back += 1,
            Wrong::Failed => self.failed += 1,
            Wrong::Paused => self.paused += 1,
        }
    }
}

fn regression(kept: &KeptRollout) -> Option<Regression> {
    let rollout = &kept.rollout;
    let (how, why, at, by) = match &rollout.state {
        RolloutState::Ending { end: RolloutEnd::RolledBack, why } => (Wrong::RolledBack, why, None, None),
        RolloutState::Ended { end: RolloutEnd::RolledBack, why, at } => (Wrong::RolledBack, why, Some(*at), None),
        RolloutState::Ending { why, .. } if rollout.failures > 0 => (Wrong::Failed, why, None, None),
        RolloutState::Ended { end: RolloutEnd::Stopped, why, at } if rollout.failures > 0 => {
            (Wrong::Failed, why, Some(*at), None)
        }
        RolloutState::Paused { why, incident } => (Wrong::Paused, why, None, *incident),
        _ => return None,
    };
    let begun = rollout.plan.targets.values().filter(|target| {
        let record = rollout.targets.get(&target.name);
        record.is_some_and(|record| record.attempt > 0)
    });
    let (rings, owners): (BTreeSet<&String>, BTreeSet<&String>) =
        begun.map(|target| (&target.ring, &target.owner)).unzip();
    (rollout.begun > 0).then(|| Regression {
        rollout: rollout.id,
        source: rollout.plan.source.clone(),
        how,
        why: why.clone(),
        at,
        incident: kept.incident.or(by),
        begun: rollout.begun,
        rings: rings.into_iter().cloned().collect(),
        owners: owners.into_iter().cloned().collect(),
    })
}
