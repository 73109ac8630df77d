//! The relations between the metrics of each service: a row of them every minute, and an anomaly where one contradicts the
//! others although none is outside its band.
//!
//! A metric of a service is the mean of its instances, so that pods may come and go. History teaches as well.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Detection;
use super::identity::anomaly_fingerprint;
use super::kept_relations::fingerprint;
use super::live::{Live, Phase, at_onset};
use super::registry::{Meta, Registry};
use super::relation::{ServiceScorer, Share};
use super::tracking::{AnomalyEvent, FOLLOW_AFTER_MS};
use super::verdict::SIGMAS_MAX;
use crate::engine::clock::{MINUTE_MS, Timestamp};
use crate::engine::limits::{RELATION_INSTANCES_MAX, RELATION_METRICS_MAX, RELATION_SERVICES_MAX};
use crate::engine::model::{
    Anomaly, AnomalyKind, AnomalyState, Band, Contradiction, DetectionMethod, Direction, Fingerprint, SeriesRole,
    Severity, SourceName, Unit,
};

/// Between two rows.
const ROW_MS: i64 = MINUTE_MS;
/// A service takes up new metrics until it has been watched for so many rows; then its row is what it is.
const GROWING_ROWS: u32 = 300;
/// Live rows before anything is told: what a source tells of now is a little other than what it tells of the past.
const LIVE_ROWS_MIN: u32 = 30;
/// Rows in a row that break a relation before it is told, and that keep it before it is over.
const CONFIRM_ROWS: u32 = 2;
const CALM_ROWS: u32 = 5;
/// What has begun goes on while this share of the bar is found.
const STILL_SHARE: f64 = 0.8;
/// A relation is kept where less than this share of what breaks it is found.
const CALM_SHARE: f64 = 0.5;
/// A contradiction smaller than this many of the smallest sensible sigmas is none.
const FLOORS_MIN: f64 = 3.0;
/// What the others say is told as the usual distance on both sides, so many times.
const BAND_TIMES: f64 = 3.0;
/// Metrics named, at most.
const NAMED_MAX: usize = 4;
/// A mean distance is this share of a standard deviation.
const MEAN_PER_SIGMA: f64 = 0.798;
/// A service of which nothing came for so many rows, a day, is no longer watched.
const SILENT_ROWS_MAX: u32 = 24 * 60;

/// One service as one source tells it.
#[derive(Debug)]
pub(super) struct Watch {
    /// Which service, as which source tells it.
    pub(super) of: Fingerprint,
    pub(super) metrics: Vec<Arc<str>>,
    pub(super) scorer: ServiceScorer,
    row: Vec<f64>,
    pub(super) rows: u32,
    pub(super) live_rows: u32,
    pub(super) silent_rows: u32,
    pub(super) broken_rows: u32,
    pub(super) calm_rows: u32,
    pub(super) broken_since: i64,
    /// Rows since it was last kept.
    pub(super) unkept_rows: u32,
    active: Option<Anomaly>,
}

/// Every service that is watched.
#[derive(Debug, Default)]
pub struct Relations {
    /// By source and service.
    pub(super) watches: BTreeMap<(u32, u32), Watch>,
    /// From before a restart, of services that have not been heard of since.
    pub(super) kept: BTreeMap<Fingerprint, Watch>,
    /// Services of which nothing is to be kept any longer.
    pub(super) gone: Vec<Fingerprint>,
    /// When the next row of each source is whole.
    due: Vec<i64>,
}

