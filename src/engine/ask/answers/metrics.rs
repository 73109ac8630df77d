//! What is measured: values now, how they compare, which come first, and when something runs out.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::past;
use crate::engine::ask::answer::{Answer, AnswerState, Citation, Claim, Fact, listed_up_to};
use crate::engine::ask::ground::{ASKED_MAX, Ground};
use crate::engine::ask::metric::Concept;
use crate::engine::ask::slots::Slots;
use crate::engine::model::{Unit, Vital, human, human_span};

/// How many lines are told.
const LINES_MAX: usize = 8;
/// How many are told of a ranking where no number is asked for.
const TOP: usize = 5;

/// Values now.
pub(super) fn value(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let found = vitals(ground, slots);
    if let Some(mut answer) = past::value(ground, slots) {
        if answer.state == AnswerState::Unknown {
            let now = found.iter().map(|vital| Claim::of("Now: ", []).and(told(ground, vital)));
            answer = answer.with_first(LINES_MAX, now, Citation::Totals);
        }
        return answer;
    }
    let Some(first) = found.first() else { return nothing(ground, slots) };
    let others = found.iter().skip(1).map(|vital| told(ground, vital));
    let mut answer = Answer::known(told(ground, first)).with_first(LINES_MAX, others, Citation::Totals);
    if let Some(quantile) = slots.quantile.as_deref().filter(|quantile| !first.metric.contains(quantile)) {
        let asked = Fact::new(quantile, Citation::Question);
        answer.missing.push(Claim::of("The {} is not measured here; what is measured is told.", [asked]));
    }
    answer.then(&["why is it so", "is it getting better"])
}

/// How values compare.
pub(super) fn compare(ground: &Ground<'_>, slots: &Slots) -> Answer {
    if let Some(answer) = past::compare(ground, slots) {
        return answer;
    }
    let found = vitals(ground, slots);
    if found.is_empty() {
        return nothing(ground, slots);
    }
    if slots.service.len() > 1 {
        let mut ranked: Vec<&Vital> = found.clone();
        ranked.sort_by(|one, other| other.high.total_cmp(&one.high).then(one.service.cmp(&other.service)));
        let highest =
            ranked.first().map(|vital| cited(&vital.service, vital)).unwrap_or_else(|| Fact::new("", Citation::Totals));
        let claims = ranked.iter().map(|vital| told(ground, vital));
        let answer = Answer::known(Claim::of("{} has the highest now.", [highest]));
        return answer.with_first(LINES_MAX, claims, Citation::Totals);
    }
    // No other time was named: what is usual now is what such times have taught.
    let departed = found
        .iter()
        .filter(|vital| vital.usual.is_some_and(|usual| vital.high > usual.high || vital.low < usual.low))
        .count();
    let lead = if departed == 0 {
        Claim::of("It is as is usual at this hour.", [])
    } else {
        Claim::of("It is not as is usual at this hour.", [])
    };
    let claims = found.iter().map(|vital| told(ground, vital));
    Answer::known(lead).with_first(LINES_MAX, claims, Citation::Totals)
}

/// Which services come first.
pub(super) fn top(ground: &Ground<'_>, slots: &Slots, implied: Option<Concept>) -> Answer {
    let Some(concept) = slots.metric.or(implied) else {
        return Answer::unknown(Claim::of("First by what? No metric was named.", []))
            .then(&["which services have the most errors", "slowest services"]);
    };
    let mut found: Vec<&Vital> = of_concept(ground, concept).collect();
    found.retain(|vital| vital.unit != Unit::Boolean && !slots.leaves_out(vital.service.as_str()));
    found.sort_by(|one, other| other.high.total_cmp(&one.high).then(one.service.cmp(&other.service)));
    let mut seen = BTreeSet::new();
    found.retain(|vital| seen.insert(&vital.service));
    let Some(first) = found.first() else { return nothing(ground, slots) };
    let count = slots.count.and_then(|count| usize::try_from(count).ok()).unwrap_or(TOP);
    let lead = Claim::of(
        "{} comes first, at {}.",
        [cited(&first.service, first), cited(human(first.high, first.unit), first)],
    );
    let claims = found.iter().take(count.max(1)).map(|vital| told(ground, vital));
    Answer::known(lead).with_first(ASKED_MAX, claims, Citation::Totals)
}

