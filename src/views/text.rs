//! Text as it may reach the terminal: nothing in it moves the cursor, hides, or turns direction, and its width is known.
//!
//! Whatever came from outside was sanitised when it came in; this is the second lock on the same door, at the place where
//! cells are written. In ASCII mode every other character is replaced here too, before widths are counted.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::context::Glyphs;
use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::model::human_count;

/// Marks on one base character; a fourth is shown by its number, so that a flood of them cannot pile up over the lines above.
const MARKS_MAX: usize = 3;

/// Text with everything that could act on a terminal or deceive a reader made visible as `⟨U+202E⟩`.
#[must_use]
pub fn clean(text: &str, glyphs: Glyphs) -> Cow<'_, str> {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut marks = 0;
    for character in text.chars() {
        let is_mark = character.width() == Some(0);
        marks = if is_mark { marks + 1 } else { 0 };
        if character == '\t' {
            out.push_str("    ");
        } else if is_hostile(character) || marks > MARKS_MAX {
            push_code(&mut out, character, glyphs);
        } else if glyphs.is_ascii && !character.is_ascii() {
            out.push_str(ascii(character));
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// True for what must never reach a cell: controls, direction marks, characters without a width that carry no mark of their own.
#[must_use]
pub fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(u32::from(character),
            0xad | 0x34f | 0x61c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f
            | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffb
            | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff)
}

fn push_code(out: &mut String, character: char, glyphs: Glyphs) {
    let (open, close) = if glyphs.is_ascii { ('<', '>') } else { ('⟨', '⟩') };
    out.push(open);
    out.push_str(&format!("U+{:04X}", u32::from(character)));
    out.push(close);
}

/// What stands for a character in ASCII mode; `?` for those of outside text that have no likeness.
fn ascii(character: char) -> &'static str {
    match character {
        '…' => "~",
        '→' | '▸' => "->",
        '←' => "<-",
        '↑' => "up",
        '↓' => "dn",
        '±' => "+/-",
        '≥' => ">=",
        '≤' => "<=",
        '≈' => "~",
        '·' | '–' | '—' | '−' | '─' => "-",
        'σ' => "sd",
        '×' => "x",
        '✓' => "ok",
        '✗' => "!!",
        '▶' | '❯' => ">",
        '◀' => "<",
        '○' | '◇' => "o",
        '●' | '△' => "*",
        '▲' => "!",
        '◆' => "+",
        '■' => "#",
        'Δ' => "d",
        '✎' => "\"",
        '⊕' => "&",
        '◉' => "@",
        '▏' | '│' => "|",
        '┌' | '┐' | '└' | '┘' | '├' | '┤' => "+",
        '▁' => "_",
        '▂' => ".",
        '▃' => "-",
        '▄' | '▅' | '▍' | '▎' | '▌' => "=",
        '▆' | '▇' => "^",
        '█' | '▉' | '▊' | '▋' => "#",
        '░' => ":",
        '⏎' => "Enter",
        '⇧' => "S-",
        '“' | '”' | '„' | '«' | '»' => "\"",
        '‘' | '’' => "'",
        'ä' | 'á' | 'à' | 'â' => "a",
        'é' | 'è' | 'ê' | 'ë' => "e",
        'ö' | 'ó' | 'ò' | 'ô' => "o",
        'ü' | 'ú' | 'ù' | 'û' => "u",
        'µ' | 'μ' => "u",
        _ if character.width() == Some(0) => "",
        _ => "?",
    }
}

/// What a system said of a problem, without the number that it has there: people read the words.
#[must_use]
pub fn without_os_number(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(" (os error ") {
        let Some((_, more)) = after.split_once(')').filter(|(number, _)| number.parse::<u32>().is_ok()) else {
            break;
        };
        out.push_str(before);
        rest = more;
    }
    out + rest
}

/// Columns that cleaned text takes.
#[must_use]
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

/// Cleans and cuts to at most `width_max` columns, with `…` (`~` in ASCII) where something was left out.
#[must_use]
pub fn truncate(text: &str, width_max: usize, glyphs: Glyphs) -> String {
    // A line may be a megabyte long; only what could be seen is looked at.
    let bytes_max = width_max.saturating_mul(8).saturating_add(64);
    let (seen, is_cut) = match text.char_indices().find(|(at, _)| *at >= bytes_max) {
        Some((at, _)) => (text.get(..at).unwrap_or(text), true),
        None => (text, false),
    };
    let cleaned = clean(seen, glyphs);
    if !is_cut && width(&cleaned) <= width_max {
        return cleaned.into_owned();
    }
    let mut out = take(&cleaned, width_max.saturating_sub(1)).to_owned();
    if width_max > 0 {
        out.push(if glyphs.is_ascii { '~' } else { '…' });
    }
    out
}

