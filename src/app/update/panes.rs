//! Going in, going back, and leaving.

use super::{answers, ask, asking, home, left_off, rollouts, settle_selection, take_picture};
use crate::app::commands::Command;
use crate::app::effect::Effect;
use crate::app::hints::key_of;
use crate::app::picture;
use crate::app::state::{AppState, Asked};
use crate::engine::clock::Timestamp;
use crate::engine::model::{AnomalyId, IncidentId, RolloutId, TimelineEntry, TimelineKind};
use crate::engine::snapshot::patches::Grouping;
use crate::views::ui_state::{Confirmation, Overlay, Pane, PatchView, RowKey};

/// Panes remembered to go back to.
const BACK_MAX: usize = 32;

pub(super) fn give(state: &mut AppState, command: Command, now: Timestamp) -> Vec<Effect> {
    match command {
        Command::Pane(Pane::Ask) => return asking::open(state),
        Command::Pane(pane) => go(state, pane),
        Command::NextPane => step(state, 1),
        Command::PreviousPane => step(state, Pane::ALL.len() - 1),
        Command::Open => return open(state, now),
        Command::Leave => return leave(state, now),
        Command::Freeze => freeze(state, now),
        _ => back(state),
    }
    Vec::new()
}

/// Goes to a pane; Esc comes back from it.
pub(super) fn go(state: &mut AppState, pane: Pane) {
    state.ui.overlay = Overlay::None;
    // From a selected incident the panes that speak of one speak of that one.
    if let (Pane::Incident | Pane::Chain | Pane::Runbook, Pane::Now, Some((_, RowKey::Incident(id)))) =
        (pane, state.ui.pane, state.selected())
    {
        focus(state, id);
    }
    if pane != state.ui.pane {
        state.ui.back.push(state.ui.pane);
        if state.ui.back.len() > BACK_MAX {
            state.ui.back.remove(0);
        }
        state.ui.pane = pane;
        home::settle(state);
        settle_selection(state);
    }
}

/// Makes an incident the one that panes speak of; the timeline of another one begins at its newest line.
pub(super) fn focus(state: &mut AppState, id: IncidentId) {
    if picture::incident(&state.snapshot, &state.ui).map(|shown| shown.id) != Some(id) {
        state.ui.lists.remove(&Pane::Incident);
        home::forget(state);
    }
    state.ui.incident = Some(id);
}

/// Tab: the next hypothesis where evidence is shown, else the next pane.
fn step(state: &mut AppState, by: usize) {
    let hypotheses = state.incident().map_or(0, |incident| incident.ranking.hypotheses.len());
    if let Overlay::Evidence { hypothesis, offset } = &mut state.ui.overlay {
        let by = if by == 1 { 1 } else { hypotheses.saturating_sub(1) };
        *hypothesis = (*hypothesis + by) % hypotheses.max(1);
        *offset = 0;
        return;
    }
    let at = Pane::ALL.iter().position(|pane| *pane == state.ui.pane).unwrap_or(0);
    if let Some(pane) = Pane::ALL.get((at + by) % Pane::ALL.len()) {
        go(state, *pane);
    }
}

/// Back one: the overlay, then the filter, then the pane. Nothing is lost on the way.
pub(super) fn back(state: &mut AppState) {
    if state.ui.overlay == Overlay::Unsent {
        return left_off::put_off(state);
    }
    if state.ui.overlay != Overlay::None {
        state.ui.overlay = Overlay::None;
        state.question = None;
        return;
    }
    let filter = std::mem::take(&mut state.list_mut().filter);
    if !filter.is_empty() {
        let (open, up) = (key_of(state, Command::Filter), key_of(state, Command::PromptUp));
        state.say(format!("filter `{filter}` taken away; {open} and {up} bring it back"));
        state.filter_last = filter;
        settle_selection(state);
        return;
    }
    if state.ui.pane == Pane::Patches && rollouts::back(state) {
        return;
    }
    match state.ui.back.pop() {
        Some(pane) => {
            state.ui.pane = pane;
            settle_selection(state);
        }
        None if state.ui.pane != Pane::Now => {
            state.ui.pane = Pane::Now;
            settle_selection(state);
        }
        None => state.say(format!("this is the first pane; {} leaves", key_of(state, Command::Leave))),
    }
}

fn open(state: &mut AppState, now: Timestamp) -> Vec<Effect> {
    match state.ui.overlay.clone() {
        Overlay::None => {}
        Overlay::Help { selected } => {
            state.ui.overlay = Overlay::None;
            let Some(command) = state.hint_commands.get(selected).copied() else { return Vec::new() };
            if command == Command::Kill && state.snapshot.kill.is_none() {
                // Nothing asks before it, so that it takes a key of its own.
                state.say(format!("{} stops everything, from anywhere", key_of(state, command)));
                return Vec::new();
            }
            return super::give(state, command, now);
        }
        Overlay::Why { anomaly, .. } => {
            if let Some(id) = state.snapshot.anomaly(anomaly).and_then(|anomaly| anomaly.incident) {
                focus(state, id);
                go(state, Pane::Incident);
            } else {
                state.say("this anomaly belongs to no incident");
            }
            return Vec::new();
        }
        Overlay::Entry {
            row:
                RowKey::Proposal(_)
                | RowKey::Step(_)
                | RowKey::Patch(_)
                | RowKey::PatchGroup(..)
                | RowKey::PatchGap(_)
                | RowKey::PatchException(_)
                | RowKey::Unbooted(_)
                | RowKey::RolloutTarget(..)
                | RowKey::Occasion(..),
            ..
        } => {
            state.ui.overlay = Overlay::None;
            return Vec::new();
        }
        Overlay::Entry { row, .. } => {
            if let Some((id, run)) = picture::incident_of(&state.snapshot, &row) {
                focus(state, id);
                if state.ui.run != run {
                    home::forget(state);
                }
                state.ui.run = run;
                go(state, Pane::Incident);
            } else {
                state.say("this is about no one incident");
            }
            return Vec::new();
        }
        Overlay::Sources { row, selected } => {
            answers::open_selected(state, &row, selected);
            return Vec::new();
        }
        _ => return Vec::new(),
    }
    let Some((index, row)) = state.selected() else { return Vec::new() };
    state.select(index, row.clone());
    if state.ui.pane == Pane::Ask {
        return answers::open_row(state, &row);
    }
    open_row(state, row);
    Vec::new()
}

