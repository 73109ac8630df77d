//! The pane Ask: typing, completing, asking, and going from an answer to what it rests on.

use std::sync::Arc;

use chrono_tz::Tz;
use hypocenter::app::effect::Effect;
use hypocenter::app::message::Message;
use hypocenter::engine::ask::answer::{AnswerState, Citation};
use hypocenter::engine::ask::assistant::saying::{CheckedSentence, Draft, Ended, Saying, Spent, Verdict};
use hypocenter::engine::ask::conversation::Conversation;
use hypocenter::engine::ask::ground::Ground;
use hypocenter::engine::ask::recall::Archive;
use hypocenter::engine::inquiry::{Inquiry, Telling};
use hypocenter::engine::model::{ChangeId, IncidentId, PastValues};
use hypocenter::engine::request::Request;
use hypocenter::engine::snapshot::Snapshot;
use hypocenter::views::suggestions::suggestions;
use hypocenter::views::talk::{Exchange, Outcome, Talk};
use hypocenter::views::ui_state::{Overlay, Pane, RowKey, UiState, Written};

use super::flows::Console;
use super::views::{on, shown, shown_in_ascii};
use crate::fixtures;

/// What the engine's desk would tell.
fn answered(inquiry: &Inquiry, snapshot: &Snapshot) -> Telling {
    let (archive, past) = (Archive::default(), PastValues::default());
    let ground = Ground { snapshot, zone: inquiry.zone, focus: inquiry.focus, archive: &archive, past: &past };
    let mut conversation = Conversation::default();
    let reading = conversation.read_after(&inquiry.text, inquiry.before.as_deref(), &ground);
    let answer = conversation.answer_to(&reading, &ground);
    Telling::Answer { reading: Arc::new(reading), answer: Arc::new(answer) }
}

/// Lets the engine answer what was asked last.
fn answer_last(console: &mut Console) {
    let last = console.effects.iter().rev().find_map(|effect| match effect {
        Effect::Ask(number, inquiry) => Some((*number, inquiry.clone())),
        _ => None,
    });
    let (number, inquiry) = last.expect("a question was asked");
    let telling = answered(&inquiry, &console.state.snapshot);
    console.tell(Message::Told(number, Some(telling)));
    console.tell(Message::Told(number, None));
    console.draw();
}

fn ask(console: &mut Console, question: &str) {
    console.press("7").type_text(question).press("Enter");
    answer_last(console);
}

/// A picture of the pane with these questions answered.
fn talk(snapshot: &Snapshot, questions: &[&str]) -> UiState {
    let mut ui = on(Pane::Ask);
    for (number, question) in (0..).zip(questions) {
        let before = ui.talk.thread().cloned();
        let inquiry =
            Inquiry { text: Arc::from(*question), before, zone: Tz::Europe__Berlin, focus: None, wants_model: false };
        let Telling::Answer { reading, answer } = answered(&inquiry, snapshot) else { panic!("no answer") };
        let outcome = Outcome::Answered(reading, answer);
        ui.talk.exchanges.push(Exchange { number, question: inquiry.text, at: fixtures::now(), outcome, model: None });
    }
    ui
}

fn with_outcome(outcome: Outcome) -> UiState {
    let exchange =
        Exchange { number: 0, question: "why is auth-api slow".into(), at: fixtures::now(), outcome, model: None };
    UiState { talk: Talk { exchanges: vec![exchange], next_number: 1, ..Talk::default() }, ..on(Pane::Ask) }
}

