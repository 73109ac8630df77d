//! The gate, row by row: what is asked for, and what it says.

use super::*;
use crate::engine::act::policy::Decision;
use crate::engine::clock::MINUTE_MS;
use crate::engine::limits::VERIFY_FRESH_MS;
use crate::engine::model::DATABASE_PROOFS;
use crate::engine::model::KillSwitch;
use crate::engine::settings::FreezeSettings;

pub(super) fn one_act(line: &str) -> Vec<BoundStep> {
    vec![bound("act", act_kind(line), StepEffect::Reversible)]
}

pub(super) fn decision(drive: &Drive, step: usize) -> Decision {
    drive.look(|run, gate| policy::decide(run, step, gate))
}

fn is_denied(drive: &Drive, says: &str) -> bool {
    matches!(decision(drive, 0), Decision::Deny(why) if why.contains(says))
}

#[test]
fn an_approval_is_for_what_was_shown() {
    let mut drive = Drive::new(steps());
    let changed = GateRefusal::Changed { run: RunId(3), step: 0 };
    assert_eq!(drive.approve_as_shown(0, "older", None), Err(changed.clone()));
    assert_eq!(drive.approve_as_shown(0, "", None), Err(changed));
    assert_eq!(drive.approve(1), Err(GateRefusal::NotOffered { run: RunId(3), step: 1 }));
    assert_eq!(drive.approve_as_shown(9, "", None), Err(GateRefusal::NotOffered { run: RunId(3), step: 9 }));
    drive.approve(0).unwrap();
    assert_eq!(drive.approve(0), Err(GateRefusal::NotOffered { run: RunId(3), step: 0 }), "used up");
}

#[test]
fn an_offer_grows_old_and_is_made_anew() {
    let mut drive = Drive::new(steps());
    let token = Arc::clone(&drive.run.steps[0].offer);
    drive.now = T0 + 10 * MINUTE_MS + 1;
    assert_eq!(drive.approve(0), Err(GateRefusal::Expired { run: RunId(3), step: 0 }));
    assert!(drive.with(on_tick));
    assert_ne!(drive.run.steps[0].offer, token);
    assert_eq!(drive.approve_as_shown(0, &token, None), Err(GateRefusal::Changed { run: RunId(3), step: 0 }));
    drive.approve(0).unwrap();
}

#[test]
fn what_is_risky_asks_for_its_target() {
    let risky = ActSpec { danger: Danger::High, ..act("kubectl delete pod") };
    for (kind, effect) in [
        (act_kind("kubectl delete pod"), StepEffect::Irreversible),
        (StepKind::Act(Box::new(risky)), StepEffect::Reversible),
    ] {
        let mut drive = Drive::new(vec![bound("drop", kind, effect)]);
        for typed in ["", "deployment/orders"] {
            assert!(matches!(
                drive.approve_typed(0, typed),
                Err(GateRefusal::TargetNotTyped(target)) if target.as_ref() == "deployment/payment"
            ));
        }
        assert!(drive.approve(0).is_err());
        drive.approve_typed(0, "deployment/payment").unwrap();
    }
}

#[test]
fn programs_that_are_not_listed_never_start() {
    for (line, is_allowed) in [
        ("kubectl get pods", true),
        ("/opt/own/tool now", true),
        ("rm -rf /", false),
        ("/tmp/kubectl get pods", false),
        ("./kubectl get pods", false),
        ("bin/kubectl get pods", false),
        ("", false),
    ] {
        let mut drive = Drive::new(one_act(line));
        drive.settings.allowed_programs.push("/opt/own/tool".to_owned());
        assert_eq!(drive.approve(0).is_ok(), is_allowed, "{line}");
    }
    let remote = Call::Ssh { host: text("db-1"), argv: argv("chronyc makestep") };
    let act = ActSpec { call: remote, ..act("") };
    let mut drive = Drive::new(vec![bound("act", StepKind::Act(Box::new(act)), StepEffect::Reversible)]);
    assert!(is_denied(&drive, "`ssh` is not among"), "a way out of the machine is asked for by name");
    drive.settings.allowed_programs.push("ssh".to_owned());
    assert!(is_denied(&drive, "`chronyc` on db-1 is not among `programs` under [runbooks.ssh]"));
    drive.settings.ssh.programs.push("/usr/bin/chronyc".to_owned());
    assert!(is_denied(&drive, "`chronyc` on db-1"), "a path does not stand for a name");
    drive.settings.ssh.programs.push("chronyc".to_owned());
    drive.approve(0).unwrap();
    let here = Drive::new(one_act("chronyc makestep"));
    assert!(is_denied(&here, "allowed_programs"), "what may be started there may not be started here");
}

