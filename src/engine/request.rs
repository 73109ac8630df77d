//! What an operator can ask of the engine, and what the engine answers. Plain data, so that it may cross a socket.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::model::{AnomalyId, IncidentId, IncidentSeverity, RolloutId, RunId, ServiceName};
use super::patches::exceptions::ExceptionWish;
use super::patches::rollout::RolloutRequest;
use super::redact::redact;

/// One wish.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Take responsibility: stops escalation, not detection. The asker becomes the owner where there is none.
    Acknowledge {
        /// Which incident.
        incident: IncidentId,
    },
    /// Make somebody the owner.
    Own {
        /// Which incident.
        incident: IncidentId,
        /// Whom; the asker where empty.
        owner: Arc<str>,
    },
    /// Set the severity by hand; the engine leaves it alone from then on.
    SetSeverity {
        /// Which incident.
        incident: IncidentId,
        /// To what.
        severity: IncidentSeverity,
    },
    /// Write a note into the timeline.
    Note {
        /// Which incident.
        incident: IncidentId,
        /// Its text.
        text: Arc<str>,
    },
    /// The harm has stopped.
    Mitigate {
        /// Which incident.
        incident: IncidentId,
    },
    /// It is over.
    Resolve {
        /// Which incident.
        incident: IncidentId,
    },
    /// It is not over.
    Reopen {
        /// Which incident.
        incident: IncidentId,
    },
    /// Say whether the cause that is named was the right one; confidences learn from it.
    JudgeCause {
        /// Which incident.
        incident: IncidentId,
        /// True where it was.
        is_right: bool,
    },
    /// Make an incident a part of another: they are one failure.
    Merge {
        /// Which incident.
        incident: IncidentId,
        /// What it becomes a part of.
        into: IncidentId,
    },
    /// Take what an incident has on these services out: that is a failure of its own.
    SplitOff {
        /// Which incident.
        incident: IncidentId,
        /// What leaves it.
        services: BTreeSet<ServiceName>,
    },
    /// Save the text of a post-mortem, in place of the draft.
    SavePostMortem {
        /// Of which incident.
        incident: IncidentId,
        /// The whole of it.
        text: Arc<str>,
    },
    /// Save the text of a runbook page as a draft; it is text, and nothing of it is offered or run.
    SaveRunbookDraft {
        /// Of which incident.
        incident: IncidentId,
        /// The whole of it.
        text: Arc<str>,
    },
    /// Send a status update to stakeholders: it goes into the timeline and to whoever outside is told.
    SendUpdate {
        /// On which incident.
        incident: IncidentId,
        /// The whole of it.
        text: Arc<str>,
    },
    /// Set an anomaly aside; it stays within reach with this reason.
    SetAside {
        /// Which anomaly.
        anomaly: AnomalyId,
    },
    /// Begin a run of a proposed runbook.
    StartRun {
        /// For which incident.
        incident: IncidentId,
        /// Which runbook, by id.
        runbook: Arc<str>,
        /// The proposal that was shown, with its bound values: see `Proposal::shown`. Empty in recordings from before it was said.
        #[serde(default)]
        digest: Arc<str>,
    },
    /// Run the step that is offered; void unless the digest is that of what the engine offers now.
    Approve {
        /// Which run.
        run: RunId,
        /// Which step.
        step: usize,
        /// The token of the offer that was shown.
        digest: Arc<str>,
        /// The target's name, typed; required for what is risky, cannot be undone, or was done before.
        typed_target: Option<Arc<str>>,
    },
    /// Show the effect of the step without having it.
    DryRun {
        /// Which run.
        run: RunId,
        /// Which step.
        step: usize,
        /// What was shown.
        digest: Arc<str>,
    },
    /// Pass the step over.
    Skip {
        /// Which run.
        run: RunId,
        /// Which step.
        step: usize,
        /// Why.
        reason: Arc<str>,
        /// The run that was shown: see `Run::shown`. Empty in recordings from before it was said.
        #[serde(default)]
        digest: Arc<str>,
    },
    /// Answer the question that is offered.
    Choose {
        /// Which run.
        run: RunId,
        /// Which step.
        step: usize,
        /// The token of the offer that was shown.
        digest: Arc<str>,
        /// Which answer, from 0.
        choice: usize,
    },
    /// Offer a step that has ended once more, as another attempt.
    Retry {
        /// Which run.
        run: RunId,
        /// Which step.
        step: usize,
        /// The run that was shown: see `Run::shown`. Empty in recordings from before it was said.
        #[serde(default)]
        digest: Arc<str>,
    },
    /// Go on with this step; those before it that are not done are passed over, those after it come again.
    RunFrom {
        /// Which run.
        run: RunId,
        /// Which step.
        step: usize,
        /// Why.
        reason: Arc<str>,
        /// The run that was shown: see `Run::shown`. Empty in recordings from before it was said.
        #[serde(default)]
        digest: Arc<str>,
    },
    /// Let a paused run go on.
    Resume {
        /// Which run.
        run: RunId,
        /// What was looked at.
        reason: Arc<str>,
        /// The run that was shown: see `Run::shown`. Empty in recordings from before it was said.
        #[serde(default)]
        digest: Arc<str>,
    },
    /// Take other values for parameters; what is offered asks again.
    EditRun {
        /// Which run.
        run: RunId,
        /// New values by name; those not named stay.
        params: BTreeMap<Arc<str>, Arc<str>>,
        /// The run that was shown: see `Run::shown`. Empty in recordings from before it was said.
        #[serde(default)]
        digest: Arc<str>,
    },
    /// Take a step back.
    Undo {
        /// Which run.
        run: RunId,
        /// Which step.
        step: usize,
        /// The identity of the attempt that was shown.
        digest: Arc<str>,
    },
    /// Look by its probe whether an interrupted step took effect.
    Probe {
        /// Which run.
        run: RunId,
        /// Which step.
        step: usize,
    },
    /// End the run; a running command is stopped.
    StopRun {
        /// Which run.
        run: RunId,
        /// Hand it over, for this reason.
        escalate: Option<Arc<str>>,
    },
    /// Ask whoever drives a run for its wheel; where nobody drives it, or the driver has gone, it is taken at once.
    AskWheel {
        /// Of which run.
        run: RunId,
    },
    /// Take the wheel: from a driver who has gone or did not answer, or as a commander at once.
    TakeWheel {
        /// Of which run.
        run: RunId,
    },
    /// The driver passes the wheel on.
    GiveWheel {
        /// Of which run.
        run: RunId,
        /// To whom; who asked for it where empty.
        to: Arc<str>,
    },
    /// The driver goes on driving; whoever asked for the wheel is told so.
    KeepWheel {
        /// Of which run.
        run: RunId,
    },
    /// A shift ends: the asker's incidents, those without an owner, and the asker's wheels pass to somebody else.
    HandOver {
        /// To whom.
        to: Arc<str>,
        /// What the record does not say; may be empty.
        note: Arc<str>,
    },
    /// Plan the rollout of a patch; the plan is shown, and begins nothing.
    PlanRollout {
        /// The source package.
        source: Arc<str>,
    },
    /// Something of a rollout; who asks is put in by the engine.
    Rollout {
        /// Which.
        rollout: RolloutId,
        /// What.
        request: RolloutRequest,
    },
    /// Let nothing begin any more, anywhere, and stop what runs.
    Kill {
        /// Why.
        reason: Arc<str>,
    },
    /// Let acts begin again.
    Release {
        /// Why it is safe; never empty.
        reason: Arc<str>,
    },
    /// Put a patch off until a date, or accept the risk until one.
    ExceptPatch(Box<ExceptionWish>),
    /// End an exception before its time.
    WithdrawException {
        /// Its number.
        exception: u64,
        /// Why.
        reason: Arc<str>,
    },
    /// Failures so far were looked at by a person and no longer count against autonomy.
    ResetBreaker,
    /// Say whether an interrupted step took effect.
    SettleUnknown {
        /// Which run.
        run: RunId,
        /// Which step.
        step: usize,
        /// True where it did.
        has_happened: bool,
    },
}

