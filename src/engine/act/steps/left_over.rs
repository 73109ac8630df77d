//! Processes that outlived the program which started them. Each attempt's processes carry its identity in their environment,
//! and so do all that they start, however they part from them: by it they are found again, and ended.
//!
//! While a process becomes another program (`exec`) its environment reads empty, or breaks off, for as long as the system
//! takes to lay the new one out, milliseconds where the program comes from a disk: whoever looks just then has to look again.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use tokio::time::sleep;

use crate::engine::limits::STEP_STOP_GRACE_MS;

/// The variable that holds the identity of the attempt.
pub(super) const MARK: &str = "HYPO_ATTEMPT";
/// Between two looks at whether they have ended.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Between two looks at a process that is becoming another program, and how many there are at most.
const BECOMING: (Duration, usize) = (Duration::from_millis(1), 500);

/// Ends what still runs of an attempt, with a request first; returns when it is gone, and gives how many there were.
///
/// Processes of other users, which cannot be looked into, are left alone. Where there is no `/proc` none is found.
pub async fn end(attempt: &str) -> usize {
    let found = of(attempt).await;
    if found.is_empty() {
        return 0;
    }
    tell(&found, Signal::SIGTERM);
    // A look takes its time, too, where some process becomes another program for long.
    let asked_at = Instant::now();
    while asked_at.elapsed() < Duration::from_millis(STEP_STOP_GRACE_MS) && !of(attempt).await.is_empty() {
        sleep(LOOK_AGAIN).await;
    }
    // One that is just being started is not seen yet by the look before it.
    while asked_at.elapsed() < Duration::from_millis(2 * STEP_STOP_GRACE_MS) {
        let rest = of(attempt).await;
        if rest.is_empty() {
            break;
        }
        tell(&rest, Signal::SIGKILL);
        sleep(LOOK_AGAIN).await;
    }
    tracing::warn!(attempt, count = found.len(), "ended what an attempt had left behind");
    found.len()
}

/// The processes of an attempt that run now.
async fn of(attempt: &str) -> Vec<Pid> {
    // An attempt without a name is nobody's.
    if attempt.is_empty() {
        return Vec::new();
    }
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let (ours, wanted) = (Uid::effective().as_raw(), format!("{MARK}={attempt}"));
    let of_ours = entries.filter_map(Result::ok).filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse::<i32>().ok()?;
        let is_ours = entry.metadata().ok()?.uid() == ours;
        (is_ours && Pid::from_raw(pid) != Pid::this()).then(|| (Pid::from_raw(pid), entry.path()))
    });
    let (mut found, mut unknown): (Vec<Pid>, Vec<_>) = (Vec::new(), of_ours.collect());
    let (pause, looks) = BECOMING;
    for look in 0..looks {
        if look > 0 {
            sleep(pause).await;
        }
        unknown.retain(|(pid, process)| match holds(process, OsStr::new(&wanted)) {
            Some(true) => {
                found.push(*pid);
                false
            }
            Some(false) => false,
            None => true,
        });
        if unknown.is_empty() {
            break;
        }
    }
    found
}

/// True where the process's environment holds the variable, `None` where it could not be read as a whole because the process
/// is becoming another program. One that has ended has none any more, and one that cannot be looked into is not ours to end.
fn holds(process: &Path, variable: &OsStr) -> Option<bool> {
    let Ok(environment) = std::fs::read(process.join("environ")) else { return Some(false) };
    if environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes()) {
        return Some(true);
    }
    // A process that ended and a thread of the kernel run no program.
    if std::fs::read_link(process.join("exe")).is_err() {
        return Some(false);
    }
    (length_of_environment(process) == Some(environment.len())).then_some(false)
}

/// How many bytes the process's environment has, `None` as long as it is not laid out: fields 50 and 51 of `/proc/PID/stat`
/// (proc(5)) say where it begins and ends. They are alike while it is being written, as they are for a process without any;
/// where the program's code begins, field 26, is said only after.
fn length_of_environment(process: &Path) -> Option<usize> {
    let stat = std::fs::read_to_string(process.join("stat")).ok()?;
    // The program's name, in parentheses, may hold spaces and parentheses; the third field follows the last of them.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    let place = |field: usize| fields.get(field - 3)?.parse::<usize>().ok();
    let (code, begin, end) = (place(26)?, place(50)?, place(51)?);
    (code != 0).then(|| end.checked_sub(begin)).flatten()
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
        let begun = Instant::now();
        while of(&name).await.len() < 4 && begun.elapsed() < Duration::from_secs(20) {
            sleep(LOOK_AGAIN).await;
        }
        assert!(end(&name).await >= 4);
        assert!(!plain.wait().unwrap().success());
        assert!(!deaf.wait().unwrap().success());
        assert_eq!((of(&name).await.len(), end(&name).await), (0, 0));
        assert_eq!(other.try_wait().unwrap(), None, "another attempt's is left alone");
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(end("").await, 0);
    }

    #[tokio::test]
    async fn a_process_that_is_becoming_another_program_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("again.sh");
        std::fs::write(&script, "exec sh \"$0\"\n").unwrap();
        let name = format!("left-over-again-{}", std::process::id());
        // It never is anything for long; beside it stands one without any variables, which nothing is to wait for.
        let mut again = Command::new("sh").arg(&script).env(MARK, &name).spawn().unwrap();
        let mut bare = Command::new("sleep").arg("600").env_clear().spawn().unwrap();
        let mut missed = 0;
        for _ in 0..500 {
            missed += usize::from(of(&name).await.len() != 1);
        }
        let bare_place = format!("/proc/{}", bare.id());
        assert_eq!((missed, holds(Path::new(&bare_place), OsStr::new("A=b"))), (0, Some(false)));
        assert_eq!(end(&name).await, 1);
        assert!(!again.wait().unwrap().success());
        bare.kill().unwrap();
        bare.wait().unwrap();
    }
}
