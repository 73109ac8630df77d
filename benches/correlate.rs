//! How many alerts a second one core groups: a day of fifty thousand, a storm of 1,847 from one failure, detectors that
//! speak in bursts, and how the cost grows from a thousand alerts to a hundred thousand.
//!
//! `cargo bench --bench correlate` prints a table. Everything is made here from a seed; reading labels is not counted.

use std::hint::black_box;
use std::time::Instant;

use hypocenter::engine::correlate::evidence::casebook::{Casebook, Verdict};
use hypocenter::engine::correlate::evidence::labels;
use rustc_hash::FxHashMap;

const DAY_MS: u64 = 86_400_000;
const SERVICES: u64 = 60;
const NODES: u64 = 24;
/// A table shows the best of so many runs: others use the machine as well.
const RUNS: usize = 3;

/// What services say when something they call fails, and what is heard on any day.
const SYMPTOMS: [&str; 5] =
    ["HighErrorRate", "HighLatencyP99", "SLOErrorBudgetBurnFast", "ThreadPoolExhausted", "GoroutinesHigh"];
const BACKGROUND: [&str; 5] =
    ["CPUThrottlingHigh", "NodeDiskFilling", "HPAMaxedOut", "ContainerMemoryHigh", "KubeAPILatency"];

/// Numbers that are the same on every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let once = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let twice = (once ^ once >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (twice ^ twice >> 31) % bound
    }
}

/// An alert: when, its name, the service, its pod of that service, the service it complains of.
type Alert = (u64, &'static str, u64, Option<u64>, Option<u64>);

/// Service `n` is called by the two at half its number: a failure climbs six calls at most.
fn callers(mut service: u64) -> Vec<u64> {
    let mut found = vec![service];
    while service > 1 {
        service /= 2;
        found.push(service);
    }
    found
}

/// One failure at `root`: the cause, then callers, later the further up, with repeats for a quarter of an hour.
fn failure(dice: &mut Dice, alerts: &mut Vec<Alert>, began: u64, root: u64, size: usize) {
    let place = callers(root);
    for nth in 0..size as u64 {
        let hops = dice.below(place.len() as u64);
        let service = place[hops as usize];
        let at = began + 60_000 + hops * 35_000 + dice.below(60_000) + if nth > 40 { dice.below(900_000) } else { 0 };
        let alert = match dice.below(6) {
            0 if hops > 0 => (at, "UpstreamTimeouts", service, None, Some(place[hops as usize - 1])),
            0 => (at, "PodCrashLooping", service, Some(dice.below(3)), None),
            which if which < 4 => (at, SYMPTOMS[which as usize - 1], service, None, None),
            which => (at, SYMPTOMS[which as usize - 1], service, Some(dice.below(3)), None),
        };
        alerts.push(alert);
    }
}

/// A day: three quarters of it background, most of that from a few rules that flap.
fn day(alerts: usize, failures: u64) -> Vec<Alert> {
    let mut dice = Dice(7);
    let mut made = Vec::with_capacity(alerts);
    for _ in 0..failures {
        let (began, root) = (dice.below(DAY_MS - 2_000_000), dice.below(SERVICES));
        failure(&mut dice, &mut made, began, root, alerts / 4 / failures as usize);
    }
    while made.len() < alerts {
        let voice = if dice.below(5) > 0 { dice.below(60) } else { dice.below(2_000) };
        let (name, service) = (BACKGROUND[(voice % 5) as usize], voice * 7 % SERVICES);
        made.push((dice.below(DAY_MS), name, service, Some(voice % 3), None));
    }
    made.sort_unstable();
    made
}

fn storm(size: usize) -> Vec<Alert> {
    let mut made = Vec::new();
    failure(&mut Dice(3), &mut made, 3_600_000, 59, size);
    made.sort_unstable();
    made
}

/// Detectors that speak at once: everybody complains in every burst.
fn bursts(size: usize) -> Vec<Alert> {
    let mut dice = Dice(5);
    let mut made: Vec<Alert> = (0..size as u64)
        .map(|nth| {
            let after = 200_000 / (1 + dice.below(200));
            (nth / 100 * 600_000 + after, SYMPTOMS[dice.below(5) as usize], dice.below(SERVICES), None, None)
        })
        .collect();
    made.sort_unstable();
    made
}

/// Seconds that grouping takes, and how many groups there are.
fn grouped(alerts: &[Alert]) -> (f64, usize) {
    let mut book = Casebook::default();
    let mut known = FxHashMap::default();
    let mut heard = Vec::with_capacity(alerts.len());
    for (at, name, service, pod, callee) in alerts {
        let face = *known.entry((*name, *service, *pod, *callee)).or_insert_with(|| {
            let said = [
                ("service", format!("service-{service}")),
                ("pod", pod.map(|pod| format!("service-{service}-{pod}")).unwrap_or_default()),
                ("node", pod.map(|pod| format!("node-{}", (service * 3 + pod) % NODES)).unwrap_or_default()),
                ("destination", callee.map(|callee| format!("service-{callee}")).unwrap_or_default()),
            ];
            let said = said.iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| (*key, value.as_str()));
            let face = labels::read(&mut book, name, None, said);
            book.face(face)
        });
        heard.push((face, i64::try_from(*at).unwrap_or(i64::MAX)));
    }
    let begun = Instant::now();
    for (token, (face, at)) in (0_u32..).zip(&heard) {
        book.hear(*face, *at, token);
    }
    book.finish();
    let seconds = begun.elapsed().as_secs_f64();
    let mut cases: Vec<u32> = book.take_verdicts().iter().filter_map(Verdict::case).collect();
    cases.sort_unstable();
    cases.dedup();
    (seconds, black_box(cases).len())
}

fn measure(name: &str, alerts: &[Alert]) {
    let runs = (0..RUNS).map(|_| grouped(alerts));
    let Some((seconds, groups)) = runs.min_by(|a, b| a.0.total_cmp(&b.0)) else { return };
    println!(
        "{name:30} {:>7} alerts {:>9.1} ms {:>9.0} alerts/s {groups:>5} groups",
        alerts.len(),
        seconds * 1e3,
        alerts.len() as f64 / seconds
    );
}

fn main() {
    measure("a day, 40 failures", &day(50_000, 40));
    measure("one storm", &storm(1_847));
    measure("bursts, ten minutes apart", &bursts(5_000));
    for size in [1_000, 3_000, 10_000, 30_000, 100_000] {
        measure("a day, a failure in 1,250", &day(size, (size as u64 / 1_250).max(1)));
    }
}
