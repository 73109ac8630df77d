//! What is known of incidents: what is broken, who is hit, what happened when, whether it gets better, what alerts said.

use std::sync::Arc;

use crate::engine::ask::answer::{Answer, Citation, Claim, Fact, listed_up_to};
use crate::engine::ask::ground::{self, Ground};
use crate::engine::ask::metric::Concept;
use crate::engine::ask::slots::Slots;
use crate::engine::model::{
    Anomaly, AnomalyState, Incident, IncidentState, ServiceName, TimelineKind, human_count, human_span,
};

/// How many entries are told one by one.
const LINES_MAX: usize = 8;

/// What is broken now.
pub(super) fn status(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let snapshot = ground.snapshot;
    let wanted = |incident: &&Incident| {
        slots.severity.as_deref().is_none_or(|severity| incident.severity.to_string() == severity)
    };
    let live: Vec<&Incident> =
        snapshot.incidents.iter().map(Arc::as_ref).filter(|incident| incident.state.is_live()).filter(wanted).collect();
    let active = snapshot.anomalies.iter().filter(|anomaly| anomaly.ended_at.is_none()).count();
    let totals = || Citation::Totals;
    if live.is_empty() {
        let lead = Claim::of("No such incident is open.", []);
        let seen = Claim::of(
            "{} series are watched, {} anomalies go on, {} alerts fire.",
            [
                Fact::new(human_count(snapshot.counts.series_count), totals()),
                ground::count(active, totals()),
                Fact::new(human_count(snapshot.counts.alert_count), totals()),
            ],
        );
        return Answer::known(lead).with([seen]);
    }
    let lead = Claim::of(
        if live.len() == 1 { "{} incident is open: " } else { "{} incidents are open: " },
        [ground::count(live.len(), totals())],
    );
    let names = listed_up_to(LINES_MAX, live.iter().map(|incident| Fact::incident(incident.id)).collect(), totals());
    let claims = live.iter().map(|incident| {
        let from = Citation::Incident(incident.id);
        Claim::of(
            "{}, {}: {}, {} since {}.",
            [
                Fact::incident(incident.id),
                Fact::new(incident.severity, from.clone()),
                Fact::new(&incident.title, from.clone()),
                Fact::new(incident.state.word(), from.clone()),
                ground.at(incident.started_at, from),
            ],
        )
    });
    Answer::known(lead.and(names).and(Claim::of(".", []))).with_first(LINES_MAX, claims, totals()).then(&[
        "what is the root cause",
        "what is affected",
        "what should I do next",
    ])
}

/// Who is hit by an incident, or by what is wrong with a service.
pub(super) fn blast_radius(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let Some(incident) = ground.incident(slots) else { return none() };
    let from = || Citation::Incident(incident.id);
    let buckets = incident.ranking.cause().map(|cause| &cause.buckets);
    if let Some(service) = slots.service.first() {
        let name = ServiceName::new(service);
        let callers = ground.snapshot.topology.dependents(&name, usize::MAX);
        let hit = callers.keys().filter(|caller| incident.services.contains_key(*caller));
        let hit: Vec<Fact> = hit.map(|caller| Fact::new(caller, Citation::Incident(incident.id))).collect();
        let asked = Fact::service(service);
        if hit.is_empty() {
            return Answer::known(Claim::of(
                "Nothing that depends on {} belongs to {}.",
                [asked, Fact::incident(incident.id)],
            ));
        }
        let lead = Claim::of("Of what depends on {}, this is part of {}: ", [asked, Fact::incident(incident.id)])
            .and(listed_up_to(LINES_MAX, hit, from()))
            .and(Claim::of(".", []));
        return Answer::known(lead).then(&["what should I do next"]);
    }
    let lead = Claim::of(
        if incident.services.len() == 1 { "{} service is part of {}." } else { "{} services are part of {}." },
        [ground::count(incident.services.len(), from()), Fact::incident(incident.id)],
    );
    let mut answer = Answer::known(lead);
    if let Some(buckets) = buckets {
        let names = |all: &[ServiceName]| {
            listed_up_to(LINES_MAX, all.iter().map(|name| Fact::new(name, from())).collect(), from())
        };
        for (says, all) in [
            ("It starts at ", &buckets.cause),
            ("Because of it failed first ", &buckets.first_failure),
            ("It is felt at ", &buckets.impact),
        ] {
            if !all.is_empty() {
                answer.claims.push(Claim::of(says, []).and(names(all)).and(Claim::of(".", [])));
            }
        }
    }
    for entry in incident.timeline.iter().filter(|entry| entry.kind == TimelineKind::Impact).take(2) {
        answer.claims.push(Claim::of("{}: {}.", [ground.at(entry.at, from()), Fact::new(&entry.text, from())]));
    }
    answer.missing.push(Claim::of("How many people were hit is not known: no source counts them.", []));
    answer.then(&["is it getting better", "what should I do next"])
}

