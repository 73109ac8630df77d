//! What is known while a step is offered. An approval counts for that: what is known otherwise is approved anew. The
//! confidence is no part of it, for it moves all the time.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Gate, Subject};
use crate::engine::model::{Evidence, EvidenceKind, Run, StepKind};

/// Between two things that are known.
const SEPARATOR: &str = "; ";

/// What is known now, in words: the named cause, the kinds of evidence for and against it, how the incident stands, and what
/// the checks of this run saw.
#[must_use]
pub fn evidence(run: &Run, gate: &Gate<'_>) -> Arc<str> {
    let mut known = Vec::new();
    let incident = match gate.subject {
        Subject::Incident(incident) => incident,
        // All that is known there is what its plan says.
        Subject::Rollout(mandate) => return Arc::from(format!("plan: {}", mandate.plan)),
    };
    match incident.ranking.cause() {
        None => known.push("no cause is named".to_owned()),
        Some(cause) => {
            known.push(format!("cause: {} of {}", cause.kind.title(), cause.service));
            known.push(format!("for it: {}", kinds(&cause.evidence_for)));
            known.push(format!("against it: {}", kinds(&cause.evidence_against)));
        }
    }
    known.push(format!("incident: {}", incident.state.word()));
    for step in run.steps.iter().filter(|step| matches!(step.bound.spec.kind, StepKind::Check(_))) {
        let Some(is_as_expected) = step.is_as_expected else { continue };
        let seen = if is_as_expected { "as expected" } else { "not as expected" };
        known.push(format!("{}: {seen}", step.bound.spec.name));
    }
    known.join(SEPARATOR).into()
}

fn kinds(evidence: &[Evidence]) -> String {
    let kinds: BTreeSet<_> = evidence.iter().map(|evidence| evidence.kind).collect();
    if kinds.is_empty() {
        return "nothing".to_owned();
    }
    kinds.into_iter().map(EvidenceKind::word).collect::<Vec<_>>().join(", ")
}

/// What is known otherwise than it was, in words; empty where nothing is.
#[must_use]
pub fn drift(before: &str, now: &str) -> String {
    let (before, now) = (parts(before), parts(now));
    let come = now.iter().filter(|part| !before.contains(*part)).map(ToString::to_string);
    let gone = before.iter().filter(|part| !now.contains(*part));
    // What is said of the same thing otherwise now needs no second word.
    let name = |part: &str| part.split(": ").next().unwrap_or(part).to_owned();
    let gone =
        gone.filter(|part| now.iter().all(|other| name(other) != name(part))).map(|part| format!("no longer {part}"));
    come.chain(gone).collect::<Vec<_>>().join(SEPARATOR)
}

fn parts(known: &str) -> Vec<&str> {
    known.split(SEPARATOR).filter(|part| !part.is_empty()).collect()
}
