//! Incident to ranked hypotheses: where it starts, with what speaks for and against, and how sure that is.
//!
//! Candidates are everything that could be the cause (`candidates`); each way of looking adds evidence in natural-log
//! odds (`LOOKS`); `confidence` turns the sums into probabilities beside an explicit "something else". "Unresolved" is
//! an answer: it says what would settle the matter.

mod alert_evidence;
mod buckets;
mod candidates;
mod change_content;
mod change_proximity;
mod confidence;
mod dependency_walk;
mod deviation;
mod evidence;
pub mod frame;
mod known_pattern;
mod learned_kind;
mod log_evidence;
mod picture;
mod resource_saturation;
mod second;
mod shift_order;
mod title;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use buckets::blast_radius;
pub use second::{SecondFailure, second_failure};
pub use title::title;

use self::candidates::{Candidate, candidates};
use self::evidence::Findings;
use self::frame::calibration::Calibration;
use self::picture::Picture;
use crate::engine::clock::Timestamp;
use crate::engine::model::{CauseVerdict, Hypothesis, Incident, Ranking, Score};
use crate::engine::settings::CorrelationSettings;
use crate::engine::world::World;

/// Hypotheses that are kept; the rest is part of "something else".
const HYPOTHESES_MAX: usize = 8;
/// Two hypotheses nearer than this cannot be told apart.
const HAIR: f64 = 0.05;

/// One way of looking at a candidate.
type Look = fn(&Picture<'_>, &Candidate<'_>, &mut Findings);

/// Every way of looking that needs nothing but the candidate itself.
const LOOKS: [Look; 9] = [
    change_content::look,
    dependency_walk::look,
    shift_order::look,
    deviation::look,
    resource_saturation::look,
    known_pattern::look,
    learned_kind::look,
    log_evidence::look,
    alert_evidence::look,
];

/// The hypotheses about `incident`, best first. Depends on the world and the incident's members only, so the same
/// picture always gives the same ranking; `now` is not needed to weigh what happened.
#[must_use]
pub fn rank(world: &World, incident: &Incident, settings: &CorrelationSettings, _now: Timestamp) -> Ranking {
    let picture = Picture::new(world, incident, settings.hops_max);
    let all = candidates(&picture);
    let weighed: Vec<Findings> = all.iter().map(|candidate| weigh(&picture, candidate, &all)).collect();
    let weights: Vec<f64> = weighed.iter().map(Findings::weight).collect();
    let probabilities = confidence::probabilities(&weights);
    let mut scored: Vec<(f64, &Candidate<'_>, Hypothesis)> = all
        .iter()
        .zip(weighed)
        .zip(probabilities)
        .zip(weights)
        .map(|(((candidate, findings), probability), weight)| {
            (weight, candidate, hypothesis(&picture, candidate, findings, probability))
        })
        .collect();
    scored.sort_by(|(a_weight, _, a), (b_weight, _, b)| {
        let by_confidence = b.confidence.get().total_cmp(&a.confidence.get());
        by_confidence
            .then(b_weight.total_cmp(a_weight))
            .then_with(|| (&a.service, a.kind, a.change).cmp(&(&b.service, b.kind, b.change)))
    });
    scored.truncate(HYPOTHESES_MAX);
    bend(world, scored.iter_mut().map(|(_, _, hypothesis)| hypothesis));
    let unresolved = unresolved(&picture, &scored, settings.confidence_floor);
    let hypotheses = scored.into_iter().map(|(_, _, hypothesis)| hypothesis).collect();
    Ranking { hypotheses, unresolved: unresolved.map(Arc::from) }
}

/// Bends the confidences by what operators said of earlier causes: the first as they were right or wrong, the others into
/// what it leaves.
fn bend<'h>(world: &World, mut hypotheses: impl Iterator<Item = &'h mut Hypothesis>) {
    let learned = Calibration::learned(&world.verdicts.values());
    let Some(first) = hypotheses.next() else { return };
    let before = first.confidence.get();
    first.confidence = Score::new(learned.bent(before));
    let top = first.confidence.get();
    let left = if before < 1.0 { ((1.0 - top) / (1.0 - before)).min(1.0) } else { 1.0 };
    for other in hypotheses {
        other.confidence = Score::new((other.confidence.get() * left).min(top));
    }
}

/// An operator's word on the leading hypothesis as something to learn from; `None` where there is none to judge.
#[must_use]
pub fn verdict(world: &World, incident: &Incident, is_right: bool) -> Option<CauseVerdict> {
    let confidence = incident.ranking.hypotheses.first()?.confidence.get();
    // The incident's own earlier verdict must not count twice.
    let others = world.verdicts.iter().filter(|(id, _)| **id != incident.id).map(|(_, verdict)| verdict);
    Some(CauseVerdict { log_odds: Calibration::learned(&others).unbent(confidence), is_right })
}

fn weigh(picture: &Picture<'_>, candidate: &Candidate<'_>, all: &[Candidate<'_>]) -> Findings {
    let mut findings = Findings::default();
    change_proximity::look(picture, candidate, all, &mut findings);
    LOOKS.iter().for_each(|look| look(picture, candidate, &mut findings));
    findings
}

fn hypothesis(picture: &Picture<'_>, candidate: &Candidate<'_>, findings: Findings, probability: f64) -> Hypothesis {
    let (evidence_for, evidence_against) = findings.split();
    Hypothesis {
        kind: candidate.kind,
        service: candidate.service.clone(),
        change: candidate.change.map(|change| change.id),
        title: Arc::from(title::hypothesis(candidate)),
        confidence: confidence::bounded(probability, &evidence_for),
        evidence_for,
        evidence_against,
        impact_chain: buckets::impact_chain(picture, &candidate.service),
        buckets: buckets::buckets(picture, candidate),
        disproved_by: Arc::from(title::disproof(candidate)),
    }
}

/// Why no cause may be named, with what would settle it; `None` where one may.
fn unresolved(picture: &Picture<'_>, scored: &[(f64, &Candidate<'_>, Hypothesis)], floor: f64) -> Option<String> {
    let Some((_, _, best)) = scored.first() else {
        return Some("no symptom names a service; a service label on the alerts would help".to_owned());
    };
    let settle = if !picture.has_topology() && picture.hit_count() > 1 {
        "who calls whom among them would settle it".to_owned()
    } else if picture.changes.is_empty() {
        "no change is known in the 4 h before; knowing what was changed would settle it".to_owned()
    } else {
        format!("it would be ruled out if {}", best.disproved_by)
    };
    if best.confidence.get() < floor {
        return Some(format!("the best guess has {} %: {}; {settle}", best.confidence.percent(), best.title));
    }
    let rival = scored
        .iter()
        .skip(1)
        .map(|(_, _, other)| other)
        .find(|other| best.confidence.get() - other.confidence.get() < HAIR)?;
    Some(format!(
        "{} ({} %) and {} ({} %) cannot be told apart; {settle}",
        best.title,
        best.confidence.percent(),
        rival.title,
        rival.confidence.percent()
    ))
}
