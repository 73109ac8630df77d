//! The program is killed at random moments of its runs, five hundred times (`HYPO_KILLS` asks for another number): what was acknowledged is there, nothing is done
//! twice, and every step that was cut off is found, is said to be unknown, and stays so until its probe or a person says.
//!
//! This binary starts itself as the program, with a person at its console who asks for one thing after another, and kills
//! it. What is on disk is then looked at in a copy, so that the next life finds it as the kill left it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hypocenter::engine::audit::head::Head;
use hypocenter::engine::audit::verify::FindingKind;
use hypocenter::engine::job::Record;
use hypocenter::engine::model::{
    AutonomyMode, Call, IncidentId, IncidentState, Person, Purpose, Repeat, Run, RunId, RunState, RunStep, StepState,
};
use hypocenter::engine::request::{Reply, Request};
use hypocenter::engine::snapshot::Snapshot;
use hypocenter::engine::store::{Store, audit_file};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;

use super::programs;
use super::walking::{self, Ground};

/// Kills, unless `HYPO_KILLS` says how many; in whole stores.
const ROUNDS: u64 = 500;
/// Kills on the same store: it grows, and a start reads all of its log.
const ROUNDS_PER_STORE: u64 = 10;
/// Stores that are killed on at the same time.
const SIDES: u64 = 2;
/// Incidents in a store, to be acted on.
const INCIDENTS: u64 = 10;
/// Runs that are under way at a time.
const RUNS_AT_A_TIME: usize = 6;
/// A life is killed within this many of its words after it is ready, however long it takes to say them, …
const WORDS_MAX: usize = 20;
/// … and this long after the last of them.
const JITTER_MS_MAX: u64 = 40;
/// A life that says nothing for this long has nothing to do.
const SILENCE: Duration = Duration::from_secs(1);
/// A probe's "it did not happen" is believed once this is over.
const BELIEVED_AFTER: Duration = Duration::from_secs(3);
/// Whose hands are on the console.
const PERSON: &str = "ana";
/// What a life is told in its environment.
/// As what a step may be found whose probe looks at the start.
const PROBED: [&str; 5] = ["unknown", "probing", "succeeded", "waiting", "pending"];
const FOLDER: &str = "HYPO_CRASH_FOLDER";
const SEED: &str = "HYPO_CRASH_SEED";
const ENDS: &str = "HYPO_CRASH_ENDS";

const HEAD: &str = r#"# Mend it

```toml runbook
id = "mend"
version = "1"
owner = "team:test"
problem = "network_policy"
max_actions = 8

[params]
inc = { type = "text", from = "incident.id", pattern = "INC-[0-9]+" }
```
"#;

/// Every kind of step that takes time; each call leaves a line that names it and its incident.
fn page(ground: &Ground) -> String {
    let (act, probe) = (ground.program("act.sh"), ground.program("probe.sh"));
    let acts = |name: &str, more: &str| {
        let step = format!(
            "kind = \"act\"\naction = \"restart\"\neffect = \"reversible\"\nrun = [\"{act}\", \"{name}-{{inc}}\"]\n\
             undo = [\"{act}\", \"undo-{name}-{{inc}}\"]\ndry_run = [\"{act}\", \"try-{name}-{{inc}}\"]\n\
             rollback = \"the other way\"\ntouches = \"thing-{name}-{{inc}}\"\n{more}"
        );
        (name.to_owned(), step)
    };
    let probed = |name: &str| format!("timeout = \"30s\"\nprobe = [\"{probe}\", \"{name}-{{inc}}\"]\n");
    // Its probe is believed in one of the next lives.
    let soon_probed = |name: &str| probed(name).replace("30s", &format!("{}s", BELIEVED_AFTER.as_secs()));
    let plain = |name: &str, step: &str| (name.to_owned(), step.to_owned());
    let steps = [
        acts("one", &soon_probed("one")),
        plain("look", &format!("kind = \"check\"\nrun = [\"{act}\", \"look-{{inc}}\"]\ntimeout = \"30s\"\n")),
        acts("two", "timeout = \"30s\"\n"),
        plain("pause", "kind = \"wait\"\nfor = \"100ms\"\n"),
        acts("three", &probed("three")),
        plain(
            "home",
            "kind = \"verify\"\nmetric = \"error_ratio\"\nservice = \"auth-api\"\nfor = \"1m\"\ntimeout = \"2m\"\n",
        ),
    ];
    let blocks =
        steps.iter().map(|(name, body)| format!("\nNot when it is not wanted.\n\n```toml step {name}\n{body}```\n"));
    HEAD.to_owned() + &blocks.collect::<String>()
}

