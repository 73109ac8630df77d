//! Known patterns: what a failure of this kind looks like when one has seen a few.

use super::candidates::{Candidate, is_absent, template_has};
use super::evidence::{Findings, of_anomaly, of_service};
use super::picture::Picture;
use crate::engine::limits::CLOCK_SKEW_MS;
use crate::engine::model::{Anomaly, CauseKind, EvidenceKind, SeriesRole, ServiceName};

const KIND: EvidenceKind = EvidenceKind::Pattern;
const CONNECT_PHRASES: [&str; 8] =
    ["connection refused", "connect", "unreachable", "no route", "timed out", "timeout", "dial", "network"];

pub(super) fn look(picture: &Picture<'_>, candidate: &Candidate<'_>, findings: &mut Findings) {
    match candidate.kind {
        CauseKind::NetworkPolicy => network(picture, candidate, findings),
        CauseKind::BadDeploy | CauseKind::BadConfig => sudden(picture, candidate, findings),
        CauseKind::Unavailable => absent(picture, candidate, findings),
        CauseKind::Overload => overload(picture, candidate, findings),
        CauseKind::SlowQuery => slow(picture, candidate, findings),
        CauseKind::ConnectionsExhausted => {
            said(
                picture,
                candidate,
                &["too many connections", "too many clients", "pool", "connection slots"],
                findings,
            );
        }
        CauseKind::MemoryLeak => said(picture, candidate, &["out of memory", "oom", "killed", "heap"], findings),
        CauseKind::DiskFull => said(picture, candidate, &["no space", "disk full", "enospc", "quota"], findings),
        CauseKind::QueueBacklog => said(picture, candidate, &["queue", "backlog", "lag"], findings),
        CauseKind::CpuSaturation => said(picture, candidate, &["throttl", "deadline", "starv"], findings),
        CauseKind::InternalErrors | CauseKind::InternalLatency | CauseKind::Unknown => {}
    }
    if candidate.kind != CauseKind::Overload {
        traffic(picture, candidate, findings);
    }
}

/// The services around a candidate: itself, its direct callers, and what it calls.
fn around<'a>(picture: &'a Picture<'_>, candidate: &'a Candidate<'_>) -> impl Iterator<Item = &'a ServiceName> {
    std::iter::once(&candidate.service)
        .chain(picture.topology.callers(&candidate.service))
        .chain(candidate.resource.map(|resource| &resource.service))
}

fn anomalies_around<'a>(picture: &'a Picture<'_>, candidate: &'a Candidate<'_>) -> impl Iterator<Item = &'a Anomaly> {
    around(picture, candidate)
        .filter_map(|service| picture.view(service))
        .flat_map(|view| view.metrics.iter().chain(&view.logs).copied())
}

fn is_about_connecting(anomaly: &Anomaly) -> bool {
    let metric = anomaly.metric.to_lowercase();
    (anomaly.role == SeriesRole::Errors && (metric.contains("connect") || metric.contains("timeout")))
        || template_has(anomaly, &CONNECT_PHRASES)
        || is_absent(anomaly)
}

fn network(picture: &Picture<'_>, candidate: &Candidate<'_>, findings: &mut Findings) {
    match anomalies_around(picture, candidate).find(|anomaly| is_about_connecting(anomaly)) {
        Some(found) => {
            let text = format!("connections fail, as they do behind a firewall: {}", found.departure());
            findings.add(KIND, 1.5, text, Some(found.started_at), of_anomaly(found));
        }
        None if candidate.is_silent => {
            let text = format!("{} shows nothing while its callers fail", candidate.service);
            findings.add(KIND, 0.5, text, None, of_service(&candidate.service));
        }
        None => {
            let text = "no failing connections are seen".to_owned();
            findings.add(KIND, -1.0, text, None, of_service(&candidate.service));
        }
    }
}