#[test]
fn kubectl_over_ssh_may_look_and_not_act() {
    let remote =
        |program: &str, verb: &str| Call::Ssh { host: text("jump-1"), argv: argv(&format!("{program} {verb} pod x")) };
    let drive = |call: Call| {
        let spec = ActSpec { call, ..act("") };
        let mut drive = Drive::new(vec![bound("act", StepKind::Act(Box::new(spec)), StepEffect::Reversible)]);
        drive.settings.allowed_programs.extend(["ssh", "/opt/kubectl"].map(str::to_owned));
        drive
    };
    for program in ["kubectl", "/opt/kubectl"] {
        assert!(is_denied(&drive(remote(program, "delete")), "run it as a local step"));
    }
    let look = Look::Call { call: remote("kubectl", "get"), expect: text(""), exit: 0, lines_min: 0, only: None };
    let check = StepKind::Check(CheckSpec { look, otherwise: Unexpected::Pause, proves: Vec::new() });
    let mut drive = Drive::new(vec![bound("look", check, StepEffect::Read)]);
    drive.settings.allowed_programs.push("ssh".to_owned());
    drive.approve(0).unwrap();
}

#[test]
fn observing_denies_acts_and_lets_looking_be() {
    for (is_setting, mode) in [(true, AutonomyMode::Assist), (false, AutonomyMode::Observe)] {
        let mut drive = Drive::new(steps());
        drive.settings.observe_only = is_setting;
        drive.policy.mode = mode;
        drive.policy.assist = ActionKind::ALL.to_vec();
        drive.walk_to_offered_act();
        assert!(matches!(drive.approve(2), Err(GateRefusal::Denied(_))));
    }
}

#[test]
fn the_kill_switch_denies_everything_that_calls() {
    let kill = KillSwitch { at: T0, by: text("bob"), reason: text("smoke") };
    let mut drive = Drive::new(steps());
    drive.approve(0).unwrap();
    drive.safety.kill = Some(kill.clone());
    assert!(matches!(drive.approve(1), Err(GateRefusal::Denied(why)) if why.contains("bob: smoke")));
    drive.safety.kill = None;
    drive.approve(1).unwrap();
    drive.say(1, "payment");
    drive.exit(1, 0);
    drive.safety.kill = Some(kill);
    let token = Arc::clone(&drive.run.steps[2].offer);
    assert!(drive.asks(|run, gate| dry_run(run, 2, &token, &text(ANA), gate)).is_err());
    assert!(drive.approve(2).is_err());
    drive.safety.kill = None;
    drive.approve(2).unwrap();
    drive.exit(2, 0);
    drive.safety.kill = Some(KillSwitch { at: T0, by: text("bob"), reason: text("smoke") });
    let id = Arc::clone(&drive.run.steps[2].id);
    assert!(drive.asks(|run, gate| undo(run, 2, &id, &text(ANA), gate)).is_err());
}

#[test]
fn acts_are_counted_by_run_and_peoples_are_counted_beside_the_engines() {
    let acts: Vec<BoundStep> = (0..3)
        .map(|n| bound(&format!("act{n}"), act_kind(&format!("kubectl apply {n}")), StepEffect::Reversible))
        .collect();
    let mut drive = Drive::new(acts);
    for step in 0..2 {
        drive.approve(step).unwrap();
        drive.exit(step, 0);
    }
    assert!(matches!(drive.approve(2), Err(GateRefusal::Denied(why)) if why.contains("at most 2 in this run")));
    let count = drive.look(|_, gate| policy::acts_begun(gate, &IncidentId(42).into()));
    assert_eq!((count.by_people, count.by_engine), (2, 0));
}

