//! The console as a person meets it, in a pseudo-terminal: `cargo bench --bench console`.
//!
//! * start-up to first paint, with an empty store and with one of 1 GB (made once under `target/`), of the real binary;
//! * key to paint while 100,000 samples a second arrive and two hundred services are anomalous;
//! * bytes written in ten seconds in which nothing changes, and bytes for one move of the selection.
//!
//! Paint is measured as a terminal sees it: an independent terminal emulator has the new content, or the hardware
//! cursor has moved to the next row.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use hypocenter::app::engine_link::EngineLink;
use hypocenter::app::options::ConsoleOptions;
use hypocenter::app::run;
use hypocenter::app::settings::{ConsoleSettings, look};
use hypocenter::engine::act::executor::Executor;
use hypocenter::engine::clock::Timestamp;
use hypocenter::engine::ingest::{SignalSink, Source, StopSignal, wall_clock};
use hypocenter::engine::job::Record;
use hypocenter::engine::model::{
    AuditEntry, AuditKind, BadWhen, Labels, Person, Sample, SampleBatch, SeriesDescriptor, SeriesNotice, SeriesRole,
    ServiceName, Signal, SourceKind, SourceName, Unit,
};
use hypocenter::engine::runbooks::Library;
use hypocenter::engine::runtime::source_list::SourceSpec;
use hypocenter::engine::runtime::{Runtime, RuntimeConfig};
use hypocenter::engine::settings::EngineSettings;
use hypocenter::engine::store::Store;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Says what a child of this program is to be.
const ROLE: &str = "HYPO_BENCH_ROLE";
/// Samples a second, while there is load.
const SAMPLES_PER_SECOND: u32 = 100_000;
/// Services that are anomalous, so that there is something to move over.
const ANOMALOUS: u32 = 200;
/// Size of the large store.
const STORE_BYTES: u64 = 1_000_000_000;
/// Nothing here takes this long; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(120);

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
    startup("start-up until the Log shows what the 1 GB store holds, ms", &large, Some((b"6", "began with")));
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

/// A program in a pseudo-terminal of 80x24, and what an independent terminal makes of its output.
struct Session {
    // Closing it would hang the program up.
    _master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    terminal: vt100::Parser,
    bytes: usize,
}

impl Session {
    fn start(mut command: CommandBuilder) -> Self {
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let child = pty.slave.spawn_command(command).expect("the program starts");
        let mut reader = pty.master.try_clone_reader().expect("its output can be read");
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 65_536];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let keys = pty.master.take_writer().expect("its keys can be pressed");
        Self { _master: pty.master, child, keys, output, terminal: vt100::Parser::new(24, 80, 0), bytes: 0 }
    }

    fn keys(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).and_then(|()| self.keys.flush()).expect("a key can be pressed");
    }

    fn screen(&self) -> &vt100::Screen {
        self.terminal.screen()
    }

    fn take(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        self.terminal.process(bytes);
    }

    /// Takes what has come by now.
    fn drain(&mut self) {
        while let Ok(bytes) = self.output.try_recv() {
            self.take(&bytes);
        }
    }

    fn wait(&mut self, is_there: impl Fn(&vt100::Screen) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_there(self.screen()) {
            let left = end.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes),
                Err(_) => panic!("it never came; the screen was:\n{}", self.screen().contents()),
            }
        }
    }

    /// Leaves the program and waits for it: two of them cannot hold one store.
    fn end(mut self) {
        self.keys(b"Q");
        let end = Instant::now() + PATIENCE;
        while self.child.try_wait().is_ok_and(|status| status.is_none()) && Instant::now() < end {
            self.drain();
            thread::sleep(Duration::from_millis(2));
        }
    }
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
    let source = SourceSpec {
        name: SourceName::new("load"),
        kind: SourceKind::Demo,
        address: Arc::from("made up"),
        make: Box::new(move |_| Ok(Box::new(Load { name: SourceName::new("load"), is_loaded }))),
    };
    let settings = EngineSettings::default();
    let config = RuntimeConfig {
        runner: Arc::new(Executor::new(&settings.runbooks, tokio.handle().clone())),
        settings,
        library: Library::shipped(),
        state_dir: None,
        sources: vec![source],
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

/// Anomalous services first, then samples in scrape order, as many a second as asked for.
struct Load {
    name: SourceName,
    is_loaded: bool,
}

impl Source for Load {
    fn name(&self) -> &SourceName {
        &self.name
    }

    fn run(self: Box<Self>, sink: SignalSink, stop: StopSignal) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let count = if self.is_loaded { SAMPLES_PER_SECOND } else { ANOMALOUS };
            for local in 0..count {
                let descriptor = descriptor(local);
                sink.send(Signal::Series(SeriesNotice { source: self.name.clone(), local, descriptor })).await;
            }
            let mut rounds = 0;
            while stop.sleep_ms(1_000).await {
                rounds += 1;
                // Quiet means quiet: a few rounds make the anomalies, then nothing comes any more.
                if !self.is_loaded && rounds > 4 {
                    continue;
                }
                let at = wall_clock::now();
                for chunk in (0..count).collect::<Vec<_>>().chunks(10_000) {
                    let samples = chunk.iter().map(|local| sample(*local, at)).collect();
                    let batch = SampleBatch { source: self.name.clone(), is_backfill: false, samples };
                    sink.send(Signal::Samples(batch)).await;
                }
            }
        })
    }
}

