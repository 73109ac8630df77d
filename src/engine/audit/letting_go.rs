//! What the log says before its oldest entries go: without that entry, what is missing at its beginning was taken out.

use super::head::End;
use crate::engine::model::{AuditEntry, AuditKind};

/// The text of the entry, which the engine writes; `end` is the last of those that go.
#[must_use]
pub fn text(end: &End) -> String {
    let End { sequence, hash, .. } = end;
    format!("lets go of the audit log's entries up to {sequence}, whose line has the hash {hash}: [store] says so")
}

/// Whether an entry is the one that says so. What people write is of another kind.
#[must_use]
pub fn is_told_by(entry: &AuditEntry, end: &End) -> bool {
    entry.kind == AuditKind::Decision && entry.sequence > end.sequence && *entry.text == *text(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::clock::Timestamp;
    use crate::engine::redact::redact;

    #[test]
    fn only_the_engine_s_own_word_for_that_end_counts_and_nothing_of_it_is_struck() {
        let end = End { sequence: 12, hash: "3f9a".repeat(16), bytes: 5, at: Timestamp(5) };
        assert_eq!(&*redact(&text(&end)), text(&end), "the hash is no secret");
        let entry = AuditEntry {
            sequence: 13,
            at: Timestamp(6),
            kind: AuditKind::Decision,
            by: "engine".into(),
            incident: None,
            run: None,
            text: text(&end).into(),
        };
        assert!(is_told_by(&entry, &end));
        assert!(!is_told_by(&AuditEntry { kind: AuditKind::Operator, ..entry.clone() }, &end), "a note");
        assert!(!is_told_by(&AuditEntry { sequence: 12, ..entry.clone() }, &end), "it is among those that go");
        assert!(!is_told_by(&entry, &End { hash: "0000".repeat(16), ..end }));
    }
}
