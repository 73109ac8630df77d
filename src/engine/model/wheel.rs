//! Who drives a run: one person at a time, while the others watch.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::clock::Timestamp;

/// The wheel of a run that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wheel {
    /// Who drives.
    pub driver: Arc<str>,
    /// Since when.
    pub since: Timestamp,
    /// Who asked for it and has no answer yet.
    pub asked: Option<WheelAsked>,
}

/// That somebody wants to drive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WheelAsked {
    /// Who.
    pub by: Arc<str>,
    /// Since when.
    pub at: Timestamp,
}
