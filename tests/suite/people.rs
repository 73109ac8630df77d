//! Several people at one core: who was first and is told so, who drives, who is here, and the end of a shift.

use std::collections::BTreeMap;
use std::sync::Arc;

use hypocenter::engine::clock::{DAY_MS, SECOND_MS, Timestamp};
use hypocenter::engine::input::{Input, RequestId, StepProgress, StepReport};
use hypocenter::engine::job::{Job, Record};
use hypocenter::engine::model::{Attendee, IncidentState, Person, Role, Run, RunId, RunState, StepState};
use hypocenter::engine::pipeline::Engine;
use hypocenter::engine::request::{Reply, Request};
use hypocenter::engine::runbooks::Library;
use hypocenter::engine::settings::EngineSettings;
use hypocenter::engine::snapshot::Snapshot;

use super::walking::{self, INCIDENT};

const RUN: RunId = RunId(1);

/// A core with one incident and one runbook for it, and a clock that is moved by hand.
struct Room {
    engine: Engine,
    now: Timestamp,
    kept: Vec<Record>,
}

fn person(name: &str, role: Role) -> Person {
    Person { name: name.into(), role }
}

fn responder(name: &str) -> Person {
    person(name, Role::Responder)
}

/// Two acts, and a look whether they helped.
fn page(more: &str) -> String {
    let act = |name| (name, walking::act("/bin/look", name, more));
    walking::page(&[act("one"), act("two"), ("home", walking::verify())])
}

fn core(page: &str, responders: &[&str]) -> Engine {
    let mut settings = EngineSettings::default();
    settings.runbooks.allowed_programs = vec!["/bin/look".to_owned()];
    settings.people.responder = responders.iter().map(ToString::to_string).collect();
    let mut library = Library::default();
    library.add_text("test.md", page);
    assert_eq!(library.problems(), []);
    Engine::new(settings, library).unwrap()
}

impl Room {
    fn new(more: &str) -> Self {
        Self::among(more, &["dora", "@sre"])
    }

    /// Where these have a role by the configuration.
    fn among(more: &str, responders: &[&str]) -> Self {
        Self::of(core(&page(more), responders))
    }

    fn of(mut engine: Engine) -> Self {
        let incident = walking::incident(INCIDENT);
        let now = incident.opened_at;
        engine.restore([Record::Incident(incident)], now);
        engine.begin(now);
        let mut room = Self { engine, now, kept: Vec::new() };
        room.pass(1);
        room
    }

    fn take(&mut self, input: Input) -> Option<Reply> {
        let mut answer = None;
        for job in self.engine.handle(input, self.now) {
            match job {
                Job::Reply { reply, .. } => answer = Some(reply),
                Job::Persist(records) | Job::PersistLater(records) => self.kept.extend(records),
                _ => {}
            }
        }
        answer
    }

    fn pass(&mut self, seconds: i64) {
        self.now = self.now + seconds * SECOND_MS;
        self.take(Input::Tick);
    }

    fn ask(&mut self, by: &Person, request: Request) -> Result<String, String> {
        match self.take(Input::Request { id: RequestId(1), by: by.clone(), request }).unwrap() {
            Reply::Done { text } => Ok(text.to_string()),
            Reply::Refused { reason } | Reply::Lost { reason } => Err(reason.to_string()),
        }
    }

    /// These people are attached, each at a seat of its own, and look at the incident.
    fn here(&mut self, people: &[&Person]) {
        let attendees = (1..).zip(people).map(|(seat, person)| Attendee {
            seat,
            person: (*person).clone(),
            incident: Some(INCIDENT),
            pane: "Runbook".into(),
        });
        self.take(Input::Present(attendees.collect()));
    }

    fn picture(&mut self) -> Arc<Snapshot> {
        self.engine.snapshot(self.now)
    }

    fn run(&mut self) -> Arc<Run> {
        Arc::clone(walking::run(&self.picture()).unwrap())
    }

    fn begin(&mut self, by: &Person) {
        let start = walking::start(&self.picture());
        self.ask(by, start).unwrap();
    }

    fn approval(&mut self, step: usize) -> Request {
        let digest = Arc::clone(&self.run().steps[step].offer);
        Request::Approve { run: RUN, step, digest, typed_target: None }
    }

    /// The command that runs ends well.
    fn finish(&mut self, step: usize) {
        let attempt = Arc::clone(&self.run().steps[step].begun.last().unwrap().id);
        let progress = StepProgress::Exited { code: Some(0), took_ms: 1 };
        self.take(Input::Step(StepReport { run: RUN, step, attempt, progress }));
    }

