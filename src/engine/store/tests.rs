//! What the store keeps, refuses, mends and moves. Crashes and random operations are in `tests/suite/store.rs`.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use super::schema::{SCHEMA_KEY, VALUE_VERSION};
use super::*;
use crate::engine::audit::verify::FindingKind;
use crate::engine::clock::Timestamp;
use crate::engine::detect::Detection;
use crate::engine::job::Record;
use crate::engine::limits::AUDIT_IN_SNAPSHOT_MAX;
use crate::engine::model::{
    Anomaly, AuditEntry, AuditKind, BadWhen, Band, Beginning, BoundStep, CauseKind, Change, ChangeId, ChangeKind,
    ChangeNotice, Delivery, DeliveryState, Destination, Document, DocumentKind, Fingerprint, IncidentId, Labels,
    MetricGoal, OutwardEvent, OutwardMessage, Purpose, Run, RunId, RunState, RunStep, Runbook, SeriesDescriptor,
    SeriesNotice, SeriesRole, ServiceName, SourceName, StepEffect, StepKind, StepSpec, StepState, Topology, Unit,
};
use crate::engine::settings::DetectionSettings;

fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o700)).tempdir().unwrap()
}

fn audit(sequence: u64, text: &str) -> Record {
    Record::Audit(AuditEntry {
        sequence,
        at: Timestamp(1_763_000_000_123),
        kind: AuditKind::Intent,
        by: Arc::from("ana"),
        incident: Some(IncidentId(42)),
        run: None,
        text: Arc::from(text),
    })
}

#[test]
fn an_anomaly_kept_before_its_onset_or_promise_was_is_read() {
    let now = crate::engine::world::fixtures::anomaly(7, "payment", "error_ratio", SeriesRole::Errors, 100);
    let mut entry = schema::encode(&Record::Anomaly(now.clone())).unwrap();
    assert_eq!(entry.value.first(), Some(&4));
    for (version, what) in
        [(3, "no contradiction"), (2, "no promise"), (VALUE_VERSION, "the count of the values at the onset")]
    {
        assert_eq!(entry.value.pop(), Some(0), "{what}");
        entry.value[0] = version;
        let read = schema::decode(TreeName::Anomalies, &entry.key, &entry.value).unwrap();
        assert_eq!(read, Record::Anomaly(now.clone()));
    }
}

#[test]
fn a_change_from_before_its_content_was_kept_is_read() {
    let entry = schema::encode(&change(7)).unwrap();
    let (version, rest) = entry.value.split_first().unwrap();
    assert_eq!((*version, rest.last()), (2, Some(&0)), "no content is the last byte");
    let mut old = vec![1];
    old.extend_from_slice(&rest[..rest.len() - 1]);
    assert_eq!(schema::decode(TreeName::Changes, &entry.key, &old).unwrap(), change(7));
}

fn setting(name: &str, value: &str) -> Record {
    Record::Setting { name: name.to_owned(), value: value.to_owned() }
}

fn change(id: u64) -> Record {
    Record::Change(Change {
        id: ChangeId(id),
        notice: ChangeNotice {
            source: SourceName::new("deploys"),
            external_id: Arc::from("d1"),
            kind: ChangeKind::Deploy,
            service: Some(ServiceName::new("payment")),
            title: Arc::from("deploy ü␛ to payment"),
            version: None,
            author: None,
            url: None,
            at: Timestamp(-5),
            finished_at: Some(Timestamp(9_000)),
            has_taken_effect: true,
            content: None,
        },
    })
}

