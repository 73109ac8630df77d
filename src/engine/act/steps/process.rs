//! A process of this machine from its start to its end: a group of its own, a bare environment, no input but what is
//! agreed, output that is bounded, and an end that takes everything with it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::output::{read_lines, tell_output};
use super::{Attempt, BY_A_PERSON, left_over};
use crate::engine::limits::STEP_STOP_GRACE_MS;

/// After a process has ended, its output is waited for this long: one it left behind may hold the pipe for ever.
const LAST_OUTPUT_MS: u64 = 500;
/// Batches of lines between a pipe and the report of them.
const LINE_BATCHES_MAX: usize = 16;

/// What is started.
#[derive(Debug)]
pub(super) struct Program {
    pub path: PathBuf,
    pub arguments: Vec<OsString>,
    pub environment: Vec<(String, OsString)>,
}

/// How it ended.
#[derive(Debug)]
pub(super) enum End {
    /// It could not be started.
    NotStarted(String),
    /// By itself; without a code by a signal.
    Exited(Option<i32>),
    /// It was stopped: why.
    Stopped(String),
}

/// What is said with the far end over standard input and error. Lines that begin with `mark` are not output.
#[derive(Debug)]
pub(super) struct Talk {
    pub mark: String,
    /// True once the far end was told to begin.
    pub is_begun: bool,
    /// The far end's own word on how its command ended.
    pub ended: Option<i32>,
    /// The command is to be stopped as soon as it can be told.
    pub is_to_stop: bool,
    /// The far end knows nothing of the command.
    pub is_gone: bool,
    /// Whole lines of output so far.
    lines: Arc<AtomicU64>,
}

impl Talk {
    /// One that has not begun.
    pub(super) fn new(mark: String) -> Self {
        Self { mark, is_begun: false, ended: None, is_to_stop: false, is_gone: false, lines: Arc::default() }
    }

    /// Whole lines that the command has written to its output, and that came here.
    pub(super) fn line_count(&self) -> u64 {
        self.lines.load(Ordering::Acquire)
    }

    /// Takes in what the far end says of the command.
    fn hear(&mut self, word: &str) {
        self.is_gone |= word == "gone";
        if let Some(code) = word.strip_prefix("ended ").and_then(|code| code.trim().parse().ok()) {
            self.ended = Some(code);
        }
    }
}

/// A process that has ended, and the last lines it wrote.
#[derive(Debug)]
pub(super) struct Ended {
    pub end: End,
    pub last: Vec<Arc<str>>,
}

impl Program {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    fn cannot(&self, error: &std::io::Error) -> String {
        format!("`{}` cannot be started: {error}", self.path.display())
    }
}

/// Runs it to its end, its timeout or its stop, and tells its output; the end itself is told by the caller.
pub(super) async fn run(program: &Program, attempt: &Attempt, talk: Option<&mut Talk>) -> Ended {
    let mut command = program.command();
    command.env(left_over::MARK, attempt.id());
    if talk.is_some() {
        command.stdin(Stdio::piped());
    }
    if let Some(reason) = attempt.hold() {
        return Ended { end: End::NotStarted(reason), last: Vec::new() };
    }
    match command.spawn() {
        Ok(child) => attend(child, attempt, talk).await,
        Err(error) => Ended { end: End::NotStarted(program.cannot(&error)), last: Vec::new() },
    }
}

/// What a process that only looks has written, in all.
#[derive(Debug)]
pub(super) struct Looked {
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

/// Runs it for what it writes, of which `bytes_max` are too many.
pub(super) async fn look(program: &Program, limit: Duration, bytes_max: u64) -> Result<Looked, String> {
    let mut child = program.command().spawn().map_err(|error| program.cannot(&error))?;
    let group = group_of(&child);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let reading = async {
        let (out, error) = tokio::join!(read_all(stdout, bytes_max), read_all(stderr, 65_536));
        (child.wait().await, out, error)
    };
    let Ok((status, stdout, stderr)) = timeout(limit, reading).await else {
        end_group(group, Signal::SIGKILL);
        return Err(format!("no answer within {} s", limit.as_secs_f32()));
    };
    let status = status.map_err(|error| format!("its end was not seen: {error}"))?;
    let stdout = stdout.ok_or_else(|| format!("it wrote more than {bytes_max} bytes"))?;
    let stderr = String::from_utf8_lossy(&stderr.unwrap_or_default()).into_owned();
    Ok(Looked { code: status.code(), stdout, stderr })
}

async fn read_all(pipe: Option<impl AsyncRead + Unpin>, bytes_max: u64) -> Option<Vec<u8>> {
    let mut read = Vec::new();
    if let Some(pipe) = pipe {
        // A broken pipe is the end of what can be read of it.
        let _ended = pipe.take(bytes_max + 1).read_to_end(&mut read).await;
    }
    (read.len() as u64 <= bytes_max).then_some(read)
}

fn group_of(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw)
}

