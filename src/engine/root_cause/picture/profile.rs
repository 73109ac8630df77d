//! How bad each row of the incident is for what paged: the shape in time that a cause has to have as well.

use crate::engine::root_cause::case::{Case, Seconds};
use crate::engine::root_cause::robust::median;

/// Rows with their weight, from 0 (quiet) to 1 (worst).
pub type Profile = Vec<(usize, f64)>;

/// A row counts as quiet up to this share of the worst.
pub const QUIET_MAX: f64 = 0.25;
/// From so many rows on single samples are smoothed: a median of three, and of five from twice as many on.
const SMOOTH_ROWS: usize = 6;

/// The rows of the incident, by index.
#[must_use]
pub fn incident_rows(case: &Case) -> Vec<usize> {
    let ts = &case.now.metrics.ts;
    ts.iter().enumerate().filter(|(_, ts)| case.incident.contains(**ts)).map(|(row, _)| row).collect()
}

/// As many rows as the incident has, before it, where the table holds them: quiet by what the case says.
#[must_use]
pub fn rows_before(case: &Case, count: usize) -> Vec<usize> {
    let ts = &case.now.metrics.ts;
    let before = ts.partition_point(|ts| *ts < case.incident.start);
    (before.saturating_sub(count)..before).collect()
}

/// The rows from `from` on are loud, the others quiet: for where nothing says how bad a row is.
#[must_use]
pub fn late(case: &Case, rows: &[usize], from: Seconds) -> Profile {
    let is_late = |row: &usize| case.now.metrics.ts.get(*row).is_some_and(|ts| *ts >= from);
    rows.iter().map(|row| (*row, f64::from(is_late(row)))).collect()
}

/// Weights by badness. `usual` is the healthy centre and scale of the badness; the incident's own quiet rows are the
/// nearer reference where there are some. `is_count` takes roots: the root of a count has the same noise everywhere, so
/// that one burst does not outweigh all the rest. `None` where no row is worse than another.
#[must_use]
pub fn by_badness(rows: &[(usize, f64)], usual: Option<(f64, f64)>, is_count: bool) -> Option<Profile> {
    let smooth = smoothed(rows);
    let (least, most) = smooth.iter().fold((f64::MAX, f64::MIN), |(low, high), bad| (low.min(*bad), high.max(*bad)));
    let floor = match usual {
        Some((centre, scale)) if least > centre + (3.0 * scale).max(QUIET_MAX * (most - centre)) => centre,
        _ => least,
    };
    let span = most - floor;
    if rows.is_empty() || span <= 0.0 || !span.is_finite() {
        return None;
    }
    let weight = |bad: f64| ((bad - floor) / span).clamp(0.0, 1.0);
    let stable = |weight: f64| if is_count { weight.sqrt() } else { weight };
    Some(rows.iter().zip(smooth).map(|((row, _), bad)| (*row, stable(weight(bad)))).collect())
}

fn smoothed(rows: &[(usize, f64)]) -> Vec<f64> {
    let reach = if rows.len() >= 2 * SMOOTH_ROWS { 2 } else { usize::from(rows.len() >= SMOOTH_ROWS) };
    let around = |at: usize| {
        let mut near: Vec<f64> =
            rows.iter().skip(at.saturating_sub(reach)).take(at.min(reach) + reach + 1).map(|(_, bad)| *bad).collect();
        median(&mut near).unwrap_or(0.0)
    };
    (0..rows.len()).map(around).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_row_weighs_one_and_quiet_rows_nothing() {
        let profile = by_badness(&[(0, 1.0), (1, 1.0), (2, 5.0), (3, 3.0)], None, false).unwrap();
        assert_eq!(profile, vec![(0, 0.0), (1, 0.0), (2, 1.0), (3, 0.5)]);
    }

    #[test]
    fn where_every_row_is_bad_the_healthy_time_is_the_floor() {
        let profile = by_badness(&[(0, 10.0), (1, 11.0)], Some((1.0, 0.1)), false).unwrap();
        assert!(profile.iter().all(|(_, weight)| *weight > 0.8), "{profile:?}");
    }

    #[test]
    fn a_flat_line_has_no_profile() {
        assert_eq!(by_badness(&[(0, 2.0), (1, 2.0)], None, false), None);
        assert_eq!(by_badness(&[], None, false), None);
    }
}
