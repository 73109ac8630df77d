//! What the ledger forgets, as entries of the history: how each match went, and how urgent it was.

use std::collections::BTreeMap;

use super::advisory_id::AdvisoryId;
use super::knowledge::Knowledge;
use super::ledger::Gone;
use super::matching::findings;
use super::matching::fleet::{Component, Matched, MatchedAsset};
use super::mended::{Going, Mended};
use super::queue::class;
use super::risk::{self, Exposure, RiskBand};
use crate::engine::clock::Timestamp;
use crate::engine::settings::RiskSettings;

/// The entries for matches that went. Assets that are no longer in the inventory mended nothing and are left out.
#[must_use]
pub fn entries(
    gone: &[Gone],
    matched: &Matched<'_, '_>,
    knowledge: &Knowledge,
    settings: &RiskSettings,
    now: Timestamp,
) -> Vec<Mended> {
    // Whether the feeds still speak of a vulnerability in a component, looked up once each.
    let mut said: BTreeMap<u32, Vec<&AdvisoryId>> = BTreeMap::new();
    let mut entries = Vec::new();
    for gone in gone {
        let Ok(at) = matched.assets.binary_search_by(|asset| asset.name.cmp(gone.asset.as_str())) else { continue };
        let Some(asset) = matched.assets.get(at) else { continue };
        let going = match component(matched, asset, &gone.package) {
            None => Going::Removed,
            Some((number, component)) => {
                let ids = said.entry(number).or_insert_with(|| ids_of(matched, knowledge, component));
                if ids.contains(&&gone.id) { Going::Upgraded } else { Going::NoLongerSaid }
            }
        };
        let traits = &asset.asset.traits;
        entries.push(Mended {
            asset: gone.asset.clone(),
            ring: traits.ring.clone(),
            owner: traits.owner.clone(),
            package: gone.package.clone(),
            id: gone.id.clone(),
            band: band(&gone.id, asset, knowledge, settings),
            first_at: gone.first_at,
            mended_at: now,
            going,
        });
    }
    entries
}

fn component<'m, 'k>(
    matched: &'m Matched<'_, 'k>,
    asset: &MatchedAsset<'_>,
    package: &str,
) -> Option<(u32, &'m Component<'k>)> {
    let list = matched.list(asset).iter();
    let all = list.filter_map(|number| matched.component(*number).map(|component| (*number, component)));
    all.into_iter().find(|(_, component)| component.name == package)
}

/// What the feeds say of a component, whatever its version; what was taken back is not among it.
fn ids_of<'k>(matched: &Matched<'_, 'k>, knowledge: &'k Knowledge, component: &Component<'_>) -> Vec<&'k AdvisoryId> {
    let place = usize::try_from(component.place).ok().and_then(|at| matched.places.get(at));
    let all = place.map(|place| findings(knowledge, place, &component.name, &component.version)).unwrap_or_default();
    all.into_iter().filter(|finding| !finding.is_withdrawn).map(|finding| finding.id).collect()
}

/// How urgent it was, by what is known now.
fn band(id: &AdvisoryId, asset: &MatchedAsset<'_>, knowledge: &Knowledge, settings: &RiskSettings) -> Option<RiskBand> {
    let (facts, class) = (knowledge.facts(id), class(asset));
    let exposure = Exposure {
        cvss: facts.score("")?.cvss,
        is_known_exploited: facts.kev.is_some(),
        is_internet_facing: class.is_internet_facing,
        is_production: class.is_production,
        is_fresh: false,
    };
    Some(risk::assess(&exposure, settings).band)
}
