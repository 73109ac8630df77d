//! What was like this before, why it counts as like it, and what helped then.

use std::sync::Arc;

use crate::engine::ask::answer::{Answer, Citation, Claim, Fact, listed, listed_up_to};
use crate::engine::ask::ground::{self, Ground};
use crate::engine::ask::reading::Reading;
use crate::engine::ask::recall::{Alike, Archive, Digest, PastAct, Query, Reason};
use crate::engine::ask::slots::Slots;
use crate::engine::model::{ChangeKind, Direction, Incident, IncidentId, human_span};

/// How many are told where the question does not say.
const LINES_USUAL: usize = 5;
/// How many are told at most.
const LINES_MAX: usize = 10;
/// The share of a question's words, by how much they say, that an incident must have to speak of it.
const SPOKEN_MIN: f64 = 0.5;
/// Words that say that earlier incidents are looked for, not which.
const OF_LOOKING: &[&str] = &[
    "similar",
    "seen",
    "happened",
    "happen",
    "occurred",
    "occurrence",
    "occurrences",
    "outage",
    "outages",
    "past",
    "history",
    "historical",
    "previous",
    "previously",
    "earlier",
    "prior",
    "recurring",
    "recurrence",
    "repeat",
    "repeated",
    "resembles",
    "match",
    "matches",
    "matching",
    "helped",
    "helps",
    "fixed",
    "solved",
    "resolved",
    "worked",
    "known",
    "postmortem",
    "postmortems",
    "post-mortem",
    "post-mortems",
    "precedent",
    "deja",
    "vu",
    "closest",
    "nearest",
    "failure",
    "event",
    "events",
];
/// Below this likeness two incidents have nothing to do with one another.
const LIKENESS_MIN: f64 = 0.25;

/// Earlier incidents that are alike, and what helped then.
pub(super) fn similar(ground: &Ground<'_>, reading: &Reading) -> Answer {
    let slots = &reading.slots;
    // Without an archive what the picture still has is searched.
    let shown;
    let archive = if ground.archive.is_empty() {
        shown = Archive::of_picture(ground.snapshot);
        &shown
    } else {
        ground.archive
    };
    if slots.incident.is_none() && !slots.service.is_empty() {
        return on_services(ground, archive, slots);
    }
    let spoken = if slots.incident.is_none() { of_words(ground, archive, reading) } else { None };
    let incident = ground.incident(slots);
    // While something is wrong, whether that happened before is what is asked.
    let is_now = incident.is_some_and(|incident| incident.state.is_live() || Some(incident.id) == ground.focus);
    if let Some(answer) = spoken
        && !is_now
    {
        return answer;
    }
    let Some(incident) = incident else {
        return Answer::known(Claim::of("There is no incident to compare with.", []));
    };
    let digest = Digest::of_picture(ground.snapshot, incident);
    let query = Query::like(&digest, &ground.snapshot.topology);
    let (alike, count) = archive.alike(&query, Some(incident.id), LIKENESS_MIN, lines(slots));
    let id = Fact::incident(incident.id);
    if alike.is_empty() {
        return Answer::known(Claim::of("Nothing like {} is known from before.", [id]))
            .with([searched(archive, Some(incident.id))])
            .then(&["what should I do next"]);
    }
    let pattern = if count == 1 { "{} earlier incident is like {}." } else { "{} earlier incidents are like {}." };
    let lead = Claim::of(pattern, [ground::count(count, Citation::Totals), id]);
    told(ground, Answer::known(lead), &alike, count, Some(incident)).with([searched(archive, Some(incident.id))])
}

/// Earlier incidents of the services that are named.
fn on_services(ground: &Ground<'_>, archive: &Archive, slots: &Slots) -> Answer {
    let words = slots.metric.map(|metric| metric.name().replace('_', " ")).unwrap_or_default();
    let query = Query::about(&words, slots.service.iter().map(AsRef::as_ref));
    let (alike, count) = archive.alike(&query, None, 0.0, lines(slots));
    let names = || listed(slots.service.iter().map(|name| Fact::service(name)).collect());
    let looked = searched(archive, None);
    if alike.is_empty() {
        let lead = Claim::of("No earlier incident had to do with ", []).and(names()).and(Claim::of(".", []));
        return Answer::known(lead).with([looked]).then(&["what is broken now"]);
    }
    let pattern =
        if count == 1 { "{} earlier incident had to do with " } else { "{} earlier incidents had to do with " };
    let lead = Claim::of(pattern, [ground::count(count, Citation::Totals)]).and(names()).and(Claim::of(".", []));
    told(ground, Answer::known(lead), &alike, count, None).with([looked])
}

