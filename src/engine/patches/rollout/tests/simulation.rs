//! A thousand fleets with a bad patch each: how many hosts it hurts.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;

use super::super::plan::StageKind;
use super::super::planning::{Candidate, plan};
use super::super::state::{RolloutEnd, RolloutState};
use super::world::{Patch, START, World, batch_of, candidate, need, rules};
use crate::engine::clock::{HOUR_MS, MINUTE_MS};
use crate::engine::patches::inventory::Environment;

fn fleet(random: &mut Pcg64) -> Vec<Candidate> {
    let services = ["shop", "pay", "search", "mail"];
    let staging = random.random_range(2..6);
    let production = random.random_range(4..40);
    let of = |number: usize, random: &mut Pcg64| {
        let environment = if number < staging { Environment::Staging } else { Environment::Production };
        let ring = if random.random_bool(0.2) { "canary" } else { "main" };
        let mut one =
            candidate(&format!("h{number:02}"), environment, ring, &[services[random.random_range(0..services.len())]]);
        one.traits.class = ["web", "web", "replica", "primary"][random.random_range(0..4usize)].to_owned();
        one
    };
    (0..staging + production).map(|number| of(number, random)).collect()
}

#[test]
fn a_bad_patch_hurts_no_more_than_it_must() {
    let mut figures: BTreeMap<&str, BTreeMap<usize, usize>> = BTreeMap::new();
    let mut hosts = 0;
    for seed in 0..1_000u64 {
        let mut random = Pcg64::seed_from_u64(seed);
        let patch = [Patch::Bad, Patch::BadInProduction, Patch::BadLater][random.random_range(0..3usize)];
        let batch = random.random_range(1..4);
        let plan = plan(&need(fleet(&mut random)), &rules(batch_of(batch)), START);
        hosts += plan.targets.len();
        let staged: usize = plan
            .stages
            .iter()
            .filter(|stage| stage.kind == StageKind::Staging)
            .flat_map(|stage| &stage.batches)
            .map(Vec::len)
            .sum();
        let mut world = World::new(plan, patch);
        world.approve();
        for _ in 0..2_000 {
            world.do_tasks();
            // Nothing but time passes in a soak.
            let is_soaking = world.rollout.under_way().next().is_none() && world.tasks.is_empty();
            world.pass(if is_soaking { HOUR_MS } else { 5 * MINUTE_MS });
            if world.rollout.is_over() {
                break;
            }
        }
        assert!(
            matches!(world.rollout.state, RolloutState::Ended { end: RolloutEnd::RolledBack, .. }),
            "seed {seed}, {patch:?}: {:?}",
            world.rollout.state
        );
        assert!(world.carries.is_empty() && world.opened.len() == 1, "seed {seed}");
        let most = usize::try_from(batch).unwrap();
        let (name, bound) = match patch {
            Patch::Bad => ("bad at once", most),
            Patch::BadInProduction => ("bad in production only", most),
            // It is bad after hours, so all of staging has it by then; production never does.
            _ => ("bad after three hours", staged),
        };
        let hurt = world.hurt.len();
        assert!(hurt <= bound, "seed {seed}: {hurt} hurt, {bound} may be");
        assert!(
            patch != Patch::BadLater
                || world
                    .hurt
                    .iter()
                    .all(|name| { world.rollout.plan.targets[name].environment == Environment::Staging })
        );
        *figures.entry(name).or_default().entry(hurt).or_default() += 1;
    }
    let mut report = format!("1000 fleets, {hosts} hosts\n");
    for (name, counts) in &figures {
        let fleets: usize = counts.values().sum();
        report.push_str(&format!("{name}, {fleets} fleets; hosts hurt -> fleets: {counts:?}\n"));
    }
    // Shown with --nocapture; the bounds above are what is tested.
    std::io::Write::write_all(&mut std::io::stdout(), report.as_bytes()).unwrap();
    assert_eq!(figures.len(), 3);
}
