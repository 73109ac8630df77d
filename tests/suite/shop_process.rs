//! A service as a process of its own, for tests that break it and have it mended: this binary starts itself as it.
//!
//! It keeps a ledger: every `GET /pay` writes a line into the next of its stores, in turn, and fails where that cannot be
//! written. Which stores there are is in its configuration, which it reads at its start and whenever it is sent a SIGHUP.
//! Its figures are counted from the requests it answered; it tells them as text and as a server of the Prometheus query
//! API does: <https://prometheus.io/docs/prometheus/latest/querying/api/>.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::programs;

/// Its folder, in its environment.
const FOLDER: &str = "HYPO_SHOP_FOLDER";
/// Rates are over so many seconds.
const RATE_SECONDS: i64 = 3;
/// Far more than a start takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Stores of the configuration that works, and of those that do not.
pub const STORES: usize = 5;

// ---- the process ----

/// What was counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counts {
    pub requests: u64,
    pub failures: u64,
    pub busy_micros: u64,
}

struct Ledger {
    folder: PathBuf,
    stores: Mutex<Vec<PathBuf>>,
    next: AtomicUsize,
    requests: AtomicU64,
    failures: AtomicU64,
    busy_micros: AtomicU64,
    /// What was counted at the end of each second.
    history: Mutex<BTreeMap<i64, Counts>>,
}

impl Ledger {
    fn read_configuration(&self) {
        let text = fs::read_to_string(self.folder.join("service.conf")).unwrap_or_default();
        let stores = text.lines().filter_map(|line| line.strip_prefix("store=")).map(PathBuf::from).collect();
        *self.stores.lock().unwrap() = stores;
        // Told once it counts, as a service does that answers for a reload.
        fs::write(self.folder.join("in-force.new"), text).unwrap();
        fs::rename(self.folder.join("in-force.new"), self.folder.join("in-force")).unwrap();
    }

    fn pay(&self) -> StatusCode {
        let begun = Instant::now();
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let stores = self.stores.lock().unwrap().clone();
        let store = stores.get(turn % stores.len().max(1));
        let written = store.is_some_and(|store| {
            let ledger = fs::File::options().create(true).append(true).open(store.join("ledger"));
            ledger.and_then(|mut ledger| writeln!(ledger, "payment {turn}")).is_ok()
        });
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.failures.fetch_add(u64::from(!written), Ordering::Relaxed);
        self.busy_micros.fetch_add(u64::try_from(begun.elapsed().as_micros()).unwrap(), Ordering::Relaxed);
        if written { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }
    }

    fn counts(&self) -> Counts {
        Counts {
            requests: self.requests.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            busy_micros: self.busy_micros.load(Ordering::Relaxed),
        }
    }

    fn text(&self) -> String {
        let Counts { requests, failures, busy_micros } = self.counts();
        format!(
            "# TYPE payments_total counter\npayments_total {requests}\n# TYPE payments_failed_total counter\n\
             payments_failed_total {failures}\n# TYPE payments_seconds_total counter\npayments_seconds_total {}\n",
            busy_micros as f64 / 1e6
        )
    }

    /// The value of an expression at the end of a second; `None` where nothing is known of it.
    fn at(&self, expression: &str, second: i64) -> Option<f64> {
        let history = self.history.lock().unwrap();
        let (now, before) = (history.get(&second)?, history.get(&(second - RATE_SECONDS))?);
        let requests = (now.requests - before.requests) as f64;
        match expression {
            "payments:rate" => Some(requests / RATE_SECONDS as f64),
            "payments:failed_ratio" => (requests > 0.0).then(|| (now.failures - before.failures) as f64 / requests),
            "payments:seconds" => {
                (requests > 0.0).then(|| (now.busy_micros - before.busy_micros) as f64 / 1e6 / requests)
            }
            _ => None,
        }
    }

    /// Answers a query over a stretch of time.
    fn range(&self, form: &str) -> Value {
        let field = |name: &str| {
            let pair = form.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            pair.unwrap_or_default().replace("%3A", ":")
        };
        let seconds = |name: &str| field(name).parse::<f64>().unwrap_or(0.0);
        let (start, end, step) = (seconds("start"), seconds("end"), seconds("step").max(1.0));
        let mut values = Vec::new();
        let mut at = start;
        while at <= end {
            if let Some(value) = self.at(&field("query"), at.floor() as i64) {
                values.push(json!([at, value.to_string()]));
            }
            at += step;
        }
        let result =
            if values.is_empty() { json!([]) } else { json!([{ "metric": { "service": "shop" }, "values": values }]) };
        json!({ "status": "success", "data": { "resultType": "matrix", "result": result } })
    }
}

fn second() -> i64 {
    chrono::Utc::now().timestamp()
}

