//! The board of one rollout: where it stands, its soak, and every target with what holds it. Before it is approved it is the
//! plan, line by line, as the approval is for exactly these lines.

use std::sync::Arc;

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::canvas::{Canvas, Pen};
use super::context::ViewContext;
use super::layout;
use super::list::{self, Entry, Filter, Window};
use super::rollout_detail;
use super::rollout_text;
use super::text::{self, counted};
use super::theme::Role;
use super::ui_state::{RowKey, UiState};
use crate::engine::clock::Timestamp;
use crate::engine::model::{IncidentId, RolloutId};
use crate::engine::snapshot::Snapshot;
use crate::engine::snapshot::rollout::{KeptRollout, RolloutState, Soak, Stage, StageKind};

/// Share of a wide screen that the detail takes, in percent.
const DETAIL_PERCENT: u16 = 42;
/// Columns of a target's symbol.
const SYMBOL_WIDTH: usize = 4;
/// Most columns of a target's name.
const NAME_WIDTH_MAX: usize = 32;

/// One line of the board.
#[derive(Debug, Clone)]
pub enum Row<'s> {
    /// Of the plan, as it is approved.
    Plan(String),
    /// The incident that it opened.
    Incident(IncidentId),
    /// Before a stage.
    Blank,
    /// A stage.
    Stage(usize, &'s Stage),
    /// A target, the number of its batch from 1 where it is the first of one of several, and what is told of it.
    Target(&'s str, Option<usize>, String),
    /// Who is left out, and why.
    LeftOut(&'s str, String),
    /// What is told of the target above, going on at this column.
    More(usize, String),
}

/// The rollout of this id, where the picture has it.
pub fn kept(snapshot: &Snapshot, id: RolloutId) -> Option<&Arc<KeptRollout>> {
    snapshot.rollouts.iter().find(|kept| kept.rollout.id == id)
}

/// The lines in order.
pub fn entries<'s>(snapshot: &'s Snapshot, ui: &UiState, id: RolloutId) -> Vec<Entry<Row<'s>>> {
    let Some(kept) = kept(snapshot, id) else { return Vec::new() };
    let rollout = &kept.rollout;
    let filter = Filter::new(&ui.list().filter);
    if rollout.state == RolloutState::Proposed {
        let lines = rollout.plan.lines().into_iter().enumerate().filter(|(_, line)| filter.matches(&[line]));
        return lines.map(|(at, line)| Entry::row(plan_key(kept, at, &line), Row::Plan(line))).collect();
    }
    let mut entries = Vec::new();
    entries.extend(kept.incident.map(|incident| Entry::row(RowKey::Incident(incident), Row::Incident(incident))));
    for (number, stage) in (1..).zip(&rollout.plan.stages) {
        let mut rows = Vec::new();
        for (batch, names) in (1..).zip(&stage.batches) {
            let passing = names.iter().filter(|name| {
                let word = rollout.targets.get(*name).map_or("", |record| record.state.word());
                filter.matches(&[name, word, &stage.name])
            });
            for (place, name) in passing.enumerate() {
                let batch = (place == 0 && stage.batches.len() > 1).then_some(batch);
                rows.push(Entry::row(
                    RowKey::RolloutTarget(id, name.as_str().into()),
                    Row::Target(name, batch, String::new()),
                ));
            }
        }
        if !rows.is_empty() {
            if !entries.is_empty() {
                entries.push(Entry::fixed(Row::Blank));
            }
            entries.push(Entry::heading(Row::Stage(number, stage)));
            entries.append(&mut rows);
        }
    }
    if filter.is_empty() && !rollout.plan.left_out.is_empty() {
        entries.push(Entry::fixed(Row::Blank));
        let out = rollout.plan.left_out.iter().map(|out| (out.name.as_str(), out.why.as_str()));
        let row = |name: &'s str, why: &str| Row::LeftOut(name, format!("left out: {why}"));
        entries.extend(out.map(|(name, why)| Entry::row(RowKey::RolloutTarget(id, name.into()), row(name, why))));
    }
    entries
}

/// A line about a target is that target's row.
fn plan_key(kept: &KeptRollout, at: usize, line: &str) -> RowKey {
    let of_target = line.strip_prefix("      ").and_then(|rest| rest.split_once(": "));
    match of_target.filter(|(name, _)| kept.rollout.plan.targets.contains_key(*name)) {
        Some((name, _)) => RowKey::RolloutTarget(kept.rollout.id, name.into()),
        None => RowKey::PlanLine(at),
    }
}

