//! Alerts from real servers: a pushed value, a rule in Prometheus, Alertmanager, and from there both ways into the engine.

use std::collections::BTreeSet;
use std::time::Duration;

use hypocenter::engine::clock::SECOND_MS;
use hypocenter::engine::ingest::alertmanager::AlertmanagerSource;
use hypocenter::engine::ingest::receiver::ReceiverSource;
use hypocenter::engine::ingest::{SignalSink, Source, StopSignal, wall_clock};
use hypocenter::engine::model::{AlertNotice, AlertState, Severity, Signal, SourceState};
use hypocenter::engine::settings::{AlertmanagerSettings, ReceiverSettings, Span};
use serde_json::json;
use tokio::sync::mpsc::Receiver;

use super::components::{Server, address};

/// Longest wait for what must come.
const PATIENCE: Duration = Duration::from_secs(90);

fn client() -> reqwest::Client {
    hypocenter::engine::ingest::http_client::install_tls_provider();
    reqwest::Client::new()
}

fn poller(url: String) -> Box<AlertmanagerSource> {
    let settings = AlertmanagerSettings { url, interval: Span(SECOND_MS), ..AlertmanagerSettings::default() };
    Box::new(AlertmanagerSource::new(&settings).unwrap())
}

/// The signals that come until `is_enough` is content with one.
async fn until(signals: &mut Receiver<Signal>, what: &str, mut is_enough: impl FnMut(&Signal) -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            let signal = signals.recv().await.expect("the sources ended");
            if is_enough(&signal) {
                return;
            }
        }
    });
    waited.await.unwrap_or_else(|_| panic!("{what} did not come in time"));
}

/// The alert of this service, where the signal is one.
fn of<'a>(signal: &'a Signal, service: &str) -> Option<&'a AlertNotice> {
    match signal {
        Signal::Alert(notice) if notice.service.as_ref().is_some_and(|name| name.as_str() == service) => Some(notice),
        _ => None,
    }
}

#[tokio::test]
#[ignore = "needs TEST_ALERTMANAGER_URL: run ./tests/run"]
async fn a_real_alert_comes_by_poll_and_by_webhook_under_one_identity() {
    let service = format!("checkout-{}", wall_clock::now().0);
    let pushed = format!("{}/metrics/job/test/instance/{service}", address("TEST_PUSHGATEWAY_URL"));
    let (sink, mut signals) = SignalSink::channel();
    let (_switch, stop) = StopSignal::pair();
    let settings = ReceiverSettings { listen: address("TEST_WEBHOOK_LISTEN"), ..ReceiverSettings::default() };
    let receiver = Box::new(ReceiverSource::new(&settings).unwrap().unwrap());
    tokio::spawn(receiver.run(sink.clone(), stop.clone()));
    tokio::spawn(poller(address("TEST_ALERTMANAGER_URL")).run(sink, stop));

    let body = format!("# TYPE test_queue_depth gauge\ntest_queue_depth{{service=\"{service}\"}} 50\n");
    assert!(client().put(&pushed).body(body).send().await.unwrap().status().is_success());
    let (mut told_by, mut identities) = (BTreeSet::new(), BTreeSet::new());
    until(&mut signals, "the firing alert by both ways", |signal| {
        if let Some(notice) = of(signal, &service) {
            assert_eq!(
                (&*notice.name, notice.severity, notice.state),
                ("TestQueueHigh", Severity::Critical, AlertState::Firing)
            );
            assert_eq!(&*notice.summary, format!("queue of {service} at 50"));
            told_by.insert(notice.source.clone());
            identities.insert((notice.fingerprint, notice.starts_at));
        }
        told_by.len() == 2
    })
    .await;
    assert_eq!(identities.len(), 1, "one alert, whoever tells it: {identities:?}");

    assert!(client().delete(&pushed).send().await.unwrap().status().is_success());
    told_by.clear();
    until(&mut signals, "its end by both ways", |signal| {
        if let Some(notice) = of(signal, &service).filter(|notice| notice.state == AlertState::Resolved) {
            assert!(
                notice.ends_at.is_some()
                    && identities.iter().any(|(fingerprint, _)| *fingerprint == notice.fingerprint)
            );
            told_by.insert(notice.source.clone());
        }
        told_by.len() == 2
    })
    .await;
}

#[tokio::test]
#[ignore = "needs TEST_ALERTMANAGER_URL: run ./tests/run"]
async fn an_inhibited_and_a_silenced_alert_say_by_what() {
    let url = address("TEST_ALERTMANAGER_URL");
    let run = wall_clock::now().0;
    let alert = |name: &str, severity: &str, service: &str| json!({"labels": {"alertname": name, "severity": severity, "service": format!("{service}-{run}")}});
    let alerts = json!([
        alert("Root", "critical", "db"),
        alert("Symptom", "warning", "db"),
        alert("Known", "critical", "batch")
    ]);
    assert!(client().post(format!("{url}/api/v2/alerts")).json(&alerts).send().await.unwrap().status().is_success());
    let silence = json!({"matchers": [{"name": "service", "value": format!("batch-{run}"), "isRegex": false}], "createdBy": "test",
        "comment": "planned", "startsAt": (wall_clock::now() - SECOND_MS).to_string(), "endsAt": (wall_clock::now() + 60 * SECOND_MS).to_string()});
    let answer = client().post(format!("{url}/api/v2/silences")).json(&silence).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());

    let (sink, mut signals) = SignalSink::channel();
    let (_switch, stop) = StopSignal::pair();
    tokio::spawn(poller(url).run(sink, stop));
    let (mut is_inhibited, mut is_silenced) = (false, false);
    until(&mut signals, "both muted alerts", |signal| {
        is_inhibited |= of(signal, &format!("db-{run}"))
            .is_some_and(|n| n.muted_by.as_deref().is_some_and(|by| by.starts_with("alert ")));
        is_silenced |= of(signal, &format!("batch-{run}"))
            .is_some_and(|n| n.muted_by.as_deref().is_some_and(|by| by.starts_with("silence ")));
        is_inhibited && is_silenced
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a real Alertmanager: run ./tests/run"]
async fn an_alertmanager_that_dies_and_forgets_resolves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::alertmanager(folder.path(), "http://127.0.0.1:9/nobody");
    let alerts = json!([{"labels": {"alertname": "Lasting", "service": "cart"}}]);
    let post = || client().post(format!("{}/api/v2/alerts", server.url())).json(&alerts).send();
    assert!(post().await.unwrap().status().is_success());
    let (sink, mut signals) = SignalSink::channel();
    let (_switch, stop) = StopSignal::pair();
    tokio::spawn(poller(server.url()).run(sink, stop));
    until(&mut signals, "the alert", |signal| of(signal, "cart").is_some()).await;

    server.kill();
    until(
        &mut signals,
        "that it is down",
        |signal| matches!(signal, Signal::Source(r) if matches!(r.state, SourceState::Down { .. })),
    )
    .await;
    server.restart();
    let mut healthy_polls = 0;
    until(&mut signals, "that it is back", |signal| {
        assert!(of(signal, "cart").is_none_or(|notice| notice.state == AlertState::Firing), "{signal:?}");
        healthy_polls += usize::from(matches!(signal, Signal::Source(report) if report.state == SourceState::Healthy));
        healthy_polls == 3
    })
    .await;
}
