//! What has passed the gate. Only this folder can make one, so that "forgot to ask" does not compile.

use std::sync::Arc;

use crate::engine::model::{BlastRadius, Call, LeftOver, Purpose, RunId};

/// A call that has passed the gate; nothing else can be executed.
#[derive(Debug, Clone, PartialEq)]
pub struct ApprovedStep {
    run: RunId,
    step: usize,
    id: Arc<str>,
    call: Call,
    bounds: Bounds,
    purpose: Purpose,
    ends_first: Option<LeftOver>,
}

/// How long a call may take and how far it may reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    pub timeout_ms: i64,
    pub targets_max: Option<u32>,
    pub blast: BlastRadius,
}

impl ApprovedStep {
    pub(super) fn new((run, step): (RunId, usize), id: Arc<str>, call: Call, bounds: Bounds, purpose: Purpose) -> Self {
        Self { run, step, id, call, bounds, purpose, ends_first: None }
    }

    /// The same, once nothing runs any more of an attempt whose time is over.
    pub(super) fn after(mut self, attempt: Option<LeftOver>) -> Self {
        self.ends_first = attempt;
        self
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
        self.bounds.timeout_ms
    }

    /// Targets it may reach at most; `None` for what only looks.
    #[must_use]
    pub fn targets_max(&self) -> Option<u32> {
        self.bounds.targets_max
    }

    /// How much of what it acts on it may take away; without a limit for what puts something back, or only looks.
    #[must_use]
    pub fn blast(&self) -> BlastRadius {
        self.bounds.blast
    }

    /// The attempt of which whatever still runs is ended before the call is made.
    #[must_use]
    pub fn ends_first(&self) -> Option<&Arc<str>> {
        self.ends_first.as_ref().map(|left| &left.attempt)
    }

    /// The same, and where it ran.
    #[must_use]
    pub fn left_over(&self) -> Option<&LeftOver> {
        self.ends_first.as_ref()
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
