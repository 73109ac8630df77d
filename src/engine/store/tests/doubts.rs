//! The audit log where something of it is in doubt: what stays, what is told, and what none of it keeps from being opened.

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;

use super::audit_check::Files;
use super::audit_going::GoingRule;
use super::sealing::{EVERYTHING, Log, entry, found, opened, sealed, store_with};
use super::*;
use crate::engine::audit::chain;
use crate::engine::clock::{DAY_MS, HOUR_MS};
use crate::engine::durable_file::waits;

#[test]
fn what_an_opening_found_is_sealed_only_after_it_was_written_anew() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    // As where there was no room to seal it.
    store.audit().seal_bytes = u64::MAX;
    let long = "x".repeat(1_000_000);
    (1..=17).for_each(|sequence| store.write(&[audit(sequence, &long)], true).unwrap());
    drop(store);
    let inode = || fs::metadata(folder.path().join(audit_file::LOG_FILE)).unwrap().ino();
    let as_found = inode();
    let store = Store::open(folder.path()).unwrap();
    assert_eq!((sealed(folder.path()), inode()), (Vec::new(), as_found));
    let store = store.renew().unwrap();
    assert_eq!(sealed(folder.path()), Vec::new());
    assert_ne!(inode(), as_found, "it is not written anew");
    store.write(&[audit(18, "more")], true).unwrap();
    let files = sealed(folder.path());
    assert_eq!(files.iter().map(|file| (file.1, file.2)).collect::<Vec<_>>(), [(1, 18)]);
    assert_eq!(found(folder.path(), &[]), []);
}

#[test]
fn what_was_waited_for_in_vain_is_written_anew_by_whoever_opens_it_next() {
    let inodes =
        |folder: &Path| ["store/db", audit_file::LOG_FILE].map(|name| fs::metadata(folder.join(name)).unwrap().ino());
    for (name, errno) in [
        (audit_file::LOG_FILE, Errno::EIO),
        (audit_file::LOG_FILE, Errno::ENOSPC),
        ("store/db", Errno::EDQUOT),
        ("store/db", Errno::EIO),
    ] {
        for opens in [mended, |path: &Path| Store::open_and_load(path).map(|(store, _)| store)] {
            let folder = folder();
            let store = Store::open(folder.path()).unwrap();
            store.write(&[audit(1, "one")], true).unwrap();
            let before = inodes(folder.path());
            assert!(waits::failing(name, errno, || store.write(&[audit(2, "two")], true)).is_err());
            drop(store);
            // Whoever had the doubt is gone; who only looks leaves it to whoever goes on.
            let looked = Store::open(folder.path()).unwrap();
            assert!(looked.hold().is_in_doubt() && inodes(folder.path()) == before);
            drop(looked);
            let store = opens(folder.path()).unwrap();
            assert_eq!(store.load().unwrap().audit.len(), 2);
            let after = inodes(folder.path());
            assert!(
                before[0] != after[0] && before[1] != after[1],
                "{name}, {errno}: the system's memory was believed"
            );
            drop(store);
            drop(opens(folder.path()).unwrap());
            assert_eq!(inodes(folder.path()), after, "it is in doubt for ever");
        }
    }
}

