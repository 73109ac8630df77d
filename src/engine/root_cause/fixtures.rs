//! What tests of root cause share: incidents over worlds written by hand, and templates without a miner.

use std::collections::BTreeMap;

use super::case::{Case, LogTemplate, loudness};
use super::rank;
use crate::engine::clock::Timestamp;
use crate::engine::model::{AnomalyKind, Incident, IncidentSeverity, Ranking, ServiceName};
use crate::engine::settings::CorrelationSettings;
use crate::engine::world::{World, fixtures};

/// An incident whose members are everything in the world.
pub(super) fn incident(world: &World) -> Incident {
    let solid = || world.anomalies.values().filter(|anomaly| anomaly.kind != AnomalyKind::Forecast);
    let mut services: BTreeMap<ServiceName, Timestamp> = BTreeMap::new();
    for anomaly in solid() {
        let onset = services.entry(anomaly.service.clone()).or_insert(anomaly.started_at);
        *onset = (*onset).min(anomaly.started_at);
    }
    let started_at = solid().map(|anomaly| anomaly.started_at).min().unwrap_or_default();
    Incident {
        title: "symptoms".into(),
        severity: IncidentSeverity::Sev3,
        services,
        anomalies: world.anomalies.keys().copied().collect(),
        alerts: world.alerts.keys().copied().collect(),
        changes: world.changes.keys().copied().collect(),
        ..fixtures::incident(1, "any", started_at.0)
    }
}

/// The ranking of that incident.
pub(super) fn ranked(world: &World) -> Ranking {
    rank(world, &incident(world), &CorrelationSettings::default(), Timestamp(10_000_000))
}

/// Gives lines templates as a miner would: words with a digit are values, unless they name a place in the code.
pub(super) fn mine(case: &mut Case) {
    let Case { now, healthy, templates, .. } = case;
    for row in now.logs.iter_mut().chain(&mut healthy.logs) {
        let is_value = |word: &str| word.bytes().any(|byte| byte.is_ascii_digit()) && !word.contains('#');
        let words: Vec<&str> = row.body.split(' ').map(|word| if is_value(word) { "<*>" } else { word }).collect();
        let one = LogTemplate { node: row.node, text: words.join(" "), loudness: loudness(&row.level, &row.body) };
        let at = templates.iter().position(|known| *known == one).unwrap_or_else(|| {
            templates.push(one);
            templates.len() - 1
        });
        row.template = u32::try_from(at).unwrap();
    }
}
