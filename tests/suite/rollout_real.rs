//! A patch rolled out over real targets: packages built here, installed by the real `apt-get` over the real `ssh`. It harms
//! production; a machine vanishes in mid-patch; another package manager has the lock; the program is killed.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use hypocenter::engine::act::executor::Executor;
use hypocenter::engine::clock::Timestamp;
use hypocenter::engine::handle::EngineHandle;
use hypocenter::engine::ingest::{SignalSink, Source, StopSignal};
use hypocenter::engine::model::{
    BadWhen, Labels, Person, Sample, SampleBatch, SeriesDescriptor, SeriesNotice, SeriesRole, ServiceName, Signal,
    SourceKind, SourceName, Unit,
};
use hypocenter::engine::patches::rollout::{KeptRollout, RolloutEnd, RolloutRequest, RolloutState, TargetState};
use hypocenter::engine::request::{Reply, Request};
use hypocenter::engine::runbooks::Library;
use hypocenter::engine::runtime::source_list::SourceSpec;
use hypocenter::engine::runtime::{Runtime, RuntimeConfig};
use hypocenter::engine::settings::{
    AllowSettings, EngineSettings, HostSettings, MethodSettings, PatchBy, Portion, RolloutSettings, Span,
    WindowSettings,
};
use hypocenter::engine::snapshot::Snapshot;
use tokio::runtime::Handle;

use super::patch_hosts::{Hosts, PACKAGE, VERSIONS};

/// What the tracker says: the first version is affected, the second mends it.
const TRACKER: &str =
    r#"{"hypo-shop": {"CVE-2026-0100": {"releases": {"RELEASE": {"status": "resolved", "fixed_version": "1.1-1"}}}}}"#;
const NVD: &str = r#"{"totalResults": 1, "startIndex": 0, "vulnerabilities": [{"cve": {"id": "CVE-2026-0100", "metrics":
    {"cvssMetricV31": [{"source": "nvd@nist.gov", "type": "Primary", "cvssData": {"version": "3.1", "baseScore": 9.1}}]}}}]}"#;
/// Where a life is told its folder.
const FOLDER: &str = "HYPO_ROLLOUT_FOLDER";
/// Hosts where no more are needed: two of staging, two of production.
const COUNT: u8 = 4;
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(300);

/// The shop on every host says once a second how much of it fails: little, but much with the second version in production.
struct Shop {
    name: SourceName,
    hosts: Vec<(String, PathBuf)>,
    /// From this host on, the second version fails.
    bad_from: usize,
}

impl Shop {
    fn value(&self, at: usize, root: &Path, turn: usize) -> f64 {
        let version = std::fs::read_to_string(root.join("usr/share/hypo-shop/version")).unwrap_or_default();
        // The same few values over and over, none left out where the machine is busy: with as few samples as there are here, chance alone
        // would now and then look like harm.
        let noise = ((turn + at) % 4) as f64 / 500.0;
        if version == VERSIONS[1] && at >= self.bad_from { 0.4 + noise } else { 0.01 + noise }
    }
}

impl Source for Shop {
    fn name(&self) -> &SourceName {
        &self.name
    }

    fn run(self: Box<Self>, sink: SignalSink, stop: StopSignal) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            for (at, (host, _)) in self.hosts.iter().enumerate() {
                let descriptor = SeriesDescriptor {
                    metric: "error_ratio".into(),
                    service: ServiceName::new("shop"),
                    instance: Some(format!("{host}:80").into()),
                    unit: Unit::Ratio,
                    role: SeriesRole::Errors,
                    bad_when: BadWhen::High,
                    is_skewed: false,
                    limit: None,
                    interval_ms: 1_000,
                    labels: Labels::default(),
                };
                let local = u32::try_from(at).unwrap();
                sink.send(Signal::Series(SeriesNotice { source: self.name.clone(), local, descriptor })).await;
            }
            let mut ticks = tokio::time::interval(Duration::from_secs(1));
            for turn in 0.. {
                tokio::select! {
                    _ = ticks.tick() => {}
                    () = stop.stopped() => return,
                }
                let now = Timestamp(chrono::Utc::now().timestamp_millis());
                let samples = self.hosts.iter().enumerate().map(|(at, (_, root))| Sample {
                    local: u32::try_from(at).unwrap(),
                    at: now,
                    value: self.value(at, root, turn),
                });
                let samples = samples.collect();
                sink.send(Signal::Samples(SampleBatch { source: self.name.clone(), is_backfill: false, samples }))
                    .await;
            }
        })
    }
}

