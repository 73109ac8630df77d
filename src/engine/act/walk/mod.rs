//! The walk of a run, one step at a time: a pure state machine. It takes a run and what happened, and returns the run as
//! it is then, with what is to be executed, recorded and told.
//!
//! ```text
//! pending ─▶ waiting ─approve▶ running ─▶ succeeded ─▶ the next step is offered
//!               │  ▲              ├─▶ failed: the run stops
//!          skip │  └── dry run ───┘  unknown: its end was never seen, a person decides
//! pending ─▶ watching (verify steps begin by themselves) ─▶ succeeded or failed
//! ```

mod recover;
mod report;
mod verify;

pub use recover::{recover, settle_unknown};
pub use report::on_report;
pub use verify::on_tick;

use std::sync::Arc;

use super::policy::{self, ApprovedStep, Gate, GateRefusal};
use crate::engine::clock::Timestamp;
use crate::engine::model::{
    AuditKind, ChangeKind, ChangeNotice, ParamKind, Proposal, Run, RunId, RunState, RunStep, ServiceName, SourceName,
    StepKind, StepState, TimelineEntry, TimelineKind,
};

/// Who decides what no person decided.
pub const ENGINE: &str = "engine";
/// The source of the changes that are our own acts.
pub const OWN_SOURCE: &str = "hypo";

/// One entry for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditNote {
    /// What it records.
    pub kind: AuditKind,
    /// Who: a person, or [`ENGINE`].
    pub by: Arc<str>,
    /// In a line; for intents the exact command.
    pub text: Arc<str>,
}

/// The run after a transition, and what is to be done about it. The run and the audit notes must be on disk before
/// `execute` is begun.
#[derive(Debug, Clone, PartialEq)]
pub struct WalkOutcome {
    /// The run as it is now.
    pub run: Run,
    /// Run this.
    pub execute: Option<ApprovedStep>,
    /// Stop this step of the run.
    pub cancel: Option<usize>,
    /// Record these, in order.
    pub audit: Vec<AuditNote>,
    /// Add these to the incident's timeline.
    pub timeline: Vec<TimelineEntry>,
    /// Take this change in, as if a source had told it: an act of ours may be a cause too.
    pub change: Option<ChangeNotice>,
}

/// Begins a run of `proposal` for the gate's incident and offers its first step.
#[must_use]
pub fn start(id: RunId, proposal: &Proposal, by: &Arc<str>, gate: &Gate<'_>, now: Timestamp) -> WalkOutcome {
    let steps = proposal.steps.iter().map(|bound| RunStep {
        bound: bound.clone(),
        state: StepState::Pending,
        gate_text: Arc::from(""),
        done_before: None,
        shown_at: now,
        output: Vec::new(),
        output_dropped_count: 0,
        exit_code: None,
        approved_by: None,
    });
    let run = Run {
        id,
        incident: gate.incident.id,
        runbook: Arc::clone(&proposal.runbook),
        params: proposal.params.clone(),
        state: RunState::Active,
        steps: steps.collect(),
        started_at: now,
        ended_at: None,
        started_by: Arc::clone(by),
    };
    let mut outcome = WalkOutcome::unchanged(&run);
    let text = format!("{id} began: {} ({}, version {})", run.runbook.title, run.runbook.id, run.runbook.version);
    outcome.note(AuditKind::Operator, by, &format!("{text}, content {}", run.runbook.content_hash));
    outcome.tell(now, by, &text);
    outcome.offer(gate, now);
    outcome
}

/// A person approves the offered step.
///
/// # Errors
/// When the gate refuses; nothing has changed then.
pub fn approve(
    run: &Run,
    step: usize,
    digest: &str,
    typed_target: Option<&str>,
    by: &Arc<str>,
    gate: &Gate<'_>,
    now: Timestamp,
) -> Result<WalkOutcome, GateRefusal> {
    let approved = policy::approve(run, step, digest, typed_target, gate)?;
    let mut outcome = WalkOutcome::unchanged(run);
    outcome.run.steps[step].approved_by = Some(Arc::clone(by));
    outcome.note(AuditKind::Approval, by, &format!("approved {}, digest {digest}", name_of(run, step)));
    match approved {
        Some(approved) => outcome.begin(approved, by, now),
        None => {
            outcome.run.steps[step].state = StepState::Succeeded { at: now };
            outcome.offer(gate, now);
        }
    }
    Ok(outcome)
}

