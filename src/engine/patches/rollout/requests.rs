//! What people ask of a rollout.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::facts::{Order, Refusal, RolloutRequest};
use super::health::{HealthReport, HealthVerdict};
use super::plan::Plan;
use super::state::{PlanApproval, Rollout, RolloutEnd, RolloutState, Soak};
use super::step::Step;
use super::target::TargetState;
use crate::engine::clock::Timestamp;

impl Rollout {
    /// Does what a person asks. Advance the rollout afterwards.
    ///
    /// # Errors
    /// When it does not fit where the rollout stands, or says not who asks or why; nothing changes then.
    pub fn on_request(&self, request: &RolloutRequest, now: Timestamp) -> Result<(Self, Vec<Order>), Refusal> {
        let mut step = Step::new(self, now);
        step.request(request).map_err(Refusal)?;
        Ok(step.end())
    }

    /// Puts a fresh plan in the place of one that has not begun. An approval of another digest is void.
    ///
    /// # Errors
    /// When a target was begun, or the rollout is over.
    pub fn replan(&self, plan: Plan, now: Timestamp) -> Result<(Self, Vec<Order>), Refusal> {
        let id = self.id;
        let is_early = self.begun == 0
            && matches!(self.state, RolloutState::Proposed | RolloutState::Running | RolloutState::Paused { .. });
        if !is_early {
            return Err(Refusal(format!("{id} has begun, so its plan stays; stop it and plan again")));
        }
        let mut step = Step::new(self, now);
        if plan.digest == self.plan.digest {
            Arc::make_mut(&mut step.rollout.plan).made_at = plan.made_at;
            return Ok(step.end());
        }
        let fresh = Self::new(id, plan, self.opened_at);
        let was_approved = self.is_approved();
        step.rollout = Self { approval: self.approval.clone(), ..fresh };
        if was_approved {
            step.note("its plan changed; the approval is void");
        }
        Ok(step.end())
    }
}

impl Step {
    fn request(&mut self, request: &RolloutRequest) -> Result<(), String> {
        let id = self.rollout.id;
        if self.rollout.is_over() {
            return Err(format!("{id} is over"));
        }
        match request {
            RolloutRequest::Approve { by, digest } => {
                said(by, "an approval has no reason beyond its plan")?;
                self.approve(by, digest)
            }
            RolloutRequest::Pause { by, reason } => {
                said(by, reason)?;
                if self.rollout.state != RolloutState::Running {
                    return Err(format!("{id} does not run, so it cannot be paused"));
                }
                let why = format!("{by}: {reason}");
                self.note(&format!("paused by {why}"));
                self.rollout.state = RolloutState::Paused { why, incident: None };
                Ok(())
            }
            RolloutRequest::Resume { by, reason } => {
                said(by, reason)?;
                let RolloutState::Paused { incident, .. } = &self.rollout.state else {
                    return Err(format!("{id} is not paused"));
                };
                self.rollout.known_incidents.extend(*incident);
                self.rollout.state = RolloutState::Running;
                self.note(&format!("goes on by {by}: {reason}"));
                Ok(())
            }
            RolloutRequest::Stop { by, reason } => {
                said(by, reason)?;
                self.note(&format!("stopped by {by}: {reason}"));
                self.end_as(RolloutEnd::Stopped, &format!("{by}: {reason}"));
                Ok(())
            }
            RolloutRequest::RollBack { by, reason } => {
                said(by, reason)?;
                self.note(&format!("taken back by {by}: {reason}"));
                self.take_everything_back(&format!("{by}: {reason}"));
                Ok(())
            }
            RolloutRequest::Skip { target, by, reason } => {
                said(by, reason)?;
                self.skip(target, by, reason)
            }
            RolloutRequest::Decide { target, is_good, by, reason } => {
                said(by, reason)?;
                match target {
                    Some(target) => self.decide(target, *is_good, by, reason),
                    None => self.decide_soak(*is_good, by, reason),
                }
            }
            RolloutRequest::ShortenSoak { until, by, reason } => {
                said(by, reason)?;
                self.shorten(*until, by, reason)
            }
            RolloutRequest::Settle { target, carries, by, reason } => {
                said(by, reason)?;
                if !matches!(self.state_of(target), Some(TargetState::Unknown { .. })) {
                    return Err(format!("what happened on {target} is known, or it is no target of {id}"));
                }
                self.note(&format!("{target} settled by {by}: {reason}"));
                self.settle(target, *carries);
                Ok(())
            }
        }
    }