/// A run in the midst of a verify step: floats, nested enums and maps.
fn run(id: u64, value: f64) -> Record {
    let spec = StepSpec {
        name: Arc::from("home"),
        title: Arc::from("watch"),
        text: Arc::from("text"),
        kind: StepKind::Verify {
            goal: MetricGoal {
                metric: Arc::from("error_ratio"),
                service: Arc::from("payment"),
                below: Some(0.1),
                above: None,
            },
            hold_ms: 60_000,
            samples_min: 3,
            volume: None,
        },
        effect: StepEffect::Read,
        touches: Arc::from("nothing"),
        timeout_ms: 1_000,
    };
    let step = RunStep {
        bound: BoundStep { spec: spec.clone(), digest: Arc::from("d") },
        state: StepState::Watching {
            inside_since: Some(Timestamp(7)),
            samples: 2,
            last: Some((value, Band { low: -0.0, centre: 0.1, high: 1e300 })),
            unit: Unit::Seconds,
            seen_until: Timestamp(8),
            until: Timestamp(9),
        },
        attempt: 2,
        id: Arc::from("i"),
        offer: Arc::from("o"),
        evidence: Arc::from("e"),
        offered_at: Timestamp(1),
        begun: vec![Beginning {
            id: Arc::from("i"),
            at: Timestamp(1),
            by: Arc::from("ana"),
            purpose: Purpose::Run,
            is_void: false,
        }],
        is_in_force: true,
        gate_text: Arc::from("g"),
        is_denied: false,
        needs_target: true,
        begins_at: Some(Timestamp(4)),
        approvals: Vec::new(),
        done_before: None,
        shown_at: Timestamp(1),
        output: vec![Arc::from("line")],
        output_dropped_count: 3,
        exit_code: Some(-1),
        approved_by: None,
        is_as_expected: Some(false),
        answer: None,
        harm_before: Some(BTreeMap::from([(Arc::from("payment error_ratio"), value)])),
    };
    Record::Run(Run {
        id: RunId(id),
        subject: IncidentId(42).into(),
        runbook: Arc::new(Runbook {
            id: Arc::from("r"),
            title: Arc::from("R"),
            version: Arc::from("1"),
            content_hash: Arc::from("h"),
            owner: Arc::from("o"),
            origin: Arc::from("shipped"),
            problems: vec![CauseKind::BadDeploy],
            service_pattern: Arc::from(""),
            place: crate::engine::model::RunbookPlace::Anywhere,
            includes: Vec::new(),
            mistake: None,
            params: BTreeMap::new(),
            symptoms: Vec::new(),
            alerts: Vec::new(),
            verified: Some(Arc::from("2026-02-14")),
            expires_days: 90,
            acts_max: 1,
            estimate_seconds: 1,
            steps: vec![spec],
        }),
        params: BTreeMap::from([(Arc::from("service"), Arc::from("payment"))]),
        cause: Some((CauseKind::BadDeploy, ServiceName::new("payment"))),
        state: RunState::Active,
        word: Arc::from(""),
        is_escalated: false,
        has_held: None,
        steps: vec![step],
        started_at: Timestamp(1),
        ended_at: None,
        started_by: Arc::from("ana"),
        was_first: true,
    })
}

fn delivery(number: u64) -> Record {
    let message = OutwardMessage {
        event: OutwardEvent::ActBegan,
        thread: Arc::from("RUN-3/restart/7"),
        title: Arc::from("title"),
        text: Arc::from("one\ntwo"),
        severity: None,
        service: Some(ServiceName::new("payment")),
        by: None,
        at: Timestamp(7),
        began_at: Some(Timestamp(7)),
        has_taken_effect: None,
    };
    Record::Delivery(Delivery {
        number,
        key: format!("servicenow/{number}").into(),
        destination: Destination::Servicenow,
        incident: Some(IncidentId(42)),
        message,
        enqueued_at: Timestamp(8),
        attempt_count: 2,
        state: DeliveryState::Waiting { next_try_at: Timestamp(9), last_problem: Some(Arc::from("429")) },
    })
}

fn document() -> Record {
    Record::Document(Document {
        incident: IncidentId(42),
        kind: DocumentKind::PostMortem,
        text: Arc::from("# What happened\n\nmuch"),
        by: Arc::from("ana"),
        at: Timestamp(7),
    })
}

