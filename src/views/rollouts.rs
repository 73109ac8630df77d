//! Every rollout of a patch, the newest first.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::canvas::{Canvas, Pen};
use super::context::ViewContext;
use super::footer::keys_for;
use super::layout;
use super::list::{self, Entry, Filter, Window};
use super::patches;
use super::rollout_text;
use super::text;
use super::theme::Role;
use super::ui_state::{RowKey, UiState};
use crate::engine::snapshot::Snapshot;
use crate::engine::snapshot::patches::PictureState;
use crate::engine::snapshot::rollout::{KeptRollout, RolloutState};

/// Rows above the list.
const HEAD_HEIGHT: u16 = 1;
/// Columns of a rollout's state.
const STATE_WIDTH: usize = 16;
/// Columns of when it was planned.
const PLANNED_WIDTH: usize = 9;

/// One line of the list.
#[derive(Debug, Clone, Copy)]
pub enum Row<'s> {
    /// A rollout.
    Rollout(&'s KeptRollout),
    /// What holds it, or why it ended.
    Note(&'s KeptRollout),
    /// The incident that it opened.
    Incident(&'s KeptRollout),
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
        let incident = kept.incident.map(|_| Entry::fixed(Row::Incident(kept)));
        [row, Entry::fixed(Row::Note(kept))].into_iter().chain(incident)
    });
    lines.collect()
}

/// Where the rows are.
pub fn list_area(inner: Rect) -> Rect {
    layout::split_top(inner, HEAD_HEIGHT).1
}

/// Draws the list.
pub fn draw(canvas: &mut Canvas<'_>, inner: Rect, ctx: &ViewContext<'_>) -> Window {
    let entries = entries(ctx.snapshot, ctx.ui);
    if entries.is_empty() {
        at_rest(canvas, inner, ctx);
        return Window::default();
    }
    let area = list_area(inner);
    let indent = " ".repeat(list::MARKER_WIDTH);
    let left = canvas.pen.span(Role::TextMuted, &format!("{indent}{:STATE_WIDTH$}rollout", "state"));
    let right = canvas.pen.span(Role::TextMuted, &format!("done{:>PLANNED_WIDTH$}", "planned"));
    let head = canvas.pen.spread(vec![left], vec![right], usize::from(inner.width).saturating_sub(1));
    canvas.line(inner, 0, head);
    let list = list::with_whole_selection(&entries, ctx.ui.list(), usize::from(area.height));
    let pen = canvas.pen;
    list::draw(canvas, area, &entries, &list, |row, width| match row {
        Row::Rollout(kept) => line(pen, ctx, kept, width),
        Row::Note(kept) => note(pen, ctx, kept, width),
        Row::Incident(kept) => incident(pen, ctx, kept, width),
    })
}

fn line(pen: Pen<'_>, ctx: &ViewContext<'_>, kept: &KeptRollout, width: usize) -> Line<'static> {
    let rollout = &kept.rollout;
    let (role, symbol, word) = rollout_text::state(rollout);
    let left: Vec<Span<'static>> = vec![
        pen.cell(role, &format!("{symbol} {word}"), STATE_WIDTH),
        pen.span(Role::TextStrong, &format!("{}  {}", rollout.id, rollout_text::subject(rollout))),
    ];
    let age = text::age(ctx.now.since_ms(rollout.opened_at));
    let right = vec![pen.plain(&rollout_text::progress(rollout)), pen.cell_right(Role::TextMuted, &age, PLANNED_WIDTH)];
    pen.spread(left, right, width)
}

/// What holds it, or why it stands where it does; plain where a person is waited for.
fn note(pen: Pen<'_>, ctx: &ViewContext<'_>, kept: &KeptRollout, width: usize) -> Line<'static> {
    // Why it paused or ended, or else what holds it. What it asks of a person before it can end comes before why it ends.
    let (why, held) = (rollout_text::why(&kept.rollout), rollout_text::held_by(kept, ctx.now));
    let is_ending = matches!(kept.rollout.state, RolloutState::Ending { .. });
    let told = if is_ending { held.or(why) } else { why.or(held) }.unwrap_or_default();
    let role = if rollout_text::needs_person(&kept.rollout) { Role::TextProblem } else { Role::TextMuted };
    pen.spread(vec![pen.span(role, &format!("{:STATE_WIDTH$}{told}", ""))], Vec::new(), width)
}

fn incident(pen: Pen<'_>, ctx: &ViewContext<'_>, kept: &KeptRollout, width: usize) -> Line<'static> {
    let Some(id) = kept.incident else { return Line::default() };
    let known = ctx.snapshot.incident(id);
    let (title, word) = known.map_or(("", ""), |incident| (&*incident.title, incident.state.word()));
    let left = vec![
        pen.span(Role::SeverityCritical, &format!("{:STATE_WIDTH$}▲ {id}", "")),
        pen.span(Role::TextMuted, &format!("  {title}")),
    ];
    pen.spread(left, vec![pen.span(Role::TextMuted, word)], width)
}

fn at_rest(canvas: &mut Canvas<'_>, area: Rect, ctx: &ViewContext<'_>) {
    let filter = ctx.ui.list().filter;
    let lines = if ctx.snapshot.revision == 0 {
        vec!["Reading what was kept …".to_owned()]
    } else if ctx.snapshot.patches.state == PictureState::Off {
        patches::OFF.map(str::to_owned).to_vec()
    } else if filter.trim().is_empty() {
        let plan = keys_for(ctx.hints, "roll out").map_or_else(String::new, |keys| format!(" with {keys}"));
        vec![
            "No patch was ever rolled out from here.".to_owned(),
            format!("Choose one in the queue and plan it{plan}; a plan begins nothing."),
            "[[patches.allow]] says what may be patched on which class of servers,".to_owned(),
            "[[patches.method]] by what, [[patches.window]] when in production.".to_owned(),
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
