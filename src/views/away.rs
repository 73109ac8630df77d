//! What happened while somebody was away: a panel that is shown once.

use ratatui::text::Line;

use super::canvas::Pen;
use super::context::ViewContext;
use super::evidence::paragraph;
use super::text;
use super::theme::Role;
use super::ui_state::Away;

/// Every line.
pub fn lines(pen: Pen<'_>, ctx: &ViewContext<'_>, away: &Away, width: usize) -> Vec<Line<'static>> {
    let (from, to) = (text::clock(away.since, ctx.now), text::clock(away.until, ctx.now));
    let age = text::age(away.until.since_ms(away.since));
    let mut lines = vec![Line::from(pen.span(Role::TextMuted, &format!("From {from} to {to} ({age}):")))];
    lines.extend(away.happened.iter().flat_map(|told| paragraph(pen, Role::Text, "· ", told, width)));
    lines
}
