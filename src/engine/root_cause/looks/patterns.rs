//! Known patterns: what a failure of this kind looks like when one has seen a few.

use crate::engine::limits::CLOCK_SKEW_MS;
use crate::engine::model::{Anomaly, CauseKind, SeriesRole};
use crate::engine::root_cause::candidates::Candidate;
use crate::engine::root_cause::case::NodeId;
use crate::engine::root_cause::evidence::{Findings, Term, of_anomaly, of_service};
use crate::engine::root_cause::picture::Picture;
use crate::engine::root_cause::picture::causes::{Cause, is_absent, template_has};

const TERM: Term = Term::Pattern;
const CONNECT_PHRASES: [&str; 8] =
    ["connection refused", "connect", "unreachable", "no route", "timed out", "timeout", "dial", "network"];

/// Adds how well the symptoms are those of such a failure.
pub fn look(picture: &Picture<'_>, candidate: Candidate<'_>, findings: &mut Findings) {
    let Some(cause) = &candidate.cause else { return };
    match cause.kind {
        CauseKind::NetworkPolicy => network(picture, cause, findings),
        CauseKind::BadDeploy | CauseKind::BadConfig => sudden(picture, cause, findings),
        CauseKind::Unavailable => absent(picture, cause, findings),
        CauseKind::Overload => overload(picture, cause, findings),
        CauseKind::SlowQuery => slow(picture, cause, findings),
        CauseKind::ConnectionsExhausted => {
            said(picture, cause, &["too many connections", "too many clients", "pool", "connection slots"], findings);
        }
        CauseKind::MemoryLeak => said(picture, cause, &["out of memory", "oom", "killed", "heap"], findings),
        CauseKind::DiskFull => said(picture, cause, &["no space", "disk full", "enospc", "quota"], findings),
        CauseKind::QueueBacklog => said(picture, cause, &["queue", "backlog", "lag"], findings),
        CauseKind::CpuSaturation => said(picture, cause, &["throttl", "deadline", "starv"], findings),
        CauseKind::InternalErrors | CauseKind::InternalLatency | CauseKind::Unknown => {}
    }
    if cause.kind != CauseKind::Overload {
        traffic(picture, cause, findings);
    }
}

/// The services around a candidate: itself, its direct callers, and what it calls.
fn around(picture: &Picture<'_>, cause: &Cause<'_>) -> impl Iterator<Item = NodeId> {
    let callers = picture.graph.callers(cause.node).iter().copied();
    std::iter::once(cause.node).chain(callers).chain(cause.resource_of())
}

fn anomalies_around<'a>(picture: &'a Picture<'_>, cause: &Cause<'_>) -> impl Iterator<Item = &'a Anomaly> {
    around(picture, cause)
        .filter_map(|node| picture.symptoms.view(node))
        .flat_map(|view| view.metrics.iter().chain(&view.logs).copied())
}

fn is_about_connecting(anomaly: &Anomaly) -> bool {
    let metric = anomaly.metric.to_lowercase();
    (anomaly.role == SeriesRole::Errors && (metric.contains("connect") || metric.contains("timeout")))
        || template_has(anomaly, &CONNECT_PHRASES)
        || is_absent(anomaly)
}

fn network(picture: &Picture<'_>, cause: &Cause<'_>, findings: &mut Findings) {
    match anomalies_around(picture, cause).find(|anomaly| is_about_connecting(anomaly)) {
        Some(found) => {
            let text = format!("connections fail, as they do behind a firewall: {}", found.departure());
            findings.tell(TERM, 1.5, text, Some(found.started_at), of_anomaly(found));
        }
        None if cause.is_silent => {
            let text = format!("{} shows nothing while its callers fail", picture.name(cause.node));
            findings.tell(TERM, 0.5, text, None, of_service(picture.name(cause.node)));
        }
        None => {
            let text = "no failing connections are seen".to_owned();
            findings.tell(TERM, -1.0, text, None, of_service(picture.name(cause.node)));
        }
    }
}

