//! The incident as root cause looks at it: what each service shows against its healthy time, and who calls whom.

pub mod alerts;
pub mod causes;
pub mod changes;
pub mod contents;
pub mod flow;
pub mod golden;
pub mod graph;
pub mod kind;
pub mod logs;
pub mod metrics;
pub mod profile;
pub mod symptoms;
pub mod traces;

use crate::engine::model::{Incident, ServiceName};
use crate::engine::root_cause::case::{Case, NodeId};
use crate::engine::world::World;

/// The whole of it. Each part is empty where the case has no such signal.
#[derive(Debug)]
pub struct Picture<'a> {
    /// What it was made of.
    pub case: &'a Case,
    /// Who calls whom, and how far each is from what paged.
    pub graph: graph::Graph,
    /// Metrics against their healthy time.
    pub metrics: metrics::Metrics,
    /// Accounting for what paged.
    pub flows: Vec<flow::Flow>,
    /// Streams of alerts.
    pub alerts: alerts::Alerts,
    /// Traces against their healthy time.
    pub traces: traces::Traces,
    /// Which change explains what happens.
    pub changes: changes::Changes,
    /// Log templates against their healthy time.
    pub logs: logs::Logs<'a>,
    /// What detection told.
    pub symptoms: symptoms::Symptoms<'a>,
    /// True where detection watched: then the symptoms say who may be the cause, and who shows none is well.
    pub is_watched: bool,
}

impl<'a> Picture<'a> {
    /// The picture of a case in tables that nobody watched.
    #[must_use]
    pub fn new(case: &'a Case) -> Self {
        let logs = logs::Logs::new(case);
        let graph = graph::Graph::new(case);
        let metrics = metrics::Metrics::new(case);
        let traces = traces::Traces::new(case, &logs);
        Self {
            case,
            flows: flow::flows(case, &graph, &metrics),
            changes: changes::Changes::new(case, &graph, &logs, &traces),
            alerts: alerts::Alerts::new(case, &graph),
            graph,
            metrics,
            traces,
            logs,
            symptoms: symptoms::Symptoms::default(),
            is_watched: false,
        }
    }

    /// The picture of an incident that detection told of; `case` is made of the same two.
    #[must_use]
    pub fn of_incident(case: &'a Case, world: &'a World, incident: &Incident, hops_max: usize) -> Self {
        let mut picture = Self::new(case);
        picture.symptoms = symptoms::Symptoms::new(world, incident, case, &picture.graph, hops_max);
        picture.is_watched = true;
        picture
    }

    /// The name of a service.
    #[must_use]
    pub fn name(&self, node: NodeId) -> &'a str {
        self.case.name(node)
    }

    /// The name of a service, as the console keeps names.
    #[must_use]
    pub fn service(&self, node: NodeId) -> ServiceName {
        ServiceName::new(self.name(node))
    }
}
