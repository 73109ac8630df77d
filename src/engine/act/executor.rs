//! The runner of real calls: starts a task for each approved step, once, and stops it when asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::policy::{self, ApprovedStep};
use super::steps::run_command::{self, CommandRules};
use super::steps::ssh::{self, left_there, left_there::LeftThere};
use super::steps::{Attempt, IsKilled, ansible, awx, http, kubectl, left_over};
use super::{StepReportSink, StepRunner};
use crate::engine::input::StepProgress;
use crate::engine::model::{BlastRadius, Call, LeftOver, RunId};
use crate::engine::settings::RunbookSettings;

/// How each running step is told to stop.
type Running = BTreeMap<(RunId, usize), Arc<Notify>>;

/// Carries steps out: processes of this machine, and what they and requests reach.
pub struct Executor {
    reach: Arc<Reach>,
    tasks: Handle,
    is_killed: IsKilled,
    running: Arc<Mutex<Running>>,
    /// Identities of attempts that were begun, and on which machine over ssh; none is begun again.
    begun: Mutex<BTreeSet<Arc<str>>>,
}

/// What may be reached.
#[derive(Debug)]
struct Reach {
    rules: CommandRules,
    settings: RunbookSettings,
}

/// An approved step, taken apart.
struct Approved {
    of: (RunId, usize),
    /// The attempt's identity.
    id: Arc<str>,
    call: Call,
    timeout_ms: i64,
    targets_max: Option<u32>,
    blast: BlastRadius,
    /// Of which nothing may run any more when the call is made.
    ends_first: Option<LeftOver>,
}

impl Executor {
    /// An executor whose steps run as tasks on `tasks`.
    #[must_use]
    pub fn new(settings: &RunbookSettings, tasks: Handle) -> Self {
        let reach = Reach { rules: CommandRules::new(settings), settings: settings.clone() };
        Self {
            reach: Arc::new(reach),
            tasks,
            is_killed: Arc::new(|| false),
            running: Arc::default(),
            begun: Mutex::default(),
        }
    }

    /// The same, beginning nothing while `is_killed` says so; it is asked right before each start.
    #[must_use]
    pub fn held_by(mut self, is_killed: IsKilled) -> Self {
        self.is_killed = is_killed;
        self
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True for the first time that this identity is begun in this process.
    fn is_first(&self, id: &Arc<str>) -> bool {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).insert(Arc::clone(id))
    }

    fn begin(&self, approved: Approved, reports: StepReportSink) {
        let key = approved.of;
        let stop = Arc::new(Notify::new());
        let is_first = self.is_first(&approved.id);
        if is_first {
            self.running().insert(key, Arc::clone(&stop));
        }
        let (reach, running) = (Arc::clone(&self.reach), Arc::clone(&self.running));
        let is_killed = Arc::clone(&self.is_killed);
        self.tasks.spawn(async move {
            let still_runs = match &approved.ends_first {
                Some(before) if is_first => reach.end_left_over(before).await,
                _ => None,
            };
            // Its own time begins only now.
            let attempt = Attempt::new(key, approved.timeout_ms, Arc::clone(&stop), reports, is_killed)
                .named(approved.id)
                .reaching(approved.targets_max)
                .taking(approved.blast);
            let end = if let Some(reason) = still_runs {
                StepProgress::NotStarted { reason: reason.into() }
            } else if is_first {
                reach.call(&approved.call, &attempt).await
            } else {
                // Whatever the first one did is told by the first one; a second end would be taken for its.
                tracing::error!(run = %key.0, step = key.1, "a step was to be begun twice");
                return;
            };
            attempt.tell(end).await;
            let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
            // The step may have been started anew (after a dry run) before this task came to its end.
            if running.get(&key).is_some_and(|present| Arc::ptr_eq(present, &stop)) {
                running.remove(&key);
            }
        });
    }
}

