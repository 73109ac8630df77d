//! Consoles on one engine, as the people at them meet it: `cargo bench --bench together`.
//!
//! * sixteen real consoles in pseudo-terminals of 80x24: from the moment at which the first of them shows a new incident until the
//!   last one does, and the same from the moment at which a bare line to the engine has it;
//! * an engine whose store has 1 GB is killed (SIGKILL) and started again: until a line to it has the whole picture again, and until
//!   a console that was there all the time hears it again.

#[path = "support/engine.rs"]
mod engine;
#[path = "support/large_store.rs"]
mod large_store;
#[path = "support/watched.rs"]
mod watched;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hypocenter::app::attach::pump;
use hypocenter::engine::snapshot::Snapshot;
use portable_pty::CommandBuilder;
use tokio::time::{sleep, timeout};

use engine::Ground;
use large_store::large_store;
use watched::Watched;

/// Consoles.
const CONSOLES: usize = 16;
/// Incidents, one after the other.
const INCIDENTS: u64 = 12;
/// Kills.
const KILLS: usize = 10;
/// What a console says while it does not hear its engine.
const UNHEARD: &str = "Last heard from";
/// Nothing here takes this long; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    println!("{:<72} {:>9} {:>9} {:>9}", "", "p50", "p95", "max");
    tokio.block_on(one_truth());
    tokio.block_on(killed());
}

/// One incident after the other, on all screens.
async fn one_truth() {
    let folder = tempfile::tempdir().expect("a folder");
    let ground = Ground::lay(folder.path(), &folder.path().join("state"), "[host]\nenabled = false\n");
    let _engine = ground.serve();
    let line = pump::join(ground.place(), None).await.expect("the engine can be joined");
    let consoles: Vec<Watched> = (0..CONSOLES).map(|_| Watched::start(console(&ground, folder.path()))).collect();
    for console in &consoles {
        console.shows("1 Now", PATIENCE);
    }
    let (mut spread, mut after_line) = (Vec::new(), Vec::new());
    let mut snapshots = line.handle.snapshots();
    for number in 1..=INCIDENTS {
        // One at a time on the screen: what was before is over.
        if number > 1 {
            ground.alerts(std::iter::once(format!("service-{}", number - 1)), "resolved");
        }
        ground.alerts(std::iter::once(format!("service-{number}")), "firing");
        let opened = |picture: &Arc<Snapshot>| picture.incidents.iter().any(|incident| incident.id.0 == number);
        timeout(PATIENCE, snapshots.wait_for(opened)).await.expect("the incident opens").expect("the engine is there");
        let told_at = Instant::now();
        let name = format!("INC-{number}");
        let shown: Vec<Instant> = consoles.iter().map(|console| console.shows(&name, PATIENCE)).collect();
        let (first, last) = (shown.iter().min(), shown.iter().max());
        let (Some(first), Some(last)) = (first, last) else { return };
        spread.push(last.duration_since(*first).as_secs_f64() * 1e3);
        after_line.push(last.saturating_duration_since(told_at).as_secs_f64() * 1e3);
        sleep(Duration::from_secs(2)).await;
    }
    print_row("16 consoles: the last one shows an incident after the first, ms", &mut spread);
    print_row("16 consoles: the last one shows it after a line has it, ms", &mut after_line);
}

/// A console on the engine of `ground`.
fn console(ground: &Ground, home: &Path) -> CommandBuilder {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_hypo"));
    command.env("HOME", home);
    command.args(ground.arguments());
    // One that never starts an engine of its own.
    command.arg("attach");
    command
}

/// An engine on 1 GB, killed again and again under a console.
async fn killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let ground = Ground::lay(folder.path(), &large_store(), "[host]\nenabled = false\n");
    let mut engine = ground.serve();
    let console = Watched::start(console(&ground, folder.path()));
    console.shows("1 Now", PATIENCE);
    let (mut joined_after, mut shown_after) = (Vec::new(), Vec::new());
    for _ in 0..KILLS {
        let killed_at = Instant::now();
        // Which kills it.
        drop(engine);
        console.shows(UNHEARD, PATIENCE);
        engine = ground.serve();
        let line = pump::join(ground.place(), None).await.expect("the engine can be joined");
        let mut snapshots = line.handle.snapshots();
        let is_open = |picture: &Arc<Snapshot>| !picture.store.path.is_empty() && !picture.audit.is_empty();
        timeout(PATIENCE, snapshots.wait_for(is_open)).await.expect("it opens its store").expect("it is there");
        joined_after.push(killed_at.elapsed().as_secs_f64() * 1e3);
        shown_after.push(console.lacks(UNHEARD, PATIENCE).saturating_duration_since(killed_at).as_secs_f64() * 1e3);
        sleep(Duration::from_secs(1)).await;
    }
    print_row("1 GB store: killed, started and joined again with all of it, ms", &mut joined_after);
    print_row("1 GB store: resident memory of the engine, MB", &mut [engine.rss_mb()]);
    print_row("1 GB store: until a console that was there shows it again, ms", &mut shown_after);
}

fn print_row(title: &str, values: &mut [f64]) {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    println!("{title:<72} {:>9.1} {:>9.1} {:>9.1}", at(0.5), at(0.95), at(1.0));
}
