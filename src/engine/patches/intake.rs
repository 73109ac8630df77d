//! What is known after a document came in: the new entries in place of the old, or the old with what changed. A document that
//! cannot be trusted leaves everything as it was.

use std::collections::BTreeMap;

use super::feeds::FeedError;
use super::feeds::document::{Document, FeedEntry};
use super::shelf::{FeedHead, Kept};
use crate::engine::clock::Timestamp;

/// How a document came in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arrival {
    /// When.
    pub at: Timestamp,
    /// From which address or file.
    pub origin: String,
    /// What the server calls this state of it.
    pub etag: Option<String>,
    /// When the server says that it last changed.
    pub last_modified: Option<String>,
    /// Which part of the feed it is, where each is fetched by itself.
    pub part: Option<String>,
    /// A person said that it may have less than half of what there was.
    pub may_shrink: bool,
}

/// Takes a document in.
///
/// # Errors
/// When most of it cannot be used, or it is whole and has half of the entries there were, or fewer.
pub fn take<T: FeedEntry>(
    before: Option<Kept<T>>,
    document: Document<T>,
    arrival: Arrival,
) -> Result<Kept<T>, FeedError> {
    let feed = T::KIND.title();
    let Document { read, of, is_whole } = document;
    read.not_empty(feed)?;
    let known = before.as_ref().map_or(0, |before| before.entries.len());
    if is_whole && !arrival.may_shrink {
        read.not_shrunk(feed, known)?;
    }
    let is_first = before.is_none();
    let (old, old_head) = before.map_or((Vec::new(), None), |before| (before.entries, Some(before.head)));
    let mut fresh = read.entries;
    // The last of several with one key counts: the sort keeps their order.
    fresh.sort_by(|one, other| one.key().cmp(&other.key()));
    fresh.reverse();
    fresh.dedup_by(|one, other| one.key() == other.key());
    fresh.reverse();
    for entry in &mut fresh {
        let at = old.binary_search_by(|known| known.key().cmp(&entry.key()));
        entry.after(at.ok().and_then(|at| old.get(at)), is_first, arrival.at);
    }
    let entries = if is_whole { fresh } else { merged(old, fresh) };
    let (cursor, resume_at) = old_head.as_ref().map_or((None, None), |head| (head.cursor, head.resume_at));
    let mut part_etags =
        old_head.filter(|head| head.origin == arrival.origin).map_or_else(BTreeMap::new, |head| head.part_etags);
    let (etag, last_modified) = match arrival.part {
        Some(part) => {
            part_etags.remove(&part);
            part_etags.extend(arrival.etag.map(|etag| (part, etag)));
            (None, None)
        }
        None => (arrival.etag, arrival.last_modified),
    };
    let head = FeedHead {
        taken_at: arrival.at,
        origin: arrival.origin,
        of,
        count: entries.len(),
        set_aside_count: read.dropped_count,
        first_problem: read.first_problem,
        etag,
        last_modified,
        part_etags,
        cursor,
        resume_at,
    };
    Ok(Kept { head, entries })
}

/// Both, in order; of entries with one key the fresh one.
fn merged<T: FeedEntry>(old: Vec<T>, fresh: Vec<T>) -> Vec<T> {
    let mut entries = Vec::with_capacity(old.len() + fresh.len());
    let (mut old, mut fresh) = (old.into_iter().peekable(), fresh.into_iter().peekable());
    while let (Some(known), Some(new)) = (old.peek(), fresh.peek()) {
        let order = known.key().cmp(&new.key());
        match order {
            std::cmp::Ordering::Less => entries.extend(old.next()),
            std::cmp::Ordering::Equal => drop(old.next()),
            std::cmp::Ordering::Greater => entries.extend(fresh.next()),
        }
    }
    entries.extend(old);
    entries.extend(fresh);
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::patches::feeds::Read;
    use crate::engine::patches::feeds::debian::{Verdict, VerdictState};

    fn verdict(number: u32, fix: &str) -> Verdict {
        Verdict {
            id: format!("CVE-2026-{number:04}").parse().unwrap(),
            source: "openssl".to_owned(),
            release: "bookworm".to_owned(),
            state: if fix.is_empty() { VerdictState::Open } else { VerdictState::FixedIn(fix.to_owned()) },
            urgency: String::new(),
            no_dsa: None,
            fix_seen_at: None,
        }
    }

    fn document(entries: Vec<Verdict>, is_whole: bool) -> Document<Verdict> {
        Document { read: Read { entries, dropped_count: 0, first_problem: None }, of: None, is_whole }
    }

    fn at(at: i64) -> Arrival {
        Arrival { at: Timestamp(at), ..Arrival::default() }
    }

    #[test]
    fn the_age_of_a_fix_counts_from_the_document_that_first_had_it() {
        let first = take(None, document(vec![verdict(2, "1.1"), verdict(1, "")], true), at(10)).unwrap();
        assert_eq!(first.entries.iter().map(|entry| entry.fix_seen_at).collect::<Vec<_>>(), [None, None]);
        let second = take(Some(first), document(vec![verdict(1, "1.2"), verdict(2, "1.1")], true), at(20)).unwrap();
        let seen: Vec<_> = second.entries.iter().map(|entry| entry.fix_seen_at).collect();
        assert_eq!(seen, [Some(Timestamp(20)), None]);
        let third = take(Some(second), document(vec![verdict(1, "1.2"), verdict(2, "1.3")], true), at(30)).unwrap();
        let seen: Vec<_> = third.entries.iter().map(|entry| entry.fix_seen_at).collect();
        assert_eq!(seen, [Some(Timestamp(20)), Some(Timestamp(30))]);
    }

    #[test]
    fn one_that_shrinks_by_half_is_refused_unless_a_person_says_otherwise() {
        let full = || take(None, document((1..=4).map(|n| verdict(n, "")).collect(), true), at(1)).unwrap();
        let half = || document(vec![verdict(1, ""), verdict(2, "")], true);
        assert!(matches!(take(Some(full()), half(), at(2)), Err(FeedError::Shrunk { before: 4, now: 2, .. })));
        let allowed = Arrival { may_shrink: true, ..at(2) };
        assert_eq!(take(Some(full()), half(), allowed).unwrap().entries.len(), 2);
        assert!(matches!(take(Some(full()), document(Vec::new(), true), at(2)), Err(FeedError::Empty { .. })));
    }

    #[test]
    fn a_part_adds_and_replaces() {
        let kept = take(None, document(vec![verdict(1, ""), verdict(3, "")], true), at(1)).unwrap();
        let part = document(vec![verdict(4, ""), verdict(3, "1"), verdict(2, ""), verdict(3, "2")], false);
        let kept = take(Some(kept), part, at(2)).unwrap();
        let ids: Vec<String> = kept.entries.iter().map(|entry| entry.id.to_string()).collect();
        assert_eq!(ids, ["CVE-2026-0001", "CVE-2026-0002", "CVE-2026-0003", "CVE-2026-0004"]);
        assert_eq!((kept.entries[2].state.clone(), kept.head.count), (VerdictState::FixedIn("2".into()), 4));
    }
}
