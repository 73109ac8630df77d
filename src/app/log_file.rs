//! Where diagnostics go while the screen is ours: a file in the state directory, never the terminal.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

/// The file's name within the state directory.
pub const LOG_FILE: &str = "hypo.log";
/// A log of this size is set aside as `hypo.log.old`, in place of the one before.
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
    let log = Log::open(state_dir, &path).map_err(|problem| LogError { path: path.clone(), problem })?;
    write_to(log, filter);
    Ok(path)
}

/// Sends diagnostics to the log of an engine in another process, which alone sets long ones aside. There is none where this user
/// has no log of an engine.
pub fn join(state_dir: &Path, filter: Option<&str>) {
    if let Ok(file) = OpenOptions::new().append(true).open(state_dir.join(LOG_FILE)) {
        write_to(file, filter);
    }
}

/// Sends diagnostics to standard error, for want of a folder that a log could be in.
pub fn aloud(filter: Option<&str>) {
    write_to(io::stderr(), filter);
}

fn write_to(out: impl io::Write + Send + 'static, filter: Option<&str>) {
    let filter = filter.and_then(|text| EnvFilter::try_new(text).ok()).unwrap_or_else(|| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        // To standard error: that is the terminal, or this very log, and what cannot be printed there is a panic.
        .log_internal_errors(false)
        .with_writer(Mutex::new(Forgiving { out, lost_count: 0 }))
        .finish();
    // A second start in one process keeps the first log.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Nobody who notes something fails for want of a log. What was lost is counted, and told with the first line that can be written.
struct Forgiving<W> {
    out: W,
    lost_count: u64,
}

impl<W: io::Write> io::Write for Forgiving<W> {
    /// Takes one event, whole.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        if self.lost_count > 0 {
            let told = format!("\n{} events could not be written here\n", self.lost_count);
            if self.out.write_all(told.as_bytes()).is_ok() {
                self.lost_count = 0;
            }
        }
        if self.out.write_all(event).is_err() {
            self.lost_count += 1;
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // Its errors are those of the next event.
        let _flushed = self.out.flush();
        Ok(())
    }
}

/// The log of an engine that may be there for months.
struct Log {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl Log {
    fn open(state_dir: &Path, path: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(state_dir)?;
        let file = open(path)?;
        let bytes = file.metadata()?.len();
        let mut log = Self { path: path.to_path_buf(), file, bytes };
        log.set_aside_if_long()?;
        Ok(log)
    }

    fn set_aside_if_long(&mut self) -> io::Result<()> {
        if self.bytes >= LOG_BYTES_MAX {
            // Whatever comes of it, the next try is a whole log later.
            self.bytes = 0;
            fs::rename(&self.path, self.path.with_extension("log.old"))?;
            self.file = open(&self.path)?;
        }
        Ok(())
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // One that cannot be set aside grows on.
        let _aside = self.set_aside_if_long();
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_its_owner_reads_the_log_and_a_long_one_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let state_dir = folder.path().join("state");
        let path = state_dir.join(LOG_FILE);
        let mut log = Log::open(&state_dir, &path).unwrap();
        assert_eq!(fs::metadata(&state_dir).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let block = vec![b'x'; 1 << 20];
        for _ in 0..LOG_BYTES_MAX >> 20 {
            log.write_all(&block).unwrap();
        }
        log.write_all(b"the first of the next").unwrap();
        let length = |name: &str| fs::metadata(state_dir.join(name)).unwrap().len();
        assert_eq!((length("hypo.log.old"), length(LOG_FILE)), (LOG_BYTES_MAX, 21));
        File::options().write(true).open(&path).unwrap().set_len(LOG_BYTES_MAX).unwrap();
        drop(Log::open(&state_dir, &path).unwrap());
        assert_eq!(length(LOG_FILE), 0, "likewise at a start");
    }

    #[test]
    fn who_notes_something_on_a_full_disk_goes_on_and_what_was_lost_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let full = OpenOptions::new().append(true).open("/dev/full").unwrap();
        assert_eq!((&full).write(b"one\n").unwrap_err().kind(), io::ErrorKind::StorageFull);
        let mut log = Forgiving { out: full, lost_count: 0 };
        for event in [b"one\n", b"two\n"] {
            log.write_all(event).unwrap();
            log.flush().unwrap();
        }
        log.out = open(&folder.path().join(LOG_FILE)).unwrap();
        log.write_all(b"three\n").unwrap();
        log.write_all(b"four\n").unwrap();
        let text = fs::read_to_string(folder.path().join(LOG_FILE)).unwrap();
        assert_eq!(text, "\n2 events could not be written here\nthree\nfour\n");
    }

    #[test]
    fn a_log_that_cannot_be_written_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let problem = start(&folder.path().join("file"), None).unwrap_err().to_string();
        assert!(problem.contains("hypo.log") && problem.contains("--state-dir"), "{problem}");
    }
}
