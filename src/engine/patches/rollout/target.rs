//! Where a target stands, and what keeps it waiting.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::health::HealthReport;
use crate::engine::clock::Timestamp;
use crate::engine::model::IncidentId;
use crate::engine::patches::inventory::Reboot;

/// Why a target waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hold {
    /// Nobody approved the plan as it is.
    Approval,
    /// The rollout is paused.
    Paused,
    /// The rollout is over, or on its way there.
    Over,
    /// The kill switch is on; who or what turned it.
    Kill(String),
    /// An incident on the target or what it carries.
    Incident(IncidentId),
    /// A freeze.
    Frozen {
        /// Its name.
        name: String,
        /// Its end.
        until: Timestamp,
    },
    /// A freeze begins before the target would be finished.
    FreezeNear {
        /// Its name.
        name: String,
        /// Its beginning.
        at: Timestamp,
    },
    /// No window is for it.
    NoWindow,
    /// No window is open.
    WindowShut {
        /// When the next opens, where there is one.
        next: Option<Timestamp>,
    },
    /// The window closes before the target would be finished.
    WindowShort {
        /// When.
        until: Timestamp,
    },
    /// An exception of this number, made after the plan, leaves it as it is.
    Excepted(u64),
    /// It could not be begun.
    TriedAgain {
        /// What kept it: it does not answer.
        why: String,
        /// When it is tried again.
        at: Timestamp,
    },
    /// Somebody else acts on it: `RO-3`, `RUN-9`.
    Taken(String),
    /// As many as may be are under way.
    BatchFull,
    /// The batch before it is not settled.
    BatchBefore,
    /// The stage of this name is before it.
    StageBefore(String),
    /// The soak lasts until then.
    Soak(Timestamp),
    /// A person has to decide on the soak.
    SoakUndecided,
    /// A person has to decide whether this target is healthy.
    Undecided(String),
    /// What happened on this target is not known.
    Unsettled(String),
    /// This target is still to be taken back.
    TakenBack(String),
    /// Too few others are healthy.
    HealthyMin {
        /// Of whom.
        group: String,
        /// How many others are.
        healthy: u32,
        /// How many there must be.
        least: u32,
    },
}

impl fmt::Display for Hold {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approval => out.write_str("a person has to approve the plan as it is"),
            Self::Paused => out.write_str("the rollout is paused"),
            Self::Over => out.write_str("the rollout is over"),
            Self::Kill(by) => write!(out, "the kill switch is on ({by})"),
            Self::Incident(id) => write!(out, "{id} is active on it"),
            Self::Frozen { name, until } => write!(out, "freeze `{name}` until {until}"),
            Self::FreezeNear { name, at } => write!(out, "freeze `{name}` begins at {at}, before it would be finished"),
            Self::NoWindow => out.write_str("no maintenance window is for it; [[patches.window]] makes one"),
            Self::WindowShut { next: Some(at) } => write!(out, "its window opens at {at}"),
            Self::WindowShut { next: None } => out.write_str("its window does not open again"),
            Self::WindowShort { until } => write!(out, "its window closes at {until}, before it would be finished"),
            Self::Excepted(number) => write!(out, "EXC-{number} leaves it as it is; skip it, or withdraw that"),
            Self::TriedAgain { why, at } => write!(out, "{why}; tried again at {at}"),
            Self::Taken(by) => write!(out, "{by} is acting on it"),
            Self::BatchFull => out.write_str("as many as may be are under way"),
            Self::BatchBefore => out.write_str("the batch before it is not settled"),
            Self::StageBefore(stage) => write!(out, "{stage} comes before it"),
            Self::Soak(until) => write!(out, "staging soaks until {until}"),
            Self::SoakUndecided => out.write_str("the soak could not tell; a person decides"),
            Self::Undecided(target) => write!(out, "whether {target} is healthy could not be told; a person decides"),
            Self::Unsettled(target) => write!(out, "what happened on {target} is not known"),
            Self::TakenBack(target) => write!(out, "{target} is being taken back"),
            Self::HealthyMin { group, healthy, least } => {
                write!(out, "{group}: {healthy} others are healthy, {least} must be")
            }
        }
    }
}