/// A fresh store with incidents to act on. The probe takes its time, too: it is to be cut off as well.
fn lay(folder: &Path) -> Ground {
    let ground = Ground::lay(folder, "0.02");
    let probe = format!("#!/bin/sh\nsleep 0.02\ngrep -q \"^$1$\" {}\n", folder.join("lines").display());
    programs::script(&folder.join("probe.sh"), &probe);
    let store = Store::open(&ground.state_dir()).unwrap();
    let incidents = (1..=INCIDENTS).map(|id| Record::Incident(walking::incident(IncidentId(id))));
    store.write(&incidents.collect::<Vec<_>>(), true).unwrap();
    ground
}

// ---- a life ----

/// One life: whatever is offered is answered somehow, and every answer that comes back is told, until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a life of the test beside it, which starts it and kills it"]
async fn life() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let seed: u64 = std::env::var(SEED).unwrap().parse().unwrap();
    let mut random = Pcg64::seed_from_u64(seed);
    let ground = Ground::again(Path::new(&folder));
    let mut settings = ground.settings();
    // Where it may begin things by itself, it must not begin again by itself what was cut off.
    if seed % 2 == 1 {
        settings.policy.mode = AutonomyMode::Assist;
    }
    let mut runtime = ground.runtime_with(settings, &page(&ground));
    runtime.started().await.unwrap();
    let handle = runtime.handle();
    let mut snapshots = handle.snapshots();
    let first = snapshots.borrow_and_update().clone();
    for run in &first.runs {
        let states: Vec<&str> = run.steps.iter().map(|step| word(&step.state)).collect();
        say(&format!("FOUND {} {}", run.id.0, states.join(",")));
    }
    if let Some(problem) = &first.store.problem {
        say(&format!("PROBLEM {problem}"));
    }
    say("READY");
    if std::env::var_os(ENDS).is_some() {
        tokio::task::spawn_blocking(move || runtime.stop()).await.unwrap();
        return;
    }
    loop {
        let snapshot = snapshots.borrow_and_update().clone();
        let Some((request, fact)) = next(&snapshot, &ground, &mut random) else {
            snapshots.changed().await.unwrap();
            continue;
        };
        say(&format!("ASK {fact}"));
        match handle.send(&Person::admin(PERSON), request).await {
            Ok(Reply::Done { text }) => say(&format!("ACK {fact} {text}")),
            Ok(Reply::Refused { reason }) => {
                say(&format!("NAK {fact} {reason}"));
                // It asked for something that is no longer so; what is so now is about to be shown.
                let _shown = tokio::time::timeout(Duration::from_millis(10), snapshots.changed()).await;
            }
            Ok(Reply::Lost { .. }) | Err(_) => return,
        }
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "\n{line}").unwrap();
    out.flush().unwrap();
}

fn word(state: &StepState) -> &'static str {
    match state {
        StepState::Running { purpose: Purpose::Probe, .. } => "probing",
        StepState::Running { .. } => "running",
        StepState::Unknown { .. } => "unknown",
        StepState::Failed { .. } => "failed",
        StepState::Succeeded { .. } => "succeeded",
        StepState::Waiting => "waiting",
        StepState::Pending => "pending",
        _ => "other",
    }
}

