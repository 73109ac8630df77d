//! The one way to standard output for everything that is not the screen.
//!
//! Text from outside may sit in any line, so lines are made harmless here as well; a reader that went away (`| head`)
//! is no error.

use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use crate::views::context::Glyphs;
use crate::views::text;

/// Writes a line; control characters in it become visible.
///
/// # Errors
/// When standard output cannot be written, other than by a reader that went away.
pub fn line(text_from_anywhere: &str) -> io::Result<()> {
    let safe = text::clean(text_from_anywhere, Glyphs::default());
    forgive_broken_pipe(writeln!(io::stdout().lock(), "{safe}"))
}

/// Writes a value as indented JSON. Characters that could reach a terminal as commands are escaped.
///
/// # Errors
/// When standard output cannot be written, other than by a reader that went away.
pub fn json<T: Serialize>(value: &T) -> io::Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
    forgive_broken_pipe(writeln!(io::stdout().lock(), "{}", escape_unsafe(&text)))
}

/// Writes a line to standard error.
pub fn complain(text_from_anywhere: &str) {
    let safe = text::clean(text_from_anywhere, Glyphs::default());
    // Nobody is left to tell when standard error is gone.
    let _gone = writeln!(io::stderr().lock(), "hypo: {safe}");
}

fn forgive_broken_pipe(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(problem) if problem.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// JSON escapes C0 by itself; C1, DEL and the characters that turn or hide text are escaped here.
fn escape_unsafe(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && text::is_hostile(c) {
            escaped.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_the_same_value_and_loses_its_teeth() {
        let value = serde_json::json!({"label": "a\u{1b}]52;c;x\u{7}\u{9b}31m\u{202e}b"});
        let text = escape_unsafe(&serde_json::to_string_pretty(&value).unwrap());
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert!(!text.contains('\u{202e}'));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
