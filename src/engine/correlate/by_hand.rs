//! What operators do to the borders of incidents: join two that are one failure, part one that is two. Both are learnt
//! from: the next time failures begin on these services, grouping remembers.

use std::collections::BTreeSet;

use super::CorrelationEvent;
use super::pass::Pass;
use super::step::Correlator;
use crate::engine::clock::Timestamp;
use crate::engine::model::{Incident, IncidentId, ServiceName};
use crate::engine::world::World;

/// Why a border is not moved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BorderError {
    /// Not in the picture, or over.
    #[error("{incident} is not a live incident; only live ones are merged or split")]
    NotLive {
        /// Which.
        incident: IncidentId,
    },
    /// One and the same.
    #[error("{incident} cannot be merged into itself; select the incident it belongs to")]
    Same {
        /// Which.
        incident: IncidentId,
    },
    /// A run belongs to the incident it was begun for until it is over.
    #[error("a run is not over on {incident}; finish or stop it before {incident} is merged")]
    Held {
        /// Which.
        incident: IncidentId,
    },
    /// Nothing or everything would go.
    #[error(
        "{incident} has nothing on {services} that could leave it; select a service that has symptoms beside others"
    )]
    NothingToPart {
        /// Which.
        incident: IncidentId,
        /// The services that should leave.
        services: String,
    },
}

impl Correlator {
    /// Makes `part` a part of `whole` because an operator says so.
    ///
    /// # Errors
    /// Where one is not live, both are the same, or a run is not over on `part`; nothing has changed then.
    pub fn merge_by_hand(
        &mut self,
        world: &World,
        part: IncidentId,
        whole: IncidentId,
        by: &str,
        now: Timestamp,
    ) -> Result<Vec<CorrelationEvent>, BorderError> {
        if part == whole {
            return Err(BorderError::Same { incident: part });
        }
        let (from, into) = (live(world, part)?, live(world, whole)?);
        let mut events = Vec::new();
        let mut pass = Pass::new(self, world, now);
        if pass.is_held(from) {
            return Err(BorderError::Held { incident: part });
        }
        pass.merge(part, whole, &format!("{by} says so"), &mut events);
        pass.refresh_stale();
        pass.finish(&mut events);
        if let (Some(one), Some(other)) = (first_service(from), first_service(into)) {
            self.affinities.vote(one, other, true);
        }
        Ok(events)
    }

    /// Takes what an incident has on `services` out into one of its own because an operator says so.
    ///
    /// # Errors
    /// Where the incident is not live, or nothing or all of it would go; nothing has changed then.
    pub fn split_by_hand(
        &mut self,
        world: &World,
        incident: IncidentId,
        services: &BTreeSet<ServiceName>,
        by: &str,
        now: Timestamp,
    ) -> Result<Vec<CorrelationEvent>, BorderError> {
        let whole = live(world, incident)?;
        let events = self.split(world, incident, services, &format!("{by} says so"), now);
        if events.is_empty() {
            let names: Vec<&str> = services.iter().map(ServiceName::as_str).collect();
            return Err(BorderError::NothingToPart { incident, services: names.join(", ") });
        }
        let stay = whole.services.iter().filter(|(service, _)| !services.contains(*service));
        if let Some((first, _)) = stay.min_by_key(|(_, onset)| **onset) {
            services.iter().for_each(|service| self.affinities.vote(service, first, false));
        }
        Ok(events)
    }

    /// What operators taught, where it is not kept yet.
    pub fn affinities_to_keep(&mut self) -> Option<String> {
        self.affinities.take_unkept()
    }

    /// Hands back what operators had taught.
    ///
    /// # Errors
    /// When the text is not what [`Self::affinities_to_keep`] gave; learning then begins anew.
    pub fn restore_affinities(&mut self, text: &str) -> Result<(), serde_json::Error> {
        self.affinities.restore(text)
    }
}

fn live(world: &World, id: IncidentId) -> Result<&Incident, BorderError> {
    let found = world.incidents.get(&id).filter(|incident| incident.state.is_live());
    found.map(AsRef::as_ref).ok_or(BorderError::NotLive { incident: id })
}

/// Where it began.
fn first_service(incident: &Incident) -> Option<&ServiceName> {
    incident.services.iter().min_by_key(|(_, onset)| **onset).map(|(service, _)| service)
}
