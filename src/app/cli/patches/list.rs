//! `hypo patches list`: the queue.

use std::sync::Arc;

use serde::Serialize;

use super::exceptions;

use crate::app::arguments::{CommonArguments, PatchesListArguments};
use crate::app::cli::inventory::unknown;
use crate::app::cli::{Exit, Failure, output, settings};
use crate::engine::clock::Timestamp;
use crate::engine::ingest::wall_clock;
use crate::engine::model::human_span;
use crate::engine::patches::advisory_id::AdvisoryId;
use crate::engine::patches::causes;
use crate::engine::patches::directive::Term;
use crate::engine::patches::exceptions::{InForce, PatchException};
use crate::engine::patches::feeds::kev::KnownExploited;
use crate::engine::patches::inventory::Asset;
use crate::engine::patches::knowledge::Knowledge;
use crate::engine::patches::matching::fleet::{Component, Matched};
use crate::engine::patches::office::Office;
use crate::engine::patches::queue::standing::Standing;
use crate::engine::patches::queue::told::{self, FactorTold};
use crate::engine::patches::queue::{Item, Queue};
use crate::engine::patches::risk::RiskBand;

/// `hypo patches list --json`
#[derive(Serialize)]
struct Listing<'a> {
    at: Timestamp,
    /// All that fit the conditions, by band; `limit` cuts only what is listed.
    counts: Counts,
    patches: Vec<Patch<'a>>,
    /// What could not be checked, and why.
    unchecked: Vec<Unchecked<'a>>,
    /// What is deferred or accepted until a date; `excepted_count` patches on assets are not listed for that.
    exceptions: Vec<&'a PatchException>,
    excepted_count: usize,
    /// False where what is known to be exploited was never taken: then nothing counts as exploited.
    is_kev_known: bool,
}

#[derive(Serialize, Default)]
struct Counts {
    critical: usize,
    high: usize,
    medium: usize,
    low: usize,
    unknown: usize,
    overdue: usize,
}

#[derive(Serialize)]
struct Unchecked<'a> {
    asset: &'a str,
    why: &'a str,
}

/// One patch that an asset lacks.
#[derive(Serialize)]
struct Patch<'a> {
    asset: &'a str,
    package: &'a str,
    installed: &'a str,
    /// The version that mends the most; `null` where none does.
    fix: Option<&'a str>,
    /// `null` is unknown.
    band: Option<RiskBand>,
    /// `null` is unknown.
    score: Option<f64>,
    factors: Vec<FactorTold>,
    directive: Directive,
    first_matched_at: Timestamp,
    due_at: Option<Timestamp>,
    is_overdue: bool,
    is_known_exploited: bool,
    epss: Option<f32>,
    environment: &'static str,
    exposure: &'static str,
    owner: &'a str,
    ring: &'a str,
    class: &'a str,
    services: &'a [String],
    /// What it would mend, the worst first.
    advisories: Vec<&'a AdvisoryId>,
    /// Of these, what no version mends so far.
    unfixed_count: usize,
    /// Vulnerabilities of the package of which nobody can say.
    unchecked_count: usize,
}

#[derive(Serialize)]
struct Directive {
    strictest: Term,
    mildest: Term,
}

/// All that a listing is made of.
struct View<'v> {
    matched: &'v Matched<'v, 'v>,
    queue: &'v Queue,
    knowledge: &'v Knowledge,
    now: Timestamp,
}

