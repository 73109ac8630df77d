//! Metrics against their healthy time: centre and spread there, departures here, onset.

use std::collections::BTreeMap;

use super::kind::{MetricKind, kind_of};
use crate::engine::root_cause::case::{Case, Column, InstanceId, MetricTable, NodeId, Seconds};
use crate::engine::root_cause::robust::{Spread, spread};

/// One metric of one service (or copy).
#[derive(Debug, Clone)]
pub struct MetricView {
    /// Whose.
    pub node: NodeId,
    /// Of which copy, where it is of one.
    pub instance: Option<InstanceId>,
    /// Its name, as written.
    pub metric: String,
    /// What it measures.
    pub kind: MetricKind,
    /// Its healthy time; `None` where there is none.
    pub healthy: Option<Spread>,
    /// Samples in the incident: (time, value).
    pub samples: Vec<(Seconds, f64)>,
    /// Mean departure of the incident's samples, in healthy sigmas, signed; the median where there are three or more.
    pub shift: f64,
    /// The largest departure of a sample, in healthy sigmas, signed.
    pub peak: f64,
    /// The median departure of the late rows, those around the page and after: what is still there when it paged.
    pub late: f64,
    /// The first sample that departs by 3 sigmas or more; its uncertainty is one step.
    pub onset: Option<Seconds>,
    /// Healthy samples a healthy row, and now; a drop is a metric that went missing.
    pub coverage: (f64, f64),
}

/// All of them.
#[derive(Debug, Default)]
pub struct Metrics {
    /// The views, in the table's order.
    pub views: Vec<MetricView>,
    /// Indices of views by node.
    pub of_node: Vec<Vec<usize>>,
    /// Seconds between rows; 0 where unknown.
    pub step: Seconds,
    /// From when on a sample is one of "still there when it paged".
    pub late_from: Seconds,
}

/// A departure from here on is an onset.
const ONSET_SIGMAS: f64 = 3.0;
/// Departures beyond are no further.
const SIGMAS_MAX: f64 = 100.0;

impl Metrics {
    /// The picture of a case's metrics.
    #[must_use]
    pub fn new(case: &Case) -> Self {
        let now = &case.now.metrics;
        let healthy_by: BTreeMap<(NodeId, Option<InstanceId>, &str), &Column> =
            case.healthy.metrics.columns.iter().map(|column| (key(column), column)).collect();
        let in_incident = rows_in(now, |ts| case.incident.contains(ts));
        let before = |ts: Seconds| ts < case.incident.start;
        let in_baseline =
            |ts: Seconds| case.baseline.is_some_and(|span| span.contains(ts)) && !case.incident.contains(ts);
        let mut own_healthy = rows_in(now, in_baseline);
        if own_healthy.is_empty() {
            own_healthy = rows_in(now, before);
        }
        let views: Vec<MetricView> = now
            .columns
            .iter()
            .map(|column| {
                let mut values: Vec<f64> = pick(column, &own_healthy).collect();
                let mut rows = own_healthy.len();
                if let Some(other) = healthy_by.get(&key(column)) {
                    values.extend(other.values.iter().copied());
                    rows += other.values.len();
                }
                view(column, values, rows, now, &in_incident)
            })
            .collect();
        let mut views = views;
        let late_from = late_from(case, step(&now.ts));
        pool_scales(&mut views);
        views.iter_mut().for_each(|view| view.measure(late_from));
        let mut of_node = vec![Vec::new(); case.nodes.len()];
        for (at, view) in views.iter().enumerate() {
            if let Some(list) = of_node.get_mut(view.node) {
                list.push(at);
            }
        }
        Self { views, of_node, step: step(&now.ts), late_from }
    }

    /// The views of a node.
    pub fn of(&self, node: NodeId) -> impl Iterator<Item = &MetricView> {
        self.of_node.get(node).into_iter().flatten().filter_map(|at| self.views.get(*at))
    }
}

fn key(column: &Column) -> (NodeId, Option<InstanceId>, &str) {
    (column.node, column.instance, column.metric.as_str())
}

