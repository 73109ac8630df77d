//! Systems outside that are to be told things and were not: how many wait, why the last try failed, when the next is.

use ratatui::text::Line;

use super::canvas::Pen;
use super::context::ViewContext;
use super::text;
use super::theme::Role;
use crate::engine::model::{DeliveryState, DestinationStatus};
use crate::engine::snapshot::Snapshot;

/// Destinations whose last try failed.
pub fn troubled(snapshot: &Snapshot) -> impl Iterator<Item = &DestinationStatus> {
    snapshot.outbox.destinations.iter().filter(|status| status.last_problem.is_some())
}

/// `✗ slack 3 waiting, last: https://hooks.slack.com answered 429: …    again 14:35:10`
pub fn line(pen: Pen<'_>, ctx: &ViewContext<'_>, status: &DestinationStatus, width: usize) -> Line<'static> {
    let given_up = ctx.snapshot.outbox.given_up.iter().filter(|it| it.destination == status.destination);
    // What was given up before something arrived is told by the log; here is what is wrong now.
    let arrived = ctx.snapshot.outbox.delivered.iter().find(|it| it.destination == status.destination);
    let arrived_at = arrived.and_then(|it| match it.state {
        DeliveryState::Delivered { at, .. } => Some(at),
        _ => None,
    });
    let is_after = |state: &DeliveryState| match state {
        DeliveryState::GivenUp { at, .. } => arrived_at.is_none_or(|arrived| *at >= arrived),
        _ => false,
    };
    let lost = given_up.filter(|it| is_after(&it.state)).count();
    let mut counts = Vec::new();
    if status.pending_count > 0 {
        counts.push(format!("{} waiting", status.pending_count));
    }
    if lost > 0 {
        counts.push(format!("{lost} given up"));
    }
    let problem = status.last_problem.as_deref().unwrap_or_default();
    let left = vec![
        pen.span(Role::TextProblem, "✗"),
        pen.span(Role::TextStrong, &format!(" {} ", status.destination)),
        pen.plain(&format!("{}, last: {problem}", counts.join(", "))),
    ];
    let retry = status.retry_at.map(|at| format!("again {}", text::clock(at, ctx.now))).unwrap_or_default();
    pen.spread(left, vec![pen.span(Role::TextMuted, &retry)], width)
}
