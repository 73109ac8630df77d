//! Alerts that are noise, silences that are in force, and what logs say that is new.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::ask::answer::{Answer, Citation, Claim, Fact};
use crate::engine::ask::ground::{self, Ground};
use crate::engine::ask::slots::Slots;
use crate::engine::model::{Alert, Anomaly};

/// How many are told.
const LINES_MAX: usize = 8;

/// Which rules make most noise.
pub(super) fn noisy(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let mut rules: BTreeMap<&Arc<str>, (u64, usize)> = BTreeMap::new();
    for alert in alerts(ground, slots) {
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
    let mut answer = Answer::known(Claim::of("{} is told most often.", [first])).with(claims);
    for rule in ground.snapshot.suppression_rules.iter().take(LINES_MAX) {
        let cited = || Citation::Alert(Arc::clone(&rule.what));
        answer.claims.push(Claim::of(
            "{} on {} never mattered so far: the rule that hides it is {}.",
            [Fact::new(&rule.what, cited()), Fact::new(&rule.place, cited()), Fact::new(rule.stage.words(), cited())],
        ));
    }
    answer.missing.push(Claim::of("Only alerts that fire or fired lately are counted.", []));
    answer
}

/// Which silences are in force.
pub(super) fn silences(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let muted: Vec<&Alert> =
        alerts(ground, slots).into_iter().filter(|alert| alert.notice.muted_by.is_some()).collect();
    if muted.is_empty() {
        let lead = Claim::of("No alert that is known is muted.", []);
        let mut answer = Answer::known(lead);
        answer.missing.push(Claim::of("A silence that mutes nothing now is seen at its Alertmanager only.", []));
        return answer;
    }
    let lead = Claim::of("{} alerts are muted.", [ground::count(muted.len(), Citation::Totals)]);
    let claims = muted.iter().take(LINES_MAX).map(|alert| {
        let from = || Citation::Alert(Arc::clone(&alert.notice.name));
        let by = alert.notice.muted_by.clone().unwrap_or_default();
        Claim::of("{} is muted by {}.", [Fact::new(&alert.notice.name, from()), Fact::new(by, from())])
    });
    let mut answer = Answer::known(lead).with(claims);
    answer.missing.push(Claim::of("When a silence ends and who made it is told by its Alertmanager.", []));
    answer
}

/// Templates of log lines that are new or unusual; those that hold a text where one is looked for.
pub(super) fn logs(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let window = ground.span(slots).ok().flatten();
    let within = |anomaly: &Anomaly| {
        window.is_none_or(|span| anomaly.started_at <= span.to && anomaly.ended_at.is_none_or(|end| end >= span.from))
    };
    let wanted = slots.text.as_deref().map(str::to_lowercase);
    let of_service = |anomaly: &Anomaly| {
        slots.service.is_empty() || slots.service.iter().any(|name| name.as_ref() == anomaly.service.as_str())
    };
    let found: Vec<(&Anomaly, &Arc<str>)> = ground
        .snapshot
        .anomalies
        .iter()
        .map(Arc::as_ref)
        .filter_map(|anomaly| Some((anomaly, &anomaly.template.as_ref()?.1)))
        .filter(|(anomaly, text)| {
            within(anomaly)
                && of_service(anomaly)
                && wanted.as_ref().is_none_or(|wanted| text.to_lowercase().contains(wanted.as_str()))
        })
        .collect();
    let claims = found.iter().take(LINES_MAX).map(|(anomaly, text)| {
        let from = || Citation::Anomaly(anomaly.id);
        Claim::of(
            "{}, since {}: {}",
            [Fact::new(&anomaly.service, from()), ground.at(anomaly.started_at, from()), Fact::new(text, from())],
        )
    });
    let lead = match (found.len(), &slots.text) {
        (0, Some(text)) => {
            Claim::of("No new or unusual log line says {}.", [Fact::new(format!("`{text}`"), Citation::Question)])
        }
        (0, None) => Claim::of("No new or unusual log line is known.", []),
        (count, _) => {
            Claim::of("{} kinds of new or unusual log lines are known.", [ground::count(count, Citation::Totals)])
        }
    };
    let mut answer = Answer::known(lead).with(claims).over(window);
    answer.missing.push(Claim::of("Lines that are as usual are counted and not kept.", []));
    answer
}

fn alerts<'s>(ground: &Ground<'s>, slots: &Slots) -> Vec<&'s Alert> {
    let is_named = |alert: &&Alert| slots.alert.as_deref().is_none_or(|name| name == alert.notice.name.as_ref());
    let of_service = |alert: &&Alert| {
        slots.service.is_empty()
            || alert
                .notice
                .service
                .as_ref()
                .is_some_and(|name| slots.service.iter().any(|wanted| wanted.as_ref() == name.as_str()))
    };
    ground.snapshot.alerts.iter().map(Arc::as_ref).filter(is_named).filter(of_service).collect()
}
