//! Forecasts held to their word: each is judged by what was first told, and the next one says how such ones ended.
//!
//! A forecast is a hit when the limit is reached within its first interval, missed when it is reached at another time or
//! the interval passes without anybody having intervened, averted when somebody did: room was made, or the service was
//! changed and the trend went away.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Detection;
use super::forecast::{is_reached, target};
use super::tracking::AnomalyEvent;
use crate::engine::clock::{DAY_MS, Timestamp};
use crate::engine::model::{
    Anomaly, AnomalyState, Direction, Forecast, ForecastOutcome, Promise, ServiceName, TrackRecord,
};

/// Share of intervals that held the truth on made-up leaks (see the tests), told until there is a record of our own.
const CHANCE_AT_FIRST: f64 = 0.9;
/// How many forecasts with a known end weigh as much as that.
const CHANCE_WEIGHT: f64 = 5.0;
/// Room made: the value is back by this share of its way since the telling, and below where it was told.
const ROOM_SHARE: f64 = 0.1;
/// Changes older than this have averted nothing that is still open.
const CHANGES_KEPT_MS: i64 = 15 * DAY_MS;

/// Forecasts that have not been judged yet, and how the others ended.
#[derive(Debug, Clone, Default)]
pub struct Promises {
    /// By series; the anomaly may be over while its promise is open.
    open: BTreeMap<u32, Anomaly>,
    /// By metric.
    records: BTreeMap<Arc<str>, TrackRecord>,
    is_record_unkept: bool,
    /// When each service was last changed.
    changed_at: BTreeMap<ServiceName, Timestamp>,
}

impl Promises {
    /// What is promised by a forecast told at `now`.
    pub fn make(&self, metric: &str, forecast: &Forecast, value: f64, now: Timestamp) -> Promise {
        let record = self.records.get(metric).copied().unwrap_or_default();
        let (hits, judged) = (f64::from(record.hits), f64::from(record.judged()));
        Promise {
            told_at: now,
            value,
            reached_at: forecast.reached_at,
            margin_ms: forecast.margin_ms,
            chance: (CHANCE_WEIGHT * CHANCE_AT_FIRST + hits) / (CHANCE_WEIGHT + judged),
            record,
            outcome: None,
        }
    }

    /// Remembers the forecast of a series, as it now stands, until it is judged.
    pub fn watch(&mut self, index: u32, anomaly: &Anomaly) {
        if anomaly.promise.is_some_and(|promise| promise.outcome.is_none()) {
            self.open.insert(index, anomaly.clone());
        }
    }

    /// Forgets a series: what is gone is not judged.
    pub fn forget(&mut self, index: u32) {
        self.open.remove(&index);
    }

    /// A service was changed.
    pub fn note_change(&mut self, service: &ServiceName, at: Timestamp) {
        let last = self.changed_at.entry(service.clone()).or_insert(at);
        *last = (*last).max(at);
        self.changed_at.retain(|_, changed| at.since_ms(*changed) < CHANGES_KEPT_MS);
    }

    fn is_changed_since(&self, service: &ServiceName, since: Timestamp) -> bool {
        self.changed_at.get(service).is_some_and(|at| *at >= since)
    }

    /// The records, where they are not kept yet.
    pub fn records_to_keep(&mut self) -> Option<String> {
        if !std::mem::take(&mut self.is_record_unkept) {
            return None;
        }
        // Names and counts always have a form in JSON.
        serde_json::to_string(&self.records).ok()
    }

    /// Takes kept records back.
    ///
    /// # Errors
    /// When the text is not what [`Self::records_to_keep`] gave; counting then begins anew.
    pub fn restore_records(&mut self, text: &str) -> Result<(), serde_json::Error> {
        self.records = serde_json::from_str(text)?;
        Ok(())
    }
}

/// How a promise has ended by `at`, where it has.
fn judge(promise: &Promise, state: &Standing, direction: Direction) -> Option<ForecastOutcome> {
    let (from, to) = (promise.reached_at - promise.margin_ms, promise.reached_at + promise.margin_ms);
    let sign = if direction == Direction::Above { 1.0 } else { -1.0 };
    if state.is_reached {
        let is_as_told = from <= state.at && state.at <= to;
        return Some(if is_as_told { ForecastOutcome::Hit } else { ForecastOutcome::Missed });
    }
    let way = sign * (state.limit - promise.value);
    let has_room = sign * (state.value - promise.value) < -ROOM_SHARE * way;
    if has_room || (state.is_trend_gone && state.is_changed) {
        return Some(ForecastOutcome::Averted);
    }
    (state.at > to).then_some(if state.is_changed { ForecastOutcome::Averted } else { ForecastOutcome::Missed })
}

/// How things stand with a series that was foretold.
#[derive(Debug, Clone, Copy)]
struct Standing {
    at: Timestamp,
    value: f64,
    limit: f64,
    is_reached: bool,
    is_trend_gone: bool,
    is_changed: bool,
}

impl Detection {
    /// A service was changed: a forecast that goes away after it was averted. Where `begins_anew`, it was deployed,
    /// restarted or scaled, and warms up.
    pub fn note_change(&mut self, service: &ServiceName, at: Timestamp, begins_anew: bool) {
        self.promises.note_change(service, at);
        if begins_anew {
            self.warm_ups.note(service, at);
        }
    }

