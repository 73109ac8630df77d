//! EPSS: how likely a vulnerability is to be exploited within 30 days (FIRST). A probability, no evidence; one that is missing
//! is unknown and not 0.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{FeedError, FeedKind, Read};
use crate::engine::patches::cve::CveId;

/// One estimate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Of which.
    pub cve: CveId,
    /// Probability, 0 to 1.
    pub probability: f32,
    /// Share of all vulnerabilities that are no likelier, 0 to 1.
    pub percentile: f32,
}

/// Reads the daily table; gives the day it is of as well, where its first line says so.
///
/// # Errors
/// When it lacks the columns, or is no table.
pub fn read(table: &[u8]) -> Result<(Option<NaiveDate>, Read<Estimate>), FeedError> {
    let unreadable = |problem: String| FeedError::Unreadable { feed: FeedKind::Epss.title(), problem };
    let first = table.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let day = String::from_utf8_lossy(first).split_once("score_date:").and_then(|(_, rest)| day_of(rest));
    let mut rows = csv::ReaderBuilder::new().comment(Some(b'#')).flexible(true).from_reader(table);
    let headers = rows.headers().map_err(|problem| unreadable(problem.to_string()))?.clone();
    let column = |name: &str| {
        headers.iter().position(|header| header == name).ok_or_else(|| unreadable(format!("it has no column `{name}`")))
    };
    let (cve, probability, percentile) = (column("cve")?, column("epss")?, column("percentile")?);
    let mut read = Read::new();
    for row in rows.records() {
        let row = row.map_err(|problem| unreadable(problem.to_string()))?;
        let cell = |index: usize| row.get(index).unwrap_or_default();
        let share = |index: usize| {
            let value = cell(index).parse::<f32>().ok().filter(|value| (0.0..=1.0).contains(value));
            value.ok_or_else(|| format!("`{}` of {} is no probability", cell(index), cell(cve)))
        };
        let id = cell(cve).parse::<CveId>().map_err(|problem| problem.to_string());
        read.take(
            id.and_then(|cve| Ok(Estimate { cve, probability: share(probability)?, percentile: share(percentile)? })),
        );
    }
    Ok((day, read))
}

fn day_of(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text.get(..10)?, "%Y-%m-%d").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_with_its_day() {
        let table = "#model_version:v2025.03.14,score_date:2026-11-20T00:00:00+0000\ncve,epss,percentile\n\
                     CVE-2024-3094,0.85,0.993\nCVE-2024-1,0.1,0.2\nCVE-2024-1111,1.5,0.2\nCVE-2024-1112\n";
        let (day, read) = read(table.as_bytes()).unwrap();
        assert_eq!(day, NaiveDate::from_ymd_opt(2026, 11, 20));
        assert_eq!((read.entries.len(), read.dropped_count), (1, 3));
        assert_eq!(read.entries[0].probability, 0.85);
        assert!(super::read(b"cve,score\n").unwrap_err().to_string().contains("no column `epss`"));
        assert!(super::read(b"").is_err());
    }
}
