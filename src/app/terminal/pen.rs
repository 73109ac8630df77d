//! What a cell is written with, and the shortest way from one pen to the next.

use ratatui::buffer::Cell;
use ratatui::style::Modifier;

use super::colour_depth::{ColourDepth, Ink};

/// Attributes that show on a cell without text.
const SHOWS_ON_BLANK: Modifier = Modifier::UNDERLINED.union(Modifier::REVERSED).union(Modifier::CROSSED_OUT);

/// Each attribute with the number that sets it and the number that takes it away.
const ATTRIBUTES: [(Modifier, u8, u8); 8] = [
    (Modifier::BOLD, 1, 22),
    (Modifier::DIM, 2, 22),
    (Modifier::ITALIC, 3, 23),
    (Modifier::UNDERLINED, 4, 24),
    (Modifier::SLOW_BLINK, 5, 25),
    (Modifier::REVERSED, 7, 27),
    (Modifier::HIDDEN, 8, 28),
    (Modifier::CROSSED_OUT, 9, 29),
];

/// Colours and attributes as they go to the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Pen {
    /// Of the text.
    pub fg: Ink,
    /// Behind it.
    pub bg: Ink,
    /// Bold, reverse and so on.
    pub attributes: Modifier,
}

impl Pen {
    /// The pen of a cell. What cannot be seen on a blank (its text colour, bold) is left out, so that blanks are alike.
    #[must_use]
    pub fn of(cell: &Cell, depth: ColourDepth) -> Self {
        let mut attributes = cell.modifier;
        if attributes.contains(Modifier::RAPID_BLINK) {
            attributes.remove(Modifier::RAPID_BLINK);
            attributes.insert(Modifier::SLOW_BLINK);
        }
        let mut pen = Self { fg: depth.ink(cell.fg), bg: depth.ink(cell.bg), attributes };
        if cell.symbol() == " " {
            pen.attributes &= SHOWS_ON_BLANK;
            if pen.attributes.is_empty() {
                pen.fg = Ink::Default;
            }
        }
        pen
    }

    /// Writes the escape sequence that turns `self` into `next`: the shorter of a difference and a fresh start.
    pub fn turn_into(self, next: Self, out: &mut Vec<u8>) {
        if self == next {
            return;
        }
        if next == Self::default() {
            out.extend_from_slice(b"\x1b[m");
            return;
        }
        let mut difference = Vec::new();
        self.push_difference(next, &mut difference);
        let mut afresh = vec![b'0'];
        Self::default().push_difference(next, &mut afresh);
        out.extend_from_slice(b"\x1b[");
        out.extend_from_slice(if difference.len() <= afresh.len() { &difference } else { &afresh });
        out.push(b'm');
    }

    fn push_difference(self, next: Self, out: &mut Vec<u8>) {
        let mut now = self.attributes;
        for (attribute, _, off) in ATTRIBUTES {
            if now.contains(attribute) && !next.attributes.contains(attribute) {
                push_number(out, off);
                // One number takes bold and dim away together.
                now.remove(if off == 22 { Modifier::BOLD | Modifier::DIM } else { attribute });
            }
        }
        for (attribute, on, _) in ATTRIBUTES {
            if next.attributes.contains(attribute) && !now.contains(attribute) {
                push_number(out, on);
            }
        }
        if self.fg != next.fg {
            push_ink(out, next.fg, 30);
        }
        if self.bg != next.bg {
            push_ink(out, next.bg, 40);
        }
    }
}

fn push_number(out: &mut Vec<u8>, number: u8) {
    if !out.is_empty() {
        out.push(b';');
    }
    out.extend_from_slice(number.to_string().as_bytes());
}

/// `base` is 30 for text and 40 for what is behind it.
fn push_ink(out: &mut Vec<u8>, ink: Ink, base: u8) {
    match ink {
        Ink::Default => push_number(out, base + 9),
        Ink::Indexed(index @ 0..=7) => push_number(out, base + index),
        Ink::Indexed(index @ 8..=15) => push_number(out, base + 52 + index),
        Ink::Indexed(index) => [base + 8, 5, index].into_iter().for_each(|number| push_number(out, number)),
        Ink::Rgb(r, g, b) => [base + 8, 2, r, g, b].into_iter().for_each(|number| push_number(out, number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(from: Pen, to: Pen) -> String {
        let mut out = Vec::new();
        from.turn_into(to, &mut out);
        String::from_utf8(out).unwrap().replace('\x1b', "^")
    }

    #[test]
    fn the_shortest_way_is_taken() {
        let plain = Pen::default();
        let red = Pen { fg: Ink::Indexed(1), ..plain };
        let bold_red = Pen { attributes: Modifier::BOLD, ..red };
        let bright_on_blue = Pen { fg: Ink::Indexed(12), bg: Ink::Indexed(4), ..plain };
        let busy = Pen { attributes: Modifier::BOLD | Modifier::ITALIC | Modifier::UNDERLINED, ..bright_on_blue };
        for (from, to, expected) in [
            (plain, plain, ""),
            (plain, red, "^[31m"),
            (red, plain, "^[m"),
            (red, bold_red, "^[1m"),
            (bold_red, red, "^[22m"),
            (plain, bright_on_blue, "^[94;44m"),
            (busy, red, "^[0;31m"),
            (plain, Pen { fg: Ink::Indexed(208), ..plain }, "^[38;5;208m"),
            (plain, Pen { bg: Ink::Rgb(1, 2, 3), ..plain }, "^[48;2;1;2;3m"),
            (Pen { attributes: Modifier::BOLD | Modifier::DIM, ..red }, bold_red, "^[22;1m"),
        ] {
            assert_eq!(turn(from, to), expected, "{from:?} to {to:?}");
        }
    }
}