fn settings(hosts: &Hosts, by: PatchBy) -> EngineSettings {
    let mut settings = EngineSettings {
        host: HostSettings { enabled: false, ..HostSettings::default() },
        ..EngineSettings::default()
    };
    let runbooks = &mut settings.runbooks;
    runbooks.allowed_programs = ["ssh", "ansible-playbook"].map(str::to_owned).to_vec();
    runbooks.ansible.folder = Some(hosts.at("playbooks"));
    runbooks.ansible.inventory = Some(hosts.at("inventory"));
    runbooks.ssh.hosts = vec!["127.0.0.*".to_owned()];
    runbooks.ssh.programs = ["apt-get", "dpkg-query"].map(str::to_owned).to_vec();
    runbooks.ssh.identity_file = Some(hosts.at("user_key"));
    runbooks.ssh.known_hosts = Some(hosts.at("known_hosts"));
    runbooks.ssh.port = hosts.port;
    runbooks.ssh.connect_timeout = Span(5_000);
    hasten(&mut settings);
    let name = (by == PatchBy::Ansible).then(|| "patch.yml".to_owned());
    settings.patches.method = vec![MethodSettings { assets: None, class: None, by, name, before: Vec::new() }];
    settings
}

/// A pace for tests, always open windows, and leave to patch the shop.
pub(super) fn hasten(settings: &mut EngineSettings) {
    let patches = &mut settings.patches;
    patches.rollout = RolloutSettings {
        soak: Span(15_000),
        batch: Portion::Count(2),
        healthy_min: Portion::Percent(50),
        validate: Span(12_000),
        watch: Span(1_000),
        takes: Span(40_000),
        samples: 5,
        ..RolloutSettings::default()
    };
    patches.window = vec![WindowSettings {
        name: "always".to_owned(),
        zone: "Europe/Berlin".to_owned(),
        begins: "0 0 * * *".to_owned(),
        lasts: Span(48 * 3_600_000),
        environments: Vec::new(),
        rings: Vec::new(),
        classes: None,
        assets: None,
    }];
    patches.allow = vec![AllowSettings { class: "shop".to_owned(), packages: vec!["hypo-.*".to_owned()] }];
}

