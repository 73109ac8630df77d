//! Series whose samples stop while their source goes on.
//!
//! A source's clock is the newest sample it gave. A series that falls behind it is absent; when all of them stop it is
//! the source that is down, and nothing is raised. Ticks look at a share of the series each, so that none takes long.

use std::collections::BTreeMap;

use super::Detection;
use super::identity::anomaly_fingerprint;
use super::live::{Live, at_onset};
use super::registry::{Meta, Registry};
use super::source_series::SourceSeries;
use super::tracking::AnomalyEvent;
use crate::engine::clock::{HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::model::{
    Anomaly, AnomalyId, AnomalyKind, AnomalyState, Band, DetectionMethod, Direction, SeriesRole, Severity,
};

/// Intervals without a sample, and time on top, before a series counts as absent.
const MISSED_INTERVALS: i64 = 3;
const GRACE_MS: i64 = 30 * SECOND_MS;
/// Series looked at in one tick: at least this many, and all of them within this many ticks.
const LOOKED_AT_MIN: usize = 2_000;
const TICKS_FOR_ALL: usize = 30;
/// An instance that is gone while others of its service go on was replaced: its absence is over after this long.
const REPLACED_AFTER_MS: i64 = 15 * MINUTE_MS;
/// An instance that comes this long before the other one's last sample, or later, may replace it.
const REPLACED_WITHIN_MS: i64 = 15 * MINUTE_MS;
/// Any absence is over after this long: the series is gone for good.
const GONE_AFTER_MS: i64 = 24 * HOUR_MS;

/// Absences under way and how far the walk has come.
#[derive(Debug, Clone, Default)]
pub struct Absences {
    by_series: BTreeMap<u32, Anomaly>,
    /// Series whose absence was ended although they did not come back, or never raised, with their last sample's time.
    given_up: BTreeMap<u32, i64>,
    /// When series were told whose source was flowing already, by its clock.
    arrivals: BTreeMap<u32, i64>,
    next: usize,
}

impl Absences {
    /// Takes up an absence from before a restart.
    pub fn resume(&mut self, index: u32, anomaly: Anomaly) {
        self.by_series.insert(index, anomaly);
    }

    /// Notes when a series was told.
    pub fn note_arrival(&mut self, index: u32, source: &SourceSeries) {
        if source.newest_at != i64::MIN {
            self.arrivals.insert(index, source.newest_at);
        }
    }

    /// When a series was told; `i64::MIN` where its source was not flowing yet.
    #[must_use]
    pub fn arrived_at(&self, index: u32) -> i64 {
        self.arrivals.get(&index).copied().unwrap_or(i64::MIN)
    }

    /// True while the absence of a series is an anomaly.
    #[must_use]
    pub fn is_absent(&self, index: u32) -> bool {
        self.by_series.contains_key(&index)
    }

    /// Forgets a series.
    pub fn forget(&mut self, index: u32) {
        self.by_series.remove(&index);
        self.given_up.remove(&index);
        self.arrivals.remove(&index);
    }
}

/// Samples may be overdue by this much.
fn patience(meta: &Meta) -> i64 {
    MISSED_INTERVALS * i64::from(meta.interval_ms) + GRACE_MS
}

/// Where a series stands beside its source's clock.
fn missing_since(meta: &Meta, live: &Live, registry: &Registry) -> Option<i64> {
    let source = registry.sources.get(meta.source_at as usize)?;
    let patience = patience(meta);
    let is_behind = |since: i64| since.saturating_add(patience) < source.newest_at;
    let was_there = live.is_live && live.last_at != i64::MIN;
    (was_there && is_behind(live.last_at) && is_behind(source.flowing_since)).then_some(live.last_at)
}

impl Detection {
    /// Looks at the next share of the series.
    pub(super) fn look_for_absences(&mut self, events: &mut Vec<AnomalyEvent>) {
        let count = self.lives.len();
        if count == 0 {
            return;
        }
        let mut silent = Vec::new();
        for _ in 0..count.min(LOOKED_AT_MIN.max(count.div_ceil(TICKS_FOR_ALL))) {
            let at = self.absences.next % count;
            self.absences.next = (at + 1) % count;
            // As many series as dense indices, which are 32 bits wide.
            let index = at as u32;
            self.look_for_absence(index, events);
            if self.is_silent_for_good(index) {
                silent.push(index);
            }
        }
        self.end_absences(events);
        self.retire(&silent, events);
    }

    fn look_for_absence(&mut self, index: u32, events: &mut Vec<AnomalyEvent>) {
        let at = index as usize;
        let (Some(live), Some(meta)) = (self.lives.get(at), self.registry.metas.get(at)) else {
            return;
        };
        let Some(last_at) = missing_since(meta, live, &self.registry) else {
            return;
        };
        if self.absences.given_up.get(&index).is_some_and(|given_up| *given_up == last_at) {
            return;
        }
        let newest = self.registry.sources.get(meta.source_at as usize).map_or(last_at, |source| source.newest_at);
        if self.is_replaced(index, last_at) {
            self.absences.given_up.insert(index, last_at);
            self.end_deviation(index, newest, events);
            if let Some(anomaly) = self.absences.by_series.remove(&index) {
                events.push(ended(anomaly, newest));
            }
            return;
        }
        if self.absences.is_absent(index) {
            return;
        }
        let has_peers = self.has_fresh_peer(index);
        let id = self.take_anomaly_id();
        let (Some(live), Some(meta)) = (self.lives.get(at), self.registry.metas.get(at)) else {
            return;
        };
        let band = self.band(index).unwrap_or_default();
        let anomaly = absence(id, meta, live, band, newest, has_peers, &self.settings);
        events.push(AnomalyEvent::Began(anomaly.clone()));
        self.absences.by_series.insert(index, anomaly);
        self.end_deviation(index, newest, events);
    }

    /// What was wrong with the values of a series that is gone can no longer be told.
    fn end_deviation(&mut self, index: u32, newest: i64, events: &mut Vec<AnomalyEvent>) {
        if self.tracks.end(index, Timestamp(newest), events)
            && let Some(live) = self.lives.get_mut(index as usize)
        {
            live.phase = super::Phase::Normal;
            self.come_back(index);
        }
    }

    /// True where at least as many instances of the same metric and service have come as have gone about that time: a pod
    /// that was replaced is not missed.
    fn is_replaced(&self, index: u32, last_at: i64) -> bool {
        let Some(meta) = self.registry.metas.get(index as usize) else {
            return false;
        };
        let about = last_at.saturating_sub(REPLACED_WITHIN_MS);
        let (mut gone, mut come) = (0_usize, 0_usize);
        for other in self.registry.of_metric(meta.service.as_str(), &meta.metric) {
            let at = *other as usize;
            let (Some(live), Some(meta)) = (self.lives.get(at), self.registry.metas.get(at)) else {
                continue;
            };
            if let Some(since) = missing_since(meta, live, &self.registry) {
                gone += usize::from(since >= about);
            } else if live.is_live && self.absences.arrived_at(*other) >= about {
                // What is told when a source begins to flow was there before.
                let source = self.registry.sources.get(meta.source_at as usize);
                let began = source.map_or(i64::MAX, |source| source.flowing_since.saturating_add(patience(meta)));
                come += usize::from(self.absences.arrived_at(*other) > began);
            }
        }
        come >= gone
    }

    /// True where another instance of the same metric and service still gives samples.
    pub(super) fn has_fresh_peer(&self, index: u32) -> bool {
        let Some(meta) = self.registry.metas.get(index as usize) else {
            return false;
        };
        self.registry.of_metric(meta.service.as_str(), &meta.metric).iter().any(|other| {
            let at = *other as usize;
            *other != index
                && self.lives.get(at).is_some_and(|live| live.is_live)
                && self
                    .lives
                    .get(at)
                    .zip(self.registry.metas.get(at))
                    .is_some_and(|(live, meta)| missing_since(meta, live, &self.registry).is_none())
        })
    }

    /// Ends absences whose samples returned, and those that will not.
    fn end_absences(&mut self, events: &mut Vec<AnomalyEvent>) {
        let mut over = Vec::new();
        for (index, anomaly) in &self.absences.by_series {
            let at = *index as usize;
            let (Some(live), Some(meta)) = (self.lives.get(at), self.registry.metas.get(at)) else {
                continue;
            };
            let newest = self.registry.sources.get(meta.source_at as usize).map_or(i64::MIN, |source| source.newest_at);
            let patience = if anomaly.is_harmful { GONE_AFTER_MS } else { REPLACED_AFTER_MS };
            if live.last_at > anomaly.started_at.0 {
                over.push((*index, live.last_at, false));
            } else if newest.saturating_sub(anomaly.started_at.0) > patience {
                over.push((*index, newest, true));
            }
        }
        for (index, at, is_given_up) in over {
            if let Some(anomaly) = self.absences.by_series.remove(&index) {
                if is_given_up {
                    self.absences.given_up.insert(index, anomaly.started_at.0);
                } else {
                    self.absences.given_up.remove(&index);
                }
                events.push(ended(anomaly, at));
            }
        }
    }
}

fn ended(mut anomaly: Anomaly, at: i64) -> AnomalyEvent {
    anomaly.state = AnomalyState::Ended;
    anomaly.ended_at = Some(Timestamp(at));
    AnomalyEvent::Ended(anomaly)
}

fn absence(
    id: AnomalyId,
    meta: &Meta,
    live: &Live,
    expected: Band,
    newest: i64,
    has_peers: bool,
    settings: &super::DetectionSettings,
) -> Anomaly {
    let severity = if has_peers {
        Severity::Info
    } else if matches!(meta.role, SeriesRole::Availability | SeriesRole::Traffic) {
        Severity::Critical
    } else {
        Severity::Warning
    };
    // There is no distance to a value that is not there: the threshold of its severity stands for it.
    let sigma = if severity == Severity::Critical { settings.critical_sigma } else { settings.anomaly_sigma };
    Anomaly {
        id,
        fingerprint: anomaly_fingerprint(meta.fingerprint, AnomalyKind::Absence, Direction::Below),
        kind: AnomalyKind::Absence,
        service: meta.service.clone(),
        instance: meta.instance.clone(),
        metric: meta.metric.clone(),
        unit: meta.unit,
        role: meta.role,
        template: None,
        direction: Direction::Below,
        is_harmful: !has_peers,
        severity,
        state: AnomalyState::Active,
        value: live.last_value,
        peak_value: live.last_value,
        expected: Band { centre: live.usual, ..expected },
        deviation_sigma: sigma,
        peak_sigma: sigma,
        method: DetectionMethod::MissingData,
        history_days: live.history_days(),
        started_at: Timestamp(live.last_at),
        last_seen_at: Timestamp(newest),
        ended_at: None,
        repeat_count: 1,
        incident: None,
        suppressed: None,
        at_onset: at_onset(&live.recent_values(), usize::MAX),
        promise: None,
        contradictions: Vec::new(),
        recent: live.recent_values(),
        forecast: None,
    }
}
