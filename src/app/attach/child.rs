//! Programs that a line to an engine needs: an engine in the background, and the system's ssh.
//!
//! An engine is this very program in a session of its own, so that it outlives the terminal. What it says before it can be reached
//! comes back by a pipe: whoever started it is told why it did not start.

use std::ffi::OsString;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::engine::attach::place::Place;
use crate::views::context::Glyphs;
use crate::views::text::clean;

/// With this an engine ends that found the store in other hands.
pub const TAKEN: u8 = 3;
/// With this an engine ends that has no place to listen, for its folder cannot be written to.
pub const NO_PLACE: u8 = 4;
/// This program, also where its file was replaced since.
const OURSELVES: &str = "/proc/self/exe";
/// What belongs to the terminal of whoever starts an engine, or to a service manager above it, and not to the engine.
const NOT_THE_ENGINES: [&str; 13] = [
    "TERM",
    "COLORTERM",
    "COLUMNS",
    "LINES",
    "TMUX",
    "TMUX_PANE",
    "STY",
    "SSH_TTY",
    "SSH_CONNECTION",
    "SSH_CLIENT",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    // That the console was started by a step is nothing of an engine that others use.
    "HYPO_ATTEMPT",
];
/// Between two looks whether it can be reached.
const LOOK: Duration = Duration::from_millis(20);
/// It can be reached within this time: before that it only takes the store's lock.
const START_WAIT: Duration = Duration::from_secs(20);
/// Whoever has the store listens within this time, if it is an engine, or lets go of it, if it is a listing.
pub(super) const HOLDER_WAIT: Duration = Duration::from_secs(10);
/// Between two tries to have the store meanwhile.
pub(super) const TRY_AGAIN: Duration = Duration::from_secs(1);
/// Bytes of what a program says that are told.
const WORDS_BYTES_MAX: usize = 1_000;

/// Why an engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartProblem {
    /// The program cannot be started.
    #[error("the engine cannot be started: {0}; `hypo serve` in another terminal may say more")]
    NoProgram(#[source] std::io::Error),
    /// It ended, with these last words.
    #[error("the engine did not start: {words}")]
    Ended {
        /// What it said.
        words: String,
    },
    /// Nobody could reach it: its folder cannot be written to.
    #[error("{words}")]
    NoPlace {
        /// What it said.
        words: String,
    },
    /// Somebody has the store who is no engine, in the words of the one that found that.
    #[error("the engine did not start: {words}")]
    Taken {
        /// What it said.
        words: String,
    },
    /// It is not to be reached.
    #[error("the engine was started and cannot be reached at {place}; hypo.log beside the store may say why")]
    Unreachable {
        /// Where.
        place: PathBuf,
    },
}

impl StartProblem {
    /// True where somebody else has the store, which may be over in a moment.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::Taken { .. })
    }
}

/// How an engine is started for the socket at a place.
#[derive(Debug, Clone)]
pub struct Starter {
    /// Where it will be reached.
    pub place: Place,
    /// Its flags: absolute paths only, for it runs in another folder.
    pub arguments: Vec<OsString>,
}

impl Starter {
    /// Starts an engine, and connects to it, or to the one that was faster. Where somebody has the store for a moment, other tries
    /// are made until `patience` is over.
    ///
    /// # Errors
    /// When it does not start, in its own words.
    pub async fn start(&self, patience: Duration) -> Result<UnixStream, StartProblem> {
        let begun = Instant::now();
        let mut is_told = false;
        loop {
            let words = match self.try_once().await? {
                Tried::Reached(stream) => return Ok(stream),
                Tried::Taken(words) => words,
            };
            if !std::mem::replace(&mut is_told, true) {
                tell_waiting(&words);
            }
            let tried = Instant::now();
            while tried.elapsed() < TRY_AGAIN {
                if let Ok(stream) = self.place.connect().await {
                    return Ok(stream);
                }
                sleep(LOOK).await;
            }
            if begun.elapsed() >= patience {
                return Err(StartProblem::Taken { words });
            }
        }
    }

    async fn try_once(&self) -> Result<Tried, StartProblem> {
        let child = self.spawn().map_err(StartProblem::NoProgram)?;
        let mut ended = Box::pin(child.wait_with_output());
        let begun = Instant::now();
        let output = loop {
            tokio::select! {
                output = &mut ended => break output.map_err(StartProblem::NoProgram)?,
                () = sleep(LOOK) => {}
            }
            if let Ok(stream) = self.place.connect().await {
                // Whenever it ends, somebody has to take note of it, or it stays as a dead entry.
                tokio::spawn(ended);
                return Ok(Tried::Reached(stream));
            }
            if begun.elapsed() >= START_WAIT {
                return Err(StartProblem::Unreachable { place: self.place.socket().to_path_buf() });
            }
        };
        // Another one may have been there by then.
        if let Ok(stream) = self.place.connect().await {
            return Ok(Tried::Reached(stream));
        }
        let words = words_of(&output);
        match output.status.code().and_then(|code| u8::try_from(code).ok()) {
            Some(TAKEN) => Ok(Tried::Taken(words)),
            Some(NO_PLACE) => Err(StartProblem::NoPlace { words }),
            _ => Err(StartProblem::Ended { words }),
        }
    }

