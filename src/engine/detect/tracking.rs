//! The life of an anomaly: begun, changed, recovering, over. The same departure is one anomaly, however often it repeats.
//!
//! Hysteresis: it ends only after enough samples well inside the band. A series that changes its state too often within
//! an hour keeps one anomaly, marked as flapping, until it has been quiet for longer than that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::identity::anomaly_fingerprint;
use super::live::{Live, Pending, at_onset, follow_onset};
use super::registry::Meta;
use super::verdict::Verdict;
use crate::engine::clock::{HOUR_MS, SECOND_MS, Timestamp};
use crate::engine::model::{Anomaly, AnomalyId, AnomalyKind, AnomalyState, Direction, Severity, SuppressionReason};
use crate::engine::settings::DetectionSettings;

/// Share of the threshold below which a value counts as back inside.
const INNER_SHARE: f64 = 0.75;
/// Changes of state within [`FLAP_WINDOW_MS`] from which a series is flapping.
const FLAP_CHANGES: usize = 6;
const FLAP_WINDOW_MS: i64 = HOUR_MS;
/// Without a sample outside for as long as two changes take at that rate, it has stopped flapping.
const FLAP_QUIET_MS: i64 = 2 * FLAP_WINDOW_MS / FLAP_CHANGES as i64;
/// An anomaly that merely goes on is told again at most this often.
const RETELL_MS: i64 = 10 * SECOND_MS;
/// A departure that has lasted this long, longer than any single odd day, is the new level.
pub const FOLLOW_AFTER_MS: i64 = 26 * HOUR_MS;

/// What happened to an anomaly.
#[derive(Debug, Clone, PartialEq)]
pub enum AnomalyEvent {
    /// It is new.
    Began(Anomaly),
    /// Its state, size, severity or suppression is another.
    Changed(Anomaly),
    /// It is over.
    Ended(Anomaly),
}

impl AnomalyEvent {
    /// The anomaly as it now is.
    #[must_use]
    pub fn anomaly(&self) -> &Anomaly {
        match self {
            Self::Began(anomaly) | Self::Changed(anomaly) | Self::Ended(anomaly) => anomaly,
        }
    }
}

/// How grave a departure is once traffic and calendar are taken into account.
#[derive(Debug, Clone, PartialEq)]
pub struct Grade {
    /// True where the direction is bad news.
    pub is_harmful: bool,
    /// What explains it.
    pub explained: Option<SuppressionReason>,
}

impl Grade {
    fn severity(&self, peak_sigma: f64, settings: &DetectionSettings) -> Severity {
        if !self.is_harmful || self.explained.is_some() {
            Severity::Info
        } else if peak_sigma >= settings.critical_sigma {
            Severity::Critical
        } else {
            Severity::Warning
        }
    }
}

/// One sample of a tracked series with its verdict.
#[derive(Debug)]
pub struct Observation<'a> {
    /// The series.
    pub index: u32,
    /// What it is.
    pub meta: &'a Meta,
    /// Its state.
    pub live: &'a Live,
    /// When.
    pub at: Timestamp,
    /// What was measured.
    pub value: f64,
    /// What the rule says.
    pub verdict: Verdict,
    /// How grave it is.
    pub grade: Grade,
}

/// An anomaly under way.
#[derive(Debug, Clone)]
struct Track {
    anomaly: Anomaly,
    inside_count: u32,
    /// Samples outside on the other side.
    opposite_count: u32,
    told: Told,
}

/// What is kept of a series' anomaly beside the anomaly itself: how near its end is, and how often it came and went.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    inside_count: u32,
    opposite_count: u32,
    flips: Vec<i64>,
}

/// What was told of an anomaly last.
#[derive(Debug, Clone)]
struct Told {
    at: i64,
    peak_sigma: f64,
    state: AnomalyState,
    severity: Severity,
    suppressed: Option<SuppressionReason>,
}

impl Told {
    fn of(anomaly: &Anomaly, at: Timestamp) -> Self {
        Self {
            at: at.0,
            peak_sigma: anomaly.peak_sigma,
            state: anomaly.state,
            severity: anomaly.severity,
            suppressed: anomaly.suppressed.clone(),
        }
    }
}

/// What is to become of a track after a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The anomaly goes on.
    Continues,
    /// It is over.
    Ended,
    /// It is over, and the series is outside on the other side.
    Reversed,
}

/// Every deviation under way.
#[derive(Debug, Clone, Default)]
pub struct Tracks {
    by_series: BTreeMap<u32, Track>,
    /// Recent changes of state by series.
    flips: BTreeMap<u32, Vec<i64>>,
}

