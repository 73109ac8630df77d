//! Resources on their way to their limit: when the trend of the last days meets it within a week, and how sure that is.
//!
//! Only series with a limit have a trend; other series pay nothing. A forecast ends when its trend goes away, when the
//! limit is reached, or when a critical deviation of the same series takes over.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Detection;
use super::identity::anomaly_fingerprint;
use super::live::at_onset;
use super::registry::Meta;
use super::tracking::AnomalyEvent;
use super::trend::{Slope, Trend};
use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use crate::engine::model::{
    Anomaly, AnomalyKind, AnomalyState, BadWhen, DetectionMethod, Direction, Forecast, ForecastOutcome, Severity,
};

/// Limits further away than this are not foretold.
const REACH_MS: i64 = 7 * DAY_MS;
/// Nearer than this a forecast is a warning.
const WARNING_MS: i64 = 72 * HOUR_MS;
/// The interval around the time is never shown narrower than this.
const MARGIN_MS_MIN: i64 = 15 * MINUTE_MS;
/// Nine in ten of a normal distribution lie within so many of its deviations.
const NINE_IN_TEN: f64 = 1.645;
/// Trends worked out in one tick.
const TRENDS_PER_TICK: usize = 50;
/// Evaluations without a credible trend after which a forecast ends.
const MISSES_MAX: u32 = 2;
/// Values behind an hourly point, at most: their median is taken.
const VALUES_PER_POINT: usize = 12;
/// Past this share of its way a resource is as good as exhausted.
const REACHED_SHARE: f64 = 0.995;

/// The forecast of one series.
#[derive(Debug, Clone)]
struct Foretold {
    anomaly: Anomaly,
    misses: u32,
}

/// Trends of series with a limit, and forecasts under way.
#[derive(Debug, Clone, Default)]
pub struct Forecasts {
    trends: BTreeMap<u32, Trend>,
    /// Series with a point that has not been looked at.
    waiting: VecDeque<u32>,
    is_waiting: BTreeSet<u32>,
    active: BTreeMap<u32, Foretold>,
}

impl Forecasts {
    /// Adds the point of an hour that ended.
    pub fn note_hour(&mut self, index: u32, hour: i32, recent: &[f32]) {
        let mut values: Vec<f32> = recent.iter().rev().take(VALUES_PER_POINT).copied().collect();
        values.sort_unstable_by(f32::total_cmp);
        if let (Some(value), Ok(hour)) = (values.get(values.len() / 2), u32::try_from(hour)) {
            self.trends.entry(index).or_default().push(hour, f64::from(*value));
            self.wait(index);
        }
    }

    fn wait(&mut self, index: u32) {
        if self.is_waiting.insert(index) {
            self.waiting.push_back(index);
        }
    }

    /// The trend of a series, for keeping.
    #[must_use]
    pub fn trend(&self, index: u32) -> Option<&Trend> {
        self.trends.get(&index)
    }

    /// Takes a kept trend back.
    pub fn restore(&mut self, index: u32, trend: Trend) {
        self.trends.insert(index, trend);
        self.wait(index);
    }

    /// Forgets a series; [`Self::tidy`] is to follow.
    pub fn forget(&mut self, index: u32) {
        self.trends.remove(&index);
        self.is_waiting.remove(&index);
    }

    /// Takes forgotten series out of the queue.
    pub fn tidy(&mut self) {
        self.waiting.retain(|index| self.is_waiting.contains(index));
    }

    /// The promise of a forecast was judged; the forecast itself may go on.
    pub fn settle(&mut self, index: u32, outcome: ForecastOutcome) {
        if let Some(promise) = self.active.get_mut(&index).and_then(|foretold| foretold.anomaly.promise.as_mut()) {
            promise.outcome = Some(outcome);
        }
    }

    /// Takes up a forecast from before a restart.
    pub fn resume(&mut self, index: u32, anomaly: Anomaly) {
        self.active.insert(index, Foretold { anomaly, misses: 0 });
    }
}

/// Where the limit is and on which side of the present value.
pub(super) fn target(meta: &Meta) -> Option<(f64, Direction)> {
    let limit = meta.limit()?;
    Some(if meta.bad_when == BadWhen::Low { (0.0, Direction::Below) } else { (limit, Direction::Above) })
}

/// True where the resource is as good as exhausted.
pub(super) fn is_reached(value: f64, limit: f64, direction: Direction) -> bool {
    match direction {
        Direction::Above => value >= REACHED_SHARE * limit,
        Direction::Below => value <= limit,
    }
}