/// The run with every step of it begun by `by` and done, under another number.
pub(super) fn done(run: &Run, id: RunId, by: &str) -> Run {
    let mut run = Run { id, state: RunState::Succeeded, ended_at: Some(T0), has_held: Some(true), ..run.clone() };
    for step in &mut run.steps {
        step.state = StepState::Succeeded { at: T0 };
        step.approved_by = Some(text(by));
        let id = format!("{id}").into();
        step.begun = vec![Beginning { id, at: T0 - 600_000, by: text(by), purpose: Purpose::Run, is_void: false }];
    }
    run
}

#[test]
fn what_another_run_did_takes_the_typed_target_once_more() {
    let page = || one_act("kubectl rollout undo deployment/payment");
    let blank = Drive::new(page());
    let with_earlier = |change: &dyn Fn(&mut Run)| {
        let mut earlier = done(&blank.run, RunId(2), ANA);
        change(&mut earlier);
        Drive::of(&proposal(page()), |drive| {
            drive.earlier.insert(RunId(2), Arc::new(earlier));
        })
    };
    let mut drive =
        with_earlier(&|run| run.steps[0].state = StepState::Failed { at: T0, reason: text("stopped by a person") });
    assert_eq!(drive.run.steps[0].done_before, Some(RunId(2)));
    assert!(drive.run.steps[0].gate_text.starts_with("RUN-2 did exactly this"), "{}", drive.run.steps[0].gate_text);
    assert!(matches!(drive.approve(0), Err(GateRefusal::TargetNotTyped(_))));
    drive.approve_typed(0, "deployment/payment").unwrap();
    // Of another incident, or only tried dry: no second time.
    let other = with_earlier(&|run| run.subject = IncidentId(41).into());
    assert_eq!(other.run.steps[0].done_before, None);
    let dry = with_earlier(&|run| run.steps[0].begun[0].purpose = Purpose::DryRun);
    assert_eq!(dry.run.steps[0].done_before, None);
}

#[test]
fn an_identity_is_begun_once_whatever_the_run() {
    let mut drive = Drive::new(one_act("kubectl apply"));
    let mut twin = done(&drive.run, RunId(2), ANA);
    twin.steps[0].begun[0].id = Arc::clone(&drive.run.steps[0].id);
    twin.steps[0].bound.digest = text("another page");
    drive.earlier.insert(RunId(2), Arc::new(twin));
    let refused = drive.approve_typed(0, "deployment/payment");
    assert_eq!(refused, Err(GateRefusal::BegunBefore { run: RunId(3), step: 0 }));
}

#[test]
fn a_resolved_incident_takes_no_acts() {
    let mut drive = Drive::new(one_act("kubectl apply"));
    drive.incident.state = IncidentState::Resolved;
    assert!(matches!(drive.approve(0), Err(GateRefusal::Denied(why)) if why.contains("reopen")));
}

#[test]
fn a_freeze_holds_its_services_and_its_time() {
    let freeze = |from: i64, until: i64, services: Option<&str>| FreezeSettings {
        name: "sale".to_owned(),
        from: T0 + from,
        until: T0 + until,
        services: services.map(str::to_owned),
    };
    for (settings, is_frozen) in [
        (freeze(-1, 1, None), true),
        (freeze(0, 1, Some("payment")), true),
        (freeze(0, 1, Some("pay")), false),
        (freeze(0, 1, Some("(")), true),
        (freeze(1, 2, None), false),
        (freeze(-2, 0, None), false),
    ] {
        let mut drive = Drive::new(one_act("kubectl apply"));
        drive.policy.freeze = vec![settings.clone()];
        assert_eq!(is_denied(&drive, "change freeze `sale`"), is_frozen, "{settings:?}");
    }
}

