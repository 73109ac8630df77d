//! Who lacks the patch of a source package, as matching and the queue have it.

use super::planning::{Candidate, Installed, Need};
use crate::engine::patches::advisory_id::AdvisoryId;
use crate::engine::patches::exceptions::{Covered, InForce};
use crate::engine::patches::inventory::{Asset, Fleet, Package, Traits, this_host};
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
                traits: Traits { is_here: asset.asset.origin == this_host::ORIGIN, ..asset.asset.traits.clone() },
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
    // A name alone is not enough where it is there in several architectures, and such packages only move together.
    let is_ambiguous = |package: &Package| {
        fleet.packages_of(asset).any(|it| it.name == package.name && it.architecture != package.architecture)
    };
    let each = of_it.map(|package| Installed {
        name: package.name.clone(),
        architecture: if is_ambiguous(package) { package.architecture.clone() } else { String::new() },
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::clock::Timestamp;
    use crate::engine::patches::feeds::debian;
    use crate::engine::patches::inventory::{AssetNews, dpkg};
    use crate::engine::patches::knowledge::Knowledge;
    use crate::engine::patches::ledger::Ledger;
    use crate::engine::patches::matching::fleet::matched;
    use crate::engine::patches::queue::queue;
    use crate::engine::settings::RiskSettings;

    /// What dpkg's status file says of packages, as `name architecture`, all made of glibc 2.36-9.
    fn status(of: &[(&str, &str)]) -> String {
        let paragraph = |(name, architecture): &(&str, &str)| {
            format!(
                "Package: {name}\nStatus: install ok installed\nArchitecture: {architecture}\nMulti-Arch: same\n\
                 Source: glibc\nVersion: 2.36-9\n\n"
            )
        };
        of.iter().map(paragraph).collect()
    }

    #[test]
    fn a_package_in_several_architectures_is_named_with_each() {
        let tracker = br#"{"glibc": {"CVE-2026-1111": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "2.36-10"}}}}}"#;
        let verdicts = debian::read(tracker, &[]).unwrap().entries;
        let knowledge = Knowledge::of(Vec::new(), Vec::new(), Vec::new(), Vec::new(), verdicts);
        let mut fleet = Fleet::default();
        for (name, of) in [
            ("one", &[("libc6", "amd64"), ("libc-bin", "amd64")][..]),
            ("two", &[("libc6", "amd64"), ("libc6", "i386"), ("libc-bin", "amd64")]),
        ] {
            let news = AssetNews {
                system: Some(dpkg::system("ID=debian\nVERSION_CODENAME=bookworm\n")),
                packages: Some(dpkg::read(&status(of)).packages),
                ..AssetNews::default()
            };
            fleet.take(name, news, if name == "two" { "this host" } else { "ssh one" }, Timestamp(0));
        }
        let (found, none) = (matched(&fleet, &knowledge), InForce::default());
        let queue = queue(&found, &knowledge, &mut Ledger::default(), &none, &RiskSettings::default(), Timestamp(0));
        let need = need_of("glibc", &fleet, &found, &queue, &none).unwrap();
        let named = |candidate: &Candidate| -> Vec<String> {
            let mut names: Vec<String> =
                candidate.packages.iter().map(|it| format!("{}:{}", it.name, it.architecture)).collect();
            names.sort();
            names
        };
        let is_here: Vec<bool> = need.candidates.iter().map(|candidate| candidate.traits.is_here).collect();
        assert_eq!(is_here, [false, true], "by what its packages were seen");
        assert_eq!(named(&need.candidates[0]), ["libc-bin:", "libc6:"]);
        assert_eq!(named(&need.candidates[1]), ["libc-bin:", "libc6:amd64", "libc6:i386"]);
    }
}
