//! The gate: decides whether a step may run. Pure, and the sole maker of [`ApprovedStep`].
//!
//! Deny wins over ask, ask over allow. A step that only watches is allowed; whatever starts a program asks a person; an
//! approval is for exactly what was shown, by its digest.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::limits::ACTS_PER_INCIDENT_MAX;
use crate::engine::model::{
    Incident, IncidentId, Run, RunId, RunState, RunStep, StepEffect, StepKind, StepSpec, StepState,
};
use crate::engine::settings::RunbookSettings;
use crate::engine::snapshot::AutonomyMode;

/// A step that has passed the gate; nothing else can be executed.
///
/// Made by [`approve`] and [`approve_dry_run`] only, so that "forgot to ask" does not compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovedStep {
    run: RunId,
    step: usize,
    argv: Vec<Arc<str>>,
    timeout_ms: i64,
    is_dry_run: bool,
    digest: Arc<str>,
}

impl ApprovedStep {
    /// Which run.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// Which step of it, from 0.
    #[must_use]
    pub fn step(&self) -> usize {
        self.step
    }

    /// Program and arguments, bound; never empty.
    #[must_use]
    pub fn argv(&self) -> &[Arc<str>] {
        &self.argv
    }

    /// Milliseconds until it is stopped.
    #[must_use]
    pub fn timeout_ms(&self) -> i64 {
        self.timeout_ms
    }

    /// True where `argv` shows the effect without having it.
    #[must_use]
    pub fn is_dry_run(&self) -> bool {
        self.is_dry_run
    }

    /// Digest of what was shown and approved.
    #[must_use]
    pub fn digest(&self) -> &Arc<str> {
        &self.digest
    }
}

/// What the gate looks at beside the run itself.
#[derive(Debug, Clone, Copy)]
pub struct Gate<'a> {
    /// The incident the run is for.
    pub incident: &'a Incident,
    /// What may be done.
    pub settings: &'a RunbookSettings,
    /// How much the engine may do by itself.
    pub mode: AutonomyMode,
    /// Every run so far; those for the incident count.
    pub runs: &'a BTreeMap<RunId, Arc<Run>>,
}

/// The gate's answer, each with its reason for the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may begin by itself.
    Allow(Arc<str>),
    /// A person must say so.
    Ask(Arc<str>),
    /// It may not run, whoever asks.
    Deny(Arc<str>),
}

impl Decision {
    /// The reason.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        match self {
            Self::Allow(text) | Self::Ask(text) | Self::Deny(text) => text,
        }
    }
}

/// Why an approval is void. Nothing has happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateRefusal {
    /// The run has ended.
    #[error("{0} is over; start the runbook again")]
    RunOver(RunId),
    /// Another step is offered.
    #[error("step {} of {run} is not the one offered now; look at the run again", .step + 1)]
    NotOffered {
        /// Which run.
        run: RunId,
        /// Which step was asked for.
        step: usize,
    },
    /// The step, its parameters or its target are others than were shown.
    #[error("step {} of {run} changed since it was shown; read it again and approve what it is now", .step + 1)]
    Changed {
        /// Which run.
        run: RunId,
        /// Which step was asked for.
        step: usize,
    },
    /// The gate says no.
    #[error("refused by the gate: {0}")]
    Denied(Arc<str>),
    /// It cannot be undone or was done before, and the target was not typed.
    #[error("this cannot be undone, or was done before; type `{0}` to confirm")]
    TargetNotTyped(Arc<str>),
    /// There is nothing to settle: how the step ended is known.
    #[error("how step {} of {run} ended is known; there is nothing to settle", .step + 1)]
    NotUnknown {
        /// Which run.
        run: RunId,
        /// Which step was asked for.
        step: usize,
    },
    /// There is no way to show its effect without having it.
    #[error("step {} of {run} has no dry run; its command and what it touches are on the screen", .step + 1)]
    NoDryRun {
        /// Which run.
        run: RunId,
        /// Which step was asked for.
        step: usize,
    },
}

