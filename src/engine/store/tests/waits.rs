//! What is waited for on disk before something is acknowledged. A kill does not show a wait that is left out: what a program wrote
//! outlives it in the memory of the system, and is gone with the power.

use super::*;
use crate::engine::durable_file::waits;

#[test]
fn what_is_acknowledged_was_waited_for_and_the_log_before_the_store_before_the_signed_end() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    for sequence in 1..=3 {
        let (done, waits) = waits::during(folder.path(), || store.write(&[audit(sequence, "$ restart")], true));
        done.unwrap();
        // The last two are the head, under its own name from the wait for the folder on.
        assert_eq!(waits, ["audit.jsonl", "store/db", "audit", ""]);
    }
    // Of what is no entry there is nothing to sign, and nothing new in the log.
    let setting = |value: &str| [Record::Setting { name: "n".to_owned(), value: value.to_owned() }];
    let (done, waits) = waits::during(folder.path(), || store.write(&setting("kept"), true));
    done.unwrap();
    assert_eq!(waits, ["store/db"]);
    // What may be lost waits for nobody.
    let (done, waits) = waits::during(folder.path(), || store.write(&setting("not kept"), false));
    done.unwrap();
    assert_eq!(waits, [""; 0]);
}

#[test]
fn a_backup_is_on_disk_with_its_name_when_it_is_told_of() {
    let (folder, elsewhere) = (folder(), folder());
    let store = Store::open(folder.path()).unwrap();
    store.write(&[audit(1, "$ restart")], true).unwrap();
    let to = elsewhere.path().join("kept");
    let (done, waits) = waits::during(Path::new("/"), || store.back_up(&to, Timestamp(1_763_000_000_500)));
    done.unwrap();
    let elsewhere = elsewhere.path().canonicalize().unwrap();
    let below: Vec<PathBuf> = waits.iter().map(|path| Path::new("/").join(path)).collect();
    let below: Vec<&PathBuf> = below.iter().filter(|path| path.starts_with(&elsewhere)).collect();
    assert_eq!(below.len(), 2, "{below:?}");
    assert_eq!((below[0].parent(), below[1]), (Some(&*elsewhere), &elsewhere));
}
