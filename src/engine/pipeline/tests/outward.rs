//! What is told outside: on disk first, once, and closed again.

use super::*;
use crate::engine::model::Person;

/// An engine that tells Slack of incidents and ServiceNow of acts.
fn talkative() -> Engine {
    let outbound = OutboundSettings {
        slack: Some(SlackSettings::default()),
        servicenow: Some(ServicenowSettings::default()),
        ..OutboundSettings::default()
    };
    Engine::new(EngineSettings { outbound, ..EngineSettings::default() }, Library::shipped()).unwrap()
}

/// What is told by these jobs: each only after it was written down as under way.
fn told(jobs: &[Job]) -> Vec<(Destination, OutwardEvent)> {
    let mut kept = Vec::new();
    let mut told = Vec::new();
    for job in jobs {
        match job {
            Job::Persist(records) => kept.extend(records.iter().cloned()),
            Job::Deliver(attempt) => {
                assert!(kept.contains(&Record::Delivery(attempt.delivery.clone())), "{attempt:?} is not on disk");
                told.push((attempt.delivery.destination, attempt.delivery.message.event));
            }
            _ => {}
        }
    }
    told
}

#[test]
fn what_is_told_outside_is_on_disk_first_and_told_once_across_lives() {
    let mut engine = talkative();
    let mut records = Vec::new();
    let mut all = Vec::new();
    let mut end = START;
    for (input, now) in storm(0..3) {
        let jobs = engine.handle(input, now);
        all.extend(told(&jobs));
        for job in jobs {
            if let Job::Persist(kept) | Job::PersistLater(kept) = job {
                records.extend(kept);
            }
        }
        end = now;
    }
    assert_eq!(all, [(Destination::Slack, OutwardEvent::IncidentOpened)]);
    // The next life finds it under way: Slack cannot be asked whether it arrived, so it is not told again.
    let mut next = talkative();
    let jobs = next.restore(records, end);
    assert_eq!(told(&jobs), []);
    let given_up = |record: &Record| matches!(record, Record::Delivery(it) if !it.is_pending());
    assert!(matches!(&jobs[..], [Job::Persist(records)] if records.iter().any(given_up)), "{jobs:?}");
    for second in 1..60 {
        assert_eq!(told(&next.handle(Input::Tick, end + second * SECOND_MS)), []);
    }
}

#[test]
fn a_status_update_is_kept_told_and_sets_when_the_next_is_due() {
    let mut engine = talkative();
    for (input, now) in storm(0..3) {
        engine.handle(input, now);
    }
    let ask = |request| Input::Request { id: RequestId(1), by: Person::admin("ana"), request };
    let worse = Request::SetSeverity { incident: IncidentId(1), severity: IncidentSeverity::Sev1 };
    let at = START + MINUTE_MS;
    engine.handle(ask(worse), at);
    let opened_at = engine.world.incidents[&IncidentId(1)].opened_at;
    assert_eq!(engine.snapshot(at).updates_due[&IncidentId(1)], opened_at + 30 * MINUTE_MS);
    for (text, answer) in [("", "without text"), ("users\nfail\u{1b}[2J", "the next is due at")] {
        let request = Request::SendUpdate { incident: IncidentId(1), text: Arc::from(text) };
        let jobs = engine.handle(ask(request), at);
        let Some(Job::Reply { reply, .. }) = jobs.iter().find(|job| matches!(job, Job::Reply { .. })) else { panic!() };
        let (Reply::Done { text: said } | Reply::Refused { reason: said } | Reply::Lost { reason: said }) = reply;
        assert!(said.contains(answer), "{said}");
    }
    let snapshot = engine.snapshot(at);
    assert_eq!(snapshot.updates_due[&IncidentId(1)], at + 30 * MINUTE_MS);
    assert_eq!(snapshot.documents[0].text.as_ref(), "users\nfail␛[2J");
    let last = snapshot.incidents[0].timeline.last().unwrap();
    assert!(last.text.starts_with("status update: users"), "{last:?}");
    let waits = snapshot.outbox.pending.iter().any(|it| it.message.event == OutwardEvent::StatusUpdate);
    assert!(waits, "{:?}", snapshot.outbox);
    let request = Request::SavePostMortem { incident: IncidentId(1), text: Arc::from("# What happened") };
    let jobs = engine.handle(ask(request), at);
    let is_kept = |job: &Job| matches!(job, Job::Persist(records) if records.iter().any(|it| matches!(it, Record::Document(it) if it.text.starts_with("# What"))));
    assert!(jobs.iter().any(is_kept), "{jobs:?}");
    let mut next = talkative();
    next.restore(jobs.into_iter().flat_map(|job| if let Job::Persist(kept) = job { kept } else { Vec::new() }), at);
    assert_eq!(next.snapshot(at).documents.len(), 1, "and the next life has it");
}

