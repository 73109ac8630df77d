//! A run on a real engine with a real store and real processes, for tests that disturb it: an incident that is there from
//! the start, a runbook for it, and a program that leaves a line wherever it was.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use hypocenter::engine::act::executor::Executor;
use hypocenter::engine::clock::Timestamp;
use hypocenter::engine::job::Record;
use hypocenter::engine::model::{Incident, IncidentId, IncidentState, Run, ServiceName};
use hypocenter::engine::request::Request;
use hypocenter::engine::runbooks::Library;
use hypocenter::engine::runtime::{Runtime, RuntimeConfig};
use hypocenter::engine::settings::{EngineSettings, HostSettings};
use hypocenter::engine::snapshot::Snapshot;
use hypocenter::engine::store::Store;
use tokio::runtime::Handle;

use super::engines::{self, EndsEngine};
use super::fixtures;
use super::programs;
use super::terminal::Session;

/// The incident that is there.
pub const INCIDENT: IncidentId = IncidentId(42);

/// The proposal of `mend` for an incident, as this picture shows it.
pub fn proposed(snapshot: &Snapshot, id: IncidentId) -> Arc<str> {
    let proposals = snapshot.proposals.get(&id).into_iter().flatten();
    let mend = proposals.into_iter().find(|proposal| proposal.runbook.id.as_ref() == "mend");
    mend.map_or_else(|| "not proposed".into(), |proposal| proposal.shown())
}

/// Begins `mend` for the incident.
pub fn start(snapshot: &Snapshot) -> Request {
    Request::StartRun { incident: INCIDENT, runbook: "mend".into(), digest: proposed(snapshot, INCIDENT) }
}

/// The folder of a test, with the program in it.
pub struct Ground {
    folder: PathBuf,
    /// Ends the engine that a console leaves behind, where there was one.
    engine: OnceLock<EndsEngine>,
}

impl Ground {
    /// Lays the incident into the store of a fresh folder, and the program beside it: `act.sh NAME` waits `delay` seconds
    /// and leaves a line `NAME`, once it is not held; `probe.sh NAME` says by its exit code whether there is one.
    pub fn lay(folder: &Path, delay: &str) -> Self {
        let ground = Self::again(folder);
        let script = |name: &str, text: String| {
            programs::script(&ground.folder.join(name), &text);
        };
        let lines = ground.folder.join("lines");
        std::fs::write(&lines, "").unwrap();
        let lines = lines.display();
        let held = ground.held().display().to_string();
        let wait = format!("sleep {delay}\nwhile [ -e {held} ]; do sleep 0.05; done");
        script("act.sh", format!("#!/bin/sh\n{wait}\necho \"$1\" >> {lines}\necho did \"$1\"\n"));
        script(
            "fail.sh",
            format!("#!/bin/sh\n[ -e {lines}.mended ] || {{ echo not yet; exit 3; }}\necho \"$1\" >> {lines}\n"),
        );
        script("probe.sh", format!("#!/bin/sh\ngrep -q \"^$1$\" {lines}\n"));
        let store = Store::open(&ground.state_dir()).unwrap();
        store.write(&[Record::Incident(incident(INCIDENT))], true).unwrap();
        ground
    }

