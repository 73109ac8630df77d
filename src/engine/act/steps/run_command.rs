//! Runs a command: an argument vector without a shell, in a process group of its own, with a bare environment, bounded in
//! time and output, and ended as a whole.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};

use super::super::StepReportSink;
use super::super::policy::ApprovedStep;
use crate::engine::ingest::normalize::sanitize;
use crate::engine::input::{StepProgress, StepReport};
use crate::engine::limits::{STEP_OUTPUT_LINE_BYTES_MAX, STEP_OUTPUT_LINES_MAX, STEP_STOP_GRACE_MS};
use crate::engine::redact::LineRedactor;
use crate::engine::settings::RunbookSettings;

/// Where programs are looked for. Fixed, so that no variable leads to another program of the same name.
const SEARCH_PATH: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// After a command has ended, its output is waited for this long: a process it left behind may hold the pipe for ever.
const LAST_OUTPUT_MS: u64 = 500;

/// Batches of lines between a pipe and the report of them.
const LINE_BATCHES_MAX: usize = 16;

/// Which programs may run, and with what of the environment.
#[derive(Debug, Clone)]
pub struct CommandRules {
    allowed_programs: Vec<String>,
    environment: Vec<(String, OsString)>,
}

impl CommandRules {
    /// Takes the allow-list and the present values of the variables that are passed on.
    #[must_use]
    pub fn new(settings: &RunbookSettings) -> Self {
        let environment = settings
            .environment
            .iter()
            .filter_map(|name| std::env::var_os(name).map(|value| (name.clone(), value)))
            .collect();
        Self { allowed_programs: settings.allowed_programs.clone(), environment }
    }

    /// The file that is started for `program`.
    ///
    /// The gate has looked at the allow-list already; looking again costs nothing and does not trust it.
    fn resolve(&self, program: &str) -> Result<PathBuf, String> {
        if !self.allowed_programs.iter().any(|allowed| allowed == program) {
            return Err(format!("`{program}` is not among `allowed_programs` under [runbooks]"));
        }
        let path = if program.starts_with('/') {
            PathBuf::from(program)
        } else if program.contains('/') {
            return Err(format!("`{program}` is a relative path; write the program's name or its absolute path"));
        } else {
            let found = SEARCH_PATH.iter().map(|folder| Path::new(folder).join(program)).find(|path| path.is_file());
            found.ok_or_else(|| {
                format!("`{program}` is in none of {}; install it, or list its absolute path", SEARCH_PATH.join(", "))
            })?
        };
        let facts = path.metadata().map_err(|error| format!("`{}` cannot be started: {error}", path.display()))?;
        if facts.mode() & 0o022 != 0 {
            return Err(format!("others may change `{0}`; run: chmod go-w {0}", path.display()));
        }
        Ok(path)
    }
}

/// Runs the step to its end, its timeout or `stop`, and reports exactly one end, after all output.
pub async fn run(step: &ApprovedStep, rules: &CommandRules, reports: &StepReportSink, stop: &Notify) {
    let end = match start(step, rules) {
        Ok(child) => attend(step, child, reports, stop).await,
        Err(reason) => StepProgress::NotStarted { reason: reason.into() },
    };
    report(step, reports, end).await;
}

/// Tells the engine; when it has ended there is nobody left to tell, and the run is found on disk at the next start.
async fn report(step: &ApprovedStep, reports: &StepReportSink, progress: StepProgress) {
    let report = StepReport { run: step.run(), step: step.step(), progress };
    if let Err(refused) = reports.send(report).await {
        tracing::warn!(%refused, "a step's report came too late");
    }
}

fn start(step: &ApprovedStep, rules: &CommandRules) -> Result<Child, String> {
    let Some((program, arguments)) = step.argv().split_first() else {
        return Err("its command is empty".to_owned());
    };
    let path = rules.resolve(program)?;
    Command::new(&path)
        .args(arguments.iter().map(AsRef::<str>::as_ref))
        .env_clear()
        .envs(rules.environment.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("`{}` cannot be started: {error}", path.display()))
}

