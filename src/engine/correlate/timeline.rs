//! The timeline: what happened, in the order in which it happened, each line readable by itself.
//!
//! Lines about members (anomalies, alerts, changes, impact, recoveries) are written anew from the members each time, so
//! they always show the worst value so far and never depend on the order of arrival. Lines about the incident itself
//! (states, notes, steps, hypotheses) are written once and kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::severity::{is_entry, is_failure};
use crate::engine::clock::Timestamp;
use crate::engine::limits::TIMELINE_ENTRIES_MAX;
use crate::engine::model::{
    Alert, AlertState, Anomaly, AnomalyId, AnomalyKind, AnomalyState, Change, ServiceName, Severity, TimelineEntry,
    TimelineKind, Topology,
};

/// What the lines about members are written from.
pub(super) struct Members<'a> {
    pub(super) anomalies: &'a [&'a Anomaly],
    pub(super) alerts: &'a [&'a Alert],
    pub(super) changes: &'a [&'a Change],
    pub(super) topology: &'a Topology,
}

/// The timeline with the lines about members brought up to date, ordered and within its bound.
pub(super) fn write(old: &[TimelineEntry], members: &Members<'_>) -> Vec<TimelineEntry> {
    let mut lines: Vec<(Severity, TimelineEntry)> = Vec::new();
    lines.extend(members.anomalies.iter().flat_map(|anomaly| anomaly_lines(anomaly, members.topology)));
    lines.extend(alert_lines(members.alerts));
    lines.extend(members.changes.iter().map(|change| (Severity::Critical, change_line(change))));
    let known: BTreeSet<AnomalyId> = members.anomalies.iter().map(|anomaly| anomaly.id).collect();
    let has_alerts = !members.alerts.is_empty();
    // What is no longer known otherwise is kept as it was told.
    let kept = old.iter().filter(|entry| match (entry.kind, entry.anomaly) {
        (TimelineKind::State | TimelineKind::Note | TimelineKind::Step | TimelineKind::Hypothesis, _) => true,
        (_, Some(anomaly)) => !known.contains(&anomaly),
        (TimelineKind::Alert | TimelineKind::Recovery, None) => !has_alerts,
        (TimelineKind::Change | TimelineKind::Anomaly | TimelineKind::Impact, None) => false,
    });
    lines.extend(kept.map(|entry| (Severity::Critical, entry.clone())));
    ordered(lines)
}

/// Adds one line about the incident itself, in its place.
pub fn add(timeline: &mut Vec<TimelineEntry>, entry: TimelineEntry) {
    let mut lines: Vec<(Severity, TimelineEntry)> =
        std::mem::take(timeline).into_iter().map(|entry| (Severity::Critical, entry)).collect();
    lines.push((Severity::Critical, entry));
    *timeline = ordered(lines);
}

/// A line about the incident itself.
pub(super) fn line(at: Timestamp, kind: TimelineKind, text: &str, by: Option<&str>) -> TimelineEntry {
    TimelineEntry { at, kind, text: Arc::from(text), service: None, anomaly: None, by: by.map(Arc::from) }
}

/// By time, then kind and text; past the bound the mildest go first, the newest of equals before the oldest.
fn ordered(mut lines: Vec<(Severity, TimelineEntry)>) -> Vec<TimelineEntry> {
    if lines.len() > TIMELINE_ENTRIES_MAX {
        lines.sort_by(|(a_severity, a), (b_severity, b)| {
            (std::cmp::Reverse(*a_severity), a.at, a.kind, &a.text).cmp(&(
                std::cmp::Reverse(*b_severity),
                b.at,
                b.kind,
                &b.text,
            ))
        });
        lines.truncate(TIMELINE_ENTRIES_MAX);
    }
    let mut entries: Vec<TimelineEntry> = lines.into_iter().map(|(_, entry)| entry).collect();
    entries.sort_by(|a, b| (a.at, a.kind, &a.text, a.anomaly).cmp(&(b.at, b.kind, &b.text, b.anomaly)));
    entries
}

