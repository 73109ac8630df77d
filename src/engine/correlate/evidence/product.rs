//! Products of many likelihoods, as logarithms, with few logarithms taken.

/// The running product is kept well inside what a float can hold.
const LARGE: f64 = 1e200;
const SMALL: f64 = 1e-200;

/// A product of positive numbers.
#[derive(Debug, Clone, Copy)]
pub struct Product {
    taken: f64,
    running: f64,
}

impl Default for Product {
    fn default() -> Self {
        Self { taken: 0.0, running: 1.0 }
    }
}

impl Product {
    /// Takes a factor in.
    pub fn take(&mut self, factor: f64) {
        self.running *= factor;
        if self.running > LARGE || self.running < SMALL {
            self.taken += self.running.ln();
            self.running = 1.0;
        }
    }

    /// The logarithm of the product.
    pub fn ln(self) -> f64 {
        self.taken + self.running.ln()
    }
}
