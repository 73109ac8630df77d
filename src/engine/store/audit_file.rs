//! The audit log's files beside sled's: appended to before sled is written, signed after both are on disk.
//!
//! So what is acknowledged is in both; of what was not, the log may hold more than sled does, and sled takes it from there
//! when the store is opened.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom, SystemRandom};

use super::set_aside::{self, Room};
use crate::engine::audit::chain::{self, GENESIS, Link};
use crate::engine::audit::head::{End, Head, SigningKey};
use crate::engine::audit::verify::{Finding, FindingKind, Point, Verdict, verify};
use crate::engine::clock::Timestamp;
use crate::engine::durable_file::{self, private};
use crate::engine::model::AuditEntry;

/// The log's file in the store's folder.
pub const LOG_FILE: &str = "audit.jsonl";
/// The signed end's.
pub const HEAD_FILE: &str = "audit.head";
/// The signing key's.
pub const KEY_FILE: &str = "audit.key";
const SEED_BYTES: usize = 32;
/// Bytes of a log's end by which it is known; a hash over all before it is among them.
const END_BYTES: u64 = 512;

/// The open log.
pub(super) struct AuditFile {
    folder: PathBuf,
    file: File,
    key: SigningKey,
    end: End,
    /// Last entry that the head on disk covers.
    signed: u64,
    has_failed: bool,
    cut_off: Option<CutOff>,
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
    /// Acknowledged entries that sled has not.
    pub(super) newer: Vec<AuditEntry>,
    /// What its entries speak of.
    pub(super) highest: Highest,
    /// What a person should know.
    pub(super) notices: Vec<String>,
}

impl AuditFile {
    /// Opens the log in the store's folder, making it where there is none. `known` is the last entry that sled has,
    /// `acknowledged` the last one that anybody was told of.
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
        let last_known = known.map_or(0, |entry| entry.sequence);
        let keep = ours.map_or(u64::MAX, |head| last_known.max(acknowledged).max(head.end.sequence));
        let points: Vec<Point> = ours.map(Point::end).into_iter().collect();
        let (mut newer, mut highest) = (Vec::new(), Highest::default());
        let mut differs = None;
        let mut end = End { sequence: 0, hash: GENESIS.to_owned(), bytes: 0, at: Timestamp(0) };
        let verdict = look(folder, &points, &mut |link, bytes| {
            let entry = &link.entry;
            if entry.sequence <= keep {
                end = End { sequence: entry.sequence, hash: link.hash.clone(), bytes, at: entry.at };
                newer.extend((entry.sequence > last_known).then(|| entry.clone()));
                highest.take(entry);
            }
            if known.is_some_and(|known| known.sequence == entry.sequence && known != entry) {
                differs = Some(entry.sequence);
            }
        })?;
        let file = private().append(true).create(true).open(folder.join(LOG_FILE))?;
        let is_short = |finding: &Finding| matches!(finding.kind, FindingKind::Torn | FindingKind::CutOff);
        let is_cut_off = verdict.findings.iter().any(|finding| finding.kind == FindingKind::CutOff);
        let doubt = match (verdict.findings.iter().find(|finding| !is_short(finding)), differs, &head) {
            (Some(finding), _, _) => Some(finding.text.clone()),
            (None, Some(sequence), _) => Some(format!("entry {sequence} is another than the store has")),
            (None, None, Err(problem)) => Some(format!("{HEAD_FILE}: {problem}")),
            // The end of an empty log is signed before anything is written to it.
            (None, None, Ok(None)) if verdict.bytes > 0 => {
                Some(format!("{HEAD_FILE} is missing, so it is not proved that this is all of it"))
            }
            (None, None, Ok(Some(_))) if ours.is_none() && !is_new_key => {
                Some(format!("{HEAD_FILE} was signed by another key than {KEY_FILE}"))
            }
            _ => None,
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
        let is_new = ours.is_none() && verdict.bytes == 0;
        let mut log = Self { folder: folder.to_path_buf(), file, key, end, signed: 0, has_failed: false, cut_off };
        if is_new {
            log.sign_anew()?;
        }
        Ok(Opened { log, newer, highest, notices })
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
        Ok(())
    }

