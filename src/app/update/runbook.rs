//! Walking a runbook: start, approve, skip, dry run, stop, settle. What is approved is exactly what is shown: every
//! request carries the digest of the step on the screen.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ask, panes};
use crate::app::commands::Command;
use crate::app::effect::Effect;
use crate::app::hints::key_of;
use crate::app::picture;
use crate::app::state::{AppState, Asked};
use crate::engine::clock::Timestamp;
use crate::engine::model::{Call, Choice, Danger, Run, RunState, RunStep, StepEffect, StepKind, StepState};
use crate::engine::request::Request;
use crate::engine::snapshot::AutonomyMode;
use crate::views::ui_state::{Confirmation, Pane, RowKey};

pub(super) fn give(state: &mut AppState, command: Command, now: Timestamp) -> Vec<Effect> {
    if command == Command::Kill {
        return kill(state, now);
    }
    if command == Command::ResetBreaker {
        return reset_breaker(state, now);
    }
    // What runs all the same, begun before the mode was this one, may be ended.
    if state.snapshot.mode == AutonomyMode::Observe && command != Command::Stop {
        state.refuse("the mode is OBSERVE: nothing is done from here; `mode` under [policy] decides");
        return Vec::new();
    }
    let run = state.run().cloned();
    let offered = run.as_deref().and_then(|run| {
        let index = run.current_step()?;
        Some((run, index, run.steps.get(index)?))
    });
    match (command, offered) {
        (Command::Approve, Some((run, index, step))) if run.state.is_open() => {
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
        (Command::Retry | Command::RunFrom | Command::Resume | Command::EditRun | Command::Undo, _) => {
            match run.as_deref() {
                Some(run) => steer(state, command, run, now),
                None => no_run(state),
            }
        }
        (_, Some((run, index, step))) if run.state.is_open() => on_step(state, command, run, index, step, now),
        _ => no_run(state),
    }
}

fn no_run(state: &mut AppState) -> Vec<Effect> {
    let key = key_of(state, Command::Approve);
    state.refuse(format!("no run is under way; {key} starts the runbook that fits best"));
    Vec::new()
}

/// One key stops everything, without a question: that is the safe side. Given again it asks why it is safe.
fn kill(state: &mut AppState, now: Timestamp) -> Vec<Effect> {
    let Some(kill) = state.snapshot.kill.clone() else {
        return vec![Effect::Request(Request::Kill { reason: "at the console".into() })];
    };
    let question = format!(
        "Take the kill switch off? It is on since {}, by {}: {}. Steps may begin again.",
        kill.at.hh_mm_ss(),
        kill.by,
        kill.reason
    );
    let confirmation = Confirmation { line: Some("It is safe because: "), ..plain("Kill switch", question) };
    ask(state, confirmation, Asked::Request(Request::Release { reason: "".into() }), now);
    Vec::new()
}

fn reset_breaker(state: &mut AppState, now: Timestamp) -> Vec<Effect> {
    let open = &state.snapshot.autonomy.breaker;
    if open.is_empty() {
        state.refuse("the circuit breaker is closed");
        return Vec::new();
    }
    let reasons: Vec<&str> = open.values().map(AsRef::as_ref).collect();
    let question = format!(
        "{}. Were they looked at? Then they no longer keep what is permitted from beginning by itself.",
        reasons.join("; ")
    );
    ask(state, plain("Circuit breaker", question), Asked::Request(Request::ResetBreaker), now);
    Vec::new()
}

/// Puts the line that was typed into the request it was asked for.
///
/// # Errors
/// What is wrong with the line.
pub(super) fn take_line(request: &mut Request, line: &str) -> Result<(), String> {
    match request {
        Request::Approve { typed_target, .. } => *typed_target = Some(line.into()),
        Request::Skip { reason, .. }
        | Request::RunFrom { reason, .. }
        | Request::Resume { reason, .. }
        | Request::Kill { reason }
        | Request::Release { reason } => *reason = line.into(),
        Request::GiveWheel { to, .. } => *to = line.trim().into(),
        Request::HandOver { to, note } => {
            let (name, told) = line.split_once(':').unwrap_or((line, ""));
            (*to, *note) = (name.trim().into(), told.trim().into());
        }
        Request::StopRun { escalate, .. } => *escalate = (!line.is_empty()).then(|| line.into()),
        Request::Choose { choice, .. } => {
            let number = line.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            *choice = number.ok_or_else(|| format!("`{line}` is no number of an answer; nothing was done"))?;
        }
        Request::EditRun { params, .. } => {
            for pair in line.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
                let (name, value) = pair
                    .split_once('=')
                    .ok_or_else(|| format!("`{pair}` is no `name=value`; several go with `;` between them"))?;
                params.insert(name.trim().into(), value.trim().into());
            }
        }
        _ => {}
    }
    Ok(())
}

