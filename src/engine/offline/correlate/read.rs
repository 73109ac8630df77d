//! Reading a storm: every line that cannot be used is counted and says why, the rest is taken.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use rustc_hash::FxHashMap;
use serde::Deserialize;

use super::ALERTS_FILE;
use crate::engine::clock::Timestamp;
use crate::engine::correlate::evidence::casebook::Casebook;
use crate::engine::correlate::evidence::labels;
use crate::engine::pipeline::EngineError;

/// Problems that are told one by one; of more only the count is.
const TOLD_MAX: usize = 10;

/// Why a storm could not be read or answered.
#[derive(Debug, thiserror::Error)]
pub enum StormError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{} is not as expected: {source}", path.display())]
    Shape {
        /// Which.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// Nothing to do.
    #[error("no storm in {}: neither it nor a folder in it holds {ALERTS_FILE}", path.display())]
    NoStorm {
        /// Where.
        path: PathBuf,
    },
    /// The engine that the console runs does not begin.
    #[error("the console's engine does not begin: {0}")]
    Engine(#[from] EngineError),
    /// The answer cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What a line of a storm says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// An alert fires.
    Fires {
        /// Its face.
        face: u32,
        /// When, milliseconds.
        at: i64,
    },
    /// It is told again, or resolved: it goes where that line goes.
    Follows {
        /// Which line.
        line: u32,
    },
}

/// What could not be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dropped {
    /// How many lines.
    pub count: usize,
    /// The first of them, each with file, line and reason.
    pub told: Vec<String>,
}

impl Dropped {
    fn tell(&mut self, what: String) {
        self.count += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(what);
        }
    }
}

/// A storm as read, ready to be grouped.
#[derive(Debug, Default)]
pub struct Storm {
    /// Knows every place and face.
    pub book: Casebook,
    /// What each line says; `None` where it could not be used.
    pub heard: Vec<Option<Heard>>,
    /// How many lines there are.
    pub lines: usize,
    /// What could not be used.
    pub dropped: Dropped,
    /// True where a whole file could not be used.
    pub is_partial: bool,
}

