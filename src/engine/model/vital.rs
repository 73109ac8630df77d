//! What a metric of a service is now, over all its instances.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::anomaly::Band;
use super::ids::ServiceName;
use super::series::{SeriesRole, Unit};
use crate::engine::clock::Timestamp;

/// The latest values of a metric of a service. Instances are never averaged: a mean of percentiles is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vital {
    /// Whose it is.
    pub service: ServiceName,
    /// What is measured, as the source calls it.
    pub metric: Arc<str>,
    /// Which golden signal.
    pub role: SeriesRole,
    /// What the values measure.
    pub unit: Unit,
    /// How many series it is of: one for each instance.
    pub series_count: u32,
    /// The lowest of the latest values.
    pub low: f64,
    /// The highest.
    pub high: f64,
    /// What is usual now, from the lowest to the highest of all instances; `None` where nothing is expected yet.
    pub usual: Option<Band>,
    /// The value at which the resource is exhausted, where one is named.
    pub limit: Option<f64>,
    /// When the latest of the values was measured.
    pub at: Timestamp,
}
