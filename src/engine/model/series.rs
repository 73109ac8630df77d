//! What a series is: the metric, whose it is, its unit, and what a high or low value means.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{Fingerprint, ServiceName};

/// Label names and values, sorted by name, without `__name__`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Labels(Box<[(Arc<str>, Arc<str>)]>);

impl Labels {
    /// Sorts the pairs by name; of a name given twice the last value is kept.
    #[must_use]
    pub fn new<K: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let sorted: std::collections::BTreeMap<Arc<str>, Arc<str>> =
            pairs.into_iter().map(|(name, value)| (Arc::from(name.as_ref()), Arc::from(value.as_ref()))).collect();
        Self(sorted.into_iter().collect())
    }

    /// The value of `name`, where the label is there.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.binary_search_by(|(have, _)| have.as_ref().cmp(name)).ok().map(|at| self.0[at].1.as_ref())
    }

    /// The pairs in order of name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// How many labels there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without any label.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What the numbers of a series measure, so that a person reads `212/s` or `1.2 GiB` and not a bare figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A bare number.
    #[default]
    Count,
    /// Events in a second.
    PerSecond,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Bytes in a second.
    BytesPerSecond,
    /// A share from 0 to 1, shown in per cent.
    Ratio,
    /// 0 or 1: up or down, active or not.
    Boolean,
}

/// Which of the golden signals a series belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeriesRole {
    /// How much is asked of the service (requests a second).
    Traffic,
    /// How much of it fails (ratio or rate).
    Errors,
    /// How long it takes.
    Latency,
    /// How full a resource is (CPU, memory, connections, disk, queue).
    Saturation,
    /// Whether it answers at all (`up`, an active unit).
    Availability,
    /// Anything else.
    #[default]
    Other,
}

/// Which direction of departure is bad news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadWhen {
    /// Only above what is expected (errors, latency, saturation).
    High,
    /// Only below (availability, free space).
    Low,
    /// Either way (traffic).
    #[default]
    Either,
}

/// One series: everything about it but its points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesDescriptor {
    /// What is measured, as people name it: `error_ratio`, `latency_p95`, `db_connections_used`.
    pub metric: Arc<str>,
    /// Whose it is.
    pub service: ServiceName,
    /// Which instance of the service, where the series is of one.
    pub instance: Option<Arc<str>>,
    /// What the numbers measure.
    pub unit: Unit,
    /// Which golden signal it is.
    pub role: SeriesRole,
    /// Which direction is bad news.
    pub bad_when: BadWhen,
    /// True where values are far from symmetric (latencies, queue lengths): IQR fences judge these instead of sigmas.
    pub is_skewed: bool,
    /// The value at which the resource is exhausted, where there is one (memory limit, disk size, 1.0 for a share).
    pub limit: Option<f64>,
    /// Usual time between samples, in milliseconds; absence is judged by it.
    pub interval_ms: u32,
    /// Every other label.
    pub labels: Labels,
}

impl SeriesDescriptor {
    /// The identity of the series: source, metric, service, instance and labels; stable across restarts.
    ///
    /// FNV-1a over the length-prefixed parts: the value is kept on disk, so it must not depend on a hasher that may change.
    #[must_use]
    pub fn fingerprint(&self, source: &str) -> Fingerprint {
        let mut hash = Fnv1a::new();
        hash.part(source);
        hash.part(&self.metric);
        hash.part(self.service.as_str());
        hash.part(self.instance.as_deref().unwrap_or(""));
        for (name, value) in self.labels.iter() {
            hash.part(name);
            hash.part(value);
        }
        Fingerprint(hash.0)
    }
}

/// The 64-bit FNV-1a hash (Fowler, Noll, Vo; `draft-eastlake-fnv`), over length-prefixed parts.
pub struct Fnv1a(pub u64);

impl Default for Fnv1a {
    fn default() -> Self {
        Self::new()
    }
}

impl Fnv1a {
    /// The offset basis.
    #[must_use]
    pub fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Takes in one part; its length goes in first, so that `("ab", "c")` and `("a", "bc")` differ.
    pub fn part(&mut self, text: &str) {
        for byte in (text.len() as u64).to_le_bytes().iter().chain(text.as_bytes()) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
