//! The real engine without a screen, and the alerts that it is sent.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use chrono::{SecondsFormat, Utc};
use hypocenter::engine::attach::place::Place;
use hypocenter::engine::settings::AttachSettings;

/// A folder with a configuration, whose engine takes alerts at a port of its own.
pub struct Ground {
    folder: PathBuf,
    state_dir: PathBuf,
    port: u16,
    /// Since when what fires does so.
    began: RefCell<BTreeMap<String, String>>,
}

impl Ground {
    /// Writes the configuration; `more` stands at its end.
    pub fn lay(folder: &Path, state_dir: &Path, more: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its number").port();
        let text = format!("[receiver]\nlisten = \"127.0.0.1:{port}\"\n{more}");
        std::fs::write(folder.join("config.toml"), text).expect("a configuration");
        Self { folder: folder.to_path_buf(), state_dir: state_dir.to_path_buf(), port, began: RefCell::default() }
    }

    /// With what its programs are started.
    pub fn arguments(&self) -> [PathBuf; 4] {
        ["--config".into(), self.folder.join("config.toml"), "--state-dir".into(), self.state_dir.clone()]
    }

    /// Where its engine is reached.
    pub fn place(&self) -> Place {
        Place::of(&self.state_dir, &AttachSettings::default())
    }

    /// Starts its engine, and returns once it can be joined.
    pub fn serve(&self) -> Engine {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hypo"));
        command.env("HOME", &self.folder).args(self.arguments()).arg("serve").stdout(Stdio::piped());
        let mut child = command.spawn().expect("an engine");
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().expect("what it says"));
        said.read_line(&mut line).expect("a line");
        assert!(line.contains("listens at"), "the engine said: {line}");
        Engine(child)
    }

    /// Sends alerts as Alertmanager does: `state` is `firing`, since now, or `resolved`, now.
    pub fn alerts(&self, services: impl Iterator<Item = String>, state: &str) {
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let mut began = self.began.borrow_mut();
        let alerts: Vec<_> = services
            .map(|service| {
                let (starts, ends) = if state == "resolved" {
                    (began.remove(&service).expect("it fires"), now.clone())
                } else {
                    began.insert(service.clone(), now.clone());
                    (now.clone(), "0001-01-01T00:00:00Z".to_owned())
                };
                serde_json::json!({
                    "status": state,
                    "labels": {"alertname": "Errors", "severity": "critical", "service": service},
                    "annotations": {"summary": format!("{service} fails")},
                    "startsAt": starts,
                    "endsAt": ends,
                    "generatorURL": "",
                })
            })
            .collect();
        let body = serde_json::json!({
            "version": "4", "groupKey": "g", "status": state, "receiver": "hook", "truncatedAlerts": 0, "alerts": alerts,
        })
        .to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the receiver listens");
        let head = format!(
            "POST /webhook/alertmanager HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).expect("alerts can be sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

/// An engine that ends with this.
pub struct Engine(pub Child);

/// A memory of a process by the name that the kernel has for it, in MB: `VmRSS` is all that is resident, `RssAnon` the part of it that no
/// file stands behind, without pages of the program, which come in as they are first run.
pub fn memory_mb(pid: i32, name: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let mut told = status.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kb = told.find_map(|told| told.split_whitespace().next()?.parse::<f64>().ok());
    kb.expect("the kernel tells its memory") / 1_024.0
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}
