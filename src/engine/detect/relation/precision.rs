//! What each metric should be given the others at the same moment: forgetting second moments and their shrunk inverse.
//!
//! The conditional mean of one variable of a Gaussian given all others needs only its row of the inverse covariance
//! (Lauritzen, Graphical Models, 1996, chapter 5). The diagonal is raised before inverting, so that copies of one metric
//! share what they know rather than being balanced against each other.

use serde::{Deserialize, Serialize};

/// Share of its own variance added to each metric's: what no other metric is asked to explain.
const SHRINK: f64 = 0.1;
/// The least variance of a metric, in squared sigmas, so that one that never moves can be inverted.
const VARIANCE_MIN: f64 = 1e-6;
/// Rows between two inversions.
const ROWS_PER_INVERSION: u32 = 32;
/// Rows a metric needs before relations are believed.
const ROWS_PER_METRIC: u32 = 3;

/// The relations among the metrics of one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Precision {
    width: usize,
    means: Vec<f64>,
    /// Row by row; symmetric.
    covariance: Vec<f64>,
    inverse: Vec<f64>,
    rows: u32,
    memory: u32,
    since: u32,
}

impl Precision {
    /// No relation known yet between `width` metrics; `memory` is over how many rows they are forgotten.
    #[must_use]
    pub fn new(width: usize, memory: u32) -> Self {
        let square = vec![0.0; width * width];
        Self { width, means: vec![0.0; width], covariance: square.clone(), inverse: square, rows: 0, memory, since: 0 }
    }

    /// False where it was read from what no relations of `width` metrics write.
    #[must_use]
    pub fn is_sound(&self, width: usize) -> bool {
        let square = width * width;
        (self.width, self.means.len(), self.covariance.len(), self.inverse.len()) == (width, width, square, square)
    }

    /// True once relations are believed.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.inverse.first().is_some_and(|first| *first > 0.0)
    }

    /// What is usual for a metric, for filling in where it is missing.
    #[must_use]
    pub fn mean(&self, at: usize) -> f64 {
        self.means.get(at).copied().unwrap_or(0.0)
    }

    /// Share of a metric's variance that the others explain, 0 while nothing is known.
    #[must_use]
    pub fn explained(&self, at: usize) -> f64 {
        let diagonal = at * self.width + at;
        let (own, left) = (self.covariance.get(diagonal), self.inverse.get(diagonal));
        match (own, left) {
            (Some(own), Some(left)) if *own > 0.0 && *left > 0.0 => 1.0 - 1.0 / (left * shrunk(*own)),
            _ => 0.0,
        }
    }

    /// How far each metric is from what the others say, into `out`, and how far the row as a whole is from what is usual
    /// (the distance of Mahalanobis).
    pub fn residuals(&self, row: &[f64], out: &mut [f64]) -> f64 {
        let mut squared = 0.0;
        let lines = self.inverse.chunks_exact(self.width.max(1));
        for (at, ((residual, weights), (value, mean))) in
            out.iter_mut().zip(lines).zip(row.iter().zip(&self.means)).enumerate()
        {
            let sum: f64 =
                weights.iter().zip(row).zip(&self.means).map(|((weight, value), mean)| weight * (value - mean)).sum();
            let own = weights.get(at).copied().unwrap_or(0.0);
            *residual = if own > 0.0 { sum / own } else { 0.0 };
            squared += sum * (value - mean);
        }
        squared.max(0.0).sqrt()
    }

    /// Takes in a row.
    pub fn learn(&mut self, row: &[f64]) {
        let width = self.width;
        if width == 0 || row.len() != width {
            return;
        }
        self.rows = (self.rows + 1).min(self.memory);
        let rate = 1.0 / f64::from(self.rows);
        for (mean, value) in self.means.iter_mut().zip(row) {
            *mean += rate * (value - *mean);
        }
        for (line, (value, mean)) in self.covariance.chunks_exact_mut(width).zip(row.iter().zip(&self.means)) {
            let from_mean = value - mean;
            for (cell, (other, other_mean)) in line.iter_mut().zip(row.iter().zip(&self.means)) {
                *cell += rate * (from_mean * (other - other_mean) - *cell);
            }
        }
        self.since += 1;
        // The width of a service is capped far below the range of the type.
        if self.since >= ROWS_PER_INVERSION && self.rows >= ROWS_PER_METRIC * width as u32 {
            self.since = 0;
            self.invert();
        }
    }

    /// Inverts the shrunk covariance by way of its Cholesky factor.
    fn invert(&mut self) {
        let n = self.width;
        let mut lower = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                let cell = self.covariance[i * n + j];
                let mut sum = if i == j { shrunk(cell) } else { cell };
                for k in 0..j {
                    sum -= lower[i * n + k] * lower[j * n + k];
                }
                lower[i * n + j] = if i == j { sum.max(VARIANCE_MIN * SHRINK).sqrt() } else { sum / lower[j * n + j] };
            }
        }
        let mut back = vec![0.0; n * n];
        for i in 0..n {
            back[i * n + i] = 1.0 / lower[i * n + i];
            for j in 0..i {
                let sum: f64 = (j..i).map(|k| lower[i * n + k] * back[k * n + j]).sum();
                back[i * n + j] = -sum / lower[i * n + i];
            }
        }
        for i in 0..n {
            for j in 0..=i {
                let sum: f64 = (i..n).map(|k| back[k * n + i] * back[k * n + j]).sum();
                self.inverse[i * n + j] = sum;
                self.inverse[j * n + i] = sum;
            }
        }
    }
}

/// A variance with what no other metric is asked to explain.
fn shrunk(variance: f64) -> f64 {
    (1.0 + SHRINK) * variance + VARIANCE_MIN
}
