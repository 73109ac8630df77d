//! One advisory that comes in while everything else stays: only who has its package is looked at again, and its patches go
//! to their place in the order.

use super::lessened::Lessened;
use super::standing::{Class, Threat, standing, threat};
use super::{Item, Queue, class, times};
use crate::engine::clock::Timestamp;
use crate::engine::patches::exceptions::{Covered, InForce};
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
    /// What people put off or accepted.
    pub exceptions: &'p InForce<'p>,
    /// The multipliers and bands.
    pub settings: &'p RiskSettings,
}

/// Takes in what `news` says and `matched` does not know yet; gives how many items of the queue it changed or made, with those
/// that exceptions take out.
pub fn add<'k>(queue: &mut Queue, present: &mut Present<'_, '_, 'k>, news: &'k Knowledge, now: Timestamp) -> usize {
    let changed = affect(queue, present, news, now);
    let mut fresh = Fresh::default();
    let mut stale: Vec<u32> = Vec::new();
    for (component, count) in changed {
        stale.extend(queue.standings_of(component));
        items_of(queue, present, component, count, now, &mut fresh);
    }
    if !stale.is_empty() {
        queue.remove(&stale);
    }
    let count = fresh.items.len() + fresh.excepted.len();
    queue.add(&fresh.items, fresh.excepted);
    count
}

/// What goes into the queue in place of what was there.
#[derive(Default)]
struct Fresh {
    items: Vec<Item>,
    excepted: Vec<(Item, u64)>,
}

/// Notes what is new in the components that it affects; gives their numbers, each with how much of it is new.
fn affect<'k>(
    queue: &mut Queue,
    present: &mut Present<'_, '_, 'k>,
    news: &'k Knowledge,
    now: Timestamp,
) -> Vec<(u32, usize)> {
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
                changed.push((*number, fresh.len()));
                let threats: Vec<Threat> =
                    fresh.iter().map(|finding| threat(finding, news, present.settings, now)).collect();
                component.affected.extend(fresh);
                if let Some(of) = queue.threats.get_mut(at) {
                    of.extend(threats);
                }
            }
        }
    }
    changed
}

/// The items of a component anew, with standings of their own in place of those that it had. The last `fresh_count` of what
/// affects it are new, and not noted yet.
fn items_of(
    queue: &mut Queue,
    present: &mut Present<'_, '_, '_>,
    number: u32,
    fresh_count: usize,
    now: Timestamp,
    into: &mut Fresh,
) {
    let Present { matched, holders, ledger, exceptions, settings } = present;
    let Some(component) = matched.component(number) else { return };
    let keys: Vec<_> = component.affected.iter().map(|finding| ledger.key(&component.name, finding.id)).collect();
    let fresh_keys = keys.get(keys.len().saturating_sub(fresh_count)..).unwrap_or_default();
    let threats = queue.threats(number).to_vec();
    let (mut lessened, first_own) = (Lessened::default(), queue.standings.len());
    let mut by_class: [Option<u32>; Class::COUNT] = [None; Class::COUNT];
    for asset_number in holders.assets(number) {
        let Ok(at) = usize::try_from(asset_number) else { continue };
        let Some(asset) = matched.assets.get(at) else { continue };
        let class = class(asset);
        let Some(place) = by_class.get_mut(class.number()) else { continue };
        if place.is_none() {
            let Some(fresh) = standing(number, &threats, class, settings) else { continue };
            *place = u32::try_from(queue.standings.len()).ok();
            queue.standings.push(fresh);
        }
        let Some(mut place) = *place else { continue };
        let covered = exceptions.covered(component, asset);
        if let Some(covered) = covered.as_ref().filter(|covered| !covered.is_whole()) {
            place = lessened.place(&mut queue.standings, number, &threats, class, covered, settings).unwrap_or(place);
        }
        let noted = ledger.add(asset.name, at, fresh_keys, now);
        let Some(standing) = usize::try_from(place).ok().and_then(|at| queue.standings.get(at)) else { continue };
        let (first_at, due_at) = times(&keys, standing, noted, now);
        let item = Item { standing: place, asset: asset_number, first_at, due_at };
        match covered.filter(Covered::is_whole) {
            Some(covered) => into.excepted.push((item, covered.exception)),
            None => into.items.push(item),
        }
    }
    let own = first_own..queue.standings.len();
    queue.by_component.insert(number, own.filter_map(|at| u32::try_from(at).ok()).collect());
}
