//! A real service breaks by a real cause: the runbook for it mends it and the incident ends, one that does nothing for it
//! fails and leaves the incident open, and one that makes it worse is stopped.

use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hypocenter::engine::act::StepReportSink;
use hypocenter::engine::act::StepRunner;
use hypocenter::engine::act::executor::Executor;
use hypocenter::engine::clock::{MINUTE_MS, SECOND_MS, Timestamp};
use hypocenter::engine::handle::EngineHandle;
use hypocenter::engine::input::{Input, RequestId, StepProgress, StepReport};
use hypocenter::engine::job::Job;
use hypocenter::engine::model::{
    BadWhen, CauseKind, ChangeKind, ChangeNotice, Incident, IncidentId, IncidentState, Labels, Person, Run, RunState,
    Sample, SampleBatch, SeriesDescriptor, SeriesNotice, SeriesRole, ServiceName, Signal, SourceName, StepState, Unit,
};
use hypocenter::engine::pipeline::Engine;
use hypocenter::engine::request::{Reply, Request};
use hypocenter::engine::runbooks::Library;
use hypocenter::engine::runtime::{Runtime, RuntimeConfig, source_list};
use hypocenter::engine::settings::{
    ChangeFileSettings, CorrelationSettings, EngineSettings, HostSettings, PolicySettings, PrometheusSettings,
    QuerySettings, RunbookSettings, Span,
};
use hypocenter::engine::snapshot::Snapshot;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::shop_process::{Counts, Shop};

/// Longest wait for what must come.
const PATIENCE: Duration = Duration::from_secs(120);
/// Customers' requests in a second.
const CUSTOMERS: u64 = 40;

/// A page for the bad configuration of the shop, with one act and what is verified afterwards.
fn page(shop: &Shop, id: &str, act: &str, verify: &str) -> String {
    let show = shop.program("show.sh");
    format!(
        "# {id}\n\n```toml runbook\nid = \"{id}\"\nversion = \"1\"\nowner = \"team:test\"\nproblem = \"bad_config\"\n\
         max_actions = 2\n\n[params]\nservice = {{ type = \"service\", from = \"cause.service\" }}\n```\n\n\
         What {{service}} writes to is in its configuration.\n\n\
         ```toml step look\nkind = \"check\"\nrun = [\"{show}\"]\nexpect = \"store=\"\ntimeout = \"10s\"\n```\n\n\
         ```toml step act\nkind = \"act\"\neffect = \"reversible\"\ntouches = \"{{service}}\"\ntimeout = \"10s\"\n{act}\n```\n\n\
         ```toml step home\nkind = \"verify\"\nmetric = \"error_ratio\"\nservice = \"{{service}}\"\nbelow = 0.02\n\
         volume = {{ metric = \"request_rate\", service = \"{{service}}\", above = 1 }}\nmin_samples = 3\n{verify}\n```\n"
    )
}

/// Brings the configuration before back.
fn right(shop: &Shop, verify: &str) -> String {
    let act =
        format!("action = \"rollback\"\nrun = [\"{}\"]\nrollback = \"deploy again\"", shop.program("roll-back.sh"));
    page(shop, "bring-back", &act, verify)
}

/// Does nothing for it.
fn harmless(shop: &Shop, verify: &str) -> String {
    let act =
        format!("action = \"other\"\nrun = [\"{}\"]\nrollback = \"it fills again\"", shop.program("clear-cache.sh"));
    page(shop, "clear-cache", &act, verify)
}

/// Makes it worse, and says how to take that back.
fn worse(shop: &Shop, verify: &str) -> String {
    let (run, undo) = (shop.program("move-stores.sh"), shop.program("move-back.sh"));
    let act = format!("action = \"other\"\nrun = [\"{run}\"]\nundo = [\"{undo}\"]\nrollback = \"move them back\"");
    page(shop, "move-stores", &act, verify)
}

