//! What earlier incidents tell: those alike, how long they took, and whose things are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::ask::answer::{Answer, Citation, Claim, Fact, listed};
use crate::engine::ask::ground::{self, Ground};
use crate::engine::ask::slots::Slots;
use crate::engine::model::{Incident, Run, RunState, ServiceName, human_span};

/// How many are told.
const LINES_MAX: usize = 5;
/// Below this likeness two incidents have nothing to do with one another.
const LIKENESS_MIN: f64 = 0.25;

/// Earlier incidents that are alike, and what helped then.
pub(super) fn similar(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let Some(incident) = ground.incident(slots) else {
        return Answer::known(Claim::of("There is no incident to compare with.", []));
    };
    let past: Vec<&Incident> = ground
        .snapshot
        .incidents
        .iter()
        .map(Arc::as_ref)
        .filter(|other| other.id != incident.id && !other.state.is_live())
        .collect();
    let mut alike: Vec<(f64, &Incident)> =
        past.iter().map(|other| (likeness(ground, incident, other), *other)).collect();
    alike.retain(|(likeness, _)| *likeness >= LIKENESS_MIN);
    alike.sort_by(|one, other| other.0.total_cmp(&one.0).then(other.1.id.cmp(&one.1.id)));
    let looked = Claim::of("{} earlier incidents were compared.", [ground::count(past.len(), Citation::Totals)]);
    let id = Fact::incident(incident.id);
    if alike.is_empty() {
        return Answer::known(Claim::of("Nothing like {} is known from before.", [id]))
            .with([looked])
            .then(&["what should I do next"]);
    }
    let lead = Claim::of("{} earlier incidents are like {}.", [ground::count(alike.len(), Citation::Totals), id]);
    let mut answer = Answer::known(lead);
    for (likeness, other) in alike.iter().take(LINES_MAX) {
        let from = || Citation::Incident(other.id);
        let share = Fact::new(format!("{:.0} %", 100.0 * likeness), from());
        let shared = shared_services(incident, other);
        let mut claim = Claim::of(
            "{} of {}, alike by {}: {}",
            [Fact::new(other.id, from()), ground.at(other.started_at, from()), share, Fact::new(&other.title, from())],
        );
        if !shared.is_empty() {
            let names = shared.into_iter().take(LINES_MAX).map(|name| Fact::new(name, from())).collect();
            claim = claim.and(Claim::of("; both on ", [])).and(listed(names));
        }
        answer.claims.push(claim.and(Claim::of(".", [])));
        if let Some(run) = helped(ground, other) {
            let cited = Citation::Run(run.id, None);
            answer.claims.push(Claim::of("What helped then: {}.", [Fact::new(&run.runbook.title, cited)]));
        }
    }
    answer.with([looked]).then(&["what should I do next"])
}

/// The run that ended an incident.
fn helped<'s>(ground: &Ground<'s>, incident: &Incident) -> Option<&'s Run> {
    let runs = ground.snapshot.runs.iter().filter(|run| run.incident() == Some(incident.id));
    runs.map(Arc::as_ref).find(|run| run.state == RunState::Succeeded && run.has_held != Some(false))
}

fn shared_services<'i>(one: &'i Incident, other: &Incident) -> Vec<&'i ServiceName> {
    one.services.keys().filter(|name| other.services.contains_key(*name)).collect()
}

/// How much two incidents have in common, from 0 to 1: the mean of Jaccard's index over their services, the metrics and
/// templates that departed, and where their causes are.
fn likeness(ground: &Ground<'_>, one: &Incident, other: &Incident) -> f64 {
    let metrics = |incident: &Incident| -> BTreeSet<(ServiceName, Arc<str>)> {
        let of = |anomaly: &Arc<crate::engine::model::Anomaly>| (anomaly.service.clone(), Arc::clone(&anomaly.metric));
        ground.snapshot.anomalies.iter().filter(|anomaly| incident.anomalies.contains(&anomaly.id)).map(of).collect()
    };
    let services = |incident: &Incident| -> BTreeSet<ServiceName> { incident.services.keys().cloned().collect() };
    let mut parts = vec![jaccard(&services(one), &services(other))];
    let (mine, its) = (metrics(one), metrics(other));
    if !mine.is_empty() && !its.is_empty() {
        parts.push(jaccard(&mine, &its));
    }
    if let (Some(cause), Some(its)) = (one.ranking.cause(), other.ranking.cause()) {
        let same = (cause.kind == its.kind, cause.service == its.service);
        parts.push(match same {
            (true, true) => 1.0,
            (true, false) => 0.5,
            (false, true) => 0.4,
            (false, false) => 0.0,
        });
    }
    parts.iter().sum::<f64>() / parts.len() as f64
}

