//! What came of a run: a hash over everything that happened, the last of it, and which rules were broken.

use std::collections::VecDeque;
use std::fmt;

use super::invariants::Broken;
use super::oracle::Counts;
use super::plan::Plan;
use crate::engine::digest::sha256_hex;
use crate::engine::snapshot::Snapshot;

/// Everything that happens, as one number and the last lines.
#[derive(Debug)]
pub(super) struct Trace {
    hash: String,
    /// So many of the last events are kept.
    keeps: usize,
    pub events: u64,
    pub last: VecDeque<String>,
}

impl Trace {
    pub(super) fn keeping(keeps: usize) -> Self {
        Self { hash: String::new(), keeps, events: 0, last: VecDeque::new() }
    }

    /// Takes an event in.
    pub(super) fn note(&mut self, line: String) {
        self.hash = sha256_hex([self.hash.as_str(), line.as_str()]);
        self.events += 1;
        if self.last.len() >= self.keeps {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// The hash so far, short enough to be compared by eye.
    pub(super) fn hash(&self) -> String {
        self.hash.get(..16).unwrap_or(&self.hash).to_owned()
    }
}

/// Where two pictures differ, in the words of their text form; numbers that are none are alike in it.
pub(super) fn differs(one: &Snapshot, other: &Snapshot) -> Option<String> {
    if one == other {
        return None;
    }
    let (one, other) = (serde_json::to_value(one).ok()?, serde_json::to_value(other).ok()?);
    let (one, other) = (one.as_object()?, other.as_object()?);
    let key = one.iter().find(|(key, value)| other.get(*key) != Some(value))?.0;
    Some(format!("{key}: {} and {}", one.get(key)?, other.get(key)?).chars().take(400).collect())
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What was run.
    pub plan: Plan,
    /// Over everything that happened: the same for the same plan and the same program.
    pub hash: String,
    /// How much that was.
    pub events: u64,
    /// Calls of the outside world, at each of which the program may die.
    pub points: u64,
    /// True where acts might begin by themselves.
    pub is_assisting: bool,
    /// What it was.
    pub counts: Counts,
    /// The rule that was broken first, where one was; the run ends there.
    pub broken: Option<Broken>,
    /// The last events.
    pub last: Vec<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { requests, done, starts, by_itself, crashes, failures, races, kills, in_doubt, probes, .. } =
            self.counts;
        let Counts { most_of_one, most_in_an_hour, .. } = self.counts;
        let Plan { seed, minutes, .. } = self.plan;
        let (hours, minutes) = (minutes / 60, minutes % 60);
        let mode = if self.is_assisting { "ASSIST" } else { "SUGGEST" };
        writeln!(
            out,
            "seed {seed}, {hours} h {minutes} min, {mode}: trace {}, {} events, {} points",
            self.hash, self.events, self.points
        )?;
        writeln!(
            out,
            "{requests} requests ({done} done), {starts} calls ({by_itself} acts by itself, at most {most_of_one} of one incident and {most_in_an_hour} an hour), {races} races, {kills} kills, \
             {crashes} crashes, {failures} failed writes, {in_doubt} acts in doubt, {probes} probes"
        )?;
        match &self.broken {
            None => write!(out, "every rule held"),
            Some(Broken { rule, text }) => {
                writeln!(out, "BROKEN {rule}: {text}\nthe last events:")?;
                for line in &self.last {
                    writeln!(out, "  {line}")?;
                }
                write!(out, "again: {}", self.plan.command())
            }
        }
    }
}