impl Request {
    /// True where it leaves out what was shown, though it rests on that: only recordings from before it was said may.
    #[must_use]
    pub fn is_blind(&self) -> bool {
        match self {
            Self::StartRun { digest, .. }
            | Self::Skip { digest, .. }
            | Self::Retry { digest, .. }
            | Self::RunFrom { digest, .. }
            | Self::Resume { digest, .. }
            | Self::EditRun { digest, .. } => digest.is_empty(),
            _ => false,
        }
    }

    /// The same without the secrets that a person may have pasted into its text.
    #[must_use]
    pub fn redacted(mut self) -> Self {
        if let Self::Note { text, .. }
        | Self::Skip { reason: text, .. }
        | Self::RunFrom { reason: text, .. }
        | Self::Resume { reason: text, .. }
        | Self::StopRun { escalate: Some(text), .. }
        | Self::Kill { reason: text }
        | Self::Release { reason: text }
        | Self::WithdrawException { reason: text, .. }
        | Self::SavePostMortem { text, .. }
        | Self::SaveRunbookDraft { text, .. }
        | Self::HandOver { note: text, .. }
        | Self::SendUpdate { text, .. } = &mut self
        {
            *text = redact(text).into();
        }
        if let Self::Rollout { request, .. } = &mut self {
            request.map_reason(|reason| redact(reason).into_owned());
        }
        if let Self::ExceptPatch(wish) = &mut self {
            wish.reason = redact(&wish.reason).into();
        }
        self
    }
}

/// How the reason begins where what stops is in force, and cannot be kept.
pub const STOPPED_UNKEPT: &str = "all is stopped, and that is not kept";

/// The engine's answer; sent only once what it speaks of is on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Done; the text says what, in a line.
    Done {
        /// For the notice line.
        text: Arc<str>,
    },
    /// Not done; nothing changed.
    Refused {
        /// What, why, and what to do.
        reason: Arc<str>,
    },
    /// Whether it was done is not known: the answer did not come.
    Lost {
        /// Why not.
        reason: Arc<str>,
    },
}
