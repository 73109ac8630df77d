//! The receiver as its senders meet it, over loopback.

use std::path::PathBuf;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::Receiver;

use super::*;
use crate::engine::ingest::StopSwitch;
use crate::engine::model::{DropReason, Severity, Signal, SourceReport, SourceState};
use crate::engine::settings::SecretSource;

struct Running {
    address: String,
    signals: Receiver<Signal>,
    _switch: StopSwitch,
    _folder: tempfile::TempDir,
}

fn secret_file(folder: &tempfile::TempDir, name: &str, text: &str) -> SecretSource {
    let file: PathBuf = folder.path().join(name);
    std::fs::write(&file, text).unwrap();
    SecretSource { env: None, file: Some(file) }
}

/// A receiver on a free port, with a token if one is given and a secret for GitHub.
async fn start(token: Option<&str>, queue_max: usize) -> Running {
    start_with(token, queue_max, WEBHOOK_READ_MS_MAX).await
}

async fn start_with(token: Option<&str>, queue_max: usize, read_ms: u64) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let settings = ReceiverSettings {
        listen: "127.0.0.1:0".to_owned(),
        bearer: token.map(|token| secret_file(&folder, "token", token)).unwrap_or_default(),
        github_secret: secret_file(&folder, "github", "hush"),
        ..ReceiverSettings::default()
    };
    let mut source = ReceiverSource::new(&settings).unwrap().unwrap();
    source.read_ms = read_ms;
    run(source, queue_max, folder).await
}

async fn run(mut source: ReceiverSource, queue_max: usize, folder: tempfile::TempDir) -> Running {
    source.queue_wait_ms = 10;
    let (sink, mut signals) = SignalSink::bounded(queue_max);
    let (switch, stop) = StopSignal::pair();
    tokio::spawn(Box::new(source).run(sink, stop));
    let Some(Signal::Source(report)) = signals.recv().await else { panic!() };
    assert_eq!(report.state, SourceState::Healthy);
    Running { address: report.address.to_string(), signals, _switch: switch, _folder: folder }
}