fn jaccard<T: Ord>(one: &BTreeSet<T>, other: &BTreeSet<T>) -> f64 {
    let both = one.intersection(other).count();
    let any = one.len() + other.len() - both;
    if any == 0 { 0.0 } else { both as f64 / any as f64 }
}

/// How long something of an incident took, in milliseconds.
type Lasts = dyn Fn(&Incident) -> Option<i64>;

/// How fast incidents are found and ended.
pub(super) fn figures(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let window = ground.span(slots).ok().flatten();
    let is_wanted = |incident: &&Incident| {
        let within = window.is_none_or(|span| span.from <= incident.opened_at && incident.opened_at <= span.to);
        let severity = slots.severity.as_deref().is_none_or(|severity| incident.severity.to_string() == severity);
        let service = slots.service.iter().all(|name| incident.services.contains_key(&ServiceName::new(name)));
        within && severity && service && incident.merged_into.is_none()
    };
    let found: Vec<&Incident> = ground.snapshot.incidents.iter().map(Arc::as_ref).filter(is_wanted).collect();
    let lead = Claim::of(
        if found.len() == 1 { "{} such incident is known." } else { "{} such incidents are known." },
        [ground::count(found.len(), Citation::Totals)],
    );
    let mut answer = Answer::known(lead).over(window);
    let mean = |of: &Lasts| {
        let all: Vec<i64> = found.iter().filter_map(|incident| of(incident)).collect();
        (!all.is_empty()).then(|| (all.iter().sum::<i64>() / i64::try_from(all.len()).unwrap_or(1), all.len()))
    };
    let measures: [(&'static str, &'static str, &Lasts); 3] = [
        ("From onset to detection (MTTD): {} on the mean of {}.", "No onset is known.", &|incident| {
            Some(incident.opened_at.since_ms(incident.started_at))
        }),
        ("From detection to acknowledgement (MTTA): {} on the mean of {}.", "None was acknowledged.", &|incident| {
            Some(incident.acknowledged_at?.since_ms(incident.opened_at))
        }),
        ("From onset to the end (MTTR): {} on the mean of {}.", "None has ended.", &|incident| {
            Some(incident.resolved_at?.since_ms(incident.started_at))
        }),
    ];
    for (pattern, none, of) in measures {
        answer.claims.push(match mean(of) {
            Some((ms, count)) => Claim::of(
                pattern,
                [Fact::new(human_span(ms), Citation::Totals), ground::count(count, Citation::Totals)],
            ),
            None => Claim::of(none, []),
        });
    }
    answer.missing.push(Claim::of("Incidents that are no longer kept are not counted.", []));
    answer
}

/// Whose it is.
pub(super) fn owner(ground: &Ground<'_>, slots: &Slots) -> Answer {
    if let Some(service) = slots.service.first() {
        let name = || Fact::service(service);
        let mut owners: BTreeMap<&str, Citation> = BTreeMap::new();
        for patch in &ground.snapshot.patches.patches {
            let carries = patch.services.iter().any(|carried| carried == service);
            for asset in patch.assets.iter().filter(|asset| carries && !asset.owner.is_empty()) {
                owners.entry(&asset.owner).or_insert_with(|| Citation::Patch(Arc::clone(&patch.key)));
            }
        }
        if !owners.is_empty() {
            let names = owners.into_iter().take(LINES_MAX).map(|(owner, from)| Fact::new(owner, from)).collect();
            return Answer::known(
                Claim::of("Machines that carry {} belong to ", [name()]).and(listed(names)).and(Claim::of(".", [])),
            );
        }
        return Answer::unknown(Claim::of("I don't know who owns {}: the inventory does not say.", [name()]));
    }
    let Some(incident) = ground.incident(slots) else {
        return Answer::unknown(Claim::of("I don't know: no on-call schedule is kept here.", []));
    };
    let id = Fact::incident(incident.id);
    let mut answer = match &incident.owner {
        Some(owner) => Answer::known(Claim::of(
            "{} is in the hands of {}.",
            [id, Fact::new(owner, Citation::Incident(incident.id))],
        )),
        None => Answer::known(Claim::of("Nobody owns {} yet.", [id])),
    };
    answer.missing.push(Claim::of("Who is on call is not known: no schedule is kept here.", []));
    answer
}
