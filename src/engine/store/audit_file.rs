//! The audit log's open file beside sled's: appended to before sled is written, signed after both are on disk, and sealed once it
//! is large, so that an opening reads little however long the log is.
//!
//! So what is acknowledged is in both; of what was not, the log may hold more than sled does, and sled takes it from there
//! when the store is opened.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

pub use super::audit_check::{anchor, check, head, read};
use super::audit_going::Going;
use super::audit_key::signing_key;
use super::audit_segments::{FOLDER, Segments};
use super::set_aside::{self, Room, bytes_below};
use crate::engine::audit::chain::{self, Link};
use crate::engine::audit::head::{End, SigningKey};
use crate::engine::audit::letting_go;
use crate::engine::audit::verify::{Finding, FindingKind, Point, Reading, Start};
use crate::engine::clock::Timestamp;
use crate::engine::durable_file::{self, private};
use crate::engine::model::AuditEntry;

/// The log's open file in the store's folder.
pub const LOG_FILE: &str = "audit.jsonl";
/// The signed end's.
pub const HEAD_FILE: &str = "audit.head";
/// The signing key's.
pub const KEY_FILE: &str = "audit.key";
/// Bytes of a log's end by which it is known; a hash over all before it is among them.
const END_BYTES: u64 = 512;
/// From this length on the open file is sealed. It is what an opening reads at most.
const SEAL_BYTES: u64 = 16 << 20;
/// Entries that sled takes back at most; the log has the others.
const NEWER_MAX: usize = 50_000;

/// The open log.
pub(super) struct AuditFile {
    folder: PathBuf,
    file: File,
    pub(super) segments: Segments,
    /// The open file begins with the entry of this number.
    first: u64,
    /// From this length on it is sealed.
    pub(super) seal_bytes: u64,
    pub(super) key: SigningKey,
    pub(super) end: End,
    /// Last entry that the head on disk covers.
    signed: u64,
    has_failed: bool,
    cut_off: Option<CutOff>,
    pub(super) going: Option<Going>,
}

/// A log that ended before its signed end.
struct CutOff {
    /// The last entry that was there.
    after: u64,
    /// The signed end.
    awaited: End,
    /// What was appended since goes through it.
    is_proved: bool,
    /// Where it is as it was found, in words.
    copy: String,
}

/// The highest numbers that entries speak of.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Highest {
    /// Of an incident.
    pub(super) incident: u64,
    /// Of a run.
    pub(super) run: u64,
}

impl Highest {
    fn take(&mut self, entry: &AuditEntry) {
        self.incident = self.incident.max(entry.incident.map_or(0, |id| id.0));
        self.run = self.run.max(entry.run.map_or(0, |id| id.0));
    }
}

/// A log as it was found.
pub(super) struct Opened {
    pub(super) log: AuditFile,
    /// Acknowledged entries that sled has not, the newest where there are too many.
    pub(super) newer: Vec<AuditEntry>,
    /// What its entries speak of.
    pub(super) highest: Highest,
    /// What a person should know.
    pub(super) notices: Vec<String>,
}

/// What an opening takes from the log.
struct Taking<'a> {
    /// Entries up to this one stay.
    keep: u64,
    /// The last that sled has.
    known: Option<&'a AuditEntry>,
    newer: VecDeque<AuditEntry>,
    highest: Highest,
    /// An entry that sled has otherwise.
    differs: Option<u64>,
    /// The last that stays, with the length of its file up to it.
    end: End,
}

impl Taking<'_> {
    fn take(&mut self, link: &Link, bytes: u64) {
        let entry = &link.entry;
        if entry.sequence <= self.keep {
            self.end = End { sequence: entry.sequence, hash: link.hash.clone(), bytes, at: entry.at };
            self.highest.take(entry);
            if entry.sequence > self.known.map_or(0, |known| known.sequence) {
                self.newer.push_back(entry.clone());
            }
            if self.newer.len() > NEWER_MAX {
                self.newer.pop_front();
            }
        }
        if self.known.is_some_and(|known| known.sequence == entry.sequence && known != entry) {
            self.differs = Some(entry.sequence);
        }
    }
}

