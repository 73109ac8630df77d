//! Picks the runbooks that fit an incident: by the kind of each hypothesis, best hypothesis first.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::bind::{BindError, alternatives, bind, whole_pattern};
use super::library::Library;
use crate::engine::model::{Hypothesis, Incident, LabelMatcher, Labels, Misfit, Proposal, Runbook, RunbookPlace};
use crate::engine::world::World;

/// Proposals for one incident.
const PROPOSALS_MAX: usize = 8;
/// A cause beside the first that is believed less than this gets no runbook.
const BELIEVED_MIN: f64 = 0.03;

/// Runbooks for the incident, best first, with parameters bound and checked. A runbook whose parameters cannot be filled
/// for a hypothesis is not offered for it.
#[must_use]
pub fn propose(library: &Library, world: &World, incident: &Incident) -> Vec<Proposal> {
    let mut proposals: Vec<Proposal> = Vec::new();
    let mut seen = BTreeSet::new();
    for (rank, hypothesis) in incident.ranking.hypotheses.iter().enumerate() {
        if rank > 0 && hypothesis.confidence.get() < BELIEVED_MIN {
            continue;
        }
        for runbook in fitting(library, world, incident, hypothesis) {
            if proposals.len() == PROPOSALS_MAX {
                return proposals;
            }
            let Ok(binding) = bind(runbook, hypothesis, world, incident) else { continue };
            // The console starts a run by the runbook's id, so each is offered once, for its best hypothesis.
            if seen.insert(Arc::clone(&runbook.id)) {
                proposals.push(Proposal {
                    runbook: Arc::clone(runbook),
                    params: binding.params,
                    steps: binding.steps,
                    reason: reason(rank, hypothesis, incident).into(),
                    service: hypothesis.service.clone(),
                    cause: Some((hypothesis.kind, hypothesis.service.clone())),
                });
            }
        }
    }
    proposals
}

/// Runbooks that fit and are not among `proposals`, because a parameter of theirs cannot be filled: each once, with what
/// it needs. One whose parameter is a metric that departs is not meant for an incident without it, and says nothing.
#[must_use]
pub fn misfits(library: &Library, world: &World, incident: &Incident, proposals: &[Proposal]) -> Vec<Misfit> {
    let mut found: Vec<Misfit> = Vec::new();
    for (rank, hypothesis) in incident.ranking.hypotheses.iter().enumerate() {
        if rank > 0 && hypothesis.confidence.get() < BELIEVED_MIN {
            continue;
        }
        for runbook in fitting(library, world, incident, hypothesis) {
            let is_known = proposals.iter().any(|proposal| proposal.runbook.id == runbook.id)
                || found.iter().any(|misfit| misfit.runbook == runbook.id);
            if is_known || found.len() == PROPOSALS_MAX {
                continue;
            }
            let reason = match bind(runbook, hypothesis, world, incident) {
                Ok(_) => continue,
                Err(BindError::Missing { from, .. })
                    if alternatives(&from).all(|from| from.starts_with("anomaly.service.")) =>
                {
                    continue;
                }
                Err(BindError::Missing { param, from }) => format!("fits but needs `{param}`: there is no {from}"),
                Err(BindError::Refused { param, reason }) => format!("fits but needs another `{param}`: {reason}"),
            };
            let (id, title) = (Arc::clone(&runbook.id), Arc::clone(&runbook.title));
            found.push(Misfit { runbook: id, title, reason: reason.into() });
        }
    }
    found
}

/// Runbooks for this kind of cause and service, the most particular first.
fn fitting<'a>(
    library: &'a Library,
    world: &World,
    incident: &Incident,
    hypothesis: &Hypothesis,
) -> Vec<&'a Arc<Runbook>> {
    let mut fitting: Vec<&Arc<Runbook>> = library
        .iter()
        .filter(|runbook| runbook.problems.contains(&hypothesis.kind))
        .filter(|runbook| matches_service(runbook, hypothesis.service.as_str()))
        .filter(|runbook| has_symptom(runbook, world, incident) && has_alert(runbook, world, incident))
        .filter(|runbook| match runbook.place {
            RunbookPlace::Anywhere => true,
            RunbookPlace::Machine => world.machines.contains(&hypothesis.service),
            RunbookPlace::Cluster => !world.machines.contains(&hypothesis.service),
        })
        .collect();
    // One that asks for a certain alert or symptom, and finds it, knows more of what is wrong than one that does not.
    fitting.sort_by_key(|runbook| {
        let is_general = runbook.alerts.is_empty() && runbook.symptoms.is_empty();
        (is_general, runbook.service_pattern.is_empty(), runbook.problems.len(), Arc::clone(&runbook.id))
    });
    fitting
}

fn matches_service(runbook: &Runbook, service: &str) -> bool {
    runbook.service_pattern.is_empty()
        || whole_pattern(&runbook.service_pattern).is_ok_and(|pattern| pattern.is_match(service))
}

/// One of the metrics that the runbook is for departs in the incident.
fn has_symptom(runbook: &Runbook, world: &World, incident: &Incident) -> bool {
    let mut departing = incident.anomalies.iter().filter_map(|id| world.anomalies.get(id));
    runbook.symptoms.is_empty() || departing.any(|anomaly| runbook.symptoms.contains(&anomaly.metric))
}

/// One of the incident's alerts meets one of the runbook's sets of matchers.
fn has_alert(runbook: &Runbook, world: &World, incident: &Incident) -> bool {
    let alerts: Vec<&Labels> =
        incident.alerts.iter().filter_map(|id| world.alerts.get(id)).map(|alert| &alert.notice.labels).collect();
    let meets = |matchers: &Vec<LabelMatcher>| {
        alerts.iter().any(|labels| matchers.iter().all(|matcher| is_met(matcher, labels)))
    };
    runbook.alerts.is_empty() || runbook.alerts.iter().any(meets)
}

fn is_met(matcher: &LabelMatcher, labels: &Labels) -> bool {
    let value = labels.get(&matcher.label).unwrap_or_default();
    let is_same = if matcher.is_pattern {
        whole_pattern(&matcher.value).is_ok_and(|pattern| pattern.is_match(value))
    } else {
        value == matcher.value.as_ref()
    };
    is_same == matcher.is_equal
}

fn reason(rank: usize, hypothesis: &Hypothesis, incident: &Incident) -> String {
    let cause = hypothesis.kind.at(&hypothesis.service);
    let percent = hypothesis.confidence.percent();
    match (rank, incident.ranking.cause().is_some()) {
        (0, true) => format!("against {cause} ({percent} %)"),
        (0, false) => format!("against {cause}, the best guess ({percent} %)"),
        (_, _) => format!("against {cause}, less likely ({percent} %)"),
    }
}
