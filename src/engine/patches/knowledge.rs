//! All feeds together, and what they say of one vulnerability. Entries are found by their order; only OSV's names and packages
//! need an index.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::advisory_id::AdvisoryId;
use super::cve::CveId;
use super::cvss;
use super::feeds::debian::Verdict;
use super::feeds::document::FeedEntry;
use super::feeds::epss::Estimate;
use super::feeds::kev::KnownExploited;
use super::feeds::nvd::Described;
use super::feeds::osv::{OsvAdvisory, OsvAffected};
use super::matching::place::Place;
use super::risk::CvssTenths;
use super::shelf::{Shelf, ShelfError};
use crate::engine::clock::Timestamp;
use crate::engine::model::IncidentId;

/// What the feeds hold, each in the order of its keys.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Knowledge {
    kev: Vec<KnownExploited>,
    epss: Vec<Estimate>,
    nvd: Vec<Described>,
    osv: Vec<OsvAdvisory>,
    debian: Vec<Verdict>,
    /// Which feeds were ever taken; what one that was not would say is unknown.
    has: [bool; 5],
    /// Advisories of OSV by every name they have.
    osv_names: FxHashMap<AdvisoryId, Vec<u32>>,
    /// Packages of OSV: ecosystem and name to advisory and place in its list.
    osv_packages: FxHashMap<(String, String), Vec<(u32, u32)>>,
    /// Vulnerabilities that live incidents are about.
    causes: BTreeMap<AdvisoryId, IncidentId>,
}

/// The score to go by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    /// It.
    pub cvss: CvssTenths,
    /// Whose it is, with its version of CVSS.
    pub source: String,
}

/// What the feeds say of one vulnerability.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts<'k> {
    /// Its entry among what is known to be exploited.
    pub kev: Option<&'k KnownExploited>,
    /// How likely it is to be exploited.
    pub epss: Option<&'k Estimate>,
    /// What NVD says.
    pub nvd: Option<&'k Described>,
    /// What OSV says.
    pub osv: Vec<&'k OsvAdvisory>,
    /// A live incident that is about it.
    pub incident: Option<IncidentId>,
}

impl Knowledge {
    /// The same, with the vulnerabilities that live incidents are about.
    #[must_use]
    pub fn with_causes(self, causes: BTreeMap<AdvisoryId, IncidentId>) -> Self {
        Self { causes, ..self }
    }

    /// Reads every feed that was taken.
    ///
    /// # Errors
    /// When one is there and cannot be read: what it would say must not be missed in silence.
    pub fn load(shelf: &Shelf) -> Result<Self, ShelfError> {
        let mut has = [false; 5];
        let mut number = 0;
        let mut note = |is_there: bool| {
            has[number] = is_there;
            number += 1;
        };
        let kev = entries::<KnownExploited>(shelf, &mut note)?;
        let epss = entries::<Estimate>(shelf, &mut note)?;
        let nvd = entries::<Described>(shelf, &mut note)?;
        let osv = entries::<OsvAdvisory>(shelf, &mut note)?;
        let debian = entries::<Verdict>(shelf, &mut note)?;
        let mut knowledge = Self { kev, epss, nvd, osv, debian, has, ..Self::default() };
        knowledge.index();
        Ok(knowledge)
    }

    /// From entries in memory, in any order.
    #[must_use]
    pub fn of(
        mut kev: Vec<KnownExploited>,
        mut epss: Vec<Estimate>,
        mut nvd: Vec<Described>,
        mut osv: Vec<OsvAdvisory>,
        mut debian: Vec<Verdict>,
    ) -> Self {
        kev.sort_by_key(FeedEntry::key);
        epss.sort_by_key(FeedEntry::key);
        nvd.sort_by_key(FeedEntry::key);
        osv.sort_by(|one, other| one.key().cmp(other.key()));
        debian.sort_by(|one, other| one.key().cmp(&other.key()));
        let mut knowledge = Self { kev, epss, nvd, osv, debian, has: [true; 5], ..Self::default() };
        knowledge.index();
        knowledge
    }

    /// The same without one vulnerability.
    #[must_use]
    pub fn without(&self, id: &AdvisoryId) -> Self {
        self.filtered(|other| other != id)
    }

    /// What is said of one vulnerability alone: what is handed to those who know the rest.
    #[must_use]
    pub fn only(&self, id: &AdvisoryId) -> Self {
        self.filtered(|other| other == id)
    }

