//! What lies over the panes: palette, filter line, note, help, evidence, and the questions before something is done.

use tui_textarea::{Input, Key as TextKey};

use super::editing::LINE_CHARS_MAX;
use super::{asking, editing, give as give_command, panes, patches, rollouts, settle_selection, texts, typed, unheard};
use crate::app::commands::Command;
use crate::app::effect::Effect;
use crate::app::hints::key_of;
use crate::app::key::Key;
use crate::app::palette::{Palette, pane_of};
use crate::app::state::{AppState, Asked};
use crate::engine::clock::Timestamp;
use crate::engine::limits::ACT_KEY_INERT_MS;
use crate::views::ui_state::{Overlay, RowKey, Written};

/// Characters that a note or an update may have.
const NOTE_CHARS_MAX: usize = 10_000;
/// Characters that a post-mortem may have.
const POST_MORTEM_CHARS_MAX: usize = 100_000;

pub(super) fn give(state: &mut AppState, command: Command, now: Timestamp) -> Vec<Effect> {
    match command {
        Command::Filter => open_filter(state),
        Command::Palette => {
            state.ui.overlay = Overlay::Palette { input: String::new(), selected: 0 };
            find(state);
        }
        Command::Help => {
            toggle(state, Overlay::Help { selected: 0 });
            // Its own list begins at its first row, whatever the bottom line began with.
            state.hint_commands.clear();
        }
        Command::Evidence => toggle(state, Overlay::Evidence { hypothesis: chosen_hypothesis(state), offset: 0 }),
        Command::Why => why(state),
        Command::Habits => toggle(state, Overlay::Habits { offset: 0 }),
        Command::Policy => toggle(state, Overlay::Policy { offset: 0 }),
        Command::People => toggle(state, Overlay::People { offset: 0 }),
        Command::GroupPatches => patches::group(state),
        Command::PatchView => rollouts::next_view(state),
        Command::Suppressed => {
            if let (Some((index, row)), false) = (state.selected(), state.ui.pane.starts_at_end()) {
                // The mark stays on what it was on, moved or not.
                state.select(index, row);
            }
            state.ui.shows_suppressed = !state.ui.shows_suppressed;
            settle_selection(state);
            state.say(if state.ui.shows_suppressed {
                "suppressed anomalies are listed"
            } else {
                "suppressed anomalies are hidden"
            });
        }
        Command::Submit => return submit(state, now),
        Command::SaveNote => return texts::save(state, now),
        Command::NewLine => type_text(state, "\n"),
        Command::Cancel | Command::No => cancel(state),
        Command::PromptUp => prompt_move(state, -1),
        Command::PromptDown => prompt_move(state, 1),
        Command::Yes => return yes(state, now),
        _ => delete(state, command),
    }
    Vec::new()
}

/// Opens an overlay, or closes it where it is open: the key that brought it takes it away.
fn toggle(state: &mut AppState, overlay: Overlay) {
    let is_open = std::mem::discriminant(&state.ui.overlay) == std::mem::discriminant(&overlay);
    state.ui.overlay = if is_open { Overlay::None } else { overlay };
}

fn chosen_hypothesis(state: &AppState) -> usize {
    match state.selected() {
        Some((_, RowKey::Evidence(hypothesis, ..))) => hypothesis,
        _ => 0,
    }
}

fn why(state: &mut AppState) {
    let anomaly = match state.selected() {
        Some((_, RowKey::Anomaly(anomaly))) => Some(anomaly),
        Some((_, RowKey::Timeline(at, number))) => panes::timeline_anomaly(state, at, number),
        _ => None,
    };
    match anomaly {
        Some(anomaly) => toggle(state, Overlay::Why { anomaly, offset: 0 }),
        None if matches!(state.ui.overlay, Overlay::Why { .. }) => state.ui.overlay = Overlay::None,
        None => state.refuse("no anomaly is selected"),
    }
}

fn open_filter(state: &mut AppState) {
    state.ui.overlay = Overlay::None;
    state.filter_before = state.ui.list().filter;
    state.ui.overlay = Overlay::Filter;
}

fn find(state: &mut AppState) {
    if let Overlay::Palette { input, selected } = &mut state.ui.overlay {
        state.palette = Palette::find(input, state.ui.pane, state.ui.is_read_only, &state.keymap);
        *selected = 0;
    }
}

