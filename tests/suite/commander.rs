//! A commander at 80x24 walks a runbook of seven steps with real programs behind it: one skip, one dry run, one retry, one
//! step taken back, and a handing over at the end.

use std::time::{Duration, Instant};

use hypocenter::engine::model::{Purpose, RunState, StepState};
use portable_pty::CommandBuilder;

use super::terminal::Session;
use super::walking::{self, Ground};

/// Far more than anything here takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(90);

/// Reads until `text` is on the screen; never presses anything.
fn watch(session: &mut Session, text: &str) {
    let until = Instant::now() + PATIENCE;
    while !session.text().contains(text) {
        assert!(Instant::now() < until, "no `{text}` on\n{}", session.text());
        session.settle(Duration::from_millis(100));
    }
}

/// Presses `keys` once the screen has stood still for longer than keys that act are inert, and reads on until `after`.
fn press(session: &mut Session, keys: &[u8], after: &str) {
    session.settle(Duration::from_millis(700));
    session.press(keys);
    watch(session, after);
}

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
    let pages = folder.path().join("pages");
    std::fs::create_dir(&pages).unwrap();
    std::fs::write(pages.join("mend.md"), page(&ground)).unwrap();
    let programs = ["act.sh", "fail.sh", "probe.sh"].map(|name| format!("{:?}", ground.program(name))).join(", ");
    let config = folder.path().join("config.toml");
    let text = format!(
        "[host]\nenabled = false\n[runbooks]\nfolders = [{:?}]\nallowed_programs = [{programs}]\n",
        pages.display().to_string()
    );
    std::fs::write(&config, text).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_hypo"));
    command.env_clear();
    for (name, value) in [("PATH", "/usr/bin:/bin"), ("TERM", "xterm-256color"), ("LANG", "C.UTF-8")] {
        command.env(name, value);
    }
    command.env("HOME", folder.path());
    command.args([
        "--config".into(),
        config.into_os_string(),
        "--state-dir".into(),
        ground.state_dir().into_os_string(),
    ]);
    let mut session = Session::start(command);
    watch(&mut session, "INC-42");
    press(&mut session, b"5", "Runbooks that fit");
    press(&mut session, b"a", "step 1 of 7");
    press(&mut session, b"a", "step 2 of 7");
    press(&mut session, b"s", "Reason:");
    session.settle(Duration::from_millis(700));
    session.press(b"seen elsewhere\r");
    watch(&mut session, "step 3 of 7");
    press(&mut session, b"d", "dry run: exit code 1");
    press(&mut session, b"a", "This changes the world");
    press(&mut session, b"y", "step 4 of 7");
    press(&mut session, b"a", "This changes the world");
    press(&mut session, b"y", "not yet");
    watch(&mut session, "failed");
    std::fs::write(format!("{}.mended", folder.path().join("lines").display()), "").unwrap();
    press(&mut session, b"r", "waits for you");
    press(&mut session, b"a", "thing-two:");
    session.settle(Duration::from_millis(700));
    session.press(b"thing-two\r");
    watch(&mut session, "step 5 of 7");
    press(&mut session, b"a", "Number of the answer");
    session.settle(Duration::from_millis(700));
    session.press(b"1\r");
    watch(&mut session, "step 7 of 7");
    press(&mut session, b"z", "Take back step 4");
    press(&mut session, b"y", "paused");
    press(&mut session, b"x", "Hand over because");
    session.settle(Duration::from_millis(700));
    session.press(b"beyond me\r");
    watch(&mut session, "stopped");
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
