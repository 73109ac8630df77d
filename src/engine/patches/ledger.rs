//! When each vulnerability was first found on each asset: deadlines count from there, whatever is looked at again and again.

use std::cmp::Ordering;
use std::path::Path;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::advisory_id::AdvisoryId;
use super::inventory::file::{self, FileError};
use crate::engine::clock::Timestamp;

const MAGIC: &str = "hypo first matches 1 ";
const FILE: &str = "first-matches";

/// First matches by asset. Names are held once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    packages: Vec<String>,
    ids: Vec<AdvisoryId>,
    /// In the order of their names and of their keys.
    assets: Vec<(String, Vec<(MatchKey, Timestamp)>)>,
    /// What was forgotten since it was last asked for.
    #[serde(skip)]
    gone: Vec<(String, MatchKey, Timestamp)>,
    #[serde(skip)]
    package_numbers: FxHashMap<String, u32>,
    #[serde(skip)]
    id_numbers: FxHashMap<AdvisoryId, u32>,
}

/// A match that was forgotten: it no longer affects the asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// Which asset.
    pub asset: String,
    /// The package.
    pub package: String,
    /// The vulnerability.
    pub id: AdvisoryId,
    /// When it was first found.
    pub first_at: Timestamp,
}

/// A vulnerability in a package, by the ledger's numbers of package and vulnerability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchKey(u32, u32);

/// By the number of the vulnerability first: what is new then stands at the end.
impl Ord for MatchKey {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.1, self.0).cmp(&(other.1, other.0))
    }
}

impl PartialOrd for MatchKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Room that an asset has for what comes in between two looks at everything.
const SPARE: usize = 8;

impl Ledger {
    /// The ledger in the state directory; empty where there is none yet.
    ///
    /// # Errors
    /// When it cannot be read, or is not as it was written: clocks must not begin anew in silence.
    pub fn load(state_dir: &Path) -> Result<Self, FileError> {
        let mut ledger: Self = file::read(&state_dir.join(FILE), MAGIC)?.unwrap_or_default();
        ledger.package_numbers = ledger.packages.iter().cloned().zip(0..).collect();
        ledger.id_numbers = ledger.ids.iter().cloned().zip(0..).collect();
        // Earlier versions wrote them in another order.
        for (_, noted) in &mut ledger.assets {
            noted.sort_unstable_by_key(|(key, _)| *key);
        }
        Ok(ledger)
    }

    /// Puts it in place of the one before.
    ///
    /// # Errors
    /// When it cannot be written; the one before stays.
    pub fn keep(&self, state_dir: &Path) -> Result<(), FileError> {
        file::write(&state_dir.join(FILE), MAGIC, self)
    }

