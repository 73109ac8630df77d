//! A source's health: what it last said, what was dropped and why, how far its backfill has come.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::SourceName;
use crate::engine::clock::Timestamp;

/// The name of the source that is this machine.
pub const HOST_SOURCE: &str = "host";

/// What a kind of source reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A server that speaks the Prometheus HTTP API.
    Prometheus,
    /// An Alertmanager, polled.
    Alertmanager,
    /// The webhook receiver.
    Webhook,
    /// A tailed log file.
    LogFile,
    /// A tailed file of changes.
    ChangeFile,
    /// This machine.
    Host,
    /// The configuration itself (static topology).
    Configuration,
    /// The simulated shop.
    Demo,
    /// A recording.
    Recording,
}

/// Whether a source can be relied on now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    /// Not heard of yet.
    Starting,
    /// Reading history.
    Backfilling {
        /// Chunks done.
        done: u32,
        /// Chunks in all.
        total: u32,
    },
    /// Answering.
    Healthy,
    /// Answering in part; the reason says what is missing.
    Degraded {
        /// What is wrong and what to do.
        reason: Arc<str>,
    },
    /// Not answering.
    Down {
        /// What failed, on what, and what to do.
        reason: Arc<str>,
        /// Since when.
        since: Timestamp,
        /// When it will be tried again.
        retry_at: Timestamp,
    },
}

/// Why an input was set aside; counted by reason, so that nothing is dropped in silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// Not a number.
    NotANumber,
    /// Plus or minus infinity.
    Infinite,
    /// Prometheus' marker that a series ended.
    StaleMarker,
    /// A value that cannot be read as a number, a record that cannot be read at all.
    Malformed,
    /// The same sample, line or notice once more.
    Duplicate,
    /// Older than what was already taken for the series.
    Late,
    /// Stamped further in the future than the clocks may differ.
    FutureStamp,
    /// Larger than the limit for its kind.
    TooLarge,
    /// More series, labels or services than the limit.
    TooMany,
    /// The queue was full.
    QueueFull,
    /// A native histogram, which this version does not read.
    NativeHistogram,
    /// No label names the service.
    NoService,
    /// A signature or token that does not match.
    Unauthorized,
}

/// What a source says of itself, after each poll or change of state. Counts are totals since its start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceReport {
    /// Which source.
    pub source: SourceName,
    /// What it reads.
    pub kind: SourceKind,
    /// Where it reads, for people: an address without secrets, a path.
    pub address: Arc<str>,
    /// Whether it can be relied on.
    pub state: SourceState,
    /// When it last gave something; `None` before the first time.
    pub last_ok_at: Option<Timestamp>,
    /// Signals taken since its start.
    pub accepted_count: u64,
    /// What was set aside, by reason, since its start.
    pub dropped: BTreeMap<DropReason, u64>,
    /// Counter resets seen since its start.
    pub counter_reset_count: u64,
    /// Series known to it now.
    pub series_count: u32,
    /// Series that were there and are gone.
    pub vanished_series_count: u32,
    /// Its clock minus ours, in milliseconds, where it can be told.
    pub clock_skew_ms: Option<i64>,
    /// How long the last poll took, in milliseconds.
    pub poll_ms: Option<u32>,
    /// Everything before this instant has been read as history; `None` for a source without a backfill, or before its
    /// first chunk. The store keeps it, and the next start goes on from there.
    pub backfilled_until: Option<Timestamp>,
    /// How far it has read, as the source itself writes it: the place in its file, or the queries of which history is known;
    /// `None` for a source without either, or before it knows. The store keeps it, and the next start goes on from there.
    pub position: Option<Arc<str>>,
    /// Warnings the server itself attached to its last answer (partial answers).
    pub warnings: Vec<Arc<str>>,
}

/// The name of the stored setting that holds [`SourceReport::position`] of this source.
#[must_use]
pub fn position_setting(source: &SourceName) -> String {
    format!("position/{source}")
}
