//! Accounting for the page: how much of its extra time or failures arises in which node.
//!
//! Time and failures add up along calls: what a caller waits longer is what its callees take longer (times the calls)
//! plus what it takes longer itself. So each node's excess, `requests x (latency - usual)` or failed requests, is set
//! against the page's own excess over time, and what its callees account for is taken out. What stays is where it arises.
//! Where requests are not measured, how often a caller calls is not known, and a callee may account for several times
//! its own excess.

use super::golden::{FailureForm, Golden, golden};
use super::graph::Graph;
use super::kind::{MetricKind, kind_of};
use super::metrics::Metrics;
use super::profile::{self, Profile, QUIET_MAX};
use crate::engine::root_cause::case::{Case, NodeId};
use crate::engine::root_cause::robust::median;

/// What adds up along calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Seconds (or whatever latency is measured in) spent.
    Time,
    /// Requests failed.
    Failures,
}

/// One node's part.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Part {
    /// Excess a row while it lasts, in the quantity's unit.
    pub excess: f64,
    /// The standard error of `excess`, by the node's own noise.
    pub error: f64,
    /// What is left of `excess` after what its callees account for, not below 0.
    pub own: f64,
    /// `own` over its standard error.
    pub own_z: f64,
    /// `own` over the page's excess, at most 1.
    pub share: f64,
    /// True where nothing was ever asked of it before.
    pub is_new: bool,
    /// Usual and present value, for the sentence.
    pub from_to: (f64, f64),
}

impl Part {
    /// How far the excess stands out of the node's own noise.
    #[must_use]
    pub fn z(&self) -> f64 {
        if self.error > 0.0 { (self.excess / self.error).clamp(-1e3, 1e3) } else { 0.0 }
    }
}

/// The accounting of one quantity.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    /// What is accounted for.
    pub quantity: Quantity,
    /// The node whose excess is to be explained.
    pub page: NodeId,
    /// The page's part.
    pub total: Part,
    /// By node; `None` where it is not measured.
    pub parts: Vec<Option<Part>>,
    /// Calls from the page down to each node.
    pub hops: Vec<Option<u32>>,
    /// How bad each row is.
    pub profile: Profile,
    /// False where nothing paged that is measured, so that another node stands for the page.
    pub is_paged: bool,
    /// True where what is accounted for adds up along calls; else it is no more than an estimate.
    pub is_exact: bool,
}

/// An excess explains another's only from this many standard errors on.
const EXPLAINS_Z: f64 = 2.0;
/// Without counts of requests a callee may account for this many times its own excess.
const CALLS_UNKNOWN: f64 = 3.0;
/// Without counts of requests an excess of so many standard errors counts half.
const FAINT_Z: f64 = 5.0;
/// What a node waits for takes up to this share of the node's own usual time, as far as that can be measured.
const WITHIN: f64 = 1.3;
/// A page that stands out by less than this pages for something else.
const PAGE_Z: f64 = 2.0;
/// The noise of a value is at least this share of it.
const NOISE_SHARE_MIN: f64 = 0.02;

/// The accounting for what paged: of time, of failures, or both where the page does not say which. Where what paged
/// does not stand out in either (or nothing paged), for what stands out most.
#[must_use]
pub fn flows(case: &Case, graph: &Graph, metrics: &Metrics) -> Vec<Flow> {
    let golden = golden(case, metrics);
    let rows = profile::incident_rows(case);
    if rows.is_empty() {
        return Vec::new();
    }
    let wanted = wanted(case);
    let before = profile::rows_before(case, rows.len());
    let (is_counted, is_quantile) = measured_how(metrics, &golden);
    let of = |quantity: Quantity| Accounts {
        case,
        metrics,
        golden: &golden,
        quantity,
        rows: &rows,
        before: &before,
        is_counted,
        is_quantile,
    };
    let paged = case.symptom.as_ref().and_then(|symptom| symptom.node);
    let mut found: Vec<Flow> = wanted
        .iter()
        .filter_map(|quantity| of(*quantity).flow(graph, paged?))
        .filter(|flow| flow.total.z() >= PAGE_Z)
        .collect();
    if found.is_empty() {
        let late = profile::late(case, &rows, metrics.late_from);
        let loudest = wanted.iter().filter_map(|quantity| {
            let accounts = of(*quantity);
            let (node, z) = widest(graph, &accounts.parts(&late))?;
            Some((*quantity, node, z))
        });
        let loudest = loudest.max_by(|a, b| a.2.total_cmp(&b.2)).filter(|(_, _, z)| *z >= PAGE_Z);
        found.extend(
            loudest.and_then(|(quantity, node, _)| Some(Flow { is_paged: false, ..of(quantity).flow(graph, node)? })),
        );
    }
    found
}

