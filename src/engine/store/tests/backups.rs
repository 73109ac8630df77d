//! Backups: the same store again, nothing of a damaged one, and the old one where it was.

use super::*;
use crate::engine::model::Safety;

const NOW: Timestamp = Timestamp(1_794_925_800_000);

/// Nothing is to be done before the store is replaced.
fn stopped(_: Timestamp) -> std::io::Result<()> {
    Ok(())
}

/// A store with something of each kind, and its backup.
fn backed_up(folder: &Path) -> (Stored, PathBuf) {
    let store = Store::open(folder).unwrap();
    store.write(&sample_records(), true).unwrap();
    store.write(&[Record::Templates(vec![7; 100_000]), audit(2, "two")], true).unwrap();
    let told = store.back_up(folder, NOW).unwrap();
    assert_eq!((told.audit, told.file.file_name().unwrap().to_str().unwrap()), (2, "hypo-20261117T143000Z.backup"));
    assert_eq!(told.bytes, told.file.metadata().unwrap().len());
    let mode = told.file.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "it has everything in it");
    (store.load().unwrap(), told.file)
}

#[test]
fn a_backup_is_the_same_store_again_and_says_so_in_the_log() {
    let (from, to) = (folder(), folder());
    let (before, file) = backed_up(from.path());
    // Once where nothing is, and once over a store that went on.
    for folder in [to.path(), from.path()] {
        if folder == from.path() {
            Store::open(folder)
                .unwrap()
                .write(&[audit(3, "three"), change(10), setting("pane", "\"log\"")], true)
                .unwrap();
        }
        let restored = restore(folder, &file, "ana", NOW, &stopped).unwrap();
        assert_eq!((restored.audit, restored.at), (2, NOW));
        let (store, mut stored) = Store::open_and_load(folder).unwrap();
        let last = stored.audit.pop().unwrap();
        assert!(last.sequence == 3 && &*last.by == "ana" && last.text.contains("a backup of 2026-11-17"), "{last:?}");
        stored.next.audit -= 1;
        let safety: Safety = serde_json::from_str(&stored.settings.remove(Safety::SETTING).unwrap()).unwrap();
        let kill = safety.kill.unwrap();
        assert!(kill.reason.contains("restored from a backup of 2026-11-17") && &*kill.by == "ana", "{kill:?}");
        assert_eq!(stored, before);
        assert!(store.loss().is_none() && store.notices().is_empty(), "{:?}", store.notices());
        assert!(audit_file::check(folder, &[]).unwrap().is_whole());
        drop(store);
        let left = folder.read_dir().unwrap().filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_string_lossy().contains("incoming") || name.to_string_lossy().contains("part")
        });
        assert_eq!(left.count(), 0);
    }
    // The one that went on is aside, whole.
    let aside = from.path().join("set-aside/1");
    std::fs::set_permissions(&aside, std::fs::Permissions::from_mode(0o700)).unwrap();
    let old = Store::open(&aside).unwrap().load().unwrap();
    assert_eq!((old.changes.len(), old.audit.len(), old.settings["pane"].as_str()), (2, 3, "\"log\""));
}

#[test]
fn a_backup_that_is_not_whole_changes_nothing() {
    let (from, to) = (folder(), folder());
    let (_, file) = backed_up(from.path());
    let store = Store::open(to.path()).unwrap();
    store.write(&[change(1), audit(1, "own")], true).unwrap();
    let refused = restore(to.path(), &file, "ana", NOW, &stopped).unwrap_err();
    assert!(matches!(refused, StoreError::Held { .. }), "{refused}");
    drop(store);
    let whole = std::fs::read(&file).unwrap();
    let broken = from.path().join("broken.backup");
    let mut cases: Vec<Vec<u8>> = [0, 5, 14, 60, whole.len() / 2, whole.len() - 33, whole.len() - 1]
        .into_iter()
        .map(|length| whole[..length].to_vec())
        .collect();
    for at in (0..whole.len()).step_by(whole.len() / 40) {
        let mut turned = whole.clone();
        turned[at] ^= 0x10;
        cases.push(turned);
    }
    cases.push([whole.as_slice(), b"x"].concat());
    for bytes in cases {
        std::fs::write(&broken, &bytes).unwrap();
        let refused = restore(to.path(), &broken, "ana", NOW, &stopped).unwrap_err().to_string();
        assert!(refused.contains("nothing was changed") || refused.contains("Nothing was changed"), "{refused}");
    }
    let stored = Store::open(to.path()).unwrap().load().unwrap();
    assert_eq!((stored.changes.len(), stored.audit.len()), (1, 1));
}

