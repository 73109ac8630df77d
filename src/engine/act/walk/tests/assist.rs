//! ASSIST: what begins by itself, and every single thing that keeps it from doing so.

use super::gate::{decision, done, one_act};
use super::*;
use crate::engine::act::policy::Decision;
use crate::engine::clock::DAY_MS;
use crate::engine::model::{
    Buckets, Evidence, EvidenceKind, Hypothesis, RolloutId, RolloutTarget, RunSubject, Score, ShadowRecord,
};
use crate::engine::settings::GateSettings;

/// Everything that lets the one act of the page begin by itself.
fn assisted() -> Drive {
    let mut proposal = proposal(one_act("kubectl rollout undo deployment/payment"));
    let mut runbook = proposal.runbook.as_ref().clone();
    runbook.verified = Some(T0.date().into());
    proposal.runbook = Arc::new(runbook);
    Drive::of(&proposal, |drive| {
        drive.policy.mode = AutonomyMode::Assist;
        drive.policy.assist = vec![ActionKind::Rollback];
        drive.safety.shadow.insert(ActionKind::Rollback, ShadowRecord { agreed: 20, differed: 0 });
        drive.incident.ranking.hypotheses = vec![hypothesis(0.97)];
    })
}

fn hypothesis(confidence: f64) -> Hypothesis {
    let evidence = |kind| Evidence { kind, text: text("x"), weight: 1.0, at: None, target: None };
    Hypothesis {
        kind: CauseKind::BadDeploy,
        service: ServiceName::new("payment"),
        change: None,
        title: text("deploy"),
        confidence: Score::new(confidence),
        evidence_for: vec![evidence(EvidenceKind::Change), evidence(EvidenceKind::Deviation)],
        evidence_against: Vec::new(),
        impact_chain: Vec::new(),
        buckets: Buckets::default(),
        disproved_by: text(""),
    }
}

#[test]
fn assist_begins_after_its_veto_and_not_before() {
    let mut drive = assisted();
    assert_eq!(drive.run.steps[0].begins_at, Some(T0 + 30_000));
    drive.now = T0 + 29_999;
    assert!(!drive.with(on_tick));
    drive.now = T0 + 30_000;
    assert!(drive.with(on_tick));
    assert_eq!(drive.executed.len(), 1);
    assert_eq!(drive.run.steps[0].approved_by.as_deref(), Some(ENGINE));
    assert!(drive.notices.is_empty(), "at 97 % nobody is woken");
}

#[test]
fn between_the_thresholds_people_are_told_and_below_them_asked() {
    for (confidence, begins, tells) in
        [(0.85, true, false), (0.84, true, true), (0.65, true, true), (0.64, false, false)]
    {
        let mut drive = assisted();
        drive.incident.ranking.hypotheses = vec![hypothesis(confidence)];
        drive.now = T0 + 30_000;
        drive.with(on_tick);
        assert_eq!((!drive.executed.is_empty(), !drive.notices.is_empty()), (begins, tells), "{confidence}");
    }
    let mut drive = assisted();
    drive.policy.gate = vec![GateSettings {
        action: Some(ActionKind::Rollback),
        services: Some("pay.*".to_owned()),
        act: Some(99),
        notify: Some(98),
    }];
    assert!(matches!(decision(&drive, 0), Decision::Ask(_)), "a stricter gate for this kind and service");
}

#[test]
fn what_refuses_is_named_the_count_or_the_agreement() {
    for (agreed, differed, says) in [
        (19, 0, "19 of 19 silent trials; 20 are wanted"),
        (25, 5, "25 of 30 silent trials: at least 66 % are to be expected, 83.8 % are wanted"),
    ] {
        let mut drive = assisted();
        drive.safety.shadow.insert(ActionKind::Rollback, ShadowRecord { agreed, differed });
        let Decision::Ask(why) = decision(&drive, 0) else { panic!("{agreed} of {}", agreed + differed) };
        assert!(why.contains(says), "{why}");
    }
}

