//! A person's word for a whole rollout, as the gate holds it against each step on one of its machines.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::clock::Timestamp;
use crate::engine::model::{RolloutTarget, ServiceName};

/// What a rollout may do on one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mandate {
    /// Which machine of which rollout.
    pub target: RolloutTarget,
    /// What the machine carries.
    pub services: BTreeSet<ServiceName>,
    /// Digest of the plan that was approved, in hex.
    pub plan: Arc<str>,
    /// Who approved that very plan; `None` while nobody has.
    pub approved_by: Option<Arc<str>>,
    /// Why nothing may begin there now: no window is open, an incident is, the rollout was stopped.
    pub hold: Option<Arc<str>>,
    /// Until when something may begin there.
    pub until: Option<Timestamp>,
}

impl Mandate {
    /// Why an act may not begin by it now.
    pub(super) fn missing(&self) -> Option<String> {
        if let Some(hold) = &self.hold {
            return Some(hold.to_string());
        }
        self.approved_by.is_none().then(|| format!("nobody has approved the plan of {}", self.target.rollout))
    }

    /// The gate line of an act that it lets begin.
    pub(super) fn told(&self) -> String {
        let by = self.approved_by.as_deref().unwrap_or("nobody");
        let plan = self.plan.get(..12).unwrap_or(&self.plan);
        let until = self.until.map_or_else(String::new, |until| format!(" · window until {}", until.hh_mm_ss()));
        format!("plan {plan} of {} approved by {by}{until}", self.target.rollout)
    }
}
