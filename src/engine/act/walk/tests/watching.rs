//! Verify and wait steps, branches, questions and metric checks: what happens by time and by what is seen.

use super::*;

#[test]
fn no_data_is_not_success() {
    let mut drive = Drive::new(steps());
    drive.walk_to_verify();
    let until = drive.now + 600_000;
    assert!(!drive.tick(until - 1, &[]));
    assert!(drive.tick(until, &[]));
    assert_eq!(drive.run.state, RunState::Failed);
    assert!(matches!(&drive.run.steps[3].state, StepState::Failed { reason, .. } if reason.contains("no data")));
}

#[test]
fn a_sample_counts_once_and_old_ones_not_at_all() {
    let mut drive = Drive::new(steps());
    drive.walk_to_verify();
    assert!(!drive.tick(T0 + 1_000, &[(T0.0, 0.01)]), "measured before the step began");
    let sample = [(T0.0 + 10_000, 0.01)];
    assert!(drive.tick(T0 + 10_000, &sample));
    for second in 11..200 {
        assert!(!drive.tick(T0 + second * 1_000, &sample), "silence holds nothing");
    }
    assert_eq!(drive.run.state, RunState::Active);
}

#[test]
fn one_sample_outside_begins_the_hold_again() {
    let mut drive = Drive::new(steps());
    drive.walk_to_verify();
    for (second, value) in [(10, 0.01), (40, 0.01), (55, 0.5), (71, 0.01), (100, 0.01), (130, 0.01)] {
        drive.tick(T0 + second * 1_000, &[(T0.0 + second * 1_000, value)]);
        assert_eq!(drive.run.state, RunState::Active, "at {second}");
    }
    drive.tick(T0 + 131_000, &[(T0.0 + 131_000, 0.01)]);
    assert_eq!(drive.run.state, RunState::Succeeded);
}

#[test]
fn every_instance_must_be_inside_but_those_that_are_gone() {
    let mut drive = Drive::new(steps());
    drive.walk_to_verify();
    // The first instance was replaced long ago and its last word was bad.
    for second in [10, 40, 75] {
        let at = T0.0 + 200_000 + second * 1_000;
        drive.tick(Timestamp(at), &[(T0.0 + 600, 0.9), (at, 0.01), (at - 2_000, 0.4)]);
        assert_eq!(drive.run.state, RunState::Active);
    }
    for second in [10, 40, 75] {
        let at = T0.0 + 300_000 + second * 1_000;
        drive.tick(Timestamp(at), &[(T0.0 + 600, 0.9), (at, 0.01), (at - 2_000, 0.01)]);
    }
    assert_eq!(drive.run.state, RunState::Succeeded);
}

#[test]
fn errors_that_are_gone_because_requests_are_gone_prove_nothing() {
    let volume = MetricGoal { above: Some(100.0), metric: text("requests"), ..goal() };
    let verify = StepKind::Verify { goal: goal(), hold_ms: 60_000, samples_min: 3, volume: Some(volume) };
    let mut drive = Drive::new(vec![bound("home", verify, StepEffect::Read)]);
    // The stand-in gives the same readings for both metrics: 0.01 is well for errors, and far too little for requests.
    for second in (10..700).step_by(10) {
        drive.tick(T0 + second * 1_000, &[(T0.0 + second * 1_000, 0.01)]);
    }
    assert_eq!(drive.run.state, RunState::Failed);
    assert!(matches!(&drive.run.steps[0].state, StepState::Failed { reason, .. } if reason.contains("requests")));
}

