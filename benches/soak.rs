//! Memory of an engine that runs for a while: `cargo bench --bench soak -- --minutes 30`; two minutes without.
//!
//! The real engine on a store of its own watches this machine and a log of some hundred lines a second; each ten seconds a storm of
//! forty alerts comes and the one before goes, and each five seconds a console joins, looks and goes, beside two that stay. One of
//! these writes two notes and a half a second on an incident: what has a bound by number, such as timeline and audit log, is full before
//! half of thirty minutes is over, so that what grows after that has none. What the kernel says of its memory is told each minute, and
//! how what it has allocated grew over the second half, by least squares. With `--check` it ends with 1 where that is more than 2 MB
//! an hour.

#[path = "support/engine.rs"]
mod engine;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use hypocenter::app::attach::pump;
use hypocenter::engine::request::Request;
use tokio::time::{MissedTickBehavior, interval, sleep};

use engine::{Ground, memory_mb};

/// Alerts of one storm.
const STORM: u64 = 40;
/// Lines that the log gets at a time, ten times a second.
const LINES: u64 = 40;
/// Tenths of a second between two notes.
const NOTE_BEATS: u64 = 4;
/// Minutes where none are given.
const MINUTES: u64 = 2;
/// Memory is flat where it grows by less than this over the second half.
const GROWTH_MB_AN_HOUR_MAX: f64 = 2.0;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let given = arguments.iter().position(|word| word == "--minutes");
    let given =
        given.map(|at| arguments.get(at + 1).and_then(|word| word.parse().ok()).expect("--minutes takes a number"));
    let minutes: u64 = given.unwrap_or(MINUTES);
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let growth = tokio.block_on(soak(Duration::from_secs(minutes * 60)));
    let is_checked = arguments.iter().any(|word| word == "--check");
    if growth <= GROWTH_MB_AN_HOUR_MAX || !is_checked { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn soak(lasts: Duration) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("app.log");
    let mut lines = File::create(&log).expect("a log");
    let more = format!("[[log]]\npath = \"{}\"\nservice = \"payment\"\n[host]\ninterval = \"1s\"\n", log.display());
    let ground = Ground::lay(folder.path(), &folder.path().join("state"), &more);
    let engine = ground.serve();
    let stays = [join(&ground).await, join(&ground).await];
    let begun = Instant::now();
    let mut beat = interval(Duration::from_millis(100));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut readings, mut count) = (Vec::new(), 0u64);
    let pid = engine.0.id().cast_signed();
    println!("{:>8} {:>14} {:>10} {:>12}", "minute", "allocated MB", "RSS MB", "store MB");
    while begun.elapsed() < lasts {
        beat.tick().await;
        for _ in 0..LINES {
            count += 1;
            let level = if count % 97 == 0 { "ERROR" } else { "INFO" };
            writeln!(lines, "{level} request {count} of user {} took {} ms", count % 1_009, count % 311).expect("room");
        }
        let beats = count / LINES;
        if beats.is_multiple_of(100) {
            let storm = beats / 100;
            let services = |storm: u64| (0..STORM).map(move |at| format!("service-{}", (storm * STORM + at) % 400));
            if storm > 1 {
                ground.alerts(services(storm - 1), "resolved");
            }
            ground.alerts(services(storm), "firing");
        }
        if beats.is_multiple_of(50) {
            join(&ground).await;
        }
        if beats.is_multiple_of(NOTE_BEATS) {
            let incident = stays[0].handle.snapshots().borrow().incidents.first().map(|incident| incident.id);
            if let Some(incident) = incident {
                let note = Request::Note { incident, text: format!("seen after {beats} beats").into() };
                stays[0].handle.send(&stays[0].welcome.person, note).await.expect("an answer");
            }
        }
        if beats.is_multiple_of(100) {
            readings.push((begun.elapsed().as_secs_f64(), memory_mb(pid, "RssAnon")));
        }
        if beats.is_multiple_of(600) {
            let store = folder_mb(&folder.path().join("state"));
            println!(
                "{:>8} {:>14.1} {:>10.1} {store:>12.1}",
                beats / 600,
                memory_mb(pid, "RssAnon"),
                memory_mb(pid, "VmRSS")
            );
        }
    }
    // What is under way comes to its end before the last reading.
    sleep(Duration::from_secs(1)).await;
    let late = &readings[readings.len() / 2..];
    let growth = slope(late) * 3_600.0;
    println!("growth over the second half: {growth:+.2} MB an hour");
    growth
}

async fn join(ground: &Ground) -> pump::Joined {
    pump::join(ground.place(), None).await.expect("the engine can be joined")
}

fn folder_mb(path: &Path) -> f64 {
    folder_bytes(path) as f64 / 1e6
}

fn folder_bytes(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(facts) if facts.is_dir() => folder_bytes(&entry.path()),
            Ok(facts) => facts.len(),
            Err(_) => 0,
        })
        .sum()
}

/// By how much the second grows with the first, by least squares.
fn slope(readings: &[(f64, f64)]) -> f64 {
    let count = readings.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| readings.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|reading| reading.0), mean(|reading| reading.1));
    let covered: f64 = readings.iter().map(|reading| (reading.0 - x) * (reading.1 - y)).sum();
    let spread: f64 = readings.iter().map(|reading| (reading.0 - x).powi(2)).sum();
    covered / spread
}