/// A key that is bound to nothing while text is typed: the text.
pub(super) fn type_key(state: &mut AppState, key: Key) {
    if let (Overlay::Note { .. } | Overlay::Asking | Overlay::Confirm(_), None) = (&state.ui.overlay, key.typed_char())
    {
        let Some(input) = editing::input(key) else { return };
        match &state.ui.overlay {
            Overlay::Asking => asking::type_key(state, input),
            Overlay::Confirm(_) => typed::type_key(state, input),
            _ => {
                if let Some(note) = &mut state.note {
                    note.input(input);
                }
            }
        }
    } else if let Some(c) = key.typed_char() {
        type_text(state, c.encode_utf8(&mut [0; 4]));
    }
}

/// True where a key that types nothing means something in the text that is being typed.
pub(super) fn takes(state: &AppState, key: Key) -> bool {
    use crossterm::event::KeyCode;
    // With Alt, letters move by words or mean nothing.
    let is_letter = matches!(key.code, KeyCode::Char(c) if !matches!(c, 'f' | 'b'));
    let has_cursor = match &state.ui.overlay {
        Overlay::Note { .. } | Overlay::Asking => true,
        Overlay::Confirm(_) => state.is_typing(),
        _ => false,
    };
    has_cursor && editing::input(key).is_some() && !is_letter
}

/// Puts text where text is being typed. Control characters stay out; line ends count in notes only.
pub(super) fn type_text(state: &mut AppState, text: &str) {
    let is_note = matches!(state.ui.overlay, Overlay::Note { .. });
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\t', " ");
    let clean = |c: &char| !c.is_control() || (is_note && *c == '\n');
    if state.ui.overlay == Overlay::Asking {
        return asking::type_text(state, &text.replace('\n', " ").chars().filter(clean).collect::<String>());
    }
    match &mut state.ui.overlay {
        Overlay::Note { what, .. } => {
            let is_long = matches!(what, Written::PostMortem | Written::Draft);
            let chars_max = if is_long { POST_MORTEM_CHARS_MAX } else { NOTE_CHARS_MAX };
            if let Some(note) = &mut state.note {
                let room = chars_max.saturating_sub(note.lines().iter().map(|line| line.chars().count()).sum());
                note.insert_str(text.chars().filter(clean).take(room).collect::<String>());
            }
        }
        Overlay::Palette { input, .. } => {
            append(input, &text, clean);
            find(state);
        }
        Overlay::Confirm(_) => typed::type_text(state, &text.chars().filter(clean).collect::<String>()),
        Overlay::Filter => {
            append(&mut state.list_mut().filter, &text, clean);
            settle_selection(state);
        }
        _ => {}
    }
}

fn append(line: &mut String, text: &str, clean: impl Fn(&char) -> bool) {
    let room = LINE_CHARS_MAX.saturating_sub(line.chars().count());
    line.extend(text.chars().filter(clean).take(room));
}

fn delete(state: &mut AppState, command: Command) {
    let pane_filter = match &mut state.ui.overlay {
        Overlay::Note { .. } => {
            if let Some(note) = &mut state.note {
                editing::delete(note, command);
            }
            return;
        }
        Overlay::Asking => return asking::delete(state, command),
        Overlay::Palette { input, .. } => {
            shorten(input, command);
            find(state);
            return;
        }
        Overlay::Confirm(_) => return typed::delete(state, command),
        Overlay::Filter => &mut state.list_mut().filter,
        _ => return,
    };
    shorten(pane_filter, command);
    settle_selection(state);
}

fn shorten(line: &mut String, command: Command) {
    match command {
        Command::DeleteChar => {
            line.pop();
        }
        Command::DeleteWord => {
            let kept = line.trim_end().rfind(' ').map_or(0, |blank| blank + 1);
            line.truncate(kept);
        }
        _ => line.clear(),
    }
}

fn prompt_move(state: &mut AppState, by: isize) {
    match &state.ui.overlay {
        Overlay::Palette { .. } => super::moving::by(state, by),
        Overlay::Asking => asking::prompt_move(state, by),
        Overlay::Filter if by < 0 && !state.filter_last.is_empty() => {
            state.list_mut().filter = state.filter_last.clone();
            settle_selection(state);
        }
        Overlay::Confirm(_) if by < 0 => typed::bring_back(state),
        Overlay::Note { .. } => {
            let key = if by < 0 { TextKey::Up } else { TextKey::Down };
            if let Some(note) = &mut state.note {
                note.input(Input { key, ctrl: false, alt: false, shift: false });
            }
        }
        _ => {}
    }
}

