//! Engines in the background, which outlive the consoles of a test and must not outlive the test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Far more than anything here takes; only a failure waits for it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What the built program says to this with its home in `home`, and its exit code.
pub fn said(home: &Path, state_dir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hypo"));
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin");
    let config = home.join("config.toml");
    if config.exists() {
        command.arg("--config").arg(config);
    }
    let output = command.arg("--state-dir").arg(state_dir).args(arguments).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text)
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

impl Drop for EndsEngine {
    fn drop(&mut self) {
        if self.state_dir.exists() {
            said(&self.home, &self.state_dir, &["stop", "--now"]);
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
