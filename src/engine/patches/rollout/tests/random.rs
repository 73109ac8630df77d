//! Anything may happen at any time: what may never happen is looked at after each of it (`World::keep`).

use proptest::prelude::*;

use super::super::facts::{RolloutRequest, TargetEnd};
use super::super::planning::plan;
use super::super::state::RolloutState;
use super::super::target::TargetState;
use super::planning::fleets;
use super::world::{Patch, START, World, batch_of, need, rules};
use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS};
use crate::engine::model::IncidentId;
use crate::engine::settings::Portion;

#[derive(Debug, Clone)]
enum Event {
    Pass(i64),
    /// A task ends: how, and which.
    End(u8, usize),
    /// An end that nobody waits for: of which target, attempt and kind.
    Stray(usize, u32, u8),
    Probe(usize),
    Restart,
    Kill(bool),
    Freeze(bool, Option<i64>),
    Window(Option<i64>),
    Incident(usize, bool),
    Health(usize, u8),
    Reach(usize, bool),
    Silent(usize, bool),
    Ask(u8, usize),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let one = prop_oneof![
        6 => prop_oneof![Just(MINUTE_MS), Just(11 * MINUTE_MS), Just(3 * HOUR_MS), Just(49 * HOUR_MS)].prop_map(Event::Pass),
        6 => (0u8..12, any::<usize>()).prop_map(|(how, which)| Event::End(how, which)),
        1 => (any::<usize>(), 0u32..4, 0u8..7).prop_map(|(of, attempt, kind)| Event::Stray(of, attempt, kind)),
        1 => any::<usize>().prop_map(Event::Probe),
        1 => Just(Event::Restart),
        1 => any::<bool>().prop_map(Event::Kill),
        1 => (any::<bool>(), prop::option::of(0..HOUR_MS)).prop_map(|(is, next)| Event::Freeze(is, next)),
        1 => prop::option::of(0..2 * HOUR_MS).prop_map(Event::Window),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(of, is)| Event::Incident(of, is)),
        1 => (any::<usize>(), 0u8..3).prop_map(|(of, how)| Event::Health(of, how)),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(of, is)| Event::Reach(of, is)),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(of, is)| Event::Silent(of, is)),
        4 => (0u8..14, any::<usize>()).prop_map(|(what, of)| Event::Ask(what, of)),
    ];
    prop::collection::vec(one, 1..70)
}

fn set(of: &mut std::collections::BTreeSet<String>, name: String, is: bool) {
    if is {
        of.insert(name);
    } else {
        of.remove(&name);
    }
}

fn happen(world: &mut World, event: &Event) {
    let names: Vec<String> = world.rollout.plan.targets.keys().cloned().collect();
    let name = |of: usize| names[of % names.len()].clone();
    match event {
        Event::Pass(ms) => world.now = world.now + *ms,
        Event::End(how, which) if !world.tasks.is_empty() => {
            let task = world.tasks.remove(which % world.tasks.len());
            match how {
                0 => {
                    let end = if task.is_undo {
                        TargetEnd::RollBackFailed { why: "no".to_owned() }
                    } else {
                        TargetEnd::Failed { why: "no".to_owned(), may_have_changed: which % 2 == 0 }
                    };
                    world.tell(&task.target, task.attempt, &end);
                }
                1 => {
                    if which % 2 == 0 {
                        world.change(&task);
                    }
                    world.tell(&task.target, task.attempt, &TargetEnd::Lost);
                }
                // It is done, and nobody says so.
                2 => world.change(&task),
                _ => world.do_task(&task),
            }
        }
        Event::End(..) => {}
        Event::Stray(of, attempt, kind) => {
            let name = name(*of);
            let is_waited_for = world.tasks.iter().any(|task| task.target == name && task.attempt == *attempt)
                || matches!(world.rollout.targets[&name].state, TargetState::Unknown { .. });
            let end = match kind {
                0 => TargetEnd::Patched { reboot: None },
                1 => TargetEnd::Failed { why: "x".to_owned(), may_have_changed: true },
                2 => TargetEnd::RolledBack,
                3 => TargetEnd::RollBackFailed { why: "x".to_owned() },
                4 => TargetEnd::Lost,
                5 => TargetEnd::NotBegun { why: "x".to_owned() },
                _ => TargetEnd::Found { carries: true },
            };
            let in_flight = matches!(
                world.rollout.targets[&name].state,
                TargetState::Patching { .. } | TargetState::RollingBack { .. }
            );
            if !is_waited_for && !in_flight {
                let before = world.rollout.clone();
                world.tell(&name, *attempt, &end);
                assert_eq!(before, world.rollout, "{name}: {end:?} was not waited for");
            }
        }
        Event::Probe(of) => probe(world, &name(*of)),
        Event::Restart => world.restart(),
        Event::Kill(is) => world.kill = *is,
        Event::Freeze(is, next) => (world.frozen, world.freeze_in_ms) = (*is, *next),
        Event::Window(ms) => world.window_for_ms = *ms,
        Event::Incident(of, true) => drop(world.incidents.insert(name(*of), IncidentId(*of as u64 % 3))),
        Event::Incident(of, false) => drop(world.incidents.remove(&name(*of))),
        Event::Health(of, how) => {
            set(&mut world.down, name(*of), *how == 1);
            set(&mut world.unseen, name(*of), *how == 2);
        }
        Event::Reach(of, is) => set(&mut world.unreachable, name(*of), *is),
        Event::Silent(of, is) => set(&mut world.silent, name(*of), *is),
        Event::Ask(what, of) => ask(world, *what, name(*of)),
    }
}

