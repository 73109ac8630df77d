//! What would settle it: the look that tells the first two answers apart, and the data that are missing for it. Asked of
//! the picture, so that the console and the command say the same.

use super::candidates::Candidate;
use super::case::NodeId;
use super::evidence::FaultKind;
use super::picture::Picture;
use super::picture::flow::Quantity;
use super::solve::Solved;

/// What is worth looking at, most telling first; never empty where there is an answer.
#[must_use]
pub fn settle(picture: &Picture<'_>, solved: &Solved<'_>) -> Vec<String> {
    let Some(first) = solved.weighed.first().map(|one| &one.candidate) else { return Vec::new() };
    let rival = solved.weighed.iter().map(|one| &one.candidate).find(|other| other.claim() != first.claim());
    let mut found = Vec::new();
    calls(picture, &mut found);
    if picture.is_watched && picture.symptoms.suspects.is_empty() {
        found.push("no change is known in the 4 h before; knowing what was changed would settle it".to_owned());
    }
    match rival.filter(|rival| rival.node != first.node) {
        Some(rival) => apart(picture, first.node, rival.node, &mut found),
        None => found.extend(rival.and_then(|rival| same_place(picture, first, rival))),
    }
    for one in [Some(first), rival].into_iter().flatten() {
        if picture.is_watched {
            not_told(picture, one.node, &mut found);
        } else {
            not_measured(picture, one.node, &mut found);
        }
    }
    if !picture.is_watched {
        not_there(picture, &mut found);
    }
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|look| seen.insert(look.clone()));
    found
}

/// Who calls whom, where that is not known.
fn calls(picture: &Picture<'_>, found: &mut Vec<String>) {
    let is_unknown = if picture.is_watched {
        !picture.symptoms.has_topology(&picture.graph) && picture.symptoms.hit_count() > 1
    } else {
        picture.case.calls.is_empty() && picture.case.now.spans.is_empty()
    };
    if is_unknown {
        found.push("who calls whom among them would settle it".to_owned());
    }
}

/// What tells two services apart, by the calls between them.
fn apart(picture: &Picture<'_>, one: NodeId, other: NodeId, found: &mut Vec<String>) {
    let depends = |caller: NodeId, callee: NodeId| picture.graph.path_down(caller, callee).is_some();
    let name = |node: NodeId| picture.name(node);
    found.push(match (depends(one, other), depends(other, one)) {
        (true, false) => as_seen_by(name(one), name(other)),
        (false, true) => as_seen_by(name(other), name(one)),
        (true, true) => format!(
            "{} and {} call each other: a trace of a bad request would show in which it begins",
            name(one),
            name(other)
        ),
        (false, false) => format!(
            "no call between {0} and {1} is known: a trace of a bad request would show which of them it passes",
            name(one),
            name(other)
        ),
    });
}

fn as_seen_by(caller: &str, callee: &str) -> String {
    format!(
        "the calls of {caller} to {callee}, timed and counted on {caller}: as bad as {caller} itself if it is {callee}"
    )
}

/// What tells two answers about one service apart.
fn same_place(picture: &Picture<'_>, one: &Candidate<'_>, other: &Candidate<'_>) -> Option<String> {
    let (change, against) = (one.cause?.change?, other.cause?);
    let title = super::title::named(change);
    Some(match against.change {
        Some(later) => {
            format!("{} runs with {title} and without {}", picture.name(one.node), super::title::named(later))
        }
        None => format!("{} with {title} undone", picture.name(one.node)),
    })
}

/// What of a service detection told nothing of.
fn not_told(picture: &Picture<'_>, node: NodeId, found: &mut Vec<String>) {
    let name = picture.name(node);
    match picture.symptoms.view(node) {
        None => {
            found.push(format!("{name} shows nothing: a request to it, made by hand, would show whether it answers"));
        }
        Some(view) => {
            if view.metrics.is_empty() {
                found.push(format!(
                    "no metric of {name} departs: its latency and errors would show whether it is harmed"
                ));
            }
            if view.logs.is_empty() {
                found.push(format!(
                    "no new log line of {name} is known: its lines would show whether the fault is its own"
                ));
            }
        }
    }
}

/// What of a service was not measured.
fn not_measured(picture: &Picture<'_>, node: NodeId, found: &mut Vec<String>) {
    let (case, name) = (picture.case, picture.name(node));
    if picture.metrics.of(node).next().is_none() && !case.now.metrics.columns.is_empty() {
        found.push(format!("no metric of {name}: its latency and failures would show whether it is its own"));
    }
    if !case.now.spans.is_empty() && !case.now.spans.iter().any(|span| span.node == node) {
        found.push(format!("no spans of {name}: they would show whether the time is lost in it"));
    }
    if !case.now.logs.is_empty() && !case.now.logs.iter().any(|line| line.node == node) {
        found.push(format!("no log lines of {name}: they would show whether the fault is its own"));
    }
}

/// Which signals are missing altogether.
fn not_there(picture: &Picture<'_>, found: &mut Vec<String>) {
    let case = picture.case;
    if case.now.spans.is_empty() {
        found.push("no traces: they would show in which service the time is lost or the failure begins".to_owned());
    }
    if let Some(flow) = picture.flows.iter().find(|flow| !flow.is_exact) {
        found.push(
            match flow.quantity {
                Quantity::Time => {
                    "requests counted and mean times for every service: then its time adds up along calls"
                }
                Quantity::Failures => "requests counted for every service: then its failures add up along calls",
            }
            .to_owned(),
        );
    }
    if case.symptom.as_ref().is_none_or(|symptom| symptom.node.is_none()) {
        found.push("which service and metric paged: then what it waits for can be accounted for".to_owned());
    }
    if case.baseline.is_none() && case.healthy == super::case::Tables::default() {
        found.push("a time known to be healthy: without one the usual is a guess".to_owned());
    }
    if case.now.logs.is_empty() {
        found.push("no log lines: they would name the fault".to_owned());
    }
}

/// What would prove an answer wrong, by the kind of fault that is named.
#[must_use]
pub fn disproof(kind: Option<FaultKind>, name: &str) -> String {
    match kind {
        Some(FaultKind::Latency) => {
            format!("{name} is as fast as before, its callees left out, while the page stays slow")
        }
        Some(FaultKind::Availability) => format!("{name} answers a direct request while its callers fail"),
        Some(FaultKind::Cpu | FaultKind::Memory | FaultKind::Disk) => {
            format!("the symptoms stay while {name} has capacity to spare")
        }
        Some(FaultKind::Network) => format!("calls to {name} arrive as fast as before while its callers wait"),
        Some(FaultKind::Code | FaultKind::Change) => {
            format!("the symptoms stay after what was changed on {name} is undone")
        }
        Some(FaultKind::External) => format!("what {name} needs from outside answers a direct request"),
        Some(FaultKind::Instance | FaultKind::Node) => format!("the symptoms stay after it is taken out of {name}"),
        None => format!("something that {name} depends on turns out to have failed before it"),
    }
}