pub(super) fn run(common: &CommonArguments, arguments: &PatchesListArguments) -> Result<Exit, Failure> {
    let loaded = settings(common)?;
    let folder = &loaded.paths.state_dir;
    let mut office = Office::load(folder)?;
    if let Some(snapshot) = super::rollouts::picture(common)? {
        let causes = causes::named_by(snapshot.incidents.iter().map(Arc::as_ref));
        office.knowledge = office.knowledge.with_causes(causes);
    }
    let rings = || office.fleet.assets().values().map(|asset| asset.traits.ring.as_str());
    if let Some(name) = arguments.ring.as_ref().filter(|name| !rings().any(|ring| ring == *name)) {
        let meant = crate::nearest::suggestion(name, rings());
        return Err(format!("no asset is of ring `{name}`{meant}; `hypo inventory list` lists them").into());
    }
    if let Some(name) = arguments.asset.as_ref().filter(|name| !office.fleet.assets().contains_key(*name)) {
        return Err(unknown(&office.fleet, name));
    }
    let (matched, now) = (office.matched(), wall_clock::now());
    let exceptions = exceptions::kept(common)?;
    let in_force = InForce::of(exceptions.iter().map(Arc::as_ref), now);
    let queue = office.queue(&matched, folder, &in_force, &loaded.settings.engine.patches.risk, now)?;
    let view = View { matched: &matched, queue: &queue, knowledge: &office.knowledge, now };
    let mut listing = Listing {
        at: now,
        counts: Counts::default(),
        patches: Vec::new(),
        unchecked: Vec::new(),
        exceptions: exceptions.iter().map(Arc::as_ref).filter(|exception| exception.is_in_force(now)).collect(),
        excepted_count: queue.excepted.len(),
        is_kev_known: office.knowledge.has_kev(),
    };
    for item in queue.items.iter() {
        let Some(component) = view.component(item).filter(|component| view.is_wanted(item, component, arguments))
        else {
            continue;
        };
        listing.counts.count(view.band(item), item.due_at.is_some_and(|due| due < now));
        if listing.patches.len() < arguments.limit {
            listing.patches.extend(view.patch(item, component));
        }
    }
    for asset in &matched.assets {
        let is_named = arguments.asset.as_ref().is_none_or(|name| name == asset.name);
        let gaps = asset.unchecked.iter().filter(|_| is_named);
        listing.unchecked.extend(gaps.map(|why| Unchecked { asset: asset.name, why }));
    }
    if arguments.json {
        output::json(&listing)?;
    } else {
        tell(&listing, office.fleet.assets().is_empty())?;
    }
    Ok(Exit::Done)
}

fn tell(listing: &Listing<'_>, is_empty: bool) -> Result<(), Failure> {
    for patch in &listing.patches {
        output::line(&patch.text(listing.at))?;
    }
    let Counts { critical, high, medium, low, unknown, overdue } = listing.counts;
    let all = critical + high + medium + low + unknown;
    output::line(&format!(
        "{all} patches: {critical} critical, {high} high, {medium} medium, {low} low, {unknown} without a score; {overdue} overdue"
    ))?;
    if all > listing.patches.len() {
        output::line(&format!("{} are listed; --limit says how many", listing.patches.len()))?;
    }
    for unchecked in &listing.unchecked {
        output::line(&format!("{}: not all of it could be checked: {}", unchecked.asset, unchecked.why))?;
    }
    for exception in &listing.exceptions {
        output::line(&exception.to_string())?;
    }
    if listing.excepted_count > 0 {
        output::line(&format!("left out because of that: {}", listing.excepted_count))?;
    }
    if !listing.is_kev_known {
        output::line(
            "what is known to be exploited was never taken, so nothing counts as that; `hypo advisories sync`",
        )?;
    }
    if is_empty {
        output::line("the inventory is empty; `hypo inventory scan` looks at this host")?;
    }
    Ok(())
}

impl<'v> View<'v> {
    fn component(&self, item: &Item) -> Option<&'v Component<'v>> {
        self.matched.component(self.queue.standing(item)?.component)
    }

    fn asset(&self, item: &Item) -> Option<(&'v str, &'v Asset)> {
        let asset = self.matched.assets.get(usize::try_from(item.asset).ok()?)?;
        Some((asset.name, asset.asset))
    }

    fn band(&self, item: &Item) -> Option<RiskBand> {
        Some(self.queue.standing(item)?.risk.as_ref()?.band)
    }

