//! A hypothesis: a candidate cause with what speaks for it, what against, and what would disprove it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{AnomalyId, ChangeId, Fingerprint, ServiceName};
use super::severity::Score;
use crate::engine::clock::Timestamp;

/// What kind of failure it would be; runbooks match on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CauseKind {
    /// A new version of a service.
    BadDeploy,
    /// A configuration value or feature flag.
    BadConfig,
    /// A firewall rule, network policy or route.
    NetworkPolicy,
    /// Connections to a database or pool used up.
    ConnectionsExhausted,
    /// Memory grows until it is gone.
    MemoryLeak,
    /// No CPU left.
    CpuSaturation,
    /// A disk fills or is full.
    DiskFull,
    /// Queries slower than they were.
    SlowQuery,
    /// A queue grows faster than it is worked off.
    QueueBacklog,
    /// A service or host that no longer answers.
    Unavailable,
    /// More requests than there is capacity for.
    Overload,
    /// Errors that start in this service without anything that explains them.
    InternalErrors,
    /// Slowness that starts in this service without anything that explains it.
    InternalLatency,
    /// None of the above.
    Unknown,
}

impl CauseKind {
    /// As a person says it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::BadDeploy => "bad deploy",
            Self::BadConfig => "bad configuration",
            Self::NetworkPolicy => "network policy",
            Self::ConnectionsExhausted => "connections exhausted",
            Self::MemoryLeak => "memory leak",
            Self::CpuSaturation => "CPU saturation",
            Self::DiskFull => "disk filling",
            Self::SlowQuery => "slow queries",
            Self::QueueBacklog => "queue backlog",
            Self::Unavailable => "unavailable",
            Self::Overload => "overload",
            Self::InternalErrors => "errors of its own",
            Self::InternalLatency => "slowness of its own",
            Self::Unknown => "unknown",
        }
    }

    /// The kind and its place as a person says them: `outage of auth-db`, `errors that start in cart`.
    #[must_use]
    pub fn at(self, service: &ServiceName) -> String {
        match self {
            Self::BadDeploy => format!("bad deploy of {service}"),
            Self::BadConfig => format!("bad configuration of {service}"),
            Self::NetworkPolicy => format!("network policy on {service}"),
            Self::ConnectionsExhausted => format!("connections of {service} exhausted"),
            Self::MemoryLeak => format!("memory of {service} running out"),
            Self::CpuSaturation => format!("CPU saturation of {service}"),
            Self::DiskFull => format!("disk of {service} filling up"),
            Self::SlowQuery => format!("slow queries on {service}"),
            Self::QueueBacklog => format!("queue backlog at {service}"),
            Self::Unavailable => format!("outage of {service}"),
            Self::Overload => format!("overload of {service}"),
            Self::InternalErrors => format!("errors that start in {service}"),
            Self::InternalLatency => format!("slowness that starts in {service}"),
            Self::Unknown => format!("unknown fault in {service}"),
        }
    }
}

/// What a piece of evidence points at, so that Enter can jump to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceTarget {
    /// An anomaly.
    Anomaly(AnomalyId),
    /// An alert.
    Alert(Fingerprint),
    /// A change.
    Change(ChangeId),
    /// An edge of the topology.
    Edge {
        /// Who calls.
        caller: ServiceName,
        /// Who is called.
        callee: ServiceName,
    },
    /// A service as a whole.
    Service(ServiceName),
}

/// Which way of looking gave the evidence; a confidence rests on how many *kinds* agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// A change shortly before.
    Change,
    /// The walk along dependencies.
    Topology,
    /// The order of onsets.
    Order,
    /// The size of the deviation.
    Deviation,
    /// A resource at its limit.
    Saturation,
    /// Log templates.
    Logs,
    /// A known pattern of symptoms.
    Pattern,
    /// External alerts.
    Alerts,
}

impl EvidenceKind {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Topology => "topology",
            Self::Order => "order of onsets",
            Self::Deviation => "deviation",
            Self::Saturation => "saturation",
            Self::Logs => "logs",
            Self::Pattern => "pattern",
            Self::Alerts => "alerts",
        }
    }
}

/// One thing that speaks for or against a hypothesis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Which way of looking.
    pub kind: EvidenceKind,
    /// In a line, with numbers: `started 7 s after deploy abc123 to payment`.
    pub text: Arc<str>,
    /// How much it weighs, in natural-log odds; positive for, negative against.
    pub weight: f64,
    /// When it happened.
    pub at: Option<Timestamp>,
    /// What it points at.
    pub target: Option<EvidenceTarget>,
}

/// One candidate cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hypothesis {
    /// What kind of failure.
    pub kind: CauseKind,
    /// Where it starts.
    pub service: ServiceName,
    /// The change that is blamed, where one is.
    pub change: Option<ChangeId>,
    /// In a line: `deploy abc123 to payment`, `auth-db connections exhausted`.
    pub title: Arc<str>,
    /// The probability that it is right.
    pub confidence: Score,
    /// What speaks for it, strongest first.
    pub evidence_for: Vec<Evidence>,
    /// What speaks against it, strongest first.
    pub evidence_against: Vec<Evidence>,
    /// From the cause outwards along calls: cause first, the users' end last.
    pub impact_chain: Vec<ServiceName>,
    /// The three buckets.
    pub buckets: Buckets,
    /// What would prove it wrong.
    pub disproved_by: Arc<str>,
}

/// Every service of the incident by its part in it; none is in two of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Buckets {
    /// Where it starts.
    pub cause: Vec<ServiceName>,
    /// What failed first because of it.
    pub first_failure: Vec<ServiceName>,
    /// What suffers: fails later, or has less to do because of what failed.
    pub impact: Vec<ServiceName>,
}

/// The answer of root cause to one incident.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Ranking {
    /// Best first; empty while nothing can be said.
    pub hypotheses: Vec<Hypothesis>,
    /// Why no cause is named, where the best hypothesis is below the floor or there is none.
    pub unresolved: Option<Arc<str>>,
}

impl Ranking {
    /// The hypothesis that may be called the cause: the first, unless the ranking is unresolved.
    #[must_use]
    pub fn cause(&self) -> Option<&Hypothesis> {
        if self.unresolved.is_some() { None } else { self.hypotheses.first() }
    }
}
