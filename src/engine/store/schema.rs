//! What is on disk, on one page: trees, keys and values, and what they were before.
//!
//! ```text
//! tree       key                      value
//! incidents  id, big-endian           version byte, then postcard of Incident
//! anomalies  id, big-endian           Anomaly; under version byte 3 without contradictions, under 2
//!                                     without the promise too, under 1 without the values at its onset
//! alerts     fingerprint, big-endian  Alert
//! changes    id, big-endian           Change; under version byte 1 without what it changes
//! runs       id, big-endian           version byte, then JSON of Run; under version byte 1 postcard of OlderRun
//! rollouts   id, big-endian           version byte, then JSON of KeptRollout
//! audit      sequence, big-endian     AuditEntry
//! series     fingerprint, big-endian  SeriesState; under version byte 3 OlderState, under 2 that without cold series'
//!                                     scorers, under 1 without the progress of anomalies too
//! topology   "topology"               Topology
//! templates  "templates"              bytes, as the miner writes them
//! relations  fingerprint, big-endian  bytes, as detection writes them
//! cursors    source's name            Timestamp
//! deliveries number, big-endian       Delivery
//! documents  incident, kind           Document
//! exceptions number, big-endian       PatchException
//! past       metric's fingerprint, width, page's number, big-endian: PastPage
//! settings   name                     String
//! meta       "schema"                 schema version, four bytes, big-endian
//!            "writes"                 how many writes there were, eight bytes, big-endian
//!            "lost"                   the numbers up to which a loss was told of, as the file `acknowledged` has them
//!            "made by"                the version of the hypo that wrote last, as text
//! ```
//!
//! | schema | what differed |
//! | --- | --- |
//! | 0 | values had no version byte |
//! | 1 | as above |

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::older_run::OlderRun;
use crate::engine::clock::Timestamp;
use crate::engine::detect::{OlderState, SeriesState};
use crate::engine::job::Record;
use crate::engine::model::{
    Anomaly, Change, DocumentKind, Fingerprint, IncidentId, IncidentSeverity, IncidentState, PastPage, Run, SlotWidth,
    SourceName,
};

/// The schema this program writes.
pub(super) const SCHEMA_VERSION: u32 = 1;
/// First byte of every value.
pub(super) const VALUE_VERSION: u8 = 1;
/// First byte of an anomaly's value.
const ANOMALY_VERSION: u8 = 4;
/// An anomaly from before metrics were held against one another.
const ANOMALY_VERSION_3: u8 = 3;
/// An anomaly from before forecasts were held to their word.
const ANOMALY_VERSION_2: u8 = 2;
/// First byte of a change's value.
const CHANGE_VERSION: u8 = 2;
/// First byte of a run's value; JSON from then on, postcard before.
const RUN_VERSION: u8 = 2;
/// First byte of a series' value.
const SERIES_VERSION: u8 = 4;
/// A series from before every one had a scorer.
const SERIES_VERSION_3: u8 = 3;
/// A series from before cold ones had a scorer.
const SERIES_VERSION_2: u8 = 2;
/// Key of the schema version in the tree `meta`.
pub(super) const SCHEMA_KEY: &str = "schema";
/// Key there of the numbers up to which a loss was told of.
pub(super) const LOST_KEY: &str = "lost";
/// What was lost, in words, until somebody has taken note of it.
pub(super) const LOSS_KEY: &str = "loss";
/// Key there of how many writes there were.
pub(super) const WRITES_KEY: &str = "writes";

/// The trees, in the order in which an export lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TreeName {
    Incidents,
    Anomalies,
    Alerts,
    Changes,
    Runs,
    Audit,
    Series,
    Topology,
    Templates,
    Relations,
    Cursors,
    Settings,
    Deliveries,
    Documents,
    Rollouts,
    Exceptions,
    Past,
}

impl TreeName {
    pub(super) const ALL: [Self; 17] = [
        Self::Incidents,
        Self::Anomalies,
        Self::Alerts,
        Self::Changes,
        Self::Runs,
        Self::Audit,
        Self::Series,
        Self::Topology,
        Self::Templates,
        Self::Relations,
        Self::Cursors,
        Self::Settings,
        Self::Deliveries,
        Self::Documents,
        Self::Rollouts,
        Self::Exceptions,
        Self::Past,
    ];

    /// What can be learnt or gathered anew: kept in batches of its own, and its loss is no loss of what anybody was told.
    pub(super) const LEARNT: [Self; 3] = [Self::Series, Self::Relations, Self::Past];

    /// Its name on disk and in exports.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Incidents => "incidents",
            Self::Anomalies => "anomalies",
            Self::Alerts => "alerts",
            Self::Changes => "changes",
            Self::Runs => "runs",
            Self::Audit => "audit",
            Self::Series => "series",
            Self::Topology => "topology",
            Self::Templates => "templates",
            Self::Relations => "relations",
            Self::Cursors => "cursors",
            Self::Settings => "settings",
            Self::Deliveries => "deliveries",
            Self::Documents => "documents",
            Self::Rollouts => "rollouts",
            Self::Exceptions => "exceptions",
            Self::Past => "past",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tree| tree.word() == word)
    }
}

