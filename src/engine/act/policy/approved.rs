//! What has passed the gate. Only this folder can make one, so that "forgot to ask" does not compile.

use std::sync::Arc;

use crate::engine::model::{Call, Purpose, RunId};

/// A call that has passed the gate; nothing else can be executed.
#[derive(Debug, Clone, PartialEq)]
pub struct ApprovedStep {
    run: RunId,
    step: usize,
    id: Arc<str>,
    call: Call,
    timeout_ms: i64,
    targets_max: Option<u32>,
    purpose: Purpose,
}

impl ApprovedStep {
    pub(super) fn new(
        (run, step): (RunId, usize),
        id: Arc<str>,
        call: Call,
        (timeout_ms, targets_max): (i64, Option<u32>),
        purpose: Purpose,
    ) -> Self {
        Self { run, step, id, call, timeout_ms, targets_max, purpose }
    }

    /// Which run.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// Which step of it, from 0.
    #[must_use]
    pub fn step(&self) -> usize {
        self.step
    }

    /// The identity of this attempt; none is begun twice.
    #[must_use]
    pub fn step_id(&self) -> &Arc<str> {
        &self.id
    }

    /// What is called, bound.
    #[must_use]
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// Milliseconds until it is stopped.
    #[must_use]
    pub fn timeout_ms(&self) -> i64 {
        self.timeout_ms
    }

    /// Targets it may reach at most; `None` for what only looks.
    #[must_use]
    pub fn targets_max(&self) -> Option<u32> {
        self.targets_max
    }

    /// What it is for.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// True where the call shows the effect without having it.
    #[must_use]
    pub fn is_dry_run(&self) -> bool {
        self.purpose == Purpose::DryRun
    }
}