/// Earlier incidents that speak of what the question says; nothing where it says nothing that one of them has.
fn of_words(ground: &Ground<'_>, archive: &Archive, reading: &Reading) -> Option<Answer> {
    let words: Vec<&str> = reading
        .words
        .iter()
        .map(AsRef::as_ref)
        .filter(|word| !OF_LOOKING.contains(&word.to_lowercase().as_str()))
        .collect();
    let query = Query::about(&words.join(" "), []);
    if query.is_empty() {
        return None;
    }
    let (alike, count) = archive.alike(&query, None, SPOKEN_MIN, lines(&reading.slots));
    if alike.is_empty() {
        return None;
    }
    let pattern = if count == 1 { "{} earlier incident speaks of " } else { "{} earlier incidents speak of " };
    let has = |word: &str| {
        let is_it =
            |reason: &Reason| matches!(reason, Reason::SameWord(same) if word.to_lowercase().contains(same.as_ref()));
        alike.iter().flat_map(|alike| &alike.reasons).any(is_it)
    };
    let spoken: Vec<Fact> =
        words.iter().filter(|word| has(word)).map(|word| Fact::new(*word, Citation::Question)).collect();
    let said =
        if spoken.is_empty() { Claim::of("that", []) } else { listed_up_to(LINES_USUAL, spoken, Citation::Question) };
    let lead = Claim::of(pattern, [ground::count(count, Citation::Totals)]).and(said).and(Claim::of(".", []));
    Some(told(ground, Answer::known(lead), &alike, count, None).with([searched(archive, None)]))
}

fn lines(slots: &Slots) -> usize {
    slots.count.and_then(|count| usize::try_from(count).ok()).unwrap_or(LINES_USUAL).clamp(1, LINES_MAX)
}

/// How many incidents were looked at, without the one that is asked about.
fn searched(archive: &Archive, without: Option<IncidentId>) -> Claim {
    let others = archive.len() - usize::from(without.is_some_and(|id| archive.get(id).is_some()));
    let pattern = if others == 1 { "{} earlier incident was searched." } else { "{} earlier incidents were searched." };
    Claim::of(pattern, [ground::count(others, Citation::Totals)])
}

fn told(ground: &Ground<'_>, mut answer: Answer, alike: &[Alike<'_>], count: usize, of: Option<&Incident>) -> Answer {
    for alike in alike {
        answer.claims.push(one(ground, alike, of.is_some()));
        answer.claims.extend(remedy(alike));
    }
    if count > alike.len() {
        answer.claims.push(Claim::of("And {} more.", [Fact::count(count - alike.len(), Citation::Totals)]));
    }
    answer.then(&["what should I do next"])
}

fn one(ground: &Ground<'_>, alike: &Alike<'_>, is_compared: bool) -> Claim {
    let past = alike.past;
    let from = || Citation::Incident(past.id);
    let (id, at, title) =
        (Fact::new(past.id, from()), ground.at(past.started_at, from()), Fact::new(&past.title, from()));
    if !is_compared {
        return Claim::of("{} of {}: {}.", [id, at, title]);
    }
    let share = Fact::new(format!("{:.0} %", 100.0 * alike.likeness), from());
    let mut claim = Claim::of("{} of {}, alike by {}: {}", [id, at, share, title]);
    for (at, reason) in alike.reasons.iter().enumerate() {
        let between = if at == 0 { "; because of " } else { ", " };
        claim = claim.and(Claim::of(between, [])).and(because(reason, past.id));
    }
    claim.and(Claim::of(".", []))
}

