//! The patches themselves: what lacks on several assets is one row.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::made::Made;
use super::{AdvisoryTold, Clocks, LackingAsset, Patch, Tally};
use crate::engine::clock::{DAY_MS, Timestamp};
use crate::engine::limits::{
    PATCH_ADVISORIES_TOLD_MAX, PATCH_ASSETS_TOLD_MAX, PATCH_SERVICES_TOLD_MAX, PATCHES_IN_PICTURE_MAX,
};
use crate::engine::patches::directive::Term;
use crate::engine::patches::matching::fleet::Component;
use crate::engine::patches::matching::{Finding, FindingState};
use crate::engine::patches::queue::Item;
use crate::engine::patches::queue::standing::{Standing, Threat};
use crate::engine::patches::queue::told;
use crate::engine::patches::risk::RiskBand;

/// The rows as far as they are known.
pub(super) struct Rows<'m> {
    of: Made<'m>,
    /// By component: its patch, once asked for.
    numbers: Vec<Option<u32>>,
    by_key: FxHashMap<(u32, &'m str, Option<&'m str>), u32>,
    rows: Vec<Row<'m>>,
}

/// What is gathered of a patch.
struct Row<'m> {
    place: u32,
    /// The most urgent of its items: the queue comes in order.
    first: Option<Item>,
    clocks: Option<Clocks>,
    tally: Tally,
    assets: Vec<Item>,
    services: BTreeSet<&'m str>,
}

/// The deadlines of an item.
pub(super) fn clocks(item: &Item, standing: &Standing) -> Clocks {
    let at = |term: Term| term.days().map(|days| item.first_at + i64::from(days) * DAY_MS);
    let (strictest, mildest) = standing.directive;
    Clocks {
        first_at: item.first_at,
        due_at: item.due_at,
        terms: standing.directive,
        terms_at: (at(strictest), at(mildest)),
    }
}

/// The earlier of two deadlines, where there is one.
pub(super) fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

impl<'m> Rows<'m> {
    pub(super) fn of(of: &Made<'m>) -> Self {
        Self {
            of: *of,
            numbers: vec![None; of.matched.components.len()],
            by_key: FxHashMap::default(),
            rows: Vec::new(),
        }
    }

    /// The number of the patch that a component lacks.
    pub(super) fn number(&mut self, component: u32) -> Option<u32> {
        let at = usize::try_from(component).ok()?;
        if let Some(known) = self.numbers.get(at)? {
            return Some(*known);
        }
        let lacking: &'m Component<'m> = self.of.matched.component(component)?;
        let key = (lacking.place, lacking.name.as_str(), lacking.fix());
        let next = u32::try_from(self.rows.len()).ok()?;
        let number = *self.by_key.entry(key).or_insert(next);
        if number == next {
            self.rows.push(Row {
                place: lacking.place,
                first: None,
                clocks: None,
                tally: Tally::default(),
                assets: Vec::new(),
                services: BTreeSet::new(),
            });
        }
        *self.numbers.get_mut(at)? = Some(number);
        Some(number)
    }

    /// Notes that an asset lacks the patch of this number.
    pub(super) fn take(&mut self, number: u32, item: &Item, band: Option<RiskBand>, at: &Clocks, is_overdue: bool) {
        let Some(row) = usize::try_from(number).ok().and_then(|number| self.rows.get_mut(number)) else { return };
        row.tally.add(band, 1);
        row.tally.overdue += usize::from(is_overdue);
        row.first.get_or_insert(*item);
        row.clocks = Some(match &row.clocks {
            None => *at,
            Some(known) => Clocks {
                first_at: known.first_at.min(at.first_at),
                due_at: earlier(known.due_at, at.due_at),
                terms: known.terms,
                terms_at: (earlier(known.terms_at.0, at.terms_at.0), earlier(known.terms_at.1, at.terms_at.1)),
            },
        });
        if row.assets.len() < PATCH_ASSETS_TOLD_MAX {
            row.assets.push(*item);
        }
        if row.services.len() < PATCH_SERVICES_TOLD_MAX {
            let asset = usize::try_from(item.asset).ok().and_then(|at| self.of.matched.assets.get(at));
            let services = asset.into_iter().flat_map(|asset| &asset.asset.traits.services);
            row.services.extend(services.map(String::as_str).take(PATCH_SERVICES_TOLD_MAX));
        }
    }

