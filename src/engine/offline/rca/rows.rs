//! JSON lines of logs, spans and alerts.

use std::borrow::Cow;

use serde::Deserialize;

use crate::engine::root_cause::case::{AlertRow, AlertSource, Case, InstanceId, LogRow, NodeId, SpanRow};

/// More of a text is not needed to know what it says.
const TEXT_BYTES_MAX: usize = 8 << 10;

#[derive(Deserialize)]
struct RawLog<'a> {
    ts: f64,
    #[serde(borrow, default)]
    service: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    instance: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    level: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    trace: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    span: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    body: Option<Cow<'a, str>>,
    #[serde(default)]
    attrs: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Deserialize)]
struct RawSpan<'a> {
    ts: f64,
    #[serde(borrow, default)]
    trace: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    span: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    parent: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    service: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    instance: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    op: Option<Cow<'a, str>>,
    #[serde(default)]
    dur_us: Option<f64>,
    #[serde(default)]
    status: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct RawAlert<'a> {
    ts: f64,
    #[serde(borrow, default)]
    source: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    service: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    instance: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    host: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(default)]
    value: Option<serde_json::Value>,
    #[serde(borrow, default)]
    op: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    peer: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    peer_instance: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
}

/// Every line of `bytes` through `take`; what is no JSON or has no time is counted.
fn each<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    what: &str,
    case: &mut Case,
    mut take: impl FnMut(&mut Case, T) -> bool,
) {
    let (mut bad, mut first_bad) = (0_usize, 0_usize);
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let is_taken = match serde_json::from_slice::<T>(line) {
            Ok(row) => take(case, row),
            Err(_) => false,
        };
        if !is_taken {
            bad += 1;
            first_bad = if bad == 1 { at + 1 } else { first_bad };
        }
    }
    if bad > 0 {
        case.set_aside.push(format!("{what}: {bad} lines that cannot be used, the first is line {first_bad}"));
    }
}

/// FNV-1a; identities are only compared.
#[must_use]
pub(crate) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or("").to_owned()
}

/// Attributes as `key=value`, in the file's order.
fn joined(attrs: &serde_json::Map<String, serde_json::Value>) -> String {
    let one = |(key, value): (&String, &serde_json::Value)| match value {
        serde_json::Value::String(text) => format!("{key}={text}"),
        other => format!("{key}={other}"),
    };
    attrs.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// Whose it is: the service as told, else the one whose copy it is.
fn place(
    case: &mut Case,
    service: Option<&str>,
    instance: Option<&str>,
    host: Option<&str>,
) -> Option<(NodeId, Option<InstanceId>)> {
    let instance = instance.filter(|name| !name.is_empty());
    let known = instance.and_then(|name| case.find_instance(name));
    let node = match service.filter(|name| !name.is_empty()) {
        Some(name) => case.node(name),
        None => case.instances.get(known?)?.node,
    };
    Some((node, instance.map(|name| case.instance(name, node, host))))
}

/// Log lines by time.
pub(super) fn logs(bytes: &[u8], case: &mut Case) -> Vec<LogRow> {
    let mut rows = Vec::new();
    each(bytes, "logs", case, |case, raw: RawLog<'_>| {
        let Some((node, instance)) = place(case, raw.service.as_deref(), raw.instance.as_deref(), None) else {
            return false;
        };
        let identity = |text: Option<Cow<'_, str>>| text.filter(|text| !text.is_empty()).map_or(0, |text| hash(&text));
        rows.push(LogRow {
            ts: raw.ts,
            node,
            instance,
            level: raw.level.map_or(String::new(), |level| level.to_uppercase()),
            trace: identity(raw.trace),
            span: identity(raw.span),
            body: raw.body.map_or(String::new(), |body| cut(&body)),
            attrs: raw.attrs.map_or(String::new(), |attrs| cut(&joined(&attrs))),
            template: 0,
        });
        raw.ts.is_finite()
    });
    rows.retain(|row: &LogRow| row.ts.is_finite());
    rows.sort_by(|a, b| a.ts.total_cmp(&b.ts));
    rows
}

/// Spans by time.
pub(super) fn spans(bytes: &[u8], case: &mut Case) -> Vec<SpanRow> {
    let mut rows = Vec::new();
    each(bytes, "traces", case, |case, raw: RawSpan<'_>| {
        let Some((node, instance)) = place(case, raw.service.as_deref(), raw.instance.as_deref(), None) else {
            return false;
        };
        let identity = |text: Option<Cow<'_, str>>| text.filter(|text| !text.is_empty()).map_or(0, |text| hash(&text));
        let dur_us = raw.dur_us.filter(|duration| duration.is_finite() && *duration >= 0.0);
        let (Some(dur_us), true) = (dur_us, raw.ts.is_finite()) else {
            return false;
        };
        let op = case.op(raw.op.as_deref().unwrap_or(""));
        rows.push(SpanRow {
            ts: raw.ts,
            trace: identity(raw.trace),
            span: identity(raw.span),
            parent: identity(raw.parent),
            node,
            instance,
            op,
            dur_us,
            is_error: raw.status.as_ref().is_some_and(is_error),
        });
        true
    });
    rows.sort_by(|a, b| a.ts.total_cmp(&b.ts));
    rows
}

/// A status that says that the call failed: a word, an HTTP code from 500, `true`.
fn is_error(status: &serde_json::Value) -> bool {
    let by_code = |code: f64| code >= 500.0;
    match status {
        serde_json::Value::Bool(is_error) => *is_error,
        serde_json::Value::Number(code) => code.as_f64().is_some_and(by_code),
        serde_json::Value::String(word) => {
            let word = word.to_ascii_lowercase();
            word.parse::<f64>().map_or_else(
                |_| {
                    ["error", "fail", "unavailable", "deadline", "internal", "exhausted"]
                        .iter()
                        .any(|bad| word.contains(bad))
                },
                by_code,
            )
        }
        _ => false,
    }
}

/// Alerts by time.
pub(super) fn alerts(bytes: &[u8], case: &mut Case) -> Vec<AlertRow> {
    let mut rows = Vec::new();
    each(bytes, "alerts", case, |case, raw: RawAlert<'_>| {
        let place_of = place(case, raw.service.as_deref(), raw.instance.as_deref(), raw.host.as_deref());
        let (Some((node, instance)), true) = (place_of, raw.ts.is_finite()) else {
            return false;
        };
        let source = match raw.source.as_deref() {
            Some("trace") => AlertSource::Trace,
            Some("log") => AlertSource::Log,
            _ => AlertSource::Metric,
        };
        let peer = place(case, raw.peer.as_deref(), raw.peer_instance.as_deref(), None);
        rows.push(AlertRow {
            ts: raw.ts,
            source,
            node,
            instance,
            host: raw.host.map(Cow::into_owned),
            name: raw.name.map_or(String::new(), Cow::into_owned),
            value: raw.value.map_or(String::new(), |value| value.as_str().map_or(value.to_string(), str::to_owned)),
            op: raw.op.map_or(String::new(), Cow::into_owned),
            peer: peer.map(|(node, _)| node),
            peer_instance: peer.and_then(|(_, instance)| instance),
            message: raw.message.map_or(String::new(), |message| cut(&message)),
        });
        true
    });
    rows.sort_by(|a, b| a.ts.total_cmp(&b.ts));
    rows
}
