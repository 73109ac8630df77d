//! What a machine shows while it is patched and just after: expected, so it is marked and opens no incident by itself.
//!
//! Only what is told of that machine alone is marked: what its service shows as a whole is felt by others and counts. What still
//! shows once the machine has settled counts as well, from then on.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Engine;
use super::rollout_facts::is_of;
use super::turn::Turn;
use crate::engine::clock::{SECOND_MS, Timestamp};
use crate::engine::job::Record;
use crate::engine::model::{AlertState, AnomalyState, RolloutTarget, SuppressionReason};
use crate::engine::patches::rollout::TargetState;

/// A service that was restarted by its package is as it will be after so long.
const SETTLES_MS: i64 = 60 * SECOND_MS;
/// Labels of an alert that name a machine.
const MACHINE_LABELS: [&str; 4] = ["instance", "host", "hostname", "node"];

/// Machines on which packages change, each with since when.
struct Patched(BTreeMap<String, (RolloutTarget, Timestamp)>);

impl Patched {
    /// The mark of what began at `from` on the machine that `is_it` knows, where it has `mark` now.
    fn mark(
        &self,
        mark: Option<&SuppressionReason>,
        is_it: impl Fn(&str) -> bool,
        from: Timestamp,
    ) -> Option<SuppressionReason> {
        match mark {
            Some(SuppressionReason::Patching { target }) => {
                let holds = self.0.get(target.asset.as_ref()).is_some_and(|(of, _)| of == target);
                holds.then(|| SuppressionReason::Patching { target: target.clone() })
            }
            // Its own reason says more.
            Some(other) => Some(other.clone()),
            None => {
                let (_, (target, _)) = self.0.iter().find(|(asset, (_, since))| from >= *since && is_it(asset))?;
                Some(SuppressionReason::Patching { target: target.clone() })
            }
        }
    }
}

impl Engine {
    /// Marks what is expected, and takes the mark from what is so no longer. Before anything is grouped.
    pub(super) fn mark_expected_noise(&mut self, turn: &mut Turn) {
        let patched = self.patched(turn.now);
        for (id, anomaly) in &mut self.world.anomalies {
            let is_it = |asset: &str| match anomaly.instance.as_deref() {
                Some(instance) => is_of(instance, asset),
                None => anomaly.service.as_str() == asset,
            };
            let mark = patched.mark(anomaly.suppressed.as_ref(), is_it, anomaly.started_at);
            if anomaly.state == AnomalyState::Active && mark != anomaly.suppressed {
                Arc::make_mut(anomaly).suppressed = mark;
                turn.keep_later(Record::Anomaly(anomaly.as_ref().clone()));
                self.touched.anomalies.insert(*id);
                self.has_changed = true;
            }
        }
        for (fingerprint, alert) in &mut self.world.alerts {
            let notice = &alert.notice;
            let machines = MACHINE_LABELS.iter().filter_map(|label| notice.labels.get(label));
            let is_it = |asset: &str| machines.clone().any(|machine| is_of(machine, asset));
            let mark = patched.mark(alert.suppressed.as_ref(), is_it, notice.starts_at);
            if notice.state == AlertState::Firing && mark != alert.suppressed {
                Arc::make_mut(alert).suppressed = mark;
                turn.keep_later(Record::Alert(alert.as_ref().clone()));
                self.touched.alerts.insert(*fingerprint);
                self.has_changed = true;
            }
        }
    }

    fn patched(&self, now: Timestamp) -> Patched {
        let mut patched = BTreeMap::new();
        for kept in self.rollouts.kept.values() {
            for (asset, record) in &kept.rollout.targets {
                let since = match &record.state {
                    TargetState::Patching { since } | TargetState::RollingBack { since, .. } => *since,
                    TargetState::Validating { since, .. } if now.since_ms(*since) < SETTLES_MS => {
                        *since - kept.rollout.plan.pace.takes_ms
                    }
                    TargetState::RolledBack { at } if now.since_ms(*at) < SETTLES_MS => {
                        *at - kept.rollout.plan.pace.takes_ms
                    }
                    _ => continue,
                };
                let target = RolloutTarget { rollout: kept.rollout.id, asset: Arc::from(asset.as_str()) };
                patched.insert(asset.clone(), (target, since));
            }
        }
        Patched(patched)
    }
}
