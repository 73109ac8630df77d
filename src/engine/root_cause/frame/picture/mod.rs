//! The incident as root cause looks at it: what each service shows against its healthy time, and who calls whom.

pub mod alerts;
pub mod changes;
pub mod flow;
pub mod golden;
pub mod graph;
pub mod kind;
pub mod logs;
pub mod metrics;
pub mod profile;
pub mod traces;

use crate::engine::root_cause::frame::case::Case;

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
    pub logs: logs::Logs,
}

impl<'a> Picture<'a> {
    /// The picture of a case.
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
        }
    }
}
