//! Text from outside as Markdown that says just that text: nothing in it begins a heading, a list, a link, a code span or
//! an element, and no control character passes.

use crate::engine::ingest::normalize::sanitize;

/// One text of the record; more is cut off and marked.
const TEXT_BYTES_MAX: usize = 2_000;

/// The text as one line of Markdown.
pub(super) fn escape(text: &str) -> String {
    let text = one_line(text);
    let mut escaped = String::with_capacity(text.len() + 8);
    let characters: Vec<char> = text.chars().collect();
    for (index, &character) in characters.iter().enumerate() {
        let is_inside_word =
            |at: Option<usize>| at.and_then(|at| characters.get(at)).is_some_and(|beside| beside.is_alphanumeric());
        let is_special = match character {
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '#' => true,
            // Within a word it means itself.
            '_' => !(is_inside_word(index.checked_sub(1)) && is_inside_word(Some(index + 1))),
            // These begin a block, at the start of a line only.
            '-' | '+' | '=' => index == 0,
            '.' | ')' => index > 0 && characters[..index].iter().all(char::is_ascii_digit),
            _ => false,
        };
        if is_special {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// The text as a code span: between more backticks than it has in a row.
pub(super) fn code(text: &str) -> String {
    let text = one_line(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') || text.is_empty() { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Lines joined, blanks at both ends gone, and everything that a reader would not see made visible.
pub(super) fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    sanitize(lines.join(" / ").trim(), TEXT_BYTES_MAX).to_string()
}

/// A Markdown document, written line by line.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// A heading; `text` is ours.
    pub(super) fn heading(&mut self, level: usize, text: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0 += &format!("{} {text}\n\n", "#".repeat(level));
    }

    /// A paragraph; texts from outside in it are escaped already.
    pub(super) fn paragraph(&mut self, text: &str) {
        self.0 += &format!("{text}\n");
    }

    /// A point of a list; likewise.
    pub(super) fn point(&mut self, text: &str) {
        self.0 += &format!("- {text}\n");
    }

    /// A point below the last one; likewise.
    pub(super) fn sub_point(&mut self, text: &str) {
        self.0 += &format!("  - {text}\n");
    }

    /// Several points, or one line that says there are none.
    pub(super) fn points(&mut self, points: &[String], none: &str) {
        if points.is_empty() {
            self.paragraph(none);
        }
        points.iter().for_each(|point| self.point(point));
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}
