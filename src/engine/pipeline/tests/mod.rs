//! The core as a whole: inputs in, a picture out, the same each time.

mod fleet;
mod measured;
mod outward;
mod rollouts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Engine;
use super::turn::Turn;
use crate::engine::audit::head::End;
use crate::engine::audit::letting_go;
use crate::engine::clock::{MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::input::{Input, KillWord, RequestId, StepProgress, StepReport};
use crate::engine::job::{Job, Record};
use crate::engine::model::{
    AlertNotice, AlertState, AuditEntry, BadWhen, Beginning, BoundStep, ChangeKind, ChangeNotice, DeliveryOutcome,
    DeliveryReport, Destination, EdgeNotice, EdgeOrigin, Fingerprint, HOST_SOURCE, IncidentId, IncidentSeverity,
    IncidentState, Labels, Misfit, OutwardEvent, Person, Purpose, Role, Run, RunId, RunState, RunStep,
    SeriesDescriptor, SeriesNotice, SeriesRole, ServiceName, Severity, ShadowRecord, Signal, SourceName, StepEffect,
    StepState, Unit,
};
use crate::engine::request::{Reply, Request};
use crate::engine::runbooks::Library;
use crate::engine::settings::EngineSettings;
use crate::engine::settings::{OutboundSettings, ServicenowSettings, SlackSettings, UpdateDue};
use crate::engine::snapshot::Snapshot;

const START: Timestamp = Timestamp(1_793_577_600_000);

#[test]
fn what_the_audit_log_is_to_say_is_on_disk_word_by_word() {
    let end = End { sequence: 12, hash: "3f9a".repeat(16), bytes: 5, at: START };
    let text: Arc<str> = letting_go::text(&end).into();
    let jobs = engine().handle(Input::LetGo(text), START);
    let [Job::Persist(records)] = jobs.as_slice() else { panic!("{jobs:?}") };
    let [Record::Audit(entry)] = records.as_slice() else { panic!("{records:?}") };
    assert!(letting_go::is_told_by(&AuditEntry { sequence: 13, ..entry.clone() }, &end), "{entry:?}");
}

fn engine() -> Engine {
    Engine::new(EngineSettings::default(), Library::shipped()).unwrap()
}

fn edge(caller: &str, callee: &str) -> Input {
    Input::Signal(Signal::Edge(EdgeNotice {
        source: SourceName::new("configuration"),
        caller: ServiceName::new(caller),
        callee: ServiceName::new(callee),
        origin: EdgeOrigin::Configured,
        seen_at: START,
    }))
}

fn alert(number: u64, service: &str, at: Timestamp) -> Input {
    Input::Signal(Signal::Alert(AlertNotice {
        source: SourceName::new("am"),
        fingerprint: Fingerprint(number),
        name: Arc::from("HighErrorRate"),
        service: Some(ServiceName::new(service)),
        severity: Severity::Critical,
        state: AlertState::Firing,
        starts_at: at,
        ends_at: None,
        muted_by: None,
        summary: Arc::from("errors"),
        generator_url: Arc::from(""),
        labels: Labels::new([("service", service)]),
    }))
}

fn run(inputs: &[(Input, Timestamp)]) -> Arc<Snapshot> {
    let mut engine = engine();
    let mut last = START;
    for (input, now) in inputs {
        engine.handle(input.clone(), *now);
        last = *now;
    }
    engine.snapshot(last)
}

fn storm(alerts: impl Iterator<Item = u64>) -> Vec<(Input, Timestamp)> {
    let mut inputs = vec![(edge("web", "auth"), START), (edge("auth", "auth-db"), START)];
    let services = ["web", "auth", "auth-db"];
    inputs.extend(alerts.map(|number| (alert(number, services[number as usize % 3], START), START)));
    inputs.extend((1..=5).map(|second| (Input::Tick, START + second * SECOND_MS)));
    inputs
}

#[test]
fn a_storm_within_a_tick_is_one_incident_whatever_the_order() {
    let forwards = run(&storm(0..300));
    let backwards = run(&storm((0..300).rev()));
    assert_eq!(forwards.incidents.len(), 1);
    assert_eq!(forwards.counts.alert_count, 300);
    assert!(forwards.counts.folded_count >= 300, "{}", forwards.counts.folded_count);
    assert_eq!(forwards.incidents, backwards.incidents);
}

#[test]
fn the_same_inputs_give_the_same_picture() {
    let inputs = storm(0..50);
    assert_eq!(serde_json::to_string(&*run(&inputs)).unwrap(), serde_json::to_string(&*run(&inputs)).unwrap());
}

#[test]
fn an_answer_comes_after_what_it_speaks_of_is_written() {
    let mut engine = engine();
    for (input, now) in storm(0..3) {
        engine.handle(input, now);
    }
    let request = Request::Acknowledge { incident: IncidentId(1) };
    let input = Input::Request { id: RequestId(9), by: Person::admin("ana"), request };
    let jobs = engine.handle(input, START + 10 * SECOND_MS);
    let [Job::Persist(records), Job::Reply { id: RequestId(9), reply: Reply::Done { .. } }, ..] = jobs.as_slice()
    else {
        panic!("records first, then the answer: {jobs:?}");
    };
    let is_kept = records
        .iter()
        .any(|record| matches!(record, Record::Incident(incident) if incident.state == IncidentState::Acknowledged));
    assert!(is_kept, "{records:?}");
    assert!(records.iter().any(|record| matches!(record, Record::Audit(entry) if entry.by.as_ref() == "ana")));
}

#[test]
fn what_cannot_be_done_is_refused_in_words_and_changes_nothing() {
    let mut engine = engine();
    let request = Request::Resolve { incident: IncidentId(77) };
    let jobs = engine.handle(Input::Request { id: RequestId(1), by: Person::admin("ana"), request }, START);
    let [Job::Reply { reply: Reply::Refused { reason }, .. }] = jobs.as_slice() else { panic!("{jobs:?}") };
    assert!(reason.contains("INC-77"), "{reason}");
}

#[test]
fn what_a_role_does_not_allow_is_refused_and_noted_and_stopping_is_for_everybody() {
    let mut engine = engine();
    for (input, now) in storm(0..3) {
        engine.handle(input, now);
    }
    let viewer = Person { name: Arc::from("vic"), role: Role::Viewer };
    let mut ask = |request| {
        let input = Input::Request { id: RequestId(1), by: viewer.clone(), request };
        engine.handle(input, START + 10 * SECOND_MS)
    };
    let jobs = ask(Request::Acknowledge { incident: IncidentId(1) });
    let [Job::Persist(records), Job::Reply { reply: Reply::Refused { reason }, .. }, ..] = jobs.as_slice() else {
        panic!("{jobs:?}")
    };
    assert_eq!(reason.as_ref(), "acknowledging an incident needs the role responder; yours is viewer");
    let [Record::Audit(entry)] = records.as_slice() else { panic!("nothing else changes: {records:?}") };
    assert!(entry.by.as_ref() == "vic" && entry.text.contains(reason.as_ref()), "{entry:?}");
    let jobs = ask(Request::Kill { reason: Arc::from("smoke") });
    assert!(jobs.iter().any(|job| matches!(job, Job::Reply { reply: Reply::Done { .. }, .. })), "{jobs:?}");
}

#[test]
fn a_restart_brings_back_the_incidents_and_goes_on_numbering() {
    let (mut first, records) = kept_of_a_storm();
    let mut second = engine();
    let now = START + MINUTE_MS;
    second.restore(records, now);
    let before = first.snapshot(now);
    let after = second.snapshot(now);
    assert_eq!(before.incidents, after.incidents);
    assert_eq!(before.audit, after.audit);
    let jobs = second.handle(
        Input::Request {
            id: RequestId(1),
            by: Person::admin("ana"),
            request: Request::Note { incident: IncidentId(1), text: Arc::from("looking") },
        },
        now,
    );
    let sequence = jobs.iter().find_map(|job| match job {
        Job::Persist(records) => records.iter().find_map(|record| match record {
            Record::Audit(entry) => Some(entry.sequence),
            _ => None,
        }),
        _ => None,
    });
    assert_eq!(sequence, before.audit.first().map(|entry| entry.sequence + 1));
}

#[test]
fn runbooks_are_picked_anew_once_it_is_known_that_a_suspect_is_of_this_machine() {
    let mut engine = engine();
    for (input, now) in storm(0..3) {
        engine.handle(input, now);
    }
    let id = IncidentId(1);
    let suspect = engine.world.incidents[&id].ranking.hypotheses[0].service.clone();
    let stale = || vec![Misfit { runbook: "old".into(), title: "Old".into(), reason: "old".into() }];
    let mut is_stale_after = |source: &str, service: &str| {
        engine.misfits.insert(id, stale());
        let descriptor = SeriesDescriptor {
            metric: "memory_used_ratio".into(),
            service: service.into(),
            instance: None,
            unit: Unit::Ratio,
            role: SeriesRole::Saturation,
            bad_when: BadWhen::High,
            is_skewed: false,
            limit: None,
            interval_ms: 5_000,
            labels: Labels::default(),
        };
        let notice = SeriesNotice { source: source.into(), local: 0, descriptor };
        engine.handle(Input::Signal(Signal::Series(notice)), START + 6 * SECOND_MS);
        engine.handle(Input::Tick, START + 7 * SECOND_MS);
        engine.misfits[&id] == stale()
    };
    assert!(is_stale_after("prometheus", suspect.as_str()));
    assert!(is_stale_after(HOST_SOURCE, "some-machine"));
    assert!(!is_stale_after(HOST_SOURCE, suspect.as_str()));
}

#[test]
fn an_act_that_is_taken_back_counts_against_its_kind_once_and_the_log_says_so() {
    for (by, expected) in [("engine", (20, 1)), ("ana", (19, 1))] {
        let mut engine = engine();
        let (mut run, _) = run_with(StepState::Succeeded { at: START }, by);
        let at = run.steps.iter().position(|step| step.bound.spec.act().is_some()).unwrap();
        let action = run.steps[at].bound.spec.act().unwrap().action;
        let begun = |purpose| Beginning { id: Arc::from("i"), at: START, by: Arc::from(by), purpose, is_void: false };
        run.steps[at].begun.push(begun(Purpose::Run));
        engine.safety.shadow.insert(action, ShadowRecord { agreed: 20, differed: 0 });
        let before = engine.audit.newest().count();
        engine.keep_regret(&run, at, &mut Turn::new(START));
        run.steps[at].begun.push(begun(Purpose::Undo));
        engine.keep_regret(&run, at, &mut Turn::new(START));
        let record = engine.safety.shadow[&action];
        assert_eq!((record.agreed, record.differed), expected, "{by}");
        assert_eq!(engine.audit.newest().count(), before + 1, "{by}");
    }
}

#[test]
fn what_an_attempt_says_too_late_is_in_the_log_counted_and_settles_nothing() {
    let mut engine = engine();
    let (mut run, _) = run_with(StepState::Running { since: START, purpose: Purpose::Run }, "ana");
    let at = run.steps.iter().position(|step| step.bound.spec.act().is_some()).unwrap();
    let begun = |id: &str| Beginning {
        id: Arc::from(id),
        at: START,
        by: Arc::from("ana"),
        purpose: Purpose::Run,
        is_void: false,
    };
    run.steps[at].begun.extend([begun("first"), begun("second")]);
    let (_, opened) = kept_of_a_storm();
    engine.restore(opened, START);
    // As it is while the second attempt runs, not as it is found after a crash.
    engine.world.runs.insert(run.id, Arc::new(run.clone()));
    let dropped = engine.snapshot(START).counts.dropped_count;
    let says = |attempt: &str, step: usize, progress| {
        Input::Step(StepReport { run: RunId(1), step, attempt: Arc::from(attempt), progress })
    };
    let exited = || StepProgress::Exited { code: Some(0), took_ms: 1 };
    for late in [says("first", at, exited()), says("", at, exited()), says("second", at + 1, exited())] {
        let jobs = engine.handle(late, START);
        let kept = jobs.iter().flat_map(|job| if let Job::Persist(kept) = job { kept.as_slice() } else { &[] });
        let logged = kept.filter(|record| matches!(record, Record::Audit(entry) if entry.text.contains("set aside")));
        assert_eq!(logged.count(), 1, "{jobs:?}");
    }
    engine.handle(says("first", at, StepProgress::Output(vec![Arc::from("x")])), START);
    let snapshot = engine.snapshot(START);
    assert_eq!(snapshot.counts.dropped_count, dropped + 4);
    assert_eq!(*snapshot.runs[0], run, "nothing is settled by it");
    let jobs = engine.handle(says("second", at, exited()), START);
    let is_run = |record: &Record| matches!(record, Record::Run(_));
    let is_kept = |job: &Job| matches!(job, Job::Persist(records) if records.iter().any(is_run));
    assert!(jobs.iter().any(is_kept), "an outcome does not wait to be written: {jobs:?}");
    assert!(matches!(engine.snapshot(START).runs[0].steps[at].state, StepState::Succeeded { .. }));
}

#[test]
fn a_restart_forgets_neither_the_cool_down_of_a_target_nor_the_acts_of_the_hour() {
    let (mut run, _) = run_with(StepState::Succeeded { at: START }, "engine");
    let at = run.steps.iter().position(|step| step.bound.spec.act().is_some()).unwrap();
    let begun =
        |at| Beginning { id: Arc::from("i"), at, by: Arc::from("engine"), purpose: Purpose::Run, is_void: false };
    run.steps[at].begun.extend([begun(START - 61 * MINUTE_MS), begun(START)]);
    run.steps[at].bound.spec.touches = Arc::from("deployment/auth, node-1");
    (run.state, run.ended_at) = (RunState::Stopped, Some(START));
    let mut engine = engine();
    let (_, mut kept) = kept_of_a_storm();
    kept.push(Record::Run(run));
    engine.restore(kept, START);
    for (minutes, hour, cooling) in [(1, 1, 2), (9, 1, 2), (10, 1, 0), (59, 1, 0), (60, 0, 0)] {
        let now = START + minutes * MINUTE_MS;
        engine.handle(Input::Tick, now);
        let autonomy = engine.snapshot(now).autonomy.clone();
        assert_eq!((autonomy.hour, autonomy.cooling.len()), ((hour, 12), cooling), "after {minutes} min");
        let until = autonomy.cooling.get("deployment/auth").copied();
        assert!(cooling == 0 || until == Some((START + 10 * MINUTE_MS, RunId(1))), "{until:?}");
    }
}

#[test]
fn the_breaker_is_shown_for_every_live_incident_that_it_holds_back() {
    let mut engine = engine();
    let (_, mut kept) = kept_of_a_storm();
    for (number, attempts) in [(1, 1), (2, 2)] {
        let (mut run, _) = run_with(StepState::Failed { at: START, reason: Arc::from("exit code 1") }, "ana");
        let at = run.steps.iter().position(|step| step.bound.spec.act().is_some()).unwrap();
        for attempt in 0..attempts {
            let id = Arc::from(format!("{number}-{attempt}"));
            let begun = Beginning { id, at: START, by: Arc::from("ana"), purpose: Purpose::Run, is_void: false };
            run.steps[at].begun.push(begun);
        }
        // Of an incident that is no longer kept: three acts anywhere hold this one back, too.
        (run.id, run.subject) = (RunId(number), IncidentId(99).into());
        (run.state, run.ended_at) = (RunState::Failed, Some(START));
        kept.push(Record::Run(run));
    }
    engine.restore(kept, START);
    let mut shown = |minutes: i64| {
        let now = START + minutes * MINUTE_MS;
        engine.handle(Input::Tick, now);
        engine.snapshot(now).autonomy.breaker.get(&IncidentId(1)).cloned()
    };
    assert_eq!(shown(1).as_deref(), Some("3 acts failed or were not verified within 30 min"));
    assert_eq!(shown(31), None);
}

/// A run of a shipped runbook whose first act is in this state.
fn run_with(state: StepState, approved_by: &str) -> (Run, String) {
    let library = Library::shipped();
    let runbook = Arc::clone(library.get("rollback-deploy").unwrap());
    let acts = |step: &RunStep| step.bound.spec.effect >= StepEffect::Reversible;
    let mut steps: Vec<RunStep> = runbook
        .steps
        .iter()
        .map(|spec| RunStep::pending(BoundStep { spec: spec.clone(), digest: Arc::from("d1") }, START))
        .collect();
    let act = steps.iter_mut().find(|step| acts(step)).unwrap();
    (act.state, act.approved_by) = (state, Some(Arc::from(approved_by)));
    let name = act.bound.spec.name.to_string();
    let run = Run {
        id: RunId(1),
        subject: IncidentId(1).into(),
        params: BTreeMap::new(),
        cause: None,
        state: RunState::Active,
        word: Arc::from(""),
        is_escalated: false,
        has_held: None,
        steps,
        started_at: START,
        ended_at: None,
        started_by: Arc::from("ana"),
        was_first: true,
        runbook,
    };
    (run, name)
}

#[test]
fn what_the_engine_does_with_an_incident_is_in_the_log_when_it_happens() {
    let mut engine = engine();
    engine.handle(edge("web", "auth"), START);
    let mut now = START;
    let mut wait = |engine: &mut Engine, seconds: i64| {
        for _ in 0..seconds {
            now = now + SECOND_MS;
            engine.handle(Input::Tick, now);
        }
        now
    };
    engine.handle(alert(1, "auth", START), START);
    let at = wait(&mut engine, 5);
    engine.handle(alert(2, "web", at), at);
    let raised = wait(&mut engine, 5);
    for (number, service) in [(1, "auth"), (2, "web")] {
        let Input::Signal(Signal::Alert(mut over)) = alert(number, service, START) else { panic!() };
        (over.state, over.ends_at) = (AlertState::Resolved, Some(raised));
        engine.handle(Input::Signal(Signal::Alert(over)), raised);
    }
    let end = wait(&mut engine, 400);
    let snapshot = engine.snapshot(end);
    let logged = |text: &str| {
        let entry = snapshot.audit.iter().find(|entry| entry.text.as_ref() == text);
        entry.unwrap_or_else(|| panic!("{text} is not in {:?}", snapshot.audit)).at
    };
    let why = "severity raised from SEV3 to SEV2: 2 services are degraded";
    assert!(logged(&format!("INC-1 {why}")) > START);
    assert!(snapshot.incidents[0].timeline.iter().any(|entry| entry.text.as_ref() == why));
    let apart = logged("INC-1 is now resolved").since_ms(logged("INC-1 is now mitigated"));
    assert_eq!(apart, 3 * MINUTE_MS);
}

#[test]
fn an_unknown_step_of_a_stopped_run_is_settled_while_the_next_run_is_under_way() {
    let mut engine = engine();
    let (mut stopped, _) = run_with(StepState::Unknown { since: START }, "ana");
    stopped.state = RunState::Stopped;
    let at = stopped.steps.iter().position(|step| matches!(step.state, StepState::Unknown { .. })).unwrap();
    let (mut next, _) = run_with(StepState::Pending, "ana");
    next.id = RunId(2);
    let (_, mut opened) = kept_of_a_storm();
    opened.extend([Record::Run(stopped), Record::Run(next)]);
    engine.restore(opened, START);
    let ask = |request| Input::Request { id: RequestId(1), by: Person::admin("ana"), request };
    let settle = Request::SettleUnknown { run: RunId(1), step: at, has_happened: true };
    let jobs = engine.handle(ask(settle), START);
    assert!(jobs.iter().any(|job| matches!(job, Job::Reply { reply: Reply::Done { .. }, .. })), "{jobs:?}");
    let snapshot = engine.snapshot(START);
    let run = snapshot.runs.iter().find(|run| run.id == RunId(1)).unwrap();
    assert!(matches!(run.steps[at].state, StepState::Succeeded { .. }));
    assert_eq!(run.state, RunState::Stopped, "it does not go on");
    let jobs = engine.handle(ask(Request::Retry { run: RunId(1), step: at, digest: Arc::from("") }), START);
    assert!(jobs.iter().any(|job| matches!(job, Job::Reply { reply: Reply::Refused { .. }, .. })), "{jobs:?}");
}

/// An engine that saw an incident begin, and what it kept.
fn kept_of_a_storm() -> (Engine, Vec<Record>) {
    let mut first = engine();
    let mut records = Vec::new();
    for (input, now) in storm(0..3) {
        for job in first.handle(input, now) {
            if let Job::Persist(kept) | Job::PersistLater(kept) = job {
                records.extend(kept);
            }
        }
    }
    (first, records)
}

#[test]
fn the_kill_switch_stops_what_runs_survives_a_start_and_is_taken_off_by_whoever_says_why() {
    let ask = |engine: &mut Engine, request| {
        engine.handle(Input::Request { id: RequestId(1), by: Person::admin("ana"), request }, START)
    };
    let is_done = |jobs: &[Job]| {
        let mut replies =
            jobs.iter().filter_map(|job| if let Job::Reply { reply, .. } = job { Some(reply) } else { None });
        matches!(replies.next(), Some(Reply::Done { .. }))
    };
    let (run, _) = run_with(StepState::Running { since: START, purpose: Purpose::Run }, "ana");
    let mut first = engine();
    first.world.runs.insert(run.id, Arc::new(run));
    let jobs = ask(&mut first, Request::Kill { reason: "smoke".into() });
    // It must not wait for a disk.
    assert!(is_done(&jobs) && matches!(jobs.first(), Some(Job::Kill(KillWord::On { .. }))), "{jobs:?}");
    assert!(jobs.iter().any(|job| matches!(job, Job::Cancel { run: RunId(1), .. })), "{jobs:?}");
    let kept = jobs.into_iter().filter_map(|job| if let Job::Persist(records) = job { Some(records) } else { None });
    let mut next = engine();
    next.restore(kept.flatten(), START);
    assert!(next.is_killed());
    assert!(!is_done(&ask(&mut next, Request::Release { reason: " ".into() })) && next.is_killed());
    assert!(is_done(&ask(&mut next, Request::Release { reason: "looked at it".into() })) && !next.is_killed());
}
