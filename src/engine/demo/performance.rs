//! The causal model: load runs down the calls, latency and errors come back up them.
//!
//! One step of it:
//! 1. *spread*: what customers ask for becomes calls, callers before callees; failed calls are tried again, and a
//!    request that failed makes no further calls;
//! 2. *settle*: callees before callers, each node's latency follows from its utilisation (M/M/c) and from those it
//!    calls, its errors from its own faults, from lack of anything, and from calls that failed or timed out;
//! 3. *fill*: memory, disks, connections and the queue fill and drain.

use super::faults::Effects;
use super::layout::{self, CallRole, CallSpec, NodeKind};
use super::load;
use super::resources;
use super::service::{self, Figures, Node};
use crate::engine::clock::Timestamp;

/// Share of lookups that a warm cache answers.
const CACHE_HITS: f64 = 0.84;
/// A call that is lost on the way fails after this long, in milliseconds, unless the caller gives up before.
const CONNECT_MS: f64 = 1_000.0;
/// A call to what does not run is refused after this long, in milliseconds.
const REFUSED_MS: f64 = 3.0;

/// All nodes, and the calls between them.
#[derive(Debug)]
pub(super) struct Model {
    /// As in [`layout::NODES`].
    pub nodes: Vec<Node>,
    /// Messages put into the queue, a second.
    queued: f64,
}

/// One attempt of a call: the share that fails, and how long it takes in the mean.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    errors: f64,
    latency_ms: f64,
    /// Share that never reached the callee.
    lost: f64,
}

/// What all calls of a request come to.
#[derive(Debug, Clone, Copy)]
struct Calls {
    latency_ms: f64,
    errors: f64,
}

impl Model {
    /// The healthy shop, run in at its usual peak so that every node knows its share of it.
    pub fn new() -> Self {
        let mut model = Self { nodes: (0..layout::NODES.len()).map(Node::new).collect(), queued: 0.0 };
        let healthy = vec![Effects { slowness: 1.0, ..Effects::default() }; layout::NODES.len()];
        for _ in 0..4 {
            model.spread(load::PEAK_PER_SECOND, &healthy);
            model.work_off_queue(&healthy, 1.0);
        }
        for node in &mut model.nodes {
            node.load_at_peak = node.figures.load.max(0.1);
        }
        for _ in 0..4 {
            model.step(Timestamp(0), 1.0, load::PEAK_PER_SECOND, &healthy);
        }
        for node in &mut model.nodes {
            node.usual_latency_ms = node.figures.latency_ms;
            node.stocks = resources::Stocks::default();
        }
        model
    }

    /// Lets `seconds` pass, until `at`, with this many page requests a second.
    pub fn step(&mut self, at: Timestamp, seconds: f64, customers: f64, effects: &[Effects]) {
        self.spread(customers, effects);
        self.settle(at, effects);
        self.work_off_queue(effects, seconds);
        for (node, effects) in self.nodes.iter_mut().zip(effects) {
            node.fill(effects, at, seconds);
        }
    }

    fn spread(&mut self, customers: f64, effects: &[Effects]) {
        let mut loads = vec![0.0; self.nodes.len()];
        self.queued = 0.0;
        for at in 0..self.nodes.len() {
            let node = &self.nodes[at];
            loads[at] += effects[at].extra_per_second;
            match node.spec.name {
                layout::FRONT => loads[at] = customers,
                // The consumer takes work by itself; `work_off_queue` says how much.
                layout::CONSUMER => loads[at] = node.figures.load,
                _ => {}
            }
            let mut reached = if effects[at].is_down { 0.0 } else { loads[at] * (1.0 - node.figures.rejected) };
            let mut cache_answers = 0.0;
            for &(callee, call) in &node.calls {
                let attempt = self.attempt(call, callee, &effects[at]);
                let asked = reached * calls_per_request(call, cache_answers);
                let attempts = asked * (1.0 + f64::from(call.retries) * attempt.errors);
                loads[callee] += attempts * (1.0 - attempt.lost);
                match call.role {
                    CallRole::Cache => cache_answers = CACHE_HITS * (1.0 - attempt.errors),
                    CallRole::Required | CallRole::BehindCache => {
                        reached *= 1.0 - failed(call, cache_answers, attempt);
                    }
                    CallRole::Optional => {}
                }
                if call.callee == layout::QUEUE && node.spec.name != layout::CONSUMER {
                    self.queued += asked * (1.0 - attempt.errors);
                }
            }
        }
        for (node, load) in self.nodes.iter_mut().zip(loads) {
            node.figures.load = load;
        }
    }

