//! Stores of other versions, and stores as text.

use super::*;

/// Schema 0: as today, without the version byte.
pub(super) fn write_schema_0(folder: &Path, records: &[Record]) {
    let db = mend::open_sled(folder).unwrap();
    db.open_tree("meta").unwrap().insert(SCHEMA_KEY, &0_u32.to_be_bytes()).unwrap();
    for record in records {
        let entry = schema::encode(record).unwrap();
        // A run of that time had another form.
        let value = if entry.tree == TreeName::Runs { older_run::golden() } else { entry.value };
        db.open_tree(entry.tree.word()).unwrap().insert(entry.key, &value[1..]).unwrap();
    }
    db.flush().unwrap();
}

#[test]
fn an_older_store_is_brought_along() {
    let folder = folder();
    write_schema_0(folder.path(), &sample_records());
    let store = Store::open(folder.path()).unwrap();
    assert!(store.notices()[0].contains("from schema 0 to 1"));
    let stored = store.load().unwrap();
    assert_eq!((stored.unreadable_count, stored.changes.len(), stored.runs.len(), stored.audit.len()), (0, 1, 1, 1));
    drop(store);
    assert_eq!(Store::open(folder.path()).unwrap().notices().len(), 0, "once");
}

#[test]
fn a_migration_cut_off_halfway_goes_on() {
    let folder = folder();
    write_schema_0(folder.path(), &sample_records());
    {
        // As it would be if the first start had ended after two trees.
        let db = mend::open_sled(folder.path()).unwrap();
        let meta = db.open_tree("meta").unwrap();
        for name in [TreeName::Changes, TreeName::Runs] {
            let tree = db.open_tree(name.word()).unwrap();
            for entry in &tree {
                let (key, old) = entry.unwrap();
                tree.insert(key, [&[VALUE_VERSION], old.as_ref()].concat()).unwrap();
            }
            meta.insert(format!("schema 1 done {}", name.word()), &[1]).unwrap();
        }
        db.flush().unwrap();
    }
    let store = Store::open(folder.path()).unwrap();
    let stored = store.load().unwrap();
    assert_eq!((stored.unreadable_count, stored.changes.len(), stored.runs.len()), (0, 1, 1));
}

#[test]
fn a_tree_of_many_lots_is_brought_along_and_goes_on_where_it_was_cut_off() {
    let folder = folder();
    let changes: Vec<Record> = (1..=2_500).map(change).collect();
    write_schema_0(folder.path(), &changes);
    {
        // As it would be after the first thousand.
        let db = mend::open_sled(folder.path()).unwrap();
        let (meta, tree) = (db.open_tree("meta").unwrap(), db.open_tree(TreeName::Changes.word()).unwrap());
        for entry in tree.iter().take(1_000) {
            let (key, old) = entry.unwrap();
            tree.insert(&key, [&[VALUE_VERSION], old.as_ref()].concat()).unwrap();
            meta.insert("schema 1 until changes", key).unwrap();
        }
        db.flush().unwrap();
    }
    let store = Store::open(folder.path()).unwrap();
    for kept in store.tree(TreeName::Changes) {
        let (key, value) = kept.unwrap();
        let entry = schema::encode(&change(write::sequence_of(&key))).unwrap();
        assert_eq!((value[0], &value[1..]), (VALUE_VERSION, &entry.value[1..]), "{key:?}");
    }
    assert_eq!(store.tree(TreeName::Changes).len(), 2_500);
    assert!(store.meta().scan_prefix("schema 1").next().is_none());
    assert!(!folder.path().join("set-aside").exists(), "what was begun to be brought along has its copy already");
}

#[test]
fn a_newer_store_is_left_alone_and_says_who_made_it() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    store.write(&[audit(1, "one")], true).unwrap();
    store.meta().insert(SCHEMA_KEY, &7_u32.to_be_bytes()).unwrap();
    store.meta().insert("made by", "9.8.7").unwrap();
    drop(store);
    // What a crash left there is that hypo's to judge.
    let log = folder.path().join(audit_file::LOG_FILE);
    let torn = std::fs::read_to_string(&log).unwrap() + "{\"half";
    std::fs::write(&log, &torn).unwrap();
    let refused = Store::open(folder.path()).unwrap_err();
    assert!(matches!(refused, StoreError::Newer { found: 7, .. }));
    let text = refused.to_string();
    assert!(text.contains("made by hypo 9.8.7, schema 7; this hypo") && text.contains("knows up to 1"), "{text}");
    assert_eq!(std::fs::read_to_string(&log).unwrap(), torn);
}

