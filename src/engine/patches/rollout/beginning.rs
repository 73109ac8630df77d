//! What may begin, and what keeps the others waiting.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::calendar::{FreezeState, WindowState};
use super::facts::{Facts, Order};
use super::fellows::Fellows;
use super::plan::{StageKind, Target};
use super::state::{Rollout, RolloutState, Soak};
use super::step::Step;
use super::target::{Hold, TargetState};
use crate::engine::clock::Timestamp;

impl Rollout {
    /// What would hold the first target if the plan were approved as it is; `None` where it would begin at once, or where every
    /// target is settled.
    #[must_use]
    pub fn hold_once_approved(&self, facts: &dyn Facts, now: Timestamp) -> Option<Hold> {
        if let Some(by) = facts.kill_switch() {
            return Some(Hold::Kill(by));
        }
        let (stage, batch) = self.turn()?;
        let step = Step::new(self, now);
        let first = step.batch(stage, batch).into_iter().find(|name| !self.is_settled(name))?;
        step.hold_of(self.plan.targets.get(&first)?, stage, facts, &OnceCell::new())
    }
}

impl Step {
    /// Begins what may begin of the batch whose turn it is.
    pub(super) fn begin(&mut self, facts: &dyn Facts) {
        if self.hold_of_all(facts).is_some() {
            return;
        }
        let Some((stage, batch)) = self.rollout.turn() else { return };
        let plan = Arc::clone(&self.rollout.plan);
        let mut fellows = OnceCell::new();
        for name in self.batch(stage, batch) {
            let is_waiting = self.rollout.targets.get(&name).is_some_and(|record| record.state.is_waiting());
            let Some(target) = plan.targets.get(&name).filter(|_| is_waiting) else { continue };
            if self.hold_of(target, stage, facts, &fellows).is_none() {
                self.begin_one(target);
                if let Some(fellows) = fellows.get_mut() {
                    fellows.takes(&self.rollout, &name);
                }
            }
        }
    }

    fn begin_one(&mut self, target: &Target) {
        let (now, pace) = (self.now, self.rollout.plan.pace.clone());
        self.rollout.begun += 1;
        let number = self.rollout.begun;
        let Some(record) = self.record(&target.name) else { return };
        record.attempt += 1;
        record.number = number;
        record.begun_at = Some(now);
        record.patched_at = None;
        record.state = TargetState::Patching { since: now };
        let attempt = record.attempt;
        self.note(&format!("begins {} (attempt {attempt})", target.name));
        self.watch(target, pace.takes_ms + pace.validate_ms);
        self.orders.push(Order::BeginTarget {
            target: target.name.clone(),
            attempt,
            packages: target.packages.clone(),
            method: target.method.clone(),
        });
    }

    /// Says of each waiting target what it waits for.
    pub(super) fn hold(&mut self, facts: &dyn Facts) {
        let of_all = self.hold_of_all(facts);
        let turn = self.rollout.turn();
        let fellows = OnceCell::new();
        let mut holds = Vec::new();
        for (stage, of) in self.rollout.plan.stages.iter().enumerate() {
            for (batch, names) in of.batches.iter().enumerate() {
                let is_waiting =
                    |name: &&String| self.rollout.targets.get(*name).is_some_and(|record| record.state.is_waiting());
                for name in names.iter().filter(is_waiting) {
                    let in_turn = || self.hold_in_turn(name, (stage, batch), turn?, facts, &fellows);
                    holds.push((name.clone(), of_all.clone().or_else(in_turn)));
                }
            }
        }
        for (name, hold) in holds {
            self.set(&name, TargetState::Waiting { hold });
        }
    }

    fn hold_in_turn(
        &self,
        name: &str,
        (stage, batch): (usize, usize),
        (turn_stage, turn_batch): (usize, usize),
        facts: &dyn Facts,
        fellows: &OnceCell<Fellows>,
    ) -> Option<Hold> {
        if stage != turn_stage {
            let before = self.rollout.plan.stages.get(turn_stage).map(|stage| stage.name.clone());
            return before.map(Hold::StageBefore);
        }
        if batch != turn_batch {
            return Some(Hold::BatchBefore);
        }
        self.hold_of(self.rollout.plan.targets.get(name)?, stage, facts, fellows)
    }

    fn batch(&self, stage: usize, batch: usize) -> Vec<String> {
        let stage = self.rollout.plan.stages.get(stage);
        stage.and_then(|stage| stage.batches.get(batch)).cloned().unwrap_or_default()
    }

