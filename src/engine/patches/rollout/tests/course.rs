//! Rollouts from their approval to their end, one story each.

use super::super::facts::{RolloutRequest, TargetEnd};
use super::super::planning::plan;
use super::super::state::{RolloutEnd, RolloutState, Soak};
use super::super::target::{Hold, TargetState};
use super::world::{Patch, START, World, batch_of, need, rules, small_fleet};
use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS};
use crate::engine::model::IncidentId;
use crate::engine::patches::inventory::Reboot;

fn by() -> (String, String) {
    World::why()
}

fn hold(world: &World, target: &str) -> Option<Hold> {
    match &world.rollout.targets[target].state {
        TargetState::Waiting { hold } => hold.clone(),
        _ => None,
    }
}

#[test]
fn a_good_patch_goes_through_staging_a_soak_and_every_ring() {
    let mut world = World::small(2, Patch::Good);
    world.advance();
    assert_eq!(hold(&world, "stage-1"), Some(Hold::Approval));
    world.approve();
    world.advance();
    assert_eq!(world.tasks.len(), 1, "of two of staging one stays");
    assert_eq!(hold(&world, "stage-2"), Some(Hold::BatchBefore));
    assert_eq!(hold(&world, "main-1"), Some(Hold::StageBefore("staging".to_owned())));
    world.go_on(HOUR_MS);
    let Soak::Running { from, until, .. } = world.rollout.soak else { panic!("{:?}", world.rollout.soak) };
    assert_eq!(until.since_ms(from), 48 * HOUR_MS);
    assert_eq!(hold(&world, "canary-1"), Some(Hold::Soak(until)));
    world.go_on(until.since_ms(world.now) - MINUTE_MS);
    assert_eq!(world.rollout.begun, 2, "production waits for all of it, though the patch is for what is exploited");
    world.go_on(3 * HOUR_MS);
    assert!(matches!(&world.rollout.soak, Soak::Passed { report } if report.metrics.len() == 2));
    assert!(matches!(world.rollout.state, RolloutState::Ended { end: RolloutEnd::Done, .. }));
    assert_eq!(world.rollout.tally(), [("done", 8)].into());
    assert!(world.opened.is_empty() && world.carries.len() == 8);
}

#[test]
fn a_bad_patch_stops_at_its_first_batch_is_taken_back_and_opens_an_incident() {
    let mut world = World::small(2, Patch::Bad);
    world.approve();
    world.advance();
    world.go_on(DAY_MS);
    assert!(matches!(world.rollout.state, RolloutState::Ended { end: RolloutEnd::RolledBack, .. }));
    assert_eq!(world.hurt.len(), 1);
    assert!(world.carries.is_empty());
    assert_eq!(world.rollout.targets["stage-1"].state.word(), "rolled back");
    assert_eq!(hold(&world, "main-1"), Some(Hold::Over));
    let evidence = &world.opened[0];
    assert!(
        evidence.title.starts_with("openssl made stage-1 worse: 1 of 1 metrics: fail; latency"),
        "{}",
        evidence.title
    );
    assert_eq!((evidence.target.as_deref(), evidence.services.as_slice()), (Some("stage-1"), &["shop".to_owned()][..]));
    assert!(evidence.report.is_some() && evidence.carriers == ["stage-1"]);
}

#[test]
fn what_harms_in_production_only_is_taken_back_everywhere_newest_first() {
    let mut world = World::small(1, Patch::BadInProduction);
    world.approve();
    world.go_on(49 * HOUR_MS + 2 * HOUR_MS);
    assert_eq!(world.hurt.iter().collect::<Vec<_>>(), ["canary-1"]);
    let taken: Vec<_> = world.notes.iter().filter(|note| note.contains("takes ")).collect();
    let order: Vec<_> = taken.iter().map(|note| note.split(' ').nth(2).unwrap()).collect();
    assert_eq!(order, ["canary-1", "stage-2", "stage-1"]);
    assert!(world.carries.is_empty());
}

