//! What the bottom line offers as things stand: what the moment asks for first, and nothing that would be refused.

use std::sync::Arc;

use hypocenter::app::attach::pump::Link;
use hypocenter::app::commands::Command;
use hypocenter::app::message::Message;
use hypocenter::engine::clock::{SECOND_MS, Timestamp};
use hypocenter::engine::model::{
    Beginning, IncidentId, KillSwitch, Present, Purpose, Repeat, Role, Run, RunId, RunState, StepKind, StepState,
    Wheel, WheelAsked,
};
use hypocenter::engine::request::Request;
use hypocenter::engine::snapshot::{AutonomyMode, Snapshot};
use hypocenter::views::ui_state::Overlay;

use super::fixtures;
use super::flows::Console;

/// The keys in the last row.
fn keys(console: &mut Console) -> String {
    // A message lies over the keys.
    console.state.ui.notice = None;
    let screen = console.draw();
    screen.lines().last().unwrap_or_default().trim_matches(|c: char| "\"└┘─ ".contains(c)).to_owned()
}

fn on_runbook(snapshot: Snapshot, me: &str) -> String {
    let mut console = Console::with("default", fixtures::live());
    console.state.ui.me = me.into();
    console.show(snapshot);
    console.press("5");
    keys(&mut console)
}

fn with_run(change: impl FnOnce(&mut Run)) -> Snapshot {
    let mut run = fixtures::run();
    change(&mut run);
    let mut snapshot = fixtures::live();
    snapshot.runs = vec![Arc::new(run)];
    snapshot
}

/// ana and bo are here, and bo drives the run.
fn bo_drives(role: Role, asked: Option<Timestamp>) -> Snapshot {
    let mut snapshot = fixtures::live();
    let here = |seat, name: &str, role| Present {
        seat,
        name: name.into(),
        role,
        since: snapshot.at,
        last_here: None,
        incident: Some(IncidentId(42)),
        pane: "Runbook".into(),
    };
    snapshot.present = vec![here(1, "ana", role), here(2, "bo", Role::Responder)];
    let asked = asked.map(|at| WheelAsked { by: "ana".into(), at });
    snapshot.wheels.insert(RunId(3), Wheel { driver: "bo".into(), since: snapshot.at, asked });
    snapshot
}

/// The same, and cleo asked for the wheel before ana; whether cleo is still here.
fn cleo_asked(is_here: bool) -> Snapshot {
    let mut snapshot = bo_drives(Role::Responder, None);
    let asked = WheelAsked { by: "cleo".into(), at: snapshot.at };
    snapshot.wheels.get_mut(&RunId(3)).unwrap().asked = Some(asked);
    if is_here {
        let cleo = Present { seat: 3, name: "cleo".into(), ..snapshot.present[1].clone() };
        snapshot.present.push(cleo);
    }
    snapshot
}

#[test]
fn whoever_does_not_drive_is_offered_the_wheel_and_no_act_that_would_be_refused() {
    let at = fixtures::live().at;
    for (snapshot, expected) in [
        (bo_drives(Role::Responder, None), "w ask for wheel  @ people"),
        (bo_drives(Role::Responder, Some(at)), "w ask again  @ people"),
        (bo_drives(Role::Responder, Some(at - 61 * SECOND_MS)), "w ask again  T take wheel  @ people"),
        (bo_drives(Role::Commander, None), "w ask for wheel  T take wheel  x stop  @ people"),
        (cleo_asked(true), "@ people"),
        (cleo_asked(false), "w ask for wheel  @ people"),
    ] {
        let last = on_runbook(snapshot, "ana");
        assert!(last.starts_with(expected), "{last}");
    }
    // Who only looks is no driver, and one who has left holds nobody up.
    let mut snapshot = bo_drives(Role::Responder, None);
    snapshot.present[1].role = Role::Viewer;
    assert!(on_runbook(snapshot.clone(), "ana").starts_with("a approve"));
    snapshot.present.pop();
    assert!(on_runbook(snapshot, "ana").starts_with("a approve"));
    // The second word for a step that needs two people takes no wheel.
    let mut snapshot = bo_drives(Role::Responder, None);
    let run = Arc::make_mut(&mut snapshot.runs[0]);
    let StepKind::Act(act) = &mut run.steps[1].bound.spec.kind else { panic!("the second step acts") };
    act.approvals = 2;
    let approval = hypocenter::engine::model::Approval { by: "bo".into(), at, offer: "3f9a".into() };
    run.steps[1].approvals = vec![approval];
    assert!(on_runbook(snapshot, "ana").starts_with("w ask for wheel  a approve  @"));
}

