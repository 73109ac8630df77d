//! Questions that Ask suggests to begin with, by how things stand.

use crate::engine::model::Incident;

/// About an incident under way.
const LIVE: &[&str] = &[
    "what is the root cause and how sure is it",
    "what changed before the incident",
    "who is affected",
    "is it getting better",
    "has this happened before and what worked",
    "what should I do next",
    "generate a remediation with zero downtime",
];

/// About one that is over.
const OVER: &[&str] =
    &["summarise this incident", "timeline of this incident", "what fixed it", "who did what during the incident"];

/// About everything.
const QUIET: &[&str] = &[
    "what is broken now",
    "what changed today",
    "is any source down",
    "what is overdue to patch",
    "what are MTTD and MTTR this month",
    "what may you do by yourself",
];

/// Questions to begin with where this incident is on the screen, or none.
#[must_use]
pub fn suggestions(incident: Option<&Incident>) -> &'static [&'static str] {
    match incident {
        Some(incident) if incident.state.is_live() => LIVE,
        Some(_) => OVER,
        None => QUIET,
    }
}
