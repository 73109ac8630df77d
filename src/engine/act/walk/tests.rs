//! The walk, transition by transition.

use std::collections::BTreeMap;

use super::*;
use crate::engine::act::walk::{on_report, on_tick, recover, settle_unknown};
use crate::engine::input::{StepProgress, StepReport};
use crate::engine::model::{
    Band, BoundStep, CauseKind, Incident, IncidentId, IncidentSeverity, IncidentState, ParamSpec, Ranking, Reading,
    Runbook, RunbookPlace, StepEffect, StepSpec, Unit,
};
use crate::engine::settings::RunbookSettings;
use crate::engine::snapshot::AutonomyMode;

const T0: Timestamp = Timestamp(1_000_000);
const ANA: &str = "ana";

fn text(of: &str) -> Arc<str> {
    Arc::from(of)
}

fn argv(line: &str) -> Vec<Arc<str>> {
    line.split_whitespace().map(Arc::from).collect()
}

fn incident() -> Incident {
    Incident {
        id: IncidentId(42),
        title: text("checkout fails"),
        severity: IncidentSeverity::Sev2,
        is_severity_set_by_hand: false,
        state: IncidentState::Open,
        started_at: T0,
        opened_at: T0,
        acknowledged_at: None,
        mitigated_at: None,
        resolved_at: None,
        reopen_count: 0,
        updated_at: T0,
        owner: None,
        services: BTreeMap::new(),
        anomalies: Default::default(),
        alerts: Default::default(),
        changes: Default::default(),
        folded_count: 0,
        timeline: Vec::new(),
        ranking: Ranking::default(),
        merged_into: None,
        split_from: None,
        runs: Vec::new(),
    }
}

fn bound(name: &str, kind: StepKind, effect: StepEffect) -> BoundStep {
    BoundStep {
        spec: StepSpec {
            name: text(name),
            title: text(name),
            text: text(""),
            kind,
            effect,
            touches: text("deployment/payment"),
            timeout_ms: 600_000,
        },
        digest: format!("digest-{name}").into(),
    }
}

fn act_kind(run: &str) -> StepKind {
    StepKind::Act { run: argv(run), dry_run: argv("kubectl diff"), undo: Vec::new(), rollback_text: text("by hand") }
}

fn steps() -> Vec<BoundStep> {
    let verify = StepKind::Verify {
        metric: text("error_ratio"),
        service: text("payment"),
        hold_ms: 60_000,
        samples_min: 3,
        below: None,
        above: None,
    };
    vec![
        bound("read", StepKind::Note, StepEffect::None),
        bound("look", StepKind::Check { run: argv("kubectl get pods"), expect: text("payment") }, StepEffect::Read),
        bound("undo", act_kind("kubectl rollout undo deployment/payment"), StepEffect::Reversible),
        bound("home", verify, StepEffect::Read),
    ]
}

fn proposal(steps: Vec<BoundStep>) -> Proposal {
    let service =
        ParamSpec { kind: ParamKind::Service, from: text("cause.service"), pattern: None, choices: Vec::new() };
    Proposal {
        runbook: Arc::new(Runbook {
            id: text("rollback-deploy"),
            title: text("Roll back"),
            version: text("1"),
            content_hash: text("abc"),
            owner: text("team:sre"),
            origin: text("shipped"),
            problems: vec![CauseKind::BadDeploy],
            service_pattern: text(""),
            place: RunbookPlace::Anywhere,
            params: BTreeMap::from([(text("service"), service)]),
            acts_max: 2,
            estimate_seconds: 60,
            steps: Vec::new(),
        }),
        params: BTreeMap::from([(text("service"), text("payment"))]),
        steps,
        reason: text("for bad deploy of payment"),
        service: ServiceName::new("payment"),
    }
}

