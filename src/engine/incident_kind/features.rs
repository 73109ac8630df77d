//! What an incident looks like, as numbers: which signals departed and how, what logs say, where in the topology, what was
//! changed before.

use std::collections::BTreeSet;

use crate::engine::clock::{HOUR_MS, MINUTE_MS};
use crate::engine::model::{Anomaly, AnomalyKind, ChangeKind, Direction, Incident, SeriesRole, ServiceName, Unit};
use crate::engine::world::World;

/// Words of metrics and log lines that tell one kind of failure from another; each is a feature.
const WORDS: [(&str, &[&str]); 13] = [
    ("memory", &["memory", "heap", "oom", "rss"]),
    ("processor", &["cpu", "load1", "throttl", "steal"]),
    ("disk", &["disk", "filesystem", "no space", "enospc", "inode", "iops"]),
    ("connections", &["connection", "conns", "pool", "too many clients", "slots"]),
    ("refused", &["refused", "unreachable", "no route", "reset by peer", "dial"]),
    ("timeout", &["timeout", "timed out", "deadline"]),
    ("query", &["query", "queries", "lock", "scan", "rows", "transaction"]),
    ("queue", &["queue", "backlog", "lag", "consumer", "depth"]),
    ("access", &["permission", "denied", "unauthor", "forbidden", "certificate", "credential", "token"]),
    ("missing", &["not found", "nosuch", "null", "undefined", "none", "missing"]),
    ("restart", &["restart", "crash", "killed", "exited", "panic", "segfault"]),
    ("network", &["packet", "retrans", "drop", "dns", "resolve", "tls"]),
    ("garbage", &["gc_", "garbage", "collection pause"]),
];

/// The other features, in their order after the words.
const FACTS: [&str; 18] = [
    "errors at the first service",
    "slowness at the first service",
    "saturation at the first service",
    "the first service is gone",
    "errors anywhere",
    "slowness anywhere",
    "saturation anywhere",
    "more traffic",
    "less traffic",
    "new log lines",
    "a forecast before",
    "services hit",
    "the first service calls others that are hit",
    "minutes from first to last onset",
    "a deploy within the hour before",
    "a configuration or flag within the hour before",
    "a network change within the hour before",
    "a migration or scaling within the hour before",
];

/// Number of features.
pub(super) const COUNT: usize = WORDS.len() + FACTS.len();

/// What a feature is called on the screen.
pub(super) fn name(feature: usize) -> String {
    match WORDS.get(feature) {
        Some((word, _)) => format!("talk of {word}"),
        None => FACTS.get(feature - WORDS.len().min(feature)).copied().unwrap_or("unknown").to_owned(),
    }
}

/// The features of an incident as it stands.
pub(super) fn of(world: &World, incident: &Incident) -> Vec<f32> {
    let members: Vec<&Anomaly> =
        incident.anomalies.iter().filter_map(|id| world.anomalies.get(id)).map(AsRef::as_ref).collect();
    let first = first_service(incident, &members);
    let mut row = words(world, incident, &members);
    row.extend(facts(world, incident, &members, first));
    row
}

/// Where it was seen first.
fn first_service<'a>(incident: &'a Incident, members: &[&'a Anomaly]) -> Option<&'a ServiceName> {
    let earliest = members.iter().filter(|anomaly| anomaly.is_harmful).min_by_key(|anomaly| anomaly.started_at);
    let by_onset = || incident.services.iter().min_by_key(|(_, onset)| **onset).map(|(service, _)| service);
    earliest.map(|anomaly| &anomaly.service).or_else(by_onset)
}

/// Share of the texts (metrics, log templates, alerts) in which each family of words is found.
fn words(world: &World, incident: &Incident, members: &[&Anomaly]) -> Vec<f32> {
    let mut texts: BTreeSet<String> = BTreeSet::new();
    for anomaly in members {
        texts.insert(anomaly.template.as_ref().map_or(&anomaly.metric, |(_, text)| text).to_lowercase());
    }
    for alert in incident.alerts.iter().filter_map(|id| world.alerts.get(id)) {
        texts.insert(format!("{} {}", alert.notice.name, alert.notice.summary).to_lowercase());
    }
    let share = |family: &[&str]| {
        let found = texts.iter().filter(|text| family.iter().any(|word| text.contains(word))).count();
        found as f32 / texts.len().max(1) as f32
    };
    WORDS.iter().map(|(_, family)| share(family)).collect()
}

fn facts(world: &World, incident: &Incident, members: &[&Anomaly], first: Option<&ServiceName>) -> Vec<f32> {
    let yes = |is_so: bool| f32::from(u8::from(is_so));
    let any = |test: &dyn Fn(&Anomaly) -> bool| yes(members.iter().any(|anomaly| test(anomaly)));
    let at_first = |test: &dyn Fn(&Anomaly) -> bool| any(&|anomaly| Some(&anomaly.service) == first && test(anomaly));
    let is_gone = |anomaly: &Anomaly| {
        anomaly.kind == AnomalyKind::Absence
            || (anomaly.role == SeriesRole::Availability && anomaly.direction == Direction::Below)
            || (anomaly.unit == Unit::Boolean && anomaly.value < 0.5)
    };
    let role = |role: SeriesRole| move |anomaly: &Anomaly| anomaly.is_harmful && anomaly.role == role;
    let traffic =
        |side: Direction| move |anomaly: &Anomaly| anomaly.role == SeriesRole::Traffic && anomaly.direction == side;
    let is_log = |anomaly: &Anomaly| matches!(anomaly.kind, AnomalyKind::NewTemplate | AnomalyKind::TemplateRate);
    let is_forecast = |anomaly: &Anomaly| anomaly.kind == AnomalyKind::Forecast;
    let calls_hit = first.is_some_and(|service| {
        world.topology.callees(service).any(|(callee, _)| incident.services.contains_key(callee))
    });
    let onsets = || incident.services.values();
    let spread_ms = match (onsets().min(), onsets().max()) {
        (Some(from), Some(to)) => to.since_ms(*from),
        _ => 0,
    };
    let changed = |kinds: &[ChangeKind]| {
        yes(incident.changes.iter().filter_map(|id| world.changes.get(id)).any(|change| {
            let before_ms = incident.started_at.since_ms(change.notice.at);
            kinds.contains(&change.notice.kind) && (-2 * MINUTE_MS..=HOUR_MS).contains(&before_ms)
        }))
    };
    vec![
        at_first(&role(SeriesRole::Errors)),
        at_first(&role(SeriesRole::Latency)),
        at_first(&role(SeriesRole::Saturation)),
        at_first(&is_gone),
        any(&role(SeriesRole::Errors)),
        any(&role(SeriesRole::Latency)),
        any(&role(SeriesRole::Saturation)),
        any(&traffic(Direction::Above)),
        any(&traffic(Direction::Below)),
        any(&is_log),
        any(&is_forecast),
        (incident.services.len() as f32).ln_1p(),
        yes(calls_hit),
        (spread_ms as f32 / MINUTE_MS as f32).max(0.0).ln_1p(),
        changed(&[ChangeKind::Deploy, ChangeKind::Release]),
        changed(&[ChangeKind::Config, ChangeKind::Flag]),
        changed(&[ChangeKind::Network]),
        changed(&[ChangeKind::Migration, ChangeKind::Scale]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_has_a_name_of_its_own() {
        let names: BTreeSet<String> = (0..COUNT).map(name).collect();
        assert_eq!(names.len(), COUNT);
        assert!(!names.contains("unknown"));
        assert_eq!(name(COUNT), "unknown");
    }
}
