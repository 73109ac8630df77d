//! The real console in a pseudo-terminal: it starts, ends in every way, suspends, resizes and idles, and leaves a usable
//! shell behind. The child is this very test binary, run again with a variable that says what to be.

use hypocenter::engine::model::Person;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use hypocenter::app::engine_link::EngineLink;
use hypocenter::app::keymap::Keymap;
use hypocenter::app::options::ConsoleOptions;
use hypocenter::app::run::run;
use hypocenter::app::terminal::colour_depth::ColourDepth;
use hypocenter::app::terminal::guard::TerminalGuard;
use hypocenter::engine::handle::EngineHandle;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::fixtures;
use super::held_terminal::{self, HeldTerminal, ends_at_once};

/// Says what the child is to be.
const ROLE: &str = "HYPO_TEST_ROLE";
/// Where that console keeps what it leaves behind; without it, nowhere.
const LEFT_OFF: &str = "HYPO_TEST_LEFT_OFF";
/// Far more than anything here takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same for a whole incident: it unfolds in seconds, and a verify step of the demo holds for two minutes.
const LONG_PATIENCE: Duration = Duration::from_secs(300);
/// A screen that stood still for this long takes keys that act: they are inert right after what they act on changed.
const STILL: Duration = Duration::from_millis(700);

/// A key that changed nothing for this long met a screen that had just changed under it.
const UNHEARD: Duration = Duration::from_secs(10);

/// What the child does.
#[test]
#[ignore = "a child of the tests beside it, which start it"]
fn child() {
    match std::env::var(ROLE).as_deref() {
        Ok("console") => console(),
        Ok("panic") => {
            let _guard = TerminalGuard::enter().unwrap();
            panic!("the reason of the panic");
        }
        Ok("survived panic") => {
            let _guard = TerminalGuard::enter().unwrap();
            std::thread::spawn(|| panic!("of no consequence")).join().unwrap_err();
            println!("still here");
        }
        _ => {}
    }
}

/// The console on `INC-42` under way, with an engine that never answers.
fn console() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (handle, _ends) = EngineHandle::pair(Arc::new(fixtures::live()));
    let options = ConsoleOptions {
        keymap: Keymap::load("default", None).0,
        depth: ColourDepth::Cube,
        left_off: std::env::var_os(LEFT_OFF).map(Into::into),
        ..ConsoleOptions::default()
    };
    runtime.block_on(run(EngineLink::new(handle, Person::admin("you")), options)).unwrap();
}

fn command(role: &str) -> CommandBuilder {
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--exact", "terminal::child", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(ROLE, role);
    command.env("TERM", "xterm-256color");
    command
}

/// A child in a pseudo-terminal, and what an independent terminal makes of its output.
pub struct Session {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    raw: Vec<u8>,
    screen: vt100::Parser,
    modes_before: String,
}

