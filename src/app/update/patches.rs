//! The queue of patches: by what it is grouped, and what of it is put off or accepted.

use std::sync::Arc;

use super::{ask, rollouts, runbook, settle_selection};
use crate::app::commands::Command;
use crate::app::effect::Effect;
use crate::app::hints::key_of;
use crate::app::state::{AppState, Asked};
use crate::engine::clock::Timestamp;
use crate::engine::patches::exceptions::{
    DAYS_MAX, EXPLOITED_DAYS_MAX, EXPLOITED_WORD, ExceptionKind, ExceptionWish, Reach, Subject,
};
use crate::engine::request::Request;
use crate::engine::snapshot::patches::Grouping;
use crate::views::ui_state::{Confirmation, PatchView, RowKey};

/// Goes on to the next grouping; the rows are others then, so the mark begins at the first.
pub(super) fn group(state: &mut AppState) {
    if state.ui.patch_view != PatchView::Queue {
        state.refuse(format!("only the queue is grouped; {} goes there", key_of(state, Command::PatchView)));
        return;
    }
    let at = Grouping::ALL.iter().position(|by| *by == state.ui.patch_grouping).unwrap_or(0);
    state.ui.patch_grouping = Grouping::ALL.get((at + 1) % Grouping::ALL.len()).copied().unwrap_or_default();
    let list = state.list_mut();
    (list.selected, list.last_index, list.offset) = (None, 0, 0);
    settle_selection(state);
    state.say(format!("grouped by {}", state.ui.patch_grouping.word()));
}

pub(super) fn give(state: &mut AppState, command: Command, now: Timestamp) -> Vec<Effect> {
    match command {
        Command::DeferPatch => except(state, ExceptionKind::Deferred, now),
        Command::AcceptRisk => except(state, ExceptionKind::Accepted, now),
        _ => withdraw(state, now),
    }
    Vec::new()
}

/// What the selected row is about, and whether it is known to be exploited.
fn subject(state: &AppState) -> Option<(Subject, bool)> {
    let picture = &state.snapshot.patches;
    let named = |name: &str| picture.exploited.iter().any(|known| **known == *name) || !picture.is_kev_known;
    match state.selected()?.1 {
        RowKey::Patch(key) => {
            let patch = picture.patch(&key)?;
            Some((Subject::Package(Arc::clone(&patch.package)), named(&patch.package)))
        }
        RowKey::PatchGroup(Grouping::Advisory, id) => Some((Subject::Advisory(id.parse().ok()?), named(&id))),
        _ => None,
    }
}

fn except(state: &mut AppState, kind: ExceptionKind, now: Timestamp) {
    let Some((subject, may_be_exploited)) = subject(state) else {
        let key = key_of(state, Command::GroupPatches);
        state.refuse(format!("no patch and no advisory is selected; {key} groups by them"));
        return;
    };
    let (what, days) = match kind {
        ExceptionKind::Deferred => ("Defer", 14),
        ExceptionKind::Accepted => ("Accept the risk of", 30),
    };
    let bound = if may_be_exploited {
        format!("It may be exploited: {EXPLOITED_DAYS_MAX} days at most, or longer with the word {EXPLOITED_WORD}.")
    } else {
        format!("{DAYS_MAX} days at most.")
    };
    let question = format!(
        "{what} {subject}? Write until when (a date or days), where if not everywhere (ring=NAME or asset=NAME), who answers \
         for it if not you (owner=NAME), then why. {bound} It comes back with the deadline it has now."
    );
    let wish = ExceptionWish {
        kind,
        subject,
        reach: Reach::Everywhere,
        until: Arc::from(""),
        owner: Arc::from(""),
        reason: Arc::from(""),
        is_exploited_typed: false,
    };
    let confirmation = Confirmation {
        heading: "This takes a patch out of the queue",
        question,
        line: Some("Until, why: "),
        typed: format!("{days}d "),
        ..Confirmation::default()
    };
    ask(state, confirmation, Asked::Request(Request::ExceptPatch(Box::new(wish))), now);
}

fn withdraw(state: &mut AppState, now: Timestamp) {
    let Some((_, RowKey::PatchException(exception))) = state.selected() else {
        state.refuse("no exception is selected; those in force stand under the queue");
        return;
    };
    let known = state.snapshot.patch_exceptions.iter().find(|known| known.number == exception);
    let what = known.map(ToString::to_string).unwrap_or_default();
    let confirmation = Confirmation {
        heading: "This puts a patch back into the queue",
        question: format!("Withdraw {what}? What it took out is back at once, with the deadline it had."),
        line: Some("Because: "),
        ..Confirmation::default()
    };
    let request = Request::WithdrawException { exception, reason: Arc::from("") };
    ask(state, confirmation, Asked::Request(request), now);
}

/// Puts the line that was typed into the request it was asked for.
pub(super) fn take_line(request: &mut Request, line: &str) -> Result<(), String> {
    match request {
        Request::ExceptPatch(wish) => **wish = wish.as_ref().clone().with_line(line)?,
        Request::WithdrawException { reason, .. } => *reason = line.into(),
        Request::Rollout { request, .. } => return rollouts::take_line(request, line),
        _ => return runbook::take_line(request, line),
    }
    Ok(())
}
