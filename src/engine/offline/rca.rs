//! A case folder on disk to a `Case`, and the answer back to disk. Whatever cannot be read is set aside, counted and
//! named; the rest is used.

mod metrics;
mod mined;
mod rows;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use flate2::read::MultiGzDecoder;
use serde_json::Value;
use thiserror::Error;

use crate::engine::root_cause::answer::Answer;
use crate::engine::root_cause::calibration::Calibration;
use crate::engine::root_cause::case::{Case, CaseChange, CaseChangeKind, NodeId, Span, Symptom, Tables};
use crate::engine::root_cause::picture::Picture;
use crate::engine::root_cause::solve::solve;
use crate::engine::root_cause::weights::Weights;
use crate::engine::settings::CorrelationSettings;

/// The most that is read of one file, unpacked.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Why a case cannot be answered at all.
#[derive(Debug, Error)]
pub enum CaseError {
    /// `case.json` is missing or unreadable.
    #[error("cannot read {}: {problem}; name a folder that holds a case.json", path.display())]
    Unreadable {
        /// Where it should be.
        path: PathBuf,
        /// What the system says.
        problem: std::io::Error,
    },
    /// It is no JSON object.
    #[error("{} is no case: {problem}", path.display())]
    Malformed {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

/// The answer to a case in a folder.
#[derive(Debug)]
pub struct Answered {
    /// `ranking.json`.
    pub json: Value,
    /// What was set aside while it was read.
    pub set_aside: Vec<String>,
    /// True where a whole file could not be read.
    pub is_partial: bool,
}

/// Reads the case in `folder` and answers it; `wall_ms` covers both.
///
/// # Errors
/// Where there is no case to answer.
pub fn answer(folder: &Path) -> Result<Answered, CaseError> {
    let began = Instant::now();
    let case = read_case(folder)?;
    let picture = Picture::new(&case);
    let solved = solve(&picture, &Weights::default(), &Calibration::default());
    let floor = CorrelationSettings::default().confidence_floor;
    let json = Answer::new(&picture, &solved, floor).to_json(Some(began.elapsed().as_secs_f64() * 1e3));
    let Case { set_aside, is_partial, .. } = case;
    Ok(Answered { json, set_aside, is_partial })
}

/// Reads the case in `folder`.
///
/// # Errors
/// Only where `case.json` itself cannot be used; anything else is told by `Case::set_aside`.
pub fn read_case(folder: &Path) -> Result<Case, CaseError> {
    let path = folder.join("case.json");
    let bytes = fs::read(&path).map_err(|problem| CaseError::Unreadable { path: path.clone(), problem })?;
    let text = String::from_utf8_lossy(&bytes);
    let value: Value = serde_json::from_str(&text)
        .map_err(|problem| CaseError::Malformed { path: path.clone(), problem: problem.to_string() })?;
    if !value.is_object() {
        return Err(CaseError::Malformed { path, problem: "it is not an object".to_owned() });
    }
    let mut case = Case { id: text_of(&value["id"]).to_owned(), ..Case::default() };
    read_graph(&value, &mut case);
    read_times(&value, &mut case);
    case.symptom = symptom(&value["symptom"], &mut case);
    read_changes(&value["changes"], &mut case);
    case.now = read_tables(folder, &value["files"], &mut case);
    case.healthy = read_tables(folder, &value["baseline_files"], &mut case);
    mined::mine(&mut case);
    settle_times(&mut case);
    Ok(case)
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn read_graph(value: &Value, case: &mut Case) {
    for name in list(&value["services"]).iter().filter_map(Value::as_str) {
        case.node(name);
    }
    case.service_count = case.nodes.len();
    case.nodes.iter_mut().for_each(|node| node.is_answerable = true);
    for edge in list(&value["topology"]) {
        let (caller, callee) = (text_of(&edge["caller"]), text_of(&edge["callee"]));
        if !caller.is_empty() && !callee.is_empty() && caller != callee {
            let pair = (case.node(caller), case.node(callee));
            case.calls.push(pair);
        }
    }
    case.calls.sort_unstable();
    case.calls.dedup();
    for entry in list(&value["instances"]) {
        let (name, service) = (text_of(&entry["instance"]), text_of(&entry["service"]));
        if !name.is_empty() && !service.is_empty() {
            let node = case.node(service);
            case.instance(name, node, entry["host"].as_str());
        }
    }
}

fn span(value: &Value) -> Option<Span> {
    let (start, end) = (value["start"].as_f64()?, value["end"].as_f64()?);
    Some(Span { start: start.min(end), end: end.max(start) })
}

fn read_times(value: &Value, case: &mut Case) {
    let detected = value["detected_at"].as_f64();
    let incident = span(&value["incident"]);
    case.baseline = span(&value["baseline"]);
    case.detected_at = detected.or(incident.map(|span| span.end)).unwrap_or(f64::NAN);
    // Without a span, the quarter of an hour before the page.
    case.incident = incident.unwrap_or(Span { start: case.detected_at - 900.0, end: case.detected_at });
}

/// A case without any time is about all that its tables hold.
fn settle_times(case: &mut Case) {
    if case.detected_at.is_finite() {
        return;
    }
    let tables = &case.now;
    let times = tables
        .metrics
        .ts
        .iter()
        .copied()
        .chain(tables.logs.iter().map(|row| row.ts))
        .chain(tables.spans.iter().map(|row| row.ts))
        .chain(tables.alerts.iter().map(|row| row.ts));
    let (start, end) = times.fold((f64::MAX, f64::MIN), |(low, high), ts| (low.min(ts), high.max(ts)));
    let whole = if start <= end { Span { start, end } } else { Span { start: 0.0, end: 0.0 } };
    case.set_aside.push("case.json: no detected_at and no incident; everything in the tables is taken".to_owned());
    (case.incident, case.detected_at) = (whole, whole.end);
}

fn symptom(value: &Value, case: &mut Case) -> Option<Symptom> {
    let fields = value.as_object()?;
    let node: Option<NodeId> = value["service"].as_str().filter(|name| !name.is_empty()).map(|name| case.node(name));
    let words = fields.iter().filter(|(key, _)| *key != "service" && *key != "metric");
    let text: Vec<String> = words.map(|(_, value)| value.as_str().map_or(value.to_string(), str::to_owned)).collect();
    Some(Symptom { node, metric: value["metric"].as_str().map(str::to_owned), text: text.join(" ") })
}

fn read_changes(value: &Value, case: &mut Case) {
    for entry in list(value) {
        let (Some(id), Some(ts)) = (entry["id"].as_str(), entry["ts"].as_f64()) else {
            case.set_aside.push("case.json: a change without id or ts".to_owned());
            continue;
        };
        let kind = match text_of(&entry["kind"]) {
            "commit" => CaseChangeKind::Commit,
            "deploy" => CaseChangeKind::Deploy,
            "flag" => CaseChangeKind::Flag,
            _ => CaseChangeKind::Other,
        };
        let node = entry["service"].as_str().filter(|name| !name.is_empty()).map(|name| case.node(name));
        case.changes.push(CaseChange {
            id: id.to_owned(),
            kind,
            ts,
            node,
            author: entry["author"].as_str().map(str::to_owned),
            title: text_of(&entry["title"]).to_owned(),
            files: list(&entry["files"]).iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            diff: text_of(&entry["diff"]).to_owned(),
            commit: entry["commit"].as_str().map(str::to_owned),
        });
    }
    case.changes.sort_by(|a, b| a.ts.total_cmp(&b.ts).then_with(|| a.id.cmp(&b.id)));
}

fn read_tables(folder: &Path, files: &Value, case: &mut Case) -> Tables {
    let mut tables = Tables::default();
    if let Some(bytes) = file(folder, &files["metrics"], case) {
        tables.metrics = metrics::read(&bytes, case);
    }
    if let Some(bytes) = file(folder, &files["logs"], case) {
        tables.logs = rows::logs(&bytes, case);
    }
    if let Some(bytes) = file(folder, &files["traces"], case) {
        tables.spans = rows::spans(&bytes, case);
    }
    if let Some(bytes) = file(folder, &files["alerts"], case) {
        tables.alerts = rows::alerts(&bytes, case);
    }
    tables
}

/// The bytes of one file, unpacked. Of a truncated file what there is; `None` where nothing can be had.
fn file(folder: &Path, name: &Value, case: &mut Case) -> Option<Vec<u8>> {
    let name = name.as_str()?;
    let path = folder.join(name);
    let packed = match fs::read(&path) {
        Ok(packed) => packed,
        Err(error) => {
            case.set_aside.push(format!("{}: {error}", path.display()));
            case.is_partial = true;
            return None;
        }
    };
    if !packed.starts_with(&[0x1f, 0x8b]) {
        return Some(packed);
    }
    let mut bytes = Vec::with_capacity(packed.len().saturating_mul(8).min(1 << 26));
    if let Err(error) = MultiGzDecoder::new(packed.as_slice()).take(FILE_BYTES_MAX).read_to_end(&mut bytes) {
        case.set_aside.push(format!("{}: {error}; what came before is used", path.display()));
        case.is_partial = true;
    }
    Some(bytes)
}