/// What is asked for next, and what to call it.
fn next(snapshot: &Snapshot, ground: &Ground, random: &mut Pcg64) -> Option<(Request, String)> {
    // A few runs at a time, each for an incident of its own.
    let unknown = |run: &&Arc<Run>| run.steps.iter().any(|step| matches!(step.state, StepState::Unknown { .. }));
    let busy: Vec<&Arc<Run>> = snapshot.runs.iter().filter(|run| run.state.is_open() || unknown(run)).collect();
    let over = || snapshot.runs.iter().filter(|run| !run.state.is_open() && !unknown(run));
    if busy.len() < RUNS_AT_A_TIME && (busy.is_empty() || random.random_bool(0.3)) {
        let is_free = |id: &IncidentId| busy.iter().all(|run| run.incident() != Some(*id));
        let proposed = snapshot.proposals.iter().filter(|(id, all)| !all.is_empty() && is_free(id));
        // One that was acted on before, sooner than a fresh one: the same step again, in another run.
        let again = |id: &IncidentId| snapshot.runs.iter().any(|run| run.incident() == Some(*id));
        let mut ids: Vec<IncidentId> = proposed.map(|(id, _)| *id).collect();
        ids.sort_by_key(|id| !again(id));
        if let Some(id) = ids.first() {
            return Some((
                Request::StartRun { incident: *id, runbook: "mend".into(), digest: walking::proposed(snapshot, *id) },
                "start 0".to_owned(),
            ));
        }
    }
    if random.random_bool(0.03)
        && let Some(run) = over().find(|run| run.incident().is_some_and(|id| is_live(snapshot, id)))
        && busy.iter().all(|other| other.subject != run.subject)
    {
        let incident = run.incident().unwrap();
        return Some((Request::Resolve { incident }, format!("resolve {}", incident.0)));
    }
    let from = random.random_range(0..busy.len().max(1));
    let mut runs = busy.iter().cycle().skip(from).take(busy.len());
    runs.find_map(|run| {
        let (request, fact) = on_run(run, snapshot, ground, random)?;
        Some((request, format!("{fact} {}", run.id.0)))
    })
}

fn is_live(snapshot: &Snapshot, id: IncidentId) -> bool {
    snapshot.incidents.iter().any(|incident| incident.id == id && incident.state.is_live())
}

fn on_run(run: &Arc<Run>, snapshot: &Snapshot, ground: &Ground, random: &mut Pcg64) -> Option<(Request, &'static str)> {
    let id = run.id;
    let unknown = run.steps.iter().position(|step| matches!(step.state, StepState::Unknown { .. }));
    let at = unknown.or_else(|| run.current_step())?;
    let step = &run.steps[at];
    let chance = random.random_range(0..100);
    let stop = Request::StopRun { run: id, escalate: (chance % 2 == 0).then(|| "enough".into()) };
    let taken_back = || {
        let may_have = |step: &StepState| {
            matches!(step, StepState::Succeeded { .. } | StepState::Failed { .. } | StepState::Unknown { .. })
        };
        let last = run.steps.iter().rposition(|step| step.acts_begun().next().is_some() && may_have(&step.state))?;
        let digest = Arc::clone(&run.steps[last].id);
        Some((Request::Undo { run: id, step: last, digest }, "undo"))
    };
    let request = match (&step.state, run.state) {
        (StepState::Unknown { .. }, _) => match chance {
            0..10 => taken_back()?,
            10..30 if is_probed(step) => (Request::Probe { run: id, step: at }, "probe"),
            _ => match has_happened(step, snapshot, ground) {
                Some(has_happened) => (Request::SettleUnknown { run: id, step: at, has_happened }, "settle"),
                None if chance < 32 && run.state.is_open() => (stop, "stop"),
                None => return None,
            },
        },
        (StepState::Waiting, RunState::Active) => match chance {
            0..4 => (stop, "stop"),
            4..12 => (Request::Skip { run: id, step: at, reason: "not now".into(), digest: run.shown() }, "skip"),
            12..20 if step.bound.spec.act().is_some() => {
                (Request::DryRun { run: id, step: at, digest: Arc::clone(&step.offer) }, "try")
            }
            20..30 if at > 0 => taken_back()?,
            30..34 if at > 0 => {
                (Request::RunFrom { run: id, step: at - 1, reason: "once more".into(), digest: run.shown() }, "lead")
            }
            _ => {
                let typed_target = step.needs_target.then(|| Arc::clone(&step.bound.spec.touches));
                (Request::Approve { run: id, step: at, digest: Arc::clone(&step.offer), typed_target }, "approve")
            }
        },
        (StepState::Watching { .. }, _) => match chance {
            0..50 => (stop, "stop"),
            50..80 => taken_back()?,
            _ => (Request::RunFrom { run: id, step: 1, reason: "once more".into(), digest: run.shown() }, "lead"),
        },
        (StepState::Running { .. }, _) if chance < 2 => (stop, "stop"),
        (_, RunState::Paused) => match chance {
            0..20 => (Request::Resume { run: id, reason: "looked".into(), digest: run.shown() }, "resume"),
            20..80 => (Request::RunFrom { run: id, step: at, reason: "looked".into(), digest: run.shown() }, "lead"),
            _ => (stop, "stop"),
        },
        _ => return None,
    };
    Some(request)
}

