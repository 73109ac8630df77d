//! The built program with a home of its own, and what it prints.

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

/// Runs it with its state below `home`.
pub fn hypo(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("hypo"));
    command.env("HOME", home).env_remove("XDG_STATE_HOME").env_remove("XDG_CONFIG_HOME");
    command.args(["--state-dir", home.join("state").to_str().unwrap()]).args(arguments).output().unwrap()
}

/// What it printed with `--json`; a feed that is refused is told so too, with an exit code of its own.
#[track_caller]
pub fn json(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|problem| panic!("{problem}: {said}"))
}