#[test]
fn a_target_that_is_being_changed_is_taken() {
    let mut drive = Drive::new(one_act("kubectl apply"));
    let mut other = done(&drive.run, RunId(2), ANA);
    other.subject = IncidentId(7).into();
    other.steps[0].state = StepState::Running { since: T0, purpose: Purpose::Run };
    drive.earlier.insert(RunId(2), Arc::new(other.clone()));
    assert!(is_denied(&drive, "RUN-2 is acting on deployment/payment"));
    // What nobody hears of any more may still be under way until its time is over and it was told to end.
    let begun_at = other.steps[0].acts_begun().last().unwrap().at;
    let is_over_at = begun_at + other.steps[0].bound.spec.timeout_ms + 30_000;
    other.steps[0].state = StepState::Unknown { since: begun_at };
    drive.earlier.insert(RunId(2), Arc::new(other.clone()));
    for (now, is_taken) in [(is_over_at + -1, true), (is_over_at, false)] {
        drive.now = now;
        assert_eq!(is_denied(&drive, "the end of what RUN-2 did to deployment/payment is unknown"), is_taken);
    }
    // Whatever looks whether it happened ends it first.
    other.steps[0].state = StepState::Running { since: T0, purpose: Purpose::Probe };
    drive.earlier.insert(RunId(2), Arc::new(other.clone()));
    assert!(is_denied(&drive, "RUN-2 is acting on deployment/payment"));
    drive.now = T0;
    other.steps[0].state = StepState::Running { since: T0, purpose: Purpose::Run };
    other.steps[0].bound.spec.touches = text("deployment/cart");
    drive.earlier.insert(RunId(2), Arc::new(other));
    assert!(!is_denied(&drive, "is acting"));
}

#[test]
fn a_denied_step_tells_the_reason_of_this_moment() {
    let mut drive = Drive::new(one_act("kubectl apply"));
    let mut other = done(&drive.run, RunId(2), ANA);
    other.subject = IncidentId(7).into();
    let begun_at = other.steps[0].acts_begun().last().unwrap().at;
    other.steps[0].state = StepState::Running { since: T0, purpose: Purpose::Run };
    drive.earlier.insert(RunId(2), Arc::new(other.clone()));
    assert!(drive.with(on_tick));
    assert!(drive.run.steps[0].gate_text.contains("RUN-2 is acting on deployment/payment this moment"));
    let offer = Arc::clone(&drive.run.steps[0].offer);
    assert!(!drive.with(on_tick), "nothing is new");
    other.steps[0].state = StepState::Unknown { since: begun_at };
    drive.earlier.insert(RunId(2), Arc::new(other));
    drive.now = begun_at + 1;
    assert!(drive.with(on_tick));
    assert!(drive.run.steps[0].gate_text.starts_with("the end of what RUN-2 did to deployment/payment is unknown"));
    assert_eq!(drive.run.steps[0].offer, offer, "what was offered is the same");
    assert!(!drive.with(on_tick));
}

#[test]
fn what_another_run_left_over_on_a_target_is_ended_before_it_is_acted_on() {
    for (touches, ended) in [("deployment/payment", Some("RUN-2")), ("deployment/cart", None)] {
        let mut drive = Drive::new(one_act("kubectl apply"));
        let mut other = done(&drive.run, RunId(2), ANA);
        other.subject = IncidentId(7).into();
        other.state = RunState::Interrupted;
        other.steps[0].begun[0].at = T0 - 900_000;
        other.steps[0].state = StepState::Unknown { since: T0 - 900_000 };
        other.steps[0].bound.spec.touches = text(touches);
        drive.earlier.insert(RunId(2), Arc::new(other));
        drive.approve_typed(0, "deployment/payment").unwrap();
        assert_eq!(drive.executed.last().unwrap().ends_first().map(AsRef::as_ref), ended);
    }
}