fn runbooks(shop: &Shop) -> RunbookSettings {
    let mut settings = RunbookSettings::default();
    settings.allowed_programs.extend(shop.programs());
    settings
}

/// The incident that is not over, where there is one.
fn live(snapshot: &Snapshot) -> Option<&Arc<Incident>> {
    snapshot.incidents.iter().find(|incident| incident.state.is_live())
}

/// Its cause is named and these runbooks are proposed for it.
fn is_explained(snapshot: &Snapshot, runbooks: &[&str]) -> bool {
    live(snapshot).is_some_and(|incident| {
        let cause = incident.ranking.cause();
        let proposed = snapshot.proposals.get(&incident.id).map(Vec::as_slice).unwrap_or_default();
        cause.is_some_and(|cause| cause.kind == CauseKind::BadConfig && cause.service.as_str() == "shop")
            && runbooks.iter().all(|id| proposed.iter().any(|proposal| proposal.runbook.id.as_ref() == *id))
    })
}

/// What a person who follows the page asks for next; `None` where it is for time to tell, or nothing is left.
fn next(run: &Run) -> Option<Request> {
    let at = run.current_step().filter(|_| run.state == RunState::Active)?;
    let step = &run.steps[at];
    let typed_target = step.needs_target.then(|| Arc::clone(&step.bound.spec.touches));
    (step.state == StepState::Waiting).then(|| Request::Approve {
        run: run.id,
        step: at,
        digest: Arc::clone(&step.offer),
        typed_target,
    })
}

// ---- by the clock on the wall ----

/// The whole program on the service: its own sources, its own clock.
struct Watched {
    runtime: Runtime,
    handle: EngineHandle,
}

impl Watched {
    async fn start(shop: &Shop, pages: &[(&str, String)]) -> Self {
        let folder = shop.folder.join("runbooks");
        fs::create_dir(&folder).unwrap();
        for (name, text) in pages {
            fs::write(folder.join(name), text).unwrap();
        }
        let query = |metric: &str, expr: &str, unit, role, bad_when| QuerySettings {
            metric: metric.to_owned(),
            expr: expr.to_owned(),
            unit,
            role,
            bad_when,
            is_skewed: false,
            limit: None,
            service: None,
        };
        let settings = EngineSettings {
            prometheus: vec![PrometheusSettings {
                url: shop.address().to_owned(),
                interval: Span(SECOND_MS),
                backfill: Span(MINUTE_MS),
                backfill_step: Span(SECOND_MS),
                defaults: Vec::new(),
                query: vec![
                    query("request_rate", "payments:rate", Unit::PerSecond, SeriesRole::Traffic, BadWhen::Either),
                    query("error_ratio", "payments:failed_ratio", Unit::Ratio, SeriesRole::Errors, BadWhen::High),
                    query("latency_mean", "payments:seconds", Unit::Seconds, SeriesRole::Latency, BadWhen::High),
                ],
                ..PrometheusSettings::default()
            }],
            change_file: vec![ChangeFileSettings { path: shop.folder.join("changes.jsonl"), name: None }],
            host: HostSettings { enabled: false, ..HostSettings::default() },
            correlation: CorrelationSettings { quiet_after: Span(6 * SECOND_MS), ..CorrelationSettings::default() },
            policy: PolicySettings { hold: Span(5 * SECOND_MS), ..PolicySettings::default() },
            runbooks: RunbookSettings { folders: vec![folder], ..runbooks(shop) },
            ..EngineSettings::default()
        };
        let mut runtime = Runtime::start(RuntimeConfig {
            sources: source_list::from_settings(&settings),
            runner: Arc::new(Executor::new(&settings.runbooks, Handle::current())),
            settings,
            library: Library::shipped(),
            state_dir: Some(shop.folder.join("state")),
            patch_office: None,
            record_to: None,
        })
        .unwrap();
        runtime.started().await.unwrap();
        let handle = runtime.handle();
        Self { runtime, handle }
    }

