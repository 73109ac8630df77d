//! The line that is typed at a question, kept until it is taken: neither a question that is withdrawn nor a refusal loses it.

use tui_textarea::Input;

use super::editing::LINE_CHARS_MAX;
use super::{editing, patches};
use crate::app::commands::Command;
use crate::app::hints::key_of;
use crate::app::state::{AppState, TextOver};
use crate::engine::clock::Timestamp;
use crate::engine::request::{Reply, Request};
use crate::views::ui_state::{Confirmation, Overlay};

/// Takes the question back; what was typed at it can be brought back.
pub(super) fn withdraw(state: &mut AppState, now: Timestamp) {
    let mut is_kept = false;
    if let Overlay::Confirm(Confirmation { typed, line: Some(_), .. }) = std::mem::take(&mut state.ui.overlay)
        && !typed.trim().is_empty()
    {
        state.typed_last = typed;
        is_kept = true;
    }
    state.question = None;
    state.text_over = Some((now, TextOver::Withdrawn { is_kept }));
    state.refuse(withdrawn(state, is_kept));
}

/// That a question was withdrawn, and how what was typed at it comes back.
pub(super) fn withdrawn(state: &AppState, is_kept: bool) -> String {
    let back = if is_kept { format!("; {}", way_back(state)) } else { String::new() };
    format!("what you were asked about has changed; nothing was done{back}")
}

fn way_back(state: &AppState) -> String {
    format!("asked again, {} brings back what you had typed", key_of(state, Command::PromptUp))
}

/// Puts what was typed into the request that it was asked for. A line is kept until it is taken, a name that was typed as a proof is not.
///
/// # Errors
/// In words for whoever typed it, where it cannot be meant so.
pub(super) fn put(state: &mut AppState, request: &mut Request, typed: String, is_line: bool) -> Result<(), String> {
    let taken = patches::take_line(request, &typed);
    if !is_line || typed.is_empty() {
        return taken;
    }
    match taken {
        Ok(()) => state.typed_sent = Some((request.clone(), typed)),
        Err(problem) => {
            let back = way_back(state);
            state.typed_last = typed;
            return Err(format!("{problem}; {back}"));
        }
    }
    Ok(())
}

/// How what was typed for a request comes back that was not done; `None` where nothing was typed for it, or it was done.
pub(super) fn give_back(state: &mut AppState, request: &Request, reply: &Reply) -> Option<String> {
    let (_, typed) = state.typed_sent.take_if(|(sent, _)| sent == request)?;
    if matches!(reply, Reply::Done { .. }) {
        return None;
    }
    state.typed_last = typed;
    Some(way_back(state))
}

/// Takes in what an earlier console left.
pub(super) fn find(state: &mut AppState, line: String) {
    if line.is_empty() {
        return;
    }
    let key = key_of(state, Command::PromptUp);
    state.say(format!("at a question, {key} brings back what you had typed: {line}"));
    state.typed_last = line;
}

/// Puts what was kept where it is asked for again; what stands there is not lost by it.
pub(super) fn bring_back(state: &mut AppState) {
    if let Overlay::Confirm(Confirmation { line: Some(_), typed, .. }) = &state.ui.overlay
        && !state.typed_last.is_empty()
    {
        let kept = std::mem::replace(&mut state.typed_last, typed.clone());
        replace(state, kept);
    }
}

/// What stands at the question, with the cursor at its end.
pub(super) fn replace(state: &mut AppState, line: String) {
    state.answer = editing::line(line);
    settle(state);
}

/// A key that moves within the line, or deletes after the cursor.
pub(super) fn type_key(state: &mut AppState, input: Input) {
    state.answer.input(input);
    settle(state);
}

/// Text at the cursor, as far as there is room for it.
pub(super) fn type_text(state: &mut AppState, text: &str) {
    let standing: usize = state.answer.lines().iter().map(|line| line.chars().count()).sum();
    state.answer.insert_str(text.chars().take(LINE_CHARS_MAX.saturating_sub(standing)).collect::<String>());
    settle(state);
}

/// Deletes before the cursor.
pub(super) fn delete(state: &mut AppState, command: Command) {
    editing::delete(&mut state.answer, command);
    settle(state);
}

/// After the line has changed: what views see of it.
fn settle(state: &mut AppState) {
    if let Overlay::Confirm(question) = &mut state.ui.overlay {
        question.typed = state.answer.lines().first().cloned().unwrap_or_default();
        question.cursor = state.answer.cursor().1;
    }
}
