//! What a rollout asks of the world, what it orders, and what it is told.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::calendar::Room;
use super::health::{HealthReport, MetricSamples};
use super::plan::{PackageChange, Target};
use super::rules::PatchMethod;
use crate::engine::clock::Timestamp;
use crate::engine::model::IncidentId;
use crate::engine::patches::inventory::Reboot;

/// Whether a member of a service does its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberHealth {
    /// It does.
    Healthy,
    /// Another rollout or a run is acting on it this moment; which. Whether it does its work shows afterwards.
    Acting(String),
    /// It does not; why.
    Unhealthy(String),
    /// It is not known, which counts as not healthy.
    Unknown,
}

/// The times whose samples are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    /// From the first to the last instant before the patch.
    pub before: (Timestamp, Timestamp),
    /// The same after it.
    pub after: (Timestamp, Timestamp),
}

/// What a rollout asks of the world, all as it is at the `now` that is handed to
/// [`Rollout::advance`](super::state::Rollout::advance).
pub trait Facts {
    /// What turned the kill switch on; `None` where it is off.
    fn kill_switch(&self) -> Option<String>;
    /// What the calendar says of a target: [`Calendar::room`](super::calendar::Calendar::room) of its place.
    fn room(&self, target: &Target) -> Room;
    /// An active incident on the target or on what it carries, the gravest of those that are not `known`. Not the one that this
    /// rollout opened.
    fn incident(&self, target: &Target, known: &BTreeSet<IncidentId>) -> Option<IncidentId>;
    /// Whether a member of a service or class does its work; of a target, its `units` are asked, too.
    fn member(&self, asset: &str) -> MemberHealth;
    /// The number of an exception in force that leaves the target as it is.
    fn exception(&self, target: &Target) -> Option<u64>;
    /// Why nothing could be begun on the target the last time, and until when that is not tried again; `None` where it may be.
    fn tried_again(&self, target: &Target) -> Option<(String, Timestamp)>;
    /// What else acts on the target: another rollout, a run.
    fn taken_by(&self, target: &Target) -> Option<String>;
    /// The samples of its metrics and of what it carries. A metric that has samples on one side only is given all the same:
    /// a metric that is gone is no pass.
    fn health(&self, target: &Target, times: &Compared) -> Vec<MetricSamples>;
}

/// What a rollout orders. Each is carried out once, and only after the rollout that came with it is on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Order {
    /// Install these packages there.
    BeginTarget {
        /// Where.
        target: String,
        /// Its number, which the end carries.
        attempt: u32,
        /// What.
        packages: Vec<PackageChange>,
        /// How.
        method: PatchMethod,
    },
    /// Install the versions from before; `to` of each package is what it had.
    RollBackTarget {
        /// Where.
        target: String,
        /// Its number, which the end carries.
        attempt: u32,
        /// What.
        packages: Vec<PackageChange>,
        /// How.
        method: PatchMethod,
        /// Why.
        why: String,
    },
    /// Find out which version is there; the answer is [`TargetEnd::Found`].
    ProbeTarget {
        /// Where.
        target: String,
        /// Number of the order whose end was not seen.
        attempt: u32,
    },
    /// Open an incident.
    OpenIncident {
        /// What is known.
        evidence: Evidence,
    },
    /// Read the target's metrics more often, and mark what they do as expected.
    WatchClosely {
        /// Where.
        target: String,
        /// What it carries.
        services: Vec<String>,
        /// Between two readings, in milliseconds.
        every_ms: i64,
        /// Until when.
        until: Timestamp,
    },
    /// Say it in the audit log.
    Note {
        /// In words.
        text: String,
    },
}

/// Why an incident is opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// In one line.
    pub title: String,
    /// The target it was seen on; `None` for all of staging.
    pub target: Option<String>,
    /// What is concerned.
    pub services: Vec<String>,
    /// How health was judged, where it was.
    pub report: Option<HealthReport>,
    /// Which targets have the patch, the newest first.
    pub carriers: Vec<String>,
}

/// How something on a target ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TargetEnd {
    /// The packages are installed.
    Patched {
        /// Whether it must be rebooted, and by which process; `None` where it need not.
        reboot: Option<Reboot>,
    },
    /// They are not.
    Failed {
        /// How it failed.
        why: String,
        /// False only where it is certain that nothing was changed.
        may_have_changed: bool,
    },
    /// Nothing was begun: it was not reached, or something came in between that the order did not foresee. It is no failure.
    NotBegun {
        /// What kept it.
        why: String,
    },
    /// The versions from before are installed.
    RolledBack,
    /// The same, though nobody ordered it: a person took the run's step back.
    TakenBackByHand,
    /// They are not.
    RollBackFailed {
        /// Why.
        why: String,
    },
    /// No end was seen and none will be.
    Lost,
    /// A probe looked what is there.
    Found {
        /// The new version.
        carries: bool,
    },
}

/// What a person asks of a rollout. `by` is who, as the audit log names them; no reason may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RolloutRequest {
    /// Begin with the plan of this digest.
    Approve {
        /// Who.
        by: String,
        /// What was on the screen.
        digest: String,
    },
    /// Begin nothing for now.
    Pause {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Go on.
    Resume {
        /// Who.
        by: String,
        /// Why it may.
        reason: String,
    },
    /// Begin nothing any more; what is patched stays so.
    Stop {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Take everything back, the newest first.
    RollBack {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Leave a target out that waits; or give up on taking one back, such as a host that is gone for good.
    Skip {
        /// Which.
        target: String,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Say whether health is good enough where it could not be told.
    Decide {
        /// Of which target; `None` is the soak.
        target: Option<String>,
        /// Whether it goes on; if not, everything is taken back.
        is_good: bool,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Let the soak end sooner. Its health is compared all the same.
    ShortenSoak {
        /// When it ends.
        until: Timestamp,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Say what is on a target of which it is not known.
    Settle {
        /// Which.
        target: String,
        /// It has the new version.
        carries: bool,
        /// Who.
        by: String,
        /// How they know.
        reason: String,
    },
}

impl RolloutRequest {
    /// The same as asked by this person, whoever it says.
    #[must_use]
    pub fn asked_by(mut self, person: &str) -> Self {
        let (Self::Approve { by, .. }
        | Self::Pause { by, .. }
        | Self::Resume { by, .. }
        | Self::Stop { by, .. }
        | Self::RollBack { by, .. }
        | Self::Skip { by, .. }
        | Self::Decide { by, .. }
        | Self::ShortenSoak { by, .. }
        | Self::Settle { by, .. }) = &mut self;
        person.clone_into(by);
        self
    }

    /// Puts another text in the place of its reason, where it has one.
    pub fn map_reason(&mut self, to: impl FnOnce(&str) -> String) {
        if let Self::Pause { reason, .. }
        | Self::Resume { reason, .. }
        | Self::Stop { reason, .. }
        | Self::RollBack { reason, .. }
        | Self::Skip { reason, .. }
        | Self::Decide { reason, .. }
        | Self::ShortenSoak { reason, .. }
        | Self::Settle { reason, .. } = self
        {
            *reason = to(reason);
        }
    }
}

/// Why a request is not granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub(super) String);