impl Tracks {
    /// How many are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_series.len()
    }

    /// The anomaly of a series.
    #[must_use]
    pub fn get(&self, index: u32) -> Option<&Anomaly> {
        self.by_series.get(&index).map(|track| &track.anomaly)
    }

    /// Begins an anomaly from what was pending.
    pub fn begin(
        &mut self,
        id: AnomalyId,
        seen: &Observation<'_>,
        pending: &Pending,
        settings: &DetectionSettings,
        events: &mut Vec<AnomalyEvent>,
    ) {
        let direction = seen.verdict.direction();
        let peak_sigma = f64::from(pending.peak_z.abs()).max(seen.verdict.distance());
        let recent = seen.live.recent_values();
        let anomaly = Anomaly {
            id,
            fingerprint: anomaly_fingerprint(seen.meta.fingerprint, AnomalyKind::Deviation, direction),
            kind: AnomalyKind::Deviation,
            service: seen.meta.service.clone(),
            instance: seen.meta.instance.clone(),
            metric: seen.meta.metric.clone(),
            unit: seen.meta.unit,
            role: seen.meta.role,
            template: None,
            direction,
            is_harmful: seen.grade.is_harmful,
            severity: seen.grade.severity(peak_sigma, settings),
            state: AnomalyState::Active,
            value: seen.value,
            peak_value: pending.peak_value,
            expected: seen.verdict.band,
            deviation_sigma: seen.verdict.distance(),
            peak_sigma,
            method: seen.verdict.method,
            history_days: seen.live.history_days(),
            started_at: Timestamp(pending.since),
            last_seen_at: seen.at,
            ended_at: None,
            repeat_count: u64::from(pending.count),
            incident: None,
            suppressed: seen.grade.explained.clone(),
            // A count of samples that fits into memory fits the type.
            at_onset: at_onset(&recent, pending.count as usize),
            promise: None,
            contradictions: Vec::new(),
            recent,
            forecast: None,
        };
        self.note_flip(seen.index, seen.at);
        events.push(AnomalyEvent::Began(anomaly.clone()));
        self.by_series.insert(seen.index, Track::new(anomaly, seen.at));
    }

    /// Takes up an anomaly that was under way before a restart.
    pub fn resume(&mut self, index: u32, anomaly: Anomaly) {
        let at = anomaly.last_seen_at;
        self.by_series.insert(index, Track::new(anomaly, at));
    }

    /// Where the anomaly of a series stands, for keeping.
    #[must_use]
    pub fn progress(&self, index: u32) -> Progress {
        let (inside_count, opposite_count) =
            self.by_series.get(&index).map_or((0, 0), |track| (track.inside_count, track.opposite_count));
        Progress { inside_count, opposite_count, flips: self.flips.get(&index).cloned().unwrap_or_default() }
    }

    /// Takes up where an anomaly from before a restart stood; [`Self::resume`] comes first.
    pub fn go_on(&mut self, index: u32, progress: Progress) {
        if let Some(track) = self.by_series.get_mut(&index) {
            (track.inside_count, track.opposite_count) = (progress.inside_count, progress.opposite_count);
        }
        if !progress.flips.is_empty() {
            self.flips.insert(index, progress.flips);
        }
    }

    /// A further sample of a series with an anomaly under way.
    pub fn observe(
        &mut self,
        seen: &Observation<'_>,
        settings: &DetectionSettings,
        events: &mut Vec<AnomalyEvent>,
    ) -> Outcome {
        let flips = self.flips_since(seen.index, seen.at);
        let Some(track) = self.by_series.get_mut(&seen.index) else {
            return Outcome::Ended;
        };
        follow_onset(&mut track.anomaly.at_onset, seen.value as f32);
        let is_outside = seen.verdict.z.abs() >= settings.anomaly_sigma;
        let is_same_side = seen.verdict.direction() == track.anomaly.direction;
        track.opposite_count = if is_outside && !is_same_side { track.opposite_count + 1 } else { 0 };
        let state_before = track.anomaly.state;
        if is_outside && is_same_side {
            track.deviate(seen, settings);
        } else if !is_same_side || seen.verdict.z.abs() <= INNER_SHARE * settings.anomaly_sigma {
            track.recover(seen);
        }
        let changes = flips + usize::from(track.anomaly.state != state_before);
        let is_over = track.inside_count >= settings.recover_samples.max(1)
            || track.opposite_count >= settings.confirm_samples.max(1);
        let is_quiet = seen.at.since_ms(track.anomaly.last_seen_at) >= FLAP_QUIET_MS;
        if is_over && (flips + 1 < FLAP_CHANGES || is_quiet) {
            return self.finish(seen, events);
        }
        if is_over && !matches!(track.anomaly.suppressed, Some(SuppressionReason::Flapping { .. })) {
            let changes = u32::try_from(changes).unwrap_or(u32::MAX);
            track.anomaly.suppressed = Some(SuppressionReason::Flapping { changes });
            track.tell(seen, events);
        } else if track.is_worth_telling(seen.at) {
            track.tell(seen, events);
        }
        if state_before != track.anomaly.state && flips + 1 >= FLAP_CHANGES {
            self.note_flip(seen.index, seen.at);
        }
        Outcome::Continues
    }

    fn finish(&mut self, seen: &Observation<'_>, events: &mut Vec<AnomalyEvent>) -> Outcome {
        let Some(mut track) = self.by_series.remove(&seen.index) else {
            return Outcome::Ended;
        };
        self.note_flip(seen.index, seen.at);
        let is_reversed = track.opposite_count > 0;
        track.anomaly.state = AnomalyState::Ended;
        track.anomaly.ended_at = Some(seen.at);
        track.anomaly.recent = seen.live.recent_values();
        events.push(AnomalyEvent::Ended(track.anomaly));
        if is_reversed { Outcome::Reversed } else { Outcome::Ended }
    }

    /// Ends the anomaly of a series that is gone.
    pub fn end(&mut self, index: u32, at: Timestamp, events: &mut Vec<AnomalyEvent>) -> bool {
        let Some(mut track) = self.by_series.remove(&index) else {
            return false;
        };
        track.anomaly.state = AnomalyState::Ended;
        track.anomaly.ended_at = Some(at);
        events.push(AnomalyEvent::Ended(track.anomaly));
        true
    }

    fn note_flip(&mut self, index: u32, at: Timestamp) {
        self.flips.entry(index).or_default().push(at.0);
    }

    fn flips_since(&self, index: u32, at: Timestamp) -> usize {
        let after = at.0.saturating_sub(FLAP_WINDOW_MS);
        self.flips.get(&index).map_or(0, |times| times.iter().filter(|time| **time > after).count())
    }

    /// Forgets a series' changes of state.
    pub fn forget(&mut self, index: u32) {
        self.flips.remove(&index);
    }

    /// Forgets changes of state too old to matter.
    pub fn forget_flips(&mut self, now: Timestamp) {
        let after = now.0.saturating_sub(2 * FLAP_WINDOW_MS);
        self.flips.retain(|_, times| {
            times.retain(|time| *time > after);
            !times.is_empty()
        });
    }
}

