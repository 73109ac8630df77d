//! All assets at once: each version of a source package is looked at once, and each set of packages is walked once, however
//! many assets share them.

use std::cmp::Ordering;

use rustc_hash::FxHashMap;

use super::place::{self, Place};
use super::{Finding, FindingState, findings};
use crate::engine::patches::inventory::{Asset, Fleet, Package};
use crate::engine::patches::knowledge::Knowledge;
use crate::engine::patches::version::Scheme;

/// A version of something that advisories name: a source package of a release, or a package of an ecosystem.
#[derive(Debug, Clone, PartialEq)]
pub struct Component<'k> {
    /// Number of its place in [`Matched::places`].
    pub place: u32,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What affects it.
    pub affected: Vec<Finding<'k>>,
    /// Vulnerabilities of which nobody can say.
    pub unchecked: Vec<Finding<'k>>,
    /// Vulnerabilities that do not concern this version.
    pub not_affected_count: usize,
}

impl<'k> Component<'k> {
    /// The newest of the versions that mend something: it mends what the others do as well. `None` where none does.
    #[must_use]
    pub fn fix(&self) -> Option<&'k str> {
        let versions = self.affected.iter().filter_map(Finding::mended_in);
        let compare = |one: &str, other: &str| {
            let orders = [Scheme::Dpkg, Scheme::Rpm].into_iter().map(|scheme| scheme.compare(one, other));
            orders.flatten().next().unwrap_or(Ordering::Equal)
        };
        versions.max_by(|one, other| compare(one, other))
    }
}

/// An asset, with what was found.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchedAsset<'f> {
    /// Its name.
    pub name: &'f str,
    /// What the inventory says of it.
    pub asset: &'f Asset,
    /// Number of its list of components in [`Matched::lists`].
    pub list: u32,
    /// Of which of its packages nothing can be said, and why.
    pub unchecked: Vec<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matched<'f, 'k> {
    /// Whose word counted.
    pub places: Vec<Place>,
    /// Every version that some asset has.
    pub components: Vec<Component<'k>>,
    /// Numbers of components, in order, that stand together on an asset.
    pub lists: Vec<Vec<u32>>,
    /// The assets, in order of name.
    pub assets: Vec<MatchedAsset<'f>>,
}

/// Finds what concerns each asset.
#[must_use]
pub fn matched<'f, 'k>(fleet: &'f Fleet, knowledge: &'k Knowledge) -> Matched<'f, 'k> {
    let mut walk = Walk {
        fleet,
        knowledge,
        sources: sources(fleet),
        found: Matched::default(),
        places: FxHashMap::default(),
        by_package: Vec::new(),
        by_name: FxHashMap::default(),
        lists: FxHashMap::default(),
        unchecked: Vec::new(),
        gaps: Vec::new(),
    };
    for (name, asset) in fleet.assets() {
        let place = walk.place(place::of_system(&asset.system));
        let list = walk.list(place, asset.set);
        let at = usize::try_from(list).unwrap_or(usize::MAX);
        let unchecked = walk.gaps.get(at).cloned().unwrap_or_default();
        walk.found.assets.push(MatchedAsset { name, asset, list, unchecked });
    }
    walk.found
}

/// Sources of packages as any asset tells them, for those inventories that do not.
fn sources(fleet: &Fleet) -> FxHashMap<&str, &str> {
    let known = fleet.packages().iter().filter_map(|package| Some((package.name.as_str(), package.source()?.0)));
    known.collect()
}

struct Walk<'f, 'k> {
    fleet: &'f Fleet,
    knowledge: &'k Knowledge,
    sources: FxHashMap<&'f str, &'f str>,
    found: Matched<'f, 'k>,
    places: FxHashMap<Place, u32>,
    /// By place and number of package: its component, once looked at.
    by_package: Vec<Vec<Option<Option<u32>>>>,
    by_name: FxHashMap<(u32, String, String), u32>,
    lists: FxHashMap<(u32, u32), u32>,
    /// By place: why nothing can be said.
    unchecked: Vec<Option<String>>,
    /// By list: of what nothing can be said, and why.
    gaps: Vec<Vec<String>>,
}

impl Walk<'_, '_> {
    fn place(&mut self, place: Place) -> u32 {
        if let Some(number) = self.places.get(&place) {
            return *number;
        }
        let number = number_of(self.found.places.len());
        self.unchecked.push(place.unchecked(self.knowledge));
        self.by_package.push(vec![None; self.fleet.packages().len()]);
        self.places.insert(place.clone(), number);
        self.found.places.push(place);
        number
    }

