//! A thousand secrets go in by every door; none is in anything that is kept, exported or shown.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use hypocenter::engine::clock::{SECOND_MS, Timestamp};
use hypocenter::engine::ingest::log_file::LogFileSource;
use hypocenter::engine::ingest::normalize;
use hypocenter::engine::ingest::{SignalSink, Source, StopSignal};
use hypocenter::engine::input::{Input, RequestId};
use hypocenter::engine::job::{Job, Record};
use hypocenter::engine::model::{
    AlertNotice, AlertState, Fingerprint, IncidentId, Person, ServiceName, Severity, Signal, SourceName,
};
use hypocenter::engine::pipeline::Engine;
use hypocenter::engine::request::Request;
use hypocenter::engine::runbooks::Library;
use hypocenter::engine::settings::{EngineSettings, LogSettings};
use hypocenter::engine::store::Store;

const SECRET_COUNT: u64 = 1_000;
const START: Timestamp = Timestamp(1_793_577_600_000);

/// A secret that nobody else writes.
fn secret(number: u64) -> String {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("c4N{:016x}Xq{:08X}", mixed, (mixed >> 7) & 0xffff_ffff)
}

/// The same in one of the forms in which secrets are written.
fn told(number: u64) -> String {
    let secret = secret(number);
    match number % 10 {
        0 => format!("login failed, password={secret} user=app"),
        1 => format!("postgres://app:{secret}@db-1:5432/shop refused"),
        2 => format!("> Authorization: Bearer {secret}"),
        3 => format!("config {{\"api_key\":\"{secret}\"}} read"),
        4 => format!("client_secret: {secret}"),
        5 => format!("call /v1/pay?access_token={secret}&page=2 took 3 ms"),
        6 => format!("Cookie: session={secret}; theme=dark"),
        7 => format!("uses sk_live_{secret} for payment"),
        8 => format!("exec tool --token {secret} --verbose"),
        _ => format!("export AWS_SECRET_ACCESS_KEY='{secret}'"),
    }
}

/// What the followed file gives, as signals.
async fn lines(path: &Path) -> Vec<Signal> {
    let settings = LogSettings { path: path.to_owned(), service: "payment".to_owned(), name: None };
    let source = LogFileSource::new(&settings, None).unwrap();
    let (sink, mut signals) = SignalSink::bounded(4_096);
    let (switch, stop) = StopSignal::pair();
    let running = tokio::spawn(Box::new(source).run(sink, stop));
    // What is there before the start is the past: it is written once the file is followed.
    while !matches!(signals.recv().await, Some(Signal::Source(_))) {}
    let text: String = (0..SECRET_COUNT).map(|number| told(number) + "\n").collect();
    fs::write(path, text).unwrap();
    let mut taken = Vec::new();
    while taken.len() < usize::try_from(SECRET_COUNT).unwrap() {
        let signal = signals.recv().await.expect("the source goes on");
        taken.extend(matches!(signal, Signal::Log(_)).then_some(signal));
    }
    switch.stop();
    running.await.unwrap();
    taken
}

fn alert(number: u64) -> Signal {
    let labels = [("service", "payment".to_owned()), ("password", secret(number)), ("detail", told(number))];
    Signal::Alert(AlertNotice {
        source: SourceName::new("am"),
        fingerprint: Fingerprint(number),
        name: Arc::from("HighErrorRate"),
        service: Some(ServiceName::new("payment")),
        severity: Severity::Critical,
        state: AlertState::Firing,
        starts_at: START,
        ends_at: None,
        muted_by: None,
        summary: normalize::sanitize(&told(number), 4_096),
        generator_url: normalize::sanitize(&format!("http://ops:{}@prom/graph", secret(number)), 4_096),
        labels: normalize::labels(labels).labels,
    })
}

/// Everything that the engine wants kept, and whether each is to be there before anything else happens.
fn records(jobs: Vec<Job>) -> Vec<(Vec<Record>, bool)> {
    let some = jobs.into_iter().filter_map(|job| match job {
        Job::Persist(records) => Some((records, true)),
        Job::PersistLater(records) => Some((records, false)),
        _ => None,
    });
    some.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_kept_exported_or_shown() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let log = folder.path().join("app.log");
    fs::write(&log, "").unwrap();
    let store = Store::open(&state).unwrap();
    let mut engine = Engine::new(EngineSettings::default(), Library::shipped()).unwrap();
    let signals = lines(&log).await;
    let mut jobs = Vec::new();
    for signal in signals.into_iter().chain((0..SECRET_COUNT).map(alert)) {
        jobs.extend(engine.handle(Input::Signal(signal), START));
    }
    for second in 1..=5 {
        jobs.extend(engine.handle(Input::Tick, START + second * SECOND_MS));
    }
    let incident: IncidentId = engine.snapshot(START + 5 * SECOND_MS).incidents[0].id;
    for number in 0..SECRET_COUNT {
        let request = Request::Note { incident, text: told(number).into() };
        jobs.extend(engine.handle(Input::Request { id: RequestId(number), by: Person::admin("ana"), request }, START));
    }
    jobs.extend(engine.handle(Input::Tick, START + 10 * SECOND_MS));
    let mut audit_text = String::new();
    for (records, is_durable) in records(jobs) {
        for record in &records {
            audit_text.extend(matches!(record, Record::Audit(_)).then(|| serde_json::to_string(record).unwrap()));
        }
        store.write(&records, is_durable).unwrap();
    }
    let mut exported = Vec::new();
    store.export(&mut exported).unwrap();
    let snapshot = serde_json::to_string(&*engine.snapshot(START + 10 * SECOND_MS)).unwrap();
    drop(store);
    assert!(audit_text.matches("⟨redacted:").count() >= 1_000, "the notes are in the audit log, without their secrets");

    let mut sinks = vec![("export".to_owned(), exported), ("snapshot".to_owned(), snapshot.into_bytes())];
    for entry in fs::read_dir(&state).unwrap().map_while(Result::ok).filter(|entry| entry.path().is_file()) {
        sinks.push((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).unwrap()));
    }
    assert!(sinks.iter().any(|(name, _)| name == "audit.jsonl"), "{:?}", sinks.iter().map(|sink| &sink.0));
    let mut found = Vec::new();
    for (name, bytes) in &sinks {
        let text = String::from_utf8_lossy(bytes);
        // Every secret holds this, and nothing else does.
        found.extend(
            text.match_indices("c4N").take(3).map(|(at, _)| format!("{name}: {}", text.get(at..at + 40).unwrap_or(""))),
        );
    }
    assert!(found.is_empty(), "{found:#?}");
}