fn sample(local: u32, at: Timestamp) -> Sample {
    let value = if local < ANOMALOUS { 0.5 } else { 0.001 };
    Sample { local, at, value }
}

fn descriptor(local: u32) -> SeriesDescriptor {
    SeriesDescriptor {
        metric: Arc::from("error_ratio"),
        service: ServiceName::new(&format!(
            "service-{}",
            if local < ANOMALOUS { local } else { ANOMALOUS + local / 50 }
        )),
        instance: Some(Arc::from(format!("pod-{local}"))),
        unit: Unit::Ratio,
        role: SeriesRole::Errors,
        bad_when: BadWhen::High,
        is_skewed: false,
        limit: None,
        // The quiet child stops sending; nothing is to be missed within the time that is measured.
        interval_ms: 3_600_000,
        labels: Labels::default(),
    }
}

/// A store of 1 GB on disk, made once.
fn large_store() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("store-1gb");
    let is_whole = path.with_extension("whole");
    if is_whole.exists() {
        return path;
    }
    let _absent = std::fs::remove_dir_all(&path);
    eprintln!("making a store of 1 GB in {} (once)", path.display());
    let store = Store::open(&path).expect("a new store");
    let mut sequence = 0;
    while store.size_bytes().expect("its size can be told") < STORE_BYTES {
        let records: Vec<Record> = (0..20_000).map(|_| audit_entry(&mut sequence)).collect();
        store.write(&records, true).expect("there is room");
    }
    drop(store);
    std::fs::write(is_whole, "").expect("there is room");
    path
}

/// An entry of the length that commands and decisions have, unlike any other.
fn audit_entry(sequence: &mut u64) -> Record {
    *sequence += 1;
    let noise = sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let text = format!(
        "step 2 of RUN-{sequence} (roll payment back): kubectl rollout undo deployment/payment-{noise:016x} -n prod, \
         digest {:016x}{:016x}{:016x}",
        noise.rotate_left(13),
        noise.rotate_left(29),
        noise.rotate_left(41)
    );
    Record::Audit(AuditEntry {
        sequence: *sequence,
        at: Timestamp(1_763_000_000_000 + i64::try_from(*sequence).unwrap_or(0) * 1_000),
        kind: AuditKind::Outcome,
        by: Arc::from("engine"),
        incident: None,
        run: None,
        text: Arc::from(text),
    })
}
