//! Retry, run from here, edit, take back, go on, hand over.

use super::*;

#[test]
fn a_failed_act_is_retried_as_another_attempt_with_another_identity() {
    let mut drive = Drive::new(steps());
    drive.walk_to_running_act();
    drive.exit(2, 1);
    assert_eq!(drive.run.state, RunState::Failed);
    let first = Arc::clone(&drive.run.steps[2].id);
    drive.asks(|run, gate| retry(run, 2, &text(ANA), gate)).unwrap();
    assert_eq!((drive.run.state, drive.run.steps[2].attempt), (RunState::Active, 2));
    assert_ne!(drive.run.steps[2].id, first);
    assert!(drive.run.steps[2].needs_target, "it may have had its effect");
    assert!(matches!(drive.approve(2), Err(GateRefusal::TargetNotTyped(_))));
    drive.approve_typed(2, "deployment/payment").unwrap();
    let ids: Vec<_> = drive.executed.iter().map(|step| Arc::clone(step.step_id())).collect();
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len());
    drive.exit(2, 1);
    drive.asks(|run, gate| retry(run, 2, &text(ANA), gate)).unwrap();
    assert!(
        matches!(drive.approve_typed(2, "deployment/payment"), Err(GateRefusal::Denied(why)) if why.contains("at most 2"))
    );
}

#[test]
fn a_step_under_way_or_unknown_is_not_led_past() {
    let mut drive = Drive::new(steps());
    drive.walk_to_running_act();
    assert!(drive.asks(|run, gate| retry(run, 2, &text(ANA), gate)).is_err());
    assert!(drive.asks(|run, gate| run_from(run, 3, "", &text(ANA), gate)).is_err());
    drive.with(recover);
    assert!(drive.asks(|run, gate| retry(run, 2, &text(ANA), gate)).is_err());
    assert!(drive.asks(|run, gate| run_from(run, 0, "", &text(ANA), gate)).is_err());
}

#[test]
fn running_from_a_later_step_passes_over_and_from_an_earlier_one_asks_again() {
    let mut drive = Drive::new(steps());
    drive.asks(|run, gate| run_from(run, 2, "known", &text(ANA), gate)).unwrap();
    assert_eq!(drive.run.current_step(), Some(2));
    assert!(matches!(&drive.run.steps[1].state, StepState::Skipped { .. }));
    drive.approve(2).unwrap();
    drive.exit(2, 0);
    drive.asks(|run, gate| run_from(run, 1, "look again", &text(ANA), gate)).unwrap();
    assert_eq!(drive.run.current_step(), Some(1));
    assert_eq!(drive.run.steps[2].state, StepState::Pending);
    drive.approve(1).unwrap();
    drive.say(1, "payment");
    drive.exit(1, 0);
    assert!(matches!(drive.approve(2), Err(GateRefusal::TargetNotTyped(_))), "it was done in this very run");
}

#[test]
fn what_was_edited_asks_again_and_keeps_what_is_done() {
    let mut drive = Drive::new(steps());
    drive.approve(0).unwrap();
    let token = Arc::clone(&drive.run.steps[1].offer);
    let params = BTreeMap::from([(text("service"), text("cart"))]);
    let rebound: Vec<BoundStep> =
        steps().into_iter().map(|step| BoundStep { digest: format!("{}-cart", step.digest).into(), ..step }).collect();
    drive.asks(|run, gate| edit(run, &params, &rebound, &text(ANA), gate)).unwrap();
    assert!(matches!(drive.run.steps[0].state, StepState::Succeeded { .. }));
    assert_eq!(drive.run.steps[0].bound.digest.as_ref(), "digest-read");
    assert_eq!(drive.run.steps[1].bound.digest.as_ref(), "digest-look-cart");
    assert_eq!(drive.approve_as_shown(1, &token, None), Err(GateRefusal::Changed { run: RunId(3), step: 1 }));
    assert!(drive.asks(|run, gate| edit(run, &params, &rebound, &text(ANA), gate)).is_err(), "nothing new");
    drive.approve(1).unwrap();
}

#[test]
fn what_was_found_out_with_other_values_is_found_out_again() {
    let mut drive = Drive::new(steps());
    drive.walk_to_offered_act();
    assert!(matches!(drive.run.steps[1].state, StepState::Succeeded { .. }));
    let params = BTreeMap::from([(text("service"), text("cart"))]);
    let rebound: Vec<BoundStep> =
        steps().into_iter().map(|step| BoundStep { digest: format!("{}-cart", step.digest).into(), ..step }).collect();
    drive.asks(|run, gate| edit(run, &params, &rebound, &text(ANA), gate)).unwrap();
    assert_eq!(drive.run.current_step(), Some(1), "the check's proof was of another target");
    assert_eq!(drive.run.steps[1].bound.digest.as_ref(), "digest-look-cart");
    assert_eq!(drive.run.steps[1].is_as_expected, None);
    assert!(matches!(drive.run.steps[0].state, StepState::Succeeded { .. }), "a text that was read is read");
}

