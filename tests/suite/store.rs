//! The store under random operations and real crashes: a child process is killed at random moments while it writes.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use hypocenter::engine::clock::Timestamp;
use hypocenter::engine::job::Record;
use hypocenter::engine::model::{AuditEntry, AuditKind, SourceName};
use hypocenter::engine::store::{Store, StoreError, audit_file};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};

fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap()
}

fn audit(sequence: u64) -> Record {
    Record::Audit(AuditEntry {
        sequence,
        at: Timestamp(0),
        kind: AuditKind::Intent,
        by: Arc::from("ana"),
        incident: None,
        run: None,
        text: Arc::from("kubectl rollout undo deployment/payment"),
    })
}

/// How many entries the audit log has; it is whole.
fn whole_audit(folder: &Path) -> u64 {
    let verdict = audit_file::check(folder, &[]).unwrap();
    assert!(verdict.is_whole(), "{:?}", verdict.findings);
    verdict.entries
}

fn setting(name: &str, value: &str) -> Record {
    Record::Setting { name: name.to_owned(), value: value.to_owned() }
}

fn cursor(source: &str, until: i64) -> Record {
    Record::BackfillCursor { source: SourceName::new(source), until: Timestamp(until) }
}

#[derive(Debug, Clone)]
enum Operation {
    Write { settings: Vec<(u8, String)>, cursors: Vec<(u8, i64)>, is_durable: bool },
    Audit,
    Reopen,
}

fn operation() -> impl Strategy<Value = Operation> {
    let settings = proptest::collection::vec((0..6_u8, "\\PC{0,12}"), 0..4);
    let cursors = proptest::collection::vec((0..4_u8, any::<i64>()), 0..3);
    prop_oneof![
        6 => (settings, cursors, any::<bool>())
            .prop_map(|(settings, cursors, is_durable)| Operation::Write { settings, cursors, is_durable }),
        2 => Just(Operation::Audit),
        1 => Just(Operation::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_a_map_that_survives_restarts(operations in proptest::collection::vec(operation(), 1..24)) {
        let folder = folder();
        let mut store = Store::open(folder.path()).unwrap();
        let mut settings: BTreeMap<String, String> = BTreeMap::new();
        let mut cursors: BTreeMap<SourceName, Timestamp> = BTreeMap::new();
        let mut audit_count = 0;
        for operation in operations {
            match operation {
                Operation::Write { settings: some, cursors: others, is_durable } => {
                    let mut records = Vec::new();
                    for (name, value) in some {
                        records.push(setting(&name.to_string(), &value));
                        settings.insert(name.to_string(), value);
                    }
                    for (source, until) in others {
                        records.push(cursor(&source.to_string(), until));
                        cursors.insert(SourceName::new(&source.to_string()), Timestamp(until));
                    }
                    store.write(&records, is_durable).unwrap();
                }
                Operation::Audit => {
                    audit_count += 1;
                    store.write(&[audit(audit_count)], true).unwrap();
                }
                Operation::Reopen => {
                    drop(store);
                    store = Store::open(folder.path()).unwrap();
                }
            }
            let stored = store.load().unwrap();
            prop_assert_eq!(&stored.settings, &settings);
            prop_assert_eq!(&stored.cursors, &cursors);
            prop_assert_eq!(whole_audit(folder.path()), audit_count);
            prop_assert_eq!(stored.next.audit, audit_count + 1);
        }
    }
}

/// Where the child finds the store it is to write to.
const CHILD_FOLDER: &str = "HYPO_TEST_STORE_FOLDER";

/// Not a test of its own: the process that the tests below start and kill. Without its variable it does nothing.
#[test]
fn child_that_writes_until_it_is_killed() {
    let Ok(folder) = std::env::var(CHILD_FOLDER) else { return };
    let store = Store::open(Path::new(&folder)).unwrap();
    let first = store.load().unwrap().next.audit;
    println!("open");
    for number in first..first + 1_000_000 {
        // A batch over three trees: whole or not at all.
        let batch = [audit(number), setting(&format!("n{number}"), "x"), cursor(&format!("n{number}"), 1)];
        store.write(&batch, true).unwrap();
        println!("wrote {number}");
    }
}

fn start_child(folder: &Path) -> (Child, impl Iterator<Item = String>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::child_that_writes_until_it_is_killed", "--nocapture"])
        .env(CHILD_FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    (child, lines)
}

#[test]
fn nothing_acknowledged_is_lost_when_the_program_is_killed() {
    let folder = folder();
    let mut random = rand_pcg::Pcg64::seed_from_u64(7);
    let mut acknowledged = 0;
    for round in 0..20 {
        let (mut child, lines) = start_child(folder.path());
        let writes_before_kill = random.random_range(0..40);
        let mut lines = lines.inspect(|line| {
            if let Some(number) = line.strip_prefix("wrote ") {
                acknowledged = number.parse().unwrap();
            }
        });
        let is_open = lines.any(|line| line.ends_with("open"));
        assert!(is_open, "round {round}: the child ended before it had opened the store");
        for _line in lines.by_ref().take(writes_before_kill) {}
        // It goes on writing until this arrives, so it is hit anywhere: between writes, within one, while flushing.
        child.kill().unwrap();
        child.wait().unwrap();
        for _line in lines {}

        let store = Store::open(folder.path()).unwrap();
        let stored = store.load().unwrap();
        let count = whole_audit(folder.path());
        assert!(count >= acknowledged, "round {round}: {acknowledged} acknowledged, {count} there");
        let numbers: Vec<String> = (1..=count).map(|number| format!("n{number}")).collect();
        assert_eq!(stored.settings.len() as u64, count, "round {round}: torn");
        assert_eq!(stored.cursors.len() as u64, count, "round {round}: torn");
        for number in &numbers {
            assert!(stored.settings.contains_key(number), "round {round}: {number} is torn");
            assert!(stored.cursors.contains_key(number.as_str()), "round {round}: {number} is torn");
        }
        assert_eq!(stored.unreadable_count, 0);
    }
    assert!(acknowledged > 0);
}

#[test]
fn a_second_process_is_told_who_holds_the_store() {
    let folder = folder();
    let (mut child, mut lines) = start_child(folder.path());
    assert!(lines.any(|line| line.ends_with("open")));
    let refused = Store::open(folder.path()).unwrap_err();
    assert!(matches!(refused, StoreError::Held { .. }));
    assert!(refused.to_string().contains(&format!("hypo pid {}", child.id())), "{refused}");
    child.kill().unwrap();
    child.wait().unwrap();
    Store::open(folder.path()).unwrap();
}