impl Relations {
    /// Takes a series' metric up into the row of its service.
    pub fn join(&mut self, meta: &Meta, source: &SourceName) {
        if meta.unit == Unit::Boolean || meta.role == SeriesRole::Availability {
            return;
        }
        let key = (meta.source_at, meta.service_at);
        if !self.watches.contains_key(&key) && self.watches.len() >= RELATION_SERVICES_MAX {
            return;
        }
        let kept = &mut self.kept;
        let watch = self.watches.entry(key).or_insert_with(|| {
            let of = fingerprint(source, &meta.service);
            kept.remove(&of).unwrap_or_else(|| Watch::new(of))
        });
        let is_open = watch.rows < GROWING_ROWS && watch.metrics.len() < RELATION_METRICS_MAX;
        if is_open && !watch.metrics.contains(&meta.metric) {
            watch.metrics.push(meta.metric.clone());
            watch.scorer = ServiceScorer::new(watch.metrics.len());
            watch.rows = 0;
        }
    }

    /// When the next row of a source is whole, in milliseconds since the epoch.
    #[must_use]
    pub fn due(&self, source_at: u32) -> i64 {
        self.due.get(source_at as usize).copied().unwrap_or(i64::MIN)
    }

    fn set_due(&mut self, source_at: u32, at: i64) -> i64 {
        let place = source_at as usize;
        if self.due.len() <= place {
            self.due.resize(place + 1, i64::MIN);
        }
        let due = at.div_euclid(ROW_MS).saturating_add(1).saturating_mul(ROW_MS);
        if let Some(place) = self.due.get_mut(place) {
            *place = due;
        }
        due
    }

    /// Where the anomaly of the service that a series is of has its place; `None` where that is not watched.
    fn active(&mut self, meta: &Meta) -> Option<&mut Option<Anomaly>> {
        self.watches.get_mut(&(meta.source_at, meta.service_at)).map(|watch| &mut watch.active)
    }
}

impl Watch {
    /// Of a service of which nothing is known.
    pub(super) fn new(of: Fingerprint) -> Self {
        Self {
            of,
            metrics: Vec::new(),
            scorer: ServiceScorer::new(0),
            row: Vec::new(),
            rows: 0,
            live_rows: 0,
            silent_rows: 0,
            broken_rows: 0,
            calm_rows: 0,
            broken_since: 0,
            unkept_rows: 0,
            active: None,
        }
    }

    /// Takes the row that is whole at `at`; says how far the relations are broken, 1 being the bar.
    fn look(&mut self, service_at: u32, at: i64, registry: &Registry, lives: &[Live], is_backfill: bool) -> f64 {
        self.row.clear();
        self.row.extend(self.metrics.iter().map(|metric| mean(registry, lives, service_at, metric, at)));
        if self.row.iter().all(|cell| cell.is_nan()) {
            self.silent_rows += 1;
            return 0.0;
        }
        self.silent_rows = 0;
        self.rows = self.rows.saturating_add(1);
        self.unkept_rows = self.unkept_rows.saturating_add(1);
        self.live_rows = self.live_rows.saturating_add(u32::from(!is_backfill));
        // Milliseconds of any year fit a float.
        let judged = self.scorer.observe(at as f64 / 1_000.0, &self.row);
        judged.broken
    }

    /// Counts rows that break relations and rows that keep them.
    fn count(&mut self, found: f64, at: i64) {
        let is_broken = found >= if self.broken_rows > 0 { STILL_SHARE } else { 1.0 };
        if is_broken {
            if self.broken_rows == 0 {
                self.broken_since = at;
            }
            self.broken_rows = self.broken_rows.saturating_add(1);
            self.calm_rows = 0;
        } else {
            self.broken_rows = 0;
            self.calm_rows = if found < CALM_SHARE { self.calm_rows.saturating_add(1) } else { 0 };
        }
    }
}

/// The mean of a metric over the instances heard of lately, on its scale; not a number where there is none.
fn mean(registry: &Registry, lives: &[Live], service_at: u32, metric: &Arc<str>, at: i64) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for index in registry.of_service_metric(service_at, metric).iter().take(RELATION_INSTANCES_MAX) {
        if let (Some(live), Some(meta)) = (lives.get(*index as usize), registry.metas.get(*index as usize)) {
            let fresh_ms = (2 * ROW_MS).max(2 * i64::from(meta.interval_ms));
            if live.last_at != i64::MIN && at.saturating_sub(live.last_at) <= fresh_ms {
                sum += meta.scale.apply(live.last_value);
                count += 1.0;
            }
        }
    }
    if count > 0.0 { sum / count } else { f64::NAN }
}