/// What was under way when sight of it was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Acting {
    /// The patch.
    Patching,
    /// Its being taken back.
    RollingBack,
}

/// Where a target stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum TargetState {
    /// It was not begun.
    Waiting {
        /// What holds it; `None` until the rollout was looked at.
        hold: Option<Hold>,
    },
    /// Packages are being installed.
    Patching {
        /// Since when.
        since: Timestamp,
    },
    /// They are, and its health is compared.
    Validating {
        /// Since when.
        since: Timestamp,
        /// Whether it must be rebooted; `None` where it need not.
        reboot: Option<Reboot>,
        /// Looks before the end so far.
        looks: u8,
        /// Where it could not be told and a person has to decide.
        undecided: Option<HealthReport>,
    },
    /// It is patched and healthy.
    Done {
        /// Since when.
        at: Timestamp,
    },
    /// It is patched and healthy; what it runs is still the old version, or may be.
    RebootPending {
        /// Since when.
        at: Timestamp,
        /// By what.
        why: Reboot,
    },
    /// It failed: the installation, or its health after it.
    Failed {
        /// How.
        why: String,
    },
    /// No end was seen.
    Unknown {
        /// Since when.
        since: Timestamp,
        /// What was under way.
        was: Acting,
        /// When it was last looked into.
        probed_at: Timestamp,
    },
    /// It is being taken back.
    RollingBack {
        /// Since when.
        since: Timestamp,
        /// Why.
        why: String,
    },
    /// It has the versions from before.
    RolledBack {
        /// Since when.
        at: Timestamp,
    },
    /// It could not be taken back.
    CannotRollBack {
        /// Why.
        why: String,
    },
    /// A person took it out.
    Skipped {
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
}

impl TargetState {
    /// In one or two words.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Patching { .. } => "patching",
            Self::Validating { undecided: Some(_), .. } => "undecided",
            Self::Validating { .. } => "validating",
            Self::Done { .. } => "done",
            Self::RebootPending { why: Reboot::Needed(_), .. } => "reboot pending",
            Self::RebootPending { why: Reboot::Untold(_), .. } => "reboot unknown",
            Self::Failed { .. } => "failed",
            Self::Unknown { .. } => "unknown",
            Self::RollingBack { .. } => "rolling back",
            Self::RolledBack { .. } => "rolled back",
            Self::CannotRollBack { .. } => "cannot roll back",
            Self::Skipped { .. } => "skipped",
        }
    }

    /// Something is being done there, or may be: it counts as not healthy, and takes a place of the batch.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        matches!(
            self,
            Self::Patching { .. } | Self::Validating { .. } | Self::Unknown { .. } | Self::RollingBack { .. }
        )
    }

    /// It was not begun, or not begun again.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        matches!(self, Self::Waiting { .. })
    }

    /// A person has to say whether it is healthy.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        matches!(self, Self::Validating { undecided: Some(_), .. })
    }
}

/// A target in a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetRecord {
    /// Where it stands.
    pub state: TargetState,
    /// Number of the last order to begin or to take back there, from 1; 0 where there was none. Ends carry it.
    pub attempt: u32,
    /// Its place in the order in which targets were begun, from 1; 0 where it was not.
    pub number: u32,
    /// When it was begun.
    pub begun_at: Option<Timestamp>,
    /// When the packages were installed.
    pub patched_at: Option<Timestamp>,
    /// It has, or may have, the new version.
    pub carries: bool,
}

impl Default for TargetRecord {
    fn default() -> Self {
        Self {
            state: TargetState::Waiting { hold: None },
            attempt: 0,
            number: 0,
            begun_at: None,
            patched_at: None,
            carries: false,
        }
    }
}