#[test]
fn a_wait_lets_time_pass_or_ends_early_by_its_metric() {
    let wait = |until: Option<MetricGoal>| StepKind::Wait { for_ms: 30_000, until };
    let mut plain = bound("wait", wait(None), StepEffect::None);
    plain.spec.timeout_ms = 30_000;
    let mut drive = Drive::new(vec![plain]);
    assert!(!drive.tick(T0 + 29_999, &[]));
    assert!(drive.tick(T0 + 30_000, &[]));
    assert_eq!(drive.run.state, RunState::Succeeded);

    let mut drive = Drive::new(vec![bound("wait", wait(Some(goal())), StepEffect::None)]);
    drive.tick(T0 + 5_000, &[(T0.0 + 5_000, 0.9)]);
    drive.tick(T0 + 10_000, &[(T0.0 + 10_000, 0.01)]);
    assert_eq!(drive.run.state, RunState::Active);
    drive.tick(T0 + 40_000, &[(T0.0 + 40_000, 0.01)]);
    assert_eq!(drive.run.state, RunState::Succeeded);
}

fn branch(cases: Vec<Case>) -> BoundStep {
    bound("branch", StepKind::Branch { cases, otherwise: Goto::Escalate }, StepEffect::None)
}

fn going_on(name: &str) -> BoundStep {
    let look = Look::Call {
        call: call("kubectl get pods"),
        expect: text("^payment .* Running$"),
        exit: 0,
        lines_min: 0,
        only: None,
    };
    let check = CheckSpec { look, otherwise: Unexpected::GoOn, proves: Vec::new() };
    bound(name, StepKind::Check(check), StepEffect::Read)
}

#[test]
fn an_act_that_says_something_else_than_its_page_expects_pauses_the_run() {
    let expecting = |expect: &str| ActSpec { expect: text(expect), ..act("kubectl apply") };
    for (expect, goes_on) in [("", true), ("^rolled back$", true), ("^done$", false)] {
        let act = bound("act", StepKind::Act(Box::new(expecting(expect))), StepEffect::Reversible);
        let mut drive = Drive::new(vec![act, bound("read", StepKind::Note, StepEffect::None)]);
        drive.approve(0).unwrap();
        drive.say(0, "rolled back");
        drive.exit(0, 0);
        assert!(matches!(drive.run.steps[0].state, StepState::Succeeded { .. }), "{expect}");
        assert_eq!(drive.run.state == RunState::Active, goes_on, "{expect}: {}", drive.run.word);
    }
}

#[test]
fn a_check_that_wants_a_list_counts_its_lines() {
    let look = Look::Call { call: call("kubectl top pods"), expect: text(""), exit: 0, lines_min: 2, only: None };
    let check = CheckSpec { look, otherwise: Unexpected::GoOn, proves: Vec::new() };
    for (lines, is_enough) in [(["/var", "/opt"], true), (["/var", "  "], false)] {
        let mut drive = Drive::new(vec![bound("look", StepKind::Check(check.clone()), StepEffect::Read)]);
        drive.approve(0).unwrap();
        for line in lines {
            drive.say(0, line);
        }
        drive.exit(0, 0);
        assert_eq!(drive.run.steps[0].is_as_expected, Some(is_enough), "{lines:?}");
    }
}

#[test]
fn a_branch_goes_by_what_was_seen_and_passes_over_the_rest() {
    let case = |when, to: &str| Case { when, goto: Goto::Step(text(to)) };
    let met = |is_met| When::Met { step: text("look"), is_met };
    let says = When::Says { step: text("look"), pattern: text("CrashLoop") };
    let page = || {
        vec![
            going_on("look"),
            branch(vec![case(met(true), "well"), case(says.clone(), "crash")]),
            bound("crash", StepKind::Note, StepEffect::None),
            bound("well", StepKind::Note, StepEffect::None),
        ]
    };
    let walked = |line: &str| {
        let mut drive = Drive::new(page());
        drive.approve(0).unwrap();
        drive.say(0, line);
        drive.exit(0, 0);
        drive
    };
    let drive = walked("payment 1/1 Running");
    assert_eq!(drive.run.current_step(), Some(3));
    assert!(matches!(drive.run.steps[2].state, StepState::PassedOver { .. }));
    let drive = walked("payment 0/1 CrashLoopBackOff");
    assert_eq!(drive.run.current_step(), Some(2));
    assert_eq!(drive.run.steps[0].is_as_expected, Some(false));
    let drive = walked("No resources found");
    assert_eq!((drive.run.state, drive.run.is_escalated), (RunState::Stopped, true));
    assert!(drive.notices.last().unwrap().is_urgent);
}