/// What a person finds who looks, once it can no longer be under way; nothing where earlier attempts leave it open.
fn has_happened(step: &RunStep, snapshot: &Snapshot, ground: &Ground) -> Option<bool> {
    let last = step.acts_begun().last()?;
    if is_anything_under_way(ground.state_dir().parent().unwrap()) {
        return None;
    }
    let name = line_of(step, last.purpose)?;
    let begun: usize = snapshot.runs.iter().flat_map(|run| &run.steps).map(|step| begun_as(step, &name)).sum();
    let did = ground.lines().iter().filter(|line| **line == name).count();
    (did == 0 || did >= begun).then_some(did > 0)
}

/// True while a process that an earlier life began is there: one of its calls, or what is about to become one.
fn is_anything_under_way(folder: &Path) -> bool {
    let folder = folder.as_os_str().as_encoded_bytes();
    let own = std::process::id();
    let mut processes = Path::new("/proc").read_dir().unwrap().filter_map(|entry| {
        let entry = entry.ok()?;
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        (id != own).then(|| entry.path())
    });
    let holds = |text: &[u8]| text.windows(folder.len()).any(|window| window == folder);
    // A process that is gone by now has neither.
    processes.any(|process| {
        ["cmdline", "environ"].iter().any(|of| std::fs::read(process.join(of)).is_ok_and(|text| holds(&text)))
    })
}

fn is_probed(step: &RunStep) -> bool {
    step.bound.spec.act().is_some_and(|act| matches!(act.repeat, Repeat::Probe(_)))
}

/// True where a probe has looked while the act may still have been under way.
fn looks_again(step: &RunStep) -> bool {
    let last = step.begun.last().filter(|begun| begun.purpose == Purpose::Probe);
    last.zip(step.act_is_over_at()).is_some_and(|(last, is_over_at)| last.at < is_over_at)
}

/// The line that the call of this step for this purpose leaves.
fn line_of(step: &RunStep, purpose: Purpose) -> Option<String> {
    let act = step.bound.spec.act();
    let call = match purpose {
        Purpose::Run => step.bound.spec.call(),
        Purpose::DryRun => act.and_then(|act| act.dry_run.as_ref()),
        Purpose::Undo => act.and_then(|act| act.undo.as_ref()),
        Purpose::Probe => None,
    };
    call.map(Call::words)?.last().map(ToString::to_string)
}

/// Times a call of this step that leaves this line was begun.
fn begun_as(step: &RunStep, line: &str) -> usize {
    step.begun.iter().filter(|begun| line_of(step, begun.purpose).as_deref() == Some(line)).count()
}

// ---- the kills ----

/// What a life said before it was killed.
#[derive(Default)]
struct Life {
    is_ready: bool,
    /// What it sent, in a word.
    asked: Vec<String>,
    /// What was acknowledged: in a word, of which run, and the engine's own words.
    acknowledged: Vec<(String, u64, String)>,
    refused: Vec<String>,
    /// Where the steps of each run stood when it was ready.
    found: BTreeMap<u64, Vec<String>>,
    problem: Option<String>,
}

/// When a life is killed.
#[derive(Clone, Copy)]
enum Kill {
    AfterStart(Duration),
    /// So many words after it was ready, and this long after the last of them.
    AfterReady(usize, Duration),
    /// Not at all: it ends by itself once it is ready.
    Never,
}

fn live(folder: &Path, seed: u64, kill: Kill) -> (Life, Duration) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["crash::life", "--exact", "--ignored", "--nocapture", "--test-threads", "1"])
        .env(FOLDER, folder)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if matches!(kill, Kill::Never) {
        command.env(ENDS, "1");
    }
    let begun = Instant::now();
    let mut child = command.spawn().unwrap();
    let mut life = Life::default();
    let (tell, told) = std::sync::mpsc::channel();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let ear = std::thread::spawn(move || {
        let mut line = String::new();
        while reader.read_line(&mut line).unwrap() > 0 {
            tell.send(std::mem::take(&mut line)).unwrap();
        }
    });
    while !matches!(kill, Kill::AfterStart(_)) && !life.is_ready {
        life.hear(&told.recv().expect("a life ended before it was ready"));
    }
    let start_took = begun.elapsed();
    match kill {
        Kill::AfterStart(after) => std::thread::sleep(after),
        Kill::AfterReady(words, after) => {
            for _ in 0..words {
                let Ok(line) = told.recv_timeout(SILENCE) else { break };
                life.hear(&line);
            }
            std::thread::sleep(after);
        }
        Kill::Never => assert!(child.wait().unwrap().success(), "a life that was let go failed"),
    }
    let _gone_already = child.kill();
    child.wait().unwrap();
    told.iter().for_each(|line| life.hear(&line));
    ear.join().unwrap();
    (life, start_took)
}

