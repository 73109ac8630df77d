//! Incidents that turn out to be one failure: their leading causes agree, or the cause of one explains the other.
//!
//! Grouping looks at time and calls only, so that it never waits for an explanation; what an explanation joins is joined
//! here, after it.

use super::CorrelationEvent;
use super::membership::Derived;
use super::pass::Pass;
use crate::engine::limits::CLOCK_SKEW_MS;
use crate::engine::model::{Hypothesis, Incident, IncidentId, ServiceName};

impl Pass<'_> {
    /// Merges live incidents that are one failure by their rankings; the older takes the younger in.
    pub(super) fn merge_by_cause(&mut self, events: &mut Vec<CorrelationEvent>) {
        let live: Vec<IncidentId> = self.memory.derived.keys().copied().collect();
        for (nth, older) in live.iter().enumerate() {
            for younger in live.iter().skip(nth + 1) {
                if let Some(why) = self.why_one_failure(*older, *younger) {
                    self.merge(*younger, *older, &why, events);
                }
            }
        }
    }

    /// Why the two are one failure; `None` where they are not.
    fn why_one_failure(&self, older: IncidentId, younger: IncidentId) -> Option<String> {
        let derived = &self.memory.derived;
        let (one, other) = (self.incident(older)?, self.incident(younger)?);
        let (of_one, of_other) = (derived.get(&older)?, derived.get(&younger)?);
        // A run belongs to the incident it was begun for until it is over.
        if !one.state.is_live() || !other.state.is_live() || self.is_held(other) {
            return None;
        }
        let is_together = |may_last: bool| self.is_together(of_one, of_other, may_last);
        match (one.ranking.cause(), other.ranking.cause()) {
            (Some(a), Some(b)) if is_same(a, b) && is_together(true) => {
                Some(format!("both have one cause, {}", a.title))
            }
            (Some(cause), None) if self.explains(cause, one, other) && is_together(false) => {
                Some(format!("{} explains both", cause.title))
            }
            (None, Some(cause)) if self.explains(cause, other, one) && is_together(false) => {
                Some(format!("{} explains both", cause.title))
            }
            _ => None,
        }
    }

    /// True where they were split, where each has a case of its own, or where each has a leading cause of its own and
    /// neither cause depends on the other: what both reach (the users' end, as a rule) makes two failures no single one.
    pub(super) fn are_two_failures(&self, older: IncidentId, younger: IncidentId) -> bool {
        if older != younger && self.origin(older) == self.origin(younger) {
            return true;
        }
        if self.case_at(older).is_some() && self.case_at(younger).is_some() && older != younger {
            return true;
        }
        let cause = |id| self.incident(id).and_then(|incident| incident.ranking.cause());
        let (Some(one), Some(other)) = (cause(older), cause(younger)) else {
            return false;
        };
        !is_same(one, other)
            && one.service != other.service
            && !self.depends(&one.service, &other.service)
            && !self.depends(&other.service, &one.service)
    }

    /// True where `caller` needs `callee`, along as many calls as a failure is followed.
    pub(super) fn depends(&self, caller: &ServiceName, callee: &ServiceName) -> bool {
        caller == callee || self.world.topology.dependents(callee, self.memory.settings.hops_max).contains_key(caller)
    }

    /// The incident that it was split from, else itself. What the evidence parted, the evidence may join again: that has
    /// no origin.
    pub(super) fn origin(&self, id: IncidentId) -> IncidentId {
        let split_from = self.incident(id).and_then(|incident| incident.split_from);
        split_from.filter(|_| !self.memory.parted.contains(&id)).unwrap_or(id)
    }

    /// True where some symptoms of both began within the window or, where `may_last`, one began while the other lasted.
    fn is_together(&self, one: &Derived, other: &Derived, may_last: bool) -> bool {
        let window_ms = self.memory.settings.window.0;
        one.bursts.iter().any(|a| {
            other.bursts.iter().any(|b| a.is_near(b, window_ms) || (may_last && a.is_continued_by(b, window_ms)))
        })
    }

    /// True where `cause`, of incident `owner`, explains all of `other`, for which no cause was found: each of its
    /// services depends on the cause and began no earlier.
    fn explains(&self, cause: &Hypothesis, owner: &Incident, other: &Incident) -> bool {
        if other.ranking.unresolved.is_none() || other.services.is_empty() {
            return false;
        }
        let began = owner.services.get(&cause.service).copied().unwrap_or(owner.started_at);
        let dependents = self.world.topology.dependents(&cause.service, self.memory.settings.hops_max);
        let depends = |service: &ServiceName| *service == cause.service || dependents.contains_key(service);
        other.services.iter().all(|(service, onset)| depends(service) && *onset + CLOCK_SKEW_MS >= began)
    }
}

/// The same change, or the same kind of failure at the same place.
fn is_same(one: &Hypothesis, other: &Hypothesis) -> bool {
    match (one.change, other.change) {
        (Some(a), Some(b)) => a == b,
        _ => one.service == other.service,
    }
}
