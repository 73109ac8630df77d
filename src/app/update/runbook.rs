//! Walking a runbook: start, approve, skip, dry run, stop, settle. What is approved is exactly what is shown: every
//! request carries the digest of the step on the screen.

use std::sync::Arc;

use super::{ask, panes};
use crate::app::commands::Command;
use crate::app::effect::Effect;
use crate::app::hints::key_of;
use crate::app::picture;
use crate::app::state::{AppState, Asked};
use crate::engine::clock::Timestamp;
use crate::engine::model::{Run, RunState, RunStep, StepEffect, StepKind, StepState};
use crate::engine::request::Request;
use crate::engine::snapshot::AutonomyMode;
use crate::views::ui_state::{Confirmation, Pane, RowKey};

pub(super) fn give(state: &mut AppState, command: Command, now: Timestamp) -> Vec<Effect> {
    if state.snapshot.mode == AutonomyMode::Observe {
        state.refuse("the mode is OBSERVE: nothing is done from here; observe_only in the configuration decides");
        return Vec::new();
    }
    let run = state.run().cloned();
    let offered = run.as_deref().and_then(|run| {
        let index = run.current_step()?;
        Some((run, index, run.steps.get(index)?))
    });
    match (command, offered) {
        (Command::Approve, Some((run, index, step))) if is_open(run) => {
            if state.ui.pane == Pane::Runbook {
                approve(state, run, index, step, now)
            } else {
                // The exact command is read before it is run, and it is read there.
                panes::go(state, Pane::Runbook);
                state.say(format!("this is the next step; {} approves it", key_of(state, Command::Approve)));
                Vec::new()
            }
        }
        (Command::Approve, _) => start(state),
        (Command::Stop, _) => stop(state, run.as_deref(), now),
        (_, Some((run, index, step))) if is_open(run) => on_step(state, command, run, index, step, now),
        _ => {
            let key = key_of(state, Command::Approve);
            state.refuse(format!("no run is under way; {key} starts the runbook that fits best"));
            Vec::new()
        }
    }
}

fn is_open(run: &Run) -> bool {
    matches!(run.state, RunState::Active | RunState::Interrupted)
}

fn on_step(
    state: &mut AppState,
    command: Command,
    run: &Run,
    index: usize,
    step: &RunStep,
    now: Timestamp,
) -> Vec<Effect> {
    let digest = Arc::clone(&step.bound.digest);
    match (command, &step.state) {
        (Command::DryRun, StepState::Waiting) => {
            vec![Effect::Request(Request::DryRun { run: run.id, step: index, digest })]
        }
        (Command::Skip, StepState::Waiting | StepState::Watching { .. }) => {
            let request = Request::Skip { run: run.id, step: index, reason: "skipped at the console".into() };
            let question = format!(
                "Pass step {} over, {}? What it would have done is not done.",
                index + 1,
                step.bound.spec.title
            );
            ask(state, plain(RECORDED, question), Asked::Request(request), now);
            Vec::new()
        }
        (Command::Happened | Command::NotHappened, StepState::Unknown { .. }) => {
            let has_happened = command == Command::Happened;
            let outcome = if has_happened { "took effect" } else { "took no effect" };
            let question = format!("Record that step {}, {}, {outcome}?", index + 1, step.bound.spec.title);
            let request = Request::SettleUnknown { run: run.id, step: index, has_happened };
            ask(state, Confirmation { argv: argv(step), ..plain(RECORDED, question) }, Asked::Request(request), now);
            Vec::new()
        }
        (_, step) => refuse_step(state, step),
    }
}

/// Says why the step cannot be answered now, for as long as that is so.
fn refuse_step(state: &mut AppState, step: &StepState) -> Vec<Effect> {
    state.refuse(format!("the step {}", standing(state, step)));
    state.is_notice_of_step = true;
    Vec::new()
}