    /// What keeps every target from beginning.
    fn hold_of_all(&self, facts: &dyn Facts) -> Option<Hold> {
        let rollout = &self.rollout;
        match &rollout.state {
            RolloutState::Ending { .. } | RolloutState::Ended { .. } => return Some(Hold::Over),
            _ if !rollout.is_approved() => return Some(Hold::Approval),
            RolloutState::Paused { .. } => return Some(Hold::Paused),
            RolloutState::Proposed => return Some(Hold::Approval),
            RolloutState::Running => {}
        }
        if let Some(by) = facts.kill_switch() {
            return Some(Hold::Kill(by));
        }
        let of = |is: fn(&TargetState) -> bool| rollout.targets.iter().find(|(_, record)| is(&record.state));
        if let Some((name, _)) = of(|state| matches!(state, TargetState::Unknown { .. })) {
            return Some(Hold::Unsettled(name.clone()));
        }
        if let Some((name, _)) = of(TargetState::is_undecided) {
            return Some(Hold::Undecided(name.clone()));
        }
        let back = of(|state| matches!(state, TargetState::RollingBack { .. })).map(|(name, _)| name);
        back.or_else(|| rollout.undo.first().map(|undo| &undo.target)).map(|name| Hold::TakenBack(name.clone()))
    }

    /// What keeps a target from beginning when it is its turn. `fellows` is found out when it is asked for first.
    fn hold_of(&self, target: &Target, stage: usize, facts: &dyn Facts, fellows: &OnceCell<Fellows>) -> Option<Hold> {
        let of = self.rollout.plan.stages.get(stage)?;
        if of.kind == StageKind::Production && !self.rollout.soak.is_good() {
            return Some(match self.soak_until() {
                Some(until) => Hold::Soak(until),
                None if self.rollout.soak == Soak::Before => Hold::StageBefore("staging".to_owned()),
                None => Hold::SoakUndecided,
            });
        }
        if let Some(incident) = facts.incident(target, &BTreeSet::new()) {
            return Some(Hold::Incident(incident));
        }
        if let Some(number) = facts.exception(target) {
            return Some(Hold::Excepted(number));
        }
        let most = usize::try_from(of.batch_max).unwrap_or(usize::MAX);
        self.hold_of_time(target, facts)
            .or_else(|| facts.tried_again(target).map(|(why, at)| Hold::TriedAgain { why, at }))
            .or_else(|| facts.taken_by(target).map(Hold::Taken))
            .or_else(|| (self.rollout.under_way().count() >= most).then_some(Hold::BatchFull))
            .or_else(|| {
                let fellows = fellows.get_or_init(|| Fellows::of(&self.rollout, facts));
                self.hold_of_groups(&target.name, fellows)
            })
    }

    /// It must be through, validation and all, before its window closes or a freeze begins.
    fn hold_of_time(&self, target: &Target, facts: &dyn Facts) -> Option<Hold> {
        let pace = &self.rollout.plan.pace;
        let through = self.now + (pace.takes_ms + pace.validate_ms);
        let room = facts.room(target);
        let is_late = |at: Timestamp| at < through;
        match room.freeze {
            FreezeState::Now(freeze) => return Some(Hold::Frozen { name: freeze.name, until: freeze.until }),
            FreezeState::Next(freeze) if is_late(freeze.from) => {
                return Some(Hold::FreezeNear { name: freeze.name, at: freeze.from });
            }
            FreezeState::Next(_) | FreezeState::None => {}
        }
        match room.window {
            WindowState::NotNeeded => None,
            WindowState::Open { until, .. } => is_late(until).then_some(Hold::WindowShort { until }),
            WindowState::Shut { next } => Some(Hold::WindowShut { next: next.map(|next| next.from) }),
            WindowState::None => Some(Hold::NoWindow),
        }
    }

    /// Enough others must be known to be healthy.
    pub(super) fn hold_of_groups(&self, name: &str, fellows: &Fellows) -> Option<Hold> {
        fellows.beside(&self.rollout, name).find_map(|(group, healthy)| {
            let healthy = u32::try_from(healthy).unwrap_or(u32::MAX);
            let least = group.healthy_min;
            (healthy < least).then(|| Hold::HealthyMin { group: group.name.clone(), healthy, least })
        })
    }
}
