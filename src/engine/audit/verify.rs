//! Reads a log from its first to its last line and says what is wrong with it, and where.

use std::io::BufRead;

use serde::Serialize;

use super::chain::{self, BrokenLine, GENESIS, Link};
use super::head::Head;
use crate::engine::clock::Timestamp;

/// Problems that are told one by one; of more only the count is.
const TOLD_MAX: usize = 100;
/// No line of ours is longer; what is, is read on to its end in pieces and not kept.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// What is wrong at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub struct Finding {
    /// Line of the log, from 1; one past the last where something is missing at its end; 0 where it is about the head.
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
    /// The head is not there, cannot be read, or is not signed by its key.
    Head,
    /// The log does not contain the head that it is held against.
    Forked,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Intact entries.
    pub entries: u64,
    /// Number of the last intact entry; 0 where there is none.
    pub last: u64,
    /// Its hash.
    pub last_hash: String,
    /// When it was written.
    pub last_at: Option<Timestamp>,
    /// Length of what was read, bytes.
    pub bytes: u64,
    /// Length of the log up to and with its last intact line, bytes.
    pub intact_bytes: u64,
    /// Length of the log up to and with its last line feed, bytes.
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
        self.find(0, self.last, FindingKind::Head, why.to_owned());
    }

    fn find(&mut self, line: u64, sequence: u64, kind: FindingKind, text: String) {
        self.finding_count += 1;
        if self.findings.len() < TOLD_MAX {
            self.findings.push(Finding { line, sequence, kind, text });
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
}

/// Reads the log to its end. `points` are what it must go through. Each intact entry is handed to `take`, with the length
/// of the log up to and with it, bytes.
///
/// # Errors
/// When it cannot be read on.
pub fn verify(
    log: &mut dyn BufRead,
    points: &[Point],
    take: &mut dyn FnMut(&Link, u64),
) -> Result<Verdict, std::io::Error> {
    let mut reading = Reading { verdict: Verdict::default(), before: GENESIS.to_owned(), is_sure: true, points };
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        let read = std::io::Read::take(&mut *log, LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        number += 1;
        reading.verdict.bytes += read as u64;
        match line.strip_suffix(b"\n") {
            Some(whole) => {
                reading.verdict.line_bytes = reading.verdict.bytes;
                reading.take(number, whole, take);
            }
            None => reading.torn(number),
        }
    }
    reading.end(number);
    Ok(reading.verdict)
}

struct Reading<'a> {
    verdict: Verdict,
    /// Hash of the line before.
    before: String,
    /// False after a line that could not be read: what the next one names as the line before cannot be checked then.
    is_sure: bool,
    points: &'a [Point],
}

impl Reading<'_> {
    fn take(&mut self, number: u64, line: &[u8], take: &mut dyn FnMut(&Link, u64)) {
        let read = std::str::from_utf8(line).map_err(|_| BrokenLine::Shape).and_then(chain::read);
        let expected = self.verdict.last + 1;
        match read {
            Ok(link) => {
                self.place(number, &link);
                self.pass(number, &link);
                let Link { entry, hash, .. } = &link;
                let verdict = &mut self.verdict;
                (verdict.last, verdict.last_at) = (entry.sequence, Some(entry.at));
                verdict.last_hash.clone_from(hash);
                verdict.entries += 1;
                verdict.intact_bytes = verdict.bytes;
                self.before.clone_from(hash);
                self.is_sure = true;
                take(&link, verdict.intact_bytes);
            }
            Err(problem) => {
                let text = format!("line {number}, entry {expected}: {problem}");
                self.verdict.find(number, expected, FindingKind::Altered, text);
                self.verdict.last = expected;
                self.is_sure = false;
            }
        }
    }

    /// Whether an intact line is where it was written.
    fn place(&mut self, number: u64, link: &Link) {
        let (expected, found) = (self.verdict.last + 1, link.entry.sequence);
        let (kind, text) = if found > expected {
            let gone = if found - 1 == expected {
                format!("entry {expected} is missing")
            } else {
                format!("entries {expected} to {} are missing", found - 1)
            };
            (FindingKind::Missing, format!("line {number}: {gone}"))
        } else if found < expected {
            (FindingKind::Moved, format!("line {number}: entry {found} is not where it was written"))
        } else if self.is_sure && link.before != self.before {
            let text = format!("line {number}: entry {found} was written after another entry {}", found - 1);
            (FindingKind::Moved, text)
        } else {
            return;
        };
        self.verdict.find(number, found, kind, text);
    }

    /// Whether the log goes through the points at this entry.
    fn pass(&mut self, number: u64, link: &Link) {
        let sequence = link.entry.sequence;
        for point in self.points.iter().filter(|point| point.sequence == sequence && point.hash != link.hash) {
            let (kind, of) = match point.is_head {
                true => (FindingKind::Head, "the signed end"),
                false => (FindingKind::Forked, "the head that was kept elsewhere"),
            };
            let text = format!("line {number}: entry {sequence} is another than {of} says");
            self.verdict.find(number, sequence, kind, text);
        }
    }

    fn torn(&mut self, number: u64) {
        let expected = self.verdict.last + 1;
        let text = format!("line {number}, entry {expected}: it is cut off");
        self.verdict.find(number, expected, FindingKind::Torn, text);
    }

    fn end(&mut self, lines: u64) {
        let last = self.verdict.last;
        for point in self.points.iter().filter(|point| point.sequence > last) {
            let text = format!("after line {lines}: entries {} to {} are cut off", last + 1, point.sequence);
            let kind = if point.is_head { FindingKind::CutOff } else { FindingKind::Forked };
            self.verdict.find(lines + 1, last + 1, kind, text);
        }
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