#[test]
fn answers_of_every_kind_are_shown_with_what_they_rest_on() {
    let snapshot = fixtures::live();
    for (name, questions) in [
        ("cause", &["what is the root cause", "how sure are you"][..]),
        ("remedy", &["generate a remediation with zero downtime"][..]),
        ("unknown", &["what is the weather in Oslo"][..]),
        ("unknown_name", &["why is warehouse slow"][..]),
        ("ambiguous", &["is the db slow"][..]),
        ("refused", &["restart auth-api"][..]),
        ("changes", &["what changed before the incident"][..]),
    ] {
        let ui = talk(&snapshot, questions);
        for (width, height) in [(80, 24), (140, 40)] {
            insta::assert_snapshot!(format!("ask_{name}_{width}x{height}"), shown(&snapshot, &ui, width, height));
        }
        insta::assert_snapshot!(format!("ask_{name}_ascii_80x24"), shown_in_ascii(&snapshot, &ui, 80, 24));
    }
}

#[test]
fn waiting_failing_typing_and_choosing_are_shown() {
    let snapshot = fixtures::live();
    insta::assert_snapshot!("ask_waiting_80x24", shown(&snapshot, &with_outcome(Outcome::Waiting), 80, 24));
    let failed = Outcome::Failed("the engine has ended; start hypo again".into());
    insta::assert_snapshot!("ask_failed_80x24", shown(&snapshot, &with_outcome(failed), 80, 24));
    let mut ui = with_outcome(Outcome::Waiting);
    ui.overlay = Overlay::Asking;
    ui.talk.prompt.text = "is auth as slow as it was ".repeat(4) + "an hour ago, \u{202e}and au";
    ui.talk.prompt.cursor = ui.talk.prompt.text.chars().count();
    ui.talk.prompt.matches = ["auth-api", "auth-db"].map(Arc::from).to_vec();
    insta::assert_snapshot!("ask_typing_80x24", shown(&snapshot, &ui, 80, 24));
    let mut ui = talk(&snapshot, &["what is the root cause"]);
    ui.overlay = Overlay::Sources { row: RowKey::Claim(0, 0), selected: 1 };
    insta::assert_snapshot!("ask_sources_80x24", shown(&snapshot, &ui, 80, 24));
}

#[test]
fn what_is_typed_is_completed_asked_and_answered() {
    let mut console = Console::live();
    console.press("7");
    assert_eq!(console.state.ui.overlay, Overlay::Asking);
    assert!(console.effects.contains(&Effect::PrepareToAsk));
    console.type_text("why is aut");
    let matches: Vec<&str> = console.state.ui.talk.prompt.matches.iter().map(AsRef::as_ref).collect();
    assert!(matches.starts_with(&["auth-db"]) || matches.starts_with(&["auth-api"]), "{matches:?}");
    let first = matches[0].to_owned();
    console.press("Tab").type_text("slow");
    assert_eq!(console.state.ui.talk.prompt.text, format!("why is {first} slow"));
    console.press("Enter");
    assert_eq!(console.state.ui.talk.prompt.text, "");
    assert!(console.draw().contains("looking it up"));
    answer_last(&mut console);
    let answer = console.state.ui.talk.exchanges[0].answer().unwrap();
    assert_eq!(answer.slots.service, [Arc::from(first.as_str())]);
    assert_eq!(console.selected(), Some(RowKey::Claim(0, 0)));
    // What follows takes the thread up.
    console.type_text("and its errors?").press("Enter");
    answer_last(&mut console);
    assert_eq!(console.state.ui.talk.exchanges[1].answer().unwrap().slots.service, [Arc::from(first.as_str())]);
}

#[test]
fn enter_on_an_empty_line_goes_to_what_the_claim_rests_on_and_esc_comes_back() {
    let mut console = Console::live();
    ask(&mut console, "what changed before the incident");
    let place =
        (0..).find(|place| console.state.ui.talk.sources(&RowKey::Claim(0, *place)) == [Citation::Change(ChangeId(9))]);
    for _ in 0..place.unwrap() {
        console.press("Down");
    }
    console.press("Enter");
    assert_eq!(
        console.state.ui.overlay,
        Overlay::Entry { row: RowKey::Change(ChangeId(9)), offset: 0 },
        "{:?}",
        console.selected()
    );
    console.press("Esc");
    assert_eq!((console.state.ui.pane, &console.state.ui.overlay), (Pane::Ask, &Overlay::Asking));
    // Several sources are listed first.
    ask(&mut console, "what is the root cause");
    console.press("Enter");
    assert_eq!(console.state.ui.overlay, Overlay::Sources { row: RowKey::Claim(1, 0), selected: 0 });
    console.press("Enter");
    assert_eq!((console.state.ui.pane, console.state.ui.incident), (Pane::Incident, Some(IncidentId(42))));
    console.press("Esc");
    assert_eq!((console.state.ui.pane, &console.state.ui.overlay), (Pane::Ask, &Overlay::Asking));
}

