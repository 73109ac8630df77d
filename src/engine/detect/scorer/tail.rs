//! Residuals at one time scale: their robust scale, and what their two tails look like.
//!
//! Beyond a few sigmas a tail is taken as exponential in a power of the size. How often residuals get there and by how
//! much they pass it are learnt for either side by itself, from a prior that many series share; so a spiky series
//! needs a larger spike than a smooth one, and the surprise is the negative logarithm of a probability.

use super::pen::Pen;
use super::{SIGMA, Tuning};

/// Samples before a residual is compared with anything.
const FIRST: f32 = 5.0;
/// A residual beyond so many sigmas teaches the scale only as much.
const CUT_SIGMAS: f64 = 4.0;

/// One side.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Tail {
    /// Residuals seen beyond the threshold, and the sum of their excesses.
    count: f32,
    sum: f32,
}

/// One time scale.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Channel {
    seen: f32,
    /// Mean absolute residual, far ones cut.
    pub scale: f32,
    /// The same, nothing cut.
    pub wide: f32,
    up: Tail,
    down: Tail,
}

impl Channel {
    pub fn walk(&mut self, pen: &mut Pen<'_>) {
        for number in [&mut self.seen, &mut self.scale, &mut self.wide] {
            pen.f32(number);
        }
        for tail in [&mut self.up, &mut self.down] {
            pen.f32(&mut tail.count);
            pen.f32(&mut tail.sum);
        }
    }

    /// Standard deviation.
    #[inline]
    pub fn sigma(&self) -> f64 {
        SIGMA * f64::from(self.scale)
    }

    /// Negative logarithm of the probability of a residual this far on its side, 0 within the ordinary; learns from it.
    #[inline]
    pub fn surprise(&mut self, tuning: &Tuning, residual: f64, tiny: f64) -> f64 {
        let size = residual.abs();
        let sigma = (SIGMA * f64::from(self.scale.max(tuning.scale_floor * self.wide))).max(tiny);
        let mut surprise = 0.0;
        let mut counted = size;
        if self.seen >= FIRST {
            if size > tuning.tail_sigmas * sigma {
                surprise = self.exceed(tuning, size / (tuning.tail_sigmas * sigma), residual > 0.0);
            }
            counted = size.min(CUT_SIGMAS * sigma);
        }
        let gain = (1.0 / (self.seen + 1.0)).max(1.0 / tuning.scale_samples);
        self.scale += gain * (counted as f32 - self.scale);
        self.wide += gain * (size as f32 - self.wide);
        self.seen += 1.0;
        if self.seen > tuning.tail_samples + FIRST {
            self.forget(tuning);
        }
        surprise
    }

    /// A residual in the tail, `ratio` times its threshold.
    fn exceed(&mut self, tuning: &Tuning, ratio: f64, is_up: bool) -> f64 {
        let seen = self.seen - FIRST;
        let tail = if is_up { &mut self.up } else { &mut self.down };
        let excess = (ratio.powf(tuning.tail_power) - 1.0) / tuning.tail_power;
        let share = (tuning.tail_share * tuning.tail_share_samples + tail.count) / (tuning.tail_share_samples + seen);
        let mean = (tuning.tail_excess_count * tuning.tail_excess + tail.sum) / (tuning.tail_excess_count + tail.count);
        tail.count += 1.0;
        tail.sum += (excess as f32).min(tuning.tail_cut * mean);
        f64::from(-share.ln()) + excess / f64::from(mean)
    }

    fn forget(&mut self, tuning: &Tuning) {
        self.seen -= 1.0;
        let keep = 1.0 - 1.0 / tuning.tail_samples;
        for tail in [&mut self.up, &mut self.down] {
            tail.count *= keep;
            tail.sum *= keep;
        }
    }
}
