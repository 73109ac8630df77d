//! What is remembered of an incident: where it was, what was seen, why it was, what was done and what that did.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::ask::metric::Concept;
use crate::engine::clock::Timestamp;
use crate::engine::model::{
    Alert, Anomaly, AnomalyKind, CauseKind, Change, ChangeKind, Direction, Document, DocumentKind, Incident,
    IncidentId, Run, RunId, RunState, ServiceName, TimelineKind,
};
use crate::engine::snapshot::Snapshot;

/// Services, signs, log lines, alerts and changes that are remembered of one incident, each; those that came first.
const EACH_MAX: usize = 64;
/// Bytes of what people wrote about it.
const TEXT_BYTES_MAX: usize = 8_192;

/// An incident with everything that belongs to it.
#[derive(Debug, Clone)]
pub struct Parts<'a> {
    /// The incident.
    pub incident: &'a Incident,
    /// Its anomalies, as far as they are kept.
    pub anomalies: Vec<&'a Anomaly>,
    /// Its alerts.
    pub alerts: Vec<&'a Alert>,
    /// Changes within reach of its onset.
    pub changes: Vec<&'a Change>,
    /// Runs on it.
    pub runs: Vec<&'a Run>,
    /// What people wrote about it.
    pub documents: Vec<&'a Document>,
}

impl<'a> Parts<'a> {
    /// The parts of an incident of this picture.
    #[must_use]
    pub fn of_picture(snapshot: &'a Snapshot, incident: &'a Incident) -> Self {
        let anomalies = snapshot.anomalies.iter().filter(|it| incident.anomalies.contains(&it.id));
        let alerts = snapshot.alerts.iter().filter(|it| incident.alerts.contains(&it.notice.fingerprint));
        let changes = snapshot.changes.iter().filter(|it| incident.changes.contains(&it.id));
        let runs = snapshot.runs.iter().filter(|it| it.incident() == Some(incident.id));
        let documents = snapshot.documents.iter().filter(|it| it.incident == incident.id);
        Self {
            incident,
            anomalies: anomalies.map(Arc::as_ref).collect(),
            alerts: alerts.map(Arc::as_ref).collect(),
            changes: changes.map(Arc::as_ref).collect(),
            runs: runs.map(Arc::as_ref).collect(),
            documents: documents.map(Arc::as_ref).collect(),
        }
    }
}

/// A metric that departed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sign {
    /// Of which service.
    pub service: ServiceName,
    /// As its source calls it.
    pub metric: Arc<str>,
    /// What it is about, where that is known.
    pub concept: Option<Concept>,
    /// Which side of the usual.
    pub direction: Direction,
}

/// Why it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PastCause {
    /// What kind of failure.
    pub kind: CauseKind,
    /// Where it began.
    pub service: ServiceName,
    /// In a line.
    pub title: Arc<str>,
    /// The kind of the change that is blamed, where one is.
    pub change: Option<ChangeKind>,
}

/// What was done about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PastAct {
    /// The run.
    pub run: RunId,
    /// Its runbook, by its name.
    pub runbook: Arc<str>,
    /// True where it went to its end and what it verified held.
    pub helped: bool,
    /// From the run's beginning to its end, in milliseconds; `None` where it has none.
    pub took_ms: Option<i64>,
}

/// What is remembered of an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// Its number.
    pub id: IncidentId,
    /// In a line.
    pub title: Arc<str>,
    /// The earliest onset.
    pub started_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// Where it began, or was seen first.
    pub origin: Option<ServiceName>,
    /// Every service touched, in the order of onset.
    pub services: Vec<ServiceName>,
    /// What departed, in the order of onset.
    pub signs: Vec<Sign>,
    /// Log templates that were new or came at another rate.
    pub lines: Vec<Arc<str>>,
    /// Rules whose alerts fired.
    pub alerts: Vec<Arc<str>>,
    /// Why it was, where that was said.
    pub cause: Option<PastCause>,
    /// What was changed on its services before.
    pub changes: Vec<ChangeKind>,
    /// What was done, oldest first.
    pub acts: Vec<PastAct>,
    /// What people wrote about it.
    pub text: String,
}

