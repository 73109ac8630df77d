//! Signal to anomaly.

pub mod log_templates;

use serde::{Deserialize, Serialize};

/// What is kept of a series between two starts of the program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesState {}