#[test]
fn a_soak_that_cannot_tell_is_left_to_a_person() {
    let mut world = World::small(2, Patch::Good);
    world.approve();
    world.go_on(HOUR_MS);
    world.silent.insert("stage-2".to_owned());
    world.go_on(3 * DAY_MS);
    assert!(matches!(world.rollout.soak, Soak::Undecided { .. }));
    assert_eq!(hold(&world, "canary-1"), Some(Hold::SoakUndecided));
    let (by, reason) = by();
    let empty = RolloutRequest::Decide { target: None, is_good: true, by: by.clone(), reason: " ".to_owned() };
    assert!(world.ask(&empty).unwrap_err().contains("reason"));
    world.ask(&RolloutRequest::Decide { target: None, is_good: true, by, reason }).unwrap();
    world.go_on(DAY_MS);
    assert_eq!(world.rollout.tally(), [("done", 8)].into());
}

#[test]
fn no_metric_after_a_patch_stops_everything_until_a_person_decides() {
    let mut world = World::small(2, Patch::Good);
    world.silent.insert("stage-1".to_owned());
    world.approve();
    world.go_on(DAY_MS);
    assert_eq!(world.rollout.targets["stage-1"].state.word(), "undecided");
    assert_eq!(hold(&world, "stage-2"), Some(Hold::Undecided("stage-1".to_owned())));
    let (by, reason) = by();
    let target = Some("stage-1".to_owned());
    world.ask(&RolloutRequest::Decide { target, is_good: false, by, reason }).unwrap();
    world.go_on(HOUR_MS);
    assert_eq!(world.rollout.targets["stage-1"].state.word(), "rolled back");
    assert_eq!(world.opened.len(), 1);
}

#[test]
fn the_soak_may_be_shortened_by_a_person_and_is_compared_all_the_same() {
    let mut world = World::small(2, Patch::BadLater);
    world.approve();
    world.go_on(HOUR_MS);
    let (by, reason) = by();
    let until = world.now + 4 * HOUR_MS;
    world.ask(&RolloutRequest::ShortenSoak { until, by: by.clone(), reason: reason.clone() }).unwrap();
    assert!(world.ask(&RolloutRequest::ShortenSoak { until, by, reason }).unwrap_err().contains("would not shorten"));
    world.go_on(DAY_MS);
    assert!(matches!(world.rollout.soak, Soak::Failed { .. }));
    assert!(world.carries.is_empty() && world.hurt.iter().all(|name| name.starts_with("stage")));
}

#[test]
fn an_approval_is_for_one_plan_only() {
    let mut world = World::small(2, Patch::Good);
    let wrong = RolloutRequest::Approve { by: "ada".to_owned(), digest: "0".repeat(64) };
    assert!(world.ask(&wrong).unwrap_err().contains("another plan"));
    world.kill = true;
    world.approve();
    world.advance();
    assert_eq!(hold(&world, "stage-1"), Some(Hold::Kill("ada".to_owned())));
    let same = plan(&need(small_fleet()), &rules(batch_of(2)), START + 1);
    let other = plan(&need(small_fleet()), &rules(batch_of(1)), START + 1);
    assert!(world.rollout.replan(same, world.now).unwrap().0.is_approved(), "the same again keeps it");
    let (rollout, orders) = world.rollout.replan(other.clone(), world.now).unwrap();
    assert!(!rollout.is_approved() && orders.len() == 1);
    world.rollout = rollout;
    world.kill = false;
    world.pass(MINUTE_MS);
    assert_eq!(hold(&world, "stage-1"), Some(Hold::Approval));
    world.approve();
    world.advance();
    assert_eq!(world.rollout.begun, 1);
    assert!(world.rollout.replan(other, world.now).unwrap_err().to_string().contains("has begun"));
}

#[test]
fn an_installation_that_fails_is_taken_back_and_stops_the_rollout() {
    let mut world = World::small(2, Patch::Good);
    world.approve();
    world.advance();
    let task = world.tasks.remove(0);
    let why = "dpkg: error processing".to_owned();
    world.tell(&task.target, task.attempt, &TargetEnd::Failed { why, may_have_changed: true });
    world.go_on(HOUR_MS);
    assert!(matches!(world.rollout.state, RolloutState::Ended { end: RolloutEnd::Stopped, .. }));
    assert_eq!(world.rollout.targets["stage-1"].state.word(), "rolled back");
    assert_eq!((world.opened.len(), world.rollout.begun), (1, 1));
}

