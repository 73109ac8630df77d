//! What a metric measures, by the words of its name.

/// What a metric measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricKind {
    /// How long requests take.
    Latency,
    /// How many fail, or which share; bad when high.
    Errors,
    /// Which share is answered; bad when low.
    Availability,
    /// How much is asked.
    Traffic,
    /// CPU.
    Cpu,
    /// Memory.
    Memory,
    /// Disk.
    Disk,
    /// Bytes, packets, connections on the wire.
    Network,
    /// Any other limited thing: pools, queues, threads.
    Saturation,
    /// Anything else.
    Other,
}

/// Words by kind; the first list with a word in the name decides. What is used up comes before time: a CPU's seconds are CPU.
const WORDS: [(MetricKind, &[&str]); 9] = [
    (MetricKind::Availability, &["availability", "available", "success", "successful", "sla", "up"]),
    (
        MetricKind::Errors,
        &[
            "error",
            "err",
            "fail",
            "failed",
            "failure",
            "fault",
            "5xx",
            "4xx",
            "500",
            "reject",
            "timeout",
            "retry",
            "retries",
            "exception",
            "drop",
            "dropped",
            "unavailable",
        ],
    ),
    (MetricKind::Cpu, &["cpu", "throttle", "throttling", "load", "load1", "load5", "load15"]),
    (MetricKind::Memory, &["memory", "mem", "heap", "rss", "oom", "swap", "gc"]),
    (MetricKind::Disk, &["disk", "diskio", "filesystem", "fs", "inode", "inodes", "iops", "blkio"]),
    (
        MetricKind::Latency,
        &[
            "latency", "duration", "response", "elapsed", "rt", "p50", "p75", "p90", "p95", "p99", "seconds", "ms",
            "time", "delay", "wait",
        ],
    ),
    (
        MetricKind::Network,
        &["network", "net", "receive", "transmit", "rx", "tx", "packet", "tcp", "socket", "syn", "bandwidth"],
    ),
    (
        MetricKind::Saturation,
        &[
            "queue",
            "lag",
            "backlog",
            "pending",
            "pool",
            "connection",
            "connections",
            "threads",
            "depth",
            "saturation",
            "utilization",
            "usage",
            "inflight",
        ],
    ),
    (
        MetricKind::Traffic,
        &[
            "request",
            "requests",
            "rps",
            "qps",
            "throughput",
            "workload",
            "count",
            "calls",
            "ops",
            "hits",
            "rate",
            "total",
            "invocation",
        ],
    ),
];

/// From this length on a word may begin a longer one (`errorrate`, `latencies`).
const STEM_CHARS: usize = 5;

/// The kind of a metric.
#[must_use]
pub fn kind_of(metric: &str) -> MetricKind {
    let parts = words_of(metric);
    WORDS
        .iter()
        .find(|(_, words)| parts.iter().any(|part| words.iter().any(|word| is_word(part, word))))
        .map_or(MetricKind::Other, |(kind, _)| *kind)
}

fn is_word(part: &str, word: &str) -> bool {
    part == word || (word.len() >= STEM_CHARS && part.starts_with(word))
}

/// The words of a name, lower case: split at anything but letters and digits, and where a small letter meets a capital.
#[must_use]
pub fn words_of(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut was_small = false;
    for letter in name.chars() {
        let is_break = !letter.is_alphanumeric() || (letter.is_uppercase() && was_small);
        if is_break && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if letter.is_alphanumeric() {
            word.extend(letter.to_lowercase());
        }
        was_small = letter.is_lowercase();
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_is_measured() {
        let cases = [
            ("latency:Average", MetricKind::Latency),
            ("responseTimeMean", MetricKind::Latency),
            ("http_request_duration_p99", MetricKind::Latency),
            ("availability:Average", MetricKind::Availability),
            ("http_5xx_ratio", MetricKind::Errors),
            ("errorRate", MetricKind::Errors),
            ("requests:Sum", MetricKind::Traffic),
            ("process_cpu_seconds_total", MetricKind::Cpu),
            ("MemoryUsageRate(%)", MetricKind::Memory),
            ("docker_diskio_read_service_time", MetricKind::Disk),
            ("NetworkReceiveBytes", MetricKind::Network),
            ("db_connections_used", MetricKind::Saturation),
            ("temperature", MetricKind::Other),
            ("", MetricKind::Other),
        ];
        for (name, kind) in cases {
            assert_eq!(kind_of(name), kind, "{name}");
        }
    }
}
