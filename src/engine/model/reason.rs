//! Why a thing was suppressed or folded. A mark, never a deletion: whatever carries one stays within reach.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{AnomalyId, IncidentId, ServiceName};
use super::subject::RolloutTarget;
use crate::engine::clock::Timestamp;

/// Why something is not shown by default, or was folded into something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuppressionReason {
    /// The same fingerprint is active already.
    Repeat {
        /// What it repeats.
        of: AnomalyId,
    },
    /// Opened and resolved too often within a short time.
    Flapping {
        /// Changes of state within the window.
        changes: u32,
    },
    /// A calendar event explains it.
    Calendar {
        /// The event's name.
        event: Arc<str>,
    },
    /// Traffic explains it: the figure moved no more than requests did.
    Traffic {
        /// How many times the usual traffic there was, in per cent.
        traffic_percent: u32,
    },
    /// Symptom of an incident that is open.
    Folded {
        /// The incident.
        incident: IncidentId,
    },
    /// The service depends on one that explains it.
    DownstreamOf {
        /// The service that explains it.
        service: ServiceName,
    },
    /// Muted where it came from (silence or inhibition).
    MutedAtSource {
        /// What the source gave as reason.
        by: Arc<str>,
    },
    /// Alone, mild, and gone before it could matter.
    TooWeak,
    /// A habit that never mattered, by a rule that was tried in shadow first.
    Learned {
        /// Episodes that the rule would have hidden in its trial.
        tried: u32,
        /// Of all that it would have hidden or has hidden, those that mattered.
        mattered: u32,
    },
    /// An operator said so.
    Operator {
        /// Who.
        by: Arc<str>,
    },
    /// Its machine is being patched, or settles after it.
    Patching {
        /// Which machine of which rollout.
        target: RolloutTarget,
    },
    /// The service had just been deployed, restarted or scaled, and warms up.
    WarmUp {
        /// Since when.
        since: Timestamp,
    },
}

impl fmt::Display for SuppressionReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repeat { of } => write!(out, "repeats {of}"),
            Self::Flapping { changes } => write!(out, "flapping: {changes} changes of state"),
            Self::Calendar { event } => write!(out, "calendar: {event}"),
            Self::Traffic { traffic_percent } => write!(out, "explained by traffic at {traffic_percent} % of usual"),
            Self::Folded { incident } => write!(out, "part of {incident}"),
            Self::DownstreamOf { service } => write!(out, "explained by {service}"),
            Self::MutedAtSource { by } => write!(out, "muted at its source: {by}"),
            Self::TooWeak => write!(out, "weak and alone"),
            Self::Learned { tried, mattered } => {
                write!(out, "a habit: of {tried} like it on trial {mattered} mattered")
            }
            Self::Operator { by } => write!(out, "set aside by {by}"),
            Self::Patching { target } => {
                write!(out, "expected while {} patches {}", target.rollout, target.asset)
            }
            Self::WarmUp { since } => write!(out, "warms up since {}", since.hh_mm_ss()),
        }
    }
}
