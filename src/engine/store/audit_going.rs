//! Lets go of the oldest sealed part of the audit log. It is proposed here, said in the log by the engine, signed with the log, and
//! only then gone: what is missing otherwise was taken out.

use std::fs::File;
use std::io::{self, BufReader};

use super::audit_file::AuditFile;
use super::audit_segments::Sealed;
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

impl AuditFile {
    /// The last of the sealed entries that may go by `rule`, none of which `is_needed`; they go once the log says so in the words of
    /// `audit::letting_go`.
    pub(super) fn propose(
        &mut self,
        rule: &GoingRule,
        is_needed: &dyn Fn(&AuditEntry) -> bool,
    ) -> io::Result<Option<End>> {
        let mut bytes = self.segments.bytes()? + self.end.bytes;
        let mut last = None;
        for one in self.segments.sealed.iter().take(LOOKS_MAX) {
            // One that proves nothing is for a person to look at.
            let Ok(head) = one.head() else { break };
            let left = bytes.saturating_sub(bytes_below(one.log())?);
            // One of a time when nothing was sealed may be most of the log: that goes by its age alone.
            let is_for_room =
                bytes > rule.bytes_max && left >= rule.bytes_max / 2 && head.end.at < rule.before_for_room;
            if head.end.at >= rule.before && !is_for_room {
                break;
            }
            let mut is_one_needed = false;
            let mut file = BufReader::with_capacity(1 << 16, File::open(one.log())?);
            let mut reading = Reading::new(&Start::genesis(), &[]);
            reading.read(None, &mut file, &mut |link, _| is_one_needed |= is_needed(&link.entry))?;
            if is_one_needed {
                break;
            }
            bytes = left;
            last = Some(head.end);
        }
        self.going = last.clone().map(|end| Going { end, is_told: false });
        Ok(last)
    }

    /// True where [`Self::propose`] may find something.
    pub(super) fn has_old(&self, rule: &GoingRule) -> bool {
        let Some(Ok(oldest)) = self.segments.sealed.first().map(Sealed::head) else { return false };
        oldest.end.at < rule.before.max(rule.before_for_room)
    }

    /// Lets go of what the log says is to go. The order is: the entry, the anchor, the files; whatever is left of it is done later.
    pub(super) fn let_go(&mut self) {
        let Some(Going { end, .. }) = self.going.as_ref().filter(|going| going.is_told) else { return };
        match self.segments.let_go(self.key.sign_anchor(end.clone())) {
            Ok(()) => self.going = None,
            Err(problem) => tracing::warn!("the oldest part of the audit log stays where it is: {problem}"),
        }
    }
}
