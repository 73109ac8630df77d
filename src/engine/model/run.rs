//! A run: one execution of a runbook for one incident or one machine of a rollout, step by step, with everything that came of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::anomaly::Band;
use super::call::Call;
use super::hypothesis::CauseKind;
use super::ids::{IncidentId, RunId, ServiceName};
use super::runbook::Runbook;
use super::series::Unit;
use super::step::{BoundStep, StepKind};
use super::subject::RunSubject;
use crate::engine::clock::Timestamp;

/// What a running call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To do what the step says.
    Run,
    /// To show its effect without having it; the step waits afterwards.
    DryRun,
    /// To see whether it took effect, because nobody saw how it ended.
    Probe,
    /// To take its effect back.
    Undo,
}

/// Where a step of a run stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Not reached.
    Pending,
    /// Offered; waits for a person, or for its time where it may begin by itself.
    Waiting,
    /// Its intent is on disk and it runs.
    Running {
        /// Since when.
        since: Timestamp,
        /// What for.
        purpose: Purpose,
    },
    /// A verify step watches, or a wait step waits for its metric.
    Watching {
        /// Since when it has been where it should be without a break; `None` while it is not.
        inside_since: Option<Timestamp>,
        /// Samples seen there since then.
        samples: u32,
        /// The last value and its band.
        last: Option<(f64, Band)>,
        /// What both are measured in.
        unit: Unit,
        /// Samples up to this instant have been looked at, so that none counts twice.
        seen_until: Timestamp,
        /// When watching ends in failure.
        until: Timestamp,
    },
    /// A wait step lets time pass.
    Elapsing {
        /// Until when.
        until: Timestamp,
    },
    /// Done.
    Succeeded {
        /// When.
        at: Timestamp,
    },
    /// Passed over by a person.
    Skipped {
        /// When.
        at: Timestamp,
        /// By whom.
        by: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
    /// Passed over by a branch or an answer: it is not for this case.
    PassedOver {
        /// When.
        at: Timestamp,
    },
    /// Done and wrong, or not done; the run stops.
    Failed {
        /// When.
        at: Timestamp,
        /// What failed.
        reason: Arc<str>,
    },
    /// Begun, and its end was never seen: never run again by itself; its probe says whether it happened, else a person.
    Unknown {
        /// When the intent was written.
        since: Timestamp,
    },
    /// Done and taken back.
    Undone {
        /// When.
        at: Timestamp,
        /// By whom.
        by: Arc<str>,
    },
}

impl StepState {
    /// True where the run goes on behind it.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        matches!(self, Self::Succeeded { .. } | Self::Skipped { .. } | Self::PassedOver { .. } | Self::Undone { .. })
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Steps are being walked.
    Active,
    /// Something unexpected was seen; nothing begins before a person says to go on.
    Paused,
    /// Every step passed or was skipped.
    Succeeded,
    /// A step failed.
    Failed,
    /// A person stopped it.
    Stopped,
    /// The end of a step was not seen.
    Interrupted,
}

impl RunState {
    /// True while it is not over.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Active | Self::Paused | Self::Interrupted)
    }
}

/// A person's word for what is offered, where more than one person must give it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub by: Arc<str>,
    /// When; it counts for ten minutes.
    pub at: Timestamp,
    /// For which offer.
    pub offer: Arc<str>,
}

/// A call of a step that was begun: what the budget counts, and what is never begun again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beginning {
    /// The identity of the attempt.
    pub id: Arc<str>,
    /// When its intent was written.
    pub at: Timestamp,
    /// Who approved it: a person, or `engine`.
    pub by: Arc<str>,
    /// What for.
    pub purpose: Purpose,
    /// True where it never started and so changed nothing. Where a probe or a person said that it did not happen, it still
    /// may have.
    #[serde(default)]
    pub is_void: bool,
}

/// A step within a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStep {
    /// What is run.
    pub bound: BoundStep,
    /// Where it stands.
    pub state: StepState,
    /// Which attempt it is, from 1, counted over every run for the same.
    pub attempt: u32,
    /// The identity of this attempt: SHA-256 over what the run is for, runbook text, step, bound values and attempt, in hex. One
    /// identity is begun at most once, ever.
    pub id: Arc<str>,
    /// What is approved: SHA-256 over the identity, the instant of the offer and what was known then, in hex. Empty while it is not offered.
    pub offer: Arc<str>,
    /// What was known when it was offered, in words; where that changes, it is offered anew.
    #[serde(default)]
    pub evidence: Arc<str>,
    /// When it was offered as it is now; an offer is good for ten minutes.
    pub offered_at: Timestamp,
    /// Every call of it that was begun, in order.
    pub begun: Vec<Beginning>,
    /// The act may have taken effect in an earlier attempt of this run and was not taken back since; then it can still be.
    #[serde(default)]
    pub is_in_force: bool,
    /// Why the gate asks, allows or refuses.
    pub gate_text: Arc<str>,
    /// True where the gate says no, whoever asks.
    pub is_denied: bool,
    /// True where the target's name must be typed.
    pub needs_target: bool,
    /// When it begins by itself unless somebody stops it.
    pub begins_at: Option<Timestamp>,
    /// Words given so far, where more than one is needed.
    pub approvals: Vec<Approval>,
    /// The run for the same that has begun the same call before: approving takes the typed target then.
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
    /// Whether a check saw what it expects; `None` before it has looked.
    pub is_as_expected: Option<bool>,
    /// What a person answered.
    pub answer: Option<Arc<str>>,
    /// What departed when an act began, with its deviation: `payment error_ratio` and standard deviations.
    pub harm_before: Option<BTreeMap<Arc<str>, f64>>,
}

