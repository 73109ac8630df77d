//! What is installed where: assets with their packages and what an operator must know of each. Packages and sets of packages
//! are held once, however many assets have them.

pub mod ansible;
pub mod dpkg;
pub mod file;
pub mod import;
pub mod other_host;
pub mod rpm;
pub mod this_host;

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::engine::clock::Timestamp;

/// What an asset serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// People depend on it.
    Production,
    /// Changes are tried there first.
    Staging,
    /// Nobody but its makers depends on it.
    Development,
    /// Nobody said.
    #[default]
    Unknown,
}

impl Environment {
    /// As people write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Staging => "staging",
            Self::Development => "development",
            Self::Unknown => "unknown",
        }
    }
}

/// Who can reach an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exposure {
    /// The internet.
    Internet,
    /// Only those inside.
    Internal,
    /// Nobody said.
    #[default]
    Unknown,
}

impl Exposure {
    /// As people write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Internet => "internet",
            Self::Internal => "internal",
            Self::Unknown => "unknown",
        }
    }
}

/// The operating system, by its own names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct System {
    /// `debian`, `ubuntu`, `rocky` …, as `ID` in os-release.
    pub distribution: String,
    /// `bookworm`, where it has such a name.
    pub release: String,
    /// `12`, `9.4` …
    pub version: String,
}

/// An installed package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version, with epoch and revision.
    pub version: String,
    /// Its architecture; empty where nobody said.
    pub architecture: String,
    /// The source package it is made of; `None` where the inventory does not say.
    pub source: Option<String>,
    /// The source's version, where it differs from the package's.
    pub source_version: Option<String>,
    /// OSV's ecosystem of a package that is not the distribution's, such as `crates.io`.
    pub ecosystem: Option<String>,
}

/// What runs there, as against what is installed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Running {
    /// Release of the kernel that was booted.
    pub kernel: Option<String>,
    /// A newer kernel that is installed and not booted.
    pub kernel_waiting: Option<String>,
    /// Processes that still use files which were replaced.
    pub stale: Vec<StaleProcess>,
    /// Processes that could not be looked into.
    pub unseen_count: usize,
}

/// A process that still uses files which were replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaleProcess {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// The files, as they were called.
    pub files: Vec<String>,
}

/// What is said of an asset beside its packages.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Traits {
    /// What it serves.
    pub environment: Environment,
    /// Who can reach it.
    pub exposure: Exposure,
    /// What sort of server it is, such as `web`.
    pub class: String,
    /// Whose it is.
    pub owner: String,
    /// When in a rollout its turn is, such as `canary`.
    pub ring: String,
    /// Services it carries, by their names in the topology.
    pub services: Vec<String>,
    /// It is the very machine that looks; nobody says that and it is not kept, it follows from the asset's origin.
    #[serde(skip)]
    pub is_here: bool,
}

/// An asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// Its operating system.
    pub system: System,
    /// What is said of it.
    pub traits: Traits,
    /// What runs there.
    pub running: Running,
    /// Number of its set of packages.
    pub set: u32,
    /// When its packages were last seen; `None` where they never were.
    pub seen_at: Option<Timestamp>,
    /// By what: [`this_host::ORIGIN`], `ssh` and a name, a file's name.
    pub origin: String,
}

/// What came in of an asset; `None` is not said, and leaves what was known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AssetNews {
    /// Its operating system.
    pub system: Option<System>,
    /// What it serves.
    pub environment: Option<Environment>,
    /// Who can reach it.
    pub exposure: Option<Exposure>,
    /// What sort of server it is.
    pub class: Option<String>,
    /// Whose it is.
    pub owner: Option<String>,
    /// When its turn is.
    pub ring: Option<String>,
    /// What it carries.
    pub services: Option<Vec<String>>,
    /// What is installed, all of it.
    pub packages: Option<Vec<Package>>,
    /// What runs there.
    pub running: Option<Running>,
}

