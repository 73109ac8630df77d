//! What was changed, and which version runs.

use std::sync::Arc;

use crate::engine::ask::answer::{Answer, Citation, Claim, Fact};
use crate::engine::ask::ground::{self, Ground};
use crate::engine::ask::slots::Slots;
use crate::engine::ask::time::expression::{Anchor, Point, TimeExpression};
use crate::engine::ask::time::span::{self, Laid, Span};
use crate::engine::clock::DAY_MS;
use crate::engine::model::{Change, ChangeKind};

/// How many changes are told one by one.
const CHANGES_MAX: usize = 8;

/// What is looked at where an incident is on and no time is named.
const BEFORE_INCIDENT: TimeExpression = TimeExpression::Before(Point::Anchor(Anchor::Incident));

/// The changes of a span; of the day until now where none is named, or what came before the incident where there is one.
pub(super) fn what_changed(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let incident = ground.incident(slots).filter(|incident| incident.state.is_live() || slots.incident.is_some());
    let spoken = ground.span(slots).ok().flatten();
    let before_incident = incident.and_then(|incident| {
        let anchors = ground.anchors(Some(incident), slots);
        span::span(BEFORE_INCIDENT, ground.now(), ground.zone, &anchors).ok()
    });
    // What was done in the very moment in which it began belongs to what came before it.
    let window = match (spoken, before_incident) {
        (Some(span), _) => span,
        (None, Some(Laid { span, .. })) => Span { to: incident.map_or(span.to, |incident| incident.opened_at), ..span },
        (None, None) => Span { from: ground.now() - DAY_MS, to: ground.now() },
    };
    let is_before = slots.time == Some(BEFORE_INCIDENT);
    let window = if is_before { Span { to: incident.map_or(window.to, |it| it.opened_at), ..window } } else { window };
    let found = ground.changes(Some(window), slots);
    let (from, to) = (ground.at(window.from, Citation::Totals), ground.at(window.to, Citation::Totals));
    let mut answer = if found.is_empty() {
        let others = ground::count(ground.changes(Some(window), &Slots::default()).len(), Citation::Totals);
        let lead = match (slots.service.first(), &slots.owner) {
            (Some(service), _) => {
                let name = Fact::service(service);
                Claim::of("No change of {} is known between {} and {}.", [name, from, to])
            }
            (None, Some(owner)) => {
                let name = Fact::new(owner, Citation::Question);
                Claim::of("No change by {} is known between {} and {}.", [name, from, to])
            }
            (None, None) => Claim::of("No change is known between {} and {}.", [from, to]),
        };
        Answer::known(lead).with([Claim::of("In all {} changes are known in that time.", [others])])
    } else {
        let count = ground::count(found.len(), Citation::Totals);
        let pattern = if found.len() == 1 {
            "{} change is known between {} and {}."
        } else {
            "{} changes are known between {} and {}."
        };
        Answer::known(Claim::of(pattern, [count, from, to]))
            .with(found.iter().rev().take(CHANGES_MAX).map(|change| told(ground, change)))
    };
    if found.len() > CHANGES_MAX {
        let rest = ground::count(found.len() - CHANGES_MAX, Citation::Totals);
        answer.claims.push(Claim::of("{} earlier ones are not listed here.", [rest]));
    }
    answer.over(Some(window)).then(&["what is the root cause", "who made the last change"])
}

/// One thing's last change and version, or a change by its name.
pub(super) fn lookup(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let named = slots.change.as_deref().filter(|name| *name != "last").or(slots.version.as_deref());
    if let Some(name) = named {
        let is_it = |change: &&Arc<Change>| change.notice.version.as_deref() == Some(name);
        let found = ground.snapshot.changes.iter().find(is_it);
        return match found {
            Some(change) => Answer::known(told(ground, change)),
            None => Answer::unknown(Claim::of("No change of {} is known.", [Fact::new(name, Citation::Question)])),
        };
    }
    let found = ground.changes(None, slots);
    let Some(last) = found.last() else {
        let earliest = ground.snapshot.changes.iter().map(|change| change.notice.at).min();
        let mut answer = match slots.service.first() {
            Some(service) => {
                let name = Fact::service(service);
                Answer::unknown(Claim::of("No change of {} is known, so its version is not either.", [name]))
            }
            None => Answer::unknown(Claim::of("No change is known.", [])),
        };
        if let Some(at) = earliest {
            answer
                .missing
                .push(Claim::of("The changes that are known begin at {}.", [ground.at(at, Citation::Totals)]));
        }
        return answer;
    };
    let is_version = |change: &&&Change| {
        matches!(change.notice.kind, ChangeKind::Deploy | ChangeKind::Release) && change.notice.has_taken_effect
    };
    let version =
        found.iter().rev().find(is_version).and_then(|change| Some((*change, change.notice.version.as_ref()?)));
    let listed = found.iter().rev().take(CHANGES_MAX).map(|change| told(ground, change));
    match (slots.service.first(), version) {
        (Some(service), Some((change, version))) => {
            let version = Fact::new(version, Citation::Change(change.id));
            let at = ground.at(change.notice.at, Citation::Change(change.id));
            Answer::known(Claim::of("{} runs {}, since {}.", [Fact::service(service), version, at])).with(listed)
        }
        (Some(service), None) => {
            let lead = "What was changed last on {} is told; which version runs is not known, as no change says it.";
            Answer::known(Claim::of(lead, [Fact::service(service)])).with(listed)
        }
        (None, _) => Answer::known(told(ground, last)).with(listed.skip(1)),
    }
}

/// A change in a sentence.
pub(in crate::engine::ask) fn told(ground: &Ground<'_>, change: &Change) -> Claim {
    let from = Citation::Change(change.id);
    let notice = &change.notice;
    let title = Fact::new(&notice.title, from.clone());
    let at = ground.at(notice.at, from.clone());
    let claim = match &notice.author {
        Some(author) => Claim::of("{}: {}, by {}", [at, title, Fact::new(author, from.clone())]),
        None => Claim::of("{}: {}", [at, title]),
    };
    if notice.has_taken_effect {
        claim.and(Claim::of(".", []))
    } else {
        claim.and(Claim::of("; it has not taken effect.", []))
    }
}
