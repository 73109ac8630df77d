//! What a diff can do to a running program, what a complaint complains of, and which of the first is known to bring which
//! of the second.

/// What a diff does, in families that every system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// A time allowed is shortened.
    LessTime,
    /// A time allowed is lengthened.
    MoreTime,
    /// A pool, limit or share is made smaller.
    LessRoom,
    /// A pool, limit or share is made larger.
    MoreRoom,
    /// A bound on how much is read or kept is dropped.
    Unbounded,
    /// A call to something else now stands in a loop, or many are made where one was.
    CallsMultiplied,
    /// What put many into one, or kept results, is dropped.
    BatchOrCacheDropped,
    /// A call or a step that was made is made no more.
    StepDropped,
    /// A check or a tolerance is dropped.
    GuardDropped,
    /// A query or a table, column, queue, bucket that was not used before is used.
    NewStore,
    /// More is written to logs, traces or disk.
    MoreTold,
    /// More is tried again, or sooner.
    MoreRetries,
    /// Locks, threads or waiting are changed.
    Concurrency,
    /// Addresses, hosts, ports, routes are changed.
    Address,
    /// Credentials, tokens, keys, permissions are changed.
    Access,
    /// What is opened is not closed any more, or what is kept grows.
    Leak,
    /// How data is written or read is changed.
    Format,
    /// A schema is changed: columns, tables, indexes.
    Schema,
}

/// What is complained of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Complaint {
    /// It is slow.
    Slow,
    /// It runs out of time.
    TimeOut,
    /// Something has no room left: a pool, a queue, a quota.
    NoRoom,
    /// Memory grows or ends.
    Memory,
    /// A disk is full or busy.
    Disk,
    /// CPU is at its limit.
    Cpu,
    /// More calls or rows than usual.
    MoreLoad,
    /// Something is not there.
    Missing,
    /// Not allowed, not known, no longer valid.
    Refused,
    /// Cannot be reached.
    Unreachable,
    /// Not understood: parse, decode, validate.
    NotUnderstood,
    /// It crashes.
    Crash,
    /// A query or a database is the trouble.
    Store,
    /// Waiting for locks.
    Locked,
}

/// Words of complaints; a phrase counts where it stands in the text (lower case).
const COMPLAINTS: [(Complaint, &[&str]); 14] = [
    (Complaint::Slow, &["slow", "latency", "duration", "p99", "p95", "took ", "exceeded", "wait", "lag"]),
    (Complaint::TimeOut, &["timeout", "timed out", "deadline", "context canceled", "budget exceeded"]),
    (
        Complaint::NoRoom,
        &[
            "exhaust",
            "pool",
            "acquire",
            "saturat",
            "throttl",
            "throughput",
            "capacity",
            "too many",
            "quota",
            "limit exceeded",
            "rate limit",
            "queue full",
            "overflow",
            "no free",
            "backpressure",
            "rejected execution",
        ],
    ),
    (Complaint::Memory, &["memory", "oom", "heap", "out of mem", "gc pause", "rss"]),
    (Complaint::Disk, &["disk", "no space", "read-only file", "inode", "volume", "filesystem"]),
    (Complaint::Cpu, &["cpu", "load average", "throttled_seconds"]),
    (
        Complaint::MoreLoad,
        &[
            "requests_per_sec",
            "rps",
            "qps",
            "query_count",
            "rows",
            "calls_in",
            "per_request",
            "consumed",
            "throughput_lps",
            "backlog",
            "queue",
        ],
    ),
    (
        Complaint::Missing,
        &[
            "not found",
            "does not exist",
            "missing",
            "unknown",
            "no such",
            "undefined",
            "unrecognized",
            "404",
            "not registered",
            "no route",
            "no handler",
            "null",
            "nil pointer",
            "keyerror",
            "attributeerror",
        ],
    ),
    (
        Complaint::Refused,
        &[
            "401",
            "403",
            "unauthori",
            "forbidden",
            "permission",
            "denied",
            "expired",
            "invalid token",
            "signature",
            "credential",
            "access key",
            "not allowed",
            "authentication",
        ],
    ),
    (
        Complaint::Unreachable,
        &[
            "refused",
            "unreachable",
            "no such host",
            "dns",
            "connection reset",
            "no route to host",
            "connect:",
            "unavailable",
            "dial tcp",
            "no healthy upstream",
            "name resolution",
        ],
    ),
    (
        Complaint::NotUnderstood,
        &[
            "parse",
            "decode",
            "unmarshal",
            "deserial",
            "malformed",
            "invalid",
            "validation",
            "unexpected token",
            "schema",
            "mismatch",
            "out of range",
            "type error",
            "cannot convert",
        ],
    ),
    (
        Complaint::Crash,
        &[
            "panic",
            "segfault",
            "nil pointer",
            "nullpointer",
            "null pointer",
            "fatal",
            "crash",
            "sigsegv",
            "stack overflow",
            "index out of range",
            "assertion",
        ],
    ),
    (
        Complaint::Store,
        &[
            "query", "sql", "db_", "db.", "database", "relation", "table", "column", "dynamodb", "redis", "mongo",
            "postgres", "mysql", "index",
        ],
    ),
    (Complaint::Locked, &["deadlock", "lock wait", "lock timeout", "contention", "blocked", "mutex"]),
];

/// What the text complains of.
#[must_use]
pub fn complaints(text: &str) -> Vec<Complaint> {
    let text = text.to_lowercase();
    COMPLAINTS
        .iter()
        .filter(|(_, words)| words.iter().any(|word| text.contains(word)))
        .map(|(complaint, _)| *complaint)
        .collect()
}