/// What both have, in words.
fn because(reason: &Reason, past: IncidentId) -> Claim {
    let fact = |text: &str| Fact::new(text, Citation::Incident(past));
    let went = |direction: &Direction| if *direction == Direction::Above { "more {}" } else { "less {}" };
    match reason {
        Reason::SameSign(service, metric) => {
            Claim::of("the same metric on the same service ({} of {})", [fact(metric), fact(service)])
        }
        Reason::SignNearby(service, metric) => {
            Claim::of("the same metric on a neighbour ({} of {})", [fact(metric), fact(service)])
        }
        Reason::SameMetric(metric) => Claim::of("the same metric on another service ({})", [fact(metric)]),
        Reason::SameConcept(concept, direction) => Claim::of(went(direction), [fact(concept.name())]),
        Reason::SameAtOrigin(concept, direction) => {
            Claim::of(went(direction), [fact(concept.name())]).and(Claim::of(" where it began", []))
        }
        Reason::SameOnKind(kind, concept, direction) => Claim::of(went(direction), [fact(concept.name())])
            .and(Claim::of(" on a service of the same kind ({})", [fact(kind)])),
        Reason::SameLine(line) => Claim::of("the same log line ({})", [fact(line)]),
        Reason::SameAlert(name) => Claim::of("the same alert ({})", [fact(name)]),
        Reason::SameService(name) => Claim::of("the same service touched ({})", [fact(name)]),
        Reason::SameOrigin(name) => Claim::of("the same service where it began ({})", [fact(name)]),
        Reason::Nearby(name) => Claim::of("a neighbour where it began ({})", [fact(name)]),
        Reason::SameOriginKind(kind) => Claim::of("the same kind of service where it began ({})", [fact(kind)]),
        Reason::SameCause(kind) => Claim::of("the same kind of cause ({})", [fact(kind.title())]),
        Reason::SameCauseAt(kind, service) => {
            Claim::of("the same cause at the same service ({} of {})", [fact(kind.title()), fact(service)])
        }
        Reason::SameBlame(kind) => Claim::of("the same kind of change as its cause ({})", [fact(change(*kind))]),
        Reason::SameChange(kind) => Claim::of("the same kind of change before it ({})", [fact(change(*kind))]),
        Reason::SameWord(word) => Claim::of("the same word ({})", [fact(word)]),
    }
}

fn change(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Deploy | ChangeKind::Release => "deploy",
        ChangeKind::Config | ChangeKind::Flag => "configuration",
        ChangeKind::Migration => "migration",
        ChangeKind::Scale => "scaling",
        ChangeKind::Network => "network",
        ChangeKind::OwnAct => "act",
        ChangeKind::Other => "other",
    }
}