impl Session {
    pub fn start(command: CommandBuilder) -> Self {
        let pty = native_pty_system().openpty(size(24, 80)).unwrap();
        let modes_before = format!("{:?}", pty.master.get_termios());
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let mut reader = pty.master.try_clone_reader().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 65_536];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let keys = pty.master.take_writer().unwrap();
        let screen = vt100::Parser::new(24, 80, 0);
        Self { master: pty.master, child, keys, output, raw: Vec::new(), screen, modes_before }
    }

    /// The built program with `arguments`, in a home of its own and a bare environment.
    pub fn hypo(home: &Path, arguments: &[&str]) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_hypo"));
        command.env_clear();
        for (name, value) in [("PATH", "/usr/bin:/bin"), ("TERM", "xterm-256color"), ("LANG", "C.UTF-8")] {
            command.env(name, value);
        }
        command.env("HOME", home);
        command.args(arguments);
        Self::start(command)
    }

    fn console() -> Self {
        let mut session = Self::start(command("console"));
        session.wait_for("INC-42");
        session
    }

    /// The console on `INC-42` under way, which keeps in `folder` what it leaves behind.
    pub fn console_keeping(folder: &Path) -> Self {
        let mut command = command("console");
        command.env(LEFT_OFF, folder);
        let mut session = Self::start(command);
        session.wait_for("INC-42");
        session
    }

    pub fn press(&mut self, bytes: &[u8]) {
        self.keys.write_all(bytes).unwrap();
        self.keys.flush().unwrap();
    }

    fn take(&mut self, wait: Duration) -> Result<(), RecvTimeoutError> {
        let bytes = self.output.recv_timeout(wait)?;
        self.screen.process(&bytes);
        self.raw.extend(bytes);
        Ok(())
    }

    /// Reads until `text` is on the screen.
    pub fn wait_for(&mut self, text: &str) {
        self.wait_for_any(&[text]);
    }

    /// Reads until one of `texts` is on the screen.
    pub fn wait_for_any(&mut self, texts: &[&str]) {
        let until = Instant::now() + PATIENCE;
        while !texts.iter().any(|text| self.screen.screen().contents().contains(text)) {
            assert!(Instant::now() < until, "no {texts:?} on\n{}", self.screen.screen().contents());
            let _ = self.take(Duration::from_millis(200));
        }
    }

    /// Reads until `text` is off the screen.
    pub fn goes(&mut self, text: &str) {
        let until = Instant::now() + PATIENCE;
        while self.text().contains(text) {
            assert!(Instant::now() < until, "still `{text}` on\n{}", self.text());
            self.settle(Duration::from_millis(20));
        }
    }

    /// Reads until `text` is on the screen, however long an incident takes; never presses anything.
    pub fn watch(&mut self, text: &str) {
        let until = Instant::now() + LONG_PATIENCE;
        while !self.text().contains(text) {
            assert!(Instant::now() < until, "no `{text}` on\n{}", self.text());
            self.settle(Duration::from_millis(100));
        }
    }

    /// Presses `keys` once the screen has stood still, and reads on until `after`; again only where nothing came of it.
    pub fn press_still(&mut self, keys: &[u8], after: &str) {
        let until = Instant::now() + LONG_PATIENCE;
        while !self.text().contains(after) {
            assert!(Instant::now() < until, "no `{after}` on\n{}", self.text());
            self.settle(STILL);
            let before = self.text();
            self.press(keys);
            let pressed = Instant::now();
            while !self.text().contains(after) && (self.text() != before || pressed.elapsed() < UNHEARD) {
                assert!(Instant::now() < until, "no `{after}` on\n{}", self.text());
                self.settle(Duration::from_millis(100));
            }
        }
    }

    /// Presses `keys` while `before` is on the screen and `after` is not, where the screen may change under the key.
    pub fn press_from_to(&mut self, keys: &[u8], before: &str, after: &str) {
        let until = Instant::now() + LONG_PATIENCE;
        while !self.text().contains(after) {
            assert!(Instant::now() < until, "no `{after}` on\n{}", self.text());
            if self.text().contains(before) {
                self.press(keys);
            }
            self.settle(STILL);
        }
    }

    /// Waits for the end without a word about the terminal.
    pub fn ends(mut self) {
        let until = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "it does not end\n{}", self.text());
            let _ = self.take(Duration::from_millis(50));
        }
    }

    /// True while the program has a screen of its own.
    pub fn is_alternate(&self) -> bool {
        self.screen.screen().alternate_screen()
    }

    /// What is on the screen now.
    pub fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// Reads until nothing has come for as long as `quiet`; how many bytes came.
    pub fn settle(&mut self, quiet: Duration) -> usize {
        let before = self.raw.len();
        while self.take(quiet).is_ok() {}
        self.raw.len() - before
    }

    /// Waits for the end and holds the terminal to be as it was before.
    pub fn ends_clean(mut self) -> Vec<u8> {
        let until = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "it does not end\n{}", self.screen.screen().contents());
            let _ = self.take(Duration::from_millis(50));
        }
        self.settle(Duration::from_millis(200));
        let screen = self.screen.screen();
        assert!(!screen.alternate_screen(), "alternate screen");
        assert!(!screen.bracketed_paste(), "bracketed paste");
        assert!(!screen.hide_cursor(), "hidden cursor");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "mouse");
        assert_eq!(format!("{:?}", self.master.get_termios()), self.modes_before, "modes of the line");
        std::mem::take(&mut self.raw)
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.process_id().unwrap()).unwrap())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn size(rows: u16, cols: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

#[test]
fn every_way_to_end_leaves_the_terminal_as_it_was() {
    let mut session = Session::console();
    session.press(b"mQ");
    session.ends_clean();
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let session = Session::console();
        kill(session.pid(), signal).unwrap();
        session.ends_clean();
    }
    let mut session = Session::console();
    session.press(b"\x03\x03");
    session.ends_clean();
}

#[test]
fn a_panic_restores_first_and_then_says_why() {
    let raw = Session::start(command("panic")).ends_clean();
    let text = String::from_utf8_lossy(&raw);
    let restored = text.find("\x1b[?1049l").unwrap();
    let reason = text.find("the reason of the panic").unwrap();
    assert!(restored < reason, "{text}");
}

