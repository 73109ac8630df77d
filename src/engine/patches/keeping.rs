//! Where feeds, inventory and first matches are kept: in files of the state directory, or in memory, for a shop that is made up
//! and must leave nothing behind.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::advisory_id::AdvisoryId;
use super::exceptions::{InForce, PatchException};
use super::inventory::file;
use super::inventory::{AssetNews, Package, Reboot, Running};
use super::ledger::Ledger;
use super::matching::fleet::Matched;
use super::office::{Office, OfficeError};
use super::picture::{self, Made, PatchPicture};
use super::queue::{self, Queue};
use super::rollout::need::need_of;
use super::rollout::planning::Need;
use super::shelf::Shelf;
use super::shelf::health::{FeedReport, Tried};
use crate::engine::clock::Timestamp;
use crate::engine::model::IncidentId;
use crate::engine::settings::{PatchSettings, RiskSettings};

/// Where they are kept.
#[derive(Debug, Clone)]
pub enum Keeping {
    /// In files of this state directory.
    Folder(PathBuf),
    /// In memory.
    Memory(Arc<OfficeInMemory>),
}

impl Keeping {
    /// What is known and what is installed now.
    ///
    /// # Errors
    /// When a file is there and cannot be read.
    pub fn office(&self) -> Result<Office, OfficeError> {
        match self {
            Self::Folder(folder) => Office::load(folder),
            Self::Memory(memory) => Ok(memory.kept().office.clone()),
        }
    }

    /// The queue of what was matched in this office; first matches are noted.
    ///
    /// # Errors
    /// When the ledger cannot be read or written.
    pub fn queue(
        &self,
        office: &Office,
        matched: &Matched<'_, '_>,
        exceptions: &InForce<'_>,
        settings: &RiskSettings,
        now: Timestamp,
    ) -> Result<Queue, OfficeError> {
        match self {
            Self::Folder(folder) => office.queue(matched, folder, exceptions, settings, now),
            Self::Memory(memory) => {
                let ledger = &mut memory.kept().ledger;
                let queue = queue::queue(matched, &office.knowledge, ledger, exceptions, settings, now);
                // There is no history that what was mended would go into.
                drop(ledger.take_gone());
                Ok(queue)
            }
        }
    }

    /// Everything that must be patched, as consoles show it, and when it changes by itself next: a deadline, the end of an
    /// exception. `causes` are what live incidents are about.
    ///
    /// # Errors
    /// When what is kept cannot be read, or the ledger not be written.
    pub fn picture(
        &self,
        exceptions: &[Arc<PatchException>],
        causes: &BTreeMap<AdvisoryId, IncidentId>,
        settings: &PatchSettings,
        now: Timestamp,
    ) -> Result<(PatchPicture, Option<Timestamp>), OfficeError> {
        let mut office = self.office()?;
        office.knowledge = office.knowledge.with_causes(causes.clone());
        let matched = office.matched();
        let in_force = InForce::of(exceptions.iter().map(Arc::as_ref), now);
        let queue = self.queue(&office, &matched, &in_force, &settings.risk, now)?;
        let feeds = self.feeds(now, settings.feeds.stale_after.0);
        let made = Made {
            fleet: &office.fleet,
            knowledge: &office.knowledge,
            matched: &matched,
            queue: &queue,
            feeds: &feeds,
            settings: &settings.risk,
        };
        // The next deadline changes what is overdue.
        let next_due = queue.items.iter().filter_map(|item| item.due_at).filter(|due| *due >= now).min();
        let next_end = exceptions.iter().filter(|it| it.is_in_force(now)).map(|it| it.until).min();
        let next = next_due.map(|due| due + 1).into_iter().chain(next_end).min();
        let mut picture = picture::made(&made, now);
        picture::note_looks(&mut picture, &self.looks());
        Ok((picture, next))
    }

    /// How the feeds are doing; one that was not renewed for `stale_after_ms` is stale.
    #[must_use]
    pub fn feeds(&self, now: Timestamp, stale_after_ms: i64) -> Vec<FeedReport> {
        match self {
            Self::Folder(folder) => Shelf::of(folder).report(now, stale_after_ms),
            Self::Memory(memory) => memory.feeds.clone(),
        }
    }

    /// What became of the last look at each host, file and folder.
    #[must_use]
    pub fn looks(&self) -> BTreeMap<String, Tried> {
        match self {
            Self::Folder(folder) => file::tries(folder),
            Self::Memory(_) => BTreeMap::new(),
        }
    }

    /// Who lacks the patch of a source package.
    ///
    /// # Errors
    /// When nobody does, or what is kept cannot be read; in words.
    pub fn need(
        &self,
        source: &str,
        exceptions: &[Arc<PatchException>],
        settings: &PatchSettings,
        now: Timestamp,
    ) -> Result<Need, String> {
        let in_force = InForce::of(exceptions.iter().map(Arc::as_ref), now);
        let office = self.office().map_err(|problem| problem.to_string())?;
        let matched = office.matched();
        let queue =
            self.queue(&office, &matched, &in_force, &settings.risk, now).map_err(|problem| problem.to_string())?;
        need_of(source, &office.fleet, &matched, &queue, &in_force)
    }
}

