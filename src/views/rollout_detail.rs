//! All that is known of one target of a rollout, or of one window or freeze.

use ratatui::text::Line;

use super::calendar;
use super::canvas::Pen;
use super::context::ViewContext;
use super::evidence::paragraph;
use super::patch_text::stamp;
use super::rollout_board::kept;
use super::rollout_text;
use super::theme::Role;
use super::ui_state::RowKey;
use crate::engine::model::{Run, RunState, StepState};
use crate::engine::snapshot::rollout::{
    HealthReport, HealthVerdict, KeptRollout, OccasionKind, Soak, StageKind, TargetState,
};

/// Columns of the labels.
const LABEL_WIDTH: usize = 10;
/// Lines of a command's output that are told.
const OUTPUT_LINES: usize = 6;

/// The title of the box.
pub fn title(row: &RowKey) -> Option<String> {
    match row {
        RowKey::RolloutTarget(id, name) => Some(format!("{name} in {id}")),
        RowKey::Occasion(..) => Some("Window or freeze".to_owned()),
        _ => None,
    }
}

/// Every line; `None` where the row is of something else or no longer in the picture.
pub fn lines(pen: Pen<'_>, ctx: &ViewContext<'_>, row: &RowKey, width: usize) -> Option<Vec<Line<'static>>> {
    match row {
        RowKey::RolloutTarget(id, name) => of_target(pen, ctx, kept(ctx.snapshot, *id)?, name, width),
        RowKey::Occasion(from, name) => of_occasion(pen, ctx, *from, name, width),
        _ => None,
    }
}

fn labelled(pen: Pen<'_>, role: Role, label: &str, content: &str, width: usize) -> Vec<Line<'static>> {
    paragraph(pen, role, &format!("{label:<LABEL_WIDTH$}"), content, width)
}

fn of_target(
    pen: Pen<'_>,
    ctx: &ViewContext<'_>,
    kept: &KeptRollout,
    name: &str,
    width: usize,
) -> Option<Vec<Line<'static>>> {
    let rollout = &kept.rollout;
    let fact = |label, content: &str| labelled(pen, Role::Text, label, content, width);
    if let Some(out) = rollout.plan.left_out.iter().find(|out| out.name == name) {
        return Some([fact("Asset", name), fact("Left out", &out.why)].concat());
    }
    let (target, record) = (rollout.plan.targets.get(name)?, rollout.targets.get(name)?);
    let (role, symbol, word) = rollout_text::target(&record.state);
    let left = vec![pen.span(Role::TextStrong, name), pen.span(role, &format!("  {symbol} {word}"))];
    let mut lines = vec![pen.spread(left, vec![pen.span(Role::TextMuted, &target.ring)], width)];
    lines.extend(fact("Stands", &rollout_text::of_target(rollout, name, record, ctx.now)));
    if let Some((_, undo)) = rollout.undo.of(name) {
        lines.extend(labelled(pen, Role::TextProblem, "Undo", &undo.why, width));
    }
    if let TargetState::Validating { reboot: Some(reboot), .. } = &record.state {
        lines.extend(fact("Reboot", &rollout_text::reboot_of(reboot)));
    }
    let stays = target.what_stays().trim_start_matches("; ");
    if matches!(record.state, TargetState::RolledBack { .. }) && !stays.is_empty() {
        lines.extend(fact("Stays", stays));
    }
    if let Some(at) = record.patched_at {
        lines.extend(fact("Patched", &stamp(at)));
    }
    for (at, change) in target.packages.iter().enumerate() {
        let label = if at == 0 { "Packages" } else { "" };
        lines.extend(fact(label, &format!("{} {} → {}", change.name, change.from, change.to)));
    }
    lines.extend(fact("How", &target.method.to_string()));
    let or_none = |text: String| if text.is_empty() { "nothing that is known".to_owned() } else { text };
    lines.extend(fact("Carries", &or_none(target.services.join(", "))));
    if !target.units.is_empty() {
        lines.extend(fact("Then up", &target.units.join(", ")));
    }
    for group in rollout.plan.groups_of(name) {
        let (least, count) = (group.healthy_min, group.members.len());
        lines.extend(fact("Group", &format!("{}: {least} of {count} stay healthy", group.name)));
    }
    if let Some(run) = kept.runs.get(name).and_then(|of| ctx.snapshot.runs.iter().find(|run| run.id == of.run)) {
        lines.extend(of_run(pen, run, width));
    }
    if let TargetState::Validating { undecided: Some(report), .. } = &record.state {
        lines.extend(of_health(pen, "Health", report, width));
    }
    let is_staged = rollout
        .plan
        .position(name)
        .and_then(|(stage, _)| rollout.plan.stages.get(stage))
        .is_some_and(|stage| stage.kind == StageKind::Staging);
    if let (true, Soak::Passed { report } | Soak::Failed { report } | Soak::Undecided { report }) =
        (is_staged, &rollout.soak)
    {
        lines.extend(of_health(pen, "Soak", report, width));
    }
    Some(lines)
}