/// Decides about step `step` of `run`.
#[must_use]
pub fn decide(run: &Run, step: usize, gate: &Gate<'_>) -> Decision {
    let Some(wanted) = run.steps.get(step) else {
        return Decision::Deny(Arc::from("there is no such step"));
    };
    let spec = &wanted.bound.spec;
    if let Some(reason) = denial(run, spec, gate) {
        return Decision::Deny(reason.into());
    }
    match &spec.kind {
        StepKind::Verify { .. } => Decision::Allow(Arc::from("only watches; begins by itself")),
        StepKind::Note => Decision::Ask(Arc::from("read it, then approve to go on")),
        StepKind::Check { .. } => Decision::Ask(Arc::from("only looks · waits for a person")),
        StepKind::Act { .. } => Decision::Ask(act_text(run, step, gate).into()),
    }
}

/// The last other run for the same incident that began the very command of this act, whatever came of it: one that was
/// stopped or failed may have had its effect.
#[must_use]
pub fn done_before(run: &Run, step: usize, gate: &Gate<'_>) -> Option<RunId> {
    let StepKind::Act { run: argv, .. } = &run.steps.get(step)?.bound.spec.kind else { return None };
    let is_same = |step: &RunStep| {
        has_begun_act(step) && matches!(&step.bound.spec.kind, StepKind::Act { run, .. } if run == argv)
    };
    let others = runs_for(gate.runs, run.incident).filter(|other| other.id != run.id);
    others.filter(|other| other.steps.iter().any(is_same)).map(|other| other.id).last()
}

/// Acts of `incident` that were begun, whatever came of them; dry runs are not acts.
#[must_use]
pub fn acts_begun(runs: &BTreeMap<RunId, Arc<Run>>, incident: IncidentId) -> usize {
    runs_for(runs, incident).map(acts_begun_in).sum()
}

fn runs_for(runs: &BTreeMap<RunId, Arc<Run>>, incident: IncidentId) -> impl Iterator<Item = &Run> {
    runs.values().map(Arc::as_ref).filter(move |run| run.incident == incident)
}

/// Approves the offered step. `None` for a note: passing it is all there is to do.
///
/// `typed_target` must equal the step's `touches` where it cannot be undone, and where another run has done the same: a
/// second `rollout undo` puts back what the first took away.
///
/// # Errors
/// When the run is over, the step is not the one offered, its digest is not the one shown, the gate denies it, or the
/// target was not typed.
pub fn approve(
    run: &Run,
    step: usize,
    digest: &str,
    typed_target: Option<&str>,
    gate: &Gate<'_>,
) -> Result<Option<ApprovedStep>, GateRefusal> {
    let offered = offered(run, step, digest)?;
    if let Decision::Deny(reason) = decide(run, step, gate) {
        return Err(GateRefusal::Denied(reason));
    }
    let spec = &offered.bound.spec;
    let needs_target = spec.effect == StepEffect::Irreversible || done_before(run, step, gate).is_some();
    if needs_target && typed_target.map(str::trim) != Some(spec.touches.as_ref()) {
        return Err(GateRefusal::TargetNotTyped(Arc::clone(&spec.touches)));
    }
    Ok(match &spec.kind {
        StepKind::Check { run: argv, .. } | StepKind::Act { run: argv, .. } => {
            Some(pass(run, step, argv.clone(), false, offered))
        }
        StepKind::Note | StepKind::Verify { .. } => None,
    })
}

/// Approves the dry run of the offered step.
///
/// # Errors
/// As [`approve`], and when the step declares no dry run: none is pretended.
pub fn approve_dry_run(run: &Run, step: usize, digest: &str, gate: &Gate<'_>) -> Result<ApprovedStep, GateRefusal> {
    let offered = offered(run, step, digest)?;
    let StepKind::Act { dry_run: argv, .. } = &offered.bound.spec.kind else {
        return Err(GateRefusal::NoDryRun { run: run.id, step });
    };
    if argv.is_empty() {
        return Err(GateRefusal::NoDryRun { run: run.id, step });
    }
    // Limits on acts and observe-only are about changes; which programs may start at all holds for every command.
    program_denial(argv, gate.settings).map_or_else(
        || Ok(pass(run, step, argv.clone(), true, offered)),
        |reason| Err(GateRefusal::Denied(reason.into())),
    )
}

fn pass(run: &Run, step: usize, argv: Vec<Arc<str>>, is_dry_run: bool, offered: &RunStep) -> ApprovedStep {
    ApprovedStep {
        run: run.id,
        step,
        argv,
        timeout_ms: offered.bound.spec.timeout_ms,
        is_dry_run,
        digest: Arc::clone(&offered.bound.digest),
    }
}