    async fn when(&self, what: &str, is_so: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let mut snapshots = self.handle.snapshots();
        let waited = tokio::time::timeout(PATIENCE, snapshots.wait_for(|snapshot| is_so(snapshot))).await;
        if let Ok(snapshot) = waited {
            return Arc::clone(&snapshot.unwrap());
        }
        let last = Arc::clone(&self.handle.snapshots().borrow());
        panic!("never: {what}\n{:#?}\n{:#?}\n{:#?}", last.incidents, last.anomalies, last.sources)
    }

    /// Begins the runbook for the live incident and approves every step of it, until it is over or paused.
    async fn walk(&self, runbook: &str) -> Arc<Run> {
        let mut snapshots = self.handle.snapshots();
        let incident = live(&snapshots.borrow_and_update()).unwrap().id;
        let digest = proposed(&snapshots.borrow_and_update(), incident, runbook);
        let begun = self
            .handle
            .send(&Person::admin("ana"), Request::StartRun { incident, runbook: runbook.into(), digest })
            .await
            .unwrap();
        assert!(matches!(begun, Reply::Done { .. }), "{begun:?}");
        let is_it = |run: &&Arc<Run>| run.incident() == Some(incident) && run.runbook.id.as_ref() == runbook;
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "the run does not end");
            let run = snapshots.borrow_and_update().runs.iter().find(is_it).cloned();
            match run {
                Some(run) if !run.state.is_open() || run.state == RunState::Paused => return run,
                Some(run) => match next(&run) {
                    // What has changed meanwhile is refused, and seen in the next picture.
                    Some(request) => drop(self.handle.send(&Person::admin("ana"), request).await.unwrap()),
                    None => drop(tokio::time::timeout(PATIENCE, snapshots.changed()).await),
                },
                None => drop(tokio::time::timeout(PATIENCE, snapshots.changed()).await),
            }
        }
    }
}