/// A command that has passed the gate, for tests of runners.
pub(in crate::engine::act) fn approved(argv: &[&str], timeout_ms: i64, settings: &RunbookSettings) -> ApprovedStep {
    let run = argv.iter().map(|part| Arc::from(*part)).collect();
    let mut step = bound("look", StepKind::Check { run, expect: text("") }, StepEffect::Read);
    step.spec.timeout_ms = timeout_ms;
    let incident = incident();
    let runs = BTreeMap::new();
    let gate = Gate { incident: &incident, settings, mode: AutonomyMode::Suggest, runs: &runs };
    let begun = start(RunId(1), &proposal(vec![step]), &text(ANA), &gate, T0);
    approve(&begun.run, 0, "digest-look", None, &text(ANA), &gate, T0).unwrap().execute.unwrap()
}

/// A run being driven: keeps the latest state and everything that was told.
struct Drive {
    incident: Incident,
    settings: RunbookSettings,
    mode: AutonomyMode,
    earlier: BTreeMap<RunId, Arc<Run>>,
    run: Run,
    audit: Vec<AuditNote>,
    executed: Vec<ApprovedStep>,
    changes: Vec<ChangeNotice>,
}

impl Drive {
    fn new(steps: Vec<BoundStep>) -> Self {
        let incident = incident();
        let settings = RunbookSettings::default();
        let runs = BTreeMap::new();
        let gate = Gate { incident: &incident, settings: &settings, mode: AutonomyMode::Suggest, runs: &runs };
        let outcome = start(RunId(3), &proposal(steps), &text(ANA), &gate, T0);
        Self {
            earlier: BTreeMap::new(),
            run: outcome.run,
            audit: outcome.audit,
            executed: Vec::new(),
            changes: Vec::new(),
            incident: incident.clone(),
            settings: settings.clone(),
            mode: AutonomyMode::Suggest,
        }
    }