    /// How many patches there are.
    pub(super) fn count(&self) -> usize {
        self.rows.len()
    }

    /// The most urgent ones. They were first asked for in the order of the queue.
    pub(super) fn patches(&self) -> Vec<Arc<Patch>> {
        let rows = self.rows.iter().take(PATCHES_IN_PICTURE_MAX);
        rows.filter_map(|row| self.patch(row)).map(Arc::new).collect()
    }

    fn patch(&self, row: &Row<'_>) -> Option<Patch> {
        let first = row.first?;
        let standing = self.of.queue.standing(&first)?;
        let component = self.of.matched.component(standing.component)?;
        let threats = self.of.queue.threats(standing.component);
        let worst = threats.get(standing.worst)?;
        let kev = component.affected.get(standing.worst).and_then(|finding| self.of.knowledge.facts(finding.id).kev);
        let place = usize::try_from(row.place).ok().and_then(|at| self.of.matched.places.get(at))?.words();
        let fix = component.fix();
        Some(Patch {
            key: Arc::from(format!("{place}/{}/{}", component.name, fix.unwrap_or_default())),
            package: Arc::from(component.name.as_str()),
            place: Arc::from(place),
            fix: fix.map(Arc::from),
            band: standing.risk.as_ref().map(|risk| risk.band),
            score: standing.risk.as_ref().map(|risk| risk.score),
            factors: told::factors(standing, worst, kev),
            is_internet_facing: standing.class.is_internet_facing,
            is_known_exploited: threats.iter().any(|threat| threat.is_known_exploited),
            is_ransomware: threats.iter().any(|threat| threat.is_ransomware),
            incident: component.affected.iter().find_map(|it| self.of.knowledge.facts(it.id).incident),
            epss: worst.epss,
            clocks: row.clocks?,
            tally: row.tally,
            assets: row.assets.iter().filter_map(|item| self.asset(item)).collect(),
            advisories: advisories(component, threats, standing.worst),
            advisory_count: component.affected.len(),
            unfixed_count: component.affected.iter().filter(|finding| finding.mended_in().is_none()).count(),
            unchecked_count: component.unchecked.len(),
            services: row.services.iter().map(|name| Arc::from(*name)).collect(),
        })
    }

    fn asset(&self, item: &Item) -> Option<LackingAsset> {
        let standing = self.of.queue.standing(item)?;
        let component = self.of.matched.component(standing.component)?;
        let asset = self.of.matched.assets.get(usize::try_from(item.asset).ok()?)?;
        let traits = &asset.asset.traits;
        Some(LackingAsset {
            name: Arc::from(asset.name),
            environment: traits.environment,
            exposure: traits.exposure,
            owner: Arc::from(traits.owner.as_str()),
            ring: Arc::from(traits.ring.as_str()),
            installed: Arc::from(component.version.as_str()),
            band: standing.risk.as_ref().map(|risk| risk.band),
            clocks: clocks(item, standing),
        })
    }
}

/// What affects a component: the one that counts first, then what is exploited, then by score.
fn advisories(component: &Component<'_>, threats: &[Threat], worst: usize) -> Vec<AdvisoryTold> {
    let mut all: Vec<(usize, &Finding<'_>, &Threat)> = component
        .affected
        .iter()
        .zip(threats)
        .enumerate()
        .map(|(at, (finding, threat))| (at, finding, threat))
        .collect();
    all.sort_by_key(|(at, _, threat)| {
        let tenths = threat.score.as_ref().map(|score| score.cvss.tenths());
        (*at != worst, !threat.is_known_exploited, Reverse(tenths))
    });
    let told = all.into_iter().take(PATCH_ADVISORIES_TOLD_MAX).map(|(_, finding, threat)| AdvisoryTold {
        id: finding.id.clone(),
        cvss_tenths: threat.score.as_ref().map(|score| score.cvss.tenths()),
        is_known_exploited: threat.is_known_exploited,
        epss: threat.epss,
        fix: match (&finding.state, finding.mended_in()) {
            (_, Some(version)) => Arc::from(version),
            (FindingState::Affected(fix), None) => Arc::from(fix.words()),
            _ => Arc::from(""),
        },
        proof: Arc::from(finding.proof(&component.version)),
    });
    told.collect()
}