fn probe(world: &mut World, name: &str) {
    let record = world.rollout.targets[name].clone();
    if matches!(record.state, TargetState::Unknown { .. }) {
        // Whatever was under way there is over now.
        world.tasks.retain(|task| task.target != name);
        let carries = world.carries.contains_key(name);
        world.tell(name, record.attempt, &TargetEnd::Found { carries });
    }
}

/// Asks for something; whether it is granted does not matter here.
fn ask(world: &mut World, what: u8, target: String) {
    let (by, reason) = World::why();
    let request = match what {
        0 => RolloutRequest::Pause { by, reason },
        1 => RolloutRequest::Stop { by, reason },
        2 => RolloutRequest::RollBack { by, reason },
        3 => RolloutRequest::Skip { target, by, reason },
        4 => RolloutRequest::Decide { target: Some(target), is_good: true, by, reason },
        5 => RolloutRequest::Decide { target: None, is_good: true, by, reason },
        6 => RolloutRequest::Decide { target: None, is_good: false, by, reason },
        7 => RolloutRequest::ShortenSoak { until: world.now + HOUR_MS, by, reason },
        8 => RolloutRequest::Approve { by, digest: "no such".to_owned() },
        9..=11 => RolloutRequest::Approve { by, digest: world.rollout.plan.digest.clone() },
        _ => RolloutRequest::Resume { by, reason },
    };
    let before = world.rollout.clone();
    if world.ask(&request).is_err() {
        assert_eq!(before, world.rollout, "what is refused changes nothing");
    }
}

/// Everything is in order again, and a person settles what is theirs to settle: then it must come to its end.
fn drain(world: &mut World) {
    (world.kill, world.frozen, world.freeze_in_ms, world.window_for_ms) = (false, false, None, Some(DAY_MS));
    world.incidents.clear();
    for of in [&mut world.down, &mut world.unseen, &mut world.unreachable, &mut world.silent] {
        of.clear();
    }
    world.patch = Patch::Good;
    for _ in 0..400 {
        world.do_tasks();
        for name in world.rollout.plan.targets.keys().cloned().collect::<Vec<_>>() {
            probe(world, &name);
            ask(world, 4, name);
        }
        for what in [5, 9, 12] {
            ask(world, what, String::new());
        }
        let is_idle = world.rollout.under_way().next().is_none() && world.tasks.is_empty();
        world.pass(if is_idle { 7 * HOUR_MS } else { 11 * MINUTE_MS });
        if world.rollout.is_over() {
            return;
        }
    }
    panic!("it does not end: {:#?}", world.rollout);
}

proptest! {
    #[test]
    fn whatever_happens_the_rules_hold_and_every_target_ends_told(
        fleet in fleets(),
        batch in 1u32..4,
        least in 0u32..2,
        failures in 0u32..2,
        patch in prop_oneof![3 => Just(Patch::Good), 1 => Just(Patch::Bad), 1 => Just(Patch::BadLater), 1 => Just(Patch::BadInProduction)],
        events in events(),
    ) {
        let mut of = batch_of(batch);
        of.failures = failures;
        of.healthy_min = if least == 0 { Portion::Percent(50) } else { Portion::Count(least) };
        let plan = plan(&need(fleet), &rules(of), START);
        prop_assume!(!plan.targets.is_empty());
        let mut world = World::new(plan, patch);
        for event in &events {
            let was_over = matches!(world.rollout.state, RolloutState::Ending { .. } | RolloutState::Ended { .. });
            let begun = world.rollout.begun;
            happen(&mut world, event);
            world.advance();
            prop_assert!(!was_over || world.rollout.begun == begun, "a stopped rollout began something");
            let again = world.rollout.advance(&world, world.now);
            prop_assert_eq!(&again.0, &world.rollout, "to look twice at the same instant changes nothing");
        }
        drain(&mut world);
        for (name, record) in &world.rollout.targets {
            let word = record.state.word();
            let is_told = ["done", "reboot unknown", "failed", "rolled back", "cannot roll back", "skipped", "waiting"];
            prop_assert!(is_told.contains(&word), "{name} ends as {word}");
            prop_assert!(record.number == 0 || word != "waiting" || !record.carries, "{name} was begun and waits");
            let truth = world.carries.contains_key(name);
            prop_assert!(word != "done" || truth, "{name} is done without its patch");
            prop_assert!(word != "rolled back" || !truth, "{name} is rolled back and has the patch");
        }
    }
}