#[test]
fn every_source_of_every_answer_leads_somewhere() {
    let mut opened = std::collections::HashSet::new();
    for question in [
        "what is the root cause",
        "why is auth-api failing",
        "which alerts fire",
        "what changed today",
        "generate a remediation",
        "which step are we on",
        "who did what",
        "are any sources down",
        "what should I patch first",
        "is a freeze active",
        "how is the rollout",
        "what may you do alone",
        "who calls auth-db",
        "what is broken now",
        "how many incidents this month",
        "has this happened before",
    ] {
        let mut console = Console::live();
        ask(&mut console, question);
        let claims = console.state.ui.talk.exchanges[0].answer().unwrap().all_claims().count();
        for place in 0..claims {
            for selected in 0..console.state.ui.talk.sources(&RowKey::Claim(0, place)).len() {
                let mut console = Console::with("default", fixtures::live());
                ask(&mut console, question);
                let source = console.state.ui.talk.sources(&RowKey::Claim(0, place))[selected].clone();
                console.state.select(place + 1, RowKey::Claim(0, place));
                console.state.ui.overlay = Overlay::Sources { row: RowKey::Claim(0, place), selected };
                console.press("Enter");
                let is_there = console.state.ui.pane != Pane::Ask
                    || matches!(
                        console.state.ui.overlay,
                        Overlay::Why { .. } | Overlay::Entry { .. } | Overlay::Policy { .. }
                    );
                assert!(is_there || !console.notice().is_empty(), "{question}: {source} leads nowhere");
                if let Overlay::Entry { .. } | Overlay::Why { .. } = console.state.ui.overlay {
                    let screen = console.draw();
                    assert!(!screen.contains("no longer"), "{question}: {source}\n{screen}");
                }
                opened.insert(std::mem::discriminant(&source));
            }
        }
    }
    assert!(opened.len() >= 8, "{} kinds of source", opened.len());
}

#[test]
fn keys_that_begin_no_question_are_those_of_the_pane_while_nothing_is_typed() {
    let mut console = Console::live();
    console.press("7 ?");
    assert!(matches!(console.state.ui.overlay, Overlay::Help { .. }));
    console.press("Esc");
    assert_eq!(console.state.ui.overlay, Overlay::Asking);
    console.press(":");
    assert!(matches!(console.state.ui.overlay, Overlay::Palette { .. }));
    console.press("Esc").type_text("p99 of auth-api 5");
    assert_eq!(console.state.ui.talk.prompt.text, "p99 of auth-api 5");
    console.type_text("?");
    assert_eq!((console.state.ui.pane, &console.state.ui.overlay), (Pane::Ask, &Overlay::Asking));
    assert_eq!(console.state.ui.talk.prompt.text, "p99 of auth-api 5?");
    // Esc leaves the line as it is, and another the pane, as nothing was asked.
    console.press("Esc");
    assert_eq!((console.state.ui.pane, &console.state.ui.overlay), (Pane::Now, &Overlay::None));
    console.press("7");
    assert_eq!(console.draw().matches("p99 of auth-api 5?").count(), 1);
    assert!(console.requests().is_empty());
}

