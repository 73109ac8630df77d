//! A scenario for each kind of failure: the way of looking that must win there does.

use super::shop::{Expected, check, shop, starved};
use crate::engine::clock::Timestamp;
use crate::engine::model::{
    AnomalyKind, CauseKind, ChangeKind, Direction, Forecast, Ranking, SeriesRole, ServiceName, Severity,
};
use crate::engine::root_cause::fixtures::{incident, ranked};
use crate::engine::root_cause::title;
use crate::engine::world::fixtures::{Build, alert_notice, anomaly};

#[test]
fn a_bad_deploy_among_decoys() {
    let build = shop()
        .change(1, ChangeKind::Deploy, Some("payment"), 993)
        .change(2, ChangeKind::Deploy, Some("web"), 950)
        .change(3, ChangeKind::Deploy, Some("search"), 990)
        .change(4, ChangeKind::Config, Some("user"), 400)
        .change(5, ChangeKind::Deploy, Some("payment"), -9_000)
        .change(6, ChangeKind::Flag, Some("checkout"), 1_030)
        .errors(1, "payment", 1_000)
        .latency(2, "payment", 1_000)
        .errors(3, "checkout", 1_030)
        .errors(4, "web", 1_045);
    let expected = Expected { kind: CauseKind::BadDeploy, service: "payment", change: Some(1), percent_min: 85 };
    let cause = check("bad deploy", build, &expected);
    let said: Vec<&str> = cause.evidence_for.iter().map(|piece| piece.text.as_ref()).collect();
    assert!(said.contains(&"payment error_ratio rose 7 s after change 1 to payment"), "{said:?}");
    assert_eq!(cause.impact_chain, ["payment", "checkout", "web"].map(ServiceName::new));
    assert_eq!(cause.buckets.first_failure, ["checkout", "web"].map(ServiceName::new));
    assert!(cause.disproved_by.contains("this is undone: change 1"));
}

#[test]
fn a_firewall_rule_that_cuts_a_silent_service_off() {
    let build = shop()
        .change(1, ChangeKind::Network, Some("auth"), 993)
        .change(2, ChangeKind::Deploy, Some("search"), 980)
        .anomaly(anomaly(1, "user", "auth_connect_errors", SeriesRole::Errors, 1_000))
        .logs(2, "user", "dial tcp auth:8080: connection refused", 1_000)
        .errors(3, "checkout", 1_020)
        .errors(4, "web", 1_030);
    let expected = Expected { kind: CauseKind::NetworkPolicy, service: "auth", change: Some(1), percent_min: 85 };
    let cause = check("firewall", build, &expected);
    assert_eq!(cause.impact_chain, ["auth", "user", "checkout", "web"].map(ServiceName::new));
    assert_eq!(cause.buckets.first_failure, [ServiceName::new("user")]);
    assert_eq!(cause.buckets.impact, ["checkout", "web"].map(ServiceName::new));
}

#[test]
fn a_firewall_rule_between_a_service_and_its_database() {
    let build = shop()
        .change(1, ChangeKind::Network, Some("auth"), 993)
        .anomaly(anomaly(1, "auth", "db_connect_errors", SeriesRole::Errors, 1_000))
        .errors(3, "user", 1_010)
        .errors(4, "checkout", 1_020);
    let expected = Expected { kind: CauseKind::NetworkPolicy, service: "auth", change: Some(1), percent_min: 85 };
    check("firewall on the database", build, &expected);
}

#[test]
fn connections_used_up_after_a_deploy() {
    let full = |build: Build| {
        build
            .saturation(1, "payment-db", "db_connections_used_ratio", 1_000)
            .logs(2, "payment", "remaining connection slots are reserved, pool timeout", 1_060)
            .errors(3, "payment", 1_060)
            .latency(4, "checkout", 1_075)
    };
    let leak = Expected { kind: CauseKind::ConnectionsExhausted, service: "payment", change: Some(1), percent_min: 70 };
    check("leaked by a deploy", full(shop().change(1, ChangeKind::Deploy, Some("payment"), 640)), &leak);
    let alone =
        Expected { kind: CauseKind::ConnectionsExhausted, service: "payment-db", change: None, percent_min: 70 };
    check("by itself", full(shop()), &alone);
}

#[test]
fn a_memory_leak_that_was_foreseen() {
    let mut foreseen = anomaly(9, "session", "memory_working_set_bytes", SeriesRole::Saturation, -80_000);
    foreseen.kind = AnomalyKind::Forecast;
    foreseen.severity = Severity::Warning;
    foreseen.forecast = Some(Forecast { limit: 1.0, reached_at: Timestamp(2_000_000), margin_ms: 60_000 });
    let build = Build::new()
        .chain("web > session")
        .anomaly(foreseen)
        .saturation(1, "session", "memory_ratio", 900)
        .logs(2, "session", "worker killed: out of memory", 1_000)
        .errors(3, "session", 1_000)
        .errors(4, "web", 1_015);
    let expected = Expected { kind: CauseKind::MemoryLeak, service: "session", change: None, percent_min: 85 };
    let cause = check("memory leak", build, &expected);
    assert!(cause.evidence_for.iter().any(|piece| piece.text.contains("on its way to its limit")));
}

