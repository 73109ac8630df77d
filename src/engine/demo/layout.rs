//! What the shop is made of: its nodes and who calls whom, as data. The graph has no cycles, and callers stand before
//! the nodes they call, so that one pass downwards spreads load and one pass upwards settles latency and errors.

/// What a node is; decides which figures it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NodeKind {
    /// Answers requests.
    Service,
    /// Keeps rows on a disk and has a limited number of connections.
    Database,
    /// Keeps copies in memory.
    Cache,
    /// Holds messages until somebody works them off.
    Queue,
}

/// One node while it is healthy.
#[derive(Debug)]
pub(super) struct NodeSpec {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: NodeKind,
    /// Instances of it.
    pub replicas: u32,
    /// Requests that one instance works on at once.
    pub workers: u32,
    /// Its own time for a request, without waiting and without those it calls, in milliseconds.
    pub work_ms: f64,
    /// Share of its CPU used when the shop is at its usual peak.
    pub cpu_at_peak: f64,
    /// Share of its memory used when idle.
    pub memory_idle: f64,
    /// Share of its own requests that fail on a good day.
    pub error_floor: f64,
    /// Share of its disk used on a good day, where it has one of its own.
    pub disk_used: Option<f64>,
    /// Connections it accepts, for databases; connections of its pool, for those that call one.
    pub connections_max: f64,
    /// Whom it calls, in order.
    pub calls: &'static [CallSpec],
}

/// What a node asks of another one for each request of its own.
#[derive(Debug)]
pub(super) struct CallSpec {
    /// Who is called.
    pub callee: &'static str,
    /// Calls for each request.
    pub per_request: f64,
    /// After this long the caller gives up, in milliseconds.
    pub timeout_ms: f64,
    /// Further attempts after a failed one.
    pub retries: u32,
    /// What a failed call means for the request.
    pub role: CallRole,
}

/// What a failed call means for the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallRole {
    /// The request fails.
    Required,
    /// The request is answered without it.
    Optional,
    /// The answer comes from the node called next instead, which is otherwise asked only for what is not in the cache.
    Cache,
    /// Asked for what the cache before it does not have.
    BehindCache,
}

const fn call(callee: &'static str, per_request: f64, timeout_ms: f64, retries: u32, role: CallRole) -> CallSpec {
    CallSpec { callee, per_request, timeout_ms, retries, role }
}

use CallRole::{BehindCache, Cache, Optional, Required};

/// Where customers come in.
pub(super) const FRONT: &str = "web";
/// Who works the queue off.
pub(super) const CONSUMER: &str = "shipping";
/// What it works off.
pub(super) const QUEUE: &str = "queue";

