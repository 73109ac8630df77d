//! What an earlier console left behind: the place is taken again without a word, and each text is offered once.

use std::collections::btree_map::Entry;

use super::{incidents, settle_selection, texts, typed};
use crate::app::commands::Command;
use crate::app::effect::Effect;
use crate::app::left_off::{LeftOff, Place};
use crate::app::state::AppState;
use crate::engine::clock::{MINUTE_MS, Timestamp};
use crate::engine::limits::ACT_KEY_INERT_MS;
use crate::engine::model::{DocumentKind, IncidentId, TimelineKind};
use crate::engine::postmortem;
use crate::engine::redact::redact;
use crate::engine::snapshot::Snapshot;
use crate::views::ui_state::{Overlay, Pane, PatchView, Unsent, Written};

/// Takes what was left behind in.
pub(super) fn find(state: &mut AppState, left: LeftOff) {
    state.ui.unsent = left.texts;
    state.left_place = left.place;
    let prompt = &mut state.ui.talk.prompt;
    (prompt.cursor, prompt.text) = (left.question.chars().count(), left.question);
    typed::find(state, left.line);
    take_place(state);
}

/// True once there is a picture to look for anything in.
fn has_picture(state: &AppState) -> bool {
    state.snapshot.at > Timestamp::default()
}

/// Goes to where an earlier console was, as far as it is still there.
pub(super) fn take_place(state: &mut AppState) {
    if !has_picture(state) {
        return;
    }
    let Some(Place { pane, incident, run, patch_grouping, patch_view, shows_suppressed, lists }) =
        state.left_place.take()
    else {
        return;
    };
    let snapshot = &state.snapshot;
    let ui = &mut state.ui;
    ui.incident = incident.filter(|id| snapshot.incident(*id).is_some());
    let has_incident = ui.incident == incident;
    ui.run = run.filter(|id| has_incident && snapshot.runs.iter().any(|run| run.id == *id));
    let is_of_incident = |pane| matches!(pane, Pane::Incident | Pane::Chain | Pane::Runbook);
    ui.pane = if is_of_incident(pane) && !has_incident { Pane::Now } else { pane };
    let is_there = match patch_view {
        PatchView::Board(id) => snapshot.rollouts.iter().any(|kept| kept.rollout.id == id),
        PatchView::Queue | PatchView::Rollouts | PatchView::Calendar => true,
    };
    ui.patch_view = if is_there { patch_view } else { PatchView::default() };
    (ui.patch_grouping, ui.shows_suppressed) = (patch_grouping, shows_suppressed);
    for list in lists.into_iter().filter(|list| has_incident || !is_of_incident(list.pane)) {
        let known = ui.lists.entry(list.pane).or_default();
        known.selected = list.row;
        // What is broken now is not left out by what somebody looked for hours ago.
        if !matches!(list.pane, Pane::Now | Pane::Anomalies) {
            known.filter = list.filter;
        }
    }
    settle_selection(state);
}

/// After anything has happened: the next text is offered where nothing else has the screen. One that the engine has taken all
/// the same is none.
pub(super) fn offer(state: &mut AppState, now: Timestamp) {
    let may_be = !state.is_unsent_put_off && !state.ui.is_read_only && has_picture(state);
    if state.ui.unsent.is_empty() || !may_be || state.ui.overlay != Overlay::None {
        return;
    }
    let snapshot = &state.snapshot;
    state.ui.unsent.retain(|text| !is_taken(snapshot, (text.incident, text.what), &text.lines, text.at));
    if !state.ui.unsent.is_empty() {
        state.ui.overlay = Overlay::Unsent;
        state.unsent_at = now;
    }
}

/// What is to become of the text that is offered.
pub(super) fn give(state: &mut AppState, command: Command, now: Timestamp) -> Vec<Effect> {
    if state.ui.overlay != Overlay::Unsent || state.ui.unsent.is_empty() {
        return Vec::new();
    }
    match command {
        Command::GoOnWriting => go_on(state, now),
        // A key that was typed ahead throws nothing away.
        Command::DropText if (0..ACT_KEY_INERT_MS).contains(&now.since_ms(state.unsent_at)) => {}
        Command::DropText => {
            let text = state.ui.unsent.remove(0);
            state.ui.overlay = Overlay::None;
            state.say(format!("the {} on {} is dropped", text.what.word(), text.incident));
        }
        _ => put_off(state),
    }
    Vec::new()
}

fn go_on(state: &mut AppState, now: Timestamp) {
    let Unsent { incident, what, lines, .. } = state.ui.unsent.remove(0);
    // Another one that was begun meanwhile is offered after this.
    if let Some(other) = state.drafts.insert((incident, what), lines.clone()).filter(|other| *other != lines) {
        state.ui.unsent.push(Unsent { incident, what, lines: other, at: now });
    }
    incidents::begin(state, incident, what, lines);
    // It is a draft, changed or not.
    state.note_begun.clear();
}

/// Keeps every text as a draft; of several of one kind about one incident, the others are offered at the next start.
pub(super) fn put_off(state: &mut AppState) {
    state.ui.overlay = Overlay::None;
    state.is_unsent_put_off = true;
    let mut keys = Vec::new();
    for text in std::mem::take(&mut state.ui.unsent) {
        let key = (text.incident, text.what);
        match state.drafts.entry(key) {
            Entry::Occupied(_) => state.ui.unsent.push(text),
            Entry::Vacant(free) => {
                free.insert(text.lines);
                keys.push(key);
            }
        }
    }
    let told: Vec<String> = keys
        .into_iter()
        .map(|(incident, what)| format!("the {} on {incident} ({})", what.word(), texts::key_of_text(state, what)))
        .collect();
    if !told.is_empty() {
        state.say(format!("kept as drafts: {}", told.join(", ")));
    }
}

/// After a new picture: a text of which it was not known whether it was taken is no draft any more once it is seen to be.
pub(super) fn settle_unsure(state: &mut AppState) {
    for key in std::mem::take(&mut state.unsure) {
        let (Some(lines), Some(sent_at)) = (state.drafts.get(&key), state.sent_at.get(&key)) else { continue };
        if is_taken(&state.snapshot, key, lines, *sent_at) {
            state.drafts.remove(&key);
            state.say(format!("the {} on {} was taken", key.1.word(), key.0));
        } else {
            state.unsure.insert(key);
        }
    }
}

/// Clocks of two machines may differ by this much.
const CLOCKS_DIFFER_MS: i64 = MINUTE_MS;

/// True where the engine has this very text, and has it since then.
fn is_taken(snapshot: &Snapshot, (incident, what): (IncidentId, Written), lines: &[String], since: Timestamp) -> bool {
    let is_since = |at: Timestamp| at + CLOCKS_DIFFER_MS >= since;
    let text = lines.join("\n");
    let text = redact(text.trim());
    let kind = match what {
        Written::Note => {
            let mut lines = snapshot.incident(incident).into_iter().flat_map(|incident| &incident.timeline);
            return lines.any(|line| line.kind == TimelineKind::Note && *line.text == *text && is_since(line.at));
        }
        Written::Update => DocumentKind::StatusUpdate,
        Written::PostMortem => DocumentKind::PostMortem,
        Written::Draft => DocumentKind::RunbookDraft,
    };
    postmortem::saved(snapshot, incident, kind)
        .is_some_and(|saved| saved.text.trim() == text.trim() && is_since(saved.at))
}
