//! What must be patched, in order: one item an asset and source package, as urgent as the worst that the patch would mend.
//!
//! Bands go first; within a band what is known to be exploited, then what the internet reaches, then what is likelier to be
//! exploited, then what waits longest. What has no score is unknown: it stands between HIGH and MEDIUM, and with CRITICAL
//! where it is known to be exploited.

mod lessened;
pub mod newcomer;
pub mod ranks;
pub mod standing;
pub mod told;

use rustc_hash::FxHashMap;

use super::exceptions::{Covered, InForce};
use super::inventory::{Environment, Exposure};
use super::knowledge::Knowledge;
use super::ledger::{Ledger, MatchKey};
use super::matching::fleet::{Component, Matched, MatchedAsset};
use crate::engine::clock::Timestamp;
use crate::engine::settings::RiskSettings;
use lessened::Lessened;
use ranks::Ranks;
use standing::{Class, Standing, Threat, standing, threats};

/// A patch that an asset lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// Number of its standing.
    pub standing: u32,
    /// Number of the asset.
    pub asset: u32,
    /// When the first of what it would mend was found there.
    pub first_at: Timestamp,
    /// When it is due; `None` is with the next window, or unknown where there is no score.
    pub due_at: Option<Timestamp>,
}

/// The patches that are lacking, the most urgent first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Queue {
    /// In order.
    pub items: Ranks,
    /// How urgent they are, by number; shared by all assets of a class.
    pub standings: Vec<Standing>,
    /// What is known of what affects each component, by its number.
    pub threats: Vec<Vec<Threat>>,
    /// Patches that exceptions take out of it, each with the number of the exception; their clocks go on.
    pub excepted: Vec<(Item, u64)>,
    /// The standings in use, by component.
    by_component: FxHashMap<u32, Vec<u32>>,
}

impl Queue {
    /// How urgent an item is.
    #[must_use]
    pub fn standing(&self, item: &Item) -> Option<&Standing> {
        self.standings.get(usize::try_from(item.standing).ok()?)
    }

    /// Takes the items with these standings out of the order.
    fn remove(&mut self, stale: &[u32]) {
        self.items.remove(stale, &self.standings);
        self.excepted.retain(|(item, _)| !stale.contains(&item.standing));
    }

    /// Puts items into the order, and what exceptions take out of it beside it.
    fn add(&mut self, items: &[Item], excepted: Vec<(Item, u64)>) {
        self.items.add(items, &self.standings);
        if excepted.is_empty() {
            return;
        }
        self.excepted.extend(excepted);
        let standings = &self.standings;
        let component = |item: &Item| Some(standings.get(usize::try_from(item.standing).ok()?)?.component);
        self.excepted.sort_by_key(|(item, _)| (item.asset, component(item)));
    }

    /// The numbers of a component's standings.
    fn standings_of(&self, component: u32) -> &[u32] {
        self.by_component.get(&component).map(Vec::as_slice).unwrap_or_default()
    }

