//! What an operator said of the cause that was named: right or wrong.

use serde::{Deserialize, Serialize};

/// One verdict on the leading hypothesis of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CauseVerdict {
    /// Log odds of the leading hypothesis when it was judged, before earlier verdicts were taken into account.
    pub log_odds: f64,
    /// True where it was right.
    pub is_right: bool,
}
