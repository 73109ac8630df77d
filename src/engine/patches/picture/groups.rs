//! The queue by asset, advisory, ring and owner.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::made::Made;
use super::rows::earlier;
use super::{Grouping, PatchGroup, PatchGroups, Tally};
use crate::engine::clock::Timestamp;
use crate::engine::limits::{PATCH_GROUPS_IN_PICTURE_MAX, PATCHES_OF_GROUP_MAX};
use crate::engine::patches::advisory_id::AdvisoryId;
use crate::engine::patches::queue::Item;
use crate::engine::patches::queue::standing::{Class, Order, Standing, standing};
use crate::engine::patches::risk::RiskBand;

/// What is gathered of a group.
#[derive(Default)]
struct Group {
    /// Of the most urgent in it.
    order: Option<Order>,
    band: Option<RiskBand>,
    is_known_exploited: bool,
    tally: Tally,
    assets: FxHashSet<u32>,
    patches: FxHashSet<u32>,
    /// The most urgent of them.
    first_patches: Vec<u32>,
    due_at: Option<Timestamp>,
}

/// The groups as far as they are known.
pub(super) struct Gathering<'m> {
    of: Made<'m>,
    /// By number of the asset.
    assets: Vec<Group>,
    rings: Named<'m>,
    owners: Named<'m>,
    /// By number of the component: on how many assets of each class.
    held: FxHashMap<u32, ([usize; Class::COUNT], u32)>,
    /// By component and place of its worst vulnerability: how many are overdue, and when the first is due.
    worst: FxHashMap<(u32, usize), (usize, Option<Timestamp>)>,
}

/// Groups that have names of their own.
#[derive(Default)]
struct Named<'m> {
    numbers: FxHashMap<&'m str, usize>,
    names: Vec<&'m str>,
    groups: Vec<Group>,
}

impl<'m> Named<'m> {
    fn of(&mut self, name: &'m str) -> Option<&mut Group> {
        let next = self.groups.len();
        let number = *self.numbers.entry(name).or_insert(next);
        if number == next {
            self.names.push(name);
            self.groups.push(Group::default());
        }
        self.groups.get_mut(number)
    }
}

impl Group {
    fn take(&mut self, patch: u32, item: &Item, standing: &Standing, is_overdue: bool, is_known_exploited: bool) {
        let band = standing.risk.as_ref().map(|risk| risk.band);
        if self.order.is_none_or(|order| standing.order < order) {
            (self.order, self.band) = (Some(standing.order), band);
        }
        self.is_known_exploited |= is_known_exploited;
        self.tally.add(band, 1);
        self.tally.overdue += usize::from(is_overdue);
        self.assets.insert(item.asset);
        if self.patches.insert(patch) && self.first_patches.len() < PATCHES_OF_GROUP_MAX {
            self.first_patches.push(patch);
        }
        self.due_at = earlier(self.due_at, item.due_at);
    }

    fn told(&self, name: &str, note: String, keys: &[Arc<str>]) -> PatchGroup {
        let key = |patch: &u32| usize::try_from(*patch).ok().and_then(|at| keys.get(at)).cloned();
        PatchGroup {
            name: Arc::from(name),
            note: Arc::from(note),
            band: self.band,
            is_known_exploited: self.is_known_exploited,
            tally: self.tally,
            asset_count: self.assets.len(),
            patch_count: self.patches.len(),
            due_at: self.due_at,
            patches: self.first_patches.iter().filter_map(key).collect(),
        }
    }
}

impl<'m> Gathering<'m> {
    pub(super) fn of(of: &Made<'m>) -> Self {
        Self {
            of: *of,
            assets: of.matched.assets.iter().map(|_| Group::default()).collect(),
            rings: Named::default(),
            owners: Named::default(),
            held: FxHashMap::default(),
            worst: FxHashMap::default(),
        }
    }

    /// Notes that an asset lacks a patch.
    pub(super) fn take(
        &mut self,
        patch: u32,
        item: &Item,
        standing: &Standing,
        is_overdue: bool,
        is_known_exploited: bool,
    ) {
        let Some(asset) = usize::try_from(item.asset).ok().and_then(|at| self.of.matched.assets.get(at)) else {
            return;
        };
        let traits = &asset.asset.traits;
        let own = usize::try_from(item.asset).ok().and_then(|at| self.assets.get_mut(at));
        let groups = [own, self.rings.of(&traits.ring), self.owners.of(&traits.owner)];
        for group in groups.into_iter().flatten() {
            group.take(patch, item, standing, is_overdue, is_known_exploited);
        }
        let held = &mut self.held.entry(standing.component).or_insert(([0; Class::COUNT], patch)).0;
        if let Some(count) = held.get_mut(standing.class.number()) {
            *count += 1;
        }
        let worst = self.worst.entry((standing.component, standing.worst)).or_default();
        worst.0 += usize::from(is_overdue);
        worst.1 = earlier(worst.1, item.due_at);
    }

