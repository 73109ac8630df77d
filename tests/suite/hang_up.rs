//! The line drops while a command runs: the engine goes on, the command comes to its end, and what it said and did is kept.

use std::sync::Arc;

use hypocenter::app::attach::pump;
use hypocenter::engine::attach::place::Place;
use hypocenter::engine::model::{Run, RunState, StepState};
use hypocenter::engine::request::{Reply, Request};
use hypocenter::engine::settings::AttachSettings;
use nix::sys::signal::{Signal, kill};

use super::engines::until;
use super::terminal::Session;
use super::walking::{self, Ground};

/// One act, with more time than any machine takes to get here.
fn page(ground: &Ground) -> String {
    let act = walking::act(&ground.program("act.sh"), "one", "").replace("\"30s\"", "\"5m\"");
    walking::page(&[("one", act), ("home", walking::verify())])
}

/// A console whose first step, an act, is running until it is let go.
fn amid_the_act(ground: &Ground) -> Session {
    ground.hold();
    let mut session = ground.console_in_run(&page(ground), 2);
    walking::act_on(&mut session, "running");
    assert_eq!(ground.lines(), [""; 0], "it was over before the line dropped");
    session
}

fn acted(run: &Run) -> &StepState {
    &run.steps[0].state
}

/// Ends the engine, which waits for the command. Whoever comes meanwhile sees the run that is waited for, and does this, with a way to
/// ask for something; it must be what the engine ends by.
fn while_it_waits(ground: &Ground, does: impl FnOnce(&Run, &dyn Fn(Request) -> Reply)) {
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| ground.said(&["stop"]));
        until("the engine waits for the command", || ground.said(&["status"]).1.contains("ending"));
        let place = Place::of(&ground.state_dir(), &AttachSettings::default());
        let tokio = tokio::runtime::Runtime::new().unwrap();
        let joined = tokio.block_on(pump::join(place, None)).unwrap();
        let shown = Arc::clone(&joined.handle.snapshots().borrow());
        assert!(matches!(acted(&shown.runs[0]), StepState::Running { .. }), "{:?}", shown.runs);
        assert!(!waiting.is_finished(), "a command runs");
        does(&shown.runs[0], &|request| tokio.block_on(joined.handle.send(&joined.welcome.person, request)).unwrap());
        assert_eq!(waiting.join().unwrap().0, Some(0));
    });
}

#[test]
fn a_dropped_line_leaves_a_running_command_and_its_output_alone() {
    let folder = tempfile::tempdir().unwrap();
    let ground = Ground::lay(folder.path(), "0");
    let session = amid_the_act(&ground);
    // As the kernel does it when the terminal goes away.
    kill(session.pid(), Signal::SIGHUP).unwrap();
    session.ends();
    let (code, text) = ground.said(&["status"]);
    assert!(code == Some(0) && text.contains("1 open"), "{text}");
    ground.let_go();
    until("the end of the command", || ground.lines() == ["one"]);
    let run = &ground.stored_runs()[&1];
    assert!(matches!(acted(run), StepState::Succeeded { .. }), "{:?}", acted(run));
    assert!(run.steps[0].output.iter().any(|line| line.as_ref() == "did one"), "{:?}", run.steps[0].output);
    // Nothing was begun after it: the next step has nobody to answer for it.
    assert_eq!((run.state, &run.steps[1].begun), (RunState::Active, &Vec::new()));
}

#[test]
fn whoever_does_not_want_to_wait_leaves_it_unknown_and_not_failed() {
    let folder = tempfile::tempdir().unwrap();
    let ground = Ground::lay(folder.path(), "0");
    let mut session = amid_the_act(&ground);
    // Nothing is lost by leaving, so nothing is asked.
    session.press(b"Q");
    session.ends_clean();
    while_it_waits(&ground, |_, _| {
        let (code, text) = ground.said(&["stop", "--now"]);
        assert_eq!(code, Some(0), "{text}");
    });
    // Not waited for: it is held still.
    let run = &ground.stored_runs()[&1];
    assert!(matches!(acted(run), StepState::Running { .. }), "{:?}", acted(run));
    let mut session = ground.console(&page(&ground));
    session.wait_for("step 1 of RUN-1 was interrupted; whether it happened is not known");
    session.press_still(b"\x1b", "INC-42");
    session.press_still(b"5", "unknown");
    session.press(b"Q");
    session.ends_clean();
    assert_eq!(ground.lines(), [""; 0], "it is not begun again by itself");
}

#[test]
fn the_run_that_an_ending_engine_waits_for_can_be_stopped_and_nothing_begun() {
    let folder = tempfile::tempdir().unwrap();
    let ground = Ground::lay(folder.path(), "0");
    let mut session = amid_the_act(&ground);
    session.press(b"Q");
    session.ends_clean();
    // Its command is still held: it is ended, and waited for no longer.
    while_it_waits(&ground, |run, ask| {
        let refused = ask(Request::Note { incident: walking::INCIDENT, text: "so".into() });
        assert!(matches!(&refused, Reply::Refused { reason } if reason.contains("is ending")), "{refused:?}");
        let stopped = ask(Request::StopRun { run: run.id, escalate: None });
        assert!(matches!(stopped, Reply::Done { .. }), "{stopped:?}");
    });
    let run = &ground.stored_runs()[&1];
    assert_eq!((run.state, ground.lines().len()), (RunState::Stopped, 0));
}

#[test]
fn the_kill_switch_is_heard_while_the_engine_waits_for_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let ground = Ground::lay(folder.path(), "0");
    let mut session = amid_the_act(&ground);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| ground.said(&["stop"]));
        until("the engine waits for the command", || ground.said(&["status"]).1.contains("ending"));
        // By the console that is still there: its engine listens to nothing else any more.
        session.press(b"!");
        session.wait_for("ended it by `hypo stop`");
        assert_eq!(waiting.join().unwrap().0, Some(0));
    });
    session.press(b"Q");
    session.ends_clean();
    let run = &ground.stored_runs()[&1];
    assert!(!matches!(acted(run), StepState::Succeeded { .. }), "{:?}", acted(run));
    assert_eq!(ground.lines(), [""; 0]);
}
