//! Documents that people write about an incident, begun from what the record has.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::IncidentId;
use crate::engine::clock::Timestamp;

/// What kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// What happened and what follows from it, in Markdown.
    PostMortem,
    /// What stakeholders were last told.
    StatusUpdate,
    /// A runbook page that was begun from an answer.
    RunbookDraft,
}

/// The newest text of one kind about one incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Which incident.
    pub incident: IncidentId,
    /// Which kind.
    pub kind: DocumentKind,
    /// Its text, in lines.
    pub text: Arc<str>,
    /// Who saved it.
    pub by: Arc<str>,
    /// When.
    pub at: Timestamp,
}
