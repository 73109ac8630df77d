//! Reads a log, of one file or of several, from its first to its last line and says what is wrong with it, and where.

use std::io::BufRead;

use serde::Serialize;

use super::chain::{self, BrokenLine, GENESIS, Link};
use super::head::{End, Head};
use crate::engine::clock::Timestamp;

/// Problems that are told one by one; of more only the count is.
const TOLD_MAX: usize = 100;
/// No line of ours is longer; what is, is read on to its end in pieces and not kept.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// What is wrong at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub struct Finding {
    /// The sealed file it is in; none where that is the open one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line of that file, from 1; one past the last where something is missing at its end; 0 where it is about the head.
    pub line: u64,
    /// Number of the entry that is there or should be.
    pub sequence: u64,
    /// What it is.
    pub kind: FindingKind,
    /// In words.
    pub text: String,
}

/// What may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A line is not as it was written.
    Altered,
    /// Entries were taken out between two lines.
    Missing,
    /// An entry is at another place than it was written, or was put in.
    Moved,
    /// The log ends before its signed end.
    CutOff,
    /// The last line is cut off within.
    Torn,
    /// A file cannot be read on.
    Unreadable,
    /// The head is not there, cannot be read, or is not signed by its key.
    Head,
    /// The log does not contain the head that it is held against.
    Forked,
    /// The head that it is held against is of entries that were let go: it proves nothing.
    TooOld,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Intact entries.
    pub entries: u64,
    /// Number of the last entry that was let go, where the log says so; 0 where none was.
    pub let_go: u64,
    /// Number of the last intact entry; 0 where there is none.
    pub last: u64,
    /// Its hash.
    pub last_hash: String,
    /// When it was written.
    pub last_at: Option<Timestamp>,
    /// Length of what was read, bytes.
    pub bytes: u64,
    /// Length of the last file up to and with its last intact line, bytes.
    pub intact_bytes: u64,
    /// Length of the last file up to and with its last line feed, bytes.
    #[serde(skip)]
    pub line_bytes: u64,
    /// What is wrong, in the order of the log, as far as there is room.
    pub findings: Vec<Finding>,
    /// How many findings there are in all.
    pub finding_count: u64,
}

impl Verdict {
    /// True where nothing is wrong.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.finding_count == 0
    }

    /// Notes that the end is not proved.
    pub fn doubt_head(&mut self, why: &str) {
        self.find(Finding { file: None, line: 0, sequence: self.last, kind: FindingKind::Head, text: why.to_owned() });
    }

    /// Notes that entries up to this one are gone, though nothing says that they were let go.
    pub fn miss_up_to(&mut self, sequence: u64, why: &str) {
        self.find(Finding { file: None, line: 0, sequence, kind: FindingKind::Missing, text: why.to_owned() });
    }

    fn find(&mut self, finding: Finding) {
        self.finding_count += 1;
        if self.findings.len() < TOLD_MAX {
            self.findings.push(finding);
        }
    }
}

/// A point that the log must go through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    sequence: u64,
    hash: String,
    is_head: bool,
}

impl Point {
    /// The log's own end, as it was signed last.
    #[must_use]
    pub fn end(head: &Head) -> Self {
        Self { sequence: head.end.sequence, hash: head.end.hash.clone(), is_head: true }
    }

    /// A head that was kept elsewhere.
    #[must_use]
    pub fn kept_elsewhere(head: &Head) -> Self {
        Self { sequence: head.end.sequence, hash: head.end.hash.clone(), is_head: false }
    }

    fn word(&self) -> &'static str {
        if self.is_head { "the signed end" } else { "the head that was kept elsewhere" }
    }

    /// What it is where the log has another entry there.
    fn differs(&self) -> FindingKind {
        if self.is_head { FindingKind::Head } else { FindingKind::Forked }
    }
}

/// Where a reading begins: after which entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Its number; 0 where it begins with the first.
    pub sequence: u64,
    /// Its hash.
    pub hash: String,
}

impl Start {
    /// Before the first entry.
    #[must_use]
    pub fn genesis() -> Self {
        Self { sequence: 0, hash: GENESIS.to_owned() }
    }

    /// After the entry with which something ends.
    #[must_use]
    pub fn after(end: &End) -> Self {
        Self { sequence: end.sequence, hash: end.hash.clone() }
    }
}

