//! The console's core: a state and a message in, effects out. No I/O, no clock; `now` is a parameter.
//!
//! Three rules hold here, in one place each: a key that acts is inert for a moment after what it acts on has changed
//! ([`give`]), a paste never acts ([`paste`]), and selections follow what a row *is* ([`take_picture`]).

mod answers;
mod asking;
mod copying;
mod editing;
mod home;
mod incidents;
mod left_off;
mod mouse;
mod moving;
mod overlays;
mod panes;
mod patches;
mod people;
mod pressing;
mod rollouts;
mod runbook;
mod texts;
mod typed;
mod unheard;

use std::sync::Arc;

use super::commands::{Command, CommandInfo};
use super::effect::Effect;
use super::hints::{self, key_of};
use super::message::Message;
use super::offered::Offered;
use super::state::{AppState, Asked, Question};
use crate::engine::clock::Timestamp;
use crate::engine::limits::ACT_KEY_INERT_MS;
use crate::engine::request::{Reply, Request};
use crate::engine::snapshot::Snapshot;
use crate::views::ui_state::{Confirmation, Overlay, Pane};

/// Takes one message in.
pub fn update(state: &mut AppState, message: Message, now: Timestamp) -> Vec<Effect> {
    state.count_unheard(now);
    let effects = match message {
        Message::Key(key) => pressing::press(state, key, now),
        Message::Paste(text) => paste(state, &text),
        Message::Mouse(click) => mouse::click(state, click, now),
        Message::Snapshot(snapshot) => arrive(state, snapshot, now),
        Message::Reply(request, reply) => answer(state, &request, &reply),
        Message::Copied { taken, whole } => {
            let cut = if taken < whole {
                format!(" of {whole}; that is all a terminal takes at once")
            } else {
                String::new()
            };
            state.say(format!("copied {taken}{cut} characters"));
            Vec::new()
        }
        Message::Link(told, unheard_ms) => {
            let shown = state.held.as_ref().unwrap_or(&state.snapshot);
            state.away.link(&told, shown);
            unheard::take(state, told, now - unheard_ms);
            state.count_unheard(now);
            Vec::new()
        }
        Message::Told(number, telling) => {
            asking::take(state, number, telling);
            Vec::new()
        }
        Message::LeftOff(left) => {
            left_off::find(state, *left);
            Vec::new()
        }
        Message::Minute => Vec::new(),
        Message::Due => {
            state.let_go(now);
            Vec::new()
        }
        Message::NotSuspended => {
            state.refuse(format!("no shell is there to return to; {} leaves", key_of(state, Command::Leave)));
            Vec::new()
        }
        Message::Drawn { offset, page_rows, overlay_offset_max, is_question_whole } => {
            // No hints to make: what is on the screen is what was there when they were made.
            state.list_mut().offset = offset;
            state.page_rows = page_rows.max(1);
            state.is_question_whole = is_question_whole;
            overlays::keep_in_sight(state, overlay_offset_max);
            return Vec::new();
        }
        Message::Terminate => vec![Effect::Quit],
        Message::Stop => vec![Effect::Suspend],
    };
    asking::refocus(state);
    left_off::offer(state, now);
    if std::mem::take(&mut state.is_notice_new) {
        state.notice_at = now;
    }
    state.ui.pending = super::key::display_sequence(&state.pending);
    hints::refresh(state);
    effects
}

