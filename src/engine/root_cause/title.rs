//! Words: what a hypothesis is called, what would disprove it, and the incident's one line.

use std::collections::BTreeSet;

use super::picture::Picture;
use super::picture::causes::Cause;
use crate::engine::model::{
    Anomaly, AnomalyKind, CauseKind, Change, ChangeKind, Direction, Hypothesis, Incident, Ranking, SeriesRole,
    ServiceName, human_span,
};
use crate::engine::world::World;

/// The change's own title, with the word for what was changed where the title does not say it.
pub(super) fn named(change: &Change) -> String {
    let title = &change.notice.title;
    let (word, said): (&str, &[&str]) = match change.notice.kind {
        ChangeKind::Deploy => ("deploy", &["deploy", "roll", "release"]),
        ChangeKind::Config => ("config change", &["config", "setting"]),
        ChangeKind::Flag => ("flag", &["flag", "toggle"]),
        ChangeKind::Migration => ("migration", &["migrat", "schema", "index"]),
        ChangeKind::Scale => ("scaling", &["scal", "replica"]),
        ChangeKind::Network => ("network change", &["network", "firewall", "policy", "route", "dns"]),
        ChangeKind::Release => ("release", &["release"]),
        ChangeKind::OwnAct => return title.to_string(),
        ChangeKind::Other => ("change", &["change"]),
    };
    let lower = title.to_lowercase();
    if lower.contains("change") || said.iter().any(|said| lower.contains(said)) {
        title.to_string()
    } else {
        format!("{word} {title}")
    }
}

/// `deploy abc123 to payment`, `connections of orders-db exhausted`.
pub(super) fn hypothesis(picture: &Picture<'_>, cause: &Cause<'_>) -> String {
    let own = cause.kind.at(&picture.service(cause.resource_of().unwrap_or(cause.node)));
    match (cause.change, cause.resource) {
        (Some(change), Some(_)) => format!("{own} after {}", named(change)),
        (Some(change), None) => named(change),
        (None, _) => own,
    }
}

/// The beginning of a departure as a clause: `payment error_ratio rose`, `cache went down`.
pub(super) fn began(anomaly: &Anomaly) -> String {
    let what = format!("{} {}", anomaly.service, anomaly.metric);
    match (anomaly.kind, anomaly.role, anomaly.direction) {
        (AnomalyKind::Absence, _, _) => format!("{what} stopped coming in"),
        (AnomalyKind::Forecast, _, _) => format!("{what} began to run towards its limit"),
        (AnomalyKind::Relation, _, _) => format!("{what} began to contradict the other metrics"),
        (_, SeriesRole::Availability, _) => format!("{} went down", anomaly.service),
        (_, _, Direction::Above) => format!("{what} rose"),
        (_, _, Direction::Below) => format!("{what} fell"),
    }
}

/// What would prove the hypothesis wrong.
pub(super) fn disproof(picture: &Picture<'_>, cause: &Cause<'_>) -> String {
    let service = picture.name(cause.node);
    match (cause.change, cause.kind) {
        (Some(change), _) => format!("the symptoms stay after this is undone: {}", named(change)),
        (None, CauseKind::ConnectionsExhausted) => "the symptoms stay while connections are free".to_owned(),
        (None, CauseKind::MemoryLeak) => format!("the symptoms stay after {service} has started afresh"),
        (None, CauseKind::DiskFull) => "the symptoms stay after space was freed".to_owned(),
        (None, CauseKind::CpuSaturation | CauseKind::Overload) => {
            format!("the symptoms stay while {service} has capacity to spare")
        }
        (None, CauseKind::Unavailable) => format!("{service} answers a direct request while its callers fail"),
        (None, CauseKind::SlowQuery) => "the queries are as fast as before while callers wait".to_owned(),
        (None, CauseKind::QueueBacklog) => "the symptoms stay after the queue was worked off".to_owned(),
        (None, _) => format!("something that {service} depends on turns out to have failed before it"),
    }
}

