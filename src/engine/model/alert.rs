//! An external alert: a notice as received, and the alert as kept.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{Fingerprint, IncidentId, ServiceName, SourceName};
use super::reason::SuppressionReason;
use super::series::Labels;
use super::severity::Severity;
use crate::engine::clock::Timestamp;

/// Firing or resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// The rule holds.
    Firing,
    /// It no longer does.
    Resolved,
}

/// One alert as a server told it, by poll or by webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertNotice {
    /// Who told it.
    pub source: SourceName,
    /// The sender's own fingerprint of the label set: the identity across servers and ways in.
    pub fingerprint: Fingerprint,
    /// `alertname`.
    pub name: Arc<str>,
    /// The service, read from the labels as configured.
    pub service: Option<ServiceName>,
    /// From the `severity` label.
    pub severity: Severity,
    /// Firing or resolved.
    pub state: AlertState,
    /// When the rule began to hold.
    pub starts_at: Timestamp,
    /// When it ceased; `None` while firing.
    pub ends_at: Option<Timestamp>,
    /// Silenced or inhibited over there, with its reason.
    pub muted_by: Option<Arc<str>>,
    /// `summary` or `description`.
    pub summary: Arc<str>,
    /// Where the sender shows it.
    pub generator_url: Arc<str>,
    /// Every label.
    pub labels: Labels,
}

/// An alert as kept: one per fingerprint, however many servers tell it and however often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// What was told last.
    pub notice: AlertNotice,
    /// Every source that told it.
    pub told_by: BTreeSet<SourceName>,
    /// Those of them by whose last word it is firing.
    pub firing_by: BTreeSet<SourceName>,
    /// How many notices that told something new (a first time, another teller, firing again, resolved) were folded into
    /// it; the same words once more do not count.
    pub repeat_count: u64,
    /// When it was first and last told.
    pub first_seen_at: Timestamp,
    /// See `first_seen_at`.
    pub last_seen_at: Timestamp,
    /// The incident it belongs to.
    pub incident: Option<IncidentId>,
    /// Why it is not shown by default, where it is not.
    pub suppressed: Option<SuppressionReason>,
}
