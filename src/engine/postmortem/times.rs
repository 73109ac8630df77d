//! How long things took, as far as the record says.

use super::Facts;
use crate::engine::clock::{SECOND_MS, Timestamp};
use crate::engine::model::{TimelineKind, human_span};

/// An instant of a document: `2026-11-21 14:31:45`.
pub(super) fn instant(at: Timestamp) -> String {
    format!("{} {}", at.date(), at.hh_mm_ss())
}

/// From one instant to another in words; `not known` where one of them is missing or they are out of order.
pub(super) fn span(from: Timestamp, to: Option<Timestamp>) -> String {
    let took = to.map(|to| to.since_ms(from)).filter(|took| *took >= 0);
    match took {
        None => "not known".to_owned(),
        Some(took) if took < SECOND_MS => "less than a second".to_owned(),
        Some(took) => human_span(took),
    }
}

/// When a hypothesis was first put forward.
fn cause_named_at(facts: &Facts<'_>) -> Option<Timestamp> {
    facts.incident.timeline.iter().find(|entry| entry.kind == TimelineKind::Hypothesis).map(|entry| entry.at)
}

/// What took how long: what it is, and the time or why there is none.
pub(super) fn durations(facts: &Facts<'_>) -> Vec<(&'static str, String)> {
    let incident = facts.incident;
    let reached = |at: Option<Timestamp>, not_yet: &str| match at {
        Some(at) => span(incident.opened_at, Some(at)),
        None => not_yet.to_owned(),
    };
    vec![
        ("From the first symptom to the incident", span(incident.started_at, Some(incident.opened_at))),
        ("To acknowledge", reached(incident.acknowledged_at, "nobody acknowledged it")),
        ("To name a cause", reached(cause_named_at(facts), "the record names no cause")),
        ("To mitigate", reached(incident.mitigated_at, "not mitigated")),
        ("To resolve", reached(incident.resolved_at, "not resolved")),
    ]
}
