//! Schemes of authorization wherever they are written, with or without the header's name before them.

use std::ops::Range;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::mark::{Kind, Span};
use super::shapes::begins_word;
use super::value;

/// Base 64 with or without its padding, as clients write it.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// By this much of a token it is decided whether it is one.
const LOOK_BYTES_MAX: usize = 256;

/// `Bearer` and a token.
pub(super) fn bearer(text: &str, at: Range<usize>) -> Option<Span> {
    let bytes = text.as_bytes();
    if !begins_word(bytes, at.start) {
        return None;
    }
    let start = at.end + gap(&bytes[at.end..])?;
    let secret = token68(text, start)?;
    (!is_pair(secret) && value::is_random(secret, 8))
        .then(|| Span { at: start..token_end(text, start), kind: Kind::Authorization })
}

/// `Basic` and a user with a password in base 64.
pub(super) fn basic(text: &str, at: Range<usize>) -> Option<Span> {
    if !begins_word(text.as_bytes(), at.start) {
        return None;
    }
    let secret = token68(text, at.end)?;
    // What was cut off in the middle of a group of four is read to the end of the last whole one.
    let whole = if secret.len() == LOOK_BYTES_MAX { LOOK_BYTES_MAX / 4 * 4 } else { secret.len() };
    let decoded = LENIENT.decode(&secret[..whole]).ok()?;
    let is_pair = decoded.contains(&b':') && decoded.iter().all(|byte| !byte.is_ascii_control());
    (secret.len() >= 6 && is_pair).then(|| Span { at: at.end..token_end(text, at.end), kind: Kind::Login })
}

/// Blanks between a scheme and its token, also as an address writes them; `None` for none.
fn gap(bytes: &[u8]) -> Option<usize> {
    let blanks = bytes.iter().take_while(|byte| **byte == b' ').count();
    match (blanks, bytes.strip_prefix(b"%20"), bytes.first()) {
        (1.., _, _) => Some(blanks),
        (0, Some(_), _) => Some(3),
        (0, None, Some(b'+')) => Some(1),
        _ => None,
    }
}

/// True for `name=value`, which is no token.
pub(super) fn is_pair(token: &str) -> bool {
    token.split_once('=').is_some_and(|(name, value)| {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        !value.trim_matches('=').is_empty() && name.len() <= 16 && name.bytes().all(is_name)
    })
}

/// A token of HTTP authorization, of which so much is read as it takes to know it.
pub(super) fn token68(text: &str, start: usize) -> Option<&str> {
    let length = text.as_bytes().get(start..)?.iter().take(LOOK_BYTES_MAX).take_while(|byte| is_of_token(byte)).count();
    let token = text.get(start..start + length)?;
    let token = token.trim_end_matches('.');
    (!token.is_empty()).then_some(token)
}

/// Where the token that begins at `start` ends.
pub(super) fn token_end(text: &str, start: usize) -> usize {
    let length = text.as_bytes()[start..].iter().take_while(|byte| is_of_token(byte)).count();
    start + text[start..start + length].trim_end_matches('.').len()
}

fn is_of_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte)
}
