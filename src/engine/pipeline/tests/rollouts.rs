//! Rollouts carried out by the engine as a whole: behind the gate, beside incidents, and through crashes.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::fleet::{Fleet, VERSIONS, settings};
use crate::engine::clock::{MINUTE_MS, SECOND_MS};
use crate::engine::input::Input;
use crate::engine::model::DATABASE_PROOFS;
use crate::engine::model::RolloutId;
use crate::engine::model::{AlertNotice, AlertState, Fingerprint, Labels, ServiceName, Severity, Signal, SourceName};
use crate::engine::patches::acts::INSTALL;
use crate::engine::patches::rollout::{RolloutEnd, RolloutRequest, RolloutState, TargetState};
use crate::engine::request::Request;
use crate::engine::settings::{Portion, ProbeSettings, ProofSettings};

fn is_over(fleet: &Fleet) -> bool {
    fleet.rollout().rollout.is_over()
}

fn alert(fleet: &mut Fleet, number: u64, service: &str, instance: Option<&str>, state: AlertState) {
    let notice = AlertNotice {
        source: SourceName::new("am"),
        fingerprint: Fingerprint(number),
        name: Arc::from("Down"),
        service: Some(ServiceName::new(service)),
        severity: Severity::Critical,
        state,
        starts_at: fleet.now,
        ends_at: (state == AlertState::Resolved).then_some(fleet.now),
        muted_by: None,
        summary: Arc::from("down"),
        generator_url: Arc::from(""),
        labels: Labels::new(instance.map(|instance| ("instance", instance))),
    };
    fleet.input(Input::Signal(Signal::Alert(notice)));
}

/// How often each machine was given the second version, less how often it was taken back.
fn installs(fleet: &Fleet) -> BTreeMap<&str, i32> {
    let mut counts = BTreeMap::new();
    for (host, version) in &fleet.installs {
        let count: &mut i32 = counts.entry(host.as_str()).or_default();
        *count += if *version == VERSIONS[1] { 1 } else { -1 };
        assert!((0..=1).contains(count), "{host} was given {version} twice: {:?}", fleet.installs);
    }
    counts
}

#[test]
fn a_patch_that_harms_nobody_comes_to_everybody_once() {
    let mut fleet = Fleet::start();
    fleet.plan_and_approve();
    fleet.until("its end", is_over);
    let state = &fleet.rollout().rollout.state;
    assert!(matches!(state, RolloutState::Ended { end: RolloutEnd::Done, .. }), "{state:?}");
    assert!(fleet.versions.values().all(|version| *version == VERSIONS[1]), "{:?}", fleet.versions);
    assert_eq!(installs(&fleet).len(), 6);
    assert_eq!(fleet.incidents(), []);
}

#[test]
fn what_breaks_production_is_taken_back_and_an_incident_is_open() {
    let mut fleet = Fleet::start();
    fleet.bad = ["web-1", "web-2", "web-3", "web-4"].map(str::to_owned).into();
    fleet.plan_and_approve();
    fleet.until("its end", is_over);
    let state = &fleet.rollout().rollout.state;
    assert!(matches!(state, RolloutState::Ended { end: RolloutEnd::RolledBack, .. }), "{state:?}");
    assert!(fleet.versions.values().all(|version| *version == VERSIONS[0]), "{:?}", fleet.versions);
    assert!(installs(&fleet).len() <= 4, "no more than staging and a batch of production: {:?}", fleet.installs);
    assert!(fleet.rollout().incident.is_some());
}

