//! Whatever is asked in whatever order: nothing unapproved begins, no identity begins twice, rules only take away.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::engine::act::policy::Decision;
use crate::engine::model::KillSwitch;
use crate::engine::settings::FreezeSettings;

/// One thing that can happen to a run.
#[derive(Debug, Clone)]
enum Event {
    Approve { step: usize, is_token_right: bool, is_target_right: bool, by: u8 },
    DryRun(usize),
    Skip(usize),
    Retry(usize),
    RunFrom(usize),
    Resume,
    Undo(usize),
    Probe(usize),
    Settle(usize, bool),
    Stop,
    Exit(usize, i32),
    Lose(usize),
    Crash,
    Tick(i64),
    Kill(bool),
    Worse(bool),
}

fn event() -> impl Strategy<Value = Event> {
    let step = 0..5_usize;
    prop_oneof![
        6 => (step.clone(), prop::bool::weighted(0.9), prop::bool::weighted(0.7), 0..3_u8)
            .prop_map(|(step, is_token_right, is_target_right, by)| Event::Approve { step, is_token_right, is_target_right, by }),
        1 => step.clone().prop_map(Event::DryRun),
        1 => step.clone().prop_map(Event::Skip),
        2 => step.clone().prop_map(Event::Retry),
        1 => step.clone().prop_map(Event::RunFrom),
        1 => Just(Event::Resume),
        2 => step.clone().prop_map(Event::Undo),
        1 => step.clone().prop_map(Event::Probe),
        1 => (step.clone(), any::<bool>()).prop_map(|(step, is)| Event::Settle(step, is)),
        1 => Just(Event::Stop),
        6 => (step.clone(), prop_oneof![4 => Just(0), 1 => Just(1), 1 => Just(7)]).prop_map(|(step, code)| Event::Exit(step, code)),
        1 => step.prop_map(Event::Lose),
        1 => Just(Event::Crash),
        4 => (1..800_000_i64).prop_map(Event::Tick),
        1 => any::<bool>().prop_map(Event::Kill),
        1 => any::<bool>().prop_map(Event::Worse),
    ]
}

fn page() -> Vec<BoundStep> {
    let mut steps = steps();
    let one_way = ActSpec { undo: None, approvals: 2, ..act("kubectl delete pod x") };
    let probed =
        ActSpec { repeat: Repeat::Probe(call("kubectl get x")), ..act("kubectl rollout undo deployment/payment") };
    steps[2] = bound("undo", StepKind::Act(Box::new(probed)), StepEffect::Reversible);
    steps.insert(3, bound("drop", StepKind::Act(Box::new(one_way)), StepEffect::Irreversible));
    steps
}

/// What the tests keep of what was allowed, without asking the code under test.
#[derive(Default)]
struct Witness {
    /// Offers that people approved, with who did and whether the target was typed.
    approvals: BTreeSet<(usize, Arc<str>, u8)>,
    begun: BTreeSet<Arc<str>>,
}

