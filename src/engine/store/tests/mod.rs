//! What the store keeps, refuses, mends and moves. Crashes and random operations are in `tests/suite/store.rs`.

mod backups;
mod damage;
mod doubts;
mod retention;
mod sealing;
mod versions;
mod waits;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

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
    MetricGoal, OutwardEvent, OutwardMessage, PastPage, PastValues, Purpose, Run, RunId, RunState, RunStep, Runbook,
    SeriesDescriptor, SeriesNotice, SeriesRole, ServiceName, Slot, SlotPage, SlotWidth, SourceName, StepEffect,
    StepKind, StepSpec, StepState, Topology, Unit,
};
use crate::engine::settings::DetectionSettings;

fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o700)).tempdir().unwrap()
}

/// As whoever goes on with it opens it.
fn mended(folder: &Path) -> Result<Store, StoreError> {
    Store::open_held(Arc::new(Hold::take(folder)?))
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

fn past_page(metric: &str, from: i64, value: f32) -> PastPage {
    let mut slots = SlotPage::new(Timestamp(from * SlotWidth::Hour.page_ms()));
    slots.put(3, Slot { low: value, mean: value, high: value, count: 1 });
    PastPage {
        service: ServiceName::new("payment"),
        metric: Arc::from(metric),
        unit: Unit::Ratio,
        role: SeriesRole::Errors,
        bad_when: BadWhen::High,
        width: SlotWidth::Hour,
        counted_until: Timestamp(7),
        slots,
    }
}

#[test]
fn what_was_measured_is_there_after_a_restart_and_a_damaged_page_holds_no_other_up() {
    let folder = folder();
    let pages =
        [past_page("error_ratio", 20_000, 0.25), past_page("error_ratio", 20_001, 0.5), past_page("up", 20_000, 1.0)];
    {
        let store = Store::open(folder.path()).unwrap();
        let records: Vec<Record> = pages.iter().cloned().map(Record::PastPage).collect();
        store.write(&records, true).unwrap();
        // The same page again replaces it.
        store.write(&[Record::PastPage(past_page("error_ratio", 20_001, 0.75))], true).unwrap();
    }
    let store = Store::open(folder.path()).unwrap();
    let told = |store: &Store| {
        let past = PastValues::of_pages(store.past_pages().flatten());
        let service = ServiceName::new("payment");
        let of = |metric: &str| past.hours(&service, metric).map(|(_, slot)| slot.mean).collect::<Vec<_>>();
        (of("error_ratio"), of("up"))
    };
    assert_eq!(told(&store), (vec![0.25, 0.75], vec![1.0]));
    assert_eq!(store.load().unwrap().unreadable_count, 0);
    let tree = store.tree(TreeName::Past);
    let (key, value) = tree.first().unwrap().unwrap();
    tree.insert(&key, &value[..value.len() - 1]).unwrap();
    assert_eq!(store.past_pages().filter(Option::is_none).count(), 1);
    assert_eq!(store.past_pages().flatten().count(), 2);
    assert!(tree.get(&key).unwrap().is_some(), "it is left as it is");
    // One without samples goes.
    let gone = PastPage { slots: SlotPage::new(pages[2].slots.from), ..pages[2].clone() };
    let before = store.past_pages().count();
    store.write(&[Record::PastPage(gone)], true).unwrap();
    assert_eq!(store.past_pages().count(), before - 1);
}
