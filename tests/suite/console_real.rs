//! The built program in a pseudo-terminal, on real servers: what it shows, and what is left of it when it is killed.

use std::path::Path;
use std::time::{Duration, Instant};

use hypocenter::engine::model::AlertState;
use hypocenter::engine::store::Store;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portable_pty::CommandBuilder;
use serde_json::Value;
use tempfile::TempDir;

use super::components::{Server, free_port};
use super::engines::{EndsEngine, pid_in, said};
use super::terminal::Session;

/// Longest wait for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A way for alerts of one test alone: a pushed value, a rule in Prometheus, Alertmanager, and a port for its webhooks.
struct Alerting {
    /// Goes before the folder that it is in.
    _engine: EndsEngine,
    folder: TempDir,
    pushgateway: Server,
    prometheus: Server,
    alertmanager: Server,
    hook_port: u16,
}

impl Alerting {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| {
            let place = folder.path().join(name);
            std::fs::create_dir(&place).unwrap();
            place
        };
        let hook_port = free_port();
        let pushgateway = Server::pushgateway(&place("pushgateway"));
        let hook = format!("http://127.0.0.1:{hook_port}/webhook/alertmanager");
        let alertmanager = Server::alertmanager(&place("alertmanager"), &hook);
        let place = place("prometheus");
        let rule = "alert: QueueTooLong, expr: queue_depth > 10, labels: { severity: critical }";
        std::fs::write(place.join("rules.yml"), format!("groups: [ {{ name: own, rules: [ {{ {rule} }} ] }} ]\n"))
            .unwrap();
        let configuration = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [ rules.yml ]\n\
             alerting: {{ alertmanagers: [ {{ static_configs: [ {{ targets: [ \"{}\" ] }} ] }} ] }}\n\
             scrape_configs: [ {{ job_name: push, honor_labels: true, static_configs: [ {{ targets: [ \"{}\" ] }} ] }} ]\n",
            alertmanager.host_and_port(),
            pushgateway.host_and_port()
        );
        let prometheus = Server::prometheus(&place, &configuration);
        let _engine = EndsEngine::of(folder.path(), &folder.path().join("state"));
        Self { _engine, folder, pushgateway, prometheus, alertmanager, hook_port }
    }

    /// The settings of a console on all of it.
    fn settings(&self, watches_prometheus: bool) -> String {
        let mut text = format!(
            "[host]\nenabled = false\n[receiver]\nlisten = \"127.0.0.1:{}\"\n[[alertmanager]]\nurl = \"{}\"\ninterval = \"1s\"\n",
            self.hook_port,
            self.alertmanager.url()
        );
        if watches_prometheus {
            let url = self.prometheus.url();
            text.push_str(&format!("[[prometheus]]\nurl = \"{url}\"\ninterval = \"1s\"\nbackfill = \"1m\"\n"));
        }
        text
    }

    /// The console on it, in a terminal of 80 by 24.
    fn console(&self, watches_prometheus: bool) -> Session {
        let home = self.folder.path();
        std::fs::write(home.join("config.toml"), self.settings(watches_prometheus)).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_hypo"));
        command.env_clear();
        for (name, value) in [("PATH", "/usr/bin:/bin"), ("TERM", "xterm-256color"), ("LANG", "C.UTF-8")] {
            command.env(name, value);
        }
        command.env("HOME", home);
        command.args(["--config".as_ref(), home.join("config.toml").as_os_str()]);
        command.args(["--state-dir".as_ref(), self.state_dir().as_os_str()]);
        Session::start(command)
    }

    fn state_dir(&self) -> std::path::PathBuf {
        self.folder.path().join("state")
    }

    /// Makes the rule hold.
    async fn push_a_long_queue(&self) {
        hypocenter::engine::ingest::http_client::install_tls_provider();
        let address = format!("{}/metrics/job/batch", self.pushgateway.url());
        let body = "# TYPE queue_depth gauge\nqueue_depth{service=\"checkout\"} 50\n";
        let answer = reqwest::Client::new().put(address).body(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }
}

/// Presses `keys` again and again until `text` is on the screen: a key that acts is inert while what it acts on changes.
fn press_until(session: &mut Session, keys: &[u8], text: &str) {
    let until = Instant::now() + PATIENCE;
    while !session.text().contains(text) {
        assert!(Instant::now() < until, "no `{text}` on\n{}", session.text());
        session.press(keys);
        session.settle(Duration::from_millis(700));
    }
}

fn incidents(state_dir: &Path, home: &Path) -> Value {
    let mut command = assert_cmd::Command::cargo_bin("hypo").unwrap();
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin");
    let output = command.args(["incidents", "--json", "--state-dir"]).arg(state_dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers: run ./tests/run"]
async fn a_real_alert_reaches_the_incident_pane_of_the_program_as_one() {
    let alerting = Alerting::start();
    let mut session = alerting.console(false);
    session.wait_for("webhook ✓");
    alerting.push_a_long_queue().await;
    session.wait_for("1 open");
    session.press(b"3");
    session.wait_for("Timeline");
    session.wait_for("QueueTooLong");
    // One alert, told by poll and by webhook.
    session.wait_for("2 signals → 1");
    session.press(b"Q");
    session.ends_clean();

    let (code, text) = said(alerting.folder.path(), &alerting.state_dir(), &["stop"]);
    assert_eq!(code, Some(0), "{text}");
    let stored = Store::open(&alerting.state_dir()).unwrap().load().unwrap();
    let [alert] = stored.alerts.as_slice() else { panic!("one alert, not {:#?}", stored.alerts) };
    assert_eq!((&*alert.notice.name, alert.notice.state), ("QueueTooLong", AlertState::Firing));
    let told_by: Vec<&str> = alert.told_by.iter().map(hypocenter::engine::model::SourceName::as_str).collect();
    assert_eq!(told_by, ["alertmanager", "webhook"]);
    assert_eq!(stored.incidents.len(), 1, "{:#?}", stored.incidents);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers: run ./tests/run"]
async fn what_was_acknowledged_and_noted_is_there_after_a_kill() {
    let alerting = Alerting::start();
    let mut session = alerting.console(true);
    alerting.push_a_long_queue().await;
    session.wait_for("1 open");
    session.press(b"3");
    session.wait_for("Timeline");
    press_until(&mut session, b"A", "acknowledged");
    session.press(b"n");
    session.settle(Duration::from_millis(300));
    session.press(b"the batch job is stuck");
    session.press(b"\x04");
    session.wait_for("note on INC-1");
    let status = said(alerting.folder.path(), &alerting.state_dir(), &["status"]).1;
    let engine = pid_in(&status).unwrap_or_else(|| panic!("no engine: {status}"));
    // Its console first, which would start it again.
    drop(session);
    kill(Pid::from_raw(engine), Signal::SIGKILL).unwrap();

    let report = incidents(&alerting.state_dir(), alerting.folder.path());
    let [incident] = report["incidents"].as_array().unwrap().as_slice() else { panic!("one incident: {report}") };
    assert_eq!(incident["state"], "acknowledged", "{incident:#}");
    let timeline = incident["timeline"].as_array().unwrap();
    let is_told = |words: &str| timeline.iter().any(|entry| entry["text"].as_str().unwrap().contains(words));
    assert!(is_told("the batch job is stuck") && is_told("acknowledged"), "{incident:#}");
}