#[test]
fn an_act_that_is_led_past_again_can_still_be_taken_back() {
    let acts = |n: &str| bound(n, act_kind(&format!("kubectl {n}")), StepEffect::Reversible);
    let mut drive = Drive::new(vec![acts("one"), acts("two"), steps().remove(3)]);
    for step in 0..2 {
        drive.approve(step).unwrap();
        drive.exit(step, 0);
    }
    drive.asks(|run, gate| run_from(run, 0, "once more", &text(ANA), gate)).unwrap();
    let params = BTreeMap::from([(text("service"), text("cart"))]);
    let rebound: Vec<BoundStep> = drive.run.steps.iter().map(|step| step.bound.clone()).collect();
    let rebound: Vec<BoundStep> =
        rebound.into_iter().map(|step| BoundStep { digest: format!("{}-cart", step.digest).into(), ..step }).collect();
    let edited = drive.asks(|run, gate| edit(run, &params, &rebound, &text(ANA), gate));
    assert!(matches!(edited, Err(GateRefusal::NoWay { why, .. }) if why.contains("take it back first")));
    let take_back = |drive: &mut Drive, step: usize| {
        let id = Arc::clone(&drive.run.steps[step].id);
        drive.asks(|run, gate| undo(run, step, &id, &text(ANA), gate))
    };
    assert!(matches!(take_back(&mut drive, 0), Err(GateRefusal::NoUndo { why, .. }) if why.contains("step 2")));
    for step in [1, 0] {
        take_back(&mut drive, step).unwrap();
        drive.exit(step, 0);
        assert!(matches!(drive.run.steps[step].state, StepState::Undone { .. }));
        assert!(take_back(&mut drive, step).is_err(), "once");
    }
}

#[test]
fn acts_are_taken_back_in_reverse_order_and_the_run_pauses() {
    let acts = |n: &str| bound(n, act_kind(&format!("kubectl {n}")), StepEffect::Reversible);
    let mut drive = Drive::new(vec![acts("one"), acts("two"), steps().remove(3)]);
    for step in 0..2 {
        drive.approve(step).unwrap();
        drive.exit(step, 0);
    }
    let take_back = |drive: &mut Drive, step: usize| {
        let id = Arc::clone(&drive.run.steps[step].id);
        drive.asks(|run, gate| undo(run, step, &id, &text(ANA), gate))
    };
    assert!(matches!(take_back(&mut drive, 0), Err(GateRefusal::NoUndo { why, .. }) if why.contains("step 2")));
    assert!(drive.asks(|run, gate| undo(run, 1, "another", &text(ANA), gate)).is_err());
    take_back(&mut drive, 1).unwrap();
    assert_eq!(drive.executed.last().unwrap().purpose(), Purpose::Undo);
    drive.exit(1, 0);
    assert!(matches!(drive.run.steps[1].state, StepState::Undone { .. }));
    assert_eq!(drive.run.state, RunState::Paused);
    take_back(&mut drive, 0).unwrap();
    drive.exit(0, 3);
    assert!(matches!(&drive.run.steps[0].state, StepState::Failed { reason, .. } if reason.contains("exit code 3")));
    assert!(drive.run.is_escalated);
    assert_eq!(
        drive.look(|_, gate| policy::acts_begun(gate, &IncidentId(42).into())).by_people,
        4,
        "taking back is an act"
    );
}

#[test]
fn what_has_no_way_back_says_why() {
    let one_way = ActSpec { undo: None, rollback_text: text("none: it is gone"), ..act("kubectl delete pod") };
    let mut drive = Drive::new(vec![bound("drop", StepKind::Act(Box::new(one_way)), StepEffect::Reversible)]);
    drive.approve(0).unwrap();
    drive.exit(0, 0);
    let id = Arc::clone(&drive.run.steps[0].id);
    let refused = drive.asks(|run, gate| undo(run, 0, &id, &text(ANA), gate));
    assert!(matches!(refused, Err(GateRefusal::NoUndo { why, .. }) if why.contains("gone")));
}

#[test]
fn stopping_with_a_reason_hands_over() {
    let mut drive = Drive::new(steps());
    drive.asks(|run, gate| stop(run, Some("beyond me"), &text(ANA), gate)).unwrap();
    assert_eq!((drive.run.state, drive.run.is_escalated), (RunState::Stopped, true));
    assert!(drive.notices.last().unwrap().text.contains("beyond me"));
    assert!(drive.asks(|run, gate| retry(run, 0, &text(ANA), gate)).is_err(), "what a person stopped stays stopped");
}

#[test]
fn a_failed_check_is_skipped_with_a_reason_and_the_run_goes_on() {
    let mut drive = Drive::new(steps());
    drive.approve(0).unwrap();
    drive.approve(1).unwrap();
    drive.exit(1, 1);
    assert!(drive.asks(|run, gate| resume(run, "", &text(ANA), gate)).is_err(), "the step itself must be answered");
    drive.asks(|run, gate| skip(run, 1, "no access, seen elsewhere", &text(ANA), gate)).unwrap();
    assert_eq!((drive.run.state, drive.run.current_step()), (RunState::Active, Some(2)));
}