/// The incident's one line: what fails and, where it is known, why.
#[must_use]
pub fn title(world: &World, incident: &Incident, ranking: &Ranking) -> String {
    match ranking.cause() {
        Some(cause) => explained(world, incident, cause),
        None => unexplained(world, incident),
    }
}

fn explained(world: &World, incident: &Incident, cause: &Hypothesis) -> String {
    let others: BTreeSet<&ServiceName> =
        incident.services.keys().filter(|service| **service != cause.service).collect();
    let what = match (cause.kind, cause.change) {
        (CauseKind::NetworkPolicy, _) => cut_off(world, incident, cause),
        (CauseKind::BadDeploy | CauseKind::BadConfig, Some(change)) => {
            let symptom = first_symptom(world, incident, &cause.service);
            let since = world
                .changes
                .get(&change)
                .map(|change| symptom.map_or(0, |anomaly| anomaly.started_at.since_ms(change.notice.at)).max(0));
            match (symptom, since) {
                (Some(anomaly), Some(ms)) => {
                    let verb = match anomaly.direction {
                        Direction::Above => "rose",
                        Direction::Below => "fell",
                    };
                    format!("{} {} {verb} {} after {}", cause.service, anomaly.metric, human_span(ms), cause.title)
                }
                _ => cause.title.to_string(),
            }
        }
        _ => cause.title.to_string(),
    };
    with_others(what, others.len())
}

/// Who cannot reach whom: the service itself where its own attempts to connect fail, else whoever calls it.
fn cut_off(world: &World, incident: &Incident, cause: &Hypothesis) -> String {
    let service = &cause.service;
    let members =
        || incident.anomalies.iter().filter_map(|id| world.anomalies.get(id)).filter(|anomaly| anomaly.is_harmful);
    let cannot_connect = members().any(|anomaly| {
        anomaly.service == *service && anomaly.role == SeriesRole::Errors && anomaly.metric.contains("connect")
    });
    if !cannot_connect {
        return cause
            .impact_chain
            .get(1)
            .map_or_else(|| format!("{service} is cut off"), |caller| format!("{caller} cannot reach {service}"));
    }
    let lost = |callee: &ServiceName| {
        let of_callee = members().filter(|anomaly| anomaly.service == *callee && anomaly.role == SeriesRole::Traffic);
        of_callee
            .filter(|anomaly| anomaly.direction == Direction::Below)
            .map(|anomaly| anomaly.peak_sigma)
            .fold(0.0, f64::max)
    };
    let callees = world.topology.callees(service).map(|(callee, _)| callee);
    match callees.max_by(|one, other| lost(one).total_cmp(&lost(other)).then(other.cmp(one))) {
        Some(callee) => format!("{service} cannot reach {callee}"),
        None => format!("{service} cannot reach what it calls"),
    }
}

fn unexplained(world: &World, incident: &Incident) -> String {
    let members = incident.anomalies.iter().filter_map(|id| world.anomalies.get(id));
    let worst = members.filter(|anomaly| anomaly.is_harmful).max_by_key(|anomaly| {
        (anomaly.kind != AnomalyKind::Forecast, anomaly.severity, std::cmp::Reverse((anomaly.started_at, anomaly.id)))
    });
    match worst {
        Some(anomaly) => with_others(anomaly.departure(), incident.services.len().saturating_sub(1)),
        None => incident.title.to_string(),
    }
}

fn first_symptom<'a>(world: &'a World, incident: &Incident, service: &ServiceName) -> Option<&'a Anomaly> {
    let members = incident.anomalies.iter().filter_map(|id| world.anomalies.get(id)).map(AsRef::as_ref);
    members
        .filter(|anomaly| anomaly.service == *service && anomaly.is_harmful && anomaly.template.is_none())
        .min_by_key(|anomaly| (anomaly.started_at, anomaly.id))
}

fn with_others(what: String, count: usize) -> String {
    match count {
        0 => what,
        1 => format!("{what}; 1 more service affected"),
        _ => format!("{what}; {count} more services affected"),
    }
}
