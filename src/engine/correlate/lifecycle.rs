//! The life of an incident: what a person may ask of it, and what time does to it.

use std::sync::Arc;

use super::timeline;
use crate::engine::clock::{MINUTE_MS, Timestamp};
use crate::engine::model::{Incident, IncidentId, IncidentState, TimelineKind, human_span};
use crate::engine::request::Request;

/// Why a wish about an incident is not granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LifecycleError {
    /// It is over.
    #[error("{incident} is resolved and cannot be {wish}; reopen it first")]
    Over {
        /// Which incident.
        incident: IncidentId,
        /// What was wished, as a past participle.
        wish: &'static str,
    },
    /// It became a part of another.
    #[error("{incident} was merged into {into}; act on {into}")]
    Merged {
        /// Which incident.
        incident: IncidentId,
        /// Where it went.
        into: IncidentId,
    },
    /// It already is what it should become.
    #[error("{incident} is already {state}")]
    Already {
        /// Which incident.
        incident: IncidentId,
        /// What it already is.
        state: &'static str,
    },
    /// Nothing to reopen.
    #[error("{incident} is {state}, not resolved: there is nothing to reopen")]
    StillLive {
        /// Which incident.
        incident: IncidentId,
        /// Where it stands.
        state: &'static str,
    },
    /// A note without text.
    #[error("the note on {incident} is empty; write a line and send it again")]
    EmptyNote {
        /// Which incident.
        incident: IncidentId,
    },
    /// The wish is not about this incident.
    #[error("the request is not about {incident}; send it to what it names")]
    NotAboutIncident {
        /// Which incident.
        incident: IncidentId,
    },
}

/// The incident after a person's wish.
///
/// # Errors
/// Where the incident's state does not allow the wish; nothing has changed then.
pub fn apply(incident: &Incident, by: &str, request: &Request, now: Timestamp) -> Result<Incident, LifecycleError> {
    if let (Some(into), false) = (incident.merged_into, matches!(request, Request::Note { .. })) {
        return Err(LifecycleError::Merged { incident: incident.id, into });
    }
    let mut next = incident.clone();
    next.updated_at = now;
    match request {
        Request::Acknowledge { .. } => acknowledge(&mut next, by, now)?,
        Request::Own { owner, .. } => own(&mut next, if owner.is_empty() { by } else { owner }, by, now)?,
        Request::SetSeverity { severity, .. } => {
            require_live(&next, "given another severity")?;
            let told = match next.severity {
                same if same == *severity => format!("severity confirmed as {severity}"),
                before => format!("severity set from {before} to {severity}"),
            };
            next.severity = *severity;
            next.is_severity_set_by_hand = true;
            tell(&mut next, now, TimelineKind::State, &told, Some(by));
        }
        Request::Note { text, .. } => note(&mut next, text, by, now)?,
        Request::Mitigate { .. } => {
            require_live(&next, "mitigated")?;
            require_not(&next, IncidentState::Mitigated)?;
            mitigate(&mut next, "the harm has stopped", Some(by), now);
        }
        Request::Resolve { .. } => {
            require_live(&next, "resolved again")?;
            resolve(&mut next, "resolved", Some(by), now);
        }
        Request::Reopen { .. } => {
            if incident.state.is_live() {
                return Err(LifecycleError::StillLive { incident: incident.id, state: incident.state.word() });
            }
            reopen(&mut next, "reopened", Some(by), now);
        }
        Request::JudgeCause { .. }
        | Request::SavePostMortem { .. }
        | Request::SaveRunbookDraft { .. }
        | Request::SendUpdate { .. }
        | Request::Merge { .. }
        | Request::SplitOff { .. }
        | Request::SetAside { .. }
        | Request::StartRun { .. }
        | Request::Approve { .. }
        | Request::DryRun { .. }
        | Request::Skip { .. }
        | Request::StopRun { .. }
        | Request::Choose { .. }
        | Request::Retry { .. }
        | Request::RunFrom { .. }
        | Request::Resume { .. }
        | Request::EditRun { .. }
        | Request::Undo { .. }
        | Request::Probe { .. }
        | Request::AskWheel { .. }
        | Request::TakeWheel { .. }
        | Request::GiveWheel { .. }
        | Request::KeepWheel { .. }
        | Request::HandOver { .. }
        | Request::PlanRollout { .. }
        | Request::Rollout { .. }
        | Request::Kill { .. }
        | Request::Release { .. }
        | Request::ExceptPatch(_)
        | Request::WithdrawException { .. }
        | Request::ResetBreaker
        | Request::SettleUnknown { .. } => return Err(LifecycleError::NotAboutIncident { incident: incident.id }),
    }
    Ok(next)
}