impl Running {
    async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> (u16, String) {
        crate::engine::ingest::http_client::install_tls_provider();
        let client = reqwest::Client::builder().tls_certs_only([]).build().unwrap();
        let mut request = client.post(format!("{}{path}", self.address)).body(body);
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// The next report that says more than the first.
    async fn report(&mut self) -> SourceReport {
        loop {
            if let Some(Signal::Source(report)) = self.signals.recv().await {
                return report;
            }
        }
    }
}

fn payload(alerts: &[Value]) -> String {
    json!({"version": "4", "groupKey": "g", "status": "firing", "receiver": "hook", "truncatedAlerts": 0, "alerts": alerts}).to_string()
}

fn alert(n: usize) -> Value {
    let severity = if n % 100 == 7 { "critical" } else { "warning" };
    json!({"status": "firing", "labels": {"alertname": "A", "severity": severity, "instance": n.to_string(), "service": "cart"},
        "annotations": {"summary": "s"}, "startsAt": "2026-11-21T02:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "u"})
}

fn signed(body: &str) -> String {
    let mac = Hmac::<sha2::Sha256>::new_from_slice(b"hush").unwrap().chain_update(body.as_bytes());
    mac.finalize().into_bytes().iter().fold("sha256=".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

#[tokio::test]
async fn a_storm_in_one_request_is_taken_whole_criticals_first() {
    let mut running = start(None, 4_096).await;
    let alerts: Vec<Value> = (0..1_847).map(alert).collect();
    let (status, text) = running.post("/webhook/alertmanager", &[], payload(&alerts) + "\n").await;
    assert_eq!((status, text.as_str()), (200, "1847 alerts taken\n"));
    let mut severities = Vec::new();
    while severities.len() < 1_847 {
        if let Some(Signal::Alert(notice)) = running.signals.recv().await {
            severities.push(notice.severity);
        }
    }
    assert!(severities.is_sorted_by(|a, b| a >= b) && severities[0] == Severity::Critical);
}

#[tokio::test]
async fn a_full_queue_is_refused_until_there_is_room() {
    let mut running = start(None, 4).await;
    let alerts: Vec<Value> = (0..10).map(alert).collect();
    let (status, _) = running.post("/webhook/alertmanager", &[], payload(&alerts)).await;
    assert_eq!(status, 503);
    while running.signals.try_recv().is_ok() {}
    let (status, _) = running.post("/webhook/alertmanager", &[], payload(&alerts[..2])).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn foreign_shapes_are_told_what_was_expected() {
    let running = start(None, 64).await;
    for body in
        ["", "null", "[]", "{\"alerts\":[]}", "{\"version\":\"4\"}", "{\"version\":\"4\",\"alerts\":{}}", "\u{feff}{}"]
    {
        let (status, text) = running.post("/webhook/alertmanager", &[], body).await;
        assert!(status == 400 && text.contains("version \"4\""), "{body}: {status} {text}");
    }
    let (status, text) = running.post("/webhook/events", &[], "{}").await;
    assert!(status == 400 && text.contains("CloudEvent"), "{text}");
    let (status, text) = running.post("/elsewhere", &[], "{}").await;
    assert!(status == 404 && text.contains("/webhook/events"), "{text}");
}

#[tokio::test]
async fn only_the_token_opens_the_door() {
    let mut running = start(Some("t0ken\n"), 64).await;
    let event = json!({"specversion": "1.0", "id": "1", "source": "ci", "type": "deploy.finished", "data": {"service": "cart"}}).to_string();
    for headers in [&[][..], &[("authorization", "Bearer other")], &[("authorization", "Bearer t0ken2")]] {
        assert_eq!(running.post("/webhook/events", headers, event.clone()).await.0, 401);
        assert_eq!(running.post("/webhook/alertmanager", headers, payload(&[])).await.0, 401);
    }
    let (status, text) = running.post("/webhook/events", &[("authorization", "Bearer t0ken")], event).await;
    assert_eq!((status, text.as_str()), (200, "1 changes taken, 0 events ignored\n"));
    loop {
        let report = running.report().await;
        if report.accepted_count == 1 {
            assert_eq!(report.dropped.get(&DropReason::Unauthorized), Some(&6));
            break;
        }
    }
}

#[tokio::test]
async fn a_signed_delivery_is_taken_once_and_a_forged_one_never() {
    let mut running = start(None, 64).await;
    let body =
        json!({"action": "published", "release": {"id": 3, "tag_name": "v1", "published_at": "2026-11-21T02:00:00Z"},
        "repository": {"full_name": "shop/cart"}})
        .to_string();
    let good = signed(&body);
    let headers = |delivery: &'static str, signature: &str| {
        [
            ("x-github-event", "release".to_owned()),
            ("x-github-delivery", delivery.to_owned()),
            ("x-hub-signature-256", signature.to_owned()),
        ]
    };
    let send = async |delivery: &'static str, signature: &str, body: &str| {
        let headers = headers(delivery, signature);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        running.post("/webhook/github", &headers, body.to_owned()).await
    };
    assert_eq!(send("d1", &signed("other"), &body).await.0, 401);
    assert_eq!(send("d1", &good[..60], &body).await.0, 401);
    assert_eq!(send("d1", &good, &body).await, (200, "1 change taken\n".to_owned()));
    assert_eq!(send("d1", &good, &body).await, (200, "taken before\n".to_owned()));
    assert_eq!(send("d2", &good, &body).await, (200, "taken before\n".to_owned()), "a replay under another number");
    assert_eq!(send("", &good, &body).await.0, 400);
    let mut changes = 0;
    loop {
        match running.signals.recv().await {
            Some(Signal::Change(_)) => changes += 1,
            Some(Signal::Source(report)) if report.dropped.get(&DropReason::Duplicate) == Some(&2) => break,
            Some(_) => {}
            None => panic!("the receiver ended"),
        }
    }
    assert_eq!(changes, 1);
}

#[tokio::test]
async fn what_is_too_large_too_deep_or_no_json_is_refused() {
    let running = start(None, 64).await;
    let (status, _) = running.post("/webhook/events", &[], vec![b'x'; 2 << 20]).await;
    assert_eq!(status, 413);
    let (status, text) = running.post("/webhook/events", &[], "[".repeat(100_000)).await;
    assert!(status == 400 && text.contains("deeper than"), "{status} {text}");
    for headers in [
        ("content-type", "text/plain"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("content-encoding", "gzip"),
    ] {
        assert_eq!(running.post("/webhook/events", &[headers], "{}").await.0, 415, "{headers:?}");
    }
}

fn truncated(left_out: u64) -> String {
    json!({"version": "4", "groupKey": "g", "status": "firing", "truncatedAlerts": left_out, "alerts": [alert(1)]})
        .to_string()
}

#[tokio::test]
async fn alerts_left_out_of_deliveries_are_counted_and_shown_until_a_whole_one_comes() {
    let mut running = start(None, 64).await;
    for left_out in [3, 4] {
        assert_eq!(running.post("/webhook/alertmanager", &[], truncated(left_out)).await.0, 200);
    }
    let report = loop {
        let report = running.report().await;
        if report.dropped.get(&DropReason::TooMany) == Some(&7) {
            break report;
        }
    };
    let SourceState::Degraded { reason } = &report.state else { panic!("{report:?}") };
    assert!(reason.contains("left 7 alerts out") && reason.contains("[[alertmanager]]"), "{reason}");
    assert_eq!(running.post("/webhook/alertmanager", &[], truncated(0)).await.0, 200);
    while running.report().await.state != SourceState::Healthy {}
}

#[tokio::test]
async fn alerts_left_out_are_asked_for_where_an_alertmanager_is_polled() {
    let bell = PollBell::default();
    let mut rings = bell.listener();
    let settings = ReceiverSettings { listen: "127.0.0.1:0".to_owned(), ..ReceiverSettings::default() };
    let source = ReceiverSource::new(&settings).unwrap().unwrap().ringing(&bell);
    let mut running = run(source, 64, tempfile::tempdir().unwrap()).await;
    assert_eq!(running.post("/webhook/alertmanager", &[], truncated(0)).await.0, 200);
    assert!(!rings.has_changed().unwrap(), "nothing is missing");
    assert_eq!(running.post("/webhook/alertmanager", &[], truncated(3)).await.0, 200);
    rings.changed().await.unwrap();
    let report = loop {
        let report = running.report().await;
        if report.dropped.get(&DropReason::TooMany) == Some(&3) {
            break report;
        }
    };
    assert_eq!(report.state, SourceState::Healthy);
    assert!(report.warnings[0].contains("left 3 alerts out") && report.warnings[0].contains("asked for"), "{report:?}");
}

#[tokio::test]
async fn an_event_in_headers_may_bring_any_data_or_none() {
    let mut running = start(None, 64).await;
    let headers = |kind: &'static str| {
        [("ce-specversion", "1.0"), ("ce-id", "e"), ("ce-source", "ci"), ("ce-type", "deploy"), ("content-type", kind)]
    };
    for (kind, body) in
        [("text/plain", "[".repeat(100)), ("application/json", r#"{"service":"cart"}"#.to_owned()), ("", String::new())]
    {
        let (status, text) = running.post("/webhook/events", &headers(kind), body).await;
        assert_eq!(status, 200, "{kind}: {text}");
    }
    assert_eq!(running.post("/webhook/events", &headers("text/json"), "[".repeat(100)).await.0, 400);
    let mut services = Vec::new();
    while services.len() < 3 {
        if let Some(Signal::Change(notice)) = running.signals.recv().await {
            services.push(notice.service.map(|service| service.to_string()));
        }
    }
    assert_eq!(services, [None, Some("cart".to_owned()), None]);
}

#[tokio::test]
async fn a_body_without_a_length_is_cut_off_at_the_limit() {
    let running = start(None, 64).await;
    let mut stream = TcpStream::connect(running.address.trim_start_matches("http://")).await.unwrap();
    let head = "POST /webhook/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let mut answer = String::new();
    let (mut reader, mut writer) = stream.split();
    let writing = async {
        // The receiver closes while we write; that is the point.
        while writer.write_all(chunk.as_bytes()).await.is_ok() {}
    };
    let reading = async {
        let mut bytes = [0; 12];
        reader.read_exact(&mut bytes).await.unwrap();
        answer.push_str(&String::from_utf8_lossy(&bytes));
    };
    tokio::select! { () = reading => {}, () = async { writing.await; std::future::pending().await } => {} }
    assert_eq!(answer, "HTTP/1.1 413");
}

#[tokio::test]
async fn a_body_that_trickles_is_given_up() {
    let running = start_with(None, 64, 50).await;
    let mut stream = TcpStream::connect(running.address.trim_start_matches("http://")).await.unwrap();
    let head =
        "POST /webhook/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn a_head_that_never_ends_is_given_up() {
    let running = start_with(None, 64, 50).await;
    let mut stream = TcpStream::connect(running.address.trim_start_matches("http://")).await.unwrap();
    stream.write_all(b"POST /webhook/events HTTP/1.1\r\nhost: ").await.unwrap();
    let mut answer = Vec::new();
    // Closed without an answer, or with one; either way it ends.
    let _closed = stream.read_to_end(&mut answer).await;
}

#[tokio::test]
async fn a_port_in_use_is_a_state_and_not_the_end() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let source = ReceiverSource::new(&ReceiverSettings { listen, ..ReceiverSettings::default() }).unwrap().unwrap();
    let (sink, mut signals) = SignalSink::bounded(8);
    let (switch, stop) = StopSignal::pair();
    let running = tokio::spawn(Box::new(source).run(sink, stop));
    let Some(Signal::Source(report)) = signals.recv().await else { panic!() };
    assert!(matches!(report.state, SourceState::Down { .. }), "{report:?}");
    switch.stop();
    running.await.unwrap();
}

#[test]
fn settings_that_would_be_unsafe_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let with = |listen: &str, bearer: SecretSource| {
        ReceiverSource::new(&ReceiverSettings { listen: listen.to_owned(), bearer, ..ReceiverSettings::default() })
    };
    assert!(with("", SecretSource::default()).unwrap().is_none());
    for listen in ["0.0.0.0:9099", "[::]:9099", "192.0.2.1:1"] {
        assert!(with(listen, SecretSource::default()).unwrap_err().to_string().contains("bearer"), "{listen}");
        assert!(with(listen, secret_file(&folder, "token", "t")).unwrap().is_some());
    }
    assert!(with("localhost:0", SecretSource::default()).unwrap().is_some());
    assert!(with("9099", SecretSource::default()).is_err());
    for text in ["", "\n", "  \nlater"] {
        assert!(with("127.0.0.1:0", secret_file(&folder, "empty", text)).unwrap_err().to_string().contains("empty"));
    }
}
