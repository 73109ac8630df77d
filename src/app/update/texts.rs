//! The box for texts of several lines: what is written there is sent, or kept as a draft.

use crate::app::commands::Command;
use crate::app::effect::Effect;
use crate::app::hints::key_of;
use crate::app::state::{AppState, TextOver};
use crate::engine::clock::Timestamp;
use crate::engine::model::IncidentId;
use crate::engine::request::Request;
use crate::views::ui_state::{Overlay, Written};

/// Closes the box and keeps what was written; a text that was only looked at is none.
pub(super) fn keep_draft(state: &mut AppState, incident: IncidentId, what: Written) {
    let lines = state.note.take().map(|note| note.lines().to_vec()).unwrap_or_default();
    let draft = (incident, what);
    if lines.iter().all(|line| line.trim().is_empty()) {
        state.drafts.remove(&draft);
    } else if lines != state.note_begun {
        state.drafts.insert(draft, lines);
        state.say(format!("the {} is kept as a draft; {} goes on with it", what.word(), key_of_text(state, what)));
    }
}

/// The key that opens the box for such a text.
pub(super) fn key_of_text(state: &AppState, what: Written) -> String {
    let command = match what {
        Written::Note => Command::Note,
        Written::Update => Command::StatusUpdate,
        Written::PostMortem => Command::PostMortem,
        Written::Draft => Command::DraftRunbook,
    };
    key_of(state, command)
}

/// What this request was written as, and about which incident; `None` where nothing was.
pub(super) fn written(request: &Request) -> Option<(IncidentId, Written)> {
    match request {
        Request::Note { incident, .. } => Some((*incident, Written::Note)),
        Request::SendUpdate { incident, .. } => Some((*incident, Written::Update)),
        Request::SavePostMortem { incident, .. } => Some((*incident, Written::PostMortem)),
        Request::SaveRunbookDraft { incident, .. } => Some((*incident, Written::Draft)),
        _ => None,
    }
}

/// The engine has what was sent: it is no draft any more, unless something else has been written there since.
pub(super) fn taken(state: &mut AppState, request: &Request) {
    let (Request::Note { text, .. }
    | Request::SendUpdate { text, .. }
    | Request::SavePostMortem { text, .. }
    | Request::SaveRunbookDraft { text, .. }) = request
    else {
        return;
    };
    if let Some(draft) = written(request)
        && state.drafts.get(&draft).is_some_and(|lines| lines.join("\n").trim() == &**text)
    {
        state.drafts.remove(&draft);
    }
}

/// Sends the text; it stays a draft until the engine has it on disk.
pub(super) fn save(state: &mut AppState, now: Timestamp) -> Vec<Effect> {
    let Overlay::Note { incident, what } = state.ui.overlay else { return Vec::new() };
    state.text_over = Some((now, TextOver::Sent));
    let text = state.note.as_ref().map(|note| note.lines().join("\n")).unwrap_or_default();
    state.ui.overlay = Overlay::None;
    // What is sent as it was given is a draft too, until it is known to be kept.
    state.note_begun.clear();
    keep_draft(state, incident, what);
    state.ui.notice = None;
    let text = text.trim();
    if text.is_empty() {
        state.say(format!("an empty {0} is no {0}", what.word()));
        return Vec::new();
    }
    let text = text.into();
    state.sent_at.insert((incident, what), now);
    vec![Effect::Request(match what {
        Written::Note => Request::Note { incident, text },
        Written::Update => Request::SendUpdate { incident, text },
        Written::PostMortem => Request::SavePostMortem { incident, text },
        Written::Draft => Request::SaveRunbookDraft { incident, text },
    })]
}
