//! The runner of real commands: starts a task for each approved step, and stops it when asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::policy::ApprovedStep;
use super::steps::run_command::{self, CommandRules};
use super::{StepReportSink, StepRunner};
use crate::engine::model::RunId;
use crate::engine::settings::RunbookSettings;

/// How each running step is told to stop.
type Running = BTreeMap<(RunId, usize), Arc<Notify>>;

/// Runs steps as processes of this machine.
#[derive(Debug)]
pub struct Executor {
    rules: Arc<CommandRules>,
    tasks: Handle,
    running: Arc<Mutex<Running>>,
}

impl Executor {
    /// An executor whose steps run as tasks on `tasks`.
    #[must_use]
    pub fn new(settings: &RunbookSettings, tasks: Handle) -> Self {
        Self { rules: Arc::new(CommandRules::new(settings)), tasks, running: Arc::default() }
    }
}

impl StepRunner for Executor {
    fn start(&self, step: ApprovedStep, reports: StepReportSink) {
        let key = (step.run(), step.step());
        let stop = Arc::new(Notify::new());
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&stop));
        let (rules, running) = (Arc::clone(&self.rules), Arc::clone(&self.running));
        self.tasks.spawn(async move {
            run_command::run(&step, &rules, &reports, &stop).await;
            let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
            // The step may have been started anew (after a dry run) before this task came to its end.
            if running.get(&key).is_some_and(|present| Arc::ptr_eq(present, &stop)) {
                running.remove(&key);
            }
        });
    }

    fn cancel(&self, run: RunId, step: usize) {
        if let Some(stop) = self.running.lock().unwrap_or_else(PoisonError::into_inner).get(&(run, step)) {
            stop.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc::Receiver;

    use super::super::walk::tests::approved;
    use super::*;
    use crate::engine::input::{StepProgress, StepReport};
    use crate::engine::limits::{STEP_OUTPUT_LINE_BYTES_MAX, STEP_OUTPUT_LINES_MAX};

    fn settings() -> RunbookSettings {
        RunbookSettings {
            allowed_programs: ["echo", "sleep", "sh", "env", "no-such-program", "/bin/echo"]
                .map(str::to_owned)
                .to_vec(),
            environment: vec!["HOME".to_owned()],
            ..RunbookSettings::default()
        }
    }

    /// Starts a step; the executor stays alive for as long as it is held.
    fn begin(argv: &[&str], timeout_ms: i64) -> (Executor, ApprovedStep, Receiver<StepReport>) {
        let executor = Executor::new(&settings(), Handle::current());
        let (sink, reports) = StepReportSink::channel();
        let step = approved(argv, timeout_ms, &settings());
        executor.start(step.clone(), sink);
        (executor, step, reports)
    }

    async fn next(reports: &mut Receiver<StepReport>) -> StepProgress {
        let report = tokio::time::timeout(Duration::from_secs(60), reports.recv()).await;
        report.expect("a report comes in time").expect("the runner is not gone").progress
    }

    /// All lines, and the end.
    async fn finish(mut reports: Receiver<StepReport>) -> (Vec<String>, StepProgress) {
        let mut lines = Vec::new();
        loop {
            match next(&mut reports).await {
                StepProgress::Output(some) => lines.extend(some.iter().map(ToString::to_string)),
                end => {
                    assert!(reports.recv().await.is_none(), "nothing comes after the end");
                    return (lines, end);
                }
            }
        }
    }

    async fn run(argv: &[&str], timeout_ms: i64) -> (Vec<String>, StepProgress) {
        let (_executor, _step, reports) = begin(argv, timeout_ms);
        finish(reports).await
    }

    #[tokio::test]
    async fn arguments_arrive_as_they_are() {
        for program in ["echo", "/bin/echo"] {
            let (lines, end) = run(&[program, "a b", "$(id)", "; rm -rf /", "*"], 60_000).await;
            assert_eq!(lines, ["a b $(id) ; rm -rf / *"]);
            assert!(matches!(end, StepProgress::Exited { code: Some(0), .. }));
        }
    }

    #[tokio::test]
    async fn both_pipes_stream_and_the_exit_code_is_told() {
        let (mut lines, end) = run(&["sh", "-c", "echo out; echo err >&2; printf tail; exit 3"], 60_000).await;
        lines.sort();
        assert_eq!(lines, ["err", "out", "tail"]);
        assert!(matches!(end, StepProgress::Exited { code: Some(3), .. }));
    }

    #[tokio::test]
    async fn a_command_sees_only_the_environment_it_is_given_and_no_input() {
        let (lines, _) = run(&["env"], 60_000).await;
        assert!(lines.iter().all(|line| line.starts_with("HOME=")), "{lines:?}");
        let (lines, _) = run(&["sh", "-c", "read x; echo \"got:$x\"; pwd"], 60_000).await;
        assert_eq!(lines, ["got:", "/"]);
    }

    #[tokio::test]
    async fn output_is_sanitised_and_bounded() {
        let (lines, _) = run(&["sh", "-c", r"printf '\033[2Jx\r\n'"], 60_000).await;
        assert_eq!(lines, ["␛[2Jx"]);
        let (lines, _) = run(&["sh", "-c", "head -c 100000 /dev/zero | tr '\\0' a"], 60_000).await;
        assert_eq!(lines.len(), 1);
        assert!(lines[0].len() < STEP_OUTPUT_LINE_BYTES_MAX + 40 && lines[0].ends_with("bytes⟩"));
        let (lines, _) = run(&["sh", "-c", "seq 1 100000"], 60_000).await;
        assert!(lines.len() <= STEP_OUTPUT_LINES_MAX * 3 / 2 + 1, "{}", lines.len());
        assert_eq!((lines[0].as_str(), lines.last().unwrap().as_str()), ("1", "100000"));
        assert!(lines.iter().any(|line| line.contains("lines left out")));
    }

    #[tokio::test]
    async fn what_cannot_start_says_why() {
        for (argv, says) in
            [(vec!["no-such-program"], "is in none of"), (vec!["/bin/echo-not-there"], "allowed_programs")]
        {
            let mut generous = settings();
            generous.allowed_programs.push(argv[0].to_owned());
            let executor = Executor::new(&settings(), Handle::current());
            let (sink, reports) = StepReportSink::channel();
            executor.start(approved(&argv, 60_000, &generous), sink);
            let (_, end) = finish(reports).await;
            assert!(matches!(&end, StepProgress::NotStarted { reason } if reason.contains(says)), "{end:?}");
        }
    }

    #[tokio::test]
    async fn the_timeout_ends_it() {
        let (_, end) = run(&["sleep", "600"], 50).await;
        assert!(matches!(end, StepProgress::Stopped { reason } if reason.contains("timeout")));
    }

    #[tokio::test]
    async fn what_ignores_the_request_to_end_is_ended() {
        let (_, end) = run(&["sh", "-c", "trap '' TERM; while :; do sleep 600; done"], 50).await;
        assert!(matches!(end, StepProgress::Stopped { .. }));
    }

    /// True once the process is gone, or a zombie that only its parent can clear away.
    fn is_over(pid: &str) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .map_or(true, |stat| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')))
    }

    #[tokio::test]
    async fn a_person_stops_the_whole_group() {
        let (executor, step, mut reports) = begin(&["sh", "-c", "sleep 600 & echo $!; wait"], 600_000);
        let StepProgress::Output(lines) = next(&mut reports).await else { panic!("the child's number comes first") };
        executor.cancel(step.run(), step.step());
        let (_, end) = finish(reports).await;
        assert!(matches!(end, StepProgress::Stopped { reason } if reason.contains("person")));
        let wait_for_it = async {
            while !is_over(&lines[0]) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait_for_it).await.unwrap();
        executor.cancel(step.run(), step.step());
    }

    #[tokio::test]
    async fn what_a_command_leaves_behind_does_not_hold_its_end_up() {
        let (lines, end) = run(&["sh", "-c", "sleep 600 & echo $!"], 600_000).await;
        assert!(matches!(end, StepProgress::Exited { code: Some(0), .. }));
        let wait_for_it = async {
            while !is_over(&lines[0]) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait_for_it).await.unwrap();
    }
}