/// Feeds, inventory and first matches in memory. Whoever changes the packages of a machine says so here, and that is all the
/// looking there is.
#[derive(Debug)]
pub struct OfficeInMemory {
    kept: Mutex<Kept>,
    feeds: Vec<FeedReport>,
}

#[derive(Debug)]
struct Kept {
    office: Office,
    ledger: Ledger,
    /// Rises with every change.
    revision: u64,
}

impl OfficeInMemory {
    /// From what is known and installed, what was found when, and how the feeds are doing.
    #[must_use]
    pub fn new(office: Office, ledger: Ledger, feeds: Vec<FeedReport>) -> Self {
        Self { kept: Mutex::new(Kept { office, ledger, revision: 0 }), feeds }
    }

    /// A panic elsewhere leaves an inventory behind that is still one.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that rises whenever what is installed changes.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.kept().revision
    }

    /// The packages of a machine; `None` where there is none of that name.
    #[must_use]
    pub fn packages(&self, asset: &str) -> Option<Vec<Package>> {
        let kept = self.kept();
        let fleet = &kept.office.fleet;
        Some(fleet.packages_of(fleet.assets().get(asset)?).cloned().collect())
    }

    /// True where a machine has a package in this version.
    #[must_use]
    pub fn is_installed(&self, asset: &str, name: &str, version: &str) -> bool {
        let kept = self.kept();
        let fleet = &kept.office.fleet;
        let Some(asset) = fleet.assets().get(asset) else { return false };
        fleet.packages_of(asset).any(|package| package.name == name && package.version == version)
    }

    /// Puts these packages in place of those that a machine had. One that is not known is not made.
    pub fn install(&self, asset: &str, packages: Vec<Package>, now: Timestamp) {
        let mut kept = self.kept();
        let Some(origin) = kept.office.fleet.assets().get(asset).map(|asset| asset.origin.clone()) else { return };
        let news = AssetNews { packages: Some(packages), ..AssetNews::default() };
        kept.office.fleet.take(asset, news, &origin, now);
        kept.revision += 1;
    }

    /// Why a machine must be rebooted, or something on it restarted; `None` where nothing must.
    ///
    /// # Errors
    /// When there is no such machine.
    pub fn reboot(&self, asset: &str) -> Result<Option<Reboot>, String> {
        let kept = self.kept();
        let found = kept.office.fleet.assets().get(asset).map(|asset| Running::reboot(&asset.running));
        found.ok_or_else(|| format!("there is no machine `{asset}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::patches::feeds::debian::{Verdict, VerdictState};
    use crate::engine::patches::inventory::{Fleet, System};
    use crate::engine::patches::knowledge::Knowledge;

    fn package(version: &str) -> Package {
        Package { name: "a".into(), version: version.into(), source: Some("a".into()), ..Package::default() }
    }

    #[test]
    fn what_is_installed_in_memory_leaves_the_queue_and_first_matches_stay() {
        let verdict = Verdict {
            id: "CVE-2026-1111".parse().unwrap(),
            source: "a".into(),
            release: "bookworm".into(),
            state: VerdictState::FixedIn("2-1".into()),
            urgency: String::new(),
            no_dsa: None,
            fix_seen_at: None,
        };
        let knowledge = Knowledge::of(Vec::new(), Vec::new(), Vec::new(), Vec::new(), vec![verdict]);
        let mut fleet = Fleet::default();
        for name in ["one", "two"] {
            let system =
                Some(System { distribution: "debian".into(), release: "bookworm".into(), version: "12".into() });
            let news = AssetNews { system, packages: Some(vec![package("1-1")]), ..AssetNews::default() };
            fleet.take(name, news, "made up", Timestamp(0));
        }
        let memory = Arc::new(OfficeInMemory::new(Office { knowledge, fleet }, Ledger::default(), Vec::new()));
        let keeping = Keeping::Memory(Arc::clone(&memory));
        let lacking = |now: i64| {
            let need = keeping.need("a", &[], &PatchSettings::default(), Timestamp(now));
            need.map(|need| need.candidates.into_iter().map(|it| it.name).collect::<Vec<_>>())
        };
        assert_eq!(lacking(100).unwrap(), ["one", "two"]);
        memory.install("one", vec![package("2-1")], Timestamp(200));
        memory.install("three", vec![package("2-1")], Timestamp(200));
        assert_eq!((lacking(300).unwrap(), memory.revision()), (vec!["two".to_owned()], 1));
        assert_eq!((memory.packages("one").unwrap(), memory.packages("three")), (vec![package("2-1")], None));
        let office = keeping.office().unwrap();
        let (matched, none) = (office.matched(), InForce::default());
        let queue = keeping.queue(&office, &matched, &none, &RiskSettings::default(), Timestamp(400)).unwrap();
        let first: Vec<Timestamp> = queue.items.iter().map(|item| item.first_at).collect();
        assert_eq!(first, [Timestamp(100)]);
        memory.install("two", vec![package("2-1")], Timestamp(500));
        assert!(lacking(600).unwrap_err().contains("nobody lacks"));
        assert!(memory.is_installed("two", "a", "2-1") && !memory.is_installed("two", "a", "1-1"));
        assert!(memory.reboot("three").is_err());
    }
}