    /// The components of a set of packages of a place.
    fn list(&mut self, place: u32, set: u32) -> u32 {
        if let Some(list) = self.lists.get(&(place, set)) {
            return *list;
        }
        let fleet = self.fleet;
        let mut components: Vec<u32> =
            fleet.set(set).iter().filter_map(|package| self.component_of(place, *package)).collect();
        components.sort_unstable();
        components.dedup();
        let gaps = self.gaps(place, set, &components);
        self.gaps.push(gaps);
        let list = number_of(self.found.lists.len());
        self.found.lists.push(components);
        self.lists.insert((place, set), list);
        list
    }

    /// What cannot be checked of a set: places of which no feed was taken, and packages whose source nobody tells.
    fn gaps(&self, system: u32, set: u32, components: &[u32]) -> Vec<String> {
        let at = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let mut places: Vec<u32> =
            components.iter().filter_map(|number| Some(self.found.components.get(at(*number))?.place)).collect();
        places.push(system);
        places.sort_unstable();
        places.dedup();
        let mut gaps: Vec<String> =
            places.iter().filter_map(|place| self.unchecked.get(at(*place)).cloned().flatten()).collect();
        let packages = self.fleet.set(set).iter();
        let unsourced = packages.filter(|package| self.component_by_package(system, **package).is_none()).count();
        if unsourced > 0 {
            gaps.push(format!("of {unsourced} packages neither the inventory nor another asset tells the source"));
        }
        gaps
    }

    fn component_by_package(&self, place: u32, package: u32) -> Option<u32> {
        let (at, index) = (usize::try_from(place).ok()?, usize::try_from(package).ok()?);
        self.by_package.get(at)?.get(index).copied().flatten().flatten()
    }

    fn component_of(&mut self, place: u32, package: u32) -> Option<u32> {
        let (at, index) = (usize::try_from(place).ok()?, usize::try_from(package).ok()?);
        if let Some(known) = self.by_package.get(at)?.get(index)? {
            return *known;
        }
        let component = self.look(place, self.fleet.package(package)?);
        if let Some(known) = self.by_package.get_mut(at).and_then(|packages| packages.get_mut(index)) {
            *known = Some(component);
        }
        component
    }

    fn look(&mut self, of_system: u32, package: &Package) -> Option<u32> {
        let system = self.found.places.get(usize::try_from(of_system).ok()?)?;
        let place = place::of_package(system, package);
        let (name, version) = match (&place, package.source()) {
            (Place::Osv { scheme: Some(Scheme::Rpm), ecosystem }, _)
                if self.knowledge.ranges(ecosystem, &package.name).next().is_some() =>
            {
                (package.name.as_str(), package.version.as_str())
            }
            (_, Some(source)) if package.ecosystem.is_none() => source,
            (Place::Debian { release }, None) => {
                let own = || !self.knowledge.verdicts(release, &package.name).is_empty();
                let learnt = self.sources.get(package.name.as_str()).copied();
                let source = learnt.or_else(|| own().then_some(package.name.as_str()))?;
                (source, without_rebuild(&package.version))
            }
            _ => (package.name.as_str(), package.version.as_str()),
        };
        let number = if package.ecosystem.is_some() { self.place(place) } else { of_system };
        self.component(number, name.to_owned(), version.to_owned())
    }

    fn component(&mut self, place: u32, name: String, version: String) -> Option<u32> {
        let key = (place, name, version);
        if let Some(known) = self.by_name.get(&key) {
            return Some(*known);
        }
        let (_, name, version) = &key;
        let whose = self.found.places.get(usize::try_from(place).ok()?)?;
        let all = findings(self.knowledge, whose, name, version);
        let count = all.len();
        let (mut affected, mut unchecked) = (Vec::new(), Vec::new());
        for finding in all {
            match finding.state {
                FindingState::Affected(_) => affected.push(finding),
                FindingState::Unchecked(_) => unchecked.push(finding),
                FindingState::NotAffected => {}
            }
        }
        let number = number_of(self.found.components.len());
        let not_affected_count = count - affected.len() - unchecked.len();
        let (name, version) = (name.clone(), version.clone());
        self.found.components.push(Component { place, name, version, affected, unchecked, not_affected_count });
        self.by_name.insert(key, number);
        Some(number)
    }
}

