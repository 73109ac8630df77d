//! What metrics say about a candidate: how much of the page arises in it, how far it departs, and its resources.

use crate::engine::root_cause::candidates::Candidate;
use crate::engine::root_cause::evidence::{FaultKind, Findings, Term};
use crate::engine::root_cause::picture::Picture;
use crate::engine::root_cause::picture::flow::{Flow, Part, Quantity};
use crate::engine::root_cause::picture::kind::MetricKind;
use crate::engine::root_cause::picture::metrics::MetricView;

/// At this many standard errors an excess is half believed.
const HALF_BELIEVED_Z: f64 = 3.0;

/// What an account is worth where no known call leads from the page to the node.
const UNREACHED: f64 = 0.25;
/// What a caller's account is worth for a callee that nobody measures.
const UNMEASURED: f64 = 0.6;
/// What it is worth where the loudest node stands for the page.
const UNPAGED: f64 = 0.6;
/// The same where what is measured does not add up.
const UNPAGED_ROUGH: f64 = 0.25;
/// The same where nobody at all is known to call it.
const UNREACHED_ORPHAN: f64 = 0.5;
/// At this many sigmas a resource is half believed to be off.
const HALF_OFF_SIGMAS: f64 = 6.0;

/// Adds what metrics say.
pub fn look(picture: &Picture<'_>, candidate: Candidate<'_>, findings: &mut Findings) {
    for flow in &picture.flows {
        account(picture, flow, candidate, findings);
    }
    departures(picture, candidate, findings, Term::Resource, is_resource);
    if picture.flows.is_empty() {
        departures(picture, candidate, findings, Term::Departure, |view| !is_resource(view));
    }
}

/// What is used up: bad when high.
fn is_resource(view: &MetricView) -> bool {
    use MetricKind::{Cpu, Disk, Memory, Network, Saturation};
    matches!(view.kind, Cpu | Disk | Memory | Network | Saturation)
}

/// How far off a metric is in its bad direction, in sigmas.
fn badness(view: &MetricView) -> f64 {
    match view.kind {
        MetricKind::Availability => -view.late,
        MetricKind::Traffic | MetricKind::Other | MetricKind::Network => view.late.abs(),
        _ => view.late,
    }
}

/// The candidate's worst metric of one sort, against the worst that any service has.
fn departures(
    picture: &Picture<'_>,
    candidate: Candidate<'_>,
    findings: &mut Findings,
    term: Term,
    is_sort: fn(&MetricView) -> bool,
) {
    let worst_of = |views: &mut dyn Iterator<Item = &MetricView>| views.map(badness).fold(0.0, f64::max);
    let is_own = |view: &&MetricView| is_sort(view) && (view.instance.is_none() || view.instance == candidate.instance);
    let own = picture.metrics.of(candidate.node).filter(is_own).max_by(|a, b| badness(a).total_cmp(&badness(b)));
    let Some(own) = own else {
        return;
    };
    let worst = worst_of(&mut picture.metrics.views.iter().filter(|view| is_sort(view)));
    let size = badness(own);
    if size <= 0.0 || worst <= 0.0 {
        return;
    }
    let off = size * size / (size * size + HALF_OFF_SIGMAS * HALF_OFF_SIGMAS);
    let value = off * size / worst;
    let usual = own.healthy.map_or(0.0, |healthy| healthy.centre);
    let name = picture.case.name(candidate.node);
    findings.add(term, value, || format!("{name} {} is {size:.1} sigmas off its usual {usual:.4}", own.metric));
    findings.name(Some(&own.metric), fault_of(own.kind), value);
}

fn fault_of(kind: MetricKind) -> FaultKind {
    match kind {
        MetricKind::Cpu => FaultKind::Cpu,
        MetricKind::Memory => FaultKind::Memory,
        MetricKind::Disk => FaultKind::Disk,
        MetricKind::Network => FaultKind::Network,
        MetricKind::Errors | MetricKind::Availability => FaultKind::Availability,
        _ => FaultKind::Latency,
    }
}

fn account(picture: &Picture<'_>, flow: &Flow, candidate: Candidate<'_>, findings: &mut Findings) {
    let name = picture.case.name(candidate.node);
    let (term, kind) = match (flow.quantity, flow.is_exact) {
        (Quantity::Time, true) => (Term::OwnLatency, FaultKind::Latency),
        (Quantity::Time, false) => (Term::RoughLatency, FaultKind::Latency),
        (Quantity::Failures, true) => (Term::OwnErrors, FaultKind::Availability),
        (Quantity::Failures, false) => (Term::RoughErrors, FaultKind::Availability),
    };
    let Some(part) = flow.parts.get(candidate.node).copied().flatten() else {
        unmeasured(picture, flow, candidate, term, findings);
        return;
    };
    let value = arises(picture, flow, &part, candidate.node);
    findings.add(term, value, || sentence(flow, &part, name));
    if value > 0.0 {
        findings.name(None, kind, value);
    }
}

/// How much of the page is believed to arise in a node, from 0 to 1.
fn arises(picture: &Picture<'_>, flow: &Flow, part: &Part, node: usize) -> f64 {
    if part.is_new {
        return 0.0;
    }
    let trust = match (flow.is_paged, flow.is_exact) {
        (true, _) => 1.0,
        (false, true) => UNPAGED,
        (false, false) => UNPAGED_ROUGH,
    };
    part.share * believed(part.own_z) * reach(picture, flow, node) * trust
}

/// What arises in a caller may arise in something it calls that nobody measures.
fn unmeasured(picture: &Picture<'_>, flow: &Flow, candidate: Candidate<'_>, term: Term, findings: &mut Findings) {
    if picture.metrics.of(candidate.node).next().is_some() {
        return;
    }
    let of =
        |caller: &usize| Some((*caller, arises(picture, flow, &flow.parts.get(*caller).copied().flatten()?, *caller)));
    let callers = picture.graph.callers(candidate.node).iter().filter_map(of);
    if let Some((caller, value)) = callers.max_by(|a, b| a.1.total_cmp(&b.1)) {
        let (name, caller) = (picture.case.name(candidate.node), picture.case.name(caller));
        findings.add(term, value * UNMEASURED, || format!("{caller} calls {name}, of which no metric is known"));
    }
}

/// How much a node may be called by the page at all: fully where calls lead there; a graph may lack calls, most of all
/// those to a node that nobody is known to call.
fn reach(picture: &Picture<'_>, flow: &Flow, node: usize) -> f64 {
    if flow.hops.get(node).copied().flatten().is_some() {
        1.0
    } else if picture.graph.callers(node).is_empty() {
        UNREACHED_ORPHAN
    } else {
        UNREACHED
    }
}

/// From 0 to 1.
fn believed(z: f64) -> f64 {
    if z <= 0.0 { 0.0 } else { z * z / (z * z + HALF_BELIEVED_Z * HALF_BELIEVED_Z) }
}

fn sentence(flow: &Flow, part: &Part, name: &str) -> String {
    let percent = (part.share * 100.0).round();
    match flow.quantity {
        Quantity::Time => format!(
            "{percent} % of the page's extra time arises in {name}: latency {:.4} to {:.4}, after what it calls is taken out",
            part.from_to.0, part.from_to.1
        ),
        Quantity::Failures => format!(
            "{percent} % of the page's failures arise in {name}: {:.2} % to {:.2} % fail, after what it calls is taken out",
            part.from_to.0 * 100.0,
            part.from_to.1 * 100.0
        ),
    }
}
