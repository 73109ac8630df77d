//! Status updates for stakeholders: when the next one is due, and which are due now.

use ratatui::text::{Line, Span};

use super::canvas::Pen;
use super::context::ViewContext;
use super::text;
use super::theme::Role;
use crate::engine::clock::Timestamp;
use crate::engine::model::IncidentId;
use crate::engine::snapshot::Snapshot;

/// Updates whose time has come, the longest overdue first.
pub fn due(snapshot: &Snapshot) -> impl Iterator<Item = (IncidentId, Timestamp)> {
    let mut due: Vec<_> =
        snapshot.updates_due.iter().filter(|(_, at)| **at <= snapshot.at).map(|(id, at)| (*id, *at)).collect();
    due.sort_by_key(|(id, at)| (*at, *id));
    due.into_iter()
}

/// `△ INC-42  since 14:30Z (3 m)    u drafts it`
pub fn due_line(pen: Pen<'_>, ctx: &ViewContext<'_>, id: IncidentId, at: Timestamp, width: usize) -> Line<'static> {
    let age = text::age(ctx.now.since_ms(at));
    let left = vec![
        pen.span(Role::TextProblem, "△"),
        pen.span(Role::TextStrong, &format!(" {id} ")),
        pen.plain(&format!("since {} ({age})", text::clock(at, ctx.now))),
    ];
    let key = ctx.hints.iter().find(|hint| hint.short == "update");
    let key = key.map(|hint| format!("{} drafts it", hint.keys)).unwrap_or_default();
    pen.spread(left, vec![pen.span(Role::TextMuted, &key)], width)
}

/// When the next update of this incident is due, for its header; `None` where none is.
pub fn of_incident(pen: Pen<'_>, ctx: &ViewContext<'_>, id: IncidentId) -> Option<Vec<Span<'static>>> {
    let at = *ctx.snapshot.updates_due.get(&id)?;
    let clock = text::clock(at, ctx.now);
    Some(if at <= ctx.snapshot.at {
        let age = text::age(ctx.now.since_ms(at));
        vec![pen.span(Role::TextProblem, &format!("due since {clock} ({age})"))]
    } else {
        vec![pen.plain(&format!("next due {clock}, in {}", text::age(at.since_ms(ctx.now))))]
    })
}
