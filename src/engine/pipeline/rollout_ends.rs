//! What a run on a machine shows of the order that it carries out.

use crate::engine::clock::{SECOND_MS, Timestamp};
use crate::engine::model::{Run, RunState, RunStep, StepState};
use crate::engine::patches::acts::INSTALL;
use crate::engine::patches::rollout::{Acting, TargetEnd, TargetState};

/// A step that waits for a person for so long is none that the plan foresaw.
const STUCK_MS: i64 = 60 * SECOND_MS;

/// What a run shows of its target.
pub(super) enum Shown {
    /// Every step passed, or the packages turned out to be there.
    Installed {
        /// The run is still open, and is to be stopped.
        stops: bool,
    },
    /// It ended.
    End {
        /// How.
        end: TargetEnd,
        /// The run is still open, and is to be stopped.
        stops: bool,
    },
}

/// What became of a run, as far as its target waits for it. `between` says what has come between its order and now; it is asked only
/// where that matters.
pub(super) fn seen(
    run: &Run,
    state: &TargetState,
    between: &dyn Fn() -> Option<String>,
    now: Timestamp,
) -> Option<Shown> {
    let (_, install) = run.step_named(INSTALL)?;
    let end = |end, stops| Some(Shown::End { end, stops });
    match state {
        TargetState::Patching { .. } => patching(run, install, between, now),
        TargetState::RollingBack { .. } => match &install.state {
            StepState::Undone { .. } => end(TargetEnd::RolledBack, true),
            StepState::Failed { reason, .. } if was_not_begun(install) || between().is_some_and(|it| is_kill(&it)) => {
                end(TargetEnd::NotBegun { why: reason.to_string() }, false)
            }
            StepState::Failed { reason, .. } => end(TargetEnd::RollBackFailed { why: reason.to_string() }, false),
            StepState::Unknown { .. } => end(TargetEnd::Lost, false),
            // Taking it back was not begun, and the step is as it was before.
            StepState::Succeeded { .. } if was_not_begun(install) => {
                end(TargetEnd::NotBegun { why: run.word.to_string() }, false)
            }
            _ => None,
        },
        TargetState::Unknown { was, .. } => match (&install.state, was) {
            (StepState::Running { .. } | StepState::Unknown { .. }, _) => None,
            (StepState::Succeeded { .. }, Acting::Patching) => match run.state {
                RunState::Active if !is_stuck(run, now) => None,
                // What came after it was not as expected.
                RunState::Paused | RunState::Failed => {
                    let why = run.word.to_string();
                    end(TargetEnd::Failed { why, may_have_changed: true }, run.state == RunState::Paused)
                }
                _ => Some(Shown::Installed { stops: run.state.is_open() }),
            },
            (StepState::Succeeded { .. }, _) => end(TargetEnd::Found { carries: true }, true),
            (StepState::Failed { .. }, Acting::Patching) if install.stands() => Some(Shown::Installed { stops: true }),
            (StepState::Failed { .. }, _) if install.stands() => end(TargetEnd::Found { carries: true }, true),
            (_, _) => end(TargetEnd::Found { carries: false }, true),
        },
        // A person took it back in the run itself.
        TargetState::Validating { .. } | TargetState::Done { .. } | TargetState::RebootPending { .. } => {
            if matches!(install.state, StepState::Undone { .. }) { end(TargetEnd::TakenBackByHand, true) } else { None }
        }
        _ => None,
    }
}

fn is_kill(between: &str) -> bool {
    between.starts_with("the kill switch")
}

/// True where the last call of the step did not get through.
fn was_not_begun(step: &RunStep) -> bool {
    step.begun.last().is_some_and(|begun| begun.is_void)
}

fn patching(run: &Run, install: &RunStep, between: &dyn Fn() -> Option<String>, now: Timestamp) -> Option<Shown> {
    let may_have_changed = install.acts_done().next().is_some();
    let failed =
        |why: &str, stops| Some(Shown::End { end: TargetEnd::Failed { why: why.to_owned(), may_have_changed }, stops });
    let not_begun = |why: &str, stops| Some(Shown::End { end: TargetEnd::NotBegun { why: why.to_owned() }, stops });
    let is_over = matches!(run.state, RunState::Failed | RunState::Stopped | RunState::Paused);
    let current = run.current_step().and_then(|at| run.steps.get(at));
    let is_waiting = run.state == RunState::Active && current.is_some_and(|step| step.state == StepState::Waiting);
    if !may_have_changed
        && (is_over || is_waiting)
        && let Some(between) = between()
    {
        return not_begun(&between, run.state.is_open());
    }
    match run.state {
        RunState::Succeeded => Some(Shown::Installed { stops: false }),
        RunState::Failed | RunState::Paused if !may_have_changed && run.steps.iter().any(was_not_begun) => {
            not_begun(&failure(run), run.state.is_open())
        }
        RunState::Failed => failed(&failure(run), false),
        RunState::Stopped => failed("its run was stopped", false),
        RunState::Paused => failed(&run.word, true),
        RunState::Interrupted => Some(Shown::End { end: TargetEnd::Lost, stops: false }),
        RunState::Active if is_stuck(run, now) => {
            let text = run.current_step().and_then(|at| run.steps.get(at)).map(|step| step.gate_text.to_string());
            failed(&format!("the gate does not let it begin: {}", text.unwrap_or_default()), true)
        }
        RunState::Active => None,
    }
}

/// True where the run has waited for a person for longer than a plan that was approved foresees.
fn is_stuck(run: &Run, now: Timestamp) -> bool {
    let step = run.current_step().and_then(|at| run.steps.get(at));
    step.is_some_and(|step| {
        step.state == StepState::Waiting && step.begins_at.is_none() && now.since_ms(step.shown_at) >= STUCK_MS
    })
}

pub(super) fn is_running(run: &Run) -> bool {
    run.steps.iter().any(|step| matches!(step.state, StepState::Running { .. }))
}

fn failure(run: &Run) -> String {
    let reason = run.steps.iter().find_map(|step| match &step.state {
        StepState::Failed { reason, .. } => Some(format!("{}: {reason}", step.bound.spec.title)),
        _ => None,
    });
    reason.unwrap_or_else(|| if run.word.is_empty() { "its run failed".to_owned() } else { run.word.to_string() })
}
