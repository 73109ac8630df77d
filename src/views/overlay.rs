//! What lies over the panes: help, palette, note, question, evidence, why. Each is a box whose edge names its keys.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::ask;
use super::away;
use super::canvas::{Canvas, Pen};
use super::context::ViewContext;
use super::entry;
use super::evidence;
use super::focus;
use super::footer::keys_line;
use super::habits;
use super::layout;
use super::people;
use super::policy;
use super::question;
use super::text;
use super::theme::Role;
use super::ui_state::{Overlay, RowKey, Written};
use super::unsent;
use super::why;
use super::writing;
use crate::engine::model::IncidentId;

/// How much of an overlay is on the screen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extent {
    /// How far its lines can be scrolled.
    pub offset_max: usize,
    /// True for a question of which nothing is out of sight.
    pub is_question_whole: bool,
}

/// Draws the open overlay over `body` (the pane and its last row), if one is open.
pub fn draw(canvas: &mut Canvas<'_>, body: Rect, ctx: &ViewContext<'_>) -> Extent {
    if let Overlay::Confirm(confirmation) = &ctx.ui.overlay {
        return Extent { offset_max: 0, is_question_whole: question::draw(canvas, body, ctx, confirmation) };
    }
    Extent { offset_max: draw_box(canvas, body, ctx), is_question_whole: false }
}

/// Draws what is no question; returns how far its lines can be scrolled.
fn draw_box(canvas: &mut Canvas<'_>, body: Rect, ctx: &ViewContext<'_>) -> usize {
    match &ctx.ui.overlay {
        Overlay::None | Overlay::Filter | Overlay::Asking | Overlay::Confirm(_) => {}
        Overlay::Sources { row, selected } => sources(canvas, body, ctx, row, *selected),
        Overlay::Help { selected } => help(canvas, body, ctx, *selected),
        Overlay::Palette { input, selected } => palette(canvas, body, ctx, input, *selected),
        Overlay::Unsent => unsent::draw(canvas, body, ctx),
        Overlay::Note { incident, what } => note(canvas, body, ctx, *incident, *what),
        Overlay::Evidence { hypothesis, offset } => {
            let Some(incident) = focus::incident(ctx.snapshot, ctx.ui) else { return 0 };
            let title = format!("Evidence for {}", incident.id);
            let panel = Panel { size: (100, 40), title: &title, keys: &[("next", "next hypothesis")], offset: *offset };
            return scrolled(canvas, body, ctx, &panel, |pen, width| {
                evidence::lines(pen, ctx.snapshot, incident, *hypothesis, width)
            });
        }
        Overlay::Entry { row, offset } => {
            let incident = entry::incident_of(ctx.snapshot, row).map(|(incident, _)| format!("go to {incident}"));
            let keys: Vec<_> = incident.iter().map(|go| ("open", go.as_str())).collect();
            let title = entry::title(ctx.snapshot, row);
            let panel = Panel { title: &title, keys: &keys, ..Panel::of("", *offset) };
            return scrolled(canvas, body, ctx, &panel, |pen, width| entry::lines(pen, ctx, row, width));
        }
        Overlay::Habits { offset } => {
            let panel = Panel::of("What was learnt to set aside", *offset);
            return scrolled(canvas, body, ctx, &panel, |pen, width| habits::lines(pen, ctx, width));
        }
        Overlay::Policy { offset } => {
            let panel = Panel::of("What may begin by itself", *offset);
            return scrolled(canvas, body, ctx, &panel, |pen, width| policy::lines(pen, ctx, width));
        }
        Overlay::People { offset } => {
            let panel = Panel::of("Who is here", *offset);
            return scrolled(canvas, body, ctx, &panel, |pen, width| people::lines(pen, ctx, width));
        }
        Overlay::Away { away, offset } => {
            let panel = Panel { size: (90, 20), ..Panel::of("While you were away", *offset) };
            return scrolled(canvas, body, ctx, &panel, |pen, width| away::lines(pen, ctx, away, width));
        }
        Overlay::Why { anomaly, offset } => {
            let incident = ctx.snapshot.anomaly(*anomaly).and_then(|anomaly| anomaly.incident);
            let go = incident.map(|incident| format!("go to {incident}"));
            let keys: Vec<_> = go.iter().map(|go| ("open", go.as_str())).collect();
            let title = format!("Why {anomaly} is an anomaly");
            let panel = Panel { title: &title, keys: &keys, ..Panel::of("", *offset) };
            return scrolled(canvas, body, ctx, &panel, |pen, width| match ctx.snapshot.anomaly(*anomaly) {
                Some(anomaly) => why::lines(pen, ctx, anomaly, width),
                None => vec![Line::from(pen.plain("It is over, and no longer in the picture."))],
            });
        }
    }
    0
}

