//! What alerts say: why they fire, which are noise, which are set aside, which are muted.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::ask::answer::{Answer, Citation, Claim, Fact};
use crate::engine::ask::ground::{self, Ground};
use crate::engine::ask::slots::Slots;
use crate::engine::model::{Alert, AlertState, Anomaly, ServiceName, human_count};

/// How many are told.
const LINES_MAX: usize = 8;

/// Why an alert fires.
pub(super) fn explain(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let found = ground.alerts(slots);
    if found.is_empty() {
        return Answer::known(Claim::of("No such alert fires, and none has lately.", [])).then(&["what is broken now"]);
    }
    let mut rules: BTreeMap<&str, Vec<&Alert>> = BTreeMap::new();
    for alert in &found {
        rules.entry(alert.notice.name.as_ref()).or_default().push(alert);
    }
    let firing = found.iter().filter(|alert| alert.notice.state == AlertState::Firing).count();
    let lead = Claim::of(
        "{} alerts of {} rules are known, {} of them fire.",
        [
            ground::count(found.len(), Citation::Totals),
            ground::count(rules.len(), Citation::Totals),
            ground::count(firing, Citation::Totals),
        ],
    );
    let claims = rules.iter().map(|(name, alerts)| {
        let cited = || Citation::Alert(Arc::from(*name));
        let summary = alerts.first().map(|alert| Arc::clone(&alert.notice.summary)).unwrap_or_default();
        let since = alerts.iter().map(|alert| alert.notice.starts_at).min().unwrap_or(ground.now());
        let places: BTreeSet<&ServiceName> = alerts.iter().filter_map(|alert| alert.notice.service.as_ref()).collect();
        let claim = Claim::of(
            "{}: {} alerts on {} services, since {}; one says: {}",
            [
                Fact::new(name, cited()),
                ground::count(alerts.len(), cited()),
                ground::count(places.len(), cited()),
                ground.at(since, cited()),
                Fact::new(summary, cited()),
            ],
        );
        match alerts.iter().find_map(|alert| alert.incident) {
            Some(incident) => {
                claim.and(Claim::of(", as part of {}.", [Fact::new(incident, Citation::Incident(incident))]))
            }
            None => claim.and(Claim::of(".", [])),
        }
    });
    Answer::known(lead)
        .with_first(LINES_MAX, claims, Citation::Totals)
        .then(&["what is the root cause", "which alerts were suppressed"])
}

/// What was set aside, and why.
pub(super) fn suppressed(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let mut reasons: BTreeMap<String, (usize, Citation)> = BTreeMap::new();
    for alert in ground.alerts(slots) {
        if let Some(reason) = &alert.suppressed {
            reasons.entry(reason.to_string()).or_insert((0, Citation::Alert(Arc::clone(&alert.notice.name)))).0 += 1;
        }
    }
    let of_service = |anomaly: &&Arc<Anomaly>| slots.is_about(Some(anomaly.service.as_str()));
    for anomaly in ground.snapshot.anomalies.iter().filter(of_service) {
        if let Some(reason) = &anomaly.suppressed {
            reasons.entry(reason.to_string()).or_insert((0, Citation::Anomaly(anomaly.id))).0 += 1;
        }
    }
    let folded = Fact::new(human_count(ground.snapshot.counts.folded_count), Citation::Totals);
    let folded = Claim::of("{} alerts, anomalies and repeats are folded into live incidents.", [folded]);
    if reasons.is_empty() {
        return Answer::known(Claim::of("Nothing of that is suppressed now.", [])).with([folded]);
    }
    let count = reasons.values().map(|(count, _)| count).sum();
    let lead = Claim::of("{} alerts and anomalies are suppressed.", [ground::count(count, Citation::Totals)]);
    let claims = reasons.into_iter().map(|(reason, (count, from))| {
        Claim::of("{}: {}.", [ground::count(count, from.clone()), Fact::new(reason, from)])
    });
    Answer::known(lead).with_first(LINES_MAX, claims, Citation::Totals).with([folded])
}

/// Which rules make most noise.
pub(super) fn noisy(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let mut rules: BTreeMap<&Arc<str>, (u64, usize)> = BTreeMap::new();
    for alert in ground.alerts(slots) {
        let rule = rules.entry(&alert.notice.name).or_default();
        rule.0 += alert.repeat_count;
        rule.1 += 1;
    }
    if rules.is_empty() {
        return Answer::known(Claim::of("No such alert is known, so none is noise.", []));
    }
    let mut ranked: Vec<(&Arc<str>, (u64, usize))> = rules.into_iter().collect();
    ranked.sort_by_key(|(name, (repeats, alerts))| (Reverse(*repeats), Reverse(*alerts), Arc::clone(name)));
    let from = |name: &Arc<str>| Citation::Alert(Arc::clone(name));
    let count = slots.count.and_then(|count| usize::try_from(count).ok()).unwrap_or(LINES_MAX).max(1);
    let first = ranked.first().map_or_else(|| Fact::new("", Citation::Totals), |(name, _)| Fact::new(name, from(name)));
    let claims = ranked.iter().take(count).map(|(name, (repeats, alerts))| {
        Claim::of(
            "{}: {} alerts, told {} times.",
            [Fact::new(name, from(name)), ground::count(*alerts, from(name)), Fact::new(repeats, from(name))],
        )
    });
    let rules = ground.snapshot.suppression_rules.iter().map(|rule| {
        let cited = || Citation::Alert(Arc::clone(&rule.what));
        Claim::of(
            "{} on {} never mattered so far: the rule that hides it is {}.",
            [Fact::new(&rule.what, cited()), Fact::new(&rule.place, cited()), Fact::new(rule.stage.words(), cited())],
        )
    });
    let mut answer = Answer::known(Claim::of("{} is told most often.", [first]))
        .with_first(ground::ASKED_MAX, claims, Citation::Totals)
        .with_first(LINES_MAX, rules, Citation::Totals);
    answer.missing.push(Claim::of("Only alerts that fire or fired lately are counted.", []));
    answer
}

/// Which silences are in force.
pub(super) fn silences(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let muted: Vec<&Alert> = ground.alerts(slots).into_iter().filter(|alert| alert.notice.muted_by.is_some()).collect();
    if muted.is_empty() {
        let lead = Claim::of("No alert that is known is muted.", []);
        let mut answer = Answer::known(lead);
        answer.missing.push(Claim::of("A silence that mutes nothing now is seen at its Alertmanager only.", []));
        return answer;
    }
    let lead = Claim::of("{} alerts are muted.", [ground::count(muted.len(), Citation::Totals)]);
    let claims = muted.iter().map(|alert| {
        let from = || Citation::Alert(Arc::clone(&alert.notice.name));
        let by = alert.notice.muted_by.clone().unwrap_or_default();
        Claim::of("{} is muted by {}.", [Fact::new(&alert.notice.name, from()), Fact::new(by, from())])
    });
    let mut answer = Answer::known(lead).with_first(LINES_MAX, claims, Citation::Totals);
    answer.missing.push(Claim::of("When a silence ends and who made it is told by its Alertmanager.", []));
    answer
}
