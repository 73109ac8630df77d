//! The walk of a run, one step at a time: a pure state machine. It takes a run and what happened, and returns the run as
//! it is then, with what is to be executed, recorded and told.
//!
//! ```text
//! pending ─▶ waiting ─approve▶ running ─▶ succeeded ─▶ the next step is offered        undone ◀─undo─ succeeded
//!    │          │  ▲              ├─▶ failed: the run stops, or pauses where only a check saw something else
//!    │     skip │  └── dry run ───┤   retry offers it again, as another attempt
//!    │          ▼                 └─▶ unknown: its end was never seen; its probe or a person says whether it happened
//!    │       skipped
//!    ├─▶ watching, elapsing (verify and wait begin by themselves) ─▶ succeeded or failed
//!    └─▶ passed over (a branch or an answer led past it)
//! ```

mod aftercare;
mod answer;
mod intent;
mod jump;
mod recover;
mod report;
mod steer;
mod watch;
mod worsening;

pub use aftercare::after;
pub use answer::{approve, choose, dry_run, skip};
pub use intent::heed;
pub use recover::{probe, recover, settle_unknown};
pub use report::{is_awaited, on_report, told};
pub use steer::{edit, resume, retry, run_from, stop, undo};
pub use watch::on_tick;

use std::sync::Arc;

use super::policy::{self, ApprovedStep, Decision, Gate};
use crate::engine::clock::Timestamp;
use crate::engine::model::{
    AuditKind, Beginning, ChangeKind, ChangeNotice, ParamKind, Proposal, Purpose, Run, RunId, RunState, RunStep,
    ServiceName, SourceName, StepKind, StepState, TimelineEntry, TimelineKind,
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

/// What people elsewhere are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunNotice {
    /// Where: a destination of the settings, or empty for all of them.
    pub channel: Arc<str>,
    /// What.
    pub text: Arc<str>,
    /// True where somebody must look now: it was handed over, failed, or got worse.
    pub is_urgent: bool,
}

/// What a run means for its incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// What was verified held: the incident is over.
    Held,
    /// It did not: the incident is open again.
    CameBack,
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
    /// Tell these to people elsewhere.
    pub notices: Vec<RunNotice>,
    /// What it means for the incident, where that is known now.
    pub verdict: Option<Verdict>,
}

/// Begins a run of `proposal` for the gate's subject and offers its first step.
#[must_use]
pub fn start(id: RunId, proposal: &Proposal, by: &Arc<str>, gate: &Gate<'_>) -> WalkOutcome {
    let now = gate.now;
    let steps = proposal.steps.iter().map(|bound| RunStep::pending(bound.clone(), now));
    let run = Run {
        id,
        subject: gate.subject.id(),
        runbook: Arc::clone(&proposal.runbook),
        params: proposal.params.clone(),
        cause: proposal.cause.clone(),
        state: RunState::Active,
        word: Arc::from(""),
        is_escalated: false,
        has_held: None,
        steps: steps.collect(),
        started_at: now,
        ended_at: None,
        started_by: Arc::clone(by),
        was_first: false,
    };
    let mut outcome = WalkOutcome::unchanged(&run);
    let text = format!("{id} began: {} ({}, version {})", run.runbook.title, run.runbook.id, run.runbook.version);
    outcome.note(AuditKind::Operator, by, &format!("{text}, content {}", run.runbook.content_hash));
    outcome.tell(now, by, &text);
    outcome.offer(gate);
    outcome
}

