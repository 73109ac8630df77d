//! From the model's figures to series and samples: what a metrics server would have scraped.

use std::sync::Arc;

use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64;

use super::layout::{self, NodeKind};
use super::performance::Model;
use super::service::Node;
use crate::engine::clock::{SECOND_MS, Timestamp};
use crate::engine::model::{
    BadWhen, Labels, Sample, SeriesDescriptor, SeriesNotice, SeriesRole, ServiceName, Signal, SourceName, Unit,
};

/// Between two live samples of a series.
pub(super) const INTERVAL_MS: i64 = 5 * SECOND_MS;
/// How fast measurement noise forgets: the overlap of the windows that rates are taken over.
const NOISE_MEMORY_MS: f64 = 20_000.0;
/// Noise ends here, in standard deviations: averages over a window have no long tails.
const NOISE_MAX: f64 = 2.2;
/// The 95th percentile as a multiple of the mean.
const P95_TIMES: f64 = 2.4;

/// What is measured, of which nodes, and how.
struct Metric {
    name: &'static str,
    unit: Unit,
    role: SeriesRole,
    bad_when: BadWhen,
    is_skewed: bool,
    limit: Option<f64>,
    noise: Noise,
    is_of: fn(usize) -> bool,
    read: fn(&Node) -> f64,
}

/// How far measurements scatter: one standard deviation.
#[derive(Clone, Copy)]
enum Noise {
    None,
    /// As a share of the value.
    Relative(f64),
    /// In the metric's unit.
    Absolute(f64),
}

const fn metric(
    name: &'static str,
    unit: Unit,
    role: SeriesRole,
    noise: Noise,
    is_of: fn(usize) -> bool,
    read: fn(&Node) -> f64,
) -> Metric {
    let is_share_of_resource = matches!((unit, role), (Unit::Ratio, SeriesRole::Saturation));
    let bad_when = match role {
        SeriesRole::Traffic => BadWhen::Either,
        SeriesRole::Availability | SeriesRole::Other => BadWhen::Low,
        SeriesRole::Errors | SeriesRole::Latency | SeriesRole::Saturation => BadWhen::High,
    };
    let is_skewed = matches!((unit, role), (Unit::Seconds, _) | (Unit::Count, SeriesRole::Saturation));
    Metric {
        name,
        unit,
        role,
        bad_when,
        is_skewed,
        limit: if is_share_of_resource { Some(1.0) } else { None },
        noise,
        is_of,
        read,
    }
}

const METRICS: &[Metric] =
    &[
        metric("up", Unit::Boolean, SeriesRole::Availability, Noise::None, any, |node| {
            if node.figures.is_up { 1.0 } else { 0.0 }
        }),
        metric("request_rate", Unit::PerSecond, SeriesRole::Traffic, Noise::Relative(0.025), any, |node| {
            node.figures.load
        }),
        metric("error_ratio", Unit::Ratio, SeriesRole::Errors, Noise::Relative(0.15), any, |node| node.figures.errors),
        metric("latency_p95", Unit::Seconds, SeriesRole::Latency, Noise::Relative(0.06), is_no_database, p95_seconds),
        metric("query_p95", Unit::Seconds, SeriesRole::Latency, Noise::Relative(0.06), is_database, p95_seconds),
        metric("cpu_used_ratio", Unit::Ratio, SeriesRole::Saturation, Noise::Absolute(0.012), any, |node| {
            node.figures.cpu
        }),
        metric("memory_used_ratio", Unit::Ratio, SeriesRole::Saturation, Noise::Absolute(0.006), any, |node| {
            node.figures.memory
        }),
        metric("disk_used_ratio", Unit::Ratio, SeriesRole::Saturation, Noise::Absolute(0.001), has_disk, |node| {
            node.figures.disk
        }),
        metric(
            "db_connections_used_ratio",
            Unit::Ratio,
            SeriesRole::Saturation,
            Noise::Absolute(0.01),
            has_connections,
            |node| node.figures.connections,
        ),
        metric("db_connect_errors", Unit::PerSecond, SeriesRole::Errors, Noise::Relative(0.08), has_pool, |node| {
            node.figures.connect_errors
        }),
        // What is under way counts as well as what waits.
        metric("queue_depth", Unit::Count, SeriesRole::Saturation, Noise::Relative(0.06), is_consumer, |node| {
            node.figures.backlog + 0.4 * node.figures.load
        }),
    ];

fn any(_: usize) -> bool {
    true
}

fn is_database(at: usize) -> bool {
    layout::NODES[at].kind == NodeKind::Database
}

fn is_no_database(at: usize) -> bool {
    !is_database(at)
}

fn is_consumer(at: usize) -> bool {
    layout::NODES[at].name == layout::CONSUMER
}

fn has_disk(at: usize) -> bool {
    layout::NODES[at].disk_used.is_some()
}