    /// The key of a vulnerability in a package.
    pub fn key(&mut self, package: &str, id: &AdvisoryId) -> MatchKey {
        let package_number = match self.package_numbers.get(package) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.packages.len()).unwrap_or(u32::MAX);
                self.packages.push(package.to_owned());
                self.package_numbers.insert(package.to_owned(), number);
                number
            }
        };
        let id_number = match self.id_numbers.get(id) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
                self.ids.push(id.clone());
                self.id_numbers.insert(id.clone(), number);
                number
            }
        };
        MatchKey(package_number, id_number)
    }

    /// Notes all that affects an asset now; gives when each was first found, in the order of the keys. What no longer affects
    /// it is forgotten; a clock that went back makes nothing younger than now.
    pub fn note(&mut self, asset: &str, mut keys: Vec<MatchKey>, now: Timestamp) -> &[(MatchKey, Timestamp)] {
        keys.sort_unstable();
        keys.dedup();
        let (known, gone) = (Self::noted_of(&mut self.assets, asset, 0), &mut self.gone);
        let went = known.iter().filter(|(key, _)| keys.binary_search(key).is_err());
        gone.extend(went.map(|(key, first_at)| (asset.to_owned(), *key, *first_at)));
        let mut noted = Vec::with_capacity(keys.len() + SPARE);
        let mut old = known.iter().peekable();
        noted.extend(keys.into_iter().map(|key| {
            while old.next_if(|(before, _)| *before < key).is_some() {}
            let first_at = old.next_if(|(before, _)| *before == key).map_or(now, |(_, at)| (*at).min(now));
            (key, first_at)
        }));
        *known = noted;
        known
    }

    /// What is noted of an asset, which is made where it is new. Where it stands is looked at `near` first.
    fn noted_of<'l>(
        assets: &'l mut Vec<(String, Vec<(MatchKey, Timestamp)>)>,
        asset: &str,
        near: usize,
    ) -> &'l mut Vec<(MatchKey, Timestamp)> {
        let at = if assets.get(near).is_some_and(|(name, _)| name == asset) {
            near
        } else {
            assets.binary_search_by(|(name, _)| name.as_str().cmp(asset)).unwrap_or_else(|at| {
                assets.insert(at, (asset.to_owned(), Vec::new()));
                at
            })
        };
        &mut assets[at].1
    }

    /// What was forgotten since this was last asked, with its names.
    pub fn take_gone(&mut self) -> Vec<Gone> {
        let gone = std::mem::take(&mut self.gone);
        let named = gone.into_iter().filter_map(|(asset, key, first_at)| {
            let package = self.packages.get(usize::try_from(key.0).ok()?)?.clone();
            let id = self.ids.get(usize::try_from(key.1).ok()?)?.clone();
            Some(Gone { asset, package, id, first_at })
        });
        named.collect()
    }

    /// Notes more that affects an asset, beside what is noted already. Where it stands among the assets is looked at `near`
    /// first: the number that matching gave it.
    pub fn add(&mut self, asset: &str, near: usize, keys: &[MatchKey], now: Timestamp) -> &[(MatchKey, Timestamp)] {
        let known = Self::noted_of(&mut self.assets, asset, near);
        for key in keys {
            if known.last().is_none_or(|(last, _)| last < key) {
                known.push((*key, now));
            } else if let Err(at) = known.binary_search_by(|(known, _)| known.cmp(key)) {
                known.insert(at, (*key, now));
            }
        }
        known
    }

    /// When a vulnerability was first found on an asset.
    #[must_use]
    pub fn first(&self, asset: &str, key: MatchKey) -> Option<Timestamp> {
        let at = self.assets.binary_search_by(|(name, _)| name.as_str().cmp(asset)).ok()?;
        let (_, noted) = self.assets.get(at)?;
        let at = noted.binary_search_by(|(known, _)| known.cmp(&key)).ok()?;
        noted.get(at).map(|(_, first_at)| *first_at)
    }

    /// Forgets assets that are not among these.
    pub fn retain(&mut self, is_there: impl Fn(&str) -> bool) {
        self.assets.retain(|(name, _)| is_there(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_stays_whatever_the_clock_does() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::default();
        let ids: Vec<AdvisoryId> = (1..=3).map(|n| format!("CVE-2026-000{n}").parse().unwrap()).collect();
        let keys: Vec<MatchKey> = ids.iter().map(|id| ledger.key("openssl", id)).collect();
        ledger.note("a", vec![keys[1], keys[0]], Timestamp(100));
        ledger.note("a", vec![keys[0], keys[1], keys[2]], Timestamp(200));
        ledger.keep(folder.path()).unwrap();
        let mut ledger = Ledger::load(folder.path()).unwrap();
        assert_eq!(ledger.key("openssl", &ids[2]), keys[2]);
        let first = |ledger: &Ledger, n: usize| ledger.first("a", keys[n]);
        assert_eq!((first(&ledger, 0), first(&ledger, 2)), (Some(Timestamp(100)), Some(Timestamp(200))));
        // The clock went back: what lies in the future then is now.
        ledger.note("a", keys.clone(), Timestamp(150));
        assert_eq!((first(&ledger, 0), first(&ledger, 2)), (Some(Timestamp(100)), Some(Timestamp(150))));
        assert_eq!(ledger.take_gone(), []);
        // Mended, and there again later: a new match.
        ledger.note("a", vec![keys[1]], Timestamp(300));
        let gone: Vec<String> =
            ledger.take_gone().iter().map(|gone| format!("{} {}", gone.id, gone.first_at.0)).collect();
        assert_eq!(gone, ["CVE-2026-0001 100", "CVE-2026-0003 150"]);
        ledger.note("a", keys.clone(), Timestamp(400));
        assert_eq!((first(&ledger, 0), first(&ledger, 1)), (Some(Timestamp(400)), Some(Timestamp(100))));
        ledger.retain(|name| name != "a");
        assert_eq!(first(&ledger, 1), None);
    }
}