impl Life {
    fn hear(&mut self, line: &str) {
        // A line that was cut off says nothing.
        let Some((word, rest)) = line.strip_suffix('\n').and_then(|line| line.split_once(' ')) else {
            self.is_ready |= line == "READY\n";
            return;
        };
        let mut words = rest.splitn(3, ' ');
        let mut next = || words.next().unwrap_or_default().to_owned();
        match word {
            "ASK" => self.asked.push(next()),
            "ACK" => self.acknowledged.push((next(), next().parse().unwrap(), next())),
            "NAK" => self.refused.push(rest.to_owned()),
            "FOUND" => {
                let (run, states) = (next(), next());
                self.found.insert(run.parse().unwrap(), states.split(',').map(str::to_owned).collect());
            }
            "PROBLEM" => self.problem = Some(rest.to_owned()),
            _ => {}
        }
    }
}

/// What is on disk, read from a copy.
struct Disk {
    runs: BTreeMap<u64, Run>,
    resolved: BTreeSet<u64>,
    /// The audit log's words, by how often each line is there.
    told: BTreeMap<String, usize>,
    /// Things that were cut off, as the log says.
    cut_off_count: usize,
}

impl Disk {
    fn look(ground: &Ground, scratch: &Path) -> Self {
        let copy = scratch.join("copy");
        let _none = std::fs::remove_dir_all(&copy);
        copy_folder(&ground.state_dir(), &copy);
        let store = Store::open(&copy).unwrap();
        let stored = store.load().unwrap();
        assert_eq!((stored.unreadable_count, stored.problems), (0, Vec::new()));
        let (mut told, mut cut_off_count) = (BTreeMap::new(), 0);
        audit_file::read(&copy, &mut |entry| {
            *told.entry(entry.text.to_string()).or_insert(0) += 1;
            cut_off_count += usize::from(entry.text.contains("was running when the program ended"));
        })
        .unwrap();
        let resolved = stored.incidents.iter().filter(|incident| incident.state == IncidentState::Resolved);
        Self {
            resolved: resolved.map(|incident| incident.id.0).collect(),
            runs: stored.runs.into_iter().map(|run| (run.id.0, run)).collect(),
            told,
            cut_off_count,
        }
    }

    /// Lines of calls of which a probe or a person said that they did not happen, by how often.
    fn denied(&self) -> Vec<(String, usize)> {
        let denied = self.told.iter().filter(|(text, _)| text.ends_with("did not happen"));
        let line = |(text, count): (&String, &usize)| {
            let (_, rest) = text.split_once(" of RUN-")?;
            let (run, rest) = rest.split_once(" (")?;
            let run = self.runs.get(&run.parse().ok()?)?;
            let (_, step) = run.step_named(rest.split_once(')')?.0)?;
            let purpose = if text.contains("taking it back") { Purpose::Undo } else { Purpose::Run };
            Some((line_of(step, purpose)?, *count))
        };
        denied.map(|denied| line(denied).unwrap_or_else(|| panic!("{}", denied.0))).collect()
    }

