//! From the queue to its picture.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::groups::Gathering;
use super::rows::{Rows, clocks};
use super::{FeedLine, Gap, PatchPicture, PictureState, Tally, Unbooted};
use crate::engine::clock::Timestamp;
use crate::engine::limits::{PATCH_ASIDES_MAX, PATCHES_IN_PICTURE_MAX};
use crate::engine::patches::inventory::Fleet;
use crate::engine::patches::knowledge::Knowledge;
use crate::engine::patches::matching::fleet::Matched;
use crate::engine::patches::queue::Queue;
use crate::engine::patches::shelf::health::{FeedReport, Tried};
use crate::engine::settings::RiskSettings;

/// What a picture is made of.
#[derive(Clone, Copy)]
pub struct Made<'m> {
    /// What is installed.
    pub fleet: &'m Fleet,
    /// What the feeds say.
    pub knowledge: &'m Knowledge,
    /// What concerns each asset.
    pub matched: &'m Matched<'m, 'm>,
    /// The order.
    pub queue: &'m Queue,
    /// How the feeds are doing.
    pub feeds: &'m [FeedReport],
    /// The multipliers and bands.
    pub settings: &'m RiskSettings,
}

/// Makes the picture, as of `now`. Goes over the queue once, whatever is listed of it.
#[must_use]
pub fn made(of: &Made<'_>, now: Timestamp) -> PatchPicture {
    let mut tally = Tally::default();
    let mut rows = Rows::of(of);
    let mut groups = Gathering::of(of);
    for item in of.queue.items.iter() {
        let Some(standing) = of.queue.standing(item) else { continue };
        let Some(patch) = rows.number(standing.component) else { continue };
        let band = standing.risk.as_ref().map(|risk| risk.band);
        let is_overdue = item.due_at.is_some_and(|due| due < now);
        tally.add(band, 1);
        tally.overdue += usize::from(is_overdue);
        let is_known_exploited = of.queue.threats(standing.component).iter().any(|threat| threat.is_known_exploited);
        rows.take(patch, item, band, &clocks(item, standing), is_overdue);
        groups.take(patch, item, standing, is_overdue, is_known_exploited);
    }
    let patches_left_out = rows.count().saturating_sub(PATCHES_IN_PICTURE_MAX);
    let patches = rows.patches();
    let keys: Vec<Arc<str>> = patches.iter().map(|patch| Arc::clone(&patch.key)).collect();
    let (unbooted, unbooted_left_out) = unbooted(of.fleet);
    PatchPicture {
        state: PictureState::Ready,
        problem: None,
        made_at: now,
        tally,
        asset_count: of.fleet.assets().len(),
        oldest_look_at: of.fleet.assets().values().filter_map(|asset| asset.seen_at).min(),
        patches,
        patches_left_out,
        groups: groups.groups(&keys),
        feeds: feeds(of.feeds),
        is_kev_known: of.knowledge.has_kev(),
        exploited: exploited(of),
        excepted: excepted(of.queue),
        gaps: gaps(of.matched),
        unbooted,
        unbooted_left_out,
    }
}

/// Adds the looks at hosts, files and folders that failed the last time, before what else could not be checked: nobody knows what
/// is there by now.
pub fn note_looks(picture: &mut PatchPicture, looks: &BTreeMap<String, Tried>) {
    let mut by_error: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for (origin, tried) in looks {
        if let Some(error) = &tried.error {
            by_error.entry(error).or_insert((0, origin)).0 += 1;
        }
    }
    let gap = |(error, (asset_count, example)): (&str, (usize, &str))| Gap {
        why: Arc::from(format!("the last look failed, and what was known before stays: {error}")),
        asset_count,
        example: Arc::from(example),
    };
    picture.gaps.splice(0..0, by_error.into_iter().map(gap));
    picture.gaps.truncate(PATCH_ASIDES_MAX);
}

fn feeds(reports: &[FeedReport]) -> Vec<FeedLine> {
    let line = |report: &FeedReport| {
        let of_try = report.tried.as_ref().and_then(|tried| tried.error.as_deref());
        let tried_at = report.tried.as_ref().filter(|tried| tried.error.is_none()).map(|tried| tried.at);
        let taken_at = report.head.as_ref().map(|head| head.taken_at);
        FeedLine {
            title: Arc::from(report.feed.title()),
            state: report.state,
            renewed_at: taken_at.map(|taken| tried_at.map_or(taken, |tried| tried.max(taken))),
            count: report.head.as_ref().map_or(0, |head| head.count),
            error: report.damage.as_deref().or(of_try).map(Arc::from),
        }
    };
    reports.iter().map(line).collect()
}

/// Packages and vulnerabilities that are known to be exploited.
fn exploited(of: &Made<'_>) -> Vec<Arc<str>> {
    let mut names = BTreeSet::new();
    for (component, threats) in of.matched.components.iter().zip(&of.queue.threats) {
        let exploited = component.affected.iter().zip(threats).filter(|(_, threat)| threat.is_known_exploited);
        for (finding, _) in exploited {
            names.insert(Arc::from(component.name.as_str()));
            names.insert(Arc::from(finding.id.to_string()));
        }
    }
    names.into_iter().collect()
}

fn excepted(queue: &Queue) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    for (_, exception) in &queue.excepted {
        *counts.entry(*exception).or_default() += 1;
    }
    counts
}

/// By reason: assets of one sort lack the same.
fn gaps(matched: &Matched<'_, '_>) -> Vec<Gap> {
    let mut by_reason: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for asset in &matched.assets {
        for why in &asset.unchecked {
            by_reason.entry(why).or_insert((0, asset.name)).0 += 1;
        }
    }
    let gap = |(why, (asset_count, example)): (&str, (usize, &str))| Gap {
        why: Arc::from(why),
        asset_count,
        example: Arc::from(example),
    };
    let mut gaps: Vec<Gap> = by_reason.into_iter().map(gap).collect();
    gaps.sort_by_key(|gap| std::cmp::Reverse(gap.asset_count));
    gaps.truncate(PATCH_ASIDES_MAX);
    gaps
}

/// Assets that run something else than what is installed, and how many more there are.
fn unbooted(fleet: &Fleet) -> (Vec<Unbooted>, usize) {
    let all = fleet.assets().iter().filter(|(_, asset)| {
        let running = &asset.running;
        running.kernel_waiting.is_some() || !running.stale.is_empty()
    });
    let count = all.clone().count();
    let told = all.take(PATCH_ASIDES_MAX).map(|(name, asset)| {
        let mut stale: Vec<&str> = asset.running.stale.iter().map(|process| process.name.as_str()).collect();
        stale.sort_unstable();
        stale.dedup();
        Unbooted {
            asset: Arc::from(name.as_str()),
            kernel: asset.running.kernel_waiting.as_deref().map(Arc::from),
            stale_count: asset.running.stale.len(),
            stale: stale.into_iter().take(4).map(Arc::from).collect(),
        }
    });
    (told.collect(), count.saturating_sub(PATCH_ASIDES_MAX))
}
