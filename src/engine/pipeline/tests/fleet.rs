//! Machines that are patched by what the engine orders, a disk, and crashes between any two jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::act::policy::ApprovedStep;
use crate::engine::clock::{MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::input::{Input, RequestId, StepProgress, StepReport};
use crate::engine::job::{Job, Record};
use crate::engine::model::{
    BadWhen, Call, IncidentId, Labels, Person, RolloutId, Sample, SampleBatch, SeriesDescriptor, SeriesNotice,
    SeriesRole, ServiceName, Signal, SourceName, Unit,
};
use crate::engine::patches::inventory::{Environment, Traits};
use crate::engine::patches::risk::RiskBand;
use crate::engine::patches::rollout::planning::{Candidate, Installed, Need};
use crate::engine::patches::rollout::{KeptRollout, RolloutRequest, TargetState};
use crate::engine::pipeline::Engine;
use crate::engine::request::{Reply, Request};
use crate::engine::runbooks::Library;
use crate::engine::settings::{
    AllowSettings, EngineSettings, MethodSettings, PatchBy, Portion, RolloutSettings, Span, WindowSettings,
};

/// The version that every machine has, and the one that mends it.
pub(super) const VERSIONS: [&str; 2] = ["1.0-1", "1.1-1"];
/// How long an installation takes, unless a test has it otherwise.
const INSTALL_MS: i64 = 8 * SECOND_MS;
/// How long the program is gone after a crash.
const GONE_MS: i64 = 5 * SECOND_MS;

/// Something that runs on a machine.
struct Task {
    step: ApprovedStep,
    host: String,
    ends_at: Timestamp,
}

/// Some machines and the engine that patches them.
pub(super) struct Fleet {
    pub(super) engine: Engine,
    pub(super) now: Timestamp,
    settings: EngineSettings,
    disk: Vec<Record>,
    tasks: Vec<Task>,
    /// What each machine has.
    pub(super) versions: BTreeMap<String, &'static str>,
    /// Every installation that was carried through, in order.
    pub(super) installs: Vec<(String, &'static str)>,
    /// Every attempt that was begun.
    pub(super) attempts: BTreeSet<Arc<str>>,
    /// Machines whose second version fails.
    pub(super) bad: BTreeSet<String>,
    /// Machines that no connection reaches.
    pub(super) unreached: BTreeSet<String>,
    /// Machines whose service does not come up.
    pub(super) dead: BTreeSet<String>,
    /// What a look at a database says.
    pub(super) db_says: &'static str,
    pub(super) install_ms: i64,
    /// Jobs until the program is killed.
    pub(super) crash_in: Option<usize>,
    pub(super) crashes: usize,
    pub(super) replies: Vec<Reply>,
    next_request: u64,
}

pub(super) fn settings() -> EngineSettings {
    let mut settings = EngineSettings::default();
    settings.runbooks.allowed_programs = vec!["ssh".to_owned()];
    settings.runbooks.ssh.hosts = vec![".*".to_owned()];
    settings.runbooks.ssh.programs = ["apt-get", "dpkg-query", "db-check", "systemctl"].map(str::to_owned).to_vec();
    let patches = &mut settings.patches;
    patches.rollout = RolloutSettings {
        soak: Span(2 * MINUTE_MS),
        batch: Portion::Count(2),
        healthy_min: Portion::Percent(50),
        validate: Span(MINUTE_MS),
        watch: Span(5 * SECOND_MS),
        takes: Span(30 * SECOND_MS),
        samples: 5,
        ..RolloutSettings::default()
    };
    patches.window = vec![WindowSettings {
        name: "always".to_owned(),
        zone: "UTC".to_owned(),
        begins: "0 0 * * *".to_owned(),
        lasts: Span(48 * 60 * MINUTE_MS),
        environments: Vec::new(),
        rings: Vec::new(),
        classes: None,
        assets: None,
    }];
    patches.allow = vec![AllowSettings { class: "shop".to_owned(), packages: vec!["hypo-.*".to_owned()] }];
    patches.method =
        vec![MethodSettings { assets: None, class: None, by: PatchBy::Ssh, name: None, before: Vec::new() }];
    settings
}

fn traits(name: &str) -> Traits {
    Traits {
        environment: if name.starts_with("stage") { Environment::Staging } else { Environment::Production },
        ring: if name.starts_with("stage") { "staging" } else { "broad" }.to_owned(),
        class: "shop".to_owned(),
        services: ["shop".to_owned()].into(),
        ..Traits::default()
    }
}

/// Those whose names begin with `spare` have it already.
fn need(names: &[String]) -> Need {
    let candidates = names.iter().filter(|name| !name.starts_with("spare")).map(|name| Candidate {
        name: name.clone(),
        distribution: "debian".to_owned(),
        traits: traits(name),
        packages: vec![Installed {
            name: "hypo-shop".to_owned(),
            version: VERSIONS[0].to_owned(),
            fixed: Some(VERSIONS[1].to_owned()),
            architecture: String::new(),
        }],
        exception: None,
        unchecked: None,
    });
    Need {
        source: "hypo-shop".to_owned(),
        fix_version: Some(VERSIONS[1].to_owned()),
        advisories: vec!["CVE-2026-0100".parse().unwrap()],
        band: Some(RiskBand::Critical),
        is_known_exploited: false,
        candidates: candidates.collect(),
        fleet: names.iter().map(|name| (name.clone(), traits(name))).collect(),
    }
}

/// Values as far apart as measured ones are.
fn noise(at: i64, of: usize) -> f64 {
    ((at.unsigned_abs().wrapping_mul(7_919) + of as u64 * 104_729) % 97) as f64 / 9_700.0
}

impl Fleet {
    /// Two machines of staging and four of production that lack the patch, with some minutes of metrics.
    pub(super) fn start() -> Self {
        Self::of(&["stage-1", "stage-2", "web-1", "web-2", "web-3", "web-4"], settings())
    }

    /// These machines; those whose names begin with `stage` are of staging.
    pub(super) fn of(names: &[&str], settings: EngineSettings) -> Self {
        let mut fleet = Self {
            engine: Engine::new(settings.clone(), Library::default()).unwrap(),
            now: super::START,
            settings,
            disk: Vec::new(),
            tasks: Vec::new(),
            versions: names.iter().map(|name| ((*name).to_owned(), VERSIONS[0])).collect(),
            installs: Vec::new(),
            attempts: BTreeSet::new(),
            bad: BTreeSet::new(),
            unreached: BTreeSet::new(),
            dead: BTreeSet::new(),
            db_says: "ok",
            install_ms: INSTALL_MS,
            crash_in: None,
            crashes: 0,
            replies: Vec::new(),
            next_request: 1,
        };
        fleet.define();
        fleet
    }

    /// Plans, lets the metrics be seen for a while, and approves.
    pub(super) fn plan_and_approve(&mut self) {
        self.ask(Request::PlanRollout { source: Arc::from("hypo-shop") });
        self.seconds(120);
        let (rollout, digest) = (self.rollout().rollout.id, self.rollout().rollout.plan.digest.clone());
        let request = RolloutRequest::Approve { by: String::new(), digest };
        self.ask(Request::Rollout { rollout, request });
    }

    pub(super) fn rollout(&self) -> &KeptRollout {
        &self.engine.rollouts.kept[&RolloutId(1)]
    }

    pub(super) fn state(&self, host: &str) -> &TargetState {
        &self.rollout().rollout.targets[host].state
    }

    pub(super) fn ask(&mut self, request: Request) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.input(Input::Request { id, by: Person::admin("ana"), request });
    }

    /// Lets time pass, one second after the other.
    pub(super) fn seconds(&mut self, count: usize) {
        for _ in 0..count {
            self.now = self.now + SECOND_MS;
            self.work();
            if self.now.0 / SECOND_MS % 5 == 0 {
                self.measure();
            }
            self.input(Input::Tick);
        }
    }

    /// Lets time pass until it is so, for an hour at most.
    pub(super) fn until(&mut self, what: &str, is_it: impl Fn(&Self) -> bool) {
        for _ in 0..3_600 {
            if is_it(self) {
                return;
            }
            self.seconds(1);
        }
        panic!("{what}: {:#?}", self.rollout().rollout);
    }

    /// True while packages change there, whether or not anybody waits for it.
    pub(super) fn installing(&self, host: &str) -> bool {
        self.tasks
            .iter()
            .any(|task| task.host == host && matches!(task.step.call(), Call::Ssh { argv, .. } if changes(argv)))
    }

    pub(super) fn incidents(&self) -> Vec<IncidentId> {
        self.engine.world.incidents.keys().copied().collect()
    }

    pub(super) fn input(&mut self, input: Input) {
        let jobs = self.engine.handle(input, self.now);
        self.carry_out(jobs);
    }

    /// The jobs in their order, as the drivers do them.
    fn carry_out(&mut self, jobs: Vec<Job>) {
        for job in jobs {
            if let Some(left) = &mut self.crash_in {
                if *left == 0 {
                    self.crash_in = None;
                    return self.crash();
                }
                *left -= 1;
            }
            match job {
                Job::Persist(records) | Job::PersistLater(records) => self.disk.extend(records),
                Job::Execute(step) => self.begin(step),
                Job::Cancel { run, step } => {
                    self.tasks.retain(|task| task.step.run() != run || task.step.step() != step);
                }
                Job::EndLeftOver(left) => self.tasks.retain(|task| {
                    let is_it = *task.step.step_id() == left.attempt;
                    assert!(!is_it || left.host.as_deref() == Some(task.host.as_str()), "{left:?}");
                    !is_it
                }),
                Job::FindNeed { asked, .. } => {
                    let names: Vec<String> = self.versions.keys().cloned().collect();
                    self.input(Input::Need { asked, found: Ok(Box::new(need(&names))) });
                }
                Job::LookAtAsset(look) => self.input(Input::AssetSeen { look, found: Ok(None) }),
                Job::Reply { reply, .. } => self.replies.push(reply),
                Job::WatchClosely { .. } | Job::Deliver(_) | Job::Kill(_) => {}
            }
        }
    }

    /// The program dies and begins anew from the disk; what runs on the machines goes on.
    fn crash(&mut self) {
        self.crashes += 1;
        for _ in 0..GONE_MS / SECOND_MS {
            self.now = self.now + SECOND_MS;
            let ended = self.ended();
            for task in ended {
                self.effect(&task);
            }
        }
        self.engine = Engine::new(self.settings.clone(), Library::default()).unwrap();
        let mut jobs = self.engine.restore(self.disk.clone(), self.now);
        jobs.extend(self.engine.begin(self.now));
        self.carry_out(jobs);
        self.define();
    }

    fn begin(&mut self, step: ApprovedStep) {
        let Call::Ssh { host, argv } = step.call() else { panic!("{:?}", step.call()) };
        if self.unreached.contains(host.as_ref()) {
            let progress = StepProgress::NotStarted { reason: Arc::from("no route to host") };
            let attempt = Arc::clone(step.step_id());
            let report = StepReport { run: step.run(), step: step.step(), attempt, progress };
            return self.input(Input::Step(report));
        }
        // What only looks may be asked again under the same name.
        let is_new = self.attempts.insert(Arc::clone(step.step_id()));
        assert!(is_new || !changes(argv), "{} began twice", step.step_id());
        if let Some(before) = step.ends_first() {
            self.tasks.retain(|task| task.step.step_id() != before);
        }
        let takes = if changes(argv) { self.install_ms } else { 0 };
        let busy = self.tasks.iter().any(|task| task.host == host.as_ref() && takes > 0);
        assert!(!busy, "two installations at once on {host}");
        self.tasks.push(Task { host: host.to_string(), ends_at: self.now + takes, step });
    }

    fn ended(&mut self) -> Vec<Task> {
        let now = self.now;
        let (ended, running) = std::mem::take(&mut self.tasks).into_iter().partition(|task| task.ends_at <= now);
        self.tasks = running;
        ended
    }

    /// What came of it on the machine, and what it says.
    fn effect(&mut self, task: &Task) -> Vec<Arc<str>> {
        let Call::Ssh { argv, .. } = task.step.call() else { return Vec::new() };
        let wanted = argv.last().and_then(|word| word.split_once('=')).map(|(_, version)| version.to_owned());
        let wanted = wanted.and_then(|wanted| VERSIONS.into_iter().find(|version| **version == wanted));
        if changes(argv) {
            let version = wanted.unwrap();
            self.installs.push((task.host.clone(), version));
            self.versions.insert(task.host.clone(), version);
            return vec![Arc::from("Setting up hypo-shop ...")];
        }
        match argv[0].as_ref() {
            "systemctl" => Vec::new(),
            "db-check" => vec![self.db_says.into()],
            "dpkg-query" => vec![format!("hypo-shop:all={}=installed;", self.versions[&task.host]).into()],
            _ => vec![format!("Inst hypo-shop [{}] ({} test [all])", VERSIONS[0], wanted.unwrap()).into()],
        }
    }

    fn work(&mut self) {
        for task in self.ended() {
            let lines = self.effect(&task);
            let about = |progress| {
                let (run, step) = (task.step.run(), task.step.step());
                Input::Step(StepReport { run, step, attempt: Arc::clone(task.step.step_id()), progress })
            };
            let is_dead = lines.is_empty() && self.dead.contains(&task.host);
            let code = Some(if is_dead { 3 } else { 0 });
            let inputs = [about(StepProgress::Output(lines)), about(StepProgress::Exited { code, took_ms: 1 })];
            for input in inputs {
                self.input(input);
            }
        }
    }

    fn define(&mut self) {
        let source = SourceName::new("prom");
        for (at, host) in self.versions.keys().cloned().collect::<Vec<_>>().iter().enumerate() {
            let descriptor = SeriesDescriptor {
                metric: "error_ratio".into(),
                service: ServiceName::new("shop"),
                instance: Some(format!("{host}:80").into()),
                unit: Unit::Ratio,
                role: SeriesRole::Errors,
                bad_when: BadWhen::High,
                is_skewed: false,
                limit: None,
                interval_ms: 5_000,
                labels: Labels::default(),
            };
            let notice = SeriesNotice { source: source.clone(), local: u32::try_from(at).unwrap(), descriptor };
            self.input(Input::Signal(Signal::Series(notice)));
        }
    }

    fn measure(&mut self) {
        let samples = self.versions.iter().enumerate().map(|(at, (host, version))| {
            let fails = *version == VERSIONS[1] && self.bad.contains(host);
            let value = noise(self.now.0 / SECOND_MS, at) + if fails { 0.4 } else { 0.01 };
            Sample { local: u32::try_from(at).unwrap(), at: self.now, value }
        });
        let samples = samples.collect();
        let batch = SampleBatch { source: SourceName::new("prom"), is_backfill: false, samples };
        self.input(Input::Signal(Signal::Samples(batch)));
    }
}

/// True for what changes packages.
fn changes(argv: &[Arc<str>]) -> bool {
    argv[0].as_ref() == "apt-get" && !argv.iter().any(|word| word.as_ref() == "-s")
}
