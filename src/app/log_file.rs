//! Where diagnostics go while the screen is ours: a file in the state directory, never the terminal.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

/// The file's name within the state directory.
pub const LOG_FILE: &str = "hypo.log";
/// A log of this size is set aside as `hypo.log.old` at the next start, in place of the one before.
const LOG_BYTES_MAX: u64 = 8 * 1_024 * 1_024;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the log {path}: {problem}; make the directory writable or choose another with --state-dir")]
pub struct LogError {
    path: PathBuf,
    problem: io::Error,
}

/// Sends diagnostics to the log in `state_dir`, which is made (0700) where it is missing. `filter` is in the form of
/// `info,hypocenter=debug`; `info` where it is absent or cannot be read. Does nothing where a log was started before.
///
/// # Errors
/// When the file cannot be opened.
pub fn start(state_dir: &Path, filter: Option<&str>) -> Result<PathBuf, LogError> {
    let path = state_dir.join(LOG_FILE);
    let file = open(state_dir, &path).map_err(|problem| LogError { path: path.clone(), problem })?;
    write_to(file, filter);
    Ok(path)
}

/// Sends diagnostics to the log of an engine in another process, which alone sets long ones aside. There is none where this user
/// has no log of an engine.
pub fn join(state_dir: &Path, filter: Option<&str>) {
    if let Ok(file) = OpenOptions::new().append(true).open(state_dir.join(LOG_FILE)) {
        write_to(file, filter);
    }
}

fn write_to(file: File, filter: Option<&str>) {
    let filter = filter.and_then(|text| EnvFilter::try_new(text).ok()).unwrap_or_else(|| EnvFilter::new("info"));
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(Mutex::new(file)).finish();
    // A second start in one process keeps the first log.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

fn open(state_dir: &Path, path: &Path) -> io::Result<File> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(state_dir)?;
    if fs::metadata(path).is_ok_and(|found| found.len() >= LOG_BYTES_MAX) {
        fs::rename(path, path.with_extension("log.old"))?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_its_owner_reads_the_log_and_a_long_one_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let state_dir = folder.path().join("state");
        let path = state_dir.join(LOG_FILE);
        let file = open(&state_dir, &path).unwrap();
        assert_eq!(fs::metadata(&state_dir).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        file.set_len(LOG_BYTES_MAX).unwrap();
        assert_eq!(open(&state_dir, &path).unwrap().metadata().unwrap().len(), 0);
        assert!(state_dir.join("hypo.log.old").exists());
    }

    #[test]
    fn a_log_that_cannot_be_written_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let problem = start(&folder.path().join("file"), None).unwrap_err().to_string();
        assert!(problem.contains("hypo.log") && problem.contains("--state-dir"), "{problem}");
    }
}