    fn with(&mut self, make: impl FnOnce(&Run, &Gate<'_>) -> Option<WalkOutcome>) -> bool {
        let mut runs = self.earlier.clone();
        runs.insert(self.run.id, Arc::new(self.run.clone()));
        let gate = Gate { incident: &self.incident, settings: &self.settings, mode: self.mode, runs: &runs };
        let Some(outcome) = make(&self.run, &gate) else { return false };
        self.run = outcome.run;
        self.audit.extend(outcome.audit);
        self.executed.extend(outcome.execute);
        self.changes.extend(outcome.change);
        true
    }

    fn approve(&mut self, step: usize) -> Result<(), GateRefusal> {
        let digest = Arc::clone(&self.run.steps[step].bound.digest);
        self.approve_as_shown(step, &digest, None)
    }

    fn approve_as_shown(&mut self, step: usize, digest: &str, typed: Option<&str>) -> Result<(), GateRefusal> {
        let mut refusal = Ok(());
        self.with(|run, gate| {
            approve(run, step, digest, typed, &text(ANA), gate, T0).map_err(|no| refusal = Err(no)).ok()
        });
        refusal
    }

    fn report(&mut self, step: usize, progress: StepProgress) -> bool {
        self.with(|run, gate| on_report(run, &StepReport { run: run.id, step, progress }, gate, T0 + 500))
    }

    fn exit(&mut self, step: usize, code: i32) {
        assert!(self.report(step, StepProgress::Exited { code: Some(code), took_ms: 500 }));
    }

    fn say(&mut self, step: usize, line: &str) {
        assert!(self.report(step, StepProgress::Output(vec![text(line)])));
    }

    fn tick(&mut self, now: Timestamp, readings: &[(i64, f64)]) -> bool {
        let readings: Vec<Reading> = readings
            .iter()
            .map(|(at, value)| Reading {
                instance: None,
                at: Timestamp(*at),
                value: *value,
                unit: Unit::Ratio,
                band: Band { low: 0.0, centre: 0.01, high: 0.02 },
                is_anomalous: *value > 0.02,
            })
            .collect();
        self.with(|run, gate| on_tick(run, |_, _| readings.clone(), gate, now))
    }

    /// Walks to the verify step.
    fn walk_to_verify(&mut self) {
        self.approve(0).unwrap();
        self.approve(1).unwrap();
        self.say(1, "payment-1 Running");
        self.exit(1, 0);
        self.approve(2).unwrap();
        self.exit(2, 0);
    }

    fn audit_texts(&self) -> Vec<&str> {
        self.audit.iter().map(|note| note.text.as_ref()).collect()
    }
}

#[test]
fn a_run_walks_from_its_first_step_to_success() {
    let mut drive = Drive::new(steps());
    assert_eq!(drive.run.steps[0].state, StepState::Waiting);
    assert_eq!(drive.run.steps[1].state, StepState::Pending);
    drive.walk_to_verify();
    assert!(matches!(drive.run.steps[3].state, StepState::Watching { .. }), "verify begins by itself");
    for second in [10, 40, 75] {
        assert!(drive.tick(T0 + second * 1_000, &[(T0.0 + second * 1_000, 0.01)]));
    }
    assert_eq!(drive.run.state, RunState::Succeeded);
    assert!(drive.run.ended_at.is_some());
    let change = &drive.changes[0];
    assert_eq!((change.kind, change.service.as_ref().unwrap().as_str()), (ChangeKind::OwnAct, "payment"));
    assert!(change.has_taken_effect);
    assert_eq!(drive.executed.len(), 2);
}

#[test]
fn an_intent_with_the_exact_command_comes_with_every_execution() {
    let mut drive = Drive::new(steps());
    drive.approve(0).unwrap();
    drive.approve(1).unwrap();
    drive.say(1, "payment");
    drive.exit(1, 0);
    drive.approve(2).unwrap();
    let intents: Vec<&str> =
        drive.audit.iter().filter(|note| note.kind == AuditKind::Intent).map(|note| note.text.as_ref()).collect();
    assert_eq!(
        intents,
        [
            "$ kubectl get pods (step 2 of RUN-3 (look))",
            "$ kubectl rollout undo deployment/payment (step 3 of RUN-3 (undo))"
        ]
    );
}

#[test]
fn a_check_without_what_is_expected_fails_and_stops_the_run() {
    let mut drive = Drive::new(steps());
    drive.approve(0).unwrap();
    drive.approve(1).unwrap();
    drive.say(1, "No resources found");
    drive.exit(1, 0);
    assert_eq!(drive.run.state, RunState::Failed);
    assert!(matches!(&drive.run.steps[1].state, StepState::Failed { reason, .. } if reason.contains("`payment`")));
    assert_eq!(drive.approve(2), Err(GateRefusal::RunOver(RunId(3))));
}

#[test]
fn an_act_that_fails_stops_the_run_and_is_told_as_a_change_without_effect() {
    let mut drive = Drive::new(steps());
    drive.approve(0).unwrap();
    drive.approve(1).unwrap();
    drive.say(1, "payment");
    drive.exit(1, 0);
    drive.approve(2).unwrap();
    drive.exit(2, 1);
    assert_eq!(drive.run.state, RunState::Failed);
    assert_eq!(drive.run.steps[3].state, StepState::Pending);
    assert!(!drive.changes[0].has_taken_effect);
}

#[test]
fn a_second_report_of_the_end_changes_nothing() {
    let mut drive = Drive::new(steps());
    drive.walk_to_verify();
    assert!(!drive.report(2, StepProgress::Exited { code: Some(1), took_ms: 1 }));
    assert_eq!(drive.changes.len(), 1);
}

#[test]
fn a_dry_run_offers_the_step_again_and_is_no_act() {
    let mut drive = Drive::new(steps());
    drive.approve(0).unwrap();
    drive.approve(1).unwrap();
    drive.say(1, "payment");
    drive.exit(1, 0);
    let digest = Arc::clone(&drive.run.steps[2].bound.digest);
    drive.with(|run, gate| dry_run(run, 2, &digest, &text(ANA), gate, T0).ok());
    assert!(drive.executed.last().unwrap().is_dry_run());
    drive.exit(2, 1);
    assert_eq!(drive.run.steps[2].state, StepState::Waiting);
    assert_eq!(drive.run.state, RunState::Active);
    assert!(drive.changes.is_empty());
    let runs = BTreeMap::from([(RunId(3), Arc::new(drive.run.clone()))]);
    assert_eq!(policy::acts_begun(&runs, IncidentId(42)), 0);
    drive.approve(2).unwrap();
}

#[test]
fn a_note_has_no_dry_run() {
    let drive = Drive::new(steps());
    let runs = BTreeMap::new();
    let gate = Gate { incident: &drive.incident, settings: &drive.settings, mode: AutonomyMode::Suggest, runs: &runs };
    let refused = dry_run(&drive.run, 0, "digest-read", &text(ANA), &gate, T0).unwrap_err();
    assert_eq!(refused, GateRefusal::NoDryRun { run: RunId(3), step: 0 });
}

#[test]
fn skipping_goes_on_and_keeps_the_reason() {
    let mut drive = Drive::new(steps());
    drive.with(|run, gate| skip(run, 0, "known", &text(ANA), gate, T0).ok());
    assert!(matches!(drive.run.steps[0].state, StepState::Skipped { .. }));
    assert_eq!(drive.run.steps[1].state, StepState::Waiting);
    assert!(drive.audit_texts().contains(&"skipped step 1 of RUN-3 (read): known"));
}

#[test]
fn stopping_cancels_the_command_and_still_records_its_end() {
    let mut drive = Drive::new(steps());
    drive.approve(0).unwrap();
    drive.approve(1).unwrap();
    let outcome = stop(&drive.run, &text(ANA), T0).unwrap();
    assert_eq!(outcome.cancel, Some(1));
    assert_eq!(outcome.run.state, RunState::Stopped);
    drive.run = outcome.run;
    assert!(drive.report(1, StepProgress::Stopped { reason: text("stopped by a person") }));
    assert_eq!(drive.run.state, RunState::Stopped, "the first end stays");
    assert!(matches!(drive.run.steps[1].state, StepState::Failed { .. }));
    assert_eq!(stop(&drive.run, &text(ANA), T0), Err(GateRefusal::RunOver(RunId(3))));
}

#[test]
fn no_data_is_not_success() {
    let mut drive = Drive::new(steps());
    drive.walk_to_verify();
    let until = T0 + 500 + 600_000;
    assert!(!drive.tick(until - 1, &[]));
    assert!(drive.tick(until, &[]));
    assert_eq!(drive.run.state, RunState::Failed);
    assert!(matches!(&drive.run.steps[3].state, StepState::Failed { reason, .. } if reason.contains("no data")));
}

#[test]
fn a_sample_counts_once_and_old_ones_not_at_all() {
    let mut drive = Drive::new(steps());
    drive.walk_to_verify();
    assert!(!drive.tick(T0 + 1_000, &[(T0.0, 0.01)]), "measured before the step began");
    let sample = [(T0.0 + 10_000, 0.01)];
    assert!(drive.tick(T0 + 10_000, &sample));
    for second in 11..200 {
        assert!(!drive.tick(T0 + second * 1_000, &sample), "silence holds nothing");
    }
    assert_eq!(drive.run.state, RunState::Active);
}

#[test]
fn one_sample_outside_begins_the_hold_again() {
    let mut drive = Drive::new(steps());
    drive.walk_to_verify();
    for (second, value) in [(10, 0.01), (40, 0.01), (55, 0.5), (71, 0.01), (100, 0.01), (130, 0.01)] {
        drive.tick(T0 + second * 1_000, &[(T0.0 + second * 1_000, value)]);
        assert_eq!(drive.run.state, RunState::Active, "at {second}");
    }
    drive.tick(T0 + 131_000, &[(T0.0 + 131_000, 0.01)]);
    assert_eq!(drive.run.state, RunState::Succeeded);
}

#[test]
fn every_instance_must_be_inside_but_those_that_are_gone() {
    let mut drive = Drive::new(steps());
    drive.walk_to_verify();
    // The first instance was replaced long ago and its last word was bad.
    for second in [10, 40, 75] {
        let at = T0.0 + 200_000 + second * 1_000;
        drive.tick(Timestamp(at), &[(T0.0 + 600, 0.9), (at, 0.01), (at - 2_000, 0.4)]);
        assert_eq!(drive.run.state, RunState::Active);
    }
    for second in [10, 40, 75] {
        let at = T0.0 + 300_000 + second * 1_000;
        drive.tick(Timestamp(at), &[(T0.0 + 600, 0.9), (at, 0.01), (at - 2_000, 0.01)]);
    }
    assert_eq!(drive.run.state, RunState::Succeeded);
}

#[test]
fn an_act_cut_off_by_a_crash_is_unknown_and_never_begins_again_by_itself() {
    let mut drive = Drive::new(steps());
    drive.approve(0).unwrap();
    drive.approve(1).unwrap();
    drive.say(1, "payment");
    drive.exit(1, 0);
    drive.approve(2).unwrap();
    drive.with(|run, _| recover(run, T0 + 9_000));
    assert_eq!(drive.run.steps[2].state, StepState::Unknown { since: T0 });
    assert_eq!(drive.run.state, RunState::Interrupted);
    assert!(drive.approve(2).is_err());
    let executed = drive.executed.len();
    assert!(!drive.tick(T0 + 99_000_000, &[]));
    assert_eq!(drive.executed.len(), executed);

    let before = drive.run.clone();
    drive.with(|run, gate| settle_unknown(run, 2, true, &text(ANA), gate, T0 + 10_000).ok());
    assert_eq!(drive.run.state, RunState::Active);
    assert!(matches!(drive.run.steps[3].state, StepState::Watching { .. }));
    assert_eq!(drive.changes.len(), 1);

    drive.run = before;
    drive.with(|run, gate| settle_unknown(run, 2, false, &text(ANA), gate, T0 + 10_000).ok());
    assert_eq!(drive.run.steps[2].state, StepState::Waiting);
    drive.approve(2).unwrap();
}

#[test]
fn a_check_cut_off_by_a_crash_is_offered_again() {
    let mut drive = Drive::new(steps());
    drive.approve(0).unwrap();
    drive.approve(1).unwrap();
    drive.with(|run, _| recover(run, T0 + 9_000));
    assert_eq!(drive.run.steps[1].state, StepState::Waiting);
    assert_eq!(drive.run.state, RunState::Active);
    assert_eq!(drive.run.steps[1].approved_by, None);
}

#[test]
fn a_step_that_is_never_heard_of_again_becomes_unknown() {
    let mut drive = Drive::new(steps());
    drive.approve(0).unwrap();
    drive.approve(1).unwrap();
    assert!(!drive.tick(T0 + 660_000, &[]));
    assert!(drive.tick(T0 + 660_001, &[]));
    assert_eq!(drive.run.state, RunState::Interrupted);
}

#[test]
fn output_keeps_both_ends_and_the_line_a_check_waits_for() {
    let mut drive = Drive::new(steps());
    drive.approve(0).unwrap();
    drive.approve(1).unwrap();
    for number in 0..3_000 {
        drive.say(1, if number == 1_500 { "payment" } else { "other" });
    }
    let step = &drive.run.steps[1];
    assert_eq!(step.output.len(), crate::engine::limits::STEP_OUTPUT_LINES_MAX);
    assert_eq!(step.output_dropped_count, 1_000);
    drive.exit(1, 0);
    assert!(matches!(drive.run.steps[1].state, StepState::Succeeded { .. }));
}

#[test]
fn commands_print_so_that_every_argument_can_be_told_apart() {
    for (parts, expected) in [
        (vec!["kubectl", "get", "pods"], "kubectl get pods"),
        (vec!["echo", "a b", ""], "echo 'a b' ''"),
        (vec!["echo", "it's; rm -rf /"], r"echo 'it'\''s; rm -rf /'"),
    ] {
        let parts: Vec<Arc<str>> = parts.into_iter().map(Arc::from).collect();
        assert_eq!(command_line(&parts), expected);
    }
}

/// The gate, row by row: what is asked for, and what it says.
mod gate {
    use super::*;