/// A package that was only built again has a version that its source never had: `1.2-3+b1` of `1.2-3`.
fn without_rebuild(version: &str) -> &str {
    match version.rsplit_once("+b") {
        Some((source, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => source,
        _ => version,
    }
}

fn number_of(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl<'f, 'k> Matched<'f, 'k> {
    /// A component by its number.
    #[must_use]
    pub fn component(&self, number: u32) -> Option<&Component<'k>> {
        self.components.get(usize::try_from(number).ok()?)
    }

    /// The numbers of the components of an asset.
    #[must_use]
    pub fn list(&self, asset: &MatchedAsset<'f>) -> &[u32] {
        usize::try_from(asset.list).ok().and_then(|at| self.lists.get(at)).map(Vec::as_slice).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::clock::Timestamp;
    use crate::engine::patches::feeds::debian;
    use crate::engine::patches::inventory::{AssetNews, System};

    fn package(name: &str, version: &str, source: Option<&str>) -> Package {
        Package { name: name.into(), version: version.into(), source: source.map(str::to_owned), ..Package::default() }
    }

    #[test]
    fn what_no_feed_or_inventory_tells_is_not_called_safe() {
        let tracker = br#"{"curl": {"CVE-2026-1111": {"releases": {"bookworm": {"status": "open"}}}}}"#;
        let knowledge =
            Knowledge::of(Vec::new(), Vec::new(), Vec::new(), Vec::new(), debian::read(tracker, &[]).unwrap().entries);
        let npm = Package { ecosystem: Some("npm".into()), ..package("left-pad", "1.0.0", None) };
        let news = AssetNews {
            system: Some(System { distribution: "debian".into(), release: "bookworm".into(), version: String::new() }),
            packages: Some(vec![package("curl", "1", None), package("libnobody-knows", "1", None), npm]),
            ..AssetNews::default()
        };
        let mut fleet = Fleet::default();
        fleet.take("a", news, "ansible", Timestamp(1));
        let found = matched(&fleet, &knowledge);
        let [npm, source] = found.assets[0].unchecked.as_slice() else { panic!("{:?}", found.assets[0].unchecked) };
        assert!(npm.contains("nothing of OSV's `npm` was taken"), "{npm}");
        assert!(source.contains("of 1 packages neither"), "{source}");
        let affected: usize = found.components.iter().map(|component| component.affected.len()).sum();
        assert_eq!(affected, 1, "what can be checked is");
    }

    #[test]
    fn versions_are_looked_at_once_and_a_source_that_is_not_told_is_learnt_from_others() {
        let tracker = br#"{"openssl": {"CVE-2026-1111": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "3.0.9-2"}}}}}"#;
        let knowledge =
            Knowledge::of(Vec::new(), Vec::new(), Vec::new(), Vec::new(), debian::read(tracker, &[]).unwrap().entries);
        let system = |release: &str| {
            Some(System { distribution: "debian".into(), release: release.into(), version: String::new() })
        };
        let mut fleet = Fleet::default();
        let mut take = |name: &str, release, packages| {
            let news = AssetNews { system: system(release), packages: Some(packages), ..AssetNews::default() };
            fleet.take(name, news, "x", Timestamp(1));
        };
        let both =
            || vec![package("libssl3", "3.0.9-1", Some("openssl")), package("openssl", "3.0.9-1", Some("openssl"))];
        take("a", "bookworm", both());
        take("b", "bookworm", both());
        take("c", "bookworm", vec![package("libssl3", "3.0.9-1+b2", None)]);
        take("d", "bookworm", vec![package("libssl3", "3.0.9-2", Some("openssl"))]);
        take("e", "woody", both());
        let found = matched(&fleet, &knowledge);
        let affected = |asset: &MatchedAsset<'_>| -> usize {
            found.list(asset).iter().map(|number| found.component(*number).unwrap().affected.len()).sum()
        };
        assert_eq!(found.assets.iter().map(affected).collect::<Vec<_>>(), [1, 1, 1, 0, 0]);
        assert_eq!(found.components.len(), 3, "3.0.9-1 and 3.0.9-2 of openssl in bookworm, and the one in woody");
        assert!(found.assets[4].unchecked[0].contains("`woody`"));
        assert!(found.assets[0].unchecked.is_empty());
    }
}
