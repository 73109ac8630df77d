//! Figures in rows and columns: aligned text for people, JSON for scripts.

use std::io;

use serde::{Serialize, Serializer};
use unicode_width::UnicodeWidthStr;

use super::output;

/// One place of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// A figure, shown with so many decimals; JSON has all digits. One that is not finite was not measured.
    Figure(f64, usize),
    /// A word.
    Text(String),
    /// Not measured, or without meaning here.
    None,
}

impl Cell {
    fn text(&self) -> String {
        match self {
            Self::Figure(value, decimals) if value.is_finite() => format!("{value:.decimals$}"),
            Self::Text(text) => text.clone(),
            Self::Figure(..) | Self::None => "-".to_owned(),
        }
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Figure(value, _) if value.is_finite() => serializer.serialize_f64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Figure(..) | Self::None => serializer.serialize_none(),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// A table with a heading; the first column names the row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// Names of the columns, the row's name first.
    pub columns: Vec<String>,
    /// The rows; each has as many cells as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn new(title: &str, columns: &[&str]) -> Self {
        Self {
            title: title.to_owned(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    /// Its lines: the title, the heading and the rows, words to the left and figures to the right.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let texts: Vec<Vec<String>> = self.rows.iter().map(|row| row.iter().map(Cell::text).collect()).collect();
        let width = |at: usize| {
            let cells = texts.iter().filter_map(|row| row.get(at)).chain(self.columns.get(at));
            cells.map(|text| text.width()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let mut lines = vec![self.title.clone(), joined(&self.columns, &widths)];
        lines.extend(texts.iter().map(|row| joined(row, &widths)));
        lines
    }

    /// Prints the lines.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn print(&self) -> io::Result<()> {
        self.lines().iter().try_for_each(|line| output::line(line))
    }
}

/// The first place to the left, the others to the right, two blanks between.
fn joined(row: &[String], widths: &[usize]) -> String {
    let places = row.iter().zip(widths).enumerate().map(|(at, (text, width))| {
        let blank = " ".repeat(width.saturating_sub(text.width()));
        if at == 0 { format!("{text}{blank}") } else { format!("{blank}{text}") }
    });
    places.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_left_and_figures_right() {
        let mut table = Table::new("detect", &["set", "F1", "delay"]);
        table.push(vec!["nab".into(), Cell::Figure(0.5, 3), Cell::Figure(12.0, 0)]);
        table.push(vec!["a longer one".into(), Cell::Figure(f64::NAN, 3), Cell::None]);
        let lines = table.lines();
        assert_eq!(
            lines,
            ["detect", "set              F1  delay", "nab           0.500     12", "a longer one      -      -"]
        );
    }

    #[test]
    fn json_has_every_digit_and_null_for_what_was_not_measured() {
        let row = [Cell::Figure(1.0 / 3.0, 2), Cell::Figure(f64::NAN, 2), Cell::None, "x".into()];
        let json = serde_json::to_string(&row).unwrap();
        assert_eq!(json, "[0.3333333333333333,null,null,\"x\"]");
    }
}
