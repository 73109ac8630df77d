//! The numbering of the audit log and its newest entries, for the picture.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::clock::Timestamp;
use crate::engine::limits::AUDIT_IN_SNAPSHOT_MAX;
use crate::engine::model::{AuditEntry, AuditKind, IncidentId, Run, RunId};
use crate::engine::redact::redact;

/// Numbers entries without gaps.
#[derive(Default)]
pub(super) struct AuditLog {
    last: u64,
    newest_first: VecDeque<Arc<AuditEntry>>,
}

/// What an entry is about.
#[derive(Clone, Copy, Default)]
pub(super) struct About {
    pub incident: Option<IncidentId>,
    pub run: Option<RunId>,
}

impl From<IncidentId> for About {
    fn from(incident: IncidentId) -> Self {
        Self { incident: Some(incident), run: None }
    }
}

impl From<&Run> for About {
    fn from(run: &Run) -> Self {
        Self { incident: run.incident(), run: Some(run.id) }
    }
}

impl AuditLog {
    /// Takes an entry back from the store; they may come in any order.
    pub(super) fn restore(&mut self, entry: AuditEntry) {
        self.last = self.last.max(entry.sequence);
        let place = self.newest_first.partition_point(|have| have.sequence > entry.sequence);
        self.newest_first.insert(place, Arc::new(entry));
        self.newest_first.truncate(AUDIT_IN_SNAPSHOT_MAX);
    }

    /// The next entry has at least this number.
    pub(super) fn number_from(&mut self, next: u64) {
        self.last = self.last.max(next.saturating_sub(1));
    }

    /// Makes the next entry, without the secrets its text may hold; the caller keeps it.
    pub(super) fn append(&mut self, at: Timestamp, kind: AuditKind, by: &str, about: About, text: &str) -> AuditEntry {
        self.last += 1;
        let entry = AuditEntry {
            sequence: self.last,
            at,
            kind,
            by: Arc::from(by),
            incident: about.incident,
            run: about.run,
            text: Arc::from(redact(text)),
        };
        self.newest_first.push_front(Arc::new(entry.clone()));
        self.newest_first.truncate(AUDIT_IN_SNAPSHOT_MAX);
        entry
    }

    /// Newest first.
    pub(super) fn newest(&self) -> impl Iterator<Item = &Arc<AuditEntry>> {
        self.newest_first.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_keeps_no_secret() {
        let mut log = AuditLog::default();
        let entry = log.append(Timestamp(0), AuditKind::Intent, "ana", About::default(), "$ psql password=hunter2");
        assert_eq!(entry.text.as_ref(), "$ psql password=⟨redacted:password⟩");
        assert_eq!(log.newest().next().map(|newest| newest.text.as_ref()), Some(entry.text.as_ref()));
    }
}
