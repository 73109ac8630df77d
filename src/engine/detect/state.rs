//! What is kept of a series between two starts of the program.

use serde::{Deserialize, Serialize};

use super::cold::KeptCold;
use super::live::Live;
use super::profile::Profile;
use super::tracking::Progress;
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
    /// Where an anomaly under way stands.
    pub(crate) progress: Progress,
    /// What is known of it while it has little history.
    pub(crate) cold: Option<KeptCold>,
}

/// The same as it was kept before the progress of anomalies was.
#[derive(Debug, Deserialize)]
pub struct SeriesState1 {
    fingerprint: Fingerprint,
    live: Live,
    centres: Vec<f32>,
    spreads: Vec<u16>,
    trend: Option<Trend>,
}

impl From<SeriesState1> for SeriesState {
    fn from(old: SeriesState1) -> Self {
        let SeriesState1 { fingerprint, live, centres, spreads, trend } = old;
        Self { fingerprint, live, centres, spreads, trend, progress: Progress::default(), cold: None }
    }
}

impl SeriesState {
    /// Puts a series' state together.
    #[must_use]
    pub(crate) fn new(
        fingerprint: Fingerprint,
        live: Live,
        profile: &Profile,
        trend: Option<Trend>,
        progress: Progress,
        cold: Option<KeptCold>,
    ) -> Self {
        let (centres, spreads) = profile.parts();
        Self { fingerprint, live, centres, spreads, trend, progress, cold }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_state_reads_as_one_without_progress() {
        let live = Live { last_at: 7, hours_seen: 400, ..Live::default() };
        let trend: Trend = postcard::from_bytes(&[1, 9, 0, 0, 128, 63]).unwrap();
        let state = SeriesState::new(Fingerprint(3), live, &Profile::default(), Some(trend), Progress::default(), None);
        let bytes = postcard::to_stdvec(&state).unwrap();
        // What came with it since: two counts, an empty list, and nothing of a cold series.
        let older = bytes.strip_suffix(&[0, 0, 0, 0]).unwrap();
        assert!(postcard::from_bytes::<SeriesState>(older).is_err());
        assert_eq!(SeriesState::from(postcard::from_bytes::<SeriesState1>(older).unwrap()), state);
    }
}