impl WalkOutcome {
    fn unchanged(run: &Run) -> Self {
        Self {
            run: run.clone(),
            execute: None,
            cancel: None,
            audit: Vec::new(),
            timeline: Vec::new(),
            change: None,
            notices: Vec::new(),
            verdict: None,
        }
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

    fn notice(&mut self, text: &str, is_urgent: bool) {
        self.notices.push(RunNotice { channel: Arc::from(""), text: Arc::from(text), is_urgent });
    }

    /// Marks the step as running and records the intent: the exact call, before it starts.
    fn begin(&mut self, approved: ApprovedStep, by: &Arc<str>, gate: &Gate<'_>) {
        let (index, purpose) = (approved.step(), approved.purpose());
        let name = name_of(&self.run, index);
        let step = &mut self.run.steps[index];
        step.state = StepState::Running { since: gate.now, purpose };
        step.begun.push(Beginning {
            id: Arc::clone(approved.step_id()),
            at: gate.now,
            by: Arc::clone(by),
            purpose,
            is_void: false,
        });
        step.offer = Arc::from("");
        step.begins_at = None;
        step.shown_at = gate.now;
        step.output.clear();
        step.output_dropped_count = 0;
        step.exit_code = None;
        let is_act = matches!(step.bound.spec.kind, StepKind::Act(_));
        if is_act && purpose == Purpose::Run {
            let harm = gate.outlook.harm().into_iter();
            step.harm_before = Some(harm.map(|(name, harm)| (name, harm.sigma)).collect());
        }
        let line = command_line(&approved.call().words());
        self.note(AuditKind::Intent, by, &intent::line(&line, purpose, &name, approved.step_id()));
        if purpose == Purpose::Run {
            self.note_prechecks(index, gate);
        }
        match purpose {
            Purpose::Run if is_act => self.tell(gate.now, by, &format!("began {name}")),
            Purpose::Undo if is_act => self.tell(gate.now, by, &format!("takes back {name}")),
            _ => {}
        }
        self.execute = Some(approved);
    }

    /// What held when the act began, with its values.
    fn note_prechecks(&mut self, index: usize, gate: &Gate<'_>) {
        let goals = self.run.steps[index].bound.spec.act().map(|act| act.prechecks.clone()).unwrap_or_default();
        for goal in goals {
            let readings = report::told_readings(&goal, &policy::fresh_readings(&goal, gate));
            let text = format!(
                "{} holds for {}: {}",
                policy::wanted(&goal),
                name_of(&self.run, index),
                report::few(&readings)
            );
            self.note(AuditKind::Decision, &Arc::from(ENGINE), &text);
        }
    }

    /// Offers the next step that needs an answer or time; those that need neither are done on the way. Ends the run where
    /// there is none left.
    fn offer(&mut self, gate: &Gate<'_>) {
        while self.run.state == RunState::Active {
            let Some(index) = self.run.current_step() else {
                self.finish(gate.now);
                return;
            };
            let goes_on = match self.run.steps[index].bound.spec.kind.clone() {
                StepKind::Branch { cases, otherwise } => {
                    let goto = jump::decide(&self.run, &cases, &otherwise);
                    self.jump(index, &goto, &Arc::from(ENGINE), gate.now);
                    true
                }
                StepKind::Check(check) if self.run.steps[index].bound.spec.begins_by_itself() => {
                    report::look_at_metric(self, index, &check, gate)
                }
                StepKind::Verify { .. } | StepKind::Wait { .. } => {
                    self.run.steps[index].state = watch::begin(&self.run.steps[index].bound.spec, gate.now);
                    self.run.steps[index].gate_text = Arc::clone(policy::decide(&self.run, index, gate).text());
                    self.run.steps[index].shown_at = gate.now;
                    false
                }
                _ => {
                    self.show(index, gate);
                    false
                }
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Offers one step as it is now: another attempt where the last was begun, a new token in any case.
    fn show(&mut self, index: usize, gate: &Gate<'_>) {
        let attempt = policy::attempts(&self.run, index, gate.runs) + 1;
        let id = policy::step_id(&self.run, index, attempt);
        let decision = policy::decide(&self.run, index, gate);
        let done_before = policy::done_before(&self.run, index, gate);
        let needs_target = policy::needs_target(&self.run, index, gate);
        let is_act = matches!(self.run.steps[index].bound.spec.kind, StepKind::Act(_));
        // A rollout's plan was on the screen for as long as its approval took.
        let wait_ms = if is_act && gate.incident().is_some() { gate.policy.veto.0 } else { 0 };
        let came_back = policy::came_back(&self.run, index, gate).filter(|_| self.run.steps[index].offer.is_empty());
        let evidence = policy::evidence(&self.run, gate);
        let step = &mut self.run.steps[index];
        step.state = StepState::Waiting;
        step.attempt = attempt;
        step.offer = policy::offer(&id, gate.now, &evidence);
        step.evidence = evidence;
        step.id = id;
        step.offered_at = gate.now;
        step.shown_at = gate.now;
        step.gate_text = Arc::clone(decision.text());
        step.is_denied = matches!(decision, Decision::Deny(_));
        step.begins_at = matches!(decision, Decision::Allow { .. }).then(|| gate.now + wait_ms);
        step.done_before = done_before;
        step.needs_target = needs_target;
        step.approvals.clear();
        // Told and halted once for each time it is come to: whoever lets the run go on has seen it.
        if let Some(count) = came_back {
            let name = name_of(&self.run, index);
            self.run.is_escalated = true;
            self.pause(
                &format!("{name} helped {count} times in 7 days and the failure came back: mend the cause"),
                gate.now,
            );
        }
    }

    fn finish(&mut self, now: Timestamp) {
        let text = format!("{} done: {}", self.run.id, self.run.runbook.title);
        self.note(AuditKind::Outcome, &Arc::from(ENGINE), &text);
        self.tell(now, &Arc::from(ENGINE), &text);
        self.end(RunState::Succeeded, now);
    }

    /// The step failed: the run stops with it, and people are told. Where an act was begun before it, or by it, something was
    /// changed and it is not well: that is handed over, and not left to whoever happens to look.
    fn fail(&mut self, index: usize, reason: &str, now: Timestamp) {
        let has_acted = self.run.steps.iter().any(|step| step.acts_done().next().is_some());
        let text = format!("{} failed: {reason}", name_of(&self.run, index));
        self.run.steps[index].state = StepState::Failed { at: now, reason: Arc::from(reason) };
        self.note(AuditKind::Outcome, &Arc::from(ENGINE), &text);
        self.tell(now, &Arc::from(ENGINE), &text);
        self.notice(&text, true);
        if self.run.state.is_open() && has_acted {
            self.run.is_escalated = true;
            self.run.word = Arc::from(text);
        }
        self.end(RunState::Failed, now);
    }

    /// Something is not as expected: nothing more begins before a person says to go on.
    fn pause(&mut self, why: &str, now: Timestamp) {
        if self.run.state != RunState::Active {
            return;
        }
        let text = format!("{} paused: {why}", self.run.id);
        self.run.state = RunState::Paused;
        self.run.word = Arc::from(why);
        if let Some(step) = self.run.current_step() {
            let step = &mut self.run.steps[step];
            step.begins_at = None;
            step.shown_at = now;
        }
        self.note(AuditKind::Decision, &Arc::from(ENGINE), &text);
        self.tell(now, &Arc::from(ENGINE), &text);
        self.notice(&text, true);
    }

    /// The first end of a run is its end: what a person stopped does not fail afterwards.
    fn end(&mut self, state: RunState, now: Timestamp) {
        if self.run.state.is_open() {
            self.run.state = state;
            self.run.ended_at = Some(now);
        }
    }

    /// The run goes on after it had ended or halted.
    fn reopen(&mut self) {
        self.run.state = RunState::Active;
        self.run.ended_at = None;
        self.run.word = Arc::from("");
        self.run.is_escalated = false;
        self.run.has_held = None;
    }

    /// An act whose beginning was told has changed nothing after all.
    fn tell_no_change(&mut self, index: usize, since: Timestamp, now: Timestamp) {
        self.tell_change(index, since, now, false, "did not happen: ");
    }

    /// An act of ours is a change like any other.
    fn tell_change(&mut self, index: usize, since: Timestamp, now: Timestamp, has_taken_effect: bool, verb: &str) {
        let step = &self.run.steps[index];
        self.change = Some(ChangeNotice {
            source: SourceName::new(OWN_SOURCE),
            external_id: format!("{}/{}/{}", self.run.id, step.bound.spec.name, since.0).into(),
            kind: ChangeKind::OwnAct,
            service: service_of(&self.run),
            title: format!("{}: {verb}{}", self.run.id, step.bound.spec.title).into(),
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
pub(in crate::engine) mod tests;