/// The configuration of the command line, which looks at the hosts.
fn config(hosts: &Hosts) -> PathBuf {
    let text = format!(
        "[host]\nenabled = false\n[runbooks]\nallowed_programs = [\"ssh\"]\n[runbooks.ssh]\nhosts = [\"127.0.0.*\"]\n\
         identity_file = {:?}\nknown_hosts = {:?}\nport = {}\n",
        hosts.at("user_key"),
        hosts.at("known_hosts"),
        hosts.port
    );
    let path = hosts.at("config.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn hypo(hosts: &Hosts, arguments: &[&str]) -> String {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("hypo"));
    command.env("HOME", hosts.at("home"));
    let (config, state) = (config(hosts), hosts.at("state"));
    command.arg("--config").arg(config).arg("--state-dir").arg(state).args(arguments);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{arguments:?}: {said:?}");
    said[0].clone()
}

/// Looks at the hosts over ssh, says what they serve, and takes the feeds in. The first two are staging.
fn take_stock(hosts: &Hosts) {
    std::fs::create_dir_all(hosts.at("home")).unwrap();
    let names: Vec<&str> = hosts.names.iter().map(String::as_str).collect();
    let scanned = hypo(hosts, &[&["inventory", "scan", "--ssh"], names.as_slice()].concat());
    assert_eq!(scanned.lines().filter(|line| line.contains("1 packages")).count(), names.len(), "{scanned}");
    for (at, name) in names.iter().enumerate() {
        let (environment, ring) = if at < 2 { ("staging", "staging") } else { ("production", "broad") };
        let traits = ["--environment", environment, "--ring", ring, "--class", "shop", "--services", "shop"];
        hypo(hosts, &[&["inventory", "set", name], traits.as_slice()].concat());
    }
    take_feeds(hosts);
    let listed = hypo(hosts, &["patches", "list"]);
    assert_eq!(listed.matches(PACKAGE).count(), names.len(), "{listed}");
}

/// The second version mends what the first is affected by.
pub(super) fn take_feeds(hosts: &Hosts) {
    let os = std::fs::read_to_string("/etc/os-release").unwrap();
    let release = os.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).unwrap().trim_matches('"');
    for (feed, text) in [("debian", TRACKER.replace("RELEASE", release)), ("nvd", NVD.to_owned())] {
        let path = hosts.at(feed);
        std::fs::write(&path, text).unwrap();
        hypo(hosts, &["advisories", "import", &path.display().to_string(), "--feed", feed]);
    }
}

fn runtime(hosts: &Hosts, bad_from: usize) -> Runtime {
    runtime_by(hosts, bad_from, PatchBy::Ssh)
}

fn runtime_by(hosts: &Hosts, bad_from: usize, by: PatchBy) -> Runtime {
    runtime_of(hosts, bad_from, settings(hosts, by))
}

pub(super) fn runtime_of(hosts: &Hosts, bad_from: usize, settings: EngineSettings) -> Runtime {
    let name = SourceName::new("shop-metrics");
    let roots: Vec<(String, PathBuf)> = hosts.names.iter().map(|host| (host.clone(), hosts.root(host))).collect();
    let spec = SourceSpec {
        name: name.clone(),
        kind: SourceKind::Prometheus,
        address: Arc::from("the hosts"),
        make: Box::new(move |_| {
            Ok(Box::new(Shop { name: name.clone(), hosts: roots.clone(), bad_from }) as Box<dyn Source>)
        }),
    };
    Runtime::start(RuntimeConfig {
        sources: vec![spec],
        runner: Arc::new(Executor::new(&settings.runbooks, Handle::current())),
        settings,
        library: Library::default(),
        state_dir: Some(hosts.at("state")),
        patch_office: None,
        record_to: None,
    })
    .unwrap()
}

pub(super) async fn ask(handle: &EngineHandle, request: Request) -> String {
    match handle.send(&Person::admin("ana"), request).await.unwrap() {
        Reply::Done { text } => text.to_string(),
        Reply::Refused { reason } | Reply::Lost { reason } => panic!("not done: {reason}"),
    }
}

pub(super) async fn seen(handle: &EngineHandle, what: &str, is_it: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
    let mut snapshots = handle.snapshots();
    let waited = tokio::time::timeout(PATIENCE, snapshots.wait_for(|snapshot| is_it(snapshot))).await;
    let told = || {
        let snapshot = handle.snapshots().borrow().clone();
        format!(
            "{what}: {:#?}",
            snapshot.rollouts.first().map(|kept| (&kept.rollout.state, &kept.rollout.soak, &kept.rollout.targets))
        )
    };
    Arc::clone(&waited.unwrap_or_else(|_| panic!("{}", told())).unwrap())
}

pub(super) fn rollout(snapshot: &Snapshot) -> &KeptRollout {
    &snapshot.rollouts[0]
}