/// Leads a run elsewhere: from the selected step, or the one that is next.
fn steer(state: &mut AppState, command: Command, run: &Run, now: Timestamp) -> Vec<Effect> {
    let selected = match state.selected() {
        Some((_, RowKey::Step(index))) => Some(index),
        _ => None,
    };
    let number = |index: usize| run.steps.get(index).map_or(String::new(), |step| step.bound.spec.title.to_string());
    match command {
        Command::Retry => {
            let is_failed = |index: &usize| matches!(run.steps[*index].state, StepState::Failed { .. });
            let current = run.current_step().filter(is_failed);
            let Some(step) = current.or(selected) else { return no_run(state) };
            vec![Effect::Request(Request::Retry { run: run.id, step, digest: run.shown() })]
        }
        Command::Resume => {
            let question = format!("Go on with {}? It paused: {}", run.id, run.word);
            let confirmation = Confirmation { line: Some("Looked at: "), ..plain(RECORDED, question) };
            let request = Request::Resume { run: run.id, reason: "".into(), digest: run.shown() };
            ask(state, confirmation, Asked::Request(request), now);
            Vec::new()
        }
        Command::RunFrom => {
            let Some(step) = selected else {
                state.refuse("select the step to go on with");
                return Vec::new();
            };
            let question = format!("Go on with step {}, {}?", step + 1, number(step));
            let confirmation = Confirmation { line: Some("Reason: "), ..plain(RECORDED, question) };
            let request = Request::RunFrom { run: run.id, step, reason: "".into(), digest: run.shown() };
            ask(state, confirmation, Asked::Request(request), now);
            Vec::new()
        }
        Command::EditRun => {
            let typed: Vec<String> = run.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let question = format!("Other values for {}? What is offered then asks again.", run.id);
            let confirmation =
                Confirmation { line: Some("Values: "), typed: typed.join("; "), ..plain(RECORDED, question) };
            let request = Request::EditRun { run: run.id, params: BTreeMap::new(), digest: run.shown() };
            ask(state, confirmation, Asked::Request(request), now);
            Vec::new()
        }
        _ => undo(state, run, selected, now),
    }
}

/// Takes the selected act back, else the last that stands; its way back is shown first.
fn undo(state: &mut AppState, run: &Run, selected: Option<usize>, now: Timestamp) -> Vec<Effect> {
    let stands = |index: &usize| run.steps.get(*index).is_some_and(RunStep::stands);
    let Some(index) = selected.filter(stands).or_else(|| (0..run.steps.len()).rev().find(stands)) else {
        state.refuse("no act of this run stands, so there is nothing to take back");
        return Vec::new();
    };
    let Some(step) = run.steps.get(index) else { return Vec::new() };
    let Some(undo) = step.bound.spec.act().and_then(|act| act.undo.as_ref()) else {
        let why = step.bound.spec.act().map_or(String::new(), |act| act.rollback_text.to_string());
        state.refuse(format!("step {} cannot be taken back: {why}", index + 1));
        return Vec::new();
    };
    let question =
        format!("Take back step {}, {}? It touches {}.", index + 1, step.bound.spec.title, step.bound.spec.touches);
    let confirmation = Confirmation { argv: undo.words(), ..plain("This changes the world", question) };
    let request = Request::Undo { run: run.id, step: index, digest: Arc::clone(&step.id) };
    ask(state, confirmation, Asked::Request(request), now);
    Vec::new()
}

