//! Resources at their limit: how full, and whether they filled up before the harm or because of it.

use crate::engine::model::{Anomaly, AnomalyKind, CauseKind, SeriesRole, Severity, Unit, human, human_span};
use crate::engine::root_cause::candidates::Candidate;
use crate::engine::root_cause::case::NodeId;
use crate::engine::root_cause::evidence::{Findings, Term, of_anomaly};
use crate::engine::root_cause::picture::Picture;
use crate::engine::root_cause::picture::causes::{Cause, resource_kind};
use crate::engine::root_cause::title::began;

const TERM: Term = Term::Fullness;

/// Adds what the resource says that the candidate is about.
pub fn look(picture: &Picture<'_>, candidate: Candidate<'_>, findings: &mut Findings) {
    let Some(cause) = &candidate.cause else { return };
    let Some((node, resource)) = cause.resource else {
        return;
    };
    fullness(cause, resource, findings);
    harm_order(picture, cause, node, resource, findings);
    resource_order(picture, node, resource, findings);
    let Some(view) = picture.symptoms.view(node) else {
        return;
    };
    let foreseen = view
        .forecasts
        .iter()
        .filter(|forecast| forecast.id != resource.id && resource_kind(forecast) == Some(cause.kind));
    if let Some(forecast) = foreseen.min_by_key(|forecast| (forecast.started_at, forecast.id)) {
        let lead_ms = cause.onset.since_ms(forecast.started_at);
        let when = if lead_ms > 0 { format!(", seen {} before", human_span(lead_ms)) } else { String::new() };
        let text = format!("{} {} was on its way to its limit{when}", forecast.service, forecast.metric);
        findings.tell(TERM, 1.0, text, Some(forecast.started_at), of_anomaly(forecast));
    }
}

fn fullness(cause: &Cause<'_>, resource: &Anomaly, findings: &mut Findings) {
    let is_full = resource.unit == Unit::Ratio && resource.peak_value >= 0.9;
    let weight = match (resource.kind, is_full, resource.severity) {
        (AnomalyKind::Forecast, _, _) => 1.0,
        // More than usual and still far from short: nobody waits for it. What leaks or fills is told by its growth.
        _ if is_plentiful(cause.kind, resource) => -1.5,
        // A busy CPU is more often a consequence than the other resources are.
        (_, true, _) if cause.kind == CauseKind::CpuSaturation => 1.0,
        (_, true, _) => 1.8,
        (_, false, Severity::Critical) => 1.2,
        (_, false, _) => 0.5,
    };
    let text = match resource.kind {
        AnomalyKind::Forecast => resource.departure(),
        _ => format!("{} {} at {}", resource.service, resource.metric, human(resource.peak_value, resource.unit)),
    };
    findings.tell(TERM, weight, text, Some(resource.started_at), of_anomaly(resource));
}

/// True for a share of connections or CPU of which at least half is free.
fn is_plentiful(kind: CauseKind, resource: &Anomaly) -> bool {
    let is_waited_for = matches!(kind, CauseKind::ConnectionsExhausted | CauseKind::CpuSaturation);
    is_waited_for && resource.unit == Unit::Ratio && resource.peak_value < 0.5
}

/// Of several resources of one service the one that filled up first drew the others with it.
fn resource_order(picture: &Picture<'_>, node: NodeId, resource: &Anomaly, findings: &mut Findings) {
    let first = picture.symptoms.view(node).and_then(|view| view.first_of(SeriesRole::Saturation));
    let Some(first) = first.filter(|first| first.id != resource.id) else {
        return;
    };
    let lag_ms = resource.started_at.since_ms(first.started_at);
    if lag_ms > 2 * picture.symptoms.tolerance_ms {
        let text = format!("{} only {} after {}", began(resource), human_span(lag_ms), began(first));
        findings.tell(TERM, -1.5, text, Some(first.started_at), of_anomaly(first));
    }
}

/// A cause fills up before the errors and the slowness it makes.
fn harm_order(picture: &Picture<'_>, cause: &Cause<'_>, node: NodeId, resource: &Anomaly, findings: &mut Findings) {
    let views = [picture.symptoms.view(node), picture.symptoms.view(cause.node)];
    let harm = views
        .into_iter()
        .flatten()
        .flat_map(|view| [view.first_of(SeriesRole::Errors), view.first_of(SeriesRole::Latency)])
        .flatten()
        .min_by_key(|anomaly| (anomaly.started_at, anomaly.id));
    let Some(harm) = harm else {
        return;
    };
    let lead_ms = harm.started_at.since_ms(resource.started_at);
    let (weight, text) = if lead_ms.abs() <= picture.symptoms.tolerance_ms {
        (0.7, format!("{} as {}", began(resource), began(harm)))
    } else if lead_ms > 0 {
        (0.7, format!("{} {} before {}", began(resource), human_span(lead_ms), began(harm)))
    } else {
        (-0.7, format!("{} only {} after {}", began(resource), human_span(lead_ms), began(harm)))
    };
    findings.tell(TERM, weight, text, Some(harm.started_at), of_anomaly(harm));
}