#[test]
fn of_a_store_in_doubt_that_cannot_be_written_anew_as_a_whole_all_is_taken_over_that_can_be_read() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    store.write(&[change(1), audit(1, "one")], true).unwrap();
    // Which a start does not read but for the last of it.
    for number in 0..20_000_u32 {
        let value = format!("value {number:06}");
        store.tree(TreeName::Past).insert(number.to_be_bytes(), value.as_bytes()).unwrap();
    }
    store.flush().unwrap();
    drop(store);
    // The log that a start goes through begins behind it then.
    let store = Store::open(folder.path()).unwrap();
    store.hold().doubt();
    drop(store);
    let path = folder.path().join("store/db");
    let mut bytes = fs::read(&path).unwrap();
    let wanted = b"value 005000";
    let places: Vec<usize> = (0..bytes.len() - wanted.len()).filter(|at| bytes[*at..].starts_with(wanted)).collect();
    assert!(!places.is_empty());
    places.iter().for_each(|at| bytes[*at] = b'?');
    fs::write(&path, bytes).unwrap();
    assert_eq!(Store::open(folder.path()).unwrap().load().unwrap().changes.len(), 1, "who looks sees it");
    assert!(matches!(mended(folder.path()), Err(StoreError::Damaged { .. })));
    assert!(!folder.path().join("incoming.part").exists(), "the try takes room");
    for start in 0..2 {
        let (store, stored) = Store::open_and_load(folder.path()).unwrap();
        assert_eq!((stored.changes.len(), stored.audit.len()), (1, 1), "start {start}");
        assert!(!store.hold().is_in_doubt() && store.notices()[0].contains("not all"), "{:?}", store.notices());
    }
    assert!(folder.path().join("set-aside/1/store").exists());
}

#[test]
fn where_there_was_no_room_to_write_nothing_is_in_doubt() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    for (name, is_doubtful) in [("no file", false), ("store/db", true)] {
        let failed = waits::failing(name, Errno::ENOSPC, || store.fail(&sled::Error::Io(Errno::ENOSPC.into())));
        assert!(matches!(failed, StoreError::Full { .. }));
        assert_eq!(store.hold().is_in_doubt(), is_doubtful, "{name}");
    }
}

#[test]
fn a_store_is_let_go_of_where_sled_breaks_off_and_is_in_doubt_then() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    store.write(&[audit(1, "one")], true).unwrap();
    let hold = store.hold();
    waits::failing(waits::OF_OTHERS, Errno::EIO, || drop(store));
    assert!(hold.is_in_doubt());
    drop(hold);
    assert_eq!(Store::open(folder.path()).unwrap().load().unwrap().audit.len(), 1);
}

#[test]
fn a_damaged_log_that_grows_does_not_drive_out_what_else_is_set_aside() {
    let folder = folder();
    let set_aside = |name: &str| {
        fs::write(folder.path().join(name), "the only copy").unwrap();
        set_aside::take(folder.path(), &[folder.path().join(name)]).unwrap()
    };
    let store = Store::open(folder.path()).unwrap();
    store.write(&[audit(1, "one"), audit(2, "two"), audit(3, "three")], true).unwrap();
    drop(store);
    let restored = set_aside("store before");
    let path = folder.path().join(audit_file::LOG_FILE);
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("two", "too")).unwrap();
    for start in 0..6 {
        let store = Store::open(folder.path()).unwrap();
        assert!(store.notices()[0].contains("set-aside/2"), "start {start}: {:?}", store.notices());
        store.write(&[audit(4 + start, "hypo began")], true).unwrap();
        if start == 3 {
            set_aside("something newer");
        }
    }
    assert!(restored.join("store before").exists());
    assert_eq!(set_aside::all(folder.path()).unwrap().len(), 3);
}

#[test]
fn what_cannot_be_removed_keeps_neither_the_store_closed_nor_the_rest_there() {
    let mut log = Log::with(30);
    let files = sealed(log.folder.path());
    log.let_go(&EVERYTHING).unwrap();
    let head = |index: usize| files[index].0.with_extension("head");
    assert!(!files[2].0.exists() && !head(2).exists());
    // As a file that nobody may remove; another, and an end without its log.
    fs::create_dir_all(files[0].0.join("within")).unwrap();
    for path in [&files[1].0, &head(1), &head(2)] {
        fs::write(path, "left").unwrap();
    }
    let again = opened(log.folder.path(), Some(&log.last));
    assert!(again.notices.is_empty(), "{:?}", again.notices);
    assert!(files[0].0.exists() && !files[1].0.exists() && !head(1).exists() && !head(2).exists());
    assert_eq!(log.found(), []);
    log.file = again.log;
    fs::remove_dir_all(&files[0].0).unwrap();
    fs::write(&files[0].0, "left").unwrap();
    log.append(20);
    log.let_go(&EVERYTHING).unwrap();
    assert!(!files[0].0.exists(), "it is tried again with what goes next");
    assert_eq!(log.found(), []);
}