impl Detection {
    /// A sample of `at` has come: the row of the minute before is whole. Says when the next one is.
    #[cold]
    pub(super) fn close_rows(
        &mut self,
        source_at: u32,
        at: i64,
        is_backfill: bool,
        events: &mut Vec<AnomalyEvent>,
    ) -> i64 {
        let row_at = self.relations.due(source_at);
        let due = self.relations.set_due(source_at, at);
        if row_at == i64::MIN {
            return due;
        }
        let mut watches = std::mem::take(&mut self.relations.watches);
        for ((_, service_at), watch) in watches.range_mut((source_at, 0)..=(source_at, u32::MAX)) {
            let found = watch.look(*service_at, row_at, &self.registry, &self.lives, is_backfill);
            if !is_backfill {
                watch.count(found, row_at);
                self.tell_relation(*service_at, watch, Timestamp(row_at), events);
            }
        }
        let gone = &mut self.relations.gone;
        watches.retain(|(of, _), watch| {
            let stays = *of != source_at || watch.active.is_some() || watch.silent_rows < SILENT_ROWS_MAX;
            gone.extend((!stays).then_some(watch.of));
            stays
        });
        self.relations.watches = watches;
        due
    }

    /// Gives a restored anomaly back to its service; where that is not watched, it ends with what nobody claims.
    pub(super) fn claim_relation(&mut self, index: u32, anomaly: Anomaly) {
        let Some(meta) = self.registry.metas.get(index as usize) else {
            return;
        };
        match self.relations.active(meta) {
            Some(active) => *active = Some(anomaly),
            None => self.unclaimed.entry(meta.fingerprint).or_default().push(anomaly),
        }
    }

    /// Turns what a row showed into the life of an anomaly.
    fn tell_relation(&mut self, service_at: u32, watch: &mut Watch, at: Timestamp, events: &mut Vec<AnomalyEvent>) {
        let Some(mut anomaly) = watch.active.take() else {
            let is_due = watch.broken_rows >= CONFIRM_ROWS && watch.live_rows > LIVE_ROWS_MIN;
            if is_due && !self.has_deviation(service_at, watch) {
                watch.active = self.begin_relation(service_at, watch, at, events);
            }
            return;
        };
        let is_the_new_relation = at.since_ms(anomaly.started_at) >= FOLLOW_AFTER_MS;
        if watch.calm_rows >= CALM_ROWS || is_the_new_relation {
            anomaly.state = AnomalyState::Ended;
            anomaly.ended_at = Some(at);
            events.push(AnomalyEvent::Ended(anomaly));
            (watch.broken_rows, watch.calm_rows) = (0, 0);
            if is_the_new_relation {
                watch.scorer = ServiceScorer::new(watch.metrics.len());
            }
            return;
        }
        let state = if watch.broken_rows > 0 { AnomalyState::Active } else { AnomalyState::Recovering };
        let has_changed = state != anomaly.state;
        anomaly.state = state;
        let mut is_worse = false;
        if state == AnomalyState::Active {
            let named = self.contradictions(service_at, watch);
            anomaly.last_seen_at = at;
            anomaly.repeat_count += 1;
            if let Some(worst) = named.iter().find(|named| named.metric == anomaly.metric) {
                (anomaly.value, anomaly.expected) = (worst.value, worst.said);
                anomaly.deviation_sigma = sigmas(worst.times);
                is_worse = anomaly.deviation_sigma > 1.25 * anomaly.peak_sigma;
                if anomaly.deviation_sigma > anomaly.peak_sigma {
                    (anomaly.peak_sigma, anomaly.peak_value) = (anomaly.deviation_sigma, worst.value);
                    anomaly.contradictions = named;
                }
            }
        }
        if has_changed || is_worse {
            events.push(AnomalyEvent::Changed(anomaly.clone()));
        }
        watch.active = Some(anomaly);
    }

