//! What was solved as the console shows it: hypotheses with evidence, buckets and chain, and why no cause may be named.

use std::sync::Arc;

use super::evidence::Findings;
use super::picture::Picture;
use super::picture::causes::Cause;
use super::settle::settle;
use super::solve::{Solved, Weighed};
use super::{buckets, title};
use crate::engine::model::{Evidence, Hypothesis, Ranking, Score};

/// Hypotheses that are kept; the rest is part of "something else".
pub(super) const HYPOTHESES_MAX: usize = 8;
/// Two hypotheses nearer than this cannot be told apart.
const HAIR: f64 = 0.05;
/// How much of what would settle it is told in the line that says why nothing is named.
const LOOKS_TOLD: usize = 2;

/// The ranking of an incident; no cause is named below the confidence `floor`.
pub(super) fn ranking(picture: &Picture<'_>, solved: &Solved<'_>, floor: f64) -> Ranking {
    let told = solved.weighed.iter().filter_map(|one| Some(hypothesis(picture, one, one.candidate.cause.as_ref()?)));
    let hypotheses: Vec<Hypothesis> = told.take(HYPOTHESES_MAX).collect();
    let unresolved = unresolved(picture, solved, &hypotheses, floor).map(Arc::from);
    Ranking { hypotheses, unresolved }
}

fn hypothesis(picture: &Picture<'_>, one: &Weighed<'_>, cause: &Cause<'_>) -> Hypothesis {
    let (evidence_for, evidence_against) = split(&one.findings);
    Hypothesis {
        kind: cause.kind,
        service: picture.service(cause.node),
        change: cause.change.map(|change| change.id),
        title: Arc::from(title::hypothesis(picture, cause)),
        confidence: Score::new(one.confidence),
        evidence_for,
        evidence_against,
        impact_chain: buckets::impact_chain(picture, cause.node),
        buckets: buckets::buckets(picture, cause),
        disproved_by: Arc::from(title::disproof(picture, cause)),
    }
}

/// For and against, strongest first.
fn split(findings: &Findings) -> (Vec<Evidence>, Vec<Evidence>) {
    let mut all: Vec<Evidence> = findings
        .pieces
        .iter()
        .map(|piece| Evidence {
            kind: piece.term.kind(),
            text: Arc::from(piece.text.as_str()),
            weight: piece.weight,
            at: piece.at,
            target: piece.target.clone(),
        })
        .collect();
    all.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()).then(a.text.cmp(&b.text)));
    all.into_iter().filter(|piece| piece.weight != 0.0).partition(|piece| piece.weight > 0.0)
}

/// Why no cause may be named, with what would settle it; `None` where one may.
fn unresolved(picture: &Picture<'_>, solved: &Solved<'_>, hypotheses: &[Hypothesis], floor: f64) -> Option<String> {
    let Some(best) = hypotheses.first() else {
        return Some("no symptom names a service; a service label on the alerts would help".to_owned());
    };
    let looks = settle(picture, solved);
    let mut settle: Vec<&str> = looks.iter().take(LOOKS_TOLD).map(String::as_str).collect();
    let ruled_out = format!("it would be ruled out if {}", best.disproved_by);
    if settle.len() < LOOKS_TOLD || best.change.is_some() {
        settle.push(&ruled_out);
    }
    let settle = settle.join("; ");
    if best.confidence.get() < floor {
        return Some(format!("the best guess has {} %: {}; {settle}", best.confidence.percent(), best.title));
    }
    let rival = hypotheses.iter().skip(1).find(|other| best.confidence.get() - other.confidence.get() < HAIR)?;
    Some(format!(
        "{} ({} %) and {} ({} %) cannot be told apart; {settle}",
        best.title,
        best.confidence.percent(),
        rival.title,
        rival.confidence.percent()
    ))
}
