//! What an engine lets go of that a console started: the terminal, the folder and the open files of whoever sat there.
//!
//! The mask of new files and the limits of resources stay as they were: commands of steps take them over.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use nix::unistd::{chdir, close, dup2_stderr, setsid};

/// Standard input, output and error.
const STANDARD: std::ops::RangeInclusive<i32> = 0..=2;

/// Leaves the session of the terminal, its folder, and every file that was open in it. To be called before anything is opened.
///
/// # Errors
/// When the system refuses a folder or a session of its own.
pub(super) fn detach() -> io::Result<()> {
    let names: Vec<_> = std::fs::read_dir("/proc/self/fd")?.flatten().map(|entry| entry.file_name()).collect();
    let numbers = names.iter().filter_map(|name| name.to_str()?.parse::<i32>().ok());
    for number in numbers.filter(|number| !STANDARD.contains(number)) {
        // The one by which the list was read is closed already.
        let _closed = close(number);
    }
    // Whoever leads a group of processes already cannot; that is somebody who started it by hand.
    let _leader = setsid();
    Ok(chdir("/")?)
}

/// From here on what would be said to standard error is kept in the log, or nowhere where there is none: whoever started this has
/// read enough.
///
/// # Errors
/// When the log cannot be opened.
pub(super) fn speak_to_the_log(path: Option<&Path>) -> io::Result<()> {
    let log = OpenOptions::new().append(true).open(path.unwrap_or(Path::new("/dev/null")))?;
    Ok(dup2_stderr(log)?)
}
