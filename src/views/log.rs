//! Who did what, when, and what came of it: the audit log and every change, newest first, under the files that could
//! not be read.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::canvas::{Canvas, Pen};
use super::code;
use super::context::ViewContext;
use super::entry::{in_a_line, short_place};
use super::list::{self, Entry, Filter, Window};
use super::text::counted;
use super::theme::Role;
use super::ui_state::{Pane, RowKey, UiState};
use crate::engine::clock::Timestamp;
use crate::engine::model::{AuditEntry, AuditKind, Change};
use crate::engine::snapshot::{FileProblem, Snapshot};

/// One line of the log.
#[derive(Debug, Clone, Copy)]
pub enum Row<'s> {
    /// An entry of the audit log.
    Audit(&'s AuditEntry),
    /// A change.
    Change(&'s Change),
    /// A file that could not be read.
    File(&'s FileProblem),
}

impl Row<'_> {
    /// When it happened; a file is wrong now.
    fn at(self) -> Option<Timestamp> {
        match self {
            Self::Audit(entry) => Some(entry.at),
            Self::Change(change) => Some(change.notice.at),
            Self::File(_) => None,
        }
    }
}

/// The lines of the log: files that could not be read, then what happened, newest first.
pub fn entries<'s>(snapshot: &'s Snapshot, ui: &UiState) -> Vec<Entry<Row<'s>>> {
    let filter = ui.lists.get(&Pane::Log).map(|list| Filter::new(&list.filter)).unwrap_or_default();
    let audit = snapshot.audit.iter().map(|entry| Entry::row(RowKey::Audit(entry.sequence), Row::Audit(entry)));
    let changes = snapshot.changes.iter().map(|change| Entry::row(RowKey::Change(change.id), Row::Change(change)));
    let files = snapshot.file_problems.iter().enumerate();
    let files = files.map(|(index, problem)| Entry::row(RowKey::File(index), Row::File(problem)));
    let all = files.chain(audit).chain(changes);
    let mut entries: Vec<Entry<Row<'s>>> = all.filter(|entry| passes(&filter, entry.what)).collect();
    // Stable: entries of one instant keep the order of their numbers.
    entries.sort_by_key(|entry| entry.what.at().map(std::cmp::Reverse));
    entries
}

fn passes(filter: &Filter, row: Row<'_>) -> bool {
    if filter.is_empty() {
        return true;
    }
    match row {
        Row::Audit(entry) => {
            let incident = entry.incident.map(|id| id.to_string()).unwrap_or_default();
            filter.matches(&[word(entry.kind).1, &entry.by, &entry.text, &incident])
        }
        Row::File(problem) => filter.matches(&["file", &problem.file, &problem.text]),
        Row::Change(change) => {
            let notice = &change.notice;
            let service = notice.service.as_ref().map_or("", |service| service.as_str());
            filter.matches(&["change", &notice.title, service, notice.author.as_deref().unwrap_or("")])
        }
    }
}

/// What an entry records, in a word.
pub fn word(kind: AuditKind) -> (Role, &'static str) {
    match kind {
        AuditKind::Lifecycle => (Role::TextMuted, "program"),
        AuditKind::Decision => (Role::TimelineHypothesis, "decision"),
        AuditKind::Operator => (Role::TimelineState, "operator"),
        AuditKind::Approval => (Role::GateAllow, "approval"),
        AuditKind::Intent => (Role::TimelineStep, "intent"),
        AuditKind::Outcome => (Role::TimelineRecovery, "outcome"),
        AuditKind::Source => (Role::TextMuted, "source"),
    }
}

/// The pane's title with the counts.
pub fn title(pen: Pen<'_>, ctx: &ViewContext<'_>) -> (Vec<Span<'static>>, Vec<Span<'static>>) {
    let newest = ctx.snapshot.audit.first().map_or(0, |entry| entry.sequence);
    let changes = ctx.snapshot.changes.len() as u64;
    let text = format!("  {} · {}", counted(newest, "entry", "entries"), counted(changes, "change", "changes"));
    (vec![pen.span(Role::PaneTitle, "Log"), pen.plain(&text)], Vec::new())
}

