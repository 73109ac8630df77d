//! An answer of Ask: going to what it rests on, asking what it proposes to ask next, and making a note or a draft of it.

use std::sync::Arc;

use super::{asking, incidents, panes};
use crate::app::effect::Effect;
use crate::app::picture;
use crate::app::state::AppState;
use crate::engine::ask::answer::{Answer, Citation, Claim};
use crate::engine::model::{IncidentId, Proposal, ServiceName};
use crate::engine::runbooks::draft;
use crate::views::talk::{Exchange, Outcome};
use crate::views::ui_state::{Overlay, Pane, RowKey, Written};

/// Enter on a row of the pane.
pub(super) fn open_row(state: &mut AppState, row: &RowKey) -> Vec<Effect> {
    match row {
        RowKey::Next(question) => return asking::ask(state, question),
        RowKey::Asked(number) => {
            let question = state.ui.talk.exchange(*number).map(|exchange| exchange.question.to_string());
            let effects = asking::open(state);
            asking::replace(state, question.unwrap_or_default());
            state.ui.talk.prompt.matches.clear();
            return effects;
        }
        RowKey::Claim(..) | RowKey::Said(..) => match state.ui.talk.sources(row).as_slice() {
            [] if matches!(row, RowKey::Said(..)) => state.say("no fact says this"),
            [] => state.say("this says nothing of its own, so it rests on nothing"),
            [one] => open_source(state, one),
            _ => state.ui.overlay = Overlay::Sources { row: row.clone(), selected: 0 },
        },
        _ => {}
    }
    Vec::new()
}

/// Enter in the box of sources.
pub(super) fn open_selected(state: &mut AppState, row: &RowKey, selected: usize) {
    state.ui.overlay = Overlay::None;
    if let Some(source) = state.ui.talk.sources(row).get(selected) {
        open_source(state, source);
    }
}

/// Goes to what a claim rests on.
fn open_source(state: &mut AppState, source: &Citation) {
    let snapshot = Arc::clone(&state.snapshot);
    match source {
        Citation::Incident(id) if snapshot.incident(*id).is_some() => {
            panes::focus(state, *id);
            panes::go(state, Pane::Incident);
        }
        Citation::Incident(id) => state.say(format!("{id} is in the store only; `hypo postmortem {id}` tells it")),
        Citation::Anomaly(id) => panes::why(state, *id),
        Citation::Change(id) => state.ui.overlay = Overlay::Entry { row: RowKey::Change(*id), offset: 0 },
        Citation::Audit(number) => state.ui.overlay = Overlay::Entry { row: RowKey::Audit(*number), offset: 0 },
        Citation::Patch(key) => {
            panes::go(state, Pane::Patches);
            state.ui.overlay = Overlay::Entry { row: RowKey::Patch(Arc::clone(key)), offset: 0 };
        }
        Citation::Rollout(id) => panes::open_rollout(state, *id),
        Citation::Occasion(_) => panes::open_calendar(state),
        Citation::Run(id, step) => {
            let Some(run) = snapshot.runs.iter().find(|run| run.id == *id) else {
                return state.say(format!("{id} is no longer in the picture; the log has what it did"));
            };
            if let Some(incident) = run.incident() {
                panes::focus(state, incident);
            }
            state.ui.run = Some(*id);
            panes::go(state, Pane::Runbook);
            if let Some(step) = step {
                state.select(*step, RowKey::Step(*step));
            }
        }
        Citation::Runbook(id) => open_runbook(state, id),
        Citation::Alert(name) => {
            let alert = snapshot.alerts.iter().find(|alert| alert.notice.name == *name);
            match alert.and_then(|alert| alert.notice.service.clone()) {
                Some(service) => panes::filtered(state, Pane::Anomalies, service.as_str()),
                None => state.say(format!("{name} names no service, so there is nothing to open; Incident lists it")),
            }
        }
        Citation::Source(name) => panes::filtered(state, Pane::Log, name),
        Citation::Vital(service, _) | Citation::Service(service) => open_service(state, service),
        Citation::Autonomy => state.ui.overlay = Overlay::Policy { offset: 0 },
        Citation::Totals | Citation::Question => panes::go(state, Pane::Now),
    }
}

/// A runbook that is proposed or runs is in Runbook; others are pages only.
fn open_runbook(state: &mut AppState, id: &Arc<str>) {
    let of_incident = |(incident, proposals): (&IncidentId, &Vec<Arc<Proposal>>)| {
        proposals.iter().any(|proposal| proposal.runbook.id == *id).then_some(*incident)
    };
    let Some(incident) = state.snapshot.proposals.iter().find_map(of_incident) else {
        return state.say(format!("{id} is not proposed now; `hypo runbook show {id}` prints its page"));
    };
    panes::focus(state, incident);
    panes::go(state, Pane::Runbook);
    let row = RowKey::Proposal(Arc::clone(id));
    if let Some(index) = state.rows().iter().position(|known| *known == row) {
        state.select(index, row);
    }
}

