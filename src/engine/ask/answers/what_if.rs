//! What an act would do now: who hangs on it, how they are, what is frozen, and how such changes went before.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::ask::answer::{Answer, Citation, Claim, Fact, listed_up_to};
use crate::engine::ask::ground::{self, Ground};
use crate::engine::ask::slots::{Deed, Slots};
use crate::engine::clock::{DAY_MS, HOUR_MS};
use crate::engine::model::{Change, ChangeKind, Incident, ServiceName};
use crate::engine::snapshot::rollout::OccasionKind;

/// How many are named.
const NAMES_MAX: usize = 8;
/// An incident that begins this soon after a change may be of it, in milliseconds.
const AFTER_MS: i64 = HOUR_MS;
/// Successes and failures before anything is known of a kind of change (the rule of succession).
const PRIOR: f64 = 1.0;

/// What `slots.action` on a service would do.
pub(super) fn predict(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let Some(service) = slots.service.first() else {
        let mut answer = Answer::known(Claim::of("That depends on what is touched; no service was named.", []));
        answer.claims.extend(holds(ground));
        return answer;
    };
    let name = ServiceName::new(service);
    let cited = || Citation::Service(Arc::clone(service));
    let topology = &ground.snapshot.topology;
    let dependents: Vec<ServiceName> = topology.dependents(&name, usize::MAX).into_keys().collect();
    let harmed = ground.snapshot.anomalies.iter().filter(|it| it.ended_at.is_none() && it.is_harmful);
    let harmed: BTreeSet<&ServiceName> = harmed.map(|anomaly| &anomaly.service).collect();
    let ill: Vec<&ServiceName> =
        std::iter::once(&name).chain(&dependents).filter(|name| harmed.contains(name)).collect();
    let live = ground
        .snapshot
        .incidents
        .iter()
        .find(|incident| incident.state.is_live() && incident.services.contains_key(&name));
    let mut reasons: Vec<Claim> = Vec::new();
    if let Some(incident) = live {
        reasons.push(Claim::of(
            "{} is part of {}, which is open.",
            [Fact::new(service, cited()), Fact::incident(incident.id)],
        ));
    }
    if !ill.is_empty() {
        let names = ill.iter().map(|name| Fact::service(name.as_str())).collect();
        reasons
            .push(Claim::of("Not well now: ", []).and(listed_up_to(NAMES_MAX, names, cited())).and(Claim::of(".", [])));
    }
    let held = holds(ground);
    let is_frozen = ground
        .snapshot
        .agenda
        .iter()
        .any(|it| it.kind == OccasionKind::Freeze && it.from <= ground.now() && ground.now() < it.until);
    let subject = || Fact::new(service, cited());
    let lead = match (slots.action, live.is_some() || is_frozen, ill.is_empty()) {
        (Some(Deed::Rollback), true, _) => Claim::of(
            "Going back on {} now may mend or hide what is broken; it acts while an incident is open.",
            [subject()],
        ),
        (_, true, _) => Claim::of("Not now, if it can wait: {} is in the middle of something.", [subject()]),
        (_, false, false) => Claim::of("With care: something around {} is not well.", [subject()]),
        (_, false, true) => {
            Claim::of("Nothing that is known speaks against it: {} and all that hangs on it are as usual.", [subject()])
        }
    };
    let mut answer = Answer::known(lead).with(reasons);
    answer.claims.push(if dependents.is_empty() {
        Claim::of("Nobody who is known depends on {}.", [subject()])
    } else {
        let names = dependents.iter().map(|name| Fact::service(name.as_str())).collect();
        let count = ground::count(dependents.len(), cited());
        Claim::of("{} services depend on it: ", [count])
            .and(listed_up_to(NAMES_MAX, names, cited()))
            .and(Claim::of(".", []))
    });
    answer.claims.extend(record(ground, &name, slots.action));
    answer.claims.extend(held);
    answer.missing.push(Claim::of("Capacity that is spare while it lasts is not known here.", []));
    answer.then(&["who is affected", "is a freeze active", "what changed today"])
}

/// Windows and freezes that bear on it.
fn holds(ground: &Ground<'_>) -> Vec<Claim> {
    let now = ground.now();
    let near = ground.snapshot.agenda.iter().filter(|it| it.until > now && it.from < now + DAY_MS);
    near.take(NAMES_MAX)
        .map(|it| {
            let from = || Citation::Occasion(Arc::from(it.name.as_str()));
            let (name, begins, ends) =
                (Fact::new(&it.name, from()), ground.at(it.from, from()), ground.at(it.until, from()));
            match it.kind {
                OccasionKind::Freeze => Claim::of("The freeze {} is from {} to {}.", [name, begins, ends]),
                OccasionKind::Window => {
                    Claim::of("A better time is the window {}, from {} to {}.", [name, begins, ends])
                }
            }
        })
        .collect()
}

/// How such changes went before, with how little that may say.
fn record(ground: &Ground<'_>, service: &ServiceName, action: Option<Deed>) -> Vec<Claim> {
    let kinds: &[ChangeKind] = match action {
        Some(Deed::Deploy) => &[ChangeKind::Deploy, ChangeKind::Release],
        Some(Deed::Config) => &[ChangeKind::Config, ChangeKind::Flag],
        Some(Deed::Scale) => &[ChangeKind::Scale],
        _ => &[ChangeKind::OwnAct],
    };
    let is_like =
        |change: &&Arc<Change>| change.notice.service.as_ref() == Some(service) && kinds.contains(&change.notice.kind);
    let past: Vec<&Arc<Change>> = ground.snapshot.changes.iter().filter(is_like).collect();
    let cited = || Citation::Service(Arc::from(service.as_str()));
    let Some(last) = past.first() else {
        return vec![Claim::of(
            "How such a change of {} goes is not known: none was seen.",
            [Fact::new(service, cited())],
        )];
    };
    let broke = |change: &&&Arc<Change>| {
        let is_after = |incident: &Incident| {
            let since = incident.started_at.since_ms(change.notice.at);
            (0..=AFTER_MS).contains(&since) && incident.services.contains_key(service)
        };
        ground.snapshot.incidents.iter().any(|incident| is_after(incident))
    };
    let harmful = past.iter().filter(broke).count();
    let chance = (harmful as f64 + PRIOR) / (past.len() as f64 + 2.0 * PRIOR);
    vec![
        Claim::of(
            "Of {} such changes of it {} were followed by an incident within an hour.",
            [ground::count(past.len(), cited()), ground::count(harmful, cited())],
        ),
        Claim::of(
            "With no more to go by that is a chance of {}, and an uncertain one.",
            [Fact::new(format!("{:.0} %", 100.0 * chance), cited())],
        ),
        Claim::of(
            "The last was {} at {}.",
            [
                Fact::new(&last.notice.title, Citation::Change(last.id)),
                ground.at(last.notice.at, Citation::Change(last.id)),
            ],
        ),
    ]
}