async fn plan_and_approve(handle: &EngineHandle) {
    ask(handle, Request::PlanRollout { source: PACKAGE.into() }).await;
    let snapshot = seen(handle, "a plan", |snapshot| !snapshot.rollouts.is_empty()).await;
    let kept = rollout(&snapshot);
    let (id, digest) = (kept.rollout.id, kept.rollout.plan.digest.clone());
    let stages: Vec<(&str, usize)> =
        kept.rollout.plan.stages.iter().map(|stage| (stage.name.as_str(), stage.batches.len())).collect();
    // Half of each service's hosts in an environment stay as they are meanwhile.
    assert_eq!(stages, [("staging", 2), ("broad", 2)], "{:#?}", kept.rollout.plan.lines());
    // What health is before is measured once the plan is known.
    tokio::time::sleep(Duration::from_secs(20)).await;
    ask(handle, Request::Rollout { rollout: id, request: RolloutRequest::Approve { by: String::new(), digest } }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs openssh-server and the right to run it; tests/run installs it"]
async fn what_breaks_production_is_stopped_and_taken_back_everywhere() {
    let hosts = Hosts::start(6);
    take_stock(&hosts);
    let mut runtime = runtime(&hosts, 2);
    runtime.started().await.unwrap();
    let handle = runtime.handle();
    plan_and_approve(&handle).await;
    let snapshot = seen(&handle, "its end", is_over).await;
    let kept = rollout(&snapshot);
    let told = format!("{:#?}", kept.rollout.targets);
    assert!(matches!(kept.rollout.state, RolloutState::Ended { end: RolloutEnd::RolledBack, .. }), "{told}");
    let taken_back: Vec<&str> = kept
        .rollout
        .targets
        .iter()
        .filter(|(_, record)| matches!(record.state, TargetState::RolledBack { .. }))
        .map(|(name, _)| name.as_str())
        .collect();
    // Both of staging, and no more than the first batch of production.
    assert!(taken_back.contains(&"127.0.0.11") && taken_back.contains(&"127.0.0.12"), "{told}");
    assert!((3..=4).contains(&taken_back.len()), "{told}");
    for host in &hosts.names {
        assert_eq!(hosts.version(host), VERSIONS[0], "{host}");
        assert!(hosts.installs(host, VERSIONS[1]) <= 1, "{host} was patched twice");
    }
    let hurt = hosts.names[2..].iter().filter(|host| hosts.installs(host, VERSIONS[1]) > 0).count();
    assert!((1..=2).contains(&hurt), "{hurt} hosts of production had the bad version");
    let incident = kept.incident.and_then(|id| snapshot.incidents.iter().find(|incident| incident.id == id));
    let incident = incident.expect("an incident is open");
    assert!(incident.state.is_live() && incident.title.contains(PACKAGE), "{}", incident.title);
    assert!(incident.timeline.iter().any(|entry| entry.text.contains("error_ratio")), "{:#?}", incident.timeline);
    eprintln!(
        "rolled back on {} targets; {hurt} hosts of production had the bad version: {}",
        taken_back.len(),
        incident.title
    );
    tokio::task::spawn_blocking(move || runtime.stop()).await.unwrap();
}

pub(super) fn is_over(snapshot: &Snapshot) -> bool {
    snapshot.rollouts.first().is_some_and(|kept| kept.rollout.is_over())
}

fn state_of<'a>(snapshot: &'a Snapshot, host: &str) -> Option<&'a TargetState> {
    snapshot.rollouts.first().map(|kept| &kept.rollout.targets[host].state)
}

/// Every host has the second version, and had it put there once.
fn everybody_has_it_once(hosts: &Hosts, snapshot: &Snapshot) {
    let kept = rollout(snapshot);
    let told = format!("{:?} {:#?}", kept.rollout.state, kept.rollout.targets);
    assert!(matches!(kept.rollout.state, RolloutState::Ended { end: RolloutEnd::Done, .. }), "{told}");
    for host in &hosts.names {
        assert_eq!(
            (hosts.version(host).as_str(), hosts.installs(host, VERSIONS[1])),
            (VERSIONS[1], 1),
            "{host}: {told}"
        );
    }
}

