//! How long incidents took, and whose things are.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::ask::answer::{Answer, Citation, Claim, Fact, listed_up_to};
use crate::engine::ask::ground::{self, Ground};
use crate::engine::ask::slots::Slots;
use crate::engine::model::{Incident, ServiceName, human_span};

/// How many are told.
const LINES_MAX: usize = 5;

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
            let names = owners.into_iter().map(|(owner, from)| Fact::new(owner, from)).collect();
            return Answer::known(
                Claim::of("Machines that carry {} belong to ", [name()])
                    .and(listed_up_to(LINES_MAX, names, Citation::Totals))
                    .and(Claim::of(".", [])),
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
