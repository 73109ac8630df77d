//! Signal to anomaly: every sample is scored against all its series has shown, by the scorer that `hypo detect` runs.
//!
//! ```text
//! sample ─▶ registry ─▶ scorer ─▶ departure, band | static_threshold ─▶ calendar, traffic, warm_up ─▶ tracking ─▶ anomaly
//!                          ▲ siblings            tick ─▶ absence, forecast, log_signals ───────────▶ anomaly
//! log line ─▶ log_signals ─────────────────────────────────────────────────────────────────────────▶ anomaly
//! ```
//!
//! Everything here is deterministic: the same inputs give the same anomalies, bit for bit, also across a restart.

mod absence;
mod band;
mod calendar;
mod compound;
mod departure;
mod forecast;
mod identity;
mod judging;
mod keeping;
mod kept_relations;
mod latest;
mod live;
mod log_rate;
mod log_signals;
pub mod log_templates;
mod observe;
mod past_values;
mod promises;
mod registry;
pub mod relation;
mod relations;
mod retired;
mod scale;
pub mod scorer;
mod siblings;
mod source_series;
mod state;
mod static_threshold;
mod tracking;
mod traffic;
mod trend;
mod verdict;
mod vitals;
mod warm_up;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use rustc_hash::FxHashMap;

pub use calendar::CalendarError;
pub use compound::compounds;
pub use kept_relations::RelationsError;
pub use log_templates::TemplatesError;
pub use state::{OlderState, SeriesState};
pub use tracking::AnomalyEvent;

use absence::Absences;
use calendar::Calendar;
use departure::Departures;
use forecast::Forecasts;
use identity::origin_fingerprint;
use live::{Live, Pending, Phase};
use log_signals::LogSignals;
use past_values::PastGathering;
use promises::Promises;
use registry::{Defined, Registry};
use relations::Relations;
use scorer::SeriesScorer;
use siblings::Loans;
use tracking::{Progress, Tracks};
use warm_up::WarmUps;

use super::clock::{DAY_MS, MINUTE_MS, Timestamp};
use super::model::{Anomaly, AnomalyId, AnomalyKind, AnomalyState, DropReason, Fingerprint, Reading, SeriesNotice};
use super::settings::{CalendarEvent, DetectionSettings};

/// Anomalies taken over from before a restart whose series has not come back by then are over.
const CLAIM_MS: i64 = 15 * MINUTE_MS;
/// Hours in a day, for history.
const HOURS_A_DAY: f64 = 24.0;

/// Totals of the stage.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DetectionCounts {
    /// Series watched.
    pub series_count: u64,
    /// Samples taken.
    pub sample_count: u64,
    /// What was set aside, by reason.
    pub dropped: BTreeMap<DropReason, u64>,
    /// Days of history the typical series has.
    pub history_days: f32,
    /// Series judged by static thresholds as well, for lack of history.
    pub cold_series_count: u64,
    /// Log templates known.
    pub template_count: u64,
    /// Series that fell silent for good and were forgotten, since the start.
    pub retired_series_count: u64,
    /// Series that an older version kept, whose history begins anew.
    pub begun_anew_series_count: u64,
}

/// The stage: every series' state and the anomalies under way.
#[derive(Debug)]
pub struct Detection {
    settings: DetectionSettings,
    /// Hours of history from which the scorer alone judges.
    warm_hours: u16,
    registry: Registry,
    lives: Vec<Live>,
    scorers: Vec<SeriesScorer>,
    departures: Departures,
    /// Samples outside that are no anomaly yet, by series.
    pending: BTreeMap<u32, Pending>,
    loans: Loans,
    warm_ups: WarmUps,
    calendar: Calendar,
    tracks: Tracks,
    absences: Absences,
    logs: LogSignals,
    forecasts: Forecasts,
    relations: Relations,
    promises: Promises,
    past: PastGathering,
    restored: FxHashMap<Fingerprint, Box<SeriesState>>,
    /// Anomalies from before a restart whose series has not been defined yet, by series.
    unclaimed: BTreeMap<Fingerprint, Vec<Anomaly>>,
    first_tick_at: Option<Timestamp>,
    next_anomaly_id: u64,
    /// Series changed since they were last kept, oldest change first.
    unkept: VecDeque<u32>,
    is_unkept: Vec<bool>,
    sample_count: u64,
    hours_total: u64,
    cold_count: u64,
    retired_count: u64,
    begun_anew_count: u64,
    /// Series to be removed from the store.
    gone: Vec<Fingerprint>,
    dropped: BTreeMap<DropReason, u64>,
}