fn on_step(
    state: &mut AppState,
    command: Command,
    run: &Run,
    index: usize,
    step: &RunStep,
    now: Timestamp,
) -> Vec<Effect> {
    let digest = Arc::clone(&step.offer);
    match (command, &step.state) {
        (Command::DryRun, StepState::Waiting) => {
            vec![Effect::Request(Request::DryRun { run: run.id, step: index, digest })]
        }
        (
            Command::Skip,
            StepState::Waiting | StepState::Watching { .. } | StepState::Elapsing { .. } | StepState::Failed { .. },
        ) => {
            let request = Request::Skip { run: run.id, step: index, reason: "".into(), digest: run.shown() };
            let question = format!(
                "Pass step {} over, {}? What it would have done is not done.",
                index + 1,
                step.bound.spec.title
            );
            let confirmation = Confirmation { line: Some("Reason: "), ..plain(RECORDED, question) };
            ask(state, confirmation, Asked::Request(request), now);
            Vec::new()
        }
        (Command::Probe, StepState::Unknown { .. }) => {
            vec![Effect::Request(Request::Probe { run: run.id, step: index })]
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
        StepState::Watching { .. } | StepState::Elapsing { .. } => {
            format!("is watching; {} passes it over, {} stops the run", key(Command::Skip), key(Command::Stop))
        }
        StepState::Unknown { .. } => format!(
            "was interrupted; say whether it happened ({}) or not ({})",
            key(Command::Happened),
            key(Command::NotHappened)
        ),
        StepState::Failed { .. } => format!(
            "failed; {} offers it again, {} passes it over, {} stops the run",
            key(Command::Retry),
            key(Command::Skip),
            key(Command::Stop)
        ),
        StepState::Waiting => "waits for approval, so there is nothing to settle".to_owned(),
        StepState::Pending
        | StepState::Succeeded { .. }
        | StepState::Skipped { .. }
        | StepState::PassedOver { .. }
        | StepState::Undone { .. } => "is not offered now".to_owned(),
    }
}

fn approve(state: &mut AppState, run: &Run, index: usize, step: &RunStep, now: Timestamp) -> Vec<Effect> {
    if step.state != StepState::Waiting {
        return refuse_step(state, &step.state);
    }
    if run.state == RunState::Paused {
        state.refuse(format!("{} is paused: {}; {} lets it go on", run.id, run.word, key_of(state, Command::Resume)));
        return Vec::new();
    }
    let spec = &step.bound.spec;
    if let StepKind::Ask { question, choices } = &spec.kind {
        return choose(state, run, index, question, choices, now);
    }
    let request = Request::Approve { run: run.id, step: index, digest: Arc::clone(&step.offer), typed_target: None };
    let Some(act) = spec.act() else { return vec![Effect::Request(request)] };
    let reach = if spec.touches.is_empty() { String::new() } else { format!(" It touches {}.", spec.touches) };
    let undo = match (spec.effect, step.done_before) {
        (StepEffect::Irreversible, _) => "It CANNOT be undone.".to_owned(),
        (_, Some(run)) => format!("{run} did EXACTLY THIS before; again may undo what it did."),
        (_, None) => "It can be undone.".to_owned(),
    };
    let danger = if act.danger == Danger::High { " Its danger is HIGH." } else { "" };
    let question = format!("{}?{reach} {undo}{danger}", spec.title);
    let typed_target = step.needs_target.then(|| spec.touches.to_string());
    let confirmation = Confirmation { argv: argv(step), typed_target, ..plain("This changes the world", question) };
    ask(state, confirmation, Asked::Request(request), now);
    Vec::new()
}

/// Asks for the number of an answer.
fn choose(
    state: &mut AppState,
    run: &Run,
    index: usize,
    question: &str,
    choices: &[Choice],
    now: Timestamp,
) -> Vec<Effect> {
    let Some(step) = run.steps.get(index) else { return Vec::new() };
    let answers: Vec<Arc<str>> = choices.iter().map(|choice| Arc::clone(&choice.text)).collect();
    let listed: Vec<String> =
        answers.iter().enumerate().map(|(index, answer)| format!("{}: {answer}", index + 1)).collect();
    let question = format!("{question} — {}", listed.join(", "));
    let confirmation = Confirmation { line: Some("Number of the answer: "), ..plain(RECORDED, question) };
    let request = Request::Choose { run: run.id, step: index, digest: Arc::clone(&step.offer), choice: usize::MAX };
    ask(state, confirmation, Asked::Request(request), now);
    Vec::new()
}

/// Above questions after which nothing is run.
const RECORDED: &str = "Nothing is run; the answer is recorded";

fn plain(heading: &'static str, question: String) -> Confirmation {
    Confirmation { heading, question, ..Confirmation::default() }
}

/// The command of a step, where it has one.
pub(super) fn argv(step: &RunStep) -> Vec<Arc<str>> {
    step.bound.spec.call().map(Call::words).unwrap_or_default()
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
    let chosen = chosen.or_else(|| proposals.first());
    let Some((runbook, digest)) = chosen.map(|(proposal, _)| (Arc::clone(&proposal.runbook.id), proposal.shown()))
    else {
        let key = key_of(state, Command::Evidence);
        state.refuse(format!("no runbook fits {incident}; {key} shows what is known of its cause"));
        return Vec::new();
    };
    panes::go(state, Pane::Runbook);
    // The new run is what is shown from here on, not one chosen before.
    state.ui.run = None;
    state.ui.output_scroll = 0;
    vec![Effect::Request(Request::StartRun { incident, runbook, digest })]
}

fn stop(state: &mut AppState, run: Option<&Run>, now: Timestamp) -> Vec<Effect> {
    let Some(run) = run.filter(|run| run.state.is_open()) else {
        state.refuse("no run is under way");
        return Vec::new();
    };
    let question = format!(
        "Stop {}, {}? A running command is ended; what is done stays done. With a reason it is handed over.",
        run.id, run.runbook.title
    );
    let confirmation = Confirmation { line: Some("Hand over because: "), ..plain("This ends the run", question) };
    ask(state, confirmation, Asked::Request(Request::StopRun { run: run.id, escalate: None }), now);
    Vec::new()
}
