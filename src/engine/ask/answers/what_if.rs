//! What an act would do, now or later: who hangs on it, how they are, what load and which freezes there are then, and how
//! such changes went before.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::load;
use crate::engine::ask::answer::{Answer, Citation, Claim, Fact, listed_up_to};
use crate::engine::ask::ground::{self, Ground};
use crate::engine::ask::slots::{Deed, Slots};
use crate::engine::ask::time::span::{AROUND_MS, Span};
use crate::engine::clock::{DAY_MS, HOUR_MS, Timestamp};
use crate::engine::model::{Change, ChangeKind, Incident, ServiceName, Vital, human};
use crate::engine::snapshot::rollout::OccasionKind;

/// How many are named.
const NAMES_MAX: usize = 8;
/// An incident that begins this soon after a change may be of it, in milliseconds.
const AFTER_MS: i64 = HOUR_MS;
/// Two-sided 95 % of the normal distribution, for how far a share of few may be off.
const Z: f64 = 1.96;

/// What `slots.action` on a service would do.
pub(super) fn predict(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let Some(service) = slots.service.first() else {
        let mut answer = Answer::known(Claim::of("That depends on what is touched; no service was named.", []));
        answer.claims.extend(holds(ground, time(ground, slots)));
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
    let at = time(ground, slots);
    let held = holds(ground, at);
    let is_later = at.since_ms(ground.now()) >= HOUR_MS;
    let is_frozen = ground.is_frozen(at, at + 1);
    let subject = || Fact::new(service, cited());
    let lead = match (slots.action, live.is_some() || is_frozen, ill.is_empty()) {
        _ if is_later && is_frozen => Claim::of("Not then: a freeze covers {}.", [cited_time(ground, at)]),
        _ if is_later => Claim::of(
            "Nothing that is known speaks against {} of {}; how it is by then is not known.",
            [cited_time(ground, at), subject()],
        ),
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
        Claim::of(
            if dependents.len() == 1 { "{} service depends on it: " } else { "{} services depend on it: " },
            [count],
        )
        .and(listed_up_to(NAMES_MAX, names, cited()))
        .and(Claim::of(".", []))
    });
    answer.claims.extend(load::expected_at(ground, &name, at));
    match room(ground, service) {
        Some(room) => answer.claims.push(room),
        None => answer.missing.push(Claim::of("How much room it has is not known: no limit of its resources is.", [])),
    }
    answer.claims.extend(record(ground, &name, slots.action));
    answer.claims.extend(held);
    answer.then(&["who is affected", "is a freeze active", "what changed today"])
}

/// When it would be done: as the question says, else now.
fn time(ground: &Ground<'_>, slots: &Slots) -> Timestamp {
    // A clock time is a span around it; of a longer one its beginning counts.
    let begin = |span: Span| {
        let length = span.to.since_ms(span.from);
        if length <= 2 * AROUND_MS { span.from + length / 2 } else { span.from }
    };
    let said = ground.span(slots).ok().flatten().map(begin);
    said.map_or(ground.now(), |at| at.max(ground.now()))
}

fn cited_time(ground: &Ground<'_>, at: Timestamp) -> Fact {
    ground.at(at, Citation::Question)
}

/// The resource of it that is nearest to its limit, and what is left of that.
fn room(ground: &Ground<'_>, service: &Arc<str>) -> Option<Claim> {
    let of_it = ground.snapshot.vitals.iter().filter(|vital| vital.service.as_str() == service.as_ref());
    let with_limit = of_it.filter_map(|vital| Some((vital, vital.limit.filter(|limit| *limit > 0.0)?)));
    let share = |(vital, limit): &(&Vital, f64)| vital.high / limit;
    let (vital, limit) = with_limit.max_by(|one, other| share(one).total_cmp(&share(other)))?;
    let cited = |text: String| Fact::new(text, Citation::Vital(Arc::clone(service), Arc::clone(&vital.metric)));
    let value = |value| cited(human(value, vital.unit));
    Some(Claim::of(
        "Nearest to its limit is {} at {}, which leaves {}.",
        [cited(vital.metric.to_string()), value(vital.high), value((limit - vital.high).max(0.0))],
    ))
}

/// Windows and freezes that bear on it.
fn holds(ground: &Ground<'_>, at: Timestamp) -> Vec<Claim> {
    let near = ground.snapshot.agenda.iter().filter(|it| it.until > at && it.from < at + DAY_MS);
    near.take(NAMES_MAX)
        .map(|it| {
            let from = || Citation::Occasion(Arc::from(it.name.as_str()));
            let (name, begins, ends) =
                (Fact::new(&it.name, from()), ground.at(it.from, from()), ground.at(it.until, from()));
            match it.kind {
                OccasionKind::Freeze => Claim::of("The freeze {} is from {} to {}.", [name, begins, ends]),
                OccasionKind::Window => {
                    let pattern = if it.from <= at && at < it.until {
                        "It would be in the window {}, from {} to {}."
                    } else {
                        "The window {} is from {} to {}."
                    };
                    Claim::of(pattern, [name, begins, ends])
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
    let (least, most) = wilson(harmful, past.len());
    let percent = |share: f64| Fact::new(format!("{:.0} %", 100.0 * share), cited());
    vec![
        Claim::of(
            "Of {} such changes of it {} were followed by an incident within an hour.",
            [ground::count(past.len(), cited()), ground::count(harmful, cited())],
        ),
        Claim::of(
            "With no more to go by than that, the chance of one is between {} and {}.",
            [percent(least), percent(most)],
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

/// Between which shares the true one lies with 95 % confidence (Wilson, "Probable inference, the law of succession, and
/// statistical inference", 1927), where `hits` of `count` were seen.
fn wilson(hits: usize, count: usize) -> (f64, f64) {
    let (hits, count) = (hits as f64, (count as f64).max(1.0));
    let share = hits / count;
    let centre = share + Z * Z / (2.0 * count);
    let reach = Z * (share * (1.0 - share) / count + Z * Z / (4.0 * count * count)).sqrt();
    let whole = 1.0 + Z * Z / count;
    (((centre - reach) / whole).max(0.0), ((centre + reach) / whole).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_changes_say_little() {
        let rounded = |hits, count| {
            let (least, most) = wilson(hits, count);
            ((10_000.0 * least).round(), (10_000.0 * most).round())
        };
        // By Newcombe's tables of 1998.
        assert_eq!(rounded(0, 20), (0.0, 1_611.0));
        assert_eq!(rounded(1, 29), (61.0, 1_718.0));
        assert_eq!(rounded(15, 148), (624.0, 1_605.0));
        assert_eq!(rounded(81, 263), (2_553.0, 3_662.0));
    }
}