/// A person asks what the offered step would do.
///
/// # Errors
/// When the gate refuses or the step has no dry run; nothing has changed then.
pub fn dry_run(
    run: &Run,
    step: usize,
    digest: &str,
    by: &Arc<str>,
    gate: &Gate<'_>,
    now: Timestamp,
) -> Result<WalkOutcome, GateRefusal> {
    let approved = policy::approve_dry_run(run, step, digest, gate)?;
    let mut outcome = WalkOutcome::unchanged(run);
    outcome.begin(approved, by, now);
    Ok(outcome)
}

/// A person passes the offered step over, or ends the watching of a verify step.
///
/// # Errors
/// When the run is over or the step is not the one offered.
pub fn skip(
    run: &Run,
    step: usize,
    reason: &str,
    by: &Arc<str>,
    gate: &Gate<'_>,
    now: Timestamp,
) -> Result<WalkOutcome, GateRefusal> {
    if run.state != RunState::Active {
        return Err(GateRefusal::RunOver(run.id));
    }
    let is_offered = run.current_step() == Some(step)
        && matches!(run.steps[step].state, StepState::Waiting | StepState::Watching { .. });
    if !is_offered {
        return Err(GateRefusal::NotOffered { run: run.id, step });
    }
    let mut outcome = WalkOutcome::unchanged(run);
    let reason = if reason.trim().is_empty() { "no reason given" } else { reason.trim() };
    let text = format!("skipped {}: {reason}", name_of(run, step));
    outcome.run.steps[step].state = StepState::Skipped { at: now, by: Arc::clone(by) };
    outcome.note(AuditKind::Approval, by, &text);
    outcome.tell(now, by, &text);
    outcome.offer(gate, now);
    Ok(outcome)
}

/// A person ends the run; a command that runs is stopped, and its end is still waited for and recorded.
///
/// # Errors
/// When the run is over already.
pub fn stop(run: &Run, by: &Arc<str>, now: Timestamp) -> Result<WalkOutcome, GateRefusal> {
    if !matches!(run.state, RunState::Active | RunState::Interrupted) {
        return Err(GateRefusal::RunOver(run.id));
    }
    let mut outcome = WalkOutcome::unchanged(run);
    if let Some(step) = run.current_step() {
        let state = &mut outcome.run.steps[step].state;
        match state {
            StepState::Running { .. } => outcome.cancel = Some(step),
            StepState::Waiting => *state = StepState::Pending,
            StepState::Watching { .. } => {
                *state = StepState::Failed { at: now, reason: format!("stopped by {by} before it was certain").into() };
            }
            _ => {}
        }
    }
    let text = format!("{} stopped: {}", run.id, run.runbook.title);
    outcome.note(AuditKind::Approval, by, &text);
    outcome.tell(now, by, &text);
    outcome.end(RunState::Stopped, now);
    Ok(outcome)
}

impl WalkOutcome {
    fn unchanged(run: &Run) -> Self {
        Self { run: run.clone(), execute: None, cancel: None, audit: Vec::new(), timeline: Vec::new(), change: None }
    }

    fn note(&mut self, kind: AuditKind, by: &Arc<str>, text: &str) {
        self.audit.push(AuditNote { kind, by: Arc::clone(by), text: Arc::from(text) });
    }

    fn tell(&mut self, at: Timestamp, by: &Arc<str>, text: &str) {
        self.timeline.push(TimelineEntry {
            at,
            kind: TimelineKind::Step,
            text: Arc::from(text),
            service: service_of(&self.run),
            anomaly: None,
            by: Some(Arc::clone(by)),
        });
    }