fn anomaly_lines(anomaly: &Anomaly, topology: &Topology) -> Vec<(Severity, TimelineEntry)> {
    let harms_users =
        is_failure(anomaly) && anomaly.severity == Severity::Critical && is_entry(topology, &anomaly.service);
    let entry = |at: Timestamp, kind: TimelineKind, text: String| TimelineEntry {
        at,
        kind,
        text: Arc::from(text),
        service: Some(anomaly.service.clone()),
        anomaly: Some(anomaly.id),
        by: None,
    };
    let kind = if harms_users { TimelineKind::Impact } else { TimelineKind::Anomaly };
    let mut lines = vec![(anomaly.severity, entry(anomaly.started_at, kind, anomaly.departure()))];
    if let (AnomalyState::Ended, Some(ended_at)) = (anomaly.state, anomaly.ended_at)
        && anomaly.kind != AnomalyKind::NewTemplate
    {
        let text = format!("{} {} back to normal", anomaly.service, anomaly.metric);
        lines.push((Severity::Warning, entry(ended_at, TimelineKind::Recovery, text)));
    }
    lines
}

/// One line for each service and alert name: a storm is told as counts.
fn alert_lines(alerts: &[&Alert]) -> Vec<(Severity, TimelineEntry)> {
    let mut groups: BTreeMap<(Option<&str>, &str), Vec<&Alert>> = BTreeMap::new();
    for alert in alerts {
        let service = alert.notice.service.as_ref().map(ServiceName::as_str);
        groups.entry((service, &alert.notice.name)).or_default().push(alert);
    }
    groups.into_values().flat_map(|group| group_lines(&group)).collect()
}

fn group_lines(group: &[&Alert]) -> Vec<(Severity, TimelineEntry)> {
    let Some(first) = group.iter().min_by_key(|alert| (alert.notice.starts_at, alert.notice.fingerprint)) else {
        return Vec::new();
    };
    let notice = &first.notice;
    let severity = group.iter().map(|alert| alert.notice.severity).max().unwrap_or_default();
    let times = if group.len() > 1 { format!(" ×{}", group.len()) } else { String::new() };
    let name = match &notice.service {
        Some(service) => format!("{service} {}{times}", notice.name),
        None => format!("{}{times}", notice.name),
    };
    let summary = without_service(&notice.summary, notice.service.as_ref().map_or("", ServiceName::as_str));
    let told = if summary.is_empty() { name.clone() } else { format!("{name}: {summary}") };
    let entry = |at: Timestamp, kind: TimelineKind, text: String| TimelineEntry {
        at,
        kind,
        text: Arc::from(text),
        service: notice.service.clone(),
        anomaly: None,
        by: Some(Arc::from(notice.source.as_str())),
    };
    let mut lines = vec![(severity, entry(notice.starts_at, TimelineKind::Alert, told))];
    if group.iter().all(|alert| alert.notice.state == AlertState::Resolved)
        && let Some(ended_at) = group.iter().filter_map(|alert| alert.notice.ends_at).max()
    {
        lines.push((Severity::Warning, entry(ended_at, TimelineKind::Recovery, format!("{name} resolved"))));
    }
    lines
}

/// A summary without the service it begins with, which the line has named already.
fn without_service<'a>(summary: &'a str, service: &str) -> &'a str {
    let rest = summary.strip_prefix(service).filter(|_| !service.is_empty()).unwrap_or(summary);
    let is_word = rest.len() < summary.len() && rest.starts_with([':', ' ']);
    if is_word { rest.trim_start_matches([':', ' ']) } else { summary }
}

fn change_line(change: &Change) -> TimelineEntry {
    let notice = &change.notice;
    TimelineEntry {
        at: notice.at,
        kind: TimelineKind::Change,
        text: notice.title.clone(),
        service: notice.service.clone(),
        anomaly: None,
        by: notice.author.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_its_service_once() {
        for (summary, told) in [
            ("payment: more than 5 % of requests fail", "more than 5 % of requests fail"),
            ("payment burns its budget", "burns its budget"),
            ("payment-db is slow", "payment-db is slow"),
            ("the queue grows", "the queue grows"),
        ] {
            assert_eq!(without_service(summary, "payment"), told);
        }
        assert_eq!(without_service(": odd", ""), ": odd");
    }
}