/// What a gate of one's own leaves out is as the policy says, and never begins at any confidence.
#[test]
fn a_gate_that_leaves_a_confidence_out_takes_the_policys() {
    for (act, notify, confidence, begins, is_told) in [
        (None, None, 0.64, false, false),
        (None, None, 0.649, false, false),
        (None, None, 0.849, true, true),
        (None, None, 0.65, true, true),
        (None, None, 0.85, true, false),
        (Some(95), None, 0.3, false, false),
        (Some(95), None, 0.94, true, true),
        (Some(95), None, 0.95, true, false),
        (Some(50), None, 0.49, false, false),
        (Some(50), None, 0.5, true, false),
        (None, Some(80), 0.79, false, false),
        (None, Some(80), 0.84, true, true),
        (None, Some(80), 0.85, true, false),
        (Some(101), None, 1.0, false, false),
        (Some(101), Some(90), 0.95, true, true),
    ] {
        let mut drive = assisted();
        drive.policy.gate = vec![GateSettings { act, notify, ..GateSettings::default() }];
        drive.incident.ranking.hypotheses = vec![hypothesis(confidence)];
        let (have_begins, have_told) = match decision(&drive, 0) {
            Decision::Allow { must_notify, .. } => (true, must_notify),
            _ => (false, false),
        };
        assert_eq!((have_begins, have_told), (begins, is_told), "act {act:?}, notify {notify:?}, {confidence}");
    }
}

#[test]
fn where_nobody_can_be_told_what_people_must_be_told_of_waits_for_them() {
    for (confidence, can_tell, begins) in [(0.7, true, true), (0.7, false, false), (0.9, false, true)] {
        let mut drive = assisted();
        drive.incident.ranking.hypotheses = vec![hypothesis(confidence)];
        let decision = drive.look(|run, gate| policy::decide(run, 0, &Gate { can_tell, ..*gate }));
        assert_eq!(matches!(decision, Decision::Allow { .. }), begins, "{confidence} {can_tell}: {decision:?}");
    }
}

#[test]
fn what_was_done_follows_an_incident_through_merges_and_splits() {
    let mut drive = assisted();
    let mut incidents = BTreeMap::from([(IncidentId(42), Arc::new(drive.incident.clone()))]);
    let mut put = |id: u64, merged_into: Option<u64>, split_from: Option<u64>| {
        let (merged_into, split_from) = (merged_into.map(IncidentId), split_from.map(IncidentId));
        incidents
            .insert(IncidentId(id), Arc::new(Incident { id: IncidentId(id), merged_into, split_from, ..incident() }));
    };
    // 1 became a part of 2, 3 was split off from 2, and 4 from 3.
    put(1, Some(2), None);
    put(2, None, None);
    put(3, None, Some(2));
    put(4, None, Some(3));
    let mut run = done(&drive.run, RunId(10), ENGINE);
    run.subject = IncidentId(1).into();
    run.started_at = Timestamp(0);
    drive.earlier.insert(RunId(10), Arc::new(run));
    let count = |id: u64| {
        drive.look(|_, gate| {
            policy::acts_begun(&Gate { incidents: &incidents, ..*gate }, &IncidentId(id).into()).by_engine
        })
    };
    assert_eq!([1, 2, 3, 4, 42].map(count), [1, 1, 1, 1, 0]);
}

/// Each condition by itself turns "begins by itself" into "a person must say so".
#[test]
fn every_condition_of_assist_is_needed() {
    type Spoil = fn(&mut Drive);
    let spoils: [(&str, Spoil); 16] = [
        ("mode", |drive| drive.policy.mode = AutonomyMode::Suggest),
        ("not listed", |drive| drive.policy.assist = vec![ActionKind::Restart]),
        ("no trials", |drive| drive.safety.shadow.clear()),
        ("few trials", |drive| {
            drive.safety.shadow.insert(ActionKind::Rollback, ShadowRecord { agreed: 19, differed: 0 });
        }),
        ("trials that differed", |drive| {
            drive.safety.shadow.insert(ActionKind::Rollback, ShadowRecord { agreed: 25, differed: 5 });
        }),
        ("irreversible", |drive| drive.run.steps[0].bound.spec.effect = StepEffect::Irreversible),
        ("no way back", |drive| change_act(drive, |act| act.undo = None)),
        ("dangerous", |drive| change_act(drive, |act| act.danger = Danger::High)),
        ("many targets", |drive| change_act(drive, |act| act.targets_max = 2)),
        ("two people", |drive| change_act(drive, |act| act.approvals = 2)),
        ("a mistake of its page", |drive| {
            change_runbook(drive, |runbook| runbook.mistake = Some(text("line 3: no way back")));
        }),
        ("never verified", |drive| change_runbook(drive, |runbook| runbook.verified = None)),
        ("expired", |drive| drive.now = drive.now + 91 * DAY_MS),
        ("no cause", |drive| drive.incident.ranking.unresolved = Some(text("too close"))),
        ("another cause", |drive| drive.incident.ranking.hypotheses[0].kind = CauseKind::DiskFull),
        ("one kind of evidence", |drive| {
            drive.incident.ranking.hypotheses[0].evidence_for.truncate(1);
        }),
    ];
    assert!(matches!(decision(&assisted(), 0), Decision::Allow { .. }));
    for (name, spoil) in spoils {
        let mut drive = assisted();
        spoil(&mut drive);
        assert!(matches!(decision(&drive, 0), Decision::Ask(_)), "{name}");
    }
}

