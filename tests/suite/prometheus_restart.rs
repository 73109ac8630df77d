//! Prometheus dies in mid-run and comes back: the source says so, and goes on where it was.

use std::collections::BTreeMap;
use std::time::Duration;

use hypocenter::engine::clock::{MINUTE_MS, SECOND_MS, Timestamp};
use hypocenter::engine::ingest::prometheus::PrometheusSource;
use hypocenter::engine::ingest::{SignalSink, Source, StopSignal};
use hypocenter::engine::model::{BadWhen, Sample, SeriesRole, Signal, SourceState, Unit};
use hypocenter::engine::settings::{PrometheusSettings, QuerySettings, Span};
use tokio::sync::mpsc::Receiver;

use super::components::Server;

/// Longest wait for what must come.
const PATIENCE: Duration = Duration::from_secs(90);

/// What came of a source.
#[derive(Default)]
struct Told {
    samples: Vec<Sample>,
    /// The series of the test's own query.
    own: Option<u32>,
}

impl Told {
    /// Takes what comes until `is_enough` is content with a signal.
    async fn until(&mut self, signals: &mut Receiver<Signal>, what: &str, is_enough: impl Fn(&Signal) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let signal = signals.recv().await.expect("the source ended");
                match &signal {
                    Signal::Samples(batch) => self.samples.extend(&batch.samples),
                    Signal::Series(notice) if &*notice.descriptor.metric == "alive" => self.own = Some(notice.local),
                    _ => {}
                }
                if is_enough(&signal) {
                    return;
                }
            }
        })
        .await;
        assert!(waited.is_ok(), "{what} did not come in time");
    }

    /// The stamps of the test's own series, in seconds.
    fn own_seconds(&self) -> Vec<i64> {
        let own = self.samples.iter().filter(|sample| Some(sample.local) == self.own);
        own.map(|sample| sample.at.0 / SECOND_MS).collect()
    }
}

/// The stamps in seconds that the server itself has of `up`, from `first` to `last`, a second apart.
async fn kept_seconds(server: &Server, first: i64, last: i64) -> Vec<i64> {
    let window = [("start", first), ("end", last), ("step", 1)].map(|(name, value)| (name, value.to_string()));
    let asked = reqwest::Client::new().get(format!("{}/api/v1/query_range", server.url()));
    let answer = asked.query(&[("query", "up")]).query(&window).send().await.unwrap().text().await.unwrap();
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let values = answer["data"]["result"][0]["values"].as_array().unwrap_or_else(|| panic!("{answer}"));
    values.iter().map(|point| point[0].as_f64().unwrap() as i64).collect()
}

fn is_healthy(signal: &Signal) -> bool {
    matches!(signal, Signal::Source(report) if report.state == SourceState::Healthy)
}

#[tokio::test]
#[ignore = "needs a real Prometheus: run ./tests/run"]
async fn a_killed_prometheus_is_down_comes_back_and_no_sample_is_lost_or_told_twice() {
    let folder = tempfile::tempdir().unwrap();
    let configuration = "global: { scrape_interval: 1s }\nscrape_configs:\n  - { job_name: self, static_configs: [ { targets: [ \"127.0.0.1:PORT\" ] } ] }\n";
    let mut server = Server::prometheus(folder.path(), configuration);
    let own = QuerySettings {
        metric: "alive".to_owned(),
        expr: "up".to_owned(),
        unit: Unit::Boolean,
        role: SeriesRole::Availability,
        bad_when: BadWhen::Low,
        is_skewed: false,
        limit: None,
        service: None,
    };
    let settings = PrometheusSettings {
        url: server.url(),
        interval: Span(SECOND_MS),
        backfill: Span(MINUTE_MS),
        backfill_step: Span(SECOND_MS),
        query: vec![own],
        ..PrometheusSettings::default()
    };
    let (sink, mut signals) = SignalSink::channel();
    let (_switch, stop) = StopSignal::pair();
    tokio::spawn(Box::new(PrometheusSource::new(settings, None, None).unwrap()).run(sink, stop));

    let mut told = Told::default();
    let has_samples = |signal: &Signal| matches!(signal, Signal::Samples(batch) if !batch.samples.is_empty());
    for _ in 0..3 {
        told.until(&mut signals, "the first samples", has_samples).await;
    }
    server.kill();
    let is_down = |signal: &Signal| {
        matches!(signal, Signal::Source(report)
            if matches!(&report.state, SourceState::Down { reason, .. } if reason.contains("127.0.0.1")))
    };
    told.until(&mut signals, "that it is down, and where", is_down).await;
    let before = told.samples.len();
    server.restart();
    told.until(&mut signals, "that it is back", is_healthy).await;
    for _ in 0..3 {
        told.until(&mut signals, "samples again", has_samples).await;
    }
    assert!(told.samples.len() > before);

    let own = told.own_seconds();
    let kept = kept_seconds(&server, own[0], own[own.len() - 1]).await;
    assert_eq!(own, kept, "lost, or told without being there");
    let mut last: BTreeMap<u32, Timestamp> = BTreeMap::new();
    for sample in &told.samples {
        let newest = last.insert(sample.local, sample.at);
        assert!(
            newest.is_none_or(|newest| newest < sample.at),
            "told twice or out of order: {sample:?} after {newest:?}"
        );
    }
}
