//! The picture of traces: trees of spans now and in the healthy time, how operations go on differently, and where time
//! is lost.

pub mod blame;
pub mod forest;
pub mod patterns;
pub mod times;
pub mod verdict;

#[cfg(test)]
mod tests;

use self::blame::Blame;
use self::forest::{Contexts, Forest, Keys};
use self::patterns::Rule;
use self::times::Shift;
use self::verdict::Verdict;
use super::logs::{Logs, Now};
use crate::engine::root_cause::case::{Case, LogRow, SpanRow};

/// What traces show.
#[derive(Debug, Default)]
pub struct Traces {
    /// Service and operation of every key.
    pub keys: Keys,
    /// The same told apart by the operation above.
    pub contexts: Contexts,
    /// The trees around the incident.
    pub now: Forest,
    /// The contexts that operations leave, by key.
    pub rules: Vec<Rule>,
    /// The spans to blame for it.
    pub blames: Vec<Blame>,
    /// Where time goes now against the healthy time.
    pub shifts: Vec<Shift>,
    /// What they say of each node.
    pub verdicts: Vec<Verdict>,
    /// Spans of the healthy time.
    pub healthy_count: usize,
}

impl Traces {
    /// The picture of a case's traces.
    #[must_use]
    pub fn new(case: &Case, logs: &Logs<'_>) -> Self {
        if case.now.spans.is_empty() {
            return Self::default();
        }
        let (mut keys, mut contexts) = (Keys::default(), Contexts::default());
        let range = Now::new(case);
        let span_is_now = |row: &&SpanRow| range.has(row.ts);
        let lines = || case.now.logs.iter();
        let line_is_now = |line: &&LogRow| range.has(line.ts);
        let now = Forest::new(
            case.now.spans.iter().filter(span_is_now),
            lines().filter(line_is_now),
            &mut keys,
            &mut contexts,
        );
        let earlier = case.now.spans.iter().filter(|row| !span_is_now(row));
        let earlier_lines = lines().filter(|line| !line_is_now(line));
        let healthy = Forest::new(
            case.healthy.spans.iter().chain(earlier),
            case.healthy.logs.iter().chain(earlier_lines),
            &mut keys,
            &mut contexts,
        );
        let failing: Vec<bool> = keys
            .list
            .iter()
            .map(|(_, op)| speaks_of_failure(case.ops.get(*op as usize).map_or("", String::as_str)))
            .collect();
        let is_failing = |key: u32| failing.get(key as usize).copied().unwrap_or(false);
        let rules = patterns::rules(&healthy, &now, logs.templates, &is_failing);
        let blames = blame::blame(&now, &rules, late_from(case, &now));
        let shifts = times::shifts(&times::times(&healthy), &times::times(&now));
        let verdicts = verdict::verdicts(case.nodes.len(), &now, &rules, &blames, &shifts);
        Self { keys, contexts, rules, blames, shifts, verdicts, healthy_count: healthy.twigs.len(), now }
    }
}

/// True for the name of an operation that handles failures.
fn speaks_of_failure(op: &str) -> bool {
    let op = op.to_ascii_lowercase();
    ["error", "exception", "fail", "fallback"].iter().any(|word| op.contains(word))
}

/// From when on spans are late: the last third of what was seen until a minute after the page, at least 45 s.
fn late_from(case: &Case, now: &Forest) -> f64 {
    let until = case.detected_at + 60.0;
    let times = || now.twigs.iter().map(|twig| twig.ts).filter(|ts| *ts <= until);
    let (first, last) = (times().fold(f64::MAX, f64::min), times().fold(f64::MIN, f64::max));
    last - ((last - first) / 3.0).max(45.0)
}
