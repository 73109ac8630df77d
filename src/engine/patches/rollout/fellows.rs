//! How many members of each group do their work, found out once for all targets that are asked about at one instant.

use std::collections::BTreeSet;

use super::facts::{Facts, MemberHealth};
use super::plan::Group;
use super::state::Rollout;

/// Members that do their work, group by group.
pub(super) struct Fellows {
    healthy: BTreeSet<String>,
    /// In the order of the plan's groups.
    counts: Vec<usize>,
}

impl Fellows {
    pub(super) fn of(rollout: &Rollout, facts: &dyn Facts) -> Self {
        let members: BTreeSet<&String> = rollout.plan.groups.iter().flat_map(|group| &group.members).collect();
        let is_healthy = |member: &&String| {
            let is_busy = rollout.targets.get(*member).is_some_and(|record| record.state.is_under_way());
            !is_busy && !rollout.is_to_be_undone(member) && facts.member(member) == MemberHealth::Healthy
        };
        let healthy: BTreeSet<String> = members.into_iter().filter(is_healthy).cloned().collect();
        let count = |group: &Group| group.members.iter().filter(|member| healthy.contains(*member)).count();
        let counts = rollout.plan.groups.iter().map(count).collect();
        Self { healthy, counts }
    }

    /// The members of a target's groups that do their work beside it, group by group.
    pub(super) fn beside<'a>(
        &'a self,
        rollout: &'a Rollout,
        name: &'a str,
    ) -> impl Iterator<Item = (&'a Group, usize)> {
        let own = usize::from(self.healthy.contains(name));
        let groups = rollout.plan.groups.iter().zip(&self.counts).filter(move |(group, _)| group.has(name));
        groups.map(move |(group, count)| (group, count.saturating_sub(own)))
    }

    /// Something is done on a target now.
    pub(super) fn takes(&mut self, rollout: &Rollout, name: &str) {
        if self.healthy.remove(name) {
            let groups = rollout.plan.groups.iter().zip(&mut self.counts).filter(|(group, _)| group.has(name));
            groups.for_each(|(_, count)| *count = count.saturating_sub(1));
        }
    }
}
