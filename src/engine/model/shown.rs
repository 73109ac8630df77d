//! What a person was shown of a run or a proposal, as a digest that goes with what is asked: where it differs from what is
//! there when the request arrives, the screen was stale, and nothing is done.

use std::sync::Arc;

use super::run::{Run, RunState, StepState};
use super::runbook::Proposal;
use crate::engine::digest::sha256_hex;

impl Run {
    /// What steering this run rests on: where it and each of its steps stand, what is offered, and its values. What a running
    /// command says and what a watched metric is at leave it as it is.
    #[must_use]
    pub fn shown(&self) -> Arc<str> {
        let mut parts = vec![self.id.to_string(), state_word(self.state).to_owned()];
        parts.extend(self.params.iter().flat_map(|(name, value)| [name.to_string(), value.to_string()]));
        for step in &self.steps {
            parts.extend([step_word(&step.state).to_owned(), step.id.to_string(), step.offer.to_string()]);
            parts.extend([step.begun.len().to_string(), step.approvals.len().to_string()]);
        }
        sha256_hex(parts.iter().map(String::as_str)).into()
    }
}

impl Proposal {
    /// What beginning it rests on: the page, its values, and every step as it would be run.
    #[must_use]
    pub fn shown(&self) -> Arc<str> {
        let params = self.params.iter().flat_map(|(name, value)| [name.as_ref(), value.as_ref()]);
        let steps = self.steps.iter().map(|step| step.digest.as_ref());
        let page = [self.runbook.id.as_ref(), self.runbook.content_hash.as_ref()];
        sha256_hex(page.into_iter().chain(params).chain(steps)).into()
    }
}

fn state_word(state: RunState) -> &'static str {
    match state {
        RunState::Active => "active",
        RunState::Paused => "paused",
        RunState::Succeeded => "succeeded",
        RunState::Failed => "failed",
        RunState::Stopped => "stopped",
        RunState::Interrupted => "interrupted",
    }
}

fn step_word(state: &StepState) -> &'static str {
    match state {
        StepState::Pending => "pending",
        StepState::Waiting => "waiting",
        StepState::Running { .. } => "running",
        StepState::Watching { .. } => "watching",
        StepState::Elapsing { .. } => "elapsing",
        StepState::Succeeded { .. } => "succeeded",
        StepState::Skipped { .. } => "skipped",
        StepState::PassedOver { .. } => "passed over",
        StepState::Failed { .. } => "failed",
        StepState::Unknown { .. } => "unknown",
        StepState::Undone { .. } => "undone",
    }
}