fn sample_records() -> Vec<Record> {
    vec![
        audit(1, "first"),
        change(9),
        run(3, 0.25),
        Record::Topology(Topology::default()),
        Record::Templates(vec![0, 255, 7]),
        Record::Relations { of: Fingerprint(5), bytes: vec![1, 0, 9] },
        Record::BackfillCursor { source: SourceName::new("prom"), until: Timestamp(99) },
        setting("pane", "\"now\""),
        delivery(5),
        document(),
    ]
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let folder = folder();
    let records = sample_records();
    {
        let store = Store::open(folder.path()).unwrap();
        store.write(&records, true).unwrap();
        let gone = |bytes| Record::Relations { of: Fingerprint(6), bytes };
        store.write(&[gone(vec![1])], true).unwrap();
        store.write(&[gone(Vec::new())], true).unwrap();
        store.write(&[delivery(6)], true).unwrap();
        store.write(&[Record::DeliveryGone(6)], true).unwrap();
    }
    let store = Store::open(folder.path()).unwrap();
    let stored = store.load().unwrap();
    assert_eq!(stored.audit.len(), 1);
    assert_eq!(Record::Change(stored.changes[0].clone()), change(9));
    assert_eq!(Record::Run(stored.runs[0].clone()), run(3, 0.25));
    assert_eq!(stored.topology, Some(Topology::default()));
    assert_eq!(stored.templates.as_deref(), Some([0, 255, 7].as_slice()));
    assert_eq!(stored.relations, [(Fingerprint(5), vec![1, 0, 9])], "the other is gone");
    let deliveries: Vec<Record> = stored.deliveries.iter().cloned().map(Record::Delivery).collect();
    assert_eq!(deliveries, [delivery(5)], "the other is gone");
    assert_eq!(stored.documents.iter().cloned().map(Record::Document).collect::<Vec<_>>(), [document()]);
    assert_eq!(stored.cursors[&SourceName::new("prom")], Timestamp(99));
    assert_eq!(stored.settings["pane"], "\"now\"");
    assert_eq!((stored.next.run, stored.next.change, stored.next.audit, stored.next.incident), (4, 10, 2, 1));
    assert_eq!((stored.unreadable_count, stored.problems.len()), (0, 0));
    assert_eq!(store.notices(), [] as [Arc<str>; 0]);
}