#[test]
fn a_backup_of_a_later_hypo_is_refused_in_words() {
    let (from, to) = (folder(), folder());
    let (_, file) = backed_up(from.path());
    let bytes = std::fs::read(&file).unwrap();
    let body = &bytes[..bytes.len() - backup::SUM_BYTES];
    let at = body.windows(11).position(|window| window == b"{\"schema\":1").unwrap();
    let mut later = body.to_vec();
    later[at + 10] = b'3';
    let sum = <sha2::Sha256 as sha2::Digest>::digest(&later);
    std::fs::write(&file, [later.as_slice(), &sum[..]].concat()).unwrap();
    let refused = restore(to.path(), &file, "ana", NOW, &stopped).unwrap_err().to_string();
    assert!(refused.contains("schema 3; this hypo") && refused.contains("knows up to 1"), "{refused}");
}

#[test]
fn what_must_be_so_first_is_done_while_nobody_gets_at_the_store_or_nothing_is_replaced() {
    let (from, to) = (folder(), folder());
    let (_, file) = backed_up(from.path());
    Store::open(to.path()).unwrap().write(&[change(1), audit(1, "own")], true).unwrap();
    let asked = std::cell::Cell::new(0);
    let is_held = |at: Timestamp| {
        asked.set(asked.get() + 1);
        assert_eq!(at, NOW);
        assert!(matches!(Hold::take(to.path()), Err(StoreError::Held { .. })), "somebody could begin by the old one");
        assert!(!to.path().join("incoming").exists(), "it is under way already");
        Ok(())
    };
    let cannot = |_: Timestamp| Err(std::io::Error::other("the kill file is a folder"));
    let refused = restore(to.path(), &file, "ana", NOW, &cannot).unwrap_err().to_string();
    assert!(refused.contains("the kill file is a folder; nothing was changed"), "{refused}");
    let kept = Store::open(to.path()).unwrap().load().unwrap();
    assert_eq!((kept.changes.len(), kept.audit.len()), (1, 1));
    restore(to.path(), &file, "ana", NOW, &is_held).unwrap();
    assert_eq!((asked.get(), Store::open(to.path()).unwrap().load().unwrap().audit.len()), (1, 3));
}

#[test]
fn an_empty_store_is_backed_up_as_well_and_nobody_else_has_the_file_open() {
    let (from, to) = (folder(), folder());
    let file = from.path().join("b");
    let part = from.path().join("b.part");
    std::fs::write(&part, "").unwrap();
    std::fs::set_permissions(&part, std::fs::Permissions::from_mode(0o666)).unwrap();
    let theirs = from.path().join("theirs");
    std::fs::hard_link(&part, &theirs).unwrap();
    let told = Store::open(from.path()).unwrap().back_up(&file, NOW).unwrap();
    assert_eq!((told.records, told.audit), (0, 0));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(theirs.metadata().unwrap().len(), 0, "whoever made the file beforehand reads all of it");
    restore(to.path(), &file, "ana", NOW, &stopped).unwrap();
    assert_eq!(Store::open(to.path()).unwrap().load().unwrap().audit.len(), 1);
}

