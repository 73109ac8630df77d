//! Rollouts of patches: going between the views of the pane, and what a person asks of a rollout. What is approved is exactly the
//! plan that is shown: its approval carries the digest of these lines.

use std::sync::Arc;

use super::{ask, settle_selection};
use crate::app::commands::Command;
use crate::app::effect::Effect;
use crate::app::hints::key_of;
use crate::app::picture;
use crate::app::state::{AppState, Asked};
use crate::engine::clock::{HOUR_MS, Timestamp};
use crate::engine::model::{RolloutId, human_span};
use crate::engine::request::Request;
use crate::engine::snapshot::AutonomyMode;
use crate::engine::snapshot::rollout::{
    KeptRollout, RolloutRequest, RolloutState, Soak, StageKind, Target, TargetState,
};
use crate::views::text::counted;
use crate::views::ui_state::{Confirmation, Pane, PatchView, RowKey};

/// Above questions after which machines are changed.
const ACTS: &str = "This changes the world";
/// Above questions after which less is done, or nothing.
const HOLDS: &str = "This holds a rollout";

/// Goes on to the next view of the pane.
pub(super) fn next_view(state: &mut AppState) {
    let next = match state.ui.patch_view {
        PatchView::Queue => PatchView::Rollouts,
        PatchView::Rollouts | PatchView::Board(_) => PatchView::Calendar,
        PatchView::Calendar => PatchView::Queue,
    };
    show(state, next);
}

/// Goes back one view; false where the queue is on the screen already.
pub(super) fn back(state: &mut AppState) -> bool {
    let before = match state.ui.patch_view {
        PatchView::Queue => return false,
        PatchView::Board(_) => PatchView::Rollouts,
        PatchView::Rollouts | PatchView::Calendar => PatchView::Queue,
    };
    show(state, before);
    true
}

/// Puts a view on the screen; each keeps its own mark and filter.
pub(super) fn show(state: &mut AppState, view: PatchView) {
    if state.ui.patch_view == view {
        return;
    }
    let list = state.ui.patch_lists.remove(&view).unwrap_or_default();
    let before = state.ui.lists.insert(Pane::Patches, list).unwrap_or_default();
    state.ui.patch_lists.insert(state.ui.patch_view, before);
    state.ui.patch_view = view;
    if state.ui.pane == Pane::Patches {
        settle_selection(state);
    }
}

/// Opens the board of the rollout that was asked for, once it is in the picture.
pub(super) fn open_planned(state: &mut AppState) {
    let Some(source) = &state.planned else { return };
    let Some(id) = open_of(state, source) else { return };
    state.planned = None;
    if state.ui.pane == Pane::Patches {
        show(state, PatchView::Board(id));
    }
}

/// The rollout of a source package that is not over.
fn open_of(state: &AppState, source: &str) -> Option<RolloutId> {
    let open = |kept: &&Arc<KeptRollout>| !kept.rollout.is_over() && kept.rollout.plan.source == source;
    state.snapshot.rollouts.iter().find(open).map(|kept| kept.rollout.id)
}

pub(super) fn give(state: &mut AppState, command: Command, now: Timestamp) -> Vec<Effect> {
    if state.snapshot.mode == AutonomyMode::Observe {
        state.refuse("the mode is OBSERVE: nothing is done from here; `mode` under [policy] decides");
        return Vec::new();
    }
    if command == Command::PlanRollout {
        return plan(state);
    }
    let Some(kept) = picture::rollout(&state.snapshot, &state.ui).cloned() else {
        let key = key_of(state, Command::PatchView);
        state.refuse(format!("no rollout is open; {key} goes to the list of them"));
        return Vec::new();
    };
    if kept.rollout.is_over() {
        state.refuse(format!("{} is over; a new plan of the patch makes another", kept.rollout.id));
        return Vec::new();
    }
    let asked = match command {
        Command::ApproveRollout => approve(&kept),
        Command::HoldRollout => hold(&kept),
        Command::StopRollout => Ok(stop(&kept)),
        Command::RollBack => Ok(roll_back(&kept)),
        Command::SkipTarget => skip(state, &kept),
        Command::ShortenSoak => shorten(state, &kept),
        _ => answer(state, &kept, command == Command::AnswerYes),
    };
    match asked {
        Ok((confirmation, request)) => {
            let request = Request::Rollout { rollout: kept.rollout.id, request };
            ask(state, confirmation, Asked::Request(request), now);
        }
        Err(problem) => state.refuse(problem),
    }
    Vec::new()
}

/// A question, and what is asked of the rollout once it is answered.
type Question = (Confirmation, RolloutRequest);

