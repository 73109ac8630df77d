//! What is told of a target: how its patch ended, how its being taken back ended, what a probe found.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::facts::{Facts, Order, TargetEnd};
use super::fellows::Fellows;
use super::plan::{PackageChange, Stage, Target};
use super::state::{Rollout, RolloutEnd, RolloutState};
use super::step::Step;
use super::target::{Acting, TargetState};
use super::undo::Undo;
use crate::engine::clock::Timestamp;
use crate::engine::patches::inventory::Reboot;

impl Rollout {
    /// Takes in how order number `attempt` on a target ended. What is not waited for changes nothing: an end that comes twice, or
    /// of an earlier order, is noted only. Advance the rollout afterwards.
    #[must_use]
    pub fn on_target(&self, target: &str, attempt: u32, end: &TargetEnd, now: Timestamp) -> (Self, Vec<Order>) {
        self.on_targets([(target, attempt, end)], now)
    }

    /// The same of several that ended at once, each with the number of its order.
    #[must_use]
    pub fn on_targets<'e>(
        &self,
        ends: impl IntoIterator<Item = (&'e str, u32, &'e TargetEnd)>,
        now: Timestamp,
    ) -> (Self, Vec<Order>) {
        let mut step = Step::new(self, now);
        for (target, attempt, end) in ends {
            step.ended(target, attempt, end);
        }
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

    fn patched(&mut self, name: &str, reboot: Option<Reboot>) {
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
        let stays = self.rollout.plan.targets.get(name).map_or("", Target::what_stays);
        self.note(&format!("{name} has the packages from before{stays}"));
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
            (Acting::Patching, true) => {
                self.patched(name, Some(Reboot::Untold("what runs there was not looked at; scan it".to_owned())));
            }
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
        if self.rollout.undo.is_empty() {
            return;
        }
        let plan = Arc::clone(&self.rollout.plan);
        let of_stage = |stage: &'_ Stage| usize::try_from(stage.batch_max).unwrap_or(usize::MAX);
        let most_at_once: BTreeMap<&str, usize> = plan
            .stages
            .iter()
            .flat_map(|stage| stage.batches.iter().flatten().map(move |name| (name.as_str(), of_stage(stage))))
            .collect();
        let is_moving =
            |state: &TargetState| matches!(state, TargetState::RollingBack { .. } | TargetState::Patching { .. });
        let mut count = self.rollout.targets.values().filter(|record| is_moving(&record.state)).count();
        // What is taken back neither is a healthy member nor was one before.
        let fellows = OnceCell::new();
        let mut begun = BTreeSet::new();
        for Undo { target: name, why } in &self.rollout.undo.clone() {
            let Some(target) = plan.targets.get(name) else { continue };
            let most = most_at_once.get(name.as_str()).copied().unwrap_or(1);
            if count >= most || facts.tried_again(target).is_some() {
                continue;
            }
            let is_spared = |step: &Self| {
                let fellows = fellows.get_or_init(|| Fellows::of(&step.rollout, facts));
                step.hold_of_groups(name, fellows).is_none()
            };
            if count == 0 || is_spared(self) {
                self.take_back_one(target, why);
                begun.insert(name.clone());
                count += 1;
            }
        }
        self.rollout.undo.remove(&begun);
    }

    fn take_back_one(&mut self, target: &Target, why: &str) {
        let (now, pace) = (self.now, self.rollout.plan.pace.clone());
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