    /// True where a metric of the row is outside its own band: that is told already, and breaks relations of itself.
    fn has_deviation(&self, service_at: u32, watch: &Watch) -> bool {
        watch.metrics.iter().any(|metric| {
            let indices = self.registry.of_service_metric(service_at, metric).iter();
            indices.filter_map(|index| self.lives.get(*index as usize)).any(|live| live.phase == Phase::Tracked)
        })
    }

    /// The metrics that break the relations of a service, the worst first.
    fn contradictions(&self, service_at: u32, watch: &Watch) -> Vec<Contradiction> {
        let shares = watch.scorer.broken_metrics();
        shares.iter().filter_map(|share| self.contradiction(service_at, watch, share)).take(NAMED_MAX).collect()
    }

    fn contradiction(&self, service_at: u32, watch: &Watch, share: &Share) -> Option<Contradiction> {
        let metric = watch.metrics.get(share.metric)?;
        let first = self.registry.of_service_metric(service_at, metric).first()?;
        let meta = self.registry.metas.get(*first as usize)?;
        let cell = *watch.row.get(share.metric)?;
        let said = cell - share.apart;
        if share.apart.abs() < FLOORS_MIN * meta.scale.floor(said) {
            return None;
        }
        let half = (BAND_TIMES * share.usually_apart).max(meta.scale.floor(said));
        let band = Band {
            low: meta.scale.invert(said - half),
            centre: meta.scale.invert(said),
            high: meta.scale.invert(said + half),
        };
        Some(Contradiction {
            metric: metric.clone(),
            value: meta.scale.invert(cell),
            unit: meta.unit,
            said: meta.scale.possible(band),
            times: share.times as f32,
        })
    }

    fn begin_relation(
        &mut self,
        service_at: u32,
        watch: &Watch,
        at: Timestamp,
        events: &mut Vec<AnomalyEvent>,
    ) -> Option<Anomaly> {
        let contradictions = self.contradictions(service_at, watch);
        let worst = contradictions.first()?;
        let first = *self.registry.of_service_metric(service_at, &worst.metric).first()?;
        let id = self.take_anomaly_id();
        let (meta, live) = (self.registry.metas.get(first as usize)?, self.lives.get(first as usize)?);
        let direction = if worst.value >= worst.said.centre { Direction::Above } else { Direction::Below };
        let recent = live.recent_values();
        let anomaly = Anomaly {
            id,
            fingerprint: anomaly_fingerprint(meta.fingerprint, AnomalyKind::Relation, direction),
            kind: AnomalyKind::Relation,
            service: meta.service.clone(),
            instance: None,
            metric: worst.metric.clone(),
            unit: worst.unit,
            // It is of no single signal: neither errors nor a resource that is short.
            role: SeriesRole::Other,
            template: None,
            direction,
            is_harmful: true,
            severity: Severity::Warning,
            state: AnomalyState::Active,
            value: worst.value,
            peak_value: worst.value,
            expected: worst.said,
            deviation_sigma: sigmas(worst.times),
            peak_sigma: sigmas(worst.times),
            method: DetectionMethod::Relation,
            history_days: live.history_days(),
            started_at: Timestamp(watch.broken_since),
            last_seen_at: at,
            ended_at: None,
            repeat_count: u64::from(watch.broken_rows),
            incident: None,
            suppressed: None,
            at_onset: at_onset(&recent, 1),
            recent,
            forecast: None,
            promise: None,
            contradictions,
        };
        events.push(AnomalyEvent::Began(anomaly.clone()));
        Some(anomaly)
    }
}

/// Usual distances as sigmas.
fn sigmas(times: f32) -> f64 {
    (f64::from(times) * MEAN_PER_SIGMA).min(SIGMAS_MAX)
}