#[test]
fn the_folder_is_for_its_owner_alone() {
    let folder = folder();
    let inner = folder.path().join("a/b");
    drop(Store::open(&inner).unwrap());
    assert_eq!(inner.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    std::fs::set_permissions(&inner, std::fs::Permissions::from_mode(0o750)).unwrap();
    let message = Store::open(&inner).unwrap_err().to_string();
    assert!(message.contains("750") && message.contains(&format!("chmod 700 {}", inner.display())), "{message}");
}

#[test]
fn the_second_to_open_learns_who_the_first_is() {
    let folder = folder();
    let first = Store::open(folder.path()).unwrap();
    let message = Store::open(folder.path()).unwrap_err().to_string();
    assert!(message.contains(&format!("hypo pid {} since 2", std::process::id())), "{message}");
    assert!(message.contains("--state-dir"), "{message}");
    drop(first);
    Store::open(folder.path()).unwrap();
}

#[test]
fn audit_entries_are_never_replaced_and_nothing_of_that_write_is_kept() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    store.write(&[audit(1, "one")], true).unwrap();
    store.write(&[audit(1, "one")], true).unwrap();
    let refused = store.write(&[setting("a", "1"), audit(1, "other")], true).unwrap_err();
    assert!(matches!(refused, StoreError::AuditRewritten { sequence: 1 }));
    assert!(store.load().unwrap().settings.is_empty());
    store.write(&[audit(2, "two")], true).unwrap();
    let verdict = audit_file::check(folder.path(), &[]).unwrap();
    assert!(verdict.is_whole() && verdict.entries == 2, "{:?}", verdict.findings);
}

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
fn the_newest_audit_entries_are_loaded_oldest_first() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let total = AUDIT_IN_SNAPSHOT_MAX as u64 + 300;
    let records: Vec<Record> = (1..=total).map(|sequence| audit(sequence, "x")).collect();
    store.write(&records, true).unwrap();
    let stored = store.load().unwrap();
    assert_eq!(stored.audit.len(), AUDIT_IN_SNAPSHOT_MAX);
    assert_eq!((stored.audit[0].sequence, stored.next.audit), (301, total + 1));
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
fn of_a_series_that_is_gone_nothing_is_left() {
    let mut detection = Detection::new(&DetectionSettings::default(), &[]).unwrap();
    for local in 0..2 {
        let descriptor = SeriesDescriptor {
            metric: Arc::from("load"),
            service: ServiceName::new("shop"),
            instance: Some(Arc::from(format!("pod-{local}"))),
            unit: Unit::Count,
            role: SeriesRole::Other,
            bad_when: BadWhen::Either,
            is_skewed: false,
            limit: None,
            interval_ms: 15_000,
            labels: Labels::default(),
        };
        detection.define(&SeriesNotice { source: SourceName::new("prom"), local, descriptor });
    }
    detection.keep_everything();
    let states = detection.series_to_keep(usize::MAX);
    let gone = states[0].fingerprint;
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let kept: Vec<Record> = states.into_iter().map(|state| Record::Series(Box::new(state))).collect();
    store.write(&kept, true).unwrap();
    assert_eq!(store.series().count(), 2);
    store.write(&[Record::SeriesGone(gone)], true).unwrap();
    assert!(store.series().flatten().all(|state| state.fingerprint != gone) && store.series().count() == 1);
    store.write(&[Record::SeriesGone(gone), kept[0].clone()], true).unwrap();
    assert_eq!(store.series().count(), 2, "what is kept after it is there");
    store.tree(TreeName::Series).insert(gone.0.to_be_bytes(), &[4, 1]).unwrap();
    assert_eq!((store.series().count(), store.series().flatten().count()), (2, 1), "one is told as not to be read");
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

/// Schema 0: as today, without the version byte.
fn write_schema_0(folder: &Path, records: &[Record]) {
    let db = open::open_sled(folder).unwrap();
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
        let db = open::open_sled(folder.path()).unwrap();
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
fn a_newer_store_is_left_alone() {
    let folder = folder();
    {
        let db = open::open_sled(folder.path()).unwrap();
        db.open_tree("meta").unwrap().insert(SCHEMA_KEY, &7_u32.to_be_bytes()).unwrap();
        db.flush().unwrap();
    }
    assert!(matches!(Store::open(folder.path()), Err(StoreError::Newer { found: 7, .. })));
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

#[test]
fn after_a_failed_write_nothing_more_is_written() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let full = sled::Error::Io(std::io::Error::from(std::io::ErrorKind::StorageFull));
    assert!(matches!(store.fail(&full), StoreError::Full { .. }));
    assert!(matches!(store.write(&[setting("a", "1")], true), Err(StoreError::Failed { .. })));
    assert!(matches!(store.flush(), Err(StoreError::Failed { .. })));
}

#[test]
fn what_the_system_refuses_is_said_with_the_path() {
    let path = Path::new("/state/hypo");
    for (kind, says) in [
        (std::io::ErrorKind::StorageFull, "no room left"),
        (std::io::ErrorKind::ReadOnlyFilesystem, "cannot be written to"),
        (std::io::ErrorKind::PermissionDenied, "cannot be written to"),
        (std::io::ErrorKind::InvalidData, "damaged"),
    ] {
        let message = open::problem(path, &sled::Error::Io(std::io::Error::from(kind))).to_string();
        assert!(message.contains(says) && message.contains("/state/hypo"), "{message}");
    }
}

#[test]
fn a_lock_that_outlives_its_store_for_a_moment_is_waited_out_and_nothing_repaired() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    store.write(&sample_records(), true).unwrap();
    drop(store);
    let files = std::fs::File::open(folder.path().join("store/db")).unwrap();
    files.lock().unwrap();
    let (is_open, opened) = std::sync::mpsc::channel();
    let path = folder.path().to_path_buf();
    let opener = std::thread::spawn(move || {
        let store = Store::open(&path).unwrap();
        is_open.send(()).unwrap();
        store.notices().len()
    });
    assert!(opened.recv_timeout(std::time::Duration::from_millis(200)).is_err(), "opened past the lock");
    files.unlock().unwrap();
    assert_eq!(opener.join().unwrap(), 0);
    assert!(!folder.path().join("set-aside").exists());
}
