//! What could be the cause by the symptoms: every kind of failure that a service shows, every change, and services that
//! show nothing while those who call them fail.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::Graph;
use super::symptoms::{ServiceView, Symptoms};
use crate::engine::clock::Timestamp;
use crate::engine::limits::CLOCK_SKEW_MS;
use crate::engine::model::{Anomaly, AnomalyKind, CauseKind, Change, ChangeKind, SeriesRole};
use crate::engine::root_cause::case::{Case, NodeId};

/// One of them: what kind of failure it would be, where, and by what.
#[derive(Debug, Clone, Copy)]
pub struct Cause<'a> {
    /// What kind of failure.
    pub kind: CauseKind,
    /// Where.
    pub node: NodeId,
    /// The change that would be to blame.
    pub change: Option<&'a Change>,
    /// The resource it is about, and whose it is: the service's own, or that of one it calls.
    pub resource: Option<(NodeId, &'a Anomaly)>,
    /// The first symptom it would have to explain.
    pub onset: Timestamp,
    /// True where the service itself shows nothing.
    pub is_silent: bool,
}

impl Cause<'_> {
    /// Whose resource it is about.
    #[must_use]
    pub fn resource_of(&self) -> Option<NodeId> {
        self.resource.map(|(node, _)| node)
    }
}

/// Every cause that could be, in a fixed order.
#[must_use]
pub fn causes<'a>(symptoms: &Symptoms<'a>, case: &Case, graph: &Graph) -> Vec<Cause<'a>> {
    let mut found = Vec::new();
    for (node, view) in &symptoms.hit {
        of_service(*node, view, symptoms.started_at, &mut found);
    }
    let scene = Scene { symptoms, case, graph };
    found.extend(symptoms.suspects.iter().filter_map(|change| scene.of_change(change)));
    scene.of_silent_callees(&mut found);
    found
}

/// What a service shows of itself: each resource at its limit, no answer, slow queries, overload; plain errors or
/// slowness only where nothing more telling is there.
fn of_service<'a>(node: NodeId, view: &ServiceView<'a>, started_at: Timestamp, found: &mut Vec<Cause<'a>>) {
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
    found.extend(kinds.into_iter().map(|(kind, resource)| Cause {
        kind,
        node,
        change: None,
        resource: resource.map(|resource| (node, resource)),
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
#[must_use]
pub fn is_absent(anomaly: &Anomaly) -> bool {
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
#[must_use]
pub fn resource_kind(anomaly: &Anomaly) -> Option<CauseKind> {
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
#[must_use]
pub fn template_has(anomaly: &Anomaly, phrases: &[&str]) -> bool {
    anomaly.template.as_ref().is_some_and(|(_, text)| {
        let text = text.to_lowercase();
        phrases.iter().any(|phrase| text.contains(phrase))
    })
}

struct Scene<'s, 'a> {
    symptoms: &'s Symptoms<'a>,
    case: &'s Case,
    graph: &'s Graph,
}

impl<'a> Scene<'_, 'a> {
    fn of_change(&self, change: &'a Change) -> Option<Cause<'a>> {
        let symptoms = self.symptoms;
        let node = self.place_of(change)?;
        let resource = self.leaked_resource(node, change);
        let own_onset = symptoms.onset(node);
        let onset = resource
            .map(|(_, resource)| resource.started_at)
            .into_iter()
            .chain(own_onset)
            .min()
            .or_else(|| symptoms.onset_behind(self.graph, node))
            .unwrap_or(symptoms.started_at);
        let slow_queries = symptoms.view(node).is_some_and(is_query_latency);
        let kind = match (change.notice.kind, resource.and_then(|(_, resource)| resource_kind(resource))) {
            (ChangeKind::Network, _) => CauseKind::NetworkPolicy,
            (_, Some(kind)) => kind,
            (ChangeKind::Deploy | ChangeKind::Release, None) => CauseKind::BadDeploy,
            (ChangeKind::Migration, None) if slow_queries => CauseKind::SlowQuery,
            _ => CauseKind::BadConfig,
        };
        Some(Cause { kind, node, change: Some(change), resource, onset, is_silent: own_onset.is_none() })
    }

    /// The change's service or, where it names none, one that its title names, else the service that was hit first.
    fn place_of(&self, change: &Change) -> Option<NodeId> {
        if let Some(service) = &change.notice.service {
            return self.case.find(service.as_str());
        }
        let named = (0..self.case.nodes.len())
            .filter(|node| change.notice.title.contains(self.case.name(*node)))
            .max_by_key(|node| (self.case.name(*node).len(), *node));
        named.or_else(|| self.symptoms.onsets().min_by_key(|(node, onset)| (*onset, *node)).map(|(node, _)| node))
    }

    /// A resource that filled up after the change, where a change can leak it: memory and disk of the service itself,
    /// connections and queues also of what it calls.
    fn leaked_resource(&self, node: NodeId, change: &Change) -> Option<(NodeId, &'a Anomaly)> {
        if matches!(change.notice.kind, ChangeKind::Network | ChangeKind::OwnAct) {
            return None;
        }
        let of = |node: NodeId| {
            let metrics = self.symptoms.view(node).into_iter().flat_map(|view| &view.metrics);
            metrics.map(move |anomaly| (node, *anomaly))
        };
        let is_shared = |(_, anomaly): &(NodeId, &Anomaly)| {
            matches!(resource_kind(anomaly), Some(CauseKind::ConnectionsExhausted | CauseKind::QueueBacklog))
        };
        let called = self.graph.callees(node).iter().flat_map(|callee| of(*callee)).filter(is_shared);
        of(node)
            .chain(called)
            .filter(|(_, anomaly)| resource_kind(anomaly).is_some_and(|kind| kind != CauseKind::CpuSaturation))
            .filter(|(_, anomaly)| anomaly.started_at >= change.notice.at - CLOCK_SKEW_MS)
            .min_by_key(|(_, anomaly)| (resource_kind(anomaly), anomaly.started_at, anomaly.id))
    }

    /// Services that show nothing but are called by several that fail, or are named by their logs.
    fn of_silent_callees(&self, found: &mut Vec<Cause<'a>>) {
        let symptoms = self.symptoms;
        let mut callers: BTreeMap<NodeId, BTreeSet<NodeId>> = BTreeMap::new();
        for (node, _) in symptoms.onsets() {
            for callee in self.graph.callees(node).iter().filter(|callee| symptoms.onset(**callee).is_none()) {
                callers.entry(*callee).or_default().insert(node);
            }
        }
        for (callee, callers) in callers {
            let name = self.case.name(callee).to_lowercase();
            let is_named = callers
                .iter()
                .filter_map(|caller| symptoms.view(*caller))
                .any(|view| view.logs.iter().any(|line| template_has(line, &[&name])));
            let is_taken = found.iter().any(|cause| cause.node == callee);
            if (callers.len() >= 2 || is_named) && !is_taken {
                let onset = callers.iter().filter_map(|caller| symptoms.onset(*caller)).min();
                found.push(Cause {
                    kind: CauseKind::Unavailable,
                    node: callee,
                    change: None,
                    resource: None,
                    onset: onset.unwrap_or(symptoms.started_at),
                    is_silent: true,
                });
            }
        }
    }
}
