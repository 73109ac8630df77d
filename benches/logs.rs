//! How many log lines a second one core gives their templates, by how much news is in them.
//!
//! `cargo bench --bench logs` prints a table; with a file as argument (`-- app.log`) its lines are mined as well.

use std::hint::black_box;
use std::time::Instant;

use hypocenter::engine::detect::log_templates::TemplateMiner;
use hypocenter::engine::ingest::log_layout::LogLayout;
use hypocenter::engine::model::ServiceName;

/// Lines of each kind.
const LINES: usize = 1_000_000;

/// Bytes of this process that are in memory.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4_096
}

/// Well mixed bits of a number.
fn mixed(number: usize) -> u64 {
    let once = (number as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (once ^ once >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// A line of an ordinary service.
fn ordinary(number: usize) -> String {
    let bits = mixed(number);
    let (host, port, took) = (bits % 250, bits >> 8 & 0x7fff, bits >> 24 & 0xfff);
    match bits >> 40 & 7 {
        0 => format!("connection from 10.0.{host}.7:{port} closed after {took}ms"),
        1 => format!("GET /api/carts/{bits:x}/items?page={host} HTTP/1.1 status: 200 len: {port} time: 0.{took}"),
        2 => format!("received block blk_-{bits} of size {port} from /10.0.{host}.3"),
        3 => format!("pool orders: {took} of {port} in use, waiting={host}, owner=worker-{host}"),
        4 => format!("retrying publish to topic orders.{host}.events in {took} ms, attempt {port}"),
        5 => format!("task attempt_{bits}_m_{took}_{host} went from RUNNING to DONE"),
        6 => format!("session {bits:x} of user u{host} renewed until 2026-11-21 14:31:{:02}", took % 60),
        _ => format!("flushed {port} entries ({took}.5 MiB) to /var/lib/store/segment-{bits:x}.db"),
    }
}

/// A line whose words are mostly new.
fn strange(number: usize) -> String {
    let word = |seed: usize| -> String {
        let bits = mixed(seed);
        (0..7).map(|at| char::from(b'a' + (bits >> (at * 5) & 15) as u8)).collect()
    };
    format!("{} {} did {} {}", word(number), word(number + 1), word(number * 3), word(number * 7))
}

fn measure(name: &str, lines: &[String]) {
    let service = ServiceName::new("bench");
    let before = resident_bytes();
    let begun = Instant::now();
    let layout = LogLayout::learn(lines.iter().take(1_000).map(String::as_str));
    let mut miner = TemplateMiner::new();
    for line in lines {
        black_box(miner.observe(&service, layout.message(line)));
    }
    let seconds = begun.elapsed().as_secs_f64();
    let bytes: usize = lines.iter().map(String::len).sum();
    println!(
        "{name:34} {:>8.2} M lines/s {:>7.0} MB/s {:>7} templates {:>6} MB grown {:>6} evicted",
        lines.len() as f64 / seconds / 1e6,
        bytes as f64 / seconds / 1e6,
        miner.len(),
        resident_bytes().saturating_sub(before) >> 20,
        miner.evicted_count(),
    );
}

fn main() {
    let lines: Vec<String> = (0..LINES).map(ordinary).collect();
    measure("messages", &lines);
    let whole: Vec<String> =
        lines.iter().map(|line| format!("2026-11-21 14:31:45,123 INFO  [main] org.example.Shop: {line}")).collect();
    measure("whole lines", &whole);
    let mostly: Vec<String> =
        lines.iter().enumerate().map(|(at, line)| if at % 100 == 0 { strange(at) } else { line.clone() }).collect();
    measure("messages, every hundredth strange", &mostly);
    measure("nothing but strange", &(0..LINES / 10).map(strange).collect::<Vec<_>>());
    for path in std::env::args().skip(1).filter(|argument| !argument.starts_with("--")) {
        match std::fs::read(&path) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                let once: Vec<String> = text.lines().map(str::to_owned).collect();
                let times = (LINES / once.len().max(1)).max(1);
                measure(&path, &once.iter().cycle().take(once.len() * times).cloned().collect::<Vec<_>>());
            }
            Err(problem) => eprintln!("cannot read {path}: {problem}"),
        }
    }
}
