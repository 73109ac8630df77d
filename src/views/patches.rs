//! What must be patched, the most urgent first, by patch, asset, advisory, ring or owner; how the feeds are doing; what runs
//! although something newer is installed; what could not be checked.

use std::sync::Arc;

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::canvas::{Canvas, Pen};
use super::context::ViewContext;
use super::footer::keys_for;
use super::layout;
use super::list::{self, BETWEEN_PARTS, Entry, Filter, Window};
use super::patch_asides;
use super::patch_detail;
use super::patch_text;
use super::text::{self, counted};
use super::theme::Role;
use super::ui_state::{Pane, RowKey, UiState};
use crate::engine::model::human_count;
use crate::engine::snapshot::patches::{
    FeedState, Gap, Grouping, Patch, PatchGroup, PatchPicture, PictureState, Unbooted,
};
use crate::engine::snapshot::{PatchException, Snapshot};

/// Columns of how many lack it.
const COUNT_WIDTH: usize = 7;
/// Columns of the last column: when it is due.
const DUE_WIDTH: usize = 15;
/// Share of a wide screen that the detail takes, in percent.
const DETAIL_PERCENT: u16 = 45;

/// One line of the pane.
#[derive(Debug, Clone, Copy)]
pub enum Row<'s> {
    /// A patch.
    Patch(&'s Patch),
    /// Patches of one asset, advisory, ring or owner.
    Group(Grouping, &'s PatchGroup),
    /// How many rows are not in the picture.
    LeftOut(usize),
    /// Before a heading.
    Blank,
    /// Above what follows the queue.
    Heading(&'static str),
    /// Put off, or accepted.
    Exception(&'s PatchException),
    /// Runs something else than what is installed.
    Unbooted(&'s Unbooted),
    /// Could not be checked.
    Gap(&'s Gap),
}

/// The lines of the pane in order.
pub fn entries<'s>(snapshot: &'s Snapshot, ui: &UiState) -> Vec<Entry<Row<'s>>> {
    let filter = ui.lists.get(&Pane::Patches).map(|list| Filter::new(&list.filter)).unwrap_or_default();
    let picture = &snapshot.patches;
    let mut entries: Vec<Entry<Row<'s>>> = Vec::new();
    let left_out = match picture.grouped(ui.patch_grouping) {
        None => {
            let patches = picture.patches.iter().filter(|patch| passes(&filter, patch));
            entries.extend(patches.map(|patch| Entry::row(RowKey::Patch(Arc::clone(&patch.key)), Row::Patch(patch))));
            picture.patches_left_out
        }
        Some(groups) => {
            let rows = groups.rows.iter().filter(|group| {
                let (_, _, word) = patch_text::band(group.band);
                filter.matches(&[&group.name, &group.note, word, exploited(group.is_known_exploited)])
            });
            let key = |group: &PatchGroup| RowKey::PatchGroup(groups.by, Arc::clone(&group.name));
            entries.extend(rows.map(|group| Entry::row(key(group), Row::Group(groups.by, group))));
            groups.left_out
        }
    };
    if left_out > 0 {
        entries.push(Entry::fixed(Row::LeftOut(left_out)));
    }
    let mut aside = |heading, rows: Vec<(RowKey, Row<'s>)>| {
        if !rows.is_empty() {
            if !entries.is_empty() {
                entries.push(Entry::fixed(Row::Blank));
            }
            entries.push(Entry::heading(Row::Heading(heading)));
            entries.extend(rows.into_iter().map(|(key, row)| Entry::row(key, row)));
        }
    };
    let excepted = snapshot
        .patch_exceptions
        .iter()
        .filter(|exception| exception.is_in_force(snapshot.at) && filter.matches(&[&exception.to_string()]));
    let excepted = excepted.map(|exception| (RowKey::PatchException(exception.number), Row::Exception(exception)));
    aside("Deferred or accepted until a date", excepted.collect());
    let unbooted = picture.unbooted.iter().filter(|unbooted| filter.matches(&[&unbooted.asset]));
    let unbooted = unbooted.map(|unbooted| (RowKey::Unbooted(Arc::clone(&unbooted.asset)), Row::Unbooted(unbooted)));
    aside("Runs something older than what is installed", unbooted.collect());
    let gaps = picture.gaps.iter().filter(|gap| filter.matches(&[&gap.why, &gap.example]));
    let gaps = gaps.map(|gap| (RowKey::PatchGap(Arc::clone(&gap.why)), Row::Gap(gap)));
    aside("Could not be checked, so nothing is said of it", gaps.collect());
    entries
}

fn passes(filter: &Filter, patch: &Patch) -> bool {
    filter.passes(|row| {
        let (_, _, word) = patch_text::band(patch.band);
        let fix = patch.fix.as_deref().unwrap_or("");
        for part in [&patch.package, fix, &patch.place, word, exploited(patch.is_known_exploited)] {
            row.push_str(part);
            row.push(BETWEEN_PARTS);
        }
        for asset in &patch.assets {
            for part in [&asset.name, &asset.ring, &asset.owner] {
                row.push_str(part);
                row.push(BETWEEN_PARTS);
            }
        }
        for advisory in &patch.advisories {
            row.push_str(&advisory.id.to_string());
            row.push(BETWEEN_PARTS);
        }
    })
}

fn exploited(is_known_exploited: bool) -> &'static str {
    if is_known_exploited { "KEV" } else { "" }
}

/// The pane's title: by what it is grouped, and how many.
pub fn title(pen: Pen<'_>, ctx: &ViewContext<'_>) -> (Vec<Span<'static>>, Vec<Span<'static>>) {
    let picture = &ctx.snapshot.patches;
    let mut left = vec![pen.span(Role::PaneTitle, "Patches"), pen.plain("  queue")];
    if !picture.patches.is_empty() {
        let patches = counted((picture.patches.len() + picture.patches_left_out) as u64, "patch", "patches");
        let assets = counted(picture.asset_count as u64, "asset", "assets");
        left.push(pen.plain(&format!(" by {} · {patches} on {assets}", ctx.ui.patch_grouping.word())));
    }
    (left, Vec::new())
}

/// What every view of the pane says where nothing of patches is known, nor ever will be.
pub const OFF: [&str; 2] = [
    "Patches are not looked for here: this hypo keeps nothing on this machine.",
    "Start it without `replay` to see what this machine lacks.",
];
/// Rows above the list: the feeds, the counts, the header.
const HEAD_HEIGHT: u16 = 3;

fn sides(inner: Rect) -> (Rect, Option<Rect>) {
    layout::split_wide(inner, inner.width + 2 >= layout::WIDE, DETAIL_PERCENT)
}

/// Where the rows are.
pub fn list_area(inner: Rect, ctx: &ViewContext<'_>) -> Rect {
    let (left, _) = sides(inner);
    let problem = u16::try_from(problem_lines(ctx, left).len()).unwrap_or(0);
    layout::split_top(left, HEAD_HEIGHT + problem).1
}

/// Draws the pane.
pub fn draw(canvas: &mut Canvas<'_>, inner: Rect, ctx: &ViewContext<'_>) -> Window {
    let picture = &ctx.snapshot.patches;
    let pen = canvas.pen;
    let (left, beside) = sides(inner);
    let problem = problem_lines(ctx, left);
    let row = u16::try_from(problem.len()).unwrap_or(0);
    for (row, text) in (0..).zip(problem) {
        let line = pen.span(Role::TextProblem, &format!(" {text}"));
        canvas.line(left, row, line);
    }
    let feeds = patch_text::feeds(pen, picture, ctx.now);
    if !feeds.is_empty() {
        canvas.line(left, row, [vec![pen.span(Role::TextMuted, " feeds  ")], feeds].concat());
    }
    let entries = entries(ctx.snapshot, ctx.ui);
    if entries.is_empty() {
        at_rest(canvas, list_area(inner, ctx), ctx);
        return Window::default();
    }
    let counts = counts(pen, picture, usize::from(left.width).saturating_sub(1));
    canvas.line(left, row + 1, counts);
    let width = usize::from(left.width).saturating_sub(list::MARKER_WIDTH + 1);
    canvas.line(left, row + 2, header(pen, ctx.ui.patch_grouping, width));
    let list = ctx.ui.list();
    let window = list::draw(canvas, list_area(inner, ctx), &entries, &list, |row, width| line(pen, ctx, row, width));
    if let Some(area) = beside {
        let selected = window.selected.and_then(|at| entries.get(at)).and_then(|entry| entry.key.as_ref());
        draw_detail(canvas, area, ctx, selected);
    }
    window
}

/// Why what is there now could not be read, and as of when what follows is; a list is never crowded out by it.
fn problem_lines(ctx: &ViewContext<'_>, area: Rect) -> Vec<String> {
    let picture = &ctx.snapshot.patches;
    let Some(problem) = &picture.problem else { return Vec::new() };
    let as_of = if picture.state == PictureState::Ready {
        format!("; what follows is as of {}", patch_text::stamp(picture.made_at))
    } else {
        String::new()
    };
    let mut lines = text::wrap(&format!("✗ {problem}{as_of}"), usize::from(area.width).saturating_sub(2), ctx.glyphs);
    lines.truncate(usize::from(area.height / 4).max(1));
    lines
}

fn draw_detail(canvas: &mut Canvas<'_>, area: Rect, ctx: &ViewContext<'_>, selected: Option<&RowKey>) {
    let edge = canvas.pen.span(Role::PaneBorder, "│");
    for row in 0..area.height {
        canvas.line(Rect { width: area.width.min(1), ..area }, row, edge.clone());
    }
    let text = Rect { x: area.x + 2, width: area.width.saturating_sub(3), ..area };
    let lines = selected.and_then(|row| patch_detail::lines(canvas.pen, ctx, row, usize::from(text.width)));
    for (row, line) in (0..text.height).zip(lines.into_iter().flatten()) {
        canvas.line(text, row, line);
    }
}

fn counts(pen: Pen<'_>, picture: &PatchPicture, width: usize) -> Line<'static> {
    let mut left = vec![pen.plain(" ")];
    left.extend(patch_text::tally(pen, &picture.tally));
    let late = picture.tally.overdue as u64;
    let right = if late > 0 {
        pen.span(Role::TextProblem, &format!("✗ {} overdue", human_count(late)))
    } else {
        pen.span(Role::TextMuted, "nothing overdue")
    };
    pen.spread(left, vec![right], width)
}

fn header(pen: Pen<'_>, by: Grouping, width: usize) -> Line<'static> {
    let (subject, counted) = match by {
        Grouping::Patch => ("patch", "assets"),
        Grouping::Advisory => ("advisory", "assets"),
        Grouping::Asset => ("asset", "patches"),
        Grouping::Ring => ("ring", "patches"),
        Grouping::Owner => ("owner", "patches"),
    };
    let (score, room) = (if by == Grouping::Patch { "score" } else { "" }, subject_width(by, width));
    let cells = [
        pen.cell(Role::TableHeader, "  ", 2),
        pen.cell(Role::TableHeader, "", 7),
        pen.cell_right(Role::TableHeader, score, if by == Grouping::Patch { 5 } else { 0 }),
        pen.cell(Role::TableHeader, "", 5),
        pen.cell(Role::TableHeader, subject, room),
        pen.cell_right(Role::TableHeader, counted, COUNT_WIDTH),
        pen.cell(Role::TableHeader, "", 2),
        pen.cell(Role::TableHeader, "due", DUE_WIDTH),
    ];
    Line::from(cells.to_vec())
}

/// Columns that a row's name has.
fn subject_width(by: Grouping, width: usize) -> usize {
    let score = if by == Grouping::Patch { 5 } else { 0 };
    width.saturating_sub(7 + score + 5 + COUNT_WIDTH + 2 + DUE_WIDTH)
}

/// What a row of the queue tells.
struct Cells<'a> {
    band: Option<crate::engine::snapshot::patches::RiskBand>,
    score: Option<String>,
    is_known_exploited: bool,
    strong: &'a str,
    muted: String,
    count: usize,
    due: (Role, String),
}

fn line(pen: Pen<'_>, ctx: &ViewContext<'_>, row: &Row<'_>, width: usize) -> Line<'static> {
    let muted = |text: &str| Line::from(pen.cell(Role::TextMuted, text, width));
    match row {
        Row::Patch(patch) => {
            let fix = patch.fix.as_ref().map_or_else(|| " · no fix yet".to_owned(), |fix| format!(" → {fix}"));
            let fix = patch.incident.map_or_else(|| fix.clone(), |incident| format!(" · {incident}{fix}"));
            let cells = Cells {
                band: patch.band,
                score: Some(patch.score.map_or_else(|| "–".to_owned(), |score| format!("{score:.2}"))),
                is_known_exploited: patch.is_known_exploited,
                strong: &patch.package,
                muted: fix,
                count: patch.tally.all(),
                due: patch_text::due(patch.clocks.due_at, patch.band, ctx.now),
            };
            cells.line(pen, ctx, Grouping::Patch, width)
        }
        Row::Group(by, group) => {
            let strong = if group.name.is_empty() { "nobody said" } else { &group.name };
            let note = if group.note.is_empty() { String::new() } else { format!("  {}", group.note) };
            let note = match by {
                Grouping::Ring | Grouping::Owner => {
                    format!("  on {}", counted(group.asset_count as u64, "asset", "assets"))
                }
                _ => note,
            };
            let cells = Cells {
                band: group.band,
                score: None,
                is_known_exploited: group.is_known_exploited,
                strong,
                muted: note,
                count: if *by == Grouping::Advisory { group.asset_count } else { group.patch_count },
                due: patch_text::group_due(*by, group, ctx.now),
            };
            cells.line(pen, ctx, *by, width)
        }
        Row::LeftOut(count) => muted(&format!("… and {} less urgent ones", human_count(*count as u64))),
        Row::Blank => Line::default(),
        Row::Heading(heading) => Line::from(pen.span(Role::PaneHeading, heading)),
        Row::Exception(exception) => patch_asides::exception_line(pen, ctx, exception, width),
        Row::Unbooted(unbooted) => patch_asides::unbooted_line(pen, unbooted, width),
        Row::Gap(gap) => patch_asides::gap_line(pen, gap, width),
    }
}

impl Cells<'_> {
    fn line(&self, pen: Pen<'_>, ctx: &ViewContext<'_>, by: Grouping, width: usize) -> Line<'static> {
        // What could not be read anew may be mended by now.
        let is_old = ctx.snapshot.patches.problem.is_some();
        let grey = |role: Role| if is_old { Role::TextStale } else { role };
        let (role, symbol, word) = patch_text::band(self.band);
        let room = subject_width(by, width).saturating_sub(1);
        let name = text::truncate(self.strong, room, pen.glyphs);
        let taken = text::width(&name);
        let mut spans = vec![pen.cell(grey(role), &format!("{symbol} {word}"), 7)];
        spans.extend(self.score.as_ref().map(|score| pen.cell_right(grey(Role::Text), score, 5)));
        spans.push(pen.cell(grey(Role::TextProblem), &format!(" {}", exploited(self.is_known_exploited)), 5));
        spans.push(pen.span(grey(Role::TextStrong), &name));
        spans.push(pen.cell(grey(Role::TextMuted), &self.muted, room.saturating_sub(taken)));
        spans.push(Span::raw(" "));
        spans.push(pen.cell_right(grey(Role::Text), &human_count(self.count as u64), COUNT_WIDTH));
        spans.push(Span::raw("  "));
        spans.push(pen.cell(grey(self.due.0), &self.due.1, DUE_WIDTH));
        Line::from(spans)
    }
}

/// What there is to say while nothing is listed.
fn at_rest(canvas: &mut Canvas<'_>, area: Rect, ctx: &ViewContext<'_>) {
    let picture = &ctx.snapshot.patches;
    let is_missing = |feed: &crate::engine::snapshot::patches::FeedLine| feed.state == FeedState::Missing;
    let mut lines: Vec<String> = Vec::new();
    if !ctx.ui.list().filter.trim().is_empty() {
        lines.push(format!("Nothing passes the filter /{}", ctx.ui.list().filter));
        lines.extend(keys_for(ctx.hints, "back").map(|keys| format!("{keys} takes it away")));
    } else {
        match picture.state {
            PictureState::Off => lines.extend(OFF.map(str::to_owned)),
            PictureState::Loading if picture.problem.is_some() => {
                lines.push("The queue cannot be told until this is mended; it is tried again by itself.".to_owned());
            }
            PictureState::Loading => lines.push("Reading feeds and inventory …".to_owned()),
            PictureState::Ready => {
                if picture.asset_count == 0 {
                    lines.push("The inventory is empty, so nothing can be told.".to_owned());
                    lines.push("`hypo inventory scan` looks at this host; `inventory import` takes others.".to_owned());
                }
                if picture.feeds.iter().all(is_missing) {
                    lines.push("No feed of vulnerabilities was ever taken.".to_owned());
                    lines.push("`hypo advisories sync` fetches them; `hypo advisories import` takes files.".to_owned());
                }
                if lines.is_empty() {
                    let assets = counted(picture.asset_count as u64, "asset", "assets");
                    lines.push(format!("✓ Nothing that is known affects what is installed on {assets}."));
                    lines.push(format!("Last looked at {}.", patch_text::stamp(picture.made_at)));
                }
            }
        }
    }
    let pen = canvas.pen;
    for (row, text) in (0..).zip(lines) {
        let span = pen.plain(&format!("  {text}"));
        canvas.line(area, row, span);
    }
}
