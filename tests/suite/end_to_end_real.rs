//! From a fault in a process that a real Prometheus scrapes to the words on the screen.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hypocenter::engine::act::executor::Executor;
use hypocenter::engine::clock::{MINUTE_MS, SECOND_MS};
use hypocenter::engine::ingest::wall_clock;
use hypocenter::engine::model::{CauseKind, Incident, SourceState};
use hypocenter::engine::runbooks::Library;
use hypocenter::engine::runtime::{Runtime, RuntimeConfig, source_list};
use hypocenter::engine::settings::{
    EngineSettings, HostSettings, PrometheusSettings, ReceiverSettings, Span, TopologySettings,
};
use hypocenter::engine::snapshot::Snapshot;
use hypocenter::views;
use hypocenter::views::context::{Glyphs, ViewContext};
use hypocenter::views::theme::Theme;
use hypocenter::views::ui_state::{Pane, UiState};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::components::{Server, free_port};

/// Longest wait for what must come.
const PATIENCE: Duration = Duration::from_secs(90);
/// Requests a second that each of the two services takes.
const REQUESTS_PER_SECOND: f64 = 40.0;
/// The share of them that fails once the fault has begun.
const FAILED_SHARE: f64 = 0.3;

/// Two services in one process, `web` that calls `payment`, as their exporter tells of them.
#[derive(Clone)]
struct Services {
    started: Instant,
    failing_since: Arc<OnceLock<Instant>>,
}

impl Services {
    /// Serves `/metrics` on a free port; the address comes back.
    async fn serve() -> (Self, String) {
        let services = Self { started: Instant::now(), failing_since: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let told = services.clone();
        let routes = axum::Router::new().route("/metrics", axum::routing::get(move || async move { told.metrics() }));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (services, address)
    }

    fn metrics(&self) -> String {
        let requests = self.started.elapsed().as_secs_f64() * REQUESTS_PER_SECOND;
        let failing = self.failing_since.get().map_or(0.0, |since| since.elapsed().as_secs_f64());
        let failed = (failing * REQUESTS_PER_SECOND * FAILED_SHARE).floor();
        let served = requests.floor() - failed;
        let mut text = "# TYPE http_requests_total counter\n".to_owned();
        for service in ["web", "payment"] {
            text.push_str(&format!("http_requests_total{{service=\"{service}\",code=\"200\"}} {served}\n"));
            text.push_str(&format!("http_requests_total{{service=\"{service}\",code=\"500\"}} {failed}\n"));
        }
        text.push_str("# TYPE http_request_duration_seconds histogram\n");
        for service in ["web", "payment"] {
            // What fails waits for a timeout first.
            for (bound, count) in [("0.05", served * 0.5), ("0.1", served), ("2.5", served + failed)] {
                text.push_str(&format!(
                    "http_request_duration_seconds_bucket{{service=\"{service}\",le=\"{bound}\"}} {}\n",
                    count.floor()
                ));
            }
            let all = served + failed;
            text.push_str(&format!(
                "http_request_duration_seconds_bucket{{service=\"{service}\",le=\"+Inf\"}} {all}\n"
            ));
            text.push_str(&format!("http_request_duration_seconds_count{{service=\"{service}\"}} {all}\n"));
        }
        text
    }
}

fn client() -> reqwest::Client {
    hypocenter::engine::ingest::http_client::install_tls_provider();
    reqwest::Client::new()
}

/// Asks Prometheus until the expression has an answer.
async fn answered(server: &Server, expression: &str) {
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            let asked = client().get(format!("{}/api/v1/query", server.url())).query(&[("query", expression)]);
            let answer: Value = asked.send().await.unwrap().json().await.unwrap();
            if answer["data"]["result"].as_array().is_some_and(|result| !result.is_empty()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("no answer to {expression}"));
}

fn settings(prometheus: &Server, receiver_port: u16) -> EngineSettings {
    EngineSettings {
        prometheus: vec![PrometheusSettings {
            url: prometheus.url(),
            interval: Span(2 * SECOND_MS),
            backfill: Span(MINUTE_MS),
            backfill_step: Span(5 * SECOND_MS),
            ..PrometheusSettings::default()
        }],
        receiver: ReceiverSettings { listen: format!("127.0.0.1:{receiver_port}"), ..ReceiverSettings::default() },
        host: HostSettings { enabled: false, ..HostSettings::default() },
        topology: TopologySettings {
            edges: vec![("web".to_owned(), "payment".to_owned())],
            ..TopologySettings::default()
        },
        ..EngineSettings::default()
    }
}

fn start(settings: EngineSettings, state_dir: &Path) -> Runtime {
    Runtime::start(RuntimeConfig {
        sources: source_list::from_settings(&settings),
        runner: Arc::new(Executor::new(&settings.runbooks, Handle::current())),
        settings,
        library: Library::shipped(),
        state_dir: Some(state_dir.to_owned()),
        patch_office: None,
        record_to: None,
    })
    .unwrap()
}

/// The first picture that `is_enough`.
async fn picture(runtime: &Runtime, what: &str, is_enough: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
    let mut snapshots = runtime.handle().snapshots();
    let waited = tokio::time::timeout(PATIENCE, snapshots.wait_for(|snapshot| is_enough(snapshot))).await;
    if let Ok(snapshot) = waited {
        return Arc::clone(&snapshot.unwrap());
    }
    let last = Arc::clone(&runtime.handle().snapshots().borrow());
    panic!("{what} did not come in time\n{:#?}\n{:#?}\n{:#?}", last.incidents, last.anomalies, last.sources)
}

fn live(snapshot: &Snapshot) -> Vec<&Incident> {
    snapshot.incidents.iter().map(AsRef::as_ref).filter(|incident| incident.state.is_live()).collect()
}

/// The incident pane on a screen of this size, as text.
fn incident_pane(snapshot: &Snapshot, width: u16, height: u16) -> String {
    let ui = UiState { pane: Pane::Incident, ..UiState::default() };
    let context = ViewContext {
        snapshot,
        ui: &ui,
        theme: &Theme::shipped("dark").unwrap(),
        glyphs: Glyphs::default(),
        hints: &[],
        palette: &[],
        note: None,
        now: snapshot.at,
    };
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| {
            views::draw(frame, &context);
        })
        .unwrap();
    let cells = terminal.backend().buffer().content().chunks(usize::from(width));
    cells.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>() + "\n").collect()
}

