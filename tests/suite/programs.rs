//! Programs that tests lay down to have them started.
//!
//! A process of its own writes them. Another test's thread may fork while a file is open here; its child holds the file open for
//! a moment, and a program that somebody may still write to is not started ("text file busy").

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// A script with this text, which everybody may start.
pub fn script(path: &Path, text: &str) {
    let line = r#"cat > "$1" && chmod 755 "$1""#;
    let mut child = Command::new("sh").args(["-c", line, "sh"]).arg(path).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{}", path.display());
}

/// A copy of the built program, for whoever may not look where the tree lies.
pub fn own_copy(path: &Path) {
    let status = Command::new("install").arg("-m755").arg(env!("CARGO_BIN_EXE_hypo")).arg(path).status().unwrap();
    assert!(status.success(), "{}", path.display());
}
