//! Anything received about the systems: samples, alerts, changes, log lines, edges of the topology, a source's own health.
//!
//! A signal is what goes into a recording. Whatever a source read has passed `ingest::normalize` by then.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::alert::AlertNotice;
use super::change::ChangeNotice;
use super::ids::{ServiceName, SourceName};
use super::series::SeriesDescriptor;
use super::source::SourceReport;
use super::topology::EdgeNotice;
use crate::engine::clock::Timestamp;

/// One thing received.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// A series that samples of this source will speak of by its local number.
    Series(SeriesNotice),
    /// Points of metrics.
    Samples(SampleBatch),
    /// An external alert, firing or resolved.
    Alert(AlertNotice),
    /// A deploy, configuration edit or other change.
    Change(ChangeNotice),
    /// A log line.
    Log(LogLine),
    /// One edge of the topology was seen.
    Edge(EdgeNotice),
    /// How a source is doing.
    Source(SourceReport),
}

/// Binds a source's local series number to what the series is; said before the first sample that uses it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesNotice {
    /// Whose numbering it is.
    pub source: SourceName,
    /// Dense, from 0, within the source's present life.
    pub local: u32,
    /// What the series is.
    pub descriptor: SeriesDescriptor,
}

/// Points of one source, in the order in which they are to be taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SampleBatch {
    /// Whose numbering `Sample::local` uses.
    pub source: SourceName,
    /// True for history read at start-up: it teaches baselines and raises nothing.
    pub is_backfill: bool,
    /// The points; values are finite.
    pub samples: Vec<Sample>,
}

/// One point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The series, by the source's local number.
    pub local: u32,
    /// When it was measured.
    pub at: Timestamp,
    /// What was measured, in the series' unit; finite.
    pub value: f64,
}

/// One log line, already sanitised and cut to `limits::LOG_LINE_BYTES_MAX`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// Where it was read.
    pub source: SourceName,
    /// The service that wrote it.
    pub service: ServiceName,
    /// When it was written, or read where it carries no time.
    pub at: Timestamp,
    /// How grave it calls itself.
    pub level: LogLevel,
    /// The message without its time and level.
    pub message: Arc<str>,
}

/// A log line's own level, ordered from least to gravest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Debugging or tracing.
    Debug,
    /// The usual.
    #[default]
    Info,
    /// Warning.
    Warn,
    /// Error.
    Error,
    /// Fatal, critical, emergency.
    Fatal,
}