async fn tell_deploy_of_payment(receiver_port: u16) {
    let event = json!({
        "specversion": "1.0", "id": "deploy-7", "source": "ci", "type": "org.example.deploy.finished",
        "time": wall_clock::now().to_string(),
        "data": { "service": "payment", "version": "abc1234", "author": "mia" },
    });
    let address = format!("http://127.0.0.1:{receiver_port}/webhook/events");
    let posted = client().post(address).header("content-type", "application/cloudevents+json").body(event.to_string());
    let answer = posted.send().await.unwrap();
    assert!(answer.status().is_success(), "{} {}", answer.status(), answer.text().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a real Prometheus: run ./tests/run"]
async fn a_fault_in_a_scraped_process_is_detected_explained_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (services, address) = Services::serve().await;
    let scrape = format!("{{ job_name: shop, static_configs: [ {{ targets: [ \"{address}\" ] }} ] }}");
    let configuration = format!("global: {{ scrape_interval: 1s }}\nscrape_configs: [ {scrape} ]\n");
    let prometheus = Server::prometheus(folder.path(), &configuration);
    answered(&prometheus, "rate(http_requests_total{service=\"payment\"}[1m])").await;

    let receiver_port = free_port();
    let mut runtime = start(settings(&prometheus, receiver_port), &folder.path().join("state"));
    runtime.started().await.unwrap();
    let is_well = |snapshot: &Snapshot| {
        let of = |name: &str| snapshot.sources.iter().find(|report| report.source.as_str() == name);
        of("webhook").is_some_and(|report| report.state == SourceState::Healthy)
            && of("prometheus")
                .is_some_and(|report| report.state == SourceState::Healthy && report.accepted_count >= 100)
    };
    let calm = picture(&runtime, "health", is_well).await;
    assert!(live(&calm).is_empty(), "{:#?}", calm.incidents);

    tell_deploy_of_payment(receiver_port).await;
    picture(&runtime, "the deploy", |snapshot| !snapshot.changes.is_empty()).await;
    services.failing_since.set(Instant::now()).unwrap();
    let is_explained = |snapshot: &Snapshot| {
        let causes = live(snapshot).into_iter().filter_map(|incident| incident.ranking.cause());
        causes.into_iter().any(|cause| cause.service.as_str() == "payment" && cause.change.is_some())
    };
    let shown = picture(&runtime, "the explained incident", is_explained).await;
    println!("explained {:.0} s after the fault began", services.failing_since.get().unwrap().elapsed().as_secs_f64());

    let [incident] = live(&shown).try_into().unwrap_or_else(|all| panic!("one incident, not {all:#?}"));
    let cause = incident.ranking.cause().unwrap();
    assert_eq!(cause.kind, CauseKind::BadDeploy, "{cause:#?}");
    for (width, height) in [(80, 24), (140, 40)] {
        let screen = incident_pane(&shown, width, height);
        for words in [incident.id.to_string().as_str(), "abc1234 to payment", "Confidence", "payment → web"] {
            assert!(screen.contains(words), "no `{words}` on\n{screen}");
        }
    }
    tokio::task::spawn_blocking(move || runtime.stop()).await.unwrap();
}
