//! The queue as consoles show it: plain data, grouped, never a row for every asset and finding. What is left out is counted.

mod groups;
mod made;
mod rows;

#[cfg(test)]
mod tests;

pub use made::{Made, made, note_looks};

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::advisory_id::AdvisoryId;
use super::directive::Term;
use super::inventory::{Environment, Exposure};
pub use super::queue::told::FactorTold;
pub use super::risk::RiskBand;
pub use super::shelf::health::FeedState;
use crate::engine::clock::Timestamp;
use crate::engine::model::IncidentId;

/// How far the picture has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PictureState {
    /// Nobody looks: nothing is kept on this machine, or what is shown is a recording without patches.
    #[default]
    Off,
    /// Feeds and inventory are read for the first time.
    Loading,
    /// It shows what was found.
    Ready,
}

/// What must be patched, where and by when.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PatchPicture {
    /// How far it has come.
    pub state: PictureState,
    /// Why what is there now could not be read: what is shown is older, or nothing.
    pub problem: Option<Arc<str>>,
    /// As of when it was found.
    pub made_at: Timestamp,
    /// All patches on all assets.
    pub tally: Tally,
    /// Assets in the inventory.
    pub asset_count: usize,
    /// When the oldest look at an asset's packages was; `None` where no asset was ever looked at.
    pub oldest_look_at: Option<Timestamp>,
    /// Patches, the most urgent first.
    pub patches: Vec<Arc<Patch>>,
    /// Patches that are less urgent than those listed.
    pub patches_left_out: usize,
    /// The same by what has or needs them.
    pub groups: Vec<PatchGroups>,
    /// How the feeds are doing.
    pub feeds: Vec<FeedLine>,
    /// False where what is known to be exploited was never taken: then nothing counts as exploited.
    pub is_kev_known: bool,
    /// Names of all packages and vulnerabilities in it, listed or not, that are known to be exploited, in order.
    pub exploited: Vec<Arc<str>>,
    /// How many patches on assets each exception takes out, whole, by its number.
    pub excepted: BTreeMap<u64, usize>,
    /// What could not be checked, and why.
    pub gaps: Vec<Gap>,
    /// Assets that run something else than what is installed.
    pub unbooted: Vec<Unbooted>,
    /// Such assets that are not listed.
    pub unbooted_left_out: usize,
}

impl PatchPicture {
    /// The patch of this key, where it is listed.
    #[must_use]
    pub fn patch(&self, key: &str) -> Option<&Arc<Patch>> {
        self.patches.iter().find(|patch| *patch.key == *key)
    }

    /// The groups of a sort; none of [`Grouping::Patch`], whose rows are the patches themselves.
    #[must_use]
    pub fn grouped(&self, by: Grouping) -> Option<&PatchGroups> {
        self.groups.iter().find(|groups| groups.by == by)
    }
}

/// By what the queue is grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grouping {
    /// Source package and the version that mends it.
    #[default]
    Patch,
    /// What lacks it.
    Asset,
    /// What it mends.
    Advisory,
    /// When its turn is.
    Ring,
    /// Whose it is.
    Owner,
}

impl Grouping {
    /// Every one, in the order in which a key goes through them.
    pub const ALL: [Self; 5] = [Self::Patch, Self::Asset, Self::Advisory, Self::Ring, Self::Owner];

    /// As people write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Patch => "patch",
            Self::Asset => "asset",
            Self::Advisory => "advisory",
            Self::Ring => "ring",
            Self::Owner => "owner",
        }
    }
}

/// How many patches lack on how many assets, by band: a patch that ten assets lack counts ten times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// CRITICAL.
    pub critical: usize,
    /// HIGH.
    pub high: usize,
    /// MEDIUM.
    pub medium: usize,
    /// LOW.
    pub low: usize,
    /// Without a score.
    pub unknown: usize,
    /// Past the deadline of their band.
    pub overdue: usize,
}

impl Tally {
    /// Counts so many of a band.
    pub fn add(&mut self, band: Option<RiskBand>, count: usize) {
        let of = match band {
            Some(RiskBand::Critical) => &mut self.critical,
            Some(RiskBand::High) => &mut self.high,
            Some(RiskBand::Medium) => &mut self.medium,
            Some(RiskBand::Low) => &mut self.low,
            None => &mut self.unknown,
        };
        *of += count;
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> usize {
        self.critical + self.high + self.medium + self.low + self.unknown
    }
}

/// The deadlines of a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clocks {
    /// When the first of what it mends was found.
    pub first_at: Timestamp,
    /// When it is due by its band; `None` is with the next window, or unknown where there is no score.
    pub due_at: Option<Timestamp>,
    /// The terms by CISA BOD 26-04, the strictest and the mildest that what is known allows.
    pub terms: (Term, Term),
    /// When those end; `None` is the next upgrade.
    pub terms_at: (Option<Timestamp>, Option<Timestamp>),
}

