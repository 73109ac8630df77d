//! A runbook: a named procedure with conditions, parameters and steps; and a run, one execution of it for one incident.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::anomaly::Band;
use super::hypothesis::CauseKind;
use super::ids::{IncidentId, RunId, ServiceName};
use super::series::Unit;
use crate::engine::clock::Timestamp;

/// A runbook as read from its file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Runbook {
    /// Stable identity: `rollback-deploy`.
    pub id: Arc<str>,
    /// First heading of the file.
    pub title: Arc<str>,
    /// As its author counts.
    pub version: Arc<str>,
    /// SHA-256 of the file's text, in hex: what an approval cites.
    pub content_hash: Arc<str>,
    /// Who keeps it.
    pub owner: Arc<str>,
    /// Where it was read; `shipped` for those inside the program.
    pub origin: Arc<str>,
    /// Kinds of cause it is for.
    pub problems: Vec<CauseKind>,
    /// Regular expression the causing service must match; empty for any.
    pub service_pattern: Arc<str>,
    /// Where the causing service must run.
    #[serde(default)]
    pub place: RunbookPlace,
    /// Parameters by name.
    pub params: BTreeMap<Arc<str>, ParamSpec>,
    /// Acts it may take at most.
    pub acts_max: u8,
    /// Estimated time to walk it, in seconds.
    pub estimate_seconds: u32,
    /// In order.
    pub steps: Vec<StepSpec>,
}

/// Where the service runs that a runbook is for: what its commands reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunbookPlace {
    /// Does not matter.
    #[default]
    Anywhere,
    /// This very machine, or a unit of it.
    Machine,
    /// Anywhere but this machine.
    Cluster,
}

/// A runbook that fits an incident and cannot be offered, for want of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Misfit {
    /// The runbook's id.
    pub runbook: Arc<str>,
    /// Its title.
    pub title: Arc<str>,
    /// Which parameter cannot be filled, and why.
    pub reason: Arc<str>,
}

/// Where a parameter's value comes from and what it may be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParamSpec {
    /// Its type.
    pub kind: ParamKind,
    /// Where it is taken from: `cause.service`, `cause.callee`, `cause.change.service`, `cause.change.version`,
    /// `cause.change.title`, `cause.change.external_id`, `cause.change.author`, `incident.id`, `alert.labels.NAME`,
    /// `anomaly.service.METRIC`, or a literal default; several with ` or ` between them.
    pub from: Arc<str>,
    /// Regular expression the whole value must match.
    pub pattern: Option<Arc<str>>,
    /// Values it may take; empty for any.
    pub choices: Vec<Arc<str>>,
}

/// The type of a parameter. A value that begins with `-` or holds a control character is refused whatever its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamKind {
    /// A service the topology or a series knows.
    Service,
    /// A host or instance a series knows.
    Host,
    /// A number.
    Number,
    /// One of `choices`, or text that matches `pattern`; one of the two is required.
    Text,
}

/// What a step does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepEffect {
    /// Nothing.
    None,
    /// Looks only.
    Read,
    /// Changes something that can be put back.
    Reversible,
    /// Changes something for good.
    Irreversible,
}

/// What kind of step it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Text to read; passing it is all there is to do.
    Note,
    /// A command that only looks.
    Check {
        /// Program and arguments, placeholders in braces.
        run: Vec<Arc<str>>,
        /// Text that must be in its output; empty for any output with exit code 0.
        expect: Arc<str>,
    },
    /// A command that changes something.
    Act {
        /// Program and arguments, placeholders in braces.
        run: Vec<Arc<str>>,
        /// What shows its effect without having it; empty where there is no such thing.
        dry_run: Vec<Arc<str>>,
        /// How it is undone; empty where it cannot be.
        undo: Vec<Arc<str>>,
        /// Why it cannot be undone, where it cannot; else what undoing does.
        rollback_text: Arc<str>,
    },
    /// Watches a metric come back inside its band, with data, for `hold_ms`.
    Verify {
        /// Metric name.
        metric: Arc<str>,
        /// Service, placeholders in braces.
        service: Arc<str>,
        /// How long it must stay inside, in milliseconds.
        hold_ms: i64,
        /// Samples that must be seen in that time.
        samples_min: u32,
        /// An absolute ceiling to use in place of the band, where the file gives one.
        below: Option<f64>,
        /// An absolute floor, likewise.
        above: Option<f64>,
    },
}