/// Reads a log of one file to its end. `points` are what it must go through. Each intact entry is handed to `take`, with the
/// length of the log up to and with it, bytes.
///
/// # Errors
/// When it cannot be read on.
pub fn verify(
    log: &mut dyn BufRead,
    points: &[Point],
    take: &mut dyn FnMut(&Link, u64),
) -> Result<Verdict, std::io::Error> {
    let mut reading = Reading::new(&Start::genesis(), points);
    reading.read(None, log, take)?;
    Ok(reading.end())
}

/// A reading of a log, file by file.
#[derive(Debug)]
pub struct Reading<'a> {
    verdict: Verdict,
    /// Hash of the line before.
    before: String,
    /// False after a line that could not be read: what the next one names as the line before cannot be checked then.
    is_sure: bool,
    points: &'a [Point],
    /// The file that is read, its lines and its bytes so far.
    file: Option<String>,
    lines: u64,
    bytes: u64,
}

impl<'a> Reading<'a> {
    /// Begins; `points` are what the log must go through.
    #[must_use]
    pub fn new(start: &Start, points: &'a [Point]) -> Self {
        let verdict = Verdict { last: start.sequence, last_hash: start.hash.clone(), ..Verdict::default() };
        let before = start.hash.clone();
        let mut reading = Self { verdict, before, is_sure: true, points, file: None, lines: 0, bytes: 0 };
        for point in points {
            let sequence = point.sequence;
            if sequence == start.sequence && sequence > 0 && point.hash != start.hash {
                let text =
                    format!("entry {sequence}, after which the log begins, is another than {} says", point.word());
                reading.find(0, sequence, point.differs(), text);
            } else if sequence < start.sequence && point.is_head {
                let text = format!("the signed end is entry {sequence}, and what is after it was sealed already");
                reading.find(0, sequence, FindingKind::Head, text);
            } else if sequence < start.sequence {
                let text = format!(
                    "the head that was kept elsewhere is of entry {sequence}, and entries up to {} were let go: keep a newer one",
                    start.sequence
                );
                reading.find(0, sequence, FindingKind::TooOld, text);
            }
        }
        reading
    }

