//! Why a past incident is like one of today: what they have in common, the most telling first.

use std::sync::Arc;

use super::feature::Feature;
use crate::engine::ask::metric::Concept;
use crate::engine::model::{CauseKind, ChangeKind, Direction};

/// Something that both have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The same metric departed to the same side on the same service: service, metric.
    SameSign(Arc<str>, Arc<str>),
    /// The same on a neighbour of a service of today: the neighbour, the metric.
    SignNearby(Arc<str>, Arc<str>),
    /// The same metric departed to the same side on another service.
    SameMetric(Arc<str>),
    /// What is measured departed to the same side.
    SameConcept(Concept, Direction),
    /// It did so where the incident began.
    SameAtOrigin(Concept, Direction),
    /// It did so on a service of the same kind.
    SameOnKind(Arc<str>, Concept, Direction),
    /// The same log line.
    SameLine(Arc<str>),
    /// The same alert.
    SameAlert(Arc<str>),
    /// A service that both touched.
    SameService(Arc<str>),
    /// Both began there.
    SameOrigin(Arc<str>),
    /// It touched a neighbour of where today's began.
    Nearby(Arc<str>),
    /// Both began at a service of this kind.
    SameOriginKind(Arc<str>),
    /// The same kind of cause.
    SameCause(CauseKind),
    /// The same kind of cause at the same service.
    SameCauseAt(CauseKind, Arc<str>),
    /// A change of the same kind is blamed.
    SameBlame(ChangeKind),
    /// A change of the same kind on its services before.
    SameChange(ChangeKind),
    /// A word.
    SameWord(Arc<str>),
}

impl Reason {
    /// What a shared feature says; `is_near` where it was asked for a neighbour's sake.
    pub(super) fn of(feature: Feature<'_>, is_near: bool) -> Self {
        let text = Arc::from;
        match feature {
            Feature::Sign(service, metric, _) if is_near => Self::SignNearby(text(service), text(metric)),
            Feature::Sign(service, metric, _) => Self::SameSign(text(service), text(metric)),
            Feature::Metric(metric, _) => Self::SameMetric(text(metric)),
            Feature::Concept(concept, direction) => Self::SameConcept(concept, direction),
            Feature::AtOrigin(concept, direction) => Self::SameAtOrigin(concept, direction),
            Feature::OnKind(kind, concept, direction) => Self::SameOnKind(text(kind), concept, direction),
            Feature::Line(line) => Self::SameLine(text(line)),
            Feature::Alert(name) => Self::SameAlert(text(name)),
            Feature::Service(name) | Feature::Origin(name) if is_near => Self::Nearby(text(name)),
            Feature::Service(name) => Self::SameService(text(name)),
            Feature::Origin(name) => Self::SameOrigin(text(name)),
            Feature::OriginKind(kind) => Self::SameOriginKind(text(kind)),
            Feature::Cause(kind) => Self::SameCause(kind),
            Feature::CauseAt(kind, service) => Self::SameCauseAt(kind, text(service)),
            Feature::Blamed(kind) => Self::SameBlame(kind),
            Feature::Changed(kind) => Self::SameChange(kind),
            Feature::Word(word) => Self::SameWord(text(word)),
        }
    }

    /// True where `self` says nothing that `other` has not said: "errors rose" after "error_ratio of cart rose".
    pub(super) fn is_said_by(&self, other: &Self) -> bool {
        use Reason::{
            Nearby, SameAtOrigin, SameBlame, SameCause, SameCauseAt, SameChange, SameConcept, SameLine, SameMetric,
            SameOnKind, SameOrigin, SameOriginKind, SameService, SameSign, SameWord, SignNearby,
        };
        match (self, other) {
            (SameMetric(metric), SameSign(_, said) | SignNearby(_, said) | SameMetric(said)) => metric == said,
            (
                SameConcept(concept, side),
                SameAtOrigin(said, its) | SameOnKind(_, said, its) | SameConcept(said, its),
            ) => (concept, side) == (said, its),
            (SameConcept(..), SameSign(..) | SameMetric(_) | SignNearby(..)) => true,
            (SameOnKind(_, concept, side), SameAtOrigin(said, its)) => (concept, side) == (said, its),
            (SameService(name), SameSign(said, _) | SameOrigin(said) | SameCauseAt(_, said)) => name == said,
            (SameOrigin(name), SameCauseAt(_, said)) => name == said,
            (SameOriginKind(_), SameOrigin(_) | SameCauseAt(..)) => true,
            (Nearby(name), SignNearby(said, _) | Nearby(said)) => name == said,
            (SameCause(kind), SameCauseAt(said, _)) => kind == said,
            (SameChange(kind), SameBlame(said)) => kind == said,
            (SameWord(word), SameSign(said, _) | SameOrigin(said) | SameService(said) | SameLine(said)) => {
                said.to_lowercase().contains(word.as_ref())
            }
            _ => false,
        }
    }
}