#[test]
fn questions_before_come_back_and_a_paste_is_one_line() {
    let mut console = Console::live();
    for question in ["what is broken now", "who is affected"] {
        ask(&mut console, question);
    }
    console.type_text("half a ").press("Ctrl-p");
    assert_eq!(console.state.ui.talk.prompt.text, "who is affected");
    console.press("Ctrl-p Ctrl-p");
    assert_eq!(console.state.ui.talk.prompt.text, "what is broken now");
    console.press("Ctrl-n Ctrl-n");
    assert_eq!(console.state.ui.talk.prompt.text, "half a ");
    console.press("Ctrl-u");
    console.tell(Message::Paste("why is\nauth-api\r\nslow\u{1b}[2J".into()));
    assert_eq!(console.state.ui.talk.prompt.text, "why is auth-api slow[2J");
    console.tell(Message::Paste("x".repeat(2_000)));
    assert_eq!(console.state.ui.talk.prompt.text.chars().count(), 500);
    assert_eq!(console.state.ui.talk.exchanges.len(), 2, "a paste asks nothing");
}

#[test]
fn an_answer_becomes_a_note_once_it_was_looked_at() {
    let mut console = Console::live();
    ask(&mut console, "what is the root cause");
    console.press("Esc n");
    assert!(matches!(console.state.ui.overlay, Overlay::Note { incident: IncidentId(42), .. }));
    assert!(console.requests().is_empty());
    console.press("Ctrl-d");
    let requests = console.requests();
    let [Request::Note { incident: IncidentId(42), text }] = requests.as_slice() else { panic!("{requests:?}") };
    assert!(text.starts_with("Q: what is the root cause\nA: ") && text.contains("INC-42"), "{text}");
}

#[test]
fn what_is_selected_is_copied() {
    let mut console = Console::live();
    ask(&mut console, "what is the root cause");
    console.press("Esc y");
    let lead = console.state.ui.talk.exchanges[0].answer().unwrap().lead.text();
    assert!(console.effects.contains(&Effect::Copy(lead.clone())));
    console.press("k y");
    let copied = console.effects.iter().rev().find_map(|effect| match effect {
        Effect::Copy(text) => Some(text.clone()),
        _ => None,
    });
    assert!(copied.is_some_and(|text| text.starts_with("Q: what is the root cause") && text.contains(&lead)));
}

#[test]
fn what_is_suggested_is_answered() {
    let snapshot = fixtures::live();
    let incidents = [None, snapshot.incident(IncidentId(42)), snapshot.incident(IncidentId(41))];
    for incident in incidents {
        let focus = incident.map(|incident| incident.id);
        let questions = suggestions(incident.map(AsRef::as_ref));
        assert!(questions.len() > 3);
        for question in questions {
            let inquiry =
                Inquiry { text: Arc::from(*question), before: None, zone: Tz::UTC, focus, wants_model: false };
            let Telling::Answer { answer, .. } = answered(&inquiry, &snapshot) else { panic!("no answer") };
            assert_eq!(answer.state, AnswerState::Answered, "{question} of {focus:?}: {}", answer.lead.text());
        }
    }
}

#[test]
fn an_engine_that_ends_is_told() {
    let mut console = Console::live();
    console.press("7").type_text("what is broken now").press("Enter");
    console.tell(Message::Told(0, None));
    assert!(console.draw().contains("not answered: the engine has ended"));
    // Nothing of another life is taken for an answer.
    console.tell(Message::Told(7, None));
    assert_eq!(console.state.ui.talk.exchanges.len(), 1);
}

#[test]
fn fifty_questions_are_remembered() {
    let mut console = Console::live();
    for _ in 0..60 {
        console.press("7").type_text("what is broken now").press("Enter");
    }
    let numbers: Vec<u64> = console.state.ui.talk.exchanges.iter().map(|exchange| exchange.number).collect();
    assert_eq!(numbers, (10..60).collect::<Vec<_>>());
}