#[test]
fn whoever_is_asked_for_the_wheel_is_offered_the_answer_first() {
    let last = on_runbook(bo_drives(Role::Responder, Some(fixtures::live().at)), "bo");
    assert!(last.starts_with("w give ana the wheel  Y keep it  a approve"), "{last}");
}

#[test]
fn what_stands_in_the_way_is_offered_first() {
    let killed = |role: Option<Role>| {
        let mut snapshot = with_run(|run| run.steps[1].is_denied = true);
        snapshot.kill = Some(KillSwitch { at: snapshot.at, by: "bo".into(), reason: "smoke".into() });
        snapshot.present = role.map_or_else(Vec::new, |role| vec![bo_drives(role, None).present.swap_remove(0)]);
        snapshot
    };
    let unknown_killed = |repeat: Repeat| {
        let mut snapshot = killed(None);
        let mut run = fixtures::run();
        run.state = RunState::Interrupted;
        run.steps[1].state = StepState::Unknown { since: fixtures::now() };
        let StepKind::Act(act) = &mut run.steps[1].bound.spec.kind else { panic!("the second step acts") };
        act.repeat = repeat;
        snapshot.runs = vec![Arc::new(run)];
        snapshot
    };
    let undone = |mut snapshot: Snapshot| {
        let undo =
            Beginning { id: "i".into(), at: snapshot.at, by: "ana".into(), purpose: Purpose::Undo, is_void: false };
        Arc::make_mut(&mut snapshot.runs[0]).steps[1].begun.push(undo);
        snapshot
    };
    let unknown = |repeat: Option<Repeat>| {
        with_run(|run| {
            run.state = RunState::Interrupted;
            run.steps[1].state = StepState::Unknown { since: fixtures::now() };
            if let (Some(repeat), StepKind::Act(act)) = (repeat, &mut run.steps[1].bound.spec.kind) {
                act.repeat = repeat;
            }
        })
    };
    let probe = {
        let run = fixtures::run();
        Repeat::Probe(run.steps[0].bound.spec.call().unwrap().clone())
    };
    let mut failed = fixtures::proposed(true);
    failed.proposals.values_mut().for_each(|proposals| proposals.truncate(1));
    for (snapshot, expected, never) in [
        (killed(None), "! take switch off  p policy  s skip  x stop", "a approve"),
        (killed(Some(Role::Commander)), "! take switch off  p policy  s skip  x stop", "d dry run"),
        (killed(Some(Role::Responder)), "p policy  s skip  x stop", "! take"),
        (unknown(None), "H happened  N not happened  x stop", "L probe"),
        (unknown(Some(probe.clone())), "L probe  H happened  N not happened  x stop", "a approve"),
        // Nothing begins while the switch is on, and what says whether it happened does not say whether it was taken back.
        (unknown_killed(probe.clone()), "H happened  N not happened  ! take switch off  p policy  x stop", "L probe"),
        (undone(unknown(Some(probe))), "H happened  N not happened  x stop", "L probe"),
        (failed, "r retry  a begin anew", "a approve"),
        (with_run(|run| run.state = RunState::Paused), "c go on  x stop", "a approve"),
    ] {
        let last = on_runbook(snapshot, "ana");
        assert!(last.starts_with(expected) && !last.contains(never), "{expected}: {last}");
    }
}