    fn state_of(&self, target: &str) -> Option<&TargetState> {
        self.rollout.targets.get(target).map(|record| &record.state)
    }

    fn approve(&mut self, by: &str, digest: &str) -> Result<(), String> {
        let (id, plan) = (self.rollout.id, &self.rollout.plan);
        if plan.digest != digest || plan.computed_digest() != digest {
            return Err(format!("{id} has another plan than the one that was shown; look at it and approve it anew"));
        }
        if self.rollout.is_approved() && self.rollout.state != RolloutState::Proposed {
            return Err(format!("{id} is approved as it is"));
        }
        if plan.targets.is_empty() {
            return Err(format!("{id} has no target; see who is left out and why"));
        }
        if matches!(self.rollout.state, RolloutState::Ending { .. }) {
            return Err(format!("{id} is ending"));
        }
        self.rollout.approval = Some(PlanApproval { by: by.to_owned(), at: self.now, digest: digest.to_owned() });
        self.rollout.state = RolloutState::Running;
        self.note(&format!("plan {digest} approved by {by}"));
        Ok(())
    }

    fn skip(&mut self, target: &str, by: &str, reason: &str) -> Result<(), String> {
        if self.rollout.is_to_be_undone(target) {
            self.rollout.undo.remove(&BTreeSet::from([target.to_owned()]));
            self.set(target, TargetState::CannotRollBack { why: format!("given up by {by}: {reason}") });
            self.note(&format!("{target} is not taken back by {by}: {reason}"));
            return Ok(());
        }
        match self.state_of(target) {
            Some(state) if state.is_waiting() => {
                self.set(target, TargetState::Skipped { by: by.to_owned(), why: reason.to_owned() });
                self.note(&format!("{target} skipped by {by}: {reason}"));
                Ok(())
            }
            Some(state) => Err(format!("{target} is {}, only what waits can be skipped", state.word())),
            None => Err(format!("{target} is no target of {}", self.rollout.id)),
        }
    }

    fn decide(&mut self, target: &str, is_good: bool, by: &str, reason: &str) -> Result<(), String> {
        if !self.state_of(target).is_some_and(TargetState::is_undecided) {
            return Err(format!("there is nothing to decide of {target}"));
        }
        if is_good {
            self.note(&format!("{target} is good enough by {by}: {reason}"));
            self.accept(target);
        } else {
            let report = HealthReport::plain(HealthVerdict::Fail, &format!("{by}: {reason}"));
            self.health_failed(Some(target), report);
        }
        Ok(())
    }

    fn decide_soak(&mut self, is_good: bool, by: &str, reason: &str) -> Result<(), String> {
        if !matches!(self.rollout.soak, Soak::Undecided { .. }) {
            return Err("there is nothing to decide of the soak".to_owned());
        }
        if is_good {
            self.note(&format!("the soak is good enough by {by}: {reason}"));
            self.rollout.soak = Soak::Decided { by: by.to_owned(), reason: reason.to_owned() };
        } else {
            let report = HealthReport::plain(HealthVerdict::Fail, &format!("{by}: {reason}"));
            self.rollout.soak = Soak::Failed { report: report.clone() };
            self.health_failed(None, report);
        }
        Ok(())
    }

    fn shorten(&mut self, to: Timestamp, by: &str, reason: &str) -> Result<(), String> {
        let Soak::Running { until, .. } = &mut self.rollout.soak else {
            return Err("no soak is under way that could be shortened".to_owned());
        };
        if to >= *until {
            return Err(format!("the soak ends at {until}; {to} would not shorten it"));
        }
        *until = to;
        self.note(&format!("the soak ends at {to} by {by}: {reason}"));
        Ok(())
    }
}

/// Who asks and why must be said.
fn said(by: &str, reason: &str) -> Result<(), String> {
    if by.trim().is_empty() {
        return Err("it is not said who asks; a person has to".to_owned());
    }
    if reason.trim().is_empty() {
        return Err("it is not said why; write a reason".to_owned());
    }
    Ok(())
}