    fn steps(&self) -> impl Iterator<Item = (RunId, usize, &RunStep)> {
        self.runs.values().flat_map(|run| run.steps.iter().enumerate().map(|(at, step)| (run.id, at, step)))
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::DirBuilder::new().mode(0o700).create(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else if let Err(problem) = std::fs::copy(entry.path(), target) {
            // Nothing else is taken away meanwhile: nobody is there.
            panic!("{}: {problem}", entry.path().display());
        }
    }
}

/// What five hundred kills came to.
#[derive(Debug, Default)]
struct Sum {
    rounds: u64,
    in_start: u64,
    acknowledged: usize,
    refused: usize,
    runs: usize,
    calls: usize,
    /// Steps under way at a kill, by what for.
    acts: usize,
    undos: usize,
    probes: usize,
    dry_runs: usize,
    checks: usize,
    waits: usize,
    /// Acts that were cut off and found again.
    cut_off: usize,
    /// Acts that a probe or a person said did not happen.
    denied: usize,
    torn: usize,
    reasons: BTreeMap<String, usize>,
}

/// The kills on one store.
struct Campaign {
    ground: Ground,
    folder: PathBuf,
    scratch: PathBuf,
    sum: Sum,
    /// How often each line has been acknowledged.
    acknowledged: BTreeMap<String, usize>,
    begins_asked: usize,
    /// Acts that were under way at a kill: run, step, and the how manieth call of it.
    cut_off: BTreeSet<(u64, usize, usize)>,
    heads: Vec<Head>,
    before: BTreeMap<u64, Run>,
}

impl Campaign {
    fn new(folder: &Path, scratch: &Path) -> Self {
        Self {
            ground: lay(folder),
            folder: folder.to_path_buf(),
            scratch: scratch.to_path_buf(),
            sum: Sum::default(),
            acknowledged: BTreeMap::new(),
            begins_asked: 0,
            cut_off: BTreeSet::new(),
            heads: Vec::new(),
            before: BTreeMap::new(),
        }
    }

    fn round(&mut self, seed: u64, kill: Kill) -> Duration {
        let (life, start_took) = live(&self.folder, seed, kill);
        assert_eq!(life.problem, None, "round {seed}: the store was not as a kill may leave it");
        let begins = |word: &&String| matches!(word.as_str(), "approve" | "undo");
        self.begins_asked += life.asked.iter().filter(begins).count();
        self.check_log(seed);
        let disk = Disk::look(&self.ground, &self.scratch);
        self.check_found(seed, &life);
        self.check_kept(seed, &life, &disk);
        self.check_begun(seed, &disk);
        self.count(&life, &disk, kill);
        self.before = disk.runs;
        start_took
    }

    /// The log is whole but for a last line that was cut off, and no signed end is gone.
    fn check_log(&mut self, seed: u64) {
        let state = self.ground.state_dir();
        let verdict = audit_file::check(&state, &self.heads).unwrap();
        // A store that is killed before its first flush has no signed end yet.
        let is_new = self.heads.is_empty();
        let mut torn = 0;
        for finding in &verdict.findings {
            let may_be = finding.kind == FindingKind::Torn || is_new && finding.kind == FindingKind::Head;
            assert!(may_be, "round {seed}: {finding:?}");
            torn += usize::from(finding.kind == FindingKind::Torn);
        }
        assert!(torn <= 1, "round {seed}: {:?}", verdict.findings);
        self.sum.torn += torn;
        self.heads.extend(audit_file::head(&state).unwrap());
        self.heads.dedup();
    }

    /// What was under way on disk is unknown at the next start; nothing of it failed, runs on, or began again.
    fn check_found(&self, seed: u64, life: &Life) {
        if !life.is_ready {
            return;
        }
        for (id, run) in &self.before {
            let states = life.found.get(id).unwrap_or_else(|| panic!("round {seed}: RUN-{id} is lost"));
            for (step, found) in run.steps.iter().zip(states) {
                let is_act = step.bound.spec.act().is_some();
                let was_taking_back = step.acts_begun().last().is_some_and(|begun| begun.purpose == Purpose::Undo);
                let may_be: &[&str] = match &step.state {
                    // What only looks may look again, where the mode lets it by itself.
                    StepState::Running { purpose: Purpose::Run, .. } if !is_act => {
                        &["waiting", "pending", "running", "succeeded"]
                    }
                    StepState::Running { purpose: Purpose::DryRun, .. } => &["waiting", "pending"],
                    // A probe may have said by now whether it happened; one that looked too soon looks once more.
                    StepState::Running { .. } if is_probed(step) && !was_taking_back => &PROBED,
                    StepState::Unknown { .. } if looks_again(step) && !was_taking_back => &PROBED,
                    StepState::Unknown { .. } if looks_again(step) => &["unknown", "probing", "succeeded", "other"],
                    StepState::Running { .. } | StepState::Unknown { .. } => &["unknown"],
                    _ => continue,
                };
                assert!(may_be.contains(&found.as_str()), "round {seed}: RUN-{id} {:?} is {found}", step.state);
            }
        }
    }