/// The run on a target: where it stands, what its gate says, and the last of what its command wrote.
fn of_run(pen: Pen<'_>, run: &Run, width: usize) -> Vec<Line<'static>> {
    let state = match run.state {
        RunState::Active => "under way",
        RunState::Paused => "paused",
        RunState::Succeeded => "done",
        RunState::Failed => "failed",
        RunState::Stopped => "stopped",
        RunState::Interrupted => "interrupted",
    };
    let word = if run.word.is_empty() { String::new() } else { format!(": {}", run.word) };
    let mut lines = vec![Line::default()];
    lines.extend(labelled(pen, Role::Text, "Run", &format!("{} {state}{word}", run.id), width));
    for step in &run.steps {
        let (role, symbol, why) = match &step.state {
            StepState::Failed { reason, .. } => (Role::TextProblem, "✗", reason.to_string()),
            StepState::Unknown { .. } => (Role::TextProblem, "?", "its end was not seen".to_owned()),
            StepState::Succeeded { .. } => (Role::Text, "✓", String::new()),
            StepState::Undone { by, .. } => (Role::Text, "◀", format!("taken back by {by}")),
            StepState::Skipped { reason, .. } => (Role::TextMuted, "–", reason.to_string()),
            StepState::Pending | StepState::PassedOver { .. } => (Role::TextMuted, "○", String::new()),
            StepState::Waiting => (Role::Text, "○", step.gate_text.to_string()),
            StepState::Running { .. } | StepState::Watching { .. } | StepState::Elapsing { .. } => {
                (Role::TextStrong, "▶", String::new())
            }
        };
        let why = if why.is_empty() { why } else { format!(": {why}") };
        lines.extend(labelled(pen, role, "", &format!("{symbol} {}{why}", step.bound.spec.title), width));
        if matches!(step.state, StepState::Failed { .. } | StepState::Running { .. } | StepState::Unknown { .. }) {
            let first = step.output.len().saturating_sub(OUTPUT_LINES);
            for text in step.output.iter().skip(first) {
                lines.extend(labelled(pen, Role::TextMuted, "", &format!("  {text}"), width));
            }
        }
    }
    lines
}

/// How health was judged: in words, then metric by metric, the worst first.
fn of_health(pen: Pen<'_>, label: &str, report: &HealthReport, width: usize) -> Vec<Line<'static>> {
    let role = |verdict| if verdict == HealthVerdict::Pass { Role::Text } else { Role::TextProblem };
    let told = format!("{}: {}", report.verdict.word(), report.words);
    let mut lines = vec![Line::default()];
    lines.extend(labelled(pen, role(report.verdict), label, &told, width));
    let mut metrics: Vec<_> = report.metrics.iter().collect();
    metrics.sort_by_key(|metric| std::cmp::Reverse(metric.verdict));
    for metric in metrics {
        let told = format!("{} {}: {}", metric.of, metric.metric, metric.words);
        lines.extend(labelled(pen, role(metric.verdict), "", &told, width));
    }
    lines
}

fn of_occasion(pen: Pen<'_>, ctx: &ViewContext<'_>, from: i64, name: &str, width: usize) -> Option<Vec<Line<'static>>> {
    let occasion = ctx.snapshot.agenda.iter().find(|occasion| occasion.from.0 == from && occasion.name == name)?;
    let fact = |label, content: &str| labelled(pen, Role::Text, label, content, width);
    let (kind, then) = match occasion.kind {
        OccasionKind::Window => ("window", "what it is for may be patched meanwhile, where nothing else holds it"),
        OccasionKind::Freeze => ("freeze", "what it is for is not patched meanwhile; a mistake is still taken back"),
    };
    let (begins, ends) = (calendar::wall(occasion, occasion.from), calendar::wall(occasion, occasion.until));
    let mut lines = vec![Line::from(pen.span(Role::TextStrong, &format!("{kind} {name}")))];
    lines.extend(fact("Begins", &format!("{}, {begins} in {}", stamp(occasion.from), occasion.zone)));
    lines.extend(fact("Ends", &format!("{}, {ends} there", stamp(occasion.until))));
    lines.extend(fact("For", &occasion.whom));
    let lasts = rollout_text::span(occasion.until.since_ms(occasion.from));
    lines.extend(fact("Lasts", &lasts));
    if let Some(note) = occasion.note {
        lines.extend(labelled(pen, Role::TextProblem, "Clock", note.words(), width));
    }
    lines.extend(fact("Then", then));
    Some(lines)
}