/// When something runs out.
pub(super) fn forecast(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let wanted = |service: &str| slots.is_about(Some(service));
    let of_concept =
        |metric: &str, role| slots.metric.is_none_or(|wanted| Concept::of_metric(metric, role) == Some(wanted));
    let coming: Vec<_> = ground
        .snapshot
        .anomalies
        .iter()
        .filter(|anomaly| {
            anomaly.ended_at.is_none() && wanted(anomaly.service.as_str()) && of_concept(&anomaly.metric, anomaly.role)
        })
        .filter_map(|anomaly| Some((anomaly, anomaly.forecast?)))
        .collect();
    if let Some((anomaly, forecast)) = coming.first() {
        let from = || Citation::Anomaly(anomaly.id);
        let lead = Claim::of(
            "{} of {} reaches {} at {}, give or take {}.",
            [
                Fact::new(&anomaly.metric, from()),
                Fact::new(&anomaly.service, from()),
                Fact::new(human(forecast.limit, anomaly.unit), from()),
                ground.at(forecast.reached_at, from()),
                Fact::new(human_span(forecast.margin_ms), from()),
            ],
        );
        return Answer::known(lead).then(&["what should I do next"]);
    }
    let resources = [Concept::Disk, Concept::Memory, Concept::Cpu, Concept::Connections];
    let mut found: Vec<&Vital> = ground
        .snapshot
        .vitals
        .iter()
        .filter(|vital| wanted(vital.service.as_str()))
        .filter(|vital| {
            Concept::of_metric(&vital.metric, vital.role)
                .is_some_and(|concept| slots.metric.map_or(resources.contains(&concept), |wanted| wanted == concept))
        })
        .filter(|vital| vital.limit.is_some_and(|limit| limit > 0.0))
        .collect();
    if found.is_empty() {
        return nothing(ground, slots);
    }
    let share = |vital: &Vital| vital.limit.map_or(0.0, |limit| vital.high / limit);
    found.sort_by_key(|vital| Reverse((share(vital) * 1e6) as i64));
    let claims = found.iter().map(|vital| {
        let left = vital.limit.map_or(0.0, |limit| (limit - vital.high).max(0.0));
        Claim::of(
            "{} of {} is at {}, which leaves {}.",
            [
                cited(&vital.metric, vital),
                cited(&vital.service, vital),
                cited(human(vital.high, vital.unit), vital),
                cited(human(left, vital.unit), vital),
            ],
        )
    });
    Answer::known(Claim::of("Nothing of that is forecast to run out.", [])).with_first(TOP, claims, Citation::Totals)
}

/// What a question speaks of, those that people feel first.
fn vitals<'s>(ground: &Ground<'s>, slots: &Slots) -> Vec<&'s Vital> {
    let of_service = |vital: &&Vital| slots.service.iter().any(|name| name.as_ref() == vital.service.as_str());
    let of_concept = |vital: &&Vital| {
        slots.metric.is_none_or(|wanted| Concept::of_metric(&vital.metric, vital.role) == Some(wanted))
    };
    let mut found: Vec<&Vital> = ground.snapshot.vitals.iter().filter(of_service).filter(of_concept).collect();
    found.sort_by_key(|vital| Concept::of_metric(&vital.metric, vital.role).map_or(u8::MAX, |concept| concept as u8));
    found
}

fn of_concept<'s>(ground: &Ground<'s>, concept: Concept) -> impl Iterator<Item = &'s Vital> {
    let is_it = move |vital: &&Vital| Concept::of_metric(&vital.metric, vital.role) == Some(concept);
    ground.snapshot.vitals.iter().filter(is_it)
}

fn cited(text: impl std::fmt::Display, vital: &Vital) -> Fact {
    Fact::new(text, Citation::Vital(Arc::from(vital.service.as_str()), Arc::clone(&vital.metric)))
}

/// A vital in a sentence.
fn told(ground: &Ground<'_>, vital: &Vital) -> Claim {
    let unit = |value| cited(human(value, vital.unit), vital);
    let (metric, service) = (cited(&vital.metric, vital), cited(&vital.service, vital));
    let at = cited(ground.clock(vital.at), vital);
    let claim = if vital.series_count > 1 && human(vital.low, vital.unit) != human(vital.high, vital.unit) {
        let count = cited(vital.series_count, vital);
        Claim::of("{} of {} is {} to {} over {} instances", [metric, service, unit(vital.low), unit(vital.high), count])
    } else {
        Claim::of("{} of {} is {}", [metric, service, unit(vital.high)])
    };
    let claim = match vital.usual {
        Some(usual) => claim.and(Claim::of(", where {} to {} is usual", [unit(usual.low), unit(usual.high)])),
        None => claim.and(Claim::of("; what is usual is not known yet", [])),
    };
    claim.and(Claim::of(", as of {}.", [at]))
}

fn nothing(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let mut answer = Answer::unknown(Claim::of("I don't know: nothing of the kind is measured here.", []));
    if ground.snapshot.vitals.is_empty() {
        answer
            .missing
            .push(Claim::of("The latest values are not at hand: nothing was measured yet, or too much is.", []));
    }
    if let Some(service) = slots.service.first() {
        let there: BTreeSet<&str> = ground
            .snapshot
            .vitals
            .iter()
            .filter(|vital| vital.service.as_str() == service.as_ref())
            .map(|vital| vital.metric.as_ref())
            .collect();
        if !there.is_empty() {
            let from = || Citation::Service(Arc::clone(service));
            let names = there.into_iter().map(|metric| Fact::new(metric, from())).collect();
            let lead = Claim::of("Of {} there is ", [Fact::new(service, from())]);
            answer.claims.push(lead.and(listed_up_to(LINES_MAX, names, from())).and(Claim::of(".", [])));
        }
    }
    answer
}