/// Beside the pane's title: which rollout, and where it stands.
pub fn title(pen: Pen<'_>, ctx: &ViewContext<'_>, id: RolloutId) -> Vec<Span<'static>> {
    let mut left = vec![pen.plain(&format!("  rollout {id}"))];
    if let Some(kept) = kept(ctx.snapshot, id) {
        left.push(pen.plain("  "));
        left.push(pen.badge(rollout_text::state(&kept.rollout)));
    }
    left
}

fn sides(inner: Rect, kept: &KeptRollout) -> (Rect, Option<Rect>) {
    let is_plan = kept.rollout.state == RolloutState::Proposed;
    layout::split_wide(inner, inner.width + 2 >= layout::WIDE && !is_plan, DETAIL_PERCENT)
}

/// Where the rows are.
pub fn list_area(inner: Rect, ctx: &ViewContext<'_>, id: RolloutId) -> Rect {
    let Some(kept) = kept(ctx.snapshot, id) else { return inner };
    let (left, _) = sides(inner, kept);
    let head = head(pen(ctx), ctx, kept, usize::from(left.width));
    layout::split_top(left, u16::try_from(head.len()).unwrap_or(0)).1
}

fn pen<'a>(ctx: &'a ViewContext<'_>) -> Pen<'a> {
    Pen { theme: ctx.theme, glyphs: ctx.glyphs }
}

/// Draws the board.
pub fn draw(canvas: &mut Canvas<'_>, inner: Rect, ctx: &ViewContext<'_>, id: RolloutId) -> Window {
    let Some(kept) = kept(ctx.snapshot, id) else {
        let is_known = ctx.snapshot.revision > 0;
        let text = if is_known { format!("{id} is no longer kept.") } else { "Reading what was kept …".to_owned() };
        let span = canvas.pen.plain(&format!("  {text}"));
        canvas.line(inner, 0, span);
        return Window::default();
    };
    let (left, beside) = sides(inner, kept);
    for (row, line) in (0..).zip(head(canvas.pen, ctx, kept, usize::from(left.width))) {
        canvas.line(left, row, line);
    }
    let columns = Columns::of(kept);
    let entries = wrapped(entries(ctx.snapshot, ctx.ui, id), ctx, kept, usize::from(left.width));
    let area = list_area(inner, ctx, id);
    let list = list::with_whole_selection(&entries, ctx.ui.list(), usize::from(area.height));
    let pen = canvas.pen;
    let window = list::draw(canvas, area, &entries, &list, |row, width| line(pen, ctx, kept, row, (columns, width)));
    if let Some(area) = beside {
        let selected = window.selected.and_then(|at| entries.get(at)).and_then(|entry| entry.key.as_ref());
        let edge = canvas.pen.span(Role::PaneBorder, "│");
        for row in 0..area.height {
            canvas.line(Rect { width: area.width.min(1), ..area }, row, edge.clone());
        }
        let text = Rect { x: area.x + 2, width: area.width.saturating_sub(3), ..area };
        let lines = selected.and_then(|row| rollout_detail::lines(canvas.pen, ctx, row, usize::from(text.width)));
        for (row, line) in (0..text.height).zip(lines.into_iter().flatten()) {
            canvas.line(text, row, line);
        }
    }
    window
}

/// Columns of the parts of a target's line.
#[derive(Clone, Copy)]
struct Columns {
    name: usize,
    state: usize,
}

impl Columns {
    /// No wider than what is in them.
    fn of(kept: &KeptRollout) -> Self {
        let (plan, targets) = (&kept.rollout.plan, &kept.rollout.targets);
        let names = plan.targets.keys().chain(plan.left_out.iter().map(|out| &out.name));
        let words = targets.values().map(|record| text::width(record.state.word()));
        Self {
            name: names.map(|name| text::width(name)).max().unwrap_or(0).min(NAME_WIDTH_MAX),
            state: words.max().unwrap_or(0) + 2,
        }
    }

    /// Where the state begins; who is left out has none, so its reason begins there.
    fn state_at(self) -> usize {
        2 + SYMBOL_WIDTH + self.name + 2
    }

    /// Where what is told of a target begins.
    fn told_at(self) -> usize {
        self.state_at() + self.state
    }
}