/// A change that breaks its service shows as errors, slowness or new log lines of that very service.
fn sudden(picture: &Picture<'_>, cause: &Cause<'_>, findings: &mut Findings) {
    let Some(view) = picture.symptoms.view(cause.node) else {
        return;
    };
    let telling = view
        .metrics
        .iter()
        .find(|anomaly| matches!(anomaly.role, SeriesRole::Errors | SeriesRole::Latency | SeriesRole::Availability));
    let changed_at = cause.change.map_or(cause.onset, |change| change.notice.at - CLOCK_SKEW_MS);
    if let Some(found) = telling.filter(|found| found.started_at >= changed_at.max(cause.onset)) {
        let text = format!("what was changed is what departs: {}", found.departure());
        findings.tell(TERM, 0.6, text, Some(found.started_at), of_anomaly(found));
    }
}

fn absent(picture: &Picture<'_>, cause: &Cause<'_>, findings: &mut Findings) {
    let own = picture.symptoms.view(cause.node);
    let gone = own.into_iter().flat_map(|view| view.metrics.iter().filter(|anomaly| is_absent(anomaly)));
    if let Some(found) = gone.min_by_key(|anomaly| (anomaly.role != SeriesRole::Availability, anomaly.id)) {
        let text = format!("{} does not answer: {}", picture.name(cause.node), found.departure());
        findings.tell(TERM, 1.5, text, Some(found.started_at), of_anomaly(found));
    } else if let Some(found) =
        anomalies_around(picture, cause).find(|anomaly| is_about_connecting(anomaly) && !is_absent(anomaly))
    {
        findings.tell(
            TERM,
            0.8,
            format!("connections fail around {}: {}", picture.name(cause.node), found.departure()),
            Some(found.started_at),
            of_anomaly(found),
        );
    } else {
        findings.tell(
            TERM,
            -0.5,
            format!("nothing says that {} does not answer", picture.name(cause.node)),
            None,
            of_service(picture.name(cause.node)),
        );
    }
}

fn overload(picture: &Picture<'_>, cause: &Cause<'_>, findings: &mut Findings) {
    let Some(view) = picture.symptoms.view(cause.node) else {
        return;
    };
    let Some(traffic) = view.traffic else {
        return;
    };
    findings.tell(TERM, 1.2, traffic.departure(), Some(traffic.started_at), of_anomaly(traffic));
    let is_full = view.first_of(SeriesRole::Saturation);
    if let Some(full) = is_full {
        findings.tell(Term::Fullness, 0.8, full.departure(), Some(full.started_at), of_anomaly(full));
    }
    if view.onset.is_some_and(|onset| onset + picture.symptoms.tolerance_ms < traffic.started_at) {
        let text = "the harm began before the traffic rose".to_owned();
        findings.tell(Term::Order, -1.5, text, Some(traffic.started_at), of_anomaly(traffic));
    }
}

fn slow(picture: &Picture<'_>, cause: &Cause<'_>, findings: &mut Findings) {
    let Some(view) = picture.symptoms.view(cause.node) else {
        return;
    };
    if let Some(found) = view.first_of(SeriesRole::Latency) {
        let text = format!("queries take longer: {}", found.departure());
        findings.tell(TERM, 1.0, text, Some(found.started_at), of_anomaly(found));
    }
    said(picture, cause, &["slow query", "slow statement", "duration:", "sequential scan", "full scan"], findings);
}

/// What such a failure writes into logs, on the service itself or around it.
fn said(picture: &Picture<'_>, cause: &Cause<'_>, phrases: &[&str], findings: &mut Findings) {
    if let Some(found) = anomalies_around(picture, cause).find(|anomaly| template_has(anomaly, phrases)) {
        findings.tell(
            TERM,
            0.8,
            format!("a log line that goes with it: {}", found.departure()),
            Some(found.started_at),
            of_anomaly(found),
        );
    }
}

/// Where requests rose as well, they may explain what is seen.
fn traffic(picture: &Picture<'_>, cause: &Cause<'_>, findings: &mut Findings) {
    let Some(traffic) = picture.symptoms.view(cause.node).and_then(|view| view.traffic) else {
        return;
    };
    if traffic.started_at <= cause.onset + picture.symptoms.tolerance_ms {
        findings.tell(
            TERM,
            -0.8,
            format!("traffic is up too: {}", traffic.departure()),
            Some(traffic.started_at),
            of_anomaly(traffic),
        );
    }
}
