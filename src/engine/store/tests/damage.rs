//! What is damaged, cut off or lost is set aside, told and, where it can be, brought back.

use super::*;
use crate::engine::model::{Incident, IncidentState};
use crate::engine::world::fixtures;

#[test]
fn a_gap_in_the_audit_log_is_found() {
    let folder = folder();
    let store = mended(folder.path()).unwrap();
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
            let store = mended(folder.path()).unwrap();
            store.write(&sample_records(), true).unwrap();
        }
        drop(mended(folder.path()).unwrap());
        let snapshots: Vec<PathBuf> = std::fs::read_dir(folder.path().join("store"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("snap."))
            .collect();
        assert!(!snapshots.is_empty(), "sled writes one when it opens a log that has grown");
        snapshots.iter().for_each(|file| damage(file));
        let store = mended(folder.path()).unwrap();
        assert!(store.notices()[0].contains("set-aside"), "{:?}", store.notices());
        assert_eq!(store.load().unwrap().changes.len(), 1);
        assert!(folder.path().join("set-aside").read_dir().unwrap().count() >= 1);
    }
}

/// What sled cannot make anything of.
fn ruin(folder: &Path) {
    std::fs::remove_file(folder.join("store/db")).unwrap();
    std::fs::create_dir(folder.join("store/db")).unwrap();
}

#[test]
fn who_only_looks_mends_nothing() {
    let folder = folder();
    mended(folder.path()).unwrap().write(&sample_records(), true).unwrap();
    ruin(folder.path());
    let told = Store::open(folder.path()).unwrap_err().to_string();
    assert!(told.contains("hypo mends it when it is started. Nothing was changed"), "{told}");
    assert!(folder.path().join("store/db").is_dir() && !folder.path().join("set-aside").exists());
    assert!(mended(folder.path()).unwrap().notices().join("; ").contains("set-aside/1"));
}

#[test]
fn a_store_damaged_beyond_repair_begins_anew_with_what_the_audit_log_has() {
    let folder = folder();
    let store = mended(folder.path()).unwrap();
    store.write(&sample_records(), true).unwrap();
    let Record::Audit(mut entry) = audit(2, "began the last step") else { panic!("it is an entry") };
    (entry.incident, entry.run) = (Some(IncidentId(5)), Some(RunId(9)));
    store.write(&[Record::Audit(entry)], true).unwrap();
    drop(store);
    for is_all_lost in [false, true] {
        ruin(folder.path());
        if is_all_lost {
            std::fs::remove_file(folder.path().join("acknowledged")).unwrap();
        }
        let (store, stored) = Store::open_and_load(folder.path()).unwrap();
        let told = store.notices().join("; ");
        assert!(told.contains("begins anew with what the audit log has") && told.contains("set-aside/"), "{told}");
        assert!(told.contains("hypo restore") && store.loss().is_some(), "{told}");
        let texts: Vec<&str> = stored.audit.iter().map(|entry| &*entry.text).collect();
        assert_eq!((texts.last(), stored.runs.len()), (Some(&"began the last step"), 0));
        assert!(stored.next.incident >= 6 && stored.next.run >= 10 && stored.next.audit == 3, "{:?}", stored.next);
    }
    for _start in 0..12 {
        ruin(folder.path());
        mended(folder.path()).unwrap().write(&[setting("a", "1")], true).unwrap();
    }
    assert_eq!(folder.path().join("set-aside").read_dir().unwrap().count(), 4, "starts fill the disk");
    mended(folder.path()).unwrap().take_note_of_loss().unwrap();
    assert!(mended(folder.path()).unwrap().notices().is_empty(), "it is told until somebody takes note");
}

#[test]
fn what_goes_back_to_an_older_version_of_itself_is_a_loss_though_no_number_is_missing() {
    let folder = folder();
    let earlier = tempfile::tempdir().unwrap();
    let store = mended(folder.path()).unwrap();
    store.write(&[setting("step 1", "waits"), audit(1, "one")], true).unwrap();
    drop(store);
    set_aside::copy_below(&folder.path().join("store"), &earlier.path().join("store")).unwrap();
    let store = mended(folder.path()).unwrap();
    store.write(&[setting("step 1", "has begun"), audit(2, "two")], true).unwrap();
    drop(store);
    std::fs::remove_dir_all(folder.path().join("store")).unwrap();
    set_aside::copy_below(&earlier.path().join("store"), &folder.path().join("store")).unwrap();
    for start in 0..3 {
        let (store, stored) = Store::open_and_load(folder.path()).unwrap();
        assert_eq!((stored.settings["step 1"].as_str(), stored.audit.len()), ("waits", 2 + start));
        let loss = store.loss().unwrap();
        assert!(loss.contains("what came with 1 entries of its audit log"), "start {start}: {:?}", store.notices());
        assert!(loss.contains("begun meanwhile: two"), "start {start}: {loss}");
        assert_eq!(store.notices().iter().filter(|told| told.contains("newest 1 writes")).count(), 1, "start {start}");
        assert!(audit_file::check(folder.path(), &[]).unwrap().is_whole());
        // Whoever else writes has not told anybody.
        store.write(&[audit(3 + start as u64, "by another program")], true).unwrap();
    }
    mended(folder.path()).unwrap().take_note_of_loss().unwrap();
    let store = mended(folder.path()).unwrap();
    assert!(store.loss().is_none() && store.notices().is_empty(), "{:?}", store.notices());
}

