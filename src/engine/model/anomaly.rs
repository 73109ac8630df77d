//! An anomaly: a departure from what is expected here and now, with direction, size, and the history it was judged by.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::contradiction::Contradiction;
use super::ids::{AnomalyId, Fingerprint, IncidentId, ServiceName, TemplateId};
use super::promise::Promise;
use super::quantity::{human, human_span};
use super::reason::SuppressionReason;
use super::series::{SeriesRole, Unit};
use super::severity::Severity;
use crate::engine::clock::Timestamp;

/// What kind of departure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnomalyKind {
    /// A value outside its band.
    Deviation,
    /// A value that should be there is not.
    Absence,
    /// A log template never seen before.
    NewTemplate,
    /// A log template's rate changed.
    TemplateRate,
    /// A resource is on its way to its limit.
    Forecast,
    /// A metric contradicts the others of its service, though each may be inside its band.
    Relation,
}

/// Which side of the band.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Above what is expected.
    Above,
    /// Below it.
    Below,
}

/// By which rule it was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectionMethod {
    /// Beyond what its level and season explain, in z-scores: 2.8 sigma anomalous, 4.0 critical.
    SeasonalZ,
    /// The same by IQR fences, for skewed metrics.
    IqrFence,
    /// Conservative static thresholds, while there is too little history.
    StaticThreshold,
    /// No sample when one was due.
    MissingData,
    /// First sight of a log template, or its rate.
    LogPattern,
    /// Robust trend towards a limit.
    Trend,
    /// Well beyond all that a series with little history has shown so far.
    OwnHistory,
    /// What the other metrics of the service say at the same moment.
    Relation,
    /// What other instances of the same service have shown, for want of a history of its own.
    Siblings,
}

/// What was expected: the value in the middle and the range that is still normal, in the series' unit.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Band {
    /// Lower edge of normal.
    pub low: f64,
    /// The expected value.
    pub centre: f64,
    /// Upper edge of normal.
    pub high: f64,
}

impl Band {
    /// True where `value` is within the band, edges included.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        value >= self.low && value <= self.high
    }
}

/// The latest value of a series beside what was expected of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The instance, where the series is of one.
    pub instance: Option<Arc<str>>,
    /// When it was measured.
    pub at: Timestamp,
    /// What was measured.
    pub value: f64,
    /// In what.
    pub unit: Unit,
    /// What was expected then.
    pub band: Band,
    /// True while an anomaly of the series is active or recovering.
    pub is_anomalous: bool,
}

/// Where an anomaly stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnomalyState {
    /// Outside its band.
    Active,
    /// Back inside, but not yet for long enough.
    Recovering,
    /// Over.
    Ended,
}

/// When a resource runs out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// The limit, in the series' unit.
    pub limit: f64,
    /// When the trend meets it.
    pub reached_at: Timestamp,
    /// Half the width of the interval around `reached_at`, in milliseconds.
    pub margin_ms: i64,
}