/// Stays with the command until it has ended and its output is told.
async fn attend(step: &ApprovedStep, mut child: Child, reports: &StepReportSink, stop: &Notify) -> StepProgress {
    let began = Instant::now();
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let (lines, received) = mpsc::channel(LINE_BATCHES_MAX);
    if let Some(stdout) = child.stdout.take() {
        tokio::spawn(read_lines(stdout, lines.clone()));
    }
    if let Some(stderr) = child.stderr.take() {
        tokio::spawn(read_lines(stderr, lines));
    }
    let teller = tell_output(step, received, reports);
    tokio::pin!(teller);
    let waiter = wait(step, &mut child, group, stop);
    tokio::pin!(waiter);
    let mut is_all_told = false;
    let end = loop {
        tokio::select! {
            end = &mut waiter => break end,
            () = &mut teller, if !is_all_told => is_all_told = true,
        }
    };
    if !is_all_told && timeout(Duration::from_millis(LAST_OUTPUT_MS), &mut teller).await.is_err() {
        // Something it left behind still holds the pipe, so the group is still there to be ended.
        end_group(group, Signal::SIGKILL);
        let _ended_late = timeout(Duration::from_millis(LAST_OUTPUT_MS), &mut teller).await;
    }
    let took_ms = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
    match end {
        End::Itself(Ok(status)) => StepProgress::Exited { code: status.code(), took_ms },
        End::Itself(Err(error)) => StepProgress::Stopped { reason: format!("its end was not seen: {error}").into() },
        End::Stopped(reason) => StepProgress::Stopped { reason },
    }
}

/// How a command came to its end.
enum End {
    Itself(std::io::Result<ExitStatus>),
    Stopped(Arc<str>),
}

async fn wait(step: &ApprovedStep, child: &mut Child, group: Option<Pid>, stop: &Notify) -> End {
    let limit = Duration::from_millis(u64::try_from(step.timeout_ms()).unwrap_or(0));
    let reason = tokio::select! {
        status = child.wait() => return End::Itself(status),
        () = sleep(limit) => format!("stopped after its timeout of {} s", limit.as_secs_f32()),
        () = stop.notified() => "stopped by a person".to_owned(),
    };
    end_group(group, Signal::SIGTERM);
    if timeout(Duration::from_millis(STEP_STOP_GRACE_MS), child.wait()).await.is_err() {
        end_group(group, Signal::SIGKILL);
        if let Err(error) = child.wait().await {
            return End::Stopped(format!("{reason}; its end was not seen: {error}").into());
        }
    }
    End::Stopped(reason.into())
}

fn end_group(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group
        && let Err(error) = killpg(group, signal)
    {
        // It ended between our looking and our signal: that is what was wanted.
        tracing::debug!(%error, %group, "no process group to signal");
    }
}

/// Reads a pipe to its end, line by line; what is past a line's limit is read and dropped.
async fn read_lines(pipe: impl AsyncRead + Unpin, lines: mpsc::Sender<Vec<Arc<str>>>) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    let mut left_out = 0_usize;
    let mut redactor = LineRedactor::default();
    loop {
        let mut batch = Vec::new();
        let Ok(chunk) = pipe.fill_buf().await else { break };
        let length = chunk.len();
        if length == 0 {
            if !line.is_empty() {
                batch.push(finish_line(&mut line, &mut left_out, &mut redactor));
                let _nobody_listens = lines.send(batch).await;
            }
            break;
        }
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            let (text, is_whole) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            let room = STEP_OUTPUT_LINE_BYTES_MAX.saturating_sub(line.len());
            line.extend_from_slice(&text[..text.len().min(room)]);
            left_out += text.len().saturating_sub(room);
            if is_whole {
                batch.push(finish_line(&mut line, &mut left_out, &mut redactor));
            }
        }
        pipe.consume(length);
        if !batch.is_empty() && lines.send(batch).await.is_err() {
            break;
        }
    }
}

fn finish_line(line: &mut Vec<u8>, left_out: &mut usize, redactor: &mut LineRedactor) -> Arc<str> {
    let bytes = std::mem::take(line);
    let text = String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(&bytes));
    let text = sanitize(&redactor.line(&text), STEP_OUTPUT_LINE_BYTES_MAX);
    match std::mem::take(left_out) {
        0 => text,
        more => format!("{text} …⟨+{more} bytes⟩").into(),
    }
}

/// Tells lines as they come, up to the number that is kept; of more than that the last ones, once the command has ended.
async fn tell_output(step: &ApprovedStep, mut received: mpsc::Receiver<Vec<Arc<str>>>, reports: &StepReportSink) {
    let mut told = 0;
    let mut late: VecDeque<Arc<str>> = VecDeque::new();
    let mut dropped_count = 0_u64;
    while let Some(mut batch) = received.recv().await {
        let now = batch.len().min(STEP_OUTPUT_LINES_MAX - told);
        late.extend(batch.drain(now..));
        while late.len() > STEP_OUTPUT_LINES_MAX / 2 {
            late.pop_front();
            dropped_count += 1;
        }
        told += now;
        if !batch.is_empty() {
            report(step, reports, StepProgress::Output(batch)).await;
        }
    }
    if dropped_count > 0 {
        late.push_front(format!("… {dropped_count} lines left out …").into());
    }
    if !late.is_empty() {
        report(step, reports, StepProgress::Output(late.into())).await;
    }
}
