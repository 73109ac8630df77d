//! What is known now: anomalies, alerts, changes, topology, incidents and runs, keyed and shared.
//!
//! Stages read it and return what they would change; only the pipeline writes. Entries are shared with the snapshots
//! that have been published, so a write goes through `Arc::make_mut`.

#[cfg(test)]
pub(crate) mod fixtures;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::model::{
    Alert, Anomaly, AnomalyId, CauseVerdict, Change, ChangeId, Fingerprint, Incident, IncidentId, KindGuess, Run,
    RunId, ServiceName, SourceName, SourceReport, Topology,
};

/// Everything the stages after detection look at.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// Active, recovering and lately ended anomalies.
    pub anomalies: BTreeMap<AnomalyId, Arc<Anomaly>>,
    /// Firing and lately resolved alerts.
    pub alerts: BTreeMap<Fingerprint, Arc<Alert>>,
    /// Changes, by number, which is order of arrival.
    pub changes: BTreeMap<ChangeId, Arc<Change>>,
    /// Incidents, live and over.
    pub incidents: BTreeMap<IncidentId, Arc<Incident>>,
    /// Runs, active and over.
    pub runs: BTreeMap<RunId, Arc<Run>>,
    /// Who calls whom.
    pub topology: Arc<Topology>,
    /// Every source's last word.
    pub sources: BTreeMap<SourceName, Arc<SourceReport>>,
    /// This machine and its units, by the series that it tells; told anew at every start.
    pub machines: BTreeSet<ServiceName>,
    /// What kind of failure live incidents resemble, by those that were confirmed.
    pub kind_guesses: BTreeMap<IncidentId, Arc<KindGuess>>,
    /// What operators said of the causes that were named.
    pub verdicts: BTreeMap<IncidentId, CauseVerdict>,
}
