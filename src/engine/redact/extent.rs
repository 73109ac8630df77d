//! Where the value of a pair begins and ends.

use super::mark;
use super::pairs::is_of_name;

/// Blanks, of which there are not many.
pub(super) fn skip_blanks(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take(16).take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// A closing quote, with the backslashes of a text within a text.
pub(super) fn skip_quote(bytes: &[u8], at: usize) -> usize {
    let slashes = bytes[at..].iter().take(8).take_while(|byte| **byte == b'\\').count();
    match bytes.get(at + slashes) {
        Some(b'"' | b'\'' | b'`') => at + slashes + 1,
        _ => at,
    }
}

/// Colours of a terminal, as bytes or as they are shown.
pub(super) fn skip_colour(bytes: &[u8], mut at: usize) -> usize {
    while let Some(rest) = bytes[at..].strip_prefix(b"\x1b[").or_else(|| bytes[at..].strip_prefix("␛[".as_bytes())) {
        let head = bytes.len() - at - rest.len();
        let digits = rest.iter().take(16).take_while(|byte| byte.is_ascii_digit() || **byte == b';').count();
        if rest.get(digits) != Some(&b'm') {
            break;
        }
        at += head + digits + 1;
    }
    at
}

/// Behind `Some(`, `Secret(`, and the letter before a Python text.
pub(super) fn skip_wrapping(text: &str, start: usize) -> usize {
    let rest = &text[start..];
    let word = rest.bytes().take(12).take_while(u8::is_ascii_alphabetic).count();
    let is_opened = |at: usize| matches!(text.as_bytes().get(at), Some(b'"' | b'\''));
    match text.as_bytes().get(start + word) {
        Some(b'(') if word > 0 && is_opened(start + word + 1) => start + word + 1,
        Some(b'"' | b'\'') if word == 1 => start + 1,
        _ => start,
    }
}

/// Where a quoted value ends: before the same quote with as many backslashes before it, else at the end of the text; or
/// past `limit` bytes, at the end of a character.
pub(super) fn quoted_end(bytes: &[u8], start: usize, opened: usize, limit: usize) -> usize {
    let (quote, slashes) = (bytes[opened - 1], opened - 1 - start);
    let mut run = 0;
    for (at, byte) in bytes.iter().enumerate().skip(opened) {
        let is_end = *byte == quote && run <= slashes && run % 2 == slashes % 2;
        if is_end {
            return at - run;
        }
        if at - opened >= limit && begins_character(*byte) {
            return at;
        }
        run = if *byte == b'\\' { run + 1 } else { 0 };
    }
    bytes.len()
}

/// Where a value without quotes ends: at a blank, a quote or a bracket that it did not open, and where the next pair
/// begins.
pub(super) fn bare_end(text: &str, start: usize, is_tag: bool, limit: usize) -> usize {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(byte) = bytes.get(at).filter(|_| at - start <= limit) {
        let is_end = match byte {
            b'"' | b'\'' | b'`' | b'<' | 0x1b => true,
            b'>' => is_tag,
            byte if byte.is_ascii_whitespace() => true,
            b'(' | b'[' | b'{' => {
                depth += 1;
                false
            }
            b')' | b']' | b'}' if depth == 0 => ends_here(&bytes[at + 1..]),
            b')' | b']' | b'}' => {
                depth -= 1;
                false
            }
            b',' | b';' | b'&' | b'|' => ends_here(&bytes[at + 1..]),
            _ => text[at..].starts_with('␛') || text[at..].starts_with(mark::MARK_START),
        };
        if is_end {
            break;
        }
        // Past the whole character, so that its later bytes are not taken for its beginning.
        at += 1;
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    let value = &text[start..at];
    start + value.trim_end_matches(['.', ',', ';']).len()
}

/// True where after a comma or a bracket something else begins: a blank, another bracket, a pair.
fn ends_here(rest: &[u8]) -> bool {
    let is_next = |byte: u8| byte.is_ascii_whitespace() || b",;)]}\"'&|".contains(&byte);
    let Some(first) = rest.first() else { return true };
    let word = rest.iter().take(64).take_while(|byte| is_of_name(**byte) || matches!(byte, b'"' | b'.' | b' ')).count();
    is_next(*first) || (word > 0 && matches!(rest.get(word), Some(b'=' | b':')))
}

/// Where a line ends, or a quote begins or ends that it is in.
pub(super) fn line_end(bytes: &[u8], from: usize, limit: usize) -> usize {
    let mut rest = bytes.iter().enumerate().skip(from);
    let end = rest.find(|(at, byte)| {
        matches!(byte, b'\n' | b'\r' | b'"' | b'\'') || (at - from >= limit && begins_character(**byte))
    });
    end.map_or(bytes.len(), |(at, _)| at)
}

/// True for a byte of UTF-8 that does not go on with the character before.
fn begins_character(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}