/// Every node, callers before those they call.
pub(super) const NODES: &[NodeSpec] = &[
    NodeSpec {
        name: FRONT,
        kind: NodeKind::Service,
        replicas: 4,
        workers: 24,
        work_ms: 6.0,
        cpu_at_peak: 0.46,
        memory_idle: 0.34,
        error_floor: 0.0008,
        disk_used: None,
        connections_max: 0.0,
        calls: &[
            call("auth", 0.4, 2_000.0, 1, Required),
            call("catalog", 0.9, 2_000.0, 1, Required),
            call("search", 0.35, 2_000.0, 0, Optional),
            call("checkout", 0.12, 5_000.0, 0, Required),
        ],
    },
    NodeSpec {
        name: "search",
        kind: NodeKind::Service,
        replicas: 3,
        workers: 6,
        work_ms: 22.0,
        cpu_at_peak: 0.52,
        memory_idle: 0.38,
        error_floor: 0.0012,
        disk_used: None,
        connections_max: 0.0,
        calls: &[call("catalog", 0.5, 1_000.0, 1, Required)],
    },
    NodeSpec {
        name: "checkout",
        kind: NodeKind::Service,
        replicas: 3,
        workers: 16,
        work_ms: 14.0,
        cpu_at_peak: 0.38,
        memory_idle: 0.36,
        error_floor: 0.0015,
        disk_used: None,
        connections_max: 0.0,
        calls: &[
            call("cart", 1.0, 1_500.0, 1, Required),
            call("auth", 1.0, 1_500.0, 1, Required),
            call("inventory", 1.0, 2_000.0, 0, Required),
            call("payment", 0.95, 3_000.0, 0, Required),
            call("order", 0.9, 3_000.0, 0, Required),
        ],
    },
    NodeSpec {
        name: CONSUMER,
        kind: NodeKind::Service,
        replicas: 3,
        workers: 1,
        work_ms: 40.0,
        cpu_at_peak: 0.34,
        memory_idle: 0.31,
        error_floor: 0.001,
        disk_used: None,
        connections_max: 12.0,
        calls: &[call(QUEUE, 1.0, 1_000.0, 1, Required), call("orders-db", 0.1, 2_000.0, 1, Required)],
    },
    NodeSpec {
        name: "cart",
        kind: NodeKind::Service,
        replicas: 3,
        workers: 12,
        work_ms: 7.0,
        cpu_at_peak: 0.33,
        memory_idle: 0.35,
        error_floor: 0.001,
        disk_used: None,
        connections_max: 0.0,
        calls: &[call("auth", 0.3, 1_000.0, 1, Required), call("cache", 1.5, 300.0, 1, Required)],
    },
    NodeSpec {
        name: "inventory",
        kind: NodeKind::Service,
        replicas: 2,
        workers: 12,
        work_ms: 9.0,
        cpu_at_peak: 0.30,
        memory_idle: 0.30,
        error_floor: 0.001,
        disk_used: None,
        connections_max: 36.0,
        calls: &[call("catalog-db", 1.0, 1_500.0, 0, Required)],
    },
    NodeSpec {
        name: "order",
        kind: NodeKind::Service,
        replicas: 3,
        workers: 12,
        work_ms: 16.0,
        cpu_at_peak: 0.36,
        memory_idle: 0.37,
        error_floor: 0.001,
        disk_used: None,
        connections_max: 40.0,
        calls: &[call("orders-db", 2.0, 1_500.0, 0, Required), call(QUEUE, 1.0, 1_000.0, 1, Required)],
    },
    NodeSpec {
        name: "payment",
        kind: NodeKind::Service,
        replicas: 3,
        workers: 12,
        work_ms: 32.0,
        cpu_at_peak: 0.41,
        memory_idle: 0.39,
        error_floor: 0.0015,
        disk_used: None,
        connections_max: 40.0,
        calls: &[call("auth", 1.0, 1_500.0, 1, Required), call("payments-db", 2.0, 1_500.0, 0, Required)],
    },
    NodeSpec {
        name: "catalog",
        kind: NodeKind::Service,
        replicas: 4,
        workers: 16,
        work_ms: 5.0,
        cpu_at_peak: 0.48,
        memory_idle: 0.42,
        error_floor: 0.0008,
        disk_used: None,
        connections_max: 60.0,
        calls: &[call("cache", 1.0, 300.0, 0, Cache), call("catalog-db", 1.0, 1_500.0, 0, BehindCache)],
    },
    NodeSpec {
        name: "auth",
        kind: NodeKind::Service,
        replicas: 3,
        workers: 16,
        work_ms: 4.0,
        cpu_at_peak: 0.44,
        memory_idle: 0.33,
        error_floor: 0.0008,
        disk_used: None,
        connections_max: 40.0,
        calls: &[call("auth-db", 0.5, 1_000.0, 0, Required)],
    },
    NodeSpec {
        name: QUEUE,
        kind: NodeKind::Queue,
        replicas: 3,
        workers: 32,
        work_ms: 2.0,
        cpu_at_peak: 0.18,
        memory_idle: 0.28,
        error_floor: 0.0002,
        disk_used: Some(0.31),
        connections_max: 0.0,
        calls: &[],
    },
    NodeSpec {
        name: "cache",
        kind: NodeKind::Cache,
        replicas: 1,
        workers: 64,
        work_ms: 0.8,
        cpu_at_peak: 0.27,
        memory_idle: 0.71,
        error_floor: 0.0001,
        disk_used: None,
        connections_max: 0.0,
        calls: &[],
    },
    database("orders-db", 16, 6.0, 0.34, 0.46, 0.58, 200.0),
    database("payments-db", 16, 5.0, 0.31, 0.44, 0.41, 120.0),
    database("catalog-db", 16, 18.0, 0.20, 0.52, 0.47, 200.0),
    database("auth-db", 16, 3.0, 0.29, 0.40, 0.28, 120.0),
];

/// A database: they differ in a few figures only.
const fn database(
    name: &'static str,
    workers: u32,
    work_ms: f64,
    cpu_at_peak: f64,
    memory_idle: f64,
    disk_used: f64,
    connections_max: f64,
) -> NodeSpec {
    NodeSpec {
        name,
        kind: NodeKind::Database,
        replicas: 1,
        workers,
        work_ms,
        cpu_at_peak,
        memory_idle,
        error_floor: 0.0002,
        disk_used: Some(disk_used),
        connections_max,
        calls: &[],
    }
}

/// Position of a node in [`NODES`], for constants: a name that is not there does not compile.
pub(super) const fn at(name: &str) -> usize {
    let mut at = 0;
    while at < NODES.len() {
        if is_same(NODES[at].name.as_bytes(), name.as_bytes()) {
            return at;
        }
        at += 1;
    }
    panic!("no node has this name")
}

const fn is_same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Position of a node in [`NODES`].
pub(super) fn position(name: &str) -> Option<usize> {
    NODES.iter().position(|node| node.name == name)
}

/// Every call there is, as caller and callee.
pub(super) fn edges() -> impl Iterator<Item = (&'static str, &'static str)> {
    NODES.iter().flat_map(|node| node.calls.iter().map(|call| (node.name, call.callee)))
}

/// The database that a node keeps a pool of connections to.
pub(super) fn pool_database(spec: &NodeSpec) -> Option<usize> {
    if spec.kind != NodeKind::Service || spec.connections_max == 0.0 {
        return None;
    }
    let is_database = |at: &usize| NODES[*at].kind == NodeKind::Database;
    spec.calls.iter().filter_map(|call| position(call.callee)).find(is_database)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_stand_before_those_they_call() {
        for (at, node) in NODES.iter().enumerate() {
            for call in node.calls {
                let callee = position(call.callee).unwrap();
                assert!(callee > at, "{} calls {}", node.name, call.callee);
            }
        }
    }

    #[test]
    fn the_shop_is_large_enough() {
        let services = NODES.iter().filter(|node| node.kind == NodeKind::Service).count();
        assert!(services >= 9, "{services} services");
    }

    #[test]
    fn what_is_behind_a_cache_follows_it() {
        for node in NODES {
            for (at, call) in node.calls.iter().enumerate() {
                if call.role == BehindCache {
                    assert_eq!(node.calls[at - 1].role, Cache, "{}", node.name);
                }
            }
        }
    }
}