/// Whether it gets better, or is over.
pub(super) fn recovery(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let Some(incident) = ground.incident(slots) else { return none() };
    let of_service = |anomaly: &&Anomaly| {
        let metric = Concept::of_metric(&anomaly.metric, anomaly.role);
        slots.is_about(Some(anomaly.service.as_str())) && slots.metric.is_none_or(|wanted| metric == Some(wanted))
    };
    let mine: Vec<&Anomaly> = ground
        .snapshot
        .anomalies
        .iter()
        .map(Arc::as_ref)
        .filter(|anomaly| !slots.service.is_empty() || incident.anomalies.contains(&anomaly.id))
        .filter(of_service)
        .collect();
    let from = || Citation::Incident(incident.id);
    let going =
        mine.iter().filter(|anomaly| anomaly.ended_at.is_none() && anomaly.state == AnomalyState::Active).count();
    let back = mine.len() - going;
    let is_over = !incident.state.is_live();
    let what = match slots.service.first() {
        Some(service) => Fact::service(service),
        None => Fact::incident(incident.id),
    };
    let lead = if mine.is_empty() {
        Claim::of("Nothing unusual is known of {}.", [what])
    } else if going == 0 && mine.iter().any(|anomaly| anomaly.ended_at.is_none()) {
        Claim::of("{} is on its way back, which has not held for long enough yet.", [what])
    } else if going == 0 {
        Claim::of("{} is back to the usual: nothing departs any more.", [what])
    } else if is_over {
        Claim::of("{} is over, though some of it still departs.", [what])
    } else {
        Claim::of("{} is not back to the usual.", [what])
    };
    let mut answer = Answer::known(lead);
    if !mine.is_empty() {
        answer.claims.push(Claim::of(
            "{} of {} anomalies go on; {} are over or on their way back.",
            [ground::count(going, from()), ground::count(mine.len(), from()), ground::count(back, from())],
        ));
    }
    let open: Vec<&&Anomaly> = mine.iter().filter(|anomaly| anomaly.ended_at.is_none()).collect();
    let claims = open.into_iter().map(|anomaly| {
        let cited = || Citation::Anomaly(anomaly.id);
        let is_easing = anomaly.deviation_sigma.abs() < 0.95 * anomaly.peak_sigma.abs();
        let pattern = if is_easing {
            "{} of {} is at {}, nearer to its usual {} than it was."
        } else {
            "{} of {} is at {}, about as far from its usual {} as it ever was."
        };
        Claim::of(
            pattern,
            [
                Fact::new(&anomaly.metric, cited()),
                Fact::new(&anomaly.service, cited()),
                ground::value(anomaly),
                ground::usual(anomaly),
            ],
        )
    });
    let mut answer = answer.with_first(LINES_MAX, claims, from());
    if incident.state == IncidentState::Mitigated {
        answer.claims.push(Claim::of("{} counts as mitigated.", [Fact::incident(incident.id)]));
    }
    answer.then(&["what should I do next", "what happened when"])
}