/// Stays with the process until it has ended and its output is told.
async fn attend(mut child: Child, attempt: &Attempt, talk: Option<&mut Talk>) -> Ended {
    let group = group_of(&child);
    let (batches, received) = mpsc::channel(LINE_BATCHES_MAX);
    let (words, heard) = mpsc::channel(LINE_BATCHES_MAX);
    let mark = talk.as_ref().map(|talk| talk.mark.clone());
    let lines = talk.as_ref().map(|talk| Arc::clone(&talk.lines)).unwrap_or_default();
    if let Some(stdout) = child.stdout.take() {
        tokio::spawn(read_lines(stdout, batches.clone(), None, lines));
    }
    if let Some(stderr) = child.stderr.take() {
        tokio::spawn(read_lines(stderr, batches, mark.map(|mark| (mark, words)), Arc::default()));
    }
    let teller = tell_output(attempt, received);
    tokio::pin!(teller);
    let waiter = wait(&mut child, attempt, group, talk, heard);
    tokio::pin!(waiter);
    let mut last = None;
    let end = loop {
        tokio::select! {
            end = &mut waiter => break end,
            lines = &mut teller, if last.is_none() => last = Some(lines),
        }
    };
    if last.is_none() {
        last = timeout(Duration::from_millis(LAST_OUTPUT_MS), &mut teller).await.ok();
    }
    if last.is_none() {
        // Something it left behind still holds the pipe, so the group is still there to be ended.
        end_group(group, Signal::SIGKILL);
        last = timeout(Duration::from_millis(LAST_OUTPUT_MS), &mut teller).await.ok();
    }
    Ended { end, last: last.unwrap_or_default() }
}

async fn wait(
    child: &mut Child,
    attempt: &Attempt,
    group: Option<Pid>,
    mut talk: Option<&mut Talk>,
    mut heard: mpsc::Receiver<String>,
) -> End {
    let mut stdin = child.stdin.take();
    let deadline = sleep(attempt.left());
    tokio::pin!(deadline);
    let reason = loop {
        tokio::select! {
            status = child.wait() => {
                hear_rest(talk.as_deref_mut(), &mut heard).await;
                return exited(status);
            }
            Some(word) = heard.recv() => {
                if let Some(talk) = talk.as_deref_mut()
                    && let Some(reason) = answer(talk, &word, &mut stdin, attempt).await
                {
                    break reason;
                }
            }
            () = &mut deadline => break attempt.timed_out(),
            () = attempt.stop.notified() => break BY_A_PERSON.to_owned(),
        }
    };
    let is_begun = talk.as_deref().is_some_and(|talk| talk.is_begun);
    if let (Some(talk), Some(stdin)) = (talk.as_deref_mut(), stdin.as_mut().filter(|_| is_begun)) {
        // The far end stops its command and says so; the connection is ended only where it does not.
        // The second word is for after its end, which may come at this very moment.
        let _gone = stdin.write_all(format!("{0} stop\n{0} heard\n", talk.mark).as_bytes()).await;
        let _gone = stdin.flush().await;
        if timeout(Duration::from_millis(STEP_STOP_GRACE_MS), child.wait()).await.is_ok() {
            hear_rest(Some(talk), &mut heard).await;
            return End::Stopped(reason);
        }
    }
    end_group(group, Signal::SIGTERM);
    if timeout(Duration::from_millis(STEP_STOP_GRACE_MS), child.wait()).await.is_err() {
        end_group(group, Signal::SIGKILL);
        if let Err(error) = child.wait().await {
            return End::Stopped(format!("{reason}; its end was not seen: {error}"));
        }
    }
    hear_rest(talk, &mut heard).await;
    End::Stopped(reason)
}

fn exited(status: std::io::Result<ExitStatus>) -> End {
    match status {
        Ok(status) => End::Exited(status.code()),
        Err(error) => End::Stopped(format!("its end was not seen: {error}")),
    }
}

/// Takes a word of the far end. It begins only when it is told to, and it is told only then; the reason where it is not.
async fn answer(talk: &mut Talk, word: &str, stdin: &mut Option<ChildStdin>, attempt: &Attempt) -> Option<String> {
    if word == "ready" && !talk.is_begun {
        if let Some(reason) = attempt.hold() {
            return Some(reason);
        }
        let stdin = stdin.as_mut()?;
        // From here on it may have begun, also where the write fails half-way.
        talk.is_begun = true;
        let mark = &talk.mark;
        let stop = if talk.is_to_stop { format!("{mark} stop\n") } else { String::new() };
        let _gone = stdin.write_all(format!("{mark} go\n{stop}").as_bytes()).await;
        let _gone = stdin.flush().await;
        return None;
    }
    talk.hear(word);
    if let (Some(_), Some(stdin)) = (talk.ended, stdin.as_mut()) {
        let _gone = stdin.write_all(format!("{} heard\n", talk.mark).as_bytes()).await;
        let _gone = stdin.flush().await;
    }
    None
}

async fn hear_rest(talk: Option<&mut Talk>, heard: &mut mpsc::Receiver<String>) {
    let Some(talk) = talk else { return };
    while let Ok(Some(word)) = timeout(Duration::from_millis(LAST_OUTPUT_MS), heard.recv()).await {
        talk.hear(&word);
    }
}

fn end_group(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group
        && let Err(error) = killpg(group, signal)
    {
        // It ended between our looking and our signal: that is what was wanted.
        tracing::debug!(%error, %group, "no process group to signal");
    }
}
