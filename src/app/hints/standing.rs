//! How much of use a command is as things stand: what the moment asks for is named first, what would be refused last.

use crate::app::commands::{Command, CommandInfo};
use crate::app::picture;
use crate::app::state::AppState;
use crate::engine::ask::intent::Intent;
use crate::engine::limits::WHEEL_ANSWER_MS;
use crate::engine::model::{IncidentState, Purpose, Role, RunState, RunStep, StepState, Wheel, WheelAsked};
use crate::engine::snapshot::AutonomyMode;
use crate::engine::snapshot::patches::Grouping;
use crate::engine::snapshot::rollout::{KeptRollout, RolloutState, Soak, TargetState};
use crate::views::people::{asks_for_wheel, drives_instead};
use crate::views::ui_state::{Pane, PatchView, RowKey};

/// How much of use a command is now; what is of most use comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    /// What the moment asks for.
    First,
    /// It does something.
    Now,
    /// It would be refused, or is seldom wanted.
    Later,
}

/// How much of use it is.
pub(super) fn of(state: &AppState, info: &CommandInfo) -> Use {
    if is_held_back(state, info) {
        Use::Later
    } else if is_asked_for(state, info.command) {
        Use::First
    } else if is_of_use(state, info.command) {
        Use::Now
    } else {
        Use::Later
    }
}

/// The step that is next in the run on the screen.
fn next_step(state: &AppState) -> Option<&RunStep> {
    let run = state.run()?;
    run.steps.get(run.current_step()?)
}

/// The wheel of the run on the screen, where it is somebody else's who is here.
fn other_wheel(state: &AppState) -> Option<&Wheel> {
    let run = state.run().filter(|run| run.state.is_open())?;
    drives_instead(&state.snapshot, &state.ui.me, run.id)
}

/// True for what would be refused whatever it is about: nobody hears it, somebody else drives, or it is not for this role.
fn is_held_back(state: &AppState, info: &CommandInfo) -> bool {
    let pulls = info.command == Command::Kill && state.snapshot.kill.is_none();
    let role = state.role();
    if !info.is_act() {
        return false;
    }
    if state.snapshot.mode == AutonomyMode::Observe && is_refused_while_observing(info.command) {
        return true;
    }
    if !pulls && role.is_some_and(|role| role < least_role(info.command)) {
        return true;
    }
    if let Some(unheard) = &state.ui.unheard {
        // A switch that is pulled is sent as long as there is a line, and what is written is no act before it is sent.
        return !(info.is_written() || pulls && unheard.why.is_none());
    }
    !pulls && (state.ui.is_frozen || other_wheel(state).is_some() && is_for_the_driver(state, info.command, role))
}

/// True for what begins something, or steers what would.
fn is_refused_while_observing(command: Command) -> bool {
    match command {
        Command::Approve
        | Command::Skip
        | Command::DryRun
        | Command::Retry
        | Command::RunFrom
        | Command::Resume
        | Command::EditRun
        | Command::Undo
        | Command::Probe
        | Command::Happened
        | Command::NotHappened
        | Command::PlanRollout
        | Command::ApproveRollout
        | Command::HoldRollout
        | Command::StopRollout
        | Command::RollBack
        | Command::SkipTarget
        | Command::AnswerYes
        | Command::AnswerNo
        | Command::ShortenSoak => true,
        // An end is never refused.
        _ => false,
    }
}

/// The least role that may give it.
fn least_role(command: Command) -> Role {
    match command {
        Command::Kill
        | Command::ResetBreaker
        | Command::StatusUpdate
        | Command::DeferPatch
        | Command::AcceptRisk
        | Command::WithdrawException
        | Command::ApproveRollout
        | Command::HoldRollout
        | Command::StopRollout
        | Command::RollBack
        | Command::SkipTarget
        | Command::AnswerYes
        | Command::AnswerNo
        | Command::ShortenSoak => Role::Commander,
        _ => Role::Responder,
    }
}