    /// All of them. `keys` are those of the patches that are listed, by their numbers.
    pub(super) fn groups(self, keys: &[Arc<str>]) -> Vec<PatchGroups> {
        let of_assets = self.of.matched.assets.iter().zip(&self.assets);
        let assets = of_assets.filter(|(_, group)| group.order.is_some()).map(|(asset, group)| {
            let traits = &asset.asset.traits;
            let note = [traits.environment.word(), traits.exposure.word(), &traits.ring, &traits.owner];
            let note = note.into_iter().filter(|word| !word.is_empty() && *word != "unknown").collect::<Vec<_>>();
            (asset.name, note.join(", "), group)
        });
        let of_named = |these: &Named<'m>, by| {
            let rows = these.names.iter().zip(&these.groups).map(|(name, group)| (*name, String::new(), group));
            listed(by, rows.collect(), keys)
        };
        let advisories = self.advisories();
        let advisories = advisories.iter().map(|(id, group)| (id.as_str(), String::new(), group)).collect();
        vec![
            listed(Grouping::Asset, assets.collect(), keys),
            listed(Grouping::Advisory, advisories, keys),
            of_named(&self.rings, Grouping::Ring),
            of_named(&self.owners, Grouping::Owner),
        ]
    }

    /// Each vulnerability by itself: its own urgency, not that of the worst its patch mends.
    fn advisories(&self) -> Vec<(String, Group)> {
        let mut found: BTreeMap<&AdvisoryId, Group> = BTreeMap::new();
        let mut held: Vec<_> = self.held.iter().collect();
        held.sort_unstable_by_key(|(component, (_, patch))| (*patch, **component));
        for (number, (counts, patch)) in held {
            let Some(component) = self.of.matched.component(*number) else { continue };
            let threats = self.of.queue.threats(*number);
            for (at, (finding, threat)) in component.affected.iter().zip(threats).enumerate() {
                let group = found.entry(finding.id).or_default();
                group.is_known_exploited |= threat.is_known_exploited;
                for class in Class::ALL {
                    let count = counts.get(class.number()).copied().unwrap_or_default();
                    if count == 0 {
                        continue;
                    }
                    let own = standing(*number, std::slice::from_ref(threat), class, self.of.settings);
                    let Some(own) = own else { continue };
                    let band = own.risk.map(|risk| risk.band);
                    if group.order.is_none_or(|order| own.order < order) {
                        (group.order, group.band) = (Some(own.order), band);
                    }
                    group.tally.add(band, count);
                }
                if let Some((overdue, due_at)) = self.worst.get(&(*number, at)) {
                    group.tally.overdue += overdue;
                    group.due_at = earlier(group.due_at, *due_at);
                }
                if group.patches.insert(*patch) && group.first_patches.len() < PATCHES_OF_GROUP_MAX {
                    group.first_patches.push(*patch);
                }
            }
        }
        found.into_iter().map(|(id, group)| (id.to_string(), group)).collect()
    }
}

/// The most urgent groups; of the same urgency those that are due first.
fn listed(by: Grouping, mut rows: Vec<(&str, String, &Group)>, keys: &[Arc<str>]) -> PatchGroups {
    rows.sort_by_key(|(name, _, group)| (group.order, group.due_at.is_none(), group.due_at, *name));
    let left_out = rows.len().saturating_sub(PATCH_GROUPS_IN_PICTURE_MAX);
    let rows = rows.into_iter().take(PATCH_GROUPS_IN_PICTURE_MAX);
    let told = rows.map(|(name, note, group)| {
        let told = group.told(name, note, keys);
        // An asset has a component once, so what has it is counted by what lacks it.
        let asset_count = if by == Grouping::Advisory { told.tally.all() } else { told.asset_count };
        PatchGroup { asset_count, ..told }
    });
    PatchGroups { by, rows: told.collect(), left_out }
}
