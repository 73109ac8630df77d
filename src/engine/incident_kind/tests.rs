//! Made-up histories: kinds that look different are learnt, and nothing is claimed too soon.

use super::*;
use crate::engine::model::ChangeKind;
use crate::engine::world::fixtures::{Build, incident};

/// Incidents of two kinds, as they look: a deploy and new log lines, or memory that runs full.
fn example(nth: u64) -> (World, Incident, CauseKind) {
    let kind = if nth.is_multiple_of(2) { CauseKind::BadDeploy } else { CauseKind::MemoryLeak };
    let starts = 7_200;
    let mut build = Build::new().chain("web > payment");
    if kind == CauseKind::BadDeploy {
        build = build.change(1, ChangeKind::Deploy, Some("payment"), starts - 60);
        build = build.errors(1, "payment", starts).logs(2, "payment", "unexpected field", starts);
    } else {
        build = build.saturation(1, "payment", "memory_used", starts).latency(2, "payment", starts + 30);
    }
    // Each third one also harms its caller, which says nothing about the kind.
    if nth.is_multiple_of(3) {
        build = build.latency(3, "web", starts + 60);
    }
    let world = build.world();
    let mut it = incident(nth, "payment", starts * 1_000);
    it.anomalies = world.anomalies.keys().copied().collect();
    it.changes = world.changes.keys().copied().collect();
    (world, it, kind)
}

fn taught(count: u64) -> IncidentKinds {
    let mut kinds = IncidentKinds::default();
    for nth in 0..count {
        let (world, incident, kind) = example(nth);
        kinds.learn(&world, &incident, kind);
    }
    kinds
}

#[test]
fn kinds_that_look_different_are_told_apart_with_the_reason() {
    let kinds = taught(20);
    for nth in 100..110 {
        let (world, incident, kind) = example(nth);
        let guess = kinds.guess(&world, &incident).unwrap();
        assert_eq!(guess.kind, kind, "{guess}");
        assert!(guess.chance > 0.8, "{guess}");
        assert_eq!((guess.learnt_from, guess.of_kind, guess.right, guess.tried), (20, 10, 20, 20));
        assert!(!guess.because.is_empty());
    }
}

#[test]
fn too_little_history_is_no_guess() {
    let (world, incident, _) = example(1);
    assert_eq!(taught(INCIDENTS_MIN as u64 - 1).guess(&world, &incident), None);
    assert!(taught(INCIDENTS_MIN as u64).guess(&world, &incident).is_some());
    let mut one_kind = IncidentKinds::default();
    for nth in (0..60).step_by(2) {
        let (world, incident, kind) = example(nth);
        one_kind.learn(&world, &incident, kind);
    }
    assert_eq!(one_kind.guess(&world, &incident), None, "a single kind is no choice");
}

#[test]
fn labels_that_say_nothing_are_seen_to_be_wrong() {
    let mut kinds = IncidentKinds::default();
    for nth in 0..40 {
        let (world, incident, _) = example(nth);
        let kind = if nth / 2 % 2 == 0 { CauseKind::BadDeploy } else { CauseKind::DiskFull };
        kinds.learn(&world, &incident, kind);
    }
    let (world, incident, _) = example(1);
    let guess = kinds.guess(&world, &incident).unwrap();
    assert!(guess.right * 4 < guess.tried * 3, "{guess}");
}

#[test]
fn what_was_learnt_survives_a_restart_and_a_change_of_mind() {
    let mut kinds = taught(20);
    let kept = kinds.to_keep().unwrap();
    assert!(kinds.to_keep().is_none());
    let mut after = IncidentKinds::default();
    after.restore(&kept).unwrap();
    let (world, incident, _) = example(33);
    assert_eq!(after.guess(&world, &incident), kinds.guess(&world, &incident));
    after.unlearn(IncidentId(3));
    assert_eq!(after.guess(&world, &incident).unwrap().learnt_from, 19);
    assert!(after.restore("7").is_err());
    after.restore("{\"1\":{\"kind\":\"disk_full\",\"features\":[1.0]}}").unwrap();
    assert!(after.confirmed.is_empty(), "other features");
}
