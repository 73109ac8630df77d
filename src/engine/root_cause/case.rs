//! One incident as data: services, who calls whom, instances, changes, and tables of what was measured and heard.
//!
//! Names become dense numbers (`NodeId`, `InstanceId`) once, here; everything after works on numbers.

mod tables;

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::model::{Incident, ServiceName};
use crate::engine::world::World;

pub use self::tables::{
    AlertRow, AlertSource, Column, LogRow, LogTemplate, Loudness, MetricTable, SpanRow, Tables, loudness,
};

/// A service or anything else that stands in the graph; index into `Case::nodes`.
pub type NodeId = usize;
/// Index into `Case::instances`.
pub type InstanceId = usize;

/// Seconds since the epoch.
pub type Seconds = f64;

/// A span of time, both ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// Its first second.
    pub start: Seconds,
    /// Its last.
    pub end: Seconds,
}

impl Span {
    /// True where `at` lies within.
    #[must_use]
    pub fn contains(&self, at: Seconds) -> bool {
        at >= self.start && at <= self.end
    }
}

/// A name in the graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// As it is written.
    pub name: String,
    /// True where it may be answered; false for names that only signals, edges or the page know.
    pub is_answerable: bool,
}

/// One running copy of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// As it is written.
    pub name: String,
    /// Whose copy it is.
    pub node: NodeId,
    /// Where it runs, where that is known.
    pub host: Option<String>,
}

/// What kind of change an event of the case is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseChangeKind {
    /// A commit, merged.
    Commit,
    /// A roll-out.
    Deploy,
    /// A feature flag.
    Flag,
    /// Anything else.
    Other,
}

/// A change that is told of.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseChange {
    /// The id to answer with.
    pub id: String,
    /// What kind.
    pub kind: CaseChangeKind,
    /// When.
    pub ts: Seconds,
    /// On which service, where it is said.
    pub node: Option<NodeId>,
    /// Who made it.
    pub author: Option<String>,
    /// In a line.
    pub title: String,
    /// Files that it touches.
    pub files: Vec<String>,
    /// The diff, where there is one.
    pub diff: String,
    /// The commit that a deploy ships.
    pub commit: Option<String>,
}

/// What paged.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Symptom {
    /// The service that paged, as a node.
    pub node: Option<NodeId>,
    /// The metric that paged.
    pub metric: Option<String>,
    /// The summary, threshold and observed value, as text.
    pub text: String,
}

/// The whole of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its id; only for messages.
    pub id: String,
    /// When it paged.
    pub detected_at: Seconds,
    /// What is to be explained.
    pub incident: Span,
    /// A time known to be healthy; before or after.
    pub baseline: Option<Span>,
    /// What paged.
    pub symptom: Option<Symptom>,
    /// Every name, answerable ones first and in the case's order.
    pub nodes: Vec<Node>,
    /// How many of `nodes` were listed as services.
    pub service_count: usize,
    /// Who calls whom: (caller, callee), without duplicates and self calls, sorted.
    pub calls: Vec<(NodeId, NodeId)>,
    /// Copies of services.
    pub instances: Vec<Instance>,
    /// Changes, by time.
    pub changes: Vec<CaseChange>,
    /// What was seen around the incident.
    pub now: Tables,
    /// The same from a healthy time in files of its own; may be empty.
    pub healthy: Tables,
    /// The text of operations, of both tables.
    pub ops: Vec<String>,
    /// The templates of log lines, of both tables.
    pub templates: Vec<LogTemplate>,
    /// What was set aside while it was read, with counts; for stderr.
    pub set_aside: Vec<String>,
    /// True where a whole file could not be read.
    pub is_partial: bool,
    pub(crate) by_name: BTreeMap<String, NodeId>,
    pub(crate) instance_by_name: BTreeMap<String, InstanceId>,
    pub(crate) op_by_name: BTreeMap<String, u32>,
}

