//! Series in files to scores in files: one CSV a series, read, scored and written row by row.
//!
//! A row is `timestamp,value`, or `timestamp,m0,m1,…` for several metrics of one thing; a stamp is epoch seconds or
//! RFC 3339. Every row in is a row out. A value that is no number teaches nothing and scores 0; so does a row whose stamp
//! cannot be read.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime};

use crate::engine::detect::relation::{self, ServiceScorer};
use crate::engine::detect::scorer::SeriesScorer;

/// Metrics of one thing that are scored together; further columns are set aside.
const METRICS_MAX: usize = 4_096;
/// Folders within folders.
const DEPTH_MAX: usize = 16;

/// Why a file could not be scored.
#[derive(Debug, thiserror::Error)]
pub enum SeriesError {
    /// It could not be opened, read or written.
    #[error("{path}: {problem}")]
    File {
        /// Which.
        path: PathBuf,
        /// What went wrong.
        problem: io::Error,
    },
    /// The scores would stand where the series is.
    #[error("{path} is the series itself; name another folder for the scores")]
    Same {
        /// Which.
        path: PathBuf,
    },
    /// It is no table.
    #[error("{path} line {line}: {problem}")]
    Table {
        /// Which.
        path: PathBuf,
        /// Where, from 1.
        line: u64,
        /// What went wrong.
        problem: String,
    },
}

/// What was set aside of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SetAside {
    /// Values that are no finite number.
    pub values: u64,
    /// Rows whose stamp cannot be read.
    pub stamps: u64,
    /// Line of the first of either, from 1.
    pub first_line: u64,
}

impl SetAside {
    fn note(&mut self, line: u64, is_stamp: bool) {
        if self.values + self.stamps == 0 {
            self.first_line = line;
        }
        *if is_stamp { &mut self.stamps } else { &mut self.values } += 1;
    }

    /// True where there is something to tell.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.values + self.stamps > 0
    }
}

/// A scored row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row<'a> {
    /// The stamp as it was written.
    pub stamp: &'a str,
    /// Seconds since the epoch; not a number where the stamp cannot be read.
    pub at_s: f64,
    /// 0 to 1; from 0.5 on an alert is due.
    pub score: f64,
}

/// The tables under a folder, as paths from there, in order; of a file, the file.
///
/// # Errors
/// When a folder cannot be read.
pub fn tables(folder: &Path) -> Result<Vec<PathBuf>, SeriesError> {
    let mut found = Vec::new();
    gather(folder, Path::new(""), 0, &mut found)?;
    found.sort();
    Ok(found)
}

fn gather(folder: &Path, below: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), SeriesError> {
    let path = folder.join(below);
    let fail = |problem| SeriesError::File { path: path.clone(), problem };
    for entry in path.read_dir().map_err(fail)? {
        let name = entry.map_err(fail)?.file_name();
        let inner = below.join(name);
        let full = folder.join(&inner);
        if full.is_dir() {
            if depth < DEPTH_MAX {
                gather(folder, &inner, depth + 1, found)?;
            }
        } else if full.extension().is_some_and(|extension| extension == "csv") {
            found.push(inner);
        }
    }
    Ok(())
}

/// Scores the table at `path` and gives every row to `take`, in order.
///
/// # Errors
/// When it cannot be read, has no column of values, or a row cannot be taken.
pub fn score_table(
    path: &Path,
    mut take: impl FnMut(&Row<'_>) -> Result<(), SeriesError>,
) -> Result<SetAside, SeriesError> {
    let fail = |problem| SeriesError::File { path: path.to_owned(), problem };
    score_rows(path, BufReader::new(File::open(path).map_err(fail)?), &mut take)
}

fn score_rows(
    path: &Path,
    input: impl Read,
    take: &mut dyn FnMut(&Row<'_>) -> Result<(), SeriesError>,
) -> Result<SetAside, SeriesError> {
    let table = |line: u64, problem: String| SeriesError::Table { path: path.to_owned(), line, problem };
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(input);
    let width = reader.byte_headers().map_err(|problem| table(1, problem.to_string()))?.len();
    if width < 2 {
        return Err(table(1, "a stamp and at least one column of values are needed".to_owned()));
    }
    let mut thing = Thing::new((width - 1).min(METRICS_MAX));
    let mut set_aside = SetAside::default();
    let mut record = csv::ByteRecord::new();
    loop {
        let line = reader.position().line();
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return Ok(set_aside),
            Err(problem) => return Err(table(line, problem.to_string())),
        }
        let line = record.position().map_or(line, csv::Position::line);
        // Bytes that are no text make no stamp and no number either.
        let cell = |at: usize| record.get(at).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
        let (stamp, at_s) = (cell(0), stamp_s(cell(0)));
        if !at_s.is_finite() {
            set_aside.note(line, true);
            take(&Row { stamp, at_s, score: 0.0 })?;
            continue;
        }
        for (at, value) in thing.values.iter_mut().enumerate() {
            *value = cell(at + 1).parse().unwrap_or(f64::NAN);
            if !value.is_finite() {
                set_aside.note(line, false);
            }
        }
        take(&Row { stamp, at_s, score: thing.score(at_s) })?;
    }
}

/// What the rows of a table are about: the present values of its metrics, and what is known of them. One metric is
/// judged by itself, several of one thing together, those beyond that by themselves again.
struct Thing {
    values: Vec<f64>,
    service: Option<ServiceScorer>,
    single: Vec<SeriesScorer>,
}

impl Thing {
    fn new(metrics: usize) -> Self {
        let together = if metrics > 1 { metrics.min(relation::METRICS_MAX) } else { 0 };
        Self {
            values: vec![f64::NAN; metrics],
            service: (together > 0).then(|| ServiceScorer::new(together)),
            single: vec![SeriesScorer::new(); metrics - together],
        }
    }

    /// The most anomalous counts.
    fn score(&mut self, at_s: f64) -> f64 {
        let (together, single) = self.values.split_at(self.values.len() - self.single.len());
        let service = self.service.as_mut().map_or(0.0, |service| service.observe(at_s, together).score);
        let scored = self.single.iter_mut().zip(single);
        scored.map(|(scorer, value)| scorer.observe(at_s, *value).score).fold(service, f64::max)
    }
}

/// Seconds since the epoch of a stamp; not a number where it is none. Without a zone, UTC.
fn stamp_s(text: &str) -> f64 {
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds;
    }
    // A moment with less than a thousand years to go fits into the seconds of a double to the microsecond.
    let seconds = |micros: i64| micros as f64 / 1e6;
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return seconds(at.timestamp_micros());
    }
    for form in ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M"] {
        if let Ok(at) = NaiveDateTime::parse_from_str(text, form) {
            return seconds(at.and_utc().timestamp_micros());
        }
    }
    f64::NAN
}

