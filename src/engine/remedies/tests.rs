//! What is learnt, and what it makes of the next choice.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::engine::clock::Timestamp;
use crate::engine::model::{
    ActSpec, Beginning, BlastRadius, BoundStep, Call, Danger, IncidentId, Repeat, RunId, RunStep, Runbook,
    RunbookPlace, ServiceName, StepEffect, StepSpec,
};
use crate::engine::world::fixtures;

fn step(action: ActionKind) -> BoundStep {
    let act = ActSpec {
        action,
        call: Call::Command { argv: vec!["kubectl".into()] },
        dry_run: None,
        undo: None,
        rollback_text: "".into(),
        repeat: Repeat::Never,
        prechecks: Vec::new(),
        not_restarting: Vec::new(),
        expect: "".into(),
        danger: Danger::Medium,
        targets_max: 1,
        expected: "".into(),
        within_ms: 0,
        approvals: 1,
        blast: BlastRadius::default(),
    };
    let spec = StepSpec {
        name: "act".into(),
        title: "act".into(),
        text: "".into(),
        kind: StepKind::Act(Box::new(act)),
        effect: StepEffect::Reversible,
        touches: "x".into(),
        timeout_ms: 1_000,
    };
    BoundStep { spec, digest: "d".into() }
}

fn proposal(id: &str, action: ActionKind) -> Proposal {
    Proposal {
        runbook: Arc::new(Runbook {
            id: id.into(),
            title: id.into(),
            version: "1".into(),
            content_hash: "h".into(),
            owner: "o".into(),
            origin: "shipped".into(),
            problems: vec![CauseKind::Overload],
            service_pattern: "".into(),
            place: RunbookPlace::Anywhere,
            includes: Vec::new(),
            mistake: None,
            params: BTreeMap::new(),
            symptoms: Vec::new(),
            alerts: Vec::new(),
            verified: None,
            expires_days: 90,
            acts_max: 1,
            estimate_seconds: 120,
            steps: Vec::new(),
        }),
        params: BTreeMap::new(),
        steps: vec![step(action)],
        reason: "against overload of cart".into(),
        service: ServiceName::new("cart"),
        cause: Some((CauseKind::Overload, ServiceName::new("cart"))),
    }
}

/// A run of one act that ended as told.
fn ended(action: ActionKind, state: RunState, has_held: Option<bool>) -> Run {
    let began = Beginning { id: "i".into(), at: Timestamp(0), by: "ana".into(), purpose: Purpose::Run, is_void: false };
    let step = RunStep {
        state: StepState::Succeeded { at: Timestamp(0) },
        begun: vec![began],
        ..RunStep::pending(step(action), Timestamp(0))
    };
    Run {
        id: RunId(1),
        subject: IncidentId(1).into(),
        runbook: Arc::clone(&proposal("x", action).runbook),
        params: BTreeMap::new(),
        cause: Some((CauseKind::Overload, ServiceName::new("cart"))),
        state,
        word: "".into(),
        is_escalated: false,
        has_held,
        steps: vec![step],
        started_at: Timestamp(0),
        ended_at: Some(Timestamp(5 * MINUTE_MS)),
        started_by: "ana".into(),
        was_first: true,
    }
}

fn learnt(outcomes: &[(ActionKind, u32, u32)]) -> Remedies {
    let mut remedies = Remedies::default();
    for (action, helped, failed) in outcomes {
        for _ in 0..*helped {
            assert!(remedies.learn(None, &ended(*action, RunState::Succeeded, Some(true))));
        }
        for _ in 0..*failed {
            assert!(remedies.learn(None, &ended(*action, RunState::Failed, None)));
        }
    }
    remedies
}

fn both() -> Vec<Proposal> {
    vec![proposal("scale-out", ActionKind::Scale), proposal("rollback-deploy", ActionKind::Rollback)]
}

fn first_of(remedies: &Remedies, incident: u64) -> Arc<str> {
    let incident = Incident { id: IncidentId(incident), ..fixtures::incident(1, "cart", 0) };
    Arc::clone(&remedies.order(both(), &incident, |_| true)[0].runbook.id)
}

#[test]
fn what_is_not_known_yet_changes_nothing() {
    let remedies = Remedies::default();
    for incident in 1..50 {
        assert_eq!(first_of(&remedies, incident).as_ref(), "scale-out");
    }
    let order = remedies.order(both(), &fixtures::incident(1, "cart", 0), |_| true);
    assert_eq!(order[0].reason.as_ref(), "against overload of cart", "and nothing is claimed");
}