/// What is told of due updates and of updates until an hour and a half after the opening, and what is in the timeline.
fn told_of_updates(update_due: UpdateDue) -> (Vec<(OutwardEvent, Timestamp)>, Engine, Timestamp) {
    let mut engine = talkative();
    engine.settings.outbound.update_due = update_due;
    for (input, now) in storm(0..3) {
        engine.handle(input, now);
    }
    let at = START + MINUTE_MS;
    let worse = Request::SetSeverity { incident: IncidentId(1), severity: IncidentSeverity::Sev1 };
    engine.handle(Input::Request { id: RequestId(1), by: Person::admin("ana"), request: worse }, at);
    let opened_at = engine.world.incidents[&IncidentId(1)].opened_at;
    let mut told = BTreeSet::new();
    for minute in 1..90 {
        let now = opened_at + minute * MINUTE_MS;
        for second in 0..2 {
            engine.handle(Input::Tick, now + second * SECOND_MS);
        }
        let outbox = engine.snapshot(now).outbox.clone();
        let all = outbox.pending.iter().chain(&outbox.delivered).chain(&outbox.given_up);
        told.extend(
            all.filter(|it| matches!(it.message.event, OutwardEvent::UpdateDue | OutwardEvent::StatusUpdate))
                .map(|it| (it.message.at, it.message.event)),
        );
    }
    (told.into_iter().map(|(at, event)| (event, at)).collect(), engine, opened_at)
}

#[test]
fn responders_are_reminded_of_a_due_update_once_each_time() {
    let (told, mut engine, opened_at) = told_of_updates(UpdateDue::Remind);
    assert_eq!(told, [(OutwardEvent::UpdateDue, opened_at + 30 * MINUTE_MS)], "nobody has sent one since");
    let snapshot = engine.snapshot(opened_at + 90 * MINUTE_MS);
    assert!(snapshot.documents.is_empty());
    assert!(told_of_updates(UpdateDue::Mark).0.is_empty());
}

#[test]
fn where_the_settings_say_so_the_draft_is_sent_by_itself() {
    let (told, mut engine, opened_at) = told_of_updates(UpdateDue::Send);
    let at = |minutes: i64| opened_at + minutes * MINUTE_MS;
    assert_eq!(told, [(OutwardEvent::StatusUpdate, at(30)), (OutwardEvent::StatusUpdate, at(60))]);
    let snapshot = engine.snapshot(at(90));
    assert_eq!(snapshot.updates_due[&IncidentId(1)], at(90));
    assert_eq!(snapshot.documents[0].by.as_ref(), "engine");
    assert!(snapshot.documents[0].text.contains("INC-1 SEV1"), "{}", snapshot.documents[0].text);
    let sent = snapshot.incidents[0].timeline.iter().filter(|entry| entry.text.starts_with("status update: "));
    assert_eq!(sent.count(), 2, "it is in the timeline as well");
}

#[test]
fn the_record_of_an_act_is_opened_while_it_runs_updated_when_it_is_unknown_and_closed_as_one() {
    let mut engine = talkative();
    for (input, now) in storm(0..3) {
        engine.handle(input, now);
    }
    let mut now = START + MINUTE_MS;
    let mut threads = BTreeSet::new();
    let mut tick = |engine: &mut Engine| {
        now = now + SECOND_MS;
        let jobs = engine.handle(Input::Tick, now);
        let mut events = Vec::new();
        for job in jobs {
            let Job::Deliver(attempt) = job else { continue };
            let message = attempt.delivery.message;
            if message.event.is_of_act() {
                threads.insert(message.token());
            }
            if attempt.delivery.destination == Destination::Servicenow {
                events.push((message.event, attempt.reference.clone()));
            }
            let outcome = DeliveryOutcome::Delivered { reference: Arc::from("CHG1") };
            let (number, attempt) = (attempt.delivery.number, attempt.delivery.attempt_count);
            engine.handle(Input::Delivered(DeliveryReport { number, attempt, outcome }), now);
        }
        events
    };
    tick(&mut engine);
    let (run, name) = run_with(StepState::Running { since: START, purpose: Purpose::DryRun }, "ana");
    engine.world.runs.insert(run.id, Arc::new(run));
    assert_eq!(tick(&mut engine), [], "a dry run changes nothing");
    let (run, _) = run_with(StepState::Running { since: START, purpose: Purpose::Run }, "ana");
    engine.world.runs.insert(run.id, Arc::new(run));
    assert_eq!(tick(&mut engine), [(OutwardEvent::ActBegan, None)]);
    assert_eq!(tick(&mut engine), [], "once");
    let (run, _) = run_with(StepState::Unknown { since: START }, "ana");
    engine.world.runs.insert(run.id, Arc::new(run));
    assert_eq!(tick(&mut engine), [(OutwardEvent::ActUpdated, Some(Arc::from("CHG1")))]);
    let notice = own_act(&format!("RUN-1/{name}/{}", START.0));
    engine.handle(Input::Signal(Signal::Change(notice)), START + MINUTE_MS);
    let ended = tick(&mut engine);
    assert_eq!(ended, [(OutwardEvent::ActEnded, Some(Arc::from("CHG1")))]);
    assert_eq!(threads.len(), 1, "all of it is one record");
    let said = &engine.snapshot(START + 3 * MINUTE_MS).audit;
    assert!(said.iter().any(|entry| entry.text.starts_with("told servicenow (CHG1): ")), "{said:?}");
}

