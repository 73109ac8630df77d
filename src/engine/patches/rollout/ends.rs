//! What is told of a target: how its patch ended, how its being taken back ended, what a probe found.

use super::facts::{Facts, Order, TargetEnd};
use super::plan::{PackageChange, Target};
use super::state::{Rollout, RolloutEnd, RolloutState, Undo};
use super::step::Step;
use super::target::{Acting, TargetState};
use crate::engine::clock::Timestamp;

impl Rollout {
    /// Takes in how order number `attempt` on a target ended. What is not waited for changes nothing: an end that comes twice, or
    /// of an earlier order, is noted only. Advance the rollout afterwards.
    #[must_use]
    pub fn on_target(&self, target: &str, attempt: u32, end: &TargetEnd, now: Timestamp) -> (Self, Vec<Order>) {
        let mut step = Step::new(self, now);
        step.ended(target, attempt, end);
        step.end()
    }
}

impl Step {
    fn ended(&mut self, name: &str, attempt: u32, end: &TargetEnd) {
        let record = self.rollout.targets.get(name).filter(|record| record.attempt == attempt && attempt > 0);
        let acting = record.and_then(|record| match record.state {
            TargetState::Patching { .. } => Some(Acting::Patching),
            TargetState::RollingBack { .. } => Some(Acting::RollingBack),
            TargetState::Unknown { was, .. } => Some(was),
            _ => None,
        });
        let is_settled = record.is_some_and(|record| {
            matches!(
                record.state,
                TargetState::Validating { .. } | TargetState::Done { .. } | TargetState::RebootPending { .. }
            )
        });
        let is_unknown = record.is_some_and(|record| matches!(record.state, TargetState::Unknown { .. }));
        match (acting, end) {
            (Some(Acting::Patching), TargetEnd::Patched { reboot }) => self.patched(name, reboot.clone()),
            (Some(Acting::Patching), TargetEnd::Failed { why, may_have_changed }) => {
                self.install_failed(name, why, *may_have_changed);
            }
            (Some(Acting::Patching), TargetEnd::NotBegun { why }) if !is_unknown => self.not_begun(name, why),
            (Some(Acting::RollingBack), TargetEnd::NotBegun { why }) if !is_unknown => self.not_taken_back(name, why),
            (Some(Acting::RollingBack), TargetEnd::RolledBack) => self.rolled_back(name),
            (None, TargetEnd::TakenBackByHand) if is_settled => self.rolled_back(name),
            (Some(Acting::RollingBack), TargetEnd::RollBackFailed { why }) => self.roll_back_failed(name, why),
            (Some(_), TargetEnd::Lost) if !is_unknown => self.lost(name, "its end was lost"),
            (Some(_), TargetEnd::Found { carries }) if is_unknown => self.settle(name, *carries),
            _ => self.note(&format!("an end of {name}, attempt {attempt}, is not waited for: {}", end_words(end))),
        }
    }

    fn patched(&mut self, name: &str, reboot: Option<String>) {
        let (now, pace_ms) = (self.now, self.rollout.plan.pace.validate_ms);
        let Some(record) = self.record(name) else { return };
        record.carries = true;
        record.patched_at = Some(now);
        record.state = TargetState::Validating { since: now, reboot, looks: 0, undecided: None };
        self.note(&format!("{name} has the new packages; its health is compared"));
        if let Some(target) = self.target(name) {
            self.watch(&target, pace_ms);
        }
        self.join_undo(name);
    }

    /// Where everything is taken back, what comes in late is, too.
    fn join_undo(&mut self, name: &str) {
        if let RolloutState::Ending { end: RolloutEnd::RolledBack, why } = self.rollout.state.clone() {
            self.undo(name, &why);
        }
    }

    fn install_failed(&mut self, name: &str, why: &str, may_have_changed: bool) {
        let Some(record) = self.record(name) else { return };
        record.carries = may_have_changed;
        record.state = TargetState::Failed { why: why.to_owned() };
        self.rollout.failures += 1;
        if may_have_changed {
            self.undo(name, &format!("its installation failed: {why}"));
        }
        let source = self.rollout.plan.source.clone();
        let title = format!("the patch of {source} failed on {name}: {why}");
        if self.rollout.failures > self.rollout.plan.pace.failures {
            self.open_incident(title, Some(name), None);
            self.end_as(RolloutEnd::Stopped, &format!("its installation failed on {name}"));
        } else {
            self.note(&title);
        }
    }

    fn rolled_back(&mut self, name: &str) {
        let at = self.now;
        let Some(record) = self.record(name) else { return };
        record.carries = false;
        record.state = TargetState::RolledBack { at };
        self.note(&format!("{name} has the packages from before"));
    }

