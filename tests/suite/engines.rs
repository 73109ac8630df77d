//! Engines in the background, which outlive the consoles of a test and must not outlive the test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hypocenter::engine::store::Hold;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Far more than anything here takes; only a failure waits for it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// An engine that is to end at once has ended within this time, or hangs.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// What the built program says to this with its home in `home`, and its exit code.
pub fn said(home: &Path, state_dir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = command(home, state_dir, arguments).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text)
}

/// Leaves a program nothing of this environment but a home and the usual path, and which mistake is planted, where one is.
pub fn bare<'a>(command: &'a mut Command, home: &Path) -> &'a mut Command {
    let planted = std::env::var_os("HYPO_PLANTED").map(|name| ("HYPO_PLANTED", name));
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").envs(planted)
}

fn command(home: &Path, state_dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hypo"));
    bare(&mut command, home);
    let config = home.join("config.toml");
    if config.exists() {
        command.arg("--config").arg(config);
    }
    command.arg("--state-dir").arg(state_dir).args(arguments);
    command
}

/// Ends the engine of a state directory with the test, however that ends.
pub struct EndsEngine {
    home: PathBuf,
    state_dir: PathBuf,
}

impl EndsEngine {
    pub fn of(home: &Path, state_dir: &Path) -> Self {
        Self { home: home.to_path_buf(), state_dir: state_dir.to_path_buf() }
    }
}

impl EndsEngine {
    /// The process that holds the store, where it is an engine of these tests.
    fn holder(&self) -> Option<Pid> {
        let pid = pid_in(&std::fs::read_to_string(Hold::file(&self.state_dir)).ok()?)?;
        let program = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        (program == Path::new(env!("CARGO_BIN_EXE_hypo"))).then(|| Pid::from_raw(pid))
    }

    /// Asks it to end, and waits for that, but not for long; true where it has.
    fn stop(&self) -> Option<bool> {
        let mut command = command(&self.home, &self.state_dir, &["stop", "--now"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let end = Instant::now() + ENDS_WITHIN;
        while Instant::now() < end {
            if child.try_wait().ok()?.is_some() {
                return Some(self.holder().is_none());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        child.kill().ok()?;
        child.wait().ok()?;
        Some(false)
    }
}

impl Drop for EndsEngine {
    // Nothing in here may panic: the test may be panicking already.
    fn drop(&mut self) {
        let Some(holder) = self.holder() else { return };
        if self.stop() != Some(true) {
            let _gone = kill(holder, Signal::SIGKILL);
        }
    }
}

/// The process of the engine that `hypo status` tells of.
pub fn pid_in(status: &str) -> Option<i32> {
    status.split(" pid ").nth(1)?.split_whitespace().next()?.parse().ok()
}

/// Waits until `is_so`.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
