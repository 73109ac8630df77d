//! Every way in which a console ends or stops, on an engine in the background with a run under way: the terminal is as it was, and the
//! engine and its run are as they were.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use hypocenter::app::attach::pump;
use hypocenter::app::terminal::guard::TerminalGuard;
use hypocenter::engine::attach::place::Place;
use hypocenter::engine::settings::AttachSettings;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portable_pty::CommandBuilder;

use super::engines::{PATIENCE, pid_in, until};
use super::terminal::Session;
use super::walking::{self, Ground};

/// Where the child of the panic finds the engine.
const STATE_DIR: &str = "HYPO_TEST_STATE_DIR";

/// A run that waits for somebody at its second step, on an engine in the background.
struct Waiting {
    ground: Ground,
    page: String,
    engine: i32,
}

impl Waiting {
    fn begin(folder: &std::path::Path) -> Self {
        let ground = Ground::lay(folder, "0");
        let program = ground.program("act.sh");
        let steps = [("one", walking::act(&program, "one", "")), ("two", walking::act(&program, "two", ""))];
        let page = walking::page(&[steps[0].clone(), steps[1].clone(), ("home", walking::verify())]);
        let mut session = ground.console(&page);
        session.watch("INC-42");
        session.press_still(b"5", "Runbooks that fit");
        session.press_still(b"a", "step 1 of 3");
        session.press_still(b"a", "This changes the world");
        session.press_still(b"y", "step 2 of 3");
        session.press(b"Q");
        session.ends_clean();
        let engine = pid_in(&ground.said(&["status"]).1).unwrap();
        Self { ground, page, engine }
    }

    /// A console that shows the step.
    fn console(&self) -> Session {
        let mut session = self.ground.console(&self.page);
        self.show(&mut session);
        session
    }

    fn show(&self, session: &mut Session) {
        session.wait_for("INC-42");
        session.press_still(b"5", "step 2 of 3");
    }

    /// The engine is the same, and the run is where it was.
    #[track_caller]
    fn is_as_it_was(&self, ending: &str) {
        let (code, status) = self.ground.said(&["status"]);
        assert_eq!((code, pid_in(&status)), (Some(0), Some(self.engine)), "{ending}: {status}");
        assert!(status.contains("1 open, 0 commands running"), "{ending}: {status}");
        assert_eq!(self.ground.lines(), ["one"], "{ending}");
    }

    /// The arguments of a console.
    fn arguments(&self, folder: &std::path::Path) -> Vec<String> {
        let config = folder.join("config.toml").display().to_string();
        vec!["--config".to_owned(), config, "--state-dir".to_owned(), self.ground.state_dir().display().to_string()]
    }
}

#[test]
fn keys_and_signals_leave_engine_and_run_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let waiting = Waiting::begin(folder.path());
    for keys in [b"Q".as_slice(), b"\x03\x03"] {
        let mut session = waiting.console();
        session.press(keys);
        session.ends_clean();
        waiting.is_as_it_was("a key");
    }
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let session = waiting.console();
        kill(session.pid(), signal).unwrap();
        session.ends_clean();
        waiting.is_as_it_was(signal.as_str());
    }
    // That of a console that cannot end in order, too.
    let session = waiting.console();
    kill(session.pid(), Signal::SIGKILL).unwrap();
    session.ends();
    waiting.is_as_it_was("SIGKILL");
    until("its place is free", || waiting.ground.said(&["status"]).1.contains("0 attached"));
    let mut session = waiting.console();
    session.press(b"Q");
    session.ends_clean();
}

