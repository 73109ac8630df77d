//! What an operator does to an incident or an anomaly. The engine keeps it; the systems are not touched.

use tui_textarea::TextArea;

use super::{ask, panes};
use crate::app::commands::Command;
use crate::app::effect::Effect;
use crate::app::hints::key_of;
use crate::app::state::{AppState, Asked};
use crate::engine::clock::Timestamp;
use crate::engine::model::{DocumentKind, Incident, IncidentId, IncidentSeverity, IncidentState};
use crate::engine::postmortem;
use crate::engine::request::Request;
use crate::views::ui_state::{Confirmation, Overlay, Pane, RowKey, Written};

pub(super) fn give(state: &mut AppState, command: Command, now: Timestamp) -> Vec<Effect> {
    if command == Command::SetAside {
        return set_aside(state);
    }
    let Some(incident) = state.incident().cloned() else {
        state.refuse(format!("no incident is selected; {} lists them", key_of(state, Command::Pane(Pane::Now))));
        return Vec::new();
    };
    let id = incident.id;
    match command {
        Command::Merge => return merge(state, &incident, now),
        Command::SplitOff => return split_off(state, &incident, now),
        _ => {}
    }
    let request = match command {
        Command::Acknowledge => Request::Acknowledge { incident: id },
        Command::Own => Request::Own { incident: id, owner: "".into() },
        Command::Mitigate => Request::Mitigate { incident: id },
        Command::CauseRight | Command::CauseWrong => {
            Request::JudgeCause { incident: id, is_right: command == Command::CauseRight }
        }
        Command::Reopen if incident.state == IncidentState::Resolved => Request::Reopen { incident: id },
        Command::Reopen => {
            state.refuse(format!("{id} is not resolved, so there is nothing to reopen"));
            return Vec::new();
        }
        Command::SeverityUp | Command::SeverityDown => {
            let Some(severity) = beside(incident.severity, command == Command::SeverityUp) else {
                state.refuse(format!("{} is as far as it goes", incident.severity));
                return Vec::new();
            };
            Request::SetSeverity { incident: id, severity }
        }
        Command::Resolve => {
            let question = format!("Resolve {id}, {}? It can be reopened.", incident.title);
            let confirmation =
                Confirmation { heading: "This closes the incident", question, ..Confirmation::default() };
            ask(state, confirmation, Asked::Request(Request::Resolve { incident: id }), now);
            return Vec::new();
        }
        Command::StatusUpdate => return write(state, id, Written::Update),
        Command::PostMortem => return write(state, id, Written::PostMortem),
        _ => return write(state, id, Written::Note),
    };
    vec![Effect::Request(request)]
}

/// First which incident, then into which: the second is asked for.
fn merge(state: &mut AppState, incident: &Incident, now: Timestamp) -> Vec<Effect> {
    let (id, key) = (incident.id, key_of(state, Command::Merge));
    match state.to_merge.take() {
        _ if !incident.state.is_live() => state.refuse(format!("{id} is over; only live incidents are merged")),
        None => {
            state.to_merge = Some(id);
            state.say(format!("{id} is marked; select the incident it belongs to and press {key} again"));
        }
        Some(marked) if marked == id => state.say(format!("{id} is no longer marked")),
        Some(marked) => {
            let title = state.snapshot.incident(marked).map(|marked| marked.title.to_string()).unwrap_or_default();
            let question = format!("Make {marked}, {title}, a part of {id}, {}?", incident.title);
            let heading = "This closes one incident and is remembered";
            let asked = Asked::Request(Request::Merge { incident: marked, into: id });
            ask(state, Confirmation { heading, question, ..Confirmation::default() }, asked, now);
        }
    }
    Vec::new()
}

/// The service of the selected row leaves the incident.
fn split_off(state: &mut AppState, incident: &Incident, now: Timestamp) -> Vec<Effect> {
    let service = match state.selected() {
        Some((_, RowKey::Service(service))) => Some(service),
        Some((_, RowKey::Timeline(at, number))) => {
            panes::timeline_entry(state, at, number).and_then(|entry| entry.service.clone())
        }
        _ => None,
    };
    let Some(service) = service.filter(|service| incident.services.contains_key(service)) else {
        let chain = key_of(state, Command::Pane(Pane::Chain));
        state.refuse(format!("no service of {} is selected; {chain} shows them", incident.id));
        return Vec::new();
    };
    let question =
        format!("Make what {} has on {service} an incident of its own? Its anomalies and alerts leave.", incident.id);
    let heading = "This opens another incident and is remembered";
    let asked = Asked::Request(Request::SplitOff { incident: incident.id, services: [service].into() });
    ask(state, Confirmation { heading, question, ..Confirmation::default() }, asked, now);
    Vec::new()
}

fn beside(severity: IncidentSeverity, is_worse: bool) -> Option<IncidentSeverity> {
    use IncidentSeverity::{Sev1, Sev2, Sev3, Sev4};
    match (severity, is_worse) {
        (Sev4, true) | (Sev2, false) => Some(Sev3),
        (Sev3, true) | (Sev1, false) => Some(Sev2),
        (Sev2, true) => Some(Sev1),
        (Sev3, false) => Some(Sev4),
        (Sev1, true) | (Sev4, false) => None,
    }
}

fn set_aside(state: &mut AppState) -> Vec<Effect> {
    match state.selected() {
        Some((_, RowKey::Anomaly(anomaly))) => vec![Effect::Request(Request::SetAside { anomaly })],
        _ => {
            state.refuse("no anomaly is selected");
            Vec::new()
        }
    }
}

/// Opens the box for texts: with what was begun, else with what the record gives.
fn write(state: &mut AppState, incident: IncidentId, what: Written) -> Vec<Effect> {
    let begun = state.drafts.get(&(incident, what)).cloned();
    let is_begun = begun.is_some();
    let lines = begun.unwrap_or_else(|| given(state, incident, what));
    begin(state, incident, what, lines);
    if is_begun {
        // What was begun before stays a draft, changed or not.
        state.note_begun.clear();
    }
    Vec::new()
}

/// Opens the box for texts with these lines in it.
pub(super) fn begin(state: &mut AppState, incident: IncidentId, what: Written, lines: Vec<String>) {
    let mut note = TextArea::new(lines.clone());
    if what == Written::Note {
        note.move_cursor(tui_textarea::CursorMove::Bottom);
        note.move_cursor(tui_textarea::CursorMove::End);
    }
    state.note = Some(note);
    state.note_begun = lines;
    state.ui.overlay = Overlay::Note { incident, what };
}

/// What the record gives to begin with: the saved post-mortem or a draft of it, a draft of the next update.
fn given(state: &AppState, incident: IncidentId, what: Written) -> Vec<String> {
    let snapshot = &state.snapshot;
    let text = match what {
        Written::Note => None,
        Written::Update => postmortem::status_update(snapshot, incident, postmortem::next_update(snapshot, incident)),
        Written::Draft => {
            postmortem::saved(snapshot, incident, DocumentKind::RunbookDraft).map(|saved| saved.text.to_string())
        }
        Written::PostMortem => match postmortem::saved(snapshot, incident, DocumentKind::PostMortem) {
            Some(saved) => Some(saved.text.to_string()),
            None => postmortem::post_mortem(snapshot, incident),
        },
    };
    text.unwrap_or_default().lines().map(str::to_owned).collect()
}
