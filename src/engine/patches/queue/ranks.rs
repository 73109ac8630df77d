//! The patches in order, kept apart by urgency: what comes or goes moves only what is as urgent as itself.

use std::collections::BTreeMap;

use super::Item;
use super::standing::{Order, Standing};
use crate::engine::clock::Timestamp;

/// The patches that are lacking, the most urgent first; of those that are as urgent as one another, what waits longest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ranks(BTreeMap<Order, Vec<Item>>);

impl Ranks {
    /// In order; each item's standing is one of `standings`.
    pub(super) fn of(items: &[Item], standings: &[Standing]) -> Self {
        let mut orders: Vec<Order> = standings.iter().map(|standing| standing.order).collect();
        orders.sort_unstable();
        orders.dedup();
        // Counted first: millions of items are not to be moved from one place to a larger one again and again.
        let rank_of = |standing: &Standing| orders.partition_point(|order| *order < standing.order);
        let rank_of: Vec<usize> = standings.iter().map(rank_of).collect();
        let rank = |item: &Item| usize::try_from(item.standing).ok().and_then(|at| rank_of.get(at)).copied();
        let mut counts = vec![0_usize; orders.len()];
        for at in items.iter().filter_map(rank) {
            if let Some(count) = counts.get_mut(at) {
                *count += 1;
            }
        }
        let mut ranks: Vec<Vec<Item>> = counts.into_iter().map(Vec::with_capacity).collect();
        for item in items {
            if let Some(of) = rank(item).and_then(|at| ranks.get_mut(at)) {
                of.push(*item);
            }
        }
        for of in &mut ranks {
            of.sort_unstable_by_key(|item| place(item, standings));
        }
        Self(orders.into_iter().zip(ranks).filter(|(_, of)| !of.is_empty()).collect())
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Item> {
        self.0.values().flatten()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// True where nothing is lacking.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes those away that have one of these standings.
    pub(super) fn remove(&mut self, stale: &[u32], standings: &[Standing]) {
        let order = |number: &u32| Some(standings.get(usize::try_from(*number).ok()?)?.order);
        let mut orders: Vec<Order> = stale.iter().filter_map(order).collect();
        orders.sort_unstable();
        orders.dedup();
        for order in orders {
            let Some(of) = self.0.get_mut(&order) else { continue };
            of.retain(|item| !stale.contains(&item.standing));
            if of.is_empty() {
                self.0.remove(&order);
            }
        }
    }

    /// Puts more among them. Standings are many more than those of a few items: none but theirs is looked at.
    pub(super) fn add(&mut self, fresh: &[Item], standings: &[Standing]) {
        let mut by_order: BTreeMap<Order, Vec<Item>> = BTreeMap::new();
        for item in fresh {
            let standing = usize::try_from(item.standing).ok().and_then(|at| standings.get(at));
            if let Some(standing) = standing {
                by_order.entry(standing.order).or_default().push(*item);
            }
        }
        for (order, mut fresh) in by_order {
            fresh.sort_unstable_by_key(|item| place(item, standings));
            merge(self.0.entry(order).or_default(), &fresh, standings);
        }
    }
}

/// Where an item stands among those that are as urgent.
fn place(item: &Item, standings: &[Standing]) -> (Timestamp, u32, u32) {
    let standing = usize::try_from(item.standing).ok().and_then(|at| standings.get(at));
    (item.first_at, standing.map_or(u32::MAX, |standing| standing.component), item.asset)
}

/// Puts items, in order, among those that are there: what stands between two of them moves once, together.
fn merge(items: &mut Vec<Item>, fresh: &[Item], standings: &[Standing]) {
    let Some(filler) = fresh.first() else { return };
    let at = |item: &Item| {
        let wanted = place(item, standings);
        items.partition_point(|before| place(before, standings) <= wanted)
    };
    let positions: Vec<usize> = fresh.iter().map(at).collect();
    let mut end = items.len();
    items.resize(end + fresh.len(), *filler);
    for (number, (at, item)) in positions.iter().zip(fresh).enumerate().rev() {
        items.copy_within(*at..end, at + number + 1);
        if let Some(place) = items.get_mut(at + number) {
            *place = *item;
        }
        end = *at;
    }
}