impl Track {
    fn new(anomaly: Anomaly, at: Timestamp) -> Self {
        Self { told: Told::of(&anomaly, at), anomaly, inside_count: 0, opposite_count: 0 }
    }

    fn deviate(&mut self, seen: &Observation<'_>, settings: &DetectionSettings) {
        let anomaly = &mut self.anomaly;
        self.inside_count = 0;
        anomaly.state = AnomalyState::Active;
        anomaly.repeat_count += 1;
        anomaly.last_seen_at = seen.at;
        let sigma = seen.verdict.distance();
        let is_further = match anomaly.direction {
            Direction::Above => seen.value > anomaly.peak_value,
            Direction::Below => seen.value < anomaly.peak_value,
        };
        if sigma > anomaly.peak_sigma || (is_further && sigma >= anomaly.peak_sigma) {
            anomaly.peak_sigma = sigma;
            anomaly.peak_value = seen.value;
        }
        anomaly.is_harmful = seen.grade.is_harmful;
        anomaly.severity = seen.grade.severity(anomaly.peak_sigma, settings);
        if !matches!(anomaly.suppressed, Some(SuppressionReason::Flapping { .. })) {
            anomaly.suppressed.clone_from(&seen.grade.explained);
        }
        self.refresh(seen);
    }

    fn recover(&mut self, seen: &Observation<'_>) {
        self.inside_count = self.inside_count.saturating_add(1);
        self.anomaly.state = AnomalyState::Recovering;
        self.refresh(seen);
    }

    fn refresh(&mut self, seen: &Observation<'_>) {
        let anomaly = &mut self.anomaly;
        anomaly.value = seen.value;
        anomaly.expected = seen.verdict.band;
        anomaly.deviation_sigma = seen.verdict.distance();
        anomaly.method = seen.verdict.method;
        anomaly.history_days = seen.live.history_days();
    }

    fn is_worth_telling(&self, at: Timestamp) -> bool {
        let (anomaly, told) = (&self.anomaly, &self.told);
        anomaly.state != told.state
            || anomaly.severity != told.severity
            || anomaly.suppressed != told.suppressed
            || anomaly.peak_sigma > 1.25 * told.peak_sigma
            || at.0.saturating_sub(told.at) >= RETELL_MS
    }

    fn tell(&mut self, seen: &Observation<'_>, events: &mut Vec<AnomalyEvent>) {
        self.anomaly.recent = seen.live.recent_values();
        self.told = Told::of(&self.anomaly, seen.at);
        events.push(AnomalyEvent::Changed(self.anomaly.clone()));
    }
}
