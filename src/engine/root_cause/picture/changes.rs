//! The picture of changes: for each how well it explains what happens, beside "none of them".
//!
//! A commit counts from the roll-out that carries it. What speaks for and against a change, in natural-log odds: when it
//! took effect against the first signs of trouble, where, whether it can do anything at all, what its words share with
//! the complaint, and whether what it does is known to bring such complaints. Code that is only moved about, and lines
//! that only tell of something, count little.

pub mod deeds;
pub mod diff;
pub mod files;
pub mod outside;
pub mod signs;
pub mod traits;
pub mod weigh;
pub mod words;
pub mod worth;

#[cfg(test)]
mod tests;

use self::weigh::Weighed;
use super::graph::Graph;
use super::logs::Logs;
use super::traces::Traces;
use crate::engine::root_cause::case::{Case, NodeId};

/// What is thought of one change, or of "none".
#[derive(Debug, Clone, PartialEq)]
pub struct Suspect {
    /// Its id, or `none`.
    pub id: String,
    /// Where it took effect, where that is known.
    pub node: Option<NodeId>,
    /// The sum of what speaks for and against it.
    pub weight: f64,
    /// Its share among all suspects.
    pub share: f64,
    /// What speaks for and against it.
    pub reasons: Vec<(String, f64)>,
}

/// What is thought of all of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// Best first; empty where no change is known.
    pub suspects: Vec<Suspect>,
}

impl Changes {
    /// The picture of a case's changes.
    #[must_use]
    pub fn new(case: &Case, graph: &Graph, logs: &Logs<'_>, traces: &Traces) -> Self {
        if case.changes.is_empty() {
            return Self::default();
        }
        let found = weigh::weigh(case, graph, logs, traces);
        let top = found.iter().map(Weighed::weight).fold(f64::MIN, f64::max);
        let total: f64 = found.iter().map(|one| (one.weight() - top).exp()).sum();
        let mut suspects: Vec<Suspect> = found
            .into_iter()
            .map(|Weighed { id, node, reasons }| {
                let weight: f64 = reasons.iter().map(|(_, weight)| weight).sum();
                Suspect { id, node, weight, share: (weight - top).exp() / total, reasons }
            })
            .collect();
        suspects.sort_by(|a, b| b.weight.total_cmp(&a.weight).then_with(|| a.id.cmp(&b.id)));
        Self { suspects }
    }
}
