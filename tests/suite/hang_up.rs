//! The line drops while a command runs: the command comes to its end, and what it said and did is there at the next start.

use std::time::{Duration, Instant};

use hypocenter::engine::model::{Run, RunState, StepState};
use nix::sys::signal::{Signal, kill};

use super::terminal::Session;
use super::walking::{self, Ground};

/// Long enough for the line to drop in the middle of it.
const ACT_TAKES: &str = "3";

/// A console whose first step, an act, is running.
fn amid_the_act(ground: &Ground) -> Session {
    let act = walking::act(&ground.program("act.sh"), "one", "");
    let mut session = ground.console(&walking::page(&[("one", act), ("home", walking::verify())]));
    session.watch("INC-42");
    session.press_still(b"5", "Runbooks that fit");
    session.press_still(b"a", "step 1 of 2");
    session.press_still(b"a", "This changes the world");
    session.press_still(b"y", "running");
    assert_eq!(ground.lines(), [""; 0], "it was over before the line dropped");
    session
}

fn acted(run: &Run) -> &StepState {
    &run.steps[0].state
}

#[test]
fn a_dropped_line_leaves_a_running_command_and_its_output_alone() {
    let folder = tempfile::tempdir().unwrap();
    let ground = Ground::lay(folder.path(), ACT_TAKES);
    let session = amid_the_act(&ground);
    // As the kernel does it when the terminal goes away.
    kill(session.pid(), Signal::SIGHUP).unwrap();
    session.ends();
    assert_eq!(ground.lines(), ["one"]);
    let run = &ground.stored_runs()[&1];
    assert!(matches!(acted(run), StepState::Succeeded { .. }), "{:?}", acted(run));
    assert!(run.steps[0].output.iter().any(|line| line.as_ref() == "did one"), "{:?}", run.steps[0].output);
    // Nothing was begun after it: the next step has nobody to answer for it.
    assert_eq!((run.state, &run.steps[1].begun), (RunState::Active, &Vec::new()));
}

#[test]
fn whoever_does_not_want_to_wait_leaves_it_unknown_and_not_failed() {
    let folder = tempfile::tempdir().unwrap();
    let ground = Ground::lay(folder.path(), "30");
    let mut session = amid_the_act(&ground);
    let begun = Instant::now();
    session.press_still(b"Q", "the program stays until it has ended");
    session.press_still(b"y", "hypo waits for the end of step 1 of RUN-1");
    session.press(b"\x03");
    session.ends_clean();
    assert!(begun.elapsed() < Duration::from_secs(25), "it waited");
    let run = &ground.stored_runs()[&1];
    assert!(matches!(acted(run), StepState::Running { .. }), "{:?}", acted(run));
    let mut session = ground.console(&walking::page(&[("one", walking::act(&ground.program("act.sh"), "one", ""))]));
    session.watch("INC-42");
    session.press_still(b"5", "unknown");
    session.press(b"Q");
    session.ends_clean();
    assert_eq!(ground.lines(), [""; 0], "it is not begun again by itself");
}
