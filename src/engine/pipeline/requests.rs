//! What people ask for. Whatever is answered with "done" is in the same turn's durable records.

use std::sync::Arc;

use super::Engine;
use super::audit_log::About;
use super::turn::Turn;
use crate::engine::act::roles;
use crate::engine::correlate::lifecycle::{self, LifecycleError};
use crate::engine::input::RequestId;
use crate::engine::job::Record;
use crate::engine::limits::CAUSE_VERDICTS_MAX;
use crate::engine::model::{AnomalyId, AuditKind, IncidentId, Person, ServiceName, SuppressionReason};
use crate::engine::request::{Reply, Request};
use crate::engine::root_cause;

impl Engine {
    pub(super) fn take_request(&mut self, id: RequestId, person: &Person, request: &Request, turn: &mut Turn) {
        let by = &person.name;
        if let Some(reason) = roles::refusal(person.role, request) {
            self.record(turn, AuditKind::Operator, by, About::default(), &format!("refused: {reason}"));
            return turn.reply(id, Reply::Refused { reason: Arc::from(reason) });
        }
        let outcome = match request {
            Request::PlanRollout { source } => match self.ask_for_plan(id, by, source, turn) {
                // Answered once what it needs was found.
                Ok(()) => return,
                Err(reason) => Err(reason),
            },
            Request::Rollout { rollout, request } => self.change_rollout(*rollout, request, by, turn),
            Request::Acknowledge { incident }
            | Request::Own { incident, .. }
            | Request::SetSeverity { incident, .. }
            | Request::Note { incident, .. }
            | Request::Mitigate { incident }
            | Request::Resolve { incident }
            | Request::Reopen { incident } => self.change_incident(*incident, by, request, turn),
            Request::JudgeCause { incident, is_right } => self.judge_cause(*incident, *is_right, by, turn),
            Request::Merge { .. } | Request::SplitOff { .. } => self.move_border(by, request, turn),
            Request::SavePostMortem { incident, text } => self.save_post_mortem(*incident, text, by, turn),
            Request::SaveRunbookDraft { incident, text } => self.save_runbook_draft(*incident, text, by, turn),
            Request::SendUpdate { incident, text } => self.send_update(*incident, text, by, turn),
            Request::SetAside { anomaly } => self.set_aside(*anomaly, by, turn),
            Request::StartRun { incident, runbook, digest } => self.begin_run(*incident, (runbook, digest), by, turn),
            Request::AskWheel { .. }
            | Request::TakeWheel { .. }
            | Request::GiveWheel { .. }
            | Request::KeepWheel { .. } => self.turn_wheel(person, request, turn),
            Request::Approve { run, .. }
            | Request::DryRun { run, .. }
            | Request::Choose { run, .. }
            | Request::Skip { run, .. }
            | Request::Retry { run, .. }
            | Request::RunFrom { run, .. }
            | Request::Resume { run, .. }
            | Request::EditRun { run, .. }
            | Request::Undo { run, .. }
            | Request::Probe { run, .. }
            | Request::StopRun { run, .. }
            | Request::SettleUnknown { run, .. } => self.step_run(*run, person, request, turn),
            Request::HandOver { to, note } => self.hand_over(by, (to, note), turn),
            Request::ExceptPatch(wish) => self.except_patch(wish, by, turn),
            Request::WithdrawException { exception, reason } => self.withdraw_exception(*exception, reason, by, turn),
            Request::Kill { .. } | Request::Release { .. } | Request::ResetBreaker => {
                self.change_safety(by, request, turn)
            }
        };
        let reply = match outcome {
            Ok(text) => Reply::Done { text: Arc::from(text) },
            Err(reason) => Reply::Refused { reason: Arc::from(reason) },
        };
        turn.reply(id, reply);
    }

    pub(super) fn change_incident(
        &mut self,
        id: IncidentId,
        by: &Arc<str>,
        request: &Request,
        turn: &mut Turn,
    ) -> Result<String, String> {
        let before = self.world.incidents.get(&id).ok_or_else(|| format!("{id} is not known here"))?;
        if let (Request::Resolve { .. }, Some(run)) = (request, self.unfinished_run(id)) {
            return Err(format!("{run} is not over on {id}; finish or stop it before {id} is resolved"));
        }
        let incident = lifecycle::apply(before, by, request, turn.now).map_err(|problem| match problem {
            LifecycleError::Over { .. } | LifecycleError::Already { .. } | LifecycleError::StillLive { .. } => {
                self.state_told(id, by).map_or_else(|| problem.to_string(), |told| format!("{problem} ({told})"))
            }
            _ => problem.to_string(),
        })?;
        let text = wording(request, by);
        self.record(turn, AuditKind::Operator, by, id, &text);
        self.put_incident(incident, turn);
        Ok(text)
    }

