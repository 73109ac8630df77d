//! The metrics source against real servers: Prometheus that scrapes a node exporter and itself, and VictoriaMetrics.
//!
//! The addresses come from the environment; without them the tests are left out by name.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hypocenter::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use hypocenter::engine::ingest::prometheus::{PrometheusSource, queries};
use hypocenter::engine::ingest::{SignalSink, Source, StopSignal, wall_clock};
use hypocenter::engine::model::{Sample, SeriesNotice, Signal, SourceReport, SourceState};
use hypocenter::engine::settings::{PrometheusSettings, QuerySettings, Span};

/// Longest wait for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

fn address(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set"))
}

fn client() -> reqwest::Client {
    hypocenter::engine::ingest::http_client::install_tls_provider();
    reqwest::Client::new()
}

/// What a source told until `is_enough`.
#[derive(Default)]
struct Told {
    notices: Vec<SeriesNotice>,
    history: Vec<Sample>,
    live: Vec<Sample>,
    report: Option<SourceReport>,
    pieces: BTreeSet<u32>,
}

impl Told {
    fn take(&mut self, signal: Signal) {
        match signal {
            Signal::Series(notice) => self.notices.push(notice),
            Signal::Samples(batch) if batch.is_backfill => self.history.extend(batch.samples),
            Signal::Samples(batch) => self.live.extend(batch.samples),
            Signal::Source(report) => {
                if let SourceState::Backfilling { done, .. } = report.state {
                    self.pieces.insert(done);
                }
                self.report = Some(report);
            }
            _ => {}
        }
    }

    fn metrics(&self) -> BTreeSet<&str> {
        self.notices.iter().map(|notice| &*notice.descriptor.metric).collect()
    }

    fn is_healthy(&self) -> bool {
        self.report.as_ref().is_some_and(|report| report.state == SourceState::Healthy)
    }
}

async fn watch(
    settings: PrometheusSettings,
    resume_from: Option<Timestamp>,
    is_enough: impl Fn(&Told) -> bool,
) -> Told {
    let (sink, mut receiver) = SignalSink::channel();
    let (switch, stop) = StopSignal::pair();
    let source = Box::new(PrometheusSource::new(settings, resume_from, None).unwrap());
    let running = tokio::spawn(source.run(sink, stop));
    let mut told = Told::default();
    let waited = tokio::time::timeout(PATIENCE, async {
        while let Some(signal) = receiver.recv().await {
            told.take(signal);
            if is_enough(&told) {
                break;
            }
        }
    })
    .await;
    assert!(waited.is_ok(), "not enough in time: {:?}", told.report);
    switch.stop();
    running.await.unwrap();
    told
}

#[tokio::test]
#[ignore = "needs TEST_PROMETHEUS_URL: run ./tests/run"]
async fn every_ready_made_query_is_understood_by_a_real_server() {
    for variable in ["TEST_PROMETHEUS_URL", "TEST_VICTORIA_URL"] {
        let Ok(url) = std::env::var(variable) else { continue };
        for query in queries::configured(&PrometheusSettings::default()).unwrap() {
            let form = [("query", query.expr.as_str())];
            let answer = client().post(format!("{url}/api/v1/query")).form(&form).send().await.unwrap();
            let status = answer.status();
            let body = answer.text().await.unwrap();
            assert!(status.is_success(), "{variable} `{}`: {status} {body}\n{}", query.metric, query.expr);
        }
    }
}

