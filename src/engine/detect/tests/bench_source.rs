//! A source of made-up series for tests, and a small seeded noise.

use std::sync::Arc;

use super::super::{AnomalyEvent, Detection};
use crate::engine::clock::{DAY_MS, MINUTE_MS, Timestamp};
use crate::engine::model::{
    BadWhen, Labels, Sample, SampleBatch, SeriesDescriptor, SeriesNotice, SeriesRole, ServiceName, SourceName, Unit,
};
use crate::engine::settings::{CalendarEvent, DetectionSettings};

/// Monday, 00:00.
pub const START: Timestamp = Timestamp(1_793_577_600_000);
/// Between two samples.
pub const STEP_MS: i64 = 5 * MINUTE_MS;

/// A stage, its series and everything it raised.
pub struct Bench {
    pub detection: Detection,
    pub events: Vec<AnomalyEvent>,
    pub now: Timestamp,
    pub notices: Vec<SeriesNotice>,
}

/// A plain description of a series.
pub fn descriptor(metric: &str, role: SeriesRole, unit: Unit, bad_when: BadWhen) -> SeriesDescriptor {
    SeriesDescriptor {
        metric: Arc::from(metric),
        service: ServiceName::new("shop"),
        instance: None,
        unit,
        role,
        bad_when,
        is_skewed: false,
        limit: None,
        interval_ms: STEP_MS as u32,
        labels: Labels::default(),
    }
}

/// A traffic-like series without a role, so that nothing but its own history judges it.
pub fn plain(metric: &str) -> SeriesDescriptor {
    descriptor(metric, SeriesRole::Other, Unit::Count, BadWhen::Either)
}

impl Bench {
    pub fn new(series: Vec<SeriesDescriptor>) -> Self {
        Self::with_calendar(series, &[])
    }

    pub fn with_calendar(series: Vec<SeriesDescriptor>, calendar: &[CalendarEvent]) -> Self {
        let mut detection = Detection::new(&DetectionSettings::default(), calendar).unwrap();
        let notices: Vec<_> = series
            .into_iter()
            .enumerate()
            .map(|(local, descriptor)| SeriesNotice {
                source: SourceName::new("made-up"),
                local: local as u32,
                descriptor,
            })
            .collect();
        for notice in &notices {
            detection.define(notice);
        }
        Self { detection, events: Vec::new(), now: START, notices }
    }

    /// One batch with one sample of every series, at the present time; then time moves on.
    pub fn step(&mut self, is_backfill: bool, values: &[f64]) {
        let samples = values.iter().enumerate();
        let samples =
            samples.map(|(local, value)| Sample { local: local as u32, at: self.now, value: *value }).collect();
        let batch = SampleBatch { source: SourceName::new("made-up"), is_backfill, samples };
        self.detection.observe(&batch, self.now, &mut self.events);
        self.now = self.now + STEP_MS;
    }

    /// Runs `days` days; `value` gives each sample of each series.
    pub fn run(&mut self, days: i64, is_backfill: bool, mut value: impl FnMut(usize, Timestamp) -> f64) {
        let until = self.now + days * DAY_MS;
        let count = self.notices.len();
        while self.now < until {
            let values: Vec<f64> = (0..count).map(|local| value(local, self.now)).collect();
            self.step(is_backfill, &values);
        }
    }

    /// How many anomalies began.
    pub fn began(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, AnomalyEvent::Began(_))).count()
    }

    /// The last word on the first anomaly of a metric.
    pub fn last_of(&self, metric: &str) -> &crate::engine::model::Anomaly {
        self.events.iter().rev().map(AnomalyEvent::anomaly).find(|anomaly| &*anomaly.metric == metric).unwrap()
    }
}

/// Seeded normal noise, by the polar method (Marsaglia 1964) over a 64-bit congruential generator (Knuth, MMIX).
pub struct Noise(pub u64);

impl Noise {
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f64 {
        loop {
            let (a, b) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = a * a + b * b;
            if square > 0.0 && square < 1.0 {
                return a * (-2.0 * square.ln() / square).sqrt();
            }
        }
    }
}

/// A load with a daily and weekly shape: about 100, half of it at night, less at weekends.
pub fn weekly(at: Timestamp) -> f64 {
    let hour = at.0.rem_euclid(DAY_MS) as f64 / 3_600_000.0;
    let daily = 100.0 - 40.0 * ((hour - 2.0) / 24.0 * std::f64::consts::TAU).cos();
    let is_weekend = at.hour_of_week() / 24 >= 5;
    if is_weekend { 0.7 * daily } else { daily }
}
