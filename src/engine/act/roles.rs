//! What a role may ask for. Looking, asking questions and stopping are never refused: whoever sees smoke pulls the switch.

use crate::engine::model::Role;
use crate::engine::request::Request;

/// The least role that may ask for this, and what it is called.
#[must_use]
pub fn needed(request: &Request) -> (Role, &'static str) {
    use Role::{Commander, Responder, Viewer};
    match request {
        Request::Kill { .. } => (Viewer, "pulling the kill switch"),
        Request::Acknowledge { .. } => (Responder, "acknowledging an incident"),
        Request::Own { .. } => (Responder, "changing who owns an incident"),
        Request::SetSeverity { .. } => (Responder, "setting a severity"),
        Request::Note { .. } => (Responder, "writing a note"),
        Request::Mitigate { .. } | Request::Resolve { .. } | Request::Reopen { .. } => {
            (Responder, "saying how an incident stands")
        }
        Request::JudgeCause { .. } => (Responder, "judging a cause"),
        Request::Merge { .. } | Request::SplitOff { .. } => (Responder, "moving the border between incidents"),
        Request::SavePostMortem { .. } | Request::SaveRunbookDraft { .. } => (Responder, "saving a document"),
        Request::SetAside { .. } => (Responder, "setting an anomaly aside"),
        Request::StartRun { .. } => (Responder, "starting a runbook"),
        Request::Approve { .. } => (Responder, "approving a step"),
        Request::DryRun { .. } => (Responder, "a dry run"),
        Request::Choose { .. } => (Responder, "answering the question of a runbook"),
        Request::Skip { .. }
        | Request::Retry { .. }
        | Request::RunFrom { .. }
        | Request::Resume { .. }
        | Request::EditRun { .. }
        | Request::StopRun { .. } => (Responder, "steering a run"),
        Request::Undo { .. } => (Responder, "taking a step back"),
        Request::Probe { .. } | Request::SettleUnknown { .. } => (Responder, "settling an interrupted step"),
        Request::AskWheel { .. }
        | Request::TakeWheel { .. }
        | Request::GiveWheel { .. }
        | Request::KeepWheel { .. } => (Responder, "driving a run"),
        Request::HandOver { .. } => (Responder, "handing over"),
        Request::PlanRollout { .. } => (Responder, "planning a rollout"),
        Request::SendUpdate { .. } => (Commander, "sending a status update"),
        Request::Rollout { .. } => (Commander, "steering a rollout"),
        Request::ExceptPatch(_) | Request::WithdrawException { .. } => (Commander, "deciding on a patch"),
        Request::Release { .. } => (Commander, "taking the kill switch off"),
        Request::ResetBreaker => (Commander, "resetting the circuit breaker"),
    }
}

/// Why this role may not ask for it, where it may not.
#[must_use]
pub fn refusal(role: Role, request: &Request) -> Option<String> {
    let (needed, what) = needed(request);
    (role < needed).then(|| format!("{what} needs the role {needed}; yours is {role}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::model::{IncidentId, RunId};

    #[test]
    fn each_role_may_what_those_before_it_may_and_stopping_is_for_all() {
        let all = [Role::Viewer, Role::Responder, Role::Commander, Role::Admin];
        let reason: Arc<str> = Arc::from("smoke");
        let run = RunId(1);
        for (request, least) in [
            (Request::Kill { reason: Arc::clone(&reason) }, Role::Viewer),
            (Request::Note { incident: IncidentId(1), text: Arc::clone(&reason) }, Role::Responder),
            (Request::Approve { run, step: 0, digest: Arc::clone(&reason), typed_target: None }, Role::Responder),
            (Request::StopRun { run, escalate: None }, Role::Responder),
            (Request::Release { reason }, Role::Commander),
            (Request::ResetBreaker, Role::Commander),
        ] {
            for role in all {
                assert_eq!(refusal(role, &request).is_none(), role >= least, "{role} asks for {request:?}");
            }
        }
        let text = refusal(Role::Viewer, &Request::ResetBreaker).unwrap();
        assert_eq!(text, "resetting the circuit breaker needs the role commander; yours is viewer");
    }
}
