//! The walk along calls: a service is nearer the cause when what it calls is healthy, and when those that fail depend on
//! it. A symptom is not a cause while something it depends on explains it.

use super::candidates::Candidate;
use super::evidence::{Findings, of_service};
use super::picture::Picture;
use crate::engine::limits::TOPOLOGY_HOPS_MAX;
use crate::engine::model::{EvidenceKind, EvidenceTarget, ServiceName};

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
    let order = if is_earlier { "which fails too" } else { "which failed later" };
    let target = EvidenceTarget::Edge { caller: service.clone(), callee: callee.clone() };
    findings.add(KIND, weight, format!("{service} depends on {callee}, {order}"), Some(onset), target);
}

fn healthy_callees(picture: &Picture<'_>, candidate: &Candidate<'_>, findings: &mut Findings) {
    let service = &candidate.service;
    let count = picture.topology.callees(service).count();
    let is_called = picture.topology.callers(service).next().is_some();
    // Of a silent service nothing is known, so what it calls says little.
    let scale = if candidate.is_silent { 0.3 } else { 1.0 };
    match (count, is_called) {
        (0, true) => {
            let text = format!("{service} calls nothing that is known");
            findings.add(KIND, 0.8 * scale, text, None, of_service(service));
        }
        (0, false) => {}
        (1, _) => findings.add(KIND, scale, format!("what {service} calls is healthy"), None, of_service(service)),
        _ => {
            findings.add(
                KIND,
                scale,
                format!("all {count} services that {service} calls are healthy"),
                None,
                of_service(service),
            );
        }
    }
}

/// How much of what fails depends on the candidate.
fn share(picture: &Picture<'_>, candidate: &Candidate<'_>, findings: &mut Findings) {
    let total = picture.hit_count();
    let others = total - usize::from(picture.onset(&candidate.service).is_some());
    if others == 0 {
        return;
    }
    let dependents = picture.topology.dependents(&candidate.service, TOPOLOGY_HOPS_MAX);
    let own_resource = candidate.resource.map(|resource| &resource.service);
    let is_explained = |service: &ServiceName| {
        *service == candidate.service || Some(service) == own_resource || dependents.contains_key(service)
    };
    let explained = picture.onsets().filter(|(service, _)| is_explained(service)).count();
    let weight = 4.0 * (explained as f64 / total as f64 - 0.5);
    let text = format!("{explained} of {total} affected services are it or depend on it");
    findings.add(KIND, weight, text, None, of_service(&candidate.service));
}