    #[test]
    fn an_approval_is_for_what_was_shown() {
        let mut drive = Drive::new(steps());
        assert_eq!(
            drive.approve_as_shown(0, "digest-older", None),
            Err(GateRefusal::Changed { run: RunId(3), step: 0 })
        );
        assert_eq!(drive.approve(1), Err(GateRefusal::NotOffered { run: RunId(3), step: 1 }));
        assert_eq!(drive.approve_as_shown(9, "", None), Err(GateRefusal::NotOffered { run: RunId(3), step: 9 }));
        drive.approve(0).unwrap();
        assert_eq!(drive.approve(0), Err(GateRefusal::NotOffered { run: RunId(3), step: 0 }), "used up");
    }

    #[test]
    fn what_cannot_be_undone_asks_for_its_target() {
        let mut drive = Drive::new(vec![bound("drop", act_kind("kubectl delete pod"), StepEffect::Irreversible)]);
        for typed in [None, Some(""), Some("deployment/orders")] {
            assert!(matches!(
                drive.approve_as_shown(0, "digest-drop", typed),
                Err(GateRefusal::TargetNotTyped(target)) if target.as_ref() == "deployment/payment"
            ));
        }
        drive.approve_as_shown(0, "digest-drop", Some("deployment/payment")).unwrap();
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
            let mut drive = Drive::new(vec![bound("act", act_kind(line), StepEffect::Reversible)]);
            drive.settings.allowed_programs.push("/opt/own/tool".to_owned());
            assert_eq!(drive.approve(0).is_ok(), is_allowed, "{line}");
        }
    }