/// A box of lines that are scrolled.
struct Panel<'p> {
    size: (u16, u16),
    title: &'p str,
    /// The keys that it knows beside those that scroll it and close it.
    keys: &'p [(&'p str, &'p str)],
    offset: usize,
}

impl<'p> Panel<'p> {
    fn of(title: &'p str, offset: usize) -> Self {
        Self { size: (90, 32), title, keys: &[], offset }
    }
}

/// The keys of a box, with those that move only where there is something to move to.
fn box_keys(ctx: &ViewContext<'_>, more: &[(&str, &str)], moves: bool) -> String {
    let moving: &[(&str, &str)] = if moves { &[("down", "down"), ("up", "up")] } else { &[] };
    let keys = keys_line(ctx.hints, &[moving, more, &[("back", "back")]].concat());
    // A box lies over the row in which keys that wait are shown.
    if ctx.ui.pending.is_empty() { keys } else { format!("{} …  {keys}", ctx.ui.pending) }
}

/// Where a box of at most this size is in the body.
fn boxed(body: Rect, (width, height): (u16, u16)) -> Rect {
    // One that would nearly cover the pane covers it whole, edge on edge.
    let whole = |size: u16, slack: u16, of: u16| if size.saturating_add(slack) >= of { of } else { size };
    layout::centred(body, whole(width, 4, body.width), whole(height, 2, body.height))
}

/// The area of a box for its text.
fn inner(area: Rect) -> Rect {
    let inside = layout::inside(area);
    Rect { x: inside.x + inside.width.min(1), width: inside.width.saturating_sub(2), ..inside }
}

/// Opens a box of at most this size in the middle of the body; returns the area for its text.
pub fn open(canvas: &mut Canvas<'_>, body: Rect, size: (u16, u16), title: &str, keys: &str) -> Rect {
    let area = boxed(body, size);
    canvas.clear(area);
    canvas.sides(area);
    let pen = canvas.pen;
    canvas.rule(area, 0, ("┌", "┐"), vec![pen.span(Role::PaneTitle, title)], Vec::new());
    let keys = vec![pen.span(Role::Key, keys)];
    canvas.rule(area, area.height.saturating_sub(1), ("└", "┘"), keys, Vec::new());
    inner(area)
}

/// Draws a box and its lines from an offset on, as far as there is more below than fits; returns the largest offset of use.
fn scrolled<'t>(
    canvas: &mut Canvas<'t>,
    body: Rect,
    ctx: &ViewContext<'_>,
    panel: &Panel<'_>,
    lines: impl FnOnce(Pen<'t>, usize) -> Vec<Line<'static>>,
) -> usize {
    let area = inner(boxed(body, panel.size));
    let lines = lines(canvas.pen, usize::from(area.width));
    let height = usize::from(area.height);
    let offset_max = lines.len().saturating_sub(height);
    open(canvas, body, panel.size, panel.title, &box_keys(ctx, panel.keys, offset_max > 0));
    let offset = panel.offset.min(offset_max);
    for (row, line) in (0..area.height).zip(lines.iter().skip(offset)) {
        canvas.line(area, row, line.clone());
    }
    let below = lines.len().saturating_sub(offset + height);
    if below > 0 && area.height > 0 {
        let span = canvas.pen.span(Role::TextMuted, &format!("… {} more", below + 1));
        let last = area.height - 1;
        canvas.clear(Rect { y: area.y + last, height: 1, ..area });
        canvas.line(area, last, span);
    }
    canvas.put_cursor(area.x, area.y);
    offset_max
}

/// Draws the lines around the selected one, which carries the marker and the cursor.
fn choose(canvas: &mut Canvas<'_>, area: Rect, count: usize, selected: usize, line: impl Fn(usize) -> Line<'static>) {
    let height = usize::from(area.height).max(1);
    let selected = selected.min(count.saturating_sub(1));
    let offset = (selected + 1).saturating_sub(height);
    for (row, index) in (0..area.height).zip(offset..count) {
        let is_selected = index == selected;
        let role = if is_selected { Role::SelectionMarker } else { Role::Text };
        let mut spans = vec![canvas.pen.span(role, if is_selected { "▶" } else { " " }), Span::raw(" ")];
        spans.extend(line(index).spans);
        canvas.line(area, row, spans);
        if is_selected {
            canvas.put_cursor(area.x, area.y + row);
        }
    }
}

/// From so many rows on the chosen line's sentence stands whole below the list, in so many.
const HELP_ROWS_MIN: u16 = 12;
const HELP_TOLD_ROWS: u16 = 3;