    fn driver(&mut self) -> Option<String> {
        self.picture().wheels.get(&RUN).map(|wheel| wheel.driver.to_string())
    }

    fn logged(&mut self, by: &str, text: &str) -> bool {
        self.picture().audit.iter().any(|entry| entry.by.as_ref() == by && entry.text.contains(text))
    }
}

#[test]
fn whoever_comes_late_for_a_step_is_told_so_where_the_run_paused_since_too() {
    let (ana, bo) = (responder("ana"), responder("bo"));
    let act = walking::act("/bin/look", "one", "");
    let look = "kind = \"check\"\nrun = [\"/bin/look\"]\nexpect = \"well\"\ntimeout = \"9s\"\n".to_owned();
    let mut room =
        Room::of(core(&walking::page(&[("one", act), ("look", look), ("home", walking::verify())]), &["ana", "bo"]));
    room.here(&[&ana, &bo]);
    room.begin(&ana);
    let late = room.approval(0);
    for step in [0, 1] {
        let approval = room.approval(step);
        room.ask(&ana, approval).unwrap();
        room.finish(step);
    }
    assert_eq!(room.run().state, RunState::Paused);
    for (by, who) in [(&bo, "ana"), (&ana, "you")] {
        let refused = room.ask(by, late.clone()).unwrap_err();
        assert!(refused.contains("is paused") && refused.contains(&format!("({who} approved this at ")), "{refused}");
    }
}

#[test]
fn whoever_comes_second_is_told_who_did_it_and_when() {
    let (ana, bo) = (responder("ana"), responder("bo"));
    let mut room = Room::new("");
    room.begin(&ana);
    let at = room.now.hh_mm_ss();
    let again = walking::start(&room.picture());
    let refused = room.ask(&bo, again).unwrap_err();
    assert!(refused.contains(&format!("ana began it at {at}")), "{refused}");
    let approval = room.approval(0);
    let stale = room.run().shown();
    room.ask(&ana, approval.clone()).unwrap();
    room.now = room.now + SECOND_MS;
    let before = room.run();
    let told = format!("ana approved this at {at}; it runs since then");
    let steer = |digest: &Arc<str>| {
        let (run, step, digest) = (RUN, 0, Arc::clone(digest));
        [
            Request::Skip { run, step, reason: "no".into(), digest: Arc::clone(&digest) },
            Request::Retry { run, step, digest: Arc::clone(&digest) },
            Request::RunFrom { run, step, reason: "again".into(), digest: Arc::clone(&digest) },
            Request::Resume { run, reason: "on".into(), digest: Arc::clone(&digest) },
            Request::EditRun { run, params: BTreeMap::new(), digest },
        ]
    };
    let mut late = vec![approval.clone(), Request::DryRun { run: RUN, step: 0, digest: stale.clone() }];
    late.extend(steer(&stale));
    for request in late {
        let refused = room.ask(&bo, request.clone()).unwrap_err();
        let is_of_run = matches!(request, Request::Resume { .. } | Request::EditRun { .. });
        let wanted = if is_of_run { format!("ana at {at}: approved step 1 of RUN-1") } else { told.clone() };
        assert!(refused.contains(&wanted) && refused.ends_with("; nothing was done now)"), "{request:?}: {refused}");
        assert!(!refused.contains("digest"), "{refused}");
        assert_eq!(room.run(), before, "{request:?}");
    }
    let own = room.ask(&ana, approval).unwrap_err();
    assert!(own.contains(&format!("you approved this at {at}")), "{own}");
    room.finish(0);
    let skip = Request::Skip { run: RUN, step: 1, reason: "no need".into(), digest: room.run().shown() };
    room.ask(&ana, skip.clone()).unwrap();
    let refused = room.ask(&bo, skip).unwrap_err();
    assert!(refused.contains("ana passed this over at") && refused.contains("no need"), "{refused}");
    let stop = || Request::StopRun { run: RUN, escalate: None };
    room.ask(&ana, stop()).unwrap();
    let refused = room.ask(&bo, stop()).unwrap_err();
    assert!(refused.contains("RUN-1 is over") && refused.contains("ana at"), "{refused}");
    // The same of an incident.
    room.ask(&ana, Request::Resolve { incident: INCIDENT }).unwrap();
    let at = room.now.hh_mm_ss();
    let refused = room.ask(&bo, Request::Mitigate { incident: INCIDENT }).unwrap_err();
    assert!(refused.contains(&format!("(ana at {at}: resolved)")), "{refused}");
}

