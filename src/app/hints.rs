//! The keys of what is on the screen, made from the command table and the keymap.

mod standing;

use super::commands::{COMMANDS, Command, CommandInfo, Scope};
use super::keymap::Layer;
use super::picture;
use super::state::{AppState, Question};
use crate::engine::model::RunId;
use crate::engine::snapshot::rollout::{RolloutState, TargetState};
use crate::views::context::KeyHint;
use crate::views::people::asks_for_wheel;
use crate::views::ui_state::{Overlay, RowKey};

/// The layers that count now, most specific first.
#[must_use]
pub fn layers(state: &AppState) -> &'static [Layer] {
    match &state.ui.overlay {
        Overlay::Note { .. } => &[Layer::Note, Layer::Prompt],
        Overlay::Asking => &[Layer::Asking, Layer::Prompt],
        _ if state.is_typing() => &[Layer::Prompt],
        Overlay::Confirm(_) => &[Layer::Confirm, Layer::Global],
        Overlay::Unsent => &[Layer::Offer, Layer::Global],
        Overlay::None => Layer::of_pane(state.ui.pane),
        _ => &[Layer::List, Layer::Global],
    }
}

/// True where a command can be given now.
#[must_use]
pub fn fits(state: &AppState, info: &CommandInfo) -> bool {
    if state.ui.is_read_only && info.is_act() {
        return false;
    }
    match &state.ui.overlay {
        // What takes a line would take a note at its first line's end, or at that of a text pasted as keys.
        Overlay::Note { .. } => {
            info.scope == Scope::Note || info.scope == Scope::Prompt && info.command != Command::Submit
        }
        Overlay::Asking => matches!(info.scope, Scope::Asking | Scope::Prompt),
        _ if state.is_typing() => info.scope == Scope::Prompt,
        // What stops everything is one key away wherever keys are keys.
        _ if info.command == Command::Kill && state.snapshot.kill.is_none() => true,
        Overlay::Confirm(_) => info.scope == Scope::Confirm,
        Overlay::Unsent => info.scope == Scope::Offer,
        Overlay::None => info.fits(state.ui.pane),
        // Over a pane only what looks and moves can be given: what lies beneath cannot be seen.
        _ => matches!(info.scope, Scope::Panes(_)) && !info.is_act(),
    }
}

/// The key that gives a command where the screen is now, for text that names it; its title where it has none.
#[must_use]
pub fn key_of(state: &AppState, command: Command) -> String {
    let pane = state.ui.pane;
    let here = state.keymap.keys_of(command, Layer::of_pane(pane), |info| info.fits(pane)).into_iter().next();
    let elsewhere = || state.keymap.all_keys(command).into_iter().next();
    here.or_else(elsewhere).unwrap_or_else(|| format!("“{}”", command.info().title))
}

/// Makes the hints again. Help lists those of the pane beneath it, in an order of its own that nothing changes, and its mark stays
/// on the command that it was on.
pub fn refresh(state: &mut AppState) {
    let marked = match &state.ui.overlay {
        Overlay::Help { selected } => Some(state.hint_commands.get(*selected).copied()),
        _ => None,
    };
    let is_of_pane = matches!(state.ui.overlay, Overlay::None | Overlay::Help { .. });
    let layers = if is_of_pane { Layer::of_pane(state.ui.pane) } else { layers(state) };
    // A question names no answer that would not be taken.
    let is_unanswerable = state.ui.unheard.is_some() && state.question.as_ref().is_some_and(Question::is_act);
    let is_answer = |command| matches!(command, Command::Yes | Command::Submit);
    let fits = |info: &CommandInfo| {
        if is_of_pane {
            info.fits(state.ui.pane) && !(state.ui.is_read_only && info.is_act())
        } else {
            // It works over everything, and is not what a question or a list is about.
            fits(state, info) && info.command != Command::Kill && !(is_unanswerable && is_answer(info.command))
        }
    };
    let mut listed: Vec<(standing::Use, &CommandInfo, Vec<String>)> = COMMANDS
        .iter()
        .filter(|info| fits(info))
        .filter_map(|info| {
            let keys = state.keymap.keys_of(info.command, layers, fits);
            (!keys.is_empty()).then(|| (standing::of(state, info), info, keys))
        })
        .collect();
    if marked.is_none() {
        listed.sort_by_key(|(of_use, ..)| *of_use);
    }
    state.hint_commands = listed.iter().map(|(_, info, _)| info.command).collect();
    if let (Some(Some(command)), Overlay::Help { selected }) = (marked, &mut state.ui.overlay)
        && let Some(at) = state.hint_commands.iter().position(|known| *known == command)
    {
        *selected = at;
    }
    state.hints = listed
        .into_iter()
        .map(|(_, info, keys)| KeyHint {
            keys: keys.first().cloned().unwrap_or_default(),
            short: short(state, info),
            help: help(state, info, &keys),
            is_act: info.is_act(),
        })
        .collect();
}

