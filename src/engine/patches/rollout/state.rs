//! A rollout as it is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::health::HealthReport;
use super::plan::{Plan, StageKind};
use super::target::{TargetRecord, TargetState};
use super::undo::Undos;
use crate::engine::clock::Timestamp;
use crate::engine::model::{IncidentId, RolloutId};

/// How a rollout ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RolloutEnd {
    /// Every target is settled.
    Done,
    /// Nothing more begins; what is patched stays so.
    Stopped,
    /// What was patched was taken back, as far as it could be.
    RolledBack,
}

/// Where a rollout stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RolloutState {
    /// It waits for its approval.
    Proposed,
    /// It goes on.
    Running,
    /// It begins nothing until a person lets it go on.
    Paused {
        /// Why.
        why: String,
        /// The incident that it was paused by, where it was.
        incident: Option<IncidentId>,
    },
    /// It begins nothing any more, and what is under way ends.
    Ending {
        /// As what.
        end: RolloutEnd,
        /// Why.
        why: String,
    },
    /// It is over.
    Ended {
        /// As what.
        end: RolloutEnd,
        /// Why.
        why: String,
        /// Since when.
        at: Timestamp,
    },
}

/// Whether staging proved the patch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Soak {
    /// Staging is not settled.
    Before,
    /// It is, and time passes.
    Running {
        /// When staging was settled.
        from: Timestamp,
        /// Until when.
        until: Timestamp,
        /// Looks before the end so far.
        looks: u8,
    },
    /// Health is not worse.
    Passed {
        /// How it was compared.
        report: HealthReport,
    },
    /// It is.
    Failed {
        /// How it was compared.
        report: HealthReport,
    },
    /// It cannot be told, and a person decides.
    Undecided {
        /// How it was compared.
        report: HealthReport,
    },
    /// A person decided that it goes on.
    Decided {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
}

impl Soak {
    /// Whether production may begin.
    #[must_use]
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Passed { .. } | Self::Decided { .. })
    }
}

/// A person's word for a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanApproval {
    /// Whose.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// For what.
    pub digest: String,
}

/// A rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    /// `RO-7`.
    pub id: RolloutId,
    /// When it was proposed.
    pub opened_at: Timestamp,
    /// What is done. It changes only as a whole, and is shared by every state that the rollout comes to.
    pub plan: Arc<Plan>,
    /// Where it stands.
    pub state: RolloutState,
    /// Who approved it; void where its digest is not the plan's.
    pub approval: Option<PlanApproval>,
    /// Its targets by name.
    pub targets: BTreeMap<String, TargetRecord>,
    /// Whether staging proved the patch.
    pub soak: Soak,
    /// What is to be taken back, in that order.
    pub undo: Undos,
    /// Installations that failed.
    pub failures: u32,
    /// Targets begun so far.
    pub begun: u32,
    /// Its incident was ordered.
    pub has_incident: bool,
    /// Incidents that a person knew of when they let it go on: they do not pause it again, though they hold the targets they are on.
    pub known_incidents: BTreeSet<IncidentId>,
}

impl Rollout {
    /// Proposes a plan.
    #[must_use]
    pub fn new(id: RolloutId, plan: Plan, now: Timestamp) -> Self {
        let targets = plan.targets.keys().map(|name| (name.clone(), TargetRecord::default())).collect();
        Self {
            id,
            opened_at: now,
            plan: Arc::new(plan),
            state: RolloutState::Proposed,
            approval: None,
            targets,
            soak: Soak::Before,
            undo: Undos::default(),
            failures: 0,
            begun: 0,
            has_incident: false,
            known_incidents: BTreeSet::new(),
        }
    }

    /// Whether a person approved the plan as it is.
    #[must_use]
    pub fn is_approved(&self) -> bool {
        self.approval.as_ref().is_some_and(|approval| approval.digest == self.plan.digest)
    }

    /// Whether it is over and will not change again.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.state, RolloutState::Ended { .. })
    }

    /// Whether a target is settled: nothing is done there any more unless everything is taken back.
    #[must_use]
    pub fn is_settled(&self, target: &str) -> bool {
        let is_settled = |record: &TargetRecord| !record.state.is_under_way() && !record.state.is_waiting();
        self.targets.get(target).is_none_or(is_settled) && !self.is_to_be_undone(target)
    }

    /// Whether a target is yet to be taken back.
    #[must_use]
    pub fn is_to_be_undone(&self, target: &str) -> bool {
        self.undo.has(target)
    }

    /// The stage and batch whose turn it is; `None` where every target is settled.
    #[must_use]
    pub fn turn(&self) -> Option<(usize, usize)> {
        self.plan.stages.iter().enumerate().find_map(|(stage, of)| {
            let batch = of.batches.iter().position(|batch| batch.iter().any(|name| !self.is_settled(name)))?;
            Some((stage, batch))
        })
    }

    /// Targets with, or maybe with, the new version, the newest first.
    #[must_use]
    pub fn carriers(&self) -> Vec<String> {
        let mut carriers: Vec<(&u32, &String)> =
            self.targets.iter().filter(|(_, of)| of.carries).map(|(name, of)| (&of.number, name)).collect();
        carriers.sort_by(|a, b| b.cmp(a));
        carriers.into_iter().map(|(_, name)| name.clone()).collect()
    }

    /// Targets by the word for their state, for a line on the board.
    #[must_use]
    pub fn tally(&self) -> BTreeMap<&'static str, usize> {
        let mut tally = BTreeMap::new();
        for record in self.targets.values() {
            *tally.entry(record.state.word()).or_default() += 1;
        }
        tally
    }

    /// Names of the targets of staging.
    pub(super) fn staged(&self) -> impl Iterator<Item = &String> {
        let staging = self.plan.stages.iter().filter(|stage| stage.kind == StageKind::Staging);
        staging.flat_map(|stage| &stage.batches).flatten()
    }

    /// What is under way, or not known.
    pub(super) fn under_way(&self) -> impl Iterator<Item = (&String, &TargetState)> {
        self.targets.iter().map(|(name, record)| (name, &record.state)).filter(|(_, state)| state.is_under_way())
    }
}
