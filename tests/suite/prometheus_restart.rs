//! Prometheus dies in mid-run and comes back: the source says so, and goes on where it was.

use std::collections::BTreeMap;
use std::time::Duration;

use hypocenter::engine::clock::{SECOND_MS, Timestamp};
use hypocenter::engine::ingest::prometheus::PrometheusSource;
use hypocenter::engine::ingest::{SignalSink, Source, StopSignal};
use hypocenter::engine::model::{Sample, Signal, SourceState};
use hypocenter::engine::settings::{PrometheusSettings, Span};
use tokio::sync::mpsc::Receiver;

use super::components::Server;

/// Longest wait for what must come.
const PATIENCE: Duration = Duration::from_secs(90);

/// The samples that come until `is_enough` is content with a signal.
async fn until(signals: &mut Receiver<Signal>, what: &str, mut is_enough: impl FnMut(&Signal) -> bool) -> Vec<Sample> {
    let mut samples = Vec::new();
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            let signal = signals.recv().await.expect("the source ended");
            if let Signal::Samples(batch) = &signal {
                samples.extend(&batch.samples);
            }
            if is_enough(&signal) {
                return;
            }
        }
    })
    .await;
    assert!(waited.is_ok(), "{what} did not come in time");
    samples
}

fn is_healthy(signal: &Signal) -> bool {
    matches!(signal, Signal::Source(report) if report.state == SourceState::Healthy)
}

#[tokio::test]
#[ignore = "needs a real Prometheus: run ./tests/run"]
async fn a_killed_prometheus_is_down_comes_back_and_no_sample_is_told_twice() {
    let folder = tempfile::tempdir().unwrap();
    let configuration = "global: { scrape_interval: 1s }\nscrape_configs:\n  - { job_name: self, static_configs: [ { targets: [ \"127.0.0.1:PORT\" ] } ] }\n";
    let mut server = Server::prometheus(folder.path(), configuration);
    let settings = PrometheusSettings {
        url: server.url(),
        interval: Span(SECOND_MS),
        backfill: Span(0),
        ..PrometheusSettings::default()
    };
    let (sink, mut signals) = SignalSink::channel();
    let (_switch, stop) = StopSignal::pair();
    tokio::spawn(Box::new(PrometheusSource::new(settings, None).unwrap()).run(sink, stop));

    let mut told = Vec::new();
    let has_samples = |signal: &Signal| matches!(signal, Signal::Samples(batch) if !batch.samples.is_empty());
    told.extend(until(&mut signals, "the first samples", has_samples).await);
    server.kill();
    let is_down =
        |signal: &Signal| matches!(signal, Signal::Source(report) if matches!(report.state, SourceState::Down { .. }));
    told.extend(until(&mut signals, "that it is down", is_down).await);
    server.restart();
    told.extend(until(&mut signals, "that it is back", is_healthy).await);
    let before = told.len();
    told.extend(until(&mut signals, "samples again", has_samples).await);
    assert!(told.len() > before);

    let mut last: BTreeMap<u32, Timestamp> = BTreeMap::new();
    for sample in &told {
        let newest = last.insert(sample.local, sample.at);
        assert!(
            newest.is_none_or(|newest| newest < sample.at),
            "told twice or out of order: {sample:?} after {newest:?}"
        );
    }
}
