//! The walk along calls: a service is nearer the cause when what it calls is healthy, and when those that fail depend on
//! it. A symptom is not a cause while something it depends on explains it.

use super::candidates::Candidate;
use super::evidence::{Findings, of_service};
use super::picture::Picture;
use crate::engine::limits::TOPOLOGY_HOPS_MAX;
use crate::engine::model::{EvidenceKind, EvidenceTarget, ServiceName, human_span};

const KIND: EvidenceKind = EvidenceKind::Topology;

pub(super) fn look(picture: &Picture<'_>, candidate: &Candidate<'_>, findings: &mut Findings) {
    if !picture.has_topology() && !candidate.is_silent {
        return;
    }
    callees(picture, candidate, findings);
    share(picture, candidate, findings);
}

fn callees(picture: &Picture<'_>, candidate: &Candidate<'_>, findings: &mut Findings) {
    let service = &candidate.service;
    let own_resource = candidate.resource.map(|resource| &resource.service);
    let hit = picture.hit_callees(service);
    let worst = hit
        .into_iter()
        .filter(|callee| Some(*callee) != own_resource)
        .filter_map(|callee| Some((callee, picture.onset(callee)?)))
        .min_by_key(|(callee, onset)| (*onset, *callee));
    let Some((callee, onset)) = worst else {
        healthy_callees(picture, candidate, findings);
        return;
    };
    let is_backed = candidate.change.is_some() || candidate.resource.is_some();
    let is_earlier = onset.since_ms(candidate.onset) <= picture.tolerance_ms;
    let weight = match (is_earlier, is_backed) {
        (true, false) => -4.0,
        (true, true) => -2.0,
        // What it calls fell after it: it may have pulled it down.
        (false, _) => -0.5,
    };
    let order = if is_earlier {
        "which shows symptoms as early".to_owned()
    } else {
        format!("which shows symptoms too, {} later", human_span(onset.since_ms(candidate.onset)))
    };
    let target = EvidenceTarget::Edge { caller: service.clone(), callee: callee.clone() };
    findings.add(KIND, weight, format!("{service} depends on {callee}, {order}"), Some(onset), target);
}

/// What it calls shows no fault. Fewer requests are none: whoever sends them has it.
fn healthy_callees(picture: &Picture<'_>, candidate: &Candidate<'_>, findings: &mut Findings) {
    let service = &candidate.service;
    let own_resource = candidate.resource.map(|resource| &resource.service);
    let called: Vec<&ServiceName> =
        picture.topology.callees(service).map(|(callee, _)| callee).filter(|at| Some(*at) != own_resource).collect();
    let starved = called.iter().filter(|callee| picture.starved.contains(**callee)).count();
    // Of a silent service nothing is known, so what it calls says little.
    let scale = if candidate.is_silent { 0.3 } else { 1.0 };
    let fewer = |who: &str| if starved > 0 { format!("; {who} fewer requests") } else { String::new() };
    let (weight, text) = match called.as_slice() {
        [] if own_resource.is_some_and(|at| at != service) => return,
        [] if picture.topology.callers(service).next().is_none() => return,
        [] => (0.8, format!("{service} calls no other service that is known")),
        [callee] => {
            (1.0, format!("{callee}, which {service} calls, shows no fault of its own{}", fewer("it only gets")))
        }
        all => {
            let who = match starved {
                1 => "1 only gets".to_owned(),
                count => format!("{count} only get"),
            };
            let text = format!("none of the {} services that {service} calls shows a fault of its own", all.len());
            (1.0, text + &fewer(&who))
        }
    };
    findings.add(KIND, weight * scale, text, None, of_service(service));
}

/// How much of what fails depends on the candidate.
fn share(picture: &Picture<'_>, candidate: &Candidate<'_>, findings: &mut Findings) {
    let total = picture.hit_count();
    let service = &candidate.service;
    let others = total - usize::from(picture.onset(service).is_some());
    if others == 0 {
        return;
    }
    let dependents = picture.topology.dependents(service, TOPOLOGY_HOPS_MAX);
    let own_resource = candidate.resource.map(|resource| &resource.service).filter(|at| *at != service);
    let is_explained = |at: &ServiceName| at == service || Some(at) == own_resource || dependents.contains_key(at);
    let explained = picture.onsets().filter(|(at, _)| is_explained(at)).count();
    let weight = 4.0 * (explained as f64 / total as f64 - 0.5);
    let being = match (candidate.is_silent, own_resource) {
        (true, _) => format!("depend on {service}"),
        (false, None) => format!("are {service} or depend on it"),
        (false, Some(resource)) => format!("are {service} or {resource}, or depend on {service}"),
    };
    let share = match (explained, total) {
        (1, 1) => format!("the only service with a fault of its own depends on {service}"),
        (_, 1) => format!("the only service with a fault of its own does not depend on {service}"),
        (all, of) if all == of => format!("all {total} services with a fault of their own {being}"),
        (0, _) => format!("none of the {total} services with a fault of their own depends on {service}"),
        _ => format!("{explained} of the {total} services with a fault of their own {being}"),
    };
    let fewer = match picture.starved.len() {
        0 => String::new(),
        1 => "; 1 more only gets fewer requests".to_owned(),
        count => format!("; {count} more only get fewer requests"),
    };
    findings.add(KIND, weight, share + &fewer, None, of_service(service));
}
