//! One change of a rollout in the making: what it becomes and what it orders. What stops a rollout is here, since ends, looks at
//! health and people all come to it.

use super::facts::{Evidence, Order};
use super::health::HealthReport;
use super::plan::Target;
use super::state::{Rollout, RolloutEnd, RolloutState};
use super::target::{TargetRecord, TargetState};
use super::undo::Undo;
use crate::engine::clock::Timestamp;

/// A change in the making.
pub(super) struct Step {
    pub(super) rollout: Rollout,
    pub(super) orders: Vec<Order>,
    pub(super) now: Timestamp,
}

impl Step {
    pub(super) fn new(rollout: &Rollout, now: Timestamp) -> Self {
        Self { rollout: rollout.clone(), orders: Vec::new(), now }
    }

    pub(super) fn end(self) -> (Rollout, Vec<Order>) {
        (self.rollout, self.orders)
    }

    pub(super) fn note(&mut self, text: &str) {
        let text = format!("{}: {text}", self.rollout.id);
        self.orders.push(Order::Note { text });
    }

    pub(super) fn target(&self, name: &str) -> Option<Target> {
        self.rollout.plan.targets.get(name).cloned()
    }

    pub(super) fn record(&mut self, name: &str) -> Option<&mut TargetRecord> {
        self.rollout.targets.get_mut(name)
    }

    pub(super) fn set(&mut self, name: &str, state: TargetState) {
        if let Some(record) = self.rollout.targets.get_mut(name) {
            record.state = state;
        }
    }

    /// Names of targets in a state, in the order of names.
    pub(super) fn names(&self, is: impl Fn(&TargetState) -> bool) -> Vec<String> {
        let of = self.rollout.targets.iter().filter(|(_, record)| is(&record.state));
        of.map(|(name, _)| name.clone()).collect()
    }

    /// Orders closer reading of a target's metrics until it should be through.
    pub(super) fn watch(&mut self, target: &Target, for_ms: i64) {
        let order = Order::WatchClosely {
            target: target.name.clone(),
            services: target.services.clone(),
            every_ms: self.rollout.plan.pace.watch_ms,
            until: self.now + for_ms,
        };
        self.orders.push(order);
    }

    /// Orders the rollout's incident; there is one, whatever else goes wrong.
    pub(super) fn open_incident(&mut self, title: String, target: Option<&str>, report: Option<HealthReport>) {
        if self.rollout.has_incident {
            return self.note(&title);
        }
        self.rollout.has_incident = true;
        let concerned: Vec<Target> = match target {
            Some(name) => self.target(name).into_iter().collect(),
            None => self.rollout.staged().filter_map(|name| self.target(name)).collect(),
        };
        let mut services: Vec<String> = concerned.into_iter().flat_map(|target| target.services).collect();
        services.sort();
        services.dedup();
        self.note(&title);
        let carriers = self.rollout.carriers();
        let evidence = Evidence { title, target: target.map(str::to_owned), services, report, carriers };
        self.orders.push(Order::OpenIncident { evidence });
    }

    /// Nothing begins any more. What a graver end began stays.
    pub(super) fn end_as(&mut self, end: RolloutEnd, why: &str) {
        let is_taken_back = matches!(self.rollout.state, RolloutState::Ending { end: RolloutEnd::RolledBack, .. });
        if self.rollout.is_over() || is_taken_back {
            return;
        }
        self.rollout.state = RolloutState::Ending { end, why: why.to_owned() };
    }

    /// A target is to be taken back once; those that were asked for first go first.
    pub(super) fn undo(&mut self, target: &str, why: &str) {
        self.rollout.undo.push(Undo { target: target.to_owned(), why: why.to_owned() });
    }

    /// Everything that has the new version is taken back, the newest first, and nothing begins any more.
    pub(super) fn take_everything_back(&mut self, why: &str) {
        self.end_as(RolloutEnd::RolledBack, why);
        for name in self.rollout.carriers() {
            let can = self.rollout.targets.get(&name).is_some_and(|record| {
                !matches!(
                    record.state,
                    TargetState::Unknown { .. } | TargetState::RollingBack { .. } | TargetState::CannotRollBack { .. }
                )
            });
            if can {
                self.undo(&name, why);
            }
        }
        let Rollout { undo, targets, .. } = &mut self.rollout;
        undo.sort_by_key(|one| std::cmp::Reverse(targets.get(&one.target).map_or(0, |record| record.number)));
    }

    /// Health is worse on a target, or on all of staging: whatever has the new version is taken back.
    pub(super) fn health_failed(&mut self, target: Option<&str>, report: HealthReport) {
        let source = self.rollout.plan.source.clone();
        let place = target.unwrap_or("staging");
        let title = format!("{source} made {place} worse: {}", report.words);
        if let Some(name) = target {
            self.set(name, TargetState::Failed { why: report.words.clone() });
        }
        self.open_incident(title, target, Some(report));
        self.take_everything_back(&format!("health failed on {place}"));
    }

    /// The rollout is over once nothing is under way and nothing is left to do.
    pub(super) fn finish(&mut self) {
        let is_idle = self.rollout.under_way().next().is_none() && self.rollout.undo.is_empty();
        let (end, why) = match &self.rollout.state {
            RolloutState::Ending { end, why } if is_idle => (*end, why.clone()),
            RolloutState::Running if is_idle && self.rollout.turn().is_none() && self.is_proved() => {
                (RolloutEnd::Done, "every target is settled".to_owned())
            }
            _ => return,
        };
        let word = match end {
            RolloutEnd::Done => "done",
            RolloutEnd::Stopped => "stopped",
            RolloutEnd::RolledBack => "rolled back",
        };
        self.note(&format!("{word}: {why}"));
        self.rollout.state = RolloutState::Ended { end, why, at: self.now };
    }

    /// Whether no soak is left to wait for.
    fn is_proved(&self) -> bool {
        self.rollout.soak.is_good() || self.rollout.carriers().is_empty()
    }
}