    /// Learns from an operator's word on the cause that was named; the last word on an incident counts.
    fn judge_cause(
        &mut self,
        id: IncidentId,
        is_right: bool,
        by: &Arc<str>,
        turn: &mut Turn,
    ) -> Result<String, String> {
        let incident = self.world.incidents.get(&id).ok_or_else(|| format!("{id} is not known here"))?;
        let verdict = root_cause::verdict(&self.world, incident, is_right)
            .ok_or_else(|| format!("no cause was named for {id}, so there is nothing to judge"))?;
        let cause = incident.ranking.hypotheses.first().map_or(String::new(), |first| first.title.to_string());
        self.world.verdicts.insert(id, verdict);
        while self.world.verdicts.len() > CAUSE_VERDICTS_MAX {
            self.world.verdicts.pop_first();
        }
        let text = format!("cause of {id} was {}: {cause}", if is_right { "right" } else { "wrong" });
        self.record(turn, AuditKind::Operator, by, id, &text);
        turn.keep(self.verdicts_to_keep());
        let live = self.world.incidents.values().filter(|incident| incident.state.is_live());
        self.to_rank.extend(live.map(|incident| incident.id));
        Ok(text)
    }

    /// Joins or parts incidents as an operator says, and keeps what that teaches.
    fn move_border(&mut self, by: &Arc<str>, request: &Request, turn: &mut Turn) -> Result<String, String> {
        let (moved, about, text) = match request {
            Request::Merge { incident, into } => {
                let moved = self.correlator.merge_by_hand(&self.world, *incident, *into, by, turn.now);
                (moved, *incident, format!("merged {incident} into {into}"))
            }
            Request::SplitOff { incident, services } => {
                let moved = self.correlator.split_by_hand(&self.world, *incident, services, by, turn.now);
                let names: Vec<&str> = services.iter().map(ServiceName::as_str).collect();
                (moved, *incident, format!("split {} off from {incident}", names.join(", ")))
            }
            _ => return Err("the request moves no border between incidents".to_owned()),
        };
        let events = moved.map_err(|problem| problem.to_string())?;
        self.record(turn, AuditKind::Operator, by, about, &text);
        for event in &events {
            self.apply(event, turn);
        }
        self.keep_learned(turn);
        Ok(text)
    }

    fn set_aside(&mut self, id: AnomalyId, by: &Arc<str>, turn: &mut Turn) -> Result<String, String> {
        let anomaly = self.world.anomalies.get_mut(&id).ok_or_else(|| format!("{id} is not known here"))?;
        let anomaly = Arc::make_mut(anomaly);
        anomaly.suppressed = Some(SuppressionReason::Operator { by: Arc::clone(by) });
        let text = format!("set {id} aside: {} of {}", anomaly.metric, anomaly.service);
        let about = About { incident: anomaly.incident, run: None };
        turn.keep(Record::Anomaly(anomaly.clone()));
        self.touched.anomalies.insert(id);
        self.record(turn, AuditKind::Operator, by, about, &text);
        Ok(text)
    }
}

/// What a request on an incident did, in the past tense, for the notice line and the audit log.
fn wording(request: &Request, by: &str) -> String {
    match request {
        Request::Acknowledge { incident } => format!("acknowledged {incident}"),
        Request::Own { incident, owner } => {
            format!("{incident} is now owned by {}", if owner.is_empty() { by } else { owner })
        }
        Request::SetSeverity { incident, severity } => format!("{incident} is now {severity}"),
        Request::Note { incident, text } => format!("note on {incident}: {text}"),
        Request::Mitigate { incident } => format!("{incident} is mitigated"),
        Request::Resolve { incident } => format!("{incident} is resolved"),
        Request::Reopen { incident } => format!("{incident} is open again"),
        other => format!("{other:?}"),
    }
}