    fn settle(&mut self, at: Timestamp, effects: &[Effects]) {
        for position in (0..self.nodes.len()).rev() {
            let figures = self.settle_node(position, at, &effects[position]);
            self.nodes[position].figures = figures;
        }
        self.settle_databases();
    }

    fn settle_node(&self, position: usize, at: Timestamp, effects: &Effects) -> Figures {
        let node = &self.nodes[position];
        let load = node.figures.load;
        let memory = node.memory_used(load);
        let disk = node.disk_used(at);
        if effects.is_down {
            return Figures { load, memory, disk, errors: 1.0, latency_ms: REFUSED_MS, ..Figures::default() };
        }
        let (memory_slowness, memory_errors) = resources::memory_pressure(memory);
        let slowness = effects.slowness * memory_slowness;
        let calls = self.calls(node, effects);
        let pool = self.pool(node, effects);
        let own_ms = node.spec.work_ms * slowness;
        let busy_ms = own_ms + calls.latency_ms;
        // What waits for a lock or a disk uses no CPU; what runs short of memory collects garbage.
        let cpu_demand = node.cpu_demand(load, memory_slowness);
        let utilisation = (load * busy_ms / 1_000.0 / node.workers()).max(cpu_demand);
        let rejected = service::turned_away(utilisation);
        let passed = (1.0 - node.spec.error_floor)
            * (1.0 - effects.errors)
            * (1.0 - rejected)
            * (1.0 - calls.errors)
            * (1.0 - pool.errors)
            * (1.0 - memory_errors)
            * (1.0 - resources::disk_pressure(disk));
        Figures {
            load,
            latency_ms: busy_ms + service::wait(utilisation, node.workers(), busy_ms) + pool.wait_ms,
            busy_ms,
            errors: 1.0 - passed,
            rejected,
            cpu: cpu_demand.min(0.995),
            memory,
            disk,
            connections: pool.used,
            connect_errors: pool.connect_errors,
            backlog: node.figures.backlog,
            is_up: true,
        }
    }

    /// One attempt of `call`, as its callee now is.
    fn attempt(&self, call: &CallSpec, callee: usize, caller: &Effects) -> Attempt {
        let figures = &self.nodes[callee].figures;
        let lost = caller.cut_off.iter().filter(|(at, _)| *at == callee).map(|(_, share)| *share).fold(0.0, f64::max);
        let usual = timed(figures, call.timeout_ms);
        let (mut errors, mut latency_ms) = usual;
        for &(_, timeout_ms, share) in caller.timeouts.iter().filter(|(at, ..)| *at == callee) {
            let short = timed(figures, timeout_ms);
            errors = errors * (1.0 - share) + short.0 * share;
            latency_ms = latency_ms * (1.0 - share) + short.1 * share;
        }
        Attempt {
            errors: lost + (1.0 - lost) * errors,
            latency_ms: lost * CONNECT_MS.min(call.timeout_ms) + (1.0 - lost) * latency_ms,
            lost,
        }
    }

    /// All calls that one request of `node` makes.
    fn calls(&self, node: &Node, effects: &Effects) -> Calls {
        let mut sum = Calls { latency_ms: 0.0, errors: 0.0 };
        let mut reached = 1.0;
        let mut cache_answers = 0.0;
        for &(callee, call) in &node.calls {
            let attempt = self.attempt(call, callee, effects);
            let attempts = calls_per_request(call, cache_answers) * (1.0 + f64::from(call.retries) * attempt.errors);
            sum.latency_ms += reached * attempts * attempt.latency_ms;
            match call.role {
                CallRole::Cache => cache_answers = CACHE_HITS * (1.0 - attempt.errors),
                CallRole::Required | CallRole::BehindCache => reached *= 1.0 - failed(call, cache_answers, attempt),
                CallRole::Optional => {}
            }
        }
        sum.errors = 1.0 - reached;
        sum
    }

