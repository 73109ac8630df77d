//! Documents made from the record: the post-mortem, the status update for stakeholders, the handover. Pure functions of a
//! picture: what the record has is told, what it has not is said to be not known, and nothing is made up.

mod cause;
mod document;
mod follow_ups;
mod handover;
mod markdown;
mod runs;
mod status;
mod times;

pub use document::post_mortem;
pub use handover::{handover, handover_line};
pub use status::status_update;

use std::sync::Arc;

use super::clock::Timestamp;
use super::model::{AuditEntry, Document, DocumentKind, Incident, IncidentId, Run};
use super::snapshot::Snapshot;

/// What the record has of one incident.
#[derive(Debug, Clone)]
struct Facts<'s> {
    snapshot: &'s Snapshot,
    incident: &'s Incident,
    /// Its runs, oldest first.
    runs: Vec<&'s Run>,
    /// What the audit log has of it, oldest first.
    audit: Vec<&'s AuditEntry>,
}

impl<'s> Facts<'s> {
    fn of(snapshot: &'s Snapshot, id: IncidentId) -> Option<Self> {
        let incident = snapshot.incident(id)?;
        let runs = snapshot.runs.iter().rev().map(Arc::as_ref).filter(|run| run.incident() == Some(id)).collect();
        let audit = snapshot.audit.iter().rev().map(Arc::as_ref).filter(|entry| entry.incident == Some(id)).collect();
        Some(Self { snapshot, incident, runs, audit })
    }

    fn now(&self) -> Timestamp {
        self.snapshot.at
    }
}

/// When the update after one sent now is due; `None` where none is: it is over, or mild.
#[must_use]
pub fn next_update(snapshot: &Snapshot, id: IncidentId) -> Option<Timestamp> {
    snapshot.updates_due.get(&id).map(|_| snapshot.at + snapshot.update_every_ms)
}

/// The document that was saved for an incident, where one was.
#[must_use]
pub fn saved(snapshot: &Snapshot, id: IncidentId, kind: DocumentKind) -> Option<&Arc<Document>> {
    snapshot.documents.iter().find(|document| document.incident == id && document.kind == kind)
}