#[test]
fn what_helped_comes_first_nearly_always_and_says_why() {
    let remedies = learnt(&[(ActionKind::Rollback, 9, 0), (ActionKind::Scale, 1, 5)]);
    let firsts = (1..=200).filter(|incident| first_of(&remedies, *incident).as_ref() == "rollback-deploy").count();
    assert!((190..=200).contains(&firsts), "{firsts} of 200");
    let order = remedies.order(both(), &fixtures::incident(1, "cart", 0), |_| true);
    assert!(
        order[0].reason.contains("scale helped in 1 of 6 cases of overload, rollback in 9 of 9"),
        "{}",
        order[0].reason
    );
}

#[test]
fn while_little_is_known_the_other_is_tried_now_and_then() {
    let remedies = learnt(&[(ActionKind::Scale, 2, 1)]);
    let others = (1..=400).filter(|incident| first_of(&remedies, *incident).as_ref() == "rollback-deploy").count();
    assert!((40..300).contains(&others), "{others} of 400");
}

#[test]
fn the_same_knowledge_gives_the_same_order() {
    let remedies = learnt(&[(ActionKind::Scale, 2, 2)]);
    let again = Remedies::from_text(&remedies.to_text()).unwrap();
    assert_eq!(again, remedies);
    assert!((1..100).all(|incident| first_of(&remedies, incident) == first_of(&again, incident)));
}

#[test]
fn what_is_not_permitted_comes_last_however_well_it_helped() {
    let remedies = learnt(&[(ActionKind::Rollback, 9, 0), (ActionKind::Scale, 0, 9)]);
    let order =
        remedies.order(both(), &fixtures::incident(1, "cart", 0), |it| it.runbook.id.as_ref() != "rollback-deploy");
    assert_eq!(order[0].runbook.id.as_ref(), "scale-out");
}

#[test]
fn only_what_is_known_is_learnt() {
    let mut remedies = Remedies::default();
    assert!(!remedies.learn(None, &ended(ActionKind::Scale, RunState::Succeeded, None)), "it has not held yet");
    for state in [RunState::Active, RunState::Paused, RunState::Interrupted] {
        assert!(!remedies.learn(None, &ended(ActionKind::Scale, state, None)), "{state:?}: it is not over");
    }
    let mut idle = ended(ActionKind::Scale, RunState::Failed, None);
    idle.steps[0].begun.clear();
    assert!(!remedies.learn(None, &idle), "it did nothing");
    assert!(remedies.learn(None, &ended(ActionKind::Scale, RunState::Succeeded, Some(false))));
    assert_eq!(remedies.tally(CauseKind::Overload, ActionKind::Scale).failed, 1);
}

/// A run of these acts, each where it stands.
fn of_several(acts: &[(ActionKind, StepState)], state: RunState, has_held: Option<bool>) -> Run {
    let mut run = ended(ActionKind::Other, state, has_held);
    let step = |(action, state): &(ActionKind, StepState)| RunStep {
        state: state.clone(),
        ..ended(*action, RunState::Active, None).steps.remove(0)
    };
    run.steps = acts.iter().map(step).collect();
    run
}

