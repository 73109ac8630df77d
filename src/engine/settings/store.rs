//! How long things are kept, and how much room they may take.

use serde::{Deserialize, Serialize};

use super::Span;
use crate::engine::clock::DAY_MS;

/// What the store keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// Incidents that are over, with all that belongs to them, and everything else that is over, are kept this long.
    pub keep: Span,
    /// Room on disk, in MiB. From three quarters of it on what is over goes sooner, the oldest first.
    pub size_max_mib: u64,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { keep: Span(400 * DAY_MS), size_max_mib: 2_048 }
    }
}

impl StoreSettings {
    /// Room on disk, in bytes.
    #[must_use]
    pub fn size_max(&self) -> u64 {
        self.size_max_mib.saturating_mul(1 << 20)
    }
}
