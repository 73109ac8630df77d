//! What was measured and heard, row by row.

use super::{InstanceId, NodeId, Seconds};

/// One column of numbers; NaN where there is no sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Whose it is.
    pub node: NodeId,
    /// Of which copy, where the column is of one.
    pub instance: Option<InstanceId>,
    /// The metric, as written.
    pub metric: String,
    /// One value a row of the table; NaN where missing.
    pub values: Vec<f64>,
}

/// A wide table of metrics. Rows are in order of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetricTable {
    /// The time of each row, rising.
    pub ts: Vec<Seconds>,
    /// The columns, in the file's order.
    pub columns: Vec<Column>,
}

/// How loud a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Loudness {
    /// Anything below a warning, or no level.
    #[default]
    Quiet,
    /// A warning.
    Warning,
    /// An error or worse.
    Error,
}

/// The loudness of a line's level; of a line without one, by the words it begins with.
#[must_use]
pub fn loudness(level: &str, body: &str) -> Loudness {
    let of = |word: &str| match word {
        "ERROR" | "ERR" | "FATAL" | "CRITICAL" | "CRIT" | "ALERT" | "EMERG" | "PANIC" | "SEVERE" => {
            Some(Loudness::Error)
        }
        "WARN" | "WARNING" => Some(Loudness::Warning),
        "INFO" | "DEBUG" | "TRACE" | "NOTICE" => Some(Loudness::Quiet),
        _ => None,
    };
    if let Some(found) = of(level) {
        return found;
    }
    let head: String = body.chars().take(60).collect();
    let words = head.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.take(8).find_map(|word| of(&word.to_ascii_uppercase())).unwrap_or_default()
}

/// A template of log lines.
#[derive(Debug, Clone, PartialEq)]
pub struct LogTemplate {
    /// Who writes it.
    pub node: NodeId,
    /// Its text, `<*>` where it varies.
    pub text: String,
    /// How loud it is.
    pub loudness: Loudness,
}

/// One log line.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRow {
    /// When it was written.
    pub ts: Seconds,
    /// Who wrote it.
    pub node: NodeId,
    /// Which copy.
    pub instance: Option<InstanceId>,
    /// Its level, upper case; empty where none.
    pub level: String,
    /// The trace it belongs to, hashed; 0 where none.
    pub trace: u64,
    /// The span it belongs to, hashed; 0 where none.
    pub span: u64,
    /// The words.
    pub body: String,
    /// Its attributes as `key=value`, joined by blanks; empty where there are none.
    pub attrs: String,
    /// Its template: index into `Case::templates`.
    pub template: u32,
}

/// One span of a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanRow {
    /// When it began.
    pub ts: Seconds,
    /// The trace, hashed.
    pub trace: u64,
    /// Itself, hashed.
    pub span: u64,
    /// Its parent, hashed; 0 where none.
    pub parent: u64,
    /// Who did the work.
    pub node: NodeId,
    /// Which copy.
    pub instance: Option<InstanceId>,
    /// The operation: index into `Tables::ops`.
    pub op: u32,
    /// How long it took, in microseconds.
    pub dur_us: f64,
    /// True where its status says that it failed.
    pub is_error: bool,
}

/// Which detector raised an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertSource {
    /// On a metric.
    Metric,
    /// On a call: `peer` called the node.
    Trace,
    /// On a log line.
    Log,
}

/// One alert.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRow {
    /// When.
    pub ts: Seconds,
    /// On what.
    pub source: AlertSource,
    /// About whom (the callee, for trace alerts).
    pub node: NodeId,
    /// Which copy.
    pub instance: Option<InstanceId>,
    /// On which host, where it is said.
    pub host: Option<String>,
    /// Its name.
    pub name: String,
    /// What was seen.
    pub value: String,
    /// The operation, for calls.
    pub op: String,
    /// The caller, for calls.
    pub peer: Option<NodeId>,
    /// Which copy of the caller.
    pub peer_instance: Option<InstanceId>,
    /// The log line.
    pub message: String,
}

/// The tables of one span of time (the incident, or a healthy time).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tables {
    /// Metrics.
    pub metrics: MetricTable,
    /// Log lines, by time.
    pub logs: Vec<LogRow>,
    /// Spans, by time.
    pub spans: Vec<SpanRow>,
    /// Alerts, by time.
    pub alerts: Vec<AlertRow>,
}