/// Where nothing paged: of the nodes that stand out the one below which most of them lie, and how far it stands out.
fn widest(graph: &Graph, parts: &[Option<Part>]) -> Option<(NodeId, f64)> {
    let z_of = |node: usize| parts.get(node).copied().flatten().map_or(0.0, |part| part.z());
    let loud = |node: &usize| z_of(*node) >= PAGE_Z;
    let below = |node: usize| {
        let hops = graph.hops_down(node);
        hops.iter()
            .enumerate()
            .filter(|(other, hops)| hops.is_some() && loud(other))
            .map(|(other, _)| believed(z_of(other)))
            .sum::<f64>()
    };
    let all = (0..parts.len()).filter(loud).map(|node| (node, below(node), z_of(node)));
    let widest = all.max_by(|a, b| (a.1 + a.2 / 1e4).total_cmp(&(b.1 + b.2 / 1e4)));
    widest.map(|(node, _, z)| (node, z))
}

/// From 0 to 1: how far a departure of so many standard errors is believed.
fn believed(z: f64) -> f64 {
    z * z / (z * z + FAINT_Z * FAINT_Z)
}

fn wanted(case: &Case) -> Vec<Quantity> {
    let metric = case.symptom.as_ref().and_then(|symptom| symptom.metric.as_deref());
    match metric.map(kind_of) {
        Some(MetricKind::Latency) => vec![Quantity::Time],
        Some(MetricKind::Errors | MetricKind::Availability) => vec![Quantity::Failures],
        _ => vec![Quantity::Time, Quantity::Failures],
    }
}

/// Whether nearly every node's requests are counted, and whether most latencies are high quantiles.
fn measured_how(metrics: &Metrics, golden: &[Golden]) -> (bool, bool) {
    let measured = golden.iter().filter(|golden| golden.latency.is_some() || golden.failures.is_some());
    let (all, counted) =
        measured.fold((0, 0), |(all, counted), golden| (all + 1, counted + usize::from(golden.traffic.is_some())));
    let latencies = golden.iter().filter_map(|golden| metrics.views.get(golden.latency?));
    let (high, means) = latencies.fold((0, 0), |(high, means), view| match is_high_quantile(&view.metric) {
        true => (high + 1, means),
        false => (high, means + 1),
    });
    (counted * 5 >= all * 4, high > means)
}

struct Accounts<'a> {
    case: &'a Case,
    metrics: &'a Metrics,
    golden: &'a [Golden],
    quantity: Quantity,
    rows: &'a [usize],
    before: &'a [usize],
    /// True where nearly every node's requests are counted.
    is_counted: bool,
    /// True where most latencies are high quantiles.
    is_quantile: bool,
}

/// One row of a node.
struct Row {
    bad: f64,
    weight: f64,
    requests: f64,
}

