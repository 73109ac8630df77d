//! The kernel's own log, where this user may read it: `/dev/kmsg`. Source of the format: `Documentation/ABI/testing/dev-kmsg` of Linux.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc::{EPIPE, O_NONBLOCK};

use crate::engine::clock::Timestamp;
use crate::engine::ingest::normalize;
use crate::engine::limits::LOG_LINE_BYTES_MAX;
use crate::engine::model::{LogLevel, LogLine, ServiceName, SourceName};

/// Records taken in one reading; the rest is taken in the next one.
const RECORDS_MAX: usize = 1_000;

/// The open log, or none.
#[derive(Debug)]
pub struct KernelLog {
    file: Option<File>,
}

impl KernelLog {
    /// Opens it behind the last record that is there: what was said before is not news.
    #[must_use]
    pub fn open(path: &Path) -> Self {
        let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path);
        let at_end = file.and_then(|mut file| file.seek(SeekFrom::End(0)).map(|_| file));
        Self { file: at_end.ok() }
    }

    /// What the kernel has said since. Records carry the time since the machine's start, which stands still in sleep; they are read within a
    /// reading's interval, so `now` is nearer to the truth.
    pub fn read(&mut self, source: &SourceName, service: &ServiceName, now: Timestamp) -> Vec<LogLine> {
        let mut lines = Vec::new();
        let Some(file) = &mut self.file else { return lines };
        let mut record = [0; 8_192];
        for _ in 0..RECORDS_MAX {
            match file.read(&mut record) {
                Ok(0) => break,
                Ok(length) => {
                    if let Some((level, message)) = read_record(record.get(..length).unwrap_or_default()) {
                        let message = normalize::sanitize_bytes(message, LOG_LINE_BYTES_MAX);
                        lines.push(LogLine {
                            source: source.clone(),
                            service: service.clone(),
                            at: now,
                            level,
                            message,
                        });
                    }
                }
                // Records were overwritten before they were read; the next read gives the oldest one left.
                Err(problem) if problem.raw_os_error() == Some(EPIPE) => {}
                Err(problem) if problem.kind() == ErrorKind::Interrupted => {}
                Err(problem) if problem.kind() == ErrorKind::WouldBlock => break,
                Err(problem) => {
                    tracing::warn!(%problem, "the kernel's log can no longer be read");
                    self.file = None;
                    break;
                }
            }
        }
        lines
    }
}

/// `priority,sequence,microseconds,flags;message`, then lines of context that begin with a space. What programs write into the kernel's log
/// (any facility but its own) is left out: it is in their logs as well.
fn read_record(record: &[u8]) -> Option<(LogLevel, &[u8])> {
    let split = record.iter().position(|byte| *byte == b';')?;
    let (head, rest) = record.split_at(split);
    let priority: u32 = std::str::from_utf8(head).ok()?.split(',').next()?.parse().ok()?;
    if priority >> 3 != 0 {
        return None;
    }
    let level = match priority & 7 {
        0..=2 => LogLevel::Fatal,
        3 => LogLevel::Error,
        4 => LogLevel::Warn,
        7 => LogLevel::Debug,
        _ => LogLevel::Info,
    };
    let message = rest.get(1..)?.split(|byte| *byte == b'\n').next()?;
    Some((level, message))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_are_read_with_their_level() {
        for (record, wanted) in [
            ("4,1,5,-;EXT4-fs warning\n SUBSYSTEM=x\n", Some((LogLevel::Warn, "EXT4-fs warning"))),
            (
                "3,2,5,-;Out of memory: Killed process 7 (java)\n",
                Some((LogLevel::Error, "Out of memory: Killed process 7 (java)")),
            ),
            ("0,2,5,-;panic; really\n", Some((LogLevel::Fatal, "panic; really"))),
            ("6,2,5,c;up", Some((LogLevel::Info, "up"))),
            ("30,2,5,-;systemd[1]: started\n", None),
            ("no record", None),
            ("x,1;y", None),
        ] {
            let wanted = wanted.map(|(level, message)| (level, message.as_bytes()));
            assert_eq!(read_record(record.as_bytes()), wanted, "{record}");
        }
    }

    #[test]
    fn a_log_that_may_not_be_read_is_left_out() {
        let mut log = KernelLog::open(Path::new("/nowhere/kmsg"));
        assert!(log.read(&"host".into(), &"here".into(), Timestamp(0)).is_empty());
    }

    #[test]
    fn what_was_said_before_is_not_news() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kmsg");
        std::fs::write(&path, "4,1,5,-;old\n").unwrap();
        let mut log = KernelLog::open(&path);
        assert!(log.read(&"host".into(), &"here".into(), Timestamp(0)).is_empty());
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        std::io::Write::write_all(&mut file, b"3,2,6,-;I/O error \x1b[1m\n").unwrap();
        let lines = log.read(&"host".into(), &"here".into(), Timestamp(9));
        assert_eq!(lines.iter().map(|line| line.message.as_ref()).collect::<Vec<_>>(), ["I/O error ␛[1m"]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_left_out(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _any = read_record(&bytes);
        }
    }
}