#[test]
fn a_model_is_asked_only_by_its_key_and_what_it_says_is_marked_as_its_own() {
    let mut console = Console::live();
    console.press("7").type_text("what is the root cause").press("Enter");
    let asked = |console: &Console| -> Vec<bool> {
        let of = |effect: &Effect| if let Effect::Ask(_, inquiry) = effect { Some(inquiry.wants_model) } else { None };
        console.effects.iter().filter_map(of).collect()
    };
    assert_eq!(asked(&console), [false]);
    answer_last(&mut console);
    // An empty line asks about what is selected.
    console.press("Alt-Enter");
    assert_eq!(asked(&console), [false, true]);
    answer_last(&mut console);
    let say = |console: &mut Console, saying| console.tell(Message::Told(1, Some(Telling::Model(saying))));
    say(&mut console, Saying::Begun { model: "tall-1".into(), bytes: 2_048 });
    say(&mut console, Saying::Looked { tool: "changes".into(), about: "auth-api".into() });
    say(&mut console, Saying::Text("The policy did it.\nRestart \u{1b}[2J everything".into()));
    let screen = console.draw();
    assert!(screen.contains("≈ tall-1 writes; nothing of it is checked yet"), "{screen}");
    let sentence = |text: &str, verdict| CheckedSentence { text: text.into(), verdict };
    let ended = Ended {
        sentences: vec![
            sentence("The policy did it.", Verdict::Supported { citations: vec![Citation::Change(ChangeId(9))] }),
            sentence("One might look at the clients.", Verdict::Unchecked),
            sentence("auth-db was hacked.", Verdict::Struck { reason: "no fact says so".into() }),
        ],
        struck_count: 1,
        draft: Some(Draft { steps: Vec::new(), page: "# Draft\n\ntext of a model".into() }),
        note: None,
        spent: Spent { tokens_in: 2_000, tokens_out: 120, cost_usd: Some(0.0078), bytes_sent: 9_000, took_ms: 2_300 },
    };
    say(&mut console, Saying::Ended(ended));
    insta::assert_snapshot!("ask_model_80x24", console.draw());
    // The lines below the screen can be gone to, each opens what says so, and what no fact says opens nothing.
    let struck = RowKey::Said(1, 3);
    for _ in 0..40 {
        if console.selected() == Some(struck.clone()) {
            break;
        }
        console.press("Down");
    }
    assert_eq!(console.selected(), Some(struck));
    assert!(console.draw().contains("✗ struck: auth-db was hacked."), "{}", console.draw());
    console.press("Enter");
    assert!(console.draw().contains("no fact says this"));
    console.press("Up Up Enter");
    assert_eq!(console.state.ui.overlay, Overlay::Entry { row: RowKey::Change(ChangeId(9)), offset: 0 });
    console.press("Esc");
    // What it proposes is text for a person to look over.
    console.press("Esc D");
    assert!(matches!(console.state.ui.overlay, Overlay::Note { what: Written::Draft, .. }));
    console.press("Ctrl-d");
    let requests = console.requests();
    let [Request::SaveRunbookDraft { incident: IncidentId(42), text }] = requests.as_slice() else {
        panic!("{requests:?}")
    };
    assert!(text.contains("text of a model"));
}

#[test]
fn a_model_that_cannot_be_asked_leaves_the_answer_as_it_is() {
    let mut console = Console::live();
    console.press("7").type_text("what is the root cause").press("Alt-Enter");
    answer_last(&mut console);
    let before = console.state.ui.talk.exchanges[0].outcome.clone();
    let failed = Saying::Failed {
        reason: "the model's server is overloaded; ask again in 30 s".into(),
        spent: Spent::default(),
    };
    console.tell(Message::Told(0, Some(Telling::Model(failed))));
    console.tell(Message::Told(0, None));
    assert_eq!(console.state.ui.talk.exchanges[0].outcome, before);
    let screen = console.draw();
    let screen = screen.replace(['│', '≈', '"'], " ").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(screen.contains("overloaded") && screen.contains("the answer above stands"), "{screen}");
}