    /// Waits until everything appended is on disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        let outcome = if self.signed == self.end.sequence { Ok(()) } else { durable_file::wait_for_bytes(&self.file) };
        self.has_failed |= outcome.is_err();
        outcome
    }

    /// Signs the end, where it has moved. The head is replaced as a whole.
    pub(super) fn sign(&mut self) -> io::Result<()> {
        if self.signed == self.end.sequence { Ok(()) } else { self.sign_anew() }
    }

    fn sign_anew(&mut self) -> io::Result<()> {
        let text = self.key.sign(self.end.clone()).text().map_err(io::Error::other)?;
        durable_file::replace(&self.folder.join(HEAD_FILE), text.as_bytes())?;
        self.signed = self.end.sequence;
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

/// Reads the log in `folder` to its end against its own head and, where there are any, heads that were kept elsewhere.
///
/// # Errors
/// When a file cannot be read.
pub fn check(folder: &Path, kept_elsewhere: &[Head]) -> io::Result<Verdict> {
    let mut points: Vec<Point> = kept_elsewhere.iter().map(Point::kept_elsewhere).collect();
    // Before the log: one who writes meanwhile appends to it.
    let head = head(folder);
    points.extend(head.as_ref().ok().and_then(Option::as_ref).map(Point::end));
    let mut verdict = look(folder, &points, &mut |_, _| {})?;
    match head {
        Err(problem) => verdict.doubt_head(&format!("{HEAD_FILE}: {problem}")),
        Ok(None) if verdict.bytes > 0 => verdict.doubt_head(&format!("{HEAD_FILE} is missing: the end is not signed")),
        Ok(_) => {}
    }
    Ok(verdict)
}

/// Hands every intact entry of the log in `folder` to `take`, and says whether the log is whole.
///
/// # Errors
/// When it cannot be read.
pub fn read(folder: &Path, take: &mut dyn FnMut(&AuditEntry)) -> io::Result<Verdict> {
    look(folder, &[], &mut |link, _| take(&link.entry))
}

/// The signed end in `folder`; `None` where there is none.
///
/// # Errors
/// When it cannot be read, or proves nothing.
pub fn head(folder: &Path) -> Result<Option<Head>, String> {
    match std::fs::read_to_string(folder.join(HEAD_FILE)) {
        Ok(text) => Head::read(&text).map(Some).map_err(|problem| problem.to_string()),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(problem) => Err(problem.to_string()),
    }
}

fn look(folder: &Path, points: &[Point], take: &mut dyn FnMut(&Link, u64)) -> io::Result<Verdict> {
    match File::open(folder.join(LOG_FILE)) {
        Ok(file) => verify(&mut BufReader::with_capacity(1 << 16, file), points, take),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => verify(&mut io::empty(), points, take),
        Err(problem) => Err(problem),
    }
}

/// The key, made where there is none; true where it was.
fn signing_key(folder: &Path, notices: &mut Vec<String>) -> io::Result<(SigningKey, bool)> {
    let path = folder.join(KEY_FILE);
    let mut file = private().read(true).write(true).create(true).truncate(false).open(&path)?;
    let mode = file.metadata()?.mode() & 0o777;
    if mode & 0o077 != 0 {
        let text = format!("others may read {0} (mode {mode:o}); run: chmod 600 {0}", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    let mut seed = Vec::new();
    Read::by_ref(&mut file).take(SEED_BYTES as u64 + 1).read_to_end(&mut seed)?;
    let is_new = seed.len() != SEED_BYTES;
    if is_new {
        let is_lost = !seed.is_empty() || folder.join(HEAD_FILE).exists();
        if is_lost {
            notices.push("the key that signs the audit log was lost; a new one signs from here on".to_owned());
        }
        seed = vec![0; SEED_BYTES];
        let filled = SystemRandom::new().fill(&mut seed);
        filled.map_err(|_| io::Error::other("the system gives no random numbers for a key"))?;
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&seed)?;
        durable_file::wait_for_bytes(&file)?;
    }
    let key = SigningKey::from_seed(&seed).map_err(|problem| io::Error::other(problem.to_string()))?;
    Ok((key, is_new))
}

/// Keeps the log and its head as they are, unless the newest copy is the same, and says where; a log that stays as it is would
/// else drive the others out, start by start. Where there is no room for a copy, the store is opened all the same.
fn keep_copy(folder: &Path) -> String {
    let kept = match set_aside::newest(folder) {
        Ok(Some(newest)) if is_same(&folder.join(LOG_FILE), &newest.join(LOG_FILE)).unwrap_or(false) => Ok(Some(newest)),
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