    /// Reads the next file to its end; the open one has no name.
    ///
    /// # Errors
    /// When it cannot be read on.
    pub fn read(
        &mut self,
        name: Option<&str>,
        log: &mut dyn BufRead,
        take: &mut dyn FnMut(&Link, u64),
    ) -> Result<(), std::io::Error> {
        (self.file, self.lines, self.bytes) = (name.map(str::to_owned), 0, 0);
        (self.verdict.intact_bytes, self.verdict.line_bytes) = (0, 0);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = std::io::Read::take(&mut *log, LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok(());
            }
            self.lines += 1;
            self.bytes += read as u64;
            self.verdict.bytes += read as u64;
            match line.strip_suffix(b"\n") {
                Some(whole) => {
                    self.verdict.line_bytes = self.bytes;
                    self.take(whole, take);
                }
                None => self.torn(),
            }
        }
    }

    /// Notes that this file cannot be read on.
    pub fn break_off(&mut self, name: &str, problem: &std::io::Error) {
        if self.file.as_deref() != Some(name) {
            (self.file, self.lines) = (Some(name.to_owned()), 0);
        }
        let text = format!("{}: it cannot be read on: {problem}", self.place(self.lines + 1));
        self.find(self.lines + 1, self.verdict.last + 1, FindingKind::Unreadable, text);
    }

    /// Holds the sealed file that was read against its signed end.
    pub fn seal(&mut self, sealed: &Result<Head, String>) {
        let name = self.file.clone().unwrap_or_default();
        let last = self.verdict.last;
        let end = match sealed {
            Ok(head) => &head.end,
            Err(problem) => return self.find(0, last, FindingKind::Head, format!("the end of {name}: {problem}")),
        };
        if end.sequence > last {
            let text = format!("{}: entries {} to {} are cut off", self.place(self.lines + 1), last + 1, end.sequence);
            self.find(self.lines + 1, last + 1, FindingKind::CutOff, text);
            // What comes next is held against what was signed.
            (self.verdict.last, self.verdict.last_hash) = (end.sequence, end.hash.clone());
            (self.before, self.is_sure) = (end.hash.clone(), true);
        } else if end.sequence < last || self.is_sure && end.hash != self.before {
            let text = format!("{}: entry {last} is another than its signed end says", self.place(self.lines));
            self.find(self.lines, last, FindingKind::Head, text);
        }
    }

    /// Number of the last entry so far.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.verdict.last
    }

    /// What was found.
    #[must_use]
    pub fn end(mut self) -> Verdict {
        let last = self.verdict.last;
        for point in self.points.iter().filter(|point| point.sequence > last) {
            let text = format!("after line {}: entries {} to {} are cut off", self.lines, last + 1, point.sequence);
            let kind = if point.is_head { FindingKind::CutOff } else { FindingKind::Forked };
            self.find(self.lines + 1, last + 1, kind, text);
        }
        self.verdict
    }

    fn find(&mut self, line: u64, sequence: u64, kind: FindingKind, text: String) {
        self.verdict.find(Finding { file: self.file.clone(), line, sequence, kind, text });
    }

    /// `line 7`, with the file where it is a sealed one.
    fn place(&self, line: u64) -> String {
        self.file.as_ref().map_or_else(|| format!("line {line}"), |file| format!("{file} line {line}"))
    }

    fn take(&mut self, line: &[u8], take: &mut dyn FnMut(&Link, u64)) {
        let read = std::str::from_utf8(line).map_err(|_| BrokenLine::Shape).and_then(chain::read);
        let expected = self.verdict.last + 1;
        match read {
            Ok(link) => {
                self.look_at_place(&link);
                self.pass(&link);
                let Link { entry, hash, .. } = &link;
                let verdict = &mut self.verdict;
                (verdict.last, verdict.last_at) = (entry.sequence, Some(entry.at));
                verdict.last_hash.clone_from(hash);
                verdict.entries += 1;
                verdict.intact_bytes = self.bytes;
                self.before.clone_from(hash);
                self.is_sure = true;
                take(&link, self.bytes);
            }
            Err(problem) => {
                let text = format!("{}, entry {expected}: {problem}", self.place(self.lines));
                self.find(self.lines, expected, FindingKind::Altered, text);
                self.verdict.last = expected;
                self.is_sure = false;
            }
        }
    }

    /// Whether an intact line is where it was written.
    fn look_at_place(&mut self, link: &Link) {
        let (expected, found) = (self.verdict.last + 1, link.entry.sequence);
        let place = self.place(self.lines);
        let (kind, text) = if found > expected {
            let gone = if found - 1 == expected {
                format!("entry {expected} is missing")
            } else {
                format!("entries {expected} to {} are missing", found - 1)
            };
            (FindingKind::Missing, format!("{place}: {gone}"))
        } else if found < expected {
            (FindingKind::Moved, format!("{place}: entry {found} is not where it was written"))
        } else if self.is_sure && link.before != self.before {
            let text = format!("{place}: entry {found} was written after another entry {}", found - 1);
            (FindingKind::Moved, text)
        } else {
            return;
        };
        self.find(self.lines, found, kind, text);
    }

    /// Whether the log goes through the points at this entry.
    fn pass(&mut self, link: &Link) {
        let sequence = link.entry.sequence;
        let points = self.points;
        for point in points.iter().filter(|point| point.sequence == sequence && point.hash != link.hash) {
            let text = format!("{}: entry {sequence} is another than {} says", self.place(self.lines), point.word());
            self.find(self.lines, sequence, point.differs(), text);
        }
    }

    fn torn(&mut self) {
        let expected = self.verdict.last + 1;
        let text = format!("{}, entry {expected}: it is cut off", self.place(self.lines));
        self.find(self.lines, expected, FindingKind::Torn, text);
    }
}

#[cfg(test)]
mod tests {
    use super::super::head::{End, SigningKey};
    use super::*;
    use crate::engine::model::{AuditEntry, AuditKind};
    use proptest::prelude::*;

    fn log(count: u64) -> (Vec<String>, Head) {
        let mut before = GENESIS.to_owned();
        let mut lines = Vec::new();
        for sequence in 1..=count {
            let text = format!("step {sequence} of \"kubectl\" done");
            let entry = AuditEntry {
                sequence,
                at: Timestamp(1_000 * i64::try_from(sequence).unwrap()),
                kind: AuditKind::Outcome,
                by: "engine".into(),
                incident: None,
                run: None,
                text: text.into(),
            };
            let (line, hash) = chain::line(&entry, &before).unwrap();
            before = hash;
            lines.push(line);
        }
        let bytes = lines.iter().map(|line| line.len() as u64 + 1).sum();
        let key = SigningKey::from_seed(&[1; 32]).unwrap();
        (lines, key.sign(End { sequence: count, hash: before, bytes, at: Timestamp(0) }))
    }

