//! What a console leaves behind: texts that were begun come back after every ending, and the place that was looked at where it
//! still exists.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hypocenter::app::attach::pump::Link;
use hypocenter::app::keymap::Keymap;
use hypocenter::app::left_off::{LeftOff, ListPlace};
use hypocenter::app::message::Message;
use hypocenter::app::state::AppState;
use hypocenter::engine::clock::Timestamp;
use hypocenter::engine::model::{AnomalyId, IncidentId, TimelineEntry, TimelineKind};
use hypocenter::engine::request::{Reply, Request};
use hypocenter::engine::snapshot::Snapshot;
use hypocenter::views::ui_state::{Overlay, Pane, RowKey, Unsent, Written};
use nix::sys::signal::{Signal, kill};
use proptest::prelude::*;

use super::fixtures;
use super::flows::Console;
use super::terminal::Session;

/// Far more than anything here takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

fn left_by(console: &Console) -> LeftOff {
    LeftOff::of(&console.state, &LeftOff::default(), fixtures::now())
}

/// The next console, which has the picture and finds what was left.
fn after(left: LeftOff, snapshot: Snapshot) -> Console {
    let mut console = Console::with("default", snapshot);
    console.tell(Message::LeftOff(Box::new(left)));
    console
}

fn note(lines: &[&str]) -> Unsent {
    let lines = lines.iter().map(|line| (*line).to_owned()).collect();
    Unsent { incident: IncidentId(42), what: Written::Note, lines, at: fixtures::now() }
}

fn left(texts: &[Unsent]) -> LeftOff {
    LeftOff { texts: texts.to_vec(), ..LeftOff::default() }
}

/// The picture in which this note stands in the timeline of `INC-42`, since so many milliseconds from now on.
fn with_note(text: &str, after_ms: i64) -> Snapshot {
    let mut snapshot = fixtures::live();
    let incident = snapshot.incidents.iter_mut().find(|incident| incident.id == IncidentId(42)).unwrap();
    Arc::make_mut(incident).timeline.push(TimelineEntry {
        at: fixtures::now() + after_ms,
        kind: TimelineKind::Note,
        text: text.into(),
        service: None,
        anomaly: None,
        by: Some("you".into()),
    });
    snapshot
}

#[test]
fn half_a_note_is_offered_gone_on_with_and_sent() {
    let mut console = Console::live();
    console.press("3 n").type_text("netops says it is");
    let left = left_by(&console);
    let mut next = after(left, fixtures::live());
    let screen = next.draw();
    assert!(screen.contains("A note on INC-42") && screen.contains("was not sent"), "{screen}");
    assert!(screen.contains("netops says it is") && screen.contains("Enter goes on with it"), "{screen}");
    next.press("Enter").type_text(" them").press("Ctrl-d");
    let text = "netops says it is them";
    let request = Request::Note { incident: IncidentId(42), text: text.into() };
    assert_eq!(next.requests(), [&request]);
    assert_eq!(left_by(&next).texts.len(), 1, "until it is known to be kept");
    next.tell(Message::Reply(request, Reply::Done { text: "noted".into() }));
    assert_eq!((left_by(&next).texts, &next.state.ui.overlay), (Vec::new(), &Overlay::None));
}

#[test]
fn an_offered_text_is_dropped_by_a_key_of_its_own_and_not_by_one_typed_ahead() {
    let mut console = after(left(&[note(&["one"]), note(&["two"])]), fixtures::live());
    assert!(console.draw().contains("1 more after this."));
    console.type_text("Dxyz").press("a");
    assert_eq!((console.state.ui.unsent.len(), console.requests().len()), (2, 0), "typed ahead");
    console.press("D");
    assert_eq!(console.state.ui.unsent, [note(&["two"])]);
    console.press("D");
    assert_eq!((left_by(&console).texts.len(), &console.state.ui.overlay), (0, &Overlay::None));
    assert!(console.notice().contains("the note on INC-42 is dropped"), "{}", console.notice());
}

#[test]
fn what_is_put_off_is_a_draft_and_nothing_of_it_is_lost() {
    let update = Unsent { what: Written::Update, ..note(&["to all"]) };
    let mut console = after(left(&[note(&["newer"]), note(&["older"]), update]), fixtures::live());
    console.press("Esc");
    assert_eq!(console.state.ui.overlay, Overlay::None);
    let said = console.notice();
    assert!(said.contains("the note on INC-42 (n), the status update on INC-42 (u)"), "{said}");
    assert_eq!(left_by(&console).texts.len(), 3, "the older note is offered at the next start");
    console.press("3 n");
    assert!(console.draw().contains("newer"));
    console.press("Esc Esc Esc");
    assert_eq!(console.state.ui.overlay, Overlay::None, "it asks once");
}

