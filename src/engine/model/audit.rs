//! One entry of the audit log: who did what, when, and what came of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{IncidentId, RunId};
use crate::engine::clock::Timestamp;

/// What an entry records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditKind {
    /// The program began or ended.
    Lifecycle,
    /// The engine decided something (opened, resolved, named a cause).
    Decision,
    /// A person asked for something (acknowledge, own, note, severity).
    Operator,
    /// A person approved, skipped or stopped a step.
    Approval,
    /// A step is about to run.
    Intent,
    /// What came of it.
    Outcome,
    /// A source went down or came back.
    Source,
}

/// One entry; entries are numbered without gaps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Number, from 1.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// What it records.
    pub kind: AuditKind,
    /// Who: a person, or `engine`.
    pub by: Arc<str>,
    /// About which incident.
    pub incident: Option<IncidentId>,
    /// About which run.
    pub run: Option<RunId>,
    /// In a line; for intents the exact command.
    pub text: Arc<str>,
}