impl Reach {
    /// Ends what still runs of an attempt, here and on the machine where its command ran. Says so where something would not end:
    /// what then looks whether the attempt had its effect would look too early.
    async fn end_left_over(&self, left: &LeftOver) -> Option<String> {
        let LeftOver { attempt, host } = left;
        left_over::end(attempt).await;
        let host = host.as_ref()?;
        match left_there::end(host, attempt, &self.rules, &self.settings.ssh).await {
            Ok(LeftThere::Runs) => {
                Some(format!("what was begun on {host} still runs there and does not end; look on {host}"))
            }
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%attempt, %host, %error, "nobody knows whether an attempt has left something running there");
                None
            }
        }
    }

    /// Carries the call out; gives back its end, which is told once, after all its output.
    async fn call(&self, call: &Call, attempt: &Attempt) -> StepProgress {
        let (rules, settings) = (&self.rules, &self.settings);
        if let Some(reason) = policy::program(call, settings) {
            return StepProgress::NotStarted { reason: reason.into() };
        }
        // What changes something is bound to a number of targets; a check is not.
        if attempt.is_bound()
            && let Some(reason) = policy::unguarded(call)
        {
            return StepProgress::NotStarted { reason: reason.into() };
        }
        let is_counted = matches!(call, Call::Command { argv } if kubectl::is_kubectl(argv));
        if attempt.blast().is_limited() && !is_counted {
            let reason = "how many members it takes away is counted for `kubectl` only; nothing was begun";
            return StepProgress::NotStarted { reason: Arc::from(reason) };
        }
        match call {
            Call::Command { argv } if kubectl::is_kubectl(argv) => kubectl::run(argv, rules, attempt).await,
            Call::Command { argv } => run_command::run(argv, rules, attempt).await,
            Call::Ssh { host, argv } => ssh::run(host, argv, rules, &settings.ssh, attempt).await,
            Call::Playbook(play) => ansible::run(play, rules, &settings.ansible, attempt).await,
            Call::JobTemplate(play) => awx::run(play, &settings.awx, attempt).await,
            Call::Http(call) => http::run(call, &settings.endpoints, attempt).await,
        }
    }
}

impl StepRunner for Executor {
    fn start(&self, step: ApprovedStep, reports: StepReportSink) {
        let approved = Approved {
            of: (step.run(), step.step()),
            id: step.step_id().clone(),
            call: step.call().clone(),
            timeout_ms: step.timeout_ms(),
            targets_max: step.targets_max(),
            blast: step.blast(),
            ends_first: step.left_over().cloned(),
        };
        self.begin(approved, reports);
    }

    fn cancel(&self, run: RunId, step: usize) {
        if let Some(stop) = self.running().get(&(run, step)) {
            stop.notify_one();
        }
    }

