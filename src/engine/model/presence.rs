//! Who is attached, and what they look at.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::IncidentId;
use super::person::{Person, Role};
use crate::engine::clock::Timestamp;

/// One console, as it tells of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendee {
    /// Its number in the engine's life.
    pub seat: u64,
    /// Who sits at it.
    pub person: Person,
    /// The incident on its screen.
    pub incident: Option<IncidentId>,
    /// The pane, by its name; empty before it has said.
    pub pane: Arc<str>,
}

/// One console, as others see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Present {
    /// Its number in the engine's life.
    pub seat: u64,
    /// Who sits at it.
    pub name: Arc<str>,
    /// How much that person may ask for there.
    pub role: Role,
    /// Since when it is attached.
    pub since: Timestamp,
    /// When the person's last console before this one left, where that is known.
    pub last_here: Option<Timestamp>,
    /// The incident on its screen.
    pub incident: Option<IncidentId>,
    /// The pane, by its name; empty before it has said.
    pub pane: Arc<str>,
}