#[test]
fn a_database_is_restarted_only_after_every_proof_of_this_run() {
    let restart = ActSpec { action: ActionKind::Restart, ..act("systemctl restart postgresql") };
    let mut step = bound("restart", StepKind::Act(Box::new(restart)), StepEffect::Reversible);
    step.spec.touches = text("orders-db");
    let proofs = DATABASE_PROOFS.map(|proof| {
        let look = Look::Call { call: call("psql"), expect: text(""), exit: 0, lines_min: 0, only: None };
        let check = CheckSpec { look, otherwise: Unexpected::GoOn, proves: vec![text(proof)] };
        bound(proof, StepKind::Check(check), StepEffect::Read)
    });
    // Every subset of proofs, each missing one passed over, unmet, or skipped.
    for known in 0..32_u32 {
        let page: Vec<BoundStep> = proofs.iter().cloned().chain([step.clone()]).collect();
        let mut drive = Drive::new(page);
        for index in 0..5 {
            let is_known = known & (1 << index) != 0;
            if is_known || index % 2 == 0 {
                drive.approve(index).unwrap();
                drive.exit(index, i32::from(!is_known));
            } else {
                drive.asks(|run, gate| skip(run, index, "in a hurry", &text(ANA), gate)).unwrap();
            }
        }
        let refused = drive.approve(5);
        assert_eq!(refused.is_ok(), known == 31, "{known:05b}: {refused:?}");
        if known == 31 {
            let mut other = done(&drive.run, RunId(2), ANA);
            other.subject = IncidentId(7).into();
            let mut again = Drive::new(vec![step.clone()]);
            again.earlier.insert(RunId(2), Arc::new(other));
            assert!(is_denied(&again, "has not proved"), "proofs of another run count nothing");
            // Another try of the very step waits like any other.
            let since = drive.now;
            drive.exit(5, 1);
            drive.asks(|run, gate| retry(run, 5, &text(ANA), gate)).unwrap();
            drive.now = since + 10 * 60_000;
            assert!(matches!(decision(&drive, 5), Decision::Deny(why) if why.contains("15 min")));
            drive.now = since + 15 * 60_000;
            assert!(matches!(decision(&drive, 5), Decision::Deny(why) if why.contains("has not proved within 15 min")));
            for step in &mut drive.run.steps[..5] {
                step.state = StepState::Succeeded { at: drive.now };
            }
            assert!(!matches!(decision(&drive, 5), Decision::Deny(_)), "looked at anew it may be tried again");
            let is_barred = |drive: &Drive| drive.look(|run, gate| policy::is_barred(run, 0, gate));
            assert!(!is_barred(&again), "they may still come in this one");
            again.settings.allowed_programs.clear();
            assert!(is_barred(&again));
        }
    }
}

#[test]
fn a_restart_of_a_database_by_another_name_is_one() {
    let denied = |action: ActionKind, line: &str, target: &str, says: &str| {
        let spec = ActSpec { action, ..act(line) };
        let mut step = bound("act", StepKind::Act(Box::new(spec)), StepEffect::Reversible);
        step.spec.touches = text(target);
        is_denied(&Drive::new(vec![step]), says)
    };
    for (action, line, target, is_restart) in [
        (ActionKind::Other, "systemctl restart postgresql", "orders-db", true),
        (ActionKind::Configure, "systemctl STOP postgresql", "orders-db", true),
        (ActionKind::Other, "psql -c select/pg_promote()", "orders-db", true),
        (ActionKind::Other, "curl http://orders-db/switchover", "orders-db", true),
        (ActionKind::Other, "kubectl scale unstoppable", "orders-db", false),
        (ActionKind::Other, "kubectl delete pod orders-db-0", "orders-db-0", true),
        (ActionKind::Scale, "kubectl scale statefulset/orders-db --replicas=0", "orders-db", true),
        (ActionKind::Scale, "kubectl scale statefulset/orders-db --replicas 0", "orders-db", true),
        (ActionKind::Scale, "kubectl scale statefulset/orders-db --replicas=3", "orders-db", false),
        (ActionKind::Rollback, "/usr/bin/kubectl rollout undo statefulset/orders-db", "orders-db", true),
        (ActionKind::Other, "delete-old-rows orders-db", "orders-db", false),
        (ActionKind::Other, "kubectl get restarts", "orders-db", false),
        (ActionKind::Other, "systemctl restart shop", "shop", false),
        (ActionKind::Restart, "kubectl scale", "orders-db", true),
    ] {
        assert_eq!(denied(action, line, target, "has not proved"), is_restart, "{action:?} {line} {target}");
    }
}

