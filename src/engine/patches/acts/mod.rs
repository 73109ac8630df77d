//! What is run on one machine to bring its packages to other versions, as a runbook: so it is shown, approved, recorded, found
//! again after a crash and taken back like any other.
//!
//! It looks whether the versions are there already, shows by a dry run exactly what would be installed and that it is nothing
//! else, looks whether the versions of before could be had again, installs, and looks whether they are there.

mod apt;
mod dnf;
mod play;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::digest::sha256_hex;
use crate::engine::model::{
    ActSpec, ActionKind, BlastRadius, BoundStep, Call, Case, CheckSpec, Danger, Goto, Look, OnlyNames, Proposal,
    Repeat, RolloutTarget, Runbook, RunbookPlace, ServiceName, StepEffect, StepKind, StepSpec, Unexpected, When,
};

/// The step that installs.
pub const INSTALL: &str = "install";
/// Milliseconds for what only looks.
const LOOK_MS: i64 = 120_000;
/// Steps that must be read anew when their making changes.
const VERSION: &str = "1";

/// A package that is to get another version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Move {
    /// Its name.
    pub name: Arc<str>,
    /// Its architecture; empty where the inventory does not say.
    pub architecture: Arc<str>,
    /// The version that is there.
    pub from: Arc<str>,
    /// The version that is to be there.
    pub to: Arc<str>,
}

/// How a machine is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// It is this one.
    Local,
    /// By `ssh`, under this name.
    Ssh(Arc<str>),
}

/// What changes its packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// Debian's.
    Apt(Reach),
    /// Fedora's and its kin's.
    Dnf(Reach),
    /// A playbook of the settings' folder.
    Playbook(Arc<str>),
    /// A job template that the settings name.
    JobTemplate(Arc<str>),
}

/// A look that the machine must pass right before its packages change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Program and arguments, run there; never empty.
    pub look: Vec<Arc<str>>,
    /// A regular expression for a line of what it says; empty where it is enough that it ends with 0.
    pub expect: Arc<str>,
    /// What it proves of what holds data, as the gate names it.
    pub proves: Vec<Arc<str>>,
}

/// What is to be done on one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Where.
    pub target: RolloutTarget,
    /// The source package, for people.
    pub source: Arc<str>,
    /// Its packages there; never empty.
    pub moves: Vec<Move>,
    /// By what.
    pub method: Method,
    /// Words before the package manager's, such as `sudo` and `-n`; none where its user may install.
    pub before: Vec<Arc<str>>,
    /// A regular expression for the names of whatever else may come with them; empty for nothing.
    pub allowed: Arc<str>,
    /// What must be seen there right before.
    pub proofs: Vec<Proof>,
    /// Units of systemd that must be active afterwards.
    pub units: Vec<Arc<str>>,
    /// Milliseconds for the installation.
    pub timeout_ms: i64,
}

/// The calls of one way of installing.
struct Calls {
    /// Says which versions are there.
    installed: Call,
    /// A line of its output where they are those that are to be there.
    is_there: String,
    /// The same for the versions of before; empty where it cannot tell.
    is_back: String,
    /// Says what would be installed, the exit code with which it does, a line of it, and what it may name.
    dry_run: (Call, i32, String, Option<OnlyNames>),
    /// Ends with 0 where the versions of before could be had again; `None` where nobody can say.
    way_back: Option<Call>,
    install: Call,
    undo: Call,
}

