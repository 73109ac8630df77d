//! Every way in which a console ends or stops, on an engine in the background with a run under way: the terminal is as it was, and the
//! engine and its run are as they were.

use std::process::Command;
use std::sync::Arc;

use hypocenter::app::attach::pump;
use hypocenter::app::terminal::guard::TerminalGuard;
use hypocenter::engine::attach::place::Place;
use hypocenter::engine::settings::AttachSettings;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portable_pty::CommandBuilder;

use super::engines::{pid_in, until};
use super::held_terminal::{HeldTerminal, ends_at_once, is_stopped};
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
        let mut session = ground.console_in_run(&page, 3);
        walking::act_on(&mut session, "step 2 of 3");
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
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
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
        until("it is stopped", || is_stopped(console));
        assert!(!session.is_alternate(), "a stopped console leaves the shell's screen");
        waiting.is_as_it_was("a stop");
        session.press(b"fg\r");
        session.wait_for("step 2 of 3");
        assert!(session.is_alternate());
    }
    session.settle(std::time::Duration::from_millis(500));
    session.press(b"Q");
    until("the console ends", || kill(console, None).is_err());
    session.press(b"exit\r");
    session.ends_clean();
    waiting.is_as_it_was("a stop");
}

/// The process that a shell started.
fn child_of(shell: Pid) -> Pid {
    let path = format!("/proc/{shell}/task/{shell}/children");
    let children = std::fs::read_to_string(&path).unwrap();
    Pid::from_raw(children.split_whitespace().next().unwrap_or_else(|| panic!("no child in {path}")).parse().unwrap())
}

#[test]
fn a_terminal_that_goes_away_or_takes_nothing_leaves_engine_and_run_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let waiting = Waiting::begin(folder.path());
    let console = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hypo"));
        command.args(waiting.arguments(folder.path())).env("HOME", folder.path());
        let mut held = HeldTerminal::start(&mut command);
        held.read_until("INC-42");
        held
    };
    // It is not the controlling terminal, so no signal comes.
    let lost = || {
        let mut held = console();
        held.lose();
        held.ends()
    };
    ends_at_once(&[(); 5].map(|()| lost()));
    waiting.is_as_it_was("a terminal that goes away");
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let mut held = console();
        // Nobody reads what is drawn, until nothing more can be drawn.
        held.fill(b"\x0c");
        kill(held.pid(), signal).unwrap();
        held.ends();
        waiting.is_as_it_was("a terminal that takes nothing");
    }
}

#[test]
fn a_panic_leaves_engine_and_run_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let waiting = Waiting::begin(folder.path());
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--exact", "endings::panicking", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(STATE_DIR, waiting.ground.state_dir());
    command.env("TERM", "xterm-256color");
    let raw = Session::start(command).ends_clean();
    let text = String::from_utf8_lossy(&raw);
    assert!(text.find("\x1b[?1049l").unwrap() < text.find("the reason of the panic").unwrap(), "{text}");
    waiting.is_as_it_was("a panic");
}

/// A console that panics while it is attached.
#[test]
#[ignore = "a child of the test beside it, which starts it"]
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
