//! The walk along calls: a service is nearer the cause when what it calls is healthy, and when those that fail depend on
//! it. A symptom is not a cause while something it depends on explains it.

use crate::engine::limits::TOPOLOGY_HOPS_MAX;
use crate::engine::model::{EvidenceTarget, human_span};
use crate::engine::root_cause::candidates::Candidate;
use crate::engine::root_cause::case::NodeId;
use crate::engine::root_cause::evidence::{Findings, Term, of_service};
use crate::engine::root_cause::picture::Picture;
use crate::engine::root_cause::picture::causes::Cause;

const TERM: Term = Term::Calls;

/// Adds what the walk says.
pub fn look(picture: &Picture<'_>, candidate: Candidate<'_>, findings: &mut Findings) {
    let Some(cause) = &candidate.cause else { return };
    if !picture.symptoms.has_topology(&picture.graph) && !cause.is_silent {
        return;
    }
    callees(picture, cause, findings);
    share(picture, cause, findings);
}

fn callees(picture: &Picture<'_>, cause: &Cause<'_>, findings: &mut Findings) {
    let symptoms = &picture.symptoms;
    let hit = symptoms.hit_callees(&picture.graph, cause.node);
    let worst = hit
        .into_iter()
        .filter(|callee| Some(*callee) != cause.resource_of())
        .filter_map(|callee| Some((callee, symptoms.onset(callee)?)))
        .min_by_key(|(callee, onset)| (*onset, *callee));
    let Some((callee, onset)) = worst else {
        healthy_callees(picture, cause, findings);
        return;
    };
    let is_backed = cause.change.is_some() || cause.resource.is_some();
    let is_earlier = onset.since_ms(cause.onset) <= symptoms.tolerance_ms;
    let weight = match (is_earlier, is_backed) {
        (true, false) => -4.0,
        (true, true) => -2.0,
        // What it calls fell after it: it may have pulled it down.
        (false, _) => -0.5,
    };
    let order = if is_earlier {
        "which shows symptoms as early".to_owned()
    } else {
        format!("which shows symptoms too, {} later", human_span(onset.since_ms(cause.onset)))
    };
    let target = EvidenceTarget::Edge { caller: picture.service(cause.node), callee: picture.service(callee) };
    let text = format!("{} depends on {}, {order}", picture.name(cause.node), picture.name(callee));
    findings.tell(TERM, weight, text, Some(onset), target);
}

/// What it calls shows no fault. Fewer requests are none: whoever sends them has it.
fn healthy_callees(picture: &Picture<'_>, cause: &Cause<'_>, findings: &mut Findings) {
    let name = picture.name(cause.node);
    let own_resource = cause.resource_of();
    let called: Vec<NodeId> =
        picture.graph.callees(cause.node).iter().copied().filter(|at| Some(*at) != own_resource).collect();
    let starved = called.iter().filter(|callee| picture.symptoms.starved.contains(callee)).count();
    // Of a silent service nothing is known, so what it calls says little.
    let scale = if cause.is_silent { 0.3 } else { 1.0 };
    let fewer = |who: &str| if starved > 0 { format!("; {who} fewer requests") } else { String::new() };
    let (weight, text) = match called.as_slice() {
        [] if own_resource.is_some_and(|at| at != cause.node) => return,
        [] if picture.graph.callers(cause.node).is_empty() => return,
        [] => (0.8, format!("{name} calls no other service that is known")),
        [callee] => {
            let callee = picture.name(*callee);
            (1.0, format!("{callee}, which {name} calls, shows no fault of its own{}", fewer("it only gets")))
        }
        all => {
            let who = match starved {
                1 => "1 only gets".to_owned(),
                count => format!("{count} only get"),
            };
            let text = format!("none of the {} services that {name} calls shows a fault of its own", all.len());
            (1.0, text + &fewer(&who))
        }
    };
    findings.tell(TERM, weight * scale, text, None, of_service(name));
}

/// How much of what fails depends on the candidate.
fn share(picture: &Picture<'_>, cause: &Cause<'_>, findings: &mut Findings) {
    let total = picture.symptoms.hit_count();
    let (node, name) = (cause.node, picture.name(cause.node));
    let others = total - usize::from(picture.symptoms.onset(node).is_some());
    if others == 0 {
        return;
    }
    let dependents = picture.graph.dependents(node, TOPOLOGY_HOPS_MAX);
    let own_resource = cause.resource_of().filter(|at| *at != node);
    let is_explained = |at: &NodeId| *at == node || Some(*at) == own_resource || dependents.contains_key(at);
    let explained = picture.symptoms.onsets().filter(|(at, _)| is_explained(at)).count();
    let weight = 4.0 * (explained as f64 / total as f64 - 0.5);
    let being = match (cause.is_silent, own_resource) {
        (true, _) => format!("depend on {name}"),
        (false, None) => format!("are {name} or depend on it"),
        (false, Some(resource)) => format!("are {name} or {}, or depend on {name}", picture.name(resource)),
    };
    let share = match (explained, total) {
        (1, 1) => format!("the only service with a fault of its own depends on {name}"),
        (_, 1) => format!("the only service with a fault of its own does not depend on {name}"),
        (all, of) if all == of => format!("all {total} services with a fault of their own {being}"),
        (0, _) => format!("none of the {total} services with a fault of their own depends on {name}"),
        _ => format!("{explained} of the {total} services with a fault of their own {being}"),
    };
    let fewer = match picture.symptoms.starved.len() {
        0 => String::new(),
        1 => "; 1 more only gets fewer requests".to_owned(),
        count => format!("; {count} more only get fewer requests"),
    };
    findings.tell(TERM, weight, share + &fewer, None, of_service(name));
}
