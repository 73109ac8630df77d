//! Looks at health: of each target after its patch, and of staging as a whole.
//!
//! Before its end a comparison is looked at a few times, so that what is clearly worse is not left to harm for long; these looks
//! are held to a tenth of the level of significance.

use super::facts::{Compared, Facts, MemberHealth};
use super::health::{HealthReport, HealthVerdict, MetricSamples, judge};
use super::state::{RolloutState, Soak};
use super::step::Step;
use super::target::TargetState;
use crate::engine::clock::{HOUR_MS, MINUTE_MS, Timestamp};

/// A unit that was restarted may be down for so long.
const SETTLE_MS: i64 = MINUTE_MS;
/// From so long before a patch on there are samples enough, also where a metric is read once a minute.
const BEFORE_MS_MIN: i64 = HOUR_MS;
/// Parts of a validation; after each but the last there is an early look.
const VALIDATION_PARTS: u8 = 4;
/// The same of a soak.
const SOAK_PARTS: u8 = 8;

/// How many parts of `whole_ms` have passed.
fn parts_passed(passed_ms: i64, whole_ms: i64, parts: u8) -> u8 {
    let share = passed_ms.saturating_mul(i64::from(parts)) / whole_ms.max(1);
    u8::try_from(share.clamp(0, i64::from(parts))).unwrap_or(parts)
}

impl Step {
    /// Looks at every target whose patch is in.
    pub(super) fn validate(&mut self, facts: &dyn Facts) {
        for name in self.names(|state| matches!(state, TargetState::Validating { undecided: None, .. })) {
            if !self.rollout.is_to_be_undone(&name) {
                self.validate_one(&name, facts);
            }
        }
    }

    fn validate_one(&mut self, name: &str, facts: &dyn Facts) {
        let (now, whole) = (self.now, self.rollout.plan.pace.validate_ms);
        let Some(record) = self.rollout.targets.get_mut(name) else { return };
        let TargetState::Validating { since, looks, .. } = &mut record.state else { return };
        let passed = now.since_ms(*since);
        let (parts, seen) = (parts_passed(passed, whole, VALIDATION_PARTS), *looks);
        *looks = seen.max(parts);
        let is_end = passed >= whole;
        let member = facts.member(name);
        match &member {
            MemberHealth::Unhealthy(why) if is_end || passed >= SETTLE_MS => {
                let report = HealthReport::plain(HealthVerdict::Fail, why);
                return self.health_failed(Some(name), report);
            }
            // What is seen meanwhile is not the patch's doing alone; it is looked at once that is over.
            MemberHealth::Acting(_) => return,
            _ => {}
        }
        if !is_end && parts <= seen {
            return;
        }
        let samples = self.samples(name, whole, facts);
        let rules = self.rollout.plan.pace.health;
        let mut report = judge(&samples, if is_end { rules } else { rules.early() });
        if report.verdict == HealthVerdict::Fail {
            return self.health_failed(Some(name), report);
        }
        if !is_end {
            return;
        }
        if report.verdict == HealthVerdict::Pass && member != MemberHealth::Healthy {
            report.verdict = HealthVerdict::Inconclusive;
            report.words = format!("{}, but nothing says that it does its work", report.words);
        }
        match report.verdict {
            HealthVerdict::Pass => {
                self.note(&format!("{name} is healthy: {}", report.words));
                self.accept(name);
            }
            _ => self.leave_to_person(name, report),
        }
    }

    fn leave_to_person(&mut self, name: &str, report: HealthReport) {
        self.note(&format!("whether {name} is healthy cannot be told, a person decides: {}", report.words));
        if let Some(TargetState::Validating { undecided, .. }) = self.record(name).map(|record| &mut record.state) {
            *undecided = Some(report);
        }
    }

    /// The target is healthy, by the figures or by a person's word.
    pub(super) fn accept(&mut self, name: &str) {
        let at = self.now;
        let Some(record) = self.record(name) else { return };
        let TargetState::Validating { reboot, .. } = &record.state else { return };
        record.state = match reboot.clone() {
            Some(why) => TargetState::RebootPending { at, why },
            None => TargetState::Done { at },
        };
    }

