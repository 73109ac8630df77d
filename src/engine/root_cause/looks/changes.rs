//! What changes say about a candidate, and which change is to blame.

use crate::engine::root_cause::answer::RankedChange;
use crate::engine::root_cause::candidates::Candidate;
use crate::engine::root_cause::evidence::{FaultKind, Findings, Term};
use crate::engine::root_cause::picture::Picture;
use crate::engine::root_cause::picture::changes::Suspect;

/// Shares below this are not worth a line.
const SHARE_MIN: f64 = 0.05;

/// How loud changes speak of the kind of failure, against what is said of resources and code: a change that is to blame
/// is the kind, however it shows.
const KIND_LOUD: f64 = 4.0;

/// Adds what changes say: the share of the blame that lies on changes of the candidate, and whether it is a change at all.
pub fn look(picture: &Picture<'_>, candidate: Candidate<'_>, findings: &mut Findings) {
    let suspects = &picture.changes.suspects;
    if let Some(first) = suspects.first() {
        // "None" says what it is instead only where something speaks for it.
        let kind = match first.id.as_str() {
            "none" if first.reasons.len() > 1 => Some(FaultKind::External),
            "none" => None,
            _ => Some(FaultKind::Change),
        };
        kind.into_iter().for_each(|kind| findings.name(None, kind, KIND_LOUD * first.share));
    }
    let own = suspects.iter().filter(|suspect| suspect.node == Some(candidate.node));
    let share: f64 = own.clone().map(|suspect| suspect.share).sum();
    let Some(best) = own.into_iter().next().filter(|_| share >= SHARE_MIN) else { return };
    let reason = best.reasons.iter().max_by(|a, b| a.1.total_cmp(&b.1)).map_or("", |(text, _)| text.as_str());
    findings.add(Term::Change, share, || format!("{} on it: {reason}", best.id));
}

/// The changes with "none" among them, best first; empty where no change is known.
#[must_use]
pub fn rank(picture: &Picture<'_>) -> Vec<RankedChange> {
    let told = |suspect: &Suspect| RankedChange {
        id: suspect.id.clone(),
        confidence: suspect.share,
        evidence: suspect.reasons.clone(),
    };
    picture.changes.suspects.iter().map(told).collect()
}