/// True for what only the driver of a run does with it.
fn is_for_the_driver(state: &AppState, command: Command, role: Option<Role>) -> bool {
    match command {
        Command::Stop => role < Some(Role::Commander),
        Command::Approve => !next_step(state).is_some_and(|step| {
            let wanted = step.bound.spec.act().map_or(1, |act| act.approvals);
            wanted > 1 && step.approvals.iter().any(|given| given.by != state.ui.me)
        }),
        Command::Skip
        | Command::DryRun
        | Command::Retry
        | Command::RunFrom
        | Command::Resume
        | Command::EditRun
        | Command::Undo
        | Command::Probe
        | Command::Happened
        | Command::NotHappened => true,
        _ => false,
    }
}

/// True for what the moment asks for.
fn is_asked_for(state: &AppState, command: Command) -> bool {
    if state.ui.unheard.is_some() {
        let is_of_use = || state.incident().is_some();
        return match command {
            Command::Note | Command::Evidence => is_of_use(),
            Command::Kill | Command::Leave => true,
            Command::Pane(pane) => pane == Pane::Log,
            _ => false,
        };
    }
    let is_asked = || asks_for_wheel(&state.snapshot, &state.ui.me).is_some();
    let step = || next_step(state).map(|step| &step.state);
    match command {
        Command::Freeze => state.ui.is_frozen,
        Command::Kill | Command::Policy => state.snapshot.kill.is_some(),
        Command::KeepWheel => is_asked(),
        // One who waits for it already is told first.
        Command::Wheel => {
            let is_here = |name: &str| {
                state.snapshot.present.iter().any(|here| here.name.as_ref() == name && here.role >= Role::Responder)
            };
            let is_before = |asked: &WheelAsked| asked.by != state.ui.me && is_here(&asked.by);
            is_asked() || other_wheel(state).is_some_and(|wheel| !wheel.asked.as_ref().is_some_and(is_before))
        }
        Command::TakeWheel => other_wheel(state).is_some_and(|wheel| {
            let has_waited = |at| state.snapshot.at.since_ms(at) >= WHEEL_ANSWER_MS;
            let is_unanswered =
                wheel.asked.as_ref().is_some_and(|asked| asked.by == state.ui.me && has_waited(asked.at));
            is_unanswered || state.role() >= Some(Role::Commander)
        }),
        Command::Happened | Command::NotHappened => matches!(step(), Some(StepState::Unknown { .. })),
        Command::Probe => {
            let probe = |step: &RunStep| {
                let Some(repeat) = step.bound.spec.act().map(|act| &act.repeat) else { return false };
                let was_undo = step.acts_begun().last().is_some_and(|begun| begun.purpose == Purpose::Undo);
                repeat.probe().is_some() && (!was_undo || repeat.tells_undone())
            };
            let is_unknown = matches!(step(), Some(StepState::Unknown { .. }));
            is_unknown && next_step(state).is_some_and(probe) && state.snapshot.kill.is_none()
        }
        Command::Retry => {
            let is_over = state.run().is_none_or(|run| run.state == RunState::Stopped);
            matches!(step(), Some(StepState::Failed { .. })) && !is_over
        }
        Command::Resume => state.run().is_some_and(|run| run.state == RunState::Paused),
        _ => false,
    }
}

/// True once the time has come for an update on the incident.
fn is_update_due(state: &AppState) -> bool {
    let due = state.incident().and_then(|incident| state.snapshot.updates_due.get(&incident.id));
    due.is_some_and(|at| *at <= state.snapshot.at)
}

