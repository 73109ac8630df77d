//! What is damaged, cut off or lost is set aside, told and, where it can be, brought back.

use super::*;

#[test]
fn a_gap_in_the_audit_log_is_found() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    store.write(&[audit(1, "one"), audit(2, "two"), audit(4, "four")], true).unwrap();
    let found = &audit_file::check(folder.path(), &[]).unwrap().findings[0];
    assert_eq!((found.sequence, found.kind), (4, FindingKind::Missing), "{}", found.text);
    assert!(store.load().unwrap().problems[0].contains("entry 3 is missing"));
}

#[test]
fn a_damaged_snapshot_is_set_aside_and_nothing_is_lost() {
    for damage in [
        |file: &Path| std::fs::write(file, "").unwrap(),
        |file: &Path| {
            let bytes = std::fs::read(file).unwrap();
            std::fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
        },
    ] {
        let folder = folder();
        {
            let store = Store::open(folder.path()).unwrap();
            store.write(&sample_records(), true).unwrap();
        }
        drop(Store::open(folder.path()).unwrap());
        let snapshots: Vec<PathBuf> = std::fs::read_dir(folder.path().join("store"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("snap."))
            .collect();
        assert!(!snapshots.is_empty(), "sled writes one when it opens a log that has grown");
        snapshots.iter().for_each(|file| damage(file));
        let store = Store::open(folder.path()).unwrap();
        assert!(store.notices()[0].contains("set-aside"), "{:?}", store.notices());
        assert_eq!(store.load().unwrap().changes.len(), 1);
        assert!(folder.path().join("set-aside").read_dir().unwrap().count() >= 1);
    }
}

#[test]
fn a_store_damaged_beyond_repair_is_an_error_that_says_what_to_do() {
    let folder = folder();
    {
        let store = Store::open(folder.path()).unwrap();
        store.write(&sample_records(), true).unwrap();
    }
    std::fs::remove_file(folder.path().join("store/db")).unwrap();
    std::fs::create_dir(folder.path().join("store/db")).unwrap();
    for _start in 0..12 {
        let message = Store::open(folder.path()).unwrap_err().to_string();
        assert!(message.contains("hypo import"), "{message}");
    }
    assert_eq!(folder.path().join("set-aside").read_dir().unwrap().count(), 8, "starts fill the disk");
}

#[test]
fn a_snapshot_that_a_kill_cut_off_is_no_damage() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    store.write(&sample_records(), true).unwrap();
    let before = store.load().unwrap();
    drop(store);
    for half in ["", "half of a snapshot"] {
        let unfinished = folder.path().join("store/snap.00000000FFFFFFFF.generating");
        std::fs::write(&unfinished, half).unwrap();
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.notices().len(), 0, "{:?}", store.notices());
        assert_eq!(store.load().unwrap(), before);
        assert!(!unfinished.exists() && !folder.path().join("set-aside").exists());
    }
}

#[test]
fn numbers_that_were_lost_are_told_once_and_not_given_again() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    store.write(&[change(7), audit(1, "one"), audit(2, "two")], true).unwrap();
    store.tree(TreeName::Changes).remove(7_u64.to_be_bytes()).unwrap();
    drop(store);
    let store = Store::open(folder.path()).unwrap();
    assert!(store.notices()[0].contains("has lost changes 1 to 7"), "{:?}", store.notices());
    let next = store.load().unwrap().next;
    assert_eq!((next.change, next.audit), (8, 3));
    store.write(&[change(8), audit(3, "three")], true).unwrap();
    drop(store);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.notices().len(), 0);
}

#[test]
fn what_sled_lost_of_the_audit_log_comes_back_from_its_file() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    store.write(&[audit(1, "one"), audit(2, "two"), audit(3, "three")], true).unwrap();
    store.tree(TreeName::Audit).remove(3_u64.to_be_bytes()).unwrap();
    drop(store);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.notices().len(), 0);
    let kept = store.load().unwrap().audit;
    assert_eq!(kept.last().map(|entry| (entry.sequence, entry.text.as_ref())), Some((3, "three")));
    assert!(audit_file::check(folder.path(), &[]).unwrap().is_whole());
}

#[test]
fn a_store_from_before_the_log_gets_one() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    store.write(&[audit(1, "one"), audit(2, "two")], true).unwrap();
    drop(store);
    for file in [audit_file::LOG_FILE, audit_file::HEAD_FILE, audit_file::KEY_FILE] {
        std::fs::remove_file(folder.path().join(file)).unwrap();
    }
    drop(Store::open(folder.path()).unwrap());
    let verdict = audit_file::check(folder.path(), &[]).unwrap();
    assert!(verdict.is_whole() && verdict.last == 2, "{:?}", verdict.findings);
}

#[test]
fn an_entry_that_a_crash_cut_off_is_taken_away_and_one_that_was_altered_stays_to_be_seen() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    store.write(&[audit(1, "one"), audit(2, "two")], true).unwrap();
    drop(store);
    let path = folder.path().join(audit_file::LOG_FILE);
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{whole}{}", &whole[..40])).unwrap();
    assert!(!audit_file::check(folder.path(), &[]).unwrap().is_whole());
    let store = Store::open(folder.path()).unwrap();
    assert!(store.notices().is_empty(), "{:?}", store.notices());
    store.write(&[audit(3, "three")], true).unwrap();
    drop(store);
    assert!(audit_file::check(folder.path(), &[]).unwrap().is_whole());

    let altered = std::fs::read_to_string(&path).unwrap().replace("two", "too");
    std::fs::write(&path, altered).unwrap();
    let store = Store::open(folder.path()).unwrap();
    assert!(store.notices()[0].contains("line 2, entry 2"), "{:?}", store.notices());
    store.write(&[audit(4, "four")], true).unwrap();
    let findings = audit_file::check(folder.path(), &[]).unwrap().findings;
    assert_eq!(findings.iter().map(|one| (one.sequence, one.kind)).collect::<Vec<_>>(), [(2, FindingKind::Altered)]);
}

#[test]
fn a_log_that_was_put_back_to_an_earlier_day_is_found_by_a_head_kept_elsewhere() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    store.write(&[audit(1, "one")], true).unwrap();
    let files = [audit_file::LOG_FILE, audit_file::HEAD_FILE];
    let earlier = files.map(|file| std::fs::read(folder.path().join(file)).unwrap());
    store.write(&[audit(2, "two")], true).unwrap();
    let elsewhere = audit_file::head(folder.path()).unwrap().unwrap();
    drop(store);
    for (file, bytes) in files.iter().zip(earlier) {
        std::fs::write(folder.path().join(file), bytes).unwrap();
    }
    assert!(audit_file::check(folder.path(), &[]).unwrap().is_whole(), "it proves itself");
    let findings = audit_file::check(folder.path(), &[elsewhere]).unwrap().findings;
    assert_eq!((findings[0].sequence, findings[0].kind), (2, FindingKind::Forked));
}

#[test]
fn one_unreadable_entry_does_not_hold_the_others_up() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    store.write(&[change(1), change(2)], true).unwrap();
    store.tree(TreeName::Changes).insert(1_u64.to_be_bytes(), &[VALUE_VERSION, 255, 255]).unwrap();
    store.tree(TreeName::Runs).insert(1_u64.to_be_bytes(), &[9]).unwrap();
    let stored = store.load().unwrap();
    assert_eq!(stored.changes.len(), 1);
    assert_eq!(stored.unreadable_count, 2);
    assert!(stored.problems.iter().any(|problem| problem.contains("its version is 9")), "{:?}", stored.problems);
}