#[test]
fn slow_queries_in_a_database() {
    let build = shop()
        .anomaly(anomaly(1, "payment-db", "query_latency_p95", SeriesRole::Latency, 1_000))
        .logs(2, "payment-db", "slow query: select * from orders", 1_000)
        .latency(3, "payment", 1_005)
        .latency(4, "checkout", 1_020)
        .change(1, ChangeKind::Deploy, Some("web"), 200);
    let expected = Expected { kind: CauseKind::SlowQuery, service: "payment-db", change: None, percent_min: 85 };
    check("slow queries", build, &expected);
}

#[test]
fn a_full_disk_on_a_lone_machine() {
    let build = Build::new().saturation(1, "host", "filesystem_used_ratio", 1_000).logs(
        2,
        "host",
        "write failed: No space left on device",
        1_100,
    );
    let expected = Expected { kind: CauseKind::DiskFull, service: "host", change: None, percent_min: 60 };
    check("disk", build, &expected);
}

#[test]
fn a_service_that_does_not_answer() {
    let mut gone = anomaly(1, "payment", "up", SeriesRole::Availability, 1_000);
    gone.direction = Direction::Below;
    gone.peak_value = 0.0;
    let build = shop().anomaly(gone).errors(2, "checkout", 1_010).errors(3, "web", 1_020);
    let expected = Expected { kind: CauseKind::Unavailable, service: "payment", change: None, percent_min: 85 };
    check("gone", build, &expected);
}

#[test]
fn connections_that_are_busier_and_free_are_a_symptom_of_slow_queries() {
    let mut busier = anomaly(2, "payment-db", "db_connections_used_ratio", SeriesRole::Saturation, 1_000);
    busier.peak_value = 0.26;
    let build = shop()
        .anomaly(anomaly(1, "payment-db", "query_p95", SeriesRole::Latency, 1_000))
        .anomaly(busier)
        .latency(3, "payment", 1_000)
        .latency(4, "checkout", 1_005);
    let expected = Expected { kind: CauseKind::SlowQuery, service: "payment-db", change: None, percent_min: 60 };
    check("slow queries hold connections", build, &expected);
}

#[test]
fn of_several_resources_the_first_is_the_cause() {
    let build = shop()
        .saturation(1, "index", "queue_depth", 1_000)
        .saturation(2, "index", "memory_used_ratio", 1_120)
        .saturation(3, "index", "cpu_used_ratio", 1_120)
        .latency(4, "index", 1_120)
        .latency(5, "search", 1_125);
    let expected = Expected { kind: CauseKind::QueueBacklog, service: "index", change: None, percent_min: 50 };
    check("a backlog worked off in haste", build, &expected);
}

#[test]
fn what_is_no_longer_measured_is_no_resource_that_ran_out() {
    let gone = |id, metric, role| {
        let mut gone = anomaly(id, "payment", metric, role, 1_000);
        (gone.kind, gone.direction) = (AnomalyKind::Absence, Direction::Below);
        gone
    };
    let build = shop()
        .anomaly(gone(1, "memory_used_ratio", SeriesRole::Saturation))
        .anomaly(gone(2, "cpu_used_ratio", SeriesRole::Saturation))
        .anomaly(gone(3, "requests", SeriesRole::Traffic))
        .errors(4, "checkout", 1_000)
        .errors(5, "web", 1_005);
    let expected = Expected { kind: CauseKind::Unavailable, service: "payment", change: None, percent_min: 60 };
    check("gone with all its figures", build, &expected);
}

#[test]
fn services_that_are_asked_less_do_not_count_against_the_cause() {
    let starved = |id, service| {
        let mut less = anomaly(id, service, "requests", SeriesRole::Traffic, 1_000);
        less.direction = Direction::Below;
        less
    };
    let hit = || shop().errors(1, "user", 1_000).errors(2, "checkout", 1_005).errors(3, "web", 1_010);
    let calm = ranked(&hit().world());
    let names = ["payment", "payment-db", "search", "index", "auth", "auth-db"];
    let mut build = hit();
    for (id, service) in (4..).zip(names) {
        build = build.anomaly(starved(id, service)).alert(&alert_notice(
            "TrafficLost",
            Some(service),
            Severity::Warning,
            1_045,
        ));
    }
    let stormy = ranked(&build.world());
    let best =
        |ranking: &Ranking| ranking.hypotheses.first().map(|one| (one.kind, one.service.clone(), one.confidence));
    assert_eq!(best(&calm), best(&stormy));
}

