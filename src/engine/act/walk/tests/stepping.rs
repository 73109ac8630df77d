//! Steps are approved, begin, report, end, are passed over and stopped.

use super::*;

#[test]
fn a_run_walks_from_its_first_step_to_success() {
    let mut drive = Drive::new(steps());
    assert_eq!(drive.run.steps[0].state, StepState::Waiting);
    assert_eq!(drive.run.steps[1].state, StepState::Pending);
    drive.walk_to_verify();
    assert!(matches!(drive.run.steps[3].state, StepState::Watching { .. }), "verify begins by itself");
    for second in [10, 40, 75] {
        assert!(drive.tick(T0 + second * 1_000, &[(T0.0 + second * 1_000, 0.01)]));
    }
    assert_eq!(drive.run.state, RunState::Succeeded);
    assert!(drive.run.ended_at.is_some());
    let change = &drive.changes[0];
    assert_eq!((change.kind, change.service.as_ref().unwrap().as_str()), (ChangeKind::OwnAct, "payment"));
    assert!(change.has_taken_effect);
    assert_eq!(drive.executed.len(), 2);
}

#[test]
fn an_intent_with_the_exact_command_comes_with_every_execution() {
    let mut drive = Drive::new(steps());
    drive.walk_to_running_act();
    let intents: Vec<&str> =
        drive.audit.iter().filter(|note| note.kind == AuditKind::Intent).map(|note| note.text.as_ref()).collect();
    assert_eq!(
        intents,
        [
            format!("$ kubectl get pods (step 2 of RUN-3 (look), id {})", &drive.run.steps[1].id[..12]),
            format!(
                "$ kubectl rollout undo deployment/payment (step 3 of RUN-3 (undo), id {})",
                &drive.run.steps[2].id[..12]
            ),
        ]
    );
}

#[test]
fn a_check_without_what_is_expected_pauses_the_run_and_calls_a_person() {
    let mut drive = Drive::new(steps());
    drive.approve(0).unwrap();
    drive.approve(1).unwrap();
    drive.say(1, "No resources found");
    drive.exit(1, 0);
    assert_eq!(drive.run.state, RunState::Paused);
    assert!(matches!(&drive.run.steps[1].state, StepState::Failed { reason, .. } if reason.contains("`payment`")));
    assert!(drive.notices.last().unwrap().is_urgent, "a person is called");
    assert!(matches!(drive.approve(2), Err(GateRefusal::Paused { .. })));
}

#[test]
fn an_act_that_fails_stops_the_run_and_is_told_as_a_change_without_effect() {
    let mut drive = Drive::new(steps());
    drive.walk_to_running_act();
    drive.exit(2, 1);
    assert_eq!(drive.run.state, RunState::Failed);
    assert_eq!(drive.run.steps[3].state, StepState::Pending);
    assert!(!drive.changes[0].has_taken_effect);
}

