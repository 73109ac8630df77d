//! What the metrics of targets are, taken in and kept: what health before and after a patch is compared by.
//!
//! Each target's are a setting of their own, and a part of them is written at a time: of thousands of targets it is more than may
//! be written in one turn.

use std::collections::{BTreeMap, BTreeSet};

use super::Engine;
use super::rollout_facts::machines;
use super::turn::Turn;
use crate::engine::clock::{MINUTE_MS, SECOND_MS};
use crate::engine::job::Record;
use crate::engine::model::ServiceName;
use crate::engine::patches::rollout::Seen;

/// Before a target's name: the setting under which its samples are kept.
const PREFIX: &str = "rollout samples/";
/// Between two looks at metrics while nothing is under way.
const SAMPLE_MS: i64 = MINUTE_MS;
/// The time in which all of them are written once: a hundredth of what is compared, within these.
const KEEP_MS: std::ops::RangeInclusive<i64> = 10 * SECOND_MS..=10 * MINUTE_MS;

impl Engine {
    pub(super) fn restore_samples(&mut self, name: &str, value: &str) -> bool {
        let Some(target) = name.strip_prefix(PREFIX) else { return false };
        // Health that cannot be told waits for a person, so nothing is taken for good by this.
        if let Err(problem) = self.rollouts.samples.restore(target, value) {
            tracing::warn!(%problem, target, "samples of a rollout's target were not read back");
        }
        true
    }

    /// Takes in what the metrics of targets are, for what is compared later.
    pub(super) fn sample_targets(&mut self, turn: &mut Turn) {
        let open = self.rollouts.kept.values().filter(|kept| !kept.rollout.is_over());
        // Before anything is begun as well: what health is then is what it is compared with.
        let every_ms = open.clone().map(|kept| kept.rollout.plan.pace.watch_ms).min();
        let since = turn.now.since_ms(self.rollouts.sampled_at);
        if (0..every_ms.unwrap_or(SAMPLE_MS)).contains(&since) {
            return;
        }
        // Each target under the services that it carries and under its own name.
        let mut carried: BTreeMap<ServiceName, BTreeSet<String>> = BTreeMap::new();
        let mut names: BTreeSet<String> = BTreeSet::new();
        for target in open.flat_map(|kept| kept.rollout.plan.targets.values()) {
            for name in target.services.iter().chain([&target.name]) {
                carried.entry(ServiceName::new(name)).or_default().insert(target.name.clone());
            }
            names.insert(target.name.clone());
        }
        let wanted: BTreeSet<ServiceName> = carried.keys().cloned().collect();
        for it in self.detection.latest_of(&wanted) {
            let Some(carriers) = carried.get(it.service) else { continue };
            let (of, metric) = (it.service.as_str(), it.metric.as_ref());
            let seen = Seen { of, metric, unit: it.unit, bad_when: it.bad_when, at: it.at, value: it.value };
            match it.instance {
                None => carriers.iter().for_each(|name| self.rollouts.samples.take(name, &seen)),
                Some(instance) => machines(Some(instance))
                    .flatten()
                    .filter(|machine| carriers.contains(*machine))
                    .for_each(|name| self.rollouts.samples.take(name, &seen)),
            }
        }
        self.rollouts.sampled_at = turn.now;
        self.keep_samples(&names, turn);
    }

    /// So many of them, one after the other, that all are written once in their time.
    fn keep_samples(&mut self, targets: &BTreeSet<String>, turn: &mut Turn) {
        let open = self.rollouts.kept.values().filter(|kept| !kept.rollout.is_over());
        let paces = open.map(|kept| kept.rollout.plan.pace.soak_ms / 100).min().unwrap_or(i64::MAX);
        let every_ms = paces.clamp(*KEEP_MS.start(), *KEEP_MS.end());
        for gone in self.rollouts.samples.retain(|name| targets.contains(name)) {
            turn.keep_later(self.samples_record(&gone));
        }
        let (last_at, last_name) = &self.rollouts.samples_kept;
        // A clock that was set back must not keep them from being written.
        let since = turn.now.since_ms(*last_at);
        let since = if since < 0 { every_ms } else { since.min(every_ms) };
        let all = self.rollouts.samples.target_count();
        let count = usize::try_from(since).unwrap_or(0) * all / usize::try_from(every_ms).unwrap_or(1).max(1);
        let names = self.rollouts.samples.names_after(last_name, count);
        let Some(last) = names.last().cloned() else { return };
        for name in names {
            turn.keep_later(self.samples_record(&name));
        }
        self.rollouts.samples_kept = (turn.now, last);
    }

    /// What is known of a target; nothing where nothing is any more.
    pub(super) fn samples_record(&self, target: &str) -> Record {
        Record::Setting { name: format!("{PREFIX}{target}"), value: self.rollouts.samples.written(target) }
    }
}