/// A departure of one series (or log template) of one service. The same active departure is one anomaly, however often
/// it repeats.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// Its number.
    pub id: AnomalyId,
    /// Identity of series and direction: what makes a repeat a repeat.
    pub fingerprint: Fingerprint,
    /// What kind of departure.
    pub kind: AnomalyKind,
    /// The service it is of.
    pub service: ServiceName,
    /// The instance, where the series is of one.
    pub instance: Option<Arc<str>>,
    /// The metric, or `log template` for those.
    pub metric: Arc<str>,
    /// Unit of the values.
    pub unit: Unit,
    /// Which golden signal.
    pub role: SeriesRole,
    /// The template, for anomalies of logs, and its text.
    pub template: Option<(TemplateId, Arc<str>)>,
    /// Which side.
    pub direction: Direction,
    /// True where this direction is bad news for this series.
    pub is_harmful: bool,
    /// How bad.
    pub severity: Severity,
    /// Where it stands.
    pub state: AnomalyState,
    /// The last value.
    pub value: f64,
    /// The value furthest from the band so far.
    pub peak_value: f64,
    /// What was expected at the last value's time.
    pub expected: Band,
    /// Distance of the last value from the centre, in sigmas (or fence widths scaled to sigmas); never negative.
    pub deviation_sigma: f64,
    /// The largest of them so far.
    pub peak_sigma: f64,
    /// By which rule.
    pub method: DetectionMethod,
    /// Days of history the rule stood on.
    pub history_days: f32,
    /// When the departure began: the first sample outside the band, not the sample that confirmed it.
    pub started_at: Timestamp,
    /// The last sample outside the band.
    pub last_seen_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// Samples outside the band.
    pub repeat_count: u64,
    /// The incident it belongs to.
    pub incident: Option<IncidentId>,
    /// Why it is not shown by default, where it is not.
    pub suppressed: Option<SuppressionReason>,
    /// The last values before and since the onset, oldest first, for a sparkline.
    pub recent: Vec<f32>,
    /// When the resource runs out, for forecasts.
    pub forecast: Option<Forecast>,
    /// The values about the onset, oldest first: they stay as they were, however long the departure lasts. This field and
    /// those after it came later, each at the end, so that what was kept before can be read.
    #[serde(default)]
    pub at_onset: Vec<f32>,
    /// What a forecast said first and how it ended.
    #[serde(default)]
    pub promise: Option<Promise>,
    /// The metrics that break the relations of the service, the worst first; it is the one the anomaly is named after.
    #[serde(default)]
    pub contradictions: Vec<Contradiction>,
}

impl Anomaly {
    /// The departure in a line, with the worst value so far: `auth-api db_connect_errors 0 → 212/s 38σ`.
    #[must_use]
    pub fn departure(&self) -> String {
        let what = format!("{} {}", self.service, self.metric);
        match (self.kind, &self.forecast, &self.template) {
            (AnomalyKind::Absence, _, _) => format!("{what} has no data"),
            (AnomalyKind::Deviation, _, _) if self.unit == Unit::Boolean => self.up_or_down(),
            (AnomalyKind::Deviation, _, _) if self.method == DetectionMethod::StaticThreshold => {
                format!("{what} {}, {}", human(self.peak_value, self.unit), self.beyond_limit())
            }
            (AnomalyKind::Forecast, Some(forecast), _) => {
                let left = forecast.reached_at.since_ms(self.last_seen_at).max(0);
                format!("{what} reaches {} in {}", human(forecast.limit, self.unit), human_span(left))
            }
            (AnomalyKind::Relation, _, _) => self.contradicted(),
            (AnomalyKind::NewTemplate, _, Some((_, text))) => format!("{} logs something new: {text}", self.service),
            (AnomalyKind::TemplateRate, _, Some((_, text))) => {
                format!("{} log rate {}: {text}", self.service, self.from_to())
            }
            // Beyond a million sigmas the spread was as good as nothing, and the figure says nothing either.
            _ if self.is_measured_in_sigmas() && self.peak_sigma >= 1.0 && self.peak_sigma < 1e6 => {
                format!("{what} {} {:.0}σ", self.from_to(), self.peak_sigma)
            }
            _ => format!("{what} {}", self.from_to()),
        }
    }

    /// True where the distance was measured against history. Static limits, and what is up or down, there or not there,
    /// have none: their sigmas only say how grave they are.
    #[must_use]
    pub fn is_measured_in_sigmas(&self) -> bool {
        let is_of_values = match self.kind {
            AnomalyKind::Deviation => self.unit != Unit::Boolean && self.role != SeriesRole::Availability,
            AnomalyKind::TemplateRate | AnomalyKind::Relation => true,
            AnomalyKind::Absence | AnomalyKind::NewTemplate | AnomalyKind::Forecast => false,
        };
        is_of_values && self.method != DetectionMethod::StaticThreshold
    }

    /// `above the static limit of 90 %`
    #[must_use]
    pub fn beyond_limit(&self) -> String {
        let (side, limit) = match self.direction {
            Direction::Above => ("above", self.expected.high),
            Direction::Below => ("below", self.expected.low),
        };
        format!("{side} the static limit of {}", human(limit, self.unit))
    }