/// The longest beginning of cleaned text that fits into `width_max` columns.
#[must_use]
pub fn take(text: &str, width_max: usize) -> &str {
    let mut used = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        used += width(grapheme);
        if used > width_max {
            return text.get(..at).unwrap_or("");
        }
    }
    text
}

/// Cuts or pads to exactly `width_exact` columns, at the left.
#[must_use]
pub fn cell(text: &str, width_exact: usize, glyphs: Glyphs) -> String {
    let mut out = truncate(text, width_exact, glyphs);
    let missing = width_exact.saturating_sub(width(&out));
    out.extend(std::iter::repeat_n(' ', missing));
    out
}

/// Cuts or pads to exactly `width_exact` columns, at the right.
#[must_use]
pub fn cell_right(text: &str, width_exact: usize, glyphs: Glyphs) -> String {
    let out = truncate(text, width_exact, glyphs);
    let missing = width_exact.saturating_sub(width(&out));
    " ".repeat(missing) + &out
}

/// Breaks text at spaces into lines of at most `width_max` columns; a longer word is broken where it must be. Nothing is lost.
#[must_use]
pub fn wrap(text: &str, width_max: usize, glyphs: Glyphs) -> Vec<String> {
    let width_max = width_max.max(1);
    let cleaned = clean(text, glyphs);
    let mut lines = vec![String::new()];
    for word in cleaned.split(' ') {
        let mut rest = word;
        let used = lines.last().map_or(0, |line| width(line));
        if used > 0 && used + 1 + width(rest) <= width_max {
            push_last(&mut lines, " ");
        } else if used > 0 {
            lines.push(String::new());
        }
        while width(rest) > width_max {
            let head = take(rest, width_max);
            // A character wider than the whole line still has to go somewhere.
            let head = if head.is_empty() { rest.graphemes(true).next().unwrap_or(rest) } else { head };
            push_last(&mut lines, head);
            lines.push(String::new());
            rest = rest.get(head.len()..).unwrap_or("");
        }
        push_last(&mut lines, rest);
    }
    lines
}

fn push_last(lines: &mut [String], text: &str) {
    if let Some(line) = lines.last_mut() {
        line.push_str(text);
    }
}

/// The first of `choices`, best first, that takes at most `width_max` columns; the last where none does.
#[must_use]
pub fn fitting(choices: impl IntoIterator<Item = String>, width_max: usize, glyphs: Glyphs) -> String {
    let mut last = String::new();
    for choice in choices {
        last = choice;
        if width(&clean(&last, glyphs)) <= width_max {
            break;
        }
    }
    last
}

/// `1 line`, `1,204 lines`.
#[must_use]
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", human_count(count), if count == 1 { one } else { many })
}

/// An age, by the minute so that an idle screen stays still: `<1 m`, `44 m`, `2 h 05`, `3 d 4 h`, `12 d`.
#[must_use]
pub fn age(ms: i64) -> String {
    match ms.max(0) {
        ms if ms < MINUTE_MS => "<1 m".to_owned(),
        ms if ms < HOUR_MS => format!("{} m", ms / MINUTE_MS),
        ms if ms < DAY_MS => format!("{} h {:02}", ms / HOUR_MS, ms % HOUR_MS / MINUTE_MS),
        ms if ms < 10 * DAY_MS && ms % DAY_MS >= HOUR_MS => {
            format!("{} d {} h", ms / DAY_MS, ms % DAY_MS / HOUR_MS)
        }
        ms => format!("{} d", ms / DAY_MS),
    }
}

/// The same, by the second in the first minute: `12 s`, `44 m`.
#[must_use]
pub fn short_age(ms: i64) -> String {
    match ms.max(0) {
        ms if ms < MINUTE_MS => format!("{} s", ms / SECOND_MS),
        ms => age(ms),
    }
}

/// An age in four columns: `<1m`, `44m`, `2h05`, `23h`, `12d`.
#[must_use]
pub fn age_short(ms: i64) -> String {
    match ms.max(0) {
        ms if ms < MINUTE_MS => "<1m".to_owned(),
        ms if ms < HOUR_MS => format!("{}m", ms / MINUTE_MS),
        ms if ms < 10 * HOUR_MS => format!("{}h{:02}", ms / HOUR_MS, ms % HOUR_MS / MINUTE_MS),
        ms if ms < DAY_MS => format!("{}h", ms / HOUR_MS),
        ms => format!("{}d", ms / DAY_MS),
    }
}

/// `14:33Z` on the day of `now`, `11-20 14:33Z` on another.
#[must_use]
pub fn clock(at: Timestamp, now: Timestamp) -> String {
    let time = at.hh_mm_ss();
    let minutes = time.get(..5).unwrap_or(&time);
    if at.date() == now.date() {
        format!("{minutes}Z")
    } else {
        format!("{} {minutes}Z", at.date().get(5..).unwrap_or_default())
    }
}

