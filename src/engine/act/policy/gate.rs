//! What the gate looks at: the run's subject, the systems as they are, and every bound that is set.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Mandate;
use crate::engine::clock::Timestamp;
use crate::engine::model::{AutonomyMode, Incident, IncidentId, Reading, Run, RunId, RunSubject, Safety, ServiceName};
use crate::engine::settings::{PolicySettings, RunbookSettings};

/// What the gate and the walk look at of the systems.
pub trait Outlook {
    /// The latest reading of each instance, by service and metric; empty where there is no data.
    fn readings(&self, service: &str, metric: &str) -> Vec<Reading>;

    /// What departs in a harmful way now, by name: `payment error_ratio`.
    fn harm(&self) -> BTreeMap<Arc<str>, Harm>;
}

/// One harmful departure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Harm {
    /// How far, in standard deviations.
    pub sigma: f64,
    /// Since when.
    pub since: Timestamp,
}

/// What a run is for, as it is now.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// An incident.
    Incident(&'a Incident),
    /// One machine of a rollout.
    Rollout(&'a Mandate),
}

impl<'a> Subject<'a> {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> RunSubject {
        match self {
            Self::Incident(incident) => RunSubject::Incident(incident.id),
            Self::Rollout(mandate) => RunSubject::Rollout(mandate.target.clone()),
        }
    }

    /// The services it is about.
    pub fn services(&self) -> Box<dyn Iterator<Item = &'a ServiceName> + 'a> {
        match *self {
            Self::Incident(incident) => Box::new(incident.services.keys()),
            Self::Rollout(mandate) => Box::new(mandate.services.iter()),
        }
    }
}

impl<'a> From<&'a Arc<Incident>> for Subject<'a> {
    fn from(incident: &'a Arc<Incident>) -> Self {
        Self::Incident(incident)
    }
}

impl<'a> From<&'a Incident> for Subject<'a> {
    fn from(incident: &'a Incident) -> Self {
        Self::Incident(incident)
    }
}

/// What the gate looks at beside the run itself.
#[derive(Clone, Copy)]
pub struct Gate<'a> {
    /// What the run is for.
    pub subject: Subject<'a>,
    /// Every incident, for those that were merged or split.
    pub incidents: &'a BTreeMap<IncidentId, Arc<Incident>>,
    /// What steps may start.
    pub settings: &'a RunbookSettings,
    /// How much may be done without a person.
    pub policy: &'a PolicySettings,
    /// Kill switch and circuit breaker.
    pub safety: &'a Safety,
    /// Every run so far.
    pub runs: &'a BTreeMap<RunId, Arc<Run>>,
    /// True where a destination takes the news of what begins by itself.
    pub can_tell: bool,
    /// The systems as they are.
    pub outlook: &'a dyn Outlook,
    /// Now.
    pub now: Timestamp,
}

impl Gate<'_> {
    /// The incident, where the run is for one.
    #[must_use]
    pub fn incident(&self) -> Option<&Incident> {
        match self.subject {
            Subject::Incident(incident) => Some(incident),
            Subject::Rollout(_) => None,
        }
    }

    /// How much the engine may do by itself.
    #[must_use]
    pub fn mode(&self) -> AutonomyMode {
        if self.settings.observe_only { AutonomyMode::Observe } else { self.policy.mode }
    }
}