    /// The ground that was laid in this folder before.
    pub fn again(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), engine: OnceLock::new() }
    }

    fn held(&self) -> PathBuf {
        self.folder.join("held")
    }

    /// From here on `act.sh` waits until it is let go.
    pub fn hold(&self) {
        std::fs::write(self.held(), "").unwrap();
    }

    /// What waits goes on.
    pub fn let_go(&self) {
        std::fs::remove_file(self.held()).unwrap();
    }

    /// Where the engine keeps things.
    pub fn state_dir(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// What the program did, in order.
    pub fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.join("lines")).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// A program of this folder, as a runbook names it.
    pub fn program(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Settings under which the programs of this folder may start, and nothing is watched.
    pub fn settings(&self) -> EngineSettings {
        let mut settings = EngineSettings {
            host: HostSettings { enabled: false, ..HostSettings::default() },
            ..EngineSettings::default()
        };
        let programs = ["act.sh", "fail.sh", "probe.sh"].map(|name| self.program(name));
        settings.runbooks.allowed_programs.extend(programs);
        settings
    }

    /// An engine on this folder that knows one runbook.
    pub fn runtime(&self, page: &str) -> Runtime {
        self.runtime_with(self.settings(), page)
    }

    /// The same under other settings.
    pub fn runtime_with(&self, settings: EngineSettings, page: &str) -> Runtime {
        let mut library = Library::default();
        library.add_text("test.md", page);
        assert_eq!(library.problems(), []);
        Runtime::start(RuntimeConfig {
            sources: Vec::new(),
            runner: Arc::new(Executor::new(&settings.runbooks, Handle::current())),
            settings,
            library,
            state_dir: Some(self.state_dir()),
            patch_office: None,
            record_to: None,
        })
        .unwrap()
    }

    /// The built console on this folder, with one runbook of its own.
    pub fn console(&self, page: &str) -> Session {
        self.engine.get_or_init(|| EndsEngine::of(&self.folder, &self.state_dir()));
        let pages = self.folder.join("pages");
        std::fs::create_dir_all(&pages).unwrap();
        std::fs::write(pages.join("mend.md"), page).unwrap();
        let programs = ["act.sh", "fail.sh", "probe.sh"].map(|name| format!("{:?}", self.program(name))).join(", ");
        let config = self.folder.join("config.toml");
        let text = format!(
            "[host]\nenabled = false\n[runbooks]\nfolders = [{:?}]\nallowed_programs = [{programs}]\n",
            pages.display().to_string()
        );
        std::fs::write(&config, text).unwrap();
        let [config, state] = [config, self.state_dir()].map(|path| path.display().to_string());
        Session::hypo(&self.folder, &["--config", &config, "--state-dir", &state])
    }

    /// The built console that has begun a run of this page, which has so many steps, and shows the first of them.
    pub fn console_in_run(&self, page: &str, steps: usize) -> Session {
        let mut session = self.console(page);
        session.watch("INC-42");
        session.press_still(b"5", "Runbooks that fit");
        session.press_still(b"a", &format!("step 1 of {steps}"));
        session
    }

    /// What the built program says to this, in the way of consoles on this folder, and its exit code.
    pub fn said(&self, arguments: &[&str]) -> (Option<i32>, String) {
        engines::said(&self.folder, &self.state_dir(), arguments)
    }

    /// Whoever comes now sees the incident, by a listing and in a console of their own; gives the engine's process.
    pub fn is_seen_by_whoever_comes(&self, page: &str) -> nix::unistd::Pid {
        let (code, status) = self.said(&["status"]);
        assert!(code == Some(0) && status.contains("1 open"), "{code:?} {status}");
        let mut other = self.console(page);
        other.wait_for("INC-42");
        other.press(b"Q");
        other.ends_clean();
        nix::unistd::Pid::from_raw(engines::pid_in(&status).unwrap())
    }

    /// The runs as they are on disk. An engine in the background is ended for that, once its commands have ended.
    pub fn stored_runs(&self) -> BTreeMap<u64, Run> {
        self.said(&["stop"]);
        let store = Store::open(&self.state_dir()).unwrap();
        store.load().unwrap().runs.into_iter().map(|run| (run.id.0, run)).collect()
    }
}

/// An incident of this moment whose cause is named, with nothing else in the world.
pub fn incident(id: IncidentId) -> Incident {
    let now = Timestamp(chrono::Utc::now().timestamp_millis());
    Incident {
        id,
        state: IncidentState::Open,
        started_at: now,
        opened_at: now,
        acknowledged_at: None,
        updated_at: now,
        services: BTreeMap::from([(ServiceName::new("auth-api"), now)]),
        anomalies: BTreeSet::new(),
        alerts: BTreeSet::new(),
        changes: BTreeSet::new(),
        timeline: Vec::new(),
        runs: Vec::new(),
        ..fixtures::incident()
    }
}

/// A page with these steps, each a block of TOML under its name.
pub fn page(steps: &[(&str, String)]) -> String {
    let head = "# Mend it\n\n```toml runbook\nid = \"mend\"\nversion = \"1\"\nowner = \"team:test\"\nproblem = \"network_policy\"\nmax_actions = 8\n```\n";
    let blocks =
        steps.iter().map(|(name, body)| format!("\nNot when it is not wanted.\n\n```toml step {name}\n{body}\n```\n"));
    head.to_owned() + &blocks.collect::<String>()
}

/// An act of the page.
pub fn act(program: &str, name: &str, more: &str) -> String {
    format!(
        "kind = \"act\"\naction = \"restart\"\neffect = \"reversible\"\nrun = [\"{program}\", \"{name}\"]\nrollback = \"the other way\"\n\
         touches = \"thing-{name}\"\ntimeout = \"30s\"\n{more}"
    )
}

/// Says yes to the act that is offered, and reads on until `after`.
pub fn act_on(session: &mut Session, after: &str) {
    session.press_still(b"a", "This changes the world");
    session.press_still(b"y", after);
}

/// A verify step that never sees data.
pub fn verify() -> String {
    "kind = \"verify\"\nmetric = \"error_ratio\"\nservice = \"auth-api\"\nfor = \"1m\"\ntimeout = \"2m\"".to_owned()
}

/// The run of the incident, in a picture.
pub fn run(snapshot: &Snapshot) -> Option<&Arc<Run>> {
    snapshot.latest_run(INCIDENT)
}
