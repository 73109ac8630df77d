//! Every shipped runbook against simulated targets: the right world is mended by the acts it should be mended by, a world
//! that only looks alike is left alone, and nothing that was not mended passes for mended.

mod causes;
mod drive;
mod infrastructure;
mod platform;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use hypocenter::engine::model::{RunState, StepKind};
use hypocenter::engine::runbooks::Library;

use self::drive::{Played, play};
use self::world::{End, Fate, Kind};

/// Worlds for each kind of incident.
const SEEDS: u64 = 60;
/// Of the worlds, so many percent must be walked along the right branch.
const RIGHT_PERCENT_MIN: usize = 95;

fn kinds() -> Vec<&'static Kind> {
    [causes::KINDS, infrastructure::KINDS, platform::KINDS].into_iter().flatten().collect()
}

/// What came of all worlds of one kind.
#[derive(Default)]
struct Tally {
    played: usize,
    right: usize,
    harmful: usize,
    false_passes: usize,
    by_world: BTreeMap<String, (usize, usize)>,
    wrong: Vec<String>,
}

impl Tally {
    fn take(&mut self, played: &Played) {
        let ended_right = match played.end {
            End::Mended => played.state == RunState::Succeeded && played.is_mended,
            End::Stopped => played.state != RunState::Succeeded,
        };
        let is_wanted = |act: &String| played.wanted.contains(act) || played.may_follow.contains(act);
        let is_harmful = !played.acts.iter().all(is_wanted);
        let is_trail = played.acts == played.wanted
            || !played.may_follow.is_empty() && played.acts.starts_with(&played.wanted) && !is_harmful;
        let is_right = is_trail && ended_right;
        let is_false_pass = played.state == RunState::Succeeded && !played.is_mended;
        self.played += 1;
        self.right += usize::from(is_right);
        self.harmful += usize::from(is_harmful);
        self.false_passes += usize::from(is_false_pass);
        let of_world = self.by_world.entry(played.world.clone()).or_default();
        of_world.0 += 1;
        of_world.1 += usize::from(is_right);
        if !is_right && self.wrong.len() < 6 {
            self.wrong.push(played.told());
        }
    }
}

#[test]
fn every_kind_of_incident_is_mended_where_it_is_that_and_left_alone_where_it_is_not() {
    let library = Library::shipped();
    assert_eq!(library.problems(), []);
    println!("{:<44} worlds  right  harmful  false passes", "kind");
    let mut failed = Vec::new();
    let mut total = Tally::default();
    for kind in kinds() {
        let mut tally = Tally::default();
        let proposal = drive::offer(&library, kind, true).unwrap_or_else(|| panic!("{} is not offered", kind.name));
        for seed in 0..SEEDS {
            let played = play(&proposal, kind, seed);
            tally.take(&played);
            total.take(&played);
        }
        println!(
            "{:<44} {:>6} {:>6} {:>8} {:>13}",
            kind.name, tally.played, tally.right, tally.harmful, tally.false_passes
        );
        let is_right = tally.right * 100 >= tally.played * RIGHT_PERCENT_MIN;
        if !is_right || tally.harmful > 0 || tally.false_passes > 0 {
            failed.push(format!("{}: {:?}\n{}", kind.name, tally.by_world, tally.wrong.join("\n")));
        }
    }
    println!("{:<44} {:>6} {:>6} {:>8} {:>13}", "all", total.played, total.right, total.harmful, total.false_passes);
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn every_runbook_that_acts_is_played_with_a_decoy() {
    let library = Library::shipped();
    let acts = |step: &hypocenter::engine::model::StepSpec| matches!(step.kind, StepKind::Act(_));
    let acting: BTreeSet<&str> =
        library.iter().filter(|runbook| runbook.steps.iter().any(acts)).map(|runbook| runbook.id.as_ref()).collect();
    let played: BTreeSet<&str> = kinds().iter().map(|kind| kind.runbook).collect();
    assert_eq!(acting, played);
    for kind in kinds() {
        let has = |end: End| kind.worlds.iter().any(|world| world.end == end);
        assert!(has(End::Stopped), "{}: no world that only looks alike", kind.name);
        assert!(kind.is_never_right || has(End::Mended), "{}: no world that it mends", kind.name);
    }
}

#[test]
fn every_act_of_every_runbook_happens_in_some_world() {
    let library = Library::shipped();
    let wanted = |id: &str| -> BTreeSet<&str> {
        let kinds = kinds().into_iter().filter(|kind| kind.runbook == id);
        kinds.flat_map(|kind| kind.worlds).flat_map(|world| world.trail).copied().collect()
    };
    for runbook in library.iter() {
        for step in runbook.steps.iter().filter(|step| matches!(step.kind, StepKind::Act(_))) {
            assert!(wanted(&runbook.id).contains(step.name.as_ref()), "{}: {} never happens", runbook.id, step.name);
        }
    }
}

#[test]
fn a_runbook_for_an_alert_is_not_offered_without_it() {
    let library = Library::shipped();
    for kind in kinds() {
        let runbook = library.get(kind.runbook).unwrap();
        if runbook.alerts.is_empty() {
            continue;
        }
        assert!(drive::offer(&library, kind, true).is_some(), "{}", kind.name);
        assert!(drive::offer(&library, kind, false).is_none(), "{} is offered without its alert", kind.name);
    }
}

#[test]
fn the_same_seed_plays_the_same_world() {
    let library = Library::shipped();
    let kind = kinds()[0];
    let proposal = drive::offer(&library, kind, true).unwrap();
    assert_eq!(play(&proposal, kind, 7).told(), play(&proposal, kind, 7).told());
    let fates: BTreeSet<Fate> = (0..SEEDS).map(|seed| world::fate(kind, seed).0).collect();
    assert!(fates.len() >= 4, "{fates:?}");
}
