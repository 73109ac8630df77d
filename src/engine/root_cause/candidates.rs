//! The candidates: everything that could be where it starts.

use std::collections::{BTreeMap, BTreeSet};

use super::picture::{Picture, ServiceView};
use crate::engine::clock::Timestamp;
use crate::engine::limits::CLOCK_SKEW_MS;
use crate::engine::model::{Anomaly, AnomalyKind, CauseKind, Change, ChangeKind, SeriesRole, ServiceName};

/// One candidate, before it is weighed.
#[derive(Debug, Clone)]
pub(super) struct Candidate<'a> {
    pub(super) kind: CauseKind,
    pub(super) service: ServiceName,
    pub(super) change: Option<&'a Change>,
    /// The resource it is about: of the service itself, or of one it calls.
    pub(super) resource: Option<&'a Anomaly>,
    /// The first symptom it would have to explain.
    pub(super) onset: Timestamp,
    /// True where the service itself shows nothing.
    pub(super) is_silent: bool,
}

/// Every candidate, in a fixed order.
pub(super) fn candidates<'a>(picture: &Picture<'a>) -> Vec<Candidate<'a>> {
    let mut found = Vec::new();
    for (service, view) in &picture.hit {
        of_service(service, view, picture.started_at, &mut found);
    }
    found.extend(picture.changes.iter().filter_map(|change| of_change(picture, change)));
    of_silent_callees(picture, &mut found);
    found
}

/// What a service shows of itself: each resource at its limit, no answer, slow queries, overload; plain errors or
/// slowness only where nothing more telling is there.
fn of_service<'a>(
    service: &ServiceName,
    view: &ServiceView<'a>,
    started_at: Timestamp,
    found: &mut Vec<Candidate<'a>>,
) {
    let mut kinds: BTreeMap<CauseKind, Option<&Anomaly>> = BTreeMap::new();
    for anomaly in view.metrics.iter().chain(&view.forecasts).copied() {
        if let Some(kind) = resource_kind(anomaly) {
            kinds.entry(kind).or_insert(Some(anomaly));
        }
    }
    if is_query_latency(view) {
        kinds.insert(CauseKind::SlowQuery, None);
    }
    if view.metrics.iter().any(|anomaly| is_absent(anomaly)) {
        kinds.insert(CauseKind::Unavailable, None);
    }
    if view.traffic.is_some() && !view.metrics.is_empty() {
        kinds.insert(CauseKind::Overload, None);
    }
    if kinds.is_empty() {
        kinds.insert(plain_kind(view), None);
    }
    let onset = view.onset.unwrap_or(started_at);
    found.extend(kinds.into_iter().map(|(kind, resource)| Candidate {
        kind,
        service: service.clone(),
        change: None,
        resource,
        onset,
        is_silent: false,
    }));
}

fn plain_kind(view: &ServiceView<'_>) -> CauseKind {
    if view.first_of(SeriesRole::Errors).is_some() {
        CauseKind::InternalErrors
    } else if view.first_of(SeriesRole::Latency).is_some() {
        CauseKind::InternalLatency
    } else {
        CauseKind::Unknown
    }
}

/// True for a service or host that does not answer.
pub(super) fn is_absent(anomaly: &Anomaly) -> bool {
    anomaly.kind == AnomalyKind::Absence || anomaly.role == SeriesRole::Availability
}

/// True where queries got slower: the metric is about queries, or the log says so.
fn is_query_latency(view: &ServiceView<'_>) -> bool {
    let by_metric = view.metrics.iter().any(|anomaly| {
        anomaly.role == SeriesRole::Latency
            && has_word(&anomaly.metric, &["query", "queries", "statement", "transaction"])
    });
    by_metric || view.logs.iter().any(|anomaly| template_has(anomaly, &["slow query", "slow statement", "duration:"]))
}

/// The kind of failure that a full resource is. One that is no longer measured says nothing about how full it is.
pub(super) fn resource_kind(anomaly: &Anomaly) -> Option<CauseKind> {
    let is_of_resource = anomaly.role == SeriesRole::Saturation || anomaly.kind == AnomalyKind::Forecast;
    if !is_of_resource || anomaly.kind == AnomalyKind::Absence {
        return None;
    }
    // A disk that is busy may have all the room in the world.
    if has_word(&anomaly.metric, &["busy", "iops"]) && has_word(&anomaly.metric, &["disk"]) {
        return None;
    }
    const WORDS: [(CauseKind, &[&str]); 5] = [
        (CauseKind::ConnectionsExhausted, &["connection", "conn", "pool", "backends", "sessions"]),
        (CauseKind::MemoryLeak, &["memory", "mem", "heap", "rss", "oom", "swap"]),
        (CauseKind::DiskFull, &["disk", "filesystem", "fs", "inode", "volume", "storage"]),
        (CauseKind::QueueBacklog, &["queue", "lag", "backlog", "pending", "depth"]),
        (CauseKind::CpuSaturation, &["cpu", "throttl", "load", "runnable"]),
    ];
    WORDS.iter().find(|(_, words)| has_word(&anomaly.metric, words)).map(|(kind, _)| *kind)
}