/// When `slope` meets the limit from `value`, where it does so in time.
fn foretell(value: f64, limit: f64, direction: Direction, slope: &Slope, at: Timestamp) -> Option<Forecast> {
    let sign = if direction == Direction::Above { 1.0 } else { -1.0 };
    let way = sign * (limit - value);
    let speeds = [slope.low, slope.middle, slope.high].map(|slope| sign * slope);
    if way <= 0.0 || speeds.iter().any(|speed| *speed <= 0.0) {
        return None;
    }
    // Saturates; anything that large is far past the reach.
    let after_ms = |speed: f64| (way / speed * HOUR_MS as f64) as i64;
    let after = after_ms(speeds[1]);
    let margin_ms = (NINE_IN_TEN * doubt(after as f64 / HOUR_MS as f64, slope) * HOUR_MS as f64) as i64;
    (after <= REACH_MS).then(|| Forecast {
        limit,
        reached_at: at + after,
        margin_ms: margin_ms.clamp(MARGIN_MS_MIN, after.max(MARGIN_MS_MIN)),
    })
}

/// Standard deviation, in hours, of a time that lies `after_hours` ahead: the days of the past were a sample, so are those
/// to come, and a value beside the line reaches the limit sooner or later than the line does.
fn doubt(after_hours: f64, slope: &Slope) -> f64 {
    let days = |hours: f64| (hours / 24.0).max(0.25);
    let of_days = slope.unevenness * after_hours * (1.0 / days(slope.hours) + 1.0 / days(after_hours)).sqrt();
    let of_rest = slope.rest / slope.middle.abs();
    of_days.hypot(of_rest)
}

impl Detection {
    /// Works out the next trends and ends forecasts that are overtaken.
    pub(super) fn tick_forecasts(&mut self, events: &mut Vec<AnomalyEvent>) {
        for _ in 0..self.forecasts.waiting.len().min(TRENDS_PER_TICK) {
            let Some(index) = self.forecasts.waiting.pop_front() else {
                break;
            };
            // History is not foretold from; the series is looked at again once it is live.
            if self.lives.get(index as usize).is_some_and(|live| live.is_live) {
                self.forecasts.is_waiting.remove(&index);
                self.evaluate(index, events);
            } else {
                self.forecasts.waiting.push_back(index);
            }
        }
        let overtaken: Vec<u32> = self.forecasts.active.keys().copied().filter(|at| self.is_overtaken(*at)).collect();
        for index in overtaken {
            self.end_forecast(index, self.last_at(index), events);
        }
    }

    /// True where the limit is reached or a critical deviation says more than the forecast does.
    fn is_overtaken(&self, index: u32) -> bool {
        let (Some(live), Some(meta)) = (self.lives.get(index as usize), self.registry.metas.get(index as usize)) else {
            return true;
        };
        let is_there = target(meta).is_none_or(|(limit, direction)| is_reached(live.last_value, limit, direction));
        let is_deviating =
            self.tracks.get(index).is_some_and(|anomaly| anomaly.is_harmful && anomaly.severity == Severity::Critical);
        is_there || is_deviating
    }

    fn evaluate(&mut self, index: u32, events: &mut Vec<AnomalyEvent>) {
        let at = index as usize;
        let (Some(live), Some(meta)) = (self.lives.get(at), self.registry.metas.get(at)) else {
            return;
        };
        let now = Timestamp(live.last_at);
        let found = target(meta).and_then(|(limit, direction)| {
            let slope = self.forecasts.trends.get(&index)?.slope()?;
            Some((foretell(live.last_value, limit, direction, &slope, now)?, direction))
        });
        match found {
            Some((forecast, direction)) if self.forecasts.active.contains_key(&index) => {
                self.go_on_with_forecast(index, forecast, direction, events);
            }
            Some((forecast, direction)) if !self.is_overtaken(index) => {
                self.begin_forecast(index, forecast, direction, events);
            }
            Some(_) => {}
            None => {
                let misses = self.forecasts.active.get_mut(&index).map(|foretold| {
                    foretold.misses += 1;
                    foretold.misses
                });
                if misses.is_some_and(|misses| misses >= MISSES_MAX) {
                    self.end_forecast(index, now, events);
                }
            }
        }
    }