/// A bad configuration is put in force, and whoever did it says so, as a pipeline would.
fn break_it(shop: &Shop) {
    let now = chrono::Utc::now().to_rfc3339();
    shop.deploy(4);
    let mut changes = fs::File::options().create(true).append(true).open(shop.folder.join("changes.jsonl")).unwrap();
    writeln!(changes, r#"{{"at":"{now}","kind":"config","service":"shop","title":"stores v2","id":"conf-2"}}"#)
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrong_runbook_fails_the_right_one_mends_and_the_incident_ends() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::open(folder.path()).await;
    fs::write(folder.path().join("changes.jsonl"), "").unwrap();
    tokio::select! {
        () = shop.customers(CUSTOMERS) => {}
        () = break_and_mend(&shop) => {}
    }
}

async fn break_and_mend(shop: &Shop) {
    let begun = Instant::now();
    let pages = [
        // Far more than it takes, also where other tests keep the machine busy.
        ("right.md", right(shop, "for = \"3s\"\ntimeout = \"90s\"")),
        ("wrong.md", harmless(shop, "for = \"3s\"\ntimeout = \"6s\"")),
    ];
    let watched = Watched::start(shop, &pages).await;
    let is_calm = |snapshot: &Snapshot| snapshot.sources.iter().any(|report| report.accepted_count >= 30);
    let calm = watched.when("ten seconds of calm", is_calm).await;
    assert!(live(&calm).is_none(), "{:#?}", calm.incidents);

    break_it(shop);
    let broken = Instant::now();
    let shown = watched.when("the cause", |snapshot| is_explained(snapshot, &["bring-back", "clear-cache"])).await;
    let explained_after = broken.elapsed();
    let id = live(&shown).unwrap().id;

    let wrong = watched.walk("clear-cache").await;
    assert_eq!(wrong.state, RunState::Failed, "{wrong:#?}");
    let StepState::Failed { reason, .. } = &wrong.steps[2].state else { panic!("{wrong:#?}") };
    assert!(reason.contains("error_ratio of shop is") && reason.ends_with("it has not helped"), "{reason}");
    assert!(shop.folder.join("cache").is_dir(), "it did what it says");
    assert!(shop.served_of(20).await < 0.9, "and that is no remedy");
    let snapshot = watched.when("the incident", |snapshot| live(snapshot).is_some()).await;
    let state = live(&snapshot).unwrap().state;
    assert!(!matches!(state, IncidentState::Mitigated | IncidentState::Resolved), "it is {state:?}");

    let walked = Instant::now();
    let mended = watched.walk("bring-back").await;
    assert_eq!(mended.state, RunState::Succeeded, "{mended:#?}");
    assert!((shop.served_of(20).await - 1.0).abs() < f64::EPSILON, "every customer is served again");
    let text = fs::read_to_string(shop.folder.join("service.conf")).unwrap();
    assert!(!text.contains("gone"), "{text}");
    let ended = |snapshot: &Snapshot| {
        let incident = snapshot.incidents.iter().find(|incident| incident.id == id);
        incident.is_some_and(|incident| incident.state == IncidentState::Resolved)
    };
    let last = watched.when("the end of the incident", ended).await;
    let run = last.runs.iter().find(|run| run.id == mended.id).unwrap();
    assert_eq!(run.has_held, Some(true));
    println!(
        "explained {:.1} s after the configuration, mended and verified {:.1} s after the run began, all in {:.1} s",
        explained_after.as_secs_f64(),
        run.ended_at.unwrap().since_ms(run.started_at) as f64 / 1e3,
        begun.elapsed().as_secs_f64(),
    );
    assert!(walked.elapsed() < PATIENCE);
    let runtime = watched.runtime;
    tokio::task::spawn_blocking(move || runtime.stop()).await.unwrap();
}

// ---- by a clock that is turned by hand ----

/// Between two looks at the service, by that clock.
const LOOK_MS: i64 = 5 * SECOND_MS;
/// Requests of customers between two looks.
const REQUESTS: u32 = 20;

/// The engine's core under a clock of its own, on the real service and with the real runner of commands: the times in it
/// are those a program has that nobody has configured.
struct Turned {
    engine: Engine,
    runner: Executor,
    sink: StepReportSink,
    reports: mpsc::Receiver<StepReport>,
    now: Timestamp,
    counted: Counts,
    next_request: u64,
}

impl Turned {
    fn new(shop: &Shop, pages: &[(&str, String)]) -> Self {
        let settings = EngineSettings { runbooks: runbooks(shop), ..EngineSettings::default() };
        let mut library = Library::shipped();
        for (name, text) in pages {
            library.add_text(name, text);
        }
        assert_eq!(library.problems(), []);
        let (sink, reports) = StepReportSink::channel();
        let runner = Executor::new(&settings.runbooks, Handle::current());
        let engine = Engine::new(settings, library).unwrap();
        let now = Timestamp(1_795_298_400_000);
        let mut turned = Self { engine, runner, sink, reports, now, counted: Counts::default(), next_request: 1 };
        let series = [
            ("request_rate", Unit::PerSecond, SeriesRole::Traffic, BadWhen::Either),
            ("error_ratio", Unit::Ratio, SeriesRole::Errors, BadWhen::High),
        ];
        for (local, (metric, unit, role, bad_when)) in (0..).zip(series) {
            let descriptor = SeriesDescriptor {
                metric: metric.into(),
                service: ServiceName::new("shop"),
                instance: None,
                unit,
                role,
                bad_when,
                is_skewed: false,
                limit: None,
                interval_ms: u32::try_from(LOOK_MS).unwrap(),
                labels: Labels::default(),
            };
            let notice = SeriesNotice { source: SourceName::new("test"), local, descriptor };
            turned.engine.handle(Input::Signal(Signal::Series(notice)), now);
        }
        turned
    }

    /// Hands an input in, and carries out for real what comes of it.
    async fn take(&mut self, input: Input) -> Option<Reply> {
        let mut inputs = vec![input];
        let mut answer = None;
        while let Some(input) = inputs.pop() {
            for job in self.engine.handle(input, self.now) {
                match job {
                    Job::Execute(step) => {
                        self.runner.start(step, self.sink.clone());
                        inputs.extend(self.reports_of_one().await);
                    }
                    Job::Reply { reply, .. } => answer = Some(reply),
                    _ => {}
                }
            }
        }
        answer
    }

    /// What a command tells until its end, the last first.
    async fn reports_of_one(&mut self) -> Vec<Input> {
        let mut told = Vec::new();
        loop {
            let report = tokio::time::timeout(PATIENCE, self.reports.recv()).await.expect("the command ends").unwrap();
            let is_end = !matches!(report.progress, StepProgress::Output(_) | StepProgress::Digest { .. });
            told.insert(0, Input::Step(report));
            if is_end {
                return told;
            }
        }
    }

    /// Lets customers come, looks at what the service counted, and lets the time pass in which they came.
    async fn pass(&mut self, shop: &Shop) {
        shop.served_of(REQUESTS).await;
        let counts = shop.counts().await;
        let requests = (counts.requests - self.counted.requests) as f64;
        let failures = (counts.failures - self.counted.failures) as f64;
        self.counted = counts;
        for _ in 0..LOOK_MS / SECOND_MS {
            self.now = self.now + SECOND_MS;
            self.take(Input::Tick).await;
        }
        let sample = |local, value| Sample { local, at: self.now, value };
        let samples = vec![sample(0, requests / (LOOK_MS / SECOND_MS) as f64), sample(1, failures / requests)];
        let batch = SampleBatch { source: SourceName::new("test"), is_backfill: false, samples };
        self.take(Input::Signal(Signal::Samples(batch))).await;
    }

    async fn pass_until(&mut self, shop: &Shop, minutes: i64, is_so: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let until = self.now + minutes * MINUTE_MS;
        loop {
            let snapshot = self.engine.snapshot(self.now);
            if is_so(&snapshot) {
                return snapshot;
            }
            assert!(
                self.now < until,
                "not within {minutes} min\n{:#?}\n{:#?}",
                snapshot.incidents,
                snapshot.runs.first()
            );
            self.pass(shop).await;
        }
    }

    async fn ask(&mut self, request: Request) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        let reply = self.take(Input::Request { id, by: Person::admin("ana"), request: request.clone() }).await;
        assert!(matches!(reply, Some(Reply::Done { .. })), "{request:?}: {reply:?}");
    }

    /// Begins the runbook and approves what it offers, until it is for time to tell.
    async fn walk(&mut self, runbook: &str) -> Arc<Run> {
        let incident = live(&self.engine.snapshot(self.now)).unwrap().id;
        let digest = proposed(&self.engine.snapshot(self.now), incident, runbook);
        self.ask(Request::StartRun { incident, runbook: runbook.into(), digest }).await;
        loop {
            let run = Arc::clone(self.engine.snapshot(self.now).latest_run(incident).unwrap());
            match next(&run) {
                Some(request) => self.ask(request).await,
                None => return run,
            }
        }
    }
}

