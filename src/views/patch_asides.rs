//! What stands beside the queue of patches, each in a line: exceptions, what is not booted, what could not be checked, and what
//! Now says of deadlines that are past.

use ratatui::text::Line;

use super::canvas::Pen;
use super::context::ViewContext;
use super::patch_text;
use super::text::{self, counted};
use super::theme::Role;
use crate::engine::model::human_count;
use crate::engine::snapshot::PatchException;
use crate::engine::snapshot::patches::{Gap, Unbooted};

/// `◇ EXC-3 curl everywhere  deferred, mira: the vendor tests it    2 out · ends in 9 d 13 h`
pub fn exception_line(pen: Pen<'_>, ctx: &ViewContext<'_>, exception: &PatchException, width: usize) -> Line<'static> {
    let held = ctx.snapshot.patches.excepted.get(&exception.number).copied().unwrap_or_default();
    let left = vec![
        pen.span(Role::TextMuted, "◇ "),
        pen.span(Role::TextStrong, &format!("{} {}", exception.subject, exception.reach)),
        pen.plain(&format!("  {}, {}: {}", exception.kind.word(), exception.owner, exception.reason)),
    ];
    let ends = text::age(exception.until.since_ms(ctx.now));
    let right = format!("{} out · ends in {ends}", human_count(held as u64));
    pen.spread(left, vec![pen.span(Role::TextMuted, &right)], width)
}

/// `△ db-1  kernel 6.1.0-26-amd64 not booted, 1 stale process: nginx`
pub fn unbooted_line(pen: Pen<'_>, unbooted: &Unbooted, width: usize) -> Line<'static> {
    let left = vec![
        pen.span(Role::TextProblem, "△ "),
        pen.span(Role::TextStrong, &unbooted.asset),
        pen.plain(&format!("  {}", patch_text::unbooted(unbooted))),
    ];
    pen.spread(left, Vec::new(), width)
}

/// `? old-1  the tracker says nothing of the release`
pub fn gap_line(pen: Pen<'_>, gap: &Gap, width: usize) -> Line<'static> {
    let left = vec![
        pen.span(Role::TextProblem, "? "),
        pen.span(Role::TextStrong, &patch_text::assets_of(gap)),
        pen.plain(&format!("  {}", gap.why)),
    ];
    pen.spread(left, Vec::new(), width)
}

/// `✗ 3 patches late  longest curl → 7.88.1-11, exploited    late 2 d`: the line of Now.
pub fn overdue_line(pen: Pen<'_>, ctx: &ViewContext<'_>, width: usize) -> Line<'static> {
    let picture = &ctx.snapshot.patches;
    let late = picture.patches.iter().filter(|patch| patch.tally.overdue > 0);
    let first = late.clone().min_by_key(|patch| patch.clocks.due_at);
    let count = late.count();
    let more = if picture.patches_left_out > 0 { " or more" } else { "" };
    let mut left = vec![
        pen.span(Role::TextProblem, "✗"),
        pen.span(Role::TextStrong, &format!(" {}{more} late", counted(count as u64, "patch", "patches"))),
    ];
    let mut right = Vec::new();
    if let Some(first) = first {
        let kev = if first.is_known_exploited { ", exploited" } else { "" };
        left.push(pen.plain(&format!("  longest {}{kev}", patch_text::subject(first))));
        let (role, due) = patch_text::due(first.clocks.due_at, first.band, ctx.now);
        right.push(pen.span(role, due.trim_start_matches("✗ ")));
    }
    pen.spread(left, right, width)
}