#[test]
fn every_kind_of_act_that_was_begun_shares_in_what_came_of_the_run() {
    use ActionKind::{Restart, Rollback, Scale};
    let done = || StepState::Succeeded { at: Timestamp(0) };
    let undone = || StepState::Undone { at: Timestamp(0), by: "ana".into() };
    let failed = || StepState::Failed { at: Timestamp(0), reason: "exit code 1".into() };
    let skipped = || StepState::Skipped { at: Timestamp(0), by: "ana".into(), reason: "no".into() };
    let counts = |run: &Run| {
        let mut remedies = Remedies::default();
        remedies.learn(None, run);
        [Scale, Restart, Rollback].map(|action| {
            let tally = remedies.tally(CauseKind::Overload, action);
            (tally.helped, tally.failed)
        })
    };
    let held = (RunState::Succeeded, Some(true));
    for (acts, (state, has_held), wanted) in [
        (vec![(Scale, done()), (Restart, done())], held, [(1, 0), (1, 0), (0, 0)]),
        // What was taken back, failed or was passed over after it had failed did not help; what came then did.
        (vec![(Scale, undone()), (Rollback, done())], held, [(0, 1), (0, 0), (1, 0)]),
        (vec![(Scale, failed()), (Rollback, done())], held, [(0, 1), (0, 0), (1, 0)]),
        (vec![(Scale, skipped()), (Rollback, done())], held, [(0, 1), (0, 0), (1, 0)]),
        // A kind helped where one of it did; each kind is one case.
        (vec![(Scale, failed()), (Scale, done())], held, [(1, 0), (0, 0), (0, 0)]),
        (vec![(Scale, done()), (Restart, done())], (RunState::Succeeded, Some(false)), [(0, 1), (0, 1), (0, 0)]),
        (vec![(Scale, done()), (Restart, failed())], (RunState::Failed, None), [(0, 1), (0, 1), (0, 0)]),
        (vec![(Scale, done())], (RunState::Stopped, None), [(0, 1), (0, 0), (0, 0)]),
        (
            vec![(Scale, StepState::Unknown { since: Timestamp(0) })],
            (RunState::Stopped, None),
            [(0, 1), (0, 0), (0, 0)],
        ),
    ] {
        assert_eq!(counts(&of_several(&acts, state, has_held)), wanted, "{acts:?} {state:?}");
    }
    // One that was stopped once its verification had held teaches nothing.
    let mut verified = of_several(&[(Scale, done())], RunState::Stopped, None);
    let mut seen = verified.steps[0].clone();
    let goal = crate::engine::model::MetricGoal { metric: "m".into(), service: "s".into(), below: None, above: None };
    seen.bound.spec.kind = StepKind::Verify { goal, hold_ms: 1, samples_min: 1, volume: None };
    verified.steps.push(seen);
    assert_eq!(counts(&verified), [(0, 0); 3]);
}

#[test]
fn a_run_that_is_led_on_teaches_what_came_of_it_in_the_end_and_once() {
    let mut remedies = Remedies::default();
    let failed = ended(ActionKind::Scale, RunState::Failed, None);
    let active = ended(ActionKind::Scale, RunState::Active, None);
    let held = ended(ActionKind::Scale, RunState::Succeeded, Some(true));
    assert!(remedies.learn(Some(&active), &failed));
    assert!(!remedies.learn(Some(&failed), &failed), "the same again is no news");
    assert!(remedies.learn(Some(&failed), &active), "a person tries once more");
    assert!(remedies.learn(Some(&active), &held));
    let tally = remedies.tally(CauseKind::Overload, ActionKind::Scale);
    assert_eq!((tally.helped, tally.failed, tally.failed_minutes), (1, 0, 0.0));
}

#[test]
fn a_page_is_priced_by_every_kind_of_act_it_would_begin() {
    // Its first act helped always, its second never; the other page's one act helped always.
    let remedies = learnt(&[(ActionKind::Scale, 40, 0), (ActionKind::Restart, 0, 40), (ActionKind::Rollback, 40, 0)]);
    let mut two = proposal("scale-and-restart", ActionKind::Scale);
    two.steps.push(step(ActionKind::Restart));
    for incident in 1..50 {
        let incident = Incident { id: IncidentId(incident), ..fixtures::incident(1, "cart", 0) };
        let order =
            remedies.order(vec![two.clone(), proposal("rollback-deploy", ActionKind::Rollback)], &incident, |_| true);
        assert_eq!(order[0].runbook.id.as_ref(), "rollback-deploy");
        assert!(order[0].reason.contains("restart in 0 of 40"), "{}", order[0].reason);
    }
}

/// Two remedies, one that helps in 80 % of cases and one in 30 %: the better one is found and kept to.
#[test]
fn over_many_incidents_the_better_remedy_is_found() {
    let mut remedies = Remedies::default();
    let mut world = Pcg64::seed_from_u64(7);
    let mut good = 0;
    for incident in 1..=300 {
        // Something is known from the start, so that the order is open.
        let first = if incident == 1 { Arc::from("scale-out") } else { first_of(&remedies, incident) };
        let (action, share) =
            if first.as_ref() == "scale-out" { (ActionKind::Scale, 0.3) } else { (ActionKind::Rollback, 0.8) };
        good += usize::from(incident > 100 && action == ActionKind::Rollback);
        let helps = rand::Rng::random_bool(&mut world, share);
        let state = if helps { RunState::Succeeded } else { RunState::Failed };
        remedies.learn(None, &ended(action, state, helps.then_some(true)));
    }
    assert!(good >= 180, "{good} of the last 200");
}