#[test]
fn a_question_is_answered_by_one_of_its_choices_and_by_nothing_else() {
    let choices = vec![
        Choice { text: text("yes"), goto: Goto::Next },
        Choice { text: text("no"), goto: Goto::End },
        Choice { text: text("who knows"), goto: Goto::Escalate },
    ];
    let page = || {
        let ask = StepKind::Ask { question: text("is the backup fresh?"), choices: choices.clone() };
        vec![bound("ask", ask, StepEffect::None), bound("read", StepKind::Note, StepEffect::None)]
    };
    let answered = |choice: usize| {
        let mut drive = Drive::new(page());
        let token = Arc::clone(&drive.run.steps[0].offer);
        let outcome = drive.asks(|run, gate| choose(run, 0, &token, choice, &text(ANA), gate));
        (outcome, drive)
    };
    assert!(matches!(Drive::new(page()).approve(0), Err(GateRefusal::NoWay { .. })));
    assert!(matches!(answered(3).0, Err(GateRefusal::NoWay { .. })));
    let (_, drive) = answered(0);
    assert_eq!((drive.run.current_step(), drive.run.steps[0].answer.as_deref()), (Some(1), Some("yes")));
    assert_eq!(answered(1).1.run.state, RunState::Succeeded);
    assert!(answered(2).1.run.is_escalated);
}

#[test]
fn a_metric_check_looks_by_itself_and_no_data_is_not_as_expected() {
    let check = CheckSpec { look: Look::Metric(goal()), otherwise: Unexpected::Pause, proves: Vec::new() };
    let page = vec![bound("look", StepKind::Check(check), StepEffect::Read), steps().remove(0)];
    let seen =
        |readings: Vec<Reading>| Drive::of(&proposal(page.clone()), |drive| drive.systems.readings = readings).run;
    assert_eq!(seen(vec![reading(T0.0, 0.01)]).current_step(), Some(1));
    assert_eq!(seen(vec![reading(T0.0, 0.9)]).state, RunState::Paused);
    assert_eq!(seen(vec![reading(T0.0, f64::NAN)]).state, RunState::Paused);
    assert_eq!(seen(Vec::new()).state, RunState::Paused);
    let old = |age: i64| seen(vec![reading(T0.0 - age, 0.01)]);
    assert_eq!(old(120_000).current_step(), Some(1));
    assert_eq!(old(120_001).state, RunState::Paused, "what was is not known to be so still");
}

#[test]
fn things_that_get_worse_after_an_act_pause_the_run_once() {
    let mut drive = Drive::new(steps());
    drive.incident.services.insert(ServiceName::new("payment"), T0);
    drive.systems.harm = harm(&[("payment error_ratio", 10.0)], T0);
    drive.walk_to_verify();
    let just_now = drive.now + 5_000;
    drive.systems.harm = harm(&[("payment latency", 50.0)], just_now);
    for later in [5_000, 60_000] {
        drive.now = drive.now + later;
        drive.with(on_tick);
        assert_eq!(
            drive.run.state,
            RunState::Active,
            "what spreads by itself in the first moment is not the act's doing"
        );
    }
    drive.systems.harm = harm(&[("payment error_ratio", 12.0), ("cart latency", 50.0)], drive.now);
    drive.now = drive.now + 1_000;
    drive.with(on_tick);
    assert_eq!(drive.run.state, RunState::Active, "a little more, and a stranger's trouble, are nothing");
    drive.systems.harm = harm(&[("payment error_ratio", 31.0)], T0);
    drive.now = drive.now + 1_000;
    drive.with(on_tick);
    assert_eq!(drive.run.state, RunState::Paused);
    assert!(drive.run.word.contains("from 10σ to 31σ"), "{}", drive.run.word);
    drive.asks(|run, gate| resume(run, "seen", &text(ANA), gate)).unwrap();
    drive.now = drive.now + 1_000;
    drive.with(on_tick);
    assert_eq!(drive.run.state, RunState::Active, "told once");
}