    fn begin_forecast(&mut self, index: u32, forecast: Forecast, direction: Direction, events: &mut Vec<AnomalyEvent>) {
        let at = index as usize;
        let id = self.take_anomaly_id();
        let expected = self.band(index);
        let (Some(live), Some(meta)) = (self.lives.get(at), self.registry.metas.get(at)) else {
            return;
        };
        let now = Timestamp(live.last_at);
        let seen_at = self.forecasts.trends.get(&index).map_or(now, Trend::seen_at).min(now);
        let anomaly = Anomaly {
            id,
            fingerprint: anomaly_fingerprint(meta.fingerprint, AnomalyKind::Forecast, direction),
            kind: AnomalyKind::Forecast,
            service: meta.service.clone(),
            instance: meta.instance.clone(),
            metric: meta.metric.clone(),
            unit: meta.unit,
            role: meta.role,
            template: None,
            direction,
            is_harmful: true,
            severity: severity(&forecast, now),
            state: AnomalyState::Active,
            value: live.last_value,
            peak_value: live.last_value,
            expected: expected.unwrap_or_default(),
            // Nothing has departed yet.
            deviation_sigma: 0.0,
            peak_sigma: 0.0,
            method: DetectionMethod::Trend,
            history_days: live.history_days(),
            started_at: seen_at,
            last_seen_at: now,
            ended_at: None,
            repeat_count: 1,
            incident: None,
            suppressed: None,
            at_onset: at_onset(&live.recent_values(), usize::MAX),
            recent: live.recent_values(),
            forecast: Some(forecast),
            promise: Some(self.promises.make(&meta.metric, &forecast, live.last_value, now)),
            contradictions: Vec::new(),
        };
        self.promises.watch(index, &anomaly);
        events.push(AnomalyEvent::Began(anomaly.clone()));
        self.forecasts.active.insert(index, Foretold { anomaly, misses: 0 });
    }

    fn go_on_with_forecast(
        &mut self,
        index: u32,
        forecast: Forecast,
        direction: Direction,
        events: &mut Vec<AnomalyEvent>,
    ) {
        let (Some(live), Some(foretold)) = (self.lives.get(index as usize), self.forecasts.active.get_mut(&index))
        else {
            return;
        };
        foretold.misses = 0;
        let anomaly = &mut foretold.anomaly;
        let now = Timestamp(live.last_at);
        anomaly.direction = direction;
        anomaly.value = live.last_value;
        anomaly.peak_value = live.last_value;
        anomaly.severity = severity(&forecast, now);
        anomaly.last_seen_at = now;
        anomaly.repeat_count += 1;
        anomaly.recent = live.recent_values();
        anomaly.forecast = Some(forecast);
        self.promises.watch(index, anomaly);
        events.push(AnomalyEvent::Changed(anomaly.clone()));
    }

    fn last_at(&self, index: u32) -> Timestamp {
        self.lives.get(index as usize).map_or(Timestamp(0), |live| Timestamp(live.last_at))
    }

    /// Ends the forecast of a series, where there is one.
    pub(super) fn end_forecast(&mut self, index: u32, at: Timestamp, events: &mut Vec<AnomalyEvent>) {
        if let Some(mut foretold) = self.forecasts.active.remove(&index) {
            foretold.anomaly.state = AnomalyState::Ended;
            foretold.anomaly.ended_at = Some(at);
            self.promises.watch(index, &foretold.anomaly);
            events.push(AnomalyEvent::Ended(foretold.anomaly));
        }
    }
}

fn severity(forecast: &Forecast, now: Timestamp) -> Severity {
    if forecast.reached_at.since_ms(now) < WARNING_MS { Severity::Warning } else { Severity::Info }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_foretold_with_its_margin() {
        let slope = Slope { low: 0.009, middle: 0.01, high: 0.011, hours: 120.0, unevenness: 0.1, rest: 0.0 };
        let forecast = foretell(0.5, 1.0, Direction::Above, &slope, Timestamp(0)).unwrap();
        assert_eq!(forecast.reached_at, Timestamp(50 * HOUR_MS));
        let margin_h = |slope: &Slope, value: f64| {
            foretell(value, 1.0, Direction::Above, slope, Timestamp(0)).unwrap().margin_ms as f64 / HOUR_MS as f64
        };
        // 1.645 x 0.1 x 50 h x sqrt(24/120 + 24/50)
        assert!((margin_h(&slope, 0.5) - 6.78).abs() < 0.01, "{}", margin_h(&slope, 0.5));
        let short = Slope { hours: 30.0, ..slope };
        assert!(margin_h(&short, 0.5) > 1.3 * margin_h(&slope, 0.5), "a short past is a poor guide");
        let loose = Slope { rest: 0.1, ..slope };
        assert!((margin_h(&loose, 0.5) - 17.8).abs() < 0.1, "{}", margin_h(&loose, 0.5));
        let falling = Slope { low: -0.011, middle: -0.01, high: -0.009, ..slope };
        assert!(foretell(0.5, 1.0, Direction::Above, &falling, Timestamp(0)).is_none());
        assert!(foretell(0.5, 0.0, Direction::Below, &falling, Timestamp(0)).is_some());
        let slow = Slope { low: 0.001, middle: 0.001, high: 0.001, ..slope };
        assert!(foretell(0.5, 1.0, Direction::Above, &slow, Timestamp(0)).is_none(), "past the reach");
    }
}
