//! Tells a busy service from a sick one: what moved no more than its own traffic did is explained by it.
//!
//! Errors and availability are never explained by traffic, and nothing is while the service's errors are outside their band.

use super::live::{Live, Phase};
use super::registry::{Meta, Registry};
use super::tracking::Tracks;
use crate::engine::clock::{MINUTE_MS, Timestamp};
use crate::engine::model::{Direction, SeriesRole, SuppressionReason};

/// Traffic below this multiple of the usual explains nothing.
const FACTOR_MIN: f64 = 1.3;
/// A figure may move this much more than traffic did.
const SLACK: f64 = 1.25;
/// A resource without a limit of its own may move this much more: a queue grows faster than what feeds it, long before
/// anything is short.
const SLACK_UNLIMITED: f64 = 2.5;
/// Past this share of its limit a resource is short, whoever asks for it.
const LIMIT_SHARE_MAX: f64 = 0.97;
/// Traffic measured longer ago than this says nothing.
const FRESH_MS: i64 = 5 * MINUTE_MS;

/// True where an error series of the service is above its band.
#[must_use]
pub fn has_errors(registry: &Registry, lives: &[Live], tracks: &Tracks, service_at: u32) -> bool {
    let Some(service) = registry.services.get(service_at as usize) else {
        return false;
    };
    service.errors.iter().any(|index| {
        let is_tracked = lives.get(*index as usize).is_some_and(|live| live.phase == Phase::Tracked);
        is_tracked && tracks.get(*index).is_some_and(|anomaly| anomaly.direction == Direction::Above)
    })
}

/// How many times the usual traffic the service has, where that can be told.
#[must_use]
pub fn factor(registry: &Registry, lives: &[Live], service_at: u32, at: Timestamp) -> Option<f64> {
    let service = registry.services.get(service_at as usize)?;
    let (mut now, mut usual) = (0.0, 0.0);
    for index in &service.traffic {
        let live = lives.get(*index as usize)?;
        if live.last_at != i64::MIN && (at.0 - live.last_at).abs() <= FRESH_MS {
            now += live.last_value;
            usual += live.usual;
        }
    }
    (usual > 0.0 && now > 0.0).then(|| now / usual)
}

/// What explains a rise of `value` over `centre` under `factor` times the usual traffic.
#[must_use]
pub fn explain(meta: &Meta, value: f64, centre: f64, factor: Option<f64>) -> Option<SuppressionReason> {
    if matches!(meta.role, SeriesRole::Errors | SeriesRole::Availability | SeriesRole::Traffic) {
        return None;
    }
    let factor = factor.filter(|factor| *factor >= FACTOR_MIN)?;
    let is_short = meta.limit().is_some_and(|limit| value >= LIMIT_SHARE_MAX * limit);
    let is_unlimited = meta.role == SeriesRole::Saturation && meta.limit().is_none();
    let slack = if is_unlimited { SLACK_UNLIMITED } else { SLACK };
    let is_in_proportion = centre > 0.0 && value / centre <= factor * slack;
    (is_in_proportion && !is_short).then(|| SuppressionReason::Traffic {
        // Bounded before the cast, so it cannot wrap.
        traffic_percent: (factor * 100.0).round().clamp(0.0, 1e9) as u32,
    })
}
