//! A metric that is not what the other metrics of its service say it should be.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::anomaly::Band;
use super::quantity::human;
use super::series::Unit;

/// One metric's part in a broken relation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contradiction {
    /// The metric.
    pub metric: Arc<str>,
    /// Its value, the mean over the service's instances.
    pub value: f64,
    /// In what.
    pub unit: Unit,
    /// What the other metrics say it should be.
    pub said: Band,
    /// How many times further from that it is than usual.
    pub times: f32,
}

impl Contradiction {
    /// `disk_io 3.1k/s, the others say 0.9k..1.2k/s`
    #[must_use]
    pub fn line(&self) -> String {
        let (low, high) = (human(self.said.low, self.unit), human(self.said.high, self.unit));
        format!("{} {}, the others say {low} to {high}", self.metric, human(self.value, self.unit))
    }
}
