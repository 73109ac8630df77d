//! A runbook, one step at a time: the exact command before it runs, what it touches, how it is undone, what the gate says;
//! then its output. Before a run: the runbooks that fit, with their steps.

use std::sync::Arc;

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::canvas::{Canvas, Pen};
use super::code;
use super::context::ViewContext;
use super::focus;
use super::layout;
use super::list::{self, Entry, Filter, Window};
use super::people;
use super::step_facts::{self, Fact};
use super::step_output;
use super::text;
use super::theme::Role;
use super::ui_state::{ListState, Pane, RowKey, UiState};
use crate::engine::model::{
    BoundStep, Misfit, Proposal, Purpose, Run, RunId, RunState, RunStep, StepEffect, StepKind, StepState, human_span,
};
use crate::engine::snapshot::Snapshot;

/// One line of the pane.
#[derive(Debug, Clone)]
pub enum Row<'s> {
    /// Between groups.
    Blank,
    /// Above a group.
    Heading(&'static str),
    /// A step of the run, by its index, and where it stands in it.
    Step(usize, &'s RunStep, Place),
    /// A runbook that fits, and the run of it that there was.
    Proposal(&'s Proposal, Option<RunId>),
    /// A runbook that fits and cannot be filled in.
    Misfit(&'s Misfit),
    /// What the runbook above needs.
    Need(&'s Misfit),
    /// A step of the proposal above.
    Preview(usize, &'s BoundStep),
    /// Something about the step or proposal above.
    Fact(Fact),
}

/// Where a step stands in its run.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// It is the next one.
    is_current: bool,
    /// A person stopped the run.
    is_stopped: bool,
}

/// The row that is selected until another one is: the step that is next.
pub fn home(snapshot: &Snapshot, ui: &UiState) -> Option<RowKey> {
    focus::run(snapshot, ui)?.current_step().map(RowKey::Step)
}

/// Lines of prose to try: all, and then fewer until everything fits.
const PROSE_LINES: [usize; 6] = [usize::MAX, 16, 10, 6, 3, 1];

/// The lines of the pane with as much prose as leaves all of them on the screen, else with little.
fn fitting<'s>(ctx: &ViewContext<'s>, height: u16) -> Vec<Entry<Row<'s>>> {
    let mut choices = PROSE_LINES.map(|lines_max| entries(ctx.snapshot, ctx.ui, lines_max)).into_iter();
    let fewest = choices.next_back().unwrap_or_default();
    choices.find(|entries| entries.len() <= usize::from(height)).unwrap_or(fewest)
}

/// The lines of the pane in order: the steps of the run, then, where none is under way, the runbooks that fit. Of the
/// prose of each, at most so many lines.
pub fn entries<'s>(snapshot: &'s Snapshot, ui: &UiState, prose_lines_max: usize) -> Vec<Entry<Row<'s>>> {
    let Some(incident) = focus::incident(snapshot, ui) else { return Vec::new() };
    let list = ui.lists.get(&Pane::Runbook).cloned().unwrap_or_default();
    let run = focus::run(snapshot, ui);
    let mut entries = run.map(|run| step_entries(run, &list, prose_lines_max)).unwrap_or_default();
    let is_under_way = run.is_some_and(|run| run.state.is_open());
    let proposals = focus::proposals(snapshot, incident.id);
    if !is_under_way && !proposals.is_empty() {
        if !entries.is_empty() {
            entries.push(Entry::fixed(Row::Blank));
        }
        entries.push(Entry::heading(Row::Heading("Runbooks that fit, best first")));
        entries.extend(proposal_entries(&proposals, &list, run.is_some(), prose_lines_max));
    }
    let misfits = snapshot.misfits.get(&incident.id).map(Vec::as_slice).unwrap_or_default();
    for misfit in misfits.iter().filter(|_| !is_under_way && list.filter.trim().is_empty()) {
        if !entries.is_empty() {
            entries.push(Entry::fixed(Row::Blank));
        }
        entries.extend([Row::Misfit(misfit), Row::Need(misfit)].map(Entry::fixed));
    }
    entries
}