    /// What was acknowledged is on disk.
    fn check_kept(&mut self, seed: u64, life: &Life, disk: &Disk) {
        let ids: BTreeSet<&str> =
            disk.steps().flat_map(|(_, _, step)| &step.begun).filter_map(|begun| begun.id.get(..12)).collect();
        for (word, id, text) in &life.acknowledged {
            let run = disk.runs.get(id);
            let is_kept = match word.as_str() {
                "start" => {
                    let run = text.strip_prefix("began RUN-").and_then(|rest| rest.split_once(':')).unwrap().0;
                    disk.runs.contains_key(&run.parse().unwrap())
                }
                "stop" => run.is_some_and(|run| run.state == RunState::Stopped),
                "resolve" => disk.resolved.contains(id),
                _ => run.is_some(),
            };
            assert!(is_kept, "round {seed}: lost {word} {id} {text}");
            if let Some(id) = text.rsplit_once(", id ").and_then(|(_, id)| id.strip_suffix(')')) {
                assert!(ids.contains(id), "round {seed}: lost the beginning of {text}");
            }
            if word != "start" {
                *self.acknowledged.entry(text.clone()).or_insert(0) += 1;
            }
        }
        for (text, count) in &self.acknowledged {
            let told = disk.told.get(text).copied().unwrap_or_default();
            assert!(told >= *count, "round {seed}: acknowledged {count} times, in the log {told}: {text}");
        }
    }

    /// Nothing was begun twice, by itself, or without having been asked for; and no call was made without a beginning.
    fn check_begun(&mut self, seed: u64, disk: &Disk) {
        let mut identities = BTreeSet::new();
        let mut begun: BTreeMap<String, usize> = BTreeMap::new();
        for (run, _, step) in disk.steps() {
            for beginning in &step.begun {
                assert!(identities.insert(Arc::clone(&beginning.id)), "round {seed}: {run} twice: {beginning:?}");
                let only_looks = step.bound.spec.act().is_none() || beginning.purpose == Purpose::Probe;
                assert!(only_looks || beginning.by.as_ref() == PERSON, "round {seed}: {run} by itself: {beginning:?}");
                if let Some(line) = line_of(step, beginning.purpose) {
                    *begun.entry(line).or_insert(0) += 1;
                }
            }
        }
        for run in disk.runs.values().filter(|run| run.state == RunState::Interrupted) {
            let is_open = |step: &RunStep| matches!(step.state, StepState::Unknown { .. } | StepState::Running { .. });
            assert!(run.steps.iter().any(is_open), "round {seed}: {} is interrupted, and nowhere", run.id);
        }
        let acts: usize = disk.steps().map(|(_, _, step)| step.acts_begun().count()).sum();
        assert!(acts <= self.begins_asked, "round {seed}: {acts} begun, {} asked for", self.begins_asked);
        let mut did: BTreeMap<String, usize> = BTreeMap::new();
        for line in self.ground.lines() {
            *did.entry(line).or_insert(0) += 1;
        }
        // What was said not to have happened has not, and will not.
        for (line, count) in disk.denied() {
            *begun.entry(line).or_insert(0) -= count;
        }
        for (line, did) in &did {
            let begun = begun.get(line).copied().unwrap_or_default();
            assert!(*did <= begun, "round {seed}: `{line}` was done {did} times and can have been {begun} times");
        }
        self.sum.calls = did.values().sum();
    }

    fn count(&mut self, life: &Life, disk: &Disk, kill: Kill) {
        let sum = &mut self.sum;
        sum.acknowledged += life.acknowledged.len();
        sum.refused += life.refused.len();
        for reason in &life.refused {
            let plain: String = reason.chars().filter(|c| !c.is_ascii_digit()).collect();
            *sum.reasons.entry(plain).or_insert(0) += 1;
        }
        sum.runs = disk.runs.len();
        if matches!(kill, Kill::Never) {
            return;
        }
        sum.rounds += 1;
        sum.in_start += u64::from(!life.is_ready);
        for (run, at, step) in disk.steps() {
            let is_act = step.bound.spec.act().is_some();
            match &step.state {
                StepState::Running { purpose, .. } => {
                    match purpose {
                        Purpose::Run if is_act => sum.acts += 1,
                        Purpose::Run => sum.checks += 1,
                        Purpose::Undo => sum.undos += 1,
                        Purpose::Probe => sum.probes += 1,
                        Purpose::DryRun => sum.dry_runs += 1,
                    }
                    if is_act && matches!(purpose, Purpose::Run | Purpose::Undo) {
                        self.cut_off.insert((run.0, at, step.begun.len()));
                    }
                }
                StepState::Elapsing { .. } | StepState::Watching { .. } => sum.waits += 1,
                _ => {}
            }
        }
    }