#[test]
fn an_act_that_nobody_approved_and_a_run_that_needs_a_person_are_told() {
    let mut engine = talkative();
    let events = |engine: &mut Engine, run: Run| {
        engine.world.runs.insert(run.id, Arc::new(run));
        engine.handle(Input::Tick, START + SECOND_MS);
        let pending = engine.snapshot(START + SECOND_MS).outbox.pending.clone();
        let of_slack = pending.iter().filter(|it| it.destination == Destination::Slack);
        let mut events: Vec<OutwardEvent> = of_slack.map(|it| it.message.event).collect();
        events.sort_unstable();
        events
    };
    let running = StepState::Running { since: START, purpose: Purpose::Run };
    let (run, _) = run_with(running, "engine");
    assert_eq!(events(&mut engine, run), [OutwardEvent::AutonomousAct]);
    let failed = StepState::Failed { at: START, reason: Arc::from("exit code 3") };
    let (mut run, _) = run_with(failed, "ana");
    (run.id, run.state, run.ended_at) = (RunId(2), RunState::Failed, Some(START));
    assert_eq!(events(&mut engine, run.clone()), [OutwardEvent::StepFailed, OutwardEvent::AutonomousAct]);
    // Where it acted it is handed over, and that one word is enough.
    (run.id, run.is_escalated) = (RunId(5), true);
    let told = events(&mut engine, run.clone());
    assert_eq!(told, [OutwardEvent::StepFailed, OutwardEvent::RunEscalated, OutwardEvent::AutonomousAct]);
    // What failed long ago is no news.
    (run.id, run.ended_at) = (RunId(3), Some(START - 60 * MINUTE_MS));
    assert_eq!(events(&mut engine, run.clone()).len(), told.len());
    (run.id, run.state) = (RunId(4), RunState::Interrupted);
    assert!(events(&mut engine, run).contains(&OutwardEvent::RunEscalated));
}

fn own_act(external_id: &str) -> ChangeNotice {
    ChangeNotice {
        source: SourceName::new("hypo"),
        external_id: Arc::from(external_id),
        kind: ChangeKind::OwnAct,
        service: Some(ServiceName::new("auth")),
        title: Arc::from("RUN-1: restart auth"),
        version: None,
        author: Some(Arc::from("ana")),
        url: None,
        at: START,
        finished_at: Some(START + SECOND_MS),
        has_taken_effect: true,
        content: None,
    }
}

#[test]
fn the_record_of_an_act_of_ours_is_closed_when_it_is_over_and_changes_of_others_have_none() {
    let mut engine = talkative();
    for (input, now) in storm(0..3) {
        engine.handle(input, now);
    }
    let notice = own_act("RUN-1/restart/1793577600000");
    let others = ChangeNotice { source: SourceName::new("github"), ..notice.clone() };
    for (notice, expected) in [(others, vec![]), (notice, vec![(Destination::Servicenow, OutwardEvent::ActEnded)])] {
        engine.handle(Input::Signal(Signal::Change(notice)), START + MINUTE_MS);
        let jobs = engine.handle(Input::Tick, START + MINUTE_MS + SECOND_MS);
        let of_acts: Vec<_> = told(&jobs).into_iter().filter(|(_, event)| event.is_of_act()).collect();
        assert_eq!(of_acts, expected);
    }
}