#[test]
fn a_log_that_was_cut_off_is_told_of_and_written_anew_only_as_it_was_signed() {
    for is_same in [true, false] {
        let folder = folder();
        let store = mended(folder.path()).unwrap();
        store.write(&[audit(1, "one"), audit(2, "two"), audit(3, "three")], true).unwrap();
        if !is_same {
            let Record::Audit(other) = audit(3, "tree") else { panic!("it is an entry") };
            let entry = schema::encode(&Record::Audit(other)).unwrap();
            store.tree(TreeName::Audit).insert(entry.key, entry.value).unwrap();
        }
        drop(store);
        let path = folder.path().join(audit_file::LOG_FILE);
        let whole = std::fs::read_to_string(&path).unwrap();
        let first = whole.split_inclusive('\n').next().unwrap();
        std::fs::write(&path, first).unwrap();
        let store = mended(folder.path()).unwrap();
        let told = store.notices().join("; ");
        let says = if is_same { "are those that were signed" } else { "is not what was signed" };
        assert!(told.contains("cut off: entries 2 to 3 were gone") && told.contains(says), "{told}");
        assert_eq!(std::fs::read_to_string(folder.path().join("set-aside/1/audit.jsonl")).unwrap(), first);
        assert!(folder.path().join("set-aside/1/audit.head").exists(), "what proves it went with it");
        assert_eq!(std::fs::read_to_string(&path).unwrap() == whole, is_same);
    }
}

#[test]
fn a_log_that_somebody_else_wrote_is_told_of() {
    let (folder, forger) = (folder(), folder());
    for (path, text) in [(folder.path(), "two"), (forger.path(), "too")] {
        let store = Store::open(path).unwrap();
        store.write(&[audit(1, "one"), audit(2, text)], true).unwrap();
    }
    let bring = |name: &str| std::fs::copy(forger.path().join(name), folder.path().join(name)).unwrap();
    bring(audit_file::LOG_FILE);
    let told = mended(folder.path()).unwrap().notices().join("; ");
    assert!(told.contains("entry 2 is another than the signed end says"), "{told}");
    assert!(folder.path().join("set-aside/1/audit.head").exists());
    bring(audit_file::LOG_FILE);
    bring(audit_file::HEAD_FILE);
    let told = mended(folder.path()).unwrap().notices().join("; ");
    assert!(told.contains("entry 2 is another than the store has"), "{told}");
    drop(mended(folder.path()));
    bring(audit_file::HEAD_FILE);
    std::fs::remove_dir_all(folder.path().join("store")).unwrap();
    let told = mended(folder.path()).unwrap().notices().join("; ");
    assert!(told.contains("was signed by another key"), "{told}");
}

#[test]
fn a_snapshot_that_a_kill_cut_off_is_no_damage() {
    let folder = folder();
    let store = mended(folder.path()).unwrap();
    store.write(&sample_records(), true).unwrap();
    let before = store.load().unwrap();
    drop(store);
    for half in ["", "half of a snapshot"] {
        let unfinished = folder.path().join("store/snap.00000000FFFFFFFF.generating");
        std::fs::write(&unfinished, half).unwrap();
        let store = mended(folder.path()).unwrap();
        assert_eq!(store.notices().len(), 0, "{:?}", store.notices());
        assert_eq!(store.load().unwrap(), before);
        assert!(!unfinished.exists() && !folder.path().join("set-aside").exists());
    }
}

#[test]
fn numbers_that_were_lost_are_told_once_and_not_given_again() {
    let folder = folder();
    let store = mended(folder.path()).unwrap();
    store.write(&[change(7), audit(1, "one"), audit(2, "two")], true).unwrap();
    store.tree(TreeName::Changes).remove(7_u64.to_be_bytes()).unwrap();
    drop(store);
    let store = mended(folder.path()).unwrap();
    assert!(store.notices()[0].contains("has lost changes 1 to 7"), "{:?}", store.notices());
    let next = store.load().unwrap().next;
    assert_eq!((next.change, next.audit), (8, 3));
    store.write(&[change(8), audit(3, "three")], true).unwrap();
    store.take_note_of_loss().unwrap();
    drop(store);
    let store = mended(folder.path()).unwrap();
    assert_eq!(store.notices().len(), 0);
}

