//! The demo through the whole engine: every scenario is told as one incident with the right cause, the right runbook
//! mends it, and what is no fault stays quiet.

use std::sync::Arc;

use hypocenter::engine::clock::{MINUTE_MS, Timestamp};
use hypocenter::engine::demo::headless::{self, Approve, Drill, DrillReport};
use hypocenter::engine::demo::scenarios::{self, Expected, Scenario};
use hypocenter::engine::job::Record;
use hypocenter::engine::model::{IncidentState, RunState};
use hypocenter::engine::report::IncidentReport;
use hypocenter::engine::snapshot::Snapshot;

/// A Saturday noon, a weekday night and a Friday evening: load differs threefold.
const STARTS: [(u64, &str); 3] =
    [(1, "2026-11-21T13:07:42Z"), (2, "2026-11-18T04:50:03Z"), (3, "2026-11-20T19:20:30Z")];

fn play(
    scenario: &'static Scenario,
    seed: u64,
    start: &str,
    approve: Approve,
    minutes: i64,
) -> (DrillReport, Arc<Snapshot>) {
    let start = Timestamp::parse_rfc3339(start).unwrap();
    let drill = Drill { lasts_ms: minutes * MINUTE_MS, ..Drill::new(scenario, seed, start, approve) };
    headless::run(&drill, &mut |_| {}).unwrap()
}

fn only_incident(report: &DrillReport) -> &IncidentReport {
    let titles: Vec<_> = report.report.incidents.iter().map(|incident| &incident.title).collect();
    assert_eq!(titles.len(), 1, "{} with seed {}: {titles:?}", report.scenario, report.seed);
    &report.report.incidents[0]
}

fn check_cause(report: &DrillReport, expected: &Expected) {
    let incident = only_incident(report);
    let told = || format!("{} with seed {}: {incident:#?}", report.scenario, report.seed);
    let cause = incident.cause.as_ref().unwrap_or_else(|| panic!("{}", told()));
    assert!(expected.kinds.contains(&cause.kind), "{}", told());
    assert!(expected.services.contains(&cause.service.as_str()), "{}", told());
}

/// Plays a scenario with the stand-in approving what is offered.
fn is_explained_and_mended(name: &str) {
    let scenario = scenarios::find(name).unwrap();
    let expected = scenario.expected.as_ref().unwrap();
    for (seed, start) in STARTS {
        let (early, _) = play(scenario, seed, start, Approve::None, 2);
        check_cause(&early, expected);
        let opened_ms = only_incident(&early).opened_at.since_ms(early.started_at);
        assert!(opened_ms <= 35_000, "{name} with seed {seed} is seen after {opened_ms} ms");

        let (report, _) = play(scenario, seed, start, Approve::All, 45);
        check_cause(&report, expected);
        let incident = only_incident(&report);
        let told = || format!("{name} with seed {seed}: {:#?}", incident.runs);
        assert_eq!(incident.state, IncidentState::Resolved, "{}", told());
        assert_eq!(incident.runs.len(), 1, "{}", told());
        assert_eq!(incident.runs[0].state, RunState::Succeeded, "{}", told());
        assert_eq!(incident.runs[0].runbook.as_ref(), expected.runbook, "{}", told());
    }
}

/// Plays a scenario in which nothing is wrong.
fn stays_quiet(name: &str) {
    let scenario = scenarios::find(name).unwrap();
    assert!(scenario.expected.is_none());
    for (seed, start) in STARTS {
        let (report, snapshot) = play(scenario, seed, start, Approve::All, 45);
        assert_eq!(report.report.incidents, [], "{name} with seed {seed}");
        assert_eq!(snapshot.alerts.len(), 0, "{name} with seed {seed}");
    }
}

macro_rules! scenarios {
    ($check:ident: $($test:ident $name:literal),+ $(,)?) => {
        $(
            #[test]
            fn $test() {
                $check($name);
            }
        )+
    };
}

scenarios!(is_explained_and_mended:
    a_bad_deploy "bad-deploy",
    an_exhausted_pool "pool-exhausted",
    a_memory_leak "memory-leak",
    a_firewall_rule "firewall-rule",
    a_slow_query "slow-query",
    a_filling_disk "disk-filling",
    a_dead_cache "dependency-down",
    a_bad_configuration "bad-config",
    a_stuck_consumer "stuck-consumer",
);

scenarios!(stays_quiet: a_flash_sale "flash-sale", a_nightly_batch "nightly-batch");

#[test]
fn every_scenario_is_played_here() {
    let source = include_str!("demo.rs");
    for scenario in scenarios::SCENARIOS {
        assert!(source.contains(&format!("\"{}\"", scenario.name)), "{} is played nowhere", scenario.name);
    }
}

#[test]
fn without_a_hand_nothing_mends_itself() {
    let (report, _) = play(scenarios::default(), 1, STARTS[0].1, Approve::None, 20);
    assert!(only_incident(&report).state.is_live());
}

#[test]
fn the_same_seed_gives_the_same_drill() {
    let told = || {
        let mut kept = Vec::new();
        let start = Timestamp::parse_rfc3339(STARTS[0].1).unwrap();
        let drill = Drill::new(scenarios::default(), 9, start, Approve::All);
        let (report, _) = headless::run(&drill, &mut |records| kept.push(format!("{records:?}"))).unwrap();
        (serde_json::to_string(&report).unwrap(), kept)
    };
    assert!(told() == told(), "two drills with one seed differ");
}

#[test]
fn a_leak_is_foretold_before_it_is_an_incident() {
    let start = Timestamp::parse_rfc3339(STARTS[0].1).unwrap();
    let leak = scenarios::find("memory-leak").unwrap();
    let drill = Drill { lasts_ms: 15_000, ..Drill::new(leak, 1, start, Approve::None) };
    let (report, snapshot) = headless::run(&drill, &mut |_| {}).unwrap();
    assert_eq!(report.report.incidents, []);
    let foretold = snapshot.predictions.iter().filter_map(|id| snapshot.anomalies.iter().find(|one| one.id == *id));
    let services: Vec<&str> = foretold.map(|anomaly| anomaly.service.as_str()).collect();
    assert_eq!(services, ["search"]);
}

#[test]
fn what_a_runbook_mended_is_learnt_from() {
    let start = Timestamp::parse_rfc3339(STARTS[0].1).unwrap();
    let mut learnt = Vec::new();
    let mut keep = |records: &[Record]| {
        let of_kinds = records.iter().filter_map(|record| match record {
            Record::Setting { name, value } if name == "confirmed incidents" => Some(value.clone()),
            _ => None,
        });
        learnt.extend(of_kinds);
    };
    for approve in [Approve::None, Approve::All] {
        let drill = Drill { lasts_ms: 1_200_000, ..Drill::new(scenarios::default(), 1, start, approve) };
        headless::run(&drill, &mut keep).unwrap();
    }
    assert_eq!(learnt.len(), 1, "what nobody mended confirms nothing: {learnt:?}");
    assert!(learnt[0].contains("\"kind\":\"bad_deploy\""), "{learnt:?}");
}
