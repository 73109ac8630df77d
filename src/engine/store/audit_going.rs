//! Lets go of the oldest sealed part of the audit log. It is proposed here, said in the log by the engine, signed with the log, and
//! only then gone: what is missing otherwise was taken out.

use std::fs::File;
use std::io::{self, BufReader};
use std::iter::once;

use super::audit_file::AuditFile;
use super::set_aside::bytes_below;
use crate::engine::audit::head::End;
use crate::engine::audit::verify::{Reading, Start};
use crate::engine::clock::Timestamp;
use crate::engine::model::AuditEntry;

/// Sealed files that are looked through at a time for what must stay.
const LOOKS_MAX: usize = 4;

/// Entries that are to go.
pub(super) struct Going {
    /// The last of them.
    pub(super) end: End,
    /// The log says so.
    pub(super) is_told: bool,
}

/// What of the log may go.
#[derive(Debug, Clone, Copy)]
pub(super) struct GoingRule {
    /// What is older than this.
    pub(super) before: Timestamp,
    /// What is older than this, while the log is larger …
    pub(super) before_for_room: Timestamp,
    /// … than so many bytes.
    pub(super) bytes_max: u64,
}

/// Why nothing goes from here on: it is for a person to look at.
fn stay(why: &str) {
    tracing::warn!("nothing more of the audit log is let go, as it is not whole: {why}; `hypo audit verify` shows all");
}

impl AuditFile {
    /// The last of the sealed entries that may go by `rule`, none of which `is_needed`; they go once the log says so in the words of
    /// `audit::letting_go`.
    pub(super) fn propose(
        &mut self,
        rule: &GoingRule,
        is_needed: &dyn Fn(&AuditEntry) -> bool,
    ) -> io::Result<Option<End>> {
        let mut bytes = self.segments.bytes()? + self.end.bytes;
        let (mut before, mut last) = (self.segments.begins_after(), None);
        for (index, one) in self.segments.sealed.iter().take(LOOKS_MAX).enumerate() {
            let name = one.name();
            let head = match one.head() {
                Ok(head) => head,
                Err(problem) => {
                    stay(&format!("the end of {name}: {problem}"));
                    break;
                }
            };
            let at = self.written_before(index);
            let left = bytes.saturating_sub(bytes_below(one.log())?);
            // One of a time when nothing was sealed may be most of the log: that goes by its age alone.
            let is_for_room = bytes > rule.bytes_max && left >= rule.bytes_max / 2 && at < rule.before_for_room;
            if at >= rule.before && !is_for_room {
                break;
            }
            let mut is_one_needed = false;
            let mut file = BufReader::with_capacity(1 << 16, File::open(one.log())?);
            let mut reading = Reading::new(&Start::after(&before), &[]);
            reading.read(Some(&name), &mut file, &mut |link, _| is_one_needed |= is_needed(&link.entry))?;
            before = head.end.clone();
            reading.seal(&Ok(head));
            // What it is not whole by would be gone with it, and what was needed in it cannot be told.
            if let Some(finding) = reading.end().findings.first() {
                stay(&finding.text);
                break;
            }
            if is_one_needed {
                break;
            }
            bytes = left;
            last = Some(before.clone());
        }
        self.going = last.clone().map(|end| Going { end, is_told: false });
        Ok(last)
    }

    /// True where [`Self::propose`] may find something, or has to say why it does not.
    pub(super) fn has_old(&self, rule: &GoingRule) -> bool {
        let Some(oldest) = self.segments.sealed.first() else { return false };
        oldest.head().is_err() || self.written_before(0) < rule.before.max(rule.before_for_room)
    }

    /// Until when the entries of that sealed file were written. What comes after it is younger, so that an entry of a clock that was
    /// ahead does not make it young; nor does one of a clock that was behind make it old.
    fn written_before(&self, index: usize) -> Timestamp {
        let heads = self.segments.sealed.iter().filter_map(|one| one.head().ok()).map(|head| head.end.at);
        let times: Vec<Timestamp> = once(self.segments.begins_after().at).chain(heads).chain([self.end.at]).collect();
        // One that is before the one before it, which is not after the next one, is of a clock that was behind.
        let is_right = |three: &&[Timestamp]| !matches!(three, [before, it, next] if it < before && before <= next);
        let after = times.windows(3).skip(index).filter(is_right).filter_map(|three| three.get(1));
        // The open file's end is no age of what is before it: a clock that has just been set may have written it. Where nothing tells,
        // the file stays.
        after.min().copied().unwrap_or(Timestamp(i64::MAX))
    }

    /// Lets go of what the log says is to go. The order is: the entry, the anchor, the files; whatever is left of it is done later.
    pub(super) fn let_go(&mut self) {
        let Some(Going { end, .. }) = self.going.as_ref().filter(|going| going.is_told) else { return };
        match self.segments.let_go(self.key.sign_anchor(end.clone())) {
            Ok(()) => self.going = None,
            Err(problem) => {
                return tracing::warn!("the oldest part of the audit log stays where it is: {problem}");
            }
        }
        if let Err(problem) = self.segments.remove_left() {
            tracing::warn!("a part of the audit log that was let go is still there: {problem}");
        }
    }
}
