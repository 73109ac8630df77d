//! Lines above a pane that say what stands between the reader and the truth: a broken store or file, sources that are
//! silent, history still being read.

use ratatui::text::{Line, Span};

use super::canvas::Pen;
use super::chart;
use super::context::ViewContext;
use super::focus;
use super::text;
use super::theme::Role;
use super::ui_state::Pane;
use crate::engine::model::human_count;

/// The lines, gravest first.
pub fn lines(pen: Pen<'_>, ctx: &ViewContext<'_>, width: usize) -> Vec<Line<'static>> {
    let snapshot = ctx.snapshot;
    let mut lines = Vec::new();
    if let Some(problem) = &snapshot.store.problem {
        let text = format!(" ✗ Store {}: {problem}", snapshot.store.path);
        lines.push(Line::from(pen.span(Role::TextProblem, &text)));
    }
    let is_now = ctx.ui.pane == Pane::Now;
    if let Some(first) = snapshot.file_problems.first().filter(|_| is_now) {
        let place = if first.line > 0 { format!("{}:{}", first.file, first.line) } else { first.file.to_string() };
        let more = match snapshot.file_problems.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        lines.push(Line::from(pen.span(Role::TextProblem, &format!(" △ {place}: {}{more}", first.text))));
    }
    // The first pane lists its sources one by one, and the log does not age.
    if !is_now && ctx.ui.pane != Pane::Log {
        lines.extend(down(pen, ctx));
    }
    lines.extend(backfill(pen, ctx, width));
    lines
}

fn down(pen: Pen<'_>, ctx: &ViewContext<'_>) -> Option<Line<'static>> {
    let mut down = focus::down(ctx.snapshot);
    let (source, since, reason) = down.next()?;
    let first = format!(
        " ✗ {} down since {} ({}): {reason}",
        source.source,
        text::clock(since, ctx.now),
        text::age(ctx.now.since_ms(since))
    );
    let text = match down.count() {
        0 => first,
        more => format!("{first} (and {more} more)"),
    };
    Some(Line::from(pen.span(Role::TextProblem, &text)))
}

fn backfill(pen: Pen<'_>, ctx: &ViewContext<'_>, width: usize) -> Option<Line<'static>> {
    let (done, total) = focus::backfill(ctx.snapshot)?;
    // Counts of chunks, far below where a float loses whole numbers.
    let share = done as f64 / total.max(1) as f64;
    let head = format!(" Reading history {:>3} % ", (share * 100.0).floor());
    let tail = format!(" {} of {} parts", human_count(done), human_count(total));
    let room = width.saturating_sub(text::width(&head) + text::width(&tail) + 1).min(40);
    let bar = pen.cell(Role::BarFilled, &chart::bar(share, room), room);
    Some(Line::from(vec![pen.plain(&head), bar, Span::styled(tail, pen.theme.style(Role::TextMuted))]))
}
