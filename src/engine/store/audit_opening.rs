//! Opens the audit log: what a crash kept from being acknowledged is taken away, what sled has not is handed to it, and a log that is
//! not as it was signed is told of and kept as it was found.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::audit_check::head;
use super::audit_file::{AuditFile, CutOff, HEAD_FILE, KEY_FILE, LOG_FILE, SEAL_BYTES};
use super::audit_key::signing_key;
use super::audit_segments::Segments;
use super::set_aside::{self, Room};
use crate::engine::audit::chain::Link;
use crate::engine::audit::head::End;
use crate::engine::audit::verify::{Finding, FindingKind, Point, Reading, Start};
use crate::engine::durable_file::private;
use crate::engine::model::AuditEntry;

/// Entries that sled takes back at most; the log has the others.
const NEWER_MAX: usize = 50_000;
/// Bytes that are read at a time.
const READ_BYTES: usize = 1 << 16;

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
    /// Entries that stay though nobody was told of them: nothing is taken away of a log that is not whole.
    pub(super) unacknowledged: Vec<AuditEntry>,
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
    newer: BTreeMap<u64, AuditEntry>,
    /// Those after `keep`.
    beyond: BTreeMap<u64, AuditEntry>,
    highest: Highest,
    /// An entry that sled has otherwise.
    differs: Option<u64>,
    /// The last that stays, with the length of its file up to it.
    end: End,
}

impl<'a> Taking<'a> {
    fn new(keep: u64, known: Option<&'a AuditEntry>, end: End) -> Self {
        let (newer, beyond) = (BTreeMap::new(), BTreeMap::new());
        Self { keep, known, newer, beyond, highest: Highest::default(), differs: None, end }
    }