#[test]
fn a_panic_in_the_background_leaves_the_screen_alone() {
    let raw = Session::start(command("survived panic")).ends_clean();
    let text = String::from_utf8_lossy(&raw);
    assert!(text.find("still here").unwrap() < text.find("\x1b[?1049l").unwrap(), "{text}");
    assert!(!text.contains("of no consequence"), "{text}");
}

/// As behind a wrapper that swallows SIGHUP: the terminal is not the child's controlling one, so no signal comes.
#[test]
fn a_terminal_that_goes_away_without_a_word_ends_the_console_at_once() {
    let lost = || {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "terminal::child", "--ignored", "--nocapture", "--test-threads=1"])
            .env(ROLE, "console");
        let mut held = HeldTerminal::start(&mut command);
        held.read_until("INC-42");
        held.lose();
        held.ends()
    };
    ends_at_once(&[(); 5].map(|()| lost()));
}

#[test]
fn an_idle_console_writes_nothing() {
    let mut session = Session::console();
    session.settle(Duration::from_millis(500));
    let before = held_terminal::busy(session.pid());
    assert_eq!(session.settle(Duration::from_secs(3)), 0);
    let busy = held_terminal::busy(session.pid()) - before;
    assert!(busy < Duration::from_millis(500), "idle for three seconds, it was on a processor for {busy:?}");
    // It is alive all the same, and a row move is cheap.
    session.press(b"2");
    session.wait_for("Anomalies");
    session.settle(Duration::from_millis(500));
    session.press(b"j");
    let bytes = session.settle(Duration::from_millis(500));
    assert!((1..=400).contains(&bytes), "{bytes} bytes for a row");
    session.press(b"Q");
    session.ends_clean();
}

#[test]
fn a_storm_of_sizes_is_survived_and_cheap() {
    let mut session = Session::console();
    session.settle(Duration::from_millis(300));
    let before = session.raw.len();
    for step in 0..60 {
        let (rows, cols) = [(1, 1), (5, 20), (60, 200), (24, 80), (2, 400), (100, 3)][step % 6];
        session.master.resize(size(rows, cols)).unwrap();
    }
    session.master.resize(size(30, 100)).unwrap();
    session.screen.screen_mut().set_size(30, 100);
    session.settle(Duration::from_millis(500));
    session.wait_for("INC-42");
    assert!(session.raw.len() - before <= 40_000, "{} bytes", session.raw.len() - before);
    session.press(b"Q");
    session.ends_clean();
}

#[test]
fn a_key_pressed_while_the_size_changes_is_not_lost() {
    let mut session = Session::console();
    session.settle(Duration::from_millis(300));
    for round in 0..60 {
        let (key, title) = if round % 2 == 0 { (b"2", "┌ Anomalies") } else { (b"5", "┌ Runbook") };
        let (rows, cols) = if round % 2 == 0 { (30, 100) } else { (24, 80) };
        session.screen.screen_mut().set_size(rows, cols);
        session.master.resize(size(rows, cols)).unwrap();
        session.press(key);
        session.wait_for(title);
    }
    session.press(b"Q");
    session.ends_clean();
}

#[test]
fn a_long_paste_acts_on_nothing_and_is_told_in_a_line() {
    let mut session = Session::console();
    let paste = format!("\x1b[200~{}\x1b[201~", "aAoRxyQ\r".repeat(8_192));
    session.press(paste.as_bytes());
    session.wait_for("paste ignored: 65536 characters");
    session.press(b"Q");
    session.ends_clean();
}

#[test]
fn ctrl_z_gives_the_shell_back_and_fg_the_console() {
    let mut shell = CommandBuilder::new("bash");
    shell.args(["--norc", "--noprofile", "-i"]);
    shell.env("PS1", "ready> ");
    shell.env("TERM", "xterm-256color");
    shell.env(ROLE, "console");
    let mut session = Session::start(shell);
    session.wait_for("ready>");
    let exe = std::env::current_exe().unwrap();
    session.press(
        format!("{} --exact terminal::child --ignored --nocapture --test-threads=1\n", exe.display()).as_bytes(),
    );
    session.wait_for("INC-42");
    session.settle(Duration::from_millis(300));
    session.press(b"\x1a");
    session.wait_for("Stopped");
    assert!(!session.screen.screen().alternate_screen());
    session.press(b"fg\r");
    session.wait_for("INC-42");
    assert!(session.screen.screen().alternate_screen());
    session.settle(Duration::from_millis(300));
    session.press(b"Q");
    session.wait_for("filtered out");
    // What is typed before the shell reads its line again may be lost.
    session.settle(Duration::from_millis(500));
    session.press(b"echo back-$((40+2))\r");
    session.wait_for("back-42");
    session.press(b"exit\r");
    session.child.wait().unwrap();
}