/// What was done then: what ended it, or what did not.
fn remedy(alike: &Alike<'_>) -> Option<Claim> {
    let cited = |act: &PastAct| Citation::Run(act.run, None);
    let id = Fact::incident(alike.past.id);
    if let Some(act) = &alike.past.remedy {
        let name = Fact::new(&act.runbook, cited(act));
        return Some(match act.took_ms {
            Some(took) => Claim::of("{} was ended by {} in {}.", [id, name, Fact::new(human_span(took), cited(act))]),
            None => Claim::of("{} was ended by {}.", [id, name]),
        });
    }
    let act = alike.past.failed.last()?;
    Some(Claim::of("{} did not end {}.", [Fact::new(Arc::clone(&act.runbook), cited(act)), id]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Tz;

    use crate::engine::ask::intent::Intent;
    use crate::engine::clock::{MINUTE_MS, Timestamp};
    use crate::engine::model::{AnomalyId, CauseKind, PastValues, RunId, SeriesRole};
    use crate::engine::snapshot::Snapshot;
    use crate::engine::world::fixtures;

    /// A live incident of errors on cart, and so many past ones on it that the picture does not have.
    fn asked(past: u64, slots: &Slots) -> Answer {
        let mut incident = fixtures::incident(900, "cart", 60_000);
        incident.anomalies = [AnomalyId(5)].into();
        let anomaly = fixtures::anomaly(5, "cart", "error_ratio", SeriesRole::Errors, 60);
        let snapshot = Snapshot {
            at: Timestamp(90 * MINUTE_MS),
            incidents: vec![Arc::new(incident.clone())],
            anomalies: vec![Arc::new(anomaly)],
            ..Snapshot::empty()
        };
        let digest = Digest::of_picture(&snapshot, &incident);
        let mut archive = Archive::default();
        for id in 1..=past {
            let act = |run, helped| PastAct {
                run: RunId(run),
                runbook: "rollback-deploy".into(),
                helped,
                took_ms: Some(12 * MINUTE_MS),
            };
            let acts = if id.is_multiple_of(2) { vec![act(id, true)] } else { vec![act(id, false)] };
            archive.put(&Digest { id: IncidentId(id), acts, ..digest.clone() });
        }
        for id in 100..200 {
            let other = fixtures::incident(id, "mail", 60_000);
            archive.put(&Digest { cause: None, ..Digest::of_picture(&snapshot, &other) });
        }
        let past = PastValues::default();
        let reading = Reading::of(Intent::IncidentSimilar, slots.clone());
        similar(&Ground { snapshot: &snapshot, zone: Tz::UTC, focus: None, archive: &archive, past: &past }, &reading)
    }

    fn text(answer: &Answer) -> String {
        answer.all_claims().map(Claim::text).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn incidents_that_the_picture_no_longer_has_are_cited_with_what_ended_them() {
        let answer = asked(7, &Slots::default());
        let told = text(&answer);
        assert!(told.contains("7 earlier incidents are like INC-900."), "{told}");
        assert!(told.contains("the same metric on the same service (error_ratio of cart)"), "{told}");
        assert!(told.contains("INC-6 was ended by rollback-deploy in 12 m"), "{told}");
        assert!(told.contains("rollback-deploy did not end INC-7."), "{told}");
        assert!(told.contains("And 2 more."), "{told}");
        assert!(told.contains("107 earlier incidents were searched."), "{told}");
        let cited: Vec<Citation> = answer.all_claims().flat_map(Claim::citations).collect();
        assert!(cited.contains(&Citation::Incident(IncidentId(6))) && cited.contains(&Citation::Run(RunId(6), None)));
        let one = asked(1, &Slots { count: Some(1), ..Slots::default() });
        assert!(one.lead.text().contains("1 earlier incident is like"), "{}", one.lead.text());
        let none = text(&asked(0, &Slots::default()));
        assert!(none.contains("Nothing like INC-900 is known from before.\n100 earlier"), "{none}");
    }

    #[test]
    fn every_reason_is_told_by_a_fact_that_cites_the_past_incident() {
        let text = |text: &str| Arc::from(text);
        let (up, errors) = (Direction::Above, crate::engine::ask::metric::Concept::Errors);
        for reason in [
            Reason::SameSign(text("cart"), text("latency")),
            Reason::SignNearby(text("cart"), text("latency")),
            Reason::SameMetric(text("latency")),
            Reason::SameConcept(errors, up),
            Reason::SameAtOrigin(errors, Direction::Below),
            Reason::SameOnKind(text("db"), errors, up),
            Reason::SameLine(text("refused")),
            Reason::SameAlert(text("High")),
            Reason::SameService(text("cart")),
            Reason::SameOrigin(text("cart")),
            Reason::Nearby(text("cart")),
            Reason::SameOriginKind(text("db")),
            Reason::SameCause(CauseKind::BadDeploy),
            Reason::SameCauseAt(CauseKind::BadDeploy, text("cart")),
            Reason::SameBlame(ChangeKind::Deploy),
            Reason::SameChange(ChangeKind::Network),
            Reason::SameWord(text("pool")),
        ] {
            let claim = because(&reason, IncidentId(4));
            assert_eq!(claim.citations(), [Citation::Incident(IncidentId(4))], "{reason:?}");
        }
    }

    #[test]
    fn what_is_asked_of_a_service_is_answered_by_its_incidents() {
        let slots = |name: &str| Slots { service: vec![Arc::from(name)], ..Slots::default() };
        let answer = asked(3, &slots("mail"));
        let told = text(&answer);
        assert!(told.contains("100 earlier incidents had to do with mail."), "{told}");
        assert!(told.contains("And 95 more."), "{told}");
        assert!(text(&asked(3, &slots("search"))).contains("No earlier incident had to do with search."));
    }
}