#[test]
fn what_cannot_be_taken_back_says_so() {
    let mut world = World::small(1, Patch::Bad);
    world.approve();
    world.advance();
    world.do_tasks();
    while world.tasks.is_empty() {
        world.pass(MINUTE_MS);
    }
    let task = world.tasks.remove(0);
    assert!(task.is_undo);
    world.tell(
        &task.target,
        task.attempt,
        &TargetEnd::RollBackFailed { why: "3.0.1 is gone from the mirror".to_owned() },
    );
    world.advance();
    let word = &world.rollout.targets["stage-1"].state;
    assert!(matches!(word, TargetState::CannotRollBack { why } if why.contains("mirror")));
    assert!(world.rollout.is_over());
}

#[test]
fn a_lost_end_is_unknown_and_nothing_is_begun_twice() {
    let mut world = World::small(1, Patch::Good);
    world.approve();
    world.advance();
    let task = world.tasks.remove(0);
    world.restart();
    assert_eq!(world.probes, [("stage-1".to_owned(), 1)]);
    world.go_on(HOUR_MS);
    assert_eq!(world.rollout.targets["stage-1"].state.word(), "unknown");
    assert_eq!(hold(&world, "stage-2"), Some(Hold::Unsettled("stage-1".to_owned())));
    assert!(world.tasks.is_empty() && world.probes.len() > 3, "it is asked again and again, and not begun");
    world.tell("stage-1", 1, &TargetEnd::Found { carries: false });
    world.advance();
    assert_eq!(world.tasks.len(), 1);
    assert_eq!(world.tasks[0].attempt, 2);
    let before = world.rollout.clone();
    world.tell("stage-1", task.attempt, &TargetEnd::Patched { reboot: None });
    assert_eq!(world.rollout, before, "the end of the first order is late");
    world.go_on(5 * DAY_MS);
    assert_eq!(world.rollout.tally(), [("done", 8)].into());
}

#[test]
fn an_incident_pauses_and_a_person_lets_it_go_on() {
    let mut world = World::small(1, Patch::Good);
    world.approve();
    world.advance();
    world.incidents.insert("stage-1".to_owned(), IncidentId(7));
    world.advance();
    let RolloutState::Paused { why, incident } = &world.rollout.state else { panic!("{:?}", world.rollout.state) };
    assert!(why.starts_with("INC-7 came up on stage-1") && *incident == Some(IncidentId(7)));
    world.go_on(HOUR_MS);
    assert_eq!(world.rollout.begun, 1);
    let (by, reason) = by();
    world.ask(&RolloutRequest::Resume { by, reason }).unwrap();
    world.go_on(HOUR_MS);
    assert_eq!(world.rollout.state, RolloutState::Running, "what is known does not pause it again");
    assert_eq!(world.rollout.begun, 2);
}

#[test]
fn what_holds_a_target_is_told() {
    let mut world = World::small(1, Patch::Good);
    world.approve();
    let held = |world: &mut World| {
        world.advance();
        hold(world, "stage-1")
    };
    world.frozen = true;
    assert!(matches!(held(&mut world), Some(Hold::Frozen { .. })));
    (world.frozen, world.freeze_in_ms) = (false, Some(20 * MINUTE_MS));
    assert!(matches!(held(&mut world), Some(Hold::FreezeNear { .. })));
    world.freeze_in_ms = None;
    world.incidents.insert("stage-1".to_owned(), IncidentId(3));
    assert_eq!(held(&mut world).unwrap().to_string(), "INC-3 is active on it");
    world.incidents.clear();
    world.unreachable.insert("stage-1".to_owned());
    assert!(held(&mut world).unwrap().to_string().starts_with("it does not answer; tried again at "));
    world.unreachable.clear();
    world.excepted.insert("stage-1".to_owned(), 4);
    assert!(held(&mut world).unwrap().to_string().starts_with("EXC-4 leaves it as it is"));
    world.excepted.clear();
    world.unseen.insert("stage-2".to_owned());
    assert_eq!(
        held(&mut world).unwrap().to_string(),
        "service shop in staging: 0 others are healthy, 1 must be",
        "what is not known is not healthy"
    );
    world.unseen.clear();
    assert_eq!(held(&mut world), None);
    assert_eq!(world.rollout.begun, 1);
}

