//! Telling systems outside, by the whole engine: it never waits for them, and what is pending outlives the program.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use hypocenter::engine::act::executor::Executor;
use hypocenter::engine::clock::Timestamp;
use hypocenter::engine::ingest::{SignalSink, Source, StopSignal, wall_clock};
use hypocenter::engine::model::{
    AlertNotice, AlertState, DeliveryState, Fingerprint, IncidentId, IncidentSeverity, IncidentState, Labels,
    OutwardEvent, Person, ServiceName, Severity, Signal, SourceKind, SourceName,
};
use hypocenter::engine::request::{Reply, Request};
use hypocenter::engine::runbooks::Library;
use hypocenter::engine::runtime::source_list::SourceSpec;
use hypocenter::engine::runtime::{Runtime, RuntimeConfig};
use hypocenter::engine::settings::{
    EngineSettings, OutboundSettings, PagerdutySettings, SecretSource, SlackSettings, Span,
};
use hypocenter::engine::snapshot::Snapshot;
use tokio::runtime::Handle;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// Far more than anything here takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// One critical alert, then silence.
struct OneAlert(SourceName, Timestamp);

impl Source for OneAlert {
    fn name(&self) -> &SourceName {
        &self.0
    }

    fn run(self: Box<Self>, sink: SignalSink, stop: StopSignal) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let notice = AlertNotice {
                source: self.0.clone(),
                fingerprint: Fingerprint(1),
                name: Arc::from("HighErrorRate"),
                service: Some(ServiceName::new("payment")),
                severity: Severity::Critical,
                state: AlertState::Firing,
                starts_at: self.1,
                ends_at: None,
                muted_by: None,
                summary: Arc::from("errors"),
                generator_url: Arc::from(""),
                labels: Labels::new([("service", "payment")]),
            };
            sink.send(Signal::Alert(notice)).await;
            stop.stopped().await;
        })
    }
}

/// The program with one alert and a Slack at `server`.
fn runtime(folder: &Path, server: &MockServer, timeout_ms: i64) -> Runtime {
    let webhook = folder.join("webhook");
    std::fs::write(&webhook, format!("{}/services/T0/B0/x", server.uri())).unwrap();
    let slack = SlackSettings {
        webhook: SecretSource { env: None, file: Some(webhook) },
        timeout: Span(timeout_ms),
        events: vec![OutwardEvent::IncidentOpened],
        ..SlackSettings::default()
    };
    telling(folder, OutboundSettings { slack: Some(slack), ..OutboundSettings::default() })
}

/// The program with one alert and a PagerDuty at `url`.
fn paging(folder: &Path, url: &str) -> Runtime {
    let key = folder.join("key");
    std::fs::write(&key, "k").unwrap();
    let pagerduty = PagerdutySettings {
        url: url.to_owned(),
        routing_key: SecretSource { env: None, file: Some(key) },
        events: vec![OutwardEvent::IncidentOpened],
        severity_min: IncidentSeverity::Sev4,
        ..PagerdutySettings::default()
    };
    telling(folder, OutboundSettings { pagerduty: Some(pagerduty), ..OutboundSettings::default() })
}

fn telling(folder: &Path, outbound: OutboundSettings) -> Runtime {
    let settings = EngineSettings { outbound, ..EngineSettings::default() };
    let since = wall_clock::now();
    let source = SourceSpec {
        name: SourceName::new("alerts"),
        kind: SourceKind::Alertmanager,
        address: Arc::from("here"),
        make: Box::new(move |_| Ok(Box::new(OneAlert(SourceName::new("alerts"), since)))),
    };
    Runtime::start(RuntimeConfig {
        sources: vec![source],
        runner: Arc::new(Executor::new(&settings.runbooks, Handle::current())),
        settings,
        library: Library::shipped(),
        state_dir: Some(folder.join("state")),
        patch_office: None,
        record_to: None,
    })
    .unwrap()
}

async fn wait(runtime: &Runtime, what: &str, is_so: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
    let mut snapshots = runtime.handle().snapshots();
    let reached = tokio::time::timeout(PATIENCE, snapshots.wait_for(|snapshot| is_so(snapshot))).await;
    reached.unwrap_or_else(|_| panic!("not reached: {what}")).unwrap().clone()
}

