//! Why something is as it is: what root cause says of the incident, and what is known of the service itself.

use std::sync::Arc;

use crate::engine::ask::answer::{Answer, Citation, Claim, Fact, listed_up_to};
use crate::engine::ask::ground::Ground;
use crate::engine::ask::intent::Intent;
use crate::engine::ask::metric::Concept;
use crate::engine::ask::slots::Slots;
use crate::engine::model::{Anomaly, Evidence, EvidenceTarget, Hypothesis, Incident};

/// How many pieces of evidence are told.
const EVIDENCE_MAX: usize = 4;
/// How many services on the way from the cause are named.
const WAY_MAX: usize = 12;
/// How many candidates are told.
const CANDIDATES_MAX: usize = 3;

/// The cause of the incident, and what comes after it.
pub(super) fn root_cause(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let Some(incident) = ground.incident(slots) else { return no_incident() };
    let Some(cause) = incident.ranking.cause() else { return unresolved(incident) };
    let mut answer = with_evidence(Answer::known(named(incident, cause)), incident, cause);
    answer.confidence = Some(cause.confidence.get());
    if let Some(other) = incident.ranking.hypotheses.get(1) {
        answer.claims.push(Claim::of("Next is {}, with {}.", [title(incident, other), sure(incident, other)]));
    }
    answer.then(&["how sure are you", "what is affected", "what should I do next"])
}

/// What speaks for the cause, what against it, what would disprove it.
pub(super) fn confidence(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let Some(incident) = ground.incident(slots) else { return no_incident() };
    let Some(cause) = incident.ranking.cause() else { return unresolved(incident) };
    let lead = Claim::of("{} is the cause with {}.", [title(incident, cause), sure(incident, cause)]);
    let against = cause.evidence_against.iter();
    let against = against.map(|piece| Claim::of("Against it: {}.", [piece_of(incident, piece)]));
    let mut answer = with_evidence(Answer::known(lead), incident, cause).with_first(
        EVIDENCE_MAX,
        against,
        Citation::Incident(incident.id),
    );
    if !cause.disproved_by.is_empty() {
        let what = Fact::new(&cause.disproved_by, Citation::Incident(incident.id));
        answer.claims.push(Claim::of("It would be disproved by this: {}.", [what]));
    }
    answer = with_candidates(answer, incident, 1);
    answer.confidence = Some(cause.confidence.get());
    answer.then(&["what changed before the incident", "what is affected"])
}

/// What must depart for a question to be right about it, where it names no metric; empty where anything does.
fn spoken_of(intent: Intent) -> &'static [Concept] {
    match intent {
        Intent::WhySlow => &[Concept::Latency, Concept::Queue],
        Intent::WhyErrors => &[Concept::Errors, Concept::ConnectErrors, Concept::Availability],
        _ => &[],
    }
}