    #[test]
    fn observing_denies_acts_and_lets_looking_be() {
        for (is_setting, mode) in [(true, AutonomyMode::Suggest), (false, AutonomyMode::Observe)] {
            let mut drive = Drive::new(steps());
            drive.settings.observe_only = is_setting;
            drive.mode = mode;
            drive.approve(0).unwrap();
            drive.approve(1).unwrap();
            drive.say(1, "payment");
            drive.exit(1, 0);
            assert!(matches!(drive.approve(2), Err(GateRefusal::Denied(_))));
        }
    }

    #[test]
    fn acts_are_counted_by_run_and_by_incident() {
        let acts: Vec<BoundStep> =
            (0..3).map(|n| bound(&format!("act{n}"), act_kind("kubectl apply"), StepEffect::Reversible)).collect();
        let mut drive = Drive::new(acts);
        for step in 0..2 {
            drive.approve(step).unwrap();
            drive.exit(step, 0);
        }
        assert!(matches!(drive.approve(2), Err(GateRefusal::Denied(why)) if why.contains("at most 2 in this run")));

        let drive = Drive::new(vec![bound("act", act_kind("kubectl apply"), StepEffect::Reversible)]);
        for (count, is_denied) in [(7, false), (8, true), (9, true)] {
            let runs = (10..10 + count).map(|id| (RunId(id), done(&drive.run, RunId(id)))).collect();
            let gate = Gate { incident: &drive.incident, settings: &drive.settings, mode: drive.mode, runs: &runs };
            assert_eq!(matches!(policy::decide(&drive.run, 0, &gate), Decision::Deny(_)), is_denied, "{count}");
        }
    }

