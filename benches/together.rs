//! Consoles on one engine, as the people at them meet it: `cargo bench --bench together`.
//!
//! * sixteen real consoles in pseudo-terminals of 80x24: from the moment at which the first of them shows a new incident until the
//!   last one does, and the same from the moment at which a bare line to the engine has it;
//! * an engine in the background whose store has 1 GB is killed (SIGKILL): until the console that was there has started another and
//!   shows its engine again, and until a line to it has the whole picture. The store was read before, so it is in memory.
//!
//! `-- --check` ends with 1 where a limit is not kept.

#[path = "support/engine.rs"]
mod engine;
#[path = "support/large_store.rs"]
mod large_store;
#[path = "support/watched.rs"]
mod watched;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hypocenter::app::attach::pump;
use hypocenter::engine::snapshot::Snapshot;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portable_pty::CommandBuilder;
use tokio::time::{sleep, timeout};

use engine::{Ground, memory_mb};
use large_store::large_store;
use watched::Watched;

/// Consoles.
const CONSOLES: usize = 16;
/// Incidents, one after the other.
const INCIDENTS: u64 = 12;
/// Kills.
const KILLS: usize = 10;
/// The last of sixteen consoles shows an incident within this time after the first, every time.
const SPREAD_MS_MAX: f64 = 100.0;
/// After a kill there is an engine again within this time.
const BACK_MS_MAX: f64 = 2_000.0;
/// What a console says while it does not hear its engine.
const UNHEARD: &str = "Last heard from";
/// Nothing here takes this long; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    println!("{:<72} {:>9} {:>9} {:>9}", "", "p50", "p95", "max");
    let is_one = tokio.block_on(one_truth());
    let is_back = tokio.block_on(killed());
    let is_checked = std::env::args().any(|word| word == "--check");
    if is_one && is_back || !is_checked { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One incident after the other, on all screens; true where all show it soon enough.
async fn one_truth() -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let ground = Ground::lay(folder.path(), &folder.path().join("state"), "[host]\nenabled = false\n");
    let _engine = ground.serve();
    let line = pump::join(ground.place(), None).await.expect("the engine can be joined");
    let consoles: Vec<Watched> = (0..CONSOLES).map(|_| Watched::start(console(&ground, folder.path(), true))).collect();
    for console in &consoles {
        console.shows("1 Now", PATIENCE);
    }
    let (mut spread, mut after_line, mut after_alert) = (Vec::new(), Vec::new(), Vec::new());
    let mut snapshots = line.handle.snapshots();
    for number in 1..=INCIDENTS {
        // One at a time on the screen: what was before is over.
        if number > 1 {
            ground.alerts(std::iter::once(format!("service-{}", number - 1)), "resolved");
        }
        let name = format!("INC-{number} ");
        consoles.iter().for_each(|console| console.look_for(&name));
        let alerted_at = Instant::now();
        ground.alerts(std::iter::once(format!("service-{number}")), "firing");
        let opened = |picture: &Arc<Snapshot>| picture.incidents.iter().any(|incident| incident.id.0 == number);
        timeout(PATIENCE, snapshots.wait_for(opened)).await.expect("the incident opens").expect("the engine is there");
        let told_at = Instant::now();
        let shown: Vec<Instant> = consoles.iter().map(|console| console.found(PATIENCE)).collect();
        let (first, last) = (shown.iter().min().expect("consoles"), shown.iter().max().expect("consoles"));
        let after = |at: Instant| last.saturating_duration_since(at).as_secs_f64() * 1e3;
        spread.push(after(*first));
        after_line.push(after(told_at));
        after_alert.push(after(alerted_at));
        sleep(Duration::from_secs(2)).await;
    }
    let spread = print_row("16 consoles: the last one shows an incident after the first, ms", &mut spread);
    let _told = print_row("16 consoles: the last one shows it after a line has it, ms", &mut after_line);
    let _told = print_row("16 consoles: the last one shows it after its alert was sent, ms", &mut after_alert);
    spread <= SPREAD_MS_MAX
}

/// A console on the engine of `ground`; one that only joins, or one that starts an engine where there is none.
fn console(ground: &Ground, home: &Path, joins: bool) -> CommandBuilder {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_hypo"));
    command.env("HOME", home);
    command.args(ground.arguments());
    if joins {
        command.arg("attach");
    }
    command
}

/// An engine on 1 GB, killed again and again under a console; true where there is another soon enough.
async fn killed() -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let ground = Ground::lay(folder.path(), &large_store(), "[host]\nenabled = false\n");
    let (mut joined_after, mut shown_after, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..KILLS {
        // A new console each time: one starts an engine at most once a minute.
        let console = Watched::start(console(&ground, folder.path(), false));
        console.shows("1 Now", PATIENCE);
        let pid = whole(&ground).await;
        console.lacks(UNHEARD, PATIENCE);
        let killed_at = Instant::now();
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it runs");
        console.shows(UNHEARD, PATIENCE);
        let next = whole(&ground).await;
        joined_after.push(killed_at.elapsed().as_secs_f64() * 1e3);
        assert_ne!(pid, next, "it was not killed");
        shown_after.push(console.lacks(UNHEARD, PATIENCE).saturating_duration_since(killed_at).as_secs_f64() * 1e3);
        memory.push(memory_mb(next, "VmRSS"));
        drop(console);
        stop(&ground, folder.path());
    }
    let joined = print_row("1 GB store: killed, started by a console, joined with all of it, ms", &mut joined_after);
    let shown = print_row("1 GB store: killed, until that console shows its engine again, ms", &mut shown_after);
    let _told = print_row("1 GB store: resident memory of the engine, MB", &mut memory);
    joined <= BACK_MS_MAX && shown <= BACK_MS_MAX
}

/// Ends the engine that a console left behind.
fn stop(ground: &Ground, home: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hypo"));
    command.env("HOME", home).args(ground.arguments()).args(["stop", "--now"]);
    assert!(command.output().expect("hypo stop").status.success(), "the engine stays");
}

/// The process of the engine, once a line to it has everything.
async fn whole(ground: &Ground) -> i32 {
    let end = Instant::now() + PATIENCE;
    loop {
        let Ok(line) = pump::join(ground.place(), None).await else {
            assert!(Instant::now() < end, "no engine is there");
            sleep(Duration::from_millis(5)).await;
            continue;
        };
        let mut snapshots = line.handle.snapshots();
        let has_all = |picture: &Arc<Snapshot>| {
            !picture.is_before_the_first() && !picture.incidents.is_empty() && !picture.audit.is_empty()
        };
        timeout(PATIENCE, snapshots.wait_for(has_all)).await.expect("it opens its store").expect("it is there");
        return line.welcome.pid;
    }
}

/// Prints the median, the 95th percentile and the greatest of the values; gives the greatest.
fn print_row(title: &str, values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    println!("{title:<72} {:>9.1} {:>9.1} {:>9.1}", at(0.5), at(0.95), at(1.0));
    at(1.0)
}