#[test]
fn a_stop_by_key_or_signal_comes_back_to_the_same_step() {
    let folder = tempfile::tempdir().unwrap();
    let waiting = Waiting::begin(folder.path());
    let mut shell = CommandBuilder::new("bash");
    shell.args(["--norc", "--noprofile", "-i"]);
    shell.env("PS1", "ready> ");
    shell.env("TERM", "xterm-256color");
    shell.env("HOME", folder.path());
    let mut session = Session::start(shell);
    session.wait_for("ready>");
    let line = format!("{} {}\n", env!("CARGO_BIN_EXE_hypo"), waiting.arguments(folder.path()).join(" "));
    session.press(line.as_bytes());
    waiting.show(&mut session);
    let console = child_of(session.pid());
    for round in 0..2 {
        // A stop right after going on is taken for an echo of the one before.
        session.settle(std::time::Duration::from_millis(500));
        if round == 0 {
            session.press(b"\x1a");
        } else {
            kill(console, Signal::SIGTSTP).unwrap();
        }
        session.wait_for("Stopped");
        waiting.is_as_it_was("a stop");
        session.press(b"fg\r");
        session.wait_for("step 2 of 3");
    }
    session.settle(std::time::Duration::from_millis(500));
    session.press(b"Q");
    until("the console ends", || kill(console, None).is_err());
    session.press(b"exit\r");
    session.ends();
    waiting.is_as_it_was("a stop");
}

/// The process that a shell started.
fn child_of(shell: Pid) -> Pid {
    let path = format!("/proc/{shell}/task/{shell}/children");
    let children = std::fs::read_to_string(&path).unwrap();
    Pid::from_raw(children.split_whitespace().next().unwrap_or_else(|| panic!("no child in {path}")).parse().unwrap())
}

/// A console on a terminal that this test holds the other end of, and reads as it likes.
fn on_a_terminal(command: &mut Command) -> (std::process::Child, std::fs::File) {
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(Some(&size), None).unwrap();
    // Else the child would hold its own terminal open.
    fcntl(&pty.master, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
    let end = |fd: &OwnedFd| Stdio::from(fd.try_clone().unwrap());
    command.env("TERM", "xterm-256color");
    let child = command.stdin(end(&pty.slave)).stdout(end(&pty.slave)).stderr(end(&pty.slave)).spawn().unwrap();
    (child, std::fs::File::from(pty.master))
}

fn read_until(terminal: &mut std::fs::File, text: &str) {
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains(text) {
        let mut buffer = [0; 4_096];
        let count = terminal.read(&mut buffer).unwrap();
        seen.extend_from_slice(&buffer[..count]);
    }
}

fn ends_in_time(mut child: std::process::Child) {
    let end = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() >= end {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it does not end");
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_terminal_that_goes_away_or_takes_nothing_leaves_engine_and_run_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let waiting = Waiting::begin(folder.path());
    let console = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hypo"));
        command.args(waiting.arguments(folder.path())).env("HOME", folder.path());
        let (child, mut terminal) = on_a_terminal(&mut command);
        read_until(&mut terminal, "INC-42");
        (child, terminal)
    };
    // It is not the controlling terminal, so no signal comes.
    let (child, terminal) = console();
    drop(terminal);
    ends_in_time(child);
    waiting.is_as_it_was("a terminal that goes away");
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let (child, mut terminal) = console();
        // Nobody reads what is drawn, until nothing more can be drawn.
        for _ in 0..200 {
            std::io::Write::write_all(&mut terminal, b"\x0c").unwrap();
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
        ends_in_time(child);
        waiting.is_as_it_was("a terminal that takes nothing");
        drop(terminal);
    }
}

#[test]
fn a_panic_leaves_engine_and_run_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let waiting = Waiting::begin(folder.path());
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--exact", "endings::panicking", "--nocapture", "--test-threads=1"]);
    command.env(STATE_DIR, waiting.ground.state_dir());
    command.env("TERM", "xterm-256color");
    let raw = Session::start(command).ends_clean();
    let text = String::from_utf8_lossy(&raw);
    assert!(text.find("\x1b[?1049l").unwrap() < text.find("the reason of the panic").unwrap(), "{text}");
    waiting.is_as_it_was("a panic");
}

/// A console that panics while it is attached. Without the variable it is a test that has nothing to do.
#[test]
fn panicking() {
    let Some(folder) = std::env::var_os(STATE_DIR) else { return };
    let tokio = tokio::runtime::Runtime::new().unwrap();
    let place = Place::of(folder.as_ref(), &AttachSettings::default());
    let joined = tokio.block_on(pump::join(place, None)).unwrap();
    let shown = Arc::clone(&joined.handle.snapshots().borrow());
    assert_eq!(shown.incidents.len(), 1);
    let _guard = TerminalGuard::enter().unwrap();
    panic!("the reason of the panic");
}