fn open_row(state: &mut AppState, row: RowKey) {
    match row {
        RowKey::Incident(id) => {
            focus(state, id);
            state.ui.run = None;
            go(state, Pane::Incident);
        }
        RowKey::Anomaly(anomaly) => why(state, anomaly),
        RowKey::Source(name) => filtered(state, Pane::Log, &name),
        RowKey::OverduePatches => {
            state.ui.patch_grouping = Grouping::Patch;
            rollouts::show(state, PatchView::Queue);
            go(state, Pane::Patches);
        }
        RowKey::Rollout(id) => rollouts::show(state, PatchView::Board(id)),
        RowKey::PlanLine(_) => state.say("this line is of the plan as a whole; targets open"),
        RowKey::Service(service) => filtered(state, Pane::Anomalies, service.as_str()),
        RowKey::Timeline(at, number) => match timeline_entry(state, at, number) {
            Some(TimelineEntry { anomaly: Some(anomaly), .. }) => why(state, *anomaly),
            Some(TimelineEntry { kind: TimelineKind::Hypothesis, .. }) => {
                state.ui.overlay = Overlay::Evidence { hypothesis: 0, offset: 0 };
            }
            _ => state.ui.overlay = Overlay::Entry { row: RowKey::Timeline(at, number), offset: 0 },
        },
        RowKey::Evidence(hypothesis, ..) => state.ui.overlay = Overlay::Evidence { hypothesis, offset: 0 },
        RowKey::Proposal(_) | RowKey::Step(_) if state.ui.pane != Pane::Runbook => go(state, Pane::Runbook),
        // Rows of Ask are opened there.
        RowKey::Asked(_) | RowKey::Claim(..) | RowKey::Said(..) | RowKey::Next(_) => {}
        row @ (RowKey::Warning(_)
        | RowKey::Proposal(_)
        | RowKey::Step(_)
        | RowKey::Audit(_)
        | RowKey::Change(_)
        | RowKey::Patch(_)
        | RowKey::PatchGroup(..)
        | RowKey::PatchGap(_)
        | RowKey::PatchException(_)
        | RowKey::Unbooted(_)
        | RowKey::RolloutTarget(..)
        | RowKey::Occasion(..)
        | RowKey::File(_)) => {
            state.ui.overlay = Overlay::Entry { row, offset: 0 };
        }
    }
}

pub(super) fn why(state: &mut AppState, anomaly: AnomalyId) {
    state.ui.overlay = Overlay::Why { anomaly, offset: 0 };
}

pub(super) fn filtered(state: &mut AppState, pane: Pane, filter: &str) {
    go(state, pane);
    let list = state.list_mut();
    list.filter = filter.to_owned();
    list.selected = None;
    state.say(format!("filtered by `{filter}`; {} shows all", key_of(state, Command::Back)));
}

/// The anomaly behind a line of the timeline.
pub(super) fn timeline_anomaly(state: &AppState, at: i64, number: u32) -> Option<AnomalyId> {
    timeline_entry(state, at, number)?.anomaly
}

pub(super) fn timeline_entry(state: &AppState, at: i64, number: u32) -> Option<&TimelineEntry> {
    let mut of_that_time = state.incident()?.timeline.iter().filter(|entry| entry.at.0 == at);
    of_that_time.nth(usize::try_from(number).ok()?)
}

/// Shows the board of a rollout.
pub(super) fn open_rollout(state: &mut AppState, id: RolloutId) {
    rollouts::show(state, PatchView::Board(id));
    go(state, Pane::Patches);
}

/// Shows windows and freezes.
pub(super) fn open_calendar(state: &mut AppState) {
    rollouts::show(state, PatchView::Calendar);
    go(state, Pane::Patches);
}

fn leave(state: &mut AppState, now: Timestamp) -> Vec<Effect> {
    let running = state.snapshot.running_commands();
    // An engine in another process goes on with them.
    let question = if let (false, Some((run, _))) = (state.goes_on, running.first()) {
        format!("A command of {run} runs; the program stays until it has ended. Leave?")
    } else if !state.is_left_kept && (!state.drafts.is_empty() || state.note.is_some()) {
        "A text was begun and not sent; leave all the same?".to_owned()
    } else {
        return vec![Effect::Quit];
    };
    let confirmation = Confirmation { heading: "Leave", question, ..Confirmation::default() };
    ask(state, confirmation, Asked::Leave, now);
    Vec::new()
}

fn freeze(state: &mut AppState, now: Timestamp) {
    state.ui.is_frozen = !state.ui.is_frozen;
    if state.ui.is_frozen {
        state.say(format!("frozen at {}; the same key goes on", state.snapshot.at.hh_mm_ss()));
    } else {
        state.ui.meanwhile = None;
        if let Some(snapshot) = state.held.take() {
            take_picture(state, snapshot, now);
        }
        state.say("going on");
    }
}
