//! The audit log's open file beside sled's: appended to before sled is written, signed after both are on disk, and sealed once it
//! is large, so that an opening reads little however long the log is.
//!
//! So what is acknowledged is in both; of what was not, the log may hold more than sled does, see `audit_opening`.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use super::audit_check::{check, head, read};
use super::audit_going::Going;
use super::audit_segments::{FOLDER, Segments};
use super::set_aside::bytes_below;
use crate::engine::audit::chain;
use crate::engine::audit::head::{End, SigningKey};
use crate::engine::audit::letting_go;
use crate::engine::clock::Timestamp;
use crate::engine::durable_file::{self, private};
use crate::engine::model::AuditEntry;

/// The log's open file in the store's folder.
pub const LOG_FILE: &str = "audit.jsonl";
/// The signed end's.
pub const HEAD_FILE: &str = "audit.head";
/// The signing key's.
pub const KEY_FILE: &str = "audit.key";
/// What the open file is called until the one before it is sealed.
const NEXT_FILE: &str = "audit.next";
/// From this length on the open file is sealed. It is what an opening reads at most.
pub(super) const SEAL_BYTES: u64 = 16 << 20;

/// The open log.
pub(super) struct AuditFile {
    pub(super) folder: PathBuf,
    pub(super) file: File,
    pub(super) segments: Segments,
    /// The open file begins with the entry of this number.
    pub(super) first: u64,
    /// From this length on it is sealed.
    pub(super) seal_bytes: u64,
    pub(super) key: SigningKey,
    pub(super) end: End,
    /// Last entry that the head on disk covers; 0 from an opening to the first signature.
    pub(super) signed: u64,
    pub(super) has_failed: bool,
    pub(super) cut_off: Option<CutOff>,
    pub(super) going: Option<Going>,
}

/// A log that ended before its signed end.
pub(super) struct CutOff {
    /// The last entry that was there.
    pub(super) after: u64,
    /// The signed end.
    pub(super) awaited: End,
    /// What was appended since goes through it.
    pub(super) is_proved: bool,
    /// Where it is as it was found, in words.
    pub(super) copy: String,
}

impl AuditFile {
    /// What is to be told of a log that ended before its signed end, once what the store has of it was appended anew.
    pub(super) fn take_cut_off(&mut self) -> Option<String> {
        let CutOff { after, awaited, is_proved, copy } = self.cut_off.take()?;
        let gone = format!("the audit log was cut off: entries {} to {} were gone", after + 1, awaited.sequence);
        Some(match is_proved {
            true => format!("{gone}; they are written anew from the store, and are those that were signed{copy}"),
            false => format!("{gone}, and what the store has of them is not what was signed{copy}"),
        })
    }

    /// Appends entries; those that are there already are passed over. None is there where it fails.
    pub(super) fn append(&mut self, entries: &[&AuditEntry]) -> io::Result<()> {
        if self.has_failed {
            return Err(io::Error::other(
                "an earlier write to the audit log failed; restart hypo to see what is on disk",
            ));
        }
        let (mut text, mut end) = (String::new(), self.end.clone());
        for entry in entries.iter().filter(|entry| entry.sequence > self.end.sequence) {
            let (line, hash) = chain::line(entry, &end.hash).map_err(io::Error::other)?;
            text.push_str(&line);
            text.push('\n');
            if let Some(cut_off) = &mut self.cut_off
                && cut_off.awaited.sequence == entry.sequence
            {
                cut_off.is_proved = cut_off.awaited.hash == hash;
            }
            let bytes = self.end.bytes + text.len() as u64;
            end = End { sequence: entry.sequence, hash, bytes, at: entry.at };
        }
        if let Err(problem) = self.file.write_all(text.as_bytes()) {
            // Half a line would be taken for a crash's; where even that cannot be taken back, nothing more is written.
            self.has_failed = self.file.set_len(self.end.bytes).is_err();
            return Err(problem);
        }
        self.end = end;
        if let Some(going) = &mut self.going {
            going.is_told |= entries.iter().any(|entry| letting_go::is_told_by(entry, &going.end));
        }
        Ok(())
    }

    /// Waits until everything appended is on disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        let outcome = if self.signed == self.end.sequence { Ok(()) } else { durable_file::wait_for_bytes(&self.file) };
        self.has_failed |= outcome.is_err();
        outcome
    }

    /// Signs the end, where it has moved. The head is replaced as a whole. What is large then is sealed, and what the log says is to
    /// go goes.
    pub(super) fn sign(&mut self) -> io::Result<()> {
        if self.signed == self.end.sequence {
            return Ok(());
        }
        // What an opening found may be in the system's memory alone until `Store::renew` has written it anew.
        let is_as_found = self.signed == 0;
        self.sign_anew()?;
        if !is_as_found && self.end.bytes >= self.seal_bytes {
            self.seal()?;
        }
        self.let_go();
        Ok(())
    }

    pub(super) fn sign_anew(&mut self) -> io::Result<()> {
        let text = self.key.sign(self.end.clone()).text().map_err(io::Error::other)?;
        durable_file::replace(&self.folder.join(HEAD_FILE), text.as_bytes())?;
        self.signed = self.end.sequence;
        Ok(())
    }

    /// Gives the open file the name of a sealed one, and begins another. All of it is on disk, and its end signed.
    fn seal(&mut self) -> io::Result<()> {
        let (log, next) = (self.folder.join(LOG_FILE), self.folder.join(NEXT_FILE));
        let head = self.key.sign(self.end.clone());
        // The next one is there before anything is given up. One that an earlier try left is empty.
        let begun = private().read(true).append(true).create(true).open(&next);
        let sealed = begun.and_then(|file| self.segments.seal(&log, self.first, &head).map(|()| file));
        let file = match sealed {
            Ok(file) => file,
            Err(problem) => {
                // It stays the open one, and it is tried again after the next write.
                tracing::warn!("the audit log goes on in a file that is large: {problem}");
                return Ok(());
            }
        };
        // What is appended from here on is in the new file or nowhere.
        self.file = file;
        let named = std::fs::rename(&next, &log).and_then(|()| self.segments.sync());
        self.has_failed |= named.is_err();
        named?;
        (self.first, self.end.bytes) = (self.end.sequence + 1, 0);
        Ok(())
    }

    /// When the last entry was written.
    pub(super) fn last_at(&self) -> Timestamp {
        self.end.at
    }

    /// Number of the last entry.
    pub(super) fn last(&self) -> u64 {
        self.end.sequence
    }
}

/// Bytes of all of the log in `folder`.
pub(super) fn bytes(folder: &Path) -> io::Result<u64> {
    Ok(bytes_below(&folder.join(LOG_FILE))? + bytes_below(&folder.join(FOLDER))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::AuditKind;

    #[test]
    fn what_the_log_does_not_take_is_an_error_and_its_end_stays_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = AuditFile::open(folder.path(), None, 0).unwrap().log;
        log.file = File::options().write(true).open("/dev/full").unwrap();
        let entry = AuditEntry {
            sequence: 1,
            at: Timestamp(0),
            kind: AuditKind::Intent,
            by: "ana".into(),
            incident: None,
            run: None,
            text: "$ restart".into(),
        };
        assert_eq!(log.append(&[&entry]).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(log.last(), 0);
    }
}