    fn filtered(&self, is_wanted: impl Fn(&AdvisoryId) -> bool) -> Self {
        let wanted = |cve: CveId| is_wanted(&AdvisoryId::Cve(cve));
        let mut part = Self {
            kev: self.kev.iter().filter(|entry| wanted(entry.cve)).cloned().collect(),
            epss: self.epss.iter().filter(|entry| wanted(entry.cve)).copied().collect(),
            nvd: self.nvd.iter().filter(|entry| wanted(entry.cve)).cloned().collect(),
            osv: self.osv.iter().filter(|entry| is_wanted(&entry.id)).cloned().collect(),
            debian: self.debian.iter().filter(|entry| is_wanted(&entry.id)).cloned().collect(),
            has: self.has,
            causes: self.causes.clone(),
            ..Self::default()
        };
        part.index();
        part
    }

    fn index(&mut self) {
        for (number, advisory) in (0u32..).zip(&self.osv) {
            for name in std::iter::once(&advisory.id).chain(&advisory.aliases) {
                self.osv_names.entry(name.clone()).or_default().push(number);
            }
            for (place, affected) in (0u32..).zip(&advisory.affected) {
                let key = (affected.ecosystem.clone(), affected.package.clone());
                self.osv_packages.entry(key).or_default().push((number, place));
            }
        }
    }

    /// True where KEV was taken: then what it lacks is not known to be exploited.
    #[must_use]
    pub fn has_kev(&self) -> bool {
        self.has[0]
    }

    /// True where Debian's tracker was taken and says something of this release.
    #[must_use]
    pub fn has_release(&self, release: &str) -> bool {
        let at = self.debian.partition_point(|verdict| verdict.release.as_str() < release);
        self.debian.get(at).is_some_and(|verdict| verdict.release == release)
    }

    /// True where an archive of OSV with this ecosystem was taken.
    #[must_use]
    pub fn has_ecosystem(&self, ecosystem: &str) -> bool {
        self.osv_packages.keys().any(|(name, _)| name == ecosystem)
    }

    /// What Debian's tracker says of a source package in a release.
    #[must_use]
    pub fn verdicts(&self, release: &str, source: &str) -> &[Verdict] {
        let place = (release, source);
        let of = |verdict: &Verdict| (verdict.release.as_str(), verdict.source.as_str()).cmp(&place);
        let from = self.debian.partition_point(|verdict| of(verdict).is_lt());
        let rest = self.debian.get(from..).unwrap_or_default();
        let count = rest.partition_point(|verdict| of(verdict).is_eq());
        rest.get(..count).unwrap_or_default()
    }

    /// What Debian's tracker says of a vulnerability, in every release.
    pub fn verdicts_of(&self, id: &AdvisoryId) -> impl Iterator<Item = &Verdict> {
        self.debian.iter().filter(move |verdict| verdict.id == *id)
    }

    /// The packages of which something is said in a place, each once.
    #[must_use]
    pub fn packages_in(&self, place: &Place) -> Vec<String> {
        let mut names: Vec<String> = match place {
            Place::Debian { release } => {
                let of = self.debian.iter().filter(|verdict| verdict.release == *release);
                of.map(|verdict| verdict.source.clone()).collect()
            }
            Place::Osv { ecosystem, .. } => {
                let of = self.osv_packages.keys().filter(|(name, _)| name == ecosystem);
                of.map(|(_, package)| package.clone()).collect()
            }
            Place::Unknown { .. } => Vec::new(),
        };
        names.sort_unstable();
        names.dedup();
        names
    }

    /// What OSV says of a package.
    pub fn ranges(&self, ecosystem: &str, package: &str) -> impl Iterator<Item = (&OsvAdvisory, &OsvAffected)> {
        let found = self.osv_packages.get(&(ecosystem.to_owned(), package.to_owned()));
        found.into_iter().flatten().filter_map(|(number, place)| {
            let advisory = self.osv.get(usize::try_from(*number).ok()?)?;
            Some((advisory, advisory.affected.get(usize::try_from(*place).ok()?)?))
        })
    }

