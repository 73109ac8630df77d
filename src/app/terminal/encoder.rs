//! From one frame to the next in as few bytes as is simple: one byte vector a frame, empty when nothing changed.
//!
//! Bytes decide over a slow line, so rows that moved are moved by the terminal itself, colours are said only when they
//! change, blank tails are erased rather than written, and the cursor takes the shortest way. The encoder is also the
//! last wall: a control or formatting character in a cell never reaches the terminal, wherever it came from.

use std::hash::{Hash, Hasher};
use std::io::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Position;
use ratatui::style::Modifier;
use rustc_hash::FxHasher;
use unicode_width::UnicodeWidthStr;

use super::ascii;
use super::colour_depth::{ColourDepth, Ink};
use super::pen::Pen;
use super::scroll;

/// Blank cells at a row's end are erased from this many on; three bytes erase them all.
const ERASE_CELLS_MIN: usize = 4;
/// Unchanged cells between two changed ones are written again up to this many bytes: a move costs four.
const GAP_BYTES_MAX: usize = 3;

/// What stands in one column of a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Glyph {
    /// A symbol and its pen; `true` where it covers the next column too.
    Lead(Box<str>, Pen, bool),
    /// One ASCII character, by far the most frequent.
    Ascii(u8, Pen),
    /// The second half of a wide symbol.
    Tail,
}

const BLANK: Glyph = Glyph::Ascii(b' ', Pen { fg: Ink::Default, bg: Ink::Default, attributes: Modifier::empty() });

/// What the terminal is believed to show, and how to get from there to the next frame.
#[derive(Debug)]
pub struct Encoder {
    depth: ColourDepth,
    is_ascii: bool,
    width: usize,
    rows: Vec<Vec<Glyph>>,
    /// Column and row; `None` where it cannot be known. A column equal to the width is the pending wrap.
    cursor: Option<(usize, usize)>,
    is_cursor_shown: Option<bool>,
    pen: Pen,
    is_known: bool,
}

impl Encoder {
    /// For a terminal that shows nothing known yet.
    #[must_use]
    pub fn new(depth: ColourDepth, is_ascii: bool) -> Self {
        Self {
            depth,
            is_ascii,
            width: 0,
            rows: Vec::new(),
            cursor: None,
            is_cursor_shown: None,
            pen: Pen::default(),
            is_known: false,
        }
    }

    /// The next frame starts from an erased screen: after a resize, a resume, or when the screen was disturbed.
    pub fn forget(&mut self) {
        self.is_known = false;
    }

    /// The bytes that turn what is shown into `next`; empty where nothing changed. The cursor is hidden at `None`.
    pub fn encode(&mut self, next: &Buffer, cursor: Option<Position>) -> Vec<u8> {
        let mut out = Vec::new();
        let width = usize::from(next.area.width);
        let rows = self.glyphs(next);
        if !self.is_known || self.width != width || self.rows.len() != rows.len() {
            self.start_over(width, rows.len(), &mut out);
        }
        self.move_rows(&rows, &mut out);
        for (y, row) in rows.iter().enumerate() {
            let before = self.rows.get_mut(y).map(std::mem::take).unwrap_or_default();
            self.encode_row(y, &before, row, &mut out);
        }
        self.rows = rows;
        self.place_cursor(cursor, &mut out);
        out
    }

    fn glyphs(&self, buffer: &Buffer) -> Vec<Vec<Glyph>> {
        let width = usize::from(buffer.area.width);
        if width == 0 {
            return Vec::new();
        }
        buffer.content.chunks(width).map(|cells| self.row(cells)).collect()
    }

    fn row(&self, cells: &[Cell]) -> Vec<Glyph> {
        let mut row = Vec::with_capacity(cells.len());
        while let Some(cell) = cells.get(row.len()) {
            let pen = Pen::of(cell, self.depth);
            let symbol = cell.symbol();
            match symbol.as_bytes() {
                [byte @ b' '..=b'~'] => row.push(Glyph::Ascii(*byte, pen)),
                _ if self.is_ascii => row.push(Glyph::Ascii(ascii::stand_in(symbol).as_bytes()[0], pen)),
                _ if !is_writable(symbol) => row.push(Glyph::Ascii(b'?', pen)),
                _ => match symbol.width() {
                    1 => row.push(Glyph::Lead(symbol.into(), pen, false)),
                    // A wide symbol in the last column would wrap.
                    2 if row.len() + 2 <= cells.len() => {
                        row.extend([Glyph::Lead(symbol.into(), pen, true), Glyph::Tail]);
                    }
                    _ => row.push(Glyph::Ascii(b'?', pen)),
                },
            }
        }
        row
    }

