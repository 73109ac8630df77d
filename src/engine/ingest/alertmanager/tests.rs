//! The source against a small server that answers as told.

use serde_json::json;
use tokio::sync::mpsc::Receiver;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::engine::model::{AlertState, Severity, SourceReport, SourceState};
use crate::engine::settings::{SecretSource, Span};

fn alert(name: &str, severity: &str) -> Value {
    json!({"labels": {"alertname": name, "severity": severity, "service": "cart"}, "annotations": {}, "startsAt": "2026-11-21T02:00:00Z",
        "endsAt": "2026-11-21T02:05:00Z", "status": {"state": "active", "silencedBy": [], "inhibitedBy": []}})
}

fn source(server: &MockServer) -> AlertmanagerSource {
    let settings = AlertmanagerSettings { url: server.uri(), interval: Span(500), ..AlertmanagerSettings::default() };
    AlertmanagerSource::new(&settings).unwrap()
}

/// One poll against an answer: the alerts that were news, and the report.
async fn poll(
    source: &mut AlertmanagerSource,
    server: &MockServer,
    alerts: ResponseTemplate,
) -> (Vec<AlertNotice>, SourceReport) {
    server.reset().await;
    let started = json!({"uptime": "2020-01-01T00:00:00.000Z"});
    Mock::given(path("/api/v2/status"))
        .respond_with(ResponseTemplate::new(200).set_body_json(started))
        .mount(server)
        .await;
    Mock::given(method("GET")).and(path("/api/v2/alerts")).respond_with(alerts).mount(server).await;
    let (sink, mut signals) = SignalSink::bounded(10_000);
    source.poll(&sink).await;
    drop(sink);
    (drain(&mut signals).await, source.health.report().clone())
}

async fn drain(signals: &mut Receiver<Signal>) -> Vec<AlertNotice> {
    let mut notices = Vec::new();
    while let Some(signal) = signals.recv().await {
        if let Signal::Alert(notice) = signal {
            notices.push(notice);
        }
    }
    notices
}

fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

#[tokio::test]
async fn the_worst_come_first_repeats_are_quiet_and_what_is_missing_is_resolved() {
    let server = MockServer::start().await;
    let mut source = source(&server);
    let (news, report) = poll(&mut source, &server, ok(&json!([alert("a", "info"), alert("b", "critical")]))).await;
    assert_eq!(news.iter().map(|n| n.severity).collect::<Vec<_>>(), [Severity::Critical, Severity::Info]);
    assert_eq!((report.state, report.accepted_count), (SourceState::Healthy, 2));
    let (news, _) = poll(&mut source, &server, ok(&json!([alert("b", "critical"), alert("a", "info")]))).await;
    assert_eq!(news, []);
    let (news, _) = poll(&mut source, &server, ok(&json!([alert("a", "info")]))).await;
    assert_eq!(news.iter().map(|n| (&*n.name, n.state)).collect::<Vec<_>>(), [("b", AlertState::Resolved)]);
    assert!(news[0].ends_at.is_some());
}

#[tokio::test]
async fn an_answer_that_is_not_whole_resolves_nothing() {
    let server = MockServer::start().await;
    let mut source = source(&server);
    poll(&mut source, &server, ok(&json!([alert("a", "info"), alert("b", "info")]))).await;
    let (news, report) = poll(&mut source, &server, ok(&json!([alert("a", "info"), {"labels": 7}]))).await;
    assert_eq!(news, []);
    assert_eq!(report.dropped.get(&DropReason::Malformed), Some(&1));
    assert!(matches!(report.state, SourceState::Degraded { .. }));
    for answer in [
        ResponseTemplate::new(503).set_body_string("starting"),
        ResponseTemplate::new(200).set_body_string("<html>"),
        ResponseTemplate::new(200).set_body_string("[".repeat(100_000)),
    ] {
        let (news, report) = poll(&mut source, &server, answer).await;
        assert_eq!(news, []);
        assert!(matches!(report.state, SourceState::Down { .. }), "{report:?}");
    }
    let (news, _) = poll(&mut source, &server, ok(&json!([]))).await;
    assert_eq!(news.len(), 2, "the next whole answer does");
}

