//! The maintenance windows and freezes of the coming days, each in UTC and on the clock of its own time zone.

use chrono_tz::Tz;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::canvas::{Canvas, Pen};
use super::context::ViewContext;
use super::layout;
use super::list::{self, Entry, Filter, Window};
use super::patches;
use super::rollout_text;
use super::text;
use super::theme::Role;
use super::ui_state::{RowKey, UiState};
use crate::engine::clock::{DAY_MS, Timestamp};
use crate::engine::limits::AGENDA_DAYS;
use crate::engine::snapshot::Snapshot;
use crate::engine::snapshot::patches::PictureState;
use crate::engine::snapshot::rollout::{Occasion, OccasionKind};

/// Rows above the list.
const HEAD_HEIGHT: u16 = 2;
/// Most columns of a name.
const NAME_WIDTH_MAX: usize = 20;
/// From this width on a line has room for the whole name of a time zone, and for whom the window is.
const WHOLE_ZONE_WIDTH: usize = 100;

/// One line of the calendar.
#[derive(Debug, Clone)]
pub enum Row<'s> {
    /// A day, in UTC.
    Day(String),
    /// A window or freeze.
    Occasion(&'s Occasion),
    /// What a change of the clock does to the one above.
    Note(&'static str),
}

/// The lines in order: those that are over since the picture of them was made are gone.
pub fn entries<'s>(snapshot: &'s Snapshot, ui: &UiState) -> Vec<Entry<Row<'s>>> {
    let filter = Filter::new(&ui.list().filter);
    let (mut entries, mut day) = (Vec::new(), String::new());
    let coming = snapshot.agenda.iter().filter(|occasion| occasion.until > snapshot.at);
    for occasion in coming.filter(|it| filter.matches(&[&it.name, &it.zone, word(it.kind)])) {
        let from = occasion.from.max(snapshot.at);
        let of_day = from.to_datetime().format("%a %Y-%m-%d").to_string();
        if of_day != day {
            entries.push(Entry::heading(Row::Day(of_day.clone())));
            day = of_day;
        }
        let key = RowKey::Occasion(occasion.from.0, occasion.name.as_str().into());
        entries.push(Entry::row(key, Row::Occasion(occasion)));
        let short = |words: &'static str| words.split(':').next().unwrap_or(words);
        entries.extend(occasion.note.map(|note| Entry::fixed(Row::Note(short(note.words())))));
    }
    entries
}

fn word(kind: OccasionKind) -> &'static str {
    match kind {
        OccasionKind::Window => "window",
        OccasionKind::Freeze => "freeze",
    }
}

/// What the clock on the wall of its zone shows then.
pub fn wall(occasion: &Occasion, at: Timestamp) -> String {
    let zone: Tz = occasion.zone.parse().unwrap_or(Tz::UTC);
    at.to_datetime().with_timezone(&zone).format("%a %H:%M").to_string()
}

/// Where the rows are.
pub fn list_area(inner: Rect) -> Rect {
    layout::split_top(inner, HEAD_HEIGHT).1
}

/// Draws the calendar.
pub fn draw(canvas: &mut Canvas<'_>, inner: Rect, ctx: &ViewContext<'_>) -> Window {
    let entries = entries(ctx.snapshot, ctx.ui);
    if entries.is_empty() {
        at_rest(canvas, inner, ctx);
        return Window::default();
    }
    let head =
        canvas.pen.span(Role::TextMuted, &format!(" the coming {AGENDA_DAYS} days, in UTC, then on the clock there"));
    canvas.line(inner, 0, head);
    let area = list_area(inner);
    let list = list::with_whole_selection(&entries, ctx.ui.list(), usize::from(area.height));
    let pen = canvas.pen;
    let names = entries.iter().map(|entry| match &entry.what {
        Row::Occasion(occasion) => text::width(&occasion.name),
        Row::Day(_) | Row::Note(_) => 0,
    });
    let names = names.max().unwrap_or(0).min(NAME_WIDTH_MAX);
    list::draw(canvas, area, &entries, &list, |row, width| line(pen, ctx, row, (names, width)))
}