    /// The samples of a target for `whole_ms` before its patch, and since.
    fn samples(&self, name: &str, whole_ms: i64, facts: &dyn Facts) -> Vec<MetricSamples> {
        let record = self.rollout.targets.get(name);
        let times = record.and_then(|record| Some((record.begun_at?, record.patched_at?)));
        let (Some((begun, patched)), Some(target)) = (times, self.rollout.plan.targets.get(name)) else {
            return Vec::new();
        };
        // Right after the patch the service starts anew.
        let after = (patched + SETTLE_MS.min(whole_ms / 4), self.now);
        facts.health(target, &Compared { before: (begun - whole_ms.max(BEFORE_MS_MIN), begun), after })
    }

    /// Lets staging soak, once all of it is settled, and compares its health.
    pub(super) fn soak(&mut self, facts: &dyn Facts) {
        if !matches!(self.rollout.state, RolloutState::Running | RolloutState::Paused { .. }) {
            return;
        }
        if self.rollout.soak == Soak::Before {
            self.begin_soak();
        }
        let (now, whole) = (self.now, self.rollout.plan.pace.soak_ms);
        let Soak::Running { from, until, looks } = &mut self.rollout.soak else { return };
        let (parts, seen) = (parts_passed(now.since_ms(*from), until.since_ms(*from), SOAK_PARTS), *looks);
        *looks = seen.max(parts);
        let is_end = now >= *until;
        if !is_end && parts <= seen {
            return;
        }
        self.compare_soak(is_end, whole, facts);
    }

    fn begin_soak(&mut self) {
        if self.rollout.staged().any(|name| !self.rollout.is_settled(name)) {
            return;
        }
        let (from, soak_ms) = (self.now, self.rollout.plan.pace.soak_ms);
        if self.rollout.staged().any(|name| self.carries(name)) {
            let until = from + soak_ms;
            self.rollout.soak = Soak::Running { from, until, looks: 0 };
            self.note(&format!("staging soaks until {until}"));
        } else {
            let report = HealthReport::plain(HealthVerdict::Inconclusive, "nothing in staging has the patch");
            self.note(&format!("the soak cannot tell, a person decides: {}", report.words));
            self.rollout.soak = Soak::Undecided { report };
        }
    }

    fn compare_soak(&mut self, is_end: bool, whole: i64, facts: &dyn Facts) {
        let staged: Vec<String> = self.rollout.staged().filter(|name| self.carries(name)).cloned().collect();
        // What is seen meanwhile is not the patch's doing alone; it is looked at once that is over.
        if staged.iter().any(|name| matches!(facts.member(name), MemberHealth::Acting(_))) {
            return;
        }
        let samples: Vec<MetricSamples> = staged.iter().flat_map(|name| self.samples(name, whole, facts)).collect();
        let rules = self.rollout.plan.pace.health;
        let mut report = judge(&samples, if is_end { rules } else { rules.early() });
        let members = || staged.iter().map(|name| (name, facts.member(name)));
        let down = members().find_map(|(name, health)| match health {
            MemberHealth::Unhealthy(why) => Some(format!("{name}: {why}")),
            _ => None,
        });
        if let Some(why) = down {
            report = HealthReport { verdict: HealthVerdict::Fail, words: why, ..report };
        } else if is_end
            && report.verdict == HealthVerdict::Pass
            && let Some((name, _)) = members().find(|(_, health)| *health != MemberHealth::Healthy)
        {
            report.verdict = HealthVerdict::Inconclusive;
            report.words = format!("{}, but nothing says that {name} does its work", report.words);
        }
        match report.verdict {
            HealthVerdict::Fail => {
                self.rollout.soak = Soak::Failed { report: report.clone() };
                self.health_failed(None, report);
            }
            _ if !is_end => {}
            HealthVerdict::Pass => {
                self.note(&format!("the soak passed: {}", report.words));
                self.rollout.soak = Soak::Passed { report };
            }
            HealthVerdict::Inconclusive => {
                self.note(&format!("the soak cannot tell, a person decides: {}", report.words));
                self.rollout.soak = Soak::Undecided { report };
            }
        }
    }

    /// When the soak ends at the earliest.
    pub(super) fn soak_until(&self) -> Option<Timestamp> {
        match self.rollout.soak {
            Soak::Running { until, .. } => Some(until),
            _ => None,
        }
    }
}
