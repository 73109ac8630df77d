//! Rollouts of patches.

use super::Engine;
use crate::engine::act::policy::Mandate;
use crate::engine::clock::Timestamp;
use crate::engine::model::RolloutTarget;

impl Engine {
    /// What the rollout may do on this machine now; `None` where it is not known any more.
    pub(super) fn mandate(&self, _target: &RolloutTarget, _now: Timestamp) -> Option<Mandate> {
        None
    }
}
