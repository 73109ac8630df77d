//! Names for what is offered and begun: an attempt has one identity for ever, an offer of it one token for ten minutes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::clock::Timestamp;
use crate::engine::digest::sha256_hex;
use crate::engine::model::{Run, RunId, RunSubject};

/// The identity of an attempt: over what the run is for, step as bound (which is over the runbook's text, too), index and attempt.
#[must_use]
pub fn step_id(run: &Run, step: usize, attempt: u32) -> Arc<str> {
    let digest = run.steps.get(step).map_or("", |step| step.bound.digest.as_ref());
    let (subject, step, attempt) = (run.subject.to_string(), step.to_string(), attempt.to_string());
    sha256_hex([subject.as_str(), digest, &step, &attempt]).into()
}

/// The identity of taking a step back, probing it or trying it out: one of its own for each time. The run is part of it: an
/// attempt that was offered and not begun has the same identity in the next run for the same.
#[must_use]
pub fn side_id(run: RunId, step_id: &str, what: &str, count: usize) -> Arc<str> {
    sha256_hex([run.to_string().as_str(), step_id, what, &count.to_string()]).into()
}

/// What an approval names: an identity as it was offered at one instant, by what was known then.
#[must_use]
pub fn offer(step_id: &str, at: Timestamp, evidence: &str) -> Arc<str> {
    sha256_hex([step_id, &at.0.to_string(), evidence]).into()
}

/// Attempts at this step for the same so far, over all its runs and the one at hand: the next has one more.
#[must_use]
pub fn attempts(run: &Run, step: usize, runs: &BTreeMap<RunId, Arc<Run>>) -> u32 {
    let Some(wanted) = run.steps.get(step) else { return 0 };
    let is_same = |other: &Run| other.subject == run.subject && other.id != run.id;
    let others = runs.values().map(Arc::as_ref).filter(|other| is_same(other));
    let steps = others.chain(std::iter::once(run)).filter_map(|other| other.steps.get(step));
    let same = steps.filter(|step| step.bound.digest == wanted.bound.digest);
    same.map(|step| {
        step.begun.iter().filter(|begun| begun.purpose == crate::engine::model::Purpose::Run).count() as u32
    })
    .sum()
}

/// True where this identity was begun, in whichever run.
#[must_use]
pub fn was_begun(id: &str, runs: &BTreeMap<RunId, Arc<Run>>, subject: &RunSubject) -> bool {
    let same = runs.values().filter(|run| run.subject == *subject);
    same.flat_map(|run| &run.steps).flat_map(|step| &step.begun).any(|begun| begun.id.as_ref() == id)
}