fn has_connections(at: usize) -> bool {
    layout::NODES[at].connections_max > 0.0
}

fn has_pool(at: usize) -> bool {
    layout::pool_database(&layout::NODES[at]).is_some()
}

fn p95_seconds(node: &Node) -> f64 {
    node.figures.latency_ms * P95_TIMES / 1_000.0
}

/// Every series, and the noise of each.
pub(super) struct Telemetry {
    source: SourceName,
    series: Vec<Series>,
    noise: Pcg64,
}

struct Series {
    node: usize,
    metric: &'static Metric,
    /// The noise of the last sample, in standard deviations.
    wobble: f64,
}

impl Telemetry {
    /// Every metric of every node that has it.
    pub fn new(source: SourceName, seed: u64) -> Self {
        let of_node = |node: usize| {
            let metrics = METRICS.iter().filter(move |metric| (metric.is_of)(node));
            metrics.map(move |metric| Series { node, metric, wobble: 0.0 })
        };
        let series = (0..layout::NODES.len()).flat_map(of_node).collect();
        Self { source, series, noise: Pcg64::new(u128::from(seed), 1) }
    }

    /// How many series there are.
    pub fn series_count(&self) -> usize {
        self.series.len()
    }

    /// What each series is; its local number is its position.
    pub fn notices(&self) -> Vec<Signal> {
        let notice = |(local, series): (u32, &Series)| {
            Signal::Series(SeriesNotice { source: self.source.clone(), local, descriptor: series.descriptor() })
        };
        (0u32..).zip(&self.series).map(notice).collect()
    }

    /// Appends a sample of every series that can be measured at this instant, `gap_ms` after the last ones.
    pub fn sample(&mut self, model: &Model, at: Timestamp, gap_ms: i64, samples: &mut Vec<Sample>) {
        let kept = (-(gap_ms as f64) / NOISE_MEMORY_MS).exp();
        let fresh = (1.0 - kept * kept).sqrt();
        for (local, series) in (0u32..).zip(&mut self.series) {
            // Drawn for every series at every instant, so that one that pauses does not shift the others.
            let draw: f64 = StandardNormal.sample(&mut self.noise);
            series.wobble = kept * series.wobble + fresh * draw;
            let node = &model.nodes[series.node];
            // What does not run has nothing that could be scraped.
            if node.figures.is_up || series.metric.role == SeriesRole::Availability {
                samples.push(Sample { local, at, value: series.value(node) });
            }
        }
    }
}

impl Series {
    fn value(&self, node: &Node) -> f64 {
        let value = (self.metric.read)(node);
        let wobble = self.wobble.clamp(-NOISE_MAX, NOISE_MAX);
        let noisy = match self.metric.noise {
            Noise::None => value,
            Noise::Relative(share) => value * (1.0 + share * wobble),
            Noise::Absolute(amount) => value + amount * wobble,
        };
        match self.metric.unit {
            Unit::Ratio | Unit::Boolean => noisy.clamp(0.0, 1.0),
            _ => noisy.max(0.0),
        }
    }

    fn descriptor(&self) -> SeriesDescriptor {
        SeriesDescriptor {
            metric: Arc::from(self.metric.name),
            service: ServiceName::new(layout::NODES[self.node].name),
            instance: None,
            unit: self.metric.unit,
            role: self.metric.role,
            bad_when: self.metric.bad_when,
            is_skewed: self.metric.is_skewed,
            limit: self.metric.limit,
            interval_ms: u32::try_from(INTERVAL_MS).unwrap_or(u32::MAX),
            labels: Labels::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_the_golden_signals() {
        let telemetry = Telemetry::new(SourceName::new("shop"), 1);
        for node in 0..layout::NODES.len() {
            for role in [SeriesRole::Traffic, SeriesRole::Errors, SeriesRole::Latency, SeriesRole::Saturation] {
                let has = telemetry.series.iter().any(|series| series.node == node && series.metric.role == role);
                assert!(has, "{} has no {role:?}", layout::NODES[node].name);
            }
        }
        assert!(telemetry.series_count() >= 110, "{}", telemetry.series_count());
    }

    #[test]
    fn a_node_that_is_down_says_only_that() {
        let mut model = Model::new();
        let cache = layout::at("cache");
        model.nodes[cache].figures.is_up = false;
        let mut telemetry = Telemetry::new(SourceName::new("shop"), 1);
        let mut samples = Vec::new();
        telemetry.sample(&model, Timestamp(0), INTERVAL_MS, &mut samples);
        let of_cache: Vec<_> =
            samples.iter().filter(|sample| telemetry.series[sample.local as usize].node == cache).collect();
        assert_eq!(of_cache.len(), 1);
        assert_eq!(of_cache[0].value, 0.0);
        assert!(samples.iter().all(|sample| sample.value.is_finite()));
    }
}