    /// What is known of what affects a component.
    #[must_use]
    pub fn threats(&self, component: u32) -> &[Threat] {
        usize::try_from(component).ok().and_then(|at| self.threats.get(at)).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The class of an asset. What nobody said is not counted; listings say that it is unknown.
#[must_use]
pub fn class(asset: &MatchedAsset<'_>) -> Class {
    let traits = &asset.asset.traits;
    Class {
        is_internet_facing: traits.exposure == Exposure::Internet,
        is_production: traits.environment == Environment::Production,
    }
}

/// Puts what was found into order but for what exceptions take out, and notes in the ledger what was found for the first time. What is noted of an asset that
/// could not be checked stays as it is.
#[must_use]
pub fn queue(
    matched: &Matched<'_, '_>,
    knowledge: &Knowledge,
    ledger: &mut Ledger,
    exceptions: &InForce<'_>,
    settings: &RiskSettings,
    now: Timestamp,
) -> Queue {
    let threats: Vec<Vec<Threat>> =
        matched.components.iter().map(|component| threats(component, knowledge, settings, now)).collect();
    let keys: Vec<Vec<MatchKey>> = matched.components.iter().map(|component| keys_of(component, ledger)).collect();
    let (mut standings, places) = standings(matched, &threats, settings);
    let mut lessened = Lessened::default();
    let (mut items, mut excepted) = (Vec::new(), Vec::new());
    for (number, asset) in (0u32..).zip(&matched.assets) {
        let list = matched.list(asset);
        let of = |component: u32| usize::try_from(component).ok().and_then(|at| keys.get(at));
        let all: Vec<MatchKey> = list.iter().filter_map(|component| of(*component)).flatten().copied().collect();
        let noted = if asset.unchecked.is_empty() {
            ledger.note(asset.name, all, now)
        } else {
            // What cannot be looked at now may still be there: its clock goes on.
            ledger.add(asset.name, usize::try_from(number).unwrap_or(usize::MAX), &all, now)
        };
        for component in list {
            let place = places.get(class(asset).number()).and_then(|of| of.get(usize::try_from(*component).ok()?));
            let Some(mut place) = place.copied().flatten() else { continue };
            let covered = matched.component(*component).and_then(|of| exceptions.covered(of, asset));
            if let Some(covered) = covered.as_ref().filter(|covered| !covered.is_whole()) {
                let of = usize::try_from(*component).ok().and_then(|at| threats.get(at)).map(Vec::as_slice);
                let of = of.unwrap_or_default();
                place =
                    lessened.place(&mut standings, *component, of, class(asset), covered, settings).unwrap_or(place);
            }
            let Some(standing) = usize::try_from(place).ok().and_then(|at| standings.get(at)) else { continue };
            let (first_at, due_at) = times(of(*component).map(Vec::as_slice).unwrap_or_default(), standing, noted, now);
            let item = Item { standing: place, asset: number, first_at, due_at };
            match covered.filter(Covered::is_whole) {
                Some(covered) => excepted.push((item, covered.exception)),
                None => items.push(item),
            }
        }
    }
    ledger.retain(|name| matched.assets.binary_search_by(|asset| asset.name.cmp(name)).is_ok());
    let mut by_component: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
    for (number, standing) in (0u32..).zip(&standings) {
        by_component.entry(standing.component).or_default().push(number);
    }
    Queue { items: Ranks::of(&items, &standings), standings, threats, excepted, by_component }
}

fn keys_of(component: &Component<'_>, ledger: &mut Ledger) -> Vec<MatchKey> {
    component.affected.iter().map(|finding| ledger.key(&component.name, finding.id)).collect()
}

/// Every standing that some asset has, and by class and component its number.
fn standings(
    matched: &Matched<'_, '_>,
    threats: &[Vec<Threat>],
    settings: &RiskSettings,
) -> (Vec<Standing>, Vec<Vec<Option<u32>>>) {
    let mut standings = Vec::new();
    let mut places = vec![vec![None; matched.components.len()]; Class::COUNT];
    let mut done = rustc_hash::FxHashSet::default();
    for asset in &matched.assets {
        let class = class(asset);
        if !done.insert((class.number(), asset.list)) {
            continue;
        }
        for component in matched.list(asset) {
            let Ok(at) = usize::try_from(*component) else { continue };
            let Some(place) = places.get_mut(class.number()).and_then(|of| of.get_mut(at)) else { continue };
            if place.is_some() {
                continue;
            }
            let of = threats.get(at).map(Vec::as_slice).unwrap_or_default();
            if let Some(standing) = standing(*component, of, class, settings) {
                *place = u32::try_from(standings.len()).ok();
                standings.push(standing);
            }
        }
    }
    (standings, places)
}

/// When the first of these was found, and when the first of them is due.
fn times(
    keys: &[MatchKey],
    standing: &Standing,
    noted: &[(MatchKey, Timestamp)],
    now: Timestamp,
) -> (Timestamp, Option<Timestamp>) {
    let (mut first_at, mut due_at) = (now, None::<Timestamp>);
    for (key, within) in keys.iter().zip(&standing.within_ms) {
        let at = noted.binary_search_by(|(known, _)| known.cmp(key)).ok().and_then(|at| noted.get(at));
        let found_at = at.map_or(now, |(_, at)| *at);
        first_at = first_at.min(found_at);
        if let Some(within) = within {
            let due = found_at + *within;
            due_at = Some(due_at.map_or(due, |known| known.min(due)));
        }
    }
    (first_at, due_at)
}

#[cfg(test)]
mod tests;