fn run_of<'a>(snapshot: &'a Snapshot, run: &Run) -> &'a Run {
    snapshot.runs.iter().find(|other| other.id == run.id).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runbook_that_makes_it_worse_is_stopped_and_what_is_mended_must_hold() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::open(folder.path()).await;
    let verify = "for = \"2m\"\ntimeout = \"10m\"";
    let mut turned = Turned::new(&shop, &[("right.md", right(&shop, verify)), ("worse.md", worse(&shop, verify))]);
    for _ in 0..20 * MINUTE_MS / LOOK_MS {
        turned.pass(&shop).await;
    }
    assert!(live(&turned.engine.snapshot(turned.now)).is_none());

    // One store in five is not there.
    shop.deploy(1);
    let change = ChangeNotice {
        source: SourceName::new("ci"),
        external_id: "conf-2".into(),
        kind: ChangeKind::Config,
        service: Some(ServiceName::new("shop")),
        title: "stores v2".into(),
        version: None,
        author: None,
        url: None,
        at: turned.now,
        finished_at: None,
        has_taken_effect: true,
        content: None,
    };
    turned.take(Input::Signal(Signal::Change(change))).await;
    let shown = turned.pass_until(&shop, 5, |snapshot| is_explained(snapshot, &["bring-back", "move-stores"])).await;
    let id = live(&shown).unwrap().id;

    // Now none is.
    let wrong = turned.walk("move-stores").await;
    let acted_at = turned.now;
    assert_eq!(shop.served_of(REQUESTS).await, 0.0);
    let seen = turned.pass_until(&shop, 10, |snapshot| run_of(snapshot, &wrong).state != RunState::Active).await;
    let paused = run_of(&seen, &wrong);
    assert_eq!(paused.state, RunState::Paused, "{paused:#?}");
    assert!(paused.word.contains("worse since step 2") && paused.word.contains("error_ratio"), "{}", paused.word);
    let noticed_ms = turned.now.since_ms(acted_at);
    let audit: Vec<&str> = seen.audit.iter().map(|entry| entry.text.as_ref()).collect();
    assert!(audit.iter().any(|text| text.contains("paused: worse since")), "{audit:#?}");

    // It goes nowhere from there by itself; whoever has it takes the step back and hands the incident over.
    let digest = Arc::clone(&paused.steps[1].id);
    turned.ask(Request::Undo { run: wrong.id, step: 1, digest }).await;
    assert_eq!(shop.served_of(REQUESTS).await, 0.8, "as it was before");
    turned.ask(Request::StopRun { run: wrong.id, escalate: Some("it got worse".into()) }).await;
    let stopped = turned.engine.snapshot(turned.now);
    assert!(run_of(&stopped, &wrong).is_escalated && run_of(&stopped, &wrong).state == RunState::Stopped);
    assert!(live(&stopped).is_some_and(|incident| incident.id == id && incident.state != IncidentState::Mitigated));

    let mended = turned.walk("bring-back").await;
    let acted_at = turned.now;
    assert_eq!(shop.served_of(REQUESTS).await, 1.0);
    let done = turned.pass_until(&shop, 10, |snapshot| !run_of(snapshot, &mended).state.is_open()).await;
    assert_eq!(run_of(&done, &mended).state, RunState::Succeeded, "{:#?}", run_of(&done, &mended));
    let verified_ms = turned.now.since_ms(acted_at);
    assert!(verified_ms >= 2 * MINUTE_MS, "it must hold for two minutes, not {verified_ms} ms");
    assert!(live(&done).is_some_and(|incident| incident.id == id), "and is not over yet");
    let held = turned.pass_until(&shop, 10, |snapshot| run_of(snapshot, &mended).has_held.is_some()).await;
    assert_eq!(run_of(&held, &mended).has_held, Some(true));
    let held_ms = turned.now.since_ms(acted_at) - verified_ms;
    assert!(held_ms >= 5 * MINUTE_MS, "it must hold for five minutes more, not {held_ms} ms");
    let last = turned.pass_until(&shop, 10, |snapshot| live(snapshot).is_none()).await;
    assert_eq!(last.incidents.iter().find(|incident| incident.id == id).unwrap().state, IncidentState::Resolved);
    println!(
        "worse is noticed {} s after the act, the remedy verified after {} s, over after {} s",
        noticed_ms / SECOND_MS,
        verified_ms / SECOND_MS,
        turned.now.since_ms(acted_at) / SECOND_MS,
    );
}

/// A proposal as this picture shows it.
fn proposed(snapshot: &Snapshot, incident: IncidentId, runbook: &str) -> Arc<str> {
    let proposals = snapshot.proposals.get(&incident).into_iter().flatten();
    proposals.into_iter().find(|proposal| proposal.runbook.id.as_ref() == runbook).unwrap().shown()
}