#[test]
fn a_target_that_an_incident_is_on_waits_until_it_is_over() {
    let mut fleet = Fleet::start();
    alert(&mut fleet, 1, "stage-1", None, AlertState::Firing);
    fleet.until("an incident", |fleet| !fleet.incidents().is_empty());
    fleet.plan_and_approve();
    fleet.seconds(120);
    let hold = |fleet: &Fleet| match fleet.state("stage-1") {
        TargetState::Waiting { hold: Some(hold) } => hold.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(hold(&fleet).contains("INC-1 is active on it"), "{}", hold(&fleet));
    assert_eq!(fleet.versions["stage-1"], VERSIONS[0]);
    let resolve = Request::Resolve { incident: fleet.incidents()[0] };
    alert(&mut fleet, 1, "stage-1", None, AlertState::Resolved);
    fleet.ask(resolve);
    fleet.until("its turn", |fleet| fleet.versions["stage-1"] == VERSIONS[1]);
}

#[test]
fn what_a_machine_shows_while_it_is_patched_is_expected_and_what_its_service_shows_is_not() {
    let mut fleet = Fleet::start();
    fleet.plan_and_approve();
    fleet.until("the first", |fleet| matches!(fleet.state("stage-1"), TargetState::Patching { .. }));
    fleet.seconds(1);
    alert(&mut fleet, 1, "shop", Some("stage-1:9100"), AlertState::Firing);
    alert(&mut fleet, 2, "shop", Some("web-1:9100"), AlertState::Firing);
    fleet.seconds(1);
    let mark = |fleet: &Fleet, number| fleet.engine.world.alerts[&Fingerprint(number)].suppressed.clone();
    let told = mark(&fleet, 1).map(|reason| reason.to_string());
    assert_eq!(told.as_deref(), Some("expected while RO-1 patches stage-1"));
    assert!(mark(&fleet, 2).is_none_or(|reason| !reason.to_string().contains("RO-1")));
    // What still shows once the machine has settled counts.
    let settled = i64::from(u16::try_from(MINUTE_MS / SECOND_MS).unwrap()) + 30;
    fleet.seconds(usize::try_from(settled).unwrap());
    assert!(mark(&fleet, 1).is_none_or(|reason| !reason.to_string().contains("RO-1")), "{:?}", mark(&fleet, 1));
    assert!(fleet.engine.world.alerts[&Fingerprint(1)].incident.is_some());
}

#[test]
fn what_may_hold_data_is_patched_only_once_this_run_has_proved_that_nothing_is_lost() {
    for (says, version) in [("ok", VERSIONS[1]), ("replica is 90 s behind", VERSIONS[0])] {
        let mut settings = settings();
        settings.patches.proof = vec![ProofSettings {
            class: "shop".to_owned(),
            look: vec!["db-check".to_owned()],
            expect: "^ok$".to_owned(),
            proves: DATABASE_PROOFS.map(str::to_owned).to_vec(),
        }];
        let mut fleet = Fleet::of(&["stage-db-1", "stage-db-2"], settings);
        fleet.db_says = says;
        fleet.plan_and_approve();
        fleet.until("it is tried", |fleet| {
            !matches!(fleet.state("stage-db-1"), TargetState::Waiting { .. } | TargetState::Patching { .. })
        });
        assert_eq!(fleet.versions["stage-db-1"], version, "{says}: {:?}", fleet.state("stage-db-1"));
        assert_eq!(matches!(fleet.state("stage-db-1"), TargetState::Failed { .. }), says != "ok");
    }
}

fn ask(fleet: &mut Fleet, request: RolloutRequest) {
    fleet.ask(Request::Rollout { rollout: RolloutId(1), request });
}

#[test]
fn what_is_not_reached_is_waited_for_and_is_no_failure() {
    let mut fleet = Fleet::start();
    fleet.unreached.insert("stage-1".to_owned());
    fleet.plan_and_approve();
    fleet.seconds(300);
    let TargetState::Waiting { hold: Some(hold) } = fleet.state("stage-1") else {
        panic!("{:?}", fleet.state("stage-1"))
    };
    assert!(hold.to_string().contains("no route to host; tried again at"), "{hold}");
    assert_eq!((fleet.rollout().rollout.failures, fleet.incidents().len()), (0, 0));
    fleet.unreached.clear();
    fleet.until("its end", is_over);
    assert!(fleet.versions.values().all(|version| *version == VERSIONS[1]));
}

#[test]
fn what_cannot_be_reached_when_it_is_to_be_taken_back_is_taken_back_later() {
    let mut fleet = Fleet::start();
    fleet.bad = ["web-1", "web-2", "web-3", "web-4"].map(str::to_owned).into();
    fleet.plan_and_approve();
    fleet.until("production has it", |fleet| fleet.versions["web-1"] == VERSIONS[1]);
    fleet.until("it is watched", |fleet| matches!(fleet.state("web-1"), TargetState::Validating { .. }));
    fleet.unreached.insert("web-1".to_owned());
    fleet.until("the others are back", |fleet| fleet.versions["stage-1"] == VERSIONS[0]);
    fleet.seconds(60);
    assert_eq!(fleet.versions["web-1"], VERSIONS[1]);
    assert!(!is_over(&fleet));
    fleet.unreached.clear();
    fleet.until("its end", is_over);
    assert!(fleet.versions.values().all(|version| *version == VERSIONS[0]), "{:?}", fleet.versions);
}

#[test]
fn a_pause_between_the_order_and_the_installation_is_no_failure() {
    let mut fleet = Fleet::start();
    fleet.plan_and_approve();
    fleet.until("it is ordered", |fleet| matches!(fleet.state("stage-1"), TargetState::Patching { .. }));
    ask(&mut fleet, RolloutRequest::Pause { by: String::new(), reason: "wait".to_owned() });
    fleet.seconds(120);
    assert!(matches!(fleet.state("stage-1"), TargetState::Waiting { .. }), "{:?}", fleet.state("stage-1"));
    assert_eq!((fleet.versions["stage-1"], fleet.rollout().rollout.failures), (VERSIONS[0], 0));
    ask(&mut fleet, RolloutRequest::Resume { by: String::new(), reason: "go on".to_owned() });
    fleet.until("its end", is_over);
    assert!(fleet.versions.values().all(|version| *version == VERSIONS[1]));
}

#[test]
fn members_that_have_it_already_count_by_the_metrics_of_their_service() {
    let mut settings = settings();
    settings.patches.rollout.healthy_min = Portion::Count(3);
    let mut fleet = Fleet::of(&["web-1", "spare-1", "spare-2", "spare-3"], settings);
    fleet.plan_and_approve();
    ask(
        &mut fleet,
        RolloutRequest::Decide { by: String::new(), reason: "no staging".to_owned(), target: None, is_good: true },
    );
    fleet.until("its turn", |fleet| fleet.versions["web-1"] == VERSIONS[1]);
}

#[test]
fn a_service_that_does_not_come_up_is_seen_through_a_restart_too() {
    for crashes in [false, true] {
        let mut settings = settings();
        let unit = "shop.service".to_owned();
        settings.patches.probe = vec![ProbeSettings { package: "hypo-shop".to_owned(), unit }];
        let mut fleet = Fleet::of(&["stage-1", "stage-2"], settings);
        fleet.dead.insert("stage-1".to_owned());
        fleet.plan_and_approve();
        fleet.until("it is there", |fleet| fleet.versions["stage-1"] == VERSIONS[1]);
        if crashes {
            fleet.crash_in = Some(0);
        }
        fleet.until("its end", is_over);
        assert_eq!(fleet.versions["stage-1"], VERSIONS[0], "{crashes}: {:?}", fleet.state("stage-1"));
        assert_eq!(fleet.versions["stage-2"], VERSIONS[0]);
    }
}

#[test]
fn what_a_person_takes_back_by_hand_is_told_to_be_so() {
    let mut fleet = Fleet::start();
    fleet.plan_and_approve();
    fleet.until("it is watched", |fleet| matches!(fleet.state("stage-1"), TargetState::Validating { .. }));
    let (run, step, digest) = {
        let run = &fleet.engine.world.runs[&fleet.rollout().runs["stage-1"].run];
        let (index, step) = run.step_named(INSTALL).unwrap();
        (run.id, index, Arc::clone(&step.id))
    };
    fleet.ask(Request::Undo { run, step, digest });
    fleet.until("it is known", |fleet| matches!(fleet.state("stage-1"), TargetState::RolledBack { .. }));
    assert_eq!(fleet.versions["stage-1"], VERSIONS[0]);
}

#[test]
fn the_kill_switch_ends_on_the_machine_what_an_earlier_life_began_there() {
    let mut fleet = Fleet::start();
    // Longer than the program is gone for.
    fleet.install_ms = 60_000;
    fleet.plan_and_approve();
    let is_installing = |fleet: &Fleet| fleet.installing("stage-1");
    fleet.until("it is being installed", is_installing);
    fleet.crash_in = Some(0);
    fleet.until("the program is there again", |fleet| fleet.crashes == 1);
    assert!(is_installing(&fleet), "what runs there goes on");
    fleet.ask(Request::Kill { reason: "enough".into() });
    assert!(!is_installing(&fleet));
    fleet.seconds(60);
    assert!(fleet.versions.values().all(|version| *version == VERSIONS[0]), "{:?}", fleet.versions);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    /// However often the program is killed, between whichever two jobs: nothing is installed twice, nothing begun is begun
    /// again, and the rollout goes on to its end.
    #[test]
    fn a_rollout_outlives_crashes_and_applies_nothing_twice(
        crashes in prop::collection::vec(0usize..90, 2..10),
        is_bad in any::<bool>(),
    ) {
        let mut fleet = Fleet::start();
        if is_bad {
            fleet.bad = ["web-2", "web-3"].map(str::to_owned).into();
        }
        fleet.plan_and_approve();
        let wanted = crashes.len();
        for jobs in crashes {
            fleet.crash_in = Some(jobs);
            for _ in 0..1_200 {
                if fleet.crash_in.is_none() || is_over(&fleet) {
                    break;
                }
                fleet.seconds(1);
                installs(&fleet);
            }
        }
        fleet.crash_in = None;
        prop_assert!(fleet.crashes > 0 && fleet.crashes <= wanted);
        fleet.until("its end", is_over);
        installs(&fleet);
        let versions: Vec<&str> = fleet.versions.values().copied().collect();
        let expected = if is_bad { VERSIONS[0] } else { VERSIONS[1] };
        prop_assert!(versions.iter().all(|version| *version == expected), "{:?}", fleet.versions);
    }
}