#[test]
fn a_runbook_that_is_bound_otherwise_than_shown_does_not_begin_and_old_recordings_do() {
    let ana = responder("ana");
    let mut room = Room::new("");
    let start = |digest: &str| Request::StartRun { incident: INCIDENT, runbook: "mend".into(), digest: digest.into() };
    let refused = room.ask(&ana, start("otherwise")).unwrap_err();
    assert!(refused.contains("is no longer as it was shown"), "{refused}");
    assert!(room.picture().runs.is_empty());
    let older = r#"{"start_run":{"incident":42,"runbook":"mend"}}"#;
    let request: Request = serde_json::from_str(older).unwrap();
    assert!(request.is_blind() && !start("shown").is_blind());
    room.ask(&ana, request).unwrap();
    let older = r#"{"skip":{"run":1,"step":0,"reason":"no"}}"#;
    room.ask(&ana, serde_json::from_str(older).unwrap()).unwrap();
    assert!(matches!(room.run().steps[0].state, StepState::Skipped { .. }));
}

#[test]
fn one_drives_and_the_others_ask() {
    let (ana, bo, cleo) = (responder("ana"), responder("bo"), person("cleo", Role::Commander));
    let vic = person("vic", Role::Viewer);
    let mut room = Room::new("");
    room.here(&[&ana, &bo, &cleo, &vic]);
    room.begin(&ana);
    assert_eq!(room.driver().as_deref(), Some("ana"));
    let approval = room.approval(0);
    let stop = || Request::StopRun { run: RUN, escalate: None };
    let shown = room.run().shown();
    for request in [
        approval.clone(),
        stop(),
        Request::Skip { run: RUN, step: 0, reason: "no".into(), digest: Arc::clone(&shown) },
        Request::RunFrom { run: RUN, step: 1, reason: "on".into(), digest: shown },
    ] {
        let before = room.run();
        let refused = room.ask(&bo, request).unwrap_err();
        assert!(refused.contains("ana drives RUN-1 since") && refused.contains("ask for the wheel"), "{refused}");
        assert_eq!(room.run(), before);
    }
    let refused = room.ask(&bo, Request::TakeWheel { run: RUN }).unwrap_err();
    assert!(refused.contains("ana drives RUN-1 and is here"), "{refused}");
    assert!(room.ask(&vic, Request::AskWheel { run: RUN }).unwrap_err().contains("needs the role responder"));
    // Kept, then given.
    room.ask(&bo, Request::AskWheel { run: RUN }).unwrap();
    assert_eq!(room.picture().wheels[&RUN].asked.as_ref().unwrap().by.as_ref(), "bo");
    room.ask(&ana, Request::KeepWheel { run: RUN }).unwrap();
    room.pass(61);
    assert_eq!(room.driver().as_deref(), Some("ana"));
    let refused = room.ask(&ana, Request::GiveWheel { run: RUN, to: "vic".into() }).unwrap_err();
    assert!(refused.contains("vic only looks on"), "{refused}");
    room.ask(&bo, Request::AskWheel { run: RUN }).unwrap();
    room.ask(&ana, Request::GiveWheel { run: RUN, to: "".into() }).unwrap();
    assert_eq!(room.driver().as_deref(), Some("bo"));
    // Not answered for a minute; the picture is of the second attempt by then, and its time to answer is not over before.
    room.ask(&ana, Request::AskWheel { run: RUN }).unwrap();
    room.pass(59);
    assert_eq!(room.driver().as_deref(), Some("bo"));
    room.pass(1);
    assert_eq!(room.driver().as_deref(), Some("ana"));
    assert!(room.logged("ana", "took the wheel of RUN-1 from bo, who did not answer"));
    let story = &room.picture().incidents[0].timeline;
    assert!(story.iter().any(|entry| entry.text.contains("gave the wheel of RUN-1 to bo")), "{story:?}");
    // A commander takes it at once, and needs none to stop a run.
    room.ask(&cleo, Request::TakeWheel { run: RUN }).unwrap();
    assert_eq!(room.driver().as_deref(), Some("cleo"));
    // Whoever is gone holds nobody up.
    room.here(&[&ana, &bo]);
    let approval = room.approval(0);
    room.ask(&bo, approval).unwrap();
    assert_eq!(room.driver().as_deref(), Some("bo"));
    assert!(room.logged("bo", "took the wheel of RUN-1 from cleo"));
    // It outlives the engine.
    let mut later = core(&page(""), &[]);
    later.restore(room.kept.clone(), room.now);
    assert_eq!(later.snapshot(room.now).wheels[&RUN].driver.as_ref(), "bo");
    room.here(&[&ana, &bo, &cleo]);
    room.ask(&cleo, stop()).unwrap();
    assert_eq!(room.run().state, RunState::Stopped);
    room.pass(1);
    assert_eq!(room.driver(), None, "a run that is over has none");
}

