//! The audit log under hands that should not be in it: every changed byte and every cut is found, and where; by the
//! command as by the code beneath it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use hypocenter::engine::audit::verify::FindingKind;
use hypocenter::engine::clock::Timestamp;
use hypocenter::engine::job::Record;
use hypocenter::engine::model::{AuditEntry, AuditKind, IncidentId};
use hypocenter::engine::store::{Store, audit_file};
use rand::{Rng, SeedableRng};

const ENTRIES: u64 = 40;
const ROUNDS: u64 = 10_000;

/// A store with an audit log.
fn written() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    for sequence in 1..=ENTRIES {
        let entry = AuditEntry {
            sequence,
            at: Timestamp(1_800_000_000_000 + i64::try_from(sequence).unwrap()),
            kind: AuditKind::Intent,
            by: Arc::from("ana"),
            incident: Some(IncidentId(1 + sequence % 3)),
            run: None,
            text: format!("kubectl rollout undo deployment/payment-{sequence}").into(),
        };
        store.write(&[Record::Audit(entry)], true).unwrap();
    }
    drop(store);
    folder
}

fn hypo(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_hypo"))
        .args(["--state-dir", folder.to_str().unwrap(), "audit"])
        .args(arguments)
        .output()
        .unwrap();
    let told = [run.stdout, run.stderr].concat();
    (run.status.code().unwrap(), String::from_utf8(told).unwrap())
}

#[test]
fn ten_thousand_changed_bytes_and_cuts_are_all_found() {
    let folder = written();
    let path = |file: &str| folder.path().join(file);
    let files = [audit_file::LOG_FILE, audit_file::HEAD_FILE].map(|file| (file, fs::read(path(file)).unwrap()));
    let mut random = rand_pcg::Pcg64::seed_from_u64(5);
    for round in 0..ROUNDS {
        // The head is short: one change in ten is there.
        let (file, whole) = &files[usize::from(random.random_bool(0.1))];
        let at = random.random_range(0..whole.len());
        let mut bytes = whole.clone();
        match random.random_range(0..4_u8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.remove(at)),
            _ => bytes[at] ^= random.random_range(1..=255_u8),
        }
        fs::write(path(file), &bytes).unwrap();
        let verdict = audit_file::check(folder.path(), &[]).unwrap();
        assert!(!verdict.is_whole(), "round {round}: {file} byte {at} goes unseen");
        let first = &verdict.findings[0];
        if *file == audit_file::LOG_FILE {
            let entry = 1 + whole[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
            assert_eq!(first.sequence, entry, "round {round}: byte {at}: {}", first.text);
        } else {
            assert_eq!(first.kind, FindingKind::Head, "round {round}: byte {at}: {}", first.text);
        }
        fs::write(path(file), whole).unwrap();
    }
    assert!(audit_file::check(folder.path(), &[]).unwrap().is_whole());
}

#[test]
fn a_log_of_several_files_is_proved_and_listed_as_one() {
    let folder = tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let long = "x".repeat(1_000_000);
    for sequence in 1..=20 {
        let entry = AuditEntry {
            sequence,
            at: Timestamp(1_800_000_000_000),
            kind: AuditKind::Operator,
            by: Arc::from("ana"),
            incident: Some(IncidentId(1)),
            run: None,
            text: format!("{sequence} {long}").into(),
        };
        store.write(&[Record::Audit(entry)], true).unwrap();
    }
    drop(store);
    let (code, told) = hypo(folder.path(), &["verify"]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("whole, 20 entries; signed up to entry 20 by key "), "{told}");
    let (code, told) = hypo(folder.path(), &["list"]);
    assert_eq!((code, told.lines().count()), (0, 20));

    let sealed = folder.path().join("audit/00000000000000000001.jsonl");
    let text = fs::read_to_string(&sealed).unwrap();
    fs::write(&sealed, text.replace("\"text\":\"3 x", "\"text\":\"3 y")).unwrap();
    assert!(Store::open(folder.path()).unwrap().notices().is_empty(), "an opening does not read what is sealed");
    let (code, told) = hypo(folder.path(), &["verify"]);
    assert_eq!(code, 1);
    assert!(told.contains("audit/00000000000000000001.jsonl line 3, entry 3: its text does not have"), "{told}");
    fs::remove_file(&sealed).unwrap();
    let (code, told) = hypo(folder.path(), &["verify"]);
    assert_eq!(code, 1);
    assert!(told.contains("line 1: entries 1 to 17 are missing"), "{told}");
}

#[test]
fn the_command_proves_lists_and_holds_against_a_head_kept_elsewhere() {
    let folder = written();
    let (code, told) = hypo(folder.path(), &["verify"]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("whole, 40 entries; signed up to entry 40 by key "), "{told}");
    let (code, head) = hypo(folder.path(), &["head"]);
    assert_eq!(code, 0, "{head}");
    let kept = folder.path().join("kept");
    fs::write(&kept, head).unwrap();
    let (code, told) = hypo(folder.path(), &["verify", "--against", kept.to_str().unwrap()]);
    assert_eq!(code, 0, "{told}");
    let (code, told) = hypo(folder.path(), &["list", "--incident", "2"]);
    assert_eq!((code, told.lines().count()), (0, 14), "{told}");

    let log = folder.path().join(audit_file::LOG_FILE);
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.replace("payment-7\"", "payment-8\"")).unwrap();
    let (code, told) = hypo(folder.path(), &["verify"]);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("line 7, entry 7: its text does not have the hash"), "{told}");
    let (code, told) = hypo(folder.path(), &["verify", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &json["findings"][0]["sequence"], &json["is_whole"]), (1, &7.into(), &false.into()));
    fs::remove_file(&log).unwrap();
    let (code, told) = hypo(folder.path(), &["verify"]);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("entries 1 to 40 are cut off"), "{told}");
}