fn change_act(drive: &mut Drive, change: impl FnOnce(&mut ActSpec)) {
    if let StepKind::Act(act) = &mut drive.run.steps[0].bound.spec.kind {
        change(act);
    }
}

fn change_runbook(drive: &mut Drive, change: impl FnOnce(&mut Runbook)) {
    let mut runbook = drive.run.runbook.as_ref().clone();
    change(&mut runbook);
    drive.run.runbook = Arc::new(runbook);
}

#[test]
fn the_ninth_act_by_itself_waits_for_a_person_and_merges_add_up() {
    for (count, into_other, begins) in [(7, false, true), (8, false, false), (8, true, false)] {
        let mut drive = assisted();
        let mut incidents = BTreeMap::new();
        for id in 10..10 + count {
            let mut run = done(&drive.run, RunId(id), ENGINE);
            change_call(&mut run, id);
            if into_other {
                run.subject = IncidentId(41).into();
                let merged = Incident { id: IncidentId(41), merged_into: Some(IncidentId(42)), ..incident() };
                incidents.insert(IncidentId(41), Arc::new(merged));
            }
            drive.earlier.insert(RunId(id), Arc::new(run));
        }
        incidents.insert(IncidentId(42), Arc::new(drive.incident.clone()));
        let is_allowed = drive.look(|run, gate| {
            let gate = Gate { incidents: &incidents, ..*gate };
            matches!(policy::decide(run, 0, &gate), Decision::Allow { .. })
        });
        assert_eq!(is_allowed, begins, "{count}, merged: {into_other}");
        assert!(!matches!(decision(&drive, 0), Decision::Deny(_)), "a person may still");
    }
}

/// So that it is another act than the one asked about.
fn change_call(run: &mut Run, number: u64) {
    if let StepKind::Act(act) = &mut run.steps[0].bound.spec.kind {
        act.call = call(&format!("kubectl apply {number}"));
    }
    run.steps[0].bound.digest = format!("digest-{number}").into();
}

#[test]
fn two_runs_that_did_not_help_open_the_breaker_until_a_person_resets_it() {
    let mut drive = assisted();
    for id in [10, 11] {
        let mut run = done(&drive.run, RunId(id), ANA);
        change_call(&mut run, id);
        (run.state, run.has_held) = (RunState::Failed, None);
        drive.earlier.insert(RunId(id), Arc::new(run));
        assert_eq!(matches!(decision(&drive, 0), Decision::Allow { .. }), id == 10);
    }
    drive.safety.breaker_reset_at = Some(T0);
    assert!(matches!(decision(&drive, 0), Decision::Allow { .. }));
}

