//! Changes: told again under the same identity they update what is known, and those within reach of an incident's
//! onset are its suspects.

use std::collections::BTreeSet;

use crate::engine::clock::Timestamp;
use crate::engine::limits::{CHANGE_REACH_MS, CLOCK_SKEW_MS, SUSPECT_CHANGES_MAX};
use crate::engine::model::{Change, ChangeId, ChangeNotice, ServiceName, Topology};
use crate::engine::world::World;

/// The change after `notice` was told; `next` is its number where it is a new one.
///
/// The identity is source and `external_id`. What a later notice leaves out stays known, and a change began when the
/// earliest notice says it did.
#[must_use]
pub fn fold(existing: Option<&Change>, notice: &ChangeNotice, next: ChangeId) -> Change {
    let Some(existing) = existing else {
        return Change { id: next, notice: notice.clone() };
    };
    let known = &existing.notice;
    let merged = ChangeNotice {
        service: notice.service.clone().or_else(|| known.service.clone()),
        version: notice.version.clone().or_else(|| known.version.clone()),
        author: notice.author.clone().or_else(|| known.author.clone()),
        url: notice.url.clone().or_else(|| known.url.clone()),
        finished_at: notice.finished_at.or(known.finished_at),
        at: notice.at.min(known.at),
        content: notice.content.clone().or_else(|| known.content.clone()),
        ..notice.clone()
    };
    Change { id: existing.id, notice: merged }
}

/// The change that `notice` tells of, where it is known already.
#[must_use]
pub fn find<'a>(world: &'a World, notice: &ChangeNotice) -> Option<&'a Change> {
    // Newest first: a change is told again soon after it was told first.
    world.changes.values().rev().map(AsRef::as_ref).find(|change| {
        change.notice.external_id == notice.external_id
            && change.notice.source == notice.source
            && !notice.external_id.is_empty()
    })
}

/// The suspects: changes that took effect within `CHANGE_REACH_MS` before `started_at` and not after `until`, on one
/// of `services` or within `hops_max` calls of one, or on no service that is known.
#[must_use]
pub fn suspects<'a>(
    world: &World,
    services: impl Iterator<Item = &'a ServiceName>,
    started_at: Timestamp,
    until: Timestamp,
    hops_max: usize,
) -> BTreeSet<ChangeId> {
    let within_time = world.changes.values().filter(|change| {
        let notice = &change.notice;
        notice.has_taken_effect && notice.at >= started_at - CHANGE_REACH_MS && notice.at <= until + CLOCK_SKEW_MS
    });
    let mut near: Vec<(i64, ChangeId, Option<&ServiceName>)> = within_time
        .map(|change| (change.notice.at.since_ms(started_at).abs(), change.id, change.notice.service.as_ref()))
        .collect();
    if near.is_empty() {
        return BTreeSet::new();
    }
    let reach = reach(&world.topology, services, hops_max);
    near.retain(|(_, _, service)| service.is_none_or(|service| reach.contains(service)));
    near.sort_unstable_by_key(|(distance, id, _)| (*distance, *id));
    near.truncate(SUSPECT_CHANGES_MAX);
    near.into_iter().map(|(_, id, _)| id).collect()
}

/// `services` and everything within `hops_max` calls of one, in either direction.
fn reach<'a>(
    topology: &Topology,
    services: impl Iterator<Item = &'a ServiceName>,
    hops_max: usize,
) -> BTreeSet<ServiceName> {
    let members: BTreeSet<ServiceName> = services.cloned().collect();
    let mut up = members.clone();
    let mut down = members;
    let (mut up_front, mut down_front) = (up.clone(), down.clone());
    for _ in 0..hops_max {
        up_front =
            up_front.iter().flat_map(|at| topology.callers(at)).filter(|at| !up.contains(*at)).cloned().collect();
        down_front = down_front
            .iter()
            .flat_map(|at| topology.callees(at))
            .map(|(callee, _)| callee)
            .filter(|at| !down.contains(*at))
            .cloned()
            .collect();
        up.extend(up_front.iter().cloned());
        down.extend(down_front.iter().cloned());
    }
    up.append(&mut down);
    up
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::ChangeKind;
    use crate::engine::world::fixtures::{Build, change_notice};

    #[test]
    fn a_change_told_again_is_updated_not_doubled() {
        let mut world = World::default();
        let first = change_notice(ChangeKind::Deploy, Some("payment"), "abc123", 100);
        let change = fold(find(&world, &first), &first, ChangeId(1));
        world.changes.insert(change.id, std::sync::Arc::new(change));
        let mut second = first.clone();
        second.at = Timestamp(160_000);
        second.service = None;
        second.finished_at = Some(Timestamp(170_000));
        let updated = fold(find(&world, &second), &second, ChangeId(2));
        assert_eq!(updated.id, ChangeId(1));
        assert_eq!(updated.notice.service, Some("payment".into()));
        assert_eq!(updated.notice.at, Timestamp(100_000));
        assert_eq!(updated.notice.finished_at, Some(Timestamp(170_000)));
        second.source = "elsewhere".into();
        assert!(find(&world, &second).is_none());
    }

    #[test]
    fn suspects_are_near_in_time_and_in_the_graph() {
        let hour = 3_600;
        let world = Build::new()
            .calls("web", "payment")
            .calls("payment", "db")
            .calls("db", "disk")
            .calls("disk", "controller")
            .change(1, ChangeKind::Deploy, Some("payment"), 10 * hour - 7)
            .change(2, ChangeKind::Deploy, Some("payment"), 10 * hour + 60)
            .change(3, ChangeKind::Deploy, Some("payment"), 5 * hour)
            .change(4, ChangeKind::Deploy, Some("search"), 10 * hour - 7)
            .change(5, ChangeKind::Migration, Some("disk"), 9 * hour)
            .change(6, ChangeKind::Migration, Some("controller"), 9 * hour)
            .change(7, ChangeKind::Network, None, 9 * hour)
            .change(8, ChangeKind::Deploy, Some("web"), 10 * hour + 3)
            .world();
        let onset = Timestamp(10 * hour * 1_000);
        let payment = ServiceName::new("payment");
        let found = suspects(&world, [&payment].into_iter(), onset, onset, 2);
        assert_eq!(found, [1, 5, 7, 8].map(ChangeId).into_iter().collect());
    }
}