/// Why a service is slow, fails, or a metric of it is where it is.
pub(super) fn why(ground: &Ground<'_>, intent: Intent, slots: &Slots) -> Answer {
    let Some(service) = slots.service.first() else {
        let mut answer = root_cause(ground, slots);
        answer.missing.push(Claim::of("No service was named; this is about the incident as a whole.", []));
        return answer;
    };
    let name = || Fact::service(service);
    let mut all = ground.anomalies(service, None);
    // What goes on is told before what is over.
    all.sort_by_key(|anomaly| anomaly.ended_at.is_some());
    let concepts = spoken_of(intent);
    let is_spoken_of = |anomaly: &&&Anomaly| {
        let concept = Concept::of_metric(&anomaly.metric, anomaly.role);
        match slots.metric {
            Some(metric) => concept == Some(metric),
            None => concepts.is_empty() || concept.is_some_and(|concept| concepts.contains(&concept)),
        }
    };
    let found: Vec<&Anomaly> = all.iter().filter(is_spoken_of).copied().collect();
    if found.is_empty() {
        let lead = match (slots.metric, intent) {
            (Some(metric), _) => {
                let what = Fact::new(metric.name(), Citation::Question);
                Claim::of("Nothing unusual is known of the {} of {}.", [what, name()])
            }
            (None, Intent::WhySlow) => Claim::of("{} is not known to be slow: no latency of it departs.", [name()]),
            (None, Intent::WhyErrors) => Claim::of("{} is not known to fail: no errors of it depart.", [name()]),
            (None, _) => Claim::of("Nothing unusual is known of {}.", [name()]),
        };
        let others = all.iter().map(|anomaly| ground.departure(anomaly));
        return Answer::known(lead)
            .with_first(EVIDENCE_MAX, others, Citation::Totals)
            .then(&["what is broken now", "is the data fresh"]);
    }
    let incident =
        found.iter().find_map(|anomaly| anomaly.incident).and_then(|id| ground.snapshot.incident(id)).map(Arc::as_ref);
    let of = || Citation::Service(Arc::clone(service));
    let with_departed =
        |answer: Answer| answer.with_first(EVIDENCE_MAX, found.iter().map(|anomaly| ground.departure(anomaly)), of());
    let Some(incident) = incident else {
        let lead = Claim::of("Why {} departs from the usual is not known: it belongs to no incident.", [name()]);
        return with_departed(Answer::unknown(lead));
    };
    let Some(cause) = incident.ranking.cause() else {
        return with_departed(unresolved(incident));
    };
    let is_itself = cause.service.as_str() == service.as_ref();
    let lead = if is_itself {
        Claim::of(
            "{} is where {} starts: {}, with {}.",
            [name(), Fact::incident(incident.id), title(incident, cause), sure(incident, cause)],
        )
    } else {
        Claim::of(
            "{} suffers from {}: {}, with {}.",
            [name(), Fact::incident(incident.id), title(incident, cause), sure(incident, cause)],
        )
    };
    let mut answer = with_departed(Answer::known(lead));
    let at = cause.impact_chain.iter().position(|name| name.as_str() == service.as_ref());
    if let Some(at) = at.filter(|at| *at > 0) {
        let way = cause
            .impact_chain
            .iter()
            .take(at + 1)
            .map(|name| Fact::new(name, Citation::Incident(incident.id)))
            .collect();
        answer.claims.push(
            Claim::of("It gets there by ", [])
                .and(listed_up_to(WAY_MAX, way, Citation::Incident(incident.id)))
                .and(Claim::of(".", [])),
        );
    }
    answer.confidence = Some(cause.confidence.get());
    answer.then(&["how sure are you", "what changed before the incident", "what should I do next"])
}

fn named(incident: &Incident, cause: &Hypothesis) -> Claim {
    let id = Fact::incident(incident.id);
    Claim::of("{} was most likely caused by {}, with {}.", [id, title(incident, cause), sure(incident, cause)])
}

fn title(incident: &Incident, cause: &Hypothesis) -> Fact {
    let from = cause.change.map_or(Citation::Incident(incident.id), Citation::Change);
    Fact::new(&cause.title, from)
}

fn sure(incident: &Incident, cause: &Hypothesis) -> Fact {
    Fact::new(format!("{} % confidence", cause.confidence.percent()), Citation::Incident(incident.id))
}

/// What speaks for a cause, the weightiest first.
fn with_evidence(answer: Answer, incident: &Incident, cause: &Hypothesis) -> Answer {
    let pieces = cause.evidence_for.iter().map(|piece| Claim::of("For it: {}.", [piece_of(incident, piece)]));
    answer.with_first(EVIDENCE_MAX, pieces, Citation::Incident(incident.id))
}

/// Candidates from this place of the ranking on, each with how sure it is.
fn with_candidates(answer: Answer, incident: &Incident, from: usize) -> Answer {
    let all = incident.ranking.hypotheses.get(from..).unwrap_or_default();
    let told = all.iter().map(|other| Claim::of("{} has {}.", [title(incident, other), sure(incident, other)]));
    answer.with_first(CANDIDATES_MAX - from, told, Citation::Incident(incident.id))
}

fn piece_of(incident: &Incident, piece: &Evidence) -> Fact {
    let from = match &piece.target {
        Some(EvidenceTarget::Anomaly(id)) => Citation::Anomaly(*id),
        Some(EvidenceTarget::Change(id)) => Citation::Change(*id),
        _ => Citation::Incident(incident.id),
    };
    Fact::new(&piece.text, from)
}

/// Nothing has happened that had a cause.
fn no_incident() -> Answer {
    Answer::known(Claim::of("There is no incident, so there is no cause to name.", [])).then(&["what changed today"])
}

fn unresolved(incident: &Incident) -> Answer {
    let why = incident.ranking.unresolved.clone().unwrap_or_else(|| Arc::from("nothing has been found yet"));
    let why = Fact::new(why, Citation::Incident(incident.id));
    let lead = Claim::of("The cause of {} is not known: {}.", [Fact::incident(incident.id), why]);
    with_candidates(Answer::unknown(lead), incident, 0)
}