    fn start_over(&mut self, width: usize, height: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\x1b[m\x1b[2J");
        self.width = width;
        self.rows = vec![vec![BLANK; width]; height];
        self.cursor = None;
        self.pen = Pen::default();
        self.is_known = true;
    }

    /// Has the terminal move a block of rows where that saves writing them.
    fn move_rows(&mut self, next: &[Vec<Glyph>], out: &mut Vec<u8>) {
        if self.rows.iter().zip(next).filter(|(old, new)| old != new).count() < 4 {
            return;
        }
        let digest = |row: &Vec<Glyph>| {
            let mut hasher = FxHasher::default();
            row.hash(&mut hasher);
            hasher.finish()
        };
        let before: Vec<u64> = self.rows.iter().map(digest).collect();
        let after: Vec<u64> = next.iter().map(digest).collect();
        let Some(shift) = scroll::find(&before, &after) else { return };
        // Rows that come in are blank in the current background, so it must be the default one.
        self.set_pen(Pen::default(), out);
        let by = shift.by.unsigned_abs();
        push(out, format_args!("\x1b[{};{}r\x1b[", shift.top + 1, shift.bottom + 1));
        if by > 1 {
            push(out, format_args!("{by}"));
        }
        out.extend_from_slice(if shift.by > 0 { b"S\x1b[r" } else { b"T\x1b[r" });
        // Setting the region sends the cursor home.
        self.cursor = Some((0, 0));
        if let Some(block) = self.rows.get_mut(shift.top..=shift.bottom) {
            let blanks = if shift.by > 0 {
                block.rotate_left(by);
                block.len() - by..block.len()
            } else {
                block.rotate_right(by);
                0..by
            };
            for row in block.get_mut(blanks).into_iter().flatten() {
                *row = vec![BLANK; self.width];
            }
        }
    }

    fn encode_row(&mut self, y: usize, before: &[Glyph], row: &[Glyph], out: &mut Vec<u8>) {
        if before == row {
            return;
        }
        let tail = row.iter().rposition(|glyph| *glyph != BLANK).map_or(0, |last| last + 1);
        let changed_in_tail = (tail..row.len()).filter(|x| before.get(*x) != row.get(*x)).count();
        let is_erasing = changed_in_tail >= ERASE_CELLS_MIN;
        let end = if is_erasing { tail } else { row.len() };
        for x in 0..end {
            let Some(glyph) = row.get(x) else { break };
            if before.get(x) != Some(glyph) && *glyph != Glyph::Tail {
                self.cross_gap(x, y, row, out);
                self.write_glyph(glyph, out);
            }
        }
        if is_erasing {
            self.move_to(tail, y, out);
            self.set_pen(Pen::default(), out);
            out.extend_from_slice(b"\x1b[K");
        }
    }

    /// Gets to column `x`: by writing a few unchanged cells again where that is shorter than a move.
    fn cross_gap(&mut self, x: usize, y: usize, row: &[Glyph], out: &mut Vec<u8>) {
        if let Some((at, at_row)) = self.cursor
            && at_row == y
            && at < x
            && x - at <= GAP_BYTES_MAX
        {
            let gap = row.get(at..x).unwrap_or_default();
            if gap.iter().all(|glyph| matches!(glyph, Glyph::Ascii(_, pen) if *pen == self.pen)) {
                for glyph in gap {
                    self.write_glyph(glyph, out);
                }
                return;
            }
        }
        self.move_to(x, y, out);
    }

    fn write_glyph(&mut self, glyph: &Glyph, out: &mut Vec<u8>) {
        match glyph {
            Glyph::Ascii(byte, pen) => {
                self.set_pen(*pen, out);
                out.push(*byte);
                self.advance();
            }
            Glyph::Lead(symbol, pen, is_wide) => {
                self.set_pen(*pen, out);
                out.extend_from_slice(symbol.as_bytes());
                if *is_wide || symbol.chars().nth(1).is_some() {
                    // Terminals disagree about the width of these: the next write says where it goes.
                    self.cursor = None;
                } else {
                    self.advance();
                }
            }
            Glyph::Tail => {}
        }
    }

    fn advance(&mut self) {
        if let Some((x, _)) = &mut self.cursor {
            *x += 1;
        }
    }

    fn set_pen(&mut self, pen: Pen, out: &mut Vec<u8>) {
        self.pen.turn_into(pen, out);
        self.pen = pen;
    }

    fn move_to(&mut self, x: usize, y: usize, out: &mut Vec<u8>) {
        if self.cursor == Some((x, y)) {
            return;
        }
        let mut absolute = Vec::new();
        match (x, y) {
            (0, 0) => absolute.extend_from_slice(b"\x1b[H"),
            (0, _) => push(&mut absolute, format_args!("\x1b[{}H", y + 1)),
            _ => push(&mut absolute, format_args!("\x1b[{};{}H", y + 1, x + 1)),
        }
        let relative = self.cursor.and_then(|at| relative_move(at, (x, y), self.width));
        match relative {
            Some(relative) if relative.len() <= absolute.len() => out.extend_from_slice(&relative),
            _ => out.extend_from_slice(&absolute),
        }
        self.cursor = Some((x, y));
    }

    fn place_cursor(&mut self, cursor: Option<Position>, out: &mut Vec<u8>) {
        if let Some(position) = cursor {
            let x = usize::from(position.x).min(self.width.saturating_sub(1));
            let y = usize::from(position.y).min(self.rows.len().saturating_sub(1));
            self.move_to(x, y, out);
        }
        if self.is_cursor_shown != Some(cursor.is_some()) {
            out.extend_from_slice(if cursor.is_some() { b"\x1b[?25h" } else { b"\x1b[?25l" });
            self.is_cursor_shown = Some(cursor.is_some());
        }
    }
}

/// The shortest of the moves that start from where the cursor is; `None` where only an absolute one will do.
fn relative_move((from_x, from_y): (usize, usize), (x, y): (usize, usize), width: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let is_wrap_pending = from_x >= width;
    let mut at = from_x;
    if x == 0 && at != 0 {
        out.push(b'\r');
        at = 0;
    } else if is_wrap_pending {
        return None;
    }
    if y > from_y {
        // Within the screen a line feed moves down and never scrolls, as the target row exists.
        if y - from_y <= 3 {
            out.resize(out.len() + (y - from_y), b'\n');
        } else {
            push(&mut out, format_args!("\x1b[{}B", y - from_y));
        }
    } else if y < from_y {
        push_steps(&mut out, from_y - y, 'A');
    }
    if x > at {
        push_steps(&mut out, x - at, 'C');
    } else if x < at && at - x <= 3 {
        out.resize(out.len() + (at - x), b'\x08');
    } else if x < at {
        push_steps(&mut out, at - x, 'D');
    }
    Some(out)
}

fn push_steps(out: &mut Vec<u8>, steps: usize, letter: char) {
    if steps == 1 {
        push(out, format_args!("\x1b[{letter}"));
    } else {
        push(out, format_args!("\x1b[{steps}{letter}"));
    }
}

fn push(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing into a vector cannot fail.
    let _ = out.write_fmt(text);
}

/// True where a symbol holds nothing that a terminal would act on or that would hide or reorder text.
fn is_writable(symbol: &str) -> bool {
    symbol.chars().all(|c| {
        !c.is_control()
            && !matches!(c,
                '\u{00ad}' | '\u{061c}' | '\u{200b}'..='\u{200c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::layout::Rect;
    use ratatui::style::{Color, Style};

    use super::*;

    fn buffer(lines: &[&str]) -> Buffer {
        Buffer::with_lines(lines.iter().copied())
    }

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).replace('\x1b', "^")
    }

    #[test]
    fn nothing_is_written_when_nothing_changed() {
        let mut encoder = Encoder::new(ColourDepth::Cube, false);
        let frame = buffer(&["one", "two"]);
        assert!(!encoder.encode(&frame, None).is_empty());
        assert_eq!(encoder.encode(&frame, None), b"");
        let at = Some(Position::new(1, 1));
        assert!(!encoder.encode(&frame, at).is_empty());
        assert_eq!(encoder.encode(&frame, at), b"");
    }

    #[test]
    fn a_marker_that_moves_down_one_row_costs_five_bytes() {
        let mut encoder = Encoder::new(ColourDepth::Cube, false);
        encoder.encode(&buffer(&["> a", "  b"]), Some(Position::new(0, 0)));
        let bytes = encoder.encode(&buffer(&["  a", "> b"]), Some(Position::new(0, 1)));
        assert_eq!(text(&bytes), " \r\n>\r");
    }

    #[test]
    fn a_scrolled_list_costs_its_new_row_alone() {
        let lines = |first: usize| -> Vec<String> {
            let middle = (first..first + 8).map(|row| format!("| row number {row:03} |"));
            std::iter::once("+-- list --+".to_owned()).chain(middle).chain(["+----------+".to_owned()]).collect()
        };
        let mut encoder = Encoder::new(ColourDepth::Cube, false);
        encoder.encode(&Buffer::with_lines(lines(1)), None);
        let bytes = encoder.encode(&Buffer::with_lines(lines(2)), None);
        assert_eq!(text(&bytes), "^[2;9r^[S^[r^[8B| row number 009 |");
    }

    #[test]
    fn what_a_terminal_would_act_on_never_reaches_it() {
        let mut frame = Buffer::empty(Rect::new(0, 0, 10, 1));
        for (x, symbol) in
            ["\x1b", "\u{9b}", "\u{202e}", "a\u{200b}", "\r", "\x1b]52;c;aGk=\x07", "界"].iter().enumerate()
        {
            frame.content[x].set_symbol(symbol);
        }
        let bytes = Encoder::new(ColourDepth::Full, false).encode(&frame, None);
        assert_eq!(text(&bytes), "^[m^[2J^[H??????界^[?25l");
    }

    #[test]
    fn ascii_only_means_ascii_only() {
        let mut encoder = Encoder::new(ColourDepth::None, true);
        let bytes = encoder.encode(&buffer(&["┌─é界┐"]), None);
        assert!(bytes.is_ascii(), "{}", text(&bytes));
        assert!(text(&bytes).contains("+-"), "{}", text(&bytes));
    }

    const SYMBOLS: [&str; 12] = [" ", " ", " ", "a", "b", "Z", "~", "─", "│", "█", "é", "界"];
    const COLOURS: [Color; 7] = [
        Color::Reset,
        Color::Red,
        Color::LightCyan,
        Color::White,
        Color::Indexed(200),
        Color::Rgb(1, 200, 30),
        Color::Black,
    ];
    const ATTRIBUTES: [Modifier; 5] =
        [Modifier::empty(), Modifier::BOLD, Modifier::REVERSED, Modifier::UNDERLINED, Modifier::DIM];

    /// What happens to the screen between two frames.
    #[derive(Debug, Clone)]
    enum Change {
        Write { x: u16, y: u16, symbols: Vec<usize>, fg: usize, bg: usize, attributes: usize },
        Shift { by: i8, top: u16 },
        Resize { width: u16, height: u16 },
    }

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![
            8 => (0..30_u16, 0..12_u16, prop::collection::vec(0..SYMBOLS.len(), 1..12), 0..COLOURS.len(), 0..COLOURS.len(), 0..ATTRIBUTES.len())
                .prop_map(|(x, y, symbols, fg, bg, attributes)| Change::Write { x, y, symbols, fg, bg, attributes }),
            2 => (-3..4_i8, 0..4_u16).prop_map(|(by, top)| Change::Shift { by, top }),
            1 => (1..30_u16, 1..12_u16).prop_map(|(width, height)| Change::Resize { width, height }),
        ]
    }

    fn apply(frame: &Buffer, change: &Change) -> Buffer {
        let mut next = frame.clone();
        match change {
            Change::Write { x, y, symbols, fg, bg, attributes } => {
                if *x < frame.area.width && *y < frame.area.height {
                    let line: String = symbols.iter().map(|index| SYMBOLS[*index]).collect();
                    let style = Style::reset().fg(COLOURS[*fg]).bg(COLOURS[*bg]).add_modifier(ATTRIBUTES[*attributes]);
                    next.set_string(*x, *y, line, style);
                }
            }
            Change::Shift { by, top } => {
                for y in *top..frame.area.height {
                    let from = i32::from(y) + i32::from(*by);
                    for x in 0..frame.area.width {
                        let source = u16::try_from(from).ok().filter(|from| *from >= *top);
                        let cell = source.and_then(|from| frame.cell((x, from))).cloned().unwrap_or_default();
                        *next.cell_mut((x, y)).unwrap() = cell;
                    }
                }
            }
            Change::Resize { width, height } => next = Buffer::empty(Rect::new(0, 0, *width, *height)),
        }
        next
    }

    fn seen(ink: Ink) -> vt100::Color {
        match ink {
            Ink::Default => vt100::Color::Default,
            Ink::Indexed(index) => vt100::Color::Idx(index),
            Ink::Rgb(r, g, b) => vt100::Color::Rgb(r, g, b),
        }
    }

    /// Every cell of the terminal against the buffer: text, colours, attributes.
    fn check(screen: &vt100::Screen, encoder: &Encoder, frame: &Buffer, depth: ColourDepth) {
        for y in 0..frame.area.height {
            for x in 0..frame.area.width {
                let found = screen.cell(y, x).unwrap();
                let place = format!("row {y} column {x}");
                let (symbol, pen) = match &encoder.rows[usize::from(y)][usize::from(x)] {
                    Glyph::Tail => {
                        assert!(found.is_wide_continuation(), "{place}");
                        continue;
                    }
                    Glyph::Ascii(byte, pen) => (char::from(*byte).to_string(), *pen),
                    Glyph::Lead(symbol, pen, _) => (symbol.to_string(), *pen),
                };
                let cell = frame.cell((x, y)).unwrap();
                let is_cut_off = x + 1 == frame.area.width && cell.symbol().width() > 1;
                assert!(symbol == cell.symbol() || is_cut_off, "{place}");
                assert_eq!(pen, Pen::of(cell, depth), "{place}");
                let shown = if found.contents().is_empty() { " " } else { found.contents() };
                assert_eq!(shown, symbol, "{place}");
                assert_eq!(found.bgcolor(), seen(pen.bg), "{place}: background");
                let is_reversed = pen.attributes.contains(Modifier::REVERSED);
                assert_eq!(found.inverse(), is_reversed, "{place}: reverse");
                if symbol != " " || is_reversed {
                    assert_eq!(found.fgcolor(), seen(pen.fg), "{place}: text colour");
                    assert_eq!(found.bold(), pen.attributes.contains(Modifier::BOLD), "{place}: bold");
                    assert_eq!(found.dim(), pen.attributes.contains(Modifier::DIM), "{place}: dim");
                }
                assert_eq!(found.underline(), pen.attributes.contains(Modifier::UNDERLINED), "{place}: underline");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(192))]
        #[test]
        fn an_independent_terminal_shows_exactly_the_frame(
            frames in prop::collection::vec((prop::collection::vec(change(), 0..5), prop::option::of((0..30_u16, 0..12_u16))), 1..14),
            depth in prop_oneof![Just(ColourDepth::None), Just(ColourDepth::Eight), Just(ColourDepth::Sixteen), Just(ColourDepth::Cube), Just(ColourDepth::Full)],
        ) {
            let mut frame = Buffer::empty(Rect::new(0, 0, 24, 9));
            let mut encoder = Encoder::new(depth, false);
            let mut terminal = vt100::Parser::new(9, 24, 0);
            for (changes, cursor) in frames {
                for change in &changes {
                    frame = apply(&frame, change);
                }
                let (rows, columns) = (frame.area.height, frame.area.width);
                if terminal.screen().size() != (rows, columns) {
                    terminal.screen_mut().set_size(rows, columns);
                }
                let cursor = cursor.map(|(x, y)| Position::new(x, y));
                terminal.process(&encoder.encode(&frame, cursor));
                check(terminal.screen(), &encoder, &frame, depth);
                prop_assert_eq!(terminal.screen().hide_cursor(), cursor.is_none());
                if let Some(at) = cursor {
                    prop_assert_eq!(terminal.screen().cursor_position(), (at.y.min(rows - 1), at.x.min(columns - 1)));
                }
                prop_assert_eq!(encoder.encode(&frame, cursor), b"");
            }
        }
    }
}