    /// Marks the step as running and records the intent: the exact command, before it starts.
    fn begin(&mut self, approved: ApprovedStep, by: &Arc<str>, now: Timestamp) {
        let index = approved.step();
        let is_dry_run = approved.is_dry_run();
        let name = name_of(&self.run, index);
        let step = &mut self.run.steps[index];
        step.state = StepState::Running { since: now, is_dry_run };
        step.shown_at = now;
        step.output.clear();
        step.output_dropped_count = 0;
        step.exit_code = None;
        let is_act = matches!(step.bound.spec.kind, StepKind::Act { .. }) && !is_dry_run;
        let prefix = if is_dry_run { "dry run of " } else { "" };
        // The command comes first: in a narrow log it is the part that must not be cut off.
        self.note(AuditKind::Intent, by, &format!("$ {} ({prefix}{name})", command_line(approved.argv())));
        if is_act {
            self.tell(now, by, &format!("began {name}"));
        }
        self.execute = Some(approved);
    }

    /// Offers the next step, or ends the run where there is none.
    fn offer(&mut self, gate: &Gate<'_>, now: Timestamp) {
        let Some(index) = self.run.current_step() else {
            let text = format!("{} done: {}", self.run.id, self.run.runbook.title);
            self.note(AuditKind::Outcome, &Arc::from(ENGINE), &text);
            self.tell(now, &Arc::from(ENGINE), &text);
            self.end(RunState::Succeeded, now);
            return;
        };
        let gate_text = Arc::clone(policy::decide(&self.run, index, gate).text());
        let done_before = policy::done_before(&self.run, index, gate);
        let step = &mut self.run.steps[index];
        step.gate_text = gate_text;
        step.done_before = done_before;
        step.shown_at = now;
        step.state = match step.bound.spec.kind {
            StepKind::Verify { .. } => verify::begin(now, step.bound.spec.timeout_ms),
            _ => StepState::Waiting,
        };
    }

    /// The step failed: the run stops with it.
    fn fail(&mut self, index: usize, reason: &str, now: Timestamp) {
        let text = format!("{} failed: {reason}", name_of(&self.run, index));
        self.run.steps[index].state = StepState::Failed { at: now, reason: Arc::from(reason) };
        self.note(AuditKind::Outcome, &Arc::from(ENGINE), &text);
        self.tell(now, &Arc::from(ENGINE), &text);
        self.end(RunState::Failed, now);
    }

    /// The first end of a run is its end: what a person stopped does not fail afterwards.
    fn end(&mut self, state: RunState, now: Timestamp) {
        if matches!(self.run.state, RunState::Active | RunState::Interrupted) {
            self.run.state = state;
            self.run.ended_at = Some(now);
        }
    }

    /// An act of ours is a change like any other.
    fn tell_change(&mut self, index: usize, since: Timestamp, now: Timestamp, has_taken_effect: bool) {
        let step = &self.run.steps[index];
        self.change = Some(ChangeNotice {
            source: SourceName::new(OWN_SOURCE),
            external_id: format!("{}/{}/{}", self.run.id, step.bound.spec.name, since.0).into(),
            kind: ChangeKind::OwnAct,
            service: service_of(&self.run),
            title: format!("{}: {}", self.run.id, step.bound.spec.title).into(),
            version: None,
            author: step.approved_by.clone(),
            url: None,
            at: since,
            finished_at: Some(now),
            has_taken_effect,
            content: None,
        });
    }
}

/// `step 2 of RUN-3 (roll payment back)`.
fn name_of(run: &Run, step: usize) -> String {
    let title = run.steps.get(step).map_or("", |step| step.bound.spec.title.as_ref());
    format!("step {} of {} ({title})", step + 1, run.id)
}

/// The service a run acts on: its first parameter that is one.
fn service_of(run: &Run) -> Option<ServiceName> {
    let mut params = run.runbook.params.iter();
    let (name, _) = params.find(|(_, spec)| spec.kind == ParamKind::Service)?;
    run.params.get(name).map(|value| ServiceName::new(value))
}

/// The command as one line for people: an argument that is not plain is quoted, so that every element can be told apart.
#[must_use]
pub fn command_line(argv: &[Arc<str>]) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    let quoted = argv.iter().map(|part| {
        if !part.is_empty() && part.chars().all(is_plain) {
            part.to_string()
        } else {
            format!("'{}'", part.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
pub(super) mod tests;