    fn end_left_over(&self, left: &LeftOver) {
        let (left, reach) = (left.clone(), Arc::clone(&self.reach));
        self.tasks.spawn(async move { reach.end_left_over(&left).await });
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

    /// A step that may change one target.
    fn bare(call: &Call) -> Approved {
        Approved {
            of: (RunId(1), 0),
            id: "id-1".into(),
            call: call.clone(),
            timeout_ms: 60_000,
            targets_max: Some(1),
            blast: BlastRadius::default(),
            ends_first: None,
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
                StepProgress::Digest { .. } => {}
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
        let marked = |line: &String| line.starts_with("HYPO_ATTEMPT=") && line.len() > 40;
        assert!(lines.iter().all(|line| line.starts_with("HOME=") || marked(line)), "{lines:?}");
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
    async fn kubectl_over_ssh_is_not_begun_where_it_may_change_something() {
        let mut settings = settings();
        settings.allowed_programs.extend(["ssh", "kubectl"].map(str::to_owned));
        let argv = ["kubectl", "delete", "pod", "x"].map(Arc::from).to_vec();
        let call = Call::Ssh { host: "jump-1".into(), argv };
        for (targets_max, says) in [(Some(1), "run it as a local step"), (None, "is not among `hosts`")] {
            let executor = Executor::new(&settings, Handle::current());
            let (sink, reports) = StepReportSink::channel();
            executor.begin(Approved { targets_max, ..bare(&call) }, sink);
            let (_, end) = finish(reports).await;
            assert!(matches!(&end, StepProgress::NotStarted { reason } if reason.contains(says)), "{end:?}");
        }
    }

    #[tokio::test]
    async fn what_takes_members_away_begins_only_where_they_are_counted() {
        let call = Call::Command { argv: ["echo", "scaled"].map(Arc::from).to_vec() };
        for (remaining_min, is_begun) in [(None, true), (Some(1), false)] {
            let executor = Executor::new(&settings(), Handle::current());
            let (sink, reports) = StepReportSink::channel();
            let blast = BlastRadius { remaining_min, share_max: None };
            executor.begin(Approved { blast, ..bare(&call) }, sink);
            let (_, end) = finish(reports).await;
            assert_eq!(matches!(end, StepProgress::Exited { .. }), is_begun, "{end:?}");
        }
    }

    #[tokio::test]
    async fn a_program_of_another_machine_must_be_named_before_anything_is_connected() {
        let mut settings = settings();
        settings.allowed_programs.push("ssh".to_owned());
        let call = Call::Ssh { host: "web-1".into(), argv: ["chronyc", "tracking"].map(Arc::from).to_vec() };
        for says in ["[runbooks.ssh], nor", "is not among `hosts`"] {
            let executor = Executor::new(&settings, Handle::current());
            let (sink, reports) = StepReportSink::channel();
            executor.begin(bare(&call), sink);
            let (_, end) = finish(reports).await;
            assert!(matches!(&end, StepProgress::NotStarted { reason } if reason.contains(says)), "{end:?}");
            settings.ssh.programs.push("chronyc".to_owned());
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

    #[tokio::test]
    async fn an_attempt_is_begun_once_and_never_while_it_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("count");
        let line = format!("echo x >> {}", file.display());
        let call = Call::Command { argv: ["sh", "-c", line.as_str()].map(Arc::from).to_vec() };
        let approved = || bare(&call);
        let executor = Executor::new(&settings(), Handle::current());
        let (sink, mut reports) = StepReportSink::channel();
        for _ in 0..50 {
            executor.begin(approved(), sink.clone());
        }
        drop(sink);
        let mut ends = 0;
        while let Some(report) = reports.recv().await {
            ends += usize::from(matches!(report.progress, StepProgress::Exited { .. }));
        }
        assert_eq!((ends, std::fs::read_to_string(&file).unwrap().as_str()), (1, "x\n"));

        let held = Executor::new(&settings(), Handle::current()).held_by(Arc::new(|| true));
        let (sink, reports) = StepReportSink::channel();
        held.begin(approved(), sink);
        let (_, end) = finish(reports).await;
        assert!(matches!(&end, StepProgress::NotStarted { reason } if reason.contains("kill switch")), "{end:?}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "x\n");
    }

    #[tokio::test]
    async fn no_secret_of_a_thousand_is_in_what_steps_tell() {
        let script =
            r#"i=0; while [ $i -lt 1000 ]; do echo "password=c4N$i-Xq$i token: c4Nzz9Q8w7$i$i"; i=$((i+1)); done"#;
        let (lines, end) = run(&["sh", "-c", script], 60_000).await;
        assert!(matches!(end, StepProgress::Exited { code: Some(0), .. }));
        let telling: Vec<&String> = lines.iter().filter(|line| line.contains("c4N")).collect();
        assert!(telling.is_empty() && lines.len() == 1_000, "{} of {}: {telling:?}", telling.len(), lines.len());
        let (lines, _) = run(
            &["sh", "-c", "printf '%s\\n' '-----BEGIN PRIVATE KEY-----' MIIEvQ== '-----END PRIVATE KEY-----' ok"],
            60_000,
        )
        .await;
        assert_eq!(lines[1..], ["⟨redacted:private-key⟩", "⟨redacted:private-key⟩", "ok"]);
    }

    #[tokio::test]
    async fn the_digest_is_of_everything_it_said() {
        let (_executor, _step, mut reports) = begin(&["sh", "-c", "echo a; echo b"], 60_000);
        let mut digest = None;
        while let Some(report) = reports.recv().await {
            match report.progress {
                StepProgress::Digest { sha256, bytes } => digest = Some((sha256.to_string(), bytes)),
                StepProgress::Exited { .. } => break,
                _ => {}
            }
        }
        // printf 'a\nb\n' | sha256sum
        let wanted = "911169ddaaf146aff539f58c26c489af3b892dff0fe283c1c264c65ae5aa59a2".to_owned();
        assert_eq!(digest, Some((wanted, 4)));
    }

    #[tokio::test]
    async fn a_program_that_others_could_change_is_not_started() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (open, program) = (folder.path().join("open"), folder.path().join("open/tool"));
        std::fs::create_dir(&open).unwrap();
        // Not written by this process: what another test starts meanwhile would hold it open, and it could not be started.
        assert!(std::process::Command::new("cp").arg("/bin/echo").arg(&program).status().unwrap().success());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&program, &link).unwrap();
        for (mode_of_folder, mode_of_file, is_started) in
            [(0o755, 0o755, true), (0o777, 0o755, false), (0o755, 0o775, false)]
        {
            std::fs::set_permissions(&open, std::fs::Permissions::from_mode(mode_of_folder)).unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(mode_of_file)).unwrap();
            for path in [&program, &link] {
                let path = path.to_str().unwrap();
                let mut own = settings();
                own.allowed_programs.push(path.to_owned());
                let executor = Executor::new(&own, Handle::current());
                let (sink, reports) = StepReportSink::channel();
                executor.start(approved(&[path, "hello"], 60_000, &own), sink);
                let (_, end) = finish(reports).await;
                let was_started = matches!(end, StepProgress::Exited { code: Some(0), .. });
                assert_eq!(was_started, is_started, "{path} {mode_of_folder:o} {mode_of_file:o}: {end:?}");
            }
        }
    }

    #[tokio::test]
    async fn no_value_reaches_a_shell_or_becomes_more_than_one_argument() {
        let folder = tempfile::tempdir().unwrap();
        let mut hostile: Vec<String> = [
            "",
            "; touch never",
            "$(touch never)",
            "`touch never`",
            "-rf",
            "--flag=x",
            "a\nb",
            "'\"",
            "\\",
            "*",
            "~",
            "\u{1b}[2J",
            "x y",
            "%s",
            "é",
        ]
        .map(str::to_owned)
        .to_vec();
        hostile.push("x".repeat(100_000));
        let file = folder.path().join("seen");
        // The recorder is told where to write by its name, and writes each argument with a NUL behind it.
        let script = format!("printf '%s\\0' \"$@\" > {}", file.display());
        let mut argv = vec!["sh", "-c", script.as_str(), "recorder"];
        argv.extend(hostile.iter().map(String::as_str));
        let (_, end) = run(&argv, 60_000).await;
        assert!(matches!(end, StepProgress::Exited { code: Some(0), .. }), "{end:?}");
        let seen = std::fs::read_to_string(&file).unwrap();
        let seen: Vec<&str> = seen.split_terminator('\0').collect();
        assert_eq!(seen, hostile);
        let (_, end) = run(&["echo", "a\0b"], 60_000).await;
        assert!(matches!(end, StepProgress::NotStarted { .. }), "{end:?}");
        let megabyte = "x".repeat(1_000_000);
        let (_, end) = run(&["echo", &megabyte], 60_000).await;
        assert!(matches!(end, StepProgress::NotStarted { .. }), "the kernel takes no such argument: {end:?}");
    }
}
