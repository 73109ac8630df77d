//! Lines above a pane that say what stands between the reader and the truth: a broken store or file, sources that are
//! silent, history still being read.

use ratatui::text::{Line, Span};

use super::canvas::Pen;
use super::chart;
use super::context::ViewContext;
use super::entry::{in_a_line, short_place};
use super::focus;
use super::footer::keys_for;
use super::sources;
use super::text;
use super::theme::Role;
use super::ui_state::{Pane, Unheard};
use crate::engine::model::human_count;

/// The lines, gravest first.
pub fn lines(pen: Pen<'_>, ctx: &ViewContext<'_>, width: usize) -> Vec<Line<'static>> {
    let snapshot = ctx.snapshot;
    let mut lines = Vec::new();
    if let Some(unheard) = &ctx.ui.unheard {
        lines.extend(wrapped(pen, " ✗ ", &last_heard(unheard), width));
    }
    if let Some(problem) = &snapshot.store.problem {
        let text = format!("Store {}: {problem}", snapshot.store.path);
        lines.extend(wrapped(pen, " ✗ ", &text, width));
    }
    let is_now = ctx.ui.pane == Pane::Now;
    if is_now {
        lines.extend(files(pen, ctx, width));
    }
    // The first pane lists its sources one by one, and the log does not age.
    if !is_now && ctx.ui.pane != Pane::Log {
        lines.extend(down(pen, ctx, width));
    }
    lines.extend(backfill(pen, ctx, width));
    lines
}

/// Rows that one problem may take: room for what is wrong and what would be right.
const PROBLEM_ROWS_MAX: usize = 3;

fn wrapped(pen: Pen<'_>, mark: &str, content: &str, width: usize) -> Vec<Line<'static>> {
    let indent = text::width(&text::clean(mark, pen.glyphs));
    let content = text::without_os_number(content);
    let rows = text::wrap(&content, width.saturating_sub(indent + 1), pen.glyphs);
    let line = |(index, row): (usize, &String)| {
        let head = if index == 0 { mark.to_owned() } else { " ".repeat(indent) };
        Line::from(pen.span(Role::TextProblem, &format!("{head}{row}")))
    };
    rows.iter().take(PROBLEM_ROWS_MAX).enumerate().map(line).collect()
}

/// The first file that could not be read, how many more there are, and where all of it can be read.
fn files(pen: Pen<'_>, ctx: &ViewContext<'_>, width: usize) -> Vec<Line<'static>> {
    let Some((first, others)) = ctx.snapshot.file_problems.split_first() else { return Vec::new() };
    let first = format!("{}: {}", short_place(first), in_a_line(&first.text));
    let mut lines = wrapped(pen, " △ ", &first, width);
    let log = keys_for(ctx.hints, "Log").map(|keys| format!("{keys} ")).unwrap_or_default();
    let more = match others.len() {
        0 => String::new(),
        more => format!("and {more} more · "),
    };
    let told = format!("   {more}`hypo doctor` checks them · whole texts in {log}Log");
    lines.push(Line::from(pen.span(Role::TextMuted, &told)));
    lines
}

/// How old everything else on the screen is, and what can be done meanwhile.
fn last_heard(unheard: &Unheard) -> String {
    let age = text::short_age(unheard.ms);
    let (why, can) = match &unheard.why {
        Some(why) => (why.as_ref(), "; `hypo kill` in a shell there stops everything"),
        None => ("it is there, and nothing comes", ""),
    };
    format!(
        "Last heard from the engine {age} ago ({why}). The screen is that old; keys that act do nothing until it answers{can}."
    )
}

/// The first source that is silent. What mends it stands at the end, so that other things give way first.
fn down(pen: Pen<'_>, ctx: &ViewContext<'_>, width: usize) -> Option<Line<'static>> {
    let mut down = focus::down(ctx.snapshot);
    let (source, since, reason) = down.next()?;
    let age = text::age(ctx.now.since_ms(since));
    let clock = text::clock(since, ctx.now);
    let more = match down.count() {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let reason = text::without_os_number(reason);
    let short = sources::without_address(&reason);
    let name = &source.source;
    let choices = [
        format!(" ✗ {name} down since {clock} ({age}): {reason}{more}"),
        format!(" ✗ {name} down since {clock} ({age}): {short}{more}"),
        format!(" ✗ {name} down {age}: {short}{more}"),
    ];
    Some(Line::from(pen.span(Role::TextProblem, &text::fitting(choices, width, pen.glyphs))))
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
