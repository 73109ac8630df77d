//! Root cause by scenarios written by hand: one where each way of looking must win, and those where nothing may.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::{SecondFailure, blast_radius, rank, second_failure, title, verdict};
use crate::engine::clock::Timestamp;
use crate::engine::model::{
    AnomalyKind, AnomalyState, CauseKind, ChangeId, ChangeKind, Direction, EvidenceKind, Forecast, Hypothesis,
    Incident, IncidentId, IncidentSeverity, IncidentState, KindGuess, Ranking, SeriesRole, ServiceName, Severity,
};
use crate::engine::settings::CorrelationSettings;
use crate::engine::world::World;
use crate::engine::world::fixtures::{Build, alert_notice, anomaly};

/// An incident whose members are everything in the world.
fn incident(world: &World) -> Incident {
    let solid = || world.anomalies.values().filter(|anomaly| anomaly.kind != AnomalyKind::Forecast);
    let mut services: BTreeMap<ServiceName, Timestamp> = BTreeMap::new();
    for anomaly in solid() {
        let onset = services.entry(anomaly.service.clone()).or_insert(anomaly.started_at);
        *onset = (*onset).min(anomaly.started_at);
    }
    let started_at = solid().map(|anomaly| anomaly.started_at).min().unwrap_or_default();
    Incident {
        id: IncidentId(1),
        title: "symptoms".into(),
        severity: IncidentSeverity::Sev3,
        is_severity_set_by_hand: false,
        state: IncidentState::Open,
        started_at,
        opened_at: started_at,
        acknowledged_at: None,
        mitigated_at: None,
        resolved_at: None,
        merged_into: None,
        split_from: None,
        reopen_count: 0,
        updated_at: started_at,
        owner: None,
        services,
        anomalies: world.anomalies.keys().copied().collect(),
        alerts: world.alerts.keys().copied().collect(),
        changes: world.changes.keys().copied().collect(),
        folded_count: 0,
        timeline: Vec::new(),
        ranking: Ranking::default(),
        runs: Vec::new(),
    }
}

fn ranked(world: &World) -> Ranking {
    rank(world, &incident(world), &CorrelationSettings::default(), Timestamp(10_000_000))
}

/// What is expected of the leading hypothesis.
struct Expected {
    kind: CauseKind,
    service: &'static str,
    change: Option<u64>,
    percent_min: u8,
}

fn check(name: &str, build: Build, expected: &Expected) -> Hypothesis {
    let ranking = ranked(&build.world());
    let tell = || {
        let lines = ranking.hypotheses.iter().map(|one| {
            let pieces = one.evidence_for.iter().chain(&one.evidence_against);
            let pieces: Vec<String> =
                pieces.map(|piece| format!("      {:+.2} {}", piece.weight, piece.text)).collect();
            format!(
                "  {} % {:?} {} {:?}\n{}",
                one.confidence.percent(),
                one.kind,
                one.title,
                one.change,
                pieces.join("\n")
            )
        });
        format!("{name}: {:?}\n{}", ranking.unresolved, lines.collect::<Vec<_>>().join("\n"))
    };
    let cause = ranking.cause().unwrap_or_else(|| panic!("{}", tell()));
    assert_eq!(
        (cause.kind, cause.service.as_str(), cause.change.map(|id| id.0)),
        (expected.kind, expected.service, expected.change),
        "{}",
        tell()
    );
    assert!(cause.confidence.percent() >= expected.percent_min, "{}", tell());
    cause.clone()
}

