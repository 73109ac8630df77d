//! A first line as it is put together: printable ASCII, and never longer than it may be.

use std::fmt::Write;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::{NAME_BYTES_MAX, START};
use crate::engine::limits::HELLO_BYTES_MAX;

/// What cannot stand in a word as it is.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// A line that is made.
pub(super) struct Line(String);

impl Line {
    pub(super) fn new(version: &str, wire: u32) -> Self {
        let mut line = Self(START.join(" "));
        line.word("version");
        line.free(version, NAME_BYTES_MAX);
        line.word("wire");
        line.word(&wire.to_string());
        line
    }

    /// A word that is printable ASCII.
    pub(super) fn word(&mut self, word: &str) {
        self.0.push(' ');
        self.0.push_str(word);
    }

    /// As much of a text as has room in `bytes_max` bytes and in the line.
    pub(super) fn free(&mut self, text: &str, bytes_max: usize) {
        self.0.push(' ');
        let end = HELLO_BYTES_MAX.saturating_sub(1).min(self.0.len() + bytes_max);
        let mut encoded = String::new();
        for letter in text.chars() {
            encoded.clear();
            // Writing into a string does not fail.
            let _infallible = write!(encoded, "{}", utf8_percent_encode(letter.encode_utf8(&mut [0; 4]), ENCODED));
            if self.0.len() + encoded.len() > end {
                break;
            }
            self.0.push_str(&encoded);
        }
    }

    pub(super) fn ended(mut self) -> String {
        self.0.push('\n');
        self.0
    }
}
