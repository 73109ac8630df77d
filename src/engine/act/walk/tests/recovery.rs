//! What is made of a run whose program died, and of a step nobody hears of again.

use super::*;
use crate::engine::model::AuditEntry;

#[test]
fn an_act_cut_off_by_a_crash_is_unknown_and_never_begins_again_by_itself() {
    let mut drive = Drive::new(steps());
    drive.walk_to_running_act();
    let since = drive.now;
    drive.now = T0 + 9_000;
    drive.with(recover);
    assert_eq!(drive.run.steps[2].state, StepState::Unknown { since });
    assert_eq!(drive.run.state, RunState::Interrupted);
    assert!(drive.approve(2).is_err());
    let executed = drive.executed.len();
    assert!(!drive.tick(T0 + 99_000_000, &[]));
    assert_eq!(drive.executed.len(), executed);

    let before = drive.run.clone();
    drive.asks(|run, gate| settle_unknown(run, 2, true, &text(ANA), gate)).unwrap();
    assert_eq!(drive.run.state, RunState::Active);
    assert!(matches!(drive.run.steps[3].state, StepState::Watching { .. }));
    assert_eq!(drive.changes.len(), 1);

    drive.run = before;
    drive.asks(|run, gate| settle_unknown(run, 2, false, &text(ANA), gate)).unwrap();
    assert_eq!(drive.run.steps[2].state, StepState::Waiting);
    assert!(drive.approve(2).is_err(), "it may have happened all the same, so its target is typed");
    drive.approve_typed(2, "deployment/payment").unwrap();
}

#[test]
fn a_check_cut_off_by_a_crash_is_offered_again() {
    let mut drive = Drive::new(steps());
    drive.approve(0).unwrap();
    drive.approve(1).unwrap();
    drive.now = T0 + 9_000;
    drive.with(recover);
    assert_eq!(drive.run.steps[1].state, StepState::Waiting);
    assert_eq!(drive.run.state, RunState::Active);
    assert_eq!(drive.run.steps[1].approved_by, None);
}

#[test]
fn a_step_that_is_never_heard_of_again_becomes_unknown() {
    let mut drive = Drive::new(steps());
    drive.approve(0).unwrap();
    drive.approve(1).unwrap();
    assert!(!drive.tick(T0 + 660_000, &[]));
    assert!(drive.tick(T0 + 660_001, &[]));
    assert_eq!(drive.run.state, RunState::Interrupted);
}

fn with_probe() -> Vec<BoundStep> {
    let mut steps = steps();
    let probed = ActSpec { repeat: Repeat::Probe(call("kubectl get rollout")), ..act("kubectl rollout undo x") };
    steps[2] = bound("undo", StepKind::Act(Box::new(probed)), StepEffect::Reversible);
    steps
}

/// A run whose act was cut off, found again so long after its beginning of everything.
fn cut_off_for(ms: i64) -> Drive {
    let mut drive = Drive::new(with_probe());
    drive.walk_to_running_act();
    drive.now = T0 + ms;
    drive.with(recover);
    drive
}

fn cut_off() -> Drive {
    cut_off_for(900_000)
}

#[test]
fn while_the_act_may_still_be_under_way_its_probe_can_say_that_it_happened_and_not_that_it_did_not() {
    let mut drive = cut_off_for(9_000);
    drive.exit(2, 0);
    assert!(matches!(drive.run.steps[2].state, StepState::Succeeded { .. }));

    let mut drive = cut_off_for(9_000);
    drive.exit(2, 1);
    assert!(matches!(drive.run.steps[2].state, StepState::Unknown { .. }));
    assert_eq!(drive.run.state, RunState::Interrupted);
    assert!(drive.audit_texts().last().unwrap().contains("it may still be under way"));
    let probes = |drive: &Drive| drive.executed.iter().filter(|step| step.purpose() == Purpose::Probe).count();
    assert!(!drive.tick(T0 + 600_999, &[]));
    assert_eq!(probes(&drive), 1);
    assert!(drive.tick(T0 + 601_000, &[]), "its time is over");
    assert_eq!(probes(&drive), 2);
    drive.exit(2, 1);
    assert_eq!(drive.run.steps[2].state, StepState::Waiting);

    let mut drive = cut_off_for(9_000);
    drive.exit(2, 1);
    assert!(drive.tick(T0 + 601_000, &[]));
    drive.exit(2, 2);
    assert!(!drive.tick(T0 + 9_000_000, &[]), "once more, and then a person looks");
}

