//! The console as a person meets it, in a pseudo-terminal: `cargo bench --bench console`.
//!
//! * start-up to first paint, the start of its engine with it, with an empty store and with one of 1 GB (made once under `target/`), of the real binary;
//! * key to paint while 100,000 samples a second arrive and two hundred services are anomalous;
//! * bytes written in ten seconds in which nothing changes, and bytes for one move of the selection.
//!
//! Paint is measured as a terminal sees it: an independent terminal emulator has the new content, or the hardware
//! cursor has moved to the next row.

#[path = "support/large_store.rs"]
mod large_store;
#[path = "support/load.rs"]
mod load;
#[path = "support/terminal.rs"]
mod terminal;

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use hypocenter::app::engine_link::EngineLink;
use hypocenter::app::options::ConsoleOptions;
use hypocenter::app::run;
use hypocenter::app::settings::{ConsoleSettings, look};
use hypocenter::engine::act::executor::Executor;
use hypocenter::engine::model::Person;
use hypocenter::engine::runbooks::Library;
use hypocenter::engine::runtime::{Runtime, RuntimeConfig};
use hypocenter::engine::settings::EngineSettings;
use portable_pty::CommandBuilder;

use large_store::large_store;
use load::Load;
use terminal::Session;

/// Says what a child of this program is to be.
const ROLE: &str = "HYPO_BENCH_ROLE";
/// Samples a second, while there is load.
const SAMPLES_PER_SECOND: u32 = 100_000;
/// Services that are anomalous, so that there is something to move over.
const ANOMALOUS: u32 = 200;
fn main() {
    match std::env::var(ROLE).as_deref() {
        Ok(role) => child(role == "load"),
        Err(_) => measure(),
    }
}

fn measure() {
    println!("{:<64} {:>9} {:>9} {:>9}", "", "p50", "p95", "max");
    // Not the folder itself: others may read that one, which the program refuses.
    let folder = tempfile::tempdir().expect("a folder for the empty store");
    startup("start-up to first paint, empty store, ms", &folder.path().join("empty"), None);
    let large = large_store();
    startup("start-up to first paint, 1 GB store, ms", &large, None);
    startup("start-up until the Log shows what the 1 GB store holds, ms", &large, Some((b"8", "began with")));
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
        let mut stop = std::process::Command::new(env!("CARGO_BIN_EXE_hypo"));
        stop.arg("--state-dir").arg(state_dir).arg("--config").arg(&config).arg("stop");
        assert!(stop.output().expect("hypo stop").status.success(), "the engine of {} stays", state_dir.display());
    }
    print_row(title, &mut taken);
}

/// `j` and `k` in the list of anomalies, until the hardware cursor stands on the other row.
fn keys_under_load() {
    let mut session = Session::start(child_command("load"));
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
    let mut session = Session::start(child_command("quiet"));
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

fn child_command(role: &str) -> CommandBuilder {
    let mut command = CommandBuilder::new(std::env::current_exe().expect("this program has a path"));
    command.env(ROLE, role);
    command
}

/// The console on an engine of its own whose one source is a load generator.
fn child(is_loaded: bool) {
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
    let options: ConsoleOptions =
        look(&ConsoleSettings::default(), Path::new("/nonexistent"), &|name| std::env::var(name).ok());
    let link = EngineLink::new(runtime.handle(), Person::admin("bench"));
    tokio.block_on(run::run(link, options)).expect("a terminal");
    runtime.stop();
}
