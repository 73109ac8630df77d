//! Documents that people write about incidents: post-mortems, drafts of runbooks, and status updates with when the next one is due.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Engine;
use super::turn::Turn;
use crate::engine::act::walk::ENGINE;
use crate::engine::clock::Timestamp;
use crate::engine::correlate::lifecycle;
use crate::engine::ingest::normalize::sanitize_lines;
use crate::engine::job::Record;
use crate::engine::limits::{DOCUMENT_BYTES_MAX, DOCUMENT_LINES_MAX};
use crate::engine::model::{AuditKind, Document, DocumentKind, Incident, IncidentId, IncidentSeverity};
use crate::engine::outbox::wording;
use crate::engine::postmortem;
use crate::engine::redact::redact;
use crate::engine::request::Request;
use crate::engine::settings::UpdateDue;

impl Engine {
    pub(super) fn restore_document(&mut self, document: Document) {
        self.documents.insert((document.incident, document.kind), Arc::new(document));
    }

    /// Saves a post-mortem in place of its draft.
    pub(super) fn save_post_mortem(
        &mut self,
        id: IncidentId,
        text: &str,
        by: &Arc<str>,
        turn: &mut Turn,
    ) -> Result<String, String> {
        self.incident_known(id)?;
        let text = readable(text, "a post-mortem")?;
        let said = format!("post-mortem of {id} saved ({} lines)", text.lines().count());
        self.record(turn, AuditKind::Operator, by, id, &said);
        self.keep_document(id, DocumentKind::PostMortem, text, by, turn);
        Ok(said)
    }

    /// Saves a draft of a runbook page in place of the one before.
    pub(super) fn save_runbook_draft(
        &mut self,
        id: IncidentId,
        text: &str,
        by: &Arc<str>,
        turn: &mut Turn,
    ) -> Result<String, String> {
        self.incident_known(id)?;
        let text = readable(text, "a draft")?;
        let said = format!("draft of a runbook of {id} saved; `hypo runbook draft {id}` prints it");
        self.record(turn, AuditKind::Operator, by, id, &said);
        self.keep_document(id, DocumentKind::RunbookDraft, text, by, turn);
        Ok(said)
    }

    /// Sends a status update: it is in the timeline and on its way outside before it is confirmed.
    pub(super) fn send_update(
        &mut self,
        id: IncidentId,
        text: &str,
        by: &Arc<str>,
        turn: &mut Turn,
    ) -> Result<String, String> {
        let before = self.incident_known(id)?;
        let text = readable(text, "a status update")?;
        let note = Request::Note { incident: id, text: Arc::from(format!("status update: {text}")) };
        let incident = lifecycle::apply(&before, by, &note, turn.now).map_err(|problem| problem.to_string())?;
        let message = wording::status_update(&incident, &text, by, turn.now);
        self.record(turn, AuditKind::Operator, by, id, &format!("status update on {id}: {text}"));
        self.keep_document(id, DocumentKind::StatusUpdate, text, by, turn);
        let about = format!("{}/{}/{}", message.thread, message.event.word(), turn.now.0);
        self.enqueue(&about, Some(id), &message, turn);
        self.put_incident(incident, turn);
        let next = self.update_due(id).map(|at| format!("; the next is due at {}", at.hh_mm_ss()));
        Ok(format!("status update on {id} sent{}", next.unwrap_or_default()))
    }

    /// When the next status update is due, for live incidents that are bad enough: by the last one, else by the opening.
    pub(super) fn updates_due(&self) -> BTreeMap<IncidentId, Timestamp> {
        self.world.incidents.keys().filter_map(|id| Some((*id, self.update_due(*id)?))).collect()
    }

    /// Once a tick: what is due is sent or reminded of, as the settings say. A due time has one name, and the same name is
    /// never told twice.
    pub(super) fn look_for_due_updates(&mut self, turn: &mut Turn) {
        let action = self.settings.outbound.update_due;
        if action == UpdateDue::Mark {
            return;
        }
        let now = turn.now;
        for (id, due_at) in self.updates_due().into_iter().filter(|(_, due_at)| *due_at <= now) {
            if action == UpdateDue::Send {
                self.send_due_update(id, turn);
            } else if let Some(incident) = self.world.incidents.get(&id).cloned() {
                let message = wording::update_due(&incident, due_at, turn.now);
                let about = format!("{}/{}/{}", message.thread, message.event.word(), due_at.0);
                self.enqueue(&about, Some(id), &message, turn);
            }
        }
    }

    /// Sends the draft, by the name of the engine. Where there is none to send, the mark on the screen stays.
    fn send_due_update(&mut self, id: IncidentId, turn: &mut Turn) {
        let picture = self.snapshot(turn.now);
        // The picture was not shown to anybody.
        self.has_changed = true;
        let next_at = postmortem::next_update(&picture, id);
        let Some(draft) = postmortem::status_update(&picture, id, next_at) else { return };
        if let Err(reason) = self.send_update(id, &draft, &Arc::from(ENGINE), turn) {
            tracing::warn!(%reason, "a status update was not sent by itself");
        }
    }

    fn update_due(&self, id: IncidentId) -> Option<Timestamp> {
        let is_due =
            |incident: &&Arc<Incident>| incident.state.is_live() && incident.severity >= IncidentSeverity::Sev2;
        let incident = self.world.incidents.get(&id).filter(is_due)?;
        let last = self.documents.get(&(id, DocumentKind::StatusUpdate)).map(|document| document.at);
        Some(last.unwrap_or(incident.opened_at) + self.settings.outbound.update_every.0)
    }

    /// Documents of incidents that are in the store only are there too.
    pub(super) fn forget_documents(&mut self) {
        let incidents = &self.world.incidents;
        self.documents.retain(|(incident, _), _| incidents.contains_key(incident));
    }

    fn incident_known(&self, id: IncidentId) -> Result<Arc<Incident>, String> {
        self.world.incidents.get(&id).cloned().ok_or_else(|| format!("{id} is not known here"))
    }

    fn keep_document(
        &mut self,
        incident: IncidentId,
        kind: DocumentKind,
        text: Arc<str>,
        by: &Arc<str>,
        turn: &mut Turn,
    ) {
        let document = Document { incident, kind, text, by: Arc::clone(by), at: turn.now };
        turn.keep(Record::Document(document.clone()));
        self.restore_document(document);
        self.has_changed = true;
    }
}

/// The text with its lines, without control characters; empty or too long it is refused.
fn readable(text: &str, what: &str) -> Result<Arc<str>, String> {
    let text = redact(text.trim());
    if text.is_empty() {
        return Err(format!("{what} without text is none; write something first"));
    }
    if text.len() > DOCUMENT_BYTES_MAX || text.lines().count() > DOCUMENT_LINES_MAX {
        return Err(format!("{what} has at most {DOCUMENT_BYTES_MAX} bytes in {DOCUMENT_LINES_MAX} lines; shorten it"));
    }
    Ok(sanitize_lines(&text, DOCUMENT_BYTES_MAX, DOCUMENT_LINES_MAX))
}
