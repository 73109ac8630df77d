//! Questions and texts of a console that others share: what an answer is about, when a question is withdrawn, and what is kept.

use std::sync::Arc;

use hypocenter::app::message::Message;
use hypocenter::engine::clock::SECOND_MS;
use hypocenter::engine::model::{IncidentId, KillSwitch, Present, Role, RunId, Wheel, WheelAsked};
use hypocenter::engine::request::{Reply, Request};
use hypocenter::engine::snapshot::Snapshot;
use hypocenter::views::ui_state::{Overlay, Written};

use super::fixtures;
use super::flows::Console;

const SHOWN: RunId = RunId(3);
const OTHER: RunId = RunId(9);

/// ana drives the run on the screen and another one, for which somebody may have asked.
fn ana_drives(asks: Option<(RunId, &str)>) -> Snapshot {
    let mut snapshot = fixtures::live();
    let at = snapshot.at;
    for run in [SHOWN, OTHER] {
        let by = asks.filter(|(asked, _)| *asked == run).map(|(_, by)| by);
        let asked = by.map(|by| WheelAsked { by: by.into(), at });
        snapshot.wheels.insert(run, Wheel { driver: "ana".into(), since: at, asked });
    }
    snapshot.present = ["ana", "bo", "cleo"]
        .into_iter()
        .zip(1..)
        .map(|(name, seat)| Present {
            seat,
            name: name.into(),
            role: Role::Responder,
            since: at,
            last_here: None,
            incident: None,
            pane: "Runbook".into(),
        })
        .collect();
    snapshot
}

fn ana(snapshot: Snapshot) -> Console {
    let mut console = Console::live();
    console.state.ui.me = "ana".into();
    console.show(snapshot);
    console.press("5");
    console
}

#[test]
fn an_answer_is_about_the_wheel_that_was_asked_for_whatever_is_on_the_screen() {
    let mut console = ana(ana_drives(Some((OTHER, "bo"))));
    console.press("Y");
    assert_eq!(console.requests(), [&Request::KeepWheel { run: OTHER }]);
    console.press("w y");
    assert_eq!(console.requests().last(), Some(&&Request::GiveWheel { run: OTHER, to: "bo".into() }));
    let mut console = ana(ana_drives(None));
    console.press("Y");
    assert!(console.requests().is_empty() && console.notice().contains("nobody asked for the wheel of RUN-3"));
}

#[test]
fn a_question_about_a_wheel_is_withdrawn_when_that_wheel_turns_and_no_other_one_is() {
    let mut console = ana(ana_drives(Some((SHOWN, "bo"))));
    console.press("w");
    console.show(ana_drives(Some((SHOWN, "cleo"))));
    assert_eq!(console.state.ui.overlay, Overlay::None);
    console.press("y");
    assert!(console.requests().is_empty(), "cleo was not who the question named");
    // Somebody who asks for it is no reason to take another question away.
    let mut console = ana(ana_drives(None));
    console.press("a");
    console.show(ana_drives(Some((SHOWN, "bo"))));
    assert!(matches!(console.state.ui.overlay, Overlay::Confirm(_)));
}

#[test]
fn a_handover_that_is_typed_outlives_what_changes_meanwhile_and_what_is_withdrawn_is_told() {
    let changed = || {
        let mut snapshot = fixtures::live();
        let mut run = fixtures::run();
        run.steps[1].offer = "other".into();
        snapshot.runs = vec![Arc::new(run)];
        snapshot
    };
    let mut console = Console::live();
    console.press("5 O").type_text("bo: db-1 is flaky");
    console.show(changed());
    console.press("Enter");
    let over = Request::HandOver { to: "bo".into(), note: "db-1 is flaky".into() };
    assert_eq!(console.requests(), [&over]);
    // One that rests on the step goes with it, and what was typed is not lost.
    let mut console = Console::live();
    console.press("5 s").type_text("netops says wait");
    console.show(changed());
    assert_eq!(console.state.ui.overlay, Overlay::None);
    assert!(console.notice().contains("you had typed: netops says wait"), "{}", console.notice());
}

#[test]
fn a_frozen_screen_says_that_the_wheel_is_asked_for_and_that_the_switch_was_pulled() {
    let mut console = ana(ana_drives(None));
    console.press("f");
    console.show(ana_drives(Some((SHOWN, "bo"))));
    assert!(console.notice().contains("bo asks for the wheel of RUN-3"), "{}", console.notice());
    assert!(console.draw().lines().next().unwrap().contains("bo asks for the wheel of RUN-3"));
    let mut killed = ana_drives(Some((SHOWN, "bo")));
    killed.kill = Some(KillSwitch { at: killed.at + SECOND_MS, by: "cleo".into(), reason: "smoke".into() });
    console.show(killed);
    assert!(console.draw().lines().next().unwrap().contains("cleo pulled the kill switch"));
    console.press("f");
    let screen = console.draw();
    assert!(screen.lines().next().unwrap().contains("KILL SWITCH ON") && !screen.contains("cleo pulled"), "{screen}");
}

#[test]
fn a_draft_that_was_changed_since_outlives_the_answer_to_what_was_sent() {
    let mut console = Console::live();
    console.press("3 n").type_text("the first").press("Ctrl-d");
    let sent = console.requests()[0].clone();
    console.press("n").type_text(", and more").press("Esc");
    console.tell(Message::Reply(sent, Reply::Done { text: "noted".into() }));
    let draft = console.state.drafts.get(&(IncidentId(42), Written::Note)).cloned();
    assert_eq!(draft, Some(vec!["the first, and more".to_owned()]));
}