#[test]
fn what_sled_lost_of_the_audit_log_comes_back_from_its_file() {
    let folder = folder();
    let store = mended(folder.path()).unwrap();
    store.write(&[audit(1, "one"), audit(2, "two"), audit(3, "three")], true).unwrap();
    store.tree(TreeName::Audit).remove(3_u64.to_be_bytes()).unwrap();
    drop(store);
    // Nothing else says that something is gone: the numbers beside it are of before.
    std::fs::remove_file(folder.path().join("acknowledged")).unwrap();
    let store = mended(folder.path()).unwrap();
    assert!(store.loss().unwrap().contains("begun meanwhile: three"), "{:?}", store.notices());
    let kept = store.load().unwrap().audit;
    assert_eq!(kept.last().map(|entry| (entry.sequence, entry.text.as_ref())), Some((3, "three")));
    assert!(audit_file::check(folder.path(), &[]).unwrap().is_whole());
}

#[test]
fn a_store_from_before_the_log_gets_one() {
    let folder = folder();
    let store = mended(folder.path()).unwrap();
    store.write(&[audit(1, "one"), audit(2, "two")], true).unwrap();
    drop(store);
    for file in [audit_file::LOG_FILE, audit_file::HEAD_FILE, audit_file::KEY_FILE] {
        std::fs::remove_file(folder.path().join(file)).unwrap();
    }
    drop(mended(folder.path()).unwrap());
    let verdict = audit_file::check(folder.path(), &[]).unwrap();
    assert!(verdict.is_whole() && verdict.last == 2, "{:?}", verdict.findings);
}

#[test]
fn an_entry_that_a_crash_cut_off_is_taken_away_and_one_that_was_altered_stays_to_be_seen() {
    let folder = folder();
    let store = mended(folder.path()).unwrap();
    store.write(&[audit(1, "one"), audit(2, "two")], true).unwrap();
    drop(store);
    let path = folder.path().join(audit_file::LOG_FILE);
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{whole}{}", &whole[..40])).unwrap();
    assert!(!audit_file::check(folder.path(), &[]).unwrap().is_whole());
    let store = mended(folder.path()).unwrap();
    assert!(store.notices().is_empty(), "{:?}", store.notices());
    store.write(&[audit(3, "three")], true).unwrap();
    drop(store);
    assert!(audit_file::check(folder.path(), &[]).unwrap().is_whole());

    let altered = std::fs::read_to_string(&path).unwrap().replace("two", "too");
    std::fs::write(&path, altered).unwrap();
    let store = mended(folder.path()).unwrap();
    assert!(store.notices()[0].contains("line 2, entry 2"), "{:?}", store.notices());
    store.write(&[audit(4, "four")], true).unwrap();
    let findings = audit_file::check(folder.path(), &[]).unwrap().findings;
    assert_eq!(findings.iter().map(|one| (one.sequence, one.kind)).collect::<Vec<_>>(), [(2, FindingKind::Altered)]);
}

#[test]
fn a_log_whose_end_is_not_signed_is_told_of_and_loses_no_whole_line() {
    // What is taken away beside it, from nothing but its head to all that is known of it.
    for gone in
        [&["audit.head"][..], &["audit.head", "acknowledged"], &["audit.head", "acknowledged", "store", "audit.key"]]
    {
        let folder = folder();
        let store = mended(folder.path()).unwrap();
        assert_eq!(
            audit_file::head(folder.path()).unwrap().unwrap().end.sequence,
            0,
            "also the end of an empty one is"
        );
        store.write(&[audit(1, "one"), audit(2, "two"), audit(3, "three")], true).unwrap();
        store.tree(TreeName::Audit).remove(3_u64.to_be_bytes()).unwrap();
        drop(store);
        for name in gone {
            let path = folder.path().join(name);
            if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).unwrap() }
        }
        let path = folder.path().join(audit_file::LOG_FILE);
        let whole = std::fs::read_to_string(&path).unwrap();
        let torn = format!("{whole}{{\"half");
        std::fs::write(&path, &torn).unwrap();
        let (store, stored) = Store::open_and_load(folder.path()).unwrap();
        let told = store.notices().join("; ");
        assert!(told.contains("audit.head is missing") && told.contains("set-aside/1"), "{gone:?}: {told}");
        assert_eq!(std::fs::read_to_string(folder.path().join("set-aside/1/audit.jsonl")).unwrap(), torn);
        assert_eq!(stored.audit.last().map(|entry| &*entry.text), Some("three"), "{gone:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
        assert!(audit_file::check(folder.path(), &[]).unwrap().is_whole());
    }
}

