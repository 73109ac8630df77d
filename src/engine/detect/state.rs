//! What is kept of a series between two starts of the program.

use serde::{Deserialize, Serialize};

use super::departure::Departure;
use super::live::{Live, Pending};
use super::scorer::SeriesScorer;
use super::siblings::Borrowed;
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
    /// Everything learnt of it.
    #[serde(with = "kept_scorer")]
    pub(crate) scorer: Box<SeriesScorer>,
    /// Hourly points, of series with a limit.
    pub(crate) trend: Option<Trend>,
    /// Where an anomaly under way stands.
    pub(crate) progress: Progress,
    /// Samples outside that are no anomaly yet.
    pub(crate) pending: Option<Pending>,
    /// What it is away from.
    pub(crate) departure: Option<Departure>,
    /// What it has from its siblings.
    pub(crate) borrowed: Option<Borrowed>,
}

/// A scorer in its own bytes.
pub(crate) mod kept_scorer {
    use std::fmt;

    use serde::de::{Error, SeqAccess, Visitor};
    use serde::{Deserializer, Serializer};

    use super::SeriesScorer;

    pub fn serialize<S: Serializer>(scorer: &SeriesScorer, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&scorer.to_bytes())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<SeriesScorer>, D::Error> {
        deserializer.deserialize_bytes(Bytes)
    }

    struct Bytes;

    impl<'de> Visitor<'de> for Bytes {
        type Value = Box<SeriesScorer>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("the bytes of a scorer")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
            SeriesScorer::from_bytes(bytes).ok_or_else(|| E::custom("a scorer that this version does not read"))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Self::Value, A::Error> {
            let mut bytes = Vec::new();
            while let Some(byte) = numbers.next_element()? {
                bytes.push(byte);
            }
            self.visit_bytes(&bytes)
        }
    }
}

/// A series as it was kept before every one had a scorer. Its weekly profile is of no use any longer; what it had beside
/// that, and the scorer of a series with little history, are taken over.
#[derive(Debug, Deserialize)]
pub struct OlderState {
    fingerprint: Fingerprint,
    live: OlderLive,
    _centres: Vec<f32>,
    _spreads: Vec<u16>,
    trend: Option<Trend>,
    progress: Progress,
    cold: Option<OlderCold>,
}

/// The record that went with it.
#[derive(Debug, Deserialize)]
struct OlderLive {
    last_at: i64,
    last_value: f64,
    _hour: (f64, f64, f32, f32, u32, u32),
    _pending: (i64, f64, f32, u32),
    _half_hour: i64,
    _learnt: [f32; 10],
    _level_count: u16,
    hours_seen: u16,
    _far_hours: i8,
    _phase: super::live::Phase,
    is_live: bool,
    recent_next: u8,
    recent_count: u8,
    recent: [f32; super::live::RECENT],
}

/// What was known of a series with little history.
#[derive(Debug, Deserialize)]
struct OlderCold {
    scorer: Vec<u8>,
    _departure: Option<(f64, f64, i64)>,
}

impl From<OlderState> for SeriesState {
    fn from(older: OlderState) -> Self {
        let OlderState { fingerprint, live: was, trend, progress, cold, .. } = older;
        let scorer = cold.and_then(|cold| SeriesScorer::from_bytes(&cold.scorer));
        let live = Live {
            last_at: was.last_at,
            last_value: was.last_value,
            usual: was.last_value,
            hours_seen: if scorer.is_some() { was.hours_seen } else { 0 },
            is_live: was.is_live,
            recent_next: was.recent_next,
            recent_count: was.recent_count,
            recent: was.recent,
            ..Live::default()
        };
        let scorer = scorer.unwrap_or_default();
        Self { fingerprint, live, scorer, trend, progress, pending: None, departure: None, borrowed: None }
    }
}

impl SeriesState {
    /// True where it was kept by an older version and begins its history anew.
    #[must_use]
    pub fn begins_anew(&self) -> bool {
        self.live.last_at != i64::MIN && self.live.hours_seen == 0 && self.live.hour == i32::MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A state as version 3 wrote it.
    fn older(hours_seen: u16, cold: Option<Vec<u8>>) -> Vec<u8> {
        let live = (
            (7_i64, 2.5_f64, (0.0_f64, 0.0_f64, 0.0_f32, 0.0_f32, 0_u32, 0_u32), (0_i64, 0.0_f64, 0.0_f32, 0_u32)),
            (i64::MIN, [1.0_f32; 10], 3_u16, hours_seen, 0_i8, super::super::live::Phase::Normal),
            (true, 1_u8, 1_u8, [2.5_f32; super::super::live::RECENT]),
        );
        let profile = (vec![1.0_f32; 168], vec![17_u16; 168]);
        let cold = cold.map(|bytes| (bytes, None::<(f64, f64, i64)>));
        postcard::to_stdvec(&(Fingerprint(3), live, profile, None::<Trend>, Progress::default(), cold)).unwrap()
    }

    #[test]
    fn an_older_state_keeps_what_is_of_use_and_says_where_it_begins_anew() {
        let mut scorer = SeriesScorer::new();
        for at in 0..50 {
            scorer.observe(f64::from(at) * 60.0, 1.0);
        }
        for (bytes, begins_anew) in [(older(400, None), true), (older(70, Some(scorer.to_bytes())), false)] {
            assert!(postcard::from_bytes::<SeriesState>(&bytes).is_err());
            let state = SeriesState::from(postcard::from_bytes::<OlderState>(&bytes).unwrap());
            assert_eq!((state.fingerprint, state.live.last_at, state.live.is_live), (Fingerprint(3), 7, true));
            assert_eq!(state.begins_anew(), begins_anew);
            assert_eq!(*state.scorer == scorer, !begins_anew);
        }
    }

    #[test]
    fn a_state_comes_back_from_its_bytes_and_from_its_text() {
        let mut scorer = SeriesScorer::new();
        for at in 0..50 {
            scorer.observe(f64::from(at) * 60.0, f64::from(at % 7));
        }
        let state = SeriesState {
            fingerprint: Fingerprint(9),
            live: Live { last_at: 3_000, hours_seen: 1, ..Live::default() },
            scorer: Box::new(scorer),
            trend: None,
            progress: Progress::default(),
            pending: None,
            departure: None,
            borrowed: None,
        };
        let bytes = postcard::to_stdvec(&state).unwrap();
        assert_eq!(postcard::from_bytes::<SeriesState>(&bytes).unwrap(), state);
        assert!(bytes.len() < 800, "{}", bytes.len());
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<SeriesState>(&text).unwrap(), state);
    }
}
