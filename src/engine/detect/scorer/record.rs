//! The largest and the smallest value ever seen.

use super::pen::Pen;

/// A range that grows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Record {
    low: f32,
    high: f32,
}

impl Record {
    pub fn walk(&mut self, pen: &mut Pen<'_>) {
        pen.f32(&mut self.low);
        pen.f32(&mut self.high);
    }

    /// How far `value` lies outside, 0 or less inside; the first value is the range.
    #[inline]
    pub fn margin(&mut self, value: f64, is_first: bool) -> f64 {
        if is_first {
            (self.low, self.high) = (value as f32, value as f32);
        }
        (value - f64::from(self.high)).max(f64::from(self.low) - value)
    }

    /// Takes a value in.
    #[inline]
    pub fn take(&mut self, value: f64) {
        self.low = self.low.min(value as f32);
        self.high = self.high.max(value as f32);
    }

    /// From the smallest to the largest.
    #[inline]
    pub fn range(&self) -> f64 {
        f64::from(self.high) - f64::from(self.low)
    }
}
