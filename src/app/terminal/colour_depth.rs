//! How many colours this terminal has, and how a colour is said with fewer of them.

use ratatui::style::Color;

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum ColourDepth {
    /// None; bold, reverse and underline remain.
    None,
    /// The eight of 1978.
    Eight,
    /// Those and their bright variants.
    #[default]
    Sixteen,
    /// xterm's cube and greys.
    Cube,
    /// 24 bits.
    Full,
}

impl ColourDepth {
    /// Reads it from the environment: `NO_COLOR` wins, then `COLORTERM`, then what `TERM` is known to have.
    ///
    /// An unknown terminal gets sixteen colours, which nearly all have.
    #[must_use]
    pub fn detect(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        if variable("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            return Self::None;
        }
        let term = variable("TERM").unwrap_or_default();
        match term.as_str() {
            "" | "dumb" | "vt52" | "vt100" | "vt102" | "vt220" => return Self::None,
            "linux" | "ansi" | "cygwin" | "screen" => return Self::Eight,
            _ => {}
        }
        let has_full = variable("COLORTERM").is_some_and(|value| value == "truecolor" || value == "24bit");
        if has_full || term.ends_with("-direct") || term.ends_with("-truecolor") {
            return Self::Full;
        }
        if term.contains("256") || ["alacritty", "xterm-kitty", "xterm-ghostty", "wezterm", "foot"].contains(&&*term) {
            return Self::Cube;
        }
        Self::Sixteen
    }

    /// The nearest colour this terminal can show.
    #[must_use]
    pub fn ink(self, colour: Color) -> Ink {
        let ink = Ink::from(colour);
        match (self, ink) {
            (Self::None, _) | (_, Ink::Default) => Ink::Default,
            (Self::Full, _) | (Self::Cube, Ink::Indexed(_)) => ink,
            (Self::Cube, Ink::Rgb(r, g, b)) => Ink::Indexed(nearest_in_cube(r, g, b)),
            (Self::Sixteen, _) => Ink::Indexed(nearest_basic(ink)),
            // Bright black has no counterpart among the eight; white stays legible where black would vanish.
            (Self::Eight, _) => Ink::Indexed(match nearest_basic(ink) {
                8 => 7,
                basic => basic % 8,
            }),
        }
    }
}

/// A colour as a terminal is told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Ink {
    /// The terminal's own.
    #[default]
    Default,
    /// 0 to 7 basic, 8 to 15 bright, 16 to 255 xterm's cube and greys.
    Indexed(u8),
    /// Red, green, blue.
    Rgb(u8, u8, u8),
}

impl From<Color> for Ink {
    fn from(colour: Color) -> Self {
        match colour {
            Color::Reset => Self::Default,
            Color::Black => Self::Indexed(0),
            Color::Red => Self::Indexed(1),
            Color::Green => Self::Indexed(2),
            Color::Yellow => Self::Indexed(3),
            Color::Blue => Self::Indexed(4),
            Color::Magenta => Self::Indexed(5),
            Color::Cyan => Self::Indexed(6),
            Color::Gray => Self::Indexed(7),
            Color::DarkGray => Self::Indexed(8),
            Color::LightRed => Self::Indexed(9),
            Color::LightGreen => Self::Indexed(10),
            Color::LightYellow => Self::Indexed(11),
            Color::LightBlue => Self::Indexed(12),
            Color::LightMagenta => Self::Indexed(13),
            Color::LightCyan => Self::Indexed(14),
            Color::White => Self::Indexed(15),
            Color::Indexed(index) => Self::Indexed(index),
            Color::Rgb(r, g, b) => Self::Rgb(r, g, b),
        }
    }
}

/// xterm's sixteen, as red, green, blue.
const BASIC: [(u8, u8, u8); 16] = [
    (0, 0, 0),
    (205, 0, 0),
    (0, 205, 0),
    (205, 205, 0),
    (0, 0, 238),
    (205, 0, 205),
    (0, 205, 205),
    (229, 229, 229),
    (127, 127, 127),
    (255, 0, 0),
    (0, 255, 0),
    (255, 255, 0),
    (92, 92, 255),
    (255, 0, 255),
    (0, 255, 255),
    (255, 255, 255),
];

/// Levels of each channel in xterm's 6x6x6 cube.
const CUBE_LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];

