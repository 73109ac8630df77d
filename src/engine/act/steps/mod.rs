//! What a step can do to the outside world, one file a kind. Nothing else in the program starts processes.

pub mod ansible;
pub mod asset_look;
pub mod awx;
pub mod http;
pub mod kubectl;
pub mod left_over;
mod output;
pub mod package_list;
mod process;
pub mod quoting;
pub mod run_command;
pub mod ssh;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::StepReportSink;
use crate::engine::input::{StepProgress, StepReport};
use crate::engine::model::{BlastRadius, RunId};

/// Says whether everything is to stand still. It is asked right before anything is begun.
pub type IsKilled = Arc<dyn Fn() -> bool + Send + Sync>;

/// One approved call under way: whose it is, how long it may take, how it is stopped, and where it tells.
#[derive(Clone)]
pub struct Attempt {
    run: RunId,
    step: usize,
    id: Arc<str>,
    began: Instant,
    timeout: Duration,
    stop: Arc<Notify>,
    reports: StepReportSink,
    is_killed: IsKilled,
    /// Targets that may be reached; `None` for what only looks.
    targets_max: Option<u32>,
    blast: BlastRadius,
}

impl Attempt {
    /// An attempt that begins now. `stop` tells it to end, once.
    #[must_use]
    pub fn new(
        (run, step): (RunId, usize),
        timeout_ms: i64,
        stop: Arc<Notify>,
        reports: StepReportSink,
        is_killed: IsKilled,
    ) -> Self {
        let timeout = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
        let (id, began) = (Arc::from(""), Instant::now());
        Self {
            run,
            step,
            id,
            began,
            timeout,
            stop,
            reports,
            is_killed,
            targets_max: None,
            blast: BlastRadius::default(),
        }
    }

    /// The same under its identity, which everything that it tells is told with.
    #[must_use]
    pub fn named(mut self, id: Arc<str>) -> Self {
        self.id = id;
        self
    }

    /// The same, bound to so many targets: what would reach more, or nobody knows how many, does not begin.
    #[must_use]
    pub fn reaching(mut self, targets_max: Option<u32>) -> Self {
        self.targets_max = targets_max;
        self
    }

    /// The same, taking at most so much of a workload away: what would take more, or nobody knows how much, does not begin.
    #[must_use]
    pub fn taking(mut self, blast: BlastRadius) -> Self {
        self.blast = blast;
        self
    }

    /// Its identity.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// How much of a workload it may take away.
    pub(super) fn blast(&self) -> BlastRadius {
        self.blast
    }

    /// True for what may change something.
    pub(super) fn is_bound(&self) -> bool {
        self.targets_max.is_some()
    }

    /// Says why not, where `count` is more than the step allows.
    fn within(&self, most: u32, count: usize, what: &str) -> Result<(), String> {
        if usize::try_from(most).is_ok_and(|most| count <= most) {
            return Ok(());
        }
        Err(format!("it would reach {count} {what}, and `targets_max` allows {most}; nothing was begun"))
    }

    /// Tells the engine; when it has ended there is nobody left to tell, and the run is found on disk at the next start.
    pub async fn tell(&self, progress: StepProgress) {
        let report = StepReport { run: self.run, step: self.step, attempt: Arc::clone(&self.id), progress };
        if let Err(refused) = self.reports.send(report).await {
            tracing::warn!(%refused, "a step's report came too late");
        }
    }

    async fn say(&self, line: &str) {
        self.tell(StepProgress::Output(vec![Arc::from(line)])).await;
    }

    /// Why nothing may begin, where that is so.
    fn hold(&self) -> Option<String> {
        (self.is_killed)().then(|| "the kill switch is on; nothing begins until a person takes it off".to_owned())
    }

    /// How long it may go on.
    fn left(&self) -> Duration {
        self.timeout.saturating_sub(self.began.elapsed())
    }

    fn took_ms(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn timed_out(&self) -> String {
        format!("stopped after its timeout of {} s", self.timeout.as_secs_f32())
    }

    fn exited(&self, code: i32) -> StepProgress {
        StepProgress::Exited { code: Some(code), took_ms: self.took_ms() }
    }
}

fn not_started(reason: impl Into<Arc<str>>) -> StepProgress {
    StepProgress::NotStarted { reason: reason.into() }
}

fn lost(reason: impl Into<Arc<str>>) -> StepProgress {
    StepProgress::Lost { reason: reason.into() }
}

fn stopped(reason: impl Into<Arc<str>>) -> StepProgress {
    StepProgress::Stopped { reason: reason.into() }
}

/// What is told of a stop by a person.
const BY_A_PERSON: &str = "stopped by a person";
