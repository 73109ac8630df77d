//! What is measured, as people name it: "p99", "5xx", "rps" and "oom" for latency, errors, traffic and memory.

use serde::{Deserialize, Serialize};

use crate::engine::model::SeriesRole;

/// What a metric is about, whatever a source calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Concept {
    /// How long answers take.
    Latency,
    /// How many requests fail.
    Errors,
    /// How many requests come.
    Traffic,
    /// Processors.
    Cpu,
    /// Memory.
    Memory,
    /// Room on disks.
    Disk,
    /// Connections in use.
    Connections,
    /// Connections that could not be had.
    ConnectErrors,
    /// What waits.
    Queue,
    /// Whether it answers at all.
    Availability,
}

impl Concept {
    /// Every concept.
    pub const ALL: [Self; 10] = [
        Self::Latency,
        Self::Errors,
        Self::Traffic,
        Self::Cpu,
        Self::Memory,
        Self::Disk,
        Self::Connections,
        Self::ConnectErrors,
        Self::Queue,
        Self::Availability,
    ];

    /// Its name in JSON and in tests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Errors => "errors",
            Self::Traffic => "traffic",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Connections => "connections",
            Self::ConnectErrors => "connect_errors",
            Self::Queue => "queue",
            Self::Availability => "availability",
        }
    }

    /// What a source's metric of this name and role is about.
    #[must_use]
    pub fn of_metric(name: &str, role: SeriesRole) -> Option<Self> {
        let name = name.to_lowercase();
        let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        Some(match role {
            SeriesRole::Latency => Self::Latency,
            SeriesRole::Errors if has(&["connect"]) => Self::ConnectErrors,
            SeriesRole::Errors => Self::Errors,
            SeriesRole::Traffic => Self::Traffic,
            SeriesRole::Availability => Self::Availability,
            SeriesRole::Saturation | SeriesRole::Other => {
                if has(&["cpu", "processor", "load1", "load5"]) {
                    Self::Cpu
                } else if has(&["memory", "mem_", "heap", "rss"]) {
                    Self::Memory
                } else if has(&["disk", "filesystem", "volume", "inode"]) {
                    Self::Disk
                } else if has(&["connect", "conns", "pool"]) {
                    Self::Connections
                } else if has(&["queue", "backlog", "lag", "depth"]) {
                    Self::Queue
                } else {
                    return None;
                }
            }
        })
    }
}

/// Ways to name a concept, in words; of two that begin alike the longer stands first.
const NAMES: &[(&[&str], Concept)] = &[
    (&["connection", "errors"], Concept::ConnectErrors),
    (&["connect", "errors"], Concept::ConnectErrors),
    (&["connect", "failures"], Concept::ConnectErrors),
    (&["connection", "failures"], Concept::ConnectErrors),
    (&["refused", "connections"], Concept::ConnectErrors),
    (&["failed", "connections"], Concept::ConnectErrors),
    (&["error", "rate"], Concept::Errors),
    (&["error", "ratio"], Concept::Errors),
    (&["errors", "rate"], Concept::Errors),
    (&["failure", "rate"], Concept::Errors),
    (&["success", "rate"], Concept::Errors),
    (&["failed", "requests"], Concept::Errors),
    (&["response", "time"], Concept::Latency),
    (&["response", "times"], Concept::Latency),
    (&["query", "time"], Concept::Latency),
    (&["query", "times"], Concept::Latency),
    (&["request", "rate"], Concept::Traffic),
    (&["requests", "per", "second"], Concept::Traffic),
    (&["requests", "second"], Concept::Traffic),
    (&["request", "volume"], Concept::Traffic),
    (&["requests", "per", "sec"], Concept::Traffic),
    (&["queue", "depth"], Concept::Queue),
    (&["queue", "length"], Concept::Queue),
    (&["queue", "size"], Concept::Queue),
    (&["connection", "pool"], Concept::Connections),
    (&["db", "connections"], Concept::Connections),
    (&["connection", "usage"], Concept::Connections),
    (&["connection", "count"], Concept::Connections),
    (&["connection", "limit"], Concept::Connections),
    (&["memory", "usage"], Concept::Memory),
    (&["cpu", "usage"], Concept::Cpu),
    (&["free", "space"], Concept::Disk),
    (&["disk", "space"], Concept::Disk),
    (&["disk", "usage"], Concept::Disk),
    (&["latency"], Concept::Latency),
    (&["latencies"], Concept::Latency),
    (&["errors"], Concept::Errors),
    (&["error"], Concept::Errors),
    (&["5xx"], Concept::Errors),
    (&["5xxs"], Concept::Errors),
    (&["500s"], Concept::Errors),
    (&["500"], Concept::Errors),
    (&["502"], Concept::Errors),
    (&["502s"], Concept::Errors),
    (&["503"], Concept::Errors),
    (&["503s"], Concept::Errors),
    (&["504s"], Concept::Errors),
    (&["traffic"], Concept::Traffic),
    (&["rps"], Concept::Traffic),
    (&["qps"], Concept::Traffic),
    (&["throughput"], Concept::Traffic),
    (&["cpu"], Concept::Cpu),
    (&["processor"], Concept::Cpu),
    (&["memory"], Concept::Memory),
    (&["ram"], Concept::Memory),
    (&["heap"], Concept::Memory),
    (&["oom"], Concept::Memory),
    (&["ooms"], Concept::Memory),
    (&["disk"], Concept::Disk),
    (&["disks"], Concept::Disk),
    (&["storage"], Concept::Disk),
    (&["connections"], Concept::Connections),
    (&["pool"], Concept::Connections),
    (&["backlog"], Concept::Queue),
    (&["availability"], Concept::Availability),
    (&["uptime"], Concept::Availability),
];

