//! A text that was begun and not sent, offered at the next start: which it is, how it begins, and what may become of it.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::canvas::Canvas;
use super::context::ViewContext;
use super::evidence::paragraph;
use super::footer::keys_line;
use super::overlay::open;
use super::text;
use super::theme::Role;

/// Columns of the box.
const WIDTH: u16 = 72;
/// Columns of the box that are not text, and rows.
const EDGES: (u16, u16) = (4, 2);
/// Rows of the text that are shown.
const SHOWN_MAX: usize = 4;

/// Draws the first text that is offered.
pub fn draw(canvas: &mut Canvas<'_>, body: Rect, ctx: &ViewContext<'_>) {
    let Some((first, others)) = ctx.ui.unsent.split_first() else { return };
    let pen = canvas.pen;
    let width = usize::from(WIDTH.min(body.width).saturating_sub(EDGES.0));
    let about = ctx.snapshot.incident(first.incident).map(|incident| format!(", {},", incident.title));
    let said = format!(
        "A {} on {}{} from {} was not sent.",
        first.what.word(),
        first.incident,
        about.unwrap_or_default(),
        text::clock(first.at, ctx.now)
    );
    let mut lines = paragraph(pen, Role::TextStrong, "", &said, width);
    lines.push(Line::default());
    let begins = first.lines.iter().filter(|line| !line.trim().is_empty());
    let rows: Vec<_> =
        begins.flat_map(|line| paragraph(pen, Role::Input, "  ", line, width)).take(SHOWN_MAX + 1).collect();
    let is_cut = rows.len() > SHOWN_MAX;
    lines.extend(rows.into_iter().take(SHOWN_MAX));
    if is_cut {
        lines.push(Line::from(pen.span(Role::TextMuted, "  …")));
    }
    if !others.is_empty() {
        lines.push(Line::default());
        let more = format!("{} more after this.", others.len());
        lines.push(Line::from(pen.span(Role::TextMuted, &more)));
    }
    let keys = keys_line(ctx.hints, &[("go on", "goes on with it"), ("drop it", "drops it"), ("later", "later")]);
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(EDGES.1);
    let inner = open(canvas, body, (WIDTH, height), "Not sent", &keys);
    for (row, line) in (0..inner.height).zip(lines) {
        canvas.line(inner, row, line);
    }
    canvas.put_cursor(inner.x, inner.y);
}