#[test]
fn the_second_word_for_a_step_of_two_people_needs_no_wheel_and_the_kill_switch_none_at_all() {
    let (ana, bo, vic) = (responder("ana"), responder("bo"), person("vic", Role::Viewer));
    let mut room = Room::new("approvals = 2");
    room.here(&[&ana, &bo, &vic]);
    room.begin(&ana);
    let approval = room.approval(0);
    let refused = room.ask(&bo, approval.clone()).unwrap_err();
    assert!(refused.contains("ana drives"), "the first word is the driver's: {refused}");
    room.ask(&ana, approval.clone()).unwrap();
    assert_eq!(room.run().steps[0].state, StepState::Waiting);
    room.ask(&bo, approval).unwrap();
    assert!(matches!(room.run().steps[0].state, StepState::Running { .. }));
    assert_eq!(room.driver().as_deref(), Some("ana"));
    room.ask(&vic, Request::Kill { reason: "smoke".into() }).unwrap();
    assert!(room.picture().kill.is_some());
}

#[test]
fn who_is_here_is_in_the_picture_and_when_who_is_not_was_here() {
    let (ana, bo) = (responder("ana"), responder("bo"));
    let mut room = Room::new("");
    room.here(&[&ana, &bo]);
    let came = room.now;
    let picture = room.picture();
    let seen: Vec<_> =
        picture.present.iter().map(|it| (it.name.as_ref(), it.since, it.incident, it.last_here)).collect();
    assert_eq!(seen, [("ana", came, Some(INCIDENT), None), ("bo", came, Some(INCIDENT), None)]);
    room.pass(60);
    assert!(!room.engine.has_changed() || room.picture().present == picture.present);
    // bo leaves; ana stays, looks elsewhere, and opens another console.
    let elsewhere = Attendee { seat: 1, person: ana.clone(), incident: None, pane: "No\u{1b}w".into() };
    room.take(Input::Present(vec![elsewhere.clone()]));
    let left = room.now;
    let second = Attendee { seat: 3, pane: "Log".into(), ..elsewhere.clone() };
    room.pass(60);
    room.take(Input::Present(vec![elsewhere.clone(), second]));
    let picture = room.picture();
    assert_eq!((picture.present[0].since, picture.present[0].pane.as_ref()), (came, "Now"));
    assert_eq!((picture.present[1].since, picture.present[1].last_here), (room.now, None), "ana was here all the time");
    // After an engine's end, too.
    let mut later = core(&page(""), &[]);
    later.restore(room.kept.clone(), room.now);
    let back = Attendee { seat: 1, person: bo, incident: None, pane: "".into() };
    later.handle(Input::Present(vec![back]), room.now + DAY_MS);
    assert_eq!(later.snapshot(room.now).present[0].last_here, Some(left));
}