/// A record as it goes to disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub tree: TreeName,
    pub key: Vec<u8>,
    /// Empty where the entry is to be removed; only deliveries that are over, and what was learnt or measured, ever
    /// are.
    pub value: Vec<u8>,
}

/// A value that cannot be read, or a record that cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ValueProblem {
    #[error("it is empty")]
    Empty,
    #[error("its version is {0}, and this program knows {VALUE_VERSION}")]
    Version(u8),
    #[error("its key is no text")]
    Key,
    #[error("its key is no number")]
    KeyNumber,
    #[error("{0}")]
    Postcard(#[from] postcard::Error),
    #[error("{0}")]
    Json(String),
}

/// A record in its place and form on disk.
pub(super) fn encode(record: &Record) -> Result<Entry, ValueProblem> {
    let number = |number: u64| number.to_be_bytes().to_vec();
    let (tree, key, value) = match record {
        Record::Incident(it) => (TreeName::Incidents, number(it.id.0), value(it)?),
        Record::Anomaly(it) => (TreeName::Anomalies, number(it.id.0), postcard::to_extend(it, vec![ANOMALY_VERSION])?),
        Record::Alert(it) => (TreeName::Alerts, number(it.notice.fingerprint.0), value(it)?),
        Record::Change(it) => (TreeName::Changes, number(it.id.0), postcard::to_extend(it, vec![CHANGE_VERSION])?),
        Record::Run(it) => (TreeName::Runs, number(it.id.0), json_value(it, RUN_VERSION)?),
        Record::Rollout(it) => (TreeName::Rollouts, number(it.rollout.id.0), json_value(it.as_ref(), VALUE_VERSION)?),
        Record::Audit(it) => (TreeName::Audit, number(it.sequence), value(it)?),
        Record::Series(it) => {
            (TreeName::Series, number(it.fingerprint.0), postcard::to_extend(it, vec![SERIES_VERSION])?)
        }
        Record::Topology(it) => (TreeName::Topology, TreeName::Topology.word().into(), value(it)?),
        Record::Templates(it) => (TreeName::Templates, TreeName::Templates.word().into(), value(it)?),
        Record::Relations { of, bytes } if bytes.is_empty() => (TreeName::Relations, number(of.0), Vec::new()),
        Record::Relations { of, bytes } => (TreeName::Relations, number(of.0), value(bytes)?),
        Record::BackfillCursor { source, until } => {
            (TreeName::Cursors, source.as_str().as_bytes().to_vec(), value(until)?)
        }
        Record::Delivery(it) => (TreeName::Deliveries, number(it.number), value(it)?),
        Record::Document(it) => (TreeName::Documents, document_key(it.incident, it.kind), value(it)?),
        Record::PatchException(it) => (TreeName::Exceptions, number(it.number), value(it)?),
        Record::PastPage(it) if it.slots.is_empty() => (TreeName::Past, past_key(it), Vec::new()),
        Record::PastPage(it) => (TreeName::Past, past_key(it), value(it)?),
        Record::DeliveryGone(of) => (TreeName::Deliveries, number(*of), Vec::new()),
        Record::SeriesGone(fingerprint) => (TreeName::Series, number(fingerprint.0), Vec::new()),
        Record::Setting { name, value: text } => (TreeName::Settings, name.as_bytes().to_vec(), value(text)?),
    };
    Ok(Entry { tree, key, value })
}

/// Where a document of an incident is.
pub(super) fn document_key(incident: IncidentId, kind: DocumentKind) -> Vec<u8> {
    let kind = match kind {
        DocumentKind::PostMortem => 0,
        DocumentKind::StatusUpdate => 1,
        DocumentKind::RunbookDraft => 2,
    };
    [incident.0.to_be_bytes().to_vec(), vec![kind]].concat()
}

/// Where a page of what was measured is: those of a metric lie together, of each width in order of time.
fn past_key(page: &PastPage) -> Vec<u8> {
    let width = match page.width {
        SlotWidth::FiveMinutes => 0,
        SlotWidth::Hour => 1,
    };
    let number = page.slots.from.0.div_euclid(page.width.page_ms());
    // Before the epoch nothing was measured.
    let number = u64::try_from(number).unwrap_or(0);
    [&page.fingerprint().0.to_be_bytes()[..], &[width], &number.to_be_bytes()].concat()
}