#[test]
fn what_was_not_looked_at_is_not_called_healthy_without_a_reboot() {
    let mut world = World::small(1, Patch::Good);
    world.approve();
    world.advance();
    let task = world.tasks.remove(0);
    world.change(&task);
    let reboot = Some(Reboot::Untold("12 processes could not be looked into".to_owned()));
    world.tell(&task.target, task.attempt, &TargetEnd::Patched { reboot });
    world.go_on(HOUR_MS);
    assert_eq!(world.rollout.targets["stage-1"].state.word(), "reboot unknown");
    assert!(world.rollout.is_settled("stage-1"));
}

#[test]
fn a_window_must_be_long_enough_and_a_reboot_is_told() {
    let mut world = World::small(1, Patch::Good);
    world.approve();
    world.advance();
    let task = world.tasks.remove(0);
    world.change(&task);
    world.tell(
        &task.target,
        task.attempt,
        &TargetEnd::Patched { reboot: Some(Reboot::Needed("dbus-daemon".to_owned())) },
    );
    world.window_for_ms = None;
    world.go_on(3 * DAY_MS);
    assert_eq!(world.rollout.targets["stage-1"].state.word(), "reboot pending");
    assert!(matches!(hold(&world, "canary-1"), Some(Hold::WindowShut { next: Some(_) })));
    world.window_for_ms = Some(24 * MINUTE_MS);
    world.advance();
    assert!(matches!(hold(&world, "canary-1"), Some(Hold::WindowShort { .. })));
    world.window_for_ms = Some(25 * MINUTE_MS);
    world.advance();
    assert_eq!(world.rollout.begun, 3);
}

#[test]
fn without_staging_a_person_has_to_let_production_begin() {
    let fleet = small_fleet().into_iter().filter(|one| one.name.starts_with("main")).collect();
    let mut world = World::new(plan(&need(fleet), &rules(batch_of(1)), START), Patch::Good);
    world.approve();
    world.advance();
    assert_eq!(hold(&world, "main-1"), Some(Hold::SoakUndecided));
    let (by, reason) = by();
    world.ask(&RolloutRequest::Decide { target: None, is_good: true, by, reason }).unwrap();
    world.go_on(DAY_MS);
    assert_eq!(world.rollout.tally(), [("done", 4)].into());
}

#[test]
fn a_stop_keeps_what_is_patched_and_a_roll_back_takes_it_back() {
    for is_back in [false, true] {
        let mut world = World::small(1, Patch::Good);
        world.approve();
        world.go_on(HOUR_MS);
        let (by, reason) = by();
        let request =
            if is_back { RolloutRequest::RollBack { by, reason } } else { RolloutRequest::Stop { by, reason } };
        world.ask(&request).unwrap();
        world.go_on(HOUR_MS);
        assert!(world.rollout.is_over());
        assert_eq!((world.carries.len(), world.rollout.begun), (if is_back { 0 } else { 2 }, 2));
        assert!(world.ask(&request).unwrap_err().contains("is over"));
    }
}

#[test]
fn a_host_that_is_gone_can_be_given_up() {
    let mut world = World::small(1, Patch::Bad);
    world.approve();
    world.advance();
    world.do_tasks();
    world.unreachable.insert("stage-1".to_owned());
    world.go_on(2 * HOUR_MS);
    assert!(matches!(world.rollout.state, RolloutState::Ending { .. }) && world.rollout.undo.len() == 1);
    let (by, reason) = by();
    world.ask(&RolloutRequest::Skip { target: "stage-1".to_owned(), by, reason }).unwrap();
    world.advance();
    assert!(world.rollout.is_over());
    assert_eq!(world.rollout.targets["stage-1"].state.word(), "cannot roll back");
}