    /// What CISA's catalogue says of the worst that a patch would mend.
    fn known_exploited(&self, standing: &Standing, component: &Component<'_>) -> Option<&'v KnownExploited> {
        self.knowledge.facts(component.affected.get(standing.worst)?.id).kev
    }

    fn is_wanted(&self, item: &Item, component: &Component<'_>, arguments: &PatchesListArguments) -> bool {
        let Some((name, asset)) = self.asset(item) else { return false };
        arguments.asset.as_ref().is_none_or(|wanted| wanted == name)
            && arguments.ring.as_ref().is_none_or(|wanted| *wanted == asset.traits.ring)
            && arguments.advisory.as_ref().is_none_or(|id| component.affected.iter().any(|finding| finding.id == id))
            && (!arguments.overdue || item.due_at.is_some_and(|due| due < self.now))
            && (!arguments.fixable || component.fix().is_some())
    }

    fn patch(&self, item: &Item, component: &'v Component<'v>) -> Option<Patch<'v>> {
        let standing = self.queue.standing(item)?;
        let (name, asset) = self.asset(item)?;
        let threats = self.queue.threats(standing.component);
        let worst = threats.get(standing.worst)?;
        let mut advisories: Vec<&AdvisoryId> = component.affected.iter().map(|finding| finding.id).collect();
        if standing.worst < advisories.len() {
            advisories[..=standing.worst].rotate_right(1);
        }
        let unfixed = component.affected.iter().filter(|finding| finding.mended_in().is_none());
        Some(Patch {
            asset: name,
            package: &component.name,
            installed: &component.version,
            fix: component.fix(),
            band: standing.risk.as_ref().map(|risk| risk.band),
            score: standing.risk.as_ref().map(|risk| risk.score),
            factors: told::factors(standing, worst, self.known_exploited(standing, component)),
            directive: Directive { strictest: standing.directive.0, mildest: standing.directive.1 },
            first_matched_at: item.first_at,
            due_at: item.due_at,
            is_overdue: item.due_at.is_some_and(|due| due < self.now),
            is_known_exploited: threats.iter().any(|threat| threat.is_known_exploited),
            epss: worst.epss,
            environment: asset.traits.environment.word(),
            exposure: asset.traits.exposure.word(),
            owner: &asset.traits.owner,
            ring: &asset.traits.ring,
            class: &asset.traits.class,
            services: &asset.traits.services,
            advisories,
            unfixed_count: unfixed.count(),
            unchecked_count: component.unchecked.len(),
        })
    }
}

impl Counts {
    fn count(&mut self, band: Option<RiskBand>, is_overdue: bool) {
        let of = match band {
            Some(RiskBand::Critical) => &mut self.critical,
            Some(RiskBand::High) => &mut self.high,
            Some(RiskBand::Medium) => &mut self.medium,
            Some(RiskBand::Low) => &mut self.low,
            None => &mut self.unknown,
        };
        *of += 1;
        self.overdue += usize::from(is_overdue);
    }
}

impl Patch<'_> {
    fn text(&self, now: Timestamp) -> String {
        let band = self.band.map_or("UNKNOWN", RiskBand::word);
        let score = self.score.map_or_else(|| "-".to_owned(), |score| format!("{score:.2}"));
        let due = match self.due_at {
            Some(due) if due < now => format!("OVERDUE by {}", human_span(now.since_ms(due))),
            Some(due) => format!("due in {}", human_span(due.since_ms(now))),
            None => "with the next window".to_owned(),
        };
        let exploited = if self.is_known_exploited { " EXPLOITED" } else { "" };
        let fix = self.fix.map_or_else(|| "nothing mends it yet".to_owned(), |fix| format!("-> {fix}"));
        let first = self.advisories.first().map(ToString::to_string).unwrap_or_default();
        let more = match self.advisories.len() {
            0 | 1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        format!(
            "{band:<8} {score:>5}{exploited}  {}  {} {} {fix}  {due}  {first}{more}",
            self.asset, self.package, self.installed
        )
    }
}