    fn spawn(&self) -> std::io::Result<Child> {
        let mut command = match Path::new(OURSELVES).exists() {
            true => Command::new(OURSELVES),
            false => Command::new(std::env::current_exe()?),
        };
        command.arg0("hypo").args(&self.arguments).args(["serve", "--background"]);
        for name in NOT_THE_ENGINES {
            command.env_remove(name);
        }
        // Who only looks starts none, whatever the file says of consoles.
        command.env("HYPO_READ_ONLY", "0");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
    }
}

/// Says what is waited for, as long as the screen is not ours: from then on it says that by itself.
pub(super) fn tell_waiting(words: &str) {
    if !crate::app::terminal::guard::is_ours() {
        // Nobody is left to tell where it is gone.
        let _gone = writeln!(std::io::stderr(), "hypo waits: {}", clean(words, Glyphs::default()));
    }
}

/// What came of one try to start an engine.
enum Tried {
    Reached(UnixStream),
    /// Somebody has the store, in the words of the one that found that.
    Taken(String),
}

fn words_of(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let text = text.trim().trim_start_matches("hypo: ");
    if text.is_empty() { format!("it ended with {} and said nothing", output.status) } else { cut(text) }
}

fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(WORDS_BYTES_MAX.min(text.len()));
    text.get(..end).unwrap_or_default().to_owned()
}

/// A line to the engine on another machine, by the system's ssh.
#[derive(Debug, Clone)]
pub struct Remote {
    host: String,
    hypo: String,
}

/// A line by ssh: its stream, and what ssh said last.
#[derive(Debug)]
pub struct RemoteLine {
    /// The way there and back.
    pub stream: UnixStream,
    /// The last thing that ssh or the other machine said beside it.
    pub words: watch::Receiver<String>,
}

impl Remote {
    /// The engine of the user on `host`, as ssh names it; `hypo` is the program there.
    ///
    /// # Errors
    /// When ssh would take the name for a flag.
    pub fn new(host: &str, hypo: &str) -> Result<Self, String> {
        if host.is_empty() || host.starts_with('-') {
            return Err(format!("`{host}` is no host; give it as ssh takes it, such as user@host"));
        }
        Ok(Self { host: host.to_owned(), hypo: quoted(hypo) })
    }

    /// The host, as it was named.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Connects. With a `terminal` ssh may ask there for what it needs and say what it has to say; without one it may not.
    ///
    /// # Errors
    /// When ssh cannot be started.
    pub fn connect(&self, has_terminal: bool) -> std::io::Result<RemoteLine> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = Command::new("ssh");
        command.args(["-T", "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3", "-o", "ConnectTimeout=20"]);
        // What the user's own configuration wants of a shell there is not wanted of a line. An older ssh does not know one of these,
        // and a list of our own would take the place of the user's.
        command.args(["-o", "IgnoreUnknown=*", "-o", "RemoteCommand=none"]);
        // Pictures of a storm are megabytes, and pack well.
        command.args(["-o", "Compression=yes", "-o", "ClearAllForwardings=yes", "-a", "-x"]);
        if !has_terminal {
            command.args(["-o", "BatchMode=yes"]);
        }
        command.arg("--").arg(&self.host).arg(format!("{} attach --line", self.hypo));
        command.stdin(OwnedFd::from(theirs.try_clone()?)).stdout(OwnedFd::from(theirs)).stderr(Stdio::piped());
        // Whoever leaves the console leaves the line.
        let mut ssh = command.kill_on_drop(true).spawn()?;
        // It holds the other ends of the line, which must close with ssh.
        drop(command);
        let (said, words) = watch::channel(String::new());
        let told = ssh.stderr.take();
        tokio::spawn(async move {
            if let Some(told) = told {
                pass_on(told, &said, has_terminal).await;
            }
            // It is over with it; how it ended its words tell.
            let _ended = ssh.wait().await;
        });
        Ok(RemoteLine { stream: UnixStream::from_std(ours)?, words })
    }
}

/// Keeps what ssh says, and shows it as long as the screen is not ours: nobody reads the words of a line that works.
async fn pass_on(told: ChildStderr, said: &watch::Sender<String>, is_shown: bool) {
    let mut lines = BufReader::new(told).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let line = cut(line.trim());
        if line.is_empty() {
            continue;
        }
        if is_shown && !crate::app::terminal::guard::is_ours() {
            // Nobody is left to tell where it is gone.
            let _gone = writeln!(std::io::stderr(), "{}", clean(&line, Glyphs::default()));
        }
        said.send_replace(line);
    }
}

/// A word for the shell on the other machine; what needs no quotes has none, so that `~` means the home there.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-~+@%:,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_no_flag_and_a_path_is_one_word() {
        for host in ["-oProxyCommand=touch /tmp/x", "-v", ""] {
            assert!(Remote::new(host, "hypo").is_err(), "{host}");
        }
        assert_eq!(Remote::new("ana@db-1", "/opt/hypo").unwrap().hypo, "/opt/hypo");
        assert_eq!(Remote::new("db-1", "/opt/my hypo; ls").unwrap().hypo, "'/opt/my hypo; ls'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
