//! An incident: the unit a person works on, with its life cycle and its timeline.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::hypothesis::Ranking;
use super::ids::{AnomalyId, ChangeId, Fingerprint, IncidentId, RunId, ServiceName};
use super::severity::IncidentSeverity;
use crate::engine::clock::Timestamp;

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentState {
    /// Nobody has taken it.
    Open,
    /// Somebody has.
    Acknowledged,
    /// The harm has stopped; the cause may still be there.
    Mitigated,
    /// Over.
    Resolved,
    /// It came back.
    Reopened,
}

impl IncidentState {
    /// True until resolved.
    #[must_use]
    pub fn is_live(self) -> bool {
        self != Self::Resolved
    }

    /// The word on the screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Mitigated => "mitigated",
            Self::Resolved => "resolved",
            Self::Reopened => "reopened",
        }
    }
}

/// What a line of the timeline tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimelineKind {
    /// A change that may matter.
    Change,
    /// An anomaly joined or got worse.
    Anomaly,
    /// An alert joined.
    Alert,
    /// Users are harmed.
    Impact,
    /// The leading hypothesis changed.
    Hypothesis,
    /// The life cycle moved on.
    State,
    /// A step of a run.
    Step,
    /// A person's note.
    Note,
    /// Something went back to normal.
    Recovery,
}

/// One line of the timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// When it happened (not when it was noticed).
    pub at: Timestamp,
    /// What it tells.
    pub kind: TimelineKind,
    /// In a line.
    pub text: Arc<str>,
    /// The service it is about.
    pub service: Option<ServiceName>,
    /// The anomaly behind it, for its sparkline and for Enter.
    pub anomaly: Option<AnomalyId>,
    /// Who did it, for changes, notes, steps and states.
    pub by: Option<Arc<str>>,
}

/// One failure, as a person works on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its number.
    pub id: IncidentId,
    /// In a line: `auth-api cannot reach its database`.
    pub title: Arc<str>,
    /// How bad for users.
    pub severity: IncidentSeverity,
    /// True once a person set the severity; the engine leaves it alone then.
    pub is_severity_set_by_hand: bool,
    /// Where it stands.
    pub state: IncidentState,
    /// The earliest onset among its members.
    pub started_at: Timestamp,
    /// When it was opened here.
    pub opened_at: Timestamp,
    /// When somebody took it.
    pub acknowledged_at: Option<Timestamp>,
    /// When the harm stopped.
    pub mitigated_at: Option<Timestamp>,
    /// When it was over.
    pub resolved_at: Option<Timestamp>,
    /// The incident it turned out to be a part of; it is resolved then and never reopened.
    pub merged_into: Option<IncidentId>,
    /// The incident it was a part of until it turned out to be a failure of its own.
    #[serde(default)]
    pub split_from: Option<IncidentId>,
    /// How often it came back.
    pub reopen_count: u32,
    /// When anything about it last changed.
    pub updated_at: Timestamp,
    /// Who has it.
    pub owner: Option<Arc<str>>,
    /// Every service touched, with the onset of its first symptom.
    pub services: BTreeMap<ServiceName, Timestamp>,
    /// Members.
    pub anomalies: BTreeSet<AnomalyId>,
    /// External alerts.
    pub alerts: BTreeSet<Fingerprint>,
    /// Changes within reach of its onset, the suspects.
    pub changes: BTreeSet<ChangeId>,
    /// Signals that were folded in: repeats, alerts, anomalies; what "1,847 → 1" counts.
    pub folded_count: u64,
    /// What happened, ordered by time.
    pub timeline: Vec<TimelineEntry>,
    /// Why it happened.
    pub ranking: Ranking,
    /// Runs on it, oldest first.
    pub runs: Vec<RunId>,
}

impl Incident {
    /// An open incident without members, of the mildest severity and without a title.
    #[must_use]
    pub fn opened(id: IncidentId, started_at: Timestamp, now: Timestamp) -> Self {
        Self {
            id,
            title: Arc::from(""),
            severity: IncidentSeverity::Sev4,
            is_severity_set_by_hand: false,
            state: IncidentState::Open,
            started_at,
            opened_at: now,
            acknowledged_at: None,
            mitigated_at: None,
            resolved_at: None,
            merged_into: None,
            split_from: None,
            reopen_count: 0,
            updated_at: now,
            owner: None,
            services: BTreeMap::new(),
            anomalies: BTreeSet::new(),
            alerts: BTreeSet::new(),
            changes: BTreeSet::new(),
            folded_count: 0,
            timeline: Vec::new(),
            ranking: Ranking::default(),
            runs: Vec::new(),
        }
    }
}
