//! What recurs under one fingerprint: the complaint, its kind, and the places it names.

use super::places::{Places, Root};

/// How far the suspicion reaches below a service that complains.
const BELOW_STEPS: usize = 3;

/// What a complaint says about where the cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Something broke right here: a disk, a certificate, a crash. It does not travel to callers.
    Cause,
    /// Something here is under strain: processor, threads, readiness.
    Strain,
    /// What users and callers see: errors, latency, lost traffic. It travels.
    Symptom,
}

/// One recurring complaint.
#[derive(Debug, Clone)]
pub struct Face {
    /// The number of its name (and of what tells it apart beside its places).
    pub(crate) what: u32,
    /// The number of its name alone.
    pub(crate) name: u32,
    pub(crate) kind: Kind,
    pub(crate) service: Option<u32>,
    pub(crate) pod: Option<u32>,
    pub(crate) node: Option<u32>,
    /// The service it complains about, where it names one.
    pub(crate) peer: Option<u32>,
}

impl Face {
    /// The same for the same name from the same place, however much it says.
    pub fn voice(&self) -> u64 {
        let place = match (self.pod, self.service) {
            (Some(pod), _) => 3 << 32 | u64::from(pod),
            (None, Some(service)) => 2 << 32 | u64::from(service),
            (None, None) => self.node.map_or(0, |node| 1 << 32 | u64::from(node)),
        };
        // Numbers of names are few: with 28 bits of them, and 34 of places, no two voices are the same.
        place << 28 | u64::from(self.name) & 0xFFF_FFFF
    }

    /// The roots that would explain it.
    pub fn roots(&self, places: &Places) -> Vec<Root> {
        let mut found = vec![Root::Burst];
        if self.kind == Kind::Cause {
            found.push(Root::Common(self.what));
        }
        let mut add = |root: Root| {
            if !found.contains(&root) {
                found.push(root);
            }
        };
        let mut add_node = |node: u32| {
            add(Root::Node(node));
            if let Some(zone) = places.node_zone[node as usize] {
                add(Root::Zone(zone));
            }
        };
        if let Some(node) = self.node {
            add_node(node);
        }
        if let Some(service) = self.service {
            if self.pod.is_none() {
                let pods = &places.pods_of[service as usize];
                pods.iter().filter_map(|pod| places.pod_node[*pod as usize]).for_each(add_node);
            }
            places.below(service, BELOW_STEPS).into_iter().for_each(|below| add(Root::Service(below)));
        }
        found
    }
}

/// Words of complaints that travel: the golden signals and what is derived from them.
const SYMPTOM: [&str; 34] = [
    "error",
    "errors",
    "latency",
    "slo",
    "budget",
    "burn",
    "traffic",
    "request",
    "requests",
    "timeout",
    "timeouts",
    "upstream",
    "circuit",
    "breaker",
    "probe",
    "availability",
    "status",
    "response",
    "duration",
    "success",
    "rps",
    "qps",
    "throughput",
    "apdex",
    "p99",
    "p95",
    "p90",
    "p50",
    "5xx",
    "4xx",
    "client",
    "server",
    "http",
    "grpc",
];

/// Words of things under strain.
const STRAIN: [&str; 14] = [
    "thread",
    "threads",
    "pool",
    "goroutines",
    "throttling",
    "cpu",
    "ready",
    "hpa",
    "gc",
    "heap",
    "saturation",
    "busy",
    "load",
    "pending",
];

/// Words of things that break in one place.
const CAUSE: [&str; 35] = [
    "crash",
    "crashloop",
    "looping",
    "oom",
    "killed",
    "disk",
    "filesystem",
    "node",
    "down",
    "certificate",
    "tls",
    "cert",
    "dns",
    "replication",
    "evictions",
    "evicted",
    "backlog",
    "queue",
    "hit",
    "db",
    "network",
    "kernel",
    "restart",
    "restarts",
    "zone",
    "expired",
    "lag",
    "memory",
    "replicas",
    "deadlock",
    "connections",
    "volume",
    "inode",
    "panic",
    "corrupt",
];

/// The kind of a complaint by the words of its name, else of whatever else tells it apart.
pub fn kind_of(name: &str, rest: &str) -> Kind {
    let words = words(name);
    let has = |words: &[String], list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    if has(&words, &CAUSE) {
        return Kind::Cause;
    }
    let weaker = |words: &[String]| {
        if has(words, &SYMPTOM) {
            Some(Kind::Symptom)
        } else if has(words, &STRAIN) {
            Some(Kind::Strain)
        } else {
            None
        }
    };
    weaker(&words).or_else(|| weaker(&self::words(rest))).unwrap_or(Kind::Strain)
}

/// Lower-case words of a name written in any of the usual ways (`HighErrorRate`, `high_error_rate`, `high-error-rate`).
fn words(name: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut current = String::new();
    let mut before = ' ';
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        let ends_capitals = letters.peek().is_some_and(|next| next.is_lowercase());
        let is_start = letter.is_uppercase() && (before.is_lowercase() || (before.is_uppercase() && ends_capitals));
        if (!letter.is_alphanumeric() || is_start) && !current.is_empty() {
            found.push(std::mem::take(&mut current));
        }
        if letter.is_alphanumeric() {
            current.extend(letter.to_lowercase());
        }
        before = letter;
    }
    if !current.is_empty() {
        found.push(current);
    }
    found
}
