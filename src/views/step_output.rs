//! What a step's call printed, under its own rule.

use ratatui::layout::Rect;

use super::canvas::Canvas;
use super::layout;
use super::text;
use super::theme::Role;
use crate::engine::model::RunStep;

/// The output, its end in sight unless it was scrolled back.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, inner: Rect, index: usize, step: &RunStep, scroll: usize) {
    let pen = canvas.pen;
    let (rule, text_area) = layout::split_top(area, 1);
    let shown = usize::from(text_area.height);
    let scroll = scroll.min(step.output.len().saturating_sub(shown));
    let end = step.output.len() - scroll;
    let lines = step.output.get(end.saturating_sub(shown)..end).unwrap_or_default();
    let mut facts = text::counted(step.output.len() as u64, "line", "lines");
    if step.output_dropped_count > 0 {
        facts += &format!(", {} more left out of the middle", step.output_dropped_count);
    }
    if scroll > 0 {
        facts += &format!(", {scroll} below");
    }
    let is_below = area.x == inner.x;
    let edge = if is_below { Rect { x: rule.x.saturating_sub(1), width: rule.width + 2, ..rule } } else { rule };
    let ends = if is_below { ("├", "┤") } else { ("─", "─") };
    let heading = vec![pen.span(Role::PaneHeading, &format!("output of step {}", index + 1))];
    canvas.rule(edge, 0, ends, heading, vec![pen.span(Role::TextMuted, &facts)]);
    for (row, line) in (0..).zip(lines) {
        let content = text::truncate(line, usize::from(text_area.width).saturating_sub(2), pen.glyphs);
        let role = if line.starts_with("$ ") { Role::CodeCommand } else { Role::Code };
        let spans = vec![pen.plain(" "), pen.span(role, &content)];
        canvas.line(text_area, row, spans);
    }
}