fn line(pen: Pen<'_>, ctx: &ViewContext<'_>, row: &Row<'_>, (name_width, width): (usize, usize)) -> Line<'static> {
    match row {
        Row::Day(day) => Line::from(pen.span(Role::PaneHeading, day)),
        Row::Note(note) => Line::from(pen.span(Role::TextProblem, &format!("    △ {note}"))),
        Row::Occasion(occasion) => {
            let (role, symbol) = match occasion.kind {
                OccasionKind::Window => (Role::Text, "○"),
                OccasionKind::Freeze => (Role::SeverityWarning, "■"),
            };
            let is_open = occasion.from <= ctx.now;
            let hour = |at: Timestamp| at.hh_mm_ss().chars().take(5).collect::<String>();
            let (begins, ends) = (wall(occasion, occasion.from), wall(occasion, occasion.until));
            let ends = ends.split_once(' ').map_or("", |(_, hour)| hour);
            // Where there is no room for the whole name of the zone, its city says enough; the box has it whole.
            let zone = match occasion.zone.rsplit_once('/') {
                Some((_, city)) if width < WHOLE_ZONE_WIDTH => city.replace('_', " "),
                _ => occasion.zone.clone(),
            };
            let there = match occasion.zone.as_str() {
                "UTC" => String::new(),
                _ => format!("{begins}–{ends} {zone}  "),
            };
            let whom = if width < WHOLE_ZONE_WIDTH { "" } else { occasion.whom.as_str() };
            let days = occasion.until.0.div_euclid(DAY_MS) - occasion.from.0.div_euclid(DAY_MS);
            let later = if days > 0 { format!("+{days}") } else { String::new() };
            let what = vec![
                pen.plain(&format!("  {}–{}Z{later:<3}", hour(occasion.from), hour(occasion.until))),
                pen.span(role, &format!("{symbol} {} ", word(occasion.kind))),
                pen.cell(Role::TextStrong, &occasion.name, name_width),
                pen.plain("  "),
                pen.span(Role::TextMuted, &format!("{there}{whom}")),
            ];
            let (until, left_word) = match (is_open, occasion.kind) {
                (true, OccasionKind::Window) => (occasion.until, "open, closes in"),
                (true, OccasionKind::Freeze) => (occasion.until, "holds, ends in"),
                (false, _) => (occasion.from, "in"),
            };
            let role = if is_open { Role::TextStrong } else { Role::TextMuted };
            let left_ms = until.since_ms(ctx.now);
            let left = if is_open { rollout_text::span(left_ms) } else { rollout_text::rough_span(left_ms) };
            let right = format!("{left_word} {left}");
            pen.spread(what, vec![pen.span(role, &right)], width)
        }
    }
}

fn at_rest(canvas: &mut Canvas<'_>, area: Rect, ctx: &ViewContext<'_>) {
    let filter = ctx.ui.list().filter;
    let lines = if ctx.snapshot.revision == 0 {
        vec!["Reading what was kept …".to_owned()]
    } else if ctx.snapshot.patches.state == PictureState::Off {
        patches::OFF.map(str::to_owned).to_vec()
    } else if filter.trim().is_empty() {
        vec![
            format!("No window and no freeze in the coming {AGENDA_DAYS} days."),
            "Production is patched in windows only, so without one it is never patched.".to_owned(),
            String::new(),
            "  [[patches.window]]".to_owned(),
            "  name = \"sunday night\"".to_owned(),
            "  zone = \"Europe/Berlin\"".to_owned(),
            "  begins = \"0 2 * * SUN\"".to_owned(),
            "  lasts = \"4h\"".to_owned(),
            String::new(),
            "in the configuration makes one; [[patches.freeze]] takes time away.".to_owned(),
        ]
    } else {
        vec![format!("Nothing passes the filter /{filter}")]
    };
    for (row, text) in (0..).zip(lines) {
        let span = canvas.pen.plain(&format!("  {text}"));
        canvas.line(area, row, span);
    }
}
