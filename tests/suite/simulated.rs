//! Lives of the program under faults on a clock of their own, a bounded number of them; and races for the same offer.
//! `hypo simulate` runs as many as one likes.

use hypocenter::engine::simulate::{self, Faults, Plan};

/// Calls of the outside world that all lives together come to at least: what is tested is counted by what happened, and
/// not by how long it took.
const POINTS_MIN: u64 = 3_000;

#[test]
fn no_rule_is_broken_whatever_goes_wrong() {
    let (mut points, mut seed) = (0, 1);
    let (mut starts, mut by_itself, mut crashes, mut in_doubt) = (0, 0, 0, 0);
    while points < POINTS_MIN {
        let outcome = simulate::run(&Plan::new(seed, 30)).unwrap();
        assert_eq!(outcome.broken, None, "{outcome}");
        points += outcome.points;
        starts += outcome.counts.starts;
        by_itself += outcome.counts.by_itself;
        crashes += outcome.counts.crashes;
        in_doubt += outcome.counts.in_doubt;
        seed += 1;
    }
    // A simulation in which nothing happens proves nothing.
    assert!(starts > 250 && by_itself > 1 && crashes > 4 && in_doubt > 5, "{starts} {by_itself} {crashes} {in_doubt}");
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_gives_another() {
    let plan = Plan::new(77, 12);
    let first = simulate::run(&plan).unwrap();
    assert_eq!(simulate::run(&plan).unwrap(), first);
    assert_ne!(simulate::run(&Plan { seed: 78, ..plan }).unwrap().hash, first.hash);
    let calm = simulate::run(&Plan { faults: Faults::NONE, ..plan }).unwrap();
    assert_eq!((calm.broken, calm.counts.crashes), (None, 0));
    let late = Plan { from_point: u64::MAX, ..plan };
    assert_eq!(simulate::run(&late).unwrap().counts.crashes, 0, "no fault before its time");
}

#[test]
fn it_may_die_at_every_other_call_of_a_short_life() {
    let plan = Plan { faults: Faults::NONE, ..Plan::new(5, 2) };
    let points = simulate::run(&plan).unwrap().points;
    assert!(points > 30, "{points}");
    for point in (1..=points.min(120)).step_by(2) {
        let outcome = simulate::run(&Plan { crash_at: Some(point), ..plan }).unwrap();
        assert_eq!(outcome.broken, None, "{outcome}");
        assert_eq!(outcome.counts.crashes, 1, "at {point}");
    }
}

#[test]
fn every_fourth_write_of_a_short_life_may_fail() {
    let plan = Plan { faults: Faults::NONE, ..Plan::new(5, 2) };
    for write in (1..=60).step_by(4) {
        let outcome = simulate::run(&Plan { fail_at: Some(write), ..plan }).unwrap();
        assert_eq!(outcome.broken, None, "{outcome}");
        assert_eq!(outcome.counts.failures, 1, "write {write}");
    }
}

#[test]
fn faults_are_named_as_on_the_command_line() {
    assert_eq!(Faults::of_words("all"), Ok(Faults::ALL));
    assert_eq!(Faults::of_words(&Faults::WORDS.join(", ")), Ok(Faults::ALL));
    assert_eq!(Faults::of_words("none"), Ok(Faults::NONE));
    assert_eq!(Faults::of_words("crash"), Ok(Faults { crash: true, ..Faults::NONE }));
    assert!(Faults::of_words("rain").unwrap_err().contains("`rain`"));
}

/// Races of people for the same offer; `HYPO_RACES` asks for another number.
const RACES: u64 = 4_000;

#[test]
fn of_all_who_answer_the_same_offer_one_is_obeyed_and_the_others_told_so() {
    let wanted = std::env::var("HYPO_RACES").ok().and_then(|count| count.parse().ok()).unwrap_or(RACES);
    let raced = simulate::races(wanted, 1).unwrap();
    println!("{raced}");
    assert_eq!((raced.broken.clone(), raced.races), (None, wanted), "{raced}");
    // Races in which nobody is late, and nothing is called or stopped, prove nothing.
    assert!(raced.contested > wanted / 4 && raced.calls > wanted / 4 && raced.stale > wanted / 4, "{raced}");
    assert!(raced.done > wanted && raced.retries > wanted / 100 && raced.stops > wanted / 100, "{raced}");
    assert!(raced.kills > wanted / 100, "{raced}");
}

#[test]
fn the_same_seed_gives_the_same_races_and_another_gives_others() {
    let raced = simulate::races(60, 7).unwrap();
    assert_eq!(simulate::races(60, 7).unwrap(), raced);
    assert_ne!(simulate::races(60, 8).unwrap().requests, raced.requests);
}

/// Lives in which the engine may begin acts by itself, long enough for its bounds to be reached.
const OWN_SEEDS: [u64; 2] = [2, 10];

#[test]
fn what_begins_by_itself_stays_within_its_bounds() {
    let mut by_itself = 0;
    for seed in OWN_SEEDS {
        let outcome = simulate::run(&Plan::new(seed, 60)).unwrap();
        assert_eq!(outcome.broken, None, "{outcome}");
        by_itself += outcome.counts.by_itself;
    }
    assert!(by_itself > 0, "{by_itself}");
    // A life that comes to the bound of an hour, and not beyond it.
    let alone = Plan { is_left_alone: true, faults: Faults::NONE, ..Plan::new(1, 60) };
    let outcome = simulate::run(&alone).unwrap();
    assert_eq!((outcome.broken.as_ref(), outcome.counts.most_in_an_hour), (None, 12), "{outcome}");
}
