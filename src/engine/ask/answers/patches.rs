//! What has to be patched, and where a rollout stands.

use std::sync::Arc;

use crate::engine::ask::answer::{Answer, Citation, Claim, Fact};
use crate::engine::ask::ground::{self, Ground};
use crate::engine::ask::slots::Slots;
use crate::engine::snapshot::patches::{Patch, PictureState};
use crate::engine::snapshot::rollout::{KeptRollout, OccasionKind, RolloutState};

/// How many are told one by one.
const LINES_MAX: usize = 6;

/// What concerns us, what comes first, what is overdue.
pub(super) fn queue(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let picture = &ground.snapshot.patches;
    match picture.state {
        PictureState::Off => return Answer::unknown(Claim::of("I don't know: patches are not looked for here.", [])),
        PictureState::Loading => {
            return Answer::unknown(Claim::of("I don't know yet: feeds and inventory are being read.", []));
        }
        PictureState::Ready => {}
    }
    let is_wanted = |patch: &&Arc<Patch>| {
        let package = slots.package.as_deref().is_none_or(|name| patch.package.as_ref() == name);
        let host =
            slots.host.as_deref().is_none_or(|name| patch.assets.iter().any(|asset| asset.name.as_ref() == name));
        let advisory =
            slots.advisory.as_deref().is_none_or(|id| patch.advisories.iter().any(|told| told.id.to_string() == id));
        let ring =
            slots.ring.as_deref().is_none_or(|ring| patch.assets.iter().any(|asset| asset.ring.as_ref() == ring));
        let band = slots
            .severity
            .as_deref()
            .is_none_or(|band| patch.band.is_some_and(|known| known.word().eq_ignore_ascii_case(band)));
        package && host && advisory && ring && band
    };
    let found: Vec<&Arc<Patch>> = picture.patches.iter().filter(is_wanted).collect();
    let totals = || Citation::Totals;
    let mut answer = if found.is_empty() {
        let lead = Claim::of("Nothing of that is to be patched, as far as the feeds say.", []);
        Answer::known(lead)
            .with([Claim::of("{} machines were looked at.", [ground::count(picture.asset_count, totals())])])
    } else {
        let overdue = found.iter().map(|patch| patch.tally.overdue).sum();
        let lead = Claim::of(
            "{} patches are to be installed; {} installations are past their deadline.",
            [ground::count(found.len(), totals()), ground::count(overdue, totals())],
        );
        Answer::known(lead).with_first(LINES_MAX, found.iter().map(|patch| told(ground, patch)), totals())
    };
    let is_cut = picture.patches.iter().any(|patch| patch.assets.len() < lacking(patch));
    if is_cut && (slots.host.is_some() || slots.ring.is_some()) {
        let where_all = "Not every machine of every patch was looked through; `hypo patches show` has them all.";
        answer.missing.push(Claim::of(where_all, []));
    }
    if picture.patches_left_out > 0 {
        answer.missing.push(Claim::of(
            "{} less urgent patches were not looked through.",
            [ground::count(picture.patches_left_out, totals())],
        ));
    }
    answer.then(&["why is it critical", "is a freeze active"])
}

/// Machines that lack a patch.
fn lacking(patch: &Patch) -> usize {
    let tally = &patch.tally;
    tally.critical + tally.high + tally.medium + tally.low + tally.unknown
}

fn told(ground: &Ground<'_>, patch: &Patch) -> Claim {
    let cited = || Citation::Patch(Arc::clone(&patch.key));
    let band = Fact::new(patch.band.map_or("of unknown urgency", |band| band.word()), cited());
    let name = Fact::new(&patch.package, cited());
    let count = lacking(patch);
    let mut claim = match &patch.fix {
        Some(fix) => Claim::of(
            "{} {} is {}, lacking on {} machines",
            [name, Fact::new(fix, cited()), band, ground::count(count, cited())],
        ),
        None => {
            Claim::of("{} is {} on {} machines, and no version mends it", [name, band, ground::count(count, cited())])
        }
    };
    if patch.is_known_exploited {
        claim = claim.and(Claim::of("; what it mends is known to be exploited", []));
    }
    match patch.clocks.due_at {
        Some(at) => claim.and(Claim::of("; due at {}.", [ground.at(at, cited())])),
        None => claim.and(Claim::of(".", [])),
    }
}

/// Where a rollout stands; windows and freezes.
pub(super) fn rollout(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let is_it = |kept: &&Arc<KeptRollout>| slots.package.as_deref().is_none_or(|name| kept.rollout.plan.source == name);
    let found: Vec<_> = ground.snapshot.rollouts.iter().filter(is_it).collect();
    let mut answer = match found.first() {
        None => Answer::known(Claim::of("No such rollout was planned.", [])),
        Some(kept) => Answer::known(stands(kept)),
    };
    answer = answer.with_first(LINES_MAX, found.iter().skip(1).map(|kept| stands(kept)), Citation::Totals);
    let now = ground.now();
    let ahead: Vec<_> = ground.snapshot.agenda.iter().filter(|occasion| occasion.until > now).collect();
    let occasions = ahead.into_iter().map(|occasion| {
        let cited = || Citation::Occasion(Arc::from(occasion.name.as_str()));
        let name = Fact::new(&occasion.name, cited());
        let (from, until) = (ground.at(occasion.from, cited()), ground.at(occasion.until, cited()));
        let pattern = match (occasion.kind, occasion.from <= now) {
            (OccasionKind::Window, true) => "The window {} is open, from {} until {}.",
            (OccasionKind::Window, false) => "The window {} opens at {} and closes at {}.",
            (OccasionKind::Freeze, true) => "The freeze {} holds, from {} until {}.",
            (OccasionKind::Freeze, false) => "The freeze {} begins at {} and ends at {}.",
        };
        Claim::of(pattern, [name, from, until])
    });
    answer = answer.with_first(LINES_MAX, occasions, Citation::Totals);
    if ground.snapshot.agenda.is_empty() {
        answer.claims.push(Claim::of("No window and no freeze is set for the coming days.", []));
    }
    answer
}

fn stands(kept: &KeptRollout) -> Claim {
    let rollout = &kept.rollout;
    let cited = || Citation::Rollout(rollout.id);
    let (id, package) = (Fact::new(rollout.id, cited()), Fact::new(&rollout.plan.source, cited()));
    let (begun, all) = (Fact::new(rollout.begun, cited()), ground::count(rollout.targets.len(), cited()));
    match &rollout.state {
        RolloutState::Proposed => Claim::of("{} of {} waits for its approval.", [id, package]),
        RolloutState::Running => Claim::of("{} of {} goes on: {} of {} machines are begun.", [id, package, begun, all]),
        RolloutState::Paused { why, .. } => {
            Claim::of("{} of {} is paused: {}.", [id, package, Fact::new(why, cited())])
        }
        RolloutState::Ending { why, .. } => {
            Claim::of("{} of {} is ending: {}.", [id, package, Fact::new(why, cited())])
        }
        RolloutState::Ended { why, .. } => Claim::of("{} of {} is over: {}.", [id, package, Fact::new(why, cited())]),
    }
}
