//! How rare a size is by what was seen before: a histogram of sizes over octaves that forgets, with a power law beyond it.

use serde::{Deserialize, Serialize};

use super::kept::wide_row;

/// Steps an octave is divided into.
const PER_OCTAVE: f64 = 4.0;
/// Octaves below one that are told apart; smaller sizes count as the smallest.
const OCTAVES_BELOW: f64 = 4.0;
/// Steps in all: sixteen octaves, 1/16 to 4096.
const STEPS: usize = 64;
/// Nothing was ever this large: each further octave is rarer by this factor. Between the tail of a Cauchy distribution (2)
/// and that of one with a variance (4): what is unheard of is rare, but never beyond belief.
const RARER_AN_OCTAVE: f64 = 2.83;

/// The sizes of one quantity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tail {
    #[serde(with = "wide_row")]
    counts: [f32; STEPS],
    total: f32,
    /// Halved when as many were counted.
    memory: f32,
}

impl Tail {
    /// Nothing seen yet; the weight of what was seen is halved each time `memory` sizes are counted.
    #[must_use]
    pub fn new(memory: f32) -> Self {
        Self { counts: [0.0; STEPS], total: 0.0, memory }
    }

    /// How many sizes it stands on.
    #[must_use]
    pub fn total(&self) -> f32 {
        self.total
    }

    fn place(size: f64) -> f64 {
        ((size.max(f64::MIN_POSITIVE).log2() + OCTAVES_BELOW) * PER_OCTAVE).clamp(0.0, (STEPS - 1) as f64)
    }

    /// `-ln` of the probability of a size of at least `size`; 0 before anything was seen.
    #[must_use]
    pub fn surprise(&self, size: f64) -> f64 {
        let place = Self::place(size);
        // In range after the clamp.
        let step = place as usize;
        let within = 1.0 - (place - step as f64);
        let above: f32 = self.counts.iter().skip(step + 1).sum();
        let beyond = f64::from(above) + f64::from(self.counts.get(step).copied().unwrap_or(0.0)) * within;
        let all = f64::from(self.total) + 1.0;
        if beyond >= 1.0 {
            return (all / beyond).ln();
        }
        let octaves = (place - self.edge()).max(0.0) / PER_OCTAVE;
        all.ln() + octaves * RARER_AN_OCTAVE.ln()
    }

    /// The place that one size in all reached or passed.
    fn edge(&self) -> f64 {
        let mut seen = 0.0;
        for (step, count) in self.counts.iter().enumerate().rev() {
            seen += count;
            if seen >= 1.0 {
                return step as f64;
            }
        }
        0.0
    }

    /// The size that a share `below` of what was seen stays under; 0 before anything was seen.
    #[must_use]
    pub fn quantile(&self, below: f64) -> f64 {
        let wanted = below * f64::from(self.total);
        let mut seen = 0.0;
        for (step, count) in self.counts.iter().enumerate() {
            let count = f64::from(*count);
            if count > 0.0 && seen + count >= wanted {
                return ((step as f64 + (wanted - seen) / count) / PER_OCTAVE - OCTAVES_BELOW).exp2();
            }
            seen += count;
        }
        0.0
    }

    /// Counts a size.
    pub fn learn(&mut self, size: f64) {
        // In range after the clamp.
        if let Some(count) = self.counts.get_mut(Self::place(size) as usize) {
            *count += 1.0;
        }
        self.total += 1.0;
        if self.total >= self.memory {
            self.counts.iter_mut().for_each(|count| *count *= 0.5);
            self.total *= 0.5;
        }
    }
}
