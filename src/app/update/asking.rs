//! The prompt of Ask: typing a question, completing it, sending it, and taking its answer in.

use std::sync::Arc;

use tui_textarea::{CursorMove, Input, TextArea};

use super::{answers, editing, moving, panes};
use crate::app::commands::Command;
use crate::app::completion;
use crate::app::effect::Effect;
use crate::app::hints::key_of;
use crate::app::key::Key;
use crate::app::keymap::{Layer, Lookup};
use crate::app::picture;
use crate::app::state::AppState;
use crate::engine::ask::answer::{Answer, AnswerState};
use crate::engine::ask::ground::Ground;
use crate::engine::ask::recall::Archive;
use crate::engine::inquiry::{Inquiry, Telling};
use crate::engine::model::PastValues;
use crate::views::talk::{EXCHANGES_MAX, Exchange, Outcome};
use crate::views::ui_state::{Overlay, Pane, RowKey};

/// Characters that a question may have.
const QUESTION_CHARS_MAX: usize = 500;

pub(super) fn give(state: &mut AppState, command: Command) -> Vec<Effect> {
    match command {
        Command::Ask => return open(state),
        Command::AskModel => return ask_model(state),
        Command::Complete => complete(state),
        Command::EarlierQuestion => history(state, -1),
        Command::LaterQuestion => history(state, 1),
        Command::NoteAnswer => answers::note(state),
        Command::DraftRunbook => answers::draft(state),
        _ => return submit(state),
    }
    Vec::new()
}

/// Puts the cursor into the prompt, with what was begun there.
pub(super) fn open(state: &mut AppState) -> Vec<Effect> {
    if state.ui.pane != Pane::Ask {
        panes::go(state, Pane::Ask);
    }
    let prompt = &state.ui.talk.prompt;
    let mut area = TextArea::new(vec![prompt.text.clone()]);
    area.move_cursor(CursorMove::Jump(0, u16::try_from(prompt.cursor).unwrap_or(u16::MAX)));
    state.prompt = area;
    // Names are in the picture alone.
    let (archive, past) = (Archive::default(), PastValues::default());
    let ground = Ground { snapshot: &state.snapshot, zone: state.zone, focus: None, archive: &archive, past: &past };
    state.names = ground.names().into_iter().map(|name| name.text).collect();
    state.history_at = None;
    state.is_prompt_on = true;
    state.ui.overlay = Overlay::Asking;
    vec![Effect::PrepareToAsk]
}

/// After whatever lay over the pane has gone, or the way back to it: the prompt has the keys again, where it had them.
pub(super) fn refocus(state: &mut AppState) {
    if state.is_prompt_on && state.ui.pane == Pane::Ask && state.ui.overlay == Overlay::None {
        state.ui.overlay = Overlay::Asking;
    }
}

/// True where this key is none of the question: the line is empty, no question begins so, and it means something in the pane.
pub(super) fn is_none_of_it(state: &AppState, key: Key) -> bool {
    use crossterm::event::KeyCode;
    let is_text = |c: char| c.is_alphabetic() || c.is_whitespace();
    let is_sign = match key.typed_char() {
        Some(c) => !is_text(c),
        None => matches!(key.code, KeyCode::Tab | KeyCode::BackTab | KeyCode::PageUp | KeyCode::PageDown),
    };
    let is_idle = state.ui.overlay == Overlay::Asking && state.ui.talk.prompt.text.is_empty();
    let fits = |info: &crate::app::commands::CommandInfo| info.fits(Pane::Ask);
    is_idle && is_sign && state.keymap.lookup(Layer::of_pane(Pane::Ask), &[key], fits) != Lookup::Nothing
}

/// A key that moves within the line.
pub(super) fn type_key(state: &mut AppState, input: Input) {
    state.prompt.input(input);
    settle(state);
}

/// Text at the cursor; the line stays one.
pub(super) fn type_text(state: &mut AppState, text: &str) {
    let room = QUESTION_CHARS_MAX.saturating_sub(state.ui.talk.prompt.text.chars().count());
    let text: String = text.chars().map(|c| if c == '\n' { ' ' } else { c }).take(room).collect();
    state.prompt.insert_str(text);
    settle(state);
}

pub(super) fn delete(state: &mut AppState, command: Command) {
    editing::delete(&mut state.prompt, command);
    settle(state);
}

/// After the line has changed: what views see of it, and the names that its word may stand for.
fn settle(state: &mut AppState) {
    let text = state.prompt.lines().first().cloned().unwrap_or_default();
    let cursor = state.prompt.cursor().1;
    let (_, word) = completion::word_at(&text, cursor);
    let prompt = &mut state.ui.talk.prompt;
    prompt.matches = completion::matches(&state.names, &word);
    prompt.selected = 0;
    (prompt.text, prompt.cursor) = (text, cursor);
}

/// Another match where there are any, another row where nothing is typed, else an earlier or later question.
pub(super) fn prompt_move(state: &mut AppState, by: isize) {
    let prompt = &mut state.ui.talk.prompt;
    if !prompt.matches.is_empty() {
        prompt.selected = prompt.selected.saturating_add_signed(by).min(prompt.matches.len() - 1);
    } else if prompt.text.is_empty() {
        moving::rows(state, by);
    } else {
        history(state, by);
    }
}