    fn roll_back_failed(&mut self, name: &str, why: &str) {
        self.set(name, TargetState::CannotRollBack { why: why.to_owned() });
        let title = format!("{} cannot be taken back on {name}: {why}", self.rollout.plan.source);
        self.open_incident(title, Some(name), None);
        self.end_as(RolloutEnd::Stopped, &format!("{name} cannot be taken back"));
    }

    /// It is known again what is there.
    pub(super) fn settle(&mut self, name: &str, carries: bool) {
        let now = self.now;
        let Some(record) = self.record(name) else { return };
        let TargetState::Unknown { was, .. } = record.state else { return };
        record.carries = carries;
        match (was, carries) {
            (Acting::Patching, true) => self.patched(name, None),
            (Acting::Patching, false) => {
                record.state = TargetState::Waiting { hold: None };
                self.note(&format!("{name} has the packages from before; it waits again"));
            }
            (Acting::RollingBack, false) => self.rolled_back(name),
            (Acting::RollingBack, true) => {
                record.patched_at = record.patched_at.or(Some(now));
                self.not_taken_back(name, "it still has the new packages");
            }
        }
    }

    /// It waits again, as if it had not been its turn.
    fn not_begun(&mut self, name: &str, why: &str) {
        let Some(record) = self.record(name) else { return };
        record.begun_at = None;
        record.state = TargetState::Waiting { hold: None };
        self.note(&format!("{name} was not begun: {why}"));
    }

    /// It is taken back again, as soon as that may be tried.
    fn not_taken_back(&mut self, name: &str, why: &str) {
        self.set(name, TargetState::Failed { why: why.to_owned() });
        self.note(&format!("{name} was not taken back: {why}; that is tried again"));
        self.undo(name, why);
    }

    /// Orders what is to be taken back: as many at once as may be patched at once. Windows, freezes and incidents do not keep a
    /// mistake; too few healthy members let one at a time go on only, since those with a bad version will not get better by waiting.
    pub(super) fn take_back(&mut self, facts: &dyn Facts) {
        for Undo { target: name, why } in self.rollout.undo.clone() {
            let under_way = self.rollout.targets.values().filter(|record| {
                matches!(record.state, TargetState::RollingBack { .. } | TargetState::Patching { .. })
            });
            let count = under_way.count();
            let Some(target) = self.target(&name) else { continue };
            if count >= self.most_at_once(&name) || facts.tried_again(&target).is_some() {
                continue;
            }
            if count == 0 || self.hold_of_groups(&name, facts).is_none() {
                self.take_back_one(&target, &why);
            }
        }
    }

    fn most_at_once(&self, name: &str) -> usize {
        let stage = self.rollout.plan.position(name).and_then(|(stage, _)| self.rollout.plan.stages.get(stage));
        stage.and_then(|stage| usize::try_from(stage.batch_max).ok()).unwrap_or(1)
    }

    fn take_back_one(&mut self, target: &Target, why: &str) {
        let (now, pace) = (self.now, self.rollout.plan.pace.clone());
        self.rollout.undo.retain(|undo| undo.target != target.name);
        let Some(record) = self.record(&target.name) else { return };
        record.attempt += 1;
        record.state = TargetState::RollingBack { since: now, why: why.to_owned() };
        let attempt = record.attempt;
        self.note(&format!("takes {} back (attempt {attempt}): {why}", target.name));
        self.watch(target, pace.takes_ms + pace.validate_ms);
        let back = |change: &PackageChange| PackageChange {
            name: change.name.clone(),
            architecture: change.architecture.clone(),
            from: change.to.clone(),
            to: change.from.clone(),
        };
        self.orders.push(Order::RollBackTarget {
            target: target.name.clone(),
            attempt,
            packages: target.packages.iter().map(back).collect(),
            method: target.method.clone(),
            why: why.to_owned(),
        });
    }
}

fn end_words(end: &TargetEnd) -> String {
    match end {
        TargetEnd::Patched { .. } => "patched".to_owned(),
        TargetEnd::Failed { why, .. } => format!("failed, {why}"),
        TargetEnd::NotBegun { why } => format!("not begun, {why}"),
        TargetEnd::RolledBack => "rolled back".to_owned(),
        TargetEnd::TakenBackByHand => "taken back by hand".to_owned(),
        TargetEnd::RollBackFailed { why } => format!("cannot be rolled back, {why}"),
        TargetEnd::Lost => "lost".to_owned(),
        TargetEnd::Found { carries: true } => "the new version is there".to_owned(),
        TargetEnd::Found { carries: false } => "the old version is there".to_owned(),
    }
}
