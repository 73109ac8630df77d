//! Incidents that are over, however long ago, each with everything that is kept of it: far more than an engine has in memory.

use super::schema::{self, TreeName};
use super::{Store, StoreError};
use crate::engine::job::Record;
use crate::engine::model::{Alert, Anomaly, Change, Document, DocumentKind, Incident, IncidentId, Run};

/// Anomalies, alerts and changes that are read of one incident, each; those of the lowest number.
const EACH_MAX: usize = 256;

/// An incident with what is kept of it.
#[derive(Debug, Clone, PartialEq)]
pub struct PastIncident {
    /// The incident.
    pub incident: Incident,
    /// Its anomalies, in order of id.
    pub anomalies: Vec<Anomaly>,
    /// Its alerts, as they were told last.
    pub alerts: Vec<Alert>,
    /// Changes within reach of its onset, in order of id.
    pub changes: Vec<Change>,
    /// Runs on it, oldest first.
    pub runs: Vec<Run>,
    /// Its post-mortem, where one was written.
    pub documents: Vec<Document>,
}

impl Store {
    /// The incident of this number with its parts, live or over; `None` where there is none that can be read.
    ///
    /// # Errors
    /// When sled itself cannot read on. A part that cannot be read is left out.
    pub fn past(&self, id: IncidentId) -> Result<Option<PastIncident>, StoreError> {
        match self.record(TreeName::Incidents, &id.0.to_be_bytes())? {
            Some(Record::Incident(incident)) => self.with_parts(incident).map(Some),
            _ => Ok(None),
        }
    }

    /// Every incident that is over and no part of another, with its parts, one after another in order of number. How many cannot be
    /// read: they are left out.
    ///
    /// # Errors
    /// When sled itself cannot read on.
    pub fn each_past(&self, take: &mut dyn FnMut(&PastIncident)) -> Result<usize, StoreError> {
        let mut unreadable = 0;
        for entry in self.tree(TreeName::Incidents) {
            let (key, value) = entry.map_err(|error| self.problem(&error))?;
            match schema::decode(TreeName::Incidents, &key, &value) {
                Ok(Record::Incident(incident)) if !incident.state.is_live() && incident.merged_into.is_none() => {
                    take(&self.with_parts(incident)?);
                }
                Ok(_) => {}
                Err(_) => unreadable += 1,
            }
        }
        Ok(unreadable)
    }

    fn with_parts(&self, incident: Incident) -> Result<PastIncident, StoreError> {
        let mut past = PastIncident {
            anomalies: Vec::new(),
            alerts: Vec::new(),
            changes: Vec::new(),
            runs: Vec::new(),
            documents: Vec::new(),
            incident,
        };
        for id in past.incident.anomalies.iter().take(EACH_MAX) {
            if let Some(Record::Anomaly(anomaly)) = self.record(TreeName::Anomalies, &id.0.to_be_bytes())? {
                past.anomalies.push(anomaly);
            }
        }
        for id in past.incident.alerts.iter().take(EACH_MAX) {
            if let Some(Record::Alert(alert)) = self.record(TreeName::Alerts, &id.0.to_be_bytes())? {
                past.alerts.push(alert);
            }
        }
        for id in past.incident.changes.iter().take(EACH_MAX) {
            if let Some(Record::Change(change)) = self.record(TreeName::Changes, &id.0.to_be_bytes())? {
                past.changes.push(change);
            }
        }
        for id in &past.incident.runs {
            if let Some(Record::Run(run)) = self.record(TreeName::Runs, &id.0.to_be_bytes())? {
                past.runs.push(run);
            }
        }
        let written = schema::document_key(past.incident.id, DocumentKind::PostMortem);
        if let Some(Record::Document(document)) = self.record(TreeName::Documents, &written)? {
            past.documents.push(document);
        }
        Ok(past)
    }

    fn record(&self, tree: TreeName, key: &[u8]) -> Result<Option<Record>, StoreError> {
        let value = self.tree(tree).get(key).map_err(|error| self.problem(&error))?;
        Ok(value.and_then(|value| schema::decode(tree, key, &value).ok()))
    }
}