/// What a key is called where it stands for more than one thing: by what it would do now.
fn short(state: &AppState, info: &CommandInfo) -> String {
    let named = match info.command {
        Command::Submit if state.ui.overlay == Overlay::Asking => {
            Some(if state.ui.talk.prompt.text.is_empty() { "open" } else { "ask" })
        }
        Command::Freeze if state.ui.is_frozen => Some("go on"),
        Command::Kill if state.snapshot.kill.is_some() => Some("take switch off"),
        Command::Approve => beginning(state),
        Command::Wheel => return wheel(state),
        Command::KeepWheel if asks_for_wheel(&state.snapshot, &state.ui.me).is_some() => Some("keep it"),
        _ => None,
    };
    named.or_else(|| short_of_rollout(state, info.command)).unwrap_or(info.short).to_owned()
}

/// What [`Command::Approve`] is where no run is under way.
fn beginning(state: &AppState) -> Option<&'static str> {
    let incident = state.incident().filter(|_| !state.run().is_some_and(|run| run.state.is_open()))?;
    let proposals = picture::proposals(&state.snapshot, incident.id);
    let selected = match state.selected() {
        Some((_, RowKey::Proposal(id))) => Some(id),
        _ => None,
    };
    let chosen = proposals.iter().find(|(proposal, _)| Some(&proposal.runbook.id) == selected.as_ref());
    let (_, ran_as): &(_, Option<RunId>) = chosen.or_else(|| proposals.first())?;
    Some(if ran_as.is_some() { "begin anew" } else { "begin" })
}

/// What [`Command::Wheel`] does: give it to whom, or ask for it.
fn wheel(state: &AppState) -> String {
    if let Some((_, by)) = asks_for_wheel(&state.snapshot, &state.ui.me) {
        return format!("give {by} the wheel");
    }
    let of_run = state.run().and_then(|run| state.snapshot.wheels.get(&run.id));
    match of_run {
        Some(wheel) if wheel.driver == state.ui.me => "give wheel",
        Some(wheel) if wheel.asked.as_ref().is_some_and(|asked| asked.by == state.ui.me) => "ask again",
        _ => "ask for wheel",
    }
    .to_owned()
}

/// What a key does with the rollout on the screen.
fn short_of_rollout(state: &AppState, command: Command) -> Option<&'static str> {
    let rollout = &picture::rollout(&state.snapshot, &state.ui)?.rollout;
    let is_unknown = || {
        let Some((_, RowKey::RolloutTarget(_, name))) = state.selected() else { return false };
        let record = rollout.targets.get(&*name);
        record.is_some_and(|record| matches!(record.state, TargetState::Unknown { .. }))
    };
    Some(match (command, &rollout.state) {
        (Command::HoldRollout, RolloutState::Paused { .. }) => "go on",
        (Command::HoldRollout, _) => "pause",
        (Command::PlanRollout, _) => "plan anew",
        (Command::AnswerYes, _) if is_unknown() => "it is there",
        (Command::AnswerNo, _) if is_unknown() => "it is not there",
        (Command::AnswerYes, _) => "good enough",
        (Command::AnswerNo, _) => "not good",
        _ => return None,
    })
}

/// The sentence in help, with the keys that the bottom line has no room for.
fn help(state: &AppState, info: &CommandInfo, keys: &[String]) -> String {
    if info.command == Command::Note {
        let key = |command| {
            let is_of_note = |info: &CommandInfo| matches!(info.scope, Scope::Note | Scope::Prompt);
            state.keymap.keys_of(command, &[Layer::Note, Layer::Prompt], is_of_note).into_iter().next()
        };
        if let (Some(save), Some(line)) = (key(Command::SaveNote), key(Command::NewLine)) {
            return format!("{}: {save} saves it, {line}: new line", info.title);
        }
    }
    match keys {
        [_, others @ ..] if !others.is_empty() => format!("{}: {} (also {})", info.title, info.help, others.join(", ")),
        _ => format!("{}: {}", info.title, info.help),
    }
}
