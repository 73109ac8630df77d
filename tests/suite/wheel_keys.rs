//! Questions and texts of a console that others share: what an answer is about, when a question is withdrawn, and what is kept.

use std::sync::Arc;

use hypocenter::app::message::Message;
use hypocenter::engine::clock::SECOND_MS;
use hypocenter::engine::model::{IncidentId, KillSwitch, Present, Role, RunId, Wheel, WheelAsked};
use hypocenter::engine::patches::rollout::KeptRollout;
use hypocenter::engine::request::{Reply, Request};
use hypocenter::engine::snapshot::Snapshot;
use hypocenter::engine::snapshot::rollout::RolloutState;
use hypocenter::views::ui_state::{Overlay, PatchView, Written};

use super::fixtures::{self, rollout_pictures};
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
    assert!(console.notice().contains("Up brings back what you had typed"), "{}", console.notice());
    // Who is still typing reads it as well.
    console.type_text(" for");
    assert!(console.notice().contains("Up brings back what you had typed"), "{}", console.notice());
    assert!(console.notice().contains("not taken for commands"), "{}", console.notice());
    console.press("s");
    console.type_text("so").press("Up");
    assert!(console.draw().contains("netops says wait"));
    console.press("Up");
    assert!(console.draw().contains("Reason: so "), "what stood there is not lost by it: {}", console.draw());
    console.press("Up Enter");
    let requests = console.requests();
    let [Request::Skip { reason, .. }] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!(&**reason, "netops says wait");
}

#[test]
fn what_is_asked_about_patches_outlives_what_happens_to_incidents() {
    let with_step = |offer: &str, rollouts: &[Arc<KeptRollout>]| {
        let mut snapshot = fixtures::live();
        let mut run = fixtures::run();
        run.steps[1].offer = offer.into();
        snapshot.runs = vec![Arc::new(run)];
        snapshot.rollouts = rollouts.to_vec();
        snapshot
    };
    let is_asked = |console: &Console| matches!(console.state.ui.overlay, Overlay::Confirm(_));
    let mut console = Console::live();
    console.press("6 D").type_text("the vendor tests it");
    console.show(with_step("other", &[]));
    assert!(is_asked(&console), "{}", console.notice());
    console.press("Enter");
    assert!(matches!(console.requests().as_slice(), [Request::ExceptPatch(_)]));
    // One about a rollout goes with that, and with nothing else.
    let kept = rollout_pictures::proposed();
    let mut console = Console::with("default", with_step("one", &[Arc::clone(&kept)]));
    console.press("6");
    console.state.ui.patch_view = PatchView::Board(kept.rollout.id);
    console.press("j x").type_text("the vendor");
    assert!(is_asked(&console), "{}", console.draw());
    console.show(with_step("other", &[Arc::clone(&kept)]));
    assert!(is_asked(&console), "{}", console.notice());
    let mut changed = KeptRollout::clone(&kept);
    changed.rollout.state = RolloutState::Running;
    console.show(with_step("other", &[Arc::new(changed)]));
    assert!(!is_asked(&console));
}

#[test]
fn a_long_message_is_cut_at_the_rows_that_it_may_take_and_not_before() {
    let mut console = Console::live();
    console.state.refuse(format!("{} the end", "word ".repeat(90)));
    let screen = console.draw();
    let rows = screen.lines().filter(|line| line.contains("word word")).count();
    assert_eq!(rows, 4, "{screen}");
    assert!(!screen.contains("the end"), "{screen}");
}

#[test]
fn a_frozen_screen_says_that_the_wheel_is_asked_for_and_that_the_switch_was_pulled() {
    let mut console = ana(ana_drives(None));
    console.press("f");
    console.show(ana_drives(Some((SHOWN, "bo"))));
    assert!(console.notice().contains("bo asks for the wheel of RUN-3"), "{}", console.notice());
    let told = console.notice().to_owned();
    assert!(told.contains("f goes on, then in Runbook w gives it, Y keeps it"), "{told}");
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
fn what_was_asked_before_the_screen_froze_is_said_once() {
    let mut console = ana(ana_drives(Some((SHOWN, "bo"))));
    console.press("f");
    console.show(ana_drives(Some((SHOWN, "bo"))));
    let screen = console.draw();
    let top = screen.lines().next().unwrap();
    assert_eq!(top.matches("bo asks for the wheel").count(), 1, "{top}");
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

#[test]
fn what_was_typed_for_what_is_refused_or_cannot_be_meant_is_not_lost() {
    let mut console = Console::live();
    console.press("5 O").type_text("boo: db-1 is flaky, netops calls back").press("Enter");
    let handover = |to: &str| Request::HandOver { to: to.into(), note: "db-1 is flaky, netops calls back".into() };
    let over = handover("boo");
    assert_eq!(console.requests(), [&over]);
    // An answer to something else says nothing of it.
    let other = Request::Acknowledge { incident: IncidentId(42) };
    console.tell(Message::Reply(other, Reply::Refused { reason: "not now".into() }));
    assert_eq!(console.notice(), "not now");
    console.tell(Message::Reply(over, Reply::Refused { reason: "nobody called boo".into() }));
    assert!(console.notice().contains("nobody called boo; asked again, Up brings back"), "{}", console.notice());
    // One letter is mended where it stands.
    console.press("O Up");
    assert!(console.draw().contains("boo: db-1 is flaky, netops calls back"), "{}", console.draw());
    console.press("Home Right Right Right Backspace").type_text("b").press("Backspace Enter");
    assert_eq!(console.requests().last(), Some(&&handover("bo")));
    // Nothing was typed at the next one that is refused.
    let mut console = Console::live();
    console.press("5 O").type_text("bo").press("Enter");
    let over = Request::HandOver { to: "bo".into(), note: "".into() };
    console.tell(Message::Reply(over.clone(), Reply::Done { text: "handed over".into() }));
    console.tell(Message::Reply(over, Reply::Refused { reason: "nothing to hand over".into() }));
    assert_eq!(console.notice(), "nothing to hand over");
    // A line that cannot be meant is there again, too.
    console.press("5 E").type_text("; no pair").press("Enter");
    assert!(console.notice().contains("`no pair`") && console.notice().contains("brings back"), "{}", console.notice());
}
