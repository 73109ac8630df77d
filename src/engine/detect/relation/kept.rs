//! What a service's scorer is read back from: whether it is whole, and rows too wide for the serializer's own arrays.

use super::ServiceScorer;
use super::movement::Movement;
use super::quantity::Quantity;

impl ServiceScorer {
    /// False where it was read from what no scorer of `width` metrics writes.
    #[must_use]
    pub fn is_sound(&self, width: usize) -> bool {
        let widths = [self.metrics.len(), self.relations.len(), self.moved.len(), self.sigmas.len()];
        widths.into_iter().chain([self.residuals.len(), self.apart.len()]).all(|found| found == width)
            && self.precision.is_sound(width)
            && self.habit.is_sound()
            && self.metrics.iter().all(Movement::is_sound)
            && self.relations.iter().chain([&self.distance]).all(Quantity::is_sound)
    }
}

/// A row of numbers of a fixed width.
pub mod wide_row {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer, const WIDTH: usize>(row: &[f32; WIDTH], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(row)
    }

    pub fn deserialize<'de, D: Deserializer<'de>, const WIDTH: usize>(
        deserializer: D,
    ) -> Result<[f32; WIDTH], D::Error> {
        let row = Vec::<f32>::deserialize(deserializer)?;
        row.try_into().map_err(|_| D::Error::custom("a row of another width"))
    }
}