/// `web > checkout > payment > payment-db`, `checkout > user > auth > auth-db`, `web > search > index`.
fn shop() -> Build {
    Build::new()
        .chain("web > checkout > payment > payment-db")
        .chain("checkout > user > auth > auth-db")
        .chain("web > search > index")
}

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
fn confirmed_incidents_of_a_kind_speak_for_it_as_far_as_they_were_right() {
    let confidence = |right: u32| {
        let mut world = shop().latency(1, "payment-db", 1_000).latency(2, "payment", 1_005).world();
        let guess = KindGuess {
            kind: CauseKind::InternalLatency,
            chance: 0.9,
            because: vec!["talk of query".into()],
            of_kind: 7,
            learnt_from: 20,
            right,
            tried: 20,
        };
        world.kind_guesses.insert(IncidentId(1), Arc::new(guess));
        let ranking = ranked(&world);
        let of_kind = |it: &&Hypothesis| it.kind == CauseKind::InternalLatency && it.service.as_str() == "payment-db";
        let found = ranking.hypotheses.iter().find(of_kind).unwrap().clone();
        let is_told = found.evidence_for.iter().any(|piece| piece.text.contains("the 7 confirmed incidents"));
        (found.confidence.get(), is_told)
    };
    let (never, sometimes, always) = (confidence(0), confidence(14), confidence(20));
    assert!(always.0 > sometimes.0 && sometimes.0 > never.0, "{never:?} {sometimes:?} {always:?}");
    assert_eq!((never.1, sometimes.1, always.1), (false, true, true));
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
fn one_service_without_topology_or_change_is_unresolved_and_says_what_would_settle_it() {
    let ranking = ranked(&Build::new().errors(1, "payment", 1_000).world());
    assert_eq!(ranking.hypotheses[0].service, ServiceName::new("payment"));
    assert!(ranking.cause().is_none());
    assert!(ranking.unresolved.unwrap().contains("what was changed would settle it"));
}

#[test]
fn strangers_that_fail_together_are_unresolved() {
    let build = Build::new().errors(1, "a-service", 1_000).errors(2, "b-service", 1_000).errors(3, "c-service", 1_001);
    let ranking = ranked(&build.world());
    assert!(ranking.cause().is_none());
    assert!(ranking.unresolved.unwrap().contains("who calls whom"));
}

#[test]
fn one_service_with_a_deploy_needs_no_topology() {
    let build = Build::new()
        .change(1, ChangeKind::Deploy, Some("payment"), 993)
        .errors(1, "payment", 1_000)
        .latency(2, "payment", 1_000);
    let expected = Expected { kind: CauseKind::BadDeploy, service: "payment", change: Some(1), percent_min: 75 };
    check("lone deploy", build, &expected);
}

#[test]
fn a_cycle_of_calls_is_walked_once() {
    let build = Build::new()
        .chain("a-service > b-service > c-service > a-service")
        .change(1, ChangeKind::Deploy, Some("b-service"), 990)
        .errors(1, "b-service", 1_000)
        .errors(2, "a-service", 1_040)
        .errors(3, "c-service", 1_060);
    let expected = Expected { kind: CauseKind::BadDeploy, service: "b-service", change: Some(1), percent_min: 60 };
    check("cycle", build, &expected);
}

#[test]
fn clocks_that_differ_by_seconds_do_not_hide_the_cause() {
    // By its own clock the deploy came 3 s after the first symptom, and the caller was hit 5 s before the callee.
    let build = shop()
        .change(1, ChangeKind::Deploy, Some("payment"), 1_003)
        .errors(1, "payment", 1_000)
        .errors(2, "checkout", 995);
    let expected = Expected { kind: CauseKind::BadDeploy, service: "payment", change: Some(1), percent_min: 70 };
    check("skew", build, &expected);
}

#[test]
fn a_recovery_speaks_against_a_change_only_while_nothing_undid_it() {
    let mut over = anomaly(1, "payment", "error_ratio", SeriesRole::Errors, 1_000);
    over.state = AnomalyState::Ended;
    over.last_seen_at = Timestamp(1_300_000);
    over.ended_at = Some(Timestamp(1_310_000));
    let deployed = || shop().change(1, ChangeKind::Deploy, Some("payment"), 993).anomaly(over.clone());
    for (name, build, against, words) in [
        ("by itself", deployed(), true, "nothing is known to have undone the change"),
        (
            "after our own act",
            deployed().change(2, ChangeKind::OwnAct, Some("payment"), 1_200),
            false,
            "back to normal 1 min 50 s after change 2 to payment",
        ),
        (
            "before our own act",
            deployed().change(2, ChangeKind::OwnAct, Some("payment"), 1_900),
            true,
            "nothing is known to have undone the change",
        ),
    ] {
        let ranking = ranked(&build.world());
        let blamed = ranking.hypotheses.iter().find(|hypothesis| hypothesis.change == Some(ChangeId(1))).unwrap();
        let pieces = if against { &blamed.evidence_against } else { &blamed.evidence_for };
        let texts: Vec<&str> = pieces.iter().map(|piece| piece.text.as_ref()).collect();
        assert!(texts.iter().any(|text| text.contains(words)), "{name}: {texts:?}");
    }
}

#[test]
fn a_change_after_the_harm_is_no_cause() {
    let build = shop()
        .change(1, ChangeKind::Deploy, Some("payment"), 1_060)
        .errors(1, "payment", 1_000)
        .errors(2, "checkout", 1_030);
    let ranking = ranked(&build.world());
    assert_ne!(ranking.hypotheses[0].change, Some(ChangeId(1)));
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
fn alerts_alone_never_carry_more_than_they_are_one_kind() {
    let build = (0..200).fold(Build::new(), |build, nth| {
        build.alert(&alert_notice(&format!("Alert{nth}"), Some("payment"), Severity::Critical, 1_000))
    });
    let ranking = ranked(&build.world());
    assert!(ranking.cause().is_none());
    assert!(ranking.hypotheses[0].confidence.percent() <= 60);
}

#[test]
fn logs_alone_never_carry_a_cause() {
    let build = (1..50).fold(Build::new(), |build, nth| {
        build.logs(nth, "payment", &format!("operator says payment is the cause {nth}"), 1_000)
    });
    assert!(ranked(&build.world()).cause().is_none());
}

#[test]
fn nothing_is_said_without_a_service() {
    let ranking = ranked(&Build::new().alert(&alert_notice("Odd", None, Severity::Critical, 1_000)).world());
    assert!(ranking.hypotheses.is_empty());
    assert!(ranking.unresolved.is_some());
}

/// Requests far below what is usual, and nothing else.
fn starved(id: u64, service: &str, starts: i64) -> crate::engine::model::Anomaly {
    let mut less = anomaly(id, service, "requests", SeriesRole::Traffic, starts);
    less.direction = Direction::Below;
    less
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

#[test]
fn the_blast_radius_is_everyone_who_depends_on_it() {
    let world = shop().world();
    for (service, count) in [("payment-db", 3), ("web", 0), ("auth", 3), ("nobody", 0)] {
        assert_eq!(blast_radius(&world.topology, &ServiceName::new(service)), count, "{service}");
    }
}

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
fn verdicts_move_confidence_and_not_the_order() {
    let world = shop().errors(1, "payment", 1_000).change(1, ChangeKind::Deploy, Some("payment"), 990).world();
    let before = ranked(&world);
    let incident_ = Incident { ranking: before.clone(), ..incident(&world) };
    for (is_right, sooner) in [(true, std::cmp::Ordering::Greater), (false, std::cmp::Ordering::Less)] {
        let mut taught = world.clone();
        let verdict = verdict(&world, &incident_, is_right).unwrap();
        taught.verdicts = (100..130).map(|id| (IncidentId(id), verdict)).collect();
        let after = ranked(&taught);
        let sure = |ranking: &Ranking| ranking.hypotheses[0].confidence.get();
        assert_eq!(sure(&after).partial_cmp(&sure(&before)), Some(sooner), "{is_right}");
        assert_eq!(after.hypotheses[0].title, before.hypotheses[0].title);
        let sum: f64 = after.hypotheses.iter().map(|one| one.confidence.get()).sum();
        assert!(sum <= 1.0 + 1e-9 && after.hypotheses.iter().all(|one| one.confidence.get() <= sure(&after)));
    }
    assert!(verdict(&world, &incident(&world), true).is_none(), "no cause was named");
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
    assert!(ranking.hypotheses.len() <= super::HYPOTHESES_MAX);
    let alerts = ranking.hypotheses.iter().flat_map(|one| &one.evidence_for);
    let alerts = alerts.filter(|piece| piece.kind == EvidenceKind::Alerts).count();
    assert!(alerts <= ranking.hypotheses.len(), "one line for each service");
}

/// Two roll-outs of the service before its connections run out: the later one is nearer.
fn two_rollouts() -> Build {
    Build::new()
        .errors(1, "herd", 1_000)
        .logs(2, "herd", "pool exhausted: no connection within <*> ms", 1_001)
        .change(1, ChangeKind::Deploy, Some("herd"), 700)
        .change(2, ChangeKind::Deploy, Some("herd"), 960)
}

fn blamed(build: Build) -> Option<ChangeId> {
    ranked(&build.world()).hypotheses.first().and_then(|one| one.change)
}

#[test]
fn what_a_change_does_weighs_beside_when_it_came() {
    const MOVED: &str = "-  Result r = svc.run(input);\n-  return Response.ok(r);\n+  return Response.ok(run(input));\n+  }\n\
        +  private Result run(Input input) {\n+  Result r = svc.run(input);\n+  return r;";
    assert_eq!(blamed(two_rollouts()), Some(ChangeId(2)), "by time alone the later");
    let told = two_rollouts().content(1, &["common/pool.toml"], "-max_connections = 80\n+max_connections = 8").content(
        2,
        &["herd/Controller.java"],
        MOVED,
    );
    let ranking = ranked(&told.world());
    let best = &ranking.hypotheses[0];
    assert_eq!(best.change, Some(ChangeId(1)), "{best:?}");
    let texts: Vec<&str> = best.evidence_for.iter().map(|piece| &*piece.text).collect();
    assert!(texts.iter().any(|text| text.contains("less room") && text.contains("exhaustion")), "{texts:?}");
}

#[test]
fn a_change_of_text_for_people_is_not_blamed_for_being_near() {
    let told = two_rollouts().content(2, &["docs/pool.md"], "-The pool has 80.\n+The pool has 8.");
    assert_eq!(blamed(told), Some(ChangeId(1)));
}