#[test]
fn a_text_that_the_engine_has_taken_is_not_offered() {
    for (after_ms, offered) in [(1_000, 0), (-3_600_000, 1)] {
        let console = after(left(&[note(&["it is netops"])]), with_note("it is netops", after_ms));
        assert_eq!(console.state.ui.unsent.len(), offered, "the same words of an hour before are another note");
        assert_eq!(console.state.ui.overlay == Overlay::Unsent, offered == 1);
    }
}

#[test]
fn a_text_whose_answer_was_lost_is_a_draft_until_it_is_seen_to_be_taken() {
    let mut console = Console::live();
    console.press("3 n").type_text("it is netops").press("Ctrl-d");
    let request = Request::Note { incident: IncidentId(42), text: "it is netops".into() };
    console.tell(Message::Reply(request.clone(), Reply::Lost { reason: "the line was lost".into() }));
    assert!(console.notice().contains("not known, and it is kept as a draft"), "{}", console.notice());
    console.show(with_note("it is netops", -3_600_000));
    assert_eq!(left_by(&console).texts.len(), 1);
    console.show(with_note("it is netops", 2_000));
    assert_eq!(left_by(&console).texts.len(), 0);
    assert!(console.notice().contains("the note on INC-42 was taken"), "{}", console.notice());
    // One that was refused stays.
    console.press("n").type_text("more").press("Ctrl-d");
    let request = Request::Note { incident: IncidentId(42), text: "more".into() };
    console.tell(Message::Reply(request, Reply::Refused { reason: "the disk is full".into() }));
    assert_eq!(left_by(&console).texts[0].lines, ["more"]);
}

#[test]
fn whoever_only_looks_is_offered_nothing_and_loses_nothing() {
    let mut console = Console::live();
    console.state.ui.is_read_only = true;
    console.tell(Message::LeftOff(Box::new(left(&[note(&["one"])]))));
    assert_eq!((&console.state.ui.overlay, left_by(&console).texts.len()), (&Overlay::None, 1));
}

#[test]
fn the_place_is_taken_again_once_there_is_a_picture() {
    let mut before = Console::live();
    before.press("8 / n e t o p s Enter").press("2 / a u t h Enter j").press("5 j").press("7").type_text("is auth st");
    before.press("Esc 5");
    let (anomaly, step) = (before.state.ui.lists[&Pane::Anomalies].clone(), before.selected());
    let mut console = Console::with("default", Snapshot::empty());
    console.tell(Message::LeftOff(Box::new(left_by(&before))));
    assert_eq!(console.state.ui.pane, Pane::Now, "nothing is there yet");
    console.show(fixtures::live());
    assert_eq!((console.state.ui.pane, console.selected()), (Pane::Runbook, step));
    let list = &console.state.ui.lists[&Pane::Anomalies];
    assert_eq!((list.filter.as_str(), &list.selected), ("", &anomaly.selected), "what is broken now is all there");
    assert_eq!(console.state.ui.lists[&Pane::Log].filter, "netops");
    assert_eq!(console.notice(), "");
    console.press("7");
    assert!(console.draw().contains("is auth st"));
}

#[test]
fn what_is_no_longer_there_is_not_gone_to() {
    let mut before = Console::live();
    before.press("3");
    before.state.ui.incident = Some(IncidentId(42));
    let mut place = left_by(&before);
    place.place.as_mut().unwrap().incident = Some(IncidentId(9_999));
    let console = after(place.clone(), fixtures::live());
    assert_eq!((console.state.ui.pane, console.state.ui.incident), (Pane::Now, None));
    place.place.as_mut().unwrap().pane = Pane::Anomalies;
    let row = Some(RowKey::Anomaly(AnomalyId(9_999)));
    place.place.as_mut().unwrap().lists = vec![ListPlace { pane: Pane::Anomalies, row, filter: String::new() }];
    let console = after(place, fixtures::live());
    assert_eq!(console.state.ui.pane, Pane::Anomalies);
    assert!(console.selected().is_some());
}

#[test]
fn whoever_has_gone_somewhere_is_not_taken_elsewhere() {
    let mut before = Console::live();
    before.press("5");
    let mut console = Console::with("default", Snapshot::empty());
    console.tell(Message::LeftOff(Box::new(left_by(&before))));
    console.press("8");
    console.show(fixtures::live());
    assert_eq!(console.state.ui.pane, Pane::Log);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever is pressed, what the next console finds it would leave behind as it is.
    #[test]
    fn what_is_found_is_left_behind_again(keys in prop::collection::vec("[1-8nuPjkaeD]|Esc|Enter|Ctrl-d", 1..40)) {
        let mut console = Console::live();
        for key in &keys {
            console.press(key);
        }
        let left = left_by(&console);
        let (keymap, _) = Keymap::load("default", None);
        let mut next = AppState::new(keymap, false, Vec::new());
        let now = Timestamp(fixtures::now().0 + 1);
        for message in [Message::Snapshot(Arc::new(fixtures::live())), Message::LeftOff(Box::new(left.clone()))] {
            hypocenter::app::update::update(&mut next, message, now);
        }
        let again = LeftOff::of(&next, &left, now);
        prop_assert_eq!(&again.texts, &left.texts);
        prop_assert_eq!(&again.question, &left.question);
        prop_assert_eq!(&again.line, &left.line);
        let (again, left) = (again.place.unwrap(), left.place.unwrap());
        prop_assert_eq!((again.pane, again.incident, again.run), (left.pane, left.incident, left.run));
    }
}

