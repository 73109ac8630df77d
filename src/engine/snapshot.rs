//! The read-only picture that views draw: plain data, serialisable, with a revision number.
//!
//! Large things are shared (`Arc`), so that a new picture of ten thousand anomalies copies pointers.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
pub use super::model::AutonomyMode;
use super::model::{
    Alert, Anomaly, AnomalyId, AuditEntry, AutonomyStatus, Change, CompoundAnomaly, Document, EarlyWarning, Incident,
    IncidentId, KillSwitch, KindGuess, Misfit, OutboxStatus, Present, Proposal, Run, RunId, RunbookPage, SourceReport,
    StepState, SuppressionRule, Topology, Vital, Wheel,
};
pub use super::patches::exceptions::PatchException;
pub use super::patches::picture as patches;
pub use super::patches::rollout;
use super::patches::rollout::{KeptRollout, Occasion};

/// Totals for the status bar and the empty states.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Series watched.
    pub series_count: u64,
    /// Samples taken since the start.
    pub sample_count: u64,
    /// Inputs set aside since the start, by all sources.
    pub dropped_count: u64,
    /// Alerts firing now.
    pub alert_count: u64,
    /// Alerts, anomalies and repeats folded into live incidents: the 1,847 of "1,847 → 1".
    pub folded_count: u64,
    /// Anomalies active now, suppressed ones included.
    pub active_anomaly_count: u64,
    /// Of those, how many are suppressed.
    pub suppressed_anomaly_count: u64,
    /// Days of history the typical series has.
    pub history_days: f32,
    /// Days of history below which static thresholds judge.
    pub history_days_min: f32,
    /// Series judged by static thresholds for lack of history.
    pub cold_series_count: u64,
    /// Series that fell silent for good and were forgotten, since the start.
    #[serde(default)]
    pub retired_series_count: u64,
}

/// State of the store, for the status bar and `doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StoreStatus {
    /// Where it is; empty where nothing is kept (tests).
    pub path: Arc<str>,
    /// Why it does not work, where it does not.
    pub problem: Option<Arc<str>>,
    /// Bytes on disk.
    #[serde(default)]
    pub size_bytes: u64,
    /// Bytes that it may take; 0 where nothing is kept.
    #[serde(default)]
    pub size_max_bytes: u64,
}

impl StoreStatus {
    /// How much of its room is taken, in percent; `None` where nothing is kept.
    #[must_use]
    pub fn percent(&self) -> Option<u64> {
        self.size_bytes.saturating_mul(100).checked_div(self.size_max_bytes)
    }
}

/// A runbook file, keymap or theme that could not be read: a state on the screen, never an exit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileProblem {
    /// Which file.
    pub file: Arc<str>,
    /// Which line, from 1; 0 where none can be named.
    pub line: u32,
    /// What is wrong and what would be right.
    pub text: Arc<str>,
}

/// That what is shown is a recording.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Replaying {
    /// How many times faster than it was recorded.
    pub speed: f64,
    /// True once its last line has been played.
    pub is_over: bool,
}