    fn take(&mut self, link: &Link, bytes: u64) {
        let entry = &link.entry;
        let is_kept = entry.sequence <= self.keep;
        if is_kept {
            self.end = End { sequence: entry.sequence, hash: link.hash.clone(), bytes, at: entry.at };
            self.highest.take(entry);
        }
        if entry.sequence > self.known.map_or(0, |known| known.sequence) {
            let entries = if is_kept { &mut self.newer } else { &mut self.beyond };
            // Of two with one number the first: sled replaces none.
            entries.entry(entry.sequence).or_insert_with(|| entry.clone());
            if entries.len() > NEWER_MAX {
                entries.pop_first();
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
        if matches!(&segments.anchor, Ok(Some(anchor)) if anchor.key == key.public())
            && let Err(problem) = segments.remove_left()
        {
            tracing::warn!("a part of the audit log that was let go is still there: {problem}");
        }
        let last_known = known.map_or(0, |entry| entry.sequence);
        let kept = last_known.max(acknowledged).max(segments.last());
        let keep = ours.map_or(u64::MAX, |head| kept.max(head.end.sequence));
        let points: Vec<Point> = ours.map(Point::end).into_iter().collect();
        let (sealed, after) = segments.from(last_known);
        let mut reading = Reading::new(&Start::after(&after), &points);
        let mut taking = Taking::new(keep, known, after);
        for one in sealed {
            let name = one.name();
            let read = File::open(one.log()).and_then(|file| {
                let mut file = BufReader::with_capacity(READ_BYTES, file);
                reading.read(Some(&name), &mut file, &mut |link, bytes| taking.take(link, bytes))
            });
            // What is after it can be read all the same.
            if let Err(problem) = read {
                reading.break_off(&name, &problem);
            }
            let head = one.head();
            reading.seal(&head);
            if let Ok(head) = head {
                taking.end = head.end;
            }
        }
        taking.end.bytes = 0;
        let first = reading.last() + 1;
        let file = private().read(true).append(true).create(true).open(folder.join(LOG_FILE))?;
        let mut from = BufReader::with_capacity(READ_BYTES, &file);
        reading.read(None, &mut from, &mut |link, bytes| taking.take(link, bytes))?;
        let verdict = reading.end();
        let Taking { newer, mut beyond, mut highest, differs, mut end, .. } = taking;
        let is_empty = verdict.bytes == 0 && segments.sealed.is_empty();
        // A key that was there has signed something.
        let is_all_gone = is_empty && !is_new_key && last_known.max(acknowledged) > 0 && matches!(head, Ok(None));
        let is_short = |finding: &Finding| {
            finding.file.is_none() && matches!(finding.kind, FindingKind::Torn | FindingKind::CutOff)
        };
        let is_cut_off = verdict.findings.iter().any(|finding| finding.kind == FindingKind::CutOff);
        let doubt = match (verdict.findings.iter().find(|finding| !is_short(finding)), differs, &head) {
            (Some(finding), _, _) => Some(finding.text.clone()),
            (None, Some(sequence), _) => Some(format!("entry {sequence} is another than the store has")),
            (None, None, Err(problem)) => Some(format!("{HEAD_FILE}: {problem}")),
            // The end of an empty log is signed before anything is written to it.
            (None, None, Ok(None)) if is_all_gone => {
                Some("all of it was gone, with its signed end; what the store has of it is written anew".to_owned())
            }
            (None, None, Ok(None)) if !is_empty => {
                Some(format!("{HEAD_FILE} is missing, so it is not proved that this is all of it"))
            }
            (None, None, Ok(Some(_))) if ours.is_none() && !is_new_key => {
                Some(format!("{HEAD_FILE} was signed by another key than {KEY_FILE}"))
            }
            _ => segments.anchor.as_ref().err().cloned(),
        };
        let copy = match (doubt.is_some() || is_cut_off) && !is_all_gone {
            true => keep_copy(folder, ours.is_some() || matches!(head, Ok(None))),
            false => String::new(),
        };
        if verdict.findings.iter().all(is_short) {
            file.set_len(end.bytes)?;
            beyond.clear();
        } else {
            // What stays to be seen ends with a line: half of one would swallow the next.
            file.set_len(verdict.line_bytes)?;
            end = End { sequence: verdict.last, hash: verdict.last_hash, bytes: verdict.line_bytes, at: end.at };
            // So it has a number that is not given again, and sled has to know it.
            beyond.values().for_each(|entry| highest.take(entry));
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
        let (newer, unacknowledged) = (newer.into_values().collect(), beyond.into_values().collect());
        Ok(Opened { log, newer, unacknowledged, highest, notices })
    }
}

/// Keeps the log and its head as they are, and says where. One that has only grown since it was copied is not copied again: it would
/// else drive out, start by start, all else that is set aside. A head of another key is about to be replaced, and so is always copied.
/// Where there is no room for a copy, the store is opened all the same.
fn keep_copy(folder: &Path, is_head_kept: bool) -> String {
    let log = folder.join(LOG_FILE);
    let is_of_it = |aside: &PathBuf| is_head_kept && begins_with(&log, &aside.join(LOG_FILE)).unwrap_or(false);
    let kept = match set_aside::all(folder).map(|all| all.into_iter().rev().find(is_of_it)) {
        Ok(Some(there)) => Ok(Some(there)),
        Ok(None) => set_aside::copy(folder, &[LOG_FILE, HEAD_FILE], Room::Bounded),
        Err(problem) => Err(problem),
    };
    match kept {
        Ok(Some(place)) => format!("; as it was found it is in {}", place.display()),
        Ok(None) => "; there is no room for a copy of it as it was found".to_owned(),
        Err(problem) => format!("; there is no copy of it as it was found: {problem}"),
    }
}

/// Whether the log goes on where the copy ends. All of it is compared: an alteration in place changes nothing after itself.
fn begins_with(log: &Path, copy: &Path) -> io::Result<bool> {
    let (log, copy) = (File::open(log)?, File::open(copy)?);
    let (of_log, length) = (log.metadata()?.len(), copy.metadata()?.len());
    // Every log begins with nothing.
    if of_log < length || length == 0 && of_log > 0 {
        return Ok(false);
    }
    let mut log = BufReader::with_capacity(READ_BYTES, log.take(length));
    let mut copy = BufReader::with_capacity(READ_BYTES, copy);
    loop {
        let (one, other) = (log.fill_buf()?, copy.fill_buf()?);
        let count = one.len().min(other.len());
        if count == 0 {
            return Ok(one.len() == other.len());
        }
        if one[..count] != other[..count] {
            return Ok(false);
        }
        log.consume(count);
        copy.consume(count);
    }
}
