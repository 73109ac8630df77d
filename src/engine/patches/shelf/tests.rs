//! What is read back is what was kept, or nothing.

use std::os::unix::fs::PermissionsExt;

use super::health::FeedState;
use super::*;
use crate::engine::clock::HOUR_MS;
use crate::engine::patches::feeds::epss::Estimate;
use crate::engine::patches::intake::{self, Arrival};

fn kept(count: usize) -> Kept<Estimate> {
    let rows: String = (0..count).map(|n| format!("CVE-2026-{n:04},0.5,0.5\n")).collect();
    let document = Estimate::read(format!("cve,epss,percentile\n{rows}").as_bytes()).unwrap();
    intake::take(None, document, Arrival { at: Timestamp(7), ..Arrival::default() }).unwrap()
}

#[test]
fn a_feed_reads_back_as_it_was_kept_and_one_that_was_changed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::of(folder.path());
    assert_eq!(shelf.load::<Estimate>().unwrap(), None);
    let renewal = shelf.renewal().unwrap();
    assert!(matches!(shelf.renewal(), Err(ShelfError::Busy(_))));
    shelf.keep(&kept(20), &renewal).unwrap();
    shelf.keep(&kept(30), &renewal).unwrap();
    assert_eq!(shelf.load::<Estimate>().unwrap().unwrap(), kept(30));
    assert_eq!(shelf.head(FeedKind::Epss).unwrap().unwrap().count, 30);
    let path = shelf.file(FeedKind::Epss);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let whole = fs::read(&path).unwrap();
    for end in 0..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        assert!(shelf.load::<Estimate>().is_err(), "{end}");
    }
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let said = shelf.load::<Estimate>().unwrap_err().to_string();
        assert!(said.contains("hypo advisories sync --feed epss"), "{said}");
    }
}

#[test]
fn how_a_feed_is_doing_follows_its_tries() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::of(folder.path());
    let state = |now: i64| {
        let reports = shelf.report(Timestamp(now), HOUR_MS);
        let report = reports.into_iter().find(|report| report.feed == FeedKind::Epss).unwrap();
        (report.state, report.age_ms, report.tried.map_or(0, |tried| tried.failed_in_a_row))
    };
    assert_eq!(state(0), (FeedState::Missing, None, 0));
    let renewal = shelf.renewal().unwrap();
    shelf.keep(&kept(3), &renewal).unwrap();
    shelf.note(FeedKind::Epss, Timestamp(7), None, &renewal).unwrap();
    assert_eq!(state(107), (FeedState::Fresh, Some(100), 0));
    assert_eq!(state(HOUR_MS + 8).0, FeedState::Stale);
    assert_eq!(state(-HOUR_MS).0, FeedState::Stale, "a clock that went back");
    for n in 1..=2 {
        shelf.note(FeedKind::Epss, Timestamp(8), Some("refused".to_owned()), &renewal).unwrap();
        assert_eq!(state(107), (FeedState::Failing, Some(100), n));
    }
    // Not changed since: as new as if it had been sent again.
    shelf.note(FeedKind::Epss, Timestamp(HOUR_MS), None, &renewal).unwrap();
    assert_eq!(state(HOUR_MS + 8), (FeedState::Fresh, Some(8), 0));
    fs::write(shelf.file(FeedKind::Epss), "x").unwrap();
    assert_eq!(state(HOUR_MS + 8).0, FeedState::Damaged);
}
