//! What is kept of a series between two starts of the program.

use serde::{Deserialize, Serialize};

use super::live::Live;
use super::profile::Profile;
use super::trend::Trend;
use crate::engine::model::Fingerprint;

/// What is kept of a series between two starts of the program: everything its verdicts depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesState {
    /// Which series.
    pub fingerprint: Fingerprint,
    /// The state that every sample touches.
    pub(crate) live: Live,
    /// Centres by hour of the week.
    pub(crate) centres: Vec<f32>,
    /// Spreads and weeks of history by hour of the week, packed.
    pub(crate) spreads: Vec<u16>,
    /// Hourly points, of series with a limit.
    pub(crate) trend: Option<Trend>,
}

impl SeriesState {
    /// Puts a series' state together.
    #[must_use]
    pub(crate) fn new(fingerprint: Fingerprint, live: Live, profile: &Profile, trend: Option<Trend>) -> Self {
        let (centres, spreads) = profile.parts();
        Self { fingerprint, live, centres, spreads, trend }
    }
}