/// The record behind an entry.
pub(super) fn decode(tree: TreeName, key: &[u8], bytes: &[u8]) -> Result<Record, ValueProblem> {
    let key_text = || std::str::from_utf8(key).map_err(|_| ValueProblem::Key);
    Ok(match tree {
        TreeName::Incidents => Record::Incident(read(bytes)?),
        TreeName::Anomalies => Record::Anomaly(read_anomaly(bytes)?),
        TreeName::Alerts => Record::Alert(read(bytes)?),
        TreeName::Changes => Record::Change(read_change(bytes)?),
        TreeName::Runs => Record::Run(read_run(bytes)?),
        TreeName::Rollouts => Record::Rollout(Arc::new(read_json(bytes)?)),
        TreeName::Audit => Record::Audit(read(bytes)?),
        TreeName::Series => Record::Series(Box::new(read_series(bytes)?)),
        TreeName::Topology => Record::Topology(read(bytes)?),
        TreeName::Templates => Record::Templates(read(bytes)?),
        TreeName::Deliveries => Record::Delivery(read(bytes)?),
        TreeName::Documents => Record::Document(read(bytes)?),
        TreeName::Exceptions => Record::PatchException(read(bytes)?),
        TreeName::Past => Record::PastPage(read(bytes)?),
        TreeName::Relations => Record::Relations { of: Fingerprint(key_number(key)?), bytes: read(bytes)? },
        TreeName::Cursors => {
            Record::BackfillCursor { source: SourceName::new(key_text()?), until: read::<Timestamp>(bytes)? }
        }
        TreeName::Settings => Record::Setting { name: key_text()?.to_owned(), value: read(bytes)? },
    })
}

fn key_number(key: &[u8]) -> Result<u64, ValueProblem> {
    key.try_into().map(u64::from_be_bytes).map_err(|_| ValueProblem::KeyNumber)
}

fn value<T: Serialize>(it: &T) -> Result<Vec<u8>, ValueProblem> {
    Ok(postcard::to_extend(it, vec![VALUE_VERSION])?)
}

fn read_anomaly(bytes: &[u8]) -> Result<Anomaly, ValueProblem> {
    match bytes.split_first() {
        Some((&ANOMALY_VERSION, rest)) => Ok(postcard::from_bytes(rest)?),
        // What came later came last: no contradiction is one byte, and so are no promise and no value at the onset.
        Some((&ANOMALY_VERSION_3, rest)) => Ok(postcard::from_bytes(&[rest, &[0]].concat())?),
        Some((&ANOMALY_VERSION_2, rest)) => Ok(postcard::from_bytes(&[rest, &[0, 0]].concat())?),
        _ => read(&[bytes, &[0, 0, 0]].concat()),
    }
}

/// A run or a rollout as JSON: it is read by people when something has gone wrong, and it grows by keys.
fn json_value<T: Serialize + DeserializeOwned>(it: &T, version: u8) -> Result<Vec<u8>, ValueProblem> {
    let mut bytes = vec![version];
    serde_json::to_writer(&mut bytes, it).map_err(|problem| json_problem(&problem))?;
    // JSON has no infinities: what would not read back is refused now, not found missing later.
    serde_json::from_slice::<T>(&bytes[1..]).map_err(|problem| json_problem(&problem))?;
    Ok(bytes)
}

fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ValueProblem> {
    match bytes.split_first() {
        Some((&VALUE_VERSION, rest)) => serde_json::from_slice(rest).map_err(|problem| json_problem(&problem)),
        Some((version, _)) => Err(ValueProblem::Version(*version)),
        None => Err(ValueProblem::Empty),
    }
}

fn json_problem(problem: &serde_json::Error) -> ValueProblem {
    ValueProblem::Json(problem.to_string())
}

fn read_run(bytes: &[u8]) -> Result<Run, ValueProblem> {
    match bytes.split_first() {
        Some((&RUN_VERSION, rest)) => serde_json::from_slice(rest).map_err(|problem| json_problem(&problem)),
        _ => read::<OlderRun>(bytes).map(Run::from),
    }
}

fn read_change(bytes: &[u8]) -> Result<Change, ValueProblem> {
    match bytes.split_first() {
        Some((&CHANGE_VERSION, rest)) => Ok(postcard::from_bytes(rest)?),
        // The content came last: no content is one byte.
        _ => read(&[bytes, &[0]].concat()),
    }
}

fn read_series(bytes: &[u8]) -> Result<SeriesState, ValueProblem> {
    let older: OlderState = match bytes.split_first() {
        Some((&SERIES_VERSION, rest)) => return Ok(postcard::from_bytes(rest)?),
        Some((&SERIES_VERSION_3, rest)) => postcard::from_bytes(rest)?,
        // The scorer came last: none is one byte.
        Some((&SERIES_VERSION_2, rest)) => postcard::from_bytes(&[rest, &[0]].concat())?,
        // Before it, the progress: two counts, an empty list.
        _ => read(&[bytes, &[0; 4]].concat())?,
    };
    Ok(older.into())
}

/// True where the entry is an incident that is over: all that is read of it are the fields up to that.
pub(super) fn is_incident_over(bytes: &[u8]) -> bool {
    type Beginning<'a> = (IncidentId, &'a str, IncidentSeverity, bool, IncidentState);
    let Some((&VALUE_VERSION, rest)) = bytes.split_first() else { return false };
    postcard::take_from_bytes::<Beginning<'_>>(rest).is_ok_and(|((_, _, _, _, state), _)| !state.is_live())
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ValueProblem> {
    match bytes.split_first() {
        None => Err(ValueProblem::Empty),
        Some((&VALUE_VERSION, rest)) => Ok(postcard::from_bytes(rest)?),
        Some((&version, _)) => Err(ValueProblem::Version(version)),
    }
}