async fn stop(runtime: Runtime) {
    tokio::task::spawn_blocking(move || runtime.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_does_not_answer_holds_nobody_up() {
    let (folder, server) = (tempfile::tempdir().unwrap(), MockServer::start().await);
    let never = ResponseTemplate::new(200).set_body_string("ok").set_delay(Duration::from_secs(600));
    Mock::given(method("POST")).respond_with(never).mount(&server).await;
    let mut runtime = runtime(folder.path(), &server, 600_000);
    runtime.started().await.unwrap();
    let is_under_way = |snapshot: &Snapshot| {
        snapshot.outbox.pending.iter().any(|it| matches!(it.state, DeliveryState::UnderWay { .. }))
    };
    wait(&runtime, "the delivery is under way", is_under_way).await;
    // Request, disk, answer and picture: the whole way round, with the delivery still under way at its end.
    let answer = runtime.handle().send(&Person::admin("ana"), Request::Acknowledge { incident: IncidentId(1) });
    let answer = tokio::time::timeout(PATIENCE, answer).await.expect("the engine waits for slack").unwrap();
    assert!(matches!(answer, Reply::Done { .. }), "{answer:?}");
    let is_taken = |snapshot: &Snapshot| snapshot.incidents.iter().any(|it| it.state == IncidentState::Acknowledged);
    let snapshot = wait(&runtime, "the answer is on the screen", is_taken).await;
    assert!(is_under_way(&snapshot), "{:?}", snapshot.outbox);
    stop(runtime).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pending_is_told_after_a_restart_exactly_once() {
    let (folder, server) = (tempfile::tempdir().unwrap(), MockServer::start().await);
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(503)).mount(&server).await;
    let mut first = runtime(folder.path(), &server, 10_000);
    first.started().await.unwrap();
    let has_failed = |snapshot: &Snapshot| {
        let status = snapshot.outbox.destinations.first();
        status.is_some_and(|it| it.pending_count == 1 && it.last_problem.is_some())
    };
    let shown = wait(&first, "the first try failed", has_failed).await;
    let problem = shown.outbox.destinations[0].last_problem.clone().unwrap();
    assert!(problem.contains("503") && !problem.contains("T0"), "{problem}");
    stop(first).await;
    server.reset().await;
    let taken = ResponseTemplate::new(200).set_body_string("ok");
    Mock::given(method("POST")).respond_with(taken).mount(&server).await;
    for life in ["second", "third"] {
        let mut runtime = runtime(folder.path(), &server, 10_000);
        runtime.started().await.unwrap();
        let is_told = |snapshot: &Snapshot| snapshot.outbox.delivered.len() == 1 && snapshot.outbox.pending.is_empty();
        let snapshot = wait(&runtime, "it is told", is_told).await;
        assert_eq!(snapshot.incidents.len(), 1, "{life}");
        // A few ticks more, in which it would be told again.
        let at = snapshot.at;
        let answer =
            runtime.handle().send(&Person::admin("ana"), Request::Note { incident: IncidentId(1), text: life.into() });
        assert!(matches!(answer.await.unwrap(), Reply::Done { .. }));
        wait(&runtime, "time passes", |snapshot| snapshot.at.since_ms(at) >= 0 && snapshot.revision > 1).await;
        stop(runtime).await;
        assert_eq!(server.received_requests().await.unwrap().len(), 1, "{life}");
    }
}

/// Where the child keeps its store, and whom it tells.
const CHILD: (&str, &str) = ("HYPO_TEST_DELIVER_FOLDER", "HYPO_TEST_DELIVER_URL");

/// Not a test of its own: the process that the test below starts and kills. Without its variables it does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_tells_until_it_is_killed() {
    let (Ok(folder), Ok(url)) = (std::env::var(CHILD.0), std::env::var(CHILD.1)) else { return };
    let mut runtime = paging(Path::new(&folder), &url);
    runtime.started().await.unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_pending_when_the_program_was_killed_becomes_one_alert() {
    let (folder, server) = (tempfile::tempdir().unwrap(), MockServer::start().await);
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(503)).mount(&server).await;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "deliver::child_that_tells_until_it_is_killed"])
        .env(CHILD.0, folder.path())
        .env(CHILD.1, server.uri())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let is_tried = async {
        while server.received_requests().await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let is_tried = tokio::time::timeout(PATIENCE, is_tried).await;
    child.kill().unwrap();
    child.wait().unwrap();
    is_tried.expect("the child tells nobody");
    let key_of = |request: &wiremock::Request| {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        body["dedup_key"].as_str().unwrap().to_owned()
    };
    let first = key_of(&server.received_requests().await.unwrap()[0]);
    server.reset().await;
    let taken = serde_json::json!({ "status": "success", "message": "Event processed", "dedup_key": first });
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(202).set_body_json(taken)).mount(&server).await;
    let mut next = paging(folder.path(), &server.uri());
    next.started().await.unwrap();
    wait(&next, "it is told", |snapshot| snapshot.outbox.delivered.len() == 1).await;
    stop(next).await;
    let told: Vec<String> = server.received_requests().await.unwrap().iter().map(key_of).collect();
    assert_eq!(told, [first], "told once more, by the key that it had");
}