#[tokio::test]
#[ignore = "needs TEST_PROMETHEUS_URL: run ./tests/run"]
async fn the_usual_exporters_give_the_usual_series_without_configuration() {
    let settings = PrometheusSettings {
        url: address("TEST_PROMETHEUS_URL"),
        interval: Span(SECOND_MS),
        backfill: Span(HOUR_MS),
        ..PrometheusSettings::default()
    };
    let wanted = [
        "up",
        "cpu_busy_ratio",
        "memory_used_ratio",
        "load_per_core",
        "network_rx_bytes_per_second",
        "process_memory_bytes",
        "file_handles_used_ratio",
    ];
    let told = watch(settings, None, |told| {
        told.is_healthy() && !told.live.is_empty() && wanted.iter().all(|metric| told.metrics().contains(metric))
    })
    .await;
    for notice in &told.notices {
        let mut values = told.live.iter().filter(|sample| sample.local == notice.local).map(|sample| sample.value);
        if notice.descriptor.metric.ends_with("_ratio") {
            assert!(values.all(|value| (-0.05..=1.05).contains(&value)), "{:?}", notice.descriptor);
        }
    }
    let report = told.report.unwrap();
    assert!(report.clock_skew_ms.unwrap().abs() < 5_000, "{:?}", report.clock_skew_ms);
}

/// Gives VictoriaMetrics a past: two series over `days` with a point every five minutes, and says the newest stamp.
async fn write_history(url: &str, run: &str, days: i64) -> Timestamp {
    let newest = Timestamp(wall_clock::now().0 / (5 * MINUTE_MS) * (5 * MINUTE_MS));
    let mut text = String::new();
    for at in 0..days * 288 {
        let stamp = newest - at * 5 * MINUTE_MS;
        for service in ["checkout", "payment"] {
            text.push_str(&format!(
                "test_orders{{service=\"{service}\",run=\"{run}\"}} {} {}\n",
                stamp.0 / 1_000,
                stamp.0
            ));
        }
    }
    let answer = client().post(format!("{url}/api/v1/import/prometheus")).body(text).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    newest
}

#[tokio::test]
#[ignore = "needs TEST_VICTORIA_URL: run ./tests/run"]
async fn three_weeks_of_history_arrive_whole_and_resume_where_they_ended() {
    let url = address("TEST_VICTORIA_URL");
    let run = format!("r{}", wall_clock::now().0);
    let newest = write_history(&url, &run, 22).await;
    let expr = format!("test_orders{{run=\"{run}\"}}");
    // A fresh sample is searchable after a second or so.
    let client = client();
    for _ in 0..300 {
        let body = client
            .post(format!("{url}/api/v1/query"))
            .form(&[("query", format!("count({expr})"))])
            .send()
            .await
            .unwrap();
        if body.text().await.unwrap().contains("\"2\"") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let own = QuerySettings {
        metric: "orders".to_owned(),
        expr,
        unit: Default::default(),
        role: Default::default(),
        bad_when: Default::default(),
        is_skewed: false,
        limit: None,
        service: None,
    };
    let settings = PrometheusSettings { url, defaults: Vec::new(), query: vec![own], ..PrometheusSettings::default() };
    let told = watch(settings.clone(), None, Told::is_healthy).await;
    assert_eq!(told.notices.len(), 2);
    assert!((2 * (21 * 288 - 2)..=2 * 21 * 288).contains(&told.history.len()), "{}", told.history.len());
    assert!(told.history.is_sorted_by_key(|sample| sample.at));
    assert!(told.pieces.len() > 3, "{:?}", told.pieces);
    let mut last: BTreeMap<u32, Timestamp> = BTreeMap::new();
    for sample in &told.history {
        assert_eq!(sample.value, (sample.at.0 / 1_000) as f64, "a point is not where it belongs");
        if let Some(before) = last.insert(sample.local, sample.at) {
            assert_eq!(sample.at.since_ms(before), 5 * MINUTE_MS);
        }
    }
    assert!(last.values().all(|at| newest.since_ms(*at) <= 10 * MINUTE_MS));

    let resume_from = wall_clock::now() - 2 * DAY_MS;
    let told = watch(settings, Some(resume_from), Told::is_healthy).await;
    assert!(told.history.iter().all(|sample| sample.at > resume_from));
    assert!((2 * (2 * 288 - 2)..=2 * 2 * 288).contains(&told.history.len()), "{}", told.history.len());
}