fn acknowledge(incident: &mut Incident, by: &str, now: Timestamp) -> Result<(), LifecycleError> {
    require_live(incident, "acknowledged")?;
    require_not(incident, IncidentState::Acknowledged)?;
    // What is mitigated stays mitigated; only that somebody has it is new.
    if incident.state != IncidentState::Mitigated {
        incident.state = IncidentState::Acknowledged;
    }
    incident.acknowledged_at = Some(now);
    if incident.owner.is_none() {
        incident.owner = Some(Arc::from(by));
    }
    tell(incident, now, TimelineKind::State, "acknowledged", Some(by));
    Ok(())
}

fn own(incident: &mut Incident, owner: &str, by: &str, now: Timestamp) -> Result<(), LifecycleError> {
    require_live(incident, "given an owner")?;
    if incident.owner.as_deref() == Some(owner) {
        return Err(LifecycleError::Already { incident: incident.id, state: "in those hands" });
    }
    incident.owner = Some(Arc::from(owner));
    tell(incident, now, TimelineKind::State, &format!("owner is {owner}"), Some(by));
    Ok(())
}

fn note(incident: &mut Incident, text: &str, by: &str, now: Timestamp) -> Result<(), LifecycleError> {
    if text.trim().is_empty() {
        return Err(LifecycleError::EmptyNote { incident: incident.id });
    }
    tell(incident, now, TimelineKind::Note, text.trim(), Some(by));
    Ok(())
}

fn require_live(incident: &Incident, wish: &'static str) -> Result<(), LifecycleError> {
    if incident.state.is_live() { Ok(()) } else { Err(LifecycleError::Over { incident: incident.id, wish }) }
}

fn require_not(incident: &Incident, state: IncidentState) -> Result<(), LifecycleError> {
    if incident.state == state {
        return Err(LifecycleError::Already { incident: incident.id, state: state.word() });
    }
    Ok(())
}

/// Writes a line about the incident itself.
pub(super) fn tell(incident: &mut Incident, at: Timestamp, kind: TimelineKind, text: &str, by: Option<&str>) {
    timeline::add(&mut incident.timeline, timeline::line(at, kind, text, by));
}

pub(super) fn mitigate(incident: &mut Incident, text: &str, by: Option<&str>, now: Timestamp) {
    incident.state = IncidentState::Mitigated;
    incident.mitigated_at = Some(now);
    tell(incident, now, TimelineKind::State, &format!("mitigated: {text}"), by);
}

pub(super) fn resolve(incident: &mut Incident, text: &str, by: Option<&str>, now: Timestamp) {
    incident.state = IncidentState::Resolved;
    incident.mitigated_at = incident.mitigated_at.or(Some(now));
    incident.resolved_at = Some(now);
    tell(incident, now, TimelineKind::State, text, by);
}

pub(super) fn reopen(incident: &mut Incident, text: &str, by: Option<&str>, now: Timestamp) {
    incident.state = IncidentState::Reopened;
    incident.reopen_count += 1;
    incident.mitigated_at = None;
    incident.resolved_at = None;
    // Nobody has taken what came back.
    incident.acknowledged_at = None;
    tell(incident, now, TimelineKind::State, text, by);
}

/// What is known of the harm an incident does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Harm {
    /// Members that still do harm.
    pub(super) active_count: usize,
    /// When harm was last seen.
    pub(super) last_at: Timestamp,
    /// The latest onset among the members.
    pub(super) newest_onset: Timestamp,
}

/// What time does to a live incident: harm that stopped mitigates it, quiet resolves it, harm that returns takes it back.
/// One step at a time: quiet that is noticed late is seen as mitigated, for as long as any other, before it is over.
pub(super) fn advance(incident: &mut Incident, harm: &Harm, quiet_ms: i64, is_held: bool, now: Timestamp) {
    if incident.state == IncidentState::Mitigated
        && harm.active_count > 0
        && incident.mitigated_at.is_some_and(|at| harm.newest_onset > at)
    {
        incident.state =
            if incident.acknowledged_at.is_some() { IncidentState::Acknowledged } else { IncidentState::Open };
        incident.mitigated_at = None;
        tell(incident, harm.newest_onset, TimelineKind::State, "the harm is back", None);
        return;
    }
    if harm.active_count > 0 {
        return;
    }
    let quiet_for = now.since_ms(harm.last_at);
    let told = |least_ms: i64| human_span(least_ms.max(quiet_for / MINUTE_MS * MINUTE_MS));
    if incident.state != IncidentState::Mitigated {
        if quiet_for >= quiet_ms {
            mitigate(incident, &format!("no symptom for {}", told(quiet_ms)), None, now);
        }
        return;
    }
    let was_seen = incident.mitigated_at.is_none_or(|at| now.since_ms(at) >= quiet_ms);
    // While somebody is acting on it, its end is theirs to see.
    if quiet_for >= 2 * quiet_ms && was_seen && !is_held {
        resolve(incident, &format!("resolved: no symptom for {}", told(2 * quiet_ms)), None, now);
    }
}