impl AuditFile {
    /// Opens the log in the store's folder, making it where there is none. `known` is the last entry that sled has,
    /// `acknowledged` the last one that anybody was told of. Of what is sealed only that is read which sled has not.
    ///
    /// What a crash kept from being acknowledged is taken away, be it whole or cut off within: nothing came of it, and the
    /// rest of its write is not there either. That is told from the end that was signed here last; where there is none, whole
    /// lines are never taken away. A log that is not whole otherwise, or is not the one whose end was signed here, is kept as it was
    /// found, and appended to: the gap stays for all to see.
    pub(super) fn open(folder: &Path, known: Option<&AuditEntry>, acknowledged: u64) -> io::Result<Opened> {
        let mut notices = Vec::new();
        let (key, is_new_key) = signing_key(folder, &mut notices)?;
        let head = head(folder);
        let ours = head.as_ref().ok().and_then(Option::as_ref).filter(|head| head.key == key.public());
        let mut segments = Segments::list(folder)?;
        if matches!(&segments.anchor, Ok(Some(anchor)) if anchor.key == key.public()) {
            segments.remove_left()?;
        }
        let last_known = known.map_or(0, |entry| entry.sequence);
        let kept = last_known.max(acknowledged).max(segments.last());
        let keep = ours.map_or(u64::MAX, |head| kept.max(head.end.sequence));
        let points: Vec<Point> = ours.map(Point::end).into_iter().collect();
        let (sealed, after) = segments.from(last_known);
        let mut reading = Reading::new(&Start::after(&after), &points);
        let (newer, highest) = (VecDeque::new(), Highest::default());
        let mut taking = Taking { keep, known, newer, highest, differs: None, end: after };
        for one in sealed {
            let mut file = BufReader::with_capacity(1 << 16, File::open(one.log())?);
            reading.read(Some(&one.name()), &mut file, &mut |link, bytes| taking.take(link, bytes))?;
            let head = one.head();
            reading.seal(&head);
            if let Ok(head) = head {
                taking.end = head.end;
            }
        }
        taking.end.bytes = 0;
        let first = reading.last() + 1;
        let file = private().read(true).append(true).create(true).open(folder.join(LOG_FILE))?;
        let mut from = BufReader::with_capacity(1 << 16, &file);
        reading.read(None, &mut from, &mut |link, bytes| taking.take(link, bytes))?;
        let verdict = reading.end();
        let Taking { newer, highest, differs, mut end, .. } = taking;
        let is_empty = verdict.bytes == 0 && segments.sealed.is_empty();
        let is_short = |finding: &Finding| {
            finding.file.is_none() && matches!(finding.kind, FindingKind::Torn | FindingKind::CutOff)
        };
        let is_cut_off = verdict.findings.iter().any(|finding| finding.kind == FindingKind::CutOff);
        let doubt = match (verdict.findings.iter().find(|finding| !is_short(finding)), differs, &head) {
            (Some(finding), _, _) => Some(finding.text.clone()),
            (None, Some(sequence), _) => Some(format!("entry {sequence} is another than the store has")),
            (None, None, Err(problem)) => Some(format!("{HEAD_FILE}: {problem}")),
            // The end of an empty log is signed before anything is written to it.
            (None, None, Ok(None)) if !is_empty => {
                Some(format!("{HEAD_FILE} is missing, so it is not proved that this is all of it"))
            }
            (None, None, Ok(Some(_))) if ours.is_none() && !is_new_key => {
                Some(format!("{HEAD_FILE} was signed by another key than {KEY_FILE}"))
            }
            _ => segments.anchor.as_ref().err().cloned(),
        };
        let copy = match doubt.is_some() || is_cut_off {
            true => keep_copy(folder),
            false => String::new(),
        };
        if verdict.findings.iter().all(is_short) {
            file.set_len(end.bytes)?;
        } else {
            // What stays to be seen ends with a line: half of one would swallow the next.
            file.set_len(verdict.line_bytes)?;
            end = End { sequence: verdict.last, hash: verdict.last_hash, bytes: verdict.line_bytes, at: end.at };
        }
        if let Some(what) = doubt {
            notices.push(format!("the audit log is not whole: {what}; `hypo audit verify` shows all{copy}"));
        }
        let awaited = ours.filter(|head| head.end.sequence > end.sequence).map(|head| head.end.clone());
        let cut_off = awaited.map(|awaited| CutOff { after: end.sequence, awaited, is_proved: false, copy });
        let mut log = Self {
            folder: folder.to_path_buf(),
            file,
            segments,
            first,
            seal_bytes: SEAL_BYTES,
            key,
            end,
            signed: 0,
            has_failed: false,
            cut_off,
            going: None,
        };
        if ours.is_none() && is_empty {
            log.sign_anew()?;
        }
        Ok(Opened { log, newer: newer.into(), highest, notices })
    }

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
            end = End { sequence: entry.sequence, hash, bytes, at: end.at.max(entry.at) };
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
        self.sign_anew()?;
        if self.end.bytes >= self.seal_bytes {
            self.seal()?;
        }
        self.let_go();
        Ok(())
    }

    fn sign_anew(&mut self) -> io::Result<()> {
        let text = self.key.sign(self.end.clone()).text().map_err(io::Error::other)?;
        durable_file::replace(&self.folder.join(HEAD_FILE), text.as_bytes())?;
        self.signed = self.end.sequence;
        Ok(())
    }

    /// Gives the open file the name of a sealed one, and begins another. All of it is on disk, and its end signed.
    fn seal(&mut self) -> io::Result<()> {
        let log = self.folder.join(LOG_FILE);
        if let Err(problem) = self.segments.seal(&log, self.first, &self.key.sign(self.end.clone())) {
            // It stays the open one, and it is tried again after the next write.
            tracing::warn!("the audit log goes on in a file that is large: {problem}");
            return Ok(());
        }
        // What is appended from here on is in the new file or nowhere.
        let begun = self.segments.sync().and_then(|()| {
            let file = private().read(true).append(true).create_new(true).open(&log)?;
            durable_file::wait_for_names(&self.folder).map(|()| file)
        });
        self.has_failed |= begun.is_err();
        self.file = begun?;
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

/// Keeps the log and its head as they are, unless the newest copy is the same, and says where; a log that stays as it is would
/// else drive the others out, start by start. Where there is no room for a copy, the store is opened all the same.
fn keep_copy(folder: &Path) -> String {
    let kept = match set_aside::newest(folder) {
        Ok(Some(newest)) if is_same(&folder.join(LOG_FILE), &newest.join(LOG_FILE)).unwrap_or(false) => {
            Ok(Some(newest))
        }
        Ok(_) => set_aside::copy(folder, &[LOG_FILE, HEAD_FILE], Room::Bounded),
        Err(problem) => Err(problem),
    };
    match kept {
        Ok(Some(place)) => format!("; as it was found it is in {}", place.display()),
        Ok(None) => "; there is no room for a copy of it as it was found".to_owned(),
        Err(problem) => format!("; there is no copy of it as it was found: {problem}"),
    }
}

/// Whether two logs have the same length and the same end.
fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let end = |path: &Path| -> io::Result<(u64, Vec<u8>)> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(END_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(END_BYTES).read_to_end(&mut bytes)?;
        Ok((length, bytes))
    };
    Ok(end(one)? == end(other)?)
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