/// False for what would be refused as things stand.
fn is_of_use(state: &AppState, command: Command) -> bool {
    let step = || next_step(state);
    let is_waiting = || step().is_some_and(|step| step.state == StepState::Waiting);
    let is_active = || state.run().is_some_and(|run| run.state == RunState::Active);
    let is_open = || state.run().is_some_and(|run| run.state.is_open());
    let is_killed = || state.snapshot.kill.is_some();
    let incident = || state.incident().map(|incident| incident.state);
    match command {
        Command::Approve => {
            let has_proposal =
                state.incident().is_some_and(|incident| state.snapshot.proposals.contains_key(&incident.id));
            let is_denied = || step().is_some_and(|step| step.is_denied);
            is_active() && is_waiting() && !is_denied() || !is_open() && has_proposal
        }
        Command::Skip => {
            let is_watching =
                |step: &RunStep| matches!(step.state, StepState::Watching { .. } | StepState::Elapsing { .. });
            is_active() && (is_waiting() || step().is_some_and(is_watching))
        }
        Command::DryRun => {
            let shows = |step: &RunStep| step.bound.spec.act().is_some_and(|act| act.dry_run.is_some());
            is_active() && is_waiting() && step().is_some_and(shows) && !is_killed()
        }
        Command::Stop => is_open(),
        Command::Policy | Command::ResetBreaker => !state.snapshot.autonomy.breaker.is_empty(),
        Command::Undo => state.run().is_some_and(|run| run.has_acted()) && !is_killed(),
        // What the moment may ask for and nobody needs else, and what is seldom wanted.
        Command::Kill
        | Command::Happened
        | Command::NotHappened
        | Command::Probe
        | Command::Retry
        | Command::Resume
        | Command::Wheel
        | Command::KeepWheel
        | Command::TakeWheel
        | Command::RunFrom
        | Command::EditRun
        | Command::HandOver
        | Command::SeverityUp
        | Command::SeverityDown
        | Command::Mitigate
        | Command::Resolve => false,
        Command::People => state.snapshot.present.iter().any(|present| present.name != state.ui.me),
        Command::Acknowledge => matches!(incident(), Some(IncidentState::Open | IncidentState::Reopened)),
        Command::StatusUpdate => is_update_due(state),
        Command::PostMortem | Command::Reopen => incident() == Some(IncidentState::Resolved),
        Command::Own | Command::Note | Command::Evidence => incident().is_some(),
        Command::WithdrawException => matches!(state.selected(), Some((_, RowKey::PatchException(_)))),
        Command::DeferPatch | Command::AcceptRisk => {
            let row = state.selected().map(|(_, row)| row);
            matches!(row, Some(RowKey::Patch(_) | RowKey::PatchGroup(Grouping::Advisory, _)))
        }
        Command::GroupPatches => state.ui.patch_view == PatchView::Queue,
        Command::PlanRollout => {
            let row = state.selected().map(|(_, row)| row);
            let may_be_anew = picture::rollout(&state.snapshot, &state.ui)
                .is_some_and(|kept| !kept.rollout.is_over() && kept.rollout.begun == 0);
            matches!(row, Some(RowKey::Patch(_))) && state.ui.patch_view == PatchView::Queue || may_be_anew
        }
        Command::ApproveRollout
        | Command::HoldRollout
        | Command::StopRollout
        | Command::RollBack
        | Command::SkipTarget
        | Command::AnswerYes
        | Command::AnswerNo
        | Command::ShortenSoak => {
            let kept = picture::rollout(&state.snapshot, &state.ui).filter(|kept| !kept.rollout.is_over());
            kept.is_some_and(|kept| is_of_use_on(state, kept, command))
        }
        Command::NoteAnswer => {
            incident().is_some() && state.ui.talk.exchanges.iter().any(|asked| asked.answer().is_some())
        }
        Command::DraftRunbook => state
            .ui
            .talk
            .exchanges
            .last()
            .and_then(|asked| asked.answer())
            .is_some_and(|answer| answer.intent == Intent::Remediation),
        Command::Complete => !state.ui.talk.prompt.matches.is_empty(),
        _ => true,
    }
}

/// The same of a rollout that is not over.
fn is_of_use_on(state: &AppState, kept: &KeptRollout, command: Command) -> bool {
    let rollout = &kept.rollout;
    let row = state.selected().map(|(_, row)| row);
    let record = match &row {
        Some(RowKey::RolloutTarget(_, name)) => rollout.targets.get(&**name),
        _ => None,
    };
    match command {
        Command::ApproveRollout => rollout.state == RolloutState::Proposed || !rollout.is_approved(),
        Command::HoldRollout => matches!(rollout.state, RolloutState::Running | RolloutState::Paused { .. }),
        Command::SkipTarget => {
            let is_back = matches!(&row, Some(RowKey::RolloutTarget(_, name)) if rollout.is_to_be_undone(name));
            is_back || record.is_some_and(|record| record.state.is_waiting())
        }
        Command::ShortenSoak => matches!(rollout.soak, Soak::Running { .. }),
        Command::RollBack => !rollout.carriers().is_empty(),
        Command::StopRollout => true,
        _ => {
            matches!(rollout.soak, Soak::Undecided { .. })
                || record.is_some_and(|record| {
                    record.state.is_undecided() || matches!(record.state, TargetState::Unknown { .. })
                })
        }
    }
}