/// The step that is offered now, if it is the one that was shown.
fn offered<'a>(run: &'a Run, step: usize, digest: &str) -> Result<&'a RunStep, GateRefusal> {
    if run.state != RunState::Active {
        return Err(GateRefusal::RunOver(run.id));
    }
    let wanted = run
        .steps
        .get(step)
        .filter(|wanted| run.current_step() == Some(step) && wanted.state == StepState::Waiting)
        .ok_or(GateRefusal::NotOffered { run: run.id, step })?;
    if wanted.bound.digest.as_ref() == digest { Ok(wanted) } else { Err(GateRefusal::Changed { run: run.id, step }) }
}

/// Why the step may not run, where it may not.
fn denial(run: &Run, spec: &StepSpec, gate: &Gate<'_>) -> Option<String> {
    match &spec.kind {
        StepKind::Note | StepKind::Verify { .. } => None,
        StepKind::Check { run: argv, .. } => program_denial(argv, gate.settings),
        StepKind::Act { run: argv, .. } => act_denial(run, gate).or_else(|| program_denial(argv, gate.settings)),
    }
}

fn act_denial(run: &Run, gate: &Gate<'_>) -> Option<String> {
    let in_run = acts_begun_in(run);
    let for_incident = acts_begun(gate.runs, gate.incident.id);
    if gate.settings.observe_only || gate.mode == AutonomyMode::Observe {
        Some("this console only observes; set `observe_only = false` under [runbooks] to allow acts".to_owned())
    } else if run.incident != gate.incident.id {
        Some(format!("{} is for {}, not for {}", run.id, run.incident, gate.incident.id))
    } else if !gate.incident.state.is_live() {
        Some(format!("{} is resolved; reopen it before acting on it", gate.incident.id))
    } else if in_run >= usize::from(run.runbook.acts_max) {
        Some(format!("act {} of at most {} in this run", in_run + 1, run.runbook.acts_max))
    } else if for_incident >= ACTS_PER_INCIDENT_MAX {
        Some(format!(
            "act {} of at most {ACTS_PER_INCIDENT_MAX} for {}; what was tried does not help, escalate",
            for_incident + 1,
            gate.incident.id
        ))
    } else {
        None
    }
}

/// A bare name must be on the list as such; a path must be absolute and on the list as that very path, so that a listed
/// `kubectl` does not open `/tmp/kubectl`.
fn program_denial(argv: &[Arc<str>], settings: &RunbookSettings) -> Option<String> {
    let Some(program) = argv.first().filter(|program| !program.is_empty()) else {
        return Some("its command is empty".to_owned());
    };
    if program.contains('/') && !program.starts_with('/') {
        return Some(format!("`{program}` is a relative path; write the program's name or its absolute path"));
    }
    if settings.allowed_programs.iter().any(|allowed| allowed == program.as_ref()) {
        return None;
    }
    Some(format!("`{program}` is not among `allowed_programs` under [runbooks]; add it there if steps may start it"))
}

fn act_text(run: &Run, step: usize, gate: &Gate<'_>) -> String {
    let is_irreversible = run.steps.get(step).is_none_or(|step| step.bound.spec.effect == StepEffect::Irreversible);
    let undo = if is_irreversible { "cannot be undone" } else { "can be undone" };
    let again = done_before(run, step, gate)
        .map_or_else(String::new, |other| format!("{other} did exactly this; again may undo it · "));
    format!(
        "{again}act {} of {} in this run, {} of {ACTS_PER_INCIDENT_MAX} for {} · {undo} · waits for a person",
        acts_begun_in(run) + 1,
        run.runbook.acts_max,
        acts_begun(gate.runs, gate.incident.id) + 1,
        gate.incident.id,
    )
}

fn acts_begun_in(run: &Run) -> usize {
    run.steps.iter().filter(|step| has_begun_act(step)).count()
}

fn has_begun_act(step: &RunStep) -> bool {
    let has_begun = match &step.state {
        StepState::Running { is_dry_run, .. } => !is_dry_run,
        // A step that was approved and then passed over had begun, and its end was never seen.
        StepState::Succeeded { .. }
        | StepState::Failed { .. }
        | StepState::Unknown { .. }
        | StepState::Skipped { .. } => step.approved_by.is_some(),
        StepState::Pending | StepState::Waiting | StepState::Watching { .. } => false,
    };
    has_begun && matches!(step.bound.spec.kind, StepKind::Act { .. })
}
