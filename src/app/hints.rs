//! The keys of what is on the screen, made from the command table and the keymap.

use super::commands::{COMMANDS, Command, CommandInfo, Scope};
use super::keymap::Layer;
use super::picture;
use super::state::AppState;
use crate::engine::ask::intent::Intent;
use crate::engine::model::{IncidentState, RunState, StepState};
use crate::engine::snapshot::patches::Grouping;
use crate::engine::snapshot::rollout::{KeptRollout, RolloutState, Soak, TargetState};
use crate::views::context::KeyHint;
use crate::views::people::asks_for_wheel;
use crate::views::ui_state::{Overlay, PatchView, RowKey};

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

/// Makes the hints again. Help lists those of the pane beneath it.
pub fn refresh(state: &mut AppState) {
    let is_of_pane = matches!(state.ui.overlay, Overlay::None | Overlay::Help { .. });
    let layers = if is_of_pane { Layer::of_pane(state.ui.pane) } else { layers(state) };
    let fits = |info: &CommandInfo| {
        if is_of_pane {
            info.fits(state.ui.pane) && !(state.ui.is_read_only && info.is_act())
        } else {
            // It works over everything, and is not what a question or a list is about.
            fits(state, info) && info.command != Command::Kill
        }
    };
    let mut listed: Vec<(bool, &CommandInfo, Vec<String>)> = COMMANDS
        .iter()
        .filter(|info| fits(info))
        .filter_map(|info| {
            let keys = state.keymap.keys_of(info.command, layers, fits);
            (!keys.is_empty()).then(|| (is_of_use(state, info.command), info, keys))
        })
        .collect();
    listed.sort_by_key(|(is_of_use, ..)| !is_of_use);
    state.hint_commands = listed.iter().map(|(_, info, _)| info.command).collect();
    state.hints = listed
        .into_iter()
        .map(|(_, info, keys)| KeyHint {
            keys: keys.first().cloned().unwrap_or_default(),
            short: short(state, info).to_owned(),
            help: help(state, info, &keys),
            is_act: info.is_act(),
        })
        .collect();
}

/// What a key is called where it stands for more than one thing: by what it would do now.
fn short(state: &AppState, info: &CommandInfo) -> &'static str {
    if state.ui.overlay == Overlay::Asking {
        match info.command {
            Command::Submit if state.ui.talk.prompt.text.is_empty() => return "open",
            Command::Submit => return "ask",
            _ => {}
        }
    }
    let Some(kept) = picture::rollout(&state.snapshot, &state.ui) else { return info.short };
    let rollout = &kept.rollout;
    let is_unknown = || {
        let Some((_, RowKey::RolloutTarget(_, name))) = state.selected() else { return false };
        let record = rollout.targets.get(&*name);
        record.is_some_and(|record| matches!(record.state, TargetState::Unknown { .. }))
    };
    match (info.command, &rollout.state) {
        (Command::HoldRollout, RolloutState::Paused { .. }) => "go on",
        (Command::HoldRollout, _) => "pause",
        (Command::PlanRollout, _) => "plan anew",
        (Command::AnswerYes, _) if is_unknown() => "it is there",
        (Command::AnswerNo, _) if is_unknown() => "it is not there",
        (Command::AnswerYes, _) => "good enough",
        (Command::AnswerNo, _) => "not good",
        _ => info.short,
    }
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

/// True once the time has come for an update on the incident.
fn is_update_due(state: &AppState) -> bool {
    let due = state.incident().and_then(|incident| state.snapshot.updates_due.get(&incident.id));
    due.is_some_and(|at| *at <= state.snapshot.at)
}

/// True where the step that is offered shows its effect without having it.
fn can_be_tried(state: &AppState) -> bool {
    let step = state.run().and_then(|run| run.steps.get(run.current_step()?));
    step.is_some_and(|step| {
        step.state == StepState::Waiting && step.bound.spec.act().is_some_and(|act| act.dry_run.is_some())
    })
}