fn apply(drive: &mut Drive, event: &Event, witness: &mut Witness) {
    let ana = text(ANA);
    let offer =
        |drive: &Drive, step: usize| drive.run.steps.get(step).map_or_else(|| text(""), |it| Arc::clone(&it.offer));
    match event {
        Event::Approve { step, is_token_right, is_target_right, by } => {
            let token = if *is_token_right { offer(drive, *step) } else { text("wrong") };
            let typed = is_target_right.then_some("deployment/payment");
            let name = text(&format!("person {by}"));
            let outcome = drive.asks(|run, gate| approve(run, *step, &token, typed, &name, gate));
            if outcome.is_ok() {
                assert!(*is_token_right, "an approval with a wrong token was taken");
                witness.approvals.insert((*step, token, *by));
            }
        }
        Event::DryRun(step) => {
            let token = offer(drive, *step);
            let _refused = drive.asks(|run, gate| dry_run(run, *step, &token, &ana, gate));
        }
        Event::Skip(step) => drop(drive.asks(|run, gate| skip(run, *step, "", &ana, gate))),
        Event::Retry(step) => drop(drive.asks(|run, gate| retry(run, *step, &ana, gate))),
        Event::RunFrom(step) => drop(drive.asks(|run, gate| run_from(run, *step, "", &ana, gate))),
        Event::Resume => drop(drive.asks(|run, gate| resume(run, "", &ana, gate))),
        Event::Undo(step) => {
            let id = drive.run.steps.get(*step).map_or_else(|| text(""), |it| Arc::clone(&it.id));
            let _refused = drive.asks(|run, gate| undo(run, *step, &id, &ana, gate));
        }
        Event::Probe(step) => drop(drive.asks(|run, gate| probe(run, *step, &ana, gate))),
        Event::Settle(step, has) => drop(drive.asks(|run, gate| settle_unknown(run, *step, *has, &ana, gate))),
        Event::Stop => drop(drive.asks(|run, gate| stop(run, None, &ana, gate))),
        Event::Exit(step, code) => {
            drive.report(*step, StepProgress::Output(vec![text("payment")]));
            drive.report(*step, StepProgress::Exited { code: Some(*code), took_ms: 1 });
        }
        Event::Lose(step) => drop(drive.report(*step, StepProgress::Lost { reason: text("gone") })),
        Event::Crash => drop(drive.with(recover)),
        Event::Tick(ms) => {
            let now = drive.now + *ms;
            drive.tick(now, &[(now.0, 0.01)]);
        }
        Event::Kill(is_on) => {
            drive.safety.kill = is_on.then(|| KillSwitch { at: T0, by: text("bob"), reason: text("smoke") });
        }
        Event::Worse(is) => {
            let departing: &[(&str, f64)] = if *is { &[("payment error_ratio", 99.0)] } else { &[] };
            drive.systems.harm = harm(departing, drive.now);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_requests_begins_an_unapproved_act_or_an_identity_twice(
        events in prop::collection::vec(event(), 1..60),
    ) {
        let mut drive = Drive::new(page());
        drive.incident.services.insert(ServiceName::new("payment"), T0);
        let mut witness = Witness::default();
        for event in &events {
            let (before, was_killed) = (drive.executed.len(), drive.safety.kill.is_some());
            apply(&mut drive, event, &mut witness);
            for begun in &drive.executed[before..] {
                prop_assert!(!was_killed, "{event:?} began {begun:?} with the kill switch on");
                prop_assert!(witness.begun.insert(Arc::clone(begun.step_id())), "{event:?} began an identity twice");
                let step = begun.step();
                let is_act = drive.run.steps[step].bound.spec.act().is_some();
                if is_act && begun.purpose() == Purpose::Run {
                    let is_approval = matches!(event, Event::Approve { step: asked, .. } if *asked == step);
                    prop_assert!(is_approval, "{event:?} began an act");
                }
                if step == 3 && begun.purpose() == Purpose::Run {
                    let Event::Approve { is_target_right, .. } = event else { panic!("{event:?}") };
                    prop_assert!(is_target_right, "what cannot be undone began without its name");
                    let token = witness.approvals.iter().filter(|(at, ..)| *at == 3).map(|(_, token, _)| token.clone());
                    let most = token.map(|token| witness.approvals.iter().filter(|(_, t, _)| *t == token).count()).max();
                    prop_assert!(most >= Some(2), "one person began what takes two");
                }
            }
            let running = drive.run.steps.iter().filter(|step| matches!(step.state, StepState::Running { .. })).count();
            prop_assert!(running <= 1, "two steps of one run at once");
        }
        let acts = drive.run.steps.iter().flat_map(|step| &step.begun).filter(|begun| begun.purpose == Purpose::Run);
        let by_engine = acts.filter(|begun| begun.by.as_ref() == ENGINE).count();
        prop_assert_eq!(by_engine, 0, "SUGGEST begins nothing by itself");
    }

    #[test]
    fn a_rule_more_never_allows_more(
        is_observing: bool,
        is_killed: bool,
        is_frozen: bool,
        programs in 0..2_usize,
        step in 0..5_usize,
        events in prop::collection::vec(event(), 0..12),
    ) {
        let mut drive = Drive::new(page());
        let mut witness = Witness::default();
        for event in &events {
            apply(&mut drive, event, &mut witness);
        }
        let rank = |decision: &Decision| match decision {
            Decision::Allow { .. } => 2,
            Decision::Ask(_) => 1,
            Decision::Deny(_) => 0,
        };
        let before = drive.look(|run, gate| rank(&policy::decide(run, step, gate)));
        let needed_before = drive.look(|run, gate| policy::needs_target(run, step, gate));
        drive.settings.observe_only |= is_observing;
        if is_killed {
            drive.safety.kill = Some(KillSwitch { at: T0, by: text("bob"), reason: text("smoke") });
        }
        if is_frozen {
            let (from, until) = (T0, T0 + i64::MAX / 4);
            drive.policy.freeze.push(FreezeSettings { name: "x".to_owned(), from, until, services: None });
        }
        for _ in 0..programs {
            drive.settings.allowed_programs.retain(|program| program != "kubectl");
        }
        let after = drive.look(|run, gate| rank(&policy::decide(run, step, gate)));
        prop_assert!(after <= before);
        prop_assert!(!needed_before || drive.look(|run, gate| policy::needs_target(run, step, gate)));
    }
}
