//! What fills up and drains: memory, disks, pools of connections, the queue.

use super::faults::Effects;
use super::layout::NodeKind;
use super::service::Node;
use crate::engine::clock::{DAY_MS, HOUR_MS, Timestamp};

/// How fast a rolling restart gives back what the old instances held: the time constant, in seconds.
const RESTART_SECONDS: f64 = 7.0;
/// A rolling restart is through after this long.
pub(super) const RESTART_MS: i64 = 30_000;
/// Hour of the day at which logs are rotated, in UTC.
const ROTATION_HOUR: i64 = 3;
/// Share of a disk that a day's logs take.
const LOGS_A_DAY: f64 = 0.012;
/// Share of a pool's connections that is kept open when there is nothing to do.
const POOL_IDLE_SHARE: f64 = 0.22;
/// Connections of a database that its own upkeep uses.
const UPKEEP_CONNECTIONS: f64 = 6.0;
/// A transaction stays open for this many times the usual time of its query, while its caller computes.
const HOLD_TIMES: f64 = 7.0;

/// What has piled up in a node beyond what is usual.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Stocks {
    /// Memory leaked, as a share of the limit.
    pub memory: f64,
    /// Connections leaked.
    pub connections: f64,
    /// Written to disk, as a share of it.
    pub disk: f64,
    /// Messages that wait.
    pub backlog: f64,
}

impl Node {
    /// Lets `seconds` pass for what fills and drains.
    pub fn fill(&mut self, effects: &Effects, at: Timestamp, seconds: f64) {
        let stocks = &mut self.stocks;
        stocks.memory = (stocks.memory + effects.leak_per_hour * seconds / 3_600.0).min(1.0);
        stocks.disk = (stocks.disk + effects.writes_per_hour * seconds / 3_600.0).min(1.0);
        let connections_max = self.spec.connections_max * self.scale;
        stocks.connections =
            (stocks.connections + effects.connection_leak_per_second * seconds).min(connections_max.max(0.0));
        let is_restarting = self.restarted_at.is_some_and(|since| (0..RESTART_MS).contains(&at.since_ms(since)));
        if is_restarting {
            let left = (-seconds / RESTART_SECONDS).exp();
            stocks.memory *= left;
            stocks.connections *= left;
        }
    }

    /// Share of memory used under a load.
    pub fn memory_used(&self, load: f64) -> f64 {
        let working = 0.10 * load / (self.load_at_peak * self.scale);
        (self.spec.memory_idle + working.min(0.25) + self.stocks.memory).min(0.998)
    }

    /// Share of disk used; logs grow by day and are rotated by night.
    pub fn disk_used(&self, at: Timestamp) -> f64 {
        let Some(usual) = self.spec.disk_used else { return 0.0 };
        let since_rotation = (at.0 - ROTATION_HOUR * HOUR_MS).rem_euclid(DAY_MS) as f64 / DAY_MS as f64;
        (usual + LOGS_A_DAY * since_rotation + self.stocks.disk).min(1.0)
    }

    /// Connections of its pool that work needs when `queries` a second each take `latency_ms`.
    pub fn connections_busy(queries: f64, latency_ms: f64, usual_ms: f64) -> f64 {
        queries * (latency_ms + HOLD_TIMES * usual_ms) / 1_000.0
    }

    /// Connections of its pool that work can have.
    pub fn connections_free(&self) -> f64 {
        (self.spec.connections_max * self.scale - self.stocks.connections).max(0.4)
    }

    /// Connections of its pool that are open: kept idle, at work, leaked.
    pub fn connections_open(&self, busy: f64) -> f64 {
        let size = self.spec.connections_max * self.scale;
        (POOL_IDLE_SHARE * size + busy.min(self.connections_free()) + self.stocks.connections).min(size)
    }

    /// Share of the connections that a database accepts which `open` ones of its clients use.
    pub fn database_connections_used(&self, open: f64) -> f64 {
        debug_assert_eq!(self.spec.kind, NodeKind::Database);
        ((open + UPKEEP_CONNECTIONS) / (self.spec.connections_max * self.scale)).min(1.0)
    }
}

/// What little memory does: how many times as long a request takes, and the share that fails.
pub(super) fn memory_pressure(memory: f64) -> (f64, f64) {
    let pressure = ((memory - 0.90) / 0.098).clamp(0.0, 1.0);
    (1.0 + 5.0 * pressure, 0.5 * pressure * pressure)
}

/// Share of a database's writes that fail for lack of disk.
pub(super) fn disk_pressure(disk: f64) -> f64 {
    ((disk - 0.965) / 0.035).clamp(0.0, 1.0) * 0.9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_gives_back_what_leaked() {
        let mut node = Node::new(1);
        let leaking = Effects { leak_per_hour: 3_600.0, slowness: 1.0, ..Effects::default() };
        for second in 0..10 {
            node.fill(&leaking, Timestamp(second * 1_000), 0.01);
        }
        let leaked = node.stocks.memory;
        assert!(leaked > 0.09, "{leaked}");
        node.restarted_at = Some(Timestamp(10_000));
        for second in 10..40 {
            node.fill(&Effects::default(), Timestamp(second * 1_000), 1.0);
        }
        assert!(node.stocks.memory < leaked / 50.0);
    }

    #[test]
    fn pressure_begins_late_and_ends_hard() {
        assert_eq!(memory_pressure(0.85), (1.0, 0.0));
        assert!(memory_pressure(0.998).1 > 0.4);
        assert_eq!(disk_pressure(0.9), 0.0);
        assert!(disk_pressure(1.0) > 0.8);
    }
}