/// Gives a command, from a key, the palette or help. The one place where keys that act are held back.
fn give(state: &mut AppState, command: Command, now: Timestamp) -> Vec<Effect> {
    let info = command.info();
    if info.is_act()
        && let Some(reason) = held_back(state, info, now)
    {
        state.refuse(reason);
        return Vec::new();
    }
    match command {
        Command::Pane(_)
        | Command::NextPane
        | Command::PreviousPane
        | Command::Open
        | Command::Back
        | Command::Quit
        | Command::Leave
        | Command::Freeze => panes::give(state, command, now),
        Command::MoveDown
        | Command::MoveUp
        | Command::HalfPageDown
        | Command::HalfPageUp
        | Command::PageDown
        | Command::PageUp
        | Command::MoveTop
        | Command::MoveBottom
        | Command::OutputUp
        | Command::OutputDown
        | Command::ChainLeft
        | Command::ChainRight
        | Command::ChainUp
        | Command::ChainDown => {
            moving::give(state, command);
            Vec::new()
        }
        Command::Acknowledge
        | Command::Own
        | Command::Note
        | Command::SeverityUp
        | Command::SeverityDown
        | Command::Mitigate
        | Command::Resolve
        | Command::Reopen
        | Command::StatusUpdate
        | Command::PostMortem
        | Command::CauseRight
        | Command::CauseWrong
        | Command::Merge
        | Command::SplitOff
        | Command::SetAside => incidents::give(state, command, now),
        Command::Approve
        | Command::Skip
        | Command::DryRun
        | Command::Stop
        | Command::Happened
        | Command::NotHappened
        | Command::Probe
        | Command::Retry
        | Command::RunFrom
        | Command::Resume
        | Command::EditRun
        | Command::Undo
        | Command::Kill
        | Command::ResetBreaker => runbook::give(state, command, now),
        Command::Wheel | Command::KeepWheel | Command::TakeWheel | Command::HandOver => {
            people::give(state, command, now)
        }
        Command::DeferPatch | Command::AcceptRisk | Command::WithdrawException => patches::give(state, command, now),
        Command::PlanRollout
        | Command::ApproveRollout
        | Command::HoldRollout
        | Command::StopRollout
        | Command::RollBack
        | Command::SkipTarget
        | Command::AnswerYes
        | Command::AnswerNo
        | Command::ShortenSoak => rollouts::give(state, command, now),
        Command::Ask
        | Command::AskModel
        | Command::Complete
        | Command::EarlierQuestion
        | Command::LaterQuestion
        | Command::NoteAnswer
        | Command::DraftRunbook => asking::give(state, command),
        Command::GoOnWriting | Command::DropText | Command::PutOffText => left_off::give(state, command, now),
        Command::Copy => copying::copy(state),
        Command::Mouse => {
            state.is_mouse_on = !state.is_mouse_on;
            state.say(if state.is_mouse_on {
                "mouse on; Shift-drag selects text in most terminals"
            } else {
                "mouse off; dragging selects text"
            });
            vec![Effect::SetMouse(state.is_mouse_on)]
        }
        Command::Redraw => vec![Effect::Redraw],
        Command::Suspend => vec![Effect::Suspend],
        _ => overlays::give(state, command, now),
    }
}

fn read_only(info: &CommandInfo) -> String {
    format!("read-only: “{}” is off", info.title)
}

/// Why a command that acts is not given now.
fn held_back(state: &AppState, info: &CommandInfo, now: Timestamp) -> Option<String> {
    if state.ui.is_read_only {
        return Some(read_only(info));
    }
    // What stops everything is right whatever has just changed; letting go of it is looked at like any other act.
    if info.command == Command::Kill && state.snapshot.kill.is_none() {
        return None;
    }
    if let Some(reason) = unheard::held_back(state, info) {
        return Some(reason);
    }
    if state.ui.is_frozen {
        return Some(format!("the picture is frozen, so what {} would act on may be gone; go on first", info.short));
    }
    let for_ms = now.since_ms(state.offered_at);
    (0..ACT_KEY_INERT_MS)
        .contains(&for_ms)
        .then(|| "this has just changed; look once more, then press again".to_owned())
}

/// Asks before something is done. With a target to type, `y` is not enough.
fn ask(state: &mut AppState, confirmation: Confirmation, asked: Asked, now: Timestamp) {
    let begun = confirmation.typed.clone();
    state.ui.overlay = Overlay::Confirm(confirmation);
    typed::replace(state, begun);
    state.is_question_whole = false;
    state.question = Some(Question { asked, offered: Offered::of(&state.snapshot, &state.ui), at: now });
}

fn paste(state: &mut AppState, text: &str) -> Vec<Effect> {
    state.ui.notice = None;
    state.pending.clear();
    let is_question = matches!(state.ui.overlay, Overlay::Confirm(_));
    if state.is_typing() && !is_question {
        overlays::type_text(state, text);
    } else {
        state.say(format!("paste ignored: {} characters", text.chars().count()));
    }
    Vec::new()
}

