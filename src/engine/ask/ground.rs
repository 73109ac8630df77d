//! What answers are made from: a picture of everything that is known, the incidents of the past, the asker's zone,
//! and what is on the screen.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{NaiveDate, TimeZone};
use chrono_tz::Tz;

use super::answer::{Citation, Claim, Fact};
use super::known_names::KnownNames;
use super::metric::Concept;
use super::names::Name;
use super::recall::Archive;
use super::slots::Slots;
use super::time::expression::Anchor;
use super::time::span::{self, Anchors, Laid, Span, Untold};
use crate::engine::clock::Timestamp;
use crate::engine::model::{
    Alert, Anomaly, Change, ChangeKind, Incident, IncidentId, PastValues, ServiceName, SourceState, SuppressionReason,
    human,
};
use crate::engine::snapshot::Snapshot;
use crate::engine::snapshot::rollout::{Occasion, OccasionKind};

/// How many are told at most where a question says how many it wants.
pub const ASKED_MAX: usize = 20;

/// What answers are made from.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'s> {
    /// Everything that is known now.
    pub snapshot: &'s Snapshot,
    /// The asker's zone.
    pub zone: Tz,
    /// The incident that is looked at, where one is.
    pub focus: Option<IncidentId>,
    /// Incidents that are over, also those that the picture no longer has; where it is empty, the picture's are searched.
    pub archive: &'s Archive,
    /// What was measured at other times; empty where nobody keeps it here.
    pub past: &'s PastValues,
}