impl Digest {
    /// What is remembered of these parts.
    #[must_use]
    pub fn of(parts: &Parts<'_>) -> Self {
        let incident = parts.incident;
        let mut anomalies = parts.anomalies.clone();
        anomalies.sort_by_key(|anomaly| (anomaly.started_at, anomaly.id));
        let mut services: Vec<_> = incident.services.iter().collect();
        services.sort_by_key(|(name, onset)| (**onset, (*name).clone()));
        let cause = incident.ranking.cause().map(|cause| PastCause {
            kind: cause.kind,
            service: cause.service.clone(),
            title: Arc::clone(&cause.title),
            change: cause
                .change
                .and_then(|id| parts.changes.iter().find(|change| change.id == id))
                .map(|change| change.notice.kind),
        });
        let seen_first = || {
            let harmful = anomalies.iter().find(|anomaly| anomaly.is_harmful).map(|anomaly| &anomaly.service);
            harmful.or_else(|| services.first().map(|(name, _)| *name)).cloned()
        };
        let mut changes = parts.changes.clone();
        changes.sort_by_key(|change| change.id);
        let mut alerts = parts.alerts.clone();
        alerts.sort_by_key(|alert| (alert.notice.starts_at, alert.notice.fingerprint));
        let mut runs = parts.runs.clone();
        runs.sort_by_key(|run| run.id);
        let is_of_it = |change: &&&Change| {
            change.notice.service.as_ref().is_some_and(|service| incident.services.contains_key(service))
        };
        Self {
            id: incident.id,
            title: Arc::clone(&incident.title),
            started_at: incident.started_at,
            ended_at: incident.resolved_at,
            origin: cause.as_ref().map(|cause| cause.service.clone()).or_else(seen_first),
            services: services.iter().map(|(name, _)| (*name).clone()).take(EACH_MAX).collect(),
            signs: each_once(anomalies.iter().filter_map(|anomaly| sign(anomaly))),
            lines: each_once(anomalies.iter().filter_map(|it| it.template.as_ref()).map(|(_, text)| Arc::clone(text))),
            alerts: each_once(alerts.iter().map(|alert| Arc::clone(&alert.notice.name))),
            cause,
            changes: each_once(changes.iter().filter(is_of_it).map(|change| change.notice.kind)),
            acts: runs.iter().map(|run| act(run)).take(EACH_MAX).collect(),
            text: text(parts),
        }
    }

    /// What is remembered of an incident of this picture.
    #[must_use]
    pub fn of_picture(snapshot: &Snapshot, incident: &Incident) -> Self {
        Self::of(&Parts::of_picture(snapshot, incident))
    }

    /// The act that ended it, where one helped.
    #[must_use]
    pub fn remedy(&self) -> Option<&PastAct> {
        self.acts.iter().rev().find(|act| act.helped)
    }
}

fn each_once<T: Ord + Clone>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    all.filter(|it| seen.insert(it.clone())).take(EACH_MAX).collect()
}

/// What an anomaly says of a metric; log templates say nothing of one.
fn sign(anomaly: &Anomaly) -> Option<Sign> {
    let is_log = matches!(anomaly.kind, AnomalyKind::NewTemplate | AnomalyKind::TemplateRate);
    (!is_log).then(|| Sign {
        service: anomaly.service.clone(),
        metric: Arc::clone(&anomaly.metric),
        concept: Concept::of_metric(&anomaly.metric, anomaly.role),
        direction: anomaly.direction,
    })
}

fn act(run: &Run) -> PastAct {
    PastAct {
        run: run.id,
        runbook: Arc::clone(&run.runbook.id),
        helped: run.state == RunState::Succeeded && run.has_held != Some(false),
        took_ms: run.ended_at.map(|end| end.since_ms(run.started_at)),
    }
}

/// Notes and the post-mortem; what the engine itself wrote into the timeline is in the other parts.
fn text(parts: &Parts<'_>) -> String {
    let notes = parts.incident.timeline.iter().filter(|entry| entry.kind == TimelineKind::Note);
    let documents = parts.documents.iter().filter(|document| document.kind == DocumentKind::PostMortem);
    let mut text = String::new();
    for piece in documents.map(|document| &document.text).chain(notes.map(|note| &note.text)) {
        text.push_str(piece);
        text.push('\n');
    }
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    text.truncate(end);
    text
}