fn plan(state: &mut AppState) -> Vec<Effect> {
    let source = match state.selected().map(|(_, row)| row) {
        Some(RowKey::Patch(key)) => state.snapshot.patches.patch(&key).map(|patch| Arc::clone(&patch.package)),
        // A plan is made anew where it has not begun.
        _ => picture::rollout(&state.snapshot, &state.ui).map(|kept| Arc::from(kept.rollout.plan.source.as_str())),
    };
    let Some(source) = source else {
        state.refuse("no patch is selected; the queue by patch lists them");
        return Vec::new();
    };
    let begun = state
        .snapshot
        .rollouts
        .iter()
        .find(|kept| !kept.rollout.is_over() && kept.rollout.begun > 0 && *kept.rollout.plan.source == *source);
    if let Some(id) = begun.map(|kept| kept.rollout.id) {
        show(state, PatchView::Board(id));
        state.say(format!("{id} has begun, so its plan stays"));
        return Vec::new();
    }
    state.planned = None;
    state.say(format!("planning {source} …"));
    vec![Effect::Request(Request::PlanRollout { source })]
}

fn approve(kept: &KeptRollout) -> Result<Question, String> {
    let (rollout, plan) = (&kept.rollout, &kept.rollout.plan);
    if rollout.is_approved() && rollout.state != RolloutState::Proposed {
        return Err(format!("{} is approved as it is", rollout.id));
    }
    let stages: Vec<String> = plan
        .stages
        .iter()
        .map(|stage| format!("{} ({})", stage.name, stage.batches.iter().map(Vec::len).sum::<usize>()))
        .collect();
    let has_production = plan.stages.iter().any(|stage| stage.kind == StageKind::Production);
    let fix = plan.fix_version.as_deref().unwrap_or("the version of each release");
    let digest = plan.computed_digest();
    let question = format!(
        "Roll out {} to {fix} on {} by the plan that was shown, {}: {}? From then on it goes on by itself, inside its windows and \
         stage after stage, and takes itself back where health fails.",
        plan.source,
        targets(plan.targets.len()),
        digest.get(..12).unwrap_or(&digest),
        stages.join(", then "),
    );
    let confirmation = Confirmation {
        heading: ACTS,
        question,
        typed_target: has_production.then(|| plan.source.clone()),
        ..Confirmation::default()
    };
    Ok((confirmation, RolloutRequest::Approve { by: String::new(), digest }))
}

fn with_reason(heading: &'static str, question: String, line: &'static str) -> Confirmation {
    Confirmation { heading, question, line: Some(line), ..Confirmation::default() }
}

/// Pauses what runs, lets go on what is paused.
fn hold(kept: &KeptRollout) -> Result<Question, String> {
    let id = kept.rollout.id;
    let (by, reason) = (String::new(), String::new());
    match &kept.rollout.state {
        RolloutState::Running => {
            let question = format!("Pause {id}? Nothing begins any more until it goes on; what is under way ends.");
            Ok((with_reason(HOLDS, question, "Because: "), RolloutRequest::Pause { by, reason }))
        }
        RolloutState::Paused { why, incident } => {
            let known = incident.map_or_else(String::new, |it| format!(" {it} then pauses it no more."));
            let question = format!("Let {id} go on? It paused: {why}.{known}");
            Ok((with_reason(ACTS, question, "It may, because: "), RolloutRequest::Resume { by, reason }))
        }
        RolloutState::Proposed => Err(format!("{id} was not approved, so nothing is to be paused")),
        _ => Err(format!("{id} is ending, so nothing begins any more")),
    }
}

fn stop(kept: &KeptRollout) -> Question {
    let (id, carriers) = (kept.rollout.id, kept.rollout.carriers().len());
    let question =
        format!("Stop {id} for good? Nothing begins any more; {} with the patch keep it.", targets(carriers));
    let request = RolloutRequest::Stop { by: String::new(), reason: String::new() };
    (with_reason(HOLDS, question, "Because: "), request)
}

fn roll_back(kept: &KeptRollout) -> Question {
    let (id, carriers) = (kept.rollout.id, kept.rollout.carriers());
    let targets_of = carriers.iter().filter_map(|name| kept.rollout.plan.targets.get(name));
    let stays = targets_of.map(Target::what_stays).max().unwrap_or("");
    let question = match carriers.as_slice() {
        [] => format!("Roll {id} back? No target has the patch so far, so it only ends."),
        carriers => format!(
            "Roll {id} back? The versions from before are installed on {}, the newest first, also outside of windows: {}{stays}.",
            targets(carriers.len()),
            carriers.join(", "),
        ),
    };
    let request = RolloutRequest::RollBack { by: String::new(), reason: String::new() };
    (with_reason(ACTS, question, "Because: "), request)
}