impl Detection {
    /// A stage that knows no series yet.
    ///
    /// # Errors
    /// When a calendar event cannot be read.
    pub fn new(settings: &DetectionSettings, calendar: &[CalendarEvent]) -> Result<Self, CalendarError> {
        Ok(Self {
            settings: settings.clone(),
            // Float to integer saturates; more than seven years are never asked for.
            warm_hours: (settings.history_days_min * HOURS_A_DAY).ceil() as u16,
            registry: Registry::default(),
            lives: Vec::new(),
            scorers: Vec::new(),
            departures: Departures::default(),
            pending: BTreeMap::new(),
            loans: Loans::default(),
            warm_ups: WarmUps::default(),
            calendar: Calendar::new(calendar)?,
            tracks: Tracks::default(),
            absences: Absences::default(),
            logs: LogSignals::default(),
            forecasts: Forecasts::default(),
            relations: Relations::default(),
            promises: Promises::default(),
            past: PastGathering::default(),
            restored: FxHashMap::default(),
            unclaimed: BTreeMap::new(),
            first_tick_at: None,
            next_anomaly_id: 1,
            unkept: VecDeque::new(),
            is_unkept: Vec::new(),
            sample_count: 0,
            hours_total: 0,
            cold_count: 0,
            retired_count: 0,
            begun_anew_count: 0,
            gone: Vec::new(),
            dropped: BTreeMap::new(),
        })
    }

    /// Hands back what was kept of a series; it takes effect when the series is defined.
    pub fn restore_series(&mut self, state: impl Into<Box<SeriesState>>) {
        let state = state.into();
        self.begun_anew_count += u64::from(state.begins_anew());
        self.restored.insert(state.fingerprint, state);
    }

    /// Hands back an anomaly that was under way, so that the same departure stays the same anomaly.
    pub fn restore_anomaly(&mut self, anomaly: &Anomaly) {
        let is_to_be_judged = anomaly.promise.is_some_and(|promise| promise.outcome.is_none());
        if anomaly.state == AnomalyState::Ended && !is_to_be_judged {
            return;
        }
        self.next_anomaly_id = self.next_anomaly_id.max(anomaly.id.0 + 1);
        if matches!(anomaly.kind, AnomalyKind::NewTemplate | AnomalyKind::TemplateRate) {
            return self.logs.resume(anomaly);
        }
        let origin = origin_fingerprint(anomaly);
        match self.registry.index_of(origin) {
            Some(index) => self.claim(index, anomaly.clone()),
            None => self.unclaimed.entry(origin).or_default().push(anomaly.clone()),
        }
    }

    /// The number the next anomaly gets, unless a higher one is in use already.
    pub fn set_next_anomaly_id(&mut self, next: u64) {
        self.next_anomaly_id = self.next_anomaly_id.max(next);
    }

    /// Binds a source's local number to a series.
    pub fn define(&mut self, notice: &SeriesNotice) {
        match self.registry.define(notice) {
            Defined::New(index) => self.open(index),
            Defined::Known => {}
            Defined::TooMany => self.drop_one(DropReason::TooMany),
        }
    }

    /// Makes room for a series the registry has just taken in, and gives it what was kept of it.
    fn open(&mut self, index: u32) {
        let Some(meta) = self.registry.metas.get_mut(index as usize) else {
            return;
        };
        meta.past_at = self.past.join(meta);
        let fingerprint = meta.fingerprint;
        let Some(meta) = self.registry.metas.get(index as usize) else {
            return;
        };
        if let Some(source) = self.registry.source_name(meta.source_at) {
            self.relations.join(meta, source);
        }
        if let Some(source) = self.registry.sources.get(meta.source_at as usize) {
            self.absences.note_arrival(index, source);
        }
        let mut progress = Progress::default();
        let (mut live, scorer) = match self.restored.remove(&fingerprint) {
            Some(state) => {
                let SeriesState { live, scorer, trend, departure, borrowed, pending, .. } = *state;
                progress = state.progress;
                if let Some(trend) = trend {
                    self.forecasts.restore(index, trend);
                }
                if let Some(departure) = departure {
                    self.departures.restore(index, departure);
                }
                if let Some(borrowed) = borrowed {
                    self.loans.restore(index, borrowed);
                }
                if let Some(pending) = pending {
                    self.pending.insert(index, pending);
                }
                (live, *scorer)
            }
            None => (Live::default(), SeriesScorer::new()),
        };
        self.hours_total += u64::from(live.hours_seen);
        self.cold_count += u64::from(live.hours_seen < self.warm_hours);
        // Only anomalies that are handed back are tracked.
        if live.phase == Phase::Tracked {
            live.phase = Phase::Normal;
        }
        let at = index as usize;
        if let (Some(old_live), Some(old_scorer)) = (self.lives.get_mut(at), self.scorers.get_mut(at)) {
            (*old_live, *old_scorer) = (live, scorer);
        } else {
            self.lives.push(live);
            self.scorers.push(scorer);
            self.is_unkept.push(false);
        }
        for anomaly in self.unclaimed.remove(&fingerprint).unwrap_or_default() {
            self.claim(index, anomaly);
        }
        self.tracks.go_on(index, progress);
    }