impl Storm {
    /// Goes on without a file.
    fn leave_out(&mut self, problem: &StormError) {
        self.is_partial = true;
        self.dropped.tell(problem.to_string());
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(borrow, default)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    labels: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    #[serde(borrow)]
    starts_at: Cow<'a, str>,
    #[serde(borrow, default)]
    fingerprint: Cow<'a, str>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Platform {
    services: Vec<String>,
    pub(super) edges: Vec<Edge>,
    pods: Vec<Pod>,
    zones: BTreeMap<String, String>,
}

#[derive(Deserialize)]
pub(super) struct Edge {
    pub(super) caller: String,
    pub(super) callee: String,
}

#[derive(Deserialize)]
struct Pod {
    pod: String,
    service: Option<String>,
    node: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Change {
    pub(super) ts: String,
    pub(super) service: Option<String>,
    #[serde(default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) title: String,
}

/// Reads the storm in `folder`. A missing topology or list of changes is an empty one.
///
/// # Errors
/// When the alerts cannot be read at all.
pub fn read_storm(folder: &Path) -> Result<Storm, StormError> {
    let mut storm = Storm::default();
    let path = folder.join(ALERTS_FILE);
    let alerts = fs::read(&path).map_err(|source| StormError::Read { path: path.clone(), source })?;
    match read_beside(&folder.join("topology.json")) {
        Ok(platform) => take_platform(&mut storm.book, &platform.unwrap_or_default()),
        Err(problem) => storm.leave_out(&problem),
    }
    match read_beside::<Vec<Change>>(&folder.join("changes.json")) {
        Ok(changes) => take_changes(&mut storm, &changes.unwrap_or_default()),
        Err(problem) => storm.leave_out(&problem),
    }
    Listening::default().take(&mut storm, &alerts, &path);
    Ok(storm)
}

/// A JSON file that need not be there.
pub(super) fn read_beside<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, StormError> {
    match fs::read(path) {
        Ok(bytes) => {
            let parsed = serde_json::from_slice(&bytes);
            parsed.map(Some).map_err(|source| StormError::Shape { path: path.to_owned(), source })
        }
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StormError::Read { path: path.to_owned(), source }),
    }
}

fn take_platform(book: &mut Casebook, platform: &Platform) {
    let places = &mut book.places;
    for service in &platform.services {
        places.service(service);
    }
    for edge in &platform.edges {
        let (caller, callee) = (places.service(&edge.caller), places.service(&edge.callee));
        places.edge(caller, callee);
    }
    for (node, zone) in &platform.zones {
        let node = places.node(node);
        places.zone(node, zone);
    }
    for pod in &platform.pods {
        let service = pod.service.as_deref().map(|name| places.service(name));
        let node = pod.node.as_deref().map(|name| places.node(name));
        places.pod(&pod.pod, service, node);
    }
}

fn take_changes(storm: &mut Storm, changes: &[Change]) {
    for change in changes {
        let Some(service) = change.service.as_deref() else { continue };
        match Timestamp::parse_rfc3339(&change.ts) {
            Ok(at) => {
                let service = storm.book.places.service(service);
                storm.book.changes.push((at.0, service));
            }
            Err(problem) => {
                storm.dropped.tell(format!("changes.json: the time {:?} cannot be read: {problem}", change.ts));
            }
        }
    }
}

/// What has to be remembered from line to line.
#[derive(Default)]
struct Listening {
    faces: FxHashMap<String, u32>,
    /// The line that told first of an alert that began then.
    first: FxHashMap<(u32, i64), u32>,
}

impl Listening {
    fn take(&mut self, storm: &mut Storm, alerts: &[u8], path: &Path) {
        let alerts = alerts.strip_suffix(b"\n").unwrap_or(alerts);
        if alerts.is_empty() {
            return;
        }
        for (at, line) in alerts.split(|byte| *byte == b'\n').enumerate() {
            let heard = match self.take_line(storm, line, at) {
                Ok(heard) => Some(heard),
                Err(problem) => {
                    storm.dropped.tell(format!("{}:{}: {problem}", path.display(), at + 1));
                    None
                }
            };
            storm.heard.push(heard);
        }
        storm.lines = storm.heard.len();
    }

    fn take_line(&mut self, storm: &mut Storm, line: &[u8], at: usize) -> Result<Heard, String> {
        let text = String::from_utf8_lossy(line);
        let read: Line<'_> = serde_json::from_str(&text).map_err(|problem| problem.to_string())?;
        let name = read.labels.get("alertname").ok_or("the alert has no alertname")?;
        let started = Timestamp::parse_rfc3339(&read.starts_at)
            .map_err(|problem| format!("startsAt {:?} cannot be read: {problem}", read.starts_at))?;
        let labels = || read.labels.iter().map(|(key, value)| (key.as_ref(), value.as_ref()));
        let identity = if read.fingerprint.is_empty() {
            labels().map(|(key, value)| format!("{key}={value}\0")).collect()
        } else {
            read.fingerprint.to_string()
        };
        let face = match self.faces.get(&identity) {
            Some(face) => *face,
            None => {
                let face = labels::read(&mut storm.book, name, None, labels());
                let face = storm.book.face(face);
                self.faces.insert(identity, face);
                face
            }
        };
        let line = u32::try_from(at).map_err(|_| "more lines than can be numbered".to_owned())?;
        if let Some(first) = self.first.get(&(face, started.0)) {
            return Ok(Heard::Follows { line: *first });
        }
        if read.status == "resolved" {
            return Err("the end of an alert whose beginning was not told".to_owned());
        }
        self.first.insert((face, started.0), line);
        Ok(Heard::Fires { face, at: started.0 })
    }
}
