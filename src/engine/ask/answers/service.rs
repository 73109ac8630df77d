//! What is known of one service: how it is, whom it calls, who calls it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::ask::answer::{Answer, Citation, Claim, Fact, listed, listed_up_to};
use crate::engine::ask::ground::{self, Ground};
use crate::engine::ask::slots::Slots;
use crate::engine::model::ServiceName;

/// How many anomalies are told.
const LINES_MAX: usize = 5;
/// How many callers and callees are named.
const NAMES_MAX: usize = 12;
/// Longest way through the topology.
const HOPS_MAX: usize = 12;

/// How services or a machine are.
pub(super) fn health(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let mut answers = slots.service.iter().map(|service| one(ground, service, slots));
    if let Some(mut answer) = answers.next() {
        for other in answers {
            answer.claims.push(other.lead);
            answer.claims.extend(other.claims);
        }
        return answer;
    }
    let Some(host) = &slots.host else { return super::incident::status(ground, slots) };
    let found: Vec<_> =
        ground.snapshot.anomalies.iter().filter(|anomaly| anomaly.instance.as_deref() == Some(host)).collect();
    let going = found.iter().filter(|anomaly| anomaly.ended_at.is_none()).count();
    let name = Fact::new(host, Citation::Totals);
    if going == 0 {
        return Answer::known(Claim::of("Nothing unusual is known of {}.", [name]));
    }
    Answer::known(Claim::of("{} has {} anomalies that go on.", [name, ground::count(going, Citation::Totals)]))
}

fn one(ground: &Ground<'_>, service: &Arc<str>, slots: &Slots) -> Answer {
    let name = || Fact::service(service);
    let found = ground.anomalies(service, slots.metric);
    let going: Vec<_> =
        found.into_iter().filter(|anomaly| anomaly.ended_at.is_none() && !ground::is_excused(anomaly)).collect();
    if going.is_empty() {
        return Answer::known(Claim::of("{} is as usual: nothing of it departs.", [name()]));
    }
    let is_harmed = going.iter().any(|anomaly| anomaly.is_harmful);
    let count = ground::count(going.len(), Citation::Service(Arc::clone(service)));
    let pattern = if is_harmed {
        "{} is not well: {} anomalies go on."
    } else {
        "{} departs from the usual, harmlessly: {} anomalies go on."
    };
    let claims = going.iter().map(|anomaly| ground.departure(anomaly));
    let of = Citation::Service(Arc::clone(service));
    let mut answer = Answer::known(Claim::of(pattern, [name(), count])).with_first(LINES_MAX, claims, of);
    if let Some(id) = going.iter().find_map(|anomaly| anomaly.incident) {
        answer.claims.push(Claim::of("It is part of {}.", [Fact::incident(id)]));
    }
    answer.then(&["what is the root cause", "who is affected"])
}

/// Who calls whom.
pub(super) fn dependency(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let topology = &ground.snapshot.topology;
    let fact = |name: &ServiceName| Fact::service(name.as_str());
    match slots.service.as_slice() {
        [from, to, ..] => {
            let (one, other) = (ServiceName::new(from), ServiceName::new(to));
            let there = topology.path_down(&one, &other, HOPS_MAX);
            let back = || topology.path_down(&other, &one, HOPS_MAX);
            match there.or_else(back) {
                Some(way) if way.len() == 2 => {
                    let mut ends = way.iter().map(fact);
                    Answer::known(Claim::of("{} calls {} directly.", [ends.next(), ends.next()].into_iter().flatten()))
                }
                Some(way) => {
                    let lead = Claim::of("The way is ", []).and(listed(way.iter().map(fact).collect()));
                    Answer::known(lead.and(Claim::of(", each calling the next.", [])))
                }
                None => Answer::known(Claim::of("No way leads from {} to {} or back.", [fact(&one), fact(&other)])),
            }
        }
        [service] => {
            let name = ServiceName::new(service);
            let of = || Citation::Service(Arc::clone(service));
            let callees: Vec<Fact> = topology.callees(&name).map(|(callee, _)| fact(callee)).collect();
            let callers: BTreeSet<&ServiceName> = topology.callers(&name).collect();
            let callers: Vec<Fact> = callers.into_iter().map(fact).collect();
            let lead = if callees.is_empty() {
                Claim::of("{} calls nobody.", [fact(&name)])
            } else {
                Claim::of("{} calls ", [fact(&name)])
                    .and(listed_up_to(NAMES_MAX, callees, of()))
                    .and(Claim::of(".", []))
            };
            let called = if callers.is_empty() {
                Claim::of("Nobody calls it.", [])
            } else {
                Claim::of("It is called by ", []).and(listed_up_to(NAMES_MAX, callers, of())).and(Claim::of(".", []))
            };
            Answer::known(lead).with([called]).then(&["who is affected"])
        }
        [] => {
            let count = ground::count(topology.services().len(), Citation::Totals);
            let edges = ground::count(topology.edges().count(), Citation::Totals);
            Answer::known(Claim::of("{} services are known, with {} calls between them.", [count, edges]))
        }
    }
}