async fn wait_until(what: &str, is_it: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_it() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs openssh-server and the right to run it; tests/run installs it"]
async fn a_machine_that_vanishes_in_mid_patch_holds_the_others_until_it_is_known_what_became_of_it() {
    let mut hosts = Hosts::start(COUNT);
    take_stock(&hosts);
    let first = hosts.names[0].clone();
    hosts.slow_down(&first);
    let mut runtime = runtime(&hosts, usize::MAX);
    runtime.started().await.unwrap();
    let handle = runtime.handle();
    plan_and_approve(&handle).await;
    wait_until("its patch is under way", || hosts.is_reached(&first)).await;
    hosts.vanish(&first);
    hosts.let_go(&first);
    let snapshot =
        seen(&handle, "unknown", |snapshot| matches!(state_of(snapshot, &first), Some(TargetState::Unknown { .. })))
            .await;
    for other in &hosts.names[1..] {
        assert!(matches!(state_of(&snapshot, other), Some(TargetState::Waiting { .. })), "{other}");
        assert_eq!(hosts.version(other), VERSIONS[0]);
    }
    hosts.come_back(&first);
    let snapshot = seen(&handle, "its end", is_over).await;
    everybody_has_it_once(&hosts, &snapshot);
    tokio::task::spawn_blocking(move || runtime.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs openssh-server and the right to run it; tests/run installs it"]
async fn a_lock_of_another_package_manager_is_waited_for() {
    let hosts = Hosts::start(COUNT);
    take_stock(&hosts);
    let first = hosts.names[0].clone();
    let file = std::fs::File::create(hosts.root(&first).join("var/lib/dpkg/lock-frontend")).unwrap();
    set_lock(&file, nix::libc::F_WRLCK);
    let mut runtime = runtime(&hosts, usize::MAX);
    runtime.started().await.unwrap();
    let handle = runtime.handle();
    plan_and_approve(&handle).await;
    let is_waiting = |snapshot: &Snapshot| {
        let mut steps = snapshot.runs.iter().flat_map(|run| &run.steps);
        steps.any(|step| step.output.iter().any(|line| line.contains("Waiting for cache lock")))
    };
    seen(&handle, "it waits for the lock", is_waiting).await;
    assert_eq!(hosts.version(&first), VERSIONS[0]);
    set_lock(&file, nix::libc::F_UNLCK);
    let snapshot = seen(&handle, "its end", is_over).await;
    everybody_has_it_once(&hosts, &snapshot);
    tokio::task::spawn_blocking(move || runtime.stop()).await.unwrap();
}

/// Takes or gives back the lock that package managers take.
fn set_lock(file: &std::fs::File, kind: i32) {
    let lock = nix::libc::flock {
        l_type: i16::try_from(kind).unwrap(),
        l_whence: i16::try_from(nix::libc::SEEK_SET).unwrap(),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    nix::fcntl::fcntl(file, nix::fcntl::FcntlArg::F_SETLK(&lock)).unwrap();
}

/// One life: it plans and approves where nobody has yet, and goes on until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a life of the test below, which starts it and kills it"]
async fn life() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let hosts = Hosts::of_others(Path::new(&folder), COUNT);
    let mut runtime = runtime(&hosts, usize::MAX);
    runtime.started().await.unwrap();
    let handle = runtime.handle();
    if handle.snapshots().borrow().rollouts.is_empty() {
        plan_and_approve(&handle).await;
    }
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs openssh-server and the right to run it; tests/run installs it"]
async fn a_rollout_whose_program_is_killed_goes_on_and_applies_nothing_twice() {
    let hosts = Hosts::start(COUNT);
    take_stock(&hosts);
    // One of staging and one of production are killed in mid-patch, and what runs there goes on.
    let struck = [&hosts.names[0], &hosts.names[2]];
    struck.iter().for_each(|host| hosts.slow_down(host));
    for host in struck {
        let mut life = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["rollout_real::life", "--exact", "--ignored", "--test-threads", "1"])
            .env(FOLDER, hosts.at(""))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while !hosts.is_reached(host) && begun.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        life.kill().unwrap();
        life.wait().unwrap();
        assert!(hosts.is_reached(host), "{host} was not reached:\n{}", hypo(&hosts, &["audit", "list"]));
        hosts.let_go(host);
    }
    let mut runtime = runtime(&hosts, usize::MAX);
    runtime.started().await.unwrap();
    let snapshot = seen(&runtime.handle(), "its end", is_over).await;
    everybody_has_it_once(&hosts, &snapshot);
    tokio::task::spawn_blocking(move || runtime.stop()).await.unwrap();
}

/// The playbook that is shipped, in a folder of its own, and an inventory of the hosts.
fn lay_playbook(hosts: &Hosts) {
    std::fs::create_dir_all(hosts.at("playbooks")).unwrap();
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks/playbooks/patch.yml");
    std::fs::copy(shipped, hosts.at("playbooks/patch.yml")).unwrap();
    let lines = hosts.names.iter().map(|name| {
        format!(
            "{name} ansible_port={} ansible_ssh_private_key_file={} ansible_python_interpreter=/usr/bin/python3 \
             ansible_ssh_common_args='-F none -o UserKnownHostsFile={} -o IdentitiesOnly=yes'\n",
            hosts.port,
            hosts.at("user_key").display(),
            hosts.at("known_hosts").display()
        )
    });
    std::fs::write(hosts.at("inventory"), lines.collect::<String>()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs ansible and openssh-server; tests/run installs them"]
async fn a_playbook_carries_a_rollout_there_and_back() {
    let hosts = Hosts::start(COUNT);
    take_stock(&hosts);
    lay_playbook(&hosts);
    let mut runtime = runtime_by(&hosts, 2, PatchBy::Ansible);
    runtime.started().await.unwrap();
    let handle = runtime.handle();
    plan_and_approve(&handle).await;
    let snapshot = seen(&handle, "its end", is_over).await;
    let kept = rollout(&snapshot);
    let told = format!("{:?} {:#?}", kept.rollout.state, kept.rollout.targets);
    assert!(matches!(kept.rollout.state, RolloutState::Ended { end: RolloutEnd::RolledBack, .. }), "{told}");
    for host in &hosts.names {
        assert_eq!(hosts.version(host), VERSIONS[0], "{host}: {told}");
    }
    assert_eq!(hosts.names.iter().filter(|host| hosts.installs(host, VERSIONS[1]) == 1).count(), 3, "{told}");
    tokio::task::spawn_blocking(move || runtime.stop()).await.unwrap();
}

#[test]
#[ignore = "needs ansible and openssh-server; tests/run installs them"]
fn the_shipped_playbook_goes_no_further_once_a_machine_has_failed() {
    let hosts = Hosts::start(3);
    lay_playbook(&hosts);
    let play = |packages: &str| {
        let mut command = std::process::Command::new("ansible-playbook");
        command.args(["-i", &hosts.at("inventory").display().to_string()]);
        command.args(["-e", "hypo_task=install", "-e", &format!("hypo_packages={packages}")]);
        command.arg(hosts.at("playbooks/patch.yml")).env("LC_ALL", "C.UTF-8").env("ANSIBLE_NOCOLOR", "1");
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (is_done, told) = play("hypo-shop=9.9-9");
    assert!(!is_done && told.contains("NO MORE HOSTS LEFT"), "{told}");
    let recap = told.rsplit_once("PLAY RECAP").unwrap().1;
    assert!(recap.contains(&hosts.names[0]) && !recap.contains(&hosts.names[1]), "{recap}");
    let (is_done, told) = play("hypo-shop=1.1-1");
    assert!(is_done, "{told}");
    assert!(hosts.names.iter().all(|host| hosts.version(host) == VERSIONS[1]), "{told}");
}
