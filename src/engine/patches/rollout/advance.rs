//! What becomes of a rollout as time passes.

use super::facts::{Facts, Order};
use super::state::{Rollout, RolloutState, Soak};
use super::step::Step;
use super::target::{Acting, TargetState};
use crate::engine::clock::{MINUTE_MS, Timestamp};

/// Between two probes of a target of which nothing is known.
const PROBE_MS: i64 = MINUTE_MS;

impl Rollout {
    /// Looks at everything and says what is to be done. Call it whenever something happened, and every ten seconds while
    /// anything is under way, else every minute.
    #[must_use]
    pub fn advance(&self, facts: &dyn Facts, now: Timestamp) -> (Self, Vec<Order>) {
        let mut step = Step::new(self, now);
        if !self.is_over() {
            step.lose(None);
            step.pause_for_incidents(facts);
            step.validate(facts);
            step.soak(facts);
            // A soak that begins now may begin into an incident.
            step.pause_for_incidents(facts);
            if facts.kill_switch().is_none() {
                step.probe(facts);
                step.take_back(facts);
            }
            step.begin(facts);
            step.finish();
        }
        step.hold(facts);
        step.end()
    }

    /// What was under way when the program ended has no end that could still be seen: it is unknown, and probed; what was watched closely is
    /// watched again. Call it once for each rollout that is read from disk.
    #[must_use]
    pub fn after_restart(&self, now: Timestamp) -> (Self, Vec<Order>) {
        let mut step = Step::new(self, now);
        step.lose(Some("the program ended meanwhile"));
        for name in step.names(|state| matches!(state, TargetState::Validating { .. })) {
            if let Some(target) = step.target(&name) {
                step.watch(&target, self.plan.pace.validate_ms);
            }
            // What was not watched meanwhile tells nothing: it is watched for its whole time again.
            if let Some(TargetState::Validating { since, looks, undecided: None, .. }) =
                step.record(&name).map(|record| &mut record.state)
            {
                (*since, *looks) = (now, 0);
            }
        }
        // The same for the end of a soak: what staging is like now has yet to be seen.
        if let Soak::Running { until, .. } = &mut step.rollout.soak {
            *until = (*until).max(now + self.plan.pace.validate_ms);
        }
        step.end()
    }
}

impl Step {
    /// What has had no end for too long, or can have none, is unknown.
    fn lose(&mut self, why: Option<&str>) {
        let most = self.rollout.plan.pace.lost_after_ms;
        for name in self.names(|state| matches!(state, TargetState::Patching { .. } | TargetState::RollingBack { .. }))
        {
            let state = self.rollout.targets.get(&name).map(|record| &record.state);
            let Some(TargetState::Patching { since } | TargetState::RollingBack { since, .. }) = state else {
                continue;
            };
            if why.is_some() || self.now.since_ms(*since) >= most {
                self.lost(&name, why.unwrap_or("no end was seen in time"));
            }
        }
    }

    /// Nothing is known of a target any more; it is probed at once.
    pub(super) fn lost(&mut self, name: &str, why: &str) {
        let now = self.now;
        let Some(record) = self.record(name) else { return };
        let was = match record.state {
            TargetState::Patching { .. } => Acting::Patching,
            TargetState::RollingBack { .. } => Acting::RollingBack,
            _ => return,
        };
        record.carries = true;
        record.state = TargetState::Unknown { since: now, was, probed_at: now };
        let attempt = record.attempt;
        self.note(&format!("what happened on {name} is not known: {why}"));
        self.orders.push(Order::ProbeTarget { target: name.to_owned(), attempt });
    }

    /// Looks again what is there, once a while, as soon as it answers.
    fn probe(&mut self, facts: &dyn Facts) {
        for name in self.names(|state| matches!(state, TargetState::Unknown { .. })) {
            let (now, Some(target)) = (self.now, self.target(&name)) else { continue };
            let Some(record) = self.rollout.targets.get_mut(&name) else { continue };
            let TargetState::Unknown { probed_at, .. } = &mut record.state else { continue };
            if now.since_ms(*probed_at) >= PROBE_MS && facts.tried_again(&target).is_none() {
                *probed_at = now;
                self.orders.push(Order::ProbeTarget { target: name, attempt: record.attempt });
            }
        }
    }

    /// An incident that comes up on what is being patched, or soaks, pauses everything.
    fn pause_for_incidents(&mut self, facts: &dyn Facts) {
        if self.rollout.state != RolloutState::Running {
            return;
        }
        let mut names: Vec<String> = self.rollout.under_way().map(|(name, _)| name.clone()).collect();
        if matches!(self.rollout.soak, Soak::Running { .. }) {
            names.extend(self.rollout.staged().filter(|name| self.carries(name)).cloned());
        }
        for name in names {
            let Some(target) = self.target(&name) else { continue };
            let Some(incident) = facts.incident(&target, &self.rollout.known_incidents) else { continue };
            let why = format!("{incident} came up on {name} while it is patched or soaks");
            self.note(&format!("paused: {why}"));
            self.rollout.state = RolloutState::Paused { why, incident: Some(incident) };
            return;
        }
    }

    pub(super) fn carries(&self, name: &str) -> bool {
        self.rollout.targets.get(name).is_some_and(|record| record.carries)
    }
}
