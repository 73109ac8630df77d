//! Redaction of lines that follow one another, where a secret may be longer than a line: a private key.

use std::borrow::Cow;

use super::redact;

/// A private key of more lines than this has lost its end.
const KEY_LINES_MAX: usize = 200;
/// What is said for each line of a private key.
const INSIDE: &str = "⟨redacted:private-key⟩";

/// Redacts the lines of one source, in order.
#[derive(Debug, Clone, Default)]
pub struct LineRedactor {
    /// Lines of a private key seen so far, while inside of one.
    key_lines: usize,
}

impl LineRedactor {
    /// The line without its secrets.
    pub fn line<'a>(&mut self, line: &'a str) -> Cow<'a, str> {
        if self.hides(line) { Cow::Borrowed(INSIDE) } else { redact(line) }
    }

    /// True for a line that is part of a private key and nothing else.
    pub fn hides(&mut self, line: &str) -> bool {
        let is_last = line.contains("-----END ");
        if self.key_lines > 0 {
            let is_of_key = is_last || (line.len() <= 100 && line.trim().bytes().all(is_of_key));
            self.key_lines = if is_last || !is_of_key { 0 } else { (self.key_lines + 1) % KEY_LINES_MAX };
            if is_of_key {
                return true;
            }
        }
        self.key_lines = usize::from(!is_last && line.contains("-----BEGIN ") && line.contains("PRIVATE KEY"));
        false
    }
}

/// Base 64, or a header of an older key.
fn is_of_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=-,: ".contains(&byte)
}
