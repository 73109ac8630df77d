//! A delivery: one thing told to one system outside, and how far that has come.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{IncidentId, ServiceName};
use super::series::Fnv1a;
use super::severity::IncidentSeverity;
use crate::engine::clock::Timestamp;

/// A system outside that is told things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// Change requests in ServiceNow.
    Servicenow,
    /// Requests in Jira Service Management.
    Jira,
    /// A channel of Slack.
    Slack,
    /// Events of PagerDuty.
    Pagerduty,
}

impl Destination {
    /// Every destination.
    pub const ALL: [Self; 4] = [Self::Servicenow, Self::Jira, Self::Slack, Self::Pagerduty];

    /// Its name in settings and on the screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Servicenow => "servicenow",
            Self::Jira => "jira",
            Self::Slack => "slack",
            Self::Pagerduty => "pagerduty",
        }
    }

    /// True where it keeps a record of every act; the others are only notified.
    #[must_use]
    pub fn keeps_change_records(self) -> bool {
        matches!(self, Self::Servicenow | Self::Jira)
    }

    /// True where what has arrived can be found again, so that telling it once more makes no second one.
    #[must_use]
    pub fn finds_again(self) -> bool {
        self != Self::Slack
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.word())
    }
}

/// What happened that is told outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutwardEvent {
    /// An incident was opened.
    IncidentOpened,
    /// An incident is worse than it was.
    SeverityRaised,
    /// Somebody took it.
    IncidentAcknowledged,
    /// Its harm has stopped.
    IncidentMitigated,
    /// It is over.
    IncidentResolved,
    /// It came back.
    IncidentReopened,
    /// A status update for stakeholders was sent.
    StatusUpdate,
    /// The next status update is due and nobody has sent it.
    UpdateDue,
    /// A step failed and its run stopped.
    StepFailed,
    /// A run was stopped or interrupted: a person has to go on.
    RunEscalated,
    /// The engine acted without asking.
    AutonomousAct,
    /// A step that changes something began.
    ActBegan,
    /// What came of it is unknown.
    ActUpdated,
    /// It is over.
    ActEnded,
}

impl OutwardEvent {
    /// Those that make up the record of an act.
    pub const OF_ACTS: [Self; 3] = [Self::ActBegan, Self::ActUpdated, Self::ActEnded];

    /// True where it belongs to the record of an act.
    #[must_use]
    pub fn is_of_act(self) -> bool {
        Self::OF_ACTS.contains(&self)
    }

    /// Its name in settings.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::IncidentOpened => "incident_opened",
            Self::SeverityRaised => "severity_raised",
            Self::IncidentAcknowledged => "incident_acknowledged",
            Self::IncidentMitigated => "incident_mitigated",
            Self::IncidentResolved => "incident_resolved",
            Self::IncidentReopened => "incident_reopened",
            Self::StatusUpdate => "status_update",
            Self::UpdateDue => "update_due",
            Self::StepFailed => "step_failed",
            Self::RunEscalated => "run_escalated",
            Self::AutonomousAct => "autonomous_act",
            Self::ActBegan => "act_began",
            Self::ActUpdated => "act_updated",
            Self::ActEnded => "act_ended",
        }
    }
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutwardMessage {
    /// What happened.
    pub event: OutwardEvent,
    /// What it is about: everything of one thread ends up in one record outside.
    pub thread: Arc<str>,
    /// In a line.
    pub title: Arc<str>,
    /// The whole, in lines.
    pub text: Arc<str>,
    /// How bad the incident is.
    pub severity: Option<IncidentSeverity>,
    /// Which service it is about.
    pub service: Option<ServiceName>,
    /// Who did it.
    pub by: Option<Arc<str>>,
    /// When it happened.
    pub at: Timestamp,
    /// For acts: since when.
    pub began_at: Option<Timestamp>,
    /// For acts that are over: whether they took effect.
    pub has_taken_effect: Option<bool>,
}

impl OutwardMessage {
    /// The thread as one word that other systems can keep and find: `hypo` and sixteen hex digits.
    #[must_use]
    pub fn token(&self) -> String {
        let mut hash = Fnv1a::new();
        hash.part(&self.thread);
        format!("hypo{:016x}", hash.0)
    }
}

/// How far a delivery has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waits for its next try.
    Waiting {
        /// Not before.
        next_try_at: Timestamp,
        /// Why the last try failed, where there was one.
        last_problem: Option<Arc<str>>,
    },
    /// Is being told.
    UnderWay {
        /// Since when.
        since: Timestamp,
    },
    /// Has arrived.
    Delivered {
        /// When.
        at: Timestamp,
        /// What the other side calls it: a change's sys_id and number, a request's key, a dedup key.
        reference: Arc<str>,
    },
    /// Will not arrive.
    GivenUp {
        /// When that was certain.
        at: Timestamp,
        /// Why, and what to do.
        reason: Arc<str>,
    },
}

/// One thing told to one destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its number; later ones have larger numbers.
    pub number: u64,
    /// What it is about and where it goes: the same thing is told to the same destination once.
    pub key: Arc<str>,
    /// Whom it is told to.
    pub destination: Destination,
    /// Of which incident.
    pub incident: Option<IncidentId>,
    /// What is told.
    pub message: OutwardMessage,
    /// Since when it waits.
    pub enqueued_at: Timestamp,
    /// Tries begun.
    pub attempt_count: u32,
    /// How far it has come.
    pub state: DeliveryState,
}

impl Delivery {
    /// True until it has arrived or was given up.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(self.state, DeliveryState::Waiting { .. } | DeliveryState::UnderWay { .. })
    }
}

/// What came of one try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryOutcome {
    /// It has arrived.
    Delivered {
        /// What the other side calls it.
        reference: Arc<str>,
    },
    /// It has not; another try may do better.
    Retry {
        /// What failed, on what, and what to do.
        reason: Arc<str>,
        /// How long the other side asks us to wait, in milliseconds.
        after_ms: Option<i64>,
        /// True where it may have arrived all the same: it was sent and no answer came.
        may_have_arrived: bool,
    },
    /// It has not, and another try would end the same.
    Refused {
        /// What was refused, by whom, and what to do.
        reason: Arc<str>,
    },
}

/// What came of one try of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryReport {
    /// Which delivery.
    pub number: u64,
    /// Which try of it; a report of an earlier try says nothing about a later one.
    pub attempt: u32,
    /// What came of it.
    pub outcome: DeliveryOutcome,
}

/// One try, for whoever carries it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// What is to be told.
    pub delivery: Delivery,
    /// What the other side calls the record of this thread, where that is known.
    pub reference: Option<Arc<str>>,
    /// True where an earlier try may have arrived: look before telling it again.
    pub may_have_arrived: bool,
}

/// How one destination does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationStatus {
    /// Which.
    pub destination: Destination,
    /// Deliveries that wait or are under way.
    pub pending_count: u64,
    /// Why the last try failed; `None` once one arrives.
    pub last_problem: Option<Arc<str>>,
    /// When the next try is.
    pub retry_at: Option<Timestamp>,
}

/// What is told outside, for the screen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutboxStatus {
    /// Configured destinations.
    pub destinations: Vec<DestinationStatus>,
    /// What waits or is under way, newest first.
    pub pending: Vec<Arc<Delivery>>,
    /// What was given up, newest first.
    pub given_up: Vec<Arc<Delivery>>,
    /// What has arrived, newest first.
    pub delivered: Vec<Arc<Delivery>>,
    /// Notifications that made room since the start.
    pub dropped_count: u64,
}
