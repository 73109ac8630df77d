//! Backups: the same store again, nothing of a damaged one, and the old one where it was.

use super::*;

const NOW: Timestamp = Timestamp(1_794_925_800_000);

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
        let restored = restore(folder, &file, "ana", NOW).unwrap();
        assert_eq!((restored.audit, restored.at), (2, NOW));
        let (store, mut stored) = Store::open_and_load(folder).unwrap();
        let last = stored.audit.pop().unwrap();
        assert!(last.sequence == 3 && &*last.by == "ana" && last.text.contains("a backup of 2026-11-17"), "{last:?}");
        stored.next.audit -= 1;
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
    let refused = restore(to.path(), &file, "ana", NOW).unwrap_err();
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
        let refused = restore(to.path(), &broken, "ana", NOW).unwrap_err().to_string();
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
    let refused = restore(to.path(), &file, "ana", NOW).unwrap_err().to_string();
    assert!(refused.contains("schema 3; this hypo") && refused.contains("knows up to 1"), "{refused}");
}
