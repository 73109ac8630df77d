//! Who lacks the patch of a source package, as matching and the queue have it.

use super::planning::{Candidate, Installed, Need};
use crate::engine::patches::advisory_id::AdvisoryId;
use crate::engine::patches::exceptions::{Covered, InForce};
use crate::engine::patches::inventory::{Asset, Fleet, Package};
use crate::engine::patches::matching::fleet::{Component, Matched};
use crate::engine::patches::queue::Queue;
use crate::engine::patches::risk::RiskBand;

/// Who lacks it, with what is installed there.
///
/// # Errors
/// When nobody does.
pub fn need_of(
    source: &str,
    fleet: &Fleet,
    matched: &Matched<'_, '_>,
    queue: &Queue,
    exceptions: &InForce<'_>,
) -> Result<Need, String> {
    let (mut candidates, mut advisories) = (Vec::new(), Vec::<AdvisoryId>::new());
    let (mut fixes, mut is_known_exploited) = (Vec::<&str>::new(), false);
    for asset in &matched.assets {
        let components = matched.list(asset).iter().filter_map(|number| Some((*number, matched.component(*number)?)));
        let lacking = components.filter(|(_, it)| it.name == source && !it.affected.is_empty());
        for (number, component) in lacking {
            let fix = component.fix();
            fixes.extend(fix);
            advisories.extend(component.affected.iter().filter(|it| it.mended_in().is_some()).map(|it| it.id.clone()));
            is_known_exploited |= queue.threats(number).iter().any(|threat| threat.is_known_exploited);
            candidates.push(Candidate {
                name: asset.name.to_owned(),
                distribution: asset.asset.system.distribution.clone(),
                traits: asset.asset.traits.clone(),
                packages: installed(source, fleet, asset.asset, component, fix),
                exception: exceptions
                    .covered(component, asset)
                    .filter(Covered::is_whole)
                    .map(|covered| format!("number {}", covered.exception)),
                unchecked: None,
            });
        }
    }
    if candidates.is_empty() {
        return Err(format!("nobody lacks a patch of `{source}`; `hypo patches list` names what is lacking"));
    }
    advisories.sort();
    advisories.dedup();
    fixes.sort_unstable();
    fixes.dedup();
    Ok(Need {
        source: source.to_owned(),
        fix_version: match fixes.as_slice() {
            [one] => Some((*one).to_owned()),
            _ => None,
        },
        advisories,
        band: worst(source, matched, queue),
        is_known_exploited,
        candidates,
        fleet: fleet.assets().iter().map(|(name, asset)| (name.clone(), asset.traits.clone())).collect(),
    })
}

/// The gravest band on any asset.
fn worst(source: &str, matched: &Matched<'_, '_>, queue: &Queue) -> Option<RiskBand> {
    let bands = queue
        .standings
        .iter()
        .filter(|standing| matched.component(standing.component).is_some_and(|component| component.name == source));
    bands.filter_map(|standing| standing.risk.as_ref().map(|risk| risk.band)).max()
}

/// The binary packages of it on an asset, in the version that is lacking.
fn installed(
    source: &str,
    fleet: &Fleet,
    asset: &Asset,
    component: &Component<'_>,
    fix: Option<&str>,
) -> Vec<Installed> {
    let of_it = fleet.packages_of(asset).filter(|package| {
        package
            .source()
            .map_or(package.name == source, |(name, version)| name == source && version == component.version)
    });
    let each = of_it.map(|package| Installed {
        name: package.name.clone(),
        version: package.version.clone(),
        fixed: fix.and_then(|fix| binary_version(package, fix)),
    });
    each.collect()
}

/// The version of a binary package that is made of its source's version `fix`; `None` where the two are numbered otherwise.
fn binary_version(package: &Package, fix: &str) -> Option<String> {
    let Some(source_version) = &package.source_version else { return Some(fix.to_owned()) };
    // One that was only built again has a suffix more, which the next version has not.
    let is_rebuilt = package.version.strip_prefix(source_version.as_str()).is_some_and(|rest| rest.starts_with("+b"));
    (package.version == *source_version || is_rebuilt).then(|| fix.to_owned())
}