/// Which deeds bring which complaints, with how well that is known (1 is a classic).
const BRINGS: [(Deed, &[(Complaint, f64)]); 18] = [
    (Deed::LessTime, &[(Complaint::TimeOut, 1.0), (Complaint::Refused, 0.4), (Complaint::Unreachable, 0.3)]),
    (Deed::MoreTime, &[(Complaint::NoRoom, 0.3)]),
    (
        Deed::LessRoom,
        &[
            (Complaint::NoRoom, 1.0),
            (Complaint::TimeOut, 0.5),
            (Complaint::Slow, 0.4),
            (Complaint::Memory, 0.6),
            (Complaint::Cpu, 0.4),
        ],
    ),
    (Deed::MoreRoom, &[(Complaint::Memory, 0.5), (Complaint::NoRoom, 0.2)]),
    (
        Deed::Unbounded,
        &[
            (Complaint::Slow, 0.8),
            (Complaint::MoreLoad, 0.8),
            (Complaint::Memory, 0.8),
            (Complaint::Cpu, 0.6),
            (Complaint::Store, 0.6),
            (Complaint::TimeOut, 0.4),
        ],
    ),
    (
        Deed::CallsMultiplied,
        &[
            (Complaint::Slow, 0.9),
            (Complaint::MoreLoad, 1.0),
            (Complaint::Store, 0.6),
            (Complaint::NoRoom, 0.8),
            (Complaint::TimeOut, 0.5),
            (Complaint::Cpu, 0.3),
        ],
    ),
    (
        Deed::BatchOrCacheDropped,
        &[
            (Complaint::Slow, 0.8),
            (Complaint::MoreLoad, 1.0),
            (Complaint::NoRoom, 0.9),
            (Complaint::Store, 0.6),
            (Complaint::Cpu, 0.4),
        ],
    ),
    (Deed::StepDropped, &[(Complaint::Missing, 0.9), (Complaint::Crash, 0.5), (Complaint::Refused, 0.3)]),
    (
        Deed::GuardDropped,
        &[
            (Complaint::Refused, 0.8),
            (Complaint::Crash, 0.8),
            (Complaint::NotUnderstood, 0.5),
            (Complaint::Missing, 0.4),
        ],
    ),
    (Deed::NewStore, &[(Complaint::Missing, 0.8), (Complaint::Store, 0.5), (Complaint::Refused, 0.3)]),
    (Deed::MoreTold, &[(Complaint::Disk, 1.0), (Complaint::MoreLoad, 0.4), (Complaint::Slow, 0.2)]),
    (Deed::MoreRetries, &[(Complaint::MoreLoad, 0.8), (Complaint::NoRoom, 0.8), (Complaint::TimeOut, 0.2)]),
    (
        Deed::Concurrency,
        &[(Complaint::Locked, 1.0), (Complaint::TimeOut, 0.4), (Complaint::Slow, 0.3), (Complaint::Memory, 0.3)],
    ),
    (Deed::Address, &[(Complaint::Unreachable, 1.0), (Complaint::Missing, 0.4), (Complaint::TimeOut, 0.3)]),
    (Deed::Access, &[(Complaint::Refused, 0.9)]),
    (Deed::Leak, &[(Complaint::Memory, 0.9), (Complaint::NoRoom, 0.9), (Complaint::Slow, 0.2)]),
    (Deed::Format, &[(Complaint::NotUnderstood, 0.9), (Complaint::Crash, 0.3)]),
    (
        Deed::Schema,
        &[(Complaint::Store, 0.7), (Complaint::Missing, 0.7), (Complaint::Locked, 0.7), (Complaint::Slow, 0.4)],
    ),
];

/// How well the best of the deeds is known to bring one of the complaints, 0 to 1, with the pair.
#[must_use]
pub fn fit(deeds: &[Deed], complaints: &[Complaint]) -> Option<(f64, Deed, Complaint)> {
    let of_deed = |deed: Deed| BRINGS.iter().filter(move |(one, _)| *one == deed).flat_map(|(_, brings)| brings.iter());
    let pairs = deeds.iter().flat_map(|deed| of_deed(*deed).map(|(complaint, known)| (*known, *deed, *complaint)));
    pairs
        .filter(|(_, _, complaint)| complaints.contains(complaint))
        .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))
}

impl Deed {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::LessTime => "less time allowed",
            Self::MoreTime => "more time allowed",
            Self::LessRoom => "less room",
            Self::MoreRoom => "more room",
            Self::Unbounded => "a bound dropped",
            Self::CallsMultiplied => "a call in a loop",
            Self::BatchOrCacheDropped => "batching or caching dropped",
            Self::StepDropped => "a step dropped",
            Self::GuardDropped => "a check dropped",
            Self::NewStore => "a store that was not used before",
            Self::MoreTold => "more written to logs",
            Self::MoreRetries => "more retries",
            Self::Concurrency => "locks or threads changed",
            Self::Address => "an address changed",
            Self::Access => "credentials or rights changed",
            Self::Leak => "something kept or left open",
            Self::Format => "a format changed",
            Self::Schema => "a schema changed",
        }
    }
}

impl Complaint {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Slow => "slowness",
            Self::TimeOut => "time-outs",
            Self::NoRoom => "exhaustion",
            Self::Memory => "memory that runs out",
            Self::Disk => "a full disk",
            Self::Cpu => "a busy CPU",
            Self::MoreLoad => "more load",
            Self::Missing => "something missing",
            Self::Refused => "refusals",
            Self::Unreachable => "something out of reach",
            Self::NotUnderstood => "data that is not understood",
            Self::Crash => "crashes",
            Self::Store => "trouble with a store",
            Self::Locked => "waiting for locks",
        }
    }
}
