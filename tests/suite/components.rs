//! Real servers that a test starts and stops itself: each on a free loopback port, in a directory of its own, ended with the test.
//!
//! The servers that `tests/run` starts are shared by all tests and must not be stopped; these may be.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for a server to be ready.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// The address in this variable, which `tests/run` sets.
pub fn address(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run ./tests/run"))
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server of this test; it ends with it, also when the test fails.
pub struct Server {
    program: &'static str,
    arguments: Vec<String>,
    ready_path: &'static str,
    folder: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Server {
    /// A Prometheus with this configuration, its data in `folder`; `PORT` in it stands for the server's own port.
    pub fn prometheus(folder: &Path, configuration: &str) -> Self {
        let port = free_port();
        let file = folder.join("prometheus.yml");
        fs::write(&file, configuration.replace("PORT", &port.to_string())).unwrap();
        let arguments = vec![
            format!("--config.file={}", file.display()),
            format!("--storage.tsdb.path={}", folder.join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
        ];
        Self::start("prometheus", arguments, "/-/ready", folder, port)
    }

    /// An Alertmanager that notifies `hook` at once, its data in `folder`.
    pub fn alertmanager(folder: &Path, hook: &str) -> Self {
        let port = free_port();
        let file = folder.join("alertmanager.yml");
        let route =
            "route: { receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h }";
        let receiver =
            format!("receivers: [ {{ name: hook, webhook_configs: [ {{ url: \"{hook}\", send_resolved: true }} ] }} ]");
        fs::write(&file, format!("{route}\n{receiver}\n")).unwrap();
        let arguments = vec![
            format!("--config.file={}", file.display()),
            format!("--storage.path={}", folder.join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--cluster.listen-address=".to_owned(),
        ];
        Self::start("prometheus-alertmanager", arguments, "/-/ready", folder, port)
    }

    /// A pushgateway that keeps nothing.
    pub fn pushgateway(folder: &Path) -> Self {
        let port = free_port();
        let arguments = vec![format!("--web.listen-address=127.0.0.1:{port}")];
        Self::start("prometheus-pushgateway", arguments, "/-/ready", folder, port)
    }

    fn start(
        program: &'static str,
        arguments: Vec<String>,
        ready_path: &'static str,
        folder: &Path,
        port: u16,
    ) -> Self {
        let mut server = Self { program, arguments, ready_path, folder: folder.to_owned(), port, child: None };
        server.restart();
        server
    }

    /// `127.0.0.1:PORT`.
    pub fn host_and_port(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends it as a crash would, without a chance to say goodbye.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself, and then there is nothing to do.
            let _ended = child.kill();
            child.wait().unwrap();
        }
    }

    /// Starts it again on the same port with the same data, and waits until it is ready.
    pub fn restart(&mut self) {
        self.kill();
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        let child = Command::new(self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|problem| panic!("{}: {problem}; run ./tests/run", self.program));
        self.child = Some(child);
        let started = Instant::now();
        while get(self.port, self.ready_path) != Some(200) {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().unwrap());
            let log = || fs::read_to_string(self.log()).unwrap_or_default();
            assert!(ended.is_none(), "{} ended at its start: {}", self.program, log());
            assert!(started.elapsed() < READY_WITHIN, "{} is not ready: {}", self.program, log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.program))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The status of a plain GET, where there is an answer.
fn get(port: u16, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.take(64).read_to_string(&mut answer).ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}