    /// Gives a restored anomaly back to its series.
    fn claim(&mut self, index: u32, anomaly: Anomaly) {
        match anomaly.kind {
            AnomalyKind::Absence => self.absences.resume(index, anomaly),
            AnomalyKind::Relation => self.claim_relation(index, anomaly),
            AnomalyKind::Forecast => {
                self.promises.watch(index, &anomaly);
                if anomaly.state != AnomalyState::Ended {
                    self.forecasts.resume(index, anomaly);
                }
            }
            _ => {
                if let Some(live) = self.lives.get_mut(index as usize) {
                    live.phase = Phase::Tracked;
                    self.tracks.resume(index, anomaly);
                }
            }
        }
    }

    /// Time passed: absences, recoveries, what depends on time alone.
    pub fn tick(&mut self, now: Timestamp, events: &mut Vec<AnomalyEvent>) {
        if self.first_tick_at.is_none() {
            self.drop_stale_states();
        }
        let first_tick_at = *self.first_tick_at.get_or_insert(now);
        if now.since_ms(first_tick_at) > CLAIM_MS && !self.unclaimed.is_empty() {
            let unclaimed = std::mem::take(&mut self.unclaimed).into_values().flatten();
            for mut anomaly in unclaimed.filter(|anomaly| anomaly.state != AnomalyState::Ended) {
                anomaly.state = AnomalyState::Ended;
                anomaly.ended_at = Some(now);
                events.push(AnomalyEvent::Ended(anomaly));
            }
        }
        if now.since_ms(first_tick_at) > DAY_MS {
            self.give_up_relations();
        }
        self.tracks.forget_flips(now);
        self.look_for_absences(events);
        self.tick_logs(now, events);
        self.tick_forecasts(events);
        self.judge_promises(events);
    }

    /// The latest value of every series of a metric of a service, beside what is expected.
    #[must_use]
    pub fn readings(&self, service: &str, metric: &str) -> Vec<Reading> {
        let indices = self.registry.of_metric(service, metric);
        indices
            .iter()
            .filter_map(|index| {
                let live = self.lives.get(*index as usize).filter(|live| live.last_at != i64::MIN)?;
                let meta = self.registry.metas.get(*index as usize)?;
                Some(Reading {
                    instance: meta.instance.clone(),
                    at: Timestamp(live.last_at),
                    value: live.last_value,
                    unit: meta.unit,
                    band: self.band(*index)?,
                    is_anomalous: live.phase == Phase::Tracked,
                })
            })
            .collect()
    }

    /// Totals.
    #[must_use]
    pub fn counts(&self) -> DetectionCounts {
        let series_count = self.registry.len() as u64;
        let hours_each = if series_count == 0 { 0.0 } else { self.hours_total as f64 / series_count as f64 };
        DetectionCounts {
            series_count,
            sample_count: self.sample_count,
            dropped: self.dropped.clone(),
            history_days: (hours_each / HOURS_A_DAY) as f32,
            cold_series_count: self.cold_count,
            template_count: self.logs.template_count() as u64,
            retired_series_count: self.retired_count,
            begun_anew_series_count: self.begun_anew_count,
        }
    }

    fn drop_one(&mut self, reason: DropReason) {
        *self.dropped.entry(reason).or_insert(0) += 1;
    }

    fn take_anomaly_id(&mut self) -> AnomalyId {
        let id = AnomalyId(self.next_anomaly_id);
        self.next_anomaly_id += 1;
        id
    }
}
