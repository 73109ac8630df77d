//! Whatever the world is like: bounds that hold, the same answer twice, and a storm.

use std::sync::Arc;

use proptest::prelude::*;

use crate::engine::model::{AnomalyKind, ChangeKind, EvidenceKind, Hypothesis, SeriesRole, Severity};
use crate::engine::root_cause::fixtures::{incident, ranked};
use crate::engine::root_cause::hypotheses::HYPOTHESES_MAX;
use crate::engine::root_cause::title;
use crate::engine::world::World;
use crate::engine::world::fixtures::{Build, alert_notice, anomaly};

/// Any small world: services with symptoms of any kind, any edges, any changes.
fn worlds() -> impl Strategy<Value = World> {
    let names = ["web", "checkout", "payment", "db", "search", "index"];
    let kinds = [AnomalyKind::Deviation, AnomalyKind::Absence, AnomalyKind::NewTemplate, AnomalyKind::Forecast];
    let roles = [
        SeriesRole::Errors,
        SeriesRole::Latency,
        SeriesRole::Saturation,
        SeriesRole::Traffic,
        SeriesRole::Availability,
        SeriesRole::Other,
    ];
    let metrics = ["error_ratio", "memory_bytes", "db_connections", "queue_depth", "cpu", "query_latency"];
    let changes = [ChangeKind::Deploy, ChangeKind::Network, ChangeKind::Migration, ChangeKind::OwnAct];
    let symptom = (0..6usize, 0..4usize, 0..6usize, 0..6usize, 0..2_000_i64, prop::num::f64::ANY);
    let symptoms = prop::collection::vec(symptom, 0..12);
    let edges = prop::collection::vec((0..6usize, 0..6usize), 0..14);
    let made = prop::collection::vec((0..4usize, prop::option::of(0..6usize), -20_000..2_100_i64), 0..8);
    (symptoms, edges, made).prop_map(move |(symptoms, edges, made)| {
        let mut build = edges.iter().fold(Build::new(), |build, (a, b)| build.calls(names[*a], names[*b]));
        for (nth, (service, kind, role, metric, starts, sigma)) in symptoms.into_iter().enumerate() {
            let id = u64::try_from(nth).unwrap() + 1;
            let mut one = anomaly(id, names[service], metrics[metric], roles[role], starts);
            one.kind = kinds[kind];
            one.peak_sigma = sigma;
            one.peak_value = sigma;
            build = build.anomaly(one);
        }
        for (nth, (kind, service, when)) in made.into_iter().enumerate() {
            let id = u64::try_from(nth).unwrap() + 1;
            build = build.change(id, changes[kind], service.map(|at| names[at]), when);
        }
        build.world()
    })
}

proptest! {
    #[test]
    fn any_world_is_ranked_within_bounds_and_the_same_way_twice(world in worlds()) {
        let incident = incident(&world);
        let ranking = ranked(&world);
        let confidences: Vec<f64> = ranking.hypotheses.iter().map(|one| one.confidence.get()).collect();
        prop_assert!(confidences.iter().all(|one| (0.0..=1.0).contains(one)));
        prop_assert!(confidences.iter().sum::<f64>() <= 1.0 + 1e-9);
        prop_assert!(confidences.windows(2).all(|pair| pair[0] >= pair[1]));
        for one in &ranking.hypotheses {
            prop_assert!(one.evidence_for.iter().all(|piece| piece.weight > 0.0));
            prop_assert!(one.evidence_against.iter().all(|piece| piece.weight < 0.0));
            prop_assert_eq!(one.impact_chain.first(), Some(&one.service));
            prop_assert!(!one.disproved_by.is_empty());
        }
        let kinds = |one: &Hypothesis| one.evidence_for.iter().map(|piece| piece.kind).collect::<std::collections::BTreeSet<EvidenceKind>>();
        for one in ranking.hypotheses.iter().filter(|one| one.confidence.percent() > 60) {
            prop_assert!(kinds(one).len() >= 2);
        }
        let _ = title(&world, &incident, &ranking);
        prop_assert_eq!(ranking, ranked(&world));
    }
}

#[test]
fn a_storm_is_ranked_by_its_services_not_by_its_alerts() {
    let name = |nth: usize| format!("service-{nth}");
    let mut build = (1..23).fold(Build::new(), |build, nth| build.calls(&name(nth / 2), &name(nth)));
    for nth in 0..2_000_usize {
        let starts = 1_000 + i64::try_from(nth % 90).unwrap();
        build = build.alert(&alert_notice(&format!("Alert{nth}"), Some(&name(nth % 23)), Severity::Critical, starts));
    }
    for nth in 0..23_usize {
        let id = u64::try_from(nth).unwrap() + 1;
        build = build.errors(id, &name(nth), 1_000 + 60 - i64::try_from(nth).unwrap());
    }
    let world = Arc::new(build.change(1, ChangeKind::Deploy, Some("service-22"), 1_030).world());
    let ranking = ranked(&world);
    assert!(ranking.hypotheses.len() <= HYPOTHESES_MAX);
    let alerts = ranking.hypotheses.iter().flat_map(|one| &one.evidence_for);
    let alerts = alerts.filter(|piece| piece.kind == EvidenceKind::Alerts).count();
    assert!(alerts <= ranking.hypotheses.len(), "one line for each service");
}
