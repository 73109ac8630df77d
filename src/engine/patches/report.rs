//! The report on patching: how long it takes, how much of the fleet is looked at, what is overdue, what is excepted.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::exceptions::PatchException;
use super::matching::fleet::Matched;
use super::mended::{Going, History};
use super::picture::Tally;
use super::queue::Queue;
use super::regressions::Regressions;
use super::risk::RiskBand;
use super::rollout::KeptRollout;
use crate::engine::clock::{DAY_MS, Timestamp};

/// The bands in a report, the most urgent first; `None` is unknown.
pub const BANDS: [Option<RiskBand>; 5] =
    [Some(RiskBand::Critical), Some(RiskBand::High), Some(RiskBand::Medium), Some(RiskBand::Low), None];

/// By what a report is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Division {
    /// Not at all but by band.
    Band,
    /// By ring as well.
    Ring,
    /// By owner as well.
    Owner,
}

/// The report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PatchReport {
    /// As of when.
    pub at: Timestamp,
    /// By what it is divided.
    pub by: Division,
    /// How much of the fleet is looked at.
    pub coverage: Coverage,
    /// By ring or owner; one group of all where it is divided by band alone.
    pub groups: Vec<ReportGroup>,
    /// Exceptions in force.
    pub exceptions: Vec<PatchException>,
    /// Patches on assets that those take out.
    pub excepted_count: usize,
    /// Since when matches that went are kept; `None` where none went so far.
    pub mended_since: Option<Timestamp>,
    /// Matches that went because the feeds changed, not the assets.
    pub no_longer_said_count: usize,
    /// Rollouts that went wrong; `None` is unknown.
    pub regressions: Option<Regressions>,
}

/// How much of the fleet is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Assets in the inventory.
    pub asset_count: usize,
    /// Those whose packages were seen within so many days.
    pub seen_count: usize,
    /// So many days.
    pub within_days: u32,
    /// Those of which everything could be checked.
    pub checked_count: usize,
}

/// The figures of a group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportGroup {
    /// Its name; empty is all, or what nobody said.
    pub name: String,
    /// By band, the most urgent first.
    pub bands: Vec<BandFigures>,
}

/// The figures of a band.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BandFigures {
    /// Which; `None` is unknown.
    pub band: Option<RiskBand>,
    /// Patches on assets that are lacking.
    pub lacking: usize,
    /// Of these, past their deadline.
    pub overdue: usize,
    /// Vulnerabilities on assets that were mended.
    pub mended: usize,
    /// From first found to mended, in milliseconds; `None` where none was.
    pub mean_ms: Option<i64>,
}

/// What a report is made of.
#[derive(Clone, Copy)]
pub struct ReportBasis<'r> {
    /// What concerns each asset.
    pub matched: &'r Matched<'r, 'r>,
    /// The order.
    pub queue: &'r Queue,
    /// What was mended.
    pub history: &'r History,
    /// All exceptions.
    pub exceptions: &'r [PatchException],
    /// The rollouts that are kept; `None` where nothing is.
    pub rollouts: Option<&'r [Arc<KeptRollout>]>,
}

#[derive(Default, Clone, Copy)]
struct Gathered {
    lacking: usize,
    overdue: usize,
    mended: usize,
    /// In milliseconds; a sum of millions of years fits.
    total_ms: i128,
}

/// Makes the report, as of `now`; an asset counts as seen where its packages were within `within_days`.
#[must_use]
pub fn report(of: &ReportBasis<'_>, by: Division, within_days: u32, now: Timestamp) -> PatchReport {
    let mut found: BTreeMap<String, BTreeMap<usize, Gathered>> = BTreeMap::new();
    if by == Division::Band {
        found.insert(String::new(), BTreeMap::new());
    }
    let name = |ring: &str, owner: &str| match by {
        Division::Band => String::new(),
        Division::Ring => ring.to_owned(),
        Division::Owner => owner.to_owned(),
    };
    let place = |band: Option<RiskBand>| BANDS.iter().position(|known| *known == band).unwrap_or(BANDS.len() - 1);
    for item in of.queue.items.iter() {
        let asset = usize::try_from(item.asset).ok().and_then(|at| of.matched.assets.get(at));
        let Some((asset, standing)) = asset.zip(of.queue.standing(item)) else { continue };
        let traits = &asset.asset.traits;
        let band = standing.risk.as_ref().map(|risk| risk.band);
        let group = found.entry(name(&traits.ring, &traits.owner)).or_default();
        let gathered = group.entry(place(band)).or_default();
        gathered.lacking += 1;
        gathered.overdue += usize::from(item.due_at.is_some_and(|due| due < now));
    }
    let (gone, changed): (Vec<_>, Vec<_>) =
        of.history.entries().iter().partition(|entry| entry.going != Going::NoLongerSaid);
    for entry in &gone {
        let group = found.entry(name(&entry.ring, &entry.owner)).or_default();
        let gathered = group.entry(place(entry.band)).or_default();
        gathered.mended += 1;
        gathered.total_ms += i128::from(entry.mended_at.since_ms(entry.first_at).max(0));
    }
    let groups = found.into_iter().map(|(name, bands)| ReportGroup { name, bands: figures(&bands) });
    let in_force = of.exceptions.iter().filter(|exception| exception.is_in_force(now));
    PatchReport {
        at: now,
        by,
        coverage: coverage(of.matched, within_days, now),
        groups: groups.collect(),
        exceptions: in_force.cloned().collect(),
        excepted_count: of.queue.excepted.len(),
        mended_since: of.history.entries().first().map(|entry| entry.mended_at),
        no_longer_said_count: changed.len(),
        regressions: of.rollouts.map(Regressions::of),
    }
}

fn figures(bands: &BTreeMap<usize, Gathered>) -> Vec<BandFigures> {
    let figures = |(place, band): (usize, Option<RiskBand>)| {
        let Gathered { lacking, overdue, mended, total_ms } = bands.get(&place).copied().unwrap_or_default();
        let count = i128::try_from(mended).ok().filter(|count| *count > 0);
        let mean_ms = count.and_then(|count| i64::try_from(total_ms / count).ok());
        BandFigures { band, lacking, overdue, mended, mean_ms }
    };
    BANDS.into_iter().enumerate().map(figures).collect()
}

fn coverage(matched: &Matched<'_, '_>, within_days: u32, now: Timestamp) -> Coverage {
    let within_ms = i64::from(within_days) * DAY_MS;
    let is_seen = |at: Timestamp| now.since_ms(at) <= within_ms;
    Coverage {
        asset_count: matched.assets.len(),
        seen_count: matched.assets.iter().filter(|asset| asset.asset.seen_at.is_some_and(is_seen)).count(),
        within_days,
        checked_count: matched.assets.iter().filter(|asset| asset.unchecked.is_empty()).count(),
    }
}

impl ReportGroup {
    /// What is lacking and overdue, all bands together.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for figures in &self.bands {
            tally.add(figures.band, figures.lacking);
            tally.overdue += figures.overdue;
        }
        tally
    }
}
