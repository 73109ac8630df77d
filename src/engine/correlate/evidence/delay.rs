//! How long after a failure its complaints are heard: densities a second, for detectors that speak at once and for
//! rules that wait until a condition has held.

use std::sync::LazyLock;

use super::face::Kind;

/// Seconds before the onset that the tables cover: clocks differ, and a rule may be quicker than the cause's own.
const BEFORE_S: i64 = 90;
/// Seconds after it.
const AFTER_S: i64 = 1_800;
/// Outside of the tables.
const NEVER: f64 = 1e-7;
/// Seconds from one caller to the next, for detectors and for rules.
const STEP_S: [f64; 2] = [2.0, 30.0];

/// How quickly an incident's complaints follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pace {
    /// Detectors that speak when they see it: most within a minute.
    Quick = 0,
    /// Rules with a `for`: one to five minutes, and later the further up.
    Held = 1,
}

/// Every pace.
pub const PACES: [Pace; 2] = [Pace::Quick, Pace::Held];

static TABLES: LazyLock<[[Vec<f64>; 3]; 2]> = LazyLock::new(|| {
    let quick = |x: f64| 0.4 * exponential(x, 12.0) + 0.4 * exponential(x, 60.0) + 0.2 * exponential(x, 250.0);
    let cause = |x: f64| 0.5 * exponential(x, 60.0) + 0.5 * exponential(x, 300.0);
    let (strained, seen) = (gamma(2.5, 60.0), gamma(3.0, 32.0));
    let strain = |x: f64| 0.75 * strained(x) + 0.1 * exponential(x, 30.0) + 0.15 * exponential(x, 300.0);
    let symptom = |x: f64| 0.75 * seen(x) + 0.1 * exponential(x, 30.0) + 0.15 * exponential(x, 250.0);
    [[table(quick), table(quick), table(quick)], [table(cause), table(strain), table(symptom)]]
});

/// Seconds it takes for a failure to travel so many calls.
pub fn calls_s(pace: Pace, hops: u8) -> f64 {
    STEP_S[pace as usize] * f64::from(hops)
}

/// The density, a second, of a complaint of this kind heard `after_s` after the onset, `hops` calls away from it.
pub fn density(pace: Pace, kind: Kind, after_s: f64, hops: u8) -> f64 {
    let after = after_s - calls_s(pace, hops);
    let at = after + BEFORE_S as f64;
    if at < 0.0 {
        return NEVER;
    }
    TABLES[pace as usize][kind as usize].get(at as usize).copied().unwrap_or(NEVER)
}

fn table(after: impl Fn(f64) -> f64) -> Vec<f64> {
    // A little before the onset is possible, and the less likely the earlier.
    let before = |x: f64| 0.0015 * (1.0 + x / BEFORE_S as f64) + NEVER;
    (-BEFORE_S..AFTER_S).map(|second| second as f64 + 0.5).map(|x| if x < 0.0 { before(x) } else { after(x) }).collect()
}

fn exponential(x: f64, mean: f64) -> f64 {
    (-x / mean).exp() / mean
}

/// The gamma density; its constant by summing, which is exact enough for a table.
fn gamma(shape: f64, scale: f64) -> impl Fn(f64) -> f64 {
    let raw = move |x: f64| (x / scale).powf(shape - 1.0) * (-x / scale).exp();
    let whole: f64 = (0..2_000).map(|second| raw(f64::from(second) + 0.5)).sum();
    move |x: f64| raw(x) / whole
}