fn distance(a: (u8, u8, u8), b: (u8, u8, u8)) -> u32 {
    // The eye weighs green most and blue least.
    let square = |x: u8, y: u8, weight: u32| u32::from(x.abs_diff(y)).pow(2) * weight;
    square(a.0, b.0, 3) + square(a.1, b.1, 6) + square(a.2, b.2, 1)
}

fn nearest_level(value: u8) -> (u8, u8) {
    let mut best = (0, CUBE_LEVELS[0]);
    for (index, level) in (0_u8..).zip(CUBE_LEVELS) {
        if level.abs_diff(value) < best.1.abs_diff(value) {
            best = (index, level);
        }
    }
    best
}

fn nearest_in_cube(r: u8, g: u8, b: u8) -> u8 {
    let ((ri, rl), (gi, gl), (bi, bl)) = (nearest_level(r), nearest_level(g), nearest_level(b));
    let in_cube = (16 + 36 * ri + 6 * gi + bi, (rl, gl, bl));
    let grey_step = (r.max(g).max(b).saturating_sub(3) / 10).min(23);
    let grey_level = 8 + 10 * grey_step;
    let grey = (232 + grey_step, (grey_level, grey_level, grey_level));
    if distance((r, g, b), grey.1) < distance((r, g, b), in_cube.1) { grey.0 } else { in_cube.0 }
}

fn nearest_basic(ink: Ink) -> u8 {
    let rgb = match ink {
        Ink::Default => return 7,
        Ink::Indexed(index @ 0..=15) => return index,
        Ink::Indexed(index @ 16..=231) => {
            let index = usize::from(index - 16);
            let level = |place: usize| CUBE_LEVELS.get(place % 6).copied().unwrap_or(0);
            (level(index / 36), level(index / 6), level(index))
        }
        Ink::Indexed(grey) => {
            let level = 8 + 10 * (grey - 232);
            (level, level, level)
        }
        Ink::Rgb(r, g, b) => (r, g, b),
    };
    let nearest = (0_u8..).zip(BASIC).min_by_key(|(_, basic)| distance(rgb, *basic));
    nearest.map_or(7, |(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(pairs: &[(&str, &str)]) -> ColourDepth {
        ColourDepth::detect(&|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_environment_says_how_many_colours_there_are() {
        for (expected, environment) in [
            (ColourDepth::None, &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("NO_COLOR", "1")][..]),
            (ColourDepth::Full, &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]),
            (ColourDepth::Cube, &[("TERM", "tmux-256color"), ("NO_COLOR", "")]),
            (ColourDepth::Sixteen, &[("TERM", "xterm")]),
            (ColourDepth::Sixteen, &[("TERM", "xterm-16color")]),
            (ColourDepth::Eight, &[("TERM", "linux")]),
            (ColourDepth::None, &[("TERM", "dumb"), ("COLORTERM", "truecolor")]),
            (ColourDepth::None, &[]),
        ] {
            assert_eq!(depth(environment), expected, "{environment:?}");
        }
    }

    #[test]
    fn colours_come_down_to_what_there_is() {
        for (depth, colour, expected) in [
            (ColourDepth::Full, Color::Rgb(1, 2, 3), Ink::Rgb(1, 2, 3)),
            (ColourDepth::Cube, Color::Rgb(255, 0, 0), Ink::Indexed(196)),
            (ColourDepth::Cube, Color::Rgb(128, 128, 128), Ink::Indexed(244)),
            (ColourDepth::Cube, Color::Red, Ink::Indexed(1)),
            (ColourDepth::Sixteen, Color::Rgb(250, 10, 10), Ink::Indexed(9)),
            (ColourDepth::Sixteen, Color::Indexed(196), Ink::Indexed(9)),
            (ColourDepth::Sixteen, Color::Indexed(232), Ink::Indexed(0)),
            (ColourDepth::Eight, Color::LightRed, Ink::Indexed(1)),
            (ColourDepth::Eight, Color::DarkGray, Ink::Indexed(7)),
            (ColourDepth::None, Color::Red, Ink::Default),
            (ColourDepth::Eight, Color::Reset, Ink::Default),
        ] {
            assert_eq!(depth.ink(colour), expected, "{depth:?} {colour:?}");
        }
    }
}