/// Draws the pane.
pub fn draw(canvas: &mut Canvas<'_>, inner: Rect, ctx: &ViewContext<'_>) -> Window {
    let entries = entries(ctx.snapshot, ctx.ui);
    let pen = canvas.pen;
    if entries.is_empty() {
        let is_filtered = !ctx.ui.list().filter.trim().is_empty();
        let text = if is_filtered { "  Nothing passes the filter." } else { "  Nothing has been done or changed yet." };
        let span = pen.plain(text);
        canvas.line(inner, 1, span);
        return Window::default();
    }
    let stamps = Stamps::of(&entries, ctx.now);
    list::draw(canvas, inner, &entries, &ctx.ui.list(), |row, width| match row {
        Row::Audit(entry) => audit_line(pen, stamps, entry, width),
        Row::Change(change) => change_line(pen, stamps, change, width),
        Row::File(problem) => file_line(pen, stamps, problem, width),
    })
}

/// The first column: as wide as its widest entry, so that everything behind it stands in one line.
#[derive(Clone, Copy)]
struct Stamps {
    now: Timestamp,
    width: usize,
}

impl Stamps {
    fn of(entries: &[Entry<Row<'_>>], now: Timestamp) -> Self {
        let is_of_today = |row: Row<'_>| row.at().is_none_or(|at| at.date() == now.date());
        Self { now, width: if entries.iter().all(|entry| is_of_today(entry.what)) { 8 } else { 11 } }
    }
}

/// `14:31:45` on the day of `now`, `11-20 14:31` on another.
fn stamp(at: Timestamp, now: Timestamp) -> String {
    let time = at.hh_mm_ss();
    if at.date() == now.date() {
        return time;
    }
    format!("{} {}", at.date().get(5..).unwrap_or_default(), time.get(..5).unwrap_or(&time))
}

fn head(pen: Pen<'_>, stamps: Stamps, at: Timestamp, (role, word): (Role, &str), by: &str) -> Vec<Span<'static>> {
    let stamp = stamp(at, stamps.now);
    vec![
        pen.cell_right(Role::TextMuted, &stamp, stamps.width),
        pen.plain(" "),
        pen.cell(role, word, 9),
        pen.cell(Role::TextMuted, by, 9),
        pen.plain(" "),
    ]
}

fn audit_line(pen: Pen<'_>, stamps: Stamps, entry: &AuditEntry, width: usize) -> Line<'static> {
    let mut left = head(pen, stamps, entry.at, word(entry.kind), &entry.by);
    let text = in_a_line(&entry.text);
    if entry.kind == AuditKind::Intent || text.starts_with(code::PROMPT) {
        left.extend(code::command(pen, &text));
    } else {
        left.push(pen.plain(&text));
    }
    // Most texts name their incident themselves.
    let id = entry.incident.map(|id| id.to_string()).filter(|id| !entry.text.contains(id.as_str()));
    pen.spread(left, vec![pen.span(Role::TextMuted, &id.unwrap_or_default())], width)
}

fn file_line(pen: Pen<'_>, stamps: Stamps, problem: &FileProblem, width: usize) -> Line<'static> {
    let text = format!("{}: {}", short_place(problem), in_a_line(&problem.text));
    let stamp = " ".repeat(stamps.width + 1);
    pen.spread(vec![pen.plain(&stamp), pen.cell(Role::TextProblem, "△ file", 9), pen.plain(&text)], Vec::new(), width)
}

fn change_line(pen: Pen<'_>, stamps: Stamps, change: &Change, width: usize) -> Line<'static> {
    let notice = &change.notice;
    let by = notice.author.as_deref().unwrap_or("");
    let mut left = head(pen, stamps, notice.at, (Role::TimelineChange, "Δ change"), by);
    let failed = if notice.has_taken_effect { "" } else { " (took no effect)" };
    left.push(pen.plain(&format!("{}{failed}", notice.title)));
    let service = notice.service.as_ref().map_or("", |service| service.as_str());
    pen.spread(left, vec![pen.span(Role::TextMuted, service)], width)
}
