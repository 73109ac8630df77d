//! The box for texts of several lines: notes, status updates, post-mortems. Long lines go on in the next row, at a blank
//! where there is one, and the cursor is always in sight.

use std::ops::Range;

use ratatui::layout::Rect;

use super::canvas::Canvas;
use super::context::{Glyphs, ViewContext};
use super::text;
use super::theme::Role;

/// One row of the box: a line of the text by number, and the characters of it that stand there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    line: usize,
    characters: Range<usize>,
}

/// Draws the text that is being written, and the cursor in it.
pub fn draw(canvas: &mut Canvas<'_>, inner: Rect, ctx: &ViewContext<'_>) {
    if let Some(note) = ctx.note {
        let cursor = note.cursor();
        draw_text(canvas, inner, note.lines(), (cursor.0, cursor.1), true);
    }
}

/// How many rows a line takes.
pub fn rows_of(line: &str, width: u16, glyphs: Glyphs) -> usize {
    wrap(line, usize::from(width), glyphs).len()
}

/// Draws a text so that `cursor` (line and character) is in sight, and the cursor itself where it is typed at.
pub fn draw_text(
    canvas: &mut Canvas<'_>,
    inner: Rect,
    lines: &[String],
    (line, column): (usize, usize),
    is_typed_at: bool,
) {
    let glyphs = canvas.pen.glyphs;
    let (rows, at) = visible(lines, (line, column), usize::from(inner.width), usize::from(inner.height), glyphs);
    for (y, row) in (0..inner.height).zip(&rows) {
        let shown: String = lines.get(row.line).map(|line| part(line, &row.characters)).unwrap_or_default();
        let span = canvas.pen.span(Role::Input, &shown);
        canvas.line(inner, y, span);
        if usize::from(y) == at && is_typed_at {
            let before: String = shown.chars().take(column.saturating_sub(row.characters.start)).collect();
            let columns = u16::try_from(text::width(&text::clean(&before, glyphs))).unwrap_or(u16::MAX);
            canvas.put_cursor(inner.x.saturating_add(columns.min(inner.width.saturating_sub(1))), inner.y + y);
        }
    }
}

fn part(line: &str, characters: &Range<usize>) -> String {
    line.chars().skip(characters.start).take(characters.len()).collect()
}

/// The rows that are shown, and which of them has the cursor: from the top while the cursor is within reach of it, else
/// with the cursor in the last row.
fn visible(lines: &[String], cursor: (usize, usize), width: usize, height: usize, glyphs: Glyphs) -> (Vec<Row>, usize) {
    let rows_of = |line: usize| -> Vec<Row> {
        let parts = lines.get(line).map(|text| wrap(text, width, glyphs)).unwrap_or_default();
        parts.into_iter().map(|characters| Row { line, characters }).collect()
    };
    let of_cursor = rows_of(cursor.0);
    // At a break the cursor stands where the next character will.
    let at = of_cursor.iter().rposition(|row| row.characters.start <= cursor.1).unwrap_or(0);
    let mut above: Vec<Row> = of_cursor.iter().take(at + 1).cloned().collect();
    let mut first = cursor.0;
    while above.len() < height && first > 0 {
        first -= 1;
        let mut before = rows_of(first);
        before.append(&mut above);
        above = before;
    }
    let mut rows = above.split_off(above.len().saturating_sub(height.max(1)));
    let at_row = rows.len().saturating_sub(1);
    rows.extend(of_cursor.into_iter().skip(at + 1));
    let mut next = cursor.0 + 1;
    while rows.len() < height && next < lines.len() {
        rows.extend(rows_of(next));
        next += 1;
    }
    rows.truncate(height.max(1));
    (rows, at_row)
}

/// Where a line goes on in the next row: after the last blank that fits, else in the middle of a word. Every character is in
/// one row; a line without any has one row.
fn wrap(line: &str, width: usize, glyphs: Glyphs) -> Vec<Range<usize>> {
    let mut rows = Vec::new();
    let (mut start, mut columns, mut after_blank) = (0, 0, None);
    for (index, character) in line.chars().enumerate() {
        let takes = text::width(&text::clean(character.encode_utf8(&mut [0; 4]), glyphs));
        while columns + takes > width.max(1) && index > start {
            let end = after_blank.filter(|blank| *blank > start).unwrap_or(index);
            rows.push(start..end);
            (start, after_blank) = (end, None);
            let carried: String = line.chars().skip(end).take(index - end).collect();
            columns = text::width(&text::clean(&carried, glyphs));
        }
        columns += takes;
        if character == ' ' {
            after_blank = Some(index + 1);
        }
    }
    rows.push(start..line.chars().count());
    rows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GLYPHS: Glyphs = Glyphs { is_ascii: false };

    fn parts(line: &str, width: usize) -> Vec<String> {
        wrap(line, width, GLYPHS).iter().map(|characters| part(line, characters)).collect()
    }

    #[test]
    fn lines_go_on_after_a_blank_else_within_a_word() {
        assert_eq!(parts("", 10), [""]);
        assert_eq!(parts("one two three", 8), ["one two ", "three"]);
        assert_eq!(parts("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(parts("漢字漢字", 4), ["漢字", "漢字"]);
    }

    #[test]
    fn the_text_scrolls_only_once_the_cursor_would_be_out_of_sight() {
        let lines: Vec<String> = ["a", "bb bb bb", "c", "d"].map(str::to_owned).to_vec();
        let shown = |cursor, height| {
            let (rows, at) = visible(&lines, cursor, 3, height, GLYPHS);
            let texts: Vec<String> = rows.iter().map(|row| part(&lines[row.line], &row.characters)).collect();
            (texts.join("|"), at)
        };
        assert_eq!(shown((0, 0), 3), ("a|bb |bb ".to_owned(), 0));
        assert_eq!(shown((1, 8), 3), ("bb |bb |bb".to_owned(), 2));
        assert_eq!(shown((1, 0), 3), ("a|bb |bb ".to_owned(), 1));
        assert_eq!(shown((3, 1), 3), ("bb|c|d".to_owned(), 2));
        assert_eq!(shown((3, 0), 9), ("a|bb |bb |bb|c|d".to_owned(), 5));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_the_cursor_is_in_sight(
            lines in proptest::collection::vec("[a-z漢 ]{0,60}", 1..12),
            line in 0_usize..12,
            column in 0_usize..70,
            width in 2_usize..30,
            height in 1_usize..8,
        ) {
            for line in &lines {
                let rows = wrap(line, width, GLYPHS);
                prop_assert_eq!(rows.iter().map(|row| part(line, row)).collect::<String>(), line.as_str());
                for row in rows {
                    prop_assert!(text::width(&part(line, &row)) <= width);
                }
            }
            let line = line % lines.len();
            let column = column.min(lines[line].chars().count());
            let (rows, at) = visible(&lines, (line, column), width, height, GLYPHS);
            prop_assert!(rows.len() <= height && at < rows.len());
            prop_assert_eq!(rows[at].line, line);
            prop_assert!(rows[at].characters.start <= column && column <= rows[at].characters.end);
        }
    }
}