#[test]
fn an_older_store_is_copied_before_it_is_brought_along() {
    let folder = folder();
    write_schema_0(folder.path(), &sample_records());
    let store = Store::open(folder.path()).unwrap();
    assert!(store.notices()[0].contains("as schema 0 it is in"), "{:?}", store.notices());
    drop(store);
    // The hypo of that time finds it as it left it.
    let back = folder.path().join("set-aside/1");
    let db = mend::open_sled(&back).unwrap();
    let found = db.open_tree("meta").unwrap().get(SCHEMA_KEY).unwrap();
    assert_eq!(found.as_deref(), Some(&0_u32.to_be_bytes()[..]));
    let entry = schema::encode(&change(9)).unwrap();
    let tree = db.open_tree(TreeName::Changes.word()).unwrap();
    assert_eq!(tree.iter().next().unwrap().unwrap().1, &entry.value[1..]);
}

#[test]
fn an_export_reads_back_as_the_same_store() {
    let (from, to) = (folder(), folder());
    let first = Store::open(from.path()).unwrap();
    assert!(first.write(&[run(4, f64::INFINITY)], true).is_err(), "a run that would not read back is refused");
    // Infinity has no JSON; its record travels as bytes.
    let endless = Anomaly {
        value: f64::INFINITY,
        ..crate::engine::world::fixtures::anomaly(4, "payment", "error_ratio", SeriesRole::Errors, 0)
    };
    first.write(&[sample_records(), vec![Record::Anomaly(endless)]].concat(), true).unwrap();
    let mut lines = Vec::new();
    assert_eq!(first.export(&mut lines).unwrap(), 11);
    let text = String::from_utf8(lines.clone()).unwrap();
    assert!(text.starts_with("{\"hypocenter_export\":1}\n{\"tree\":"), "{text}");
    assert_eq!(text.matches("\"bytes\":\"").count(), 1);

    let second = Store::open(to.path()).unwrap();
    assert_eq!(second.import(&mut lines.as_slice(), false).unwrap(), 11);
    assert_eq!(second.load().unwrap(), first.load().unwrap());
    assert!(matches!(second.import(&mut lines.as_slice(), false), Err(StoreError::NotEmpty { .. })));
    assert_eq!(second.import(&mut lines.as_slice(), true).unwrap(), 11);
    assert_eq!(second.load().unwrap(), first.load().unwrap());
}

#[test]
fn a_broken_export_names_its_line_and_writes_nothing() {
    let from = folder();
    let first = Store::open(from.path()).unwrap();
    first.write(&sample_records(), true).unwrap();
    let mut bytes = Vec::new();
    first.export(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let cut = lines[..4].join("\n");
    let without_one = [&lines[..2], &lines[3..]].concat().join("\n");
    let foreign = text.replacen("{\"tree\":\"runs\"", "{\"tree\":\"rums\"", 1);
    let misplaced = text.replacen("{\"tree\":\"runs\"", "{\"tree\":\"alerts\"", 1);
    let half_line = &text[..text.len() - 200];
    for (broken, line, says) in [
        ("", 1, "cut off"),
        ("{\"other\":1}\n", 1, "no export of hypo"),
        ("{\"hypocenter_export\":2}\n", 1, "format is 2"),
        (cut.as_str(), 5, "cut off"),
        (without_one.as_str(), 11, "lines are missing"),
        (foreign.as_str(), 3, "no tree `rums`"),
        (misplaced.as_str(), 3, "belongs into the tree runs"),
        (half_line, 0, ""),
    ] {
        let to = folder();
        let store = Store::open(to.path()).unwrap();
        match store.import(&mut broken.as_bytes(), false) {
            Err(StoreError::Import { line: at, reason }) => {
                assert!(line == 0 || at == line, "{at}: {reason}");
                assert!(reason.contains(says), "{reason}");
            }
            other => panic!("{says}: {other:?}"),
        }
        assert_eq!(store.load().unwrap(), Stored::default());
    }
}