    /// How forecasts have ended so far, where that is not kept yet.
    pub fn forecast_records_to_keep(&mut self) -> Option<String> {
        self.promises.records_to_keep()
    }

    /// Hands back how forecasts had ended.
    ///
    /// # Errors
    /// When the text is not what [`Self::forecast_records_to_keep`] gave; counting then begins anew.
    pub fn restore_forecast_records(&mut self, text: &str) -> Result<(), serde_json::Error> {
        self.promises.restore_records(text)
    }

    /// Judges what can be judged by now.
    pub(super) fn judge_promises(&mut self, events: &mut Vec<AnomalyEvent>) {
        let indices: Vec<u32> = self.promises.open.keys().copied().collect();
        for index in indices {
            let Some(outcome) = self.outcome_of(index) else {
                continue;
            };
            let Some(mut anomaly) = self.promises.open.remove(&index) else {
                continue;
            };
            if let Some(promise) = &mut anomaly.promise {
                promise.outcome = Some(outcome);
            }
            self.promises.records.entry(anomaly.metric.clone()).or_default().add(outcome);
            self.promises.is_record_unkept = true;
            self.forecasts.settle(index, outcome);
            events.push(match anomaly.state {
                AnomalyState::Ended => AnomalyEvent::Ended(anomaly),
                AnomalyState::Active | AnomalyState::Recovering => AnomalyEvent::Changed(anomaly),
            });
        }
    }

    fn outcome_of(&self, index: u32) -> Option<ForecastOutcome> {
        let anomaly = self.promises.open.get(&index)?;
        let promise = anomaly.promise?;
        let (live, meta) = (self.lives.get(index as usize)?, self.registry.metas.get(index as usize)?);
        let (limit, direction) = target(meta)?;
        let at = Timestamp(live.last_at);
        let state = Standing {
            at,
            value: live.last_value,
            limit,
            is_reached: is_reached(live.last_value, limit, direction),
            is_trend_gone: anomaly.state == AnomalyState::Ended,
            is_changed: self.promises.is_changed_since(&anomaly.service, promise.told_at),
        };
        (at >= promise.told_at).then(|| judge(&promise, &state, direction)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::clock::HOUR_MS;

    fn promise() -> Promise {
        let forecast = Forecast { limit: 1.0, reached_at: Timestamp(50 * HOUR_MS), margin_ms: 5 * HOUR_MS };
        Promises::default().make("memory", &forecast, 0.5, Timestamp(0))
    }

    fn standing(hour: i64, value: f64) -> Standing {
        let is_reached = is_reached(value, 1.0, Direction::Above);
        let at = Timestamp(hour * HOUR_MS);
        Standing { at, value, limit: 1.0, is_reached, is_trend_gone: false, is_changed: false }
    }

    #[test]
    fn a_promise_ends_by_what_was_told_first() {
        use ForecastOutcome::{Averted, Hit, Missed};
        let changed = |it: Standing| Standing { is_changed: true, ..it };
        let gone = |it: Standing| Standing { is_trend_gone: true, ..it };
        for (name, state, expected) in [
            ("on its way", standing(20, 0.7), None),
            ("reached as told", standing(46, 1.0), Some(Hit)),
            ("reached too soon", standing(30, 1.0), Some(Missed)),
            ("reached too late", standing(56, 1.0), Some(Missed)),
            ("not reached", standing(56, 0.9), Some(Missed)),
            ("room was made", standing(20, 0.4), Some(Averted)),
            ("no room worth the name", standing(20, 0.47), None),
            ("a trend that rests may come again", gone(standing(20, 0.7)), None),
            ("changed, and the trend went away", gone(changed(standing(20, 0.7))), Some(Averted)),
            ("changed, and still on its way", changed(standing(20, 0.7)), None),
            ("changed, and not reached", changed(standing(56, 0.9)), Some(Averted)),
        ] {
            assert_eq!(judge(&promise(), &state, Direction::Above), expected, "{name}");
        }
    }

    #[test]
    fn the_next_chance_knows_the_record() {
        let mut promises = Promises::default();
        let forecast = Forecast { limit: 1.0, reached_at: Timestamp(HOUR_MS), margin_ms: 1 };
        assert!((promise().chance - CHANCE_AT_FIRST).abs() < 1e-9);
        let record = TrackRecord { hits: 1, misses: 4, averted: 9 };
        promises.records.insert("memory".into(), record);
        let next = promises.make("memory", &forecast, 0.5, Timestamp(0));
        assert!((next.chance - (5.0 * 0.9 + 1.0) / 10.0).abs() < 1e-9, "{}", next.chance);
        assert_eq!(next.record, record);
        promises.is_record_unkept = true;
        let kept = promises.records_to_keep().unwrap();
        assert!(promises.records_to_keep().is_none());
        let mut after = Promises::default();
        after.restore_records(&kept).unwrap();
        assert_eq!(after.records, promises.records);
        assert!(after.restore_records("{").is_err());
    }
}