#[test]
fn an_entry_that_stays_though_nobody_was_told_of_it_is_known_and_its_number_is_not_given_again() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    store.write(&[audit(1, "one"), audit(2, "two"), audit(3, "three")], true).unwrap();
    drop(store);
    let path = folder.path().join(audit_file::LOG_FILE);
    let text = fs::read_to_string(&path).unwrap();
    let last = chain::read(text.lines().last().unwrap()).unwrap();
    // It was killed between the log and the rest.
    let (line, _) = chain::line(&entry(4), &last.hash).unwrap();
    fs::write(&path, format!("{}{line}\n", text.replace("two", "too"))).unwrap();
    let (store, stored) = Store::open_and_load(folder.path()).unwrap();
    assert!(store.loss().is_none(), "nothing that was acknowledged is gone: {:?}", store.notices());
    assert_eq!((stored.audit.last(), stored.next.audit), (Some(&entry(4)), 5));
    store.write(&[audit(5, "hypo began")], true).unwrap();
    let mut told = Vec::new();
    audit_file::read(folder.path(), &mut |entry| told.push((entry.sequence, Arc::clone(&entry.text)))).unwrap();
    assert_eq!(told.last(), Some(&(5, Arc::from("hypo began"))));
    drop(store);
    // A line at the end that cannot be read has a number too.
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}no line of a log\n")).unwrap();
    let (store, stored) = Store::open_and_load(folder.path()).unwrap();
    assert_eq!(stored.next.audit, 7);
    store.write(&[audit(7, "hypo began again")], true).unwrap();
    assert!(fs::read_to_string(&path).unwrap().contains("hypo began again"));
}

#[test]
fn where_no_other_file_can_be_begun_the_large_one_goes_on() {
    let mut log = Log::with(3);
    let next = log.path("audit.next");
    fs::create_dir(&next).unwrap();
    let before = sealed(log.folder.path()).len();
    log.append(12);
    assert_eq!((sealed(log.folder.path()).len(), log.found()), (before, Vec::new()));
    fs::remove_dir(&next).unwrap();
    // What a crash left.
    fs::write(&next, "").unwrap();
    log.append(1);
    assert_eq!((sealed(log.folder.path()).len(), log.found()), (before + 1, Vec::new()));
    assert!(!next.exists());
}

#[test]
fn a_sealed_file_that_is_not_whole_stays_until_somebody_has_looked() {
    let mut log = Log::with(30);
    let files = sealed(log.folder.path());
    for damaged in [0, 1] {
        let whole = fs::read_to_string(&files[damaged].0).unwrap();
        fs::write(&files[damaged].0, whole.replacen("undo", "und0", 1)).unwrap();
        let end = log.file.propose(&EVERYTHING, &|_| false).unwrap();
        let before = damaged.checked_sub(1).map(|index| files[index].2);
        assert_eq!(end.map(|end| end.sequence), before);
        fs::write(&files[damaged].0, whole).unwrap();
    }
    let young = GoingRule { before: Timestamp(0), ..EVERYTHING };
    assert!(!log.file.has_old(&young));
    fs::write(files[0].0.with_extension("head"), "no head").unwrap();
    assert!(log.file.has_old(&young), "nobody is told why nothing goes");
    assert!(log.file.propose(&EVERYTHING, &|_| false).unwrap().is_none());
}