#[test]
fn a_probe_begins_at_once_and_says_whether_it_happened() {
    for (code, state) in [
        (0, StepState::Succeeded { at: T0 + 900_500 }),
        (1, StepState::Waiting),
        (2, StepState::Unknown { since: T0 + 1_000 }),
    ] {
        let mut drive = cut_off();
        assert_eq!(drive.executed.last().unwrap().purpose(), Purpose::Probe);
        drive.exit(2, code);
        assert_eq!(drive.run.steps[2].state, state, "exit code {code}");
        assert_eq!(drive.run.state == RunState::Active, code != 2);
        let acts = drive.executed.iter().filter(|step| step.purpose() == Purpose::Run && step.step() == 2).count();
        assert_eq!(acts, 1, "nothing was begun again");
    }
}

#[test]
fn what_runs_over_ssh_is_ended_on_its_machine_before_the_probe_looks() {
    let over_ssh = |host: &str| Call::Ssh { host: text(host), argv: argv("systemctl restart payment") };
    let mut steps = with_probe();
    if let StepKind::Act(act) = &mut steps[2].spec.kind {
        (act.call, act.undo) = (over_ssh("web-1"), Some(over_ssh("web-2")));
        act.repeat = Repeat::Look { call: call("kubectl get rollout"), expect: text("new"), undone: text("old") };
    }
    for (is_undo, ms, host) in
        [(false, 9_000, None), (false, 900_000, Some("web-1")), (true, 9_000, None), (true, 900_000, Some("web-2"))]
    {
        let proposal = proposal(steps.clone());
        let mut drive = Drive::of(&proposal, |drive| {
            drive.settings.allowed_programs.push("ssh".to_owned());
            drive.settings.ssh.programs.push("systemctl".to_owned());
            drive.settings.ssh.hosts.push("web-*".to_owned());
        });
        drive.walk_to_running_act();
        if is_undo {
            drive.exit(2, 0);
            let id = Arc::clone(&drive.run.steps[2].id);
            drive.asks(|run, gate| undo(run, 2, &id, &text(ANA), gate)).unwrap();
        }
        drive.now = T0 + ms;
        drive.with(recover);
        let probe = drive.executed.last().unwrap();
        assert_eq!(probe.purpose(), Purpose::Probe, "{is_undo} {ms}");
        let left = probe.left_over();
        assert_eq!(left.and_then(|left| left.host.as_deref()), host, "what may still take its time is left to it");
        assert_eq!(probe.ends_first(), left.map(|left| &left.attempt));
    }
}

#[test]
fn a_probe_cut_off_is_asked_again_and_the_act_is_not() {
    let mut drive = cut_off();
    let probe = Arc::clone(drive.executed.last().unwrap().step_id());
    drive.with(recover);
    assert_eq!(drive.executed.last().unwrap().purpose(), Purpose::Probe);
    assert_ne!(&probe, drive.executed.last().unwrap().step_id());
    drive.exit(2, 1);
    assert_eq!(drive.run.steps[2].attempt, 2, "a second attempt has an identity of its own");
}

#[test]
fn a_connection_that_breaks_leaves_an_act_unknown_and_a_check_to_be_asked() {
    let lost = || StepProgress::Lost { reason: text("the connection broke") };
    let mut drive = Drive::new(steps());
    drive.walk_to_running_act();
    drive.report(2, lost());
    assert!(matches!(drive.run.steps[2].state, StepState::Unknown { .. }));
    assert_eq!(drive.run.state, RunState::Interrupted);
    let mut drive = Drive::new(steps());
    drive.approve(0).unwrap();
    drive.approve(1).unwrap();
    drive.report(1, lost());
    assert!(matches!(drive.run.steps[1].state, StepState::Failed { .. }));
    assert_eq!(drive.run.state, RunState::Paused);
}

#[test]
fn taking_back_that_was_cut_off_is_settled_as_taking_back() {
    for (has_happened, is_undone) in [(true, true), (false, false)] {
        let mut drive = Drive::new(with_probe());
        drive.walk_to_verify();
        let id = Arc::clone(&drive.run.steps[2].id);
        drive.asks(|run, gate| undo(run, 2, &id, &text(ANA), gate)).unwrap();
        drive.with(recover);
        assert_eq!(
            drive.executed.last().unwrap().purpose(),
            Purpose::Undo,
            "no probe: it would answer another question"
        );
        drive.asks(|run, gate| settle_unknown(run, 2, has_happened, &text(ANA), gate)).unwrap();
        assert_eq!(matches!(drive.run.steps[2].state, StepState::Undone { .. }), is_undone);
    }
}

