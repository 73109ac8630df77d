//! One node at work: what is asked of it, what it answers, and the queueing behind its latency.

use super::layout::{self, CallSpec, NodeSpec};
use super::resources::Stocks;
use crate::engine::clock::Timestamp;

/// Longest that a request waits for a free worker before it is turned away, in milliseconds.
const WAIT_MS_MAX: f64 = 2_500.0;
/// Utilisation past which waiting is computed as if at it; what comes on top is turned away.
const UTILISATION_MAX: f64 = 0.985;

/// A node with everything about it that changes.
#[derive(Debug)]
pub(super) struct Node {
    /// What it is while healthy.
    pub spec: &'static NodeSpec,
    /// Whom it calls, by position.
    pub calls: Vec<(usize, &'static CallSpec)>,
    /// The database that it keeps a pool of connections to.
    pub pool_database: Option<usize>,
    /// Requests a second at the shop's usual peak.
    pub load_at_peak: f64,
    /// Mean time to an answer at that peak, in milliseconds.
    pub usual_latency_ms: f64,
    /// Times the instances it usually has.
    pub scale: f64,
    /// What fills up and drains.
    pub stocks: Stocks,
    /// When its instances last began to start afresh.
    pub restarted_at: Option<Timestamp>,
    /// What can be measured of it now.
    pub figures: Figures,
}

/// What can be measured of a node.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Figures {
    /// Requests a second.
    pub load: f64,
    /// Mean time to an answer, in milliseconds.
    pub latency_ms: f64,
    /// Mean time that a request keeps a worker busy, in milliseconds: the same without waiting for one.
    pub busy_ms: f64,
    /// Share of requests that fail.
    pub errors: f64,
    /// Share of requests turned away for lack of a worker.
    pub rejected: f64,
    /// Share of CPU used.
    pub cpu: f64,
    /// Share of memory used.
    pub memory: f64,
    /// Share of disk used.
    pub disk: f64,
    /// Share of connections used: of the pool, or of all that a database accepts.
    pub connections: f64,
    /// Attempts a second to get a connection that failed.
    pub connect_errors: f64,
    /// Messages that wait for it, for the queue's consumer.
    pub backlog: f64,
    /// True while it runs.
    pub is_up: bool,
}

impl Node {
    /// The node at this position, healthy and idle.
    pub fn new(at: usize) -> Self {
        let spec = &layout::NODES[at];
        let calls = spec.calls.iter().filter_map(|call| Some((layout::position(call.callee)?, call))).collect();
        Self {
            spec,
            calls,
            pool_database: layout::pool_database(spec),
            load_at_peak: 1.0,
            usual_latency_ms: spec.work_ms,
            scale: 1.0,
            stocks: Stocks::default(),
            restarted_at: None,
            figures: Figures { is_up: true, latency_ms: spec.work_ms, ..Figures::default() },
        }
    }

    /// Requests that all instances together work on at once.
    pub fn workers(&self) -> f64 {
        f64::from(self.spec.replicas * self.spec.workers) * self.scale
    }

    /// Share of CPU that the load asks for; above 1 there is not enough.
    pub fn cpu_demand(&self, load: f64, slowness: f64) -> f64 {
        0.04 + (self.spec.cpu_at_peak - 0.04) * load * slowness / (self.load_at_peak * self.scale)
    }
}

/// Mean wait for one of `servers`, in the unit of `service_time`: the M/M/c approximation of Sakasegawa (1977),
/// `W = S * u^(sqrt(2(c+1)) - 1) / (c (1 - u))`.
pub(super) fn wait(utilisation: f64, servers: f64, service_time: f64) -> f64 {
    let busy = utilisation.clamp(0.0, UTILISATION_MAX);
    let exponent = (2.0 * (servers + 1.0)).sqrt() - 1.0;
    (service_time * busy.powf(exponent) / (servers * (1.0 - busy))).min(WAIT_MS_MAX)
}

/// Share of requests that find no place at all once more is asked than can be done.
pub(super) fn turned_away(utilisation: f64) -> f64 {
    if utilisation <= UTILISATION_MAX { 0.0 } else { 1.0 - UTILISATION_MAX / utilisation }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_grows_with_utilisation_and_stays_bounded() {
        let waits: Vec<f64> = [0.1, 0.5, 0.8, 0.95, 2.0].map(|busy| wait(busy, 16.0, 20.0)).to_vec();
        assert!(waits.windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
        assert!(waits[1] < 1.0, "half busy means hardly any wait: {waits:?}");
        assert!(waits[4] <= WAIT_MS_MAX);
    }

    #[test]
    fn one_server_waits_as_theory_says() {
        // M/M/1: W = S u / (1 - u).
        assert!((wait(0.5, 1.0, 10.0) - 10.0).abs() < 1e-9);
    }

    #[test]
    fn only_what_is_too_much_is_turned_away() {
        assert_eq!(turned_away(0.9), 0.0);
        assert!((turned_away(1.97) - 0.5).abs() < 1e-9);
    }
}
