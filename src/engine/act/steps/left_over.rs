//! Processes that outlived the program which started them. Each attempt's processes carry its identity in their environment,
//! and so do all that they start, however they part from them: by it they are found again, and ended.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use tokio::time::sleep;

use crate::engine::limits::STEP_STOP_GRACE_MS;

/// The variable that holds the identity of the attempt.
pub(super) const MARK: &str = "HYPO_ATTEMPT";
/// Between two looks at whether they have ended.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Ends what still runs of an attempt, with a request first; returns when it is gone, and gives how many there were.
///
/// Processes of other users, which cannot be looked into, are left alone. Where there is no `/proc` none is found.
pub async fn end(attempt: &str) -> usize {
    let found = of(attempt);
    if found.is_empty() {
        return 0;
    }
    tell(&found, Signal::SIGTERM);
    let mut waited = Duration::ZERO;
    while waited < Duration::from_millis(STEP_STOP_GRACE_MS) && !of(attempt).is_empty() {
        sleep(LOOK_AGAIN).await;
        waited += LOOK_AGAIN;
    }
    // One that is just being started is not seen yet by the look before it.
    while waited < Duration::from_millis(2 * STEP_STOP_GRACE_MS) {
        let rest = of(attempt);
        if rest.is_empty() {
            break;
        }
        tell(&rest, Signal::SIGKILL);
        sleep(LOOK_AGAIN).await;
        waited += LOOK_AGAIN;
    }
    tracing::warn!(attempt, count = found.len(), "ended what an attempt had left behind");
    found.len()
}

/// The processes of an attempt that run now.
fn of(attempt: &str) -> Vec<Pid> {
    // An attempt without a name is nobody's.
    if attempt.is_empty() {
        return Vec::new();
    }
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let (ours, wanted) = (Uid::effective().as_raw(), format!("{MARK}={attempt}"));
    let of_it = entries.filter_map(Result::ok).filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse::<i32>().ok()?;
        let is_ours = entry.metadata().ok()?.uid() == ours;
        (is_ours && has(&entry.path(), OsStr::new(&wanted))).then(|| Pid::from_raw(pid))
    });
    of_it.filter(|pid| *pid != Pid::this()).collect()
}

/// True where the process's environment holds the variable. One that has ended has none any more.
fn has(process: &Path, variable: &OsStr) -> bool {
    let environment = std::fs::read(process.join("environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes())
}

fn tell(processes: &[Pid], signal: Signal) {
    for process in processes {
        if let Err(error) = kill(*process, signal) {
            // It ended by itself in between: that is what was wanted.
            tracing::debug!(%error, %process, "no process to signal");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[tokio::test]
    async fn all_that_an_attempt_started_is_ended_and_nothing_else() {
        let name = format!("left-over-test-{}", std::process::id());
        let start =
            |attempt: &str, script: &str| Command::new("sh").args(["-c", script]).env(MARK, attempt).spawn().unwrap();
        // One that ends when it is asked to, one that does not, and one that has left its parent and its session.
        let mut plain = start(&name, "exec sleep 600");
        let mut deaf = start(&name, "trap '' TERM; while :; do sleep 600; done");
        let mut parted = start(&name, "setsid sleep 600 & exit 0");
        let mut other = start(&format!("{name}0"), "exec sleep 600");
        parted.wait().unwrap();
        // A shell needs a moment until it has started what it starts.
        let begun = std::time::Instant::now();
        while of(&name).len() < 4 && begun.elapsed() < Duration::from_secs(20) {
            sleep(LOOK_AGAIN).await;
        }
        assert!(end(&name).await >= 4);
        assert!(!plain.wait().unwrap().success());
        assert!(!deaf.wait().unwrap().success());
        assert_eq!((of(&name).len(), end(&name).await), (0, 0));
        assert_eq!(other.try_wait().unwrap(), None, "another attempt's is left alone");
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(end("").await, 0);
    }
}
