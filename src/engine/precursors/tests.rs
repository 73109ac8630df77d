//! Made-up months: signs with and without incidents after them.

use std::sync::Arc;

use super::*;
use crate::engine::clock::{DAY_MS, HOUR_MS};
use crate::engine::model::{Anomaly, SeriesRole};
use crate::engine::world::fixtures::{anomaly, incident};

/// A month is watched before anything happens.
const MONTH: i64 = 30 * DAY_MS;

fn sign(service: &str, metric: &str, at: i64) -> Sign {
    Sign::of(&Anomaly { started_at: Timestamp(at), ..anomaly(1, service, metric, SeriesRole::Other, 0) })
}

/// A stage that has watched a quiet month up to an incident on `payment`, which three signs preceded.
fn taught() -> Precursors {
    let mut stage = Precursors::default();
    let world = World::default();
    for hour in 0..MONTH / HOUR_MS {
        stage.look(&world, Timestamp(hour * HOUR_MS));
        // Of every day, so it says little.
        if hour % 24 == 3 {
            stage.note(&sign("backup", "disk_io", hour * HOUR_MS));
        }
    }
    let start = MONTH + 2 * HOUR_MS;
    for (metric, before_min) in [("connections", 80), ("queue", 50), ("retries", 30), ("errors", 5)] {
        stage.note(&sign("payment", metric, start - before_min * MINUTE_MS));
    }
    stage.note(&sign("backup", "disk_io", start - 60 * MINUTE_MS));
    stage.learn(&incident(7, "payment", start));
    stage.look(&world, Timestamp(start + 3 * HOUR_MS));
    stage
}

#[test]
fn signs_that_come_again_name_the_incident_they_came_before() {
    let mut stage = taught();
    let world = World::default();
    let again = 2 * MONTH;
    stage.note(&sign("payment", "connections", again));
    stage.look(&world, Timestamp(again + MINUTE_MS));
    assert!(stage.warnings().is_empty(), "one sign is none");
    stage.note(&sign("payment", "queue", again + 20 * MINUTE_MS));
    stage.note(&sign("payment", "retries", again + 25 * MINUTE_MS));
    assert!(stage.look(&world, Timestamp(again + 30 * MINUTE_MS)));
    let warnings = stage.warnings();
    assert_eq!(warnings.len(), 1);
    let warning = &warnings[0];
    assert_eq!((warning.incident, warning.since), (IncidentId(7), Timestamp(again)));
    assert_eq!((warning.signs.len(), warning.sign_count), (3, 4), "what begins with the incident is no precursor");
    assert_eq!(warning.lead_ms, 80 * MINUTE_MS);
    assert_eq!(&*warning.signs[0], "payment connections above usual");
    // It comes: the warning was right, and the next one says so.
    let start = again + 70 * MINUTE_MS;
    stage.learn(&incident(8, "payment", start));
    assert!(stage.warnings().is_empty());
    for (metric, at) in [("connections", 0), ("queue", 20), ("retries", 25)] {
        stage.note(&sign("payment", metric, again + DAY_MS + at * MINUTE_MS));
    }
    stage.look(&world, Timestamp(again + DAY_MS + 30 * MINUTE_MS));
    let record = stage.warnings().iter().find(|warning| warning.incident == IncidentId(7)).unwrap().record;
    assert_eq!(record, WarningRecord { followed: 1, quiet: 0 });
}

#[test]
fn warnings_in_vain_are_counted_and_end() {
    let mut stage = taught();
    let world = World::default();
    for nth in 0..i64::from(VAIN_MAX) + 1 {
        let again = 2 * MONTH + nth * DAY_MS;
        for metric in ["connections", "queue", "retries"] {
            stage.note(&sign("payment", metric, again));
        }
        stage.look(&world, Timestamp(again + MINUTE_MS));
        assert_eq!(stage.warnings().len(), usize::from(nth < i64::from(VAIN_MAX)), "{nth}");
        stage.look(&world, Timestamp(again + 3 * HOUR_MS));
        assert!(stage.warnings().is_empty());
        stage.look(&world, Timestamp(again + 6 * HOUR_MS));
    }
    assert_eq!(stage.signatures[&IncidentId(7)].record, WarningRecord { followed: 0, quiet: VAIN_MAX });
}

#[test]
fn what_is_seen_every_day_warns_of_nothing() {
    let mut stage = Precursors::default();
    let world = World::default();
    let daily = |stage: &mut Precursors, hour: i64| {
        for metric in ["disk_io", "cpu"] {
            stage.note(&sign("backup", metric, hour * HOUR_MS));
        }
    };
    for hour in 0..MONTH / HOUR_MS {
        if hour % 24 == 3 {
            daily(&mut stage, hour);
        }
        stage.look(&world, Timestamp(hour * HOUR_MS));
    }
    daily(&mut stage, 723);
    stage.learn(&incident(9, "payment", 724 * HOUR_MS));
    for day in 31..60 {
        daily(&mut stage, day * 24 + 3);
        stage.look(&world, Timestamp((day * 24 + 3) * HOUR_MS + MINUTE_MS));
        assert!(stage.warnings().is_empty(), "{day}");
    }
}

#[test]
fn an_incident_that_is_there_already_needs_no_warning() {
    let mut stage = taught();
    let mut world = World::default();
    let again = 2 * MONTH;
    let live = incident(8, "payment", again - MINUTE_MS);
    world.incidents.insert(live.id, Arc::new(live));
    for metric in ["connections", "queue", "retries"] {
        stage.note(&sign("payment", metric, again));
    }
    stage.look(&world, Timestamp(again + MINUTE_MS));
    assert!(stage.warnings().is_empty());
}

#[test]
fn signatures_survive_a_restart() {
    let mut stage = taught();
    let kept = stage.to_keep().unwrap();
    assert!(stage.to_keep().is_none());
    let mut after = Precursors::default();
    after.restore(&kept).unwrap();
    assert_eq!((&after.signatures, &after.background), (&stage.signatures, &stage.background));
    assert!(after.restore("[]").is_err());
}