/// A change that breaks its service shows as errors, slowness or new log lines of that very service.
fn sudden(picture: &Picture<'_>, candidate: &Candidate<'_>, findings: &mut Findings) {
    let Some(view) = picture.view(&candidate.service) else {
        return;
    };
    let telling = view
        .metrics
        .iter()
        .find(|anomaly| matches!(anomaly.role, SeriesRole::Errors | SeriesRole::Latency | SeriesRole::Availability));
    let changed_at = candidate.change.map_or(candidate.onset, |change| change.notice.at - CLOCK_SKEW_MS);
    if let Some(found) = telling.filter(|found| found.started_at >= changed_at.max(candidate.onset)) {
        let text = format!("what was changed is what departs: {}", found.departure());
        findings.add(KIND, 0.6, text, Some(found.started_at), of_anomaly(found));
    }
}

fn absent(picture: &Picture<'_>, candidate: &Candidate<'_>, findings: &mut Findings) {
    let own = picture.view(&candidate.service);
    let gone = own.into_iter().flat_map(|view| view.metrics.iter().filter(|anomaly| is_absent(anomaly)));
    if let Some(found) = gone.min_by_key(|anomaly| (anomaly.role != SeriesRole::Availability, anomaly.id)) {
        let text = format!("{} does not answer: {}", candidate.service, found.departure());
        findings.add(KIND, 1.5, text, Some(found.started_at), of_anomaly(found));
    } else if let Some(found) =
        anomalies_around(picture, candidate).find(|anomaly| is_about_connecting(anomaly) && !is_absent(anomaly))
    {
        findings.add(
            KIND,
            0.8,
            format!("connections fail around {}: {}", candidate.service, found.departure()),
            Some(found.started_at),
            of_anomaly(found),
        );
    } else {
        findings.add(
            KIND,
            -0.5,
            format!("nothing says that {} does not answer", candidate.service),
            None,
            of_service(&candidate.service),
        );
    }
}

fn overload(picture: &Picture<'_>, candidate: &Candidate<'_>, findings: &mut Findings) {
    let Some(view) = picture.view(&candidate.service) else {
        return;
    };
    let Some(traffic) = view.traffic else {
        return;
    };
    findings.add(KIND, 1.2, traffic.departure(), Some(traffic.started_at), of_anomaly(traffic));
    let is_full = view.first_of(SeriesRole::Saturation);
    if let Some(full) = is_full {
        findings.add(EvidenceKind::Saturation, 0.8, full.departure(), Some(full.started_at), of_anomaly(full));
    }
    if view.onset.is_some_and(|onset| onset + picture.tolerance_ms < traffic.started_at) {
        let text = "the harm began before the traffic rose".to_owned();
        findings.add(EvidenceKind::Order, -1.5, text, Some(traffic.started_at), of_anomaly(traffic));
    }
}

fn slow(picture: &Picture<'_>, candidate: &Candidate<'_>, findings: &mut Findings) {
    let Some(view) = picture.view(&candidate.service) else {
        return;
    };
    if let Some(found) = view.first_of(SeriesRole::Latency) {
        let text = format!("queries take longer: {}", found.departure());
        findings.add(KIND, 1.0, text, Some(found.started_at), of_anomaly(found));
    }
    said(picture, candidate, &["slow query", "slow statement", "duration:", "sequential scan", "full scan"], findings);
}

/// What such a failure writes into logs, on the service itself or around it.
fn said(picture: &Picture<'_>, candidate: &Candidate<'_>, phrases: &[&str], findings: &mut Findings) {
    if let Some(found) = anomalies_around(picture, candidate).find(|anomaly| template_has(anomaly, phrases)) {
        findings.add(
            KIND,
            0.8,
            format!("a log line that goes with it: {}", found.departure()),
            Some(found.started_at),
            of_anomaly(found),
        );
    }
}

/// Where requests rose as well, they may explain what is seen.
fn traffic(picture: &Picture<'_>, candidate: &Candidate<'_>, findings: &mut Findings) {
    let Some(traffic) = picture.view(&candidate.service).and_then(|view| view.traffic) else {
        return;
    };
    if traffic.started_at <= candidate.onset + picture.tolerance_ms {
        findings.add(
            KIND,
            -0.8,
            format!("traffic is up too: {}", traffic.departure()),
            Some(traffic.started_at),
            of_anomaly(traffic),
        );
    }
}
