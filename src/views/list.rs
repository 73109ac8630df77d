//! Lists: which rows a filter leaves, which of them is selected, and which are on the screen.

use std::cell::RefCell;

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::canvas::Canvas;
use super::layout;
use super::theme::Role;
use super::ui_state::{ListState, RowKey};

/// One line of a list: a row that can be selected, or a line between rows (heading, continuation, blank).
#[derive(Debug, Clone)]
pub struct Entry<T> {
    /// What the row is; `None` for lines that cannot be selected.
    pub key: Option<RowKey>,
    /// What is drawn.
    pub what: T,
    /// True above rows that it names: alone it says nothing.
    pub is_heading: bool,
}

impl<T> Entry<T> {
    /// A row.
    pub fn row(key: RowKey, what: T) -> Self {
        Self { key: Some(key), what, is_heading: false }
    }

    /// A line between rows.
    pub fn fixed(what: T) -> Self {
        Self { key: None, what, is_heading: false }
    }

    /// A line, which can be selected where it has a key.
    pub fn keyed(key: Option<RowKey>, what: T) -> Self {
        Self { key, what, is_heading: false }
    }

    /// A line above rows that it names: it is drawn where one of them is.
    pub fn heading(what: T) -> Self {
        Self { key: None, what, is_heading: true }
    }
}

/// A filter as typed, taken apart: every word must be found, no word after `!` may be.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    wanted: Vec<String>,
    unwanted: Vec<String>,
    /// The text of the row that is looked at, kept so that ten thousand rows need no memory of their own.
    row: RefCell<String>,
}

impl Filter {
    /// Takes a filter apart; case does not matter.
    #[must_use]
    pub fn new(filter: &str) -> Self {
        let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
        for word in filter.split_whitespace() {
            match word.strip_prefix('!') {
                Some("") => {}
                Some(word) => unwanted.push(word.to_lowercase()),
                None => wanted.push(word.to_lowercase()),
            }
        }
        Self { wanted, unwanted, row: RefCell::default() }
    }

    /// True where nothing is filtered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.unwanted.is_empty()
    }

    /// True where the parts of a row, taken together, hold every wanted word and no unwanted one.
    #[must_use]
    pub fn matches(&self, parts: &[&str]) -> bool {
        self.passes(|row| {
            for part in parts {
                row.push_str(part);
                row.push(BETWEEN_PARTS);
            }
        })
    }

    /// As [`Filter::matches`], for a row whose parts `write` puts together, each followed by [`BETWEEN_PARTS`].
    ///
    /// Ten thousand rows are looked at in every frame, so the row's text is put into lower case once for all words.
    pub fn passes(&self, write: impl FnOnce(&mut String)) -> bool {
        if self.is_empty() {
            return true;
        }
        let mut row = self.row.borrow_mut();
        row.clear();
        write(&mut row);
        if row.is_ascii() {
            row.make_ascii_lowercase();
        } else {
            *row = row.to_lowercase();
        }
        self.wanted.iter().all(|word| row.contains(word.as_str()))
            && !self.unwanted.iter().any(|word| row.contains(word.as_str()))
    }
}

/// Stands between the parts of a row: no word of a filter holds it, so none is found across two parts.
pub const BETWEEN_PARTS: char = '\n';

/// What of a list is on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// First line shown.
    pub offset: usize,
    /// Line of the selected row.
    pub selected: Option<usize>,
}

/// Finds the selected line and moves the offset so far that it is on the screen.
#[must_use]
pub fn window<'k>(
    keys: &(impl Iterator<Item = Option<&'k RowKey>> + Clone),
    list: &ListState,
    height: usize,
) -> Window {
    let rows = || keys.clone().enumerate().filter_map(|(line, key)| key.map(|key| (line, key)));
    let found = list.selected.as_ref().and_then(|selected| rows().find(|(_, key)| *key == selected));
    // Where the row is gone, the one that took its place; at the end, the last.
    let neighbour = || rows().take(list.last_index.saturating_add(1)).last();
    let selected = found.or_else(neighbour).map(|(line, _)| line);
    let count = keys.clone().count();
    let mut offset = list.offset.min(count.saturating_sub(height));
    if let Some(line) = selected {
        let is_first = rows().next().is_some_and(|(first, _)| first == line);
        // The heading above the first row is worth more than an offset.
        let top = if is_first { 0 } else { line };
        if top < offset {
            offset = top;
        }
        if line >= offset + height {
            offset = (line + 1).saturating_sub(height);
        }
    }
    Window { offset, selected }
}