#[test]
fn a_backup_of_an_earlier_hypo_is_brought_along() {
    let (from, to) = (folder(), folder());
    versions::write_schema_0(from.path(), &sample_records());
    let db = mend::open_sled(from.path()).unwrap();
    let mut bytes = backup::MAGIC.to_vec();
    let label = backup::Label { schema: 0, hypo: "0.1.0".to_owned(), at: NOW, writes: 0 };
    bytes.extend_from_slice(format!("{}\n", serde_json::to_string(&label).unwrap()).as_bytes());
    for tree in TreeName::ALL {
        bytes.extend_from_slice(&[backup::TREE, u8::try_from(tree.word().len()).unwrap()]);
        bytes.extend_from_slice(tree.word().as_bytes());
        for entry in &db.open_tree(tree.word()).unwrap() {
            let (key, value) = entry.unwrap();
            bytes.push(backup::ENTRY);
            for part in [&key, &value] {
                bytes.extend_from_slice(&u32::try_from(part.len()).unwrap().to_be_bytes());
            }
            bytes.extend_from_slice(&[key.as_ref(), value.as_ref()].concat());
        }
    }
    bytes.push(backup::END);
    let sum = <sha2::Sha256 as sha2::Digest>::digest(&bytes);
    let file = from.path().join("older.backup");
    std::fs::write(&file, [bytes.as_slice(), &sum[..]].concat()).unwrap();
    restore(to.path(), &file, "ana", NOW, &stopped).unwrap();
    let store = Store::open(to.path()).unwrap();
    let stored = store.load().unwrap();
    assert_eq!((stored.unreadable_count, stored.changes.len(), stored.runs.len(), stored.audit.len()), (0, 1, 1, 2));
    assert!(store.notices().is_empty() && !to.path().join("set-aside").exists(), "{:?}", store.notices());
}

#[test]
fn a_backup_replaces_nothing_but_a_backup_and_lies_in_no_folder_of_the_store() {
    let (folder, elsewhere) = (folder(), folder());
    let store = Store::open(folder.path()).unwrap();
    store.write(&[audit(1, "one")], true).unwrap();
    let at = |name: &str| folder.path().join(name);
    let log = std::fs::read(at(audit_file::LOG_FILE)).unwrap();
    let notes = elsewhere.path().join("notes");
    std::fs::write(&notes, "of somebody").unwrap();
    std::fs::write(elsewhere.path().join("new.part"), "of somebody").unwrap();
    std::os::unix::fs::symlink(&notes, elsewhere.path().join("link")).unwrap();
    let other = ["notes", "link", "new"].map(|name| elsewhere.path().join(name));
    let own = [
        "audit.jsonl",
        "audit.key",
        "audit.next",
        "holder",
        "kill",
        "kill.new-7",
        "ballast",
        "incoming",
        "store",
        "audit",
    ];
    let within = [at("store/a backup"), at("store/blobs"), at("set-aside/1"), at("store/../store/b")];
    for to in other.into_iter().chain(own.map(at)).chain(within) {
        let there = to.exists();
        let told = store.back_up(&to, NOW).map(|told| told.file);
        assert!(matches!(told, Err(StoreError::Backup { .. })), "{}: {told:?}", to.display());
        assert_eq!(to.exists(), there, "{}", to.display());
    }
    assert_eq!(std::fs::read(at(audit_file::LOG_FILE)).unwrap(), log);
    assert_eq!(std::fs::read_to_string(&notes).unwrap(), "of somebody");
    // An earlier one is, and what was left of one that was cut off; beside the store there is room for others.
    let to = at("monday");
    store.back_up(&to, NOW).unwrap();
    std::fs::write(at("monday.part"), "").unwrap();
    store.write(&[audit(2, "two")], true).unwrap();
    assert_eq!(store.back_up(&to, NOW).unwrap().audit, 2);
}

#[test]
fn what_is_restored_and_not_in_its_place_yet_is_told_as_that() {
    let (from, to) = (folder(), folder());
    let (_, file) = backed_up(from.path());
    drop(Store::open(to.path()).unwrap());
    std::fs::write(to.path().join("set-aside"), "no folder").unwrap();
    let told = restore(to.path(), &file, "ana", NOW, &stopped).unwrap_err();
    assert!(matches!(told, StoreError::Restored { .. }), "{told}");
    let told = told.to_string();
    assert!(told.contains("at the next start") && !told.contains("damaged"), "{told}");
    std::fs::remove_file(to.path().join("set-aside")).unwrap();
    let stored = mended(to.path()).unwrap().load().unwrap();
    assert!(stored.audit.last().unwrap().text.contains("restored the store from"), "{:?}", stored.audit.last());
}