/// What is approved and what holds a target is read whole: a line that is too long goes on in the next.
fn wrapped<'s>(
    entries: Vec<Entry<Row<'s>>>,
    ctx: &ViewContext<'_>,
    kept: &KeptRollout,
    width: usize,
) -> Vec<Entry<Row<'s>>> {
    let width = width.saturating_sub(list::MARKER_WIDTH + 1);
    let columns = Columns::of(kept);
    let mut lines = Vec::new();
    for Entry { key, what, is_heading } in entries {
        match what {
            Row::Plan(line) => {
                let indent = " ".repeat(line.len() - line.trim_start().len());
                let mut parts = text::wrap(line.trim_start(), width.saturating_sub(indent.len() + 2), ctx.glyphs);
                let more = parts.split_off(1.min(parts.len()));
                lines
                    .extend(parts.into_iter().map(|part| Entry::keyed(key.clone(), Row::Plan(indent.clone() + &part))));
                lines.extend(more.into_iter().map(|part| Entry::fixed(Row::Plan(format!("{indent}  {part}")))));
            }
            Row::Target(name, batch, _) => {
                let (told, more) = first_and_more(&told(kept, name, ctx.now), columns.told_at(), width, ctx);
                lines.push(Entry::keyed(key, Row::Target(name, batch, told)));
                lines.extend(more);
            }
            Row::LeftOut(name, why) => {
                let (told, more) = first_and_more(&why, columns.state_at(), width, ctx);
                lines.push(Entry::keyed(key, Row::LeftOut(name, told)));
                lines.extend(more);
            }
            what => lines.push(Entry { key, what, is_heading }),
        }
    }
    lines
}

/// Text that begins at this column, as its first line and those that follow.
fn first_and_more<'s>(text: &str, at: usize, width: usize, ctx: &ViewContext<'_>) -> (String, Vec<Entry<Row<'s>>>) {
    let mut parts = text::wrap(text, width.saturating_sub(at + 1), ctx.glyphs).into_iter();
    let first = parts.next().unwrap_or_default();
    (first, parts.map(|part| Entry::fixed(Row::More(at, part))).collect())
}

/// What is told of a target, with its run.
fn told(kept: &KeptRollout, name: &str, now: Timestamp) -> String {
    let Some(record) = kept.rollout.targets.get(name) else { return String::new() };
    let told = rollout_text::of_target(&kept.rollout, name, record, now);
    kept.runs.get(name).map_or(told.clone(), |run| format!("{told} · {}", run.run))
}

/// The rows as they stand on the screen, where one may take several lines.
pub fn keys(inner: Rect, ctx: &ViewContext<'_>, id: RolloutId) -> Vec<Option<RowKey>> {
    let Some(kept) = kept(ctx.snapshot, id) else { return Vec::new() };
    let (left, _) = sides(inner, kept);
    let lines = wrapped(entries(ctx.snapshot, ctx.ui, id), ctx, kept, usize::from(left.width));
    lines.into_iter().map(|entry| entry.key).collect()
}