    fn text(lines: &[String]) -> Vec<u8> {
        lines.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect()
    }

    fn judge(bytes: &[u8], head: &Head) -> Verdict {
        verify(&mut &*bytes, &[Point::end(head)], &mut |_, _| {}).unwrap()
    }

    fn kinds(verdict: &Verdict) -> Vec<(u64, FindingKind)> {
        verdict.findings.iter().map(|finding| (finding.sequence, finding.kind)).collect()
    }

    #[test]
    fn a_log_as_it_was_written_is_whole() {
        let (lines, head) = log(20);
        let verdict = judge(&text(&lines), &head);
        assert!(verdict.is_whole(), "{:?}", verdict.findings);
        assert_eq!((verdict.entries, verdict.last, verdict.last_hash), (20, 20, head.end.hash.clone()));
        assert_eq!((verdict.bytes, verdict.intact_bytes), (head.end.bytes, head.end.bytes));
        // What was written after the head was signed is not wrong.
        let (more, _) = log(22);
        assert!(judge(&text(&more), &head).is_whole());
        assert!(judge(b"", &log(0).1).is_whole());
    }

    #[test]
    fn what_was_done_to_it_is_found_where_it_was_done() {
        let (lines, head) = log(9);
        let with = |change: &dyn Fn(&mut Vec<String>)| {
            let mut changed = lines.clone();
            change(&mut changed);
            kinds(&judge(&text(&changed), &head))
        };
        assert_eq!(with(&|lines| lines[3] = lines[3].replace("step", "STEP")), [(4, FindingKind::Altered)]);
        // Another entry in its place, with a hash of its own.
        let replaced = with(&|lines| {
            let link = chain::read(&lines[3]).unwrap();
            let entry = AuditEntry { text: "step 4 failed".into(), ..link.entry };
            lines[3] = chain::line(&entry, &link.before).unwrap().0;
        });
        assert_eq!(replaced, [(5, FindingKind::Moved)]);
        assert_eq!(with(&|lines| drop(lines.remove(3))), [(5, FindingKind::Missing)]);
        assert_eq!(with(&|lines| drop(lines.drain(2..6))), [(7, FindingKind::Missing)]);
        assert_eq!(with(&|lines| lines.truncate(7)), [(8, FindingKind::CutOff)]);
        assert_eq!(with(&Vec::clear), [(1, FindingKind::CutOff)]);
        let swapped = with(&|lines| lines.swap(3, 4));
        assert_eq!(swapped.first(), Some(&(5, FindingKind::Missing)));
        let twice = with(&|lines| lines.insert(4, lines[2].clone()));
        assert_eq!(twice.first(), Some(&(3, FindingKind::Moved)));
    }

    #[test]
    fn one_who_makes_the_chain_anew_is_found_by_the_head() {
        let (_, head) = log(9);
        let (mut forged, _) = log(4);
        let mut before = chain::read(&forged[3]).unwrap().hash;
        for sequence in 5..=9 {
            let mut entry = chain::read(&forged[3]).unwrap().entry;
            entry.sequence = sequence;
            let (line, hash) = chain::line(&entry, &before).unwrap();
            before = hash;
            forged.push(line);
        }
        assert_eq!(kinds(&judge(&text(&forged), &head)), [(9, FindingKind::Head)]);
        let elsewhere = verify(&mut &*text(&forged), &[Point::kept_elsewhere(&head)], &mut |_, _| {}).unwrap();
        assert_eq!(kinds(&elsewhere), [(9, FindingKind::Forked)]);
    }

    proptest! {
        #[test]
        fn every_changed_byte_and_every_cut_is_found_at_its_entry(
            at in any::<prop::sample::Index>(), byte in any::<u8>(), is_cut in any::<bool>(),
        ) {
            let (lines, head) = log(12);
            let whole = text(&lines);
            let at = at.index(whole.len());
            prop_assume!(is_cut || whole[at] != byte);
            let mut changed = whole.clone();
            if is_cut { changed.truncate(at) } else { changed[at] = byte }
            let verdict = judge(&changed, &head);
            prop_assert!(!verdict.is_whole());
            let line = whole[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
            let found = verdict.findings[0].sequence;
            prop_assert!(found == line + 1, "found at {} and done at {}", found, line + 1);
        }
    }
}
