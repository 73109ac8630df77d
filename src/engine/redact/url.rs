//! Passwords in addresses: `postgres://user:password@host`, and tokens in the place of a user.

use std::ops::Range;

use super::mark::{Kind, Span};
use super::value;

/// Of an authority no more than this is read.
const AUTHORITY_BYTES_MAX: usize = 1_024;

/// The secret in the authority behind `://`, which was met at `at`.
pub(super) fn password(text: &str, at: Range<usize>) -> Option<Span> {
    let bytes = text.as_bytes();
    let has_scheme = at.start.checked_sub(1).is_some_and(|before| bytes[before].is_ascii_alphanumeric());
    if !has_scheme {
        return None;
    }
    let rest = &bytes[at.end..];
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | 0x1b);
    let word = rest.iter().take(AUTHORITY_BYTES_MAX).position(is_end).unwrap_or(rest.len().min(AUTHORITY_BYTES_MAX));
    let word = &rest[..word];
    let authority = word.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(word.len());
    let user_end = last(&word[..authority], b'@').or_else(|| beyond_slash(word, authority))?;
    let user = &word[..user_end];
    let (start, kind) = match user.iter().position(|byte| *byte == b':') {
        Some(colon) => (colon + 1, Kind::Password),
        None => (0, Kind::Token),
    };
    // Both ends are beside ASCII characters, or where the authority begins.
    let secret = text.get(at.end + start..at.end + user_end)?;
    let is_secret = match kind {
        Kind::Password => !value::is_placeholder(secret),
        _ => value::is_random(secret, 16),
    };
    is_secret.then(|| Span { at: at.end + start..at.end + user_end, kind })
}

/// Where the user ends whose password has a slash in it, which it should not have: what follows the first colon is no
/// port, and there is an `@` further on.
fn beyond_slash(word: &[u8], authority: usize) -> Option<usize> {
    let colon = word[..authority].iter().position(|byte| *byte == b':')?;
    let is_port = word[colon + 1..authority].iter().all(u8::is_ascii_digit);
    if is_port { None } else { last(word, b'@') }
}

fn last(bytes: &[u8], wanted: u8) -> Option<usize> {
    bytes.iter().rposition(|byte| *byte == wanted)
}