/// Every step; the next one and the selected one unfolded.
fn step_entries<'s>(run: &'s Run, list: &ListState, prose_lines_max: usize) -> Vec<Entry<Row<'s>>> {
    let current = run.current_step();
    let filter = Filter::new(&list.filter);
    let mut entries: Vec<_> = step_facts::of_run(run).into_iter().map(|fact| Entry::fixed(Row::Fact(fact))).collect();
    for (index, step) in run.steps.iter().enumerate() {
        if !filter.matches(&[&step.bound.spec.title, &step.bound.spec.name]) {
            continue;
        }
        let place = Place { is_current: current == Some(index), is_stopped: run.state == RunState::Stopped };
        entries.push(Entry::row(RowKey::Step(index), Row::Step(index, step, place)));
        if place.is_current || list.selected == Some(RowKey::Step(index)) {
            let facts = step_facts::of_step(step, place.is_stopped, prose_lines_max);
            entries.extend(facts.into_iter().map(|fact| Entry::fixed(Row::Fact(fact))));
        }
    }
    entries
}

/// Every proposal; the selected one, or the first, unfolded.
fn proposal_entries<'s>(
    proposals: &[(&'s Arc<Proposal>, Option<RunId>)],
    list: &ListState,
    has_run: bool,
    prose_lines_max: usize,
) -> Vec<Entry<Row<'s>>> {
    let filter = Filter::new(&list.filter);
    let is_selected = |proposal: &Proposal| list.selected == Some(RowKey::Proposal(Arc::clone(&proposal.runbook.id)));
    let is_any_selected = has_run || proposals.iter().any(|(proposal, _)| is_selected(proposal));
    let mut entries = Vec::new();
    for (index, (proposal, ran_as)) in proposals.iter().enumerate() {
        if !filter.matches(&[&proposal.runbook.title, &proposal.reason]) {
            continue;
        }
        entries.push(Entry::row(RowKey::Proposal(Arc::clone(&proposal.runbook.id)), Row::Proposal(proposal, *ran_as)));
        if is_selected(proposal) || !is_any_selected && index == 0 {
            // The prose before the first step introduces the whole.
            let introduction = proposal.steps.first().map(|step| step_facts::prose(step, prose_lines_max));
            entries.extend(introduction.into_iter().flatten().map(|fact| Entry::fixed(Row::Fact(fact))));
            for (index, step) in proposal.steps.iter().enumerate() {
                entries.push(Entry::fixed(Row::Preview(index, step)));
                let commands = step_facts::command_of(step).into_iter();
                entries.extend(commands.map(|fact| Entry::fixed(Row::Fact(fact))));
            }
        }
    }
    entries
}

/// `Runbook: revert network policy` at the left; incident and place in the run at the right.
pub fn title(pen: Pen<'_>, ctx: &ViewContext<'_>) -> (Vec<Span<'static>>, Vec<Span<'static>>) {
    let incident = focus::incident(ctx.snapshot, ctx.ui).map(|incident| incident.id.to_string()).unwrap_or_default();
    let Some(run) = focus::run(ctx.snapshot, ctx.ui) else {
        let right = if incident.is_empty() { Vec::new() } else { vec![pen.plain(&incident)] };
        return (vec![pen.span(Role::PaneTitle, "Runbook")], right);
    };
    let left = vec![pen.span(Role::PaneTitle, &format!("Runbook: {}", run.runbook.title))];
    let count = run.steps.len();
    let (role, place) = match (run.state, run.current_step()) {
        (RunState::Succeeded, _) => (Role::StepDone, format!("all {count} steps done")),
        (RunState::Failed, _) => (Role::StepFailed, "✗ failed".to_owned()),
        (RunState::Stopped, _) => (Role::StepFailed, "stopped".to_owned()),
        (RunState::Interrupted, _) => (Role::GateAsk, "△ interrupted".to_owned()),
        (RunState::Paused, _) => (Role::GateAsk, "△ paused".to_owned()),
        (RunState::Active, Some(current)) => (Role::StepCurrent, format!("step {} of {count}", current + 1)),
        (RunState::Active, None) => (Role::StepCurrent, "closing".to_owned()),
    };
    let mut right = vec![pen.plain(&format!("{incident} ")), pen.span(Role::PaneBorder, "── "), pen.span(role, &place)];
    if let Some(driver) = people::driver(ctx, run.id) {
        right.extend([pen.span(Role::PaneBorder, " ── "), pen.span(Role::GateAsk, &driver)]);
    }
    (left, right)
}