    /// Waits for the end of what was under way when the last life was killed.
    fn let_end(&self) {
        while is_anything_under_way(&self.folder) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A last life that ends by itself: everything that was cut off has been found, once, and the log is whole.
    fn finish(mut self, seed: u64) -> Sum {
        self.let_end();
        self.round(seed, Kill::Never);
        let disk = Disk::look(&self.ground, &self.scratch);
        assert_eq!(disk.cut_off_count, self.cut_off.len(), "cut off: {:?}", self.cut_off);
        self.sum.cut_off = self.cut_off.len();
        self.sum.denied = disk.denied().iter().map(|(_, count)| count).sum();
        let is_running = |(_, _, step): &(RunId, usize, &RunStep)| {
            let is_act = step.bound.spec.act().is_some();
            is_act && matches!(step.state, StepState::Running { purpose: Purpose::Run | Purpose::Undo, .. })
        };
        assert_eq!(disk.steps().filter(is_running).count(), 0, "nothing runs when nobody is there");
        let state = self.ground.state_dir();
        let verdict = audit_file::check(&state, &self.heads).unwrap();
        assert!(verdict.is_whole(), "{:?}", verdict.findings);
        let verified = Command::new(env!("CARGO_BIN_EXE_hypo"))
            .args(["--state-dir", state.to_str().unwrap(), "audit", "verify"])
            .output()
            .unwrap();
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
        self.sum
    }
}

#[test]
fn five_hundred_kills_lose_nothing_and_repeat_nothing() {
    let wanted = std::env::var("HYPO_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(ROUNDS);
    let count = wanted.div_ceil(ROUNDS_PER_STORE);
    let stores = 0..count;
    let total = std::thread::scope(|scope| {
        let side = |side: u64| {
            let stores = stores.clone().filter(move |store| store % SIDES == side);
            scope.spawn(move || stores.map(kill_on_one_store).fold(Sum::default(), Sum::and))
        };
        let sides: Vec<_> = (0..SIDES).map(side).collect();
        sides.into_iter().map(|side| side.join().unwrap()).fold(Sum::default(), Sum::and)
    });
    println!("{total:#?}");
    // Either of the two ends the test where it happens.
    println!("{} rounds, {} acknowledged, 0 lost, 0 done twice", total.rounds, total.acknowledged);
    assert_eq!(total.rounds, count * ROUNDS_PER_STORE);
    assert!(total.acknowledged as u64 * 5 > wanted * 4, "the lives were too short to say anything");
    assert!(total.cut_off as u64 * 10 > wanted, "hardly any step was cut off");
    assert!(wanted < ROUNDS || total.undos > 0 && total.probes > 0, "nothing was taken back or probed");
}

fn kill_on_one_store(store: u64) -> Sum {
    let mut random = Pcg64::seed_from_u64(20_261_121 + store);
    let (folder, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut campaign = Campaign::new(folder.path(), scratch.path());
    let mut start = Duration::from_millis(100);
    for round in 0..ROUNDS_PER_STORE {
        let seed = store * ROUNDS_PER_STORE + round;
        if store.is_multiple_of(5) && round == ROUNDS_PER_STORE / 2 {
            campaign.let_end();
            std::thread::sleep(BELIEVED_AFTER);
        }
        // Every fifth kill hits a start, the others what comes after.
        if round % 5 == 4 {
            campaign.round(seed, Kill::AfterStart(start.mul_f64(random.random_range(0.2..1.0))));
        } else {
            let after = Duration::from_millis(random.random_range(0..JITTER_MS_MAX));
            start = campaign.round(seed, Kill::AfterReady(random.random_range(0..WORDS_MAX), after));
        }
    }
    campaign.finish(store)
}

impl Sum {
    fn and(mut self, other: Self) -> Self {
        self.rounds += other.rounds;
        self.in_start += other.in_start;
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.runs += other.runs;
        self.calls += other.calls;
        self.acts += other.acts;
        self.undos += other.undos;
        self.probes += other.probes;
        self.dry_runs += other.dry_runs;
        self.checks += other.checks;
        self.waits += other.waits;
        self.cut_off += other.cut_off;
        self.denied += other.denied;
        self.torn += other.torn;
        for (reason, count) in other.reasons {
            *self.reasons.entry(reason).or_insert(0) += count;
        }
        self
    }
}