fn cancel(state: &mut AppState) {
    match std::mem::take(&mut state.ui.overlay) {
        Overlay::Filter => {
            state.list_mut().filter = std::mem::take(&mut state.filter_before);
            settle_selection(state);
        }
        Overlay::Note { incident, what } => texts::keep_draft(state, incident, what),
        Overlay::Asking => asking::cancel(state),
        Overlay::Confirm(_) => {
            state.question = None;
            state.say("nothing was done");
        }
        _ => {}
    }
}

fn submit(state: &mut AppState, now: Timestamp) -> Vec<Effect> {
    match state.ui.overlay.clone() {
        Overlay::Palette { selected, .. } => {
            state.ui.overlay = Overlay::None;
            let Some(command) = state.palette.commands.get(selected).copied() else {
                state.refuse("no command matches");
                return Vec::new();
            };
            let effects = give_anywhere(state, command, now);
            // What follows in the same breath was typed, or pasted as keys.
            state.offered_at = now;
            effects
        }
        Overlay::Asking => asking::give(state, Command::Submit),
        Overlay::Filter => {
            state.ui.overlay = Overlay::None;
            state.offered_at = now;
            let filter = state.ui.list().filter;
            if !filter.is_empty() {
                state.filter_last = filter;
            }
            Vec::new()
        }
        Overlay::Confirm(question) => {
            if question.line.is_some() {
                return yes(state, now);
            }
            let wanted = question.typed_target.unwrap_or_default();
            if question.typed.trim() == wanted.trim() {
                return yes(state, now);
            }
            state.refuse(format!("that is not `{wanted}`; nothing was done"));
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Gives a command where it is at home. One that acts is not given there at once: what it acts on is looked at first.
fn give_anywhere(state: &mut AppState, command: Command, now: Timestamp) -> Vec<Effect> {
    let at = pane_of(command.info(), state.ui.pane).unwrap_or(state.ui.pane);
    if at == state.ui.pane {
        return give_command(state, command, now);
    }
    panes::go(state, at);
    if command.info().is_act() {
        state.say(format!("this is {}; {} does it here", at.title(), key_of(state, command)));
        return Vec::new();
    }
    give_command(state, command, now)
}

/// Does what was asked about; inert for a moment after the question came up, so that keys typed ahead do not answer it.
fn yes(state: &mut AppState, now: Timestamp) -> Vec<Effect> {
    let Overlay::Confirm(confirmation) = &state.ui.overlay else { return Vec::new() };
    let is_line = confirmation.line.is_some();
    let is_typed = confirmation.typed_target.is_some() || is_line;
    let typed = is_typed.then(|| confirmation.typed.trim().to_owned());
    let Some(question) = &state.question else { return Vec::new() };
    if (0..ACT_KEY_INERT_MS).contains(&now.since_ms(question.at)) {
        return Vec::new();
    }
    let (asked, is_act) = (question.asked.clone(), question.is_act());
    if matches!(asked, Asked::Request(_)) && !state.is_question_whole {
        state.refuse("not all of the question is on the screen, so nothing was done; make the window larger");
        return Vec::new();
    }
    if let Some(reason) = unheard::unanswerable(state).filter(|_| is_act) {
        state.refuse(reason);
        return Vec::new();
    }
    state.question = None;
    state.ui.overlay = Overlay::None;
    match asked {
        Asked::Leave => vec![Effect::Quit],
        Asked::Request(mut request) => {
            if let Some(typed) = typed
                && let Err(problem) = typed::put(state, &mut request, typed, is_line)
            {
                state.refuse(problem);
                return Vec::new();
            }
            vec![Effect::Request(request)]
        }
    }
}

/// After a frame: what is scrolled stands no further than its last line.
pub(super) fn keep_in_sight(state: &mut AppState, offset_max: usize) {
    if let Overlay::Evidence { offset, .. }
    | Overlay::Why { offset, .. }
    | Overlay::Entry { offset, .. }
    | Overlay::Habits { offset }
    | Overlay::Policy { offset }
    | Overlay::People { offset }
    | Overlay::Away { offset, .. } = &mut state.ui.overlay
    {
        *offset = (*offset).min(offset_max);
    }
}

/// After a new picture: an overlay about something that is gone goes too, and its selection stays valid.
pub(super) fn settle(state: &mut AppState) {
    let hypotheses = state.incident().map_or(0, |incident| incident.ranking.hypotheses.len());
    match &mut state.ui.overlay {
        Overlay::Evidence { hypothesis, .. } => *hypothesis = (*hypothesis).min(hypotheses.saturating_sub(1)),
        Overlay::Why { anomaly, .. } if state.snapshot.anomaly(*anomaly).is_none() => {
            state.ui.overlay = Overlay::None;
            state.say("that anomaly is no longer kept");
        }
        _ => {}
    }
}