/// Where the steps are, and where the output is.
fn areas(inner: Rect, ctx: &ViewContext<'_>) -> (Rect, Option<Rect>) {
    if output_step(ctx).is_none() {
        return (inner, None);
    }
    if inner.width >= layout::WIDE - 2 {
        return layout::split_wide(inner, true, 43);
    }
    if inner.height < 9 {
        return (inner, None);
    }
    // What is to be approved is worth more than what was printed.
    let output_min = (inner.height / 5).max(3);
    let room = inner.height - output_min;
    let wanted = u16::try_from(fitting(ctx, room).len()).unwrap_or(u16::MAX);
    if wanted > room && is_offer_read(ctx) {
        return (inner, None);
    }
    let (list, output) = layout::split_top(inner, wanted.min(inner.height - output_min));
    (list, Some(output))
}

/// True while a step waits for an answer and the mark is on it: then all that is known of it comes first.
fn is_offer_read(ctx: &ViewContext<'_>) -> bool {
    let run = focus::run(ctx.snapshot, ctx.ui);
    let offered = run.and_then(|run| run.current_step().filter(|at| is_waiting(run, *at)));
    offered.is_some_and(|at| ctx.ui.list().selected == Some(RowKey::Step(at)))
}

fn is_waiting(run: &Run, at: usize) -> bool {
    run.steps.get(at).is_some_and(|step| step.state == StepState::Waiting)
}

/// The pane as it is laid out: its lines, where they are, how far they are scrolled, and where the output is.
pub struct Layout<'s> {
    /// The lines.
    pub entries: Vec<Entry<Row<'s>>>,
    /// Where they are.
    pub list: Rect,
    /// Which of them are on the screen.
    pub state: ListState,
    more: Option<Rect>,
    output: Option<Rect>,
}

/// Lays the pane out.
pub fn laid_out<'s>(inner: Rect, ctx: &ViewContext<'s>) -> Layout<'s> {
    let (area, output) = areas(inner, ctx);
    let entries = fitting(ctx, area.height);
    let (list, more) = list::split_more(area, entries.len());
    let state = list::with_whole_selection(&entries, ctx.ui.list(), usize::from(list.height));
    Layout { entries, list, state, more, output }
}

/// The step whose output is shown: the selected one where it has any, else the last that has.
fn output_step<'s>(ctx: &ViewContext<'s>) -> Option<(usize, &'s RunStep)> {
    let run = focus::run(ctx.snapshot, ctx.ui)?;
    let has_output = |index: &usize| run.steps.get(*index).is_some_and(|step| !step.output.is_empty());
    let selected = match ctx.ui.list().selected {
        Some(RowKey::Step(index)) => Some(index).filter(has_output),
        _ => None,
    };
    let index = selected.or_else(|| (0..run.steps.len()).rev().find(has_output))?;
    run.steps.get(index).map(|step| (index, step))
}

/// Draws the pane.
pub fn draw(canvas: &mut Canvas<'_>, inner: Rect, ctx: &ViewContext<'_>) -> Window {
    let Layout { entries, list, state, more, output } = laid_out(inner, ctx);
    if entries.is_empty() {
        empty(canvas, inner, ctx);
        return Window::default();
    }
    let pen = canvas.pen;
    let window = list::draw(canvas, list, &entries, &state, |row, width| line(pen, ctx, row, width));
    if let Some(more) = more {
        list::draw_more(canvas, more, window.offset, list.height, entries.len());
    }
    if let (Some(area), Some((index, step))) = (output, output_step(ctx)) {
        step_output::draw(canvas, area, inner, index, step, ctx.ui.output_scroll);
    }
    window
}

