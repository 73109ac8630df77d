//! A second failure within one incident.

use super::shop::{shop, starved};
use crate::engine::clock::Timestamp;
use crate::engine::model::{ChangeKind, SeriesRole, ServiceName, Severity};
use crate::engine::root_cause::fixtures::{incident, ranked};
use crate::engine::root_cause::{SecondFailure, second_failure};
use crate::engine::settings::CorrelationSettings;
use crate::engine::world::World;
use crate::engine::world::fixtures::{Build, anomaly};

/// Two failures that meet in `web`: payment after its deploy, search's index by itself.
fn two_failures() -> Build {
    shop()
        .change(1, ChangeKind::Deploy, Some("payment"), 993)
        .errors(1, "payment", 1_000)
        .errors(2, "checkout", 1_005)
        .errors(3, "web", 1_010)
        .saturation(4, "index", "disk_used_ratio", 1_000)
        .errors(5, "index", 1_010)
        .latency(6, "search", 1_020)
}

fn second_of(world: &World, opened_ago_s: i64) -> SecondFailure {
    let mut incident = incident(world);
    incident.ranking = ranked(world);
    let now = Timestamp((1_020 + opened_ago_s) * 1_000);
    incident.opened_at = Timestamp(1_015_000);
    second_failure(world, &incident, &CorrelationSettings::default(), now)
}

#[test]
fn a_second_failure_is_found_once_it_has_settled() {
    let world = two_failures().world();
    assert_eq!(second_of(&world, 30), SecondFailure::Unsettled);
    let SecondFailure::Found { services, because } = second_of(&world, 60) else { panic!("not found") };
    assert_eq!(services, ["index", "search"].map(ServiceName::new).into());
    assert!(
        because.contains("disk of index filling up") && because.contains("is not explained by change 1"),
        "{because}"
    );
}

#[test]
fn one_failure_is_not_taken_apart() {
    let deploy = || shop().change(1, ChangeKind::Deploy, Some("payment"), 993).errors(1, "payment", 1_000);
    for (name, build) in [
        ("callers", deploy().errors(2, "checkout", 1_005).errors(3, "web", 1_010)),
        ("what it calls is busier for it", deploy().saturation(2, "payment-db", "db_connections_used_ratio", 1_000)),
        ("what gets less to do", deploy().anomaly(starved(2, "search", 1_000))),
        ("a mild neighbour", {
            let mut mild = anomaly(2, "search", "latency_p95", SeriesRole::Latency, 1_000);
            mild.severity = Severity::Warning;
            deploy().anomaly(mild)
        }),
    ] {
        assert_eq!(second_of(&build.world(), 600), SecondFailure::None, "{name}");
    }
}