    /// The pool of connections of `node` under its present load.
    fn pool(&self, node: &Node, effects: &Effects) -> Pool {
        let Some(database) = node.pool_database else { return Pool::default() };
        let Some((_, call)) = node.calls.iter().find(|(callee, _)| *callee == database) else { return Pool::default() };
        let attempt = self.attempt(call, database, effects);
        let share = if call.role == CallRole::BehindCache { 1.0 - CACHE_HITS } else { call.per_request };
        let queries = node.figures.load * share;
        let answered = &self.nodes[database];
        let busy = Node::connections_busy(
            queries * (1.0 - attempt.lost),
            timed(&answered.figures, call.timeout_ms).1,
            answered.spec.work_ms,
        );
        let utilisation = busy / node.connections_free();
        let errors = service::turned_away(utilisation) * share.min(1.0);
        Pool {
            used: node.connections_open(busy) / (node.spec.connections_max * node.scale),
            errors,
            wait_ms: service::wait(utilisation, node.connections_free(), attempt.latency_ms) * share,
            connect_errors: queries * (attempt.lost + (1.0 - attempt.lost) * errors),
        }
    }

    /// Databases count the connections of all their clients.
    fn settle_databases(&mut self) {
        for database in 0..self.nodes.len() {
            if self.nodes[database].spec.kind == NodeKind::Database {
                let clients = self.nodes.iter().filter(|node| node.pool_database == Some(database));
                let open: f64 =
                    clients.map(|node| node.figures.connections * node.spec.connections_max * node.scale).sum();
                self.nodes[database].figures.connections = self.nodes[database].database_connections_used(open);
            }
        }
    }

    /// Moves messages from the queue to its consumer.
    fn work_off_queue(&mut self, effects: &[Effects], seconds: f64) {
        let (Some(queue), Some(consumer)) = (layout::position(layout::QUEUE), layout::position(layout::CONSUMER))
        else {
            return;
        };
        let worker = &self.nodes[consumer];
        let standing = if effects[consumer].is_down { 1.0 } else { effects[consumer].idle_share };
        let each_ms = worker.figures.busy_ms.max(worker.spec.work_ms);
        let possible = worker.workers() * 1_000.0 / each_ms * (1.0 - standing);
        let backlog = self.nodes[queue].stocks.backlog;
        let taken = (self.queued + backlog / seconds).min(possible);
        let left = (backlog + (self.queued - taken) * seconds).max(0.0);
        self.nodes[queue].stocks.backlog = left;
        // Whoever works the queue off is who lags behind.
        self.nodes[consumer].figures.backlog = left;
        self.nodes[consumer].figures.load = taken;
    }
}

/// A pool of connections under load.
#[derive(Debug, Clone, Copy, Default)]
struct Pool {
    used: f64,
    errors: f64,
    wait_ms: f64,
    connect_errors: f64,
}

/// Calls for each request that gets that far.
fn calls_per_request(call: &CallSpec, cache_answers: f64) -> f64 {
    match call.role {
        CallRole::BehindCache => call.per_request * (1.0 - cache_answers),
        CallRole::Required | CallRole::Optional | CallRole::Cache => call.per_request,
    }
}

/// Share of requests that fail because this call did, all its attempts counted.
fn failed(call: &CallSpec, cache_answers: f64, attempt: Attempt) -> f64 {
    let retries = i32::try_from(call.retries).unwrap_or(0);
    calls_per_request(call, cache_answers).min(1.0) * attempt.errors.powi(1 + retries)
}

/// Errors and mean latency of a call with a timeout, where times are spread exponentially.
fn timed(callee: &Figures, timeout_ms: f64) -> (f64, f64) {
    let mean = callee.latency_ms.max(0.1);
    let too_late = (-timeout_ms / mean).exp();
    (1.0 - (1.0 - callee.errors) * (1.0 - too_late), mean * (1.0 - too_late))
}

#[cfg(test)]
mod tests {
    use super::super::faults::{ActiveFault, Fault, effects};
    use super::*;

    const EVENING: Timestamp = Timestamp(19 * 3_600_000);

    fn at(name: &str) -> usize {
        layout::position(name).unwrap()
    }