#[test]
fn half_a_line_behind_an_altered_one_does_not_swallow_the_next_entry() {
    let folder = folder();
    let store = mended(folder.path()).unwrap();
    store.write(&[audit(1, "one"), audit(2, "two"), audit(3, "three")], true).unwrap();
    drop(store);
    let path = folder.path().join(audit_file::LOG_FILE);
    let altered = std::fs::read_to_string(&path).unwrap().replace("two", "too");
    std::fs::write(&path, format!("{altered}{}", &altered[..60])).unwrap();
    let store = mended(folder.path()).unwrap();
    store.write(&[audit(4, "four")], true).unwrap();
    let verdict = audit_file::check(folder.path(), &[]).unwrap();
    let found: Vec<(u64, FindingKind)> = verdict.findings.iter().map(|one| (one.sequence, one.kind)).collect();
    assert_eq!((found, verdict.last), (vec![(2, FindingKind::Altered)], 4));
}

#[test]
fn a_log_that_stays_as_it_is_is_copied_once_and_no_copy_keeps_the_store_closed() {
    let folder = folder();
    let store = mended(folder.path()).unwrap();
    store.write(&[audit(1, "one"), audit(2, "two")], true).unwrap();
    drop(store);
    let path = folder.path().join(audit_file::LOG_FILE);
    let altered = std::fs::read_to_string(&path).unwrap().replace("two", "too");
    std::fs::write(&path, altered).unwrap();
    for _start in 0..6 {
        let store = mended(folder.path()).unwrap();
        assert!(store.notices()[0].contains("set-aside/1"), "{:?}", store.notices());
    }
    let aside = folder.path().join("set-aside");
    assert_eq!(aside.read_dir().unwrap().count(), 1);
    // Another alteration is another copy.
    let altered = std::fs::read_to_string(&path).unwrap().replace("too", "tow");
    std::fs::write(&path, altered).unwrap();
    assert!(mended(folder.path()).unwrap().notices()[0].contains("set-aside/2"));
    // So is one long before the end, and a head of another.
    let store = mended(folder.path()).unwrap();
    store.write(&(3..20).map(|number| audit(number, "more")).collect::<Vec<_>>(), true).unwrap();
    drop(store);
    let altered = std::fs::read_to_string(&path).unwrap().replace("tow", "tew");
    std::fs::write(&path, altered).unwrap();
    assert!(mended(folder.path()).unwrap().notices()[0].contains("set-aside/3"));
    let other = self::folder();
    Store::open(other.path()).unwrap().write(&[audit(1, "one")], true).unwrap();
    let of_other = std::fs::read(other.path().join(audit_file::HEAD_FILE)).unwrap();
    std::fs::write(folder.path().join(audit_file::HEAD_FILE), &of_other).unwrap();
    assert!(mended(folder.path()).unwrap().notices()[0].contains("set-aside/4"));
    assert_eq!(std::fs::read(aside.join("4").join(audit_file::HEAD_FILE)).unwrap(), of_other);
    std::fs::remove_dir_all(&aside).unwrap();
    std::fs::write(&aside, "a file is in its place").unwrap();
    let store = mended(folder.path()).unwrap();
    assert!(store.notices()[0].contains("there is no copy of it"), "{:?}", store.notices());
}

#[test]
fn a_log_that_was_put_back_to_an_earlier_day_is_found_by_a_head_kept_elsewhere() {
    let folder = folder();
    let store = mended(folder.path()).unwrap();
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
fn old_incidents_that_cannot_be_read_are_counted_where_all_are_read() {
    let folder = folder();
    let store = mended(folder.path()).unwrap();
    let over = |id| {
        let state = IncidentState::Resolved;
        Record::Incident(Incident { state, ..fixtures::incident(id, "cart", 60_000) })
    };
    store.write(&[over(1), over(2), over(3)], true).unwrap();
    let tree = store.tree(TreeName::Incidents);
    let whole = tree.get(2_u64.to_be_bytes()).unwrap().unwrap();
    tree.insert(2_u64.to_be_bytes(), &whole[..whole.len() - 3]).unwrap();
    let mut read = Vec::new();
    let unreadable = store.each_past(&mut |past| read.push(past.incident.id.0)).unwrap();
    assert_eq!((read, unreadable), (vec![1, 3], 1));
}

#[test]
fn one_unreadable_entry_does_not_hold_the_others_up() {
    let folder = folder();
    let store = mended(folder.path()).unwrap();
    store.write(&[change(1), change(2)], true).unwrap();
    store.tree(TreeName::Changes).insert(1_u64.to_be_bytes(), &[VALUE_VERSION, 255, 255]).unwrap();
    store.tree(TreeName::Runs).insert(1_u64.to_be_bytes(), &[9]).unwrap();
    let stored = store.load().unwrap();
    assert_eq!(stored.changes.len(), 1);
    assert_eq!(stored.unreadable_count, 2);
    assert!(stored.problems.iter().any(|problem| problem.contains("its version is 9")), "{:?}", stored.problems);
}