#[test]
fn a_symptom_is_not_a_cause_while_something_it_depends_on_fails() {
    // The entry is hit hardest and, by the sampling, first; still it depends on what fails.
    let mut loud = anomaly(1, "web", "error_ratio", SeriesRole::Errors, 998);
    loud.peak_sigma = 40.0;
    let build = shop().anomaly(loud).errors(2, "checkout", 1_000).errors(3, "payment", 1_002);
    let ranking = ranked(&build.world());
    assert_eq!(ranking.hypotheses[0].service, ServiceName::new("payment"));
    let web = ranking.hypotheses.iter().find(|one| one.service == ServiceName::new("web"));
    assert!(web.is_none_or(|web| web.confidence.percent() < 5));
}

#[test]
fn traffic_explains_an_overload() {
    let mut crowd = anomaly(1, "payment", "requests_per_second", SeriesRole::Traffic, 960);
    crowd.is_harmful = false;
    let build = shop()
        .anomaly(crowd)
        .saturation(2, "payment", "worker_utilisation", 1_000)
        .latency(3, "payment", 1_015)
        .latency(4, "checkout", 1_030);
    let expected = Expected { kind: CauseKind::Overload, service: "payment", change: None, percent_min: 60 };
    check("overload", build, &expected);
}

#[test]
fn who_only_gets_fewer_requests_is_counted_apart_and_suffers() {
    let world = shop()
        .change(1, ChangeKind::Network, Some("auth"), 993)
        .anomaly(anomaly(1, "auth", "db_connect_errors", SeriesRole::Errors, 1_000))
        .errors(2, "user", 1_005)
        .anomaly(starved(3, "auth-db", 1_000))
        .anomaly(starved(4, "search", 1_010))
        .world();
    let ranking = ranked(&world);
    let cause = ranking.cause().unwrap();
    let said: Vec<&str> = cause.evidence_for.iter().map(|piece| piece.text.as_ref()).collect();
    assert!(
        said.contains(&"auth-db, which auth calls, shows no fault of its own; it only gets fewer requests"),
        "{said:?}"
    );
    let share = "all 2 services with a fault of their own are auth or depend on it; 2 more only get fewer requests";
    assert!(said.contains(&share), "{said:?}");
    assert_eq!(cause.buckets.impact, ["auth-db", "search"].map(ServiceName::new));
    let buckets = [&cause.buckets.cause, &cause.buckets.first_failure, &cause.buckets.impact];
    assert_eq!(buckets.iter().map(|names| names.len()).sum::<usize>(), incident(&world).services.len());
}

#[test]
fn what_is_down_cannot_be_outdone_and_is_called_down() {
    let mut down = anomaly(1, "payment-db", "up", SeriesRole::Availability, 1_000);
    down.unit = crate::engine::model::Unit::Boolean;
    down.direction = Direction::Below;
    down.peak_value = 0.0;
    let mut worse = anomaly(2, "payment", "error_ratio", SeriesRole::Errors, 1_000);
    worse.peak_sigma = 90.0;
    let world = shop().anomaly(down).anomaly(worse).world();
    let ranking = ranked(&world);
    let cause = ranking.cause().unwrap();
    assert_eq!(cause.title.as_ref(), "outage of payment-db");
    assert!(cause.evidence_against.is_empty(), "{:?}", cause.evidence_against);
    let says = "payment-db does not answer: payment-db is down (was up)";
    assert!(cause.evidence_for.iter().any(|piece| piece.text.as_ref() == says), "{:?}", cause.evidence_for);
}

#[test]
fn the_title_says_what_fails_and_why() {
    let deploy = shop()
        .change(1, ChangeKind::Deploy, Some("payment"), 993)
        .errors(1, "payment", 1_000)
        .errors(2, "checkout", 1_030)
        .world();
    assert_eq!(
        title(&deploy, &incident(&deploy), &ranked(&deploy)),
        "payment error_ratio rose 7 s after change 1 to payment; 1 more service affected"
    );
    let firewall = shop()
        .change(1, ChangeKind::Network, Some("auth"), 993)
        .anomaly(anomaly(1, "auth", "db_connect_errors", SeriesRole::Errors, 1_000))
        .errors(2, "user", 1_010)
        .world();
    assert_eq!(
        title(&firewall, &incident(&firewall), &ranked(&firewall)),
        "auth cannot reach auth-db; 1 more service affected"
    );
    let unknown = Build::new().errors(1, "payment", 1_000).world();
    assert_eq!(title(&unknown, &incident(&unknown), &ranked(&unknown)), "payment error_ratio 0.2 % → 61 % 10σ");
}