#[test]
fn the_end_of_a_shift_passes_incidents_and_wheels_on() {
    let (ana, bo) = (responder("ana"), responder("bo"));
    let mut room = Room::new("");
    room.here(&[&ana, &bo]);
    room.begin(&ana);
    room.ask(&ana, Request::Own { incident: INCIDENT, owner: "".into() }).unwrap();
    let over = |to: &str| Request::HandOver { to: to.into(), note: "watch the replica".into() };
    assert!(room.ask(&ana, over("")).unwrap_err().contains("say who takes over"));
    assert!(room.ask(&ana, over("ana")).unwrap_err().contains("ana is you"));
    let text = room.ask(&ana, over("bo")).unwrap();
    assert_eq!(text, "handed over to bo: INC-42, the wheel of RUN-1");
    let picture = room.picture();
    let incident = &picture.incidents[0];
    assert_eq!(incident.owner.as_deref(), Some("bo"));
    assert_eq!(incident.state, IncidentState::Open);
    let note = incident.timeline.iter().find(|entry| entry.text.contains("handover to bo: watch the replica; INC-42"));
    assert_eq!(note.unwrap().by.as_deref(), Some("ana"));
    assert_eq!(picture.wheels[&RUN].driver.as_ref(), "bo");
    for text in ["handed over to bo", "INC-42 is now owned by bo", "gave the wheel of RUN-1 to bo"] {
        assert!(room.logged("ana", text), "{text}");
    }
    // Nobody is given anything by a slip.
    for (name, meant) in [("boo", "; did you mean `bo`?"), ("@sre", "")] {
        let refused = room.ask(&bo, over(name)).unwrap_err();
        let expected =
            format!("nobody called {name} was seen here so far or is named under [people]{meant}; nothing was done");
        assert_eq!(refused, expected);
        let refused = room.ask(&bo, Request::GiveWheel { run: RUN, to: name.into() }).unwrap_err();
        assert_eq!(refused, expected);
    }
    assert_eq!(room.picture().wheels[&RUN].driver.as_ref(), "bo");
    assert_eq!(room.picture().incidents[0].owner.as_deref(), Some("bo"));
    // Who is named by the configuration has not been here yet. What is somebody else's stays so.
    assert_eq!(room.ask(&ana, over("Dora")).unwrap(), "handed over to dora: nothing was open");
    assert_eq!(room.picture().incidents[0].owner.as_deref(), Some("bo"));
    // What goes with a wheel alone is told where its run is.
    room.ask(&bo, Request::Own { incident: INCIDENT, owner: "dora".into() }).unwrap();
    assert_eq!(room.ask(&bo, over("ana")).unwrap(), "handed over to ana: the wheel of RUN-1");
    let told = |picture: &Snapshot, text: &str| picture.incidents[0].timeline.iter().any(|entry| &*entry.text == text);
    assert!(told(&room.picture(), "handover of RUN-1 to ana: watch the replica"));
    room.ask(&ana, over("bo")).unwrap();
    room.ask(&bo, Request::Own { incident: INCIDENT, owner: "".into() }).unwrap();
    // Case is a slip of the hand.
    assert_eq!(room.ask(&bo, over("Ana")).unwrap(), "handed over to ana: INC-42, the wheel of RUN-1");
    // Who is of a group is named by nothing before the first shift.
    let text = room.ask(&ana, over("cleo")).unwrap();
    assert_eq!(text, "handed over to cleo, whom nobody has seen here so far: INC-42, the wheel of RUN-1");
}

#[test]
fn where_everybody_is_named_nobody_else_is_given_anything() {
    let ana = person("ana", Role::Commander);
    let mut room = Room::among("", &["dora"]);
    room.here(&[&ana]);
    let over = |to: &str| Request::HandOver { to: to.into(), note: "".into() };
    let refused = room.ask(&ana, over("cleo")).unwrap_err();
    assert_eq!(refused, "nobody called cleo was seen here so far or is named under [people]; nothing was done");
    assert!(room.ask(&ana, over("dora")).unwrap().starts_with("handed over to dora: "));
}

#[test]
fn every_act_is_logged_under_who_asked_for_it() {
    let dai = person("dai", Role::Admin);
    let mut room = Room::new("undo = [\"/bin/look\", \"back\"]");
    room.begin(&dai);
    let approval = room.approval(0);
    room.ask(&dai, approval).unwrap();
    room.finish(0);
    let undo = Request::Undo { run: RUN, step: 0, digest: Arc::clone(&room.run().steps[0].id) };
    let skip = Request::Skip { run: RUN, step: 1, reason: "no".into(), digest: room.run().shown() };
    for request in [
        skip,
        undo,
        Request::Acknowledge { incident: INCIDENT },
        Request::Note { incident: INCIDENT, text: "seen".into() },
        Request::SavePostMortem { incident: INCIDENT, text: "# So it was".into() },
        Request::Kill { reason: "smoke".into() },
        Request::Release { reason: "no fire".into() },
        Request::ResetBreaker,
    ] {
        let last = room.picture().audit.first().map_or(0, |entry| entry.sequence);
        room.ask(&dai, request.clone()).unwrap_or_else(|refused| panic!("{request:?}: {refused}"));
        let picture = room.picture();
        let mut fresh = picture.audit.iter().filter(|entry| entry.sequence > last);
        assert!(fresh.any(|entry| entry.by.as_ref() == "dai"), "{request:?}: {:?}", picture.audit);
    }
}