/// What keeps what is installed on a machine from being what runs there, or from being known to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reboot {
    /// It must be rebooted, or what is named restarted; why.
    Needed(String),
    /// Whether it must could not be told; why.
    Untold(String),
}

/// Every asset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fleet {
    packages: Vec<Package>,
    /// Numbers of packages, in order.
    sets: Vec<Vec<u32>>,
    assets: BTreeMap<String, Asset>,
    #[serde(skip)]
    package_numbers: FxHashMap<Package, u32>,
    #[serde(skip)]
    set_numbers: FxHashMap<Vec<u32>, u32>,
}

impl Fleet {
    /// The assets by name.
    #[must_use]
    pub fn assets(&self) -> &BTreeMap<String, Asset> {
        &self.assets
    }

    /// The packages of an asset.
    pub fn packages_of<'a>(&'a self, asset: &'a Asset) -> impl Iterator<Item = &'a Package> {
        self.set(asset.set).iter().filter_map(|number| self.package(*number))
    }

    /// Numbers of the packages in a set.
    #[must_use]
    pub fn set(&self, number: u32) -> &[u32] {
        usize::try_from(number).ok().and_then(|at| self.sets.get(at)).map(Vec::as_slice).unwrap_or_default()
    }

    /// A package by its number.
    #[must_use]
    pub fn package(&self, number: u32) -> Option<&Package> {
        self.packages.get(usize::try_from(number).ok()?)
    }

    /// All packages, each once.
    #[must_use]
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// Whether what is installed there was seen later than at `at`.
    #[must_use]
    pub fn was_seen_after(&self, name: &str, at: Timestamp) -> bool {
        self.assets.get(name).and_then(|asset| asset.seen_at).is_some_and(|seen_at| seen_at > at)
    }

    /// Takes in what came of an asset and is as it was at `now`; says whether it is a new one. What is said of it always counts,
    /// what was seen there only where nothing newer was.
    pub fn take(&mut self, name: &str, mut news: AssetNews, origin: &str, now: Timestamp) -> bool {
        if self.was_seen_after(name, now) {
            (news.system, news.packages, news.running) = (None, None, None);
        }
        let set = news.packages.map(|packages| self.number_of_set(packages));
        let empty = self.number_of_set(Vec::new());
        let is_new = !self.assets.contains_key(name);
        let asset = self.assets.entry(name.to_owned()).or_insert_with(|| Asset {
            system: System::default(),
            traits: Traits::default(),
            running: Running::default(),
            set: empty,
            seen_at: None,
            origin: origin.to_owned(),
        });
        let traits = &mut asset.traits;
        replace(&mut asset.system, news.system);
        replace(&mut asset.running, news.running);
        replace(&mut traits.environment, news.environment);
        replace(&mut traits.exposure, news.exposure);
        replace(&mut traits.class, news.class);
        replace(&mut traits.owner, news.owner);
        replace(&mut traits.ring, news.ring);
        replace(&mut traits.services, news.services);
        if let Some(set) = set {
            (asset.set, asset.seen_at) = (set, Some(now));
            origin.clone_into(&mut asset.origin);
        }
        is_new
    }

    /// Forgets an asset; says whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        self.assets.remove(name).is_some()
    }

    fn number_of_set(&mut self, packages: Vec<Package>) -> u32 {
        self.index();
        let mut set: Vec<u32> = packages.into_iter().map(|package| self.number_of(package)).collect();
        set.sort_unstable();
        set.dedup();
        if let Some(number) = self.set_numbers.get(&set) {
            return *number;
        }
        let number = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
        self.set_numbers.insert(set.clone(), number);
        self.sets.push(set);
        number
    }

    fn number_of(&mut self, package: Package) -> u32 {
        let next = u32::try_from(self.packages.len()).unwrap_or(u32::MAX);
        let number = *self.package_numbers.entry(package.clone()).or_insert(next);
        if number == next {
            self.packages.push(package);
        }
        number
    }

    /// What a fleet that was read back does not know yet.
    fn index(&mut self) {
        if self.package_numbers.len() < self.packages.len() {
            self.package_numbers = self.packages.iter().cloned().zip(0..).collect();
        }
        if self.set_numbers.len() < self.sets.len() {
            self.set_numbers = self.sets.iter().cloned().zip(0..).collect();
        }
    }

    /// The same without packages and sets that no asset has any more.
    #[must_use]
    pub fn compacted(&self) -> Self {
        let mut fresh = Self::default();
        for (name, asset) in &self.assets {
            let packages: Vec<Package> = self.packages_of(asset).cloned().collect();
            let set = fresh.number_of_set(packages);
            fresh.assets.insert(name.clone(), Asset { set, ..asset.clone() });
        }
        fresh
    }
}

