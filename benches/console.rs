//! The console as a person meets it, in a pseudo-terminal: `cargo bench --bench console`.
//!
//! * from the start of the real binary until its first paint, with an empty store and with one of 1 GB (made once under `target/`); it
//!   starts its engine meanwhile;
//! * key to paint while 100,000 samples a second arrive and two hundred services are anomalous;
//! * bytes written in ten seconds in which nothing changes, and bytes for one move of the selection.
//!
//! In the latter two the console is the real binary as well, and its engine another process behind a socket.
//!
//! Paint is measured as a terminal sees it: an independent terminal emulator has the new content, or the hardware
//! cursor has moved to the next row.

#[path = "support/large_store.rs"]
mod large_store;
#[path = "support/load.rs"]
mod load;
#[path = "support/terminal.rs"]
mod terminal;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use hypocenter::engine::act::executor::Executor;
use hypocenter::engine::attach::message::SettingsMark;
use hypocenter::engine::attach::people::People;
use hypocenter::engine::attach::place::Place;
use hypocenter::engine::attach::server::{self, Attendance, Served};
use hypocenter::engine::ingest::wall_clock;
use hypocenter::engine::runbooks::Library;
use hypocenter::engine::runtime::{Runtime, RuntimeConfig};
use hypocenter::engine::settings::{AttachSettings, EngineSettings};
use portable_pty::CommandBuilder;
use tokio::sync::{mpsc, watch};

use large_store::large_store;
use load::Load;
use terminal::Session;

/// Says what a child of this program is to be.
const ROLE: &str = "HYPO_BENCH_ROLE";
/// Where that is to be reached.
const STATE_DIR: &str = "HYPO_BENCH_STATE_DIR";
/// Samples a second, while there is load.
const SAMPLES_PER_SECOND: u32 = 100_000;
/// Services that are anomalous, so that there is something to move over.
const ANOMALOUS: u32 = 200;

fn main() {
    match (std::env::var(ROLE).as_deref(), std::env::var_os(STATE_DIR)) {
        (Ok(role), Some(state_dir)) => engine(role == "load", Path::new(&state_dir)),
        _ => measure(),
    }
}

fn measure() {
    println!("{:<64} {:>9} {:>9} {:>9}", "", "p50", "p95", "max");
    // Not the folder itself: others may read that one, which the program refuses.
    let folder = tempfile::tempdir().expect("a folder for the empty store");
    startup("start-up to first paint, empty store, ms", &folder.path().join("empty"), None);
    let large = large_store();
    startup("start-up to first paint, 1 GB store, ms", &large, None);
    startup("start-up until the Log shows what the 1 GB store holds, ms", &large, Some((b"8", "Log  1,")));
    keys_under_load();
    quiet_bytes();
}

/// Twenty starts of the real binary until its tabs are on the screen; three where a key and what it brings are given.
fn startup(title: &str, state_dir: &Path, then: Option<(&[u8], &str)>) {
    let config = state_dir.with_extension("toml");
    std::fs::write(&config, "[host]\nenabled = false\n").expect("a configuration");
    let rounds = if then.is_none() { 20 } else { 3 };
    let mut taken = Vec::new();
    for _ in 0..rounds {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_hypo"));
        command.args(["--state-dir".as_ref(), state_dir.as_os_str(), "--config".as_ref(), config.as_os_str()]);
        let clock = Instant::now();
        let mut session = Session::start(command);
        session.wait(|screen| screen.contents().contains("1 Now"));
        if let Some((key, text)) = then {
            session.keys(key);
            session.wait(|screen| screen.contents().contains(text));
        }
        taken.push(clock.elapsed().as_secs_f64() * 1e3);
        session.end();
        // Its engine stays; the next start is to find none.
        let mut stop = Command::new(env!("CARGO_BIN_EXE_hypo"));
        stop.arg("--state-dir").arg(state_dir).arg("--config").arg(&config).arg("stop");
        assert!(stop.output().expect("hypo stop").status.success(), "the engine of {} stays", state_dir.display());
    }
    print_row(title, &mut taken);
}

/// An engine in a process of its own, which ends with this.
struct Engine {
    process: Child,
    folder: tempfile::TempDir,
}

