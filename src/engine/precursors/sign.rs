//! Signs, those of the last hours, and how often each is seen at any time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::clock::{HOUR_MS, Timestamp};
use crate::engine::limits::{RECENT_SIGNS_MAX, SIGN_KINDS_MAX};
use crate::engine::model::{Anomaly, Direction, ServiceName};

/// What makes two signs the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct SignKey {
    pub service: ServiceName,
    /// The metric, or the log template's text.
    pub what: Arc<str>,
    pub direction: Direction,
}

/// `payment db_connections above usual`
impl fmt::Display for SignKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.direction {
            Direction::Above => "above",
            Direction::Below => "below",
        };
        write!(out, "{} {} {side} usual", self.service, self.what)
    }
}

/// Something unusual, of whatever size.
#[derive(Debug, Clone, PartialEq)]
pub struct Sign {
    pub(super) key: SignKey,
    pub(super) at: Timestamp,
}

impl Sign {
    /// The sign that an anomaly is.
    #[must_use]
    pub fn of(anomaly: &Anomaly) -> Self {
        let what = anomaly.template.as_ref().map_or(&anomaly.metric, |(_, text)| text);
        let key = SignKey { service: anomaly.service.clone(), what: what.clone(), direction: anomaly.direction };
        Self { key, at: anomaly.started_at }
    }
}

/// The signs of the last hours, in the order of time.
#[derive(Debug, Clone, Default)]
pub(super) struct RecentSigns(BTreeSet<(Timestamp, SignKey)>);

impl RecentSigns {
    /// False where the same sign is there already.
    pub fn take(&mut self, sign: &Sign) -> bool {
        let is_new = self.0.insert((sign.at, sign.key.clone()));
        if self.0.len() > RECENT_SIGNS_MAX {
            self.0.pop_first();
        }
        is_new
    }

    pub fn forget_before(&mut self, at: Timestamp) {
        while self.0.first().is_some_and(|(seen_at, _)| *seen_at < at) {
            self.0.pop_first();
        }
    }

    /// Those of a stretch of time.
    pub fn between(&self, from: Timestamp, to: Timestamp) -> Vec<Sign> {
        let within = self.0.iter().skip_while(|(at, _)| *at < from).take_while(|(at, _)| *at <= to);
        within.map(|(at, key)| Sign { key: key.clone(), at: *at }).collect()
    }
}

/// In how many hours a sign was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct SignHours {
    hours: u32,
    last_hour: i64,
}

/// How often each sign is seen at any time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Background {
    /// A list rather than a map: keys are no text, which JSON asks of the keys of a map.
    #[serde(with = "super::kept::pairs")]
    seen: BTreeMap<SignKey, SignHours>,
    hours: u32,
    last_hour: i64,
}

impl Background {
    /// Counts the hours that were watched; true where another begins.
    pub fn pass(&mut self, now: Timestamp) -> bool {
        let hour = now.0.div_euclid(HOUR_MS);
        let is_another = hour > self.last_hour;
        if is_another {
            self.hours = self.hours.saturating_add(1);
            self.last_hour = hour;
        }
        is_another
    }

    /// Counts a sign, once an hour.
    pub fn count(&mut self, sign: &Sign) {
        let hour = sign.at.0.div_euclid(HOUR_MS);
        if !self.seen.contains_key(&sign.key) && self.seen.len() >= SIGN_KINDS_MAX {
            // The rarest says least when it is gone: it will count as never seen, which it nearly was.
            let rarest = self.seen.iter().min_by_key(|(_, seen)| (seen.hours, seen.last_hour));
            if let Some(key) = rarest.map(|(key, _)| key.clone()) {
                self.seen.remove(&key);
            }
        }
        let seen = self.seen.entry(sign.key.clone()).or_default();
        if seen.hours == 0 || hour > seen.last_hour {
            *seen = SignHours { hours: seen.hours.saturating_add(1), last_hour: hour };
        }
    }

    /// How much the sign says: minus the logarithm of the share of hours in which it is seen.
    pub fn weight(&self, key: &SignKey) -> f64 {
        let seen = self.seen.get(key).map_or(0, |seen| seen.hours);
        let share = (f64::from(seen) + 0.5) / (f64::from(self.hours.max(seen)) + 1.0);
        -share.min(1.0).ln()
    }
}