fn replace<T>(known: &mut T, said: Option<T>) {
    if let Some(said) = said {
        *known = said;
    }
}

impl Package {
    /// The source package and its version; `None` where the inventory does not say.
    #[must_use]
    pub fn source(&self) -> Option<(&str, &str)> {
        Some((self.source.as_deref()?, self.source_version.as_deref().unwrap_or(&self.version)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str) -> Package {
        Package { name: name.to_owned(), version: version.to_owned(), ..Package::default() }
    }

    #[test]
    fn packages_are_held_once_and_what_is_not_said_stays() {
        let mut fleet = Fleet::default();
        let packages = || Some(vec![package("a", "1"), package("b", "1"), package("a", "1")]);
        let first = AssetNews { packages: packages(), owner: Some("team".into()), ..AssetNews::default() };
        assert!(fleet.take("one", first, "x", Timestamp(1)));
        assert!(fleet.take("two", AssetNews { packages: packages(), ..AssetNews::default() }, "x", Timestamp(1)));
        assert_eq!((fleet.packages().len(), fleet.assets()["one"].set), (2, fleet.assets()["two"].set));
        let traits = AssetNews { environment: Some(Environment::Production), ..AssetNews::default() };
        assert!(!fleet.take("one", traits, "csv", Timestamp(2)));
        let one = &fleet.assets()["one"];
        assert_eq!((one.traits.owner.as_str(), one.traits.environment), ("team", Environment::Production));
        assert_eq!(
            (one.origin.as_str(), one.seen_at),
            ("x", Some(Timestamp(1))),
            "its packages are as old as they were"
        );
        let old = AssetNews {
            system: Some(System { distribution: "old".into(), ..System::default() }),
            packages: Some(vec![package("a", "0")]),
            running: Some(Running { unseen_count: 7, ..Running::default() }),
            ring: Some("main".into()),
            ..AssetNews::default()
        };
        assert!(fleet.was_seen_after("one", Timestamp(0)) && !fleet.was_seen_after("one", Timestamp(1)));
        fleet.take("one", old, "an old file", Timestamp(0));
        let one = &fleet.assets()["one"];
        assert_eq!((one.origin.as_str(), one.seen_at, one.set), ("x", Some(Timestamp(1)), fleet.assets()["two"].set));
        assert_eq!((&one.system, one.running.unseen_count), (&System::default(), 0), "what was seen later stays");
        assert_eq!(one.traits.ring, "main", "what is said is taken");
        let bytes = postcard::to_stdvec(&fleet).unwrap();
        let mut back: Fleet = postcard::from_bytes(&bytes).unwrap();
        back.take("three", AssetNews { packages: packages(), ..AssetNews::default() }, "x", Timestamp(3));
        assert_eq!(back.packages().len(), 2);
        back.take(
            "one",
            AssetNews { packages: Some(vec![package("c", "1")]), ..AssetNews::default() },
            "x",
            Timestamp(3),
        );
        back.remove("two");
        back.remove("three");
        let small = back.compacted();
        assert_eq!(small.packages_of(&small.assets()["one"]).map(|p| p.name.as_str()).collect::<Vec<_>>(), ["c"]);
        assert_eq!(small.packages().len(), 1);
    }
}