/// An earlier or later question, to be asked again or changed.
fn history(state: &mut AppState, by: isize) {
    let asked: Vec<Arc<str>> = state.ui.talk.exchanges.iter().map(|exchange| Arc::clone(&exchange.question)).collect();
    let at = state.history_at.unwrap_or(asked.len()).saturating_add_signed(by).min(asked.len());
    if state.history_at.is_none() && at < asked.len() {
        state.begun = state.ui.talk.prompt.text.clone();
    }
    let text = asked.get(at).map_or_else(|| state.begun.clone(), ToString::to_string);
    state.history_at = (at < asked.len()).then_some(at);
    replace(state, text);
    // What was asked before is not completed: the next key goes on through the history.
    state.ui.talk.prompt.matches.clear();
}

pub(super) fn replace(state: &mut AppState, text: String) {
    state.prompt = editing::line(text);
    settle(state);
}

/// The word becomes the selected name.
fn complete(state: &mut AppState) {
    let prompt = &state.ui.talk.prompt;
    let Some(name) = prompt.matches.get(prompt.selected).cloned() else { return };
    let (start, word) = completion::word_at(&prompt.text, prompt.cursor);
    let head: String = prompt.text.chars().take(start).collect();
    let tail: String = prompt.text.chars().skip(start + word.chars().count()).collect();
    let gap = if tail.is_empty() { " " } else { "" };
    let cursor = start + name.chars().count() + gap.len();
    state.prompt = TextArea::new(vec![format!("{head}{name}{gap}{tail}")]);
    state.prompt.move_cursor(CursorMove::Jump(0, u16::try_from(cursor).unwrap_or(u16::MAX)));
    settle(state);
}

/// Leaves the line; what is in it stays. With nothing to look at, leaves the pane too.
pub(super) fn cancel(state: &mut AppState) {
    state.is_prompt_on = false;
    state.ui.talk.prompt.matches.clear();
    if state.ui.talk.exchanges.is_empty() {
        panes::back(state);
    }
}

/// Asks what is typed; where nothing is, opens the selected row.
fn submit(state: &mut AppState) -> Vec<Effect> {
    let text = state.ui.talk.prompt.text.trim().to_owned();
    if text.is_empty() {
        state.ui.overlay = Overlay::None;
        let Some((index, row)) = state.selected() else { return Vec::new() };
        state.select(index, row.clone());
        return answers::open_row(state, &row);
    }
    state.history_at = None;
    replace(state, String::new());
    ask(state, &text)
}

/// Asks what is typed, or the selected question once more, the language model as well.
fn ask_model(state: &mut AppState) -> Vec<Effect> {
    let typed = state.ui.talk.prompt.text.trim().to_owned();
    let selected = || answers::selected_exchange(state).map(|exchange| exchange.question.to_string());
    let Some(text) = Some(typed).filter(|text| !text.is_empty()).or_else(selected) else {
        state.say("nothing is asked yet");
        return Vec::new();
    };
    state.history_at = None;
    replace(state, String::new());
    send(state, &text, true)
}

/// Asks; the answer comes by itself.
pub(super) fn ask(state: &mut AppState, text: &str) -> Vec<Effect> {
    send(state, text, false)
}

fn send(state: &mut AppState, text: &str, wants_model: bool) -> Vec<Effect> {
    let at = state.snapshot.at;
    let talk = &mut state.ui.talk;
    let before = talk.thread().cloned();
    let number = talk.next_number;
    talk.next_number += 1;
    talk.exchanges.push(Exchange { number, question: Arc::from(text), at, outcome: Outcome::Waiting, model: None });
    if talk.exchanges.len() > EXCHANGES_MAX {
        talk.exchanges.remove(0);
    }
    show(state, RowKey::Asked(number));
    let focus = state.ui.incident;
    vec![Effect::Ask(number, Inquiry { text: Arc::from(text), before, zone: state.zone, focus, wants_model })]
}

/// Selects a row of the pane with as much below it as there is.
fn show(state: &mut AppState, row: RowKey) {
    let index = picture::rows(Pane::Ask, &state.snapshot, &state.ui).iter().position(|known| *known == row);
    let list = state.ui.lists.entry(Pane::Ask).or_default();
    list.last_index = index.unwrap_or(0);
    (list.selected, list.offset) = (Some(row), usize::MAX);
}

/// Takes in what came back.
pub(super) fn take(state: &mut AppState, number: u64, telling: Option<Telling>) {
    let Some(exchange) = state.ui.talk.exchanges.iter_mut().find(|exchange| exchange.number == number) else { return };
    if let Some(Telling::Model(saying)) = telling {
        exchange.model.get_or_insert_default().take(saying);
        return;
    }
    exchange.outcome = match telling {
        Some(Telling::Answer { reading, answer }) => Outcome::Answered(reading, answer),
        Some(Telling::Failed { reason }) => Outcome::Failed(reason),
        Some(Telling::Model(_)) => return,
        None if exchange.outcome == Outcome::Waiting => {
            Outcome::Failed(Arc::from("the engine has ended; start hypo again"))
        }
        None => return,
    };
    let row = match exchange.answer() {
        Some(Answer { state: AnswerState::Ambiguous, next, .. }) => next.first().cloned().map(RowKey::Next),
        Some(_) => Some(RowKey::Claim(number, 0)),
        None => None,
    };
    let asked = RowKey::Asked(number);
    // Whoever has moved on reads something else.
    let waits = state.ui.lists.get(&Pane::Ask).is_some_and(|list| list.selected.as_ref() == Some(&asked));
    if waits {
        show(state, row.unwrap_or(asked));
    }
    if state.ui.pane != Pane::Ask {
        let key = key_of(state, Command::Pane(Pane::Ask));
        state.say(format!("your question is answered; {key} shows it"));
    }
}
