//! Writes lines into the buffer: cleaned, cut to their width, and never outside their area.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::context::Glyphs;
use super::text;
use super::theme::{Role, Theme};

/// Turns text and a role into a span that may be drawn as it is.
#[derive(Clone, Copy)]
pub struct Pen<'a> {
    /// Styles by role.
    pub theme: &'a Theme,
    /// Which characters may be used.
    pub glyphs: Glyphs,
}

impl Pen<'_> {
    /// Text in a role, cleaned.
    #[must_use]
    pub fn span(&self, role: Role, content: &str) -> Span<'static> {
        Span::styled(text::clean(content, self.glyphs).into_owned(), self.theme.style(role))
    }

    /// Plain text, cleaned.
    #[must_use]
    pub fn plain(&self, content: &str) -> Span<'static> {
        self.span(Role::Text, content)
    }

    /// Exactly `width` columns, text at the left.
    #[must_use]
    pub fn cell(&self, role: Role, content: &str, width: usize) -> Span<'static> {
        Span::styled(text::cell(content, width, self.glyphs), self.theme.style(role))
    }

    /// Exactly `width` columns, text at the right.
    #[must_use]
    pub fn cell_right(&self, role: Role, content: &str, width: usize) -> Span<'static> {
        Span::styled(text::cell_right(content, width, self.glyphs), self.theme.style(role))
    }

    /// `left` at the left edge and `right` at the right edge of `width` columns; the left gives way where both do not fit.
    #[must_use]
    pub fn spread(&self, left: Vec<Span<'static>>, right: Vec<Span<'static>>, width: usize) -> Line<'static> {
        let right_width: usize = right.iter().map(Span::width).sum();
        if right_width + 8 > width {
            return fit(Line::from(left), width, self.glyphs);
        }
        let mut line = fit(Line::from(left), width - right_width - 1, self.glyphs);
        let gap = width.saturating_sub(line.width() + right_width);
        line.spans.push(Span::raw(" ".repeat(gap)));
        line.spans.extend(right);
        line
    }

    /// Symbol and word in their role: `▲ CRIT`.
    #[must_use]
    pub fn badge(&self, (role, symbol, word): (Role, &str, &str)) -> Span<'static> {
        self.span(role, &format!("{symbol} {word}"))
    }
}

/// A buffer with the pen to draw into it, and where the terminal's cursor is to stand.
pub struct Canvas<'a> {
    buffer: &'a mut Buffer,
    /// For making spans.
    pub pen: Pen<'a>,
    /// Where the terminal's cursor stands after this frame.
    pub cursor: Option<Position>,
}

impl<'a> Canvas<'a> {
    /// A canvas over a buffer.
    pub fn new(buffer: &'a mut Buffer, pen: Pen<'a>) -> Self {
        Self { buffer, pen, cursor: None }
    }

    /// Draws a line into row `row` of `area`, cut with `…` where it is too long.
    pub fn line(&mut self, area: Rect, row: u16, line: impl Into<Line<'static>>) {
        let area = area.intersection(self.buffer.area);
        if row >= area.height || area.width == 0 {
            return;
        }
        let line = fit(line.into(), usize::from(area.width), self.pen.glyphs);
        self.buffer.set_line(area.x, area.y + row, &line, area.width);
    }

    /// Draws text broken into lines from row `row` on; returns the row after the last.
    pub fn wrapped(&mut self, area: Rect, row: u16, role: Role, content: &str) -> u16 {
        let mut row = row;
        for line in text::wrap(content, usize::from(area.width), self.pen.glyphs) {
            let span = self.pen.span(role, &line);
            self.line(area, row, span);
            row = row.saturating_add(1);
        }
        row
    }

    /// Lays a style over every cell of a row of `area`.
    pub fn tint(&mut self, area: Rect, row: u16, style: Style) {
        if row < area.height {
            let row = Rect { y: area.y + row, height: 1, ..area };
            self.buffer.set_style(row.intersection(self.buffer.area), style);
        }
    }

    /// Empties an area.
    pub fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        for position in area.positions() {
            if let Some(cell) = self.buffer.cell_mut(position) {
                cell.reset();
            }
        }
    }

    /// A horizontal rule with text set into it, from edge to edge of `area`: `├ left ──── right ┤`.
    pub fn rule(
        &mut self,
        area: Rect,
        row: u16,
        ends: (&str, &str),
        left: Vec<Span<'static>>,
        right: Vec<Span<'static>>,
    ) {
        let pen = self.pen;
        let width = usize::from(area.width);
        if width < 4 {
            return;
        }
        let border = |content: &str| pen.span(Role::PaneBorder, content);
        let mut right =
            if right.is_empty() { Vec::new() } else { [vec![border(" ")], right, vec![border(" ")]].concat() };
        let left = if left.is_empty() { Vec::new() } else { [vec![border(" ")], left, vec![border(" ")]].concat() };
        let columns = |spans: &[Span<'_>]| spans.iter().map(Span::width).sum::<usize>();
        if columns(&right) + 12 > width {
            right.clear();
        }
        let left = fit(Line::from(left), width - 2 - columns(&right), pen.glyphs).spans;
        let gap = (width - 2).saturating_sub(columns(&left) + columns(&right));
        let spans = [vec![border(ends.0)], left, vec![border(&"─".repeat(gap))], right, vec![border(ends.1)]].concat();
        self.line(area, row, spans);
    }

    /// The two sides of a box, from row 1 on; the top and bottom are rules.
    pub fn sides(&mut self, area: Rect) {
        let side = self.pen.span(Role::PaneBorder, "│");
        for row in 1..area.height {
            self.line(Rect { width: 1, ..area }, row, side.clone());
            self.line(Rect { x: area.right().saturating_sub(1), width: area.width.min(1), ..area }, row, side.clone());
        }
    }

    /// Puts the terminal's cursor there, where it is on the screen.
    pub fn put_cursor(&mut self, x: u16, y: u16) {
        let position = Position { x, y };
        if self.buffer.area.contains(position) {
            self.cursor = Some(position);
        }
    }
}

/// Cuts a line to `width` columns, with a mark where something was left out.
fn fit(line: Line<'static>, width: usize, glyphs: Glyphs) -> Line<'static> {
    if line.width() <= width {
        return line;
    }
    let mut left = width;
    let mut spans = Vec::with_capacity(line.spans.len());
    for span in line.spans {
        let columns = span.width();
        if columns < left {
            left -= columns;
            spans.push(span);
            continue;
        }
        // Cut one column short and marked, even where the span would just fit: more follows that does not.
        let mark = if glyphs.is_ascii { '~' } else { '…' };
        let mut cut = text::take(&span.content, left.saturating_sub(1)).to_owned();
        if left > 0 {
            cut.push(mark);
        }
        spans.push(Span::styled(cut, span.style));
        break;
    }
    Line::from(spans)
}