/// Why a step cannot be answered now.
fn standing(state: &AppState, step: &StepState) -> String {
    let key = |command| key_of(state, command);
    match step {
        StepState::Running { .. } => format!("is running; {} stops the run", key(Command::Stop)),
        StepState::Watching { .. } => format!(
            "is watching its metric; {} passes it over, {} stops the run",
            key(Command::Skip),
            key(Command::Stop)
        ),
        StepState::Unknown { .. } => format!(
            "was interrupted; say whether it happened ({}) or not ({})",
            key(Command::Happened),
            key(Command::NotHappened)
        ),
        StepState::Failed { .. } => "failed, and the run with it".to_owned(),
        StepState::Waiting => "waits for approval, so there is nothing to settle".to_owned(),
        StepState::Pending | StepState::Succeeded { .. } | StepState::Skipped { .. } => "is not offered now".to_owned(),
    }
}

fn approve(state: &mut AppState, run: &Run, index: usize, step: &RunStep, now: Timestamp) -> Vec<Effect> {
    if step.state != StepState::Waiting {
        return refuse_step(state, &step.state);
    }
    let spec = &step.bound.spec;
    let request = |typed_target| Request::Approve {
        run: run.id,
        step: index,
        digest: Arc::clone(&step.bound.digest),
        typed_target,
    };
    let reach = if spec.touches.is_empty() { String::new() } else { format!(" It touches {}.", spec.touches) };
    let (undo, typed_target) = match (spec.effect, step.done_before) {
        (StepEffect::None | StepEffect::Read, _) => return vec![Effect::Request(request(None))],
        (StepEffect::Reversible, None) => ("It can be undone.".to_owned(), None),
        (StepEffect::Reversible, Some(run)) => {
            (format!("{run} did EXACTLY THIS before; again may undo what it did."), Some(spec.touches.to_string()))
        }
        (StepEffect::Irreversible, _) => ("It CANNOT be undone.".to_owned(), Some(spec.touches.to_string())),
    };
    let question = format!("{}?{reach} {undo}", spec.title);
    let confirmation = Confirmation { argv: argv(step), typed_target, ..plain("This changes the world", question) };
    ask(state, confirmation, Asked::Request(request(None)), now);
    Vec::new()
}

/// Above questions after which nothing is run.
const RECORDED: &str = "Nothing is run; the answer is recorded";

fn plain(heading: &'static str, question: String) -> Confirmation {
    Confirmation { heading, question, ..Confirmation::default() }
}

/// The command of a step, where it has one.
pub(super) fn argv(step: &RunStep) -> Vec<Arc<str>> {
    match &step.bound.spec.kind {
        StepKind::Check { run, .. } | StepKind::Act { run, .. } => run.clone(),
        StepKind::Note | StepKind::Verify { .. } => Vec::new(),
    }
}

/// Begins a run: of the selected proposal in Runbook, else of the one that fits best. Its first step then waits.
fn start(state: &mut AppState) -> Vec<Effect> {
    let Some(incident) = state.incident().map(|incident| incident.id) else {
        state.refuse(format!("no incident is selected; {} lists them", key_of(state, Command::Pane(Pane::Now))));
        return Vec::new();
    };
    let chosen = match state.selected() {
        Some((_, RowKey::Proposal(id))) => Some(id),
        _ => None,
    };
    let proposals = picture::proposals(&state.snapshot, incident);
    let chosen = proposals.iter().find(|(proposal, _)| Some(&proposal.runbook.id) == chosen.as_ref());
    let Some(runbook) = chosen.or_else(|| proposals.first()).map(|(proposal, _)| Arc::clone(&proposal.runbook.id))
    else {
        let key = key_of(state, Command::Evidence);
        state.refuse(format!("no runbook fits {incident}; {key} shows what is known of its cause"));
        return Vec::new();
    };
    panes::go(state, Pane::Runbook);
    // The new run is what is shown from here on, not one chosen before.
    state.ui.run = None;
    state.ui.output_scroll = 0;
    vec![Effect::Request(Request::StartRun { incident, runbook })]
}

fn stop(state: &mut AppState, run: Option<&Run>, now: Timestamp) -> Vec<Effect> {
    let Some(run) = run.filter(|run| is_open(run)) else {
        state.refuse("no run is under way");
        return Vec::new();
    };
    let question =
        format!("Stop {}, {}? A running command is ended; what is done stays done.", run.id, run.runbook.title);
    ask(state, plain("This ends the run", question), Asked::Request(Request::StopRun { run: run.id }), now);
    Vec::new()
}