/// Scores the table at `source` into one at `target`, whose folders are made: `timestamp,score`. Gives the number of rows
/// and what was set aside.
///
/// # Errors
/// When `source` cannot be read, `target` cannot be written, or they are the same.
pub fn score_file(source: &Path, target: &Path) -> Result<(u64, SetAside), SeriesError> {
    let fail = |problem: io::Error| SeriesError::File { path: target.to_owned(), problem };
    if let (Ok(source), Ok(target)) = (source.canonicalize(), target.canonicalize())
        && source == target
    {
        return Err(SeriesError::Same { path: target });
    }
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder).map_err(fail)?;
    }
    // The source first: an unreadable one leaves no empty answer.
    let input = File::open(source).map_err(|problem| SeriesError::File { path: source.to_owned(), problem })?;
    let mut output = BufWriter::new(File::create(target).map_err(fail)?);
    writeln!(output, "timestamp,score").map_err(fail)?;
    let mut rows = 0;
    let set_aside = score_rows(source, BufReader::new(input), &mut |row| {
        rows += 1;
        // A double prints with all the digits that tell it from its neighbours.
        writeln!(output, "{},{}", quoted(row.stamp), row.score).map_err(fail)
    })?;
    output.flush().map_err(fail)?;
    Ok((rows, set_aside))
}

/// A cell as CSV takes it.
fn quoted(cell: &str) -> std::borrow::Cow<'_, str> {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\"")).into()
    } else {
        cell.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(text: &str) -> Result<(Vec<(String, f64)>, SetAside), SeriesError> {
        let mut rows = Vec::new();
        let set_aside = score_rows(Path::new("x.csv"), text.as_bytes(), &mut |row| {
            rows.push((row.stamp.to_owned(), row.score));
            Ok(())
        })?;
        Ok((rows, set_aside))
    }

    #[test]
    fn every_row_in_is_a_row_out() {
        let (rows, set_aside) =
            scored("timestamp,value\n0,1\n60,\n60,nan\nyesterday,3\n2014-02-14 14:30:00,1e999\n120\n30,4\n").unwrap();
        assert_eq!(rows.len(), 7);
        assert!(rows.iter().all(|row| row.1 == 0.0));
        assert_eq!(set_aside, SetAside { values: 4, stamps: 1, first_line: 3 });
    }

    #[test]
    fn what_is_no_table_is_named() {
        assert_eq!(
            scored("value\n1\n").unwrap_err().to_string(),
            "x.csv line 1: a stamp and at least one column of values are needed"
        );
        assert!(scored("").is_err());
        assert_eq!(scored("timestamp,value\n").unwrap().0, []);
    }

    #[test]
    fn stamps_are_seconds_or_dates() {
        for (text, seconds) in [
            ("1.5", 1.5),
            ("1970-01-01T00:01:00Z", 60.0),
            ("1970-01-01T01:01:00+01:00", 60.0),
            ("1970-01-01 00:01:00", 60.0),
        ] {
            assert_eq!(stamp_s(text), seconds, "{text}");
        }
        assert!(stamp_s("now").is_nan());
    }

    #[test]
    fn metrics_beyond_those_judged_together_are_judged_by_themselves() {
        let width = relation::METRICS_MAX + 1;
        let row = |at: usize| {
            let last = if at == 399 { 900 } else { 10 + at * 7 % 5 };
            format!("{}{},{last}\n", at * 300, ",1".repeat(width - 1))
        };
        let rows: String = (0..400).map(row).collect();
        let header = (0..width).map(|at| format!(",m{at}")).collect::<String>();
        let (rows, _) = scored(&format!("timestamp{header}\n{rows}")).unwrap();
        assert!(rows.last().unwrap().1 > 0.5 && rows[300..399].iter().all(|row| row.1 < 0.5));
    }

    #[test]
    fn files_keep_their_places() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("in/deep")).unwrap();
        std::fs::write(folder.path().join("in/deep/b.csv"), "timestamp,value\n0,1\n").unwrap();
        std::fs::write(folder.path().join("in/a.csv"), "timestamp,value\n\"1,5\",1\n").unwrap();
        std::fs::write(folder.path().join("in/readme.txt"), "no table").unwrap();
        let names = tables(&folder.path().join("in")).unwrap();
        assert_eq!(names, [PathBuf::from("a.csv"), PathBuf::from("deep/b.csv")]);
        for name in &names {
            score_file(&folder.path().join("in").join(name), &folder.path().join("out").join(name)).unwrap();
        }
        assert_eq!(std::fs::read_to_string(folder.path().join("out/a.csv")).unwrap(), "timestamp,score\n\"1,5\",0\n");
        assert!(folder.path().join("out/deep/b.csv").exists());
    }
}