    fn run(faults: &[Fault], seconds: i64) -> Model {
        let mut model = Model::new();
        let active: Vec<ActiveFault> = faults
            .iter()
            .map(|fault| ActiveFault {
                fault: *fault,
                begun_at: EVENING - 1_000,
                ramp_ms: 0,
                mended_by: Vec::new(),
                mended_at: None,
            })
            .collect();
        for second in 0..seconds {
            let now = EVENING + second * 1_000;
            model.step(now, 1.0, load::PEAK_PER_SECOND, &effects(&active, now));
        }
        model
    }

    fn figures(model: &Model, name: &str) -> Figures {
        model.nodes[at(name)].figures
    }

    #[test]
    fn the_healthy_shop_is_calm_at_its_peak() {
        let model = run(&[], 30);
        for node in &model.nodes {
            let name = node.spec.name;
            assert!(node.figures.errors < 0.01, "{name} fails: {:?}", node.figures);
            assert!(node.figures.cpu < 0.6, "{name} is hot: {:?}", node.figures);
            assert!(node.figures.load > 1.0, "{name} is idle: {:?}", node.figures);
            assert!(node.figures.connections < 0.6, "{name} has few connections: {:?}", node.figures);
        }
        assert!(figures(&model, "web").latency_ms < 120.0, "{:?}", figures(&model, "web"));
        assert!(figures(&model, "shipping").backlog < 1.0);
    }

    #[test]
    fn errors_travel_to_callers_and_starve_what_comes_later() {
        let calm = run(&[], 30);
        let model = run(&[Fault::Errors { node: at("payment"), ratio: 0.4 }], 30);
        assert!(figures(&model, "checkout").errors > 0.3);
        assert!(figures(&model, "web").errors > 0.03);
        assert!(figures(&model, "order").load < 0.75 * figures(&calm, "order").load);
        assert!(figures(&model, "payments-db").errors < 0.01, "a callee does not suffer from its caller");
        assert!(figures(&model, "catalog").errors < 0.01);
    }

    #[test]
    fn a_cut_connection_reaches_the_front() {
        let model = run(&[Fault::CutOff { caller: at("auth"), callee: at("auth-db") }], 60);
        assert!(figures(&model, "auth").errors > 0.4);
        assert!(figures(&model, "auth").connect_errors > 10.0);
        for name in ["web", "checkout", "payment", "cart"] {
            assert!(figures(&model, name).errors > 0.05, "{name}: {:?}", figures(&model, name));
        }
        assert!(figures(&model, "auth-db").load < 1.0);
        assert!(figures(&model, "auth-db").errors < 0.01 && figures(&model, "auth-db").is_up);
    }

    #[test]
    fn a_dead_cache_floods_the_database_behind_it() {
        let calm = run(&[], 30);
        let model = run(&[Fault::Down { node: at("cache") }], 60);
        assert!(!figures(&model, "cache").is_up);
        assert!(figures(&model, "catalog-db").load > 3.0 * figures(&calm, "catalog-db").load);
        assert!(figures(&model, "catalog").latency_ms > 2.0 * figures(&calm, "catalog").latency_ms);
        assert!(figures(&model, "cart").errors > 0.5);
    }

    #[test]
    fn a_full_pool_fails_its_service_only() {
        let model = run(&[Fault::ConnectionLeak { node: at("order"), per_second: 1.0 }], 90);
        assert!(figures(&model, "order").connections > 0.97);
        assert!(figures(&model, "order").errors > 0.3, "{:?}", figures(&model, "order"));
        assert!(figures(&model, "orders-db").errors < 0.01);
        assert!(figures(&model, "checkout").errors > 0.2);
    }

    #[test]
    fn a_slow_database_slows_its_callers() {
        let calm = run(&[], 30);
        let model = run(&[Fault::Slower { node: at("catalog-db"), times: 5.0 }], 60);
        assert!(figures(&model, "catalog-db").latency_ms > 5.0 * figures(&calm, "catalog-db").latency_ms);
        assert!(figures(&model, "catalog").latency_ms > 2.0 * figures(&calm, "catalog").latency_ms);
    }

    #[test]
    fn an_idle_consumer_lets_the_queue_grow() {
        let model = run(&[Fault::IdleConsumer { node: at("shipping") }], 120);
        assert!(figures(&model, "shipping").backlog > 1_000.0);
        assert!(figures(&model, "order").errors < 0.01);
    }
}