    /// `orders-db disk_io 3.1k/s contradicts its other metrics (0.9k/s), with packet_loss`
    fn contradicted(&self) -> String {
        let (value, said) = (human(self.peak_value, self.unit), human(self.expected.centre, self.unit));
        let others: Vec<&str> = self.contradictions.iter().skip(1).map(|other| other.metric.as_ref()).collect();
        let with = if others.is_empty() { String::new() } else { format!(", with {}", others.join(", ")) };
        format!("{} {} {value} contradicts its other metrics ({said}){with}", self.service, self.metric)
    }

    /// `cache is down (was up)`; the second half only where it was seen or learnt.
    fn up_or_down(&self) -> String {
        let is_up = |value: f64| value >= 0.5;
        let was_seen =
            self.at_onset.iter().chain(&self.recent).any(|value| is_up(f64::from(*value)) != is_up(self.peak_value));
        let was = match is_up(self.peak_value) {
            _ if self.method == DetectionMethod::StaticThreshold && !was_seen => "",
            true => " (was down)",
            false => " (was up)",
        };
        let now = human(self.peak_value, self.unit);
        // A metric that is called `up` says no more than its value does.
        match self.metric.strip_suffix("up") {
            Some(_) => format!("{} is {now}{was}", self.service),
            None => format!("{} {} is {now}{was}", self.service, self.metric),
        }
    }

    /// What was expected and what was seen at worst: `0 → 212/s`.
    #[must_use]
    pub fn from_to(&self) -> String {
        let expected = human(self.expected.centre, self.unit);
        let expected = if self.unit == Unit::PerSecond { expected.trim_end_matches("/s") } else { &expected };
        format!("{expected} → {}", human(self.peak_value, self.unit))
    }
}

/// Several anomalous metrics of one service, fused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompoundAnomaly {
    /// The service.
    pub service: ServiceName,
    /// Its anomalies, worst first.
    pub members: Vec<AnomalyId>,
    /// Combined severity: at least the worst member's.
    pub severity: Severity,
    /// Combined size in sigmas (root of the sum of squares over the distinct metrics).
    pub combined_sigma: f64,
    /// The earliest onset among the members.
    pub started_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::world::fixtures::anomaly;

    #[test]
    fn a_departure_claims_no_past_that_was_not_measured() {
        let mut cpu = anomaly(1, "vm", "cpu_busy_ratio", SeriesRole::Saturation, 0);
        (cpu.expected, cpu.peak_value) = (Band { low: 0.0, centre: 0.45, high: 0.9 }, 1.0);
        assert_eq!(cpu.departure(), "vm cpu_busy_ratio 45 % → 100 % 10σ");
        cpu.method = DetectionMethod::StaticThreshold;
        assert_eq!(cpu.departure(), "vm cpu_busy_ratio 100 %, above the static limit of 90 %");
        cpu.direction = Direction::Below;
        (cpu.expected.low, cpu.peak_value) = (0.1, 0.02);
        assert_eq!(cpu.departure(), "vm cpu_busy_ratio 2 %, below the static limit of 10 %");
        assert!(!cpu.is_measured_in_sigmas());
    }

    #[test]
    fn what_is_down_is_said_without_sigmas() {
        let mut up = anomaly(1, "cache", "up", SeriesRole::Availability, 0);
        (up.unit, up.direction, up.peak_value) = (Unit::Boolean, Direction::Below, 0.0);
        up.expected = Band { low: 0.75, centre: 1.0, high: 1.0 };
        assert_eq!(up.departure(), "cache is down (was up)");
        up.method = DetectionMethod::StaticThreshold;
        assert_eq!(up.departure(), "cache is down", "nobody saw it up");
        up.at_onset = vec![1.0, 1.0, 0.0];
        assert_eq!(up.departure(), "cache is down (was up)");
        up.metric = Arc::from("unit_active");
        assert_eq!(up.departure(), "cache unit_active is down (was up)");
        (up.unit, up.metric, up.method) = (Unit::Ratio, Arc::from("available_ratio"), DetectionMethod::SeasonalZ);
        assert_eq!(up.departure(), "cache available_ratio 100 % → 0 %");
    }
}