#[test]
fn a_run_that_acted_and_failed_is_handed_over_and_taken_back_when_it_is_led_on() {
    let gone = || StepProgress::NotStarted { reason: text("no such program") };
    // What makes it fail, and whether something had been changed by then.
    type Makes<'a> = &'a dyn Fn(&mut Drive);
    let cases: [(Makes<'_>, bool); 4] = [
        (
            &|drive| {
                drive.walk_to_running_act();
                drive.exit(2, 1);
            },
            true,
        ),
        (
            &|drive| {
                drive.walk_to_verify();
                drive.tick(T0 + 660_000_000, &[]);
            },
            true,
        ),
        (
            &|drive| {
                drive.walk_to_running_act();
                drive.report(2, gone());
            },
            false,
        ),
        (
            &|drive| {
                drive.walk_to_running_act();
                drive.exit(2, 1);
                drive.asks(|run, gate| retry(run, 2, &text(ANA), gate)).unwrap();
                assert!(!drive.run.is_escalated, "somebody goes on with it");
                drive.approve_typed(2, "deployment/payment").unwrap();
                drive.report(2, gone());
            },
            true,
        ),
    ];
    for (number, (make, is_escalated)) in cases.into_iter().enumerate() {
        let mut drive = Drive::new(steps());
        make(&mut drive);
        assert_eq!(drive.run.state, RunState::Failed, "{number}");
        assert_eq!((drive.run.is_escalated, !drive.run.word.is_empty()), (is_escalated, is_escalated), "{number}");
        assert!(drive.notices.iter().any(|notice| notice.is_urgent), "{number}");
    }
}

#[test]
fn a_second_report_of_the_end_changes_nothing() {
    let mut drive = Drive::new(steps());
    drive.walk_to_verify();
    assert!(!drive.report(2, StepProgress::Exited { code: Some(1), took_ms: 1 }));
    assert_eq!(drive.changes.len(), 1);
}

#[test]
fn a_dry_run_offers_the_step_again_and_is_no_act() {
    let mut drive = Drive::new(steps());
    drive.walk_to_offered_act();
    let token = Arc::clone(&drive.run.steps[2].offer);
    drive.asks(|run, gate| dry_run(run, 2, &token, &text(ANA), gate)).unwrap();
    assert!(drive.executed.last().unwrap().is_dry_run());
    drive.exit(2, 1);
    assert_eq!(drive.run.steps[2].state, StepState::Waiting);
    assert_eq!(drive.run.state, RunState::Active);
    assert!(drive.changes.is_empty());
    assert_eq!(drive.look(|_, gate| policy::acts_begun(gate, &IncidentId(42).into())), policy::ActCount::default());
    assert_eq!(drive.run.steps[2].attempt, 1, "a dry run is no attempt");
    drive.approve(2).unwrap();
}

#[test]
fn a_dry_run_of_the_same_step_in_another_run_is_another_call() {
    let tried = |run: u64| {
        let mut drive = Drive::new(gate::one_act("kubectl apply"));
        drive.run.id = RunId(run);
        let token = Arc::clone(&drive.run.steps[0].offer);
        drive.asks(|run, gate| dry_run(run, 0, &token, &text(ANA), gate)).unwrap();
        (Arc::clone(&drive.run.steps[0].id), Arc::clone(drive.executed[0].step_id()))
    };
    let ((attempt, first), (same_attempt, second)) = (tried(3), tried(4));
    assert_eq!(attempt, same_attempt, "neither was begun");
    assert_ne!(first, second, "the runner begins no identity twice");
}

#[test]
fn a_note_has_no_dry_run() {
    let mut drive = Drive::new(steps());
    let token = Arc::clone(&drive.run.steps[0].offer);
    let refused = drive.asks(|run, gate| dry_run(run, 0, &token, &text(ANA), gate));
    assert_eq!(refused, Err(GateRefusal::NoDryRun { run: RunId(3), step: 0 }));
}

#[test]
fn skipping_goes_on_and_keeps_the_reason() {
    let mut drive = Drive::new(steps());
    drive.asks(|run, gate| skip(run, 0, "known", &text(ANA), gate)).unwrap();
    assert!(matches!(drive.run.steps[0].state, StepState::Skipped { .. }));
    assert_eq!(drive.run.steps[1].state, StepState::Waiting);
    assert!(drive.audit_texts().contains(&"skipped step 1 of RUN-3 (read): known"));
}

#[test]
fn stopping_cancels_the_command_and_still_records_its_end() {
    let mut drive = Drive::new(steps());
    drive.approve(0).unwrap();
    drive.approve(1).unwrap();
    let outcome = drive.look(|run, gate| stop(run, None, &text(ANA), gate)).unwrap();
    assert_eq!(outcome.cancel, Some(1));
    assert_eq!(outcome.run.state, RunState::Stopped);
    drive.run = outcome.run;
    assert!(drive.report(1, StepProgress::Stopped { reason: text("stopped by a person") }));
    assert_eq!(drive.run.state, RunState::Stopped, "the first end stays");
    assert!(matches!(drive.run.steps[1].state, StepState::Failed { .. }));
    let again = drive.asks(|run, gate| stop(run, None, &text(ANA), gate));
    assert_eq!(again, Err(GateRefusal::RunOver(RunId(3))));
}

#[test]
fn output_keeps_both_ends_and_the_line_a_check_waits_for() {
    let mut drive = Drive::new(steps());
    drive.approve(0).unwrap();
    drive.approve(1).unwrap();
    for number in 0..3_000 {
        drive.say(1, if number == 1_500 { "payment" } else { "other" });
    }
    let step = &drive.run.steps[1];
    assert_eq!(step.output.len(), crate::engine::limits::STEP_OUTPUT_LINES_MAX);
    assert_eq!(step.output_dropped_count, 1_000);
    drive.exit(1, 0);
    assert!(matches!(drive.run.steps[1].state, StepState::Succeeded { .. }));
}

#[test]
fn commands_print_so_that_every_argument_can_be_told_apart() {
    for (parts, expected) in [
        (vec!["kubectl", "get", "pods"], "kubectl get pods"),
        (vec!["echo", "a b", ""], "echo 'a b' ''"),
        (vec!["echo", "it's; rm -rf /"], r"echo 'it'\''s; rm -rf /'"),
    ] {
        let parts: Vec<Arc<str>> = parts.into_iter().map(Arc::from).collect();
        assert_eq!(command_line(&parts), expected);
    }
}

#[test]
fn the_digest_of_all_output_is_in_the_log_and_ends_nothing() {
    let mut drive = Drive::new(steps());
    drive.walk_to_running_act();
    assert!(drive.report(2, StepProgress::Digest { sha256: text("ab12"), bytes: 7 }));
    assert!(drive.audit_texts().last().unwrap().ends_with("wrote 7 bytes, SHA-256 ab12"));
    assert!(matches!(drive.run.steps[2].state, StepState::Running { .. }));
}