/// One execution of a runbook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// What for.
    #[serde(alias = "incident")]
    pub subject: RunSubject,
    /// The runbook as it was when the run began; later edits of the file never reach it.
    pub runbook: Arc<Runbook>,
    /// Bound parameters.
    pub params: BTreeMap<Arc<str>, Arc<str>>,
    /// The kind of cause and the service it was begun against.
    pub cause: Option<(CauseKind, ServiceName)>,
    /// Where it stands.
    pub state: RunState,
    /// Why it is paused, or what was handed over and why; empty otherwise.
    pub word: Arc<str>,
    /// True where it was handed over to whoever is next in line.
    pub is_escalated: bool,
    /// Whether what was verified held for the time after the run; `None` while that is not known.
    pub has_held: Option<bool>,
    /// In order.
    pub steps: Vec<RunStep>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Who began it.
    pub started_by: Arc<str>,
    /// True where its runbook was the first of those offered then: what the engine would have chosen.
    #[serde(default)]
    pub was_first: bool,
}

/// An attempt of which something may still run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOver {
    /// Its identity.
    pub attempt: Arc<str>,
    /// The machine on which its command ran, where that was over ssh.
    pub host: Option<Arc<str>>,
}

impl RunStep {
    /// A step that is not reached yet.
    #[must_use]
    pub fn pending(bound: BoundStep, now: Timestamp) -> Self {
        Self {
            bound,
            state: StepState::Pending,
            attempt: 0,
            id: Arc::from(""),
            offer: Arc::from(""),
            evidence: Arc::from(""),
            offered_at: now,
            begun: Vec::new(),
            is_in_force: false,
            gate_text: Arc::from(""),
            is_denied: false,
            needs_target: false,
            begins_at: None,
            approvals: Vec::new(),
            done_before: None,
            shown_at: now,
            output: Vec::new(),
            output_dropped_count: 0,
            exit_code: None,
            approved_by: None,
            is_as_expected: None,
            answer: None,
            harm_before: None,
        }
    }

    /// Times its act was begun or taken back, whatever came of it; dry runs and probes are no acts.
    pub fn acts_begun(&self) -> impl Iterator<Item = &Beginning> {
        let is_act = matches!(self.bound.spec.kind, StepKind::Act(_));
        self.begun.iter().filter(move |begun| is_act && matches!(begun.purpose, Purpose::Run | Purpose::Undo))
    }

    /// When the time of the last of them is over. Before that, what nobody listens to any more goes on: a process of this machine
    /// outlives the program, one elsewhere the connection.
    #[must_use]
    pub fn act_is_over_at(&self) -> Option<Timestamp> {
        self.acts_begun().last().map(|begun| begun.at + self.bound.spec.timeout_ms)
    }

    /// The last of them, of which something may still run where its end was not seen.
    #[must_use]
    pub fn left_over(&self) -> Option<LeftOver> {
        let begun = self.acts_begun().last()?;
        let act = self.bound.spec.act()?;
        let call = if begun.purpose == Purpose::Undo { act.undo.as_ref()? } else { &act.call };
        let host = if let Call::Ssh { host, .. } = call { Some(Arc::clone(host)) } else { None };
        Some(LeftOver { attempt: Arc::clone(&begun.id), host })
    }

    /// Those of them that may have changed something.
    pub fn acts_done(&self) -> impl Iterator<Item = &Beginning> {
        self.acts_begun().filter(|begun| !begun.is_void)
    }

    /// True for an act that may have had its effect and was not taken back.
    #[must_use]
    pub fn stands(&self) -> bool {
        let may_have =
            matches!(self.state, StepState::Succeeded { .. } | StepState::Failed { .. } | StepState::Unknown { .. });
        self.is_in_force || may_have && self.acts_done().next().is_some()
    }
}

impl Run {
    /// The incident it is for; `None` for one of a rollout.
    #[must_use]
    pub fn incident(&self) -> Option<IncidentId> {
        self.subject.incident()
    }

    /// True where a step that changes something has succeeded and was not taken back.
    #[must_use]
    pub fn has_acted(&self) -> bool {
        self.steps.iter().any(|step| {
            matches!(step.bound.spec.kind, StepKind::Act(_)) && matches!(step.state, StepState::Succeeded { .. })
        })
    }

    /// Index of the first step that is neither done nor passed over; `None` when there is none.
    #[must_use]
    pub fn current_step(&self) -> Option<usize> {
        self.steps.iter().position(|step| !step.state.is_passed())
    }

    /// Acts that were begun and whose end nobody saw: they may still be under way.
    pub fn left_over(&self) -> impl Iterator<Item = LeftOver> {
        let unseen = self.steps.iter().filter(|step| matches!(step.state, StepState::Unknown { .. }));
        unseen.filter_map(RunStep::left_over)
    }

    /// The step with this name, and its index.
    #[must_use]
    pub fn step_named(&self, name: &str) -> Option<(usize, &RunStep)> {
        self.steps.iter().enumerate().find(|(_, step)| step.bound.spec.name.as_ref() == name)
    }
}