#[test]
fn where_nothing_is_done_from_here_only_the_end_of_what_runs_is_offered() {
    let mut snapshot = with_run(|_| {});
    snapshot.mode = AutonomyMode::Observe;
    let mut console = Console::with("default", fixtures::live());
    console.show(snapshot);
    console.press("5");
    let last = keys(&mut console);
    assert!(last.starts_with("x stop  @") || last.starts_with("x stop  e"), "{last}");
    console.press("a");
    assert!(console.requests().is_empty() && console.notice().contains("OBSERVE"), "{}", console.notice());
    console.press("x Enter");
    assert_eq!(console.requests(), [&Request::StopRun { run: RunId(3), escalate: None }]);
    let mut proposed = fixtures::proposed(true);
    proposed.mode = AutonomyMode::Observe;
    let last = on_runbook(proposed, "ana");
    assert!(!last.starts_with("a ") && !last.starts_with("r "), "{last}");
}

/// The command under the mark of help.
fn marked(console: &Console) -> Command {
    let Overlay::Help { selected } = console.state.ui.overlay else { panic!("help is open") };
    console.state.hint_commands[selected]
}

#[test]
fn help_keeps_its_order_and_its_mark_whatever_happens_and_never_pulls_the_switch() {
    let mut console = Console::live();
    console.press("3");
    console.tell(Message::Link(Link::Silent, 12_000));
    console.press("? Enter");
    assert!(console.requests().is_empty(), "the first row stops nothing");
    console.press("Esc 3 ?");
    let at = console.state.hint_commands.iter().position(|command| *command == Command::Kill).unwrap();
    for _ in 0..at {
        console.press("j");
    }
    assert_eq!(marked(&console), Command::Kill);
    console.press("Enter");
    assert!(console.requests().is_empty() && console.notice().contains("stops everything"), "{}", console.notice());
    // What a key would do now moves nothing.
    let mut console = Console::with("default", fixtures::live());
    console.state.ui.me = "bo".into();
    console.show(bo_drives(Role::Responder, None));
    console.press("5 ? j j j");
    let (commands, under) = (console.state.hint_commands.clone(), marked(&console));
    console.show(bo_drives(Role::Responder, Some(fixtures::live().at)));
    assert_eq!((&console.state.hint_commands, marked(&console)), (&commands, under));
    console.tell(Message::Link(Link::Silent, 12_000));
    assert_eq!((&console.state.hint_commands, marked(&console)), (&commands, under));
}

#[test]
fn a_question_names_no_answer_that_would_not_be_taken() {
    let mut console = Console::live();
    console.press("5 a");
    assert!(console.draw().contains("y do it"));
    console.tell(Message::Link(Link::Silent, 12_000));
    let screen = console.draw();
    assert!(!screen.contains("do it  ") && screen.contains("leave it"), "{screen}");
    console.press("Esc Q");
    if matches!(console.state.ui.overlay, Overlay::Confirm(_)) {
        assert!(console.draw().contains("do it"), "leaving needs no engine");
    }
}

#[test]
fn while_the_engine_is_not_heard_nothing_is_offered_that_would_not_be_heard() {
    let mut console = Console::live();
    console.press("3");
    console.tell(Message::Link(Link::Silent, 12_000));
    let silent = keys(&mut console);
    assert!(silent.starts_with("! kill switch  e evidence  n note  8 Log  Q leave"), "{silent}");
    // Without a line the switch is not heard either; the banner says what is.
    console.tell(Message::Link(Link::Lost("no engine answers: Connection refused (os error 111)".into()), 252_000));
    let lost = keys(&mut console);
    assert!(lost.starts_with("e evidence  n note  8 Log  Q leave"), "{lost}");
    assert!(!lost.contains("approve") && !lost.contains("own"), "{lost}");
    let screen = console.draw();
    assert!(screen.contains("`hypo kill` in a shell") && !screen.contains("os error"), "{screen}");
    console.tell(Message::Link(Link::Up, 0));
    assert!(keys(&mut console).starts_with("a approve"));
}

#[test]
fn a_box_names_its_own_keys_and_those_that_move_only_where_there_is_something_to_move_to() {
    let mut console = Console::live();
    console.press("@");
    let short = console.draw();
    assert!(!short.contains("j down") && short.contains("Esc back"), "{short}");
    console.press("Esc ?");
    let long = console.draw();
    assert!(long.contains("j down  k up  Enter do it  Esc back  ! changes something"), "{long}");
    // The sentence of the chosen line is read whole.
    assert!(long.contains("told to stop; given again, takes it off with a reason"), "{long}");
}
