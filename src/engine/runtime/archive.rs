//! The archive of past incidents beside an engine: filled from the store at its opening, and kept up with what is written.

use std::collections::BTreeSet;

use crate::engine::ask::recall::{Archive, Digest, Parts};
use crate::engine::job::Record;
use crate::engine::model::{IncidentId, Run};
use crate::engine::store::{PastIncident, Store, StoreError};

/// The archive of everything that the store holds. The log says how many old incidents cannot be read: a start reads the newest alone.
///
/// # Errors
/// When the store cannot be read on.
pub fn fill(store: &Store) -> Result<Archive, StoreError> {
    let mut archive = Archive::default();
    let unreadable = store.each_past(&mut |past| archive.put(&digest(past)))?;
    if unreadable > 0 {
        tracing::warn!(
            unreadable,
            "past incidents of the store cannot be read and are not searched; a backup may have them"
        );
    }
    Ok(archive)
}

/// Takes over what was just written; called after each write. An incident that comes back to life is forgotten until it is
/// over again; what becomes of a run, and a post-mortem, go in with the incident that they are about.
///
/// # Errors
/// When the store cannot be read on.
pub fn follow(archive: &mut Archive, store: &Store, written: &[Record]) -> Result<(), StoreError> {
    let known = |archive: &Archive, id: Option<IncidentId>| id.filter(|id| archive.get(*id).is_some());
    let mut changed = BTreeSet::new();
    for record in written {
        match record {
            Record::Incident(incident) if incident.state.is_live() => archive.forget(incident.id),
            Record::Incident(incident) => {
                changed.insert(incident.id);
            }
            Record::Run(run) => changed.extend(known(archive, Run::incident(run))),
            Record::Document(document) => changed.extend(known(archive, Some(document.incident))),
            _ => {}
        }
    }
    for id in changed {
        if let Some(past) = store.past(id)? {
            archive.follow(&past.incident, || digest(&past));
        }
    }
    Ok(())
}

fn digest(past: &PastIncident) -> Digest {
    Digest::of(&Parts {
        incident: &past.incident,
        anomalies: past.anomalies.iter().collect(),
        alerts: past.alerts.iter().collect(),
        changes: past.changes.iter().collect(),
        runs: past.runs.iter().collect(),
        documents: past.documents.iter().collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ask::recall::Query;
    use crate::engine::model::{
        AnomalyId, Document, DocumentKind, Incident, IncidentState, SeriesRole, ServiceName, Topology,
    };
    use crate::engine::world::fixtures;

    /// An incident that is over, with an anomaly of the same number.
    fn ended(id: u64, service: &str) -> Vec<Record> {
        let mut incident = fixtures::incident(id, service, i64::try_from(id).unwrap() * 60_000);
        incident.state = IncidentState::Resolved;
        incident.anomalies = [AnomalyId(id)].into();
        let anomaly = fixtures::anomaly(id, service, "error_ratio", SeriesRole::Errors, 60);
        vec![Record::Incident(incident), Record::Anomaly(anomaly)]
    }

    fn live(id: u64, service: &str) -> Incident {
        Incident { state: IncidentState::Reopened, ..fixtures::incident(id, service, 60_000) }
    }

    #[test]
    fn an_archive_that_followed_what_was_written_is_the_one_that_is_filled_anew() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("state")).unwrap();
        let mut followed = Archive::default();
        let mut write = |records: Vec<Record>| {
            store.write(&records, true).unwrap();
            follow(&mut followed, &store, &records).unwrap();
        };
        (1..400).for_each(|id| write(ended(id, if id % 2 == 0 { "cart" } else { "auth" })));
        write(vec![Record::Incident(live(7, "auth"))]);
        let mut part = fixtures::incident(8, "cart", 1);
        (part.state, part.merged_into) = (IncidentState::Resolved, Some(IncidentId(9)));
        write(vec![Record::Incident(part)]);
        let (text, by) = ("The certificate had expired.".into(), "mira".into());
        let at = crate::engine::clock::Timestamp(9);
        let document = Document { incident: IncidentId(12), kind: DocumentKind::PostMortem, text, by, at };
        write(vec![Record::Document(document)]);
        let filled = fill(&store).unwrap();
        // Two hundred is what an engine has in memory.
        assert_eq!((filled.len(), followed.len()), (397, 397));
        assert!(filled.get(IncidentId(7)).is_none() && filled.get(IncidentId(8)).is_none());
        let anomaly = fixtures::anomaly(500, "cart", "error_ratio", SeriesRole::Errors, 60);
        let asked = Digest::of(&Parts {
            incident: &live(500, "cart"),
            anomalies: vec![&anomaly],
            alerts: Vec::new(),
            changes: Vec::new(),
            runs: Vec::new(),
            documents: Vec::new(),
        });
        for query in [Query::like(&asked, &Topology::default()), Query::about("certificate", ["auth"])] {
            let found = filled.alike(&query, None, 0.0, 9);
            assert_eq!(found, followed.alike(&query, None, 0.0, 9));
            assert!(!found.0.is_empty());
        }
        let (by_word, _) = filled.alike(&Query::about("certificate", []), None, 0.0, 9);
        assert_eq!(by_word.first().map(|alike| alike.past.id), Some(IncidentId(12)));
        assert!(ServiceName::new("cart") == asked.services[0]);
    }
}