/// A patch: a source package and the version that mends it, wherever it is lacking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Patch {
    /// What it is: stays the same from picture to picture.
    pub key: Arc<str>,
    /// The source package.
    pub package: Arc<str>,
    /// Whose word counts, such as `Debian bookworm`.
    pub place: Arc<str>,
    /// The version that mends the most; `None` where none does.
    pub fix: Option<Arc<str>>,
    /// How urgent it is where it is the most urgent; `None` is unknown.
    pub band: Option<RiskBand>,
    /// The score there; `None` is unknown.
    pub score: Option<f64>,
    /// What was multiplied.
    pub factors: Vec<FactorTold>,
    /// The asset where it is the most urgent is reached by the internet.
    pub is_internet_facing: bool,
    /// What it mends is known to be exploited.
    pub is_known_exploited: bool,
    /// And used by ransomware.
    pub is_ransomware: bool,
    /// A live incident that is about what it mends: it goes to the front.
    pub incident: Option<IncidentId>,
    /// How likely the worst that it mends is to be exploited; `None` is unknown.
    pub epss: Option<f32>,
    /// The earliest deadlines of all assets.
    pub clocks: Clocks,
    /// Assets that lack it, by band.
    pub tally: Tally,
    /// Some of them, the most urgent first.
    pub assets: Vec<LackingAsset>,
    /// What it mends or would have to, the worst first; not all of them where there are many.
    pub advisories: Vec<AdvisoryTold>,
    /// All of those.
    pub advisory_count: usize,
    /// Of these, what no version mends so far.
    pub unfixed_count: usize,
    /// Vulnerabilities of the package of which nobody can say.
    pub unchecked_count: usize,
    /// Services that assets which lack it carry; not all of them where there are many.
    pub services: Vec<Arc<str>>,
}

/// An asset that lacks a patch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LackingAsset {
    /// Its name.
    pub name: Arc<str>,
    /// What it serves.
    pub environment: Environment,
    /// Who reaches it.
    pub exposure: Exposure,
    /// Whose it is; empty where nobody said.
    pub owner: Arc<str>,
    /// When its turn is; empty where nobody said.
    pub ring: Arc<str>,
    /// The version that is installed.
    pub installed: Arc<str>,
    /// How urgent it is there; `None` is unknown.
    pub band: Option<RiskBand>,
    /// By when.
    pub clocks: Clocks,
}

/// A vulnerability in the detail of a patch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdvisoryTold {
    /// Which.
    pub id: AdvisoryId,
    /// Its score in tenths; `None` is unknown.
    pub cvss_tenths: Option<u8>,
    /// Known to be exploited.
    pub is_known_exploited: bool,
    /// How likely it is to be exploited; `None` is unknown.
    pub epss: Option<f32>,
    /// What there is that mends it.
    pub fix: Arc<str>,
    /// What decided that it concerns the installed version.
    pub proof: Arc<str>,
}

/// Patches by what has or needs them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PatchGroups {
    /// By what.
    pub by: Grouping,
    /// The most urgent first.
    pub rows: Vec<PatchGroup>,
    /// Less urgent ones.
    pub left_out: usize,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PatchGroup {
    /// Its name; empty is what nobody said.
    pub name: Arc<str>,
    /// What is said of it, such as `production, internet`.
    pub note: Arc<str>,
    /// The most urgent band in it; `None` is unknown.
    pub band: Option<RiskBand>,
    /// Something in it is known to be exploited.
    pub is_known_exploited: bool,
    /// Its patches on its assets.
    pub tally: Tally,
    /// Its assets.
    pub asset_count: usize,
    /// Different patches.
    pub patch_count: usize,
    /// The earliest deadline.
    pub due_at: Option<Timestamp>,
    /// Keys of the most urgent of its patches, as far as those are listed.
    pub patches: Vec<Arc<str>>,
}

/// How a feed is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeedLine {
    /// As people call it.
    pub title: Arc<str>,
    /// How it stands.
    pub state: FeedState,
    /// When it was last found to be the newest.
    pub renewed_at: Option<Timestamp>,
    /// Its entries.
    pub count: usize,
    /// Why the last try failed, or its file cannot be read.
    pub error: Option<Arc<str>>,
}

/// What could not be checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Why.
    pub why: Arc<str>,
    /// On so many assets.
    pub asset_count: usize,
    /// One of them.
    pub example: Arc<str>,
}

/// An asset that runs something else than what is installed: what was installed there mends nothing yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unbooted {
    /// Its name.
    pub asset: Arc<str>,
    /// A newer kernel that is installed and not booted.
    pub kernel: Option<Arc<str>>,
    /// Processes that still use files which were replaced.
    pub stale_count: usize,
    /// Names of some of those.
    pub stale: Vec<Arc<str>>,
}
