//! Why an approval is void, in words that say what to do.

use std::sync::Arc;

use crate::engine::model::RunId;

/// Why an approval is void. Nothing has happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateRefusal {
    /// The run has ended.
    #[error("{0} is over; start the runbook again")]
    RunOver(RunId),
    /// The run is paused.
    #[error("{run} is paused: {why}; say to go on first")]
    Paused {
        /// Which run.
        run: RunId,
        /// Why.
        why: Arc<str>,
    },
    /// Another step is offered.
    #[error("step {} of {run} is not the one offered now; look at the run again", .step + 1)]
    NotOffered {
        /// Which run.
        run: RunId,
        /// Which step was asked for.
        step: usize,
    },
    /// The step, its parameters or its target are others than were shown.
    #[error("step {} of {run} changed since it was shown; read it again and approve what it is now", .step + 1)]
    Changed {
        /// Which run.
        run: RunId,
        /// Which step was asked for.
        step: usize,
    },
    /// What is known is something else than when it was shown.
    #[error("the evidence changed since step {} of {run} was shown ({what}); read it again and approve what it is now", .step + 1)]
    EvidenceChanged {
        /// Which run.
        run: RunId,
        /// Which step was asked for.
        step: usize,
        /// What is known now that was not, or no longer.
        what: Arc<str>,
    },
    /// It was shown too long ago.
    #[error("step {} of {run} was shown more than 10 minutes ago; look at it again, it has been checked anew", .step + 1)]
    Expired {
        /// Which run.
        run: RunId,
        /// Which step was asked for.
        step: usize,
    },
    /// This very attempt was begun before.
    #[error("step {} of {run} was begun already; it is never begun twice", .step + 1)]
    BegunBefore {
        /// Which run.
        run: RunId,
        /// Which step was asked for.
        step: usize,
    },
    /// The gate says no.
    #[error("refused by the gate: {0}")]
    Denied(Arc<str>),
    /// It is risky, cannot be undone or was done before, and the target was not typed.
    #[error("this is risky, cannot be undone, or was done before; type `{0}` to confirm")]
    TargetNotTyped(Arc<str>),
    /// There is nothing to settle: how the step ended is known.
    #[error("how step {} of {run} ended is known; there is nothing to settle", .step + 1)]
    NotUnknown {
        /// Which run.
        run: RunId,
        /// Which step was asked for.
        step: usize,
    },
    /// There is no way to show its effect without having it.
    #[error("step {} of {run} has no dry run; its command and what it touches are on the screen", .step + 1)]
    NoDryRun {
        /// Which run.
        run: RunId,
        /// Which step was asked for.
        step: usize,
    },
    /// It was not done, has no way back, or a later act must be taken back first.
    #[error("step {} of {run} cannot be taken back: {why}", .step + 1)]
    NoUndo {
        /// Which run.
        run: RunId,
        /// Which step was asked for.
        step: usize,
        /// Why.
        why: Arc<str>,
    },
    /// The run cannot be led there.
    #[error("{run} cannot go there: {why}")]
    NoWay {
        /// Which run.
        run: RunId,
        /// Why, and what to do.
        why: Arc<str>,
    },
}