impl Accounts<'_> {
    fn flow(&self, graph: &Graph, page: NodeId) -> Option<Flow> {
        let profile = self.profile(page)?;
        let mut parts = self.parts(&profile);
        let total = parts.get(page).copied().flatten()?;
        let owns: Vec<(f64, f64)> = (0..parts.len()).map(|node| self.own(graph, &parts, node, page)).collect();
        for (part, (own, error)) in parts.iter_mut().zip(owns) {
            if let Some(part) = part {
                part.own = own;
                part.own_z = if error > 0.0 { (own / error).min(1e3) } else { 0.0 };
                let calls = if self.is_additive() { 1.0 } else { CALLS_UNKNOWN };
                part.share = if total.excess > 0.0 { (calls * own / total.excess).min(1.0) } else { 0.0 };
            }
        }
        Some(Flow {
            quantity: self.quantity,
            page,
            total,
            parts,
            hops: graph.hops_down(page),
            profile,
            is_paged: true,
            is_exact: self.is_additive(),
        })
    }

    /// Failures add up where requests are counted, or where the metric itself counts; time where it is a mean (or a
    /// median) and requests are counted. High quantiles do not add up.
    fn is_additive(&self) -> bool {
        let is_count = |golden: &Golden| matches!(golden.failures, Some((_, FailureForm::Count)) | None);
        match self.quantity {
            Quantity::Time => self.is_counted && !self.is_quantile,
            Quantity::Failures => self.is_counted || self.golden.iter().all(is_count),
        }
    }

    /// What of a node's excess its callees do not account for, with its standard error. A callee that was never called
    /// before accounts for nothing: that it is called at all is the caller's doing.
    fn own(&self, graph: &Graph, parts: &[Option<Part>], node: NodeId, page: NodeId) -> (f64, f64) {
        let is_blind = graph.callees.iter().all(Vec::is_empty);
        let Some(part) = parts.get(node).copied().flatten() else {
            return (0.0, 0.0);
        };
        // Where nobody is known to call anybody, whoever paged may call everybody.
        let everybody: Vec<NodeId> = if is_blind && node == page { (0..parts.len()).collect() } else { Vec::new() };
        let callees = graph.callees(node).iter().chain(&everybody).filter(|callee| **callee != node);
        let is_additive = self.is_additive();
        let (mut left, mut variance) = (part.excess, part.error * part.error);
        for callee in callees.filter_map(|callee| parts.get(*callee).copied().flatten()) {
            let z = callee.z();
            if callee.is_new || z < EXPLAINS_Z {
                continue;
            }
            // How often it is called is not known; a faint excess may not stand for several.
            let calls = if is_additive { 1.0 } else { self.calls(&part, &callee) * believed(z) };
            left -= calls * callee.excess;
            variance += callee.error * callee.error;
        }
        if !is_blind && !is_additive && graph.callees(node).is_empty() {
            left -= self.hidden(graph, parts, node, left);
        }
        (left.max(0.0), variance.sqrt())
    }

    /// How often a caller may call a callee where nobody counts: as often as its usual time goes into the caller's.
    fn calls(&self, caller: &Part, callee: &Part) -> f64 {
        match self.quantity {
            Quantity::Time if callee.from_to.0 > 0.0 => (caller.from_to.0 / callee.from_to.0).min(CALLS_UNKNOWN),
            _ => CALLS_UNKNOWN,
        }
    }

    /// What another node accounts for that a node may call without anybody knowing: one that has as much of it, takes no
    /// longer than the node itself, and is not known to call it.
    fn hidden(&self, graph: &Graph, parts: &[Option<Part>], node: NodeId, left: f64) -> f64 {
        let Some(own) = self.usual_time(node).filter(|_| left > 0.0) else { return 0.0 };
        let up = graph.hops_up(node);
        let may = |other: usize| {
            let is_within = self.usual_time(other).is_some_and(|time| time <= WITHIN * own);
            other != node && is_within && up.get(other).copied().flatten().is_none()
        };
        let found = parts.iter().enumerate().filter(|(other, _)| may(*other)).filter_map(|(_, part)| *part);
        let found = found.filter(|part| !part.is_new && part.z() >= EXPLAINS_Z).map(|part| part.excess);
        found.fold(0.0, f64::max).min(left)
    }

    /// The usual time that a node takes, whatever is accounted for.
    fn usual_time(&self, node: NodeId) -> Option<f64> {
        let view = self.metrics.views.get(self.golden.get(node)?.latency?)?;
        view.healthy.map(|healthy| healthy.centre)
    }

    /// The index of the view that measures the quantity on a node.
    fn view(&self, node: NodeId) -> Option<usize> {
        let golden = self.golden.get(node)?;
        match self.quantity {
            Quantity::Time => golden.latency,
            Quantity::Failures => golden.failures.map(|(at, _)| at),
        }
    }

    fn form(&self, node: NodeId) -> Option<FailureForm> {
        self.golden.get(node).and_then(|golden| golden.failures).map(|(_, form)| form)
    }

    /// The badness of one value of a node: latency, or the share that fails (or how many, where only that is known).
    fn badness(&self, node: NodeId, value: f64) -> f64 {
        match (self.quantity, self.form(node)) {
            (Quantity::Time, _) | (_, None | Some(FailureForm::ShareBad | FailureForm::Count)) => value,
            (_, Some(FailureForm::PercentGood)) => 1.0 - value / 100.0,
            (_, Some(FailureForm::ShareGood)) => 1.0 - value,
            (_, Some(FailureForm::PercentBad)) => value / 100.0,
        }
    }

    fn at(&self, view: usize, row: usize) -> Option<f64> {
        let column = self.case.now.metrics.columns.get(view)?;
        column.values.get(row).copied().filter(|value| value.is_finite())
    }

    /// Centre and scale of a node's badness in the healthy time.
    fn healthy(&self, node: NodeId) -> Option<(f64, f64)> {
        let healthy = self.metrics.views.get(self.view(node)?)?.healthy?;
        let width = (self.badness(node, healthy.centre + healthy.bare) - self.badness(node, healthy.centre)).abs();
        Some((self.badness(node, healthy.centre), width))
    }

    /// How bad each row is for the page; rows before the incident are quiet.
    fn profile(&self, page: NodeId) -> Option<Profile> {
        let view = self.view(page)?;
        let of_row = |row: &usize| Some((*row, self.badness(page, self.at(view, *row)?)));
        let rows: Vec<(usize, f64)> = self.rows.iter().filter_map(of_row).collect();
        let mut profile = profile::by_badness(&rows, self.healthy(page), self.quantity == Quantity::Failures)?;
        profile.extend(self.before.iter().map(|row| (*row, 0.0)));
        Some(profile)
    }

    fn requests(&self, node: NodeId, row: usize) -> f64 {
        let is_count = self.quantity == Quantity::Failures && self.form(node) == Some(FailureForm::Count);
        let traffic =
            self.golden.get(node).and_then(|golden| golden.traffic).filter(|_| self.is_additive() && !is_count);
        traffic.map_or(1.0, |traffic| self.at(traffic, row).map_or(0.0, |count| count.max(0.0)))
    }

    /// Every node's excess along the profile.
    fn parts(&self, profile: &[(usize, f64)]) -> Vec<Option<Part>> {
        (0..self.case.nodes.len()).map(|node| self.part(node, profile)).collect()
    }

    /// A node's excess along the profile, before its callees are taken out.
    fn part(&self, node: NodeId, profile: &[(usize, f64)]) -> Option<Part> {
        let view = self.view(node)?;
        let row = |(row, weight): &(usize, f64)| {
            let bad = self.badness(node, self.at(view, *row)?);
            Some(Row { bad, weight: *weight, requests: self.requests(node, *row) })
        };
        let (quiet, loud): (Vec<Row>, Vec<Row>) =
            profile.iter().filter_map(row).partition(|row| row.weight <= QUIET_MAX);
        let healthy = self.healthy(node);
        let mut asked: Vec<f64> = quiet.iter().filter(|row| row.requests > 0.0).map(|row| row.bad).collect();
        let is_new = healthy.is_none() && asked.is_empty();
        let quiet_count = asked.len() as f64;
        let usual = median(&mut asked).or(healthy.map(|(centre, _)| centre)).unwrap_or(0.0);
        let weights: f64 = loud.iter().map(|row| row.weight).sum();
        if weights <= 0.0 {
            return Some(Part { is_new, from_to: (usual, usual), ..Part::default() });
        }
        let mean = |value: &dyn Fn(&Row) -> f64| loud.iter().map(|row| row.weight * value(row)).sum::<f64>() / weights;
        let excess = mean(&|row| row.requests * (row.bad - usual));
        let requests = mean(&|row| row.requests);
        let scale = self.scale(node, usual, requests, healthy.map(|(_, scale)| scale));
        let squares: f64 = loud.iter().map(|row| row.weight * row.weight).sum();
        let error = scale * (squares / (weights * weights) + 1.0 / quiet_count.max(1.0)).sqrt() * requests.max(1e-9);
        Some(Part { excess, error, is_new, from_to: (usual, mean(&|row| row.bad)), ..Part::default() })
    }

    /// The noise of one row: by the healthy time, but for failures not below that of counting, nor below 2 % of the value.
    fn scale(&self, node: NodeId, usual: f64, requests: f64, healthy: Option<f64>) -> f64 {
        let counting = match (self.quantity, self.form(node)) {
            (Quantity::Time, _) => 0.0,
            (_, Some(FailureForm::Count)) => usual.max(0.0).sqrt().max(0.5),
            _ if self.is_counted => {
                let share = usual.clamp(0.0, 1.0);
                (share * (1.0 - share) / requests.max(1.0)).sqrt().max(0.5 / requests.max(1.0))
            }
            _ => 0.0,
        };
        let unknown = usual.abs() * 0.1;
        healthy.unwrap_or(unknown).max(counting).max(usual.abs() * NOISE_SHARE_MIN).max(1e-9)
    }
}

/// True for the 75th percentile and higher.
fn is_high_quantile(metric: &str) -> bool {
    let words = super::kind::words_of(metric);
    words.iter().any(|word| {
        let digits = word.strip_prefix('p').unwrap_or(word);
        digits.parse::<f64>().is_ok_and(|rank| (75.0..1000.0).contains(&rank)) || word == "max"
    })
}