#[tokio::test]
async fn a_server_that_was_just_restarted_resolves_nothing() {
    let server = MockServer::start().await;
    let mut source = source(&server);
    poll(&mut source, &server, ok(&json!([alert("a", "info")]))).await;
    server.reset().await;
    // Later than the first answer whatever the machine's speed, and younger than the limit.
    let started = (wall_clock::now() + 1_000).to_string();
    Mock::given(path("/api/v2/status")).respond_with(ok(&json!({"uptime": started}))).mount(&server).await;
    Mock::given(path("/api/v2/alerts")).respond_with(ok(&json!([]))).mount(&server).await;
    let (sink, mut signals) = SignalSink::bounded(8);
    source.poll(&sink).await;
    drop(sink);
    assert_eq!(drain(&mut signals).await, []);
    assert_eq!(source.known.alerts.len(), 1);
}

#[tokio::test]
async fn a_dead_server_is_down_with_a_reason_and_asked_again_later() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let settings = AlertmanagerSettings { url: url.clone(), ..AlertmanagerSettings::default() };
    let (sink, mut signals) = SignalSink::bounded(8);
    let (switch, stop) = StopSignal::pair();
    let running = tokio::spawn(Box::new(AlertmanagerSource::new(&settings).unwrap()).run(sink, stop));
    let Some(Signal::Source(report)) = signals.recv().await else { panic!() };
    let SourceState::Down { reason, since, retry_at } = report.state else { panic!("{report:?}") };
    assert!(reason.contains(&url) && retry_at > since, "{reason}");
    switch.stop();
    running.await.unwrap();
}

#[tokio::test]
async fn the_token_is_sent_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "s3cret\n").unwrap();
    let server = MockServer::start().await;
    Mock::given(header("authorization", "Bearer s3cret")).respond_with(ok(&json!([]))).expect(1).mount(&server).await;
    let bearer = SecretSource { file: Some(file), env: None };
    let settings = AlertmanagerSettings { url: server.uri(), bearer, ..AlertmanagerSettings::default() };
    let mut source = AlertmanagerSource::new(&settings).unwrap();
    let (sink, _signals) = SignalSink::bounded(8);
    source.poll(&sink).await;
    assert_eq!(source.health.report().state, SourceState::Healthy);
    assert!(!format!("{source:?}").contains("s3cret"));
}

#[tokio::test]
async fn a_storm_is_taken_whole() {
    let server = MockServer::start().await;
    let mut source = source(&server);
    let storm: Vec<Value> = (0..1_847).map(|n| alert(&format!("alert-{n}"), "warning")).collect();
    let (news, _) = poll(&mut source, &server, ok(&json!(storm))).await;
    assert_eq!(news.len(), 1_847);
}

#[tokio::test]
async fn a_ring_is_a_poll_at_once_and_a_storm_of_them_is_one() {
    let server = MockServer::start().await;
    Mock::given(path("/api/v2/alerts")).respond_with(ok(&json!([]))).mount(&server).await;
    let bell = PollBell::default();
    assert!(!bell.ring(), "nobody listens");
    let settings =
        AlertmanagerSettings { url: server.uri(), interval: Span(86_400_000), ..AlertmanagerSettings::default() };
    let source = AlertmanagerSource::new(&settings).unwrap().hearing(&bell);
    let (sink, mut signals) = SignalSink::bounded(16);
    let (switch, stop) = StopSignal::pair();
    let running = tokio::spawn(Box::new(source).run(sink, stop));
    assert!(matches!(signals.recv().await, Some(Signal::Source(_))));
    for _ in 0..10 {
        assert!(bell.ring());
    }
    assert!(matches!(signals.recv().await, Some(Signal::Source(_))), "the next regular poll is a day away");
    switch.stop();
    running.await.unwrap();
    assert_eq!(server.received_requests().await.unwrap().len(), 2);
}