impl Engine {
    fn start(role: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        command.env(ROLE, role).env(STATE_DIR, folder.path()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("an engine");
        let mut said = BufReader::new(process.stdout.take().expect("what it says"));
        said.read_line(&mut String::new()).expect("it can be reached");
        Self { process, folder }
    }

    /// A console on it.
    fn console(&self) -> Session {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_hypo"));
        command.env("HOME", self.folder.path());
        command.args(["--state-dir".as_ref(), self.folder.path().as_os_str(), "attach".as_ref()]);
        Session::start(command)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// `j` and `k` in the list of anomalies, until the hardware cursor stands on the other row.
fn keys_under_load() {
    let engine = Engine::start("load");
    let mut session = engine.console();
    session.wait(|screen| screen.contents().contains("INC-1"));
    session.keys(b"2");
    session.wait(|screen| screen.contents().contains("┌ Anomalies"));
    // The first seconds open two hundred incidents; what is measured is the time after.
    thread::sleep(Duration::from_secs(10));
    session.drain();
    let mut taken = Vec::new();
    for round in 0..400u64 {
        // Random phase against frames and ticks, from a fixed seed.
        thread::sleep(Duration::from_millis(5 + round.wrapping_mul(0x9e37_79b9) % 61));
        session.drain();
        let row = session.screen().cursor_position().0;
        let key = if round % 2 == 0 { b"j" } else { b"k" };
        let clock = Instant::now();
        session.keys(key);
        session.wait(|screen| screen.cursor_position().0 != row);
        taken.push(clock.elapsed().as_secs_f64() * 1e3);
    }
    session.end();
    print_row("key to paint while 100,000 samples/s arrive, ms", &mut taken);
}

fn quiet_bytes() {
    let engine = Engine::start("quiet");
    let mut session = engine.console();
    session.wait(|screen| screen.contents().contains("INC-1"));
    session.keys(b"2");
    session.wait(|screen| screen.contents().contains("┌ Anomalies"));
    thread::sleep(Duration::from_secs(3));
    session.drain();
    let mut moved = Vec::new();
    for _ in 0..10 {
        let before = session.bytes;
        session.keys(b"j");
        thread::sleep(Duration::from_millis(100));
        session.drain();
        moved.push((session.bytes - before) as f64);
    }
    let before = session.bytes;
    thread::sleep(Duration::from_secs(10));
    session.drain();
    let mut idle = vec![(session.bytes - before) as f64];
    session.end();
    print_row("bytes for one move of the selection", &mut moved);
    print_row("bytes written in 10 s in which nothing changed", &mut idle);
}

fn print_row(title: &str, values: &mut [f64]) {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    println!("{title:<64} {:>9.1} {:>9.1} {:>9.1}", at(0.5), at(0.95), at(1.0));
}

/// An engine behind a socket whose one source is a load generator.
fn engine(is_loaded: bool, state_dir: &Path) {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let tokio = tokio.expect("a runtime");
    let _entered = tokio.enter();
    // Quiet means quiet: a few rounds make the anomalies, then nothing comes any more.
    let load = if is_loaded {
        Load { count: SAMPLES_PER_SECOND, anomalous: ANOMALOUS, rounds: None }
    } else {
        Load { count: ANOMALOUS, anomalous: ANOMALOUS, rounds: Some(4) }
    };
    let settings = EngineSettings::default();
    let config = RuntimeConfig {
        runner: Arc::new(Executor::new(&settings.runbooks, tokio.handle().clone())),
        settings,
        library: Library::shipped(),
        state_dir: None,
        sources: vec![load.spec()],
        patch_office: None,
        record_to: None,
    };
    let runtime = Runtime::start(config).expect("the engine starts");
    let listener = Place::of(state_dir, &AttachSettings::default()).listen().expect("a socket");
    let (wished, _nobody_heeds_them) = mpsc::channel(1);
    let (_never, farewell) = watch::channel(None);
    let served = Served {
        handle: runtime.handle(),
        people: People::new(Default::default()),
        pid: std::process::id().cast_signed(),
        since: wall_clock::now(),
        settings: SettingsMark { path: Arc::from(""), digest: Arc::from("") },
        wishes: wished,
        is_background: false,
        farewell,
        attendance: Arc::new(Attendance::default()),
        turns: runtime.turns(),
    };
    println!("it can be reached");
    tokio.block_on(server::serve(listener, Arc::new(served), std::future::pending()));
}
