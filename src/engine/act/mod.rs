//! The only code that changes the outside world: the gate, the walk of a run, and the runner of commands.
//!
//! [`policy`] decides and is the sole maker of an [`ApprovedStep`]; [`walk`] is the pure state machine of a run; a
//! [`StepRunner`] carries approved steps out and reports back. The engine's core sees the first two only.

pub mod callable;
pub mod executor;
pub mod kill_file;
pub mod policy;
pub mod roles;
pub mod steps;
pub mod walk;
pub mod wheel;

use tokio::sync::mpsc;

use super::input::StepReport;
use super::limits::STEP_REPORT_QUEUE_MAX;
use super::model::{LeftOver, RunId};
use policy::ApprovedStep;

/// Carries approved steps out: real processes ([`executor`]), or the demo's shop.
///
/// Whatever was started ends in exactly one report of `Exited`, `NotStarted`, `Stopped` or `Lost`, after all its output.
pub trait StepRunner: Send + Sync {
    /// Begins the step and returns at once; how it goes is told to `reports`.
    fn start(&self, step: ApprovedStep, reports: StepReportSink);

    /// Stops a running step; without effect where it is over already or never began.
    fn cancel(&self, run: RunId, step: usize);

    /// Ends what still runs of an attempt that an earlier life of the program began, here or on another machine; returns at
    /// once. Without effect where nothing does.
    fn end_left_over(&self, left: &LeftOver);
}

/// Where a runner tells how a step is doing. Clones share one bounded queue.
#[derive(Debug, Clone)]
pub struct StepReportSink(mpsc::Sender<StepReport>);

/// The engine no longer listens, or its queue is full; the report comes back.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the engine takes no report of {} step {} now; it is ending or overloaded", .0.run, .0.step + 1)]
pub struct ReportRefused(pub StepReport);

impl StepReportSink {
    /// A sink and the end from which the driver reads; bounded by `limits::STEP_REPORT_QUEUE_MAX`.
    #[must_use]
    pub fn channel() -> (Self, mpsc::Receiver<StepReport>) {
        let (sender, receiver) = mpsc::channel(STEP_REPORT_QUEUE_MAX);
        (Self(sender), receiver)
    }

    /// Tells the engine, waiting while the queue is full.
    ///
    /// # Errors
    /// When the engine has ended.
    pub async fn send(&self, report: StepReport) -> Result<(), ReportRefused> {
        self.0.send(report).await.map_err(|refused| ReportRefused(refused.0))
    }

    /// Tells the engine without waiting, for runners that are not asynchronous.
    ///
    /// # Errors
    /// When the queue is full or the engine has ended.
    pub fn try_send(&self, report: StepReport) -> Result<(), ReportRefused> {
        self.0.try_send(report).map_err(|refused| ReportRefused(refused.into_inner()))
    }
}