/// `1 target`, `6 targets`
fn targets(count: usize) -> String {
    counted(count as u64, "target", "targets")
}

/// The target on which the mark is.
fn target(state: &AppState) -> Option<String> {
    match state.selected()?.1 {
        RowKey::RolloutTarget(_, name) => Some(name.to_string()),
        _ => None,
    }
}

fn skip(state: &AppState, kept: &KeptRollout) -> Result<Question, String> {
    let target = target(state).ok_or("no target is selected")?;
    let question = match kept.rollout.targets.get(&target).map(|record| &record.state) {
        _ if kept.rollout.is_to_be_undone(&target) => {
            format!("Give up on taking {target} back? It keeps the patch, and that is recorded.")
        }
        Some(TargetState::Waiting { .. }) => format!("Leave {target} out? It stays without the patch."),
        Some(other) => return Err(format!("{target} is {}; only what waits can be left out", other.word())),
        None => return Err(format!("{target} is left out already")),
    };
    let request = RolloutRequest::Skip { target, by: String::new(), reason: String::new() };
    Ok((with_reason(HOLDS, question, "Because: "), request))
}

/// Answers what a person has to: what is on a target, or whether health is good enough.
fn answer(state: &AppState, kept: &KeptRollout, is_yes: bool) -> Result<Question, String> {
    let (by, reason) = (String::new(), String::new());
    let consequence = if is_yes { "it goes on" } else { "everything is taken back" };
    let selected = target(state);
    let record = selected.as_ref().and_then(|name| kept.rollout.targets.get(name));
    match (record.map(|record| &record.state), selected) {
        (Some(TargetState::Unknown { .. }), Some(target)) => {
            let there = if is_yes { "the new version is" } else { "the new version is not" };
            let question = format!("Record that {there} on {target}? Look first: it is believed.");
            let request = RolloutRequest::Settle { target, carries: is_yes, by, reason };
            Ok((with_reason(ACTS, question, "Seen by: "), request))
        }
        (Some(TargetState::Validating { undecided: Some(report), .. }), Some(target)) => {
            let good = if is_yes { "good enough" } else { "not good" };
            let question = format!("Decide that {target} is {good}? Then {consequence}. {}", report.words);
            let request = RolloutRequest::Decide { target: Some(target), is_good: is_yes, by, reason };
            Ok((with_reason(ACTS, question, "Because: "), request))
        }
        _ => match &kept.rollout.soak {
            Soak::Undecided { report } => {
                let good = if is_yes { "good enough" } else { "not good" };
                let question = format!("Decide that the soak is {good}? Then {consequence}. {}", report.words);
                let request = RolloutRequest::Decide { target: None, is_good: is_yes, by, reason };
                Ok((with_reason(ACTS, question, "Because: "), request))
            }
            _ => Err("there is nothing to answer here: select a target that is unknown or undecided".to_owned()),
        },
    }
}

fn shorten(state: &AppState, kept: &KeptRollout) -> Result<Question, String> {
    let Soak::Running { until, .. } = &kept.rollout.soak else {
        return Err("no soak is under way that could be shortened".to_owned());
    };
    let now = state.snapshot.at;
    let left_ms = until.since_ms(now).max(0);
    let question = format!(
        "Let the soak of {} end sooner? {} are left. Write how many hours from now, then why; health is compared all the same.",
        kept.rollout.id,
        human_span(left_ms),
    );
    let hours = (left_ms / HOUR_MS / 2).max(1);
    let confirmation = Confirmation { typed: format!("{hours}h "), ..with_reason(ACTS, question, "Hours, why: ") };
    // The picture's instant stands in until the line says how long.
    Ok((confirmation, RolloutRequest::ShortenSoak { until: now, by: String::new(), reason: String::new() }))
}

/// Puts the line that was typed into what is asked of a rollout.
///
/// # Errors
/// What is wrong with the line.
pub(super) fn take_line(request: &mut RolloutRequest, line: &str) -> Result<(), String> {
    let mut line = line.trim();
    if let RolloutRequest::ShortenSoak { until, .. } = request {
        let (hours, reason) = line.split_once(' ').unwrap_or((line, ""));
        let hours: i64 = hours
            .strip_suffix('h')
            .and_then(|hours| hours.parse().ok())
            .filter(|hours| (0..=1_000).contains(hours))
            .ok_or_else(|| format!("`{hours}` is no number of hours such as 6h; nothing was done"))?;
        *until = *until + hours * HOUR_MS;
        line = reason.trim();
    }
    if !matches!(request, RolloutRequest::Approve { .. }) && line.is_empty() {
        return Err("a rollout is not changed without a reason; nothing was done".to_owned());
    }
    request.map_reason(|_| line.to_owned());
    Ok(())
}