/// Draws the visible lines of a list into `area`; `line` makes the text of one, given its width and whether it is selected.
/// The first two columns are the marker's, the last stays blank.
pub fn draw<T>(
    canvas: &mut Canvas<'_>,
    area: Rect,
    entries: &[Entry<T>],
    list: &ListState,
    line: impl Fn(&T, usize) -> Line<'static>,
) -> Window {
    let window = window(&entries.iter().map(|entry| entry.key.as_ref()), list, usize::from(area.height));
    let width = usize::from(area.width).saturating_sub(MARKER_WIDTH + 1);
    let end = entries.len().min(window.offset + usize::from(area.height));
    let is_cut_off = end.checked_sub(1).and_then(|last| entries.get(last)).is_some_and(|last| last.is_heading);
    let visible = entries.iter().enumerate().take(end - usize::from(is_cut_off)).skip(window.offset);
    for ((index, entry), row) in visible.zip(0_u16..) {
        let is_selected = window.selected == Some(index);
        let marker = if is_selected { "▶" } else { " " };
        let role = if is_selected { Role::SelectionMarker } else { Role::Text };
        let mut spans = vec![canvas.pen.span(role, marker), Span::raw(" ")];
        spans.extend(line(&entry.what, width).spans);
        canvas.line(area, row, spans);
        if is_selected {
            let style = canvas.pen.theme.style(Role::SelectionRow);
            canvas.tint(area, row, style);
            canvas.put_cursor(area.x, area.y + row);
        }
    }
    window
}

/// Takes the last row off a list that does not fit, for [`draw_more`].
pub fn split_more(area: Rect, count: usize) -> (Rect, Option<Rect>) {
    if count <= usize::from(area.height) || area.height < 4 {
        return (area, None);
    }
    let (list, more) = layout::split_top(area, area.height - 1);
    (list, Some(more))
}

/// Says how many lines are out of sight.
pub fn draw_more(canvas: &mut Canvas<'_>, area: Rect, offset: usize, shown: u16, count: usize) {
    let below = count.saturating_sub(offset + usize::from(shown));
    let told = [(offset, "↑"), (below, "↓")].into_iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = told.map(|(count, arrow)| format!("{arrow} {count} more")).collect();
    let span = canvas.pen.span(Role::TextMuted, &format!("  {}", told.join("  ")));
    canvas.line(area, 0, span);
}

/// Scrolls so far that what hangs on the selected row is on the screen with it, as far as it fits.
pub fn with_whole_selection<T>(entries: &[Entry<T>], list: ListState, height: usize) -> ListState {
    let window = window(&entries.iter().map(|entry| entry.key.as_ref()), &list, height);
    let Some(selected) = window.selected else { return list };
    let after = entries.iter().skip(selected + 1).take_while(|entry| entry.key.is_none()).count();
    let offset = window.offset.max((selected + 1 + after).saturating_sub(height)).min(selected);
    ListState { offset, ..list }
}

/// Columns of the selection's marker and the blank after it.
pub const MARKER_WIDTH: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn step(index: usize) -> RowKey {
        RowKey::Step(index)
    }

    #[test]
    fn a_filter_wants_every_word_in_any_order_and_leaves_out() {
        for (filter, expected) in [
            ("", true),
            ("ERRORS auth", true),
            ("auth latency", false),
            ("!latency", true),
            ("auth !errors", false),
            ("!", true),
            ("öl", false),
            ("apierrors", false),
            ("!apierrors", true),
        ] {
            assert_eq!(Filter::new(filter).matches(&["Auth-API", "errors_total"]), expected, "{filter}");
        }
        assert!(Filter::new("ÖL").matches(&["Kernöl"]));
    }

    #[test]
    fn the_selection_stays_on_the_screen_and_the_neighbour_takes_over() {
        let keys: Vec<Option<RowKey>> = std::iter::once(None).chain((0..20).map(|index| Some(step(index)))).collect();
        let at = |selected: Option<RowKey>, last_index, offset| {
            let list = ListState { selected, last_index, offset, ..ListState::default() };
            let window = window(&keys.iter().map(Option::as_ref), &list, 5);
            (window.offset, window.selected)
        };
        assert_eq!(at(None, 0, 0), (0, Some(1)), "nothing selected is the first row");
        assert_eq!(at(Some(step(0)), 0, 3), (0, Some(1)), "the first row brings its heading");
        assert_eq!(at(Some(step(10)), 10, 0), (7, Some(11)));
        assert_eq!(at(Some(step(10)), 10, 99), (11, Some(11)), "an offset past the row comes back");
        assert_eq!(at(Some(step(99)), 3, 0), (0, Some(4)), "gone: the row in its place");
        assert_eq!(at(Some(step(99)), 99, 0), (16, Some(20)), "gone at the end: the last");
        assert_eq!(at(None, usize::MAX, 0), (16, Some(20)), "a list that starts at its end");
        let none = window(&std::iter::empty(), &ListState::default(), 5);
        assert_eq!(none, Window::default());
    }
}