    /// The run with every step of it approved and done, under another number.
    fn done(run: &Run, id: RunId) -> Arc<Run> {
        let mut run = Run { id, state: RunState::Succeeded, ..run.clone() };
        for step in &mut run.steps {
            step.state = StepState::Succeeded { at: T0 };
            step.approved_by = Some(text(ANA));
        }
        Arc::new(run)
    }

    #[test]
    fn what_another_run_did_takes_the_typed_target_once_more() {
        let act = || vec![bound("undo", act_kind("kubectl rollout undo deployment/payment"), StepEffect::Reversible)];
        let mut drive = Drive::new(act());
        let mut earlier = done(&drive.run, RunId(2)).as_ref().clone();
        earlier.steps[0].state = StepState::Failed { at: T0, reason: text("stopped by a person") };
        drive.earlier.insert(RunId(2), Arc::new(earlier));
        let offered = |drive: &Drive| {
            let gate =
                Gate { incident: &drive.incident, settings: &drive.settings, mode: drive.mode, runs: &drive.earlier };
            start(RunId(3), &proposal(act()), &text(ANA), &gate, T0).run
        };
        drive.run = offered(&drive);
        assert_eq!(drive.run.steps[0].done_before, Some(RunId(2)));
        assert!(drive.run.steps[0].gate_text.starts_with("RUN-2 did exactly this"), "{}", drive.run.steps[0].gate_text);
        let digest = Arc::clone(&drive.run.steps[0].bound.digest);
        assert!(matches!(drive.approve(0), Err(GateRefusal::TargetNotTyped(_))));
        drive.approve_as_shown(0, &digest, Some("deployment/payment")).unwrap();

        // Of another incident, or only tried dry: no second time.
        let mut other = done(&drive.run, RunId(2)).as_ref().clone();
        other.incident = IncidentId(41);
        drive.earlier.insert(RunId(2), Arc::new(other));
        assert_eq!(offered(&drive).steps[0].done_before, None);
        let mut dry = done(&drive.run, RunId(2)).as_ref().clone();
        dry.steps[0].state = StepState::Waiting;
        drive.earlier.insert(RunId(2), Arc::new(dry));
        assert_eq!(offered(&drive).steps[0].done_before, None);
    }

