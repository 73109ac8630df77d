//! What is not answered: unknown names, other subjects, acts, questions that leave something open, and what is not kept.

use std::sync::Arc;

use crate::engine::ask::answer::{Answer, AnswerState, Citation, Claim, Fact, listed};
use crate::engine::ask::ground::Ground;
use crate::engine::ask::intent::Intent;
use crate::engine::ask::names::{Kind, NameBook};
use crate::engine::ask::reading::Doubt;
use crate::engine::ask::rewording;
use crate::engine::ask::slots::Slots;
use crate::engine::ask::time::span::{Span, Untold};
use crate::engine::model::ServiceName;

/// How many names are offered.
const CHOICES_MAX: usize = 3;
/// How many of those that fit what has to be asked back.
const FITTING_MAX: usize = 8;

/// An act was asked for, or a secret.
pub(super) fn refused() -> Answer {
    let lead = Claim::of(
        "Nothing is done from here, and no secret is shown: acts go through runbooks and their approval.",
        [],
    );
    Answer::new(AnswerState::Refused, lead).then(&["what should I do next", "which runbook fits"])
}

/// It is about something else.
pub(super) fn out_of_scope() -> Answer {
    let lead = Claim::of("I don't know: that is about nothing that is watched here.", []);
    Answer::unknown(lead).then(&["what is broken now", "what changed in the last hour", "what can I ask"])
}

/// A time that is told by something that did not happen.
pub(super) fn no_such_time(problem: Untold) -> Answer {
    let lead = match problem {
        Untold::NoIncident => Claim::of("There is no incident that this time could be told by.", []),
        Untold::NoDeploy => Claim::of("No deployment is known that this time could be told by.", []),
        Untold::NoChange => Claim::of("No change is known that this time could be told by.", []),
        Untold::NoDay => Claim::of("That time lies outside the calendar.", []),
    };
    Answer::unknown(lead)
}

/// What is asked about has not happened yet.
pub(super) fn still_ahead(ground: &Ground<'_>, span: Span) -> Answer {
    let from = ground.at(span.from, Citation::Question);
    let lead = Claim::of("I don't know: that time begins at {} and is still ahead.", [from]);
    Answer::unknown(lead).over(Some(span))
}

/// What would be needed is not kept, or not yet read by answers.
pub(super) fn not_kept(intent: Intent) -> Answer {
    let lead = Claim::of("I don't know: what that would be told from is not kept here.", []);
    let asked = Claim::of("It was understood as: {}", [Fact::new(intent.asks(), Citation::Question)]);
    Answer::unknown(lead).with([asked])
}

/// A name that nothing here has.
pub(super) fn unknown_name(ground: &Ground<'_>, book: &NameBook, slots: &Slots) -> Answer {
    let written = slots.unknown_name.clone().unwrap_or_default();
    let kinds = [Kind::Service, Kind::Host, Kind::Alert, Kind::Runbook, Kind::Package, Kind::Incident, Kind::Advisory];
    let alike = |kind: Kind| book.alike(&written, kind, CHOICES_MAX).into_iter().map(move |name| (name, kind));
    let mut near: Vec<(Arc<str>, Kind)> = kinds.into_iter().flat_map(alike).collect();
    near.sort_by_key(|(name, _)| strsim::osa_distance(&written.to_lowercase(), &name.to_lowercase()));
    near.truncate(CHOICES_MAX);
    let mut answer =
        Answer::unknown(Claim::of("Nothing here is called {}.", [Fact::new(&written, Citation::Question)]));
    if !near.is_empty() {
        let names = near.iter().map(|(name, kind)| Fact::new(name, named(ground, name, *kind))).collect();
        answer.claims.push(Claim::of("Alike are ", []).and(listed(names)).and(Claim::of(".", [])));
        answer.next = near.into_iter().map(|(name, _)| name).collect();
    }
    answer
}

/// Where a name is from.
fn named(ground: &Ground<'_>, name: &Arc<str>, kind: Kind) -> Citation {
    let of_incident = || ground.snapshot.incidents.iter().find(|incident| incident.id.to_string() == name.as_ref());
    match kind {
        Kind::Service => Citation::Service(Arc::clone(name)),
        Kind::Alert => Citation::Alert(Arc::clone(name)),
        Kind::Runbook => Citation::Runbook(Arc::clone(name)),
        Kind::Incident => of_incident().map_or(Citation::Totals, |incident| Citation::Incident(incident.id)),
        // Machines, packages and vulnerabilities are known as parts of something else.
        _ => Citation::Totals,
    }
}

/// Something has to be asked back.
pub(super) fn ambiguous(ground: &Ground<'_>, doubt: &Doubt, slots: &Slots) -> Answer {
    let services = ground.snapshot.topology.services();
    let (lead, choices): (Claim, Vec<Arc<str>>) = match doubt {
        Doubt::Which(word) => {
            let fits = |name: &&str| name.split(['-', '_', '.']).any(|part| part == "db" || part == word.as_ref());
            let names = services.iter().map(ServiceName::as_str).filter(fits).map(Arc::from).collect();
            (Claim::of("Which {} is meant?", [Fact::new(word, Citation::Question)]), names)
        }
        Doubt::OneOf(written, names) => {
            (Claim::of("Which service is meant by {}?", [Fact::new(written, Citation::Question)]), names.clone())
        }
        Doubt::Either(one, other) => {
            let asked = |intent: &Intent| Fact::new(intent.asks(), Citation::Question);
            let lead = Claim::of("That can be read in two ways: {} Or: {}", [asked(one), asked(other)]);
            (lead, [*one, *other].into_iter().filter_map(|intent| rewording::question(intent, slots)).collect())
        }
        Doubt::OfWhat => {
            let affected = ground
                .incident(&Slots::default())
                .map(|incident| incident.services.keys().map(|name| Arc::from(name.as_str())).collect());
            (Claim::of("Of what? No service was named.", []), affected.unwrap_or_default())
        }
    };
    let mut answer = Answer::new(AnswerState::Ambiguous, lead);
    let rest = choices.len().saturating_sub(FITTING_MAX);
    if rest > 0 {
        answer
            .claims
            .push(Claim::of("And {} more fit; their names have to be written.", [Fact::count(rest, Citation::Totals)]));
    }
    answer.next = choices.into_iter().take(FITTING_MAX).collect();
    answer
}