#[test]
fn an_unknown_step_that_is_taken_back_leaves_the_run_paused_not_interrupted() {
    let mut drive = cut_off();
    drive.exit(2, 2);
    assert_eq!(drive.run.state, RunState::Interrupted);
    let id = Arc::clone(&drive.run.steps[2].id);
    drive.asks(|run, gate| undo(run, 2, &id, &text(ANA), gate)).unwrap();
    drive.exit(2, 0);
    assert!(matches!(drive.run.steps[2].state, StepState::Undone { .. }));
    assert_eq!(drive.run.state, RunState::Paused);
}

#[test]
fn what_an_attempt_says_too_late_settles_no_later_attempt() {
    let mut drive = Drive::new(steps());
    drive.walk_to_running_act();
    let first = drive.attempt_of(2);
    // Nobody heard of it again; a person says that it did not happen, and tries once more.
    drive.tick(drive.now + 660_001, &[]);
    let ends = [
        StepProgress::Exited { code: Some(0), took_ms: 1 },
        StepProgress::Exited { code: Some(1), took_ms: 1 },
        StepProgress::NotStarted { reason: text("gone") },
        StepProgress::Stopped { reason: text("at its timeout") },
        StepProgress::Lost { reason: text("the connection broke") },
        StepProgress::Output(vec![text("late")]),
    ];
    for end in &ends {
        let unknown = drive.run.clone();
        assert!(!drive.report_of(2, &first, end.clone()), "nothing of it is awaited any more");
        assert_eq!(drive.run, unknown);
    }
    drive.asks(|run, gate| settle_unknown(run, 2, false, &text(ANA), gate)).unwrap();
    drive.approve_typed(2, "deployment/payment").unwrap();
    let second = drive.attempt_of(2);
    assert_ne!(first, second);
    for end in ends {
        let running = drive.run.clone();
        for stranger in [&first, &text(""), &text("another")] {
            assert!(!drive.report_of(2, stranger, end.clone()), "{end:?}");
        }
        assert_eq!(drive.run, running, "{end:?}");
    }
    assert!(drive.report_of(2, &second, StepProgress::Exited { code: Some(0), took_ms: 1 }));
    assert!(matches!(drive.run.steps[2].state, StepState::Succeeded { .. }));
}

/// The log of a drive, as the store has it.
fn log(drive: &Drive) -> Vec<AuditEntry> {
    let entries = drive.audit.iter().zip(1..).map(|(note, sequence)| AuditEntry {
        sequence,
        at: Timestamp(7_000_000),
        kind: note.kind,
        by: Arc::clone(&note.by),
        incident: None,
        run: Some(drive.run.id),
        text: Arc::clone(&note.text),
    });
    entries.collect()
}

#[test]
fn a_step_whose_beginning_is_in_the_log_alone_is_unknown_and_cannot_be_approved_again() {
    let mut drive = Drive::new(steps());
    drive.walk_to_offered_act();
    let before = drive.run.clone();
    assert_eq!(before.steps[2].state, StepState::Waiting);
    drive.approve(2).unwrap();
    let begun = drive.run.steps[2].begun[0].id.clone();
    let entries = log(&drive);
    assert!(heed(&drive.run, entries.iter()).is_none(), "what the run knows changes nothing");

    let outcome = heed(&before, entries.iter()).unwrap();
    assert_eq!(outcome.run.steps[2].state, StepState::Unknown { since: Timestamp(7_000_000) });
    assert_eq!(outcome.run.steps[2].begun[0].id, begun, "the whole identity is found again");
    assert_eq!(outcome.run.state, RunState::Interrupted);
    drive.run = outcome.run;
    assert!(drive.approve(2).is_err());
    assert!(heed(&drive.run, entries.iter()).is_none(), "a second start finds nothing new");
}

#[test]
fn looks_and_the_words_of_a_command_begin_nothing() {
    let mut drive = Drive::new(steps());
    drive.walk_to_offered_act();
    let (run, id) = (&drive.run, "0123456789abcdef");
    assert_eq!(
        intent::read(run, &intent::line("kubectl get pods", Purpose::Run, &name_of(run, 1), id)),
        None,
        "a check"
    );
    for purpose in [Purpose::DryRun, Purpose::Probe] {
        assert_eq!(intent::read(run, &intent::line("x", purpose, &name_of(run, 2), id)), None);
    }
    let words = format!("echo ({}, id aaaaaaaaaaaa)", name_of(run, 0));
    for purpose in [Purpose::Run, Purpose::Undo] {
        let told = intent::line(&words, purpose, &name_of(run, 2), id);
        assert_eq!(intent::read(run, &told), Some((2, purpose, "0123456789ab")));
    }
    assert_eq!(intent::read(run, "$ x (step 3 of RUN-1"), None);
}
