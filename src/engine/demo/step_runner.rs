//! The shop as a runner of steps: what a runbook would start as a program is carried out on the model.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::commands::Executed;
use super::shop::Shop;
use crate::engine::act::policy::ApprovedStep;
use crate::engine::act::{StepReportSink, StepRunner};
use crate::engine::input::{StepProgress, StepReport};
use crate::engine::model::{LeftOver, RunId};

/// The shop, shared between the source that drives it and the runner that changes it.
pub type SharedShop = Arc<Mutex<Shop>>;

/// The shop for as long as the guard lives. A panic elsewhere leaves figures behind that are still figures.
pub(super) fn lock(shop: &SharedShop) -> MutexGuard<'_, Shop> {
    shop.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Carries steps out on a shop. Needs a tokio runtime around it.
pub struct ShopStepRunner {
    shop: SharedShop,
    running: Arc<Mutex<Running>>,
}

/// Steps under way, and how each is told to stop.
type Running = BTreeMap<(RunId, usize), oneshot::Sender<()>>;

impl ShopStepRunner {
    /// A runner for this shop.
    #[must_use]
    pub fn new(shop: SharedShop) -> Self {
        Self { shop, running: Arc::default() }
    }
}

impl StepRunner for ShopStepRunner {
    fn start(&self, step: ApprovedStep, reports: StepReportSink) {
        let executed = {
            let mut shop = lock(&self.shop);
            let now = shop.now();
            shop.execute(&step.call().words(), step.is_dry_run(), now)
        };
        let (stop, stopped) = oneshot::channel();
        let key = (step.run(), step.step());
        running(&self.running).insert(key, stop);
        let all = Arc::clone(&self.running);
        tokio::spawn(async move {
            let end = end(executed, step.timeout_ms(), stopped);
            for progress in end.await {
                let attempt = Arc::clone(step.step_id());
                let report = StepReport { run: key.0, step: key.1, attempt, progress };
                // The only error is an engine that has ended: nobody is left to know.
                let _ended = reports.send(report).await;
            }
            running(&all).remove(&key);
        });
    }

    fn cancel(&self, run: RunId, step: usize) {
        if let Some(stop) = running(&self.running).remove(&(run, step)) {
            // The step may have ended in this very moment, and then there is nothing to stop.
            let _over = stop.send(());
        }
    }

    /// The shop lives and dies with the program.
    fn end_left_over(&self, _left: &LeftOver) {}
}

fn running(steps: &Mutex<Running>) -> MutexGuard<'_, Running> {
    steps.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What there is to tell of a command, after the time that it takes.
async fn end(executed: Executed, timeout_ms: i64, stopped: oneshot::Receiver<()>) -> Vec<StepProgress> {
    let wait = |ms: i64| tokio::time::sleep(Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
    tokio::select! {
        biased;
        Ok(()) = stopped => vec![StepProgress::Stopped { reason: Arc::from("stopped by a person") }],
        () = wait(timeout_ms), if timeout_ms < executed.took_ms => {
            vec![StepProgress::Stopped { reason: Arc::from(format!("stopped at its timeout of {timeout_ms} ms")) }]
        }
        () = wait(executed.took_ms), if executed.took_ms <= timeout_ms => progress(executed),
    }
}

/// A command's output and end, as an engine is told of them.
pub(super) fn progress(executed: Executed) -> Vec<StepProgress> {
    vec![
        StepProgress::Output(executed.lines),
        StepProgress::Exited { code: Some(executed.exit_code), took_ms: executed.took_ms },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taking(took_ms: i64) -> Executed {
        Executed { lines: vec![Arc::from("done")], exit_code: 0, took_ms }
    }

    fn stop_reason(told: &[StepProgress]) -> &str {
        let [StepProgress::Stopped { reason }] = told else { panic!("{told:?}") };
        reason
    }

    #[tokio::test]
    async fn a_step_ends_once_in_one_of_three_ways() {
        let (_keep, never) = oneshot::channel();
        let told = end(taking(0), 1_000, never).await;
        assert_eq!(told.last(), Some(&StepProgress::Exited { code: Some(0), took_ms: 0 }));

        let (_keep, never) = oneshot::channel();
        assert!(stop_reason(&end(taking(3_600_000), 0, never).await).contains("timeout"));

        let (stop, stopped) = oneshot::channel();
        stop.send(()).unwrap();
        assert!(stop_reason(&end(taking(3_600_000), 7_200_000, stopped).await).contains("person"));
    }
}