/// What happened when.
pub(super) fn timeline(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let Some(incident) = ground.incident(slots) else { return none() };
    let from = || Citation::Incident(incident.id);
    let window = ground.span(slots).ok().flatten();
    let within = |at| window.is_none_or(|span| span.from <= at && at <= span.to);
    let of_service = |service: Option<&str>| slots.is_about(service);
    let lead = Claim::of(
        "{} began at {} and was opened at {}.",
        [Fact::incident(incident.id), ground.at(incident.started_at, from()), ground.at(incident.opened_at, from())],
    );
    let mut entries: Vec<_> = incident
        .timeline
        .iter()
        .filter(|entry| within(entry.at) && of_service(entry.service.as_ref().map(ServiceName::as_str)))
        .collect();
    entries.sort_by_key(|entry| entry.at);
    let claims = entries.iter().take(LINES_MAX).map(|entry| {
        let cited = entry.anomaly.map_or(from(), Citation::Anomaly);
        Claim::of("{}: {}.", [ground.at(entry.at, cited.clone()), Fact::new(&entry.text, cited)])
    });
    let mut answer = Answer::known(lead).with(claims).over(window);
    if entries.len() > LINES_MAX {
        let rest = ground::count(entries.len() - LINES_MAX, from());
        answer.claims.push(Claim::of("{} later entries are on the timeline.", [rest]));
    }
    match incident.resolved_at {
        Some(at) => answer.claims.push(Claim::of(
            "It was resolved at {}, after {}.",
            [ground.at(at, from()), Fact::new(human_span(at.since_ms(incident.started_at)), from())],
        )),
        None => answer.claims.push(Claim::of(
            "It has lasted for {}.",
            [Fact::new(human_span(ground.now().since_ms(incident.started_at)), from())],
        )),
    }
    answer
}

/// In a few sentences, for others.
pub(super) fn summary(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let Some(incident) = ground.incident(slots) else { return none() };
    let from = || Citation::Incident(incident.id);
    let lead = Claim::of(
        "{}, {}: {}; {}, began at {}.",
        [
            Fact::incident(incident.id),
            Fact::new(incident.severity, from()),
            Fact::new(&incident.title, from()),
            Fact::new(incident.state.word(), from()),
            ground.at(incident.started_at, from()),
        ],
    );
    let mut answer = Answer::known(lead);
    if let Some(cause) = incident.ranking.cause() {
        let title = Fact::new(&cause.title, cause.change.map_or(from(), Citation::Change));
        let sure = Fact::new(format!("{} %", cause.confidence.percent()), from());
        answer.claims.push(Claim::of("The cause is most likely {} (confidence {}).", [title, sure]));
        answer.confidence = Some(cause.confidence.get());
    } else {
        answer.claims.push(Claim::of("The cause is not known yet.", []));
    }
    let mut services: Vec<_> = incident.services.iter().collect();
    services.sort_by_key(|(name, since)| (**since, (*name).clone()));
    let named = services.iter().map(|(name, _)| Fact::new(name, from())).collect();
    answer.claims.push(
        Claim::of("Affected, in the order of onset: ", [])
            .and(listed_up_to(LINES_MAX, named, from()))
            .and(Claim::of(".", [])),
    );
    let folded = Fact::new(human_count(incident.folded_count), from());
    answer.claims.push(Claim::of("{} alerts and anomalies are folded into it.", [folded]));
    let runs: Vec<_> = ground.snapshot.runs.iter().filter(|run| run.incident() == Some(incident.id)).collect();
    if let Some(run) = runs.first() {
        let cited = || Citation::Run(run.id, None);
        let text =
            Claim::of("Last run: {}, {}.", [Fact::new(&run.runbook.title, cited()), Fact::new(&run.word, cited())]);
        answer.claims.push(text);
    } else {
        answer.claims.push(Claim::of("No runbook was run for it.", []));
    }
    match &incident.owner {
        Some(owner) => answer.claims.push(Claim::of("It is in the hands of {}.", [Fact::new(owner, from())])),
        None => answer.claims.push(Claim::of("Nobody owns it yet.", [])),
    }
    answer.then(&["what happened when", "what is the root cause"])
}

fn none() -> Answer {
    Answer::known(Claim::of("There is no incident.", [])).then(&["what changed today", "is the data fresh"])
}