/// True where some part of the name (between `_`, `-`, `.`, `:` or `/`) begins with one of the words.
fn has_word(name: &str, words: &[&str]) -> bool {
    let name = name.to_lowercase();
    name.split(['_', '-', '.', ':', '/', ' ']).any(|part| {
        words.iter().any(|word| {
            if word.len() <= 4 { part == *word || part == format!("{word}s") } else { part.starts_with(word) }
        })
    })
}

/// True where the template of a log anomaly contains one of the phrases, whatever its case.
pub(super) fn template_has(anomaly: &Anomaly, phrases: &[&str]) -> bool {
    anomaly.template.as_ref().is_some_and(|(_, text)| {
        let text = text.to_lowercase();
        phrases.iter().any(|phrase| text.contains(phrase))
    })
}

fn of_change<'a>(picture: &Picture<'a>, change: &'a Change) -> Option<Candidate<'a>> {
    let service = place_of(picture, change)?;
    let resource = leaked_resource(picture, &service, change);
    let own_onset = picture.onset(&service);
    let behind = || {
        let dependents = picture.topology.dependents(&service, crate::engine::limits::TOPOLOGY_HOPS_MAX);
        dependents.keys().filter_map(|caller| picture.onset(caller)).min()
    };
    let onset = resource
        .map(|resource| resource.started_at)
        .into_iter()
        .chain(own_onset)
        .min()
        .or_else(behind)
        .unwrap_or(picture.started_at);
    let slow_queries = picture.view(&service).is_some_and(is_query_latency);
    let kind = match (change.notice.kind, resource.and_then(resource_kind)) {
        (ChangeKind::Network, _) => CauseKind::NetworkPolicy,
        (_, Some(kind)) => kind,
        (ChangeKind::Deploy | ChangeKind::Release, None) => CauseKind::BadDeploy,
        (ChangeKind::Migration, None) if slow_queries => CauseKind::SlowQuery,
        _ => CauseKind::BadConfig,
    };
    let is_silent = own_onset.is_none();
    Some(Candidate { kind, service, change: Some(change), resource, onset, is_silent })
}

/// The change's service or, where it names none, one that its title names, else the service that was hit first.
fn place_of(picture: &Picture<'_>, change: &Change) -> Option<ServiceName> {
    if let Some(service) = &change.notice.service {
        return Some(service.clone());
    }
    let known: BTreeSet<ServiceName> =
        picture.topology.services().into_iter().chain(picture.hit.keys().map(|service| (*service).clone())).collect();
    let named = known
        .into_iter()
        .filter(|service| change.notice.title.contains(service.as_str()))
        .max_by_key(|service| service.as_str().len());
    named.or_else(|| {
        picture.onsets().min_by_key(|(service, onset)| (*onset, *service)).map(|(service, _)| service.clone())
    })
}

/// A resource that filled up after the change, where a change can leak it: memory and disk of the service itself,
/// connections and queues also of what it calls.
fn leaked_resource<'a>(picture: &Picture<'a>, service: &ServiceName, change: &Change) -> Option<&'a Anomaly> {
    if matches!(change.notice.kind, ChangeKind::Network | ChangeKind::OwnAct) {
        return None;
    }
    let own = picture.view(service).into_iter().flat_map(|view| &view.metrics);
    let called = picture
        .topology
        .callees(service)
        .filter_map(|(callee, _)| picture.view(callee))
        .flat_map(|view| &view.metrics)
        .filter(|anomaly| {
            matches!(resource_kind(anomaly), Some(CauseKind::ConnectionsExhausted | CauseKind::QueueBacklog))
        });
    own.chain(called)
        .copied()
        .filter(|anomaly| resource_kind(anomaly).is_some_and(|kind| kind != CauseKind::CpuSaturation))
        .filter(|anomaly| anomaly.started_at >= change.notice.at - CLOCK_SKEW_MS)
        .min_by_key(|anomaly| (resource_kind(anomaly), anomaly.started_at, anomaly.id))
}

/// Services that show nothing but are called by several that fail, or are named by their logs.
fn of_silent_callees<'a>(picture: &Picture<'a>, found: &mut Vec<Candidate<'a>>) {
    let mut callers: BTreeMap<&ServiceName, BTreeSet<&ServiceName>> = BTreeMap::new();
    for (service, _) in picture.onsets() {
        for (callee, _) in picture.topology.callees(service) {
            if picture.onset(callee).is_none() {
                callers.entry(callee).or_default().insert(service);
            }
        }
    }
    for (callee, callers) in callers {
        let is_named = callers
            .iter()
            .filter_map(|caller| picture.view(caller))
            .any(|view| view.logs.iter().any(|line| template_has(line, &[&callee.as_str().to_lowercase()])));
        let is_taken = found.iter().any(|candidate| candidate.service == *callee);
        if (callers.len() >= 2 || is_named) && !is_taken {
            let onset = callers.iter().filter_map(|caller| picture.onset(caller)).min();
            found.push(Candidate {
                kind: CauseKind::Unavailable,
                service: callee.clone(),
                change: None,
                resource: None,
                onset: onset.unwrap_or(picture.started_at),
                is_silent: true,
            });
        }
    }
}