fn answer(state: &mut AppState, request: &Request, reply: &Reply) -> Vec<Effect> {
    let way_back = typed::give_back(state, request, reply);
    let with_way = |text: String| way_back.iter().fold(text, |text, way| format!("{text}; {way}"));
    match (request, reply) {
        (request, Reply::Done { text }) if texts::written(request).is_some() => {
            texts::taken(state, request);
            state.say(text.as_ref());
        }
        (request, Reply::Refused { reason }) if texts::written(request).is_some() => {
            let what = texts::written(request).map_or("text", |(_, what)| what.word());
            state.refuse(format!("{reason}; the {what} is kept as a draft"));
        }
        (request, Reply::Lost { reason }) if texts::written(request).is_some() => {
            let what = texts::written(request).map_or("text", |(_, what)| what.word());
            state.unsure.extend(texts::written(request));
            state.refuse(format!("{reason}; whether the {what} was taken is not known, and it is kept as a draft"));
        }
        (Request::PlanRollout { source }, Reply::Done { text }) => {
            state.say(text.as_ref());
            state.planned = Some(Arc::clone(source));
            rollouts::open_planned(state);
        }
        (_, Reply::Done { text }) => state.say(text.as_ref()),
        (Request::Kill { .. }, Reply::Refused { reason } | Reply::Lost { reason }) => {
            state.refuse(format!("{reason}; `hypo kill` in a shell there stops everything without it"));
        }
        (_, Reply::Refused { reason }) => state.refuse(with_way(reason.to_string())),
        (_, Reply::Lost { reason }) => {
            let text = format!("{reason}; whether it was done is not known, look before you repeat it");
            state.refuse(with_way(text));
        }
    }
    Vec::new()
}

fn arrive(state: &mut AppState, snapshot: Arc<Snapshot>, now: Timestamp) -> Vec<Effect> {
    if state.ui.is_frozen {
        people::heed_meanwhile(state, &snapshot);
        state.held = Some(snapshot);
    } else {
        take_picture(state, snapshot, now);
    }
    Vec::new()
}

/// Puts a new picture on the screen: the selection stays on its row, or on the one that took its place.
fn take_picture(state: &mut AppState, mut snapshot: Arc<Snapshot>, now: Timestamp) {
    if !state.file_problems.is_empty() {
        Arc::make_mut(&mut snapshot).file_problems.extend(state.file_problems.iter().cloned());
    }
    keep_in_focus(state, &snapshot);
    let homes = home::of(state);
    let before = std::mem::replace(&mut state.snapshot, snapshot);
    state.arrived_at = now;
    rollouts::open_planned(state);
    let is_lost = settle_selection(state);
    home::follow(state, &homes);
    left_off::take_place(state);
    left_off::settle_unsure(state);
    let offered = Offered::of(&state.snapshot, &state.ui);
    if state.is_notice_of_step && !offered.is_same_step(&state.offered) {
        state.ui.notice = None;
    }
    if is_lost || offered != state.offered {
        state.offered_at = now;
    }
    if state.question.as_ref().is_some_and(|question| is_overtaken(question, &offered, &before, &state.snapshot)) {
        typed::withdraw(state, now);
    }
    state.offered = offered;
    overlays::settle(state);
    let newest = Arc::clone(&state.snapshot);
    people::heed_asking(state, &before, &newest);
    people::tell_away(state, now);
}

/// True where what a question rests on is no longer as it was shown. Some rest on nothing that a step or an incident changes.
fn is_overtaken(question: &Question, offered: &Offered, before: &Snapshot, now: &Snapshot) -> bool {
    match &question.asked {
        Asked::Leave => false,
        Asked::Request(Request::GiveWheel { run, .. } | Request::TakeWheel { run }) => {
            before.wheels.get(run) != now.wheels.get(run)
        }
        Asked::Request(Request::Release { .. }) => before.kill != now.kill,
        Asked::Request(Request::ResetBreaker) => before.autonomy.breaker != now.autonomy.breaker,
        // These rest on nothing that an incident or its steps change.
        Asked::Request(Request::HandOver { .. } | Request::ExceptPatch(_) | Request::WithdrawException { .. }) => false,
        Asked::Request(Request::Rollout { .. }) => !question.offered.is_same_rollout(offered),
        Asked::Request(_) => question.offered != *offered,
    }
}

/// Keeps the incident that is read on the screen when the `next` picture no longer has it among the live ones: whoever
/// watched the fix sees it end.
fn keep_in_focus(state: &mut AppState, next: &Snapshot) {
    let is_of_incident = matches!(state.ui.pane, Pane::Incident | Pane::Chain | Pane::Runbook);
    if let (true, None, Some(shown)) = (is_of_incident, state.ui.incident, state.incident().map(|shown| shown.id))
        && next.incident(shown).is_some_and(|incident| !incident.state.is_live())
    {
        state.ui.incident = Some(shown);
    }
}

/// Keeps the selection of the pane on the screen valid; true where its row is gone and a neighbour took over.
fn settle_selection(state: &mut AppState) -> bool {
    let had = state.ui.list().selected;
    let found = state.selected();
    let is_lost = had.is_some() && found.as_ref().map(|(_, row)| row) != had.as_ref();
    match found {
        Some((index, row)) if had.is_some() => state.select(index, row),
        Some(_) => {}
        // An empty list forgets the row but not the place.
        None => state.list_mut().selected = None,
    }
    is_lost
}