    /// What the feeds say of a vulnerability, by the first of its names that is a CVE number.
    #[must_use]
    pub fn facts(&self, id: &AdvisoryId) -> Facts<'_> {
        let numbers = self.osv_names.get(id).map(Vec::as_slice).unwrap_or_default();
        let osv: Vec<&OsvAdvisory> =
            numbers.iter().filter_map(|number| self.osv.get(usize::try_from(*number).ok()?)).collect();
        let alias = || osv.iter().flat_map(|advisory| &advisory.aliases).find_map(AdvisoryId::cve);
        let own = self.causes.get(id).copied();
        let Some(cve) = id.cve().or_else(alias) else { return Facts { osv, incident: own, ..Facts::default() } };
        let incident = own.or_else(|| self.causes.get(&AdvisoryId::Cve(cve)).copied());
        Facts { kev: find(&self.kev, cve), epss: find(&self.epss, cve), nvd: find(&self.nvd, cve), osv, incident }
    }

    /// The names of all vulnerabilities that any feed describes or lists, in order. Mere estimates are not among them.
    #[must_use]
    pub fn names(&self) -> Vec<AdvisoryId> {
        let mut names: Vec<AdvisoryId> = self.kev.iter().map(|entry| AdvisoryId::Cve(entry.cve)).collect();
        names.extend(self.nvd.iter().map(|entry| AdvisoryId::Cve(entry.cve)));
        names.extend(self.osv.iter().map(|entry| entry.id.clone()));
        names.extend(self.debian.iter().map(|entry| entry.id.clone()));
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The names of what concerns a package of this name, be it a source package or an ecosystem's.
    #[must_use]
    pub fn names_of_package(&self, package: &str) -> Vec<AdvisoryId> {
        let of_debian = self.debian.iter().filter(|verdict| verdict.source == package);
        let mut names: Vec<AdvisoryId> = of_debian.map(|verdict| verdict.id.clone()).collect();
        let is_it = |advisory: &&OsvAdvisory| advisory.affected.iter().any(|affected| affected.package == package);
        names.extend(self.osv.iter().filter(is_it).map(|advisory| advisory.id.clone()));
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl<'k> Facts<'k> {
    /// The score to go by: NVD's own list in its order (its own, then the CNA's), else that of an OSV vector, else the middle
    /// of the range that a word for severity stands for. `None` is unknown, and never 0.
    #[must_use]
    pub fn score(&self, urgency: &str) -> Option<Score> {
        let of_nvd = self.nvd.and_then(|entry| entry.scores.first());
        let of_osv = || self.osv.iter().find_map(|advisory| advisory.scores.first());
        if let Some(score) = of_nvd.or_else(of_osv) {
            return Some(Score { cvss: score.score, source: format!("CVSS {} by {}", score.version, score.source) });
        }
        let words = self.osv.iter().filter_map(|advisory| advisory.severity.as_deref()).map(|word| ("OSV", word));
        let urgency = urgency.trim_end_matches('*');
        words.chain([("Debian", urgency)]).find_map(|(whose, word)| {
            let source = format!("no score; the middle of `{}` by {whose}", word.to_ascii_lowercase());
            Some(Score { cvss: cvss::middle_of_word(word)?, source })
        })
    }

    /// Taken back by whoever published it.
    #[must_use]
    pub fn is_withdrawn(&self) -> bool {
        self.nvd.is_some_and(Described::is_rejected)
            || (!self.osv.is_empty() && self.osv.iter().all(|advisory| advisory.is_withdrawn))
    }

    /// What it is, in a line; empty where no feed says.
    #[must_use]
    pub fn summary(&self) -> &'k str {
        let of_osv = || self.osv.iter().map(|advisory| advisory.summary.as_str()).find(|summary| !summary.is_empty());
        let described = self.nvd.map(|entry| entry.description.as_str()).filter(|text| !text.is_empty());
        described.or_else(of_osv).or_else(|| self.kev.map(|entry| entry.name.as_str())).unwrap_or_default()
    }

    /// When it was published.
    #[must_use]
    pub fn published(&self) -> Option<Timestamp> {
        let of_nvd = self.nvd.and_then(|entry| entry.published).map(|at| at.and_utc());
        let of_osv = || self.osv.iter().filter_map(|advisory| advisory.published).min();
        of_nvd.or_else(of_osv).map(|at| Timestamp(at.timestamp_millis()))
    }
}

fn entries<T: FeedEntry>(shelf: &Shelf, note: &mut impl FnMut(bool)) -> Result<Vec<T>, ShelfError> {
    let kept = shelf.load::<T>()?;
    note(kept.is_some());
    Ok(kept.map(|kept| kept.entries).unwrap_or_default())
}

fn find<T>(entries: &[T], cve: CveId) -> Option<&T>
where
    T: for<'a> FeedEntry<Key<'a> = CveId> + 'static,
{
    let at = entries.binary_search_by(|entry| entry.key().cmp(&cve)).ok()?;
    entries.get(at)
}