fn rows_in(table: &MetricTable, is_in: impl Fn(Seconds) -> bool) -> Vec<usize> {
    table.ts.iter().enumerate().filter(|(_, ts)| is_in(**ts)).map(|(at, _)| at).collect()
}

fn pick<'c>(column: &'c Column, rows: &'c [usize]) -> impl Iterator<Item = f64> + 'c {
    rows.iter().filter_map(|at| column.values.get(*at).copied())
}

fn view(
    column: &Column,
    mut values: Vec<f64>,
    healthy_rows: usize,
    now: &MetricTable,
    incident: &[usize],
) -> MetricView {
    let healthy = spread(&mut values);
    let at = |row: &usize| Some((*now.ts.get(*row)?, *column.values.get(*row)?));
    let samples: Vec<(Seconds, f64)> = incident.iter().filter_map(at).filter(|(_, value)| value.is_finite()).collect();
    MetricView {
        node: column.node,
        instance: column.instance,
        metric: column.metric.clone(),
        kind: kind_of(&column.metric),
        healthy,
        shift: 0.0,
        late: 0.0,
        peak: 0.0,
        onset: None,
        coverage: (share(healthy.map_or(0, |spread| spread.count), healthy_rows), share(samples.len(), incident.len())),
        samples,
    }
}

impl MetricView {
    /// A sample's departure in healthy sigmas; 0 without a healthy time.
    #[must_use]
    pub fn sigmas(&self, value: f64) -> f64 {
        self.healthy.map_or(0.0, |healthy| ((value - healthy.centre) / healthy.scale).clamp(-SIGMAS_MAX, SIGMAS_MAX))
    }

    fn measure(&mut self, late_from: Seconds) {
        let sigmas: Vec<(Seconds, f64)> = self.samples.iter().map(|(ts, value)| (*ts, self.sigmas(*value))).collect();
        self.peak =
            sigmas.iter().map(|(_, s)| *s).fold(0.0, |peak: f64, s| if s.abs() > peak.abs() { s } else { peak });
        self.onset = sigmas.iter().find(|(_, s)| s.abs() >= ONSET_SIGMAS).map(|(ts, _)| *ts);
        let median_of = |from: Seconds| {
            let mut values: Vec<f64> = sigmas.iter().filter(|(ts, _)| *ts >= from).map(|(_, s)| *s).collect();
            crate::engine::root_cause::robust::median(&mut values)
        };
        self.shift = median_of(f64::NEG_INFINITY).unwrap_or(0.0);
        self.late = median_of(late_from).unwrap_or(self.shift);
    }
}

/// Two rows or a minute before the page, whichever is longer.
fn late_from(case: &Case, step: Seconds) -> Seconds {
    case.detected_at - (2.0 * step).max(60.0)
}

/// A metric that hardly moved in one service's healthy time may just have been lucky: no scale is below half of what is
/// usual for the same metric elsewhere, as far as that is below a tenth of its own centre.
fn pool_scales(views: &mut [MetricView]) {
    let mut scales: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for view in views.iter() {
        if let Some(healthy) = view.healthy {
            scales.entry(view.metric.clone()).or_default().push(healthy.bare);
        }
    }
    let pooled: BTreeMap<String, f64> = scales
        .into_iter()
        .filter_map(|(metric, mut scales)| Some((metric, crate::engine::root_cause::robust::median(&mut scales)?)))
        .collect();
    for view in views {
        if let (Some(healthy), Some(pool)) = (&mut view.healthy, pooled.get(&view.metric)) {
            healthy.scale = healthy.scale.max(0.5 * pool);
        }
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The usual time between rows.
fn step(ts: &[Seconds]) -> Seconds {
    let mut gaps: Vec<f64> =
        ts.windows(2).filter_map(|pair| Some(pair.get(1)? - pair.first()?)).filter(|gap| *gap > 0.0).collect();
    crate::engine::root_cause::robust::median(&mut gaps).unwrap_or(0.0)
}