fn empty(canvas: &mut Canvas<'_>, inner: Rect, ctx: &ViewContext<'_>) {
    let text = match focus::incident(ctx.snapshot, ctx.ui) {
        None => "No incident is open, so there is nothing to mend.".to_owned(),
        Some(_) if !ctx.ui.list().filter.trim().is_empty() => "Nothing passes the filter.".to_owned(),
        Some(incident) => match incident.ranking.cause() {
            Some(cause) => format!("No runbook fits this cause: {}.", cause.kind.at(&cause.service)),
            None => "No runbook is proposed before the cause is known.".to_owned(),
        },
    };
    let indented = Rect { x: inner.x + inner.width.min(2), width: inner.width.saturating_sub(3), ..inner };
    canvas.wrapped(indented, 1, Role::Text, &text);
}

fn line(pen: Pen<'_>, ctx: &ViewContext<'_>, row: &Row<'_>, width: usize) -> Line<'static> {
    match row {
        Row::Blank => Line::default(),
        Row::Heading(heading) => Line::from(pen.span(Role::PaneHeading, heading)),
        Row::Step(index, step, place) => step_line(pen, *index, step, *place, width),
        Row::Proposal(proposal, ran_as) => proposal_line(pen, proposal, *ran_as, width),
        Row::Misfit(misfit) => pen.spread(vec![pen.plain(&misfit.title)], Vec::new(), width),
        Row::Need(misfit) => {
            let reason = pen.span(Role::TextMuted, &format!("  {}", misfit.reason));
            pen.spread(vec![reason], Vec::new(), width)
        }
        Row::Preview(index, step) => {
            let number = format!("  {} {:<6} ", index + 1, step_facts::kind_word(&step.spec.kind));
            let left = vec![pen.span(Role::TextMuted, &number), pen.plain(&step.spec.title)];
            pen.spread(left, vec![effect(pen, step.spec.effect, &step.spec.kind)], width)
        }
        Row::Fact(fact) => fact_line(pen, ctx, fact),
    }
}

fn step_line(pen: Pen<'_>, index: usize, step: &RunStep, place: Place, width: usize) -> Line<'static> {
    let is_current = place.is_current;
    let (role, symbol, outcome) = outcome(step, place);
    let spec = &step.bound.spec;
    let title_role = if is_current { Role::StepCurrent } else { role };
    let left = vec![
        pen.span(role, &format!("{symbol} ")),
        pen.span(title_role, &format!("{} {:<6} ", index + 1, step_facts::kind_word(&spec.kind))),
        pen.span(title_role, &spec.title),
    ];
    let outcome = pen.span(role, &outcome);
    if !is_current || !matches!(step.state, StepState::Waiting | StepState::Pending) {
        return pen.spread(left, vec![outcome], width);
    }
    let effect = effect(pen, spec.effect, &spec.kind);
    // That it waits is told by its marker, too; what it does to the world is told here only.
    let used: usize = left.iter().map(Span::width).sum();
    let has_room = used + outcome.width() + 2 + effect.width() < width;
    let right = if has_room { vec![outcome, pen.plain("  "), effect] } else { vec![effect] };
    pen.spread(left, right, width)
}

/// Role, symbol and words of where a step stands.
fn outcome(step: &RunStep, place: Place) -> (Role, &'static str, String) {
    let exit = step.exit_code.map(|code| format!("  exit {code}")).unwrap_or_default();
    match &step.state {
        StepState::Pending if place.is_current && !place.is_stopped => (Role::StepCurrent, "▶", "next".to_owned()),
        StepState::Pending => (Role::Step, "○", String::new()),
        StepState::Waiting => (Role::StepCurrent, "▶", "waits for you".to_owned()),
        StepState::Running { purpose: Purpose::DryRun, .. } => (Role::StepCurrent, "▶", "dry run under way".to_owned()),
        StepState::Running { purpose: Purpose::Probe, .. } => (Role::StepCurrent, "▶", "looking".to_owned()),
        StepState::Running { purpose: Purpose::Undo, .. } => (Role::StepCurrent, "▶", "being taken back".to_owned()),
        StepState::Running { .. } => (Role::StepCurrent, "▶", "running".to_owned()),
        StepState::Watching { .. } => (Role::StepCurrent, "▶", "watching".to_owned()),
        StepState::Elapsing { .. } => (Role::StepCurrent, "▶", "waiting".to_owned()),
        StepState::Succeeded { at } if step.is_as_expected == Some(false) => {
            (Role::GateAsk, "≠", format!("not as expected{exit}  {}", at.hh_mm_ss()))
        }
        StepState::Succeeded { at } => (Role::StepDone, "✓", format!("ok{exit}  {}", at.hh_mm_ss())),
        StepState::Skipped { by, .. } => (Role::StepDone, "–", format!("skipped by {by}")),
        StepState::PassedOver { .. } => (Role::TextMuted, "·", "not for this case".to_owned()),
        StepState::Undone { by, .. } => (Role::StepDone, "↶", format!("taken back by {by}")),
        StepState::Failed { .. } if place.is_stopped => (Role::StepFailed, "–", format!("stopped{exit}")),
        StepState::Failed { .. } => (Role::StepFailed, "✗", format!("failed{exit}")),
        StepState::Unknown { .. } => (Role::GateAsk, "?", "interrupted".to_owned()),
    }
}

/// What a step does to the world, in a word that a colour only underlines.
fn effect(pen: Pen<'_>, effect: StepEffect, kind: &StepKind) -> Span<'static> {
    match (effect, kind) {
        (StepEffect::Irreversible, _) => pen.span(Role::GateDeny, "▲ cannot be undone"),
        (StepEffect::Reversible, _) => pen.span(Role::GateAsk, "● reversible"),
        (StepEffect::Read, _) => pen.span(Role::TextMuted, "only looks"),
        (StepEffect::None, StepKind::Verify { .. }) => pen.span(Role::TextMuted, "only watches"),
        (StepEffect::None, StepKind::Wait { .. }) => pen.span(Role::TextMuted, "only waits"),
        (StepEffect::None, StepKind::Ask { .. }) => pen.span(Role::TextMuted, "you decide"),
        (StepEffect::None, StepKind::Branch { .. }) => pen.span(Role::TextMuted, "only decides"),
        (StepEffect::None, StepKind::Notify { .. }) => pen.span(Role::TextMuted, "only tells"),
        (StepEffect::None, _) => pen.span(Role::TextMuted, "to read"),
    }
}

fn proposal_line(pen: Pen<'_>, proposal: &Proposal, ran_as: Option<RunId>, width: usize) -> Line<'static> {
    let estimate = human_span(i64::from(proposal.runbook.estimate_seconds) * 1_000);
    let ran = ran_as.map(|run| format!("ran as {run} · ")).unwrap_or_default();
    let left =
        vec![pen.span(Role::TextStrong, &proposal.runbook.title), pen.plain(&format!("  {ran}{}", proposal.reason))];
    let steps = text::counted(proposal.steps.len() as u64, "step", "steps");
    let right = format!("{steps}, est. {estimate}");
    pen.spread(left, vec![pen.span(Role::TextMuted, &right)], width)
}

fn fact_line(pen: Pen<'_>, ctx: &ViewContext<'_>, fact: &Fact) -> Line<'static> {
    let label = |label: &str| pen.cell(Role::TextMuted, &format!("    {label}"), step_facts::LABEL_WIDTH);
    let spans = match fact {
        Fact::Text(name, content) => vec![label(name), pen.plain(content)],
        Fact::Gate(content) => vec![label("gate"), pen.span(Role::TextStrong, content)],
        Fact::Problem(name, content) => vec![label(name), pen.span(Role::StepFailed, content)],
        Fact::Command(name, content) => {
            let mut spans = vec![label(name)];
            spans.extend(code::shell(pen, content));
            spans
        }
        Fact::Progress(share, content) => {
            let bar = pen.cell(Role::BarFilled, &super::chart::bar(*share, 12), 12);
            vec![label("inside"), bar, pen.plain(&format!(" {content}"))]
        }
        Fact::Question => {
            let keys = |short: &str| super::footer::keys_for(ctx.hints, short).unwrap_or("see help").to_owned();
            let text = format!("it happened: {}   it did not: {}", keys("happened"), keys("not happened"));
            vec![label("you say"), pen.span(Role::GateAsk, &text)]
        }
    };
    Line::from(spans)
}