/// Words that name concepts, for the speller.
pub fn vocabulary() -> impl Iterator<Item = &'static str> {
    NAMES.iter().flat_map(|(words, _)| words.iter().copied()).filter(|word| word.chars().all(char::is_alphabetic))
}

/// The concept that `words` begin with, and how many words name it.
#[must_use]
pub fn at_start(words: &[&str]) -> Option<(Concept, usize)> {
    NAMES.iter().find(|(name, _)| words.starts_with(name)).map(|(name, concept)| (*concept, name.len()))
}

/// The percentile that a word names.
#[must_use]
pub fn quantile(word: &str) -> Option<&'static str> {
    Some(match word {
        "p50" | "median" => "p50",
        "p90" => "p90",
        "p95" => "p95",
        "p99" => "p99",
        _ => return None,
    })
}

/// What is measured where only an adjective or a verb says so.
#[must_use]
pub fn implied<'w>(mut words: impl Iterator<Item = &'w str>) -> Option<Concept> {
    words.find_map(|word| {
        Some(match word {
            "slow" | "slower" | "slowest" | "laggiest" | "fastest" => Concept::Latency,
            "busy" | "busiest" | "loaded" | "used" => Concept::Traffic,
            "worst" | "failing" | "fails" | "broken" | "unhealthiest" | "flakiest" => Concept::Errors,
            "hungriest" | "hottest" => Concept::Cpu,
            "fullest" => Concept::Disk,
            _ => return None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_wins() {
        assert_eq!(at_start(&["connection", "errors", "of"]), Some((Concept::ConnectErrors, 2)));
        assert_eq!(at_start(&["error", "rate"]), Some((Concept::Errors, 2)));
        assert_eq!(at_start(&["ratio"]), None);
        for (at, (name, _)) in NAMES.iter().enumerate() {
            assert!(NAMES[..at].iter().all(|(earlier, _)| !name.starts_with(earlier)), "{name:?} is never reached");
        }
    }

    #[test]
    fn metrics_of_the_usual_exporters_are_told_by_name_and_role() {
        for (name, role, expected) in [
            ("http_request_duration_seconds", SeriesRole::Latency, Some(Concept::Latency)),
            ("db_connect_errors", SeriesRole::Errors, Some(Concept::ConnectErrors)),
            ("node_filesystem_avail_bytes", SeriesRole::Saturation, Some(Concept::Disk)),
            ("container_memory_rss", SeriesRole::Saturation, Some(Concept::Memory)),
            ("kafka_consumer_lag", SeriesRole::Saturation, Some(Concept::Queue)),
            ("moon_phase", SeriesRole::Other, None),
        ] {
            assert_eq!(Concept::of_metric(name, role), expected, "{name}");
        }
    }
}