impl Default for Case {
    fn default() -> Self {
        let never = Span { start: 0.0, end: 0.0 };
        Self {
            id: String::new(),
            detected_at: 0.0,
            incident: never,
            baseline: None,
            symptom: None,
            nodes: Vec::new(),
            service_count: 0,
            calls: Vec::new(),
            instances: Vec::new(),
            changes: Vec::new(),
            now: Tables::default(),
            healthy: Tables::default(),
            ops: Vec::new(),
            templates: Vec::new(),
            set_aside: Vec::new(),
            is_partial: false,
            by_name: BTreeMap::new(),
            instance_by_name: BTreeMap::new(),
            op_by_name: BTreeMap::new(),
        }
    }
}

impl Case {
    /// A case about nothing yet: what is to be explained, a healthy time, and when it paged.
    #[must_use]
    pub fn over(incident: Span, baseline: Option<Span>, detected_at: Seconds) -> Self {
        Self { incident, baseline, detected_at, ..Self::default() }
    }

    /// The names and calls around an incident: every service of the topology, of its members and of its changes.
    #[must_use]
    pub fn of_incident(world: &World, incident: &Incident) -> Self {
        let anomalies = world.anomalies.values().map(|anomaly| &anomaly.service);
        let alerts = incident.alerts.iter().filter_map(|id| world.alerts.get(id)?.notice.service.as_ref());
        let changes = incident.changes.iter().filter_map(|id| world.changes.get(id)?.notice.service.as_ref());
        let calls = world.topology.edges().flat_map(|(caller, callee, _)| [caller, callee]);
        let names: BTreeSet<&ServiceName> = anomalies.chain(alerts).chain(changes).chain(calls).collect();
        let mut case = Self::default();
        for name in names {
            case.node(name.as_str());
        }
        case.service_count = case.nodes.len();
        case.nodes.iter_mut().for_each(|node| node.is_answerable = true);
        let numbers = |(caller, callee, _): (&ServiceName, &ServiceName, _)| {
            Some((case.find(caller.as_str())?, case.find(callee.as_str())?))
        };
        case.calls = world.topology.edges().filter_map(numbers).collect();
        case.calls.sort_unstable();
        case
    }

    /// The number of a name; a new one is kept as not answerable.
    pub fn node(&mut self, name: &str) -> NodeId {
        if let Some(id) = self.by_name.get(name) {
            return *id;
        }
        let id = self.nodes.len();
        self.nodes.push(Node { name: name.to_owned(), is_answerable: false });
        self.by_name.insert(name.to_owned(), id);
        id
    }

    /// The number of a name that is known.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.by_name.get(name).copied()
    }

    /// The number of an instance; one that was not listed is taken in, as a copy of `node`.
    pub fn instance(&mut self, name: &str, node: NodeId, host: Option<&str>) -> InstanceId {
        if let Some(id) = self.instance_by_name.get(name).copied() {
            if let (Some(known), Some(host)) = (self.instances.get_mut(id), host)
                && known.host.is_none()
            {
                known.host = Some(host.to_owned());
            }
            return id;
        }
        let id = self.instances.len();
        self.instances.push(Instance { name: name.to_owned(), node, host: host.map(str::to_owned) });
        self.instance_by_name.insert(name.to_owned(), id);
        id
    }

    /// The number of an instance that is known.
    #[must_use]
    pub fn find_instance(&self, name: &str) -> Option<InstanceId> {
        self.instance_by_name.get(name).copied()
    }

    /// The number of an operation.
    pub fn op(&mut self, name: &str) -> u32 {
        if let Some(id) = self.op_by_name.get(name) {
            return *id;
        }
        let id = u32::try_from(self.ops.len()).unwrap_or(u32::MAX);
        self.ops.push(name.to_owned());
        self.op_by_name.insert(name.to_owned(), id);
        id
    }

    /// The name of a node; empty for a number that is none.
    #[must_use]
    pub fn name(&self, node: NodeId) -> &str {
        self.nodes.get(node).map_or("", |node| node.name.as_str())
    }

    /// Copies of a service, in the case's order.
    pub fn instances_of(&self, node: NodeId) -> impl Iterator<Item = (InstanceId, &Instance)> {
        self.instances.iter().enumerate().filter(move |(_, instance)| instance.node == node)
    }
}