/// False for what would be refused as things stand; such keys are listed last.
fn is_of_use(state: &AppState, command: Command) -> bool {
    let step = || state.run().and_then(|run| run.steps.get(run.current_step()?)).map(|step| &step.state);
    let is_active = || state.run().is_some_and(|run| run.state == RunState::Active);
    let is_open = || state.run().is_some_and(|run| run.state.is_open());
    let is_held = || state.snapshot.kill.is_some() || !state.snapshot.autonomy.breaker.is_empty();
    let incident = || state.incident().map(|incident| incident.state);
    match command {
        Command::Approve => {
            let has_proposal =
                state.incident().is_some_and(|incident| state.snapshot.proposals.contains_key(&incident.id));
            (is_active() && matches!(step(), Some(StepState::Waiting))) || (!is_open() && has_proposal)
        }
        Command::Skip => is_active() && matches!(step(), Some(StepState::Waiting)),
        Command::DryRun => is_active() && can_be_tried(state),
        Command::Stop => is_open(),
        Command::Policy => is_held(),
        Command::ResetBreaker => !state.snapshot.autonomy.breaker.is_empty(),
        Command::Kill => state.snapshot.kill.is_some(),
        Command::Happened | Command::NotHappened | Command::Probe => {
            matches!(step(), Some(StepState::Unknown { .. }))
        }
        Command::Retry => matches!(step(), Some(StepState::Failed { .. })),
        Command::Resume => state.run().is_some_and(|run| run.state == RunState::Paused),
        Command::Undo => state.run().is_some_and(|run| run.has_acted()),
        Command::RunFrom | Command::EditRun | Command::TakeWheel | Command::HandOver => false,
        Command::KeepWheel => asks_for_wheel(&state.snapshot, &state.ui.me).is_some(),
        Command::Wheel => {
            let wheel = state.run().and_then(|run| state.snapshot.wheels.get(&run.id));
            wheel.is_some_and(|wheel| wheel.driver != state.ui.me || wheel.asked.is_some())
        }
        Command::People => state.snapshot.present.iter().any(|present| present.name != state.ui.me),
        Command::Acknowledge => matches!(incident(), Some(IncidentState::Open | IncidentState::Reopened)),
        Command::StatusUpdate => is_update_due(state),
        Command::PostMortem | Command::Reopen => incident() == Some(IncidentState::Resolved),
        Command::Own | Command::Note | Command::Evidence => incident().is_some(),
        Command::WithdrawException => matches!(state.selected(), Some((_, RowKey::PatchException(_)))),
        Command::DeferPatch | Command::AcceptRisk => {
            let row = state.selected().map(|(_, row)| row);
            matches!(row, Some(RowKey::Patch(_) | RowKey::PatchGroup(Grouping::Advisory, _)))
        }
        Command::GroupPatches => state.ui.patch_view == PatchView::Queue,
        Command::PlanRollout => {
            let row = state.selected().map(|(_, row)| row);
            let may_be_anew = picture::rollout(&state.snapshot, &state.ui)
                .is_some_and(|kept| !kept.rollout.is_over() && kept.rollout.begun == 0);
            matches!(row, Some(RowKey::Patch(_))) && state.ui.patch_view == PatchView::Queue || may_be_anew
        }
        Command::ApproveRollout
        | Command::HoldRollout
        | Command::StopRollout
        | Command::RollBack
        | Command::SkipTarget
        | Command::AnswerYes
        | Command::AnswerNo
        | Command::ShortenSoak => {
            let kept = picture::rollout(&state.snapshot, &state.ui).filter(|kept| !kept.rollout.is_over());
            kept.is_some_and(|kept| is_of_use_on(state, kept, command))
        }
        Command::NoteAnswer => {
            incident().is_some() && state.ui.talk.exchanges.iter().any(|asked| asked.answer().is_some())
        }
        Command::DraftRunbook => state
            .ui
            .talk
            .exchanges
            .last()
            .and_then(|asked| asked.answer())
            .is_some_and(|answer| answer.intent == Intent::Remediation),
        Command::Complete => !state.ui.talk.prompt.matches.is_empty(),
        Command::SeverityUp | Command::SeverityDown | Command::Mitigate | Command::Resolve => false,
        _ => true,
    }
}

/// The same of a rollout that is not over.
fn is_of_use_on(state: &AppState, kept: &KeptRollout, command: Command) -> bool {
    let rollout = &kept.rollout;
    let row = state.selected().map(|(_, row)| row);
    let record = match &row {
        Some(RowKey::RolloutTarget(_, name)) => rollout.targets.get(&**name),
        _ => None,
    };
    match command {
        Command::ApproveRollout => rollout.state == RolloutState::Proposed || !rollout.is_approved(),
        Command::HoldRollout => matches!(rollout.state, RolloutState::Running | RolloutState::Paused { .. }),
        Command::SkipTarget => {
            let is_back = matches!(&row, Some(RowKey::RolloutTarget(_, name)) if rollout.is_to_be_undone(name));
            is_back || record.is_some_and(|record| record.state.is_waiting())
        }
        Command::ShortenSoak => matches!(rollout.soak, Soak::Running { .. }),
        Command::RollBack => !rollout.carriers().is_empty(),
        Command::StopRollout => true,
        _ => {
            matches!(rollout.soak, Soak::Undecided { .. })
                || record.is_some_and(|record| {
                    record.state.is_undecided() || matches!(record.state, TargetState::Unknown { .. })
                })
        }
    }
}