fn help(canvas: &mut Canvas<'_>, body: Rect, ctx: &ViewContext<'_>, selected: usize) {
    let title = format!("Help for {}", ctx.ui.pane.title());
    let mut keys = box_keys(ctx, &[("open", "do it")], ctx.hints.len() > 1);
    if ctx.hints.iter().any(|hint| hint.is_act) {
        keys.push_str("  ! changes something");
    }
    let inner = open(canvas, body, (100, 40), &title, &keys);
    let told = if inner.height >= HELP_ROWS_MIN { HELP_TOLD_ROWS } else { 0 };
    let (list, below) = layout::split_top(inner, inner.height - told);
    let pen = canvas.pen;
    if let (Some(hint), true) = (ctx.hints.get(selected.min(ctx.hints.len().saturating_sub(1))), told > 0) {
        let lines = text::wrap(&hint.help, usize::from(below.width), pen.glyphs);
        for (row, line) in (0..below.height).zip(lines) {
            canvas.line(below, row, pen.span(Role::TextStrong, &line));
        }
    }
    choose(canvas, list, ctx.hints.len(), selected, |index| {
        let Some(hint) = ctx.hints.get(index) else { return Line::default() };
        let role = if hint.is_act { Role::KeyAct } else { Role::Key };
        let mark = if hint.is_act { "! " } else { "  " };
        Line::from(vec![pen.cell(role, &hint.keys, 14), pen.span(role, mark), pen.plain(&hint.help)])
    });
}

/// What a claim rests on: the box that Enter opens where that is more than one thing.
fn sources(canvas: &mut Canvas<'_>, body: Rect, ctx: &ViewContext<'_>, row: &RowKey, selected: usize) {
    let sources = ask::sources(ctx.snapshot, ctx.ui, row);
    let height = u16::try_from(sources.len().min(14) + 2).unwrap_or(16);
    let keys = box_keys(ctx, &[("open", "go there")], sources.len() > 1);
    let inner = open(canvas, body, (60, height), "What this rests on", &keys);
    let pen = canvas.pen;
    choose(canvas, inner, sources.len(), selected, |index| {
        sources.get(index).map(|source| Line::from(pen.plain(source))).unwrap_or_default()
    });
}

fn palette(canvas: &mut Canvas<'_>, body: Rect, ctx: &ViewContext<'_>, input: &str, selected: usize) {
    let keys = keys_line(ctx.hints, &[("take", "do it"), ("up", "up"), ("down", "down"), ("back", "back")]);
    let inner = open(canvas, body, (64, 16), "Command", &keys);
    let (line, list) = layout::split_top(inner, 1);
    let pen = canvas.pen;
    choose(canvas, list, ctx.palette.len(), selected, |index| {
        let Some(found) = ctx.palette.get(index) else { return Line::default() };
        let mut left = Vec::new();
        for (position, character) in found.title.chars().enumerate() {
            let role = if found.matched.contains(&position) { Role::InputMatch } else { Role::Text };
            left.push(pen.span(role, character.encode_utf8(&mut [0; 4])));
        }
        pen.spread(left, vec![pen.span(Role::Key, &found.keys)], usize::from(list.width).saturating_sub(2))
    });
    if ctx.palette.is_empty() {
        let span = pen.span(Role::TextMuted, "  no command matches");
        canvas.line(list, 0, span);
    }
    typed(canvas, line, ":", (input, ""));
}

/// A prompt with what was typed, its end in sight, and the cursor behind it.
pub fn typed(canvas: &mut Canvas<'_>, area: Rect, prompt: &str, (before, after): (&str, &str)) {
    let pen = canvas.pen;
    let before = text::clean(before, pen.glyphs);
    let prompt_width = text::width(prompt);
    let room = usize::from(area.width).saturating_sub(prompt_width + 1);
    let hidden = text::width(&before).saturating_sub(room);
    let before = before.get(text::take(&before, hidden).len()..).unwrap_or("");
    let shown = format!("{before}{}", text::clean(after, pen.glyphs));
    canvas.line(area, 0, vec![pen.span(Role::Key, prompt), pen.span(Role::Input, &shown)]);
    let column = u16::try_from(prompt_width + text::width(before)).unwrap_or(u16::MAX);
    canvas.put_cursor(area.x.saturating_add(column.min(area.width.saturating_sub(1))), area.y);
}

fn note(canvas: &mut Canvas<'_>, body: Rect, ctx: &ViewContext<'_>, incident: IncidentId, what: Written) {
    let keys = [("save", "save"), ("new line", "new line"), ("back", "keep as a draft")];
    let (title, size) = match what {
        Written::Note => (format!("Note for {incident}"), (72, 10)),
        Written::Update => (format!("Status update on {incident}: what stakeholders are told"), (90, 14)),
        Written::Draft => (format!("Draft of a runbook of {incident}; nothing of it runs"), (120, 60)),
        Written::PostMortem => (format!("Post-mortem of {incident}, in Markdown"), (120, 60)),
    };
    let inner = open(canvas, body, size, &title, &keys_line(ctx.hints, &keys));
    writing::draw(canvas, inner, ctx);
}
