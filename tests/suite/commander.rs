//! A commander at 80x24 walks a runbook of seven steps with real programs behind it: one skip, one dry run, one retry, one
//! step taken back, and a handing over at the end.

use hypocenter::engine::model::{Purpose, RunState, StepState};

use super::walking::{self, Ground};

fn page(ground: &Ground) -> String {
    let (act, fail, probe) = (ground.program("act.sh"), ground.program("fail.sh"), ground.program("probe.sh"));
    let tried = format!("dry_run = [\"{probe}\", \"nothing\"]\n");
    let undone = format!("undo = [\"{act}\", \"back\"]\n");
    let look = format!("kind = \"check\"\nrun = [\"{probe}\", \"one\"]");
    let ask = "kind = \"ask\"\nquestion = \"Is it well?\"\nchoices = [{ text = \"it is\" }, { text = \"it is not\", goto = \"escalate\" }]";
    walking::page(&[
        ("read", "kind = \"note\"".to_owned()),
        ("look", look),
        ("one", walking::act(&act, "one", &tried)),
        ("two", walking::act(&fail, "two", &undone)),
        ("ask", ask.to_owned()),
        ("pause", "kind = \"wait\"\nfor = \"1s\"".to_owned()),
        ("home", walking::verify()),
    ])
}

#[test]
fn seven_steps_with_a_skip_a_dry_run_a_retry_and_an_undo() {
    let folder = tempfile::tempdir().unwrap();
    let ground = Ground::lay(folder.path(), "0");
    let mut session = ground.console_in_run(&page(&ground), 7);
    session.press_still(b"a", "step 2 of 7");
    session.press_still(b"s", "Reason:");
    session.press_still(b"seen elsewhere\r", "step 3 of 7");
    session.press_still(b"d", "dry run: exit code 1");
    walking::act_on(&mut session, "step 4 of 7");
    walking::act_on(&mut session, "not yet");
    session.watch("failed");
    std::fs::write(format!("{}.mended", folder.path().join("lines").display()), "").unwrap();
    session.press_still(b"r", "waits for you");
    session.press_still(b"a", "thing-two:");
    session.press_still(b"thing-two\r", "step 5 of 7");
    session.press_still(b"a", "Number of the answer");
    session.press_still(b"1\r", "step 7 of 7");
    session.press_still(b"z", "Take back step 4");
    session.press_still(b"y", "paused");
    session.press_still(b"x", "Hand over because");
    session.press_still(b"beyond me\r", "stopped");
    session.press(b"Q");
    session.ends_clean();
    assert_eq!(ground.lines(), ["one", "two", "back"], "each once, in the order in which it was approved");
    let runs = ground.stored_runs();
    let run = &runs[&1];
    assert_eq!((run.state, run.is_escalated, run.word.as_ref()), (RunState::Stopped, true, "beyond me"));
    assert!(matches!(&run.steps[1].state, StepState::Skipped { reason, .. } if reason.as_ref() == "seen elsewhere"));
    assert!(matches!(run.steps[3].state, StepState::Undone { .. }));
    let purposes = |at: usize| run.steps[at].begun.iter().map(|begun| begun.purpose).collect::<Vec<_>>();
    assert_eq!(purposes(2), [Purpose::DryRun, Purpose::Run]);
    assert_eq!(purposes(3), [Purpose::Run, Purpose::Run, Purpose::Undo]);
    assert_eq!(run.steps[4].answer.as_deref(), Some("it is"));
}