    #[test]
    fn a_resolved_incident_takes_no_acts() {
        let mut drive = Drive::new(vec![bound("act", act_kind("kubectl apply"), StepEffect::Reversible)]);
        drive.incident.state = IncidentState::Resolved;
        assert!(matches!(drive.approve(0), Err(GateRefusal::Denied(why)) if why.contains("reopen")));
    }

    use super::super::super::policy::Decision;
}

#[test]
fn an_act_whose_connection_broke_is_unknown_and_a_command_that_looks_has_failed() {
    let lost = || StepProgress::Lost { reason: text("the connection to db-1 broke") };
    let mut drive = Drive::new(steps());
    drive.approve(0).unwrap();
    drive.approve(1).unwrap();
    assert!(drive.report(1, lost()));
    assert_eq!(drive.run.state, RunState::Failed);

    let mut drive = Drive::new(steps());
    drive.approve(0).unwrap();
    drive.approve(1).unwrap();
    drive.say(1, "payment");
    drive.exit(1, 0);
    drive.approve(2).unwrap();
    assert!(drive.report(2, StepProgress::Digest { sha256: text("ab12"), bytes: 7 }));
    assert!(drive.audit_texts().last().unwrap().ends_with("wrote 7 bytes, SHA-256 ab12"));
    assert!(drive.report(2, lost()));
    assert!(matches!(drive.run.steps[2].state, StepState::Unknown { .. }));
    assert_eq!(drive.run.state, RunState::Interrupted);
    assert!(drive.audit_texts().last().unwrap().contains("the connection to db-1 broke"));
}
