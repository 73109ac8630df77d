//! Every rollout of a patch, the newest first.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::canvas::{Canvas, Pen};
use super::context::ViewContext;
use super::footer::keys_for;
use super::list::{self, Entry, Filter, Window};
use super::rollout_text;
use super::text;
use super::theme::Role;
use super::ui_state::{RowKey, UiState};
use crate::engine::snapshot::Snapshot;
use crate::engine::snapshot::rollout::KeptRollout;

/// One line of the list.
#[derive(Debug, Clone, Copy)]
pub enum Row<'s> {
    /// A rollout.
    Rollout(&'s KeptRollout),
    /// What holds it, or why it ended.
    Note(&'s KeptRollout),
}

/// The lines in order.
pub fn entries<'s>(snapshot: &'s Snapshot, ui: &UiState) -> Vec<Entry<Row<'s>>> {
    let filter = Filter::new(&ui.list().filter);
    let wanted = snapshot.rollouts.iter().filter(|kept| {
        let plan = &kept.rollout.plan;
        let names: Vec<&str> = plan.targets.keys().map(String::as_str).collect();
        let (_, _, word) = rollout_text::state(&kept.rollout);
        filter.matches(&[&kept.rollout.id.to_string(), &plan.source, word, &names.join(" ")])
    });
    let lines = wanted.flat_map(|kept| {
        let row = Entry::row(RowKey::Rollout(kept.rollout.id), Row::Rollout(kept));
        [row, Entry::fixed(Row::Note(kept))]
    });
    lines.collect()
}

/// Draws the list.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, ctx: &ViewContext<'_>) -> Window {
    let entries = entries(ctx.snapshot, ctx.ui);
    if entries.is_empty() {
        at_rest(canvas, area, ctx);
        return Window::default();
    }
    let list = list::with_whole_selection(&entries, ctx.ui.list(), usize::from(area.height));
    let pen = canvas.pen;
    list::draw(canvas, area, &entries, &list, |row, width| match row {
        Row::Rollout(kept) => line(pen, kept, width),
        Row::Note(kept) => note(pen, ctx, kept, width),
    })
}

fn line(pen: Pen<'_>, kept: &KeptRollout, width: usize) -> Line<'static> {
    let rollout = &kept.rollout;
    let (role, symbol, word) = rollout_text::state(rollout);
    let left: Vec<Span<'static>> = vec![
        pen.cell(role, &format!("{symbol} {word}"), 15),
        pen.span(Role::TextStrong, &format!("{}  {}", rollout.id, rollout_text::subject(rollout))),
    ];
    pen.spread(left, vec![pen.plain(&rollout_text::progress(rollout))], width)
}

/// What holds it, or why it stands where it does, and its incident.
fn note(pen: Pen<'_>, ctx: &ViewContext<'_>, kept: &KeptRollout, width: usize) -> Line<'static> {
    let told = rollout_text::held_by(kept, ctx.now).or_else(|| rollout_text::why(&kept.rollout));
    let incident = kept.incident.map(|incident| format!("{incident} was opened for it"));
    let age = text::age(ctx.now.since_ms(kept.rollout.opened_at));
    let parts: Vec<String> = incident.into_iter().chain(told).collect();
    let left = pen.span(Role::TextMuted, &format!("{:15}{}", "", parts.join(" · ")));
    pen.spread(vec![left], vec![pen.span(Role::TextMuted, &format!("planned {age} ago"))], width)
}

fn at_rest(canvas: &mut Canvas<'_>, area: Rect, ctx: &ViewContext<'_>) {
    let filter = ctx.ui.list().filter;
    let lines = if filter.trim().is_empty() {
        let plan = keys_for(ctx.hints, "roll out").map_or_else(String::new, |keys| format!(" with {keys}"));
        vec![
            "No patch was ever rolled out from here.".to_owned(),
            format!("Choose one in the queue and plan it{plan}; a plan begins nothing."),
            "[[patches.allow]] says what may be patched where, [[patches.method]] by what.".to_owned(),
        ]
    } else {
        let back = keys_for(ctx.hints, "back").map(|keys| format!("{keys} takes it away"));
        std::iter::once(format!("Nothing passes the filter /{filter}")).chain(back).collect()
    };
    for (row, text) in (0..).zip(lines) {
        let span = canvas.pen.plain(&format!("  {text}"));
        canvas.line(area, row, span);
    }
}