#[test]
fn an_entry_of_a_clock_that_was_wrong_neither_keeps_the_log_nor_lets_it_go() {
    let begin = Timestamp(1_763_000_000_000);
    // All entries but those of the wrong clock are older than the first, and younger than the second.
    for (step, before, goes) in [(365 * DAY_MS, begin + 30 * DAY_MS, true), (-365 * DAY_MS, begin - DAY_MS, false)] {
        let mut log = Log::with(0);
        for wrong in [false, false, true, false, false, false] {
            let files = sealed(log.folder.path()).len();
            while sealed(log.folder.path()).len() == files {
                let sequence = log.last.sequence + 1;
                let right = begin + i64::try_from(sequence).unwrap() * HOUR_MS;
                log.write(AuditEntry { at: if wrong { right + step } else { right }, ..entry(sequence) });
            }
        }
        let files = sealed(log.folder.path());
        let rule = GoingRule { before, ..EVERYTHING };
        let end = log.file.propose(&rule, &|_| false).unwrap();
        assert_eq!(end.map(|end| end.sequence), goes.then_some(files[3].2), "by {step} ms");
        assert_eq!(log.file.has_old(&rule), goes);
        // Nor does one that was written last, by a clock that is not set yet.
        let sequence = log.last.sequence + 1;
        log.write(AuditEntry { at: begin - 365 * DAY_MS, ..entry(sequence) });
        assert_eq!(log.file.has_old(&rule), goes);
    }
}

#[test]
fn a_log_of_which_nothing_is_left_is_told_of() {
    let folder = folder();
    drop(store_with(folder.path(), 20));
    for name in [audit_file::LOG_FILE, audit_file::HEAD_FILE] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    fs::remove_dir_all(folder.path().join("audit")).unwrap();
    let told = Store::open(folder.path()).unwrap().notices().join("; ");
    assert!(told.contains("all of it was gone") && !folder.path().join("set-aside").exists(), "{told}");
    assert_eq!(found(folder.path(), &[]), []);
    assert_eq!(audit_file::check(folder.path(), &[]).unwrap().entries, 20);
    assert!(Store::open(folder.path()).unwrap().notices().is_empty());
}

#[test]
fn a_reader_whose_open_file_is_sealed_meanwhile_looks_again() {
    let log = RefCell::new(Log::with(30));
    let folder = log.borrow().folder.path().to_path_buf();
    let is_first = Cell::new(true);
    let open_log = || {
        let open = File::open(folder.join(audit_file::LOG_FILE)).map(Some);
        if is_first.replace(false) {
            let (mut log, files) = (log.borrow_mut(), sealed(&folder).len());
            while sealed(&folder).len() == files {
                log.append(1);
            }
            // What says so is in the next file.
            log.let_go(&EVERYTHING).unwrap();
        }
        open
    };
    let verdict = Files::open(&open_log, &folder).unwrap().read(&[], &mut |_| {}).unwrap();
    assert!(verdict.is_whole(), "{:?}", verdict.findings);
    assert_eq!(verdict.last, log.borrow().last.sequence);
}

#[test]
fn a_sealed_file_that_cannot_be_read_does_not_keep_the_store_closed() {
    let folder = folder();
    drop(store_with(folder.path(), 20));
    fs::remove_dir_all(folder.path().join("store")).unwrap();
    fs::remove_file(folder.path().join("acknowledged")).unwrap();
    let (path, first, last) = sealed(folder.path()).remove(1);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let (store, stored) = Store::open_and_load(folder.path()).unwrap();
    let told = store.notices().join("; ");
    assert!(told.contains(&format!("{first:020}.jsonl line 1: it cannot be read on")), "{told}");
    let there: Vec<u64> = stored.audit.iter().map(|entry| entry.sequence).collect();
    let wanted: Vec<u64> = (1..=20).filter(|sequence| !(first..=last).contains(sequence)).collect();
    assert_eq!((there, stored.next.audit), (wanted, 21));
    // Whoever is sent to the verification is told the same there.
    let found: Vec<FindingKind> =
        audit_file::check(folder.path(), &[]).unwrap().findings.iter().map(|one| one.kind).collect();
    assert_eq!(found, [FindingKind::Unreadable, FindingKind::CutOff]);
}

#[test]
fn where_sled_breaks_off_nobody_ends_with_it_and_nothing_more_is_written() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let broken = store.guarded(|| -> Result<u64, StoreError> { panic!("pages do not fit together") });
    assert!(matches!(broken, Err(StoreError::Damaged { .. })));
    assert!(matches!(store.write(&[audit(1, "one")], true), Err(StoreError::Failed { .. })));
    assert!(!store.hold().is_in_doubt(), "nothing was waited for");
}
