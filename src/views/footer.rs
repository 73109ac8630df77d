//! The last row: the pane's keys, or the notice, or the filter being typed.

use ratatui::layout::Rect;
use ratatui::text::Span;

use super::canvas::Canvas;
use super::context::{KeyHint, ViewContext};
use super::text;
use super::theme::Role;
use super::ui_state::{Notice, Overlay};

/// Draws the last row.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, ctx: &ViewContext<'_>) {
    if ctx.ui.overlay == Overlay::Filter {
        return filter(canvas, area, ctx);
    }
    let spans = match &ctx.ui.notice {
        Some(notice) => return said(canvas, area, notice),
        None if !ctx.ui.pending.is_empty() => {
            let pen = canvas.pen;
            vec![pen.span(Role::Input, &ctx.ui.pending), pen.span(Role::TextMuted, " …  Esc drops it")]
        }
        // A box names its own keys.
        None if ctx.ui.overlay.is_box() => Vec::new(),
        None => hints(canvas, usize::from(area.width).saturating_sub(6), ctx.hints),
    };
    canvas.rule(area, 0, ("└", "┘"), spans, Vec::new());
}

/// Rows that a message may take from the pane above.
const NOTICE_ROWS_MAX: usize = 4;

/// The message, whole: what does not fit into the last row begins in the rows above it.
fn said(canvas: &mut Canvas<'_>, area: Rect, notice: &Notice) {
    let pen = canvas.pen;
    let (role, symbol) = if notice.is_problem { (Role::NoticeProblem, "✗ ") } else { (Role::Notice, "") };
    let width = usize::from(area.width).saturating_sub(4);
    let told = format!("{symbol}{}", text::without_os_number(&notice.text));
    let mut lines = text::wrap(&told, width, pen.glyphs);
    let rows_max = NOTICE_ROWS_MAX.min(usize::from(area.y)).max(1);
    if lines.len() > rows_max {
        let rest = lines.split_off(rows_max - 1).join(" ");
        lines.push(text::truncate(&rest, width, pen.glyphs));
    }
    let last = lines.pop().unwrap_or_default();
    let above = u16::try_from(lines.len()).unwrap_or(0);
    for (row, line) in (area.y.saturating_sub(above)..).zip(lines) {
        let edge = pen.span(Role::PaneBorder, "│");
        let spans = vec![edge.clone(), pen.plain(" "), pen.span(role, &text::cell(&line, width, pen.glyphs))];
        let spans = [spans, vec![pen.plain(" "), edge]].concat();
        canvas.line(Rect { y: row, height: 1, ..area }, 0, spans);
    }
    canvas.rule(area, 0, ("└", "┘"), vec![pen.span(role, &last)], Vec::new());
}

/// `Ctrl-d save  Enter new line`: the keys of these hints (by their short names), each with what it does here.
#[must_use]
pub fn keys_line(hints: &[KeyHint], wanted: &[(&str, &str)]) -> String {
    let known = wanted.iter().filter_map(|(short, what)| Some(format!("{} {what}", keys_for(hints, short)?)));
    known.collect::<Vec<_>>().join("  ")
}

/// As many keys as fit, whole ones only.
fn hints(canvas: &Canvas<'_>, width_max: usize, hints: &[KeyHint]) -> Vec<Span<'static>> {
    let pen = canvas.pen;
    let mut spans: Vec<Span<'static>> = Vec::new();
    let mut used = 0;
    for (index, hint) in hints.iter().enumerate() {
        // Three ways down are one idea; help lists them all.
        if hints[..index].iter().any(|before| before.short == hint.short) {
            continue;
        }
        let role = if hint.is_act { Role::KeyAct } else { Role::Key };
        let gap = if spans.is_empty() { "" } else { "  " };
        let parts = [pen.plain(gap), pen.span(role, &hint.keys), pen.plain(" "), pen.plain(&hint.short)];
        let width: usize = parts.iter().map(Span::width).sum();
        if used + width > width_max {
            break;
        }
        used += width;
        spans.extend(parts);
    }
    spans
}

/// `/text` with the cursor behind it and the number of rows it leaves.
fn filter(canvas: &mut Canvas<'_>, area: Rect, ctx: &ViewContext<'_>) {
    let typed = text::clean(&ctx.ui.list().filter, ctx.glyphs).into_owned();
    let left = super::rows(ctx.ui.pane, ctx.snapshot, ctx.ui).len();
    let width = usize::from(area.width);
    // The end of what is typed stays in sight.
    let room = width.saturating_sub(16);
    let hidden = text::width(&typed).saturating_sub(room);
    let head = text::width(text::take(&typed, hidden));
    let shown = typed.get(text::take(&typed, hidden).len()..).unwrap_or("").to_owned();
    let pen = canvas.pen;
    let spans = vec![pen.span(Role::Key, "/"), pen.span(Role::Input, &shown)];
    let count = vec![pen.span(Role::TextMuted, &format!("{left} left "))];
    let line = pen.spread(spans, count, width);
    canvas.line(area, 0, line);
    let column = u16::try_from(1 + text::width(&typed) - head).unwrap_or(u16::MAX);
    canvas.put_cursor(area.x.saturating_add(column), area.y);
}

/// The keys of a hint with this short name, where the pane has one: so that text on the screen names real keys only.
pub fn keys_for<'a>(hints: &'a [KeyHint], short: &str) -> Option<&'a str> {
    hints.iter().find(|hint| hint.short == short).map(|hint| hint.keys.as_str())
}