/// One step as read from the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepSpec {
    /// Its name within the runbook.
    pub name: Arc<str>,
    /// In a line, imperative.
    pub title: Arc<str>,
    /// The prose around it.
    pub text: Arc<str>,
    /// What it does.
    pub kind: StepKind,
    /// What it does to the world.
    pub effect: StepEffect,
    /// What it touches, placeholders in braces.
    pub touches: Arc<str>,
    /// Milliseconds until it is stopped.
    pub timeout_ms: i64,
}

/// A step with its parameters bound: exactly what is shown and approved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoundStep {
    /// The step as written, with placeholders filled in everywhere.
    pub spec: StepSpec,
    /// SHA-256 over runbook hash, step name and every bound value, in hex: an approval is for this and nothing else.
    pub digest: Arc<str>,
}

/// Where a step of a run stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Not reached.
    Pending,
    /// Offered; waits for a person.
    Waiting,
    /// Its intent is on disk and it runs.
    Running {
        /// Since when.
        since: Timestamp,
        /// A dry run changes nothing and leaves the step waiting afterwards.
        is_dry_run: bool,
    },
    /// A verify step watches.
    Watching {
        /// Since when it has been inside without a break; `None` while outside.
        inside_since: Option<Timestamp>,
        /// Samples seen inside since then.
        samples: u32,
        /// The last value and its band.
        last: Option<(f64, Band)>,
        /// What both are measured in.
        #[serde(default)]
        unit: Unit,
        /// Samples up to this instant have been looked at, so that none counts twice.
        seen_until: Timestamp,
        /// When watching ends in failure.
        until: Timestamp,
    },
    /// Done.
    Succeeded {
        /// When.
        at: Timestamp,
    },
    /// Passed over.
    Skipped {
        /// When.
        at: Timestamp,
        /// By whom.
        by: Arc<str>,
    },
    /// Done and wrong, or not done; the run stops.
    Failed {
        /// When.
        at: Timestamp,
        /// What failed.
        reason: Arc<str>,
    },
    /// Begun, and its end was never seen: never run again by itself, a person decides.
    Unknown {
        /// When the intent was written.
        since: Timestamp,
    },
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Steps are being walked.
    Active,
    /// Every step passed or was skipped.
    Succeeded,
    /// A step failed.
    Failed,
    /// A person stopped it.
    Stopped,
    /// The program ended while a step ran.
    Interrupted,
}

/// A step within a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStep {
    /// What is run.
    pub bound: BoundStep,
    /// Where it stands.
    pub state: StepState,
    /// Why the gate asks, allows or refuses.
    pub gate_text: Arc<str>,
    /// The run for the same incident that has begun the same command before: approving takes the typed target then.
    pub done_before: Option<RunId>,
    /// When what is shown last changed: keys that act are inert for 400 ms after it.
    pub shown_at: Timestamp,
    /// Output, newest last, capped at `limits::STEP_OUTPUT_LINES_MAX`.
    pub output: Vec<Arc<str>>,
    /// Lines that were dropped from the middle.
    pub output_dropped_count: u64,
    /// Exit code of the last command.
    pub exit_code: Option<i32>,
    /// Who approved it.
    pub approved_by: Option<Arc<str>>,
}

/// One execution of a runbook for one incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// For which incident.
    pub incident: IncidentId,
    /// The runbook as it was when the run began; later edits of the file never reach it.
    pub runbook: Arc<Runbook>,
    /// Bound parameters.
    pub params: BTreeMap<Arc<str>, Arc<str>>,
    /// Where it stands.
    pub state: RunState,
    /// In order.
    pub steps: Vec<RunStep>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Who began it.
    pub started_by: Arc<str>,
}

impl Run {
    /// True where a step that changes something has succeeded.
    #[must_use]
    pub fn has_acted(&self) -> bool {
        self.steps.iter().any(|step| {
            matches!(step.bound.spec.kind, StepKind::Act { .. }) && matches!(step.state, StepState::Succeeded { .. })
        })
    }

    /// Index of the first step that is neither done nor passed over; `None` when there is none.
    #[must_use]
    pub fn current_step(&self) -> Option<usize> {
        self.steps
            .iter()
            .position(|step| !matches!(step.state, StepState::Succeeded { .. } | StepState::Skipped { .. }))
    }
}

/// A runbook that fits an incident, with how well and with its parameters bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// Which runbook.
    pub runbook: Arc<Runbook>,
    /// Bound parameters.
    pub params: BTreeMap<Arc<str>, Arc<str>>,
    /// Every step as it would be run.
    pub steps: Vec<BoundStep>,
    /// Why it fits: `for bad deploy of payment`.
    pub reason: Arc<str>,
    /// Which service it would act on.
    pub service: ServiceName,
}