/// What began right after an act, by name, since how many milliseconds after its end, and how far it departs later.
#[test]
fn what_began_right_after_an_act_and_is_still_there_when_it_should_have_helped_is_worse() {
    // `within` of the act is two minutes.
    for (key, since, sigma, services, is_worse) in [
        ("payment latency", 5_000, 50.0, &["payment"][..], true),
        ("payment latency", 5_000, 2.0, &["payment"], false),
        // Elsewhere it must be further off than anything was before the act.
        ("cart latency", 5_000, 11.0, &["payment", "cart"], true),
        ("cart latency", 5_000, 9.0, &["payment", "cart"], false),
        ("cart latency", 5_000, 50.0, &["payment"], false),
        // It began before the act did, and was only seen later.
        ("payment latency", -9_000, 50.0, &["payment"], false),
    ] {
        let mut drive = Drive::new(steps());
        drive.systems.harm = harm(&[("payment error_ratio", 10.0)], T0);
        for service in services {
            drive.incident.services.insert(ServiceName::new(service), T0);
        }
        drive.walk_to_verify();
        let ended_at = drive.now;
        let spread = harm(&[(key, sigma)], Timestamp(ended_at.0 + since));
        for (later, may_pause) in [(44_000, false), (46_000, false), (119_000, false), (120_000, true)] {
            drive.systems.harm = spread.clone();
            drive.now = ended_at + later;
            drive.with(on_tick);
            let wanted = if is_worse && may_pause { RunState::Paused } else { RunState::Active };
            assert_eq!(drive.run.state, wanted, "{key} {since} {sigma} after {later}");
        }
        if is_worse {
            assert!(drive.run.word.contains("should be over by now"), "{}", drive.run.word);
        }
    }
    // Gone in time, it was the failure's own spreading.
    let mut mended = Drive::new(steps());
    mended.incident.services.insert(ServiceName::new("payment"), T0);
    mended.walk_to_verify();
    let ended_at = mended.now;
    mended.systems.harm = harm(&[("payment latency", 50.0)], ended_at + 5_000);
    mended.now = ended_at + 60_000;
    mended.with(on_tick);
    mended.systems.harm.clear();
    mended.now = ended_at + 130_000;
    mended.with(on_tick);
    assert_eq!(mended.run.state, RunState::Active);
}

#[test]
fn what_was_verified_must_hold_for_some_minutes_more() {
    let succeeded = || {
        let mut drive = Drive::new(steps());
        drive.walk_to_verify();
        for second in [10, 40, 75] {
            drive.tick(T0 + second * 1_000, &[(T0.0 + second * 1_000, 0.01)]);
        }
        assert_eq!(drive.run.state, RunState::Succeeded);
        drive
    };
    let after_at = |drive: &mut Drive, second: i64, value: Option<f64>| {
        drive.now = T0 + second * 1_000;
        drive.systems.readings = value.map(|value| reading(drive.now.0, value)).into_iter().collect();
        let verdict = drive.look(after).and_then(|outcome| outcome.verdict);
        drive.with(after);
        verdict
    };
    let mut drive = succeeded();
    assert_eq!(after_at(&mut drive, 200, Some(0.01)), None);
    assert_eq!(after_at(&mut drive, 400, None), None, "no data is not holding");
    assert_eq!(after_at(&mut drive, 401, Some(0.01)), Some(Verdict::Held));
    assert_eq!(after_at(&mut drive, 402, Some(0.9)), None, "said once");
    let mut drive = succeeded();
    assert_eq!(after_at(&mut drive, 100, Some(0.9)), Some(Verdict::CameBack));
    assert_eq!(drive.run.has_held, Some(false));
}

use crate::engine::model::{Case, Choice, Goto, When};
