//! What was done meanwhile, by whom and when: told to whoever asks for the same a moment too late, or from a stale screen.

use std::fmt::Write as _;

use super::Engine;
use crate::engine::act::policy::GateRefusal;
use crate::engine::act::walk::ENGINE;
use crate::engine::model::{AuditKind, IncidentId, Purpose, Run, RunStep, StepState, TimelineKind};
use crate::engine::request::Request;

/// True where the request came too late for what it rests on, and not for any other reason. A run that paused since at another step
/// keeps nobody from hearing what became of this one.
pub(super) fn is_late(refusal: &GateRefusal, run: &Run, request: &Request) -> bool {
    let is_passed = || step_of(request).and_then(|index| run.steps.get(index)).is_some_and(|it| it.state.is_passed());
    matches!(
        refusal,
        GateRefusal::RunOver(_)
            | GateRefusal::NotOffered { .. }
            | GateRefusal::Changed { .. }
            | GateRefusal::BegunBefore { .. }
            | GateRefusal::NotUnknown { .. }
            | GateRefusal::NoUndo { .. }
            | GateRefusal::NoWay { .. }
    ) || matches!(refusal, GateRefusal::Paused { .. }) && is_passed()
}

/// The run that was shown, where the request says which.
pub(super) fn shown(request: &Request) -> Option<&str> {
    let (Request::Skip { digest, .. }
    | Request::Retry { digest, .. }
    | Request::RunFrom { digest, .. }
    | Request::Resume { digest, .. }
    | Request::EditRun { digest, .. }) = request
    else {
        return None;
    };
    // Recordings from before it was said have none.
    (!digest.is_empty()).then_some(digest)
}

/// The step that the request is about.
pub(super) fn step_of(request: &Request) -> Option<usize> {
    match request {
        Request::Approve { step, .. }
        | Request::DryRun { step, .. }
        | Request::Skip { step, .. }
        | Request::Choose { step, .. }
        | Request::Retry { step, .. }
        | Request::RunFrom { step, .. }
        | Request::Undo { step, .. }
        | Request::Probe { step, .. }
        | Request::SettleUnknown { step, .. } => Some(*step),
        _ => None,
    }
}

impl Engine {
    /// Why it is not done, followed by who did what with the run before, where that is known.
    pub(super) fn too_late(&self, run: &Run, step: Option<usize>, you: &str, why: &str) -> String {
        let of_step = step.and_then(|index| run.steps.get(index)).and_then(|step| step_told(step, you));
        match of_step.or_else(|| self.last_word(run, you)) {
            Some(told) => format!("{why} ({told}; nothing was done now)"),
            None => why.to_owned(),
        }
    }

    /// The last thing that a person did with the run.
    fn last_word(&self, run: &Run, you: &str) -> Option<String> {
        let by_person = |kind| matches!(kind, AuditKind::Approval | AuditKind::Operator);
        let mut entries = self.audit.newest();
        let last = entries.find(|entry| entry.run == Some(run.id) && by_person(entry.kind) && *entry.by != *ENGINE)?;
        // The digest of an approval is for the log.
        let text = last.text.split(", digest ").next().unwrap_or_default();
        Some(format!("{} at {}: {text}", who(&last.by, you), last.at.hh_mm_ss()))
    }

    /// Who brought the incident to where it is.
    pub(super) fn state_told(&self, id: IncidentId, you: &str) -> Option<String> {
        let timeline = &self.world.incidents.get(&id)?.timeline;
        let last = timeline.iter().rev().find(|entry| entry.kind == TimelineKind::State)?;
        let by = last.by.as_deref().map_or("the engine", |by| who(by, you));
        Some(format!("{by} at {}: {}", last.at.hh_mm_ss(), last.text))
    }
}

fn who<'a>(name: &'a str, you: &str) -> &'a str {
    match name {
        ENGINE => "the engine",
        name if name == you => "you",
        name => name,
    }
}

/// What was done with a step that no longer stands where it was shown.
fn step_told(step: &RunStep, you: &str) -> Option<String> {
    let begun = step.begun.last();
    let approved = || step.approved_by.as_deref().map(|by| who(by, you));
    Some(match &step.state {
        StepState::Running { since, purpose } => {
            let by = begun.map_or("somebody", |begun| who(&begun.by, you));
            let verb = match purpose {
                Purpose::Run => "approved this",
                Purpose::DryRun => "tried this out",
                Purpose::Probe => "had this looked after",
                Purpose::Undo => "took this back",
            };
            match by {
                "the engine" => format!("it began by itself at {}; it runs since then", since.hh_mm_ss()),
                by => format!("{by} {verb} at {}; it runs since then", since.hh_mm_ss()),
            }
        }
        StepState::Skipped { at, by, reason } => {
            format!("{} passed this over at {}: {reason}", who(by, you), at.hh_mm_ss())
        }
        StepState::Undone { at, by } => format!("{} took this back; that was done at {}", who(by, you), at.hh_mm_ss()),
        StepState::Succeeded { at } | StepState::Failed { at, .. } => {
            let end = if matches!(step.state, StepState::Succeeded { .. }) { "was done" } else { "failed" };
            let mut told = match (&step.answer, begun) {
                (Some(answer), _) => format!("{} answered “{answer}”", approved()?),
                (None, Some(begun)) => format!("{} approved this at {}", who(&begun.by, you), begun.at.hh_mm_ss()),
                (None, None) => format!("{} approved this", approved()?),
            };
            // Writing into a string does not fail.
            let _infallible = write!(told, "; it {end} at {}", at.hh_mm_ss());
            told
        }
        StepState::Unknown { since } => {
            let by = begun.map_or("somebody", |begun| who(&begun.by, you));
            format!("{by} began this at {}, and its end was not seen", since.hh_mm_ss())
        }
        _ => return None,
    })
}
