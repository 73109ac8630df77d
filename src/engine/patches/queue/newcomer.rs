//! One advisory that comes in while everything else stays: only who has its package is looked at again, and its patches go
//! to their place in the order.

use rustc_hash::FxHashSet;

use super::standing::{Class, Threat, standing, threat};
use super::{Item, Queue, class, times};
use crate::engine::clock::Timestamp;
use crate::engine::patches::knowledge::Knowledge;
use crate::engine::patches::ledger::Ledger;
use crate::engine::patches::matching::fleet::Matched;
use crate::engine::patches::matching::holders::Holders;
use crate::engine::patches::matching::{Finding, findings};
use crate::engine::settings::RiskSettings;

/// What is looked at again.
pub struct Present<'p, 'f, 'k> {
    /// What was found before.
    pub matched: &'p mut Matched<'f, 'k>,
    /// Who has what.
    pub holders: &'p Holders,
    /// When what was found first.
    pub ledger: &'p mut Ledger,
    /// The multipliers and bands.
    pub settings: &'p RiskSettings,
}

/// Takes in what `news` says and `matched` does not know yet; gives how many items of the queue it changed or made.
pub fn add<'k>(queue: &mut Queue, present: &mut Present<'_, '_, 'k>, news: &'k Knowledge, now: Timestamp) -> usize {
    let changed = affect(queue, present, news, now);
    if changed.is_empty() {
        return 0;
    }
    let standing_count = queue.standings.len();
    let mut fresh = Vec::new();
    for component in &changed {
        fresh.extend(items_of(queue, present, *component, now));
    }
    let changed: FxHashSet<u32> = changed.into_iter().collect();
    let known = (0u32..).zip(&queue.standings).take(standing_count);
    let stale: Vec<u32> =
        known.filter(|(_, standing)| changed.contains(&standing.component)).map(|(number, _)| number).collect();
    let positions = queue.positions(&stale);
    queue.remove(&positions);
    fresh.sort_by_cached_key(|item| queue.place(item));
    queue.merge(&fresh);
    fresh.len()
}

/// Notes what is new in the components that it affects; gives their numbers.
fn affect<'k>(queue: &mut Queue, present: &mut Present<'_, '_, 'k>, news: &'k Knowledge, now: Timestamp) -> Vec<u32> {
    let mut changed = Vec::new();
    let places = present.matched.places.clone();
    for place in &places {
        for package in news.packages_in(place) {
            for number in present.holders.components(place, &package) {
                let Ok(at) = usize::try_from(*number) else { continue };
                let Some(component) = present.matched.components.get_mut(at) else { continue };
                let fresh: Vec<Finding<'k>> = findings(news, place, &component.name, &component.version)
                    .into_iter()
                    .filter(|finding| {
                        finding.is_affected() && component.affected.iter().all(|known| known.id != finding.id)
                    })
                    .collect();
                if fresh.is_empty() {
                    continue;
                }
                let threats: Vec<Threat> =
                    fresh.iter().map(|finding| threat(finding, news, present.settings, now)).collect();
                component.affected.extend(fresh);
                if let Some(of) = queue.threats.get_mut(at) {
                    of.extend(threats);
                }
                changed.push(*number);
            }
        }
    }
    changed
}

/// The items of a component anew, with standings of their own.
fn items_of(queue: &mut Queue, present: &mut Present<'_, '_, '_>, number: u32, now: Timestamp) -> Vec<Item> {
    let Present { matched, holders, ledger, settings } = present;
    let Some(component) = matched.component(number) else { return Vec::new() };
    let keys: Vec<_> = component.affected.iter().map(|finding| ledger.key(&component.name, finding.id)).collect();
    let mut by_class: [Option<u32>; Class::COUNT] = [None; Class::COUNT];
    let mut items = Vec::new();
    for asset_number in holders.assets(number) {
        let Some(asset) = usize::try_from(asset_number).ok().and_then(|at| matched.assets.get(at)) else { continue };
        let class = class(asset);
        let Some(place) = by_class.get_mut(class.number()) else { continue };
        if place.is_none() {
            let threats = queue.threats(number).to_vec();
            let Some(fresh) = standing(number, &threats, class, settings) else { continue };
            *place = u32::try_from(queue.standings.len()).ok();
            queue.standings.push(fresh);
        }
        let Some(place) = *place else { continue };
        let noted = ledger.add(asset.name, &keys, now);
        let Some(standing) = usize::try_from(place).ok().and_then(|at| queue.standings.get(at)) else { continue };
        let (first_at, due_at) = times(&keys, standing, noted, now);
        items.push(Item { standing: place, asset: asset_number, first_at, due_at });
    }
    items
}