/// The process. It ends when its standard input does: with the test that started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the service of other tests, which start it"]
async fn serve() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    std::thread::spawn(|| {
        let _end = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let ledger = Arc::new(Ledger {
        folder: folder.clone(),
        stores: Mutex::default(),
        next: AtomicUsize::new(0),
        requests: AtomicU64::new(0),
        failures: AtomicU64::new(0),
        busy_micros: AtomicU64::new(0),
        history: Mutex::default(),
    });
    ledger.read_configuration();
    let mut hangups = signal(SignalKind::hangup()).unwrap();
    let reader = Arc::clone(&ledger);
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            reader.read_configuration();
        }
    });
    let counter = Arc::clone(&ledger);
    tokio::spawn(async move {
        let mut looks = tokio::time::interval(Duration::from_millis(50));
        loop {
            looks.tick().await;
            counter.history.lock().unwrap().insert(second(), counter.counts());
        }
    });
    let names =
        json!({ "status": "success", "data": ["payments_total", "payments_failed_total", "payments_seconds_total"] });
    let routes = Router::new()
        .route("/pay", get(|State(ledger): State<Arc<Ledger>>| async move { ledger.pay() }))
        .route("/metrics", get(|State(ledger): State<Arc<Ledger>>| async move { ledger.text() }))
        .route("/api/v1/label/{name}/values", get(move || async move { names.to_string() }))
        .route(
            "/api/v1/query_range",
            post(|State(ledger): State<Arc<Ledger>>, form: String| async move { ledger.range(&form).to_string() }),
        )
        .with_state(ledger);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    fs::write(folder.join("pid"), std::process::id().to_string()).unwrap();
    fs::write(folder.join("port.new"), listener.local_addr().unwrap().port().to_string()).unwrap();
    fs::rename(folder.join("port.new"), folder.join("port")).unwrap();
    axum::serve(listener, routes).await.unwrap();
}

// ---- its far end ----

/// The running service with its folder; it ends with this.
pub struct Shop {
    pub folder: PathBuf,
    child: Child,
    client: reqwest::Client,
    address: String,
}

impl Shop {
    /// Starts the service with a configuration that works.
    pub async fn open(folder: &Path) -> Self {
        let folder = folder.to_path_buf();
        for store in 0..STORES {
            fs::create_dir(folder.join(format!("store-{store}"))).unwrap();
        }
        fs::write(folder.join("service.conf"), configuration(&folder, 0)).unwrap();
        let shop = |name: &str, text: &str| {
            let reload =
                "kill -HUP \"$(cat SHOP/pid)\"\nuntil cmp -s SHOP/service.conf SHOP/in-force; do sleep 0.02; done";
            let text = text.replace("RELOAD", reload).replace("SHOP", &folder.display().to_string());
            programs::script(&folder.join(name), &format!("#!/bin/sh\nset -e\n{text}"));
        };
        shop("show.sh", "cat SHOP/service.conf\n");
        shop("roll-back.sh", "cp SHOP/previous.conf SHOP/service.conf\nRELOAD\necho back\n");
        shop("clear-cache.sh", "rm -rf SHOP/cache\nmkdir SHOP/cache\necho cleared\n");
        shop(
            "move-stores.sh",
            "cp SHOP/service.conf SHOP/before-move.conf\nsed -i 's|store=.*|store=SHOP/new-disk|' SHOP/service.conf\n\
             RELOAD\necho moved\n",
        );
        shop("move-back.sh", "cp SHOP/before-move.conf SHOP/service.conf\nRELOAD\necho back\n");
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["shop_process::serve", "--exact", "--ignored", "--test-threads", "1"])
            .env(FOLDER, &folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        let port = loop {
            if let Ok(port) = fs::read_to_string(folder.join("port")) {
                break port;
            }
            assert!(begun.elapsed() < PATIENCE, "the service does not begin");
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        hypocenter::engine::ingest::http_client::install_tls_provider();
        Self { folder, child, client: reqwest::Client::new(), address: format!("http://127.0.0.1:{port}") }
    }

    /// Where it answers queries.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A program of its folder.
    pub fn program(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Every program of its folder.
    pub fn programs(&self) -> Vec<String> {
        ["show.sh", "roll-back.sh", "clear-cache.sh", "move-stores.sh", "move-back.sh"]
            .map(|name| self.program(name))
            .to_vec()
    }

    /// Puts a configuration in force of whose stores this many are not there.
    pub fn deploy(&self, broken: usize) {
        fs::copy(self.folder.join("service.conf"), self.folder.join("previous.conf")).unwrap();
        fs::write(self.folder.join("service.conf"), configuration(&self.folder, broken)).unwrap();
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGHUP).unwrap();
        let begun = Instant::now();
        let read = |name: &str| fs::read(self.folder.join(name)).unwrap();
        while read("in-force") != read("service.conf") {
            assert!(begun.elapsed() < PATIENCE, "the configuration does not come into force");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// One customer's request; true where it was served.
    pub async fn pay(&self) -> bool {
        self.client.get(format!("{}/pay", self.address)).send().await.unwrap().status().is_success()
    }

    /// Customers, so many a second, for as long as the future is polled.
    pub async fn customers(&self, a_second: u64) {
        let mut turns = tokio::time::interval(Duration::from_millis(1_000 / a_second));
        loop {
            turns.tick().await;
            self.pay().await;
        }
    }

    /// The share of these many requests that is served.
    pub async fn served_of(&self, requests: u32) -> f64 {
        let mut served = 0;
        for _ in 0..requests {
            served += u32::from(self.pay().await);
        }
        f64::from(served) / f64::from(requests)
    }

    /// What it has counted, from its own text.
    pub async fn counts(&self) -> Counts {
        let text = self.client.get(format!("{}/metrics", self.address)).send().await.unwrap().text().await.unwrap();
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap().parse::<f64>().unwrap()
        };
        Counts {
            requests: value("payments_total") as u64,
            failures: value("payments_failed_total") as u64,
            busy_micros: (value("payments_seconds_total") * 1e6) as u64,
        }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn configuration(folder: &Path, broken: usize) -> String {
    let store = |number: usize| {
        let name = if number < broken { "gone" } else { "store" };
        format!("store={}\n", folder.join(format!("{name}-{number}")).display())
    };
    (0..STORES).map(store).collect()
}