/// The runbook of one machine, bound.
#[must_use]
pub fn proposal(job: &Job) -> Proposal {
    let calls = match &job.method {
        Method::Apt(reach) => apt::calls(job, reach),
        Method::Dnf(reach) => dnf::calls(job, reach),
        Method::Playbook(name) => play::calls(job, name, Call::Playbook),
        Method::JobTemplate(name) => play::calls(job, name, Call::JobTemplate),
    };
    let specs = steps(job, &calls);
    let content_hash: Arc<str> = sha256_hex([VERSION, &written(&specs)]).into();
    let bound = |spec: StepSpec| {
        let digest = sha256_hex([content_hash.as_ref(), &written(&spec)]).into();
        BoundStep { spec, digest }
    };
    let runbook = Runbook {
        id: Arc::from("patch"),
        title: format!("patch {} on {}", job.source, job.target.asset).into(),
        version: Arc::from(VERSION),
        content_hash: Arc::clone(&content_hash),
        owner: Arc::from("hypo"),
        origin: Arc::from("made of the rollout's plan"),
        problems: Vec::new(),
        service_pattern: Arc::from(""),
        place: RunbookPlace::Anywhere,
        includes: Vec::new(),
        params: BTreeMap::new(),
        symptoms: Vec::new(),
        alerts: Vec::new(),
        verified: None,
        expires_days: 0,
        mistake: None,
        acts_max: 3,
        estimate_seconds: u32::try_from(job.timeout_ms / 1_000).unwrap_or(u32::MAX),
        steps: specs.clone(),
    };
    Proposal {
        runbook: Arc::new(runbook),
        params: BTreeMap::from([(Arc::from("asset"), Arc::clone(&job.target.asset))]),
        steps: specs.into_iter().map(bound).collect(),
        reason: format!("{} lacks it", job.target.asset).into(),
        service: ServiceName::new(&job.target.asset),
        cause: None,
    }
}

/// All of it as text, so that another content is another digest.
fn written(part: &(impl Serialize + std::fmt::Debug)) -> String {
    serde_json::to_string(part).unwrap_or_else(|_| format!("{part:?}"))
}

fn steps(job: &Job, calls: &Calls) -> Vec<StepSpec> {
    let asset = &job.target.asset;
    let expected: Arc<str> = Arc::from(calls.is_there.as_str());
    let looks = |name: &str, title: String, call: &Call, expect: &Arc<str>, otherwise| {
        let look = Look::Call { call: call.clone(), expect: Arc::clone(expect), exit: 0, lines_min: 0, only: None };
        check(name, title, CheckSpec { look, otherwise, proves: Vec::new() }, asset)
    };
    let nothing: Arc<str> = Arc::from("");
    let mut steps = vec![
        looks("there", format!("look which versions {asset} has"), &calls.installed, &expected, Unexpected::GoOn),
        branch("is-there", asset),
    ];
    let (call, exit, expect, only) = &calls.dry_run;
    let look = Look::Call {
        call: call.clone(),
        expect: Arc::from(expect.as_str()),
        exit: *exit,
        lines_min: 0,
        only: only.clone(),
    };
    let spec = CheckSpec { look, otherwise: Unexpected::Pause, proves: Vec::new() };
    steps.push(check("dry-run", "show exactly what would be installed".to_owned(), spec, asset));
    if let Some(way_back) = &calls.way_back {
        let title = "look whether the versions of before can be had again".to_owned();
        steps.push(looks("way-back", title, way_back, &nothing, Unexpected::GoOn));
    }
    steps.extend(job.proofs.iter().enumerate().map(|(index, proof)| prove(job, index, proof)));
    steps.push(install(job, calls, &expected));
    steps.push(looks(
        "installed",
        "look whether they are there".to_owned(),
        &calls.installed,
        &expected,
        Unexpected::Pause,
    ));
    if let Some(reach) = job.reach() {
        steps.extend(job.units.iter().zip(1..).map(|(unit, number)| {
            // Asked of several at once it is content with one.
            let call = reach.call(["systemctl", "is-active", unit.as_ref()].map(Arc::from).into());
            let title = format!("look whether {unit} is active");
            looks(&format!("unit-{number}"), title, &call, &nothing, Unexpected::Pause)
        }));
    }
    steps
}

fn prove(job: &Job, index: usize, proof: &Proof) -> StepSpec {
    // What installs by a playbook can still be looked at over ssh.
    let reach = job.reach().cloned().unwrap_or_else(|| Reach::Ssh(Arc::clone(&job.target.asset)));
    let call = reach.call(proof.look.clone());
    let title = match proof.proves.as_slice() {
        [] => format!("look with {}", proof.look.join(" ")),
        proves => format!("prove {}", proves.join(", ")),
    };
    let look = Look::Call { call, expect: Arc::clone(&proof.expect), exit: 0, lines_min: 0, only: None };
    let spec = CheckSpec { look, otherwise: Unexpected::Pause, proves: proof.proves.clone() };
    check(&format!("proof-{}", index + 1), title, spec, &job.target.asset)
}