#[test]
fn every_failed_attempt_of_one_run_counts_for_the_breaker() {
    let blank = assisted();
    // Purposes of what was begun, what became of the last, whether the run held, and how many count.
    let (run, undo) = (Purpose::Run, Purpose::Undo);
    let failed = StepState::Failed { at: T0, reason: text("exit code 1") };
    let undone = StepState::Undone { at: T0, by: text(ANA) };
    let done_state = StepState::Succeeded { at: T0 };
    let skipped = StepState::Skipped { at: T0, by: text(ANA), reason: text("enough") };
    let (well, unknown) = (RunState::Succeeded, StepState::Unknown { since: T0 });
    let cases = vec![
        (vec![run], &done_state, well, Some(true), 0),
        (vec![run], &done_state, well, None, 1),
        (vec![run], &done_state, well, Some(false), 1),
        (vec![run], &done_state, RunState::Active, None, 0),
        (vec![run], &done_state, RunState::Stopped, None, 1),
        (vec![run], &failed, RunState::Failed, None, 1),
        (vec![run, run], &failed, RunState::Failed, None, 2),
        (vec![run, run, run], &done_state, well, Some(true), 2),
        (vec![run], &unknown, RunState::Stopped, None, 1),
        (vec![run], &undone, RunState::Paused, None, 1),
        (vec![run, undo, run], &done_state, well, Some(true), 1),
        (vec![run, undo, undo], &undone, RunState::Paused, None, 2),
        (vec![run], &skipped, well, None, 1),
        (vec![Purpose::DryRun, run], &done_state, well, Some(true), 0),
        (vec![run, Purpose::Probe], &unknown, RunState::Interrupted, None, 1),
    ];
    for (at, (begun, state, run_state, has_held, wanted)) in cases.into_iter().enumerate() {
        let mut other = done(&blank.run, RunId(10), ANA);
        (other.state, other.has_held) = (run_state, has_held);
        other.steps[0].state = state.clone();
        let begin =
            |purpose: &Purpose| Beginning { id: text("x"), at: T0, by: text(ANA), purpose: *purpose, is_void: false };
        other.steps[0].begun = begun.iter().map(begin).collect();
        assert_eq!(policy::failures(&other).len(), wanted, "case {at}");
        let mut drive = assisted();
        change_call(&mut other, 10);
        drive.earlier.insert(RunId(10), Arc::new(other));
        assert_eq!(drive.look(|_, gate| policy::breaker(gate)).is_some(), wanted >= 2, "case {at}");
    }
}

/// A run for one machine of a rollout, whose act the engine began.
fn of_rollout(run: &Run, number: u64, begun: &[Purpose], state: StepState) -> Run {
    let mut run = done(run, RunId(200 + number), ENGINE);
    let asset = format!("web-{number}");
    run.subject = RunSubject::Rollout(RolloutTarget { rollout: RolloutId(7), asset: asset.as_str().into() });
    (run.cause, run.has_held, run.steps[0].state) = (None, None, state);
    run.steps[0].bound.spec.touches = asset.as_str().into();
    let begin =
        |purpose: &Purpose| Beginning { id: text("x"), at: T0, by: text(ENGINE), purpose: *purpose, is_void: false };
    run.steps[0].begun = begun.iter().map(begin).collect();
    change_call(&mut run, number);
    run
}

#[test]
fn what_a_rollout_did_well_neither_opens_the_breaker_nor_uses_the_hour_up() {
    let (run, undo) = (Purpose::Run, Purpose::Undo);
    let succeeded = StepState::Succeeded { at: T0 };
    let undone = StepState::Undone { at: T0, by: text(ANA) };
    let failed = StepState::Failed { at: T0, reason: text("exit code 100") };
    let cases = vec![
        (vec![run], succeeded.clone(), 0),
        (vec![run, undo], undone.clone(), 0),
        (vec![run, undo, run], succeeded.clone(), 0),
        (vec![run], failed.clone(), 1),
        (vec![run], StepState::Unknown { since: T0 }, 1),
        (vec![run, run], succeeded.clone(), 1),
        (vec![run, undo, undo], undone, 1),
    ];
    let blank = assisted();
    for (at, (begun, state, wanted)) in cases.into_iter().enumerate() {
        let other = of_rollout(&blank.run, 1, &begun, state);
        assert_eq!(policy::failures(&other).len(), wanted, "case {at}");
    }
    let after = |count: u64, state: &StepState| {
        let mut drive = assisted();
        for number in 0..count {
            let other = of_rollout(&drive.run, number, &[run], state.clone());
            drive.earlier.insert(other.id, Arc::new(other));
        }
        (drive.look(|_, gate| policy::breaker(gate)), decision(&drive, 0))
    };
    let (breaker, decided) = after(40, &succeeded);
    assert_eq!(breaker, None);
    assert!(matches!(decided, Decision::Allow { .. }), "{decided:?}");
    // Three machines that a rollout broke are three reasons for a person to look before anything else begins by itself.
    assert!(after(3, &failed).0.is_some_and(|why| why.contains("3 acts failed")));
}

