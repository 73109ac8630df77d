//! A source that is not healthy, in a line.

use ratatui::text::Line;

use super::canvas::Pen;
use super::chart;
use super::context::ViewContext;
use super::text;
use super::theme::Role;
use crate::engine::model::{SourceReport, SourceState};

/// `✗ prom-us down since 14:32Z (<1 m): no answer from …    again 14:33Z`
pub fn line(pen: Pen<'_>, ctx: &ViewContext<'_>, source: &SourceReport, width: usize) -> Line<'static> {
    let name = pen.span(Role::TextStrong, &format!(" {} ", source.source));
    let spans = match &source.state {
        SourceState::Down { reason, since, retry_at } => {
            let age = text::age(ctx.now.since_ms(*since));
            let text = format!("down since {} ({age}): {reason}", text::clock(*since, ctx.now));
            let retry = format!("again {}", text::clock(*retry_at, ctx.now));
            let left = vec![pen.span(Role::TextProblem, "✗"), name, pen.plain(&text)];
            return pen.spread(left, vec![pen.span(Role::TextMuted, &retry)], width);
        }
        SourceState::Degraded { reason } => vec![pen.span(Role::TextProblem, "△"), name, pen.plain(reason)],
        SourceState::Backfilling { done, total } => {
            let share = f64::from(*done) / f64::from((*total).max(1));
            let text = format!("reading history {:.0} % ", (share * 100.0).floor());
            let bar = pen.span(Role::BarFilled, &chart::bar(share, 20));
            vec![pen.plain("…"), name, pen.plain(&text), bar]
        }
        SourceState::Starting => vec![pen.plain("…"), name, pen.plain("waiting for the first answer")],
        SourceState::Healthy => vec![pen.plain("✓"), name],
    };
    pen.spread(spans, Vec::new(), width)
}