/// A service stands in the chain of the incident, or else among the anomalies.
fn open_service(state: &mut AppState, name: &str) {
    let row = RowKey::Service(ServiceName::new(name));
    if picture::rows(Pane::Chain, &state.snapshot, &state.ui).contains(&row) {
        panes::go(state, Pane::Chain);
        if let Some(index) = state.rows().iter().position(|known| *known == row) {
            state.select(index, row);
        }
        return;
    }
    panes::filtered(state, Pane::Anomalies, name);
}

/// The exchange that the selected row belongs to, else the last.
pub(super) fn selected_exchange(state: &AppState) -> Option<&Exchange> {
    let talk = &state.ui.talk;
    match state.selected().map(|(_, row)| row) {
        Some(RowKey::Asked(number) | RowKey::Claim(number, _) | RowKey::Said(number, _)) => talk.exchange(number),
        _ => talk.exchanges.last(),
    }
}

/// A question with its answer, as it is copied or noted.
pub(super) fn text_of(exchange: &Exchange) -> String {
    let mut lines = vec![format!("Q: {}", exchange.question)];
    match (&exchange.outcome, exchange.answer()) {
        (_, Some(answer)) => {
            let sourced = |claim: &Claim| {
                let sources: Vec<String> = claim.citations().iter().map(ToString::to_string).collect();
                let sources = if sources.is_empty() { String::new() } else { format!(" [{}]", sources.join(", ")) };
                format!("{}{sources}", claim.text())
            };
            lines.push(format!("A: {}", sourced(&answer.lead)));
            lines.extend(answer.claims.iter().map(|claim| format!("- {}", sourced(claim))));
            lines.extend(answer.missing.iter().map(|claim| format!("- not known: {}", sourced(claim))));
        }
        (Outcome::Failed(reason), None) => lines.push(format!("not answered: {reason}")),
        _ => lines.push("no answer yet".to_owned()),
    }
    let said = exchange.model.iter().filter_map(|model| model.ended.as_ref()).flat_map(|ended| &ended.sentences);
    lines.extend(said.filter(|sentence| !sentence.is_struck()).map(|sentence| format!("model: {}", sentence.text)));
    lines.join("\n")
}

/// Opens the box for a note with the answer in it: it is saved once it was looked at.
pub(super) fn note(state: &mut AppState) {
    let Some(text) = selected_exchange(state).filter(|exchange| exchange.answer().is_some()).map(text_of) else {
        return state.refuse("no answer is there that could be noted");
    };
    let Some(incident) = picture::incident(&state.snapshot, &state.ui).map(|incident| incident.id) else {
        return state.refuse("no incident is open whose timeline could take the note");
    };
    // What was begun before comes first: it is not lost.
    let begun = state.drafts.get(&(incident, Written::Note)).cloned().unwrap_or_default();
    let lines = begun.into_iter().chain(text.lines().map(str::to_owned)).collect();
    incidents::begin(state, incident, Written::Note, lines);
}

const NO_DRAFT: &str = "this answer proposes no steps; ask for a remediation first";

/// Opens the box for a runbook with a draft of what the answer proposes.
pub(super) fn draft(state: &mut AppState) {
    let Some(exchange) = selected_exchange(state) else { return state.refuse(NO_DRAFT) };
    let of_model = exchange.model.as_ref().and_then(|model| model.ended.as_ref()?.draft.as_ref());
    if let Some(page) = of_model.map(|draft| Arc::clone(&draft.page)) {
        let Some(incident) = picture::incident(&state.snapshot, &state.ui).map(|incident| incident.id) else {
            return state.refuse("no incident is open that the draft could be kept with");
        };
        let begun = state.drafts.get(&(incident, Written::Draft)).cloned();
        let lines = || page.lines().map(str::to_owned).collect();
        return incidents::begin(state, incident, Written::Draft, begun.unwrap_or_else(lines));
    }
    let sources = exchange.answer().into_iter().flat_map(Answer::all_claims).flat_map(Claim::citations);
    let named: Vec<Arc<str>> =
        sources.filter_map(|source| if let Citation::Runbook(id) = source { Some(id) } else { None }).collect();
    let found = state.snapshot.proposals.iter().find_map(|(incident, proposals)| {
        let proposal = proposals.iter().find(|proposal| named.contains(&proposal.runbook.id))?;
        Some((*incident, Arc::clone(proposal)))
    });
    let Some((incident, proposal)) = found else { return state.refuse(NO_DRAFT) };
    let begun = state.drafts.get(&(incident, Written::Draft)).cloned();
    let page = || draft::page(&proposal, &incident.to_string()).lines().map(str::to_owned).collect();
    incidents::begin(state, incident, Written::Draft, begun.unwrap_or_else(page));
}
