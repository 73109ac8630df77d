//! Figures drawn with characters: sparklines, bars, and a chart of values against their band.

use crate::engine::model::Band;

/// Eighths of a cell, from the bottom.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Eighths of a cell, from the left.
const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// The last `width` values as one character each, scaled between the least and the greatest of them; a flat line is low.
#[must_use]
pub fn sparkline(values: &[f32], width: usize) -> String {
    let shown = values.get(values.len().saturating_sub(width)..).unwrap_or(values);
    let finite = shown.iter().copied().filter(|value| value.is_finite());
    let (low, high) = finite.fold((f32::MAX, f32::MIN), |(low, high), value| (low.min(value), high.max(value)));
    shown.iter().map(|value| level(*value, low, high)).collect()
}

fn level(value: f32, low: f32, high: f32) -> char {
    if !value.is_finite() {
        return ' ';
    }
    let share = if high > low { (value - low) / (high - low) } else { 0.0 };
    // A share of 0 to 1 gives 0 to 7.
    LEVELS.get((share * 7.0).round() as usize).copied().unwrap_or('█')
}

/// A bar for a share of 0 to 1, at most `width` columns, by eighths of a column: `█████▋`.
#[must_use]
pub fn bar(share: f64, width: usize) -> String {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    // Widths are those of a terminal, far below where a float loses whole numbers.
    let eighths = (share * width as f64 * 8.0).round() as usize;
    let mut out = "█".repeat(eighths / 8);
    if let Some(part) = (eighths % 8).checked_sub(1).and_then(|at| EIGHTHS.get(at)) {
        out.push(*part);
    }
    out
}

/// What one cell of a [`plot`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dot {
    /// Nothing.
    Blank,
    /// Within the band, where no value is.
    Band,
    /// A value inside the band.
    Inside,
    /// A value outside it.
    Outside,
}

impl Dot {
    /// Its character.
    #[must_use]
    pub fn glyph(self) -> char {
        match self {
            Self::Blank => ' ',
            Self::Band => '░',
            Self::Inside => '○',
            Self::Outside => '●',
        }
    }
}

/// The range a [`plot`] covers: every value and the whole band.
#[must_use]
pub fn range(values: &[f32], band: Band) -> (f64, f64) {
    let ends = [band.low, band.high].into_iter().filter(|edge| edge.is_finite());
    let all = values.iter().map(|value| f64::from(*value)).filter(|value| value.is_finite()).chain(ends);
    let (low, high) = all.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    if low <= high { (low, high) } else { (0.0, 0.0) }
}

/// The last `width` values as rows of dots over the band, top row first.
#[must_use]
pub fn plot(values: &[f32], band: Band, width: usize, height: usize) -> Vec<Vec<Dot>> {
    let shown = values.get(values.len().saturating_sub(width)..).unwrap_or(values);
    let (low, high) = range(shown, band);
    let row_of = |value: f64| {
        let share = if high > low { (value - low) / (high - low) } else { 0.5 };
        // Heights are those of a terminal; the share is within 0 to 1 by the choice of the range.
        height.saturating_sub(1).saturating_sub((share * height.saturating_sub(1) as f64).round() as usize)
    };
    let (band_top, band_bottom) = (row_of(band.high), row_of(band.low));
    let mut rows = vec![vec![Dot::Blank; shown.len()]; height];
    for (index, row) in rows.iter_mut().enumerate() {
        for (value, dot) in shown.iter().map(|value| f64::from(*value)).zip(row) {
            let is_value = value.is_finite() && row_of(value) == index;
            *dot = match (is_value, band.contains(value), (band_top..=band_bottom).contains(&index)) {
                (true, true, _) => Dot::Inside,
                (true, false, _) => Dot::Outside,
                (false, _, true) => Dot::Band,
                (false, ..) => Dot::Blank,
            };
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_keeps_the_newest_values() {
        assert_eq!(sparkline(&[9.0, 0.0, 1.0, 2.0], 3), "▁▅█");
        assert_eq!(sparkline(&[5.0, 5.0], 8), "▁▁");
        assert_eq!(sparkline(&[0.0, f32::NAN, 1.0], 8), "▁ █");
        assert_eq!(sparkline(&[], 8), "");
    }

    #[test]
    fn a_bar_counts_in_eighths() {
        for (share, expected) in [(0.0, ""), (0.97, "█████████▊"), (1.0, "██████████"), (0.05, "▌"), (f64::NAN, "")]
        {
            assert_eq!(bar(share, 10), expected, "{share}");
        }
    }

    #[test]
    fn a_plot_marks_what_is_outside() {
        let rows = plot(&[1.0, 9.0], Band { low: 0.0, centre: 1.0, high: 2.0 }, 2, 3);
        assert_eq!(rows, [[Dot::Blank, Dot::Outside], [Dot::Blank, Dot::Blank], [Dot::Inside, Dot::Band]]);
        assert!(plot(&[f32::INFINITY], Band { low: f64::NAN, centre: 0.0, high: f64::NAN }, 5, 0).is_empty());
    }
}