#[test]
fn a_line_that_was_typed_at_a_question_is_there_for_the_next_console() {
    let mut console = Console::live();
    console.press("5 O").type_text("bo: db-1 is flaky");
    // Before it is sent, and as long as nobody has said that it was taken.
    let over = Request::HandOver { to: "bo".into(), note: "db-1 is flaky".into() };
    for is_sent in [false, true] {
        if is_sent {
            console.press("Enter");
            assert_eq!(console.requests(), [&over]);
        }
        let left = left_by(&console);
        assert_eq!(left.line, "bo: db-1 is flaky");
        let mut next = after(left, fixtures::live());
        assert!(next.notice().contains("brings back what you had typed: bo: db-1"), "{}", next.notice());
        next.press("5 O Up Enter");
        assert_eq!(next.requests(), [&over]);
    }
    console.tell(Message::Reply(over, Reply::Done { text: "handed over".into() }));
    assert_eq!(left_by(&console).line, "");
}

#[test]
fn while_the_engine_is_not_heard_nothing_is_done_and_everything_is_written() {
    let mut console = Console::live();
    console.tell(Message::Link(Link::Silent, 11_000));
    assert!(console.draw().contains("Last heard from the engine 11 s ago"));
    console.press("3 A a");
    assert!(console.requests().is_empty(), "{:?}", console.requests());
    assert!(console.notice().contains("the engine was last heard 14 s ago, so what approve"), "{}", console.notice());
    console.tell(Message::Link(Link::Lost("the engine ended".into()), 14_000));
    console.press("n").type_text("written meanwhile");
    let screen = console.draw();
    assert!(screen.contains("15 s OLD") && screen.contains("(the engine ended)"), "{screen}");
    console.press("Ctrl-d");
    assert!(matches!(console.requests()[..], [Request::Note { .. }]), "the engine may take it");
    let due = console.state.due_at().unwrap();
    assert!(due.since_ms(fixtures::now()) <= 6_000, "it counts on by itself: {due}");
    console.tell(Message::Link(Link::Up, 0));
    assert!(!console.draw().contains("Last heard"));
    assert_eq!(console.notice(), "the engine is back");
}

#[test]
fn a_question_is_not_answered_by_an_old_picture_but_everything_can_be_stopped() {
    let mut console = Console::live();
    console.press("3 R");
    assert!(matches!(console.state.ui.overlay, Overlay::Confirm(_)));
    console.tell(Message::Link(Link::Silent, 12_000));
    console.press("y");
    assert!(console.requests().is_empty() && console.notice().contains("nothing was done"), "{}", console.notice());
    console.press("Esc ! y");
    assert!(matches!(console.requests()[..], [Request::Kill { .. }]), "{:?}", console.requests());
    let kill = Request::Kill { reason: "".into() };
    console.tell(Message::Reply(kill, Reply::Refused { reason: "the engine is away".into() }));
    assert!(console.notice().contains("`hypo kill` in a shell"), "{}", console.notice());
}

/// Waits until a file in `folder` holds `text`.
fn kept(folder: &Path, text: &str) {
    let until = Instant::now() + PATIENCE;
    while !std::fs::read_to_string(folder.join("1.json")).is_ok_and(|kept| kept.contains(text)) {
        assert!(Instant::now() < until, "`{text}` is not kept");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn half_a_note_outlives_a_kill_and_every_other_ending() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("left-off");
    let mut session = Session::console_keeping(&folder);
    session.press(b"3");
    session.wait_for("Timeline");
    session.press_still(b"n", "Note for INC-42");
    session.press(b"it is not the data");
    session.wait_for("it is not the data");
    kept(&folder, "it is not the data");
    kill(session.pid(), Signal::SIGKILL).unwrap();
    drop(session);
    let mut text = "it is not the data".to_owned();
    for (digit, ending) in [(b'1', Signal::SIGTERM), (b'2', Signal::SIGHUP), (b'3', Signal::SIGINT)] {
        let mut session = Session::console_keeping(&folder);
        session.wait_for("Enter goes on with it");
        session.wait_for("A note on INC-42");
        session.press(b"\r");
        session.wait_for("Note for INC-42");
        session.wait_for(&text);
        // What is typed right before the end is kept, too.
        session.press(&[digit]);
        text.push(char::from(digit));
        session.wait_for(&text);
        kill(session.pid(), ending).unwrap();
        session.ends_clean();
    }
    let mut session = Session::console_keeping(&folder);
    session.wait_for("Enter goes on with it");
    session.wait_for(&text);
    session.press(b"\x1b");
    session.wait_for("kept as drafts");
    session.press(b"Q");
    session.ends_clean();
    kept(&folder, &text);
}
