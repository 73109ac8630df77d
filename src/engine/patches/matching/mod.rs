//! Which of the known vulnerabilities concern what is installed: affected, not affected, or could not check, each with what
//! decided it.
//!
//! A distribution's packages are held against what the distribution says of its own source packages and by its own order of
//! versions, so that a fix that was ported back counts; what upstream says of its numbers does not.

pub mod debian;
pub mod fleet;
pub mod holders;
pub mod osv;
pub mod place;

use super::advisory_id::AdvisoryId;
use super::feeds::debian::{NoDsa, Verdict};
use super::feeds::osv::{OsvAdvisory, OsvAffected};
use super::knowledge::Knowledge;
use place::Place;

/// What a vulnerability means for an installed version.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding<'k> {
    /// Which.
    pub id: &'k AdvisoryId,
    /// What it means.
    pub state: FindingState<'k>,
    /// What decided.
    pub basis: Basis<'k>,
    /// Its number was taken back: it concerns nobody, whatever else is said of it.
    pub is_withdrawn: bool,
}

/// Whether it concerns the installed version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FindingState<'k> {
    /// It does.
    Affected(Fix<'k>),
    /// It does not.
    NotAffected,
    /// Nobody can say: why.
    Unchecked(String),
}

/// What mends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fix<'k> {
    /// This version and every later one.
    Version(&'k str),
    /// Nothing so far.
    NoneYet,
    /// Nothing is planned there.
    NotPlanned(NoDsa),
    /// The distribution supports that package there no longer.
    EndOfLife,
}

impl Fix<'_> {
    /// What there is that mends it, in a few words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Version(_) => "available",
            Self::NoneYet => "none yet",
            Self::NotPlanned(NoDsa::Minor) => "minor, maybe with a point release",
            Self::NotPlanned(NoDsa::Ignored) => "will not be mended there",
            Self::NotPlanned(NoDsa::Postponed) => "postponed",
            Self::EndOfLife => "no longer supported there",
        }
    }
}

/// What decided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Basis<'k> {
    /// Debian's tracker.
    Debian(&'k Verdict),
    /// OSV's ranges.
    Osv(&'k OsvAdvisory, &'k OsvAffected),
}

impl<'k> Finding<'k> {
    /// The version that mends it, where one does.
    #[must_use]
    pub fn mended_in(&self) -> Option<&'k str> {
        match self.state {
            FindingState::Affected(Fix::Version(version)) => Some(version),
            _ => None,
        }
    }

    /// True where it concerns the installed version.
    #[must_use]
    pub fn is_affected(&self) -> bool {
        matches!(self.state, FindingState::Affected(_))
    }

    /// The proof in a line: the rule and the versions that decided.
    #[must_use]
    pub fn proof(&self, installed: &str) -> String {
        let text = match self.basis {
            Basis::Debian(verdict) => debian::proof(verdict, installed),
            Basis::Osv(advisory, affected) => osv::proof(advisory, affected, installed),
        };
        match &self.state {
            _ if self.is_withdrawn => format!("{text}; but the number was taken back"),
            FindingState::Unchecked(why) => format!("{text}: could not check, {why}"),
            FindingState::Affected(_) | FindingState::NotAffected => text,
        }
    }
}

/// What every known vulnerability of a component means for its version, in the order in which the feeds have them.
#[must_use]
pub fn findings<'k>(knowledge: &'k Knowledge, place: &Place, name: &str, version: &str) -> Vec<Finding<'k>> {
    let mut found: Vec<Finding<'k>> = match place {
        Place::Debian { release } => debian::findings(knowledge.verdicts(release, name), version),
        Place::Osv { ecosystem, scheme } => {
            let ranges = knowledge.ranges(ecosystem, name);
            ranges.map(|(advisory, affected)| osv::finding(advisory, affected, *scheme, version)).collect()
        }
        Place::Unknown { .. } => Vec::new(),
    };
    for finding in found.iter_mut().filter(|finding| finding.state != FindingState::NotAffected) {
        if knowledge.facts(finding.id).is_withdrawn() {
            (finding.state, finding.is_withdrawn) = (FindingState::NotAffected, true);
        }
    }
    found
}