#[test]
fn a_precheck_without_data_refuses() {
    let checked = ActSpec { prechecks: vec![MetricGoal { below: Some(30.0), ..goal() }], ..act("kubectl apply") };
    let mut drive = Drive::new(vec![bound("act", StepKind::Act(Box::new(checked)), StepEffect::Reversible)]);
    assert!(is_denied(&drive, "there is no data"));
    drive.systems.readings = vec![reading(T0.0, 31.0)];
    assert!(is_denied(&drive, "not below 30"));
    drive.systems.readings = vec![reading(T0.0, 29.0)];
    assert!(!is_denied(&drive, "precheck"));
    for (age, is_known) in [(VERIFY_FRESH_MS, true), (VERIFY_FRESH_MS + 1, false)] {
        drive.systems.readings = vec![reading(T0.0 - age, 29.0)];
        assert_eq!(!is_denied(&drive, "there is no data"), is_known, "{age}");
    }
}

#[test]
fn what_never_started_is_neither_taken_back_nor_held_against_anything() {
    let mut drive = Drive::new(steps());
    drive.walk_to_running_act();
    drive.report(2, StepProgress::NotStarted { reason: text("HPA owns it") });
    assert!(!drive.run.steps[2].stands());
    let token = Arc::clone(&drive.run.steps[2].id);
    let refusal = drive.asks(|run, gate| undo(run, 2, &token, &text(ANA), gate));
    assert!(matches!(refusal, Err(GateRefusal::NoUndo { .. })), "{refusal:?}");
    assert_eq!(drive.look(|run, gate| policy::done_before(run, 2, gate)), None);
    assert!(policy::failures(&drive.run).is_empty());
    assert_eq!(drive.look(|run, gate| policy::acts_begun(gate, &run.subject)).by_people, 1, "the budget counts it");
    let told: Vec<bool> = drive.changes.iter().map(|change| change.has_taken_effect).collect();
    assert_eq!(told, [false], "whoever was told of its beginning hears that nothing came of it");
}

#[test]
fn taking_back_what_takes_a_database_down_needs_the_proofs_too() {
    let mild = ActSpec { undo: Some(call("kubectl rollout undo statefulset/orders-db")), ..act("kubectl set env x") };
    let mut step = bound("act", StepKind::Act(Box::new(mild)), StepEffect::Reversible);
    step.spec.touches = text("orders-db");
    let mut drive = Drive::new(vec![step]);
    drive.approve(0).unwrap();
    drive.exit(0, 0);
    let token = Arc::clone(&drive.run.steps[0].id);
    let refusal = drive.asks(|run, gate| undo(run, 0, &token, &text(ANA), gate));
    assert!(matches!(&refusal, Err(GateRefusal::Denied(why)) if why.contains("has not proved")), "{refusal:?}");
}

#[test]
fn what_was_restarted_a_moment_ago_is_waited_for_where_the_page_says_so() {
    let restart = ActSpec { action: ActionKind::Restart, ..act("systemctl restart shop") };
    let mut restart = bound("restart", StepKind::Act(Box::new(restart)), StepEffect::Reversible);
    restart.spec.touches = text("unit/shop");
    let mut earlier = Drive::new(vec![restart]);
    earlier.approve(0).unwrap();
    earlier.exit(0, 0);
    let other = done(&earlier.run, RunId(2), ANA);
    let begun_at = other.steps[0].begun[0].at;
    let waiting = ActSpec { not_restarting: vec![text("shop")], ..act("kubectl apply") };
    let mut drive = Drive::new(vec![bound("act", StepKind::Act(Box::new(waiting)), StepEffect::Reversible)]);
    assert!(!is_denied(&drive, "was restarted"));
    drive.earlier.insert(RunId(2), Arc::new(other));
    for (minutes, is_recent) in [(0, true), (14, true), (15, false)] {
        drive.now = begun_at + minutes * 60_000;
        assert_eq!(is_denied(&drive, "shop was restarted"), is_recent, "{minutes}");
    }
}

#[test]
fn two_people_means_two_people() {
    let act = ActSpec { approvals: 2, ..act("kubectl apply") };
    let mut drive = Drive::new(vec![bound("act", StepKind::Act(Box::new(act)), StepEffect::Reversible)]);
    drive.approve(0).unwrap();
    drive.approve(0).unwrap();
    assert!(drive.executed.is_empty(), "the same person twice is one person");
    let token = Arc::clone(&drive.run.steps[0].offer);
    drive.asks(|run, gate| approve(run, 0, &token, None, &text("bob"), gate)).unwrap();
    assert_eq!(drive.executed.len(), 1);
}