/// What is said of the rollout as a whole.
fn head(pen: Pen<'_>, ctx: &ViewContext<'_>, kept: &KeptRollout, width: usize) -> Vec<Line<'static>> {
    let rollout = &kept.rollout;
    let approval = match &rollout.approval {
        Some(approval) if rollout.is_approved() => {
            format!("approved by {} {}", approval.by, text::clock(approval.at, ctx.now))
        }
        Some(_) => "its plan changed, so its approval is void".to_owned(),
        None => "not approved".to_owned(),
    };
    let left = vec![
        pen.span(Role::TextStrong, &format!(" {}", rollout_text::subject(rollout))),
        pen.plain(&format!("  on {}", rollout_text::extent(rollout))),
    ];
    let width = width.saturating_sub(1);
    let mut lines = vec![pen.spread(left, vec![pen.span(Role::TextMuted, &approval)], width)];
    if rollout.state == RolloutState::Proposed {
        let text =
            format!("This is the whole plan {}; nothing begins before it is approved.", rollout_text::digest(rollout));
        lines.push(Line::from(pen.span(Role::TextMuted, &format!(" {text}"))));
        let begins = text::wrap(&rollout_text::beginning(kept, ctx.now), width.saturating_sub(1), pen.glyphs);
        lines.extend(begins.iter().take(2).map(|part| Line::from(pen.plain(&format!(" {part}")))));
        lines.push(Line::default());
        return lines;
    }
    let (state_role, _, word) = rollout_text::state(rollout);
    if let Some(why) = rollout_text::why(rollout) {
        let wrapped = text::wrap(&format!("{word}: {why}"), width.saturating_sub(1), pen.glyphs);
        lines.extend(wrapped.iter().take(2).map(|part| Line::from(pen.span(state_role, &format!(" {part}")))));
    }
    if rollout.plan.stages.iter().any(|stage| stage.kind == StageKind::Staging) && rollout.plan.stages.len() > 1 {
        let (role, soak) = rollout_text::soak(rollout, ctx.now);
        let wrapped = text::wrap(&soak, width.saturating_sub(7), pen.glyphs);
        for (at, part) in wrapped.iter().take(2).enumerate() {
            let label = if at == 0 { " soak  " } else { "       " };
            lines.push(Line::from(vec![pen.span(Role::TextMuted, label), pen.span(role, part)]));
        }
    }
    let is_told = match rollout.state {
        RolloutState::Running => matches!(rollout.soak, Soak::Undecided { .. }),
        // Why it ends is told above; that it waits for a person is not.
        RolloutState::Ending { .. } => false,
        _ => true,
    };
    if let Some(held) = rollout_text::held_by(kept, ctx.now).filter(|_| !is_told) {
        let role = if rollout_text::needs_person(rollout) { Role::TextProblem } else { Role::Text };
        lines.push(Line::from(vec![pen.span(Role::TextMuted, " next  "), pen.span(role, &held)]));
    }
    lines.push(Line::from(pen.plain(&format!(" {}", rollout_text::tally(rollout)))));
    if rollout.failures > 0 {
        let failures = counted(u64::from(rollout.failures), "installation failed", "installations failed");
        lines.push(Line::from(pen.span(Role::TextProblem, &format!(" {failures}"))));
    }
    lines.push(Line::default());
    lines
}

fn line(
    pen: Pen<'_>,
    ctx: &ViewContext<'_>,
    kept: &KeptRollout,
    row: &Row<'_>,
    (columns, width): (Columns, usize),
) -> Line<'static> {
    match row {
        Row::Plan(text) => Line::from(pen.plain(text)),
        Row::Blank => Line::default(),
        Row::Incident(id) => {
            let title = ctx.snapshot.incident(*id).map_or("", |incident| &*incident.title);
            let state = ctx.snapshot.incident(*id).map_or("", |incident| incident.state.word());
            let left = vec![pen.span(Role::SeverityCritical, &format!("▲ {id}")), pen.plain(&format!("  {title}"))];
            pen.spread(left, vec![pen.span(Role::TextMuted, state)], width)
        }
        Row::Stage(number, stage) => {
            let kind = if stage.kind == StageKind::Staging { "" } else { ", production" };
            let many = format!("at most {} at once", stage.batch_max);
            let left = vec![pen.span(Role::PaneHeading, &format!("{number}. {}{kind}", stage.name))];
            pen.spread(left, vec![pen.span(Role::TextMuted, &many)], width)
        }
        Row::Target(name, batch, told) => {
            let Some(record) = kept.rollout.targets.get(*name) else { return Line::default() };
            let (role, symbol, word) = rollout_text::target(&record.state);
            let batch = batch.map_or_else(String::new, |batch| batch.to_string());
            let left = vec![
                pen.cell_right(Role::TextMuted, &batch, 2),
                pen.cell(role, &format!(" {symbol}"), SYMBOL_WIDTH),
                pen.cell(Role::TextStrong, name, columns.name),
                pen.plain("  "),
                pen.cell(role, word, columns.state),
                pen.plain(told),
            ];
            pen.spread(left, Vec::new(), width)
        }
        Row::LeftOut(name, told) => {
            let left = vec![
                pen.cell(Role::TextMuted, "   –", 2 + SYMBOL_WIDTH),
                pen.cell(Role::TextMuted, name, columns.name),
                pen.span(Role::TextMuted, &format!("  {told}")),
            ];
            pen.spread(left, Vec::new(), width)
        }
        Row::More(at, told) => {
            let left = vec![pen.cell(Role::Text, "", *at), pen.plain(told)];
            pen.spread(left, Vec::new(), width)
        }
    }
}