impl<'s> Ground<'s> {
    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.snapshot.at
    }

    /// The day in the asker's zone.
    #[must_use]
    pub fn today(&self) -> NaiveDate {
        self.zone.timestamp_millis_opt(self.now().0).earliest().map_or(NaiveDate::MIN, |at| at.date_naive())
    }

    /// The incident that a question is about: the one it names, a live one of the services it names, the one on the
    /// screen, the worst live one, the last.
    #[must_use]
    pub fn incident(&self, slots: &Slots) -> Option<&'s Incident> {
        let named = slots.incident.as_deref().filter(|name| *name != "this");
        let all = &self.snapshot.incidents;
        let found = match named {
            Some(name) => all.iter().find(|incident| incident.id.to_string() == name),
            None => {
                let focused = all.iter().find(|incident| Some(incident.id) == self.focus);
                let is_of_it = |incident: &&Arc<Incident>| {
                    slots.service.iter().any(|name| incident.services.contains_key(&ServiceName::new(name)))
                };
                let live = || all.iter().filter(|incident| incident.state.is_live());
                let of_service = focused.filter(is_of_it).or_else(|| live().find(is_of_it));
                of_service.or(focused).or_else(|| live().next()).or_else(|| all.first())
            }
        };
        // One that became a part of another is told as that.
        let whole = found.and_then(|incident| incident.merged_into).and_then(|id| self.snapshot.incident(id));
        whole.or(found).map(Arc::as_ref)
    }

    /// Incidents that are open beside the one that was chosen for a question that names none.
    #[must_use]
    pub fn open_beside(&self, slots: &Slots) -> Vec<IncidentId> {
        let Some(chosen) = self.incident(slots).filter(|_| slots.incident.is_none()) else { return Vec::new() };
        let live = self.snapshot.incidents.iter().filter(|incident| incident.state.is_live());
        live.map(|incident| incident.id).filter(|id| *id != chosen.id && Some(chosen.id) != self.focus).collect()
    }

    /// True where a freeze covers something of this time.
    #[must_use]
    pub fn is_frozen(&self, from: Timestamp, until: Timestamp) -> bool {
        let is_on = |it: &Occasion| it.kind == OccasionKind::Freeze && it.from < until && from < it.until;
        self.snapshot.agenda.iter().any(is_on)
    }

    /// True where nothing that watches answers, so that what happens now may not be seen.
    #[must_use]
    pub fn is_blind(&self) -> bool {
        !self.snapshot.sources.iter().any(|source| {
            matches!(
                source.state,
                SourceState::Healthy | SourceState::Degraded { .. } | SourceState::Backfilling { .. }
            )
        })
    }

    /// What times are told by, for this incident and the services that a question names.
    #[must_use]
    pub fn anchors(&self, incident: Option<&Incident>, slots: &Slots) -> Anchors {
        let at = |anchor| self.last_change(anchor, slots).map(|change| change.notice.at);
        Anchors {
            incident: incident.map(|incident| (incident.started_at, incident.resolved_at)),
            deploy: at(Anchor::Deploy),
            change: at(Anchor::Change),
        }
    }

    /// The last deployment, or change of any kind, of the services that a question names; of any where it names none.
    #[must_use]
    pub fn last_change(&self, anchor: Anchor, slots: &Slots) -> Option<&'s Change> {
        let is_it = |change: &&Change| match anchor {
            Anchor::Incident => false,
            Anchor::Deploy => change.notice.kind == ChangeKind::Deploy && change.notice.has_taken_effect,
            Anchor::Change => true,
        };
        let of_service = |change: &&Change| slots.is_about(change.notice.service.as_ref().map(ServiceName::as_str));
        let all = self.snapshot.changes.iter().map(Arc::as_ref);
        let known = all.filter(|change| change.notice.at <= self.now()).filter(is_it).filter(of_service);
        known.max_by_key(|change| (change.notice.at, change.id))
    }

    /// The span that a question speaks of.
    ///
    /// # Errors
    /// When what it is told by did not happen.
    pub fn span(&self, slots: &Slots) -> Result<Option<Span>, Untold> {
        Ok(self.laid(slots)?.map(|laid| laid.span))
    }

    /// The same with what was read into the words for it.
    ///
    /// # Errors
    /// When what it is told by did not happen.
    pub fn laid(&self, slots: &Slots) -> Result<Option<Laid>, Untold> {
        let Some(time) = slots.time else { return Ok(None) };
        let anchors = self.anchors(self.incident(slots), slots);
        span::span(time, self.now(), self.zone, &anchors).map(Some)
    }

    /// A clock time in the asker's zone, with its day where that is not today.
    #[must_use]
    pub fn clock(&self, at: Timestamp) -> String {
        let Some(local) = self.zone.timestamp_millis_opt(at.0).earliest() else { return at.to_string() };
        if local.date_naive() == self.today() {
            local.format("%H:%M:%S").to_string()
        } else {
            local.format("%Y-%m-%d %H:%M").to_string()
        }
    }

    /// A clock time as a fact.
    #[must_use]
    pub fn at(&self, at: Timestamp, from: Citation) -> Fact {
        Fact::new(self.clock(at), from)
    }

    /// Changes within a span, oldest first; those of a service where one is named.
    #[must_use]
    pub fn changes(&self, within: Option<Span>, slots: &Slots) -> Vec<&'s Change> {
        let of_service = |change: &&Change| slots.is_about(change.notice.service.as_ref().map(ServiceName::as_str));
        let of_author = |change: &&Change| {
            slots.owner.as_ref().is_none_or(|owner| change.notice.author.as_deref() == Some(owner.as_ref()))
        };
        let in_span =
            |change: &&Change| within.is_none_or(|span| span.from <= change.notice.at && change.notice.at <= span.to);
        let mut found: Vec<&Change> = self
            .snapshot
            .changes
            .iter()
            .map(Arc::as_ref)
            .filter(in_span)
            .filter(of_service)
            .filter(of_author)
            .collect();
        found.sort_by_key(|change| (change.notice.at, change.id));
        found
    }

    /// Anomalies of a service, those that go on first, the worst first; of one concept where `metric` says which.
    #[must_use]
    pub fn anomalies(&self, service: &str, metric: Option<Concept>) -> Vec<&'s Anomaly> {
        let is_of = |anomaly: &&Anomaly| {
            anomaly.service.as_str() == service
                && metric.is_none_or(|metric| Concept::of_metric(&anomaly.metric, anomaly.role) == Some(metric))
        };
        self.snapshot.anomalies.iter().map(Arc::as_ref).filter(is_of).collect()
    }

    /// Alerts that a question names, or those of its services; those that fire first.
    #[must_use]
    pub fn alerts(&self, slots: &Slots) -> Vec<&'s Alert> {
        let is_named = |alert: &&Alert| slots.alert.as_deref().is_none_or(|name| name == alert.notice.name.as_ref());
        let of_service = |alert: &&Alert| slots.is_about(alert.notice.service.as_ref().map(ServiceName::as_str));
        self.snapshot.alerts.iter().map(Arc::as_ref).filter(is_named).filter(of_service).collect()
    }

    /// How something departed from the usual, in a sentence; of what is over, when it was farthest away.
    #[must_use]
    pub fn departure(&self, anomaly: &Anomaly) -> Claim {
        let from = || Citation::Anomaly(anomaly.id);
        let at = self.at(anomaly.started_at, from());
        if let Some((_, text)) = &anomaly.template {
            let pattern = if anomaly.ended_at.is_some() {
                "It logged something unusual, from {} on: {}"
            } else {
                "It logs something unusual, since {}: {}"
            };
            return Claim::of(pattern, [at, Fact::new(text, from())]);
        }
        let metric = Fact::new(&anomaly.metric, from());
        let pattern = if anomaly.ended_at.is_some() {
            "{} was at {} where {} is usual, from {} on; it is over."
        } else {
            "{} is at {} where {} is usual, since {}."
        };
        Claim::of(pattern, [metric, value(anomaly), usual(anomaly), at])
    }

    /// Every name that questions may speak of, each once.
    #[must_use]
    pub fn names(&self) -> BTreeSet<Name> {
        let mut known = KnownNames::default();
        known.follow(self.snapshot);
        known.all()
    }
}

/// True for what is set aside because it does not matter; what is set aside as part of an incident does.
#[must_use]
pub fn is_excused(anomaly: &Anomaly) -> bool {
    let is_part = |reason: &SuppressionReason| {
        matches!(reason, SuppressionReason::Folded { .. } | SuppressionReason::DownstreamOf { .. })
    };
    anomaly.suppressed.as_ref().is_some_and(|reason| !is_part(reason))
}

/// How many, as a fact.
#[must_use]
pub fn count(count: usize, from: Citation) -> Fact {
    Fact::count(count, from)
}

/// The value of an anomaly with its unit, as a fact; of one that is over the one farthest away.
#[must_use]
pub fn value(anomaly: &Anomaly) -> Fact {
    let value = if anomaly.ended_at.is_some() { anomaly.peak_value } else { anomaly.value };
    Fact::new(human(value, anomaly.unit), Citation::Anomaly(anomaly.id))
}

/// What is usual for an anomaly's metric, as a fact.
#[must_use]
pub fn usual(anomaly: &Anomaly) -> Fact {
    Fact::new(human(anomaly.expected.centre, anomaly.unit), Citation::Anomaly(anomaly.id))
}