/// The picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Grows by one with every picture that differs from the one before.
    pub revision: u64,
    /// The engine's `now` when it was taken.
    pub at: Timestamp,
    /// How much the engine may do by itself.
    pub mode: AutonomyMode,
    /// The kill switch, where it is on.
    #[serde(default)]
    pub kill: Option<KillSwitch>,
    /// What else holds acts back that would begin by themselves.
    #[serde(default)]
    pub autonomy: AutonomyStatus,
    /// Totals.
    pub counts: Counts,
    /// Every source, sorted by name.
    pub sources: Vec<Arc<SourceReport>>,
    /// Live incidents, worst and newest first, then those over, newest first.
    pub incidents: Vec<Arc<Incident>>,
    /// Active and recovering anomalies, worst first, then those over, newest first.
    pub anomalies: Vec<Arc<Anomaly>>,
    /// Services with several anomalous metrics at once, worst first.
    pub compounds: Vec<CompoundAnomaly>,
    /// Firing alerts, worst first, then the lately resolved.
    pub alerts: Vec<Arc<Alert>>,
    /// Changes, newest first.
    pub changes: Vec<Arc<Change>>,
    /// Who calls whom.
    pub topology: Arc<Topology>,
    /// Runs, newest first.
    pub runs: Vec<Arc<Run>>,
    /// Who drives the runs that are under way.
    #[serde(default)]
    pub wheels: BTreeMap<RunId, Wheel>,
    /// Who is attached, in the order in which they came.
    #[serde(default)]
    pub present: Vec<Present>,
    /// Runbooks that fit, best first, by incident.
    pub proposals: BTreeMap<IncidentId, Vec<Arc<Proposal>>>,
    /// Runbooks that fit and cannot be filled in, by incident.
    #[serde(default)]
    pub misfits: BTreeMap<IncidentId, Vec<Misfit>>,
    /// What kind of failure live incidents resemble, by those that were confirmed.
    #[serde(default)]
    pub kind_guesses: BTreeMap<IncidentId, Arc<KindGuess>>,
    /// The latest values by service and metric, in that order; empty where too much is watched for that.
    #[serde(default)]
    pub vitals: Arc<Vec<Vital>>,
    /// Anomalies that are forecasts, soonest first.
    pub predictions: Vec<AnomalyId>,
    /// Past incidents whose signs are here again, the oldest warning first.
    #[serde(default)]
    pub warnings: Vec<EarlyWarning>,
    /// Rules learnt for what never matters: in force, in shadow, withdrawn.
    #[serde(default)]
    pub suppression_rules: Vec<SuppressionRule>,
    /// The newest entries of the audit log, newest first.
    pub audit: Vec<Arc<AuditEntry>>,
    /// Files that could not be read.
    pub file_problems: Vec<FileProblem>,
    /// The store.
    pub store: StoreStatus,
    /// What is told outside, and what of it waits or failed.
    #[serde(default)]
    pub outbox: OutboxStatus,
    /// What people wrote about incidents: post-mortems and the last status updates.
    #[serde(default)]
    pub documents: Vec<Arc<Document>>,
    /// When the next status update of an incident is due.
    #[serde(default)]
    pub updates_due: BTreeMap<IncidentId, Timestamp>,
    /// Between two status updates, in milliseconds.
    #[serde(default)]
    pub update_every_ms: i64,
    /// What must be patched, where and by when.
    #[serde(default)]
    pub patches: Arc<patches::PatchPicture>,
    /// Rollouts of patches, newest first.
    #[serde(default)]
    pub rollouts: Vec<Arc<KeptRollout>>,
    /// Maintenance windows and freezes of the coming days.
    #[serde(default)]
    pub agenda: Arc<Vec<Occasion>>,
    /// What each runbook says of itself, in order of id.
    #[serde(default)]
    pub runbooks: Arc<Vec<RunbookPage>>,
    /// Patches that are put off and risks that are accepted: those in force and the newest of those over, the newest first.
    #[serde(default)]
    pub patch_exceptions: Vec<Arc<PatchException>>,
    /// The recording that is played; `None` where what is shown happens now.
    #[serde(default)]
    pub replay: Option<Replaying>,
}

impl Snapshot {
    /// True for a picture from before the engine has drawn its first: its store is still being opened.
    #[must_use]
    pub fn is_before_the_first(&self) -> bool {
        self.at == Timestamp(0)
    }

    /// Commands of runs that have begun and whose end was not seen, by run and index of the step.
    #[must_use]
    pub fn running_commands(&self) -> Vec<(RunId, usize)> {
        let of = |run: &Arc<Run>| {
            let id = run.id;
            let steps = run.steps.iter().enumerate();
            steps
                .filter(|(_, step)| matches!(step.state, StepState::Running { .. }))
                .map(move |(at, _)| (id, at))
                .collect::<Vec<_>>()
        };
        self.runs.iter().flat_map(of).collect()
    }

    /// A picture of nothing, before the engine has drawn its first.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            revision: 0,
            at: Timestamp(0),
            mode: AutonomyMode::Suggest,
            kill: None,
            autonomy: AutonomyStatus::default(),
            counts: Counts::default(),
            sources: Vec::new(),
            incidents: Vec::new(),
            anomalies: Vec::new(),
            compounds: Vec::new(),
            alerts: Vec::new(),
            changes: Vec::new(),
            topology: Arc::new(Topology::default()),
            runs: Vec::new(),
            wheels: BTreeMap::new(),
            present: Vec::new(),
            proposals: BTreeMap::new(),
            misfits: BTreeMap::new(),
            kind_guesses: BTreeMap::new(),
            vitals: Arc::default(),
            predictions: Vec::new(),
            warnings: Vec::new(),
            suppression_rules: Vec::new(),
            audit: Vec::new(),
            file_problems: Vec::new(),
            store: StoreStatus::default(),
            outbox: OutboxStatus::default(),
            documents: Vec::new(),
            updates_due: BTreeMap::new(),
            update_every_ms: 0,
            patches: Arc::default(),
            rollouts: Vec::new(),
            agenda: Arc::default(),
            runbooks: Arc::default(),
            patch_exceptions: Vec::new(),
            replay: None,
        }
    }

    /// The incident with this id, where the picture has it.
    #[must_use]
    pub fn incident(&self, id: IncidentId) -> Option<&Arc<Incident>> {
        self.incidents.iter().find(|incident| incident.id == id)
    }

    /// The anomaly with this id, where the picture has it.
    #[must_use]
    pub fn anomaly(&self, id: AnomalyId) -> Option<&Arc<Anomaly>> {
        self.anomalies.iter().find(|anomaly| anomaly.id == id)
    }

    /// The newest run of this incident.
    #[must_use]
    pub fn latest_run(&self, id: IncidentId) -> Option<&Arc<Run>> {
        self.runs.iter().find(|run| run.incident() == Some(id))
    }
}