#[test]
fn a_remedy_that_does_not_last_is_not_begun_again_by_itself() {
    let mut drive = assisted();
    for id in [10, 11] {
        let mut run = done(&drive.run, RunId(id), ANA);
        run.subject = IncidentId(id).into();
        change_call(&mut run, id);
        drive.earlier.insert(RunId(id), Arc::new(run));
    }
    assert!(matches!(decision(&drive, 0), Decision::Ask(why) if why.contains("escalate, mend the cause")));
    assert!(drive.look(|run, gate| policy::needs_target(run, 0, gate)));
    // Where it is offered for the first time people are called, once.
    let told = |drive: &Drive| drive.notices.iter().filter(|notice| notice.text.contains("mend the cause")).count();
    for _ in 0..2 {
        drive.run.state = RunState::Paused;
        if told(&drive) == 0 {
            drive.run.steps[0].state = StepState::Pending;
            drive.run.steps[0].offer = text("");
        }
        drive.asks(|run, gate| resume(run, "looked at", &text(ANA), gate)).unwrap();
        assert_eq!(told(&drive), 1);
    }
    assert!(drive.notices.iter().any(|notice| notice.is_urgent && notice.text.contains("helped 2 times")));
}

#[test]
fn an_act_by_itself_that_makes_things_worse_is_taken_back() {
    let mut drive = assisted();
    drive.incident.services.insert(ServiceName::new("payment"), T0);
    drive.now = T0 + 30_000;
    drive.with(on_tick);
    drive.exit(0, 0);
    drive.run.state = RunState::Active;
    drive.now = drive.now + 60_000;
    drive.systems.harm = harm(&[("payment latency", 9.0)], drive.now);
    drive.with(on_tick);
    assert_eq!(drive.executed.last().unwrap().purpose(), Purpose::Undo);
    assert!(drive.notices.last().unwrap().is_urgent);
    drive.exit(0, 0);
    assert!(matches!(drive.run.steps[0].state, StepState::Undone { .. }));
    assert_eq!(drive.run.state, RunState::Paused, "and handed over");
}

#[test]
fn a_target_cools_down_and_an_hour_has_only_so_many_acts_by_itself() {
    let with = |of: &dyn Fn(&mut Run), count: u64, ago_ms: i64| {
        let mut drive = assisted();
        for id in 0..count {
            let mut other = done(&drive.run, RunId(100 + id), ANA);
            (other.subject, other.cause) = (IncidentId(7).into(), None);
            change_call(&mut other, id);
            other.steps[0].begun[0].at = T0 - ago_ms;
            of(&mut other);
            drive.earlier.insert(other.id, Arc::new(other));
        }
        drive
    };
    let minute = crate::engine::clock::MINUTE_MS;
    let cooling = with(&|_| {}, 1, 10 * minute - 1);
    assert!(
        matches!(decision(&cooling, 0), Decision::Ask(why) if why.contains("cools down until") && why.contains("RUN-100"))
    );
    assert!(matches!(decision(&with(&|_| {}, 1, 10 * minute), 0), Decision::Allow { .. }));
    // Another name of the same target is the same target, another target is not.
    let longer = with(&|run| run.steps[0].bound.spec.touches = text("node-1, statefulset/payment"), 1, minute);
    assert!(matches!(decision(&longer, 0), Decision::Ask(_)));
    let elsewhere = |run: &mut Run| run.steps[0].bound.spec.touches = text("elsewhere");
    assert!(matches!(decision(&with(&elsewhere, 1, minute), 0), Decision::Allow { .. }));
    // People are not refused; they see it.
    let mut person = with(&|_| {}, 1, minute);
    person.policy.mode = AutonomyMode::Suggest;
    let said = decision(&person, 0);
    assert!(matches!(&said, Decision::Ask(text) if text.contains("cool-down until")), "{said:?}");
    person.policy.cooldown = crate::engine::settings::Span(0);
    assert!(!decision(&person, 0).text().contains("cool-down"));

    let by_itself = |run: &mut Run| {
        elsewhere(run);
        run.steps[0].begun[0].by = text(ENGINE);
    };
    for (count, ago_ms, may) in [(11, minute, true), (12, minute, false), (12, 60 * minute, true)] {
        let drive = with(&by_itself, count, ago_ms);
        assert_eq!(matches!(decision(&drive, 0), Decision::Allow { .. }), may, "{count} {ago_ms}");
    }
    assert!(
        matches!(decision(&with(&elsewhere, 12, minute), 0), Decision::Allow { .. }),
        "those of people do not count"
    );
    let mut none = assisted();
    none.policy.hourly_max = 0;
    assert!(matches!(decision(&none, 0), Decision::Ask(why) if why.contains("0 of at most 0")));
}
