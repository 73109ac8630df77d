//! A change: a deploy, configuration edit, migration, scale event, or our own act.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{ChangeId, ServiceName, SourceName};
use crate::engine::clock::Timestamp;

/// What was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A new version of a service.
    Deploy,
    /// A configuration value.
    Config,
    /// A feature flag.
    Flag,
    /// A database schema or index.
    Migration,
    /// Replicas or resources.
    Scale,
    /// Firewall, network policy, routing, DNS.
    Network,
    /// A published release that is not rolled out by itself.
    Release,
    /// A step of one of our own runs.
    OwnAct,
    /// Anything else.
    #[default]
    Other,
}

/// A change as received; told again with the same `external_id` it updates the one already known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeNotice {
    /// Who told it.
    pub source: SourceName,
    /// The sender's identity of the change, for dedup.
    pub external_id: Arc<str>,
    /// What was changed.
    pub kind: ChangeKind,
    /// On which service, where it is known.
    pub service: Option<ServiceName>,
    /// In a line: `deploy abc123 to payment`.
    pub title: Arc<str>,
    /// Commit or version, where there is one.
    pub version: Option<Arc<str>>,
    /// Who did it.
    pub author: Option<Arc<str>>,
    /// Where it can be looked at.
    pub url: Option<Arc<str>>,
    /// When it began to take effect.
    pub at: Timestamp,
    /// When it was complete, where that is known.
    pub finished_at: Option<Timestamp>,
    /// False where the sender says it failed or was withdrawn.
    pub has_taken_effect: bool,
    /// What it changes, where the sender tells that.
    #[serde(default)]
    pub content: Option<Arc<ChangeContent>>,
}

/// What a change changes. Bounded where it is taken in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeContent {
    /// Paths of the files it touches.
    pub files: Vec<Arc<str>>,
    /// Its diff, line by line; empty where only the files are told.
    pub diff: Arc<str>,
}

/// A change as kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Its number here.
    pub id: ChangeId,
    /// What is known of it.
    pub notice: ChangeNotice,
}
