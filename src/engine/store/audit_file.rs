//! The audit log's files beside sled's: appended to before sled is written, signed after both are on disk.
//!
//! So what is acknowledged is in both; of what was not, the log may hold more than sled does, and sled takes it from there
//! when the store is opened.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom, SystemRandom};

use crate::engine::audit::chain::{self, GENESIS, Link};
use crate::engine::audit::head::{End, Head, SigningKey};
use crate::engine::audit::verify::{FindingKind, Point, Verdict, verify};
use crate::engine::clock::Timestamp;
use crate::engine::durable_file::private;
use crate::engine::model::AuditEntry;

/// The log's file in the store's folder.
pub const LOG_FILE: &str = "audit.jsonl";
/// The signed end's.
pub const HEAD_FILE: &str = "audit.head";
/// The signing key's.
pub const KEY_FILE: &str = "audit.key";
const SEED_BYTES: usize = 32;
/// Logs that were not whole and are kept as they were found.
const KEPT_MAX: usize = 8;

/// The open log.
pub(super) struct AuditFile {
    folder: PathBuf,
    file: File,
    key: SigningKey,
    end: End,
    /// Last entry that the head on disk covers.
    signed: u64,
    has_failed: bool,
}

/// A log as it was found.
pub(super) struct Opened {
    pub(super) log: AuditFile,
    /// Acknowledged entries that sled has not.
    pub(super) newer: Vec<AuditEntry>,
    /// What a person should know.
    pub(super) notices: Vec<String>,
}

impl AuditFile {
    /// Opens the log in the store's folder, making it where there is none. `known` is the last entry that sled has,
    /// `acknowledged` the last one that anybody was told of.
    ///
    /// What a crash kept from being acknowledged is taken away, be it whole or cut off within: nothing came of it, and the
    /// rest of its write is not there either. A log that is not whole otherwise is kept as it was found, and appended to:
    /// the gap stays for all to see.
    pub(super) fn open(folder: &Path, known: u64, acknowledged: u64) -> io::Result<Opened> {
        let mut notices = Vec::new();
        let key = signing_key(folder, &mut notices)?;
        let signed = head(folder).ok().flatten().map_or(0, |head| head.end.sequence);
        let keep = known.max(acknowledged).max(signed);
        let mut newer = Vec::new();
        let mut end = End { sequence: 0, hash: GENESIS.to_owned(), bytes: 0, at: Timestamp(0) };
        let verdict = look(folder, &[], &mut |link, bytes| {
            if link.entry.sequence <= keep {
                end = End { sequence: link.entry.sequence, hash: link.hash.clone(), bytes, at: link.entry.at };
                newer.extend((link.entry.sequence > known).then(|| link.entry.clone()));
            }
        })?;
        let file = private().append(true).create(true).open(folder.join(LOG_FILE))?;
        if verdict.findings.iter().all(|finding| finding.kind == FindingKind::Torn) {
            file.set_len(end.bytes)?;
        } else {
            let what = verdict.findings.first().map_or("", |finding| finding.text.as_str());
            let kept = keep_copy(folder)?.map_or_else(String::new, |path| format!("; as it was found it is in {path}"));
            notices.push(format!("the audit log is not whole: {what}; `hypo audit verify` shows all{kept}"));
            end = End { sequence: verdict.last, hash: verdict.last_hash, bytes: file.metadata()?.len(), at: end.at };
        }
        let log = Self { folder: folder.to_path_buf(), file, key, end, signed: 0, has_failed: false };
        Ok(Opened { log, newer, notices })
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
        let outcome = if self.signed == self.end.sequence { Ok(()) } else { self.file.sync_data() };
        self.has_failed |= outcome.is_err();
        outcome
    }

    /// Signs the end, where it has moved. The head is replaced as a whole.
    pub(super) fn sign(&mut self) -> io::Result<()> {
        if self.signed == self.end.sequence {
            return Ok(());
        }
        let text = self.key.sign(self.end.clone()).text().map_err(io::Error::other)?;
        let (path, beside) = (self.folder.join(HEAD_FILE), self.folder.join("audit.head.new"));
        let mut file = private().write(true).create(true).truncate(true).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        std::fs::rename(&beside, &path)?;
        self.signed = self.end.sequence;
        Ok(())
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

/// The key, made where there is none.
fn signing_key(folder: &Path, notices: &mut Vec<String>) -> io::Result<SigningKey> {
    let path = folder.join(KEY_FILE);
    let mut file = private().read(true).write(true).create(true).truncate(false).open(&path)?;
    let mode = file.metadata()?.mode() & 0o777;
    if mode & 0o077 != 0 {
        let text = format!("others may read {0} (mode {mode:o}); run: chmod 600 {0}", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    let mut seed = Vec::new();
    Read::by_ref(&mut file).take(SEED_BYTES as u64 + 1).read_to_end(&mut seed)?;
    if seed.len() != SEED_BYTES {
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
        file.sync_data()?;
    }
    SigningKey::from_seed(&seed).map_err(|problem| io::Error::other(problem.to_string()))
}

fn keep_copy(folder: &Path) -> io::Result<Option<String>> {
    let aside = folder.join("set-aside");
    std::fs::create_dir_all(&aside)?;
    let name = |number: usize| aside.join(format!("audit-{number}.jsonl"));
    let Some(target) = (1..=KEPT_MAX).map(name).find(|target| !target.exists()) else { return Ok(None) };
    std::fs::copy(folder.join(LOG_FILE), &target)?;
    Ok(Some(target.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::AuditKind;

    #[test]
    fn what_the_log_does_not_take_is_an_error_and_its_end_stays_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = AuditFile::open(folder.path(), 0, 0).unwrap().log;
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
