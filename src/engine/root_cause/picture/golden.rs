//! Which of a node's metrics tell how slow it is, how often it fails and how much is asked of it.

use super::kind::{MetricKind, words_of};
use super::metrics::Metrics;
use crate::engine::root_cause::case::Case;

/// How a metric tells of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureForm {
    /// The share that is answered, of 100.
    PercentGood,
    /// The share that is answered, of 1.
    ShareGood,
    /// The share that fails, of 100.
    PercentBad,
    /// The share that fails, of 1.
    ShareBad,
    /// How many fail.
    Count,
}

/// One node's golden signals: indices of views.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Golden {
    /// How long requests take.
    pub latency: Option<usize>,
    /// How many fail.
    pub failures: Option<(usize, FailureForm)>,
    /// How much is asked.
    pub traffic: Option<usize>,
}

/// The golden signals of every node. Where the page names a metric, a node's metric of the same name comes first.
#[must_use]
pub fn golden(case: &Case, metrics: &Metrics) -> Vec<Golden> {
    let paged = case.symptom.as_ref().and_then(|symptom| symptom.metric.as_deref());
    (0..case.nodes.len()).map(|node| of_node(node, metrics, paged)).collect()
}

fn of_node(node: usize, metrics: &Metrics, paged: Option<&str>) -> Golden {
    let views =
        || metrics.of_node.get(node).into_iter().flatten().filter_map(|at| Some((*at, metrics.views.get(*at)?)));
    let best = |kind: MetricKind, order: &[&str]| {
        let place = |name: &str| {
            let words = words_of(name);
            order.iter().position(|word| words.iter().any(|part| part == word)).unwrap_or(order.len())
        };
        views()
            .filter(|(_, view)| view.kind == kind && (!view.samples.is_empty() || view.healthy.is_some()))
            .min_by_key(|(at, view)| {
                (Some(view.metric.as_str()) != paged, view.instance.is_some(), place(&view.metric), *at)
            })
    };
    // Means add up along calls; of quantiles the middle ones nearly do.
    let latency =
        best(MetricKind::Latency, &["average", "avg", "mean", "p50", "50", "p75", "75", "p90", "90", "p95", "95"]);
    let traffic =
        best(MetricKind::Traffic, &["requests", "request", "workload", "rps", "qps", "throughput", "calls", "count"]);
    let good = best(MetricKind::Availability, &["average", "avg", "availability"]);
    let bad = best(MetricKind::Errors, &["5xx", "error", "errors", "failed", "faults"]);
    let failures = good.or(bad).map(|(at, view)| {
        let top = view
            .samples
            .iter()
            .map(|(_, value)| *value)
            .chain(view.healthy.map(|healthy| healthy.high))
            .fold(0.0, f64::max);
        let words = words_of(&view.metric);
        let is_share = ["ratio", "share", "rate", "percent", "pct", "average", "avg"]
            .iter()
            .any(|word| words.iter().any(|part| part == word));
        let form = match (view.kind == MetricKind::Availability, top > 1.5, is_share) {
            (true, true, _) => FailureForm::PercentGood,
            (true, false, _) => FailureForm::ShareGood,
            (false, true, true) if top <= 100.0 => FailureForm::PercentBad,
            (false, false, true) => FailureForm::ShareBad,
            _ => FailureForm::Count,
        };
        (at, form)
    });
    Golden { latency: latency.map(|(at, _)| at), failures, traffic: traffic.map(|(at, _)| at) }
}
