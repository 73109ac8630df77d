//! Several people at one engine: who is here, who drives, and the end of a shift.

use std::sync::Arc;

use super::ask;
use crate::app::commands::Command;
use crate::app::effect::Effect;
use crate::app::hints::key_of;
use crate::app::state::{AppState, Asked};
use crate::engine::clock::Timestamp;
use crate::engine::model::KillSwitch;
use crate::engine::request::Request;
use crate::engine::snapshot::Snapshot;
use crate::views::people::asks_for_wheel;
use crate::views::ui_state::{Confirmation, Overlay};

/// Above questions about who drives.
const DRIVES: &str = "Nothing is run; who drives is recorded";

pub(super) fn give(state: &mut AppState, command: Command, now: Timestamp) -> Vec<Effect> {
    if command == Command::HandOver {
        let question =
            "Hand your incidents, those without an owner and the runs that you drive over? A note goes into each \
                        timeline."
                .to_owned();
        let line = Some("To (name: note): ");
        let confirmation = Confirmation { heading: "Your shift ends", question, line, ..Confirmation::default() };
        let request = Request::HandOver { to: "".into(), note: "".into() };
        ask(state, confirmation, Asked::Request(request), now);
        return Vec::new();
    }
    let shown = state.run().filter(|run| run.state.is_open()).map(|run| run.id);
    // What was asked is answered, whatever run is on the screen.
    let asked = asks_for_wheel(&state.snapshot, &state.ui.me).map(|(run, _)| run);
    let Some(run) = asked.filter(|_| command != Command::TakeWheel).or(shown) else {
        state.refuse("no run is under way, so there is nothing to drive");
        return Vec::new();
    };
    let wheel = state.snapshot.wheels.get(&run).cloned();
    let own = wheel.as_ref().filter(|wheel| wheel.driver == state.ui.me);
    let question = |question| Confirmation { heading: DRIVES, question, ..Confirmation::default() };
    match (command, own, &wheel) {
        (Command::KeepWheel, ..) if asked.is_none() => {
            state.refuse(format!("nobody asked for the wheel of {run}"));
            Vec::new()
        }
        (Command::KeepWheel, ..) => vec![Effect::Request(Request::KeepWheel { run })],
        (Command::TakeWheel, None, Some(wheel)) => {
            let (driver, since) = (&wheel.driver, wheel.since.hh_mm_ss());
            let text = format!("Take the wheel of {run} from {driver}, who drives since {since}?");
            ask(state, question(text), Asked::Request(Request::TakeWheel { run }), now);
            Vec::new()
        }
        (Command::Wheel, Some(own), _) => {
            // Whoever is named in the question gets it, and nobody who asked since.
            let (line, to, text) = match &own.asked {
                Some(asked) => {
                    let text =
                        format!("Give the wheel of {run} to {}, who asked at {}?", asked.by, asked.at.hh_mm_ss());
                    (None, Arc::clone(&asked.by), text)
                }
                None => (Some("To: "), Arc::from(""), format!("Give the wheel of {run} to whom?")),
            };
            let confirmation = Confirmation { line, ..question(text) };
            ask(state, confirmation, Asked::Request(Request::GiveWheel { run, to }), now);
            Vec::new()
        }
        (Command::TakeWheel, ..) => vec![Effect::Request(Request::TakeWheel { run })],
        _ => vec![Effect::Request(Request::AskWheel { run })],
    }
}

/// Says so when somebody begins to ask for a wheel that is this person's.
pub(super) fn heed_asking(state: &mut AppState, before: &Snapshot, now: &Snapshot) {
    let me = Arc::clone(&state.ui.me);
    let asked = asks_for_wheel(now, &me);
    let was_asked = asks_for_wheel(before, &me);
    if let Some((run, by)) = asked.filter(|_| asked != was_asked) {
        let (give, keep) = (key_of(state, Command::Wheel), key_of(state, Command::KeepWheel));
        let how = match state.ui.is_frozen {
            true => format!("{} goes on, then in Runbook {give} gives it", key_of(state, Command::Freeze)),
            false => format!("in Runbook {give} gives it"),
        };
        state.refuse(format!("{by} asks for the wheel of {run}; {how}, {keep} keeps it"));
    }
}

/// What must not be overlooked while the screen is frozen: that everything was stopped, and that somebody waits for an answer.
pub(super) fn heed_meanwhile(state: &mut AppState, newest: &Snapshot) {
    let before = state.held.clone().unwrap_or_else(|| Arc::clone(&state.snapshot));
    heed_asking(state, &before, newest);
    let is_news = |kill: &&KillSwitch| state.snapshot.kill.as_ref() != Some(*kill);
    let killed = newest.kill.as_ref().filter(is_news).map(|kill| format!("{} pulled the kill switch", kill.by));
    // What was asked before is on the frozen screen.
    let asked = asks_for_wheel(newest, &state.ui.me)
        .filter(|asked| asks_for_wheel(&state.snapshot, &state.ui.me).as_ref() != Some(asked))
        .map(|(run, by)| format!("{by} asks for the wheel of {run}"));
    state.ui.meanwhile = killed.or(asked).map(Into::into);
}

/// Shows what happened while this person was away, as soon as nothing else lies over the panes.
pub(super) fn tell_away(state: &mut AppState, now: Timestamp) {
    let shown = Arc::clone(&state.snapshot);
    if let Some(away) = state.away.take(&shown, &state.ui.me) {
        state.to_tell = Some(away);
    }
    if state.ui.overlay == Overlay::None
        && state.pending.is_empty()
        && let Some(away) = state.to_tell.take()
    {
        state.ui.overlay = Overlay::Away { away, offset: 0 };
        // What is pressed this moment was meant for what lay there.
        state.offered_at = now;
    }
}