fn check(name: &str, title: String, check: CheckSpec, asset: &Arc<str>) -> StepSpec {
    StepSpec {
        name: Arc::from(name),
        title: title.into(),
        text: Arc::from(""),
        kind: StepKind::Check(check),
        effect: StepEffect::Read,
        touches: Arc::clone(asset),
        timeout_ms: LOOK_MS,
    }
}

/// What has them already needs nothing more, whoever installed them.
fn branch(name: &str, asset: &Arc<str>) -> StepSpec {
    let when = When::Met { step: Arc::from("there"), is_met: true };
    StepSpec {
        name: Arc::from(name),
        title: Arc::from("go on only where they are not there yet"),
        text: Arc::from(""),
        kind: StepKind::Branch { cases: vec![Case { when, goto: Goto::End }], otherwise: Goto::Next },
        effect: StepEffect::None,
        touches: Arc::clone(asset),
        timeout_ms: LOOK_MS,
    }
}

fn install(job: &Job, calls: &Calls, expected: &Arc<str>) -> StepSpec {
    let told: Vec<String> = job.moves.iter().map(|it| format!("{} {} → {}", it.name, it.from, it.to)).collect();
    let dry_run = calls.dry_run.0.clone();
    let act = ActSpec {
        action: ActionKind::Patch,
        call: calls.install.clone(),
        dry_run: Some(dry_run),
        undo: Some(calls.undo.clone()),
        rollback_text: format!(
            "puts the versions of before back, where they can be had again: step way-back says so{}",
            if job.allowed.is_empty() { "" } else { "; other packages that came along with them stay as they are" }
        )
        .into(),
        repeat: Repeat::Look {
            call: calls.installed.clone(),
            expect: Arc::clone(expected),
            undone: Arc::from(calls.is_back.as_str()),
        },
        prechecks: Vec::new(),
        not_restarting: Vec::new(),
        danger: Danger::Medium,
        targets_max: 1,
        expect: Arc::from(""),
        expected: Arc::from(told.join(", ")),
        within_ms: LOOK_MS,
        approvals: 1,
        blast: BlastRadius::default(),
    };
    StepSpec {
        name: Arc::from(INSTALL),
        title: format!("install {} on {}", told.join(", "), job.target.asset).into(),
        text: Arc::from(""),
        kind: StepKind::Act(Box::new(act)),
        effect: StepEffect::Reversible,
        touches: Arc::clone(&job.target.asset),
        timeout_ms: job.timeout_ms,
    }
}

impl Job {
    /// How the machine itself is reached; `None` where something else does that.
    fn reach(&self) -> Option<&Reach> {
        match &self.method {
            Method::Apt(reach) | Method::Dnf(reach) => Some(reach),
            Method::Playbook(_) | Method::JobTemplate(_) => None,
        }
    }

    /// A call that changes packages, with what must stand before it.
    fn as_installer(&self, reach: &Reach, words: Vec<Arc<str>>) -> Call {
        reach.call(self.before.iter().cloned().chain(words).collect())
    }

    /// Names that a dry run may tell: the packages themselves and what is allowed.
    fn names(&self) -> String {
        let own = self.moves.iter().map(|it| regex::escape(&it.name));
        let allowed = (!self.allowed.is_empty()).then(|| format!("(?:{})", self.allowed));
        own.chain(allowed).collect::<Vec<_>>().join("|")
    }
}

impl Reach {
    fn call(&self, argv: Vec<Arc<str>>) -> Call {
        match self {
            Self::Local => Call::Command { argv },
            Self::Ssh(host) => Call::Ssh { host: Arc::clone(host), argv },
        }
    }
}

#[cfg(test)]
mod tests;