/// A repeat count in four columns: `7×`, `999×`, `12k×`, `3M×`.
#[must_use]
pub fn times(count: u64) -> String {
    match count {
        0..=999 => format!("{count}×"),
        1_000..=999_999 => format!("{}k×", count / 1_000),
        _ => format!("{}M×", count / 1_000_000),
    }
}

/// An argument vector as one line that a reader can take apart again: arguments with anything but plain characters are
/// quoted, and everything that is not printable ASCII is escaped.
#[must_use]
pub fn command_line<T: AsRef<str>>(argv: &[T]) -> String {
    argv.iter().map(|argument| escape_argument(argument.as_ref())).collect::<Vec<_>>().join(" ")
}

/// One argument, quoted and escaped where it needs to be.
#[must_use]
pub fn escape_argument(argument: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,{}".contains(&byte);
    if !argument.is_empty() && argument.bytes().all(is_plain) {
        return argument.to_owned();
    }
    let mut out = String::from("\"");
    for character in argument.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            ' '..='~' => out.push(character),
            _ => out.push_str(&format!("\\u{{{:x}}}", u32::from(character))),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UNICODE: Glyphs = Glyphs { is_ascii: false };
    const ASCII: Glyphs = Glyphs { is_ascii: true };

    #[test]
    fn what_acts_on_a_terminal_is_made_visible() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a\x1b]52;c;x\x07", "a⟨U+001B⟩]52;c;x⟨U+0007⟩"),
            ("rm \u{202e}fdp", "rm ⟨U+202E⟩fdp"),
            ("a\u{200b}b", "a⟨U+200B⟩b"),
            ("a\u{9b}31m", "a⟨U+009B⟩31m"),
            ("tab\there", "tab    here"),
            ("\u{e0041}", "⟨U+E0041⟩"),
        ] {
            assert_eq!(clean(text, UNICODE), expected, "{text:?}");
        }
        assert_eq!(clean("é → \u{1b} 漢", ASCII), "e -> <U+001B> ?");
    }

    #[test]
    fn numbers_of_the_system_are_not_for_people() {
        for (text, expected) in [
            ("refused (os error 111); again (os error 2)", "refused; again"),
            ("(os error 111)", "(os error 111)"),
            ("odd (os error x) (os error 1)", "odd (os error x) (os error 1)"),
            ("cut (os error 1", "cut (os error 1"),
        ] {
            assert_eq!(without_os_number(text), expected);
        }
    }

    #[test]
    fn text_is_cut_by_width_not_by_characters() {
        for (text, width_max, expected) in [
            ("checkout", 8, "checkout"),
            ("checkout", 5, "chec…"),
            ("漢字漢字", 5, "漢字…"),
            ("漢字", 2, "…"),
            ("ab", 0, ""),
        ] {
            assert_eq!(truncate(text, width_max, UNICODE), expected);
        }
        assert_eq!(truncate("checkout", 5, ASCII), "chec~");
        assert_eq!(cell("漢", 4, UNICODE), "漢  ");
        assert_eq!(cell_right("7", 3, UNICODE), "  7");
    }

    #[test]
    fn ages_move_by_the_minute() {
        for (ms, long, short) in [
            (-5, "<1 m", "<1m"),
            (59_999, "<1 m", "<1m"),
            (44 * MINUTE_MS, "44 m", "44m"),
            (125 * MINUTE_MS, "2 h 05", "2h05"),
            (23 * HOUR_MS, "23 h 00", "23h"),
            (76 * HOUR_MS, "3 d 4 h", "3d"),
            (48 * HOUR_MS, "2 d", "2d"),
            (300 * HOUR_MS, "12 d", "12d"),
        ] {
            assert_eq!((age(ms).as_str(), age_short(ms).as_str()), (long, short));
        }
    }

    #[test]
    fn a_command_line_can_be_taken_apart_again() {
        assert_eq!(command_line(&["kubectl", "get", "-n", "prod"]), "kubectl get -n prod");
        assert_eq!(command_line(&["a b", "", "\"x\"", "\u{202e}"]), r#""a b" "" "\"x\"" "\u{202e}""#);
    }

    proptest! {
        #[test]
        fn nothing_hostile_survives_and_widths_are_exact(text in ".{0,200}", width_max in 0_usize..120) {
            for glyphs in [UNICODE, ASCII] {
                let shown = cell(&text, width_max, glyphs);
                prop_assert_eq!(width(&shown), width_max);
                prop_assert!(!shown.chars().any(is_hostile));
                prop_assert!(!glyphs.is_ascii || shown.is_ascii());
            }
        }

        #[test]
        fn wrapping_loses_nothing(text in "[a-z漢 ]{0,120}", width_max in 2_usize..40) {
            let lines = wrap(&text, width_max, UNICODE);
            prop_assert!(lines.iter().all(|line| width(line) <= width_max));
            let joined: String = lines.concat().chars().filter(|c| *c != ' ').collect();
            prop_assert_eq!(joined, text.chars().filter(|c| *c != ' ').collect::<String>());
        }
    }
}
